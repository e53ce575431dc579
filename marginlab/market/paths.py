"""Paths of prices: random ones, from one seed; those that are stated; and those of a history."""

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import attrs
import numpy as np
from attrs import field, frozen

from .. import checks
from ..checks import Frozen, field_of
from ..rules import YEAR

WIDTH = 2_000  # paths drawn side by side from one seed: enough for numpy, few for the cache
SLAB = 32_000  # prices of a coin worked on at a time


def _starts(start):
    """A mapping of index to price, checked."""
    if not isinstance(start, Mapping) or not start:
        raise ValueError(
            f"start must map an index to its price, such as {{'BTC': 50_000}}, not {start!r}"
        )
    return Frozen({n: checks.number(f"the start of {n}", p, above=0) for n, p in start.items()})


def _each(what, value, start, **bounds):
    """{coin: number}: one number for all, or a mapping that names what `start` does."""
    if not isinstance(value, Mapping):
        return Frozen(dict.fromkeys(start, checks.number(what, value, **bounds)))
    if value.keys() != start.keys():
        named = ", ".join(map(str, value))
        raise ValueError(f"{what} must name what start does, {', '.join(start)}, not {named}")
    named = {n: checks.number(f"the {what} of {n}", value[n], **bounds) for n in start}
    return Frozen(named)


def _own(check, default=attrs.NOTHING, **about):
    """A field by keyword that holds check(its name, what is given, the paths before it)."""
    converter = attrs.Converter(
        lambda value, paths, of: check(of.name, value, paths), takes_self=True, takes_field=True
    )
    return attrs.field(default=default, converter=converter, kw_only=True, **about)


def _number(default=attrs.NOTHING, **bounds):
    return _own(lambda name, value, _: checks.number(name, value, **bounds), default)


def _per_coin(default=attrs.NOTHING, **bounds):
    return _own(lambda name, value, paths: _each(name, value, paths.start, **bounds), default)


def _seed():
    """A field for a seed of its own out of a generator's, given as `rng`."""

    def check(_, rng, __):
        if not isinstance(rng, np.random.Generator):
            raise TypeError(
                f"rng must be a numpy Generator, such as np.random.default_rng(7), not {rng!r}"
            )
        return rng.bit_generator.seed_seq.spawn(1)[0]

    return _own(check, alias="rng", repr=False)


def generator(seed, block, what=0):
    """The random generator of one block of paths; `what` tells several in one block apart."""
    key = (*seed.spawn_key, block, what)
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key))


