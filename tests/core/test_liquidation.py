"""Liquidation step by step, by hand: trigger and fill, how much at a time, which position first, and who pays."""

from math import fsum, inf, nan

import pytest

from marginlab import (
    Account,
    Asset,
    Event,
    Liquidation,
    Perpetual,
    Spot,
    Tiers,
    Venue,
    cancel_orders,
    close_all,
    close_share,
    replace,
    venues,
)
from marginlab.liquidation import bankruptcy_prices, brought, shared_out
from marginlab.rules import COUNTERPARTIES, FUND, TRADER
from tests.core.common import (
    ALL,
    CANCEL,
    CLOSE,
    ETHER,
    INVERSE,
    LINEAR,
    PART,
    QUEUE,
    SOL,
    TAKE,
    kinds,
    near,
    new,
    ordered,
    total,
)
from tests.process import process
from tests.refusal import refused, state


def flat(rate=0.1, surplus_to=FUND, shortfall_to=FUND, **rule):
    """A venue with one maintenance rate, and how it liquidates."""
    return Venue("flat", tiers={"*": Tiers.flat(rate)}, surplus_to=surplus_to, shortfall_to=shortfall_to,
                 liquidation=process(**rule))  # fmt: skip


def one(quantity=10, entry=100, margin=200, venue=None, contract=LINEAR):
    """An account of 1,000 USDT with one isolated position."""
    return Account(venue or flat(), USDT=1_000).trade(contract, quantity, entry, isolated=margin)


# ------------------------------------------------------- trigger, fill and impact

# 200 + 10 (P - 100) = P: the line is 88.889 for the long, 109.091 for the short
LONG, SHORT = one(), one(-10)


def test_a_wick_of_the_last_price_does_nothing():
    for mark, last in ((95, 50), (89, 1e-9), (89, 1e9), (1e6, 1)):
        account = LONG.mark(BTC=mark)
        assert account.liquidate(last={"BTC": last}, impact=0.5, fund=0) is account
    edge = one(1, 100, 60, flat(0.2))  # 60 - 50 = 0.2 * 50
    account = edge.mark(BTC=50.0001)
    assert account.liquidate(last={"BTC": 30}) is account
    assert kinds(edge, edge.mark(BTC=50).liquidate(last={"BTC": 70})) == [CLOSE, ALL]


def test_the_mark_triggers_and_the_last_price_fills():
    account = LONG.mark(BTC=88)
    after = account.liquidate(last={"BTC": 90})
    fill, end = new(account, after)
    assert (fill.kind, fill.pool, fill.currency, fill.price) == (CLOSE, "isolated BTC-USDT", "USDT", 90)
    assert (fill.quantity, fill.before, fill.after) == (-10, near(80), near(100))
    assert fill.flows == {TRADER: near(-100), FUND: 0, COUNTERPARTIES: near(100)}
    assert (end.kind, end.lost, end.surplus, end.shortfall) == (ALL, near(200), near(100), 0)
    assert end.flows == {TRADER: near(-100), FUND: near(100), COUNTERPARTIES: near(0)}
    assert after.balances() == {"USDT": near(800)} and [p.name for p in after.pools] == ["cross USDT"]
    assert after.liquidations == (end,)


def test_without_last_prices_it_is_what_at_does():
    after, same = LONG.mark(BTC=88).liquidate(), LONG.at(BTC=88)
    assert state(after) == state(same)
    (only,) = new(LONG, after)
    assert (only.kind, only.price, only.lost, only.surplus) == (ALL, 88, near(200), near(80))
    assert only.flows == {TRADER: near(-200), FUND: near(80), COUNTERPARTIES: near(120)}
    assert (only.quantity, only.before, only.after) == (0, None, None)


@pytest.mark.parametrize("account, mark, last, impact, want", [
    (LONG, 88, {"BTC": 90}, 0.1, 81), (SHORT, 110, {"BTC": 108}, 0.1, 118.8),
    (LONG, 88, {}, 0.1, 79.2), (SHORT, 110, {}, 0.1, 121),
    (LONG, 88, {"BTC": 90}, lambda worth: worth / 10_000, 81.9),  # 900 are sold
    (SHORT, 110, {"BTC": 108}, lambda worth: worth / 10_000, 119.664),  # 1,080 are bought
    (LONG, 88, {"BTC": 90, "BTC-USDT": 85}, 0.0, 85), (LONG, 88, {"BTC": 88}, 0.0, 88),
])  # fmt: skip
def test_impact_is_against_the_order(account, mark, last, impact, want):
    account = account.mark(BTC=mark)
    fill, end = new(account, account.liquidate(last=last, impact=impact))
    assert fill.price == near(want) and fill.before == near(account[LINEAR].equity())
    left = 200 - 10 * abs(want - 100)
    assert fill.after == near(left) and (end.surplus, end.shortfall) == (near(max(left, 0)), near(max(-left, 0)))
    assert total((fill, end), FUND) == near(left)


def test_impact_is_asked_for_the_worth_in_quote_currency():
    asked = []
    account = Account(flat(), BTC=1).trade(INVERSE, 100, 50_000, isolated=0.03).mark(BTC=45_000)
    after = account.liquidate(last={"BTC": 40_000}, impact=lambda worth: asked.append(worth) or 0.01)
    assert asked[0] == 10_000 and new(account, after)[0].price == near(39_600)
    assert new(account, after)[0].flows[TRADER] == near(0.2 - 10_000 / 39_600)


