"""Nothing is lost or made: any account, any rule of liquidation, any market, any sequence of what a trader does."""

from itertools import pairwise
from math import exp, fsum, inf, isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marginlab import Account, Asset, Interest, Perpetual, Spot, Tiers, Venue, replace, venues
from marginlab.liquidation import repay_debts
from marginlab.rules import COUNTERPARTIES, FUND, LENDER, TRADER
from tests.core.common import (
    ALL,
    CANCEL,
    CLOSE,
    ETHER,
    INVERSE,
    LINEAR,
    PAIR,
    PART,
    QUEUE,
    STEADY,
    TAKE,
    balanced,
    new,
)
from tests.process import process
from tests.refusal import state

ORDER = {
    "exchange": -1,
    CANCEL: 0,
    PART: 1,
    CLOSE: 2,
    TAKE: 2,
    QUEUE: 2,
    ALL: 3,
}  # in which the steps of one pool follow

CONTRACTS = (
    Perpetual("BTC-USDT", "BTC", "USDT", 0.1, Tiers(((0, 0.005), (2e4, 0.02), (8e4, 0.05)))),
    Perpetual("ETH-USDT", "ETH", "USDT", 1.0, Tiers(((0, 0.01), (5, 0.03), (20, 0.1)), basis="quantity")),
    Perpetual("BTC-USD", "BTC", "BTC", 100, Tiers(((0, 0.01), (0.3, 0.03), (1, 0.1)))),
    Perpetual("ETH-USD", "ETH", "ETH", 100, Tiers.flat(0.02)),
)
LOAN = Tiers(((0, 0.05, 10), (1e5, 0.08, 8)))
ASSETS = {
    "BTC": Asset(Tiers(((0, 0.05), (5e4, 0.2))), 1.05, LOAN),
    "ETH": Asset(0.1, 1.0, LOAN),
    "USDT": Asset(0.0, 1.0, LOAN, 0.00024),
    "USD": Asset(0.0, 1.0, LOAN),
}
START = {"USDT": 30_000, "BTC": 0.5, "ETH": 10}


@st.composite
def rules(draw):
    """Any sequence of steps, in an order that venues have."""
    found = {
        "scope": draw(st.sampled_from(("pool", "position"))),
        "order": draw(st.sampled_from(("requirement", "loss", "notional"))),
        "partial": draw(st.sampled_from(("none", "share", "tiers"))),
        "partial_above": draw(st.sampled_from((0.0, 0.0, 10_000.0))),
        "share": draw(st.sampled_from((0.2, 0.5, 1.0))),
        "takeover": draw(st.sampled_from((0.0, 0.0, 2 / 3, 1.0))),
        "shared_by": draw(st.sampled_from(("loss", "requirement"))),
        "tiers": draw(st.sampled_from((1, 2))),
        "least_tier": draw(st.sampled_from((2, 3))),
    }
    return process(**found)


