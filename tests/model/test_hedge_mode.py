"""A long and a short of one contract side by side, one contract isolated and cross at once, and how to name them."""

from marginlab import replace

import pytest

from marginlab import Account, Perpetual, Spot, venues

LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
PAIR = Spot("BTC/USDT")
HEDGE = replace(venues.TEACHING, hedge_mode=True)
BOTH = replace(venues.TEACHING, both_modes=True)
START = Account(HEDGE, USDT=100_000)
PAIRED = START.trade(LINEAR, 2, 50_000, leg="long").trade(LINEAR, -1, 50_000, leg="short")
APART = START.trade(LINEAR, 2, 50_000, leg="long", isolated=10_000).trade(
    LINEAR, -1, 50_000, leg="short", isolated=5_000
)
TWICE = Account(BOTH, USDT=100_000).trade(LINEAR, 2, 50_000).trade(LINEAR, 1, 50_000, isolated=5_000)
EVERY = Account(venues.TEACHING_MULTI, USDT=100_000, BTC=1).mark(BTC=50_000)
EVERY = EVERY.trade(LINEAR, 2, 50_000).trade(LINEAR, -1, 50_000, isolated=5_000, leg="short")


def near(value):
    return pytest.approx(value, rel=1e-12)


def legs(pool):
    return [p.quantity for p in pool.positions]


def test_two_legs_have_one_slope_and_two_requirements():
    pool = PAIRED.cross
    assert legs(pool) == [2, -1] and PAIRED[LINEAR] is pool
    # 2 - 1 = 1 for each dollar; 0.4 % of 150,000
    assert pool.equity(BTC=51_000) - pool.equity(BTC=50_000) == near(1_000)
    assert pool.requirement() == near(600) and pool.requirement(kind="initial") == near(1_200)
    # 100,000 + P - 50,000 = 0.012 P at no price
    assert pool.liquidation().below.price is None
    even = PAIRED.trade(LINEAR, -1, 50_000, leg="short").cross  # 2 against 2: nothing but the requirement moves
    assert even.equity(BTC=1_000) == even.equity(BTC=90_000) == 100_000
    assert even.liquidation().above.price == near(100_000 / 0.016) and even.liquidation().below.price is None
    assert even.liquidation().above.tiers == {"long BTC-USDT": 1, "short BTC-USDT": 1}


def test_each_leg_grows_shrinks_and_closes_alone():
    assert legs(PAIRED.trade(LINEAR, 1, 51_000, leg="long").cross) == [-1, 3]
    assert legs(PAIRED.trade(LINEAR, -1, 51_000, leg="long").cross) == [1, -1]
    assert legs(PAIRED.trade(LINEAR, 0.5, 51_000, leg="short").cross) == [2, -0.5]
    closed = PAIRED.trade(LINEAR, -2, 51_000, leg="long")
    assert legs(closed.cross) == [-1] and closed.balances() == {"USDT": 102_000}
    closed = PAIRED.trade(LINEAR, 1, 51_000, leg="short")
    assert legs(closed.cross) == [2] and closed.balances() == {"USDT": 99_000}
    # with one leg open there is no question: without leg= it is reduced, and turned
    assert legs(closed.trade(LINEAR, -1, 51_000).cross) == [1]
    assert legs(closed.trade(LINEAR, -3, 51_000).cross) == [-1]


def test_each_leg_may_have_an_isolated_pool_of_its_own():
    assert [p.name for p in APART.pools] == ["cross USDT", "isolated BTC-USDT long", "isolated BTC-USDT short"]
    long, short = APART[LINEAR, "long"], APART[LINEAR, "short"]
    assert (legs(long), legs(short)) == ([2], [-1])
    assert long.liquidation().price == near(90_000 / 1.992)  # 10,000 + 2 (P - 50,000) = 0.008 P
    assert short.liquidation().price == near(55_000 / 1.004)
    assert APART["BTC-USDT", "isolated", "short"] is short
    after = APART.at(BTC=56_000)  # the short is gone, the long is not
    assert [e.pool for e in after.liquidations] == ["isolated BTC-USDT short"] and legs(after[LINEAR]) == [2]
    more = APART.transfer(1_000, "USDT", to=(LINEAR, "short"))
    assert more[LINEAR, "short"].collateral == {"USDT": 6_000} and more[LINEAR, "long"].collateral == {"USDT": 10_000}
    closed = APART.trade(LINEAR, -2, 50_000, leg="long")
    assert [p.name for p in closed.pools] == ["cross USDT", "isolated BTC-USDT short"]


