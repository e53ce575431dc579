"""Pictures of lessons 03 and 08: what is drawn is what is written, and nothing meets."""

import re
from itertools import combinations

import numpy as np
import pytest

from marginlab import Account, Perpetual, Position, market, venues
from marginlab.lesson import bars, flow
from tests.lesson.shown import numbers

INVERSE = Perpetual("BTC-USD", "BTC", "BTC", face=100)
LINEAR = Perpetual("BTC-USDT", "BTC", "USDT")


@pytest.fixture(scope="module", autouse=True)
def closed_figures():
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def paid(rate):
    account = Account(venues.TEACHING, BTC=10).mark(BTC=50_000).trade(INVERSE, 25_000, price=50_000)
    return account.pay_funding(INVERSE, rate=rate).events[-1]


def texts_meet(axes):
    """Pairs of texts of a figure that overlap."""
    figure = axes.figure
    figure.canvas.draw()
    texts = [t for one in figure.axes for t in one.texts if t.get_text()]
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts]
    return [(a, b) for (a, x), (b, y) in combinations(boxes, 2) if x.overlaps(y)]


def test_the_arrow_turns_with_the_rate():
    """0.1 % of 50 BTC are 0.05, from the left to the right."""
    axes = flow(paid(0.001), paid(-0.001))
    assert axes.figure.reading == (
        "0.1000% of 50 BTC: trader pays 0.05 BTC, counterparties receive 0.05 BTC.\n"
        "-0.1000% of 50 BTC: counterparties pay 0.05 BTC, trader receives 0.05 BTC."
    )
    left = [t.get_text() for t in axes.texts if t.get_position()[0] < 0.3]
    assert left == ["trader pays\n0.05 BTC", "counterparties pay\n0.05 BTC"]
    assert not texts_meet(axes)


def test_a_side_of_several_is_to_scale():
    """A long that the venue closes beyond bankruptcy: 600 of the 1,600 lost are the fund's."""
    account = Account(venues.TEACHING, USDT=1_000).mark(BTC=50_000)
    event = account.trade(LINEAR, 0.2, price=50_000).at(BTC=42_000).liquidations[0]
    axes = flow(event)
    payers = {party: -amount for party, amount in event.flows.items() if amount < 0}
    heights = [patch.get_height() for patch in axes.patches if patch.get_x() == 0]
    assert len(heights) == len(payers) == 2
    for height, amount in zip(heights, payers.values(), strict=True):
        assert height / sum(heights) == pytest.approx(amount / sum(payers.values()))
    assert "insurance fund pays 600 USDT" in axes.figure.reading


def test_what_flows_not_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        flow()
    with pytest.raises(TypeError, match="events must be of a ledger, not 3"):
        flow(3)
    with pytest.raises(ValueError, match="nothing flows"):
        flow(paid(0.0))


@pytest.fixture(scope="module")
def tables():
    book = [Position(LINEAR, 1, 50_000), Position(Perpetual("ETH-USDT", "ETH", "USDT"), -20, 2_500)]
    start = {"BTC": 50_000, "ETH": 2_500}
    paths = market.Brownian(start, 240, 400, volatility=0.7, correlation=0.8, rng=np.random.default_rng(3))
    found = market.survival(venues.TEACHING, book, paths)
    splits = {"isolated": found.isolated, "small cross": {found.shared: 0.3}, "cross": found.shared}
    return {name: found.summary(capital, splits) for name, capital in (("basis trader", 9e3), ("two", 4e4))}


def test_bars_are_as_long_as_the_shares(tables):
    capital = {"basis trader": 9e3, "two": 4e4}
    left = bars(tables, capital)
    right = left.figure.axes[1]
    lengths = [patch.get_width() for patch in left.patches]
    rows = [row for table in tables.values() for _, row in table.iterrows()]
    assert lengths == [share for row in rows for share in (row["liquidated"], row["all lost"])]
    worst = [row["worst"] / c for name, c in capital.items() for _, row in tables[name].iterrows()]
    assert [patch.get_width() for patch in right.patches] == pytest.approx(worst)
    lines = left.figure.reading.splitlines()
    assert [re.match(r"([\w ]+), ([\w ]+):", line).groups() for line in lines] == [
        (name, mode) for name, table in tables.items() for mode in table.index
    ]
    for line, row, lost in zip(lines, rows, worst, strict=True):
        want = [100 * row["liquidated"], 100 * row["all lost"], 100 * lost]
        assert numbers(line.partition(":")[2]) == pytest.approx(want, abs=0.0501)
    assert max(worst) <= 1 and not texts_meet(left)


def test_bars_without_a_capital_are_refused(tables):
    with pytest.raises(ValueError, match="capital must have two as well"):
        bars(tables, {"basis trader": 9e3})
    with pytest.raises(ValueError, match="tables must be at least one"):
        bars({}, 1)
    with pytest.raises((TypeError, ValueError), match="capital must be"):
        bars(tables, -1)
