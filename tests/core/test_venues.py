"""Venue records: what was published is what is there, each with its source."""

import pytest

from marginlab import (
    Funding,
    Liquidation,
    Tiers,
    Venue,
    cancel_orders,
    close_all,
    close_share,
    step_down,
    take_over,
    venues,
)

# Maintenance amounts ("cum") as Binance publishes them; freqtrade binance_leverage_tiers.json@3d9514d and 2026.9.
OCT_2024 = (0, 50, 950, 11_450, 131_450, 481_450, 2_981_450, 14_481_450, 26_481_450, 41_481_450, 121_481_450,
            421_481_450)  # fmt: skip
SEP_2026 = (0, 300, 1_500, 12_000, 132_000, 482_000, 2_982_000, 14_482_000, 26_482_000, 41_482_000, 121_482_000,
            421_482_000)  # fmt: skip


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


@pytest.mark.parametrize("schedule", [s for s in venues.TIERS.values()], ids=list(venues.TIERS))
def test_initial_margin_never_starts_below_maintenance(schedule):
    for n in range(len(schedule.floors)):
        assert 1 / schedule.leverages[n] >= schedule.rates[n]


def test_published_rules_of_currencies():
    okb, usdt = venues.OKX_MULTI.asset("OKB"), venues.OKX_MULTI.asset("USDT")
    assert okb.haircut == Tiers.flat(0.1) and usdt.haircut == Tiers.flat(0) and usdt.loan is None
    # Binance's 3x is what is held over the trader's own: initial margin borrowed / (3 - 1)
    assert venues.BINANCE_PORTFOLIO.asset("DOGE").loan == Tiers.flat(0.10, leverage=2)
    assert venues.TEACHING.asset("BTC").haircut.rates == (0,)
    assert venues.TEACHING_MULTI.asset("BTC").haircut.rates == (0.1,)


def test_the_rules_of_the_venues():
    assert venues.BITMEX.funding is venues.XBTUSD_FUNDING and venues.OKX_MULTI.funding is venues.OKX_FUNDING_2024
    assert venues.KRAKEN.funding is venues.KRAKEN_FUNDING
    for venue in (venues.BYBIT_CLASSIC, venues.BYBIT_CLASSIC_CROSS, venues.BYBIT_UTA):
        assert venue.funding == Funding(charged_to="account")
    assert venues.BINANCE_2024_10.funding == venues.TEACHING.funding == Funding()
    assert [rule.valued_at for rule in (venues.KRAKEN_FUNDING, venues.DYDX_V3_FUNDING, Funding())] == [
        "index",
        "index",
        "mark",
    ]


def test_every_record_says_where_it_is_from():
    for name, venue in venues.VENUES.items():
        assert isinstance(venue, Venue) and venue is getattr(venues, name)
        assert venue.name and venue.source
        for schedule in venue.tiers.values():
            assert schedule.source or name.startswith("TEACHING")
    for name, rule in venues.FUNDING.items():
        assert isinstance(rule, Funding) and rule is getattr(venues, name)


def test_a_record_that_is_like_another_has_the_rest_of_it():
    multi, one = venues.TEACHING_MULTI, venues.TEACHING
    assert multi.tiers == one.tiers and multi.name != one.name
    assert (multi.hedge_mode, multi.both_modes) == (True, True)
    assert (one.hedge_mode, one.both_modes) == (False, False)
    assert venues.OKX_MULTI.fee == venues.OKX.fee == 0.0005


def test_processes_are_steps_in_their_order():
    down = Liquidation(cancel_orders, step_down(tiers=1), close_all)
    for venue in (venues.GATE, venues.BITMEX, venues.TEACHING_STEPS):
        assert venue.liquidation == down
    okx = Liquidation(cancel_orders, step_down(tiers=2, least=3), close_all)
    assert venues.OKX.liquidation == venues.OKX_MULTI.liquidation == okx != down
    steps = (take_over(2 / 3), close_share(share=0.2, above=100_000))
    assert venues.HYPERLIQUID.liquidation == Liquidation(cancel_orders, *steps, close_all)
    assert venues.TEACHING.liquidation == venues.BINANCE_2026_09.liquidation == Liquidation()


@pytest.mark.parametrize("name, fee_at, fee, maintenance_at", [
    ("BINANCE_2026_09", "none", 0, "price"), ("OKX", "price", 0.0005, "price"), ("GATE", "price", 0.00075, "price"),
    ("BITGET", "price", 0.0006, "mark"), ("BYBIT_UTA", "bankruptcy", 0.0006, "price"),
    ("BYBIT_CLASSIC_CROSS", "bankruptcy", 0.00075, "entry"), ("BITMEX", "none", 0, "entry"),
])  # fmt: skip
def test_conventions(name, fee_at, fee, maintenance_at):
    venue = getattr(venues, name)
    assert (venue.fee_at, venue.fee, venue.maintenance_at) == (fee_at, fee, maintenance_at)
