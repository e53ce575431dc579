"""Paths that are given, to the figure; pieces of a history, each of them found in it again."""

import pickle
from math import inf, nan, sqrt

import numpy as np
import pandas as pd
import pytest

from marginlab.market.paths import Bootstrap, Given, Paths, flash_crash, ramp, replay, shock
from tests.refusal import refused

ONE, TWO = {"BTC": 100.0}, {"BTC": 100.0, "ETH": 20.0}


def rng(seed=7):
    return np.random.default_rng(seed)


def near(value):
    return pytest.approx(value, rel=1e-12)


def check(made, hours=1.0, **rows):
    """One path, with these prices after each step, and the start before them."""
    prices = made.prices()
    assert isinstance(made, Paths) and made.count == 1 and list(prices) == list(rows) == list(made.start)
    assert np.array_equal(made.hours, hours)
    for name, row in rows.items():
        assert made.steps == len(row) and prices[name].shape == (len(row) + 1, 1)
        assert prices[name][:, 0].tolist() == near([made.start[name], *row])


# ---------------------------------------------------------------------- given


def test_one_path_as_it_is_stated():
    made = Given(TWO, given={"BTC": [90, 110.0, 70], "ETH": np.array([21, 22, 23])}, hours=8)
    check(made, 8, BTC=[90, 110, 70], ETH=[21, 22, 23])
    check(Given({"ETH": 20, "BTC": 100}, given={"BTC": [90], "ETH": [21]}), ETH=[21], BTC=[90])
    check(Given(ONE, given={"BTC": pd.Series([90, 91], [5, 6])}, hours=[0, 3]), [0, 3], BTC=[90, 91])
    check(Given(ONE, given={"BTC": [90, 91]}, hours=0), 0, BTC=[90, 91])


def test_several_paths_as_they_are_stated():
    rows = {"BTC": np.array([[90, 91, 92], [80, 81, 82.0]]), "ETH": np.arange(1, 7).reshape(2, 3)}
    made = Given(TWO, given=rows, hours=np.array([1, 2]))
    assert (made.steps, made.count, made.width, list(made.hours)) == (2, 3, 3, [1, 2])
    prices = made.prices()
    np.testing.assert_allclose(prices["BTC"], [[100] * 3, *rows["BTC"]], rtol=1e-12)
    np.testing.assert_allclose(prices["ETH"], [[20] * 3, *rows["ETH"]], rtol=1e-12)
    np.testing.assert_allclose(made.prices(2)["ETH"], [[20] * 2, [1, 2], [4, 5]], rtol=1e-12)
    again = pickle.loads(pickle.dumps(made)).prices()
    assert all(np.array_equal(again[name], prices[name]) for name in prices)


def test_given_prices_stay_as_they_were():
    row = np.array([90.0, 110.0])
    made = Given(ONE, given={"BTC": row})
    row[0] = 1
    check(made, BTC=[90, 110])


@pytest.mark.parametrize(
    "error, word, words",
    [
        (ValueError, "given", {"given": {"BTC": [1, 2], "ETH": [1]}}),
        (ValueError, "given", {"given": {"BTC": [1, 2], "ETH": [[1], [2]]}}),
        (ValueError, "given", {"given": {"BTC": [1, 2]}}),
        (ValueError, "given", {"given": {"BTC": [1], "ETH": [1], "SOL": [1]}}),
        (ValueError, "given", {"given": {"BTC": [1], "SOL": [1]}}),
        (ValueError, "given", {"given": {}}),
        (ValueError, "given", {"given": {"BTC": 1.0, "ETH": 1.0}}),
        (ValueError, "given", {"given": {"BTC": np.ones((2, 2, 2)), "ETH": np.ones((2, 2, 2))}}),
        (ValueError, "given", {"given": {"BTC": np.ones((2, 0)), "ETH": np.ones((2, 0))}}),
        (ValueError, "given", {"given": {"BTC": [], "ETH": []}}),
        *[(TypeError, "given", {"given": bad}) for bad in ([90, 91], None)],
        *[(ValueError, "price of ETH", {"given": {"BTC": [1, 2], "ETH": [1, bad]}}) for bad in (0, -1, nan, inf)],
        (TypeError, "price of ETH", {"given": {"BTC": [1, 2], "ETH": ["1", "2"]}}),
        *[(ValueError, "hours", {"hours": bad}) for bad in (-1, nan, inf, [1, -1], [1, nan], [1], [1, 2, 3], [[1, 2]])],
        (TypeError, "hours", {"hours": True}),
        (TypeError, "hours", {"hours": "one"}),
        *[(ValueError, "start of BTC", {"start": {"BTC": bad, "ETH": 1}}) for bad in (0, -1, nan)],
        *[(ValueError, "start", {"start": bad}) for bad in ({}, ["BTC", "ETH"], 5, None)],
        (ValueError, "start", {"start": {}, "given": {}}),
    ],
)
def test_refusals_of_given_paths(error, word, words):
    refused(error, [word], lambda: Given(**dict(start=TWO, given={"BTC": [1, 2], "ETH": [1, 2]}) | words))


