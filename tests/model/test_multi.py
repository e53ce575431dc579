"""Accounts with one cross pool for every currency: haircuts, what may leave, debts out of losses, liquidation."""

from marginlab import replace
from math import fsum, inf

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from marginlab import Account, Asset, Interest, Perpetual, Pool, Position, Spot, Tiers, venues
from marginlab.rules import COUNTERPARTIES, FUND, LENDER, TRADER

STEADY = settings(deadline=None, derandomize=True, database=None)
PAIR = Spot("BTC/USDT")
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
ETHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")
MULTI = venues.TEACHING_MULTI
THREE = Account(MULTI, BTC=2, ETH=10, USDT=10_000).mark(BTC=50_000, ETH=2_000)
BUSY = THREE.trade(LINEAR, 10, 50_000, leverage=5)  # 100,000 of initial margin
LONG = Account(MULTI, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")


def near(value):
    return pytest.approx(value, rel=1e-12)


def sides(found):
    return found.below.price, found.above.price


def haircut(tiers, **more):
    return replace(MULTI, assets={**MULTI.assets, "BTC": replace(MULTI.assets["BTC"], haircut=tiers)}, **more)


def test_all_currencies_are_in_one_pool_in_dollars():
    assert [p.name for p in THREE.pools] == ["cross"] and THREE.cross.currency == "USD"
    assert THREE.balances() == {"BTC": 2, "ETH": 10, "USDT": 10_000}
    for currency in ("BTC", "USDT", "USD", "USDC"):
        assert THREE.cross_in(currency) is THREE.cross
    # 100,000 + 20,000 at 90 %, and 10,000
    assert (THREE.cross.worth(), THREE.cross.equity()) == (near(130_000), near(118_000))
    assert {e.pool for e in THREE.events} == {"cross"}


def test_coins_carry_a_contract_that_settles_in_another_currency():
    # along BTC: 1.8 P + 18,000 + 10,000 + 10 (P - 50,000) = 0.04 P
    assert sides(BUSY.cross.liquidation("BTC")) == (near(472_000 / 11.76), None)
    # worth has no haircut: 2 P + 30,000 + 10 P - 500,000
    assert sides(BUSY.cross.bankruptcy("BTC")) == (near(470_000 / 12), None)
    # along ETH 90,000 + 10,000 are there for 2,000 at any price
    assert sides(BUSY.cross.liquidation("ETH")) == (None, None)


def test_what_may_leave_takes_its_counted_value_along():
    # 118,000 less 100,000: 18,000 are free, 0.4 BTC at 45,000 each, 10 ETH at 1,800, all 10,000 USDT
    pool = BUSY.cross
    assert pool.available() == near(18_000)
    assert (pool.withdrawable("BTC"), pool.withdrawable("ETH")) == (near(0.4), near(10))
    assert (pool.withdrawable("USDT"), pool.withdrawable("USD"), pool.withdrawable("USDC")) == (10_000, 0, 0)
    assert pool.withdrawable() == 0  # of its own currency, dollars
    assert pool.adding(-0.4, "BTC").available() == pytest.approx(0, abs=1e-9)
    assert pool.adding(-10, "ETH").available() == pytest.approx(0, abs=1e-9)


def test_profit_is_available_but_not_withdrawable():
    # at 52,000: 93,600 + 18,000 + 10,000 = 121,600 and a profit of 20,000; initial margin is 104,000
    up = BUSY.mark(BTC=52_000).cross
    assert up.available() == near(37_600) and up.withdrawable("BTC") == near(17_600 / 46_800)
    # at 49,000: 88,200 + 28,000 - 10,000 = 106,200 less 98,000
    down = BUSY.mark(BTC=49_000).cross
    assert down.available() == near(8_200) and down.withdrawable("USDT") == near(8_200)
    # at 48,000: 86,400 + 28,000 - 20,000 = 94,400 less 96,000
    short = BUSY.mark(BTC=48_000).cross
    assert short.available() == near(-1_600) and short.withdrawable("USDT") == near(-1_600)


def test_what_is_not_held_cannot_leave_nor_be_short():
    short = BUSY.mark(BTC=48_000).cross
    assert short.withdrawable("USDC") == short.adding(-1, "USDC").withdrawable("USDC") == 0
    assert THREE.cross.adding(0, "USDC").withdrawable("USDC") == 0


def test_what_may_leave_of_another_coin_in_a_pool_of_bitcoin():
    # 1 BTC and 50 ETH are 3 BTC; 7,500 contracts of 100 USD at 10x take 1.5, so 75,000 USD are free
    book = [Position(INVERSE, 7_500, 50_000, 10)]
    pool = Pool("BTC", {"BTC": 1, "ETH": 50}, book, venues.TEACHING, {"BTC": 50_000, "ETH": 2_000})
    assert pool.withdrawable("ETH") == near(37.5)


def test_what_may_leave_under_a_haircut_in_tiers():
    # of 2 BTC the first counts 0.9 and the second 0.5: 70,000
    for tiers in (Tiers(((0, 0.1), (1, 0.5)), basis="quantity"), Tiers(((0, 0.1), (50_000, 0.5)))):
        account = Account(haircut(tiers), BTC=2).mark(BTC=50_000)
        assert account.cross.withdrawable("BTC") == 2
        # margin 50,000: 20,000 are free, 0.8 of the second coin at 25,000
        some = account.trade(LINEAR, 10, 50_000, leverage=10).cross
        assert some.withdrawable("BTC") == near(0.8)
        # margin 30,000: what stays is 30,000 of the first coin, 2/3 at 45,000
        less = account.trade(LINEAR, 6, 50_000, leverage=10).cross
        assert less.withdrawable("BTC") == near(2 - 2 / 3)
        for pool in (some, less):
            assert pool.adding(-pool.withdrawable("BTC"), "BTC").available() == pytest.approx(0, abs=1e-9)
    # the second coin does not count at all: with all of 45,000 in use it may leave, and no more
    account = Account(haircut(Tiers(((0, 0.1), (1, 1.0)), basis="quantity")), BTC=2).mark(BTC=50_000)
    assert account.trade(LINEAR, 9, 50_000, leverage=10).cross.withdrawable("BTC") == near(1)


@settings(STEADY, max_examples=120)
@given(st.floats(0.5, 40), st.floats(0, 2e5), st.floats(-20, 20), st.floats(1.5, 50), st.floats(0.9, 1.1),
       st.sampled_from(("quantity", "notional")), st.sampled_from((0.3, 0.8, 1.0)))  # fmt: skip
def test_after_withdrawing_all_that_may_leave_nothing_is_available(coins, cash, q, leverage, x, basis, last):
    assume(abs(q) > 0.01)
    unit = 1 if basis == "quantity" else 50_000
    tiers = Tiers(((0, 0.05), (3 * unit, 0.2), (10 * unit, last)), basis=basis)
    account = Account(haircut(tiers), BTC=coins, USDT=cash).mark(BTC=50_000)
    try:
        pool = account.trade(LINEAR, q, 50_000, leverage=leverage).mark(BTC=50_000 * x).cross
    except ValueError:
        assume(False)
    out = pool.withdrawable("BTC")
    if out == -inf:  # beyond the tenth a coin counts for nothing: no number of them would do
        assert last == 1.0 and all(pool.adding(more, "BTC").available() < 0 for more in (1, 100, 1e6))
        return
    rest = pool.adding(-out, "BTC")
    profit = max(0.0, pool.positions[0].pnl(50_000 * x))
    assert out <= coins * (1 + 1e-15)
    if out < coins * (1 - 1e-12):
        assert rest.available() - profit == pytest.approx(0, abs=1e-6)
        assert out < 0 or pool.adding(-out * 0.99, "BTC").available() - profit > -1e-6
    else:
        assert rest.available() - profit > -1e-6


def test_a_realised_loss_is_a_debt_with_its_maintenance():
    # long 1 from 50,000 closed at 48,000, without a single USDT: -2,000 owed, 5 % of it required
    account = Account(MULTI, BTC=2).trade(LINEAR, 1, 50_000).mark(BTC=48_000).trade(LINEAR, -1, 48_000)
    assert account.balances() == {"BTC": 2, "USDT": -2_000} and account.cross.open
    pool = account.cross
    assert (pool.equity(), pool.worth(), pool.requirement()) == (near(84_400), near(94_000), near(100))
    assert pool.liquidation("BTC").below.price == near(2_100 / 1.8)
    assert account.accrue(24).balances()["USDT"] == near(-2_000.48)
    assert account.trade(PAIR, -0.5, 48_000).balances() == {"BTC": 1.5, "USDT": near(22_000)}  # sold to repay it


def test_dollars_owed_are_charged_like_any_other_debt():
    # 20,000 at 5 %; 1.8 P = 21,000
    account = Account(MULTI, BTC=2).mark(BTC=50_000).trade(Spot("BTC/USD"), 0.4, 50_000, borrow="USD")
    pool = account.cross
    assert dict(pool.collateral) == {"BTC": 2.4, "USD": -20_000}
    assert pool.requirement() == near(1_000) and pool.requirement(kind="initial") == near(2_000)
    assert pool.liquidation().price == near(21_000 / 2.16)
    assert account.accrue(24).balances()["USD"] == near(-20_004.8)


def test_a_spot_long_in_one_pool():
    # 7 BTC count 315,000 against 250,000; 6.3 P = 262,500
    pool = LONG.cross
    assert dict(pool.collateral) == {"BTC": 7, "USDT": -250_000}
    assert (pool.equity(), pool.worth(), pool.requirement()) == (near(65_000), near(100_000), near(12_500))
    assert sides(pool.liquidation()) == (near(262_500 / 6.3), None)
    assert sides(pool.bankruptcy()) == (near(250_000 / 7), None)  # worth: without haircut
    # what the account has is spent before anything is borrowed
    some = Account(MULTI, BTC=2, USDT=100_000).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")
    assert some.balances() == {"BTC": 7, "USDT": -150_000}
    more = some.trade(PAIR, 1, 50_000, borrow="USDT")  # owed already: all of it is borrowed
    assert more.balances() == {"BTC": 8, "USDT": -200_000}
    assert more.trade(PAIR, -4, 50_000).balances() == {"BTC": 4, "USDT": 0}
    assert more.trade(PAIR, -6, 50_000).balances() == {"BTC": 2, "USDT": 100_000}
    assert more.trade(PAIR, -9, 50_000, borrow="BTC").balances() == {"BTC": -1, "USDT": 250_000}  # a flip


def test_an_isolated_spot_trade_beside_a_multi_currency_pool():
    account = Account(MULTI, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT", isolated=1)
    assert [p.name for p in account.pools] == ["cross", "isolated BTC/USDT"]
    pool = account[PAIR]
    assert (pool.currency, pool.equity()) == ("BTC", 1)  # its own currency in full
    assert pool.liquidation().price == near(43_750)
    done = account.mark(BTC=60_000).trade(PAIR, -5, 60_000)
    assert [p.name for p in done.pools] == ["cross"] and done.balances() == {"BTC": near(2), "USDT": near(50_000)}


def test_a_single_isolated_contract_beside_it():
    account = THREE.trade(LINEAR, 1, 50_000, isolated=5_000)
    assert account.cross.collateral["USDT"] == 5_000 and account[LINEAR].currency == "USDT"
    assert account[LINEAR].liquidation().price == near(45_000 / 0.996)
    assert account.mark(BTC=52_000).trade(LINEAR, -1, 52_000).balances()["USDT"] == 12_000


# -------------------------------------------------------------- liquidation


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


def test_liquidation_begins_where_equity_with_haircuts_meets_the_requirement():
    line = 262_500 / 6.3
    assert not LONG.at(BTC=line * (1 + 1e-9)).liquidations and LONG.at(BTC=line).liquidations


def test_a_contracts_loss_is_paid_out_of_the_coins():
    # long 10 at 40,000: 1.8 * 40,000 + 28,000 - 100,000 = 0; worth 10,000 of 110,000, all of it haircut
    after = BUSY.at(BTC=40_000)
    (record,) = after.liquidations
    assert after.balances() == {"USD": near(10_000)}
    assert record.flows == {TRADER: near(-100_000), FUND: pytest.approx(0, abs=1e-9), COUNTERPARTIES: near(100_000)}
    assert record.lost == near(100_000) and record.price == 40_000


def test_a_price_just_at_bankruptcy_leaves_nothing_and_misses_nothing():
    for contracts in (9_000, 11_000, 13_000, 17_000):
        account = Account(venues.TEACHING, BTC=1.7).trade(INVERSE, contracts, 50_000, leverage=20)
        (record,) = account.at(BTC=account.cross.bankruptcy().price).liquidations
        assert (record.surplus, record.shortfall) == (0, 0)


def test_a_fee_at_bankruptcy_without_a_leverage_takes_the_whole_pool():
    # short 1 from 50,000 on 10,000: bankrupt at 60,000, 36 of fee; long: at 40,000, 24
    half = replace(LINEAR, tiers=Tiers.flat(0.005))
    for size, fee in ((-1, 36), (1, 24)):
        pool = Pool("USDT", {"USDT": 10_000}, [Position(half, size, 50_000)], venues.BYBIT_UTA)
        assert pool.requirement() == near(250 + fee)
    # at half its worth no price takes the margin of a long; a short is bankrupt at 150,000
    assert Pool("USDT", {"USDT": 0}, [Position(half, 1, 50_000, 0.5)], venues.BYBIT_UTA).requirement() == near(250)
    assert Pool("USDT", {"USDT": 0}, [Position(half, -1, 50_000, 0.5)], venues.BYBIT_UTA).requirement() == near(340)


# ------------------------------------------------------------- conservation

moves = st.sampled_from((1.01, 0.99, 1.05, 0.95, 1.2, 0.8, 0.5))
operations = st.lists(
    st.one_of(
        st.tuples(st.just("spot"), st.sampled_from(("BTC/USDT", "ETH/USDT", "ETH/BTC")),
                  st.sampled_from((1, -1, 2, -2, 5, -5, 0.3)), st.sampled_from((None, None, True, 0.2))),
        st.tuples(st.just("contract"), st.sampled_from((LINEAR, INVERSE, ETHER)), st.sampled_from((1, -1, 3, -3, 40)),
                  st.sampled_from((None, True))),
        st.tuples(st.just("accrue"), st.floats(0, 500), st.none(), st.none()),
        st.tuples(st.just("mark"), st.sampled_from(("BTC", "ETH")), moves, st.none()),
        st.tuples(st.just("at"), st.sampled_from(("BTC", "ETH")), moves, st.none()),
    ),
    min_size=3,
    max_size=14,
)  # fmt: skip


def perform(account, kind, what, size, way):
    """The account after one operation, at its marks."""
    if kind == "accrue":
        return account.accrue(what)
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


def worth(account):
    """All pools in dollars, without haircuts."""
    return fsum(p.worth() * account.marks.get(p.currency, 1.0) for p in account.pools)


@settings(STEADY, max_examples=250)
@given(st.sampled_from((venues.TEACHING, MULTI)), st.sampled_from((FUND, TRADER)), st.sampled_from((0.0, 1.0)),
       operations)  # fmt: skip
def test_only_prices_interest_and_liquidations_change_what_an_account_is_worth(base, keeper, opening, steps):
    rules = replace(base, surplus_to=keeper, interest=Interest(opening=opening))
    account = Account(rules, USDT=60_000, BTC=2, ETH=20).mark(BTC=50_000, ETH=2_000)
    for step in steps:
        was = {p.name: (dict(p.collateral), p.positions) for p in account.pools}
        try:
            after = perform(account, *step)
        except ValueError as error:
            assert str(error)
            continue
        assert {p.name: (dict(p.collateral), p.positions) for p in account.pools} == was  # a new account
        change, cost, scale = worth(after), 0.0, 1e-9 * (abs(worth(account)) + 1e6)
        for event in after.events[len(account.events) :]:
            assert fsum(event.flows.values()) == pytest.approx(0, abs=1e-9 * (1 + max(map(abs, event.flows.values()))))
            unit = after.marks.get(event.currency, 1.0)
            if event.kind == "interest":
                assert event.flows[LENDER] == -event.flows[TRADER] > 0
                cost += event.flows[LENDER] * unit
            elif event.kind == "liquidation":
                cost += (event.flows[FUND] if event.surplus else -event.shortfall) * unit
        if step[0] in ("mark", "at"):
            account = account.mark(**{step[1]: after.marks[step[1]]})
        assert change == pytest.approx(worth(account) - cost, abs=scale)
        if step[0] == "at":
            assert all(pool.slack() > 0 for pool in after.pools if pool.open)
        account = after


def test_the_margin_for_a_price_is_in_dollars():
    # long 1 on 0.5 BTC, 22,500 at 90 %: at 30,000, x + 13,500 - 20,000 = 120
    account = Account(MULTI, BTC=0.5).trade(LINEAR, 1, 50_000)
    assert account.cross.margin_for(liquidation=30_000) == near(6_620)
    assert account.cross.adding(6_620, "USD").liquidation().price == near(30_000)
    owing = account.cross.adding(-1_000, "USD")  # what is owed has to be repaid first
    assert owing.margin_for(liquidation=30_000) == near(6_620)


def test_one_account_has_no_second_dollar_pool():
    pool = Pool("USD", {"USD": 1_000, "USDT": 1_000}, (), replace(MULTI, assets={"*": Asset(haircut=0.5)}))
    assert pool.equity() == 1_000 and pool.worth() == 2_000 and not pool.own_in_full
    assert replace(pool, isolated=True).equity() == 1_500
