"""Random paths: by hand from numpy's seeds, the same to the bit however they are cut, and as their laws say."""

import pickle
from itertools import combinations
from math import exp, log, nan, pi, sqrt
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from marginlab.market import passage, paths
from marginlab.market.passage import first_passage
from marginlab.market.paths import Bootstrap, Brownian, Clustered, Jumps
from tests.refusal import refused

YEAR = 8_760
ONE, TWO = {"BTC": 50_000}, {"BTC": 50_000, "ETH": 2_000}
THREE, FOUR = {**TWO, "SOL": 20}, {**TWO, "SOL": 20, "XRP": 0.5}
MATRIX = [[1, 0.8, 0.5, 0], [0.8, 1, 0.3, -0.2], [0.5, 0.3, 1, 0.4], [0, -0.2, 0.4, 1]]
HISTORY = pd.DataFrame(np.exp(np.random.default_rng(3).normal(0, 0.02, (60, 2)).cumsum(axis=0)), columns=list(TWO))
KINDS = {
    "Brownian": (Brownian, dict(volatility=0.8, drift=0.3)),
    "correlated": (Brownian, dict(volatility={"BTC": 0.8, "ETH": 1.1}, correlation=0.6)),
    "Jumps": (Jumps, dict(volatility=0.5, correlation=-0.4, jumps=300, size=-0.02, shared=0.5)),
    "Clustered": (Clustered, dict(volatility=0.8, correlation=0.7, drift=-0.2)),
    "Bootstrap": (Bootstrap, dict(history=HISTORY, length=7)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def rng(seed=7):
    return np.random.default_rng(seed)


def make(kind, steps=70, count=2_500, seed=7):
    cls, words = KINDS[kind]
    return cls(TWO, steps, count, rng=rng(seed), **words)


def returns(made):
    """Log returns, of shape (coins, steps, count)."""
    return np.stack([np.diff(np.log(row), axis=0) for row in made.prices().values()])


def whole(made, block=0, stops=()):
    """All slabs of a block, of shape (steps, coins, width); they follow one another, and end at each stop."""
    parts, ends = [], [0]
    for first, logs in made.slabs(block, stops):
        assert first == ends[-1] + 1 and logs.shape[1:] == (len(made.start), made.width)
        parts.append(logs.copy())
        ends.append(ends[-1] + len(logs))
    assert {*stops} <= {*ends} and ends[-1] == made.steps
    return np.concatenate(parts)


def same(one, other):
    """The same prices to the bit."""
    one, other = one.prices(), other.prices()
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def off(values, want):
    """How many standard errors the mean of independent values is off; below 4 unless something is wrong."""
    values = np.asarray(values, dtype=float).ravel()
    return (values.mean() - want) / (values.std(ddof=1) / sqrt(len(values)))


def by_spawning(block, seed=7):
    """The generator of a block as numpy spawns it: a child for the paths, one for a block, one for its normals."""
    return np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0].spawn(block + 1)[block].spawn(1)[0])


# ---------------------------------------------------------------------- of all kinds: seeds, blocks and slabs


@every_kind
def test_a_seed_gives_the_same_paths_and_another_others(kind):
    made = make(kind)
    assert same(made, make(kind)) and not same(made, make(kind, seed=8))
    assert same(made, pickle.loads(pickle.dumps(made)))
    ours = rng()
    cls, words = KINDS[kind]
    first, second = (cls(TWO, 70, 2_500, rng=ours, **words) for _ in range(2))
    assert same(first, made) and not same(first, second)


@every_kind
def test_what_was_drawn_from_the_generator_makes_no_difference(kind):
    ours, (cls, words) = rng(), KINDS[kind]
    ours.random(1_000)
    made = cls(TWO, 70, 2_500, rng=ours, **words)
    assert same(made, make(kind)) and ours.random() == rng().random(1_001)[-1]