# ---------------------------------------------------------------------- shock, ramp, crash


def test_a_shock():
    check(shock(TWO, -0.3), BTC=[70], ETH=[14])
    check(shock(TWO, {"ETH": 0.5, "BTC": -0.2}, steps=4, hours=6), 6, BTC=[80] * 4, ETH=[30] * 4)
    check(shock(ONE, 0, 2), BTC=[100, 100])
    check(shock(ONE, -0.99), BTC=[1])


def test_a_ramp():
    check(ramp(TWO, -0.4, 4, hours=2), 2, BTC=[90, 80, 70, 60], ETH=[18, 16, 14, 12])
    check(ramp(TWO, {"BTC": 0.5, "ETH": -0.5}, 2), BTC=[125, 150], ETH=[15, 10])
    check(ramp(ONE, 0.1, 1), BTC=[110])


def test_a_flash_crash():
    check(flash_crash(ONE, -0.4, 8), BTC=[80, 60, *(60 + 40 / 6 * n for n in range(1, 7))])
    check(flash_crash(ONE, -0.4, 4, low=2), BTC=[80, 60, 80, 100])
    check(flash_crash(TWO, {"BTC": -0.4, "ETH": 0.5}, 4, 3, 0.25, 5), 5, BTC=[260 / 3, 220 / 3, 60, 70], ETH=[
        70 / 3, 80 / 3, 30, 27.5
    ])  # fmt: skip
    check(flash_crash(ONE, -0.4, 4, low=1, recovery=0), BTC=[60] * 4)
    check(flash_crash(ONE, -0.4, 3, low=1, recovery=0.5), BTC=[60, 70, 80])
    check(flash_crash(ONE, -0.4, 2), BTC=[60, 100])
    for steps, low in [(2, 1), (3, 1), (7, 1), (8, 2), (11, 2), (12, 3)]:
        assert flash_crash(ONE, -0.4, steps).prices()["BTC"].argmin() == low


@pytest.mark.parametrize(
    "make", [shock, lambda *a, **k: ramp(*a, **{"steps": 3, **k}), lambda *a, **k: flash_crash(*a, **{"steps": 3, **k})]
)
def test_refusals_of_moves(make):
    for bad in (-1, -1.5, nan, inf):
        refused(ValueError, ["moves"], lambda bad=bad: make(ONE, bad))
        refused(ValueError, ["moves of BTC"], lambda bad=bad: make(ONE, {"BTC": bad}))
    refused(ValueError, ["moves"], lambda: make(TWO, {"BTC": -0.1}))
    refused(ValueError, ["moves"], lambda: make(ONE, {"BTC": -0.1, "ETH": -0.1}))
    for bad in ("-10 %", None, True, [-0.1]):
        refused(TypeError, ["moves"], lambda bad=bad: make(ONE, bad))
    for bad in (0, -1, nan):
        refused(ValueError, ["BTC"], lambda bad=bad: make({"BTC": bad}, -0.1))
    for bad in ({}, [100.0], 100.0, None):
        refused(ValueError, ["start"], lambda bad=bad: make(bad, -0.1))
    refused(ValueError, ["hours"], lambda: make(ONE, -0.1, hours=-1))
    refused(ValueError, ["hours"], lambda: make(ONE, -0.1, hours=nan))


@pytest.mark.parametrize("make", [shock, ramp, flash_crash])
@pytest.mark.parametrize("bad", [0, -3, 2.5, 2.0, True, "3", nan])
def test_refusals_of_steps(make, bad):
    refused(ValueError, ["steps"], lambda: make(ONE, -0.1, steps=bad))


