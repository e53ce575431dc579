"""Funding payments by hand and as properties: which pool pays, and what they do to liquidation prices."""

from math import ceil, fsum, inf

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from marginlab import Account, Funding, Pool, Position, Tiers, funding, replace, steps, venues
from marginlab.rules import COUNTERPARTIES, TRADER
from tests.core.common import ETHER, INVERSE, LINEAR, STEADY, held, near
from tests.refusal import state

TEACHING, MULTI = venues.TEACHING, venues.TEACHING_MULTI
INDEXED = replace(TEACHING, funding=Funding(valued_at="index"))
CHARGED = replace(TEACHING, funding=Funding(charged_to="account"), both_modes=True)
CASH = Account(TEACHING, USDT=100_000).mark(BTC=50_000)
COINS = Account(TEACHING, BTC=10).mark(BTC=50_000)


def paid(account):
    """What the trader paid (+) in funding so far."""
    return fsum(-e.flows[TRADER] for e in account.events if e.kind == "funding")


# ---------------------------------------------------------- one payment by hand


def test_a_linear_payment():
    long, short = CASH.trade(LINEAR, 2, 50_000), CASH.trade(LINEAR, -2, 50_000)
    assert held(long.pay_funding(LINEAR, 0.0001)) == {"cross USDT": {"USDT": near(99_990)}}  # 0.01 % of 100,000
    assert held(short.pay_funding(LINEAR, 0.0001)) == {"cross USDT": {"USDT": near(100_010)}}
    assert held(long.pay_funding("BTC-USDT", -0.0003)) == {"cross USDT": {"USDT": near(100_030)}}
    assert held(long.mark(BTC=40_000).pay_funding(LINEAR, 0.0001)) == {"cross USDT": {"USDT": near(99_992)}}


def test_a_mark_of_its_own_overrides_the_index():
    account = CASH.trade(LINEAR, 2, 50_000).mark(**{"BTC-USDT": 51_000})
    after = account.pay_funding(LINEAR, 0.0001)
    assert paid(after) == near(10.2) and after.events[-1].price == 51_000
    assert funding.due(account.cross, 0.0001) == near(10.2)
    assert paid(account.mark(BTC=50_000).pay_funding(LINEAR, 0.0001)) == near(10)  # until the index is marked again


def test_a_venue_that_takes_the_index():
    account = Account(INDEXED, USDT=100_000).trade(LINEAR, 2, 50_000).mark(**{"BTC-USDT": 51_000})
    after = account.pay_funding(LINEAR, 0.0001)
    assert paid(after) == near(10) and after.events[-1].price == 50_000
    assert funding.due(account.cross, 0.0001) == near(10)


def test_the_entry_in_the_ledger():
    after = CASH.trade(LINEAR, 2, 50_000).pay_funding(LINEAR, 0.0001, periods=3)
    event = after.events[-1]
    assert (event.kind, event.pool, event.currency, event.price) == ("funding", "cross USDT", "USDT", 50_000)
    assert event.flows == {TRADER: near(-30), COUNTERPARTIES: near(30)} and event.text == "0.0300% of 100,000 USDT"
    assert held(after) == {"cross USDT": {"USDT": near(99_970)}}
    parties = after.ledger().drop(columns=["kind", "pool", "currency", "price", "contract", "quantity"])
    assert np.allclose(parties.sum(axis=1), 0)
    short = CASH.trade(LINEAR, -2, 50_000).pay_funding(LINEAR, 0.0001)
    assert short.events[-1].text == "0.0100% of 100,000 USDT"


def test_nothing_is_paid_at_a_rate_or_for_a_time_of_zero():
    account = CASH.trade(LINEAR, 2, 50_000)
    for after in (account.pay_funding(LINEAR, 0), account.pay_funding(LINEAR, 0.01, periods=0)):
        assert state(after) == state(account)


def test_a_payment_only_pays():
    account = Account(TEACHING, USDT=500).trade(LINEAR, 1, 50_000)
    after = account.pay_funding(LINEAR, 0.02)  # 1,000 of 500
    assert after.cross.slack() < 0 and not after.liquidations
    assert held(after) == {"cross USDT": {"USDT": near(-500)}} and len(after.at().liquidations) == 1


# -------------------------------------------------------------- the right pool


