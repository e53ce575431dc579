"""Lesson 02: the truth of its exercises, and a word on each slip."""

import marginlab as ml
from marginlab import Perpetual, Tiers, venues
from marginlab.lesson import Exercise


def pool_price(held, debt, short, entry, loan_rate, rate):
    loans = {"*": ml.Asset(loan=Tiers.flat(loan_rate))}
    contract = Perpetual("T", "BTC", "BTC", tiers=Tiers.flat(rate))
    return (
        ml.Pool(
            "BTC",
            {"BTC": held, "USDT": -debt},
            [ml.Position(contract, -short, entry)],
            ml.replace(venues.TEACHING, assets=loans),
        )
        .liquidation()
        .below.price
    )


books = [
    dict(
        held=9.0,
        debt=240e3,
        short=90e3,
        entry=30e3,
        loan_rate=0.08,
        rate=0.01,
    ),
    dict(
        held=5.0,
        debt=150e3,
        short=100e3,
        entry=60e3,
        loan_rate=0.1,
        rate=0.005,
    ),
]


def by_hand(held, debt, short, entry, loan_rate, rate, sign=1):
    needs = loan_rate * debt + rate * short
    return (debt - sign * short + needs) / (held - sign * short / entry)


def needs_only(held, debt, short, entry, loan_rate, rate):
    return (loan_rate * debt + rate * short) / (held - short / entry)


def minus_needs(loan_rate, rate, **book):
    return by_hand(**book, loan_rate=-loan_rate, rate=-rate)


def not_sold(held, debt, short, entry, loan_rate, rate):
    return (debt * (1 + loan_rate) - short * (1 - rate)) / held


faded = Exercise(
    "02-shared-pool",
    truth=pool_price,
    cases=books,
    slips=[
        (
            lambda **b: by_hand(**b | {"loan_rate": 0, "rate": 0}),
            "There the pool is worth nothing: no requirement in it.",
        ),
        (
            lambda **b: by_hand(**b | {"rate": 0}),
            "The contracts require something too.",
        ),
        (
            lambda **b: by_hand(**b | {"loan_rate": 0}),
            "The debt requires something too, at its own rate.",
        ),
        (
            needs_only,
            "Debt and short cancel only when they are equal.",
        ),
        (
            minus_needs,
            "Wrong sign: the requirement brings the end nearer.",
        ),
        (
            not_sold,
            "The short was sold for coins: use fixed, not held.",
        ),
        (
            lambda **b: by_hand(**b, sign=-1),
            "That is the pool with the contracts bought, not sold: "
            "a short gains short/P - short/entry.",
        ),
    ],
)


def multi_price(held, debt, short, entry, haircut, loan_rate, rate):
    loans = ml.Asset(loan=Tiers.flat(loan_rate))
    contract = Perpetual("T", "BTC", "USDT", tiers=Tiers.flat(rate))
    assets = {
        "BTC": ml.Asset(haircut=haircut),
        "USDT": loans,
        "USD": loans,
    }
    return (
        ml.Pool(
            "USD",
            {"BTC": held, "USDT": -debt},
            [ml.Position(contract, -short, entry)],
            ml.replace(venues.TEACHING_MULTI, assets=assets),
        )
        .liquidation()
        .below.price
    )


def with_haircut(held, debt, short, entry, haircut, loan_rate, rate):
    owed = (1 + loan_rate) * (debt - short * entry)
    asked = short * (1 + loan_rate + rate)
    return owed / ((1 - haircut) * held - asked)


def beside(held, debt, short, entry, haircut, loan_rate, rate):
    fixed = debt * (1 + loan_rate) - short * entry
    return fixed / ((1 - haircut) * held - short * (1 + rate))


def as_in_lesson(held, debt, short, entry, haircut, loan_rate, rate):
    counted = (1 - haircut) * held
    return debt * loan_rate / (counted - short * (1 + rate))


def gain_cut(held, debt, short, entry, haircut, loan_rate, rate):
    gain, asked = short * (1 - haircut), 1 + loan_rate
    owed = asked * (debt - gain * entry)
    return owed / ((1 - haircut) * held - gain * asked - rate * short)


