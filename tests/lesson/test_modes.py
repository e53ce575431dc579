"""The explorer of lesson 08: every cell worked out once more, from books of their real size at real prices."""

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from html import escape
from itertools import combinations, pairwise, product
from math import erf, exp, log, sqrt

import numpy as np
import pytest

from marginlab import Perpetual, Position, Tiers, venues
from marginlab.lesson import figures
from marginlab.lesson.explorers import ModeSurface
from marginlab.market.fat_tails import Jumps
from marginlab.market.paths import Brownian
from marginlab.market.survival import ROUNDING, survival
from tests.lesson.shown import Cells, numbers, view

MODES = ("isolated", "cross")
MARGINS, LEVERAGES = (100, 80, 60, 40, 20, 10), (2, 3, 5, 10, 20, 50)
GRID = list(product(range(6), range(6)))
# The sides of each book and its paths.
BOOKS = {
    "one": ((1,), 0.0), "hedge": ((1, -1), 0.8), "alike": ((1, 1), 0.8), "apart": ((1, 1), 0.0),
    "jumps": ((1, 1), "jumps"),
}  # fmt: skip
WORDS = {
    "one": "One long", "hedge": "A long and a short that move together", "alike": "Two longs that move together",
    "apart": "Two longs that do not move together", "jumps": "Two longs that do not move together, with jumps",
}  # fmt: skip
SHOWN = {"liquidated": "liquidated", "worst 5 %": "worst"}
PRICES = {"BTC": 50_000.0, "ETH": 2_500.0, "SOL": 140.0}
# Arguments, and (coins, currency, maintenance rate, volatility, capital, seed).
OWN = Perpetual("ETH-USDC", "ETH", "USDC", face=0.01, tiers=Tiers.flat(0.0065))
KINDS = {
    "teaching": ({}, (("BTC", "ETH"), "USDT", 0.004, 0.6, 10_000.0, 8)),
    "own": (
        {"instrument": OWN, "volatility": 0.35, "capital": 1_234.5, "seed": 3},
        (("ETH", "SOL"), "USDC", 0.0065, 0.35, 1_234.5, 3),
    ),
}


@pytest.fixture(scope="module")
def made():
    """An explorer of each kind, made once: it takes a second."""
    return {kind: ModeSurface(**arguments) for kind, (arguments, _) in KINDS.items()}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def explorer(made, kind):
    return made[kind]


@pytest.fixture
def teaching(made):
    one = made["teaching"]
    one.preset(next(iter(one.presets)))
    return one


def values(control):
    """The ends of a slider and what it starts from, and a step between; all options of buttons."""
    if hasattr(control, "options"):
        return list(control.options.values())
    return [control.min, control.min + control.step, (control.min + control.max) / 2, control.max]


def surfaces(explorer, day=30, shown="liquidated", books=BOOKS):
    for book in books:
        yield book, {mode: explorer.surface(book, mode, day, shown) for mode in MODES}


def cell(explorer, *where):
    """Both figures of (book, mode, day, margin, leverage)."""
    return {name: explorer.figure(shown, *where) for shown, name in SHOWN.items()}


def rising(rows, axis):
    return (np.diff(rows, axis=axis) >= -1e-9).all()


# ------------------------------------------------------- the cells, once more


@cache
def walks(kind, book):
    """The paths of a book at real prices, and of each coin the price at the end of each day, (30, paths)."""
    coins, _, _, volatility, _, seed = KINDS[kind][1]
    sides, way = BOOKS[book]
    start, rng = {coin: PRICES[coin] for coin in coins[: len(sides)]}, np.random.default_rng(seed)
    if way == "jumps":  # one a year, of the same variance as what moves between them
        half = volatility / sqrt(2)
        paths = Jumps(start, 720, 4_000, volatility=half, jumps=1, size_spread=half, rng=rng)
    else:
        paths = Brownian(start, 720, 4_000, volatility=volatility, correlation=way, rng=rng)
    return paths, {coin: np.array([row[24 * day] for day in range(1, 31)]) for coin, row in paths.prices().items()}


