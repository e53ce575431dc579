"""Lesson 07: one book of two legs in one pool, its requirement as a sum and as a scan.

Also the square of the two axes, whose collateral and which requirement, as a picture.
"""

from contextlib import contextmanager

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from .. import Account, Future, Option, Perpetual, Position, Refused, checks, replace, venues
from . import figures
from .explorer import LINEAR, Explorer, amount, contract, opened, would_not
from .sheet import Beside, on_paper
from .vessel import Vessel

RULES = {"sum": "a sum of the positions", "scan": "a scan of the book"}
BOOKS = {
    "covered call": "covered",
    "protective put": "protected",
    "short straddle": "straddle",
    "calendar": "calendar",
    "basis trade": "basis",
}
FIRST = {
    "covered": "own 1 {}",
    "protected": "long 1 perpetual",
    "straddle": "short 1 call",
    "calendar": "short 1 call",
    "basis": "long 1 perpetual",
}
SECOND = {
    "covered": "short {:g} call{}",
    "protected": "long {:g} put{}",
    "straddle": "short {:g} put{}",
    "calendar": "long {:g} later call{}",
    "basis": "short {:g} future{}",
}
LAST = 29  # days: the options expire on the next


class UnifiedAccount(Explorer):
    """A book of two legs in one pool, whose requirement is a sum or a scan of the whole.

    `instrument` is a linear perpetual; the other contracts have its index and its currency. All are
    of one coin, at `entry` at the start; the future, of 90 days, is 2 % above. Strikes: 20 % above
    `entry` (covered call), 10 % below (protective put), else at it; 30 days, the later call 90.
    `days` of them have passed.
    `reading` holds for "sum" and "scan" a dict of the "pool" at the start, "equity", "required" and
    "slack" now, the ends "below" and "above" (None if there is none), whether it is "closed"; the
    "price", and in "refused" which venue would not open it, and why.
    """

    title = "The same book in one pool: a sum of its positions, or a scan of the whole?"
    limits = (
        "Left out: fees, funding, interest, order books, one volatility for all strikes and days, "
        "a basis that stays at 2 % of the price. Costs, and a basis that moves, bring the ends "
        "nearer. The price moves in one jump."
    )
    across = ("book",)
    height = "24rem"
    words = (
        (
            "book",
            "The book",
            "Own a coin, sell calls on it",
            "Buy a perpetual, and puts that limit its loss",
            "Sell a call and puts at the same strike",
            "Sell a call, buy calls that end later",
            "Buy a perpetual, sell dated futures",
        ),
        (
            "hedge",
            "Second leg (ratio)",
            "For one of the first: the hedge ratio; 0 is the first alone",
        ),
        ("cash", "Collateral ({unit})", "Beside the book; a coin that is owned comes on top"),
        ("vol", "Volatility (% a year)", "From the start on"),
        ("move", "Price move (%)", "From the start to now"),
    )
    standard, portfolio = venues.TEACHING_UNIFIED, venues.TEACHING_PORTFOLIO

    def __init__(self, instrument: Perpetual = LINEAR, entry=50_000.0, days=0.0):
        self.perp = contract(instrument, self.standard, linear=True)
        self.coin = instrument.index
        self.unit = instrument.settle
        self.entry = entry = checks.number("entry", entry, above=0)
        self.days = checks.number("days", days, least=0, most=LAST)

        def option(name, kind, strike, expiry=30.0):
            about = {"kind": kind, "strike": strike, "expiry": expiry}
            return Option(f"{self.coin} {name}", self.coin, self.unit, **about)

        self.future = Future(
            f"{self.coin} future", self.coin, self.unit, expiry=90.0, tiers=self.perp.tiers
        )
        call, put = option("call", "call", entry), option("put", "put", entry)
        later = option("later call", "call", entry, 90.0)
        self.legs = {
            "covered": (None, (option("covering call", "call", 1.2 * entry), -1)),
            "protected": ((self.perp, 1), (option("put below", "put", 0.9 * entry), 1)),
            "straddle": ((call, -1), (put, -1)),
            "calendar": ((call, -1), (later, 1)),
            "basis": ((self.perp, 1), (self.future, -1)),
        }
        self.grid = np.linspace(0.02 * entry, 2.3 * entry, 47)
        self.ran = None, None
        super().__init__()

    def reach(self):
        step = 10.0 ** np.floor(np.log10(self.entry / 500))
        reach = {"book": BOOKS, "hedge": (0, 2, 0.05), "cash": (0, self.entry, step)}
        return reach | {"vol": (10, 150, 5), "move": (-60, 120, 1)}

    @property
    def presets(self):
        start = {"hedge": 1.0, "vol": 60.0, "move": 0.0}
        start |= {"cash": 0.2 * self.entry}
        return {
            "covered call, a rise of 80 %": start | {"book": "covered", "cash": 0.0, "move": 80.0},
            "protective put, a fall of 25 %": start | {"book": "protected", "move": -25.0},
            "short straddle": start | {"book": "straddle", "cash": 0.4 * self.entry},
            "calendar": start | {"book": "calendar", "cash": 0.3 * self.entry},
            "basis trade": start | {"book": "basis", "cash": 0.1 * self.entry},
            "lone perpetual": start | {"book": "basis", "hedge": 0.0},
        }

    # ---------------------------------------------------------------- reading

    def pool(self, venue, book, hedge, cash, vol):
        """The pool with the whole book, opened as one order; `Refused` short of initial margin."""
        marks = {self.coin: self.entry, f"{self.coin} vol": vol / 100}
        marks[self.future.symbol] = 1.02 * self.entry
        held = {self.unit: cash, self.coin: 1.0 if book == "covered" else 0.0}
        first, (second, side) = self.legs[book]
        positions = []
        for leg, size in (*([first] if first else []), (second, side * hedge)):
            if size:
                price = float(leg.price(marks))
                positions.append(Position(leg, size / leg.face, price))
                held[self.unit] -= size * price if hasattr(leg, "strike") else 0.0
        pool = Account.of(venue, held, positions, marks).cross
        equity, needed = pool.stand()
        asked = max(needed, float(pool.requirement(kind="initial")))
        if equity <= needed or equity < asked * (1 - 1e-12):
            raise Refused(f"{amount(asked)} asked to open it, {amount(equity)} there")
        return pool

    def work_out(self, book, hedge, cash, vol, move):
        asked = book, hedge, cash, vol
        if asked != self.ran[0]:  # the price changes none of it
            self.ran = asked, self.run(*asked)
        price = self.entry * (1 + move / 100)
        reading = {"price": price, "refused": self.ran[1]["refused"]}
        for name in RULES:
            if not reading["refused"]:
                one = self.ran[1][name]
                equity, required = (
                    float(one["dated"].equity({self.coin: price})),
                    float(one["dated"].requirement({self.coin: price})),
                )
                now = {"equity": equity, "required": required, "slack": equity - required}
                reading[name] = one | now | {"closed": equity <= required}
        return reading

    def run(self, book, hedge, cash, vol):
        """What the price does not change: pools, ends and curves, or why one is not opened."""
        found = {"refused": {}}
        for name, venue in (("sum", self.standard), ("scan", self.portfolio)):
            pool, why = opened(self.pool, venue, book, hedge, cash, vol)
            if why:
                found["refused"][name] = why
                continue
            passed = {"days": self.days} if self.days else {}
            dated = pool.marked({**pool.marks, **passed})
            ends = dated.liquidation(self.coin) if dated.indices else None
            found[name] = {"pool": pool, "dated": dated}
            for side in ("below", "above"):
                found[name][side] = ends and getattr(ends, side).price
            at = {self.coin: self.grid}
            for key, value in (
                ("equity", dated.equity(at)),
                ("requirement", dated.requirement(at)),
            ):
                found[name][f"{key} curve"] = value * np.ones(len(self.grid))
        return found

    def told_book(self, reading):
        """The legs in words."""
        book, hedge = reading["book"], reading["hedge"]
        first = FIRST[book].format(self.coin)
        if not hedge:
            return first if book != "covered" else f"{first}, nothing sold"
        return f"{first}, {SECOND[book].format(hedge, 's' * (hedge != 1))}"

    def sentence(self, reading):
        if reading["refused"]:
            return would_not({f"the {name}": why for name, why in reading["refused"].items()})
        book = self.told_book(reading)
        said = f"{book[0].upper()}{book[1:]}. "
        said += f"{self.coin} at {amount(reading['price'])}: "
        return (
            said + "; ".join(f"by the {name} {self.stands(reading, name)}" for name in RULES) + "."
        )

    def stands(self, reading, name):
        """How a pool stands by a rule, in words."""
        one = reading[name]
        if one["closed"]:
            end = one["below" if reading["move"] < 0 else "above"]
            return f"closed, at {amount(end)}" if end else "closed"
        return f"open, {amount(one['equity'])} counted, {amount(one['required'])} asked"

    def table(self, reading):
        head = ["", "equity", "required", "slack", "closed below", "closed above"]
        if reading["refused"]:
            rows = [
                [n, *(["not opened"] if n in reading["refused"] else [""]), *[""] * 4]
                for n in RULES
            ]
            return head, rows
        rows = []
        for name in RULES:
            one = reading[name]
            ends = [amount(one[side]) if one[side] else "none" for side in ("below", "above")]
            ends[0] = f"{ends[0]}, gone" if one["closed"] else ends[0]
            rows.append([name, *(amount(one[k]) for k in ("equity", "required", "slack")), *ends])
        return head, rows

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        label, titles = f"price of {self.coin} (USD)", list(RULES.values())
        figure, panels = figures.blank(label, "USD", paper=paper, panels=titles)
        drawn, scale = {}, self.entry
        if not paper:
            figure.set_size_inches(7.4, 3.2)
        for name, axes in zip(RULES, panels, strict=True):
            axes.set_xlim(0, 2.3 * scale)
            axes.set_ylim(-0.4 * scale, 2.2 * scale)
            axes.set_xticks([0, scale, 2 * scale])
            figures.upright(axes, scale, "entry", "start")
            for key, label in (("equity",) * 2, ("requirement",) * 2, ("price", "now")):
                drawn[f"{name} {key}"] = figures.curve(axes, key, label)
            for side, label in (("below", "liquidation"), ("above", None)):
                drawn[f"{name} {side}"] = figures.upright(axes, np.nan, "liquidation", label)
        figures.legend(panels[0], above=1.1)
        return (figures.Layers if paper else Mapped)(figure, panels, drawn)

    def draw(self, layers, reading):
        shown = []
        for name in RULES:
            drawn = {key: layers.drawn[f"{name} {key}"] for key in DRAWN}
            for artist in drawn.values():
                artist.set_data([], [])
            if reading["refused"]:
                shown.append(Vessel(name, "USD", False, 0.0, 0.0, 0.0, True))
                continue
            one = reading[name]
            for key in ("equity", "requirement"):
                drawn[key].set_data(self.grid, one[f"{key} curve"])
            drawn["price"].set_data([reading["price"]], [one["equity"]])
            for side in ("below", "above"):
                if one[side] is not None:
                    drawn[side].set_data([one[side]] * 2, [0, 1])
            shown.append(self.vessel(name, one, reading["price"]))
        layers.gains = None
        if not reading["refused"]:
            pool = reading["scan"]["dated"]
            if pool.positions:
                gains = pool.scenarios(self.coin, {self.coin: reading["price"]})
                layers.gains = gains.to_numpy()
        layers.show(shown, 2.2 * self.entry)

    def vessel(self, name, one, price):
        """A pool as a vessel, or what is missing of one that is past its line."""
        now = {self.coin: price}
        if days := one["dated"].marks.get("days"):
            now["days"] = days
        return replace(Vessel.of(one["pool"], now), name=name)


