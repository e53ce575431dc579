"""Lesson 08: margin, leverage and mode. How often many books are liquidated, on the same paths."""

import numpy as np

from .. import Perpetual, Position, Tiers, checks, venues
from ..market import Brownian, Jumps, survival
from ..market.survival import ROUNDING
from . import figures
from .explorer import LINEAR, Explorer, amount, contract

MODES = {"isolated": "isolated: a pool for each", "cross": "cross: one pool"}
MARGINS = (100, 80, 60, 40, 20, 10)  # per cent of the capital, as rows from the top
LEVERAGES = (2, 3, 5, 10, 20, 50)
DAYS, PATHS, SEED = 30, 4_000, 8
BOOKS = {  # sides, correlation, what it is
    "one": ((1,), 0.0, "one long"),
    "hedge": ((1, -1), 0.8, "a long and a short that move together"),
    "alike": ((1, 1), 0.8, "two longs that move together"),
    "apart": ((1, 1), 0.0, "two longs that do not move together"),
    "jumps": ((1, 1), 0.0, "two longs that do not move together, with jumps"),
}
GONE, LOST = "liquidated", "worst 5 %"
HEADS = {
    GONE: "paths with a liquidation (%)",
    LOST: "mean loss in the worst 5 % of paths (% of the capital)",
}


