"""Two accounts side by side, surfaces of slack, and how debts and haircuts show themselves and survive a pickle."""

import copy
import pickle
import re

import numpy as np
import pytest

from marginlab import Account, Perpetual, Pool, Spot, compare, surface, venues

LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
ETHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")
PAIR = Spot("BTC/USDT")
TWO = Account(venues.TEACHING, BTC=2).mark(BTC=50_000)
LONG = TWO.trade(PAIR, 5, 50_000, borrow="USDT")
WALLED = TWO.trade(PAIR, 5, 50_000, borrow="USDT", isolated=1)
MULTI = Account(venues.TEACHING_MULTI, BTC=2, ETH=10).mark(BTC=50_000, ETH=2_000)
HELD = MULTI.trade(LINEAR, 1, 50_000, leverage=10).trade(PAIR, 1, 50_000, borrow="USDT")


def near(value):
    return pytest.approx(value, rel=1e-12)


def test_compare_has_a_row_for_every_figure_of_a_debt():
    table = compare(TWO, LONG).loc["cross BTC"]
    assert table.loc["balance, BTC"].tolist() == [2, 7, 5]
    assert table.loc["balance, USDT"].tolist() == [0, -250_000, -250_000]  # none before: 0
    assert table.loc["equity"].tolist() == [2, 2, 0]
    assert table.loc["requirement"].tolist() == [0, near(0.25), near(0.25)]
    assert table.loc["slack"].tolist() == [2, near(1.75), near(-0.25)]
    assert table.loc["initial margin"].tolist() == [0, near(0.5), near(0.5)]
    assert table.loc["available"].tolist() == [2, near(1.5), near(-0.5)]
    assert table.loc["withdrawable, BTC"].tolist() == [2, near(1.5), near(-0.5)]
    assert table.loc["liquidation price below, BTC"].tolist() == ["none: no position or debt", near(37_500), ""]
    assert table.loc["liquidation price above, BTC", "after"] == "none: a rise is a gain here"
    assert "withdrawable, USDT" not in table.index  # nothing of it is there


def test_compare_has_every_price_of_a_pool_with_debts_only():
    table = compare(WALLED, WALLED.transfer(0.5, "BTC", to=PAIR)).loc["isolated BTC/USDT"]
    row = table.loc["liquidation price below, BTC"]
    assert row.tolist() == [near(43_750), near(262_500 / 6.5), near(262_500 / 6.5 - 43_750)]
    gone = compare(WALLED, WALLED.trade(PAIR, -6, 50_000))
    assert gone.loc[("isolated BTC/USDT", "equity")].tolist() == [1, "no such pool", ""]
    assert gone.loc[("cross USDT", "balance, USDT")].tolist() == ["no such pool", 50_000, ""]


def test_compare_of_several_currencies_and_prices():
    table = compare(MULTI, HELD).loc["cross"]
    assert table.loc["balance, ETH"].tolist() == [10, 10, 0]
    assert table.loc["withdrawable, ETH"].tolist() == [10, 10, 0]
    # 118,000 - 10,000 in dollars: 135,000 + 18,000 - 50,000 = 103,000 less 5,000 and 5,000
    assert table.loc["available"].tolist() == [near(108_000), near(93_000), near(-15_000)]
    below = table.loc["liquidation price below, BTC", "after"]  # 2.7 P + 18,000 - 52,500 + P - 50,000 = 0.004 P
    assert below == near(84_500 / 3.696)
    assert "margin covers" in table.loc["liquidation price below, ETH", "after"]


def test_a_surface_is_slack_over_two_prices():
    frame = surface(HELD.cross, BTC=[20_000, 50_000], ETH=np.array([1_000.0, 2_000.0, 4_000.0]))
    assert frame.shape == (2, 3) and (frame.index.name, frame.columns.name) == ("BTC", "ETH")
    assert frame.index.tolist() == [20_000, 50_000] and frame.columns.tolist() == [1_000, 2_000, 4_000]
    # 2.7 * 20,000 + 0.9 * 10,000 - 52,500 - 30,000 - 80; at the marks 135,000 + 18,000 - 52,500 - 200
    assert frame.loc[20_000, 1_000] == near(-19_580) and frame.loc[50_000, 2_000] == near(100_300)
    assert surface(HELD.cross, ETH=[2_000.0], BTC=[50_000.0]).loc[2_000, 50_000] == near(100_300)
    with pytest.raises(ValueError, match="two indices"):
        surface(HELD.cross, BTC=[50_000.0])
    with pytest.raises(ValueError, match="not none"):
        surface(HELD.cross)
    with pytest.raises(ValueError, match="nothing in the pool 'cross' follows 'SOL'"):
        surface(HELD.cross, BTC=[50_000.0], SOL=[100.0])
    with pytest.raises(ValueError, match=r"price of ETH must be finite and above 0 throughout, not -1\.0"):
        surface(HELD.cross, BTC=[50_000.0], ETH=[2_000.0, -1.0])


def test_pools_and_accounts_with_debts_survive_a_pickle_and_a_deep_copy():
    for account in (LONG, WALLED, HELD):
        for pool in account.pools:
            pool.slack()
            assert pool.indices is not None and pool.names  # what is kept must not be in the way
        for twin in (pickle.loads(pickle.dumps(account)), copy.deepcopy(account)):
            assert repr(twin) == repr(account) and twin.events == account.events
            assert twin.accrue(24).balances() == account.accrue(24).balances()
            for one, other in zip(twin.pools, account.pools, strict=True):
                assert (one.slack(), one.holdings, one.worth()) == (other.slack(), other.holdings, other.worth())
                assert one.indices == other.indices
    side = LONG.cross.liquidation().below
    assert pickle.loads(pickle.dumps(side)).why == side.why


@pytest.mark.parametrize(
    "account, figures",
    [
        (LONG, ("7 BTC", "debts", "250,000 USDT", "0.25 BTC", "margin ratio", "liquidation, BTC", "below 37,500")),
        (WALLED, ("cross BTC", "1 BTC", "isolated BTC/USDT", "6 BTC", "250,000 USDT", "43,750")),
        (HELD, ("3 BTC + 10 ETH", "50,000 USDT", "worth at full price", "120,000 USD", "103,000 USD", "22,863",
                "liquidation, ETH", "below none, above none", "long 1 contracts from 50,000")),
    ],
    ids=["cross", "isolated", "multi"],
)  # fmt: skip
def test_accounts_show_their_debts(account, figures):
    for shown in (repr(account), account._repr_html_()):
        for figure in figures:
            assert figure in shown
        assert not re.search(r"0x[0-9a-f]{6}| object at |-250,000|-50,000", shown)
    assert "worth" not in repr(TWO)  # where it is what equity is


def test_a_pool_without_anything_to_liquidate_shows_no_requirement():
    assert "requirement" not in repr(TWO) and "debts" not in repr(TWO)
    empty = Pool("BTC", {"BTC": 0, "USDT": 0}, (), venues.TEACHING, {"BTC": 50_000})
    assert "nothing" in repr(empty) and not empty.open
