"""An account: cross and isolated pools, and what happens to them. Only it knows where they live.

Operations return a new account; what they refuse leaves it as it was.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import NamedTuple

import numpy as np
from attrs import evolve, frozen

from . import checks, funding
from .contracts import Perpetual, Position, Spot
from .ledger import Event, ledger
from .liquidation import added, at_line, gained, liquidated, purse, stated
from .pool import Pool, bust, short_of_margin, walled
from .rules import COUNTERPARTIES, HOUSE, LENDER, TRADER, Refused, Venue

CROSS, CONTRACT, PAIR = "cross", "contract", "pair"  # what a pool is for: the head of its key


@frozen(init=False, eq=False, repr=False)
class Account:
    """An account at a venue: a cross pool for each settlement currency, and isolated pools.

        Account(venues.TEACHING, BTC=10).mark(BTC=50_000)

    In a multi-currency account, such as at venues.TEACHING_MULTI, there is one cross pool with all
    currencies in it. Nothing changes an account: `trade`, `transfer`, `mark`, `at` and the like
    return another one. What they refuse (TypeError, ValueError, and `Refused` in a venue's place)
    leaves it as it was. `events` is the ledger, `held` the pools by what they are for.
    """

    venue: Venue
    held: Mapping
    marks: Mapping
    events: tuple

    def __init__(self, venue: Venue, /, **balances: float):
        if not isinstance(venue, Venue):
            raise TypeError(f"venue must be a Venue, such as venues.TEACHING, not {venue!r}")
        if not balances:
            raise ValueError("an account must hold something: give balances such as BTC=10")
        amounts = {c: checks.number(f"the balance {c}", a, least=0) for c, a in balances.items()}
        if venue.multi_currency:
            held = {(CROSS, "USD"): Pool("USD", amounts, (), venue, {}, "cross")}
        else:
            held = {(CROSS, c): _shared(venue, c, a) for c, a in amounts.items()}
        name = {c: pool.name for pool in held.values() for c in pool.collateral}
        deposits = [
            Event("deposit", name[c], c, {TRADER: a, "outside": -a}) for c, a in amounts.items()
        ]
        self.__attrs_init__(venue, held, checks.Frozen(), tuple(deposits))

    @classmethod
    def of(
        cls,
        venue: Venue,
        balances: Mapping,
        positions: Sequence = (),
        marks: Mapping | None = None,
        pairs: Mapping | None = None,
        orders: Mapping | None = None,
    ) -> "Account":
        """An account as it stands, however it came about: nothing is checked as a trade would be.

            Account.of(
                venue,
                {"USDT": -120.5},
                [short_eth, (long_btc, 48.2)],
                marks={"BTC": 60_000, "ETH": 2_500},
            )

        Parameters
        ----------
        venue : Venue
        balances : mapping of currency to amount
            What the cross pools hold, without unrealised PnL; debts below zero.
        positions : sequence of Position, or of (Position, wallet)
            In cross; or isolated, with its wallet in the settlement currency: margin without
            unrealised PnL, of any size and sign.
        marks : mapping of name to price, optional
            By index, or by symbol for a contract's own mark; what is not marked stands at its
            entry.
        pairs : mapping of a pair's symbol to balances, optional
            Isolated loans, such as {"BTC/USDT": {"BTC": 0.3, "USDT": -9_000}}.
        orders : mapping of currency to margin, optional
            What open orders hold in the cross pool of a currency.

        TypeError or ValueError if one of them cannot be meant, or a side of a contract is isolated
        twice.
        """
        given = {"balances": balances, "pairs": pairs or {}, "orders": orders or {}}
        for name, value in given.items():
            if not isinstance(value, Mapping):
                raise TypeError(f"{name} must be a mapping, such as {{'BTC': 10}}, not {value!r}")
        amounts = {c: checks.number(f"the balance {c}", a) for c, a in balances.items()}
        shared, walls = _stated(positions)
        settled = dict.fromkeys(p.instrument.settle for p in (*shared, *(p for p, _ in walls)))
        named = dict.fromkeys([*amounts, *settled, *given["orders"]]) or {venue.quotes[0]: None}
        account = cls(venue, **dict.fromkeys(named, 0.0))
        held = dict(account.held)
        for currency, amount in amounts.items():
            key = account._cross_key(currency)
            held[key] = held[key].adding(amount, currency)
        for p in shared:
            key = account._cross_key(p.instrument.settle)
            held[key] = held[key].but(positions=(*held[key].positions, p))
        for p, wallet in walls:
            both = sum(q.instrument.symbol == p.instrument.symbol for q, _ in walls) > 1
            leg = p.label.split(" ")[0] if both else None
            pool = _walled(venue, p.instrument, leg).adding(wallet, positions=(p,))
            held[CONTRACT, p.instrument.symbol, leg] = pool
        for symbol, coins in given["pairs"].items():
            coins = {c: checks.number(f"{c} of {symbol}", a) for c, a in coins.items()}
            own = next((c for c, a in coins.items() if a > 0), Spot(symbol).base)
            pool = walled(own, venue, f"isolated {symbol}")
            held[PAIR, symbol] = pool.but(collateral={own: 0.0, **coins})
        for currency, margin in given["orders"].items():
            key = account._cross_key(currency)
            held[key] = held[key].but(
                orders=checks.number(f"orders in {currency}", margin, least=0)
            )
        events = [
            Event("stated", pool.name, c, {TRADER: amount, "outside": -amount})
            for pool in held.values()
            for c, amount in pool.collateral.items()
            if amount
        ]
        open_now = [p for pool in held.values() for p in pool.positions]
        entries = {p.instrument.index: p.entry for p in open_now if not p.instrument.modelled}
        marks = {**entries, **(marks or {})}
        account = account._made(held, {}, events)
        return account.mark(**marks) if marks else account

    def _but(self, held=(), events=(), marks=None):
        """This account with pools put in (None: taken out) by key, events added, or new marks."""
        pools = {k: p for k, p in {**self.held, **dict(held)}.items() if p is not None}
        if marks is None:  # a contract's own mark goes with the last position in it
            gone = _symbols(self.held.values()) - _symbols(pools.values())
            marks = {name: price for name, price in self.marks.items() if name not in gone}
        return self._made(pools, marks, (*self.events, *events))

    def renamed(self, event):
        """This account with another entry in place of its ledger's last."""
        return self._made(self.held, self.marks, (*self.events[:-1], event))

    def _made(self, held, marks, events, venue=None):
        made = object.__new__(Account)
        made.__attrs_init__(venue or self.venue, held, checks.Frozen(marks), tuple(events))
        return made

    # --------------------------------------------------------------- looking

    @property
    def pools(self) -> tuple[Pool, ...]:
        """All pools, as a tuple of `Pool`."""
        return tuple(self.held.values())

    @property
    def cross(self) -> Pool:
        """The shared pool. ValueError if there is one for each of several currencies."""
        shared = [p for p in self.pools if not p.isolated]
        if len(shared) > 1:
            each, first = ", ".join(p.currency for p in shared), shared[0].currency
            raise ValueError(f"there is a cross pool for each of {each}: use cross_in({first!r})")
        return shared[0]

    def cross_in(self, currency: str) -> Pool:
        """The shared pool that holds a settlement currency; ValueError if the account has none."""
        return self.held[self._cross_key(currency)]

    def _cross_key(self, currency):
        if self.venue.multi_currency:
            self.venue.asset(currency)  # refuses what it does not take
            return (CROSS, "USD")
        if (CROSS, currency) not in self.held:
            holds = ", ".join(p.currency for p in self.pools if not p.isolated)
            raise ValueError(f"unknown currency {currency!r}: this account holds {holds}")
        return (CROSS, currency)

    def find(self, symbol: str, leg: str | None = None) -> list[tuple[Pool, Position]]:
        """All (pool, position) in which a contract is open; of one leg, "long" or "short"."""
        return [(self.held[key], p) for key, p in self._open(symbol, leg)]

    def _open(self, symbol, leg=None):
        """(key, position) for all in which a contract is open."""
        return [
            (key, p)
            for key, pool in self.held.items()
            for p in pool.positions
            if p.instrument.symbol == symbol
            and leg in (None, "long" if p.quantity > 0 else "short")
        ]

    def _pair(self, pair):
        """(key of its isolated pool or None, keys of cross pools that owe one of its coins)."""
        walled, coins = (PAIR, pair.symbol), (pair.base, pair.quote)
        owing = [
            key
            for key, pool in self.held.items()
            if not pool.isolated and any(pool.collateral.get(c, 0.0) < 0 for c in coins)
        ]
        return (walled if walled in self.held else None), owing

    def __getitem__(self, key) -> Pool:
        """The pool that a position sits in, by instrument or symbol: `account[btc]`.

        Where one contract is open more than once, words say which: `account[btc, "isolated"]`,
        `account[btc, "short"]`, or both. A `Spot` is open in its isolated pool, and in a cross pool
        that owes one of its coins. KeyError if it is not open, or open more than once.
        """
        return self.held[self._key(key)]

    def _key(self, key):
        what, *words = key if isinstance(key, tuple) else (key,)
        name = getattr(what, "symbol", what)
        for word in words:
            checks.one_of("key", word, ("isolated", "cross", "long", "short"))
        leg = next((word for word in words if word in ("long", "short")), None)
        found = [k for k, _ in self._open(name, leg)]
        if not found and isinstance(name, str) and name.count("/") == 1:
            walled, owing = self._pair(what if isinstance(what, Spot) else Spot(name))
            found = [walled, *owing] if walled else owing
        if "isolated" in words or "cross" in words:
            found = [k for k in found if self.held[k].isolated == ("isolated" in words)]
        found = list(dict.fromkeys(found))
        if len(found) == 1:
            return found[0]
        if found:
            where = ", ".join(self.held[k].name for k in found)
            raise KeyError(f"{name!r} is open in {where}: add 'isolated', 'cross' or a side")
        known = ", ".join(p.label for pool in self.pools for p in pool.positions) or "none"
        raise KeyError(f"no open position in {' '.join([repr(name), *words])}; open: {known}")

    def _one(self, key):
        """(key of its pool, position) of an open contract, by a key as in `account[...]`."""
        name, *words = key if isinstance(key, tuple) else (key,)
        where = self._key(key)
        leg = next((word for word in words if word in ("long", "short")), None)
        found = [p for k, p in self._open(getattr(name, "symbol", name), leg) if k == where]
        if len(found) != 1:
            raise ValueError(f"{key!r} must be one open contract, such as (btc, 'short')")
        return where, found[0]

    def balances(self) -> dict[str, float]:
        """All that the trader holds, free or set aside, by currency, without unrealised PnL."""
        total = {}
        for pool in self.pools:
            for currency, amount in pool.collateral.items():
                total[currency] = total.get(currency, 0.0) + amount
        return total

    @property
    def liquidations(self) -> tuple[Event, ...]:
        """The liquidations so far, as a tuple of `Event`."""
        return tuple(e for e in self.events if e.kind == "liquidation")

    @property
    def followed(self):
        """Every name whose price it follows: indices, contracts and coins, and what was marked."""
        return set(self.marks).union(*(pool.names for pool in self.pools))

    # ---------------------------------------------------------------- prices

    def mark(self, **prices: float) -> "Account":
        """Value everything at these prices, and nothing else.

        Keys are indices ("BTC"), or symbols for a contract's own mark, which holds until its index
        is marked again.
        """
        if not prices:
            raise ValueError("mark needs at least one price, such as BTC=50_000")
        new = {name: checks.price(name, value) for name, value in prices.items()}
        for name, value in new.items():
            if not isinstance(value, float):
                raise TypeError(
                    f"the price of {name} must be one number: arrays belong to a pool's slack"
                )
        contracts = [p.instrument for pool in self.pools for p in pool.positions]
        own = {c.symbol for c in contracts if new.keys() & {c.index, *c.follows}} - new.keys()
        marks = {name: value for name, value in self.marks.items() if name not in own} | new
        return self._but({k: p.marked(marks) for k, p in self.held.items()}, marks=marks)

    def at(self, **prices: float) -> "Account":
        """Mark, and let the venue act: `mark` and `liquidate`, filled at these marks, with a fund
        that pays whatever is missing. ValueError for a name that nothing here follows."""
        self.check_followed(prices)
        return (self.mark(**prices) if prices else self).liquidate()

    def check_followed(self, names):
        """ValueError for a name whose price this account does not follow."""
        for name in names:
            if name not in self.followed:
                known = ", ".join(sorted(self.followed))
                raise ValueError(f"nothing here follows {name!r}: use {known}")

    def liquidate(
        self,
        last: Mapping | None = None,
        impact: float | Callable = 0.0,
        fund: float | Mapping = inf,
    ) -> "Account":
        """Let the venue act on every pool that is at or below its maintenance line at the marks.

            account.mark(BTC=44_000).liquidate(last={"BTC": 43_500}, impact=0.01, fund=0.5)

        What is closed is gone, and the trader loses that pool and nothing else. `Venue.liquidation`
        says what is closed first, and how much of it; the venue, who keeps a surplus over
        bankruptcy and who pays a shortfall.

        Parameters
        ----------
        last : mapping of index or symbol to price, optional
            Last traded prices, at which contracts are closed; the marks if absent. The trigger does
            not look at them, and coins, held or borrowed, are exchanged at their marks.
        impact : float or callable
            How far the average fill of an order is from the last price, as a fraction (0 to below
            1) against it: a number, or a function of the order's worth in quote currency, such as
            lambda worth: worth / (worth + 1e7).
        fund : float or mapping of currency to float
            What the insurance fund has, in the currency of each pool: beyond it, winners on the
            other side are closed at the bankruptcy price (where there is none, as of a loan,
            counterparties pay). One number is for each.

        Each step is an `Event`: "orders cancelled", "partial liquidation", "closing", "assignment"
        (taken over), "auto-deleveraging", and at the end of a pool "liquidation"; the flows of each
        sum to zero. Pools follow in their order, each with what is left of the fund. TypeError or
        ValueError for what cannot be meant, or a last price of what is not open.
        """
        market = stated(last, impact, self.followed)
        return self.acted(market, purse(fund, {pool.currency for pool in self.pools}))[0]

    def acted(self, market, fund):
        """(account, fund) after the venue acted on every pool at its line; `fund` by currency."""
        account = self
        for key in self.held:
            account = account._topped_up(key) if self.held[key].tops_up else account
            pool = account.held[key]
            if not pool.open:
                continue
            there = fund[pool.currency]
            after, events = liquidated(pool, evolve(market, fund=there))
            if events:
                account = account._put(key, after)._but(events=events)
                fund = fund | {pool.currency: max(0.0, there + gained(pool, events))}
        return account, fund

    def _put(self, key, pool, events=()):
        """The account with a pool in its place; of an isolated one that is closed, what is left."""
        if not pool.isolated or pool.open:
            return self._but({key: pool}, events)
        account = self
        for currency, left in pool.collateral.items():
            account = account.credit(currency, left) if left else account
        return account._but({key: None}, events)

    # ------------------------------------------------------ trades and transfers

    def trade(
        self,
        instrument: Perpetual | Spot,
        quantity: float,
        price: float,
        isolated: float | bool | None = None,
        leverage: float | None = None,
        leg: str | None = None,
        borrow: str | None = None,
        fee: float | None = None,
    ) -> "Account":
        """Buy (+) or sell (-): opens, increases, reduces, flips or closes, or exchanges coins.

        Parameters
        ----------
        instrument : Perpetual or Spot
        quantity : float
            Contracts, or coins of a pair's base, signed.
        price : float
            Fill price in quote currency; also the mark, if its index has none yet.
        isolated : float or bool, optional
            Margin walled off for this trade, in the settlement currency (for a pair: in the coin
            that it receives); True takes notional / leverage, False means the cross pool. Absent, a
            new position goes to the cross pool and an open one stays in the pool it is in.
        leverage : float, optional
            Sets the initial margin, notional / leverage, of the whole position. Absent, it is that
            of the open position, or follows from the margin, or (cross) is the highest that the
            schedule allows.
        leg : "long" or "short", optional
            Where the venue has a hedge mode: which of the two sides of the contract this trade
            opens or reduces.
        borrow : str, optional
            For a pair: the coin that it pays with. All of it is borrowed, in the pool of the coin
            that is received; in a multi-currency account as much as its one pool has none of.
        fee : float, optional
            Rate of this fill, where it is not the venue's `trading_fee`. It is a share of the
            notional, taken from the cross pool where a position opens and from what is realised
            where it is reduced; for a pair, a share of the coins that are received.

        Raises TypeError or ValueError, and changes nothing, if the margin is more than is available
        or less than notional / leverage at the highest leverage allowed, if the size is beyond the
        schedule or the debt beyond its limit, if the price is outside the venue's `price_band`
        around the mark, if the fill would leave its pool at or below its line
        (in cross: short of initial margin), or if the position is open in the other mode and the
        venue does not allow both.
        """
        spot = isinstance(instrument, Spot)
        if not spot and not hasattr(instrument, "fill"):
            raise TypeError(f"instrument must be a Perpetual or a Spot, not {instrument!r}")
        if not spot and borrow is not None:
            raise ValueError(
                f"borrow={borrow!r}: nothing is paid for a contract, so nothing is borrowed; "
                f"set leverage"
            )
        fee = (
            self.venue.trading_fee if fee is None else checks.number("fee", fee, least=0, most=0.5)
        )
        order = _order(instrument, quantity, price, isolated, leverage, leg, borrow, fee)
        if spot:
            checks.one_of("leg", leg, (None,))
            return _exchange(self, order)
        return _trade(self, order)

    def transfer(self, amount: float, currency: str, to=None, source=None) -> "Account":
        """Move collateral from the cross pool into an isolated one (`to=`), or back (`source=`).

        Out of the cross pool goes at most what is withdrawable; out of an isolated pool at most
        what its initial margin, at its position's leverage, leaves free. ValueError otherwise.
        """
        amount = checks.number("amount", amount, above=0)
        if (to is None) == (source is None):
            raise ValueError(
                "give either to= or source=: the isolated position that gains or gives margin"
            )
        key, sign = (self._key(to), 1) if source is None else (self._key(source), -1)
        pool = self.held[key]
        if not pool.isolated:
            raise ValueError(
                f"{pool.name!r} is the shared pool: name a position with isolated margin"
            )
        if currency != pool.currency:
            raise ValueError(
                f"currency must be {pool.currency!r}, which {pool.name!r} is in, not {currency!r}"
            )
        giver = self.cross_in(currency) if sign > 0 else pool
        _check_free(f"amount={amount:.10g}", amount, currency, giver, adds=sign > 0)
        text = f"{sign * amount:+g} {currency}"
        event = Event("transfer", pool.name, currency, {TRADER: 0.0}, text=text)
        paid = self.credit(currency, -sign * amount)
        return paid._but({key: pool.adding(sign * amount)}, [event])

    def addable(self, to) -> float:
        """How much margin may be added to an isolated position, in its pool's currency."""
        pool = self[to]
        return max(0.0, _spare(self.cross_in(pool.currency), pool.currency))

    def switch(self, position, isolated: float | bool) -> "Account":
        """Move an open position, with its PnL, between the cross pool and one of its own.

            account.switch(btc, isolated=1)      # behind 1 BTC; True: notional / leverage
            account.switch(btc, isolated=False)  # back to the cross pool, with all its margin
            account.switch((btc, "short"), isolated=True)

        `position` is a key as in `account[...]`. The checks are those of a trade: the margin has to
        be free, the pools have to stand. `Refused`, in the venue's words, where `Venue.switching`
        does not allow it; ValueError if it is in that mode already.
        """
        key, held = self._one(position)
        pool = self.held[key]
        if not isinstance(isolated, bool):
            isolated = checks.number("isolated", isolated, above=0)
        if pool.isolated == bool(isolated):
            mode = "isolated" if pool.isolated else "cross"
            raise ValueError(f"isolated={isolated!r}: {held.label} is in {mode} margin already")
        _check_switch(self, held, pool)
        mark = held.instrument.price(dict(pool.marks))
        if isolated is True and held.instrument.modelled:
            raise ValueError("isolated=True: an option has no leverage; state its margin")
        if isolated is True:
            most = pool.venue.schedule(held.instrument).max_leverage(abs(held.notional(mark)))
            isolated = abs(held.notional(mark)) / (held.leverage or most)
        if isolated:
            return _walled_in(self, key, held, isolated, mark)
        return _shared_again(self, key, held, mark)

    def set_leverage(self, position, leverage: float) -> "Account":
        """Change the leverage of an open position: initial margin is notional at entry / leverage.

        In cross that only changes what is free. Isolated, the difference moves to or from the cross
        pool by the ordinary rules. `Refused` if the schedule does not allow it, there is not
        enough, or the venue does not lower it on an open isolated position; KeyError if it is not
        open.
        """
        leverage = checks.number("leverage", leverage, above=0)
        key, held = self._one(position)
        pool, venue = self.held[key], self.venue
        if held.instrument.modelled:
            raise ValueError(f"leverage={leverage:g}: an option has none")
        if pool.isolated and held.leverage and leverage < held.leverage:
            if venue.switching and not venue.switching.lower_leverage:
                raise _venue_said(venue, "lower leverage", f"leverage={leverage:g}")
        notional = abs(held.notional(held.entry))
        new = evolve(held, leverage=leverage)
        _check_size(new, notional, venue.schedule(held.instrument))
        positions = tuple(new if p is held else p for p in pool.positions)
        after = pool.but(positions=positions)
        more, currency = 0.0, pool.currency
        if pool.isolated:
            before = pool.collateral.get(currency, 0.0)
            before = notional / held.leverage if held.leverage else before
            more = notional / leverage - before
            if more > 0:
                needs = f"leverage={leverage:g} needs {more:.10g}"
                _check_free(needs, more, currency, self.cross_in(currency), adds=True)
            elif more < 0:
                more = -min(-more, max(0.0, after.withdrawable()))
        else:
            short_of_margin(f"leverage={leverage:g}", after, initial=True)
        text = f"{held.label}: leverage {leverage:.10g}"
        event = Event("leverage", pool.name, currency, {TRADER: 0.0}, text=text)
        paid = self.credit(currency, -more) if more else self
        return paid._but({key: after.adding(more) if more else after}, [event])

    def top_up(self, position, on: bool = True) -> "Account":
        """Switch automatic margin addition on or off for an isolated position.

        When its pool is at its line, `at`, `liquidate` and `steps` first add margin from the cross
        pool, by the venue's `TopUp`, until it stands or nothing is free; each addition is an event.
        `Refused` at a venue that has none; ValueError if the position is not isolated.
        """
        key = self._key(position)
        pool = self.held[key]
        if self.venue.topping_up is None:
            raise Refused(f"{self.venue.name} does not add margin automatically")
        if not pool.isolated:
            raise ValueError(
                f"{pool.name!r} is the shared pool: it has all the collateral there is"
            )
        return self._but({key: evolve(pool, tops_up=bool(on))})

    def _topped_up(self, key):
        """The account after margin was added to an isolated pool, as far as it goes."""
        account, pool = self, self.held[key]
        while pool.tops_up and pool.positions and at_line(pool):
            free = max(0.0, _spare(account.cross_in(pool.currency), pool.currency))
            amount = min(added(pool), free)
            if amount <= 1e-12 * pool.requirement():
                break
            text = f"{amount:,.10g} {pool.currency} added"
            event = Event("top-up", pool.name, pool.currency, {TRADER: 0.0}, text=text)
            pool = pool.adding(amount)
            account = account.credit(pool.currency, -amount)._but({key: pool}, [event])
        return account

    def expire(self, instrument, price: float | Sequence) -> "Account":
        """Settle every position of a dated contract, at the index or at the mean of its prices in
        the venue's window (`Venue.delivery`), less its fee.

        A future is closed there, an option pays what it is worth. TypeError if the contract has no
        expiry, KeyError if it is not open, ValueError for a price that is not above 0; `Refused` if
        a pool could not pay: `at` says what the venue does before.
        """
        checks.positive("price", price)
        index, (_, held) = float(np.mean(price)), self._open(self._named(instrument))[0]
        prices = {**self.marks, held.instrument.index: index}
        if held.instrument.expiry is None:
            raise TypeError(f"{held.instrument.symbol!r} has no expiry")
        paid, fee = held.instrument.settlement(index), self.venue.delivery.fee
        account = self
        for where, position in self._open(held.instrument.symbol):
            size = -position.quantity
            account = reduced(account, where, position, size, paid, fee, prices)
            last = account.events[-1]
            account = account.renamed(evolve(last, kind="expiry"))
        return account

    def _named(self, instrument):
        """The symbol of an open contract; KeyError if it is not open."""
        symbol = getattr(instrument, "symbol", instrument)
        if not self._open(symbol):
            self._key(instrument)
        return symbol

    def accrue(self, hours: float) -> "Account":
        """Interest on every borrowed coin for so many hours: it is added to the debt.

        A balance of a pool's own currency that losses or funding took below zero bears it in a
        multi-currency cross pool only; where unrealised PnL joins balances, so does a loss in a
        currency of which there is too little. Every call counts the periods that it starts, so that
        one call for 25 hours and 25 calls for one hour each differ by the interest on the interest.
        ValueError unless hours is 0 or more.
        """
        hours, events, held = checks.number("hours", hours, least=0), [], {}
        for key, pool in self.held.items():
            for currency, amount in pool.sums(pool.marks).items():
                taken = currency == pool.currency and pool.own_in_full  # nobody lent it
                debt = max(0.0, -amount - pool.interest_free.get(currency, 0.0))
                asset = self.venue.asset(currency) if debt and not taken else None
                due = self.venue.interest.due(debt, asset.rate, hours) if asset else 0.0
                if due:
                    pool = pool.adding(-due, currency)
                    events.append(_interest(pool, currency, due))
            held[key] = pool
        return self._but(held, events)

    def pay_funding(
        self, instrument: Perpetual | str, rate: float, periods: float = 1.0
    ) -> "Account":
        """Funding on every open position of a contract: `rate` * notional, from longs to shorts.

        It goes out of, or into, the pool that a position sits in; the venue may charge the account
        before an isolated position's margin (`Venue.funding`). `periods` is how many payments, or
        what share of one. Only pays: `at` lets the venue act. KeyError if the contract is not open;
        TypeError or ValueError unless rate is a finite number, and periods one of at least 0, or if
        it is a pair of coins.
        """
        rate = checks.number("rate", rate)
        periods = checks.number("periods", periods, least=0)
        symbol = getattr(instrument, "symbol", instrument)
        dated = any(p.instrument.expiry is not None for _, p in self._open(symbol))
        if dated or not self._open(symbol):
            self._key(instrument)  # says what is open
            raise TypeError(f"instrument must be a Perpetual: there is no funding on {symbol!r}")
        return self.paid({symbol: rate * periods})

    def paid(self, rates):
        """The account after one payment of every contract that has a rate; receipts come first."""
        account = self
        due = [
            (key, p, rates[p.instrument.symbol])
            for key, pool in self.held.items()
            for p in pool.positions
            if rates.get(p.instrument.symbol)
        ]
        for key, p, rate in sorted(due, key=lambda one: one[1].quantity * one[2] > 0):
            pool, settle = account.held[key], p.instrument.settle
            amount, first, free = funding.notional(pool, p) * rate, None, 0.0
            if pool.isolated and self.venue.funding.charged_to == "account":
                first = account._cross_key(settle)
                free = min(amount, max(0.0, account.held[first].withdrawable(settle)))
            for payer, part in ((first, free), (key, amount - free)):
                if part:
                    after, event = funding.paid(account.held[payer], part, pool, p, rate)
                    account = account._but({payer: after}, [event])
        return account

    def change_mode(self, venue: Venue) -> "Account":
        """The account in another account mode of its exchange: a `Venue`, such as venues.OKX_MULTI
        for venues.OKX.

        Its cross pools become one, or one for each currency; isolated ones stay apart, with their
        margin. `Refused` if orders are open, the mode has no place for what is open
        (`Venue.allows`), it asks for more equity than there is, in quote currency
        (`Venue.least_equity`: OKX, help 11951498951821, 2023), or a pool would be short of its
        initial margin. TypeError if it is no `Venue`.
        """
        if not isinstance(venue, Venue):
            raise TypeError(f"venue must be a Venue, such as venues.OKX_MULTI, not {venue!r}")
        what = f"change to {venue.name}"
        if any(pool.orders for pool in self.pools):
            raise Refused(f"{what}: cancel open orders first")
        worth = sum(p.worth() * p.quote(p.currency, p.marks) for p in self.pools if p.size)
        if worth < venue.least_equity:
            raise Refused(
                f"{what} takes an equity of at least {venue.least_equity:,.10g} USD, and there are "
                f"{worth:,.10g}"
            )
        for pool in self.pools:
            owed = any(amount < 0 for amount in pool.collateral.values())
            contracts = [p.instrument for p in pool.positions]
            _check_allowed(venue, what, pool.isolated, contracts, owed)
        same = venue.multi_currency == self.venue.multi_currency
        held = self.held if same else self._regrouped(venue)
        tops_up = venue.topping_up is not None
        held = {k: evolve(p, venue=venue, tops_up=p.tops_up and tops_up) for k, p in held.items()}
        for pool in held.values():
            if pool.open:
                short_of_margin(what, pool, initial=not pool.isolated)
        first = next(iter(held.values()))
        event = Event("mode", first.name, first.currency, {TRADER: 0.0}, text=what)
        return self._made(held, self.marks, (*self.events, event), venue)

    def _regrouped(self, venue):
        """Pools by key: cross ones of one currency each as one, or that one as one for each."""
        balances, positions, free = {}, [], {}
        for pool in (pool for pool in self.pools if not pool.isolated):
            for total, part in (balances, pool.collateral), (free, pool.interest_free):
                for currency, amount in part.items():
                    total[currency] = total.get(currency, 0.0) + amount
            positions += pool.positions
        held = dict(Account.of(venue, balances, positions, self.marks).held)
        for key, pool in held.items():
            mine = {c: amount for c, amount in free.items() if c in pool.collateral}
            held[key] = evolve(pool, interest_free=mine)
        return held | {key: pool for key, pool in self.held.items() if pool.isolated}

    def place_orders(self, margin: float, currency: str) -> "Account":
        """Hold so much margin for open orders in the cross pool of a currency (USD in a
        multi-currency account), in place of what was held before: initial margin, and maintenance
        too where the venue's `orders_required` says so. ValueError if it is more than is available.
        """
        margin = checks.number("margin", margin, least=0)
        key = self._cross_key(currency)
        pool = self.held[key]
        if pool.currency != currency:
            raise ValueError(
                f"currency must be {pool.currency!r}, in which {pool.name!r} is valued, "
                f"not {currency!r}"
            )
        after = pool.but(orders=margin)
        if margin > pool.orders:
            name = f"margin={margin:.10g} {currency} for open orders"
            short_of_margin(name, after, initial=True)
        text = f"open orders hold {margin:,.10g} {currency}"
        event = Event("orders", pool.name, currency, {TRADER: 0.0}, text=text)
        return self._but({key: after}, [event])

    def credit(self, currency: str, amount: float) -> "Account":
        """This account with so much more (or less) of a currency in its cross pool."""
        if self.venue.multi_currency or (CROSS, currency) in self.held:
            key = self._cross_key(currency)
            return self._but({key: self.held[key].adding(amount, currency)})
        new = _shared(self.venue, currency, amount).marked(self.marks)
        return self._but({(CROSS, currency): new})

    def ledger(self):
        """All events as a DataFrame: a row each, a column for each party.

        The parties of a row sum to zero. Where a liquidation went step by step: contract and
        quantity traded, and the pool's equity before and after.
        """
        return ledger(self.events)

    def plot(self, prices: Mapping | None = None, **how):
        """Draw its pools as vessels, at its marks or at these prices: matplotlib Axes.

        `account.plot({"BTC": [50_000, 45_000]})`; what it means, and more that it takes, is in
        `marginlab.lesson.vessels`.
        """
        from .lesson import vessels

        return vessels(self, prices, **how)

    def __repr__(self):
        lines = [f"account at {self.venue.name}"]
        lines += ["  " + repr(pool).replace("\n", "\n  ") for pool in self.pools]
        return "\n".join(lines)

    def _repr_html_(self):
        return "".join(pool._repr_html_() for pool in self.pools)


def _shared(venue, currency, amount):
    return Pool(currency, {currency: amount}, (), venue, {}, f"cross {currency}")


def _stated(positions):
    """(positions in cross, (position, wallet) of isolated ones) of what `Account.of` is given."""
    shared, walls = [], {}
    for entry in positions:
        alone = isinstance(entry, Position)
        pair = isinstance(entry, tuple | list) and len(entry) == 2
        position, wallet = entry if pair else (entry, None)
        if not isinstance(position, Position):
            raise TypeError(f"positions must hold Position or (Position, wallet), not {entry!r}")
        label = position.label
        if alone:
            shared.append(position)
        elif label in walls:
            raise ValueError(f"positions must hold an isolated {label} once, not twice")
        else:
            walls[label] = position, checks.number(f"the wallet of {label}", wallet)
    return shared, list(walls.values())


def _walled(venue, instrument, leg):
    name = f"isolated {instrument.symbol}" + (f" {leg}" if leg else "")
    return walled(instrument.settle, venue, name)


def _symbols(pools):
    return {p.instrument.symbol for pool in pools for p in pool.positions}


# ------------------------------------------------------------------- contracts


class Order(NamedTuple):
    """What was asked for, checked: see `Account.trade`."""

    instrument: object
    quantity: float
    price: float
    isolated: float | bool | None
    leverage: float | None
    leg: str | None
    borrow: str | None
    fee: float

    @property
    def margin(self):
        """The margin that was stated, or None."""
        return self.isolated if type(self.isolated) is float else None


def _order(instrument, quantity, price, isolated, leverage, leg, borrow, fee):
    quantity = checks.number("quantity", quantity)
    if quantity == 0:
        raise ValueError("quantity must be positive (buy) or negative (sell), not 0")
    price = checks.number("price", price, above=0)
    if leverage is not None:
        leverage = checks.number("leverage", leverage, above=0)
    if isolated is not None and not isinstance(isolated, bool):
        isolated = checks.number("isolated", isolated, above=0)
    return Order(instrument, quantity, price, isolated, leverage, leg, borrow, fee)


def _check_band(account, instrument, price):
    """Refused if a fill is further from the mark than the venue lets it be; of an option, if it is
    more than it can be worth."""
    marks = dict(account.marks)
    if instrument.modelled:
        least, most = 0.0, instrument.most(marks)
        what = f"{instrument.symbol} can be worth {most:,.10g} at most"
    else:
        mark, band = instrument.price(marks), 1 + account.venue.price_band
        least, most = mark / band, mark * band
        what = (
            f"{instrument.symbol} is too far from its mark of {mark:,.10g}: {account.venue.name} "
            f"fills from {least:,.10g} to {most:,.10g}"
        )
    if not least * (1 - 1e-12) <= price <= most * (1 + 1e-12):
        raise Refused(
            f"price={price:,.10g} of {what}; mark() sets another mark, an index by its name and a "
            f"contract by its symbol"
        )


def _traded(pool, instrument, quantity, price, gained, fee):
    """The ledger's entry for a fill: what it realised goes from counterparties to the trader."""
    flows = {TRADER: gained - fee, COUNTERPARTIES: 0.0 - gained}
    flows = flows | {HOUSE: fee} if fee else flows
    text = f"{quantity:+,.10g} at {price:,.10g}"
    about = {"contract": instrument.symbol, "quantity": quantity, "fees": fee}
    return Event("trade", pool.name, instrument.settle, flows, price, text, **about)


def _trade(account, order):
    """The account after a trade in a contract."""
    instrument, quantity, leg, venue = order.instrument, order.quantity, order.leg, account.venue
    if leg is not None and not venue.hedge_mode:
        raise Refused(
            f"leg={leg!r}: {venue.name} has no hedge mode, a contract is either long or short"
        )
    if leg is not None:
        checks.one_of("leg", leg, (None, "long", "short"))
    account._cross_key(instrument.settle)  # refuses a currency that the account does not hold
    schedule = venue.schedule(instrument)  # refuses a contract without rules
    if instrument.index not in account.marks:
        if instrument.modelled:
            raise ValueError(
                f"the price of {instrument.index} is needed for an option: mark it first"
            )
        account = account.mark(**{instrument.index: order.price})
    _check_band(account, instrument, order.price)
    key, held = _which(account, order)
    if held is None:
        if leg and (quantity > 0) != (leg == "long"):
            raise ValueError(f"leg={leg!r}: there is no {leg} of {instrument.symbol} to reduce")
        return _opened(account, order, schedule)
    if held.instrument != instrument:
        raise ValueError(
            f"instrument {instrument.symbol!r} differs from the open one of that symbol"
        )
    if abs(held.quantity + quantity) <= 1e-12 * abs(held.quantity):  # 0.1 + 0.2 - 0.3 closes
        quantity = -held.quantity
    if held.quantity * quantity > 0:
        return _opened(account, order, schedule, key, held)
    if abs(quantity) > abs(held.quantity):
        return _flipped(account, order, schedule, key, held)
    if order.margin or order.leverage is not None:
        raise ValueError(
            "isolated and leverage have no part in a trade that only reduces a position"
        )
    return reduced(account, key, held, quantity, order.price, order.fee)


def _which(account, order):
    """(key, position) that an order acts on, (None, None) if it opens one."""
    symbol, walled = order.instrument.symbol, order.isolated not in (None, False)
    found = account._open(symbol, order.leg)
    chosen = found
    if order.isolated is not None:
        chosen = [(key, p) for key, p in found if account.held[key].isolated == walled]
    if found and not chosen and not account.venue.both_modes:
        mode, other = ("cross", "isolated") if walled else ("isolated", "cross")
        raise Refused(
            f"isolated={order.isolated!r}: {symbol} is open in {mode} margin; close it first, or "
            f"stay out of {other}"
        )
    if len(chosen) > 1:
        where = ", ".join(f"{p.label} in {account.held[key].name!r}" for key, p in chosen)
        raise ValueError(
            f"{symbol} is open more than once ({where}): say which with isolated= or leg="
        )
    return chosen[0] if chosen else (None, None)


def _flipped(account, order, schedule, key, held):
    """The account after a position is closed, and one of the other side opened with the rest."""
    if order.leg:
        raise ValueError(
            f"quantity {order.quantity:.10g} is more than the {order.leg} of "
            f"{abs(held.quantity):.10g} that is open"
        )
    flat = reduced(account, key, held, -held.quantity, order.price, order.fee)
    if order.margin is None:
        isolated = account.held[key].isolated or None
        order = order._replace(isolated=isolated, leverage=order.leverage or held.leverage)
    return _opened(flat, order._replace(quantity=order.quantity + held.quantity), schedule)


def _opened(account, order, schedule, key=None, held=None):
    """The account after opening a position, or after increasing `held` in the pool of a key."""
    instrument, quantity, price, settle = *order[:3], order.instrument.settle
    if key is None and order.isolated in (None, False):
        key = account._cross_key(settle)
    if key is None:
        key = (CONTRACT, instrument.symbol, order.leg)
        pool = _walled(account.venue, instrument, order.leg)
    else:
        pool = account.held[key]
    what = f"{quantity:+,.10g} {instrument.symbol}"
    _check_allowed(account.venue, what, pool.isolated, [instrument])
    fee = 0.0
    if order.fee:
        fee = instrument.fee(order.fee, quantity, price, account.marks, schedule)
    traded = abs(instrument.notional(quantity, price))
    margin = _margin(account, order, held, traded, fee) if pool.isolated else 0.0
    collateral = pool.collateral.get(settle, 0.0) + margin
    notional = traded + (abs(held.notional(held.entry)) if held else 0.0)
    leverage = notional / collateral if order.margin else order.leverage
    position, paid = instrument.fill(held, quantity, price, leverage)
    _check_size(position, notional, schedule)
    others = tuple(p for p in pool.positions if p is not held)
    taken = 0.0 if pool.isolated else fee
    balances = {**pool.collateral, settle: collateral - taken}
    for currency, amount in paid.items():
        balances[currency] = balances.get(currency, 0.0) + amount
    positions = (*others, position)
    after = pool.but(positions=positions, collateral=balances, marks=account.marks)
    short_of_margin(what, after, initial=not after.isolated)
    event = _traded(after, instrument, quantity, price, paid.get(settle, 0.0), fee)
    if pool.isolated:
        account = account.credit(settle, -margin - fee)
    return account._but({key: after}, [event])


def _margin(account, order, held, notional, fee):
    """The margin that an isolated trade of so much sets aside, beside a fee from the cross pool."""
    instrument, quantity, price, isolated, leverage, *_ = order
    settle = instrument.settle
    chosen = leverage or (held.leverage if held else None)
    if chosen is None:
        if isolated is True:
            raise ValueError(
                "an isolated trade needs its margin, isolated=5, or isolated=True with leverage=10"
            )
        margin = isolated
    else:
        margin = notional / chosen
        if account.venue.fee_at in ("bankruptcy", "entry"):  # initial margin holds that fee
            lost = bust(Position(instrument, quantity, price, chosen))
            base = notional if account.venue.fee_at == "entry" else lost
            margin += account.venue.fee * base
        if order.margin and leverage and abs(isolated - margin) > 1e-9 * margin:
            raise ValueError(
                f"isolated={isolated:.10g} and leverage={leverage:.10g} disagree: "
                f"{notional:.10g} {settle} at that leverage needs {margin:.10g}"
            )
        margin = order.margin or margin
    also = f" {settle} and a fee of {fee:.10g}" if fee else ""
    _check_free(f"isolated={margin:.10g}{also}", margin + fee, settle, account.cross_in(settle))
    return margin


def _check_allowed(venue, what, isolated, contracts=(), loans=False):
    """Refused if the account mode has no place for contracts, or loans, in such a pool."""
    needs = ["isolated" if isolated else "cross"] if contracts or loans else []
    needs += ["options"] if any(contract.modelled for contract in contracts) else []
    needs += ["loans"] if loans else []
    for need in needs:
        if need not in venue.allows:
            margin = " margin" if need in ("isolated", "cross") else ""
            raise Refused(f"{what}: {venue.name} has no {need}{margin}")


def _check_size(position, notional, schedule):
    """Refused if the schedule ends before this size, or allows less leverage at it."""
    n, settle = abs(position.quantity), position.instrument.settle
    by_count = schedule.basis == "quantity"
    size, unit = (n, "contracts") if by_count else (notional, settle)
    if size > schedule.cap:
        raise Refused(
            f"quantity {n:.10g} makes {size:,.10g} {unit}: the schedule ends at "
            f"{schedule.cap:,.10g} {unit}"
        )
    most = float(schedule.max_leverage(notional, n))
    if position.leverage and position.leverage > most * (1 + 1e-9):
        raise Refused(
            f"leverage {position.leverage:.10g} is above the {most:.10g} allowed at this size: the "
            f"initial margin must be at least {notional / most:.10g} {settle}, not "
            f"{notional / position.leverage:.10g}"
        )


def reduced(account, key, held, quantity, price, fee=0.0, prices=None):
    """The account after closing part or all of `held`; the venue says where the money goes.

    `fee` is a rate, `prices` those on which it is charged, the pool's marks if None.
    """
    pool, settle, venue = account.held[key], held.instrument.settle, account.venue
    left, paid = held.instrument.fill(held, quantity, price)
    share, margin = -quantity / held.quantity, pool.collateral.get(settle, 0.0)
    rule = venue.schedule(held.instrument)
    fee = held.instrument.fee(fee, quantity, price, prices or pool.marks, rule)
    gain = paid[settle] - fee
    kept = (left,) if left else ()
    positions = tuple(q for p in pool.positions for q in (kept if p is held else (p,)))
    out = 0.0
    if pool.isolated and not left:
        out = margin + gain
    elif pool.isolated:  # a loss is paid out of this position's own margin, never by the account
        freed = margin * share if venue.freed_to == "account" else 0.0
        out = freed + (gain if venue.realised_to == "account" or gain < 0 else 0.0)
        out = max(0.0, out)
    balances = {**pool.collateral, settle: margin + gain - out}
    after = pool.but(positions=positions, collateral=balances)
    equity, requirement = after.stand()
    if out < 0 or equity < 0 or (left and pool.isolated and equity <= requirement):
        raise Refused(
            f"price={price:.10g}: this fill would leave {pool.name!r} with "
            f"{equity + min(out, 0.0):,.10g} {after.currency}; at() says what the venue does there"
        )
    event = _traded(pool, held.instrument, quantity, price, paid[settle], fee)
    if pool.isolated:
        account = account.credit(settle, out)
        after = after if left else None
    return account._but({key: after}, [event])


def _spare(pool, currency):
    """What the cross pool may give to an isolated one."""
    rule = pool.venue.adding or pool.venue.withdrawal
    return float(pool.leaving(rule, currency, pool.prices()))


def _check_free(name, amount, currency, pool, adds=False):
    """Refused if a pool has less than `amount` of a currency to give."""
    free = _spare(pool, currency) if adds else float(pool.withdrawable(currency))
    free = max(free, 0.0)
    if amount > free + 1e-12 * abs(free):
        bound = " (the rest is margin in use, or unrealised profit)" if pool.open else ""
        raise Refused(
            f"{name} {currency} is more than the {free:.10g} free in {pool.name!r}{bound}"
        )


# ------------------------------------------------------------------ margin modes


def _venue_said(venue, situation, what):
    """The refusal of a venue, in its own words where they are known."""
    words = {
        "position": "the margin mode cannot change while the position is open",
        "orders": "the margin mode cannot change while orders are open",
        "account": f"the margin mode is set on the {venue.switching.set_on}, not on a position",
        "lower leverage": "the leverage of an open isolated position cannot be lowered",
    } | dict(venue.switching.said)
    return Refused(f"{what}: {venue.name}: {words[situation]}")


def _check_switch(account, held, pool):
    """Refused where the venue does not let the mode of this position change now."""
    venue, what = account.venue, f"switch of {held.label}"
    rule, symbol = venue.switching, held.instrument.symbol
    if rule is None:
        raise ValueError(
            f"whether {venue.name} lets an open position change its margin mode is not known here: "
            f"replace(venue, switching=Switching(...)) says so"
        )
    if rule.set_on in ("account", "subaccount"):
        raise _venue_said(venue, "account", what)
    ordered = pool.orders or account.held[account._cross_key(pool.currency)].orders
    if ordered and not rule.open_orders:
        raise _venue_said(venue, "orders", what)
    if not rule.open_position:
        raise _venue_said(venue, "position", what)
    if len(account._open(symbol)) > 1 and not venue.both_modes and not venue.hedge_mode:
        raise Refused(f"{what}: {symbol} is open more than once")


def _walled_in(account, key, held, margin, mark):
    """The account after a position has moved out of a cross pool, behind so much margin."""
    pool, contract, settle = account.held[key], held.instrument, held.instrument.settle
    leg = held.label.split(" ")[0]
    there = (CONTRACT, contract.symbol, leg if account.venue.hedge_mode else None)
    walls = [k for k, _ in account._open(contract.symbol, leg) if account.held[k].isolated]
    there = walls[0] if walls else there
    moved = held
    if not contract.modelled:
        notional = abs(held.notional(mark))
        moved = evolve(held, leverage=notional / margin)
        _check_size(moved, notional, pool.venue.schedule(contract))
    rest = pool.but(positions=tuple(p for p in pool.positions if p is not held))
    _check_free(f"isolated={margin:.10g}", margin, settle, rest, adds=True)
    left = rest.adding(-margin, settle)
    after = account.held.get(there) or _walled(account.venue, contract, there[2])
    if left.open:
        short_of_margin(f"switch of {held.label}", left, initial=True)
    return _moved(account, key, left, there, after, moved, margin, mark)


def _shared_again(account, key, held, mark):
    """The account after an isolated position has moved into the cross pool, with all its margin."""
    settle = held.instrument.settle
    there, margin = account._cross_key(settle), account.held[key].collateral.get(settle, 0.0)
    return _moved(account, key, None, there, account.held[there], held, margin, mark)


def _moved(account, key, left, there, after, held, margin, mark):
    """The account with a position and its margin in the pool `after`, and what is `left` behind.

    Two of one side become one, at their average entry, without a premium.
    """
    contract, what = held.instrument, f"switch of {held.label}"
    same = [p for p in after.positions if p.label == held.label]
    if any(p.instrument.symbol == contract.symbol for p in after.positions if p not in same):
        if not account.venue.hedge_mode:
            raise Refused(f"{what}: the other side is open in {after.name!r}")
    others = tuple(p for p in after.positions if p not in same)
    position = held
    for p in same:
        position = evolve(contract.fill(p, held.quantity, held.entry)[0], leverage=p.leverage)
    _check_allowed(account.venue, what, after.isolated, [contract])
    after = after.adding(margin, contract.settle, positions=(*others, position))
    after = after.marked(account.marks)
    short_of_margin(what, after, initial=not after.isolated)
    text = f"{held.label} with {margin:,.10g} {contract.settle}"
    event = Event("switch", after.name, contract.settle, {TRADER: 0.0}, mark, text)
    return account._but({key: left, there: after}, [event])


# ----------------------------------------------------------------- coins and debts


class Swap(NamedTuple):
    """Coins that go and come: what is paid, how much of it, what is got, how much of that, after
    a fee in what is got."""

    paid: str
    cost: float
    got: str
    amount: float
    fee: float
    price: float
    text: str

    def part(self, share):
        """A share of it."""
        return self._replace(
            cost=self.cost * share, amount=self.amount * share, fee=self.fee * share
        )

    def events(self, pool):
        """The ledger's entries: coins exchanged at their price, so that nobody gains, and a fee."""
        flows = {TRADER: 0.0, COUNTERPARTIES: 0.0}
        found = [Event("trade", pool.name, self.paid, flows, self.price, self.text)]
        if self.fee:
            flows = {TRADER: -self.fee, HOUSE: self.fee}
            text = f"{self.fee:,.10g} {self.got}"
            found += [Event("trading fee", pool.name, self.got, flows, text=text, fees=self.fee)]
        return found


def _exchange(account, order):
    """The account after coins of a pair were exchanged: balances, some of them negative."""
    pair, quantity, price, isolated, borrow = *order[:4], order.borrow
    text = f"{quantity:+,.10g} {pair.base} at {price:,.10g} {pair.quote}"
    (paid, cost), (got, gross) = (pair.quote, abs(quantity) * price), (pair.base, abs(quantity))
    if quantity < 0:
        (paid, cost), (got, gross) = (got, gross), (paid, cost)
    fee = order.fee * gross
    swap = Swap(paid, cost, got, gross - fee, fee, price, text)
    checks.one_of("borrow", borrow, (None, paid))
    if pair.base not in account.marks and pair.quote in account.venue.quotes:
        account = account.mark(**{pair.base: price})
    if pair.base in account.marks:
        _check_band(account, pair, price)
    walled, owing = account._pair(pair)
    if isolated is None and walled and owing:
        raise ValueError(
            f"{pair.symbol} is open in isolated margin and in cross: say isolated=True or "
            f"isolated=False"
        )
    repays = walled and account.held[walled].collateral.get(swap.got, 0.0) < 0
    if isolated or (isolated is None and walled and (borrow or repays)):
        if owing and not walled and not account.venue.both_modes:
            raise Refused(
                f"isolated={isolated!r}: {pair.symbol} is open in cross margin; close it first"
            )
        return _walled_off(account, order, (PAIR, pair.symbol), swap, repays)
    if walled and borrow and not account.venue.both_modes:
        raise Refused(f"isolated=False: {pair.symbol} is open in isolated margin; close it first")
    if order.leverage is not None:
        raise ValueError(
            f"leverage={order.leverage:.10g}: in cross a debt has its loan schedule's leverage; "
            f"leave it out"
        )
    return _exchanged_in_cross(account, swap, borrow)


def _exchanged_in_cross(account, swap, borrow):
    """The account after a trade out of its cross pools."""
    paid, cost, got, amount, *_ = swap
    if account.venue.multi_currency:
        return _exchanged(account, account._cross_key(paid), swap, borrow)
    payer = account.held.get((CROSS, paid))
    owed = -payer.collateral.get(got, 0.0) if payer else 0.0
    if owed > 0:  # what is received repays the debt that it was borrowed for; the rest goes on
        part = min(1.0, owed / amount)
        account = _exchanged(account, (CROSS, paid), swap.part(part), None)
        rest = swap.part(1 - part)
        return _exchanged_in_cross(account, rest, borrow) if part < 1 - 1e-12 else account
    if borrow:
        account = account.credit(got, 0.0)
        return _exchanged(account, account._cross_key(got), swap, borrow)
    payer = account.cross_in(paid)
    _check_free(f"cost={cost:.10g}", cost, paid, payer)
    events = swap.events(payer)
    return account.credit(paid, -cost).credit(got, amount)._but(events=events)


def _exchanged(account, key, swap, borrow):
    """The account after a trade inside one pool: what is paid may become a debt if borrowed."""
    paid, cost, got, amount, _, _, text = swap
    pool = account.held[key]
    there = max(pool.collateral.get(paid, 0.0), 0.0)
    missing = cost - there
    missing = missing if missing > 1e-12 * cost else 0.0
    if missing and not borrow:
        raise Refused(
            f"{text} takes {cost:,.10g} {paid}, and {pool.name!r} holds {there:,.10g}: "
            f"{missing:,.10g} missing; borrow={paid!r} would borrow it"
        )
    if missing:
        _check_allowed(account.venue, text, pool.isolated, loans=True)
    after = pool.adding(-cost, paid).adding(amount, got).marked(account.marks)
    events = swap.events(pool)
    if missing and (fee := _lent(account.venue, after, paid, missing)):
        after = after.adding(-fee, paid)
        events.append(_interest(after, paid, fee))
        if account.venue.interest.on == "borrowed":
            free = after.interest_free.get(paid, 0.0) + fee
            after = evolve(after, interest_free={**after.interest_free, paid: free})
    if missing or (after.open and after.slack() < pool.marked(account.marks).slack()):
        short_of_margin(text, after, initial=True)  # what only repays a debt is never refused
    return account._but({key: after}, events)


def _walled_off(account, order, key, swap, repays):
    """The account after a trade in the isolated pool of a pair."""
    paid, _, got, amount, *_ = swap
    pair, isolated, leverage, borrow = (
        order.instrument,
        order.isolated,
        order.leverage,
        order.borrow,
    )
    if repays:
        if order.margin or leverage is not None or borrow:
            raise ValueError(
                "isolated=amount, leverage and borrow have no part in a trade that repays a debt"
            )
        account = _exchanged(account, key, swap, None)
        return account._put(key, account.held[key])  # once all is repaid, the rest is the account's
    if not borrow:
        raise ValueError(
            f"isolated={isolated!r}: {pair.symbol} is walled off for its debt; say borrow={paid!r}"
        )
    if isolated is True and leverage is None:
        raise ValueError(
            "an isolated trade needs its margin, isolated=5, or isolated=True with leverage=10"
        )
    gross = amount + swap.fee
    margin = order.margin or (gross / leverage if leverage else 0.0)
    if leverage and abs(margin - gross / leverage) > 1e-9 * margin:
        raise ValueError(
            f"isolated={margin:.10g} and leverage={leverage:.10g} disagree: {gross:.10g} {got} "
            f"is traded"
        )
    _check_free(f"isolated={margin:.10g}", margin, got, account.cross_in(got))
    name = f"isolated {pair.symbol}"
    pool = account.held.get(key) or walled(got, account.venue, name)
    account = account.credit(got, -margin)._but({key: pool.adding(margin, got)})
    return _exchanged(account, key, swap, borrow)


def _lent(venue, pool, currency, amount):
    """What is charged at once for borrowing so much more; Refused if that is not lent."""
    asset = venue.asset(currency)
    if asset is None or asset.loan is None:
        raise Refused(f"borrow={currency!r}: {venue.name} does not lend {currency}")
    debt, by_value = -pool.collateral[currency], asset.loan.basis == "notional"
    size = debt * pool.quote(currency, pool.marks) if by_value else debt
    if size > asset.loan.cap:
        raise Refused(
            f"borrow={currency!r}: the debt would be {size:,.10g} {'USD' if by_value else currency}"
            f", and {venue.name} lends at most {asset.loan.cap:,.10g}: "
            f"{size - asset.loan.cap:,.10g} too much"
        )
    return venue.interest.at_once(amount, asset.rate)


def _interest(pool, currency, amount):
    """The ledger's entry for interest that was added to a debt."""
    flows = {TRADER: -amount, LENDER: amount}
    return Event("interest", pool.name, currency, flows, text=f"{amount:,.10g} {currency}")
