"""Mode switches, leverage of an open position, and margin that is added: by hand and automatically."""

from collections import Counter

import numpy as np
import pytest

from marginlab import Account, Perpetual, Refused, Switching, Tiers, TopUp, replace, steps, venues
from marginlab.market import Given, outcomes
from tests.refusal import refused

COIN = Perpetual("BTC-USD", "BTC", "BTC", 100)
BTC = Perpetual("BTC-USDT", "BTC", "USDT", tiers=Tiers.flat(0.004))
CROSS = Account(venues.TEACHING, BTC=10).mark(BTC=50_000).trade(COIN, 25_000, 50_000)
WALLED = Account(venues.TEACHING, BTC=10).mark(BTC=50_000).trade(COIN, 25_000, 50_000, isolated=5)
BOTH = Account(venues.TEACHING_BOTH, USDT=50_000).mark(BTC=50_000)


def near(value):
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def conserved(account):
    """Every event's flows sum to zero, and the balances are what the ledger says."""
    held = Counter()
    for event in account.events:
        assert sum(event.flows.values()) == pytest.approx(0, abs=1e-7)
        held[event.currency] += event.flows["trader"]
    return all(account.balances().get(c, 0.0) == pytest.approx(amount, abs=1e-6) for c, amount in held.items())


# ------------------------------------------------------------------------- switches


def test_there_and_back():
    walled = CROSS.switch(COIN, isolated=1)
    # 50 coins long from 50,000 on 1: 51 - 2,500,000 / P = 0.004 * 2,500,000 / P
    assert walled[COIN].liquidation().price == near(2_510_000 / 51)
    assert walled.cross.collateral == {"BTC": 9} and walled[COIN].isolated
    back = walled.switch(COIN, isolated=False)
    assert back.cross.collateral == {"BTC": 10} and back.cross.liquidation().price == near(2_510_000 / 60)
    assert [e.kind for e in back.events] == ["deposit", "trade", "switch", "switch"] and conserved(back)
    assert replace(back.cross.positions[0], leverage=None) == CROSS.cross.positions[0]


def test_profit_and_loss_go_along():
    for price, margin in ((48_000, 4), (60_000, True)):
        before = CROSS.mark(BTC=price)
        after = before.switch(COIN, isolated=margin)  # True: notional / the highest leverage
        assert after[COIN].collateral["BTC"] == near(4 if price < 50_000 else 2_500_000 / price / 125)
        assert sum(p.worth() for p in after.pools) == near(before.cross.worth())
    refused(Refused, ["short of its margin"], lambda: CROSS.mark(BTC=48_000).switch(COIN, isolated=0.5))


def test_a_leg_of_a_hedge_and_what_is_merged():
    account = BOTH.trade(BTC, 1, 50_000, leg="long", leverage=10).trade(BTC, -2, 51_000, leg="short", leverage=10)
    apart = account.switch((BTC, "short"), isolated=12_000)
    assert apart[BTC, "short"].isolated and not apart[BTC, "long"].isolated
    more = apart.trade(BTC, -1, 49_000, isolated=False, leg="short")
    one = more.switch((BTC, "short", "isolated"), isolated=False)
    (short,) = (p for p in one.cross.positions if p.side < 0)
    assert (short.quantity, short.entry) == (-3, near((2 * 51_000 + 49_000) / 3))
    assert sum(p.worth() for p in one.pools) == near(sum(p.worth() for p in more.pools))


def test_two_walls_of_one_side_become_one():
    account = BOTH.trade(BTC, 1, 50_000, isolated=5_000)  # without a leg
    account = account.trade(BTC, 1, 52_000, isolated=False, leverage=10)
    one = account.switch((BTC, "cross"), isolated=6_000)
    assert [pool.isolated for pool in one.pools] == [False, True] and one[BTC].collateral == {"USDT": 11_000}
    assert (one[BTC].positions[0].quantity, one[BTC].positions[0].entry) == (2, near(51_000))


