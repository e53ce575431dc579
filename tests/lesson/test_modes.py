"""The explorer of lesson 08: cells worked out again, from books of real size at real prices."""

import re
from functools import cache
from itertools import combinations, pairwise, product
from math import erf, exp, log, sqrt

import numpy as np
import pytest

from marginlab import Perpetual, Position, Tiers, venues
from marginlab.lesson import ModeSurface, figures
from marginlab.market import Brownian, Jumps, survival
from marginlab.market.survival import ROUNDING
from tests.lesson.shown import plain, values

MODES = ("isolated", "cross")
MARGINS, LEVERAGES = (100, 80, 60, 40, 20, 10), (2, 3, 5, 10, 20, 50)
# The sides of each book, and what it is called; half of the variance of "jumps" comes in jumps.
BOOKS = {
    "one": ((1,), "One long"),
    "hedge": ((1, -1), "A long and a short"),
    "longs": ((1, 1), "Two longs"),
    "jumps": ((1, 1), "Two longs with jumps"),
}
MARKETS = ((0.0, 1.0), (0.8, 1.0), (0.95, 2.0))  # correlation, and volatility as a multiple
PRICES = {"BTC": 50_000.0, "ETH": 2_500.0, "SOL": 140.0}
# Arguments, and (coins, currency, maintenance rate, volatility, capital).
OWN = Perpetual("ETH-USDC", "ETH", "USDC", face=0.01, tiers=Tiers.flat(0.0065))
KINDS = {
    "teaching": ({}, (("BTC", "ETH"), "USDT", 0.004, 0.6, 10_000.0)),
    "own": (
        {"instrument": OWN, "volatility": 0.35, "capital": 1_234.5},
        (("ETH", "SOL"), "USDC", 0.0065, 0.35, 1_234.5),
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


# ------------------------------------------------------- the cells, once more


@cache
def by_hand(kind, book, correlation, wild, size):
    """What `survival` says of a book of a size in quote currency, and the PnL of each of its pools
    at the end, by path; `wild` is how many times the volatility that was given."""
    coins, cash, rate, volatility, _ = KINDS[kind][1]
    sides, volatility = BOOKS[book][0], wild * volatility
    start = {coin: PRICES[coin] for coin in coins[: len(sides)]}
    rng, about = np.random.default_rng(8), (start, 720, 4_000)
    if book == "jumps":  # one a year, of the same variance as what moves between them
        half = volatility / sqrt(2)
        how = {"volatility": half, "jumps": 1, "size": -(half**2) / 2, "size_spread": half}
        paths = Jumps(*about, **how, correlation=correlation, rng=rng)
    else:
        correlation = correlation if len(sides) > 1 else 0.0
        paths = Brownian(*about, volatility=volatility, correlation=correlation, rng=rng)
    held, profit, prices = [], {}, paths.prices()
    for coin, side in zip(coins, sides, strict=False):
        contract = Perpetual(f"{coin}-{cash}", coin, cash, tiers=Tiers.flat(rate))
        worth = side * size / len(sides)
        held.append(Position(contract, worth / PRICES[coin], PRICES[coin]))
        profit[held[-1].label] = worth * (prices[coin][-1] / PRICES[coin] - 1)
    found = survival(venues.TEACHING, held, paths)
    return found, profit | {found.shared: sum(profit.values())}


def losses(kind, book, correlation, wild, margin, leverage, mode):
    """Of each pool and path, whether it is liquidated, and what it has lost, of 1."""
    capital = KINDS[kind][1][4]
    found, profit = by_hand(kind, book, correlation, wild, capital * margin * leverage)
    split = {found.shared: 1.0}
    if mode == "isolated":
        split = {name: margin * share for name, share in found.isolated.items()}
    shares = np.array([[share] for share in split.values()])
    gone = np.array([-found.trough[name][-1] >= capital * split[name] for name in split])
    gains = np.array([profit[name] for name in split]) / capital
    return gone, np.where(gone, shares, -gains)


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize(
    "kind, market, margin, leverage",
    [
        ("teaching", MARKETS[1], 100, 5),
        ("teaching", MARKETS[0], 40, 10),
        ("teaching", MARKETS[2], 73, 3.7),
        ("own", MARKETS[1], 10, 50),
    ],
    indirect=["kind"],
)
def test_cells_are_those_of_books_of_real_size_at_real_prices(explorer, kind, book, market, margin, leverage):
    """Path by path, pool by pool; and the shares that are shown of them."""
    correlation, wild = market
    volatility = wild * explorer.volatility
    found, surface = explorer.market(book, correlation, volatility)
    for mode in MODES:
        gone, lost = losses(kind, book, correlation, wild, margin / 100, leverage, mode)
        have, took = explorer.ended(found[mode], mode, margin / 100, leverage)
        assert (have == gone).all(), mode
        np.testing.assert_allclose(took, lost, atol=1e-12)
        state = {"margin": margin, "leverage": leverage, "book": book, "correlation": correlation}
        reading = explorer.read(**state, volatility=volatility)[mode]
        assert reading["liquidated"] == pytest.approx(gone.any(axis=0).mean(), abs=1e-12)
        worst = np.mean(np.sort(lost.sum(axis=0))[-200:])
        assert reading["worst"] == pytest.approx(worst, abs=1e-12)
        risked = KINDS[kind][1][4] * (margin / 100 if mode == "isolated" else 1)
        assert reading["at risk"] == pytest.approx(risked)
        if margin in MARGINS and leverage in LEVERAGES:
            there = surface[mode][MARGINS.index(margin), LEVERAGES.index(leverage)]
            assert there == pytest.approx(100 * reading["liquidated"])


def normal(x):
    return (1 + erf(x / sqrt(2))) / 2


def touched(fall, volatility, years, hours=1.0):
    """Chance that a price without drift falls by so much: reflection, with the shift for looks at
    every hour by Broadie, Glasserman and Kou (1997)."""
    spread, trend = volatility * sqrt(years), -(volatility**2) / 2 * years
    line = log(1 - fall) - 0.5826 * volatility * sqrt(hours / 8_760)
    return normal((line - trend) / spread) + exp(-line) * normal((line + trend) / spread)


def test_one_long_is_touched_as_often_as_the_formula_says(explorer, kind):
    """1 / leverage - fall = rate (1 - fall): the fall at which one long is at its line."""
    rate, given = KINDS[kind][1][2:4]
    for leverage, wild in product((3, 5, 10), (0.5, 1.0, 2.0)):
        fall, volatility = (1 / leverage - rate) / (1 - rate), wild * given
        want = touched(fall, volatility, 30 / 365)
        surface = explorer.market("one", 0.0, volatility)[1]
        share = surface["isolated"][3, LEVERAGES.index(leverage)] / 100
        assert abs(share - want) <= 3 * sqrt(want * (1 - want) / 4_000) + 0.003, (leverage, wild)


def test_what_lesson_and_limits_say_of_the_two_modes(teaching):
    """Cross is never liquidated where isolated is not; leverage, margin and volatility never help;
    correlation holds a hedge together, and lets two longs end together."""
    for book, correlation in product(BOOKS, (0.0, 0.8)):
        calm, wild = (teaching.market(book, correlation, v * teaching.volatility)[1] for v in (1.0, 2.0))
        assert (calm["cross"] <= calm["isolated"]).all()
        for mode in MODES:
            assert (calm[mode] <= wild[mode] + 1).all()
            assert (np.diff(calm[mode], axis=1) >= 0).all() and calm[mode].max() <= 100
            assert (np.diff(calm[mode][::-1], axis=0) >= 0).all() and calm[mode].min() >= 0
        assert (calm["isolated"] == calm["isolated"][0]).all(), "whatever the margin"
        assert (calm["isolated"][0] == calm["cross"][0]).all() == (book == "one")
    start = next(iter(teaching.presets.values()))
    for book, sign in (("hedge", -1), ("longs", 1)):
        rows = [teaching.read(**start | {"book": book, "correlation": c, "leverage": 20.0}) for c in (0.0, 0.5, 0.95)]
        for one, other in pairwise(row["cross"] for row in rows):
            assert sign * (other["liquidated"] - one["liquidated"]) > 0, book


# -------------------------------------------------------- what the reader sees


def money(value):
    return f"{value:,.0f}"


def check_reading(explorer, kind, state):
    """The reading of a state, in words and in the table."""
    reading, (_, cash, _, _, capital) = explorer.read(**state), KINDS[kind][1]
    margin, leverage, book = state["margin"], state["leverage"], state["book"]
    size = capital * margin / 100 * leverage
    assert reading["size"] == pytest.approx(size) and list(reading["surface"]) == list(MODES)
    said = f"{BOOKS[book][1]}; {margin:g} % of the capital at {leverage:g}x: a book of "
    said += f"{money(size)} {cash} for 30 days, volatility {100 * state['volatility']:.4g} %"
    said += f", correlation {state['correlation']:g}." if book != "one" else "."
    rows = []
    for mode, risked in zip(MODES, (capital * margin / 100, capital), strict=True):
        one = reading[mode]
        share, lost = f"{100 * one['liquidated']:.1f} %", money(capital * one["worst"])
        rows.append([mode, share, f"{100 * one['worst']:.0f} %", money(risked)])
        said += f" {mode.title()}: a liquidation on {share} of the paths; the worst 5 % lose "
        said += f"{lost} {cash} on average."
    assert reading["sentence"] == said
    plain(said)
    head = ["", "liquidated", "worst 5 %, of the capital", f"at risk ({cash})"]
    assert reading["table"] == (head, rows)
    return reading


def check_drawn(explorer, reading, state):
    layers = explorer.layers
    for axes, mode, shade, told in zip(layers.axes, MODES, layers.shades, layers.numbers, strict=True):
        rows = reading["surface"][mode]
        assert shade.axes is axes and (shade.get_array() == rows[::-1]).all()
        for text in told:
            column, row = text.get_position()
            value = rows[5 - row, column]
            assert text.axes is axes and text.get_text() == f"{value:.0f}"
            assert text.get_ha() == text.get_va() == "center"
        now = layers.drawn[f"{mode} now"]
        (column,), (row,) = now.get_data()
        assert -0.5 < column < 5.5 and -0.5 < row < 5.5 and now.axes is axes
        low, high = (log(LEVERAGES[min(5, int(column) + step)]) for step in (0, 1))
        assert exp(low + column % 1 * (high - low)) == pytest.approx(state["leverage"])
        low, high = (MARGINS[::-1][min(5, int(row) + step)] for step in (0, 1))
        assert low + row % 1 * (high - low) == pytest.approx(state["margin"])
    walled, rest, shared = layers.vessels.shown
    capital, isolated = explorer.capital, reading["isolated"]
    assert walled.collateral + rest.collateral == pytest.approx(capital) == shared.collateral
    assert walled.collateral == isolated["at risk"] and rest.equity == rest.collateral
    assert -walled.pnl == pytest.approx(capital * isolated["worst"])
    assert -shared.pnl == pytest.approx(capital * reading["cross"]["worst"])


def check_still(explorer, reading):
    """What is written into the lower layer is what matplotlib would draw, and stands in order."""
    still = explorer.still.value
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", still)
    shades = re.findall(r'fill: #d55e00; fill-opacity: ([\d.]+)"', still)
    assert len(shades) == 72
    for mode, table, first in zip(MODES, explorer.layers.shades, (0, 36), strict=True):
        values = reading["surface"][mode][::-1].ravel()
        told = [f"{value:.0f}" for value in values]
        places = [n for n in range(len(texts)) if texts[n : n + 36] == told]
        assert places, mode
        opacity = [0.5 * round(255 * value / 100) / 255 for value in values]
        seen = [float(one) for one in shades[first : first + 36]]
        assert seen == pytest.approx(opacity, abs=0.003)
        assert seen == pytest.approx(list(table.to_rgba(values)[:, 3]), abs=1e-6)
    assert texts.count("paths with a liquidation (%)") == 1 and ">00<" not in still


def test_pairs_of_controls_read_and_draw_as_the_figures_say(explorer, kind):
    every = {name: values(control) for name, control in explorer.controls.items()}
    assert list(every) == ["margin", "leverage", "book", "correlation", "volatility"]
    start, seen = next(iter(explorer.presets.values())), {}
    for one, other in combinations(every, 2):
        for a, b in product(every[one][::2], every[other][::2]):
            state = start | {one: a, other: b}
            reading = check_reading(explorer, kind, state)
            key = explorer.draw(explorer.layers, reading)
            still = [rows.tolist() for rows in reading["surface"].values()]
            assert seen.setdefault(key, still) == still, "what stands still needs another key"
            check_drawn(explorer, reading, state)
    explorer.update()


def test_every_control_by_the_widgets(explorer, kind):
    for name, control in explorer.controls.items():
        explorer.preset(next(iter(explorer.presets)))
        still, start, key = explorer.still.value, explorer.state(), explorer.axes_key
        for value in values(control)[::-1]:
            explorer.controls[name].value = value
            assert explorer.error is None, (name, value)
            same = name in ("margin", "leverage") or explorer.state() == start
            assert (explorer.axes_key == key) == same
            assert explorer.still.value == still or not same
            check_still(explorer, explorer.reading)
            check_drawn(explorer, explorer.reading, explorer.state())


def test_the_written_layer_is_the_drawn_one(teaching):
    """The same SVG, but for `fill: none` where matplotlib draws a shade of nothing."""
    for state in teaching.presets.values():
        teaching.set(**state)
        drawn = figures.Layers.still(teaching.layers)
        written = figures.Tables.still(teaching.layers)
        assert written.replace('fill: #d55e00; fill-opacity: 0"', 'fill: none"') == drawn


def test_the_lessons_own_figures(teaching):
    """A hedge of 40,000 on 4,000 or on 10,000: the size and what is at risk, by hand."""
    said = teaching.reading["sentence"]
    assert "; 40 % of the capital at 10x: a book of 40,000 USDT for 30 days, volatility 60 %, correlation 0.8." in said
    assert said.count("the worst 5 % lose 4,000 USDT on average") == 1, "all that is walled off"
    apart, shared = (teaching.reading[mode]["liquidated"] for mode in MODES)
    assert apart > 0.9 and shared < 0.01
    said = [vessel.sentence for vessel in teaching.layers.vessels.shown]
    assert said[0] == "walled off: of 4,000 USDT the worst 5 % of the paths lose 4,000 on average."


def test_controls_and_presets(explorer):
    sliders = {name: c for name, c in explorer.controls.items() if hasattr(c, "min")}
    reach = {name: (c.min, c.max, c.step) for name, c in sliders.items()}
    assert reach == {"margin": (10, 100, 5), "leverage": (2, 50, 1)}
    assert list(explorer.controls["book"].options) == list(BOOKS)
    assert explorer.controls["correlation"].options == {"0": 0.0, "0.5": 0.5, "0.8": 0.8, "0.95": 0.95}
    given = explorer.volatility
    wild = explorer.controls["volatility"].options
    assert list(wild.values()) == [0.5 * given, given, 1.5 * given, 2 * given]
    assert [float(told) for told in wild] == pytest.approx([100 * v for v in wild.values()])
    usual = {"margin": 40.0, "leverage": 10.0, "book": "hedge", "correlation": 0.8, "volatility": given}
    assert explorer.presets == {
        "a hedge at 10x": usual,
        "a hedge that comes apart": usual | {"correlation": 0.0},
        "one long at 10x": usual | {"book": "one"},
        "two coins apart": usual | {"book": "longs", "correlation": 0.0},
        "all of the capital at 5x": usual | {"margin": 100.0, "leverage": 5.0},
    }


def ticks(axis):
    """What stands at the marks of an axis, also of a panel that leaves its labels to the first."""
    return list(map(str, axis.get_major_formatter().format_ticks(axis.get_majorticklocs())))


def test_panels(explorer):
    layers = explorer.layers
    for axes, mode in zip(layers.axes, MODES, strict=True):
        now = layers.drawn[f"{mode} now"]
        assert axes.get_title().startswith(mode) and axes.get_xlabel() == "leverage (x)"
        assert axes.get_xlim() == axes.get_ylim() == (-0.5, 5.5)
        assert ticks(axes.xaxis) == [str(n) for n in LEVERAGES]
        assert ticks(axes.yaxis) == [str(n) for n in MARGINS[::-1]]
        assert list(axes.get_xticks()) == list(axes.get_yticks()) == list(range(6))
        assert list(axes.lines) == [now] and now.get_markerfacecolor() == "none"
        lines = axes.get_xgridlines() + axes.get_ygridlines()
        assert not any(line.get_visible() for line in lines)
        assert now.get_markeredgecolor() == figures.STYLES["price"]["color"]
    assert layers.axes[0].get_ylabel() == "margin (% of capital)"
    above = layers.head.get_position()[1]
    assert above > 1.1, "the heading lies over the titles of the panels"


# ------------------------------------------------------------------- arguments


TWO = Perpetual("X-USDT", "X", "USDT", tiers=Tiers([(0, 0.004), (10_000, 0.01)]))
WRONG = [({"instrument": TWO}, "instrument must have one maintenance rate: 'X-USDT'")]
WRONG += [({"volatility": value}, "volatility must be") for value in (0, float("nan"), 6, "high")]
WRONG += [({"capital": value}, "capital must be") for value in (0, -5.0, float("inf"), "x")]


@pytest.mark.parametrize(("wrong", "named"), WRONG)
def test_bad_arguments_are_refused_by_name(wrong, named):
    with pytest.raises((TypeError, ValueError), match=named):
        ModeSurface(**wrong)


@pytest.mark.parametrize("pools", [1, 2])
def test_a_pool_whose_margin_is_just_what_it_needs_is_liquidated(teaching, pools):
    """As in `survival`, which takes what is above by no more than rounding as just so."""
    part = 0.25 / pools
    near = [part, np.nextafter(part, 0), part * (1 - ROUNDING / 2), part * (1 - 2 * ROUNDING)]
    needs = np.array([near] + [[0.0] * 4] * (pools - 1)).reshape(pools, 4)
    gains = np.full((pools, 4), -0.01)
    for mode, leverage, lost in (("isolated", 4.0, 0.5 / pools), ("cross", 8.0, 1.0)):
        found = (needs, gains) if mode == "isolated" else (needs[:1] * pools, gains[:1])
        gone, took = teaching.ended(found, mode, 0.5, leverage)
        assert gone[0].tolist() == [True, True, True, False] and not gone[1:].any()
        open_loss = 0.01 * 0.5 * leverage
        np.testing.assert_allclose(took[0], [lost, lost, lost, open_loss], rtol=1e-12)
        np.testing.assert_allclose(took[1:], open_loss, rtol=1e-12)
