"""Lesson 06: the truth of its exercises, and a word on each slip."""

import marginlab as ml
from marginlab import Perpetual, Tiers, venues
from marginlab.lesson import Exercise


def stuck(rest, short, long, entry, rate):
    coins = Perpetual("A-USD", "A", "A", face=1, tiers=Tiers.flat(rate))
    held = [ml.Position(coins, -short, entry)]
    pool = ml.Pool("A", {"A": rest}, held, venues.TEACHING)
    there = pool.liquidation().above.price
    return coins.pnl(long, entry, there)


def closed_at(rest, short, entry, rate):
    return short * (1 - rate) / (short / entry - rest)


faded = Exercise(
    "06-stuck",
    truth=stuck,
    cases=[
        dict(
            rest=4.0,
            short=1_500_000.0,
            long=2_000_000.0,
            entry=50_000.0,
            rate=0.004,
        ),
        dict(
            rest=30.0,
            short=400_000.0,
            long=350_000.0,
            entry=3_000.0,
            rate=0.01,
        ),
    ],
    slips=[
        (
            lambda rest, short, long, entry, rate: (
                short
                * (1 / entry - 1 / closed_at(rest, short, entry, rate))
            ),
            "That is what the short has lost: the long has gained more "
            "or less.",
        ),
        (
            lambda rest, short, long, entry, rate: long / entry,
            "That is the worth of the long at its entry, in coins.",
        ),
        (
            lambda rest, short, long, entry, rate: (
                long
                * (1 / closed_at(rest, short, entry, rate) - 1 / entry)
            ),
            "A long gains when the price rises: the sign is turned.",
        ),
        (
            lambda rest, short, long, entry, rate: (
                long / closed_at(rest, short, entry, rate)
            ),
            "That is the worth of the long at the end, in coins.",
        ),
        (
            lambda rest, short, long, entry, rate: closed_at(
                rest, short, entry, rate
            ),
            "That is the price: the coins behind the wall are asked.",
        ),
        (
            lambda rest, short, long, entry, rate: (
                long * (closed_at(rest, short, entry, rate) / entry - 1)
            ),
            "That is the gain in dollars: it is paid in coins.",
        ),
        (
            lambda rest, short, long, entry, rate: (
                rest
                + long
                * (1 / entry - 1 / closed_at(rest, short, entry, rate))
            ),
            "The coins of the rest are not behind the wall.",
        ),
    ],
)


def filled(size, entry, leverage, mark):
    contract = Perpetual("A-T", "A", "USDT", tiers=Tiers.flat(0.004))
    held = ml.Position(contract, size, entry, leverage=leverage)
    pool = ml.Pool(
        "USDT",
        {"USDT": size * entry / leverage},
        [held],
        venues.TEACHING_TOP_UP,
        marks={"A": mark},
    )
    return ml.liquidation.added(pool)


solo = Exercise(
    "06-added",
    truth=filled,
    cases=[
        dict(size=0.5, entry=18_000.0, leverage=10.0, mark=16_250.0),
        dict(size=3.0, entry=2_400.0, leverage=5.0, mark=1_930.0),
    ],
    slips=[
        (
            lambda size, entry, leverage, mark: size * mark / leverage,
            "That is what should be there: something is there already.",
        ),
        (
            lambda size, entry, leverage, mark: size * (entry - mark),
            "That is the loss; but at a lower price less margin is "
            "needed.",
        ),
        (
            lambda size, entry, leverage, mark: (
                size * mark / leverage - size * entry / leverage
            ),
            "The loss has used up margin: it has to be filled up too.",
        ),
        (
            lambda size, entry, leverage, mark: (
                size * mark / leverage
                - size * entry / leverage
                + size * (mark - entry)
            ),
            "The loss comes off what is there, so more has to be added.",
        ),
        (
            lambda size, entry, leverage, mark: size * entry / leverage,
            "That is the margin it began with.",
        ),
        (
            lambda size, entry, leverage, mark: (
                size * entry / leverage - size * (entry - mark)
            ),
            "That is what is left behind it: how much is missing?",
        ),
    ],
)


def talked(credit, bank, refill, price):
    return (credit + refill * (bank // refill)) / price


phone = Exercise(
    "06-phone",
    truth=talked,
    cases=[
        dict(credit=12.0, bank=205.0, refill=25.0, price=0.3),
        dict(credit=20.0, bank=77.0, refill=10.0, price=0.4),
    ],
    slips=[
        (
            lambda credit, bank, refill, price: credit / price,
            "That is what the shop says; but then it is refilled.",
        ),
        (
            lambda credit, bank, refill, price: (credit + refill) / price,
            "It is refilled again and again, not once.",
        ),
        (
            lambda credit, bank, refill, price: (credit + bank) / price,
            "Nearly: the last part of the bank's money is less than a "
            "refill.",
        ),
        (
            lambda credit, bank, refill, price: (
                refill * (bank // refill) / price
            ),
            "The credit that was on it counts as well.",
        ),
    ],
)
