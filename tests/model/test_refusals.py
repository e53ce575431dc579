"""Bad input is refused at the door: type of error, what the message names, and nothing has changed."""

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from marginlab import Account, Perpetual, Pool, Position, Tiers, Venue, liquidation_price, venues

INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
ETHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")
CAPPED = Perpetual("CAP-USDT", "CAP", "USDT", tiers=Tiers(((0, 0.01, 50), (5_000, 0.02, 20)), cap=60_000))
COUNTED = Perpetual("CNT-USDT", "CNT", "USDT", tiers=Tiers(((0, 0.01, 50),), cap=3, basis="quantity"))
ACCOUNT = (
    Account(venues.TEACHING, BTC=10, USDT=100_000)
    .mark(BTC=50_000, CAP=1_000, CNT=1_000)
    .trade(INVERSE, 25_000, 50_000, isolated=5)
    .trade(LINEAR, 1, 50_000)
)
POOL = ACCOUNT[INVERSE]


def state(account):
    return repr(account), account.balances(), account.events, dict(account.marks), [p.positions for p in account.pools]


def refused(error, words, action):
    """`action` raises just `error`, its message holds all `words`, and the account is as it was."""
    before = state(ACCOUNT)
    with pytest.raises((TypeError, ValueError, KeyError)) as caught:
        action()
    assert caught.type is error
    for word in words:
        assert word in str(caught.value)
    assert state(ACCOUNT) == before


NOT_FINITE = [(nan, "nan"), (inf, "inf"), (-inf, "-inf")]
NOT_POSITIVE = [*NOT_FINITE, (0, "0"), (0.0, "0.0"), (-1.5, "-1.5")]
NOT_NUMBERS = [("5", "'5'"), (True, "True"), (None, "None"), ([5], "[5]"), ({}, "{}"), (1 + 2j, "(1+2j)")]


@pytest.mark.parametrize(
    "value, shown, error",
    [(v, s, ValueError) for v, s in NOT_POSITIVE] + [(v, s, TypeError) for v, s in NOT_NUMBERS],
)
def test_numbers_that_must_be_positive(value, shown, error):
    above = ["a finite number above 0", shown]
    refused(error, ["price", *above], lambda: ACCOUNT.trade(ETHER, 1, value))
    refused(error, ["amount", *above], lambda: ACCOUNT.transfer(value, "BTC", to=INVERSE))
    refused(error, ["liquidation", *above], lambda: POOL.margin_for(liquidation=value))
    refused(error, ["entry", *above], lambda: Position(LINEAR, 1, value))
    refused(error, ["face", *above], lambda: Perpetual("X", "BTC", "USDT", face=value))
    if value is not None:  # absent, there
        refused(error, ["leverage", *above], lambda: ACCOUNT.trade(ETHER, 1, 2_000, leverage=value))
        refused(error, ["leverage", *above], lambda: Position(LINEAR, 1, 50_000, value))
        if value is not True:
            refused(error, ["isolated", *above], lambda: ACCOUNT.trade(ETHER, 1, 2_000, isolated=value))
    if not isinstance(value, list):  # a list of prices has its own message, below
        refused(error, ["price of BTC", *above], lambda: ACCOUNT.mark(BTC=value))
        refused(error, ["price of BTC", *above], lambda: ACCOUNT.at(BTC=value))
        refused(error, ["price of BTC", *above], lambda: POOL.slack(BTC=value))


@pytest.mark.parametrize(
    "value, shown, error",
    [(v, s, ValueError) for v, s in NOT_FINITE] + [(v, s, TypeError) for v, s in NOT_NUMBERS],
)
def test_numbers_that_must_be_finite(value, shown, error):
    refused(error, ["quantity", "a finite number", shown], lambda: ACCOUNT.trade(ETHER, value, 2_000))
    refused(error, ["quantity", "a finite number", shown], lambda: Position(LINEAR, value, 50_000))
    refused(error, ["collateral BTC", "a finite number", shown], lambda: replace(POOL, collateral={"BTC": value}))
    refused(error, ["balance BTC", "at least 0", shown], lambda: Account(venues.TEACHING, BTC=value))
    refused(error, ["fee", "at least 0", shown], lambda: Venue("x", fee=value))
    refused(error, ["growth", "at least 0", shown], lambda: Tiers.flat(0.01, growth=value))


def test_an_integer_too_large_for_a_float():
    refused(ValueError, ["price of BTC", "a finite number above 0"], lambda: ACCOUNT.mark(BTC=10**400))


