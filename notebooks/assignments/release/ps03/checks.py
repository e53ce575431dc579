"""Problem set 3: the figures of a student, and what the checks know."""

from math import ceil

from marginlab import (
    Account,
    Funding,
    Perpetual,
    Position,
    Tiers,
    funding,
    venues,
)
from marginlab.lesson import Search, Task

FACE = 100  # USD a contract of the student's own short


def figures(my):
    """A short: contracts of 100 USD, USD, BTC and three rates."""
    contracts = my.number("contracts", 5_000, 30_000, 500)
    entry = my.number("entry", 40_000, 70_000, 500)
    rise = my.number("rise", 0.04, 0.07, 0.005)
    short = {
        "contracts": contracts,
        "entry": entry,
        "price": round(entry * (1 + rise), -1),
        "maintenance": my.number("maintenance", 0.004, 0.008, 0.001),
    }
    rate = -my.number("rate", 0.0008, 0.0012, 0.0001)
    coins = contracts * FACE / entry
    held = opened(**short, own=coins, isolated=coins)["BTC-USD"]
    # A little more than whole: one who rounds, or asks for a share of the
    # worth at the entry, gets one payment less.
    lasts = my.number("payments", 60, 140, 1) - 0.9
    margin = coins - held.slack() + lasts * funding.due(held, rate)
    times = my.number("times", 1.5, 2, 0.1)
    return short | {
        "margin": round(margin, 4),
        "balance": round(margin * times, 2),
        "rate": rate,
    }


# ------------------------------------------------------------- one payment


def payment(side, contracts, face, inverse, price, margin, rate):
    settle = "BTC" if inverse else "USDT"
    perp = Perpetual("T", "BTC", settle, face=face)
    held = Position(perp, side * contracts, price)
    return float(funding.payments(held, rate, price))


LINEAR = dict(face=0.01, inverse=0)
PAYMENTS = [
    LINEAR
    | dict(side=1, contracts=800, price=52e3, margin=60e3, rate=0.0003),
    LINEAR
    | dict(side=-1, contracts=350, price=61e3, margin=25e3, rate=0.0002),
    dict(
        side=1,
        contracts=90_000,
        face=10,
        inverse=1,
        price=64e3,
        margin=2.5,
        rate=-0.0004,
    ),
    dict(
        side=-1,
        contracts=4_000,
        face=100,
        inverse=1,
        price=45e3,
        margin=0.008,
        rate=-0.0012,
    ),
]


# -------------------------------------------------------------- the short


def opened(contracts, entry, price, maintenance, own, isolated=None):
    """The account with the short, marked at the price it rose to."""
    tiers = Tiers.flat(maintenance)
    perp = Perpetual("BTC-USD", "BTC", "BTC", face=FACE, tiers=tiers)
    me = Account(venues.TEACHING, BTC=own).mark(BTC=entry)
    me = me.trade(perp, -contracts, entry, isolated=isolated)
    return me.mark(BTC=price)


def ends_with(margin, rate, balance, **short):
    me = opened(**short, own=margin, isolated=margin)
    return funding.payments_left(me["BTC-USD"], rate)


def slipped(counted=1, worth="price", on_margin=False, up=ceil, **b):
    """Payments where PnL is counted so often, at another worth."""
    size = b["contracts"] * FACE / b["price"]
    pnl = size - b["contracts"] * FACE / b["entry"]
    room = b["margin"] + counted * pnl - b["maintenance"] * size
    paid_on = b["contracts"] * FACE / b[worth]
    return up(room / -b["rate"] / (b["margin"] if on_margin else paid_on))


def shown_less(mine):
    """Is the short open in cross then, with less than isolated?"""
    short = {
        name: mine[name]
        for name in ("contracts", "entry", "price", "maintenance")
    }

    def after(payments, isolated=None):
        me = opened(**short, own=mine["balance"], isolated=isolated)
        paid = me.pay_funding("BTC-USD", mine["rate"], periods=payments)
        return paid.at()

    def shows(payments):
        if payments != int(payments):
            return False, "Payments are counted in whole numbers."
        cross, apart = after(payments), after(payments, mine["margin"])
        both = [sum(p.equity() for p in a.pools) for a in (apart, cross)]
        kept = "Isolated leaves {:.4f} BTC, cross {:.4f}".format(*both)
        if cross.liquidations:
            return False, f"{kept}: it is closed in cross as well."
        if not apart.liquidations:
            return False, f"{kept}: it is still open in both modes."
        if both[1] >= both[0]:
            return False, f"{kept}: there your colleague is right."
        return True, f"{kept}, although it is open there: that is less."

    return shows


def poor_cases(mine):
    """Cases that do not do, and a part of what is said to each."""
    last = ends_with(**mine)
    return [
        (dict(payments=10), "open in both modes"),
        (dict(payments=last - 1), "open in both modes"),
        (dict(payments=last), "colleague is right"),
        (dict(payments=last + 0.5), "whole numbers"),
        (dict(payments=10 * last), "closed in cross as well"),
    ]


