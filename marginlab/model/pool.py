"""A pool: collateral and positions that stand or fall together. Isolated: one position. Cross: all the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf

import numpy as np

from . import capital, checks, display
from .instruments import Position
from .liquidation import crossings
from .rays import ray
from .terms import holdings, term
from .venue import Venue


@dataclass(frozen=True, eq=False)
class Pool:
    """Collateral and positions valued in one settlement currency.

    `slack = equity - requirement`; at or below zero the venue liquidates the pool.

    Parameters
    ----------
    currency : str
        The settlement currency in which the pool is valued.
    collateral : mapping of currency to amount
        Signed: a debt is a negative amount. What the venue's `assets` say of a currency holds for all but the pool's
        own, which counts in full unless the account is a multi-currency one.
    positions : sequence of Position
    venue : Venue
        Whose rules and schedules hold.
    marks : mapping of name to price
        Quote currency for one coin, by index ("BTC"); a contract's own mark, by symbol, overrides its index. A
        contract that was never marked stands at its entry price.
    name : str
        How the pool is called in tables and messages.
    isolated : bool
        Whether it was walled off for one position.
    orders : float
        Margin held for open orders, in `currency`: initial margin, and maintenance where the venue counts it.

    Methods take prices as keywords or as a mapping, `pool.slack(BTC=45_000)`, floats or ndarrays; what is not given
    stays at its mark. They return a float or an array in `currency`. TypeError or ValueError on a price that is not a
    positive finite number, and on a missing or unknown name.
    """

    currency: str
    collateral: Mapping
    positions: tuple = ()
    venue: Venue = None
    marks: Mapping = field(default_factory=dict)
    name: str = "pool"
    isolated: bool = False
    orders: float = 0.0

    def __post_init__(self):
        if not isinstance(self.venue, Venue):
            raise TypeError(f"venue must be a Venue, such as venues.TEACHING, not {self.venue!r}")
        if not isinstance(self.collateral, Mapping) or not isinstance(self.marks, Mapping):
            raise TypeError("collateral and marks must be mappings, such as {'BTC': 5}")
        bound = []
        for position in self.positions:
            if not isinstance(position, Position):
                raise TypeError(f"positions must hold Position values, not {position!r}")
            if self.venue.rates_of == "initial margin" and position.leverage is None:
                raise ValueError(f"leverage must be given: at {self.venue.name} maintenance depends on it")
            schedule = self.venue.schedule(position.instrument)
            bound.append(position if position.instrument.tiers is schedule else position.with_tiers(schedule))
        collateral = {c: checks.number(f"collateral {c}", a) for c, a in self.collateral.items()}
        marks = {p.instrument.index: p.entry for p in bound}
        marks.update((name, checks.number(f"the mark of {name}", m, above=0)) for name, m in self.marks.items())
        foreign = frozenset({*collateral, *(p.instrument.settle for p in bound)} - {self.currency})
        object.__setattr__(self, "positions", tuple(bound))
        object.__setattr__(self, "collateral", checks.Frozen(collateral))
        object.__setattr__(self, "marks", checks.Frozen(marks))
        object.__setattr__(self, "_foreign", foreign)
        orders = checks.number("orders", self.orders, least=0)
        object.__setattr__(self, "_orders", orders if self.venue.liquidation.orders else 0.0)
        object.__setattr__(self, "holdings", holdings(self))  # refuses what the venue does not take
        object.__setattr__(self, "_plain", not foreign and not any(h.schedule for h in self.holdings))

    @property
    def own_in_full(self):
        """Whether its own currency counts without haircut: in all but a multi-currency account's cross pool."""
        return self.isolated or self.venue.account_mode == "single-currency"

    @cached_property
    def terms(self):
        """The venue's rules boiled down to numbers, a `Term` for each position."""
        return tuple(term(self, p) for p in self.positions)

    @cached_property
    def _rows(self):
        return tuple(t[:7] for t in self.terms)

    # ---------------------------------------------------------------- prices

    @cached_property
    def names(self):
        """Every index, contract and coin whose price this pool follows."""
        named = {p.instrument.index for p in self.positions} | {p.instrument.symbol for p in self.positions}
        return named | {self.currency, *self._foreign}

    def prices(self, given=None, /, **named):
        """The pool's marks with the given prices put over them. An index moves all its contracts with it."""
        named = {**given, **named} if given and named else given or named
        at = self.marks | named
        if len(at) > len(self.marks) and not named.keys() <= self.names:
            name = next(iter(named.keys() - self.names))
            follows = ", ".join(sorted(self.names - set(self.venue.quotes))) or "no price"
            raise ValueError(f"nothing in the pool {self.name!r} follows {name!r}: it follows {follows}")
        for name, price in named.items():
            if type(price) is not float or not 0.0 < price < inf:
                at[name] = checks.price(name, price)
        for symbol, index in self._own:
            if index in named and symbol not in named:
                del at[symbol]
        return at

    @cached_property
    def _own(self):
        """(symbol, index) of the contracts that were marked on their own."""
        held = {(p.instrument.symbol, p.instrument.index) for p in self.positions}
        return tuple(pair for pair in held if pair[0] in self.marks)

    def unit(self, currency, at):
        """Value of one unit of a currency in the pool's currency, at prices `at`."""
        return 1.0 if currency == self.currency else self.quote(currency, at) / self.quote(self.currency, at)

    def quote(self, currency, at):
        """Value of one unit of a currency in quote currency, at prices `at`."""
        if currency in at:
            return at[currency]
        if currency in self.venue.quotes:
            return 1.0
        raise ValueError(f"the price of {currency} is needed to value {self.name!r}: give {currency}=...")

    def equity(self, given=None, /, **prices):
        """Collateral after haircuts, less debts, plus unrealised PnL: what the venue counts (adjusted equity)."""
        return self._stand(self.prices(given, **prices))[0]

    def worth(self, given=None, /, **prices):
        """What the pool would bring: collateral at its full price, less debts, plus unrealised PnL."""
        return self._stand(self.prices(given, **prices), full=True)[0]

    def requirement(self, given=None, /, kind="maintenance", **prices):
        """Sum of the maintenance (or, by `kind`, initial) margins of positions and debts, with the venue's fee rule."""
        checks.one_of("kind", kind, ("maintenance", "initial"))
        at = self.prices(given, **prices)
        return self._stand(at)[1] if kind == "maintenance" else capital.initial(self, at)

    def slack(self, given=None, /, **prices):
        """Equity minus maintenance requirement: at or below zero the pool is liquidated."""
        equity, requirement = self._stand(self.prices(given, **prices))
        return equity - requirement

    @np.errstate(over="ignore")  # infinite over a requirement of next to nothing
    def margin_ratio(self, given=None, /, **prices):
        """Equity / requirement: 1 at liquidation, infinite without positions. Some venues print the inverse."""
        equity, requirement = self._stand(self.prices(given, **prices))
        if isinstance(requirement, np.ndarray):
            equity, requirement = np.broadcast_arrays(equity, requirement)
            return np.divide(equity, requirement, out=np.full(requirement.shape, inf), where=requirement > 0)
        return equity / requirement if requirement > 0 else inf

    def parts(self, given=None, /, **prices):
        """What each position, balance and debt adds to slack: a dict by name, whose values sum to `slack`."""
        return capital.parts(self, self.prices(given, **prices))

    def _stand(self, at, full=False):
        """(equity, maintenance requirement) at prices `at`: the heart of the package."""
        if self._plain:  # nothing but the pool's own currency
            equity, requirement = self.collateral.get(self.currency, 0.0), self._orders
        else:
            equity, requirement = capital.balances(self, at, full)  # the orders are in it
        foreign = self._foreign
        for symbol, index, settle, inverse, size, start, charge in self._rows:
            price = at[symbol] if symbol in at else at[index]
            level = -1.0 / price if inverse else price
            pnl, margin = size * (level - start), charge(abs(size * level))
            if foreign:
                unit = self.unit(settle, at)
                pnl, margin = pnl * unit, margin * unit
            equity = equity + pnl  # not +=: arrays of two prices broadcast
            requirement = requirement + margin
        return equity, requirement

    def available(self, given=None, /, **prices):
        """What a new trade may use as initial margin: equity, unrealised profit included, less margin in use."""
        return capital.available(self, self.prices(given, **prices))

    def withdrawable(self, currency=None, given=None, /, **prices):
        """What may leave the pool, in coins of a currency (its own if None): unrealised profit has to stay.
        At most what is held; each coin takes its value after haircut along. Negative if initial margin is short.
        """
        return capital.withdrawable(self, currency or self.currency, self.prices(given, **prices))

    def liquidation(self, index=None):
        """The prices at which slack is zero, others held at their marks: a `Crossings`.
        `index` is one index; or several that move by the same fraction, as a sequence, `pool.indices` for all; or a
        mapping of each to its share in the move, {"BTC": 1, "ETH": 1.5}: when BTC moves by 10 %, ETH moves by 15 %.
        """
        return crossings(self, ray(self, index), "liquidation")

    def bankruptcy(self, index=None):
        """The prices at which `worth` is zero: a `Crossings`. `index` as above."""
        return crossings(self, ray(self, index), "bankruptcy")

    def margin_for(self, liquidation, index=None):
        """Collateral, in the pool's currency, that puts the liquidation price of an index at `liquidation`.
        Negative where profit at the mark would carry the pool without any. ValueError if no collateral keeps the pool
        alive at its mark and ends it there.
        """
        return capital.margin_for(self, checks.number("liquidation", liquidation, above=0), ray(self, index))

    @property
    def open(self):
        """Whether there is anything that could be liquidated: a position or a debt."""
        return bool(self.positions) or any(h.owed for h in self.holdings)

    @cached_property
    def followed(self):
        """The names along which there can be a crossing: indices, coins held or owed, the pool's own currency."""
        return {self.currency, *self.collateral, *(p.instrument.index for p in self.positions)} - set(self.venue.quotes)

    @property
    def indices(self):
        """All of `followed`, sorted, if there is anything that can be liquidated; else nothing."""
        return tuple(sorted(self.followed)) if self.open else ()

    def marked(self, marks):
        """The pool at these marks, as far as it follows them."""
        return replace(self, marks={name: price for name, price in marks.items() if name in self.names})

    def adding(self, amount, currency=None):
        """The pool with so much more (or less) of a currency, its own if none is given; dust is taken for nothing."""
        currency = currency or self.currency
        held = self.collateral.get(currency, 0.0)
        left = held + amount if abs(held + amount) > 1e-12 * abs(held) else 0.0
        return replace(self, collateral={**self.collateral, currency: left})

    def __getstate__(self):
        """What a pickle keeps: the fields, without what was worked out from them."""
        cached = ("terms", "_rows", "names", "_own", "followed")
        return {name: value for name, value in self.__dict__.items() if name not in cached}

    __repr__ = display.pool_text
    _repr_html_ = display.pool_html