def by_hand(kind, book, size):
    """What `survival` says of a book of a size in quote currency, and {pool: its PnL at the end of each day}."""
    coins, cash, rate = KINDS[kind][1][:3]
    paths, prices = walks(kind, book)
    sides, held, profit = BOOKS[book][0], [], {}
    for coin, side in zip(coins, sides, strict=False):
        contract, quantity = Perpetual(f"{coin}-{cash}", coin, cash, tiers=Tiers.flat(rate)), size / len(sides)
        held.append(Position(contract, side * quantity / PRICES[coin], PRICES[coin]))
        profit[held[-1].label] = side * quantity * (prices[coin] / PRICES[coin] - 1)
    found = survival(venues.TEACHING, held, paths, horizons=30)
    return found, profit | {found.shared: sum(profit.values())}


def splits(found, margin):
    """The shares of the capital in each pool, in both modes."""
    apart = {name: margin * share for name, share in found.isolated.items()}
    return {"isolated": apart, "cross": {found.shared: 1.0}}


def losses(found, profit, capital, split, day):
    """What each pool has lost by the end of a day: its margin, or its open loss. And whether it is liquidated."""
    at = found.horizons.index(24 * day)
    gone = np.array([-found.trough[name][at] >= share * capital for name, share in split.items()])
    margins = np.array([[share * capital] for share in split.values()])
    return gone, np.where(gone, margins, -np.array([profit[name][day - 1] for name in split]))


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("margin, leverage", [(40, 10), (100, 5), (10, 50), (73, 3.7), (20, 2)])
def test_cells_are_those_of_books_of_real_size_at_real_prices(explorer, kind, book, margin, leverage):
    capital = KINDS[kind][1][4]
    found, profit = by_hand(kind, book, capital * margin / 100 * leverage)
    both = splits(found, margin / 100)
    assert sum(both["isolated"].values()) == pytest.approx(margin / 100)
    assert len(both["isolated"]) == len(BOOKS[book][0])
    for mode, split in both.items():
        for day in (1, 2, 17, 29, 30):
            reading = explorer.read(margin, leverage, day, book, "liquidated")[mode]
            assert 1 - found.survived(capital, split, 24 * day) == pytest.approx(reading["liquidated"], abs=1e-12)
            lost = sorted(losses(found, profit, capital, split, day)[1].sum(axis=0))
            assert np.mean(lost[-200:]) / capital == pytest.approx(reading["worst"], abs=1e-12)
        # the last day once more, as the lesson asks for it
        worth = capital - found.worth(capital, split)
        assert np.mean(sorted(worth)[-200:]) / capital == pytest.approx(reading["worst"], abs=1e-12)
        row = found.summary(capital, {"": split}).loc[""]
        assert row["worst"] / capital == pytest.approx(reading["worst"], abs=1e-12)
        assert row["liquidated"] == pytest.approx(reading["liquidated"], abs=1e-12)
        assert row["at risk"] == pytest.approx(reading["at risk"])


@pytest.mark.parametrize("book", BOOKS)
def test_every_path_of_a_cell(explorer, kind, book):
    """Not shares alone: path by path, pool by pool, whether it is liquidated and what it has lost."""
    capital, alive = KINDS[kind][1][4], 0
    for margin, leverage in ((0.5, 10.0), (1.0, 3.0)):
        found, profit = by_hand(kind, book, capital * margin * leverage)
        for (mode, split), day in product(splits(found, margin).items(), (1, 10, 30)):
            gone, lost = losses(found, profit, capital, split, day)
            have, took = explorer.ended(book, mode, day, margin, leverage)
            assert have.shape == took.shape == (len(split), 4_000) and have.dtype == bool
            assert (have == gone).all(), (mode, day)
            np.testing.assert_allclose(took, lost / capital, atol=1e-12)
            alive += np.mean(~gone)
            if day == 30:
                whole = 1 - found.worth(capital, split) / capital
                np.testing.assert_allclose(took.sum(axis=0), whole, atol=1e-12)
    assert 1 < alive < 12, "pools of both kinds"


def normal(x):
    return (1 + erf(x / sqrt(2))) / 2


def touched(fall, volatility, years, hours=1.0):
    """Chance that a price without drift falls by so much: reflection, with the shift for looks at every hour by
    Broadie, Glasserman and Kou (1997)."""
    spread, trend = volatility * sqrt(years), -(volatility**2) / 2 * years
    line = log(1 - fall) - 0.5826 * volatility * sqrt(hours / 8_760)
    return normal((line - trend) / spread) + exp(-line) * normal((line + trend) / spread)


