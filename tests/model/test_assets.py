"""Currencies as collateral and as debt, by hand: haircuts, weights, what a loan requires, and its interest."""

from marginlab import replace

import pytest

from marginlab import Account, Asset, Interest, Perpetual, Pool, Spot, Tiers, Venue, venues
from marginlab.rules import LENDER, TRADER

PAIR = Spot("BTC/USDT")
LOAN = Tiers.flat(0.05, leverage=10)
LONG = Account(venues.TEACHING, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")


def near(value):
    return pytest.approx(value, rel=1e-12)


def pool(held, fee=0.0, mode="multi-currency", currency="USD", **assets):
    rules = Venue("x", account_mode=mode, assets=assets, fee=fee, fee_at="price" if fee else "none")
    return Pool(currency, held, (), rules, {"BTC": 50_000, "ETH": 2_000})


# ----------------------------------------------------------------- haircuts


def test_a_flat_haircut():
    one = pool({"BTC": 12}, BTC=Asset(haircut=0.1))
    assert (one.equity(), one.worth(), one.requirement()) == (near(540_000), 600_000, 0)
    assert one.equity(BTC=25_000) == near(270_000)


def test_a_haircut_by_amount_takes_each_slice_and_does_not_move_with_the_price():
    # 10 at 90 % and 2 at 50 %: 10 BTC count
    one = pool({"BTC": 12}, BTC=Asset(Tiers(((0, 0.1), (10, 0.5)), basis="quantity")))
    assert one.equity() == near(500_000) and one.equity(BTC=25_000) == near(250_000) and one.worth() == 600_000


def test_a_haircut_by_value_takes_each_slice_and_does():
    # 500,000 at 90 % and 100,000 at 50 %; at 25,000 all of it is in the first
    one = pool({"BTC": 12}, BTC=Asset(Tiers(((0, 0.1), (500_000, 0.5)))))
    assert one.equity() == near(500_000) and one.equity(BTC=25_000) == near(270_000) and one.worth() == 600_000


def test_a_haircut_of_one_is_no_collateral_at_all():
    one = pool({"BTC": 12, "USDT": 5}, BTC=Asset(haircut=1.0), USDT=Asset())
    assert one.equity() == 5 and one.worth() == 600_005
    assert one.withdrawable("BTC") == 12  # it holds nothing up


def test_the_own_currency_of_a_single_currency_pool_has_no_haircut_and_others_have():
    assets = {"BTC": Asset(haircut=0.1), "ETH": Asset(haircut=0.2)}
    one = pool({"BTC": 2, "ETH": 50}, mode="single-currency", currency="BTC", **assets)
    assert one.equity() == near(2 + 0.8 * 2) and one.worth() == near(4)  # 50 ETH are 2 BTC
    alone = Pool("BTC", {"BTC": 2}, (), replace(one.venue, account_mode="multi-currency"), {"BTC": 50_000}, "x", True)
    assert alone.equity() == 2  # walled off


def test_an_asset_for_all_that_are_not_named():
    one = pool({"BTC": 1, "ETH": 10}, ETH=Asset(haircut=0.5), **{"*": Asset(haircut=0.2)})
    assert one.equity() == near(40_000 + 10_000)


# -------------------------------------------------------------------- debts


def test_a_debt_counts_for_more_than_itself_and_requires_by_its_own_size():
    # 10 ETH are 20,000: they count for 24,000 and require 5 %; at most 10x is 2,000
    one = pool({"USDT": 100_000, "ETH": -10}, USDT=Asset(), ETH=Asset(debt_weight=1.2, loan=LOAN))
    assert (one.equity(), one.worth()) == (near(76_000), 80_000)
    assert (one.requirement(), one.requirement(kind="initial")) == (near(1_000), near(2_000))
    assert one.liquidation("ETH").above.price == near(100_000 / 12.5)  # 10 * (1.2 + 0.05)
    assert one.bankruptcy("ETH").above.price == near(10_000)


def test_a_loan_in_tiers_by_value_and_by_amount():
    # 150 BTC are 7,500,000: 5,000,000 at 2 % and 2,500,000 at 4 % are 200,000; 8x sets 937,500 aside
    tiers = Tiers(((0, 0.02, 20), (5_000_000, 0.04, 8)))
    one = pool({"USDT": 1e7, "BTC": -150}, USDT=Asset(), BTC=Asset(loan=tiers))
    assert one.requirement() == near(200_000) and one.requirement(kind="initial") == near(937_500)
    assert one.requirement(BTC=25_000) == near(75_000)  # 3,750,000, in the first tier
    # 100 at 2 % and 50 at 4 % are 4 BTC at any price
    counted = Tiers(((0, 0.02, 20), (100, 0.04, 8)), basis="quantity")
    one = pool({"USDT": 1e7, "BTC": -150}, USDT=Asset(), BTC=Asset(loan=counted))
    assert one.requirement() == near(200_000) and one.requirement(BTC=25_000) == near(100_000)
    assert one.requirement(kind="initial", BTC=25_000) == near(468_750)
    assert one.liquidation("BTC").above.price == near(1e7 / 154)


def test_the_closing_fee_is_charged_on_a_debt_and_its_maintenance_alike():
    # 20,000 * 1.05 * 1.0005 = 21,010.5 have to be there
    one = pool({"USDT": 100_000, "ETH": -10}, 0.0005, USDT=Asset(), ETH=Asset(loan=LOAN))
    assert one.requirement() == near(1_010.5) and one.equity() == near(80_000)
    assert one.liquidation("ETH").above.price == near(100_000 / (10.5 * 1.0005))
    assert one.requirement(kind="initial") == near(2_000)


def test_a_debt_of_what_is_not_lent_counts_but_requires_nothing():
    one = pool({"USDT": 100_000, "ETH": -10}, USDT=Asset(), ETH=Asset(debt_weight=1.1))
    assert (one.equity(), one.requirement(), one.requirement(kind="initial")) == (near(78_000), 0, 0)
    plain = pool({"USDT": 100_000, "ETH": -10}, mode="single-currency", currency="USDT")  # nothing is said of ETH
    assert (plain.equity(), plain.worth(), plain.requirement(), plain.open) == (80_000, 80_000, 0, True)


def test_published_rules_of_currencies():
    okb, usdt = venues.OKX_MULTI.asset("OKB"), venues.OKX_MULTI.asset("USDT")
    assert okb.haircut == Tiers.flat(0.1) and usdt.haircut == Tiers.flat(0) and usdt.loan is None
    # Binance's 3x is what is held over the trader's own: initial margin borrowed / (3 - 1)
    assert venues.BINANCE_PORTFOLIO.asset("DOGE").loan == Tiers.flat(0.10, leverage=2)
    assert venues.TEACHING.asset("BTC").haircut.rates == (0,)
    assert venues.TEACHING_MULTI.asset("BTC").haircut.rates == (0.1,)


# ----------------------------------------------------------------- interest


def test_interest_for_every_hour_that_was_started():
    # 0.024 % a day on 250,000 is 2.5 an hour; an hour and a half is two
    rule = Interest()
    assert rule.due(250_000, 0.00024, 1) == near(2.5) and rule.due(250_000, 0.00024, 1.5) == near(5)
    assert rule.due(250_000, 0.00024, 24) == near(60) and rule.due(250_000, 0.00024, 0) == 0
    assert rule.at_once(250_000, 0.00024) == 0


def test_interest_for_four_hour_periods_with_one_for_opening():
    # 0.02 % on 10,000: 2 at once, and 2 for each four hours started
    rule = venues.KRAKEN_SPOT.interest
    assert rule.at_once(10_000, 0.0002) == near(2)
    assert Interest(per=24, every=4, opening=2).at_once(10_000, 0.0006) == near(2)  # two sixths of a day
    assert [rule.due(10_000, 0.0002, h) for h in (0, 1, 4, 4.01, 9)] == [0, near(2), near(2), near(4), near(6)]


def test_interest_at_an_annual_rate():
    # 8.76 % of 10,000 are 876 for 8,760 hours
    rule = venues.OKX.interest
    assert rule.due(10_000, 0.0876, 24) == near(2.4) and rule.due(10_000, 0.0876, 0.5) == near(0.1)


def test_a_period_is_not_started_by_rounding():
    assert Interest(per=24, every=0.1).due(100, 0.24, 3 * 0.1) == near(0.3)  # 3 * 0.1 is more than 0.3
    assert Interest(per=24, every=0.1).due(100, 0.24, 0.31) == near(0.4)


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


def test_interest_can_end_a_pool():
    # 7 * 37,600 = 263,200 cover 250,666 of debt at 5 %; after 270 hours it is 250,675
    near_line = LONG.mark(BTC=37_600)
    assert not near_line.accrue(260).at().liquidations
    assert near_line.accrue(270).at().liquidations
