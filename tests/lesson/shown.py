"""What a reader sees, read back: the numbers of a sentence, the rows of a table."""

import re
from html.parser import HTMLParser


def numbers(text):
    """Every number of a text, signs dropped where they are hyphens."""
    return [float(n.replace(",", "")) for n in re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", text)]


def close(shown, value, decimals=None):
    """`shown` is `value` to the digits that readers get: 4 figures, 6 above 100, whole above 10,000."""
    half = 0.5 if abs(value) >= 9_999.5 else abs(value) * (5e-6 if abs(value) >= 99.995 else 5e-4)
    half = half if decimals is None else 0.5 * 10**-decimals
    return abs(shown - value) <= half * (1 + 1e-6) + 1e-9


def same(shown, values):
    assert len(shown) == len(values), (shown, values)
    for one, value in zip(shown, values, strict=True):
        decimals, value = value if isinstance(value, tuple) else (None, value)
        assert close(one, value, decimals), (shown, values)


def view(explorer):
    """The moving layer and the words, without the name that all ids of this explorer begin with."""
    return explorer.view.value.replace(explorer.layers.own, "")


class Cells(HTMLParser):
    """Rows of text of the tables in some HTML, the rows that are marked, and the text of its paragraphs."""

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