def test_one_long_is_touched_as_often_as_the_formula_says(explorer, kind):
    """1 / leverage - fall = rate (1 - fall): the fall at which one long is at its line."""
    rate, volatility = KINDS[kind][1][2:4]
    for leverage, day in product((3, 5, 10), (1, 10, 30)):
        fall = (1 / leverage - rate) / (1 - rate)
        want = touched(fall, volatility, day / 365)
        share = cell(explorer, "one", "isolated", day, 0.4, leverage)["liquidated"]
        assert abs(share - want) <= 3 * sqrt(want * (1 - want) / 4_000) + 0.003, (leverage, day)


# ------------------------------------------------------------------ invariants


@pytest.mark.parametrize("day", [1, 7, 30])
def test_what_each_figure_depends_on(explorer, day):
    """Isolated: on leverage alone, what is lost as a share of the margin. In cross: on the size alone."""
    for shown in SHOWN:
        for book, both in surfaces(explorer, day, shown):
            parts = both["isolated"] if shown == "liquidated" else both["isolated"] / np.c_[list(MARGINS)]
            np.testing.assert_allclose(parts, parts[[0] * 6], rtol=1e-9)
            sizes = {}
            for i, j in GRID:
                sizes.setdefault(MARGINS[i] * LEVERAGES[j], []).append(both["cross"][i, j])
            assert len(sizes) < 36, (book, shown)
            for seen in sizes.values():
                assert seen == pytest.approx(seen[:1] * len(seen), rel=1e-9), (book, shown)
    for book, leverage in product(BOOKS, (2.5, 7.7, 33.0)):
        apart = [cell(explorer, book, "isolated", day, m, leverage) for m in (0.1, 0.35, 0.999)]
        assert len({one["liquidated"] for one in apart}) == 1
        parts = [one["worst"] / m for one, m in zip(apart, (0.1, 0.35, 0.999), strict=True)]
        assert parts == pytest.approx(parts[:1] * 3, rel=1e-9)
        shared = [cell(explorer, book, "cross", day, 2.0**-n, leverage * 2**n) for n in range(4)]
        assert shared == shared[:1] * 4


def test_a_long_on_all_of_the_capital_is_the_same_in_both(explorer):
    for day, leverage in product((1, 12, 30), (2, 5, 7.7, 50)):
        one, other = (cell(explorer, "one", mode, day, 1.0, leverage) for mode in MODES)
        assert one == other
    for shown in SHOWN:
        for _, both in surfaces(explorer, shown=shown, books=["one"]):
            assert (both["isolated"][0] == both["cross"][0]).all() and (both["isolated"] != both["cross"]).any()


def test_cross_is_never_liquidated_where_isolated_is_not(explorer):
    """And where no pool is liquidated, the book has lost the same in both."""
    for book, day in product(BOOKS, (1, 7, 30)):
        pools = len(BOOKS[book][0])
        for margin, leverage in product(MARGINS, LEVERAGES):
            where = (book, day, margin, leverage)
            (gone, lost), (shared, took) = (explorer.ended(book, mode, day, margin / 100, leverage) for mode in MODES)
            assert gone.shape == lost.shape == (pools, 4_000) and shared.shape == took.shape == (1, 4_000)
            none = ~gone.any(axis=0)
            assert not shared[0, none].any(), where
            np.testing.assert_allclose(lost[:, none].sum(axis=0), took[0, none], rtol=1e-9, atol=1e-12)
            backing = margin / 100 / pools
            np.testing.assert_allclose(lost[gone], backing, rtol=1e-12)  # whole
            assert (took[shared] == 1).all()
            assert (lost[~gone] < backing).all() and (took[~shared] < 1).all(), "equity is left in what lives"
        both = dict(surfaces(explorer, day, books=[book]))[book]
        assert (both["cross"] <= both["isolated"]).all()
        if pools > 1:
            assert (both["cross"][0] < both["isolated"][0]).any(), (book, "all of the capital in one pool helps")


def test_more_leverage_margin_and_time_never_make_liquidations_fewer(explorer):
    days = [dict(surfaces(explorer, day)) for day in (1, 2, 5, 12, 30)]
    for book in BOOKS:
        for both, mode in product(days, MODES):
            rows = both[book][mode]
            assert rows.shape == (6, 6) and np.isfinite(rows).all() and rows.min() >= 0 and rows.max() <= 100
            assert rising(rows, 1) and rising(rows[::-1], 0), (book, mode)
        for one, other in pairwise(days):
            assert all((one[book][mode] <= other[book][mode] + 1e-9).all() for mode in MODES)
        assert (days[0][book]["cross"] < days[-1][book]["cross"]).any()


