"""Lesson 01: one position, the margin walled off for it, and the same trade with everything behind it."""

import numpy as np

from ... import Account, Perpetual, venues
from ... import checks
from ...show import fmt
from .. import figures
from .base import Explorer

LINES = ("liquidation", "bankruptcy")


class IsolatedMargin(Explorer):
    """What stands behind a trade, and what is out of its reach.

    Parameters
    ----------
    instrument : Perpetual, optional
        What is traded; the inverse BTC-USD contract of 100 USD if absent.
    venue : Venue
        By whose rules.
    entry : float
        Entry price, quote currency.
    balance : float
        What the account holds, in the settlement currency.

    `reading` holds two columns, "isolated" and "cross", each a dict of figures (see `column`), the "price" and the
    "sentence".
    """

    title = "Isolated margin: what stands behind the trade?"
    limits = (
        "Left out: trading fees, funding, partial liquidation, market impact. "
        "Fees bring the real liquidation price a little nearer; funding moves it either way; "
        "a partial liquidation may save part of the position. Where the venue really gets out changes what its fund "
        "gains or pays, not what you lose here."
    )

    def __init__(self, instrument=None, venue=venues.TEACHING, entry=50_000.0, balance=10.0):
        self.instrument = instrument or Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
        self.venue, self.entry = venue, checks.number("entry", entry, above=0)
        self.balance = checks.number("balance", balance, above=0)
        self.presets = self.make_presets()
        super().__init__()

    def make_presets(self):
        """States by name; the first is shown at the start."""
        trade = {"size": 5 * self.balance, "margin": self.balance / 2, "side": 1, "move": -5.0}
        return {
            f"{fmt(self.balance / 2)} of {fmt(self.balance)} {self.instrument.settle}": trade,
            "after a fall of 12 %": trade | {"move": -12.0},
            "short": trade | {"side": -1, "move": 8.0},
            "long at 1x": trade | {"size": self.balance / 2, "move": -40.0},
            "short at 1x": trade | {"size": self.balance / 2, "side": -1, "move": 60.0},
        }

    def make_controls(self):
        unit, b = self.instrument.settle, self.balance
        return [
            self.slider("size", f"Position size at entry ({unit})", b / 10, 10 * b, b / 10, "Worth of what is traded"),
            self.slider("margin", f"Margin allotted ({unit})", b / 20, b, b / 100, "Walled off for this trade alone"),
            self.choice(
                "side", "Side", {"Long": 1, "Short": -1}, ["gains when the price rises", "gains when it falls"]
            ),
            self.slider("move", "Price move (%)", -60, 60, 0.5, "From the entry to now"),
        ]

    # ---------------------------------------------------------------- reading

    def read(self, size, margin, side, move):
        index, price = self.instrument.index, self.entry * (1 + move / 100)
        contracts = side * size / abs(self.instrument.notional(1.0, self.entry))
        start = Account(self.venue, **{self.instrument.settle: self.balance}).mark(**{index: self.entry})
        columns = {
            "isolated": self.column(start, contracts, price, margin, isolated=margin),
            "cross": self.column(start, contracts, price, self.balance),
        }
        reading = {"price": price, "pnl": self.instrument.pnl(contracts, self.entry, price), **columns}
        reading["sentence"] = self.sentence(move, **reading)
        reading["table"] = self.table(price, *columns.values())
        return reading

    def column(self, start, contracts, price, behind, **mode):
        """The figures of the trade with so much behind it: a dict, whose "refused" says why it could not be opened."""
        index, unit = self.instrument.index, self.instrument.settle
        leverage = abs(self.instrument.notional(contracts, self.entry)) / behind
        found = {"behind": behind, "leverage": leverage, "refused": "", "closed": False, "lost": 0.0, "shortfall": 0.0}
        try:
            account = start.trade(self.instrument, contracts, self.entry, **mode)
        except ValueError as error:
            return found | {"refused": str(error)}
        pool, after = account[self.instrument], account.at(**{index: price})
        if after.liquidations:
            event = after.liquidations[0]
            found |= {"closed": True, "lost": event.lost, "shortfall": event.shortfall}
        return found | {
            "pool": pool,
            "liquidation": pool.liquidation(),
            "bankruptcy": pool.bankruptcy(),
            "equity": 0.0 if after.liquidations else pool.equity({index: price}),
            "requirement": 0.0 if after.liquidations else pool.requirement({index: price}),
            "account": sum(p.equity() for p in after.pools),
            "out of reach": after.balances()[unit] if after.liquidations else self.balance - behind,
        }

    def sentence(self, move, price, pnl, isolated, cross):
        unit, behind = self.instrument.settle, f"{fmt(isolated['behind'])} {self.instrument.settle}"
        if isolated["refused"]:
            return f"The venue would not open this trade: {isolated['refused']}."
        side = nearest(isolated["liquidation"])
        if side.price is None:
            line = f"No price ends this trade. The reason: {side.why}."
        else:
            way = f"{abs(side.distance) * 100:.1f} % {'below' if side.distance < 0 else 'above'} entry"
            line = f"At {fmt(side.price)} USD, {way}, the {behind} behind this trade no longer cover its requirement."
        turn = f"has {'gained' if pnl > 0 else 'lost'} {fmt(abs(pnl))} {unit}" if pnl else "is where it began"
        now = f"After a move of {move:+.1f} % the trade {turn}"
        if not isolated["closed"]:
            return f"{line} {now} and is open, with {fmt(isolated['equity'])} {unit} of equity."
        rest = f"{fmt(self.balance - isolated['behind'])} {unit}"
        missing = f", {fmt(isolated['shortfall'])} more than stood behind it" if isolated["shortfall"] else ""
        gone = f"That took {fmt(isolated['lost'])} {unit}; the other {rest} were out of its reach."
        return f"{line} {now}{missing}, and has been closed. {gone}"

    def table(self, price, *columns):
        def row(name, cell):
            return [name, *map(cell, columns)]

        def money(name):
            return lambda column: f"{fmt(column[name])} {self.instrument.settle}"

        def standing(name):
            return lambda column: "closed" if column["closed"] else money(name)(column)

        head = ["", *(f"{money('behind')(c)} {mode}" for c, mode in zip(columns, ("isolated", "cross"), strict=True))]
        rows = [row("leverage", lambda column: f"{fmt(column['leverage'])}x")]
        if any(column["refused"] for column in columns):
            return head, [*rows, row("opened", lambda column: "no" if column["refused"] else "yes")]
        rows += [row(f"{name} price", lambda column, name=name: crossing(column[name])) for name in LINES]
        rows += [row(f"{name} at {fmt(price)}", standing(name)) for name in ("equity", "requirement")]
        return head, [*rows, row("lost to liquidation", money("lost")), row("the whole account", money("account"))]

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        figure, axes = figures.blank(f"price of {self.instrument.index} (USD)", self.instrument.settle, paper=paper)
        axes.set_xlim(0.38 * self.entry, 1.62 * self.entry)
        axes.set_ylim(-0.1 * self.balance, 1.2 * self.balance)
        drawn = {}
        for name, label in (
            ("equity", "equity, isolated"),
            ("equity, cross", "equity, cross"),
            ("requirement", "requirement, isolated"),
            ("price", "now"),
        ):
            (drawn[name],) = axes.plot([], [], label=label, **figures.STYLES[name])
        drawn["price"].set_clip_on(False)
        for name in ("entry", "liquidation", "bankruptcy"):
            drawn[name] = axes.axvline(self.entry, **figures.STYLES[name])
        top = 1.2 * self.balance
        for name, height in (("liquidation", 0.93), ("bankruptcy", 0.85)):
            drawn[f"{name} label"] = figures.note(axes, self.entry, height * top)
        figures.note(axes, 1.006 * self.entry, 0.02 * top, f"entry {fmt(self.entry)}", va="bottom")
        figures.legend(axes)
        return figures.Layers(figure, axes, drawn)

    def draw(self, layers, reading):
        drawn, isolated, index = layers.drawn, reading["isolated"], self.instrument.index
        grid = np.linspace(0.38 * self.entry, 1.62 * self.entry, 63)
        for name, column in (("equity", isolated), ("equity, cross", reading["cross"])):
            drawn[name].set_data([], [])
            if pool := column.get("pool"):
                end = nearest(column["liquidation"]).price or self.entry
                x = np.union1d(grid, (end * (1 - 1e-9), end * (1 + 1e-9)))
                drawn[name].set_data(x, np.where(pool.slack({index: x}) > 0, pool.equity({index: x}), 0.0))
        pool = isolated.get("pool")
        drawn["requirement"].set_data(grid, pool.requirement({index: grid}) if pool else np.full(63, np.nan))
        top = layers.axes.get_ylim()[1]  # the mark stays in the picture
        drawn["price"].set_data([reading["price"]], [min(isolated.get("equity", np.nan), top)])
        for name in LINES:
            price = (nearest(isolated[name]).price if pool else None) or np.nan
            falling = price < self.entry  # labels stand on the far side of the lines, where nothing is drawn
            drawn[name].set_xdata([price, price])
            drawn[f"{name} label"].set(
                x=price + (-0.012 if falling else 0.012) * self.entry,
                text="" if np.isnan(price) else f"{name} {fmt(price)}",
                ha="right" if falling else "left",
            )
        return "fixed"


def nearest(found):
    """The side of a `Crossings` that a single position can reach: the one with a price, else the exposed one."""
    if found.below.price is None and found.above.price is None:
        return found.below if "covers" in found.below.why else found.above
    return found.below if found.below.price is not None else found.above


def crossing(found):
    side = nearest(found)
    return "none" if side.price is None else f"{fmt(side.price)} ({side.distance * 100:+.1f} %)"
