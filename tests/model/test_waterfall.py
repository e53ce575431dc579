"""Liquidation step by step: by hand, then what must hold for any account under any rule, then what may go wrong."""

from marginlab import replace
from itertools import pairwise
from math import fsum, inf, isfinite, nan

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from marginlab import Account, Asset, Perpetual, Spot, Tiers, Venue, venues
from marginlab.deleveraging import liquidate_all
from marginlab.rules import Liquidation
from tests.process import process
from marginlab.rules import COUNTERPARTIES, FUND, TRADER
from marginlab.liquidation import bankruptcy_prices, liquidate
from tests.model.refusal import refused, state

STEADY = settings(deadline=None, derandomize=True, database=None)
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
ETHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")
SOL = Perpetual("SOL-USDT", index="SOL", settle="USDT")
INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
PART, CLOSE, TAKE = "partial liquidation", "closing", "assignment"
QUEUE, CANCEL, ALL = "auto-deleveraging", "orders cancelled", "liquidation"
ORDER = {CANCEL: 0, PART: 1, CLOSE: 2, TAKE: 2, QUEUE: 2, ALL: 3}  # in which the steps of one pool follow


def near(value):
    return pytest.approx(value, rel=1e-12, abs=1e-10)


def flat(rate=0.1, surplus_to=FUND, shortfall_to=FUND, **rule):
    """A venue with one maintenance rate, and how it liquidates."""
    return Venue("flat", tiers={"*": Tiers.flat(rate)}, surplus_to=surplus_to, shortfall_to=shortfall_to,
                 liquidation=process(**rule))  # fmt: skip


def one(quantity=10, entry=100, margin=200, venue=None, contract=LINEAR):
    """An account of 1,000 USDT with one isolated position."""
    return Account(venue or flat(), USDT=1_000).trade(contract, quantity, entry, isolated=margin)


def steps(before, after):
    """What was added to the ledger."""
    assert after.events[: len(before.events)] == before.events
    return after.events[len(before.events) :]


def kinds(before, after):
    return [step.kind for step in steps(before, after)]


def total(found, party):
    return fsum(step.flows.get(party, 0.0) for step in found)


# ------------------------------------------------------- trigger, fill and impact

# 200 + 10 (P - 100) = P: the line is 88.889 for the long, 109.091 for the short
LONG, SHORT = one(), one(-10)


def test_a_wick_of_the_last_price_does_nothing():
    for mark, last in ((95, 50), (89, 1e-9), (89, 1e9), (1e6, 1)):
        account = LONG.mark(BTC=mark)
        assert liquidate(account, last={"BTC": last}, impact=0.5, fund=0) is account
    edge = one(1, 100, 60, flat(0.2))  # 60 - 50 = 0.2 * 50
    account = edge.mark(BTC=50.0001)
    assert liquidate(account, last={"BTC": 30}) is account
    assert kinds(edge, liquidate(edge.mark(BTC=50), last={"BTC": 70})) == [CLOSE, ALL]


def test_the_mark_triggers_and_the_last_price_fills():
    account = LONG.mark(BTC=88)
    after = liquidate(account, last={"BTC": 90})
    fill, end = steps(account, after)
    assert (fill.kind, fill.pool, fill.currency, fill.price) == (CLOSE, "isolated BTC-USDT", "USDT", 90)
    assert (fill.quantity, fill.before, fill.after) == (-10, near(80), near(100))
    assert fill.flows == {TRADER: near(-100), FUND: 0, COUNTERPARTIES: near(100)}
    assert (end.kind, end.lost, end.surplus, end.shortfall) == (ALL, near(200), near(100), 0)
    assert end.flows == {TRADER: near(-100), FUND: near(100), COUNTERPARTIES: near(0)}
    assert after.balances() == {"USDT": near(800)} and [p.name for p in after.pools] == ["cross USDT"]
    assert after.liquidations == (end,)


def test_what_is_left_after_fills_goes_to_the_trader_where_the_venue_says():
    account = one(venue=flat(surplus_to=TRADER)).mark(BTC=88)
    after = liquidate(account, last={"BTC": 90})
    assert after.balances() == {"USDT": near(900)} and after.liquidations[0].lost == near(100)
    assert total(steps(account, after), TRADER) == near(-100) and total(steps(account, after), FUND) == near(0)


def test_without_last_prices_it_is_what_at_does():
    after, same = liquidate(LONG.mark(BTC=88)), LONG.at(BTC=88)
    assert state(after) == state(same)
    (only,) = steps(LONG, after)
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
    fill, end = steps(account, liquidate(account, last=last, impact=impact))
    assert fill.price == near(want) and fill.before == near(account[LINEAR].equity())
    left = 200 - 10 * abs(want - 100)
    assert fill.after == near(left) and (end.surplus, end.shortfall) == (near(max(left, 0)), near(max(-left, 0)))
    assert total((fill, end), FUND) == near(left)


def test_impact_is_asked_for_the_worth_in_quote_currency():
    asked = []
    account = Account(flat(), BTC=1).trade(INVERSE, 100, 50_000, isolated=0.03).mark(BTC=45_000)
    after = liquidate(account, last={"BTC": 40_000}, impact=lambda worth: asked.append(worth) or 0.01)
    assert asked[0] == 10_000 and steps(account, after)[0].price == near(39_600)
    assert steps(account, after)[0].flows[TRADER] == near(0.2 - 10_000 / 39_600)


def test_a_contracts_own_mark_triggers_and_fills():
    account = LONG.mark(BTC=95).mark(**{"BTC-USDT": 88})
    assert steps(account, liquidate(account, impact=0.5))[0].price == near(44)


