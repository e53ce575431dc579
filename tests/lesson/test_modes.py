"""The explorer of lesson 08: every cell worked out once more, from books of their real size at real prices."""

import re
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
from marginlab.market.survival import survival
from tests.lesson.shown import Cells, numbers

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


def rising(rows, axis):
    return (np.diff(rows, axis=axis) >= -1e-9).all()


# ------------------------------------------------------- the cells, once more


def by_hand(kind, book, size, steps=720):
    """What `survival` says of a book of a size in quote currency; its isolated split; and the shared pool."""
    coins, cash, rate, volatility, _, seed = KINDS[kind][1]
    sides, way = BOOKS[book]
    coins = coins[: len(sides)]
    start, rng = {coin: PRICES[coin] for coin in coins}, np.random.default_rng(seed)
    if way == "jumps":  # one a year, of the same variance as what moves between them
        half = volatility / sqrt(2)
        paths = Jumps(start, steps, 4_000, volatility=half, jumps=1, size_spread=half, rng=rng)
    else:
        paths = Brownian(start, steps, 4_000, volatility=volatility, correlation=way, rng=rng)
    held = []
    for coin, side in zip(coins, sides, strict=True):
        contract = Perpetual(f"{coin}-{cash}", coin, cash, tiers=Tiers.flat(rate))
        held.append(Position(contract, side * size / len(sides) / PRICES[coin], PRICES[coin]))
    return survival(venues.TEACHING, held, paths, horizons=30)


def worst_of(found, capital, split, hours):
    """Share of the capital that the walled-off pools lose, on average in the 200 worst of 4,000 paths."""
    split = {split: 1.0} if isinstance(split, str) else split
    at = found.horizons.index(hours)
    gone = [share * (-found.trough[name][at] >= share * capital) for name, share in split.items()]
    return sorted(np.sum(gone, axis=0))[-200:]


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("margin, leverage", [(40, 10), (100, 5), (10, 50), (73, 3.7)])
def test_cells_are_those_of_books_of_real_size_at_real_prices(explorer, kind, book, margin, leverage):
    capital = KINDS[kind][1][4]
    found = by_hand(kind, book, capital * margin / 100 * leverage)
    apart = {name: margin / 100 * share for name, share in found.isolated.items()}
    assert sum(apart.values()) == pytest.approx(margin / 100) and len(apart) == len(BOOKS[book][0])
    for mode, split in (("isolated", apart), ("cross", found.shared)):
        for day in (1, 2, 17, 30):
            reading = explorer.figures(book, mode, day, margin / 100, leverage)
            assert 1 - found.survived(capital, split, 24 * day) == pytest.approx(reading["liquidated"], abs=1e-12)
            lost = worst_of(found, capital, split, 24 * day)
            assert np.mean(lost) == pytest.approx(reading["worst"], abs=1e-12)


def test_every_path_of_a_cell(teaching):
    """Not shares alone: path by path, what liquidations took."""
    for book in BOOKS:
        found = by_hand("teaching", book, 50_000)
        for mode, split in (("isolated", {n: 0.5 * s for n, s in found.isolated.items()}), ("cross", found.shared)):
            parts = split if isinstance(split, dict) else {split: 1.0}
            want = sum(share * (-found.trough[n][9] >= 10_000 * share) for n, share in parts.items())
            np.testing.assert_allclose(teaching.lost(book, mode, 10, 0.5, 10.0), want, atol=1e-12)


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
        share = explorer.figures("one", "isolated", day, 0.4, leverage)["liquidated"]
        assert abs(share - want) <= 3 * sqrt(want * (1 - want) / 4_000) + 0.003, (leverage, day)


# ------------------------------------------------------------------ invariants


