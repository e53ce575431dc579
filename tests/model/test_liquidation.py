"""Liquidation and bankruptcy prices against figures worked out by hand."""

from marginlab import replace
from math import inf, isfinite

import pytest

from marginlab import Perpetual, Pool, Position, Tiers, Venue, liquidation_price, venues

INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
HALF = Perpetual("BTC-USDT", "BTC", "USDT", tiers=Tiers.flat(0.005))
HALF_INVERSE = Perpetual("BTC-USD", "BTC", "BTC", tiers=Tiers.flat(0.005))


def ten_btc(margin, contracts=25_000):
    return Pool("BTC", {"BTC": margin}, [Position(INVERSE, contracts, 50_000)], venues.TEACHING)


def linear(margin, coins, venue=venues.TEACHING, contract=LINEAR, entry=50_000, leverage=None, **marks):
    return Pool("USDT", {"USDT": margin}, [Position(contract, coins, entry, leverage)], venue, marks)


def sides(found):
    return found.below.price, found.above.price


def test_the_10_btc_long():
    # margin + 50 - N/P = 0.004 N/P  =>  P = 1.004 * 2,500,000 / (50 + margin); bankruptcy without the 0.004
    assert sides(ten_btc(5).liquidation()) == (pytest.approx(2_510_000 / 55, rel=1e-14), None)  # 45,636.36
    assert sides(ten_btc(5).bankruptcy()) == (pytest.approx(2_500_000 / 55, rel=1e-14), None)  # 45,454.55
    assert sides(ten_btc(10).liquidation()) == (pytest.approx(2_510_000 / 60, rel=1e-14), None)  # 41,833.33
    assert sides(ten_btc(10).bankruptcy()) == (pytest.approx(2_500_000 / 60, rel=1e-14), None)  # 41,666.67


def test_the_10_btc_short():
    # margin - 50 + N/P = 0.004 N/P  =>  P = 0.996 * 2,500,000 / (50 - margin)
    assert sides(ten_btc(5, -25_000).liquidation()) == (None, pytest.approx(2_490_000 / 45, rel=1e-14))  # 55,333.33
    assert sides(ten_btc(5, -25_000).bankruptcy()) == (None, pytest.approx(2_500_000 / 45, rel=1e-14))  # 55,555.56


def test_the_linear_twin():
    # 50 coins on 250,000: 50 P - 2,250,000 = 0.2 P; short: 2,750,000 - 50 P = 0.2 P
    assert sides(linear(250_000, 50).liquidation()) == (pytest.approx(2_250_000 / 49.8, rel=1e-14), None)
    assert sides(linear(250_000, 50).bankruptcy()) == (pytest.approx(45_000, rel=1e-14), None)
    assert sides(linear(250_000, -50).liquidation()) == (None, pytest.approx(2_750_000 / 50.2, rel=1e-14))
    assert sides(linear(250_000, -50).bankruptcy()) == (None, pytest.approx(55_000, rel=1e-14))


def test_an_answer_says_pool_tier_distance_and_why():
    found = ten_btc(5).liquidation()
    assert (found.pool, found.mark, found.below.index) == ("pool", 50_000, "BTC")
    assert found.below.distance == pytest.approx(2_510_000 / 55 / 50_000 - 1, rel=1e-12)  # -8.7 %
    assert found.below.tiers == {"BTC-USD": 1}
    assert found.price == found.below.price
    assert found.above.distance == inf and not found.breached
    assert "45,636" in found.below.why and "8.7" in found.below.why and "tier 1" in found.below.why
    assert "a rise is a gain" in found.above.why
    for shown in (repr(found), found._repr_html_()):
        assert "45,636" in shown and "none" in shown and "liquidation" in shown and "object at" not in shown


def test_an_absent_side_says_why():
    short = ten_btc(50, -25_000).liquidation()
    assert sides(short) == (None, None)
    assert "inverse short of 1x or less" in short.above.why and "a fall is a gain" in short.below.why
    covered = linear(50_000, 1).liquidation()
    assert sides(covered) == (None, None) and "at or below 0" in covered.below.why
    with pytest.raises(ValueError, match=r"no liquidation price: .*at or below 0.*; a rise is a gain"):
        _ = covered.price


