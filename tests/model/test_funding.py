"""Funding payments by hand and as properties: which pool pays, schedules, and what they do to liquidation prices."""

from marginlab import replace
from itertools import pairwise
from math import ceil, fsum, inf, nan

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from marginlab import Account, Funding, Perpetual, Pool, Position, Spot, Tiers, Venue, funding, steps, venues
from marginlab.rules import COUNTERPARTIES, FUND, TRADER
from tests.model import refusal
from tests.model.refusal import state

STEADY = settings(deadline=None, derandomize=True, database=None, max_examples=100)
PAIR = Spot("BTC/USDT")
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
ETHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")
TEACHING, MULTI = venues.TEACHING, venues.TEACHING_MULTI
INDEXED = replace(TEACHING, funding=Funding(valued_at="index"))
CHARGED = replace(TEACHING, funding=Funding(charged_to="account"), both_modes=True)
CASH = Account(TEACHING, USDT=100_000).mark(BTC=50_000)
COINS = Account(TEACHING, BTC=10).mark(BTC=50_000)
CARRY = Account(TEACHING, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT").trade(INVERSE, -2_500, 50_000)


def near(value):
    return pytest.approx(value, rel=1e-12)


def held(account):
    """What each pool holds and owes, without the zeros."""
    return {p.name: {c: a for c, a in p.collateral.items() if a} for p in account.pools}


def paid(account):
    """What the trader paid (+) in funding so far."""
    return fsum(-e.flows[TRADER] for e in account.events if e.kind == "funding")


def kinds(account):
    return [e.kind for e in account.events if e.kind not in ("deposit", "trade")]


def last(accounts):
    *_, account = accounts
    return account


# ---------------------------------------------------------- one payment by hand


def test_a_linear_payment():
    long, short = CASH.trade(LINEAR, 2, 50_000), CASH.trade(LINEAR, -2, 50_000)
    assert held(long.pay_funding(LINEAR, 0.0001)) == {"cross USDT": {"USDT": near(99_990)}}  # 0.01 % of 100,000
    assert held(short.pay_funding(LINEAR, 0.0001)) == {"cross USDT": {"USDT": near(100_010)}}
    assert held(long.pay_funding("BTC-USDT", -0.0003)) == {"cross USDT": {"USDT": near(100_030)}}
    assert held(long.mark(BTC=40_000).pay_funding(LINEAR, 0.0001)) == {"cross USDT": {"USDT": near(99_992)}}


def test_an_inverse_payment():
    # 25,000 contracts of 100 are 50 BTC at 50,000 and 62.5 at 40,000
    long, short = COINS.trade(INVERSE, 25_000, 50_000), COINS.trade(INVERSE, -25_000, 50_000)
    assert held(long.pay_funding(INVERSE, 0.0001)) == {"cross BTC": {"BTC": near(9.995)}}
    assert held(short.mark(BTC=40_000).pay_funding(INVERSE, 0.0001)) == {"cross BTC": {"BTC": near(10.00625)}}


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
    parties = after.ledger().drop(columns=["kind", "pool", "currency", "price"])
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


def test_the_account_it_was_given_is_as_it_was():
    account = Account(CHARGED, USDT=100_000).trade(LINEAR, 2, 50_000, isolated=10_000)
    before = state(account)
    account.pay_funding(LINEAR, 0.0001)
    list(steps(account, {LINEAR: [0.0001, 0.03]}, {"BTC": [49_000, 30_000]}))
    funding.payments_left(account[LINEAR], 0.0001)
    assert state(account) == before


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


def test_both_modes_at_once():
    account = Account(replace(TEACHING, both_modes=True), USDT=100_000)
    account = account.trade(LINEAR, 2, 50_000).trade(LINEAR, 1, 50_000, isolated=5_000)
    after = account.pay_funding(LINEAR, 0.001)
    assert held(after) == {"cross USDT": {"USDT": near(94_900)}, "isolated BTC-USDT": {"USDT": near(4_950)}}


def test_other_contracts_and_pools_are_not_touched():
    account = Account(TEACHING, USDT=100_000, BTC=10).mark(BTC=50_000, ETH=2_000)
    account = account.trade(LINEAR, 2, 50_000).trade(INVERSE, 500, 50_000).trade(ETHER, 5, 2_000, isolated=1_000)
    after = account.pay_funding(INVERSE, 0.001)
    assert held(after) == held(account) | {"cross BTC": {"BTC": near(9.999)}} and len(kinds(after)) == 1


def test_in_a_multi_currency_account_it_may_become_a_debt():
    account = Account(MULTI, BTC=1, USDT=5).mark(BTC=50_000).trade(LINEAR, 1, 50_000)
    after = account.pay_funding(LINEAR, 0.0002)  # 10 USDT, and there are 5
    assert after.balances() == {"BTC": 1, "USDT": near(-5)} and after.events[-1].currency == "USDT"
    assert after.cross.requirement() == near(account.cross.requirement() + 0.25)  # 5 % of the debt
    assert after.cross.equity() == near(account.cross.equity() - 10)
    coin = account.trade(INVERSE, -500, 50_000).pay_funding(INVERSE, 0.0002)  # 1 BTC of notional
    assert coin.balances() == {"BTC": near(1.0002), "USDT": 5} and coin.events[-1].currency == "BTC"


# -------------------------------------------------- one position, on paths

contracts = st.sampled_from((replace(LINEAR, face=0.1), INVERSE))
sizes = st.floats(0.01, 50).flatmap(lambda q: st.sampled_from((q, -q)))
prices_of_a_coin = st.floats(20_000, 90_000)
rates = st.integers(-(10**6), 10**6).map(lambda n: n / 10**8)


def test_payments_at_prices_and_rates():
    prices, row = np.array([50_000.0, 40_000, 60_000]), np.array([0.0001, -0.0002, 0.0])
    long, coins = Position(LINEAR, 2, 45_000), Position(INVERSE, -2_500, 45_000)
    assert funding.payments(long, row, prices).tolist() == [near(10), near(-16), 0]
    assert funding.payments(coins, row, prices).tolist() == [near(-0.0005), near(0.00125), 0]
    assert funding.total(long, row, prices) == near(-6) and funding.total(coins, row, prices) == near(0.00075)
    assert funding.payments(long, 0.0001, 50_000) == near(10) == funding.total(long, 0.0001, 50_000)
    assert funding.payments(long, row, 50_000).tolist() == [near(10), near(-20), 0]
    assert funding.total(long, row, 50_000) == near(-10)
    assert funding.payments(long, 0.0001, prices).tolist() == [near(10), near(8), near(12)]
    assert funding.total(coins, 0.0001, prices) == near(-(5 + 6.25 + 25 / 6) * 0.0001)


@st.composite
def paths(draw):
    """Prices and rates: (prices, rates, prices at [t, path], rates at [t, path]); the last two in full."""
    times, wide = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    seed = np.random.default_rng(draw(st.integers(0, 10**6)))
    prices, row = seed.uniform(2e4, 9e4, (times, wide)), seed.uniform(-0.01, 0.01, (times, wide))
    shape, kind = draw(st.sampled_from(("times", "both"))), draw(st.sampled_from(("one", "times", "both")))
    given_prices = prices if shape == "both" else prices[:, 0]
    given_rates = {"one": float(row[0, 0]), "times": row[:, 0], "both": row}[kind]
    assume(not (shape == "times" and kind == "both"))  # see below
    prices = prices if shape == "both" else np.broadcast_to(prices[:, :1], prices.shape)
    row = {"one": np.full_like(row, row[0, 0]), "times": np.broadcast_to(row[:, :1], row.shape), "both": row}[kind]
    return given_prices, given_rates, prices, row


@STEADY
@given(contracts, sizes, paths())
def test_a_total_is_the_sum_of_its_payments_and_of_its_paths(contract, quantity, drawn):
    prices, row, all_prices, all_rates = drawn
    position = Position(contract, quantity, 50_000)
    every = funding.payments(position, row, prices)
    total = funding.total(position, row, prices)
    gross = np.abs(every).sum(axis=0).max()
    assert np.shape(every) == np.broadcast_shapes(np.shape(prices), (len(prices),) + (1,) * (np.ndim(prices) - 1))
    assert np.shape(total) == np.shape(every)[1:]
    np.testing.assert_allclose(total, every.sum(axis=0), rtol=1e-12, atol=1e-13 * gross)
    for n in range(all_prices.shape[1]):
        alone = [
            quantity * contract.face * (1 / p if contract.inverse else p) * r
            for p, r in zip(all_prices[:, n], all_rates[:, n], strict=True)
        ]
        np.testing.assert_allclose(every if every.ndim == 1 else every[:, n], alone, rtol=1e-12)
        assert np.ravel(total)[n % np.size(total)] == pytest.approx(fsum(alone), rel=1e-11, abs=1e-13 * gross)


def test_paths_of_more_dimensions_share_a_rate_for_each_time():
    prices = np.random.default_rng(1).uniform(2e4, 9e4, (3, 2, 4))
    position, row = Position(INVERSE, 10, 50_000), np.array([0.01, -0.02, 0.03])
    every = funding.payments(position, row, prices)
    np.testing.assert_allclose(every, 1_000 / prices * row[:, None, None], rtol=1e-12)
    np.testing.assert_allclose(funding.total(position, row, prices), every.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("wide", [2, 3])
def test_one_path_of_prices_and_many_of_rates(wide):
    prices, row = np.array([5e4, 4e4, 6e4]), np.arange(3.0 * wide).reshape(3, wide) / 1_000
    position = Position(LINEAR, 1, 50_000)
    every = funding.payments(position, row, prices)
    np.testing.assert_allclose(every, prices[:, None] * row, rtol=1e-12)
    np.testing.assert_allclose(funding.total(position, row, prices), every.sum(axis=0), rtol=1e-12)


def test_one_price_and_many_paths_of_rates():
    row, position = np.arange(6.0).reshape(3, 2) / 1_000, Position(LINEAR, 1, 50_000)
    every = funding.payments(position, row, 50_000)
    np.testing.assert_allclose(funding.total(position, row, 50_000), every.sum(axis=0), rtol=1e-12)


def test_rates_of_paths_beside_prices_of_more_dimensions():
    prices, row = np.ones((3, 2, 2)), np.arange(6.0).reshape(3, 2)
    position = Position(LINEAR, 1, 50_000)
    every = funding.payments(position, row, prices)
    np.testing.assert_allclose(funding.total(position, row, prices), every.sum(axis=0), rtol=1e-12)


@STEADY
@given(
    contracts,
    st.lists(st.floats(0.01, 50), min_size=1, max_size=4),
    st.lists(st.floats(0.01, 1), min_size=1, max_size=4),
    st.lists(st.tuples(prices_of_a_coin, rates), min_size=1, max_size=5),
)
def test_longs_pay_what_shorts_receive(contract, longs, shares, path):
    shorts = [-sum(longs) * share / sum(shares) for share in shares]
    prices, row = map(np.array, zip(*path, strict=True))
    totals = [funding.total(Position(contract, q, 50_000), row, prices) for q in (*longs, *shorts)]
    assert fsum(totals) == pytest.approx(0, abs=1e-12 * fsum(map(abs, totals)))
    price, rate = path[0]
    booked = []
    for quantity in (*longs, *shorts):
        account = Account(TEACHING, USDT=10**7, BTC=10**4).mark(BTC=price).trade(contract, quantity, price)
        booked += [-paid(account.pay_funding(contract, rate))]
    assert fsum(booked) == pytest.approx(0, abs=1e-12 * fsum(map(abs, booked)))


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
@given(contracts, sizes, rates, st.floats(0, 20), st.floats(0, 20), st.booleans())
def test_two_times_are_their_sum_at_an_unchanged_price(contract, quantity, rate, a, b, isolated):
    account = Account(TEACHING, USDT=10**6, BTC=100).mark(BTC=50_000)
    account = account.trade(contract, quantity, 50_000, isolated=isolated, leverage=5)
    once = account.pay_funding(contract, rate, periods=a + b)
    twice = account.pay_funding(contract, rate, periods=a).pay_funding(contract, rate, periods=b)
    for currency, amount in once.balances().items():
        assert amount == pytest.approx(twice.balances()[currency], rel=1e-11)
    assert paid(once) == pytest.approx(contract.notional(quantity, 50_000) * rate * (a + b), rel=1e-11, abs=1e-12)


@STEADY
@given(
    st.sampled_from((Funding(), Funding(first=4), Funding(accrual="continuous"), venues.KRAKEN_FUNDING)),
    st.lists(st.floats(0, 100), min_size=3, max_size=3),
    rates,
)
def test_splitting_the_time_that_a_position_is_held_changes_nothing(rule, moments, rate):
    start, middle, end = sorted(moments)
    account = Account(replace(TEACHING, funding=rule), USDT=10**6).mark(BTC=50_000).trade(LINEAR, 2, 50_000)
    once = account.pay_funding(LINEAR, rate, rule.periods(start, end))
    twice = account.pay_funding(LINEAR, rate, rule.periods(start, middle))
    twice = twice.pay_funding(LINEAR, rate, rule.periods(middle, end))
    assert once.balances()["USDT"] == pytest.approx(twice.balances()["USDT"], rel=1e-12)


@STEADY
@given(contracts, sizes, st.lists(st.tuples(prices_of_a_coin, rates), min_size=1, max_size=6))
def test_a_total_is_what_an_account_pays_step_by_step(contract, quantity, path):
    prices, row = map(list, zip(*path, strict=True))
    start = Account(TEACHING, USDT=10**7, BTC=10**4).mark(BTC=50_000).trade(contract, quantity, 50_000)
    after, by_hand = last(steps(start, {contract: row}, {"BTC": prices})), start
    for price, rate in path:
        by_hand = by_hand.mark(BTC=price).pay_funding(contract, rate)
    assert held(after) == held(by_hand)
    due = funding.payments(Position(contract, quantity, 50_000), row, prices)
    gross = np.abs(due).sum()
    assert paid(after) == pytest.approx(funding.total(start[contract].positions[0], row, prices), abs=1e-12 * gross)
    assert paid(after) == pytest.approx(due.sum(), abs=1e-12 * gross)
    balance = start.balances()[contract.settle]
    assert after.balances()[contract.settle] == pytest.approx(balance - due.sum(), abs=1e-10 * balance)


@st.composite
def books(draw):
    """An account with a few positions, at any venue's rules of who pays funding and who takes what is left."""
    venue = Venue("any", tiers=TEACHING.tiers, both_modes=True, surplus_to=draw(st.sampled_from((FUND, TRADER))),
                  shortfall_to=draw(st.sampled_from((FUND, COUNTERPARTIES))), funding=Funding(
                      charged_to=draw(st.sampled_from(("position", "account"))),
                      valued_at=draw(st.sampled_from(("mark", "index")))))  # fmt: skip
    account = Account(venue, USDT=20_000, BTC=1).mark(BTC=50_000, ETH=2_000)
    for contract in draw(st.permutations((LINEAR, INVERSE, ETHER)))[: draw(st.integers(1, 3))]:
        price = account.marks[contract.index]
        stake = 0.2 * account.balances()[contract.settle]
        size = draw(st.sampled_from((1, -1))) * stake * draw(st.floats(1, 20)) / contract.notional(1, price)
        account = account.trade(contract, size, price, isolated=draw(st.sampled_from((False, stake))))
    return account


@settings(STEADY, max_examples=150)
@given(
    books(),
    st.lists(st.tuples(st.floats(0.7, 1.4), st.floats(0.7, 1.4), st.floats(-0.04, 0.04)), min_size=1, max_size=5),
)
def test_nothing_is_lost_or_made_liquidations_included(start, path):
    bitcoin, ether, row = zip(*path, strict=True)
    prices = {"BTC": [50_000 * x for x in bitcoin], "ETH": [2_000 * x for x in ether]}
    every = {p.instrument: list(row) for pool in start.pools for p in pool.positions}
    before = start
    for after in steps(start, every, prices):
        assert after.events[: len(before.events)] == before.events
        for event in after.events:
            assert fsum(event.flows.values()) == pytest.approx(0, abs=1e-12 * max(map(abs, event.flows.values())))
        for currency, amount in (("USDT", 20_000), ("BTC", 1)):
            mine = fsum(e.flows.get(TRADER, 0) for e in after.events if e.currency == currency)
            assert after.balances()[currency] == pytest.approx(mine, abs=1e-10 * amount)
        gone = {e.pool for e in before.events if e.kind == "liquidation"}
        alive = {pool.name for pool in before.pools if pool.open} | {"cross USDT", "cross BTC"}
        for event in after.events[len(before.events) :]:
            fills = ("closing", "auto-deleveraging") if start.venue.shortfall_to == COUNTERPARTIES else ()
            assert event.kind in ("funding", "liquidation", *fills) and event.pool in alive
            assert event.kind == "funding" or event.pool not in gone
        new = after.events[len(before.events) :]
        for record in (e for e in new if e.kind == "liquidation"):  # winners bear all that is missing
            borne = fsum(e.shortfall for e in new if (e.kind, e.pool) == ("auto-deleveraging", record.pool))
            scale = 1e-9 * {"USDT": 20_000, "BTC": 1}[record.currency]
            assert borne == pytest.approx(record.shortfall if fills else 0, rel=1e-9, abs=scale)
        assert all(pool.slack() > 0 for pool in after.pools if pool.positions)
        before = after


# -------------------------------------------------------------------- schedules


def test_steps_mark_first_and_pay_at_the_new_price():
    first, second = steps(CASH.trade(LINEAR, 2, 50_000), {LINEAR: [0.0001, 0.0002]}, {"BTC": [40_000, 60_000]})
    assert held(first) == {"cross USDT": {"USDT": near(99_992)}} and first.marks["BTC"] == 40_000
    assert held(second) == {"cross USDT": {"USDT": near(99_968)}} and second.marks["BTC"] == 60_000


def test_what_is_closed_by_the_price_pays_no_more():
    account = CASH.trade(LINEAR, 2, 50_000, isolated=10_000)
    found = list(steps(account, {LINEAR: [0.0001] * 3}, {"BTC": [49_000, 45_000, 60_000]}))
    assert [kinds(a) for a in found] == [["funding"], ["funding", "liquidation"], ["funding", "liquidation"]]
    assert [paid(a) for a in found] == [near(9.8)] * 3 and held(found[2]) == {"cross USDT": {"USDT": 90_000}}


def test_prices_that_move_before_a_payment_close_before_it():
    # a receipt of 3,000 would have carried it, but comes too late
    account = Account(TEACHING, USDT=10_000).trade(LINEAR, 2, 50_000)
    found = last(steps(account, {LINEAR: [-0.033]}, {"BTC": [45_000]}))
    assert kinds(found) == ["liquidation"] and paid(found) == 0


def test_a_payment_closes_what_it_takes_below_the_line():
    account = Account(TEACHING, USDT=1_000).trade(LINEAR, 1, 50_000)  # 1,000 against 200: 800 to spare
    assert kinds(last(steps(account, {LINEAR: [0.0159]}))) == ["funding"]
    after = last(steps(account, {LINEAR: [0.016, 0.016]}))
    assert kinds(after) == ["funding", "liquidation"] and paid(after) == near(800)
    assert after.liquidations[0].surplus == near(200)


def test_interest_comes_before_funding_and_the_venue_after_it():
    found = last(steps(CARRY, {INVERSE: [0.0001]}))
    assert kinds(found) == ["interest", "funding"]
    # just above its line: interest takes it below, and a receipt back
    thin = Account(TEACHING, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")
    thin = thin.trade(INVERSE, -1, 50_000)
    thin = thin.mark(BTC=thin.cross.liquidation().price + 0.5)
    assert thin.cross.slack() > 0 > thin.accrue(8).cross.slack()
    assert thin.accrue(8).pay_funding(INVERSE, 0.9).cross.slack() > 0
    assert kinds(last(steps(thin, {INVERSE: [0.9]}))) == ["interest", "funding"]
    assert kinds(last(steps(thin, {INVERSE: [0.0]}))) == ["interest", "liquidation"]
    # what the price closes owes no interest any more
    assert kinds(last(steps(thin, {INVERSE: [0.9]}, {"BTC": [37_000]}))) == ["liquidation"]


def test_liquidated_at_an_unchanged_price_after_the_predicted_number_of_payments():
    # 10,000 - 400 of requirement at 100 for a payment: the 96th leaves nothing to spare
    account = CASH.trade(LINEAR, 2, 50_000, isolated=10_000)
    assert funding.payments_left(account[LINEAR], 0.001) == 96
    found = list(steps(account, {LINEAR: [0.001] * 100}))
    assert [bool(a.liquidations) for a in found] == [False] * 95 + [True] * 5
    assert paid(found[-1]) == near(9_600) and [len(kinds(a)) for a in (found[94], found[95], found[99])] == [95, 97, 97]


def test_receipts_keep_another_position_of_the_pool_alive():
    # a short of 2 BTC receives 1,000 a time; 10 ETH lose 300 a time
    account = Account(TEACHING, USDT=1_600).mark(BTC=50_000, ETH=2_000)
    account = account.trade(LINEAR, -2, 50_000, leverage=100).trade(ETHER, 10, 2_000, leverage=100)
    prices = {"ETH": [1_970, 1_940, 1_910, 1_880]}
    alone = list(steps(account, {LINEAR: [0.0] * 4}, prices))
    assert [len(a.liquidations) for a in alone] == [0, 0, 0, 1]  # 400 where 475.2 are required
    assert not last(steps(account, {LINEAR: [0.01] * 4}, prices)).liquidations
    walled = Account(TEACHING, USDT=1_600).mark(BTC=50_000, ETH=2_000)
    walled = walled.trade(LINEAR, -2, 50_000, isolated=1_000).trade(ETHER, 10, 2_000, isolated=600)
    after = last(steps(walled, {LINEAR: [0.01] * 4}, prices))
    assert [e.pool for e in after.liquidations] == ["isolated ETH-USDT"]  # not across a wall


def test_a_spot_long_and_a_short_contract():
    # 250,000 USDT owed at 0.024 % a day; 250,000 contracts' worth, 5 BTC, receives 0.0005 BTC a time
    debt = 250_000 * 1.00008**3
    after = last(steps(CARRY, {INVERSE: [0.0001] * 3}))
    assert after.balances() == {"BTC": near(7.0015), "USDT": near(-debt)}
    after = last(steps(CARRY, {INVERSE: [0.0001] * 3}, hours=1))
    assert after.balances() == {"BTC": near(7.0015), "USDT": near(-250_000 * 1.00001**3)}
    assert last(steps(CARRY, {INVERSE: [0.0001] * 3}, hours=0)).balances()["USDT"] == -250_000
    hourly = replace(TEACHING, funding=venues.HYPERLIQUID_FUNDING)
    account = Account(hourly, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")
    account = account.trade(INVERSE, -2_500, 50_000)
    assert last(steps(account, {INVERSE: [0.0001]})).balances()["USDT"] == near(-250_002.5)  # the venue's hour


def test_one_number_holds_for_every_step():
    account = CASH.trade(LINEAR, 2, 50_000)
    found = list(steps(account, {LINEAR: 0.0001}, {"BTC": [50_000, 40_000]}))
    assert [paid(a) for a in found] == [near(10), near(18)]
    found = list(steps(account, {"BTC-USDT": (0.0001, 0.0002)}, {"BTC": 40_000}))
    assert [paid(a) for a in found] == [near(8), near(24)]
    assert list(steps(account, {LINEAR: []})) == []


def test_prices_of_a_contract_and_its_index():
    account = CASH.trade(LINEAR, 2, 50_000)
    found = last(steps(account, {LINEAR: [0.0001] * 2}, {"BTC": [5e4, 5e4], "BTC-USDT": [51_000, 52_000]}))
    assert paid(found) == near(10.2 + 10.4)


def test_prices_of_a_contract_that_is_closed_on_the_way():
    account = CASH.trade(LINEAR, 2, 50_000, isolated=10_000)
    prices = {"BTC": [50_000, 40_000, 40_000], "BTC-USDT": [50_000, 40_000, 40_000]}
    assert kinds(last(steps(account, {LINEAR: [0.0001] * 3}, prices))) == ["funding", "liquidation"]


def test_rates_of_what_is_not_open():
    with pytest.raises((KeyError, ValueError), match="BTCUSDT"):
        list(steps(CASH.trade(LINEAR, 2, 50_000), {"BTCUSDT": [0.0001]}))


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


@STEADY
@given(contracts, sizes, st.floats(2, 50), st.sampled_from((0.004, 0.02)), st.floats(-0.3, 0.3))
def test_a_shift_is_that_of_the_liquidation_price_found_again(contract, quantity, leverage, mmr, share):
    assume(1 / leverage > mmr)
    pool = single(contract, quantity, leverage, mmr)
    amount = share * pool.slack()
    moved = pool.adding(-amount).liquidation().price
    first, exact = funding.shift(pool, amount)
    before, side, size = pool.liquidation().price, 1 if quantity > 0 else -1, abs(quantity) * contract.face
    assert exact == pytest.approx(moved - before, abs=1e-9 * before)
    if contract.inverse:
        assert first == pytest.approx(side * amount * before**2 / (size * (1 + side * mmr)), rel=1e-9, abs=1e-9)
    else:
        assert first == pytest.approx(side * amount / (size * (1 - side * mmr)), rel=1e-9, abs=1e-9)
        assert exact == pytest.approx(first, abs=1e-9 * before)
    if abs(share) > 0.01 and pool.slack() > 1e-9 * pool.equity():
        assert exact * side * share > 0  # a payment moves it towards the mark, a receipt away


@pytest.mark.parametrize("quantity", [25_000, -25_000])
def test_the_error_of_the_first_order_shrinks_with_the_square(quantity):
    pool = single(INVERSE, quantity, 10)
    errors = [abs(first - exact) for first, exact in (funding.shift(pool, 0.2 / 2**n) for n in range(5))]
    assert [one / half for one, half in pairwise(errors)] == pytest.approx([4] * 4, rel=0.01)


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


def test_no_shift_without_a_liquidation_price():
    with pytest.raises(ValueError, match="no liquidation price"):
        funding.shift(CASH.trade(LINEAR, 1, 50_000).cross, 100)  # 100,000 on 50,000
    with pytest.raises(ValueError, match="paid=-90000 leaves no liquidation price: "):
        funding.shift(single(LINEAR, 2, 10), -90_000)
    for value, error in ((nan, ValueError), (inf, ValueError), ("1", TypeError), (True, TypeError)):
        with pytest.raises(error, match="paid must be a finite number"):
            funding.shift(single(LINEAR, 2, 10), value)


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


def test_no_break_even_at_any_price():
    for contract, quantity, amount in ((LINEAR, -2, 100_000), (LINEAR, -2, 200_000), (INVERSE, 25_000, 50.0)):
        label = f"{'long' if quantity > 0 else 'short'} {contract.symbol}"
        with pytest.raises(ValueError, match=f"paid={amount:g} .*{label}"):
            funding.break_even(Position(contract, quantity, 50_000), amount)
    assert funding.break_even(Position(LINEAR, -2, 50_000), 99_998) == near(1)
    for value, error in ((nan, ValueError), (inf, ValueError), ("1", TypeError), (True, TypeError)):
        with pytest.raises(error, match="paid must be a finite number"):
            funding.break_even(Position(LINEAR, 2, 50_000), value)


# -------------------------------------------------------------------- refusals

OPEN = CASH.trade(LINEAR, 2, 50_000)


def refused(error, words, action, account=OPEN):
    refusal.refused(error, words, action, account)


LONG = OPEN.cross.positions[0]


def test_payments_for_what_is_not_open():
    refused(KeyError, ["'ETH-USDT'", "open: long BTC-USDT"], lambda: OPEN.pay_funding(ETHER, 0.0001))
    refused(KeyError, ["'SOL'", "open: long BTC-USDT"], lambda: OPEN.pay_funding("SOL", 0.0001))
    refused(KeyError, ["'BTC-USDT'", "open: none"], lambda: CASH.pay_funding(LINEAR, 0.0001))
    refused(TypeError, ["instrument must be a Perpetual", "'BTC/USDT'"], lambda: CARRY.pay_funding(PAIR, 0.0001), CARRY)


BAD = [(nan, "nan", ValueError), (inf, "inf", ValueError), ("1", "'1'", TypeError), (True, "True", TypeError)]


@pytest.mark.parametrize(("value", "shown", "error"), [*BAD, (None, "None", TypeError), ([0.1], "[0.1]", TypeError)])
def test_rates_must_be_finite_numbers(value, shown, error):
    must = ["must be a finite number", shown]
    refused(error, ["rate", *must], lambda: OPEN.pay_funding(LINEAR, value))
    refused(error, ["periods", *must, "at least 0"], lambda: OPEN.pay_funding(LINEAR, 0.1, periods=value))
    refused(error, ["rate", *must], lambda: funding.due(OPEN.cross, value))
    refused(error, ["rate", *must], lambda: funding.payments_left(OPEN.cross, {LINEAR: value}))
    if not isinstance(value, list):
        refused(error, ["rates", *must], lambda: funding.payments(LONG, value, 5e4))
        refused(error, ["prices", "above 0", shown], lambda: funding.payments(LONG, 0.1, value))
        refused(error, ["rates", *must], lambda: funding.total(LONG, value, [5e4]))
        refused(error, ["the rates of BTC-USDT", *must], lambda: list(steps(OPEN, {"BTC-USDT": value})))
        refused(error, ["price of BTC", shown], lambda: list(steps(OPEN, {LINEAR: [0.1]}, {"BTC": value})))
        if value is not None:  # absent, there
            refused(error, ["hours", *must], lambda: list(steps(OPEN, {LINEAR: [0.1]}, hours=value)))


def test_times_that_are_negative():
    refused(ValueError, ["periods", "at least 0", "-1"], lambda: OPEN.pay_funding(LINEAR, 0.0001, periods=-1))
    refused(ValueError, ["hours", "at least 0", "-8"], lambda: list(steps(OPEN, {LINEAR: [0.1]}, hours=-8)))


def test_paths_that_do_not_fit():
    for action in (funding.payments, funding.total):
        refused(TypeError, ["position must be a Position", "'BTC'"], lambda a=action: a("BTC", 0.1, 5e4))
        refused(ValueError, ["rates", "(3,) beside (2,)"], lambda a=action: a(LONG, [0.1, 0.1, 0.1], [5e4, 4e4]))
        refused(ValueError, ["rates", "(2,) beside (3, 2)"], lambda a=action: a(LONG, [0.1, 0.1], np.ones((3, 2))))
        refused(ValueError, ["(3, 4) beside (3, 2)"], lambda a=action: a(LONG, np.ones((3, 4)), np.ones((3, 2))))
        refused(ValueError, ["(2, 1) beside (3,)"], lambda a=action: a(LONG, np.ones((2, 1)), np.ones(3)))
        refused(ValueError, ["prices", "above 0", "0.0"], lambda a=action: a(LONG, [0.1, 0.1], [5e4, 0.0]))
        refused(ValueError, ["rates", "nan"], lambda a=action: a(LONG, [0.1, nan], [5e4, 5e4]))
        refused(TypeError, ["rates must be numbers"], lambda a=action: a(LONG, ["a", "b"], [5e4, 5e4]))
        refused(TypeError, ["rates must be numbers"], lambda a=action: a(LONG, np.array([True, False]), [5e4, 5e4]))


def test_schedules_that_do_not_fit():
    def of(*args):
        return lambda: list(steps(OPEN, *args))

    refused(TypeError, ["rates must be a mapping", "[0.0001]"], of([0.1, 0.1]))
    refused(TypeError, ["rates must be a mapping"], of(0.1))
    refused(TypeError, ["prices must be a mapping"], of({LINEAR: [0.1]}, [50_000]))
    refused(ValueError, ["rows of one length", "[1, 2]"], of({LINEAR: [0.1]}, {"BTC": [5e4, 5e4]}))
    two = OPEN.mark(ETH=2_000).trade(ETHER, 1, 2_000)
    uneven = {LINEAR: [0.1], ETHER: [0.1] * 3}
    refused(ValueError, ["rows of one length", "[1, 3]"], lambda: list(steps(two, uneven)), two)
    refused(ValueError, ["rows of one length", "none"], of({LINEAR: 0.1}))
    refused(ValueError, ["rows of one length", "none"], of({}))
    refused(ValueError, ["must be one row"], of({LINEAR: [[0.1]]}))
    refused(ValueError, ["must be one row"], of({LINEAR: [0.1]}, {"BTC": [[5e4]]}))
    refused(ValueError, ["the rates of BTC-USDT", "nan"], of({"BTC-USDT": [0.1, nan]}))
    refused(ValueError, ["price of BTC", "-1"], of({LINEAR: [0.1]}, {"BTC": [-1]}))
    refused(ValueError, ["nothing here follows 'SOL'"], of({LINEAR: [0.1]}, {"SOL": [20]}))


def test_the_order_of_the_contracts_does_not_matter():
    rules = replace(venues.TEACHING, funding=Funding(charged_to="account"))
    account = Account(rules, USDT=10_100).mark(BTC=50_000, ETH=2_500)
    account = account.trade(LINEAR, 1, 50_000, isolated=5_000).trade(ETHER, -20, 2_500, isolated=5_000)
    for order in ((LINEAR, ETHER), (ETHER, LINEAR)):  # the short's receipt of 500 comes first, and pays for the long
        after = last(steps(account, {contract: [0.01] for contract in order}))
        balances = [pool.equity() for pool in (after.cross, after[LINEAR], after[ETHER])]
        assert balances == [near(100), near(5_000), near(5_000)]


def test_rows_of_a_history_as_its_documentation_has_it():
    from marginlab import schedule
    from marginlab.market import history

    past = history.load("2023-08-14")
    lpt = Perpetual("LPT-USDT", "LPT", "USDT", tiers=Tiers.flat(0.01))
    account = Account(venues.TEACHING, USDT=1_000).mark(LPT=100).trade(lpt, 10, 100)
    table = schedule(account, {lpt: past.rates["LPT"]}, past.prices, past.hours)
    assert table.funding.sum() == near(-funding.total(account[lpt].positions[0], past.rates["LPT"], past.prices["LPT"]))
    assert past.hours.tolist() == [0.0] + [1.0] * 24


def test_hours_that_do_not_fit():
    rates = {LINEAR: [0.1] * 3}
    for hours in ([8, 8, -1], -1, [[8, 8, 8]]):
        refused(ValueError, ["hours must be", "at least 0"], lambda hours=hours: steps(OPEN, rates, hours=hours))
    refused(ValueError, ["rows of one length", "[2, 3]"], lambda: steps(OPEN, rates, hours=[8, 8]))


def test_interest_is_on_what_was_lent():
    """A balance that funding took below zero is no loan, unless the account is a multi-currency one."""
    taken = CASH.trade(LINEAR, 2, 50_000, isolated=1_000).mark(BTC=52_000).pay_funding(LINEAR, 0.02)
    assert taken[LINEAR].collateral["USDT"] < 0 and taken[LINEAR].equity() > 0
    assert taken.accrue(24).balances() == taken.balances()
    multi = Account(venues.TEACHING_MULTI, BTC=10).mark(BTC=50_000).trade(LINEAR, 5, 50_000).pay_funding(LINEAR, 0.01)
    assert multi.balances()["USDT"] == near(-2_500) and multi.accrue(24).balances()["USDT"] == near(-2_500.6)