@pytest.mark.parametrize("bad", [nan, inf, 0.0, -3.0])
def test_every_price_of_an_array(bad):
    for method in (POOL.equity, POOL.requirement, POOL.slack, POOL.margin_ratio, POOL.available):
        refused(ValueError, ["price of BTC", "above 0", repr(bad)], lambda m=method: m(BTC=np.array([5e4, bad, 4e4])))
        refused(ValueError, ["price of BTC", "above 0", repr(bad)], lambda m=method: m(BTC=[5e4, bad]))


@pytest.mark.parametrize("bad", [np.array([True]), np.array(["5"]), np.array([1 + 2j]), np.array([None]), ["a"]])
def test_arrays_of_anything_but_numbers(bad):
    refused(TypeError, ["price of BTC", "numbers"], lambda: POOL.slack(BTC=bad))


def test_an_account_takes_one_price_and_not_an_array():
    for action in (ACCOUNT.mark, ACCOUNT.at):
        refused(TypeError, ["price of BTC", "one number"], lambda a=action: a(BTC=np.array([5e4, 4e4])))
        refused(TypeError, ["price of BTC", "one number"], lambda a=action: a(BTC=[5e4]))
    refused(ValueError, ["at least one price"], lambda: ACCOUNT.mark())


def test_unknown_currencies_and_symbols():
    refused(ValueError, ["unknown currency 'ETH'", "BTC, USDT"], lambda: ACCOUNT.cross_in("ETH"))
    coin = Perpetual("ETH-USD", "ETH", "ETH")
    refused(ValueError, ["unknown currency 'ETH'", "BTC, USDT"], lambda: ACCOUNT.trade(coin, 1, 2_000))
    refused(KeyError, ["'ETH-USDT'", "open: ", "BTC-USD", "BTC-USDT"], lambda: ACCOUNT[ETHER])
    refused(KeyError, ["'DOGE'", "BTC-USD"], lambda: ACCOUNT.transfer(1, "BTC", to="DOGE"))
    refused(ValueError, ["currency", "'BTC'", "'USDT'"], lambda: ACCOUNT.transfer(1, "USDT", to=INVERSE))
    refused(ValueError, ["'ETH'", "it follows BTC"], lambda: POOL.slack(ETH=2_000))
    refused(ValueError, ["index", "BTC", "'ETH'"], lambda: POOL.liquidation("ETH"))
    refused(ValueError, ["index", "BTC", "5"], lambda: POOL.bankruptcy(5))
    other = replace(INVERSE, face=10)
    refused(ValueError, ["'BTC-USD'", "differs"], lambda: ACCOUNT.trade(other, 1, 50_000))
    refused(ValueError, ["Binance", "'ETH-USDT'", "tiers"], lambda: venues.BINANCE_2024_10.schedule(ETHER))
    refused(ValueError, ["price of ETH", "ETH=..."], lambda: replace(POOL, collateral={"ETH": 1}).equity())


def test_a_contract_is_not_an_index():
    marked = replace(ACCOUNT[LINEAR], marks={"BTC": 50_000, "BTC-USDT": 49_000})
    refused(ValueError, ["index must be one of BTC", "'BTC-USDT'"], lambda: marked.liquidation("BTC-USDT"))


def test_things_of_the_wrong_kind():
    refused(TypeError, ["venue", "'Binance'"], lambda: Account("Binance", BTC=1))
    refused(TypeError, ["instrument", "'BTC-USD'"], lambda: ACCOUNT.trade("BTC-USD", 1, 50_000))
    refused(TypeError, ["instrument", "'BTC-USD'"], lambda: Position("BTC-USD", 1, 50_000))
    refused(TypeError, ["positions", "5"], lambda: Pool("BTC", {}, [5], venues.TEACHING))
    refused(TypeError, ["venue"], lambda: Pool("BTC", {"BTC": 1}))
    refused(TypeError, ["tiers", "0.004"], lambda: Perpetual("X", "BTC", "BTC", tiers=0.004))
    refused(TypeError, ["index", "5"], lambda: Perpetual("X", 5, "BTC"))
    refused(TypeError, ["symbol", "''"], lambda: Perpetual("", "BTC", "BTC"))
    refused(ValueError, ["symbol", "'BTC'"], lambda: Perpetual("BTC", "BTC", "USDT"))
    refused(ValueError, ["balances"], lambda: Account(venues.TEACHING))
    refused(ValueError, ["quantity", "not 0"], lambda: ACCOUNT.trade(ETHER, 0, 2_000))
    refused(ValueError, ["quantity", "not 0"], lambda: Position(LINEAR, 0.0, 2_000))
    refused(ValueError, ["kind", "'initial'", "'im'"], lambda: POOL.requirement(kind="im"))