def halves(price, impact, quantity=10, margin=160):
    """The average prices of two halves of a position, sold one after the other."""
    account = one(quantity, margin=margin, venue=flat(partial="share", share=0.5)).mark(BTC=price)
    return [e.price for e in new(account, account.liquidate(impact=impact, fund=inf)) if e.quantity]


def test_an_order_that_is_split_by_hand():
    # at 85: 425 of 1,275 are a third; 850 of 1,700 a half; so the second half is 2/3 off
    assert halves(85, lambda worth: worth / (worth + 850)) == [near(85 * 2 / 3), near(85 / 3)]
    assert halves(85, 0.1) == [near(76.5), near(76.5)]
    # below 1 for every worth, and yet 0.85 of 850 after 0.425 of 425 costs more than the half is worth
    assert halves(85, lambda worth: min(worth / 1_000, 0.99)) == [
        near(85 * (1 - 0.425)),
        near(85 * 1e-9),
    ]
    # 0.2 of 425 and then 0.05 of 850: the second half is not better than the last price
    assert halves(85, lambda worth: 0.2 if worth < 600 else 0.05) == [near(68), 85]
    refused(
        ValueError,
        ["impact must be from 0 to below 1, not 1.7", "for 850 of quote currency"],
        lambda: halves(85, lambda worth: worth / 500),
    )


def test_one_index_and_side_is_one_book():
    second = Perpetual("BTC-2", index="BTC", settle="USDT")
    account = Account(replace(flat(), hedge_mode=True), USDT=400)
    account = account.trade(LINEAR, 10, 100).trade(second, 10, 100).mark(BTC=88)  # 160 for 176
    found = account.liquidate(impact=lambda worth: worth / (worth + 8_800))
    first, then, _ = new(account, found)
    assert (first.price, first.price + then.price) == (near(80), near(2 * 88 * (1 - 1 / 6)))
    # a short of the same index, and another index, have books of their own
    account = Account(replace(flat(), hedge_mode=True), USDT=400).mark(BTC=100, ETH=100)
    account = account.trade(LINEAR, 10, 100, leg="long").trade(LINEAR, -5, 100, leg="short")
    account = account.trade(ETHER, 10, 100).mark(BTC=90, ETH=75)
    found = new(account, account.liquidate(impact=lambda worth: worth / (worth + 9_000)))
    assert {e.contract + f"{e.quantity:+g}": e.price for e in found if e.kind == CLOSE} == {
        "BTC-USDT-10": near(90 * (1 - 1 / 11)),
        "BTC-USDT+5": near(90 * (1 + 450 / 9_450)),
        "ETH-USDT-10": near(75 * (1 - 750 / 9_750)),
    }


@pytest.mark.parametrize("error, words, given", [
    (ValueError, ["the last price of BTC must be a finite number above 0", "0"], {"last": {"BTC": 0}}),
    (ValueError, ["the last price of BTC", "nan"], {"last": {"BTC": nan}}),
    (TypeError, ["the last price of BTC", "'ninety'"], {"last": {"BTC": "ninety"}}),
    (ValueError, ["'ETH', which nothing here follows", "BTC, BTC-USDT"], {"last": {"ETH": 1}}),
    (TypeError, ["last must be a mapping", "90"], {"last": 90}),
    (ValueError, ["the fund in USDT", "-1"], {"fund": {"USDT": -1}}),
    (ValueError, ["fund names usdt", "USDT"], {"fund": {"usdt": 5}}),
    (TypeError, ["the fund in USDT", "'five'"], {"fund": {"USDT": "five"}}),
    (ValueError, ["fund", "-inf"], {"fund": -inf}),
    (ValueError, ["impact must be a finite number of at least 0", "-0.1"], {"impact": -0.1}),
    (ValueError, ["impact", "nan"], {"impact": nan}), (TypeError, ["impact", "None"], {"impact": None}),
    (ValueError, ["impact must be from 0 to below 1", "1.0"], {"impact": 1}),
    (ValueError, ["impact must be from 0 to below 1", "-0.5", "880"], {"impact": lambda worth: -0.5}),
    (ValueError, ["impact must be a finite number", "nan"], {"impact": lambda worth: nan}),
    (TypeError, ["impact must be a finite number", "None"], {"impact": lambda worth: None}),
    (ValueError, ["fund must be a finite number of at least 0", "-1"], {"fund": -1}),
    (ValueError, ["fund", "nan"], {"fund": nan}), (TypeError, ["fund", "'five'"], {"fund": "five"}),
    (TypeError, ["fund", "True"], {"fund": True}),
])  # fmt: skip
def test_what_cannot_be_meant_is_refused(error, words, given):
    account = LONG.mark(BTC=88)
    refused(error, words, lambda: account.liquidate(**given), account)


# ------------------------------------------------------------------- steps, and their order


def test_steps_are_looked_at_in_their_order():
    seen = []

    def watch(pool, market):
        seen.append((pool.slack(), market.fund))
        return pool, []

    rule = Liquidation(watch, close_share(0.2), close_all)
    account = one(venue=replace(flat(), liquidation=rule)).mark(BTC=86)
    assert kinds(account, account.liquidate(fund=7)) == [PART, ALL]
    assert seen == [(near(-26), 7), (near(-8.8), 7)]  # 60 for 86, 60 for 68.8


