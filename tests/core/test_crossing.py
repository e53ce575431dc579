"""Liquidation and bankruptcy prices by hand: one price, several at once, both ends, and why they are where they are."""

from math import inf, nan

import numpy as np
import pytest

from marginlab import (
    Account,
    Perpetual,
    Pool,
    Position,
    Spot,
    Tiers,
    Venue,
    liquidation_price,
    replace,
    venues,
)
from tests.core.common import ETHER, INVERSE, LINEAR, PAIR, near, sides

HALF = Perpetual("BTC-USDT", "BTC", "USDT", tiers=Tiers.flat(0.005))
HALF_INVERSE = Perpetual("BTC-USD", "BTC", "BTC", tiers=Tiers.flat(0.005))
SECOND = Perpetual("BTC-2", "BTC", "USDT")
OCTOBER = venues.BINANCE_2024_10
LONG = Account(venues.TEACHING, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")


def ten_btc(margin, contracts=25_000):
    return Pool("BTC", {"BTC": margin}, [Position(INVERSE, contracts, 50_000)], venues.TEACHING)


def linear(margin, coins, venue=venues.TEACHING, contract=LINEAR, entry=50_000, leverage=None, **marks):
    return Pool("USDT", {"USDT": margin}, [Position(contract, coins, entry, leverage)], venue, marks)


def two(ether, cash=10_000, bitcoin=1):
    book = [Position(LINEAR, bitcoin, 50_000), Position(ETHER, ether, 2_000)]
    return Pool("USDT", {"USDT": cash}, book, venues.TEACHING)


BOTH = two(10)  # 70,000 of notional on 10,000

# ---------------------------------------------------------------------- one price


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


def test_two_crossings_of_one_pool():
    # long 10, short 9.9 at 50,000 on 4,900, October 2024: equity = 0.1 P - 100
    # below: both on 0.4 %: 0.0796 P, so P = 100 / 0.0204 = 4,901.96 (notionals 49,020 and 48,529: tier 1 indeed)
    # above: both on 0.65 % less 950: 0.12935 P - 1,900, so P = 1,800 / 0.02935 = 61,328.79 (613,288; 607,155: tier 3)
    short = Perpetual("BTC-2", "BTC", "USDT", tiers=venues.BTCUSDT_2024_10)
    book = [Position(LINEAR, 10, 50_000), Position(short, -9.9, 50_000)]
    found = Pool("USDT", {"USDT": 4_900}, book, OCTOBER).liquidation()
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
    ],
    ids=lambda v: v.name if isinstance(v, Venue) else "",
)
def test_conventions_of_an_inverse_long_at_10x(venue, expected):
    pool = Pool("BTC", {"BTC": 0.1}, [Position(HALF_INVERSE, 10_000, 10_000, 10)], venue, {"BTC": 9_500})
    assert sides(pool.liquidation()) == (pytest.approx(expected, rel=1e-13), None)
    alone = liquidation_price(venue, HALF_INVERSE, 10_000, 10_000, 0.1, mark=9_500, leverage=10)
    assert alone == pytest.approx(expected, rel=1e-13)


def test_a_fee_at_bankruptcy_is_nothing_where_no_price_is_bankruptcy():
    # 60,000 behind a long of 50,000: no price takes it all, so only 0.5 % is required
    assert linear(60_000, 1, venues.BYBIT_UTA, HALF).requirement() == pytest.approx(250, rel=1e-14)
    assert sides(linear(60_000, 1, venues.BYBIT_UTA, HALF).liquidation()) == (None, None)
    # an inverse short at 1x: bankrupt at infinity, where its notional is nothing
    one = Pool("BTC", {"BTC": 1}, [Position(HALF_INVERSE, -50_000, 50_000, 1)], venues.BYBIT_UTA)
    assert one.requirement() == pytest.approx(0.005, rel=1e-14) and one.liquidation().above.price is None


def test_a_pool_whose_contract_is_marked_on_its_own_is_breached_when_its_slack_is_gone():
    pool = linear(5_000, 1, **{"BTC": 50_000, "BTC-USDT": 44_000})
    assert pool.slack() == pytest.approx(-1_000 - 176, rel=1e-13)
    assert pool.liquidation().breached