def test_refusals_of_a_crash():
    for bad in (0, -1, 8, 9, nan, 2.5, 2.0, True, "3"):
        refused(ValueError, ["low must", "1 and at most 7"], lambda bad=bad: flash_crash(ONE, -0.1, 8, low=bad))
    refused(ValueError, ["steps", "at least 2"], lambda: flash_crash(ONE, -0.1, 1))  # no room for a low
    for bad in (-0.01, 1.01, nan):
        refused(ValueError, ["recovery"], lambda bad=bad: flash_crash(ONE, -0.1, 8, recovery=bad))
    refused(TypeError, ["recovery"], lambda: flash_crash(ONE, -0.1, 8, recovery=True))


# ---------------------------------------------------------------------- an episode again


def test_a_table_again():
    table = pd.DataFrame({"BTC": [100, 90, 95], "ETH": [10, 11.0, 12]})
    check(replay(table), [0, 1, 1], BTC=[100, 90, 95], ETH=[10, 11, 12])
    check(replay(table, ["ETH"]), [0, 1, 1], ETH=[10, 11, 12])
    check(replay(table, "ETH"), [0, 1, 1], ETH=[10, 11, 12])
    check(replay(table, ("ETH", "BTC")), [0, 1, 1], ETH=[10, 11, 12], BTC=[100, 90, 95])
    times = pd.to_datetime(["2020-01-01 00:00", "2020-01-01 00:30", "2020-01-02 01:00"])
    check(replay(table.set_axis(times), ["BTC"]), [0, 0.5, 24.5], BTC=[100, 90, 95])
    check(replay(table.set_axis(times.tz_localize("UTC")), ["BTC"]), [0, 0.5, 24.5], BTC=[100, 90, 95])
    check(replay(table.iloc[:1]), [0], BTC=[100], ETH=[10])


def test_refusals_of_a_replay():
    table = pd.DataFrame({"BTC": [100, 90, 95.0]}, pd.date_range("2020", periods=3, freq="h"))
    for bad in (None, 5, [100, 90], {"BTC": [100, 90]}):
        refused(TypeError, ["history"], lambda bad=bad: replay(bad))
    for bad in (0, -1, nan, inf):
        refused(ValueError, ["BTC"], lambda bad=bad: replay(table.replace(90, bad)))
    refused(ValueError, ["hours"], lambda: replay(table[::-1]))
    refused(ValueError, ["history", "one coin"], lambda: replay(table, []))
    refused(ValueError, ["history", "one price"], lambda: replay(table[:0]))
    for bad in (["SOL"], ["BTC", "SOL"], "SOL"):
        refused(ValueError, ["history must have every coin", "SOL"], lambda bad=bad: replay(table, bad))


# ---------------------------------------------------------------------- pieces of a history

# Each return is of one row only: its number can be told from it, and ETH's is that of BTC and 0.5 more.
ROWS = 50
STEPS = rng(1).permutation(np.arange(1, ROWS + 1)) / 1_000
TABLE = pd.DataFrame({"BTC": np.exp(np.r_[0, STEPS.cumsum()]), "ETH": 7 * np.exp(np.r_[0, (STEPS + 0.5).cumsum()])})


def pieces(start=TWO, steps=40, count=2_500, history=TABLE, length=6, seed=7):
    return Bootstrap(start, steps, count, history=history, length=length, rng=rng(seed))


def rows_of(made):
    """Which row of the history each return is, of shape (coins, steps, count)."""
    found = []
    for name, row in made.prices().items():
        moved = np.diff(np.log(row), axis=0) - (0.5 if name == "ETH" else 0)
        which = np.round(moved * 1_000).astype(int)
        np.testing.assert_allclose(moved, which / 1_000, atol=1e-9)
        assert which.min() >= 1 and which.max() <= ROWS
        found.append(np.argsort(STEPS)[which - 1])
    return np.stack(found)


def test_returns_are_of_the_history_and_coins_move_together():
    btc, eth = rows_of(pieces())
    assert (btc == eth).all()
    (swapped, same) = rows_of(pieces({"ETH": 20.0, "BTC": 100.0}))
    assert (swapped == same).all() and (swapped == btc).all()
    assert (rows_of(pieces({"ETH": 3.0}))[0] == btc).all()


