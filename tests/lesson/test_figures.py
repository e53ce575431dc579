"""The drawing vocabulary: what can be told apart, and SVG in the page's own colours."""

import re
import subprocess
import sys
from itertools import combinations, pairwise

import matplotlib as mpl
import pytest

from marginlab.lesson import figures
from marginlab.lesson.figures import STYLES
from marginlab.show import table
from tests.lesson.shown import Cells

PAGES = {"white": "#ffffff", "JupyterLab's dark": "#111111"}


def luminance(colour):
    """Relative luminance, WCAG 2.2."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_colours_stand_out_on_both_themes(name, page):
    assert contrast(STYLES[name]["color"], page) >= 3


def dashes(style):
    """What a line looks like: (marker, dash and gap lengths), as matplotlib draws them."""
    named = {"-": (), "--": (3.7, 1.6), ":": (1, 1.65), "-.": (6.4, 1.6, 1, 1.6), "none": None}
    line = style["linestyle"]
    return style.get("marker"), named[line] if isinstance(line, str) else tuple(line[1])


def look_different(one, other):
    (mark, a), (mark_, b) = dashes(one), dashes(other)
    if mark != mark_ or a is None or b is None or len(a) != len(b):
        return True
    return any(max(x, y) >= 1.5 * min(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("one, other", list(combinations(STYLES, 2)))
def test_quantities_differ_in_colour_and_in_line(one, other):
    if one.split(",")[0] != other.split(",")[0]:  # "equity" and "equity, cross" are one quantity
        assert STYLES[one]["color"].lower() != STYLES[other]["color"].lower()
    assert look_different(STYLES[one], STYLES[other])


def drawing():
    """A small figure in two layers: one line and its label over the axes."""
    figure, axes = figures.blank("price", "BTC")
    (line,) = axes.plot([0, 1], [0, 2], label="equity", **STYLES["equity"])
    figures.legend(axes)
    return figures.Layers(figure, axes, {"line": line, "label": figures.note(axes, 0.5, 1.0, "here & <there>")})


def test_svg_is_the_same_for_the_same_figure():
    one, other = drawing(), drawing()
    first = one.still(), one.moving("a")
    assert first == (one.still(), one.moving("a"))
    assert [text.replace(one.own, "") for text in first] == [
        text.replace(other.own, "") for text in (other.still(), other.moving("a"))
    ]


def test_no_id_is_in_two_layers():
    """On one page, an id that occurs twice clips a curve by the axes of another picture."""
    pictures = drawing(), drawing(), panels(), panels()
    layers = [text for one in pictures for text in (one.still(), one.moving("a"))]
    ids = [one for text in layers for one in re.findall(r' id="([^"]*)"', text)]
    assert len(ids) > 8 and len(set(ids)) == len(ids)
    for text in layers:
        own = re.findall(r' id="([^"]*)"', text)
        used = re.findall(r"url\(#([^)]*)\)", text) + re.findall(r'href="#([^"]*)"', text)
        assert set(used) <= set(own)
    assert any("url(#" in text for text in layers) and any('href="#' in text for text in layers)


@pytest.mark.parametrize("layer", ["still", "moving"])
def test_svg_takes_its_colours_and_font_from_the_page(layer):
    text = drawing().still() if layer == "still" else drawing().moving("a")
    colours = set(re.findall(r"(?:fill|stroke): *([^;\"]+)", text))
    assert colours <= {
        "none",
        "currentColor",
        "var(--marginlab-rule)",
        STYLES["equity"]["color"].lower(),
    }
    words = re.findall(r"<text ([^>]*)>", text)
    assert words and all("fill: currentColor" in style for style in words)
    assert not re.search("#010203|#040506", text)
    assert "color:var(--jp-content-font-color1,currentColor)" in text
    assert "--marginlab-rule:var(--jp-border-color1" in text
    fonts = {
        font.strip() for style in words for font in re.findall(r"font(?:-family)?: *(?:[\d.]+px)?([^;\"]*)", style)
    }
    assert fonts and all(font in ("sans-serif", "inherit") or font.startswith("var(--jp-") for font in fonts)


@pytest.mark.parametrize("layer", ["still", "moving"])
def test_svg_holds_no_date_no_place_and_no_size(layer):
    text = drawing().still() if layer == "still" else drawing().moving("a")
    assert not re.search(r"dc:date|<metadata|matplotlib\.org|file:|\b20\d\d-\d\d|<\?xml|DOCTYPE", text)
    assert re.search(r'<svg [^>]*style="width:100%;height:auto"', text)
    assert not re.search(r'<svg [^>]*\b(?:width|height)="', text)


# ------------------------------------------------------------------ panels


def panels(count=3, **about):
    """A figure of several panels in two layers: a line over each, one beyond the picture."""
    titles = [f"panel {i}" for i in range(count)]
    figure, axes = figures.blank("price", "USD", panels=titles, **about)
    drawn = {}
    for i, one in enumerate(axes):
        one.set_xlim(0, 10)
        one.set_ylim(0, 5)
        (drawn[f"line {i}"],) = one.plot([0, 10], [i, i + 1], label="equity", **STYLES["equity"])
        (drawn[f"mark {i}"],) = one.plot([i + 1], [2], **STYLES["price"])
        drawn[f"end {i}"] = one.axvline(5, **STYLES["liquidation"])
        one.axvline(3, **STYLES["entry"])
    figures.legend(axes[0], above=1.1)
    return figures.Layers(figure, axes, drawn)


def paths(text, colour):
    """How many lines or marks of a colour an SVG shows."""
    return len(re.findall(rf'<(?:path|use)[^>]*(?:stroke|fill): {colour}[;"]', text, re.I))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_panels_stand_side_by_side_and_share_the_width(count):
    layers = panels(count)
    assert len(layers.axes) == len(layers.figure.axes) == count
    places = [one.get_position() for one in layers.axes]
    assert len({(round(p.y0, 9), round(p.height, 9), round(p.width, 9)) for p in places}) == 1
    assert all(a.x1 < b.x0 for a, b in pairwise(places))
    assert 0 < places[0].x0 and places[-1].x1 <= 1 and places[0].y1 < 1
    assert sum(p.width for p in places) > 0.7
    assert [one.get_title() for one in layers.axes] == [f"panel {i}" for i in range(count)]
    assert [one.get_xlabel() for one in layers.axes] == ["price"] * count


def test_labels_of_the_scale_are_on_the_first_panel_alone():
    layers = panels()
    assert [one.get_ylabel() for one in layers.axes] == ["USD", "", ""]
    shown = [[label.label1.get_visible() for label in one.yaxis.get_major_ticks()] for one in layers.axes]
    assert all(shown[0]) and not any(shown[1]) and not any(shown[2])
    assert all(tick.label1.get_visible() for one in layers.axes for tick in one.xaxis.get_major_ticks())
    still = layers.still()
    assert still.count(">USD<") == 1 and still.count(">price<") == 3
    assert {tick.get_text() for one in layers.axes for tick in one.get_yticklabels()} >= {"0", "5"}
    assert len(re.findall(r">equity<", still)) == 1, "one legend, over the first panel"


def test_panels_on_scales_of_their_own():
    """With a label for each, every panel shows its own numbers, and has room for them."""
    for paper in (False, True):
        _, axes = figures.blank("days", ("BTC", "USD"), panels=("equity", "price"), paper=paper)
        for one, top in zip(axes, (12, 75_000), strict=True):
            one.set_ylim(0, top)
            figures.legend(one.plot([0], [0], label="isolated")[0].axes, above=1.1, left=-0.12)
        assert [one.get_ylabel() for one in axes] == ["BTC", "USD"]
        assert [one.get_title() for one in axes] == ["equity", "price"]
        ticks = [tick for one in axes for tick in one.yaxis.get_major_ticks()]
        assert all(tick.label1.get_visible() for tick in ticks)
        places = [one.get_position() for one in axes]
        assert places[0].width == pytest.approx(places[1].width) and places[1].x1 < 1
        room = (places[0].x0, places[1].x0 - places[0].x1)
        assert room == pytest.approx((0.12, 0.12)), "for the numbers at the left of each"


def test_layers_of_panels_share_nothing():
    layers = panels()
    still, moving = layers.still(), layers.moving("in words")
    blue, pink, green, grey = (STYLES[name]["color"].lower() for name in ("equity", "liquidation", "price", "entry"))
    assert paths(moving, blue) == paths(moving, pink) == 3
    assert moving.count("<use") == 3 and paths(moving, green)
    assert paths(moving, grey) == 0 and "<text" not in moving
    assert paths(still, grey) == 3 and paths(still, pink) == 0 and paths(still, green) == 0
    assert paths(still, blue) == 1  # the legend's
    assert all(f">panel {i}<" in still for i in range(3))
    for one in layers.figure.axes:
        assert one.axison is False  # as the moving layer was the last


@pytest.mark.parametrize("made", [drawing, panels])
def test_hidden_spines_stay_hidden_and_the_others_come_back(made):
    layers = made()
    first = layers.still()
    for _ in range(2):
        layers.moving("a")
        assert layers.still() == first
    for one in layers.figure.axes:
        seen = {name: spine.get_visible() for name, spine in one.spines.items()}
        assert seen == {"left": True, "bottom": True, "top": False, "right": False}
    # the page behind, and for each panel its own and two spines
    spines = re.findall(r'style="[^"]*var\(--marginlab-rule\)[^"]*stroke-linejoin: miter', first)
    pages = re.findall(r'<path d="[^"]*z\s*" style="fill: none"', first)
    assert len(pages) == 1 + len(layers.figure.axes) and len(spines) == 2 * len(layers.figure.axes)


def test_what_is_hidden_at_first_stays_hidden():
    figure, axes = figures.blank("price", "BTC")
    (line,) = axes.plot([0, 1], [0, 2], **STYLES["equity"])
    (gone,) = axes.plot([0, 1], [1, 1], **STYLES["requirement"])
    gone.set_visible(False)
    layers = figures.Layers(figure, axes, {"line": line})
    colour = STYLES["requirement"]["color"].lower()
    for text in (layers.still(), layers.moving("a"), layers.still()):
        assert colour not in text
    assert not gone.get_visible()


def test_a_straight_piece_takes_two_points():
    figure, axes = figures.blank()
    line = figures.curve(axes, "equity")
    line.set_data(range(40), [max(0, x - 20) / 20 for x in range(40)])
    layers = figures.Layers(figure, axes, {"equity": line})
    path = max(re.findall(r'<path d="([^"]*)" clip-path', layers.moving("words")), key=len)
    assert 2 <= path.count("L") <= 5, path


# -------------------------------------------------------------------- cells


def over(colour, share, page):
    """A colour laid over a page, so opaque: what the eye sees."""
    mixed = [share * a + (1 - share) * int(page[i : i + 2], 16) / 255 for a, i in zip(colour, (1, 3, 5), strict=True)]
    return "#" + "".join(f"{round(255 * part):02x}" for part in mixed)


@pytest.mark.parametrize("page, ink", [("#ffffff", "#222222"), ("#111111", "#ffffff")])
def test_numbers_in_cells_are_legible_and_shades_are_shares(page, ink):
    figure, axes = figures.blank(panels=("one", "other"))
    layers = figures.Tables(figure, axes, {}, rows=3, columns=4, head="shares")
    shade = layers.shades[1]
    assert shade.axes is axes[1] and shade.get_coordinates().shape == (4, 5, 2)
    assert (shade.get_coordinates()[0, :, 0] == [-0.5, 0.5, 1.5, 2.5, 3.5]).all()
    for value in range(0, 101, 10):
        *colour, share = shade.to_rgba(value)
        assert share == pytest.approx(value / 200, abs=0.003)
        assert contrast(over(colour, share, page), ink) >= 4.5, value


# ------------------------------------------------------------------- tables


def test_one_row_of_a_table_may_stand_out():
    rows = [["a", "1"], ["b", "2"], ["b & c", "3"]]
    for marked, expected in (
        ("b", [["b", "2"]]),
        ("b & c", [["b & c", "3"]]),
        ("d", []),
        (None, []),
        ("", []),
    ):
        cells = Cells(table(rows, ("", "head"), marked))
        assert cells.rows == [["", "head"], *rows] and cells.marked == expected
    assert "marginlab-marked" not in table(rows) and "<thead>" not in table(rows)
    assert table(rows, ("", "head"), "b") == table(rows, ("", "head"), marked="b")
    assert Cells(table([["", "x"]], (), None)).marked == []


def test_words_begin_at_the_left_and_numbers_stand_where_the_page_puts_them():
    rows = [["a", "word", "1"]]
    for words in (True, False):
        text = table(rows, ("", "x", "y"), words=words)
        assert text.count('<td style="text-align:left">') == 2 * words
        assert text.count('<th scope="row" style="text-align:left">') == 1 and text.count("text-align") == 1 + 2 * words
        assert Cells(text).rows == [["", "x", "y"], *rows]
    assert table(rows) == table(rows, words=True)


def test_paper_is_dark_on_white():
    figure, axes = figures.blank("price", "BTC", paper=True)
    assert figure.get_facecolor() == (1, 1, 1, 1)
    assert contrast(axes.xaxis.label.get_color(), "#ffffff") >= 7
    assert figures.png(figure) == figures.png(figure)
    assert figures.png(figure).startswith(b"\x89PNG\r\n")


def test_labels_of_axes():
    given = [50_000, 100, -1_500, 5, 0, 2.5, -0.25, 1e6]
    assert [figures.thousands(x) for x in given] == "50,000 100 -1,500 5 0 2.5 -0.25 1,000,000".split()


def test_nothing_global_is_touched():
    code = """
import sys, matplotlib
names = [name for name in matplotlib.rcParams if name != "backend"]  # which imports pyplot
before = {name: matplotlib.rcParams[name] for name in names}
from marginlab.lesson import IsolatedMargin
explorer = IsolatedMargin()
explorer.set(move=-7)
explorer.twin("short")
assert {name: matplotlib.rcParams[name] for name in names} == before, "rcParams changed"
assert "matplotlib.pyplot" not in sys.modules, "pyplot was imported"
assert "pandas" not in sys.modules, "pandas was imported"
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_the_learners_own_settings_change_no_picture():
    """usetex, a black page, large letters: whatever a matplotlibrc says, pictures begin from matplotlib's defaults."""
    own = {
        "savefig.facecolor": "black",
        "font.size": 30,
        "axes.titlesize": 40,
        "lines.linewidth": 9,
        "text.usetex": True,
    }

    def drawn():
        made = figures.blank("price", "BTC", paper=True)[0]
        return figures.png(made), figures.svg(figures.blank("price", "BTC")[0])

    plain = drawn()
    with mpl.rc_context(own):
        assert drawn() == plain
