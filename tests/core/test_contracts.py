"""Contracts and positions: notional, profit and loss, average entry, fills."""

import pytest

from marginlab import Perpetual, Position, Tiers

INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT", face=0.01)
BOTH = pytest.mark.parametrize("contract", [INVERSE, LINEAR])


def test_linear_notional_and_pnl_are_coins_times_price():
    # 300 contracts of 0.01 coins are 3 coins: 150,000 at 50,000; up 2,000 gains 6,000
    assert LINEAR.notional(300, 50_000) == pytest.approx(150_000, rel=1e-15)
    assert LINEAR.pnl(300, 50_000, 52_000) == pytest.approx(6_000, rel=1e-15)


def test_inverse_notional_and_pnl_are_counted_in_coins():
    # 25,000 contracts of 100 USD are 2.5 million USD: 50 BTC at 50,000 and 56.818... BTC at 44,000
    assert INVERSE.notional(25_000, 50_000) == pytest.approx(50, rel=1e-15)
    assert INVERSE.pnl(25_000, 50_000, 44_000) == pytest.approx(50 - 2_500_000 / 44_000, rel=1e-13)
    # up to 62,500 they are 40 BTC: 10 are gained
    assert INVERSE.pnl(25_000, 50_000, 62_500) == pytest.approx(10, rel=1e-14)


@BOTH
def test_a_short_gains_what_a_long_loses(contract):
    for price in (31_000.0, 50_000.0, 77_000.0):
        assert contract.pnl(-7, 50_000, price) == -contract.pnl(7, 50_000, price)
        assert contract.notional(-7, price) == -contract.notional(7, price)
    assert contract.pnl(7, 50_000, 50_000) == 0
    assert contract.pnl(-7, 50_000, 60_000) < 0 < contract.pnl(7, 50_000, 60_000)


def test_linear_average_entry_is_the_mean_by_coins():
    # 1 at 40,000 and 3 at 60,000: (40 + 180) / 4 thousand
    assert LINEAR.average_entry(1, 40_000, 3, 60_000) == pytest.approx(55_000, rel=1e-15)


def test_inverse_average_entry_is_harmonic():
    # as many contracts at 40,000 as at 60,000: 2 / (1/40,000 + 1/60,000) = 48,000, not 50,000
    assert INVERSE.average_entry(5, 40_000, 5, 60_000) == pytest.approx(48_000, rel=1e-15)
    # 1 and 3: 4 / (1/40,000 + 3/60,000) = 4 * 40,000 / 3
    assert INVERSE.average_entry(-1, 40_000, -3, 60_000) == pytest.approx(160_000 / 3, rel=1e-15)


@BOTH
def test_an_average_entry_keeps_the_profit_of_its_parts(contract):
    entry = contract.average_entry(2, 40_000, 5, 61_000)
    for price in (20_000.0, 90_000.0):
        parts = contract.pnl(2, 40_000, price) + contract.pnl(5, 61_000, price)
        assert contract.pnl(7, entry, price) == pytest.approx(parts, rel=1e-12)


def test_maintenance_of_a_position_has_no_sign():
    # 50 BTC * 0.4 % = 0.2 BTC, long or short
    contract = Perpetual("BTC-USD", "BTC", "BTC", 100, Tiers.flat(0.004))
    assert contract.maintenance(25_000, 50_000.0) == pytest.approx(0.2, rel=1e-14)
    assert contract.maintenance(-25_000, 50_000.0) == pytest.approx(0.2, rel=1e-14)


def test_contracts_and_positions_cannot_be_changed():
    with pytest.raises(AttributeError):
        INVERSE.face = 1
    with pytest.raises(AttributeError):
        Position(INVERSE, 1, 50_000).quantity = 2


def test_its_own_mark_goes_before_its_index():
    prices = {"BTC": 50_000.0, "BTC-USD": 40_000.0}
    assert INVERSE.price(prices) == 40_000 and LINEAR.price(prices) == 50_000
    assert INVERSE.value(500, 50_000, prices) == pytest.approx(1 - 1.25, rel=1e-14)
    assert LINEAR.value(300, 48_000, prices) == pytest.approx(6_000, rel=1e-14)


@BOTH
@pytest.mark.parametrize("side", [1, -1])
def test_a_fill_grows_shrinks_or_closes_and_pays_what_it_realises(contract, side):
    position = Position(contract, 4 * side, 50_000, leverage=7)
    more, paid = contract.fill(position, side, 60_000)
    assert (more.quantity, more.leverage, paid) == (5 * side, 7, {})
    assert more.pnl(60_000) == pytest.approx(position.pnl(60_000), rel=1e-12)
    less, paid = contract.fill(position, -3 * side, 60_000)
    assert (less.quantity, less.entry) == (side, 50_000)
    assert paid == {contract.settle: pytest.approx(position.pnl(60_000) * 3 / 4, rel=1e-14)}
    none, paid = contract.fill(position, -4 * side, 60_000)
    assert none is None and paid == {contract.settle: pytest.approx(position.pnl(60_000), rel=1e-14)}
    assert (position.side, position.label) == (side, f"{'long' if side > 0 else 'short'} {contract.symbol}")
