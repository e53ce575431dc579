"""Problem set 5: the figures of a student, and what the checks know."""

import numpy as np
from marginlab import (
    Account,
    Liquidation,
    Perpetual,
    Tiers,
    close_all,
    close_each,
    replace,
    venues,
)
from marginlab.lesson import Search, Task
from marginlab.market import cascade

PRICE = 100.0  # of every coin but A, now
WALL = 0.1  # of its worth now, behind each position in isolated margin
BY_NEED = replace(
    venues.TEACHING,
    liquidation=Liquidation(close_each, close_all, order="requirement"),
)
# What a trader's short is closed at, in USDT; each is as large.
LINES = (104.0, 105.0, 107.0, 108.0, 113.0, 115.0, 118.0, 130.0)


def figures(my):
    """A pool in USDT: shorts of A, B and C, and a long of D."""
    balance = my.number("balance", 8_000, 15_000, 500)
    price = my.number("price", 1.2, 6, 0.1)
    short = my.number("short", 2.1, 2.5, 0.05) * balance
    book = {
        "balance": balance,
        "a_coins": round(short / price / 10) * 10.0,
        "a_price": price,
        "b_worth": round(my.number("b", 0.5, 0.7, 0.02) * balance, -2),
        "c_worth": round(my.number("c", 0.5, 0.7, 0.02) * balance, -2),
        "d_worth": round(my.number("d", 4.3, 5, 0.05) * balance, -2),
        "d_gain": round(my.number("gain", 0.2, 0.3, 0.01) * balance, -1),
        "rate": my.number("rate", 0.015, 0.03, 0.0025),
    }
    beyond = 1 + my.number("beyond", 0.003, 0.006, 0.0005)
    return book | {"squeezed": round(ends_at(**book) * beyond, 3)}


def opened(book, venue=venues.TEACHING, walled=False):
    """The account at the prices of now, in cross or isolated margin."""
    a_price, d_coins = book["a_price"], book["d_worth"] / PRICE
    trades = {
        "A": (-book["a_coins"], a_price),
        "B": (-book["b_worth"] / PRICE, PRICE),
        "C": (-book["c_worth"] / PRICE, PRICE),
        "D": (d_coins, PRICE - book["d_gain"] / d_coins),
    }
    tiers = Tiers.flat(book["rate"])
    me = Account(venue, USDT=book["balance"])
    me = me.mark(**{coin: entry for coin, (_, entry) in trades.items()})
    for coin, (count, entry) in trades.items():
        now = a_price if coin == "A" else PRICE
        behind = WALL * abs(count) * now if walled else None
        perp = Perpetual(f"{coin}-USDT", coin, "USDT", tiers=tiers)
        me = me.trade(perp, count, entry, isolated=behind)
    return me.mark(D=PRICE)


def worth(account):
    """What an account is worth at its marks, USDT."""
    return sum(pool.equity() for pool in account.pools)


def ends_at(**book):
    """The price of A at which the pool is closed, USDT."""
    return opened(book).cross.liquidation("A").above.price


def kept(**book):
    """What is left, isolated, when A has doubled, USDT."""
    return worth(opened(book, walled=True).at(A=2 * book["a_price"]))


def slack_left(squeezed, **book):
    """Slack after the largest requirement was closed, USDT."""
    return opened(book, BY_NEED).at(A=squeezed).cross.slack()


def in_all(price, push):
    """How many of LINES are closed; each is one unit of an inverse short,
    so that its worth, and its push, do not depend on the price."""
    perp = Perpetual("A-USD", "A", "A", tiers=Tiers.flat(0.01))
    short, entry = -np.ones(len(LINES)), np.full(len(LINES), PRICE)
    margin = 1 / PRICE - (1 - 0.01) / np.array(LINES)
    _, when = cascade(
        *(venues.TEACHING, perp, short, entry, margin),
        prices=np.array([price]),
        displacement=lambda net: push * net,
    )
    return int((when >= 0).sum())


# ------------------------------------------------------------- wrong ones


def end(*others, gain=True, grows=True, cash=None, sign=1, own=None):
    """The end of the pool by hand, by what a wrong answer counts, and
    with which sign: of all requirements, or of A's own."""

    def answer(**book):
        worth_a = book["a_coins"] * book["a_price"]
        needs = sum(book[name] for name in others)
        held = cash(book) if cash else book["balance"]
        held += book["d_gain"] if gain else 0
        left = held + worth_a - sign * book["rate"] * needs
        if not grows:
            left -= book["rate"] * worth_a
        own_rate = (own or sign) * book["rate"] * grows
        return left / book["a_coins"] / (1 + own_rate)

    return answer


def with_long(book):
    return book["balance"] + book["d_worth"]


def wall(book):
    return WALL * book["a_coins"] * book["a_price"]


