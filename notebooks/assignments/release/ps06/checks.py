"""Problem set 6: the figures of a student, and what the checks know."""

from marginlab import Account, Perpetual, Position, Tiers, venues
from marginlab.lesson import Search, Task

LEVERAGE = 10.0  # of the long in task 4


def figures(my):
    """A walled long and a cross short of one inverse contract."""
    rest = my.number("rest", 3, 8, 0.5)
    entry = my.number("entry", 40_000, 70_000, 1_000)
    short = round(my.number("k", 6, 9, 0.25) * rest * entry, -4)
    rate = my.number("rate", 0.004, 0.01, 0.001)
    long = round(my.number("more", 1.05, 1.3, 0.05) * short, -4)
    end = by_hand(rest, short, entry, rate)
    return {
        "wall": my.number("wall", 0.7, 0.95, 0.05) * rest,
        "rest": rest,
        "long": long,
        "short": short,
        "entry": entry,
        "rate": rate,
        "target": round(my.number("far", 1.02, 1.04, 0.005) * end, -1),
    }


# ------------------------------------------------------------- the truth


def contract(rate):
    return Perpetual(
        "A-USD", "A", "A", tiers=Tiers.flat(rate, leverage=50)
    )


def opened(book, together=False):
    """The account with both trades: the long behind its wall, or not."""
    perp, entry = contract(book["rate"]), book["entry"]
    account = Account(venues.TEACHING_BOTH, A=book["wall"] + book["rest"])
    account = account.mark(A=entry)
    wall = False if together else book["wall"]
    long = {"isolated": wall, "leg": "long"}
    account = account.trade(perp, book["long"], entry, **long)
    return account.trade(
        perp, -book["short"], entry, isolated=False, leg="short"
    )


def short_end(**book):
    """The price at which the short is closed, USD."""
    return opened(book)["A-USD", "short"].liquidation().above.price


def trapped(**book):
    """Profit behind the wall where the short is closed, coins."""
    there = {"A": short_end(**book)}
    pool = opened(book)["A-USD", "long"]
    return float(pool.equity(there)) - book["wall"]


def moved(target, **book):
    """What brings the end of the short to `target`, coins."""
    pool = opened(book)["A-USD", "short"]
    return pool.margin_for(liquidation=target) - book["rest"]


def added(margin, size, entry, mark, rate, free):
    """What the venue adds to an isolated long at 10x, USDT."""
    perp = Perpetual("B-USDT", "B", "USDT", tiers=Tiers.flat(rate))
    held = Position(perp, size, entry, leverage=LEVERAGE)
    account = Account.of(
        venues.TEACHING_TOP_UP,
        {"USDT": free},
        [(held, margin)],
        marks={"B": mark},
    )
    after = account.top_up("B-USDT").liquidate()
    return free - after.cross.collateral["USDT"]


# ------------------------------------------------------------- wrong ones


def by_hand(rest, short, entry, rate, sign=1):
    return short * (1 - sign * rate) / (short / entry - rest)


def end(**book):
    return by_hand(
        *(book[name] for name in ("rest", "short", "entry", "rate"))
    )


def gain(book, price):
    """Coins that a dollar of contracts gains in a rise."""
    return 1 / book["entry"] - 1 / price


def filled(margin, size, entry, mark, rate, free):
    """Up to the initial margin, at the line or not, free or not."""
    return size * mark / LEVERAGE - (margin + size * (mark - entry))


def at_line(margin, size, entry, mark, rate, free):
    return margin + size * (mark - entry) <= rate * size * mark


def apart_in(book):
    """Says whether both walled trades are lost and one pool is not."""

    def both(low, high):
        prices = (book["entry"] * (1 - low), book["entry"] * (1 + high))
        walled, shared = opened(book), opened(book, together=True)
        for price in prices:
            if walled.pools and walled.find("A-USD"):
                walled = walled.at(A=price)
            shared = shared.at(A=price) if shared.find("A-USD") else shared
        for leg in ("long", "short"):
            if walled.find("A-USD", leg):
                return False, f"The {leg} is still open at the end."
        if shared.liquidations:
            return False, "There the one pool is closed as well."
        return True, "Both walls were lost, and the one pool stands."

    return both