@st.composite
def accounts(draw, rule=None, multi=None, hedge=True):
    """An account in some trouble: positions in both modes and on both legs, debts, and marks that have moved."""
    venue = Venue(
        "any", account_mode="multi-currency" if (draw(st.booleans()) if multi is None else multi) else
        "single-currency", assets=ASSETS, hedge_mode=hedge, both_modes=True, fee=0.0006,
        fee_at=draw(st.sampled_from(("none", "price", "entry"))),
        maintenance_at=draw(st.sampled_from(("price", "price", "entry"))),
        surplus_to=draw(st.sampled_from((FUND, TRADER))),
        shortfall_to=draw(st.sampled_from((FUND, FUND, COUNTERPARTIES))),
        liquidation=draw(rules()) if rule is None else rule, orders_required=draw(st.booleans()),
        netting=draw(st.sampled_from(("none", "none", "contract", "index"))),
    )  # fmt: skip
    account = Account(venue, **START).mark(BTC=50_000, ETH=2_000)
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(("cross", "cross", "isolated", "debt", "accrue", "orders")))
        use = draw(st.floats(0.1, 0.95))
        contract, side = draw(st.sampled_from(CONTRACTS)), draw(st.sampled_from((1, -1)))
        price = account.marks[contract.index]
        leverage = draw(st.sampled_from((2, 5, 9)))
        leg = ("long" if side > 0 else "short") if hedge else None
        pool = account.cross_in(contract.settle)
        free = max(float(pool.available()), 0.0) / pool.unit(contract.settle, account.marks | {"USDT": 1.0})
        try:
            if kind == "accrue":
                account = account.accrue(30)
            elif kind == "orders":
                account = account.place_orders(use * max(float(pool.available()), 0.0), pool.currency)
            elif kind == "debt":
                pair = Spot(draw(st.sampled_from(("BTC/USDT", "ETH/USDT"))))
                size = side * use * 40_000 / account.marks[pair.base]
                walled = draw(st.sampled_from((True, False))) or None
                price, borrowed = account.marks[pair.base], "USDT" if side > 0 else pair.base
                account = account.trade(pair, size, price, walled, 4 if walled else None, borrow=borrowed)
            else:
                size = side * use * free * leverage / contract.notional(1, price) * (0.4 if kind == "isolated" else 1)
                account = account.trade(contract, size, price, kind == "isolated", leverage, leg)
        except (ValueError, KeyError):
            continue
    found = [(index, pool.liquidation(index)) for pool in account.pools for index in pool.indices]
    ends = [(index, end.price) for index, sides in found for end in (sides.below, sides.above) if end.price]
    if ends and draw(st.integers(0, 2)):  # a little beyond a line
        index, price = draw(st.sampled_from(ends))
        beyond = draw(st.floats(0, 0.03))
        return account.mark(**{index: price * (1 + beyond if price > account.marks[index] else 1 - beyond)})
    moves = st.sampled_from((1.0, 0.9, 1.1, 0.85, 1.2, 0.7, 1.5, 0.4, 3.0)) | st.floats(0.5, 1.8)
    return account.mark(BTC=50_000 * draw(moves), ETH=2_000 * draw(moves))


@st.composite
def markets(draw, account):
    """Arguments of `follow`: sometimes none, sometimes last prices, an impact, a fund."""
    jumps = st.sampled_from((1.0, 0.97, 1.03, 0.6, 1.6)) | st.floats(0.8, 1.2)
    last = {name: account.marks[name] * draw(jumps) for name in draw(st.sampled_from(((), ("BTC",), ("BTC", "ETH"))))}
    part = draw(st.sampled_from((0.0, 0.0, 0.005, 0.2)))
    if draw(st.booleans()) and part:
        impact = lambda worth: part * worth / (worth + 50_000)  # noqa: E731
    else:
        impact = part
    return {"last": last, "impact": impact, "fund": draw(st.sampled_from((inf, 0.0, 5.0, 1_000.0)))}


def quote(account, currency):
    return account.marks.get(currency, 1.0)


def worth(account):
    """What an account's balances are worth at its marks, in quote currency."""
    return fsum(amount * quote(account, currency) for currency, amount in account.balances().items())


def gross(account):
    """The size of all that is in an account, in quote currency: what rounding is measured against."""
    coins = fsum(abs(a) * quote(account, c) for p in account.pools for c, a in p.collateral.items())
    return coins + fsum(
        abs(p.notional(min(p.entry, account.marks[p.instrument.index]) if p.instrument.inverse
                       else max(p.entry, account.marks[p.instrument.index]))) * quote(account, p.instrument.settle)
        for pool in account.pools for p in pool.positions
    )  # fmt: skip


def at_line(pool):
    return pool.open and pool.slack() <= 1e-12 * pool.requirement()


@settings(STEADY, max_examples=200)
@given(st.data())
def test_whatever_the_rule_nothing_is_lost_and_every_pool_stands_or_is_settled(data):
    account = data.draw(accounts())
    market = data.draw(markets(account))
    before, after = state(account), account.liquidate(**market)
    found, scale = new(account, after), gross(account)
    size = scale * max(1, *(market["last"].get(n, 1) / account.marks[n] for n in account.marks if n in market["last"]),
                       *(account.marks[n] / market["last"].get(n, inf) for n in account.marks))  # fmt: skip
    assert state(account) == before
    for step in found:
        assert step.kind in ORDER and set(step.flows) <= {TRADER, FUND, COUNTERPARTIES}
        assert all(map(isfinite, (*step.flows.values(), step.lost, step.surplus, step.shortfall, step.quantity)))
        assert fsum(step.flows.values()) * quote(account, step.currency) == pytest.approx(0, abs=1e-11 * size)
    gained = fsum(step.flows.get(TRADER, 0) * quote(account, step.currency) for step in found)
    assert worth(after) - worth(account) == pytest.approx(gained, abs=1e-11 * size)
    touched = {step.pool for step in found}
    assert touched == {pool.name for pool in account.pools if at_line(pool)}
    for pool in account.pools:
        kept = next((p for p in after.pools if p.name == pool.name), None)
        stays(pool, kept, [step for step in found if step.pool == pool.name], after, 1e-11 * size)
    if account.venue.account_mode == "single-currency" and account.venue.surplus_to == FUND:
        replayed(account, after, found, 1e-11 * size)
    if not any(step.kind == TAKE for step in found):  # one may take more than the fund has
        drawn(account, found, market["fund"], 1e-11 * size)
    assert after.liquidate(**market) is after and after.liquidate() is after


