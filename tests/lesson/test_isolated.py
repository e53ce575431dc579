"""The explorers of the start page and of lesson 01: what they show is what the model says."""

import math

import numpy as np
import pytest

from marginlab import Account, Perpetual, Pool, Position, liquidation_price, replace, venues
from marginlab.lesson import FirstTrade, IsolatedMargin
from tests.lesson.shown import close, drawn, numbers, plain, same, states

LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
KINDS = {
    "inverse": {},
    "linear": {"instrument": LINEAR, "venue": venues.BINANCE_2026_09, "balance": 100_000},
    "linear, small": {"instrument": LINEAR, "entry": 61_234.5, "balance": 300},
    "coin tiers": {"venue": venues.BINANCE_COIN_2020_06},
}


@pytest.fixture(scope="module", params=KINDS)
def explorer(request):
    return IsolatedMargin(**KINDS[request.param])


# ------------------------------------------------- the model, once more


class Model:
    """The trade of a state, by the definitions alone: equity, requirement, who pays."""

    def __init__(self, explorer, size, margin, side, move):
        venue = explorer.start.venue
        inst, entry = explorer.instrument, explorer.entry
        self.price, self.balance, self.size = entry * (1 + move / 100), explorer.balance, size
        tiers = venue.schedule(inst)
        contracts = side * size * (entry if inst.inverse else 1 / entry) / inst.face
        coins, n = contracts * inst.face, size * self.price / entry
        self.pnl = coins * (self.price - entry)
        if inst.inverse:
            self.pnl, n = coins / entry - coins / self.price, size * entry / self.price
        tier = max(i for i, floor in enumerate(tiers.floors) if n >= floor)
        self.requirement = n * tiers.rates[tier] - tiers.amounts[tier]
        self.behind = {"isolated": margin, "cross": explorer.balance}
        held, at = [Position(inst, contracts, entry)], {inst.index: entry}
        unit = inst.settle
        self.pools = {m: Pool(unit, {unit: b}, held, venue, at) for m, b in self.behind.items()}
        self.array_price = liquidation_price(venue, inst, contracts, entry, margin)
        self.refused = ""
        try:
            start = Account(venue, **{unit: explorer.balance}).mark(**at)
            start.trade(inst, contracts, entry, isolated=margin)
        except ValueError as error:
            self.refused = str(error)

    def equity(self, mode):
        return self.behind[mode] + self.pnl

    def away(self, mode):
        return self.balance - self.behind[mode]


def nearest(found):
    return found.below.price if found.below.price is not None else found.above.price


def check_columns(explorer, reading, it):
    assert reading["price"] == pytest.approx(it.price)
    assert reading["pnl"] == pytest.approx(it.pnl, abs=1e-6)
    assert reading["isolated"]["refused"] == it.refused
    noise = 1e-9 * it.balance
    for mode, pool in it.pools.items():
        column, equity = reading[mode], it.equity(mode)
        assert column["behind"] == it.behind[mode]
        assert column["leverage"] == pytest.approx(it.size / it.behind[mode])
        if column["refused"]:
            continue
        if abs(equity - it.requirement) > noise:
            assert bool(column["closed"]) == (equity <= it.requirement)
        for name in ("liquidation", "bankruptcy"):
            price = nearest(getattr(pool, name)())
            told = column[name].price
            assert told == (price if price is None else pytest.approx(price, rel=1e-9))
        if column["closed"]:
            assert column["lost"] == pytest.approx(it.behind[mode])
            assert column["lost"] <= it.behind[mode]
            assert column["closed"].shortfall == pytest.approx(max(0.0, -equity), abs=noise)
            assert (column["equity"], column["requirement"]) == (0, 0)
            assert column["account"] == pytest.approx(it.away(mode), abs=noise)
        else:
            assert column["lost"] == 0 and column["equity"] == pytest.approx(equity, abs=noise)
            assert column["requirement"] == pytest.approx(it.requirement, abs=noise)
            assert column["account"] == pytest.approx(it.away(mode) + equity, abs=noise)


def check_sentence(explorer, reading, it, state):
    sentence, isolated, noise = reading["sentence"], reading["isolated"], 1e-9 * it.balance
    plain(sentence)
    if it.refused:
        assert sentence == f"The venue would not open this trade: {it.refused}."
        return
    found = it.pools["isolated"].liquidation()
    line, expected = nearest(found), []
    if line is None:
        assert math.isnan(it.array_price)
        reason = (found.below if state["side"] > 0 else found.above).why
        assert reason in sentence
        sentence = sentence.replace(reason, "")
    else:
        assert it.array_price == pytest.approx(line, rel=1e-9)
        below = line < explorer.entry
        assert ("below entry" in sentence, "above entry" in sentence) == (below, not below)
        expected = [line, (1, abs(line / explorer.entry - 1) * 100), it.behind["isolated"]]
    expected += [(1, state["move"])] + [abs(it.pnl)] * (abs(it.pnl) > noise)
    body, _, rest = sentence.partition("closed")
    assert ("gained" in body, "lost" in body) == (it.pnl > noise, it.pnl < -noise)
    if isolated["closed"]:
        missing = -it.equity("isolated")
        expected += [missing] * (missing > noise)
        same(numbers(rest), [isolated["lost"], it.away("isolated")])
    else:
        assert "is open" in sentence and not rest
        expected.append(it.equity("isolated"))
    same(numbers(body.replace("+", "")), expected)
    assert explorer.unit in sentence


