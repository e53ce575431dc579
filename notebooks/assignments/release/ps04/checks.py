"""Problem set 4: the figures of a student, and what the checks know."""

from marginlab import (
    Account,
    Liquidation,
    Perpetual,
    Tiers,
    Venue,
    close_all,
    step_down,
)
from marginlab.lesson import Search, Task

# Every row but the first, (floor in USDT, rate): the first is from 0.
TABLE = ((50_000, 0.02), (250_000, 0.04), (750_000, 0.08))
LOWEST = 0.005
FLOOR, HIGH = TABLE[0]
STEPS = Tiers(((0, LOWEST), *TABLE))
STEPPING = Venue(
    "of problem set 4",
    tiers={"*": STEPS},
    liquidation=Liquidation(step_down(tiers=1), close_all),
)
CONTRACT = Perpetual("SOL-USDT", "SOL", "USDT")


def opened(coins, entry, margin, tiers=None):
    """A position of so many SOL (a short below zero), isolated."""
    perp = Perpetual("SOL-USDT", "SOL", "USDT", tiers=tiers)
    me = Account(STEPPING, USDT=margin).mark(SOL=entry)
    return me.trade(perp, coins, entry, isolated=margin)


def line(coins, entry, margin):
    """Where a short of so many SOL is closed, USDT."""
    found = opened(-coins, entry, margin)["SOL-USDT"].liquidation()
    return found.above.price


def figures(my):
    """A short: SOL, USDT a coin, USDT; two later marks; the fund."""
    entry = my.number("entry", 120, 180, 1)
    worth = my.number("worth", 120_000, 190_000, 5_000)
    leverage = my.number("leverage", 5, 7, 0.25)
    coins = round(worth / entry / 10) * 10.0
    margin = round(worth / leverage / 100) * 100.0
    end = entry + margin / coins
    beyond = my.number("beyond", 0.003, 0.006, 0.0005)
    mark = round(line(coins, entry, margin) * (1 + beyond), 2)
    jump = round(end * my.number("jump", 1.03, 1.06, 0.005), 2)
    part = my.number("part", 0.25, 0.4, 0.05)
    return {
        "coins": coins,
        "entry": entry,
        "margin": margin,
        "mark": mark,
        "jump": jump,
        "fund": round(part * coins * (jump - end) / 10) * 10.0,
    }


def kept(coins, entry, margin, mark):
    """SOL that stay open when the venue has stepped down."""
    after = opened(-coins, entry, margin).mark(SOL=mark).liquidate()
    return -after["SOL-USDT"].positions[0].quantity


def deleveraged(coins, entry, margin, jump, fund):
    """SOL that are closed against winners."""
    late = opened(-coins, entry, margin).mark(SOL=jump)
    return sum(
        abs(event.quantity)
        for event in late.liquidate(fund=fund).events
        if event.kind == "auto-deleveraging"
    )


def fund_gains(coins, entry, margin, rate, mark, last, fund):
    """What the insurance fund gains by a long, USDT."""
    late = opened(coins, entry, margin, Tiers.flat(rate)).mark(SOL=mark)
    after = late.liquidate(last={"SOL": last}, fund=fund)
    return sum(e.flows.get("insurance fund", 0.0) for e in after.events)


# ------------------------------------------------------------- wrong ones


def short_line(taken, rate):
    """By hand, with so much taken off the requirement at this rate."""
    return lambda coins, entry, margin: (
        (margin + coins * entry + taken) / (coins * (1 + rate))
    )


def missing(coins, entry, margin, jump):
    return coins * (jump - entry) - margin


def gains(trigger="mark", fill="last", need=None, keeps=True, cap=True):
    """The fund's gain by hand: which price triggers ("always": closed
    whatever it is), which one is got, of which one the rate is required
    (None: of the trigger), and what is left out."""

    def answer(coins, entry, margin, rate, mark, last, fund):
        price = {"mark": mark, "last": last, "entry": entry}
        price |= {"always": 0.0, "nothing": 0.0}
        looked, sold = price[trigger], price[fill]
        equity = margin + coins * (looked - entry)
        if equity > rate * coins * price[need or trigger]:
            return 0.0
        left = margin + coins * (sold - entry)
        left = left if keeps else min(left, 0.0)
        return max(left, -fund) if cap else left

    return answer


def required(less):
    """The requirement, with amounts by less(before, floor, rate, next)."""

    def answer(worth):
        rate, amount = LOWEST, 0.0
        for floor, higher in TABLE:
            if worth > floor:
                amount = less(amount, floor, rate, higher)
                rate = higher
        return rate * worth - amount

    return answer


def amount_of(worth):
    """The amount that is taken off at a worth."""
    rate = max((r for floor, r in TABLE if worth > floor), default=LOWEST)
    return rate * worth - STEPS.maintenance(float(worth))


colleague = required(lambda less, floor, rate, high: floor * (high - rate))


