"""What becomes of one account on many paths: from troughs where they say it, else step by step, with the reason."""

from attrs import evolve as replace

import numpy as np

from ..account import Account
from ..whatif import steps
from ..liquidation import at_line
from .paths import Paths
from .runs import check_prices, rows
from .survival import ROUNDING
from .troughs import Book, troughs, why_no_loss, why_not


def outcomes(account, paths, rates=None, meanwhile=None):
    """When each pool of an account is liquidated, and what the account is worth in the end, on every path.

        outcomes(account, Brownian({"BTC": 50_000}, ...), {perp: 0.0001})

    Where the conditions of `survival` hold, and a liquidated pool is lost whole, one pass gives the answer; else each
    path is stepped through with the account (see `steps`), about a thousand times slower: a line on the screen says
    why, and so does `attrs["how"]`. Both give the same where both apply.

    Parameters
    ----------
    account : Account
        With its positions, in either mode. Its marks give way to the start of the paths.
    paths : Paths
    rates : mapping of instrument or symbol to float or array of shape (steps,), optional
        Funding rates paid after each step.
    meanwhile : callable, optional
        Of (account, step), gives the account after something was done to it: a top-up, a transfer, a trade.

    Returns
    -------
    DataFrame
        A row for each path: `liquidated`, the step at which a pool was first liquidated (-1: none was); the same for
        each pool by name; and `worth` at the end, unrealised PnL included and debts deducted: in the currency of the
        pools, or in quote currency if they have several.

    TypeError or ValueError for what cannot be meant, or if nothing is open.
    """
    import pandas as pd

    if not isinstance(account, Account) or not isinstance(paths, Paths):
        raise TypeError(f"account must be an Account and paths must be Paths, not {account!r} and {paths!r}")
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
    at, worth = _stepped(account, paths, rates, meanwhile) if reason else _at_once(account, opened, paths, rates)
    gone = np.array([np.where(row < 0, paths.steps + 1, row) for row in at.values()]).min(axis=0)
    made = pd.DataFrame({"liquidated": np.where(gone > paths.steps, -1, gone), **at, "worth": worth})
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
    for pool in opened:
        for reason in (why_not(pool, _margin(pool), rates), why_no_loss(pool, _margin(pool))):
            if reason:
                return reason
    return ""


def _held(pool):
    return [currency for currency, amount in pool.collateral.items() if amount]


def _margin(pool):
    return next(iter(_held(pool)), pool.currency)


def _at_once(account, opened, paths, rates):
    """({pool: step of its liquidation, -1 for none}, worth) on every path, from troughs."""
    margins, currency = tuple(map(_margin, opened)), _currency(account)
    empty = tuple(replace(pool, collateral={margin: 0.0}) for pool, margin in zip(opened, margins, strict=True))
    book = Book(empty, margins, rates, paths, tuple(range(1, paths.steps + 1)))
    coins = {*margins, *map(_margin, account.pools)} - {currency}
    last = paths.prices() if coins & paths.start.keys() else {}
    units = {coin: last[coin][-1] if coin in last else opened[0].quote(coin, account.marks) for coin in coins}
    at, worth = {pool.name: np.full(paths.count, -1) for pool in opened}, np.zeros(paths.count)
    for pool in account.pools:
        if pool not in opened:
            worth += pool.collateral.get(_margin(pool), 0.0) * units.get(_margin(pool), 1.0)
    for block in range(-(-paths.count // paths.width)):
        here = slice(block * paths.width, min(paths.count, (block + 1) * paths.width))
        trough, _, gain = (rows[..., : here.stop - here.start] for rows in troughs(book, block))
        for k, pool in enumerate(opened):
            margin = pool.collateral.get(margins[k], 0.0)
            gone = -trough[k] >= margin * (1 - ROUNDING)
            at[pool.name][here] = np.where(gone[-1], 1 + gone.argmax(axis=0), -1)
            unit = np.broadcast_to(units.get(margins[k], 1.0), paths.count)[here]
            worth[here] += np.where(gone[-1], 0.0, margin + gain[k]) * unit
    follows = account.followed
    for pool in account.mark(**{name: price for name, price in paths.start.items() if name in follows}).pools:
        if pool.open and at_line(pool):  # before the first step
            at[pool.name][:] = 0
    return at, worth


def _currency(account):
    """The one currency of an account's pools, or None: quote currency."""
    found = {pool.currency for pool in account.pools}
    return found.pop() if len(found) == 1 else None


def _stepped(account, paths, rates, meanwhile):
    """As `_at_once`, with the account itself on every path."""
    from tqdm.auto import tqdm

    currency, names = _currency(account), [pool.name for pool in account.pools if pool.open]
    at, worth = {name: np.full(paths.count, -1) for name in names}, np.empty(paths.count)
    hours, prices = np.broadcast_to(paths.hours, paths.steps), paths.prices()
    prices = {name: row for name, row in prices.items() if name in account.followed}
    for path in tqdm(range(paths.count), "step by step", leave=False, unit="path", delay=2):
        now = account.at(**{name: float(row[0, path]) for name, row in prices.items()})
        ended = {event.pool: 0 for event in now.liquidations[len(account.liquidations) :]}
        for step in range(1, paths.steps + 1):
            if not any(pool.open for pool in now.pools):
                break
            before = len(now.liquidations)
            due = {symbol: [row[step - 1]] for symbol, row in rates.items() if now.find(symbol)}
            marks = {name: [float(row[step, path])] for name, row in prices.items()}
            (now,) = steps(now, due, marks, hours=float(hours[step - 1]))
            for event in now.liquidations[before:]:
                ended.setdefault(event.pool, step)
            if meanwhile:
                now = meanwhile(now, step)
                if not isinstance(now, Account):
                    raise TypeError(f"meanwhile must give an Account, not {now!r}")
        for name, step in ended.items():
            if name in at:
                at[name][path] = step
        last = {name: float(row[-1, path]) for name, row in prices.items()}
        now = now.mark(**last)
        worth[path] = sum(
            pool.worth() * (1.0 if currency else pool.quote(pool.currency, now.marks)) for pool in now.pools
        )
    return at, worth