class Mapped(Beside):
    """Layers with `gains`, what each scenario brings, as a small map in the corner of the scan.

    A column for each move of the index, a row for each of the volatility, the highest on top;
    orange is a loss, blue a gain, the worst is framed. It is text put into the picture: cheap.
    """

    gains = None

    def moving(self, reading):
        return super().moving(reading).replace("</svg>", f"{self.mapped()}</svg>", 1)

    def mapped(self):
        """The map as SVG; "" where nothing is scanned."""
        if self.gains is None:
            return ""
        wide, high = 72 * self.figure.get_size_inches()
        box = self.figure.axes[1].get_position()
        left, top, cell = wide * box.x0 + 6, high * (1 - box.y1) + 14, 9
        most = np.nanmax(np.abs(self.gains)) or 1.0
        gain, loss = (figures.STYLES[name]["color"] for name in ("equity", "requirement"))
        worst = np.unravel_index(np.nanargmin(self.gains), self.gains.shape)
        cells = []
        for (x, y), value in np.ndenumerate(self.gains):
            frame = 'stroke="currentColor" stroke-width="1.6"' if (x, y) == worst else ""
            place = (
                f'x="{left + cell * x:.1f}" y="{top + cell * (self.gains.shape[1] - 1 - y):.1f}"'
            )
            look = f'fill="{loss if value < 0 else gain}" fill-opacity="{abs(value) / most:.2f}"'
            cells.append(f'<rect {place} width="{cell}" height="{cell}" {look} {frame}/>')
        cells.sort(key=lambda rect: "currentColor" in rect)  # the frame lies on top
        said = f"scenarios; the worst: {amount(self.gains[worst])}"
        look = 'font-size="8.5" fill="currentColor"'
        head = f'<text x="{left:.1f}" y="{top - 4:.1f}" {look}>{said}</text>'
        return head + "".join(cells)


