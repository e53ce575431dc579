"""Vessels drawn: by matplotlib for accounts (`vessels`), and in SVG for explorers (`Vessels`).

Both show the `shapes` of each `Vessel`, and its `cells`, on the same `Sheet`.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property, partial
from html import escape

from attrs import evolve, frozen
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from .. import checks
from ..account import Account
from .figures import INK, LOOK, PAGE, PAPER, STYLES, Layers, thousands
from .vessel import Vessel, grouped, told

BLUE, RED, BROWN = (STYLES[name]["color"] for name in ("equity", "counterparties", "closed"))
ORANGE, DASHES = (STYLES["requirement"][name] for name in ("color", "linestyle"))
NONE, SOLID, DOTS = "none", (0, None), (0, (1, 1.6))
LOOKS = {  # of each shape: fill, hatch, line, its width in points and its dashes
    "level": (f"{BLUE}66", None, BLUE, 0.8, SOLID),  # the dashes on it stay plain in grey
    "loss": (NONE, "////", RED, 0.8, SOLID),
    "gain": (NONE, "xxxx", BLUE, 0.8, SOLID),
    "gone": (NONE, None, BROWN, 1.4, DOTS),
    "thick": (NONE, None, INK, 3.0, SOLID),
    "thin": (NONE, None, INK, 1.2, SOLID),
    "line": (NONE, None, ORANGE, 1.8, DASHES),
}
TILES = {"////": "M-1,1L1,-1M0,6L6,0M5,7L7,5", "xxxx": "M0,0L6,6M0,6L6,0"}  # hatches in SVG
ROWS = {
    "collateral": (),
    "gained": ("loss", "gain"),
    "equity": ("level",),
    "required": ("line",),
}
# In em: a page, the heads' column, a gap between accounts (in columns), the widest column, a
# vessel, a line of text. Where a page is 360 px wide, its letters are 8 pt high.
FONT, PAGE_WIDTH, HEAD, GAP, WIDEST, TALL, LINE = 10.6, 33.7, 5.85, 0.1, 6.9, 12.0, 1.3
EM = FONT / 72  # inch
# Matplotlib's defaults and its own font, whatever the learner set; "$5" is no formula.
FIRM = {"font.family": "DejaVu Sans", "text.parse_math": False, "hatch.linewidth": 0.9}


class Told(Figure):
    """A figure whose `reading` is the alternative text of its image; saved in its own colours."""

    reading = ""

    def _repr_mimebundle_(self, **options):
        return {}, {"image/png": {"alt": self.reading}}

    def savefig(self, *given, **how):
        super().savefig(*given, **{"facecolor": self.get_facecolor()} | how)


def vessels(
    accounts: Account | Sequence[Account],
    prices: Mapping | None = None,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the pools of accounts as vessels, side by side on one scale.

        vessels(account, {"BTC": [50_000, 45_000]})
        vessels([walled, shared], {"BTC": 43_000}, names=["isolated", "cross"])

    In the pools' currency, or USD if they have several. The level is equity; a loss is hatched,
    down from where the level was; a gain stands on top, in crosses; the dashed line is the
    maintenance requirement. Walls of isolated pools are thick. A liquidated pool is empty, and a
    note says who paid, until it is traded in again.

    Parameters
    ----------
    accounts : Account or list of Account
    prices : mapping of name to price or prices, optional
        Where each account is drawn, after the venue has acted there (`Account.at`); its levels
        began at its marks. Absent, it is drawn at its marks, and nothing happens to it.
    names : list of str, optional
        A title for each account and price; absent, the prices, or "account 1".
    ax : matplotlib Axes, optional
        Where to draw: beside and under it there must be room for a table. Absent, a new pyplot
        figure; up to six vessels (five, of amounts above 99,999) are legible in it at 360 px.

    TypeError or ValueError for what is none of these, and for a price that is missing or unknown.
    """
    groups = grouped(accounts, prices, names)
    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(f"ax must be matplotlib Axes, not {ax!r}")
    return fill(groups, ax)


@contextmanager
def on_paper():
    """The course's look, for what is drawn on paper; yields what makes a figure of pyplot's."""
    from matplotlib import pyplot

    pyplot.draw_if_interactive()  # loads its backend, whose settings must outlast the context
    with style.context(["default", PAPER | FIRM]):
        yield partial(pyplot.figure, FigureClass=Told)


