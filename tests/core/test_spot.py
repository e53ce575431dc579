"""Spot, debts and their interest: what is bought with borrowed money is a long, borrowed coins sold are a short."""

import pytest

from marginlab import Account, Asset, Perpetual, Refused, Spot, Tiers, Venue, replace, venues
from marginlab.rules import COUNTERPARTIES, FUND, LENDER, TRADER
from tests.core.common import INVERSE, LINEAR, PAIR, held, near, sides

MULTI = venues.TEACHING_MULTI
LOAN = Tiers.flat(0.05, leverage=10)
TWO = Account(venues.TEACHING, BTC=2).mark(BTC=50_000)
LONG = TWO.trade(PAIR, +5, price=50_000, borrow="USDT")  # 7 BTC and a debt of 250,000
WALLED = TWO.trade(PAIR, +5, price=50_000, borrow="USDT", isolated=1)  # 1 BTC stays out: 6 and 250,000
CASH = Account(venues.TEACHING, USDT=100_000).mark(BTC=50_000)
SHORT = CASH.trade(PAIR, -3, price=50_000, borrow="BTC")  # 250,000 USDT and a debt of 3 BTC


def test_a_purchase_with_borrowed_money_is_a_long():
    assert held(LONG) == {"cross BTC": {"BTC": 7, "USDT": -250_000}} and LONG.balances() == LONG.cross.collateral
    pool = LONG[PAIR]
    assert pool is LONG.cross and pool.open and pool.positions == ()
    # at 50,000: 7 - 5 = 2 BTC; 5 % of the debt is 0.25, at most 10x is 0.5
    assert (pool.equity(), pool.worth(), pool.requirement(), pool.slack()) == (2, 2, near(0.25), near(1.75))
    assert pool.requirement(kind="initial") == near(0.5) and pool.margin_ratio() == near(8)
    assert pool.available() == near(1.5) and pool.withdrawable() == near(1.5)
    # at 40,000: 7 - 6.25, and 5 % of 6.25
    assert pool.equity(BTC=40_000) == near(0.75) and pool.requirement(BTC=40_000) == near(0.3125)
    # 7 P = 250,000 * 1.05; bankrupt without the 5 %
    assert sides(pool.liquidation()) == (near(37_500), None)
    assert sides(pool.bankruptcy()) == (near(250_000 / 7), None)


def test_the_same_in_an_isolated_pool():
    assert held(WALLED) == {"cross BTC": {"BTC": 1}, "isolated BTC/USDT": {"BTC": 6, "USDT": -250_000}}
    assert WALLED[PAIR].isolated and WALLED["BTC/USDT"] is WALLED[PAIR] and WALLED[PAIR, "isolated"] is WALLED[PAIR]
    assert sides(WALLED[PAIR].liquidation()) == (near(43_750), None)  # 262,500 / 6
    assert sides(WALLED[PAIR].bankruptcy()) == (near(250_000 / 6), None)
    assert not WALLED.cross.open and WALLED.cross.indices == ()


def test_a_sale_of_borrowed_coins_is_a_short():
    assert held(SHORT) == {"cross USDT": {"USDT": 250_000, "BTC": -3}} and SHORT[PAIR] is SHORT.cross
    pool = SHORT.cross
    assert (pool.equity(), pool.requirement()) == (near(100_000), near(7_500))  # 5 % of 150,000
    assert sides(pool.liquidation()) == (None, near(250_000 / 3.15))  # 250,000 - 3 P = 0.15 P
    assert sides(pool.bankruptcy()) == (None, near(250_000 / 3))
    walled = CASH.trade(PAIR, -3, 50_000, borrow="BTC", isolated=30_000)
    assert held(walled) == {"cross USDT": {"USDT": 70_000}, "isolated BTC/USDT": {"USDT": 180_000, "BTC": -3}}
    assert sides(walled[PAIR].liquidation()) == (None, near(180_000 / 3.15))


