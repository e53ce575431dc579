"""Lesson 02: a leveraged spot long and a perpetual, each in a pool of its own, and both in one."""

from attrs import evolve as replace

import numpy as np

from ... import Account, Asset, Perpetual, Spot, Venue, venues
from ... import checks
from ...show import fmt
from ...rules import FUND
from .. import figures
from .base import Explorer

LEGS = ("spot", "perpetual", "cross")
PANELS = ("spot, isolated", "perpetual, isolated", "one cross pool")


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
        if not isinstance(self.perp, Perpetual) or not isinstance(venue, Venue):
            raise TypeError(f"instrument must be a Perpetual and venue a Venue, not {instrument!r} and {venue!r}")
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
        unit, b, step = self.coin, self.balance, self.balance / 20
        return [
            self.slider("perpetual", f"Perpetual, short < 0 ({unit})", -4 * b, 4 * b, step, "Size at entry; 0 is none"),
            self.slider("spot", f"Spot bought on loan ({unit})", step, 4 * b, step, "Coins paid with a debt"),
            self.slider(
                "split", f"Isolated: behind spot ({unit})", step, 0.95 * b, step, "The rest: for the perpetual"
            ),
            self.slider("haircut", "Cross: haircut (%)", 0, 50, 1, f"Share of each {unit} that does not count"),
            self.slider("move", "Price move (%)", -90, 60, 0.5, "From the entry to now"),
        ]

    # ---------------------------------------------------------------- reading

    def books(self, perpetual, spot, split, haircut):
        """(made, refused): the accounts "isolated" and "cross" at the entry, and why one was not opened."""
        asset = self.venue.assets.get(self.coin) or Asset()
        assets = {**self.venue.assets, self.coin: replace(asset, haircut=haircut / 100)}
        start = Account(replace(self.venue, assets=assets), **{self.coin: self.balance}).mark(**{self.coin: self.entry})
        contracts, rest = perpetual / self.perp.face, self.balance - split

        def cross():
            account = start.trade(self.spot, spot, self.entry, borrow=self.cash)
            return account.trade(self.perp, contracts, self.entry) if perpetual else account

        def isolated():
            account = start
            if perpetual:
                account = account.trade(self.spot, -rest, self.entry)
                account = account.trade(self.perp, contracts, self.entry, isolated=rest * self.entry)
            return account.trade(self.spot, spot, self.entry, borrow=self.cash, isolated=split)

        made, refused = {}, {}
        for name, book in (("isolated", isolated), ("cross", cross)):
            try:
                made[name] = book()
            except ValueError as error:
                refused[name] = str(error)
        return made, refused

    def read(self, move, **book):
        price = self.entry * (1 + move / 100)
        made, refused = self.books(**book)
        after = {name: account.at(**{self.coin: price}) for name, account in made.items()}
        gone = {event.pool: event for account in after.values() for event in account.liquidations}
        pools = {pool.name: pool for account in made.values() for pool in account.pools if pool.open}
        reading = {"price": price, "refused": refused}
        for leg, name in zip(
            LEGS, (f"isolated {self.spot.symbol}", f"isolated {self.perp.symbol}", "cross"), strict=True
        ):
            reading[leg] = self.column(pools.get(name), price, gone.get(name))
        for name in ("isolated", "cross"):
            left = after[name].pools if name in after else ()
            reading[f"{name} worth"] = sum(self.in_usd(pool, pool.worth(), price) for pool in left)
        reading["sentence"] = self.sentence(move, reading)
        reading["table"] = self.table(reading)
        return reading

    def column(self, pool, price, closed):
        """The figures of a pool at a price, in USD, with the event that closed it; `pool` is None if there is none."""
        if pool is None:
            return {"pool": None, "closed": None, "equity": 0.0, "requirement": 0.0, "fund": 0.0, "liquidation": None}
        at = {self.coin: price}
        return {
            "pool": pool,
            "liquidation": pool.liquidation(self.coin),
            "closed": closed,
            "equity": 0.0 if closed else self.in_usd(pool, pool.equity(at), price),
            "requirement": 0.0 if closed else self.in_usd(pool, pool.requirement(at), price),
            "fund": self.in_usd(pool, closed.flows[FUND], price) if closed else 0.0,
        }

    def in_usd(self, pool, value, price):
        """A value in a pool's own currency, in USD."""
        return value * price if pool.currency == self.coin else value

    def sentence(self, move, reading):
        if reading["refused"]:
            said = "; ".join(f"{name}: {why}" for name, why in reading["refused"].items())
            return f"The venue would not open this. {said[0].upper()}{said[1:]}."
        closed = {leg: self.end(reading[leg]["liquidation"], move) for leg in LEGS if reading[leg]["closed"]}
        legs = sorted(
            (leg for leg in closed if leg != "cross"), key=closed.get, reverse=move < 0
        )  # in the order of time
        walled = f"Isolated, after {move:+g} %: " if move else "Isolated, before any move: "
        walled += (
            ", then ".join(f"the {leg} leg is closed, at {quoted(closed[leg])}" for leg in legs) or "nothing is closed"
        )
        if len(legs) == 1 and reading["perpetual"]["pool"]:
            walled += ", and the other leg stands alone"
        cross = reading["cross"]
        if cross["closed"]:
            what = "both are" if reading["perpetual"]["pool"] else "it is"
            return f"{walled}. In one pool: {what} closed, at {quoted(closed['cross'])}."
        shared = f"{usd(cross['equity'])} USD of equity against {usd(cross['requirement'])} required"
        gain = sum(p.pnl(reading["price"]) for p in cross["pool"].positions)
        result = "profit" if gain > 0 else "loss"
        part = f", after an unrealised {result} of {usd(abs(gain))} on the perpetual" if gain else ""
        ends = self.ends(cross["liquidation"])
        ends = f"It is closed {ends}" if ends else "No price closes it"
        return f"{walled}. In one pool: open, with {shared}{part}. {ends}."

    def end(self, found, move):
        """The price at which a pool was closed by a move, with the sign of the move."""
        return found.below.price if found.above.price is None or (move < 0 and found.below.price is not None) else found.above.price

    def ends(self, found):
        """Both ends of a pool in short, "" where it has none."""
        sides = {"below": found.below.price, "above": found.above.price}
        return " and ".join(f"{name} {quoted(end)}" for name, end in sides.items() if end is not None)

    def table(self, reading):
        head = ["", "ends", "equity now", "required", "fund gains", "account worth"]
        rows = {}
        for leg, name in zip(LEGS, PANELS, strict=True):
            column = reading[leg]
            rows[name] = [self.ends(column["liquidation"]) or "nowhere"] if column["pool"] else ["not open"]
            if column["closed"]:
                rows[name] += ["closed", "", usd(column["fund"])]
            elif column["pool"]:
                rows[name] += [usd(column["equity"]), usd(column["requirement"]), ""]
        worth = {name: reading[f"{name} worth"] for name in ("isolated", "cross")}
        both = [usd(sum(reading[leg][key] for leg in LEGS[:2])) for key in ("equity", "requirement", "fund")]
        rows["both isolated"] = ["", *both, usd(worth["isolated"])] if "isolated" not in reading["refused"] else []
        rows[PANELS[2]] = rows.pop(PANELS[2])  # last
        if "cross" not in reading["refused"]:
            rows[PANELS[2]] += [""] * (4 - len(rows[PANELS[2]])) + [usd(worth["cross"])]
        if not reading["refused"]:
            gap = worth["cross"] - worth["isolated"]
            rows[self.marked] = ["", "", "", "cross less isolated", f"{'+' if gap >= 0.5 else ''}{usd(gap)}"]
        return head, [[name, *cells, *[""] * (5 - len(cells))] for name, cells in rows.items()]

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        figure, panels = figures.blank(f"price of {self.coin} (USD)", "USD", paper=paper, panels=PANELS)
        drawn, scale = {}, self.balance * self.entry
        for leg, axes in zip(LEGS, panels, strict=True):
            axes.set_xlim(0, 1.7 * self.entry)
            axes.set_ylim(-0.3 * scale, 3 * scale)
            axes.set_xticks([0, 0.5 * self.entry, self.entry])
            axes.tick_params(axis="x", labelsize=9)
            axes.axvline(self.entry, label="entry", **figures.STYLES["entry"])
            for name, label in (("equity", "equity"), ("requirement", "requirement"), ("price", "now")):
                (drawn[f"{leg} {name}"],) = axes.plot([], [], label=label, **figures.STYLES[name])
            for side, label in (("below", "liquidation"), ("above", None)):
                drawn[f"{leg} {side}"] = axes.axvline(np.nan, label=label, **figures.STYLES["liquidation"])
        figures.legend(panels[0], above=1.1)
        return figures.Layers(figure, panels, drawn)

    def draw(self, layers, reading):
        drawn = layers.drawn
        for leg in LEGS:
            column = reading[leg]
            pool, found = column["pool"], column["liquidation"]
            ends = {"below": (found and found.below.price) or np.nan, "above": (found and found.above.price) or np.nan}
            for side, end in ends.items():
                drawn[f"{leg} {side}"].set_xdata([end, end])
            steps = [end * (1 + nudge) for end in ends.values() if end == end for nudge in (-1e-9, 1e-9)]
            x = np.union1d(np.linspace(0.05 * self.entry, 1.7 * self.entry, 35), steps)
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
    return f"{value:,.0f}" if abs(value) >= 0.5 else "0"


def quoted(value):
    """A price for readers, without cents from 1,000 on."""
    return fmt(value) if value < 1_000 else usd(value)
