"""A pool by hand: equity, requirement, what may leave it, haircuts, debts, open orders, and how it shows itself."""

import re
from math import inf

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from marginlab import Account, Asset, Perpetual, Pool, Position, Refused, Tiers, Venue, replace, venues
from marginlab.rules import TRADER
from tests.core.common import ALL, ETHER, INVERSE, LINEAR, PAIR, STEADY, kinds, near, ordered
from tests.refusal import refused

MULTI = venues.TEACHING_MULTI
THREE = Account(MULTI, BTC=2, ETH=10, USDT=10_000).mark(BTC=50_000, ETH=2_000)
BUSY = THREE.trade(LINEAR, 10, 50_000, leverage=5)  # 100,000 of initial margin
TWO = Account(venues.TEACHING, BTC=2).mark(BTC=50_000)
LONG = TWO.trade(PAIR, 5, 50_000, borrow="USDT")
LOAN = Tiers.flat(0.05, leverage=10)


def ten_btc(margin=5.0, leverage=None, **more):
    book = [Position(INVERSE, 25_000, 50_000, leverage)]
    return Pool("BTC", {"BTC": margin}, book, venues.TEACHING, **more)


def two_markets(**more):
    long, short = Position(LINEAR, 1, 50_000), Position(ETHER, -10, 2_000)
    return Pool("USDT", {"USDT": 20_000}, [long, short], venues.TEACHING, **more)


# ----------------------------------------------------------------- the equation


def test_the_10_btc_trade_by_hand():
    # at 48,000: 50 - 2,500,000/48,000 = -2.083333; requirement 0.4 % of 52.083333 = 0.208333
    pool = ten_btc()
    assert pool.equity(BTC=48_000) == pytest.approx(5 - 2.0833333333333333, rel=1e-13)
    assert pool.requirement(BTC=48_000) == pytest.approx(0.20833333333333333, rel=1e-13)
    assert pool.slack(BTC=48_000) == pytest.approx(2.7083333333333333, rel=1e-13)
    assert pool.margin_ratio(BTC=48_000) == pytest.approx(14, rel=1e-12)  # 2.916667 / 0.208333


def test_a_pool_that_was_never_marked_stands_at_its_entry():
    assert ten_btc().equity() == 5 and ten_btc().marks["BTC"] == 50_000
    assert ten_btc(marks={"BTC": 48_000}).slack() == ten_btc().slack(BTC=48_000)


def test_initial_requirement_is_at_the_chosen_leverage_or_the_highest_allowed():
    # 50 BTC at 10x: 5; without a choice at 125x: 0.4
    assert ten_btc().requirement(kind="initial") == pytest.approx(0.4, rel=1e-14)
    chosen = ten_btc(leverage=10)
    assert chosen.requirement(kind="initial") == pytest.approx(5, rel=1e-14)
    assert chosen.requirement() == pytest.approx(0.2, rel=1e-14)  # maintenance does not ask for it


def test_withdrawable_leaves_out_unrealised_profit_and_takes_off_losses():
    # 20,000 less 50,000/125 and 20,000/125 = 19,440 at entry
    assert two_markets().withdrawable() == pytest.approx(20_000 - 400 - 160, rel=1e-14)
    # BTC at 60,000: profit 10,000 stays in, initial margin 480
    assert two_markets().withdrawable(BTC=60_000) == pytest.approx(20_000 - 480 - 160, rel=1e-14)
    # BTC at 45,000: loss 5,000 counts, initial margin 360
    assert two_markets().withdrawable(BTC=45_000) == pytest.approx(15_000 - 360 - 160, rel=1e-14)


def test_positions_add_up_whatever_their_index():
    # BTC +2,000; ETH short 10 from 2,000 at 2,100: -1,000; requirement 0.4 % of 52,000 + 21,000
    at = {"BTC": 52_000, "ETH": 2_100}
    assert two_markets().equity(at) == pytest.approx(21_000, rel=1e-14)
    assert two_markets().requirement(at) == pytest.approx(292, rel=1e-14)