def test_what_a_step_pays_the_fund_is_there_at_the_end():
    charged = []

    def fee(pool, market):
        if charged:
            return pool, []
        charged.append(market.fund)
        event = Event("fee", pool.name, "USDT", {TRADER: -20, FUND: 20})
        return pool.adding(-20), [event]

    venue = replace(flat(), liquidation=Liquidation(fee, close_all))
    account = one(venue=venue).mark(BTC=85)
    found = new(account, account.liquidate(last={"BTC": 75}, fund=0))  # 250 and 20 of 200
    assert [e.kind for e in found] == ["fee", CLOSE, QUEUE, ALL]
    assert found[-1].shortfall == near(70) and found[2].shortfall == near(50)
    assert total(found, FUND) == near(0)


def test_steps_that_close_nothing_are_refused():
    account = one(venue=replace(flat(), liquidation=Liquidation(cancel_orders))).mark(BTC=88)
    words = ["steps must end with one that closes 'isolated BTC-USDT'", "close_all"]
    refused(ValueError, words, account.liquidate, account)
    calm = account.mark(BTC=95)
    assert calm.liquidate() is calm  # where there is nothing to close


@pytest.mark.parametrize("rule, seen", [
    (Liquidation(), [CANCEL, ALL]), (Liquidation(cancel_orders, close_all), [CANCEL, ALL]),
    (Liquidation(close_all), [ALL]),
])  # fmt: skip
def test_without_steps_orders_are_cancelled_and_the_pool_is_closed_whole(rule, seen):
    account = Account(replace(flat(), liquidation=rule), USDT=200).trade(LINEAR, 10, 100)
    account = account.place_orders(60, "USDT").mark(BTC=88)
    assert kinds(account, account.liquidate()) == seen
    assert account.liquidate().cross.orders == 0


def test_cancelling_the_orders_saves_the_pool_that_they_alone_put_at_its_line():
    start = ordered(True).mark(BTC=95)  # 150 for 95 and 60
    after = start.liquidate()
    (event,) = after.events[len(start.events) :]
    assert (event.kind, event.pool, event.currency, event.flows) == (CANCEL, "cross USDT", "USDT", {TRADER: 0})
    assert (event.before, event.after) == (150, 150) and "60 USDT" in event.text
    assert after.cross.orders == 0 and after.cross.positions == start.cross.positions
    assert after.cross.collateral == {"USDT": 200} and after.cross.slack() == near(55) and after.liquidate() is after
    assert start.cross.orders == 60
    other = ordered(False).mark(BTC=95)
    assert other.liquidate() is other and other.cross.orders == 60


def test_what_is_at_its_line_is_so_with_its_orders():
    start = ordered(True, 59).mark(BTC=90)  # 100 for 90 and 59, or 10
    assert kinds(start, start.liquidate()) == [CANCEL]
    for held, seen in ((10, [CANCEL]), (9.999, [])):
        start = ordered(True, held).mark(BTC=90)
        assert kinds(start, start.liquidate()) == seen


# --------------------------------------------------------------- how much at a time


def test_a_fifth_first_and_then_the_rest():
    account = one(venue=flat(partial="share", share=0.2, partial_above=500))
    at = account.mark(BTC=88)  # 8 of 10 need 70.4 of the 80 that are there
    after = at.liquidate()
    (fill,) = new(at, after)
    assert (fill.kind, fill.price, fill.quantity, fill.before, fill.after) == (PART, 88, near(-2), near(80), near(80))
    assert fill.flows == {TRADER: near(-24), FUND: 0, COUNTERPARTIES: near(24)}
    pool = after[LINEAR]
    assert pool.positions[0].quantity == near(8) and pool.positions[0].entry == 100
    assert pool.collateral == {"USDT": near(176)} and pool.slack() == near(9.6) and not after.liquidations
    deep = account.mark(BTC=86)  # 8 of 10 need 68.8 of 60
    part, end = new(deep, deep.liquidate())
    assert (part.kind, part.quantity, end.kind) == (PART, near(-2), ALL)
    assert (end.lost, end.surplus, end.price) == (near(200), near(60), 86)
    assert total((part, end), TRADER) == near(-200) and total((part, end), COUNTERPARTIES) == near(140)


@pytest.mark.parametrize("above, first", [(880, ALL), (879.99, PART)])
def test_only_positions_of_more_than_so_much_are_closed_in_part(above, first):
    account = one(venue=flat(partial="share", partial_above=above)).mark(BTC=88)
    assert kinds(account, account.liquidate()) == [first]


@pytest.mark.parametrize("mark, seen", [(80.01, [PART, ALL]), (80, [ALL]), (79, [ALL])])
def test_past_bankruptcy_no_part_is_closed(mark, seen):
    account = one(venue=flat(partial="share")).mark(BTC=mark)
    assert kinds(account, account.liquidate()) == seen


@pytest.mark.parametrize("price", [88, 88.5])
def test_above_counts_quote_currency_and_not_coins(price):
    # 10,000 USD, whatever the price: 0.2 BTC are not above 9,000, and the contracts are
    for above, first in ((9_999, PART), (10_000.001, ALL)):
        account = Account(flat(partial="share", partial_above=above), BTC=1).trade(INVERSE, 100, 50_000, isolated=0.03)
        account = account.mark(BTC=price * 540)
        assert kinds(account, account.liquidate())[0] == first


