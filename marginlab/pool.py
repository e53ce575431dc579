"""A pool: collateral and positions that stand or fall together.

Isolated margin is a pool with one position, cross margin a pool with everything else.

    slack(prices) = equity(prices) - requirement(prices)         liquidation  <=>  slack <= 0

Nothing but this knows a venue's rules; everything else asks it. Words, and what they mean here:

    prices    a mapping of names to floats or arrays, quote currency (USD) for one unit
    marks     the prices at which a pool stands now
    index     the coin whose price moves a contract ("BTC"); what moves together has one
    settle    the currency in which a contract pays
    quote     the price of a currency in quote currency; `quotes` are those that count as 1
    unit      the value of a currency in the pool's own
    share     how far an index moves when another moves by 1
"""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from math import inf, nan

import numpy as np
from attrs import evolve, field, frozen

from . import checks
from .checks import Numbers
from .contracts import Position
from .crossing import Crossings, Facts, Line, ends
from .rules import Asset, Refused, Venue
from .scan import asked, scanned, weighted
from .show import fmt, priced, table, text


def _amounts(value):
    if isinstance(value, checks.Frozen):  # which holds what was checked before
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"collateral must be a mapping, such as {{'BTC': 5}}, not {value!r}")
    return checks.Frozen({c: checks.number(f"collateral {c}", a) for c, a in value.items()})


def _marks(value):
    if isinstance(value, checks.Frozen):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"marks must be a mapping, such as {{'BTC': 50_000}}, not {value!r}")
    marks = {name: checks.number(f"the mark of {name}", m, above=0) for name, m in value.items()}
    return checks.Frozen(marks)


def _positions(value):
    if not isinstance(value, Sequence):
        raise TypeError(f"positions must be a list of Position values, not {value!r}")
    for position in value:
        if not isinstance(position, Position):
            raise TypeError(f"positions must hold Position values, not {position!r}")
    return tuple(value)


def _venue(value):
    if not isinstance(value, Venue):
        raise TypeError(f"venue must be a Venue, such as venues.TEACHING, not {value!r}")
    return value


def _orders(value):
    return value if type(value) is float and value == 0 else checks.number("orders", value, least=0)


WITH_PNL = " with its PnL"  # what a balance and the PnL that joined it are called in `parts`


