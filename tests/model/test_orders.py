"""Margin held for open orders: what it counts in, what cancelling it saves, and what is refused."""

from marginlab import replace
from math import inf, nan

import numpy as np
import pytest

from marginlab import Account, Asset, Perpetual, Tiers, Venue
from marginlab.rules import Liquidation
from tests.process import process
from marginlab.rules import TRADER
from tests.model.refusal import refused

LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
CANCEL, ALL = "orders cancelled", "liquidation"


def near(value):
    return pytest.approx(value, rel=1e-12, abs=1e-10)


def account(orders, held=60, **rule):
    """200 USDT and 10 at 100; 100 of maintenance, and as much of initial margin."""
    venue = Venue("flat", tiers={"*": Tiers.flat(0.1)}, liquidation=process(orders=orders, **rule))
    start = Account(venue, USDT=200).trade(LINEAR, 10, 100, leverage=10)
    return start.place_orders(held, "USDT") if held else start


def kinds(before, after):
    return [step.kind for step in after.events[len(before.events) :]]


@pytest.mark.parametrize("orders", [True, False])
def test_orders_hold_initial_margin_and_maintenance_where_the_venue_says(orders):
    pool, plain = account(orders).cross, account(orders, 0).cross
    assert pool.orders == 60 and pool.equity() == plain.equity() == 200
    assert pool.requirement() == near(160 if orders else 100) and pool.slack() == near(40 if orders else 100)
    assert pool.requirement(kind="initial") == near(160) and plain.requirement(kind="initial") == near(100)
    assert pool.available() == near(40) and pool.withdrawable() == near(40) and plain.withdrawable() == near(100)
    assert np.allclose(pool.slack(BTC=np.array([100.0, 95.0])), [40, -5] if orders else [100, 55])


@pytest.mark.parametrize("orders", [True, False])
def test_orders_move_the_liquidation_price_and_not_the_bankruptcy_price(orders):
    pool, plain = account(orders).cross, account(orders, 0).cross
    assert pool.liquidation().price == near(860 / 9 if orders else 800 / 9)  # 200 + 10 (P - 100) = P + 60
    assert plain.liquidation().price == near(800 / 9)
    assert pool.bankruptcy().price == plain.bankruptcy().price == near(80)
    parts = pool.parts()
    assert sum(parts.values()) == near(pool.slack()) and parts.get("open orders") == (-60 if orders else None)
    assert "open orders" not in plain.parts()


def test_cancelling_the_orders_saves_the_pool_that_they_alone_put_at_its_line():
    start = account(True).mark(BTC=95)  # 150 for 95 and 60
    after = start.liquidate()
    (event,) = after.events[len(start.events) :]
    assert (event.kind, event.pool, event.currency, event.flows) == (CANCEL, "cross USDT", "USDT", {TRADER: 0})
    assert (event.before, event.after) == (150, 150) and "60 USDT" in event.text
    assert after.cross.orders == 0 and after.cross.positions == start.cross.positions
    assert after.cross.collateral == {"USDT": 200} and after.cross.slack() == near(55) and after.liquidate() is after
    assert start.cross.orders == 60
    other = account(False).mark(BTC=95)
    assert other.liquidate() is other and other.cross.orders == 60


@pytest.mark.parametrize("orders", [True, False])
@pytest.mark.parametrize("rule, mark, seen", [
    ({}, 88, [ALL]), ({"partial": "share"}, 88, ["partial liquidation"]), ({"takeover": 1.0}, 88, ["assignment", ALL])
])  # fmt: skip
def test_orders_go_first_whatever_comes_then(orders, rule, mark, seen):
    start = account(orders, **rule).mark(BTC=mark)
    after = start.liquidate()
    assert kinds(start, after) == [CANCEL, *seen] and after.cross.orders == 0


def test_what_is_at_its_line_is_so_with_its_orders():
    start = account(True, 59).mark(BTC=90)  # 100 for 90 and 59, or 10
    assert kinds(start, start.liquidate()) == [CANCEL]
    for held, seen in ((10, [CANCEL]), (9.999, [])):
        start = account(True, held).mark(BTC=90)
        assert kinds(start, start.liquidate()) == seen


def test_new_orders_replace_the_old_ones():
    start = account(True)
    for margin in (0, 10, 60, 99.9):
        assert start.place_orders(margin, "USDT").cross.orders == margin
    event = start.place_orders(10, "USDT").events[-1]
    assert (event.kind, event.pool, event.flows) == ("orders", "cross USDT", {TRADER: 0})
    under = start.mark(BTC=92)  # 120 for 92 and 60: fewer is always allowed, more is not
    assert under.place_orders(50, "USDT").cross.orders == 50
    refused(ValueError, ["open orders", "short of its margin"], lambda: under.place_orders(61, "USDT"), under)


@pytest.mark.parametrize("orders", [True, False])
def test_orders_and_trades_share_what_is_available(orders):
    start = account(orders)
    if orders:  # it would be at its line
        refused(ValueError, ["200 there", "0 missing"], lambda: start.place_orders(100, "USDT"), start)
    else:
        assert start.place_orders(100, "USDT").cross.available() == near(0)
    refused(ValueError, ["margin=100.01 USDT for open orders", "short"],
            lambda: start.place_orders(100.01, "USDT"), start)  # fmt: skip
    assert start.trade(LINEAR, 3.9, 100, leverage=10).cross.positions[0].quantity == 13.9
    refused(ValueError, ["short of its margin"], lambda: start.trade(LINEAR, 4.01, 100, leverage=10), start)
    refused(ValueError, ["isolated", "more than the 40 free"], lambda: start.trade(
        Perpetual("ETH-USDT", "ETH", "USDT"), 1, 100, isolated=41), start)  # fmt: skip


@pytest.mark.parametrize("margin, error", [
    (-1, ValueError), (nan, ValueError), (inf, ValueError), ("5", TypeError), (True, TypeError), (None, TypeError)
])  # fmt: skip
def test_margins_that_cannot_be_meant(margin, error):
    start = account(True)
    refused(error, ["margin must be a finite number of at least 0"], lambda: start.place_orders(margin, "USDT"), start)


def test_orders_are_held_in_the_currency_of_a_pool():
    start = account(True)
    refused(ValueError, ["BTC"], lambda: start.place_orders(1, "BTC"), start)
    venue = replace(start.venue, account_mode="multi-currency", assets={"*": Asset()})
    multi = Account(venue, USDT=200).mark(USDT=1)
    refused(ValueError, ["currency must be 'USD'", "'USDT'"], lambda: multi.place_orders(5, "USDT"), multi)
    assert multi.place_orders(5, "USD").cross.orders == 5


def test_an_isolated_pool_and_other_currencies_are_as_they_were():
    start = Account(account(True, 0).venue, USDT=500, BTC=1).trade(LINEAR, 10, 100, isolated=200)
    held = start.place_orders(100, "USDT")
    assert held[LINEAR].slack() == start[LINEAR].slack() and held.cross_in("BTC").orders == 0
    after = held.at(BTC=88)
    assert [e.kind for e in after.events[len(held.events) :]] == [ALL] and after.cross_in("USDT").orders == 100
