"""The core's speed, as ratios to plain versions of the same arithmetic: see conftest.py for the command."""

import tracemalloc
from bisect import bisect_right
from collections import deque

import numpy as np
import pytest

from marginlab import (
    Account,
    Asset,
    Liquidation,
    Perpetual,
    Pool,
    Position,
    Tiers,
    Venue,
    deleveraging,
    funding,
    liquidation_price,
    replace,
    steps,
    surface,
    venues,
)
from marginlab.market.cascade import cascade
from tests.process import process

SCHEDULE = venues.BTCUSDT_2024_10
FLOORS, RATES, AMOUNTS = SCHEDULE.floors, SCHEDULE.rates, SCHEDULE.amounts
BTC = Perpetual("BTC-USDT", index="BTC", settle="USDT")
ENTRY = 50_000.0


# ------------------------------------------- valuing a cross pool of ten positions

COINS = [f"COIN{n}" for n in range(10)]
ENTRIES = [10.0 ** (n % 5) for n in range(10)]
QUANTITIES = [(-1) ** n * 10.0 ** (4 + n / 3) / entry for n, entry in enumerate(ENTRIES)]
TIERS = Tiers(SCHEDULE.rows)


def ten(indices, entries=ENTRIES, quantities=QUANTITIES, wallet=1e7):
    """A cross pool of ten linear positions on these indices."""
    positions = [
        Position(Perpetual(f"NO{n}-USDT", index, "USDT", tiers=TIERS), size, entry)
        for n, (index, size, entry) in enumerate(zip(indices, quantities, entries, strict=True))
    ]
    return Pool("USDT", {"USDT": wallet}, positions, venues.BINANCE_2024_10)


def test_valuing_ten_positions_to_a_bare_loop(ratio):
    pool = ten(COINS)
    prices = {coin: 1.02 * entry for coin, entry in zip(COINS, ENTRIES, strict=True)}
    rows = [(*row, FLOORS, RATES, AMOUNTS) for row in zip(COINS, QUANTITIES, ENTRIES, strict=True)]

    def bare():
        slack = 1e7
        for coin, size, entry, floors, rates, amounts in rows:
            price = prices[coin]
            notional = abs(size * price)
            tier = bisect_right(floors, notional) - 1
            slack += size * (price - entry) - (rates[tier] * notional - amounts[tier])
        return slack

    assert pool.slack(prices) == pytest.approx(bare(), rel=1e-12)
    ratio("slack of ten positions at given prices / a bare loop", lambda: pool.slack(prices), bare, 15)


ONE_INDEX = [1.0, -2.0, 30.0, -4.0, 5.0, -60.0, 700.0, -8.0, 9.0, -100.0]  # coins at about 50,000


@pytest.mark.parametrize("what", ["ten coins", "one index", "all ten together"])
def test_liquidation_of_ten_positions_to_one_valuation(ratio, what):
    if what == "one index":
        pool = ten(["BTC"] * 10, [ENTRY * (1 + n / 1_000) for n in range(10)], ONE_INDEX, 3e6)
        moving = "BTC"
    else:
        pool = ten(COINS)
        moving = COINS[9] if what == "ten coins" else pool.indices
    prices = {name: 1.01 * price for name, price in pool.marks.items()}

    def ours():
        found = pool.liquidation(moving)
        return found.below.root, found.above.root

    found = pool.liquidation(moving)
    sides = [side for side in (found.below, found.above) if side.root is not None]
    assert sides and all(abs(pool.slack(side.prices)) <= 1e-9 * pool.requirement(side.prices) for side in sides)
    for side in sides:  # the nearest one: no crossing on the way to it
        path = [
            {n: m + (side.prices[n] - m) * k / 50 for n, m in pool.marks.items() if n in side.prices} for k in range(50)
        ]
        assert all(pool.slack(at) > 0 for at in path)
    ratio(f"liquidation of ten positions, {what} / one valuation", ours, lambda: pool.slack(prices), 80)


# --------------------------------------------- a surface over the prices of two coins

ASSETS = {
    "BTC": Asset(haircut=0.05),
    "ETH": Asset(haircut=Tiers(((0, 0.1), (1_000_000, 0.2)))),
    "USDT": Asset(loan=Tiers(((0, 0.02), (100_000, 0.05)))),
}
MULTI = Venue("multi-currency", account_mode="multi-currency", assets=ASSETS, unrealised="beside")
ROWS, COLUMNS = np.linspace(20_000.0, 80_000.0, 200), np.linspace(1_000.0, 5_000.0, 200)
HELD = {"BTC": 20.0, "ETH": 400.0, "USDT": -1_200_000.0}
BOOK = [  # symbol, index, settlement, size, entry
    ("BTC-USDT", "BTC", "USDT", 30.0, 50_000.0),
    ("BTC-USD", "BTC", "BTC", -600_000.0, 52_000.0),
    ("ETH-USDT", "ETH", "USDT", -500.0, 3_000.0),
    ("ETH-USD", "ETH", "ETH", 250_000.0, 2_900.0),
]


