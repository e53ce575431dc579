"""An account: cross pools, isolated pools, and what happens to them. Operations return a new account."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace

from . import checks, display, tables, trading
from .instruments import Perpetual
from .pool import Pool
from .trading import Event
from .venues import COUNTERPARTIES, FUND, TRADER, Venue


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Account:
    """An account at a venue: a cross pool for each settlement currency, and any number of isolated pools.

        Account(venues.TEACHING, BTC=10).mark(BTC=50_000)

    Nothing changes an account: `trade`, `transfer`, `mark` and `at` return another one. What they refuse
    (TypeError, ValueError) leaves it as it was. `pools` is a tuple of `Pool`, `events` the ledger so far.
    """

    venue: Venue
    pools: tuple
    marks: Mapping
    events: tuple = field(repr=False)

    def __init__(self, venue, /, **balances):
        if not isinstance(venue, Venue):
            raise TypeError(f"venue must be a Venue, such as venues.TEACHING, not {venue!r}")
        if not balances:
            raise ValueError("an account must hold something: give balances such as BTC=10")
        amounts = {c: checks.number(f"the balance {c}", a, least=0) for c, a in balances.items()}
        pools = tuple(Pool(c, {c: a}, (), venue, {}, f"cross {c}") for c, a in amounts.items())
        events = tuple(Event("deposit", f"cross {c}", c, {TRADER: a, "outside": -a}) for c, a in amounts.items())
        self._set(venue=venue, pools=pools, marks=checks.Frozen({}), events=events)

    def _set(self, **fields):
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        return self

    def updated(self, *pools, drop=(), events=()):
        """This account with pools replaced (by name) or added, others dropped, and events appended."""
        new = {p.name: p for p in self.pools} | {p.name: p for p in pools}
        kept = tuple(p for name, p in new.items() if name not in drop)
        before, after = ({p.instrument.symbol for q in pools for p in q.positions} for pools in (self.pools, kept))
        marks = {name: price for name, price in self.marks.items() if name not in before - after}
        return copy(self)._set(pools=kept, marks=checks.Frozen(marks), events=self.events + tuple(events))

    # --------------------------------------------------------------- looking

    @property
    def cross(self):
        """The shared pool. ValueError if there is one for each of several currencies: see `cross_in`."""
        shared = [p for p in self.pools if not p.isolated]
        if len(shared) > 1:
            raise ValueError(
                f"there is a cross pool for each of {', '.join(p.currency for p in shared)}: "
                f"use cross_in({shared[0].currency!r})"
            )
        return shared[0]

    def cross_in(self, currency):
        """The shared pool of one settlement currency; ValueError if the account has none."""
        for pool in self.pools:
            if pool.name == f"cross {currency}":
                return pool
        have = ", ".join(p.currency for p in self.pools if not p.isolated)
        raise ValueError(f"unknown currency {currency!r}: this account holds {have}")

    def __getitem__(self, key):
        """The pool that a position sits in, by instrument or symbol; KeyError if it is not open."""
        symbol = key.symbol if isinstance(key, Perpetual) else key
        for pool in self.pools:
            if any(p.instrument.symbol == symbol for p in pool.positions):
                return pool
        known = [p.instrument.symbol for pool in self.pools for p in pool.positions]
        raise KeyError(f"no open position in {symbol!r}; open: {', '.join(known) or 'none'}")

    def balances(self):
        """All that the trader holds, free or set aside, by currency, without unrealised PnL."""
        total = {}
        for pool in self.pools:
            for currency, amount in pool.collateral.items():
                total[currency] = total.get(currency, 0.0) + amount
        return total

    @property
    def liquidations(self):
        """The liquidations so far, as a tuple of `Event`."""
        return tuple(e for e in self.events if e.kind == "liquidation")

    # ---------------------------------------------------------------- prices

    def mark(self, **prices):
        """Value everything at these prices, and nothing else: keys are indices ("BTC"), or symbols for a
        contract's own mark, which holds until its index is marked again."""
        if not prices:
            raise ValueError("mark needs at least one price, such as BTC=50_000")
        new = {name: checks.price(name, value) for name, value in prices.items()}
        for name, value in new.items():
            if not isinstance(value, float):
                raise TypeError(f"the price of {name} must be one number: arrays belong to a pool's slack")
        own = {p.instrument.symbol for pool in self.pools for p in pool.positions if p.instrument.index in new}
        marks = {name: value for name, value in self.marks.items() if name not in own} | new
        pools = tuple(pool.marked(marks) for pool in self.pools)
        return copy(self)._set(marks=checks.Frozen(marks), pools=pools)

    def at(self, **prices):
        """Mark, and let the venue act: every pool at or below its maintenance line is liquidated there.

        The positions go. What the trader loses is that pool and nothing else; the venue's rules say who
        keeps a surplus over bankruptcy and who pays a shortfall. Each liquidation is an `Event`. ValueError for a
        name that nothing here follows.
        """
        known = set(self.marks).union(*(pool.names for pool in self.pools))
        for name in prices:
            if name not in known:
                raise ValueError(f"nothing here follows {name!r}: use {', '.join(sorted(known))}")
        after = self.mark(**prices) if prices else self
        for pool in after.pools:
            if pool.positions and pool.slack() <= 1e-12 * pool.requirement():  # at the line itself, to rounding
                after = after._liquidate(pool)
        return after

    def _liquidate(self, pool):
        """Close a pool at its marks: counterparties gain what its positions lost at that price."""
        held, equity, venue = pool.collateral[pool.currency], pool.equity(), self.venue
        if abs(equity) <= 1e-12 * held:  # a price just at bankruptcy: rounding, not a shortfall of 8.9e-16
            equity = 0.0
        surplus, shortfall = max(equity, 0.0), max(-equity, 0.0)
        returned = surplus if venue.surplus_to == TRADER else 0.0
        fund = surplus - returned - (shortfall if venue.shortfall_to == FUND else 0.0)
        flows = {TRADER: returned - held, FUND: fund, COUNTERPARTIES: held - returned - fund}
        outcome = (
            f"{display.fmt(surplus)} left over, kept by the {venue.surplus_to}"
            if equity > 0
            else f"{display.fmt(shortfall)} missing, paid by the {venue.shortfall_to}"
        )
        text = f"{pool.name}: {display.fmt(held - returned)} {pool.currency} lost; {outcome}"
        price = pool.terms[0].price(pool.marks) if len(pool.terms) == 1 else None
        event = Event("liquidation", pool.name, pool.currency, flows, price, text,
                      held - returned, surplus, shortfall)  # fmt: skip
        if pool.isolated:
            return self.credit(pool.currency, returned).updated(drop=[pool.name], events=[event])
        return self.updated(replace(pool, positions=(), collateral={pool.currency: returned}), events=[event])

    # ------------------------------------------------------ trades and transfers

    def trade(self, instrument, quantity, price, isolated=None, leverage=None):
        """Buy (+) or sell (-) contracts: opens, increases, reduces, flips or closes a position.

        Parameters
        ----------
        instrument : Perpetual
        quantity : float
            Contracts, signed.
        price : float
            Fill price in quote currency; also the mark, if its index has none yet.
        isolated : float or True, optional
            Margin walled off for this trade, in the settlement currency; True takes notional / leverage.
            Absent, a new position goes to the cross pool and an open one stays in the pool it is in.
        leverage : float, optional
            Sets the initial margin, notional / leverage, of the whole position. Absent, it is that of the
            open position, or follows from the margin, or (cross) is the highest that the schedule allows.

        Raises TypeError or ValueError, and changes nothing, if the margin is more than is available or less
        than notional / leverage at the highest leverage allowed, if the size is beyond the schedule, if the
        fill would leave its pool at or below its line (in cross: short of initial margin), or if the
        position is open in the other mode.
        """
        return trading.trade(self, instrument, quantity, price, isolated, leverage)

    def transfer(self, amount, currency, to=None, source=None):
        """Move collateral from the cross pool into an isolated one (`to=`), or back (`source=`).

        Out of the cross pool goes at most what is available; out of an isolated pool at most what its
        initial margin, at its position's leverage, leaves free. ValueError otherwise.
        """
        amount = checks.number("amount", amount, above=0)
        if (to is None) == (source is None):
            raise ValueError("give either to= or source=: the isolated position that gains or gives margin")
        pool, sign = (self[to], 1) if source is None else (self[source], -1)
        if not pool.isolated:
            raise ValueError(f"{pool.name!r} is the shared pool: name a position with isolated margin")
        if currency != pool.currency:
            raise ValueError(f"currency must be {pool.currency!r}, which {pool.name!r} is in, not {currency!r}")
        giver = self.cross_in(currency) if sign > 0 else pool
        trading.check_free("amount", amount, giver)
        event = Event("transfer", pool.name, currency, {TRADER: 0.0}, text=f"{sign * amount:+g} {currency}")
        return self.credit(currency, -sign * amount).updated(pool.adding(sign * amount), events=[event])

    def credit(self, currency, amount):
        """This account with so much more (or less) in the cross pool of a currency."""
        return self.updated(self.cross_in(currency).adding(amount))

    def ledger(self):
        """All events as a DataFrame: a row each, a column for each party; the parties of a row sum to zero."""
        return tables.ledger(self)

    __repr__ = display.account_text
    _repr_html_ = display.account_html
