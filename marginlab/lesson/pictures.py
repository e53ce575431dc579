"""Pictures of lessons 03 and 08: who pays whom, and how often a mode ends and how much it loses.

Each is a figure of matplotlib; its `reading` is the picture in words.
"""

from collections.abc import Mapping
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.transforms import blended_transform_factory

from .. import checks
from ..ledger import Event
from ..rules import COUNTERPARTIES, FUND, TRADER
from ..show import fmt
from .figures import PAPER, STYLES
from .sheet import LOOKS, em, on_paper

PARTIES = {TRADER: "trader", FUND: "fund", COUNTERPARTIES: "counterparties"}  # and their styles
SIZE, SMALL = 10.6, 9.6


def flow(*events: Event) -> Axes:
    """Draw who pays whom in events of the ledger, a row for each: payers left, receivers right.

    Heights are to scale within a row. Returns the axes. TypeError for what is no event; ValueError
    for none, and for one in which nothing flows.
    """
    if not events:
        raise ValueError("events must be at least one")
    for event in events:
        if not isinstance(event, Event):
            raise TypeError(f"events must be of a ledger, not {event!r}")
        if not any(event.flows.values()):
            raise ValueError(f"nothing flows in the event {event.text!r}")
    with on_paper() as new:
        figure = new(figsize=(6.4, 0.2 + 1.05 * len(events)))
        axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(len(events), -0.02)
        axes.set_axis_off()
        for y, event in enumerate(events):
            said = fill(event.text, 78)
            about = {"va": "center", "linespacing": 1.05}
            axes.text(
                0.5, y + 0.1, said, ha="center", fontsize=SMALL if "\n" in said else SIZE, **about
            )
            for left, sign in ((0.0, -1), (0.62, 1)):
                stack(axes, left, y + 0.24, event, sign)
            axes.text(0.5, y + 0.5, event.kind, ha="center", fontsize=SMALL)
            ends = {"xy": (0.61, y + 0.6), "xytext": (0.39, y + 0.6)}
            axes.annotate("", **ends, arrowprops={"arrowstyle": "-|>", "lw": 2, "color": INK})
    figure.reading = "\n".join(map(told_flow, events))
    return axes


INK = PAPER["text.color"]


def moved(event, sign):
    """{party: amount} of those who gain (1) or pay (-1) in an event."""
    return {party: sign * flow for party, flow in event.flows.items() if sign * flow > 0}


def stack(axes, left, top, event, sign):
    """The parties of one side, one above the other."""
    sides = moved(event, sign)
    whole, verb = sum(sides.values()), "pay" if sign < 0 else "receive"
    for party, amount in sides.items():
        high = 0.68 * amount / whole
        color = STYLES[PARTIES[party]]["color"]
        about = {"facecolor": f"{color}33", "edgecolor": color, "linewidth": 1.6}
        axes.add_patch(Rectangle((left, top), 0.38, high, **about))
        said = f"{party} {said_of(party, verb)}\n{fmt(amount)} {event.currency}"
        axes.text(left + 0.19, top + high / 2, said, ha="center", va="center", fontsize=SIZE)
        top += high


def said_of(party, verb):
    """A verb for one party or for several."""
    return verb if party.endswith("s") else f"{verb}s"


def told_flow(event):
    """An event in words."""
    parts = [
        f"{party} {said_of(party, verb)} {fmt(amount)} {event.currency}"
        for sign, verb in ((-1, "pay"), (1, "receive"))
        for party, amount in moved(event, sign).items()
    ]
    return f"{event.text}: {', '.join(parts)}."


def bars(tables: Mapping, capital: float | Mapping) -> Axes:
    """Draw how often pools are liquidated on many paths, and what the worst of them cost.

        bars({"hedge": found.summary(10_000, modes), ...}, capital=10_000)

    `tables` are those of `Survival.summary`, by name; `capital` is theirs, in their currency, one
    for all or by name. Left, the share of the paths on which a pool is liquidated, and, dark, on
    which all are; right, the mean loss in the worst paths, as a share of the capital. Returns the
    axes on the left. ValueError for no tables, or one without its capital.
    """
    if not isinstance(tables, Mapping) or not tables:
        raise ValueError("tables must be at least one, by name")
    if not isinstance(capital, Mapping):
        capital = dict.fromkeys(tables, capital)
    if missing := tables.keys() - capital.keys():
        raise ValueError(f"capital must have {', '.join(sorted(missing))} as well")
    rows, names = [], {}
    y = 0.0
    for name, table in tables.items():
        whole = checks.number("capital", capital[name], above=0)
        names[name] = y + (len(table) - 1) / 2
        for mode, row in table.iterrows():
            rows.append((y, name, mode, row["liquidated"], row["all lost"], row["worst"] / whole))
            y += 1
        y += 0.5
    with on_paper() as new:
        high = 0.23 * y + 0.55
        figure = new(figsize=(7.2, high))
        modes = max(em(row[2]) for row in rows) * SMALL / 72 / 7.2
        start = 0.03 + modes + max(em(name) for name in names) * 1.1 * SIZE / 72 / 7.2  # bold
        wide = (1 - start) / 2
        both = [
            figure.add_axes((left, 0.03, wide * part, 1 - 0.58 / high))
            for left, part in ((start, 1.04), (start + 1.14 * wide, 0.84))
        ]
        heads = "liquidated (%); dark: all pools lost", "worst paths lose (% of capital)"
        for axes, head in zip(both, heads, strict=True):
            axes.set_xlim(0, 1.28)
            axes.set_ylim(y - 0.9, -0.7)
            axes.set_yticks([])
            axes.set_xticks([])
            axes.spines[["top", "right", "bottom"]].set_visible(False)
            axes.set_title(head, fontsize=SIZE, loc="left")
        left, right = both
        across = blended_transform_factory(figure.transFigure, left.transData)
        for name, middle in names.items():
            about = {"va": "center", "fontsize": SIZE, "fontweight": "bold"}
            left.text(0.01, middle, name, transform=across, **about)
        for at, _, mode, gone, lost, worst in rows:
            left.text(-0.03, at, mode, ha="right", va="center", fontsize=SMALL)
            bar(left, at, gone, "gone")
            bar(left, at, lost, "lost")
            said = f"{percent(gone)}; {percent(lost)}"
            left.text(gone + 0.02, at, said, va="center", fontsize=SMALL)
            bar(right, at, worst, "worst")
            right.text(worst + 0.02, at, percent(worst), va="center", fontsize=SMALL)
    figure.reading = "\n".join(told_bars(*row[1:]) for row in rows)
    return left


def bar(axes, y, share, kind):
    """A share as a bar."""
    fill, hatch, line = BARS[kind]
    about = {"facecolor": fill, "hatch": hatch, "edgecolor": line, "linewidth": 0.8}
    axes.add_patch(Rectangle((0, y - 0.38), share, 0.76, **about))


ORANGE = STYLES["requirement"]["color"]
BARS = {
    "gone": (f"{ORANGE}55", None, ORANGE),
    "lost": (STYLES["closed"]["color"], None, STYLES["closed"]["color"]),
    "worst": LOOKS["loss"][:3],
}


def percent(share):
    """A share as it is written beside its bar."""
    return f"{100 * share:.1f}"


def told_bars(name, mode, gone, lost, worst):
    """A row in words."""
    said = f"{name}, {mode}: liquidated {percent(gone)} %, all lost {percent(lost)} %"
    return f"{said}, worst {percent(worst)} %"