@settings(STEADY, max_examples=60)
@given(accounts(multi=True), st.sampled_from((0.0, 0.025, 0.5)))
def test_debts_that_are_repaid_cost_the_discount_and_no_coin_is_oversold(account, discount):
    pool = account.cross
    after, events = repay_debts(discount)(pool, None)
    cost = fsum(event.flows[TRADER] for event in events)
    assert after.worth() - pool.worth() == pytest.approx(cost, abs=1e-11 * gross(account))
    owed = {c: max(0.0, -amount) for c, amount in pool.sums(pool.marks).items()}
    assert bool(events) <= any(owed.values()) and (cost < 0) == (bool(events) and discount > 0)
    for currency, amount in pool.collateral.items():
        moved, few = after.collateral[currency] - amount, 1e-9 * (1 + abs(amount))
        assert -max(amount, 0) - few <= moved <= owed[currency] + few
        assert (moved > 0) <= (owed[currency] > 0) and (moved < 0) <= (owed[currency] == 0)
    assert repay_debts(discount)(after, None)[1] == []


def stays(pool, kept, found, after, rounding):
    """What became of one pool."""
    if not found:
        assert kept.positions == pool.positions
        assert not pool.isolated or kept.collateral == pool.collateral
        return
    rank = [ORDER[step.kind] for step in found]
    assert rank == sorted(rank) and rank.count(ORDER[ALL]) <= 1 and rank.count(ORDER[CANCEL]) == (pool.orders > 0)
    *fills, end = found if found[-1].kind == ALL else (*found, None)
    for first, then in pairwise(fills):
        assert first.after == then.before
    if fills:
        assert fills[0].before == pool.equity()
    for fill in fills:
        assert fill.kind == CANCEL or (fill.price > 0 and fill.quantity)
        assert fill.kind == TAKE or fill.flows.get(FUND, 0.0) >= 0
        assert fill.shortfall >= 0 and (fill.kind == QUEUE or not fill.shortfall)
    if not end:
        assert kept.slack() > 0 and kept.open and kept.orders == 0
        assert kept.equity() >= fills[-1].after  # more, if an isolated pool was closed later and returned something
        assert {fill.kind for fill in fills} <= {CANCEL, PART}
        return
    assert end.surplus >= 0 and end.shortfall >= 0 and end.surplus * end.shortfall == 0 and end.lost >= 0
    assert kept is None if pool.isolated else not kept.open and all(a >= 0 for a in kept.collateral.values())
    if not pool.isolated:
        assert kept.orders == 0


def replayed(account, after, found, rounding):
    """The trader's flows, pool by pool, lead from what a pool held to what it holds."""
    for pool in account.pools:
        if any(set(p.collateral) > {p.currency} for p in account.pools if p.currency == pool.currency):
            continue  # coins are sold, and what is left is credited to the cross pool
        flow = fsum(step.flows[TRADER] for step in found if step.pool == pool.name)
        kept = fsum(p.collateral[p.currency] for p in after.pools if p.name == pool.name)
        unit = quote(account, pool.currency)
        assert kept * unit == pytest.approx((pool.collateral[pool.currency] + flow) * unit, abs=rounding)


def drawn(account, found, fund, rounding):
    """The fund pays what it has, in each currency, and not more."""
    unit = {pool.name: pool.currency for pool in account.pools}
    for currency in set(unit.values()):
        left, price = fund, quote(account, currency)
        for step in found:
            if unit[step.pool] == currency:
                left += step.flows.get(FUND, 0.0) * quote(account, step.currency) / price
        assert left * price >= -rounding