@pytest.mark.parametrize("day", [1, 2, 5, 12, 30])
def test_the_worst_paths_lose_something_and_at_most_what_is_in_pools(explorer, day):
    """What the worst 5 % lose grows with the size as long as each of them loses: k times as much, or all. Apart, only
    with one pool: another that gains goes on to gain where the first can lose no more. Open losses can come back, so
    it need not grow in time."""
    for book, both in surfaces(explorer, day, "worst 5 %"):
        for mode in MODES:
            rows = both[mode]
            assert rows.shape == (6, 6) and np.isfinite(rows).all() and rows.min() > 0
            assert (rows <= (np.c_[list(MARGINS)] if mode == "isolated" else 100) + 1e-9).all()
            assert rising(rows[::-1], 0), (book, mode, "margin")
            if mode == "cross" or book == "one":
                assert rising(rows, 1), (book, mode, "leverage")
        for margin, leverage in product(MARGINS, LEVERAGES):
            lost = explorer.ended(book, "cross", day, margin / 100, leverage)[1][0]
            assert np.sort(lost)[-200] > 0, (book, margin, leverage)


def test_open_losses_count_where_nothing_is_liquidated(explorer, kind):
    """A book of a fifth of the capital, a day: the mean of the worst 5 % of a normal is 2.06 times its spread."""
    volatility = KINDS[kind][1][3]
    spreads = {"one": 1.0, "hedge": sqrt(0.4) / 2, "alike": sqrt(3.6) / 2, "apart": sqrt(2) / 2}
    for (book, spread), mode in product(spreads.items(), MODES):
        seen = cell(explorer, book, mode, 1, 0.1, 2)
        assert seen["liquidated"] == 0
        assert seen["worst"] == pytest.approx(0.2 * 2.0627 * spread * volatility / sqrt(365), rel=0.07), (book, mode)


def test_on_all_of_the_capital_isolated_risks_as_much_as_cross(explorer, kind):
    capital = KINDS[kind][1][4]
    for book, margin in product(BOOKS, MARGINS):
        reading = explorer.read(margin, 10, 30, book, "liquidated")
        apart, shared = (reading[mode] for mode in MODES)
        assert apart["at risk"] == pytest.approx(capital * margin / 100) and shared["at risk"] == capital
        assert apart["worst"] <= margin / 100 + 1e-12 and shared["worst"] <= 1
        assert set(apart) == set(shared) == {"liquidated", "worst", "at risk"}
    for book, leverage in product(BOOKS, LEVERAGES):
        apart, shared = (cell(explorer, book, mode, 30, 1.0, leverage) for mode in MODES)
        if shared["liquidated"] >= 0.05:  # all of the worst 5 %
            assert shared["worst"] == 1.0
        else:
            assert shared["worst"] < 1.0
        whole = explorer.ended(book, "isolated", 30, 1.0, leverage)[0].all(axis=0).mean()
        assert (apart["worst"] == pytest.approx(1.0)) == (whole >= 0.05)


# -------------------------------------------------------- what the reader sees


def money(value):
    return f"{value:,.0f}"


def check_reading(explorer, kind, state):
    """The reading of a state, from the figures of its cell."""
    reading, (_, cash, _, _, capital, _) = explorer.read(**state), KINDS[kind][1]
    day = int(Decimal(state["days"]).to_integral_value(ROUND_HALF_UP))
    margin, leverage, book = state["margin"], state["leverage"], state["book"]
    size, said = capital * margin / 100 * leverage, []
    assert reading["size"] == pytest.approx(size) and set(reading["surface"]) == set(MODES)
    rows = []
    for mode, risked in zip(MODES, (capital * margin / 100, capital), strict=True):
        one = cell(explorer, book, mode, day, margin / 100, leverage)
        assert reading[mode] == one | {"at risk": pytest.approx(risked)}
        want = explorer.surface(book, mode, day, state["shown"])
        assert (reading["surface"][mode] == want).all() and np.isfinite(want).all()
        assert all(0 <= one[name] <= 1 for name in ("liquidated", "worst"))
        gone = f"{100 * one['liquidated']:.1f} %"
        said.append(f"{mode.title()}: a liquidation on {gone} of the paths, {money(risked)} {cash} at risk.")
        rows.append([mode, gone, f"{100 * one['worst']:.0f} %", money(risked)])
    assert reading["sentence"] == (
        f"{WORDS[book]}; {margin:g} % of the capital at {leverage:g}x: a book of {money(size)} {cash} "
        f"for {day} day{'s' * (day != 1)}. {said[0]} {said[1]}"
    )
    assert reading["table"] == (["", "liquidated", "worst 5 %, of the capital", f"at risk ({cash})"], rows)
    return reading


