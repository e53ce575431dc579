"""What becomes of an account: along a path step by step, as a schedule, beside another, over a map.

pandas is imported when a table is asked for.
"""

from collections.abc import Mapping, Sequence
from math import inf, nan

import numpy as np
from attrs import evolve

from . import checks
from .account import Account
from .liquidation import purse, stated
from .pool import Pool
from .rules import TRADER


def steps(account, rates=None, prices=None, hours=None, last=None, impact=0.0, fund=inf):
    """The account after each step of a path, one after the other: an iterator. A list of all of
    them would hold the ledger as many times.

    At each step prices are marked and the venue acts (see `Account.liquidate`); interest accrues on
    debts; funding is paid; and the venue acts again. What is closed pays no more. Between two steps
    nothing is seen: a step is a gap.

    Parameters
    ----------
    rates : mapping of instrument or symbol to sequence of float, optional
        Funding rates, for one payment each; one number holds for every step.
    prices : mapping of index or symbol to sequence of float, optional
        Marks at the steps; absent, they stay as they are. A DataFrame with a column for each will
        do.
    hours : float or sequence of float, optional
        Before each step, for the interest on debts. Absent, it is the venue's funding interval if
        there are rates, and 0 if there are none. With the rows of a history
        (`market.history.History`) give its `hours`.
    last : mapping of index or symbol to sequence of float, optional
        Last prices at the steps, at which orders are filled; the marks if absent.
    impact, fund
        As in `Account.liquidate`; the fund is what there is for the whole path.

    KeyError if a contract is not open; TypeError or ValueError if a value cannot be meant, nothing
    follows a price, or the sequences are not equally long, or there is none.
    """
    rates, prices, last = (
        _rows(what, {} if given is None else given)
        for what, given in (("rates", rates), ("prices", prices), ("last", last))
    )
    for symbol in rates:
        if not account.find(symbol):
            account[symbol]  # says what is open
            raise TypeError(f"rates must be of a Perpetual: there is no funding on {symbol!r}")
    account.check_followed(prices)
    first = {name: float(_at(row, 0)) for name, row in last.items() if np.size(row)}
    market = stated(first, impact, account.followed)
    purses = purse(fund, {pool.currency for pool in account.pools})
    hours = (account.venue.funding.interval if rates else 0.0) if hours is None else hours
    hours = checks.finite("hours", hours)
    if np.ndim(hours) > 1 or np.any(np.less(hours, 0)):
        raise ValueError(
            f"hours must be a number, or a row of numbers, of at least 0, not {hours!r}"
        )
    every = (*rates.values(), *prices.values(), *last.values(), hours)
    lengths = {len(row) for row in every if np.ndim(row)}
    if len(lengths) != 1:
        found = sorted(lengths) or "none"
        raise ValueError(
            f"rates, prices, last and hours must be rows of one length, not of {found}"
        )
    return _steps(account, rates, prices, hours, last, market, purses, lengths.pop())


def _steps(account, rates, prices, hours, last, market, fund, count):
    for n in range(count):
        follows = account.followed  # no longer what was closed
        new = {
            name: float(_at(row, n)) for name, row in prices.items() if n == 0 or name in follows
        }
        account = account.mark(**new) if new else account
        follows = account.followed
        there = {name: float(_at(row, n)) for name, row in last.items() if name in follows}
        now = evolve(market, last=there)
        account, fund = account.acted(now, fund)
        account = account.accrue(float(_at(hours, n)))
        account = account.paid({symbol: float(_at(row, n)) for symbol, row in rates.items()})
        account, fund = account.acted(now, fund)
        yield account


def _rows(what, given):
    """A mapping of names to a checked row of numbers, or to one number for every step."""
    if hasattr(given, "columns"):
        given = {name: given[name] for name in given.columns}
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{what} must be a mapping, such as {{'BTC-USD': [0.0001]}} or {{'BTC': [50_000]}}, "
            f"not {given!r}"
        )
    named = {getattr(name, "symbol", name): row for name, row in given.items()}
    for name, row in named.items():
        if what == "rates":
            row = checks.finite(f"the rates of {name}", row)
        else:
            word = "last price" if what == "last" else "price"
            row = checks.positive(f"the {word} of {name}", row)
        named[name] = row
        if np.ndim(row) > 1:
            raise ValueError(f"the {what} of {name} must be one row, not {np.ndim(row)} axes")
    return named


def _at(row, n):
    return row[n] if np.ndim(row) else row


