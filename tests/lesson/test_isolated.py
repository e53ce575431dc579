"""The explorer of lesson 01, control by control: what it shows is what the model says, worked out here once more."""

import math
import re
from marginlab import replace
from itertools import combinations, pairwise, product

import numpy as np
import pytest

from marginlab import Account, Perpetual, Pool, Position, liquidation_price, venues
from marginlab.lesson.explorers import IsolatedMargin
from tests.lesson.shown import Cells, close, numbers, same

LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
KINDS = {
    "inverse": {},
    "linear": {"instrument": LINEAR, "venue": venues.BINANCE_2026_09, "balance": 100_000},
    "linear, small": {"instrument": LINEAR, "entry": 61_234.5, "balance": 300},
    "coin tiers": {"venue": venues.BINANCE_COIN_2020_06},
}
NUMERIC = ("size", "margin", "move")


@pytest.fixture(scope="module", params=KINDS)
def explorer(request):
    return IsolatedMargin(**KINDS[request.param])


# ------------------------------------------------- the model, once more


class Model:
    """The trade of a state, by the definitions alone: equity, requirement, who pays."""

    def __init__(self, explorer, size, margin, side, move):
        inst, venue, entry = explorer.instrument, explorer.venue, explorer.entry
        self.price, self.margin, self.balance = entry * (1 + move / 100), margin, explorer.balance
        self.tiers, self.size, self.move = venue.schedule(inst), size, move
        self.contracts = side * size * (entry if inst.inverse else 1 / entry) / inst.face
        coins, n = self.contracts * inst.face, size * self.price / entry
        if inst.inverse:
            self.pnl, n = coins / entry - coins / self.price, size * entry / self.price
        else:
            self.pnl = coins * (self.price - entry)
        tier = max(i for i, floor in enumerate(self.tiers.floors) if n >= floor)
        self.requirement = n * self.tiers.rates[tier] - self.tiers.amounts[tier]
        self.pools = [
            Pool(
                inst.settle, {inst.settle: behind}, [Position(inst, self.contracts, entry)], venue, {inst.index: entry}
            )
            for behind in (margin, explorer.balance)
        ]
        self.array_price = liquidation_price(venue, inst, self.contracts, entry, margin)
        try:
            start = Account(venue, **{inst.settle: explorer.balance}).mark(**{inst.index: entry})
            start.trade(inst, self.contracts, entry, isolated=margin)
            self.refused = ""
        except ValueError as error:
            self.refused = str(error)

    def equity(self, behind):
        return behind + self.pnl


def nearest(found):
    return found.below.price if found.below.price is not None else found.above.price


def check_reading(explorer, reading, state):
    """The figures and the sentence against the model."""
    model, sentence = Model(explorer, **state), reading["sentence"]
    unit, entry = explorer.instrument.settle, explorer.entry
    assert reading["price"] == pytest.approx(model.price) and reading["pnl"] == pytest.approx(model.pnl, abs=1e-6)
    assert not re.search(r"\d[eE]-?\d|\bnan\b|\binf\b|\bNone\b", sentence + str(reading["table"])), sentence
    columns = ((reading["isolated"], model.margin, model.pools[0]), (reading["cross"], model.balance, model.pools[1]))
    for column, behind, pool in columns:
        assert column["behind"] == behind and column["leverage"] == pytest.approx(model.size / behind)
        if column["refused"]:
            continue
        equity, slack = model.equity(behind), model.equity(behind) - model.requirement
        if abs(slack) > 1e-9 * behind:
            assert column["closed"] == (slack <= 0)
        for name, found in (("liquidation", pool.liquidation()), ("bankruptcy", pool.bankruptcy())):
            price = nearest(found)
            assert nearest(column[name]) == (price if price is None else pytest.approx(price, rel=1e-9))
        away, out = explorer.balance - behind, 1e-9 * explorer.balance
        if column["closed"]:
            assert column["lost"] == pytest.approx(behind) and column["lost"] <= behind
            assert column["shortfall"] == pytest.approx(max(0.0, -equity), abs=out)
            assert (column["equity"], column["requirement"]) == (0, 0)
            assert column["account"] == pytest.approx(away, abs=out)
            assert column["out of reach"] == pytest.approx(away, abs=out)
        else:
            assert column["lost"] == column["shortfall"] == 0
            assert column["equity"] == pytest.approx(equity, abs=out)
            assert column["requirement"] == pytest.approx(model.requirement, abs=out)
            assert column["account"] == pytest.approx(away + equity, abs=out)
            assert column["out of reach"] == pytest.approx(away, abs=out)
    isolated = reading["isolated"]
    assert isolated["refused"] == model.refused
    if model.refused:
        assert model.refused in sentence
        assert ["opened", "no"] in [row[:2] for row in reading["table"][1]]
        return
    found = model.pools[0].liquidation()
    line = nearest(found)
    assert model.array_price in (0, math.inf) if line is None else model.array_price == pytest.approx(line, rel=1e-9)
    if line is None:
        reason = (found.below if state["side"] > 0 else found.above).why
        assert reason in sentence
        sentence, expected = sentence.replace(reason, ""), []
    else:
        assert ("below entry" in sentence, "above entry" in sentence) == (line < entry, line > entry)
        expected = [line, (1, abs(line / entry - 1) * 100), model.margin]
    noise = 1e-9 * explorer.balance
    expected += [(1, state["move"])] + [abs(model.pnl)] * (abs(model.pnl) > noise)
    body, _, rest = sentence.partition("closed")
    assert ("gained" in body, "lost" in body) == (model.pnl > noise, model.pnl < -noise)
    if isolated["closed"]:
        missing = -model.equity(model.margin)
        expected += [missing] * (missing > noise)
        same(numbers(rest), [isolated["lost"], model.balance - model.margin])
    else:
        assert "is open" in sentence and not rest
        expected.append(model.equity(model.margin))
    same(numbers(body.replace("+", "")), expected)
    assert unit in sentence


