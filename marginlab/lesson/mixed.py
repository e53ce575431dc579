"""Lesson 06: a walled long and a short in the rest of the account, along a path that plays."""

import ipywidgets as widgets
import numpy as np

from .. import Perpetual, TopUp, checks, replace, venues
from ..account import Account
from ..show import fmt
from . import figures
from .explorer import INVERSE, Explorer, contract, opened, would_not
from .sheet import Beside, fill
from .vessel import Vessel, stood

# Made up: the index at each hour, in per cent above or below where it began.
PATH = [0, 0.7, -1.2, -1.9, -1.6, -3.5, -4.8, -3.5, -3.6, -4.9, -3.6, -3, -4.8, -5.9, -5.8, -7.7]
PATH += [-8.9, -8.1, -9.5, -10.7, -9.7, -9.3, -10, -8.3, -5.9, -5.4, -4.5, -2, -1.7, -1.8, 0.8]
PATH += [2.7, 3, 5.2, 7.4, 5.4, 4.4, 5.3, 6.3, 7.5, 11, 13.1, 13.3, 15.5, 16.1, 14.7, 15.1, 17.1]
PATH += [16.8]
HOURS = np.arange(len(PATH))
LAST = len(PATH) - 1
LONG, SHORT, LEVERAGE = 5.0, 4.0, 20.0  # worth of each trade, in balances; leverage of the long
WALLED, TOPPED, SHARED = "walled", "topped up", "shared"
MODES = {"a wall": WALLED, "+ top-ups": TOPPED, "no wall": SHARED}


