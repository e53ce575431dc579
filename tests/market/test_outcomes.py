"""Outcomes: by hand, from troughs and step by step alike, with the reason; what is refused."""

import math

import numpy as np
import pytest

from marginlab import Account, Asset, Funding, Interest, Perpetual, Pool, Position, Tiers, Venue, replace, venues
from marginlab.market import Brownian, Given, outcomes, survival
from marginlab.rules import TRADER
from tests.market.held import holding
from tests.process import process
from tests.refusal import refused

LINEAR = Perpetual("BTC-USDT", "BTC", "USDT")
ETHER = Perpetual("ETH-USDT", "ETH", "USDT")
COIN = Perpetual("BTC-USD", "BTC", "BTC", 100)
TENTH = Venue("a tenth", tiers={"*": Tiers.flat(0.1)})
FULL = replace(venues.TEACHING_MULTI, assets={"BTC": Asset(), "USDT": Asset(), "USD": Asset()})


def nothing(account, step):
    return account


def given(*columns, start=100.0, **words):
    return Given({"BTC": start}, given={"BTC": np.array(columns, dtype=float).T}, **words)


def walk(coins=("BTC",), count=30, steps=25, volatility=4.0):
    start = {name: {"BTC": 50_000, "ETH": 2_000}[name] for name in coins}
    return Brownian(start, steps, count, volatility=volatility, rng=np.random.default_rng(2))


def long(venue=TENTH, margin=30, **rest):
    """1 from 100 with so much isolated margin, of 1,000."""
    return Account(venue, **(rest or {"USDT": 1_000})).mark(BTC=100).trade(LINEAR, 1, 100, isolated=margin)


def alike(account, paths, rates=None):
    """From troughs, and the same step by step."""
    found = outcomes(account, paths, rates)
    assert found.attrs["how"] == "from troughs"
    stepped = outcomes(account, paths, rates, nothing)
    assert list(found.columns) == list(stepped.columns)
    for name in found.columns.drop("worth"):
        assert found[name].tolist() == stepped[name].tolist()
    assert found.worth.tolist() == pytest.approx(stepped.worth.tolist(), rel=1e-9, abs=1e-6)
    return found


# ---------------------------------------------------------------------- by hand


def test_by_hand(capsys):
    # at its line at 70 / 0.9 = 77.8
    found = outcomes(long(), given([90, 100], [80, 120], [77, 130], [78, 50]))
    assert list(found.columns) == ["liquidated", "isolated BTC-USDT", "worth"] and found.index.name == "path"
    assert found.liquidated.tolist() == found["isolated BTC-USDT"].tolist() == [-1, -1, 1, 2]
    assert found.worth.tolist() == pytest.approx([1_000, 1_020, 970, 970])
    assert found.attrs["how"] == "from troughs" and capsys.readouterr().out == ""


def test_by_hand_with_funding():
    # 95 less 9.5 and 90 less 9: a long of 30 has 30 - 10 - 18.5 = 1.5 against 9 after the second, 10.5 before
    found = alike(long(), given([95, 90]), {LINEAR: 0.1})
    assert found.liquidated.tolist() == [2] and found.worth.tolist() == pytest.approx([970])
    found = alike(long(), given([95, 90]), {LINEAR: [0.1, 0]})
    assert found.liquidated.tolist() == [-1] and found.worth.tolist() == pytest.approx([1_000 - 10 - 9.5])


def test_several_pools_by_hand():
    account = long().trade(ETHER, -2, 50, isolated=20)  # at its line at 120 / 2.2 = 54.5
    paths = Given(
        {"BTC": 100, "ETH": 50}, given={"BTC": [[90, 70, 90], [70, 70, 90]], "ETH": [[50, 55, 50], [56, 50, 40.0]]}
    )
    found = alike(account, paths)
    assert found["isolated BTC-USDT"].tolist() == [2, 1, -1]
    assert found["isolated ETH-USDT"].tolist() == [2, 1, -1]
    assert found.liquidated.tolist() == [2, 1, -1]
    assert found.worth.tolist() == pytest.approx([950, 950, 1_000 - 10 + 20])
    later = Given({"BTC": 100, "ETH": 50}, given={"BTC": [90, 90, 70.0], "ETH": [50, 56, 50.0]})
    found = alike(account, later)
    assert found.iloc[0, :3].tolist() == [2, 3, 2]


