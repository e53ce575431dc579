"""Lesson 01: one position, the margin walled off for it, and the same trade with all behind it."""

import numpy as np
from attrs import evolve

from .. import Account, checks, venues
from ..show import fmt
from . import figures
from .explorer import INVERSE, OPENED, SIDES, Explorer, contract, opened, rows, standing, with_steps
from .sheet import Beside
from .vessel import Vessel

SHOWN = ("isolated", True), ("the rest", False), ("or cross", False)  # pools beside the chart
LINES = {"liquidation": 0.93, "bankruptcy": 0.85}  # and how high their labels stand


class IsolatedMargin(Explorer):
    """What stands behind a trade, and what is out of its reach.

    `entry` in quote currency, `balance` in the settlement currency. `reading` holds two columns,
    "isolated" and "cross", each a dict of figures (see `column`), and the "price".
    """

    title = "Isolated margin: what stands behind the trade?"
    limits = (
        "Left out: trading fees, funding, partial liquidation, market impact. "
        "Fees bring the real liquidation price a little nearer; funding moves it either way; "
        "a partial liquidation may save part of the position. Where the venue really gets out "
        "changes what its fund gains or pays, not what you lose here."
    )

    folded = True
    words = (
        ("size", "Position size at entry ({unit})", "Worth of what is traded"),
        ("margin", "Margin allotted ({unit})", "Walled off for this trade alone"),
        ("side", "Side", "gains when the price rises", "gains when it falls"),
        ("move", "Price move (%)", "From the entry to now"),
    )

    def __init__(self, instrument=INVERSE, venue=venues.TEACHING, entry=50_000.0, balance=10.0):
        self.instrument = contract(instrument, venue)
        self.unit = instrument.settle
        self.entry = checks.number("entry", entry, above=0)
        self.balance = checks.number("balance", balance, above=0)
        self.start = Account(venue, **{self.unit: balance}).mark(**{instrument.index: entry})
        super().__init__()

    def reach(self):
        b = self.balance
        size, margin = (b / 10, 10 * b, b / 10), (b / 20, b, b / 100)
        return {"size": size, "margin": margin, "side": SIDES, "move": (-60, 60, 0.5)}

    @property
    def presets(self):
        b = self.balance
        trade = {"size": 5 * b, "margin": b / 2, "side": 1, "move": -5.0}
        return {
            f"{fmt(b / 2)} of {fmt(b)} {self.unit}": trade,
            "after a fall of 12 %": trade | {"move": -12.0},
            "short": trade | {"side": -1, "move": 8.0},
            "long at 1x": trade | {"size": b / 2, "move": -40.0},
            "short at 1x": trade | {"size": b / 2, "side": -1, "move": 60.0},
        }

    # ---------------------------------------------------------------- reading

    def work_out(self, size, margin, side, move):
        price = self.entry * (1 + move / 100)
        contracts = side * size / abs(self.instrument.notional(1.0, self.entry))
        return {
            "price": price,
            "pnl": self.instrument.pnl(contracts, self.entry, price),
            "isolated": self.column(contracts, price, margin, isolated=margin),
            "cross": self.column(contracts, price, self.balance),
        }

    def column(self, contracts, price, behind, **how):
        """The figures of the trade with so much behind it: "refused" is why it was not opened."""
        at = {self.instrument.index: price}
        leverage = abs(self.instrument.notional(contracts, self.entry)) / behind
        account, why = opened(self.start.trade, self.instrument, contracts, self.entry, **how)
        found = {"behind": behind, "leverage": leverage, "refused": why, "closed": None}
        if why:
            return found
        pool = account[self.instrument]
        after = account.at(**at)
        side = "below" if contracts > 0 else "above"  # where alone it can end
        closed = next(iter(after.liquidations), None)
        return found | {
            "pool": pool,
            "liquidation": getattr(pool.liquidation(), side),
            "bankruptcy": getattr(pool.bankruptcy(), side),
            "closed": closed,
            "equity": 0.0 if closed else pool.equity(at),
            "requirement": 0.0 if closed else pool.requirement(at),
            "lost": closed.lost if closed else 0.0,
            "account": sum(p.equity() for p in after.pools),
        }

    def sentence(self, reading):
        unit, pnl, isolated = self.unit, reading["pnl"], reading["isolated"]
        closed = isolated["closed"]
        if isolated["refused"]:
            return f"The venue would not open this trade: {isolated['refused']}."
        behind, side = f"{fmt(isolated['behind'])} {unit}", isolated["liquidation"]
        line = f"No price ends this trade. The reason: {side.why}."
        if side.price is not None:
            way = "below" if side.distance < 0 else "above"
            way = f"{abs(side.distance) * 100:.1f} % {way} entry"
            line = f"At {side.said} USD, {way}, the {behind} behind this trade no longer cover its "
            line += "requirement."
        turn = f"has {'gained' if pnl > 0 else 'lost'} {fmt(abs(pnl))} {unit}"
        turn = turn if pnl else "is where it began"
        now = f"{line} After a move of {reading['move']:+.1f} % the trade {turn}"
        if not closed:
            return f"{now} and is open, with {fmt(isolated['equity'])} {unit} of equity."
        rest = f"{fmt(self.balance - isolated['behind'])} {unit}"
        missing = f", {fmt(closed.shortfall)} more than stood behind it" if closed.shortfall else ""
        gone = f"That took {fmt(closed.lost)} {unit}; the other {rest} were out of its reach."
        return f"{now}{missing}, and has been closed. {gone}"

    def table(self, reading):
        columns = [reading["isolated"], reading["cross"]]

        def money(name):
            return lambda column: f"{fmt(column[name])} {self.unit}"

        def now(name):
            return lambda column: "closed" if column["closed"] else money(name)(column)

        def end(name):
            return lambda column: told(column[name])

        isolated, cross = map(money("behind"), columns)
        head = ["", f"{isolated} isolated", f"{cross} cross"]
        cells = {"leverage": lambda column: f"{fmt(column['leverage'])}x"}
        if any(column["refused"] for column in columns):
            return head, rows(columns, cells | OPENED)
        cells |= {f"{name} price": end(name) for name in LINES}
        at = fmt(reading["price"])
        cells |= {f"{name} at {at}": now(name) for name in ("equity", "requirement")}
        cells |= {"lost to liquidation": money("lost"), "the whole account": money("account")}
        return head, rows(columns, cells)

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        label = f"price of {self.instrument.index} (USD)"
        figure, axes = figures.blank(label, self.unit, paper=paper)
        top = 1.2 * self.balance
        axes.set_xlim(0.38 * self.entry, 1.62 * self.entry)
        axes.set_ylim(-0.1 * self.balance, top)
        labels = {"equity": "equity, isolated", "equity, cross": "equity, cross"}
        labels |= {"requirement": "requirement, isolated", "price": "now"}
        drawn = {name: figures.curve(axes, name, label) for name, label in labels.items()}
        drawn["price"].set_clip_on(False)
        drawn["entry"] = figures.upright(axes, self.entry, "entry")
        for name, height in LINES.items():
            drawn[name] = figures.upright(axes, self.entry, name)
            drawn[f"{name} label"] = figures.note(axes, self.entry, height * top)
        entry = f"entry {fmt(self.entry)}"
        figures.note(axes, 1.006 * self.entry, 0.02 * top, entry, va="bottom")
        figures.legend(axes)
        return (figures.Layers if paper else Beside)(figure, axes, drawn)

    def vessel(self, name, isolated, column, price, behind):
        """A pool of the trade, at a price; without a trade, what lies there."""
        if not column or column["refused"]:
            return Vessel(name, self.unit, isolated, behind, behind)
        at = {self.instrument.index: price}
        return evolve(Vessel.of(column["pool"], at, column["closed"]), name=name)

    def draw(self, layers, reading):
        drawn, isolated, index = layers.drawn, reading["isolated"], self.instrument.index
        trades = isolated, None, reading["cross"]
        kept = self.balance - isolated["behind"]
        shown = [
            self.vessel(*which, trade, reading["price"], kept)
            for which, trade in zip(SHOWN, trades, strict=True)
        ]
        layers.show(shown, 1.2 * self.balance)
        grid = np.linspace(0.38 * self.entry, 1.62 * self.entry, 63)
        for name, column in (("equity", isolated), ("equity, cross", reading["cross"])):
            drawn[name].set_data([], [])
            if not column["refused"]:
                x = with_steps(grid, column["liquidation"].price)
                drawn[name].set_data(x, standing(column["pool"], {index: x})[0])
        for name in ("requirement", "price", *LINES):
            drawn[name].set_data([], [])
        for name in LINES:
            drawn[f"{name} label"].set_text("")
        if isolated["refused"]:
            return
        drawn["requirement"].set_data(grid, isolated["pool"].requirement({index: grid}))
        top = layers.axes.get_ylim()[1]  # the mark stays in the picture
        drawn["price"].set_data([reading["price"]], [min(isolated["equity"], top)])
        for name in LINES:
            self.draw_end(drawn[name], drawn[f"{name} label"], isolated[name])

    def draw_end(self, line, label, side):
        """A line and its label where the trade ends; none where no price ends it."""
        if side.price is None:
            return
        line.set_data([side.price] * 2, [0, 1])
        away = -1 if side.price < self.entry else 1  # the far side, where nothing is drawn
        label.set_x(side.price + 0.012 * away * self.entry)
        label.set_ha("right" if away < 0 else "left")
        label.set_text(f"{side.kind} {side.said}")


def told(side):
    """The price of a `Crossing` and how far away it is, or "none"."""
    return side.said + ("" if side.price is None else f" ({side.distance * 100:+.1f} %)")
