"""Problem set 2: the figures of a student, and what the checks know."""

from marginlab import (
    Account,
    Asset,
    Perpetual,
    Pool,
    Position,
    Spot,
    Tiers,
    replace,
    venues,
)
from marginlab.lesson import Search, Task

FACE = 100  # USD a contract
PERP = Perpetual("BTC-USD", "BTC", "BTC", face=FACE)
SPOT = Spot("BTC/USDT")


def figures(my):
    """A hedge: BTC owned and bought, USD, contracts and two rates."""
    own = my.number("own", 1, 4, 0.1)
    bought = round(own * my.number("times", 4, 4.5, 0.05), 2)
    entry = my.number("entry", 40_000, 70_000, 500)
    share = my.number("share", 0.82, 0.9, 0.01)
    fall = my.number("fall", 0.24, 0.28, 0.005)
    return {
        "own": own,
        "bought": bought,
        "entry": entry,
        "contracts": round(bought * entry * share / FACE, -1),
        "price": round(entry * (1 - fall), -2),
        "loan_rate": my.number("loan_rate", 0.04, 0.06, 0.005),
        "rate": my.number("rate", 0.004, 0.008, 0.001),
    }


def rules(loan_rate, rate):
    """The teaching venue with these maintenance rates."""
    assets = {"*": Asset(loan=Tiers.flat(loan_rate, leverage=10))}
    tiers = {"*": Tiers.flat(rate, leverage=125)}
    return replace(venues.TEACHING, assets=assets, tiers=tiers)


# ----------------------------------------------------------- the one pool


def pool(own, bought, entry, contracts, loan_rate, rate):
    held = {"BTC": own + bought, "USDT": -bought * entry}
    short = [Position(PERP, -contracts, entry)]
    return Pool("BTC", held, short, rules(loan_rate, rate))


def equity(price, **book):
    return pool(**book).equity(BTC=price)


def enough(price, **book):
    """Slack is a straight line in the contracts: where is it zero?"""
    one, two = (
        pool(**book | {"contracts": n}).slack(BTC=price) for n in (1, 2)
    )
    return 1 - one / (two - one)


def summed(own, bought, entry, contracts, price, at=None, **rates):
    """Equity in BTC, with the debt in coins at the price `at`."""
    usd = contracts * FACE
    owed = bought * entry / (at or price)
    return own + bought - owed + usd / price - usd / entry


def in_dollars(
    bought, entry, contracts, price, spot=False, short=False, **other
):
    """What a leg gains too much, in BTC, if its gain in dollars is
    divided by the entry and not by the price."""
    rise = (price - entry) * (1 / entry - 1 / price)
    return rise * (bought * spot - contracts * FACE / entry * short)


def sold(own, bought, entry, price, loan_rate, rate, **other):
    """Contracts that end the pool at a price: for slips."""
    short_of = bought * entry * (1 + loan_rate) - (own + bought) * price
    return short_of / FACE / (1 - price / entry - rate)


# ---------------------------------------------------------- the two pools


def hedge(me, bought, contracts, entry, spot=None, short=None):
    """The account with both legs; BTC behind each if isolated."""
    me = me.trade(SPOT, bought, entry, isolated=spot, borrow="USDT")
    return me.trade(PERP, -contracts, entry, isolated=short)


def total(account):
    return sum(pool.equity() for pool in account.pools)


def left(spot_coins, short_coins, bought, entry, low, loan_rate):
    own = spot_coins + short_coins
    me = Account(rules(loan_rate, 0.004), BTC=own).mark(BTC=entry)
    contracts = bought * entry / FACE
    me = hedge(me, bought, contracts, entry, spot_coins, short_coins)
    return total(me.at(BTC=low).at(BTC=entry))


def spot_leg(spot_coins, bought, entry, low, **other):
    return spot_coins + bought - bought * entry / low


def if_needed(needs, spot_coins, short_coins, **leg):
    """The answer of one who compares with another requirement."""
    held = spot_leg(spot_coins=spot_coins, **leg) > needs(**leg)
    return short_coins + (spot_coins if held else 0)