def disagree(worth, equity):
    """Is it a case in which the colleague and the venue disagree?"""
    true, said = STEPS.maintenance(float(worth)), colleague(worth)
    asks = f"Your colleague's function asks for {said:,.0f} USDT"
    if abs(said - true) < 1e-6:
        return False, (
            f"{asks}, and that is right. Which rows of the table did the "
            "colleague's example not reach?"
        )
    if equity > said:
        return False, (
            f"{asks}, and that is wrong; but here there is more: both "
            "leave the position alone."
        )
    if equity <= true:
        return False, (
            f"{asks}, and that is wrong; but here both close the "
            "position. How much does the venue ask for?"
        )
    return True, (
        f"{asks}, so it closes the position; the venue asks for "
        f"{true:,.0f}, and leaves it alone."
    )


LONG = dict(coins=4_000.0, entry=150.0, margin=60_000.0, rate=0.02)
OTHER = dict(coins=9_000.0, entry=80.0, margin=90_000.0, rate=0.01)


def tasks(mine):
    """The tasks by name, for the figures of one student."""

    def of(*names):
        return [{name: mine[name] for name in names}]

    saved = FLOOR * (HIGH - LOWEST)
    return {
        "line": Task(
            "ps04-line",
            truth=line,
            cases=of("coins", "entry", "margin"),
            slips=[
                (
                    short_line(0, HIGH),
                    "The higher rate holds only for the part above the "
                    "floor.",
                ),
                (
                    short_line(0, LOWEST),
                    "Your position is worth more than the first row "
                    "covers.",
                ),
                (
                    short_line(-saved, HIGH),
                    "The first row's part is charged less, not more: the "
                    "end comes later by it.",
                ),
                (
                    short_line(FLOOR * HIGH, HIGH),
                    "And the first part, at the low rate?",
                ),
                (
                    short_line(saved, HIGH + LOWEST),
                    "The rates do not add up: each holds for its own part "
                    "of the worth.",
                ),
                (
                    lambda coins, entry, margin: entry + margin / coins,
                    "That is bankruptcy: no requirement in it.",
                ),
                (
                    lambda coins, entry, margin: entry - margin / coins,
                    "That is where a long would be bankrupt.",
                ),
                (
                    short_line(saved, -HIGH),
                    "The requirement makes the end come sooner: look at "
                    "the sign of the rate.",
                ),
                (
                    lambda coins, entry, margin: (
                        entry
                        + (margin + saved - HIGH * coins * entry) / coins
                    ),
                    "The requirement is that of the price at the line, "
                    "not of the entry.",
                ),
                (
                    lambda coins, entry, margin: (
                        (coins * entry - margin - saved)
                        / (coins * (1 - HIGH))
                    ),
                    "That is where a long would be closed.",
                ),
            ],
        ),
        "kept": Task(
            "ps04-kept",
            truth=kept,
            cases=of("coins", "entry", "margin", "mark"),
            slips=[
                (
                    lambda coins, entry, margin, mark: (
                        coins - FLOOR / mark
                    ),
                    "So many are closed: how many stay open?",
                ),
                (
                    lambda **c: -kept(**c),
                    "How many stay open is a number above zero, for a "
                    "short as well.",
                ),
                (
                    lambda coins, entry, margin, mark: FLOOR / entry,
                    "A tier counts what the position is worth now, not "
                    "at the entry.",
                ),
                (
                    lambda coins, entry, margin, mark: TABLE[1][0] / mark,
                    "More than you had: which tier is below the one that "
                    "you are in?",
                ),
                (
                    lambda coins, entry, margin, mark: (
                        FLOOR / line(coins, entry, margin)
                    ),
                    "The venue looks at your figure `mark`, not at the "
                    "line.",
                ),
                (
                    lambda coins, entry, margin, mark: FLOOR,
                    "Those are USDT: how many SOL is that at the mark?",
                ),
                (
                    lambda coins, entry, margin, mark: 0.0,
                    "Nothing is left when it is closed whole; this venue "
                    "closes a part.",
                ),
                (
                    lambda coins, entry, margin, mark: coins,
                    "At this mark you are beyond your line: a part is "
                    "closed.",
                ),
            ],
        ),
        "deleveraged": Task(
            "ps04-deleveraged",
            truth=deleveraged,
            cases=of("coins", "entry", "margin", "jump", "fund"),
            slips=[
                (
                    lambda coins, entry, margin, jump, fund: (
                        missing(coins, entry, margin, jump) - fund
                    ),
                    "Those are the USDT that the fund cannot pay: how "
                    "many SOL is that?",
                ),
                (
                    lambda coins, entry, margin, jump, fund: (
                        fund / (jump - entry - margin / coins)
                    ),
                    "For so many the fund pays: and the rest?",
                ),
                (
                    lambda coins, entry, margin, jump, fund: (
                        (coins * (jump - entry) - fund)
                        / (jump - entry - margin / coins)
                    ),
                    "More than you were short: your margin pays before "
                    "the fund does.",
                ),
                (
                    lambda **c: -deleveraged(**c),
                    "A number of coins is above zero: what does each one "
                    "save, `jump` less bankruptcy or the other way?",
                ),
                (
                    lambda coins, entry, margin, jump, fund: coins,
                    "All of it only when the fund is empty.",
                ),
                (
                    lambda coins, entry, margin, jump, fund: (
                        coins - fund / (jump - entry)
                    ),
                    "Your margin pays first, and then the fund.",
                ),
                (
                    lambda coins, entry, margin, jump, fund: (
                        (missing(coins, entry, margin, jump) - fund)
                        / (jump - entry)
                    ),
                    "They are closed at your bankruptcy price, not at "
                    "your entry.",
                ),
                (
                    lambda coins, entry, margin, jump, fund: (
                        (missing(coins, entry, margin, jump) - fund) / jump
                    ),
                    "A coin that is closed against a winner saves the "
                    "distance between two prices, not all of its price.",
                ),
            ],
        ),
        "fund_gains": Task(
            "ps04-fund-gains",
            truth=fund_gains,
            cases=[
                LONG | dict(mark=131.0, last=130.0, fund=90_000.0),
                OTHER | dict(mark=70.4, last=68.0, fund=50_000.0),
                LONG | dict(mark=134.0, last=136.5, fund=70_000.0),
                OTHER | dict(mark=69.5, last=72.0, fund=10_000.0),
                LONG | dict(mark=141.0, last=128.0, fund=80_000.0),
                OTHER | dict(mark=66.0, last=65.0, fund=30_000.0),
                LONG | dict(mark=137.76, last=137.0, fund=40_000.0),
                LONG | dict(mark=137.75, last=130.0, fund=90_000.0),
            ],
            slips=[
                (
                    gains(fill="mark"),
                    "The mark only triggers: at which price are the "
                    "contracts sold?",
                ),
                (
                    lambda **case: -gains()(**case),
                    "The sign: what the fund pays is below zero.",
                ),
                (
                    lambda margin, **case: gains()(margin=0.0, **case),
                    "The margin pays first, and then the fund.",
                ),
                (
                    gains(need="last"),
                    "The requirement is counted at the mark, whatever the "
                    "market pays.",
                ),
                (
                    gains(need="nothing"),
                    "It is closed before its margin is used up: where is "
                    "the requirement?",
                ),
                (
                    gains(need="entry"),
                    "The requirement is a share of what the position is "
                    "worth at the mark, not at the entry.",
                ),
                (
                    gains(trigger="always"),
                    "Is the position closed at all at this mark?",
                ),
                (
                    gains(trigger="last"),
                    "The last price does not trigger anything: what does?",
                ),
                (
                    gains(keeps=False),
                    "Something is left of the margin there, and this "
                    "venue's fund keeps it.",
                ),
                (
                    gains(cap=False),
                    "The fund cannot pay more than it has.",
                ),
            ],
        ),
        "breaks_it": Search(
            "ps04-breaks-it",
            shows=disagree,
            ranges={
                "worth": (1_000, 10_000_000),
                "equity": (0, 10_000_000),
            },
            slips=[
                (dict(worth=150_000, equity=2_000), "that is right"),
                (dict(worth=30_000, equity=100), "that is right"),
                (dict(worth=400_000, equity=30_000), "leave the"),
                (dict(worth=400_000, equity=9_000), "both close"),
            ],
        ),
        "repaired": Task(
            "ps04-repaired",
            truth=lambda worth: STEPS.maintenance(worth),
            cases=[
                dict(worth=900_000.0),
                dict(worth=440_000.0),
                dict(worth=250_000.0),
                dict(worth=90_000.0),
                dict(worth=35_000.0),
            ],
            slips=[
                (
                    colleague,
                    "That is what your colleague's function says.",
                ),
                (
                    required(lambda less, *row: 0.0),
                    "The highest rate holds only for the part above its "
                    "floor.",
                ),
                (
                    required(
                        lambda less, floor, rate, high: less + floor * high
                    ),
                    "Below a floor the rates of the lower rows are still "
                    "charged: take off only what the next rate adds.",
                ),
                (
                    required(
                        lambda less, floor, rate, high: (
                            less + floor * (high - LOWEST)
                        )
                    ),
                    "Each row rises from the rate of the row before it, "
                    "not from the first.",
                ),
                (
                    required(
                        lambda less, floor, rate, high: (
                            floor * (high - LOWEST)
                        )
                    ),
                    "What the rows before have taken off is forgotten.",
                ),
                (
                    lambda worth: (
                        TABLE[-1][1] * worth - amount_of(TABLE[-1][0] + 1)
                    ),
                    "At this worth, which rows are reached?",
                ),
                (
                    required(
                        lambda less, floor, rate, high: (
                            less - floor * (high - rate)
                        )
                    ),
                    "The lower rows make the requirement smaller: look "
                    "at the sign.",
                ),
            ],
        ),
    }
