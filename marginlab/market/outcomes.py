"""What becomes of one account on many paths: from troughs where they say it, else step by step."""

import numpy as np
from attrs import evolve

from ..account import Account
from ..liquidation import at_line
from ..whatif import steps
from .paths import Paths
from .survival import ROUNDING, Book, check_prices, rows, troughs, why_no_loss, why_not


def outcomes(account, paths, rates=None, meanwhile=None):
    """When each pool of an account is liquidated, and what the account is worth in the end.

        outcomes(account, Brownian({"BTC": 50_000}, ...), {perp: 0.0001})

    Where the conditions of `survival` hold, and a liquidated pool is lost whole, one pass gives the
    answer. Else the account is stepped through each path (see `steps`), about a thousand times
    slower: a line on the screen says why, and so does `attrs["how"]`. Both give the same where both
    apply.

    Parameters
    ----------
    account : Account
        With its positions, in either mode. Its marks give way to the start of the paths.
    paths : Paths
    rates : mapping of instrument or symbol to float or array of shape (steps,), optional
        Funding rates paid after each step.
    meanwhile : callable, optional
        Of (account, step), gives the account after something was done to it: a top-up, a transfer,
        a trade.

    Returns
    -------
    DataFrame
        A row for each path: `liquidated`, the step at which a pool was first liquidated (-1: none
        was); the same for each pool by name; and `worth` at the end, unrealised PnL included and
        debts deducted: in the currency of the pools, or in quote currency if they have several.

    TypeError or ValueError for what cannot be meant, or if nothing is open.
    """
    import pandas as pd

    if not isinstance(account, Account) or not isinstance(paths, Paths):
        raise TypeError(
            f"account must be an Account and paths must be Paths, not {account!r} and {paths!r}"
        )
    if meanwhile is not None and not callable(meanwhile):
        raise TypeError(f"meanwhile must be a function of (account, step), not {meanwhile!r}")
    opened = [pool for pool in account.pools if pool.open]
    if not opened:
        raise ValueError("account must have something open")
    for pool in opened:
        check_prices(pool, _margin(pool), paths)
    rates = rows(rates or {}, [p for pool in opened for p in pool.positions], paths)
    reason = "something is done meanwhile" if meanwhile else _why_step(account, opened, rates)
    if reason:
        print(f"Step by step: {reason}.")
        at, worth = _stepped(account, paths, rates, meanwhile)
    else:
        at, worth = _at_once(account, opened, paths, rates)
    never = paths.steps + 1
    first = np.min([np.where(row < 0, never, row) for row in at.values()], axis=0)
    made = pd.DataFrame({"liquidated": np.where(first == never, -1, first), **at, "worth": worth})
    made.attrs["how"] = f"step by step: {reason}" if reason else "from troughs"
    return made.rename_axis("path")


def _why_step(account, opened, rates):
    """Why troughs do not say what becomes of the account, in words; "" if they do."""
    for pool in account.pools:
        if owed := [currency for currency, amount in pool.collateral.items() if amount < 0]:
            return f"{pool.name!r} owes {', '.join(owed)}"
        if len(_held(pool)) > 1:
            return f"{pool.name!r} holds {', '.join(_held(pool))}, not one currency"
        if pool.orders:
            return f"{pool.name!r} holds margin for open orders"
        if pool.tops_up:
            return f"margin is added to {pool.name!r} automatically"
    for pool in opened:
        margin = _margin(pool)
        if reason := why_not(pool, margin, rates) or why_no_loss(pool, margin):
            return reason
    return ""


def _held(pool):
    return [currency for currency, amount in pool.collateral.items() if amount]


def _margin(pool):
    """The currency in which a pool's margin is held."""
    return next(iter(_held(pool)), pool.currency)


def _currency(account):
    """The one currency of an account's pools; None if there are several: then worth is in quote."""
    first, *others = {pool.currency for pool in account.pools}
    return None if others else first