def check_table(explorer, html, reading, state):
    """What stands in the table against the model, cell by cell."""
    model, (head, *rows) = Model(explorer, **state), Cells(html).rows
    rows, unit = {row[0]: row[1:] for row in rows}, explorer.instrument.settle
    assert [text.split()[1:] for text in head[1:]] == [[unit, "isolated"], [unit, "cross"]]
    same([number for text in head[1:] for number in numbers(text)], [model.margin, model.balance])
    for i, (column, behind, pool) in enumerate(
        zip((reading["isolated"], reading["cross"]), (model.margin, model.balance), model.pools, strict=True)
    ):
        same(numbers(rows["leverage"][i][:-1]), [model.size / behind])
        if reading["isolated"]["refused"] or reading["cross"]["refused"]:
            assert rows["opened"][i] == ("no" if column["refused"] else "yes")
            continue
        for name, found in (("liquidation", pool.liquidation()), ("bankruptcy", pool.bankruptcy())):
            price, cell = nearest(found), rows[f"{name} price"][i]
            if price is None:
                assert cell == "none"
            else:
                same(numbers(cell.replace("+", "")), [price, (1, (price / explorer.entry - 1) * 100)])
        where = [name for name in rows if name.startswith(("equity at", "requirement at"))]
        same([numbers(name)[0] for name in where], [model.price, model.price])
        if column["closed"]:
            assert [rows[name][i] for name in where] == ["closed", "closed"]
            left = model.balance - behind
        else:
            same([numbers(rows[name][i])[0] for name in where], [model.equity(behind), model.requirement])
            left = model.balance - behind + model.equity(behind)
        same(numbers(rows["lost to liquidation"][i]), [behind if column["closed"] else 0])
        same(numbers(rows["the whole account"][i]), [left])
        assert rows["the whole account"][i].endswith(f" {unit}")


# ----------------------------------------------------------------- the sweep


def states(explorer, presets):
    """From each preset, both sides: every control at its ends and a step either side; all pairs of ends."""
    ends = {name: (c.min, c.max, c.step) for name, c in explorer.controls.items() if name in NUMERIC}
    found = {}
    for name, side in product(presets, (1, -1)):
        base = explorer.presets[name] | {"side": side}
        changes = [{}]
        for control, (low, high, step) in ends.items():
            here = base[control]
            values = (low, high, max(low, here - step), min(high, here + step), low + step, high - step)
            changes += [{control: value} for value in values]
        for (a, (low, high, _)), (b, (low_, high_, _)) in combinations(ends.items(), 2):
            changes += [{a: x, b: y} for x, y in product((low, high), (low_, high_))]
        for change in changes:
            state = {key: round(value, 9) for key, value in (base | change).items()}
            found[tuple(state.values())] = state
    return list(found.values())


def test_every_state_reads_as_the_model_says(explorer):
    swept = states(explorer, explorer.presets)
    assert len(swept) > 100
    refused = 0
    for state in swept:
        reading = explorer.read(**state)
        check_reading(explorer, reading, state)
        refused += bool(reading["isolated"]["refused"])
    assert 0 < refused < len(swept) / 2


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_is_shown(kind):
    shown = IsolatedMargin(**KINDS[kind])
    swept = states(shown, list(shown.presets) if kind == "inverse" else [next(iter(shown.presets))])
    frame = shown.still.value
    for state in swept:
        shown.set(**state)
        html = shown.view.value
        assert shown.error is None, (state, shown.error)
        assert shown.state() == pytest.approx(state)
        assert html.count("<svg") == html.count("</svg>") == html.count('role="img"') == 1
        assert Cells(html).sentence == shown.reading["sentence"]
        check_table(shown, html, shown.reading, state)
    assert shown.still.value == frame


def test_every_preset_and_both_sides(explorer):
    for name in explorer.presets:
        explorer.preset(name)
        assert explorer.error is None and explorer.picker.value == name
        assert explorer.state() == pytest.approx(explorer.presets[name])
        for side in (1, -1):
            explorer.set(side=side)
            check_reading(explorer, explorer.reading, explorer.state())
            check_table(explorer, explorer.view.value, explorer.reading, explorer.state())


