"""Which margin carries a book through many paths: every margin, in both modes, from one pass."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import as_completed
from functools import partial, reduce
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from attrs import frozen

from .. import checks
from ..contracts import Position
from ..liquidation import cancel_orders, close_all
from ..pool import Pool, plain
from ..rules import TRADER, Tiers, Venue
from .paths import Paths

ROUNDING = 1e-12  # a pool whose margin is so little above what it needs is at its line


def survival(
    venue,
    book,
    paths,
    rates=None,
    together=None,
    margin=None,
    horizons=1,
    executor=None,
    chunk=4_000,
):
    """What a book of positions needs on each of many paths, in a pool for each and in one for all.

        survival(venues.TEACHING, [Position(perp, 1, 50_000)], Brownian({"BTC": 50_000}, ...))

    The slack of a pool is its margin plus pnl - funding - requirement. The least of that sum on a
    path is the pool's *trough*, and the margin is not in it: a pool is liquidated on a path if its
    margin is at most -trough. So one pass answers for every margin (see `Survival`), as long as

    - the requirement does not depend on the margin (as a fee at the bankruptcy price does);
    - funding is paid by the pool itself;
    - nothing is added, taken out or closed before the pool is liquidated;
    - the margin is one currency, with one haircut for every amount.

    That is checked, and refused with the reason; `outcomes` then steps through the paths for one
    margin. Initial margin and the end of a schedule are not checked: `Account.trade` does that.

    Parameters
    ----------
    venue : Venue
    book : sequence of Position
    paths : Paths
        With the index of every position, and the margin's currency if it has a price.
    rates : mapping of instrument or symbol to float or array of shape (steps,), optional
        Funding rates paid after each step. The venue looks before and after a payment.
    together : sequence of str, optional
        Labels of the positions in the shared pool, such as "long BTC-USDT"; all if absent.
    margin : str, optional
        Currency of the margin in the shared pool of a multi-currency account.
    horizons : int or sequence of int
        Steps up to which troughs are kept: so many, equally spaced, or the steps themselves. The
        last is always one.
    executor : concurrent.futures.Executor, optional
        Where the work is done: a ProcessPoolExecutor, `Client.get_executor()` of Dask. The answer
        is the same to the bit; absent, it is done here.
    chunk : int
        Paths for each task, in whole blocks (see `Paths`). It has no part in the answer.

    Interrupted (Ctrl-C), it returns what is complete, with a line that says how many paths these
    are. Returns a `Survival`. TypeError or ValueError for what cannot be meant, or where a
    condition fails.
    """
    positions = [book] if isinstance(book, Position) else book
    positions = tuple(positions) if isinstance(positions, Iterable) else ()
    if not positions or not all(isinstance(p, Position) for p in positions):
        raise TypeError(f"book must be a sequence of Position values, at least one, not {book!r}")
    if not isinstance(venue, Venue) or not isinstance(paths, Paths):
        raise TypeError(
            f"venue must be a Venue and paths must be Paths, not {venue!r} and {paths!r}"
        )
    if executor is not None and not hasattr(executor, "submit"):
        raise TypeError(f"executor must be a concurrent.futures.Executor, not {executor!r}")
    rates = rows(rates or {}, positions, paths)
    unique, names = {}, {}
    for pool, currency in _pools(venue, positions, together, margin):
        check_prices(pool, currency, paths)
        if reason := why_not(pool, currency, rates):
            raise ValueError(
                f"the trough of {pool.name!r} would not hold for every margin: {reason}; "
                f"see outcomes()"
            )
        same = (pool.positions, pool.own_in_full)  # alone, a position is the same in both modes
        names[pool.name] = unique.setdefault(same, (len(unique), pool, currency))[0]
    _, pools, margins = zip(*unique.values(), strict=True)
    asked = Book(pools, margins, rates, paths, _horizons(horizons, paths.steps))
    number, answers = _survive(asked, executor, checks.whole("chunk", chunk))
    pools, currency, *found = (
        {name: what[k] for name, k in names.items()} for what in (pools, margins, *answers)
    )
    return Survival(pools, currency, asked.horizons, number, *found)


@frozen(eq=False, slots=False, repr=False)
class Survival:
    """What a book needs on each path, for every margin. Made by `survival`.

    A *split* says which pools hold the book: the name of one ("cross USDT"), or a mapping of pools
    to their shares of the capital, {"long BTC-USDT": 0.5, "short ETH-USDT": 0.3}. What the shares
    leave is idle, in no pool; a position of no pool is not held. `isolated` and `shared` are such
    splits. Capital is in the currency of the margin.

    Attributes
    ----------
    pools, currency : mappings of name to Pool, and to the currency of its margin
        Without collateral; of each position alone, under its label, and the shared ones.
    horizons : tuple of int
    number : ndarray of shape (paths,)
        Which paths these are: all, unless it was interrupted.
    trough : mapping of name to ndarray of shape (horizons, paths)
        The least of pnl - funding - requirement up to each horizon.
    gain : mapping of name to ndarray of shape (paths,)
        pnl - funding at the last step, if the pool lives to see it.
    """

    pools: Mapping
    currency: Mapping
    horizons: tuple
    number: np.ndarray
    trough: Mapping
    gain: Mapping

    @property
    def isolated(self):
        """The split with a pool for each position, by notional: one leverage for all."""
        alone = [pool.positions[0] for name, pool in self.pools.items() if self._single(name)]
        sizes = {p.label: abs(p.notional(p.entry)) for p in alone}
        return {name: size / sum(sizes.values()) for name, size in self._alike(sizes).items()}

    @property
    def shared(self):
        """The name of the shared pool; ValueError unless there is exactly one."""
        names = [name for name in self.pools if not self._single(name)]
        if len(names) != 1:
            raise ValueError(
                f"there must be one shared pool, not {len(names)}: {', '.join(names) or 'none'}"
            )
        return names[0]

    def _single(self, name):
        return name == self.pools[name].positions[0].label

    def needed(self, split, horizon=None):
        """On each path, the capital at which a pool of the split is just liquidated.

        With more of it none is. An array of shape (paths,); up to a horizon, the last if None.
        """
        horizon = self.horizons[-1] if horizon is None else horizon
        if horizon not in self.horizons:
            known = ", ".join(map(str, self.horizons))
            raise ValueError(f"horizon must be one of {known}, not {horizon!r}")
        return self._needs(split, self.horizons.index(horizon)).max(axis=0)

    def survived(self, capital, split, horizon=None):
        """Share of the paths on which no pool of the split is liquidated; for an array too.

        Its standard error is that of a share: sqrt(share * (1 - share) / paths).
        """
        capital = checks.positive("capital", capital)
        needed = np.sort(self.needed(split, horizon))
        count = np.searchsorted(needed, np.asarray(capital) * (1 - ROUNDING), side="left")
        return plain(count / len(needed))

    def capital_for(self, share, split, horizon=None):
        """The capital above which at least this share of the paths (0 to 1) is survived."""
        share = checks.finite("share", share)
        needed = np.sort(self.needed(split, horizon))
        if np.min(share) <= 0 or np.max(share) > 1:
            raise ValueError(f"share must be above 0 and at most 1, not {share!r}")
        count = np.ceil(np.asarray(share) * len(needed) - 1e-9).astype(int)
        return plain(needed[count - 1])

    def liquidated_by(self, capital, split):
        """On each path, the horizon by which the first pool is liquidated, -1 if none is.

        With every step a horizon it is the step itself (and 1 for what is at its line at the
        start).
        """
        gone = self._gone(checks.number("capital", capital, above=0), split).any(axis=0)
        return np.where(gone[-1], np.array(self.horizons)[gone.argmax(axis=0)], -1)

    def worth(self, capital, split):
        """What the capital has become at the last step on each path.

        It is what is idle, and of every pool that lives its margin and gain; of a liquidated pool
        nothing is left. ValueError where the venue would leave something.
        """
        capital = checks.number("capital", capital, above=0)
        split = self._split(split)
        total = np.full(len(self.number), capital * (1 - sum(split.values())))
        gone = self._gone(capital, split)[:, -1]
        for (name, share), lost in zip(split.items(), gone, strict=True):
            if reason := why_no_loss(self.pools[name], self.currency[name]):
                raise ValueError(
                    f"a trough does not say what of {name!r} is lost: {reason}; see outcomes()"
                )
            total += np.where(lost, 0.0, share * capital + self.gain[name])
        return total

    def summary(self, capital, splits, worst=0.05):
        """Splits side by side, as a DataFrame: a row for each of a mapping of words to splits.

        `liquidated`: share of the paths on which a pool was, with its standard `error` (where none
        of n paths was, the true share may still be up to about 3 / n); `all lost`: share on which
        every pool was; `worst`: the expected shortfall, which is the mean of the largest 5 % (or
        another share `worst`) of the losses, unrealised ones and funding included; `at risk`:
        capital in pools; `idle`: the rest.
        """
        import pandas as pd

        worst = checks.number("worst", worst, above=0, most=1)
        if not isinstance(splits, Mapping):
            raise TypeError(
                f"splits must map words to splits, such as {{'cross': 'cross USDT'}}, not "
                f"{splits!r}"
            )
        made, paths = {}, len(self.number)
        for words, split in splits.items():
            lost = capital - self.worth(capital, split)
            gone = self._gone(capital, split)[:, -1]
            risked = capital * sum(self._split(split).values())
            share = float(gone.any(axis=0).mean())
            made[words] = {
                "liquidated": share,
                "error": np.sqrt(share * (1 - share) / paths),
                "all lost": float(gone.all(axis=0).mean()),
                "worst": np.sort(lost)[-max(1, round(worst * paths)) :].mean(),
                "at risk": risked,
                "idle": capital - risked,
            }
        return pd.DataFrame.from_dict(made, orient="index")

    def _needs(self, split, at=slice(None)):
        """The capital that each pool of a split needs, of shape (pools, horizons, paths)."""
        return np.stack([-self.trough[n][at] / share for n, share in self._split(split).items()])

    def _gone(self, capital, split):
        """Whether each pool of a split is liquidated, of shape (pools, horizons, paths)."""
        return self._needs(split) >= capital * (1 - ROUNDING)

    def _split(self, split):
        """{name of a pool: share of the capital}, checked."""
        split = {split: 1.0} if isinstance(split, str) else split
        if not isinstance(split, Mapping) or not split:
            raise TypeError(
                f"split must be the name of a pool, or a mapping of names to shares, not {split!r}"
            )
        if unknown := split.keys() - self.pools.keys():
            raise ValueError(
                f"split must be of {', '.join(self.pools)}: not {', '.join(map(str, unknown))}"
            )
        split = {n: checks.number(f"the share of {n}", s, above=0) for n, s in split.items()}
        held = [p.label for name in split for p in self.pools[name].positions]
        if len(set(held)) < len(held):
            raise ValueError(f"split must hold each position once, not {', '.join(held)}")
        if sum(split.values()) > 1 + 1e-9:
            raise ValueError(
                f"split must have shares of at most 1 together, not {sum(split.values()):g}"
            )
        return self._alike(split)

    def _alike(self, split):
        if len({self.currency[name] for name in split}) > 1:
            raise ValueError(
                f"the pools {', '.join(split)} hold margin in different currencies: ask for each"
            )
        return split

    def __repr__(self):
        pools = ", ".join(f"{name} ({self.currency[name]})" for name in self.pools)
        steps = f"{len(self.number):,} paths of {self.horizons[-1]:,} steps"
        return f"Survival on {steps}: {pools}"


# --------------------------------------------------------------------- what is asked


class Book(NamedTuple):
    """What troughs are asked of: pools of positions without collateral."""

    pools: tuple
    margins: tuple  # of each pool the currency of its margin, in units of which its trough counts
    rates: dict  # by symbol, the funding rates paid after each step, 0 where nothing is due
    paths: Paths
    horizons: tuple  # steps up to which troughs are kept; the last step is one of them


def _pools(venue, book, together, margin):
    """(pool, currency of its margin) of each position alone and of those that share; checked."""
    labels = [p.label for p in book]
    if len(set(labels)) < len(book):
        raise ValueError(f"book must hold each side of a contract once, not {', '.join(labels)}")
    if not venue.hedge_mode and len({p.instrument.symbol for p in book}) < len(book):
        raise ValueError(
            f"book must hold each contract once: {venue.name} has no hedge mode, not "
            f"{', '.join(labels)}"
        )
    chosen = labels if together is None else together
    listed = isinstance(chosen, Iterable) and not isinstance(chosen, str)
    if not listed or not all(label in labels for label in chosen):
        raise ValueError(
            f"together must be a list of labels, of {', '.join(labels)}: not {together!r}"
        )
    if not isinstance(margin, str | None):
        raise TypeError(f"margin must be the name of a currency, not {margin!r}")
    if margin is not None and not venue.multi_currency:
        raise ValueError(
            f"margin={margin!r}: at {venue.name} a pool is in its contracts' settlement currency"
        )
    for p in book:
        settle = p.instrument.settle
        yield Pool(settle, {}, [p], venue, {}, p.label, True), settle
    shared = [p for p in book if p.label in chosen]
    if shared and venue.multi_currency:
        if margin is None:
            raise ValueError(
                "margin must name the currency in which a multi-currency account holds it, such "
                "as 'BTC'"
            )
        yield Pool("USD", {margin: 0.0}, shared, venue, {}, "cross"), margin
        return
    for settle in dict.fromkeys(p.instrument.settle for p in shared):
        members = [p for p in shared if p.instrument.settle == settle]
        yield Pool(settle, {}, members, venue, {}, f"cross {settle}"), settle


def check_prices(pool, currency, paths):
    """ValueError if a price that a pool follows has no path, or a contract's own mark has one."""
    contracts = [p.instrument for p in pool.positions]
    if own := [c.symbol for c in contracts if c.symbol in paths.start]:
        raise ValueError(f"paths must be of indices and coins, not of contracts: {', '.join(own)}")
    needs = {currency, *(c.index for c in contracts), *(c.settle for c in contracts)}
    if unknown := sorted(needs - paths.start.keys() - set(pool.venue.quotes)):
        raise ValueError(
            f"paths must have a price of {', '.join(unknown)}, for {pool.name!r}: they are of "
            f"{', '.join(paths.start)}"
        )


