"""Lesson 08: margin, leverage and mode. How often each of many books is liquidated, on the same paths."""

import numpy as np

from ... import Perpetual, Position, Tiers, venues
from ...market.fat_tails import Jumps
from ...market.paths import Brownian
from ...market.survival import ROUNDING, survival
from ... import checks
from .. import figures
from .base import Explorer, amount

MODES = ("isolated", "cross")
MARGINS = (100, 80, 60, 40, 20, 10)  # per cent of the capital, as rows from the top
LEVERAGES = (2, 3, 5, 10, 20, 50)
DAYS, PATHS = 30, 4_000
ALONE, HEDGE, ALIKE, APART, JUMPS = "one", "hedge", "alike", "apart", "jumps"
BOOKS = {ALONE: (1,), HEDGE: (1, -1), ALIKE: (1, 1), APART: (1, 1), JUMPS: (1, 1)}
WORDS = {
    ALONE: "one long",
    HEDGE: "a long and a short that move together",
    ALIKE: "two longs that move together",
    APART: "two longs that do not move together",
    JUMPS: "two longs that do not move together, with jumps",
}
GONE, LOST = "liquidated", "worst 5 %"
WHAT = {
    GONE: "paths with a liquidation (%)",
    LOST: "mean loss in the worst 5 % of paths (% of the capital)",
}


