"""Accounts by hand: trades in both modes, on both legs; transfers, marks, liquidation and who paid; the ledger."""

import copy
import pickle
import re

import pytest

from marginlab import Account, Perpetual, Refused, Tiers, replace, venues
from marginlab.rules import COUNTERPARTIES, FUND, TRADER
from tests.core.common import ETHER, INVERSE, LINEAR, PAIR, legs, near

ME = Account(venues.TEACHING, BTC=10).mark(BTC=50_000)
SAFE = ME.trade(INVERSE, +25_000, price=50_000, isolated=5)
BOLD = ME.trade(INVERSE, +25_000, price=50_000)
RICH = Account(venues.TEACHING, USDT=100_000).mark(BTC=50_000)
HALF = replace(LINEAR, tiers=Tiers.flat(0.004))

# --------------------------------------------------------------- the 10-BTC example


def test_the_10_btc_trade_isolated_and_cross():
    assert SAFE.cross.collateral["BTC"] == 5 and SAFE[INVERSE].collateral["BTC"] == 5
    assert SAFE[INVERSE].isolated and not BOLD[INVERSE].isolated and BOLD[INVERSE] is BOLD.cross
    assert SAFE[INVERSE].liquidation().price == near(2_510_000 / 55)  # 45,636.36
    assert BOLD[INVERSE].liquidation().price == near(2_510_000 / 60)  # 41,833.33
    assert SAFE[INVERSE].positions[0].leverage == near(10)  # 50 BTC on 5
    assert SAFE.balances() == BOLD.balances() == {"BTC": 10}


def test_a_gap_to_44_000_costs_5_and_the_fund_pays_the_rest():
    # 50 - 2,500,000/44,000 = -6.818182: 5 by the trader, 1.818182 by the fund, to those who were short
    after = SAFE.at(BTC=44_000)
    (record,) = after.liquidations
    assert (record.pool, record.currency, record.price) == ("isolated BTC-USD", "BTC", 44_000)
    assert (record.lost, record.surplus, record.shortfall) == (near(5), 0, near(20 / 11))
    assert record.flows == {TRADER: near(-5), FUND: near(-20 / 11), COUNTERPARTIES: near(75 / 11)}
    assert "5 BTC lost" in record.text and "1.818 missing, paid by the insurance fund" in record.text
    assert after.balances() == {"BTC": near(5)} and [p.name for p in after.pools] == ["cross BTC"]
    with pytest.raises(KeyError):
        after[INVERSE]


@pytest.mark.parametrize("keeper, trader, fund", [(FUND, 0, 1), (TRADER, 1, 0)])
def test_what_is_left_of_a_liquidated_pool_goes_where_the_venue_says(keeper, trader, fund):
    # at 45,600: 50 - 2,500,000/45,600 = -4.824561; 0.175439 is left
    left = 5 + 50 - 2_500_000 / 45_600
    venue = replace(venues.TEACHING, surplus_to=keeper)
    after = Account(venue, BTC=10).trade(INVERSE, 25_000, 50_000, isolated=5).at(BTC=45_600)
    (record,) = after.liquidations
    assert (record.lost, record.surplus, record.shortfall) == (near(5 - trader * left), near(left), 0)
    assert record.flows == {TRADER: near(trader * left - 5), FUND: near(fund * left), COUNTERPARTIES: near(5 - left)}
    assert after.balances() == {"BTC": near(5 + trader * left)} and f"kept by the {keeper}" in record.text


@pytest.mark.parametrize("keeper, left", [(FUND, 0), (TRADER, 10 + 50 - 2_500_000 / 41_800)])
def test_a_cross_liquidation_takes_all_that_is_shared(keeper, left):
    # at 41,800 the loss is 9.808612, 0.191388 of ten are left; below 41,666.67 there is a shortfall
    bold = Account(replace(venues.TEACHING, surplus_to=keeper), BTC=10).trade(INVERSE, 25_000, 50_000)
    assert bold.at(BTC=41_800).balances() == {"BTC": pytest.approx(left, rel=1e-12)}
    gone = bold.at(BTC=41_000)
    assert gone.balances() == {"BTC": 0} and gone.cross.positions == ()
    assert gone.liquidations[0].lost == 10
    assert gone.liquidations[0].shortfall == near(2_500_000 / 41_000 - 60)


