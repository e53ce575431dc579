"""Auto-deleveraging by hand: who stands where in the queue, what is taken over and at which price."""

from math import fsum, inf, isfinite, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marginlab import Account, Asset, Perpetual, Pool, Position, Tiers, Venue, replace, venues
from marginlab.deleveraging import deleveraged, liquidate_all, queue, score
from marginlab.rules import COUNTERPARTIES, FUND, TRADER
from tests.core.common import ETHER, INVERSE, LINEAR, STEADY, balanced, near
from tests.process import process
from tests.refusal import refused, state

HEDGE = replace(venues.TEACHING, hedge_mode=True)
BOTH = replace(venues.TEACHING, both_modes=True)
SECOND = Perpetual("BTC-2", index="BTC", settle="USDT")


def trader(quantity, entry, margin, mark=100, venue=venues.TEACHING, **words):
    """An account with one isolated position, marked."""
    return Account(venue, USDT=10_000).trade(LINEAR, quantity, entry, isolated=margin, **words).mark(BTC=mark)


def scored(contract, quantity, entry, margin, mark):
    pool = Pool(contract.settle, {contract.settle: margin}, [Position(contract, quantity, entry)], venues.TEACHING)
    pool = pool.marked({contract.index: mark})
    return score(pool, pool.positions[0])


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
    account = Account(venues.TEACHING, USDT=60).trade(LINEAR, 1, 100).trade(ETHER, 1, 50)
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
    assert queue(SHORTS, ETHER, -1) == [] and queue(SHORTS[:3], LINEAR, 1) == []


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


def test_a_position_beyond_bankruptcy_does_not_go_before_the_losers():
    gone, loser = trader(-1, 100, 10, mark=120), trader(-1, 100, 30, mark=120)
    assert score(gone.pools[1], gone.pools[1].positions[0]) == 0  # no leverage is beyond all
    just = trader(-1, 100, 20, mark=120)  # worth nothing: it stands for nobody
    assert score(just.pools[1], just.pools[1].positions[0]) == 0
    found = queue([loser, trader(-1, 121, 30, mark=120), gone, just], LINEAR, -1)
    assert numbers(found) == [(1, -1), (0, -1)]


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
    after, left = deleveraged(SHORTS[:3], LINEAR, -6, 103)  # no longs at all
    assert left == 6 and all(new is old for new, old in zip(after, SHORTS[:3], strict=True))


def test_each_leg_and_each_pool_is_closed_in_its_own_place():
    hedged = Account(HEDGE, USDT=1_000).trade(LINEAR, 2, 100, leg="long").trade(LINEAR, -1, 100, leg="short")
    (after,), left = deleveraged([hedged], LINEAR, 3, 95)
    assert left == 2 and [p.quantity for p in after.cross.positions] == [2]
    twice = Account(BOTH, USDT=1_000).trade(LINEAR, -2, 100).trade(LINEAR, -1, 100, isolated=10).mark(BTC=90)
    (after,), left = deleveraged([twice], LINEAR, 2.5, 92)
    assert left == 0 and [(pool.name, p.quantity) for pool, p in after.find("BTC-USDT")] == [("cross USDT", -0.5)]
    assert [(e.pool, e.quantity) for e in after.events[-2:]] == [("isolated BTC-USDT", 1), ("cross USDT", 1.5)]
    assert after.balances()["USDT"] == near(1_000 + 2.5 * 8)


def test_who_cannot_bear_the_price_is_passed_over():
    weak, strong = trader(-1, 100, 10, mark=95), trader(-1, 100, 60, mark=95)
    assert numbers(queue([strong, weak], LINEAR, -1)) == [(1, -1), (0, -1)]
    (after, same), left = deleveraged([strong, weak], LINEAR, 2, 111)  # weak has 10 and would lose 11
    assert left == 1 and same is weak and after.balances()["USDT"] == near(9_989) and not after.find("BTC-USDT")
    (after,), left = deleveraged([weak], LINEAR, 2, 110)  # just nothing left
    assert left == 1 and after.balances()["USDT"] == near(9_990)


def test_nobody_is_closed_against_himself():
    hedged = Account(HEDGE, USDT=1_000).trade(LINEAR, 2, 100, leg="long").trade(LINEAR, -1, 100, leg="short")
    after, left = deleveraged([SHORTS[0], hedged], LINEAR, 5, 98, apart=1)
    assert left == 4 and after[1] is hedged and not after[0].find("BTC-USDT")


