"""What a pool's margin is in use for, part by part; what it is free for; and how much a liquidation price takes."""

from math import inf

import numpy as np

from .assets import Asset
from .liquidation import slack_along


def charge(pool, holding, at):
    """Haircut on what is held, or maintenance of what is owed, in the pool's currency."""
    return holding.charge(pool.quote(holding.currency, at)) / pool.quote(pool.currency, at)


def balances(pool, at, full=False):
    """(value of the balances, what debts and orders require) at prices `at`; in `full`, without haircuts or weights."""
    counted, required = 0.0, pool._orders
    for h in pool.holdings:
        counted = counted + (h.amount if full else h.weighted) * pool.unit(h.currency, at)
        if h.schedule and h.owed:
            required = required + charge(pool, h, at)
        elif h.schedule and not full:
            counted = counted - charge(pool, h, at)
    return counted, required


def initial(pool, at):
    """Initial margin at prices `at`: notional or debt / leverage, with the fee where the venue adds it."""
    total = pool.orders
    for t in pool.terms:
        p, notional = t.position, t.notional(at) if t.frozen is None else t.frozen
        margin = p.instrument.tiers.initial(notional, p.leverage, abs(p.quantity))
        total = total + (margin + t.held) * pool.unit(t.settle, at)
    for h in pool.holdings:
        if h.owed and h.schedule:
            value = h.size * pool.quote(h.currency, at)
            total = total + h.schedule.initial(value, None, h.size) / pool.quote(pool.currency, at)
    return total


def parts(pool, at):
    """See `Pool.parts`."""
    found = {}
    for h in pool.holdings:
        taken = charge(pool, h, at) if h.schedule else 0.0
        found[f"{h.currency} {'owed' if h.owed else 'held'}"] = h.weighted * pool.unit(h.currency, at) - taken
    for t in pool.terms:
        slack = (t.position.pnl(t.price(at)) - t.charge(t.notional(at))) * pool.unit(t.settle, at)
        found[t.position.label] = found.get(t.position.label, 0.0) + slack
    return found | ({"open orders": -pool._orders} if pool._orders else {})


def available(pool, at):
    """See `Pool.available`."""
    equity, requirement = pool._stand(at)
    return plain(equity - np.maximum(initial(pool, at), requirement))


def withdrawable(pool, currency, at):
    """See `Pool.withdrawable`."""
    equity, requirement = pool._stand(at)
    counted = balances(pool, at)[0]
    free = np.minimum(counted, equity) - np.maximum(initial(pool, at), requirement)
    if not isinstance(currency, str):
        raise TypeError(f"currency must be a name, such as 'BTC', not {currency!r}; prices come second or by name")
    held = pool.collateral.get(currency, 0.0)
    if currency == pool.currency and pool.own_in_full:
        return plain(np.minimum(free, held))
    if held <= 0:
        return 0.0
    price, schedule = pool.quote(currency, at), (pool.venue.asset(currency) or Asset()).haircut
    kept = held * price - schedule.maintenance(held * price, held) - free * pool.quote(pool.currency, at)
    scale = price if schedule.basis == "notional" else 1.0  # what a floor of the haircut counts
    needed = -inf  # the value that has to stay: the counted value is the least over the tiers, so this is the most
    for rate, amount in zip(schedule.rates, schedule.amounts, strict=True):
        if rate < 1:
            needed = np.maximum(needed, (kept - amount * price / scale) / (1 - rate))
        else:  # more of it counts for nothing: if it is not enough, no amount is
            needed = np.where(kept > amount * price / scale + 1e-12 * abs(kept), inf, needed)
    return plain(np.minimum(held, held - needed / price))


def plain(value):
    return value if np.ndim(value) else float(value)


def margin_for(pool, price, ray):
    """See `Pool.margin_for`. Slack is affine in the pool's own currency, so two valuations give it."""
    index, *others = ray.paths
    if others:
        raise ValueError(f"index must be one of {', '.join(pool.indices)}, not several at once")
    held = pool.collateral.get(pool.currency, 0.0)
    if not pool.own_in_full and held < 0:  # start where nothing is owed
        pool, held = pool.adding(-held), 0.0
    here = slack_along(pool, ray, price)
    step = abs(held) + abs(here) + pool.requirement({index: price}) or 1.0  # of the size of what is there
    margin = held - here * step / (slack_along(pool.adding(step), ray, price) - here)
    if margin < 0 and not pool.own_in_full:
        raise ValueError(
            f"liquidation={price:,g} takes no {pool.currency} at all in {pool.name!r}: it ends further away"
        )
    moved = pool.adding(margin - held)
    if slack_along(moved, ray, ray.here) <= 0:
        raise ValueError(
            f"liquidation={price:,g} cannot be the liquidation price of {pool.name!r} while {index} is marked at "
            f"{pool.marks[index]:,g}: with the margin for it, {margin:,.10g} {pool.currency}, it is closed already"
        )
    return margin