@pytest.mark.parametrize("error, words, given", [
    (ValueError, ["the last price of BTC must be a finite number above 0", "0"], {"last": {"BTC": 0}}),
    (ValueError, ["the last price of BTC", "nan"], {"last": {"BTC": nan}}),
    (TypeError, ["the last price of BTC", "'90'"], {"last": {"BTC": "90"}}),
    (ValueError, ["'ETH', which nothing here follows", "BTC, BTC-USDT"], {"last": {"ETH": 1}}),
    (TypeError, ["last must be a mapping", "90"], {"last": 90}),
    (ValueError, ["the fund in USDT", "-1"], {"fund": {"USDT": -1}}),
    (ValueError, ["fund names usdt", "USDT"], {"fund": {"usdt": 5}}),
    (TypeError, ["the fund in USDT", "'5'"], {"fund": {"USDT": "5"}}), (ValueError, ["fund", "-inf"], {"fund": -inf}),
    (ValueError, ["impact must be a finite number of at least 0", "-0.1"], {"impact": -0.1}),
    (ValueError, ["impact", "nan"], {"impact": nan}), (TypeError, ["impact", "None"], {"impact": None}),
    (ValueError, ["impact must be from 0 to below 1", "1.0"], {"impact": 1}),
    (ValueError, ["impact must be from 0 to below 1", "-0.5", "880"], {"impact": lambda worth: -0.5}),
    (ValueError, ["impact must be a finite number", "nan"], {"impact": lambda worth: nan}),
    (TypeError, ["impact must be a finite number", "None"], {"impact": lambda worth: None}),
    (ValueError, ["fund must be a finite number of at least 0", "-1"], {"fund": -1}),
    (ValueError, ["fund", "nan"], {"fund": nan}), (TypeError, ["fund", "'5'"], {"fund": "5"}),
    (TypeError, ["fund", "True"], {"fund": True}),
])  # fmt: skip
def test_what_cannot_be_meant_is_refused(error, words, given):
    account = LONG.mark(BTC=88)
    refused(error, words, lambda: liquidate(account, **given), account)


def test_what_a_refused_impact_was_asked_for_is_named_where_it_was_asked():
    with pytest.raises(ValueError) as caught:
        liquidate(LONG.mark(BTC=88), impact=1)
    assert str(caught.value) == "impact must be from 0 to below 1, not 1.0"
    with pytest.raises(ValueError) as caught:
        liquidate(LONG.mark(BTC=88), impact=lambda worth: 1.5)
    assert str(caught.value) == "impact must be from 0 to below 1, not 1.5 for 880 of quote currency"


# --------------------------------------------------------------- how much at a time


def test_a_fifth_first_and_then_the_rest():
    account = one(venue=flat(partial="share", share=0.2, partial_above=500))
    at = account.mark(BTC=88)  # 8 of 10 need 70.4 of the 80 that are there
    after = liquidate(at)
    (fill,) = steps(at, after)
    assert (fill.kind, fill.price, fill.quantity, fill.before, fill.after) == (PART, 88, near(-2), near(80), near(80))
    assert fill.flows == {TRADER: near(-24), FUND: 0, COUNTERPARTIES: near(24)}
    pool = after[LINEAR]
    assert pool.positions[0].quantity == near(8) and pool.positions[0].entry == 100
    assert pool.collateral == {"USDT": near(176)} and pool.slack() == near(9.6) and not after.liquidations
    deep = account.mark(BTC=86)  # 8 of 10 need 68.8 of 60
    part, end = steps(deep, liquidate(deep))
    assert (part.kind, part.quantity, end.kind) == (PART, near(-2), ALL)
    assert (end.lost, end.surplus, end.price) == (near(200), near(60), 86)
    assert total((part, end), TRADER) == near(-200) and total((part, end), COUNTERPARTIES) == near(140)


def test_the_rest_after_a_fifth_is_filled_at_the_market():
    account = one(venue=flat(partial="share", share=0.2, partial_above=500)).mark(BTC=86)
    found = steps(account, liquidate(account, last={"BTC": 80}))
    assert [(step.kind, step.quantity) for step in found] == [(PART, near(-2)), (CLOSE, near(-8)), (ALL, 0)]
    # 60 at the mark; 2 at 6 less, and then 8
    assert [step.before for step in found[:2]] == [near(60), near(48)] and found[1].after == near(0)
    assert total(found, TRADER) == near(-200) and total(found, FUND) == near(0)


@pytest.mark.parametrize("above, first", [(880, ALL), (879.99, PART)])
def test_small_positions_are_closed_whole(above, first):
    for partial in ("share", "size"):
        account = one(venue=flat(partial=partial, partial_above=above)).mark(BTC=88)
        assert kinds(account, liquidate(account, impact=bounded(0.0)))[-1:] == [first]


@pytest.mark.parametrize("price", [88, 88.5])
def test_above_counts_quote_currency_and_not_coins(price):
    # 10,000 USD, whatever the price: 0.2 BTC are not above 9,000, and the contracts are
    for above, first in ((9_999, PART), (10_000.001, ALL)):
        account = Account(flat(partial="share", partial_above=above), BTC=1).trade(INVERSE, 100, 50_000, isolated=0.03)
        account = account.mark(BTC=price * 540)
        assert kinds(account, liquidate(account))[0] == first


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
    (145, {"partial_above": 880}, None, None, [ALL]),
])  # fmt: skip
def test_down_the_tiers_one_or_two_at_a_time(margin, rule, kept, requirement, seen):
    account = tiered(margin, **rule)
    after = liquidate(account)
    assert kinds(account, after) == seen
    if kept is None:
        assert len(after.pools) == 1
        return
    pool, position = after[LINEAR], after[LINEAR].positions[0]
    assert position.quantity == near(kept) and pool.requirement() == near(requirement)
    assert pool.requirement() == near(STEPS.maintenance(88 * kept)) and pool.slack() == near(margin - 120 - requirement)
    assert fsum(step.quantity for step in steps(account, after)) == near(kept - 10)


@pytest.mark.parametrize("margin, kept, seen", [
    (150, 8, [PART]), (135, 5, [PART, PART]), (123, None, [PART, PART, ALL])
])  # fmt: skip
def test_down_the_tiers_by_contracts(margin, kept, seen):
    account = tiered(margin, COUNTS)  # 880 * 4 % = 35.2; 704 * 2.5 % = 17.6; 440 * 1 % = 4.4
    after = liquidate(account)
    assert kinds(account, after) == seen
    assert [p.quantity for _, p in after.find("BTC-USDT")] == ([near(kept)] if kept else [])


def test_down_the_tiers_by_the_notional_that_is_charged():
    # maintenance on the notional at entry: 1,000 need 40, 800 need 20, whatever the mark
    venue = Venue("B", tiers={"*": STEPS}, maintenance_at="entry", liquidation=process(partial="tiers"))
    account = one(margin=150, venue=venue).mark(BTC=88)
    after = liquidate(account)
    assert kinds(account, after) == [PART]
    assert after[LINEAR].positions[0].quantity == near(8) and after[LINEAR].requirement() == near(20)


