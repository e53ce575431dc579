"""Wrong answers that are known from elsewhere. Each comment works out the right figure and the error."""

import pytest

from marginlab import Account, Perpetual, Pool, Position, Tiers, Venue, liquidation_price, venues

BTC = Perpetual("BTC-USDT", index="BTC", settle="USDT")
OCTOBER = venues.BINANCE_2024_10
SAME = venues.BTCUSDT_2024_10


def long(coins, margin, leverage=None):
    return Pool("USDT", {"USDT": margin}, [Position(BTC, coins, 50_000, leverage)], OCTOBER)


def test_the_tier_is_that_of_the_notional_and_not_of_the_collateral():
    # long 20 at 50,000, 10x: 20 P - 900,000 = rate * 20 P - amount. At the answer the notional is about 905,000:
    # 0.65 % less 950: P = 899,050 / 19.87 = 45,246.60. The tier of the 100,000 of collateral (0.5 % less 50)
    # gives 899,950 / 19.9 = 45,223.62.
    price = long(20, 100_000, 10).liquidation().below
    assert price.price == pytest.approx(899_050 / 19.87, rel=1e-13) == pytest.approx(45_246.60, abs=0.005)
    assert price.tiers == {"BTC-USDT": 3}
    assert liquidation_price(OCTOBER, BTC, 20, 50_000, 100_000) == pytest.approx(899_050 / 19.87, rel=1e-13)


def test_the_tier_is_that_of_the_answer_and_not_of_the_entry():
    # long 1 at 50,000 on 5,000: P - 45,000 = rate * P - amount. At 45,181 the first tier holds: 45,000 / 0.996 =
    # 45,180.72. The entry's tier (50,000 is in the second) gives (45,000 - 50) / 0.995 = 45,175.88, and 45,000 /
    # 0.995 = 45,226.13 without its amount.
    price = long(1, 5_000).liquidation().below
    assert price.price == pytest.approx(45_000 / 0.996, rel=1e-13) == pytest.approx(45_180.72, abs=0.005)
    assert price.tiers == {"BTC-USDT": 1}
    assert liquidation_price(OCTOBER, BTC, 1, 50_000, 5_000) == pytest.approx(45_000 / 0.996, rel=1e-13)


def test_the_loss_of_another_short_is_a_loss_in_cross():
    # long 1 at 50,000; another market short 1 from 50,000, marked 60,000: it lost 10,000 and requires 0.5 % of
    # 60,000 less 50 = 250. 20,000 - 10,000 + P - 50,000 = 0.004 P + 250: P = 40,250 / 0.996 = 40,411.65 (tier 1).
    # The loss taken for a profit: 20,250 / 0.996 = 20,331.33.
    other = Perpetual("XYZ-USDT", index="XYZ", settle="USDT", tiers=SAME)
    book = [Position(BTC, 1, 50_000), Position(other, -1, 50_000)]
    pool = Pool("USDT", {"USDT": 20_000}, book, OCTOBER, {"BTC": 50_000, "XYZ": 60_000})
    price = pool.liquidation("BTC").below.price
    assert price == pytest.approx(40_250 / 0.996, rel=1e-13) == pytest.approx(40_411.65, abs=0.005)


def test_maintenance_is_not_divided_by_leverage():
    # 1,000,000 of notional requires 0.65 % less 950 = 5,550 at 5x as at 50x; divided by 10 it would be 555.
    at = [long(20, 200_000, leverage).requirement() for leverage in (5, 10, 50)]
    assert at == [pytest.approx(5_550, rel=1e-14)] * 3
    # and the liquidation price does not know it either: 20 P - 800,000 = 0.65 % * 20 P - 950
    prices = [long(20, 200_000, leverage).liquidation().price for leverage in (5, 10, 50)]
    assert prices == [pytest.approx(799_050 / 19.87, rel=1e-13)] * 3


def test_maintenance_is_divided_by_leverage_where_the_venue_does_so():
    # HTX: an adjustment factor of 5 % at 10x is 0.5 % of the notional: 1 P - 9,000 = 0.005 P
    htx = Venue("HTX", tiers={"*": Tiers.flat(0.05)}, rates_of="initial margin")
    pool = Pool("USDT", {"USDT": 1_000}, [Position(BTC, 1, 10_000, 10)], htx)
    assert pool.requirement() == pytest.approx(50, rel=1e-14)
    assert pool.liquidation().price == pytest.approx(9_000 / 0.995, rel=1e-14)


def test_each_market_has_its_own_tiers():
    # 26 markets of 40,000 each: 26 * 0.4 % * 40,000 = 4,160. One tier for the sum of 1,040,000 would be
    # 0.65 % less 950 = 5,810.
    book = [Position(Perpetual(f"M{n}", f"I{n}", "USDT", tiers=SAME), 1, 40_000) for n in range(26)]
    assert Pool("USDT", {"USDT": 100_000}, book, OCTOBER).requirement() == pytest.approx(4_160, rel=1e-14)


@pytest.mark.parametrize("n", range(1, 12))
def test_there_is_no_cliff_at_a_boundary(n):
    # one more USDT of notional costs its tier's rate; with flat tiers and no amounts the whole position would be
    # charged the higher rate at once: 50 at 50,000, 421 million - 121 million at 1.2 billion
    floor, rate = SAME.floors[n], SAME.rates[n]
    step = SAME.maintenance(floor + 1.0) - SAME.maintenance(floor - 1.0)
    assert step == pytest.approx(rate + SAME.rates[n - 1], abs=1e-6)
    pools = [long((floor + extra) / 50_000, 1e9) for extra in (-1.0, 1.0)]
    assert pools[1].requirement() - pools[0].requirement() == pytest.approx(step, abs=1e-5)


def test_a_linear_long_at_1x_is_never_liquidated_above_zero():
    # 50,000 + P - 50,000 = 0.004 P only at P = 0
    pool = long(1, 50_000)
    assert pool.liquidation().below.price is None and pool.liquidation().above.price is None
    assert pool.slack(BTC=0.01) > 0
    assert liquidation_price(OCTOBER, BTC, 1, 50_000, 50_000) == 0
    account = Account(OCTOBER, USDT=50_000).trade(BTC, 0.99, 50_000, isolated=49_500)
    assert not account.at(BTC=0.01).liquidations


def test_an_inverse_long_at_1x_is_liquidated():
    # 50,000 USD at 50,000 on 1 BTC: 1 + 1 - 50,000/P = 0.004 * 50,000/P: P = 50,200 / 2 = 25,100
    inverse = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
    pool = Pool("BTC", {"BTC": 1}, [Position(inverse, 500, 50_000)], venues.TEACHING)
    assert pool.liquidation().below.price == pytest.approx(25_100, rel=1e-14)
    assert liquidation_price(venues.TEACHING, inverse, 500, 50_000, 1) == pytest.approx(25_100, rel=1e-14)


def test_an_inverse_short_at_1x_is_never_liquidated():
    # 1 - 1 + 50,000/P is always above 0.004 * 50,000/P
    inverse = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
    pool = Pool("BTC", {"BTC": 1}, [Position(inverse, -500, 50_000)], venues.TEACHING)
    assert pool.liquidation().above.price is None and pool.liquidation().below.price is None
    assert pool.slack(BTC=1e9) > 0
    assert liquidation_price(venues.TEACHING, inverse, -500, 50_000, 1) == float("inf")