def test_more_margin_than_the_account_holds():
    account = ACCOUNT.trade(ETHER, 1, 2_000, isolated=100)
    # 100,000 less 400 for the BTC-USDT long at 125x
    refused(ValueError, ["isolated=99700", "99600 free", "cross USDT"],
            lambda: ACCOUNT.trade(ETHER, 100, 2_000, isolated=99_700))  # fmt: skip
    refused(ValueError, ["isolated=", "free"], lambda: ACCOUNT.trade(ETHER, 100, 2_000, isolated=True, leverage=1))
    refused(ValueError, ["amount=5.1 BTC", "5 free"], lambda: ACCOUNT.transfer(5.1, "BTC", to=INVERSE))
    refused(ValueError, ["amount=", "free in 'isolated"], lambda: account.transfer(100, "USDT", source=ETHER))
    refused(ValueError, ["short of its margin"], lambda: ACCOUNT.trade(ETHER, 100_000, 2_000))


def test_margin_below_what_the_schedule_asks():
    # 125x is the most: 2,000 needs 16
    words = ["leverage", "125 allowed", "at least 16 USDT", "not 10"]
    refused(ValueError, words, lambda: ACCOUNT.trade(ETHER, 1, 2_000, isolated=10))
    refused(ValueError, words, lambda: ACCOUNT.trade(ETHER, 1, 2_000, isolated=True, leverage=200))
    refused(ValueError, words, lambda: ACCOUNT.trade(ETHER, 1, 2_000, leverage=200))
    refused(ValueError, ["20 allowed"], lambda: ACCOUNT.trade(CAPPED, 5, 1_000, leverage=21))  # the floor itself
    assert ACCOUNT.trade(CAPPED, 5, 1_000, leverage=20) and ACCOUNT.trade(CAPPED, 4.99, 1_000, leverage=50)
    refused(ValueError, ["leverage 300", "0.004", "at most 250"], lambda: Tiers.flat(0.004, leverage=300))


def test_size_beyond_the_schedule():
    refused(ValueError, ["quantity 61", "60,000"], lambda: ACCOUNT.trade(CAPPED, 61, 1_000))
    assert ACCOUNT.trade(CAPPED, 60, 1_000)
    refused(ValueError, ["quantity 4", "ends at 3", "contracts"], lambda: ACCOUNT.trade(COUNTED, -4, 1_000))
    grown = ACCOUNT.trade(CAPPED, 50, 1_000)
    refused(ValueError, ["quantity 61"], lambda: grown.trade(CAPPED, 11, 1_000))


def test_contradictions_in_a_trade():
    refused(ValueError, ["isolated=100", "leverage=10", "needs 200"],
            lambda: ACCOUNT.trade(ETHER, 1, 2_000, isolated=100, leverage=10))  # fmt: skip
    refused(ValueError, ["isolated=True with leverage"], lambda: ACCOUNT.trade(ETHER, 1, 2_000, isolated=True))
    refused(ValueError, ["isolated=500.0", "cross margin"], lambda: ACCOUNT.trade(LINEAR, 1, 50_000, isolated=500))
    refused(ValueError, ["no part", "reduces"], lambda: ACCOUNT.trade(INVERSE, -1, 50_000, isolated=1))
    refused(ValueError, ["no part", "reduces"], lambda: ACCOUNT.trade(LINEAR, -0.5, 50_000, leverage=5))
    htx = Venue("HTX", tiers={"*": Tiers.flat(0.05)}, rates_of="initial margin")
    refused(ValueError, ["leverage", "HTX"], lambda: Account(htx, USDT=9_000).trade(ETHER, 1, 2_000))


def test_a_fill_that_takes_more_than_the_pool_has():
    refused(ValueError, ["price=44000", "isolated BTC-USD", "at()"], lambda: ACCOUNT.trade(INVERSE, -25_000, 44_000))
    refused(ValueError, ["price=44000", "isolated BTC-USD"], lambda: ACCOUNT.trade(INVERSE, -24_000, 44_000))
    refused(ValueError, ["price=44000"], lambda: ACCOUNT.trade(INVERSE, -26_000, 44_000))  # a flip
    # long 2 on 10,000: one sold 9,900 lower leaves 100 where the other requires 200
    two = ACCOUNT.trade(again := replace(ETHER, symbol="BTC-2", index="BTC"), 2, 50_000, isolated=10_000)
    refused(ValueError, ["price=40100", "at()"], lambda: two.trade(again, -1, 40_100))