def test_an_index_moves_contract_collateral_and_debt_together():
    # valued in USDT: 2 BTC, a debt of 30,000 USDT, short 1 BTC from 50,000; at 40,000: 80,000 - 30,000 + 10,000
    pool = Pool("USDT", {"BTC": 2, "USDT": -30_000}, [Position(LINEAR, -1, 50_000)], venues.TEACHING)
    assert pool.equity(BTC=40_000) == pytest.approx(60_000, rel=1e-14)
    assert pool.requirement(BTC=40_000) == pytest.approx(160, rel=1e-14)


def test_inverse_profit_in_a_usdt_pool_is_changed_at_the_index():
    # 100 contracts of 100 USD from 50,000, at 40,000: 0.2 - 0.25 = -0.05 BTC = -2,000 USDT; 0.4 % of 10,000 = 40
    pool = Pool("USDT", {"USDT": 5_000}, [Position(INVERSE, 100, 50_000)], venues.TEACHING)
    assert pool.equity(BTC=40_000) == pytest.approx(3_000, rel=1e-13)
    assert pool.requirement(BTC=40_000) == pytest.approx(40, rel=1e-13)


def test_linear_profit_in_a_btc_pool_is_changed_at_the_index():
    # short 1 from 50,000 at 40,000: +10,000 USDT = 0.25 BTC on 1 BTC; 0.4 % of 40,000 = 160 USDT = 0.004 BTC
    pool = Pool("BTC", {"BTC": 1}, [Position(LINEAR, -1, 50_000)], venues.TEACHING)
    assert pool.equity(BTC=40_000) == pytest.approx(1.25, rel=1e-14)
    assert pool.requirement(BTC=40_000) == pytest.approx(0.004, rel=1e-14)


def test_a_stablecoin_can_lose_its_peg():
    # 5,000 USDT at 0.9 in a pool counted in USD
    pool = Pool("USD", {"USDT": 5_000}, [], venues.TEACHING)
    assert pool.equity() == 5_000 and pool.equity(USDT=0.9) == pytest.approx(4_500, rel=1e-15)


def test_a_contracts_own_mark_overrides_its_index_until_the_index_moves():
    pool = two_markets(marks={"BTC": 50_000, "BTC-USDT": 49_000, "ETH": 2_000})
    assert pool.equity() == pytest.approx(19_000, rel=1e-14)
    assert pool.equity(BTC=51_000) == pytest.approx(21_000, rel=1e-14)  # the index moves all its contracts
    assert pool.equity({"BTC": 51_000, "BTC-USDT": 50_500}) == pytest.approx(20_500, rel=1e-14)
    assert pool.equity(ETH=2_100) == pytest.approx(18_000, rel=1e-14)  # another index leaves it


def test_a_long_and_a_short_of_one_contract_may_have_a_mark_of_their_own():
    account = Account(MULTI, USDT=1e5).mark(BTC=5e4).trade(LINEAR, 8, 5e4, leg="long")
    account = account.trade(LINEAR, -0.5, 5e4, leg="short").mark(**{"BTC-USDT": 49_000})
    at = account.cross.slack(BTC=48_000)  # which moves both: 7.5 BTC have lost 2,000 each
    assert at == near(1e5 - 7.5 * 2_000 - 0.004 * 8.5 * 48_000) and "BTC-USDT" in repr(account)


def test_arrays_of_two_prices_broadcast_to_a_grid():
    btc, eth = np.array([40_000.0, 50_000.0, 61_000.0]), np.array([[1_900.0], [2_500.0]])
    pool = two_markets()
    for method in (pool.equity, pool.requirement, pool.slack, pool.margin_ratio, pool.available):
        grid = method(BTC=btc, ETH=eth)
        assert grid.shape == (2, 3)
        one = [[method(BTC=b, ETH=e) for b in btc.tolist()] for e in eth.ravel().tolist()]
        assert grid == pytest.approx(np.array(one), rel=1e-14)


def test_margin_ratio_broadcasts_where_only_the_collateral_moves_with_a_price():
    pool = Pool("USDT", {"USDT": 5_000, "ETH": 1}, [Position(LINEAR, 1, 50_000)], venues.TEACHING)
    # equity 5,000 + 2,000 (or 3,000) at entry, requirement 200
    grid = pool.margin_ratio(BTC=np.array([50_000.0, 50_000.0, 50_000.0]), ETH=np.array([[2_000.0], [3_000.0]]))
    assert grid == pytest.approx(np.array([[35.0] * 3, [40.0] * 3]), rel=1e-14)