def fill(groups, ax=None):
    """Draw [(title, vessels)] on axes, or on those of a new figure; returns them."""
    with on_paper() as new:
        everyone = [vessel for _, row in groups for vessel in row]
        top = max(max(v.collateral, v.equity, v.required) for v in everyone)
        low = min(min(v.collateral, v.equity, 0.0) for v in everyone)
        note = told(groups, lambda vessel: vessel.ended)
        sheet = Sheet(groups, 1.08 * low, 1.08 * (top or 1.0), note)
        if ax is None:
            ax = sheet.axes(new(figsize=sheet.size))
            ax.figure.reading = told(groups)
        else:
            room = ax.bbox.width / ax.figure.dpi
            sheet = evolve(sheet, columns=room / sheet.wide / EM)
        sheet.frame(ax)
        sheet.fill(ax)
    return ax


@frozen(slots=False)
class Sheet:
    """Groups of vessels over a table whose heads are the legend, and a note: where things go.

    Lengths are inches, x are columns; `columns` is how wide one is, in em, if not as need be.
    """

    groups: list
    low: float
    top: float
    about: str = ""
    columns: float | None = None

    @cached_property
    def vessels(self):
        return [v for _, row in self.groups for v in row]

    @cached_property
    def rows(self):
        """The middle of each vessel, for each group."""
        found, x = [], 0.5
        for _, row in self.groups:
            found.append([x + i for i in range(len(row))])
            x += len(row) + GAP
        return found

    @property
    def at(self):
        return [x for row in self.rows for x in row]

    @cached_property
    def head(self):
        """How wide the heads are, and the numbers of the scale."""
        return max(HEAD, 1.1 + em(thousands(round(self.top)))) * EM

    @property
    def across(self):
        """How wide the figure is."""
        return self.head + self.wide * self.column

    @property
    def wide(self):
        return self.at[-1] + 0.5

    @cached_property
    def column(self):
        if self.columns:
            return self.columns * EM
        said = [(text, 1) for v in self.vessels for text in (*v.cells, *wrapped(v.name, 0))]
        said += [(text, len(row)) for title, row in self.groups for text in wrapped(title, 0)]
        needed = max(em(text) / columns for text, columns in said) + 0.25
        return max(needed, min(WIDEST, (PAGE_WIDTH - self.head / EM) / self.wide)) * EM

    @cached_property
    def names(self):
        return [wrapped(v.name, self.column - 0.2 * EM) for v in self.vessels]

    @cached_property
    def titles(self):
        return [wrapped(title, len(row) * self.column - 0.2 * EM) for title, row in self.groups]

    @cached_property
    def note(self):
        texts = self.about.splitlines()
        return [line for text in texts for line in wrapped(text, self.across)]

    def row(self, i):
        """How far under the axes the middle of a row of the table is."""
        return (0.9 + LINE * (max(map(len, self.names)) + i + 0.5)) * EM

    @property
    def under(self):
        return self.row(len(ROWS)) + LINE * len(self.note) * EM

    @property
    def size(self):
        """Of the figure: wide, high."""
        over = 0.8 + LINE * max(map(len, self.titles))
        return self.across, self.under + (TALL + over) * EM

    def axes(self, figure):
        """New axes in a figure of this size."""
        (wide, high), left = self.size, self.head
        return figure.add_axes((left / wide, self.under / high, 1 - left / wide, TALL * EM / high))

    def frame(self, axes):
        """What stands still: the scale, titles, names, the table's heads, the note."""
        corner, below, above = transforms(axes)
        axes.set_xlim(0, self.wide)
        axes.set_ylim(self.low, self.top)
        axes.set_xticks([])
        axes.grid(False)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(thousands))
        axes.tick_params(axis="y", labelsize=FONT)
        unit = self.vessels[0].unit
        axes.set_ylabel(unit, rotation=0, ha="right", va="bottom", fontsize=FONT)
        lift = axes.figure.dpi_scale_trans + ScaledTranslation(0, 1, axes.transAxes)
        axes.yaxis.set_label_coords(-0.4 * EM, 0.6 * EM, transform=lift)
        for row, lines in zip(self.rows, self.titles, strict=True):
            write(axes, (row[0] + row[-1]) / 2, 0.4 * EM, lines, above, va="bottom")
        for x, lines in zip(self.at, self.names, strict=True):
            write(axes, x, -0.5 * EM, lines, below, va="top")
        for i, head in enumerate(ROWS):
            write(axes, -0.4 * EM, -self.row(i), [head], corner, ha="right")
        write(axes, -self.head, -self.under, self.note, corner, ha="left", va="bottom")

    def keys(self):
        """(kind, points) of the looks beside the table's heads, from the axes' corner."""
        for i, kinds in enumerate(ROWS.values()):
            for j, kind in enumerate(kinds):
                left, wide, tall = (0.1 - HEAD) * EM, EM / len(kinds), 0.4 * EM
                ends = (left + j * wide, left + (j + 1) * wide)
                if kind == "line":
                    yield kind, [(x, -self.row(i)) for x in ends]
                else:
                    yield kind, box(*ends, -self.row(i) - tall, -self.row(i) + tall)

    def fill(self, axes):
        """The vessels, what the table says of each, and what their parts look like."""
        corner, below, _ = transforms(axes)
        for kind, points in self.keys():
            shape(axes, kind, points, corner)
        for x, v in zip(self.at, self.vessels, strict=True):
            for kind, points in shapes(v, x, self.top):
                shape(axes, kind, points, axes.transData)
            if v.ended:
                mark = {"fontsize": 3 * FONT, "color": BROWN}
                write(axes, x, (v.equity + v.collateral) / 2, "×", axes.transData, **mark)
            for i, cell in enumerate(v.cells):
                write(axes, x, -self.row(i), [cell], below)


