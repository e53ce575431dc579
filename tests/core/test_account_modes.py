"""Account modes: what each has a place for, and what changing between them moves. Forced exchange."""

import numpy as np
import pytest

from marginlab import (
    Account,
    Asset,
    Future,
    Option,
    Perpetual,
    Pool,
    Position,
    Refused,
    Spot,
    Tiers,
    replace,
    venues,
)
from marginlab.ledger import tally
from marginlab.liquidation import ranked, repay_debts

BTC = Perpetual("BTC-USDT", "BTC", "USDT", tiers=Tiers.flat(0.004))
CALL = Option("C", "BTC", "USDT", kind="call", strike=60_000, expiry=30)
MARKET = {"BTC": 50_000, "BTC vol": 0.6}
MULTI = replace(venues.OKX_MULTI, assets={"*": Asset(loan=Tiers.flat(0.05))})


def opened(venue, **how):
    return Account(venue, BTC=1, USDT=20_000).mark(**MARKET).trade(BTC, 0.2, 50_000, **how)


def test_pools_of_each_currency_become_one_and_back():
    before = opened(venues.OKX, isolated=1_000).trade(BTC, -0.1, 51_000, isolated=False)
    one = before.change_mode(MULTI)
    assert len(one.pools) == 2 and one.balances() == before.balances()
    assert one.cross.worth() == pytest.approx(50_000 + 19_000 + 100)  # the coin, the rest, a gain
    assert one[BTC, "isolated"].liquidation().price == before[BTC, "isolated"].liquidation().price
    back = one.change_mode(venues.OKX)
    assert {p.name: p.worth() for p in back.pools} == {p.name: p.worth() for p in before.pools}
    assert [e.kind for e in back.events[-2:]] == ["mode", "mode"]
    assert back.events[: len(before.events)] == before.events


@pytest.mark.parametrize(
    ("account", "to", "reason"),
    [
        (Account(venues.OKX, USDT=9_999), MULTI, "at least 10,000 USD, and there are 9,999"),
        (opened(venues.BYBIT_UTA, isolated=1_000), venues.BYBIT_CROSS, "no isolated margin"),
        (opened(venues.BYBIT_CROSS), venues.BYBIT_ISOLATED, "no cross margin"),
        (
            Account(venues.OKX_MULTI, USDT=20_000).mark(**MARKET).trade(CALL, 1, 700),
            replace(venues.OKX, allows=("isolated", "cross")),
            "no options",
        ),
        (
            Account(MULTI, USDT=20_000).mark(**MARKET).trade(Spot("BTC/USDT"), 1, 50_000, borrow="USDT"),
            replace(venues.OKX, allows=("isolated", "cross")),
            "no loans",
        ),
        (opened(venues.OKX).place_orders(100, "USDT"), MULTI, "cancel open orders first"),
        (
            Account(MULTI, BTC=1).mark(**MARKET).trade(BTC, 2, 50_000),
            venues.OKX,
            "short of its margin",
        ),
    ],
)
def test_a_change_of_mode_is_refused_with_its_reason(account, to, reason):
    with pytest.raises(Refused, match=reason):
        account.change_mode(to)


def test_a_mode_refuses_what_it_has_no_place_for():
    isolated = Account(venues.BYBIT_ISOLATED, BTC=1, USDT=5_000).mark(**MARKET)
    for trade in (
        lambda: isolated.trade(BTC, 0.1, 50_000),
        lambda: isolated.trade(CALL, 1, 700, isolated=2_000),
        lambda: isolated.trade(Spot("BTC/USDT"), 0.1, 50_000, isolated=0.01, borrow="USDT"),
        lambda: (
            Account(replace(venues.TEACHING, allows=("cross",)), BTC=2)
            .mark(BTC=50_000)
            .trade(Spot("BTC/USDT"), 1, 50_000, borrow="USDT")
        ),
        lambda: opened(venues.BINANCE_MULTI_ASSETS, isolated=1_000),
        lambda: opened(venues.DERIBIT, isolated=1_000),
    ):
        with pytest.raises(Refused, match=r"has no|does not lend"):
            trade()
    assert isolated.trade(BTC, 0.1, 50_000, isolated=500)[BTC].isolated