def test_a_top_up_saves_an_isolated_position(capsys):
    # 10 from 100 with 100: at its line at 900 / 9.96 = 90.4; with 50 more at 850 / 9.96 = 85.3
    account = Account(venues.TEACHING, USDT=1_000).mark(BTC=100).trade(LINEAR, 10, 100, isolated=100)
    crash, seen = given([95, 88, 95]), []
    alone = outcomes(account, crash)
    assert alone.liquidated.tolist() == [2] and alone.worth.tolist() == pytest.approx([900])

    def top_up(now, step):
        seen.append((step, now.marks["BTC"]))
        return now.transfer(50, "USDT", to=LINEAR) if step == 1 else now

    saved = outcomes(account, crash, meanwhile=top_up)
    assert saved.liquidated.tolist() == [-1] and saved.worth.tolist() == pytest.approx([950])
    assert seen == [(1, 95), (2, 88), (3, 95)]
    assert saved.attrs["how"] == "step by step: something is done meanwhile"
    assert capsys.readouterr().out == "Step by step: something is done meanwhile.\n"
    late = outcomes(account, crash, meanwhile=lambda now, step: top_up(now, step - 1) if now.find("BTC-USDT") else now)
    assert late.liquidated.tolist() == [2] and late.worth.tolist() == pytest.approx([900])


# ----------------------------------------------------- both ways, path by path


def two_crosses():
    """Cross pools of BTC and USDT, and an isolated position beside them."""
    account = Account(venues.TEACHING_TIERS, BTC=1.5, USDT=90_000).mark(BTC=50_000, ETH=2_000)
    account = account.trade(replace(COIN, face=50_000), 5, 50_000).trade(LINEAR, -8, 50_000)
    return account.trade(ETHER, 100, 2_000, isolated=12_000)


@pytest.mark.parametrize("rates", [
    None, {"BTC-USDT": -0.002, "BTC-USD": np.tile([0, 0, 0, 0, 0.01], 5), "ETH-USDT": 0.001}, {"BTC-USD": -0.002},
])  # fmt: skip
def test_several_cross_pools(rates):
    found = alike(two_crosses(), walk(("BTC", "ETH"), volatility=3), rates)
    pools = ["cross BTC", "cross USDT", "isolated ETH-USDT"]
    assert sorted(found.columns) == sorted(["liquidated", *pools, "worth"])
    for name in pools:
        assert 0 < np.mean(found[name] > 0) < 1
    at = found[pools].to_numpy()
    first = np.where(at < 0, 99, at).min(axis=1)
    assert found.liquidated.tolist() == np.where(first == 99, -1, first).tolist()


@pytest.mark.parametrize("quantity, isolated", [(12, 30_000), (-12, None), (-12, 30_000), (12, None)])
@pytest.mark.parametrize("rate", [0.0, 0.002, -0.002])
def test_tiers(quantity, isolated, rate):
    account = Account(venues.BINANCE_2024_10, USDT=45_000).mark(BTC=50_000)
    found = alike(account.trade(LINEAR, quantity, 50_000, isolated=isolated), walk(), {LINEAR: rate})
    assert 0 < np.mean(found.liquidated > 0) < 1


@pytest.mark.parametrize("coin, amount", [("BTC", 0.7), ("USDT", 35_000)])
@pytest.mark.parametrize("rate", [0.0, 0.001, -0.001])
def test_a_multi_currency_account(coin, amount, rate):
    account = Account(FULL, **{coin: amount}).mark(BTC=50_000)
    account = account.trade(LINEAR, 6, 50_000).trade(replace(COIN, face=50_000), -4, 50_000)
    found = alike(account, walk(), {LINEAR: rate, COIN: -rate})
    assert 0 < np.mean(found.cross > 0) < 1