def check_table(explorer, reading, it):
    head, rows = reading["table"]
    rows, unit = (
        {name: dict(zip(it.pools, cells, strict=True)) for name, *cells in rows},
        explorer.unit,
    )
    assert [text.split()[1:] for text in head[1:]] == [[unit, "isolated"], [unit, "cross"]]
    same([number for text in head[1:] for number in numbers(text)], list(it.behind.values()))
    where = [name for name in rows if name.startswith(("equity at", "requirement at"))]
    refused = any(reading[mode]["refused"] for mode in it.pools)
    assert (
        refused or [numbers(name)[0] for name in where] == [pytest.approx(it.price, abs=max(0.5, 5e-6 * it.price))] * 2
    )
    for mode, pool in it.pools.items():
        column, cell = reading[mode], {name: row[mode] for name, row in rows.items()}
        same(numbers(cell["leverage"][:-1]), [it.size / it.behind[mode]])
        if refused:
            assert cell["opened"] == ("no" if column["refused"] else "yes") and len(cell) == 2
            continue
        for name in ("liquidation", "bankruptcy"):
            price = nearest(getattr(pool, name)())
            told = cell[f"{name} price"]
            away = price and (1, (price / explorer.entry - 1) * 100)
            assert (told == "none") == (price is None)
            same(numbers(told.replace("+", "")), [price, away] if price else [])
        left, lost = it.away(mode), it.behind[mode]
        if column["closed"]:
            assert [cell[name] for name in where] == ["closed", "closed"]
        else:
            left, lost = left + it.equity(mode), 0
            told = [numbers(cell[name])[0] for name in where]
            same(told, [it.equity(mode), it.requirement])
        same(numbers(cell["lost to liquidation"]), [lost])
        same(numbers(cell["the whole account"]), [left])
        assert cell["the whole account"].endswith(f" {unit}")


def check_drawn(explorer, reading, it):
    layers, isolated = explorer.layers.drawn, reading["isolated"]
    index = explorer.instrument.index
    for mode, name in (("isolated", "equity"), ("cross", "equity, cross")):
        x, y = drawn(layers[name])
        assert bool(len(x)) != bool(reading[mode]["refused"])
        pool = it.pools[mode]
        alive = pool.slack({index: x}) > 0
        np.testing.assert_allclose(y, np.where(alive, pool.equity({index: x}), 0), rtol=1e-9)
        if len(x) and (end := nearest(pool.liquidation())):
            near = sorted(x[abs(x / end - 1) < 1e-8])
            assert near[0] < end < near[-1], "a step, and no slope"
    if it.refused:
        assert not any(len(layers[n].get_xdata()) for n in ("requirement", "price", "bankruptcy"))
        assert not layers["liquidation label"].get_text()
        return
    x, y = drawn(layers["requirement"])
    np.testing.assert_allclose(y, it.pools["isolated"].requirement({index: x}), rtol=1e-9)
    top = 1.2 * it.balance
    told = [[it.price], [pytest.approx(min(isolated["equity"], top))]]
    assert [list(row) for row in layers["price"].get_data()] == told
    for name in ("liquidation", "bankruptcy"):
        end, text = nearest(getattr(it.pools["isolated"], name)()), layers[f"{name} label"]
        assert list(layers[name].get_xdata()) == ([pytest.approx(end)] * 2 if end else [])
        assert (text.get_text() == "") == (end is None)
        if end:
            assert close(numbers(text.get_text())[0], end) and text.get_text().startswith(name)
            away = (text.get_position()[0] - end) * (end - explorer.entry)
            assert away > 0, "on the far side, where nothing is drawn"
            assert text.get_ha() == ("left" if end > explorer.entry else "right")


def test_every_state_reads_and_draws_as_the_model_says(explorer):
    seen = {"refused": 0, "closed": 0, "open": 0}
    for state in states(explorer, count=50, starts=5):
        reading, it = explorer.read(**state), Model(explorer, **state)
        explorer.draw(explorer.layers, reading)
        check_columns(explorer, reading, it)
        check_sentence(explorer, reading, it, state)
        check_table(explorer, reading, it)
        check_drawn(explorer, reading, it)
        seen["refused"] += bool(it.refused)
        seen["closed"] += bool(reading["isolated"]["closed"])
        seen["open"] += not it.refused and not reading["isolated"]["closed"]
    assert all(count > 3 for count in seen.values()), seen
    explorer.update()


