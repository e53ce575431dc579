"""Random paths with fatter tails than Brownian motion: jumps, and volatility that comes in clusters."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .. import checks
from ..rules import YEAR
from .paths import Brownian, each, generator


@dataclass(frozen=True, eq=False, kw_only=True)
class Jumps(Brownian):
    """Brownian motion with jumps (Merton 1976): between them it is calm, and no watch sees a price inside one.

    Parameters
    ----------
    start, steps, count, volatility, rng, hours, drift, correlation : see `Brownian`
        The volatility is that between jumps. The drift is not compensated for them: the expected price gains
        drift + jumps * (exp(size + size_spread**2 / 2) - 1) in a year.
    jumps : float
        How many a coin has in a year, on average.
    size, size_spread : float or mapping of index to float
        Mean and standard deviation of a jump, as a log return: -0.1 is a fall by 9.5 %. To the variance of a year they
        add jumps * (size**2 + size_spread**2).
    shared : float from 0 to 1
        How many of them strike all coins at one moment, each with a size of its own.
    """

    jumps: float
    size: float | Mapping = 0.0
    size_spread: float | Mapping = 0.05
    shared: float = 0.0

    def __post_init__(self, rng):
        super().__post_init__(rng)
        checks.number("jumps", self.jumps, least=0)
        object.__setattr__(self, "size", each("size", self.size, self.start))
        object.__setattr__(self, "size_spread", each("size_spread", self.size_spread, self.start, least=0))
        checks.number("shared", self.shared, least=0, most=1)

    def increments(self, block):
        calm, coins = super().increments(block), len(self.start)
        rng, cells = generator(self.seed, block, 1), self.steps * self.width
        hits = []
        for part, members in [(1 - self.shared, [n]) for n in range(coins)] + [(self.shared, range(coins))]:
            cell = rng.integers(cells, size=rng.poisson(self.jumps * part * self.hours / YEAR * cells))
            hits += [(cell // self.width, np.full(len(cell), n), cell % self.width) for n in members]
        step, coin, path = (np.concatenate(column) for column in zip(*hits, strict=True))
        order = np.argsort(step, kind="stable")
        step, coin, path = step[order], coin[order], path[order]
        height = self.size[coin] + self.size_spread[coin] * rng.standard_normal(len(step))

        def next_slab(first, out):
            calm(first, out)
            now = slice(*np.searchsorted(step, (first, first + len(out))))
            np.add.at(out, (step[now] - first, coin[now], path[now]), height[now])

        return next_slab


@dataclass(frozen=True, eq=False, kw_only=True)
class Clustered(Brownian):
    """Volatility that comes in clusters, by GARCH(1,1) (Bollerslev 1986): a large move makes large ones more likely.

        variance = (1 - news - memory) * usual + news * (last return less its trend)**2 + memory * (last variance)

    Parameters
    ----------
    start, steps, count, volatility, rng, hours, drift, correlation : see `Brownian`
        The volatility is the usual one, to which it returns and at which it starts. The log price drifts as in
        `Brownian`; the expected price gains a little more, for its returns have fatter tails.
    news, memory : float
        Weights of the last return and of the last variance, for a step; together below 1.
    """

    news: float = 0.1
    memory: float = 0.88

    def __post_init__(self, rng):
        super().__post_init__(rng)
        checks.number("news", self.news, least=0)
        checks.number("memory", self.memory, least=0)
        if self.news + self.memory >= 1:
            raise ValueError(f"news and memory must be below 1 together, not {self.news:g} + {self.memory:g}")

    def increments(self, block):
        fill, scale = self.normals(block), np.ones((len(self.start), self.width))
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