def test_one_contract_in_isolated_and_in_cross_margin():
    walled, shared = TWICE[LINEAR, "isolated"], TWICE[LINEAR, "cross"]
    assert (walled.isolated, shared.isolated) == (True, False) and (legs(walled), legs(shared)) == ([1], [2])
    assert legs(TWICE.trade(LINEAR, 1, 50_000, isolated=False)[LINEAR, "cross"]) == [3]
    assert legs(TWICE.trade(LINEAR, -1, 50_000, isolated=False)[LINEAR, "cross"]) == [1]
    assert legs(TWICE.trade(LINEAR, 1, 50_000, isolated=5_000)[LINEAR, "isolated"]) == [2]
    closed = TWICE.trade(LINEAR, -1, 50_000, isolated=True)
    assert [p.name for p in closed.pools] == ["cross USDT"] and legs(closed[LINEAR]) == [2]
    assert legs(TWICE.trade(LINEAR, -3, 50_000, isolated=False)[LINEAR, "cross"]) == [-1]  # a flip stays in its pool
    flipped = TWICE.trade(LINEAR, -2, 50_000, isolated=True)[LINEAR, "isolated"]
    assert legs(flipped) == [-1] and flipped.collateral == {"USDT": near(5_000)}


def test_a_side_tells_modes_apart_too():
    assert legs(EVERY[LINEAR, "short"]) == [-1] and EVERY[LINEAR, "short"].isolated
    assert legs(EVERY[LINEAR, "long"]) == [2] and not EVERY[LINEAR, "long"].isolated
    assert EVERY[LINEAR, "cross", "long"] is EVERY.cross
    assert len(EVERY.find("BTC-USDT")) == 2 and len(EVERY.find("BTC-USDT", leg="short")) == 1


def test_a_cross_trade_may_be_asked_for_by_name():
    assert START.trade(LINEAR, 1, 50_000, isolated=False).cross.positions
    walled = START.trade(LINEAR, 1, 50_000, isolated=5_000)
    assert legs(walled.trade(LINEAR, -0.5, 50_000)[LINEAR]) == [0.5]  # absent: in the pool that it is in
    assert legs(walled.trade(LINEAR, -0.5, 50_000, isolated=True)[LINEAR]) == [0.5]


def test_a_pair_isolated_and_cross():
    both = Account(venues.TEACHING_MULTI, BTC=4).mark(BTC=50_000).trade(PAIR, 2, 50_000, borrow="USDT")
    both = both.trade(PAIR, 1, 50_000, borrow="USDT", isolated=0.5)
    assert both[PAIR, "isolated"].collateral == {"BTC": 1.5, "USDT": -50_000}
    assert both["BTC/USDT", "cross"].collateral == {"BTC": 5.5, "USDT": -100_000}
    less = both.trade(PAIR, -1, 50_000, isolated=False)
    assert less.cross.collateral == {"BTC": 4.5, "USDT": -50_000} and less[PAIR, "isolated"].collateral["BTC"] == 1.5
    less = both.trade(PAIR, -1, 50_000, isolated=True)
    assert [p.name for p in less.pools] == ["cross"] and less.cross.collateral["BTC"] == near(6)


def test_a_position_that_is_turned_has_the_leverage_that_was_asked_for():
    account = Account(venues.TEACHING, USDT=100_000).trade(LINEAR, 2, 50_000, leverage=10)
    assert account.trade(LINEAR, -3, 50_000, leverage=5).cross.positions[0].leverage == 5
    assert account.trade(LINEAR, -3, 50_000).cross.positions[0].leverage == 10


def test_a_cross_position_may_be_reduced_below_the_line():
    # long 2 on 10,000 at 45,050: 100 left where 360.4 are required, and 180.2 after a sale of one
    thin = Account(venues.TEACHING, USDT=10_000).trade(LINEAR, 2, 50_000).mark(BTC=45_050)
    assert thin.trade(LINEAR, -1, 45_050).cross.slack() == near(-80.2)
