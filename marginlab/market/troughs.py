"""The trough of a pool on a path: the least that it comes to without its margin. What `survival` keeps."""

from bisect import bisect_right
from typing import NamedTuple

import numpy as np

from ..liquidation import cancel_orders, close_all
from ..rules import TRADER, Tiers
from .paths import Paths


class Book(NamedTuple):
    """What troughs are asked of.

    pools : tuple of Pool
        Positions, and no collateral.
    margins : tuple of str
        For each pool the currency in which its margin is held, and in units of which its trough is counted.
    rates : mapping of symbol to array of shape (steps,)
        Funding rates paid after each step, 0 where nothing is due.
    paths : Paths
    horizons : tuple of int
        Steps up to which troughs are kept; the last step is one of them.
    """

    pools: tuple
    margins: tuple
    rates: dict
    paths: Paths
    horizons: tuple


def why_not(pool, margin, rates):
    """Why the trough of a pool would depend on its margin, in words; "" if it does not."""
    venue, haircut = pool.venue, _haircut(pool, margin)
    if venue.fee_at == "bankruptcy":
        return f"at {venue.name} the requirement holds a fee at the bankruptcy price, which depends on the margin"
    if len(haircut) > 1 or haircut[0] == 1:
        return f"the haircut on {margin} is not one rate below 1 for every amount"
    paid = {p.instrument.settle for p in pool.positions if np.any(rates.get(p.instrument.symbol, 0.0))}
    if paid and pool.isolated and venue.funding.charged_to == "account":
        return f"at {venue.name} the account pays the funding of an isolated position first"
    for currency in () if pool.own_in_full else sorted(paid):
        asset = venue.asset(currency)
        if asset.loan or any(asset.haircut.rates) or asset.debt_weight != 1 or asset.rate:
            return f"funding in {currency} leaves a balance or a debt that does not count in full, or bears interest"
    return ""


def why_no_loss(pool, margin):
    """Why a trough says whether a pool is liquidated, but not what of it is lost; "" if all of it is."""
    if set(pool.venue.liquidation.steps) - {cancel_orders, close_all}:
        return f"{pool.venue.name} closes a pool part by part"
    if pool.venue.surplus_to == TRADER:
        return f"{pool.venue.name} returns what is left of a pool"
    if any(_haircut(pool, margin)):
        return f"what the haircut on {margin} kept out of a pool is returned"
    return ""


def _haircut(pool, margin):
    """The rates of the haircut on a pool's margin."""
    return (0.0,) if pool.own_in_full else pool.venue.asset(margin).haircut.rates


def troughs(book, block):
    """(trough, when, gain) of one block of paths.

    trough : ndarray of shape (pools, horizons, width)
        The least of pnl - funding - requirement from the start up to each horizon, in units of margin.
    when : ndarray of the same shape
        The first step at which it was reached.
    gain : ndarray of shape (pools, width)
        pnl - funding at the end, in the currency of the margin.
    """
    start, names = book.paths.start, list(book.paths.start)
    pools = [_Pool(book, k) for k in range(len(book.pools))]
    found = []
    np.empty(2**21)  # freed at once: glibc then keeps the room for arrays up to this size, in place of fetching it anew
    for first, logs in book.paths.slabs(block, book.horizons):
        prices = _Prices(start, names, logs)
        for pool in pools:
            pool.look(first, prices)
        if first + len(logs) - 1 in book.horizons:
            found.append(([pool.trough() for pool in pools], [pool.when.copy() for pool in pools]))
    last = _Prices(start, names, logs[-1:])
    trough, when = (np.stack(rows, axis=1) for rows in zip(*found, strict=True))
    return trough, when, np.stack([pool.gain(last) for pool in pools])


class _Prices(dict):
    """Prices of a slab, of shape (steps, width), worked out from their logs when they are asked for."""

    def __init__(self, start, names, logs):
        super().__init__()
        self.start, self.names, self.logs = start, names, logs

    def log(self, name):
        return self.logs[:, self.names.index(name)]

    def __missing__(self, name):
        self[name] = price = np.exp(self.log(name))
        price *= self.start[name]
        return price