def test_a_pool_takes_nothing_else_with_it():
    account = Account(venues.TEACHING, USDT=30_000, BTC=1)
    account = account.trade(LINEAR, 1, 50_000, isolated=5_000).trade(ETHER, -10, 2_000, isolated=2_000)
    account = account.trade(Perpetual("SOL-USDT", "SOL", "USDT"), 10, 100).trade(INVERSE, 100, 50_000)
    after = account.at(BTC=40_000)
    assert [e.pool for e in after.liquidations] == ["isolated BTC-USDT"]
    assert after.balances() == {"USDT": near(25_000), "BTC": 1}
    assert after[ETHER].collateral == {"USDT": 2_000} and len(after.cross_in("USDT").positions) == 1
    after = account.at(SOL=1, BTC=50_000, ETH=4_500)  # the short of ether: -25,000 on 2,000
    assert [e.pool for e in after.liquidations] == ["isolated ETH-USDT"]


def test_marking_only_values_and_at_lets_the_venue_act():
    marked = SAFE.mark(BTC=44_000)
    assert marked[INVERSE].equity() == near(5 - 75 / 11) and not marked.liquidations
    assert marked.at().liquidations and not SAFE.liquidations


def test_a_pool_is_closed_at_its_own_liquidation_price():
    # the closed form can miss zero by a rounding error: the line itself counts as reached
    for quantity in (+25_000, -25_000, +3_333, -17_777):
        account = ME.trade(INVERSE, quantity, 50_000, isolated=5)
        side = account[INVERSE].liquidation()
        price = side.below.price if quantity > 0 else side.above.price
        if price is not None:
            assert account.at(BTC=price).liquidations
            assert not account.at(BTC=price * (1 + 1e-9 if quantity > 0 else 1 - 1e-9)).liquidations


# --------------------------------------------------------------- transfers and marks


def test_transfers_move_margin_and_the_liquidation_price():
    more = SAFE.transfer(2, "BTC", to=INVERSE)
    assert more[INVERSE].collateral["BTC"] == 7 and more.cross.collateral["BTC"] == 3
    assert more[INVERSE].liquidation().price == near(2_510_000 / 57)
    back = more.transfer(2, "BTC", source="BTC-USD")
    assert back[INVERSE].liquidation().price == near(2_510_000 / 55) and back.balances() == {"BTC": 10}
    assert [e.kind for e in back.events] == ["deposit", "trade", "transfer", "transfer"]


def test_out_of_an_isolated_pool_goes_what_its_initial_margin_leaves_free():
    # at 10x: 5 at entry, all of it needed. At 55,000: 50/1.1/10 = 4.545455, so 0.454545 of the 5 are free
    risen = SAFE.mark(BTC=55_000)
    assert risen.transfer(5 - 50 / 11, "BTC", source=INVERSE)[INVERSE].collateral["BTC"] == near(50 / 11)
    with pytest.raises(Refused, match=r"amount=0.46 BTC is more than the 0\.4545454545 free"):
        risen.transfer(0.46, "BTC", source=INVERSE)
    with pytest.raises(Refused, match="more than the 0 free"):
        SAFE.transfer(0.01, "BTC", source=INVERSE)


def test_a_contracts_own_mark_holds_until_its_index_is_marked():
    account = Account(venues.TEACHING, USDT=20_000).trade(LINEAR, 1, 50_000, isolated=5_000)
    stressed = account.mark(**{"BTC-USDT": 49_000})
    assert stressed[LINEAR].equity() == near(4_000)
    assert stressed.mark(ETH=2_000)[LINEAR].equity() == near(4_000)
    assert stressed.mark(BTC=51_000)[LINEAR].equity() == near(6_000)
    assert stressed.at(**{"BTC-USDT": 45_000}).liquidations[0].price == 45_000


def test_the_own_mark_of_a_closed_position_does_not_come_back():
    account = Account(venues.TEACHING, USDT=20_000).trade(LINEAR, 1, 50_000).mark(**{"BTC-USDT": 49_000})
    again = account.trade(LINEAR, -1, 49_000).mark(BTC=60_000).trade(LINEAR, 1, 60_000)
    assert again[LINEAR].equity() == near(19_000)  # 1,000 was lost; the new position stands at its entry