def test_down_the_tiers_of_an_inverse_short():
    schedule = Tiers(((0, 0.01), (0.1, 0.1)))  # of coins: 0.25 BTC need 0.016, 0.1 need 0.001
    venue = Venue("steps", tiers={"*": schedule}, liquidation=process(partial="tiers"))
    account = Account(venue, BTC=1).trade(INVERSE, -100, 50_000, isolated=0.052)
    account = account.mark(BTC=10_000 / 0.15)  # 0.15 BTC: 0.002 left, 0.006 needed
    after = liquidate(account)
    (fill,) = steps(account, after)
    assert fill.quantity == near(100 / 3) and after[INVERSE].requirement() == near(0.001)
    assert fill.flows[TRADER] == near(-0.05 / 3) and after[INVERSE].equity() == near(0.002)


SIZE = {"partial": "size", "fund_fee": 0.01, "liquidator_fee": 0.01}


def shortage(quantity=10, **rule):
    """10 contracts at 100 need 100, and 90 are there."""
    account = one(quantity, 150 if quantity > 0 else 50, 590, flat(**(SIZE | rule)))
    return account.mark(BTC=100)


def bounded(part, calls=5_000):
    """An impact, a number or a function of what is traded, with an error instead of a loop without end."""
    left = iter(range(calls))

    def impact(worth):
        assert next(left, None) is not None, "a liquidation without end"
        return part(worth) if callable(part) else part

    return impact


@pytest.mark.parametrize("quantity, last, rule, want", [
    (10, 100, {}, 10 / (100 * (0.1 - 0.01) - 100 * 0.01)),  # Drift's formula: 1.25
    (-10, 100, {}, 1.25),
    (10, 100, {"fund_fee": 0.0, "liquidator_fee": 0.0}, 1),
    (10, 100, {"buffer": 0.1}, 20 / 9),  # 90 - 2 n = 1.1 (100 - 10 n)
    (10, 99, {}, 10 / (10 - 1 - 1.98)),  # 1 lost on each, and fees on 99
    (-10, 101, {}, 10 / (10 - 1 - 2.02)),
    (10, 101, {}, 10 / (10 + 1 - 2.02)),
])  # fmt: skip
def test_just_so_much_that_slack_comes_back(quantity, last, rule, want):
    account = shortage(quantity, **rule)
    assert account[LINEAR].slack() == near(-10)
    after = liquidate(account, last={"BTC": last}, impact=bounded(0.0))
    (fill,) = steps(account, after)
    side = 1 if quantity > 0 else -1
    assert fill.kind == PART and fill.quantity == pytest.approx(-side * want, rel=1e-9)
    pool, buffer = after[LINEAR], rule.get("buffer", 0)
    assert pool.slack() == pytest.approx(buffer * pool.requirement(), abs=1e-7) and pool.slack() > 0
    lost, fees = want * side * (last - account[LINEAR].positions[0].entry), want * last
    fund, liquidator = (rule.get(name, 0.01) * fees for name in ("fund_fee", "liquidator_fee"))
    for party, flow in ((TRADER, lost - fund - liquidator), (FUND, fund), (COUNTERPARTIES, liquidator - lost)):
        assert fill.flows[party] == pytest.approx(flow, rel=1e-8, abs=1e-9)
    assert (fill.before, fill.after) == (near(90), near(pool.equity()))


def test_where_no_size_brings_slack_back_all_is_closed_and_fees_take_no_more_than_there_is():
    account = shortage(fund_fee=0.06, liquidator_fee=0.06)  # 12 lost for 10 that are set free; 60 and 60 of 90
    fill, end = steps(account, liquidate(account, impact=bounded(0.0)))
    assert (fill.kind, fill.quantity, fill.after) == (CLOSE, -10, near(0))
    assert fill.flows == {TRADER: near(-590), FUND: near(30), COUNTERPARTIES: near(560)}
    assert (end.kind, end.surplus, end.shortfall, end.lost) == (ALL, 0, 0, near(590))
    assert all(abs(flow) < 1e-9 for flow in end.flows.values())


@pytest.mark.parametrize("last, fund, liquidator", [(45, 0, 5), (41.5, 0, 0), (41, 0, 0), (44, 0, 0), (60, 85, 75)])
def test_whoever_closes_is_paid_before_the_fund_and_both_out_of_what_is_left(last, fund, liquidator):
    # margin 580 less 10 (100 - last); fees of 12.5 % and 15 %
    account = Account(flat(fund_fee=0.15, liquidator_fee=0.125), USDT=580).trade(LINEAR, 10, 100, isolated=580)
    left = 580 - 10 * (100 - last)
    liquidator = min(max(left, 0), 1.25 * last)
    fund = min(max(left - liquidator, 0), 1.5 * last)
    account = account.mark(BTC=40)
    fill, end = steps(account, liquidate(account, last={"BTC": last}))
    assert (fill.flows[FUND], fill.flows[COUNTERPARTIES]) == (near(fund), near(liquidator + 10 * (100 - last)))
    assert end.shortfall == near(max(-left, 0)) and end.surplus == near(max(left - liquidator - fund, 0))


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
    after = liquidate(account)
    (fill,) = steps(account, after)
    assert (fill.kind, fill.quantity, fill.price, fill.before, fill.after) == (PART, quantity, 100, near(65), near(65))
    assert symbol in fill.text and not after.find(symbol)
    assert after.cross.slack() == near(65 - needed) and len(after.cross.positions) == 2
    kept = [p for p in account.cross.positions if p.instrument.symbol != symbol]
    assert list(after.cross.positions) == kept


def test_position_by_position_to_the_end():
    account = three(205, scope="position", order="notional")  # 5 for 70, for 60, for 10
    assert [step.quantity for step in steps(account, liquidate(account))] == [-10, 5, 0]
    fill, other, end = steps(account, liquidate(account))
    assert (fill.kind, other.kind, end.kind, end.surplus, end.lost) == (PART, PART, ALL, near(5), near(205))
    after = liquidate(account, last={"SOL": 99})
    assert [step.quantity for step in steps(account, after)] == [-10, 5, -2, 0]
    assert after.cross.positions == () and after.balances() == {"USDT": 0}


@pytest.mark.parametrize("order, quantities", [
    ("requirement", [5, -10, -2, 0]), ("loss", [-2, -10, 5, 0]), ("notional", [-10, 5, -2, 0])
])  # fmt: skip
def test_a_pool_is_closed_whole(order, quantities):
    account = three(265, order=order)
    after = liquidate(account)
    assert kinds(account, after) == [ALL] and after.cross.positions == () and after.balances() == {"USDT": 0}
    assert after.liquidations[0].surplus == near(65)
    after = liquidate(account, last={"BTC": 101, "ETH": 101, "SOL": 101})
    assert [step.quantity for step in steps(account, after)] == quantities
    assert kinds(account, after) == [CLOSE] * 3 + [ALL] and after.liquidations[0].surplus == near(72)


