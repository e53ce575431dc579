"""The drawing vocabulary of the course: one colour and one line style for each quantity, in every figure.

Figures are matplotlib. An explorer shows one as SVG in two layers: the axes, drawn again only when they change, and the
lines over them, drawn at each move; that is most of what makes a slider feel quick.
"""

import io
import re
import secrets
from html import escape

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

# Okabe-Ito and neighbours: told apart by colour-blind eyes, at least 3:1 against white and JupyterLab's dark.
STYLES = {
    "equity": {"color": "#0072B2", "linestyle": "-", "linewidth": 2.2},
    "equity, cross": {"color": "#0072B2", "linestyle": (0, (1, 1.5)), "linewidth": 1.6},
    "requirement": {"color": "#D55E00", "linestyle": (0, (5, 2)), "linewidth": 1.8},
    "liquidation": {"color": "#C2477F", "linestyle": (0, (8, 1.5, 1, 1.5, 1, 1.5)), "linewidth": 1.6},
    "liquidation, cross": {"color": "#C2477F", "linestyle": (0, (2.5, 1.5)), "linewidth": 1.6},
    "bankruptcy": {"color": "#8C6BB1", "linestyle": (0, (4, 2, 1, 2)), "linewidth": 1.6},
    "entry": {"color": "#808080", "linestyle": (0, (1, 4)), "linewidth": 1.6},
    "price": {"color": "#009E73", "linestyle": "none", "marker": "o", "markersize": 8},
    "trader": {"color": "#1B7F7F", "linestyle": (0, (16, 1)), "linewidth": 2.2},
    "fund": {"color": "#8F7700", "linestyle": (0, (2.5, 1)), "linewidth": 2.0},
    "counterparties": {"color": "#C1403D", "linestyle": (0, (2.5, 1, 0.8, 1)), "linewidth": 2.0},
    "closed": {"color": "#A6611A", "linestyle": "none", "marker": "X", "markersize": 9},
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
PAPER = {name: {INK: "#222222", RULE: "#999999"}.get(value, value) for name, value in LOOK.items()} | {
    "figure.facecolor": "white"
}


def thousands(value, _=None):
    """Axis label of a price or an amount: 50,000 or 2.5."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:g}"


def blank(xlabel="", ylabel="", width=7.4, height=3.7, paper=False, panels=("",)):
    """(Figure, Axes) in the course's look, bound to nothing global; on `paper` dark on white, whatever the page.

    With several titles in `panels`, as many Axes side by side: on one scale, or, with a label for each in `ylabel`, on
    scales of their own.
    """
    own = not isinstance(ylabel, str)
    with mpl.rc_context(PAPER if paper else LOOK):
        figure = Figure(figsize=(width, height), dpi=72)
        FigureCanvasSVG(figure)
        left = 0.145 if len(panels) > 1 and not own else 0.12
        gap = 0.12 if own else 0.02 if panels[0] else 0.0
        step, made = ((1.1 if own else 0.98) - left) / len(panels), []
        for i, title in enumerate(panels):
            axes = figure.add_axes((left + i * step, 0.15, step - gap, 0.66 if title else 0.74))
            axes.set_title(title, fontsize=10)
            axes.set_xlabel(xlabel)
            axes.grid(True, alpha=0.5)
            axes.axhline(0, color=mpl.rcParams["axes.edgecolor"], linewidth=1.2)
            axes.tick_params(labelleft=own or not i)
            if own:
                axes.set_ylabel(ylabel[i])
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(FuncFormatter(thousands))
            made.append(axes)
        if not own:
            made[0].set_ylabel(ylabel)
    return figure, made[0] if len(made) == 1 else made


def legend(axes, above=1.0, left=0.0):
    """The legend in one row over the axes, where it can hide nothing."""
    place = {"loc": "lower left", "bbox_to_anchor": (left, above), "ncol": 5, "frameon": False, "columnspacing": 1.4}
    axes.legend(**place, fontsize=9.5, handlelength=2.4, labelcolor=axes.xaxis.label.get_color())


def note(axes, x, y, text="", **how):
    """Text inside a figure, in the page's colour."""
    return axes.text(x, y, text, fontsize=9.5, color=axes.xaxis.label.get_color(), **how)


def cells(axes, columns, rows):
    """A table of shaded cells for values from 0 to 100; numbers written into them stay legible."""
    tint = mpl.colors.to_rgb(STYLES["requirement"]["color"])
    shade = mpl.colors.LinearSegmentedColormap.from_list("share", [(*tint, 0.0), (*tint, 0.5)])
    edges = (np.arange(size + 1) - 0.5 for size in (columns, rows))
    return axes.pcolormesh(*edges, np.zeros((rows, columns)), cmap=shade, vmin=0, vmax=100)


def svg(figure, own=""):
    """A figure as SVG text in the page's text colour and font; the same figure gives the same text.

    Every id begins with `own`: a page must not hold one twice, or a curve is clipped by the axes
    of another picture.
    """
    with mpl.rc_context(LOOK), io.StringIO() as out:
        figure.canvas.print_svg(out, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        text = out.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor").replace(RULE, "var(--marginlab-rule)")
    text = re.sub(r"font-family: [^;\"]*", "font-family: inherit", text)
    # matplotlib's <style> would hold for the whole page, and the browser would restyle all of it at every move
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", text, count=1, flags=re.S)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # figure_1, patch_2: nothing refers to a group
    text = re.sub(r'( id="|"url\(#|href="#)', rf"\g<1>{own}", text)
    return re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', r'\1style="width:100%;height:auto"', text, count=1)


def png(figure, dpi=110):
    """A figure made with `paper=True` as PNG bytes: the static twin of an explorer."""
    with io.BytesIO() as out:
        figure.savefig(out, format="png", dpi=dpi)
        return out.getvalue()


class Layers:
    """A figure in two layers of SVG: what stands still, and the `drawn` artists, by name, that move over it.

    The lower layer is worth drawing again only when the axes change; the upper one takes a few milliseconds.
    """

    def __init__(self, figure, axes, drawn):
        self.figure, self.axes, self.drawn = figure, axes, drawn
        # by chance: two kernels may serve one page, so that counting is not enough
        self.own = f"m{secrets.token_hex(4)}"
        moving = set(drawn.values())
        shown = [artist for panel in figure.axes for artist in panel.get_children() if artist.get_visible()]
        self._fixed = [artist for artist in shown if artist not in moving]

    def still(self):
        """The axes as HTML: decoration, hidden from screen readers."""
        return f'<div aria-hidden="true" style="{PAGE}">{self._layer(still=True)}</div>'

    def moving(self, reading):
        """The moving artists as an HTML picture; `reading` is the whole picture in words."""
        label = escape(reading, quote=True)
        return f'<div role="img" aria-label="{label}" style="{PAGE}">{self._layer(still=False)}</div>'

    def _layer(self, still):
        for artist in self._fixed:
            artist.set_visible(still)
        for artist in self.drawn.values():
            artist.set_visible(not still)
        for axes in self.figure.axes:
            axes.axison = still
        return svg(self.figure, self.own + ("-s-" if still else "-m-"))
