"""What becomes of an account: along a path step by step, as a schedule, beside another, over a map."""

from math import fsum, inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marginlab import (
    Account,
    Funding,
    Spot,
    Tiers,
    Venue,
    compare,
    funding,
    replace,
    schedule,
    steps,
    surface,
    venues,
)
from marginlab.rules import FUND, TRADER
from tests.core.common import ALL, CLOSE, ETHER, INVERSE, LINEAR, PAIR, QUEUE, STEADY, held, near, new
from tests.process import process

CASH = Account(venues.TEACHING, USDT=100_000).mark(BTC=50_000, ETH=2_000)
LONG = CASH.trade(LINEAR, 2, 50_000, isolated=10_000)
CARRY = Account(venues.TEACHING, BTC=2).mark(BTC=50_000)
COLUMNS = ["funding", "interest", "equity", "requirement", "slack", "below", "above", "state"]
CARRY = CARRY.trade(PAIR, 5, 50_000, borrow="USDT").trade(INVERSE, -2_500, 50_000)

# ------------------------------------------------------------------- steps of funding


def paid(account):
    """What the trader paid (+) in funding so far."""
    return fsum(-e.flows[TRADER] for e in account.events if e.kind == "funding")


def done(account):
    """Kinds of all that was not a deposit or a trade."""
    return [e.kind for e in account.events if e.kind not in ("deposit", "trade")]


def last(accounts):
    *_, account = accounts
    return account


def test_steps_mark_first_and_pay_at_the_new_price():
    first, second = steps(CASH.trade(LINEAR, 2, 50_000), {LINEAR: [0.0001, 0.0002]}, {"BTC": [40_000, 60_000]})
    assert held(first) == {"cross USDT": {"USDT": near(99_992)}} and first.marks["BTC"] == 40_000
    assert held(second) == {"cross USDT": {"USDT": near(99_968)}} and second.marks["BTC"] == 60_000


def test_what_is_closed_by_the_price_pays_no_more():
    account = CASH.trade(LINEAR, 2, 50_000, isolated=10_000)
    found = list(steps(account, {LINEAR: [0.0001] * 3}, {"BTC": [49_000, 45_000, 60_000]}))
    assert [done(a) for a in found] == [["funding"], ["funding", "liquidation"], ["funding", "liquidation"]]
    assert [paid(a) for a in found] == [near(9.8)] * 3 and held(found[2]) == {"cross USDT": {"USDT": 90_000}}


def test_prices_that_move_before_a_payment_close_before_it():
    # a receipt of 3,000 would have carried it, but comes too late
    account = Account(venues.TEACHING, USDT=10_000).trade(LINEAR, 2, 50_000)
    found = last(steps(account, {LINEAR: [-0.033]}, {"BTC": [45_000]}))
    assert done(found) == ["liquidation"] and paid(found) == 0


def test_a_payment_closes_what_it_takes_below_the_line():
    account = Account(venues.TEACHING, USDT=1_000).trade(LINEAR, 1, 50_000)  # 1,000 against 200: 800 to spare
    assert done(last(steps(account, {LINEAR: [0.0159]}))) == ["funding"]
    after = last(steps(account, {LINEAR: [0.016, 0.016]}))
    assert done(after) == ["funding", "liquidation"] and paid(after) == near(800)
    assert after.liquidations[0].surplus == near(200)