def stands(closed=(), at="squeezed", **book):
    """(equity, requirement) by hand, when these are closed."""
    rise = book["squeezed"] - book["a_price"]
    equity = book["balance"] + book["d_gain"] - book["a_coins"] * rise
    needs = {name: book[name] for name in ("b_worth", "c_worth")}
    needs |= {"a": book["a_coins"] * book[at], "d": book["d_worth"]}
    return equity, book["rate"] * sum(
        need for name, need in needs.items() if name not in closed
    )


def slack(*closed, at="squeezed"):
    def answer(**book):
        equity, required = stands(closed, at, **book)
        return equity - required

    return answer


def count(mark):
    """How many are closed, where the mark is mark(price, push, closed)."""

    def answer(price, push):
        done = 0
        while done < len(LINES) and mark(price, push, done) >= LINES[done]:
            done += 1
        return done

    return answer


def one_round(price, push):
    first = count(lambda price, push, done: price)(price, push)
    return count(lambda price, push, done: price)(
        price * (1 + push * first), push
    )


def better_in(book):
    """Says whether cross ends with more on a path of A."""

    def followed(account, *marks):
        for mark in marks:
            if account.find("A-USDT"):
                account = account.at(A=mark)
        return account

    def better(high, end):
        if end >= high:
            return False, "A has to come back: `end` is below `high`."
        path = [book["a_price"] * (1 + rise) for rise in (high, end)]
        walled = followed(opened(book, walled=True), *path)
        cross = followed(opened(book), *path)
        if walled.find("A-USDT"):
            return False, "The isolated short of A is still open there."
        if cross.liquidations:
            return False, "There the shared pool is closed on the way."
        has = (
            f"At the end the cross account is worth {worth(cross):,.0f} "
            f"USDT, the isolated one {worth(walled):,.0f}."
        )
        if worth(cross) > worth(walled):
            return True, has
        return False, f"{has} What has each lost by A?"

    return better


