"""Auto-deleveraging by hand: who stands where in the queue, what is taken over and at which price."""

from dataclasses import replace
from math import inf, nan

import pytest

from marginlab import Account, Perpetual, Pool, Position, venues
from marginlab.model.deleveraging import deleveraged, queue, score
from marginlab.model.venue import COUNTERPARTIES, TRADER
from tests.model.refusal import refused, state

LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
OTHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")
HEDGE = replace(venues.TEACHING, hedge_mode=True)
BOTH = replace(venues.TEACHING, both_modes=True)


def near(value):
    return pytest.approx(value, rel=1e-12)


def trader(quantity, entry, margin, mark=100, venue=venues.TEACHING, **words):
    """An account with one isolated position, marked."""
    return Account(venue, USDT=10_000).trade(LINEAR, quantity, entry, isolated=margin, **words).mark(BTC=mark)


def scored(contract, quantity, entry, margin, mark):
    pool = Pool(contract.settle, {contract.settle: margin}, [Position(contract, quantity, entry)], venues.TEACHING)
    pool = pool.marked({contract.index: mark})
    return score(pool, pool.positions[0])


# --------------------------------------------------------------------- the score


@pytest.mark.parametrize("quantity, mark, gain, leverage", [
    (1, 110, 10 / 100, 110 / (110 - 90)),  # 10 on 100: bankrupt at 90
    (1, 95, -5 / 100, 95 / (95 - 90)),
    (-1, 90, 10 / 100, 90 / (110 - 90)),  # bankrupt at 110
    (-1, 105, -5 / 100, 105 / (110 - 105)),
    (3, 100, 0.0, 10.0),
])  # fmt: skip
def test_a_profit_is_multiplied_by_its_leverage_and_a_loss_divided_by_it(quantity, mark, gain, leverage):
    want = gain * leverage if gain > 0 else gain / leverage
    assert scored(LINEAR, quantity, 100, 10 * abs(quantity), mark) == near(want)


@pytest.mark.parametrize("quantity, mark, bust", [(100, 55_000, 0.22), (100, 48_000, 0.22), (-100, 45_000, 0.18),
                                                  (-100, 52_000, 0.18)])  # fmt: skip
def test_inverse_contracts_by_their_value_in_coins(quantity, mark, bust):
    # 10,000 USD at 50,000 is 0.2 BTC; 0.02 of margin are gone where it is worth 0.22 (long) or 0.18 (short)
    side, worth = quantity / 100, 10_000 / mark
    gain, leverage = side * (0.2 - worth) / 0.2, worth / (side * (bust - worth))
    assert scored(INVERSE, quantity, 50_000, 0.02, mark) == near(gain * leverage if gain > 0 else gain / leverage)


def test_without_a_bankruptcy_price_the_leverage_is_one():
    assert scored(LINEAR, 1, 100, 150, 110) == near(0.1)  # paid in full
    assert scored(LINEAR, 1, 100, 150, 95) == near(-0.05)
    # 1 BTC is 50,000 USD; a short of 10,000 loses at most the 0.2 BTC that it was worth at first
    assert scored(INVERSE, -100, 50_000, 1, 40_000) == near(0.25)


def test_a_short_that_a_hedge_holds_up_has_no_leverage_and_stands_last_of_the_winners():
    pool = Account(HEDGE, USDT=100).trade(LINEAR, 2, 100, leg="long").trade(LINEAR, -1, 100, leg="short").cross
    pool = pool.marked({"BTC": 90})
    assert pool.bankruptcy("BTC").above.price is None
    assert score(pool, pool.positions[1]) == 0  # 10 % * 90 / (beyond all prices)
    assert score(pool.marked({"BTC": 101}), pool.positions[1]) == -inf
    assert score(pool.marked({"BTC": 100}), pool.positions[1]) == 0