def test_what_may_not_be_switched():
    refused(ValueError, ["isolated=False", "long BTC-USD is in cross margin already"],
            lambda: CROSS.switch(COIN, isolated=False), CROSS)  # fmt: skip
    refused(ValueError, ["in isolated margin already"], lambda: WALLED.switch(COIN, isolated=2), WALLED)
    refused(KeyError, ["no open position", "ETH"], lambda: CROSS.switch("ETH-USD", isolated=1), CROSS)
    refused(Refused, ["isolated=11 BTC", "10 free"], lambda: CROSS.switch(COIN, isolated=11), CROSS)
    refused(Refused, ["leverage 250 is above the 125"], lambda: CROSS.switch(COIN, isolated=0.2), CROSS)
    refused(ValueError, ["isolated", "above 0", "-1"], lambda: CROSS.switch(COIN, isolated=-1), CROSS)
    for bad in (float("nan"), "much", None):
        refused(ValueError if bad != bad else TypeError, ["isolated"], lambda bad=bad: CROSS.switch(COIN, isolated=bad))
    two = CROSS.trade(Perpetual("ETH-USD", "ETH", "BTC", 1e-3, quanto=True), 25, 2_000)
    assert two.cross.requirement(kind="initial") == near(0.8)
    refused(Refused, ["isolated=9.9"], lambda: two.switch(COIN, isolated=9.95), two)  # the other needs its margin


def test_each_venue_in_its_own_words():
    words = {
        "BINANCE_2026_09": ["-4048", "if there exists position"],
        "BINANCE_COIN_2020_06": ["-4048"],
        "OKX": ["59000", "close positions"],
        "BYBIT_UTA": ["set on the account"],
        "GATE": ["while the position is open"],
        "HYPERLIQUID": ["while the position is open"],
        "ORDERLY": ["while the position is open"],
        "DERIBIT": ["set on the subaccount"],
        "DYDX": ["set on the subaccount"],
        "KUCOIN": ["is not known here", "replace(venue, switching="],
    }
    for name, said in words.items():
        account = Account(getattr(venues, name), USDT=50_000).trade(BTC, 1, 50_000, leverage=5)
        error = ValueError if name == "KUCOIN" else Refused
        refused(error, said, lambda a=account: a.switch(BTC, isolated=10_000), account)
    for name in ("TEACHING", "BITMEX", "COINEX"):
        account = Account(getattr(venues, name), USDT=50_000).trade(BTC, 1, 50_000, leverage=5)
        assert account.switch(BTC, isolated=10_000)[BTC].isolated
    waiting = Account(venues.COINEX, USDT=50_000).trade(BTC, 1, 50_000, leverage=5).place_orders(100, "USDT")
    refused(Refused, ["while orders are open"], lambda: waiting.switch(BTC, isolated=10_000), waiting)
    codes = replace(venues.BINANCE_2026_09.switching, open_position=True)
    waiting = replace(waiting.venue, switching=codes)
    account = Account(waiting, USDT=50_000).trade(BTC, 1, 50_000, leverage=5).place_orders(100, "USDT")
    refused(Refused, ["-4047"], lambda: account.switch(BTC, isolated=10_000), account)
    for bad in ({"said": {"weather": "rain"}}, {"set_on": "moon"}, {"said": 5}):
        with pytest.raises((ValueError, TypeError)):
            Switching(**bad)


# ------------------------------------------------------------------------- leverage


