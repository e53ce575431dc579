"""Liquidation prices of many positions at once, each alone in its pool: one formula over arrays."""

from bisect import bisect_right
from dataclasses import replace
from math import inf

import numpy as np

from . import checks
from .instruments import Perpetual
from .venue import Venue


def liquidation_price(venue, instrument, quantity, entry, margin, mark=None, leverage=None):
    """Liquidation prices of isolated positions, one by one or in arrays that broadcast.

    With V the notional at the answer, and z = -1 for a linear long or an inverse short, +1 for the others,

        V + z * maintenance(V) = V_entry + z * margin

    which each tier turns into one division. The tier that holds is the one that liquidates first. Agrees with
    `Pool.liquidation` and Binance FAQ b3c689c1f50a44cabb3a84e663b81d93, ceccfcfb4e3a45e3b48b0b1bb1a8ae46.

    Parameters
    ----------
    venue : Venue
    instrument : Perpetual
    quantity, entry, margin, mark, leverage : float or ndarray
        Contracts (signed), quote currency, settlement currency (> 0), quote currency, a pure number. `mark` (entry if
        absent) and `leverage` matter at venues whose rules ask for them.

    Returns
    -------
    float or ndarray
        In quote currency: 0 where only a price of zero or less, and inf where no price, would liquidate.
    """
    if not isinstance(venue, Venue):
        raise TypeError(f"venue must be a Venue, such as venues.TEACHING, not {venue!r}")
    if not isinstance(instrument, Perpetual):
        raise TypeError(f"instrument must be a Perpetual, not {instrument!r}")
    if np.asarray(quantity).dtype.kind not in "fiu":
        raise TypeError(f"quantity must be a number or an array of numbers, not {quantity!r}")
    quantity = np.asarray(quantity, dtype=float)
    if not np.isfinite(quantity).all() or not quantity.all():
        raise ValueError(f"quantity must be finite and not 0, not {quantity!r}")
    given = [checks.positive("entry", entry), checks.positive("margin", margin)]
    given.append(given[0] if mark is None else checks.positive("mark", mark))
    given += [] if leverage is None else [checks.positive("leverage", leverage)]
    # in blocks that fit the cache: several times faster than passes over whole arrays
    blocks = np.nditer(
        [quantity, *given, None],
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_flags=[["readonly"]] * (1 + len(given)) + [["writeonly", "allocate"]],
        op_dtypes=[float] * (2 + len(given)),
        buffersize=16_384,
    )
    schedule = replace(instrument, tiers=venue.schedule(instrument)).tiers  # checked for this contract
    with blocks, np.errstate(divide="ignore"):
        for *parts, out in blocks:
            out[...] = _liquidation_block(venue, instrument, schedule, *parts)
        prices = blocks.operands[-1]
    return prices if prices.ndim else float(prices)


def _liquidation_block(venue, instrument, schedule, quantity, entry, margin, mark, leverage=None):
    """`liquidation_price` of one block of equally long arrays."""
    n = np.abs(quantity)
    size = n * instrument.face
    z = np.sign(quantity) if quantity.min() < 0 < quantity.max() else np.sign(quantity[0])
    z = z if instrument.inverse else -z
    started = size / entry if instrument.inverse else size * entry
    goal = started + z * margin  # the notional at bankruptcy
    share, fee = 1.0, venue.fee if venue.fee_at == "price" else 0.0
    if venue.rates_of == "initial margin":
        share = margin / started if leverage is None else 1 / leverage
    if venue.fee_at == "entry":
        goal = goal - z * venue.fee * started
    if venue.fee_at == "bankruptcy":
        goal = goal - z * venue.fee * np.maximum(goal if leverage is None else started * (1 + z / leverage), 0.0)
    if venue.maintenance_at == "price":
        notional = _first_to_go(schedule, goal, z, n, share, fee)
    else:
        at = started
        if venue.maintenance_at == "mark":
            at = size / mark if instrument.inverse else size * mark
            goal, fee = goal - z * fee * at, 0.0
        notional = (goal - z * share * schedule.maintenance(at, n)) / (1 + z * fee)
    notional = np.maximum(notional, 0.0)
    price = size / notional if instrument.inverse else notional / size
    return np.where(price < 1e-13 * mark, 0.0, np.where(price > 1e13 * mark, inf, price))  # rounding, as in `crossings`


def _first_to_go(schedule, goal, z, contracts, share, fee):
    """The notional V with V + z * (share * maintenance(V) + fee * V) = goal, by the tier that liquidates first."""
    if schedule.basis == "quantity":
        return goal / (1 + z * (share * schedule.rate(contracts) + fee))
    used = range(len(schedule.floors))
    if np.ndim(z) == 0 and np.ndim(share) == 0:  # only the tiers that the goals can fall in
        edges = [floor * (1 + z * fee) + z * share * schedule.maintenance(floor) for floor in schedule.floors]
        low, high = bisect_right(edges, goal.min()) - 1, bisect_right(edges, goal.max()) - 1
        used = range(max(low, 0), max(high, 0) + 1)
    best = None
    for tier in used:
        rate, amount = schedule.rates[tier], schedule.amounts[tier]
        slope, right = 1 + z * (share * rate + fee), goal + z * share * amount
        if schedule.growth:
            square = slope**2 + 4 * z * share * schedule.growth * right  # below 0: no price keeps it alive
            right = np.where(square < 0, inf, 2 * right / (slope + np.sqrt(np.maximum(square, 0.0))))
        else:
            right *= 1 / slope
        if best is None:
            best = right
        elif np.ndim(z):
            best = np.where(z < 0, np.maximum(best, right), np.minimum(best, right))
        else:
            best = np.maximum(best, right) if z < 0 else np.minimum(best, right)
    return best
