"""Lesson 05: one coin is squeezed. The same book, each position in a pool of its own, and all in one."""

from attrs import evolve as replace

import numpy as np

from ... import Account, Liquidation, Perpetual, Tiers, Venue, venues
from ... import checks
from ...rules import FUND
from .. import figures
from .base import Explorer, amount

MODES = ("isolated", "cross")
PANELS = ("isolated: a pool for each", "cross: one pool")
ALTCOIN = Tiers.flat(0.02, leverage=25)


class Squeeze(Explorer):
    """Short altcoins and an unrelated long on one balance, while one of the coins goes up.

    Parameters
    ----------
    instrument : Perpetual, optional
        The coin that goes up, with the maintenance schedule that all of the shorts have: a linear contract. APT-USDT
        if absent, at 2 % and at most 25x.
    venue : Venue
        By whose margin rules both books are traded. A pool is closed whole at its line, and the fund gets what is left.
    balance : float
        Held at the start, in the contract's settlement currency.

    `reading` holds, for "isolated" and "cross", the account at the start and `after` the move, what it is "worth", the
    number of positions "open" and the names of those "closed"; the "moves" of the coins, and the "sentence".
    """

    title = "One coin is squeezed: a pool for each position, or one?"
    limits = (
        "Left out: fees, funding, market impact, gaps and partial liquidation: the price rises evenly, and a pool is "
        "closed whole at its line; what is left there goes to the fund. Fees bring the ends nearer, and so does "
        "funding, which shorts often pay in a squeeze; impact and gaps cost the fund more, not the trader; partial "
        "liquidation can save a part of the cross pool. The other coins rise by a fixed share of the first; real ones "
        "do not keep to it. The long does not move."
    )
    marked = "difference"
    height = "38rem"

    def __init__(self, instrument=None, venue=venues.TEACHING, balance=10_000.0):
        first = instrument or Perpetual("APT-USDT", index="APT", settle="USDT", tiers=ALTCOIN)
        if not isinstance(first, Perpetual) or not isinstance(venue, Venue):
            raise TypeError(f"instrument must be a Perpetual and venue a Venue, not {instrument!r} and {venue!r}")
        if first.inverse or first.index == "BTC":
            raise ValueError(f"instrument must be linear, and not of BTC, which is held long: not {first.symbol!r}")
        self.venue = replace(venue, liquidation=Liquidation(), surplus_to=FUND)
        self.cash = first.settle
        self.balance = checks.number("balance", balance, above=0)
        others = [name for name in ("APT", "ZIL", "FTT", "SRM", "LPT", "SOL") if name != first.index][:5]
        self.shorts = [first] + [
            replace(first, symbol=f"{name}-{self.cash}", index=name, tiers=venue.schedule(first)) for name in others
        ]
        self.long = Perpetual(f"BTC-{self.cash}", index="BTC", settle=self.cash)
        start = {"shorts": 3, "size": 300.0, "allocation": 80.0, "correlation": 0.0, "pump": 30.0}
        self.presets = {
            "one coin, +30 %": start,
            "one coin, +6 %": start | {"pump": 6.0},
            "all coins, +10 %": start | {"correlation": 1.0, "pump": 10.0},
            "six smaller shorts, half of it shared": start
            | {"shorts": 6, "size": 100.0, "correlation": 0.5, "pump": 25.0},
            "shorts half as large, half walled off": start | {"size": 150.0, "allocation": 40.0},
        }
        super().__init__()

    def make_controls(self):
        return [
            self.slider("size", "Size of each (% of balance)", 25, 300, 5, "Worth of each short at the start"),
            self.choice(
                "shorts",
                "Shorts (number)",
                {str(n): n for n in range(1, 7)},
                [f"{n} of the altcoins sold short, all of the same size" for n in range(1, 7)],
            ),
            self.slider("allocation", "Isolated: walled off (%)", 10, 100, 5, "Of the balance, in equal parts"),
            self.slider(
                "correlation",
                "Others rise with it (share)",
                0,
                1,
                0.05,
                "0: they stand still; 1: as far as the first coin",
            ),
            self.slider("pump", "Rise of the first coin (%)", 0, 100, 0.5, "From the start to now"),
        ]

    # ---------------------------------------------------------------- reading

    def books(self, shorts, size, allocation):
        """(made, refused): the accounts "isolated" and "cross" at the start, and why one was not opened."""
        coins = self.shorts[: int(shorts)]
        marks = {contract.index: 100.0 for contract in coins} | {"BTC": 50_000.0}
        start, worth = Account(self.venue, **{self.cash: self.balance}).mark(**marks), size / 100 * self.balance
        margin = allocation / 100 * self.balance / (len(coins) + 1)
        made, refused = {}, {}
        for mode, isolated in (("isolated", margin), ("cross", None)):
            try:
                account = start
                for contract in coins:
                    account = account.trade(contract, -worth / 100 / contract.face, 100.0, isolated=isolated)
                made[mode] = account.trade(self.long, self.balance / 50_000, 50_000.0, isolated=isolated)
            except ValueError as error:
                refused[mode] = str(error)
        return made, refused

    def moves(self, shorts, correlation, pump):
        """The rise of each coin as a fraction."""
        rest = self.shorts[1 : int(shorts)]
        return {self.shorts[0].index: pump / 100} | {c.index: correlation * pump / 100 for c in rest}

    def path(self, account, moves, share):
        """What an account is worth (an array) while every coin has gone a `share` (an array, rising) of its move, and
        {pool: the share at which it was closed}."""
        worth, ended = np.zeros(len(share)), {}
        for pool in account.pools:
            at = {name: 100 * (1 + move * share) for name, move in moves.items() if name in pool.names}
            equity = pool.equity(at) * np.ones(len(share))
            if pool.open:
                alive = np.logical_and.accumulate(pool.slack(at) * np.ones(len(share)) > 0)
                equity = np.where(alive, equity, 0.0)
                if not alive.all():
                    ended[pool.name] = self.end(pool, moves, share[int(alive.argmin())])
            worth = worth + equity
        return worth, ended

    def end(self, pool, moves, about):
        """The share of the move at which a pool reaches its line; `about` where there is no exact one."""
        here = {name: move for name, move in moves.items() if name in pool.followed and move > 0}
        found = pool.liquidation(here).above if here else None
        return about if found is None or found.root is None else (found.root - 1) / max(here.values())

    def read(self, shorts, size, allocation, correlation, pump):
        made, refused = self.books(shorts, size, allocation)
        moves = self.moves(shorts, correlation, pump)
        reading = {"refused": refused, "moves": moves, "pump": pump, "correlation": correlation, "shorts": int(shorts)}
        for mode in MODES:
            if mode in made:
                after = made[mode].at(**{name: 100 * (1 + move) for name, move in moves.items()})
                gone = [event.pool for event in after.liquidations]
                reading[mode] = {
                    "start": made[mode],
                    "after": after,
                    "worth": sum(pool.equity() for pool in after.pools),
                    "open": sum(len(pool.positions) for pool in after.pools),
                    "closed": gone,
                }
        reading["sentence"] = self.sentence(reading)
        reading["table"] = self.table(reading)
        return reading

    def sentence(self, reading):
        if reading["refused"]:
            said = "; ".join(f"{mode}: {why}" for mode, why in reading["refused"].items())
            return f"The venue would not open this. {said[0].upper()}{said[1:]}."
        coin, pump = self.shorts[0].index, reading["pump"]
        others = reading["correlation"] * pump
        said = f"{coin} has gone up by {pump:g} %" + (
            f", the others by {others:g} %" if others and reading["shorts"] > 1 else ""
        )
        walled, shared = reading["isolated"], reading["cross"]
        names = [name.removeprefix("isolated ").removesuffix(f"-{self.cash}") for name in walled["closed"]]
        closed = (
            f"{' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))} closed" if names else "nothing closed"
        )
        said += f". Isolated: {closed}, {opened(walled['open'])}, {amount(walled['worth'])} {self.cash} left. Cross: "
        if shared["closed"]:
            return f"{said}the pool is closed, the BTC long with it; {amount(shared['worth'])} {self.cash} left."
        return f"{said}{opened(shared['open'])}, {amount(shared['worth'])} {self.cash} left."

    def table(self, reading):
        head = ["", "positions open", "first closed at", f"worth now ({self.cash})"]
        if reading["refused"]:
            return head, [[mode, "not open" if mode in reading["refused"] else "", "", ""] for mode in MODES]
        rows = []
        for mode in MODES:
            one = reading[mode]
            ends = [self.first(reading, mode)]
            rows.append([mode, f"{one['open']} of {reading['shorts'] + 1}", *ends, amount(one["worth"])])
        gap = reading["cross"]["worth"] - reading["isolated"]["worth"]
        rows.append([self.marked, "", "cross less isolated", f"{'+' if gap >= 0.5 else ''}{amount(gap)}"])
        return head, rows

    def first(self, reading, mode):
        """At which rise of the first coin the first pool is closed, by how far the slider can go."""
        moves = self.moves(reading["shorts"], reading["correlation"], 100.0)
        _, ended = self.path(reading[mode]["start"], moves, np.linspace(0, 1, 201))
        return f"{100 * min(ended.values()):.1f} %" if ended else "not up to 100 %"

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        figure, panels = figures.blank(
            "rise of the first coin (%)", f"account worth ({self.cash})", paper=paper, panels=PANELS
        )
        drawn = {}
        for mode, axes in zip(MODES, panels, strict=True):
            axes.set_xlim(0, 100)
            axes.set_xticks(range(0, 100, 20))
            axes.set_ylim(-0.05 * self.balance, 1.15 * self.balance)
            (drawn[f"{mode} worth"],) = axes.plot([], [], label="equity", **figures.STYLES["equity"])
            (drawn[f"{mode} now"],) = axes.plot([], [], label="now", **figures.STYLES["price"])
            (drawn[f"{mode} closed"],) = axes.plot([], [], label="a pool is closed", **figures.STYLES["closed"])
        figures.legend(panels[0], above=1.1)
        return figures.Layers(figure, panels, drawn)

    def draw(self, layers, reading):
        moves = self.moves(reading["shorts"], reading["correlation"], 100.0)
        for mode in MODES:
            line, now, ends = (layers.drawn[f"{mode} {name}"] for name in ("worth", "now", "closed"))
            if mode not in reading:
                for artist in (line, now, ends):
                    artist.set_data([], [])
                continue
            start = reading[mode]["start"]
            _, ended = self.path(start, moves, np.linspace(0, 1, 201))
            steps = [end + nudge for end in ended.values() for nudge in (-1e-9, 1e-9)]
            share = np.union1d(np.linspace(0, 1, 41), np.clip(steps, 0, 1))
            worth, _ = self.path(start, moves, share)
            line.set_data(100 * share, worth)
            now.set_data([reading["pump"]], [reading[mode]["worth"]])
            at = np.array(sorted(ended.values()))
            ends.set_data(100 * at, np.interp(at + 1e-9, share, worth))
        return "fixed"


def opened(count):
    """So many positions, in words."""
    return "1 position open" if count == 1 else f"{count} positions open"