def test_margin_ratio_is_infinite_where_nothing_is_required():
    assert Pool("BTC", {"BTC": 1}, [], venues.TEACHING).margin_ratio() == np.inf
    free = Venue("free below 5,000", tiers={"*": Tiers.bracket(0.01, 50.0)})
    pool = Pool("USDT", {"USDT": 100}, [Position(LINEAR, 0.1, 50_000)], free)
    # at 40,000 nothing is required; at 60,000: 60 - 50 = 10 against 100 + 1,000
    assert pool.margin_ratio(BTC=np.array([40_000.0, 60_000.0])) == pytest.approx([np.inf, 110], rel=1e-12)


@pytest.mark.parametrize(
    "venue, expected",
    [
        (Venue("A"), 0.005 * 9_500),  # charged at the price: 47.5
        (Venue("B", maintenance_at="entry"), 0.005 * 10_000),  # at the entry, whatever the price: 50
        (Venue("fee at price", fee=0.0005, fee_at="price"), 0.0055 * 9_500),  # 52.25
        (Venue("fee at bankruptcy", fee=0.0006, fee_at="bankruptcy"), 47.5 + 0.0006 * 9_000),  # 52.9
    ],
    ids=lambda v: v.name if isinstance(v, Venue) else "",
)
def test_requirement_under_each_rule(venue, expected):
    contract = Perpetual("BTC-USDT", "BTC", "USDT", tiers=Tiers.flat(0.005))
    pool = Pool("USDT", {"USDT": 1_000}, [Position(contract, 1, 10_000, leverage=10)], venue)
    assert pool.requirement(BTC=9_500) == pytest.approx(expected, rel=1e-13)


def test_initial_margin_holds_the_fee_at_bankruptcy_where_the_venue_adds_it():
    # Bybit: V/L + q*bust*fee = 1,000 + 9,000 * 0.06 %
    contract = Perpetual("BTC-USDT", "BTC", "USDT", tiers=Tiers.flat(0.005))
    pool = Pool("USDT", {"USDT": 1_010}, [Position(contract, 1, 10_000, leverage=10)], venues.BYBIT_UTA)
    assert pool.requirement(kind="initial") == pytest.approx(1_005.4, rel=1e-13)


def test_a_fee_at_bankruptcy_without_a_leverage_takes_the_whole_pool():
    # short 1 from 50,000 on 10,000: bankrupt at 60,000, 36 of fee; long: at 40,000, 24
    half = replace(LINEAR, tiers=Tiers.flat(0.005))
    for size, fee in ((-1, 36), (1, 24)):
        pool = Pool("USDT", {"USDT": 10_000}, [Position(half, size, 50_000)], venues.BYBIT_UTA)
        assert pool.requirement() == near(250 + fee)
    # at half its worth no price takes the margin of a long; a short is bankrupt at 150,000
    assert Pool("USDT", {"USDT": 0}, [Position(half, 1, 50_000, 0.5)], venues.BYBIT_UTA).requirement() == near(250)
    assert Pool("USDT", {"USDT": 0}, [Position(half, -1, 50_000, 0.5)], venues.BYBIT_UTA).requirement() == near(340)


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


# ----------------------------------------------------------------- haircuts


def held(amounts, fee=0.0, mode="multi-currency", currency="USD", **assets):
    rules = Venue("x", account_mode=mode, assets=assets, fee=fee, fee_at="price" if fee else "none")
    return Pool(currency, amounts, (), rules, {"BTC": 50_000, "ETH": 2_000})


def test_a_haircut_by_amount_takes_each_slice_and_does_not_move_with_the_price():
    # 10 at 90 % and 2 at 50 %: 10 BTC count
    one = held({"BTC": 12}, BTC=Asset(Tiers(((0, 0.1), (10, 0.5)), basis="quantity")))
    assert one.equity() == near(500_000) and one.equity(BTC=25_000) == near(250_000) and one.worth() == 600_000