def test_more_paths_than_a_block():
    paths = walk(count=4_100, steps=6, volatility=6)
    account = Account(TENTH, USDT=15_000, BTC=1).mark(BTC=50_000).trade(LINEAR, 1, 50_000)
    found = outcomes(account, paths, {LINEAR: 0.01})
    wanted = survival(TENTH, [Position(LINEAR, 1, 50_000)], paths, {LINEAR: 0.01}, horizons=6)
    assert found.index.tolist() == list(range(4_100))
    assert found["cross USDT"].tolist() == wanted.liquidated_by(15_000, wanted.shared).tolist()
    assert (found["cross USDT"][4_000:] > 0).any() and (found["cross USDT"][2_000:4_000] > 0).any()
    worth = wanted.worth(15_000, wanted.shared) + paths.prices()["BTC"][-1]
    assert found.worth.tolist() == pytest.approx(worth.tolist(), rel=1e-12)
    coin = outcomes(Account(TENTH, BTC=1).mark(BTC=50_000).trade(COIN, 500, 50_000), paths)
    wanted = survival(TENTH, [Position(COIN, 500, 50_000)], paths)
    assert coin.worth.tolist() == pytest.approx(wanted.worth(1, wanted.shared).tolist(), rel=1e-12)
    multi = outcomes(Account(FULL, BTC=1).mark(BTC=50_000).trade(LINEAR, 4, 50_000), paths)
    wanted = survival(FULL, [Position(LINEAR, 4, 50_000)], paths, margin="BTC")
    worth = wanted.worth(1, "cross") * paths.prices()["BTC"][-1]
    assert multi.worth.tolist() == pytest.approx(worth.tolist(), rel=1e-9, abs=1e-6)


def test_an_idle_pool_is_worth_its_price():
    account = Account(TENTH, USDT=1_000, BTC=2).mark(BTC=100).trade(LINEAR, 1, 100, isolated=30)
    found = alike(account, given([90, 110], [70, 60]))
    assert found.worth.tolist() == pytest.approx([1_010 + 220, 970 + 120])


def test_marks_give_way_to_the_start():
    account = long().mark(**{"BTC": 300, "BTC-USDT": 10})
    found = alike(account, given([90, 100], [77, 130]))
    assert found.liquidated.tolist() == [-1, 1]


def test_an_earlier_liquidation_of_the_same_pool_is_not_counted():
    account = long().at(BTC=70).mark(BTC=100).trade(LINEAR, 1, 100, isolated=30)
    assert len(account.liquidations) == 1
    assert alike(account, given([90, 100], [77, 130])).liquidated.tolist() == [-1, 1]


def test_what_is_opened_again_ended_when_it_first_did():
    seen = []

    def again(now, step):
        seen.append(step)
        return now.mark(BTC=100).trade(LINEAR, 1, 100, isolated=30) if step == 1 else now

    found = outcomes(long(), given([70, 100, 70, 70, 70]), meanwhile=again)
    assert found.liquidated.tolist() == found["isolated BTC-USDT"].tolist() == [1]
    assert found.worth.tolist() == pytest.approx([940])
    assert seen == [1, 2, 3]  # then there is nothing open


# --------------------------------------------------------------------- reasons

CUT = replace(FULL, assets={"BTC": Asset(haircut=0.2), "USDT": Asset(), "USD": Asset()})


def by_pool(collateral, venue=FULL):
    return holding(Account(venue, USDT=1), Pool("USD", collateral, [Position(LINEAR, 1, 100)], venue, {}, "cross"))


REASONS = {
    "debt": (by_pool({"USDT": -5}), None, "'cross' owes USDT"),
    "interest": (
        by_pool({"USDT": 30}, replace(FULL, assets={"*": Asset(rate=0.1)})), {LINEAR: 0.1}, "or bears interest",
    ),
    "two currencies": (by_pool({"USDT": 30, "BTC": 1}), None, "'cross' holds USDT, BTC, not one currency"),
    "small debt": (by_pool({"USDT": 60, "BTC": -0.01}), None, "'cross' owes BTC"),
    "idle orders": (
        long(USDT=1_000, USDC=500).place_orders(5, "USDC"), None, "'cross USDC' holds margin for open orders",
    ),
    "orders": (long().place_orders(50, "USDT"), None, "'cross USDT' holds margin for open orders"),
    "bankruptcy": (long(replace(TENTH, fee=0.001, fee_at="bankruptcy")), None, "fee at the bankruptcy price"),
    "partial": (long(replace(TENTH, liquidation=process(partial="size"))), None, "part by part"),
    "position": (long(replace(TENTH, liquidation=process(scope="position"))), None, "part by part"),
    "surplus": (long(replace(TENTH, surplus_to=TRADER)), None, "returns what is left"),
    "account": (long(replace(TENTH, funding=Funding(charged_to="account"))), {LINEAR: 0.1}, "account pays the funding"),
    "haircut": (Account(CUT, BTC=1).mark(BTC=100).trade(LINEAR, 1, 100), None, "haircut on BTC"),
}  # fmt: skip


