"""Dated futures, options and portfolio margin: prices, what they require, where a pool with them ends."""

from itertools import product
from math import comb, exp, sqrt

import numpy as np
import pytest

from marginlab import (
    Account,
    Asset,
    Delivery,
    Future,
    Option,
    OptionMargin,
    Perpetual,
    Pool,
    Position,
    Refused,
    Scan,
    Tiers,
    black,
    forward,
    greeks,
    replace,
    venues,
)
from tests.refusal import refused

PERP = Perpetual("BTC-PERP", "BTC", "USDT", tiers=Tiers.flat(0.004))
QUARTER = Future("BTC-Q", "BTC", "USDT", tiers=Tiers.flat(0.004), expiry=90)
CALL = Option("BTC-60000-C", "BTC", "USDT", kind="call", strike=60_000, expiry=30)
PUT = replace(CALL, symbol="BTC-60000-P", kind="put")
COIN_CALL = Option("BTC-60000-C", "BTC", "BTC", kind="call", strike=60_000, expiry=30)
COIN_PUT = replace(COIN_CALL, symbol="BTC-60000-P", kind="put")
AT = {"BTC": 50_000.0, "BTC vol": 0.6}
PLAIN = {"BTC": Asset(), "USDT": Asset(), "USD": Asset()}
UNIFIED = replace(venues.TEACHING, account_mode="multi-currency", assets=PLAIN)
WHOLE = replace(UNIFIED, options=OptionMargin(mark_in="equity", longs_count=True))
GRID = Scan.grid((-0.16, -0.08, 0.0, 0.08, 0.16), (-0.22, 0.0, 0.4), power=0.3, long_power=0.13)
SCANNED = replace(WHOLE, scan=GRID)


def near(value, rel=1e-9):
    return pytest.approx(value, rel=rel, abs=1e-9)


def pool(venue, collateral, *book, **marks):
    positions = [Position(contract, quantity, entry) for contract, quantity, entry in book]
    return Pool("USD", collateral, positions, venue, {**AT, **marks})


# -------------------------------------------------------------------------- prices


def test_put_and_call_differ_by_the_forward():
    for index, vol, days in product((20_000.0, 55_000.0, 140_000.0), (0.2, 0.9), (0.5, 30.0)):
        call, put = (black(side, index, 60_000, vol, days) for side in (True, False))
        assert call - put == near(index - 60_000, 1e-9)
        assert max(0.0, index - 60_000) <= call + 1e-9 <= index and 0 <= put <= 60_000
    assert black(True, 50_000, 60_000, 0.6, 30) == near(697.7408230118644)


def test_a_binomial_tree_has_the_same_limit():
    steps, index, strike, vol, days = 800, 50_000.0, 52_000.0, 0.7, 45.0
    up = exp(vol * sqrt(days / 365 / steps))
    p = (1 - 1 / up) / (up - 1 / up)
    for call in (True, False):
        paid = [max((index * up ** (2 * n - steps) - strike) * (1 if call else -1), 0.0) for n in range(steps + 1)]
        tree = sum(comb(steps, n) * p**n * (1 - p) ** (steps - n) * paid[n] for n in range(steps + 1))
        assert black(call, index, strike, vol, days) == near(tree, 2e-3)


def test_what_an_option_is_worth_and_how_it_moves():
    assert CALL.price(AT) == near(697.7408230118644) and COIN_CALL.price(AT) == near(697.7408230118644 / 50_000)
    assert CALL.price({**AT, "days": 30}) == 0 and PUT.price({**AT, "days": 31}) == near(10_000)
    assert CALL.price({**AT, CALL.symbol: 500}) == 500
    moved = greeks(CALL, AT)
    assert moved["delta"] == near((black(True, 50_005, 6e4, 0.6, 30) - black(True, 49_995, 6e4, 0.6, 30)) / 10, 1e-6)
    assert moved["vega"] == near(black(True, 5e4, 6e4, 0.61, 30) - 697.7408230118644)
    assert moved["theta"] == near(black(True, 5e4, 6e4, 0.6, 29) - 697.7408230118644) and moved["theta"] < 0
    assert greeks(replace(PUT, face=0.1), AT)["delta"] == near((moved["delta"] - 1) / 10, 1e-6)
    refused(ValueError, ["volatility", "'BTC-60000-C'", "'BTC vol'"], lambda: CALL.price({"BTC": 5e4}))
    refused(ValueError, ["price of BTC", "'BTC-60000-C'"], lambda: CALL.price({"BTC vol": 0.6}))