class _Pool:
    """What is kept of one pool on a block of paths: its least value so far, when that was, and the funding paid.

    Where slack moves with one price alone, the log of the worst price (its sign that of the position) is kept instead.
    """

    def __init__(self, book, k):
        self.pool, self.margin, self.start, width = book.pools[k], book.margins[k], book.paths.start, book.paths.width
        self.weight = 1 - _haircut(self.pool, self.margin)[0]
        positions = self.pool.positions
        self.rates = [(p, book.rates[p.instrument.symbol]) for p in positions if p.instrument.symbol in book.rates]
        self.pays = self.pool.own_in_full and all((rates * p.quantity >= 0).all() for p, rates in self.rates)
        self.paid = {p.instrument.settle: np.zeros(width) for p, _ in self.rates}
        pairs = list(zip(positions, self.pool.schedules, strict=True))
        straight = self.pool.own_in_full and all(isinstance(schedule, Tiers) for _, schedule in pairs)
        self.lines = [(p, lines(self.pool.venue, p, schedule), schedule) for p, schedule in pairs] if straight else []
        rises = all(slope * positions[0].quantity > 0 for _, lines, _ in self.lines for slope, _ in lines)
        self.alone = positions[0] if len(self.lines) == 1 and rises and not self.rates else None
        self.least = np.full(width, 0.0 if self.alone else self.slack(self.start))
        self.when = np.zeros(width, dtype=np.int32)

    def look(self, first, prices):
        """Go on by a slab."""
        if self.alone:
            values = prices.log(self.alone.instrument.index)
            values = values if self.alone.quantity > 0 else -values
        else:
            values = self.slack(prices, self.spent(first, prices))
        new = values.min(axis=0)
        better = np.flatnonzero(new < self.least)
        self.least[better], self.when[better] = new[better], first + values[:, better].argmin(axis=0)

    def trough(self):
        if not self.alone:
            return self.least.copy()
        index = self.alone.instrument.index
        return self.slack({index: self.start[index] * np.exp(self.least * np.sign(self.alone.quantity))})

    def gain(self, last):
        spent = sum(paid * self.unit(settle, last) for settle, paid in self.paid.items())
        return np.ravel((self.pool.worth(self.named(last)) - spent) / self.unit(self.margin, last))

    def slack(self, prices, spent=0.0):
        """Slack without margin, in units of margin, once so much was spent on funding."""
        if not self.lines:
            return (self.pool.slack(self.named(prices)) - spent) / (self.weight * self.unit(self.margin, prices))
        total = None  # as pool.slack, in fewer passes over the arrays
        for p, lines, schedule in self.lines:
            level = p.instrument.level(prices[p.instrument.index])
            if len(lines) > 1:
                floors, size = schedule.floors, abs(p.quantity * p.instrument.face)
                ends = (size * abs(level.min()), size * abs(level.max())) if np.ndim(level) else (abs(size * level),)
                lines = lines[bisect_right(floors, min(ends)) - 1 : bisect_right(floors, max(ends))]
            least = None
            for slope, constant in lines:
                line = slope * level
                line += constant
                least = line if least is None else np.minimum(least, line)
            total = least if total is None else total + least
        if self.rates:
            total = np.subtract(total, spent, out=total) if np.ndim(total) else total - spent
        return total

    def named(self, prices):
        """The prices that the pool follows, as far as there are paths of them."""
        return {name: prices[name] for name in sorted(self.pool.names & self.start.keys())}

    def unit(self, currency, prices):
        """What a unit of a currency is worth in the pool's currency."""
        if currency == self.pool.currency:
            return 1.0
        return prices[currency] if currency in self.start else self.pool.quote(currency, self.pool.marks)

    def spent(self, first, prices):
        """What funding has taken at each step, in the pool's currency: the venue looks before and after a payment, and
        the larger counts."""
        if not self.rates:
            return 0.0
        totals, steps = [], len(prices.logs)
        for settle, carried in self.paid.items():
            paid = np.empty((steps + 1, len(carried)))
            paid[0] = carried
            rows = [
                (p, rates[first - 1 : first - 1 + steps]) for p, rates in self.rates if p.instrument.settle == settle
            ]
            for n in range(steps):
                due = [p.notional(prices[p.instrument.index][n]) * rates[n] for p, rates in rows if rates[n]]
                np.add(paid[n], sum(due[1:], due[0]) if due else 0.0, out=paid[n + 1])
            self.paid[settle] = paid[-1].copy()
            unit = self.unit(settle, prices)
            totals.append((paid[:-1], paid[1:]) if np.ndim(unit) == 0 else (paid[:-1] * unit, paid[1:] * unit))
        before, after = (sum(side[1:], side[0]) for side in zip(*totals, strict=True))
        return after if self.pays else np.maximum(before, after)


def lines(venue, p, schedule):
    """PnL less requirement of a position as straight lines in the level (see `Perpetual.level`), one for each tier:
    pairs of slope and constant. The least of their values holds, because rates rise.
    """
    size, start, n = p.quantity * p.instrument.face, p.instrument.level(p.entry), abs(p.quantity)
    entry, notional = abs(p.notional(p.entry)), -abs(size) if p.instrument.inverse else abs(size)
    tiers = zip(schedule.rates, schedule.amounts, strict=True)
    if venue.maintenance_at == "entry":
        tiers = [(0.0, -schedule.maintenance(entry, n))]
    elif schedule.basis == "quantity":
        tiers = [(schedule.rate(n), 0.0)]
    fee = venue.fee if venue.fee_at == "price" else 0.0
    held = venue.fee * entry if venue.fee_at == "entry" else 0.0
    return tuple((size - (rate + fee) * notional, amount - size * start - held) for rate, amount in tiers)