def test_a_haircut_by_value_takes_each_slice_and_does():
    # 500,000 at 90 % and 100,000 at 50 %; at 25,000 all of it is in the first
    one = held({"BTC": 12}, BTC=Asset(Tiers(((0, 0.1), (500_000, 0.5)))))
    assert one.equity() == near(500_000) and one.equity(BTC=25_000) == near(270_000) and one.worth() == 600_000


def test_a_haircut_of_one_is_no_collateral_at_all():
    one = held({"BTC": 12, "USDT": 5}, BTC=Asset(haircut=1.0), USDT=Asset())
    assert one.equity() == 5 and one.worth() == 600_005
    assert one.withdrawable("BTC") == 12  # it holds nothing up


def test_the_own_currency_of_a_single_currency_pool_has_no_haircut_and_others_have():
    assets = {"BTC": Asset(haircut=0.1), "ETH": Asset(haircut=0.2)}
    one = held({"BTC": 2, "ETH": 50}, mode="single-currency", currency="BTC", **assets)
    assert one.equity() == near(2 + 0.8 * 2) and one.worth() == near(4)  # 50 ETH are 2 BTC
    alone = Pool("BTC", {"BTC": 2}, (), replace(one.venue, account_mode="multi-currency"), {"BTC": 50_000}, "x", True)
    assert alone.equity() == 2  # walled off


def test_an_asset_for_all_that_are_not_named():
    one = held({"BTC": 1, "ETH": 10}, ETH=Asset(haircut=0.5), **{"*": Asset(haircut=0.2)})
    assert one.equity() == near(40_000 + 10_000)


# -------------------------------------------------------------------- debts


def test_a_debt_counts_for_more_than_itself_and_requires_by_its_own_size():
    # 10 ETH are 20,000: they count for 24,000 and require 5 %; at most 10x is 2,000
    one = held({"USDT": 100_000, "ETH": -10}, USDT=Asset(), ETH=Asset(debt_weight=1.2, loan=LOAN))
    assert (one.equity(), one.worth()) == (near(76_000), 80_000)
    assert (one.requirement(), one.requirement(kind="initial")) == (near(1_000), near(2_000))
    assert one.liquidation("ETH").above.price == near(100_000 / 12.5)  # 10 * (1.2 + 0.05)
    assert one.bankruptcy("ETH").above.price == near(10_000)


def test_a_loan_in_tiers_by_value_and_by_amount():
    # 150 BTC are 7,500,000: 5,000,000 at 2 % and 2,500,000 at 4 % are 200,000; 8x sets 937,500 aside
    tiers = Tiers(((0, 0.02, 20), (5_000_000, 0.04, 8)))
    one = held({"USDT": 1e7, "BTC": -150}, USDT=Asset(), BTC=Asset(loan=tiers))
    assert one.requirement() == near(200_000) and one.requirement(kind="initial") == near(937_500)
    assert one.requirement(BTC=25_000) == near(75_000)  # 3,750,000, in the first tier
    # 100 at 2 % and 50 at 4 % are 4 BTC at any price
    counted = Tiers(((0, 0.02, 20), (100, 0.04, 8)), basis="quantity")
    one = held({"USDT": 1e7, "BTC": -150}, USDT=Asset(), BTC=Asset(loan=counted))
    assert one.requirement() == near(200_000) and one.requirement(BTC=25_000) == near(100_000)
    assert one.requirement(kind="initial", BTC=25_000) == near(468_750)
    assert one.liquidation("BTC").above.price == near(1e7 / 154)


def test_the_closing_fee_is_charged_on_a_debt_and_its_maintenance_alike():
    # 20,000 * 1.05 * 1.0005 = 21,010.5 have to be there
    one = held({"USDT": 100_000, "ETH": -10}, 0.0005, USDT=Asset(), ETH=Asset(loan=LOAN))
    assert one.requirement() == near(1_010.5) and one.equity() == near(80_000)
    assert one.liquidation("ETH").above.price == near(100_000 / (10.5 * 1.0005))
    assert one.requirement(kind="initial") == near(2_000)


def test_a_debt_of_what_is_not_lent_counts_but_requires_nothing():
    one = held({"USDT": 100_000, "ETH": -10}, USDT=Asset(), ETH=Asset(debt_weight=1.1))
    assert (one.equity(), one.requirement(), one.requirement(kind="initial")) == (near(78_000), 0, 0)
    plain = held({"USDT": 100_000, "ETH": -10}, mode="single-currency", currency="USDT")  # nothing is said of ETH
    assert (plain.equity(), plain.worth(), plain.requirement(), plain.open) == (80_000, 80_000, 0, True)