def ticks(axis):
    """What stands at the marks of an axis, also of a panel that leaves its labels to the first."""
    return list(map(str, axis.get_major_formatter().format_ticks(axis.get_majorticklocs())))


def check_drawn(layers, reading, state):
    """Cells by their place: the margin grows upwards, leverage to the right."""
    drawn, cells = layers.drawn, layers.cells
    assert set(drawn) == {f"{mode} now" for mode in MODES}
    for mode, axes in zip(MODES, layers.axes, strict=True):
        rows = reading["surface"][mode]
        shade = np.asarray(cells[mode].get_array())
        assert cells[mode].axes is axes and shade.shape == (6, 6) and (shade == rows[::-1]).all()
        ups, rights = ticks(axes.yaxis), ticks(axes.xaxis)
        for i, j in GRID:
            text = cells[mode, i, j]
            column, row = text.get_position()
            value = rows[MARGINS.index(int(ups[row])), LEVERAGES.index(int(rights[column]))]
            assert text.axes is axes and text.get_text() == f"{value:.0f}"
            assert text.get_ha() == text.get_va() == "center"
        (column,), (row,) = drawn[f"{mode} now"].get_data()
        assert -0.5 < column < 5.5 and -0.5 < row < 5.5
        ends = [np.log(LEVERAGES[k]) for k in (int(column), min(5, int(column) + 1))]
        between = ends[0] + (column % 1) * (ends[1] - ends[0])
        assert np.exp(between) == pytest.approx(state["leverage"])
        low, high = (MARGINS[::-1][k] for k in (int(row), min(5, int(row) + 1)))
        assert low + (row % 1) * (high - low) == pytest.approx(state["margin"])
        assert drawn[f"{mode} now"].axes is axes and drawn[f"{mode} now"].get_markerfacecolor() == "none"
    want = "mean loss in the worst 5 % of paths (% of the capital)"
    want = {"liquidated": "paths with a liquidation (%)", "worst 5 %": want}[state["shown"]]
    assert cells["shown"].get_text() == reading["shown"] == want


def test_pairs_of_controls_read_and_draw_as_the_figures_say(explorer, kind):
    every = {name: values(control) for name, control in explorer.controls.items()}
    assert list(every) == ["margin", "leverage", "book", "shown", "days"]
    start, seen = next(iter(explorer.presets.values())), {}
    for one, other in combinations(every, 2):
        for a, b in product(every[one], every[other]):
            state = start | {one: a, other: b}
            reading = check_reading(explorer, kind, state)
            key = explorer.draw(explorer.layers, reading)
            still = [reading["shown"], *(reading["surface"][mode].tolist() for mode in MODES)]
            assert seen.setdefault(key, still) == still, "what stands still is drawn again if the key is another"
            check_drawn(explorer.layers, reading, state)


def check_still(explorer, reading):
    """The numbers of the cells stand in the lower layer, isolated first, and none in the upper one."""
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", explorer.still.value)
    apart, shared = ([f"{value:.0f}" for value in reading["surface"][mode][::-1].ravel()] for mode in MODES)
    places = [n for n in range(len(texts)) if texts[n : n + 36] == apart]
    assert places and any(texts[n : n + 36] == shared for n in range(places[0] + 36, len(texts)))
    assert texts.count(reading["shown"]) == 1 and "<text" not in explorer.view.value


