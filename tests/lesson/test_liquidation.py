"""The explorer of lesson 04: its line, its steps down and who pays, against plain arithmetic."""

import random
import re
from marginlab import replace
from itertools import combinations, pairwise, product

import numpy as np
import pytest

from marginlab import Perpetual, Tiers, venues
from marginlab.lesson import figures
from marginlab.lesson.explorers import LiquidationSteps
from tests.lesson.shown import Cells, close, numbers

PARTIES = ("trader", "insurance fund", "counterparties")
CLOSINGS = ("whole", "tier by tier")
STEPS = ((0, 0.005), (1e6, 0.01), (5e6, 0.025), (20e6, 0.05))  # venues.TEACHING_STEPS
OWN = ((0, 0.01, 25), (300, 0.03, 20), (900, 0.06, 8))
KINDS = {
    "teaching": ({}, STEPS),
    "twenty": ({"leverage": 20, "largest": 6e6, "entry": 61_234.5}, STEPS),
    "own": (
        {
            "instrument": Perpetual("ETH-USDC", index="ETH", settle="USDC", face=0.01, tiers=Tiers(OWN)),
            "entry": 2_345.6,
            "leverage": 8,
            "largest": 3_000.0,
        },
        tuple(row[:2] for row in OWN),
    ),
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


def states(explorer, random_=100):
    """Ends and pairs of ends of every control, presets, and random states."""
    first = next(iter(explorer.presets.values()))
    ends = {
        name: control.options if name == "closing" else (control.min, control.max)
        for name, control in explorer.controls.items()
    }
    found = list(explorer.presets.values())
    for start in list(explorer.presets.values())[1:4:2]:
        for one, other in combinations(ends, 2):
            found += [start | {one: a, other: b} for a, b in product(ends[one], ends[other])]
    rng = random.Random(4)
    for _ in range(random_):
        state = {name: rng.choice(CLOSINGS) if name == "closing" else rng.uniform(*ends[name]) for name in first}
        state["gap"] = rng.choice((0.0, rng.uniform(0, 3), state["gap"]))
        found.append(state)
    return found


# ------------------------------------------------- the liquidation, once more


def charge(rows, notional):
    """Maintenance, slice by slice."""
    tops = [floor for floor, _ in rows[1:]] + [np.inf]
    return sum(rate * max(0.0, min(notional, top) - floor) for (floor, rate), top in zip(rows, tops, strict=True))


def line_of(rows, entry, leverage, size):
    """The price at which what is left of the margin is the maintenance: by halving."""
    low, high = 0.0, entry
    for _ in range(70):
        middle = (low + high) / 2
        left = size / leverage - size * (1 - middle / entry)
        low, high = (middle, high) if left <= charge(rows, size * middle / entry) else (low, middle)
    return low


def liquidated(rows, entry, leverage, size, closing, gap, fund):
    """(line, price, contracts closed one after another, share kept, {party: lost / size}) by plain arithmetic."""
    line = line_of(rows, entry, leverage, size)
    price = line * (1 - gap / 100)
    left = size / leverage - size * (1 - price / entry)  # what is sold at the mark changes nothing in it
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
    return line, price, sold, worth / (size * price / entry), {party: amount / size for party, amount in lost.items()}


def expected(explorer, kind, size, **state):
    return liquidated(KINDS[kind][1], explorer.entry, explorer.leverage, size, **state)


# --------------------------------------------------------------- the checks


def check_reading(explorer, kind, reading, state):
    line, price, sold, kept, lost = expected(explorer, kind, **state)
    assert reading["line"] == pytest.approx(line, rel=1e-9)
    assert reading["bankruptcy"] == pytest.approx(explorer.entry * (1 - 1 / explorer.leverage), rel=1e-9)
    assert reading["price"] == pytest.approx(price, rel=1e-9)
    assert reading["loss"] == pytest.approx(lost, rel=1e-7, abs=1e-9)
    assert sum(reading["loss"].values()) == pytest.approx(1 - price / explorer.entry, abs=1e-9), "what the market took"
    assert all(np.isfinite(value) for value in reading["loss"].values())
    assert reading["loss"]["trader"] <= 1 / explorer.leverage + 1e-9 and reading["loss"]["counterparties"] >= 0
    assert reading["whole"] * explorer.perp.face * explorer.entry == pytest.approx(state["size"])
    assert reading["kept"] / reading["whole"] == pytest.approx(kept, abs=1e-9)
    parts = [-event.quantity * explorer.perp.face for event in reading["events"] if event.quantity]
    if reading["events"][-1].kind != "liquidation" or any(e.kind == "closing" for e in reading["events"]):
        assert sum(parts) == pytest.approx(sum(sold)), "what was closed"  # else the last part has no event of its own
    steps = [-e.quantity * explorer.perp.face for e in reading["events"] if e.kind == "partial liquidation"]
    assert steps == pytest.approx(sold if kept else sold[:-1])
    assert all(sum(event.flows.values()) == pytest.approx(0, abs=1e-6) for event in reading["events"])
    assert (reading["events"][-1].kind == "liquidation") == (kept == 0)
    check_sentence(explorer, reading, kept, lost, state)
    check_table(explorer, explorer.words(reading), lost, state["size"])


def check_sentence(explorer, reading, kept, lost, state):
    said, size = reading["sentence"], state["size"]
    assert not re.search(r"\.\d*9999\d|\.\d*00000\d|\bnan\b|\binf\b|None|-\d|\.\.", said) and said.endswith(".")
    start, _, rest = said.partition("%")
    found = numbers(start.replace(f"{explorer.leverage:g}x", f"{explorer.leverage:g} x"))
    for one, value, most in zip(
        found, (size, explorer.leverage, reading["line"], 100 * (1 - reading["line"] / explorer.entry)),
        (0.5, 1e-4, max(0.5, 1e-5 * explorer.entry), 0.0501), strict=True,
    ):  # fmt: skip
        assert abs(one - value) <= most, said
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
    elif fund + winners > 1e-9 * size:
        values = [fund + winners, *(part for part in (fund, winners) if part > 1e-9 * (fund + winners))]
        assert all(abs(one - value) <= 0.51 for one, value in zip(shown, values, strict=True)), (said, values)
        assert ("the fund pays" in rest, "winners on the other side forgo" in rest) == (fund > 0, winners > 0)
        assert " are missing beyond the margin" in rest
    else:
        assert "nothing is missing" in rest and not shown


def check_table(explorer, html, lost, size):
    cells = Cells(html)
    head, *rows = cells.rows
    assert explorer.perp.settle in head[1] and [len(row) for row in rows] == [3] * 3
    assert rows[0][0] == "trader" and rows[1][0] == "insurance fund" and rows[2][0].startswith("winners")
    assert cells.marked == []
    for (_, amount, share), value in zip(rows, lost.values(), strict=True):
        assert abs(float(amount.replace(",", "")) - value * size) <= 0.5 + 1e-6 * size
        assert abs(float(share.removesuffix(" %")) - 100 * value) <= 0.00501
        assert amount != "-0"


def check_drawn(explorer, kind, reading, state, every):
    drawn, (left, right) = explorer.layers.drawn, explorer.layers.axes
    ((x,), (y,)) = drawn["size"].get_data()
    assert drawn["size"].axes is left and y == pytest.approx(100 * (1 - reading["line"] / explorer.entry))
    assert x == pytest.approx(state["size"] / (1e6 if explorer.largest >= 1e6 else 1))
    inside(left, [x], [y])
    for party in PARTIES:
        gaps, losses = drawn[party].get_data()
        assert drawn[party].axes is drawn[f"{party} now"].axes is right
        ((now,), (value,)) = drawn[f"{party} now"].get_data()
        assert now == state["gap"] and value == pytest.approx(100 * reading["loss"][party])
        assert gaps[0] == 0 and gaps[-1] == 20 and (np.diff(gaps) > 0).all() and now in gaps
        assert value == pytest.approx(losses[list(gaps).index(now)], abs=1e-9)
        inside(right, gaps, losses)
        for gap, loss in list(zip(gaps, losses, strict=True))[::every]:
            want = expected(explorer, kind, **state | {"gap": gap})[-1]
            assert loss == pytest.approx(100 * want[party], rel=1e-6, abs=1e-7), (party, gap)


def inside(axes, x, y):
    for values, (low, high) in ((x, axes.get_xlim()), (y, axes.get_ylim())):
        assert low <= np.min(values) and np.max(values) <= high, "off the axes"


def test_every_state_reads_and_draws_as_the_arithmetic_says(explorer, kind):
    swept, seen = states(explorer), set()
    limits = [(axes.get_xlim(), axes.get_ylim()) for axes in explorer.layers.axes]
    for i, state in enumerate(swept):
        reading = explorer.read(**state)
        try:
            check_reading(explorer, kind, reading, state)
            if i % 3 == 0:
                assert explorer.draw(explorer.layers, reading) == "fixed"
                check_drawn(explorer, kind, reading, state, 1 if i % 21 == 0 else 13)
        except AssertionError as error:
            raise AssertionError(f"at {state}: {error}") from error
        fund, winners = reading["loss"]["insurance fund"], reading["loss"]["counterparties"]
        seen.add((bool(reading["kept"]), np.sign(round(fund, 9)), bool(winners), len(reading["events"]) > 2))
    assert [(axes.get_xlim(), axes.get_ylim()) for axes in explorer.layers.axes] == limits
    assert len(swept) > 140 and len(seen) >= 5, seen


def test_every_control_to_both_ends_by_the_widgets(explorer, kind):
    still = explorer.still.value
    for name in explorer.presets:
        for control, key in ((c, k) for k, c in explorer.controls.items()):
            explorer.preset(name)
            for value in control.options if key == "closing" else (control.max, control.min):
                control.value = value
                assert explorer.error is None, (name, key, value)
                check_reading(explorer, kind, explorer.reading, explorer.state())
                assert explorer.view.value.count('role="img"') == 1 and explorer.still.value == still
                assert f'aria-label="{explorer.reading["sentence"]}"' in explorer.view.value
                assert Cells(explorer.view.value).sentence == explorer.reading["sentence"]


def test_the_line_is_always_reached(teaching):
    """Whatever the size, at its line it is liquidated: no rounding leaves it open, no part of a part lives on."""
    rng = random.Random(1)
    for size in [1e6, 5e6, 20e6, *(rng.uniform(1e5, 3e7) for _ in range(150))]:
        for closing in CLOSINGS:
            reading = teaching.read(size=size, closing=closing, gap=0.0, fund=0.0)
            assert reading["events"] and reading["kept"] < reading["whole"], size


def test_a_gap_to_bankruptcy_itself_leaves_nothing_and_costs_nobody(teaching):
    """At 0.5 % a tenth of a long of one tier is gone at 45,000: its line is 45,000 / 0.995."""
    for size, closing, fund in product((5e5, 1e6), CLOSINGS, (0.0, 1e5)):
        reading = teaching.read(size=size, closing=closing, gap=0.5, fund=fund)
        assert reading["price"] == pytest.approx(45_000) and reading["loss"]["trader"] == pytest.approx(0.1)
        assert abs(reading["loss"]["insurance fund"]) + reading["loss"]["counterparties"] < 1e-12
        assert "nothing is missing" in reading["sentence"], reading["sentence"]


# ---------------------------------------------------------------- what must not happen


def test_more_gap_costs_fund_and_winners_more(explorer):
    gaps = np.arange(0, 20.01, 0.25)
    for closing, share in product(CLOSINGS, (0.02, 0.1, 0.4, 1.0)):
        for fund in (0.0, explorer.largest / 200):
            state = {"size": share * explorer.largest, "closing": closing, "fund": fund}
            read = [explorer.read(gap=gap, **state) for gap in gaps]
            ended = [reading for reading in read if not reading["kept"]]
            assert len(ended) == len(gaps) or closing == "tier by tier"
            assert ended == read[-len(ended) :], "closed by a gap, open after a wider one"
            both = [reading["loss"]["insurance fund"] + reading["loss"]["counterparties"] for reading in ended]
            assert all(a <= b + 1e-12 for a, b in pairwise(both)) and both[0] < both[-1]
            winners = [reading["loss"]["counterparties"] for reading in read]
            assert all(a <= b + 1e-12 for a, b in pairwise(winners))
            trader = [reading["loss"]["trader"] for reading in read]
            assert all(a <= b + 1e-12 for a, b in pairwise(trader))


def test_more_fund_never_makes_winners_pay_more(explorer):
    for gap, share, closing in product((2.0, 8.0, 20.0), (0.05, 0.5, 1.0), CLOSINGS):
        funds = np.linspace(0, explorer.largest / 10, 12)
        read = [explorer.read(size=share * explorer.largest, closing=closing, gap=gap, fund=fund) for fund in funds]
        winners = [reading["loss"]["counterparties"] for reading in read]
        assert all(a >= b - 1e-12 for a, b in pairwise(winners))
        assert len({round(sum(reading["loss"].values()), 9) for reading in read}) == 1
        for fund, reading in zip(funds, read, strict=True):
            assert reading["loss"]["insurance fund"] * reading["size"] <= fund * (1 + 1e-9) + 1e-6


def test_a_larger_size_never_moves_the_line_further_away(explorer, kind):
    sizes = np.linspace(explorer.largest / 60, explorer.largest, 60)
    lines = [explorer.read(size=s, closing="whole", gap=0.0, fund=0.0)["line"] for s in sizes]
    assert all(a <= b + 1e-9 * a for a, b in pairwise(lines)) and lines[0] < lines[-1]
    curve = explorer.layers.axes[0].lines[1]  # after the axis at 0
    for size, fall in zip(*curve.get_data(), strict=True):
        size *= 1e6 if explorer.largest >= 1e6 else 1
        line = line_of(KINDS[kind][1], explorer.entry, explorer.leverage, size)
        assert fall == pytest.approx(100 * (1 - line / explorer.entry), rel=1e-7)


def test_the_trader_never_loses_more_by_steps_than_by_all_at_once(explorer):
    for share, gap in product((0.05, 0.2, 0.7, 1.0), (0.0, 0.5, 2.0, 10.0)):
        whole, steps = (
            explorer.read(size=share * explorer.largest, closing=closing, gap=gap, fund=0.0)["loss"]
            for closing in CLOSINGS
        )
        assert steps["trader"] <= whole["trader"] + 1e-12
        assert steps["counterparties"] == pytest.approx(whole["counterparties"])


# -------------------------------------------------------- what it says of itself


def test_controls_and_presets():
    explorer = LiquidationSteps()
    assert list(explorer.controls) == ["size", "closing", "gap", "fund"]
    reach = {name: (c.min, c.max, c.step) for name, c in explorer.controls.items() if name != "closing"}
    assert reach == {"size": (5e5, 3e7, 5e5), "gap": (0, 20, 0.25), "fund": (0, 3e6, 5e4)}
    assert tuple(explorer.controls["closing"].options) == CLOSINGS
    assert explorer.state() == {"size": 3e6, "closing": "whole", "gap": 0.0, "fund": 2e5}
    for name, state in explorer.presets.items():
        reading = explorer.read(**state)
        missing = reading["loss"]["counterparties"] > 0
        assert ("gap" in name) == (state["gap"] > 0) == missing, name
        assert ("no fund" in name) == (state["fund"] == 0), name
        assert "at the line" not in name or state["gap"] == 0
        for closing in CLOSINGS:
            assert closing not in name or state["closing"] == closing
        assert ("ten times" in name) == (state["size"] == 3e7)
    pays = explorer.read(**explorer.presets["a gap through bankruptcy"])["loss"]
    assert pays["insurance fund"] > 0 and pays["counterparties"] > 0


def test_the_lessons_own_figures():
    """3 million at 10x, maintenance 1 % - 5,000: 300,000 - 3,000,000 f = 0.01 (3,000,000 (1 - f)) - 5,000."""
    explorer = LiquidationSteps()
    reading = explorer.reading
    fall = (300_000 + 5_000 - 30_000) / (3_000_000 * 0.99)
    assert reading["line"] == pytest.approx(50_000 * (1 - fall)) and reading["bankruptcy"] == pytest.approx(45_000)
    assert reading["sentence"] == (
        "3,000,000 USDT at 10x reach their line at 45,370, after a fall of 9.3 %. All of it is closed. "
        "The trader loses 300,000 USDT; the fund gets the 22,222 that are left."
    )
    explorer.preset("a gap through bankruptcy")  # 12 % further down 2,395,556 are left of 2,700,000 that were owed
    assert (
        "304,444 are missing beyond the margin: the fund pays 200,000, winners on the other side forgo 104,444."
        in (explorer.reading["sentence"])
    )
    explorer.preset("at the line, tier by tier")  # a floor of 1,000,000 is kept of 2,722,222
    assert explorer.reading["kept"] / explorer.reading["whole"] == pytest.approx(1e6 / (3e6 * (1 - fall)))
    assert "63 % of the position is closed, and the rest lives on." in explorer.reading["sentence"]


def test_the_reading_has_the_keys_that_the_docstring_names(teaching):
    said = LiquidationSteps.__doc__.partition("`reading` holds")[2]
    keys = re.findall(r'"(\w+)"', said)
    assert {"line", "price", "events", "loss", "kept", "sentence"} <= set(keys) <= set(teaching.reading)
    assert set(teaching.reading["loss"]) == set(PARTIES)


def test_panels():
    explorer = LiquidationSteps()
    left, right = explorer.layers.axes
    assert "USDT" in left.get_xlabel() and "million" in left.get_xlabel()
    assert "gap" in right.get_xlabel() and "loss" in right.get_ylabel() and "fall" in left.get_ylabel()
    grey = [line for line in left.lines if line.get_color() == figures.STYLES["entry"]["color"]]
    assert [line.get_xdata()[0] for line in grey] == [1, 5, 20], "a rule at each tier's floor"
    violet = [line for line in left.lines if line.get_color() == figures.STYLES["bankruptcy"]["color"]]
    assert [list(line.get_ydata()) for line in violet] == [[10, 10]]
    words = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in (left, right)]
    assert words == [["liquidation", "bankruptcy", "tier floor"], ["trader", "fund", "winners"]]
    for party, style in zip(PARTIES, ("trader", "fund", "counterparties"), strict=True):
        assert explorer.layers.drawn[party].get_color() == figures.STYLES[style]["color"]
    for axes, (low, high) in ((left, (0, 30)), (right, (0, 20))):
        assert axes.get_xlim() == (low, high)
    assert left.get_ylim()[1] > 10 and left.get_ylim()[0] == 0, "the line of bankruptcy is inside"
    few = LiquidationSteps(largest=1e6)
    assert few.scale()[0] == 1e6 and LiquidationSteps(largest=999_999).layers.axes[0].get_xlabel() == "size (USDT)"
    rules = [line for line in few.layers.axes[0].lines if line.get_color() == figures.STYLES["entry"]["color"]]
    assert rules == [], "a floor at the largest size is none"