@every_kind
def test_more_paths_begin_with_the_fewer(kind):
    few, many = make(kind, count=10), make(kind, count=5_000)
    assert few.prices()["ETH"].shape == (71, 10)
    for name in TWO:
        assert np.array_equal(few.prices()[name], many.prices()[name][:, :10])
        assert np.array_equal(many.prices(2_001)[name], many.prices()[name][:, :2_001])
        assert np.array_equal(few.prices(50)[name], few.prices()[name])


@every_kind
def test_blocks_and_paths_are_all_different(kind):
    made = make(kind, count=6_000).prices()
    for row in made.values():
        assert len(np.unique(row[-1])) > 5_900
        assert not (row[-1, :2_000] == row[-1, 2_000:4_000]).any()


@every_kind
def test_slabs_cut_anywhere_give_the_same_bits(kind):
    made = make(kind)
    want = whole(made, 1)
    for stops in [(1,), (69,), (70,), (31, 32, 33), (50,), range(1, 70), range(5, 70, 9), (32, 64)]:
        assert np.array_equal(whole(made, 1, stops), want), stops


@every_kind
@pytest.mark.parametrize("slab", [1, 2_000, 14_000, 10**9])
def test_the_size_of_slabs_makes_no_difference(kind, slab, monkeypatch):
    want = whole(make(kind), 2)
    monkeypatch.setattr(paths, "SLAB", slab)
    made = make(kind)
    assert made.most == max(1, slab // 2_000)
    assert np.array_equal(whole(made, 2), want) and np.array_equal(whole(made, 2, (13, 57)), want)


@every_kind
def test_prices_are_those_of_the_slabs(kind):
    made = make(kind)
    prices = made.prices()
    assert list(prices) == list(TWO) and made.width == 2_000
    logs = np.concatenate([whole(made, block) for block in range(2)], axis=2)[:, :, :2_500]
    for n, (name, price) in enumerate(TWO.items()):
        assert prices[name].shape == (71, 2_500) and (prices[name][0] == price).all()
        np.testing.assert_allclose(prices[name][1:], price * np.exp(logs[:, n]), rtol=1e-12)
        np.testing.assert_array_equal(made.prices(7)[name], prices[name][:, :7])


@pytest.mark.parametrize("block", [0, 1, 5])
def test_a_block_by_hand_from_the_seed_that_numpy_spawns(block):
    made = Brownian(TWO, 70, 9, volatility={"BTC": 0.8, "ETH": 1.2}, rng=rng(), hours=4, drift={"ETH": 1, "BTC": 0.5})
    free = by_spawning(block).standard_normal((70, 2, 2_000))
    own, trend = np.array([[0.8], [1.2]]), np.array([[0.5 - 0.32], [1 - 0.72]])
    want = (own * sqrt(4 / YEAR) * free + trend * 4 / YEAR).cumsum(axis=0)
    np.testing.assert_allclose(whole(made, block), want, rtol=1e-9, atol=1e-12)


def test_a_correlated_block_by_hand():
    made = Brownian(FOUR, 70, 9, volatility=dict(XRP=0.4, SOL=0.3, ETH=0.2, BTC=0.1), rng=rng(), correlation=MATRIX)
    own = np.array([0.1, 0.2, 0.3, 0.4])[:, None]
    free = by_spawning(3).standard_normal((70, 4, 2_000))
    want = (own * (np.linalg.cholesky(MATRIX) @ free) / sqrt(YEAR) - own**2 / 2 / YEAR).cumsum(axis=0)
    np.testing.assert_allclose(whole(made, 3), want, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------------- Brownian motion


@pytest.mark.parametrize("drift", [0.0, 1.5, -1.5])
def test_the_mean_of_the_price(drift):
    made = Brownian(TWO, 73, 40_000, volatility={"BTC": 0.2, "ETH": 0.4}, rng=rng(1), hours=12, drift=drift)
    for name, row in made.prices().items():
        for step in (1, 36, 73):
            assert abs(off(row[step], TWO[name] * exp(drift * step * 12 / YEAR))) < 4


@pytest.mark.parametrize(
    "start, correlation",
    [(TWO, 0.7), (TWO, -0.7), (TWO, None), (TWO, [[1, -0.3], [-0.3, 1]]), (FOUR, 0.6), (FOUR, -0.3), (FOUR, MATRIX)],
)
def test_the_correlation_of_returns(start, correlation):
    scale = {name: 0.5 + 0.2 * n for n, name in enumerate(start)}
    made = returns(Brownian(start, 40, 2_000, volatility=scale, rng=rng(4), drift=0, correlation=correlation))
    own = np.array([*scale.values()])[:, None, None]
    normal = (made + own**2 / 2 / YEAR) / (own / sqrt(YEAR))
    for one, other in combinations(range(len(start)), 2):
        want = np.array(correlation)[one, other] if np.ndim(correlation) else correlation or 0.0
        assert abs(off(normal[one] * normal[other], want)) < 4
    for row in normal:
        assert abs(off(row**2, 1)) < 4


def test_a_correlation_of_nothing_is_none():
    def made(correlation):
        return Brownian(TWO, 40, 20, volatility=0.8, rng=rng(), correlation=correlation)

    assert same(made(None), made(0)) and same(made(None), made(np.eye(2)))
    assert same(made(0.4), made([[1, 0.4], [0.4, 1]])) and not same(made(0.4), made(0))
    alone = [Brownian(ONE, 40, 20, volatility=0.8, rng=rng(), correlation=c) for c in (None, 0.4, -1, [[1]])]
    assert all(same(alone[0], other) for other in alone)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("matrix", [False, True])
def test_two_coins_that_are_one(sign, matrix):
    bound = [[1, sign], [sign, 1]] if matrix else sign
    made = returns(Brownian(TWO, 50, 2_000, volatility={"BTC": 0.5, "ETH": 1}, rng=rng(), drift=0, correlation=bound))
    moved = made + np.array([0.125, 0.5])[:, None, None] / YEAR
    assert abs(off(moved[0] ** 2, 0.25 / YEAR)) < 4
    np.testing.assert_allclose(moved[1], 2 * sign * moved[0], atol=1e-12)


def test_three_coins_that_add_up_to_nothing():
    made = returns(Brownian(THREE, 50, 2_000, volatility=0.5, rng=rng(), drift=0.125, correlation=-0.5))
    np.testing.assert_allclose(made.sum(axis=0), 0, atol=1e-12)
    assert all(abs(off(row**2, 0.25 / YEAR)) < 4 for row in made)


def test_returns_know_nothing_of_each_other():
    made = returns(Brownian(TWO, 100, 2_000, volatility=0.8, rng=rng(5), drift=0.32, correlation=0.5))
    for lag in (1, 2, 31, 32, 33):
        for one, other in [(0, 0), (1, 1), (0, 1), (1, 0)]:
            early, late = made[one, :-lag], made[other, lag:]
            assert abs(off(early * late, 0)) < 4 and abs(off((early**2 - 0.64 / YEAR) * (late**2 - 0.64 / YEAR), 0)) < 4
    assert abs(off(made[0, :, :1_000] * made[0, :, 1_000:], 0)) < 4


def test_mappings_go_by_name():
    def made(volatility, drift):
        return Brownian(TWO, 40, 9, volatility=volatility, rng=rng(), drift=drift)

    one = made({"ETH": 0, "BTC": 0.5}, {"BTC": 0.125, "ETH": 1.0})  # the log of BTC has no trend
    assert same(one, made({"BTC": 0.5, "ETH": 0}, {"ETH": 1.0, "BTC": 0.125}))
    np.testing.assert_allclose(one.prices()["ETH"][-1], 2_000 * exp(40 / YEAR), rtol=1e-12)
    assert one.prices()["BTC"][-1].std() > 0
    assert same(made(0.5, 0.2), made({"BTC": 0.5, "ETH": 0.5}, {"BTC": 0.2, "ETH": 0.2}))


# ---------------------------------------------------------------------- jumps


def jumped(shared=0.0, size=-0.1, size_spread=0.05, steps=40, start=TWO, **words):
    """Log returns where nothing moves but jumps: 0.137 a step."""
    words = dict(volatility=0, rng=rng(6), hours=24, jumps=50) | words
    return returns(Jumps(start, steps, 4_000, size=size, size_spread=size_spread, shared=shared, **words))


OFTEN = 50 * 24 / YEAR


@pytest.mark.parametrize("shared", [0, 0.4, 1])
def test_how_often_prices_jump_and_how_far(shared):
    made = jumped(shared)
    for row in made:
        assert abs(off(abs(row) > 1e-9, 1 - exp(-OFTEN))) < 4
        assert abs(off(row, -0.1 * OFTEN)) < 4
        assert abs(off((row + 0.1 * OFTEN) ** 2, (0.1**2 + 0.05**2) * OFTEN)) < 4
    both = (abs(made) > 1e-9).all(axis=0)
    assert abs(off(both, 1 - 2 * exp(-OFTEN) + exp(-OFTEN * (2 - shared)))) < 4


def test_shared_jumps_strike_all_coins_at_one_step():
    made = jumped(1, start=THREE)
    hit = abs(made) > 1e-9
    assert hit.any() and (hit[0] == hit[1]).all() and (hit[0] == hit[2]).all()
    apart = made[:, hit[0]]
    assert not np.isclose(apart[0], apart[1], atol=1e-9).any()  # each with a size of its own
    one = jumped(1, size=0, start=THREE)
    assert all(abs(off(one[n] * one[m], 0)) < 4 for n, m in combinations(range(3), 2))
    hit = abs(jumped(0)) > 1e-9
    assert abs(off(hit[0] & hit[1], (1 - exp(-OFTEN)) ** 2)) < 4


def test_the_size_of_a_jump():
    made = jumped(jumps=0.5, size=0.2, size_spread=0.01)
    size = made[abs(made) > 1e-9]  # seldom two in one step
    assert len(size) > 300 and abs(off(size[size < 0.3], 0.2)) < 4
    assert abs(off((size[size < 0.3] - 0.2) ** 2, 0.01**2)) < 4
    made = jumped(jumps=0.5, size=0.2, size_spread=0)
    np.testing.assert_allclose(made / 0.2, np.round(made / 0.2), atol=1e-9)


@pytest.mark.parametrize("shared", [0, 0.5])
def test_jumps_of_a_size_for_each_coin(shared):
    size, spread = {"ETH": 0.2, "BTC": -0.1}, {"ETH": 0.01, "BTC": 0.05}
    made = jumped(shared, size, spread)
    for name, row in zip(TWO, made, strict=True):
        assert abs(off(row, size[name] * OFTEN)) < 4
        assert abs(off((row - size[name] * OFTEN) ** 2, (size[name] ** 2 + spread[name] ** 2) * OFTEN)) < 4
    even = jumped(shared, dict.fromkeys(TWO, -0.1), dict.fromkeys(TWO, 0.05))
    assert np.array_equal(even, jumped(shared))
    flat = jumped(shared, {"BTC": 0, "ETH": 0.2}, {"BTC": 0, "ETH": 0})
    assert not flat[0].any() and flat[1].any()
    np.testing.assert_allclose(flat[1] / 0.2, np.round(flat[1] / 0.2), atol=1e-9)


@pytest.mark.parametrize("shared", [0, 0.6])
def test_the_growth_that_is_expected_of_jumps(shared):
    drift, size, spread = {"BTC": 0.5, "ETH": -0.3}, {"BTC": -0.15, "ETH": 0.1}, {"BTC": 0.1, "ETH": 0.2}
    words = dict(volatility=0.4, rng=rng(12), hours=24, drift=drift, correlation=0.5, jumps=6)
    made = Jumps(TWO, 182, 40_000, size=size, size_spread=spread, shared=shared, **words).prices()
    for name, row in made.items():
        growth = drift[name] + 6 * (exp(size[name] + spread[name] ** 2 / 2) - 1)
        assert abs(off(row[-1] / TWO[name], exp(growth * 182 / 365))) < 4
        assert abs(off(row[-1] / TWO[name], exp(drift[name] * 182 / 365))) > 10  # it is not compensated


def test_jumps_are_added_to_brownian_motion():
    words = dict(volatility=0.5, rng=rng(6), hours=24, drift=0.3, correlation=0.5)
    both = returns(Jumps(TWO, 40, 4_000, jumps=50, size=-0.1, size_spread=0.05, shared=0.4, **words))
    calm = returns(Brownian(TWO, 40, 4_000, **words | {"rng": rng(6)}))
    np.testing.assert_allclose(both - calm, jumped(0.4), atol=1e-11)


def test_without_jumps_it_is_brownian_motion():
    words = dict(volatility=0.5, drift=0.3, correlation=0.5)
    made = Jumps(TWO, 70, 2_500, rng=rng(), jumps=0, shared=0.5, **words)
    assert same(made, Brownian(TWO, 70, 2_500, rng=rng(), **words))


# ---------------------------------------------------------------------- clusters


def garch(calm, usual, news, memory):
    """The recursion of the docstring, on returns of the usual variance."""
    variance, out = np.full(calm.shape[:1] + calm.shape[2:], usual), np.empty_like(calm)
    for t in range(calm.shape[1]):
        out[:, t] = calm[:, t] * np.sqrt(variance / usual)
        variance = (1 - news - memory) * usual + news * out[:, t] ** 2 + memory * variance
    return out


@pytest.mark.parametrize("news, memory", [(0.1, 0.88), (0.3, 0.2), (0, 0.5), (0.6, 0)])
def test_clusters_by_hand(news, memory):
    volatility, drift = np.array([[0.5], [1.0]]), np.array([[0.4], [-0.7]])
    words = dict(volatility={"BTC": 0.5, "ETH": 1.0}, hours=4, correlation=0.8)
    trend = (drift - volatility**2 / 2)[:, None] * 4 / YEAR
    level = {"BTC": 0.125, "ETH": 0.5}  # no trend of the log price
    calm = returns(Brownian(TWO, 80, 2_100, rng=rng(), drift=level, **words))
    made = Clustered(TWO, 80, 2_100, rng=rng(), drift={"BTC": 0.4, "ETH": -0.7}, news=news, memory=memory, **words)
    want = garch(calm, volatility**2 * 4 / YEAR, news, memory) + trend
    np.testing.assert_allclose(returns(made), want, rtol=1e-8, atol=1e-11)


def test_clusters_have_fat_tails_and_the_usual_variance():
    made = returns(Clustered(TWO, 300, 4_000, volatility=0.8, rng=rng(8), drift=0.32, news=0.1, memory=0.8))
    usual = 0.64 / YEAR
    for row in made / sqrt(usual):  # the mean of a path is one value: paths are independent
        assert abs(off(row.mean(axis=0), 0)) < 4 and abs(off((row**2).mean(axis=0), 1)) < 4
        assert abs(off((row[-100:] ** 2).mean(axis=0), 1)) < 4
        assert off((row**4).mean(axis=0), 3) > 4
        # in the long run, of a GARCH(1,1)
        assert abs(off((row[-100:] ** 4).mean(axis=0), 3 * (1 - 0.81) / (1 - 0.81 - 0.02))) < 4
        around = row**2 - 1
        assert all(off((around[:-lag] * around[lag:]).mean(axis=0), 0) > 4 for lag in (1, 5, 10))
        assert abs(off((row[:-1] * row[1:]).mean(axis=0), 0)) < 4


def test_clusters_of_one_coin_beside_one_without_volatility():
    words = dict(volatility={"BTC": 0.5, "ETH": 0}, drift={"BTC": 0.125, "ETH": 0})
    calm = returns(Brownian(TWO, 80, 2_000, rng=rng(), **words))
    made = returns(Clustered(TWO, 80, 2_000, rng=rng(), news=0.1, memory=0.88, **words))
    np.testing.assert_allclose(made[:1], garch(calm[:1], 0.25 / YEAR, 0.1, 0.88), rtol=1e-8, atol=1e-11)


# ---------------------------------------------------------------------- the chance to reach a price

HOURS = 720.0


def density(move, volatility, hours, drift, pieces=60_000):
    """The same chance as an integral: of the density of the time at which a line is first reached."""
    away, trend, years = log(1 + move), drift - volatility**2 / 2, hours / YEAR
    x = np.linspace(log(years) - 20, log(years), pieces)
    t = np.exp(x)
    inside = abs(away) / volatility / np.sqrt(2 * pi * t) * np.exp(-((away - trend * t) ** 2) / (2 * volatility**2 * t))
    return np.trapezoid(inside, x)


@pytest.mark.parametrize("move", [-0.3, -0.1, -0.01, 0.01, 0.1, 0.5])
@pytest.mark.parametrize("volatility, hours", [(0.8, 720), (0.3, 8_760), (2.0, 24)])
def test_the_reflection_principle(move, volatility, hours):
    want = 2 * NormalDist().cdf(-abs(log(1 + move)) / (volatility * sqrt(hours / YEAR)))
    assert first_passage(move, volatility, hours, volatility**2 / 2) == pytest.approx(want, rel=1e-9)
    for drift in (0, 0.7, -0.7):
        want = density(move, volatility, hours, drift)
        assert first_passage(move, volatility, hours, drift) == pytest.approx(want, rel=1e-6, abs=1e-12)


def test_limits_of_the_chance():
    level = 0.5**2 / 2
    assert first_passage(-0.5, 0.5, 1e9, level) == pytest.approx(1, abs=0.01)
    for trend in (0.1, 0.3):  # a trend away from it: some never come
        assert first_passage(-0.5, 0.5, 1e9, level + trend) == pytest.approx(exp(2 * trend * log(0.5) / 0.25))
        assert first_passage(1.0, 0.5, 1e9, level - trend) == pytest.approx(exp(-2 * trend * log(2) / 0.25))
        assert first_passage(-0.5, 0.5, 1e7, level - trend) == pytest.approx(1)
    assert first_passage(0, 0.8, 24, steps=30) == 1 == first_passage(0, 0.8, 24, -2.0, steps=1)
    assert first_passage(0, 0.5, 1) == 1 and type(first_passage(-0.1, 0.5, 1)) is float
    for tiny in (1e-9, -1e-9):
        assert first_passage(tiny, 0.5, 24) == pytest.approx(1, abs=1e-6)
    assert first_passage(-0.1, 0.5, 1e-3) == 0 == first_passage(0.1, 0.5, 1e-3)


@pytest.mark.parametrize("steps", [None, 1, 30])
def test_up_is_the_mirror_of_down(steps):
    for move in (0.02, 0.1, 0.5):
        for trend in (-0.5, 0, 0.5):
            up = first_passage(move, 0.8, HOURS, 0.32 + trend, steps)
            assert up == pytest.approx(first_passage(1 / (1 + move) - 1, 0.8, HOURS, 0.32 - trend, steps), rel=1e-9)


def test_the_more_looks_the_more_is_seen():
    assert passage.BETWEEN == pytest.approx(1.4603545088 / sqrt(2 * pi), abs=5e-5)  # zeta(1/2)
    for move in (-0.1, 0.1):
        row = [first_passage(move, 0.8, HOURS, steps=steps) for steps in (1, 2, 10, 100, 10**4, 10**12)]
        assert (np.diff(row) > 0).all()
        always = first_passage(move, 0.8, HOURS)
        assert row[-1] == pytest.approx(always, rel=1e-5) and row[-1] < always
    further = exp(log(0.9) - 0.5826 * 0.8 * sqrt(HOURS / YEAR / 25)) - 1
    assert first_passage(-0.1, 0.8, HOURS, 0.2, 25) == pytest.approx(first_passage(further, 0.8, HOURS, 0.2))


@pytest.mark.parametrize("drift", [-1.0, 0.32, 2.0])
@pytest.mark.parametrize("move", [-0.15, 0.2])
def test_a_simulation_sees_what_looks_see(move, drift):
    made = Brownian(ONE, 90, 20_000, volatility=0.8, rng=rng(10), hours=8, drift=drift).prices()["BTC"]
    ever = (made.min(axis=0) <= 50_000 * (1 + move)) if move < 0 else (made.max(axis=0) >= 50_000 * (1 + move))
    bias = 0.002  # of the correction, at 90 looks
    error = ever.std() / sqrt(len(ever))
    assert abs(ever.mean() - first_passage(move, 0.8, HOURS, drift, 90)) < 4 * error + bias
    assert ever.mean() < first_passage(move, 0.8, HOURS, drift) - 4 * error


@pytest.mark.parametrize("move, volatility, drift", [(-0.5, 0.01, -1.0), (0.5, 0.03, 1.0)])
def test_a_price_that_is_sure_to_be_reached(move, volatility, drift):
    assert first_passage(move, volatility, YEAR, drift) == pytest.approx(1)


# ---------------------------------------------------------------------- refusals


def brownian(**words):
    return Brownian(**dict(start=TWO, steps=5, count=5, volatility=0.8, rng=rng()) | words)


@pytest.mark.parametrize(
    "error, word, words",
    [
        *[(ValueError, name, {name: bad}) for name in ("steps", "count") for bad in (0, -1, 2.0, True, nan, "5", None)],
        *[(ValueError, "start", {"start": bad}) for bad in ({}, [50_000], 50_000, None, {"BTC": 0}, {"BTC": nan})],
        *[(ValueError, "start of BTC", {"start": {"BTC": bad}}) for bad in (-1, float("inf"))],
        *[(TypeError, "start of BTC", {"start": {"BTC": bad}}) for bad in ("one", None, True)],
        *[(ValueError, "volatility", {"volatility": bad}) for bad in (nan, -0.1, float("inf"), {}, {"BTC": 1})],
        *[(TypeError, "volatility", {"volatility": bad}) for bad in ("one", None, True, [1, 1])],
        (ValueError, "volatility", {"volatility": {**dict.fromkeys(FOUR, 1)}}),
        (ValueError, "volatility of ETH", {"volatility": {"BTC": 1, "ETH": -1}}),
        (ValueError, "drift", {"drift": {"BTC": 1, "SOL": 1}}),
        (ValueError, "drift", {"drift": nan}),
        (ValueError, "hours", {"hours": 0}),
        (ValueError, "hours", {"hours": nan}),
        *[(TypeError, "rng", {"rng": bad}) for bad in (7, None, np.random.RandomState(7), np.random.SeedSequence(7))],
        *[(ValueError, "correlation", {"correlation": bad}) for bad in (1.01, -1.01, nan, [1, 1], [[1]], np.eye(3))],
        *[(TypeError, "correlation", {"correlation": bad}) for bad in ("one", True, [["1", "0"], ["0", "1"]])],
        (ValueError, "correlation", {"correlation": [[1, 0.5], [0.5]]}),
        (ValueError, "correlation", {"correlation": [[1, 0.2], [0.3, 1]]}),
        (ValueError, "correlation", {"correlation": [[1, 0.2], [0.2, 0.9]]}),
        (ValueError, "correlation", {"correlation": [[1, nan], [nan, 1]]}),
        (ValueError, "correlation", {"correlation": [[1, 1.2], [1.2, 1]]}),
        (ValueError, "correlation", {"start": THREE, "correlation": -0.9}),
        *[(ValueError, "correlation", {"start": ONE, "correlation": bad}) for bad in (1.001, -1.001, [[0.9]])],
        (ValueError, "correlation", {"start": THREE, "correlation": -0.51}),
        (ValueError, "correlation", {"start": THREE, "correlation": [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]}),
    ],
)
def test_refusals(error, word, words):
    refused(error, [word], lambda: brownian(**words))


@pytest.mark.parametrize("bad", [0, -1, 2.0, True, nan, "5"])
def test_refusals_of_a_count_of_prices(bad):
    refused(ValueError, ["count"], lambda: brownian().prices(bad))


@pytest.mark.parametrize(
    "error, word, words",
    [
        *[(ValueError, "jumps", {"jumps": bad}) for bad in (-1, nan, float("inf"))],
        *[(ValueError, "shared", {"shared": bad}) for bad in (-0.01, 1.01, nan)],
        (TypeError, "shared", {"shared": True}),
        (ValueError, "size_spread", {"size_spread": -0.01}),
        *[(ValueError, name, {name: {"BTC": 0.1}}) for name in ("size", "size_spread")],
        *[(ValueError, name, {name: {**TWO, "SOL": 0.1}}) for name in ("size", "size_spread")],
        (ValueError, "size of ETH", {"size": {"BTC": 0.1, "ETH": nan}}),
        (ValueError, "size_spread of ETH", {"size_spread": {"BTC": 0.1, "ETH": -0.1}}),
        *[(TypeError, name, {name: [0.1, 0.1]}) for name in ("size", "size_spread")],
        (ValueError, "size", {"size": nan}),
        (ValueError, "volatility", {"volatility": -1}),
    ],
)
def test_refusals_of_jumps(error, word, words):
    refused(error, [word], lambda: Jumps(TWO, 5, 5, **dict(volatility=0.8, rng=rng(), jumps=1) | words))


@pytest.mark.parametrize(
    "words, named",
    [
        (dict(news=0.5, memory=0.5), ["news", "memory"]),
        (dict(news=0.2, memory=0.9), ["news", "memory"]),
        (dict(news=1, memory=0), ["news", "memory"]),
        (dict(news=0, memory=1), ["news", "memory"]),
        (dict(news=-0.1), ["news"]),
        (dict(memory=-0.1), ["memory"]),
        (dict(news=nan), ["news"]),
        (dict(memory=nan), ["memory"]),
    ],
)
def test_refusals_of_clusters(words, named):
    refused(ValueError, named, lambda: Clustered(TWO, 5, 5, volatility=0.8, rng=rng(), **words))


@pytest.mark.parametrize(
    "error, word, arguments",
    [
        *[(ValueError, "move", (bad, 0.8, 24)) for bad in (-1, -1.5, nan)],
        *[(ValueError, "volatility", (-0.1, bad, 24)) for bad in (0, -1, nan)],
        *[(ValueError, "hours", (-0.1, 0.8, bad)) for bad in (0, -1, nan, float("inf"))],
        (ValueError, "drift", (-0.1, 0.8, 24, nan)),
        *[(ValueError, "steps", (-0.1, 0.8, 24, 0, bad)) for bad in (0, -1, nan, 1.5, 2.0, True, "5")],
        (TypeError, "move", ("-10 %", 0.8, 24)),
    ],
)
def test_refusals_of_the_chance(error, word, arguments):
    refused(error, [word], lambda: first_passage(*arguments))
