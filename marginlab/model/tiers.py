"""Maintenance schedules: how much margin a position of a given size has to keep."""

from bisect import bisect_right
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from math import inf

import numpy as np

from . import checks


@dataclass(frozen=True)
class Tiers:
    """A dated maintenance schedule: rows of (floor, maintenance rate, maximum leverage).

    A row holds from its floor upwards, the floor included. Only the slice of a position inside a
    tier is charged that tier's rate. Binance and others write the same thing as `rate * size - amount`, with
    the maintenance amount ("cum") that makes the schedule continuous:
    `amount_n = amount_(n-1) + floor_n * (rate_n - rate_(n-1))`
    (Binance FAQ b3c689c1f50a44cabb3a84e663b81d93; so computed, they are those that it publishes).

    Parameters
    ----------
    rows : sequence of (floor, rate) or (floor, rate, leverage)
        Floors in the unit of `basis`; rates and leverage are pure numbers. Where no maximum
        leverage is known it is 1 / rate: margin may not start below maintenance.
    cap : float
        Largest size that the schedule covers; a trade beyond it is refused.
    basis : "notional" or "quantity"
        What a floor counts: the notional in the settlement currency (most venues), or the number
        of contracts, which does not change with the price (Kraken, Deribit's linear contracts). For coins
        held or owed (see `Asset`): their value in quote currency, or their number.
    growth : float
        Added to both rates for each unit of size (Deribit: 0.005 % for each BTC, in place of tiers).
    source, as_of : str
        Where and when the schedule was published.

    Raises ValueError or TypeError if floors do not start at 0 and rise, or rates fall or leave [0, 1]. A rate of 1
    is for haircuts: a contract's must be below.
    """

    rows: tuple
    cap: float = inf
    basis: str = "notional"
    growth: float = 0.0
    source: str = ""
    as_of: str = ""
    floors: tuple = field(init=False, repr=False, compare=False)
    rates: tuple = field(init=False, repr=False, compare=False)
    leverages: tuple = field(init=False, repr=False, compare=False)
    amounts: tuple = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        checks.one_of("basis", self.basis, ("notional", "quantity"))
        checks.number("growth", self.growth, least=0)
        rows = tuple(tuple(row) for row in self.rows)
        if not rows or any(len(row) not in (2, 3) for row in rows):
            raise ValueError(f"rows must be (floor, rate) or (floor, rate, leverage), not {rows!r}")
        floors = tuple(checks.number("floor", row[0], least=0) for row in rows)
        rates = tuple(checks.number("rate", row[1], least=0) for row in rows)
        if floors[0] != 0 or any(a >= b for a, b in pairwise(floors)):
            raise ValueError(f"floors must start at 0 and rise, not {floors}")
        if rates[-1] > 1 or any(a > b for a, b in pairwise(rates)):
            raise ValueError(f"rates must not fall and not be above 1, not {rates}")
        if not self.cap > floors[-1]:
            raise ValueError(f"cap must be above the last floor {floors[-1]:,g}, not {self.cap!r}")
        highest = tuple(1 / rate if rate else inf for rate in rates)
        leverages = tuple(
            checks.number("leverage", row[2], above=0) if len(row) == 3 else most
            for row, most in zip(rows, highest, strict=True)
        )
        for rate, leverage, most in zip(rates, leverages, highest, strict=True):
            if leverage > most:
                raise ValueError(
                    f"leverage {leverage:g} would start below the maintenance rate {rate:g}: at most {most:g}"
                )
        amounts, before = [Decimal(0)], Decimal(str(rates[0]))
        for floor, rate in zip(floors[1:], rates[1:], strict=True):  # Decimal: 50, not 50.00000000000004
            amounts.append(amounts[-1] + Decimal(str(floor)) * (Decimal(str(rate)) - before))
            before = Decimal(str(rate))
        for name, value in (
            ("rows", rows),
            ("floors", floors),
            ("rates", rates),
            ("leverages", leverages),
            ("amounts", tuple(map(float, amounts))),
            ("_arrays", tuple(map(np.array, (floors, rates, tuple(map(float, amounts)))))),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def flat(cls, rate, leverage=None, **about):
        """One tier: the same rate for every size."""
        return cls(((0, rate) if leverage is None else (0, rate, leverage),), **about)

    @classmethod
    def bracket(cls, rate, amount=0.0, **about):
        """The one row that an exchange shows beside a position: `rate * size - amount`, never below 0."""
        checks.number("rate", rate, above=0)
        checks.number("amount", amount, least=0)
        return cls(((0, 0), (amount / rate, rate)) if amount else ((0, rate),), **about)

    def tier(self, size):
        """Number of the tier (from 0) that holds `size`; float or array."""
        if isinstance(size, np.ndarray):
            return np.searchsorted(self._arrays[0], size, side="right") - 1
        return bisect_right(self.floors, size) - 1

    def maintenance(self, notional, quantity=None):
        """Maintenance margin of a notional >= 0, in the notional's currency; float or array.

        `quantity` is the number of contracts or coins (>= 0): needed, and used, where that is the basis.
        """
        if self.basis == "quantity":
            return self.rate(quantity) * notional
        if type(notional) is float:  # by far the most frequent case, and numpy is slow on single numbers
            tier = bisect_right(self.floors, notional) - 1
            return (self.rates[tier] + self.growth * notional) * notional - self.amounts[tier]
        if not np.size(notional):
            return np.zeros(np.shape(notional))
        first, last = self.tier(float(np.min(notional))), self.tier(float(np.max(notional)))
        margin = self.rates[first] * notional - self.amounts[first]
        for n in range(first + 1, last + 1):
            margin = np.where(notional >= self.floors[n], self.rates[n] * notional - self.amounts[n], margin)
        return margin + self.growth * notional**2 if self.growth else margin

    def rate(self, quantity):
        """Effective maintenance rate of so many contracts (> 0): for basis "quantity"; float or array."""
        if quantity is None:
            raise ValueError("quantity must be given: the floors of this schedule count contracts or coins")
        tier = self.tier(quantity)
        if isinstance(quantity, np.ndarray):
            return self._arrays[1][tier] + self.growth * quantity - self._arrays[2][tier] / quantity
        return self.rates[tier] + self.growth * quantity - self.amounts[tier] / quantity

    def max_leverage(self, notional, quantity=None):
        """Highest leverage that the schedule allows at this size: steps down from tier to tier."""
        size = notional if self.basis == "notional" else quantity
        tier = self.tier(size)
        leverage = np.array(self.leverages)[tier] if isinstance(tier, np.ndarray) else self.leverages[tier]
        return leverage if not self.growth else 1 / (1 / leverage + self.growth * size)

    def initial(self, notional, leverage=None, quantity=None):
        """Initial margin notional / leverage; without a leverage, at the highest that is allowed."""
        return notional / (leverage or self.max_leverage(notional, quantity))