STEPS = Tiers(((0, 0.01), (500, 0.05), (800, 0.1)))  # 880: 28; 800: 20; 500: 5
COUNTS = Tiers(((0, 0.01), (5, 0.05), (8, 0.1)), basis="quantity")  # 10: 4 %; 8: 2.5 %; 5: 1 %


def tiered(margin, schedule=STEPS, **rule):
    venue = Venue("steps", tiers={"*": schedule}, liquidation=process(partial="tiers", **rule))
    return one(margin=margin, venue=venue).mark(BTC=88)


@pytest.mark.parametrize("margin, rule, kept, requirement, seen", [
    (145, {}, 800 / 88, 20, [PART]),  # 25 for 28, then for 20
    (135, {}, 500 / 88, 5, [PART, PART]),  # 15 for 28, 20, 5
    (145, {"tiers": 2}, 500 / 88, 5, [PART]),
    (124, {}, None, None, [PART, PART, ALL]),  # 4
    (124, {"tiers": 2}, None, None, [PART, ALL]),
    (145, {"least_tier": 3}, 800 / 88, 20, [PART]), (135, {"least_tier": 3}, None, None, [PART, ALL]),
    (145, {"least_tier": 4}, None, None, [ALL]), (145, {"tiers": 3}, None, None, [ALL]),
])  # fmt: skip
def test_down_the_tiers_one_or_two_at_a_time(margin, rule, kept, requirement, seen):
    account = tiered(margin, **rule)
    after = account.liquidate()
    assert kinds(account, after) == seen
    if kept is None:
        assert len(after.pools) == 1
        return
    pool, position = after[LINEAR], after[LINEAR].positions[0]
    assert position.quantity == near(kept) and pool.requirement() == near(requirement)
    assert pool.requirement() == near(STEPS.maintenance(88 * kept)) and pool.slack() == near(margin - 120 - requirement)
    assert fsum(step.quantity for step in new(account, after)) == near(kept - 10)


@pytest.mark.parametrize("margin, kept, seen", [
    (150, 8, [PART]), (135, 5, [PART, PART]), (123, None, [PART, PART, ALL])
])  # fmt: skip
def test_down_the_tiers_by_contracts(margin, kept, seen):
    account = tiered(margin, COUNTS)  # 880 * 4 % = 35.2; 704 * 2.5 % = 17.6; 440 * 1 % = 4.4
    after = account.liquidate()
    assert kinds(account, after) == seen
    assert [p.quantity for _, p in after.find("BTC-USDT")] == ([near(kept)] if kept else [])


def test_down_the_tiers_by_the_notional_that_is_charged():
    # maintenance on the notional at entry: 1,000 need 40, 800 need 20, whatever the mark
    venue = Venue("B", tiers={"*": STEPS}, maintenance_at="entry", liquidation=process(partial="tiers"))
    account = one(margin=150, venue=venue).mark(BTC=88)
    after = account.liquidate()
    assert kinds(account, after) == [PART]
    assert after[LINEAR].positions[0].quantity == near(8) and after[LINEAR].requirement() == near(20)


def test_down_the_tiers_of_an_inverse_short():
    schedule = Tiers(((0, 0.01), (0.1, 0.1)))  # of coins: 0.25 BTC need 0.016, 0.1 need 0.001
    venue = Venue("steps", tiers={"*": schedule}, liquidation=process(partial="tiers"))
    account = Account(venue, BTC=1).trade(INVERSE, -100, 50_000, isolated=0.052)
    account = account.mark(BTC=10_000 / 0.15)  # 0.15 BTC: 0.002 left, 0.006 needed
    after = account.liquidate()
    (fill,) = new(account, after)
    assert fill.quantity == near(100 / 3) and after[INVERSE].requirement() == near(0.001)
    assert fill.flows[TRADER] == near(-0.05 / 3) and after[INVERSE].equity() == near(0.002)


# ------------------------------------------------------------- which position first

RATES = {"BTC-USDT": Tiers.flat(0.01), "ETH-USDT": Tiers.flat(0.1), "SOL-USDT": Tiers.flat(0.05)}


def three(balance, **rule):
    """A cross pool at 100 each: 1,000 need 10, 500 need 50, 200 need 10 and have lost 200."""
    venue = Venue("three", tiers=RATES, liquidation=process(**rule))
    account = Account(venue, USDT=balance).trade(LINEAR, 10, 100).trade(ETHER, -5, 100).trade(SOL, 2, 200)
    return account.mark(BTC=100, ETH=100, SOL=100)


@pytest.mark.parametrize("order, symbol, quantity, needed", [
    ("requirement", "ETH-USDT", 5, 20), ("loss", "SOL-USDT", -2, 60), ("notional", "BTC-USDT", -10, 60)
])  # fmt: skip
def test_position_by_position_until_slack_is_restored(order, symbol, quantity, needed):
    account = three(265, scope="position", order=order)  # 65 for 70
    after = account.liquidate()
    (fill,) = new(account, after)
    assert (fill.kind, fill.quantity, fill.price, fill.before, fill.after) == (PART, quantity, 100, near(65), near(65))
    assert symbol in fill.text and not after.find(symbol)
    assert after.cross.slack() == near(65 - needed) and len(after.cross.positions) == 2
    kept = [p for p in account.cross.positions if p.instrument.symbol != symbol]
    assert list(after.cross.positions) == kept