@pytest.mark.parametrize("kind, strike, paid", [("call", 40_000, 10_000), ("call", 60_000, 0), ("put", 60_000, 10_000)])
def test_payoffs(kind, strike, paid):
    linear = Option("X", "BTC", "USDT", kind=kind, strike=strike, expiry=1)
    inverse = Option("X", "BTC", "BTC", kind=kind, strike=strike, expiry=1)
    assert linear.settlement(50_000) == paid and inverse.settlement(50_000) == near(paid / 50_000)
    assert Option("X", "BTC", "BTC", kind="put", strike=10_000, expiry=1).settlement(5_000) == 1


def test_what_cannot_be_an_option_or_a_future():
    for error, words, make in (
        (ValueError, ["kind", "'call', 'put'"], lambda: replace(CALL, kind="both")),
        (ValueError, ["strike", "above 0"], lambda: replace(CALL, strike=0)),
        (ValueError, ["expiry", "above 0"], lambda: replace(CALL, expiry=-1)),
        (ValueError, ["expiry", "above 0"], lambda: replace(QUARTER, expiry=0)),
        (ValueError, ["scenarios", "rows"], lambda: Scan(())),
        (ValueError, ["move", "above -1"], lambda: Scan(((-1, 0, 1),))),
        (ValueError, ["mark_in"], lambda: OptionMargin(mark_in="nowhere")),
    ):
        refused(error, words, make)


# ------------------------------------------------------------------- trade and expiry


def test_a_premium_is_paid_at_once_and_conserved():
    account = Account(UNIFIED, BTC=1, USDT=5_000).mark(**AT)
    premium = CALL.price(AT)
    short = account.trade(CALL, -1, premium)
    assert short.balances() == {"BTC": 1, "USDT": near(5_000 + premium)}
    assert short.cross.worth() == near(account.cross.worth())
    long = account.trade(CALL, 2, premium).trade(CALL, 1, 800)
    assert long.balances()["USDT"] == near(5_000 - 2 * premium - 800)
    assert long.cross.positions[0].entry == near((2 * premium + 800) / 3)
    shut = long.trade(CALL, -3, 900)
    assert shut.balances()["USDT"] == near(5_000 - 2 * premium - 800 + 2_700) and not shut.cross.positions
    for after in (short, long, shut):
        assert all(abs(sum(e.flows.values())) < 1e-9 for e in after.events)
    flipped = short.trade(CALL, 3, premium)
    assert flipped.cross.positions[0].quantity == 2 and flipped.cross.worth() == near(account.cross.worth())
    refused(ValueError, ["price of BTC is needed"], lambda: Account(UNIFIED, USDT=5e4).trade(CALL, 1, 500))
    refused(TypeError, ["no funding"], lambda: short.pay_funding(CALL, 0.01))


def test_expiry_settles_at_the_mean_and_takes_its_fee():
    venue = replace(UNIFIED, delivery=Delivery(30, fee=0.0005))
    account = Account(venue, USDT=200_000).mark(**AT, **{"BTC-Q": 51_000})
    account = account.trade(QUARTER, 2, 51_000).trade(CALL, -1, 700).trade(PUT, -1, 10_000)
    window = [54_900, 55_000, 55_100]
    after = account.mark(BTC=55_000, days=90).expire(QUARTER, window)
    assert after.balances()["USDT"] == near(200_000 + 10_700 + 2 * 4_000 - 0.0005 * 110_000)
    last = after.expire(CALL, 55_000).expire(PUT, 55_000)
    assert last.balances()["USDT"] == near(after.balances()["USDT"] - 5_000 - 0.0005 * 55_000)  # a share of the index
    assert [e.kind for e in last.events[-3:]] == ["expiry"] * 3 and not last.cross.positions
    assert all(abs(sum(e.flows.values())) < 1e-9 for e in last.events)
    refused(TypeError, ["'BTC-PERP' has no expiry"], lambda: account.trade(PERP, 1, 5e4).expire(PERP, 5e4))
    refused(KeyError, ["no open position"], lambda: account.expire("ETH-Q", 5e4), account)
    refused(ValueError, ["price", "0"], lambda: account.expire(CALL, 0), account)