def tasks(mine):
    """The tasks by name, for the figures of one student."""
    book = {name: mine[name] for name in mine if name != "squeezed"}
    others = ("b_worth", "c_worth", "d_worth")
    return {
        "ends_at": Task(
            "ps05-ends-at",
            truth=ends_at,
            cases=[book],
            slips=[
                (
                    end(*others, gain=False),
                    "The long of D has a profit, and in a shared pool it "
                    "counts.",
                ),
                (
                    lambda **book: end()(**book) * (1 + book["rate"]),
                    "That is where nothing is left: the requirement ends "
                    "it before.",
                ),
                (
                    end(),
                    "The other positions have a requirement as well.",
                ),
                (
                    end("b_worth", "c_worth"),
                    "The long has a requirement as well.",
                ),
                (
                    end(*others, grows=False),
                    "The short of A is worth more after the rise, and "
                    "needs more.",
                ),
                (
                    end(gain=False, cash=wall),
                    "That is where the short would be closed with a tenth "
                    "of its worth behind it; here it has the whole pool.",
                ),
                (
                    end(*others, cash=with_long),
                    "A contract is not bought: of D its profit is in the "
                    "pool, and not its worth.",
                ),
                (
                    end(*others, cash=with_long, gain=False),
                    "Of D its profit counts, and not what it is worth: "
                    "that was never paid.",
                ),
                (
                    lambda **book: end(*others)(
                        **book
                        | {"d_worth": book["d_worth"] - book["d_gain"]}
                    ),
                    "`d_worth` is what D is worth now: its profit is in "
                    "it already.",
                ),
                (
                    end(*others, sign=-1),
                    "A requirement brings the end nearer: look at the "
                    "sign.",
                ),
                (
                    end(*others, own=-1),
                    "What the short of A requires grows with its price, "
                    "and brings the end nearer: look at that sign.",
                ),
                (
                    lambda **book: (
                        100 * (ends_at(**book) / book["a_price"] - 1)
                    ),
                    "That is the rise in per cent: a price is asked.",
                ),
                (
                    lambda **book: ends_at(**book) / book["a_price"] - 1,
                    "That is the rise as a fraction: a price is asked.",
                ),
                (
                    lambda **book: ends_at(**book) - book["a_price"],
                    "That is the rise in USDT: a price is asked.",
                ),
            ],
        ),
        "kept": Task(
            "ps05-kept",
            truth=kept,
            cases=[book],
            slips=[
                (
                    lambda **book: (
                        book["balance"]
                        - wall(book)
                        - WALL * sum(map(book.get, others))
                    ),
                    "That is what is free. What stands behind the three "
                    "that are still open?",
                ),
                (
                    lambda **book: (
                        WALL * sum(map(book.get, others)) + book["d_gain"]
                    ),
                    "And what was never walled off?",
                ),
                (
                    lambda **book: (
                        book["balance"] - wall(book) - book["d_gain"]
                    ),
                    "The profit of the long comes on top.",
                ),
                (
                    lambda **book: book["balance"] - wall(book),
                    "The long is still open: its profit is yours too.",
                ),
                (
                    lambda **book: (
                        book["balance"]
                        + book["d_gain"]
                        - book["a_coins"] * book["a_price"]
                    ),
                    "The loss stops at the wall.",
                ),
                (
                    lambda **book: wall(book),
                    "That is what the short of A has lost: what is left?",
                ),
                (
                    lambda **book: WALL * sum(map(book.get, others)),
                    "That stands behind the other three: there is more.",
                ),
                (
                    lambda **book: book["balance"] + book["d_gain"],
                    "The short of A is closed, and takes something along.",
                ),
                (
                    lambda **book: (
                        book["balance"]
                        + book["d_gain"]
                        - (wall(book) / WALL)
                        * (WALL - book["rate"])
                        / (1 + book["rate"])
                    ),
                    "The short is not closed at its line: the price jumps "
                    "past it, and the whole margin is lost.",
                ),
                (
                    lambda **book: 0.0,
                    "In cross. Here the loss of A cannot reach the rest.",
                ),
            ],
        ),
        "slack_left": Task(
            "ps05-slack-left",
            truth=slack_left,
            cases=[mine],
            slips=[
                (
                    slack(),
                    "That is the slack before anything was closed.",
                ),
                (
                    slack("a"),
                    "That closes the short of A. Has it the largest "
                    "requirement?",
                ),
                (
                    lambda **book: slack("d")(**book) - book["d_gain"],
                    "The profit is not lost when the long is sold: it is "
                    "in the balance then.",
                ),
                (
                    lambda **book: slack("d")(**book) + book["d_gain"],
                    "The profit was equity already: taken, it becomes "
                    "balance and adds nothing.",
                ),
                (
                    lambda **book: slack("d")(**book) + book["d_worth"],
                    "The requirement is right. But what the long was "
                    "worth is not paid out.",
                ),
                (
                    lambda **book: stands(**book)[0],
                    "That is equity: what is still required has to come "
                    "off.",
                ),
                (
                    lambda **book: slack()(**book) + book["d_worth"],
                    "What a position is worth is not paid out when it is "
                    "closed: which requirement goes away?",
                ),
                (
                    slack("d", at="a_price"),
                    "The short of A is worth more after the rise, and "
                    "needs more.",
                ),
                (
                    slack("d", "a"),
                    "Only one position is closed: then the pool can "
                    "stand.",
                ),
            ],
        ),
        "better": Search(
            "ps05-better",
            shows=better_in(book),
            ranges={"high": (0.05, 1), "end": (0.05, 1)},
            slips=[
                (dict(high=0.06, end=0.05), "still open"),
                (dict(high=0.2, end=0.2), "has to come back"),
                (dict(high=1, end=0.05), "the shared pool is closed"),
                (dict(high=6.36, end=5.6), "a number from 0.05 to 1"),
                (dict(high=0.2, end=0.19), "What has each lost"),
            ],
        ),
        "in_all": Task(
            "ps05-in-all",
            truth=in_all,
            cases=[
                dict(price=104.5, push=0.02),
                dict(price=103.0, push=0.03),
                dict(price=107.5, push=0.012),
                dict(price=113.5, push=0.02),
                dict(price=106.0, push=0.1),
                dict(price=107.0, push=0.0),
                dict(price=104.5, push=0.012),
            ],
            slips=[
                (
                    count(lambda price, push, done: price),
                    "So many are closed by the coin's own rise. What does "
                    "their buying do?",
                ),
                (
                    count(
                        lambda price, push, done: price + 100 * push * done
                    ),
                    "The push is a fraction of `price`, not of 100.",
                ),
                (
                    one_round,
                    "And those who are closed by this buying: they buy "
                    "as well.",
                ),
                (
                    count(
                        lambda price, push, done: (
                            price * (1 + push * (done + 1))
                        )
                    ),
                    "A short is bought back after its line is reached: "
                    "its own push cannot help to reach it.",
                ),
                (
                    lambda price, push: in_all(price * (1 - 1e-9), push),
                    "A short is closed at its price, not only above it.",
                ),
                (
                    count(
                        lambda price, push, done: (
                            price * (1 + push) ** done
                        )
                    ),
                    "Each lifts the price by the same fraction of "
                    "`price`: they add up.",
                ),
                (
                    lambda price, push: len(LINES),
                    "Those are all. Where does it stop?",
                ),
                (
                    lambda price, push: (
                        price * (1 + push * in_all(price, push))
                    ),
                    "That is the price at the end: how many are closed?",
                ),
                (
                    lambda price, push: in_all(price, push) - 1,
                    "One is missing: is the first counted?",
                ),
            ],
        ),
    }