# Where the price stops just at bankruptcy, what is missing is nothing, not 8.882e-16.
@pytest.mark.parametrize(
    "state", [(7, 2, -1, 40), (13, 0.5, -1, 4), (16, 6, -1, 60), (20, 5, 1, -20), (40, 10, 1, -20)]
)
def test_rounding_noise_is_not_told_as_a_shortfall(state):
    explorer = IsolatedMargin()
    reading = explorer.read(*state)
    assert reading["isolated"]["closed"] and reading["isolated"]["lost"] == state[1]
    assert "more than stood behind it" not in reading["sentence"], reading["sentence"]


def test_the_liquidation_price_moves_away_as_margin_is_added(explorer):
    margin = explorer.controls["margin"]
    ladder = np.linspace(margin.min, margin.max, 24)
    b, near = explorer.balance, 0
    for size, side in product((b / 2, 2 * b, 5 * b), (1, -1)):
        distances = []
        for value in ladder:
            column = explorer.read(size, float(value), side, 0.0)["isolated"]
            if not column["refused"]:
                price = nearest(column["liquidation"])
                distances.append(math.inf if price is None else (1 - price / explorer.entry) * side)
        assert distances and distances[0] > 0
        assert all(a < b or a == b == math.inf for a, b in pairwise(distances)), distances
        near += distances[0] < 0.5
    assert near == 6


def test_the_loss_is_capped_at_the_margin_and_the_rest_is_out_of_reach(explorer):
    b, closed = explorer.balance, 0
    for size, margin, side, move in product((b, 5 * b, 10 * b), (b / 10, b / 2, b), (1, -1), range(-60, 61, 12)):
        reading = explorer.read(size, margin, side, float(move))
        column = reading["isolated"]
        if column["refused"]:
            continue
        assert column["lost"] <= margin
        assert column["account"] >= b - margin - 1e-9 * b
        assert column["out of reach"] == pytest.approx(b - margin)
        closed += column["closed"]
    assert closed > 20


def test_ten_coins_five_behind_the_trade():
    """The lesson's own figures, from its prose."""
    explorer = IsolatedMargin()
    assert next(iter(explorer.presets)) == "5 of 10 BTC"
    assert explorer.state() == {"size": 50, "margin": 5, "side": 1, "move": -5}
    sentence = explorer.reading["sentence"]
    for words in ("45,636 USD", "8.7 % below entry", "5 BTC behind", "lost 2.632 BTC", "open", "2.368 BTC of equity"):
        assert words in sentence
    explorer.set(move=-12)
    for words in ("lost 6.818 BTC", "1.818 more than stood behind it", "closed", "other 5 BTC"):
        assert words in explorer.reading["sentence"]
    assert explorer.reading["cross"]["equity"] == pytest.approx(3.182, abs=5e-4)
    explorer.set(move=-18)
    assert (explorer.reading["cross"]["account"], explorer.reading["isolated"]["account"]) == (0, 5)


def test_the_largest_short_that_no_price_closes():
    explorer = IsolatedMargin()
    explorer.set(size=5, side=-1)
    assert "inverse short of 1x or less" in explorer.reading["sentence"]
    assert nearest(explorer.reading["isolated"]["liquidation"]) is None
    explorer.set(size=6)
    assert nearest(explorer.reading["isolated"]["liquidation"]) > 50_000


def test_what_a_venue_leaves_over_is_not_said_to_be_lost():
    explorer = IsolatedMargin(venue=replace(venues.TEACHING, surplus_to="trader"))
    explorer.set(move=-9)  # between liquidation (-8.7 %) and bankruptcy (-9.1 %)
    column = explorer.reading["isolated"]
    assert column["closed"] and 0 < column["lost"] < 5 and column["account"] > 5
    assert close(numbers(explorer.reading["sentence"].partition("closed")[2])[0], column["lost"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_trade_gives_the_venues_reason(kind):
    explorer = IsolatedMargin(**KINDS[kind])
    b = explorer.balance
    explorer.set(size=10 * b, margin=b / 20, side=-1, move=3)
    assert "leverage 200 is above the" in explorer.reading["isolated"]["refused"]
    assert "leverage 200 is above the" in Cells(explorer.view.value).sentence
    assert explorer.error is None and "<svg" in explorer.view.value
    check_table(explorer, explorer.view.value, explorer.reading, explorer.state())
    explorer.preset(next(iter(explorer.presets)))
    assert "leverage 200" not in explorer.view.value and not explorer.reading["isolated"]["refused"]


def test_every_move_of_the_price_changes_the_picture(explorer):
    """No dead zones: the "now" mark is in the picture at every price, at the presets' sizes."""
    for name in explorer.presets:
        explorer.preset(name)
        before = None
        for move in range(-60, 61, 10):
            explorer.set(move=move)
            picture = re.search("<svg.*</svg>", explorer.view.value, re.S)[0]
            assert "<use" in picture, (name, move)
            assert picture != before
            before = picture
