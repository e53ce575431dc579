"""The explorer of lesson 06: both trades along the path, hour by hour, by plain arithmetic."""

import re
from itertools import pairwise

import numpy as np
import pytest

from marginlab import Perpetual, Tiers, replace, venues
from marginlab.lesson import MixedModes
from marginlab.lesson.mixed import HOURS, LAST, PATH, SHARED, TOPPED, WALLED
from tests.lesson.shown import drawn, numbers, plain, states

RATE, HIGHEST = 0.004, 125.0  # the teaching venue's
OWN = Perpetual("ETH-USDT", "ETH", "USDT", face=0.01, tiers=Tiers.flat(0.01, leverage=50))
# Arguments, and (balance, entry, maintenance rate, highest leverage, inverse?).
KINDS = {
    "teaching": ({}, (10.0, 50_000.0, RATE, HIGHEST, True)),
    "own": ({"instrument": OWN, "balance": 2_500, "entry": 3_000}, (2_500.0, 3_000.0, 0.01, 50.0, False)),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def explorer(kind):
    return MixedModes(**KINDS[kind][0])


@pytest.fixture(scope="module")
def teaching():
    return MixedModes()


# ------------------------------------------------- the same once more, by hand


class Book:
    """Margins by the hour: `wall` and `rest`; in cross all is the rest. None where a trade is closed."""

    def __init__(self, kind, wall, mode, moved, when, hour):
        self.balance, self.entry, self.rate, self.highest, self.inverse = KINDS[kind][1]
        self.apart, self.tops, self.closed, self.refused, self.tops_up = mode != SHARED, 0, {}, False, mode == TOPPED
        self.wall, self.rest = (wall, self.balance - wall) if self.apart else (0.0, self.balance)
        self.rows = []
        for h, move in enumerate(PATH):
            self.look(h, 1 + move / 100)
            if h == round(when) and moved:
                self.move(moved, 1 + move / 100)
            self.rows.append((self.wall, self.rest, *self.ends()))

    def worth(self, balances, x):
        """Of contracts for so many balances at the entry, at x times the entry."""
        return balances * self.balance * (1 / x if self.inverse else x)

    def gain(self, balances, x):
        change = 1 - 1 / x if self.inverse else x - 1
        return balances * self.balance * change

    def held(self, x):
        """[(margin, equity, maintenance, initial)] of the long and the short, or of both in one."""
        long = (self.gain(5, x), self.rate * self.worth(5, x), self.worth(5, x) / 20)
        short = (self.gain(-4, x), self.rate * self.worth(4, x), self.worth(4, x) / self.highest)
        if self.apart:
            return [(self.wall, *long), (self.rest, *short)]
        both = [a + b for a, b in zip(long, short, strict=True)]
        both[2] = (self.worth(5, x) + self.worth(4, x)) / self.highest
        return [None, (self.rest, *both)]

    def look(self, h, x):
        names = ("wall", "rest")
        for i, name in enumerate(names):
            if self.held(x)[i] is None or getattr(self, name) is None:
                continue
            while self.at_line(self.held(x)[i]) and i == 0 and self.tops_up:
                margin, gain, _, initial = self.held(x)[0]
                more = min(initial - margin - gain, self.spare(x))
                if more <= 1e-12 * self.balance:
                    break
                self.wall, self.rest, self.tops = self.wall + more, self.rest - more, self.tops + 1
            if self.at_line(self.held(x)[i]):
                setattr(self, name, None)
                self.closed[name] = h

    def at_line(self, pool):
        margin, gain, maintenance, _ = pool
        return margin + gain <= maintenance * (1 + 1e-12)

    def spare(self, x):
        """What the rest may give: nothing is required of it where its short is closed."""
        if self.rest is None:
            return 0.0
        margin, gain, maintenance, initial = self.held(x)[1]
        stays = max(initial, maintenance)
        return max(0.0, min(margin, margin + gain) - stays)

    def move(self, moved, x):
        if self.wall is None or not self.apart:
            self.refused = True
            return
        if moved > 0:
            free = self.spare(x)
        else:
            margin, gain, maintenance, initial = self.held(x)[0]
            free = max(0.0, min(margin, margin + gain) - max(initial, maintenance))
        self.refused = abs(moved) > free * (1 + 1e-9)
        if not self.refused:
            self.wall += moved
            self.rest = None if self.rest is None else self.rest - moved

    def ends(self):
        """(below, above): m + 5 b (1 - 1/x) = rate 5 b / x, and with x for 1/x if linear."""
        low = high = np.nan
        b, r = self.balance, self.rate
        if self.apart:
            if self.wall is not None:
                low = 5 * (1 + r) / (self.wall / b + 5) if self.inverse else (5 - self.wall / b) / (5 * (1 - r))
            if self.rest is not None:
                short = 4 - self.rest / b
                high = 4 * (1 - r) / short if self.inverse else (self.rest / b + 4) / (4 * (1 + r))
                high = high if high > 0 else np.nan
        elif self.rest is not None:
            net = 1 + 9 * r  # long less short, and the requirement of both
            low = net / 2 if self.inverse else 0 / net
            low = low if self.inverse else np.nan
        return low * self.entry, high * self.entry


def margins(account, explorer):
    """(wall, rest) of an account; None where nothing is open."""
    found = {p.name.split(" ")[0]: p.collateral[explorer.unit] for p in account.pools if p.open}
    return found.get("isolated"), found.get("cross")


def check(explorer, reading, book, state):
    shared = state["mode"] == SHARED
    assert not reading["refused"] and reading["parts"][0][0] == 0
    for hour in HOURS:
        account, ends = explorer.then(reading, hour)
        assert account.marks[explorer.instrument.index] == pytest.approx(explorer.path[hour])
        wall, rest, low, high = book.rows[hour]
        got = margins(account, explorer)
        want = (None if shared else wall, rest)
        for one, other in zip(got, want, strict=True):
            assert one == pytest.approx(other, rel=1e-9) if other is not None else one is None, hour
        assert ends == pytest.approx([low, high], rel=1e-9, nan_ok=True), hour
    names = {"wall": f"isolated {explorer.instrument.symbol} long", "rest": f"cross {explorer.unit}"}
    assert reading["closed"] == {names[name]: at for name, at in book.closed.items()}
    assert bool(reading["move"]) == book.refused


def check_told(explorer, reading, book, state):
    hour, said = round(state["hour"]), reading["sentence"]
    plain(said)
    price = explorer.entry * (1 + PATH[hour] / 100)
    shown = numbers(said)
    assert shown[0] == hour and abs(shown[1] / price - 1) < 1e-4
    assert ("above its start" in said) == (PATH[hour] > 0) and ("below its start" in said) == (PATH[hour] < 0)
    for name, words in {"wall": "long", "rest": "long and short" if not book.apart else "short"}.items():
        gone = book.closed.get(name, LAST + 1) <= hour
        closed = re.search(rf"The {words} (was|were) closed at hour (\d+)\.", said)
        assert bool(closed) == gone and (not gone or int(closed[2]) == book.closed[name]), (said, book.closed)
    moved = book.refused and hour >= round(state["when"])
    assert ("Nothing was moved: " in said) == moved
    (head, rows), account = reading["table"], reading["account"]
    assert head[-1] == f"may leave ({explorer.unit})"
    assert [row[0] for row in rows] == (["long", "short"] if book.apart else ["long and short"])
    for row, (low, high) in zip(rows, ([book.rows[hour][2:]] * 2), strict=False):
        if row[1] == "closed":
            continue
        ends = (low, np.nan) if row[0] == "long" else (np.nan, high) if row[0] == "short" else (low, high)
        for cell, end in zip(row[2:4], ends, strict=True):
            assert cell == "none" if np.isnan(end) else abs(numbers(cell)[0] / end - 1) < 1e-3
        assert numbers(row[4])[0] >= 0
    assert sum(row[1] == "open" for row in rows) == sum(pool.open for pool in account.pools)


def check_drawn(explorer, reading, book, state):
    layers, hour = explorer.layers, round(state["hour"])
    one, axes = layers.drawn, layers.axes
    assert list(one["path"].get_xdata()) == list(HOURS[: hour + 1])
    assert one["path"].get_ydata() == pytest.approx(explorer.path[: hour + 1])
    assert [one["now"].get_xdata()[0], one["now"].get_ydata()[0]] == [hour, explorer.path[hour]]
    low, high = axes.get_ylim()
    for i, name in ((2, "below"), (3, "above")):
        x, y = one[name].get_data()
        assert x[0] == 0 and x[-1] == LAST and one[name].get_drawstyle() == "steps-post"
        for h in range(hour + 1):
            end = book.rows[h][i]
            shown = y[np.flatnonzero(np.array(x[:-1]) <= h)[-1]]
            assert shown == pytest.approx(end if low < end < high else np.nan, nan_ok=True), (name, h)
        assert y[-1] == pytest.approx(shown, nan_ok=True)
    closed = sorted(at for at in book.closed.values() if at <= hour)
    assert sorted(one["closed"].get_xdata()) == closed
    walls = state["mode"] != SHARED
    assert len(one["when"].get_xdata()) == 2 * walls
    text = one["moved"].get_text().strip()
    assert text == (f"{state['moved']:+g} {explorer.unit}" if walls and state["moved"] else "")
    shown = layers.vessels.shown
    assert [v.isolated for v in shown] == ([True, False] if walls else [False])
    for vessel, pool in zip(shown, ("wall", "rest") if walls else ("rest",), strict=True):
        assert bool(vessel.ended) == (book.closed.get(pool, LAST + 1) <= hour), vessel


def test_every_state_reads_and_draws_as_the_arithmetic_says(explorer, kind):
    seen, limits = set(), explorer.layers.axes.get_ylim()
    for state in states(explorer, count=25, starts=1):
        book, reading = Book(kind, **state), explorer.read(**state)
        explorer.draw(explorer.layers, reading)
        if state["mode"] != SHARED and explorer.balance - state["wall"] < 4 / book.highest * explorer.balance:
            assert (
                "short of its margin" in reading["refused"]["book"] and not drawn(explorer.layers.drawn["path"])[0].size
            )
            continue
        try:
            check(explorer, reading, book, state)
            check_told(explorer, reading, book, state)
            check_drawn(explorer, reading, book, state)
        except AssertionError as error:
            raise AssertionError(f"at {state}: {error}") from error
        seen.add((state["mode"], *sorted(reading["closed"]), book.refused))
    assert explorer.layers.axes.get_ylim() == limits and len(seen) >= 6, seen
    explorer.update()


def test_what_is_moved_is_lost_nowhere(explorer, kind):
    """Collateral of both pools, and what the liquidations took, is what was there."""
    for state in states(explorer, count=30, starts=1):
        for _, account, _ in explorer.read(**state).get("parts", []):
            lost = sum(event.lost for event in account.liquidations)
            held = account.balances()[explorer.unit]
            assert held + lost == pytest.approx(explorer.balance), state


# ---------------------------------------------------------------- the lesson


def test_the_lessons_own_figures(teaching):
    """6.3 BTC, of which 2.3 to 3.9 come back from hour 27 to 39; less cannot do."""

    def ends(wall, moved, when):
        return teaching.work_out(wall, WALLED, moved, when, 0)["closed"]

    low, high = min(teaching.path), max(teaching.path)
    needed = 50 * (1.004 * 50_000 / low - 1)
    most = 10 - (40 - 40 * 0.996 * 50_000 / high)
    assert 6.2 < needed < 6.3 and 4.0 < most < 4.1
    for wall in np.arange(2.5, 9.6, 0.1):
        assert ends(round(wall, 1), 0.0, 24), wall
    assert not ends(6.3, -2.3, 35) and not ends(6.3, -3.9, 33)
    assert ends(6.3, -2.2, 35) and ends(6.3, -4.0, 33) and ends(6.3, -2.3, 26) and ends(6.3, -2.3, 40)
    assert all(ends(6.2, -moved, when) for moved in np.arange(0.5, 6, 0.5) for when in range(0, 49, 4))


def test_presets_and_controls(teaching):
    assert list(teaching.controls) == ["wall", "mode", "moved", "when", "hour"]
    assert teaching.controls["hour"].max == teaching.play.max == LAST == len(PATH) - 1
    first = next(iter(teaching.presets.values()))
    assert first == {"wall": 5.0, "mode": WALLED, "moved": 0.0, "when": 24.0, "hour": 0.0}
    for name, state in teaching.presets.items():
        assert not teaching.read(**state)["refused"]
        assert (state["mode"] == TOPPED) == ("tops up" in name) and (state["mode"] == SHARED) == ("cross" in name)
    assert PATH[0] == 0 and max(abs(b - a) for a, b in pairwise(PATH)) < 4


def test_the_path_plays_by_itself(teaching):
    """The page moves the slider with the player, without asking the kernel; the kernel follows the slider."""
    (plays, value), (play, playing) = teaching.links[0].source, teaching.links[0].target
    assert (plays, play, value, playing) == (teaching.plays, teaching.play, "value", "playing")
    (play, name), (slider, other) = teaching.links[1].source, teaching.links[1].target
    assert play is teaching.play and slider is teaching.controls["hour"].slider and name == other == "value"
    assert {play, plays} < set(teaching.controls["hour"].children) and 1_000 / play.interval >= 10
    assert plays.description and plays.tooltip
    slider.set_state({"value": 7.0})
    assert teaching.state()["hour"] == 7 and teaching.reading["sentence"].startswith("Hour 7: ")
    assert play.value == 7, "it goes on from there"
    plays.value = True
    slider.set_state({"value": 9.0})
    assert play.value == 7 and teaching.state()["hour"] == 9, "and is not held back while it plays"
    plays.value = False
    slider.set_state({"value": float(LAST)})
    assert play.value == LAST
    plays.value = True
    assert play.value == 0, "from the end back to the start"
    plays.value = False
    teaching.preset("nothing moved")


def test_a_path_once_followed_is_not_followed_again(teaching, monkeypatch):
    teaching.preset("the venue tops up")
    monkeypatch.setattr(MixedModes, "run", None)
    for hour in (0, 20, 48):
        teaching.set(hour=float(hour))
        assert teaching.error is None
    monkeypatch.undo()
    teaching.preset("nothing moved")


def test_what_the_venue_would_not_open_is_said():
    explorer = MixedModes(**KINDS["own"][0])
    explorer.set(wall=explorer.controls["wall"].max)
    assert explorer.error is None and explorer.reading["refused"]
    assert explorer.reading["sentence"].startswith("The venue would not open this. Book: ")
    assert explorer.reading["table"][1] == [["not opened", "", "", "", ""]]


def test_a_contract_without_the_leverage_is_refused_at_the_door():
    dear = replace(OWN, tiers=Tiers.flat(0.2, leverage=4))
    with pytest.raises(ValueError, match="instrument must allow 20x, not 4x"):
        MixedModes(instrument=dear, balance=1_000, entry=100)


@pytest.mark.parametrize("name", ["balance", "entry"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), True, "much"])
def test_bad_figures_are_refused(name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        MixedModes(**{name: value})


# ------------------------------------------------------------------ its limits


def test_its_limits_are_true(teaching):
    """Funding brings the long's line nearer; fees and gaps cost; the venue's own rules are the teaching venue's."""
    book = teaching.book(WALLED, 5.0)
    paid = book.pay_funding(teaching.instrument, 0.001, periods=3)
    key = (teaching.instrument, "long")
    assert paid[key].liquidation().price > book[key].liquidation().price
    assert teaching.venue.topping_up.to == venues.TEACHING_TOP_UP.topping_up.to == "initial"
    assert teaching.venue.both_modes and teaching.venue.hedge_mode
