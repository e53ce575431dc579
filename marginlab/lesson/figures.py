"""The drawing vocabulary: one colour and one line style for each quantity, in every figure.

Figures are matplotlib. An explorer shows one as SVG in two layers: the axes, drawn again only when
they change, and the lines over them, drawn at each move; that is most of what makes a slider quick.
"""

import io
import re
import secrets
from html import escape

import matplotlib as mpl
import numpy as np
from matplotlib import style
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

DASHES, DOTS = (0, (2.5, 1)), (0, (1, 1.5))
# Okabe-Ito and neighbours: told apart by colour-blind eyes, at least 3:1 on white and on dark.
STYLES = {
    name: {"color": color, "linestyle": line, "linewidth": width}
    for name, color, line, width in [
        ("equity", "#0072B2", "-", 2.2),
        ("equity, cross", "#0072B2", (0, (1, 1.5)), 1.6),
        ("requirement", "#D55E00", (0, (5, 2)), 1.8),
        ("liquidation", "#C2477F", (0, (8, 1.5, 1, 1.5, 1, 1.5)), 1.6),
        ("liquidation, cross", "#C2477F", (0, (2.5, 1.5)), 1.6),
        ("bankruptcy", "#8C6BB1", (0, (4, 2, 1, 2)), 1.6),
        ("entry", "#808080", (0, (1, 4)), 1.6),
        ("trader", "#1B7F7F", (0, (16, 1)), 2.2),
        ("fund", "#8F7700", (0, (2.5, 1)), 2.0),
        ("counterparties", "#C1403D", (0, (2.5, 1, 0.8, 1)), 2.0),
    ]
} | {
    name: {"color": color, "linestyle": "none", "marker": marker, "markersize": size}
    for name, color, marker, size in [("price", "#009E73", "o", 8), ("closed", "#A6611A", "X", 9)]
}
# Sentinel colours, exchanged for the page's own when a figure becomes SVG.
INK, RULE = "#010203", "#040506"
PAGE = (
    "max-width:46rem;padding-right:.6rem;contain:content;stroke-linejoin:round;stroke-linecap:butt;"
    "color:var(--jp-content-font-color1,currentColor);"
    "--marginlab-rule:var(--jp-border-color1,#999)"
)
LOOK = {
    "font.size": 10.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "marginlab",
    "path.simplify": True,
}
COLOURS = {INK: "#222222", RULE: "#999999"}
PAPER = {name: COLOURS.get(value, value) for name, value in LOOK.items()}
PAPER["figure.facecolor"] = "white"


def thousands(value, _=None):
    """Axis label of a price or an amount: 50,000 or 2.5."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:g}"


def blank(xlabel="", ylabel="", paper=False, panels=("",)):
    """(Figure, Axes) in the course's look, bound to nothing global; on `paper` dark on white, and
    a little higher: an explorer has controls above it.

    With several titles in `panels`, as many Axes side by side: on one scale, or, with a label for
    each in `ylabel`, on scales of their own.
    """
    own = not isinstance(ylabel, str)
    labels = ylabel if own else (ylabel, *[""] * (len(panels) - 1))
    titled = bool(panels[0])
    left = 0.145 if len(panels) > 1 and not own else 0.12
    step = ((1.1 if own else 0.98) - left) / len(panels)
    gap = 0.02 if titled else 0.0
    with style.context(["default", PAPER if paper else LOOK]):  # not the learner's settings
        figure = Figure(figsize=(7.4, 3.7 if paper else 3.5), dpi=72)
        FigureCanvasSVG(figure)
        for i, title in enumerate(panels):
            width = step - (0.12 if own else gap)
            axes = figure.add_axes((left + i * step, 0.15, width, 0.66 if titled else 0.74))
            axes.set_title(title, fontsize=10, y=1)  # or its place is looked for at each draw
            axes.set_xlabel(xlabel)
            axes.set_ylabel(labels[i])
            axes.grid(True, alpha=0.5)
            axes.axhline(0, color=mpl.rcParams["axes.edgecolor"], linewidth=1.2)
            axes.tick_params(labelleft=own or not i)
            axes.xaxis.set_major_formatter(FuncFormatter(thousands))
            axes.yaxis.set_major_formatter(FuncFormatter(thousands))
    return figure, figure.axes[0] if len(panels) == 1 else figure.axes


def curve(axes, style, label=None, **how):
    """A line or a mark in the style of a quantity, to be moved by `draw`."""
    return axes.plot([], [], label=label, **STYLES[style] | how)[0]


def upright(axes, x, style, label=None):
    """An upright line in the style of a quantity."""
    return axes.axvline(x, label=label, **STYLES[style])


def legend(axes, above=1.0, left=0.0):
    """The legend in one row over the axes, where it can hide nothing."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(left, above),
        ncol=5,
        frameon=False,
        columnspacing=1.4,
        fontsize=9.5,
        handlelength=2.4,
        labelcolor=axes.xaxis.label.get_color(),
    )