def test_the_bankruptcy_price_is_that_of_the_pool_and_the_price_the_contracts_own_mark():
    account = Account(venues.TEACHING, USDT=60).trade(LINEAR, 1, 100).trade(OTHER, 1, 50)
    pool = account.mark(BTC=110, ETH=40).cross  # 60 + 10 - 10 = 60: BTC at 50 is the end
    long, other = pool.positions
    assert score(pool, long) == near(0.1 * 110 / (110 - 50))
    assert score(pool, other) == near(-0.2)  # without it, 20 are left: no bankruptcy price
    own = account.mark(BTC=110, ETH=50).mark(**{"BTC-USDT": 120}).cross
    end = own.bankruptcy("BTC").below.price
    assert score(own, own.positions[0]) == near(0.2 * 120 / (120 - end))


# --------------------------------------------------------------------- the queue

SHORTS = (
    trader(-1, 110, 50),  # gain 1/11; bankrupt at 160: 100/60
    trader(-3, 105, 3 * 10.5),  # gain 1/21; bankrupt at 115.5: 100/15.5, first
    trader(-2, 95, 2 * 20),  # a loss: last
    trader(4, 90, 4 * 10),
)


def numbers(found):
    return [(n, p.quantity) for _, n, _, p in found]


def test_the_highest_score_is_first_and_the_sides_are_apart():
    found = queue(SHORTS, LINEAR, -1)
    assert numbers(found) == [(1, -3), (0, -1), (2, -2)]
    assert [s for s, *_ in found] == [
        near(5 / 105 * 100 / 15.5), near(10 / 110 * 100 / 60), near(-5 / 95 * 15 / 100)
    ]  # fmt: skip
    assert numbers(queue(SHORTS, "BTC-USDT", 1)) == [(3, 4)]
    assert queue(SHORTS, LINEAR, -1)[0][2] == "isolated BTC-USDT"
    assert queue(SHORTS, OTHER, -1) == [] and queue((), LINEAR, 1) == []


def test_equal_scores_stand_in_the_order_of_their_accounts():
    twins = [trader(-1, 110, 50) for _ in range(3)]
    assert numbers(queue(twins, LINEAR, -1)) == [(0, -1), (1, -1), (2, -1)]


def test_one_account_stands_in_both_queues_and_with_every_pool():
    hedged = Account(HEDGE, USDT=1_000).trade(LINEAR, 2, 100, leg="long").trade(LINEAR, -1, 100, leg="short")
    assert [numbers(queue([hedged], LINEAR, side)) for side in (1, -1)] == [[(0, 2)], [(0, -1)]]
    twice = Account(BOTH, USDT=1_000).trade(LINEAR, -2, 100).trade(LINEAR, -1, 100, isolated=10).mark(BTC=90)
    assert [(pool, p.quantity) for _, _, pool, p in queue([twice], LINEAR, -1)] == [
        ("isolated BTC-USDT", -1), ("cross USDT", -2)
    ]  # fmt: skip


@pytest.mark.parametrize("side", [0, 2, "long", None])
def test_a_side_is_one_or_minus_one(side):
    refused(ValueError, ["side must be one of 1, -1", repr(side)], lambda: queue(SHORTS, LINEAR, side), SHORTS[0])


def test_a_position_beyond_bankruptcy_does_not_go_before_the_losers():
    gone, loser = trader(-1, 100, 10, mark=120), trader(-1, 100, 30, mark=120)
    assert score(gone.pools[1], gone.pools[1].positions[0]) <= 0
    assert numbers(queue([loser, trader(-1, 121, 30, mark=120), gone], LINEAR, -1))[0] == (1, -1)


# ---------------------------------------------------------------- the taking over


