"""The explorer of lesson 05: both books at every rise, by plain arithmetic."""

import random
import re
from tests.process import process
from marginlab import replace
from itertools import combinations, pairwise, product

import numpy as np
import pytest

from marginlab import Liquidation, Perpetual, Tiers, venues
from marginlab.lesson import figures
from marginlab.lesson.explorers import Squeeze
from tests.lesson.shown import Cells, numbers

MODES = ("isolated", "cross")
COINS = ("APT", "ZIL", "FTT", "SRM", "LPT", "SOL")


def coin(rate, leverage=None, index="APT", settle="USDT", **about):
    tiers = Tiers.flat(rate, leverage=leverage)
    return Perpetual(f"{index}-{settle}", index=index, settle=settle, tiers=tiers, **about)


# Arguments, and (balance, maintenance rate of a short, highest leverage; the same of the long).
KINDS = {
    "teaching": ({}, (10_000.0, 0.02, 25, 0.004, 125)),
    "dear": ({"balance": 1_234.5, "instrument": coin(0.05, 10)}, (1_234.5, 0.05, 10, 0.004, 125)),
    "other venue": (
        {
            "venue": venues.TEACHING_STEPS,
            "instrument": coin(0.01, face=0.1, index="XYZ", settle="USDC"),
            "balance": 20_000.0,
        },
        (20_000.0, 0.01, 100, 0.005, 100),
    ),
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


def both_ends(control):
    """The least and the greatest value of a control: of a slider, or of buttons."""
    values = list(control.options.values()) if hasattr(control, "options") else (control.min, control.max)
    return values[0], values[-1]


def states(explorer, random_=200):
    """Presets, ends and pairs of ends of every control, and random states."""
    found = list(explorer.presets.values())
    ends = {name: both_ends(control) for name, control in explorer.controls.items()}
    for start in list(explorer.presets.values())[::3]:
        for one, other in combinations(ends, 2):
            found += [start | {one: a, other: b} for a, b in product(ends[one], ends[other])]
    rng = random.Random(5)
    for _ in range(random_):
        state = {name: rng.uniform(*ends[name]) for name in ends} | {"shorts": rng.randint(1, 6)}
        state["correlation"] = rng.choice((0.0, 1.0, state["correlation"]))
        state["pump"] = rng.choice((state["pump"], state["pump"] / 5))
        found.append(state)
    return found


# ------------------------------------------------------- both books, once more


class Books:
    """Two accounts: n shorts of `worth` each, and a long of BTC for the balance whose price stands."""

    def __init__(self, kind, shorts, size, allocation, correlation, pump):
        self.balance, self.rate, self.most, self.long_rate, self.long_most = KINDS[kind][1]
        self.coins = ("XYZ", *COINS) if kind == "other venue" else COINS
        self.n, self.worth, self.rise = int(shorts), size / 100 * self.balance, pump / 100
        self.margin = allocation / 100 * self.balance / (self.n + 1)
        self.shares = [1.0] + [correlation] * (self.n - 1)
        # margin - worth x = rate * worth (1 + x), x the rise of the coin itself
        self.alone = (self.margin / self.worth - self.rate) / (1 + self.rate)
        # balance - worth x sum = rate * worth (n + x sum) + long_rate * balance, x the rise of the first
        total = sum(self.shares) * self.worth
        self.all = (self.balance * (1 - self.long_rate) - self.rate * self.worth * self.n) / (total * (1 + self.rate))
        self.ends = {"isolated": [self.alone / s if s else np.inf for s in self.shares], "cross": [self.all]}

    def opens(self, mode):
        if mode == "isolated":
            enough = (
                self.margin * self.most >= self.worth * (1 - 1e-12) and self.margin * self.long_most >= self.balance
            )
            return enough and self.margin > self.rate * self.worth * (1 + 1e-9)  # not on its line at once
        return self.n * self.worth / self.most + self.balance / self.long_most <= self.balance

    def at(self, mode, rise):
        """(worth, positions open, coins closed) of an account when the first coin has gone up by `rise`."""
        if mode == "cross":
            gone = rise >= self.all
            lost = self.worth * rise * sum(self.shares)
            return (0.0, 0, [*self.coins[: self.n], "BTC"]) if gone else (self.balance - lost, self.n + 1, [])
        gone = [rise * share >= self.alone for share in self.shares]
        lost = sum(self.margin if g else self.worth * rise * share for g, share in zip(gone, self.shares, strict=True))
        return self.balance - lost, self.n + 1 - sum(gone), [c for c, g in zip(self.coins, gone, strict=False) if g]

    def near(self, rise):
        """Whether a pool is just at its line: left to rounding."""
        return any(abs(end - rise) < 1e-9 for ends in self.ends.values() for end in ends)


def money(text):
    return float(text.replace(",", ""))


def check(explorer, reading, state, books):
    assert {mode for mode in MODES if mode in reading["refused"]} == {m for m in MODES if not books.opens(m)}
    sentence, (head, *rows) = reading["sentence"], Cells(explorer.words(reading)).rows
    assert not re.search(r"\.\d*9999\d|\.\d*00000\d|\bnan\b|\binf\b|None|\.\.", sentence) and sentence.endswith(".")
    assert len(head) == 4 and explorer.cash in head[3] and {len(row) for row in rows} == {4}
    if reading["refused"]:
        assert sentence.startswith("The venue would not open this. ")
        for mode, why in reading["refused"].items():
            assert why in sentence and mode in sentence.lower()
        assert [row[0] for row in rows] == list(MODES)
        assert [bool(row[1]) for row in rows] == [mode in reading["refused"] for mode in MODES]
        return False
    assert reading["moves"] == pytest.approx(
        dict(zip(books.coins, [s * books.rise for s in books.shares], strict=False))
    )
    for mode in MODES:
        worth, count, closed = books.at(mode, books.rise)
        column = reading[mode]
        assert column["worth"] == pytest.approx(worth, abs=1e-6 * books.balance) and column["open"] == count
        assert column["start"].liquidations == () and len(column["after"].liquidations) == len(column["closed"])
        cash = explorer.cash
        names = [f"cross {cash}"] if mode == "cross" else [f"isolated {name}-{cash}" for name in closed]
        assert column["closed"] == (names if closed else []), mode
        assert sum(p.equity() for p in column["start"].pools) == pytest.approx(books.balance)
    assert reading["isolated"]["worth"] >= books.balance - books.n * books.margin - 1e-6 * books.balance
    check_sentence(sentence.replace(explorer.cash, "USDT"), state, books)
    check_rows(rows, books)
    return True


def check_sentence(sentence, state, books):
    first, rest = sentence.split(". Isolated: ")
    isolated, cross = rest.removesuffix(".").split(". Cross: ")
    first = numbers(first)
    assert first[0] == pytest.approx(state["pump"], rel=1e-5)
    others = state["correlation"] * state["pump"] if books.n > 1 else 0
    assert first[1:] == ([pytest.approx(others, rel=1e-5)] if others else [])
    worth, count, closed = books.at("isolated", books.rise)
    assert re.findall(r"[A-Z]{3}\b(?<!UST)", isolated.replace("USDT", "")) == closed, isolated
    assert ("nothing closed" in isolated) == (not closed)
    shown = [money(n) for n in re.findall(r"\d[\d,]*", isolated)]
    assert shown[0] == count and abs(shown[1] - worth) <= 0.51 and len(shown) == 2
    assert f"{count} position{'s' * (count != 1)} open" in isolated
    worth, count, closed = books.at("cross", books.rise)
    assert ("the pool is closed, the BTC long with it" in cross) == bool(closed) == ("open" not in cross)
    shown = [money(n) for n in re.findall(r"\d[\d,]*", cross)]
    assert shown[:-1] == ([] if closed else [count]) and abs(shown[-1] - worth) <= 0.51


def check_rows(rows, books):
    assert [row[0] for row in rows] == [*MODES, "difference"]
    for row, mode in zip(rows, MODES, strict=False):
        worth, count, _ = books.at(mode, books.rise)
        assert row[1] == f"{count} of {books.n + 1}" and abs(money(row[3]) - worth) <= 0.51
        end = min(books.ends[mode])
        if abs(end - 1) > 1e-9:
            assert ("not up to 100" in row[2]) == (end > 1)
            assert end > 1 or abs(numbers(row[2])[0] - 100 * end) <= 0.051, (row, end)
    gap = books.at("cross", books.rise)[0] - books.at("isolated", books.rise)[0]
    assert abs(money(rows[2][3]) - gap) <= 0.51 and rows[2][3] != "-0"
    assert abs(gap) < 0.6 or (rows[2][3][0] == "-") == (gap < 0) == (rows[2][3][0] != "+")


def check_drawn(explorer, reading, state, books):
    drawn = explorer.layers.drawn
    for mode, axes in zip(MODES, explorer.layers.axes, strict=True):
        line, now, ends = (drawn[f"{mode} {name}"] for name in ("worth", "now", "closed"))
        assert line.axes is now.axes is ends.axes is axes
        if mode in reading["refused"] or mode not in reading:
            assert all(len(artist.get_xdata()) == 0 for artist in (line, now, ends))
            continue
        x, y = line.get_data()
        assert x[0] == 0 and x[-1] == 100 and (np.diff(x) > 0).all()
        want = [books.at(mode, rise / 100)[0] for rise in x]
        at_line = np.array([books.near(rise / 100) for rise in x])
        np.testing.assert_allclose(y[~at_line], np.array(want)[~at_line], atol=1e-6 * books.balance)
        assert list(now.get_xdata()) == [state["pump"]] and list(now.get_ydata()) == [reading[mode]["worth"]]
        assert np.interp(state["pump"], x, y) == pytest.approx(reading[mode]["worth"], abs=0.002 * books.balance)
        at = sorted(100 * end for end in books.ends[mode] if end <= 1)
        assert list(ends.get_xdata()) == pytest.approx(at, abs=1e-6), mode
        after = [books.at(mode, end / 100 + 1e-8)[0] for end in at]
        assert list(ends.get_ydata()) == pytest.approx(after, abs=1e-3 * books.balance), mode
        for artist in (line, now, ends):
            for values, (low, high) in zip(artist.get_data(), (axes.get_xlim(), axes.get_ylim()), strict=True):
                assert len(values) == 0 or (low <= np.min(values) and np.max(values) <= high), "off the axes"


def test_every_state_reads_and_draws_as_the_arithmetic_says(explorer, kind):
    swept = states(explorer)
    seen, limits = set(), [(axes.get_xlim(), axes.get_ylim()) for axes in explorer.layers.axes]
    for state in swept:
        books = Books(kind, **state)
        reading = explorer.read(**state)
        assert explorer.draw(explorer.layers, reading) == "fixed"
        try:
            opened = check(explorer, reading, state, books)
            if opened:
                check_drawn(explorer, reading, state, books)
        except AssertionError as error:
            raise AssertionError(f"at {state}: {error}") from error
        seen.add((opened, *(bool(reading[mode]["closed"]) for mode in MODES if opened)))
    assert [(axes.get_xlim(), axes.get_ylim()) for axes in explorer.layers.axes] == limits
    assert {(False,), (True, False, False), (True, True, False), (True, True, True)} <= seen, seen


def test_every_control_to_both_ends_by_the_widgets(explorer, kind):
    still = explorer.still.value
    for name in explorer.presets:
        for key, control in explorer.controls.items():
            explorer.preset(name)
            for value in both_ends(control)[::-1]:
                control.value = value
                assert explorer.error is None, (name, key, value)
                check(explorer, explorer.reading, explorer.state(), Books(kind, **explorer.state()))
                html = explorer.view.value
                assert html.count('role="img"') == 1 and explorer.still.value == still
                assert f'aria-label="{explorer.reading["sentence"].replace(chr(39), "&#x27;")}"' in html
                assert Cells(html).sentence == explorer.reading["sentence"]


def test_the_whole_balance_can_be_walled_off(explorer, kind):
    """In parts of which no rounding makes the last one too many."""
    for shorts, size in product(range(1, 7), (25.0, 60.0, 300.0)):
        for allocation in np.arange(10.0, 100.1, 5.0):
            state = {"shorts": float(shorts), "size": size, "allocation": float(allocation)}
            _, refused = explorer.books(**state)
            books = Books(kind, **state, correlation=0.0, pump=0.0)
            assert set(refused) == {mode for mode in MODES if not books.opens(mode)}, (state, refused)


def test_a_refusal_is_told_in_words_and_draws_nothing_stale(teaching):
    teaching.preset("one coin, +30 %")
    teaching.set(allocation=10.0, size=300.0)
    assert teaching.error is None and set(teaching.reading["refused"]) == {"isolated"}
    said = teaching.reading["sentence"]
    assert said.startswith("The venue would not open this. Isolated: leverage 120 is above the 25 allowed")
    assert "1200 USDT, not 250." in said
    for name in ("worth", "now", "closed"):
        assert len(teaching.layers.drawn[f"isolated {name}"].get_xdata()) == 0
    both = Squeeze(instrument=coin(0.5))
    assert set(both.reading["refused"]) == set(MODES) and both.error is None
    assert "Isolated: " in both.reading["sentence"] and "; cross: " in both.reading["sentence"]
    assert all(len(artist.get_xdata()) == 0 for artist in both.layers.drawn.values())


# ---------------------------------------------------------------- the lesson


def test_exactly_at_the_line_a_pool_is_closed_and_just_before_it_is_open(teaching):
    first = next(iter(teaching.presets.values()))
    for shorts, correlation in product((1.0, 3.0, 6.0), (0.0, 0.5, 1.0)):
        state = first | {"shorts": shorts, "correlation": correlation, "size": 200.0}
        books = Books("teaching", **state)
        for mode, end in (("isolated", books.alone), ("cross", books.all)):
            before, after = (teaching.read(**state | {"pump": 100 * end + d})[mode] for d in (-1e-6, 1e-6))
            assert not before["closed"] and after["closed"], (mode, state)


def test_isolated_loses_at_most_the_margins_of_the_coins_and_cross_all(explorer, kind):
    for state in states(explorer, 60):
        reading = explorer.read(**state | {"pump": 100.0, "correlation": 1.0})
        books = Books(kind, **state | {"pump": 100.0, "correlation": 1.0})
        if reading["refused"]:
            continue
        lost = books.balance - reading["isolated"]["worth"]
        assert lost <= books.n * books.margin + 1e-6 and reading["isolated"]["open"] >= 1
        if reading["cross"]["closed"]:
            assert reading["cross"]["worth"] == reading["cross"]["open"] == 0
            assert not any(pool.positions for pool in reading["cross"]["after"].pools), "the long is closed too"
        else:
            assert reading["cross"]["worth"] == pytest.approx(books.balance - books.n * books.worth)


def test_more_rise_never_helps_and_more_in_common_never_helps(teaching):
    first = next(iter(teaching.presets.values())) | {"size": 150.0}
    for shorts, allocation in product((1.0, 3.0, 6.0), (60.0, 100.0)):
        for mode in MODES:
            state = first | {"shorts": shorts, "allocation": allocation}
            by_pump = [teaching.read(**state | {"pump": p, "correlation": 0.3})[mode] for p in np.arange(0, 101, 5.0)]
            by_share = [teaching.read(**state | {"pump": 40.0, "correlation": c})[mode] for c in np.linspace(0, 1, 9)]
            for row in (by_pump, by_share):
                assert all(a["worth"] >= b["worth"] - 1e-9 and a["open"] >= b["open"] for a, b in pairwise(row))
            assert by_pump[0]["worth"] == pytest.approx(10_000)


def test_before_any_pool_is_closed_the_two_are_worth_the_same(teaching):
    for state in states(teaching, 100):
        reading = teaching.read(**state)
        if not reading["refused"] and not reading["isolated"]["closed"] + reading["cross"]["closed"]:
            assert reading["isolated"]["worth"] == pytest.approx(reading["cross"]["worth"])
            assert reading["table"][1][2][3] == "0"


def test_the_lessons_own_figures():
    """2,000 behind a short of 30,000: 2,000 - 30,000 x = 600 (1 + x); 10,000 less 40 and 1,800 in one pool."""
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


def test_controls_and_presets():
    explorer = Squeeze()
    assert list(explorer.controls["shorts"].options.values()) == list(range(1, 7))
    reach = {name: (c.min, c.max, c.step) for name, c in explorer.controls.items() if name != "shorts"}
    assert reach == {
        "size": (25, 300, 5), "allocation": (10, 100, 5), "correlation": (0, 1, 0.05),
        "pump": (0, 100, 0.5),
    }  # fmt: skip
    first = {"shorts": 3, "size": 300, "allocation": 80, "correlation": 0, "pump": 30}
    assert explorer.state() == first
    for name, state in explorer.presets.items():
        rise = re.search(r"\+(\d+) %", name)
        assert not rise or float(rise[1]) == state["pump"]
        shared = {"all coins": 1, "half of it": 0.5}
        assert state["correlation"] == next((share for word, share in shared.items() if word in name), 0)
        assert ("six" in name) == (state["shorts"] == 6) and ("smaller" in name) == (state["size"] == 100)
        assert ("half as large" in name) == (state["size"] < 300 and state["allocation"] < 80)
        assert not explorer.read(**state)["refused"]


def test_the_reading_has_the_keys_that_the_docstring_names(teaching):
    reading = teaching.read(**next(iter(teaching.presets.values())))
    assert set(MODES) | {"moves", "sentence", "pump"} <= set(reading)
    for mode in MODES:
        assert {"after", "worth", "open", "closed"} <= set(reading[mode])
    keys = set(re.findall(r'"(\w+)"', Squeeze.__doc__.partition("`reading` holds")[2]))
    known = set(reading) | set(reading["cross"])
    assert keys - {"move"} <= known


def test_every_key_of_the_docstring_is_in_the_reading(teaching):
    reading = teaching.read(**next(iter(teaching.presets.values())))
    keys = set(re.findall(r'"(\w+)"', Squeeze.__doc__.partition("`reading` holds")[2]))
    assert keys <= set(reading) | set(reading["cross"])


def test_panels():
    explorer = Squeeze()
    for axes, mode in zip(explorer.layers.axes, MODES, strict=True):
        assert axes.get_title().startswith(mode) and "rise of the first coin (%)" in axes.get_xlabel()
        assert axes.get_xlim() == (0, 100) and axes.get_ylim()[0] < 0 and axes.get_ylim()[1] > 10_000
        for name, style in (("worth", "equity"), ("now", "price"), ("closed", "closed")):
            assert explorer.layers.drawn[f"{mode} {name}"].get_color() == figures.STYLES[style]["color"]
    assert "USDT" in explorer.layers.axes[0].get_ylabel()
    words = [text.get_text() for text in explorer.layers.axes[0].get_legend().get_texts()]
    assert words == ["equity", "now", "a pool is closed"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"balance": 0}, "balance"), ({"balance": "x"}, "balance"), ({"balance": float("inf")}, "balance"),
        ({"balance": None}, "balance"), ({"venue": 3}, "venue"), ({"venue": None}, "venue"),
        ({"instrument": 0.02}, "instrument"), ({"instrument": coin(0.02, index="BTC")}, "BTC"),
        ({"instrument": coin(0.02, settle="APT")}, "linear"), ({"instrument": coin(0.02, settle="XYZ")}, "settle"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(wrong, named):
    with pytest.raises((TypeError, ValueError), match=named):
        Squeeze(**wrong)


# ------------------------------------------------------------------ its limits


def after(explorer, mode, pump, impact=0.0, steps=1):
    """What the account is worth to its trader, after so many steps, and what the fund had (+) or paid (-)."""
    start = explorer.presets["one coin, +30 %"]
    account = explorer.books(start["shorts"], start["size"], start["allocation"])[0][mode]
    for rise in np.linspace(0, pump, steps + 1)[1:]:
        account = account.mark(APT=100 * (1 + rise / 100)).liquidate(impact=impact)
    fund = sum(event.flows.get("insurance fund", 0.0) for event in account.events)
    return sum(pool.equity() for pool in account.pools), fund


def test_impact_and_gaps_cost_the_fund(teaching):
    assert teaching.limits.startswith("Left out:") and "gaps" in teaching.limits and "impact" in teaching.limits
    for mode in MODES:
        for pump in (30.0, 60.0):
            assert after(teaching, mode, pump, 0.05)[1] < after(teaching, mode, pump)[1]
            assert after(teaching, mode, pump)[1] < after(teaching, mode, pump, steps=200)[1]


@pytest.mark.parametrize("mode", MODES)
def test_impact_and_gaps_make_it_worse_for_what_is_shown(teaching, mode):
    """The limits say so of both modes; what the picture shows, the account's worth, stays as it was."""
    assert "make it worse in both modes" not in teaching.limits or (
        after(teaching, mode, 30.0, 0.05)[0] < after(teaching, mode, 30.0, steps=200)[0]
    )


def test_partial_liquidation_can_save_a_part_of_the_cross_pool():
    for rule in (process(scope="position"), process(partial="size")):
        explorer = Squeeze()
        explorer.venue = replace(explorer.venue, liquidation=rule)  # which the explorer itself leaves out
        assert after(explorer, "cross", 30.0, steps=200)[0] > 0 == after(Squeeze(), "cross", 30.0, steps=200)[0]


@pytest.mark.parametrize("rules", [{"liquidation": process(scope="position")}, {"surplus_to": "trader"}])
def test_the_dot_lies_on_the_line_by_whatever_rules_of_the_venue(rules):
    """A rise of 28 % from a pool that stood at 26.7 %: whatever the venue would leave, here it is closed whole."""
    explorer = Squeeze(venue=replace(venues.TEACHING, **rules))
    explorer.set(pump=28.0)
    (left,) = explorer.layers.drawn["cross now"].get_ydata()
    assert left == 0 and np.interp(28.0, *explorer.layers.drawn["cross worth"].get_data()) == pytest.approx(left)