def test_margin_by_leverage():
    # 1 BTC at 10,000 and 10x: a margin of 0.1, 1.1 held, 10,000 owed; 1.1 P = 10,500
    account = Account(venues.TEACHING, BTC=1).trade(PAIR, 1, 10_000, isolated=True, leverage=10, borrow="USDT")
    assert held(account) == {"cross BTC": {"BTC": 0.9}, "isolated BTC/USDT": {"BTC": near(1.1), "USDT": -10_000}}
    assert account[PAIR].liquidation().price == near(10_500 / 1.1)
    assert account.marks["BTC"] == 10_000  # the fill is the mark, as there was none
    same = Account(venues.TEACHING, BTC=1).trade(PAIR, 1, 10_000, isolated=0.1, leverage=10, borrow="USDT")
    assert held(same) == held(account)
    # a short of 2 at 50,000 and 10x sets 10,000 of the 100,000 aside that it brings
    short = CASH.trade(PAIR, -2, 50_000, isolated=True, leverage=10, borrow="BTC")
    assert held(short)["isolated BTC/USDT"] == {"USDT": 110_000, "BTC": -2}


def test_a_sale_repays_a_part():
    # 2 sold at 60,000: 5 BTC against 130,000; 136,500 / 5
    less = LONG.mark(BTC=60_000).trade(PAIR, -2, 60_000)
    assert held(less) == {"cross BTC": {"BTC": 5, "USDT": -130_000}}
    assert less.cross.liquidation().price == near(27_300)
    walled = WALLED.trade(PAIR, -2, 50_000)  # 4 against 150,000
    assert held(walled)["isolated BTC/USDT"] == {"BTC": 4, "USDT": -150_000}
    assert walled[PAIR].liquidation().price == near(157_500 / 4)


def test_what_is_left_after_the_debt_goes_to_the_pool_of_its_coin():
    # 5 sold at 60,000: 250,000 repay, 50,000 are profit; 2 BTC are left
    sold = LONG.mark(BTC=60_000).trade(PAIR, -5, 60_000)
    assert held(sold) == {"cross BTC": {"BTC": near(2)}, "cross USDT": {"USDT": near(50_000)}}
    assert not any(pool.open for pool in sold.pools) and sold.cross_in("BTC").indices == ()
    with pytest.raises(KeyError, match="no open position in 'BTC/USDT'"):
        sold[PAIR]
    # the short buys 3 back at 40,000: 250,000 - 120,000
    back = SHORT.mark(BTC=40_000).trade(PAIR, 3, 40_000)
    assert held(back) == {"cross USDT": {"USDT": near(130_000)}}
    # and 1 more than it owes
    over = SHORT.mark(BTC=40_000).trade(PAIR, 4, 40_000)
    assert held(over) == {"cross USDT": {"USDT": near(90_000)}, "cross BTC": {"BTC": near(1)}}


def test_an_isolated_pool_dissolves_when_its_debt_is_repaid():
    done = WALLED.mark(BTC=60_000).trade(PAIR, -5, 60_000)
    assert held(done) == {"cross BTC": {"BTC": near(2)}, "cross USDT": {"USDT": near(50_000)}}
    assert held(WALLED.trade(PAIR, -6, 50_000)) == {"cross BTC": {"BTC": 1}, "cross USDT": {"USDT": 50_000}}
    # a short of 2 on 15,000 buys 2.1: 115,000 - 105,000 and 0.1 BTC come back
    short = CASH.trade(PAIR, -2, 50_000, isolated=15_000, borrow="BTC").trade(PAIR, 2.1, 50_000)
    assert held(short) == {"cross USDT": {"USDT": near(95_000)}, "cross BTC": {"BTC": near(0.1)}}


def test_a_flip_repays_first_and_borrows_the_other_coin():
    both = Account(venues.TEACHING, BTC=2, USDT=50_000).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")
    # of 8 sold, 5 repay the 250,000; 3 are borrowed for 150,000 beside the 50,000
    flipped = both.trade(PAIR, -8, 50_000, borrow="BTC")
    assert held(flipped) == {"cross BTC": {"BTC": 2}, "cross USDT": {"USDT": near(200_000), "BTC": near(-3)}}
    assert flipped[PAIR].liquidation().price == near(200_000 / 3.15)
    # the short of 3 buys 8: 3 repay for 150,000, then 5 are bought with 250,000 borrowed
    start = Account(venues.TEACHING, BTC=1, USDT=100_000).mark(BTC=50_000).trade(PAIR, -3, 50_000, borrow="BTC")
    turned = start.trade(PAIR, 8, 50_000, borrow="USDT")
    assert held(turned) == {"cross BTC": {"BTC": near(6), "USDT": near(-250_000)}, "cross USDT": {"USDT": 100_000}}