def test_one_cross_pool_for_each_currency():
    both = Account(venues.TEACHING, USDT=7, BTC=2)
    assert both.cross_in("BTC").collateral == {"BTC": 2} and both.cross_in("USDT").collateral == {"USDT": 7}
    with pytest.raises(ValueError, match=r"each of USDT, BTC: use cross_in\('USDT'\)"):
        _ = both.cross


# ------------------------------------------------------------------ trades


def held(account, contract=LINEAR):
    (position,) = account[contract].positions
    return position


def test_margin_by_amount_and_by_leverage_are_the_same_trade():
    by_margin = RICH.trade(LINEAR, 1, 50_000, isolated=5_000)
    by_leverage = RICH.trade(LINEAR, 1, 50_000, isolated=True, leverage=10)
    both = RICH.trade(LINEAR, 1, 50_000, isolated=5_000, leverage=10)
    for account in (by_margin, by_leverage, both):
        assert account[LINEAR].collateral["USDT"] == 5_000 and account.cross.collateral["USDT"] == 95_000
        assert held(account).leverage == near(10)


def test_margin_by_leverage_holds_the_closing_fee_where_the_venue_adds_it():
    # Bybit: 1 at 50,000, 10x: 5,000 and 0.06 % of the bankruptcy price of 45,000
    contract = replace(LINEAR, tiers=Tiers.flat(0.005, leverage=100))
    account = Account(venues.BYBIT_UTA, USDT=9_000).trade(contract, 1, 50_000, isolated=True, leverage=10)
    assert account[contract].collateral["USDT"] == near(5_027)


def test_the_fill_sets_the_first_mark_only():
    assert Account(venues.TEACHING, USDT=9_000).trade(LINEAR, 1, 50_000).marks["BTC"] == 50_000
    bought = RICH.trade(LINEAR, 1, 49_000, isolated=5_000)
    assert bought.marks["BTC"] == 50_000 and bought[LINEAR].equity() == near(6_000)


def test_a_linear_increase_averages_by_coins_and_adds_margin_at_its_leverage():
    # 1 at 40,000 and 1 at 60,000 at 10x: 50,000 on 4,000 + 6,000
    account = Account(venues.TEACHING, USDT=100_000).trade(LINEAR, 1, 40_000, isolated=True, leverage=10)
    more = account.mark(BTC=60_000).trade(LINEAR, 1, 60_000)
    assert held(more).entry == near(50_000) and held(more).quantity == 2 and held(more).leverage == 10
    assert more[LINEAR].collateral["USDT"] == near(10_000) and more.cross.collateral["USDT"] == near(90_000)
    # 3,000 in place of 6,000 makes it 100,000 on 7,000
    by_margin = account.mark(BTC=60_000).trade(LINEAR, 1, 60_000, isolated=3_000)
    assert by_margin[LINEAR].collateral["USDT"] == near(7_000) and held(by_margin).leverage == near(100_000 / 7_000)


def test_an_inverse_increase_averages_harmonically():
    # 400 contracts at 40,000 (1 BTC) and 400 at 60,000 (2/3 BTC): 80,000 USD / (5/3 BTC) = 48,000
    account = Account(venues.TEACHING, BTC=1).trade(INVERSE, 400, 40_000, isolated=True, leverage=10)
    more = account.mark(BTC=60_000).trade(INVERSE, 400, 60_000)
    assert held(more, INVERSE).entry == near(48_000)
    assert more[INVERSE].collateral["BTC"] == near(1 / 6)
    # value is kept: 1 - 2/3 = 1/3 of profit before and after
    assert more[INVERSE].equity() == near(1 / 6 + 1 / 3)


def test_an_increase_in_cross_keeps_the_leverage_until_told_otherwise():
    account = RICH.trade(LINEAR, 1, 50_000, leverage=10)
    assert held(account.trade(LINEAR, 1, 50_000)).leverage == 10
    assert held(account.trade(LINEAR, 1, 50_000, leverage=20)).leverage == 20


GAIN, LOSS = 52_000, 48_000