# ---------------------------------------------------------------- the line


def line(side, coins, entry, margin, maintenance, rate, payments):
    tiers = Tiers.flat(maintenance)
    perp = Perpetual("BTC-USDT", "BTC", "USDT", tiers=tiers)
    me = Account(venues.TEACHING, USDT=margin).mark(BTC=entry)
    me = me.trade(perp, side * coins, entry, isolated=margin)
    me = me.pay_funding(perp, rate, periods=payments)
    return me[perp].liquidation().price


LINES = [
    dict(
        side=1,
        coins=4.0,
        entry=50e3,
        margin=60e3,
        maintenance=0.01,
        rate=0.0025,
        payments=12,
    ),
    dict(
        side=-1,
        coins=2.0,
        entry=44e3,
        margin=12e3,
        maintenance=0.01,
        rate=0.0004,
        payments=90,
    ),
    dict(
        side=-1,
        coins=7.5,
        entry=62e3,
        margin=80e3,
        maintenance=0.004,
        rate=-0.001,
        payments=45,
    ),
]


# ----------------------------------------------------------- a capped rate


def yearly(premium, interest, damper, cap, hours):
    rule = Funding(
        interval=hours, interest=interest, damper=damper, cap=cap
    )
    return rule.annual(rule.rate(premium))


def uncapped(premium, interest, damper, cap, hours):
    rule = Funding(interval=hours, interest=interest, damper=damper)
    return rule.rate(premium)


def capped_year(cap, hours, **premium):
    year = uncapped(cap=cap, hours=hours, **premium) * 24 / hours * 365
    return min(max(year, -cap), cap)


CAPS = [
    dict(
        premium=0.0019,
        interest=0.0002,
        damper=0.0004,
        cap=0.002,
        hours=2,
    ),
    dict(
        premium=-0.021,
        interest=0.0001,
        damper=0.0005,
        cap=0.003,
        hours=4,
    ),
    dict(
        premium=0.0425,
        interest=0.0003,
        damper=0.0006,
        cap=0.004,
        hours=1,
    ),
]
ON_MARGIN = "A payment is a share of the position, not of its margin."


