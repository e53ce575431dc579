"""The fills of a liquidation: at which price so much of a position is closed, and what that does to its pool."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from typing import NamedTuple

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
        contract, side = position.instrument, 1 if position.quantity > 0 else -1
        last = self.last.get(contract.symbol, self.last.get(contract.index, mark(pool, position)))
        worth, before = self.worth(last, contract, count), self.done.get((contract.index, side), 0.0)
        part = share(self.impact, before + worth)
        if before and worth and callable(self.impact):
            part = checked(max(0.0, part + (part - share(self.impact, before)) * before / worth), before + worth)
        return last * (1 - side * part)

    @staticmethod
    def worth(last, contract, count):
        return count * contract.face * (1.0 if contract.inverse else last)

    def after(self, pool, position, count):
        """The market after so many contracts were closed in it."""
        contract, side = position.instrument, 1 if position.quantity > 0 else -1
        last = self.last.get(contract.symbol, self.last.get(contract.index, mark(pool, position)))
        key = (contract.index, side)
        return self._replace(done={**self.done, key: self.done.get(key, 0.0) + self.worth(last, contract, count)})


def share(impact, worth):
    """The impact of an order of so much worth (quote currency), as a fraction."""
    return checked(float(impact(worth)), worth) if callable(impact) else impact


def checked(part, worth):
    """`part` if it leaves a price above 0, ValueError if not."""
    if not 0 <= part < 1:
        raise ValueError(f"impact must be from 0 to below 1, not {part!r} for {worth:,.10g} of quote currency")
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
    realised = contract.pnl(side * count, position.entry, price)
    left = abs(position.quantity) - count
    kept = (replace(position, quantity=side * left),) if left > 1e-12 * abs(position.quantity) else ()
    fewer = replace(pool, positions=tuple(q for p in pool.positions for q in (kept if p is position else (p,))))
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


def closed(account, pool, position, count, price, kind, worth=None, most=inf):
    """The account after closing so many contracts of a position in a pool at a price, as an event.

    `worth` is the price that they have at the market, where they are not sold there: taken over, the fund has the
    difference; in auto-deleveraging it is the shortfall that winners bear. No fee is charged then, and else no more
    than `most`, in the pool's currency.
    """
    contract, done = position.instrument, reduced(pool, position, count, price, most if worth is None else 0.0)
    traded = -count if position.quantity > 0 else count
    better = 0.0 if worth is None else done.realised - contract.pnl(-traded, position.entry, worth)
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