def test_position_by_position_to_the_end():
    account = three(205, scope="position", order="notional")  # 5 for 70, for 60, for 10
    assert [step.quantity for step in new(account, account.liquidate())] == [-10, 5, 0]
    fill, other, end = new(account, account.liquidate())
    assert (fill.kind, other.kind, end.kind, end.surplus, end.lost) == (PART, PART, ALL, near(5), near(205))
    after = account.liquidate(last={"SOL": 99})
    assert [step.quantity for step in new(account, after)] == [-10, 5, -2, 0]
    assert after.cross.positions == () and after.balances() == {"USDT": 0}


@pytest.mark.parametrize("order, quantities", [
    ("requirement", [5, -10, -2, 0]), ("loss", [-2, -10, 5, 0]), ("notional", [-10, 5, -2, 0])
])  # fmt: skip
def test_a_pool_is_closed_whole(order, quantities):
    account = three(265, order=order)
    after = account.liquidate()
    assert kinds(account, after) == [ALL] and after.cross.positions == () and after.balances() == {"USDT": 0}
    assert after.liquidations[0].surplus == near(65)
    after = account.liquidate(last={"BTC": 101, "ETH": 101, "SOL": 101})
    assert [step.quantity for step in new(account, after)] == quantities
    assert kinds(account, after) == [CLOSE] * 3 + [ALL] and after.liquidations[0].surplus == near(72)


@pytest.mark.parametrize("order", ["requirement", "loss", "notional"])
def test_positions_are_compared_in_one_currency(order):
    # 10,000 USD of coins with a loss of 204 USD, 2,000 USDT with a loss of 10
    venue = replace(flat(scope="position", order=order), account_mode="multi-currency", assets={"*": Asset()})
    account = Account(venue, USDT=1_300).mark(BTC=50_000, ETH=2_000, USDT=1)
    account = account.trade(ETHER, 1, 2_000).trade(INVERSE, 100, 50_000).mark(BTC=49_000, ETH=1_990)
    after = account.liquidate()
    (fill,) = new(account, after)
    assert (fill.currency, fill.quantity) == ("BTC", -100) and fill.flows[TRADER] == near(0.2 - 10 / 49)
    assert [p.instrument.symbol for p in after.cross.positions] == ["ETH-USDT"] and after.cross.slack() > 0


def test_a_fifth_of_one_and_then_a_fifth_of_another():
    account = three(265, scope="position", order="requirement", partial="share", partial_above=300)
    found = new(account, account.liquidate())  # 65 for 70: ETH 5 -> 4 needs 60
    assert [(step.kind, step.quantity) for step in found] == [(PART, 1)]
    account = three(257, scope="position", partial="share", partial_above=300)  # 57 for 70, 60, 58; without ETH 18
    assert [step.quantity for step in new(account, account.liquidate())] == [1, -2, 4]
    account = three(257, partial="share", partial_above=300)
    assert kinds(account, account.liquidate()) == [PART, PART, ALL]


def test_position_by_position_the_last_one_may_save_a_loan():
    rule = process(scope="position")
    venue = replace(venues.TEACHING_MULTI, liquidation=rule, tiers={"*": Tiers.flat(0.05, leverage=10)})
    account = Account(venue, USDT=3e4).mark(BTC=5e4, ETH=2_500).trade(Spot("ETH/USDT"), 16, 2_500, borrow="USDT")
    account = account.trade(LINEAR, 2, 5e4).mark(BTC=39_010)
    assert account.cross.slack() < 0
    after = account.liquidate()
    assert kinds(account, after) == [PART] and after.cross.slack() > 0 and not after.cross.positions
    assert after.cross.collateral == {"USDT": near(3e4 - 4e4 - 2 * 10_990), "ETH": 16}


@pytest.mark.parametrize("scope", ["pool", "position"])
def test_one_that_can_be_closed_in_part_goes_before_one_that_must_be_closed_whole(scope):
    tiers = {"BTC-USDT": Tiers.flat(0.1), "ETH-USDT": Tiers(((0, 0.1), (200, 0.12)))}
    venue = Venue("two", tiers=tiers, liquidation=process(scope=scope, partial="tiers"))
    account = Account(venue, USDT=232).mark(ETH=100).trade(LINEAR, 10, 100).trade(ETHER, 3, 100)
    account = account.mark(BTC=88)  # 112 for 88 and 32; then for 88 and 20
    found = new(account, account.liquidate())
    assert [(e.kind, e.contract, e.quantity) for e in found] == [(PART, "ETH-USDT", near(-1))]


def test_equals_go_in_their_order():
    account = Account(flat(scope="position"), USDT=220).mark(ETH=100, SOL=100)
    account = account.trade(ETHER, 5, 100).trade(LINEAR, 5, 100).trade(SOL, 5, 100)
    account = account.mark(BTC=90, ETH=90, SOL=90)  # 70 for 135, 90, 45
    assert [e.contract for e in new(account, account.liquidate())] == ["ETH-USDT", "BTC-USDT"]


# -------------------------------------------------------------------------- the fund


