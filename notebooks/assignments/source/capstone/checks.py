"""Capstone: the figures of a student's desk, and what the checks know."""

from functools import cache

import marginlab as ml
import numpy as np
from marginlab import Account, Option, Perpetual, Position, Tiers, venues
from marginlab.lesson import Search, Task
from marginlab.market import Given, Jumps, outcomes

COINS = {"btc": "BTC", "eth": "ETH", "alt": "APT"}
RATES = {"btc": 0.004, "eth": 0.004, "alt": 0.03}  # of maintenance
LEVERAGE = {"btc": 125, "eth": 125, "alt": 20}  # the highest
NONE = dict.fromkeys(COINS, 1e-9)  # next to no requirement
ALONE = NONE | {"alt": RATES["alt"]}  # one of the altcoin only
VOL = 0.6  # of bitcoin, a year
MONTHS = 400
WORST = 80  # months: a fifth; at 5 % nearly half the desks lose all
MORE = 0.01  # of the capital: so much more counts as more


def figures(my):
    """A desk: capital in USDT; coins (below zero: short) and entries;
    calls that it may sell, and their strike; a rise of the altcoin; what
    its shorts pay each eight hours; a seed."""
    capital = my.number("capital", 40_000, 100_000, 5_000)
    side = my.number("side", -1, 1, 2)
    mine = {
        "capital": capital,
        "btc_entry": my.number("btc entry", 40_000, 80_000, 500),
        "eth_entry": my.number("eth entry", 2_000, 4_000, 50),
        "alt_entry": my.number("alt entry", 4, 12, 0.5),
    }
    btc = side * capital * my.number("btc", 3.6, 4.4, 0.1)
    eth = -side * capital * my.number("eth", 1, 1.4, 0.1)
    alt = -capital * my.number("alt", 0.8, 1.1, 0.05)
    return mine | {
        "btc": round(btc / mine["btc_entry"], 1),
        "eth": float(round(eth / mine["eth_entry"])),
        "alt": float(round(alt / mine["alt_entry"], -1)),
        "calls": my.number("calls", 1, 3, 0.5),
        "strike": round(mine["btc_entry"] * 1.2, -3),
        "squeeze": my.number("squeeze", 0.52, 1.22, 0.05),
        "funding": my.number("funding", 0.0002, 0.0008, 0.0001),
        "seed": my.number("seed", 1, 9_999, 1),
    }


# ------------------------------------------------- what a student may use


def contract(name, rates=RATES):
    coin, tiers = COINS[name], Tiers.flat(rates[name], LEVERAGE[name])
    return Perpetual(f"{coin}-USDT", coin, "USDT", tiers=tiers)


def market(mine):
    """(book, paths, rates): three positions, 400 months in which the venue
    looks every four hours, and funding rates after each look."""
    book = [
        Position(contract(n), mine[n], mine[f"{n}_entry"]) for n in COINS
    ]
    start = {coin: mine[f"{n}_entry"] for n, coin in COINS.items()}
    made = Jumps(
        start,
        steps=180,
        hours=4,
        count=MONTHS,
        volatility={"BTC": 0.5, "ETH": 0.7, "APT": 1.0},
        correlation=0.7,
        jumps=6,
        size={"BTC": 0.0, "ETH": 0.0, "APT": 0.1},
        size_spread={"BTC": 0.03, "ETH": 0.05, "APT": 0.2},
        rng=np.random.default_rng(int(mine["seed"])),
    ).prices()
    given = {coin: rows[1:] for coin, rows in made.items()}
    paths = Given(start, given=given, hours=4)
    return book, paths, {"APT-USDT": np.tile([0, -mine["funding"]], 90)}


def sold(mine):
    """The call on bitcoin that it may sell: 30 days, paid in USDT."""
    about = {"kind": "call", "strike": mine["strike"], "expiry": 30}
    return Option("BTC-C", "BTC", "USDT", **about)


def rivals(mine):
    """The choices to compare with: walls in USDT, 0 for cross."""
    size = {n: abs(w) for n, w in worth(mine).items()}
    share = mine["capital"] / sum(size.values())
    return {
        "all cross": dict.fromkeys(COINS, 0.0),
        "all isolated": {n: float(int(share * size[n])) for n in COINS},
    }


# ------------------------------------------------------------- truths


