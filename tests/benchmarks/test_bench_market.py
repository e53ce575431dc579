"""The speed and memory of survival, as ratios to plain versions of the same work: see conftest.py for the command."""

import json
import random
import subprocess
import sys
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import exp
from multiprocessing import get_context

import numpy as np
import pytest

from marginlab import Account, Perpetual, Position, venues
from marginlab.market import Brownian, outcomes, survival

BTC, ETH = Perpetual("BTC-USDT", "BTC", "USDT"), Perpetual("ETH-USDT", "ETH", "USDT")
START = {"BTC": 50_000.0, "ETH": 3_000.0}
PAIR = [Position(BTC, 1.0, START["BTC"]), Position(ETH, -15.0, START["ETH"])]
TRACED = 5e6  # bytes
FLAT, TIERED = venues.TEACHING, venues.BINANCE_2024_10


def brownian(coins, count, steps, **other):
    """The same paths each time."""
    return Brownian(
        {coin: START.get(coin, 100.0) for coin in coins},
        steps=steps,
        count=count,
        volatility=0.8,
        rng=np.random.default_rng(7),
        **other,
    )


def size(benchmark, count, steps=1_000):
    """So many paths and steps; when nothing is measured, few."""
    return (min(count, 2_000), 100) if benchmark.disabled else (count, steps)


def drawing(benchmark, count, steps, coins=1):
    """A function that draws as many normals, with the same kind of generator, into an array that is there."""
    rng, room = np.random.default_rng(1), np.zeros((steps, coins, count))
    return lambda: rng.standard_normal(out=room)


def slacks(venue, position, prices, rates=None):
    """pnl - funding - requirement of one position at each step, in plain numpy on the whole matrix."""
    quantity, schedule = position.quantity, venue.schedule(position.instrument)
    notional = np.abs(quantity) * prices
    floors, tier_rates, amounts = map(np.array, (schedule.floors, schedule.rates, schedule.amounts))
    tier = np.searchsorted(floors, notional, side="right") - 1
    slack = quantity * (prices - position.entry) - (tier_rates[tier] * notional - amounts[tier])
    if rates is None:
        return slack
    paid = np.zeros_like(prices)
    paid[1:] = np.cumsum(quantity * prices[1:] * rates[:, None], axis=0)
    slack[1:] -= np.maximum(paid[1:], paid[:-1])  # the venue looks before and after a payment
    return slack


def agree(found, venue, book, paths, rates=None):
    """The troughs of each position and of all together, on the first paths."""
    prices, together = paths.prices(1_000), 0.0
    for position in book:
        slack = slacks(venue, position, prices[position.instrument.index], rates)
        together = together + slack
        near(found.trough[position.label][-1], slack)
    near(found.trough[found.shared][-1], together)
    margin = np.median(found.needed(found.shared))
    assert 0 < found.survived(0.5 * margin, found.shared) < found.survived(1.5 * margin, found.shared) < 1


def near(trough, slack):
    least = slack.min(axis=0)
    np.testing.assert_allclose(trough[: len(least)], least, rtol=1e-9, atol=1e-9 * np.abs(least).max())


# ----------------------------------------------------- both modes, to drawing the normals


def test_one_position_to_drawing(ratio, benchmark):
    count, steps = size(benchmark, 10_000)
    paths, book = brownian(["BTC"], count, steps), PAIR[:1]
    agree(survival(FLAT, book, paths), FLAT, book, paths)
    draw = drawing(benchmark, count, steps)
    ratio("both modes of one position / drawing its normals", lambda: survival(FLAT, book, paths), draw, 1.35, 9)


@pytest.mark.parametrize("every", [8, 1])
def test_one_position_with_funding_and_tiers_to_drawing(ratio, benchmark, every):
    count, steps = size(benchmark, 10_000)
    paths, book = brownian(["BTC"], count, steps), [Position(BTC, 100.0, START["BTC"])]
    rates = np.where(np.arange(1, steps + 1) % every, 0.0, 0.0001)

    def ours():
        return survival(TIERED, book, paths, {"BTC-USDT": rates})

    agree(ours(), TIERED, book, paths, rates)
    often = "each 8th step" if every > 1 else "at every step"
    name = f"with tiers and funding {often} / drawing its normals"
    ratio(name, ours, drawing(benchmark, count, steps), 1.6, 9)


def test_ten_positions_to_drawing(ratio, benchmark):
    count, steps = size(benchmark, 2_000)
    coins = [f"COIN{n}" for n in range(10)]
    book = [Position(Perpetual(f"{c}-USDT", c, "USDT"), (-1) ** n * (n + 1.0), 100.0) for n, c in enumerate(coins)]
    paths = brownian(coins, count, steps, correlation=0.5)
    agree(survival(FLAT, book, paths), FLAT, book, paths)
    name = "ten correlated coins, isolated and cross / drawing their normals"
    ratio(name, lambda: survival(FLAT, book, paths), drawing(benchmark, count, steps, 10), 1.7, 7)