@pytest.mark.parametrize("fund, rest", [(inf, 0), (20, 0), (25, 0), (5, 15), (0, 20), (19.5, 0.5)])
def test_beyond_the_fund_winners_are_closed(fund, rest):
    account = LONG.mark(BTC=88)
    after = account.liquidate(last={"BTC": 78}, fund=fund)  # 220 of 200 are lost; bankrupt at 80
    *found, end = new(account, after)
    assert [step.kind for step in found] == [CLOSE] * (rest < 20) + [QUEUE] * (rest > 0)
    cut = rest / 20
    for step in found:
        price, part = (78, 1 - cut) if step.kind == CLOSE else (80, cut)
        assert (step.price, step.quantity, step.pool) == (near(price), near(-10 * part), "isolated BTC-USDT")
        assert step.flows == {
            TRADER: near(10 * part * (price - 100)), FUND: 0, COUNTERPARTIES: near(10 * part * (100 - price))
        }  # fmt: skip
        assert step.shortfall == (near(rest) if step.kind == QUEUE else 0)
    assert (end.kind, end.shortfall, end.surplus, end.lost) == (ALL, near(20), 0, near(200))
    assert end.flows == {TRADER: near(20 - rest), FUND: near(rest - 20), COUNTERPARTIES: near(0)}
    assert after.balances() == {"USDT": near(800)}


@pytest.mark.parametrize("last", [{}, {"BTC": 78}])
def test_a_fund_is_a_number_or_a_mapping_of_currencies(last):
    account = LONG.mark(BTC=78)
    for number, mapping in ((5, {"USDT": 5}), (0, {}), (0, {"USDT": 0, "BTC": 9}), (inf, {"USDT": inf, "BTC": 0})):
        one, other = account.liquidate(last, fund=number), account.liquidate(last, fund=mapping)
        assert state(one) == state(other) and total(new(account, one), FUND) == near(-min(number, 20))


def test_where_counterparties_pay_there_is_no_fund_to_be_empty():
    account = one(venue=flat(shortfall_to=COUNTERPARTIES)).mark(BTC=78)
    for fund in (0, 1_000, inf):
        queued, end = new(account, account.liquidate(fund=fund))
        assert (queued.kind, queued.price, queued.quantity, queued.shortfall) == (QUEUE, near(80), -10, near(20))
        assert queued.flows == {TRADER: near(-200), FUND: 0, COUNTERPARTIES: near(200)}
        assert (end.kind, end.shortfall, end.lost, end.price) == (ALL, near(20), near(200), 78)
        assert end.flows == {TRADER: near(0), FUND: 0, COUNTERPARTIES: near(0)}
        assert end.text.endswith("20 missing, paid by the counterparties")
    assert kinds(account, account.at(BTC=79)) == [QUEUE, ALL] and kinds(account, account.at(BTC=85)) == [ALL]
    found = new(account, account.liquidate(last={"BTC": 75}, fund=1_000))  # the fund does not pay
    assert [(step.kind, step.price, step.shortfall) for step in found] == [
        (QUEUE, near(80), near(50)), (ALL, 78, near(50))
    ]  # fmt: skip
    assert total(found, FUND) == 0 and total(found, COUNTERPARTIES) == near(200)


@pytest.mark.parametrize("fund, rest", [(0, 50), (30, 20), (50, 0), (60, 0)])
def test_what_one_pool_leaves_pays_for_the_next(fund, rest):
    account = LONG.trade(ETHER, 10, 100, isolated=200).mark(BTC=88, ETH=65)  # 80 left over, 150 missing
    found = new(account, account.liquidate(last={"BTC": 90}, fund=fund))  # 100 left over
    missing = [step for step in found if step.kind == QUEUE]
    assert [step.pool for step in missing] == ["isolated ETH-USDT"] * (rest > 0)
    assert [(step.price, step.quantity, step.shortfall) for step in missing] == [
        (near(80), near(-10 * rest / 150), near(rest))
    ] * (rest > 0)  # fmt: skip
    assert fund + total(found, FUND) == near(fund + 100 - 150 + rest)


def test_each_currency_has_a_fund_of_its_own():
    account = Account(flat(), USDT=1_000, BTC=1).trade(LINEAR, 0.02, 50_000, isolated=200)
    account = account.trade(INVERSE, 100, 50_000, isolated=0.025).mark(BTC=41_000)
    # 20 USDT are left over, and 0.0189 BTC are missing
    found = new(account, account.liquidate(fund=0))
    assert [(step.kind, step.currency) for step in found] == [
        (ALL, "USDT"), (QUEUE, "BTC"), (ALL, "BTC")
    ]  # fmt: skip
    assert found[0].surplus == near(20) and found[0].flows[FUND] == near(20)
    queued = found[1]  # 10,000 USD are 0.225 BTC at the end
    assert (queued.price, queued.quantity) == (near(10_000 / 0.225), -100)
    assert queued.shortfall == near(10_000 / 41_000 - 0.225) and queued.flows[TRADER] == near(-0.025)


@pytest.mark.parametrize("mark, fund, seen", [
    (78, 20, [ALL]), (78, 19.99, [CLOSE, QUEUE, ALL]), (80, 0, [ALL]), (79.99, 0, [QUEUE, ALL]), (88, 0, [ALL]),
    (78, 1_000, [ALL]), (78, {"USDT": 0, "BTC": 20}, [QUEUE, ALL]), (78, {"USDT": 20}, [ALL]),
])  # fmt: skip
def test_one_event_says_it_all_just_where_the_fund_has_enough(mark, fund, seen):
    account = LONG.mark(BTC=mark)
    assert kinds(account, account.liquidate(fund=fund)) == seen


