"""Arrays give what each number gives, and liquidation prices of many positions are those of their pools."""

from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marginlab import Perpetual, Pool, Position, Tiers, Venue, liquidation_price, venues
from tests.core.common import STEADY

CONTRACTS = (
    Perpetual("L1", "BTC", "USDT", tiers=Tiers.flat(0.004)),
    Perpetual("L2", "BTC", "USDT", 0.1, venues.BTCUSDT_2024_10),
    Perpetual("L3", "BTC", "USDT", tiers=Tiers(((0, 0.005), (1e5, 0.01), (1e6, 0.2)))),
    Perpetual("L4", "BTC", "USDT", tiers=Tiers(((0, 0.01), (5, 0.03), (40, 0.1)), basis="quantity")),
    Perpetual("I1", "BTC", "BTC", 50_000, Tiers.flat(0.004)),
    Perpetual("I2", "BTC", "BTC", 50_000, venues.BTCUSD_COIN_2020_06),
    Perpetual("I3", "BTC", "BTC", 50_000, Tiers(((0, 0.01), (5, 0.03)), basis="quantity")),
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
    Venue("C, bust", maintenance_at="mark", fee=0.0006, fee_at="bankruptcy"),
)
sizes = st.floats(0.01, 60).flatmap(lambda q: st.sampled_from((q, -q)))
leverages = st.floats(1.01, 100)
rows = st.tuples(sizes, st.floats(30_000, 80_000), st.floats(0.8, 1.2), leverages, st.floats(0.9, 1.5))


@settings(STEADY, max_examples=120)
@given(
    st.lists(rows, min_size=1, max_size=5),
    st.sampled_from(CONTRACTS),
    st.sampled_from(RULES),
    st.booleans(),
)
def test_prices_of_arrays_are_those_of_each_pool_alone(rows, contract, venue, stated):
    q, entry, moved, leverage, extra = map(np.array, zip(*rows, strict=True))
    margin = np.abs(contract.notional(q, entry)) / leverage * extra
    given = {"mark": entry * moved, "leverage": leverage if stated else None}
    prices = liquidation_price(venue, contract, q, entry, margin, **given)
    for n in range(len(rows)):
        size, start, margin_n, mark, lever = (float(x[n]) for x in (q, entry, margin, entry * moved, leverage))
        lever = lever if stated else None
        position = Position(contract, size, start, lever)
        held = {contract.settle: margin_n}
        found = Pool(contract.settle, held, [position], venue, {"BTC": mark}).liquidation()
        expected = found.below.price if size > 0 else found.above.price
        expected = nan if expected is None else expected
        assert prices[n] == pytest.approx(expected, rel=1e-9, nan_ok=True)
        alone = liquidation_price(venue, contract, size, start, margin_n, mark=mark, leverage=lever)
        assert type(alone) is float and alone == pytest.approx(prices[n], rel=1e-13, nan_ok=True)


@pytest.mark.parametrize("contract", CONTRACTS[::3], ids=lambda c: c.symbol)
@pytest.mark.parametrize("venue", RULES[::3], ids=lambda v: v.name)
def test_prices_broadcast_and_keep_their_shape(venue, contract):
    q, entry = np.resize([3.0, -3.0, 20.0], 4_000), np.array([[45_000.0], [60_000.0]])
    margin = np.abs(contract.notional(q, entry)) / 10
    prices = liquidation_price(venue, contract, q, entry, margin, leverage=10)
    assert prices.shape == (2, 4_000)
    for i, j in ((0, 0), (1, 1), (1, 3_999), (0, 2_000)):
        one = (q[j], float(entry[i, 0]), margin[i, j])
        alone = liquidation_price(venue, contract, *one, leverage=10)
        assert prices[i, j] == pytest.approx(alone, rel=1e-13)
    empty = liquidation_price(venue, contract, np.array([]), 5e4, 1.0, leverage=10)
    assert empty.shape == (0,)


def test_whole_numbers_are_prices_too():
    margin = liquidation_price(RULES[0], CONTRACTS[0], 1, 50_000, np.array([5_000, 10_000]))
    assert margin == pytest.approx([45_000 / 0.996, 40_000 / 0.996], rel=1e-14)
    pool = Pool("USDT", {"USDT": 5_000}, [Position(CONTRACTS[0], 1, 50_000)], RULES[0])
    assert pool.slack(BTC=np.array([50_000, 46_000])).tolist() == [4_800, 816]


def test_a_price_that_there_is_not():
    # paid in full: only a price of 0 or less; an inverse short of 1x: beyond all prices
    linear, inverse = CONTRACTS[0], CONTRACTS[4]
    assert liquidation_price(RULES[0], linear, 1, 50_000, 50_000) == pytest.approx(nan, nan_ok=True)
    assert liquidation_price(RULES[0], linear, 1, 50_000, 70_000) == pytest.approx(nan, nan_ok=True)
    assert liquidation_price(RULES[0], inverse, -1, 50_000, 1) == pytest.approx(nan, nan_ok=True)
    assert liquidation_price(RULES[0], inverse, -1, 50_000, 1.5) == pytest.approx(nan, nan_ok=True)
    both = liquidation_price(RULES[0], inverse, np.array([-1.0, 1.0]), 50_000, 1)
    assert both.tolist() == [pytest.approx(nan, nan_ok=True), pytest.approx(25_100, rel=1e-14)]
