"""What funding does: payments along a path, and what they do to pools. The rule for the rate is in rates.py.

A payment is rate * notional, from longs to shorts where the rate is positive. Between traders it is a transfer; the
venue keeps none of it. Receipts are paid in full here, whatever the other side had left (OKX before June 2024 paid out
what it could collect).
"""

from bisect import bisect_left
from collections.abc import Mapping
from math import inf

import numpy as np

from . import checks, liquidation
from .instruments import Position
from .rates import premium
from .trading import Event
from .venue import COUNTERPARTIES, TRADER

__all__ = ["break_even", "due", "payments", "payments_left", "premium", "shift", "total"]

# ------------------------------------------------------ one position, on paths


def payments(position, rates, prices):
    """What a position pays (+) or receives (-) at each rate and price, in its settlement currency.

    Time is the first axis of both arrays; a rate for each time holds for all paths. q*face*P*rate, or q*face/P*rate if
    the contract is inverse. Source: BitMEX, perpetual contracts guide; OKX, "Funding fee mechanism". TypeError or
    ValueError if they do not fit, or hold what is not a finite number, or a price not above 0.
    """
    rates, prices = _paths(position, rates, prices)
    return position.notional(prices) * rates


def total(position, rates, prices):
    """Sum over time of `payments`, in the settlement currency: one number for each path. Arguments as there."""
    rates, prices = _paths(position, rates, prices)
    if not np.ndim(prices):
        return position.notional(prices) * (rates.sum(axis=0) if np.ndim(rates) else rates)
    if position.instrument.inverse:
        prices = 1.0 / prices
    rates = np.broadcast_to(rates, prices.shape[:1]) if not np.ndim(rates) else rates
    return position.quantity * position.instrument.face * np.einsum("t...,t...->...", prices, rates)


def _paths(position, rates, prices):
    if not isinstance(position, Position):
        raise TypeError(f"position must be a Position, not {position!r}")
    prices, rates = checks.positive("prices", prices), checks.finite("rates", rates)
    if np.ndim(prices) and np.ndim(rates) and prices.shape[: rates.ndim] != rates.shape[: prices.ndim]:
        raise ValueError(
            f"rates must have a row for each time, as prices have, or all their rows and columns: "
            f"{np.shape(rates)} beside {np.shape(prices)}"
        )
    wide = max(np.ndim(prices), np.ndim(rates))  # the axes after time that are missing are one wide
    return (np.reshape(x, x.shape + (1,) * (wide - x.ndim)) if np.ndim(x) else x for x in (rates, prices))


def break_even(position, paid):
    """The price at which a position's PnL makes up for `paid`, in quote currency; ValueError if there is none.

    E + paid / (q*face), or 1 / (1/E - paid / (q*face)) if it is inverse.
    """
    if not isinstance(position, Position):
        raise TypeError(f"position must be a Position, not {position!r}")
    contract, size = position.instrument, position.quantity * position.instrument.face
    level = contract.level(position.entry) + checks.number("paid", paid) / size
    if level >= 0 if contract.inverse else level <= 0:
        raise ValueError(f"paid={paid:g} is made up for by the {position.label} at no price")
    return contract.level(level)  # -1/x is its own inverse


# -------------------------------------------------------------- a whole account


def pay(account, instrument, rate, periods=1.0):
    """See `Account.pay_funding`."""
    rate, periods = checks.number("rate", rate), checks.number("periods", periods, least=0)
    symbol = getattr(instrument, "symbol", instrument)
    if not account.find(symbol):
        account[instrument]  # says what is open
        raise TypeError(f"instrument must be a Perpetual: there is no funding on {symbol!r}")
    return paid(account, {symbol: rate * periods})