@pytest.mark.parametrize("which", REASONS)
def test_the_reason_is_said(which, capsys):
    account, rates, words = REASONS[which]
    paths = given([95, 60, 80], [100, 90, 85])
    found = outcomes(account, paths, rates)
    how = found.attrs["how"]
    assert how.startswith("step by step: ") and words in how
    said = capsys.readouterr().out
    assert said == f"S{how[1:]}.\n"
    assert found.equals(outcomes(account, paths, rates, nothing))


def test_what_the_venue_returns_by_hand():
    # closed at 70 with 100 of margin less 30; the fund would have kept it
    account = long(replace(TENTH, surplus_to=TRADER), 35)
    assert outcomes(account, given([70, 120])).worth.tolist() == pytest.approx([1_000 - 30])
    assert outcomes(long(margin=35), given([70, 120])).worth.tolist() == pytest.approx([965])


def test_funding_charged_to_the_account_is_a_reason_only_where_there_is_any():
    account = long(replace(TENTH, funding=Funding(charged_to="account")))
    assert alike(account, given([90, 100]), {LINEAR: 0.0}).worth.tolist() == pytest.approx([1_000])
    found = outcomes(account, given([95, 90]), {LINEAR: 0.1})  # it takes both payments, and the position lives
    assert found.liquidated.tolist() == [-1] and found.worth.tolist() == pytest.approx([1_000 - 10 - 18.5])


def test_funding_below_zero_bears_no_interest():
    paths = given([150, 150, 150], [300, 200, 100])
    found = alike(long(venues.TEACHING, 20), paths, {LINEAR: [0.3, 0, 0]})
    assert found.worth.tolist() == pytest.approx([1_000 + 50 - 45, 980])


# -------------------------------------------------------------------- refusals


@pytest.mark.parametrize("error, words, given_", [
    (TypeError, ["account", "Account"], {"account": "mine"}),
    (TypeError, ["paths", "Paths"], {"paths": {"BTC": [1, 2]}}),
    (TypeError, ["meanwhile", "5"], {"meanwhile": 5}),
    (TypeError, ["meanwhile must give an Account", "None"], {"meanwhile": lambda account, step: None}),
    (ValueError, ["something open"], {"account": Account(TENTH, USDT=5)}),
    (ValueError, ["paths must have a price of BTC", "ETH"], {"paths": Given({"ETH": 1}, given={"ETH": [1.0]})}),
    (TypeError, ["rates must be a mapping"], {"rates": 0.1}),
    (ValueError, ["rates must be of the book", "ETH-USDT"], {"rates": {ETHER: 0.1}}),
    (ValueError, ["rates of BTC-USDT", "2", "(3,)"], {"rates": {LINEAR: [0.1] * 3}}),
    (ValueError, ["rates of BTC-USDT", "nan"], {"rates": {LINEAR: [0.1, math.nan]}}),
    (ValueError, ["paths must be of indices and coins", "BTC-USDT"],
     {"paths": Given({"BTC": 100, "BTC-USDT": 100}, given={"BTC": [90.0], "BTC-USDT": [91.0]})}),
    (ValueError, ["paths must have a price of BTC", "they are of ETH"],
     {"account": Account(FULL, BTC=1).mark(BTC=40_000, ETH=50).trade(ETHER, 100, 50),
      "paths": Given({"ETH": 50}, given={"ETH": [45.0, 45]})}),
])  # fmt: skip
def test_what_cannot_be_meant_is_refused(error, words, given_):
    asked = {"account": long(), "paths": given([90, 100])} | given_
    refused(error, words, lambda: outcomes(**asked), asked["account"] if error is ValueError else None)


# ---------------------------------------------------- starts, idle coins, marks


