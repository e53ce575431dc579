"""Lesson 02: a leveraged spot long and a perpetual, each in a pool of its own, and both in one."""

from dataclasses import replace

import numpy as np

from ... import Account, Asset, Perpetual, Spot, venues
from ...model import checks
from ...model.display import crossing, fmt
from .. import figures
from .base import Explorer

LEGS = ("spot", "perpetual", "cross")


class CrossMargin(Explorer):
    """The same two trades on the same coins: isolated, in two pools, and cross, in one.

    Parameters
    ----------
    instrument : Perpetual, optional
        A linear contract; its index is the coin that is held and bought on loan. BTC-USDT if absent.
    venue : Venue
        A multi-currency venue, by whose rules both books are traded; the haircut of the coin is set by its slider.
    entry : float
        Price of the coin at the start, quote currency.
    balance : float
        Coins held at the start.

    `reading` holds the pools "spot", "perpetual" and "cross", each a dict of figures (see `column`), what the account
    is worth in USD as "isolated worth" and "cross worth", the "price" and the "sentence".
    """

    title = "Two trades: two pools, or one?"
    limits = (
        "Left out: trading fees, interest, funding, market impact; costs bring every end nearer. The price moves in "
        "one jump, and the perpetual is priced like spot: a gap between them can hurt a hedge or help it. Of a closed "
        "pool you keep here what its haircut left out; real venues often close step by step, and return what is left "
        "after a fee. Not every venue lends in isolated mode, or lets these two trades share a pool."
    )
    marked = "difference"
    height = "41rem"

    def __init__(self, instrument=None, venue=venues.TEACHING_MULTI, entry=50_000.0, balance=2.0):
        self.perp = instrument or Perpetual("BTC-USDT", index="BTC", settle="USDT")
        if self.perp.inverse:
            raise ValueError(f"instrument must be linear, such as BTC-USDT, not the inverse {self.perp.symbol!r}")
        checks.one_of("account_mode", venue.account_mode, ("multi-currency",))
        self.venue, self.coin, self.cash = venue, self.perp.index, self.perp.settle
        self.spot = Spot(f"{self.coin}/{self.cash}")
        self.entry = checks.number("entry", entry, above=0)
        self.balance = checks.number("balance", balance, above=0)
        trade = {"perpetual": -2.5 * balance, "spot": 2.5 * balance, "split": balance / 2, "haircut": 10.0}
        self.presets = {
            "short against spot, a fall of 14 %": trade | {"move": -14.0},
            "short against spot, a rise of 25 %": trade | {"move": 25.0},
            "both long, a fall of 10 %": trade | {"perpetual": 2.5 * balance, "move": -10.0},
            "the spot leg alone": trade | {"perpetual": 0.0, "move": -14.0},
            "a haircut too deep": trade | {"haircut": 25.0, "move": 0.0},
        }
        super().__init__()

    def make_controls(self):
        unit, b = self.coin, self.balance
        return [
            self.slider(
                "perpetual", f"Perpetual, short < 0 ({unit})", -4 * b, 4 * b, b / 20, "Size at entry; 0 is none"
            ),
            self.slider(
                "spot", f"Spot bought on loan ({unit})", b / 20, 4 * b, b / 20, f"Coins paid with borrowed {self.cash}"
            ),
            self.slider(
                "split",
                f"Isolated: behind spot ({unit})",
                b / 20,
                0.95 * b,
                b / 20,
                "The rest is sold, for the perpetual",
            ),
            self.slider("haircut", "Cross: haircut (%)", 0, 50, 1, f"Share of each {unit} that does not count"),
            self.slider("move", "Price move (%)", -90, 60, 0.5, "From the entry to now"),
        ]

    # ---------------------------------------------------------------- reading

    def books(self, perpetual, spot, split, haircut):
        """{"isolated": account, "cross": account} at the entry; in place of a book that is refused, the reason."""
        asset = self.venue.assets.get(self.coin) or Asset()
        assets = {**self.venue.assets, self.coin: replace(asset, haircut=haircut / 100)}
        start = Account(replace(self.venue, assets=assets), **{self.coin: self.balance}).mark(**{self.coin: self.entry})

        def cross():
            account = start.trade(self.spot, spot, self.entry, borrow=self.cash)
            return account.trade(self.perp, perpetual, self.entry) if perpetual else account

        def isolated():
            account = start.trade(self.spot, spot, self.entry, borrow=self.cash, isolated=split)
            if not perpetual:
                return account
            rest = self.balance - split
            account = account.trade(self.spot, -rest, self.entry, isolated=False)
            return account.trade(self.perp, perpetual, self.entry, isolated=rest * self.entry)

        made = {}
        for name, book in (("isolated", isolated), ("cross", cross)):
            try:
                made[name] = book()
            except ValueError as error:
                made[name] = str(error)
        return made

    def read(self, move, **book):
        price = self.entry * (1 + move / 100)
        books = self.books(**book)
        refused = {name: made for name, made in books.items() if isinstance(made, str)}
        after = {name: made.at(**{self.coin: price}) for name, made in books.items() if name not in refused}
        gone = {event.pool for account in after.values() for event in account.liquidations}
        reading = {"price": price, "refused": refused}
        for leg in LEGS:
            account = books["cross" if leg == "cross" else "isolated"]
            key = {"spot": self.spot, "perpetual": self.perp}.get(leg)
            there = account not in refused.values() and (leg != "perpetual" or book["perpetual"])
            pool = (account.cross if leg == "cross" else account[key, "isolated"]) if there else None
            reading[leg] = self.column(pool, price, pool is not None and pool.name in gone)
        for name in books:
            pools = after[name].pools if name in after else ()
            reading[f"{name} worth"] = sum(self.in_usd(pool, pool.worth(), price) for pool in pools)
        reading["sentence"] = self.sentence(move, reading)
        reading["table"] = self.table(reading)
        return reading

    def column(self, pool, price, closed):
        """The figures of one pool at a price, in USD: a dict, with `pool` None where there is none."""
        if pool is None:
            return {"pool": None, "closed": False, "equity": 0.0, "requirement": 0.0, "liquidation": None}
        at = {self.coin: price}
        return {
            "pool": pool,
            "liquidation": pool.liquidation(self.coin),
            "closed": closed,
            "equity": 0.0 if closed else self.in_usd(pool, pool.equity(at), price),
            "requirement": 0.0 if closed else self.in_usd(pool, pool.requirement(at), price),
        }

    def in_usd(self, pool, value, price):
        """A value in a pool's own currency, in USD."""
        return value * price if pool.currency == self.coin else value

    def sentence(self, move, reading):
        if reading["refused"]:
            said = "; ".join(f"{name}: {why}" for name, why in reading["refused"].items())
            return f"The venue would not open this. {said[0].upper()}{said[1:]}."
        ends = {leg: reading[leg]["liquidation"] for leg in LEGS}
        closed = [leg for leg in LEGS[:2] if reading[leg]["closed"]]
        walled = f"Isolated, after {move:+.1f} %: "
        walled += " and ".join(f"the {leg} leg is closed, at {self.end(ends[leg], move)}" for leg in closed)
        walled += "" if closed else "nothing is closed"
        if len(closed) == 1 and reading["perpetual"]["pool"]:
            walled += ", and the other leg stands alone"
        cross = reading["cross"]
        if cross["closed"]:
            what = "both are" if ends["perpetual"] else "it is"
            return f"{walled}. In one pool: {what} closed, at {self.end(ends['cross'], move)}."
        shared = f"{fmt(cross['equity'])} USD of equity against {fmt(cross['requirement'])} required"
        gain = (
            self.perp.pnl(cross["pool"].positions[0].quantity, self.entry, reading["price"]) if ends["perpetual"] else 0
        )
        part = f", {fmt(gain)} of it the perpetual's unrealised profit" if gain > 0 else ""
        part = f", after an unrealised loss of {fmt(-gain)} on the perpetual" if gain < 0 else part
        return f"{walled}. In one pool: open, with {shared}{part}. It is closed {self.ends(cross['liquidation'])}."

    def end(self, found, move):
        """The price at which a pool was closed by a move, with the sign of the move."""
        return crossing(found.below if move < 0 and found.low is not None else found.above)

    def ends(self, found):
        """Both ends of a pool in short."""
        sides = {"below": found.below, "above": found.above}
        there = [f"{name} {fmt(side.price)}" for name, side in sides.items() if side.price is not None]
        return " and ".join(there) or "at no price"

    def table(self, reading):
        head = ["", "ends", "equity now", "required", "the account is worth"]
        rows = []
        for leg, name in zip(LEGS, ("spot, isolated", "perpetual, isolated", "both, one cross pool"), strict=True):
            column = reading[leg]
            if column["pool"] is None:
                rows.append([name, "not open", "", "", ""])
                continue
            now = ["closed", ""] if column["closed"] else [usd(column["equity"]), usd(column["requirement"])]
            rows.append([name, self.ends(column["liquidation"]), *now, ""])
        sums = {key: reading["spot"][key] + reading["perpetual"][key] for key in ("equity", "requirement")}
        worth = {name: reading[f"{name} worth"] for name in ("isolated", "cross")}
        both = ["both isolated", "", usd(sums["equity"]), usd(sums["requirement"]), usd(worth["isolated"])]
        rows[2][4] = usd(worth["cross"]) if reading["cross"]["pool"] else ""
        rows.insert(2, both)
        gaps = [reading["cross"][key] - sums[key] for key in sums] + [worth["cross"] - worth["isolated"]]
        if not reading["refused"]:
            rows.append([self.marked, "cross less isolated", *(f"{'+' if gap > 0 else ''}{usd(gap)}" for gap in gaps)])
        return head, rows

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        titles = ("spot, isolated", "perpetual, isolated", "both, one cross pool")
        figure, panels = figures.blank(f"price of {self.coin} (USD)", "USD", paper=paper, panels=titles)
        drawn, scale = {}, self.balance * self.entry
        for leg, axes in zip(LEGS, panels, strict=True):
            axes.set_xlim(0, 1.7 * self.entry)
            axes.set_ylim(-0.3 * scale, 3 * scale)
            axes.set_xticks([0, 0.5 * self.entry, self.entry, 1.5 * self.entry])
            axes.tick_params(axis="x", labelsize=9)
            axes.axvline(self.entry, label="entry", **figures.STYLES["entry"])
            for name, label in (("equity", "equity"), ("requirement", "requirement"), ("price", "now")):
                (drawn[f"{leg} {name}"],) = axes.plot([], [], label=label, **figures.STYLES[name])
            for side in ("below", "above"):
                label = "liquidation" if side == "below" else None
                drawn[f"{leg} {side}"] = axes.axvline(np.nan, label=label, **figures.STYLES["liquidation"])
        figures.legend(panels[0], above=1.1)
        return figures.Layers(figure, panels, drawn)

    def draw(self, layers, reading):
        drawn = layers.drawn
        for leg in LEGS:
            column = reading[leg]
            pool, found = column["pool"], column["liquidation"]
            ends = [] if found is None else [side.price for side in (found.below, found.above)]
            for side, price in zip(("below", "above"), ends or (None, None), strict=True):
                drawn[f"{leg} {side}"].set_xdata([np.nan if price is None else price] * 2)
            x = np.union1d(
                np.linspace(0.05 * self.entry, 1.7 * self.entry, 45),
                [p * (1 + nudge) for p in ends if p is not None for nudge in (-1e-9, 1e-9)],
            )
            equity = requirement = np.full(x.shape, np.nan)
            if pool:
                at = {self.coin: x}
                equity = self.in_usd(pool, np.where(pool.slack(at) > 0, pool.equity(at), 0.0), x)
                requirement = self.in_usd(pool, pool.requirement(at), x) * np.ones(x.shape)
            drawn[f"{leg} equity"].set_data(x, equity)
            drawn[f"{leg} requirement"].set_data(x, requirement)
            top = layers.axes[0].get_ylim()[1]  # a dot on the edge would read as a value
            dot = [(reading["price"], column["equity"])] if pool and column["equity"] <= top else [(np.nan, np.nan)]
            drawn[f"{leg} price"].set_data(*zip(*dot, strict=True))
        return "fixed"


def usd(value):
    """An amount in USD, without cents."""
    return f"{value:,.0f}".replace("-0", "0") if abs(value) < 0.5 else f"{value:,.0f}"