# ------------------------------------------------------------- many accounts, one fund

FLAT = Venue("flat", tiers={"*": Tiers.flat(0.1)})


def cross(quantity, balance=1_000, venue=FLAT, contract=LINEAR):
    """An account of one position in its cross pool, entered at 100."""
    account = Account(venue, USDT=balance).mark(BTC=100, ETH=100)
    return account.trade(contract, quantity, 100) if quantity else account


def marked(accounts, **prices):
    return [account.mark(**prices) for account in accounts]


def usdt(accounts):
    return [account.balances()["USDT"] for account in accounts]


@pytest.mark.parametrize("fund, against", [(0, 10), (20, 6), (50, 0), (inf, 0)])
@pytest.mark.parametrize("side", [1, -1])
def test_what_is_beyond_the_fund_is_closed_against_winners_at_the_same_price(fund, against, side):
    # 200 for 10 at 100: bankrupt after 20, and 25 were lost on each
    accounts = marked([cross(10 * side, 200), cross(-10 * side)], BTC=100 - 25 * side)
    before = [state(account) for account in accounts]
    after, left, unmatched = liquidate_all(accounts, fund=fund)
    assert [state(account) for account in accounts] == before and unmatched == {}
    assert usdt(after) == [0, near(1_000 + 20 * against)]
    kept = [p.quantity for _, p in after[1].find("BTC-USDT")]
    assert kept == ([near(side * (against - 10))] if against < 10 else [])
    assert left == {"USDT": inf if fund == inf else near(0)}
    closed = [e for e in after[1].events if e.kind == "auto-deleveraging"]
    assert [(e.quantity, e.price) for e in closed] == [(near(side * against), near(100 - 20 * side))] * (against > 0)


@pytest.mark.parametrize("fund", [0, 20])
def test_contracts_for_which_nobody_is_there_are_stated(fund):
    beyond = 10 * (50 - fund) / 50
    for others, there in (([], 0), ([cross(-4)], 4), ([cross(-1), cross(-2), cross(5, 5_000)], 3)):
        after, _, unmatched = liquidate_all(marked([cross(10, 200), *others], BTC=75), fund=fund)
        assert unmatched == {"BTC-USDT": near(beyond - there)} and after[0].balances() == {"USDT": 0}


def test_a_fund_is_drawn_on_and_filled_in_the_order_of_the_accounts():
    short, rich = cross(10, 200), cross(10, 270)  # 50 missing; 20 left over
    for order, left, gone in (([rich, short], 0, 20), ([short, rich], 20, 40)):
        after = liquidate_all(marked([*order, cross(-100, 5_000)], BTC=75), fund=10)
        assert after.fund == {"USDT": near(left)}
        closed = fsum(e.shortfall for account in after.accounts for e in account.events if e.kind != "liquidation")
        assert closed == near(gone)


@pytest.mark.parametrize("first", [True, False])
def test_a_hedge_whose_winning_leg_is_closed_is_looked_at_again(first):
    # the hedge loses nothing; its short goes at 80, and 10 long are left bare at 75: 55 + 200 - 250, for 7.5
    hedge = cross(-10, 55, Venue("thin", tiers={"*": Tiers.flat(0.01)})).trade(SECOND, 10, 100)
    loser = cross(10, 200)
    accounts = marked([hedge, loser] if first else [loser, hedge], BTC=75)
    assert accounts[0 if first else 1].cross.slack() > 0
    after, left, unmatched = liquidate_all(accounts, last={"BTC-2": 72}, fund=0)  # 25 missing
    taken, bare, end = after[0 if first else 1].events[-3:]
    assert (taken.kind, taken.price, taken.quantity) == ("auto-deleveraging", near(80), 10)
    assert (bare.kind, bare.price, bare.quantity) == ("auto-deleveraging", near(74.5), -10)
    assert (bare.shortfall, end.kind, end.shortfall) == (near(25), "liquidation", near(25))
    assert unmatched == {"BTC-2": near(10)} and usdt(after) == [0, 0] and left == {"USDT": 0}


def test_a_hedge_that_would_be_bankrupt_without_its_winning_leg_is_passed_over():
    hedge = cross(-10, 30, Venue("thin", tiers={"*": Tiers.flat(0.01)})).trade(SECOND, 10, 100)
    accounts = marked([cross(10, 200), hedge], BTC=75)
    after, _, unmatched = liquidate_all(accounts, fund=0)
    assert unmatched == {"BTC-USDT": near(10)} and after[1] is accounts[1]