@pytest.mark.parametrize("day", [1, 7, 30])
def test_what_each_share_depends_on(explorer, day):
    for book, both in surfaces(explorer, day):
        assert (both["isolated"] == both["isolated"][0]).all(), "isolated: on leverage alone"
        sizes = {}
        for i, j in GRID:
            sizes.setdefault(MARGINS[i] * LEVERAGES[j], set()).add(both["cross"][i, j])
        assert len(sizes) < 36 and all(len(shares) == 1 for shares in sizes.values()), (book, "cross: on size alone")
    for book, leverage in product(BOOKS, (2.5, 7.7, 33.0)):
        shares = {explorer.figures(book, "isolated", day, m, leverage)["liquidated"] for m in (0.1, 0.35, 0.999)}
        assert len(shares) == 1
        shares = {explorer.figures(book, "cross", day, 2.0**-n, leverage * 2**n)["liquidated"] for n in range(4)}
        assert len(shares) == 1


def test_a_long_on_all_of_the_capital_is_the_same_in_both(explorer):
    for day, leverage in product((1, 12, 30), (2, 5, 7.7, 50)):
        one, other = (explorer.figures("one", mode, day, 1.0, leverage) for mode in MODES)
        assert one == other
    for shown in SHOWN:
        for _, both in surfaces(explorer, shown=shown, books=["one"]):
            assert (both["isolated"][0] == both["cross"][0]).all() and (both["isolated"] != both["cross"]).any()


def test_cross_is_never_liquidated_where_isolated_is_not(explorer):
    for book, day in product(BOOKS, (1, 7, 30)):
        for margin, leverage in product(MARGINS, LEVERAGES):
            apart, shared = (explorer.lost(book, mode, day, margin / 100, leverage) for mode in MODES)
            assert apart.shape == shared.shape == (4_000,)
            assert not (shared[apart == 0] > 0).any(), (book, margin, leverage)
            assert set(np.unique(shared)) <= {0.0, 1.0}
            parts = np.round(apart / (margin / 100) * len(BOOKS[book][0]), 9)
            assert set(parts) <= set(range(len(BOOKS[book][0]) + 1)), "a pool is lost whole or not at all"
        both = dict(surfaces(explorer, day, books=[book]))[book]
        assert (both["cross"] <= both["isolated"]).all()
        if len(BOOKS[book][0]) > 1:
            assert (both["cross"][0] < both["isolated"][0]).any(), (book, "all of the capital in one pool helps")


@pytest.mark.parametrize("shown", SHOWN)
def test_more_leverage_margin_and_time_never_make_it_less(explorer, shown):
    days = [dict(surfaces(explorer, day, shown)) for day in (1, 2, 5, 12, 30)]
    for book in BOOKS:
        for both in days:
            for mode in MODES:
                rows = both[book][mode]
                assert rows.shape == (6, 6) and np.isfinite(rows).all() and rows.min() >= 0 and rows.max() <= 100
                assert rising(rows, 1) and rising(rows[::-1], 0), (book, mode)
            assert (both[book]["isolated"] <= (100 if shown == "liquidated" else np.c_[list(MARGINS)]) + 1e-9).all()
        for one, other in pairwise(days):
            assert all((one[book][mode] <= other[book][mode] + 1e-9).all() for mode in MODES)
        assert (days[0][book]["cross"] < days[-1][book]["cross"]).any()


def test_on_all_of_the_capital_isolated_risks_as_much_as_cross(explorer, kind):
    capital = KINDS[kind][1][4]
    for book, margin in product(BOOKS, MARGINS):
        apart, shared = (explorer.figures(book, mode, 30, margin / 100, 10) for mode in MODES)
        assert apart["at risk"] == pytest.approx(capital * margin / 100) and shared["at risk"] == capital
        assert apart["worst"] <= margin / 100 + 1e-12 and shared["worst"] <= 1
        assert set(apart) == set(shared) == {"liquidated", "worst", "at risk"}
    for book, leverage in product(BOOKS, LEVERAGES):
        apart, shared = (explorer.figures(book, mode, 30, 1.0, leverage) for mode in MODES)
        assert apart["at risk"] == shared["at risk"]
        if shared["liquidated"] >= 0.05:  # all of the worst 5 %
            assert shared["worst"] == 1.0