def on_entry(held, debt, short, entry, haircut, loan_rate, rate):
    owed = (1 + loan_rate) * (debt - short * entry)
    owed += rate * short * entry
    return owed / ((1 - haircut) * held - short * (1 + loan_rate))


def short_in_usd(held, debt, short, entry, haircut, loan_rate, rate):
    owed = (1 + loan_rate) * (debt - short)
    asked = short / entry * (1 + loan_rate + rate)
    return owed / ((1 - haircut) * held - asked)


def all_cut(held, debt, short, entry, haircut, loan_rate, rate):
    owed = (1 + loan_rate) * (debt - short * entry)
    asked = short * (1 + loan_rate + rate)
    return owed / ((1 - haircut) * (held - asked))


solo = Exercise(
    "02-haircut",
    truth=multi_price,
    cases=[
        dict(
            held=8.0,
            debt=310e3,
            short=3.0,
            entry=52e3,
            haircut=0.1,
            loan_rate=0.05,
            rate=0.004,
        ),
        dict(
            held=6.0,
            debt=150e3,
            short=2.0,
            entry=40e3,
            haircut=0.25,
            loan_rate=0.1,
            rate=0.01,
        ),
    ],
    slips=[
        (
            lambda **b: with_haircut(**b | {"haircut": 0}),
            "The haircut is missing: a coin counts for less than its "
            "price.",
        ),
        (
            lambda **b: with_haircut(**b | {"haircut": -b["haircut"]}),
            "The haircut makes coins count for less, not for more.",
        ),
        (
            lambda **b: with_haircut(**b | {"rate": -b["rate"]}),
            "The requirement of the contracts has the wrong sign.",
        ),
        (
            lambda **b: with_haircut(**b | {"loan_rate": -b["loan_rate"]}),
            "The debt's requirement has the wrong sign.",
        ),
        (
            lambda **b: with_haircut(**b | {"haircut": 1 - b["haircut"]}),
            "The haircut is what does not count of a coin.",
        ),
        (
            lambda **b: with_haircut(**b | {"short": 0}),
            "The short is missing: it gains short * (entry - P).",
        ),
        (
            all_cut,
            "Only the coins that you hold are cut, not the short.",
        ),
        (
            beside,
            "So it is where a gain stands beside the debt. Here it "
            "joins it: less is owed, and what is owed asks less.",
        ),
        (
            as_in_lesson,
            "In the lesson the debt was just short * entry; here it is "
            "more.",
        ),
        (
            gain_cut,
            "A gain in USDT counts in full: only the coins are cut.",
        ),
        (
            on_entry,
            "The requirement is on the worth at the price, not at entry.",
        ),
        (
            short_in_usd,
            "Here the short is counted in coins, not in USD.",
        ),
        (
            lambda **b: with_haircut(**b | {"loan_rate": 0}),
            "The debt requires something too, at its own rate.",
        ),
        (
            lambda **b: with_haircut(**b | {"rate": 0}),
            "The contracts require something too.",
        ),
        (
            lambda **b: with_haircut(**b | {"loan_rate": 0, "rate": 0}),
            "No requirement in it: neither the debt's nor the contracts'.",
        ),
    ],
)


stalls = Exercise(
    "02-stalls",
    truth=lambda gain, loss, reserve: (
        2 * (loss + reserve) - (2 * reserve + max(loss - gain, 0.0))
    ),
    cases=[
        {"gain": 110.0, "loss": 60.0, "reserve": 20.0},
        {"gain": 120.0, "loss": 150.0, "reserve": 50.0},
    ],
    slips=[
        (
            lambda gain, loss, reserve: loss + gain,
            "If the gain covers the loss, the shared till needs only "
            "its reserves.",
        ),
        (
            lambda gain, loss, reserve: (
                2 * (loss + reserve) - max(2 * reserve + loss - gain, 0.0)
            ),
            "A gain comes in during the day; the reserves must be there "
            "in the morning.",
        ),
        (
            lambda gain, loss, reserve: loss - max(loss - gain, 0.0),
            "Either stall may be the one that loses: apart, both tills "
            "must hold the loss.",
        ),
        (
            lambda gain, loss, reserve: (
                2 * loss + reserve - max(loss - gain, 0.0)
            ),
            "A shared till still keeps a reserve for each stall.",
        ),
    ],
)