def opened(mine, rates=RATES, **choice):
    """The account once the venue has opened it; ValueError if it does not.

    Walled positions come first: what they leave is for the shared pool."""
    start = {coin: mine[f"{n}_entry"] for n, coin in COINS.items()}
    desk = Account(venues.TEACHING, USDT=mine["capital"]).mark(**start)
    for n in sorted(COINS, key=lambda n: not choice[n]):
        held, entry = contract(n, rates), mine[f"{n}_entry"]
        desk = desk.trade(held, mine[n], entry, isolated=choice[n] or None)
    return desk


def kept(desk):
    return float(sum(pool.equity() for pool in desk.pools))


def prices(mine, moves):
    return {
        c: mine[f"{n}_entry"] * (1 + moves[n]) for n, c in COINS.items()
    }


def runs(mine, funded=True):
    """A function of a choice: when it was liquidated and what it was worth
    on each path, as `outcomes` says it, from the account itself."""
    _, paths, rates = market(mine)

    @cache
    def run(btc, eth, alt):
        start = opened(mine, btc=btc, eth=eth, alt=alt)
        return outcomes(start, paths, rates if funded else None)

    return run


def with_calls(mine, bitcoin=None, **spoilt):
    """A function of the price of bitcoin: what all in cross has to spare
    with the calls sold. Of `spoilt`, `premium` or `worth` is how often
    each of them counts, and `bitcoin` the coins of the perpetual."""
    call, calls = sold(mine), mine["calls"]
    start = {c: mine[f"{n}_entry"] for n, c in COINS.items()}
    start["BTC vol"] = VOL
    venue = ml.replace(venues.TEACHING, options=venues.OKX_OPTIONS)
    premium = float(call.price(start))
    book = mine | ({} if bitcoin is None else {"btc": bitcoin})
    held = [
        Position(contract(n), book[n], book[f"{n}_entry"]) for n in COINS
    ]
    held.append(Position(call, -calls, premium))
    paid = calls * premium
    pool = ml.Pool(
        "USDT", {"USDT": mine["capital"] + paid}, held, venue, start
    )

    def truth(price):
        worth = calls * call.price({"BTC": price, "BTC vol": VOL})
        more = (spoilt.get("premium", 1) - 1) * paid
        more -= (spoilt.get("worth", 1) - 1) * worth
        return float(pool.slack(BTC=price) + more)

    return truth


# ------------------------------------------------------- first tasks


def worth(mine):
    return {n: mine[n] * mine[f"{n}_entry"] for n in COINS}


def shared(mine, rates=RATES):
    """The pool with everything in cross."""
    return opened(mine, rates, **dict.fromkeys(COINS, 0.0)).cross


def together(rates=RATES, **mine):
    found = shared(mine, rates).liquidation(list(COINS.values()))
    end = found.below if found.low is not None else found.above
    return end.prices["BTC"] / mine["btc_entry"] - 1


def by_alt(rates=RATES, **mine):
    found = shared(mine, rates).liquidation("APT").above
    return found.price / mine["alt_entry"] - 1


def slip_of_line(mine, moved, coins=tuple(COINS), size=float):
    """A wrong move of these coins: `moved` and `size` spoil it."""
    net = sum(size(worth(mine)[n]) for n in coins)
    asks = sum(abs(worth(mine)[n]) * RATES[n] for n in coins)
    room = mine["capital"] - by_rates(mine)
    return -room / (net - moved * asks)


def by_rates(mine, rates=RATES):
    return sum(abs(w) * rates[n] for n, w in worth(mine).items())


def signed(mine):
    return sum(w * RATES[n] for n, w in worth(mine).items())