@frozen(eq=False, slots=False)
class Paths:
    """So many paths of the prices of some coins, equally likely: what `survival` is asked on.

    Nothing is held but the recipe. Paths come in blocks, each with a seed of its own
    (`SeedSequence.spawn`), and a block in slabs of time. The same seed gives the same paths to the
    bit, however many are worked on at once and wherever; more of them begin with the fewer.

    Attributes
    ----------
    start : mapping of index to price
        At step 0, in quote currency.
    steps, count : int
        Steps after the start; paths.
    hours : float
        From a step to the next; of given paths also a row, of the hours before each step.
    """

    start: Mapping = field(converter=_starts)
    steps: int = field_of(checks.whole)
    count: int = field_of(checks.whole)

    @property
    def width(self):
        """Paths of a block."""
        return WIDTH

    @property
    def most(self):
        """Steps of a slab."""
        return max(1, SLAB // self.width)

    def cuts(self, stops):
        """Where slabs begin and end."""
        return pairwise(sorted({0, *range(self.most, self.steps, self.most), *stops, self.steps}))

    def increments(self, block):
        """A function of (first step, array to fill) that gives a block's log returns, in order.

        The array is of shape (steps, coins, width); how they are cut makes no difference.
        """
        raise NotImplementedError

    def slabs(self, block, stops=()):
        """The log of price / start of one block: pairs of a slab's first step and its array.

        The array, of shape (steps, coins, width), is used again for the next slab. A slab ends at
        each of the `stops`.
        """
        fill = self.increments(block)
        last = np.zeros((len(self.start), self.width))
        room = np.empty((self.most, *last.shape))
        for first, end in self.cuts(stops):
            logs = room[: end - first]
            fill(first, logs)
            for row in logs:  # a running sum; np.cumsum is several times slower
                row += last
                last = row
            last = last.copy()
            yield first + 1, logs

    def prices(self, count=None):
        """The prices of the first `count` paths (all if None), in quote currency.

        {index: array of shape (steps + 1, count)}, with the start in the first row.
        """
        count = self.count if count is None else min(self.count, checks.whole("count", count))
        made = {name: np.full((self.steps + 1, count), p) for name, p in self.start.items()}
        for left in range(0, count, self.width):
            right = min(count, left + self.width)
            for first, logs in self.slabs(left // self.width):
                rows = slice(first, first + len(logs))
                for n, (name, price) in enumerate(self.start.items()):
                    made[name][rows, left:right] = price * np.exp(logs[:, n, : right - left])
        return made


# ------------------------------------------------------------------- random paths


def _correlation(_, given, paths):
    """A correlation matrix, checked."""
    coins = len(paths.start)
    given = 0.0 if given is None else given
    try:
        matrix = np.asarray(given)
    except ValueError:  # rows of different lengths
        raise ValueError(
            f"correlation must be a number or a square matrix, not {given!r}"
        ) from None
    if not matrix.ndim:
        number = checks.number("correlation", given, least=-1, most=1)
        matrix = np.full((coins, coins), number) + (1 - number) * np.eye(coins)
    matrix = np.array(checks.finite("correlation", matrix), dtype=float)
    square = matrix.shape == (coins, coins)
    if not square or not np.allclose(matrix, matrix.T) or not np.allclose(np.diag(matrix), 1):
        raise ValueError(
            f"correlation must be symmetric with ones on its diagonal, for {coins} coins: "
            f"not {matrix}"
        )
    if (least := np.linalg.eigvalsh(matrix)[0]) < -1e-9:
        raise ValueError(
            f"correlation must be positive semi-definite: its least eigenvalue is {least:.3g}"
        )
    return matrix


def _root(matrix):
    """The lower triangle whose square is a correlation matrix, also of one that is singular.

    Cholesky by hand: numpy's refuses a singular matrix, and LAPACKs differ in their last bits.
    """
    lower = np.zeros_like(matrix)
    for i in range(len(matrix)):
        for j in range(i + 1):
            rest = matrix[i, j] - sum(lower[i, k] * lower[j, k] for k in range(j))
            if i == j:  # 0: this coin is bound to those before it
                lower[i, i] = rest**0.5 if rest > 1e-12 else 0.0
            elif lower[j, j]:
                lower[i, j] = rest / lower[j, j]
    return lower


def _array(per_coin):
    return np.array([*per_coin.values()])


@frozen(eq=False, slots=False)
class Brownian(Paths):
    """Geometric Brownian motion: returns are normal and know nothing of each other.

        rng = np.random.default_rng(7)
        Brownian({"BTC": 50_000}, steps=240, count=10_000, volatility=0.8, rng=rng)

    Parameters
    ----------
    volatility, drift : float or mapping of index to float
        Of a year: the standard deviation of the log return, and what the expected price gains,
        start * exp(drift * years). The log price drifts by volatility**2 / 2 less.
    rng : numpy Generator
        Whose seed is taken; paths made from it later have others.
    hours : float
        From a step to the next.
    correlation : float or array of shape (coins, coins), optional
        Of the returns: one number for every pair, or a matrix in the order of `start`.

    ValueError or TypeError for what cannot be meant, such as a correlation that no returns have.
    """

    volatility: Mapping = _per_coin(least=0)
    hours: float = _number(1.0, above=0)
    drift: Mapping = _per_coin(0.0)
    correlation: np.ndarray = _own(_correlation, None)
    seed: np.random.SeedSequence = _seed()  # the last: what is refused takes none

    @cached_property
    def spread(self):
        """The matrix, of shape (coins, coins), that makes a step's returns of normals."""
        scale = np.sqrt(self.hours / YEAR) * _array(self.volatility)[:, None]
        return scale * _root(self.correlation)

    @cached_property
    def trend(self):
        """The mean log return of a step, for each coin."""
        return (_array(self.drift) - _array(self.volatility) ** 2 / 2) * (self.hours / YEAR)

    def normals(self, block):
        """A function that fills an array as `increments` do, with normals of their spread."""
        rng = generator(self.seed, block)
        spread, own = self.spread, np.diag(self.spread)
        room = np.empty((self.most, len(own), self.width))  # made anew it is slow

        def free(out):
            rng.standard_normal(out=out)
            out *= own[:, None]

        def bound(out):  # by einsum: matmul may give other bits on more threads
            normals = rng.standard_normal(out=room[: len(out)])
            np.einsum("ij,sjn->sin", spread, normals, out=out)

        return bound if np.any(spread != np.diag(own)) else free

    def increments(self, block):
        fill = self.normals(block)

        def next_slab(first, out):
            fill(out)
            if self.trend.any():
                out += self.trend[:, None]

        return next_slab


@frozen(eq=False, slots=False)
class Jumps(Brownian):
    """Brownian motion with jumps (Merton 1976). No watch sees a price inside one.

    The volatility is that between jumps. The drift is not compensated for them: the expected price
    gains drift + jumps * (exp(size + size_spread**2 / 2) - 1) in a year.

    Parameters
    ----------
    jumps : float
        How many a coin has in a year, on average.
    size, size_spread : float or mapping of index to float
        Mean and standard deviation of a jump, as a log return: -0.1 is a fall by 9.5 %. To the
        variance of a year they add jumps * (size**2 + size_spread**2).
    shared : float from 0 to 1
        How many of them strike all coins at one moment, each with a size of its own.
    """

    jumps: float = _number(least=0)
    size: Mapping = _per_coin(0.0)
    size_spread: Mapping = _per_coin(0.05, least=0)
    shared: float = _number(0.0, least=0, most=1)

    def increments(self, block):
        calm = super().increments(block)
        rng = generator(self.seed, block, 1)
        coins, cells = len(self.start), self.steps * self.width
        kinds = [(1 - self.shared, [n]) for n in range(coins)] + [(self.shared, range(coins))]
        hits = []
        for part, members in kinds:
            often = self.jumps * part * self.hours / YEAR * cells
            cell = rng.integers(cells, size=rng.poisson(often))
            for n in members:
                hits.append((cell // self.width, np.full(len(cell), n), cell % self.width))
        step, coin, path = (np.concatenate(column) for column in zip(*hits, strict=True))
        order = np.argsort(step, kind="stable")
        step, coin, path = step[order], coin[order], path[order]
        free = rng.standard_normal(len(step))
        height = _array(self.size)[coin] + _array(self.size_spread)[coin] * free

        def next_slab(first, out):
            calm(first, out)
            now = slice(*np.searchsorted(step, (first, first + len(out))))
            np.add.at(out, (step[now] - first, coin[now], path[now]), height[now])

        return next_slab


def _memory(name, memory, paths):
    memory = checks.number(name, memory, least=0)
    if paths.news + memory >= 1:
        raise ValueError(
            f"news and memory must be below 1 together, not {paths.news:g} + {memory:g}"
        )
    return memory


@frozen(eq=False, slots=False)
class Clustered(Brownian):
    """Volatility that comes in clusters, by GARCH(1,1) (Bollerslev 1986).

        variance = (1 - news - memory) * usual + news * (last return less its trend)**2
                 + memory * (last variance)

    The usual variance, at which it starts, is that of `volatility`. The expected price gains a
    little more than the drift: returns have fatter tails. `news` and `memory` are the weights of
    the last return and of the last variance, for a step; together below 1.
    """

    news: float = _number(0.1, least=0)
    memory: float = _own(_memory, 0.88)

    def increments(self, block):
        fill = self.normals(block)
        scale = np.ones((len(self.start), self.width))
        usual = (self.spread**2).sum(axis=1)[:, None]

        def next_slab(first, out):
            nonlocal scale
            fill(out)
            for row in out:  # scale: variance as a multiple of the usual one
                row *= np.sqrt(scale)
                new = np.divide(row**2, usual, out=np.zeros_like(row), where=usual > 0)
                scale = (1 - self.news - self.memory) + self.news * new + self.memory * scale
                row += self.trend[:, None]

        return next_slab


# ----------------------------------------------------------- paths that are stated


def _rows(_, given, paths):
    """{index: prices of shape (steps, count)}, checked."""
    if not isinstance(given, Mapping):
        raise TypeError(f"given must map an index to its prices, not {given!r}")
    rows = {n: np.array(checks.positive(f"given: the price of {n}", r)) for n, r in given.items()}
    shapes = {row.shape for row in rows.values()}
    fits = rows.keys() == paths.start.keys() and len(shapes) == 1 and len(*shapes) in (1, 2)
    if not fits or not all(row.size for row in rows.values()):
        raise ValueError(
            f"given must have a row, or as many columns as paths, for each of "
            f"{', '.join(paths.start)}: not { {name: row.shape for name, row in rows.items()} }"
        )
    return Frozen({name: row.reshape(len(row), -1) for name, row in rows.items()})


def _row_of_hours(name, given, paths):
    hours = np.array(checks.finite(name, given), dtype=float)
    if np.min(hours) < 0 or hours.shape not in ((), (paths.steps,)):
        raise ValueError(
            f"hours must be a number, or one for each of {paths.steps} steps, of at least 0: "
            f"not {hours}"
        )
    return hours if hours.ndim else float(hours)


@frozen(eq=False, slots=False)
class Given(Paths):
    """Paths whose prices are stated.

    Parameters
    ----------
    given : mapping of index to array
        Prices after each step, of shape (steps,) for one path or (steps, count).
    hours : float or array of shape (steps,)
        Before each step.

    ValueError or TypeError for prices that are not finite and above 0, of different shapes, or of
    other coins.
    """

    given: Mapping = _own(_rows, repr=False)
    steps: int = attrs.field(init=False)
    count: int = attrs.field(init=False)
    hours: float | np.ndarray = _own(_row_of_hours, 1.0, repr=False)

    @steps.default
    def _(self):
        return len(next(iter(self.given.values())))

    @count.default
    def _(self):
        return next(iter(self.given.values())).shape[1]

    @property
    def width(self):
        return self.count

    def slabs(self, block, stops=()):
        for first, end in self.cuts(stops):
            logs = [np.log(self.given[n][first:end] / price) for n, price in self.start.items()]
            yield first + 1, np.stack(logs, axis=1)


def shock(start, moves, steps=1, hours=1.0):
    """`Given`: all prices jump at the first step, by these fractions, and stay there.

    `start` in quote currency, by index; `moves` one number or a mapping; `hours` from a step to the
    next. ValueError or TypeError for what cannot be meant, such as a move of -1 or less. So it is
    with `ramp` and `flash_crash`.
    """
    turns = [(0, 0.0), (1, 1.0), (checks.whole("steps", steps), 1.0)]
    return _line(start, turns, moves, steps, hours)


def ramp(start, moves, steps, hours=1.0):
    """`Given`: all prices go in a straight line to these moves, which are fractions."""
    return _line(start, [(0, 0.0), (checks.whole("steps", steps), 1.0)], moves, steps, hours)


def flash_crash(start, moves, steps, low=None, recovery=1.0, hours=1.0):
    """`Given`: all prices go straight to these moves (fractions), and straight back.

    They arrive at step `low`, a quarter of the way if absent, and come back until the end, by the
    share `recovery` (0 to 1).
    """
    steps = checks.whole("steps", steps, least=2)
    low = max(1, steps // 4) if low is None else checks.whole("low", low, most=steps - 1)
    left = 1 - checks.number("recovery", recovery, least=0, most=1)
    return _line(start, [(0, 0.0), (low, 1.0), (steps, left)], moves, steps, hours)


def _line(start, turns, moves, steps, hours):
    """One path of straight lines between turns: (step, share of the move that is made)."""
    start = _starts(start)
    moves = _each("moves", moves, start, above=-1)
    share = np.interp(np.arange(1, steps + 1), *zip(*turns, strict=True))
    return Given(start, given={n: start[n] * (1 + moves[n] * share) for n in start}, hours=hours)


# ------------------------------------------------------------ paths out of a history


def replay(history, coins=None):
    """The prices of a `History` as one path, a step for each row.

    `history.rates` and `history.hours` go with it. `coins` are some of its coins, all if None. What
    was between two rows is not seen: a recording has its lows in `history.low`.
    """
    prices = _frame(history, coins)
    start = {name: float(prices[name].iloc[0]) for name in prices.columns}
    given = {name: prices[name].to_numpy(dtype=float) for name in prices.columns}
    return Given(start, given=given, hours=_hours(prices))


class Returns(NamedTuple):
    """The log returns of a history, a row for each step, and the hours of a step."""

    rows: np.ndarray
    hours: float


def _returns(_, history, paths):
    prices = _frame(history, paths.start)
    hours = _hours(prices)[1:]
    if not np.allclose(hours, hours[:1]) or np.any(hours <= 0):
        raise ValueError(
            "history must have rows that are equally far apart: take, for instance, full hours only"
        )
    table = checks.positive("the history", prices.to_numpy(dtype=float))
    return Returns(np.diff(np.log(table), axis=0), float(hours[0]) if len(hours) else 0.0)


def _length(name, length, paths):
    return checks.whole(name, length, most=len(paths.history.rows))


@frozen(eq=False, slots=False)
class Bootstrap(Paths):
    """Pieces of a history in random order: its returns, with what binds neighbours and coins.

    Parameters
    ----------
    history : History or DataFrame
        Prices, a column for each coin, a row for each time, all equally far apart.
    length : int
        Steps of a piece. Pieces start anywhere, and go on at the beginning where the history ends.
    rng : numpy Generator
        Whose seed is taken.

    Returns are taken as they are: a history that fell goes on falling. ValueError if its rows are
    not equally far apart, if it has none of a coin, or is no longer than a piece.
    """

    history: Returns = _own(_returns, repr=False)
    length: int = _own(_length, 24)
    seed: np.random.SeedSequence = _seed()

    @property
    def hours(self):
        return self.history.hours

    def increments(self, block):
        returns, length = self.history.rows, self.length
        pieces = -(-self.steps // length)
        begin = generator(self.seed, block).integers(len(returns), size=(pieces, self.width))

        def next_slab(first, out):
            step = np.arange(first, first + len(out))
            row = (begin[step // length] + (step % length)[:, None]) % len(returns)
            out[...] = returns[row].transpose(0, 2, 1)

        return next_slab


def _frame(history, coins=None):
    """Prices of these coins, all if None, as a DataFrame of at least one row."""
    prices = getattr(history, "prices", history)
    if not hasattr(prices, "columns"):
        raise TypeError(f"history must be a History or a DataFrame of prices, not {history!r}")
    if coins is None:
        coins = prices.columns
    coins = [coins] if isinstance(coins, str) else list(coins)
    if unknown := [coin for coin in coins if coin not in prices.columns]:
        known = ", ".join(prices.columns)
        raise ValueError(f"history must have every coin: it has {known}, not {unknown}")
    if not len(prices) or not coins:
        raise ValueError("history must have at least one price and one coin")
    return prices[coins]


def _hours(prices):
    """Hours from each row to the one before, 0 for the first; 1 where rows have no times."""
    if not hasattr(prices.index, "tz"):
        return np.r_[0.0, np.ones(len(prices) - 1)]
    return np.diff((prices.index - prices.index[0]).total_seconds() / 3_600, prepend=0.0)