def test_every_control_by_the_widgets(explorer, kind):
    for name, control in explorer.controls.items():
        explorer.preset(next(iter(explorer.presets)))
        still, start, key = explorer.still.value, explorer.state(), explorer.axes_key
        for value in values(control)[::-1]:
            control.value = value
            assert explorer.error is None, (name, value)
            reading, html = check_reading(explorer, kind, explorer.state()), explorer.view.value
            assert explorer.reading["sentence"] == reading["sentence"] == Cells(html).sentence
            assert html.count('role="img"') == 1 and "aria-hidden" in explorer.still.value
            same = name in ("margin", "leverage") or explorer.state() == start
            assert (explorer.still.value == still) == (explorer.axes_key == key) == same, (
                "cells are drawn if they change"
            )
            check_still(explorer, reading)
            assert f'aria-label="{escape(reading["sentence"])}"' in html
            head, rows = reading["table"]
            assert Cells(html).rows == [head, *rows]
            check_drawn(explorer.layers, reading, explorer.state())


def test_on_a_cell_of_the_grid_the_words_and_the_cell_agree(explorer, kind):
    for book, (i, j) in product(BOOKS, GRID[::5]):
        for shown, name in SHOWN.items():
            state = {"margin": float(MARGINS[i]), "leverage": float(LEVERAGES[j]), "days": 9.0, "book": book}
            reading = explorer.read(**state, shown=shown)
            for n, mode in enumerate(MODES):
                seen = reading["surface"][mode][i, j]
                assert seen == pytest.approx(100 * reading[mode][name], abs=1e-9)
                told = numbers(reading["table"][1][n][1 if shown == "liquidated" else 2])[0]
                assert abs(told - seen) <= (0.0501 if shown == "liquidated" else 0.501)
                if shown == "liquidated":
                    assert f"{mode.title()}: a liquidation on {seen:.1f} % of the paths" in reading["sentence"]


def test_the_lessons_own_figures(teaching):
    """A hedge of 40,000 on 4,000 or on 10,000: the size and what is at risk, by hand."""
    said = teaching.reading["sentence"]
    assert "; 40 % of the capital at 10x: a book of 40,000 USDT for 30 days. Isolated: a liquidation on " in said
    assert ", 4,000 USDT at risk. Cross: " in said and said.endswith(", 10,000 USDT at risk.")
    apart, shared = (teaching.reading[mode]["liquidated"] for mode in MODES)
    assert apart > 0.9 and shared < 0.01
    assert teaching.read(**teaching.presets["all of the capital, 5x, one day"])["sentence"].count("for 1 day. ") == 1


@pytest.mark.parametrize("days, day", [(1.0, 1), (1.5, 2), (2.4999, 2), (2.5, 3), (3.5, 4), (29.5, 30), (30, 30)])
def test_half_a_day_counts_as_a_whole_one(explorer, days, day):
    state = explorer.presets["two coins apart, the worst 5 %"]
    reading, whole = explorer.read(**state | {"days": days}), explorer.read(**state | {"days": day})
    assert f" for {day} day{'s' * (day > 1)}. " in reading["sentence"]
    assert reading["sentence"] == whole["sentence"] and reading["table"] == whole["table"]
    for mode in MODES:
        assert reading[mode] == whole[mode] and (reading["surface"][mode] == whole["surface"][mode]).all()


def test_controls_and_presets(explorer):
    reach = {name: (c.min, c.max, c.step) for name, c in explorer.controls.items() if hasattr(c, "min")}
    assert reach == {"margin": (10, 100, 5), "leverage": (2, 50, 1), "days": (1, 30, 1)}
    assert list(explorer.controls["book"].options) == list(BOOKS)
    assert explorer.controls["book"].tooltips[-1].endswith("half of the variance in one jump a year")
    assert list(explorer.controls["shown"].options) == list(SHOWN)
    assert list(explorer.controls["shown"].tooltips) == [
        "Share of paths with a liquidation", "Of the capital: mean loss in the worst 5 % of paths",
    ]  # fmt: skip
    assert list(explorer.presets) == [
        "a hedge at 10x", "one long at 10x", "two coins apart, the worst 5 %", "all of the capital, 5x, one day",
    ]  # fmt: skip
    usual = {"margin": 40.0, "leverage": 10.0, "days": 30.0, "shown": "liquidated"}
    assert list(explorer.presets.values()) == [
        usual | {"book": "hedge"}, usual | {"book": "one"}, usual | {"book": "apart", "shown": "worst 5 %"},
        {"margin": 100.0, "leverage": 5.0, "days": 1.0, "book": "hedge", "shown": "liquidated"},
    ]  # fmt: skip
    for name in explorer.presets:
        explorer.preset(name)
        assert explorer.error is None and explorer.state() == explorer.presets[name]


