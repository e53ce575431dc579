"""Funding rates: how a venue turns the gap between a contract and its index into a rate, and when it is paid."""

from dataclasses import dataclass
from math import floor, inf
from numbers import Real

import numpy as np

from . import checks

YEAR = 8_760  # hours


@dataclass(frozen=True)
class Funding:
    """A venue's rule for funding: what longs pay shorts, as a share of the notional, where the rate is positive.

        rate = (P + clamp(I - P, -damper, +damper)) * interval / per,   and then no less than floor, no more than cap

    with the premium index P (see `premium`) averaged over the interval, and the interest component I.

    Parameters
    ----------
    interval : float
        Hours for which a rate holds; where funding is not continuous, the time between two payments.
    per : float
        Hours in which a premium would be paid in full: 8 (BitMEX, Binance, Hyperliquid), 24 (Kraken).
    first : float
        Hour of the day, UTC, of a payment: 0 (Binance: 00, 08, 16), 4 (BitMEX: 04, 12, 20).
    interest : float
        I, for `per` hours: 0.0001 is 0.03 % a day.
    damper : float or None
        How far I may pull a premium: within it the rate is I. None: no damper, P + I (dYdX; Kraken with I = 0).
    cap, floor : float
        Bounds of the rate of one interval; `floor` is -cap if absent.
    accrual : "snapshot" or "continuous"
        Whether who holds the contract at the timestamp pays for the whole interval, or every moment counts.
    charged_to : "position" or "account"
        What pays for an isolated position: its own margin, or what is free in the account, and its margin only for
        the rest (Bybit; OKX before June 2024). A receipt goes to the same place.
    valued_at : "mark" or "index"
        Which price the notional is taken at: the contract's mark, or its index (Kraken, dYdX).

    Source: BitMEX and BTCMEX, "Funding and Funding Rate" (the clamp); Binance, from 18 September 2025 with
    interval / 8. bit.com's max(0.05 %, P) + min(-0.05 %, P) is the same with I = 0. ValueError or TypeError if a
    field is outside its range.
    """

    interval: float = 8.0
    per: float = 8.0
    first: float = 0.0
    interest: float = 0.0001
    damper: float | None = 0.0005
    cap: float = inf
    floor: float | None = None
    accrual: str = "snapshot"
    charged_to: str = "position"
    valued_at: str = "mark"

    def __post_init__(self):
        checks.number("interval", self.interval, above=0)
        checks.number("per", self.per, above=0)
        checks.number("interest", self.interest)
        if not 0 <= checks.number("first", self.first) < 24:
            raise ValueError(f"first must be an hour of the day, from 0 to below 24, not {self.first!r}")
        if self.damper is not None:
            checks.number("damper", self.damper, least=0)
        for name in ("cap", "floor"):
            value = getattr(self, name)
            if (value is not None or name == "cap") and (isinstance(value, bool) or not isinstance(value, Real)):
                raise TypeError(f"{name} must be a number, not {value!r}")
        if not -inf <= self.lowest <= self.cap or self.lowest == inf or self.cap == -inf:  # NaN fails as well
            raise ValueError(f"cap must be at least the floor {self.lowest!r}, not {self.cap!r}")
        checks.one_of("accrual", self.accrual, ("snapshot", "continuous"))
        checks.one_of("charged_to", self.charged_to, ("position", "account"))
        checks.one_of("valued_at", self.valued_at, ("mark", "index"))

    @property
    def lowest(self):
        """The lowest rate of one interval."""
        return -self.cap if self.floor is None else self.floor

    def rate(self, premium):
        """Funding rate of one interval for its average premium, both fractions; float or array."""
        premium = checks.finite("premium", premium)
        rate = premium + self.interest
        if self.damper is not None:  # the same as P + clamp(I - P, -damper, +damper), and exactly I inside the band
            rate = np.clip(self.interest, premium - self.damper, premium + self.damper)
        rate = np.clip(rate * (self.interval / self.per), self.lowest, self.cap)
        return rate if np.ndim(rate) else float(rate)

    def annual(self, rate):
        """A rate of one interval, paid all year round, as a fraction of the notional: not compounded."""
        return checks.finite("rate", rate) * YEAR / self.interval

    def periods(self, start, end):
        """How many intervals a position pays for that is held from `start` to `end`, hours since a midnight UTC.

        Whole timestamps after `start` up to `end`, or, where it accrues continuously, a share of intervals. Splitting a
        time in two changes nothing. ValueError if it ends before it starts.
        """
        start, end = checks.number("start", start), checks.number("end", end, least=start)
        if self.accrual == "continuous":
            return (end - start) / self.interval
        return float(self._count(end) - self._count(start))

    def times(self, start, end):
        """The timestamps that `periods` counts, as an array of hours; ValueError if funding accrues continuously."""
        if self.accrual == "continuous":
            raise ValueError("accrual='continuous' has no timestamps: see periods")
        last = self._count(checks.number("end", end, least=checks.number("start", start)))
        return self.first + self.interval * np.arange(self._count(start) + 1, last + 1)

    def _count(self, hour):
        return floor((hour - self.first) / self.interval + 1e-9)  # 3 times 0.1 is 0.3


def premium(index, bid, ask=None):
    """Premium index: how far a contract trades above (+) or below (-) its index, as a fraction of it; float or array.

        (max(0, bid - index) - max(0, index - ask)) / index

    with impact prices, at which an order of a stated size would be filled: between the two there is no premium. With
    one price (Kraken, Deribit) it is (price - index) / index. Source: Gate, funding rate history; dYdX Chain, "Default
    Funding Rates".
    """
    index, bid = checks.positive("index", index), checks.positive("bid", bid)
    ask = bid if ask is None else checks.positive("ask", ask)
    if np.any(np.less(ask, bid)):
        raise ValueError(f"ask must be at least the bid {bid!r}, not {ask!r}")
    found = (np.maximum(0.0, np.subtract(bid, index)) - np.maximum(0.0, np.subtract(index, ask))) / index
    return found if np.ndim(found) else float(found)