@pytest.mark.parametrize("fund, words", [
    (0, "20 missing, paid by the counterparties"),
    (5, "20 missing: 5 paid by the insurance fund, 15 by counterparties"),
    (20, "20 missing, paid by the insurance fund"), (inf, "20 missing, paid by the insurance fund"),
])  # fmt: skip
@pytest.mark.parametrize("rule", [{}, {"takeover": 2 / 3}])
def test_the_words_say_who_paid(fund, words, rule):
    account = one(venue=flat(**rule)).mark(BTC=78)
    after = account.liquidate(fund=fund)
    assert after.liquidations[0].text.endswith("200 USDT lost; " + words)
    assert total(new(account, after), FUND) == near(-min(fund, 20))


@pytest.mark.parametrize("mark, fund, back", [(88, 0, 80), (85.9, 0, 59), (85, 50, 0), (78, -20, 0)])
def test_hyperliquid_returns_the_rest_but_not_where_the_vault_takes_over(mark, fund, back):
    # 200 - 10 (100 - mark) for 10 mark of notional, a tenth; two thirds of it are 57.27 at 85.9, and 56.67 at 85
    account = one(venue=replace(venues.HYPERLIQUID, tiers={"*": Tiers.flat(0.1)})).mark(BTC=mark)
    after = account.liquidate()
    assert total(new(account, after), FUND) == near(fund) and after.balances() == {"USDT": near(800 + back)}
    assert kinds(account, after) == ([ALL] if back else [TAKE, ALL])
    keeper = "trader" if back else "insurance fund"
    assert after.liquidations[0].text.endswith(f"{back or 50} left over, kept by the {keeper}" if fund >= 0 else
                                               "20 missing, paid by the insurance fund")  # fmt: skip


# ----------------------------------------------- taken over, and shared out among several


@pytest.mark.parametrize("mark, taken", [(80, True), (80.0001, False), (79, True)])
@pytest.mark.parametrize("partial", ["none", "share"])
def test_below_the_threshold_nothing_is_sold_at_the_market(mark, taken, partial):
    # what is left is the fund's all the same
    venue = flat(surplus_to=TRADER, takeover=0.5, partial=partial)
    account = one(margin=240, venue=venue).mark(BTC=mark)  # at 80: 40 for 80; bankrupt at 76
    after = account.liquidate(last={"BTC": 78}, impact=0.01, fund=7)
    first, end = new(account, after)[0], new(account, after)[-1]
    if not taken:
        assert first.kind in (CLOSE, PART) and first.price == near(78 * 0.99)
        return
    assert (first.kind, first.price, first.quantity, first.after) == (TAKE, near(76), -10, near(0))
    gain = 10 * (mark - 76)
    assert first.flows == {TRADER: near(-240), FUND: near(gain), COUNTERPARTIES: near(240 - gain)}
    assert (end.kind, end.lost, end.surplus, end.shortfall) == (ALL, near(240), near(gain), 0)
    assert f"{gain:g} left over, kept by the insurance fund" in end.text and after.balances()["USDT"] == near(760)


@pytest.mark.parametrize("fund, cut", [(0, 1), (5, 0.75), (20, 0), (inf, 0)])
def test_the_fund_takes_over_what_it_can_pay_for(fund, cut):
    account = one(venue=flat(takeover=2 / 3)).mark(BTC=78)  # 20 missing at 80
    found = new(account, account.liquidate(last={"BTC": 60}, fund=fund))
    assert [step.kind for step in found] == [TAKE] * (cut < 1) + [QUEUE] * (cut > 0) + [ALL]
    for step in found[:-1]:
        part, paid = (cut, 0) if step.kind == QUEUE else (1 - cut, 20 * (1 - cut))
        assert (step.price, step.quantity, step.flows[TRADER]) == (near(80), near(-10 * part), near(-200 * part))
        assert step.flows[FUND] == near(-paid) and step.shortfall == near(20 * cut if step.kind == QUEUE else 0)
    assert found[-1].shortfall == near(20) and total(found, FUND) == near(20 * cut - 20)


def pair(balance=200, short=1, **rule):
    """10 BTC bought and so many ETH sold, all at 100; maintenance 1 % and 9 %."""
    venue = Venue("pair", tiers={"BTC-USDT": Tiers.flat(0.01), "ETH-USDT": Tiers.flat(0.09)},
                  liquidation=process(**rule))  # fmt: skip
    account = Account(venue, USDT=balance).mark(BTC=100, ETH=100)
    return account.trade(LINEAR, 10, 100, leverage=100).trade(ETHER, -short, 100, leverage=10)