def first(mine):
    """The tasks that do not depend on what was chosen."""
    book = {
        name: value
        for name, value in mine.items()
        if name.startswith((*COINS, "capital"))
    }
    return {
        "required": Task(
            "capstone-required",
            truth=lambda **case: shared(case).requirement(),
            cases=[book],
            slips=[
                (
                    lambda **c: abs(signed(c)),
                    "A short requires margin as well: it is asked for, "
                    "never given.",
                ),
                (
                    lambda **c: -abs(signed(c)),
                    "A requirement is never below zero: of a short, what "
                    "counts is its size.",
                ),
                (
                    lambda **c: by_rates(
                        c, {n: 1 / m for n, m in LEVERAGE.items()}
                    ),
                    "That is the initial margin at the highest leverage; "
                    "maintenance is asked for.",
                ),
                (
                    lambda **c: by_rates(c, dict.fromkeys(COINS, 1.0)),
                    "That is what the positions are worth: of it, only a "
                    "fraction is required.",
                ),
                (
                    lambda **c: by_rates(c, dict.fromkeys(COINS, 0.004)),
                    "The altcoin has a rate of its own.",
                ),
                (
                    lambda **c: sum(abs(c[n]) * RATES[n] for n in COINS),
                    "Those are coins: what is each worth?",
                ),
            ],
        ),
        "together": Task(
            "capstone-together",
            truth=together,
            cases=[book],
            slips=[
                (
                    lambda **c: together(rates=NONE, **c),
                    "There nothing is left, and the venue closes before "
                    "that: it asks for a requirement.",
                ),
                (
                    lambda **c: slip_of_line(c, 0),
                    "The requirement moves with the prices too.",
                ),
                (
                    lambda **c: slip_of_line(c, -1),
                    "Of what a position is worth after the move, its rate "
                    "is required: look at the sign of that term.",
                ),
                (
                    lambda **c: -abs(slip_of_line(c, 1, size=abs)),
                    "Longs and shorts do not lose together: what counts "
                    "is the net of them.",
                ),
                (
                    lambda **c: abs(slip_of_line(c, 1, size=abs)),
                    "As if longs and shorts lost together: add what they "
                    "are worth with their signs.",
                ),
                (
                    lambda **c: -slip_of_line(c, -1),
                    "When prices rise, a long gains and a short loses: "
                    "look at the sign of their sum.",
                ),
                (
                    lambda **c: 1 + together(**c),
                    "That is 1 plus the move: give the move itself.",
                ),
                (
                    lambda **c: -together(**c),
                    "The other way: does the desk lose when prices rise, "
                    "or when they fall?",
                ),
                (
                    lambda **c: 100 * together(**c),
                    "Give a fraction, not per cent.",
                ),
            ],
        ),
        "by_alt": Task(
            "capstone-by-alt",
            truth=by_alt,
            cases=[book],
            slips=[
                (
                    lambda **c: by_alt(rates=NONE, **c),
                    "There nothing is left: the venue closes before that.",
                ),
                (
                    lambda **c: slip_of_line(c, 0, ["alt"]),
                    "What the altcoin requires grows with its price.",
                ),
                (
                    lambda **c: by_alt(rates=ALONE, **c),
                    "The positions that stand still have a requirement as "
                    "well.",
                ),
                (
                    lambda **c: slip_of_line(c, -1, ["alt"]),
                    "A larger requirement brings the end nearer: look at "
                    "the sign.",
                ),
                (
                    lambda **c: 1 + by_alt(**c),
                    "That is 1 plus the rise: give the rise itself.",
                ),
                (
                    lambda **c: (1 + by_alt(**c)) * c["alt_entry"],
                    "That is the price: the rise is asked, as a fraction.",
                ),
                (
                    lambda **c: -by_alt(**c),
                    "A short loses when its coin rises.",
                ),
                (
                    lambda **c: 100 * by_alt(**c),
                    "Give a fraction, not per cent.",
                ),
            ],
        ),
        "with_calls": calls_task(mine),
        "choice": Search(
            "capstone-choice",
            shows=lambda **choice: opens(mine, choice),
            ranges=dict.fromkeys(COINS, (0, mine["capital"])),
            slips=[
                (
                    dict(btc=0, eth=mine["capital"], alt=1_000),
                    "is more than the",
                ),
                (dict(btc=1, eth=0, alt=0), "allowed at this size"),
                (
                    dict(btc=0, eth=mine["capital"] - 1, alt=0),
                    "short of its margin",
                ),
            ],
        ),
    }