def tasks(mine):
    """The tasks by name, for the figures of one student."""
    book = {name: mine[name] for name in mine if name != "target"}
    return {
        "short_end": Task(
            "ps06-short-end",
            truth=short_end,
            cases=[book],
            slips=[
                (
                    lambda **book: end(**book | {"rate": 0}),
                    "That is where nothing is left: the requirement ends "
                    "it before.",
                ),
                (
                    lambda **book: end(**book | {"rate": -book["rate"]}),
                    "A requirement brings the end nearer: look at the "
                    "sign.",
                ),
                (
                    lambda **book: end(
                        **book | {"rest": book["rest"] + book["wall"]}
                    ),
                    "What is behind the wall does not stand behind the "
                    "short.",
                ),
                (
                    lambda **book: end(**book | {"rest": book["wall"]}),
                    "That counts the wall. Which pool is the short in?",
                ),
                (
                    lambda **book: (
                        book["entry"]
                        + book["rest"] * book["entry"] ** 2 / book["short"]
                    ),
                    "It is paid in coins, and they have become dearer: it "
                    "does not end where the dollars do.",
                ),
                (
                    lambda **book: by_hand(
                        -book["rest"],
                        book["short"],
                        book["entry"],
                        book["rate"],
                    ),
                    "That is below the entry: a short loses in a rise.",
                ),
                (
                    lambda **book: end(**book) / book["entry"] - 1,
                    "That is the rise as a fraction: a price is asked.",
                ),
                (
                    lambda **book: 100 * (end(**book) / book["entry"] - 1),
                    "That is the rise in per cent: a price is asked.",
                ),
            ],
        ),
        "trapped": Task(
            "ps06-trapped",
            truth=trapped,
            cases=[book],
            slips=[
                (
                    lambda **book: book["short"] * gain(book, end(**book)),
                    "That is what the short has lost. What has the long "
                    "gained?",
                ),
                (
                    lambda **book: (
                        book["wall"]
                        + book["long"] * gain(book, end(**book))
                    ),
                    "That is all that is behind the wall: how much of it "
                    "is profit?",
                ),
                (
                    lambda **book: (
                        (book["long"] - book["short"])
                        * gain(book, end(**book))
                    ),
                    "That is the net gain. The pools are not netted.",
                ),
                (
                    lambda **book: -book["long"] * gain(book, end(**book)),
                    "A long gains in a rise: look at the sign.",
                ),
                (
                    lambda **book: (
                        book["long"] * (end(**book) / book["entry"] - 1)
                    ),
                    "That is in dollars: coins are asked.",
                ),
                (
                    lambda **book: (
                        book["long"]
                        * (end(**book) - book["entry"])
                        / book["entry"] ** 2
                    ),
                    "That turns dollars into coins at the entry: the coin "
                    "has become dearer.",
                ),
            ],
        ),
        "moved": Task(
            "ps06-moved",
            truth=moved,
            cases=[mine],
            slips=[
                (
                    lambda **mine: (
                        mine["short"] / mine["entry"]
                        - mine["short"]
                        * (1 - mine["rate"])
                        / mine["target"]
                    ),
                    "That is all that has to stand behind the short: some "
                    "of it is there.",
                ),
                (
                    lambda **mine: (
                        mine["short"] * gain(mine, mine["target"])
                        - mine["rest"]
                    ),
                    "There nothing is left: the requirement has to be "
                    "covered too.",
                ),
                (
                    lambda **mine: (
                        mine["rest"]
                        - mine["short"] / mine["entry"]
                        + mine["short"]
                        * (1 - mine["rate"])
                        / mine["target"]
                    ),
                    "More has to stand behind the short, so it is above "
                    "zero.",
                ),
                (
                    lambda **mine: (
                        mine["short"] / mine["entry"]
                        - mine["short"]
                        * (1 + mine["rate"])
                        / mine["target"]
                        - mine["rest"]
                    ),
                    "A requirement asks for more, not for less: look at "
                    "its sign.",
                ),
                (
                    lambda **mine: (
                        mine["short"] / mine["entry"]
                        - mine["short"]
                        * (1 - mine["rate"])
                        / mine["target"]
                        - mine["wall"]
                    ),
                    "The wall is not what stands behind the short.",
                ),
                (
                    lambda **mine: (
                        mine["short"]
                        * (mine["target"] / mine["entry"] - 1)
                        / mine["entry"]
                        - mine["rest"]
                    ),
                    "A loss in dollars has to be turned into coins at the "
                    "price of that moment.",
                ),
            ],
        ),
        "added": Task(
            "ps06-added",
            truth=added,
            cases=[
                dict(
                    margin=900.0,
                    size=0.5,
                    entry=18_000.0,
                    mark=16_250.0,
                    rate=0.004,
                    free=5_000.0,
                ),
                dict(
                    margin=900.0,
                    size=0.5,
                    entry=18_000.0,
                    mark=16_500.0,
                    rate=0.004,
                    free=5_000.0,
                ),
                dict(
                    margin=800.0,
                    size=4.0,
                    entry=2_000.0,
                    mark=1_815.0,
                    rate=0.01,
                    free=300.0,
                ),
                dict(
                    margin=1_500.0,
                    size=4.0,
                    entry=2_000.0,
                    mark=1_640.0,
                    rate=0.01,
                    free=2_500.0,
                ),
                dict(
                    margin=500.0,
                    size=50.0,
                    entry=100.0,
                    mark=91.0,
                    rate=0.02,
                    free=0.0,
                ),
                dict(
                    margin=500.0,
                    size=50.0,
                    entry=100.0,
                    mark=108.0,
                    rate=0.02,
                    free=900.0,
                ),
            ],
            slips=[
                (
                    lambda **case: (
                        max(0.0, filled(**case))
                        if at_line(**case)
                        else 0.0
                    ),
                    "There is not more to be had than is free.",
                ),
                (
                    filled,
                    "Nothing is added as long as it is above its line.",
                ),
                (
                    lambda **case: (
                        min(
                            case["free"],
                            case["size"] * case["mark"] / LEVERAGE
                            - case["margin"],
                        )
                        if at_line(**case)
                        else 0.0
                    ),
                    "The loss has used up margin: it has to be filled up "
                    "too.",
                ),
                (
                    lambda **case: (
                        min(
                            case["free"],
                            case["size"] * case["entry"] / LEVERAGE
                            - case["margin"]
                            - case["size"]
                            * (case["mark"] - case["entry"]),
                        )
                        if at_line(**case)
                        else 0.0
                    ),
                    "The initial margin is a tenth of what it is worth at "
                    "the mark, not at the entry.",
                ),
                (
                    lambda **case: (
                        case["free"] if at_line(**case) else 0.0
                    ),
                    "It takes what is missing, and not all that is free.",
                ),
                (
                    lambda **case: case["margin"] + added(**case),
                    "That is what stands behind it then: how much was "
                    "added?",
                ),
            ],
        ),
        "both_lost": Search(
            "ps06-both-lost",
            shows=apart_in(book),
            ranges={"low": (0.01, 0.9), "high": (0.01, 1)},
            slips=[
                (dict(low=0.01, high=0.3), "The long is still open"),
                (dict(low=0.3, high=0.01), "The short is still open"),
                (dict(low=0.9, high=0.3), "is closed as well"),
                (dict(low=30, high=0.3), "a number from 0.01 to 0.9"),
            ],
        ),
    }