def test_a_plain_exchange_moves_between_cross_pools():
    bought = CASH.trade(PAIR, 1, 50_000)  # there was no pool for BTC
    assert held(bought) == {"cross USDT": {"USDT": 50_000}, "cross BTC": {"BTC": 1}} and bought.marks["BTC"] == 50_000
    assert held(bought.trade(PAIR, -0.5, 60_000)) == {"cross USDT": {"USDT": 80_000}, "cross BTC": {"BTC": 0.5}}
    assert (bought.events[-1].kind, bought.events[-1].pool, bought.events[-1].price) == ("trade", "cross USDT", 50_000)
    assert bought.events[-1].text == "+1 BTC at 50,000 USDT"
    assert bought.cross_in("BTC").equity() == 1 and not bought.cross_in("BTC").open
    assert held(CASH.trade(PAIR, 2, 50_000))["cross BTC"] == {"BTC": 2}  # to the last coin


def test_a_pair_of_two_coins():
    # 10 ETH at 0.04 BTC: 0.4 BTC = 20,000 owed, 30 ETH held
    account = Account(venues.TEACHING, ETH=20).mark(BTC=50_000, ETH=2_000)
    pool = account.trade(Spot("ETH/BTC"), 10, 0.04, borrow="BTC").cross
    assert dict(pool.collateral) == {"ETH": 30, "BTC": -0.4} and pool.currency == "ETH"
    assert sides(pool.liquidation("ETH")) == (near(700), None)  # 30 P = 21,000
    assert sides(pool.liquidation("BTC")) == (None, near(60_000 / 0.42))
    assert sides(pool.bankruptcy("ETH")) == (near(20_000 / 30), None)
    assert pool.liquidation(["BTC", "ETH"]).below.root is None  # the ratio does not change
    # ETH up while BTC falls: 60,000 x = 21,000 (2 - x)
    assert pool.liquidation({"ETH": 1, "BTC": -1}).below.root == near(42_000 / 81_000)


def test_free_margin_of_a_walled_debt_may_leave():
    # 1 BTC of equity less 0.5 of initial margin; 262,500 / 5.5 then
    thin = WALLED.transfer(0.5, "BTC", source=PAIR)
    assert thin[PAIR].liquidation().price == near(262_500 / 5.5) and thin.cross.collateral["BTC"] == 1.5
    with pytest.raises(Refused, match=r"more than the 0\.5 free in 'isolated BTC/USDT'"):
        WALLED.transfer(0.51, "BTC", source=PAIR)
    assert WALLED.transfer(1, "BTC", to="BTC/USDT")[PAIR].liquidation().price == near(262_500 / 7)


def test_a_debt_and_a_contract_share_a_pool_and_its_margin():
    # 1.5 BTC are free beside the debt: 7,500 contracts of 100 USD at 10x take it all
    assert LONG.trade(INVERSE, 7_500, 50_000, leverage=10).cross.available() == pytest.approx(0, abs=1e-12)
    with pytest.raises(Refused, match=r"0\.0002 missing"):
        LONG.trade(INVERSE, 7_501, 50_000, leverage=10)
    busy = CASH.trade(LINEAR, 1, 50_000, leverage=10)  # 5,000 are margin
    with pytest.raises(Refused, match="cost=100000 USDT is more than the 95000 free in 'cross USDT'"):
        busy.trade(PAIR, 2, 50_000)
    assert held(busy.trade(PAIR, 1.9, 50_000))["cross BTC"] == {"BTC": 1.9}


