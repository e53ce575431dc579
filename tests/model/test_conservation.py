"""Nothing is lost or made: any sequence of operations, two currencies, every rule of who takes what."""

from math import fsum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marginlab import Account, Perpetual, Venue, venues
from marginlab.rules import COUNTERPARTIES, FUND, TRADER

CONTRACTS = (
    Perpetual("BTC-USDT", "BTC", "USDT", 0.1),
    Perpetual("ETH-USDT", "ETH", "USDT"),
    Perpetual("BTC-USD", "BTC", "BTC", 100),
    Perpetual("BTC-USD-2", "BTC", "BTC", 1_000, venues.BTCUSD_COIN_2020_06),
)
STEADY = settings(deadline=None, derandomize=True, database=None)


@st.composite
def venue(draw):
    base = draw(st.sampled_from((venues.TEACHING, venues.TEACHING_TIERS)))
    where = st.sampled_from(("account", "position"))
    fee_at = draw(st.sampled_from(("none", "price")))
    return Venue("any", tiers=base.tiers, realised_to=draw(where), freed_to=draw(where), fee=0.0006, fee_at=fee_at,
                 surplus_to=draw(st.sampled_from((FUND, TRADER))),
                 shortfall_to=draw(st.sampled_from((FUND, COUNTERPARTIES))))  # fmt: skip


contracts = st.sampled_from(CONTRACTS)
sizes = st.sampled_from((1, -1, 2, -2, 3, -5, 10, -10, 40, -40, 0.1, 0.2, -0.3))
moves = st.sampled_from((1, 1.001, 0.999, 1.03, 0.97, 1.1, 0.9, 1.4, 0.6, 3.0, 0.2))
operations = st.lists(
    st.one_of(
        st.tuples(st.just("cross"), contracts, sizes, moves),
        st.tuples(st.just("isolated"), contracts, sizes, st.sampled_from((2, 5, 20, 50))),
        st.tuples(st.just("to"), contracts, st.floats(0.001, 0.5), moves),
        st.tuples(st.just("source"), contracts, st.floats(0.001, 1), moves),
        st.tuples(st.just("mark"), contracts, moves, moves),
        st.tuples(st.just("at"), contracts, moves, moves),
    ),
    min_size=4,
    max_size=25,
)


def state(account):
    pools = [(p.name, p.positions, dict(p.collateral), dict(p.marks)) for p in account.pools]
    return account.events, [dict(e.flows) for e in account.events], dict(account.marks), pools


def perform(account, kind, contract, x, y):
    """The account after one operation."""
    price = account.marks[contract.index]
    if kind == "cross":
        return account.trade(contract, x, price * (y if 0.95 < y < 1.05 else 1))
    if kind == "isolated":
        return account.trade(contract, x, price, isolated=True, leverage=y)
    if kind == "to":
        return account.transfer(x * account.cross_in(contract.settle).collateral[contract.settle], contract.settle,
                                to=contract)  # fmt: skip
    if kind == "source":
        return account.transfer(x * account[contract].collateral[contract.settle], contract.settle, source=contract)
    return (account.mark if kind == "mark" else account.at)(**{contract.index: price * x})


@settings(STEADY, max_examples=250)
@given(venue(), operations)
def test_flows_sum_to_zero_and_the_traders_are_the_balances(rules, steps):
    account = Account(rules, USDT=20_000, BTC=1).mark(BTC=50_000, ETH=2_000)
    for step in steps:
        before = state(account)
        try:
            after = perform(account, *step)
        except (ValueError, KeyError) as error:
            assert str(error) and state(account) == before
            continue
        assert state(account) == before  # the account it was called on
        assert after.events[: len(account.events)] == account.events
        for event in after.events:
            assert fsum(event.flows.values()) == pytest.approx(0, abs=1e-12 * max(map(abs, event.flows.values())))
        for currency, start in (("USDT", 20_000), ("BTC", 1)):
            mine = fsum(e.flows.get(TRADER, 0) for e in after.events if e.currency == currency)
            assert after.balances()[currency] == pytest.approx(mine, abs=1e-10 * start)
        for name in {p.name for p in account.pools} - {p.name for p in after.pools}:
            assert name.startswith("isolated") and any(e.pool == name for e in after.events[len(account.events) :])
        if step[0] == "at":
            assert all(pool.slack() > 0 for pool in after.pools if pool.positions)
            others_keep_theirs(account, after)
        account = after


