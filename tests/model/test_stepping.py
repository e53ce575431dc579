"""A path of prices, last prices, funding and the fund, step by step; what each step does by hand."""

from math import fsum, inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marginlab import Account, Perpetual, Tiers, Venue, steps
from marginlab.rules import Liquidation
from tests.process import process
from marginlab.rules import FUND, TRADER
from tests.model.refusal import refused, state

STEADY = settings(deadline=None, derandomize=True, database=None, max_examples=60)
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
ETHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")
QUEUE, CLOSE, ALL = "auto-deleveraging", "closing", "liquidation"
ROWS = "rates, prices, last and hours must be rows of one length, not of"


def near(value):
    return pytest.approx(value, rel=1e-12, abs=1e-10)


def two(**rule):
    """10 of each at 100, isolated: at the line at 88.9, bankrupt at 80."""
    venue = Venue("flat", tiers={"*": Tiers.flat(0.1)}, liquidation=process(**rule))
    account = Account(venue, USDT=1_000).mark(BTC=100, ETH=100)
    return account.trade(LINEAR, 10, 100, isolated=200).trade(ETHER, 10, 100, isolated=200)


def new(before, after):
    return [(e.kind, e.contract or e.pool) for e in after.events[len(before.events) :]]


def test_prices_without_rates():
    start = two()
    found = list(steps(start, prices={"BTC": [95, 88, 95], "ETH": [120, 110, 100]}))
    assert [len(a.pools) for a in found] == [3, 2, 2] and [a.marks["ETH"] for a in found] == [120, 110, 100]
    assert new(found[0], found[1]) == [(ALL, "isolated BTC-USDT")] and state(found[0])[1] == start.balances()
    assert found[1].liquidations[0].surplus == near(80) and new(found[1], found[2]) == []


def test_it_gives_one_step_after_the_other():
    path = steps(two(), prices={"BTC": [95, 88]})
    assert iter(path) is path and next(path).marks["BTC"] == 95 and next(path).liquidations
    assert next(path, None) is None


def test_the_last_price_fills_and_does_not_trigger():
    last = {"BTC": [50, 90, 1], "ETH-USDT": [1, 1, 1]}
    found = list(steps(two(), prices={"BTC": [95, 88, 80]}, last=last, impact=0.01))
    assert new(found[0], found[1]) == [(CLOSE, "BTC-USDT"), (ALL, "isolated BTC-USDT")]
    assert not found[0].liquidations and found[1].events[-2].price == near(89.1) and new(found[1], found[2]) == []


def test_a_gap_is_one_step():
    (after,) = steps(two(), prices={"BTC": [50]}, fund=100)
    closed, queued, end = after.events[-3:]
    assert (closed.price, closed.quantity) == (50, near(-10 / 3)) and queued.price == near(80)
    assert (queued.shortfall, end.shortfall, end.flows[FUND]) == (near(200), near(300), near(-100))
    *_, after = steps(two(), prices={"BTC": list(range(99, 49, -1))}, fund=100)  # one by one it ends at 88
    assert after.liquidations[0].surplus == near(80) and new(two(), after) == [(ALL, "isolated BTC-USDT")]


@pytest.mark.parametrize("fund, shortfalls", [(30, [0, 30]), ({"USDT": 30}, [0, 30]), (60, [0, 0]), (0, [20, 40]),
                                              (inf, [0, 0]), ({"USDT": 0, "BTC": 90}, [20, 40])])  # fmt: skip
def test_the_fund_is_for_the_whole_path(fund, shortfalls):
    given = dict(fund) if isinstance(fund, dict) else None
    found = list(steps(two(), prices={"BTC": [78, 78, 78], "ETH": [100, 100, 76]}, fund=fund))  # 20 and then 40 missing
    seen = [fsum(e.shortfall for e in found[-1].events if e.kind == QUEUE and e.contract == symbol)
            for symbol in ("BTC-USDT", "ETH-USDT")]  # fmt: skip
    assert seen == [near(shortfall) for shortfall in shortfalls]
    assert given is None or fund == given  # as it was
    assert [len(account.liquidations) for account in found] == [1, 1, 2]


