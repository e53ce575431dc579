"""Fills of a liquidation: prices, impact that adds up, fees, and how much is closed."""

from marginlab import replace
from itertools import pairwise
from math import fsum, inf, sqrt

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from marginlab import Account, Perpetual, Pool, Position, Tiers, Venue
from marginlab.liquidation import Market, notional_quote, reduced
from marginlab.liquidation import portion, ranked
from marginlab.rules import Liquidation
from tests.process import process
from tests.model.refusal import refused

STEADY = settings(deadline=None, derandomize=True, database=None, max_examples=100)
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
ETHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")
INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
IMPACTS = {
    "saturating": lambda worth: worth / (worth + 1_000),
    "square root": lambda worth: 0.01 * sqrt(worth),
    "none": lambda worth: 0.0,
}


def near(value):
    return pytest.approx(value, rel=1e-12, abs=1e-10)


def pool(*positions, margin=200.0, rate=0.1, marks=None, currency="USDT", **rule):
    venue = Venue("flat", tiers={"*": Tiers.flat(rate)}, hedge_mode=True, liquidation=process(**rule))
    positions = [Position(*position) for position in positions]
    return Pool(currency, {currency: margin}, positions, venue, marks or {})


def sold(market, of, position, counts):
    """The average prices of orders that follow one another."""
    prices = []
    for count in counts:
        prices.append(market.fill(of, position, count))
        market = market.after(of, position, count)
    return prices


@pytest.mark.parametrize("impact", IMPACTS.values(), ids=IMPACTS)
@pytest.mark.parametrize("side", [1, -1])
@STEADY
@given(counts=st.lists(st.floats(0.01, 8), min_size=1, max_size=6))
def test_an_order_that_is_split_costs_the_same(impact, side, counts):
    of = pool((LINEAR, 50.0 * side, 100))
    (position,), market = of.positions, Market({"BTC": 90}, impact)
    prices = sold(market, of, position, counts)
    whole = market.fill(of, position, fsum(counts))
    assert fsum(n * p for n, p in zip(counts, prices, strict=True)) == pytest.approx(fsum(counts) * whole, rel=1e-9)
    assert all(side * one >= side * then - 1e-9 for one, then in pairwise(prices))
    assert all(side * price <= side * 90 + 1e-9 for price in prices)


def test_an_order_that_is_split_by_hand():
    of = pool((LINEAR, 10, 100))  # at 100: 500 of 1,500 are a third; 1,000 of 2,000 a half; so the second is 2/3
    assert sold(Market({}, IMPACTS["saturating"]), of, of.positions[0], [5, 5]) == [near(200 / 3), near(100 / 3)]
    assert sold(Market({}, 0.1), of, of.positions[0], [5, 5]) == [near(90), near(90)]


def test_an_order_that_is_worth_nothing_to_rounding_has_a_price():
    of = pool((LINEAR, 10, 100))
    market = Market({"BTC": 5e-324}, IMPACTS["saturating"], {("BTC", 1): 500.0})
    assert 0 <= market.fill(of, of.positions[0], 0.1) <= 5e-324


def test_one_index_and_side_is_one_book():
    of = pool((LINEAR, 10, 100), (LINEAR, -10, 100), (ETHER, 10, 100))
    long, short, other = of.positions
    market = Market({}, IMPACTS["saturating"]).after(of, long, 5)
    assert market.done == {("BTC", 1): 500}
    assert (market.fill(of, long, 5), market.fill(of, short, 5), market.fill(of, other, 5)) == (
        near(100 / 3), near(400 / 3), near(200 / 3)
    )  # fmt: skip
    assert Market({}, 0.0).done == {}
    coins = pool((INVERSE, 10, 100), currency="BTC", margin=5)  # 10 contracts of 100 USD
    assert Market({"BTC": 50}, 0.0).after(coins, coins.positions[0], 4).done == {("BTC", 1): 400}
    assert market.fill(coins, coins.positions[0], 5) == near(100 / 3)


def test_the_last_price_of_the_contract_goes_before_that_of_its_index_and_before_the_mark():
    of = pool((LINEAR, 10, 100), marks={"BTC": 95, "BTC-USDT": 94})
    for last, want in (({}, 94), ({"BTC": 90}, 90), ({"BTC": 90, "BTC-USDT": 91}, 91)):
        assert Market(last, 0.0).fill(of, of.positions[0], 1) == want


@pytest.mark.parametrize("part", [float("nan"), inf, -inf, None, "0.1", True, 0.1j, [0.1]])
def test_an_impact_that_is_no_number_is_refused(part):
    of = pool((LINEAR, 10, 100))
    error = ValueError if isinstance(part, float) else TypeError
    refused(error, ["impact must be a finite number", repr(part)],
            lambda: Market({}, lambda worth: part).fill(of, of.positions[0], 10))  # fmt: skip