DRAWN = ("equity", "requirement", "price", "below", "above")


# ------------------------------------------------------------------- the two axes


def square(required, names=None, unit="USD"):
    """Draw what one book requires as a square: how it is asked (rows) by who shares (columns).

        square({"a sum": {"two pools": [20, 20], "one pool": [40]}, "a scan": {...}})

    Each cell lists what each of its pools requires, drawn as bars on one scale; `names` says of a
    cell, by (row, column), what venues call it. Returns the axes; their figure has the `reading`.
    ValueError if rows have different columns.
    """
    rows = list(required)
    columns = list(required[rows[0]])
    if any(list(row) != columns for row in required.values()):
        raise ValueError(f"required must have the columns {columns} in every row")
    most = max(sum(cell) for row in required.values() for cell in row.values())
    orange = figures.STYLES["requirement"]["color"]
    with sheet((0.13, 0.02, 0.85, 0.86)) as axes:
        axes.set_xlim(0, len(columns))
        axes.set_ylim(len(rows), 0)
        axes.set_xticks(np.arange(len(columns)) + 0.5, columns)
        axes.set_yticks(np.arange(len(rows)) + 0.5, [row.replace(" of ", "\nof ") for row in rows])
        axes.tick_params(length=0, labelsize=10.6, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(True)
        axes.axhline(1, **LINES)
        axes.axvline(1, **LINES)
        for y, row in enumerate(rows):
            for x, column in enumerate(columns):
                left, total = x + 0.06, sum(required[row][column])
                for part in required[row][column]:
                    wide = 0.88 * part / most
                    about = {"facecolor": f"{orange}55", "edgecolor": orange, "linewidth": 1.6}
                    bar = Rectangle((left, y + 0.6), wide, 0.24, **about)
                    axes.add_patch(bar)
                    left += wide
                said = f"{amount(total)} {unit}"
                axes.text(x + 0.06, y + 0.5, said, fontsize=12.5, fontweight="bold")
                name = (names or {}).get((row, column), "")
                axes.text(x + 0.06, y + 0.24, name, fontsize=10.6)
    axes.figure.reading = told_square(required, names or {}, unit)
    return axes


@contextmanager
def sheet(place):
    """Axes at a place of a new figure on paper, to be drawn in the course's look."""
    with on_paper() as new:
        yield new(figsize=(6.9, 3.3)).add_axes(place)


def scan_map(pool, index):
    """Draw what a pool gains or loses in each scenario of its scan, the worst one framed.

    A row for each move of the volatility, a column for each move of the index: see
    `Pool.scenarios`, which raises ValueError where nothing is scanned. Returns the axes; their
    figure has the `reading`.
    """
    gains = pool.scenarios(index).T

    def moved(part):
        return f"{part:+.0%}" if part else "0"

    worst, row, column = min((g, y, x) for (y, x), g in np.ndenumerate(gains.to_numpy()))
    most = np.nanmax(np.abs(gains.to_numpy())) or 1.0
    gain, loss = (figures.STYLES[name]["color"] for name in ("equity", "requirement"))
    shades = LinearSegmentedColormap.from_list("scan", [loss, "white", gain])
    with sheet((0.16, 0.16, 0.83, 0.72)) as axes:
        axes.pcolormesh(gains, cmap=shades, vmin=-1.6 * most, vmax=1.6 * most, edgecolors="white")
        for (y, x), value in np.ndenumerate(gains.to_numpy()):
            bold = {"fontweight": "bold"} if (y, x) == (row, column) else {}
            axes.text(
                x + 0.5, y + 0.5, f"{value:,.0f}", ha="center", va="center", fontsize=9.5, **bold
            )
        axes.add_patch(
            Rectangle((column, row), 1, 1, fill=False, edgecolor="#222222", linewidth=2.4)
        )
        axes.set_xticks(np.arange(gains.shape[1]) + 0.5, [moved(m) for m in gains.columns])
        axes.set_yticks(np.arange(gains.shape[0]) + 0.5, [moved(v) for v in gains.index])
        axes.set_xlabel(f"move of {index}")
        axes.set_ylabel("of its volatility")
        axes.tick_params(length=0)
        axes.set_title(
            f"gain or loss in each scenario (USD); the worst: {worst:,.0f}", fontsize=10.6
        )
    axes.figure.reading = (
        f"{gains.count().sum()} scenarios: {gains.columns[0]:+.0%} to {gains.columns[-1]:+.0%} of "
        f"{index}, {gains.index[0]:+.0%} to {gains.index[-1]:+.0%} of its volatility.\n"
        f"The worst, {gains.columns[column]:+.0%} and {gains.index[row]:+.0%}: {worst:,.0f} USD; "
        f"the best: {np.nanmax(gains.to_numpy()):,.0f} USD."
    )
    return axes


LINES = {"color": figures.PAPER["axes.edgecolor"], "linewidth": 1.2}


def told_square(required, names, unit):
    """The square in words, a line for each cell."""
    lines = []
    for row, cells in required.items():
        for column, cell in cells.items():
            parts = f" ({' and '.join(map(amount, cell))})" if len(cell) > 1 else ""
            name = f" ({names[row, column]})" if (row, column) in names else ""
            lines.append(f"{row}, {column}{name}: {amount(sum(cell))} {unit}{parts} required.")
    return "\n".join(lines)