class ModeSurface(Explorer):
    """Share of thirty-day paths on which a pool is liquidated, for margin x leverage x mode.

    Every cell is a book of margin * leverage, its sizes equal. Isolated, the margin is walled off
    in equal parts and the rest of the capital is idle; in cross all of the capital is in the pool.
    The troughs of the books are worked out once; after that every figure is a look into these.

    `instrument` is the first coin, linear, with a flat maintenance rate of its own (0.4 % if it has
    none); `volatility` is that of each coin, a year; `capital` is in the settlement currency.
    `reading` holds the `surface`, {mode: array of margins x leverages}, and for the cell of the
    controls, by mode, the share of paths "liquidated", the "worst" 5 % and the capital "at risk".
    """

    title = "The same book, isolated and in cross: margin, leverage, mode"
    limits = (
        "Left out: funding, fees, impact, partial liquidation and tiers. Funding and fees bring "
        "the ends nearer, tiers do for large books, and partial liquidation loses less. Prices are "
        "looked at every hour: a venue looks all the time, so a little more is liquidated than "
        "here. There is no trend, and volatility (60 % a year, if no other was given) and "
        "correlation stay as they are. In crashes both rise, and losses come nearer; where the two "
        "coins part, a hedge loses more."
    )
    height = "38rem"
    words = (
        ("margin", "Margin (% of capital)", "Set aside, isolated; it sets the size as well"),
        ("leverage", "Leverage (x)", "The book's size is margin x leverage, in both modes"),
        (
            "book",
            "Book",
            "long the first coin",
            "long the first, short the second; correlation 0.8",
            "long both; correlation 0.8",
            "long both; no correlation",
            "long both; no correlation, half of the variance in one jump a year",
        ),
        (
            "shown",
            "Shown (%)",
            "Share of paths with a liquidation",
            "Of the capital: mean loss in the worst 5 % of paths",
        ),
        ("days", "Horizon (days)", "How long the book has to live"),
    )
    venue = venues.TEACHING

    def __init__(self, instrument=LINEAR, volatility=0.6, capital=10_000.0):
        contract(instrument, self.venue, linear=True)
        tiers = instrument.tiers or Tiers.flat(0.004, leverage=125)
        if len(tiers.rates) > 1:
            raise ValueError(f"instrument must have one maintenance rate: {instrument.symbol!r}")
        checks.number("volatility", volatility, above=0, most=5)
        self.capital = checks.number("capital", capital, above=0)
        self.unit = instrument.settle
        coins = (instrument.index, "SOL" if instrument.index == "ETH" else "ETH")
        contracts = [Perpetual(f"{n}-{self.unit}", n, self.unit, tiers=tiers) for n in coins]
        self.found = {book: self.troughs(book, contracts, volatility) for book in BOOKS}
        super().__init__()

    @property
    def presets(self):
        start = {"margin": 40.0, "leverage": 10.0, "days": 30.0, "book": "hedge", "shown": GONE}
        whole = start | {"margin": 100.0, "leverage": 5.0, "days": 1.0}
        return {
            "a hedge at 10x": start,
            "one long at 10x": start | {"book": "one"},
            "two coins apart, the worst 5 %": start | {"book": "apart", "shown": LOST},
            "all of the capital, 5x, one day": whole,
        }

    def troughs(self, book, contracts, volatility):
        """{mode: (what each pool needs, what it gains)} by the end of each day, for a book of 1."""
        sides, correlation = BOOKS[book][:2]
        held = [Position(c, s / len(sides), 1.0) for c, s in zip(contracts, sides, strict=False)]
        start = {p.instrument.index: 1.0 for p in held}
        about = (start, 24 * DAYS, PATHS)
        rng = np.random.default_rng(SEED)
        if book == "jumps":  # half of the variance in one jump a year
            half = volatility / 2**0.5
            paths = Jumps(*about, volatility=half, jumps=1, size_spread=half, rng=rng)
        else:
            paths = Brownian(*about, volatility=volatility, correlation=correlation, rng=rng)
        made, prices = survival(self.venue, held, paths, horizons=DAYS), paths.prices()
        gain = np.stack([p.pnl(prices[p.instrument.index][24::24]) for p in held])
        needed = np.stack([-made.trough[p.label] for p in held])
        shared = -made.trough[made.shared][None]
        return {"isolated": (needed, gain), "cross": (shared, gain.sum(axis=0, keepdims=True))}

    def reach(self):
        books, shown = {book: book for book in BOOKS}, {name: name for name in HEADS}
        reach = {"margin": (10, 100, 5), "leverage": (2, 50, 1), "days": (1, DAYS, 1)}
        return reach | {"book": books, "shown": shown}

    # ---------------------------------------------------------------- reading

    def ended(self, book, mode, day, margin, leverage):
        """(whether each pool is liquidated by a day, what each has lost), as (pools, paths).

        Margin and losses as shares of the capital.
        """
        needed, gain = (found[:, day - 1] for found in self.found[book][mode])  # for a book of 1
        size = margin * leverage
        backing = (margin if mode == "isolated" else 1.0) / len(needed)
        gone = needed * size >= backing * (1 - ROUNDING)
        return gone, np.where(gone, backing, -gain * size)

    def figure(self, shown, *cell):
        """Of a cell (book, mode, day, margin, leverage): the share of paths with a liquidation, or
        the mean loss in the worst 5 % of them, as a share of the capital."""
        gone, lost = self.ended(*cell)
        if shown == GONE:
            return float(np.logical_or.reduce(gone).mean())
        return float(np.partition(lost.sum(axis=0), -PATHS // 20)[-PATHS // 20 :].mean())

    def surface(self, book, mode, day, shown):
        """Array of shape (margins, leverages) of the figure shown, in per cent."""
        rows = [
            [self.figure(shown, book, mode, day, m / 100, n) for n in LEVERAGES] for m in MARGINS
        ]
        return 100 * np.array(rows)

    def work_out(self, margin, leverage, days, book, shown):
        day = int(days + 0.5)
        found = {"day": day, "size": self.capital * margin / 100 * leverage}
        found["surface"] = {mode: self.surface(book, mode, day, shown) for mode in MODES}
        for mode, risked in (("isolated", margin / 100), ("cross", 1.0)):
            cell = (book, mode, day, margin / 100, leverage)
            shares = {"liquidated": self.figure(GONE, *cell), "worst": self.figure(LOST, *cell)}
            found[mode] = shares | {"at risk": self.capital * risked}
        return found

    def sentence(self, reading):
        what, day = BOOKS[reading["book"]][2], reading["day"]
        said = f"{what[0].upper()}{what[1:]}; {reading['margin']:g} % of the capital at "
        said += f"{reading['leverage']:g}x: a book of {amount(reading['size'])} {self.unit} "
        said += f"for {day} day{'s' if day > 1 else ''}."
        for mode in MODES:
            one = reading[mode]
            said += f" {mode.title()}: a liquidation on {100 * one['liquidated']:.1f} % of the "
            said += f"paths, {amount(one['at risk'])} {self.unit} at risk."
        return said

    def table(self, reading):
        cells = {
            "liquidated": lambda one: f"{100 * one['liquidated']:.1f} %",
            "worst 5 %, of the capital": lambda one: f"{100 * one['worst']:.0f} %",
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
        return figures.Tables(figure, panels, drawn, len(MARGINS), len(LEVERAGES))

    def draw(self, layers, reading):
        leverage = np.log(reading["leverage"])
        column = np.interp(leverage, np.log(LEVERAGES), range(len(LEVERAGES)))
        row = np.interp(reading["margin"], MARGINS[::-1], range(len(MARGINS)))
        layers.write(HEADS[reading["shown"]], [rows[::-1] for rows in reading["surface"].values()])
        for mode in MODES:
            layers.drawn[f"{mode} now"].set_data([column], [row])
        return reading["book"], reading["day"], reading["shown"]