@pytest.mark.parametrize("order", ["requirement", "loss", "notional"])
def test_positions_are_compared_in_one_currency(order):
    # 10,000 USD of coins with a loss of 204 USD, 2,000 USDT with a loss of 10
    venue = replace(flat(scope="position", order=order), account_mode="multi-currency", assets={"*": Asset()})
    account = Account(venue, USDT=1_300).mark(BTC=50_000, ETH=2_000, USDT=1)
    account = account.trade(ETHER, 1, 2_000).trade(INVERSE, 100, 50_000).mark(BTC=49_000, ETH=1_990)
    after = liquidate(account)
    (fill,) = steps(account, after)
    assert (fill.currency, fill.quantity) == ("BTC", -100) and fill.flows[TRADER] == near(0.2 - 10 / 49)
    assert [p.instrument.symbol for p in after.cross.positions] == ["ETH-USDT"] and after.cross.slack() > 0


def test_a_fifth_of_one_and_then_a_fifth_of_another():
    account = three(265, scope="position", order="requirement", partial="share", partial_above=300)
    found = steps(account, liquidate(account))  # 65 for 70: ETH 5 -> 4 needs 60
    assert [(step.kind, step.quantity) for step in found] == [(PART, 1)]
    account = three(257, scope="position", partial="share", partial_above=300)  # 57 for 70, 60, 58; without ETH 18
    assert [step.quantity for step in steps(account, liquidate(account))] == [1, -2, 4]
    account = three(257, partial="share", partial_above=300)
    assert kinds(account, liquidate(account)) == [PART, PART, ALL]


# -------------------------------------------------------------------------- the fund


@pytest.mark.parametrize("last", [{}, {"BTC": 39_000}, {"BTC": 38_500}])
def test_what_a_haircut_kept_out_is_returned_whatever_the_fills_are(last):
    # 1 BTC counts for 80 %: 7,800 of 39,000 are kept out of the equity
    venue = replace(flat(), account_mode="multi-currency", assets={"BTC": Asset(0.2), "USD": Asset()})
    account = Account(venue, BTC=1).mark(BTC=50_000).trade(INVERSE, 1_000, 50_000).mark(BTC=39_000)
    assert account.cross.worth() == near(17_000) and account.cross.equity() == near(9_200)
    assert liquidate(account, last=last).balances() == {"USD": near(7_800)}


@pytest.mark.parametrize("fund, rest", [(inf, 0), (20, 0), (25, 0), (5, 15), (0, 20), (19.5, 0.5)])
def test_beyond_the_fund_winners_are_closed(fund, rest):
    account = LONG.mark(BTC=88)
    after = liquidate(account, last={"BTC": 78}, fund=fund)  # 220 of 200 are lost; bankrupt at 80
    *found, end = steps(account, after)
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


def test_a_fund_of_zero_without_a_market_either():
    account = LONG.mark(BTC=78)
    queued, end = steps(account, liquidate(account, fund=0))
    assert (queued.kind, queued.price, queued.quantity, queued.shortfall) == (QUEUE, near(80), -10, near(20))
    assert queued.flows == {TRADER: near(-200), FUND: 0, COUNTERPARTIES: near(200)} and end.shortfall == near(20)
    assert (end.kind, end.flows) == (ALL, {TRADER: near(0), FUND: 0, COUNTERPARTIES: near(0)})


@pytest.mark.parametrize("last", [{}, {"BTC": 78}])
def test_a_fund_is_a_number_or_a_mapping_of_currencies(last):
    account = LONG.mark(BTC=78)
    for number, mapping in ((5, {"USDT": 5}), (0, {}), (0, {"USDT": 0, "BTC": 9}), (inf, {"USDT": inf, "BTC": 0})):
        one, other = liquidate(account, last, fund=number), liquidate(account, last, fund=mapping)
        assert state(one) == state(other) and total(steps(account, one), FUND) == near(-min(number, 20))


def test_parts_of_one_liquidation_eat_into_one_book():
    venue = flat(partial="share", share=0.5)
    account = one(venue=venue).mark(BTC=85)  # 50 for 85; after the first half 29.8 for 42.5
    impact = lambda worth: worth / (worth + 8_500)  # noqa: E731
    half, rest, end = steps(account, liquidate(account, impact=impact))
    assert (half.kind, rest.kind) == (PART, CLOSE) and half.price == near(85 * (1 - 1 / 21))
    assert 5 * half.price + 5 * rest.price == near(850 * (1 - 1 / 11))  # as if all were sold at once
    assert end.shortfall == near(850 / 11 - 50)
    (whole, same) = steps(one().mark(BTC=85), liquidate(one().mark(BTC=85), impact=impact))
    assert whole.price == near(85 * (1 - 1 / 11)) and same.shortfall == near(end.shortfall)


def test_a_pool_that_is_closed_whole_eats_into_one_book():
    venue = replace(flat(), hedge_mode=True)
    second = Perpetual("BTC-2", index="BTC", settle="USDT")
    account = Account(venue, USDT=400).trade(LINEAR, 10, 100).trade(second, 10, 100).mark(BTC=88)  # 160 for 176
    first, then, _ = steps(account, liquidate(account, impact=lambda worth: worth / (worth + 8_800)))
    assert (first.price, first.price + then.price) == (near(80), near(2 * 88 * (1 - 1 / 6)))


def test_where_counterparties_pay_there_is_no_fund_to_be_empty():
    account = one(venue=flat(shortfall_to=COUNTERPARTIES)).mark(BTC=78)
    for fund in (0, 1_000, inf):
        queued, end = steps(account, liquidate(account, fund=fund))
        assert (queued.kind, queued.price, queued.quantity, queued.shortfall) == (QUEUE, near(80), -10, near(20))
        assert queued.flows == {TRADER: near(-200), FUND: 0, COUNTERPARTIES: near(200)}
        assert (end.kind, end.shortfall, end.lost, end.price) == (ALL, near(20), near(200), 78)
        assert end.flows == {TRADER: near(0), FUND: 0, COUNTERPARTIES: near(0)}
        assert end.text.endswith("20 missing, paid by the counterparties")
    assert kinds(account, account.at(BTC=79)) == [QUEUE, ALL] and kinds(account, account.at(BTC=85)) == [ALL]
    found = steps(account, liquidate(account, last={"BTC": 75}, fund=1_000))  # the fund does not pay
    assert [(step.kind, step.price, step.shortfall) for step in found] == [
        (QUEUE, near(80), near(50)), (ALL, 78, near(50))
    ]  # fmt: skip
    assert total(found, FUND) == 0 and total(found, COUNTERPARTIES) == near(200)


