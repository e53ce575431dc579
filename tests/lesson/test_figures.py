"""The drawing vocabulary: colours and lines that can be told apart, SVG in the page's own colours."""

import re
import subprocess
import sys
from itertools import combinations

import pytest

from marginlab.lesson import figures
from marginlab.lesson.figures import STYLES

PAGES = {"white": "#ffffff", "JupyterLab's dark": "#111111"}


def luminance(colour):
    """Relative luminance, WCAG 2.2."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_of_contrast():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)  # WCAG's well-known grey


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_colours_stand_out_on_both_themes(name, page):
    assert contrast(STYLES[name]["color"], page) >= 3


def dashes(style):
    """What a line looks like: (marker, dash and gap lengths), dots and dashes as matplotlib draws them."""
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
    assert first == (other.still(), other.moving("a")) == (one.still(), one.moving("a"))


@pytest.mark.parametrize("layer", ["still", "moving"])
def test_svg_takes_its_colours_and_font_from_the_page(layer):
    text = drawing().still() if layer == "still" else drawing().moving("a")
    colours = set(re.findall(r"(?:fill|stroke): *([^;\"]+)", text))
    assert colours <= {"none", "currentColor", "var(--marginlab-rule)", STYLES["equity"]["color"].lower()}
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


def test_layers_share_nothing_but_the_frame():
    layers = drawing()
    still, moving = layers.still(), layers.moving('it says "5 > 4" & more')
    assert still.startswith('<div aria-hidden="true"') and 'role="img"' not in still
    assert moving.startswith('<div role="img" aria-label="it says &quot;5 &gt; 4&quot; &amp; more"')
    assert "price" in still and "equity" in still and "here" not in still
    assert "here" in moving and "equity" not in moving and ">price<" not in moving


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
names = [name for name in matplotlib.rcParams if name != "backend"]  # looking at that one imports pyplot
before = {name: matplotlib.rcParams[name] for name in names}
from marginlab.lesson import explorers
explorer = explorers.IsolatedMargin()
explorer.set(move=-7)
explorer.twin("short", show=False)
assert {name: matplotlib.rcParams[name] for name in names} == before, "rcParams changed"
assert "matplotlib.pyplot" not in sys.modules, "pyplot was imported"
assert "pandas" not in sys.modules, "pandas was imported"
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