FALLS = [
    dict(
        spot_coins=1.5,
        short_coins=1.0,
        bought=6.0,
        entry=40_000.0,
        low=30_000.0,
        loan_rate=0.05,
    ),
    dict(
        spot_coins=2.5,
        short_coins=1.0,
        bought=5.0,
        entry=30_000.0,
        low=24_000.0,
        loan_rate=0.04,
    ),
    dict(
        spot_coins=1.5,
        short_coins=1.0,
        bought=6.0,
        entry=40_000.0,
        low=33_000.0,
        loan_rate=0.02,
    ),
    dict(
        spot_coins=0.8,
        short_coins=0.5,
        bought=4.0,
        entry=60_000.0,
        low=51_000.0,
        loan_rate=0.05,
    ),
    dict(
        spot_coins=2.0,
        short_coins=3.0,
        bought=8.0,
        entry=55_000.0,
        low=46_400.0,
        loan_rate=0.06,
    ),
    dict(
        spot_coins=1.5,
        short_coins=1.0,
        bought=6.0,
        entry=40_000.0,
        low=34_500.0,
        loan_rate=0.1,
    ),
    dict(
        spot_coins=1.5,
        short_coins=1.0,
        bought=6.0,
        entry=40_000.0,
        low=35_400.0,
        loan_rate=0.1,
    ),
]


# -------------------------------------------------------------- a haircut


def coins(short, haircut, rate):
    """Slack is a straight line in the coins held, at each price."""
    asset = Asset(haircut=haircut)
    assets = {"BTC": asset, "USDT": Asset()}
    venue = replace(venues.TEACHING_MULTI, assets=assets)
    perp = Perpetual("T", "BTC", "USDT", tiers=Tiers.flat(rate))

    def rise(held):
        book = [Position(perp, -short, 50_000)]
        pool = Pool("USD", {"BTC": held, "USD": 0}, book, venue)
        return pool.slack(BTC=60_000) - pool.slack(BTC=50_000)

    return rise(0) / (rise(0) - rise(1))


# --------------------------------------------------------------- the claim


def shown_less(mine):
    """Does a hedge leave less in cross than in two pools?"""
    own, entry = mine["own"], mine["entry"]
    me = Account(rules(mine["loan_rate"], mine["rate"]), BTC=own)
    me = me.mark(BTC=entry)

    def shows(bought, contracts, price):
        legs = sorted([bought * entry, contracts * FACE])
        if 2 * legs[0] < legs[1] * (1 - 1e-9):
            return False, (
                f"The legs are {legs[0]:,.0f} and {legs[1]:,.0f} USD: the "
                "smaller must be at least half of the larger."
            )
        try:
            cross = hedge(me, bought, contracts, entry)
            apart = hedge(me, bought, contracts, entry, own / 2, own / 2)
        except ValueError as error:
            return (
                False,
                f"Our venue does not open both accounts: {error}.",
            )
        cross, apart = (
            account.at(BTC=price).at(BTC=entry)
            for account in (cross, apart)
        )
        kept = (
            f"Isolated leaves {total(apart):.4f} BTC, "
            f"cross {total(cross):.4f}"
        )
        if not cross.liquidations and not apart.liquidations:
            return False, f"{kept}: nothing is closed there."
        if total(cross) >= total(apart):
            return False, f"{kept}: there your colleague is right."
        return True, f"{kept}: that is less."

    return shows


def poor_cases(mine):
    """Cases that do not do, and a part of what is said to each."""
    own, entry = mine["own"], mine["entry"]

    def case(times, share, level):
        """Coins bought for each owned, the short's share, the move."""
        bought = times * own
        contracts = share * bought * entry / FACE
        return dict(
            bought=bought, contracts=contracts, price=level * entry
        )

    return [
        (case(4, 1, 0.98), "nothing is closed"),
        (case(4, 1, 0.75), "colleague is right"),
        (case(4, 1, 1.35), "colleague is right"),
        (case(5.5, 1, 0.7), "does not open both"),
        (case(4, 0.3, 0.7), "at least half"),
    ]


