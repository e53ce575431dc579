"""Funding rates by hand: the damper's clamp, interval and caps, what counts as a payment, and the premium index."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marginlab import Funding, venues
from marginlab.funding import premium
from tests.model.refusal import refused

STEADY = settings(deadline=None, derandomize=True, database=None, max_examples=150)
PLAIN = Funding()  # Binance: 8 hours, interest 0.01 %, damper 0.05 %
CONTINUOUS = Funding(accrual="continuous")
KRAKEN, HYPERLIQUID = venues.KRAKEN_FUNDING, venues.HYPERLIQUID_FUNDING
premiums = st.floats(-0.05, 0.05)
hours = st.floats(-100, 5_000)


def near(value):
    return pytest.approx(value, rel=1e-12, abs=1e-18)


# ------------------------------------------------------------------- the rate


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


@STEADY
@given(premiums, st.floats(0, 0.002), st.floats(-0.001, 0.001))
def test_the_clamp_in_three_pieces(index, damper, interest):
    rate = Funding(damper=damper, interest=interest).rate(index)
    if index > interest + damper:
        assert rate == pytest.approx(index - damper, abs=1e-16)
    elif index < interest - damper:
        assert rate == pytest.approx(index + damper, abs=1e-16)
    else:
        assert rate == pytest.approx(interest, abs=1e-16)


@STEADY
@given(premiums)
def test_a_dead_band_is_the_clamp_without_interest(index):
    # bit.com, article 360051992953
    want = max(0.0005, index) + min(-0.0005, index)
    assert Funding(interest=0).rate(index) == pytest.approx(want, abs=1e-16)
    assert venues.BITCOM_FUNDING.rate(index) == pytest.approx(max(-0.005, min(0.005, want)), abs=1e-16)
    # Deribit, article 31424939178397: half as wide
    want = max(0.00025, index) + min(-0.00025, index)
    assert venues.DERIBIT_FUNDING.rate(index) == pytest.approx(want, abs=1e-16)


@STEADY
@given(premiums, premiums)
def test_a_larger_premium_is_never_a_smaller_rate(one, other):
    low, high = sorted((one, other))
    for rule in (PLAIN, KRAKEN, HYPERLIQUID, venues.XBTUSD_FUNDING, venues.DYDX_V3_FUNDING):
        assert rule.rate(low) <= rule.rate(high)


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


def test_the_rules_of_the_venues():
    assert venues.BITMEX.funding is venues.XBTUSD_FUNDING and venues.OKX_MULTI.funding is venues.OKX_FUNDING_2024
    assert venues.KRAKEN.funding is KRAKEN and venues.DERIBIT.funding is venues.DERIBIT_FUNDING
    for venue in (venues.BYBIT_CLASSIC, venues.BYBIT_CLASSIC_CROSS, venues.BYBIT_UTA):
        assert venue.funding == Funding(charged_to="account")
    assert venues.BINANCE_2024_10.funding == venues.TEACHING.funding == PLAIN
    assert [rule.valued_at for rule in (KRAKEN, venues.DYDX_V3_FUNDING, PLAIN)] == ["index", "index", "mark"]


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


def test_where_it_accrues_every_moment_counts():
    assert CONTINUOUS.periods(1, 7.983) == near(6.983 / 8) and KRAKEN.periods(0.25, 2) == near(1.75)


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
@given(hours, hours, hours, st.sampled_from((0.1, 1, 4, 8, 7.3)), st.sampled_from((0, 4, 20.5)))
def test_splitting_a_time_changes_nothing(a, b, c, interval, first):
    a, b, c = sorted((a, b, c))
    snapshot = Funding(interval=interval, first=first)
    assert snapshot.periods(a, b) + snapshot.periods(b, c) == snapshot.periods(a, c)
    flowing = Funding(interval=interval, first=first, accrual="continuous")
    assert flowing.periods(a, b) + flowing.periods(b, c) == pytest.approx(flowing.periods(a, c), abs=1e-9)
    assert abs(snapshot.periods(a, c) - flowing.periods(a, c)) <= 1 + 1e-8


@STEADY
@given(st.floats(-50, 300), st.floats(0, 100), st.sampled_from((0.1, 1, 8, 7.3)), st.sampled_from((0, 4, 20.5)))
def test_there_are_as_many_timestamps_as_periods(start, length, interval, first):
    rule = Funding(interval=interval, first=first)
    found = rule.times(start, start + length)
    assert len(found) == rule.periods(start, start + length)
    assert np.all(found > start - 1e-8) and np.all(found <= start + length + 1e-8)
    assert np.allclose(np.diff(found), interval)
    steps = (found - first) / interval
    assert np.allclose(steps, np.round(steps), atol=1e-6)


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


# ------------------------------------------------------------------- refusals


BAD = [(nan, "nan", ValueError), (inf, "inf", ValueError), ("8", "'8'", TypeError), (True, "True", TypeError)]


@pytest.mark.parametrize(("value", "shown", "error"), BAD)
def test_what_must_be_a_finite_number(value, shown, error):
    refused(error, ["interval must be a finite number above 0", shown], lambda: Funding(interval=value))
    refused(error, ["per must be a finite number above 0", shown], lambda: Funding(per=value))
    refused(error, ["interest must be a finite number", shown], lambda: Funding(interest=value))
    refused(error, ["first must be a finite number", shown], lambda: Funding(first=value))
    refused(error, ["damper must be a finite number of at least 0", shown], lambda: Funding(damper=value))
    refused(error, ["premium must be a finite number", shown], lambda: PLAIN.rate(value))
    refused(error, ["start must be a finite number", shown], lambda: PLAIN.periods(value, 8))
    refused(error, ["end must be a finite number of at least 0", shown], lambda: PLAIN.periods(0, value))
    refused(error, ["start must be a finite number", shown], lambda: PLAIN.times(value, 8))
    refused(error, ["end must be a finite number of at least 0", shown], lambda: PLAIN.times(0, value))
    refused(error, ["index must be a finite number above 0", shown], lambda: premium(value, 1))
    refused(error, ["bid must be a finite number above 0", shown], lambda: premium(1, value))
    refused(error, ["ask must be a finite number above 0", shown], lambda: premium(1, 1, value))


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
    refused(ValueError, ["end", "at least 5", "3"], lambda: PLAIN.periods(5, 3))
    refused(ValueError, ["end", "at least 5", "3"], lambda: CONTINUOUS.periods(5, 3))
    refused(ValueError, ["end", "at least 5", "3"], lambda: PLAIN.times(5, 3))
    refused(ValueError, ["accrual='continuous' has no timestamps", "periods"], lambda: CONTINUOUS.times(0, 8))
    assert Funding(cap=0.001, floor=0.001).rate(0) == 0.001


def test_what_is_no_premium_and_no_price():
    refused(ValueError, ["premium must be finite throughout", "nan"], lambda: PLAIN.rate([0.1, nan]))
    refused(ValueError, ["premium must be finite throughout", "inf"], lambda: PLAIN.rate(np.array([0.1, -inf])))
    refused(TypeError, ["premium must be numbers", "<U1"], lambda: PLAIN.rate(["a"]))
    refused(ValueError, ["ask must be at least the bid 50100", "50000"], lambda: premium(50_000, 50_100, 50_000))
    refused(ValueError, ["ask must be at least the bid"], lambda: premium(50_000, np.array([1.0, 3.0]), 2.0))
    refused(ValueError, ["bid must be finite and above 0", "0.0"], lambda: premium(50_000, np.array([1.0, 0.0])))
    refused(ValueError, ["index", "above 0", "0"], lambda: premium(0, 1))


@pytest.mark.parametrize("value", ["0.01", True, [0.01]])
def test_bounds_must_be_numbers(value):
    refused(TypeError, ["cap must be", repr(value)], lambda: Funding(cap=value))
    refused(TypeError, ["floor must be", repr(value)], lambda: Funding(floor=value))