@pytest.mark.parametrize("fund, rest", [(0, 50), (30, 20), (50, 0), (60, 0)])
def test_what_one_pool_leaves_pays_for_the_next(fund, rest):
    account = LONG.trade(ETHER, 10, 100, isolated=200).mark(BTC=88, ETH=65)  # 80 left over, 150 missing
    found = steps(account, liquidate(account, last={"BTC": 90}, fund=fund))  # 100 left over
    missing = [step for step in found if step.kind == QUEUE]
    assert [step.pool for step in missing] == ["isolated ETH-USDT"] * (rest > 0)
    assert [(step.price, step.quantity, step.shortfall) for step in missing] == [
        (near(80), near(-10 * rest / 150), near(rest))
    ] * (rest > 0)  # fmt: skip
    assert fund + total(found, FUND) == near(fund + 100 - 150 + rest)


def test_fees_fill_the_fund_before_it_pays():
    account = three(150, scope="position", order="notional", fund_fee=0.01)  # -50: no fee is paid out of nothing
    found = steps(account, liquidate(account, fund=0))
    assert [step.kind for step in found] == [CLOSE, CLOSE, QUEUE, ALL]
    assert [step.flows[FUND] for step in found] == [0] * 4 and [step.fees for step in found] == [0] * 4
    assert [step.price for step in found[:3]] == [100, 100, near(125)]  # SOL alone has lost: the others are sold
    assert [abs(step.quantity) for step in found[:3]] == [10, 5, 2]
    assert [step.shortfall for step in found] == [0, 0, near(50), near(50)]
    account = three(265, scope="position", order="requirement", fund_fee=0.1)  # ETH has 50 / 70 of the 65
    found = steps(account, liquidate(account, last={"BTC": 97}, fund=0))  # then BTC loses 30 of 18.57
    assert [step.flows[FUND] for step in found][:2] == [near(65 * 50 / 70), 0]
    assert [step.kind for step in found] == [PART, PART, CLOSE, ALL]
    assert found[3].flows[FUND] == near(18.57142857142857 - 30) and total(found, FUND) == near(35)


def test_each_currency_has_a_fund_of_its_own():
    account = Account(flat(), USDT=1_000, BTC=1).trade(LINEAR, 0.02, 50_000, isolated=200)
    account = account.trade(INVERSE, 100, 50_000, isolated=0.025).mark(BTC=41_000)
    # 20 USDT are left over, and 0.0189 BTC are missing
    found = steps(account, liquidate(account, fund=0))
    assert [(step.kind, step.currency) for step in found] == [
        (ALL, "USDT"), (QUEUE, "BTC"), (ALL, "BTC")
    ]  # fmt: skip
    assert found[0].surplus == near(20) and found[0].flows[FUND] == near(20)
    queued = found[1]  # 10,000 USD are 0.225 BTC at the end
    assert (queued.price, queued.quantity) == (near(10_000 / 0.225), -100)
    assert queued.shortfall == near(10_000 / 41_000 - 0.225) and queued.flows[TRADER] == near(-0.025)


@pytest.mark.parametrize("missing", [60, 99, 110])
def test_fees_in_coins_count_in_the_currency_of_the_pool(missing):
    venue = replace(flat(scope="position", order="notional", fund_fee=0.01), account_mode="multi-currency",
                    assets={"*": Asset()})  # fmt: skip
    account = Account(venue, USDT=1_550).mark(BTC=50_000, ETH=2_000, USDT=1)
    account = account.trade(INVERSE, 100, 50_000).trade(ETHER, 1, 2_000).mark(BTC=48_000, ETH=1_000)
    # 1,550 - 400 - 1,000 for 1,100; then, less 100 USD of fee in coins, 50 for 100
    found = steps(account, liquidate(account, last={"ETH": 1_000 - 50 - missing}, fund=0))
    assert (found[0].currency, found[0].quantity, found[0].flows[FUND]) == ("BTC", -100, near(100 / 48_000))
    assert [step.kind for step in found[1:]] == [CLOSE, *[QUEUE] * (missing > 100), ALL]
    assert found[-1].shortfall == near(missing) and found[-1].flows[FUND] == near(-min(missing, 100))
    for step in found[2:-1]:
        assert (step.price, step.shortfall) == (near(950), near(missing - 100))


@pytest.mark.parametrize("fill, delta", [(5_610, 28.05), (5_049, -51), (5_100, 0), (5_110, 10), (5_100 / 0.995, None)])
def test_dydx_takes_half_a_percent_of_the_fill_and_no_more_than_there_is(fill, delta):
    venue = flat(surplus_to=TRADER, fund_fee=0.005)
    account = Account(venue, USDT=5_000).trade(LINEAR, 1, 7_650, isolated=2_550).mark(BTC=5_100)
    after = liquidate(account, last={"BTC": fill})
    surplus = max(fill - 5_100, 0)
    assert total(steps(account, after), FUND) == near(fill * 0.005 if delta is None else delta)
    assert after.balances()["USDT"] == near(2_450 + surplus - max(total(steps(account, after), FUND), 0))


@pytest.mark.parametrize("mark, fund, seen", [
    (78, 20, [ALL]), (78, 19.99, [CLOSE, QUEUE, ALL]), (80, 0, [ALL]), (79.99, 0, [QUEUE, ALL]), (88, 0, [ALL]),
    (78, 1_000, [ALL]), (78, {"USDT": 0, "BTC": 20}, [QUEUE, ALL]), (78, {"USDT": 20}, [ALL]),
])  # fmt: skip
def test_one_event_says_it_all_just_where_the_fund_has_enough(mark, fund, seen):
    account = LONG.mark(BTC=mark)
    assert kinds(account, liquidate(account, fund=fund)) == seen


