"""Lesson 08: margin, leverage and mode. How often many books are liquidated, on the same paths."""

import numpy as np

from .. import Perpetual, Position, Tiers, checks, venues
from ..market import Brownian, Jumps, survival
from ..market.survival import ROUNDING
from ..show import fmt
from . import figures
from .explorer import LINEAR, Explorer, amount, contract
from .sheet import Beside
from .vessel import Vessel

MODES = {"isolated": "isolated: a pool for each", "cross": "cross: one pool"}
MARGINS = (100, 80, 60, 40, 20, 10)  # per cent of the capital, as rows from the top
LEVERAGES = (2, 3, 5, 10, 20, 50)
DAYS, PATHS, SEED = 30, 4_000, 8
BOOKS = {  # sides, what it is
    "one": ((1,), "one long"),
    "hedge": ((1, -1), "a long and a short"),
    "longs": ((1, 1), "two longs"),
    "jumps": ((1, 1), "two longs with jumps"),
}
CORRELATIONS = {f"{n:g}": n for n in (0.0, 0.5, 0.8, 0.95)}
WILD = (0.5, 1.0, 1.5, 2.0)  # choices of volatility, as multiples of the one that was given
WORST = 20  # one path in so many


class ModeSurface(Explorer):
    """Share of thirty-day paths on which a pool is liquidated, for margin x leverage x mode.

    Every cell is a book of margin * leverage, its sizes equal. Isolated, the margin is walled off
    in equal parts and the rest of the capital is idle; in cross all of the capital is in the pool.
    The troughs of a book, at a correlation and a volatility, are worked out once; after that every
    figure is a look into these.

    `instrument` is the first coin, linear, with a flat maintenance rate of its own (0.4 % if it has
    none); `volatility` is that of each coin, a year, from which half of it, one and a half times
    and twice as much can be chosen; `capital` is in the settlement currency.
    `reading` holds the `surface`, {mode: array of margins x leverages}, and for the cell of the
    controls, by mode, the share of paths "liquidated", the mean loss in the "worst" 5 % of them, as
    a share of the capital, and the capital "at risk".
    """

    title = "The same book, isolated and in cross: margin, leverage, mode"
    limits = (
        "Left out: any trend, funding, fees, impact, partial liquidation, tiers. Funding and fees "
        "bring the ends nearer, tiers do for large books, and partial liquidation loses less. "
        "Prices are looked at every hour: a venue looks all the time, so a little more is "
        "liquidated than here. Volatility and correlation stay as they are; in crashes both rise, "
        "and losses come nearer. With jumps, half of the variance comes in one jump a year, of "
        "each coin on its own: the correlation is that of the other moves."
    )
    folded = True
    words = (
        ("margin", "Margin (% of capital)", "Set aside, isolated; it sets the size as well"),
        ("leverage", "Leverage (x)", "The book's size is margin x leverage, in both modes"),
        (
            "book",
            "Book",
            "Long the first coin",
            "Long the first, short the second",
            "Long both",
            "Long both; each jumps, once a year on average",
        ),
        (
            "correlation",
            "Correlation",
            *(f"{told} between the coins: 0 is none, 1 in step" for told in CORRELATIONS),
        ),
        ("volatility", "Volatility (% a year)", *(f"{n:g} times that given" for n in WILD)),
    )
    venue = venues.TEACHING

    def __init__(self, instrument=LINEAR, volatility=0.6, capital=10_000.0):
        contract(instrument, self.venue, linear=True)
        tiers = instrument.tiers or Tiers.flat(0.004, leverage=125)
        if len(tiers.rates) > 1:
            raise ValueError(f"instrument must have one maintenance rate: {instrument.symbol!r}")
        self.volatility = checks.number("volatility", volatility, above=0, most=5)
        self.capital = checks.number("capital", capital, above=0)
        self.unit = instrument.settle
        coins = (instrument.index, "SOL" if instrument.index == "ETH" else "ETH")
        self.contracts = [Perpetual(f"{n}-{self.unit}", n, self.unit, tiers=tiers) for n in coins]
        self.found = {}
        super().__init__()

    @property
    def presets(self):
        start = {"margin": 40.0, "leverage": 10.0, "book": "hedge"}
        start |= {"correlation": 0.8, "volatility": self.volatility}
        return {
            "a hedge at 10x": start,
            "a hedge that comes apart": start | {"correlation": 0.0},
            "one long at 10x": start | {"book": "one"},
            "two coins apart": start | {"book": "longs", "correlation": 0.0},
            "all of the capital at 5x": start | {"margin": 100.0, "leverage": 5.0},
        }

    def reach(self):
        reach = {"margin": (10, 100, 5), "leverage": (2, 50, 1), "book": {n: n for n in BOOKS}}
        wild = {f"{100 * n * self.volatility:.4g}": n * self.volatility for n in WILD}
        return reach | {"correlation": CORRELATIONS, "volatility": wild}

    # ---------------------------------------------------------------- reading

    def market(self, book, correlation, volatility):
        """What is looked up for a book in a market: by mode its `troughs`, and the `surface`."""
        asked = book, 0.0 if book == "one" else correlation, volatility
        if asked not in self.found:
            found = self.troughs(*asked)
            surface = {mode: self.surface(found[mode], mode) for mode in MODES}
            self.found[asked] = found, surface
        return self.found[asked]

    def troughs(self, book, correlation, volatility):
        """{mode: (what each pool needs, what it gains)}, each (pools, paths), for a book of 1."""
        sides = BOOKS[book][0]
        held = [
            Position(c, s / len(sides), 1.0) for c, s in zip(self.contracts, sides, strict=False)
        ]
        about = ({p.instrument.index: 1.0 for p in held}, 24 * DAYS, PATHS)
        how = {"correlation": correlation, "rng": np.random.default_rng(SEED)}
        if book == "jumps":  # half of the variance in one jump a year
            half = volatility / 2**0.5
            jump = {"size": -half * half / 2, "size_spread": half}  # no trend
            paths = Jumps(*about, volatility=half, jumps=1, **jump, **how)
        else:
            paths = Brownian(*about, volatility=volatility, **how)
        made = survival(self.venue, held, paths)

        def pools(*names):
            needed = np.concatenate([-made.trough[name] for name in names])
            return needed, np.stack([made.gain[name] for name in names])

        return {"isolated": pools(*(p.label for p in held)), "cross": pools(made.shared)}

    def ended(self, found, mode, margin, leverage):
        """(whether each pool is liquidated, what each has lost), as (pools, paths).

        Margin and losses as shares of the capital; `found` are the troughs and gains of the mode.
        """
        needed, gain = found  # for a book of 1
        size = margin * leverage
        backing = (margin if mode == "isolated" else 1.0) / len(needed)
        gone = needed * size >= backing * (1 - ROUNDING)
        return gone, np.where(gone, backing, -gain * size)

    def surface(self, found, mode):
        """Array of shape (margins, leverages): per cent of the paths with a liquidation."""
        gone = [[self.ended(found, mode, m / 100, n)[0] for n in LEVERAGES] for m in MARGINS]
        return 100 * np.logical_or.reduce(gone, axis=2).mean(axis=-1)

    def work_out(self, margin, leverage, book, correlation, volatility):
        found, surface = self.market(book, correlation, volatility)
        reading = {"size": self.capital * margin / 100 * leverage, "surface": surface}
        for mode, risked in (("isolated", margin / 100), ("cross", 1.0)):
            gone, lost = self.ended(found[mode], mode, margin / 100, leverage)
            worst = np.partition(lost.sum(axis=0), -PATHS // WORST)[-PATHS // WORST :]
            reading[mode] = {
                "liquidated": float(np.logical_or.reduce(gone).mean()),
                "worst": float(worst.mean()),
                "at risk": self.capital * risked,
            }
        return reading

    def sentence(self, reading):
        what = BOOKS[reading["book"]][1]
        said = f"{what[0].upper()}{what[1:]}; {reading['margin']:g} % of the capital at "
        said += f"{reading['leverage']:g}x: a book of {amount(reading['size'])} {self.unit} "
        said += f"for {DAYS} days, volatility {100 * reading['volatility']:.4g} %"
        said += f", correlation {reading['correlation']:g}." if reading["book"] != "one" else "."
        for mode in MODES:
            one = reading[mode]
            said += f" {mode.title()}: a liquidation on {100 * one['liquidated']:.1f} % of the "
            said += f"paths; the worst {100 // WORST} % lose {amount(one['worst'] * self.capital)} "
            said += f"{self.unit} on average."
        return said

    def table(self, reading):
        cells = {
            "liquidated": lambda one: f"{100 * one['liquidated']:.1f} %",
            f"worst {100 // WORST} %, of the capital": lambda one: f"{100 * one['worst']:.0f} %",
            f"at risk ({self.unit})": lambda one: amount(one["at risk"]),
        }
        rows = [[mode, *(cell(reading[mode]) for cell in cells.values())] for mode in MODES]
        return ["", *cells], rows

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        labels, titles = ("leverage (x)", "margin (% of capital)"), list(MODES.values())
        figure, panels = figures.blank(*labels, paper=paper, panels=titles)
        square = {"markersize": 25, "marker": "s", "markerfacecolor": "none", "markeredgewidth": 2}
        drawn = {}
        for mode, axes in zip(MODES, panels, strict=True):
            axes.grid(False)
            for line in list(axes.lines):  # no zero line here
                line.remove()
            axes.set_xlim(-0.5, len(LEVERAGES) - 0.5)
            axes.set_ylim(-0.5, len(MARGINS) - 0.5)
            axes.set_xticks(range(len(LEVERAGES)), LEVERAGES)
            axes.set_yticks(range(len(MARGINS)), MARGINS[::-1])
            drawn[f"{mode} now"] = figures.curve(axes, "price", **square)
        kind = figures.Tables if paper else TablesBeside
        head = "paths with a liquidation (%)"
        return kind(figure, panels, drawn, len(MARGINS), len(LEVERAGES), head)

    def vessels(self, reading):
        """What the worst paths leave, on average: of the walled pools, of the rest, in cross."""
        walled, rest = reading["isolated"]["at risk"], self.capital - reading["isolated"]["at risk"]
        lost = {mode: reading[mode]["worst"] * self.capital for mode in MODES}
        return [
            Left("walled off", self.unit, True, walled, walled - lost["isolated"]),
            Left("the rest", self.unit, False, rest, rest),
            Left("cross", self.unit, False, self.capital, self.capital - lost["cross"]),
        ]

    def draw(self, layers, reading):
        leverage = np.log(reading["leverage"])
        column = np.interp(leverage, np.log(LEVERAGES), range(len(LEVERAGES)))
        row = np.interp(reading["margin"], MARGINS[::-1], range(len(MARGINS)))
        layers.write([rows[::-1] for rows in reading["surface"].values()])
        title = f"mean of the worst {100 // WORST} % of paths"
        layers.show(self.vessels(reading), 1.2 * self.capital, title)
        for mode in MODES:
            layers.drawn[f"{mode} now"].set_data([column], [row])
        return reading["book"], reading["correlation"], reading["volatility"]


class Left(Vessel):
    """What is left of some capital in the worst paths, on average."""

    @property
    def cells(self):
        return *super().cells[:3], ""

    @property
    def sentence(self):
        lost = self.collateral - self.equity
        said = f"{self.name}: of {fmt(self.collateral)} {self.unit} the worst {100 // WORST} % of "
        return f"{said}the paths lose {fmt(lost)} on average."


class TablesBeside(Beside, figures.Tables):
    """Two tables, and vessels beside them."""
