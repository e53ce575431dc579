"""Several prices at once: a common move, shares of a move, shares of the other sign; and why a price is where it is."""

from marginlab import replace
from math import inf

import pytest

from marginlab import Account, Asset, Perpetual, Pool, Position, Spot, Tiers, Venue, venues

LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
ETHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")
INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
PAIR = Spot("BTC/USDT")
LONG = Account(venues.TEACHING, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")


def near(value):
    return pytest.approx(value, rel=1e-12)


def two(ether, cash=10_000, bitcoin=1):
    book = [Position(LINEAR, bitcoin, 50_000), Position(ETHER, ether, 2_000)]
    return Pool("USDT", {"USDT": cash}, book, venues.TEACHING)


BOTH = two(10)  # 70,000 of notional on 10,000


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


def test_a_share_of_the_other_sign():
    # ETH rises as BTC falls: 10,000 + 30,000 m = 0.004 (70,000 + 30,000 m)
    m = -9_720 / 29_880
    side = BOTH.liquidation({"BTC": 1, "ETH": -1}).below
    assert side.prices == {"BTC": near(50_000 * (1 + m)), "ETH": near(2_000 * (1 - m))} and side.distance == near(m)
    # short ether loses on that way: 10,000 + 70,000 m = 0.004 (70,000 + 30,000 m)
    assert two(-10).liquidation({"BTC": 1, "ETH": -1}).below.distance == near(-9_720 / 69_880)


def test_a_share_of_nothing_stays_at_its_mark():
    side = BOTH.liquidation({"BTC": 1, "ETH": 0}).below
    assert side.price == BOTH.liquidation("BTC").below.price and side.prices == {"BTC": side.price}


def test_a_line_ends_where_a_price_would_be_zero():
    # ETH loses twice what BTC gains and is at 0 at +50 %
    book = two(10, 10_000, 0.001).liquidation({"BTC": 1, "ETH": -2})
    # 10,000 - 39,950 m = 0.004 (20,050 - 39,950 m)
    assert book.above.distance == near((10_000 - 80.2) / (39_950 * 0.996)) and book.ray.end == 1.5
    covered = two(10, 30_000, 0.001).liquidation({"BTC": 1, "ETH": -2})
    assert (covered.low, covered.high) == (None, None) and covered.above.prices == {}
    # +50 % takes 39,950 / 2, and 0.3 are required there: 19,970 end just inside, 19,980 never
    assert two(10, 19_970, 0.001).liquidation({"BTC": 1, "ETH": -2}).above.distance == near(
        (19_970 - 80.2) / (39_950 * 0.996)
    )
    assert two(10, 19_980, 0.001).liquidation({"BTC": 1, "ETH": -2}).high is None


def test_the_line_ends_there_for_rising_requirements_too():
    # a short of BTC and a debt that vanishes: only what lies before the end counts
    short = two(10, 1e6, -1).liquidation({"BTC": 1, "ETH": -4})
    assert short.ray.end == 1.25 and (short.low, short.high) == (None, None)


def test_what_several_prices_cannot_say_they_say():
    found = BOTH.liquidation(["BTC", "ETH"])
    with pytest.raises(ValueError, match="BTC, ETH move together: see prices and distance"):
        _ = found.below.price
    assert found.below.index == "BTC, ETH" and found.above.price is None and found.above.distance == inf
    assert found.nearest.prices == found.below.prices
    assert found.below.tiers == {"BTC-USDT": 1, "ETH-USDT": 1} and found.above.tiers == {}


def test_the_nearest_of_two_crossings_is_by_distance():
    # 10 long and 9.9 short in two tiers, as in test_liquidation, here along both indices
    short = Perpetual("ETH-USDT", "ETH", "USDT", 25, venues.BTCUSDT_2024_10)
    book = [Position(LINEAR, 10, 50_000), Position(short, -9.9, 2_000)]
    found = Pool("USDT", {"USDT": 4_900}, book, venues.BINANCE_2024_10).liquidation(["BTC", "ETH"])
    assert found.below.root * 50_000 == pytest.approx(100 / 0.0204, rel=1e-11)
    assert found.above.root * 50_000 == pytest.approx(1_800 / 0.02935, rel=1e-11)
    assert found.nearest.side == inf and found.above.tiers == {"BTC-USDT": 3, "ETH-USDT": 3}


def test_an_inverse_contract_and_coins_along_shares():
    # 3 BTC, a long of 40,000 USD from 50,000 and 100,000 USDT owed: 3 P + 0.8 P - 40,000 - 105,000
    held = {"BTC": 3, "USDT": -100_000, "ETH": 10}
    pool = Pool("BTC", held, [Position(INVERSE, 400, 50_000)], venues.TEACHING, {"BTC": 50_000, "ETH": 2_000})
    # + 10 ETH; the contract requires 160: along both 190,000 x + 20,000 x = 145,160
    assert pool.liquidation(["BTC", "ETH"]).below.root == near(145_160 / 210_000)
    # BTC by half of ETH's move: 190,000 (1 + m/2) + 20,000 (1 + m); and against it: 190,000 (1 + m) + 20,000 (1 - m)
    assert pool.liquidation({"BTC": 0.5, "ETH": 1}).below.distance == near((145_160 - 210_000) / 115_000)
    assert pool.liquidation({"BTC": 1, "ETH": -1}).below.distance == near((145_160 - 210_000) / 170_000)


def test_a_haircut_by_value_along_shares():
    # 10 ETH: the first 20,000 of value at 90 %, more at 50 %; BTC held for 9,000 short of it
    assets = {"ETH": Asset(Tiers(((0, 0.1), (20_000, 0.5)))), "BTC": Asset(), "USDT": Asset()}
    rules = Venue("x", tiers={"*": Tiers.flat(0.01)}, account_mode="multi-currency", assets=assets)
    pool = Pool("USD", {"ETH": 10}, [Position(LINEAR, -1, 50_000)], rules, {"BTC": 50_000, "ETH": 2_000})
    # BTC by m, ETH by m/2: 18,000 + 5,000 m - 50,000 m = 500 + 500 m beyond 20,000 of value
    assert pool.liquidation({"BTC": 1, "ETH": 0.5}).above.distance == near(17_500 / 45_500)
    # the other way below: ETH falls by m/2 as BTC rises by m: 18,000 - 9,000 m - 50,000 m = 500 + 500 m
    assert pool.liquidation({"BTC": 1, "ETH": -0.5}).above.distance == near(17_500 / 59_500)


def test_the_index_may_be_left_out_where_it_is_plain():
    assert LONG.cross.liquidation().price == near(37_500)  # coins and a debt: there is one price
    with_ether = Pool("USDT", {"USDT": 5_000, "ETH": 1}, [Position(LINEAR, 1, 50_000)], venues.TEACHING, {"ETH": 2_000})
    assert with_ether.liquidation().below.index == "BTC"  # one contract
    assert with_ether.indices == ("BTC", "ETH")
    assert with_ether.liquidation("ETH").below.price is None


# ------------------------------------------------------------------ reasons


def test_the_parts_of_slack():
    # at 50,000 in BTC: 7, 250,000 * 1.05 / 50,000 and, for 2,500 contracts, -5 + 5 less 0.4 % of 5
    pool = LONG.trade(INVERSE, -2_500, 50_000).cross
    assert pool.parts() == {"BTC held": 7, "USDT owed": near(-5.25), "short BTC-USD": near(-0.02)}
    # at 40,000: -6.5625; -5 + 6.25 - 0.025
    assert pool.parts(BTC=40_000) == {"BTC held": 7, "USDT owed": near(-6.5625), "short BTC-USD": near(1.225)}
    multi = Account(venues.TEACHING_MULTI, BTC=2, USDT=500).mark(BTC=50_000).trade(LINEAR, 1, 50_000).cross
    assert multi.parts(BTC=49_000) == {"BTC held": near(88_200), "USDT held": 500, "long BTC-USDT": near(-1_196)}
    twice = Pool("USDT", {"USDT": 9}, [Position(LINEAR, 1, 50_000), Position(LINEAR, 2, 50_000)], venues.TEACHING)
    assert twice.parts() == {"USDT held": 9, "long BTC-USDT": near(-600)}


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
    assert LONG.cross.bankruptcy().below.why == "what the pool is worth is used up at 35,714, 28.6 % below 50,000"
    assert found.below.parts == {"BTC held": 7, "USDT owed": near(-7)} and found.above.parts == {}


def test_a_reason_for_several_prices():
    why = BOTH.liquidation(["BTC", "ETH"]).below.why
    assert "when prices are 13.9 % below their marks (BTC 43,029, ETH 1,721.17)" in why
    assert why.endswith("there long BTC-USDT (-7,142.86 USDT) and long ETH-USDT (-2,857.14 USDT) pull it down")
    why = BOTH.liquidation({"BTC": 1, "ETH": 1.5}).below.why
    assert "12.2 % below their marks for a share of 1 (BTC 43,901, ETH 1,634.04)" in why
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


def test_a_rate_that_grows_too_fast_for_any_price():
    # short 500,000 USD (10 coins): 1 - 10 + V - (0.01 + 0.2 V) V is at most -7.775, at V = 2.475
    growing = Perpetual("BTC-USD", "BTC", "BTC", 100, Tiers(((0, 0.01, 50),)))
    pool = Pool("BTC", {"BTC": 1}, [Position(growing, -5_000, 50_000)], venues.TEACHING)
    found = pool.liquidation()
    assert found.breached and (found.low, found.high) == (None, None)
    assert "no lower price" in found.below.why and "no higher price" in found.above.why
    # on 10 it is 0.99 V - 0.2 V^2, and 0 at V = 4.95
    found = replace(pool, collateral={"BTC": 10}).liquidation()
    assert found.below.price == near(500_000 / 4.95) and found.high is None


def test_a_growing_rate_beside_a_short_has_two_roots():
    # short 3 and an inverse long of 50,000 USD, both from 50,000, on 20,000 USDT; the long has 1 % and 10 % a coin:
    # 170,000 - 3.012 P + P - 50,000 - 500 - 0.1 * 50,000^2 / P
    growing = Perpetual("BTC-USD", "BTC", "BTC", 100, Tiers(((0, 0.01, 50),)))
    book = [Position(LINEAR, -3, 50_000), Position(growing, 500, 50_000)]
    found = Pool("USDT", {"USDT": 20_000}, book, venues.TEACHING).liquidation()
    square = (119_500**2 - 4 * 2.012 * 2.5e8) ** 0.5
    assert (found.low, found.high) == (near((119_500 - square) / 4.024), near((119_500 + square) / 4.024))


def test_the_amounts_of_tiers_along_shares():
    # long 500,000 USD, 3 % less 0.1 coins beyond 5: 3 P + 10 P - 500,000 - 15,000 + 0.1 P, and 10 ETH: 20,000 (1 + m)
    tiers = Tiers(((0, 0.01), (5, 0.03)))
    book = [Position(Perpetual("BTC-USD", "BTC", "BTC", 100, tiers), 5_000, 50_000)]
    pool = Pool("BTC", {"BTC": 3, "ETH": 10}, book, venues.TEACHING, {"BTC": 50_000, "ETH": 2_000})
    # P = 50,000 (1 + m/2)
    assert pool.liquidation({"BTC": 0.5, "ETH": 1}).below.distance == near(-160_000 / 347_500)


def test_the_first_price_to_be_zero_ends_the_line():
    held = {"BTC": 1, "ETH": 1, "SOL": 1, "USDT": -10}
    pool = Pool("USD", held, (), venues.TEACHING, {"BTC": 50_000, "ETH": 2_000, "SOL": 100})
    for shares in ({"BTC": 1, "ETH": -2, "SOL": -4}, {"BTC": 1, "SOL": -4, "ETH": -2}):
        assert pool.liquidation(shares).ray.end == 1.25


def test_a_stablecoin_off_its_peg_changes_what_a_contract_is_worth():
    # at 0.9: 2 BTC against 0.9 (P - 50,000) * -3 and 0.9 * 0.012 P
    pool = Pool("BTC", {"BTC": 2}, [Position(LINEAR, -3, 50_000)], venues.TEACHING, {"USDT": 0.9, "BTC": 50_000})
    assert pool.liquidation().above.price == near(135_000 / (2.7 * 1.004 - 2))
    assert pool.bankruptcy().above.price == near(135_000 / 0.7)
    assert pool.slack(BTC=60_000) == near(2 - (27_000 + 648) / 60_000)


def test_reasons_of_one_position_and_of_several():
    one = Pool("USDT", {"USDT": 5_000}, [Position(LINEAR, 1, 50_000)], venues.TEACHING)
    assert one.liquidation().below.why.startswith("equity meets its requirement at 45,181, 9.6 % below 50,000")
    assert one.bankruptcy().below.why == "equity is used up at 45,000, 10.0 % below 50,000"
    assert one.liquidation().above.why == "a rise is a gain here"
    assert LONG.trade(INVERSE, -2_500, 50_000).cross.liquidation().above.why == "a rise only adds to slack here"
    multi = Account(venues.TEACHING_MULTI, BTC=2).trade(LINEAR, 1, 50_000).cross  # a haircut is in between
    assert multi.bankruptcy().below.why.startswith("what the pool is worth is used up at 16,667")
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
