"""Why a liquidation price is where it is, or why there is none, in a sentence."""

from math import inf

from . import display, liquidation, rays


def why(side):
    """What happens at a crossing, how far away it is, and what holds the pool up or pulls it down there."""
    pool, most = side.source, side.ray.most
    what = "equity meets its requirement" if side.kind == "liquidation" else "what the pool is worth is used up"
    if len(pool.holdings) < 2 and pool.own_in_full and side.kind == "bankruptcy":
        what = "equity is used up"
    way = f"{abs(side.distance) * 100:.1f} % {'below' if side.distance < 0 else 'above'}"
    if len(side.ray.paths) == 1:
        where = f"at {display.fmt(side.price)}, {way} {display.fmt(pool.quote(side.index, pool.marks))}"
    else:
        at = ", ".join(f"{name} {display.fmt(price)}" for name, price in side.prices.items())
        where = f"when prices are {way} their marks{'' if most == 1 else ' for a share of 1'} ({at})"
    on = ", ".join(f"{name} on tier {tier}" for name, tier in side.tiers.items())
    return f"{what} {where}" + (f" ({on})" if on else "") + (others(side) if side.kind == "liquidation" else "")


def others(side):
    """Which positions and debts hold the pool up there, and which pull it down: "" where there is only one."""
    parts = {name: part for name, part in side.parts.items() if not name.endswith(" held")}
    if len(parts) < 2:
        return ""
    said = []
    for verb, way in (("hold", 1), ("pull", -1)):
        names = sorted((name for name in parts if parts[name] * way > 0), key=lambda name: -abs(parts[name]))[:2]
        if names:
            each = (
                f"{name} ({'+' if way > 0 else ''}{display.fmt(parts[name])} {side.source.currency})" for name in names
            )
            said.append(f"{' and '.join(each)} {verb}{'s' if len(names) == 1 else ''} it {'up' if way > 0 else 'down'}")
    return "; there " + ", ".join(said)


def tiers(side):
    """Tier, from 1, of each contract that moves, on the notional that the venue charges at the crossing."""
    pool, on = side.source, {}
    at = pool.marks if pool.venue.maintenance_at == "mark" else side.prices
    moving = [t for t in pool.terms if t.index in side.ray.paths]
    for t in moving:
        schedule = t.position.instrument.tiers
        notional = t.notional(at) if t.frozen is None else t.frozen
        twice = sum(other.symbol == t.symbol for other in moving) > 1  # a long and a short of one contract
        name = t.position.label if twice else t.symbol
        on[name] = schedule.tier(notional if schedule.basis == "notional" else abs(t.position.quantity)) + 1
    return on


def why_not(side):
    """The reason why there is no crossing on a side."""
    pool, paths, (value, slope) = side.source, side.ray.paths, liquidation.state(side)
    found = rays.lines(pool, side.ray, side.kind)
    if value <= 0 and all(rays.solve(*found, end, side.ray.end) is None for end in (0.0, inf)):
        way = "lower" if side.side == 0 else "higher"
        return f"the pool is below its line at the mark, and no {way} price ends that"
    moving = [p for p in pool.positions if p.instrument.index in paths]
    if not moving and not any(h.currency in paths for h in pool.holdings):
        return f"nothing in this pool moves with {side.index}"
    if slope == 0:
        return (
            "the pool's worth does not move with the price" if side.kind == "bankruptcy" else "its slack does not move"
        )
    alone = len(pool.positions) + sum(h.owed for h in pool.holdings) == 1
    gain = "is a gain here" if alone else "only adds to slack here"
    if side.side == 0:
        covered = "the margin covers the whole position: the price would have to be at or below 0"
        return covered if slope > 0 else f"a fall {gain}"
    if (
        slope < 0
        and any(p.instrument.inverse and p.quantity < 0 for p in moving)
        and not any(h.owed for h in pool.holdings)
    ):
        return "a rise costs an inverse short of 1x or less at most the coins that it was sold for, and they are there"
    return "the coins in this pool grow with the price, and cover it" if slope < 0 else f"a rise {gain}"
