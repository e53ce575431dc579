"""The table of a schedule of funding payments, against the same payments made one by one."""

from marginlab import replace
from math import inf, isnan

import pytest

from marginlab import Account, Funding, Perpetual, Spot, schedule, venues

PAIR = Spot("BTC/USDT")
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
ETHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")
COLUMNS = ["funding", "interest", "equity", "requirement", "slack", "below", "above", "state"]
CASH = Account(venues.TEACHING, USDT=100_000).mark(BTC=50_000, ETH=2_000)
LONG = CASH.trade(LINEAR, 2, 50_000, isolated=10_000)
CARRY = Account(venues.TEACHING, BTC=2).mark(BTC=50_000)
CARRY = CARRY.trade(PAIR, 5, 50_000, borrow="USDT").trade(INVERSE, -2_500, 50_000)


def near(value):
    return pytest.approx(value, rel=1e-12)


def rows(frame):
    return list(frame.index)


def agrees(row, pool):
    """Whether a row's standing is that of a pool with one index."""
    found = pool.liquidation()
    assert row.equity == near(pool.equity()) and row.requirement == near(pool.requirement())
    assert row.slack == near(pool.slack()) and row.slack == near(row.equity - row.requirement)
    assert row.below == near(found.below.price or 0.0)
    assert row.above == near(inf if found.above.price is None else found.above.price)
    assert row.state == "open"


def test_a_row_for_each_payment_and_pool():
    frame = schedule(LONG, {LINEAR: [0.0001, -0.0002]})
    assert list(frame.columns) == COLUMNS and frame.index.names == ["payment", "pool"]
    assert rows(frame) == [(1, "isolated BTC-USDT"), (2, "isolated BTC-USDT")]  # nothing is open in the cross pool
    assert frame.funding.tolist() == [near(-10), near(20)] and frame.interest.tolist() == [0, 0]
    assert frame.equity.tolist() == [near(9_990), near(10_010)] and frame.requirement.tolist() == [near(400)] * 2
    assert frame.slack.tolist() == [near(9_590), near(9_610)]
    assert frame.below.tolist() == [near(90_010 / 1.992), near(89_990 / 1.992)] and frame.above.tolist() == [inf, inf]
    assert frame.state.tolist() == ["open", "open"]


@pytest.mark.parametrize("side", [1, -1])
def test_rows_are_those_of_payments_by_hand(side):
    account = CASH.trade(LINEAR, 2 * side, 50_000)
    prices, rates = [49_000, 51_500, 50_500], [0.0001, -0.0003, 0.002]
    frame = schedule(account, {"BTC-USDT": rates}, {"BTC": prices})
    for n, (price, rate) in enumerate(zip(prices, rates, strict=True), 1):
        account = account.mark(BTC=price).pay_funding(LINEAR, rate)
        row = frame.loc[(n, "cross USDT")]
        agrees(row, account.cross)
        assert row.funding == near(-2 * side * price * rate) and row.interest == 0


def test_a_debt_beside_a_contract():
    account = CARRY
    for hours in (None, 1):
        frame, account = schedule(CARRY, {INVERSE: [0.0001] * 3}, hours=hours), CARRY
        for n in (1, 2, 3):
            account = account.accrue(8 if hours is None else hours).pay_funding(INVERSE, 0.0001)
            row = frame.loc[(n, "cross BTC")]
            agrees(row, account.cross)
            assert row.funding == near(0.0005)


def test_interest_is_in_the_currency_of_the_pool():
    # 20 USDT at the price of the payment
    frame = schedule(CARRY, {INVERSE: [0.0001]}, {"BTC": [40_000]})
    assert frame.interest.tolist() == [near(-20 / 40_000)] and frame.funding.tolist() == [near(0.000625)]
    # a short in spot, whose debt is 1 BTC, beside a long contract: 8 hours at 0.024 % a day are 0.00008 BTC
    account = Account(venues.TEACHING, USDT=50_000).mark(BTC=50_000).trade(PAIR, -1, 50_000, borrow="BTC")
    frame = schedule(account.trade(LINEAR, 1, 50_000), {LINEAR: [0.0001]})
    assert frame.interest.tolist() == [near(-4)] and frame.funding.tolist() == [near(-5)]


def test_funding_is_in_the_currency_of_the_pool():
    account = Account(venues.TEACHING_MULTI, BTC=2, USDT=10_000).mark(BTC=50_000)
    account = account.trade(LINEAR, 1, 50_000).trade(INVERSE, 500, 50_000)
    # 5 USDT and 0.0001 BTC
    assert schedule(account, {LINEAR: [0.0001], INVERSE: [0.0001]}).funding.iloc[0] == near(-10)