def shapes(v, x, top):
    """(kind, points) of all that is drawn of a vessel, walls to the top: columns, amounts."""
    half = 0.3 if v.isolated else 0.42
    left, right = x - half, x + half
    for kind, low, high in v.parts:
        yield kind, box(left, right, low, high)
    walls = [(left, top), (left, 0.0), (right, 0.0), (right, top)]
    yield "thick" if v.isolated else "thin", walls
    if v.open:
        yield "line", [(left - 0.07, v.required), (right + 0.07, v.required)]


def box(left, right, low, high):
    """The corners of a box, back to the first."""
    return [(left, low), (left, high), (right, high), (right, low), (left, low)]


def transforms(axes):
    """From inches off the lower left corner; from columns and such inches, or those off the top."""
    inches = axes.figure.dpi_scale_trans
    corner, top = (inches + ScaledTranslation(0, y, axes.transAxes) for y in (0, 1))
    over, under = (blended_transform_factory(axes.transData, one) for one in (top, corner))
    return corner, under, over


def write(axes, x, y, lines, transform, **how):
    """Text in the colour of the axes' own."""
    about = {"ha": "center", "va": "center", "fontsize": FONT, "linespacing": 1.1}
    about["color"] = axes.xaxis.label.get_color()
    axes.text(x, y, "\n".join(lines), transform=transform, clip_on=False, **about | how)


def shape(axes, kind, points, transform):
    """A shape in its look."""
    fill, hatch, line, wide, dashes = LOOKS[kind]
    axes.add_artist(
        Polygon(
            points,
            closed=points[0] == points[-1],
            transform=transform,
            facecolor=fill,
            hatch=hatch,
            edgecolor=axes.xaxis.label.get_color() if line == INK else line,
            linewidth=wide,
            linestyle=dashes if dashes[1] else "solid",
            joinstyle="miter",
            zorder=2,
            clip_on=False,
            label=f"_{kind}",
        )
    )


@cache
def em(text):
    """How wide a text is at most, in em; drawn small, letters are up to a tenth wider apart."""
    return 1.1 * TextPath((0, 0), text, size=1).get_extents().width if text else 0.0


def wrapped(text, wide):
    """Lines of a text, so many inches wide; a word that is longer breaks at hyphen or slash."""
    lines = [""]
    for word in text.split():
        whole = em(word) * EM <= wide
        for part in [word] if whole else re.split(r"(?<=[A-Z][-/])(?=[A-Z])", word):
            longer = f"{lines[-1]} {part}".lstrip()
            if em(longer) * EM <= wide:
                lines[-1] = longer
            else:
                lines.append(part)
    return lines[1:] if lines[0] == "" and lines[1:] else lines


# --------------------------------------------------------------------- SVG


class Beside(Layers):
    """The layers of a chart, and the vessels that are to `show`, in a place of their own."""

    def __init__(self, *given):
        super().__init__(*given)
        self.vessels, self.sheets = None, {}

    def show(self, vessels, top, title=""):
        """Let vessels of one unit be shown, up to an amount; with it, or their names, axes move."""
        sheet = top, *(vessel.name for vessel in vessels)
        if sheet not in self.sheets:
            self.sheets[sheet] = Vessels(vessels, top, title=title)
        self.vessels = self.sheets[sheet]
        self.vessels.draw(vessels)

    def own_ids(self, text):
        """The vessels' ids begin as the chart's: no other picture has them."""
        return text.replace(self.vessels.own, f"{self.own}v")

    def still(self):
        return super().still() + self.own_ids(self.vessels.still())

    def moving(self, reading):
        said = " ".join(vessel.sentence for vessel in self.vessels.shown)
        return super().moving(reading) + self.own_ids(self.vessels.moving(said))