FAULTS = {
    "a last price of almost nothing": (0.9, {"last": {"BTC": 1e-12, "ETH": 1e-12}}),
    "a last price beyond all": (0.9, {"last": {"BTC": 1e15, "ETH": 1e15}}),
    "a jump past every tier": (0.001, {}),
    "a jump up past every tier": (1_000, {}),
    "almost all of the price is impact": (0.8, {"impact": 0.999}),
    "impact by size": (0.8, {"impact": lambda worth: worth / (worth + 1)}),
    "no fund": (0.5, {"fund": 0.0}),
    "everything at once": (0.3, {"fund": 0, "impact": 0.999, "last": {"BTC": 1e-9, "ETH": 1e9}}),
}


def crowded(rule, multi=False):
    """Cross and isolated, long and short, coins and dollars, and a debt."""
    venue = Venue("crowded", assets=ASSETS, hedge_mode=True, both_modes=True, liquidation=rule,
                  account_mode="multi-currency" if multi else "single-currency")  # fmt: skip
    account = Account(venue, **START).mark(BTC=50_000, ETH=2_000)
    account = account.trade(CONTRACTS[0], 10, 50_000, leg="long", leverage=5)
    account = account.trade(CONTRACTS[1], -10, 2_000, leg="short", leverage=5)
    account = account.trade(CONTRACTS[0], -4, 50_000, isolated=2_500, leg="short")
    account = account.trade(CONTRACTS[2], 200, 50_000, isolated=0.05, leg="long")
    account = account.trade(CONTRACTS[3], -100, 2_000, leg="short", leverage=5)
    return account.trade(Spot("BTC/USDT"), 0.4, 50_000, isolated=True, leverage=5, borrow="USDT")


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("partial", ["none", "share", "tiers"])
@pytest.mark.parametrize("scope", ["pool", "position"])
@pytest.mark.parametrize("multi", [False, True])
def test_no_fault_is_an_error_or_not_a_number(name, partial, scope, multi):
    move, market = FAULTS[name]
    account = crowded(process(scope=scope, partial=partial), multi)
    account = account.mark(BTC=50_000 * move, ETH=2_000 * move)
    after = account.liquidate(**market)
    found = new(account, after)
    assert found and balanced(found) and not any(at_line(pool) for pool in after.pools)
    for step in found:
        figures = [*step.flows.values(), step.lost, step.surplus, step.shortfall, step.quantity]
        figures += [f for f in (step.price, step.before, step.after) if f is not None]
        assert all(map(isfinite, figures))
    for pool in after.pools:
        assert all(map(isfinite, pool.collateral.values())) and pool.worth() >= -1e-6
    assert "nan" not in repr(after)


# ------------------------------------------------------------ whatever a trader does

moves = st.sampled_from((1.01, 0.99, 1.05, 0.95, 1.2, 0.8, 0.5))
operations = st.one_of(
    st.tuples(
        st.just("spot"),
        st.sampled_from(("BTC/USDT", "ETH/USDT", "ETH/BTC")),
        st.sampled_from((1, -1, 2, -2, 5, -5, 0.3)),
        st.sampled_from((None, None, True, 0.2)),
    ),
    st.tuples(
        st.just("contract"),
        st.sampled_from((LINEAR, INVERSE, ETHER)),
        st.sampled_from((1, -1, 3, -3, 40)),
        st.sampled_from((None, True)),
    ),
    st.tuples(
        st.sampled_from(("to", "source")),
        st.sampled_from((LINEAR, INVERSE, PAIR)),
        st.floats(0.001, 1),
        st.none(),
    ),
    st.tuples(st.just("funding"), st.sampled_from((LINEAR, INVERSE)), st.floats(-0.05, 0.05), st.none()),
    st.tuples(st.just("accrue"), st.floats(0, 500), st.none(), st.none()),
    st.tuples(st.just("orders"), st.floats(0, 1e4), st.none(), st.none()),
    st.tuples(st.sampled_from(("mark", "at")), st.sampled_from(("BTC", "ETH")), moves, st.none()),
)


def everything(account):
    """All pools in dollars, without haircuts."""
    return fsum(p.worth() * account.marks.get(p.currency, 1.0) for p in account.pools)