def test_an_account_is_no_counterparty_of_its_own():
    account = Account(replace(FLAT, hedge_mode=True), USDT=1_000).mark(BTC=100)
    account = account.trade(LINEAR, 10, 100, isolated=200, leg="long").trade(LINEAR, -10, 100, leg="short")
    (after,), _, unmatched = liquidate_all(marked([account], BTC=75), fund=0)
    assert unmatched == {"BTC-USDT": near(10)} and [p.quantity for _, p in after.find("BTC-USDT")] == [-10]


def test_what_was_closed_in_an_account_is_not_undone_by_its_own_liquidation():
    winner = cross(-10).trade(ETHER, 10, 100, isolated=110)  # its long of ETH is at its line
    accounts = marked([cross(10, 200), winner], BTC=75, ETH=95)
    after, _, unmatched = liquidate_all(accounts, fund=0)
    assert unmatched == {} and after[1].balances()["USDT"] == near(890 + 200) and not after[1].find("BTC-USDT")


def test_a_last_price_may_be_of_what_is_open_in_any_account():
    accounts = marked([cross(10, 200), cross(-10, contract=ETHER)], BTC=85)
    one, other = liquidate_all(accounts, last={"BTC": 82, "ETH-USDT": 90}, impact=0.0).accounts
    assert one.events[-2].price == 82 and other is accounts[1]
    known = "BTC, BTC-USDT, ETH, ETH-USDT"
    refused(ValueError, ["last has a price of 'SOL'", known],
            lambda: liquidate_all(accounts, last={"SOL": 1}), accounts[0])  # fmt: skip
    for fund, error in ((-1, ValueError), ("five", TypeError), ({"USDT": nan}, ValueError)):
        refused(error, ["fund"], lambda fund=fund: liquidate_all(accounts, fund=fund), accounts[0])


def test_what_the_fund_has_in_other_currencies_is_left():
    assert liquidate_all([cross(10)], fund={"USDT": 5, "BTC": 3}).fund == {"USDT": 5, "BTC": 3}


def test_a_fund_in_usd_is_drawn_on_once_by_multi_currency_accounts():
    venue = Venue("multi", tiers={"*": Tiers.flat(0.1)}, account_mode="multi-currency", assets={"*": Asset()},
                  liquidation=process(takeover=1.0))  # fmt: skip
    account = Account(venue, USDT=200).mark(BTC=100, USDT=1).trade(LINEAR, 10, 100).mark(BTC=75)
    after = liquidate_all([account, account], fund={"USD": 50})  # 50 missing in each
    paid = fsum(e.flows.get(FUND, 0.0) for account in after.accounts for e in account.events)
    assert paid == pytest.approx(-50) and after.fund["USD"] == pytest.approx(0)


def test_nothing_to_do():
    accounts = [cross(10), cross(0), cross(-10)]
    after = liquidate_all(accounts, fund=5)
    assert isinstance(after.accounts, tuple) and liquidate_all(tuple(accounts), fund=5) == after
    assert all(new is old for new, old in zip(after.accounts, accounts, strict=True))
    assert after.fund == {"USDT": 5} and after.unmatched == {}


def test_what_nobody_stands_for_adds_up_over_the_accounts():
    losers = [cross(10, 200), cross(6, 120)]
    assert liquidate_all(marked(losers, BTC=75), fund=0).unmatched == {"BTC-USDT": near(16)}


@st.composite
def crowds(draw):
    """Accounts at one venue, long and short of two contracts, cross and isolated, after a move."""
    rule = process(
        scope=draw(st.sampled_from(("pool", "position"))),
        partial=draw(st.sampled_from(("none", "share"))),
        takeover=draw(st.sampled_from((0.0, 2 / 3))),
    )
    venue = Venue("crowd", tiers={"*": Tiers.flat(0.05)}, both_modes=True, liquidation=rule)
    accounts = []
    for _ in range(draw(st.integers(1, 5))):
        account = Account(venue, USDT=draw(st.integers(50, 400))).mark(BTC=100, ETH=100)
        for contract in (LINEAR, ETHER):
            size, walled = draw(st.integers(-20, 20)), draw(st.sampled_from((None, None, True)))
            try:
                account = account.trade(contract, size, 100, walled, 8 if walled else None)
            except ValueError:  # 0, or too much
                continue
        accounts.append(account)
    return marked(accounts, BTC=draw(st.integers(40, 170)), ETH=draw(st.integers(40, 170)))