@pytest.mark.parametrize(
    "realised_to, freed_to, price, pool",
    [
        # 2 at 50,000 on 10,000; one is closed: 2,000 of profit, 5,000 set free
        ("account", "account", GAIN, 5_000),
        ("account", "position", GAIN, 10_000),
        ("position", "account", GAIN, 7_000),
        ("position", "position", GAIN, 12_000),
        # 2,000 of loss comes out of the position's own margin, whatever the venue does with profit
        ("account", "account", LOSS, 5_000),
        ("account", "position", LOSS, 8_000),
        ("position", "account", LOSS, 5_000),
        ("position", "position", LOSS, 8_000),
    ],
)
def test_a_partial_close_sends_profit_and_freed_margin_where_the_venue_says(realised_to, freed_to, price, pool):
    venue = replace(venues.TEACHING, realised_to=realised_to, freed_to=freed_to)
    account = Account(venue, USDT=100_000).trade(LINEAR, 2, 50_000, isolated=10_000).mark(BTC=price)
    after = account.trade(LINEAR, -1, price)
    gain = price - 50_000
    assert after[LINEAR].collateral["USDT"] == near(pool)
    assert after.balances()["USDT"] == near(100_000 + gain)
    assert held(after).quantity == 1 and held(after).entry == 50_000
    assert after.events[-1].flows == {TRADER: near(gain), COUNTERPARTIES: near(-gain)}


def test_a_loss_larger_than_the_freed_margin_is_not_paid_by_the_account():
    # one of two is sold at 44,000 while the mark is 50,000: 6,000 lost, 5,000 free; the pool keeps 4,000
    after = RICH.trade(LINEAR, 2, 50_000, isolated=10_000).trade(LINEAR, -1, 44_000)
    assert after[LINEAR].collateral["USDT"] == near(4_000) and after.cross.collateral["USDT"] == 90_000


def test_closing_in_parts_of_which_binary_fractions_fall_short_leaves_no_dust():
    # 0.1 + 0.2 is 0.30000000000000004 in binary
    account = RICH.trade(LINEAR, 0.1, 50_000).trade(LINEAR, 0.2, 50_000).trade(LINEAR, -0.3, 50_000)
    assert account.cross.positions == ()
    account = RICH.trade(LINEAR, 0.3, 50_000, isolated=1_500).trade(LINEAR, -(0.1 + 0.2), 50_000)
    assert account.cross.positions == () and account.cross.collateral["USDT"] == near(100_000)


def test_a_flip_closes_and_opens_the_rest_on_the_other_side():
    # long 1 at 50,000 on 5,000; 3 sold at 52,000: 102,000, of which short 2 at 10x takes 10,400
    account = RICH.trade(LINEAR, 1, 50_000, isolated=5_000).mark(BTC=52_000)
    after = account.trade(LINEAR, -3, 52_000)
    assert (held(after).quantity, held(after).entry, held(after).leverage) == (-2, 52_000, near(10))
    assert after[LINEAR].isolated and after[LINEAR].collateral["USDT"] == near(10_400)
    assert after.cross.collateral["USDT"] == near(91_600)
    by_margin = account.trade(LINEAR, -3, 52_000, isolated=20_000)
    assert by_margin[LINEAR].collateral["USDT"] == 20_000 and held(by_margin).leverage == near(5.2)


def test_unrealised_profit_in_cross_backs_a_new_trade_but_not_in_isolated():
    # 1,000 and a profit of 10,000: a second market at 10x on 50,000 needs 5,000
    other = Perpetual("XYZ-USDT", index="XYZ", settle="USDT")
    cross = Account(venues.TEACHING, USDT=1_000).trade(LINEAR, 1, 50_000).mark(BTC=60_000)
    assert cross.trade(other, 1, 50_000, leverage=10).cross.requirement(kind="initial") == near(5_480)
    walled = Account(venues.TEACHING, USDT=1_000).trade(LINEAR, 1, 50_000, isolated=900).mark(BTC=60_000)
    with pytest.raises(Refused, match="short of its margin"):
        walled.trade(other, 1, 50_000, leverage=10)


def test_a_trade_that_lacks_maintenance_says_what_is_missing():
    # OKX: 0.4 % and 0.05 % of fee are 225; a cross pool of 212.50 at 250x has its 200 of initial margin, and
    # would be liquidated at once: 12.50 are missing
    with pytest.raises(
        Refused, match=r"short of its margin: 225 USDT of maintenance margin needed, 212\.5 there, 12\.5 missing"
    ):
        Account(venues.OKX, USDT=212.5).trade(HALF, 1, 50_000)