@pytest.mark.parametrize("part", [1.0, 1, 1.5, -0.1])
def test_an_impact_that_leaves_no_price_is_refused(part):
    of = pool((LINEAR, 10, 100))
    refused(ValueError, ["impact must be from 0 to below 1", repr(part), "1,000"],
            lambda: Market({}, lambda worth: part).fill(of, of.positions[0], 10))  # fmt: skip


@pytest.mark.parametrize("side", [1, -1])
def test_the_last_part_of_an_order_costs_no_more_than_all_of_its_price(side):
    # below 1 for every worth, and yet 0.85 of 850 after 0.425 of 425 costs more, 1.275, than the second half is worth
    of, impact = pool((LINEAR, 10 * side, 85)), lambda worth: min(worth / 1_000, 0.99)
    first, then = sold(Market({}, impact), of, of.positions[0], [5, 5])
    assert first == near(85 * (1 - 0.425 * side)) and then == near(85 * (1 - side * (1 - 1e-9)))
    # just below: 0.56 of 560 after 0.28 of 280 is 0.84
    first, then = sold(Market({"BTC": 56}, impact), of, of.positions[0], [5, 5])
    assert then == near(56 * (1 - 0.84 * side))
    # an average of more than all of the price is refused still
    refused(ValueError, ["impact must be from 0 to below 1, not 1.7", "for 1,700 of quote currency"],
            lambda: sold(Market({}, lambda worth: worth / 1_000), of, of.positions[0], [5, 15]))  # fmt: skip


def test_the_last_part_of_an_order_is_not_better_than_the_last_price():
    # 0.2 of 500 and then 0.05 of 1,000: the second half would have had to be 0.1 better
    of = pool((LINEAR, 10, 100))
    assert sold(Market({}, lambda worth: 0.2 if worth < 600 else 0.05), of, of.positions[0], [5, 5]) == [near(80), 100]


def test_only_what_is_in_the_pool_can_be_closed():
    of, other = pool((LINEAR, 10, 100)), Position(LINEAR, 10, 101)
    refused(ValueError, ["position must be one of", repr(of.name), repr(other)], lambda: reduced(of, other, 5, 100))
    same = reduced(of, replace(of.positions[0]), 5, 100).pool  # one that is equal will do
    assert [(p.quantity, p.entry) for p in same.positions] == [(5, 100)]


def test_notional_in_quote_currency():
    of = pool((INVERSE, -30, 50_000), currency="BTC", margin=1, marks={"BTC": 40_000})
    assert notional_quote(of, of.positions[0]) == near(3_000)
    of = pool((LINEAR, -3, 50_000), marks={"BTC": 40_000})
    assert notional_quote(of, of.positions[0]) == near(120_000)


# --------------------------------------------------------------------- one part of a position


@STEADY
@given(st.sampled_from((10, -10)), st.floats(0.1, 9.9), st.floats(50, 150), st.booleans())
def test_a_part_and_then_the_rest_is_the_whole(quantity, count, price, inverse):
    contract = INVERSE if inverse else LINEAR
    of = pool((contract, quantity, 100), currency=contract.settle, margin=500)
    part = reduced(of, of.positions[0], count, price)
    (kept,) = part.pool.positions
    assert kept.entry == 100 and kept.quantity == pytest.approx(quantity * (1 - count / 10))
    then = reduced(part.pool, kept, abs(kept.quantity), price)
    whole = reduced(of, of.positions[0], 10, price)
    assert then.pool.positions == whole.pool.positions == ()
    assert part.realised + then.realised == pytest.approx(whole.realised, abs=1e-9)
    assert whole.realised == pytest.approx(of.positions[0].pnl(price), abs=1e-9)
    assert then.pool.worth() == pytest.approx(whole.pool.worth(), abs=1e-9)


def test_what_is_left_to_rounding_is_nothing():
    of = pool((LINEAR, 10, 100))
    assert reduced(of, of.positions[0], 10 * (1 - 1e-13), 100).pool.positions == ()
    assert reduced(of, of.positions[0], 10 * (1 - 1e-10), 100).pool.positions != ()


@pytest.mark.parametrize("price, most, taken", [
    (100, inf, (3, 2)), (100, 0, (0, 0)), (100, 4, (3, 1)), (100, 2, (2, 0)),
    (96, inf, (2.88, 1.92)), (90, inf, (0, 0)), (81, inf, (0, 0)),
    # 20 there, and half of it is this half's
])  # fmt: skip
def test_fees_are_of_the_fill_and_no_more_than_the_part_has_left(price, most, taken):
    rule = {"liquidator_fee": 3 / 500, "fund_fee": 2 / 500}
    of = pool((LINEAR, 10, 100), margin=60 if price > 95 else 20, rate=0.01, **rule)
    done = reduced(of, of.positions[0], 5, price, most)
    assert (done.liquidator_fee, done.fund_fee) == (near(taken[0]), near(taken[1]))
    assert done.pool.collateral["USDT"] == near(of.collateral["USDT"] + 5 * (price - 100) - sum(taken))