@pytest.mark.parametrize("quantity, taken, left", [
    (2, {1: 2}, 0), (3, {1: 3}, 0), (3.5, {1: 3, 0: 0.5}, 0), (5, {1: 3, 0: 1, 2: 1}, 0), (7.5, {1: 3, 0: 1, 2: 2}, 1.5)
])  # fmt: skip
def test_contracts_go_from_the_head_of_the_queue_at_the_price(quantity, taken, left):
    before = [state(account) for account in SHORTS]
    after, rest = deleveraged(SHORTS, LINEAR, quantity, 98)
    assert [state(account) for account in SHORTS] == before  # as they were
    assert rest == pytest.approx(left) and isinstance(after, list) and len(after) == 4
    for n, (old, new) in enumerate(zip(SHORTS, after, strict=True)):
        if n not in taken:
            assert new is old
            continue
        (event,) = new.events[len(old.events) :]
        assert (event.kind, event.price, event.pool) == ("auto-deleveraging", 98, "isolated BTC-USDT")
        assert (event.quantity, event.currency) == (taken[n], "USDT")  # a short is bought back
        position = old[LINEAR].positions[0]
        gain = taken[n] * (position.entry - 98)
        assert event.flows == {TRADER: near(gain), COUNTERPARTIES: near(-gain)}
        assert new.balances()["USDT"] == near(10_000 + gain)
        kept = [p.quantity for _, p in new.find("BTC-USDT")]
        assert kept == ([position.quantity + taken[n]] if taken[n] < -position.quantity else [])


def test_a_liquidated_short_is_closed_against_the_longs():
    after, left = deleveraged(SHORTS, LINEAR, -1, 103)
    assert left == 0 and all(new is old for new, old in zip(after[:3], SHORTS[:3], strict=True))
    event = after[3].events[-1]
    assert (event.quantity, event.flows[TRADER]) == (-1, near(13)) and after[3][LINEAR].positions[0].quantity == 3
    after, left = deleveraged(SHORTS, LINEAR, -6, 103)
    assert left == 2 and after[3].find("BTC-USDT") == []
    assert deleveraged((), LINEAR, -6, 103) == ([], 6)


def test_inverse_contracts_are_paid_in_coins():
    bear = Account(venues.TEACHING, BTC=1).trade(INVERSE, -100, 50_000, isolated=0.02).mark(BTC=45_000)
    (after,), left = deleveraged([bear], INVERSE, 40, 46_000)
    gain = 4_000 / 46_000 - 4_000 / 50_000
    assert left == 0 and after.balances()["BTC"] == near(1 + gain) and after.events[-1].quantity == 40
    assert after[INVERSE].positions[0].quantity == -60


def test_each_leg_and_each_pool_is_closed_in_its_own_place():
    hedged = Account(HEDGE, USDT=1_000).trade(LINEAR, 2, 100, leg="long").trade(LINEAR, -1, 100, leg="short")
    (after,), left = deleveraged([hedged], LINEAR, 3, 95)
    assert left == 2 and [p.quantity for p in after.cross.positions] == [2]
    twice = Account(BOTH, USDT=1_000).trade(LINEAR, -2, 100).trade(LINEAR, -1, 100, isolated=10).mark(BTC=90)
    (after,), left = deleveraged([twice], LINEAR, 2.5, 92)
    assert left == 0 and [(pool.name, p.quantity) for pool, p in after.find("BTC-USDT")] == [("cross USDT", -0.5)]
    assert [(e.pool, e.quantity) for e in after.events[-2:]] == [("isolated BTC-USDT", 1), ("cross USDT", 1.5)]
    assert after.balances()["USDT"] == near(1_000 + 2.5 * 8)


@pytest.mark.parametrize("value", [nan, inf, -inf, 0, 0.0, "5", None, True])
def test_quantities_and_prices_that_cannot_be_meant(value):
    error = TypeError if isinstance(value, (str, bool)) or value is None else ValueError
    refused(error, ["quantity must be"], lambda: deleveraged(SHORTS, LINEAR, value, 98), SHORTS[0])
    words = ["price must be a finite number above 0", repr(value)]
    refused(error, words, lambda: deleveraged(SHORTS, LINEAR, 1, value), SHORTS[1])


def test_a_price_below_zero_is_refused():
    refused(ValueError, ["price", "-98"], lambda: deleveraged(SHORTS, LINEAR, 1, -98), SHORTS[1])