# Where the price stops just at bankruptcy, what is missing is nothing, not 8.882e-16.
NOISY = [(7, 2, -1, 40), (13, 0.5, -1, 4), (16, 6, -1, 60), (20, 5, 1, -20), (40, 10, 1, -20)]


@pytest.mark.parametrize("state", NOISY)
def test_rounding_noise_is_not_told_as_a_shortfall(state):
    state = dict(zip(("size", "margin", "side", "move"), state, strict=True))
    reading = IsolatedMargin().read(**state)
    assert reading["isolated"]["closed"] and reading["isolated"]["lost"] == state["margin"]
    assert "more than stood behind it" not in reading["sentence"], reading["sentence"]


def test_ten_coins_five_behind_the_trade():
    """The lesson's own figures, from its prose."""
    explorer = IsolatedMargin()
    assert next(iter(explorer.presets)) == "5 of 10 BTC"
    assert explorer.state() == {"size": 50, "margin": 5, "side": 1, "move": -5}
    assert explorer.reading["sentence"] == (
        "At 45,636.4 USD, 8.7 % below entry, the 5 BTC behind this trade no longer cover its "
        "requirement. After a move of -5.0 % the trade has lost 2.632 BTC and is open, with 2.368 "
        "BTC of equity."
    )
    explorer.set(move=-12)
    for words in ("lost 6.818 BTC", "1.818 more than stood behind it", "closed", "other 5 BTC"):
        assert words in explorer.reading["sentence"]
    assert explorer.reading["cross"]["equity"] == pytest.approx(3.182, abs=5e-4)
    explorer.set(move=-18)
    account = explorer.reading["cross"]["account"], explorer.reading["isolated"]["account"]
    assert account == (0, 5)
    explorer.set(size=5, side=-1)
    assert "inverse short of 1x or less" in explorer.reading["sentence"]


def test_what_a_venue_leaves_over_is_not_said_to_be_lost():
    explorer = IsolatedMargin(venue=replace(venues.TEACHING, surplus_to="trader"))
    explorer.set(move=-9)  # between liquidation (-8.7 %) and bankruptcy (-9.1 %)
    column = explorer.reading["isolated"]
    assert column["closed"] and 0 < column["lost"] < 5 and column["account"] > 5
    assert close(numbers(explorer.reading["sentence"].partition("closed")[2])[0], column["lost"])


# ------------------------------------------------------------ the start page

ENTRY, SIZE, MARGIN, BALANCE = 50_000, 0.2, 1_000, 2_000


@pytest.fixture(scope="module")
def first():
    return FirstTrade()


MOVES = [-25, -20, -19.7, -19.6, -12, -9.7, -9.6, -9.5, -5, -0.1, 0, 0.1, 25]


@pytest.mark.parametrize("move", MOVES)
def test_the_first_trade_by_hand(first, move):
    price = ENTRY * (1 + move / 100)
    gain = SIZE * (price - ENTRY)
    alone, together = (behind + gain <= 0.004 * SIZE * price for behind in (MARGIN, BALANCE))
    reading = first.read(move=move)
    said, (head, (trade, left)) = reading["sentence"], reading["table"]
    assert f"Bitcoin is at {price:,.0f} USD, a move of {move:+.1f} %" in said
    turn = f"has {'gained' if gain > 0 else 'lost'} {abs(gain):,.0f} USDT"
    assert (turn if gain else "has gained and lost nothing") in said
    assert ("closed by force: the 1,000 are gone, and 1,000 USDT are left" in said) == alone
    assert (f"It is open: its equity, {MARGIN + gain:,.0f} USDT" in said) == (not alone)
    both = "With all 2,000 USDT behind it, it has been closed as well"
    assert (both in said) == together
    assert head == ["", "1,000 USDT behind it", "2,000 USDT behind it"]
    ends = ("closed by force" if end else "open" for end in (alone, together))
    assert trade == ["the trade is", *ends]
    worth = [BALANCE - MARGIN if alone else BALANCE + gain, 0 if together else BALANCE + gain]
    assert left == ["left in the account", *(f"{amount:,.0f} USDT" for amount in worth)]


def test_where_it_ends_is_not_drawn(first):
    first.set(move=-12)
    for name in ("liquidation", "bankruptcy"):
        assert drawn(first.layers.drawn[name]).size == 0
        assert first.layers.drawn[f"{name} label"].get_text() == ""
    axes = first.layers.axes
    assert axes.get_xlim() == (0.74 * ENTRY, 1.26 * ENTRY) and axes.get_ylim() == (-200, 3_200)
