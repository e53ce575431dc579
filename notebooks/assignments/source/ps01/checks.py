"""Problem set 1: the figures of a student, and what the checks know."""

from marginlab import Account, Perpetual, Tiers, venues
from marginlab.lesson import Search, Task

FACE = 100  # USD a contract


def figures(my):
    """A long: contracts of 100 USD, entry in USD, margin in BTC."""
    contracts = my.number("contracts", 5_000, 30_000, 500)
    entry = my.number("entry", 40_000, 70_000, 500)
    leverage = my.number("leverage", 4, 8, 0.25)
    return {
        "contracts": contracts,
        "entry": entry,
        "margin": round(contracts * FACE / entry / leverage, 2),
        "rate": my.number("rate", 0.025, 0.04, 0.0025),
    }


def opened(contracts, entry, margin, rate):
    tiers = Tiers.flat(rate)
    perp = Perpetual("BTC-USD", "BTC", "BTC", face=FACE, tiers=tiers)
    me = Account(venues.TEACHING, BTC=margin).mark(BTC=entry)
    return me.trade(perp, contracts, entry, isolated=margin)


def price(**position):
    """Where the venue closes the position, USD."""
    return opened(**position)["BTC-USD"].liquidation().price


def lost(price, **position):
    """What the owner has lost when the venue has looked, BTC."""
    after = opened(**position).at(BTC=price)
    return position["margin"] - sum(p.equity() for p in after.pools)


def by_hand(contracts, entry, margin, rate, sign=1):
    usd = contracts * FACE
    return (usd + sign * rate * abs(usd)) / (margin + usd / entry)


def colleague(contracts, entry, margin, rate):
    return by_hand(
        contracts, entry, margin, rate * (1 if contracts > 0 else -1)
    )


def divided(contracts, entry, margin, rate, side=1):
    """The line where one divides by 1 - side * rate; `side` is 1 or -1."""
    bankruptcy = by_hand(contracts, entry, margin, rate=0)
    return bankruptcy / (1 - side * rate)


def pnl(contracts, entry, price):
    return contracts * FACE * (1 / entry - 1 / price)


def closed_at(line):
    """A slip of `lost`: line(**position) closes it."""

    def slip(contracts, entry, margin, rate, price):
        held = dict(contracts=contracts, entry=entry, margin=margin)
        if price <= line(**held, rate=rate):
            return margin
        return -pnl(contracts, entry, price)

    return slip


def instead(answer):
    """A slip of `lost`: where it is closed, something else is answered."""
    return lambda **case: (
        answer(**case) if lost(**case) == case["margin"] else lost(**case)
    )


def shown_wrong(**position):
    """Is it a case in which the colleague is wrong?"""
    if position["contracts"] == 0:
        return False, "Without contracts there is nothing to close."
    try:
        found = opened(**position)["BTC-USD"].liquidation()
    except ValueError as error:
        return False, f"The venue would not open that: {error}."
    true = found.below.price or found.above.price
    if true is None:
        return False, (
            "No price closes that position: the margin is as large as "
            "the short. Take less margin."
        )
    said = colleague(**position)
    if abs(said / true - 1) < 1e-9:
        return False, (
            "There it is right. What sort of position did your colleague "
            "perhaps not think of?"
        )
    return (
        True,
        f"It says {said:,.0f} USD; the venue closes at {true:,.0f}.",
    )


LONGS = [
    dict(contracts=8_000, entry=40_000.0, margin=4.0, rate=0.005),
    dict(contracts=300, entry=64_000.0, margin=0.2, rate=0.01),
]
CHEAP = dict(contracts=500, entry=4_000.0, margin=2.0, rate=0.01)
SHORTS = [
    dict(contracts=-7_000, entry=35_000.0, margin=3.0, rate=0.006),
    dict(contracts=-450, entry=58_000.0, margin=0.1, rate=0.008),
]
NO_NEED = "That is the bankruptcy price: no requirement in it."
LATER = (
    "The requirement makes the end come earlier, not later: look at the "
    "sign of the rate."
)


