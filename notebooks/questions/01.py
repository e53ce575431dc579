"""Lesson 01: the truth of its exercises, and a word on each slip."""

from marginlab import Account, Perpetual, Tiers, venues
from marginlab.lesson import Exercise


def closed_at(quantity, entry, margin, rate):
    contract = Perpetual(
        "T", "BTC", "BTC", face=100, tiers=Tiers.flat(rate)
    )
    start = Account(venues.TEACHING, BTC=margin)
    return start.trade(contract, quantity, entry)["T"].liquidation().price


fresh = [
    dict(quantity=8_000, entry=40_000.0, margin=4.0, rate=0.005),
    dict(quantity=300, entry=64_000.0, margin=0.2, rate=0.01),
]


def late(quantity, entry, margin, rate):
    return 100 * quantity / (margin + 100 * quantity / entry)


def flipped(quantity, entry, margin, rate):
    return late(quantity, entry, margin, rate) * (1 - rate)


def on_entry(quantity, entry, margin, rate):
    return entry * (1 - margin * entry / (100 * quantity) + rate)


faded = Exercise(
    "01-inverse-long",
    truth=closed_at,
    cases=fresh,
    slips=[
        (late, "That is the bankruptcy price: no requirement in it."),
        (
            flipped,
            "The requirement makes the trade end earlier, not later: "
            "look at the sign of the rate.",
        ),
        (
            lambda quantity, entry, margin, rate: on_entry(
                quantity, entry, margin, 0
            ),
            "That is the rule for a contract paid in dollars; this one "
            "pays in coins, which fall as well.",
        ),
        (
            lambda quantity, entry, margin, rate: (
                late(quantity, entry, margin, rate) / (1 - rate)
            ),
            "Dividing by 1 - rate is not multiplying by 1 + rate: solve "
            "the equation once more.",
        ),
        (
            on_entry,
            "That is a rule for USDT-margined contracts with the "
            "requirement on the entry value; this pays in coins.",
        ),
    ],
)


def as_long(quantity, entry, margin, rate):
    return 100 * quantity * (1 + rate) / (margin + 100 * quantity / entry)


def late_short(quantity, entry, margin, rate):
    return 100 * quantity / (100 * quantity / entry - margin)


def beyond(quantity, entry, margin, rate):
    return late_short(quantity, entry, margin, rate) * (1 + rate)


solo = Exercise(
    "01-inverse-short",
    truth=lambda quantity, **rest: closed_at(-quantity, **rest),
    cases=fresh,
    slips=[
        (
            as_long,
            "That is where the long ends: the profit of a short has "
            "the other sign.",
        ),
        (
            late_short,
            "That is the bankruptcy price: no requirement in it.",
        ),
        (
            lambda quantity, entry, margin, rate: (
                entry * (1 + margin * entry / (100 * quantity))
            ),
            "That is the rule for a contract paid in dollars; this one "
            "pays in coins.",
        ),
        (
            lambda quantity, entry, margin, rate: (
                late_short(quantity, entry, margin, rate) / (1 + rate)
            ),
            "Dividing by 1 + rate is not multiplying by 1 - rate: solve "
            "the equation once more.",
        ),
        (
            beyond,
            "That lies beyond the bankruptcy price; a short is "
            "closed below it. Look at the sign of the rate.",
        ),
    ],
)


wheat_exercise = Exercise(
    "01-wheat",
    truth=lambda quantity, entry, fall, rate: (
        quantity * entry * (fall + rate * (1 - fall))
    ),
    cases=[
        {"quantity": 200.0, "entry": 250.0, "fall": 0.2, "rate": 0.03},
        {"quantity": 35.0, "entry": 310.0, "fall": 0.08, "rate": 0.05},
    ],
    slips=[
        (
            lambda quantity, entry, fall, rate: quantity * entry * fall,
            "That pays the loss, and leaves nothing for the requirement.",
        ),
        (
            lambda quantity, entry, fall, rate: (
                quantity * entry * (fall + rate)
            ),
            "Nearly: the requirement is on the worth after "
            "the fall, which is less.",
        ),
    ],
)