def test_a_requirement_frozen_at_the_mark_is_on_the_tier_of_the_mark():
    # 2 at 50,000 are 100,000, tier 2 (from 50,000 on); at the answer they are 48,950, in tier 1
    frozen = replace(venues.BITGET, fee=0.0)
    contract = Perpetual("BTC-USDT", "BTC", "USDT", tiers=Tiers(((0, 0.004), (50_000, 0.005))))
    side = Pool("USDT", {"USDT": 51_500}, (Position(contract, 2, 50_000),), frozen).liquidation().below
    # 51,500 + 2 * (P - 50,000) = 0.005 * 100,000 - 50
    assert side.price == pytest.approx((450 - 51_500) / 2 + 50_000) and side.price * 2 < 50_000
    assert side.tiers == {"BTC-USDT": 2}


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


def test_the_margin_for_a_price_is_in_dollars():
    # long 1 on 0.5 BTC, 22,500 at 90 %: at 30,000, x + 13,500 - 20,000 = 120, and 1,000 for the USDT owed
    account = Account(venues.TEACHING_MULTI, BTC=0.5).trade(LINEAR, 1, 50_000)
    assert account.cross.margin_for(liquidation=30_000) == near(7_620)
    assert account.cross.adding(7_620, "USD").liquidation().price == near(30_000)
    beside = replace(account.cross, venue=venues.TEACHING_BESIDE)
    assert beside.margin_for(liquidation=30_000) == near(6_620)
    owing = account.cross.adding(-1_000, "USD")  # what is owed has to be repaid first
    assert owing.margin_for(liquidation=30_000) == near(7_620)


# ----------------------------------------------- wrong answers that are known from elsewhere


def long(coins, margin, leverage=None):
    return Pool("USDT", {"USDT": margin}, [Position(LINEAR, coins, 50_000, leverage)], OCTOBER)


def test_the_tier_is_that_of_the_notional_and_not_of_the_collateral():
    # long 20 at 50,000, 10x: 20 P - 900,000 = rate * 20 P - amount. At the answer the notional is about 905,000:
    # 0.65 % less 950: P = 899,050 / 19.87 = 45,246.60. The tier of the 100,000 of collateral (0.5 % less 50)
    # gives 899,950 / 19.9 = 45,223.62.
    price = long(20, 100_000, 10).liquidation().below
    assert price.price == pytest.approx(899_050 / 19.87, rel=1e-13) == pytest.approx(45_246.60, abs=0.005)
    assert price.tiers == {"BTC-USDT": 3}
    assert liquidation_price(OCTOBER, LINEAR, 20, 50_000, 100_000) == pytest.approx(899_050 / 19.87, rel=1e-13)


def test_the_tier_is_that_of_the_answer_and_not_of_the_entry():
    # long 1 at 50,000 on 5,000: P - 45,000 = rate * P - amount. At 45,181 the first tier holds: 45,000 / 0.996 =
    # 45,180.72. The entry's tier (50,000 is in the second) gives (45,000 - 50) / 0.995 = 45,175.88, and 45,000 /
    # 0.995 = 45,226.13 without its amount.
    price = long(1, 5_000).liquidation().below
    assert price.price == pytest.approx(45_000 / 0.996, rel=1e-13) == pytest.approx(45_180.72, abs=0.005)
    assert price.tiers == {"BTC-USDT": 1}
    assert liquidation_price(OCTOBER, LINEAR, 1, 50_000, 5_000) == pytest.approx(45_000 / 0.996, rel=1e-13)


def test_each_market_has_its_own_tiers():
    # 26 markets of 40,000 each: 26 * 0.4 % * 40,000 = 4,160. One tier for the sum of 1,040,000 would be
    # 0.65 % less 950 = 5,810.
    book = [Position(Perpetual(f"M{n}", f"I{n}", "USDT", tiers=venues.BTCUSDT_2024_10), 1, 40_000) for n in range(26)]
    assert Pool("USDT", {"USDT": 100_000}, book, OCTOBER).requirement() == pytest.approx(4_160, rel=1e-14)


# ------------------------------------------------------------- several prices at once


def test_a_common_move():
    # 10,000 + 70,000 (x - 1) = 280 x
    x = 60_000 / 69_720
    for index in (["BTC", "ETH"], ("ETH", "BTC"), BOTH.indices, {"BTC": 1, "ETH": 1}, {"BTC": 7, "ETH": 7}):
        found = BOTH.liquidation(index)
        assert found.below.root == near(x) and found.above.root is None
        assert found.below.prices == {"BTC": near(50_000 * x), "ETH": near(2_000 * x)}
    assert BOTH.liquidation(["BTC", "ETH"]).below.distance == near(x - 1)
    assert BOTH.bankruptcy(["BTC", "ETH"]).below.root == near(6 / 7)
    assert BOTH.liquidation(["BTC"]).price == BOTH.liquidation("BTC").price