def test_no_reason_speaks_of_an_inverse_short_where_there_is_none():
    # 2 BTC behind a linear short of 1: 2 P + 50,000 - P never falls to 0.004 P
    pool = Pool("BTC", {"BTC": 2}, [Position(LINEAR, -1, 50_000)], venues.TEACHING)
    assert sides(pool.liquidation()) == (None, None)
    assert "inverse" not in pool.liquidation().above.why


def test_the_reason_on_the_healing_side_of_a_breached_pool_is_true():
    # a short above its line is healthy again below 55,000/1.004: a lower price does change that
    short = linear(5_000, -1, BTC=60_000).liquidation()
    assert short.breached and short.above.price == pytest.approx(55_000 / 1.004, rel=1e-14)
    assert "no lower price" not in short.below.why
    long = linear(5_000, 1, BTC=40_000).liquidation()
    assert long.breached and long.below.price == pytest.approx(45_000 / 0.996, rel=1e-14)
    assert "no higher price" not in long.above.why


def test_a_pool_that_no_price_saves_says_so():
    # long and short 1: equity -100 at every price
    both = [Position(LINEAR, 1, 50_000), Position(Perpetual("BTC-2", "BTC", "USDT"), -1, 49_900)]
    found = Pool("USDT", {"USDT": 0}, both, venues.TEACHING).liquidation()
    assert found.breached and sides(found) == (None, None)
    assert "no lower price" in found.below.why and "no higher price" in found.above.why


def test_two_crossings_of_one_pool():
    # long 10, short 9.9 at 50,000 on 4,900, October 2024: equity = 0.1 P - 100
    # below: both on 0.4 %: 0.0796 P, so P = 100 / 0.0204 = 4,901.96 (notionals 49,020 and 48,529: tier 1 indeed)
    # above: both on 0.65 % less 950: 0.12935 P - 1,900, so P = 1,800 / 0.02935 = 61,328.79 (613,288; 607,155: tier 3)
    short = Perpetual("BTC-2", "BTC", "USDT", tiers=venues.BTCUSDT_2024_10)
    book = [Position(LINEAR, 10, 50_000), Position(short, -9.9, 50_000)]
    found = Pool("USDT", {"USDT": 4_900}, book, venues.BINANCE_2024_10).liquidation()
    assert sides(found) == (pytest.approx(100 / 0.0204, rel=1e-11), pytest.approx(1_800 / 0.02935, rel=1e-11))
    assert found.below.tiers == {"BTC-USDT": 1, "BTC-2": 1} and found.above.tiers == {"BTC-USDT": 3, "BTC-2": 3}
    assert found.price == found.above.price  # +22.7 % is nearer than -90.2 %


@pytest.mark.parametrize(
    "venue, expected",
    [
        (Venue("A"), 9_000 / 0.995),  # 9,045.23: P - 9,000 = 0.005 P
        (Venue("B", maintenance_at="entry"), 9_050),  # P - 9,000 = 50
        (Venue("C", maintenance_at="mark"), 9_047.5),  # P - 9,000 = 0.5 % of the mark, 9,500
        (Venue("A, fee", fee=0.0005, fee_at="price"), 9_000 / 0.9945),  # 9,049.77
        (Venue("B, fee", maintenance_at="entry", fee=0.0005, fee_at="price"), 9_050 / 0.9995),
        (Venue("C, fee", maintenance_at="mark", fee=0.0005, fee_at="price"), 9_052.25),  # 0.55 % of 9,500
        (Venue("A, entry fee", fee=0.0006, fee_at="entry"), 9_006 / 0.995),  # fee of 10,000: 6
        (Venue("A, bust", fee=0.0006, fee_at="bankruptcy"), 9_005.4 / 0.995),  # fee of 9,000: 5.40
        (Venue("B, bust", maintenance_at="entry", fee=0.0006, fee_at="bankruptcy"), 9_055.4),
        (Venue("HTX", rates_of="initial margin"), 9_000 / 0.9995),  # 0.5 % of V/10
    ],
    ids=lambda v: v.name if isinstance(v, Venue) else "",
)
def test_conventions_of_a_linear_long_at_10x(venue, expected):
    pool = linear(1_000, 1, venue, HALF, entry=10_000, leverage=10, BTC=9_500)
    assert sides(pool.liquidation()) == (pytest.approx(expected, rel=1e-14), None)
    alone = liquidation_price(venue, HALF, 1, 10_000, 1_000, mark=9_500, leverage=10)
    assert alone == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    "venue, expected",
    [
        (Venue("A"), 10_050 / 1.1),  # N = 10,000: 0.1 + 1 - N/P = 0.005 N/P
        (Venue("B", maintenance_at="entry"), 10_000 / 1.095),  # ... = 0.005
        (Venue("C", maintenance_at="mark"), 10_000 / (1.1 - 50 / 9_500)),  # ... = 0.005 N/9,500
        (Venue("fee", fee=0.0005, fee_at="price"), 10_055 / 1.1),
        (Venue("bust", fee=0.0006, fee_at="bankruptcy"), 10_050 / (1.1 - 0.00066)),  # bust notional: 1.1
        (Venue("HTX", rates_of="initial margin"), 10_005 / 1.1),
    ],
    ids=lambda v: v.name if isinstance(v, Venue) else "",
)
def test_conventions_of_an_inverse_long_at_10x(venue, expected):
    pool = Pool("BTC", {"BTC": 0.1}, [Position(HALF_INVERSE, 10_000, 10_000, 10)], venue, {"BTC": 9_500})
    assert sides(pool.liquidation()) == (pytest.approx(expected, rel=1e-13), None)
    alone = liquidation_price(venue, HALF_INVERSE, 10_000, 10_000, 0.1, mark=9_500, leverage=10)
    assert alone == pytest.approx(expected, rel=1e-13)