def rows(rates, book, paths):
    """A row of funding rates, one for each step, for each contract that pays any; checked."""
    if not isinstance(rates, Mapping):
        raise TypeError(f"rates must be a mapping, such as {{'BTC-USDT': 0.0001}}, not {rates!r}")
    made = {}
    symbols = {p.instrument.symbol for p in book}
    for name, row in rates.items():
        symbol = getattr(name, "symbol", name)
        if symbol not in symbols:
            raise ValueError(
                f"rates must be of the book, {', '.join(sorted(symbols))}: not {symbol!r}"
            )
        row = np.asarray(checks.finite(f"the rates of {symbol}", row), dtype=float)
        if row.shape not in ((), (paths.steps,)):
            raise ValueError(
                f"the rates of {symbol} must be one number or {paths.steps}, not of shape "
                f"{row.shape}"
            )
        if row.any():
            made[symbol] = np.broadcast_to(row, paths.steps)
    return made


def _horizons(horizons, steps):
    if np.ndim(horizons) == 0:
        count = checks.whole("horizons", horizons, most=steps)
        horizons = [-(-n * steps // count) for n in range(1, count + 1)]
    return tuple(sorted({*(checks.whole("horizons", n, most=steps) for n in horizons), steps}))


def why_not(pool, margin, rates):
    """Why the trough of a pool would depend on its margin, in words; "" if it does not."""
    venue = pool.venue
    haircut = _haircut(pool, margin)
    if venue.fee_at == "bankruptcy":
        return (
            f"at {venue.name} the requirement holds a fee at the bankruptcy price, which depends "
            f"on the margin"
        )
    if len(haircut) > 1 or haircut[0] == 1:
        return f"the haircut on {margin} is not one rate below 1 for every amount"
    contracts = (p.instrument for p in pool.positions)
    paid = {c.settle for c in contracts if np.any(rates.get(c.symbol, 0.0))}
    if paid and pool.isolated and venue.funding.charged_to == "account":
        return f"at {venue.name} the account pays the funding of an isolated position first"
    if pool.joined and (loan := venue.asset(margin).loan) and not _flat(loan):
        return f"the loan margin on {margin} is not one rate for every debt"
    for currency in () if pool.own_in_full else sorted(paid):
        asset = venue.asset(currency)
        if asset.loan or any(asset.haircut.rates) or asset.debt_weight != 1 or asset.rate:
            return (
                f"funding in {currency} leaves a balance or a debt that does not count in full, "
                f"or bears interest"
            )
    return ""


def why_no_loss(pool, margin):
    """Why a trough does not say what of a liquidated pool is lost; "" if all of it is."""
    if set(pool.venue.liquidation.steps) - {cancel_orders, close_all}:
        return f"{pool.venue.name} closes a pool part by part"
    if pool.venue.surplus_to == TRADER:
        return f"{pool.venue.name} returns what is left of a pool"
    settled = {p.instrument.settle for p in pool.positions} if pool.joined else ()
    for currency in (margin, *sorted(settled)):
        if any(_haircut(pool, currency)):
            return f"what the haircut on {currency} kept out of a pool is returned"
    return ""


def _flat(loan):
    """Whether a loan's maintenance margin is one rate of every debt."""
    return isinstance(loan, Tiers) and len(loan.rates) == 1


def _haircut(pool, margin):
    """The rates of the haircut on a pool's margin."""
    return (0.0,) if pool.own_in_full else pool.venue.asset(margin).haircut.rates


# ------------------------------------------------------------------------ the pass


def _survive(book, executor, chunk):
    """(numbers of the paths, (trough, gain) with a row for each pool)."""
    count, width = book.paths.count, book.paths.width
    blocks, size = range(-(-count // width)), max(1, chunk // width)
    tasks = [(book, blocks[n : n + size]) for n in range(0, len(blocks), size)]
    shape = len(book.pools), len(book.horizons), count
    done = np.zeros(count, dtype=bool)
    kept = np.empty(shape), np.empty(shape[::2])
    try:
        for block, found in _found(tasks, executor, count, width):
            here = slice(block * width, min(count, (block + 1) * width))
            for array, new in zip(kept, found, strict=True):
                array[..., here] = new[..., : here.stop - here.start]
            done[here] = True
    except KeyboardInterrupt:
        if not done.any():
            raise
        print(f"Interrupted: this is the answer of {done.sum():,} of {count:,} paths.")
    if not done.all():
        kept = tuple(array[..., done] for array in kept)
    return np.flatnonzero(done), kept


def _found(tasks, executor, room, width):
    """(block, its troughs) as they come, with a bar that shows how far it is."""
    from tqdm.auto import tqdm

    here = executor is None
    waiting = [] if here else [executor.submit(_work, task) for task in tasks]
    answers = (future.result() for future in as_completed(waiting))
    with tqdm(total=room, desc="survival", unit="path", leave=False, delay=2) as bar:
        try:
            for pair in chain.from_iterable(map(_work, tasks) if here else answers):
                yield pair
                bar.update(min(width, room - bar.n))
        finally:
            for future in waiting:
                future.cancel()


def _work(task):
    """Troughs of the blocks of a task: what a worker does."""
    book, blocks = task
    return [(block, troughs(book, block)) for block in blocks]


def troughs(book, block):
    """(trough, gain) of one block of paths.

    trough : ndarray of shape (pools, horizons, width)
        The least of pnl - funding - requirement up to each horizon, in units of margin.
    gain : ndarray of shape (pools, width)
        pnl - funding at the end, in the currency of the margin.
    """
    paths = book.paths
    found = []
    # arrays by name, used again for every slab: made anew, large ones are slow
    room = defaultdict(partial(np.empty, (paths.most + 1, paths.width)))
    at_start = 0, np.zeros((1, len(paths.start), paths.width))
    pools = [_Trough(book, k) for k in range(len(book.pools))]
    for first, logs in chain([at_start], paths.slabs(block, book.horizons)):
        slab = _Slab(paths.start, logs, room)
        for pool in pools:
            pool.look(first, slab)
        if first + len(logs) - 1 in book.horizons:
            found.append([pool.trough(room) for pool in pools])
    last = _Slab(paths.start, logs[-1:], room)
    return np.stack(found, axis=1), np.stack([pool.gain(last) for pool in pools])


class _Slab:
    """Prices at some steps, of shape (steps, width), and what follows from them, once asked for.

    `logs` are those of price / start, of shape (steps, coins, width).
    """

    def __init__(self, start, logs, room):
        self.start, self.steps, self.room = start, len(logs), room
        self.known = {}
        self.logs = {name: logs[:, n] for n, name in enumerate(start)}

    def array(self, name):
        """Room for a value at each step on each path."""
        return self.room[name][: self.steps]

    def move(self, name, inverse=False):
        """price / start, or start / price."""
        key = name, inverse
        if key not in self.known:
            log = self.logs[name]
            self.known[key] = np.exp(-log if inverse else log, out=self.array(key))
        return self.known[key]

    def prices(self, names):
        """A mapping of these names to prices, as far as there are paths of them."""
        return {n: self.start[n] * self.move(n) for n in sorted(names & self.start.keys())}


class _Trough:
    """One pool on a block of paths: its least value so far, and the funding that it has paid.

    A pool whose schedules are all `Tiers` is a sum of straight lines; any other is asked for its
    slack. Where slack only rises (or only falls) with one price, the log of the worst price, with
    the position's sign, is kept in place of a value.
    """

    def __init__(self, book, k):
        self.pool, self.margin, self.start = book.pools[k], book.margins[k], book.paths.start
        self.weight, self.owed_weight = _weights(self.pool, self.margin)
        self.least = np.full(book.paths.width, np.inf)
        self.flows = {}  # by currency: contracts, and what is due at each step if at the start
        for p in self.pool.positions:
            contract = p.instrument
            if contract.symbol in book.rates:
                due = p.notional(self.start[contract.index]) * book.rates[contract.symbol]
                self.flows.setdefault(contract.settle, []).append((contract, due))
        self.pays = all((due >= 0).all() for flows in self.flows.values() for _, due in flows)
        self.paid = {currency: np.zeros(book.paths.width) for currency in self.flows}
        self.lines = []
        straight = all(isinstance(tiers, Tiers) for tiers in self.pool.schedules)
        if self.pool.own_in_full and straight and not (self.pool.scans or self.pool.nets):
            self.lines = [_Lines(self.pool.venue, p, self.start) for p in self.pool.positions]
        self.constant = sum(of.constant for of in self.lines)
        self.alone = len(self.lines) == 1 and self.lines[0].rises and not self.flows

    def look(self, first, slab):
        """Go on by a slab that begins with a step."""
        if self.alone:
            p = self.pool.positions[0]
            logs = slab.logs[p.instrument.index]
            worst = logs.min(axis=0) if p.side > 0 else -logs.max(axis=0)
        else:
            total = self.slack(slab)
            if self.flows and first:
                total -= self.spent(first, slab)
            if not self.lines:
                total /= self.unit(self.margin, slab)
                total = self.in_margin(total, slab)
            worst = total.min(axis=0)
        np.minimum(self.least, worst, out=self.least)

    def in_margin(self, total, slab):
        """The amount of the margin's currency that counts for as much as slack lacks, below 0.

        What is held of it counts less a haircut, what is owed with its weight and loan margin; PnL
        that settles in it is a part of the sum.
        """
        gained = 0.0
        if self.pool.joined:
            at = self.pool.prices(slab.prices(self.pool.names))
            gained = self.pool.sums(at)[self.margin]
            here = self.pool.counts(self.margin, gained, at)
            total = total - here / self.unit(self.margin, slab)  # all but this currency
        return gained + np.where(total < 0, total / self.weight, total / self.owed_weight)

    def trough(self, room):
        """The least value so far, of shape (width,)."""
        if not self.alone:
            return self.least + self.constant
        logs = self.least * self.pool.positions[0].side
        worst = np.broadcast_to(logs, (1, len(self.start), len(logs)))
        return self.slack(_Slab(self.start, worst, room))[0] + self.constant

    def slack(self, slab):
        """Slack without margin, funding and what is constant, in the pool's currency."""
        total = slab.array("total")
        if not self.lines:
            total[...] = self.pool.slack(slab.prices(self.pool.names))
        for n, lines in enumerate(self.lines):
            values = lines.values(slab, slab.array("one") if n else total)
            if n:
                total += values
        return total

    def spent(self, first, slab):
        """What funding has taken by each step, in the pool's currency.

        The venue looks before and after a payment, and the larger counts.
        """
        looks = []
        now = slice(first - 1, first - 1 + slab.steps)
        for currency, flows in self.flows.items():
            paid = slab.room["paid", currency][: slab.steps + 1]
            paid[0] = self.paid[currency]
            for n, (contract, due) in enumerate(flows):
                move, part = slab.move(contract.index, contract.inverse), slab.array("part")
                np.einsum("s,sw->sw", due[now], move, out=part if n else paid[1:])
                if n:
                    paid[1:] += part
            for before, row in pairwise(paid):
                row += before
            self.paid[currency] = paid[-1].copy()
            sides = paid[:-1], paid[1:]
            if currency != self.pool.currency:
                sides = [side * self.unit(currency, slab) for side in sides]
            looks.append(sides)
        before, after = (reduce(np.add, side) for side in zip(*looks, strict=True))
        return after if self.pays else np.maximum(before, after, out=slab.array("part"))

    def gain(self, last):
        """pnl - funding at the end, in the currency of the margin."""
        spent = sum(paid * self.unit(currency, last) for currency, paid in self.paid.items())
        gain = self.pool.worth(last.prices(self.pool.names)) - spent
        return np.ravel(gain / self.unit(self.margin, last))

    def unit(self, currency, slab):
        """What a unit of a currency is worth in the pool's currency."""
        if currency == self.pool.currency:
            return 1.0
        price = slab.prices({currency}).get(currency)
        return self.pool.quote(currency, self.pool.marks) if price is None else price


def _weights(pool, margin):
    """What one of the margin's currency counts for where it is held, and where it is owed."""
    if pool.own_in_full:
        return 1.0, 1.0
    asset, venue = pool.venue.asset(margin), pool.venue
    held = 1 - asset.haircut.rates[0]
    if not pool.joined:
        return held, held
    fee = venue.fee if venue.fee_at == "price" else 0.0
    loan = (1 + fee) * asset.loan.rates[0] + fee if asset.loan else 0.0
    return held, asset.debt_weight + loan


class _Lines:
    """PnL less requirement of a position as straight lines in price / start, or its inverse.

    There is a line for each tier, (slope, constant), and the least of their values holds, because
    rates rise. Where there is one line only, its constant stands apart.
    """

    def __init__(self, venue, p, start):
        schedule = venue.schedule(p.instrument)
        start = start[p.instrument.index]
        self.contract, self.floors = p.instrument, schedule.floors
        self.notional, entry = abs(p.notional(start)), abs(p.notional(p.entry))
        tiers = zip(schedule.rates, schedule.amounts, strict=True)
        if venue.maintenance_at == "entry":
            tiers = [(0.0, -schedule.maintenance(entry, abs(p.quantity)))]
        elif schedule.basis == "quantity":
            tiers = [(schedule.rate(abs(p.quantity)), 0.0)]
        fee = venue.fee if venue.fee_at == "price" else 0.0
        held = venue.fee * entry if venue.fee_at == "entry" else 0.0
        size, level = p.quantity * p.instrument.face, p.instrument.level
        slope, lost = size * level(start), size * level(p.entry) + held
        self.lines = [(slope - (rate + fee) * self.notional, a - lost) for rate, a in tiers]
        self.constant = self.lines[0][1] if len(self.lines) == 1 else 0.0
        up = -p.side if p.instrument.inverse else p.side
        self.rises = all(slope * up > 0 for slope, _ in self.lines)

    def values(self, slab, out):
        """`out`, an array of shape (steps, width), filled; without what stands apart."""
        move = slab.move(self.contract.index, self.contract.inverse)
        lines = self.lines
        if len(lines) == 1:
            return np.multiply(move, lines[0][0], out=out)
        # those of the tiers between the smallest notional and the largest
        least, most = self.notional * move.min(), self.notional * move.max()
        lines = lines[bisect_right(self.floors, least) - 1 : bisect_right(self.floors, most)]
        for n, (slope, constant) in enumerate(lines):
            line = slab.array("part") if n else out
            np.multiply(move, slope, out=line)
            line += constant
            if n:
                np.minimum(out, line, out=out)
        return out
