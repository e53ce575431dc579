"""What the README shows runs, and its figures are those of the package."""

import re
from pathlib import Path

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.S | re.M)


def test_every_line_runs():
    names = {}
    for block in BLOCKS:
        offline = [line for line in block.splitlines() if '"okx"' not in line]
        exec("\n".join(offline), names)
    assert len(BLOCKS) == 5 and {"multi", "mine"} <= names.keys()


def test_the_figures_beside_the_lines():
    names, shown = {}, {}
    for line in "".join(BLOCKS).splitlines():
        code, _, comment = line.partition("  # ")
        if '"okx"' in code or not code:
            continue
        if "=" in re.sub(r"\(.*\)", "", code) or code.startswith(("from ", "import ")):
            exec(code, names)
        else:
            shown[comment] = eval(code, names)
    said = {comment.split(",")[0] for comment in shown}
    assert {"12.75 BTC", "96 payments", "below 1"} <= said

    def result(start):
        return next(value for comment, value in shown.items() if comment.startswith(start))

    assert round(result("below 45,636").below.price) == 45_636
    assert round(result("below 1,350").below.price) == 1_350
    assert round(result("12.75 BTC"), 2) == 12.75 and result("96 payments") == 96
    (event,) = result("5 BTC lost")
    assert (event.lost, round(event.shortfall, 3)) == (5, 1.818)
    assert result("0.005 BTC out").cross.equity() == 10 - 0.005
    assert result("a week").funding.sum().round(9) == -1.05
