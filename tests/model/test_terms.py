"""`Term.lines`: by hand, and their least value against a pool that holds nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from marginlab import Perpetual, Pool, Position, Tiers, Venue, venues
from tests.model.refusal import refused

LINEAR = Perpetual("BTC-USDT", "BTC", "USDT", tiers=Tiers.flat(0.1))
INVERSE = Perpetual("BTC-USD", "BTC", "BTC", 100, Tiers.flat(0.1))
STEPPED = Tiers(((0, 0.01), (1_000, 0.02), (5_000, 0.05)))
COUNTED = Tiers(((0, 0.01), (5, 0.03)), basis="quantity", growth=1e-3)


def lines(position, **rule):
    pool = Pool(position.instrument.settle, {}, [position], Venue("a rule", **rule))
    return pool, pool.terms[0].lines


def near(*pairs):
    return [pytest.approx(pair, rel=1e-12) for pair in pairs]


def test_by_hand_at_the_price():
    # 2 from 100: 2 * P - 200 less a tenth of 2 * P, and a hundredth for the fee
    assert list(lines(Position(LINEAR, 2, 100))[1]) == near((1.8, -200))
    assert list(lines(Position(LINEAR, -2, 100))[1]) == near((-2.2, 200))
    assert list(lines(Position(LINEAR, -2, 100), fee=0.01, fee_at="price")[1]) == near((-2.22, 200))


def test_by_hand_of_an_inverse_contract():
    # level -1/P: 300 * (-1/P + 1/100), less a tenth of 300/P
    assert list(lines(Position(INVERSE, 3, 100))[1]) == near((330, 3))
    assert list(lines(Position(INVERSE, -3, 100))[1]) == near((-270, -3))


def test_by_hand_of_what_does_not_move():
    assert list(lines(Position(LINEAR, 2, 100), fee=0.01, fee_at="entry")[1]) == near((1.8, -202))
    assert list(lines(Position(LINEAR, 2, 100), maintenance_at="entry")[1]) == near((2, -220))
    assert list(lines(Position(LINEAR, 2, 100, 5), rates_of="initial margin")[1]) == near((2 - 2 * 0.1 / 5, -200))


def test_by_hand_of_tiers():
    held = Position(replace(LINEAR, tiers=STEPPED), 10, 200)  # amounts 0, 10 and 160
    assert list(lines(held)[1]) == near((9.9, -2_000), (9.8, -1_990), (9.5, -1_840))
    assert list(lines(held, maintenance_at="entry")[1]) == near((10, -2_000 - 30))
    held = Position(replace(LINEAR, tiers=COUNTED), -10, 200)  # 0.03 + 0.01 - 0.1 / 10
    assert list(lines(held)[1]) == near((-10 - 10 * 0.03, 2_000))


@pytest.mark.parametrize("quantity", [0.4, 7, 90, -0.4, -7, -90])
@pytest.mark.parametrize("tiers", [Tiers.flat(0.004), STEPPED, COUNTED, venues.BTCUSDT_2024_10])
@pytest.mark.parametrize("contract", [LINEAR, replace(INVERSE, face=60_000)])
@pytest.mark.parametrize("rule", [
    {}, {"fee": 0.01, "fee_at": "price"}, {"fee": 0.01, "fee_at": "entry"}, {"fee": 0.01, "fee_at": "bankruptcy"},
    {"maintenance_at": "entry"}, {"rates_of": "initial margin"},
])  # fmt: skip
def test_the_least_line_is_the_slack(contract, tiers, quantity, rule):
    pool, found = lines(Position(replace(contract, tiers=tiers), quantity, 120, 3), **rule)
    prices = np.geomspace(10, 4_000, 97)
    level = -1 / prices if contract.inverse else prices
    least = np.min([slope * level + constant for slope, constant in found], axis=0)
    assert least == pytest.approx(pool.slack(BTC=prices), rel=1e-10, abs=1e-9)


def test_growth_with_worth_has_no_lines():
    pool = Pool("BTC", {}, [Position(replace(INVERSE, tiers=replace(STEPPED, growth=1e-4)), 2, 100)], Venue("a rule"))
    refused(ValueError, ["BTC-USD", "grows", "no straight lines"], lambda: pool.terms[0].lines)
    entry = Venue("at entry", maintenance_at="entry")
    held = Pool("BTC", {}, pool.positions, entry)  # frozen: 1 % of 2 coins, and 0.01 % of 2 coins for each of the 2
    assert list(held.terms[0].lines) == near((200, 2 - 0.02 - 0.0004))
