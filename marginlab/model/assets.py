"""Currencies as collateral and as debt: haircuts, weights, what a loan requires, and its interest."""

from dataclasses import dataclass, field
from math import ceil

from . import checks
from .tiers import Tiers


@dataclass(frozen=True)
class Asset:
    """How a venue counts one currency. A debt is a negative balance; nothing else is special about it.

    Parameters
    ----------
    haircut : Tiers or float
        Share of what is held that does not count, 0 to 1. As `Tiers` its floors count coins (basis "quantity") or
        their value in quote currency ("notional"), and each slice has its own haircut. 1 is no collateral at all.
    debt_weight : float
        What a debt counts for, as a multiple of itself: at least 1 (Drift: 1.1 for SOL).
    loan : Tiers, optional
        Maintenance margin of a debt; its leverage sets the initial margin, debt / leverage, and its cap is the most
        that can be borrowed (losses and funding may take a debt beyond it). None: this currency is not lent. Floors as
        for the haircut.
    rate : float
        Interest for as many hours as the venue's `Interest.per` says.

    Raises ValueError or TypeError if one of them is outside its range.
    """

    haircut: Tiers | float = 0.0
    debt_weight: float = 1.0
    loan: Tiers | None = None
    rate: float = 0.0

    def __post_init__(self):
        haircut = self.haircut
        if not isinstance(haircut, Tiers):
            if checks.number("haircut", haircut, least=0) > 1:
                raise ValueError(f"haircut must be from 0 to 1, not {haircut!r}")
            haircut = Tiers.flat(haircut)
        if self.loan is not None and not isinstance(self.loan, Tiers):
            raise TypeError(f"loan must be a Tiers schedule or None, not {self.loan!r}")
        if haircut.growth or (self.loan and self.loan.growth):
            raise ValueError("haircut and loan must have tiers without growth")
        object.__setattr__(self, "haircut", haircut)
        object.__setattr__(self, "debt_weight", checks.number("debt_weight", self.debt_weight, least=1))
        object.__setattr__(self, "rate", checks.number("rate", self.rate, least=0))


@dataclass(frozen=True)
class Interest:
    """When interest on a debt falls due: for every period of `every` hours that was started.

    Parameters
    ----------
    per : float
        Hours for which a rate is quoted: 24 for a daily rate, 8,760 for an annual one.
    every : float
        Length of a period in hours.
    opening : float
        Periods that are charged at once when the money is borrowed.

    Source: Binance: borrowed * daily rate * hours started / 24. Kraken: borrowed * rate * (1 + four-hour periods
    started), the one being the opening fee. OKX: by the hour, on the liability.
    """

    per: float = 24.0
    every: float = 1.0
    opening: float = 0.0
    period: float = field(init=False, repr=False)

    def __post_init__(self):
        checks.number("opening", self.opening, least=0)
        share = checks.number("every", self.every, above=0) / checks.number("per", self.per, above=0)
        object.__setattr__(self, "period", share)

    def due(self, debt, rate, hours):
        """Interest on a debt (> 0) after so many hours, in the currency of the debt."""
        started = ceil(checks.number("hours", hours, least=0) / self.every - 1e-9)  # 3 times 0.1 is 0.3
        return debt * rate * self.period * started

    def at_once(self, debt, rate):
        """What is charged when a debt (> 0) is taken up, in its currency."""
        return debt * rate * self.period * self.opening
