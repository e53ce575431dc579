"""Pairs that are open twice or not at all, and edges of what a liquidation and a table say."""

from marginlab import replace

import numpy as np
import pytest

from marginlab import Account, Perpetual, Pool, Spot, Tiers, surface, venues

PAIR = Spot("BTC/USDT")
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT", tiers=Tiers.flat(0.004))
BOTH = replace(venues.TEACHING, both_modes=True)
START = Account(venues.TEACHING, BTC=4, USDT=100_000).mark(BTC=50_000)
WALLED = START.trade(PAIR, 1, 50_000, isolated=0.5, borrow="USDT")


def test_a_pair_open_in_both_modes_has_to_be_named():
    account = Account(BOTH, BTC=4, USDT=100_000).mark(BTC=50_000).trade(PAIR, 1, 50_000, borrow="USDT")
    account = account.trade(PAIR, 1, 50_000, isolated=0.5, borrow="USDT")
    with pytest.raises(ValueError, match="isolated=True or isolated=False"):
        account.trade(PAIR, -1, 50_000)
    with pytest.raises(KeyError, match="isolated BTC/USDT"):
        account[PAIR]
    assert account.trade(PAIR, -1, 50_000, isolated=True)[PAIR].name == "cross BTC"
    assert account.trade(PAIR, -1, 50_000, isolated=False)[PAIR].name == "isolated BTC/USDT"


def test_one_mode_at_a_time_where_the_venue_wants_it():
    cross = START.trade(PAIR, 1, 50_000, borrow="USDT")
    with pytest.raises(ValueError, match="open in cross"):
        cross.trade(PAIR, 1, 50_000, isolated=0.5, borrow="USDT")
    with pytest.raises(ValueError, match="open in isolated"):
        WALLED.trade(PAIR, 1, 50_000, isolated=False, borrow="USDT")


def test_coins_can_be_bought_for_cash_beside_an_isolated_pair():
    after = WALLED.trade(PAIR, 1, 50_000)
    assert after.cross_in("BTC").collateral == {"BTC": 4.5} and after.cross_in("USDT").collateral == {"USDT": 50_000}
    assert after[PAIR].collateral == WALLED[PAIR].collateral == {"BTC": 1.5, "USDT": -50_000}


def test_a_trade_that_repays_borrows_nothing():
    with pytest.raises(ValueError, match="borrow have no part"):
        WALLED.trade(PAIR, -2, 50_000, borrow="BTC")


def test_the_dollar_of_a_multi_currency_account_counts_where_the_venue_does_not_name_it():
    account = Account(venues.OKX_MULTI, USDT=10_000).trade(LINEAR, 1, 50_000)
    assert account.at(BTC=30_000).balances() == {"USD": 0}
    more = account.cross.margin_for(liquidation=39_000)
    assert more > 0 and account.cross.adding(more).liquidation().price == pytest.approx(39_000, rel=1e-12)


def test_what_a_liquidation_says_of_the_fund():
    account = Account(venues.TEACHING_MULTI, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")
    # at 37,000 the coins are worth 9,000 more than the debt, and count for 16,900 less: nothing is left for the fund
    event = account.at(BTC=37_000).liquidations[0]
    assert event.text == "cross: closed, 9,000 USD returned; nothing left for the fund" and event.surplus == 9_000


@pytest.mark.parametrize("coins", range(1, 15))
def test_a_debt_that_is_just_covered_leaves_neither_surplus_nor_shortfall(coins):
    account = Account(venues.TEACHING, BTC=2).mark(BTC=50_000).trade(PAIR, coins, 50_000, borrow="USDT")
    after = account.at(BTC=coins * 50_000 / (2 + coins))
    event = after.liquidations[0]
    assert after.balances() == {"BTC": 0} and not after.cross.open
    assert (event.surplus, event.shortfall) == (0, 0) and "nothing missing" in event.text and "-0" not in event.text


def test_a_surface_over_a_price_that_does_not_matter():
    account = Account(venues.TEACHING_MULTI, BTC=2, ETH=3).mark(BTC=50_000, ETH=2_000)
    pool = account.trade(Spot("ETH/USDT"), -3, 2_000).trade(PAIR, 1, 50_000, borrow="USDT").cross
    table = surface(pool, BTC=[40_000, 50_000], ETH=[1_000, 2_000, 3_000])
    assert table.shape == (2, 3) and (np.ptp(table.to_numpy(), axis=1) == 0).all()
    with pytest.raises(ValueError, match="ETH must be a row"):
        surface(pool, BTC=[40_000], ETH=2_000)


def test_units_and_names_in_messages():
    two = Account(venues.TEACHING_MULTI, BTC=1).mark(BTC=50_000).trade(LINEAR, -2, 50_000)
    with pytest.raises(ValueError, match=r"-\d[\d,.]* USD;"):
        two.trade(LINEAR, 1, 200_000)
    three = two.trade(Spot("ETH/USDT"), -1, 2_000, borrow="ETH")
    with pytest.raises(ValueError, match="move together"):
        _ = three.cross.liquidation(["BTC", "ETH"]).mark
    with pytest.raises(TypeError, match="currency"):
        two.cross.withdrawable({"BTC": 40_000})
    with pytest.raises(KeyError):
        two["A/B/C"]


def test_no_more_can_be_withdrawn_than_is_held():
    pool = Pool("BTC", {"BTC": 1, "USDT": 100_000}, (), venues.TEACHING, {"BTC": 50_000})
    assert pool.equity() == 3 and pool.withdrawable() == 1
    plain = Pool("USDT", {"USDT": 100, "ETH": 2}, (), venues.BITMEX, {"ETH": 2_000})  # which says nothing of ETH
    assert plain.withdrawable("ETH") == 2


def test_splitting_all_of_a_balance_leaves_no_dust_of_a_debt():
    # 2 - 1.0632 - 0.9368 is -8.9e-16 in floating point
    account = Account(venues.TEACHING_MULTI, BTC=2).mark(BTC=50_000).trade(PAIR, -(2 - 0.9368), 50_000)
    account = account.trade(PAIR, 0.3168, 50_000, isolated=0.9368, borrow="USDT")
    assert account.cross.collateral["BTC"] == 0 and not account.cross.open
