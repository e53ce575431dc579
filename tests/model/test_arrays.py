"""Arrays give what each number gives: pools over prices, and liquidation prices of many positions at once."""

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marginlab import Perpetual, Pool, Position, Tiers, Venue, liquidation_price, venues

STEADY = settings(deadline=None, derandomize=True, database=None, max_examples=200)
CONTRACTS = (
    Perpetual("L1", "BTC", "USDT", tiers=Tiers.flat(0.004)),
    Perpetual("L2", "BTC", "USDT", 0.1, venues.BTCUSDT_2024_10),
    Perpetual("L3", "BTC", "USDT", tiers=Tiers(((0, 0.005), (1e5, 0.01), (1e6, 0.2)))),
    Perpetual("L4", "BTC", "USDT", tiers=Tiers(((0, 0.01), (5, 0.03), (40, 0.1)), basis="quantity")),
    Perpetual("I1", "BTC", "BTC", 50_000, Tiers.flat(0.004)),
    Perpetual("I2", "BTC", "BTC", 50_000, venues.BTCUSD_COIN_2020_06),
    Perpetual("I3", "BTC", "BTC", 50_000, Tiers(((0, 0.01), (5, 0.03)))),
    Perpetual("I4", "BTC", "BTC", 50_000, Tiers(((0, 0.01), (5, 0.03)), basis="quantity")),
)
RULES = (
    Venue("A"),
    Venue("A, fee", fee=0.0006, fee_at="price"),
    Venue("A, entry fee", fee=0.0006, fee_at="entry"),
    Venue("A, bust", fee=0.0006, fee_at="bankruptcy"),
    Venue("B", maintenance_at="entry"),
    Venue("B, fee", maintenance_at="entry", fee=0.0006, fee_at="price"),
    Venue("B, bust", maintenance_at="entry", fee=0.0006, fee_at="bankruptcy"),
    Venue("C", maintenance_at="mark"),
    Venue("C, fee", maintenance_at="mark", fee=0.0006, fee_at="price"),
    Venue("HTX", rates_of="initial margin"),
    Venue("HTX, B, fee", rates_of="initial margin", maintenance_at="entry", fee=0.0006, fee_at="price"),
)
contracts, rules = st.sampled_from(CONTRACTS), st.sampled_from(RULES)
sizes = st.floats(0.01, 60).flatmap(lambda q: st.sampled_from((q, -q)))
rows = st.tuples(sizes, st.floats(30_000, 80_000), st.floats(0.8, 1.2), st.floats(1.01, 100), st.floats(0.9, 1.5))


@STEADY
@given(st.lists(rows, min_size=1, max_size=5), contracts, rules)
def test_prices_of_arrays_are_those_of_each_pool_alone(rows, contract, venue):
    q, entry, moved, leverage, extra = map(np.array, zip(*rows, strict=True))
    margin = np.abs(contract.notional(q, entry)) / leverage * extra
    prices = liquidation_price(venue, contract, q, entry, margin, mark=entry * moved, leverage=leverage)
    for n in range(len(rows)):
        held = [float(x[n]) for x in (q, entry, margin, entry * moved, leverage)]
        position = Position(contract, held[0], held[1], held[4])
        pool = Pool(contract.settle, {contract.settle: held[2]}, [position], venue, {"BTC": held[3]})
        found = pool.liquidation()
        expected = found.below.price or 0.0 if held[0] > 0 else found.above.price or inf
        assert prices[n] == pytest.approx(expected, rel=1e-9)
        alone = liquidation_price(venue, contract, *held[:3], mark=held[3], leverage=held[4])
        assert type(alone) is float and alone == pytest.approx(prices[n], rel=1e-13)


