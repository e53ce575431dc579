"""Problem set 8: the figures of a student, and what the checks know."""

from itertools import count, pairwise

import numpy as np
from marginlab import Perpetual, Position, Tiers, replace, venues
from marginlab.lesson import Search, Task
from marginlab.market import Brownian, Given, survival

DAYS = 1, 2, 3, 4
MOST = 0.12  # how far a price goes from one look to the next


def figures(my):
    """Two shorts: coins, USDT a coin, maintenance rates; their prices on
    four days; a margin, and a capital, in USDT; a seed."""
    mine = {
        "eth": my.number("eth", 10, 30, 1),
        "eth_entry": my.number("eth entry", 2_000, 4_000, 50),
        "eth_rate": my.number("eth rate", 0.004, 0.006, 0.001),
        "sol_entry": my.number("sol entry", 100, 200, 5),
        "sol_rate": my.number("sol rate", 0.015, 0.025, 0.001),
    }
    # Never worth as much as ETH: exchanged rates would change nothing.
    times = my.number("sol", 1.25, 1.75, 0.05)
    sol = times * mine["eth"] * mine["eth_entry"] / mine["sol_entry"]
    mine["sol"] = float(round(sol, -1))
    moves = {
        "eth": [(3, 6), (12, 18), (4, 8), (-6, -2)],
        "sol": [(2, 5), (4, 9), (15, 22), (-5, 0)],
    }
    for coin, rows in moves.items():
        for day, (low, high) in zip(DAYS, rows, strict=True):
            move = my.number(f"{coin} {day}", low, high, 1) / 100
            price = round(mine[f"{coin}_entry"] * (1 + move), 1)
            mine[f"{coin}{day}"] = price
    eth, sol = worth(mine)
    leverage = my.number("leverage", 10, 14, 0.5)
    mine["margin"] = float(round(eth / leverage, -1))
    mine["capital"] = float(round((eth + sol) / 3, -2))
    first = int(my.number("seed", 1, 90_000, 1))
    mine["seed"] = float(next(n for n in count(first) if apart(mine, n)))
    return mine


def worth(mine):
    """What the shorts are worth at their entries, USDT."""
    return [mine[c] * mine[f"{c}_entry"] for c in ("eth", "sol")]


def book(eth, eth_entry, eth_rate, sol, sol_entry, sol_rate, **rest):
    """The two shorts, as the package holds them."""
    return [
        Position(
            Perpetual(f"{n}-USDT", n, "USDT", tiers=Tiers.flat(rate)),
            -coins,
            entry,
        )
        for n, coins, entry, rate in (
            ("ETH", eth, eth_entry, eth_rate),
            ("SOL", sol, sol_entry, sol_rate),
        )
    ]


def on_paths(mine, paths, hours, seed):
    """The two shorts on months of prices, looked at every so often."""
    made = Brownian(
        {"ETH": mine["eth_entry"], "SOL": mine["sol_entry"]},
        steps=720 // hours,
        hours=hours,
        count=paths,
        volatility={"ETH": 0.7, "SOL": 0.9},
        correlation=0.6,
        rng=np.random.default_rng(int(seed)),
    )
    return survival(venues.TEACHING, book(**mine), made)


def months(mine, seed=None):
    """24 months, in which the venue looks once a day."""
    return on_paths(mine, 24, 24, mine["seed"] if seed is None else seed)


def needs(mine):
    """What the shared pool needs in each of the 24 months, USDT."""
    found = months(mine)
    return [float(n.round()) for n in found.needed(found.shared)]


def apart(mine, seed):
    """Are the answer and its slips told apart by four digits?"""
    found = months(mine, seed)
    row = np.sort(found.needed(found.shared))
    said = [row.mean(), 0.9 * row[-1], np.quantile(row, 0.9), row[2]]
    few = np.sort([*said, *row[20:]])
    return bool((np.diff(few) > 0.01 * few[:-1]).all())