def test_cross_pays_from_the_shared_pool_and_isolated_from_its_own_margin():
    walled = CASH.trade(LINEAR, 2, 50_000, isolated=10_000)
    after = walled.pay_funding(LINEAR, 0.0001)
    assert held(after) == {"cross USDT": {"USDT": 90_000}, "isolated BTC-USDT": {"USDT": near(9_990)}}
    assert after.events[-1].pool == "isolated BTC-USDT"
    got = walled.pay_funding(LINEAR, -0.0001)
    assert held(got) == {"cross USDT": {"USDT": 90_000}, "isolated BTC-USDT": {"USDT": near(10_010)}}


def charged(cash, quantity=2):
    return Account(CHARGED, USDT=cash).trade(LINEAR, quantity, 50_000, isolated=10_000)


def test_where_the_account_is_charged_it_pays_first():
    assert held(charged(100_000).pay_funding(LINEAR, 0.0005)) == {
        "cross USDT": {"USDT": near(89_950)},
        "isolated BTC-USDT": {"USDT": 10_000},
    }
    after = charged(10_010).pay_funding(LINEAR, 0.0005)  # 10 are free of the 50
    assert held(after) == {"cross USDT": {}, "isolated BTC-USDT": {"USDT": near(9_960)}}
    shares = [(e.pool, e.flows[TRADER], e.flows[COUNTERPARTIES]) for e in after.events if e.kind == "funding"]
    assert shares == [("cross USDT", near(-10), near(10)), ("isolated BTC-USDT", near(-40), near(40))]
    assert held(charged(10_000).pay_funding(LINEAR, 0.0005))["isolated BTC-USDT"] == {"USDT": near(9_950)}
    # the account receives
    assert held(charged(10_010, -2).pay_funding(LINEAR, 0.0005)) == {
        "cross USDT": {"USDT": near(60)},
        "isolated BTC-USDT": {"USDT": 10_000},
    }


@pytest.mark.parametrize("rate", [0.0005, -0.0005])
def test_a_receipt_pays_for_the_other_leg(rate):
    account = Account(replace(CHARGED, hedge_mode=True), USDT=20_000)
    account = account.trade(LINEAR, 2, 50_000, leg="long", isolated=10_000)
    account = account.trade(LINEAR, -2, 50_000, leg="short", isolated=10_000)  # nothing is free
    after = account.pay_funding(LINEAR, rate)
    assert held(after) == held(account) and [e.pool for e in after.events[-2:]] == ["cross USDT"] * 2


def test_the_account_pays_out_of_what_is_free_only():
    busy = charged(20_000).mark(ETH=2_000).trade(ETHER, 49, 2_000, leverage=10)  # 9,800 of 10,000 are in use
    after = busy.pay_funding(LINEAR, 0.003)  # 300: 200 and 100
    assert held(after) == {"cross USDT": {"USDT": near(9_800)}, "isolated BTC-USDT": {"USDT": near(9_900)}}
    short = busy.mark(ETH=1_990)  # 9,510 where 9,751 would be needed: nothing is free, and nothing comes back
    assert short.cross.withdrawable() < 0
    assert held(short.pay_funding(LINEAR, 0.003))["isolated BTC-USDT"] == {"USDT": near(9_700)}
    assert held(short.pay_funding(LINEAR, 0.003))["cross USDT"] == {"USDT": 10_000}
    assert held(busy.pay_funding(ETHER, 0.003))["cross USDT"] == {"USDT": near(10_000 - 294)}  # a cross position


def test_long_and_short_in_one_pool_cancel():
    account = Account(replace(TEACHING, hedge_mode=True), USDT=100_000)
    account = account.trade(LINEAR, 2, 50_000, leg="long").trade(LINEAR, -2, 50_000, leg="short")
    after = account.pay_funding(LINEAR, 0.001)
    assert held(after) == {"cross USDT": {"USDT": near(100_000)}}
    assert sorted(e.flows[TRADER] for e in after.events if e.kind == "funding") == [near(-100), near(100)]
    assert funding.due(account.cross, 0.001) == 0 and funding.payments_left(account.cross, 0.001) == inf


def test_in_a_multi_currency_account_it_may_become_a_debt():
    account = Account(MULTI, BTC=1, USDT=5).mark(BTC=50_000).trade(LINEAR, 1, 50_000)
    after = account.pay_funding(LINEAR, 0.0002)  # 10 USDT, and there are 5
    assert after.balances() == {"BTC": 1, "USDT": near(-5)} and after.events[-1].currency == "USDT"
    assert after.cross.requirement() == near(account.cross.requirement() + 0.25)  # 5 % of the debt
    assert after.cross.equity() == near(account.cross.equity() - 10)
    coin = account.trade(INVERSE, -500, 50_000).pay_funding(INVERSE, 0.0002)  # 1 BTC of notional
    assert coin.balances() == {"BTC": near(1.0002), "USDT": 5} and coin.events[-1].currency == "BTC"


