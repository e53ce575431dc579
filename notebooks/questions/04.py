"""Lesson 04: the truth of its exercises, and a word on each slip."""

import marginlab as ml
from marginlab import Account, Liquidation, Perpetual, Tiers, venues
from marginlab.lesson import Exercise

perp = Perpetual("BTC-USDT", index="BTC", settle="USDT")
whole = ml.replace(venues.TEACHING_STEPS, liquidation=Liquidation())


def by_venue(quantity, entry, margin, price, fund):
    start = Account(whole, USDT=margin).mark(BTC=entry)
    start = start.trade(perp, quantity, price=entry, isolated=margin)
    after = start.mark(BTC=price).liquidate(fund=fund)
    return -sum(e.flows["insurance fund"] for e in after.liquidations)


def lost(quantity, entry, price):
    return quantity * (entry - price)


faded = Exercise(
    "04-fund",
    truth=by_venue,
    cases=[
        dict(
            quantity=20.0,
            entry=30_000,
            margin=90_000.0,
            price=22_009,
            fund=40_000.0,
        ),
        dict(
            quantity=12.0,
            entry=50_000,
            margin=70_000.0,
            price=43_017,
            fund=60_000.0,
        ),
    ],
    slips=[
        (
            lambda quantity, entry, margin, price, fund: (
                lost(quantity, entry, price) - margin
            ),
            "That is all that is missing: the fund pays no more than it "
            "has.",
        ),
        (
            lambda quantity, entry, margin, price, fund: max(
                lost(quantity, entry, price) - margin - fund, 0.0
            ),
            "That is what is left for the winners, beyond the fund.",
        ),
        (
            lambda quantity, entry, margin, price, fund: (
                lost(quantity, entry, price) - fund
            ),
            "The margin pays first, and then the fund.",
        ),
        (
            lambda quantity, entry, margin, price, fund: lost(
                quantity, entry, price
            ),
            "That is the whole loss: the margin pays first.",
        ),
        (
            lambda quantity, entry, margin, price, fund: (
                fund - lost(quantity, entry, price) + margin
            ),
            "That is what is left in the fund.",
        ),
    ],
)


def tiered(quantity, entry, margin, floor, low, high):
    steps = Tiers(((0, low), (floor, high)))
    contract = Perpetual("T", "BTC", "USDT", tiers=steps)
    long = ml.Position(contract, quantity, entry)
    pool = ml.Pool("USDT", {"USDT": margin}, [long], venues.TEACHING)
    return pool.liquidation("BTC").below.price


def root(taken, rate):
    return lambda quantity, entry, margin, floor, low, high: (
        (quantity * entry - margin + taken(floor, low, high))
        / (quantity * (1 - rate(low, high)))
    )


solo = Exercise(
    "04-tiers",
    truth=tiered,
    cases=[
        dict(
            quantity=40.0,
            entry=50_000,
            margin=250_000.0,
            floor=500_000,
            low=0.01,
            high=0.03,
        ),
        dict(
            quantity=30.0,
            entry=20_000,
            margin=90_000.0,
            floor=200_000,
            low=0.005,
            high=0.02,
        ),
    ],
    slips=[
        (
            root(lambda floor, low, high: 0, lambda low, high: high),
            "The higher rate holds only for the part above the floor.",
        ),
        (
            root(lambda floor, low, high: 0, lambda low, high: low),
            "Above the floor the higher rate holds.",
        ),
        (
            root(
                lambda floor, low, high: floor * (high - low),
                lambda low, high: high,
            ),
            "What the lower tier saves makes the requirement smaller, "
            "and the line lower.",
        ),
        (
            root(
                lambda floor, low, high: floor * low,
                lambda low, high: high,
            ),
            "The part above is worth P * quantity - floor: take the "
            "floor off before the higher rate.",
        ),
        (
            root(
                lambda floor, low, high: -floor * (high - low),
                lambda low, high: low,
            ),
            "What is saved is right, but each dollar above the floor is "
            "charged at the higher rate.",
        ),
        (
            root(
                lambda floor, low, high: -floor * low,
                lambda low, high: high,
            ),
            "The part below the floor saves high - low, not low.",
        ),
        (
            lambda quantity, entry, margin, floor, low, high: (
                (quantity * entry + margin - floor * (high - low))
                / (quantity * (1 - high))
            ),
            "The margin bears the loss: take it off.",
        ),
        (
            lambda quantity, entry, margin, floor, low, high: (
                entry - margin / quantity
            ),
            "That is bankruptcy: where is the requirement?",
        ),
        (
            lambda quantity, entry, margin, floor, low, high: (
                (
                    quantity * entry
                    - margin
                    + low * floor
                    + high * (quantity * entry - floor)
                )
                / quantity
            ),
            "The requirement is that of the price at the line, not of "
            "the entry.",
        ),
        (
            root(
                lambda floor, low, high: -floor * high,
                lambda low, high: high,
            ),
            "And the first part, at the low rate?",
        ),
        (
            root(
                lambda floor, low, high: -floor * (high - low),
                lambda low, high: 0,
            ),
            "The requirement moves with P: collect both terms of P.",
        ),
        (
            root(
                lambda floor, low, high: -floor * (high - low),
                lambda low, high: -high,
            ),
            "Look at the sign of the higher rate: a requirement makes "
            "the line come sooner.",
        ),
    ],
)


bank = Exercise(
    "04-bank",
    truth=lambda loan, price, cover: loan - price - cover,
    cases=[
        dict(loan=400_000.0, price=310_000.0, cover=50_000.0),
        dict(loan=250_000.0, price=205_000.0, cover=20_000.0),
    ],
    slips=[
        (
            lambda loan, price, cover: loan - price,
            "The insurer pays first, up to the cover.",
        ),
        (
            lambda loan, price, cover: price + cover - loan,
            "A loss is a positive number here.",
        ),
        (
            lambda loan, price, cover: loan - price + cover,
            "The cover makes the loss smaller.",
        ),
        (
            lambda loan, price, cover: loan - cover,
            "The house was sold: what did it bring?",
        ),
    ],
)