def test_transfers_between_pools_that_make_no_sense():
    refused(ValueError, ["either to= or source="], lambda: ACCOUNT.transfer(1, "BTC"))
    refused(ValueError, ["either to= or source="], lambda: ACCOUNT.transfer(1, "BTC", to=INVERSE, source=INVERSE))
    refused(ValueError, ["'cross USDT'", "isolated"], lambda: ACCOUNT.transfer(1, "USDT", to=LINEAR))


@pytest.mark.parametrize(
    "rows, words",
    [
        ((), ["rows"]),
        (((0,),), ["rows"]),
        (((1, 0.01),), ["floors", "start at 0"]),
        (((0, 0.01), (5, 0.02), (5, 0.03)), ["floors", "rise"]),
        (((0, 0.02), (5, 0.01)), ["rates", "not fall"]),
        (((0, 1.1),), ["rates", "above 1"]),
        (((0, -0.1),), ["rate", "at least 0", "-0.1"]),
        (((0, nan),), ["rate", "nan"]),
        (((0, 0.01, 0),), ["leverage", "above 0"]),
        (((0, 0.01, 101),), ["leverage 101", "at most 100"]),
    ],
)
def test_schedules_that_make_no_sense(rows, words):
    refused(ValueError, words, lambda: Tiers(rows))


def test_other_rules_of_schedules_and_venues():
    refused(ValueError, ["cap", "5,000"], lambda: Tiers(((0, 0.01), (5_000, 0.02)), cap=5_000))
    refused(ValueError, ["cap", "nan"], lambda: Tiers.flat(0.01, cap=nan))
    refused(ValueError, ["basis", "'coins'"], lambda: Tiers.flat(0.01, basis="coins"))
    refused(TypeError, ["rate", "'1%'"], lambda: Tiers.flat("1%"))
    refused(ValueError, ["growth", "basis='quantity'"],
            lambda: Perpetual("X", "BTC", "USDT", tiers=Tiers.flat(0.01, growth=1e-5)))  # fmt: skip
    refused(ValueError, ["quantity must be given"], lambda: COUNTED.tiers.maintenance(5.0))
    for rule in ("maintenance_at", "rates_of", "fee_at", "realised_to", "freed_to", "surplus_to", "shortfall_to"):
        refused(ValueError, [rule, "one of", "'nowhere'"], lambda r=rule: Venue("x", **{r: "nowhere"}))


@pytest.mark.parametrize("name", ["quantity", "entry", "margin", "mark", "leverage"])
@pytest.mark.parametrize("bad", [nan, inf, 0, "5", True, "abc", np.array([1.0, nan]), np.array([True])])
def test_liquidation_prices_of_arrays(name, bad):
    good = {"quantity": 1, "entry": 50_000, "margin": 5_000, "mark": 50_000, "leverage": 10}
    numeric = isinstance(bad, (int, float, np.ndarray)) and bad is not True and np.asarray(bad).dtype.kind != "b"
    refused(ValueError if numeric else TypeError, [name],
            lambda: liquidation_price(venues.TEACHING, LINEAR, **(good | {name: bad})))  # fmt: skip


def test_a_liquidation_price_needs_a_contract_and_a_venue():
    refused(TypeError, ["instrument"], lambda: liquidation_price(venues.TEACHING, "BTC-USDT", 1, 50_000, 5_000))
    refused(TypeError, ["venue"], lambda: liquidation_price("teaching", LINEAR, 1, 50_000, 5_000))


def test_a_contract_with_prices_in_one_currency_and_margin_in_another():
    # follows ETH in quote currency, pays in BTC: q * (P - E) dollars would be booked as bitcoin
    quanto = Perpetual("ETH-BTC", index="ETH", settle="BTC", tiers=Tiers.flat(0.004))
    account = Account(venues.TEACHING, BTC=10)
    for action in (
        lambda: account.trade(quanto, 1, 3_000.0),
        lambda: Pool("BTC", {"BTC": 10}, (Position(quanto, 1, 3_000.0),), venues.TEACHING),
        lambda: liquidation_price(venues.TEACHING, quanto, 1, 3_000.0, 10.0),
    ):
        with pytest.raises(ValueError, match=r"settle must be .* 'ETH' .* not 'BTC' for 'ETH-BTC'"):
            action()
