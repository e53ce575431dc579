"""Lesson 05: one coin is squeezed. The same book, a pool for each position, and all in one."""

from math import inf

import numpy as np
from attrs import evolve

from .. import Account, Perpetual, Tiers, checks, replace, venues
from ..rules import FUND, TRADER
from . import figures
from .explorer import Explorer, amount, contract, difference, opened, would_not
from .sheet import Beside
from .vessel import Vessel

PANELS = {"isolated": "isolated: a pool for each", "cross": "cross: one pool"}
COINS = ("APT", "ZIL", "FTT", "SRM", "LPT", "SOL")
KEPT = {"the fund": FUND, "the trader": TRADER}
ALTCOIN = Perpetual("APT-USDT", "APT", "USDT", tiers=Tiers.flat(0.02, leverage=25))


class Squeeze(Explorer):
    """Short altcoins and an unrelated long on one balance, while one of the coins goes up.

    `instrument` is the coin that goes up, a linear contract and not of BTC, with the maintenance
    schedule that all of the `shorts`, 1 to 6, have; `balance` is held in its settlement currency. A
    pool is closed whole at its line, and the fund or the trader gets what is left. `reading` holds,
    for "isolated" and "cross", the account at the "start" and "after" the move, what it is "worth",
    the number of positions "open" and, by pool, the rise of the first coin that "ends" it, as a
    fraction; the "moves" of the coins, and in "refused" what was not opened, and why.
    """

    title = "One coin is squeezed: a pool for each position, or one?"
    limits = (
        "Left out: fees, funding, market impact, gaps and partial liquidation: the price rises "
        "evenly, and a pool is closed whole at its line. Fees "
        "bring the ends nearer, and so does funding, which shorts often pay in a squeeze; impact "
        "and gaps cost the fund more, not the trader; partial liquidation can save a part of the "
        "cross pool. The other coins rise by a fixed share of the first; real ones do not keep to "
        "it. The long does not move."
    )
    marked = "difference"
    folded = True
    words = (
        ("size", "Size of each (% of balance)", "Worth of each short at the start"),
        ("allocation", "Isolated: walled off (%)", "Of the balance, in equal parts"),
        (
            "kept",
            "What is left goes to",
            "A venue whose fund keeps what a closed pool had left",
            "A venue that returns what a closed pool had left",
        ),
        (
            "correlation",
            "Others rise with it (share)",
            "0: they stand still; 1: as far as the first coin",
        ),
        ("pump", "Rise of the first coin (%)", "From the start to now"),
    )
    venue = venues.TEACHING

    def __init__(self, instrument=ALTCOIN, balance=10_000.0, shorts=3):
        contract(instrument, self.venue, linear=True)
        self.unit = instrument.settle
        if instrument.index == "BTC":
            raise ValueError(f"instrument must not be of BTC, held long: not {instrument.symbol!r}")
        self.balance = checks.number("balance", balance, above=0)
        count = checks.whole("shorts", shorts, least=1, most=6)
        others = [name for name in COINS if name != instrument.index][: count - 1]
        self.shorts = [instrument] + [
            replace(instrument, symbol=f"{name}-{self.unit}", index=name) for name in others
        ]
        self.long = Perpetual(f"BTC-{self.unit}", index="BTC", settle=self.unit)
        self.ran = None, None
        super().__init__()

    def reach(self):
        reach = {"size": (25, 300, 5), "allocation": (10, 100, 5), "kept": KEPT}
        return reach | {"correlation": (0, 1, 0.05), "pump": (0, 100, 0.5)}

    @property
    def presets(self):
        start = {"size": 300.0, "allocation": 80.0, "kept": FUND, "correlation": 0.0, "pump": 30.0}
        smaller = start | {"size": 100.0, "correlation": 0.5, "pump": 55.0}
        half = start | {"size": 150.0, "allocation": 40.0}
        return {
            "one coin, +30 %": start,
            "one coin, +6 %": start | {"pump": 6.0},
            "all coins, +10 %": start | {"correlation": 1.0, "pump": 10.0},
            "the rest returned: one coin, +30 %": start | {"kept": TRADER},
            "others rise half as much: smaller shorts": smaller,
            "half walled off, shorts half as large": half,
        }

    # ---------------------------------------------------------------- reading

    def book(self, size, kept, isolated=None):
        """The account with all positions, each with so much margin walled off, or in cross."""
        worth = size / 100 * self.balance
        marks = {contract.index: 100.0 for contract in self.shorts} | {"BTC": 50_000.0}
        venue = replace(self.venue, surplus_to=kept)
        account = Account(venue, **{self.unit: self.balance}).mark(**marks)
        for short in self.shorts:
            account = account.trade(short, -worth / 100 / short.face, 100.0, isolated=isolated)
        return account.trade(self.long, self.balance / 50_000, 50_000.0, isolated=isolated)

    def rise(self, account, shares, lines, pump):
        """An account after the first coin has gone up evenly by a fraction: closed line by line."""
        stops = {min(line + 1e-9, pump) for line in lines if line <= pump} | {pump}
        for rise in sorted(stops):
            prices = {name: 100 * (1 + share * rise) for name, share in shares.items()}
            account = account.mark(**prices).liquidate()
        return account

    def work_out(self, size, allocation, kept, correlation, pump):
        first, *others = (short.index for short in self.shorts)
        shares = {first: 1.0} | dict.fromkeys(others, correlation)
        asked = size, allocation, kept, correlation
        if asked != self.ran[0]:  # the rise changes none of it
            self.ran = asked, self.begun(size, allocation, kept, shares)
        found = self.ran[1]
        moves = {name: share * pump / 100 for name, share in shares.items()}
        reading = {"refused": found["refused"], "shares": shares, "moves": moves}
        for mode in PANELS:
            if mode in found["refused"]:
                continue
            one = found[mode]
            after = self.rise(one["start"], shares, one["ends"].values(), pump / 100)
            reading[mode] = one | {
                "after": after,
                "worth": sum(pool.equity() for pool in after.pools),
                "open": sum(len(pool.positions) for pool in after.pools),
                "closed": [event.pool for event in after.liquidations],
            }
        return reading

    def begun(self, size, allocation, kept, shares):
        """By mode the account at the start, its ends and its worth along a rise; or a refusal."""
        found = {"refused": {}}
        margin = allocation / 100 * self.balance / (len(self.shorts) + 1)
        for mode, isolated in (("isolated", margin), ("cross", None)):
            account, why = opened(self.book, size, kept, isolated)
            if why:
                found["refused"][mode] = why
                continue
            one = {"start": account, "ends": ends(account, shares)}
            at = np.array(sorted(end for end in one["ends"].values() if end <= 1))
            rise = np.union1d(np.linspace(0, 1, 41), np.clip([at - 1e-9, at + 1e-9], 0, 1))
            curve = rise, self.worth(one, shares, kept, rise)
            found[mode] = one | {"lines": at, "curve": curve}
        return found

    def sentence(self, reading):
        if reading["refused"]:
            return would_not(reading["refused"])
        walled, shared = reading["isolated"], reading["cross"]
        others = reading["correlation"] * reading["pump"] * (len(self.shorts) > 1)
        said = f"{self.shorts[0].index} has gone up by {reading['pump']:g} %"
        said += f", the others by {others:g} %" if others else ""
        closed, apart = "nothing closed", f"-{self.unit}"
        names = [name.removeprefix("isolated ").removesuffix(apart) for name in walled["closed"]]
        if names:
            *most, last = names
            closed = f"{', '.join(most)} and {last} closed" if most else f"{last} closed"
        said += f". Isolated: {closed}, {count_open(walled)}, "
        said += f"{amount(walled['worth'])} {self.unit} left. Cross: "
        state = count_open(shared)
        if shared["closed"]:
            state = "the pool is closed, the BTC long with it"
            return f"{said}{state}; {amount(shared['worth'])} {self.unit} left."
        return f"{said}{state}, {amount(shared['worth'])} {self.unit} left."

    def table(self, reading):
        head = ["", "positions open", "first closed at", f"worth now ({self.unit})"]
        refused, rows = reading["refused"], []
        if refused:
            return head, [[m, "not open" if m in refused else "", "", ""] for m in PANELS]
        for mode in PANELS:
            one = reading[mode]
            there = f"{one['open']} of {len(reading['shares']) + 1}"
            first = min(one["ends"].values(), default=inf)
            end = f"{100 * first:.1f} %" if first <= 1 else "not up to 100 %"
            rows.append([mode, there, end, amount(one["worth"])])
        gap = reading["cross"]["worth"] - reading["isolated"]["worth"]
        rows.append([self.marked, "", "cross less isolated", difference(gap)])
        return head, rows

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        label, titles = f"account worth ({self.unit})", list(PANELS.values())
        figure, panels = figures.blank(
            "rise of the first coin (%)", label, paper=paper, panels=titles
        )
        drawn = {}
        for mode, axes in zip(PANELS, panels, strict=True):
            axes.set_xlim(0, 100)
            axes.set_xticks(range(0, 100, 20))
            axes.set_ylim(-0.05 * self.balance, 1.15 * self.balance)
            drawn[f"{mode} worth"] = figures.curve(axes, "equity", "equity")
            drawn[f"{mode} now"] = figures.curve(axes, "price", "now")
            drawn[f"{mode} closed"] = figures.curve(axes, "closed", "a pool is closed")
        figures.legend(panels[0], above=1.1)
        return (figures.Layers if paper else Beside)(figure, panels, drawn)

    def vessels(self, reading):
        """The first coin's pool, that of any other short, the long's, the rest, and the shared."""
        one, shared = reading.get("isolated"), reading.get("cross")
        shown = [self.vessel(f"{self.shorts[0].index} short", one, self.shorts[0])]
        if len(self.shorts) > 1:
            shown.append(self.vessel("other shorts, each", one, self.shorts[1]))
        shown.append(self.vessel("BTC long", one, self.long))
        idle = [one[when].cross.equity() if one else 0.0 for when in ("start", "after")]
        shown.append(Vessel("the rest", self.unit, False, *idle))
        return [*shown, self.vessel("cross", shared, self.shorts[0])]

    def vessel(self, name, one, contract):
        """A pool of an account as a vessel; empty where there is none."""
        if not one:
            return Vessel(name, self.unit, name != "cross", 0.0, 0.0)
        pool, after = one["start"][contract], one["after"]
        closed = next((event for event in after.liquidations if event.pool == pool.name), None)
        now = {name: price for name, price in after.marks.items() if name in pool.names}
        left = after.cross.equity() if closed and not pool.isolated else 0.0
        return evolve(Vessel.of(pool, now, closed, left=left), name=name)

    def draw(self, layers, reading):
        layers.show(self.vessels(reading), 1.15 * self.balance)
        for mode in PANELS:
            line, now, closed = (layers.drawn[f"{mode} {n}"] for n in ("worth", "now", "closed"))
            for artist in (line, now, closed):
                artist.set_data([], [])
            if mode in reading["refused"]:
                continue
            one = reading[mode]
            at, (rise, worth) = one["lines"], one["curve"]
            line.set_data(100 * rise, worth)
            now.set_data([reading["pump"]], [one["worth"]])
            closed.set_data(100 * at, np.interp(at + 1e-9, rise, worth))

    def worth(self, one, shares, kept, rise):
        """What an account is worth while the first coin rises, as a fraction; arrays."""
        total = np.zeros(len(rise))
        for pool in one["start"].pools:
            end = one["ends"].get(pool.name, inf)
            met = np.minimum(rise, end)  # at its line a pool keeps what is left, or nothing
            at = {n: 100 * (1 + share * met) for n, share in shares.items() if n in pool.names}
            total += np.where((rise < end) | (kept == TRADER), pool.equity(at), 0.0)
        return total


def ends(account, shares):
    """{pool: the rise of the first coin, as a fraction, that brings it to its line}."""
    found = {}
    for pool in account.pools:
        rising = {name: share for name, share in shares.items() if name in pool.followed and share}
        if rising:
            found[pool.name] = pool.liquidation(rising).above.distance
    return found


def count_open(one):
    """So many positions, in words."""
    return f"{one['open']} position{'s' if one['open'] != 1 else ''} open"
