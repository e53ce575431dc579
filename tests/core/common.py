"""What the tests of the core share: contracts, tolerances, what an account holds and what it did."""

from math import fsum

import pytest
from hypothesis import settings

from marginlab import Account, Perpetual, Spot, Tiers, Venue
from tests.process import process

LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
ETHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")
SOL = Perpetual("SOL-USDT", index="SOL", settle="USDT")
INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
PAIR = Spot("BTC/USDT")
STEADY = settings(deadline=None, derandomize=True, database=None, max_examples=100)
PART, CLOSE, TAKE = "partial liquidation", "closing", "assignment"
QUEUE, CANCEL, ALL = "auto-deleveraging", "orders cancelled", "liquidation"


def near(value):
    """Equal to rounding."""
    return pytest.approx(value, rel=1e-12, abs=1e-10)


def sides(found):
    """The prices below and above."""
    return found.below.price, found.above.price


def held(account):
    """What each pool holds and owes, without the zeros."""
    return {p.name: {c: a for c, a in p.collateral.items() if a} for p in account.pools}


def legs(pool):
    """Contracts of each position."""
    return [p.quantity for p in pool.positions]


def new(before, after):
    """What was added to the ledger."""
    assert after.events[: len(before.events)] == before.events
    return after.events[len(before.events) :]


def kinds(before, after):
    """Of which kind it was."""
    return [event.kind for event in new(before, after)]


def total(events, party):
    """What a party gained by events."""
    return fsum(event.flows.get(party, 0.0) for event in events)


def balanced(events):
    """Whether the flows of each event sum to zero, to rounding."""
    return all(abs(fsum(event.flows.values())) <= 1e-11 * max(1.0, *map(abs, event.flows.values())) for event in events)


def ordered(orders, held=60, **rule):
    """200 USDT, 10 at 100, and open orders; 100 of maintenance, and as much of initial margin."""
    venue = Venue(
        "flat",
        tiers={"*": Tiers.flat(0.1)},
        orders_required=orders,
        liquidation=process(**rule),
    )
    start = Account(venue, USDT=200).trade(LINEAR, 10, 100, leverage=10)
    return start.place_orders(held, "USDT") if held else start