def test_a_thousand_margins_to_the_pass(ratio, benchmark):
    count, steps = size(benchmark, 10_000)
    paths, margins = brownian(["BTC"], count, steps), np.linspace(100, 25_000, 1_000)
    found = survival(FLAT, PAIR[:1], paths)

    def ours():
        return found.survived(margins, found.shared), found.survived(margins, found.isolated)

    needed = found.needed(found.shared)
    for shares in ours():
        np.testing.assert_array_equal(shares, [(needed < margin).mean() for margin in margins])
        assert shares[0] < 0.1 and shares[-1] > 0.9
    name = "1,000 margins in both modes from troughs / the pass"
    ratio(name, ours, lambda: survival(FLAT, PAIR[:1], paths), 0.01, 9)


# -------------------------------------------------------------------------- two cores


@pytest.fixture(scope="module")
def workers():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        survival(FLAT, PAIR, brownian(START, 20_000, 10), executor=executor, chunk=2_000)  # they have imported it all
        yield executor


@pytest.mark.parametrize("chunk", [None, 4_000], ids=["default", "4000"])
def test_two_cores_to_one(ratio, benchmark, workers, chunk):
    count, steps = 40_000, size(benchmark, 40_000)[1]
    paths, chunks = brownian(START, count, steps), {} if chunk is None else {"chunk": chunk}

    def serial():
        return survival(FLAT, PAIR, paths)

    def ours():
        return survival(FLAT, PAIR, paths, executor=workers, **chunks)

    agree(serial(), FLAT, PAIR, paths)
    for name, trough in serial().trough.items():
        np.testing.assert_array_equal(ours().trough[name], trough)
    words = f"chunk={chunk:,}" if chunk else "the default chunk"
    ratio(f"two coins on two cores, {words} / on one", ours, serial, 0.6, 7)


# --------------------------------------------------------------- what else is written


def notebook(book, returns):
    """What most notebooks write: whole matrices of shape (paths, steps)."""
    levels = []
    for position, change in zip(book, returns, strict=True):
        start = START[position.instrument.index]
        price = start * np.exp(np.cumsum(change, axis=1))
        price = np.concatenate([np.full((len(price), 1), start), price], axis=1)
        pnl = position.quantity * (price - position.entry)
        levels.append(pnl - 0.004 * np.abs(position.quantity) * price)
    return [level.min(axis=1) for level in levels], sum(levels).min(axis=1)


def bare_loop(book, count, steps, draws):
    """A loop over paths and steps in plain Python; `draws` are functions that give the next return of each coin."""
    alone, shared = [[] for _ in book], []
    entries, sizes = [p.entry for p in book], [p.quantity for p in book]
    for _ in range(count):
        least, both = [-0.004 * abs(q) * e for q, e in zip(sizes, entries, strict=True)], None
        both, logs = sum(least), [0.0] * len(book)
        for _ in range(steps):
            total = 0.0
            for k, draw in enumerate(draws):
                logs[k] += draw()
                price = entries[k] * exp(logs[k])
                slack = sizes[k] * (price - entries[k]) - 0.004 * abs(sizes[k]) * price
                total += slack
                if slack < least[k]:
                    least[k] = slack
            if total < both:
                both = total
        for row, value in zip(alone, least, strict=True):
            row.append(value)
        shared.append(both)
    return alone, shared


def returns_of(paths, count):
    """Log returns of the first paths, as a matrix of shape (count, steps) for each coin."""
    return [np.diff(np.log(price), axis=0).T for price in paths.prices(count).values()]


def same(found, book, plain):
    alone, shared = plain
    for position, least in zip(book, alone, strict=True):
        np.testing.assert_allclose(found.trough[position.label][-1][: len(least)], least, rtol=1e-9)
    np.testing.assert_allclose(found.trough[found.shared][-1][: len(shared)], shared, rtol=1e-9)


def peak(function):
    tracemalloc.start()
    function()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def step_of(paths):
    """Mean and standard deviation of a log return."""
    return paths.trend[0], paths.spread[0, 0]