def book():
    positions = [Position(Perpetual(*names, tiers=TIERS), size, entry) for *names, size, entry in BOOK]
    return Pool("USD", HELD, positions, MULTI, {"BTC": 50_000.0, "ETH": 3_000.0})


ARRAYS = tuple(map(np.array, (FLOORS, RATES, AMOUNTS)))


def bare_surface(btc, eth):
    """The same arithmetic in plain numpy, each part no larger than it has to be."""
    at = {"BTC": btc, "ETH": eth}
    floors, rates, amounts = ARRAYS
    held, two = HELD["ETH"] * eth, ASSETS["ETH"].haircut
    slack = HELD["BTC"] * btc * 0.95 + (held - np.where(held < 1_000_000, 0.1 * held, 0.2 * held - two.amounts[1]))
    slack = slack + HELD["USDT"] - (-0.05 * HELD["USDT"] - ASSETS["USDT"].loan.amounts[1])
    for _, index, settle, size, entry in BOOK:
        price = at[index]
        pnl, notional = size * (price - entry), np.abs(size * price)
        if settle == index:
            pnl, notional = size * (1 / entry - 1 / price), np.abs(size / price)
        tier = np.searchsorted(floors, notional, side="right") - 1
        left = pnl - (rates[tier] * notional - amounts[tier])
        slack = slack + (left * price if settle == index else left)
    return slack


@pytest.mark.parametrize("how", ["slack", "surface"])
def test_a_surface_to_bare_numpy(ratio, how):
    pool, prices = book(), {"BTC": ROWS[:, None], "ETH": COLUMNS}
    found = surface(pool, BTC=ROWS, ETH=COLUMNS).to_numpy() if how == "surface" else pool.slack(prices)
    want = bare_surface(ROWS[:, None], COLUMNS)
    assert found.shape == (200, 200) and (want < 0).any() and (want > 0).any()
    np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-6)
    for i, j in ((0, 0), (17, 150), (199, 3)):
        assert pool.slack(BTC=float(ROWS[i]), ETH=float(COLUMNS[j])) == pytest.approx(want[i, j], rel=1e-9)
    ours = (lambda: pool.slack(prices)) if how == "slack" else (lambda: surface(pool, BTC=ROWS, ETH=COLUMNS))
    ratio(f"{how} of 200 x 200 prices / bare numpy", ours, lambda: bare_surface(ROWS[:, None], COLUMNS), 3)


# ------------------------------------------------- 5,000 isolated liquidation prices


@pytest.mark.parametrize("settle", ["USDT", "BTC"], ids=["linear", "inverse"])
def test_many_prices_to_one_valuation_of_their_slack(ratio, settle):
    rng, count = np.random.default_rng(1), 5_000
    tiers = SCHEDULE if settle == "USDT" else venues.BTCUSD_COIN_2020_06
    face = 1.0 if settle == "USDT" else ENTRY
    contract = Perpetual("BTC-5000", "BTC", settle, face, tiers)
    quantity = rng.uniform(0.1, 40, count) * rng.choice([-1, 1], count)
    entry = rng.uniform(40_000, 60_000, count)
    margin = np.abs(contract.notional(quantity, entry)) / rng.uniform(2, 20, count)
    price = entry * rng.uniform(0.9, 1.1, count)

    def ours():
        return liquidation_price(venues.BINANCE_2024_10, contract, quantity, entry, margin)

    def slack(price):
        charge = tiers.maintenance(np.abs(contract.notional(quantity, price)))
        return margin + contract.pnl(quantity, entry, price) - charge

    found = ours()
    inside = (found > 0) & (found < np.inf)
    assert inside.mean() > 0.9
    at = np.where(inside, found, entry)
    assert (np.abs(slack(at))[inside] <= 1e-9 * margin[inside]).all()
    name = f"5,000 isolated liquidation prices, {settle} / one valuation of their slack"
    ratio(name, ours, lambda: slack(price), 30)


# ------------------------------------------------- a year of funding on many paths


@pytest.mark.parametrize("settle", ["USDT", "BTC"], ids=["linear", "inverse"])
def test_a_year_of_funding_to_one_multiplication_and_sum(ratio, settle):
    rng = np.random.default_rng(1)
    prices = rng.uniform(20_000, 80_000, (1_095, 10_000))  # every 8 hours
    rates = rng.normal(0.0001, 0.0003, prices.shape)
    contract = Perpetual(f"BTC-{settle}-2", "BTC", settle, 1 if settle == "USDT" else 100)
    position = Position(contract, -20.0, ENTRY)

    def ours():
        return funding.total(position, rates, prices)

    def plain():
        return (prices * rates).sum(axis=0)

    want = -20 * plain() if settle == "USDT" else -2_000 * (rates / prices).sum(axis=0)
    np.testing.assert_allclose(ours(), want, rtol=1e-9, atol=1e-12 * np.abs(want).max())
    ratio(f"a year of funding on 10,000 paths, {settle} / one multiply and sum", ours, plain, 3, rounds=5)