def test_a_transfer_cannot_put_a_pool_below_its_maintenance():
    # 250x would leave 400 where 450 are required: OKX has the fee in the requirement, and not in V / L
    account = Account(venues.OKX, USDT=10_000).trade(HALF, 1, 50_000, isolated=1_000)
    account = account.trade(HALF, 1, 50_000, isolated=True, leverage=250)  # 100,000 on 1,200
    assert account.transfer(700, "USDT", source=HALF)[HALF].slack() == near(50)  # 500 - 450
    with pytest.raises(Refused, match="amount=790 USDT is more than"):  # 410 is above 400, but below 450
        account.transfer(790, "USDT", source=HALF)


def test_a_position_that_is_turned_has_the_leverage_that_was_asked_for():
    account = Account(venues.TEACHING, USDT=100_000).trade(LINEAR, 2, 50_000, leverage=10)
    assert account.trade(LINEAR, -3, 50_000, leverage=5).cross.positions[0].leverage == 5
    assert account.trade(LINEAR, -3, 50_000).cross.positions[0].leverage == 10


def test_a_cross_position_may_be_reduced_below_the_line():
    # long 2 on 10,000 at 45,050: 100 left where 360.4 are required, and 180.2 after a sale of one
    thin = Account(venues.TEACHING, USDT=10_000).trade(LINEAR, 2, 50_000).mark(BTC=45_050)
    assert thin.trade(LINEAR, -1, 45_050).cross.slack() == near(-80.2)


# ------------------------------------------------------- both legs, and both modes at once

START = Account(replace(venues.TEACHING, hedge_mode=True), USDT=100_000)
PAIRED = START.trade(LINEAR, 2, 50_000, leg="long").trade(LINEAR, -1, 50_000, leg="short")
APART = START.trade(LINEAR, 2, 50_000, leg="long", isolated=10_000)
APART = APART.trade(LINEAR, -1, 50_000, leg="short", isolated=5_000)
TWICE = Account(replace(venues.TEACHING, both_modes=True), USDT=100_000).trade(LINEAR, 2, 50_000)
TWICE = TWICE.trade(LINEAR, 1, 50_000, isolated=5_000)
EVERY = Account(venues.TEACHING_MULTI, USDT=100_000, BTC=1).mark(BTC=50_000)
EVERY = EVERY.trade(LINEAR, 2, 50_000).trade(LINEAR, -1, 50_000, isolated=5_000, leg="short")

START = Account(replace(venues.TEACHING, hedge_mode=True), USDT=100_000)
PAIRED = START.trade(LINEAR, 2, 50_000, leg="long").trade(LINEAR, -1, 50_000, leg="short")
APART = START.trade(LINEAR, 2, 50_000, leg="long", isolated=10_000)
APART = APART.trade(LINEAR, -1, 50_000, leg="short", isolated=5_000)
TWICE = Account(replace(venues.TEACHING, both_modes=True), USDT=100_000).trade(LINEAR, 2, 50_000)
TWICE = TWICE.trade(LINEAR, 1, 50_000, isolated=5_000)
EVERY = Account(venues.TEACHING_MULTI, USDT=100_000, BTC=1).mark(BTC=50_000)
EVERY = EVERY.trade(LINEAR, 2, 50_000).trade(LINEAR, -1, 50_000, isolated=5_000, leg="short")


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


def test_a_pair_isolated_and_cross():
    both = Account(venues.TEACHING_MULTI, BTC=4).mark(BTC=50_000).trade(PAIR, 2, 50_000, borrow="USDT")
    both = both.trade(PAIR, 1, 50_000, borrow="USDT", isolated=0.5)
    assert both[PAIR, "isolated"].collateral == {"BTC": 1.5, "USDT": -50_000}
    assert both["BTC/USDT", "cross"].collateral == {"BTC": 5.5, "USDT": -100_000}
    less = both.trade(PAIR, -1, 50_000, isolated=False)
    assert less.cross.collateral == {"BTC": 4.5, "USDT": -50_000} and less[PAIR, "isolated"].collateral["BTC"] == 1.5
    less = both.trade(PAIR, -1, 50_000, isolated=True)
    assert [p.name for p in less.pools] == ["cross"] and less.cross.collateral["BTC"] == near(6)


