"""Schedules, interest and funding rules: maintenance in slices, periods, rates; and the door for other schedules."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marginlab import Funding, Interest, Perpetual, Pool, Position, Tiers, liquidation_price, venues
from marginlab.funding import premium
from tests.core.common import STEADY, near

SCHEDULES = [venues.BTCUSDT_2024_10, venues.BTCUSDT_2026_09, venues.BTCUSD_COIN_2020_06]
NAMED = pytest.mark.parametrize("schedule", SCHEDULES, ids=["2024-10", "2026-09", "coin"])
TWO = Tiers(((0, 0.005, 100), (1_000_000, 0.01, 50)))
PLAIN = Funding()  # Binance: 8 hours, interest 0.01 %, damper 0.05 %
CONTINUOUS = Funding(accrual="continuous")
KRAKEN, HYPERLIQUID = venues.KRAKEN_FUNDING, venues.HYPERLIQUID_FUNDING

# ------------------------------------------------------------------ schedules


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
    one = [schedule.maintenance(v) for v in sizes.tolist()]
    assert schedule.maintenance(sizes).tolist() == pytest.approx(one, rel=1e-15)
    assert schedule.tier(sizes).tolist() == [schedule.tier(v) for v in sizes.tolist()]
    assert schedule.max_leverage(sizes).tolist() == [schedule.max_leverage(v) for v in sizes.tolist()]


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


def test_schedules_with_the_same_rows_are_equal_and_cannot_be_changed():
    assert Tiers(((0, 0.004),)) == Tiers.flat(0.004) != Tiers.flat(0.005)
    assert Tiers.flat(0.004, leverage=100, cap=5.0, as_of="2024").cap == 5
    with pytest.raises(AttributeError):
        TWO.cap = 5


class Growing:
    """A rate of 1 % and so much more for each coin of notional (Deribit's shape): no `Tiers`."""

    basis, cap = "notional", inf

    def __init__(self, growth):
        self.growth = growth

    def maintenance(self, notional, quantity=None):
        return (0.01 + self.growth * notional) * notional

    def max_leverage(self, notional, quantity=None):
        return 50.0

    def initial(self, notional, leverage=None, quantity=None):
        return notional / (leverage or 50.0)


def growing(quantity, margin, growth):
    """An inverse position in contracts of 100 USD, entered at 50,000."""
    contract = Perpetual("BTC-USD", "BTC", "BTC", 100, Growing(growth))
    return Pool("BTC", {"BTC": margin}, [Position(contract, quantity, 50_000)], venues.TEACHING)


def test_any_schedule_that_rises_will_do():
    # V coins of notional: 55 - V = (0.01 + 0.00005 V) V
    pool = growing(25_000, 5, 0.00005)
    notional = ((1.01**2 + 0.011) ** 0.5 - 1.01) / 0.0001  # 54.309
    found = pool.liquidation()
    assert found.below.price == pytest.approx(2_500_000 / notional, rel=1e-12)
    assert found.below.tiers == {} and found.above.price is None
    contract = pool.positions[0].instrument
    alone = liquidation_price(venues.TEACHING, contract, 25_000, 50_000, 5)
    assert alone == pytest.approx(2_500_000 / notional, rel=1e-12)
    assert pool.requirement(kind="initial") == near(1)  # 50 coins at 50x
    # short 500,000 USD on 10: 10 - 10 + V = (0.01 + 0.2 V) V at V = 4.95
    assert growing(-5_000, 10, 0.2).liquidation().below.price == near(500_000 / 4.95)
    # a tiny one: 0.002 - V + 0.0002 = (0.01 + 0.00005 V) V, by its first two orders
    v = 0.0022 / 1.01
    price = 100 / (v - 5e-5 * v * v / 1.01)
    assert growing(1, 0.0002, 0.00005).liquidation().price == pytest.approx(price, rel=1e-12)


def test_a_schedule_that_no_price_bears():
    # short 500,000 USD (10 coins) on 1: 1 - 10 + V - (0.01 + 0.2 V) V is at most -7.775, at V = 2.475
    found = growing(-5_000, 1, 0.2).liquidation()
    assert found.breached and (found.below.price, found.above.price) == (None, None)
    assert "no lower price" in found.below.why and "no higher price" in found.above.why
    contract = Perpetual("BTC-USD", "BTC", "BTC", 100, Growing(0.2))
    assert liquidation_price(venues.TEACHING, contract, -5_000, 50_000, 1) == pytest.approx(nan, nan_ok=True)


# ------------------------------------------------------------------- interest


def test_interest_for_every_hour_that_was_started():
    # 0.024 % a day on 250,000 is 2.5 an hour; an hour and a half is two
    rule = Interest()
    assert rule.due(250_000, 0.00024, 1) == near(2.5) and rule.due(250_000, 0.00024, 1.5) == near(5)
    assert rule.due(250_000, 0.00024, 24) == near(60) and rule.due(250_000, 0.00024, 0) == 0
    assert rule.at_once(250_000, 0.00024) == 0


def test_interest_for_four_hour_periods_with_one_for_opening():
    # 0.02 % on 10,000: 2 at once, and 2 for each four hours started
    rule = venues.KRAKEN_SPOT.interest
    assert rule.at_once(10_000, 0.0002) == near(2)
    assert Interest(per=24, every=4, opening=2).at_once(10_000, 0.0006) == near(2)  # two sixths of a day
    assert [rule.due(10_000, 0.0002, h) for h in (0, 1, 4, 4.01, 9)] == [0, near(2), near(2), near(4), near(6)]


def test_interest_at_an_annual_rate():
    # 8.76 % of 10,000 are 876 for 8,760 hours
    rule = venues.OKX.interest
    assert rule.due(10_000, 0.0876, 24) == near(2.4) and rule.due(10_000, 0.0876, 0.5) == near(0.1)


def test_a_period_is_not_started_by_rounding():
    assert Interest(per=24, every=0.1).due(100, 0.24, 3 * 0.1) == near(0.3)  # 3 * 0.1 is more than 0.3
    assert Interest(per=24, every=0.1).due(100, 0.24, 0.31) == near(0.4)


# ---------------------------------------------------------------- the rate of funding


@pytest.mark.parametrize(
    ("index", "rate"),
    [
        (0.0, 0.0001),
        (0.0003, 0.0001),  # 0.0001 - 0.0003 is inside the band
        (0.0006, 0.0001),  # at its end
        (-0.0004, 0.0001),  # at its other end
        (0.0007, 0.0002),  # beyond: premium less damper
        (0.001, 0.0005),
        (-0.0005, 0.0),  # premium plus damper
        (-0.001, -0.0005),
    ],
)
def test_within_the_damper_the_rate_is_the_interest_and_beyond_it_follows_the_premium(index, rate):
    assert PLAIN.rate(index) == near(rate)


def test_without_a_damper_interest_is_added():
    assert Funding(damper=None).rate(0.002) == near(0.0021) and Funding(damper=None).rate(-0.0001) == 0
    assert venues.DYDX_V3_FUNDING.rate(0.0003) == near(0.0004)
    assert Funding(damper=0).rate(0.002) == near(0.002)  # a damper of 0 leaves the premium alone
    assert venues.OKX_FUNDING_2024.rate(-0.002) == near(-0.002)


def test_an_interval_shorter_than_the_time_a_premium_is_paid_in():
    assert HYPERLIQUID.rate(0.0) == near(0.0001 / 8) and HYPERLIQUID.rate(0.0015) == near(0.001 / 8)
    assert KRAKEN.rate(0.012) == near(0.0005) and KRAKEN.rate(-0.024) == near(-0.001)  # premium / 24
    assert Funding(interval=4).rate(0.0) == near(0.00005)
    assert Funding(interval=8, per=24, interest=0.0003).rate(0) == near(0.0001)


def test_caps_bound_the_rate_of_one_interval():
    assert Funding(cap=0.003).rate(0.01) == 0.003 and Funding(cap=0.003).rate(-0.01) == -0.003
    assert Funding(cap=0.003).rate(0.0034) == near(0.0029)
    lopsided = Funding(cap=0.003, floor=-0.001)
    assert lopsided.rate(0.01) == 0.003 and lopsided.rate(-0.01) == -0.001 and lopsided.rate(-0.001) == near(-0.0005)
    assert Funding(floor=0).rate(-0.01) == 0 and Funding(floor=0).rate(1) == near(0.9995)  # no cap
    # the cap is on what is paid in an hour: 0.0035 / 8 is below it, 0.0075 / 8 above
    hourly = Funding(interval=1, cap=0.0005)
    assert hourly.rate(0.004) == near(0.0035 / 8) and hourly.rate(0.008) == 0.0005
    assert KRAKEN.rate(0.12) == 0.0025 and KRAKEN.rate(-0.12) == -0.0025 and KRAKEN.rate(0.048) == near(0.002)
    assert venues.XBTUSD_FUNDING.rate(0.02) == 0.00375
    assert PLAIN.rate(0.5) == near(0.4995) and PLAIN.rate(-0.5) == near(-0.4995)  # none given: none


@pytest.mark.parametrize("rule", [PLAIN, KRAKEN, venues.DYDX_V3_FUNDING, Funding(cap=0.003, floor=-0.001)])
def test_an_array_is_its_numbers_one_by_one(rule):
    row = np.linspace(-0.1, 0.1, 41)
    found = rule.rate(row)
    assert found.shape == (41,) and found.tolist() == [rule.rate(float(p)) for p in row]
    assert type(rule.rate(0.001)) is float and type(rule.rate(np.float64(0.001))) is float
    assert rule.rate(row[:40].reshape(8, 5)).shape == (8, 5) and rule.rate([0.001]).tolist() == [rule.rate(0.001)]


def test_a_year():
    assert PLAIN.annual(0.0001) == near(0.1095)
    assert HYPERLIQUID.annual(0.0001 / 8) == near(0.1095)
    assert PLAIN.annual(-0.018264840182648401) == near(-20.0)  # -2,000 % a year is -1.826 % in 8 hours
    assert PLAIN.annual(np.array([0.0, 0.0001])).tolist() == [0, near(0.1095)]


# ----------------------------------------------------------- when it is paid


@pytest.mark.parametrize(
    ("start", "end", "timestamps"),
    [
        (1, 7.983, 0),  # 01:00 to 07:59 pays nothing
        (1, 8, 1),  # held at the timestamp
        (7.999, 8.001, 1),
        (8, 9, 0),  # opened at it
        (8, 16, 1),
        (0, 24, 3),
        (23, 25, 1),  # midnight
        (0, 0, 0),
        (8, 8, 0),
        (-1, 0, 1),
        (0, 8_760, 1_095),
    ],
)
def test_timestamps_count_from_after_the_start_up_to_the_end(start, end, timestamps):
    assert PLAIN.periods(start, end) == timestamps and type(PLAIN.periods(start, end)) is float
    assert CONTINUOUS.periods(start, end) == near((end - start) / 8)


def test_hours_of_the_day():
    assert PLAIN.times(0, 24).tolist() == [8, 16, 24]
    assert venues.XBTUSD_FUNDING.times(0, 24).tolist() == [4, 12, 20]
    assert venues.XBTUSD_FUNDING.periods(0, 3.9) == 0 and venues.XBTUSD_FUNDING.periods(0, 4) == 1
    assert Funding(first=20).times(0, 24).tolist() == [4, 12, 20]  # the same rhythm
    assert Funding(first=4).times(4, 28).tolist() == [12, 20, 28]
    assert Funding(interval=1).times(2, 5).tolist() == [3, 4, 5]
    assert PLAIN.times(1, 7).tolist() == []


def test_rounding_does_not_lose_a_timestamp():
    tenth = Funding(interval=0.1)  # 0.3 / 0.1 is 2.9999999999999996
    assert tenth.periods(0, 0.3) == 3 and tenth.periods(0.3, 0.4) == 1 and tenth.periods(0.2, 0.3) == 1
    assert tenth.times(0, 0.3).tolist() == [near(0.1), near(0.2), near(0.3)]


@STEADY
@given(
    st.lists(st.floats(-100, 5_000), min_size=3, max_size=3),
    st.sampled_from((0.1, 1, 4, 8, 7.3)),
    st.sampled_from((0, 4, 20.5)),
)
def test_splitting_a_time_changes_nothing(moments, interval, first):
    a, b, c = sorted(moments)
    snapshot = Funding(interval=interval, first=first)
    assert snapshot.periods(a, b) + snapshot.periods(b, c) == snapshot.periods(a, c)
    flowing = Funding(interval=interval, first=first, accrual="continuous")
    assert flowing.periods(a, b) + flowing.periods(b, c) == pytest.approx(flowing.periods(a, c), abs=1e-9)
    assert abs(snapshot.periods(a, c) - flowing.periods(a, c)) <= 1 + 1e-8


# ---------------------------------------------------------- the premium index


def test_between_the_impact_prices_there_is_no_premium():
    assert premium(50_000, 49_950, 50_050) == 0 and premium(50_000, 50_000, 50_000) == 0
    assert premium(50_000, 50_100, 50_200) == near(0.002)  # the bid is above
    assert premium(50_000, 49_800, 49_900) == near(-0.002)  # the ask is below


def test_with_one_price_it_is_the_basis():
    assert premium(50_000, 50_500) == near(0.01) and premium(50_000, 49_500) == near(-0.01)
    assert premium(40_000, 50_000) == near(0.25)  # a share of the index
    assert type(premium(50_000, 50_500)) is float


def test_premiums_of_arrays():
    index, bid, ask = (
        np.array([50_000.0, 50_000, 40_000]),
        np.array([50_100.0, 49_800, 39_990]),
        [50_200, 49_900, 40_010],
    )
    assert premium(index, bid, ask).tolist() == [near(0.002), near(-0.002), 0]
    assert premium(50_000, bid).tolist() == [premium(50_000, float(p)) for p in bid]
    assert premium(index, 45_000).tolist() == [near(-0.1), near(-0.1), near(0.125)]