# --------------------------------------------------------- what may leave


def haircut(tiers, **more):
    return replace(MULTI, assets={**MULTI.assets, "BTC": replace(MULTI.assets["BTC"], haircut=tiers)}, **more)


def test_what_may_leave_takes_its_counted_value_along():
    # 118,000 less 100,000: 18,000 are free, 0.4 BTC at 45,000 each, 10 ETH at 1,800, all 10,000 USDT
    pool = BUSY.cross
    assert pool.available() == near(18_000)
    assert (pool.withdrawable("BTC"), pool.withdrawable("ETH")) == (near(0.4), near(10))
    assert (pool.withdrawable("USDT"), pool.withdrawable("USD"), pool.withdrawable("USDC")) == (10_000, 0, 0)
    assert pool.withdrawable() == 0  # of its own currency, dollars
    assert pool.adding(-0.4, "BTC").available() == pytest.approx(0, abs=1e-9)
    assert pool.adding(-10, "ETH").available() == pytest.approx(0, abs=1e-9)


def test_profit_is_available_but_not_withdrawable():
    # at 52,000: 93,600 + 18,000 + 10,000 = 121,600 and a profit of 20,000; initial margin is 104,000
    up = BUSY.mark(BTC=52_000).cross
    assert up.available() == near(37_600) and up.withdrawable("BTC") == near(17_600 / 46_800)
    # at 49,000: 88,200 + 28,000 - 10,000 = 106,200 less 98,000
    down = BUSY.mark(BTC=49_000).cross
    assert down.available() == near(8_200) and down.withdrawable("USDT") == near(8_200)
    # at 48,000: 86,400 + 28,000 - 20,000 = 94,400 less 96,000
    short = BUSY.mark(BTC=48_000).cross
    assert short.available() == near(-1_600) and short.withdrawable("USDT") == near(-1_600)


def test_what_is_not_held_cannot_leave_nor_be_short():
    short = BUSY.mark(BTC=48_000).cross
    assert short.withdrawable("USDC") == short.adding(-1, "USDC").withdrawable("USDC") == 0
    assert THREE.cross.adding(0, "USDC").withdrawable("USDC") == 0


def test_what_may_leave_of_another_coin_in_a_pool_of_bitcoin():
    # 1 BTC and 50 ETH are 3 BTC; 7,500 contracts of 100 USD at 10x take 1.5, so 75,000 USD are free
    book = [Position(INVERSE, 7_500, 50_000, 10)]
    pool = Pool("BTC", {"BTC": 1, "ETH": 50}, book, venues.TEACHING, {"BTC": 50_000, "ETH": 2_000})
    assert pool.withdrawable("ETH") == near(37.5)


def test_what_may_leave_under_a_haircut_in_tiers():
    # of 2 BTC the first counts 0.9 and the second 0.5: 70,000
    for tiers in (Tiers(((0, 0.1), (1, 0.5)), basis="quantity"), Tiers(((0, 0.1), (50_000, 0.5)))):
        account = Account(haircut(tiers), BTC=2).mark(BTC=50_000)
        assert account.cross.withdrawable("BTC") == 2
        # margin 50,000: 20,000 are free, 0.8 of the second coin at 25,000
        some = account.trade(LINEAR, 10, 50_000, leverage=10).cross
        assert some.withdrawable("BTC") == near(0.8)
        # margin 30,000: what stays is 30,000 of the first coin, 2/3 at 45,000
        less = account.trade(LINEAR, 6, 50_000, leverage=10).cross
        assert less.withdrawable("BTC") == near(2 - 2 / 3)
        for pool in (some, less):
            assert pool.adding(-pool.withdrawable("BTC"), "BTC").available() == pytest.approx(0, abs=1e-9)
    # the second coin does not count at all: with all of 45,000 in use it may leave, and no more
    account = Account(haircut(Tiers(((0, 0.1), (1, 1.0)), basis="quantity")), BTC=2).mark(BTC=50_000)
    assert account.trade(LINEAR, 9, 50_000, leverage=10).cross.withdrawable("BTC") == near(1)


