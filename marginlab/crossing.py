"""Where a function of prices stops being above zero, and the sentence that says why.

Prices move along a line through the marks: x = 1 at the marks, x = 0.9 where a coin has lost 10 %.
What is asked is any function of x, of numbers or arrays. In quote currency a pool without options
is a concave function of it (schedules only rise), so it is above zero between two ends, and a few
points are enough to close in on each of them.
"""

from collections.abc import Callable
from math import inf
from typing import NamedTuple

import numpy as np
from attrs import frozen

from .show import fmt, priced, table

NEAR, FAR = 1e-13, 1e9  # beyond them an end is rounding: a long that is paid in full ends at 0
INWARD = np.array([NEAR, 1e-6, 1e-3, 0.1, 0.5, 0.8])
OUTWARD = np.array([1.2, 2.0, 10.0, 1e3, 1e6, FAR])  # where a concave function is looked at
FINE, CLOSE = np.geomspace(1e-5, 0.95, 60), np.geomspace(1e-4, 0.05, 12)
AROUND_MARKS = np.r_[-FINE, 0.0, FINE, 1 + 4 * FINE]  # where it may bend both ways
AROUND_BENDS = np.r_[-CLOSE, 0.0, CLOSE]  # such as a strike
SHARES = np.array([0.2, 0.5, 0.9, 0.999, 1 - NEAR])  # and on a way that ends


@frozen
class Line:
    """A line of prices: each index moves by its part of the move of the one that moves most.

    `most` is the share of that one: 1 unless shares of a move were given. Where one contract moves
    that has a mark of its own, `ratio` is that mark / that of its index: its price is meant.
    """

    marks: dict
    parts: dict
    most: float = 1.0
    ratio: float = 1.0

    def prices(self, x):
        """Price of each index at x, numbers or arrays."""
        return {name: self.marks[name] * (p * x + (1.0 - p)) for name, p in self.parts.items()}

    @property
    def end(self):
        """The x at which the first price would be 0; inf if they all rise with x."""
        return min((1.0 - 1.0 / part for part in self.parts.values() if part < 0), default=inf)

    @property
    def index(self):
        """What moves, in words."""
        return ", ".join(self.parts)

    def price(self, x):
        """The price at x of the one index, or contract, that moves; ValueError where several do."""
        if len(self.parts) > 1:
            raise ValueError(f"{self.index} move together: see prices and distance")
        return self.prices(x)[self.index] * self.ratio


# ------------------------------------------------------------------ finding ends


def root(f, a, b, left=None, right=None):
    """The x between a and b > a at which f goes through 0. Numbers or arrays; NaN where none.

    False position; the value of an end that stays is halved (Illinois). A straight piece takes one
    step. (For 5,000 positions scipy's elementwise.find_root takes four times as long.)
    """
    left = f(a) if left is None else left  # what is known already
    right = f(b) if right is None else right
    x, side = a, 0
    for _ in range(100):
        before, x = x, a + (b - a) * (left / (left - right))
        if not np.any(np.abs(x - before) > 4e-16 * np.abs(x)):
            break
        value = f(x)
        low = (value > 0) == (left > 0)  # it is on the side of a
        right = np.where(low, np.where(side > 0, right / 2, right), value)
        left = np.where(low, value, np.where(side < 0, left / 2, left))
        a, b, side = np.where(low, x, a), np.where(low, b, x), np.where(low, 1, -1)
    return x


def ends(f, last=inf, bends=None):
    """(lower, upper) end of the range in which a concave f of x > 0 is above 0; None where none.

    x is below `last`. Where f is not concave, `bends` are points of it, and it is looked at more
    often: near 1, near those points, and outwards. Where f(1) is above 0 the ends lie on both sides
    of 1; else there may still be such a range elsewhere, and if there is none both are None.
    """
    points = np.r_[INWARD, OUTWARD if last == inf else 1 + (last - 1) * SHARES]
    if bends is not None:
        close = np.r_[1 + AROUND_MARKS, *(bend * (1 + AROUND_BENDS) for bend in bends)]
        points = np.unique(np.r_[points, close[(close > NEAR) & (close < min(last, FAR))]])
    good = 1.0 if f(1.0) > 0 else healthy(f, points)
    if good is None:
        return None, None
    return first_end(f, good, points[points < good][::-1]), first_end(
        f, good, points[points > good]
    )


def first_end(f, good, outward):
    """The root before the first of the points outward at which f is not above 0, or None."""
    down = f(outward) <= 0
    if not np.any(down):
        return None
    n = int(np.argmax(down))
    return float(root(f, *sorted((outward[n - 1] if n else good, outward[n]))))


