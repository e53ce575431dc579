"""Lesson 05: one coin is squeezed. The same book, a pool for each position, and all in one."""

from math import inf

import numpy as np

from .. import Account, Perpetual, Tiers, checks, replace, venues
from . import figures
from .explorer import Explorer, amount, contract, difference, opened, would_not

PANELS = {"isolated": "isolated: a pool for each", "cross": "cross: one pool"}
COINS = ("APT", "ZIL", "FTT", "SRM", "LPT", "SOL")
SHORT = "{} of the altcoins sold short, all of the same size"
ALTCOIN = Perpetual("APT-USDT", "APT", "USDT", tiers=Tiers.flat(0.02, leverage=25))


class Squeeze(Explorer):
    """Short altcoins and an unrelated long on one balance, while one of the coins goes up.

    `instrument` is the coin that goes up, a linear contract and not of BTC, with the maintenance
    schedule that all of the shorts have; `balance` is held in its settlement currency. A pool is
    closed whole at its line, and the fund gets what is left. `reading` holds, for "isolated" and
    "cross", the account at the "start" and "after" the move, what it is "worth", the number of
    positions "open" and, by pool, the rise of the first coin that "ends" it, as a fraction; the
    "moves" of the coins, and in "refused" what was not opened, and why.
    """

    title = "One coin is squeezed: a pool for each position, or one?"
    limits = (
        "Left out: fees, funding, market impact, gaps and partial liquidation: the price rises "
        "evenly, and a pool is closed whole at its line; what is left there goes to the fund. Fees "
        "bring the ends nearer, and so does funding, which shorts often pay in a squeeze; impact "
        "and gaps cost the fund more, not the trader; partial liquidation can save a part of the "
        "cross pool. The other coins rise by a fixed share of the first; real ones do not keep to "
        "it. The long does not move."
    )
    marked = "difference"
    height = "38rem"
    words = (
        ("size", "Size of each (% of balance)", "Worth of each short at the start"),
        ("shorts", "Shorts (number)", *(SHORT.format(n) for n in range(1, 7))),
        ("allocation", "Isolated: walled off (%)", "Of the balance, in equal parts"),
        (
            "correlation",
            "Others rise with it (share)",
            "0: they stand still; 1: as far as the first coin",
        ),
        ("pump", "Rise of the first coin (%)", "From the start to now"),
    )
    venue = venues.TEACHING

    def __init__(self, instrument=ALTCOIN, balance=10_000.0):
        contract(instrument, self.venue, linear=True)
        self.unit = instrument.settle
        if instrument.index == "BTC":
            raise ValueError(f"instrument must not be of BTC, held long: not {instrument.symbol!r}")
        self.balance = checks.number("balance", balance, above=0)
        others = [name for name in COINS if name != instrument.index][:5]
        self.shorts = [instrument] + [
            replace(instrument, symbol=f"{name}-{self.unit}", index=name) for name in others
        ]
        self.long = Perpetual(f"BTC-{self.unit}", index="BTC", settle=self.unit)
        super().__init__()

    def reach(self):
        counts = {str(n): n for n in range(1, 7)}
        reach = {"size": (25, 300, 5), "shorts": counts, "allocation": (10, 100, 5)}
        return reach | {"correlation": (0, 1, 0.05), "pump": (0, 100, 0.5)}

    @property
    def presets(self):
        start = {"shorts": 3, "size": 300.0, "allocation": 80.0, "correlation": 0.0, "pump": 30.0}
        six = start | {"shorts": 6, "size": 100.0, "correlation": 0.5, "pump": 25.0}
        half = start | {"size": 150.0, "allocation": 40.0}
        return {
            "one coin, +30 %": start,
            "one coin, +6 %": start | {"pump": 6.0},
            "all coins, +10 %": start | {"correlation": 1.0, "pump": 10.0},
            "six smaller shorts, half of it shared": six,
            "shorts half as large, half walled off": half,
        }

    # ---------------------------------------------------------------- reading

    def book(self, shorts, size, isolated=None):
        """The account with all positions, each with so much margin walled off, or in cross."""
        coins, worth = self.shorts[: int(shorts)], size / 100 * self.balance
        marks = {contract.index: 100.0 for contract in coins} | {"BTC": 50_000.0}
        account = Account(self.venue, **{self.unit: self.balance}).mark(**marks)
        for short in coins:
            account = account.trade(short, -worth / 100 / short.face, 100.0, isolated=isolated)
        return account.trade(self.long, self.balance / 50_000, 50_000.0, isolated=isolated)

    def work_out(self, shorts, size, allocation, correlation, pump):
        margin = allocation / 100 * self.balance / (int(shorts) + 1)
        first, *others = (short.index for short in self.shorts[: int(shorts)])
        shares = {first: 1.0} | dict.fromkeys(others, correlation)
        moves = {name: share * pump / 100 for name, share in shares.items()}
        prices = {name: 100 * (1 + move) for name, move in moves.items()}
        reading = {"refused": {}, "shares": shares, "moves": moves}
        for mode, isolated in (("isolated", margin), ("cross", None)):
            account, why = opened(self.book, shorts, size, isolated)
            if why:
                reading["refused"][mode] = why
                continue
            after = account.at(**prices)
            reading[mode] = {
                "start": account,
                "after": after,
                "ends": ends(account, shares),
                "worth": sum(pool.equity() for pool in after.pools),
                "open": sum(len(pool.positions) for pool in after.pools),
                "closed": [event.pool for event in after.liquidations],
            }
        return reading

    def sentence(self, reading):
        if reading["refused"]:
            return would_not(reading["refused"])
        walled, shared = reading["isolated"], reading["cross"]
        others = reading["correlation"] * reading["pump"] * (len(reading["shares"]) > 1)
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
        return figures.Layers(figure, panels, drawn)

    def draw(self, layers, reading):
        for mode in PANELS:
            line, now, closed = (layers.drawn[f"{mode} {n}"] for n in ("worth", "now", "closed"))
            for artist in (line, now, closed):
                artist.set_data([], [])
            if mode in reading["refused"]:
                continue
            one = reading[mode]
            at = np.array(sorted(end for end in one["ends"].values() if end <= 1))
            rise = np.union1d(np.linspace(0, 1, 41), np.clip([at - 1e-9, at + 1e-9], 0, 1))
            worth = self.worth(one, reading["shares"], rise)
            line.set_data(100 * rise, worth)
            now.set_data([reading["pump"]], [one["worth"]])
            closed.set_data(100 * at, np.interp(at + 1e-9, rise, worth))

    def worth(self, one, shares, rise):
        """What an account is worth while the first coin rises, as a fraction; arrays."""
        total = np.zeros(len(rise))
        for pool in one["start"].pools:
            at = {n: 100 * (1 + share * rise) for n, share in shares.items() if n in pool.names}
            total += np.where(rise < one["ends"].get(pool.name, inf), pool.equity(at), 0.0)
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