def test_a_forced_exchange_sells_at_a_discount_before_the_line():
    open_too = replace(venues.BINANCE_MULTI_ASSETS, exchange=repay_debts(0.025, above=5_000))
    held = Account(open_too, BTC=2).mark(BTC=50_000).trade(BTC, 4, 50_000)
    assert held.at(BTC=48_750).balances() == {"BTC": 2, "USDT": 0}  # 5,000 owed, and no more
    after = held.at(BTC=48_000)  # 8,000 lost, and not a USDT there
    assert after.balances() == pytest.approx({"BTC": 2 - 8_000 / 0.975 / 48_000, "USDT": 8_000})
    assert after.cross.worth() == pytest.approx(88_000 - 8_000 * (1 / 0.975 - 1))
    assert after.events[-1].kind == "exchange" and after.cross.open
    assert sum(tally(after.events)["USD"].values()) == 0
    assert after.at(BTC=48_000).events == after.events


def test_where_only_realised_debts_count_an_open_loss_sells_nothing_and_the_rest_stays():
    held = Account(venues.BINANCE_MULTI_ASSETS, BTC=2).mark(BTC=50_000).trade(BTC, 4, 50_000)
    lower = held.mark(BTC=48_000)
    assert lower.at().events == held.events
    for size, owed in ((-3, 6_000), (-4, 8_000)):
        after = lower.trade(BTC, size, 48_000).at()  # nothing but a coin is left at -4
        sold = owed / 0.975 / 48_000
        assert after.balances() == pytest.approx({"BTC": 2 - sold, "USDT": 0})
        assert [e.kind for e in after.events[len(held.events) :]] == ["trade", "exchange"]


def test_debts_are_repaid_largest_first_as_far_as_coins_go():
    assets = {c: Asset(loan=Tiers.flat(0.05)) for c in ("BTC", "ETH", "USDT", "USDC")}
    venue = replace(MULTI, assets=assets)
    marks = {"BTC": 50_000, "ETH": 2_000}
    pool = Pool("USD", {"BTC": 0.5, "ETH": 3, "USDT": -20_000, "USDC": -9_000}, (), venue, marks)
    after, events = repay_debts(discount=0.1)(pool, None)
    # 20,000 / 0.9 of the bitcoin; for USDC all of the ether, 5,400, then 2,500 for the rest of it
    assert after.collateral == pytest.approx({"BTC": 0, "ETH": 0, "USDT": 0, "USDC": -1_100})
    assert [e.flows["trader"] for e in events] == pytest.approx([-20_000 / 9, -600, -2_500 / 9])
    assert after.worth() - pool.worth() == pytest.approx(sum(e.flows["trader"] for e in events))
    assert repay_debts(above=29_000)(pool, None) == (pool, [])
    with pytest.raises(ValueError, match="discount must be from 0 to below 1"):
        repay_debts(discount=1)


def test_under_a_scan_what_adds_most_is_closed_first():
    venue = replace(venues.TEACHING_PORTFOLIO, price_band=9)
    future = Future("BTC-Q", "BTC", "USDT", expiry=90)
    hedged = [Position(BTC, 1, 50_000), Position(future, -3, 50_000)]
    pool = Pool("USD", {"USDT": 50_000}, hedged, venue, MARKET)
    assert [p.label for p in ranked(pool)] == ["short BTC-Q", "long BTC-USDT"]
    smaller = pool.but(positions=[hedged[0], Position(future, -0.8, 50_000)])
    assert ranked(smaller)[0].label == "long BTC-USDT"  # without it 0.8 is left, without the other 1


LONGER = Future("BTC-Q", "BTC", "USDT", expiry=90, tiers=Tiers.flat(0.01))


@pytest.mark.parametrize(("netting", "required"), [("none", 3_700), ("contract", 3_300), ("index", 1_900)])
def test_of_longs_and_shorts_that_net_the_larger_side_is_charged(netting, required):
    venue = replace(venues.TEACHING, hedge_mode=True, netting=netting)
    held = [Position(BTC, 9, 50_000), Position(LONGER, -3, 50_000), Position(BTC, -2, 50_000)]
    pool = Pool("USDT", {"USDT": 20_000}, held, venue, MARKET)
    assert pool.requirement() == pytest.approx(required)
    assert sum(pool.parts(BTC=51_000).values()) == pytest.approx(pool.slack(BTC=51_000))
    assert pool.slack(BTC=pool.liquidation("BTC").below.price) == pytest.approx(0, abs=1e-6)
    rows = pool.requirement(BTC=np.array([40_000.0, 50_000.0]))
    assert rows == pytest.approx([0.8 * required, required])
    half = [replace(p, leverage=(0.5 / rate)) for p, rate in zip(held, (0.004, 0.01, 0.004), strict=True)]
    assert pool.but(positions=half).requirement(kind="initial") == pytest.approx(2 * required)
    assert replace(pool, isolated=True).requirement() == pytest.approx(3_700)