def test_a_repayment_is_not_refused_for_a_lack_of_margin():
    # at 38,000 0.42 BTC are left where 0.66 of initial margin would be needed, and 0.56 after a sale
    thin = LONG.mark(BTC=38_000)
    assert thin.cross.available() < 0
    with pytest.raises(Refused, match="short of its margin"):
        thin.trade(PAIR, 0.1, 38_000, borrow="USDT")
    with pytest.raises(Refused, match="short of its margin"):  # not for a bargain either
        thin.trade(PAIR, 0.1, 30_000, borrow="USDT")
    less = thin.trade(PAIR, -1, 38_000)
    assert held(less) == {"cross BTC": {"BTC": 6, "USDT": -212_000}} and less.cross.available() < 0


def test_what_is_left_of_rounding_is_not_a_debt():
    # bought in three parts and sold at once, 7e-12 USDT would be owed, or left
    for price, parts in ((34_030.9, (0.8, 0.7, 0.3)), (36_563.4, (0.5, 0.3, 0.1))):
        for isolated in (None, 0.5):
            account = TWO
            for quantity in parts:
                account = account.trade(PAIR, quantity, price, borrow="USDT", isolated=isolated)
            account = account.trade(PAIR, -round(sum(parts), 1), price)
            assert held(account) == {"cross BTC": {"BTC": near(2)}} and not any(pool.open for pool in account.pools)
    assert [p.name for p in WALLED.trade(PAIR, -5, 50_000).pools] == ["cross BTC"]  # nothing is left in USDT


# -------------------------------------------------------- one pool for all currencies

