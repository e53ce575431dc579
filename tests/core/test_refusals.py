"""Bad input is refused at the door, and `Refused` is the venue's word: type, message, and nothing has changed."""

from math import inf, nan

import numpy as np
import pytest

from marginlab import (
    Account,
    Asset,
    Funding,
    Interest,
    Perpetual,
    Pool,
    Position,
    Refused,
    Spot,
    Tiers,
    Venue,
    compare,
    funding,
    liquidation_price,
    replace,
    steps,
    surface,
    venues,
)
from tests import refusal
from tests.core.common import ETHER, INVERSE, LINEAR, PAIR, near

CAPPED = Perpetual("CAP-USDT", "CAP", "USDT", tiers=Tiers(((0, 0.01, 50), (5_000, 0.02, 20)), cap=60_000))
COUNTED = Perpetual("CNT-USDT", "CNT", "USDT", tiers=Tiers(((0, 0.01, 50),), cap=3, basis="quantity"))
ACCOUNT = (
    Account(venues.TEACHING, BTC=10, USDT=100_000)
    .mark(BTC=50_000, CAP=1_000, CNT=1_000)
    .trade(INVERSE, 25_000, 50_000, isolated=5)
    .trade(LINEAR, 1, 50_000)
)
POOL = ACCOUNT[INVERSE]
LONG = Account(venues.TEACHING, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT")
WALLED = Account(venues.TEACHING, BTC=2).mark(BTC=50_000).trade(PAIR, 5, 50_000, borrow="USDT", isolated=1)
MULTI = Account(venues.TEACHING_MULTI, BTC=2, ETH=10, USDT=5_000).mark(BTC=50_000, ETH=2_000)
PAIRED = MULTI.trade(LINEAR, 2, 50_000, leg="long").trade(LINEAR, -1, 50_000, leg="short")
FREE = Account(venues.TEACHING, USDT=100_000).mark(BTC=50_000)
OPEN = FREE.trade(LINEAR, 2, 50_000)
HELD = OPEN.cross.positions[0]
LEVERED = FREE.trade(LINEAR, 2, 50_000, isolated=True, leverage=10)[LINEAR]


def refused(error, words, action, account=ACCOUNT):
    refusal.refused(error, words, action, account)


NOT_FINITE = [(nan, "nan"), (inf, "inf"), (-inf, "-inf")]
NOT_POSITIVE = [*NOT_FINITE, (0, "0"), (0.0, "0.0"), (-1.5, "-1.5")]
WORDS = [("five", "'five'"), ("1,5", "'1,5'")]
NOT_NUMBERS = [*WORDS, (True, "True"), (None, "None"), ([5], "[5]"), ({}, "{}"), (1 + 2j, "(1+2j)")]

# ------------------------------------------------------------------ numbers and prices


@pytest.mark.parametrize(
    "value, shown, error",
    [(v, s, ValueError) for v, s in NOT_POSITIVE] + [(v, s, TypeError) for v, s in NOT_NUMBERS],
)
def test_numbers_that_must_be_positive(value, shown, error):
    above = ["a finite number above 0", shown]
    refused(error, ["price", *above], lambda: ACCOUNT.trade(ETHER, 1, value))
    refused(error, ["amount", *above], lambda: ACCOUNT.transfer(value, "BTC", to=INVERSE))
    if value is not None:
        refused(error, ["liquidation", *above], lambda: POOL.margin_for(liquidation=value))
        refused(error, ["ratio", *above], lambda: POOL.margin_for(ratio=value))
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


@pytest.mark.parametrize("name", ["quantity", "entry", "margin", "mark", "leverage"])
@pytest.mark.parametrize("bad", [nan, inf, 0, "five", True, "abc", np.array([1.0, nan]), np.array([True])])
def test_liquidation_prices_of_arrays(name, bad):
    good = {"quantity": 1, "entry": 50_000, "margin": 5_000, "mark": 50_000, "leverage": 10}
    numeric = isinstance(bad, (int, float, np.ndarray)) and bad is not True and np.asarray(bad).dtype.kind != "b"
    refused(ValueError if numeric else TypeError, [name],
            lambda: liquidation_price(venues.TEACHING, LINEAR, **(good | {name: bad})))  # fmt: skip


# ------------------------------------------------------------------ names and kinds


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


@pytest.mark.parametrize("symbol", ["BTC", "BTC/", "/USDT", "BTC/BTC", "BTC/USDT/ETH", ""])
def test_pairs_that_are_none(symbol):
    refused(ValueError, ["symbol must name two different coins", repr(symbol)], lambda: Spot(symbol))


def test_prices_that_are_missing_say_which():
    unmarked = Account(venues.TEACHING_MULTI, BTC=1, ETH=1).mark(BTC=50_000)
    for action in (unmarked.cross.equity, unmarked.cross.worth, unmarked.cross.available, unmarked.cross.parts,
                   lambda: unmarked.cross.withdrawable("BTC"), lambda: unmarked.trade(LINEAR, 1, 50_000),
                   lambda: compare(unmarked, unmarked)):  # fmt: skip
        refused(ValueError, ["the price of ETH is needed", "ETH=..."], action, unmarked)
    assert "the price of ETH is needed" in repr(unmarked)
    refused(ValueError, ["prices must name two"], lambda: surface(MULTI.cross, BTC=[1.0]), MULTI)


def test_directions_that_lead_nowhere():
    pool = MULTI.trade(LINEAR, 1, 50_000).trade(ETHER, 1, 2_000).cross
    for way in ([], {}, ["BTC", "SOL"], {"SOL": 1}, "SOL", "USDC", 5, ["BTC", 5], None, "BTC-USDT", {"USDC": 1}):
        refused(ValueError, ["index must be one of BTC, ETH, a list of them or a mapping to shares", repr(way)],
                lambda w=way: pool.liquidation(w))  # fmt: skip
    for way in ({"BTC": -1}, {"BTC": 0}, {"BTC": -1, "ETH": 0}):
        refused(ValueError, ["at least one coin a share above 0", repr(way)], lambda w=way: pool.bankruptcy(w))
    refused(ValueError, ["share of ETH", "nan"], lambda: pool.liquidation({"BTC": 1, "ETH": nan}))
    refused(TypeError, ["share of ETH", "'one'"], lambda: pool.liquidation({"BTC": 1, "ETH": "one"}))
    refused(ValueError, ["(nothing here)"], lambda: Pool("USDT", {}, (), venues.TEACHING).liquidation("BTC"))


def test_margin_for_what_margin_cannot_do():
    pool = MULTI.trade(LINEAR, 1, 50_000).cross
    refused(ValueError, ["BTC, ETH", "not several at once"], lambda: pool.margin_for(30_000, index=["BTC", "ETH"]))
    # 90,000 + 18,000 + 5,000 of collateral carry a long of 1 far below 45,000
    refused(ValueError, ["liquidation=45,000 takes no USD at all in 'cross'"], lambda: pool.margin_for(45_000))


def test_what_is_open_more_than_once_is_not_guessed():
    refused(ValueError, ["BTC-USDT is open more than once", "long BTC-USDT in 'cross'", "short BTC-USDT in 'cross'",
                         "isolated= or leg="], lambda: PAIRED.trade(LINEAR, 1, 50_000), PAIRED)  # fmt: skip
    apart = PAIRED.trade(LINEAR, 1, 50_000, isolated=True, leverage=20, leg="long")
    refused(ValueError, ["more than once", "'isolated BTC-USDT long'", "'cross'"],
            lambda: apart.trade(LINEAR, -1, 50_000, leg="long"), apart)  # fmt: skip
    refused(KeyError, ["'BTC-USDT' is open in cross, isolated BTC-USDT long", "add 'isolated', 'cross' or a side"],
            lambda: apart[LINEAR], apart)  # fmt: skip
    refused(KeyError, ["no open position", "long BTC-USDT, short BTC-USDT"], lambda: apart[ETHER], apart)
    refused(KeyError, ["no open position"], lambda: apart[LINEAR, "isolated", "short"], apart)
    refused(ValueError, ["key", "'isolate'", "'isolated', 'cross', 'long', 'short'"],
            lambda: apart[LINEAR, "isolate"], apart)  # fmt: skip
    both = MULTI.trade(PAIR, 1, 50_000, borrow="USDT").trade(PAIR, 1, 50_000, borrow="USDT", isolated=0.5)
    refused(KeyError, ["'BTC/USDT' is open in isolated BTC/USDT, cross"], lambda: both[PAIR], both)
    refused(KeyError, ["no open position in 'BTC/USDT'"], lambda: MULTI[PAIR], MULTI)
    refused(KeyError, ["no open position in 'ETH/BTC'"], lambda: both["ETH/BTC", "isolated"], both)


# ------------------------------------------------------------------ rules


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
    refused(ValueError, ["quantity must be given"], lambda: COUNTED.tiers.maintenance(5.0))
    for rule in ("maintenance_at", "fee_at", "realised_to", "freed_to", "surplus_to", "shortfall_to"):
        refused(ValueError, [rule, "one of", "'nowhere'"], lambda r=rule: Venue("x", **{r: "nowhere"}))


def test_rules_of_currencies_that_make_no_sense():
    refused(ValueError, ["haircut", "at least 0", "-0.1"], lambda: Asset(haircut=-0.1))
    refused(ValueError, ["haircut must be from 0 to 1", "1.01"], lambda: Asset(haircut=1.01))
    refused(ValueError, ["debt_weight", "at least 1", "0.99"], lambda: Asset(debt_weight=0.99))
    refused(ValueError, ["rate", "at least 0", "-0.01"], lambda: Asset(rate=-0.01))
    refused(ValueError, ["per", "above 0"], lambda: Interest(per=0))
    refused(ValueError, ["every", "above 0"], lambda: Interest(every=0))
    refused(ValueError, ["opening", "at least 0"], lambda: Interest(opening=-1))
    refused(ValueError, ["hours", "at least 0", "-1"], lambda: LONG.accrue(-1), LONG)
    refused(ValueError, ["hours", "at least 0", "-1"], lambda: Interest().due(1, 0.1, -1))
    refused(TypeError, ["hours", "'a day'"], lambda: LONG.accrue("a day"), LONG)
    assert Asset(haircut=1) and Asset(haircut=0, debt_weight=1, rate=0) and Interest(opening=0)


def test_what_is_out_of_range():
    for value in (0, -8):
        refused(ValueError, ["interval", "above 0", str(value)], lambda v=value: Funding(interval=v))
        refused(ValueError, ["per", "above 0", str(value)], lambda v=value: Funding(per=v))
    for value in (-1, 24, 24.5):
        refused(
            ValueError, ["first must be an hour of the day", "below 24", repr(value)], lambda v=value: Funding(first=v)
        )
    refused(ValueError, ["damper", "at least 0", "-0.0005"], lambda: Funding(damper=-0.0005))
    refused(ValueError, ["cap must be at least the floor 0.001", "0.0005"], lambda: Funding(cap=0.0005, floor=0.001))
    refused(ValueError, ["cap must be at least the floor 0.01", "-0.01"], lambda: Funding(cap=-0.01))
    refused(ValueError, ["cap", "nan"], lambda: Funding(cap=nan))
    refused(ValueError, ["floor", "nan"], lambda: Funding(floor=nan))
    refused(ValueError, ["accrual", "'snapshot', 'continuous'", "'hourly'"], lambda: Funding(accrual="hourly"))
    refused(ValueError, ["charged_to", "'position', 'account'", "'trader'"], lambda: Funding(charged_to="trader"))
    refused(ValueError, ["valued_at", "'mark', 'index'", "'last'"], lambda: Funding(valued_at="last"))
    refused(ValueError, ["end", "at least 5", "3"], lambda: Funding().periods(5, 3))
    refused(ValueError, ["end", "at least 5", "3"], lambda: Funding(accrual="continuous").periods(5, 3))
    refused(ValueError, ["end", "at least 5", "3"], lambda: Funding().times(5, 3))
    refused(
        ValueError,
        ["accrual='continuous' has no timestamps", "periods"],
        lambda: Funding(accrual="continuous").times(0, 8),
    )
    assert Funding(cap=0.001, floor=0.001).rate(0) == 0.001


def test_payments_for_what_is_not_open():
    refused(KeyError, ["'ETH-USDT'", "open: long BTC-USDT"], lambda: OPEN.pay_funding(ETHER, 0.0001))
    refused(KeyError, ["'SOL'", "open: long BTC-USDT"], lambda: OPEN.pay_funding("SOL", 0.0001))
    refused(KeyError, ["'BTC-USDT'", "open: none"], lambda: FREE.pay_funding(LINEAR, 0.0001))
    refused(TypeError, ["instrument must be a Perpetual", "'BTC/USDT'"], lambda: LONG.pay_funding(PAIR, 0.0001), LONG)


BAD = [(nan, "nan", ValueError), (inf, "inf", ValueError), ("one", "'one'", TypeError), (True, "True", TypeError)]


@pytest.mark.parametrize(("value", "shown", "error"), [*BAD, (None, "None", TypeError), ([0.1], "[0.1]", TypeError)])
def test_rates_must_be_finite_numbers(value, shown, error):
    must = ["must be a finite number", shown]
    refused(error, ["rate", *must], lambda: OPEN.pay_funding(LINEAR, value))
    refused(error, ["periods", *must, "at least 0"], lambda: OPEN.pay_funding(LINEAR, 0.1, periods=value))
    refused(error, ["rate", *must], lambda: funding.due(OPEN.cross, value))
    refused(error, ["rate", *must], lambda: funding.payments_left(OPEN.cross, {LINEAR: value}))
    if not isinstance(value, list):
        refused(error, ["rates", *must], lambda: funding.payments(HELD, value, 5e4))
        refused(error, ["prices", "above 0", shown], lambda: funding.payments(HELD, 0.1, value))
        refused(error, ["rates", *must], lambda: funding.total(HELD, value, [5e4]))
        refused(error, ["the rates of BTC-USDT", *must], lambda: list(steps(OPEN, {"BTC-USDT": value})))
        refused(error, ["price of BTC", shown], lambda: list(steps(OPEN, {LINEAR: [0.1]}, {"BTC": value})))
        if value is not None:  # absent, there
            refused(error, ["hours", *must], lambda: list(steps(OPEN, {LINEAR: [0.1]}, hours=value)))


def test_paths_that_do_not_fit():
    for action in (funding.payments, funding.total):
        refused(TypeError, ["position must be a Position", "'BTC'"], lambda a=action: a("BTC", 0.1, 5e4))
        refused(ValueError, ["rates", "(3,) beside (2,)"], lambda a=action: a(HELD, [0.1, 0.1, 0.1], [5e4, 4e4]))
        refused(ValueError, ["rates", "(2,) beside (3, 2)"], lambda a=action: a(HELD, [0.1, 0.1], np.ones((3, 2))))
        refused(ValueError, ["(3, 4) beside (3, 2)"], lambda a=action: a(HELD, np.ones((3, 4)), np.ones((3, 2))))
        refused(ValueError, ["(2, 1) beside (3,)"], lambda a=action: a(HELD, np.ones((2, 1)), np.ones(3)))
        refused(ValueError, ["prices", "above 0", "0.0"], lambda a=action: a(HELD, [0.1, 0.1], [5e4, 0.0]))
        refused(ValueError, ["rates", "nan"], lambda a=action: a(HELD, [0.1, nan], [5e4, 5e4]))
        refused(TypeError, ["rates must be numbers"], lambda a=action: a(HELD, ["a", "b"], [5e4, 5e4]))
        refused(TypeError, ["rates must be numbers"], lambda a=action: a(HELD, np.array([True, False]), [5e4, 5e4]))


def test_schedules_that_do_not_fit():
    def of(*args):
        return lambda: list(steps(OPEN, *args))

    refused(TypeError, ["rates must be a mapping", "[0.0001]"], of([0.1, 0.1]))
    refused(TypeError, ["rates must be a mapping"], of(0.1))
    refused(TypeError, ["prices must be a mapping"], of({LINEAR: [0.1]}, [50_000]))
    refused(ValueError, ["rows of one length", "[1, 2]"], of({LINEAR: [0.1]}, {"BTC": [5e4, 5e4]}))
    two = OPEN.mark(ETH=2_000).trade(ETHER, 1, 2_000)
    uneven = {LINEAR: [0.1], ETHER: [0.1] * 3}
    refused(ValueError, ["rows of one length", "[1, 3]"], lambda: list(steps(two, uneven)), two)
    refused(ValueError, ["rows of one length", "none"], of({LINEAR: 0.1}))
    refused(ValueError, ["rows of one length", "none"], of({}))
    refused(ValueError, ["must be one row"], of({LINEAR: [[0.1]]}))
    refused(ValueError, ["must be one row"], of({LINEAR: [0.1]}, {"BTC": [[5e4]]}))
    refused(ValueError, ["the rates of BTC-USDT", "nan"], of({"BTC-USDT": [0.1, nan]}))
    refused(ValueError, ["price of BTC", "-1"], of({LINEAR: [0.1]}, {"BTC": [-1]}))
    refused(ValueError, ["nothing here follows 'SOL'"], of({LINEAR: [0.1]}, {"SOL": [20]}))


def test_no_break_even_at_any_price():
    for contract, quantity, amount in ((LINEAR, -2, 100_000), (LINEAR, -2, 200_000), (INVERSE, 25_000, 50.0)):
        label = f"{'long' if quantity > 0 else 'short'} {contract.symbol}"
        with pytest.raises(ValueError, match=f"paid={amount:g} .*{label}"):
            funding.break_even(Position(contract, quantity, 50_000), amount)
    assert funding.break_even(Position(LINEAR, -2, 50_000), 99_998) == near(1)
    for value, error in ((nan, ValueError), (inf, ValueError), ("one", TypeError), (True, TypeError)):
        with pytest.raises(error, match="paid must be a finite number"):
            funding.break_even(Position(LINEAR, 2, 50_000), value)


def test_no_shift_without_a_liquidation_price():
    with pytest.raises(ValueError, match="no liquidation price"):
        funding.shift(FREE.trade(LINEAR, 1, 50_000).cross, 100)  # 100,000 on 50,000
    with pytest.raises(ValueError, match="paid=-90000 leaves no liquidation price: "):
        funding.shift(LEVERED, -90_000)
    for value, error in ((nan, ValueError), (inf, ValueError), ("one", TypeError), (True, TypeError)):
        with pytest.raises(error, match="paid must be a finite number"):
            funding.shift(LEVERED, value)


# ---------------------------------------------------------- what a venue would refuse


def test_more_margin_than_the_account_holds():
    account = ACCOUNT.trade(ETHER, 1, 2_000, isolated=100)
    # 100,000 less 400 for the BTC-USDT long at 125x
    refused(Refused, ["isolated=99700", "99600 free", "cross USDT"],
            lambda: ACCOUNT.trade(ETHER, 100, 2_000, isolated=99_700))  # fmt: skip
    refused(Refused, ["isolated=", "free"], lambda: ACCOUNT.trade(ETHER, 100, 2_000, isolated=True, leverage=1))
    refused(Refused, ["amount=5.1 BTC", "5 free"], lambda: ACCOUNT.transfer(5.1, "BTC", to=INVERSE))
    refused(Refused, ["amount=", "free in 'isolated"], lambda: account.transfer(100, "USDT", source=ETHER))
    refused(Refused, ["short of its margin"], lambda: ACCOUNT.trade(ETHER, 100_000, 2_000))


def test_margin_below_what_the_schedule_asks():
    # 125x is the most: 2,000 needs 16
    words = ["leverage", "125 allowed", "at least 16 USDT", "not 10"]
    refused(Refused, words, lambda: ACCOUNT.trade(ETHER, 1, 2_000, isolated=10))
    refused(Refused, words, lambda: ACCOUNT.trade(ETHER, 1, 2_000, isolated=True, leverage=200))
    refused(Refused, words, lambda: ACCOUNT.trade(ETHER, 1, 2_000, leverage=200))
    refused(Refused, ["20 allowed"], lambda: ACCOUNT.trade(CAPPED, 5, 1_000, leverage=21))  # the floor itself
    assert ACCOUNT.trade(CAPPED, 5, 1_000, leverage=20) and ACCOUNT.trade(CAPPED, 4.99, 1_000, leverage=50)
    refused(ValueError, ["leverage 300", "0.004", "at most 250"], lambda: Tiers.flat(0.004, leverage=300))


def test_size_beyond_the_schedule():
    refused(Refused, ["quantity 61", "60,000"], lambda: ACCOUNT.trade(CAPPED, 61, 1_000))
    assert ACCOUNT.trade(CAPPED, 60, 1_000)
    refused(Refused, ["quantity 4", "ends at 3", "contracts"], lambda: ACCOUNT.trade(COUNTED, -4, 1_000))
    grown = ACCOUNT.trade(CAPPED, 50, 1_000)
    refused(Refused, ["quantity 61"], lambda: grown.trade(CAPPED, 11, 1_000))


def test_contradictions_in_a_trade():
    refused(ValueError, ["isolated=100", "leverage=10", "needs 200"],
            lambda: ACCOUNT.trade(ETHER, 1, 2_000, isolated=100, leverage=10))  # fmt: skip
    refused(ValueError, ["isolated=True with leverage"], lambda: ACCOUNT.trade(ETHER, 1, 2_000, isolated=True))
    refused(Refused, ["isolated=500.0", "cross margin"], lambda: ACCOUNT.trade(LINEAR, 1, 50_000, isolated=500))
    refused(ValueError, ["no part", "reduces"], lambda: ACCOUNT.trade(INVERSE, -1, 50_000, isolated=1))
    refused(ValueError, ["no part", "reduces"], lambda: ACCOUNT.trade(LINEAR, -0.5, 50_000, leverage=5))


def test_a_fill_that_takes_more_than_the_pool_has():
    refused(Refused, ["price=44000", "isolated BTC-USD", "at()"], lambda: ACCOUNT.trade(INVERSE, -25_000, 44_000))
    refused(Refused, ["price=44000", "isolated BTC-USD"], lambda: ACCOUNT.trade(INVERSE, -24_000, 44_000))
    refused(Refused, ["price=44000"], lambda: ACCOUNT.trade(INVERSE, -26_000, 44_000))  # a flip
    # long 2 on 10,000: one sold 9,900 lower leaves 100 where the other requires 200
    two = ACCOUNT.trade(again := replace(ETHER, symbol="BTC-2", index="BTC"), 2, 50_000, isolated=10_000)
    refused(Refused, ["price=40100", "at()"], lambda: two.trade(again, -1, 40_100))


def test_transfers_between_pools_that_make_no_sense():
    refused(ValueError, ["either to= or source="], lambda: ACCOUNT.transfer(1, "BTC"))
    refused(ValueError, ["either to= or source="], lambda: ACCOUNT.transfer(1, "BTC", to=INVERSE, source=INVERSE))
    refused(ValueError, ["'cross USDT'", "isolated"], lambda: ACCOUNT.transfer(1, "USDT", to=LINEAR))


def test_a_contract_that_requires_all_of_its_worth():
    whole = replace(ETHER, tiers=Tiers.flat(1.0))
    refused(ValueError, ["rates of 'ETH-USDT' must stay below 1"], lambda: ACCOUNT.trade(whole, 1, 2_000))


def test_borrowing_beyond_the_limit():
    # 201 BTC at 50,000 are 50,000 USD more than the 10,000,000 that are lent
    rich = Account(venues.TEACHING, BTC=100, USDT=1e7).mark(BTC=50_000)
    refused(Refused, ["borrow='USDT'", "teaching lends at most", "50,000 too much"],
            lambda: rich.trade(PAIR, 201, 50_000, borrow="USDT"), rich)  # fmt: skip
    refused(Refused, ["borrow='BTC'", "USD", "50,000 too much"],
            lambda: rich.trade(PAIR, -201, 50_000, borrow="BTC"), rich)  # fmt: skip
    most = rich.trade(PAIR, 200, 50_000, borrow="USDT")
    refused(Refused, ["1 too much"], lambda: most.trade(PAIR, 2e-5, 50_000, borrow="USDT"), most)
    counted = Asset(loan=Tiers.flat(0.05, leverage=10, basis="quantity", cap=3))
    few = Account(replace(venues.TEACHING, assets={"BTC": counted}), USDT=1e6).mark(BTC=50_000)
    refused(Refused, ["would be 4 BTC", "at most 3", "1 too much"],
            lambda: few.trade(PAIR, -4, 50_000, borrow="BTC"), few)  # fmt: skip
    assert few.trade(PAIR, -3, 50_000, borrow="BTC")


def test_borrowing_what_is_not_lent():
    okx = Account(venues.OKX_MULTI, USDC=1e6)
    okx = okx.mark(OKB=50)
    refused(Refused, ["borrow='USDT'", "OKX", "does not lend USDT"],
            lambda: okx.trade(Spot("OKB/USDT"), 1, 50, borrow="USDT"), okx)  # fmt: skip
    bare = Account(Venue("bare"), BTC=2).mark(BTC=50_000)
    refused(Refused, ["bare does not lend USDT"], lambda: bare.trade(PAIR, 1, 50_000, borrow="USDT"), bare)


def test_collateral_that_is_not_taken():
    words = ["unknown collateral 'DOGE'", "teaching, multi-currency takes BTC, ETH, USDT"]
    refused(Refused, words, lambda: Account(venues.TEACHING_MULTI, DOGE=1))
    refused(Refused, words, lambda: MULTI.trade(Spot("DOGE/USDT"), 1, 0.1), MULTI)
    refused(Refused, words, lambda: MULTI.cross.adding(1, "DOGE"), MULTI)
    refused(Refused, words, lambda: MULTI.cross_in("DOGE"), MULTI)
    refused(Refused, ["multi-currency account at none takes USD"],
            lambda: Account(Venue("none", account_mode="multi-currency"), BTC=1))  # fmt: skip


def test_a_spot_trade_that_its_pool_cannot_carry():
    # 2 BTC of equity carry a debt of at most 20; 20.5 need 2.05
    two = Account(venues.TEACHING, BTC=2).mark(BTC=50_000)
    refused(Refused, ["short of its margin", "2.05 BTC of initial margin needed", "2 there", "0.05 missing"],
            lambda: two.trade(PAIR, 20.5, 50_000, borrow="USDT"), two)  # fmt: skip
    assert two.trade(PAIR, 20, 50_000, borrow="USDT").cross.available() == pytest.approx(0, abs=1e-12)
    # in dollars: 22 BTC count 990,000 against 1,000,000 owed
    fat = Account(venues.TEACHING_MULTI, BTC=2).mark(BTC=50_000)
    refused(Refused, ["'cross'", "100,000 USD of initial margin needed", "-10,000 there", "110,000 missing"],
            lambda: fat.trade(PAIR, 20, 50_000, borrow="USDT"), fat)  # fmt: skip
    # an isolated 0.5 for 5.5 BTC: a tenth is 0.55
    refused(Refused, ["'isolated BTC/USDT'", "0.55 BTC of initial margin needed", "0.05 missing"],
            lambda: two.trade(PAIR, 5.5, 50_000, borrow="USDT", isolated=0.5), two)  # fmt: skip
    refused(Refused, ["'isolated BTC/USDT' short of its margin"],
            lambda: two.trade(PAIR, 5, 50_000, borrow="USDT", isolated=0.2), two)  # fmt: skip
    assert two.trade(PAIR, 5, 50_000, borrow="USDT", isolated=0.5)
    refused(Refused, ["isolated=2.5 BTC", "2 free in 'cross BTC'"],
            lambda: two.trade(PAIR, 5, 50_000, borrow="USDT", isolated=2.5), two)  # fmt: skip
    # the fee for opening counts too: 0.5 for 250,000 leaves nothing for it
    kraken = replace(venues.TEACHING, interest=venues.KRAKEN_SPOT.interest)
    paying = Account(kraken, BTC=2).mark(BTC=50_000)
    refused(Refused, ["'isolated BTC/USDT'", "of initial margin needed"],
            lambda: paying.trade(PAIR, 5, 50_000, borrow="USDT", isolated=0.5), paying)  # fmt: skip


def test_money_that_is_not_there():
    refused(Refused, ["takes 10,000 USDT", "holds 5,000", "5,000 missing", "borrow='USDT' would borrow it"],
            lambda: MULTI.trade(PAIR, 0.2, 50_000), MULTI)  # fmt: skip
    refused(Refused, ["takes 3 BTC", "'cross' holds 2", "1 missing", "borrow='BTC'"],
            lambda: MULTI.trade(PAIR, -3, 50_000), MULTI)  # fmt: skip
    refused(Refused, ["cost=250000 USDT", "100000", "'cross USDT'"],
            lambda: Account(venues.TEACHING, USDT=100_000).trade(PAIR, 5, 50_000))  # fmt: skip
    refused(ValueError, ["unknown currency 'USDT'", "holds BTC"],
            lambda: Account(venues.TEACHING, BTC=2).trade(PAIR, 1, 50_000))  # fmt: skip
    # 7 BTC are there, 8 are sold: 5 repay the debt, 3 are more than 2
    refused(Refused, ["cost=3 BTC", "2 free in 'cross BTC'"], lambda: LONG.trade(PAIR, -8, 50_000), LONG)
    refused(Refused, ["takes 7 BTC", "holds 6", "1 missing"], lambda: WALLED.trade(PAIR, -7, 50_000), WALLED)
    # an exchange into a coin with a haircut that would leave the contracts short of margin
    busy = Account(venues.TEACHING_MULTI, USDT=10_000).trade(LINEAR, 1.9, 50_000, leverage=10)
    refused(Refused, ["short of its margin", "9,500 USD of initial margin needed", "9,000 there", "500 missing"],
            lambda: busy.trade(PAIR, 0.2, 50_000), busy)  # fmt: skip


def test_words_that_contradict_each_other_in_a_spot_trade():
    two = Account(venues.TEACHING, BTC=2, USDT=1_000).mark(BTC=50_000)
    refused(ValueError, ["borrow must be one of None, 'USDT'", "'BTC'"],
            lambda: two.trade(PAIR, 1, 50_000, borrow="BTC"), two)  # fmt: skip
    refused(ValueError, ["borrow must be one of None, 'BTC'", "'USDT'"],
            lambda: two.trade(PAIR, -1, 50_000, borrow="USDT"), two)  # fmt: skip
    refused(ValueError, ["leverage=5", "in cross", "leave it out"],
            lambda: two.trade(PAIR, 1, 50_000, borrow="USDT", leverage=5), two)  # fmt: skip
    refused(ValueError, ["leverage=5"],
            lambda: two.trade(PAIR, 1, 50_000, borrow="USDT", isolated=False, leverage=5), two)  # fmt: skip
    refused(ValueError, ["isolated=1.0", "borrow='USDT'"], lambda: two.trade(PAIR, 1, 50_000, isolated=1), two)
    refused(ValueError, ["isolated=True with leverage=10"],
            lambda: two.trade(PAIR, 1, 50_000, isolated=True, borrow="USDT"), two)  # fmt: skip
    refused(ValueError, ["isolated=1 and leverage=10 disagree", "5 BTC"],
            lambda: two.trade(PAIR, 5, 50_000, isolated=1, leverage=10, borrow="USDT"), two)  # fmt: skip
    refused(ValueError, ["leg", "'long'"], lambda: two.trade(PAIR, 1, 50_000, leg="long"), two)
    refused(ValueError, ["borrow='USDT'", "nothing is borrowed"],
            lambda: two.trade(LINEAR, 1, 50_000, borrow="USDT"), two)  # fmt: skip
    refused(ValueError, ["no part", "repays"], lambda: WALLED.trade(PAIR, -1, 50_000, isolated=1), WALLED)
    refused(ValueError, ["no part", "repays"], lambda: WALLED.trade(PAIR, -1, 50_000, leverage=5), WALLED)
    refused(Refused, ["isolated=False", "BTC/USDT is open in isolated margin"],
            lambda: WALLED.trade(PAIR, 1, 50_000, isolated=False, borrow="USDT"), WALLED)  # fmt: skip
    unmarked = Account(venues.TEACHING, BTC=2)
    refused(ValueError, ["price of EUR is needed"],
            lambda: unmarked.mark(BTC=50_000).trade(Spot("BTC/EUR"), 1, 45_000, borrow="EUR"), unmarked)  # fmt: skip


def test_loss_beyond_what_a_multi_currency_pool_has():
    account = Account(venues.TEACHING_MULTI, BTC=0.1).trade(LINEAR, 1, 50_000)
    refused(Refused, ["price=45000", "'cross'", "at()"],
            lambda: account.mark(BTC=45_000).trade(LINEAR, -1, 45_000), account)  # fmt: skip


def test_legs_where_there_are_none():
    refused(Refused, ["leg='long'", "teaching has no hedge mode"], lambda: ACCOUNT.trade(LINEAR, 1, 50_000, leg="long"))
    refused(ValueError, ["leg must be one of None, 'long', 'short'", "'both'"],
            lambda: MULTI.trade(LINEAR, 1, 50_000, leg="both"), MULTI)  # fmt: skip
    refused(ValueError, ["there is no long of BTC-USDT to reduce"],
            lambda: MULTI.trade(LINEAR, -1, 50_000, leg="long"), MULTI)  # fmt: skip
    refused(ValueError, ["there is no short of BTC-USDT to reduce"],
            lambda: MULTI.trade(LINEAR, 1, 50_000, leg="short"), MULTI)  # fmt: skip
    refused(ValueError, ["quantity -3", "the long of 2"],
            lambda: PAIRED.trade(LINEAR, -3, 50_000, leg="long"), PAIRED)  # fmt: skip
    refused(ValueError, ["quantity 1.5", "the short of 1"],
            lambda: PAIRED.trade(LINEAR, 1.5, 50_000, leg="short"), PAIRED)  # fmt: skip


def test_one_mode_at_a_time():
    refused(Refused, ["isolated=False", "BTC-USD is open in isolated margin", "stay out of cross"],
            lambda: ACCOUNT.trade(INVERSE, 1, 50_000, isolated=False))  # fmt: skip
    refused(Refused, ["isolated=True", "BTC-USDT is open in cross margin", "stay out of isolated"],
            lambda: ACCOUNT.trade(LINEAR, -1, 50_000, isolated=True, leverage=10))  # fmt: skip
    binance = Account(venues.BINANCE_2024_10, USDT=100_000).trade(LINEAR, 1, 50_000, leg="long")
    refused(ValueError, ["'cross USDT' is the shared pool"],
            lambda: binance.transfer(1, "USDT", to=(LINEAR, "long")), binance)  # fmt: skip


def test_a_pair_open_in_both_modes_has_to_be_named():
    account = (
        Account(replace(venues.TEACHING, both_modes=True), BTC=4, USDT=100_000)
        .mark(BTC=50_000)
        .trade(PAIR, 1, 50_000, borrow="USDT")
    )
    account = account.trade(PAIR, 1, 50_000, isolated=0.5, borrow="USDT")
    with pytest.raises(ValueError, match="isolated=True or isolated=False"):
        account.trade(PAIR, -1, 50_000)
    with pytest.raises(KeyError, match="isolated BTC/USDT"):
        account[PAIR]


ROWS = "rates, prices, last and hours must be rows of one length, not of"


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
    (TypeError, ["fund in USDT", "'five'"], {"prices": {"BTC": [90]}, "fund": {"USDT": "five"}}),
    (KeyError, ["SOL-USDT"], {"rates": {"SOL-USDT": [0.1]}}),
])  # fmt: skip
def test_steps_refuse_before_the_first_step(error, words, given):
    start = FREE.mark(ETH=100).trade(LINEAR, 1, 50_000).trade(ETHER, 1, 100)
    refused(error, words, lambda: steps(start, **given), start)
