"""Auto-deleveraging: with the fund empty, winners are closed at losers' bankruptcy prices.

So BitMEX, Bybit and dYdX. Others do it at the mark price (OKX, also when its fund falls fast) or at
the oracle's before (Hyperliquid), or share the loss out among all winners (Deribit): that is not in
here.
"""

from math import inf
from typing import NamedTuple

from attrs import evolve

from . import checks
from .account import Account, reduced
from .contracts import Position
from .liquidation import mark, purse, stated
from .pool import Pool


def score(pool: Pool, position: Position) -> float:
    """Where a position stands in the queue for auto-deleveraging: the highest is closed first.

        PnL% * effective leverage if PnL% > 0, else PnL% / effective leverage
        PnL% = (mark value - entry value) / |entry value|
        effective leverage = |mark value| / (mark value - bankruptcy value)

    Values are signed, in the settlement currency, at the mark and at the position's bankruptcy
    price: that of its pool along its index. Without a bankruptcy price it is the value at a price
    of 0, or beyond all prices. Source: BitMEX, "Auto-Deleveraging"; Bybit, Poloniex and Mufex have
    the same.
    """
    contract, size = position.instrument, position.quantity * position.instrument.face
    end = pool.bankruptcy(contract.index)
    end = (end.below if position.quantity > 0 else end.above).price
    value = size * contract.level(mark(pool, position))
    start = size * contract.level(position.entry)
    bust = 0.0 if (size > 0) != contract.inverse else -inf
    bust = size * contract.level(end) if end else bust
    gain = (value - start) / abs(start)
    leverage = abs(value) / (value - bust) if value > bust else inf
    if gain > 0:
        return gain * leverage
    return gain / leverage if leverage else (-inf if gain else 0.0)


def many(accounts):
    """A list or tuple of accounts as a list; TypeError if it is none, ValueError if they differ."""
    found = list(accounts) if isinstance(accounts, list | tuple) else []
    if not found or not all(isinstance(account, Account) for account in found):
        raise TypeError(f"accounts must be a list of Account, not {accounts!r}")
    contracts, marks = {}, {}
    for account in found:
        for contract in (p.instrument for pool in account.pools for p in pool.positions):
            same = contracts.setdefault(contract.symbol, contract)
            terms = [(c.index, c.settle, c.face) for c in (same, contract)]
            if terms[0] != terms[1]:
                raise ValueError(
                    f"accounts must hold the same contract by one name: {contract.symbol!r} differs"
                )
            name, price = contract.index, account.marks[contract.index]
            if marks.setdefault(name, price) != price:
                both = f"{name} is at {marks[name]:,g} and at {price:,g}"
                raise ValueError(f"accounts must be marked alike: {both}")
    return found


def queue(accounts: list[Account], instrument, side: int) -> list[tuple]:
    """Positions of one side (+1 long, -1 short) of a contract, the first to be closed first.

    Longs and shorts are ranked apart; a pool that is worth nothing stands for nobody. Each is
    (score, number of the account, name of the pool, position).
    """
    ranked = _queue(many(accounts), instrument, side)
    return [(score, n, pool.name, position) for score, n, _, pool, position in ranked]


def _queue(accounts, instrument, side):
    checks.one_of("side", side, (1, -1))
    symbol = getattr(instrument, "symbol", instrument)
    found = [
        (score(pool, p), n, key, pool, p)
        for n, account in enumerate(accounts)
        for key, pool in account.held.items()
        for p in pool.positions
        if p.instrument.symbol == symbol and p.side == side and pool.worth() > 0
    ]
    return sorted(found, key=lambda one: (-one[0], one[1]))


def deleveraged(accounts, instrument, quantity, price, apart=None):
    """(accounts, contracts not taken over) after so much of a liquidated position is closed.

    The liquidated long (quantity > 0) or short is closed at its bankruptcy `price` against the
    shorts, or longs, at the head of the queue, each up to its size. Who would be bankrupt at that
    price is passed over, and so is the account of number `apart`, whose position it was. Every
    taking over is an `Event` of kind "auto-deleveraging".
    """
    quantity = checks.number("quantity", quantity)
    price = checks.number("price", price, above=0)
    if not quantity:
        raise ValueError(
            "quantity must be that of the position that is closed: positive (long) or negative "
            "(short)"
        )
    after, left, side = many(accounts), abs(quantity), 1 if quantity > 0 else -1
    for _, n, key, pool, position in _queue(after, instrument, -side):
        pool, taken = after[n].held.get(key), min(left, abs(position.quantity))
        if n == apart or taken <= 0 or pool is None:
            continue
        try:
            closed = reduced(after[n], key, position, side * taken, price)
        except ValueError:  # it cannot bear that price
            continue
        then = closed.held.get(key)
        last = closed.events[-1]
        event = evolve(
            last,
            kind="auto-deleveraging",
            contract=position.instrument.symbol,
            quantity=side * taken,
            before=pool.equity(),
            after=then and then.equity(),
        )
        after[n] = closed.renamed(event)
        left -= taken
    return after, left


class Outcome(NamedTuple):
    """What `liquidate_all` returns: the accounts, what the fund has left by currency, and the
    contracts, by symbol, for which nobody was there to close against."""

    accounts: tuple
    fund: dict
    unmatched: dict


def liquidate_all(accounts, last=None, impact=0.0, fund=inf):
    """Let the venue act on many accounts that share one insurance fund and face one another.

    Accounts are looked at in their order, each with what the ones before left of the fund. What is
    auto-deleveraged in one closes positions of the others, at the same price; and what that leaves
    bare is looked at again. Arguments as in `Account.liquidate`; a last price may be of what is
    open in any of them. Returns an `Outcome`.
    """
    after, unmatched, waiting = many(accounts), {}, True
    market = stated(last, impact, set().union(*(account.followed for account in after)))
    fund = purse(fund, {pool.currency for account in after for pool in account.pools})
    while waiting:
        waiting = False
        for n in range(len(after)):
            before = len(after[n].events)
            after[n], fund = after[n].acted(market, fund)
            new = after[n].events[before:]
            waiting = waiting or bool(new)
            for event in new:
                if event.kind == "auto-deleveraging":
                    taken = (event.contract, -event.quantity, event.price)
                    after, rest = deleveraged(after, *taken, apart=n)
                    if rest > 0:
                        unmatched[event.contract] = unmatched.get(event.contract, 0.0) + rest
    return Outcome(tuple(after), fund, unmatched)