def healthy(f, x):
    """An x at which a concave f is above 0, found by looking closer where it is greatest."""
    for _ in range(20):
        value = np.broadcast_to(f(x), x.shape)  # a number, where nothing moves
        k = int(np.argmax(value))
        if value[k] > 0:
            return float(x[k])
        x = np.geomspace(x[max(k - 1, 0)], x[min(k + 1, len(x) - 1)], 33)
    return None


# ------------------------------------------------------------------- the answer


class Facts(NamedTuple):
    """What an answer knows of whom it was asked for: functions of prices, and words.

    again : (callable, arguments)
        What answers anew: all that a pickle keeps.
    name, currency : str
    value, own : callable
        Of x: what was asked, in the pool's own currency, and the price of that currency.
    pieces : callable
        Of x: its terms by name, which sum to `value`.
    breached : callable
        Whether it is at or below 0 already.
    parts, tiers : callable
        Of prices: what each position and balance adds, and the tier of each contract that moves.
    said : callable
        Of the name of a part and prices: that part in words.
    mark : float
        Of the index, or the contract, where one moves.
    moves, alone, coins : bool
        Whether anything moves with the line; whether there is but one position or debt; whether an
        inverse short moves and nothing is owed.
    used_up : str
        What bankruptcy is called here.
    """

    again: tuple
    name: str
    currency: str
    value: Callable
    own: Callable
    pieces: Callable
    breached: Callable
    parts: Callable
    tiers: Callable
    said: Callable
    mark: float
    moves: bool
    alone: bool
    coins: bool
    used_up: str


class Crossing(NamedTuple):
    """One side of the answer; `why` says what happens there, or why there is no such price.

    `price` in quote currency, or None, where one index moves; where several do, `prices` has them
    by name. `distance` is how far away that is.
    """

    kind: str  # "liquidation" or "bankruptcy"
    line: Line
    side: str  # "below" or "above"
    root: float | None
    facts: Facts
    ended: bool  # whether there is an end on either side

    @property
    def price(self):
        """The price of the one index that moves, or None; ValueError where several do."""
        return None if self.root is None else self.line.price(self.root)

    @property
    def prices(self):
        """Price of every index that moves, by name: empty if there is no crossing."""
        return {} if self.root is None else self.line.prices(self.root)

    @property
    def index(self):
        """What moves, in words."""
        return self.line.index

    @property
    def distance(self):
        """How far the mark has to move, as a signed fraction; infinite if there is no crossing.

        Where shares were given, it is the move of an index whose share is 1.
        """
        return inf if self.root is None else (self.root - 1) / self.line.most

    @property
    def tiers(self):
        """The tier, from 1, of each contract that moves, at a liquidation price."""
        there = self.root is not None and self.kind == "liquidation"
        return self.facts.tiers(self.prices) if there else {}

    @property
    def parts(self):
        """What each position, balance and debt adds to slack there, by name: it sums to 0."""
        return {} if self.root is None else self.facts.parts(self.prices)

    @property
    def slope(self):
        """How fast it crosses: of the pool's currency, for each unit of the price that moves."""
        less, more = (self.root * (1 + step) for step in (-1e-4, 1e-4))  # straight, but for a kink
        value, own = self.facts.value, self.facts.own
        rise = value(more) * own(more) - value(less) * own(less)
        return rise / (self.line.price(more) - self.line.price(less)) / own(self.root)

    @property
    def why(self):
        """What happens at the price and what holds the pool up there; or why there is none."""
        return why_not(self) if self.root is None else why(self)

    @property
    def said(self):
        """The price in short, the move in per cent where several prices move, or "none"."""
        if self.root is None:
            return "none"
        return priced(self.price) if len(self.line.parts) == 1 else f"{self.distance * 100:+.1f} %"

    def __reduce__(self):
        return _side, (*self.facts.again, self.side)

    def __repr__(self):
        return self.why


def _side(ask, given, side):
    return getattr(ask(*given), side)