def tasks(mine):
    """The tasks by name, for the figures of one student."""
    return {
        "payment": Task(
            "ps03-payment",
            truth=payment,
            cases=PAYMENTS,
            slips=[
                (
                    lambda side, margin, rate, **_: side * margin * rate,
                    ON_MARGIN,
                ),
                (
                    lambda **b: min(payment(**b), b["margin"]),
                    "The payment is due whole, also where it is more than "
                    "the margin.",
                ),
                (
                    lambda **b: payment(**b | {"face": 1}),
                    "That counts contracts as if each were 1: use `face`.",
                ),
                (
                    lambda **b: payment(**b | {"side": 1}),
                    "That is what a long pays. Who holds the other side?",
                ),
                (
                    lambda **b: payment(**b | {"rate": abs(b["rate"])}),
                    "A negative rate turns it round: its sign is lost.",
                ),
                (
                    lambda **b: payment(**b | {"side": -b["side"]}),
                    "The sign: with a positive rate longs pay, and what "
                    "you pay is above zero.",
                ),
                (
                    lambda **b: payment(**b | {"inverse": 0}),
                    "That is the linear rule. An inverse contract is "
                    "`face` USD, and pays in coins.",
                ),
                (
                    lambda **b: payment(**b | {"inverse": 1}),
                    "That is the inverse rule. A linear contract is "
                    "`face` coins, and pays in USDT.",
                ),
                (
                    lambda **b: payment(**b) * b["price"],
                    "Those are dollars: this contract is settled in "
                    "coins.",
                ),
            ],
        ),
        "ends_with": Task(
            "ps03-ends-with",
            truth=ends_with,
            cases=[mine],
            slips=[
                (
                    lambda **b: ends_with(**b) - 1,
                    "After so many it is still open: the next one ends "
                    "it. (And is what is required a share of the worth at "
                    "`price`?)",
                ),
                (
                    lambda **b: slipped(counted=0, **b),
                    "The unrealised loss is missing: the price has risen "
                    "since the entry.",
                ),
                (
                    lambda **b: slipped(counted=-1, **b),
                    "A short loses when the price rises: a sign.",
                ),
                (
                    lambda **b: slipped(**b | {"maintenance": 0}),
                    "That is where nothing is left. The requirement has "
                    "to stay.",
                ),
                (
                    lambda **b: slipped(
                        **b | {"maintenance": -b["maintenance"]}
                    ),
                    "The requirement comes off, it adds nothing.",
                ),
                (
                    lambda **b: slipped(worth="entry", **b),
                    "Funding is charged on what the position is worth "
                    "now, not at its entry.",
                ),
                (
                    lambda **b: slipped(on_margin=True, **b),
                    ON_MARGIN,
                ),
                (
                    lambda **b: slipped(up=float, **b),
                    "A payment is made whole or not at all: with which "
                    "is the line reached?",
                ),
            ],
        ),
        "line": Task(
            "ps03-line",
            truth=line,
            cases=LINES,
            slips=[
                (
                    lambda payments, rate, side, margin, **b: line(
                        payments=0,
                        rate=rate,
                        side=side,
                        margin=min(
                            margin,
                            margin
                            - side
                            * rate
                            * payments
                            * b["coins"]
                            * b["entry"],
                        ),
                        **b,
                    ),
                    "What comes in counts as well: it adds to the margin.",
                ),
                (
                    lambda payments, rate, side, margin, **b: line(
                        payments=0,
                        rate=rate,
                        side=side,
                        margin=margin
                        - side * rate * payments * b["coins"],
                        **b,
                    ),
                    "The payments are counted in coins there: in USDT "
                    "they are a share of coins times price.",
                ),
                (
                    lambda **b: line(**b | {"payments": 0}),
                    "That is the line before the payments.",
                ),
                (
                    lambda **b: line(**b | {"payments": 1}),
                    "That is the line after a single payment.",
                ),
                (
                    lambda **b: line(**b | {"rate": abs(b["rate"])}),
                    "At a negative rate it is the shorts who pay.",
                ),
                (
                    lambda **b: line(
                        **b | {"rate": b["rate"] * b["side"]}
                    ),
                    "A short receives what a long pays.",
                ),
                (
                    lambda **b: line(**b | {"rate": -b["rate"]}),
                    "The payments go the wrong way: who pays whom?",
                ),
                (
                    lambda margin, rate, payments, side, **b: line(
                        margin=margin * (1 - side * rate * payments),
                        rate=rate,
                        payments=0,
                        side=side,
                        **b,
                    ),
                    ON_MARGIN,
                ),
                (
                    lambda **b: line(**b | {"maintenance": 0}),
                    "That is the bankruptcy price: no requirement in it.",
                ),
                (
                    lambda maintenance, side, **b: (
                        line(maintenance=0, side=side, **b)
                        / (1 - maintenance)
                    ),
                    "For a short the requirement counts the other way.",
                ),
                (
                    lambda maintenance, side, **b: (
                        line(maintenance=0, side=side, **b)
                        * (1 + side * maintenance)
                    ),
                    "Multiplying by 1 + maintenance is not dividing by "
                    "1 - maintenance: solve the equation once more.",
                ),
                (
                    lambda maintenance, side, **b: (
                        line(maintenance=0, side=side, **b)
                        / (1 + side * maintenance)
                    ),
                    "The requirement makes the end come earlier: look at "
                    "its sign.",
                ),
                (
                    lambda maintenance, side, **b: (
                        line(maintenance=0, side=side, **b)
                        + side * maintenance * b["entry"]
                    ),
                    "The requirement is on the worth at the line, not at "
                    "the entry.",
                ),
            ],
        ),
        "yearly": Task(
            "ps03-yearly",
            truth=yearly,
            cases=CAPS,
            slips=[
                (
                    lambda **b: uncapped(**b) * 24 / b["hours"] * 365,
                    "A bound is missing: the rate stops at cap, and at "
                    "-cap.",
                ),
                (
                    lambda **b: abs(yearly(**b)),
                    "Its sign is lost: below zero a long receives.",
                ),
                (
                    capped_year,
                    "The cap is on each payment, not on the year.",
                ),
                (
                    lambda cap, hours, **b: yearly(
                        cap=cap * hours / 8, hours=hours, **b
                    ),
                    "Take hours/8 of the rate first; then the cap holds "
                    "for each payment, as it is.",
                ),
                (
                    lambda hours, **b: (
                        yearly(hours=hours, **b) * hours / 8
                    ),
                    "Three payments a day are those of every eight hours.",
                ),
                (
                    lambda hours, **b: (
                        yearly(hours=hours, **b) * hours**2 / 24
                    ),
                    "In a day there are not as many payments as hours "
                    "between two of them.",
                ),
                (
                    lambda hours, **b: (
                        yearly(hours=hours, **b) * hours / 24
                    ),
                    "That is one payment a day.",
                ),
                (
                    lambda **b: yearly(**b) / 365,
                    "That is one day of it.",
                ),
                (
                    lambda **b: yearly(**b) / 365 / 24 * b["hours"],
                    "That is one payment.",
                ),
            ],
        ),
        "breaks_it": Search(
            "ps03-breaks-it",
            shows=shown_less(mine),
            ranges={"payments": (0, 100_000)},
            slips=poor_cases(mine),
        ),
    }