def test_what_one_step_leaves_is_there_in_a_later_one():
    (*_, after) = steps(two(), prices={"BTC": [88, 88], "ETH": [100, 71]}, fund=5)  # 80 left over, then 90 missing
    assert fsum(e.shortfall for e in after.events if e.kind == QUEUE) == near(5)
    assert fsum(e.flows.get(FUND, 0) for e in after.events) == near(-5)


def test_at_one_step_the_first_pool_draws_first():
    (after,) = steps(two(), prices={"BTC": [78], "ETH": [76]}, fund=30)
    assert [(e.contract, e.shortfall) for e in after.events if e.kind == QUEUE] == [("ETH-USDT", near(30))]


def test_funding_draws_on_the_same_fund():
    # 5 % of 900: 100 less 45 for 90; closed after the payment, at the last price
    (after,) = steps(two(), {LINEAR: [0.05]}, {"BTC": [90]}, last={"BTC": [72]}, fund=10)
    assert [k for k, _ in new(two(), after)] == ["funding", CLOSE, QUEUE, ALL]
    missing = 280 - (200 - 45)
    assert after.liquidations[0].shortfall == near(missing) and after.liquidations[0].flows[FUND] == near(-10)
    assert after.events[-2].shortfall == near(missing - 10)


def test_what_funding_drew_is_gone_at_the_next_step():
    *_, after = steps(two(), {LINEAR: [0.05, 0]}, {"BTC": [90, 90], "ETH": [100, 76]}, last={"BTC": [72, 72]}, fund=10)
    assert [e.shortfall for e in after.events if e.kind == QUEUE] == [near(280 - 155 - 10), near(40)]


def test_a_price_may_be_of_what_is_marked_and_not_open():
    start = Account(two().venue, USDT=1_000).mark(BTC=100, ETH=100).trade(LINEAR, 10, 100)
    (after,) = steps(start, prices={"ETH": [90]})
    assert after.marks["ETH"] == 90


def test_what_was_closed_pays_no_more_and_its_prices_are_passed_over():
    prices = {"BTC-USDT": [88, 95, 95], "BTC": [100, 100, 100], "ETH": [100, 100, 88]}
    found = list(steps(two(), {LINEAR: [0.001] * 3}, prices, last={"BTC-USDT": [88, 1, 1]}))
    # where a last price is stated, fills are written down; that of BTC is passed over once it is closed
    assert [k for k, _ in new(two(), found[-1])] == [CLOSE, ALL, ALL]
    assert "BTC-USDT" not in found[0].marks and found[-1].events[-1].price == 88


@STEADY
@given(st.lists(st.tuples(st.integers(60, 130), st.integers(60, 130), st.integers(60, 130)), min_size=1, max_size=5),
       st.sampled_from((0, 25, inf)), st.sampled_from((0.0, 0.02)),
       st.sampled_from(("none", "share", "size")))  # fmt: skip
def test_a_path_is_its_steps_one_by_one(rows, fund, impact, partial):
    start = by_hand = two(partial=partial)
    btc, eth, last = zip(*rows, strict=True)
    found = list(steps(start, prices={"BTC": btc, "ETH": eth}, last={"BTC": last}, impact=impact, fund=fund))
    for after, (one, other, fill) in zip(found, rows, strict=True):
        seen = len(by_hand.events)
        by_hand = by_hand.mark(BTC=one, ETH=other)
        by_hand = by_hand.liquidate({"BTC": fill}, impact, fund)
        fund = max(0.0, fund + fsum(e.flows.get(FUND, 0) for e in by_hand.events[seen:]))
        assert after.balances()["USDT"] == near(by_hand.balances()["USDT"])
        assert [p.positions for p in after.pools] == [p.positions for p in by_hand.pools]
        for e in after.events[len(start.events) :]:
            assert fsum(e.flows.values()) == pytest.approx(0, abs=1e-9)
    flow = fsum(e.flows[TRADER] for e in found[-1].events[len(start.events) :])
    assert found[-1].balances()["USDT"] == pytest.approx(start.balances()["USDT"] + flow, abs=1e-8)
    assert fund >= 0 and all(p.worth() >= -1e-8 for p in found[-1].pools)