THREE = Account(MULTI, BTC=2, ETH=10, USDT=10_000).mark(BTC=50_000, ETH=2_000)
BUSY = THREE.trade(LINEAR, 10, 50_000, leverage=5)
POOLED = Account(MULTI, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")


def test_a_realised_loss_is_a_debt_with_its_maintenance():
    # long 1 from 50,000 closed at 48,000, without a single USDT: -2,000 owed, 5 % of it required
    account = Account(MULTI, BTC=2).trade(LINEAR, 1, 50_000).mark(BTC=48_000).trade(LINEAR, -1, 48_000)
    assert account.balances() == {"BTC": 2, "USDT": -2_000} and account.cross.open
    pool = account.cross
    assert (pool.equity(), pool.worth(), pool.requirement()) == (near(84_400), near(94_000), near(100))
    assert pool.liquidation("BTC").below.price == near(2_100 / 1.8)
    assert account.accrue(24).balances()["USDT"] == near(-2_000.48)
    assert account.trade(PAIR, -0.5, 48_000).balances() == {"BTC": 1.5, "USDT": near(22_000)}  # sold to repay it


# -------------------------------------------------------- the end of a debt


@pytest.mark.parametrize("keeper", [FUND, TRADER])
def test_liquidation_sells_the_coins_and_repays_the_debt(keeper):
    account = Account(replace(venues.TEACHING, surplus_to=keeper), BTC=2).mark(BTC=50_000)
    account = account.trade(PAIR, 5, 50_000, borrow="USDT", isolated=1)
    assert not account.at(BTC=43_751).liquidations
    after = account.at(BTC=43_750)  # 6 - 250,000/43,750 = 0.285714 are left
    (record,), left = after.liquidations, 2 / 7
    assert held(after) == {"cross BTC": {"BTC": near(1 if keeper == FUND else 1 + left)}}
    trader, fund = (-left, left) if keeper == FUND else (0, 0)
    assert record.flows == {TRADER: pytest.approx(trader), FUND: pytest.approx(fund), COUNTERPARTIES: 0}
    assert (record.surplus, record.shortfall) == (pytest.approx(left), 0)
    assert record.lost == pytest.approx(left if keeper == FUND else 0)


def test_a_debt_that_the_coins_do_not_cover_is_a_shortfall():
    after = LONG.at(BTC=35_000)  # 7 - 250,000/35,000 = -1/7
    (record,) = after.liquidations
    assert after.balances() == {"BTC": 0} and not after.cross.open
    assert (record.lost, record.surplus, record.shortfall) == (0, 0, near(1 / 7))
    assert record.flows == {TRADER: near(1 / 7), FUND: near(-1 / 7), COUNTERPARTIES: 0}
    assert "closed" in record.text and "0.1429 missing, paid by the insurance fund" in record.text
    assert held(WALLED.at(BTC=40_000)) == {"cross BTC": {"BTC": 1}}  # and no other pool is touched


@pytest.mark.parametrize("keeper, price, returned, fund", [
    (FUND, 41_000, 28_700, 8_300),  # 7 * 41,000 - 250,000 = 37,000, of which 10 % of 287,000 never counted
    (TRADER, 41_000, 37_000, 0),
    (FUND, 37_000, 9_000, 0),  # all that is left is less than the haircut of 25,900
    (FUND, 35_000, 0, -5_000),  # 245,000 against 250,000
])  # fmt: skip
def test_liquidation_returns_what_a_haircut_kept_out(keeper, price, returned, fund):
    account = Account(replace(MULTI, surplus_to=keeper), BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")
    after = account.at(BTC=price)
    (record,), worth = after.liquidations, 7 * price - 250_000
    assert after.balances() == {"USD": near(returned)} and not after.cross.open
    assert record.flows == {TRADER: near(returned - worth), FUND: near(fund), COUNTERPARTIES: pytest.approx(0)}
    assert (record.surplus, record.shortfall) == (near(max(worth, 0)), near(max(-worth, 0)))
    assert record.lost == near(max(worth - returned, 0)) and record.currency == "USD"
    if fund > 0:
        assert "28,700 USD returned; 8,300 left over, kept by the insurance fund" in record.text


def test_a_contracts_loss_is_paid_out_of_the_coins():
    # long 10 at 40,000: 1.8 * 40,000 + 28,000 - 100,000 = 0; worth 10,000 of 110,000, all of it haircut
    after = BUSY.at(BTC=40_000)
    (record,) = after.liquidations
    assert after.balances() == {"USD": near(10_000)}
    assert record.flows == {TRADER: near(-100_000), FUND: pytest.approx(0, abs=1e-9), COUNTERPARTIES: near(100_000)}
    assert record.lost == near(100_000) and record.price == 40_000


@pytest.mark.parametrize("coins", range(1, 15))
def test_a_debt_that_is_just_covered_leaves_neither_surplus_nor_shortfall(coins):
    account = Account(venues.TEACHING, BTC=2).mark(BTC=50_000).trade(PAIR, coins, 50_000, borrow="USDT")
    after = account.at(BTC=coins * 50_000 / (2 + coins))
    event = after.liquidations[0]
    assert after.balances() == {"BTC": 0} and not after.cross.open
    assert (event.surplus, event.shortfall) == (0, 0) and "nothing missing" in event.text and "-0" not in event.text


def test_coins_can_be_bought_for_cash_beside_an_isolated_pair():
    both = Account(venues.TEACHING, BTC=4, USDT=100_000).mark(BTC=50_000)
    both = both.trade(PAIR, 1, 50_000, isolated=0.5, borrow="USDT")
    after = both.trade(PAIR, 1, 50_000)
    assert after.cross_in("BTC").collateral == {"BTC": 4.5}
    assert after.cross_in("USDT").collateral == {"USDT": 50_000}
    assert after[PAIR].collateral == both[PAIR].collateral == {"BTC": 1.5, "USDT": -50_000}


def test_a_price_that_is_a_rounding_error_more_than_there_is_is_paid():
    # 3 at 0.1 cost 0.30000000000000004
    account = Account(MULTI, USDT=0.3).mark(BTC=0.1).trade(PAIR, 3, 0.1)
    assert account.balances() == {"USDT": 0, "BTC": 3} and not account.cross.open


def test_splitting_all_of_a_balance_leaves_no_dust_of_a_debt():
    # 2 - 1.0632 - 0.9368 is -8.9e-16 in floating point
    account = Account(venues.TEACHING_MULTI, BTC=2).mark(BTC=50_000).trade(PAIR, -(2 - 0.9368), 50_000)
    account = account.trade(PAIR, 0.3168, 50_000, isolated=0.9368, borrow="USDT")
    assert account.cross.collateral["BTC"] == 0 and not account.cross.open


def test_what_a_liquidation_says_of_the_fund():
    account = Account(venues.TEACHING_MULTI, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")
    # at 37,000 the coins are worth 9,000 more than the debt, and count for 16,900 less: nothing is left for the fund
    event = account.at(BTC=37_000).liquidations[0]
    assert event.text == "cross: closed, 9,000 USD returned; nothing left for the fund" and event.surplus == 9_000


# -------------------------------------------------------- interest


def test_interest_is_added_to_the_debt_and_moves_the_line():
    later = LONG.accrue(24)  # 60 on 250,000
    assert dict(later.cross.collateral) == {"BTC": 7, "USDT": near(-250_060)}
    assert later.cross.requirement() == near(0.05 * 250_060 / 50_000)
    assert later.cross.liquidation().price == near(250_060 * 1.05 / 7)  # 37,509, from 37,500
    (event,) = later.events[len(LONG.events) :]
    assert (event.kind, event.pool, event.currency) == ("interest", "cross BTC", "USDT") and "60 USDT" in event.text
    assert event.flows == {TRADER: near(-60), LENDER: near(60)}
    row = later.ledger().iloc[-1]
    assert (row[TRADER], row[LENDER]) == (near(-60), near(60))


def test_no_time_or_no_debt_or_no_rate_is_no_interest():
    for account in (LONG.accrue(0), Account(venues.TEACHING, BTC=2).accrue(48)):
        assert [e.kind for e in account.events] in (["deposit", "trade"], ["deposit"])
    assert LONG.accrue(0).balances() == LONG.balances()
    free = replace(venues.TEACHING, assets={"*": Asset(loan=LOAN)})
    account = Account(free, BTC=2).trade(PAIR, 5, 50_000, borrow="USDT")
    assert account.accrue(48).balances() == account.balances()


def test_a_venue_without_a_word_on_a_currency_takes_no_interest_on_it():
    # a loss of 5,000 on 1,000 USDT that another contract's profit of 6,000 carries
    bare = Account(Venue("bare", tiers={"*": Tiers.flat(0.004)}), USDT=1_000)
    one, other = Perpetual("BTC-USDT", "BTC", "USDT"), Perpetual("ETH-USDT", "ETH", "USDT")
    account = bare.trade(one, 1, 50_000).trade(other, -10, 2_000).mark(BTC=45_000, ETH=1_400).trade(one, -1, 45_000)
    assert account.balances() == {"USDT": -4_000} and account.accrue(24).balances() == {"USDT": -4_000}


def test_every_call_counts_the_periods_that_it_starts():
    # 25 hours are 62.5; hour by hour there is interest on the interest; half hours count in full
    hourly = halves = LONG
    for _ in range(25):
        hourly, halves = hourly.accrue(1), halves.accrue(0.5)
    assert LONG.accrue(25).balances()["USDT"] == near(-250_062.5)
    assert hourly.balances()["USDT"] == near(-250_000 * 1.00001**25) == halves.balances()["USDT"]


def test_every_debt_of_every_pool_pays():
    venue = replace(venues.TEACHING, both_modes=True)
    account = Account(venue, BTC=4, USDT=100_000).mark(BTC=50_000).trade(PAIR, -1, 50_000, borrow="BTC")
    account = account.trade(PAIR, 2, 50_000, borrow="USDT", isolated=1)
    later = account.accrue(10)  # 0.00001 an hour
    interest = {(e.pool, e.currency): e.flows[LENDER] for e in later.events if e.kind == "interest"}
    assert interest == {("cross USDT", "BTC"): near(0.0001), ("isolated BTC/USDT", "USDT"): near(10)}
    assert later.cross_in("BTC").collateral == {"BTC": 3} and later[PAIR, "isolated"].collateral["USDT"] == -100_010


def test_interest_is_on_what_was_lent():
    """A balance that funding took below zero is no loan, unless the account is a multi-currency one."""
    taken = CASH.trade(LINEAR, 2, 50_000, isolated=1_000).mark(BTC=52_000).pay_funding(LINEAR, 0.02)
    assert taken[LINEAR].collateral["USDT"] < 0 and taken[LINEAR].equity() > 0
    assert taken.accrue(24).balances() == taken.balances()
    multi = Account(venues.TEACHING_MULTI, BTC=10).mark(BTC=50_000).trade(LINEAR, 5, 50_000).pay_funding(LINEAR, 0.01)
    assert multi.balances()["USDT"] == near(-2_500) and multi.accrue(24).balances()["USDT"] == near(-2_500.6)
