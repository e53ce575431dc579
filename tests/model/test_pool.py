"""A pool's equity, requirement, slack, ratio and available margin, at a number and at arrays."""

import re

import numpy as np
import pytest

from marginlab import Perpetual, Pool, Position, Tiers, Venue, venues

INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
ETHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")


def ten_btc(margin=5.0, **more):
    return Pool("BTC", {"BTC": margin}, [Position(INVERSE, 25_000, 50_000)], venues.TEACHING, **more)


def two_markets(**more):
    long, short = Position(LINEAR, 1, 50_000), Position(ETHER, -10, 2_000)
    return Pool("USDT", {"USDT": 20_000}, [long, short], venues.TEACHING, **more)


def test_the_10_btc_trade_by_hand():
    # at 48,000: 50 - 2,500,000/48,000 = -2.083333; requirement 0.4 % of 52.083333 = 0.208333
    pool = ten_btc()
    assert pool.equity(BTC=48_000) == pytest.approx(5 - 2.0833333333333333, rel=1e-13)
    assert pool.requirement(BTC=48_000) == pytest.approx(0.20833333333333333, rel=1e-13)
    assert pool.slack(BTC=48_000) == pytest.approx(2.7083333333333333, rel=1e-13)
    assert pool.margin_ratio(BTC=48_000) == pytest.approx(14, rel=1e-12)  # 2.916667 / 0.208333


def test_a_pool_that_was_never_marked_stands_at_its_entry():
    assert ten_btc().equity() == 5 and ten_btc().marks["BTC"] == 50_000
    assert ten_btc(marks={"BTC": 48_000}).slack() == ten_btc().slack(BTC=48_000)


def test_initial_requirement_is_at_the_chosen_leverage_or_the_highest_allowed():
    # 50 BTC at 10x: 5; without a choice at 125x: 0.4
    assert ten_btc().requirement(kind="initial") == pytest.approx(0.4, rel=1e-14)
    chosen = Pool("BTC", {"BTC": 5.0}, [Position(INVERSE, 25_000, 50_000, leverage=10)], venues.TEACHING)
    assert chosen.requirement(kind="initial") == pytest.approx(5, rel=1e-14)
    assert chosen.requirement() == pytest.approx(0.2, rel=1e-14)  # maintenance does not ask for it


def test_withdrawable_leaves_out_unrealised_profit_and_takes_off_losses():
    # 20,000 less 50,000/125 and 20,000/125 = 19,440 at entry
    assert two_markets().withdrawable() == pytest.approx(20_000 - 400 - 160, rel=1e-14)
    # BTC at 60,000: profit 10,000 stays in, initial margin 480
    assert two_markets().withdrawable(BTC=60_000) == pytest.approx(20_000 - 480 - 160, rel=1e-14)
    # BTC at 45,000: loss 5,000 counts, initial margin 360
    assert two_markets().withdrawable(BTC=45_000) == pytest.approx(15_000 - 360 - 160, rel=1e-14)


def test_positions_add_up_whatever_their_index():
    # BTC +2,000; ETH short 10 from 2,000 at 2,100: -1,000; requirement 0.4 % of 52,000 + 21,000
    at = {"BTC": 52_000, "ETH": 2_100}
    assert two_markets().equity(at) == pytest.approx(21_000, rel=1e-14)
    assert two_markets().requirement(at) == pytest.approx(292, rel=1e-14)


def test_an_index_moves_contract_collateral_and_debt_together():
    # valued in USDT: 2 BTC, a debt of 30,000 USDT, short 1 BTC from 50,000; at 40,000: 80,000 - 30,000 + 10,000
    pool = Pool("USDT", {"BTC": 2, "USDT": -30_000}, [Position(LINEAR, -1, 50_000)], venues.TEACHING)
    assert pool.equity(BTC=40_000) == pytest.approx(60_000, rel=1e-14)
    assert pool.requirement(BTC=40_000) == pytest.approx(160, rel=1e-14)


def test_inverse_profit_in_a_usdt_pool_is_changed_at_the_index():
    # 100 contracts of 100 USD from 50,000, at 40,000: 0.2 - 0.25 = -0.05 BTC = -2,000 USDT; 0.4 % of 10,000 = 40
    pool = Pool("USDT", {"USDT": 5_000}, [Position(INVERSE, 100, 50_000)], venues.TEACHING)
    assert pool.equity(BTC=40_000) == pytest.approx(3_000, rel=1e-13)
    assert pool.requirement(BTC=40_000) == pytest.approx(40, rel=1e-13)


def test_linear_profit_in_a_btc_pool_is_changed_at_the_index():
    # short 1 from 50,000 at 40,000: +10,000 USDT = 0.25 BTC on 1 BTC; 0.4 % of 40,000 = 160 USDT = 0.004 BTC
    pool = Pool("BTC", {"BTC": 1}, [Position(LINEAR, -1, 50_000)], venues.TEACHING)
    assert pool.equity(BTC=40_000) == pytest.approx(1.25, rel=1e-14)
    assert pool.requirement(BTC=40_000) == pytest.approx(0.004, rel=1e-14)


def test_a_stablecoin_can_lose_its_peg():
    # 5,000 USDT at 0.9 in a pool counted in USD
    pool = Pool("USD", {"USDT": 5_000}, [], venues.TEACHING)
    assert pool.equity() == 5_000 and pool.equity(USDT=0.9) == pytest.approx(4_500, rel=1e-15)


