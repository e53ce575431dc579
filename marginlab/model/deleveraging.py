"""Auto-deleveraging: when the insurance fund is empty, winners on the other side are closed at the bankruptcy price.

So BitMEX, Bybit and dYdX. Others do it at the mark price (OKX, also when its fund falls fast) or at the oracle's before
(Hyperliquid), or share the loss out among all winners (Deribit): that is not in here.
"""

from dataclasses import replace
from math import inf
from typing import NamedTuple

from . import checks, trading
from .fills import mark
from .waterfall import acted, followed, purse, stated


def score(pool, position):
    """Where a position stands in the queue for auto-deleveraging: the highest is closed first.

        PnL% * effective leverage if PnL% > 0, else PnL% / effective leverage
        PnL% = (mark value - entry value) / |entry value|
        effective leverage = |mark value| / (mark value - bankruptcy value)

    Values are signed, in the settlement currency, at the mark and at the position's bankruptcy price: that of its pool
    along its index. Without a bankruptcy price it is the value at a price of 0, or beyond all prices. Source: BitMEX,
    "Auto-Deleveraging"; Bybit, Poloniex and Mufex have the same.
    """
    contract, size = position.instrument, position.quantity * position.instrument.face
    end = pool.bankruptcy(contract.index)
    end = (end.below if position.quantity > 0 else end.above).price
    value, start = size * contract.level(mark(pool, position)), size * contract.level(position.entry)
    bust = size * contract.level(end) if end else (0.0 if (size > 0) != contract.inverse else -inf)
    gain = (value - start) / abs(start)
    leverage = abs(value) / (value - bust) if value > bust else inf
    if gain > 0:
        return gain * leverage
    return gain / leverage if leverage else (-inf if gain else 0.0)


def many(accounts):
    """A list or tuple of accounts as a list; TypeError if it is none."""
    found = list(accounts) if isinstance(accounts, list | tuple) else []
    if not found or not all(hasattr(account, "pools") for account in found):
        raise TypeError(f"accounts must be a list of Account, not {accounts!r}")
    contracts, marks = {}, {}
    for account in found:
        for contract in (p.instrument for pool in account.pools for p in pool.positions):
            same = contracts.setdefault(contract.symbol, contract)
            if (same.index, same.settle, same.face) != (contract.index, contract.settle, contract.face):
                raise ValueError(f"accounts must hold the same contract by one name: {contract.symbol!r} differs")
            name, price = contract.index, account.marks[contract.index]
            if marks.setdefault(name, price) != price:
                raise ValueError(f"accounts must be marked alike: {name} is at {marks[name]:,g} and at {price:,g}")
    return found


def queue(accounts, instrument, side):
    """Positions of one side (+1 long, -1 short) of a contract, the first to be closed first. Longs and shorts are
    ranked apart; a pool that is worth nothing stands for nobody. Each is (score, number of the account, name of the
    pool, position)."""
    checks.one_of("side", side, (1, -1))
    symbol = getattr(instrument, "symbol", instrument)
    found = [
        (score(pool, position), n, pool.name, position)
        for n, account in enumerate(many(accounts))
        for pool, position in account.find(symbol)
        if position.quantity * side > 0 and pool.worth() > 0
    ]
    return sorted(found, key=lambda one: (-one[0], one[1]))


def deleveraged(accounts, instrument, quantity, price, apart=None):
    """(accounts, contracts not taken over) after `quantity` of a liquidated position is closed against its other side.

    The liquidated long (quantity > 0) or short is closed at its bankruptcy `price` against the shorts, or longs, at the
    head of the queue, each up to its size. Who would be bankrupt at that price is passed over, and so is the account of
    number `apart`, whose position it was. Every taking over is an `Event` of kind "auto-deleveraging".
    """
    quantity, price = checks.number("quantity", quantity), checks.number("price", price, above=0)
    if not quantity:
        raise ValueError("quantity must be that of the position that is closed: positive (long) or negative (short)")
    after, left, side = many(accounts), abs(quantity), 1 if quantity > 0 else -1
    for _, n, name, position in queue(accounts, instrument, -side):
        taken, pool = min(left, abs(position.quantity)), named(after[n], name)
        if n == apart or taken <= 0:
            continue
        try:
            closed = trading.reduced(after[n], pool, position, side * taken, price)
        except ValueError:  # it cannot bear that price
            continue
        then = named(closed, name)
        event = replace(closed.events[-1], kind="auto-deleveraging", contract=position.instrument.symbol,
                        quantity=side * taken, before=pool.equity(), after=then and then.equity())  # fmt: skip
        after[n] = closed.updated()._set(events=(*after[n].events, event))
        left -= taken
    return after, left


def named(account, name):
    """The pool of that name, or None."""
    return next((pool for pool in account.pools if pool.name == name), None)


class Outcome(NamedTuple):
    """What `liquidate_all` returns: the accounts, what the fund has left by currency, and the contracts, by symbol, for
    which nobody was there to close against."""

    accounts: tuple
    fund: dict
    unmatched: dict


def liquidate_all(accounts, last=None, impact=0.0, fund=inf):
    """Let the venue act on many accounts that share one insurance fund and are one another's counterparties.

    Accounts are looked at in their order, each with what the ones before left of the fund. What is auto-deleveraged in
    one closes positions of the others, at the same price; and what that leaves bare is looked at again. Arguments as in
    `Account.liquidate`; a last price may be of what is open in any of them. Returns an `Outcome`.
    """
    after, unmatched, waiting = many(accounts), {}, True
    market, fund = stated(last, impact, set().union(*(followed(account) for account in after))), purse(fund, after)
    while waiting:
        waiting = False
        for n in range(len(after)):
            before = len(after[n].events)
            after[n], fund = acted(after[n], market, fund)
            waiting = waiting or len(after[n].events) > before
            for event in after[n].events[before:]:
                if event.kind == "auto-deleveraging":
                    after, rest = deleveraged(after, event.contract, -event.quantity, event.price, apart=n)
                    if rest > 0:
                        unmatched[event.contract] = unmatched.get(event.contract, 0.0) + rest
    return Outcome(tuple(after), fund, unmatched)