def test_leverage_of_an_open_position():
    account = Account(venues.TEACHING, USDT=20_000).trade(BTC, 1, 50_000, isolated=True, leverage=10)
    up = account.set_leverage(BTC, 20)
    assert up[BTC].collateral == {"USDT": 2_500} and up.cross.collateral == {"USDT": 17_500}
    down = up.set_leverage(BTC, 4)
    assert down[BTC].collateral == {"USDT": 12_500} and conserved(down)
    refused(Refused, ["leverage=2 needs 12500", "7500 free"], lambda: down.set_leverage(BTC, 2), down)
    refused(Refused, ["leverage 300"], lambda: down.set_leverage(BTC, 300), down)
    refused(KeyError, ["no open position"], lambda: account.set_leverage("ETH", 3), account)
    shared = Account(venues.TEACHING, USDT=20_000).trade(BTC, 1, 50_000, leverage=10)
    assert shared.set_leverage(BTC, 5).cross.available() == near(10_000)
    assert shared.set_leverage(BTC, 5).cross.liquidation().price == near(shared.cross.liquidation().price)
    refused(Refused, ["25,000 USDT of initial margin"], lambda: shared.set_leverage(BTC, 2), shared)
    fixed = Account(venues.BINANCE_2026_09, USDT=20_000).trade(BTC, 1, 50_000, isolated=True, leverage=10)
    refused(Refused, ["-4161"], lambda: fixed.set_leverage(BTC, 5), fixed)
    assert fixed.set_leverage(BTC, 20)[BTC].collateral == {"USDT": 2_500}
    lost = account.mark(BTC=48_000).set_leverage(BTC, 20)  # 2,500 would be freed, 600 can leave
    assert lost[BTC].collateral["USDT"] == near(5_000 - (3_000 - 48_000 / 20))


# ------------------------------------------------------------ margin that is added


def test_how_much_may_be_added():
    assert WALLED.addable(COIN) == 5
    binance = Account(venues.BINANCE_2026_09, USDT=50_000).trade(BTC, 1, 50_000, isolated=True, leverage=10)
    other = Perpetual("ETH-USDT", "ETH", "USDT", tiers=Tiers.flat(0.01))
    busy = binance.trade(other, 10, 2_000, leverage=4).mark(ETH=2_500)
    # 45,000 less a maintenance of 250; available: 50,000 less 6,250
    assert busy.addable(BTC) == near(43_750)
    assert busy.mark(ETH=2_100).addable(BTC) == near(min(45_000 - 210, 46_000 - 5_250))
    refused(Refused, ["amount=43751", "43750 free"], lambda: busy.transfer(43_751, "USDT", to=BTC), busy)


def topping(to, **held):
    venue = replace(venues.TEACHING, topping_up=TopUp(to))
    account = Account(venue, **(held or {"USDT": 20_000})).mark(BTC=50_000)
    return account.trade(BTC, 1, 50_000, isolated=True, leverage=10).top_up(BTC)


@pytest.mark.parametrize("to, each", [
    ("initial", 45_150 / 10 - 150), ("maintenance", 0.004 * 45_150), ("maintenance at entry", 200),
    ("initial at entry", 5_000),
])  # fmt: skip
def test_how_much_each_time(to, each):
    after = topping(to).at(BTC=45_150)  # 150 of equity, 180.6 required
    (event,) = (e for e in after.events if e.kind == "top-up")
    assert after[BTC].collateral["USDT"] == near(5_000 + each) and after.cross.collateral["USDT"] == near(15_000 - each)
    assert float(event.text.split(" ")[0].replace(",", "")) == near(each) and conserved(after)
    assert not after.liquidations


def test_it_goes_on_until_the_pool_stands_or_nothing_is_free():
    after = topping("maintenance at entry").at(BTC=44_000)  # 6,000 lost: 1,176 are needed
    added = [e for e in after.events if e.kind == "top-up"]
    assert len(added) == 6 and after[BTC].collateral["USDT"] == near(6_200) and not after.liquidations
    last = topping("maintenance at entry", USDT=5_300).at(BTC=44_000)
    assert [e.kind for e in last.events[-3:]] == ["top-up", "top-up", "liquidation"]
    assert last.balances() == {"USDT": 0} and conserved(last)