def _at_once(account, opened, paths, rates):
    """({pool: step of its liquidation, -1 for none}, worth) on every path, from troughs."""
    margins = tuple(map(_margin, opened))
    pairs = zip(opened, margins, strict=True)
    empty = (evolve(p, collateral={m: 0.0}, marks=_indices(p)) for p, m in pairs)
    book = Book(tuple(empty), margins, rates, paths, tuple(range(1, paths.steps + 1)))
    units = _units(account, {*map(_margin, account.pools)}, paths)
    at = {pool.name: np.empty(paths.count, int) for pool in opened}
    worth = np.zeros(paths.count)
    for pool in account.pools:
        if pool not in opened:
            worth += pool.collateral.get(_margin(pool), 0.0) * units[_margin(pool)]
    for block, left in enumerate(range(0, paths.count, paths.width)):
        here = slice(left, min(paths.count, left + paths.width))
        trough, gain = (rows[..., : here.stop - left] for rows in troughs(book, block))
        for k, pool in enumerate(opened):
            margin = pool.collateral.get(margins[k], 0.0)
            gone = -trough[k] >= margin * (1 - ROUNDING)
            at[pool.name][here] = np.where(gone[-1], 1 + gone.argmax(axis=0), -1)
            worth[here] += np.where(gone[-1], 0.0, margin + gain[k]) * units[margins[k]][here]
    marks = {name: price for name, price in paths.start.items() if name in account.followed}
    for pool in account.mark(**marks).pools:
        if pool.open and at_line(pool):  # before the first step
            at[pool.name][:] = 0
    return at, worth


def _indices(pool):
    """A pool's marks but for contracts' own, which give way to the start."""
    own = {p.instrument.symbol for p in pool.positions}
    return {name: price for name, price in pool.marks.items() if name not in own}


def _units(account, currencies, paths):
    """{currency: what a unit of it is worth in the end, on every path}."""
    own = _currency(account)
    coins = currencies & paths.start.keys() - {own}
    last = paths.prices() if coins else {}
    made = dict.fromkeys(currencies, np.ones(paths.count))
    for currency in currencies - {own}:
        if currency in coins:
            made[currency] = last[currency][-1]
        else:
            made[currency] = account.pools[0].quote(currency, account.marks) * made[currency]
    return made


def _stepped(account, paths, rates, meanwhile):
    """As `_at_once`, with the account itself on every path."""
    from tqdm.auto import tqdm

    at = {pool.name: np.full(paths.count, -1) for pool in account.pools if pool.open}
    worth = np.empty(paths.count)
    own = _currency(account)
    hours = np.broadcast_to(paths.hours, paths.steps)
    prices = {name: row for name, row in paths.prices().items() if name in account.followed}
    for path in tqdm(range(paths.count), "step by step", leave=False, unit="path", delay=2):
        marks = {name: row[:, path].tolist() for name, row in prices.items()}
        now = account.at(**{name: row[0] for name, row in marks.items()})
        ended = {event.pool: 0 for event in now.liquidations[len(account.liquidations) :]}
        for step in range(1, paths.steps + 1):
            if not any(pool.open for pool in now.pools):
                break
            before = len(now.liquidations)
            due = {symbol: [row[step - 1]] for symbol, row in rates.items() if now.find(symbol)}
            here = {name: [row[step]] for name, row in marks.items()}
            (now,) = steps(now, due, here, hours=float(hours[step - 1]))
            for event in now.liquidations[before:]:
                ended.setdefault(event.pool, step)
            if meanwhile:
                now = meanwhile(now, step)
                if not isinstance(now, Account):
                    raise TypeError(f"meanwhile must give an Account, not {now!r}")
        for name in at.keys() & ended.keys():
            at[name][path] = ended[name]
        now = now.mark(**{name: row[-1] for name, row in marks.items()})
        worth[path] = sum(
            pool.worth() * (1.0 if own else pool.quote(pool.currency, now.marks))
            for pool in now.pools
        )
    return at, worth
