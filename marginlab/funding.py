"""What funding does: the premium, payments along a path, and what they do to pools.

A payment is rate * notional, from longs to shorts where the rate is positive. Between traders it is
a transfer; the venue keeps none of it. Receipts are paid in full here, whatever the other side had
left (OKX before June 2024 paid out what it could collect). How a venue makes its rate:
`rules.Funding`.
"""

from bisect import bisect_left
from collections.abc import Mapping
from math import inf

import numpy as np

from . import checks
from .checks import Numbers
from .contracts import Position
from .ledger import Event
from .pool import Pool
from .rules import COUNTERPARTIES, TRADER

__all__ = ["break_even", "due", "payments", "payments_left", "premium", "shift", "total"]


def premium(index: Numbers, bid: Numbers, ask: Numbers | None = None) -> Numbers:
    """Premium index: how far a contract trades above (+) or below (-) its index, as a fraction.

        (max(0, bid - index) - max(0, index - ask)) / index

    with impact prices, at which an order of a stated size would be filled: between the two there is
    no premium. With one price (Kraken, Deribit) it is (price - index) / index. Floats or arrays.
    Source: Gate, funding rate history; dYdX Chain, "Default Funding Rates".
    """
    index, bid = checks.positive("index", index), checks.positive("bid", bid)
    ask = bid if ask is None else checks.positive("ask", ask)
    if np.any(np.less(ask, bid)):
        raise ValueError(f"ask must be at least the bid {bid!r}, not {ask!r}")
    above = np.maximum(0.0, np.subtract(bid, index))
    found = (above - np.maximum(0.0, np.subtract(index, ask))) / index
    return found if np.ndim(found) else float(found)


# ------------------------------------------------------ one position, on paths


def payments(position: Position, rates: Numbers, prices: Numbers) -> Numbers:
    """What a position pays (+) or receives (-) at each rate and price, in its settlement currency.

    Time is the first axis of both arrays; a rate for each time holds for all paths. q*face*P*rate,
    or q*face/P*rate if the contract is inverse. Source: BitMEX, perpetual contracts guide; OKX,
    "Funding fee mechanism". TypeError or ValueError if they do not fit, or hold what is not a
    finite number, or a price not above 0.
    """
    rates, prices = _paths(position, rates, prices)
    return position.notional(prices) * rates


def total(position: Position, rates: Numbers, prices: Numbers) -> Numbers:
    """Sum over time of `payments`: one number for each path. Arguments as there."""
    rates, prices = _paths(position, rates, prices)
    if not np.ndim(prices):
        return position.notional(prices) * (rates.sum(axis=0) if np.ndim(rates) else rates)
    if position.instrument.inverse:
        prices = 1.0 / prices
    rates = np.broadcast_to(rates, prices.shape[:1]) if not np.ndim(rates) else rates
    size = position.quantity * position.instrument.face
    return size * np.einsum("t...,t...->...", prices, rates)


def _paths(position, rates, prices):
    if not isinstance(position, Position):
        raise TypeError(f"position must be a Position, not {position!r}")
    prices, rates = checks.positive("prices", prices), checks.finite("rates", rates)
    both = np.ndim(prices) and np.ndim(rates)
    if both and prices.shape[: rates.ndim] != rates.shape[: prices.ndim]:
        raise ValueError(
            f"rates must have a row for each time, as prices have, or all their rows and columns: "
            f"{np.shape(rates)} beside {np.shape(prices)}"
        )
    wide = max(np.ndim(prices), np.ndim(rates))  # axes after time that are missing are one wide
    return (
        np.reshape(x, x.shape + (1,) * (wide - x.ndim)) if np.ndim(x) else x
        for x in (rates, prices)
    )


def break_even(position: Position, paid: float) -> float:
    """The price at which a position's PnL makes up for `paid`, in quote currency.

    E + paid / (q*face), or 1 / (1/E - paid / (q*face)) if it is inverse. ValueError if none does.
    """
    if not isinstance(position, Position):
        raise TypeError(f"position must be a Position, not {position!r}")
    contract, size = position.instrument, position.quantity * position.instrument.face
    level = contract.level(position.entry) + checks.number("paid", paid) / size
    if level >= 0 if contract.inverse else level <= 0:
        raise ValueError(f"paid={paid:g} is made up for by the {position.label} at no price")
    return contract.level(level)  # -1/x is its own inverse