def test_with_it_the_loss_lies_between_isolated_and_cross():
    path = {"BTC": [47_000, 45_000, 43_500, 42_000, 41_000, 39_000]}
    plain = Account(venues.TEACHING, BTC=10).mark(BTC=50_000)
    walled = plain.trade(COIN, 25_000, 50_000, isolated=5)
    topped = Account(venues.TEACHING_TOP_UP, BTC=10).mark(BTC=50_000).trade(COIN, 25_000, 50_000, isolated=5)
    topped = topped.top_up(COIN)
    for at in range(1, 7):
        ends = []
        for account in (walled, topped, CROSS):
            (*_, last) = steps(account, prices={"BTC": path["BTC"][:at]})
            ends.append(sum(p.worth() for p in last.pools))
            assert conserved(last)
        one, two, three = ends
        assert min(one, three) - 1e-9 <= two <= max(one, three) + 1e-9
    assert topped.at(BTC=42_500)[COIN].liquidation().price == near(CROSS.cross.liquidation().price)


def test_it_never_takes_what_the_cross_pool_needs():
    other = Perpetual("ETH-USDT", "ETH", "USDT", tiers=Tiers.flat(0.01))
    account = topping("initial").trade(other, 50, 2_000, leverage=8)  # 12,500 of its initial margin
    after = account.at(BTC=45_000)
    assert after.cross.available() >= -1e-9 and after.cross.collateral["USDT"] == near(12_500)
    assert after[BTC].collateral["USDT"] == near(7_500)


def test_refusals_of_top_up():
    refused(Refused, ["teaching does not add margin"], lambda: WALLED.top_up(COIN), WALLED)
    shared = Account(venues.TEACHING_TOP_UP, BTC=10).mark(BTC=50_000).trade(COIN, 25_000, 50_000)
    refused(ValueError, ["shared pool"], lambda: shared.top_up(COIN), shared)
    off = topping("initial").top_up(BTC, on=False).at(BTC=45_000)
    assert off.liquidations and not [e for e in off.events if e.kind == "top-up"]
    with pytest.raises(ValueError, match="to must be one of"):
        TopUp("all")


def test_on_paths_it_is_followed_step_by_step(capsys):
    paths = Given({"BTC": 50_000}, given={"BTC": np.array([[45_100.0], [49_000.0]])})
    found = outcomes(topping("initial"), paths)
    assert "added" in found.attrs["how"] and found.liquidated.tolist() == [-1]
    assert found.worth.tolist() == [pytest.approx(19_000)]
    assert outcomes(topping("initial").top_up(BTC, on=False), paths).liquidated.tolist() == [1]


# --------------------------------------------------------------- any sequence of them


def test_money_is_conserved_through_any_sequence():
    rng, done = np.random.default_rng(4), Counter()
    venue = replace(venues.TEACHING_BOTH, topping_up=TopUp("initial"), trading_fee=0.0005)
    for _ in range(60):
        account = Account(venue, USDT=100_000).mark(BTC=50_000)
        for _ in range(25):
            leg = str(rng.choice(["long", "short"]))
            key = (BTC, leg, str(rng.choice(["isolated", "cross"])))
            move = str(rng.choice(["trade", "reduce", "add", "take", "switch", "leverage", "top", "fund", "price"]))
            amount, price = float(rng.uniform(0.1, 1)), account.marks["BTC"]
            side = amount if leg == "long" else -amount
            how = {"leg": leg, "isolated": bool(rng.random() < 0.5), "leverage": 10}
            new = price * rng.uniform(0.93, 1.07)
            name, *given, named = {
                "trade": ("trade", BTC, side, price, how),
                "reduce": ("trade", BTC, -side, price, {"leg": leg, "isolated": key[2] == "isolated"}),
                "add": ("transfer", 1_000 * amount, "USDT", {"to": key}),
                "take": ("transfer", 1_000 * amount, "USDT", {"source": key}),
                "switch": ("switch", key, {"isolated": key[2] == "cross"}),
                "leverage": ("set_leverage", key, 1 + 20 * amount, {}),
                "top": ("top_up", key, {}),
                "fund": ("pay_funding", BTC, 0.001, {}),
                "price": ("at", {"BTC": new}),
            }[move]
            try:
                account = getattr(account, name)(*given, **named)
                done[move] += 1
            except (ValueError, KeyError):
                continue
            assert conserved(account)
            assert all(pool.collateral.get("USDT", 0) > -1e-6 for pool in account.pools if not pool.positions)
    assert len(done) >= 8 and done.total() > 500