@frozen(eq=False, slots=False, repr=False)
class Pool:
    """Collateral and positions valued in one settlement currency.

    `slack = equity - requirement`; at or below zero the venue liquidates the pool.

    Parameters
    ----------
    currency : str
        The settlement currency in which the pool is valued.
    collateral : mapping of currency to amount
        Signed: a debt is a negative amount. What the venue's `assets` say of a currency holds for
        all but the pool's own, which counts in full unless the account is a multi-currency one.
    positions : sequence of Position
    venue : Venue
        Whose rules and schedules hold.
    marks : mapping of name to price
        Quote currency for one coin, by index ("BTC"); a contract's own mark, by symbol, overrides
        its index. A contract that was never marked stands at its entry price.
    name : str
        How the pool is called in tables and messages.
    isolated : bool
        Whether it was walled off for one position.
    interest_free : mapping of currency to amount
        Of a debt, what bears no interest: the opening fee, at venues that say so.
    tops_up : bool
        Whether margin is added to it automatically, by the venue's `TopUp`.
    orders : float
        Margin held for open orders, in `currency`: initial margin, and maintenance where the venue
        counts it.

    Methods take prices as keywords or as a mapping, `pool.slack(BTC=45_000)`, floats or ndarrays;
    what is not given stays at its mark. They return a float or an array in `currency`. TypeError or
    ValueError on a price that is not a positive finite number, and on a missing or unknown name.
    """

    currency: str
    collateral: Mapping = field(converter=_amounts)
    positions: tuple = field(default=(), converter=_positions)
    venue: Venue = field(default=None, converter=_venue)
    given_marks: Mapping = field(default=checks.Frozen(), converter=_marks, alias="marks")
    name: str = "pool"
    isolated: bool = False
    orders: float = field(default=0.0, converter=_orders)
    interest_free: Mapping = field(default=checks.Frozen(), converter=_amounts)
    tops_up: bool = False

    def __attrs_post_init__(self):
        settled = (p.instrument.settle for p in self.positions)
        _ = self.schedules, [self._asset(c) for c in (*self.collateral, *settled)]  # refused here

    @cached_property
    def marks(self):
        """What was marked, and the entry price of a contract that never was."""
        contracts = [p for p in self.positions if not p.instrument.modelled]
        entries = {p.instrument.index: p.entry for p in contracts}
        return checks.Frozen({**entries, **self.given_marks})

    @cached_property
    def schedules(self):
        """The schedule of each position: the contract's own, or the venue's."""
        return tuple(self.venue.schedule(p.instrument) for p in self.positions)

    # ---------------------------------------------------------------- prices

    @cached_property
    def names(self):
        """Every index, contract and coin whose price this pool follows."""
        return frozenset(_names(self.currency, self.collateral, self.positions))

    def prices(self, given: Mapping | None = None, /, **named: Numbers) -> dict:
        """The marks with the given prices over them.

        An index moves all its contracts with it: their own marks keep their ratio to it.
        """
        new = {**(given or {}), **named}
        if unknown := new.keys() - self.names - self.marks.keys():
            follows = ", ".join(sorted(self.names - set(self.venue.quotes))) or "no price"
            name = next(name for name in new if name in unknown)
            raise ValueError(
                f"nothing in the pool {self.name!r} follows {name!r}: it follows {follows}"
            )
        for name, price in new.items():
            if type(price) is not float or not 0.0 < price < inf:
                new[name] = checks.price(name, price)
        return self._moved(new)

    def _moved(self, new):
        """The marks with these over them, and with own marks that keep their ratio.

        An option's own mark gives way to its model where what it follows moves.
        """
        followed = {s: new[i] * ratio for s, (i, ratio) in self._ratios.items() if i in new}
        moved = {**self.marks, **followed, **new}
        for symbol, names in self._modelled.items():
            if symbol not in new and any(name in new for name in names):
                del moved[symbol]
        return moved

    @cached_property
    def _modelled(self):
        """{symbol: what it follows} of options with a mark of their own."""
        contracts = [p.instrument for p in self.positions if p.instrument.modelled]
        return {c.symbol: (c.index, *c.follows) for c in contracts if c.symbol in self.marks}

    @cached_property
    def _ratios(self):
        """{symbol: (index, its own mark / that of the index)} of contracts marked on their own."""
        contracts = [p.instrument for p in self.positions]
        held = {c.symbol: c.index for c in contracts if not c.modelled}
        return {s: (i, self.marks[s] / self.marks[i]) for s, i in held.items() if s in self.marks}

    def quote(self, currency: str, prices: Mapping) -> Numbers:
        """Value of one unit of a currency in quote currency."""
        if currency in prices:
            return prices[currency]
        if currency in self.venue.quotes:
            return 1.0
        raise ValueError(
            f"the price of {currency} is needed to value {self.name!r}: give {currency}=..."
        )

    def unit(self, currency: str, prices: Mapping) -> Numbers:
        """Value of one unit of a currency in the pool's own."""
        if currency == self.currency:
            return 1.0
        return self.quote(currency, prices) / self.quote(self.currency, prices)

    # ----------------------------------------------------------- the equation

    def equity(self, given: Mapping | None = None, /, **prices: Numbers) -> Numbers:
        """What the venue counts: collateral after haircuts, less debts, plus unrealised PnL."""
        return self._equity(self.prices(given, **prices)) if given or prices else self.equity_now

    def worth(self, given: Mapping | None = None, /, **prices: Numbers) -> Numbers:
        """What the pool would bring: collateral in full, less debts, plus unrealised PnL."""
        return self._worth(self.prices(given, **prices)) if given or prices else self.worth_now

    def requirement(
        self, given: Mapping | None = None, /, kind: str = "maintenance", **prices: Numbers
    ) -> Numbers:
        """Sum of the margins of positions and debts, with the venue's fee rule.

        `kind` is "maintenance" or "initial".
        """
        checks.one_of("kind", kind, ("maintenance", "initial"))
        at = self.prices(given, **prices)
        return self._requirement(at) if kind == "maintenance" else self._initial(at)

    def slack(self, given: Mapping | None = None, /, **prices: Numbers) -> Numbers:
        """Equity minus maintenance requirement: at or below zero the pool is liquidated."""
        at = self.prices(given, **prices)
        return self._equity(at) - self._requirement(at)

    def stand(self) -> tuple[float, float]:
        """(equity, requirement) at the marks."""
        return self.equity_now, self._requirement(self.marks)

    @cached_property
    def equity_now(self) -> float:
        """Equity at the marks."""
        return self._equity(self.marks)

    @cached_property
    def worth_now(self) -> float:
        """Worth at the marks."""
        return self._worth(self.marks)

    def balances(self, at, counted=False, most=inf):
        """What is held, less what is owed; where `counted`, after haircuts and weights of debts.

        Unrealised PnL is in what is counted where the venue has it join the balances.
        """
        total = 0.0
        for currency, amount in (self.sums(at, most) if counted else self.collateral).items():
            total = total + (self._counted if counted else self._whole)(currency, amount, at)
        return total

    def sums(self, at, most=inf):
        """What the venue looks at in each currency, {currency: amount}: its balance, and in a
        multi-currency account where PnL joins it, the PnL (at most so much) that settles in it."""
        if not self.joined:
            return self.collateral
        gained = {}
        for p, rule in zip(self.positions, self.schedules, strict=True):
            settle = p.instrument.settle
            gain = p.instrument.counted(p.quantity, p.entry, at, rule)
            gained[settle] = gained.get(settle, 0.0) + gain
        if most < inf:
            gained = {c: plain(np.minimum(gain, most)) for c, gain in gained.items()}
        held = self.collateral
        return {c: held.get(c, 0.0) + gained.get(c, 0.0) for c in {**held, **gained}}

    def _whole(self, currency, amount, at):
        none = type(amount) is float and not amount  # then its price need not be known
        return 0.0 if none else amount * self.unit(currency, at)

    def _counted(self, currency, amount, at):
        """What a balance counts for, in the pool's currency. A debt counts by its weight."""
        asset = self._asset(currency)
        if asset is None or (type(amount) is float and not amount):
            return self._whole(currency, amount, at)
        held, owed = split(amount)
        cut = asset.haircut.of(held, self.quote(currency, at))
        counted = (held + asset.debt_weight * owed) * self.unit(currency, at)
        return counted - cut / self.quote(self.currency, at)

    def counts(self, currency, amount, at):
        """What an amount of a currency adds to slack at prices, in the pool's own."""
        return self._counted(currency, amount, at) - self._loan(currency, amount, at)

    def _equity(self, at):
        counted = self.balances(at, counted=True)
        return counted if self.joined else counted + self._gained(at, counted=True)

    def _worth(self, at):
        return self.balances(at) + self._gained(at)

    def _gained(self, at, counted=False):
        """What positions have gained; where `counted`, as far as it is equity."""
        total = 0.0
        for p, rule in zip(self.positions, self.schedules, strict=True):
            if counted:
                gain = p.instrument.counted(p.quantity, p.entry, at, rule)
            else:
                gain = p.instrument.value(p.quantity, p.entry, at)
            total = total + gain * self.unit(p.instrument.settle, at)
        return total

    def _requirement(self, at, charged=None, sums=None):
        """Maintenance margin at prices `at`; positions may be charged at others, `charged`."""
        total = self.orders if self.venue.orders_required else 0.0
        for currency, amount in (sums or self.sums(at)).items():
            total = total + self._loan(currency, amount, at)
        if self.scans:
            return total + self._scanned(at) * self.venue.scan.maintenance
        charges = []
        for p, schedule in zip(self.positions, self.schedules, strict=True):
            charge = self.charge(p, schedule, charged or at)
            charges.append(charge * self.unit(p.instrument.settle, at))
        return total + self._netted(charges)

    def _netted(self, charges):
        """The sum of what positions are charged; where the venue nets them, of each larger side."""
        if not self.nets:
            return sum(charges)
        sides = {}
        for p, charge in zip(self.positions, charges, strict=True):
            of = p.instrument
            pair = sides.setdefault(of.symbol if self.nets == "contract" else of.index, [0.0, 0.0])
            pair[p.side < 0] = pair[p.side < 0] + charge
        return sum(plain(np.maximum(*pair)) for pair in sides.values())

    @property
    def nets(self):
        """By what longs and shorts net in a sum, "contract" or "index"; "" if they do not."""
        alone = self.isolated or self.scans or not self.positions[1:]
        return "" if alone or self.venue.netting == "none" else self.venue.netting

    @property
    def scans(self):
        """Whether its positions are scanned, as under portfolio margin, and not summed."""
        return self.venue.scan is not None and not self.isolated and bool(self.positions)

    def _scanned(self, at):
        """What the venue's `Scan` asks of the positions, in the pool's currency."""
        total = 0.0
        for index in dict.fromkeys(p.instrument.index for p in self.positions):
            total = total + scanned(self.venue.scan, at[index], self._legs(index, at))
        return total / self.quote(self.currency, at)

    def scenarios(self, index: str, given: Mapping | None = None, /, **prices: float):
        """What its positions on an index gain (+) or lose (-) in each scenario of the venue's
        `Scan`, by its weight, in quote currency: a DataFrame of moves of the index (rows) by moves
        of its volatility; NaN where no scenario is. ValueError where nothing is scanned, and for
        arrays of prices.
        """
        import pandas as pd

        legs = self._legs(index, at := self.prices(given, **prices))
        if name := next((name for name, price in at.items() if np.ndim(price)), None):
            raise ValueError(f"the price of {name} must be one number, not {at[name]!r}")
        if not self.scans or not legs:
            raise ValueError(f"index={index!r}: nothing on it is scanned in {self.name!r}")
        rule = self.venue.scan
        gains = weighted(rule, asked(rule, at[index], legs))
        (rows, row), (columns, column) = (
            np.unique(shifts, return_inverse=True) for shifts in rule.columns[:2]
        )
        grid = np.full((len(rows), len(columns)), nan)
        grid[row, column] = gains
        return pd.DataFrame(grid, pd.Index(rows, name="move"), pd.Index(columns, name="volatility"))

    def _legs(self, index, at):
        return [
            partial(self._shocked, p, at) for p in self.positions if p.instrument.index == index
        ]

    def _shocked(self, p, at, move, vol):
        """Value of a position, in quote currency, where its index has moved by a fraction."""
        contract = p.instrument
        unit = self.quote(contract.settle, at)
        unit = unit * (1.0 + move) if contract.settle == contract.index else unit
        return contract.shocked(p.quantity, p.entry, at, move, vol) * unit

    def charge(self, p, schedule, at):
        """What the venue requires for a position at prices `at`, in its settlement currency."""
        lost = self._lost(p) if self.venue.fee_at == "bankruptcy" else 0.0
        return charge(self.venue, p, schedule, at, lost)

    def _lost(self, p):
        """Notional at which a position has lost its margin: by its leverage, else its pool's.

        It is 0 where no price is bankruptcy. Source: Bybit help, Bankruptcy Price (USDT Contract);
        article 900000031623 (inverse); article 360039261334 has the whole balance.
        """
        if p.leverage is not None:
            return bust(p)
        side = self._busts[p.instrument.index]
        price = (side.below if p.quantity > 0 else side.above).price
        return 0.0 if price is None else abs(p.notional(price))

    @cached_property
    def _busts(self):
        needed = {p.instrument.index for p in self.positions if p.leverage is None}
        return {index: self.bankruptcy(index) for index in needed}

    def _loan(self, currency, amount, at, initial=False):
        """What a debt requires, in the pool's currency; 0 for what is held.

        Where the closing fee is in the requirement, it is charged on a debt and its maintenance
        margin alike: so much has to be bought back. Source: OKX, spot margin: liability * (1 + mmr)
        * (1 + taker).
        """
        array = np.ndim(amount) > 0
        asset = self._asset(currency) if array or amount < 0 else None
        if asset is None or asset.loan is None:
            return 0.0
        coins = np.where(amount < 0, -amount, 1.0) if array else -amount  # 1: not divided by 0
        owed, loan = coins * self.quote(currency, at), asset.loan
        if initial:
            asked = owed / loan.max_leverage(owed, coins)
        else:
            fee = self.venue.fee if self.venue.fee_at == "price" else 0.0
            asked = (1.0 + fee) * loan.maintenance(owed, coins) + fee * owed
        return (asked * (amount < 0) if array else asked) / self.quote(self.currency, at)

    def _initial(self, at, sums=None):
        """Initial margin: notional or debt / leverage, with the fee where the venue adds it."""
        total, venue = self.orders, self.venue
        if self.scans:
            total = total + self._scanned(at) * venue.scan.initial
        pairs = () if self.scans else zip(self.positions, self.schedules, strict=True)
        charges = []
        for p, schedule in pairs:
            optional = p.instrument.modelled
            price = p.entry if venue.maintenance_at == "entry" and not optional else at
            margin = p.instrument.initial(p, price, schedule)
            if venue.fee_at in ("entry", "bankruptcy") and not optional:
                lost = self._lost(p) if venue.fee_at == "bankruptcy" else 0.0
                margin = margin + closing_fee(venue, p, price, lost)
            charges.append(margin * self.unit(p.instrument.settle, at))
        total = total + self._netted(charges)
        for currency, amount in (sums or self.sums(at)).items():
            total = total + self._loan(currency, amount, at, initial=True)
        return total

    def _asset(self, currency):
        """How the venue counts a currency; None if in full."""
        own = currency == self.currency and self.own_in_full
        return None if own else self.venue.asset(currency)

    @property
    def loans(self):
        """The currencies owed, at the marks, for which the venue requires margin."""
        owed = [c for c, amount in self.sums(self.marks).items() if amount < 0]
        return [c for c in owed if (asset := self._asset(c)) and asset.loan]

    @property
    def own_in_full(self):
        """Whether its own currency counts in full: in all but a multi-currency cross pool."""
        return self.isolated or not self.venue.multi_currency

    @cached_property
    def joined(self):
        """Whether unrealised PnL joins the balance of its currency before haircuts."""
        return not self.own_in_full and self.venue.unrealised == "joined"

    # ------------------------------------------------------- what follows from it

    @np.errstate(over="ignore")  # infinite over a requirement of next to nothing
    def margin_ratio(self, given: Mapping | None = None, /, **prices: Numbers) -> Numbers:
        """Equity / requirement: 1 at liquidation, infinite without positions.

        Some venues print the inverse.
        """
        at = self.prices(given, **prices)
        equity, requirement = np.broadcast_arrays(self._equity(at), self._requirement(at))
        none = np.full(requirement.shape, inf)
        return plain(np.divide(equity, requirement, out=none, where=requirement > 0))

    def parts(self, given: Mapping | None = None, /, **prices: Numbers) -> dict:
        """What each position, balance and debt adds to slack: a dict by name that sums to it."""
        return self._parts(self.prices(given, **prices))

    def _parts(self, at, charged=None, full=False):
        """The terms of slack, charged on at `charged`; in `full`, those of worth."""
        found, charges, joined = {}, [], self.joined and not full
        settled = {p.instrument.settle for p in self.positions} if joined else ()
        for currency, amount in (self.collateral if full else self.sums(at)).items():
            if currency in settled:
                name = currency + WITH_PNL
            elif amount:
                name = f"{currency} {'owed' if amount < 0 else 'held'}"
            else:
                continue
            found[name] = (self._whole if full else self.counts)(currency, amount, at)
        for p, schedule in zip(self.positions, self.schedules, strict=True):
            if full:
                gain = p.instrument.value(p.quantity, p.entry, at)
            else:
                charge = 0.0 if self.scans else self.charge(p, schedule, charged or at)
                counted = p.instrument.counted(p.quantity, p.entry, at, schedule)
                gain = (0.0 if joined else counted) - charge
                charges.append(charge * self.unit(p.instrument.settle, at))
            there = gain * self.unit(p.instrument.settle, at)
            found[p.label] = found.get(p.label, 0.0) + there
        if self.nets and not full:
            found["netting"] = sum(charges) - self._netted(charges)
        if self.scans and not full:
            found["scenarios"] = -self._scanned(at) * self.venue.scan.maintenance
        if self.orders and self.venue.orders_required and not full:
            found["open orders"] = -self.orders
        return found

    def _said(self, name, prices):
        """A term of slack in words; where PnL joined a balance, what the sum is made of."""
        if not name.endswith(WITH_PNL):
            return name
        currency = name.removesuffix(WITH_PNL)
        total = self.sums(self.prices(prices))[currency]
        balance = self.collateral.get(currency, 0.0)
        there = f"{fmt(abs(balance))} {'borrowed' if balance < 0 else 'there'}, " if balance else ""
        gain = f"{fmt(abs(total - balance))} {'lost' if total < balance else 'gained'}"
        return f"{fmt(abs(total))} {currency} {'owed' if total < 0 else 'held'}: {there}{gain}"

    def available(self, given: Mapping | None = None, /, **prices: Numbers) -> Numbers:
        """What a new trade may use: equity, profit included, less margin in use."""
        at = self.prices(given, **prices)
        used = np.maximum(self._initial(at), self._requirement(at))
        return plain(self._equity(at) - used)

    def withdrawable(
        self, currency: str | None = None, given: Mapping | None = None, /, **prices: Numbers
    ) -> Numbers:
        """What may leave the pool, in a currency (its own if None), by `Venue.withdrawal`.

        At most what is held; each coin takes its value after haircut along. Negative if the margin
        that has to stay is short.
        """
        at, currency = self.prices(given, **prices), currency or self.currency
        if not isinstance(currency, str):
            raise TypeError(
                f"currency must be a name, such as 'BTC', not {currency!r}; prices come second or "
                f"by name"
            )
        own = self.venue.isolated_withdrawal if self.isolated else None
        return self.leaving(own or self.venue.withdrawal, currency, at)

    def leaving(self, rule, currency, at):
        """What a `Withdrawal` lets leave, in a currency, at prices."""
        free, held = self._free(rule, at), self.collateral.get(currency, 0.0)
        if self.joined and rule.kept != "profit":
            held = self.sums(at, most=0.0).get(currency, 0.0)
        if currency == self.currency and self.own_in_full:
            return plain(free if rule.kept == "profit" else np.minimum(free, held))
        if not np.any(held > 0):
            return 0.0
        return plain(np.where(held > 0, self._without(currency, held, free, at), 0.0))

    def _free(self, rule, at):
        """By how much what counts may fall, in the pool's currency: see `rules.Withdrawal`."""
        maintenance, stays = self._stays(rule, at)
        if rule.kept == "all" and self.positions:
            return 0.0
        equity = self._equity(at) - stays
        if rule.kept == "profit":
            return equity
        if self.joined:  # profits that joined a balance are taken off again
            maintenance, stays = self._stays(rule, at, self.sums(at, most=0.0))
        kept = maintenance if rule.kept == "maintenance" else stays
        return np.minimum(equity, self.balances(at, counted=True, most=0.0) - kept)

    def _stays(self, rule, at, sums=None):
        """(maintenance margin, what has to stay of the equity)."""
        maintenance = self._requirement(at, sums=sums)
        stays = np.maximum(self._initial(at, sums), maintenance)
        if rule.least:
            stays = np.maximum(stays, rule.least * self._notional(at))
        return maintenance, stays

    def _notional(self, at):
        """Sum of the notionals, no sign counted, in the pool's currency."""
        total = 0.0
        for p in self.positions:
            notional = abs(p.notional(p.instrument.price(at)))
            total = total + notional * self.unit(p.instrument.settle, at)
        return total

    def _without(self, currency, held, free, at):
        """How many coins may go so that what they count for falls by no more than `free`."""
        price, haircut = self.quote(currency, at), (self._asset(currency) or Asset()).haircut
        cut = haircut.of(split(held)[0], price)
        kept = held * price - cut - free * self.quote(self.currency, at)
        scale = price if haircut.basis == "notional" else 1.0  # what a floor of the haircut counts
        needed = -inf  # the value that has to stay: what counts is the least over the tiers
        for rate, amount in zip(haircut.rates, haircut.amounts, strict=True):
            if rate < 1:
                needed = np.maximum(needed, (kept - amount * price / scale) / (1 - rate))
            else:  # more of it counts for nothing: if it is not enough, no amount is
                enough = amount * price / scale + 1e-12 * abs(kept)
                needed = np.where(kept > enough, inf, needed)
        return np.minimum(held, held - needed / price)

    @property
    def size(self):
        """What lies in the pool and what its positions have gained or lost, no sign counted."""
        amounts = [(a, currency) for currency, a in self.collateral.items() if a]
        for p in self.positions:
            gain = p.instrument.value(p.quantity, p.entry, self.marks)
            amounts.append((gain, p.instrument.settle))
        return sum(abs(a) * self.unit(currency, self.marks) for a, currency in amounts)

    # ----------------------------------------------------------- where it ends

    def liquidation(self, index: str | Sequence | Mapping | None = None) -> Crossings:
        """The prices at which slack is zero, others held at their marks: a `Crossings`.

        `index` is one index; or several that move by the same fraction, as a sequence,
        `pool.indices` for all; or a mapping of each to its share in the move, {"BTC": 1, "ETH":
        1.5}: when BTC moves by 10 %, ETH moves by 15 %.
        """
        return self._crossings(self._line(index), "liquidation")

    def bankruptcy(
        self, index: str | Sequence | Mapping | None = None, fee: float = 0.0
    ) -> Crossings:
        """The prices at which `worth` is zero: a `Crossings`. `index` as above.

        `fee` is a rate on the notional there: with it, worth after the fee of closing is zero.
        """
        return self._crossings(self._line(index), "bankruptcy", checks.number("fee", fee, least=0))

    @property
    def _charged(self):
        """The prices on which a liquidation price is charged, where the venue freezes them."""
        return self.marks if self.venue.maintenance_at == "mark" else None

    def _slack_along(self, at):
        """Slack as the liquidation price has it."""
        return self._equity(at) - self._requirement(at, self._charged)

    def _crossings(self, line, kind, fee=0.0):
        full = kind == "bankruptcy"

        def at(x):
            return self._moved(line.prices(x))

        def value(x):
            there = at(x)
            if not full:
                return self._slack_along(there)
            paid = fee * self._notional(there) if fee else 0.0
            return self._worth(there) - paid

        def own(x):  # 1 where nothing needs its price
            return at(x).get(self.currency, 1.0)

        def in_quote(x):  # in which inverse contracts are straight, too
            return value(x) * own(x)

        def pieces(x):
            return self._parts(at(x), self._charged, full)

        def breached():  # at the contracts' own marks, as `Account.at` sees it
            return (value(1.0) if full else self.slack()) <= 0

        shares = {name: part * line.most for name, part in line.parts.items()}
        again = (Pool.liquidation, (self, shares))
        again = (Pool.bankruptcy, (self, shares, fee)) if full else again
        facts = self._facts(again, line, value, own, pieces, breached)
        return Crossings(kind, line, facts, *ends(in_quote, line.end, self._bends(line)))

    def _bends(self, line):
        """Points of a line near which slack may bend both ways; None where it is concave."""
        contracts = [p.instrument for p in self.positions]
        options = [c for c in contracts if c.modelled]
        third = any(c.settle in line.parts and c.index in line.parts for c in contracts if c.quanto)
        if not options and not third and not self.scans:
            return None
        return [c.strike / line.marks[c.index] for c in options if c.index in line.parts]

    def _facts(self, again, line, value, own, pieces, breached):
        """What an answer has to know to give its reason."""
        moving = [p for p in self.positions if p.instrument.index in line.parts]
        debts = [c for c, amount in self.collateral.items() if amount < 0]
        held = [c for c, amount in self.collateral.items() if amount]
        settled = [p.instrument.settle for p in self.positions]
        plain_pool = len(held) < 2 and self.own_in_full
        return Facts(
            again=again,
            name=self.name,
            currency=self.currency,
            value=value,
            own=own,
            pieces=pieces,
            breached=breached,
            parts=lambda prices: self.parts(prices),
            said=self._said,
            tiers=lambda prices: self._tiers(prices, moving),
            mark=self.quote(next(iter(line.parts)), self.marks) * line.ratio,
            moves=bool(moving) or any(c in line.parts for c in (*held, *settled)),
            alone=len(self.positions) + len(debts) == 1,
            coins=not debts and any(p.instrument.inverse and p.quantity < 0 for p in moving),
            used_up="equity is used up" if plain_pool else "what the pool is worth is used up",
        )

    def _tiers(self, prices, moving):
        """Tier, from 1, of each of these positions, on the notional that the venue charges."""
        on, venue = {}, self.venue
        at = self.marks if venue.maintenance_at == "mark" else self.prices(prices)
        symbols = [p.instrument.symbol for p in moving]
        for p in moving:
            contract, schedule = p.instrument, venue.schedule(p.instrument)
            if not hasattr(schedule, "tier"):
                continue
            price = p.entry if venue.maintenance_at == "entry" else contract.price(at)
            by_count = schedule.basis == "quantity"
            size = abs(p.quantity) if by_count else abs(p.notional(price))
            name = p.label if symbols.count(contract.symbol) > 1 else contract.symbol
            on[name] = schedule.tier(size) + 1
        return on

    def margin_for(
        self,
        liquidation: float | None = None,
        index: str | None = None,
        ratio: float | None = None,
    ) -> float:
        """Collateral, in the pool's currency, that puts the liquidation price at `liquidation`;
        or with which the margin ratio at the marks is `ratio` (equity / requirement, above 0), as
        exchanges print it.

        Negative where profit at the mark would carry the pool without any. ValueError if no
        collateral keeps the pool alive at its mark and ends it there.
        """
        if (liquidation is None) == (ratio is None):
            raise ValueError("give either liquidation=, a price, or ratio=, a margin ratio")
        if ratio is not None:
            ratio = checks.number("ratio", ratio, above=0)
            if not self.requirement():
                raise ValueError(f"ratio={ratio:g}: {self.name!r} has no requirement")
            return self._margin_of(
                lambda pool: pool._equity(pool.marks) - ratio * pool.requirement()
            )
        end = checks.number("liquidation", liquidation, above=0)
        line = self._line(index)
        if len(line.parts) > 1:
            raise ValueError(f"index must be one of {', '.join(self.indices)}, not several at once")
        there = {line.index: end / line.ratio}
        margin = self._margin_of(lambda pool: pool._slack_along(pool._moved(there)))
        pool = self.but(collateral={**self.collateral, self.currency: margin})
        if not self.own_in_full and pool.sums(pool._moved(there))[self.currency] < 0:
            raise ValueError(
                f"liquidation={end:,.10g} takes no {self.currency} at all in {self.name!r}: it "
                f"ends further away"
            )
        if pool._slack_along(pool.marks) <= 0:
            raise ValueError(
                f"liquidation={end:,.10g} cannot be the liquidation price of {self.name!r} while "
                f"{line.index} is marked at {line.price(1.0):,.10g}: with the margin for it, "
                f"{margin:,.10g} {self.currency}, it is closed already"
            )
        return margin

    def _margin_of(self, f):
        """The collateral, in the pool's own currency, with which f(pool) is 0.

        Where its own currency counts in full, or is held, f is affine in it: two valuations do.
        """
        held, most = self.collateral.get(self.currency, 0.0), self.size + self.requirement() or 1.0
        if self.own_in_full:
            low, step = held, abs(held) + most
        else:  # above every debt
            low, step = abs(held) + 10 * most, most
        low_pool, high_pool = self.adding(low - held), self.adding(low - held + step)
        here = f(low_pool)
        gained = f(high_pool) - here
        if abs(gained) <= 1e-9 * step:
            raise ValueError(f"no amount of {self.currency} counts in {self.name!r}")
        return low - here * step / gained

    def _line(self, index=None):
        """The `Line` along one index, several, or a mapping of each to its share in the move."""
        if index is None:
            moving = {p.instrument.index for p in self.positions}
            only = moving if len(moving) == 1 else set(self.indices)
            index = next(iter(only)) if len(only) == 1 else None
        shares = index if isinstance(index, Mapping) else {}
        if isinstance(index, str | list | tuple):
            shares = dict.fromkeys([index] if isinstance(index, str) else index, 1)
        if not shares or not all(isinstance(n, str) and n in self.followed for n in shares):
            known = ", ".join(self.indices) or "(nothing here)"
            raise ValueError(
                f"index must be one of {known}, a list of them or a mapping to shares, "
                f"not {index!r}"
            )
        shares = {n: checks.number(f"the share of {n}", s) for n, s in shares.items() if s != 0}
        most = max(shares.values(), default=0.0)
        if most <= 0:
            raise ValueError(f"index must give at least one coin a share above 0, not {index!r}")
        marks = {name: self.quote(name, self.marks) for name in shares}
        parts = {name: share / most for name, share in shares.items()}
        ratio = self._ratio_of(*parts) if len(parts) == 1 else 1.0
        return Line(marks, parts, most, ratio)

    def _ratio_of(self, index):
        """Mark of the only contract on an index / mark of that index: whose price is asked for."""
        symbols = {p.instrument.symbol for p in self.positions if p.instrument.index == index}
        ratios = {self._ratios.get(symbol, (index, 1.0))[1] for symbol in symbols}
        return ratios.pop() if len(symbols) == 1 else 1.0

    @cached_property
    def open(self):
        """Whether there is anything that could be liquidated: a position or a debt."""
        return bool(self.positions) or any(amount < 0 for amount in self.collateral.values())

    @cached_property
    def followed(self):
        """The names along which there can be a crossing: indices, coins, its own currency."""
        contracts = [p.instrument for p in self.positions]
        named = {name for c in contracts for name in (c.index, c.settle)}
        return named | {self.currency, *self.collateral}

    @property
    def indices(self):
        """All of `followed`, sorted, if there is anything that can be liquidated; else nothing.

        Of the currencies that count as 1 only those on which there is a contract.
        """
        moving = {p.instrument.index for p in self.positions}
        still = set(self.venue.quotes) - moving
        return tuple(sorted(self.followed - still)) if self.open else ()

    # ------------------------------------------------------------- another pool

    def but(self, positions=None, collateral=None, orders=None, marks=None):
        """The pool with other parts, which are known to be sound, at these marks or its own."""
        positions = self.positions if positions is None else positions
        collateral = self.collateral if collateral is None else checks.Frozen(collateral)
        names = _names(self.currency, collateral, positions)
        followed = {n: p for n, p in (marks or {}).items() if n in names}
        return evolve(
            self,
            positions=positions,
            collateral=collateral,
            orders=self.orders if orders is None else orders,
            marks=self.marks if marks is None else checks.Frozen(followed),
        )

    def marked(self, marks: Mapping) -> "Pool":
        """The pool at these marks, as far as it follows them."""
        return self.but(marks=marks)

    def adding(self, amount: float, currency: str | None = None, positions=None) -> "Pool":
        """The pool with so much more (or less) of a currency, its own if none is given.

        Dust is taken for nothing. `positions`, if given, take the place of its own.
        """
        currency = currency or self.currency
        held = self.collateral.get(currency, 0.0)
        left = held + amount if abs(held + amount) > 1e-12 * abs(held) else 0.0
        after = self.but(positions, {**self.collateral, currency: left})
        free = self.interest_free.get(currency, 0.0)
        if amount > 0 and free:  # repaid first
            free = max(0.0, free - amount)
            after = evolve(after, interest_free={**self.interest_free, currency: free})
        return after

    def __getstate__(self):
        """What a pickle keeps: the fields, without what was worked out from them."""
        return {a.name: getattr(self, a.name) for a in self.__attrs_attrs__}

    # ------------------------------------------------------------------ showing

    @property
    def rows(self):
        """(name, text) of what a pool holds and owes, and where it stands, at its marks."""
        held, owed = [], []
        for currency, amount in self.collateral.items():
            if amount:
                (owed if amount < 0 else held).append(f"{fmt(abs(amount))} {currency}")
        rows = [("collateral", " + ".join(held) or "nothing")]
        rows += [("debts", " + ".join(owed))] if owed else []
        for p in self.positions:
            side = "long" if p.quantity > 0 else "short"
            said = f"{side} {fmt(abs(p.quantity))} contracts from {priced(p.entry)}"
            rows.append((p.instrument.symbol, said))
        try:
            worth, equity, _ = self.worth(), self.equity(), self.requirement()
            _ = self.quote(self.currency, self.marks) if self.open else None
        except ValueError as error:  # a price is missing: say which
            return [*rows, ("equity", str(error))]
        if worth != equity:
            rows.append(("worth at full price", f"{fmt(worth)} {self.currency}"))
        rows.append(("equity", f"{fmt(equity)} {self.currency}"))
        if self.open:
            rows.append(("requirement", f"{fmt(self.requirement())} {self.currency}"))
            rows.append(("margin ratio", fmt(self.margin_ratio())))
            for index in self.indices:
                sides = [f"{side} {price}" for side, price, _ in self.liquidation(index).rows]
                rows.append((f"liquidation, {index}", ", ".join(sides)))
        return rows

    def __repr__(self):
        return text(f"{self.name} at {self.venue.name}", self.rows)

    def _repr_html_(self):
        return table(self.rows, (self.name, f"at {self.venue.name}"))