def test_shares_of_a_move():
    # by m and 1.5 m: 10,000 + 80,000 m = 0.004 (70,000 + 80,000 m)
    m = -9_720 / 79_680
    side = BOTH.liquidation({"BTC": 1, "ETH": 1.5}).below
    assert side.prices == {"BTC": near(50_000 * (1 + m)), "ETH": near(2_000 * (1 + 1.5 * m))}
    assert side.distance == near(m)  # of an index of share 1
    double = BOTH.liquidation({"ETH": 3, "BTC": 2}).below
    assert double.prices == {"ETH": near(2_000 * (1 + 1.5 * m)), "BTC": near(50_000 * (1 + m))}
    assert double.distance == near(m / 2)
    assert BOTH.bankruptcy({"BTC": 1, "ETH": 1.5}).below.distance == near(-1 / 8)


def test_a_share_of_nothing_stays_at_its_mark():
    side = BOTH.liquidation({"BTC": 1, "ETH": 0}).below
    assert side.price == BOTH.liquidation("BTC").below.price and side.prices == {"BTC": side.price}


def test_a_line_ends_where_a_price_would_be_zero():
    # ETH loses twice what BTC gains and is at 0 at +50 %
    book = two(10, 10_000, 0.001).liquidation({"BTC": 1, "ETH": -2})
    # 10,000 - 39,950 m = 0.004 (20,050 - 39,950 m)
    assert book.above.distance == near((10_000 - 80.2) / (39_950 * 0.996))
    covered = two(10, 30_000, 0.001).liquidation({"BTC": 1, "ETH": -2})
    assert sides(covered) == (None, None) and covered.above.prices == {}
    # +50 % takes 39,950 / 2, and 0.3 are required there: 19,970 end just inside, 19,980 never
    assert two(10, 19_970, 0.001).liquidation({"BTC": 1, "ETH": -2}).above.distance == near(
        (19_970 - 80.2) / (39_950 * 0.996)
    )
    assert two(10, 19_980, 0.001).liquidation({"BTC": 1, "ETH": -2}).above.root is None


def test_the_line_ends_there_for_rising_requirements_too():
    # a short of BTC and a debt that vanishes: only what lies before the end counts
    for shares in ({"BTC": 1, "ETH": -4}, {"ETH": -4, "BTC": 1}):
        short = two(10, 1e6, -1).liquidation(shares)
        assert (short.below.root, short.above.root) == (None, None)
    # 0.001 of BTC loses nothing to speak of, and ETH is at 0 at +25 %: 20,000 of it lose 19,987
    end = two(10, 19_980, 0.001).liquidation({"BTC": 1, "ETH": -4}).above
    assert end.distance == near((19_980 - 80.2) / (79_950 * 0.996)) and end.prices["ETH"] > 0


def test_what_several_prices_cannot_say_they_say():
    found = BOTH.liquidation(["BTC", "ETH"])
    with pytest.raises(ValueError, match="BTC, ETH move together: see prices and distance"):
        _ = found.below.price
    assert found.below.index == "BTC, ETH" and found.above.price is None and found.above.distance == inf
    assert found.nearest.prices == found.below.prices
    assert found.below.tiers == {"BTC-USDT": 1, "ETH-USDT": 1} and found.above.tiers == {}


def test_the_index_may_be_left_out_where_it_is_plain():
    assert LONG.cross.liquidation().price == near(37_500)  # coins and a debt: there is one price
    with_ether = Pool("USDT", {"USDT": 5_000, "ETH": 1}, [Position(LINEAR, 1, 50_000)], venues.TEACHING, {"ETH": 2_000})
    assert with_ether.liquidation().below.index == "BTC"  # one contract
    assert with_ether.indices == ("BTC", "ETH")
    assert with_ether.liquidation("ETH").below.price is None


# ------------------------------------------------------------------ reasons


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
    both = [Position(LINEAR, 1, 50_000), Position(SECOND, -1, 49_900)]
    found = Pool("USDT", {"USDT": 0}, both, venues.TEACHING).liquidation()
    assert found.breached and sides(found) == (None, None)
    assert "no lower price" in found.below.why and "no higher price" in found.above.why