def test_over_at_the_start():
    found = alike(long(), given([80, 80], [120, 130], start=70.0))
    assert found.liquidated.tolist() == [0, 0] and found.worth.tolist() == [970, 970]
    two = long().trade(ETHER, -2, 50, isolated=20)
    paths = Given({"BTC": 100, "ETH": 56}, given={"BTC": [70, 70.0], "ETH": [50, 50.0]})
    found = alike(two, paths)
    assert found.iloc[0].tolist() == [0, 1, 0, 950]
    line = Account(Venue("half", tiers={"*": Tiers.flat(0.5)}), USDT=150).mark(BTC=100).trade(LINEAR, 2, 100)
    assert alike(line, given([90, 90], start=50.0)).liquidated.tolist() == [0]
    full = Account(FULL, USDT=20).mark(BTC=100).trade(LINEAR, 1, 100)
    assert alike(full, given([90, 90], start=75.0)).cross.tolist() == [0]


def test_to_rounding_at_the_line():
    half = Venue("half", tiers={"*": Tiers.flat(0.5)})
    for margin in range(101, 198, 4):  # 2 from 100, of which half is required: at its line at 200 - margin
        account, end = Account(half, USDT=margin).mark(BTC=100).trade(LINEAR, 2, 100), 200.0 - margin
        found = alike(account, given([end, 150], [end * (1 + 1e-9), 150], [150, end]))
        assert found.liquidated.tolist() == [1, -1, 2]
    ends = [(100 - margin) / 0.9 for margin in range(11, 60, 3)]
    for margin, end in zip(range(11, 60, 3), ends, strict=True):
        assert outcomes(long(margin=margin), given([end, 150], [end * (1 + 1e-9), 150])).liquidated.tolist() == [1, -1]


def test_an_idle_coin_without_a_path_is_worth_its_mark():
    account = Account(TENTH, USDT=1_000, BTC=1).mark(BTC=40_000, ETH=50).trade(ETHER, 1, 50, isolated=20)
    paths = Given({"ETH": 50}, given={"ETH": [45.0, 45]})
    assert alike(account, paths).worth.tolist() == pytest.approx([1_000 - 5 + 40_000])


def test_a_stablecoin_that_is_marked():
    account = Account(TENTH, USDT=1_000, USDC=500).mark(BTC=100).trade(LINEAR, 1, 100, isolated=30)
    paths = given([90, 110], [70, 60])
    assert alike(account, paths).worth.tolist() == pytest.approx([1_510, 1_470])
    assert alike(account.mark(USDC=0.9), paths).worth.tolist() == pytest.approx([1_460, 1_420])
    assert alike(account.mark(USDT=0.9), paths).worth.tolist() == pytest.approx([500 + 909, 500 + 873])
    alone = Account(TENTH, USDT=1_000).mark(BTC=100, USDT=0.9).trade(LINEAR, 1, 100, isolated=30)
    assert alike(alone, paths).worth.tolist() == pytest.approx([1_010, 970])  # of one currency: in that one
    moves = Given({"BTC": 100, "USDC": 1}, given={"BTC": [90, 110.0], "USDC": [0.95, 0.8]})
    assert alike(account, moves).worth.tolist() == pytest.approx([1_410])


def test_interest_on_what_funding_left_owed():
    dear = replace(FULL, assets={"*": Asset(rate=0.1)}, interest=Interest(per=1), unrealised="beside")
    account = Account(dear, USDT=40).mark(BTC=100).trade(LINEAR, 1, 100)
    found = outcomes(account, given([300, 300, 300, 300]), {LINEAR: [0.5, 0, 0, 0]})
    assert found.attrs["how"].endswith("or bears interest")
    # 150 are paid, of which 110 are owed, three times 10 % on that
    assert found.worth.tolist() == pytest.approx([200 - 110 * 1.1**3])
    joined = replace(dear, unrealised="joined")  # 200 gained and 110 owed in one currency: nothing is owed
    account = Account(joined, USDT=40).mark(BTC=100).trade(LINEAR, 1, 100)
    assert outcomes(account, given([300, 300, 300, 300]), {LINEAR: [0.5, 0, 0, 0]}).worth.tolist() == pytest.approx(
        [90]
    )
    assert alike(account, given([300, 300])).worth.tolist() == pytest.approx([240])
    mild = Account(replace(dear, assets={"*": Asset(rate=0.01)}), USDT=40).mark(BTC=100).trade(LINEAR, 1, 100)
    found = outcomes(mild, given([300] * 4, hours=[1, 2, 3, 4]), {LINEAR: [0.5, 0, 0, 0]})
    assert found.worth.tolist() == pytest.approx([200 - 110 * 1.02 * 1.03 * 1.04])
