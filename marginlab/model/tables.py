"""Tables of accounts: the ledger, and two accounts side by side. pandas is imported when one is asked for."""

from math import inf, nan

import numpy as np

from . import checks, stepping
from .venue import TRADER


def ledger(account):
    """See `Account.ledger`."""
    import pandas as pd

    named = ["kind", "pool", "currency", "price"]
    if any(e.contract for e in account.events):
        named += ["contract", "quantity", "before", "after"]
    frame = pd.DataFrame([{name: getattr(e, name) for name in named} | dict(e.flows) for e in account.events])
    parties = [column for column in frame.columns if column not in named]
    numbers = {name: frame[name].astype(float) for name in ("quantity", "before", "after") if name in frame}
    if numbers:
        numbers["quantity"] = numbers["quantity"].where(frame["contract"] != "")
    return frame.assign(**frame[parties].fillna(0.0), **numbers)


def schedule(account, rates=None, prices=None, hours=None, last=None, impact=0.0, fund=inf):
    """A schedule of funding payments as a DataFrame: a row for each payment and each pool with a position.

        schedule(account, {btc: [0.0001] * 21})

    Arguments as in `steps`. Index (payment, pool). Columns, in the pool's currency: `funding` and `interest`,
    what the trader gained (+) or lost (-) by them at this step; `equity`, `requirement` and `slack` after it, 0 if it
    was liquidated; `below` and `above`, its liquidation prices if one index moves its positions (0 and inf where there
    is none, NaN if several do or it has none); `state`, "open", "liquidated" or "no position".
    """
    import pandas as pd

    rows, before = [], account
    for n, after in enumerate(stepping.steps(account, rates, prices, hours, last, impact, fund), 1):
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
        figures |= {"below": found.low or 0.0, "above": inf if found.high is None else found.high}
    return figures | {"state": "open" if pool.open else "no position"}


NONE, NOTHING = {"balance": 0.0, "withdrawable": 0.0}, "none: no position or debt"


def compare(before, after):
    """DataFrame of two accounts side by side: for every pool, each figure before, after, and the change.

    Rows (pool, figure); where a figure does not exist the cell says why.
    """
    import pandas as pd

    rows = []
    for name in dict.fromkeys(p.name for account in (before, after) for p in account.pools):
        sides = [_figures(next((p for p in account.pools if p.name == name), None)) for account in (before, after)]
        for figure in dict.fromkeys([*sides[0], *sides[1]]):
            a, b = (
                side.get(figure, NONE.get(figure.split(",")[0], NOTHING) if side else "no such pool") for side in sides
            )
            change = b - a if not isinstance(a, str) and not isinstance(b, str) else ""
            rows.append((name, figure, a, b, change))
    frame = pd.DataFrame(rows, columns=["pool", "figure", "before", "after", "change"])
    return frame.set_index(["pool", "figure"])


def _figures(pool):
    if pool is None:
        return {}
    figures = {f"balance, {c}": a for c, a in pool.collateral.items()}
    figures |= {"equity": pool.equity(), "requirement": pool.requirement(), "slack": pool.slack()}
    figures |= {"initial margin": pool.requirement(kind="initial"), "available": pool.available()}
    figures |= {f"withdrawable, {c}": pool.withdrawable(c) for c, a in pool.collateral.items() if a > 0}
    for index in pool.indices:
        found = pool.liquidation(index)
        for side, at in (("below", found.below), ("above", found.above)):
            figures[f"liquidation price {side}, {index}"] = f"none: {at.why}" if at.price is None else at.price
    return figures


def surface(pool, **prices):
    """Slack of a pool over the prices of two indices, as a DataFrame: a row for each price of the first, a column for
    each of the second. Below zero the pool is liquidated.

        surface(pool, BTC=np.linspace(30_000, 60_000, 200), ETH=np.linspace(1_000, 4_000, 200))

    ValueError if there are not two, or one is not a row of positive numbers.
    """
    import pandas as pd

    if len(prices) != 2:
        raise ValueError(f"prices must name two indices, such as BTC=..., ETH=..., not {', '.join(prices) or 'none'}")
    for name, values in prices.items():
        if np.ndim(values) != 1:
            raise ValueError(f"the prices of {name} must be a row of numbers, not {values!r}")
    rows, columns = (pd.Index(checks.price(name, values), name=name) for name, values in prices.items())
    first, second = prices
    slack = pool.slack({first: rows.to_numpy()[:, None], second: columns.to_numpy()})
    return pd.DataFrame(np.broadcast_to(slack, (len(rows), len(columns))), rows, columns)