def _names(currency, collateral, positions):
    contracts = [p.instrument for p in positions]
    named = {name for c in contracts for name in (c.index, c.symbol, c.settle, *c.follows)}
    return named | {currency, *collateral}


def walled(currency, venue, name):
    """An isolated pool with nothing in it yet."""
    return Pool(currency, checks.Frozen({currency: 0.0}), (), venue, name=name, isolated=True)


# ------------------------------------------------------------------ conventions


def charge(venue, p, schedule, prices, lost):
    """What a venue requires for a position (or many, as arrays): where the conventions differ.

    `prices` are a mapping or a price, `lost` is the notional at bankruptcy. In the settlement
    currency.
    """
    contract = p.instrument
    if contract.modelled:  # whatever the venue freezes, and without its closing fee
        return contract.maintenance(p.quantity, prices, schedule)
    if venue.maintenance_at == "entry":
        margin = contract.maintenance(p.quantity, p.entry, schedule)
        margin = margin + 0.0 * contract.price(prices)  # of their shape
    else:
        margin = contract.maintenance(p.quantity, prices, schedule)
    return margin if venue.fee_at == "none" else margin + closing_fee(venue, p, prices, lost)


def closing_fee(venue, p, prices, lost):
    """The fee for closing a position, where the venue has it inside the requirement."""
    if venue.fee_at == "bankruptcy":
        return venue.fee * lost
    price = p.entry if venue.fee_at == "entry" else p.instrument.price(prices)
    return venue.fee * abs(p.notional(price))