@settings(STEADY, max_examples=120)
@given(st.floats(0.5, 40), st.floats(0, 2e5), st.floats(-20, 20), st.floats(1.5, 50), st.floats(0.9, 1.1),
       st.sampled_from(("quantity", "notional")), st.sampled_from((0.3, 0.8, 1.0)))  # fmt: skip
def test_after_withdrawing_all_that_may_leave_nothing_is_available(coins, cash, q, leverage, x, basis, last):
    assume(abs(q) > 0.01)
    unit = 1 if basis == "quantity" else 50_000
    tiers = Tiers(((0, 0.05), (3 * unit, 0.2), (10 * unit, last)), basis=basis)
    account = Account(haircut(tiers), BTC=coins, USDT=cash).mark(BTC=50_000)
    try:
        pool = account.trade(LINEAR, q, 50_000, leverage=leverage).mark(BTC=50_000 * x).cross
    except ValueError:
        assume(False)
    out = pool.withdrawable("BTC")
    if out == -inf:  # beyond the tenth a coin counts for nothing: no number of them would do
        assert last == 1.0 and all(pool.adding(more, "BTC").available() < 0 for more in (1, 100, 1e6))
        return
    rest = pool.adding(-out, "BTC")
    profit = max(0.0, pool.positions[0].pnl(50_000 * x))
    assert out <= coins * (1 + 1e-15)
    if out < coins * (1 - 1e-12):
        assert rest.available() - profit == pytest.approx(0, abs=1e-6)
        assert out < 0 or pool.adding(-out * 0.99, "BTC").available() - profit > -1e-6
    else:
        assert rest.available() - profit > -1e-6


def test_one_account_has_no_second_dollar_pool():
    pool = Pool("USD", {"USD": 1_000, "USDT": 1_000}, (), replace(MULTI, assets={"*": Asset(haircut=0.5)}))
    assert pool.equity() == 1_000 and pool.worth() == 2_000 and not pool.own_in_full
    assert replace(pool, isolated=True).equity() == 1_500


def test_no_more_can_be_withdrawn_than_is_held():
    pool = Pool("BTC", {"BTC": 1, "USDT": 100_000}, (), venues.TEACHING, {"BTC": 50_000})
    assert pool.equity() == 3 and pool.withdrawable() == 1
    plain = Pool("USDT", {"USDT": 100, "ETH": 2}, (), venues.BITMEX, {"ETH": 2_000})  # which says nothing of ETH
    assert plain.withdrawable("ETH") == 2


def test_the_dollar_of_a_multi_currency_account_counts_where_the_venue_does_not_name_it():
    contract = replace(LINEAR, tiers=Tiers.flat(0.004))
    account = Account(venues.OKX_MULTI, USDT=10_000).trade(contract, 1, 50_000)
    assert account.at(BTC=30_000).balances() == {"USD": 0}
    more = account.cross.margin_for(liquidation=39_000)
    assert more > 0 and account.cross.adding(more).liquidation().price == pytest.approx(39_000, rel=1e-12)


# ---------------------------------------------------------------- open orders


@pytest.mark.parametrize("orders", [True, False])
def test_orders_hold_initial_margin_and_maintenance_where_the_venue_says(orders):
    pool, plain = ordered(orders).cross, ordered(orders, 0).cross
    assert pool.orders == 60 and pool.equity() == plain.equity() == 200
    assert pool.requirement() == near(160 if orders else 100) and pool.slack() == near(40 if orders else 100)
    assert pool.requirement(kind="initial") == near(160) and plain.requirement(kind="initial") == near(100)
    assert pool.available() == near(40) and pool.withdrawable() == near(40) and plain.withdrawable() == near(100)
    assert np.allclose(pool.slack(BTC=np.array([100.0, 95.0])), [40, -5] if orders else [100, 55])