def test_the_order_of_the_contracts_does_not_matter():
    rules = replace(venues.TEACHING, funding=Funding(charged_to="account"))
    account = Account(rules, USDT=10_100).mark(BTC=50_000, ETH=2_500)
    account = account.trade(LINEAR, 1, 50_000, isolated=5_000).trade(ETHER, -20, 2_500, isolated=5_000)
    for order in ((LINEAR, ETHER), (ETHER, LINEAR)):  # the short's receipt of 500 comes first, and pays for the long
        (after,) = steps(account, {contract: [0.01] for contract in order})
        balances = [pool.equity() for pool in (after.cross, after[LINEAR], after[ETHER])]
        assert balances == [near(100), near(5_000), near(5_000)]


# -------------------------------------------------- one position, on paths

contracts = st.sampled_from((replace(LINEAR, face=0.1), INVERSE))
sizes = st.floats(0.01, 50).flatmap(lambda q: st.sampled_from((q, -q)))
prices_of_a_coin = st.floats(20_000, 90_000)
rates = st.integers(-(10**6), 10**6).map(lambda n: n / 10**8)


@pytest.mark.parametrize("contract", [LINEAR, INVERSE])
@pytest.mark.parametrize("prices, rates", [
    ((3,), (3,)), ((3, 2), (3,)), ((3, 2), (3, 2)), ((3, 2, 4), (3,)), ((3, 2, 2), (3, 2)), ((3,), (3, 2)),
    ((), (3, 2)), ((3, 2), ()),
])  # fmt: skip
def test_a_total_is_the_sum_of_its_payments(contract, prices, rates):
    draw = np.random.default_rng(1)
    price, rate = draw.uniform(2e4, 9e4, prices), draw.uniform(-0.01, 0.01, rates)
    price, rate = (x if np.ndim(x) else float(x) for x in (price, rate))
    position = Position(contract, -7, 50_000)
    every = funding.payments(position, rate, price)
    wide = max(len(prices), len(rates))  # a rate for each time holds for every path
    tall = [np.reshape(x, np.shape(x) + (1,) * (wide - np.ndim(x))) if np.ndim(x) else x for x in (price, rate)]
    notional = -700 / tall[0] if contract is INVERSE else -7 * tall[0]
    np.testing.assert_allclose(every, notional * tall[1], rtol=1e-12)
    np.testing.assert_allclose(funding.total(position, rate, price), every.sum(axis=0), rtol=1e-12)


# ------------------------------------------------------------ a whole account


@STEADY
@given(contracts, sizes, prices_of_a_coin, rates, st.sampled_from((TEACHING, CHARGED, INDEXED)))
def test_a_position_pays_the_same_in_both_modes(contract, quantity, price, rate, venue):
    account = Account(venue, USDT=10**7, BTC=10**4).mark(BTC=price)
    shared = account.trade(contract, quantity, price).pay_funding(contract, rate)
    walled = account.trade(contract, quantity, price, isolated=True, leverage=20).pay_funding(contract, rate)
    due = contract.notional(quantity, price) * rate
    assert paid(shared) == paid(walled) == pytest.approx(due, rel=1e-12)
    for currency, amount in shared.balances().items():
        assert amount == pytest.approx(walled.balances()[currency], rel=1e-12)


@STEADY
@given(contracts, sizes, st.lists(st.tuples(prices_of_a_coin, rates), min_size=1, max_size=6))
def test_a_total_is_what_an_account_pays_step_by_step(contract, quantity, path):
    prices, row = map(list, zip(*path, strict=True))
    start = Account(TEACHING, USDT=10**7, BTC=10**4).mark(BTC=50_000).trade(contract, quantity, 50_000)
    after, by_hand = list(steps(start, {contract: row}, {"BTC": prices}))[-1], start
    for price, rate in path:
        by_hand = by_hand.mark(BTC=price).pay_funding(contract, rate)
    assert held(after) == held(by_hand)
    due = funding.payments(Position(contract, quantity, 50_000), row, prices)
    gross = np.abs(due).sum()
    assert paid(after) == pytest.approx(funding.total(start[contract].positions[0], row, prices), abs=1e-12 * gross)
    assert paid(after) == pytest.approx(due.sum(), abs=1e-12 * gross)
    balance = start.balances()[contract.settle]
    assert after.balances()[contract.settle] == pytest.approx(balance - due.sum(), abs=1e-10 * balance)


