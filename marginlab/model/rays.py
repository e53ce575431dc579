"""Slack along a line of prices, piece by piece, and its roots.

Measured in quote currency and along a line of prices, P = start + step*x for every index that moves, a pool is

    slack = a + b*x + c/x

between two boundaries of its tier schedules. That holds for coins, debts and contracts alike: an inverse
contract's PnL of N*(1/E - 1/P) coins is N*P/E - N in quote currency. (c is there only where an inverse
contract's rate grows with its size.) Maintenance and haircut schedules are convex, so slack is concave and lies below
each of its segments: the root of a segment is never inside the healthy range. From either end we solve the
segment, look up the tiers that hold at the root, and solve again until they stay the same. That is the rule
of Binance FAQ b3c689c1f50a44cabb3a84e663b81d93 (redo with the bracket at P); it cannot run in circles.
"""

from bisect import bisect_right
from collections.abc import Mapping
from math import inf, isclose, sqrt
from typing import NamedTuple

from . import checks


class Ray(NamedTuple):
    """A line of prices: index by index P = start + step*x, from x = 0 to `end`, with the marks at x = `here`.

    `most` is the largest share that an index has in the move: x/here - 1 is the move of an index of share `most`.
    """

    paths: dict
    here: float
    end: float = inf
    most: float = 1.0

    def price(self, x):
        """The price at x of the one index that moves; ValueError where several do."""
        if len(self.paths) > 1:
            raise ValueError(f"{', '.join(self.paths)} move together: see prices and distance")
        ((start, step),) = self.paths.values()
        return start + step * x


def ray(pool, index=None):
    """The `Ray` along one index, several, or a mapping of each to its share in the move: see `Pool.liquidation`."""
    if type(index) is str and index in pool.followed:
        return Ray({index: (0.0, 1.0)}, pool.quote(index, pool.marks))
    follows = pool.indices
    if index is None and len(moving := sorted({p.instrument.index for p in pool.positions})) == 1:
        return ray(pool, moving[0])
    if index is None and len(follows) == 1:
        return ray(pool, follows[0])
    shares = index if isinstance(index, Mapping) else dict.fromkeys(index if isinstance(index, list | tuple) else (), 1)
    if not shares or not all(isinstance(name, str) and name in pool.followed for name in shares):
        known = ", ".join(follows) or "(nothing here)"
        raise ValueError(f"index must be one of {known}, a list of them or a mapping to shares, not {index!r}")
    shares = {name: checks.number(f"the share of {name}", share) for name, share in shares.items() if share != 0}
    most = max(shares.values(), default=0.0)
    if most <= 0:
        raise ValueError(f"index must give at least one coin a share above 0, not {index!r}")
    paths, end = {}, inf
    for name, share in shares.items():
        mark, part = pool.quote(name, pool.marks), share / most
        paths[name] = (mark * (1.0 - part), mark * part)
        end = end if part > 0 else min(end, 1.0 - 1.0 / part)
    return Ray(paths, 1.0, end, most)