def test_a_price_with_maintenance_at_the_mark_drifts_with_it():
    drifting = Venue("C", maintenance_at="mark")
    at = [linear(1_000, 1, drifting, HALF, entry=10_000, BTC=m).liquidation().price for m in (9_500, 10_500)]
    assert at == [pytest.approx(9_047.5, rel=1e-14), pytest.approx(9_052.5, rel=1e-14)]


def test_a_fee_at_bankruptcy_is_nothing_where_no_price_is_bankruptcy():
    # 60,000 behind a long of 50,000: no price takes it all, so only 0.5 % is required
    assert linear(60_000, 1, venues.BYBIT_UTA, HALF).requirement() == pytest.approx(250, rel=1e-14)
    assert sides(linear(60_000, 1, venues.BYBIT_UTA, HALF).liquidation()) == (None, None)
    # an inverse short at 1x: bankrupt at infinity, where its notional is nothing
    one = Pool("BTC", {"BTC": 1}, [Position(HALF_INVERSE, -50_000, 50_000, 1)], venues.BYBIT_UTA)
    assert one.requirement() == pytest.approx(0.005, rel=1e-14) and one.liquidation().above.price is None


def test_a_fee_at_bankruptcy_is_finite_for_a_hedged_leg():
    book = [Position(HALF, 1, 50_000), Position(Perpetual("B", "BTC", "USDT", tiers=Tiers.flat(0.005)), -2, 50_000)]
    assert isfinite(Pool("USDT", {"USDT": 6_000}, book, venues.BYBIT_UTA).requirement())


def test_a_rate_that_grows_with_the_number_of_coins():
    # 100 coins at 50,000 on 500,000: 1 % + 0.5 %: 100 P - 4,500,000 = 1.5 P
    contract = Perpetual("BTC-USDC", "BTC", "USDC")
    pool = Pool("USDC", {"USDC": 500_000}, [Position(contract, 100, 50_000)], venues.DERIBIT)
    assert sides(pool.liquidation()) == (pytest.approx(4_500_000 / 98.5, rel=1e-14), None)
    alone = liquidation_price(venues.DERIBIT, contract, -100, 50_000, 500_000)
    assert alone == pytest.approx(5_500_000 / 101.5, rel=1e-14)  # short: 5,500,000 - 100 P = 1.5 P


def test_an_inverse_rate_that_grows_with_the_notional():
    # V coins of notional: 55 - V = (0.01 + 0.00005 V) V, so V = (sqrt(1.01^2 + 4*0.00005*55) - 1.01) / 0.0001
    notional = ((1.01**2 + 0.011) ** 0.5 - 1.01) / 0.0001  # 54.309
    contract = Perpetual("BTC-USD", "BTC", "BTC", 100, Tiers(((0, 0.01, 50),)))
    pool = Pool("BTC", {"BTC": 5}, [Position(contract, 25_000, 50_000)], venues.DERIBIT)
    assert sides(pool.liquidation()) == (pytest.approx(2_500_000 / notional, rel=1e-12), None)
    low, high = 40_000.0, 50_000.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if pool.slack(BTC=middle) < 0 else (low, middle)
    assert pool.liquidation().price == pytest.approx(low, rel=1e-12)


