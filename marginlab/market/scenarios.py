"""Paths that are given: a shock, a ramp, a crash and its recovery, an episode again, and pieces of a history."""

from dataclasses import InitVar, dataclass, field

import numpy as np

from ..model import checks
from .history import History
from .paths import Paths, each, generator, seed


@dataclass(frozen=True, eq=False)
class Given(Paths):
    """Paths whose prices are stated.

    Parameters
    ----------
    start : mapping of index to price
    given : mapping of index to array
        Prices after each step, of shape (steps,) for one path or (steps, count).
    hours : float or array of shape (steps,)
        Before each step.

    ValueError or TypeError for prices that are not finite and above 0, of different shapes, or of other coins.
    """

    steps: int = field(init=False)
    count: int = field(init=False)
    given: dict = field(kw_only=True, repr=False)
    hours: float | np.ndarray = field(default=1.0, kw_only=True, repr=False)

    def __post_init__(self):
        rows = {name: np.asarray(checks.positive(f"the price of {name}", row)) for name, row in self.given.items()}
        shapes = {row.shape for row in rows.values()}
        if rows.keys() != getattr(self.start, "keys", set)() or len(shapes) != 1 or len(*shapes) not in (1, 2):
            raise ValueError(
                f"given must have a row, or as many columns as paths, for each of {', '.join(self.start)}: not "
                f"{ {name: row.shape for name, row in rows.items()} }"
            )
        rows = {name: row.reshape(len(row), -1) for name, row in rows.items()}
        for name, value in zip(("steps", "count"), next(iter(rows.values())).shape, strict=True):
            object.__setattr__(self, name, value)
        super().__post_init__()
        object.__setattr__(self, "given", rows)
        hours = checks.finite("hours", self.hours)
        if np.min(hours) < 0 or np.shape(hours) not in ((), (self.steps,)):
            raise ValueError(
                f"hours must be a number, or one for each of {self.steps} steps, of at least 0: not {hours}"
            )

    @property
    def width(self):
        return self.count

    def slabs(self, block, stops=()):
        for first, end in self.cuts(stops):
            yield first + 1, np.stack([np.log(self.given[n][first:end] / p) for n, p in self.start.items()], axis=1)


def shock(start, moves, steps=1, hours=1.0):
    """All prices jump at the first step, by these fractions (one number, or a mapping), and stay there."""
    return line(start, [(0, 0.0), (1, 1.0), (steps, 1.0)], moves, steps, hours)


def ramp(start, moves, steps, hours=1.0):
    """All prices go in a straight line to these moves (fractions: one number, or a mapping)."""
    return line(start, [(0, 0.0), (steps, 1.0)], moves, steps, hours)


def flash_crash(start, moves, steps, low=None, recovery=1.0, hours=1.0):
    """All prices go straight to these moves (fractions) at step `low`, a quarter of the way if absent, and from there
    straight back until the end, by the share `recovery` (0 to 1)."""
    low = max(1, steps // 4) if low is None else low
    if not 0 < low < steps:
        raise ValueError(f"low must be a step from 1 to {steps - 1}, not {low!r}")
    left = 1 - checks.number("recovery", recovery, least=0, most=1)
    return line(start, [(0, 0.0), (low, 1.0), (steps, left)], moves, steps, hours)


def line(start, turns, moves, steps, hours):
    """One path of straight lines between turns: (step, share of the move that is made)."""
    moves = dict(zip(start, each("moves", moves, start, above=-1), strict=True))
    share = np.interp(np.arange(1, steps + 1), *zip(*turns, strict=True))
    return Given(start, given={name: start[name] * (1 + moves[name] * share) for name in start}, hours=hours)


def replay(history, coins=None):
    """The prices of a `History` as one path, a step for each row; `history.rates` and `history.hours` go with it.

    What was between two rows is not seen: a recording has its lows in `history.low`.
    """
    prices = _frame(history)[list(coins) if coins is not None else slice(None)]
    start = {name: float(prices[name].iloc[0]) for name in prices.columns}
    given = {name: prices[name].to_numpy(dtype=float) for name in prices.columns}
    return Given(start, given=given, hours=_hours(prices))


@dataclass(frozen=True, eq=False, kw_only=True)
class Bootstrap(Paths):
    """Pieces of a history in random order: its returns, with what binds neighbours and coins together.

    Parameters
    ----------
    start, steps, count : see `Paths`
        The coins that are asked for.
    history : History or DataFrame
        Prices, a column for each coin, a row for each time, all equally far apart.
    length : int
        Steps of a piece. Pieces start anywhere, and go on at the beginning where the history ends.
    rng : numpy Generator
        Whose seed is taken.

    Returns are taken as they are: a history that fell goes on falling. ValueError if its rows are not equally far
    apart (take, for instance, the full hours only), if it has none of a coin, or is no longer than a piece.
    """

    history: InitVar[History]
    rng: InitVar[np.random.Generator]
    length: int = 24
    returns: np.ndarray = field(init=False, repr=False)
    hours: float = field(init=False)
    seed: np.random.SeedSequence = field(init=False, repr=False)

    def __post_init__(self, history, rng):
        super().__post_init__()
        prices = _frame(history)
        if missing := self.start.keys() - set(prices.columns):
            raise ValueError(f"start must be of coins in the history, {', '.join(prices.columns)}: not {missing}")
        hours = _hours(prices)[1:]
        if isinstance(self.length, bool) or not isinstance(self.length, int) or not 0 < self.length < len(prices):
            raise ValueError(f"length must be a whole number from 1 to {len(prices) - 1} steps, not {self.length!r}")
        if not np.allclose(hours, hours[0]):
            raise ValueError("history must have rows that are equally far apart: take, for instance, full hours only")
        table = checks.positive("the history", prices[list(self.start)].to_numpy(dtype=float))
        found = (("returns", np.diff(np.log(table), axis=0)), ("hours", float(hours[0])), ("seed", seed(rng)))
        for name, value in found:
            object.__setattr__(self, name, value)

    def increments(self, block):
        pieces = -(-self.steps // self.length)
        begin = generator(self.seed, block).integers(len(self.returns), size=(pieces, self.width))

        def next_slab(first, out):
            step = np.arange(first, first + len(out))
            row = (begin[step // self.length] + (step % self.length)[:, None]) % len(self.returns)
            out[...] = self.returns[row].transpose(0, 2, 1)

        return next_slab


def _frame(history):
    prices = getattr(history, "prices", history)
    if not hasattr(prices, "columns"):
        raise TypeError(f"history must be a History or a DataFrame of prices, not {history!r}")
    return prices


def _hours(prices):
    if not hasattr(prices.index, "tz"):
        return np.r_[0.0, np.ones(len(prices) - 1)]
    return np.diff((prices.index - prices.index[0]).total_seconds() / 3_600, prepend=0.0)