def table(mine):
    """The shorts on 2,000 months of four-hourly looks, three ways."""
    found = on_paths(mine, 2_000, 4, mine["seed"])
    splits = {
        "isolated": dict.fromkeys(found.isolated, 0.25),
        "small cross": {found.shared: 0.5},
        "cross": found.shared,
    }
    rows = found.summary(mine["capital"], splits)
    return rows[["liquidated", "all lost", "worst"]].round(3)


# ------------------------------------------------------------- truths


def given(mine, **prices):
    """Both shorts on one path of stated prices."""
    start = {"ETH": mine["eth_entry"], "SOL": mine["sol_entry"]}
    return survival(
        venues.TEACHING, book(**mine), Given(start, given=prices)
    )


def together(**case):
    """What the shared pool needs on the four days, USDT."""
    eth, sol = (
        [case[f"{c}{day}"] for day in DAYS] for c in ("eth", "sol")
    )
    found = given(case, ETH=eth, SOL=sol)
    return float(found.needed(found.shared)[0])


def two_pools(troughs, gains=(0.0, 0.0)):
    """(`Survival`, pools) with these troughs and gains on one path."""
    plain = dict(eth=1.0, eth_entry=100.0, eth_rate=0.004)
    plain |= dict(sol=1.0, sol_entry=100.0, sol_rate=0.004)
    found = given(plain, ETH=[100.0], SOL=[100.0])
    pools = list(found.isolated)
    rows = [np.array([[trough]]) for trough in troughs]
    ends = [np.array([gain]) for gain in gains]
    found = replace(
        found,
        trough=found.trough | dict(zip(pools, rows, strict=True)),
        gain=found.gain | dict(zip(pools, ends, strict=True)),
    )
    return found, pools


def enough(trough_a, trough_b, share_a):
    found, (a, b) = two_pools((trough_a, trough_b))
    return float(found.needed({a: share_a, b: 1 - share_a})[0])


def left(capital, wall_a, trough_a, gain_a, wall_b, trough_b, gain_b):
    found, (a, b) = two_pools((trough_a, trough_b), (gain_a, gain_b))
    split = {a: wall_a / capital, b: wall_b / capital}
    return float(found.worth(capital, split)[0])


def nine_in_ten(**case):
    found = months(case)
    return found.capital_for(0.9, found.shared)


# -------------------------------------------------------------- slips


def parts(case, loss=1.0, rates=None, at_entry=False):
    """What each short needs on each day: two rows of USDT."""
    return [
        [
            case[c] * loss * (price - entry)
            + case[f"{r}_rate"] * case[c] * (entry if at_entry else price)
            for price in (case[f"{c}{day}"] for day in DAYS)
        ]
        for c, r in zip(
            ("eth", "sol"), rates or ("eth", "sol"), strict=True
        )
        for entry in [case[f"{c}_entry"]]
    ]


def days(case, **how):
    return [sum(day) for day in zip(*parts(case, **how), strict=True)]


def without(case):
    return case | {"eth_rate": 0.0, "sol_rate": 0.0}


def wrong_sign(case):
    return case | {
        "eth_rate": -case["eth_rate"],
        "sol_rate": -case["sol_rate"],
    }


def rank(case, n):
    """The n-th smallest of the 24 needs."""
    found = months(case)
    return float(np.sort(found.needed(found.shared))[n - 1])


def of_months(case, what):
    found = months(case)
    return float(what(found.needed(found.shared)))


def lives(wall, trough):
    return wall > -trough


