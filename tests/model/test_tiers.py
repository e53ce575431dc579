"""Maintenance schedules: published amounts, continuity, floors, leverage, growth."""

import numpy as np
import pytest

from marginlab import Tiers, venues

SCHEDULES = [venues.BTCUSDT_2024_10, venues.BTCUSDT_2026_09, venues.BTCUSD_COIN_2020_06]
NAMED = pytest.mark.parametrize("schedule", SCHEDULES, ids=["2024-10", "2026-09", "coin"])
# Maintenance amounts ("cum") as Binance publishes them; freqtrade binance_leverage_tiers.json@3d9514d and 2026.9.
OCT_2024 = (0, 50, 950, 11_450, 131_450, 481_450, 2_981_450, 14_481_450, 26_481_450, 41_481_450, 121_481_450,
            421_481_450)  # fmt: skip
SEP_2026 = (0, 300, 1_500, 12_000, 132_000, 482_000, 2_982_000, 14_482_000, 26_482_000, 41_482_000, 121_482_000,
            421_482_000)  # fmt: skip
TWO = Tiers(((0, 0.005, 100), (1_000_000, 0.01, 50)))


def test_amounts_are_those_that_binance_publishes():
    assert venues.BTCUSDT_2024_10.amounts == OCT_2024
    assert venues.BTCUSDT_2026_09.amounts == SEP_2026


def test_published_floors_rates_and_leverages_are_carried_over():
    old, new = venues.BTCUSDT_2024_10, venues.BTCUSDT_2026_09
    later = (3e6, 12e6, 70e6, 100e6, 230e6, 480e6, 600e6, 800e6, 1200e6)
    rates = (0.004, 0.005, 0.0065, 0.01, 0.02, 0.025, 0.05, 0.1, 0.125, 0.15, 0.25, 0.5)
    assert old.floors == (0, 50_000, 600_000, *later) and new.floors == (0, 300_000, 800_000, *later)
    assert old.rates == new.rates == rates
    assert old.leverages == (125, 100, 75, 50, 25, 20, 10, 5, 4, 3, 2, 1)
    assert new.leverages == (150, 100, 75, 50, 25, 20, 10, 5, 4, 3, 2, 1)
    assert old.cap == 1_800_000_000
    assert old.as_of == "2024-10-24" and new.as_of == "2026-09" and old.source and new.source


def test_coin_margined_amounts_are_those_of_the_faq():
    # tiers 4 and 5: 0.06 + 20*0.005... as Binance FAQ ceccfcfb4e3a45e3b48b0b1bb1a8ae46 prints, 0.56 and 1.81 BTC
    # by hand: 10*0.001 = 0.01; + 20*0.005 = 0.11; + 30*0.015 = 0.56; + 50*0.025 = 1.81
    assert venues.BTCUSD_COIN_2020_06.amounts == pytest.approx((0, 0.01, 0.11, 0.56, 1.81), rel=1e-14)


def test_maintenance_is_the_sum_of_slices():
    # 1,500,000 at 0.5 % up to a million, 1 % above: 5,000 + 5,000
    assert TWO.maintenance(1_500_000.0) == pytest.approx(10_000, rel=1e-15)
    # October 2024, 1,000,000: 50,000*0.4 % + 550,000*0.5 % + 400,000*0.65 % = 200 + 2,750 + 2,600
    assert venues.BTCUSDT_2024_10.maintenance(1_000_000.0) == pytest.approx(5_550, rel=1e-15)
    # five slices of 1,000 at 2, 2.5, 3, 3.5, 4 % (Bybit's teaching table): 3,500 needs 20 + 25 + 30 + 17.5
    steps = Tiers(tuple((1_000 * n, 0.02 + 0.005 * n) for n in range(5)))
    assert steps.maintenance(3_500.0) == pytest.approx(92.5, rel=1e-13)


@NAMED
def test_maintenance_is_continuous_at_every_boundary(schedule):
    below = 0.0
    for n, floor in enumerate(schedule.floors[1:], start=1):
        below += (floor - schedule.floors[n - 1]) * schedule.rates[n - 1]  # slices, added up here
        assert schedule.maintenance(floor) == pytest.approx(below, rel=1e-12)
        assert schedule.maintenance(np.nextafter(floor, 0)) == pytest.approx(below, rel=1e-12)


