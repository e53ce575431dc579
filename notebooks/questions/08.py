"""Lesson 08: the truth of its exercises, and a word on each slip."""

import marginlab as ml
from marginlab import Perpetual, Position, market, venues
from marginlab.lesson import Exercise


def by_survival(size, entry, low, rate):
    coin = Perpetual("A-T", "A", "USDT", tiers=ml.Tiers.flat(rate))
    path = market.Given({"A": entry}, given={"A": [low, entry]})
    made = market.survival(
        venues.TEACHING, [Position(coin, size, entry)], path
    )
    return float(made.needed(made.shared)[0])


faded = Exercise(
    "08-trough",
    truth=by_survival,
    cases=[
        dict(size=3.0, entry=40_000.0, low=35_017.3, rate=0.01),
        dict(size=8.0, entry=3_000.0, low=2_109.7, rate=0.02),
    ],
    slips=[
        (
            lambda size, entry, low, rate: size * (entry - low),
            "There nothing is left, but the line is above that: the "
            "requirement has to be covered too.",
        ),
        (
            lambda size, entry, low, rate: (
                size * (entry - low) + rate * size * entry
            ),
            "At the low the position is worth less than at entry, and "
            "so it requires less.",
        ),
        (
            lambda size, entry, low, rate: (
                size * (entry - low) - rate * size * low
            ),
            "The requirement comes on top of the loss.",
        ),
        (
            lambda size, entry, low, rate: (
                size * (low - entry) - rate * size * low
            ),
            "That is the trough, below zero: the margin is the other "
            "way round.",
        ),
        (
            lambda size, entry, low, rate: entry - low + rate * low,
            "That is for one coin.",
        ),
        (
            lambda size, entry, low, rate: (
                size * (entry - low) * (1 + rate)
            ),
            "The rate is of what the position is worth at the low, not of "
            "the loss.",
        ),
        (
            lambda size, entry, low, rate: size * (entry - low + rate),
            "The rate is a share of what the position is worth.",
        ),
    ],
)


def shared_need(size, a1, b1, a2, b2, rate):
    tiers = ml.Tiers.flat(rate)
    held = [
        Position(Perpetual("A-T", "A", "USDT", tiers=tiers), size, 1.0),
        Position(Perpetual("B-T", "B", "USDT", tiers=tiers), -size, 1.0),
    ]
    given = {"A": [1 + a1, 1 + a2], "B": [1 + b1, 1 + b2]}
    path = market.Given({"A": 1.0, "B": 1.0}, given=given)
    made = market.survival(venues.TEACHING, held, path)
    return float(made.needed(made.shared)[0])


def day(size, a, b, rate):
    return size * (b - a + rate * (2 + a + b))


solo = Exercise(
    "08-together",
    truth=shared_need,
    cases=[
        dict(size=1e4, a1=0.05, b1=0.12, a2=-0.2, b2=-0.08, rate=0.02),
        dict(size=5e3, a1=0.15, b1=0.21, a2=0.3, b2=0.05, rate=0.03),
    ],
    slips=[
        (
            lambda size, a1, b1, a2, b2, rate: (
                max(size * (rate * (1 + a) - a) for a in (a1, a2))
                + max(size * (rate * (1 + b) + b) for b in (b1, b2))
            ),
            "These are the two worst moments, on different days: that "
            "is isolated. In one pool, add up day by day.",
        ),
        (
            lambda size, a1, b1, a2, b2, rate: (
                size * max(b1 - a1, b2 - a2)
            ),
            "Both positions have a requirement as well.",
        ),
        (
            lambda size, a1, b1, a2, b2, rate: (
                size * (max(b1 - a1, b2 - a2) + 2 * rate)
            ),
            "The requirement follows the prices of that day.",
        ),
        (
            lambda size, a1, b1, a2, b2, rate: min(
                day(size, a1, b1, rate), day(size, a2, b2, rate)
            ),
            "That is enough for one of the days: take the worse.",
        ),
        (
            lambda size, a1, b1, a2, b2, rate: (
                day(size, a1, b1, rate) + day(size, a2, b2, rate)
            ),
            "Both days are counted from the start: they do not add up.",
        ),
        (
            lambda size, a1, b1, a2, b2, rate: (
                size * max((b1 - a1) * (1 + rate), (b2 - a2) * (1 + rate))
            ),
            "A venue asks for maintenance of each, not of the difference.",
        ),
        (
            lambda size, a1, b1, a2, b2, rate: (
                size
                * max(b1 - a1 + rate * (1 + a1), b2 - a2 + rate * (1 + a2))
            ),
            "The short has a requirement too.",
        ),
        (
            lambda size, a1, b1, a2, b2, rate: (
                size
                * max(b1 - a1 + rate * (1 + b1), b2 - a2 + rate * (1 + b2))
            ),
            "The long has a requirement too.",
        ),
        (
            lambda size, a1, b1, a2, b2, rate: (
                size
                * max(
                    b1 - a1 + rate * (a1 + b1), b2 - a2 + rate * (a2 + b2)
                )
            ),
            "The requirement is on all that each is worth, 1 + a and 1 + "
            "b, and not on the move.",
        ),
        (
            lambda size, a1, b1, a2, b2, rate: (
                size * max(a1 - b1, a2 - b2) + rate * size * (2 + a1 + b1)
            ),
            "A long gains when its coin rises, a short loses.",
        ),
        (
            lambda size, a1, b1, a2, b2, rate: (
                -max(day(size, a1, b1, rate), day(size, a2, b2, rate))
            ),
            "That is the trough, below zero: turn its sign.",
        ),
        (
            lambda size, a1, b1, a2, b2, rate: (
                size
                * max(
                    b1 - a1 - rate * (2 + a1 + b1),
                    b2 - a2 - rate * (2 + a2 + b2),
                )
            ),
            "The requirement comes on top of the loss.",
        ),
    ],
)


water = Exercise(
    "08-water",
    truth=lambda dry_a, wet_a, dry_b, wet_b: (
        max(dry_a, wet_a)
        + max(dry_b, wet_b)
        - max(dry_a + dry_b, wet_a + wet_b)
    ),
    cases=[
        dict(dry_a=70.0, wet_a=25.0, dry_b=30.0, wet_b=64.0),
        dict(dry_a=12.0, wet_a=76.0, dry_b=53.0, wet_b=31.0),
    ],
    slips=[
        (
            lambda dry_a, wet_a, dry_b, wet_b: max(
                dry_a + dry_b, wet_a + wet_b
            ),
            "That is the common reservoir: how much smaller is it?",
        ),
        (
            lambda dry_a, wet_a, dry_b, wet_b: (
                max(dry_a, wet_a) + max(dry_b, wet_b)
            ),
            "That is what two of their own hold: how much less is one?",
        ),
        (
            lambda dry_a, wet_a, dry_b, wet_b: (
                dry_a
                + wet_a
                + dry_b
                + wet_b
                - max(dry_a + dry_b, wet_a + wet_b)
            ),
            "A store is filled again before each season: its size is "
            "the larger need, not the sum.",
        ),
        (
            lambda dry_a, wet_a, dry_b, wet_b: (
                max(dry_a, wet_a)
                + max(dry_b, wet_b)
                - max(dry_a, wet_a, dry_b, wet_b)
            ),
            "In one season both villages draw from the reservoir.",
        ),
        (
            lambda dry_a, wet_a, dry_b, wet_b: (
                max(dry_a + dry_b, wet_a + wet_b)
                - max(dry_a, wet_a)
                - max(dry_b, wet_b)
            ),
            "Turn it round: how much less, not how much more.",
        ),
    ],
)