def test_panels(explorer):
    for axes, mode in zip(explorer.layers.axes, MODES, strict=True):
        assert axes.get_title().startswith(mode) and axes.get_xlabel() == "leverage (x)"
        assert axes.get_xlim() == axes.get_ylim() == (-0.5, 5.5)
        assert ticks(axes.xaxis) == [str(n) for n in LEVERAGES]
        assert ticks(axes.yaxis) == [str(n) for n in MARGINS[::-1]]
        assert list(axes.get_xticks()) == list(axes.get_yticks()) == list(range(6))
        assert list(axes.lines) == [explorer.layers.drawn[f"{mode} now"]]
        assert not any(line.get_visible() for line in axes.get_xgridlines() + axes.get_ygridlines())
        assert explorer.layers.drawn[f"{mode} now"].get_markeredgecolor() == figures.STYLES["price"]["color"]
    assert explorer.layers.axes[0].get_ylabel() == "margin (% of capital)"


def test_the_heading_lies_over_the_panels_and_inside_the_picture(teaching):
    for state in teaching.presets.values():
        layers = teaching.make_picture(paper=True)
        teaching.draw(layers, teaching.read(**state))
        layers.figure.canvas.draw()
        box, whole = layers.cells["shown"].get_window_extent(), layers.figure.bbox
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and box.y1 <= whole.y1
        assert all(box.y0 >= axes.title.get_window_extent().y1 for axes in layers.axes), "it lies on a title"


def test_the_twin_is_a_picture(teaching):
    for name in teaching.presets:
        data = teaching.twin(name, show=False).data
        assert data.startswith(b"\x89PNG\r\n\x1a\n") and 10_000 < len(data) < 100_000


def test_limits_and_docstring(explorer):
    left_out = "Left out: funding, fees, impact, partial liquidation and tiers. "
    assert explorer.limits.startswith(left_out) and "There is no trend" in explorer.limits
    assert "volatility (60 % a year, if no other was given)" in explorer.limits
    assert "open loss" not in explorer.limits.lower(), "they are counted"
    reading = explorer.read(**next(iter(explorer.presets.values())))
    keys = set(re.findall(r'"([\w ]+)"', ModeSurface.__doc__.partition("`reading` holds")[2]))
    assert keys and keys <= set(reading) | set(reading["cross"])


# ------------------------------------------------------------------- arguments


TWO = Tiers([(0, 0.004), (10_000, 0.01)])


@pytest.mark.parametrize(
    ("wrong", "error", "named"),
    [
        ({"instrument": Perpetual("BTC-COIN", "BTC", "BTC")}, ValueError, "instrument must be linear.*'BTC-COIN'"),
        ({"instrument": Perpetual("X-USDT", "X", "USDT", tiers=TWO)}, ValueError, "one maintenance rate: not 'X-USDT'"),
        (
            {"instrument": Perpetual("X-USDT", "X", "USDT", tiers=Tiers([(0, 0.01)], basis="quantity"))},
            ValueError,
            "one maintenance rate: not 'X-USDT'",
        ),
        ({"instrument": 0.02}, TypeError, "instrument must be a Perpetual, not 0.02"),
        ({"instrument": "BTC-USDT"}, TypeError, "instrument must be a Perpetual, not 'BTC-USDT'"),
        ({"volatility": 0}, ValueError, "volatility must be .* above 0 and at most 5, not 0"),
        ({"volatility": float("nan")}, ValueError, "volatility .*nan"),
        ({"volatility": 6}, ValueError, "volatility .* at most 5, not 6"),
        ({"volatility": "high"}, TypeError, "volatility .*'high'"),
        ({"volatility": None}, TypeError, "volatility"),
        ({"capital": 0}, ValueError, "capital must be .* above 0, not 0"),
        ({"capital": -5.0}, ValueError, "capital"),
        ({"capital": float("inf")}, ValueError, "capital"),
        ({"capital": "x"}, TypeError, "capital"),
    ],
)
def test_bad_arguments_are_refused_by_name(wrong, error, named):
    with pytest.raises(error, match=named):
        ModeSurface(**wrong)