def paid(account, rates):
    """The account after one payment of every contract that has a rate; receipts come first."""
    due = [(pool.name, p) for pool in account.pools for p in pool.positions if rates.get(p.instrument.symbol)]
    for name, position in sorted(due, key=lambda one: one[1].quantity * rates[one[1].instrument.symbol] > 0):
        pool, rate = next(p for p in account.pools if p.name == name), rates[position.instrument.symbol]
        notional, settle = _notional(pool, position), position.instrument.settle
        amount, shared, free = notional * rate, None, 0.0
        if pool.isolated and account.venue.funding.charged_to == "account":
            shared = account.cross_in(settle)
            free = min(amount, max(0.0, shared.withdrawable(settle)))
        for payer, part in ((shared, free), (pool, amount - free)):
            if part:
                text = f"{rate:.4%} of {abs(notional):,.10g} {settle}"
                flows = {TRADER: -part, COUNTERPARTIES: part}
                event = Event("funding", payer.name, settle, flows, _price(pool, position), text)
                account = account.updated(payer.adding(-part, settle), events=[event])
    return account


def _price(pool, position):
    """The price at which the venue takes the notional of a position for funding."""
    marks, contract = pool.marks, position.instrument
    index = marks[contract.index]
    return index if pool.venue.funding.valued_at == "index" else marks.get(contract.symbol, index)


def _notional(pool, position):
    return position.notional(_price(pool, position))


# ------------------------------------------------------------------- what if


def due(pool, rates):
    """What a pool pays (+) or receives (-) at its marks, in its own currency: at one rate, or at a mapping of rates by
    instrument or symbol. ValueError if a rate is for a contract that is not open in it."""
    return sum(amount * pool.unit(currency, pool.marks) for currency, amount in _due(pool, rates).items())


def _due(pool, rates):
    symbols = {p.instrument.symbol for p in pool.positions}
    if not isinstance(rates, Mapping):
        rates = dict.fromkeys(symbols, rates)
    rates = {getattr(name, "symbol", name): checks.number("rate", rate) for name, rate in rates.items()}
    if unknown := rates.keys() - symbols:
        raise ValueError(
            f"rates must be of what is open in {pool.name!r}: {', '.join(sorted(symbols))}, not {', '.join(unknown)}"
        )
    amounts = {}
    for p in pool.positions:
        settle, rate = p.instrument.settle, rates.get(p.instrument.symbol, 0.0)
        amounts[settle] = amounts.get(settle, 0.0) + _notional(pool, p) * rate
    return amounts


def payments_left(pool, rates):
    """After how many payments out of it, at unchanged prices and rates, a pool is liquidated; inf if never.

    slack / due, rounded up, where what is paid counts in full; what is not (a debt with its loan margin) is followed.
    The last of them is the one that ends it; 0 if it is at its line already. `rates` as in `due`. Where the account
    is charged first, an isolated pool lasts longer: see `steps`.
    """
    amounts = _due(pool, rates)

    def ended(n):
        after = pool
        for currency, amount in amounts.items():
            after = after.adding(-n * amount, currency) if amount else after
        return after.slack() <= 1e-12 * after.requirement()  # as `Account.at` has it

    if not any(amount > 0 for amount in amounts.values()):
        return 0 if ended(0) else inf
    count = bisect_left(range(2**60), True, key=ended)
    return count if count < 2**60 else inf


def shift(pool, paid, index=None, currency=None):
    """How far a payment moves the liquidation price nearest to the mark, in quote currency: (first order, exact).

    To first order it is paid / slope, with the slope of slack there: q*face*(1 - s*mmr) for a linear position of side
    s = +1 or -1, and q*face*(1 + s*mmr)/P^2 for an inverse one at its liquidation price P. Within a tier that is exact
    for a linear contract alone in its pool. `paid` is in `currency`, the pool's own if absent. ValueError if there is
    no liquidation price, before or after.
    """
    paid = checks.number("paid", paid)
    before = pool.liquidation(index).nearest
    moved = pool.adding(-paid, currency).liquidation(index)
    after = moved.below if before.side == 0 else moved.above
    if after.price is None:
        raise ValueError(f"paid={paid:g} leaves no liquidation price: {after.why}")
    worth = paid * pool.unit(currency or pool.currency, {**pool.marks, **before.prices})
    return worth / liquidation.state(before, before.root)[1], after.price - before.price