def test_a_change_of_mode_keeps_top_up_and_the_part_of_a_debt_that_bears_no_interest():
    venue = replace(venues.TEACHING_TOP_UP, interest=replace(venues.KRAKEN_SPOT.interest))
    account = Account(venue, USDT=10_000, BTC=1).mark(**MARKET)
    account = account.trade(BTC, 0.1, 50_000, isolated=500).top_up(BTC)
    account = account.trade(Spot("BTC/USDT"), 0.2, 50_000, borrow="USDT")
    free = account.cross_in("BTC").interest_free
    assert free["USDT"] > 0
    multi = replace(MULTI, interest=venue.interest, topping_up=venue.topping_up)
    one = account.change_mode(replace(multi, assets={"*": replace(venues.TEACHING.asset("BTC"))}))
    assert one[BTC].tops_up and one.cross.interest_free == {"USDT": free["USDT"]}
    assert not account.change_mode(replace(one.venue, topping_up=None))[BTC].tops_up


def test_a_mode_says_no_wherever_a_position_or_a_debt_would_begin():
    shared = replace(venues.TEACHING_UNIFIED, allows=("cross", "loans"))
    pair = Spot("BTC/USDT")
    account = Account(shared, BTC=1, USDT=5_000).mark(**MARKET)
    with pytest.raises(Refused, match="no isolated margin"):
        account.trade(pair, 0.1, 50_000, isolated=0.05, borrow="USDT")
    with pytest.raises(Refused, match="no isolated margin"):
        account.trade(BTC, 0.1, 50_000).switch(BTC, isolated=500)
    walled = Account(venues.TEACHING, BTC=1, USDT=1).mark(**MARKET)
    walled = walled.trade(pair, 0.1, 50_000, isolated=0.05, borrow="USDT")
    with pytest.raises(Refused, match="no isolated margin"):
        walled.change_mode(shared)


def test_scenarios_are_of_one_price():
    pool = Pool("USD", {"USDT": 5e4}, [Position(BTC, 1, 50_000)], venues.TEACHING_PORTFOLIO, MARKET)
    with pytest.raises(ValueError, match="the price of BTC must be one number"):
        pool.scenarios("BTC", BTC=np.array([4e4, 5e4]))


def test_a_side_behind_a_wall_of_its_own_stays_there():
    account = Account(venues.TEACHING_BOTH, USDT=20_000).mark(**MARKET)
    account = account.trade(BTC, 0.1, 50_000, isolated=1_000, leg="long")
    after = account.change_mode(venues.TEACHING_UNIFIED)
    assert [key for key in after.held if key[0] == "contract"] == [("contract", "BTC-USDT", "long")]
    more = after.trade(BTC, -0.1, 50_000, isolated=1_000, leg="short")
    assert [p.name for p in more.pools] == ["cross", "isolated BTC-USDT long", "isolated BTC-USDT short"]


def test_between_modes_of_one_kind_pools_stay_as_they_are():
    account = Account(venues.TEACHING, BTC=2).mark(**MARKET)
    account = account.trade(Spot("BTC/USDT"), 1, 50_000, borrow="USDT")  # owed in the pool of BTC
    after = account.change_mode(replace(venues.TEACHING, name="another", fee=0.01, fee_at="price"))
    assert after.venue.name == after.cross_in("BTC").venue.name == "another"
    assert after.cross_in("BTC").collateral == {"BTC": 3, "USDT": -50_000}
    assert after.cross_in("BTC").requirement() > account.cross_in("BTC").requirement()


def test_a_scan_nets_by_itself():
    held = [Position(BTC, 1, 50_000), Position(LONGER, -1, 50_000)]
    plain = Pool("USD", {"USDT": 5e4}, held, venues.TEACHING_PORTFOLIO, MARKET)
    netted = replace(plain, venue=replace(plain.venue, netting="index"))
    for kind in ("maintenance", "initial"):
        assert netted.requirement(kind=kind) == plain.requirement(kind=kind) > 0
    assert netted.parts() == plain.parts()


@pytest.mark.parametrize("contract", [BTC, CALL], ids=["perpetual", "option"])
def test_a_fill_that_adds_takes_the_leverage_that_is_given(contract):
    one, _ = contract.fill(None, 1, 700, 5)
    assert [contract.fill(one, 1, 700, new)[0].leverage for new in (None, 3)] == [5, 3]
    assert contract.fill(one, -0.5, 700)[0].leverage == 5
