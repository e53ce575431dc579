"""When a pool is liquidated: the prices at which its slack, or its equity, is zero.

Measured in quote currency and along the price P of one index, with all other prices held, a pool is

    slack = a + b*P + c/P

between two boundaries of its tier schedules. That holds for coins and contracts alike: an inverse
contract's PnL of N*(1/E - 1/P) coins is N*P/E - N in quote currency. (c is there only where an inverse
contract's rate grows with its size.) Maintenance schedules are convex, so slack is concave and lies below
each of its segments: the root of a segment is never inside the healthy range. From either end we solve the
segment, look up the tiers that hold at the root, and solve again until they stay the same. That is the rule
of Binance FAQ b3c689c1f50a44cabb3a84e663b81d93 (redo with the bracket at P); it cannot run in circles.
"""

from bisect import bisect_right
from math import inf, isclose, sqrt
from typing import NamedTuple

from . import display


class Crossing(NamedTuple):
    """One side of the answer: a `price` in quote currency, or None; `why` explains either in a sentence."""

    kind: str  # "liquidation" or "bankruptcy"
    source: object  # the pool
    index: str
    end: float  # 0 (below) or inf (above): the end of the price line from which it was sought
    price: float | None

    @property
    def distance(self):
        """How far the price is from the mark, as a signed fraction; infinite if there is none."""
        return inf if self.price is None else self.price / self.source.quote(self.index, self.source.marks) - 1

    @property
    def tiers(self):
        """The tier, from 1, of each contract of the index at a liquidation price."""
        return _tiers(self.source, self.index, self.price) if self.price and self.kind == "liquidation" else {}

    @property
    def why(self):
        """What happens at the price and how far away it is, or why there is none."""
        if self.price is None:
            return _why_not(self)
        what = "equity meets its requirement" if self.kind == "liquidation" else "equity is used up"
        mark = self.source.quote(self.index, self.source.marks)
        way = f"{abs(self.distance) * 100:.1f} % {'below' if self.distance < 0 else 'above'} {display.fmt(mark)}"
        on = ", ".join(f"{symbol} on tier {tier}" for symbol, tier in self.tiers.items())
        return f"{what} at {display.fmt(self.price)}, {way}" + (f" ({on})" if on else "")

    def __repr__(self):
        return self.why


class Crossings(NamedTuple):
    """Where slack (liquidation) or equity (bankruptcy) crosses zero along one index: `below` and `above`.

    The pool is healthy between the two; either may be absent, and says why.
    """

    below: Crossing
    above: Crossing

    @property
    def pool(self):
        """The name of the pool."""
        return self.below.source.name

    @property
    def mark(self):
        """The price at which the index is marked."""
        return self.below.source.quote(self.below.index, self.below.source.marks)

    @property
    def breached(self):
        """Whether the pool is at or below its line at the mark already."""
        if self.below.kind == "liquidation":  # at the contracts' own marks, as `at` sees it
            return bool(self.below.source.slack() <= 0)
        return _state(self.below)[0] <= 0

    @property
    def price(self):
        """The crossing nearest to the mark; ValueError with the reasons if there is none."""
        below, above = self.below.price, self.above.price
        if below is None and above is None:
            raise ValueError(f"no {self.below.kind} price: {self.below.why}; {self.above.why}")
        if below is None or above is None:
            return above if below is None else below
        return min(below, above, key=lambda price: abs(price - self.mark))

    __repr__ = display.crossings_text
    _repr_html_ = display.crossings_html


def crossings(pool, index, kind):
    """`Crossings` of a pool along one index; `kind` is "liquidation" (slack) or "bankruptcy" (equity)."""
    fixed, moving = _lines(pool, index, kind)
    return Crossings(
        Crossing(kind, pool, index, 0.0, _solve(fixed, moving, 0.0)),
        Crossing(kind, pool, index, inf, _solve(fixed, moving, inf)),
    )


def _state(side):
    """Slack (or equity) at the mark, in quote currency, and its slope in the pool's own currency."""
    mark = side.source.quote(side.index, side.source.marks)
    a, b, c, _ = _segment(*_lines(side.source, side.index, side.kind), mark)
    slope = -a / mark**2 - 2 * c / mark**3 if side.source.currency == side.index else b - c / mark**2
    return a + b * mark + c / mark, slope


def slack_along(pool, index, price):
    """Slack, in the pool's currency, at one price of an index, with the requirement as the liquidation price has it."""
    a, b, c, _ = _segment(*_lines(pool, index, "liquidation"), price)
    return (a + b * price + c / price) / pool.quote(pool.currency, {**pool.marks, index: price})