class ModeSurface(Explorer):
    """Share of thirty-day paths on which a pool is liquidated, for margin x leverage x mode.

    Every cell is a book of margin * leverage, its sizes equal. Isolated, the margin is walled off in equal parts and
    the rest of the capital is idle; in cross all of the capital is in the pool. The troughs of the books are worked
    out once; after that every figure is a look into these numbers.

    Parameters
    ----------
    instrument : Perpetual, optional
        The first coin, linear, with a flat maintenance rate of its own (0.4 % if it has none). BTC-USDT if absent.
    volatility : float
        Of each coin, a year.
    capital : float
        In the contract's settlement currency.
    seed : int
        Of the paths.

    `reading` holds the `surface`, {mode: array of margins x leverages}, and for the cell of the controls, by mode, the
    share of paths "liquidated", the "worst" 5 % and the capital "at risk"; the book's "size", and the "sentence".
    """

    title = "The same book, isolated and in cross: margin, leverage, mode"
    limits = (
        "Left out: funding, fees, impact, partial liquidation and tiers. Funding and fees bring the ends nearer, tiers "
        "do for large books, and partial liquidation loses less. Prices are looked at every hour: a venue looks all "
        "the time, so a little more is liquidated than here. There is no trend, and volatility (60 % a year, if no "
        "other was given) and correlation stay as they are. In crashes both rise, and losses come nearer; where the "
        "two coins part, a hedge loses more."
    )
    height = "38rem"

    def __init__(self, instrument=None, volatility=0.6, capital=10_000.0, seed=8):
        first = Perpetual("BTC-USDT", index="BTC", settle="USDT") if instrument is None else instrument
        if not isinstance(first, Perpetual):
            raise TypeError(f"instrument must be a Perpetual, not {instrument!r}")
        tiers = first.tiers or Tiers.flat(0.004, leverage=125)
        if first.inverse or len(tiers.rates) > 1:
            raise ValueError(f"instrument must be linear, with one maintenance rate: not {first.symbol!r}")
        checks.number("volatility", volatility, above=0, most=5)
        self.capital = checks.number("capital", capital, above=0)
        self.cash, self.found = first.settle, {}
        other = "ETH" if first.index != "ETH" else "SOL"
        contracts = [Perpetual(f"{name}-{self.cash}", name, self.cash, tiers=tiers) for name in (first.index, other)]
        for name, sides in BOOKS.items():
            start = {contract.index: 1.0 for contract, _ in zip(contracts, sides, strict=False)}
            about = {"volatility": volatility, "rng": np.random.default_rng(seed)}
            if name == JUMPS:  # half of the variance in one jump a year
                half = volatility / 2**0.5
                paths = Jumps(start, 24 * DAYS, PATHS, jumps=1, size_spread=half, **about | {"volatility": half})
            else:
                paths = Brownian(start, 24 * DAYS, PATHS, correlation=0.8 * (name in (HEDGE, ALIKE)), **about)
            held = [Position(c, side / len(sides), 1.0) for c, side in zip(contracts, sides, strict=False)]
            made, ends = survival(venues.TEACHING, held, paths, horizons=DAYS), slice(24, None, 24)
            gain = np.stack([p.pnl(row[ends]) for p, row in zip(held, paths.prices().values(), strict=True)])
            needed = np.stack([-made.trough[p.label] for p in held])
            self.found[name] = {
                "isolated": (needed, gain),
                "cross": (-made.trough[made.shared][None], gain.sum(axis=0, keepdims=True)),
            }
        start = {"margin": 40.0, "leverage": 10.0, "days": 30.0, "book": HEDGE, "shown": GONE}
        self.presets = {
            "a hedge at 10x": start,
            "one long at 10x": start | {"book": ALONE},
            "two coins apart, the worst 5 %": start | {"book": APART, "shown": LOST},
            "all of the capital, 5x, one day": start | {"margin": 100.0, "leverage": 5.0, "days": 1.0},
        }
        super().__init__()

    def make_controls(self):
        return [
            self.slider("margin", "Margin (% of capital)", 10, 100, 5, "Set aside, isolated; it sets the size as well"),
            self.slider("leverage", "Leverage (x)", 2, 50, 1, "The book's size is margin x leverage, in both modes"),
            self.choice(
                "book",
                "Book",
                {name: name for name in BOOKS},
                [
                    "long the first coin",
                    "long the first, short the second; correlation 0.8",
                    "long both; correlation 0.8",
                    "long both; no correlation",
                    "long both; no correlation, half of the variance in one jump a year",
                ],
            ),
            self.choice(
                "shown",
                "Shown (%)",
                {GONE: GONE, LOST: LOST},
                [
                    "Share of paths with a liquidation",
                    "Of the capital: mean loss in the worst 5 % of paths",
                ],
            ),
            self.slider("days", "Horizon (days)", 1, DAYS, 1, "How long the book has to live"),
        ]

    # ---------------------------------------------------------------- reading

    def ended(self, book, mode, day, margin, leverage):
        """(whether each pool is liquidated by a day, what each has lost by then), of shape (pools, paths); margin and
        losses as shares of the capital."""
        needed, gain = (found[:, day - 1] for found in self.found[book][mode])  # for a book of 1
        size, backing = margin * leverage, (margin if mode == "isolated" else 1.0) / len(needed)
        gone = needed * size >= backing * (1 - ROUNDING)
        return gone, np.where(gone, backing, -gain * size)

    def figure(self, shown, *cell):
        """Of a cell (book, mode, day, margin, leverage): the share of paths with a liquidation, or the mean loss in the
        worst 5 % of them, as a share of the capital."""
        gone, lost = self.ended(*cell)
        if shown == GONE:
            return float(np.logical_or.reduce(gone).mean())
        return float(np.partition(lost.sum(axis=0), -PATHS // 20)[-PATHS // 20 :].mean())

    def surface(self, book, mode, day, shown):
        """Array of shape (margins, leverages) of the figure shown, in per cent."""
        return np.array([[100 * self.figure(shown, book, mode, day, m / 100, n) for n in LEVERAGES] for m in MARGINS])

    def read(self, margin, leverage, days, book, shown):
        day = int(days + 0.5)
        reading = {"cell": (book, day, shown)}
        for mode, risked in (("isolated", margin / 100), ("cross", 1.0)):
            here = book, mode, day, margin / 100, leverage
            found = {"liquidated": self.figure(GONE, *here), "worst": self.figure(LOST, *here)}
            reading[mode] = found | {"at risk": self.capital * risked}
        reading["surface"] = {mode: self.surface(book, mode, day, shown) for mode in MODES}
        reading |= {"margin": margin, "leverage": leverage, "size": self.capital * margin / 100 * leverage}
        said = [
            f"{mode}: a liquidation on {100 * reading[mode]['liquidated']:.1f} % of the paths, "
            f"{amount(reading[mode]['at risk'])} {self.cash} at risk"
            for mode in MODES
        ]
        reading["shown"] = WHAT[shown]
        reading["sentence"] = (
            f"{WORDS[book][0].upper()}{WORDS[book][1:]}; {margin:g} % of the capital at {leverage:g}x: a book of "
            f"{amount(reading['size'])} {self.cash} for {day} day{'s' if day > 1 else ''}. "
            f"{said[0][0].upper()}{said[0][1:]}. {said[1][0].upper()}{said[1][1:]}."
        )
        head = ["", "liquidated", "worst 5 %, of the capital", f"at risk ({self.cash})"]
        rows = [
            [mode, f"{100 * one['liquidated']:.1f} %", f"{100 * one['worst']:.0f} %", amount(one["at risk"])]
            for mode, one in ((mode, reading[mode]) for mode in MODES)
        ]
        reading["table"] = head, rows
        return reading

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        panels = [f"{mode}: a pool for each" if mode == "isolated" else "cross: one pool" for mode in MODES]
        figure, axes = figures.blank("leverage (x)", "margin (% of capital)", paper=paper, panels=panels)
        drawn, cells = {}, {}
        for mode, panel in zip(MODES, axes, strict=True):
            panel.grid(False)
            for line in list(panel.lines):  # no zero line here
                line.remove()
            panel.set_xlim(-0.5, len(LEVERAGES) - 0.5)
            panel.set_ylim(-0.5, len(MARGINS) - 0.5)
            panel.set_xticks(range(len(LEVERAGES)), LEVERAGES)
            panel.set_yticks(range(len(MARGINS)), MARGINS[::-1])
            cells[mode] = figures.cells(panel, len(LEVERAGES), len(MARGINS))
            for row in range(len(MARGINS)):
                for column in range(len(LEVERAGES)):
                    cells[mode, row, column] = figures.note(panel, column, row, "", ha="center", va="center")
            size = {"markersize": 25, "marker": "s", "markerfacecolor": "none", "markeredgewidth": 2}
            (drawn[f"{mode} now"],) = panel.plot([], [], **figures.STYLES["price"] | size)
        cells["shown"] = figures.note(axes[0], 0, 1.16, "", transform=axes[0].transAxes)
        layers = figures.Layers(figure, axes, drawn)
        layers.cells = cells  # they stand still while margin and leverage move
        return layers

    def draw(self, layers, reading):
        column = np.interp(np.log(reading["leverage"]), np.log(LEVERAGES), range(len(LEVERAGES)))
        row_now = np.interp(reading["margin"], MARGINS[::-1], range(len(MARGINS)))
        layers.cells["shown"].set_text(reading["shown"])
        for mode in MODES:
            rows = reading["surface"][mode][::-1]
            layers.cells[mode].set_array(rows)
            for (row, place), share in np.ndenumerate(rows):
                layers.cells[mode, row, place].set_text(f"{share:.0f}")
            layers.drawn[f"{mode} now"].set_data([column], [row_now])
        return reading["cell"]