@STEADY
@given(st.lists(st.tuples(st.integers(60, 130), st.integers(60, 130)), min_size=1, max_size=4))
def test_pools_that_share_nothing_do_not_touch_one_another(rows):
    btc, eth = zip(*rows, strict=True)
    both = list(steps(two(), prices={"BTC": btc, "ETH": eth}))
    alone = list(steps(two(), prices={"BTC": btc}))
    for one, other in zip(both, alone, strict=True):
        for account in (one, other):
            assert not account.find("BTC-USDT") or account[LINEAR].collateral == {"USDT": 200}
        assert bool(one.find("BTC-USDT")) == bool(other.find("BTC-USDT"))
        assert [e.flows for e in one.liquidations if "BTC" in e.pool] == [e.flows for e in other.liquidations]


@pytest.mark.parametrize("prices, last, impact", [
    ([1e-9, 1e-300], [1e-12, 1e-12], 0.999), ([1e9, 1e-9], [1e15, 1e-15], 0.0), ([100, 50], [100, 1e-9], 0.999),
])  # fmt: skip
@pytest.mark.parametrize("takeover", [0.0, 1.0])
@pytest.mark.parametrize("fund", [0, 7, inf])
def test_faults_along_a_path_are_stated(prices, last, impact, takeover, fund):
    *_, after = steps(two(takeover=takeover), prices={"BTC": prices, "ETH": prices}, last={"BTC": last, "ETH": last},
                      impact=impact, fund=fund)  # fmt: skip
    assert len(after.pools) == 1 and "nan" not in repr(after)
    assert len(after.liquidations) == 2 and after.balances()["USDT"] == near(600)
    assert fund == inf or fund + fsum(e.flows.get(FUND, 0) for e in after.events) >= -1e-9


@pytest.mark.parametrize("error, words, given", [
    (ValueError, ["nothing here follows 'SOL'"], {"prices": {"SOL": [1]}}),
    (ValueError, ["'SOL', which nothing here follows"], {"prices": {"BTC": [90]}, "last": {"SOL": [1]}}),
    (ValueError, ["price of BTC", "nan"], {"prices": {"BTC": [90, 90]}, "last": {"BTC": [90, nan]}}),
    (ValueError, ["price of BTC", "0"], {"prices": {"BTC": [90, 90]}, "last": {"BTC": [90, 0]}}),
    (TypeError, ["last must be a mapping", "90"], {"prices": {"BTC": [90]}, "last": 90}),
    (ValueError, ["the last of BTC must be one row, not 2 axes"], {"prices": {"BTC": [90]}, "last": {"BTC": [[90]]}}),
    (ValueError, ["nothing here follows 'SOL'", "BTC, BTC-USDT, ETH, ETH-USDT"], {"prices": {"SOL": []}}),
    (ValueError, [f"{ROWS} [2, 3]"], {"prices": {"BTC": [90, 90]}, "last": {"BTC": [90] * 3}}),
    (ValueError, [f"{ROWS} none"], {"prices": {"BTC": 90}, "last": {"BTC": 90}}),
    (ValueError, ["impact", "1"], {"prices": {"BTC": [90]}, "impact": 1}),
    (ValueError, ["impact", "-0.1"], {"prices": {"BTC": [90]}, "impact": -0.1}),
    (ValueError, ["fund", "-1"], {"prices": {"BTC": [90]}, "fund": -1}),
    (TypeError, ["fund in USDT", "'5'"], {"prices": {"BTC": [90]}, "fund": {"USDT": "5"}}),
    (KeyError, ["SOL-USDT"], {"rates": {"SOL-USDT": [0.1]}}),
])  # fmt: skip
def test_refusals_come_before_the_first_step(error, words, given):
    start = two()
    refused(error, words, lambda: steps(start, **given), start)
