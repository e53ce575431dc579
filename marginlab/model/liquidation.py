"""When a pool is liquidated: the prices at which its slack, or its worth, is zero. How they are found: see rays.py."""

from math import inf
from typing import NamedTuple

from . import display, reasons
from .rays import Ray, lines, segment, solve


class Crossing(NamedTuple):
    """One side of the answer; `why` explains in a sentence what happens there, or why there is no such price.

    `price` in quote currency, or None, where one index moves; where several do, `prices` has them by name.
    `distance` is how far away that is.
    """

    kind: str  # "liquidation" or "bankruptcy"
    source: object  # the pool
    ray: Ray
    side: float  # 0 (below) or inf (above): the end of the line from which it was sought
    root: float | None

    @property
    def price(self):
        """The price of the one index that moves, or None; ValueError where several do."""
        return None if self.root is None else self.ray.price(self.root)

    @property
    def prices(self):
        """Price of every index that moves, by name: empty if there is no crossing."""
        return {} if self.root is None else {name: a + b * self.root for name, (a, b) in self.ray.paths.items()}

    @property
    def index(self):
        """What moves, in words."""
        return ", ".join(self.ray.paths)

    @property
    def distance(self):
        """How far the mark has to move, as a signed fraction; infinite if there is no crossing.

        Where shares were given, it is the move of an index whose share is 1.
        """
        return inf if self.root is None else (self.root / self.ray.here - 1) / self.ray.most

    @property
    def tiers(self):
        """The tier, from 1, of each contract that moves, at a liquidation price."""
        return reasons.tiers(self) if self.root is not None and self.kind == "liquidation" else {}

    @property
    def parts(self):
        """What each position, balance and debt adds to slack at the crossing, by name: it sums to 0. {} if none."""
        return {} if self.root is None else self.source.parts(self.prices)

    @property
    def why(self):
        """What happens at the price, how far away it is and what holds the pool up; or why there is no such price."""
        return reasons.why_not(self) if self.root is None else reasons.why(self)

    def __repr__(self):
        return self.why


class Crossings(NamedTuple):
    """Where slack (liquidation) or worth (bankruptcy) crosses zero along a line of prices: `below` and `above`.

    The pool is healthy between the two; either may be absent, and says why.
    """

    kind: str  # "liquidation" or "bankruptcy"
    source: object  # the pool
    ray: Ray
    low: float | None  # the roots
    high: float | None

    @property
    def below(self):
        """The lower `Crossing`."""
        return Crossing(self.kind, self.source, self.ray, 0.0, self.low)

    @property
    def above(self):
        """The upper `Crossing`."""
        return Crossing(self.kind, self.source, self.ray, inf, self.high)

    @property
    def pool(self):
        """The name of the pool."""
        return self.source.name

    @property
    def mark(self):
        """The price at which the one index that moves is marked."""
        return self.ray.price(self.ray.here)

    @property
    def breached(self):
        """Whether the pool is at or below its line at the mark already."""
        if self.kind == "liquidation":  # at the contracts' own marks, as `at` sees it
            return bool(self.source.slack() <= 0)
        return state(self.below)[0] <= 0

    @property
    def nearest(self):
        """The `Crossing` nearest to the mark; ValueError with the reasons if there is none."""
        if self.low is None and self.high is None:
            raise ValueError(f"no {self.kind} price: {self.below.why}; {self.above.why}")
        if self.low is None or self.high is None:
            return self.above if self.low is None else self.below
        return min(self.below, self.above, key=lambda side: abs(side.distance))

    @property
    def price(self):
        """The price of the one index that moves at the nearest crossing; ValueError if there is none."""
        root = self.high if self.low is None else self.low if self.high is None else None
        return self.nearest.price if root is None else self.ray.price(root)

    __repr__ = display.crossings_text
    _repr_html_ = display.crossings_html


def crossings(pool, along, kind):
    """`Crossings` of a pool along a `Ray`; `kind` is "liquidation" (slack) or "bankruptcy" (worth)."""
    fixed, moving = lines(pool, along, kind)
    low, high = solve(fixed, moving, 0.0, along.end), solve(fixed, moving, inf, along.end)
    if low is not None and low < 1e-13 * along.here:  # rounding: a long that is paid in full ends at 0
        low = None
    if high is not None and high > 1e13 * along.here:  # so is this: a debt of 1e-20 coins
        high = None
    return Crossings(kind, pool, along, low, high)


def state(side, x=None):
    """Slack (or worth) at the mark, or at x, in quote currency, and its slope in the pool's own currency."""
    pool, along, x = side.source, side.ray, x or side.ray.here
    a, b, c, _ = segment(*lines(pool, along, side.kind), x)
    value, slope = a + b * x + c / x, b - c / x**2
    if pool.currency in along.paths:
        start, step = along.paths[pool.currency]
        slope = (slope - value * step / (start + step * x)) / (start + step * x)
    return value, slope


def slack_along(pool, along, x):
    """Slack, in the pool's currency, at one place of a ray, with the requirement as the liquidation price has it."""
    a, b, c, _ = segment(*lines(pool, along, "liquidation"), x)
    prices = {name: start + step * x for name, (start, step) in along.paths.items()}
    return (a + b * x + c / x) / pool.quote(pool.currency, {**pool.marks, **prices})