@pytest.mark.parametrize("name, party", [("fund_fee", FUND), ("liquidator_fee", COUNTERPARTIES)])
def test_one_fee_alone_is_taken_at_the_marks_too(name, party):
    account = one(venue=flat(surplus_to=TRADER, **{name: 0.01})).mark(BTC=88)
    after = liquidate(account)
    fill, end = steps(account, after)
    assert (fill.kind, fill.price, fill.fees) == (CLOSE, 88, near(8.8)) and end.surplus == near(71.2)
    assert fill.flows[party] == near(8.8 + 120 * (party == COUNTERPARTIES))
    assert after.balances() == {"USDT": near(871.2)}


@pytest.mark.parametrize("mark, fund, back", [(88, 0, 80), (85.9, 0, 59), (85, 50, 0), (78, -20, 0)])
def test_hyperliquid_returns_the_rest_but_not_where_the_vault_takes_over(mark, fund, back):
    # 200 - 10 (100 - mark) for 10 mark of notional, a tenth; two thirds of it are 57.27 at 85.9, and 56.67 at 85
    account = one(venue=replace(venues.HYPERLIQUID, tiers={"*": Tiers.flat(0.1)})).mark(BTC=mark)
    after = liquidate(account)
    assert total(steps(account, after), FUND) == near(fund) and after.balances() == {"USDT": near(800 + back)}
    assert kinds(account, after) == ([ALL] if back else [TAKE, ALL])
    keeper = "trader" if back else "insurance fund"
    assert after.liquidations[0].text.endswith(f"{back or 50} left over, kept by the {keeper}" if fund >= 0 else
                                               "20 missing, paid by the insurance fund")  # fmt: skip


@pytest.mark.parametrize("mark, fee", [(88, 13.2), (81.5, 12.225), (80.5, 5), (78, -20)])
def test_dydx_v4_takes_a_fee_of_one_and_a_half_percent_and_leaves_the_rest(mark, fee):
    account = one(venue=replace(venues.DYDX_V4, tiers={"*": Tiers.flat(0.1)})).mark(BTC=mark)
    after = liquidate(account)
    assert total(steps(account, after), FUND) == near(fee)
    assert after.balances()["USDT"] == near(800 + max(0, 200 - 10 * (100 - mark) - fee))


# ----------------------------------------------- taken over, and shared out among several


@pytest.mark.parametrize("mark, taken", [(80, True), (80.0001, False), (79, True)])
@pytest.mark.parametrize("partial", ["none", "size"])
def test_below_the_threshold_nothing_is_sold_at_the_market(mark, taken, partial):
    # what is left is the fund's all the same, and no fee is taken
    venue = flat(surplus_to=TRADER, takeover=0.5, partial=partial, buffer=9, fund_fee=0.01)
    account = one(margin=240, venue=venue).mark(BTC=mark)  # at 80: 40 for 80; bankrupt at 76
    after = liquidate(account, last={"BTC": 78}, impact=0.01, fund=7)
    first, end = steps(account, after)[0], steps(account, after)[-1]
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
    found = steps(account, liquidate(account, last={"BTC": 60}, fund=fund))
    assert [step.kind for step in found] == [TAKE] * (cut < 1) + [QUEUE] * (cut > 0) + [ALL]
    for step in found[:-1]:
        part, paid = (cut, 0) if step.kind == QUEUE else (1 - cut, 20 * (1 - cut))
        assert (step.price, step.quantity, step.flows[TRADER]) == (near(80), near(-10 * part), near(-200 * part))
        assert step.flows[FUND] == near(-paid) and step.shortfall == near(20 * cut if step.kind == QUEUE else 0)
    assert found[-1].shortfall == near(20) and total(found, FUND) == near(20 * cut - 20)


@pytest.mark.parametrize("fund, words", [
    (0, "20 missing, paid by the counterparties"),
    (5, "20 missing: 5 paid by the insurance fund, 15 by counterparties"),
    (20, "20 missing, paid by the insurance fund"), (inf, "20 missing, paid by the insurance fund"),
])  # fmt: skip
@pytest.mark.parametrize("rule", [{}, {"takeover": 2 / 3}])
def test_the_words_say_who_paid(fund, words, rule):
    account = one(venue=flat(**rule)).mark(BTC=78)
    after = liquidate(account, fund=fund)
    assert after.liquidations[0].text.endswith("200 USDT lost; " + words)
    assert total(steps(account, after), FUND) == near(-min(fund, 20))


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
    found = steps(account, liquidate(account, fund=fund))
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
    found = steps(account, liquidate(account))
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
    found = steps(account, liquidate(account, fund=0))
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
    assert bankruptcy_prices(short, {"short BTC-USDT": 120}) == {"short BTC-USDT": near(105)}


def test_the_fund_pays_no_more_than_it_has_where_a_share_leaves_no_price():
    account = pair(shared_by="requirement", takeover=1.0).mark(BTC=20, ETH=100)
    assert total(steps(account, liquidate(account, fund=100)), FUND) >= -100 - 1e-9


@pytest.mark.parametrize("fee", [0.0, 0.01])  # in a takeover there is none
def test_what_a_haircut_kept_out_is_returned_by_a_takeover_too(fee):
    venue = replace(flat(takeover=1.0, fund_fee=fee), account_mode="multi-currency",
                    assets={"BTC": Asset(0.2), "USD": Asset()})  # fmt: skip
    account = Account(venue, BTC=1).mark(BTC=50_000).trade(INVERSE, 1_000, 50_000).mark(BTC=39_000)
    assert liquidate(account).balances() == {"USD": near(7_800)}


def test_a_pool_that_its_fills_leave_solvent_deleverages_nobody():
    venue = flat(fund_fee=0.05)  # 20 there at the marks; ETH is filled 1.5 lower: 5 are there, before fees
    account = Account(venue, USDT=220).mark(BTC=100, ETH=100).trade(LINEAR, 10, 100).trade(ETHER, 10, 100)
    account = account.mark(BTC=90, ETH=90)
    found = steps(account, liquidate(account, last={"ETH": 88.5}, fund=0))
    assert [(step.kind, step.fees) for step in found] == [(CLOSE, near(5)), (CLOSE, 0), (ALL, 0)]  # not 10 and then -5
    assert found[-1].shortfall == 0 and total(found, FUND) == near(5)


