"""The explorer of lesson 04: its line, its steps down and who pays, against plain arithmetic."""

import random
import re
from itertools import pairwise, product

import numpy as np
import pytest

from marginlab import Perpetual, Tiers, replace, venues
from marginlab.lesson import LiquidationSteps, figures
from tests.lesson.shown import close, numbers, plain, states

PARTIES = ("trader", "insurance fund", "counterparties")
CLOSINGS = ("whole", "tier by tier")
STEPS = ((0, 0.005), (1e6, 0.01), (5e6, 0.025), (20e6, 0.05))  # venues.TEACHING_STEPS
OWN = ((0, 0.01, 25), (300, 0.03, 20), (900, 0.06, 8))
KINDS = {
    "teaching": ({}, STEPS),
    "twenty": ({"leverage": 20, "largest": 6e6, "entry": 61_234.5}, STEPS),
    "own": (
        {
            "instrument": Perpetual("ETH-USDC", "ETH", "USDC", face=0.01, tiers=Tiers(OWN)),
            "entry": 2_345.6,
            "leverage": 8,
            "largest": 3_000.0,
        },
        tuple(row[:2] for row in OWN),
    ),
    "four": ({"leverage": 4}, STEPS),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def explorer(kind):
    return LiquidationSteps(**KINDS[kind][0])


@pytest.fixture(scope="module")
def teaching():
    return LiquidationSteps()


# ------------------------------------------------- the liquidation, once more


def charge(rows, notional):
    """Maintenance, slice by slice."""
    tops = [floor for floor, _ in rows[1:]] + [np.inf]
    slices = zip(rows, tops, strict=True)
    return sum(rate * max(0.0, min(notional, top) - floor) for (floor, rate), top in slices)


def line_of(rows, entry, leverage, size):
    """The price at which what is left of the margin is the maintenance: by halving."""
    low, high = 0.0, entry
    for _ in range(70):
        middle = (low + high) / 2
        left = size / leverage - size * (1 - middle / entry)
        enough = left > charge(rows, size * middle / entry)
        low, high = (low, middle) if enough else (middle, high)
    return low


def liquidated(explorer, rows, size, closing, gap, fund):
    """(line, price, contracts closed one after another, share kept, {party: lost / size})."""
    entry, leverage = explorer.entry, explorer.leverage
    line = line_of(rows, entry, leverage, size)
    price = line * (1 - gap / 100)
    left = size / leverage - size * (1 - price / entry)  # sold at the mark, nothing in it changes
    worth, sold = size * price / entry, []
    while worth and left <= charge(rows, worth) * (1 + 1e-9):
        floor = max(floor for floor, _ in rows if floor < worth * (1 - 1e-9) or not floor)
        keep = floor if closing == "tier by tier" and left > 1e-9 * size else 0.0
        sold.append((worth - keep) / price)
        worth = keep
    lost = dict.fromkeys(PARTIES, 0.0)
    if worth:
        lost["trader"] = size - size * price / entry
    else:
        paid = min(fund, max(0.0, -left))
        lost |= {"trader": size / leverage, "insurance fund": paid - max(0.0, left)}
        lost["counterparties"] = max(0.0, -left) - paid
    shares = {party: amount / size for party, amount in lost.items()}
    return line, price, sold, worth / (size * price / entry), shares


# --------------------------------------------------------------- the checks


def check_reading(explorer, kind, reading, state):
    line, price, sold, kept, lost = liquidated(explorer, KINDS[kind][1], **state)
    face, events = explorer.perp.face, reading["events"]
    assert reading["line"] == pytest.approx(line, rel=1e-9)
    bankruptcy = explorer.entry * (1 - 1 / explorer.leverage)
    assert reading["bankruptcy"] == pytest.approx(bankruptcy, rel=1e-9)
    assert reading["price"] == pytest.approx(price, rel=1e-9)
    assert reading["loss"] == pytest.approx(lost, rel=1e-7, abs=1e-9)
    fall = 1 - price / explorer.entry
    assert sum(reading["loss"].values()) == pytest.approx(fall, abs=1e-9), "what the market took"
    assert reading["whole"] * face * explorer.entry == pytest.approx(state["size"])
    assert reading["kept"] / reading["whole"] == pytest.approx(kept, abs=1e-9)
    steps = [-e.quantity * face for e in events if e.kind == "partial liquidation"]
    assert steps == pytest.approx(sold if kept else sold[:-1])
    assert (events[-1].kind == "liquidation") == (kept == 0)
    check_sentence(explorer, reading, kept, lost, state)
    check_table(explorer, reading["table"], kept, lost, state["size"])


def check_sentence(explorer, reading, kept, lost, state):
    said, size = reading["sentence"], state["size"]
    plain(said)
    assert not re.search(r"-\d", said)
    start, _, rest = said.partition("%")
    found = numbers(start.replace(f"{explorer.leverage:g}x", f"{explorer.leverage:g} x"))
    fall = 100 * (1 - reading["line"] / explorer.entry)
    values = (size, explorer.leverage, reading["line"], fall)
    most = (0.5, 1e-4, max(0.5, 1e-5 * explorer.entry), 0.0501)
    for one, value, off in zip(found, values, most, strict=True):
        assert abs(one - value) <= off, said
    assert ("the next price is" in rest) == bool(state["gap"])
    if state["gap"]:
        assert close(numbers(rest)[0], reading["price"]), said
        rest = re.sub(r"^.*?the next price is [\d,.]+\d", "", rest)
    assert ("lives on" in rest) == bool(kept) != ("All of it is closed" in rest)
    if kept:
        (share,) = numbers(rest)
        assert abs(share - 100 * (1 - kept)) <= 0.51
        return
    parts = len([event for event in reading["events"] if event.kind == "partial liquidation"])
    word = f"the last of it after {parts} smaller {'part' if parts == 1 else 'parts'}"
    assert (word in rest) == (parts > 0)
    trader, *shown = numbers(rest.replace(word, ""))
    assert abs(trader - lost["trader"] * size) <= 0.51
    fund, winners = (lost[party] * size for party in PARTIES[1:])
    if fund < -1e-9 * size:
        assert "the fund gets" in rest and abs(shown[0] + fund) <= 0.51 and len(shown) == 1
    elif (missing := fund + winners) > 1e-9 * size:
        told = [missing, *(part for part in (fund, winners) if part > 1e-9 * missing)]
        assert all(abs(one - value) <= 0.51 for one, value in zip(shown, told, strict=True)), said
        words = ("the fund pays" in rest, "winners on the other side forgo" in rest)
        assert words == (fund > 0, winners > 0) and " are missing beyond the margin" in rest
    else:
        assert "nothing is missing" in rest and not shown


def check_table(explorer, table, kept, lost, size):
    (head, rows), unit = table, explorer.unit
    assert head == [
        "",
        f"lost so far ({unit})" if kept else f"lost ({unit})",
        "share of the position",
    ]
    assert [row[0] for row in rows] == [*PARTIES[:2], "winners, by auto-deleveraging"]
    for (_, amount, share), value in zip(rows, lost.values(), strict=True):
        assert abs(float(amount.replace(",", "")) - value * size) <= 0.5 + 1e-6 * size
        assert abs(float(share.removesuffix(" %")) - 100 * value) <= 0.00501
        assert amount != "-0" and not share.startswith("-0.00")


def check_drawn(explorer, kind, reading, state, every):
    drawn, (left, right) = explorer.layers.drawn, explorer.layers.axes
    ((x,), (y,)) = drawn["size"].get_data()
    fall = 100 * (1 - reading["line"] / explorer.entry)
    assert drawn["size"].axes is left and y == pytest.approx(fall)
    assert x == pytest.approx(state["size"] / (1e6 if explorer.largest >= 1e6 else 1))
    inside(left, [x], [y])
    for party in PARTIES:
        gaps, losses = drawn[party].get_data()
        assert drawn[party].axes is drawn[f"{party} now"].axes is right
        ((now,), (value,)) = drawn[f"{party} now"].get_data()
        assert now == state["gap"] and value == pytest.approx(100 * reading["loss"][party])
        assert gaps[0] == 0 and gaps[-1] == 20 and (np.diff(gaps) > 0).all() and now in gaps
        inside(right, gaps, losses)
        for gap, loss in list(zip(gaps, losses, strict=True))[::every]:
            want = liquidated(explorer, KINDS[kind][1], **state | {"gap": gap})[-1]
            assert loss == pytest.approx(100 * want[party], rel=1e-6, abs=1e-7), (party, gap)
        if state["closing"] == "whole" and every == 1:  # straight between its corners
            for gap in np.linspace(0, 20, 121):
                want = liquidated(explorer, KINDS[kind][1], **state | {"gap": gap})[-1]
                loss = np.interp(gap, gaps, losses)
                assert loss == pytest.approx(100 * want[party], abs=1e-6), (party, gap)


def inside(axes, x, y):
    for values, (low, high) in ((x, axes.get_xlim()), (y, axes.get_ylim())):
        assert low <= np.min(values) and np.max(values) <= high, "off the axes"


def test_every_state_reads_and_draws_as_the_arithmetic_says(explorer, kind):
    seen = set()
    limits = [(axes.get_xlim(), axes.get_ylim()) for axes in explorer.layers.axes]
    for n, state in enumerate(states(explorer, count=20, starts=1)):
        reading = explorer.read(**state)
        try:
            check_reading(explorer, kind, reading, state)
            if n % 3 == 0:
                explorer.draw(explorer.layers, reading)
                check_drawn(explorer, kind, reading, state, 1 if n % 21 == 0 else 13)
        except AssertionError as error:
            raise AssertionError(f"at {state}: {error}") from error
        fund, winners = reading["loss"]["insurance fund"], reading["loss"]["counterparties"]
        long = len(reading["events"]) > 2
        seen.add((bool(reading["kept"]), np.sign(round(fund, 9)), bool(winners), long))
    assert [(axes.get_xlim(), axes.get_ylim()) for axes in explorer.layers.axes] == limits
    assert len(seen) >= 5, seen
    explorer.update()


def test_the_line_is_always_reached(teaching):
    """Whatever the size: no rounding leaves it open, no part of a part lives on."""
    rng = random.Random(1)
    for size in [1e6, 5e6, 20e6, *(rng.uniform(1e5, 3e7) for _ in range(150))]:
        for closing in CLOSINGS:
            reading = teaching.read(size=size, closing=closing, gap=0.0, fund=0.0)
            assert reading["events"] and reading["kept"] < reading["whole"], size


def test_a_gap_to_bankruptcy_itself_leaves_nothing_and_costs_nobody(teaching):
    """At 0.5 % a tenth of a long of one tier is gone at 45,000: its line is 45,000 / 0.995."""
    for size, closing, fund in product((5e5, 1e6), CLOSINGS, (0.0, 1e5)):
        reading = teaching.read(size=size, closing=closing, gap=0.5, fund=fund)
        assert reading["price"] == pytest.approx(45_000)
        assert reading["loss"]["trader"] == pytest.approx(0.1)
        assert abs(reading["loss"]["insurance fund"]) + reading["loss"]["counterparties"] < 1e-12
        assert "nothing is missing" in reading["sentence"], reading["sentence"]


def test_the_vessels_are_the_margin_and_the_fund(teaching):
    """300,000 of margin behind 3,000,000, and 200,000 in the fund: what the gap leaves of both."""
    for name, fund in (
        ("at the line, closed whole", 222_222),
        ("a gap through bankruptcy", 0),
        ("a gap, and no fund", 0),
    ):
        teaching.preset(name)
        margin, there = teaching.layers.vessels.shown
        assert (margin.collateral, margin.equity, bool(margin.ended)) == (pytest.approx(300_000), 0, True)
        assert there.equity == pytest.approx(fund, abs=0.5) and there.collateral == teaching.state()["fund"]
    teaching.preset("ten times the size")
    margin, there = teaching.layers.vessels.shown
    account = teaching.reading["after"][teaching.perp]
    assert margin.open and margin.equity > margin.required
    assert margin.equity == pytest.approx(account.equity())
    assert margin.required == pytest.approx(account.requirement())
    tops = []
    for size in (5e5, 3e6, 3e7):
        teaching.set(size=size)
        shown = teaching.layers.vessels
        most = max(max(v.collateral, v.equity) for v in shown.shown)
        assert 0.3 * shown.sheet.top <= most <= shown.sheet.top, "neither cut nor tiny"
        tops.append(shown.sheet.top)
    assert len(set(tops)) == 3


def test_a_larger_size_never_moves_the_line_further_away(explorer, kind):
    curve = explorer.layers.axes[0].lines[1]  # after the axis at 0
    assert curve.get_color() == figures.STYLES["liquidation"]["color"]
    sizes, falls = curve.get_data()
    assert all(a >= b - 1e-9 for a, b in pairwise(falls)) and falls[0] > falls[-1]
    for size, fall in zip(sizes, falls, strict=True):
        size *= 1e6 if explorer.largest >= 1e6 else 1
        line = line_of(KINDS[kind][1], explorer.entry, explorer.leverage, size)
        assert fall == pytest.approx(100 * (1 - line / explorer.entry), rel=1e-7)


# -------------------------------------------------------- what it says of itself


def test_controls_and_presets(teaching):
    assert list(teaching.controls) == ["size", "closing", "gap", "fund"]
    sliders = {name: c for name, c in teaching.controls.items() if name != "closing"}
    reach = {name: (c.min, c.max, c.step) for name, c in sliders.items()}
    assert reach == {"size": (5e5, 3e7, 5e5), "gap": (0, 20, 0.25), "fund": (0, 3e6, 5e4)}
    assert tuple(teaching.controls["closing"].options) == CLOSINGS
    first = {"size": 3e6, "closing": "whole", "gap": 0.0, "fund": 2e5}
    assert next(iter(teaching.presets.values())) == first
    for name, state in teaching.presets.items():
        missing = teaching.read(**state)["loss"]["counterparties"] > 0
        assert ("gap" in name) == (state["gap"] > 0) == missing, name
        assert ("no fund" in name) == (state["fund"] == 0), name
        assert "at the line" not in name or state["gap"] == 0
        assert all(closing not in name or state["closing"] == closing for closing in CLOSINGS)
        assert ("ten times" in name) == (state["size"] == 3e7)


def test_the_lessons_own_figures():
    """3 million at 10x, 1 % - 5,000: 300,000 - 3,000,000 f = 0.01 (3,000,000 (1 - f)) - 5,000."""
    explorer = LiquidationSteps()
    fall = (300_000 + 5_000 - 30_000) / (3_000_000 * 0.99)
    assert explorer.reading["line"] == pytest.approx(50_000 * (1 - fall))
    assert explorer.reading["sentence"] == (
        "3,000,000 USDT at 10x reach their line at 45,370, after a fall of 9.3 %. All of it is "
        "closed. The trader loses 300,000 USDT; the fund gets the 22,222 that are left."
    )
    explorer.preset("a gap through bankruptcy")  # 2,395,556 are left of 2,700,000 that were owed
    said = "304,444 are missing beyond the margin: the fund pays 200,000, winners on the other "
    assert said + "side forgo 104,444." in explorer.reading["sentence"]
    explorer.preset("at the line, tier by tier")  # a floor of 1,000,000 is kept of 2,722,222
    said = "63 % of the position is closed, and the rest lives on."
    assert said in explorer.reading["sentence"]


def lines(axes, style):
    return [line for line in axes.lines if line.get_color() == figures.STYLES[style]["color"]]


def test_panels(teaching):
    left, right = teaching.layers.axes
    assert left.get_xlabel() == "size (million USDT)" and "fall" in left.get_ylabel()
    assert "gap" in right.get_xlabel() and "loss" in right.get_ylabel()
    assert [line.get_xdata()[0] for line in lines(left, "entry")] == [1, 5, 20], "tier floors"
    assert [list(line.get_ydata()) for line in lines(left, "bankruptcy")] == [[10, 10]]
    words = [[t.get_text() for t in a.get_legend().get_texts()] for a in (left, right)]
    assert words == [["liquidation", "bankruptcy", "tier floor"], ["trader", "fund", "winners"]]
    for party, style in zip(PARTIES, ("trader", "fund", "counterparties"), strict=True):
        drawn = teaching.layers.drawn[party]
        assert drawn.get_color() == figures.STYLES[style]["color"]
    assert left.get_xlim() == (0, 30) and right.get_xlim() == (0, 20)
    assert left.get_ylim()[1] > 10 and left.get_ylim()[0] == 0, "bankruptcy is inside"
    few = LiquidationSteps(largest=999_999).layers.axes[0]
    assert few.get_xlabel() == "size (USDT)" and not lines(few, "entry")
    assert not lines(LiquidationSteps(largest=1e6).layers.axes[0], "entry"), "at the largest size"


# ------------------------------------------------------------- other arguments


@pytest.mark.parametrize("leverage", [1, 0.5, 11])
def test_a_leverage_at_which_there_is_no_line_or_no_trade_is_refused(leverage):
    with pytest.raises(ValueError, match="leverage"):
        LiquidationSteps(leverage=leverage)


def test_a_size_beyond_the_schedule_is_refused_in_words():
    tiers = Tiers(((0, 0.005, 100),), cap=1e6)
    capped = Perpetual("BTC-USDT", index="BTC", settle="USDT", tiers=tiers)
    assert LiquidationSteps(instrument=capped, largest=1e6).error is None
    with pytest.raises(ValueError, match=r"the schedule ends at (1e\+06|1,000,000)"):
        LiquidationSteps(instrument=capped, largest=1.1e6)


def test_who_pays_and_who_keeps_a_rest_are_rules_of_the_venue():
    winners = LiquidationSteps(venue=replace(venues.TEACHING_STEPS, shortfall_to="counterparties"))
    loss = winners.read(size=3e6, closing="whole", gap=12.0, fund=3e6)["loss"]
    forgone = 304_444.4444 / 3e6
    assert list(loss.values()) == pytest.approx([0.1, 0.0, forgone])
    trader = LiquidationSteps(venue=replace(venues.TEACHING_STEPS, surplus_to="trader")).reading
    assert trader["loss"]["trader"] == pytest.approx(0.1 - 22_222.2222 / 3e6)
    assert "The trader loses 277,778 USDT; nothing is missing." in trader["sentence"]


def test_impact_costs_fund_and_winners_more_as_its_limits_say(teaching):
    for size, gap, fund in product((5e5, 3e6, 3e7), (0.0, 2.0, 12.0), (0.0, 2e5)):
        account = teaching.book(size, "whole")
        line = account[teaching.perp].liquidation().below.price
        there, both = account.mark(BTC=line * (1 - gap / 100)), []
        for impact in (0.0, 0.002, 0.01, 0.05):
            after = there.liquidate(impact=impact, fund=fund)
            loss = teaching.losses(account, after, size)
            both.append(loss["insurance fund"] + loss["counterparties"])
        assert all(a < b for a, b in pairwise(both))
