"""Cascades: liquidations that move the price, and so bring about others."""

import numpy as np

from .. import checks
from ..contracts import Perpetual
from ..liquidation import impact_of, purse
from ..many import liquidation_price
from ..rules import FUND, Venue

COLUMNS = (
    *("price", "last", "mark", "closed", "net"),
    *("lost", "surplus", "missing", "fund", "counterparties"),
)


def cascade(
    venue, instrument, quantity, entry, margin, prices, displacement, fund=np.inf, mark_share=1.0
):
    """Many isolated positions on one path of prices, where closing them moves the price further.

    At each step the last price is that of the path, moved by what was closed so far: price * (1 -
    displacement(net)). `net` is the worth of longs less shorts that were closed, at the marks that
    closed them, and displacement(-net) is -displacement(net). All positions whose liquidation price
    the mark has reached are closed at once, whole, halfway between the last price before and after
    their own impact; that moves the price on; and so it goes until it stops. What is left of a
    margin goes to the fund, or to the trader where the venue says so; then what is missing is paid
    by the fund, and when that is empty by those whose winning positions are closed at the
    bankruptcy price (ADL). The push never fades here: at the same curve it goes further than in a
    market that recovers.

    Parameters
    ----------
    venue : Venue
        Its maintenance, and who takes a surplus or pays a shortfall. Steps of its `liquidation` are
        left out.
    instrument : Perpetual
    quantity, entry, margin : ndarray of shape (positions,)
        Contracts (signed), quote currency, settlement currency.
    prices : ndarray of shape (steps,)
        The path without liquidations, quote currency.
    displacement : callable
        Of net >= 0, as a fraction from 0 to below 1, not falling: how far the last price is moved
        once `net` was sold. The average fill is about halfway, so this is about twice the `impact`
        of `Account.liquidate`.
    fund : float
        What the insurance fund has, settlement currency.
    mark_share : float from 0 to 1
        How much of the impact is in the mark price. Below 1, liquidations bring about fewer others:
        an index of many venues follows one of them only in part.

    Returns
    -------
    (DataFrame, ndarray)
        A row for each step: the path's `price`, the `last` price and the `mark`, how many were
        `closed`, the `net` worth closed so far, what traders `lost` (below zero: a gain), the
        `surplus` left over and what is `missing` beyond bankruptcy, and of that paid by the `fund`
        and by `counterparties`, in the settlement currency. And the step at which each position was
        closed, -1 if it was not. Positions are closed together: their order has no part in it.

    TypeError or ValueError for what cannot be meant.
    """
    import pandas as pd
    from tqdm.auto import tqdm

    if not isinstance(venue, Venue) or not isinstance(instrument, Perpetual):
        raise TypeError(
            f"venue must be a Venue and instrument a Perpetual, not {venue!r} and {instrument!r}"
        )
    if not callable(displacement):
        raise TypeError(
            f"displacement must be a function such as lambda net: net / (net + 1e9), not "
            f"{displacement!r}"
        )
    quantity, entry, margin = (
        np.asarray(checks.numbers(name, value), dtype=float)
        for name, value in (("quantity", quantity), ("entry", entry), ("margin", margin))
    )
    if not quantity.shape == entry.shape == margin.shape or quantity.ndim != 1:
        raise ValueError(
            f"quantity, entry and margin must be rows of one length: {quantity.shape}, "
            f"{entry.shape}, {margin.shape}"
        )
    prices = np.atleast_1d(checks.positive("prices", prices))
    if prices.ndim != 1:
        raise ValueError(f"prices must be one row, not of shape {prices.shape}")
    fund = purse(fund, {instrument.settle})[instrument.settle]
    mark_share = checks.number("mark_share", mark_share, least=0, most=1)

    def push(net):
        """By how much the last price is moved, as a fraction."""
        return np.sign(net) * impact_of(displacement, abs(net), "displacement")

    level, size = instrument.level, quantity * instrument.face
    end = liquidation_price(venue, instrument, quantity, entry, margin)
    waiting = {}  # of each side: positions, the first to go first, and where they go
    for side in (1, -1):
        order = np.flatnonzero(quantity * side > 0)
        order = order[np.argsort(-end[order] * side, kind="stable")]
        waiting[side] = order, -end[order] * side
    when = np.full(len(quantity), -1)
    rows = []
    net = gross = 0.0
    for step, price in enumerate(tqdm(prices, "cascade", leave=False, unit="step", delay=2)):
        closed = 0
        lost = over = missing = 0.0
        while True:
            share = push(net)
            last, mark = price * (1 - share), price * (1 - mark_share * share)
            new = []
            for side, (order, ends) in waiting.items():
                reached = np.searchsorted(ends, -mark * side, side="right")
                new.append(order[:reached])
                waiting[side] = order[reached:], ends[reached:]
            new = np.concatenate(new)
            if not len(new):
                break
            when[new] = step
            worth = size[new] * (1.0 if instrument.inverse else mark)
            gross += float(np.abs(worth).sum())
            net += float(worth.sum())
            net = net if abs(net) > 1e-12 * gross else 0.0  # what rounding leaves is not a side
            fill = (last + price * (1 - push(net))) / 2
            left = margin[new] + size[new] * (level(fill) - level(entry[new]))
            closed += len(new)
            lost += float(margin[new].sum())
            over += float(np.maximum(left, 0.0).sum())
            missing += float(np.maximum(-left, 0.0).sum())
        if venue.surplus_to == FUND:
            fund += over
        else:
            lost -= over
        paid = min(missing, fund) if venue.shortfall_to == FUND else 0.0
        if paid:  # by a fund that may be endless
            fund -= paid
        rows.append((price, last, mark, closed, net, lost, over, missing, paid, missing - paid))
    return pd.DataFrame(rows, columns=COLUMNS).rename_axis("step"), when