def test_the_fee_of_a_settlement_is_of_the_price_it_settles_at():
    venue = replace(UNIFIED, delivery=Delivery(30, fee=0.0005))
    account = Account(venue, USDT=200_000).mark(**AT).trade(CALL, -1, 700)  # still marked at 50,000
    assert account.expire(CALL, 70_000).events[-1].fees == near(35)


def test_an_option_is_no_reason_to_mark_its_index_at_a_premium():
    stated = Account.of(UNIFIED, {"USDT": 1e5}, [Position(CALL, -1, 697)])
    assert "BTC" not in stated.marks and "price of BTC is needed" in repr(stated)
    assert Account.of(UNIFIED, {"USDT": 1e5}, [Position(CALL, -1, 697)], marks=AT).cross.slack() > 0
    both = Account.of(UNIFIED, {"USDT": 1e5}, [Position(CALL, -1, 697), Position(PERP, 1, 50_000)])
    assert both.marks == {"BTC": 50_000}


def test_an_option_moves_behind_a_wall_with_its_premium_paid_once():
    account = Account(replace(UNIFIED, both_modes=True), USDT=1e5).mark(**AT).trade(CALL, -1, 697)
    walled = account.switch(CALL, isolated=9_000)
    assert walled.balances() == account.balances() == {"USDT": 100_697}
    assert walled[CALL].positions[0].quantity == -1 and walled[CALL].collateral == {"USDT": 9_000}
    back = walled.trade(CALL, -1, 700, isolated=False).switch((CALL, "isolated"), isolated=False)
    (one,) = back.cross.positions
    assert (one.quantity, one.entry) == (-2, near(698.5)) and back.balances() == {"USDT": near(101_397)}
    refused(ValueError, ["an option has no leverage", "state its margin"],
            lambda: account.switch(CALL, isolated=True), account)  # fmt: skip
    refused(ValueError, ["leverage=3", "an option has none"], lambda: account.set_leverage(CALL, 3), account)


def test_a_premium_beyond_what_an_option_can_be_worth_is_refused():
    account = Account(UNIFIED, USDT=1e6, BTC=9).mark(**AT)
    for contract, most in ((CALL, 50_000), (PUT, 60_000), (COIN_CALL, 1.0), (COIN_PUT, 1.2)):
        refused(Refused, [contract.symbol, f"worth {most:,g} at most"],
                lambda c=contract, m=most: account.trade(c, 1, 1.001 * m), account)  # fmt: skip
        assert account.trade(contract, 1, most).cross.positions


def test_a_future_has_its_own_basis_until_it_expires():
    marks = {"BTC": 50_000.0, "BTC-Q": 51_000.0}
    held = Pool("USDT", {"USDT": 5_000}, [Position(QUARTER, 1, 51_000)], venues.TEACHING, marks)
    assert held.equity(BTC=55_000) == near(5_000 + 51_000 * 1.1 - 51_000)
    assert held.equity({"BTC": 55_000, "days": 90}) == near(5_000 + 4_000) == near(held.equity(BTC=55_000, days=95))
    assert held.liquidation("BTC").price == near(46_000 / 0.996)
    assert forward(2_243.3, 0.08, 20) == near(2_253.155228555377)
    spread = Account(venues.TEACHING, USDT=2_000).mark(**marks).trade(PERP, 1, 50_000).trade(QUARTER, -1, 51_000)
    assert spread.mark(**{"BTC-Q": 52_500}).cross.equity() == near(500)  # the basis has moved: 1,500 lost
    ended = spread.mark(BTC=48_000, days=90).expire(QUARTER, 48_000).trade(PERP, -1, 48_000)
    assert ended.balances() == {"USDT": near(3_000)}  # what the basis was


# -------------------------------------------------------------------- standard margin