@pytest.mark.parametrize("shared_by, ends", [
    ("loss", (70 + 150 * 300 / 350 / 10, 150 - 150 * 50 / 350)),  # 300 and 50 are lost of 200: 150 missing
    ("requirement", (70 + 150 * 7 / 20.5 / 10, 150 - 150 * 13.5 / 20.5)),
])  # fmt: skip
@pytest.mark.parametrize("fund", [0, 60, 150])
@pytest.mark.parametrize("takeover", [0, 1])
def test_the_shortfall_is_shared_out_by_the_rule(shared_by, ends, fund, takeover):
    account = pair(shared_by=shared_by, takeover=takeover).mark(BTC=70, ETH=150)
    assert list(bankruptcy_prices(account.cross).values()) == [near(end) for end in ends]
    found = new(account, account.liquidate(fund=fund))
    queued, rest = {s.contract: s for s in found if s.kind == QUEUE}, 150 - fund
    assert set(queued) == ({"BTC-USDT", "ETH-USDT"} if rest else set())
    for (symbol, size, mark), end in zip((("BTC-USDT", 10, 70), ("ETH-USDT", -1, 150)), ends, strict=True):
        if rest:
            step = queued[symbol]
            assert (step.price, step.quantity) == (near(end), near(-size * rest / 150))
            assert step.shortfall == near(size * rest / 150 * (end - mark))
    assert fsum(step.shortfall for step in queued.values()) == near(rest)
    assert total(found, FUND) == near(-fund) and found[-1].shortfall == near(150)


def test_what_is_there_is_shared_out_by_requirement():
    account = pair(takeover=1.0).mark(BTC=81, ETH=100)  # 10 left for 8.1 and 9
    ends = bankruptcy_prices(account.cross)
    assert ends == {"long BTC-USDT": near(81 - 10 * 8.1 / 17.1 / 10), "short ETH-USDT": near(100 + 10 * 9 / 17.1)}
    found = new(account, account.liquidate())
    assert [(s.kind, s.flows[FUND]) for s in found] == [
        (TAKE, near(10 * 9 / 17.1)), (TAKE, near(10 * 8.1 / 17.1)), (ALL, near(0))
    ]  # fmt: skip


def test_one_position_is_bankrupt_where_its_pool_is():
    for account in (LONG.mark(BTC=88), SHORT.mark(BTC=130)):
        ends = account[LINEAR].bankruptcy("BTC")
        assert list(bankruptcy_prices(account[LINEAR]).values()) == [near(ends.below.price or ends.above.price)]
    inverse = Account(flat(), BTC=1).trade(INVERSE, -100, 50_000, isolated=0.025).mark(BTC=60_000)[INVERSE]
    assert bankruptcy_prices(inverse) == {"short BTC-USD": near(10_000 / 0.175)}


def test_a_share_that_leaves_no_price():
    account = pair(shared_by="requirement").mark(BTC=20, ETH=100)  # -600; ETH bears 9 / 11 of it: 100 - 490 < 0
    assert bankruptcy_prices(account.cross) == {"long BTC-USDT": near(20 + 600 * 2 / 11 / 10), "short ETH-USDT": None}
    found = new(account, account.liquidate(fund=0))
    assert [(s.kind, s.contract) for s in found] == [(CLOSE, "ETH-USDT"), (QUEUE, "BTC-USDT"), (ALL, "")]
    assert found[-1].flows == {TRADER: near(600 * 9 / 11), FUND: 0, COUNTERPARTIES: near(-600 * 9 / 11)}
    # by losses, BTC bears all, and there is always a price
    account = pair().mark(BTC=20, ETH=100)
    assert bankruptcy_prices(account.cross) == {"long BTC-USDT": near(80), "short ETH-USDT": 100}


def test_the_price_covers_debts_too():
    # 300 owed and 100 lost: 40 on each contract, beyond the entry
    pool = replace(LONG[LINEAR], collateral={"USDT": -300}).marked({"BTC": 90})
    assert bankruptcy_prices(pool) == {"long BTC-USDT": near(130)} and pool.bankruptcy().price == near(130)
    short = replace(SHORT[LINEAR], collateral={"USDT": 50}).marked({"BTC": 110})
    assert bankruptcy_prices(short) == {"short BTC-USDT": near(105)}
    fills = {"short BTC-USDT": 120}
    assert shared_out(short, fills, *brought(short, fills)) == {"short BTC-USDT": near(105)}


def test_the_fund_pays_no_more_than_it_has_where_a_share_leaves_no_price():
    account = pair(shared_by="requirement", takeover=1.0).mark(BTC=20, ETH=100)
    assert total(new(account, account.liquidate(fund=100)), FUND) >= -100 - 1e-9


@pytest.mark.parametrize("last", [{}, {"BTC": 39_000}, {"BTC": 38_500}])
def test_what_a_haircut_kept_out_is_returned_whatever_the_fills_are(last):
    # 1 BTC counts for 80 %: 7,800 of 39,000 are kept out of the equity
    assets = {"BTC": Asset(0.2), "USD": Asset()}
    venue = replace(flat(), account_mode="multi-currency", assets=assets, unrealised="beside")
    account = Account(venue, BTC=1).mark(BTC=50_000).trade(INVERSE, 1_000, 50_000).mark(BTC=39_000)
    assert account.cross.worth() == near(17_000) and account.cross.equity() == near(9_200)
    assert account.liquidate(last=last).balances() == {"USD": near(7_800)}
    taken = replace(venue, liquidation=process(takeover=1.0))
    account = Account(taken, BTC=1).mark(BTC=50_000).trade(INVERSE, 1_000, 50_000).mark(BTC=39_000)
    assert account.liquidate(last=last).balances() == {"USD": near(7_800)}