class Crossings(NamedTuple):
    """Where slack (liquidation) or worth (bankruptcy) crosses zero along a line of prices.

    The pool is healthy between `below` and `above`; either may be absent, and says why.
    """

    kind: str  # "liquidation" or "bankruptcy"
    line: Line
    facts: Facts
    low: float | None  # the ends, as multiples of the mark
    high: float | None

    @property
    def below(self):
        """The lower `Crossing`."""
        return self._side("below", self.low)

    @property
    def above(self):
        """The upper `Crossing`."""
        return self._side("above", self.high)

    def _side(self, side, root):
        ended = self.low is not None or self.high is not None
        return Crossing(self.kind, self.line, side, root, self.facts, ended)

    @property
    def pool(self):
        """The name of the pool."""
        return self.facts.name

    @property
    def mark(self):
        """The price at which the one index that moves is marked."""
        return self.line.price(1.0)

    @property
    def breached(self):
        """Whether the pool is at or below its line at the mark already."""
        return bool(self.facts.breached())

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
        """The price of the one index that moves, at the nearest crossing; ValueError if none."""
        return self.nearest.price

    @property
    def rows(self):
        """(side, price or "none", reason) of both sides."""
        return [(side.side, side.said, side.why) for side in (self.below, self.above)]

    def __reduce__(self):
        return self.facts.again

    def __repr__(self):
        state = " (breached already)" if self.breached else ""
        said = [f"  {name} {price}: {reason}" for name, price, reason in self.rows]
        head = f"{self.kind} of {self.pool} along {self.line.index}{state}"
        return "\n".join([head, *said])

    def _repr_html_(self):
        return table(self.rows, (f"{self.kind} along {self.line.index}", "price", self.pool))


# -------------------------------------------------------------------- the reason


def why(side):
    """What happens at a crossing, how far away it is, and what holds the pool up there."""
    facts, line = side.facts, side.line
    what = "equity meets its requirement" if side.kind == "liquidation" else facts.used_up
    way = f"{abs(side.distance) * 100:.1f} % {'below' if side.distance < 0 else 'above'}"
    if len(line.parts) == 1:
        where = f"at {priced(side.price)}, {way} {priced(facts.mark)}"
    else:
        share = "" if line.most == 1 else " for a share of 1"
        at = ", ".join(f"{name} {priced(there)}" for name, there in side.prices.items())
        where = f"when prices are {way} their marks{share} ({at})"
    on = ", ".join(f"{name} on tier {tier}" for name, tier in side.tiers.items())
    there = others(side) if side.kind == "liquidation" else ""
    return f"{what} {where}" + (f" ({on})" if on else "") + there


def others(side):
    """Which positions and debts hold the pool up there, and which pull it down; "" if but one."""
    parts = {name: part for name, part in side.parts.items() if not name.endswith(" held")}
    if len(parts) < 2:
        return ""
    said = []
    for verb, way in (("hold", 1), ("pull", -1)):
        names = [name for name in parts if parts[name] * way > 0]
        names = sorted(names, key=lambda name: -abs(parts[name]))[:2]
        sign = "+" if way > 0 else ""
        words = [side.facts.said(name, side.prices) for name in names]
        each = [
            f"{word} ({sign}{fmt(parts[name])} {side.facts.currency})"
            for word, name in zip(words, names, strict=True)
        ]
        if each:
            plural = "s" if len(each) == 1 else ""
            said.append(f"{' and '.join(each)} {verb}{plural} it {'up' if way > 0 else 'down'}")
    return "; there " + ", ".join(said)


def why_not(side):
    """The reason why there is no crossing on a side."""
    facts, low = side.facts, side.side == "below"
    if facts.value(1.0) <= 0 and not side.ended:
        way = "lower" if low else "higher"
        return f"the pool is below its line at the mark, and no {way} price ends that"
    if not facts.moves:
        return f"nothing in this pool moves with {side.index}"
    step = min(1e-5, (side.line.end - 1) / 2)
    less, more = facts.pieces(1 - step), facts.pieces(1 + step)
    moves = [more[name] - less[name] for name in more]
    noise = 1e-14 * sum(map(abs, more.values()))
    slope = sum(moves)
    if abs(slope) <= max(noise, 1e-9 * sum(map(abs, moves))):
        worth = "the pool's worth does not move with the price"
        return worth if side.kind == "bankruptcy" else "its slack does not move"
    gain = "is a gain here" if facts.alone else "only adds to slack here"
    if low:
        covered = "the margin covers the whole position: the price would have to be at or below 0"
        covered = covered if facts.alone else "the pool stands at every lower price"
        return covered if slope > 0 else f"a fall {gain}"
    if slope > 0:
        return f"a rise {gain}"
    if facts.coins:
        return (
            "a rise costs an inverse short of 1x or less at most the coins that it was sold for, "
            "and they are there"
        )
    return "the coins in this pool grow with the price, and cover it"
