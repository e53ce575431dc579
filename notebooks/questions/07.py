"""Lesson 07: the truth of its exercises, and a word on each slip."""

import marginlab as ml
from marginlab import Future, Perpetual, Tiers, venues
from marginlab.lesson import Exercise


def coin_pool(coins, haircut, size, entry, price, loan, rate):
    debt = ml.Asset(loan=Tiers.flat(loan))
    assets = {
        "BTC": ml.Asset(haircut=haircut),
        "USDT": debt,
        "USD": debt,
    }
    contract = Perpetual("T", "BTC", "USDT", tiers=Tiers.flat(rate))
    return ml.Pool(
        "USD",
        {"BTC": coins},
        [ml.Position(contract, size, entry)],
        ml.replace(venues.TEACHING_UNIFIED, assets=assets),
    ).slack(BTC=price)


def by_hand(coins, haircut, size, entry, price, loan, rate, **how):
    counted = (1 - haircut) * coins * how.get("coin", price)
    lost = size * (entry - price) * how.get("sign", 1)
    asked = rate * size * how.get("on", price) + loan * lost
    return counted - lost - asked * how.get("asked", 1)


faded = Exercise(
    "07-slack",
    truth=coin_pool,
    cases=[
        dict(
            coins=3.0,
            haircut=0.15,
            size=5.0,
            entry=40e3,
            price=33e3,
            loan=0.06,
            rate=0.01,
        ),
        dict(
            coins=7.0,
            haircut=0.2,
            size=4.0,
            entry=52e3,
            price=41e3,
            loan=0.1,
            rate=0.02,
        ),
    ],
    slips=[
        (
            lambda **b: by_hand(**b, asked=0),
            "That is equity: the requirement has to come off.",
        ),
        (
            lambda **b: by_hand(**b, asked=-1),
            "The requirement comes off; it is not added.",
        ),
        (
            lambda **b: by_hand(**b | {"loan": 0.0}),
            "The open loss is owed, and a debt requires something too.",
        ),
        (
            lambda **b: by_hand(**b | {"rate": 0.0}),
            "The perpetual requires something as well as the debt.",
        ),
        (
            lambda **b: by_hand(**b | {"haircut": 0.0}),
            "The haircut is missing: a coin counts for less than its "
            "worth.",
        ),
        (
            lambda **b: by_hand(**b | {"haircut": 1 - b["haircut"]}),
            "The haircut is what does not count of a coin.",
        ),
        (
            lambda **b: by_hand(**b, coin=b["entry"]),
            "The coins have fallen as well: they count at the price.",
        ),
        (
            lambda **b: by_hand(**b, on=b["entry"]),
            "The perpetual requires a share of its worth at the price.",
        ),
        (
            lambda **b: by_hand(**b, sign=-1),
            "The price is below the entry: a long has lost.",
        ),
        (
            lambda **b: -by_hand(**b),
            "Equity less requirement, with its sign: turn it round.",
        ),
    ],
)


def scan_of(size, perp, future, move, least):
    rule = ml.Scan.grid((-move, 0.0, move), hedged=least)
    venue = ml.replace(venues.TEACHING_PORTFOLIO, scan=rule)
    legs = [
        ml.Position(Perpetual("P", "BTC", "USDT"), size, perp),
        ml.Position(Future("F", "BTC", "USDT", expiry=90), -size, future),
    ]
    marks = {"BTC": perp, "F": future}
    return float(
        ml.Pool("USD", {"USDT": 1e6}, legs, venue, marks).requirement()
    )


solo = Exercise(
    "07-scan",
    truth=scan_of,
    cases=[
        dict(size=20.0, perp=30e3, future=31.5e3, move=0.2, least=0.004),
        dict(size=8.0, perp=60.9e3, future=60e3, move=0.1, least=0.006),
        dict(size=12.0, perp=45e3, future=43.2e3, move=0.15, least=0.001),
        dict(size=5.0, perp=20e3, future=20.2e3, move=0.12, least=0.009),
    ],
    slips=[
        (
            lambda size, perp, future, move, least: (
                size * abs(future - perp) * move
                + least * size * min(perp, future)
            ),
            "It is the larger of the two, not both together.",
        ),
        (
            lambda size, perp, future, move, least: size * perp * move,
            "That is the perpetual alone: the future moves as well.",
        ),
        (
            lambda size, perp, future, move, least: (
                size * (perp + future) * move
            ),
            "One of the legs gains while the other loses.",
        ),
        (
            lambda size, perp, future, move, least: (
                size * abs(future - perp)
            ),
            "Both prices move by a share of themselves: where is the "
            "move?",
        ),
        (
            lambda size, perp, future, move, least: (
                abs(future - perp) * move
            ),
            "That is for one coin: how many are there?",
        ),
        (
            lambda size, perp, future, move, least: (
                least * size * min(perp, future)
            ),
            "The larger counts: the worse loss is more than the least.",
        ),
    ],
)


def together(sun, empty, rain, idle):
    return max(empty - sun, idle - rain, 0.0)


deposit = Exercise(
    "07-deposit",
    truth=lambda sun, empty, rain, idle: (
        empty + idle - together(sun, empty, rain, idle)
    ),
    cases=[
        dict(sun=50.0, empty=80.0, rain=22.0, idle=40.0),
        dict(sun=60.0, empty=75.0, rain=55.0, idle=90.0),
        dict(sun=100.0, empty=70.0, rain=95.0, idle=45.0),
    ],
    slips=[
        (
            together,
            "That is the deposit for both together: how much lower is it?",
        ),
        (
            lambda sun, empty, rain, idle: empty + idle,
            "That is the deposit for each alone; both together need some.",
        ),
        (
            lambda sun, empty, rain, idle: sun + rain,
            "Only one of the summers comes: take the worse of the two.",
        ),
        (
            lambda sun, empty, rain, idle: (
                max(empty, idle) - together(sun, empty, rain, idle)
            ),
            "Alone, each has a worst summer of its own: add both.",
        ),
        (
            lambda sun, empty, rain, idle: (
                together(sun, empty, rain, idle) - empty - idle
            ),
            "Turn it round: how much lower, not how much higher.",
        ),
    ],
)