# -------------------------------------------------------- what the reader sees


def money(value):
    return f"{value:,.0f}"


def check_reading(explorer, kind, state):
    """The reading of a state, from the figures of its cell."""
    reading, (_, cash, _, _, capital, _) = explorer.read(**state), KINDS[kind][1]
    day, margin, leverage, book = round(state["days"]), state["margin"], state["leverage"], state["book"]
    size, said = capital * margin / 100 * leverage, []
    assert reading["size"] == pytest.approx(size) and set(reading["surface"]) == set(MODES)
    rows = []
    for mode, risked in zip(MODES, (capital * margin / 100, capital), strict=True):
        one = explorer.figures(book, mode, day, margin / 100, leverage)
        assert reading[mode] == one and one["at risk"] == pytest.approx(risked)
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
    drawn = layers.drawn
    for mode, axes in zip(MODES, layers.axes, strict=True):
        rows = reading["surface"][mode]
        shade = np.asarray(drawn[f"{mode} shade"].get_array())
        assert drawn[f"{mode} shade"].axes is axes and shade.shape == (6, 6) and (shade == rows[::-1]).all()
        ups, rights = ticks(axes.yaxis), ticks(axes.xaxis)
        for i, j in GRID:
            text = drawn[f"{mode} {i} {j}"]
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
    want = {"liquidated": "paths with a liquidation (%)", "worst 5 %": "lost to liquidations in the worst 5 %"}
    assert drawn["shown"].get_text().startswith(want[state["shown"]]) and reading["shown"] == drawn["shown"].get_text()


def test_pairs_of_controls_read_and_draw_as_the_figures_say(explorer, kind):
    every = {name: values(control) for name, control in explorer.controls.items()}
    assert list(every) == ["margin", "leverage", "days", "book", "shown"]
    start = next(iter(explorer.presets.values()))
    for one, other in combinations(every, 2):
        for a, b in product(every[one], every[other]):
            state = start | {one: a, other: b}
            reading = check_reading(explorer, kind, state)
            assert explorer.draw(explorer.layers, reading) == "fixed"
            check_drawn(explorer.layers, reading, state)


def test_every_control_by_the_widgets(explorer, kind):
    explorer.preset(next(iter(explorer.presets)))
    still = explorer.still.value
    for name, control in explorer.controls.items():
        explorer.preset(next(iter(explorer.presets)))
        for value in values(control)[::-1]:
            control.value = value
            assert explorer.error is None, (name, value)
            reading, html = check_reading(explorer, kind, explorer.state()), explorer.view.value
            assert explorer.reading["sentence"] == reading["sentence"] == Cells(html).sentence
            assert html.count('role="img"') == 1 and explorer.still.value == still
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
                cell = reading["surface"][mode][i, j]
                assert cell == pytest.approx(100 * reading[mode][name], abs=1e-9)
                told = numbers(reading["table"][1][n][1 if shown == "liquidated" else 2])[0]
                assert abs(told - cell) <= (0.0501 if shown == "liquidated" else 0.501)
                if shown == "liquidated":
                    assert f"{mode.title()}: a liquidation on {cell:.1f} % of the paths" in reading["sentence"]


def test_the_lessons_own_figures(teaching):
    """A hedge of 40,000 on 4,000 or on 10,000: the size and what is at risk, by hand."""
    said = teaching.reading["sentence"]
    assert "; 40 % of the capital at 10x: a book of 40,000 USDT for 30 days. Isolated: a liquidation on " in said
    assert ", 4,000 USDT at risk. Cross: " in said and said.endswith(", 10,000 USDT at risk.")
    apart, shared = (teaching.reading[mode]["liquidated"] for mode in MODES)
    assert apart > 0.9 and shared < 0.01
    assert teaching.read(**teaching.presets["all of the capital, 5x, one day"])["sentence"].count("for 1 day. ") == 1


