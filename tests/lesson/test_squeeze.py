"""The explorer of lesson 05: both books at every rise, by plain arithmetic."""

import re
from itertools import product

import numpy as np
import pytest

from marginlab import Liquidation, Perpetual, Tiers, cancel_orders, close_all, close_each, replace
from marginlab.lesson import Squeeze, figures
from marginlab.rules import FUND, TRADER
from tests.lesson.shown import numbers, plain, states

MODES = ("isolated", "cross")
COINS = ("APT", "ZIL", "FTT", "SRM", "LPT", "SOL")


def coin(rate, leverage=None, index="APT", settle="USDT", **about):
    tiers = Tiers.flat(rate, leverage=leverage)
    return Perpetual(f"{index}-{settle}", index=index, settle=settle, tiers=tiers, **about)


OWN = coin(0.01, face=0.1, index="XYZ", settle="USDC")
# Arguments, and (balance, maintenance rate of a short, its highest leverage, the coins).
KINDS = {
    "teaching": ({}, (10_000.0, 0.02, 25, COINS[:3])),
    "dear": ({"balance": 1_234.5, "instrument": coin(0.05, 10), "shorts": 2}, (1_234.5, 0.05, 10, COINS[:2])),
    "own": ({"instrument": OWN, "balance": 2e4, "shorts": 6}, (2e4, 0.01, 100, ("XYZ", *COINS[:5]))),
    "dearer": ({"instrument": coin(0.5), "shorts": 1}, (10_000.0, 0.5, 2, COINS[:1])),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def explorer(kind):
    return Squeeze(**KINDS[kind][0])


@pytest.fixture(scope="module")
def teaching():
    return Squeeze()


# ------------------------------------------------------- both books, once more


class Books:
    """n shorts of `worth` each, and a long of BTC for the balance whose price stands."""

    def __init__(self, kind, size, allocation, kept, correlation, pump):
        self.balance, self.rate, self.most, self.coins = KINDS[kind][1]
        self.n, self.worth, self.rise = len(self.coins), size / 100 * self.balance, pump / 100
        self.back = kept == TRADER
        self.margin = allocation / 100 * self.balance / (self.n + 1)
        self.shares = [1.0] + [correlation] * (self.n - 1)
        # margin - worth x = rate * worth (1 + x), x the rise of the coin itself
        self.alone = (self.margin / self.worth - self.rate) / (1 + self.rate)
        # balance - worth x sum = rate * worth (n + x sum) + 0.4 % of the long, x that of the first
        total = sum(self.shares) * self.worth * (1 + self.rate)
        self.all = (0.996 * self.balance - self.rate * self.worth * self.n) / total
        alone = [self.alone / share if share else np.inf for share in self.shares]
        self.ends = {"isolated": alone, "cross": [self.all]}

    def opens(self, mode):
        margin, balance = self.margin, self.balance
        if mode == "cross":
            return self.n * self.worth / self.most + balance / 125 <= balance
        enough = margin * self.most >= self.worth * (1 - 1e-12) and margin * 125 >= balance
        return enough and margin > self.rate * self.worth * (1 + 1e-9)  # not on its line at once

    def at(self, mode, rise):
        """(worth, positions open, coins closed) when the first coin has gone up by `rise`.

        Of a closed pool the requirement at its line is left, for the fund or for the trader."""
        if mode == "cross":
            lost = self.worth * rise * sum(self.shares)
            closed = [*self.coins, "BTC"]
            left = self.balance - self.worth * self.all * sum(self.shares) if self.back else 0.0
            gone = rise >= self.all
            return (left, 0, closed) if gone else (self.balance - lost, self.n + 1, [])
        lost, closed = 0.0, []
        for name, share in zip(self.coins, self.shares, strict=True):
            gone = bool(rise * share >= self.alone)
            closed += [name] * gone
            end = self.worth * self.alone if self.back else self.margin
            lost += end if gone else self.worth * rise * share
        return self.balance - lost, self.n + 1 - len(closed), closed

    def near(self, rise):
        """Whether a pool is just at its line: left to rounding."""
        return any(abs(end - rise) < 1e-9 for ends in self.ends.values() for end in ends)


def money(text):
    return float(text.replace(",", ""))


def check(explorer, reading, state, books):
    assert set(reading["refused"]) == {mode for mode in MODES if not books.opens(mode)}
    sentence, (head, rows) = reading["sentence"], reading["table"]
    plain(sentence)
    unit = explorer.unit
    assert head == ["", "positions open", "first closed at", f"worth now ({unit})"]
    if reading["refused"]:
        assert sentence.startswith("The venue would not open this. ")
        for mode, why in reading["refused"].items():
            assert why in sentence and mode in sentence.lower()
        told = [[mode, "not open" if mode in reading["refused"] else "", "", ""] for mode in MODES]
        assert rows == told
        return
    rises = [share * books.rise for share in books.shares]
    assert reading["moves"] == pytest.approx(dict(zip(books.coins, rises, strict=True)))
    for mode in MODES:
        worth, count, closed = books.at(mode, books.rise)
        column = reading[mode]
        assert column["worth"] == pytest.approx(worth, abs=1e-6 * books.balance)
        assert column["open"] == count and column["start"].liquidations == ()
        names = [f"isolated {name}-{unit}" for name in closed]
        names = [f"cross {unit}"] if mode == "cross" and closed else names
        assert column["closed"] == names, mode
        ends = sorted(end for end in books.ends[mode] if end < np.inf)
        assert sorted(column["ends"].values()) == pytest.approx(ends)
    check_sentence(sentence.replace(unit, "USDT"), state, books)
    check_rows(rows, books)


def check_sentence(sentence, state, books):
    first, rest = sentence.split(". Isolated: ")
    isolated, cross = rest.removesuffix(".").split(". Cross: ")
    assert first.startswith(books.coins[0])
    first = numbers(first)
    assert first[0] == pytest.approx(state["pump"], rel=1e-5)
    others = state["correlation"] * state["pump"] if books.n > 1 else 0
    assert first[1:] == ([pytest.approx(others, rel=1e-5)] if others else [])
    worth, count, closed = books.at("isolated", books.rise)
    assert re.findall(r"[A-Z]{3}\b", isolated.replace("USDT", "")) == closed, isolated
    assert ("nothing closed" in isolated) == (not closed)
    assert (" and " in isolated) == (len(closed) > 1)
    assert f"{count} position{'s' * (count != 1)} open" in isolated
    shown = [money(n) for n in re.findall(r"\d[\d,]*", isolated)]
    assert shown == [count, pytest.approx(worth, abs=0.51)]
    worth, count, closed = books.at("cross", books.rise)
    gone = "the pool is closed, the BTC long with it" in cross
    assert gone == bool(closed) == ("open" not in cross)
    shown = [money(n) for n in re.findall(r"\d[\d,]*", cross)]
    assert shown == [count] * (not closed) + [pytest.approx(worth, abs=0.51)]


def check_rows(rows, books):
    assert [row[0] for row in rows] == [*MODES, "difference"]
    for row, mode in zip(rows, MODES, strict=False):
        worth, count, _ = books.at(mode, books.rise)
        assert row[1] == f"{count} of {books.n + 1}" and abs(money(row[3]) - worth) <= 0.51
        end = min(books.ends[mode])
        if abs(end - 1) > 1e-9:
            assert ("not up to 100 %" == row[2]) == (end > 1)
            assert end > 1 or abs(numbers(row[2])[0] - 100 * end) <= 0.051, (row, end)
    gap = books.at("cross", books.rise)[0] - books.at("isolated", books.rise)[0]
    assert abs(money(rows[2][3]) - gap) <= 0.51 and rows[2][3] != "-0"
    assert abs(gap) < 0.6 or (rows[2][3][0] == "-") == (gap < 0) == (rows[2][3][0] != "+")


def check_drawn(explorer, reading, state, books):
    for mode, axes in zip(MODES, explorer.layers.axes, strict=True):
        names = ("worth", "now", "closed")
        line, now, ends = artists = [explorer.layers.drawn[f"{mode} {name}"] for name in names]
        assert {artist.axes for artist in artists} == {axes}
        if mode in reading["refused"]:
            assert all(len(artist.get_xdata()) == 0 for artist in artists)
            continue
        x, y = line.get_data()
        assert x[0] == 0 and x[-1] == 100 and (np.diff(x) > 0).all()
        want = np.array([books.at(mode, rise / 100)[0] for rise in x])
        sure = np.array([not books.near(rise / 100) for rise in x])
        np.testing.assert_allclose(y[sure], want[sure], atol=1e-6 * books.balance)
        assert list(now.get_xdata()) == [state["pump"]]
        assert list(now.get_ydata()) == [reading[mode]["worth"]]
        at = sorted(100 * end for end in books.ends[mode] if end <= 1)
        assert list(ends.get_xdata()) == pytest.approx(at, abs=1e-6), mode
        after = [books.at(mode, end / 100 + 1e-8)[0] for end in at]
        assert list(ends.get_ydata()) == pytest.approx(after, abs=1e-3 * books.balance), mode
        for end in at:  # a step, and no slope
            near = sorted(x[abs(x - end) < 1e-5])
            assert near[0] < end + 1e-9 and near[-1] > end - 1e-9 and len(near) >= 2 - (end > 99.99)
        for artist in artists:
            limits = (axes.get_xlim(), axes.get_ylim())
            for values, (low, high) in zip(artist.get_data(), limits, strict=True):
                inside = len(values) == 0 or (low <= min(values) and max(values) <= high)
                assert inside, "off the axes"


def test_every_state_reads_and_draws_as_the_arithmetic_says(explorer, kind):
    seen, limits = set(), [(axes.get_xlim(), axes.get_ylim()) for axes in explorer.layers.axes]
    for state in states(explorer, count=20, starts=1):
        books, reading = Books(kind, **state), explorer.read(**state)
        explorer.draw(explorer.layers, reading)
        try:
            check(explorer, reading, state, books)
            check_drawn(explorer, reading, state, books)
        except AssertionError as error:
            raise AssertionError(f"at {state}: {error}") from error
        open_ = not reading["refused"]
        seen.add((open_, *(bool(reading[mode]["closed"]) for mode in MODES if open_)))
    assert [(axes.get_xlim(), axes.get_ylim()) for axes in explorer.layers.axes] == limits
    every = {(False,), (True, False, False), (True, True, False), (True, True, True)}
    assert every <= seen or kind == "dearer", seen
    explorer.update()


def test_the_whole_balance_can_be_walled_off(explorer, kind):
    """In parts of which no rounding makes the last one too many."""
    for size, allocation in product((25.0, 60.0, 300.0), np.arange(10.0, 100.1, 5.0)):
        state = {"size": size, "allocation": float(allocation), "kept": FUND}
        state |= {"correlation": 0.0, "pump": 0.0}
        books, refused = Books(kind, **state), explorer.read(**state)["refused"]
        assert set(refused) == {mode for mode in MODES if not books.opens(mode)}, state


def test_exactly_at_the_line_a_pool_is_closed_and_just_before_it_is_open(teaching):
    first = next(iter(teaching.presets.values()))
    for kept, correlation in product((FUND, TRADER), (0.0, 0.5, 1.0)):
        state = first | {"kept": kept, "correlation": correlation, "size": 200.0}
        books = Books("teaching", **state)
        for mode, end in (("isolated", books.alone), ("cross", books.all)):
            pumps = (100 * end - 1e-6, 100 * end + 1e-6)
            before, after = (teaching.read(**state | {"pump": pump})[mode] for pump in pumps)
            assert not before["closed"] and after["closed"], (mode, state)


# ---------------------------------------------------------------- the lesson


def test_the_lessons_own_figures():
    """2,000 behind a short of 30,000: 2,000 - 30,000 x = 600 (1 + x); 10,000 less 1,840 in one."""
    explorer = Squeeze()
    assert explorer.reading["sentence"] == (
        "APT has gone up by 30 %. Isolated: APT closed, 3 positions open, 8,000 USDT left. "
        "Cross: the pool is closed, the BTC long with it; 0 USDT left."
    )
    rows = {row[0]: row[1:] for row in explorer.reading["table"][1]}
    assert rows["isolated"] == ["3 of 4", f"{100 * 1_400 / 30_600:.1f} %", "8,000"]
    assert rows["cross"] == ["0 of 4", f"{100 * 8_160 / 30_600:.1f} %", "0"]
    assert rows["difference"][-1] == "-8,000"
    explorer.preset("one coin, +6 %")
    assert explorer.reading["cross"]["worth"] == pytest.approx(8_200)
    assert explorer.reading["table"][1][2][-1] == "+200"
    explorer.preset("the rest returned: one coin, +30 %")  # 2,000 at the pool's line: a fifth
    assert explorer.reading["cross"]["worth"] == pytest.approx(10_000 - 30_000 * 8_160 / 30_600)
    explorer.set(allocation=10.0, size=300.0)
    said = "The venue would not open this. Isolated: leverage 120 is above the 25 allowed"
    assert explorer.reading["sentence"].startswith(said)
    assert "1200 USDT, not 250." in explorer.reading["sentence"]


def test_controls_and_presets(teaching):
    assert list(teaching.controls) == ["size", "allocation", "kept", "correlation", "pump"]
    assert list(teaching.controls["kept"].options.values()) == [FUND, TRADER]
    keeps, returns = teaching.controls["kept"].tooltips
    assert "fund keeps" in keeps and "returns" in returns
    sliders = {name: c for name, c in teaching.controls.items() if name != "kept"}
    reach = {name: (c.min, c.max, c.step) for name, c in sliders.items()}
    assert reach.pop("size") == (25, 300, 5) and reach.pop("allocation") == (10, 100, 5)
    assert reach == {"correlation": (0, 1, 0.05), "pump": (0, 100, 0.5)}
    first = {"size": 300, "allocation": 80, "kept": FUND, "correlation": 0, "pump": 30}
    assert next(iter(teaching.presets.values())) == first
    shared = {"all coins": 1, "half as much": 0.5}
    for name, state in teaching.presets.items():
        rise = re.search(r"\+(\d+) %", name)
        assert not rise or float(rise[1]) == state["pump"]
        part = next((share for word, share in shared.items() if word in name), 0)
        assert state["correlation"] == part
        assert ("returned" in name) == (state["kept"] == TRADER)
        assert ("smaller" in name) == (state["size"] == 100)
        half = state["size"] == 150 and state["allocation"] == 40
        assert ("half as large" in name) == half
        assert not teaching.read(**state)["refused"]


def test_panels(teaching):
    for axes, mode in zip(teaching.layers.axes, MODES, strict=True):
        assert axes.get_title().startswith(mode)
        assert axes.get_xlabel() == "rise of the first coin (%)" and axes.get_xlim() == (0, 100)
        assert axes.get_ylim()[0] < 0 and axes.get_ylim()[1] > 10_000
        for name, style in (("worth", "equity"), ("now", "price"), ("closed", "closed")):
            artist = teaching.layers.drawn[f"{mode} {name}"]
            assert artist.get_color() == figures.STYLES[style]["color"]
    assert "USDT" in teaching.layers.axes[0].get_ylabel()
    words = [text.get_text() for text in teaching.layers.axes[0].get_legend().get_texts()]
    assert words == ["equity", "now", "a pool is closed"]


def test_the_vessels_are_the_pools(teaching):
    """2,000 behind each of three, one closed; 10,000 in cross, all of it gone or a fifth returned."""
    for name, closed, rest, left in (
        ("one coin, +30 %", 2_000.0, 2_000.0, 0.0),
        ("the rest returned: one coin, +30 %", 30_000 * 1_400 / 30_600, 2_627.45, 2_000.0),
    ):
        teaching.preset(name)
        shown = teaching.layers.vessels.shown
        assert [v.name for v in shown] == ["APT short", "other shorts, each", "BTC long", "the rest", "cross"]
        assert [v.isolated for v in shown] == [True] * 3 + [False] * 2
        assert [bool(v.ended) for v in shown] == [True, False, False, False, True]
        assert [v.equity for v in shown] == pytest.approx([0, 2_000, 2_000, rest, left], abs=0.01)
        assert -shown[0].pnl == pytest.approx(closed) and shown[3].collateral == 2_000
        assert shown[4].collateral == pytest.approx(10_000)
        assert [v.required for v in shown[1:3]] == [600, 40]
    teaching.preset("all coins, +10 %")  # both others have lost 10 % of 30,000 and more than 2,000
    assert [bool(v.ended) for v in teaching.layers.vessels.shown] == [True, True, False, False, True]


@pytest.mark.parametrize("shorts", [0, 7, 2.5, True, "3"])
def test_shorts_are_one_to_six(shorts):
    with pytest.raises((TypeError, ValueError), match="shorts must be a whole number"):
        Squeeze(shorts=shorts)


def test_a_coin_that_is_held_long_cannot_be_squeezed():
    with pytest.raises(ValueError, match="instrument must not be of BTC"):
        Squeeze(coin(0.02, index="BTC"))


# ------------------------------------------------------------------ its limits


def left(explorer, pump, impact=0.0, steps=1, **rules):
    """What the cross account is worth after a rise in steps, and what the fund had (+) or paid."""
    account = explorer.book(300.0, FUND)
    account = replace_venue(account, explorer, **rules) if rules else account
    for rise in np.linspace(0, pump, steps + 1)[1:]:
        account = account.mark(APT=100 * (1 + rise / 100)).liquidate(impact=impact)
    fund = sum(event.flows.get("insurance fund", 0.0) for event in account.events)
    return sum(pool.equity() for pool in account.pools), fund


def replace_venue(account, explorer, **rules):
    other = Squeeze()
    other.venue = replace(explorer.venue, **rules)
    return other.book(300.0, FUND)


def test_its_limits_are_true(teaching):
    """Impact and gaps cost the fund; partial liquidation can save a part of the cross pool."""
    for pump in (30.0, 60.0):
        assert left(teaching, pump, 0.05)[1] < left(teaching, pump)[1]
        assert left(teaching, pump)[1] < left(teaching, pump, steps=200)[1]
    each = Liquidation(cancel_orders, close_each, close_all)
    saved = left(teaching, 30.0, steps=200, liquidation=each)[0]
    assert saved > 0 == left(teaching, 30.0, steps=200)[0]
