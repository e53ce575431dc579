"""Lesson 05: the truth of its exercises, and a word on each slip."""

from marginlab import Perpetual, Pool, Position, Tiers, venues
from marginlab.lesson import Exercise


def pool_of(balance, short, others, rate):
    tiers = Tiers.flat(rate)
    held = [
        Position(Perpetual("A-T", "A", "USDT", tiers=tiers), -short, 1.0),
        Position(Perpetual("B-T", "B", "USDT", tiers=tiers), -others, 1.0),
    ]
    return Pool("USDT", {"USDT": balance}, held, venues.TEACHING)


def by_pool(balance, short, others, rise, rate):
    pool = pool_of(balance, short, others, rate)
    return pool.slack(A=1 + rise)


faded = Exercise(
    "05-slack",
    truth=by_pool,
    cases=[
        dict(
            balance=8_000.0,
            short=20_000.0,
            others=15_000.0,
            rise=0.213,
            rate=0.03,
        ),
        dict(
            balance=5_000.0,
            short=12_000.0,
            others=9_000.0,
            rise=0.497,
            rate=0.02,
        ),
    ],
    slips=[
        (
            lambda balance, short, others, rise, rate: (
                balance - short * rise
            ),
            "That is equity: the requirement has to come off.",
        ),
        (
            lambda balance, short, others, rise, rate: (
                balance - short * rise - rate * (short + others)
            ),
            "The short is worth more after the rise, and needs more.",
        ),
        (
            lambda balance, short, others, rise, rate: (
                balance - short * rise - rate * short * (1 + rise)
            ),
            "The other positions have a requirement as well.",
        ),
        (
            lambda balance, short, others, rise, rate: (
                balance
                - short * rise
                - rate * (short + others) * (1 + rise)
            ),
            "Only one coin has risen; the others are worth the same.",
        ),
        (
            lambda balance, short, others, rise, rate: (
                balance
                + short * rise
                - rate * (short * (1 + rise) + others)
            ),
            "A short loses when its coin rises.",
        ),
        (
            lambda balance, short, others, rise, rate: (
                rate * (short * (1 + rise) + others)
                - balance
                + short * rise
            ),
            "Equity less the requirement, with its sign: past its line, "
            "the slack of a pool is below zero.",
        ),
        (
            lambda balance, short, others, rise, rate: (
                balance
                - short * rise
                + rate * (short * (1 + rise) + others)
            ),
            "The requirement comes off: slack is what equity has more.",
        ),
    ],
)


def ended(balance, short, others, share, rate):
    pool = pool_of(balance, short, others, rate)
    found = pool.liquidation({"A": 1, "B": share})
    return found.above.prices["A"] - 1


def over(top, bottom):
    return lambda balance, short, others, share, rate: (
        top(balance, rate * (short + others))
        / bottom(short, others, share, rate)
    )


def exact(short, others, share, rate):
    return (short + share * others) * (1 + rate)


solo = Exercise(
    "05-together",
    truth=ended,
    cases=[
        dict(
            balance=9_000.0,
            short=20_000.0,
            others=15_000.0,
            share=0.4,
            rate=0.03,
        ),
        dict(
            balance=6_000.0,
            short=12_000.0,
            others=18_000.0,
            share=0.7,
            rate=0.02,
        ),
    ],
    slips=[
        (
            over(lambda balance, required: balance, exact),
            "That is where nothing is left: the requirement ends it "
            "before.",
        ),
        (
            over(
                lambda balance, required: balance - required,
                lambda short, others, share, rate: short * (1 + rate),
            ),
            "The others rise too, by their share, and lose as well.",
        ),
        (
            over(
                lambda balance, required: balance - required,
                lambda short, others, share, rate: (
                    (short + others) * (1 + rate)
                ),
            ),
            "The others rise by a share of it, not by all of it.",
        ),
        (
            over(
                lambda balance, required: balance - required,
                lambda short, others, share, rate: short + share * others,
            ),
            "The requirement grows with the rise.",
        ),
        (
            over(
                lambda balance, required: balance + required,
                exact,
            ),
            "The requirement comes off the balance.",
        ),
        (
            lambda balance, short, others, share, rate: (
                1
                + (balance - rate * (short + others))
                / exact(short, others, share, rate)
            ),
            "That is a price, where it was 1 before: the rise is asked.",
        ),
        (
            lambda balance, short, others, share, rate: (
                100
                * (balance - rate * (short + others))
                / exact(short, others, share, rate)
            ),
            "That is in per cent: a fraction is asked.",
        ),
        (
            lambda balance, short, others, share, rate: (
                (balance - rate * (short + others))
                / (short * (1 + rate) + share * others)
            ),
            "The requirement of the others grows as well.",
        ),
        (
            over(
                lambda balance, required: balance - required,
                lambda short, others, share, rate: (
                    (short + share * others) * (1 - rate)
                ),
            ),
            "The requirement grows with the rise, so it ends sooner: 1 + "
            "rate.",
        ),
        (
            lambda balance, short, others, share, rate: (
                (balance - rate * short)
                / exact(short, others, share, rate)
            ),
            "The others have a requirement at the start as well.",
        ),
        (
            lambda balance, short, others, share, rate: (
                balance / (short + share * others)
            ),
            "Nothing is left there: when is it closed?",
        ),
        (
            lambda balance, short, others, share, rate: (
                (balance - rate * (short + share * others))
                / exact(short, others, share, rate)
            ),
            "At the start, the others are required for in full.",
        ),
    ],
)


shops = Exercise(
    "05-shops",
    truth=lambda shops, cash, bill: bill - cash,
    cases=[
        dict(shops=5.0, cash=2_000.0, bill=6_500.0),
        dict(shops=3.0, cash=4_000.0, bill=7_000.0),
    ],
    slips=[
        (
            lambda shops, cash, bill: bill,
            "The shop with the bill had put in its own cash as well.",
        ),
        (
            lambda shops, cash, bill: (shops - 1) * cash,
            "That is all they have; in the box, something is left.",
        ),
        (
            lambda shops, cash, bill: shops * cash - bill,
            "That is what the box has left.",
        ),
        (
            lambda shops, cash, bill: bill / shops,
            "The bill is not shared out evenly. The shop's own cash in "
            "the box pays first; the rest comes out of the others' cash.",
        ),
        (
            lambda shops, cash, bill: (bill - cash) / (shops - 1),
            "That is for each of the others: all of them together?",
        ),
        (
            lambda shops, cash, bill: bill * (shops - 1) / shops,
            "The shop with the bill gave up its claim: the rest of the "
            "box is the others'.",
        ),
    ],
)