# ----------------------------------------------------------------- payments left


def test_due_in_the_pools_currency():
    account = Account(MULTI, BTC=10).mark(BTC=50_000, ETH=2_000)
    account = account.trade(LINEAR, 2, 50_000).trade(INVERSE, -2_500, 50_000).trade(ETHER, 10, 2_000)
    account = account.mark(BTC=40_000)
    pool, each = account.cross, {LINEAR: 0.001, "BTC-USD": 0.002, ETHER: -0.003}
    # 80,000; 250,000 USD = 6.25 BTC of 40,000; 20,000
    assert funding.due(pool, each) == near(80 - 500 - 60)
    assert funding.due(pool, 0.001) == near(80 - 250 + 20)
    assert funding.due(pool, {INVERSE: 0.002}) == near(-500) and funding.due(pool, {}) == 0
    with pytest.raises(ValueError, match=r"'cross': BTC-USD, BTC-USDT, ETH-USDT, not SOL-USDT"):
        funding.due(pool, {"SOL-USDT": 0.001})
    coin = COINS.trade(INVERSE, 25_000, 50_000).mark(BTC=40_000).cross
    assert funding.due(coin, 0.001) == near(0.0625)  # in coins


def loop(account, contract, rate, most=10_000):
    """Payments until the venue acts, one after the other."""
    for n in range(most):
        if account.at().liquidations:
            return n
        account = account.pay_funding(contract, rate)
    return inf


@settings(STEADY, max_examples=60)
@given(
    contracts, st.sampled_from((1, -1)), st.floats(2, 60), st.floats(0.002, 0.02), st.booleans(), st.floats(0.9, 1.1)
)
def test_payments_left_are_those_of_a_loop(contract, side, leverage, rate, isolated, move):
    start = 10_000.0 if contract.settle == "USDT" else 1.0
    account = Account(TEACHING, **{contract.settle: start}).mark(BTC=50_000)
    size = side * start * leverage / contract.notional(1, 50_000)
    account = account.trade(contract, size, 50_000, isolated=start if isolated else None).mark(BTC=50_000 * move)
    pool, rate = account[contract], side * rate
    left = pool.slack() / funding.due(pool, rate)
    assume(abs(left - round(left)) > 1e-6)
    assert funding.due(pool, rate) == pytest.approx(abs(contract.notional(size, 50_000 * move)) * abs(rate), rel=1e-12)
    assert funding.payments_left(pool, rate) == max(0, ceil(left)) == loop(account, contract, rate)
    assert funding.payments_left(pool, {contract: rate}) == max(0, ceil(left))
    if left > 0:
        assert funding.payments_left(pool, -rate) == inf


@settings(STEADY, max_examples=40)
@given(st.floats(0, 3_000), st.floats(0.004, 0.02), st.floats(0, 0.3))
def test_payments_left_where_they_become_a_debt(cash, rate, more):
    account = Account(MULTI, BTC=0.5 + more, USDT=cash).mark(BTC=50_000).trade(LINEAR, 2, 50_000, leverage=50)
    left = funding.payments_left(account.cross, rate)
    assert left == loop(account, LINEAR, rate)
    plain = account.cross.slack() / funding.due(account.cross, rate)
    assert left <= ceil(plain) and left >= ceil(plain / 1.06)  # a debt requires 5 % of itself


def test_at_the_line_there_is_no_payment_left():
    pool = CASH.trade(LINEAR, 2, 50_000, isolated=10_000)[LINEAR]
    price = pool.liquidation().price
    at_line = replace(pool, marks={"BTC": price})
    for rate in (0.001, -0.001, 0.0):
        assert funding.payments_left(at_line, rate) == 0
    assert funding.payments_left(replace(pool, marks={"BTC": price * 0.99}), -0.001) == 0
    assert funding.payments_left(replace(pool, marks={"BTC": price + 0.05}), 0.01) == 1
    assert funding.payments_left(pool, 0.0) == inf and funding.payments_left(pool, -0.001) == inf
    # a whole number of payments: the last one ends it
    assert [funding.payments_left(pool, rate) for rate in (0.096, 0.048, 0.0959, 1)] == [1, 2, 2, 1]


