"""Auto-deleveraging: when the insurance fund is empty, winners on the other side are closed at the bankruptcy price."""

from dataclasses import replace
from math import inf

from . import checks


def score(pool, position):
    """Where a position stands in the queue for auto-deleveraging: the highest is closed first.

        PnL% * effective leverage if PnL% > 0, else PnL% / effective leverage
        PnL% = (mark value - entry value) / |entry value|
        effective leverage = |mark value| / (mark value - bankruptcy value)

    Values are signed, in the settlement currency, at the mark and at the position's bankruptcy price: that of its pool
    along its index. Without a bankruptcy price that value is 0. Source: BitMEX, "Auto-Deleveraging"; Bybit, Poloniex
    and Mufex have the same.
    """
    contract, size = position.instrument, position.quantity * position.instrument.face
    mark = pool.marks.get(contract.symbol, pool.marks[contract.index])
    end = pool.bankruptcy(contract.index)
    end = (end.below if position.quantity > 0 else end.above).price
    value, start = size * contract.level(mark), size * contract.level(position.entry)
    bust = size * contract.level(end) if end else 0.0
    gain = (value - start) / abs(start)
    room = value - bust if end else abs(value)
    leverage = abs(value) / room if room > 0 else inf
    return gain * leverage if gain > 0 else gain / leverage


def queue(accounts, instrument, side):
    """Positions of one side (+1 long, -1 short) of a contract, the first to be closed first. Longs and shorts are
    ranked apart. Each is (score, number of the account, name of the pool, position)."""
    checks.one_of("side", side, (1, -1))
    symbol = getattr(instrument, "symbol", instrument)
    found = [
        (score(pool, position), n, pool.name, position)
        for n, account in enumerate(accounts)
        for pool, position in account.find(symbol)
        if position.quantity * side > 0
    ]
    return sorted(found, key=lambda one: (-one[0], one[1]))


def deleveraged(accounts, instrument, quantity, price):
    """(accounts, contracts not taken over) after `quantity` of a liquidated position is closed against its other side.

    The liquidated long (quantity > 0) or short is closed at its bankruptcy `price` against the shorts, or longs, at the
    head of the queue, each up to its size. Every taking over is an `Event` of kind "auto-deleveraging".
    """
    quantity, price = checks.number("quantity", quantity), checks.number("price", price, above=0)
    if not quantity:
        raise ValueError("quantity must be that of the position that is closed: positive (long) or negative (short)")
    after, left, side = list(accounts), abs(quantity), 1 if quantity > 0 else -1
    for _, n, pool, position in queue(accounts, instrument, -side):
        taken = min(left, abs(position.quantity))
        if taken <= 0:
            break
        isolated = next(p for p in after[n].pools if p.name == pool).isolated
        leg = ("long" if position.quantity > 0 else "short") if after[n].venue.hedge_mode else None
        closed = after[n].trade(position.instrument, side * taken, price, isolated=isolated, leg=leg)
        *events, last = closed.events
        last = replace(last, kind="auto-deleveraging", quantity=side * taken)
        after[n] = closed.updated()._set(events=(*events, last))
        left -= taken
    return after, left
