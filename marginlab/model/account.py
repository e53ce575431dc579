"""An account: cross pools, isolated pools, and what happens to them. Operations return a new account."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from math import inf

from . import checks, display, funding, lookup, spot, tables, trading, waterfall
from .instruments import Spot
from .pool import Pool
from .trading import Event
from .venue import TRADER, Venue


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Account:
    """An account at a venue: a cross pool for each settlement currency, and any number of isolated pools.

        Account(venues.TEACHING, BTC=10).mark(BTC=50_000)

    In a multi-currency account, such as at venues.TEACHING_MULTI, there is one cross pool with all currencies in it.
    Nothing changes an account: `trade`, `transfer`, `mark`, `at` and the like return another one. What they refuse
    (TypeError, ValueError) leaves it as it was. `pools` is a tuple of `Pool`, `events` the ledger.
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
        if venue.account_mode == "multi-currency":
            pools = (Pool("USD", amounts, (), venue, {}, "cross"),)
        else:
            pools = tuple(Pool(c, {c: a}, (), venue, {}, f"cross {c}") for c, a in amounts.items())
        name = {c: pool.name for pool in pools for c in pool.collateral}
        events = tuple(Event("deposit", name[c], c, {TRADER: a, "outside": -a}) for c, a in amounts.items())
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
            each = ", ".join(p.currency for p in shared)
            raise ValueError(f"there is a cross pool for each of {each}: use cross_in({shared[0].currency!r})")
        return shared[0]

    def cross_in(self, currency):
        """The shared pool that holds a settlement currency; ValueError if the account has none."""
        return lookup.cross_in(self, currency)

    def find(self, symbol, leg=None):
        """All (pool, position) in which a contract is open, of one leg ("long" or "short") or of both."""
        return [
            (pool, p)
            for pool in self.pools
            for p in pool.positions
            if p.instrument.symbol == symbol and leg in (None, "long" if p.quantity > 0 else "short")
        ]

    def __getitem__(self, key):
        """The pool that a position sits in, by instrument or symbol: `account[btc]`.

        Where one contract is open more than once, words say which: `account[btc, "isolated"]`, `account[btc, "short"]`,
        or both. A `Spot` is open in its isolated pool, and in a cross pool that owes one of its coins. KeyError if it
        is not open, or open more than once.
        """
        return lookup.pool(self, key)

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
        """Mark, and let the venue act: `mark` and `liquidate`, filled at these marks, with a fund that pays whatever is
        missing. ValueError for a name that nothing here follows."""
        waterfall.check_followed(self, prices)
        return waterfall.liquidate(self.mark(**prices) if prices else self)

    def liquidate(self, last=None, impact=0.0, fund=inf):
        """Let the venue act on every pool that is at or below its maintenance line at the marks.

            account.mark(BTC=44_000).liquidate(last={"BTC": 43_500}, impact=0.01, fund=0.5)

        What is closed is gone, and the trader loses that pool and nothing else. `Venue.liquidation` says what is closed
        first, and how much of it; the venue, who keeps a surplus over bankruptcy and who pays a shortfall.

        Parameters
        ----------
        last : mapping of index or symbol to price, optional
            Last traded prices, at which contracts are closed; the marks if absent. The trigger does not look at them,
            and coins, held or borrowed, are exchanged at their marks.
        impact : float or callable
            How far the average fill of an order is from the last price, as a fraction (0 to below 1) against it: a
            number, or a function of the order's worth in quote currency, such as lambda worth: worth / (worth + 1e7).
        fund : float or mapping of currency to float
            What the insurance fund has, in the currency of each pool: beyond it, winners on the other side are closed
            at the bankruptcy price (where there is none, as of a loan, counterparties pay). One number is for each.

        Each step is an `Event`: "orders cancelled", "partial liquidation", "closing", "assignment" (taken over),
        "auto-deleveraging", and at the end of a pool "liquidation"; the flows of each sum to zero. Pools follow in
        their order, each with what is left of the fund. TypeError or ValueError for what cannot be meant, or a last
        price of what is not open.
        """
        return waterfall.liquidate(self, last, impact, fund)

    # ------------------------------------------------------ trades and transfers

    def trade(self, instrument, quantity, price, isolated=None, leverage=None, leg=None, borrow=None):
        """Buy (+) or sell (-): opens, increases, reduces, flips or closes a position, or exchanges coins.

        Parameters
        ----------
        instrument : Perpetual or Spot
        quantity : float
            Contracts, or coins of a pair's base, signed.
        price : float
            Fill price in quote currency; also the mark, if its index has none yet.
        isolated : float or bool, optional
            Margin walled off for this trade, in the settlement currency (for a pair: in the coin that it
            receives); True takes notional / leverage, False means the cross pool. Absent, a new position goes to
            the cross pool and an open one stays in the pool it is in.
        leverage : float, optional
            Sets the initial margin, notional / leverage, of the whole position. Absent, it is that of the
            open position, or follows from the margin, or (cross) is the highest that the schedule allows.
        leg : "long" or "short", optional
            Where the venue has a hedge mode: which of the two sides of the contract this trade opens or reduces.
        borrow : str, optional
            For a pair: the coin that it pays with. All of it is borrowed, in the pool of the coin that is received;
            in a multi-currency account as much as its one pool has none of.

        Raises TypeError or ValueError, and changes nothing, if the margin is more than is available or less
        than notional / leverage at the highest leverage allowed, if the size is beyond the schedule or the debt
        beyond its limit, if the fill would leave its pool at or below its line (in cross: short of initial margin),
        or if the position is open in the other mode and the venue does not allow both.
        """
        if isinstance(instrument, Spot):
            checks.one_of("leg", leg, (None,))
            return spot.trade(self, instrument, quantity, price, isolated, leverage, borrow)
        if borrow is not None:
            raise ValueError(f"borrow={borrow!r}: nothing is paid for a contract, so nothing is borrowed; set leverage")
        return trading.trade(self, instrument, quantity, price, isolated, leverage, leg)

    def transfer(self, amount, currency, to=None, source=None):
        """Move collateral from the cross pool into an isolated one (`to=`), or back (`source=`).

        Out of the cross pool goes at most what is withdrawable; out of an isolated pool at most what its
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
        trading.check_free("amount", amount, currency, giver)
        event = Event("transfer", pool.name, currency, {TRADER: 0.0}, text=f"{sign * amount:+g} {currency}")
        return self.credit(currency, -sign * amount).updated(pool.adding(sign * amount), events=[event])

    def accrue(self, hours):
        """Interest on every borrowed coin for so many hours, by the venue's rule: it is added to the debt. A balance
        of a pool's own currency that losses or funding took below zero bears it in a multi-currency cross pool only.

        Every call counts the periods that it starts, so that one call for 25 hours and 25 calls for one hour each
        differ by the interest on the interest. ValueError unless hours is 0 or more.
        """
        return spot.accrue(self, checks.number("hours", hours, least=0))

    def pay_funding(self, instrument, rate, periods=1.0):
        """Funding on every open position of a contract: `rate` * notional, from longs to shorts if it is positive.

        It goes out of, or into, the pool that a position sits in; the venue may charge the account before an isolated
        position's margin (`Venue.funding`). `periods` is how many payments, or what share of one. Only pays: `at` lets
        the venue act. KeyError if the contract is not open; TypeError or ValueError unless rate is a finite number, and
        periods one of at least 0, or if it is a pair of coins.
        """
        return funding.pay(self, instrument, rate, periods)

    def place_orders(self, margin, currency):
        """Hold so much margin for open orders in the cross pool of a currency (USD in a multi-currency account), in
        place of what was held before: initial margin, and maintenance too where `Liquidation.orders` says so.
        ValueError if it is more than is available.
        """
        return trading.place_orders(self, checks.number("margin", margin, least=0), currency)

    def credit(self, currency, amount):
        """This account with so much more (or less) of a currency in the cross pool that holds it."""
        held = [p.currency for p in self.pools if not p.isolated]
        if currency in held or self.venue.account_mode == "multi-currency":
            return self.updated(self.cross_in(currency).adding(amount, currency))
        new = Pool(currency, {currency: amount}, (), self.venue, {}, f"cross {currency}")
        return self.updated(new.marked(self.marks))

    def ledger(self):
        """All events as a DataFrame: a row each, a column for each party; the parties of a row sum to zero. Where a
        liquidation went step by step: contract and quantity traded, and the pool's equity before and after."""
        return tables.ledger(self)

    __repr__ = display.account_text
    _repr_html_ = display.account_html