@pytest.mark.parametrize("book", [PAIR[:1], PAIR], ids=["one", "two"])
def test_to_whole_matrices(ratio, benchmark, book):
    count, steps = size(benchmark, 10_000)
    paths, rng = brownian([p.instrument.index for p in book], count, steps), np.random.default_rng(1)
    trend, spread = step_of(paths)

    def plain():
        return notebook(book, [rng.normal(trend, spread, (count, steps)) for _ in book])

    def ours():
        return survival(FLAT, book, paths)

    found = ours()
    same(found, book, notebook(book, returns_of(paths, 1_000)))
    capital = found.capital_for(0.5, found.shared)  # on its own paths: within five standard errors of the difference
    assert abs((-plain()[1] < capital).mean() - 0.5) < 5 * np.sqrt(0.5 / count)
    memory = peak(ours), peak(plain)
    benchmark.extra_info.update(peak=memory[0], plain_peak=memory[1])
    assert memory[0] < TRACED and (benchmark.disabled or memory[0] < memory[1] / 10)
    words = f"{memory[0] / 1e6:.0f} MB to {memory[1] / 1e6:.0f} MB"
    ratio(f"{len(book)} coin(s), both modes, {words} / whole matrices", ours, plain, 1, 7)


def test_to_a_plain_loop(ratio, benchmark):
    count, steps = size(benchmark, 10_000)
    few = 10 if benchmark.disabled else 100
    paths = brownian(START, count, steps)
    draws = [partial(random.Random(k).gauss, *step_of(paths)) for k in range(2)]

    def ours():
        return survival(FLAT, PAIR, paths)

    known = [iter(rows.ravel().tolist()).__next__ for rows in returns_of(paths, few)]
    same(ours(), PAIR, bare_loop(PAIR, few, steps, known))
    name = "two coins, both modes / a Python loop over path and step, for each"
    # This bound was set after measuring: of 0.02, drawing alone is 0.013.
    ratio(name, ours, lambda: bare_loop(PAIR, few, steps, draws), 0.03, 7, scale=count / few)


# ----------------------------------------------------- one account: troughs or its steps


@pytest.mark.parametrize("count", [20, 10_000])
def test_outcomes_from_troughs_to_step_by_step(ratio, benchmark, count):
    account = Account(FLAT, USDT=5_000.0).trade(BTC, 1.0, 50_000.0, isolated=2_500.0).trade(ETH, -15.0, 3_000.0)
    count, few, rates = size(benchmark, count)[0], 20, {"BTC-USDT": 0.0001}
    paths, first = brownian(START, count, 60), brownian(START, few, 60)

    def ours():
        return outcomes(account, paths, rates)

    def stepped():
        return outcomes(account, first, rates, meanwhile=lambda account, step: account)

    found, want = ours(), stepped()
    assert found.attrs["how"] == "from troughs" and want.attrs["how"].startswith("step by step")
    assert len(found) == count and 0 < (want["liquidated"] > 0).sum() < few
    assert list(found.columns) == list(want.columns)
    for name in found.columns.drop("worth"):
        np.testing.assert_array_equal(found[name][:few], want[name])
    np.testing.assert_allclose(found["worth"][:few], want["worth"], rtol=1e-9)
    name = f"outcomes from troughs of {count:,} paths of 60 steps / each step by step"
    ratio(name, ours, stepped, 0.05, 5, scale=count / few)


# ------------------------------------------------------------------- a million paths

MILLION = """
import json, resource, sys, time
import numpy as np
from marginlab import Perpetual, Position, venues
from marginlab.market import Brownian, survival

paths = Brownian({"BTC": 50_000}, steps=1_000, count=1_000_000, volatility=0.8, rng=np.random.default_rng(7))
start = time.perf_counter()
found = survival(venues.TEACHING, Position(Perpetual("BTC-USDT", "BTC", "USDT"), 1, 50_000), paths)
took = time.perf_counter() - start
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1_024)
alive = found.survived(5_000, found.shared)
print(json.dumps({"took": took, "peak": most, "paths": len(found.number), "alive": alive}))
"""
# A process begins with the peak of the one that started it: a small one stands between this and the one measured.
BETWEEN = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', sys.argv[1]]).returncode)"


def test_memory_of_many_paths(benchmark):
    if benchmark.disabled:
        paths = brownian(["BTC"], 20_000, 100)
        assert peak(lambda: benchmark(survival, FLAT, PAIR[:1], paths)) < TRACED
        return
    done = benchmark.pedantic(
        lambda: subprocess.run([sys.executable, "-c", BETWEEN, MILLION], capture_output=True, text=True, check=True),
        rounds=1,
    )
    found = json.loads(done.stdout)
    benchmark.extra_info.update(found)
    paths = brownian(["BTC"], 10_000, 1_000)
    few = survival(FLAT, PAIR[:1], paths)
    share = few.survived(5_000, few.shared)
    print(f"a million paths of 1,000 steps: {found['peak'] / 1e6:.0f} MB in all, {found['took']:.1f} s")
    assert found["paths"] == 1_000_000 and abs(found["alive"] - share) < 5 * np.sqrt(share * (1 - share) / 10_000)
    assert found["peak"] < 100e6