@NAMED
def test_a_floor_belongs_to_the_tier_that_it_opens(schedule):
    for n, floor in enumerate(schedule.floors):
        assert schedule.tier(floor) == n
        assert schedule.max_leverage(floor) == schedule.leverages[n]
        if n:
            assert schedule.tier(float(np.nextafter(floor, 0))) == n - 1
            assert schedule.max_leverage(float(np.nextafter(floor, 0))) == schedule.leverages[n - 1]


@NAMED
def test_arrays_give_what_each_number_gives(schedule):
    sizes = np.array([0.0, *schedule.floors, *(floor * 1.37 + 1 for floor in schedule.floors)])
    assert schedule.maintenance(sizes).tolist() == [schedule.maintenance(v) for v in sizes.tolist()]
    assert schedule.tier(sizes).tolist() == [schedule.tier(v) for v in sizes.tolist()]
    assert schedule.max_leverage(sizes).tolist() == [schedule.max_leverage(v) for v in sizes.tolist()]


@NAMED
def test_initial_margin_never_starts_below_maintenance(schedule):
    for n in range(len(schedule.floors)):
        assert 1 / schedule.leverages[n] >= schedule.rates[n]


def test_initial_margin_is_notional_over_leverage():
    assert TWO.initial(600_000.0, 20) == 30_000
    assert TWO.initial(600_000.0) == 6_000  # 100x, the most of the first tier
    assert TWO.initial(1_000_000.0) == 20_000  # the floor is in the second tier: 50x


def test_without_a_known_maximum_leverage_is_one_over_the_rate():
    assert Tiers.flat(0.005).max_leverage(1.0) == 200
    assert Tiers.flat(0.005, leverage=100).max_leverage(1.0) == 100


def test_a_bracket_charges_rate_times_size_less_amount_and_never_below_zero():
    shown = Tiers.bracket(0.01, 50.0)  # zero up to 5,000
    assert shown.maintenance(20_000.0) == pytest.approx(150, rel=1e-14)
    assert shown.maintenance(5_000.0) == pytest.approx(0, abs=1e-12)
    assert shown.maintenance(1_000.0) == 0
    assert Tiers.bracket(0.01).maintenance(20_000.0) == 200


def test_kraken_floors_count_contracts_and_not_notional():
    kraken = venues.KRAKEN.tiers["PI_XBTUSD"]
    # 600,000 contracts of 1 USD: 500,000 at 1 % and 100,000 at 2 % = 7,000 of 600,000 USD, at any price
    assert kraken.maintenance(12.0, 600_000.0) == pytest.approx(12 * 7_000 / 600_000, rel=1e-14)
    assert kraken.maintenance(60.0, 600_000.0) == pytest.approx(60 * 7_000 / 600_000, rel=1e-14)
    assert kraken.max_leverage(12.0, 499_999.0) == 50 and kraken.max_leverage(12.0, 500_000.0) == 25
    both = kraken.maintenance(np.array([12.0, 12.0]), np.array([600_000.0, 100.0]))
    assert both == pytest.approx([0.14, 0.12], rel=1e-14)


def test_a_growing_rate_adds_to_maintenance_and_to_initial_margin():
    # Deribit's linear BTC: 1 % + 0.005 % a coin; 100 coins: 1.5 % maintenance, 2 % + 0.5 % initial = 40x
    deribit = venues.DERIBIT.tiers["BTC-USDC"]
    assert deribit.maintenance(5_000_000.0, 100.0) == pytest.approx(75_000, rel=1e-14)
    assert deribit.initial(5_000_000.0, None, 100.0) == pytest.approx(125_000, rel=1e-14)
    # the same in coins of notional: (1 % + 0.005 % * 60) * 60 = 0.78 BTC
    assert Tiers(((0, 0.01, 50),)).maintenance(60.0) == pytest.approx(0.78, rel=1e-14)


def test_schedules_with_the_same_rows_are_equal_and_cannot_be_changed():
    assert Tiers(((0, 0.004),)) == Tiers.flat(0.004) != Tiers.flat(0.005)
    with pytest.raises(AttributeError):
        TWO.cap = 5