def test_rows_stop_after_a_pool_was_closed():
    both = LONG.trade(ETHER, 10, 2_000)
    frame = schedule(both, {LINEAR: [0.001] * 3, ETHER: [0.002] * 3}, {"BTC": [49_000, 45_000, 45_000]})
    walled, cross = "isolated BTC-USDT", "cross USDT"
    assert rows(frame) == [(1, cross), (1, walled), (2, cross), (2, walled), (3, cross)]
    assert frame.xs(cross, level="pool").funding.tolist() == [near(-40)] * 3
    assert frame.xs(cross, level="pool").state.tolist() == ["open"] * 3
    agrees(frame.loc[(3, cross)], both.cross.adding(-120))
    first, last = frame.loc[(1, walled)], frame.loc[(2, walled)]
    assert (first.funding, first.state) == (near(-98), "open")
    assert (last.funding, last.interest, last.equity, last.requirement, last.slack) == (0, 0, 0, 0, 0)
    assert isnan(last.below) and isnan(last.above) and last.state == "liquidated"


def test_a_payment_that_closes_its_pool_is_in_its_row():
    frame = schedule(LONG, {LINEAR: [0.05, 0.05, 0.05]})  # 5,000 at a time of 9,600 to spare
    assert rows(frame) == [(1, "isolated BTC-USDT"), (2, "isolated BTC-USDT")]
    assert frame.funding.tolist() == [near(-5_000)] * 2 and frame.state.tolist() == ["open", "liquidated"]
    assert frame.equity.tolist() == [near(5_000), 0]


def test_two_pools_side_by_side():
    account = CASH.trade(LINEAR, 2, 50_000, isolated=10_000).trade(ETHER, -5, 2_000, isolated=1_000)
    frame = schedule(account, {LINEAR: [0.0001, 0.0002], ETHER: [0.001, 0.001]}, {"ETH": [2_000, 2_100]})
    assert frame.funding.unstack("pool").to_numpy().tolist() == [[near(-10), near(10)], [near(-20), near(10.5)]]
    assert frame.below.unstack("pool")["isolated ETH-USDT"].tolist() == [0, 0]  # a short: none below
    assert frame.above.unstack("pool")["isolated ETH-USDT"].tolist() == [near(11_010 / 5.02), near(11_020.5 / 5.02)]


def test_where_several_indices_move_a_pool_there_is_no_single_price():
    account = CASH.trade(LINEAR, 2, 50_000).trade(ETHER, 5, 2_000)
    frame = schedule(account, {LINEAR: [0.0001], ETHER: [0.0001]})
    assert rows(frame) == [(1, "cross USDT")] and frame.funding.tolist() == [near(-11)]
    assert isnan(frame.below.iloc[0]) and isnan(frame.above.iloc[0]) and frame.state.tolist() == ["open"]


def test_in_a_multi_currency_account():
    account = Account(venues.TEACHING_MULTI, BTC=2, ETH=10, USDT=10_000).mark(BTC=50_000, ETH=2_000)
    account = account.trade(LINEAR, 10, 50_000)
    frame, after = schedule(account, {LINEAR: [0.0001]}), account.pay_funding(LINEAR, 0.0001)
    agrees(frame.loc[(1, "cross")], after.cross)  # along BTC, which moves the position
    assert frame.funding.tolist() == [near(-50)]


# --------------------------------------------------- not yet as the docstring says


def test_a_payment_out_of_the_account_is_in_the_table():
    charged = replace(venues.TEACHING, funding=Funding(charged_to="account"))
    account = Account(charged, USDT=100_000).trade(LINEAR, 2, 50_000, isolated=10_000)
    assert schedule(account, {LINEAR: [0.0001] * 2}).funding.sum() == near(-20)


def test_a_table_of_nothing_is_empty():
    assert schedule(LONG, {LINEAR: []}, {"BTC": []}).empty
    frame = schedule(LONG, {LINEAR: []})
    assert frame.empty and list(frame.columns) == COLUMNS and frame.index.names == ["payment", "pool"]


def test_a_debt_repaid_by_receipts_is_not_a_liquidation():
    rules = replace(venues.TEACHING_MULTI, funding=Funding(charged_to="account"))
    account = Account(rules, BTC=1, USDT=10_000).mark(BTC=50_000).trade(LINEAR, -1, 50_000, isolated=10_000)
    account = account.trade(PAIR, 0.0001, 50_000, borrow="USDT")  # 5 USDT owed; 50 received
    frame = schedule(account, {LINEAR: [0.001]})
    assert frame.loc[(1, "cross")].state != "liquidated"
