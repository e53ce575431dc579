"""Problem set 7: the figures of a student, and what the checks know."""

from marginlab import (
    Asset,
    Future,
    Perpetual,
    Pool,
    Position,
    Scan,
    Tiers,
    replace,
    venues,
)
from marginlab.lesson import Search, Task


def figures(my):
    """A long on coins, and a perpetual against a dated future."""
    coins = my.number("coins", 2, 6, 0.5)
    entry = my.number("entry", 40_000, 70_000, 1_000)
    rate = my.number("rate", 0.004, 0.01, 0.001)
    legs = my.number("legs", 5, 20, 1)
    future = round(my.number("up", 1.01, 1.04, 0.005) * entry, -1)
    needs = rate * legs * (entry + future)
    spare = my.number("spare", 0.01, 0.03, 0.0025) * legs * entry
    return {
        "coins": coins,
        "haircut": my.number("haircut", 0.05, 0.2, 0.025),
        "size": my.number("k", 1.5, 2.5, 0.25) * coins,
        "entry": entry,
        "loan": my.number("loan", 0.05, 0.1, 0.01),
        "rate": rate,
        "legs": legs,
        "future": future,
        "cash": round(needs + spare, -2),
    }


LONG = ("coins", "haircut", "size", "entry", "loan", "rate")
CARRY = ("legs", "entry", "future", "cash", "rate")

# ------------------------------------------------------------- the truth


def perpetual(rate):
    return Perpetual("A-USDT", "A", "USDT", tiers=Tiers.flat(rate))


def dated(rate):
    tiers = Tiers.flat(rate)
    return Future("A-Q", "A", "USDT", tiers=tiers, expiry=90)


def line(coins, haircut, size, entry, loan, rate):
    """The price at which the pool of coins is closed, USD."""
    debt = Asset(loan=Tiers.flat(loan))
    assets = {"A": Asset(haircut=haircut), "USDT": debt, "USD": debt}
    venue = replace(venues.TEACHING_UNIFIED, assets=assets)
    held = [Position(perpetual(rate), size, entry)]
    return Pool("USD", {"A": coins}, held, venue).liquidation("A").price


def cash_for(**book):
    """USDT that bring the same long to the same end."""
    held = [Position(perpetual(book["rate"]), book["size"], book["entry"])]
    pool = Pool("USDT", {"USDT": 0.0}, held, venues.TEACHING)
    return pool.margin_for(liquidation=line(**book))


def closed_at(legs, entry, future, cash, rate):
    """The price of the future at which a sum closes both legs, USD."""
    held = [
        Position(perpetual(rate), legs, entry),
        Position(dated(rate), -legs, future),
    ]
    marks = {"A": entry, "A-Q": future}
    venue = venues.TEACHING_UNIFIED
    pool = Pool("USD", {"USDT": cash}, held, venue, marks)
    step = 0.5 * cash / legs
    here, there = pool.slack(), pool.slack({"A-Q": future + step})
    return float(future + step * here / (here - there))


def scan_asks(long, short, perp, future, move, least):
    """What the scan asks of a long perpetual and a short future, USD."""
    rule = Scan.grid((-move, 0.0, move), hedged=least)
    venue = replace(venues.TEACHING_PORTFOLIO, scan=rule)
    held = [
        Position(perpetual(0.01), long, perp),
        Position(dated(0.01), -short, future),
    ]
    marks = {"A": perp, "A-Q": future}
    pool = Pool("USD", {"USDT": 1e6}, held, venue, marks)
    return float(pool.requirement())


# ------------------------------------------------------------- wrong ones


def by_hand(coins, haircut, size, entry, loan, rate, **how):
    counted = (1 - haircut) * coins
    owed = (1 + loan) * size
    return owed * entry / (counted + owed - rate * size)


def sum_end(legs, entry, future, cash, rate, **how):
    asked = rate * legs * how.get("perp", entry)
    fixed = cash + legs * future - asked
    return fixed / (legs * (1 + how.get("on", rate)))


def worse(long, short, perp, future, move, least):
    return abs(long * perp - short * future) * move


def floor(long, short, perp, future, move, least):
    return least * min(long * perp, short * future)


def still_more(book):
    """Says whether half is hedged and the scan asks five times the sum."""

    def both(short):
        if short * book["future"] < 0.5 * book["legs"] * book["entry"]:
            return False, "Less than half of the long is hedged there."
        if short > book["legs"]:
            return False, "The short is larger than the long."
        held = [
            Position(perpetual(book["rate"]), book["legs"], book["entry"]),
            Position(dated(book["rate"]), -short, book["future"]),
        ]
        marks = {"A": book["entry"], "A-Q": book["future"]}
        total, scanned = (
            Pool("USD", {"USDT": 1e6}, held, venue, marks).requirement()
            for venue in (
                venues.TEACHING_UNIFIED,
                venues.TEACHING_PORTFOLIO,
            )
        )
        said = f"The sum asks {total:,.0f}, the scan {scanned:,.0f}"
        if scanned < 5 * total:
            return False, f"{said}: that is not five times as much."
        return True, f"{said}, and half of it is hedged."

    return both