def bust(p):
    """Notional at which a position has lost the margin that its leverage says.

    Prices: E*(1 - s/L), or E*L/(L + s) if inverse, with s = +1 or -1.
    """
    z = np.where(np.greater(p.quantity, 0), 1, -1) * (1 if p.instrument.inverse else -1)
    return plain(abs(p.notional(p.entry)) * np.maximum(0.0, 1 + z / p.leverage))


def split(amount):
    """(what is held, what is owed as an amount below 0) of a signed balance, number or array."""
    if np.ndim(amount):
        return np.maximum(amount, 0.0), np.minimum(amount, 0.0)
    return (amount, 0.0) if amount > 0 else (0.0, amount)


def plain(value):
    """A float, unless it is an array."""
    return value if np.ndim(value) else float(value)


def short_of_margin(name, pool, initial):
    """Refused, with what is missing, if a pool would be at its line, or short of initial margin."""
    (equity, needed), kind = pool.stand(), "maintenance"
    at_line = equity <= needed
    if initial and (more := float(pool.requirement(kind="initial"))) > needed:
        needed, kind = more, "initial"
    missing = needed - equity
    if at_line or missing > 1e-12 * needed:
        raise Refused(
            f"{name} would leave {pool.name!r} short of its margin: {needed:,.10g} "
            f"{pool.currency} of {kind} margin needed, {equity:,.10g} there, "
            f"{missing:,.10g} missing"
        )