# ------------------------------------------------------- the ledger, and how it shows itself

TWO = Account(venues.TEACHING, BTC=2).mark(BTC=50_000)
LONG = TWO.trade(PAIR, 5, 50_000, borrow="USDT")
WALLED = TWO.trade(PAIR, 5, 50_000, borrow="USDT", isolated=1)
HELD = Account(venues.TEACHING_MULTI, BTC=2, ETH=10).mark(BTC=50_000, ETH=2_000)
HELD = HELD.trade(LINEAR, 1, 50_000, leverage=10).trade(PAIR, 1, 50_000, borrow="USDT")

TWO = Account(venues.TEACHING, BTC=2).mark(BTC=50_000)
LONG = TWO.trade(PAIR, 5, 50_000, borrow="USDT")
WALLED = TWO.trade(PAIR, 5, 50_000, borrow="USDT", isolated=1)
HELD = Account(venues.TEACHING_MULTI, BTC=2, ETH=10).mark(BTC=50_000, ETH=2_000)
HELD = HELD.trade(LINEAR, 1, 50_000, leverage=10).trade(PAIR, 1, 50_000, borrow="USDT")


def test_the_ledger_has_a_row_for_each_event_and_its_parties_sum_to_zero():
    frame = SAFE.transfer(1, "BTC", to=INVERSE).at(BTC=43_000).ledger()
    assert frame["kind"].tolist() == ["deposit", "trade", "transfer", "liquidation"]
    parties = frame[[TRADER, "outside", COUNTERPARTIES, FUND]]
    assert parties.sum(axis=1).tolist() == pytest.approx([0, 0, 0, 0], abs=1e-12)
    # 6 are lost of 50 - 2,500,000/43,000 = -8.139535
    assert frame.loc[3, TRADER] == near(-6) and frame.loc[3, FUND] == near(6 + 50 - 2_500_000 / 43_000)
    assert frame[TRADER].sum() == near(4)


def test_no_event_of_an_account_can_be_rewritten():
    with pytest.raises(TypeError):
        SAFE.events[0].flows[TRADER] = 1_000_000
    with pytest.raises(AttributeError):
        SAFE.events = ()


@pytest.mark.parametrize(
    "account, figures",
    [
        (LONG, ("7 BTC", "debts", "250,000 USDT", "0.25 BTC", "margin ratio", "liquidation, BTC", "below 37,500")),
        (WALLED, ("cross BTC", "1 BTC", "isolated BTC/USDT", "6 BTC", "250,000 USDT", "43,750")),
        (HELD, ("3 BTC + 10 ETH", "50,000 USDT", "worth at full price", "120,000 USD", "103,000 USD", "23,224.8",
                "liquidation, ETH", "below none, above none", "long 1 contracts from 50,000")),
    ],
    ids=["cross", "isolated", "multi"],
)  # fmt: skip
def test_accounts_show_their_debts(account, figures):
    for shown in (repr(account), account._repr_html_()):
        for figure in figures:
            assert figure in shown
        assert not re.search(r"0x[0-9a-f]{6}| object at |-250,000|-50,000", shown)
    assert "worth" not in repr(TWO)  # where it is what equity is


def test_pools_and_accounts_with_debts_survive_a_pickle_and_a_deep_copy():
    contract = replace(LINEAR, settle="USDC", symbol="BTC-USDC")
    stepped = Account(venues.HYPERLIQUID, USDC=10_000).trade(contract, 1, 50_000)
    for account in (SAFE, LONG, WALLED, HELD, stepped):
        for pool in account.pools:
            pool.slack(), repr(pool)  # what is kept must not be in the way
        for twin in (pickle.loads(pickle.dumps(account)), copy.deepcopy(account)):
            assert repr(twin) == repr(account) and twin.events == account.events
            assert twin.accrue(24).balances() == account.accrue(24).balances()
            for one, other in zip(twin.pools, account.pools, strict=True):
                assert (one.slack(), one.worth()) == (other.slack(), other.worth())
                assert one.indices == other.indices
    ended = LONG.cross.liquidation()
    assert repr(pickle.loads(pickle.dumps(ended))) == repr(ended)
    assert pickle.loads(pickle.dumps(ended.below)).why == ended.below.why
