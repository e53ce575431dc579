"""Cascades: liquidations that move the price, and so bring about others."""

import numpy as np

from ..model import checks
from ..model.instruments import Perpetual
from ..model.many import liquidation_price
from ..model.venue import Venue


def cascade(venue, instrument, quantity, entry, margin, prices, impact, fund=np.inf):
    """Many isolated positions on one path of prices, where closing them moves the price further.

    At each step the price is that of the path, moved by what was closed so far: price * (1 - impact(net)), with `net`
    the worth, in quote currency, of longs less shorts that were closed, at the path's prices, and impact(-net) =
    -impact(net). Positions at their liquidation price are closed there, all that are reached at once at the price
    before their own impact; that moves the price; and so on, until it stops. A position loses its margin; what it lost
    beyond its bankruptcy price is paid by the fund, and when that is empty by those whose winning positions are closed
    at the bankruptcy price (auto-deleveraging).

    Parameters
    ----------
    venue : Venue
    instrument : Perpetual
    quantity, entry, margin : ndarray of shape (positions,)
        Contracts (signed), quote currency, settlement currency.
    prices : ndarray of shape (steps,)
        The path without liquidations, quote currency.
    impact : callable
        impact(net >= 0) as a fraction from 0 to below 1, not falling: the curve that the caller states.
    fund : float
        What the insurance fund has, settlement currency.

    Returns
    -------
    (DataFrame, ndarray)
        A row for each step: the path's `price`, the `moved` price, how many were `closed`, the `net` worth closed so
        far, margin `lost`, what is `missing` beyond bankruptcy, and of it paid by the `fund` and by `counterparties`,
        in the settlement currency. And the step at which each position was closed, -1 if it was not.

    TypeError or ValueError for what cannot be meant.
    """
    import pandas as pd

    if not isinstance(venue, Venue) or not isinstance(instrument, Perpetual):
        raise TypeError(f"venue must be a Venue and instrument a Perpetual, not {venue!r} and {instrument!r}")
    if not callable(impact):
        raise TypeError(f"impact must be a function of the worth closed, such as lambda net: 0.0, not {impact!r}")
    quantity, entry, margin = (
        np.asarray(checks.numbers(name, value), dtype=float)
        for name, value in (("quantity", quantity), ("entry", entry), ("margin", margin))
    )
    if not quantity.shape == entry.shape == margin.shape or quantity.ndim != 1:
        raise ValueError(
            f"quantity, entry and margin must be rows of one length: {quantity.shape}, {entry.shape}, {margin.shape}"
        )
    prices = np.atleast_1d(checks.positive("prices", prices))
    if prices.ndim != 1:
        raise ValueError(f"prices must be one row, not of shape {prices.shape}")
    fund = fund if isinstance(fund, float) and fund == np.inf else checks.number("fund", fund, least=0)
    level = instrument.level
    end = liquidation_price(venue, instrument, quantity, entry, margin)
    size = quantity * instrument.face
    bust = level(entry) - margin / size  # the level of the price at which the margin is gone
    when, net, gross, rows, sides = np.full(len(quantity), -1), 0.0, 0.0, [], []
    for side in (1, -1):
        order = np.flatnonzero(quantity * side > 0)
        order = order[np.argsort(-end[order] * side)]  # the first to go first
        sides.append((side, order, -end[order] * side))
    gone = {1: 0, -1: 0}
    for step, price in enumerate(prices):
        count, lost, missing = 0, 0.0, 0.0
        while True:
            moved = price * (1 - np.sign(net) * _share(impact, abs(net)))
            new = []
            for side, order, ends in sides:
                last = int(np.searchsorted(ends, -moved * side, side="right"))
                new.append(order[gone[side] : last])
                gone[side] = max(gone[side], last)
            new = np.concatenate(new)
            if not len(new):
                break
            when[new] = step
            worth = np.abs(size[new]) * (1.0 if instrument.inverse else price)
            net, gross = net + float((np.sign(size[new]) * worth).sum()), gross + float(worth.sum())
            net = net if abs(net) > 1e-12 * gross else 0.0  # what rounding leaves is not a side
            beyond = size[new] * (bust[new] - level(moved))  # > 0 where the fill is past the bankruptcy price
            count, lost = count + len(new), lost + float(margin[new].sum())
            missing += float(np.maximum(beyond, 0.0).sum())
        paid = min(missing, fund)
        fund -= paid
        rows.append((price, moved, count, net, lost, missing, paid, missing - paid))
    columns = ["price", "moved", "closed", "net", "lost", "missing", "fund", "counterparties"]
    return pd.DataFrame(rows, columns=columns).rename_axis("step"), when


def _share(impact, net):
    share = float(impact(net))
    if not 0 <= share < 1:
        raise ValueError(f"impact must be from 0 to below 1, not {share!r} for {net:,.10g} of quote currency")
    return share
