"""What a reader sees, read back; and the states of an explorer in which it is looked at."""

import random
import re
from html.parser import HTMLParser
from itertools import combinations, product

import numpy as np


def numbers(text):
    """Every number of a text, signs dropped where they are hyphens."""
    found = re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", text)
    return [float(number.replace(",", "")) for number in found]


def close(shown, value, decimals=None):
    """`shown` is `value` to the digits readers get: 4 figures, 6 from 100, whole from 10,000 on."""
    half = abs(value) * (5e-6 if abs(value) >= 99.995 else 5e-4)
    half = 0.5 if abs(value) >= 9_999.5 else half
    half = half if decimals is None else 0.5 * 10**-decimals
    return abs(shown - value) <= half * (1 + 1e-6) + 1e-9


def same(shown, values):
    """Numbers shown are these values; (decimals, value) where they are shown to so many."""
    assert len(shown) == len(values), (shown, values)
    for one, value in zip(shown, values, strict=True):
        decimals, value = value if isinstance(value, tuple) else (None, value)
        assert close(one, value, decimals), (shown, values)


def plain(sentence):
    """A sentence holds no noise, and nothing that is not for readers."""
    noise = r"\d[eE][-+]?\d|\.\d*9999\d|\.\d*00000\d|\bnan\b|\binf\b|\bNone\b|∞|\.\."
    assert not re.search(noise, sentence) and sentence.endswith("."), sentence


def view(explorer):
    """The moving layer and the words, without the name that all ids of this explorer begin with."""
    return explorer.view.value.replace(explorer.layers.own, "")


def values(control):
    """What a control is swept through: all its buttons; or its ends, a step off them, and 0."""
    if hasattr(control, "options"):
        return list(control.options.values())
    low, high, step = control.min, control.max, control.step
    return [low, high, round(low + step, 9), round(high - step, 9)] + [0.0] * (low < 0 < high)


def states(explorer, count=100, starts=2, seed=4):
    """Presets; from some of them, every value of each control and both ends of each pair; others at
    random, on and between the steps of the sliders."""
    found, swept = list(explorer.presets.values()), {}
    for name, control in explorer.controls.items():
        swept[name] = values(control)
    for start in found[:starts]:
        found += [start | {name: value} for name, row in swept.items() for value in row]
        for one, other in combinations(swept, 2):
            ends = product(swept[one][:2], swept[other][:2])
            found += [start | {one: a, other: b} for a, b in ends]
    draw = random.Random(seed)
    for n in range(count):
        state = {}
        for name, control in explorer.controls.items():
            if hasattr(control, "options"):
                state[name] = draw.choice(swept[name])
                continue
            low, high, step = control.min, control.max, control.step
            value = draw.uniform(low, high) * draw.choice((1, 0.1) if low <= 0 else (1,))
            value = low + round((value - low) / step) * step if n % 2 else value
            state[name] = control.tidy(round(value, 4))
        found.append(state)
    return found


def drawn(artist):
    """The points of an artist, without those that are nowhere."""
    points = np.column_stack(artist.get_data()).astype(float)
    return points[~np.isnan(points).any(axis=1)].T


def twin(explorer, name, monkeypatch):
    """The PNG of a twin."""
    shown = []
    monkeypatch.setattr("marginlab.lesson.explorer.display", shown.append)
    explorer.twin(name)
    return shown[0].data


class Cells(HTMLParser):
    """Rows of text of the tables in some HTML, rows that are marked, and the text of paragraphs."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.marked, self.sentence, self.inside = [], [], "", None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
            if "marginlab-marked" in dict(attrs).get("class", "").split():
                self.marked.append(self.rows[-1])
        if tag in ("th", "td"):
            self.rows[-1].append("")
        self.inside = tag if tag in ("th", "td", "p") else self.inside

    def handle_endtag(self, tag):
        self.inside = None if tag == self.inside else self.inside

    def handle_data(self, data):
        if self.inside in ("th", "td"):
            self.rows[-1][-1] += data
        if self.inside == "p":
            self.sentence += data