def test_payments_left_of_two_contracts():
    account = CASH.mark(ETH=2_000).trade(LINEAR, 4, 50_000).trade(ETHER, -50, 2_000)
    pool = account.cross  # 100,000 - 1,200
    assert funding.payments_left(pool, {LINEAR: 0.01}) == 50  # 98,800 / 2,000
    assert funding.payments_left(pool, {LINEAR: 0.01, ETHER: 0.01}) == 99
    assert funding.payments_left(pool, {LINEAR: 0.01, ETHER: 0.03}) == inf


# ------------------------------------------------------------------------ shift


def single(contract, quantity, leverage, mmr=0.004, price=50_000.0):
    """A position alone in its pool, on one tier."""
    margin = abs(contract.notional(quantity, price)) / leverage
    contract = replace(contract, tiers=Tiers.flat(mmr))
    return Pool(contract.settle, {contract.settle: margin}, [Position(contract, quantity, price)], TEACHING)


def test_a_shift_by_hand():
    # long 2 at 10x: 90,000 / 1.992; 100 paid: 90,100 / 1.992. Short: 110,000 / 2.008, down to 109,900 / 2.008
    assert funding.shift(single(LINEAR, 2, 10), 100) == (near(100 / 1.992), pytest.approx(100 / 1.992, rel=1e-9))
    assert funding.shift(single(LINEAR, -2, 10), 100) == (near(-100 / 2.008), pytest.approx(-100 / 2.008, rel=1e-9))
    # inverse, 50 BTC of notional on 5: N 1.004 / 55 = 45,636.36; 0.1 paid: N 1.004 / 54.9
    price = 2_500_000 * 1.004 / 55
    first, exact = funding.shift(single(INVERSE, 25_000, 10), 0.1)
    assert first == near(0.1 * price**2 / (2_500_000 * 1.004)) and exact == near(2_510_000 / 54.9 - price)
    price = 2_500_000 * 0.996 / 45
    first, exact = funding.shift(single(INVERSE, -25_000, 10), 0.1)
    assert first == near(-0.1 * price**2 / (2_500_000 * 0.996)) and exact == near(2_490_000 / 45.1 - price)


def test_a_shift_along_one_of_two_indices():
    account = CASH.mark(ETH=2_000).trade(LINEAR, 4, 50_000).trade(ETHER, -100, 2_000)
    assert funding.shift(account.cross, 996, "BTC") == (near(250), pytest.approx(250, rel=1e-9))  # 4 * 0.996
    assert funding.shift(account.cross, 1_004, "ETH") == (near(-10), pytest.approx(-10, rel=1e-9))
    with pytest.raises(ValueError, match="index must be one of BTC, ETH"):
        funding.shift(account.cross, 100)


def test_a_shift_across_a_tier_has_another_slope_behind_it():
    # 30 BTC: the second tier begins at 1,000,000 of notional, a price of 33,333
    pool = Pool("USDT", {"USDT": 525_000}, [Position(LINEAR, 30, 50_000)], venues.TEACHING_TIERS)
    before = pool.liquidation().price
    assert before < 100_000 / 3 and before == near(975_000 / 29.85)
    first, exact = funding.shift(pool, 50_000)  # beyond: 30 P - 1,025,000 = 0.3 P - 5,000
    assert first == near(50_000 / 29.85) and exact == near(1_020_000 / 29.7 - before)


# ------------------------------------------------------------------- break-even


def test_a_break_even_by_hand():
    assert funding.break_even(Position(LINEAR, 2, 50_000), 100) == near(50_050)
    assert funding.break_even(Position(LINEAR, -2, 50_000), 100) == near(49_950)
    assert funding.break_even(Position(LINEAR, 2, 50_000), -100) == near(49_950)  # received
    assert funding.break_even(Position(LINEAR, 2, 50_000), 0) == 50_000
    # 50 BTC of notional: 1 BTC in 50 paid
    assert funding.break_even(Position(INVERSE, 25_000, 50_000), 1) == near(1 / (1 / 50_000 - 1 / 2_500_000))
    assert funding.break_even(Position(INVERSE, -25_000, 50_000), 1) == near(50_000 / 1.02)


@STEADY
@given(contracts, sizes, prices_of_a_coin, st.floats(-0.9, 0.9))
def test_the_profit_there_is_what_was_paid(contract, quantity, entry, share):
    position = Position(contract, quantity, entry)
    amount = share * abs(position.notional(entry))
    price = funding.break_even(position, amount)
    assert position.pnl(price) == pytest.approx(amount, abs=1e-11 * abs(position.notional(entry)))