# ----------------------------------------------------------------------- a pool


def price(pool, position):
    """The price at which the venue takes the notional of a position for funding."""
    at_index = pool.venue.funding.valued_at == "index"
    contract = position.instrument
    return pool.marks[contract.index] if at_index else contract.price(pool.marks)


def notional(pool, position):
    """Signed notional of a position for funding, in its settlement currency."""
    return position.notional(price(pool, position))


def paid(payer, amount, pool, position, rate):
    """(pool, event) of the pool that pays so much (receives, below 0) for a position in a pool."""
    settle, size = position.instrument.settle, abs(notional(pool, position))
    text = f"{rate:.4%} of {size:,.10g} {settle}"
    flows = {TRADER: -amount, COUNTERPARTIES: amount}
    event = Event("funding", payer.name, settle, flows, price(pool, position), text)
    return payer.adding(-amount, settle), event


def due(pool: Pool, rates: float | Mapping) -> float:
    """What a pool pays (+) or receives (-) at its marks, in its own currency.

    At one rate, or at a mapping of rates by instrument or symbol. ValueError if a rate is for a
    contract that is not open in it.
    """
    amounts = _due(pool, rates)
    return sum(amount * pool.unit(currency, pool.marks) for currency, amount in amounts.items())


def _due(pool, rates):
    symbols = {p.instrument.symbol for p in pool.positions}
    if not isinstance(rates, Mapping):
        rates = dict.fromkeys(symbols, rates)
    rates = {getattr(name, "symbol", name): checks.number("rate", r) for name, r in rates.items()}
    if unknown := rates.keys() - symbols:
        raise ValueError(
            f"rates must be of what is open in {pool.name!r}: {', '.join(sorted(symbols))}, not "
            f"{', '.join(unknown)}"
        )
    amounts = {}
    for p in pool.positions:
        settle, rate = p.instrument.settle, rates.get(p.instrument.symbol, 0.0)
        amounts[settle] = amounts.get(settle, 0.0) + notional(pool, p) * rate
    return amounts


def payments_left(pool: Pool, rates: float | Mapping) -> int | float:
    """After how many payments, at unchanged prices and rates, a pool is liquidated; inf if never.

    slack / due, rounded up, where what is paid counts in full; what is not (a debt with its loan
    margin) is followed. The last of them is the one that ends it; 0 if it is at its line already.
    `rates` as in `due`. Where the account is charged first, an isolated pool lasts longer: see
    `steps`.
    """
    amounts = _due(pool, rates)

    def ended(n):
        after = pool
        for currency, amount in amounts.items():
            after = after.adding(-n * amount, currency) if amount else after
        return after.slack() <= 1e-12 * after.requirement()  # as `Account.at` has it

    if not any(amount > 0 for amount in amounts.values()):
        return 0 if ended(0) else inf
    each = due(pool, rates)
    low = int(min(max(pool.slack() / each - 1, 0), 2**60)) if each > 0 else 0
    low, step = 0 if ended(low) else low, 1
    while low + step < 2**60 and not ended(low + step):
        low, step = low + step, 2 * step
    count = bisect_left(range(low + step), True, lo=low, key=ended)
    return count if count < 2**60 else inf


def shift(pool: Pool, paid: float, index=None, currency: str | None = None) -> tuple[float, float]:
    """How far a payment moves the liquidation price nearest to the mark: (first order, exact).

    In quote currency. To first order it is paid / slope, with the slope of slack there:
    q*face*(1 - s*mmr) for a linear position of side s = +1 or -1, and q*face*(1 + s*mmr)/P^2 for an
    inverse one at its liquidation price P. Within a tier that is exact for a linear contract alone
    in its pool. `paid` is in `currency`, the pool's own if absent. ValueError if there is no
    liquidation price, before or after.
    """
    paid = checks.number("paid", paid)
    before = pool.liquidation(index).nearest
    end = before.price
    moved = pool.adding(-paid, currency).liquidation(index)
    after = moved.below if before.side == "below" else moved.above
    if after.price is None:
        raise ValueError(f"paid={paid:g} leaves no liquidation price: {after.why}")
    worth = paid * pool.unit(currency or pool.currency, {**pool.marks, **before.prices})
    return worth / before.slope, after.price - end