def tasks(mine):
    """The tasks by name, for the figures of one student."""
    book = {name: mine[name] for name in LONG}
    carry = {name: mine[name] for name in CARRY}
    return {
        "line": Task(
            "ps07-line",
            truth=line,
            cases=[book],
            slips=[
                (
                    lambda **book: by_hand(**book | {"haircut": 0.0}),
                    "The haircut is missing: a coin counts for less than "
                    "its worth.",
                ),
                (
                    lambda **book: by_hand(
                        **book | {"haircut": 1 - book["haircut"]}
                    ),
                    "The haircut is what does not count of a coin.",
                ),
                (
                    lambda **book: by_hand(**book | {"loan": 0.0}),
                    "The open loss is owed: a debt requires something.",
                ),
                (
                    lambda **book: by_hand(**book | {"rate": 0.0}),
                    "The perpetual requires something as well.",
                ),
                (
                    lambda **book: by_hand(
                        **book | {"rate": -book["rate"]}
                    ),
                    "A requirement brings the end nearer: look at the "
                    "sign.",
                ),
                (
                    lambda coins, haircut, size, entry, loan, rate: (
                        (size - (1 - haircut) * coins)
                        * entry
                        / (size * (1 - rate))
                    ),
                    "So it is with USDT: the coins fall with the price.",
                ),
                (
                    lambda **book: 1 - by_hand(**book) / book["entry"],
                    "That is the fall as a fraction: a price is asked.",
                ),
            ],
        ),
        "cash": Task(
            "ps07-cash",
            truth=cash_for,
            cases=[book],
            slips=[
                (
                    lambda **book: (
                        book["size"] * (book["entry"] - by_hand(**book))
                    ),
                    "There nothing is left: the requirement has to be "
                    "covered too.",
                ),
                (
                    lambda **book: (
                        (1 - book["haircut"])
                        * book["coins"]
                        * book["entry"]
                    ),
                    "That is what the coins count for at the entry; they "
                    "fall, and the cash does not.",
                ),
                (
                    lambda **book: (
                        (1 - book["haircut"])
                        * book["coins"]
                        * by_hand(**book)
                    ),
                    "That counts the coins at the line, and there the "
                    "debt asks for something: cash owes nothing.",
                ),
                (
                    lambda **book: book["coins"] * book["entry"],
                    "That is what the coins are worth: much less cash "
                    "does the same.",
                ),
                (
                    lambda **book: (
                        book["size"]
                        * (
                            book["entry"]
                            - (1 + book["rate"]) * by_hand(**book)
                        )
                    ),
                    "The requirement comes on top of the loss: look at "
                    "its sign.",
                ),
            ],
        ),
        "closed_at": Task(
            "ps07-closed-at",
            truth=closed_at,
            cases=[carry],
            slips=[
                (
                    lambda **carry: sum_end(**carry | {"rate": 0.0}),
                    "There nothing is left: the requirement of both legs "
                    "ends it before.",
                ),
                (
                    lambda **carry: sum_end(**carry, perp=0.0),
                    "A sum asks for the perpetual as well.",
                ),
                (
                    lambda **carry: sum_end(**carry, on=0.0),
                    "A sum asks for the future as well.",
                ),
                (
                    lambda **carry: sum_end(**carry, on=-carry["rate"]),
                    "The requirement of the future grows with its price: "
                    "look at the sign.",
                ),
                (
                    lambda **carry: sum_end(**carry) - carry["entry"],
                    "That is the basis: a price is asked.",
                ),
                (
                    lambda **carry: 2 * carry["future"] - sum_end(**carry),
                    "You are short the future: when it falls you gain.",
                ),
            ],
        ),
        "scan_asks": Task(
            "ps07-scan-asks",
            truth=scan_asks,
            cases=[
                dict(
                    long=10.0,
                    short=9.0,
                    perp=50_000.0,
                    future=51_000.0,
                    move=0.16,
                    least=0.005,
                ),
                dict(
                    long=10.0,
                    short=10.0,
                    perp=50_000.0,
                    future=50_200.0,
                    move=0.16,
                    least=0.008,
                ),
                dict(
                    long=4.0,
                    short=7.0,
                    perp=30_000.0,
                    future=30_500.0,
                    move=0.12,
                    least=0.01,
                ),
                dict(
                    long=8.0,
                    short=7.9,
                    perp=2_000.0,
                    future=1_980.0,
                    move=0.1,
                    least=0.03,
                ),
                dict(
                    long=5.0,
                    short=5.1,
                    perp=3_000.0,
                    future=3_020.0,
                    move=0.2,
                    least=0.02,
                ),
            ],
            slips=[
                (
                    worse,
                    "It asks at least for a share of what nets.",
                ),
                (
                    floor,
                    "That is the least: the worse loss can be more.",
                ),
                (
                    lambda **case: worse(**case) + floor(**case),
                    "It is the larger of the two, not both together.",
                ),
                (
                    lambda **case: max(
                        (case["long"] * case["perp"]) * case["move"],
                        floor(**case),
                    ),
                    "The future moves as well, and gains what the "
                    "perpetual loses.",
                ),
                (
                    lambda **case: max(
                        (
                            case["long"] * case["perp"]
                            + case["short"] * case["future"]
                        )
                        * case["move"],
                        floor(**case),
                    ),
                    "One leg gains while the other loses: take the "
                    "difference.",
                ),
                (
                    lambda **case: max(
                        worse(**case),
                        case["least"] * case["long"] * case["perp"],
                    ),
                    "What nets is no more than the smaller of the two.",
                ),
            ],
        ),
        "still_more": Search(
            "ps07-still-more",
            shows=still_more(carry),
            ranges={"short": (0.01, 30)},
            slips=[
                (dict(short=0.2), "Less than half"),
                (dict(short=30), "larger than the long"),
                (dict(short=mine["legs"] * 0.99), "not five times"),
                (dict(short=300), "a number from 0.01 to 30"),
            ],
        ),
    }