def test_a_growing_rate_is_solved_exactly_for_a_tiny_position_too():
    # 1 USD at 50,000 on a tenth: 0.000022 - V = (0.01 + 0.00005 V) V; to first order P = 1.01 / 0.000022
    contract = Perpetual("BTC-USD", "BTC", "BTC", 1, Tiers(((0, 0.01, 50),)))
    pool = Pool("BTC", {"BTC": 2e-6}, [Position(contract, 1, 50_000)], venues.DERIBIT)
    v = 2.2e-5 / 1.01
    expected = 1 / (v - 5e-5 * v * v / 1.01)  # second order; the next term is 1e-18 of it
    assert pool.liquidation().price == pytest.approx(expected, rel=1e-12)


def test_kraken_counts_contracts():
    # 600,000 of 1 USD at 50,000 (12 BTC) on 1.2 BTC: 1.2 + 12 - N/P = (7,000/N) N/P, so P = 607,000 / 13.2
    contract = Perpetual("PI_XBTUSD", "BTC", "BTC")
    pool = Pool("BTC", {"BTC": 1.2}, [Position(contract, 600_000, 50_000)], venues.KRAKEN)
    assert sides(pool.liquidation()) == (pytest.approx(607_000 / 13.2, rel=1e-13), None)
    assert pool.liquidation().below.tiers == {"PI_XBTUSD": 2}


def test_the_margin_that_puts_liquidation_at_a_price():
    # at 40,000 the 10-BTC long has lost 12.5 and needs 0.004 * 62.5 = 0.25; the linear one: 10,000 + 160
    assert ten_btc(5).margin_for(liquidation=40_000) == pytest.approx(12.75, rel=1e-13)
    assert linear(5_000, 1).margin_for(liquidation=40_000) == pytest.approx(10_160, rel=1e-13)
    assert linear(0, -1).margin_for(liquidation=60_000) == pytest.approx(10_240, rel=1e-13)
    with pytest.raises(ValueError, match=r"liquidation=60,000 cannot be .* marked at 50,000"):
        linear(5_000, 1).margin_for(liquidation=60_000)


def test_the_margin_for_a_price_does_not_depend_on_what_is_there():
    for held in (0, 1e-12, 1e-300, -3.0, 7, 1e9):
        assert linear(held, 1).margin_for(liquidation=40_000) == pytest.approx(10_160, rel=1e-9)


def test_a_pool_whose_contract_is_marked_on_its_own_is_breached_when_its_slack_is_gone():
    pool = linear(5_000, 1, **{"BTC": 50_000, "BTC-USDT": 44_000})
    assert pool.slack() == pytest.approx(-1_000 - 176, rel=1e-13)
    assert pool.liquidation().breached


def test_other_indices_are_held_at_their_marks_and_can_be_asked_for():
    # ETH short 10 from 2,000 at 2,100: -1,000 and 84 required; 4,000 left for BTC: P - 46,000 = 0.004 P + 84
    book = [Position(LINEAR, 1, 50_000), Position(Perpetual("ETH-USDT", "ETH", "USDT"), -10, 2_000)]
    pool = Pool("USDT", {"USDT": 5_000}, book, venues.TEACHING, {"BTC": 50_000, "ETH": 2_100})
    assert sides(pool.liquidation("BTC")) == (pytest.approx(46_084 / 0.996, rel=1e-13), None)
    # along ETH: 5,000 + 20,000 - 10 P = 200 + 0.04 P
    assert sides(pool.liquidation("ETH")) == (None, pytest.approx(24_800 / 10.04, rel=1e-13))


def test_a_requirement_frozen_at_the_mark_is_on_the_tier_of_the_mark():
    # 2 at 50,000 are 100,000, tier 2 (from 50,000 on); at the answer they are 48,950, in tier 1
    frozen = replace(venues.BITGET, fee=0.0)
    contract = Perpetual("BTC-USDT", "BTC", "USDT", tiers=Tiers(((0, 0.004), (50_000, 0.005))))
    side = Pool("USDT", {"USDT": 51_500}, (Position(contract, 2, 50_000),), frozen).liquidation().below
    # 51,500 + 2 * (P - 50,000) = 0.005 * 100,000 - 50
    assert side.price == pytest.approx((450 - 51_500) / 2 + 50_000) and side.price * 2 < 50_000
    assert side.tiers == {"BTC-USDT": 2}
