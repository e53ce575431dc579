"""The model's speed, as ratios to plain versions of the same arithmetic: see conftest.py for the command."""

from bisect import bisect_right
from decimal import Decimal

import numpy as np
import pytest

from marginlab import Perpetual, Pool, Position, Tiers, liquidation_price, venues

SCHEDULE = venues.BTCUSDT_2024_10
FLOORS, RATES, AMOUNTS = SCHEDULE.floors, SCHEDULE.rates, SCHEDULE.amounts
BTC = Perpetual("BTC-USDT", index="BTC", settle="USDT")
ENTRY = 50_000.0


# ------------------------------------------------- one pool's liquidation price


def isolated(quantity):
    """A position of 10x in its own pool; its liquidation is tiers away from its entry in the larger sizes."""
    margin = abs(quantity) * ENTRY / 10
    return Pool("USDT", {"USDT": margin}, [Position(BTC, quantity, ENTRY)], venues.BINANCE_2024_10)


def closed_form(quantity, entry, wallet):
    """The venue's formula, solved again with the bracket at the answer until it holds."""
    side, size = (1, quantity) if quantity > 0 else (-1, -quantity)
    tier = bisect_right(FLOORS, size * entry) - 1
    while True:
        price = (quantity * entry - wallet - AMOUNTS[tier]) / (size * (side - RATES[tier]))
        found = bisect_right(FLOORS, size * price) - 1
        if found == tier:
            return price
        tier = found


BRACKETS = [(str(floor), str(rate), str(amount)) for floor, rate, amount in zip(FLOORS, RATES, AMOUNTS, strict=True)]


def client(positions):
    """What exchange clients do: decimal strings in and out, one position after the other, brackets by a loop."""
    prices = []
    for position in positions:
        quantity, entry = Decimal(position["positionAmt"]), Decimal(position["entryPrice"])
        wallet, side = Decimal(position["isolatedWallet"]), 1 if quantity > 0 else -1
        notional, last = abs(quantity) * entry, None
        while True:
            for floor, ratio, amount in BRACKETS:
                if notional < Decimal(floor):
                    break
                rate, cum = Decimal(ratio), Decimal(amount)
            price = (quantity * entry - wallet - cum) / (abs(quantity) * (side - rate))
            if rate == last:
                break
            notional, last = abs(quantity) * price, rate
        prices.append(str(price))
    return prices


SIZES = [0.1, -1.0, 20.0, -500.0, 2_500.0]


@pytest.mark.parametrize("quantity", SIZES)
def test_liquidation_price_to_a_closed_form(ratio, quantity):
    pool, wallet = isolated(quantity), isolated(quantity).collateral["USDT"]
    assert pool.liquidation("BTC").price == pytest.approx(closed_form(quantity, ENTRY, wallet), rel=1e-12)
    name = f"liquidation price of {quantity:g} BTC / closed form with tiers"
    ratio(name, lambda: pool.liquidation("BTC").price, lambda: closed_form(quantity, ENTRY, wallet), 15)


def test_liquidation_price_to_an_exchange_client(ratio):
    pools = [isolated(quantity) for quantity in SIZES]
    rows = [
        {"positionAmt": str(q), "entryPrice": str(ENTRY), "isolatedWallet": str(pool.collateral["USDT"])}
        for q, pool in zip(SIZES, pools, strict=True)
    ]

    def ours():
        return [pool.liquidation("BTC").price for pool in pools]

    assert ours() == pytest.approx([float(price) for price in client(rows)], rel=1e-12)
    ratio("the same five pools / an exchange client's decimal strings", ours, lambda: client(rows), 1)


# ------------------------------------------- valuing a cross pool of ten positions

COINS = [f"COIN{n}" for n in range(10)]


def test_valuing_ten_positions_to_a_bare_loop(ratio):
    schedule = Tiers(SCHEDULE.rows)
    entries = [10.0 ** (n % 5) for n in range(10)]
    sizes = [(-1) ** n * 10.0 ** (4 + n / 3) / entry for n, entry in enumerate(entries)]
    positions = [
        Position(Perpetual(f"{coin}-USDT", coin, "USDT", tiers=schedule), size, entry)
        for coin, size, entry in zip(COINS, sizes, entries, strict=True)
    ]
    pool = Pool("USDT", {"USDT": 1e7}, positions, venues.BINANCE_2024_10)
    prices = {coin: 1.02 * entry for coin, entry in zip(COINS, entries, strict=True)}
    rows = [(*row, FLOORS, RATES, AMOUNTS) for row in zip(COINS, sizes, entries, strict=True)]

    def bare():
        slack = 1e7
        for coin, size, entry, floors, rates, amounts in rows:
            price = prices[coin]
            notional = abs(size * price)
            tier = bisect_right(floors, notional) - 1
            slack += size * (price - entry) - (rates[tier] * notional - amounts[tier])
        return slack

    assert pool.slack(prices) == pytest.approx(bare(), rel=1e-12)
    ratio("slack of ten positions at given prices / a bare loop", lambda: pool.slack(prices), bare, 3)


# --------------------------------------------------- a million liquidation prices

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("venue", "most"), [(venues.TEACHING, 10), (venues.BINANCE_2024_10, 20)], ids=["flat", "tiers"]
)
def test_a_million_prices_to_one_numpy_evaluation(ratio, venue, most):
    rng = np.random.default_rng(1)
    quantity = rng.uniform(0.1, most, MILLION) * rng.choice([-1, 1], MILLION)
    entry = rng.uniform(40_000, 60_000, MILLION)
    margin = np.abs(quantity) * entry / rng.uniform(2, 20, MILLION)
    schedule = venue.schedule(BTC)
    floors, rates, amounts = map(np.array, (schedule.floors, schedule.rates, schedule.amounts))

    def price(rate, amount):
        return (quantity * entry - margin - amount) / (quantity - np.abs(quantity) * rate)

    def plain():
        if len(rates) == 1:
            return price(rates[0], amounts[0])
        tier = np.searchsorted(floors, np.abs(quantity) * entry, side="right") - 1
        return price(rates[tier], amounts[tier])

    def ours():
        return liquidation_price(venue, BTC, quantity, entry, margin)

    found, want = ours(), plain()
    for _ in range(0 if len(rates) == 1 else 3):  # the tier at the answer, which one evaluation does not look up
        tier = np.searchsorted(floors, np.abs(quantity) * want, side="right") - 1
        want = price(rates[tier], amounts[tier])
    np.testing.assert_allclose(found, np.maximum(want, 0.0), rtol=1e-12)
    ratio(f"a million prices, {len(rates)} tier(s) / one numpy evaluation", ours, plain, 5)
