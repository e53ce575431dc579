"""What a liquidation closes next, and how much of it: the venue's `Liquidation` applied to a pool."""

from bisect import bisect_right
from math import inf

from .fills import mark, notional_quote, reduced

DUST = 1e-12  # of the size of what is there: rounding, and no margin


def ranked(pool):
    """The positions of a pool, the one that its venue closes first at the head."""
    measure = {
        "requirement": lambda t: t.charge(t.notional(pool.marks)) * pool.unit(t.settle, pool.marks),
        "loss": lambda t: -t.position.pnl(t.price(pool.marks)) * pool.unit(t.settle, pool.marks),
        "notional": lambda t: notional_quote(pool, t.position),
    }[pool.venue.liquidation.order]
    return [t.position for t in sorted(pool.terms, key=measure, reverse=True)]


def portion(pool, market, stepped):
    """(position, contracts to close next), or (None, 0) if the whole pool is to be closed.

    The first position in order of which a part may be closed, and is enough where it is to restore slack. Where there
    is none, the first in order is closed whole, if the venue goes position by position.
    """
    rule, order = pool.venue.liquidation, ranked(pool)
    for position in order:
        whole = abs(position.quantity)
        if notional_quote(pool, position) > rule.partial_above:
            count = whole
            if rule.partial == "share" and position.label not in stepped:
                count = rule.share * whole
            elif rule.partial == "tiers":
                count = whole - stepped_down(pool, position)
            elif rule.partial == "size":
                count = restoring(pool, position, market)
            if count < whole:
                return position, count
    loans = any(h.owed and h.schedule for h in pool.holdings)  # which the rest may still carry
    if rule.scope == "pool" or not order or (len(order) == 1 and not loans):
        return None, 0.0
    return order[0], abs(order[0].quantity)


def stepped_down(pool, position):
    """Contracts that a position keeps when it goes down as many tiers as its venue says; 0 if it is too low for it."""
    rule, kept = pool.venue.liquidation, kept_at_floors(pool, position)
    tier = bisect_right(kept, abs(position.quantity) * (1 - DUST)) - 1  # what ends a tier is still in it
    if tier + 1 < rule.least_tier or tier < rule.tiers:
        return 0.0
    return kept[tier - rule.tiers + 1]


def kept_at_floors(pool, position):
    """Contracts of a position at the floor of each tier of its schedule, in rising order."""
    schedule, whole = position.instrument.tiers, abs(position.quantity)
    at = position.entry if pool.venue.maintenance_at == "entry" else mark(pool, position)
    notional = abs(position.notional(at))  # what maintenance is charged on
    size = notional if schedule.basis == "notional" else whole
    return [whole * (floor / size) for floor in schedule.floors]


def restoring(pool, position, market):
    """The number of contracts whose closing brings slack back to its buffer; all of them if none does.

    It is the least, except that a still smaller size, if it lies between two 64ths of the position, is not looked for.
    """
    whole, goal = abs(position.quantity), 1 + max(pool.venue.liquidation.buffer, 10 * DUST)  # above the line, not on it

    def excess(count):
        after = reduced(pool, position, count, market.fill(pool, position, count)).pool
        return after.equity() - goal * after.requirement() if after.open else -inf

    # where impact grows, to close more can be worse than to close less: look at 64 sizes, and where tiers end
    ends = [whole - kept for kept in kept_at_floors(pool, position) if 0 < kept < whole]
    low, short = 0.0, -inf
    for count in sorted({*(whole * n / 64 for n in range(1, 65)), *ends}):
        if (there := excess(count)) >= 0:
            return narrowed(excess, (low, short), (count, there), DUST * whole)
        low, short = count, there
    return whole


def narrowed(excess, low, high, width):
    """The x, within `width`, from which `excess` is no longer below 0, between two (x, excess): secant and halving."""
    halve = False
    while high[0] - low[0] > width:
        part = 0.5 if halve or low[1] == -inf else min(max(low[1] / (low[1] - high[1]), 1e-3), 1 - 1e-3)
        x = low[0] + (high[0] - low[0]) * part
        if not low[0] < x < high[0]:
            break
        here, halve = (x, excess(x)), not halve
        low, high = (here, high) if here[1] < 0 else (low, here)
    return high[0]