def test_a_reason_names_what_holds_the_pool_up_and_what_pulls_it_down():
    side = LONG.trade(INVERSE, -2_500, 50_000).cross.liquidation().below
    # at 6,750: 262,500 / 6,750 = 38.889; -5 + 0.996 * 250,000 / 6,750 = 31.889
    assert side.parts == {
        "BTC held": 7,
        "USDT owed": near(-262_500 / 6_750),
        "short BTC-USD": near(249_000 / 6_750 - 5),
    }
    assert side.why == (
        "equity meets its requirement at 6,750, 86.5 % below 50,000 (BTC-USD on tier 1); there short BTC-USD "
        "(+31.89 BTC) holds it up, USDT owed (-38.89 BTC) pulls it down"
    )
    both = LONG.trade(INVERSE, 2_500, 50_000).cross.liquidation().below.why
    assert both.endswith("there USDT owed (-6.134 BTC) and long BTC-USD (-0.8656 BTC) pull it down")


def test_a_reason_for_a_spot_position_alone_needs_no_comparison():
    found = LONG.cross.liquidation()
    assert found.below.why == "equity meets its requirement at 37,500, 25.0 % below 50,000"
    assert found.above.why == "a rise is a gain here"
    assert LONG.cross.bankruptcy().below.why == "what the pool is worth is used up at 35,714.3, 28.6 % below 50,000"
    assert found.below.parts == {"BTC held": 7, "USDT owed": near(-7)} and found.above.parts == {}


def test_a_reason_for_several_prices():
    why = BOTH.liquidation(["BTC", "ETH"]).below.why
    assert "when prices are 13.9 % below their marks (BTC 43,029.3, ETH 1,721.17)" in why
    assert why.endswith("there long BTC-USDT (-7,142.86 USDT) and long ETH-USDT (-2,857.14 USDT) pull it down")
    why = BOTH.liquidation({"BTC": 1, "ETH": 1.5}).below.why
    assert "12.2 % below their marks for a share of 1 (BTC 43,900.6, ETH 1,634.04)" in why
    assert "up" in two(10, 10_000, -1).liquidation(["BTC", "ETH"]).above.why
    shown = repr(BOTH.liquidation(["BTC", "ETH"]))
    assert "liquidation of pool along BTC, ETH" in shown and "below -13.9 %" in shown and "above none" in shown
    assert "-13.9 %" in BOTH.liquidation(["BTC", "ETH"])._repr_html_()


def test_reasons_for_no_price():
    nothing = Pool("USDT", {"USDT": 5_000, "ETH": 1}, [Position(LINEAR, 0.01, 50_000)], venues.TEACHING, {"ETH": 2_000})
    assert "covers the whole position" in nothing.liquidation("ETH").below.why
    assert nothing.liquidation("ETH").above.why == "a rise is a gain here"
    # 2 BTC behind a short of 1
    grown = Pool("USDT", {"BTC": 2}, [Position(LINEAR, -1, 50_000)], venues.TEACHING)
    assert grown.liquidation().above.why == "a rise is a gain here"
    # owed in the coin that it settles in, and in the one it is valued in: nothing moves with ETH
    idle = Pool("USDT", {"USDT": 9_000, "ETH": 0}, [Position(LINEAR, 0.1, 50_000)], venues.TEACHING, {"ETH": 2_000})
    assert idle.liquidation("ETH").below.why == "nothing in this pool moves with ETH"
    lost = LONG.mark(BTC=30_000).cross.liquidation()
    assert lost.breached and lost.below.price == near(37_500) and "25.0 % above 30,000" in lost.below.why
    assert "no higher price" not in lost.above.why
    # an inverse short of 1x beside a debt: no talk of the coins that it was sold for
    assert "inverse short" not in LONG.trade(INVERSE, -2_500, 50_000).cross.liquidation().above.why


def test_reasons_of_one_position_and_of_several():
    one = Pool("USDT", {"USDT": 5_000}, [Position(LINEAR, 1, 50_000)], venues.TEACHING)
    assert one.liquidation().below.why.startswith("equity meets its requirement at 45,180.7, 9.6 % below 50,000")
    assert one.bankruptcy().below.why == "equity is used up at 45,000, 10.0 % below 50,000"
    assert one.liquidation().above.why == "a rise is a gain here"
    assert LONG.trade(INVERSE, -2_500, 50_000).cross.liquidation().above.why == "a rise only adds to slack here"
    multi = Account(venues.TEACHING_MULTI, BTC=2).trade(LINEAR, 1, 50_000).cross  # a haircut is in between
    assert multi.bankruptcy().below.why.startswith("what the pool is worth is used up at 16,666.7")
    hedged = replace(one, positions=(*one.positions, Position(LINEAR, -2, 50_000)))
    assert hedged.liquidation().below.why == "a fall only adds to slack here"