# ------------------------------------------- what a venue does, to one valuation or more


def at_the_line(rule, venue=venues.TEACHING):
    """An account of ten cross longs, marked just below its liquidation price along all ten coins."""
    account = Account(replace(venue, tiers={"*": TIERS}, liquidation=rule), USDT=3e6)
    for n, (coin, size, entry) in enumerate(zip(COINS, QUANTITIES, ENTRIES, strict=True)):
        account = account.trade(Perpetual(f"NO{n}-USDT", coin, "USDT"), abs(size), entry)
    found = account.cross.liquidation(account.cross.indices).below.prices
    return account.mark(**{coin: 0.999 * price for coin, price in found.items()})


@pytest.mark.parametrize(("partial", "target"), [("none", 600), ("tiers", 60)])
def test_a_liquidation_of_ten_positions_to_one_valuation(ratio, partial, target):
    account = at_the_line(process(partial=partial, order="notional"))
    pool, prices = account.cross, dict(account.marks)
    after = account.liquidate(impact=0.001)
    new = after.events[len(account.events) :]
    if partial == "none":
        assert new[-1].kind == "liquidation" and not any(p.open for p in after.pools)
    else:
        assert any(event.kind == "partial liquidation" for event in new)
    name = f"liquidate of ten positions, partial {partial} ({len(new)} events) / one valuation"
    ratio(name, lambda: account.liquidate(impact=0.001), lambda: pool.slack(prices), target, rounds=5)


def test_deleveraging_of_100_accounts_to_a_valuation_of_each(ratio):
    accounts = [
        Account(venues.TEACHING, USDT=1e6)
        .trade(BTC, size, ENTRY, isolated=abs(size) * ENTRY / (20 if size > 0 else 4))
        .mark(BTC=0.94 * ENTRY)
        for size in (1 + n / 100 if n % 2 else -1 - n / 100 for n in range(100))
    ]

    def ours():
        return deleveraging.liquidate_all(accounts, fund=0.0)

    def plain():
        return [pool.slack() for account in accounts for pool in account.pools if pool.open]

    found = ours()
    taken = sum(event.kind == "auto-deleveraging" for account in found.accounts for event in account.events)
    assert taken > 50
    assert all(pool.slack() > 0 for account in found.accounts for pool in account.pools if pool.open)
    ratio(f"deleveraging of 100 accounts ({taken} events) / a valuation of each", ours, plain, 500, rounds=3)


def test_steps_of_ten_positions_to_a_valuation_at_each(ratio):
    account = at_the_line(Liquidation())
    rng = np.random.default_rng(1)
    paths = {c: e * np.exp(np.cumsum(rng.normal(0, 0.001, 500))) for c, e in zip(COINS, ENTRIES, strict=True)}
    pool, rows = account.cross, [{c: float(path[n]) for c, path in paths.items()} for n in range(500)]

    def ours():
        return deque(steps(account.mark(**rows[0]), prices=paths), maxlen=1).pop()

    assert ours().cross.slack() == pytest.approx(pool.slack(rows[-1]), rel=1e-12) and len(ours().cross.positions) == 10
    name = "500 steps of ten positions / a valuation at each"
    ratio(name, ours, lambda: [pool.slack(row) for row in rows], 50, rounds=5)


# ------------------------------------------------------ a cascade of many positions


def crowd(side):
    """10,000 positions and 200 prices that fall from 50,000 to about 30,000, noisily."""
    rng = np.random.default_rng(1)
    quantity = rng.uniform(0.1, 2, 10_000) * (rng.choice([-1, 1], 10_000) if side is None else side)
    entry = rng.uniform(48_000, 52_000, 10_000)
    margin = np.abs(quantity) * entry / rng.uniform(1.2, 20, 10_000)
    return quantity, entry, margin, 50_000 * np.exp(np.cumsum(rng.normal(-0.0025, 0.01, 200)))


def pushed(net):
    return 0.3 * net / (net + 1e9)


@pytest.mark.parametrize("side", [1, None], ids=["longs", "both"])
def test_a_cascade_to_one_matrix_of_comparisons(ratio, benchmark, side):
    book, venue = crowd(side), venues.BINANCE_2024_10
    end = liquidation_price(venue, BTC, *book[:3])

    def plain():
        return (end[:, None] >= book[3]).any(axis=1)

    def ours():
        return cascade(venue, BTC, *book, pushed)

    found, still = ours()[1] >= 0, cascade(venue, BTC, *book, lambda net: 0.0)[1] >= 0
    longs = book[0] > 0
    assert (still == plain())[longs].all() and 500 < still[longs].sum() < found[longs].sum()
    tracemalloc.start()  # the matrix alone is 2 MB
    ours()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    benchmark.extra_info["peak"] = peak
    assert peak < 3e6
    name = f"a cascade of 10,000 positions, 200 prices, {'longs' if side else 'both'} / one matrix"
    ratio(name, ours, plain, 10)
