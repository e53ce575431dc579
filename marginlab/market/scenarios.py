"""Paths that are given: a shock, a ramp, a crash and its recovery, an episode again, and pieces of a history."""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field

import numpy as np

from .. import checks
from .paths import Paths, each, generator, seed, starts


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
        object.__setattr__(self, "start", starts(self.start))
        if not isinstance(self.given, Mapping):
            raise TypeError(f"given must map an index to its prices, not {self.given!r}")
        rows = {name: np.array(checks.positive(f"given: the price of {name}", row)) for name, row in self.given.items()}
        shapes = {row.shape for row in rows.values()}
        fits = rows.keys() == self.start.keys() and len(shapes) == 1 and len(*shapes) in (1, 2)
        if not fits or not all(row.size for row in rows.values()):
            raise ValueError(
                f"given must have a row, or as many columns as paths, for each of {', '.join(self.start)}: not "
                f"{ {name: row.shape for name, row in rows.items()} }"
            )
        rows = {name: row.reshape(len(row), -1) for name, row in rows.items()}
        for name, value in zip(("steps", "count"), next(iter(rows.values())).shape, strict=True):
            object.__setattr__(self, name, value)
        super().__post_init__()
        object.__setattr__(self, "given", rows)
        hours = np.array(checks.finite("hours", self.hours), dtype=float)
        object.__setattr__(self, "hours", hours if hours.ndim else float(hours))
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
    """`Given`: all prices jump at the first step, by these fractions (one number, or a mapping), and stay there.

    `start` in quote currency, by index; `hours` from a step to the next. ValueError or TypeError for what cannot be
    meant, such as a move of -1 or less. The same holds for `ramp` and `flash_crash`.
    """
    return line(start, [(0, 0.0), (1, 1.0), (checks.whole("steps", steps), 1.0)], moves, steps, hours)


def ramp(start, moves, steps, hours=1.0):
    """`Given`: all prices go in a straight line to these moves (fractions: one number, or a mapping)."""
    return line(start, [(0, 0.0), (checks.whole("steps", steps), 1.0)], moves, steps, hours)


def flash_crash(start, moves, steps, low=None, recovery=1.0, hours=1.0):
    """`Given`: all prices go straight to these moves (fractions) at step `low`, a quarter of the way if absent, and
    from there straight back until the end, by the share `recovery` (0 to 1)."""
    steps = checks.whole("steps", steps, least=2)
    low = max(1, steps // 4) if low is None else checks.whole("low", low, most=steps - 1)
    left = 1 - checks.number("recovery", recovery, least=0, most=1)
    return line(start, [(0, 0.0), (low, 1.0), (steps, left)], moves, steps, hours)


def line(start, turns, moves, steps, hours):
    """One path of straight lines between turns: (step, share of the move that is made)."""
    start = starts(start)
    moves = dict(zip(start, each("moves", moves, start, above=-1), strict=True))
    share = np.interp(np.arange(1, steps + 1), *zip(*turns, strict=True))
    return Given(start, given={name: start[name] * (1 + moves[name] * share) for name in start}, hours=hours)


def replay(history, coins=None):
    """The prices of a `History` as one path, a step for each row; `history.rates` and `history.hours` go with it.

    `coins` are some of its coins, all if None. What was between two rows is not seen: a recording has its lows in
    `history.low`.
    """
    prices = _frame(history, coins)
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

    history: InitVar[object]
    rng: InitVar[np.random.Generator]
    length: int = 24
    returns: np.ndarray = field(init=False, repr=False)
    hours: float = field(init=False)
    seed: np.random.SeedSequence = field(init=False, repr=False)

    def __post_init__(self, history, rng):
        super().__post_init__()
        prices = _frame(history, self.start)
        object.__setattr__(self, "length", checks.whole("length", self.length, most=len(prices) - 1))
        hours = _hours(prices)[1:]
        if not np.allclose(hours, hours[0]) or hours[0] <= 0:
            raise ValueError("history must have rows that are equally far apart: take, for instance, full hours only")
        table = checks.positive("the history", prices.to_numpy(dtype=float))
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


def _frame(history, coins=None):
    """Prices of these coins, all if None, as a DataFrame of at least one row."""
    prices = getattr(history, "prices", history)
    if not hasattr(prices, "columns"):
        raise TypeError(f"history must be a History or a DataFrame of prices, not {history!r}")
    coins = list(prices.columns) if coins is None else [coins] if isinstance(coins, str) else list(coins)
    if unknown := [coin for coin in coins if coin not in prices.columns]:
        raise ValueError(f"history must have every coin: it has {', '.join(prices.columns)}, not {unknown}")
    if not len(prices) or not coins:
        raise ValueError("history must have at least one price and one coin")
    return prices[coins]


def _hours(prices):
    if not hasattr(prices.index, "tz"):
        return np.r_[0.0, np.ones(len(prices) - 1)]
    return np.diff((prices.index - prices.index[0]).total_seconds() / 3_600, prepend=0.0)