def lines(pool, along, kind):
    """What a pool is worth along a ray, in quote currency: ((a, b), moving).

    a + b*x is equity, less (for a liquidation) the charges that are affine in x. `moving` holds the positions and
    balances whose tier changes with x, as (size, schedule, share, fee, unit, start, step), unit None if they settle
    in the coin that they follow.
    """
    marks, venue, paths, a, b, moving = pool.marks, pool.venue, along.paths, 0.0, 0.0, []
    full = kind == "bankruptcy"
    if pool._orders and not full:
        start, step = paths.get(pool.currency) or (pool.quote(pool.currency, marks), 0.0)
        a, b = -pool._orders * start, -pool._orders * step
    for h in pool.holdings:
        currency, amount, weighted, size, schedule, share, fee = h
        path = paths.get(currency)
        start, step = path or (pool.quote(currency, marks), 0.0)
        counted = amount if full else weighted
        a, b = a + counted * start, b + counted * step
        if schedule is None or full:
            continue
        if path and schedule.basis == "notional":
            moving.append((size, schedule, share, fee, 1.0, start, step))
        else:
            coins = h.charge(start or 1.0) / (start or 1.0)  # they do not change with the price
            a, b = a - coins * start, b - coins * step
    for i, p in enumerate(pool.positions):
        instrument = p.instrument
        path, size = paths.get(instrument.index), p.quantity * instrument.face
        if path is None:
            unit = pool.quote(instrument.settle, marks)
            a += p.pnl(marks.get(instrument.symbol, marks[instrument.index])) * unit
            a -= 0.0 if full else pool.terms[i].charge(pool.terms[i].notional(marks)) * unit
            continue
        start, step = path
        if instrument.inverse:
            unit, worth = None, size / p.entry
            a, b = a + worth * start - size, b + worth * step
        else:
            unit = pool.quote(instrument.settle, marks)
            a, b = a + size * (start - p.entry) * unit, b + size * step * unit
        if full:
            continue
        t, schedule, size, rate = pool.terms[i], instrument.tiers, abs(size), 0.0
        held = t.held
        if venue.maintenance_at == "mark":
            held = t.charge(t.notional(marks))
        elif t.frozen is not None:
            held, rate = t.charge(0.0), t.fee
        elif schedule.basis == "quantity":
            rate = t.share * schedule.rate(abs(p.quantity)) + t.fee
        else:
            if schedule.growth and start:
                raise ValueError(
                    f"{instrument.symbol} has a margin rate that grows with its worth: with it, all that move must "
                    f"have the same share"
                )
            moving.append((size, schedule, t.share, t.fee, unit, start, step))
        if unit is None:  # `held` coins are worth held*P, and a rate on size/P coins is a constant
            a, b = a - rate * size - held * start, b - held * step
        else:
            a, b = a - (held + rate * size * start) * unit, b - rate * size * step * unit
    return (a, b), moving


def segment(fixed, moving, x):
    """(a, b, c) and the tiers of the segment of slack that holds at x; 0 and inf are its ends."""
    (a, b), c, tiers = fixed, 0.0, []
    for size, schedule, share, fee, unit, start, step in moving:
        price = start + step * x
        notional = size * price if unit is not None else size / price if price else inf
        tier = bisect_right(schedule.floors, notional) - 1
        rate, amount = (share * schedule.rates[tier] + fee) * size, share * schedule.amounts[tier]
        if unit is not None:
            a, b = a + (amount - rate * start) * unit, b - rate * step * unit
        else:
            a, b = a - rate + amount * start, b + amount * step
            c -= share * schedule.growth * size * size / step
        tiers.append(tier)
    return a, b, c, tiers


def solve(fixed, moving, end, limit=inf):
    """Root of slack nearest to `end` (0 or inf) and below `limit`, or None."""
    last = _root(*fixed, 0.0, end)  # slack ends before equity does: no requirement is below 0
    if last is None or last > limit:
        last = end if end < limit else limit
    a, b, c, tiers = segment(fixed, moving, last)
    while True:
        root = _root(a, b, c, end)
        if root is None or root >= limit:
            return None
        a, b, c, found = segment(fixed, moving, root)
        if found == tiers:
            return root
        if root <= last if end == 0 else root >= last:  # rounding at a boundary, or no healthy range
            return root if isclose(root, last) else None
        last, tiers = root, found


def _root(a, b, c, end):
    """Lower (end = 0) or upper (end = inf) root of a + b*x + c/x with c <= 0, or None."""
    if c == 0.0:
        return -a / b if (b > 0 > a if end == 0 else b < 0 < a) else None
    square = a * a - 4 * b * c
    if square < 0 or (b <= 0 and a <= 0):
        return None
    if end == 0:  # the same root twice: whichever form does not subtract (a < 0 means b > 0 here)
        return (sqrt(square) - a) / (2 * b) if a < 0 else -2 * c / (a + sqrt(square))
    return -(a + sqrt(square)) / (2 * b) if b < 0 else None
