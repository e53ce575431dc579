"""Processes of liquidation for tests, from a few words."""

from bisect import bisect_left  # noqa: F401
from math import inf

from marginlab import Liquidation, cancel_orders, close_all, close_each, close_share, step_down, take_over
from marginlab.liquidation import DUST, floors_kept, partly, ranked, reduced


def close_enough(buffer=0.0):
    """The step in which just so much is closed that slack is back, with a buffer as a share of the requirement (Drift).

    It is the least, except that a still smaller size, if it lies between two 64ths of the position, is not looked for.
    """

    def step(pool, market):
        for position in ranked(pool):
            count = restoring(pool, position, market, buffer)
            if count < abs(position.quantity):
                return partly(pool, market, position, count)
        return pool, []

    return step


def restoring(pool, position, market, buffer):
    """The number of contracts whose closing brings slack back to its buffer; all of them if none does."""
    whole, goal = abs(position.quantity), 1 + max(buffer, 10 * DUST)  # above the line, not on it

    def excess(count):
        after, _ = reduced(pool, position, count, market.fill(pool, position, count))
        return after.equity() - goal * after.requirement() if after.open else -inf

    # where impact grows, to close more can be worse than to close less: look at 64 sizes, and where tiers end
    ends = [whole - kept for kept in floors_kept(pool, position) if 0 < kept < whole]
    low = 0.0
    for count in sorted({*(whole * n / 64 for n in range(1, 65)), *ends}):
        if excess(count) >= 0:
            for _ in range(60):
                middle = (low + count) / 2
                low, count = (low, middle) if excess(middle) >= 0 else (middle, count)
            return count
        low = count
    return whole


def process(partial="none", scope="pool", takeover=0.0, share=0.2, partial_above=0.0, tiers=1, least_tier=2,
            buffer=0.0, **how):  # fmt: skip
    """A `Liquidation`: which part is closed first, whether a pool goes as a whole, where it is taken over."""
    part = {"none": [], "share": [close_share(share, partial_above)], "tiers": [step_down(tiers, least_tier)],
            "size": [close_enough(buffer)]}[partial]  # fmt: skip
    over = [take_over(takeover)] if takeover else []
    each = [close_each] if scope == "position" else []
    return Liquidation(cancel_orders, *over, *part, *each, close_all, **how)