@STEADY
@given(rows, contracts, rules, st.lists(st.floats(100, 5e5), min_size=1, max_size=6))
def test_a_pool_over_an_array_of_prices(row, contract, venue, prices):
    q, entry, _, leverage, extra = row
    margin = abs(contract.notional(q, entry)) / leverage * extra
    book = [Position(contract, q, entry, leverage), Position(CONTRACTS[0], -1, 50_000, 10)]
    pool = Pool(contract.settle, {contract.settle: margin, "BTC": 1.5}, book, venue)
    for method in (pool.equity, pool.requirement, pool.slack, pool.margin_ratio, pool.available):
        one = [method(BTC=price) for price in prices]
        assert np.broadcast_to(method(BTC=np.array(prices)), len(prices)).tolist() == pytest.approx(one, rel=1e-13)


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("venue", RULES, ids=lambda v: v.name)
def test_prices_broadcast_in_blocks_and_keep_their_shape(venue, contract):
    # more rows than one block of the loop holds, with longs and shorts in one array
    q, entry = np.resize([3.0, -3.0, 20.0], 40_000), np.array([[45_000.0], [60_000.0]])
    margin = np.abs(contract.notional(q, entry)) / 10
    prices = liquidation_price(venue, contract, q, entry, margin, leverage=10)
    assert prices.shape == (2, 40_000)
    for i, j in ((0, 0), (1, 1), (1, 39_999), (0, 20_000)):
        alone = liquidation_price(venue, contract, q[j], float(entry[i, 0]), margin[i, j], leverage=10)
        assert prices[i, j] == pytest.approx(alone, rel=1e-13)
    assert liquidation_price(venue, contract, np.array([]), 5e4, 1.0, leverage=10).shape == (0,)


def test_whole_numbers_are_prices_too():
    margin = liquidation_price(RULES[0], CONTRACTS[0], 1, 50_000, np.array([5_000, 10_000]))
    assert margin == pytest.approx([45_000 / 0.996, 40_000 / 0.996], rel=1e-14)
    pool = Pool("USDT", {"USDT": 5_000}, [Position(CONTRACTS[0], 1, 50_000)], RULES[0])
    assert pool.slack(BTC=np.array([50_000, 46_000])).tolist() == [4_800, 816]


def test_a_short_that_no_price_keeps_alive_is_not_answered_with_nan():
    # 10 coins at a rate of 1 % + 20 % a coin: V - (0.01 + 0.2 V) V is at most 1.225, and 9 would be needed
    contract = Perpetual("BTC-USD", "BTC", "BTC", 100, Tiers(((0, 0.01, 50),)))
    assert not isnan(liquidation_price(RULES[0], contract, -5_000, 50_000, 1))


def test_a_price_beyond_all_prices_is_none_in_arrays_and_in_pools():
    """What is left of the notional is rounding: a short of coins that are there, to the last digit."""
    contract = Perpetual("I1", "BTC", "BTC", tiers=Tiers.flat(0.0))
    venue, margin = Venue("A"), 1.0 - 2.0**-52
    assert liquidation_price(venue, contract, -50_000.0, 50_000.0, margin) == inf
    position = Position(contract, -50_000.0, 50_000.0)
    found = Pool("BTC", {"BTC": margin}, [position], venue, {"BTC": 50_000.0}).liquidation()
    assert found.above.price is None and "inverse short" in found.above.why
    near = liquidation_price(venue, contract, -50_000.0, 50_000.0, 1.0 - 1e-9)  # but this is a price
    assert near == pytest.approx(5e13, rel=1e-6)
    # a debt of next to nothing, as a random search found it
    owed = Pool("USD", {"BTC": -2.7e-278, "ETH": 1.0}, (), venues.TEACHING_MULTI, {"BTC": 40_000.0, "ETH": 1_500.0})
    assert owed.liquidation(["BTC", "ETH"]).high is None and owed.liquidation(["BTC", "ETH"]).above.why
    assert owed.margin_ratio(BTC=np.array([1e-30, 1e-28])).tolist() == [inf, inf]
    assert owed.margin_ratio(BTC=1e-30) == inf