class MixedModes(Explorer):
    """A long behind a wall (or not), a short in the rest, and margin that is moved on the way.

    `instrument` is a contract, inverse or linear, and `balance` what is held in its settlement
    currency; the long is worth 5 balances, at 20x at most, the short 4, both from `entry`. The
    path is made up. `reading` holds the "account" at the hour, and its "ends": the price below
    which the long is closed, and that above which the short is; the "parts" of the path in which
    nothing happens: (first hour, account, ends); by pool, the hour at which it was "closed"; what
    the venue said to the "move"; and in "refused" why a book was not opened.
    """

    title = "A walled long, a short in the rest: move margin while the price moves"
    limits = (
        "Left out: fees, funding and gaps within an hour, which bring the ends nearer; partial "
        "liquidation, which would save a part. What is left at a line goes to the fund."
    )
    marked = None
    height = "25rem"
    words = (
        ("wall", "Behind the long ({unit})", "Margin walled off for the long at the start"),
        (
            "mode",
            "The long has",
            "Isolated: only what you put behind it",
            "Isolated: the venue adds margin from the rest at its line",
            "Cross: both trades share all of the balance",
        ),
        ("moved", "Moved to it ({unit})", "From the rest; below zero: back to the rest"),
        ("when", "Moved at (hour)", "When this margin is moved"),
        ("hour", "Now (hour)", "How far the path has been played"),
    )
    venue = replace(venues.TEACHING_BOTH, topping_up=TopUp("initial"))

    def __init__(self, instrument: Perpetual = INVERSE, balance=10.0, entry=50_000.0):
        contract(instrument, self.venue)
        self.instrument = instrument
        self.unit = instrument.settle
        self.balance = checks.number("balance", balance, above=0)
        self.entry = checks.number("entry", entry, above=0)
        self.path = self.entry * (1 + np.array(PATH) / 100)
        self.lots = self.balance / abs(instrument.notional(1, self.entry))  # worth a balance
        most = self.venue.schedule(instrument).max_leverage(LONG * self.balance, LONG * self.lots)
        if most < LEVERAGE:
            raise ValueError(
                f"instrument must allow {LEVERAGE:g}x, not {most:g}x, for a long that is worth "
                f"{LONG:g} balances"
            )
        self.ran = None, None
        super().__init__()
        self.controls["hour"].observe(self.stand_by, "value")

    def row(self, name, label, *tips):
        row = super().row(name, label, *tips)
        if name == "hour":
            # the player's own buttons have no names for screen readers
            self.play = widgets.Play(max=LAST, interval=100, layout=widgets.Layout(display="none"))
            self.plays = widgets.ToggleButton(
                description="Play",
                icon="play",
                tooltip="Let the hours pass, from here on",
                layout=widgets.Layout(width="5rem"),
            )
            self.plays.observe(self.rewind, "value")
            self.links = [
                widgets.jslink((self.plays, "value"), (self.play, "playing")),
                widgets.jsdlink((self.play, "value"), (row.slider, "value")),
            ]
            row.children = [*row.children, self.plays, self.play]
        return row

    def stand_by(self, change):
        """Let the player go on from where the slider was moved to."""
        if not self.plays.value:
            self.play.value = round(change["new"])

    def rewind(self, change):
        """From the end there is nothing to play: go back to the start."""
        if change["new"] and self.play.value == LAST:
            self.play.value = 0

    def reach(self):
        step = 10.0 ** np.floor(np.log10(self.balance / 50))
        low, most = LONG / LEVERAGE * self.balance, 0.96 * self.balance
        reach = {"wall": (low, most, step), "mode": MODES, "moved": (-most, most, step)}
        return reach | {"when": (0, LAST, 1), "hour": (0, LAST, 1)}

    @property
    def presets(self):
        part = self.balance / 10
        start = {"wall": 5 * part, "mode": WALLED, "moved": 0.0, "when": 24.0, "hour": 0.0}
        added = start | {"moved": 2 * part, "when": 14.0, "hour": 44.0}
        topped = start | {"wall": 2.5 * part, "mode": TOPPED, "hour": 19.0}
        return {
            "nothing moved": start,
            "more behind it in the fall": added,
            "the venue tops up": topped,
            "both in cross": start | {"mode": SHARED, "hour": 19.0},
        }

    # ---------------------------------------------------------------- reading

    def book(self, mode, wall):
        """The account after both trades."""
        index = {self.instrument.index: self.entry}
        account = Account(self.venue, **{self.unit: self.balance}).mark(**index)
        how = {"isolated": False} if mode == SHARED else {"isolated": True, "leverage": LEVERAGE}
        account = account.trade(self.instrument, LONG * self.lots, self.entry, leg="long", **how)
        more = wall - LONG / LEVERAGE * self.balance
        if mode != SHARED and more > 1e-9 * self.balance:
            account = account.transfer(more, self.unit, to=self.instrument)
        account = account.trade(
            self.instrument, -SHORT * self.lots, self.entry, leg="short", isolated=False
        )
        return account.top_up((self.instrument, "long")) if mode == TOPPED else account

    def run(self, wall, mode, moved, when):
        """What happens along the path: "parts", "closed", and what the venue said to the "move"."""
        account, why = opened(self.book, mode, wall)
        if why:
            return {"refused": {"book": why}}
        found, hour = {"refused": {}, "parts": [], "closed": {}, "move": ""}, 0
        while hour <= LAST:
            before, account = account, self.priced(account, hour).liquidate()
            for event in account.events[len(before.events) :]:
                if event.kind == "liquidation":
                    found["closed"][event.pool] = hour
            if hour == when and moved:
                account, found["move"] = self.move(account, moved)
            found["parts"].append((hour, account, self.ends(account)))
            # nothing happens until a pool is at its line, or margin is moved
            ahead = {self.instrument.index: self.path[hour + 1 :]}
            quiet = HOURS[hour + 1 :] != when
            for pool in account.pools:
                quiet &= pool.slack(ahead) > 0 if pool.open else True
            hour = LAST + 1 if quiet.all() else hour + 1 + int(quiet.argmin())
        return found

    def priced(self, account, hour):
        """An account at the price of an hour."""
        return account.mark(**{self.instrument.index: self.path[hour]})

    def then(self, reading, hour):
        """(account, ends) at an hour of the path that was followed."""
        _, account, ends = [part for part in reading["parts"] if part[0] <= hour][-1]
        return self.priced(account, hour), ends

    def move(self, account, moved):
        """(account, what the venue said) after margin was moved to the long, or from it."""
        name = self.instrument, "long"
        if not account.find(self.instrument.symbol, "long"):
            return account, "the long is closed"
        if not account[name].isolated:
            return account, "there is no wall"
        how = {"to": name} if moved > 0 else {"source": name}
        after, why = opened(account.transfer, abs(moved), self.unit, **how)
        if not why:
            return after, ""
        free = account.addable(name) if moved > 0 else max(0.0, account[name].withdrawable())
        return account, f"{fmt(free)} {self.unit} were free"

    def ends(self, account):
        """(the lower end of the long's pool, the upper end of the short's), nan if none."""
        found = []
        for leg, side in (("long", "below"), ("short", "above")):
            pools = [pool for pool, _ in account.find(self.instrument.symbol, leg)]
            end = getattr(pools[0].liquidation(), side).price if pools else None
            found.append(np.nan if end is None else end)
        return found

    def work_out(self, wall, mode, moved, when, hour):
        asked = wall, mode, moved, round(when)
        if asked != self.ran[0]:
            self.ran = asked, self.run(*asked)
        found = self.ran[1]
        if found["refused"]:
            return found
        account, ends = self.then(found, round(hour))
        return found | {"account": account, "ends": ends}

    def sentence(self, reading):
        if reading["refused"]:
            return would_not(reading["refused"])
        hour = round(reading["hour"])
        move = PATH[hour]
        said = f"Hour {hour}: {self.instrument.index} at {fmt(self.path[hour])} USD, "
        way = "above" if move > 0 else "below"
        said += f"{abs(move):g} % {way} its start. " if move else "where it began. "
        account, names = reading["account"], self.names(reading)
        for name, trades in names.items():
            verb = "were" if " and " in trades else "was"
            at = reading["closed"].get(name, LAST + 1)
            said += f"The {trades} {verb} closed at hour {at}. " if at <= hour else ""
        standing = " and ".join(t for name, t in names.items() if held(account, name))
        verb = "are" if " and " in standing else "is"
        said += f"The {standing} {verb} open. " if standing else "Nothing is open. "
        added = sum(event.kind == "top-up" for event in account.events)
        said += f"The wall was topped up {added} time{'s' * (added != 1)}. " if added else ""
        if hour >= round(reading["when"]) and reading["move"]:
            said += f"Nothing was moved: {reading['move']}. "
        return said.strip()

    def names(self, reading):
        """{pool: what is in it}."""
        if reading["mode"] == SHARED:
            return {f"cross {self.unit}": "long and short"}
        long = f"isolated {self.instrument.symbol} long"
        return {long: "long", f"cross {self.unit}": "short"}

    def table(self, reading):
        head = ["", "now", "closed below", "closed above", f"may leave ({self.unit})"]
        if reading["refused"]:
            return head, [["not opened", "", "", "", ""]]
        (below, above), rows = reading["ends"], []
        for name, trades in self.names(reading).items():
            pool = held(reading["account"], name)
            if pool is None:
                rows.append([trades, "closed", "", "", ""])
                continue
            low = shown(below) if "long" in trades else "none"
            high = shown(above) if "short" in trades else "none"
            rows.append([trades, "open", low, high, fmt(max(0.0, pool.withdrawable()))])
        return head, rows

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        figure, axes = figures.blank("hour", "price (USD)", paper=paper)
        figure.set_size_inches(7.4, 3.4)
        axes.set_position((0.12, 0.17, 0.86, 0.72))
        axes.set_xlim(0, LAST)
        axes.set_xticks(range(0, LAST + 1, 8))
        axes.set_ylim(0.84 * self.entry, 1.24 * self.entry)
        axes.plot(HOURS, self.path, **figures.STYLES["entry"])  # what is still to come
        steps = {"drawstyle": "steps-post"}
        so_far = {"linestyle": "-", "marker": None, "linewidth": 2.0}
        drawn = {
            "path": figures.curve(axes, "price", "price", **so_far),
            "below": figures.curve(axes, "liquidation", "the long is closed", **steps),
            "above": figures.curve(axes, "liquidation, cross", "the short is closed", **steps),
            "now": figures.curve(axes, "price"),
            "closed": figures.curve(axes, "closed"),
            "when": figures.curve(axes, "entry"),
            "moved": figures.note(axes, 0, 1.225 * self.entry, va="top"),
            "topped": figures.note(axes, LAST, 0, ha="right", va="bottom"),
        }
        figures.legend(axes)
        return (OnPaper if paper else Beside)(figure, axes, drawn)

    def draw(self, layers, reading):
        one, hour = layers.drawn, round(reading["hour"])
        for name, artist in one.items():
            artist.set_text("") if name in ("moved", "topped") else artist.set_data([], [])
        if reading["refused"]:
            bare = Vessel(f"cross {self.unit}", self.unit, False, self.balance, self.balance)
            layers.show([bare], 1.75 * self.balance)
            return "refused"
        pools = stood(reading["account"], reading["account"], self.unit)
        layers.show(pools, 1.75 * self.balance)
        one["path"].set_data(HOURS[: hour + 1], self.path[: hour + 1])
        one["now"].set_data([hour], [self.path[hour]])
        parts = [part for part in reading["parts"] if part[0] <= hour]
        ends = np.array(
            [*(part[2] for part in parts), reading["ends"]]
        )  # as they stand, to the end
        low, high = layers.axes.get_ylim()
        ends = np.where((ends > low) & (ends < high), ends, np.nan)
        for name, line in zip(("below", "above"), ends.T, strict=True):
            one[name].set_data([*(part[0] for part in parts), LAST], line)
        if reading["mode"] == TOPPED and not np.isnan(ends[-1, 0]):
            one["topped"].set_y(ends[-1, 0])
            one["topped"].set_text("topped up here")
        closed = [at for at in reading["closed"].values() if at <= hour]
        one["closed"].set_data(closed, self.path[closed])
        if reading["mode"] != SHARED:
            when = round(reading["when"])
            one["when"].set_data([when, when], [low, high])
            one["moved"].set_x(when)
            moved = reading["moved"]
            one["moved"].set_text(f" {moved:+g} {self.unit}" if moved else "")
        return tuple(pool.name for pool in pools)


class OnPaper(figures.Layers):
    """On paper: the chart, and the vessels beside it in the same figure."""

    def __init__(self, figure, axes, drawn):
        figure.set_size_inches(9.6, 4.1)
        axes.set_position((0.09, 0.2, 0.49, 0.66))
        super().__init__(figure, axes, drawn)

    def show(self, vessels, top, title=""):
        fill([("", vessels)], self.figure.add_axes((0.73, 0.43, 0.26, 0.43)))


def held(account, name):
    """The pool of that name with something open in it, or None."""
    return next((pool for pool in account.pools if pool.name == name and pool.open), None)


def shown(price):
    """An end as a table says it."""
    return "none" if np.isnan(price) else f"{price:,.0f}" if price >= 1_000 else fmt(price)