def test_interest_comes_before_funding_and_the_venue_after_it():
    found = last(steps(CARRY, {INVERSE: [0.0001]}))
    assert done(found) == ["interest", "funding"]
    # just above its line: interest takes it below, and a receipt back
    thin = Account(venues.TEACHING, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")
    thin = thin.trade(INVERSE, -1, 50_000)
    thin = thin.mark(BTC=thin.cross.liquidation().price + 0.5)
    assert thin.cross.slack() > 0 > thin.accrue(8).cross.slack()
    assert thin.accrue(8).pay_funding(INVERSE, 0.9).cross.slack() > 0
    assert done(last(steps(thin, {INVERSE: [0.9]}))) == ["interest", "funding"]
    assert done(last(steps(thin, {INVERSE: [0.0]}))) == ["interest", "liquidation"]
    # what the price closes owes no interest any more
    assert done(last(steps(thin, {INVERSE: [0.9]}, {"BTC": [37_000]}))) == ["liquidation"]


def test_liquidated_at_an_unchanged_price_after_the_predicted_number_of_payments():
    # 10,000 - 400 of requirement at 100 for a payment: the 96th leaves nothing to spare
    account = CASH.trade(LINEAR, 2, 50_000, isolated=10_000)
    assert funding.payments_left(account[LINEAR], 0.001) == 96
    found = list(steps(account, {LINEAR: [0.001] * 100}))
    assert [bool(a.liquidations) for a in found] == [False] * 95 + [True] * 5
    assert paid(found[-1]) == near(9_600) and [len(done(a)) for a in (found[94], found[95], found[99])] == [95, 97, 97]


def test_a_spot_long_and_a_short_contract():
    # 250,000 USDT owed at 0.024 % a day; 250,000 contracts' worth, 5 BTC, receives 0.0005 BTC a time
    debt = 250_000 * 1.00008**3
    after = last(steps(CARRY, {INVERSE: [0.0001] * 3}))
    assert after.balances() == {"BTC": near(7.0015), "USDT": near(-debt)}
    after = last(steps(CARRY, {INVERSE: [0.0001] * 3}, hours=1))
    assert after.balances() == {"BTC": near(7.0015), "USDT": near(-250_000 * 1.00001**3)}
    assert last(steps(CARRY, {INVERSE: [0.0001] * 3}, hours=0)).balances()["USDT"] == -250_000
    hourly = replace(venues.TEACHING, funding=venues.HYPERLIQUID_FUNDING)
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


# ------------------------------------------------------------------- steps of prices


def two(**rule):
    """10 of each at 100, isolated: at the line at 88.9, bankrupt at 80."""
    venue = Venue("flat", tiers={"*": Tiers.flat(0.1)}, liquidation=process(**rule))
    account = Account(venue, USDT=1_000).mark(BTC=100, ETH=100)
    return account.trade(LINEAR, 10, 100, isolated=200).trade(ETHER, 10, 100, isolated=200)


def seen(before, after):
    """Kind, and contract or pool, of what was added to the ledger."""
    return [(e.kind, e.contract or e.pool) for e in new(before, after)]


def test_it_gives_one_step_after_the_other():
    path = steps(two(), prices={"BTC": [95, 88]})
    assert iter(path) is path and next(path).marks["BTC"] == 95 and next(path).liquidations
    assert next(path, None) is None


def test_the_last_price_fills_and_does_not_trigger():
    last = {"BTC": [50, 90, 1], "ETH-USDT": [1, 1, 1]}
    found = list(steps(two(), prices={"BTC": [95, 88, 80]}, last=last, impact=0.01))
    assert seen(found[0], found[1]) == [(CLOSE, "BTC-USDT"), (ALL, "isolated BTC-USDT")]
    assert not found[0].liquidations and found[1].events[-2].price == near(89.1) and seen(found[1], found[2]) == []


def test_a_gap_is_one_step():
    (after,) = steps(two(), prices={"BTC": [50]}, fund=100)
    closed, queued, end = after.events[-3:]
    assert (closed.price, closed.quantity) == (50, near(-10 / 3)) and queued.price == near(80)
    assert (queued.shortfall, end.shortfall, end.flows[FUND]) == (near(200), near(300), near(-100))
    *_, after = steps(two(), prices={"BTC": list(range(99, 49, -1))}, fund=100)  # one by one it ends at 88
    assert after.liquidations[0].surplus == near(80) and seen(two(), after) == [(ALL, "isolated BTC-USDT")]


@pytest.mark.parametrize("fund, shortfalls", [(30, [0, 30]), ({"USDT": 30}, [0, 30]), (60, [0, 0]), (0, [20, 40]),
                                              (inf, [0, 0]), ({"USDT": 0, "BTC": 90}, [20, 40])])  # fmt: skip
def test_the_fund_is_for_the_whole_path(fund, shortfalls):
    given = dict(fund) if isinstance(fund, dict) else None
    found = list(steps(two(), prices={"BTC": [78, 78, 78], "ETH": [100, 100, 76]}, fund=fund))  # 20 and then 40 missing
    borne = [fsum(e.shortfall for e in found[-1].events if e.kind == QUEUE and e.contract == symbol)
            for symbol in ("BTC-USDT", "ETH-USDT")]  # fmt: skip
    assert borne == [near(shortfall) for shortfall in shortfalls]
    assert given is None or fund == given  # as it was
    assert [len(account.liquidations) for account in found] == [1, 1, 2]


def test_what_one_step_leaves_is_there_in_a_later_one():
    (*_, after) = steps(two(), prices={"BTC": [88, 88], "ETH": [100, 71]}, fund=5)  # 80 left over, then 90 missing
    assert fsum(e.shortfall for e in after.events if e.kind == QUEUE) == near(5)
    assert fsum(e.flows.get(FUND, 0) for e in after.events) == near(-5)


def test_funding_draws_on_the_same_fund():
    # 5 % of 900: 100 less 45 for 90; closed after the payment, at the last price
    (after,) = steps(two(), {LINEAR: [0.05]}, {"BTC": [90]}, last={"BTC": [72]}, fund=10)
    assert [k for k, _ in seen(two(), after)] == ["funding", CLOSE, QUEUE, ALL]
    missing = 280 - (200 - 45)
    assert after.liquidations[0].shortfall == near(missing) and after.liquidations[0].flows[FUND] == near(-10)
    assert after.events[-2].shortfall == near(missing - 10)


def test_what_was_closed_pays_no_more_and_its_prices_are_passed_over():
    prices = {"BTC-USDT": [88, 95, 95], "BTC": [100, 100, 100], "ETH": [100, 100, 88]}
    found = list(steps(two(), {LINEAR: [0.001] * 3}, prices, last={"BTC-USDT": [88, 1, 1]}))
    # where a last price is stated, fills are written down; that of BTC is passed over once it is closed
    assert [k for k, _ in seen(two(), found[-1])] == [CLOSE, ALL, ALL]
    assert "BTC-USDT" not in found[0].marks and found[-1].events[-1].price == 88


def test_a_price_may_be_of_what_is_marked_and_not_open():
    start = Account(two().venue, USDT=1_000).mark(BTC=100, ETH=100).trade(LINEAR, 10, 100)
    (after,) = steps(start, prices={"ETH": [90]})
    assert after.marks["ETH"] == 90


@STEADY
@given(st.lists(st.tuples(st.integers(60, 130), st.integers(60, 130), st.integers(60, 130)), min_size=1, max_size=5),
       st.sampled_from((0, 25, inf)), st.sampled_from((0.0, 0.02)),
       st.sampled_from(("none", "share", "tiers")))  # fmt: skip
def test_a_path_is_its_steps_one_by_one(rows, fund, impact, partial):
    start = by_hand = two(partial=partial)
    btc, eth, last = zip(*rows, strict=True)
    found = list(steps(start, prices={"BTC": btc, "ETH": eth}, last={"BTC": last}, impact=impact, fund=fund))
    for after, (one, other, fill) in zip(found, rows, strict=True):
        start_at = len(by_hand.events)
        by_hand = by_hand.mark(BTC=one, ETH=other)
        by_hand = by_hand.liquidate({"BTC": fill}, impact, fund)
        fund = max(0.0, fund + fsum(e.flows.get(FUND, 0) for e in by_hand.events[start_at:]))
        assert after.balances()["USDT"] == near(by_hand.balances()["USDT"])
        assert [p.positions for p in after.pools] == [p.positions for p in by_hand.pools]
        for e in after.events[len(start.events) :]:
            assert fsum(e.flows.values()) == pytest.approx(0, abs=1e-9)
    flow = fsum(e.flows[TRADER] for e in found[-1].events[len(start.events) :])
    assert found[-1].balances()["USDT"] == pytest.approx(start.balances()["USDT"] + flow, abs=1e-8)
    assert fund >= 0 and all(p.worth() >= -1e-8 for p in found[-1].pools)


# ------------------------------------------------------------------- the schedule


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
    assert list(frame.index) == [
        (1, "isolated BTC-USDT"),
        (2, "isolated BTC-USDT"),
    ]  # nothing is open in the cross pool
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
    assert list(frame.index) == [(1, cross), (1, walled), (2, cross), (2, walled), (3, cross)]
    assert frame.xs(cross, level="pool").funding.tolist() == [near(-40)] * 3
    assert frame.xs(cross, level="pool").state.tolist() == ["open"] * 3
    agrees(frame.loc[(3, cross)], both.cross.adding(-120))
    first, last = frame.loc[(1, walled)], frame.loc[(2, walled)]
    assert (first.funding, first.state) == (near(-98), "open")
    assert (last.funding, last.interest, last.equity, last.requirement, last.slack) == (0, 0, 0, 0, 0)
    assert isnan(last.below) and isnan(last.above) and last.state == "liquidated"


def test_a_payment_that_closes_its_pool_is_in_its_row():
    frame = schedule(LONG, {LINEAR: [0.05, 0.05, 0.05]})  # 5,000 at a time of 9,600 to spare
    assert list(frame.index) == [(1, "isolated BTC-USDT"), (2, "isolated BTC-USDT")]
    assert frame.funding.tolist() == [near(-5_000)] * 2 and frame.state.tolist() == ["open", "liquidated"]
    assert frame.equity.tolist() == [near(5_000), 0]


def test_where_several_indices_move_a_pool_there_is_no_single_price():
    account = CASH.trade(LINEAR, 2, 50_000).trade(ETHER, 5, 2_000)
    frame = schedule(account, {LINEAR: [0.0001], ETHER: [0.0001]})
    assert list(frame.index) == [(1, "cross USDT")] and frame.funding.tolist() == [near(-11)]
    assert isnan(frame.below.iloc[0]) and isnan(frame.above.iloc[0]) and frame.state.tolist() == ["open"]


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


# ------------------------------------------------------- two accounts side by side

ME = Account(venues.TEACHING, BTC=10).mark(BTC=50_000)
SAFE = ME.trade(INVERSE, 25_000, 50_000, isolated=5)
TWO = Account(venues.TEACHING, BTC=2).mark(BTC=50_000)
OWING = TWO.trade(PAIR, 5, 50_000, borrow="USDT")
MULTI = Account(venues.TEACHING_MULTI, BTC=2, ETH=10).mark(BTC=50_000, ETH=2_000)
HELD = MULTI.trade(LINEAR, 1, 50_000, leverage=10).trade(PAIR, 1, 50_000, borrow="USDT")


def test_compare_puts_before_after_and_change_side_by_side():
    table = compare(SAFE, SAFE.transfer(2, "BTC", to=INVERSE))
    assert table.loc[("isolated BTC-USD", "balance, BTC")].tolist() == [5, 7, 2]
    assert table.loc[("cross BTC", "balance, BTC")].tolist() == [5, 3, -2]
    row = table.loc[("isolated BTC-USD", "liquidation price below, BTC")]
    assert row.tolist() == [near(2_510_000 / 55), near(2_510_000 / 57), pytest.approx(2_510_000 * (1 / 57 - 1 / 55))]
    above = table.loc[("isolated BTC-USD", "liquidation price above, BTC")]
    assert above.tolist()[0].startswith("none: a rise is a gain")
    gone = compare(SAFE, SAFE.at(BTC=44_000))
    assert gone.loc[("isolated BTC-USD", "equity")].tolist() == [5, "no such pool", ""]


def test_compare_has_a_row_for_every_figure_of_a_debt():
    table = compare(TWO, OWING).loc["cross BTC"]
    assert table.loc["balance, BTC"].tolist() == [2, 7, 5]
    assert table.loc["balance, USDT"].tolist() == [0, -250_000, -250_000]  # none before: 0
    assert table.loc["equity"].tolist() == [2, 2, 0]
    assert table.loc["requirement"].tolist() == [0, near(0.25), near(0.25)]
    assert table.loc["slack"].tolist() == [2, near(1.75), near(-0.25)]
    assert table.loc["initial margin"].tolist() == [0, near(0.5), near(0.5)]
    assert table.loc["available"].tolist() == [2, near(1.5), near(-0.5)]
    assert table.loc["withdrawable, BTC"].tolist() == [2, near(1.5), near(-0.5)]
    assert table.loc["liquidation price below, BTC"].tolist() == ["none: no position or debt", near(37_500), ""]
    assert table.loc["liquidation price above, BTC", "after"] == "none: a rise is a gain here"
    assert "withdrawable, USDT" not in table.index  # nothing of it is there


def test_compare_of_several_currencies_and_prices():
    table = compare(MULTI, HELD).loc["cross"]
    assert table.loc["balance, ETH"].tolist() == [10, 10, 0]
    assert table.loc["withdrawable, ETH"].tolist() == [10, 10, 0]
    # 118,000 - 10,000 in dollars: 135,000 + 18,000 - 50,000 = 103,000 less 5,000 and 5,000
    assert table.loc["available"].tolist() == [near(108_000), near(93_000), near(-15_000)]
    below = table.loc["liquidation price below, BTC", "after"]
    # 2.7 P + 18,000 - 1.05 (50,000 + 50,000 - P) = 0.004 P
    assert below == near(87_000 / 3.746)
    assert table.loc["liquidation price below, ETH", "after"] == "none: the pool stands at every lower price"


def test_a_surface_is_slack_over_two_prices():
    frame = surface(HELD.cross, BTC=[20_000, 50_000], ETH=np.array([1_000.0, 2_000.0, 4_000.0]))
    assert frame.shape == (2, 3) and (frame.index.name, frame.columns.name) == ("BTC", "ETH")
    assert frame.index.tolist() == [20_000, 50_000] and frame.columns.tolist() == [1_000, 2_000, 4_000]
    # 2.7 * 20,000 + 0.9 * 10,000 - 1.05 * 80,000 - 80; at the marks 135,000 + 18,000 - 52,500 - 200
    assert frame.loc[20_000, 1_000] == near(-21_080) and frame.loc[50_000, 2_000] == near(100_300)
    assert surface(HELD.cross, ETH=[2_000.0], BTC=[50_000.0]).loc[2_000, 50_000] == near(100_300)
    with pytest.raises(ValueError, match="two indices"):
        surface(HELD.cross, BTC=[50_000.0])
    with pytest.raises(ValueError, match="not none"):
        surface(HELD.cross)
    with pytest.raises(ValueError, match="nothing in the pool 'cross' follows 'SOL'"):
        surface(HELD.cross, BTC=[50_000.0], SOL=[100.0])
    with pytest.raises(ValueError, match=r"price of ETH must be finite and above 0 throughout, not -1\.0"):
        surface(HELD.cross, BTC=[50_000.0], ETH=[2_000.0, -1.0])


def test_a_surface_over_a_price_that_does_not_matter():
    account = Account(venues.TEACHING_MULTI, BTC=2, ETH=3).mark(BTC=50_000, ETH=2_000)
    pool = account.trade(Spot("ETH/USDT"), -3, 2_000).trade(PAIR, 1, 50_000, borrow="USDT").cross
    table = surface(pool, BTC=[40_000, 50_000], ETH=[1_000, 2_000, 3_000])
    assert table.shape == (2, 3) and (np.ptp(table.to_numpy(), axis=1) == 0).all()
    with pytest.raises(ValueError, match="ETH must be a row"):
        surface(pool, BTC=[40_000], ETH=2_000)