def tasks(mine):
    """The tasks by name, for the figures of one student."""
    size = {name: mine[name] for name in ("contracts", "entry")}
    return {
        "size": Task(
            "ps01-size",
            truth=lambda contracts, entry: contracts * FACE / entry,
            cases=[size],
            slips=[
                (
                    lambda contracts, entry: contracts * FACE,
                    "Those are dollars: how many BTC are that at entry?",
                ),
                (
                    lambda contracts, entry: contracts / entry,
                    "A contract is 100 USD, not 1.",
                ),
                (
                    lambda contracts, entry: contracts,
                    "Those are contracts: each stands for 100 USD.",
                ),
            ],
        ),
        "liquidation": Task(
            "ps01-liquidation",
            truth=price,
            cases=[mine],
            slips=[
                (lambda **p: by_hand(**p | {"rate": 0}), NO_NEED),
                (lambda **p: by_hand(**p, sign=-1), LATER),
                (
                    lambda **p: by_hand(
                        **p | {"contracts": -p["contracts"]}
                    ),
                    "That is where a short would be closed.",
                ),
                (
                    lambda **p: by_hand(**p | {"rate": p["rate"] / 100}),
                    "Hardly any requirement in it: `rate` is a fraction "
                    "already, not per cent.",
                ),
                (
                    divided,
                    "Dividing by 1 - rate is not multiplying by 1 + rate: "
                    "solve the equation once more.",
                ),
                (
                    lambda contracts, entry, margin, rate: (
                        entry * (1 - margin * entry / contracts / FACE)
                    ),
                    "That would use up a margin counted in dollars. This "
                    "one is in coins, which fall as well.",
                ),
                (
                    lambda contracts, entry, margin, rate: (
                        entry
                        * (1 - margin * entry / contracts / FACE + rate)
                    ),
                    "A requirement on the entry, and a margin in dollars: "
                    "here both are counted in coins, at the price.",
                ),
                (
                    lambda contracts, entry, margin, rate: (
                        entry
                        * (1 - margin * entry / contracts / FACE)
                        / (1 - rate)
                    ),
                    "That is the rule for a contract settled in dollars; "
                    "this one pays in coins.",
                ),
            ],
        ),
        "lost": Task(
            "ps01-lost",
            truth=lost,
            cases=[
                CHEAP | {"price": 3_800.0},
                LONGS[0] | {"price": 37_000.0},
                LONGS[1] | {"price": 40_000.0},
                LONGS[0] | {"price": 33_400.0},
                LONGS[0] | {"price": 33_490.0},
                LONGS[1] | {"price": 70_000.0},
                LONGS[0] | {"price": 34_000.0},
                LONGS[0] | {"rate": 0.05, "price": 34_900.0},
                LONGS[0] | {"rate": 0.05, "price": 35_040.0},
            ],
            slips=[
                (
                    lambda contracts, entry, margin, rate, price: (
                        margin
                        if margin + pnl(contracts, entry, price)
                        <= rate * contracts * FACE / entry
                        else -pnl(contracts, entry, price)
                    ),
                    "The requirement counts what the position is worth at "
                    "the price, not at the entry.",
                ),
                (
                    lambda contracts, entry, margin, rate, price: min(
                        margin, -pnl(contracts, entry, price)
                    ),
                    "Closed before the margin was used up: our venue's "
                    "insurance fund keeps what is left. (If you have a "
                    "requirement in it, look at its sign and size.)",
                ),
                (
                    closed_at(
                        lambda **p: by_hand(**p | {"rate": mine["rate"]})
                    ),
                    "The figures of this position are the arguments: use "
                    "`rate`, and not your own.",
                ),
                (
                    closed_at(divided),
                    "Dividing by 1 - rate is not multiplying by 1 + rate: "
                    "compare equity and requirement at the price.",
                ),
                (
                    lambda contracts, entry, margin, rate, price: (
                        contracts * FACE * (1 - price / entry) / entry
                    ),
                    "Dollars lost, divided by the entry: an inverse "
                    "contract pays coins at the new price.",
                ),
                (
                    instead(lambda **_: 0.0),
                    "Where it is closed, the margin is lost.",
                ),
                (
                    instead(
                        lambda margin, rate, **held: margin + pnl(**held)
                    ),
                    "That is what is left of the margin at the closing: "
                    "the fund keeps it.",
                ),
                (
                    lambda contracts, entry, margin, rate, price: (
                        -pnl(contracts, entry, price)
                    ),
                    "More than the margin: the cap is missing.",
                ),
                (
                    lambda **case: max(0.0, lost(**case)),
                    "A gain is a loss below zero: do not cut it off.",
                ),
                (
                    lambda contracts, entry, margin, rate, price: pnl(
                        contracts, entry, price
                    ),
                    "The sign: what is lost is above zero.",
                ),
                (
                    closed_at(lambda **p: price(**mine)),
                    "The line is that of this position: work it out "
                    "inside the function.",
                ),
            ],
        ),
        "breaks_it": Search(
            "ps01-breaks-it",
            shows=shown_wrong,
            ranges={
                "contracts": (-1_000_000, 1_000_000),
                "entry": (1_000, 1_000_000),
                "margin": (0.001, 10_000),
                "rate": (0.001, 0.05),
            },
            slips=[
                (LONGS[0], "There it is right"),
                (SHORTS[0] | {"margin": 30.0}, "No price closes"),
                (SHORTS[0] | {"margin": 20.0}, "No price closes"),
                (SHORTS[0] | {"contracts": 0}, "nothing to close"),
                (SHORTS[0] | {"margin": 0.01}, "The venue would not open"),
            ],
        ),
        "repaired": Task(
            "ps01-repaired",
            truth=price,
            cases=[SHORTS[0], LONGS[0], SHORTS[1], LONGS[1]],
            slips=[
                (
                    colleague,
                    "That is what your colleague's function says: shorts "
                    "are still closed too late.",
                ),
                (lambda **p: by_hand(**p | {"rate": 0}), NO_NEED),
                (
                    lambda **p: divided(
                        **p, side=1 if p["contracts"] > 0 else -1
                    ),
                    "Dividing by 1 + rate is not multiplying by 1 - rate: "
                    "solve the equation once more.",
                ),
                (
                    lambda **p: by_hand(
                        **p | {"contracts": abs(p["contracts"])}
                    ),
                    "That is where the long would be closed.",
                ),
                (
                    lambda **p: by_hand(
                        **p | {"rate": -p["rate"]},
                        sign=1 if p["contracts"] > 0 else -1,
                    ),
                    "Shorts are right now, or at least changed; longs are "
                    "closed too late.",
                ),
            ],
        ),
    }