def unseen(mine):
    """Says of four prices of ETH whether only the two looks see them."""
    start, margin = mine["eth_entry"], mine["margin"]

    def closed(*prices):
        flat = [mine["sol_entry"]] * len(prices)
        found = given(mine, ETH=prices, SOL=flat)
        return found.needed(next(iter(found.isolated)))[0] >= margin

    def shows(p1, p2, p3, p4):
        rows = [start, p1, p2, p3, p4]
        for before, after in pairwise(rows):
            if abs(after / before - 1) > MOST + 1e-9:
                return False, (
                    f"From {before:,.2f} to {after:,.2f} is more than "
                    f"{MOST:.0%} in half a day."
                )
        if p4 > start:
            return False, "It ends above your entry: a loss in any case."
        if closed(p2, p4):
            return False, "The venue that looks at midnight sees it too."
        if not closed(p1, p2, p3, p4):
            return False, "Both venues let it live, at noon as well."
        return True, (
            "At one venue the short is closed; at the other it ends with "
            f"{mine['eth'] * (start - p4):,.0f} USDT of profit."
        )

    return shows


# -------------------------------------------------------------- tasks


def tasks(mine):
    """The tasks by name, for the figures of one student."""
    start, coins = mine["eth_entry"], ("eth", "sol")
    path = {
        name: value
        for name, value in mine.items()
        if name.startswith(coins)
    }
    random = {
        name: value
        for name, value in mine.items()
        if not name.endswith(tuple("1234")) and name != "margin"
    }
    return {
        "together": Task(
            "ps08-together",
            truth=together,
            cases=[path],
            slips=[
                (
                    lambda **c: sum(map(max, parts(c))),
                    "Those are the worst days of each, and they differ: "
                    "that is isolated. One pool adds up day by day.",
                ),
                (
                    lambda **c: max(days(without(c))),
                    "There nothing is left; the venue closes before that.",
                ),
                (
                    lambda **c: max(days(c, at_entry=True)),
                    "What a short requires grows with its price.",
                ),
                (
                    lambda **c: max(days(wrong_sign(c))),
                    "The requirement comes on top of the loss.",
                ),
                (
                    lambda **c: max(days(c, rates=("sol", "eth"))),
                    "The two rates are exchanged.",
                ),
                (
                    lambda **c: max(days(c, rates=("eth", "eth"))),
                    "Each coin has a maintenance rate of its own.",
                ),
                (
                    lambda **c: sum(days(c)),
                    "Each day is counted from the entry: the days do not "
                    "add up.",
                ),
                (
                    lambda **c: -max(days(c)),
                    "That is the trough, below zero: turn its sign.",
                ),
                (
                    lambda **c: days(c)[-1],
                    "That is the last day, the mildest of the four: the "
                    "pool has to live through the worst.",
                ),
                (
                    lambda **c: max(days(c, loss=-1.0)),
                    "A short loses when its coin rises.",
                ),
            ],
        ),
        "enough": Task(
            "ps08-enough",
            truth=enough,
            cases=[
                dict(trough_a=-3_000.0, trough_b=-4_500.0, share_a=0.7),
                dict(trough_a=-2_600.0, trough_b=-9_100.0, share_a=0.4),
                dict(trough_a=-5_200.0, trough_b=-4_000.0, share_a=0.3),
            ],
            slips=[
                (
                    lambda trough_a, trough_b, share_a: (
                        -trough_a - trough_b
                    ),
                    "That would do if the capital could be divided after "
                    "the path was known. Here the shares are fixed.",
                ),
                (
                    lambda trough_a, trough_b, share_a: max(
                        -trough_a, -trough_b
                    ),
                    "That is what one of the pools must hold: how much "
                    "capital puts so much into it?",
                ),
                (
                    lambda trough_a, trough_b, share_a: min(
                        -trough_a / share_a, -trough_b / (1 - share_a)
                    ),
                    "That is enough for one of the pools only.",
                ),
                (
                    lambda trough_a, trough_b, share_a: max(
                        -trough_a / (1 - share_a), -trough_b / share_a
                    ),
                    "The shares are exchanged.",
                ),
                (
                    lambda trough_a, trough_b, share_a: (
                        max(-trough_a, -trough_b) / share_a
                    ),
                    "That gives both pools the share of the first.",
                ),
                (
                    lambda trough_a, trough_b, share_a: (
                        max(-trough_a, -trough_b) / (1 - share_a)
                    ),
                    "That gives both pools the share of the second.",
                ),
                (
                    lambda trough_a, trough_b, share_a: max(
                        -trough_a * share_a, -trough_b * (1 - share_a)
                    ),
                    "A pool gets its share of the capital. Which capital "
                    "has a share so large? Divide by it.",
                ),
                (
                    lambda trough_a, trough_b, share_a: max(
                        trough_a / share_a, trough_b / (1 - share_a)
                    ),
                    "Below zero the larger number is the smaller need: "
                    "turn the signs first.",
                ),
                (
                    lambda trough_a, trough_b, share_a: (
                        2 * max(-trough_a, -trough_b)
                    ),
                    "That is for equal parts.",
                ),
                (
                    lambda trough_a, trough_b, share_a: (
                        -trough_a / share_a - trough_b / (1 - share_a)
                    ),
                    "One capital fills both pools at once: do not add.",
                ),
                (
                    lambda trough_a, trough_b, share_a: (
                        -max(
                            -trough_a / share_a, -trough_b / (1 - share_a)
                        )
                    ),
                    "A trough is below zero, a capital above.",
                ),
            ],
        ),
        "nine_in_ten": Task(
            "ps08-nine-in-ten",
            truth=nine_in_ten,
            cases=[random],
            slips=[
                (
                    lambda **c: rank(c, 21),
                    "Above that, 21 of the 24 are survived: is that at "
                    "least nine in ten?",
                ),
                (
                    lambda **c: rank(c, 23),
                    "That is more than is asked for: one month could be "
                    "given up.",
                ),
                (
                    lambda **c: rank(c, 24),
                    "That carries all of them; nine in ten are asked for.",
                ),
                (
                    lambda **c: of_months(
                        c, lambda row: np.quantile(row, 0.9)
                    ),
                    "That lies between two of the months: with it, 21 of "
                    "the 24 are survived.",
                ),
                (
                    lambda **c: rank(c, 3),
                    "Sorted the other way: that is survived in a few "
                    "months only.",
                ),
                (
                    lambda **c: of_months(c, np.mean),
                    "That is the mean: it says nothing of how often.",
                ),
                (
                    lambda **c: 0.9 * rank(c, 24),
                    "Nine tenths of the months, not of the capital.",
                ),
            ],
        ),
        "left": Task(
            "ps08-left",
            truth=left,
            cases=[
                dict(
                    capital=12_000.0,
                    wall_a=5_000.0,
                    trough_a=-3_200.0,
                    gain_a=900.0,
                    wall_b=4_000.0,
                    trough_b=-1_500.0,
                    gain_b=-700.0,
                ),
                dict(
                    capital=10_000.0,
                    wall_a=4_000.0,
                    trough_a=-2_500.0,
                    gain_a=1_300.0,
                    wall_b=3_000.0,
                    trough_b=-3_400.0,
                    gain_b=-1_100.0,
                ),
                dict(
                    capital=8_000.0,
                    wall_a=2_000.0,
                    trough_a=-2_000.0,
                    gain_a=700.0,
                    wall_b=5_000.0,
                    trough_b=-1_900.0,
                    gain_b=-1_600.0,
                ),
                dict(
                    capital=20_000.0,
                    wall_a=6_000.0,
                    trough_a=-9_000.0,
                    gain_a=2_100.0,
                    wall_b=7_000.0,
                    trough_b=-7_300.0,
                    gain_b=3_800.0,
                ),
            ],
            slips=[
                (
                    lambda capital, **c: (
                        capital
                        + sum(
                            c[f"gain_{p}"]
                            if c[f"wall_{p}"] >= -c[f"trough_{p}"]
                            else -c[f"wall_{p}"]
                            for p in "ab"
                        )
                    ),
                    "A wall just as high as the trough is deep is not "
                    "enough: slack must stay above zero.",
                ),
                (
                    lambda capital, **c: (
                        capital + c["gain_a"] + c["gain_b"]
                    ),
                    "A pool that was closed on the way does not see the "
                    "end: its gain or loss is not its own any more.",
                ),
                (
                    lambda capital, **c: (
                        capital
                        + c["gain_a"] * lives(c["wall_a"], c["trough_a"])
                        + c["gain_b"] * lives(c["wall_b"], c["trough_b"])
                    ),
                    "Of a closed pool nothing is left: its wall is lost.",
                ),
                (
                    lambda capital, **c: sum(
                        (c[f"wall_{p}"] + c[f"gain_{p}"])
                        * lives(c[f"wall_{p}"], c[f"trough_{p}"])
                        for p in "ab"
                    ),
                    "What is in no pool is still there.",
                ),
                (
                    lambda capital, **c: (
                        capital
                        + sum(
                            c[f"gain_{p}"]
                            if lives(c[f"wall_{p}"], c[f"trough_{p}"])
                            else c[f"trough_{p}"]
                            for p in "ab"
                        )
                    ),
                    "A closed pool loses its wall, not its trough: the "
                    "rest of the path is no longer its concern.",
                ),
                (
                    lambda capital, **c: (
                        capital
                        + sum(
                            c[f"trough_{p}"]
                            if lives(c[f"wall_{p}"], c[f"trough_{p}"])
                            else -c[f"wall_{p}"]
                            for p in "ab"
                        )
                    ),
                    "A pool that lives ends with its gain: the trough is "
                    "behind it.",
                ),
                (
                    lambda capital, **c: (
                        capital
                        - c["wall_a"]
                        - c["wall_b"]
                        + max(
                            (c[f"wall_{p}"] + c[f"gain_{p}"])
                            * lives(c[f"wall_{p}"], c[f"trough_{p}"])
                            for p in "ab"
                        )
                    ),
                    "Both pools can live: add up what each leaves.",
                ),
                (
                    lambda capital, **c: (
                        capital
                        + sum(
                            c[f"trough_{p}"] + c[f"gain_{p}"]
                            if lives(c[f"wall_{p}"], c[f"trough_{p}"])
                            else -c[f"wall_{p}"]
                            for p in "ab"
                        )
                    ),
                    "The gain is counted from the start: the trough is "
                    "not taken off again.",
                ),
                (
                    lambda capital, **c: (
                        capital
                        + sum(
                            c[f"gain_{p}"]
                            - c[f"wall_{p}"]
                            * (not lives(c[f"wall_{p}"], c[f"trough_{p}"]))
                            for p in "ab"
                        )
                    ),
                    "A closed pool has lost its wall, and has no gain or "
                    "loss at the end.",
                ),
                (
                    lambda capital, **c: (
                        capital
                        - sum(
                            c[f"wall_{p}"]
                            * (not lives(c[f"wall_{p}"], c[f"trough_{p}"]))
                            for p in "ab"
                        )
                    ),
                    "A pool that lives has its wall and its gain.",
                ),
                (
                    lambda capital, **c: (
                        (capital + c["gain_a"] + c["gain_b"])
                        * all(
                            lives(c[f"wall_{p}"], c[f"trough_{p}"])
                            for p in "ab"
                        )
                    ),
                    "Isolated, the end of one pool is not the end of all.",
                ),
            ],
        ),
        "unseen": Search(
            "ps08-unseen",
            shows=unseen(mine),
            ranges=dict.fromkeys(
                ("p1", "p2", "p3", "p4"), (0.3 * start, 2 * start)
            ),
            slips=[
                (dict.fromkeys(("p1", "p2", "p3", "p4"), start), "Both"),
                (
                    dict(
                        p1=1.12 * start,
                        p2=1.13 * start,
                        p3=1.05 * start,
                        p4=start,
                    ),
                    "looks at midnight sees it",
                ),
                (
                    dict(p1=1.2 * start, p2=start, p3=start, p4=start),
                    "is more than 12%",
                ),
                (
                    dict(
                        p1=1.12 * start,
                        p2=1.02 * start,
                        p3=start,
                        p4=1.01 * start,
                    ),
                    "ends above your entry",
                ),
            ],
        ),
    }
