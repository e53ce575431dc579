"""The fills of a liquidation: at which price so much of a position is closed, and what that does to its pool."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from typing import NamedTuple

from . import checks
from .display import fmt
from .trading import Event
from .venue import COUNTERPARTIES, FUND, TRADER


def mark(pool, position):
    """The mark price of a position in its pool."""
    return pool.marks.get(position.instrument.symbol, pool.marks[position.instrument.index])


def notional_quote(pool, position):
    """Notional of a position at its mark, in quote currency."""
    return abs(position.notional(mark(pool, position))) * pool.quote(position.instrument.settle, pool.marks)


class Market(NamedTuple):
    """Where the orders of a liquidation are filled: last prices by index or symbol, and their impact on the price.

    `impact` is how far the average fill of an order is from the last price, as a fraction against it: a number, or a
    function of the order's worth in quote currency. In the liquidation of one pool, orders that follow one another eat
    on into the same book: `done` is the worth that went before, by index and side, so that splitting an order does not
    make it cheaper.
    """

    last: Mapping
    impact: float | Callable
    done: Mapping = {}

    def fill(self, pool, position, count):
        """Average price at which so many contracts (> 0) of a position are closed, quote currency."""
        key, last, worth = self.order(pool, position, count)
        before = self.done.get(key, 0.0)
        part = impact_of(self.impact, before + worth)
        if before and worth and callable(self.impact):
            part = part + (part - impact_of(self.impact, before)) * before / worth
            part = min(max(0.0, part), 1 - 1e-9)  # the last of an order may cost more than its average, but not all
        return last * (1 - key[1] * part)

    def order(self, pool, position, count):
        """((index, side), last price, worth in quote currency) of an order that closes so many contracts."""
        contract, side = position.instrument, 1 if position.quantity > 0 else -1
        last = self.last.get(contract.symbol, self.last.get(contract.index, mark(pool, position)))
        return (contract.index, side), last, count * contract.face * (1.0 if contract.inverse else last)

    def after(self, pool, position, count):
        """The market after so many contracts were closed in it."""
        key, _, worth = self.order(pool, position, count)
        return self._replace(done={**self.done, key: self.done.get(key, 0.0) + worth})


def impact_of(impact, worth, name="impact"):
    """The impact of an order of so much worth (quote currency), as a fraction; ValueError unless it leaves a price."""
    if not callable(impact):
        return impact
    part = impact(worth)
    return below_one(
        checks.number(name, getattr(part, "item", lambda: part)()), f" for {worth:,.10g} of quote currency", name
    )


def below_one(part, of="", name="impact"):
    """`part` if it leaves a price above 0, ValueError if not."""
    if not 0 <= part < 1:
        raise ValueError(f"{name} must be from 0 to below 1, not {part!r}{of}")
    return part


class Fill(NamedTuple):
    """What closing a part of a position did: the pool after it, and amounts in the settlement currency."""

    pool: object
    realised: float
    fund_fee: float
    liquidator_fee: float


def reduced(pool, position, count, price, most=inf):
    """The `Fill` of so many contracts (> 0) of a position at a price; `most` is all that fees may take."""
    contract, rule, side = position.instrument, pool.venue.liquidation, 1 if position.quantity > 0 else -1
    if position not in pool.positions:
        raise ValueError(f"position must be one of {pool.name!r}, not {position!r}")
    realised = contract.pnl(side * count, position.entry, price)
    left = abs(position.quantity) - count
    kept = (replace(position, quantity=side * left),) if left > 1e-12 * abs(position.quantity) else ()
    fewer = replace(pool, positions=tuple(q for p in pool.positions for q in (kept if p == position else (p,))))
    after = fewer.adding(realised, contract.settle)
    if not most or not (rule.liquidator_fee or rule.fund_fee):
        return Fill(after, realised, 0.0, 0.0)
    # dYdX v4: equity is shared out by maintenance margin; over its share, a part has nothing to pay a fee with
    required, unit = pool.requirement(), pool.unit(contract.settle, pool.marks)
    part = (required - fewer.requirement()) / required if required else 1.0
    better = realised - contract.pnl(side * count, position.entry, mark(pool, position))
    there = max(0.0, min(pool.worth() * part / unit + better, after.worth() / unit, most / unit))
    traded = abs(contract.notional(count, price))
    fee = min(rule.liquidator_fee * traded, there)
    fund_fee = min(rule.fund_fee * traded, there - fee)
    return Fill(after.adding(-fee - fund_fee, contract.settle), realised, fund_fee, fee)


def closed(account, pool, position, count, price, kind, market_price=None, most=inf):
    """The account after closing so many contracts of a position in a pool at a price, as an event.

    `market_price` is what they would bring, where they are not sold at the market: taken over, the fund has the
    difference; in auto-deleveraging it is the shortfall that winners bear. No fee is charged then, and else no more
    than `most`, in the pool's currency.
    """
    contract, done = position.instrument, reduced(pool, position, count, price, most if market_price is None else 0.0)
    traded = -count if position.quantity > 0 else count
    better = 0.0
    if market_price is not None:
        better = done.realised - contract.pnl(-traded, position.entry, market_price)
    fund = -better if kind == "assignment" else done.fund_fee
    trader = done.realised - done.liquidator_fee - done.fund_fee
    event = Event(
        kind, pool.name, contract.settle, {TRADER: trader, FUND: fund, COUNTERPARTIES: 0.0 - trader - fund}, price,
        f"{pool.name}: {traded:+,.10g} {contract.symbol} at {fmt(price)}", contract=contract.symbol, quantity=traded,
        shortfall=max(0.0, better) if kind == "auto-deleveraging" else 0.0,
        fees=done.fund_fee + done.liquidator_fee,
        before=pool.equity(), after=done.pool.equity(),
    )  # fmt: skip
    return account.updated(done.pool, events=[event])