@pytest.mark.parametrize("nothing", [0, "", False, (), []])
def test_an_instrument_that_is_false_is_refused(nothing, monkeypatch):
    monkeypatch.setattr("marginlab.lesson.explorers.modes.PATHS", 20)
    with pytest.raises(TypeError, match=re.escape(f"instrument must be a Perpetual, not {nothing!r}")):
        ModeSurface(instrument=nothing)


def test_no_instrument_is_btc(teaching):
    assert view(ModeSurface(instrument=None)) == view(teaching)


def test_the_highest_volatility_is_allowed_and_the_least_is_calm(monkeypatch):
    monkeypatch.setattr("marginlab.lesson.explorers.modes.PATHS", 100)  # of one kind: quick
    for volatility, wild in ((5, True), (1e-6, False)):
        one = ModeSurface(volatility=volatility)
        share = one.surface("one", "isolated", 30, "liquidated")[0, -2]
        assert one.error is None and (share >= 95 if wild else share == 0)


def test_the_same_seed_gives_the_same_and_another_does_not(monkeypatch):
    monkeypatch.setattr("marginlab.lesson.explorers.modes.PATHS", 100)
    one, other, third = (ModeSurface(seed=seed) for seed in (8, 8, 9))
    assert view(one) == view(other) != view(third)
    for book in BOOKS:
        for mode in MODES:
            for n in range(2):  # what is needed, and the gain
                assert (one.found[book][mode][n] == other.found[book][mode][n]).all()
                assert (one.found[book][mode][n] != third.found[book][mode][n]).any()


@pytest.mark.parametrize("pools", [1, 2])
def test_a_pool_whose_margin_is_just_what_it_needs_is_liquidated(teaching, pools):
    """As in `survival`, which takes what is above by no more than rounding as just so: 1 / leverage alone, and
    1 / (margin leverage) in one pool, for a book of 1 in equal parts."""
    exact, part = object.__new__(ModeSurface), 0.25 / pools
    near = [part, np.nextafter(part, 0), part * (1 - ROUNDING / 2), part * (1 - 2 * ROUNDING), np.nextafter(part, 1)]
    needs = np.array([near] + [[0.0] * 5] * (pools - 1)).reshape(pools, 1, 5)
    needs, gains = {"isolated": needs, "cross": needs[:1] * pools}, np.full((pools, 1, 5), -0.01)
    found = {mode: (needs[mode], gains[: len(needs[mode])]) for mode in MODES}
    exact.__dict__ = teaching.__dict__ | {"found": {"one": found}}
    for mode, leverage, lost in (("isolated", 4.0, 0.5 / pools), ("cross", 8.0, 1.0)):
        gone, took = exact.ended("one", mode, 1, 0.5, leverage)
        assert gone[0].tolist() == [True, True, True, False, True] and not gone[1:].any()
        open_loss = 0.01 * 0.5 * leverage
        np.testing.assert_allclose(took[0], [lost, lost, lost, open_loss, lost], rtol=1e-12)
        np.testing.assert_allclose(took[1:], open_loss, rtol=1e-12)


def test_a_tie_is_the_same_in_the_explorer_and_in_survival(teaching):
    """The capital at which one path of a book is just liquidated."""
    found, _ = by_hand("teaching", "apart", 50_000)
    for path in (0, 7, 1_999, 3_999):
        for factor in (1, 1 + ROUNDING / 4, 1 - ROUNDING / 4, 1 + 1e-9, 1 - 1e-9):
            capital = float(found.needed(found.shared)[path]) * factor
            want = 1 - found.survived(capital, found.shared)
            assert cell(teaching, "apart", "cross", 30, 1.0, 50_000 / capital)["liquidated"] == pytest.approx(
                want, abs=1e-9
            )


def test_capital_changes_amounts_and_no_share(teaching):
    other = object.__new__(ModeSurface)  # the same troughs, another capital
    other.__dict__ = teaching.__dict__ | {"capital": 250.0}
    for state in teaching.presets.values():
        one, two = teaching.read(**state), other.read(**state)
        assert all((one["surface"][mode] == two["surface"][mode]).all() for mode in MODES)
        assert two["size"] == pytest.approx(one["size"] / 40)
        assert all(two[mode]["at risk"] == pytest.approx(one[mode]["at risk"] / 40) for mode in MODES)
