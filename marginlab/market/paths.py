"""Paths of prices: random ones, from one seed, and those that a history gives."""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from itertools import pairwise

import numpy as np

from .. import checks
from ..rules import YEAR

WIDTH = 2_000  # paths drawn side by side from one seed: many enough for numpy, few enough for the cache
SLAB = 64_000  # prices of a coin worked on at a time


@dataclass(frozen=True, eq=False)
class Paths:
    """So many paths of the prices of some coins, equally likely: what `survival` is asked on.

    Nothing is held but the recipe. Paths come in blocks, each with a seed of its own (`SeedSequence.spawn`), and a
    block in slabs of time: the same seed gives the same paths to the bit, however many are worked on at once and
    wherever, and more of them begin with the fewer.

    Attributes
    ----------
    start : mapping of index to price
        At step 0, in quote currency.
    steps, count : int
        Steps after the start; paths.
    hours : float
        From a step to the next; of a path that was given also a row, of the hours before each step.
    """

    start: Mapping
    steps: int
    count: int

    def __post_init__(self):
        object.__setattr__(self, "start", starts(self.start))
        for name in ("steps", "count"):
            object.__setattr__(self, name, checks.whole(name, getattr(self, name)))

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
        """A function of (first step, array to fill) that gives a block's log returns, slab after slab. The array is of
        shape (steps, coins, width); how they are cut into slabs makes no difference."""
        raise NotImplementedError

    def slabs(self, block, stops=()):
        """The log of price / start of one block, slab by slab: pairs of the first step and an array of shape (steps,
        coins, width), which is used again for the next. A slab ends at each of the `stops`."""
        fill, last = self.increments(block), np.zeros((len(self.start), self.width))
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
        """The prices of the first `count` paths (all if None), in quote currency: {index: array of shape (steps + 1,
        count)}, with the start in the first row."""
        count = self.count if count is None else min(self.count, checks.whole("count", count))
        made = {name: np.full((self.steps + 1, count), price) for name, price in self.start.items()}
        for left in range(0, count, self.width):
            right = min(count, left + self.width)
            for first, logs in self.slabs(left // self.width):
                for n, (name, price) in enumerate(self.start.items()):
                    made[name][first : first + len(logs), left:right] = price * np.exp(logs[:, n, : right - left])
        return made


@dataclass(frozen=True, eq=False, kw_only=True)
class Brownian(Paths):
    """Geometric Brownian motion: returns are normal and know nothing of each other.

        Brownian({"BTC": 50_000}, steps=240, count=10_000, volatility=0.8, rng=np.random.default_rng(7))

    Parameters
    ----------
    start, steps, count : see `Paths`
    volatility : float or mapping of index to float
        Standard deviation of the log return over a year.
    rng : numpy Generator
        Whose seed is taken; paths made from it later have others.
    hours : float
        From a step to the next.
    drift : float or mapping of index to float
        What the expected price gains in a year: start * exp(drift * years). The log price drifts by volatility**2 / 2
        less.
    correlation : float or array of shape (coins, coins), optional
        Of the returns: one number for every pair, or a matrix in the order of `start`.

    ValueError or TypeError for what cannot be meant, such as a volatility of NaN, or a correlation that no returns can
    have (not positive semi-definite).
    """

    volatility: float | Mapping
    rng: InitVar[np.random.Generator]
    hours: float = 1.0
    drift: float | Mapping = 0.0
    correlation: float | np.ndarray | None = None
    seed: np.random.SeedSequence = field(init=False, repr=False)
    spread: np.ndarray = field(init=False, repr=False)
    trend: np.ndarray = field(init=False, repr=False)

    def __post_init__(self, rng):
        super().__post_init__()
        years = checks.number("hours", self.hours, above=0) / YEAR
        volatility = each("volatility", self.volatility, self.start, least=0)
        trend = (each("drift", self.drift, self.start) - volatility**2 / 2) * years
        spread = np.sqrt(years) * volatility[:, None] * root(self.correlation, len(self.start))
        for name, value in (("seed", seed(rng)), ("spread", spread), ("trend", trend)):
            object.__setattr__(self, name, value)

    def normals(self, block):
        """A function that fills an array of shape (steps, coins, width) with correlated normals, of the spread asked
        for."""
        rng, spread, own = generator(self.seed, block), self.spread, np.diag(self.spread)[:, None]
        bound = np.any(spread != np.diag(np.diag(spread)))
        room = np.empty((self.most if bound else 0, len(own), self.width))  # large arrays made anew are slow

        def fill(out):
            free = rng.standard_normal(out=room[: len(out)] if bound else out)
            if bound:
                np.einsum("ij,sjn->sin", spread, free, out=out)  # matmul may give other bits on more threads
            else:
                out *= own

        return fill

    def increments(self, block):
        fill = self.normals(block)

        def next_slab(first, out):
            fill(out)
            if self.trend.any():
                out += self.trend[:, None]

        return next_slab


def starts(start):
    """A mapping of index to price, checked."""
    if not isinstance(start, Mapping) or not start:
        raise ValueError(f"start must map an index to its price, such as {{'BTC': 50_000}}, not {start!r}")
    return checks.Frozen({name: checks.number(f"the start of {name}", price, above=0) for name, price in start.items()})


def seed(rng):
    """A seed of its own out of a generator's."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy Generator, such as np.random.default_rng(7), not {rng!r}")
    return rng.bit_generator.seed_seq.spawn(1)[0]


def generator(seed, block, what=0):
    """The random generator of one block of paths; `what` tells several in one block apart."""
    key = (*seed.spawn_key, block, what)
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key))


def each(what, value, start, **bounds):
    """A number for each coin, as an array: one for all, or a mapping that names them all."""
    if not isinstance(value, Mapping):
        return np.full(len(start), checks.number(what, value, **bounds))
    if value.keys() != start.keys():
        raise ValueError(f"{what} must name what start does, {', '.join(start)}, not {', '.join(map(str, value))}")
    return np.array([checks.number(f"the {what} of {name}", value[name], **bounds) for name in start])


def root(correlation, coins):
    """The lower triangle whose square is a correlation matrix, also of one that is singular."""
    correlation = 0.0 if correlation is None else correlation
    try:
        matrix = np.asarray(correlation)
    except ValueError:  # rows of different lengths
        raise ValueError(f"correlation must be a number or a square matrix, not {correlation!r}") from None
    if not matrix.ndim:
        number = checks.number("correlation", correlation, least=-1, most=1)
        matrix = np.full((coins, coins), number) + (1 - number) * np.eye(coins)
    matrix = np.asarray(checks.finite("correlation", matrix), dtype=float)
    if matrix.shape != (coins, coins) or not np.allclose(matrix, matrix.T) or not np.allclose(np.diag(matrix), 1):
        raise ValueError(f"correlation must be symmetric with ones on its diagonal, for {coins} coins: not {matrix}")
    if (least := np.linalg.eigvalsh(matrix)[0]) < -1e-9:
        raise ValueError(f"correlation must be positive semi-definite: its least eigenvalue is {least:.3g}")
    lower = np.zeros((coins, coins))
    for i in range(coins):  # Cholesky by hand: numpy's refuses a singular matrix, and LAPACKs differ in their last bits
        for j in range(i + 1):
            rest = matrix[i, j] - sum(lower[i, k] * lower[j, k] for k in range(j))
            if i == j:
                lower[i, i] = rest**0.5 if rest > 1e-12 else 0.0  # 0: this coin is bound to those before it
            elif lower[j, j]:
                lower[i, j] = rest / lower[j, j]
    return lower
