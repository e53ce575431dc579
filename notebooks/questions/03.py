"""Lesson 03: the truth of its exercises, and a word on each slip."""

import marginlab as ml
from marginlab import Funding, Perpetual, Tiers, venues
from marginlab.lesson import Exercise


def venue_rate(premium, interest, damper, cap):
    rule = Funding(interest=interest, damper=damper, cap=cap)
    return rule.rate(premium)


def pulled(premium, interest, damper):
    return premium + min(max(interest - premium, -damper), damper)


faded = Exercise(
    "03-clamp",
    truth=venue_rate,
    cases=[
        dict(premium=-0.012, interest=0.0001, damper=0.0005, cap=0.0075),
        dict(premium=0.0031, interest=0.0002, damper=0.0004, cap=0.005),
        dict(premium=0.0003, interest=0.0004, damper=0.0006, cap=0.004),
        dict(premium=0.0205, interest=0.0003, damper=0.0007, cap=0.01),
    ],
    slips=[
        (
            lambda premium, interest, damper, cap: pulled(
                premium, interest, damper
            ),
            "A bound is missing: the rate stops at cap, and at -cap.",
        ),
        (
            lambda premium, interest, damper, cap: min(
                abs(pulled(premium, interest, damper)), cap
            ),
            "Its sign is lost: below 0 shorts pay. Or are min and max "
            "swapped?",
        ),
        (
            lambda premium, interest, damper, cap: pulled(
                min(max(premium, -cap), cap), interest, damper
            ),
            "The bounds hold for the rate, not for the premium.",
        ),
        (
            lambda premium, interest, damper, cap: interest,
            "That is the interest: the damper limits how far it pulls.",
        ),
        (
            lambda premium, interest, damper, cap: (
                min(max(pulled(premium, interest, -damper), -cap), cap)
                - damper
            ),
            "The pull has the wrong sign: it goes towards the interest.",
        ),
    ],
)


def ruin(leverage, days, hours, maintenance):
    tiers = Tiers.flat(maintenance)
    contract = Perpetual("T", "BTC", "USDT", tiers=tiers)
    long = ml.Position(contract, 1, 1_000, leverage)
    held = {"USDT": 1_000 / leverage}
    pool = ml.Pool("USDT", held, [long], venues.TEACHING)
    return pool.slack() / ml.funding.due(pool, days * 24 / hours)


def spread(slack, payments):
    return lambda leverage, days, hours, maintenance: (
        slack(leverage, maintenance) / payments(days, hours)
    )


def free(leverage, maintenance):
    return 1 / leverage - maintenance


def times(days, hours):
    return days * 24 / hours


solo = Exercise(
    "03-month",
    truth=ruin,
    cases=[
        dict(leverage=20.0, days=30.0, hours=4.0, maintenance=0.005),
        dict(leverage=8.0, days=14.0, hours=8.0, maintenance=0.01),
    ],
    slips=[
        (
            spread(lambda leverage, maintenance: 1 / leverage, times),
            "The maintenance requirement has to stay: it ends before.",
        ),
        (
            spread(lambda lev, m: 1 / lev + m, times),
            "The requirement comes off the margin, it adds nothing to it.",
        ),
        (
            spread(lambda lev, m: 1 - lev * m, times),
            "Funding is charged on the position, not on its margin.",
        ),
        (
            spread(lambda lev, m: (1 - m) / lev, times),
            "Maintenance is charged on the position, not on its margin.",
        ),
        (
            spread(lambda lev, m: 1 - m, times),
            "Where is the leverage? The margin is 1 / leverage.",
        ),
        (
            spread(free, lambda days, hours: days),
            "That is a rate a day: count the payments.",
        ),
        (
            spread(free, lambda days, hours: days * 3),
            "Not every venue pays three times a day: use `hours`.",
        ),
        (
            spread(free, lambda days, hours: days / hours),
            "Days and hours are mixed: a day has 24 hours.",
        ),
        (
            spread(free, lambda days, hours: days * hours),
            "In a day there are 24 / hours payments, not hours.",
        ),
        (
            spread(free, lambda days, hours: 1),
            "That is what all the payments may take together.",
        ),
    ],
)


house = Exercise(
    "03-house",
    truth=lambda own, rate, years: rate * years / own,
    cases=[
        {"own": 0.1, "rate": 0.01, "years": 3.0},
        {"own": 0.25, "rate": 0.02, "years": 5.0},
    ],
    slips=[
        (
            lambda own, rate, years: rate * years,
            "That is the part of the house; your own money is less.",
        ),
        (
            lambda own, rate, years: rate * years * own,
            "The tax is on the whole house: it is no smaller for you.",
        ),
        (
            lambda own, rate, years: rate * years / (1 - own),
            "That is the part of the loan: what have you paid yourself?",
        ),
        (
            lambda own, rate, years: rate / own,
            "That is one year of it: how many are there?",
        ),
        (
            lambda own, rate, years: (1 - (1 - rate) ** years) / own,
            "The worth, and so the tax, is the same each year.",
        ),
    ],
)