def perform(account, kind, what, size, way):
    """The account after one operation, at its marks."""
    if kind == "accrue":
        return account.accrue(what)
    if kind == "orders":
        return account.place_orders(what, account.pools[0].currency)
    if kind == "funding":
        return account.pay_funding(what, size)
    if kind in ("to", "source"):
        currency = account[what].currency
        pool = account.cross_in(currency) if kind == "to" else account[what]
        free = float(pool.withdrawable(currency))
        return account.transfer(size * free, currency, **{kind: what})
    if kind in ("mark", "at"):
        return getattr(account, kind)(**{what: account.marks[what] * size})
    if kind == "contract":
        isolated = {"isolated": True, "leverage": 10} if way else {}
        return account.trade(what, size, account.marks[what.index], **isolated)
    pair = Spot(what)
    price = account.marks[pair.base] / account.marks.get(pair.quote, 1.0)
    isolated = {"isolated": True, "leverage": 5} if way is True else {}
    paid = pair.quote if size > 0 else pair.base
    return account.trade(pair, size, price, borrow=None if way == 0.2 else paid, **isolated)


@settings(STEADY, max_examples=150)
@given(st.sampled_from((venues.TEACHING, venues.TEACHING_MULTI)), st.sampled_from((FUND, TRADER)),
       st.sampled_from((0.0, 1.0)), st.lists(operations, min_size=3, max_size=14))  # fmt: skip
def test_only_prices_payments_and_liquidations_change_what_an_account_is_worth(base, keeper, opening, steps):
    rules = replace(base, surplus_to=keeper, interest=Interest(opening=opening))
    account = Account(rules, USDT=60_000, BTC=2, ETH=20).mark(BTC=50_000, ETH=2_000)
    for step in steps:
        was = {p.name: (dict(p.collateral), p.positions) for p in account.pools}
        try:
            after = perform(account, *step)
        except (ValueError, KeyError) as error:
            assert str(error)
            continue
        assert {p.name: (dict(p.collateral), p.positions) for p in account.pools} == was  # a new account
        change, cost, scale = everything(after), 0.0, 1e-9 * (abs(everything(account)) + 1e6)
        for event in after.events[len(account.events) :]:
            assert fsum(event.flows.values()) == pytest.approx(0, abs=1e-9 * (1 + max(map(abs, event.flows.values()))))
            unit = after.marks.get(event.currency, 1.0)
            if event.kind == "interest":
                assert event.flows[LENDER] == -event.flows[TRADER] > 0
                cost += event.flows[LENDER] * unit
            elif event.kind == "funding":
                cost -= event.flows[TRADER] * unit
            elif event.kind == "liquidation":
                cost += (event.flows[FUND] if event.surplus else -event.shortfall) * unit
        if step[0] in ("mark", "at"):
            account = account.mark(**{step[1]: after.marks[step[1]]})
        assert change == pytest.approx(everything(account) - cost, abs=scale)
        if step[0] == "at":
            assert all(pool.slack() > 0 for pool in after.pools if pool.open)
        account = after


@STEADY
@given(
    st.sampled_from((LINEAR, ETHER, INVERSE)),
    st.sampled_from((1, -1)),
    st.floats(1.2, 40),
    st.floats(-7, 7),
    st.sampled_from((FUND, TRADER)),
    st.sampled_from((FUND, COUNTERPARTIES)),
)
def test_an_isolated_trade_never_loses_more_than_its_margin_gaps_included(contract, side, leverage, gap, keeper, payer):
    price = 2_000.0 if contract is ETHER else 50_000.0
    start = 2.0 if contract is INVERSE else 100_000.0
    margin, settle = start / 4, contract.settle
    size = side * margin * leverage / contract.notional(1, price)
    venue = replace(venues.TEACHING_TIERS, surplus_to=keeper, shortfall_to=payer)
    account = Account(venue, **{settle: start}).mark(**{contract.index: price})
    account = account.trade(contract, size, price, isolated=margin)
    there = price * exp(gap)
    after = account.at(**{contract.index: there})
    equity = margin + contract.pnl(size, price, there)
    if not after.liquidations:
        assert equity > 0 and after.balances()[settle] == pytest.approx(start)
        return
    (record,) = after.liquidations
    rounding = {"abs": 1e-11 * (abs(equity) + margin)}
    assert after.balances()[settle] >= start - margin - 1e-9
    assert record.lost <= margin * (1 + 1e-12)
    assert record.shortfall == pytest.approx(max(0.0, -equity), **rounding)
    assert record.surplus == pytest.approx(max(0.0, equity), **rounding)
    fund = record.surplus * (keeper == FUND) - record.shortfall * (payer == FUND)
    assert record.flows[FUND] == pytest.approx(fund, **rounding)