@settings(STEADY, max_examples=100)
@given(crowds(), st.sampled_from((0, 20, 300, inf)), st.sampled_from((0.0, 0.02)))
def test_in_a_crowd_nothing_is_lost_and_every_contract_is_accounted_for(accounts, fund, impact):
    before = [state(account) for account in accounts]
    after, left, unmatched = liquidate_all(accounts, impact=impact, fund=fund)
    assert [state(account) for account in accounts] == before
    new = [account.events[len(old.events) :] for old, account in zip(accounts, after, strict=True)]
    flat = [step for steps in new for step in steps]
    assert balanced(flat) and all(isfinite(f) for step in flat for f in step.flows.values())
    for old, account, steps in zip(accounts, after, new, strict=True):
        gained = fsum(step.flows[TRADER] for step in steps)
        assert account.balances()["USDT"] == pytest.approx(old.balances()["USDT"] + gained, abs=1e-8)
        for pool in account.pools:
            assert (not pool.open or pool.slack() > 0) and pool.worth() >= -1e-8
    if fund < inf:
        assert left["USDT"] == pytest.approx(fund + fsum(s.flows.get(FUND, 0) for s in flat), abs=1e-8)
        assert left["USDT"] >= 0
    for symbol in ("BTC-USDT", "ETH-USDT"):  # each fall in one account is a rise in another, but for the unmatched
        net = fsum(s.quantity for s in flat if s.kind == "auto-deleveraging" and s.contract == symbol)
        assert abs(net) <= unmatched.get(symbol, 0.0) + 1e-8
    assert unmatched.keys() <= {"BTC-USDT", "ETH-USDT"} and all(rest > 0 for rest in unmatched.values())
    again = liquidate_all(after, impact=impact, fund=fund)
    assert all(one is other for one, other in zip(again.accounts, after, strict=True))


@settings(STEADY, max_examples=60)
@given(crowds(), st.randoms(use_true_random=False))
def test_with_a_fund_that_pays_all_the_order_does_not_matter(accounts, chance):
    order = list(range(len(accounts)))
    chance.shuffle(order)
    found, other = liquidate_all(accounts).accounts, liquidate_all([accounts[n] for n in order]).accounts
    for place, n in enumerate(order):
        assert state(other[place]) == state(found[n]) == state(accounts[n].liquidate())


# ------------------------------------------------------------- refusals


@pytest.mark.parametrize("side", [0, 2, "long", None])
def test_a_side_is_one_or_minus_one(side):
    refused(ValueError, ["side must be one of 1, -1", repr(side)], lambda: queue(SHORTS, LINEAR, side), SHORTS[0])


@pytest.mark.parametrize("value", [nan, inf, -inf, 0, 0.0, "five", None, True])
def test_quantities_and_prices_that_cannot_be_meant(value):
    error = TypeError if isinstance(value, (str, bool)) or value is None else ValueError
    refused(error, ["quantity must be"], lambda: deleveraged(SHORTS, LINEAR, value, 98), SHORTS[0])
    words = ["price must be a finite number above 0", repr(value)]
    refused(error, words, lambda: deleveraged(SHORTS, LINEAR, 1, value), SHORTS[1])


@pytest.mark.parametrize(
    "given", [[], (), "", cross(10), [cross(10), None], [cross(10).cross], ["a"], {"a": cross(10)}]
)
def test_accounts_are_a_sequence_of_accounts(given):
    for action in (
        lambda: liquidate_all(given),
        lambda: queue(given, LINEAR, 1),
        lambda: deleveraged(given, LINEAR, 1, 98),
    ):
        refused(TypeError, ["accounts must be a list of Account", "not "], action)


def test_accounts_that_are_not_of_one_market_are_refused():
    one, other = cross(10), cross(-10)
    words = ["accounts must be marked alike", "BTC"]
    refused(ValueError, words, lambda: liquidate_all([one.mark(BTC=75), other.mark(BTC=76)]), one)
    small = replace(one.cross.positions[0].instrument, face=0.001)
    third = Account(one.venue, USDT=1_000).mark(BTC=100).trade(small, -10, 100)
    words = ["accounts must hold the same contract by one name", small.symbol]
    refused(ValueError, words, lambda: liquidate_all([one, third]), one)
