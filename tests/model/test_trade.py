"""Trades: opening, increasing, reducing, flipping and closing, in both modes."""

from marginlab import replace

import pytest

from marginlab import Account, Perpetual, Tiers, venues
from marginlab.rules import COUNTERPARTIES, TRADER

INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
RICH = Account(venues.TEACHING, USDT=100_000).mark(BTC=50_000)


def near(value):
    return pytest.approx(value, rel=1e-12)


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


def test_a_cross_position_stands_on_the_whole_pool():
    # 100,000 + 4 P - 200,000 = 0.016 P
    account = RICH.trade(LINEAR, 4, 50_000)
    assert account[LINEAR].liquidation().price == near(100_000 / 3.984)
    assert [p.name for p in account.pools] == ["cross USDT"] and account.cross.collateral["USDT"] == 100_000


def test_leverage_in_cross_sets_the_initial_margin_and_not_the_liquidation_price():
    low, high = (RICH.trade(LINEAR, 4, 50_000, leverage=leverage) for leverage in (4, 100))
    assert low.cross.requirement(kind="initial") == near(50_000) and low.cross.available() == near(50_000)
    assert high.cross.requirement(kind="initial") == near(2_000) and high.cross.available() == near(98_000)
    assert low.cross.liquidation().price == high.cross.liquidation().price
    assert low.cross.requirement() == high.cross.requirement()


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


@pytest.mark.parametrize("isolated", [None, 5_000])
@pytest.mark.parametrize("side", [1, -1])
def test_closing_realises_the_profit_and_leaves_nothing_open(isolated, side):
    account = RICH.trade(LINEAR, side, 50_000, isolated=isolated)
    after = account.mark(BTC=51_000).trade(LINEAR, -side, 51_000)
    assert after.balances() == {"USDT": near(100_000 + side * 1_000)}
    assert [p.name for p in after.pools] == ["cross USDT"] and after.cross.positions == ()
    assert after.cross.available() == near(100_000 + side * 1_000)


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


def test_a_flip_in_cross_keeps_the_leverage_as_an_increase_does():
    after = RICH.trade(LINEAR, 1, 50_000, leverage=10).trade(LINEAR, -3, 50_000)
    assert (held(after).quantity, held(after).entry, after.cross.isolated) == (-2, 50_000, False)
    assert held(after).leverage == 10


def test_a_loss_realised_in_cross_is_paid_by_the_shared_pool():
    account = RICH.trade(LINEAR, 2, 50_000).mark(BTC=40_000).trade(LINEAR, -1, 40_000)
    assert account.cross.collateral["USDT"] == near(90_000) and account.cross.equity() == near(80_000)


def test_unrealised_profit_in_cross_backs_a_new_trade_but_not_in_isolated():
    # 1,000 and a profit of 10,000: a second market at 10x on 50,000 needs 5,000
    other = Perpetual("XYZ-USDT", index="XYZ", settle="USDT")
    cross = Account(venues.TEACHING, USDT=1_000).trade(LINEAR, 1, 50_000).mark(BTC=60_000)
    assert cross.trade(other, 1, 50_000, leverage=10).cross.requirement(kind="initial") == near(5_480)
    walled = Account(venues.TEACHING, USDT=1_000).trade(LINEAR, 1, 50_000, isolated=900).mark(BTC=60_000)
    with pytest.raises(ValueError, match="short of its margin"):
        walled.trade(other, 1, 50_000, leverage=10)


def test_a_trade_that_lacks_maintenance_says_what_is_missing():
    # OKX: 0.4 % and 0.05 % of fee are 225; a cross pool of 212.50 at 250x has its 200 of initial margin, and
    # would be liquidated at once: 12.50 are missing
    contract = replace(LINEAR, tiers=Tiers.flat(0.004))
    with pytest.raises(
        ValueError, match=r"short of its margin: 225 USDT of maintenance margin needed, 212\.5 there, 12\.5 missing"
    ):
        Account(venues.OKX, USDT=212.5).trade(contract, 1, 50_000)


def test_a_transfer_cannot_put_a_pool_below_its_maintenance():
    # 250x would leave 400 where 450 are required: OKX has the fee in the requirement, and not in V / L
    contract = replace(LINEAR, tiers=Tiers.flat(0.004))
    account = Account(venues.OKX, USDT=10_000).trade(contract, 1, 50_000, isolated=1_000)
    account = account.trade(contract, 1, 50_000, isolated=True, leverage=250)  # 100,000 on 1,200
    assert account.transfer(700, "USDT", source=contract)[contract].slack() == near(50)  # 500 - 450
    with pytest.raises(ValueError, match="amount=790 USDT is more than"):  # 410 is above 400, but below 450
        account.transfer(790, "USDT", source=contract)