def test_a_contracts_own_mark_overrides_its_index_until_the_index_moves():
    pool = two_markets(marks={"BTC": 50_000, "BTC-USDT": 49_000, "ETH": 2_000})
    assert pool.equity() == pytest.approx(19_000, rel=1e-14)
    assert pool.equity(BTC=51_000) == pytest.approx(21_000, rel=1e-14)  # the index moves all its contracts
    assert pool.equity({"BTC": 51_000, "BTC-USDT": 50_500}) == pytest.approx(20_500, rel=1e-14)
    assert pool.equity(ETH=2_100) == pytest.approx(18_000, rel=1e-14)  # another index leaves it


def test_arrays_of_two_prices_broadcast_to_a_grid():
    btc, eth = np.array([40_000.0, 50_000.0, 61_000.0]), np.array([[1_900.0], [2_500.0]])
    pool = two_markets()
    for method in (pool.equity, pool.requirement, pool.slack, pool.margin_ratio, pool.available):
        grid = method(BTC=btc, ETH=eth)
        assert grid.shape == (2, 3)
        one = [[method(BTC=b, ETH=e) for b in btc.tolist()] for e in eth.ravel().tolist()]
        assert grid == pytest.approx(np.array(one), rel=1e-14)


def test_margin_ratio_broadcasts_where_only_the_collateral_moves_with_a_price():
    pool = Pool("USDT", {"USDT": 5_000, "ETH": 1}, [Position(LINEAR, 1, 50_000)], venues.TEACHING)
    # equity 5,000 + 2,000 (or 3,000) at entry, requirement 200
    grid = pool.margin_ratio(BTC=np.array([50_000.0, 50_000.0, 50_000.0]), ETH=np.array([[2_000.0], [3_000.0]]))
    assert grid == pytest.approx(np.array([[35.0] * 3, [40.0] * 3]), rel=1e-14)


def test_margin_ratio_is_infinite_where_nothing_is_required():
    assert Pool("BTC", {"BTC": 1}, [], venues.TEACHING).margin_ratio() == np.inf
    free = Venue("free below 5,000", tiers={"*": Tiers.bracket(0.01, 50.0)})
    pool = Pool("USDT", {"USDT": 100}, [Position(LINEAR, 0.1, 50_000)], free)
    # at 40,000 nothing is required; at 60,000: 60 - 50 = 10 against 100 + 1,000
    assert pool.margin_ratio(BTC=np.array([40_000.0, 60_000.0])) == pytest.approx([np.inf, 110], rel=1e-12)


@pytest.mark.parametrize(
    "venue, expected",
    [
        (Venue("A"), 0.005 * 9_500),  # charged at the price: 47.5
        (Venue("B", maintenance_at="entry"), 0.005 * 10_000),  # at the entry, whatever the price: 50
        (Venue("fee at price", fee=0.0005, fee_at="price"), 0.0055 * 9_500),  # 52.25
        (Venue("fee at bankruptcy", fee=0.0006, fee_at="bankruptcy"), 47.5 + 0.0006 * 9_000),  # 52.9
        (Venue("of initial margin", rates_of="initial margin"), 4.75),  # 0.5 % of the 950 that 10x sets aside
    ],
    ids=lambda v: v.name if isinstance(v, Venue) else "",
)
def test_requirement_under_each_rule(venue, expected):
    contract = Perpetual("BTC-USDT", "BTC", "USDT", tiers=Tiers.flat(0.005))
    pool = Pool("USDT", {"USDT": 1_000}, [Position(contract, 1, 10_000, leverage=10)], venue)
    assert pool.requirement(BTC=9_500) == pytest.approx(expected, rel=1e-13)


def test_initial_margin_holds_the_fee_at_bankruptcy_where_the_venue_adds_it():
    # Bybit: V/L + q*bust*fee = 1,000 + 9,000 * 0.06 %
    contract = Perpetual("BTC-USDT", "BTC", "USDT", tiers=Tiers.flat(0.005))
    pool = Pool("USDT", {"USDT": 1_010}, [Position(contract, 1, 10_000, leverage=10)], venues.BYBIT_UTA)
    assert pool.requirement(kind="initial") == pytest.approx(1_005.4, rel=1e-13)


def test_a_pool_shows_its_figures_and_no_address():
    pool = ten_btc(marks={"BTC": 48_000}, name="isolated BTC-USD")
    for shown in (repr(pool), pool._repr_html_()):
        for figure in ("isolated BTC-USD", "teaching", "5 BTC", "long 25,000 contracts from 50,000", "2.917 BTC",
                       "0.2083 BTC", "14", "45,636"):  # fmt: skip
            assert figure in shown
        assert not re.search(r"0x[0-9a-f]{6}| object at ", shown)


def test_a_pool_shows_itself_even_if_a_price_is_missing():
    pool = Pool("USDT", {"USDT": 5_000, "ETH": 1}, [Position(LINEAR, 1, 50_000)], venues.TEACHING)
    for shown in (repr(pool), pool._repr_html_()):
        assert "ETH" in shown and "long 1 contracts from 50,000" in shown


def test_pools_cannot_be_changed():
    pool = ten_btc()
    with pytest.raises(AttributeError):
        pool.currency = "USDT"
    with pytest.raises(TypeError):
        pool.collateral["BTC"] = 7
    with pytest.raises(TypeError):
        pool.marks["BTC"] = 7
    assert pool.adding(2).collateral["BTC"] == 7 and pool.collateral["BTC"] == 5