def calls_task(mine):
    right, calls, strike = with_calls(mine), mine["calls"], mine["strike"]
    entry, rate = mine["btc_entry"], venues.OKX_OPTIONS.maintenance_share
    vol = {"BTC vol": VOL}

    def more(extra):
        return lambda price: right(price) + calls * extra(price)

    return Task(
        "capstone-with-calls",
        truth=right,
        cases=[{"price": entry * up} for up in (1.35, 0.85, 0.97, 1.1)],
        slips=[
            (
                with_calls(mine, premium=0),
                "The buyer has paid: the premium is in the pool.",
            ),
            (
                with_calls(mine, worth=2),
                "What the calls are worth is asked for: it does not come "
                "off the equity as well.",
            ),
            (
                with_calls(mine, worth=0),
                "Of a call that was sold, what it is worth is asked for, "
                "beside the 3 %.",
            ),
            (
                more(lambda price: rate * (price - strike)),
                "It is 3 % of bitcoin's price, not of the strike.",
            ),
            (
                more(lambda price: rate * price),
                "Beside what they are worth, the calls ask for 3 % of "
                "bitcoin's price.",
            ),
            (
                more(
                    lambda price: (
                        sold(mine).price({"BTC": price} | vol)
                        - max(price - strike, 0.0)
                    )
                ),
                "That is what a call pays on its last day: 30 days are "
                "left, and it is worth more.",
            ),
            (
                lambda price: right(price) - mine["btc"] * (price - entry),
                "The perpetual on bitcoin has gained or lost by then.",
            ),
            (
                lambda price: (
                    right(price)
                    + abs(mine["btc"]) * RATES["btc"] * (price - entry)
                ),
                "What the perpetual asks for moves with its price.",
            ),
            (
                with_calls(mine, bitcoin=-mine["btc"]),
                "A long gains when the price rises, and a short loses: "
                "look at the sign.",
            ),
            (
                lambda price: -right(price),
                "Equity less requirement, not the other way round.",
            ),
        ],
    )


def opens(mine, choice):
    """Whether the venue opens the desk, and what it says."""
    try:
        desk = opened(mine, **choice)
    except ValueError as error:
        return False, f"The venue refuses: {error}."
    modes = (
        f"{n} isolated with {w:,.0f}" if w else f"{n} in cross"
        for n, w in choice.items()
    )
    free = desk.cross.collateral["USDT"]
    return True, (
        f"The venue opens it: {', '.join(modes)}; {free:,.0f} USDT stay "
        "in the shared pool."
    )


# ------------------------------------- tasks that depend on the choice


def left(mine, rates=RATES):
    def truth(btc, eth, alt, rise):
        desk = opened(mine, rates, btc=btc, eth=eth, alt=alt)
        moves = dict(btc=0.0, eth=0.0, alt=rise)
        return kept(desk.at(**prices(mine, moves)))

    return truth


def line_of(mine, choice, walled_too=False):
    """The rise that closes the altcoin's pool, by hand: to check just
    before it and just after. Where what is walled off apart asks of that
    pool as well, it is nearer, and wrong."""
    size = {n: abs(w) for n, w in worth(mine).items()}
    asks = {n: size[n] * RATES[n] for n in COINS}
    others = sum(
        asks[n]
        for n in ("btc", "eth")
        if walled_too or not (choice["alt"] or choice[n])
    )
    pool = choice["alt"] or mine["capital"] - sum(choice.values())
    return (pool - others - asks["alt"]) / (size["alt"] + asks["alt"])


def by_hand(mine, walled_too=False, idle=True):
    """Slips of `left`: walled positions ask of the shared pool as well,
    or what is in no pool is forgotten."""

    def slip(rise, **choice):
        free = mine["capital"] - sum(choice.values())
        gone = choice["alt"] or free
        if rise < line_of(mine, choice, walled_too):
            gone = -worth(mine)["alt"] * rise
        total = mine["capital"] - gone
        return total - free * (all(choice.values()) and not idle)

    return slip


def always(function, choice):
    """A slip: it answers for one choice, whatever is asked."""
    return lambda btc, eth, alt, **rest: function(**choice, **rest)


def whole(mine):
    """A slip of `left`: all of the capital is behind the cross pool."""

    def slip(btc, eth, alt, rise):
        more = mine | {"capital": mine["capital"] + btc + eth}
        return left(more)(btc, eth, alt, rise) - btc - eth

    return slip


def unended(mine):
    """A slip of `left`: nothing is ever closed."""
    return lambda rise, **choice: (
        mine["capital"] + worth(mine)["alt"] * rise
    )


def all_gone(mine):
    """A slip of `left`: where something is closed, all is lost."""

    def slip(rise, **choice):
        kept_then, alive = left(mine)(rise=rise, **choice), unended(mine)
        same = abs(kept_then - alive(rise)) < 1e-6 * mine["capital"]
        return kept_then if same else 0.0

    return slip


def share(run):
    """Of `runs`: the share of paths on which a pool is liquidated."""

    def truth(btc, eth, alt):
        return float((run(btc, eth, alt)["liquidated"] >= 0).mean())

    return truth