def others_keep_theirs(account, after):
    """A liquidation takes its own pool and nothing else; what it returns goes to the cross pool."""
    gone = [e for e in after.events[len(account.events) :] if e.kind == "liquidation"]
    for event in gone:
        pool = next(p for p in account.pools if p.name == event.pool)
        held = pool.collateral[pool.currency]
        assert event.flows[TRADER] >= -max(held, 0) - 1e-9 and event.lost <= held + 1e-9
        assert event.shortfall >= 0 and event.surplus >= 0 and event.shortfall * event.surplus == 0
    for pool in account.pools:
        if pool.isolated and pool.name not in {e.pool for e in gone}:
            assert next(p for p in after.pools if p.name == pool.name).collateral == pool.collateral


@settings(STEADY, max_examples=150)
@given(venue(), contracts, st.sampled_from((1, -1)), st.floats(1.2, 40), st.floats(-7, 7))
def test_an_isolated_trade_never_loses_more_than_its_margin_gaps_included(rules, contract, side, leverage, gap):
    price = 2_000.0 if contract.index == "ETH" else 50_000.0
    start = 100_000.0 if contract.settle == "USDT" else 2.0
    margin = start / 4
    size = side * margin * leverage / contract.notional(1, price)
    account = Account(rules, **{contract.settle: start}).mark(**{contract.index: price})
    account = account.trade(contract, size, price, isolated=margin)
    worth = price * 2.718281828459045**gap
    after = account.at(**{contract.index: worth})
    equity = margin + contract.pnl(size, price, worth)
    if not after.liquidations:
        assert equity > 0 and after.balances()[contract.settle] == pytest.approx(start)
        return
    (record,) = after.liquidations
    assert after.balances()[contract.settle] >= start - margin - 1e-9
    assert record.lost <= margin * (1 + 1e-12)
    scale = abs(equity) + margin
    assert record.shortfall == pytest.approx(max(0.0, -equity), abs=1e-11 * scale)
    assert record.surplus == pytest.approx(max(0.0, equity), abs=1e-11 * scale)
    payer = FUND if rules.shortfall_to == FUND else None
    assert record.flows[FUND] == pytest.approx(
        -record.shortfall * (payer == FUND) + record.surplus * (rules.surplus_to == FUND), abs=1e-11 * scale
    )


@settings(STEADY, max_examples=60)
@given(st.sampled_from(CONTRACTS[:3]), st.sampled_from((1, -1)), st.floats(1, 100), st.floats(1, 100))
def test_leverage_in_cross_changes_what_is_available_and_never_the_liquidation_price(contract, side, one, other):
    account = Account(venues.TEACHING_TIERS, USDT=50_000, BTC=1).mark(BTC=50_000, ETH=2_000)
    price = account.marks[contract.index]
    size = side * 0.9 * account.balances()[contract.settle] / contract.notional(1, price)
    pools = [account.trade(contract, size, price, leverage=leverage)[contract] for leverage in (one, other)]
    (a, b), notional = pools, abs(contract.notional(size, price))
    for first, second in ((a.liquidation(), b.liquidation()), (a.bankruptcy(), b.bankruptcy())):
        assert (first.below.price, first.above.price) == (second.below.price, second.above.price)
    assert a.requirement() == b.requirement() and a.slack() == b.slack()
    assert b.available() - a.available() == pytest.approx(notional / one - notional / other, abs=1e-9 * notional)
