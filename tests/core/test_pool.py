"""A pool by hand: equity, requirement, what may leave it, haircuts, debts, open orders, and how it shows itself."""

import re
from math import inf

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from marginlab import Account, Asset, Pool, Position, Refused, Tiers, Venue, replace, venues
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


def test_a_contracts_own_mark_overrides_its_index_until_the_index_moves():
    pool = two_markets(marks={"BTC": 50_000, "BTC-USDT": 49_000, "ETH": 2_000})
    assert pool.equity() == pytest.approx(19_000, rel=1e-14)
    # the index moves all its contracts, and their own marks keep their ratio to it: 49,980
    assert pool.equity(BTC=51_000) == pytest.approx(19_980, rel=1e-14)
    assert pool.equity({"BTC": 51_000, "BTC-USDT": 50_500}) == pytest.approx(20_500, rel=1e-14)
    assert pool.equity(ETH=2_100) == pytest.approx(18_000, rel=1e-14)  # another index leaves it


def test_a_long_and_a_short_of_one_contract_may_have_a_mark_of_their_own():
    account = Account(MULTI, USDT=1e5).mark(BTC=5e4).trade(LINEAR, 8, 5e4, leg="long")
    account = account.trade(LINEAR, -0.5, 5e4, leg="short").mark(**{"BTC-USDT": 49_000})
    at = account.cross.slack(BTC=48_000)  # which moves both to 47,040: 7.5 BTC have lost 2,960 each
    assert at == near(1e5 - 7.5 * 2_960 - 0.004 * 8.5 * 47_040) and "BTC-USDT" in repr(account)


def test_margin_ratio_is_infinite_where_nothing_is_required():
    assert Pool("BTC", {"BTC": 1}, [], venues.TEACHING).margin_ratio() == np.inf
    free = Venue("free below 5,000", tiers={"*": Tiers.bracket(0.01, 50.0)})
    pool = Pool("USDT", {"USDT": 100}, [Position(LINEAR, 0.1, 50_000)], free)
    # at 40,000 nothing is required; at 60,000: 60 - 50 = 10 against 100 + 1,000
    assert pool.margin_ratio(BTC=np.array([40_000.0, 60_000.0])) == pytest.approx([np.inf, 110], rel=1e-12)


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
    assert multi.parts(BTC=49_000) == {
        "BTC held": near(88_200),
        "long BTC-USDT": near(-196),
        "USDT with its PnL": near(-525),
    }
    twice = Pool("USDT", {"USDT": 9}, [Position(LINEAR, 1, 50_000), Position(LINEAR, 2, 50_000)], venues.TEACHING)
    assert twice.parts() == {"USDT held": 9, "long BTC-USDT": near(-600)}


# ----------------------------------------------------------------- haircuts


def held(amounts, fee=0.0, mode="multi-currency", currency="USD", **assets):
    rules = Venue("x", account_mode=mode, assets=assets, fee=fee, fee_at="price" if fee else "none")
    return Pool(currency, amounts, (), rules, {"BTC": 50_000, "ETH": 2_000})


def test_a_haircut_of_one_is_no_collateral_at_all():
    one = held({"BTC": 12, "USDT": 5}, BTC=Asset(haircut=1.0), USDT=Asset())
    assert one.equity() == 5 and one.worth() == 600_005
    assert one.withdrawable("BTC") == 12  # it holds nothing up


def test_an_asset_for_all_that_are_not_named():
    one = held({"BTC": 1, "ETH": 10}, ETH=Asset(haircut=0.5), **{"*": Asset(haircut=0.2)})
    assert one.equity() == near(40_000 + 10_000)


# -------------------------------------------------------------------- debts


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
    assert down.available() == near(8_200) and down.withdrawable("USDT") == 0  # all 10,000 are lost
    assert replace(down, venue=venues.TEACHING_BESIDE).withdrawable("USDT") == near(8_200)
    # at 48,000: 86,400 + 28,000 - 20,000 = 94,400 less 96,000
    short = BUSY.mark(BTC=48_000).cross
    assert short.available() == near(-2_600)  # 10,000 USDT are owed now, and ask 1,000
    short = replace(short, venue=venues.TEACHING_BESIDE)
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