@pytest.mark.parametrize("orders", [True, False])
def test_orders_move_the_liquidation_price_and_not_the_bankruptcy_price(orders):
    pool, plain = ordered(orders).cross, ordered(orders, 0).cross
    assert pool.liquidation().price == near(860 / 9 if orders else 800 / 9)  # 200 + 10 (P - 100) = P + 60
    assert plain.liquidation().price == near(800 / 9)
    assert pool.bankruptcy().price == plain.bankruptcy().price == near(80)
    parts = pool.parts()
    assert sum(parts.values()) == near(pool.slack()) and parts.get("open orders") == (-60 if orders else None)
    assert "open orders" not in plain.parts()


def test_new_orders_replace_the_old_ones():
    start = ordered(True)
    for margin in (0, 10, 60, 99.9):
        assert start.place_orders(margin, "USDT").cross.orders == margin
    event = start.place_orders(10, "USDT").events[-1]
    assert (event.kind, event.pool, event.flows) == ("orders", "cross USDT", {TRADER: 0})
    under = start.mark(BTC=92)  # 120 for 92 and 60: fewer is always allowed, more is not
    assert under.place_orders(50, "USDT").cross.orders == 50
    refused(Refused, ["open orders", "short of its margin"], lambda: under.place_orders(61, "USDT"), under)


def test_orders_are_held_in_the_currency_of_a_pool():
    start = ordered(True)
    refused(ValueError, ["BTC"], lambda: start.place_orders(1, "BTC"), start)
    venue = replace(start.venue, account_mode="multi-currency", assets={"*": Asset()})
    multi = Account(venue, USDT=200).mark(USDT=1)
    refused(ValueError, ["currency must be 'USD'", "'USDT'"], lambda: multi.place_orders(5, "USDT"), multi)
    assert multi.place_orders(5, "USD").cross.orders == 5


def test_an_isolated_pool_and_other_currencies_are_as_they_were():
    start = Account(ordered(True, 0).venue, USDT=500, BTC=1).trade(LINEAR, 10, 100, isolated=200)
    more = start.place_orders(100, "USDT")
    assert more[LINEAR].slack() == start[LINEAR].slack() and more.cross_in("BTC").orders == 0
    after = more.at(BTC=88)
    assert kinds(more, after) == [ALL] and after.cross_in("USDT").orders == 100


@pytest.mark.parametrize("orders", [True, False])
def test_orders_and_trades_share_what_is_available(orders):
    start = ordered(orders)
    if orders:  # it would be at its line
        refused(Refused, ["200 there", "0 missing"], lambda: start.place_orders(100, "USDT"), start)
    else:
        assert start.place_orders(100, "USDT").cross.available() == near(0)
    words = ["margin=100.01 USDT for open orders", "short"]
    refused(Refused, words, lambda: start.place_orders(100.01, "USDT"), start)
    assert start.trade(LINEAR, 3.9, 100, leverage=10).cross.positions[0].quantity == 13.9
    refused(Refused, ["short of its margin"], lambda: start.trade(LINEAR, 4.01, 100, leverage=10), start)
    words = ["isolated", "more than the 40 free"]
    refused(Refused, words, lambda: start.trade(ETHER, 1, 100, isolated=41), start)


# -------------------------------------------------------------------- showing


def test_a_pool_shows_its_figures_and_no_address():
    pool = ten_btc(marks={"BTC": 48_000}, name="isolated BTC-USD")
    for shown in (repr(pool), pool._repr_html_()):
        for figure in ("isolated BTC-USD", "teaching", "5 BTC", "long 25,000 contracts from 50,000", "2.917 BTC",
                       "0.2083 BTC", "14", "45,636"):  # fmt: skip
            assert figure in shown
        assert not re.search(r"0x[0-9a-f]{6}| object at ", shown)


def test_a_pool_shows_itself_even_if_a_price_is_missing():
    pool = Pool("USDT", {"USDT": 5_000, "ETH": 1}, [Position(LINEAR, 1, 50_000)], venues.TEACHING)
    for shown in (repr(pool), pool._repr_html_()):
        assert "ETH" in shown and "long 1 contracts from 50,000" in shown


def test_a_pool_without_anything_to_liquidate_shows_no_requirement():
    assert "requirement" not in repr(TWO) and "debts" not in repr(TWO)
    empty = Pool("BTC", {"BTC": 0, "USDT": 0}, (), venues.TEACHING, {"BTC": 50_000})
    assert "nothing" in repr(empty) and not empty.open