def every(run):
    """A slip of `share`: the paths on which no pool is left."""

    def slip(btc, eth, alt):
        pools = run(btc, eth, alt).drop(columns=["liquidated", "worth"])
        return float((pools >= 0).all(axis=1).mean())

    return slip


def lost(run, mine, of):
    """What `of` says of the losses on all paths, in order, USDT."""

    def truth(btc, eth, alt):
        ends = run(btc, eth, alt)["worth"].to_numpy()
        return float(of(np.sort(mine["capital"] - ends)))

    return truth


def unclosed(mine):
    """A slip of the losses: as if nothing was ever liquidated."""
    _, paths, _ = market(mine)
    last = {coin: rows[-1] for coin, rows in paths.prices().items()}
    gain = sum(
        mine[n] * last[coin] - worth(mine)[n] for n, coin in COINS.items()
    )
    return float(np.sort(-gain)[-WORST:].mean())


def overturned(mine, choice):
    """Says of a move and its return whether a rival keeps more."""
    desks = {"yours": opened(mine, **choice)}
    for name, other in rivals(mine).items():
        desks[name] = opened(mine, **other)

    def shows(btc, eth, alt, back):
        moves = dict(btc=btc, eth=eth, alt=alt)
        then = {n: move * (1 - back) for n, move in moves.items()}
        rows = prices(mine, moves), prices(mine, then)
        path = {coin: [row[coin] for row in rows] for coin in rows[0]}
        ends = {}
        for name, desk in desks.items():
            *_, final = ml.steps(desk, prices=path)
            ends[name] = kept(final)
        said = ", ".join(
            f"{name} {end:,.0f}" for name, end in ends.items()
        )
        more = max(ends.values()) - ends["yours"]
        if more <= 0:
            return False, f"Left, in USDT: {said}. No rival keeps more."
        if more < MORE * mine["capital"]:
            return False, (
                f"Left, in USDT: {said}. That is more, but by less than "
                f"{MORE:.0%} of the capital."
            )
        return True, f"Left, in USDT: {said}."

    return shows


def example(mine):
    """A choice that the venue opens: one of many, and no advice."""
    return dict(btc=0.0, eth=0.0, alt=float(round(0.25 * mine["capital"])))


def tasks(mine):
    """All tasks by name, those about the chosen desk with an example."""
    return first(mine) | desk(mine, example(mine))