RULES = {
    "OKX": OptionMargin(maintenance_share=0.03, larger="put"),
    "Bybit": OptionMargin(maintenance_share=0.03, larger="both", fee=0.002, from_entry=True),
    "Deribit": OptionMargin(maintenance_share=0.075, larger="put"),
    "Aevo": OptionMargin(maintenance_share=0.10),
    "Derive": OptionMargin(maintenance_share=0.075),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("contract", [CALL, PUT, COIN_CALL, COIN_PUT], ids=["call", "put", "coin call", "coin put"])
def test_what_a_short_requires_at_five_venues(name, contract):
    rule, size = RULES[name], 3
    for index in (30_000.0, 55_000.0, 100_000.0):
        at = {"BTC": index, "BTC vol": 0.6}
        unit = 1.0 if contract.inverse else index
        mark = contract.price(at)
        out = max(60_000 - index, 0) if contract.call else max(index - 60_000, 0)
        maintenance = {
            "OKX": 0.03 * (unit if contract.call else max(unit, mark)),
            "Bybit": max(0.03 * unit, 0.03 * mark) + 0.002 * unit,
            "Deribit": 0.075 * (unit if contract.call else max(unit, mark)),
            "Aevo": 0.10 * unit,
            "Derive": 0.075 * unit,
        }[name]
        paid = max(mark, 900) if name == "Bybit" else mark
        initial = max(0.15 * unit - out / index * unit, 0.10 * unit) + paid
        short, long = (Position(contract, quantity, 900) for quantity in (-size, size))
        assert rule.margin(contract, short, at) == near(size * (maintenance + mark))
        assert rule.margin(contract, short, at, initial=True) == near(size * initial)
        assert rule.margin(contract, long, at) == 0 == rule.margin(contract, long, at, initial=True)


def test_the_mark_of_a_short_stands_in_one_place_and_slack_is_the_same():
    held = pool(UNIFIED, {"BTC": 1, "USDT": 697.74}, (CALL, -1, 697.74))
    other = replace(held, venue=replace(UNIFIED, options=OptionMargin(mark_in="equity")))
    high = {**AT, "BTC": 90_000}
    mark = CALL.price(high)
    assert mark == near(30_038.977777777895)
    assert held.equity(high) == near(90_697.74) and held.requirement(high) == near(6_750 + mark)
    assert other.equity(high) == near(90_697.74 - mark) and other.requirement(high) == near(6_750)
    assert held.slack(high) == near(other.slack(high)) and held.worth(high) == near(other.worth(high))
    assert held.requirement(high, kind="initial") == near(13_500 + mark)  # 43,539
    assert held.margin_ratio(high) != other.margin_ratio(high)


def test_the_value_of_a_long_counts_where_the_venue_says_so():
    for venue, counts in ((UNIFIED, 0), (WHOLE, 1)):
        held = pool(venue, {"USDT": 1_000}, (PUT, 1, 9_000))
        assert held.equity() == near(1_000 + counts * PUT.price(AT)) and held.requirement() == 0
        assert held.worth() == near(1_000 + PUT.price(AT))


# ------------------------------------------------------------------- where a pool ends


def grid_ends(held, low=0.02, high=6.0):
    """Ends next to the mark of slack on a fine grid, each as (last above zero, first not)."""
    found, points = [], 40_000
    for edge in (low, high):
        x = np.geomspace(1.0, edge, points)
        slack = np.broadcast_to(held.slack({"BTC": 50_000 * x}), x.shape)
        n = int(np.argmax(slack <= 0))
        found.append(None if slack[n] > 0 else sorted((50_000 * x[n - 1], 50_000 * x[n])))
    return found


def test_liquidation_prices_agree_with_a_fine_grid_of_slack():
    rng, seen = np.random.default_rng(8), 0
    for n in range(45):
        venue = (UNIFIED, WHOLE, SCANNED)[n % 3]
        book = []
        for k in range(int(rng.integers(1, 5))):
            strike, days = 50_000 * float(rng.uniform(0.7, 1.4)), float(rng.choice([0.2, 3, 40]))
            kind = str(rng.choice(["call", "put"]))
            settle = str(rng.choice(["USDT", "BTC"]))
            option = Option(f"O{k}", "BTC", settle, kind=kind, strike=strike, expiry=days)
            contract = (option, replace(PERP, symbol=f"P{k}"))[int(rng.random() < 0.3)]
            quantity = float(rng.normal() * 3)
            book.append((contract, quantity or 1.0, 50_000.0 if contract.symbol[0] == "P" else 900.0))
        held = pool(venue, {"USDT": float(rng.uniform(1e4, 2e5)), "BTC": float(rng.uniform(0, 2))}, *book)
        if held.slack() <= 0:
            continue
        found = held.liquidation("BTC")
        for side, bounds in zip((found.below, found.above), grid_ends(held), strict=True):
            if bounds is None:
                assert side.price is None or not 1_000 < side.price < 300_000
            else:
                seen += 1
                assert bounds[0] - 1e-6 <= side.price <= bounds[1] + 1e-6, (n, side)
    assert seen > 20


def test_a_covered_call_stands_and_a_naked_one_does_not():
    covered = Account(UNIFIED, BTC=1).mark(**AT).trade(CALL, -1, CALL.price(AT))
    assert covered.cross.slack(BTC=90_000) > 0 and covered.cross.slack(BTC=250_000) > 0
    naked = Account(UNIFIED, USDT=20_000).mark(**AT).trade(CALL, -1, CALL.price(AT))
    end = naked.cross.liquidation("BTC").above
    assert 60_000 < end.price < 90_000 and naked.cross.slack(BTC=end.price) == pytest.approx(0, abs=1e-6)
    assert "short BTC-60000-C" in end.why and naked.at(BTC=90_000).liquidations
    dead = naked.at(BTC=90_000)
    assert all(abs(sum(e.flows.values())) < 1e-6 for e in dead.events)


def test_the_coin_that_a_put_pays_has_no_floor():
    short = Pool("BTC", {"BTC": 1}, [Position(COIN_PUT, -1, 0.2)], venues.TEACHING, AT)
    assert short.equity({"BTC": 15_000, "BTC vol": 0.6}) == near(1)  # its mark is in the requirement
    assert short.worth({"BTC": 15_000, "BTC vol": 0.0001}) == near(1 - 3)
    assert short.liquidation("BTC").below.price < 50_000


# ------------------------------------------------------------------- portfolio margin


def test_a_scan_is_the_worst_of_its_scenarios():
    rng = np.random.default_rng(3)
    for _ in range(40):
        book = [(PERP, float(rng.normal()), 50_000.0), (CALL, float(rng.normal() * 2), 700.0),
                (COIN_PUT, float(rng.normal() * 2), 0.2), (QUARTER, float(rng.normal()), 51_000.0)]  # fmt: skip
        extremes = ((-0.66, 0.4, 0.24), (0.5, 0.4, 0.32))
        rule = replace(GRID, scenarios=(*GRID.scenarios, *extremes), offset=0.01, net=0.02, hedged=0.01)
        held = pool(replace(SCANNED, scan=replace(rule, maintenance=0.5)), {"USDT": 1e6}, *book, **{"BTC-Q": 51_000.0})
        worst = 0.0
        for move, vol, weight in rule.scenarios:
            lost = 0.0
            for contract, quantity, _ in book:
                here, there = (worth(contract, move * x, vol * x) for x in (0, 1))
                lost -= quantity * (there - here)
            worst = max(worst, weight * lost)
        deltas = [q * (worth(c, 1e-4, 0) - worth(c, -1e-4, 0)) / 10 for c, q, _ in book]
        net, gross = abs(sum(deltas)), sum(map(abs, deltas))
        hedged = (gross - net) / 2
        asked = max(worst + 0.01 * hedged * 50_000, (0.02 * net + 0.01 * hedged) * 50_000)
        assert held.requirement() == near(asked / 2, 1e-7)
        assert held.requirement(kind="initial") == near(asked, 1e-7)
        assert sum(held.parts().values()) == near(held.slack(), 1e-7)


def worth(contract, move, vol):
    """Value of one contract, in USD, after a move and a move of the volatility."""
    index = 50_000 * (1 + move)
    if contract in (PERP, QUARTER):
        return (1 + move) * (51_000 if contract is QUARTER else 50_000)
    scale = (max(contract.expiry, 1.0) / 30) ** -(0.13 if contract.expiry >= 30 else 0.3)
    return black(contract.call, index, contract.strike, 0.6 * max(1 + vol * scale, 0.01), contract.expiry)


def test_a_book_never_asks_for_more_than_its_legs_alone():
    rng = np.random.default_rng(5)
    for _ in range(60):
        book = [(PERP, float(rng.normal()), 50_000.0), (CALL, float(rng.normal() * 2), 700.0),
                (PUT, float(rng.normal() * 2), 10_000.0)]  # fmt: skip
        together = pool(SCANNED, {"USDT": 1e6}, *book).requirement()
        assert 0 <= together <= sum(pool(SCANNED, {"USDT": 1e6}, leg).requirement() for leg in book) + 1e-6


def test_sum_and_scan_are_two_axes():
    # a hedge: the sum asks for both legs, the scan for what it could lose
    legs = [(PERP, 10, 50_000.0), (QUARTER, -10, 50_000.0)]
    assert pool(UNIFIED, {"USDT": 1e5}, *legs).requirement() == near(4_000)
    assert pool(SCANNED, {"USDT": 1e5}, *legs).requirement() == pytest.approx(0, abs=1e-6)
    # a lone perpetual: 16 % of 50,000 against 0.4 %
    assert pool(SCANNED, {"USDT": 1e5}, legs[0]).requirement() == near(80_000)
    alone = Pool("USDT", {"USDT": 9e3}, [Position(PERP, 1, 50_000)], SCANNED, {"BTC": 5e4}, "p", True)
    assert alone.requirement() == near(200)  # an isolated pool is not scanned
    short = Account(SCANNED, USDT=7_000).mark(**AT)
    refused(Refused, ["8,000 USD of", "margin needed"], lambda: short.trade(PERP, 1, 50_000), short)


def test_scans_of_arrays_of_prices_and_of_two_coins():
    ether = Perpetual("ETH-PERP", "ETH", "USDT", tiers=Tiers.flat(0.004))
    held = pool(SCANNED, {"USDT": 1e5}, (PERP, 1, 50_000), (CALL, -2, 700), (ether, 10, 2_000), ETH=2_000.0)
    prices = np.linspace(30_000, 90_000, 7)
    one = [held.slack(BTC=price) for price in prices]
    assert held.slack({"BTC": prices}) == pytest.approx(one, rel=1e-9)
    btc = pool(SCANNED, {"USDT": 1e5}, (PERP, 1, 50_000), (CALL, -2, 700)).requirement()
    assert held.requirement() == near(btc + 0.16 * 20_000)


def test_a_narrow_dip_near_expiry_is_not_missed():
    # short a butterfly of 1 % around 57,000 that expires within the hour: it costs most just there
    wings = [Option(f"C{k}", "BTC", "USDT", kind="call", strike=k, expiry=0.02) for k in (56_430, 57_000, 57_570)]
    book = [(contract, quantity, 1.0) for contract, quantity in zip(wings, (-10, 20, -10), strict=True)]
    free = replace(WHOLE, options=replace(WHOLE.options, initial=0, least=0, maintenance_share=0))
    held = pool(free, {"USDT": 4_000}, *book, **{"BTC vol": 0.3})
    assert held.slack() > 0 and held.slack(BTC=57_000) < 0 < held.slack(BTC=60_000)
    end = held.liquidation("BTC").above
    assert 56_430 < end.price < 57_000 and held.slack(BTC=end.price) == pytest.approx(0, abs=1e-6)
    below = held.marked({**held.marks, "BTC": 60_000.0}).liquidation("BTC").below
    assert 57_000 < below.price < 57_570


def test_a_scan_of_an_inverse_contract_counts_the_coins_that_it_has_gained():
    # 100,000 USD bought at 40,000: worth 100,000 * (P / 40,000 - 1) dollars, in coins that fall with P
    coin = Perpetual("BTC-USD", "BTC", "BTC", 100, tiers=Tiers.flat(0.004))
    held = pool(SCANNED, {"BTC": 1}, (coin, 1_000, 40_000))
    assert held.requirement() == near(0.16 * 100_000 * 50_000 / 40_000)