def schedule(account, rates=None, prices=None, hours=None, last=None, impact=0.0, fund=inf):
    """A schedule of funding payments as a DataFrame: a row for each payment and each pool with a
    position.

        schedule(account, {btc: [0.0001] * 21})

    Arguments as in `steps`. Index (payment, pool). Columns, in the pool's currency: `funding` and
    `interest`, what the trader gained (+) or lost (-) by them at this step; `equity`, `requirement`
    and `slack` after it, 0 if it was liquidated; `below` and `above`, its liquidation prices if one
    index moves its positions (0 and inf where there is none, NaN if several do or it has none);
    `state`, "open", "liquidated" or "no position".
    """
    import pandas as pd

    rows, before = [], account
    for n, after in enumerate(steps(account, rates, prices, hours, last, impact, fund), 1):
        new = after.events[len(before.events) :]
        now = {pool.name: pool for pool in after.pools}
        for pool in before.pools:
            at, events = {**pool.marks, **after.marks}, [e for e in new if e.pool == pool.name]
            row = {"payment": n, "pool": pool.name, "funding": 0.0, "interest": 0.0}
            for event in (e for e in events if e.kind in row):
                row[event.kind] += event.flows[TRADER] * pool.unit(event.currency, at)
            closed = any(e.kind == "liquidation" for e in events)
            if pool.open or events:
                rows.append(row | _standing(None if closed else now[pool.name]))
        before = after
    columns = ("payment", "pool", "funding", "interest", *_standing(None))
    return pd.DataFrame(rows, columns=columns).set_index(["payment", "pool"])


def _standing(pool):
    """Where a pool stands, as columns of `schedule`; None if it was closed."""
    figures = dict.fromkeys(("equity", "requirement", "slack"), 0.0) | {"below": nan, "above": nan}
    if pool is None:
        return figures | {"state": "liquidated"}
    equity, requirement = pool.equity(), pool.requirement()
    figures |= {"equity": equity, "requirement": requirement, "slack": equity - requirement}
    if len({p.instrument.index for p in pool.positions}) == 1:
        found = pool.liquidation()
        low, high = found.below.price, found.above.price
        figures |= {"below": low or 0.0, "above": inf if high is None else high}
    return figures | {"state": "open" if pool.open else "no position"}


NONE, NOTHING = {"balance": 0.0, "withdrawable": 0.0}, "none: no position or debt"


def compare(before: Account, after: Account):
    """DataFrame of two accounts side by side: for every pool, each figure before, after, and the
    change.

    Rows (pool, figure); where a figure does not exist the cell says why.
    """
    import pandas as pd

    pools, rows = [{p.name: p for p in account.pools} for account in (before, after)], []
    for name in {**pools[0], **pools[1]}:
        sides = [_figures(side.get(name)) for side in pools]
        for figure in {**sides[0], **sides[1]}:
            none = NONE.get(figure.split(",")[0], NOTHING)
            a, b = (side.get(figure, none if side else "no such pool") for side in sides)
            change = b - a if not isinstance(a, str) and not isinstance(b, str) else ""
            rows.append((name, figure, a, b, change))
    frame = pd.DataFrame(rows, columns=["pool", "figure", "before", "after", "change"])
    return frame.set_index(["pool", "figure"])


def _figures(pool):
    if pool is None:
        return {}
    figures = {f"balance, {c}": a for c, a in pool.collateral.items()}
    figures |= {"equity": pool.equity(), "requirement": pool.requirement(), "slack": pool.slack()}
    figures["initial margin"] = pool.requirement(kind="initial")
    figures["available"] = pool.available()
    held = [c for c, amount in pool.collateral.items() if amount > 0]
    figures |= {f"withdrawable, {c}": pool.withdrawable(c) for c in held}
    for index in pool.indices:
        found = pool.liquidation(index)
        for side in (found.below, found.above):
            said = f"none: {side.why}" if side.price is None else side.price
            figures[f"liquidation price {side.side}, {index}"] = said
    return figures


def surface(pool: Pool, **prices: Sequence):
    """Slack of a pool over the prices of two indices, as a DataFrame: a row for each price of the
    first, a column for each of the second. Below zero the pool is liquidated.

        surface(pool, BTC=np.linspace(30_000, 60_000, 200), ETH=np.linspace(1_000, 4_000, 200))

    ValueError if there are not two, or one is not a row of positive numbers.
    """
    import pandas as pd

    if len(prices) != 2:
        named = ", ".join(prices) or "none"
        raise ValueError(f"prices must name two indices, such as BTC=..., ETH=..., not {named}")
    for name, values in prices.items():
        if np.ndim(values) != 1:
            raise ValueError(f"the prices of {name} must be a row of numbers, not {values!r}")
    rows, columns = (pd.Index(checks.price(n, values), name=n) for n, values in prices.items())
    first, second = prices
    slack = pool.slack({first: rows.to_numpy()[:, None], second: columns.to_numpy()})
    return pd.DataFrame(np.broadcast_to(slack, (len(rows), len(columns))), rows, columns)