def test_controls_and_presets(explorer):
    reach = {name: (c.min, c.max, c.step) for name, c in explorer.controls.items() if hasattr(c, "min")}
    assert reach == {"margin": (10, 100, 5), "leverage": (2, 50, 1), "days": (1, 30, 1)}
    assert list(explorer.controls["book"].options) == list(BOOKS)
    assert explorer.controls["book"].tooltips[-1].endswith("half of the variance in one jump a year")
    assert list(explorer.controls["shown"].options) == list(SHOWN)
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
        box, whole = layers.drawn["shown"].get_window_extent(), layers.figure.bbox
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and box.y1 <= whole.y1
        assert all(box.y0 >= axes.title.get_window_extent().y1 for axes in layers.axes), "it lies on a title"


def test_the_twin_is_a_picture(teaching):
    for name in teaching.presets:
        data = teaching.twin(name, show=False).data
        assert data.startswith(b"\x89PNG\r\n\x1a\n") and 10_000 < len(data) < 100_000


def test_limits_and_docstring(explorer):
    assert explorer.limits.startswith("Left out:") and "funding" in explorer.limits and "tiers" in explorer.limits
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
            {"instrument": Perpetual("X-USDT", "X", "USDT", tiers=Tiers([(0, 0.01)], growth=1e-5, basis="quantity"))},
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


@pytest.mark.xfail(strict=True, raises=pytest.fail.Exception, reason="what is false counts as absent: BTC is shown")
@pytest.mark.parametrize("nothing", [0, ""])
def test_an_instrument_that_is_none_is_refused_also_if_it_is_false(nothing, monkeypatch):
    monkeypatch.setattr("marginlab.lesson.explorers.modes.PATHS", 20)
    with pytest.raises(TypeError, match="instrument"):
        ModeSurface(instrument=nothing)


def test_the_highest_volatility_is_allowed_and_the_least_is_calm(monkeypatch):
    monkeypatch.setattr("marginlab.lesson.explorers.modes.PATHS", 100)  # of one kind: quick
    for volatility, wild in ((5, True), (1e-6, False)):
        one = ModeSurface(volatility=volatility)
        share = one.surface("one", "isolated", 30, "liquidated")[0, -2]
        assert one.error is None and (share >= 95 if wild else share == 0)


def test_the_same_seed_gives_the_same_and_another_does_not(monkeypatch):
    monkeypatch.setattr("marginlab.lesson.explorers.modes.PATHS", 100)
    one, other, third = (ModeSurface(seed=seed) for seed in (8, 8, 9))
    assert one.view.value == other.view.value != third.view.value
    for book in BOOKS:
        for mode in MODES:
            assert (one.found[book][mode] == other.found[book][mode]).all()
            assert (one.found[book][mode] != third.found[book][mode]).any()


def test_a_pool_whose_margin_is_just_what_it_needs_is_liquidated(teaching):
    """As in `survival`: 1 / leverage alone, 1 / (margin leverage) in one pool."""
    exact = object.__new__(ModeSurface)
    needs = np.array([0.25, np.nextafter(0.25, 0), np.nextafter(0.25, 1)])
    exact.__dict__ = teaching.__dict__ | {"found": {"one": dict.fromkeys(MODES, needs.reshape(1, 1, 3))}}
    assert list(exact.lost("one", "isolated", 1, 0.5, 4.0)) == [0.5, 0.0, 0.5]
    assert list(exact.lost("one", "cross", 1, 0.5, 8.0)) == [1.0, 0.0, 1.0]


def test_capital_changes_amounts_and_no_share(teaching):
    other = object.__new__(ModeSurface)  # the same troughs, another capital
    other.__dict__ = teaching.__dict__ | {"capital": 250.0}
    for state in teaching.presets.values():
        one, two = teaching.read(**state), other.read(**state)
        assert all((one["surface"][mode] == two["surface"][mode]).all() for mode in MODES)
        assert two["size"] == pytest.approx(one["size"] / 40)
        assert all(two[mode]["at risk"] == pytest.approx(one[mode]["at risk"] / 40) for mode in MODES)