def test_fees_in_coins_take_no_more_than_is_left_once_all_is_closed():
    venue = replace(flat(fund_fee=0.05), account_mode="multi-currency", assets={"*": Asset()})
    account = Account(venue, USDT=2_150).mark(BTC=50_000, ETH=2_000, SOL=100, USDT=1)
    account = account.trade(INVERSE, 100, 50_000).trade(ETHER, 1, 2_000).trade(SOL, 9, 100).mark(ETH=1_000)
    # 1,150 for 1,000, 100 and 90; SOL loses 810 at 10: of the 500 and 50 of fees, 340 are there
    found = steps(account, liquidate(account, last={"SOL": 10}, fund=0))
    assert [(step.contract, step.fees) for step in found] == [
        ("BTC-USD", near(340 / 50_000)), ("ETH-USDT", near(0)), ("SOL-USDT", near(0)), ("", 0)
    ]  # fmt: skip
    assert found[-1].shortfall == 0 and found[0].flows[FUND] == near(340 / 50_000)
    assert liquidate_all([account], last={"SOL": 10}, fund=7).fund == {"USD": near(347)}


@settings(STEADY, max_examples=120)
@given(st.data())
def test_what_is_deleveraged_is_what_is_missing_beyond_the_fund(data):
    """At the marks, without fees: quantity * (level at bankruptcy - level at the fill) * face, over all positions."""
    rule = process(shared_by=data.draw(st.sampled_from(("loss", "requirement"))),
                       takeover=data.draw(st.sampled_from((0.0, 1.0))))  # fmt: skip
    venue = Venue("any", tiers={"*": Tiers.flat(0.02), "SOL-USDT": Tiers.flat(0.1)}, liquidation=rule)
    account = Account(venue, USDT=400).mark(BTC=100, ETH=100, SOL=100)
    for contract in (LINEAR, ETHER, SOL):
        size = data.draw(st.integers(-9, 9))
        if size:
            try:
                account = account.trade(contract, size, 100)
            except ValueError:
                pass
    account = account.mark(**{name: data.draw(st.integers(15, 190)) for name in ("BTC", "ETH", "SOL")})
    pool, fund = account.cross, data.draw(st.sampled_from((0, 50, 1_000)))
    if not pool.positions or not at_line(pool):
        return
    ends, missing = bankruptcy_prices(pool), max(0.0, -pool.worth())
    if rule.shared_by == "requirement":
        value = {t.position.label: t.size * t.price(pool.marks) for t in pool.terms}
        need = {t.position.label: t.charge(abs(value[t.position.label])) for t in pool.terms}
        for t in pool.terms:  # dYdX: -value - equity * requirement / all requirements, as quote for the position
            label = t.position.label
            quote = -value[label] + pool.worth() * need[label] / fsum(need.values())
            assert ends[label] == (pytest.approx(-quote / t.size) if -quote / t.size > 0 else None)
    else:
        assert None not in ends.values() or pool.worth() > 0
    after = liquidate(account, fund=fund)
    found = steps(account, after)
    event(" ".join(sorted({step.kind for step in found})))
    queued = [step for step in found if step.kind == QUEUE]
    for step in queued:
        mark = pool.marks[step.contract[:3]]
        assert step.shortfall == pytest.approx(-step.quantity * (step.price - mark), abs=1e-9)
    if None not in ends.values():
        assert fsum(step.shortfall for step in queued) == pytest.approx(max(0.0, missing - fund), abs=1e-8)
        assert total(found, FUND) == pytest.approx(-min(missing, fund) + max(0.0, pool.worth()), abs=1e-8)
        if queued:
            assert found[-1].flows[COUNTERPARTIES] == pytest.approx(0, abs=1e-8)
    assert after.balances() == {"USDT": 0}


# -------------------------------------------------- any account, any rule, any market

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
def rules(draw, **fixed):
    amounts = st.sampled_from((0.0, 0.0, 0.001, 0.01, 0.3))
    found = {"scope": draw(st.sampled_from(("pool", "position"))),
             "order": draw(st.sampled_from(("requirement", "loss", "notional"))),
             "partial": draw(st.sampled_from(("none", "share", "tiers", "size", "size"))),
             "partial_above": draw(st.sampled_from((0.0, 0.0, 10_000.0))),
             "share": draw(st.sampled_from((0.2, 0.5, 1.0))),
             "orders": draw(st.booleans()), "takeover": draw(st.sampled_from((0.0, 0.0, 2 / 3, 1.0))),
             "shared_by": draw(st.sampled_from(("loss", "requirement"))),
             "tiers": draw(st.sampled_from((1, 2))), "least_tier": draw(st.sampled_from((2, 3))),
             "buffer": draw(st.sampled_from((0.0, 0.1, 2.0))),
             "fund_fee": draw(amounts), "liquidator_fee": draw(amounts)}  # fmt: skip
    return process(**(found | fixed))


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
        liquidation=draw(rules()) if rule is None else rule,
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
    if account.venue.liquidation.partial == "size":
        impact = bounded(impact)
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


@settings(STEADY, max_examples=400)
@given(st.data())
def test_whatever_the_rule_nothing_is_lost_and_every_pool_stands_or_is_settled(data):
    account = data.draw(accounts())
    market = data.draw(markets(account))
    before, after = state(account), liquidate(account, **market)
    found, scale = steps(account, after), gross(account)
    size = scale * max(1, *(market["last"].get(n, 1) / account.marks[n] for n in account.marks if n in market["last"]),
                       *(account.marks[n] / market["last"].get(n, inf) for n in account.marks))  # fmt: skip
    assert state(account) == before
    event(", ".join(sorted({step.kind for step in found})) or "nothing")
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
    if not account.venue.liquidation.takeover:  # see `test_the_fund_pays_no_more_than_it_has_...` below
        drawn(account, found, market["fund"], 1e-11 * size)
    assert liquidate(after, **market) is after and liquidate(after) is after


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


