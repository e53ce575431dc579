"""The pool as a vessel, in figures and words: equity is its level, and where that is at the line
of its requirement it is liquidated. `sheet` draws it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from attrs import frozen

from .. import checks
from ..account import Account
from ..pool import walled
from ..show import fmt


@frozen
class Vessel:
    """A pool as it is drawn: amounts in `unit`; `ended` says how, where it was liquidated.

    `collateral` is the level before gains and losses, as counted by the venue; of a liquidated
    pool, what was lost and what was left. `open` is whether anything can be liquidated.
    """

    name: str
    unit: str
    isolated: bool
    collateral: float
    equity: float
    required: float = 0.0
    open: bool = False
    ended: str = ""

    @property
    def pnl(self):
        """What was gained (+) or lost (-), without rounding noise."""
        gained, size = self.equity - self.collateral, max(abs(self.equity), abs(self.collateral))
        return gained if abs(gained) > 1e-12 * size else 0.0

    @property
    def parts(self):
        """What is drawn in it: (kind, from, to), from the bottom up."""
        low, high = sorted((self.collateral, self.equity))
        kind = "gain" if self.pnl > 0 else "loss"
        moved = [("gone" if self.ended else kind, low, high)] if self.pnl else []
        return [("level", 0.0, low), *moved] if low > 0 else moved

    @property
    def cells(self):
        """What a table says of it: collateral, gained, equity, required."""
        pnl = f"{'+' if self.pnl > 0 else ''}{short(self.pnl)}"
        if self.ended:
            return "", pnl, short(self.equity), "closed"
        return short(self.collateral), pnl, short(self.equity), short(self.required)

    @property
    def sentence(self):
        """It in words."""
        if self.ended:
            return f"{self.name}: closed, {self.ended}."
        kind = "margin" if self.isolated else "collateral"
        turn = "nothing gained or lost"
        if self.pnl:
            words = ("gained", "now") if self.pnl > 0 else ("lost", "left")
            turn = f"{fmt(abs(self.pnl))} {words[0]}, {fmt(self.equity)} {words[1]}"
        said = f"{self.name}: {fmt(self.collateral)} {self.unit} of {kind}, {turn}"
        if not self.open:
            return f"{said}, nothing open."
        due = "" if self.equity > self.required else ": due for liquidation"
        return f"{said}, {fmt(self.required)} required{due}."

    @classmethod
    def of(cls, pool, at=None, closed=None, unit=None, left=0.0):
        """A pool at prices `at`, its marks if None: its levels began at its marks.

        `closed` is the liquidation that ended it there, `left` what it then held, in its currency;
        `unit` is this currency (if None) or "USD". ValueError for a missing or unknown price.
        """
        now, held = pool.prices(at), counted(pool, pool.marks)
        unit = checks.one_of("unit", unit or pool.currency, (pool.currency, "USD"))
        rate = 1.0 if unit == pool.currency else pool.quote(pool.currency, now)
        about = {"name": pool.name, "unit": unit, "isolated": pool.isolated}
        if not closed:
            collateral, equity, required = held, pool.equity(now), pool.requirement(now)
            about |= {"required": required * rate, "open": pool.open}
        else:  # the event has what was lost of the balances as they were worth at the end, if any
            fell = held - counted(pool, now)
            lost = closed.lost + fell if closed.lost else held - left
            collateral, equity = left + lost, left
            who = closed.text.partition("; ")[2]
            about["ended"] = f"{fmt(lost)} {pool.currency} lost; {who}"
        return cls(**about, collateral=collateral * rate, equity=equity * rate)


def counted(pool, marks):
    """What the collateral of a pool counts for at these marks, without PnL."""
    return pool.but(positions=(), marks=marks).equity()


def short(value):
    """A number for the narrow columns of a picture: three figures below 100, no decimals above."""
    return f"{value:.3g}" if abs(value) < 99.95 else f"{value:,.0f}"


def grouped(accounts, prices, names):
    """[(title, vessels)] for each account at each of the prices; input is checked here."""
    several = [accounts] if isinstance(accounts, Account) else accounts
    listed = isinstance(several, list | tuple) and several
    if not listed or not all(isinstance(one, Account) for one in several):
        raise TypeError(f"accounts must be an Account or a list of them, not {accounts!r}")
    pairs = [(one, one.at(**now) if now else one) for now in scenes(prices) for one in several]
    units = {pool.currency for _, after in pairs for pool in after.pools}
    unit = units.pop() if len(units) == 1 else "USD"
    titles = titled(pairs, prices) if names is None else named(names, len(pairs))
    return [(title, stood(*pair, unit)) for title, pair in zip(titles, pairs, strict=True)]


def scenes(prices):
    """Prices as a list of dicts, one for each scene."""
    if prices is None:
        return [{}]
    if not isinstance(prices, Mapping) or not prices:
        raise TypeError(f"prices must be a mapping, such as {{'BTC': 45_000}}, not {prices!r}")
    rows = {name: np.atleast_1d(checks.price(name, value)) for name, value in prices.items()}
    sizes = {name: row.shape for name, row in rows.items()}
    most = max(row.size for row in rows.values())
    if any(row.ndim > 1 or row.size not in (1, most) or not most for row in rows.values()):
        raise ValueError(f"prices must be one for each name, or equally many, not {sizes}")
    return [{n: float(row[i % row.size]) for n, row in rows.items()} for i in range(most)]


def titled(pairs, prices):
    """The prices of each (account before, after) that were asked, else those of its indices."""
    titles = []
    for _, after in pairs:
        contracts = {p.instrument.symbol for pool in after.pools for p in pool.positions}
        names = prices or [name for name in after.marks if name not in contracts]
        titles.append(", ".join(f"{name} at {fmt(after.marks[name])}" for name in names))
    each = len(set(titles)) == len(titles)
    return titles if each else [f"account {i + 1}" for i in range(len(titles))]


def named(names, count):
    """Titles as given."""
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"names must be a list of texts, not {names!r}")
    if len(names) != count:
        raise ValueError(f"names must be {count}, one for each account and price, not {names!r}")
    return names


def stood(before, after, unit):
    """The vessels of an account: isolated pools first, and closed ones with them."""
    last = {e.pool: e for e in after.events if e.kind in ("trade", "liquidation")}
    ends = {name: event for name, event in last.items() if event.kind == "liquidation"}
    was = {pool.name: pool for pool in before.pools}
    there = {pool.name: pool for pool in after.pools}
    gone = [walled(e.currency, after.venue, n) for n, e in ends.items() if n not in there]
    found = []
    for pool in [*gone, *sorted(after.pools, key=lambda pool: not pool.isolated)]:
        closed = None if pool.open else ends.get(pool.name)
        shown = was.get(pool.name, pool) if closed else pool
        began = shown.marked({**after.marks, **before.marks})
        now = {name: price for name, price in after.marks.items() if name in began.names}
        left = pool.equity() if closed else 0.0
        found.append(Vessel.of(began, now, closed, unit, left))
    return [v for v in found if v.open or v.ended or v.collateral] or found


def told(groups, only=lambda vessel: True):
    """The sentences of vessels, a line each, after their titles."""
    found = [(title, v.sentence) for title, row in groups for v in row if only(v)]
    return "\n".join(f"{title}, {said}" if title else said for title, said in found)


def reading(
    accounts: Account | Sequence[Account],
    prices: Mapping | None = None,
    names: Sequence[str] | None = None,
) -> str:
    """The picture that `vessels` makes of the same arguments in words, a line for each vessel."""
    return told(grouped(accounts, prices, names))