@pytest.mark.parametrize("length", [1, 2, 6, 39, 40, 50])
def test_pieces_stay_together_and_wrap_around(length):
    (row,) = rows_of(pieces(ONE, length=length))
    inside = np.arange(1, 40) % length != 0
    assert ((row[1:] - row[:-1]) % ROWS == 1)[inside].all()
    wraps = (row[1:] == 0) & (row[:-1] == ROWS - 1)
    assert wraps[inside].any() == (length > 1)
    joined = ((row[1:] - row[:-1]) % ROWS == 1)[~inside]  # a new piece goes on with the old one by chance only
    if joined.size:
        assert abs(joined.mean() - 1 / ROWS) < 4 * sqrt(1 / ROWS * (1 - 1 / ROWS) / joined.size)


def test_pieces_begin_everywhere_alike():
    (row,) = rows_of(pieces(ONE, steps=42, count=4_000))
    begin = row[::6]
    for starts in (begin, begin[:1], begin[-1:], begin[:, :2_000]):
        found, n = np.bincount(starts.ravel(), minlength=ROWS), starts.size
        odd = (found - n / ROWS) ** 2 / (n / ROWS)
        assert len(found) == ROWS and odd.max() < 4.5**2
        assert abs(odd.sum() - (ROWS - 1)) < 4 * sqrt(2 * (ROWS - 1))


def test_pieces_by_hand_from_the_seed_that_numpy_spawns():
    made = np.log(pieces(ONE, count=4_000).prices()["BTC"][:, 2_000:] / 100)
    ours = np.random.default_rng(np.random.SeedSequence(7).spawn(1)[0].spawn(2)[1].spawn(1)[0])
    begin = ours.integers(ROWS, size=(7, 2_000))
    want = np.cumsum([STEPS[(begin[step // 6] + step % 6) % ROWS] for step in range(40)], axis=0)
    np.testing.assert_allclose(made[1:], want, atol=1e-9)


def test_hours_are_those_of_the_history():
    for every, hours in [("h", 1), ("8h", 8), ("15min", 0.25), ("D", 24)]:
        for zone in (None, "UTC"):
            table = TABLE.set_axis(pd.date_range("2020-01-01", periods=ROWS + 1, freq=every, tz=zone))
            made = pieces(history=table)
            assert made.hours == hours and type(made.hours) is float
            assert np.array_equal(made.prices()["ETH"], pieces().prices()["ETH"])
    assert pieces().hours == 1 == pieces(history=TABLE.set_axis([f"row {n}" for n in range(ROWS + 1)])).hours


def test_refusals_of_pieces():
    times = pd.date_range("2020", periods=ROWS + 1, freq="h")
    uneven = TABLE.set_axis(times).drop(times[20])
    for bad in (uneven, TABLE.set_axis(times[::-1]), TABLE.set_axis(times[[0] * (ROWS + 1)])):
        refused(ValueError, ["history", "equally far apart"], lambda bad=bad: pieces(history=bad))
    refused(ValueError, ["history must have every coin", "SOL"], lambda: pieces({"SOL": 1.0}))
    refused(ValueError, ["start"], lambda: pieces({}))
    refused(ValueError, ["start of BTC"], lambda: pieces({"BTC": 0}))
    for bad in (0, -1, ROWS + 1, 2.0, True, "6", None):
        refused(ValueError, ["length", f"at least 1 and at most {ROWS}"], lambda bad=bad: pieces(length=bad))
    for name in ("steps", "count"):
        for bad in (0, -1, 2.0, True):
            refused(ValueError, [name], lambda name=name, bad=bad: pieces(**{name: bad}))
    for bad in (0, -1, nan, inf):
        refused(ValueError, ["history"], lambda bad=bad: pieces(history=TABLE.replace(TABLE["ETH"][9], bad)))
    assert pieces(ONE, history=TABLE.assign(ETH=nan)).count == 2_500  # of a coin that is not asked for
    for bad in (None, [1, 2], 5):
        refused(TypeError, ["history"], lambda bad=bad: pieces(history=bad))
    for bad in (7, None, np.random.RandomState(7)):
        refused(TypeError, ["rng"], lambda bad=bad: Bootstrap(ONE, 5, 5, history=TABLE, rng=bad))