def _lines(pool, index, kind):
    """What a pool is worth along one index, in quote currency: ((a, b), moving).

    a + b*P is equity, less (for a liquidation) the requirements that are affine in P. `moving` holds the positions
    whose tier changes with P, as (size, schedule, share, fee, unit), unit None if they settle in the index's coin.
    """
    marks, a, b, moving = pool.marks, 0.0, 0.0, []
    for currency, amount in pool.collateral.items():
        if currency == index:
            b += amount
        else:
            a += amount * pool.quote(currency, marks)
    for i, p in enumerate(pool.positions):
        instrument, size = p.instrument, p.quantity * p.instrument.face
        here = instrument.index == index
        unit = None if here and instrument.inverse else pool.quote(instrument.settle, marks)
        if not here:
            a += p.pnl(marks.get(instrument.symbol, marks[instrument.index])) * unit
        elif instrument.inverse:
            a, b = a - size, b + size / p.entry
        else:
            a, b = a - size * p.entry * unit, b + size * unit
        if kind == "bankruptcy":
            continue
        t, schedule, size, rate = pool.terms[i], instrument.tiers, abs(size), 0.0
        held = t.held
        if not here or pool.venue.maintenance_at == "mark":
            held = t.charge(t.notional(marks))
        elif t.frozen is not None:
            held, rate = t.charge(0.0), t.fee
        elif schedule.basis == "contracts":
            rate = t.share * schedule.rate(abs(p.quantity)) + t.fee
        else:
            moving.append((size, schedule, t.share, t.fee, unit))
        if unit is None:  # `held` coins are worth held*P, and a rate on size/P coins is a constant
            a, b = a - rate * size, b - held
        else:
            a, b = a - held * unit, b - rate * size * unit
    return (a, b), moving


def _segment(fixed, moving, price):
    """(a, b, c) and the tiers of the segment of slack that holds at a price; 0 and inf are its ends."""
    (a, b), c, tiers = fixed, 0.0, []
    for size, schedule, share, fee, unit in moving:
        tier = bisect_right(schedule.floors, size * price if unit is not None else size / price if price else inf) - 1
        rate, amount = (share * schedule.rates[tier] + fee) * size, share * schedule.amounts[tier]
        if unit is None:
            a, b, c = a - rate, b + amount, c - share * schedule.growth * size * size
        else:
            a, b = a + amount * unit, b - rate * unit
        tiers.append(tier)
    return a, b, c, tiers


def _solve(fixed, moving, end):
    """Root of slack nearest to `end` (0 or inf), or None."""
    last = _root(*fixed, 0.0, end) or end  # slack ends before equity does: no requirement is below 0
    a, b, c, tiers = _segment(fixed, moving, last)
    while True:
        root = _root(a, b, c, end)
        if root is None:
            return None
        a, b, c, found = _segment(fixed, moving, root)
        if found == tiers:
            return root
        if root <= last if end == 0 else root >= last:  # rounding at a boundary, or no healthy range
            return root if isclose(root, last) else None
        last, tiers = root, found


def _root(a, b, c, end):
    """Lower (end = 0) or upper (end = inf) root of a + b*P + c/P with c <= 0, or None."""
    if c == 0.0:
        return -a / b if (b > 0 > a if end == 0 else b < 0 < a) else None
    square = a * a - 4 * b * c
    if square < 0 or (b <= 0 and a <= 0):
        return None
    if end == 0:  # the same root twice: whichever form does not subtract (a < 0 means b > 0 here)
        return (sqrt(square) - a) / (2 * b) if a < 0 else -2 * c / (a + sqrt(square))
    return -(a + sqrt(square)) / (2 * b) if b < 0 else None


def _tiers(pool, index, price):
    """Tier, from 1, of each contract on an index, on the notional that the venue charges when P is `price`."""
    on = {}
    for t in pool.terms:
        if t.index == index:
            schedule = t.position.instrument.tiers
            at = pool.marks if pool.venue.maintenance_at == "mark" else {index: price}
            notional = t.notional(at) if t.frozen is None else t.frozen
            on[t.symbol] = schedule.tier(notional if schedule.basis == "notional" else abs(t.position.quantity)) + 1
    return on


def _why_not(side):
    """The reason why there is no crossing on a side."""
    pool, index, (value, slope) = side.source, side.index, _state(side)
    fixed_moving = _lines(pool, index, side.kind)
    if value <= 0 and _solve(*fixed_moving, 0.0) is None and _solve(*fixed_moving, inf) is None:
        return (
            f"the pool is below its line at the mark, and no {'lower' if side.end == 0 else 'higher'} price ends that"
        )
    if index not in pool.collateral and all(p.instrument.index != index for p in pool.positions):
        return f"nothing in this pool moves with {index}"
    if side.end == 0:
        covered = "the margin covers the whole position: the price would have to be at or below 0"
        return covered if slope > 0 else "a fall is a gain here"
    if slope < 0 and any(
        p.instrument.index == index and p.instrument.inverse and p.quantity < 0 for p in pool.positions
    ):
        return "a rise costs an inverse short of 1x or less at most the coins that it was sold for, and they are there"
    return "the coins in this pool grow with the price, and cover it" if slope < 0 else "a rise is a gain here"
