"""Liquidation prices of many positions at once, each alone in its pool: the same rules, arrays."""

from typing import NamedTuple

import numpy as np

from . import checks
from .checks import Numbers
from .contracts import Perpetual
from .crossing import FAR, NEAR, root
from .pool import bust, charge
from .rules import Venue


class Many(NamedTuple):
    """Positions in one contract, as arrays; for the rules they are one `Position`."""

    instrument: object
    quantity: np.ndarray
    entry: np.ndarray
    leverage: np.ndarray | None

    def notional(self, price):
        """Signed notional at prices, in the settlement currency."""
        return self.instrument.notional(self.quantity, price)


def liquidation_price(
    venue: Venue,
    instrument: Perpetual,
    quantity: Numbers,
    entry: Numbers,
    margin: Numbers,
    mark: Numbers | None = None,
    leverage: Numbers | None = None,
) -> Numbers:
    """Liquidation prices of isolated positions, one by one or in arrays that broadcast.

    Agrees with `Pool.liquidation`.

    Parameters
    ----------
    venue : Venue
    instrument : Perpetual
    quantity, entry, margin, mark, leverage : float or ndarray
        Contracts (signed), quote currency, settlement currency (> 0), quote currency, a pure
        number. `mark` (entry if absent) and `leverage` matter at venues whose rules ask for them.

    Returns
    -------
    float or ndarray
        In quote currency; NaN where no price above 0 would liquidate, as of a long of 1x.
    """
    if not isinstance(venue, Venue):
        raise TypeError(f"venue must be a Venue, such as venues.TEACHING, not {venue!r}")
    if getattr(instrument, "modelled", True):
        raise TypeError(f"instrument must be a Perpetual, not {instrument!r}")
    if np.asarray(quantity).dtype.kind not in "fiu":
        raise TypeError(f"quantity must be a number or an array of numbers, not {quantity!r}")
    quantity = np.asarray(quantity, dtype=float)
    if not np.isfinite(quantity).all() or not quantity.all():
        raise ValueError(f"quantity must be finite and not 0, not {quantity!r}")
    entry, margin = checks.positive("entry", entry), checks.positive("margin", margin)
    mark = entry if mark is None else checks.positive("mark", mark)
    leverage = None if leverage is None else checks.positive("leverage", leverage)
    shape = np.broadcast_shapes(
        *map(np.shape, (quantity, entry, margin, mark, 1.0 if leverage is None else leverage))
    )
    held, schedule = Many(instrument, quantity, entry, leverage), venue.schedule(instrument)
    lost, inverse, long = 0.0, instrument.inverse, quantity > 0
    if venue.fee_at == "bankruptcy":
        gone = np.where(long, margin, -margin) * (1 if inverse else -1)
        lost = bust(held) if leverage is not None else abs(held.notional(entry)) + gone
        lost = np.maximum(lost, 0.0)
    fixed = venue.maintenance_at == "mark" and charge(venue, held, schedule, mark, lost)

    def slack(price):  # in quote currency, in which inverse contracts are straight, too
        asked = fixed if fixed is not False else charge(venue, held, schedule, price, lost)
        left = margin + instrument.pnl(quantity, entry, price) - asked
        return left * price if inverse else left

    alive = slack(mark) > 0  # then its end is on the losing side, whatever is on the other
    low = np.broadcast_to(np.where(alive & ~long, mark, NEAR * mark), shape)
    high = np.broadcast_to(np.where(alive & long, mark, FAR * mark), shape)
    ends = slack(low), slack(high)
    below, above = (end > 0 for end in ends)
    some = below != above
    price = root(slack, np.where(some, low, np.nan), np.where(some, high, np.nan), *ends)
    price = np.where(some, price, np.nan)
    return price if shape else float(price)