def note(axes, x, y, text="", **how):
    """Text inside a figure, in the page's colour."""
    return axes.text(x, y, text, fontsize=9.5, color=axes.xaxis.label.get_color(), **how)


def svg(figure, own=""):
    """A figure as SVG text in the page's text colour and font; equal figures give equal text.

    Every id begins with `own`: a page must not hold one twice, or a curve is clipped by the axes
    of another picture.
    """
    about = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context(LOOK), io.StringIO() as out:
        figure.canvas.print_svg(out, metadata=about)
        text = out.getvalue()
    text = text[text.index("<svg") :]
    text = text.replace(INK, "currentColor").replace(RULE, "var(--marginlab-rule)")
    text = re.sub(r"font-family: [^;\"]*", "font-family: inherit", text)
    # matplotlib's <style> would hold for the whole page, restyled by the browser at every move
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", text, count=1, flags=re.S)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # figure_1, patch_2: nothing refers to a group
    text = re.sub(r'( id="|"url\(#|href="#)', rf"\g<1>{own}", text)
    size, wide = r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', r'\1style="width:100%;height:auto"'
    return re.sub(size, wide, text, count=1)


def png(figure):
    """A figure made with `paper=True` as PNG bytes: the static twin of an explorer."""
    with style.context(["default", PAPER]), io.BytesIO() as out:
        figure.savefig(out, format="png", dpi=110)
        return out.getvalue()


class Layers:
    """A figure in two layers of SVG: what stands still, and the artists that move over it.

    `drawn` are these, by name. The lower layer is worth drawing again only when the axes change;
    the upper one takes a few milliseconds.
    """

    def __init__(self, figure, axes, drawn):
        self.figure = figure
        self.axes = axes
        self.drawn = drawn
        # by chance: two kernels may serve one page, so that counting is not enough
        self.own = f"m{secrets.token_hex(4)}"
        moving = set(drawn.values())
        shown = [one for panel in figure.axes for one in panel.get_children() if one.get_visible()]
        self._fixed = [artist for artist in shown if artist not in moving]

    def show(self, vessels, top, title=""):
        """Vessels have no room beside this picture: `sheet.Beside` shows them."""

    def still(self):
        """The axes as HTML: decoration, hidden from screen readers."""
        return f'<div aria-hidden="true" style="{PAGE}">{self._layer(still=True)}</div>'

    def moving(self, reading):
        """The moving artists as an HTML picture; `reading` is the whole picture in words."""
        label = escape(reading, quote=True)
        picture = self._layer(still=False)
        return f'<div role="img" aria-label="{label}" style="{PAGE}">{picture}</div>'

    def _layer(self, still):
        for artist in self._fixed:
            artist.set_visible(still)
        for artist in self.drawn.values():
            artist.set_visible(not still)
            if isinstance(artist, Line2D):  # a straight piece takes two points, not thirty
                artist.get_path().should_simplify = True
        for axes in self.figure.axes:
            axes.axison = still
        return svg(self.figure, self.own + ("-s-" if still else "-m-"))


class Tables(Layers):
    """Layers over a table in each of the axes, of shaded cells for values from 0 to 100; a head.

    What is written into a cell moves nothing else: the still layer is drawn once, and figures and
    shades are then put into its text. (Drawn by matplotlib they would take 40 ms.)
    """

    MARK = "00"  # as high as any number; no tick has it

    def __init__(self, figure, axes, drawn, rows, columns, head):
        tint = mpl.colors.to_rgb(STYLES["requirement"]["color"])
        shade = [(*tint, 0.0), (*tint, 0.5)]  # numbers on it stay legible
        shade = mpl.colors.LinearSegmentedColormap.from_list("share", shade)
        corners = (np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5)
        self.shades = [
            one.pcolormesh(*corners, np.full((rows, columns), 100.0), cmap=shade, vmin=0, vmax=100)
            for one in axes
        ]
        self.numbers = [
            [
                note(one, x, y, self.MARK, ha="center", va="center")
                for y, x in np.ndindex(rows, columns)
            ]
            for one in axes
        ]
        self.head = note(axes[0], 0, 1.16, head, transform=axes[0].transAxes)
        super().__init__(figure, axes, drawn)
        self._written = super().still()
        for artist in drawn.values():  # on paper both layers are one picture
            artist.set_visible(True)

    def write(self, tables):
        """Put arrays of values, a table for each of the axes."""
        for shade, numbers, values in zip(self.shades, self.numbers, tables, strict=True):
            shade.set_array(values)
            for text, value in zip(numbers, values.ravel(), strict=True):
                text.set_text(f"{value:.0f}")

    def still(self):
        told = iter([one.get_text() for numbers in self.numbers for one in numbers])
        text = re.sub(f">{self.MARK}<", lambda _: f">{next(told)}<", self._written)
        opacity = iter([one for s in self.shades for one in s.to_rgba(s.get_array())[..., 3].flat])
        return re.sub(
            'fill-opacity: 0.5(?=")', lambda _: f"fill-opacity: {round(next(opacity), 6):g}", text
        )