@pytest.mark.parametrize("price, liquidator, fund", [
    (100, 8, 2), (99, 5, 0), (98, 0, 0), (100.4, 8.032, 3.968)
])  # fmt: skip
def test_the_liquidator_first_and_the_fund_out_of_the_rest(price, liquidator, fund):
    # 20 for 10: half of it, 10, less what the fill of 5 is under the mark; fees of 1.6 % and 0.9 %
    of = pool((LINEAR, 10, 100), margin=20, rate=0.01, liquidator_fee=0.016, fund_fee=0.009)
    done = reduced(of, of.positions[0], 5, price)
    assert (done.liquidator_fee, done.fund_fee) == (near(liquidator), near(fund))


# -------------------------------------------------------------------- which, and how much


@pytest.mark.parametrize("order, first", [("requirement", "ETH"), ("loss", "SOL"), ("notional", "BTC")])
def test_ranks(order, first):
    sol = Perpetual("SOL-USDT", "SOL", "USDT", tiers=Tiers.flat(0.01))
    btc, eth = replace(LINEAR, tiers=Tiers.flat(0.01)), replace(ETHER, tiers=Tiers.flat(0.1))
    of = pool((btc, 10, 100), (sol, -2, 100), (eth, 5, 100), marks={"BTC": 100, "SOL": 150, "ETH": 101}, order=order)
    assert ranked(of)[0].instrument.index == first


def test_equals_keep_their_order():
    of = pool((LINEAR, 1, 100), (ETHER, 1, 100), (LINEAR, -1, 100))
    assert ranked(of) == list(of.positions)


def test_one_that_can_be_closed_in_part_goes_before_one_that_must_be_closed_whole():
    for scope in ("pool", "position"):
        of = pool((LINEAR, 10, 100), (ETHER, 3, 100), scope=scope, partial="tiers")  # one tier: no step down
        assert portion(of, Market({}, 0.0), set()) == ((None, 0) if scope == "pool" else (of.positions[0], 10))
        stepped = replace(ETHER, tiers=Tiers(((0, 0.1), (200, 0.12))))
        of = pool((LINEAR, 10, 100), (stepped, 3, 100), scope=scope, partial="tiers")
        position, count = portion(of, Market({}, 0.0), set())
        assert position is of.positions[1] and count == near(1)


def test_a_share_is_closed_once():
    of = pool((LINEAR, 10, 100), (ETHER, 5, 100), partial="share", share=0.3)
    first, second = of.positions
    assert portion(of, Market({}, 0.0), set()) == (first, near(3))
    assert portion(of, Market({}, 0.0), {first.label}) == (second, near(1.5))
    assert portion(of, Market({}, 0.0), {first.label, second.label}) == (None, 0)


@STEADY
@given(st.integers(101, 198), st.sampled_from((10, -10)), st.floats(0, 0.5), st.sampled_from((0.0, 0.01, "saturating")),
       st.sampled_from((0.0, 0.005)))  # fmt: skip
def test_the_least_that_brings_slack_back(margin, quantity, buffer, impact, fee):
    impact = (lambda worth: worth / (worth + 50_000)) if impact == "saturating" else impact
    side = 1 if quantity > 0 else -1
    of = pool((LINEAR, quantity, 100), margin=float(margin), marks={"BTC": 100 - 10.5 * side}, partial="size",
              buffer=buffer, fund_fee=fee, liquidator_fee=fee)  # fmt: skip
    assume(of.slack() <= 0)
    market = Market({}, impact)
    position, count = portion(of, market, set())

    def slack(n):
        after = reduced(of, of.positions[0], n, market.fill(of, of.positions[0], n)).pool
        return after.slack() - buffer * after.requirement()

    if position is None:
        assert all(slack(10 * n / 50) < 1e-9 for n in range(1, 50))
    else:
        assert slack(count) > -1e-10 and slack(count * 0.9999) < 0  # of about 100, to rounding
        assert buffer or slack(count) > 0
        assert all(slack(count * n / 20) < 0 for n in range(1, 20))


def test_a_size_found_where_more_would_be_too_much():
    # impact that grows: to sell more than about half costs more than it sets free
    account = Account(Venue("size", tiers={"*": Tiers.flat(0.1)}, liquidation=process(partial="size")), USDT=1_000)
    account = account.trade(LINEAR, 10, 100, isolated=194.5).mark(BTC=89.5)  # 89.5 for 89.5
    after = account.liquidate(impact=lambda worth: 0.2 * worth / 895)
    (fill,) = after.events[len(account.events) :]
    assert fill.kind == "partial liquidation" and 0 < -fill.quantity < 1e-6 and after[LINEAR].slack() > 0