class Vessels(Layers):
    """Vessels as two layers of SVG, for an explorer to show beside its chart.

        layers = Vessels([Vessel.of(pool)], top=10)
        layers.draw([Vessel.of(pool, {"BTC": 45_000})])
        layers.still(), layers.moving("in words")

    `still` has the scale, from `bottom` to `top` in the vessels' unit, their names, and over them
    the `title`; it stays as it is. However many they are, they take the room of three. `moving` is
    text with numbers put in: by matplotlib it would take many milliseconds.
    TypeError or ValueError for a scale without 0, and for vessels of another number or unit.
    """

    def __init__(self, vessels: Sequence[Vessel], top: float, bottom: float = 0.0, title: str = ""):
        bottom = checks.number("bottom", bottom, most=0)
        top = checks.number("top", top, above=0)
        if not vessels:
            raise ValueError("vessels must be at least one")
        with style.context(["default", LOOK | FIRM]):
            columns = 3 * WIDEST / len(vessels)  # any number takes the room of three
            self.sheet = Sheet([(title, vessels)], bottom, top, columns=columns)
            figure = Figure(figsize=self.sheet.size, dpi=72)
            FigureCanvasSVG(figure)
            axes = self.sheet.axes(figure)
            self.sheet.frame(axes)
        super().__init__(figure, axes, {})
        self.shown = vessels
        self.high = 72 * self.sheet.size[1]
        self.room = f"max-width:{100 * self.sheet.size[0]:.0f}px"  # letters as large as the page's
        self.looks = {kind: self.look(kind, *look) for kind, look in LOOKS.items()}
        tile = 'patternUnits="userSpaceOnUse" width="6" height="6"'
        self.first = "".join(
            f'<pattern id="{self.own}-{kind}" {tile}><path d="{TILES[hatch]}" stroke="{line}"/>'
            f"</pattern>"
            for kind, (_, hatch, line, *_) in LOOKS.items()
            if hatch
        )
        for kind, points in self.sheet.keys():
            self.first += self.path(kind, [self.place(*point) for point in points])

    def look(self, kind, fill, hatch, line, wide, dashes):
        """A look as attributes of SVG."""
        fill = f"url(#{self.own}-{kind})" if hatch else fill
        line = "currentColor" if line == INK else line
        dashes = " ".join(f"{wide * length:g}" for length in dashes[1] or ())
        return f'fill="{fill}" stroke="{line}" stroke-width="{wide}" stroke-dasharray="{dashes}"'

    def draw(self, vessels):
        """Let these vessels be shown, in the place of as many others in the same unit."""
        units, needed = [v.unit for v in vessels], [v.unit for v in self.sheet.vessels]
        if units != needed:
            raise ValueError(f"vessels must be {len(needed)} in {needed[0]}, not in {units}")
        self.shown = vessels

    def still(self):
        with style.context(["default", LOOK | FIRM]):
            return f'<div style="{self.room}">{super().still()}</div>'

    def moving(self, reading):
        found = [self.first]
        for x, v in zip(self.sheet.at, self.shown, strict=True):
            for kind, points in shapes(v, x, self.sheet.top):
                found.append(self.path(kind, [self.place(*self.inches(*p)) for p in points]))
            if v.ended:
                middle, high = self.inches(x, (v.equity + v.collateral) / 2)
                high = max(high, 1.2 * EM)  # above the name
                found.append(self.text(middle, high, "×", 3 * FONT, BROWN))
            for i, cell in enumerate(v.cells):
                found.append(self.text(x * self.sheet.column, -self.sheet.row(i), cell))
        view = f'viewBox="0 0 {72 * self.sheet.size[0]:g} {self.high:g}"'
        how = 'style="width:100%;height:auto" text-anchor="middle"'
        label = f'role="img" aria-label="{escape(reading, quote=True)}"'
        picture = f'<div {label} style="{PAGE}"><svg {view} {how}>{"".join(found)}</svg></div>'
        return f'<div style="{self.room}">{picture}</div>'

    def inches(self, columns, amount):
        """A place on the axes, from their corner; an amount beyond the scale is at its end."""
        low, high = self.sheet.low, self.sheet.top
        share = (min(max(amount, low), high) - low) / (high - low)
        return columns * self.sheet.column, share * TALL * EM

    def place(self, x, y):
        """Inches from the axes' corner as a place in the picture."""
        return 72 * (self.sheet.head + x), self.high - 72 * (self.sheet.under + y)

    def path(self, kind, points):
        """A shape in its look."""
        return f'<path d="M{"L".join(f"{x:.2f},{y:.2f}" for x, y in points)}" {self.looks[kind]}/>'

    def text(self, x, y, said, size=FONT, color="currentColor"):
        """A text with its middle there."""
        (x, y), how = self.place(x, y), f'font-size="{size}" fill="{color}"'
        return f'<text x="{x:.2f}" y="{y + 0.35 * size:.2f}" {how}>{escape(said)}</text>'