# --------------------------------------------------------------- the tasks


def tasks(mine):
    """The tasks by name, for the figures of one student."""
    return {
        "equity": Task(
            "ps02-equity",
            truth=equity,
            cases=[mine],
            slips=[
                (
                    lambda **b: summed(**b | {"contracts": 0}),
                    "The short is missing: its profit counts, although "
                    "it is not taken yet.",
                ),
                (
                    lambda **b: summed(
                        **b | {"contracts": -b["contracts"]}
                    ),
                    "Look at the sign of the short: what does it do when "
                    "the price falls?",
                ),
                (
                    lambda **b: summed(
                        **b | {"contracts": b["contracts"] / FACE}
                    ),
                    "A contract is 100 USD, not 1.",
                ),
                (
                    lambda **b: summed(**b | {"own": 0}),
                    "Your own coins are in the pool as well.",
                ),
                (
                    lambda **b: summed(**b) + in_dollars(spot=True, **b),
                    "Coins and debt: dollars lost, divided by the "
                    "entry. Divide by `price`, or count coins and debt.",
                ),
                (
                    lambda **b: summed(**b) + in_dollars(short=True, **b),
                    "The short's gain in dollars, divided by the entry: "
                    "it is paid in coins at the new price.",
                ),
                (
                    lambda **b: (
                        summed(**b)
                        + in_dollars(spot=True, short=True, **b)
                    ),
                    "Both legs: dollars, divided by the entry. In coins "
                    "they are worth what `price` makes of them.",
                ),
                (
                    lambda **b: summed(**b, at=b["entry"]),
                    "The debt is fixed in dollars: how many coins does it "
                    "take at the new price?",
                ),
                (
                    lambda price, **b: pool(**b).slack(BTC=price),
                    "That is the slack: no requirement is asked for here.",
                ),
                (
                    lambda price, **b: equity(price, **b) * price,
                    "Those are dollars: how many BTC is that?",
                ),
            ],
        ),
        "enough": Task(
            "ps02-enough",
            truth=enough,
            cases=[mine],
            slips=[
                (
                    lambda **b: sold(**b | {"loan_rate": 0, "rate": 0}),
                    "There the pool is worth nothing; its line is where "
                    "equity meets the requirement.",
                ),
                (
                    lambda **b: sold(**b | {"rate": 0}),
                    "The contracts require something too.",
                ),
                (
                    lambda **b: sold(**b | {"loan_rate": 0}),
                    "The debt requires something too.",
                ),
                (
                    lambda **b: sold(**b | {"rate": -b["rate"]}),
                    "The requirement of the contracts has the wrong sign.",
                ),
                (
                    lambda **b: sold(**b | {"loan_rate": -b["loan_rate"]}),
                    "The requirement of the debt has the wrong sign.",
                ),
                (
                    lambda **b: sold(**b | {"own": 0}),
                    "Your own coins are in the pool as well.",
                ),
                (
                    lambda rate, price, entry, **b: sold(
                        rate=rate * price / entry,
                        price=price,
                        entry=entry,
                        **b,
                    ),
                    "The contracts require a share of what they are worth "
                    "at `price`, not at the entry.",
                ),
                (
                    lambda **b: (
                        sold(**b | {"rate": 0})
                        + b["rate"]
                        * b["contracts"]
                        / (1 - b["price"] / b["entry"])
                    ),
                    "The requirement is that of as many as you look for, "
                    "and not of your own `contracts`.",
                ),
                (
                    lambda **b: b["contracts"] - sold(**b),
                    "So many fewer than yours: how many in place of them?",
                ),
                (
                    lambda bought, entry, **b: bought * entry / FACE,
                    "With as many as the debt the price would cancel; "
                    "fewer do for a fall to this price.",
                ),
                (
                    lambda **b: sold(**b) * FACE,
                    "Those are dollars: how many contracts?",
                ),
            ],
        ),
        "left": Task(
            "ps02-left",
            truth=left,
            cases=FALLS,
            slips=[
                (
                    lambda **b: if_needed(
                        lambda bought, loan_rate, **_: loan_rate * bought,
                        **b,
                    ),
                    "The requirement is on what the debt is worth in "
                    "coins at the low, not at the entry.",
                ),
                (
                    lambda **b: if_needed(lambda **_: 0, **b),
                    "The venue closes a leg before its equity is used "
                    "up: what does it require? (If you have that in it, "
                    "look at its sign and size.)",
                ),
                (
                    lambda **b: left(
                        **b | {"loan_rate": mine["loan_rate"]}
                    ),
                    "The figures of this hedge are the arguments: use "
                    "`loan_rate`, and not your own.",
                ),
                (
                    lambda loan_rate, **b: if_needed(
                        lambda bought, entry, low, **_: (
                            (bought * entry / low)
                            * loan_rate
                            / (1 - loan_rate)
                        ),
                        **b,
                    ),
                    "Dividing by 1 - loan_rate is not multiplying by 1 + "
                    "loan_rate: compare equity and requirement.",
                ),
                (
                    lambda spot_coins, short_coins, **_: (
                        spot_coins + short_coins
                    ),
                    "That is the shared pool. Here each leg is judged "
                    "alone.",
                ),
                (
                    lambda **b: b["short_coins"] + max(0, spot_leg(**b)),
                    "What is left in a closed pool goes to the fund.",
                ),
                (
                    lambda **b: b["short_coins"] + spot_leg(**b),
                    "The pools do not pay for each other: one that is "
                    "closed is worth nothing to you, and no less.",
                ),
                (
                    lambda short_coins, bought, entry, low, **_: (
                        short_coins + bought * (entry / low - 1)
                    ),
                    "That is the short at the low. The price came back.",
                ),
                (
                    lambda **_: 0,
                    "Only one of the legs loses in a fall.",
                ),
                (
                    lambda short_coins, **_: short_coins,
                    "Is the spot leg closed there? Compare its equity "
                    "with its requirement.",
                ),
            ],
        ),
        "coins": Task(
            "ps02-coins",
            truth=coins,
            cases=[
                dict(short=4.0, haircut=0.15, rate=0.005),
                dict(short=12.5, haircut=0.05, rate=0.01),
            ],
            slips=[
                (
                    lambda short, haircut, rate: short,
                    "As many coins as are short: then part of what they "
                    "gain does not count.",
                ),
                (
                    lambda short, haircut, rate: short / (1 - haircut),
                    "Equity stays then. But the requirement grows with "
                    "the price.",
                ),
                (
                    lambda short, haircut, rate: short * (1 + rate),
                    "The haircut is missing.",
                ),
                (
                    lambda short, haircut, rate: (
                        short * (1 + rate) * (1 + haircut)
                    ),
                    "Close. The haircut falls on all the coins held, not "
                    "on as many as are short.",
                ),
                (
                    lambda short, haircut, rate: (
                        short / (1 - haircut - rate)
                    ),
                    "The rate is charged on what is short, and not on the "
                    "coins held.",
                ),
                (
                    lambda short, haircut, rate: (
                        short / (1 - haircut) / (1 - rate)
                    ),
                    "Dividing by 1 - rate is not multiplying by 1 + rate: "
                    "solve the equation once more.",
                ),
                (
                    lambda short, haircut, rate: (
                        short * (1 - rate) / (1 - haircut)
                    ),
                    "The requirement takes slack away: its sign.",
                ),
                (
                    lambda short, haircut, rate: (
                        short * (1 + rate) * (1 - haircut)
                    ),
                    "A haircut means that more coins are needed.",
                ),
            ],
        ),
        "breaks_it": Search(
            "ps02-breaks-it",
            shows=shown_less(mine),
            ranges={
                "bought": (0.01, 1_000),
                "contracts": (1, 1_000_000),
                "price": (0.6 * mine["entry"], 1.4 * mine["entry"]),
            },
            slips=poor_cases(mine),
        ),
    }