# ------------------------------------------------------------- other arguments


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"entry": 0}, "entry"), ({"entry": "soon"}, "entry"), ({"entry": float("inf")}, "entry"),
        ({"leverage": 0}, "leverage"), ({"leverage": None}, "leverage"), ({"leverage": 11}, "leverage"),
        ({"largest": 0}, "largest"), ({"largest": "x"}, "largest"), ({"largest": float("nan")}, "largest"),
        ({"venue": 3}, "venue"), ({"venue": None}, "venue"), ({"instrument": "BTC"}, "instrument"),
        ({"instrument": Perpetual("BTC-USD", index="BTC", settle="BTC")}, "linear"),
        ({"venue": venues.BINANCE_2026_09, "instrument": Perpetual("X-USDT", index="X", settle="USDT")}, "X-USDT"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(wrong, named):
    with pytest.raises((TypeError, ValueError), match=named):
        LiquidationSteps(**wrong)


def test_a_size_beyond_the_schedule_is_refused_in_words():
    capped = Perpetual("BTC-USDT", index="BTC", settle="USDT", tiers=Tiers(((0, 0.005, 100),), cap=1e6))
    assert LiquidationSteps(instrument=capped, largest=1e6).error is None
    with pytest.raises(ValueError, match=r"(size|largest|notional|schedule|quantity).*1e\+06|1,000,000"):
        LiquidationSteps(instrument=capped, largest=1.1e6)


def test_whoever_pays_is_a_rule_of_the_venue():
    winners = LiquidationSteps(venue=replace(venues.TEACHING_STEPS, shortfall_to="counterparties"))
    loss = winners.read(size=3e6, closing="whole", gap=12.0, fund=3e6)["loss"]
    assert loss == pytest.approx({"trader": 0.1, "insurance fund": 0.0, "counterparties": 304_444.4444 / 3e6})


def test_a_share_that_is_next_to_nothing_is_no_negative_zero(teaching):
    reading = teaching.read(size=9_635_459.0, closing="whole", gap=1.5893, fund=0.0)
    assert -300 < reading["loss"]["insurance fund"] * reading["size"] < -200
    assert "-0.00 %" not in teaching.words(reading)


LEVERAGE_1 = 'at leverage 1 or less there is no line: the explorer opens on "unsupported operand type(s) for *"'


@pytest.mark.parametrize("leverage", [1, 0.5])
def test_a_long_that_is_paid_in_full_is_refused_by_name(leverage):
    with pytest.raises(ValueError, match="leverage"):
        LiquidationSteps(leverage=leverage)


def test_a_surplus_that_is_returned_is_not_said_to_be_nothing():
    kind = LiquidationSteps(venue=replace(venues.TEACHING_STEPS, surplus_to="trader"))
    assert kind.reading["loss"]["trader"] == pytest.approx(0.1 - 22_222.2222 / 3e6)
    assert "The trader loses 277,778 USDT; nothing is missing." in kind.reading["sentence"]


@pytest.mark.parametrize("leverage", [2, 3, 4])
def test_the_traders_loss_is_inside_whatever_the_leverage(leverage):
    explorer = LiquidationSteps(leverage=leverage)
    explorer.set(gap=20.0)
    inside(explorer.layers.axes[1], *explorer.layers.drawn["trader"].get_data())


# ------------------------------------------------------------------ its limits


def test_limits_say_what_is_left_out(teaching):
    assert teaching.limits.startswith("Left out:")
    for word in ("fee", "funding", "impact"):
        assert word in teaching.limits


def with_impact(explorer, impact, size, closing, gap, fund):
    account = explorer.book(size, closing)
    line = account[explorer.perp].liquidation().below.price
    after = account.mark(**{explorer.perp.index: line * (1 - gap / 100)}).liquidate(impact=impact, fund=fund)
    return explorer.losses(account, after, size)


def test_impact_costs_fund_and_winners_more_where_all_is_closed_at_once(teaching):
    for size, gap, fund in product((5e5, 3e6, 3e7), (0.0, 2.0, 12.0), (0.0, 2e5)):
        base = [with_impact(teaching, i, size, "whole", gap, fund) for i in (0.0, 0.002, 0.01, 0.05)]
        both = [loss["insurance fund"] + loss["counterparties"] for loss in base]
        assert all(a < b for a, b in pairwise(both))
        assert base[0] == pytest.approx(
            teaching.read(size=size, closing="whole", gap=gap, fund=fund)["loss"], rel=1e-9, abs=1e-12
        )


def test_a_fall_in_small_steps_costs_no_more_than_a_gap(teaching):
    """The price passes slowly: what is missing beyond the margin is no more."""
    for size, closing in product((5e5, 3e6, 3e7), CLOSINGS):
        account = teaching.book(size, closing)
        line = account[teaching.perp].liquidation().below.price
        after = account
        for gap in np.arange(0, 12.01, 0.05):
            after = after.mark(BTC=line * (1 - gap / 100)).liquidate(fund=0.0)
        slow, jump = (
            sum(e.shortfall for e in after.events),
            teaching.losses(account, teaching.after(account, line, 12.0, 0.0), size),
        )
        assert slow == pytest.approx(0, abs=1e-6 * size) and jump["counterparties"] > 0