@settings(STEADY, max_examples=150)
@given(accounts(rule=Liquidation()), st.sampled_from((inf, 0.0, 100.0)))
def test_the_default_rule_closes_each_pool_in_one_event(account, fund):
    after = liquidate(account, fund=fund)
    gone = [pool for pool in account.pools if at_line(pool)]
    found = steps(account, after)
    assert [s.pool for s in found if s.kind == ALL] == [pool.name for pool in gone]
    scale, there = gross(account), {pool.currency: fund for pool in account.pools}
    for pool in gone:  # one event says it all, unless winners have to pay
        seen, unit = [s for s in found if s.pool == pool.name], quote(account, pool.currency)
        beyond = -pool.worth() - (there[pool.currency] if account.venue.shortfall_to == FUND else 0)
        if abs(beyond) * unit > 1e-9 * scale:
            kinds_seen = {s.kind for s in seen} - {CANCEL}
            assert kinds_seen == {ALL} if beyond < 0 else kinds_seen >= {ALL}
            if beyond > 0:
                assert len(kinds_seen) > 1 or not pool.positions
                borne = fsum(s.shortfall * quote(account, s.currency) for s in seen if s.kind == QUEUE)
                ends = bankruptcy_prices(pool).values()
                assert borne == pytest.approx(beyond * unit, abs=1e-9 * scale) or not ends or None in ends
        there[pool.currency] += fsum(s.flows.get(FUND, 0) * quote(account, s.currency) for s in seen) / unit
    for pool, step in zip(gone, (s for s in found if s.kind == ALL), strict=True):
        left, unit = pool.worth(), quote(account, pool.currency)
        assert (step.surplus - step.shortfall) * unit == pytest.approx(left * unit, abs=1e-11 * scale)
    if fund == inf:
        assert state(account.at()) == state(after)
        # fills at the marks take more entries, and come to the same
        same = steps(account, liquidate(account, last=dict(account.marks)))
        for party in (TRADER, FUND, COUNTERPARTIES):
            one, other = (
                fsum(s.flows.get(party, 0.0) * quote(account, s.currency) for s in some) for some in (found, same)
            )
            assert one == pytest.approx(other, abs=1e-11 * scale)


@settings(STEADY, max_examples=100)
@given(accounts(rule=process(partial="size"), multi=False), st.sampled_from((0.0, 0.5)))
def test_a_buffer_is_there_afterwards_or_the_pool_is_gone(account, buffer):
    rule = process(partial="size", buffer=buffer, scope="position")
    venue = replace(account.venue, liquidation=rule)
    pools = tuple(replace(pool, venue=venue) for pool in account.pools)
    account = account.updated(*pools)._set(venue=venue)
    after = liquidate(account, impact=bounded(0.0))
    for pool in after.pools:
        acted = [step for step in steps(account, after) if step.pool == pool.name]
        if acted and acted[-1].kind == PART:
            assert pool.slack() > 0
            if len(acted) == 1 and pool.positions:  # one position was enough: it was not closed by more than it took
                gone = len(pool.positions) < len(next(p for p in account.pools if p.name == pool.name).positions)
                slack = acted[-1].after - pool.requirement()  # before another pool returned something to this one
                assert gone or slack == pytest.approx(buffer * pool.requirement(), abs=1e-8 * gross(account))


# ------------------------------------------------------------------- what may go wrong

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
@pytest.mark.parametrize("partial", ["none", "share", "tiers", "size"])
@pytest.mark.parametrize("scope", ["pool", "position"])
@pytest.mark.parametrize("multi", [False, True])
def test_no_fault_is_an_error_or_not_a_number(name, partial, scope, multi):
    move, market = FAULTS[name]
    if partial == "size":
        market = market | {"impact": bounded(market.get("impact", 0.0))}
    for fees in ({}, {"fund_fee": 0.02, "liquidator_fee": 0.5}):
        account = crowded(process(scope=scope, partial=partial, **fees), multi)
        account = account.mark(BTC=50_000 * move, ETH=2_000 * move)
        after = liquidate(account, **market)
        found = steps(account, after)
        assert found and not any(at_line(pool) for pool in after.pools)
        for step in found:
            figures = [*step.flows.values(), step.lost, step.surplus, step.shortfall, step.quantity]
            figures += [f for f in (step.price, step.before, step.after) if f is not None]
            assert all(map(isfinite, figures))
            assert fsum(step.flows.values()) == pytest.approx(0, abs=1e-11 * max(1, *map(abs, step.flows.values())))
        for pool in after.pools:
            assert all(map(isfinite, pool.collateral.values())) and pool.worth() >= -1e-6
        assert "nan" not in repr(after)


def test_everything_is_liquidated_at_once():
    account = crowded(Liquidation()).mark(BTC=1, ETH=1)
    after = liquidate(account, fund=0)
    ended = [step.pool for step in steps(account, after) if step.kind == ALL]
    assert ended == [pool.name for pool in account.pools if at_line(pool)] and len(ended) == 3
    assert all(not pool.positions for pool in after.pools if pool.name in ended)


@pytest.mark.parametrize("partial", ["none", "share", "tiers", "size"])
@pytest.mark.parametrize("price", [1e-9, 1e-300, 0.37])
def test_a_long_that_lost_everything_costs_its_margin(partial, price):
    account = one(venue=flat(partial=partial)).mark(BTC=88)
    after = liquidate(account, last={"BTC": price}, impact=bounded(0.999), fund=0)
    assert after.balances()["USDT"] >= 800 - 1e-9
    found = steps(account, after)
    *_, queued, end = found
    end_at = 100 - 0.002 * price / 8 if partial == "share" else 80  # two were sold for almost nothing
    assert (queued.kind, end.kind) == (QUEUE, ALL) and queued.price == near(end_at) and total(found, FUND) == near(0)
    assert total(found, TRADER) == near(-200) and queued.after == near(0)


# ----------------------------------------------------------- found by fuzzing, and mended


def test_a_long_and_a_short_of_one_contract_may_have_a_mark_of_their_own():
    account = Account(venues.TEACHING_MULTI, USDT=1e5).mark(BTC=5e4).trade(LINEAR, 8, 5e4, leg="long")
    account = account.trade(LINEAR, -0.5, 5e4, leg="short").mark(**{"BTC-USDT": 49_000})
    at = account.cross.slack(BTC=48_000)  # which moves both: 7.5 BTC have lost 2,000 each
    assert at == near(1e5 - 7.5 * 2_000 - 0.004 * 8.5 * 48_000) and "BTC-USDT" in repr(account)


def test_position_by_position_the_last_one_may_save_a_loan():
    rule = process(scope="position")
    venue = replace(venues.TEACHING_MULTI, liquidation=rule, tiers={"*": Tiers.flat(0.05, leverage=10)})
    account = Account(venue, USDT=3e4).mark(BTC=5e4, ETH=2_500).trade(Spot("ETH/USDT"), 16, 2_500, borrow="USDT")
    account = account.trade(LINEAR, 2, 5e4).mark(BTC=39_010)
    assert account.cross.slack() < 0
    after = liquidate(account)
    assert kinds(account, after) == [PART] and after.cross.slack() > 0 and not after.cross.positions
    assert after.cross.collateral == {"USDT": near(3e4 - 4e4 - 2 * 10_990), "ETH": 16}