def desk(mine, choice):
    """The tasks about the desk that was chosen; ValueError with the
    venue's reason if it does not open."""
    said, right = first(mine)["choice"].verdict(choice)
    if not right:
        raise ValueError(f"choose again: {said}")
    choice = {name: float(choice[name]) for name in COINS}
    capital, alt = mine["capital"], -worth(mine)["alt"]
    cross, isolated = rivals(mine).values()
    wall, squeeze = example(mine), {"rise": mine["squeeze"]}
    half = {n: float(round(capital / 2)) * (n == "btc") for n in COINS}
    lines = by_alt(**mine), by_alt(rates=ALONE, **mine)
    little = (isolated["alt"] + MORE / 2 * capital) / alt
    run, unfunded = runs(mine), runs(mine, funded=False)
    part = float(round(capital / 20))
    other = cross | {"eth": float(round(capital / 5))}
    near = [
        walls | {"rise": line_of(mine, walls) + by}
        for walls in (wall, half, other)
        for by in (-0.002, 0.002)
    ]
    equal = dict.fromkeys(COINS, capital / len(COINS))
    worst = lost(run, mine, lambda row: row[-WORST:].mean())
    chosen = [isolated, choice, cross]
    chosen += [dict(btc=2 * part, eth=0.0, alt=16 * part)]
    chosen += [dict(btc=n * part, eth=0.0, alt=0.0) for n in (1, 14)]
    return {
        "left": Task(
            "capstone-left",
            truth=left(mine),
            cases=[
                {n: round(0.8 * w) for n, w in isolated.items()} | squeeze,
                isolated | squeeze,
                wall | {"rise": 0.995 * wall["alt"] / alt},
                cross | {"rise": sum(lines) / 2},
                choice | squeeze,
                cross | squeeze,
                half | {"rise": 0.7},
                *near,
                wall | {"rise": 0.03},
            ],
            slips=[
                (
                    left(mine, ALONE),
                    "The positions that stand still, and share the pool, "
                    "have a requirement as well.",
                ),
                (
                    left(mine, NONE),
                    "A pool is closed before it is empty, and the venue's "
                    "fund keeps what is left of it.",
                ),
                (
                    whole(mine),
                    "What is walled off for one position does not stand "
                    "behind the others.",
                ),
                (
                    unended(mine),
                    "The pool in which the altcoin sits was closed: it "
                    "loses what stood behind it, and no more.",
                ),
                (
                    all_gone(mine),
                    "One pool is closed, not the whole desk.",
                ),
                (
                    by_hand(mine, idle=False),
                    "What is in no pool is still there.",
                ),
                (
                    by_hand(mine, walled_too=True),
                    "A pool answers for its own positions only: what is "
                    "walled off apart asks nothing of it.",
                ),
                (
                    always(left(mine), choice),
                    "It must be for any choice: use `btc`, `eth` and "
                    "`alt`, not `choice`.",
                ),
            ],
        ),
        "liquidated": Task(
            "capstone-liquidated",
            truth=share(run),
            cases=chosen,
            slips=[
                (
                    lambda **c: 1 - share(run)(**c),
                    "That is the share on which nothing is liquidated.",
                ),
                (
                    lambda **c: 100 * share(run)(**c),
                    "Give a fraction, not per cent.",
                ),
                (
                    lambda **c: MONTHS * share(run)(**c),
                    "That is a number of paths: which share is it?",
                ),
                (
                    every(run),
                    "There all pools are gone; count the paths on which "
                    "at least one is.",
                ),
                (
                    lambda **c: share(run)(**equal),
                    "That is for equal parts: make the split from the "
                    "walls.",
                ),
                (
                    lambda **c: 1 - share(run)(**equal),
                    "That is the share on which nothing is liquidated, in "
                    "equal parts: make the split from the walls.",
                ),
                (
                    always(share(run), choice),
                    "It must be for any choice: use `walls`, and not "
                    "`choice`.",
                ),
            ],
        ),
        "worst": Task(
            "capstone-worst",
            truth=worst,
            cases=chosen,
            slips=[
                (
                    lost(run, mine, lambda row: -row[-WORST:].mean()),
                    "A loss counts above zero here.",
                ),
                (
                    lost(run, mine, np.mean),
                    "That is the mean of all paths.",
                ),
                (
                    lost(run, mine, lambda row: row[:WORST].mean()),
                    "Those are the best paths.",
                ),
                (
                    lost(run, mine, lambda row: row[-WORST:].sum()),
                    "That is the sum of the worst; take their mean.",
                ),
                (
                    lambda **c: unclosed(mine),
                    "As if nothing was ever liquidated.",
                ),
                (
                    lost(run, mine, lambda row: row[-1]),
                    "That is the worst path of all.",
                ),
                (
                    lost(run, mine, lambda row: row[-WORST]),
                    "That is where the worst fifth begins: take its mean.",
                ),
                (
                    lost(
                        run, mine, lambda row: row[-MONTHS // 20 :].mean()
                    ),
                    "Those are the worst 5 %, as in the lesson: here a "
                    "fifth is asked.",
                ),
                (
                    lambda **c: capital - worst(**c),
                    "That is what they leave: the loss is asked.",
                ),
                (
                    lambda **c: float(
                        (capital - run(**c)["worth"])[-WORST:].mean()
                    ),
                    "Those are the last months, and not the worst: sort "
                    "first.",
                ),
                (
                    lambda **c: worst(**equal),
                    "That is for equal parts: make the split from the "
                    "walls.",
                ),
                (
                    always(worst, choice),
                    "It must be for any choice: use `walls`, and not "
                    "`choice`.",
                ),
                (
                    lost(unfunded, mine, lambda row: row[-WORST:].mean()),
                    "Funding is missing: the troughs of `on_paths` have "
                    "it.",
                ),
            ],
        ),
        "overturn": Search(
            "capstone-overturn",
            shows=overturned(mine, choice),
            ranges=dict.fromkeys(COINS, (-0.6, 1.5)) | {"back": (0, 1.5)},
            slips=[
                (dict(btc=0, eth=0, alt=0, back=0), "No rival keeps more"),
                (dict(btc=0, eth=0, alt=3, back=0), "a number from -0.6"),
                (dict(btc=0, eth=0, alt=little, back=0), "by less than"),
            ],
        ),
    }