def test_reasons_where_nothing_moves():
    # a long and a short of one contract; their requirement of 400 stays that of the entry
    both = [Position(LINEAR, 1, 50_000), Position(LINEAR, -1, 50_000)]
    frozen = replace(venues.TEACHING, maintenance_at="entry")
    pool = Pool("USDT", {"USDT": 5_000}, both, frozen)
    assert pool.liquidation().below.why == pool.liquidation().above.why == "its slack does not move"
    assert pool.bankruptcy().above.why == "the pool's worth does not move with the price"
    assert pool.slack(BTC=90_000) == 4_600


def test_the_reason_of_coins_that_grow_faster_than_a_loss():
    # 2 BTC behind a linear short of 1, in bitcoin: 2 - 1 + 50,000 / P falls with the price, to 1 and no further
    pool = Pool("BTC", {"BTC": 2}, [Position(LINEAR, -1, 50_000)], venues.TEACHING)
    assert pool.liquidation().above.why == "the coins in this pool grow with the price, and cover it"
    # 7 BTC, 100,000 USDT owed and short 250,000 USD: 2 + (250,000 - 1,000 - 105,000) / P, and a debt is no 1x short
    owing = replace(LONG.trade(INVERSE, -2_500, 50_000).cross, collateral={"BTC": 7, "USDT": -100_000})
    assert owing.liquidation().above.why == "the coins in this pool grow with the price, and cover it"
    # beside a long that gains more than the inverse short loses there is no talk of the short either
    book = [Position(INVERSE, -100, 50_000), Position(LINEAR, 1, 50_000)]
    mixed = Pool("BTC", {"BTC": 1}, book, venues.TEACHING)
    assert mixed.liquidation().above.why == "a rise only adds to slack here"


def test_a_pool_of_several_that_no_fall_ends_says_so():
    hedged = Account(venues.TEACHING_MULTI, BTC=2).mark(BTC=5e4).trade(LINEAR, -1, 50_000)
    two = hedged.trade(replace(LINEAR, symbol="BTC-OTHER"), -0.5, 50_000).cross
    assert two.liquidation().below.why in ("a fall only adds to slack here", "the pool stands at every lower price")
    pair = Account(venues.TEACHING_MULTI, BTC=2).mark(BTC=5e4)
    pair = pair.trade(Spot("BTC/USDT"), 5, 50_000, borrow="USDT").trade(LINEAR, -5, 50_000).cross
    assert pair.liquidation().below.why == "the pool stands at every lower price"


def test_a_price_beyond_all_prices_is_none_in_arrays_and_in_pools():
    """What is left of the notional is rounding: a short of coins that are there, to the last digit."""
    contract = Perpetual("I1", "BTC", "BTC", tiers=Tiers.flat(0.0))
    venue, margin = Venue("A"), 1.0 - 2.0**-52
    assert liquidation_price(venue, contract, -50_000.0, 50_000.0, margin) == pytest.approx(nan, nan_ok=True)
    position = Position(contract, -50_000.0, 50_000.0)
    found = Pool("BTC", {"BTC": margin}, [position], venue, {"BTC": 50_000.0}).liquidation()
    assert found.above.price is None and "inverse short" in found.above.why
    near = liquidation_price(venue, contract, -50_000.0, 50_000.0, 1.0 - 1e-9)  # but this is a price
    assert near == pytest.approx(5e13, rel=1e-6)
    # a debt of next to nothing, as a random search found it
    owed = Pool("USD", {"BTC": -2.7e-278, "ETH": 1.0}, (), venues.TEACHING_MULTI, {"BTC": 40_000.0, "ETH": 1_500.0})
    assert owed.liquidation(["BTC", "ETH"]).above.root is None and owed.liquidation(["BTC", "ETH"]).above.why
    assert owed.margin_ratio(BTC=np.array([1e-30, 1e-28])).tolist() == [inf, inf]
    assert owed.margin_ratio(BTC=1e-30) == inf
