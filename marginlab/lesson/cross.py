"""Lesson 02: a leveraged spot long and a perpetual, in a pool of its own each, and both in one."""

import numpy as np
from attrs import evolve

from .. import Account, Asset, Spot, checks, replace, venues
from ..rules import FUND
from ..show import fmt
from . import figures
from .explorer import (
    LINEAR,
    Explorer,
    amount,
    contract,
    difference,
    opened,
    standing,
    with_steps,
    would_not,
)
from .sheet import Beside
from .vessel import Vessel

LEGS = {
    "spot": "spot, isolated",
    "perpetual": "perpetual, isolated",
    "cross": "one cross pool",
}
MOVED = ("equity", "requirement", "price", "below", "above")


class CrossMargin(Explorer):
    """The same two trades on the same coins: isolated, in two pools, and cross, in one.

    The contract is linear; its index is the coin that is held, `balance` of it, and bought on loan
    at `entry`. `reading` holds the pools "spot", "perpetual" and "cross", each a dict of figures
    (see `column`), what the account is worth in USD as "isolated worth" and "cross worth", the
    "price", in "refused" which book could not be opened, and why; where a pool is closed on the way
    to this price, the "first" price at which one is, and the "gap" there, cross less isolated: from
    there on the two books are not the same trades.
    """

    title = "Two trades: two pools, or one?"
    limits = (
        "Left out: trading fees, interest, funding, market impact; costs bring every end nearer. "
        "A pool is closed at the price of now, as after a jump over its line, and the perpetual is "
        "priced like spot: a gap between them can hurt a hedge or help it. Of a closed pool you "
        "keep here what its haircut left out; real venues often close step by step, and return "
        "what is left after a fee. Not every venue lends in isolated mode, or lets these two "
        "trades share a pool."
    )
    marked = "difference"
    folded = True
    height = "23rem"
    words = (
        ("perpetual", "Perpetual, short < 0 ({unit})", "Size at entry; 0 is none"),
        ("spot", "Spot bought on loan ({unit})", "Coins paid with a debt"),
        ("split", "Isolated: behind spot ({unit})", "The rest: for the perpetual"),
        ("haircut", "Cross: haircut (%)", "Share of each {unit} that does not count"),
        ("move", "Price move (%)", "From the entry to now"),
    )
    venue = venues.TEACHING_MULTI

    def __init__(self, instrument=LINEAR, entry=50_000.0, balance=2.0):
        self.perp = contract(instrument, self.venue, linear=True)
        self.unit = instrument.index
        self.cash = instrument.settle
        self.spot = Spot(f"{self.unit}/{self.cash}")
        self.entry = checks.number("entry", entry, above=0)
        self.balance = checks.number("balance", balance, above=0)
        self.ran = None, None
        super().__init__()

    def reach(self):
        b, step = self.balance, self.balance / 20
        reach = {"perpetual": (-4 * b, 4 * b, step), "spot": (step, 4 * b, step)}
        return reach | {
            "split": (step, 0.95 * b, step),
            "haircut": (0, 50, 1),
            "move": (-90, 60, 0.5),
        }

    @property
    def presets(self):
        b = self.balance
        trade = {"perpetual": -2.5 * b, "spot": 2.5 * b, "split": b / 2, "haircut": 10.0}
        return {
            "a fall of 14 %, short against spot": trade | {"move": -14.0},
            "a rise of 25 %, short against spot": trade | {"move": 25.0},
            "a fall of 10 %, both long": trade | {"perpetual": 2.5 * b, "move": -10.0},
            "the spot leg alone": trade | {"perpetual": 0.0, "move": -14.0},
            "a haircut too deep": trade | {"haircut": 25.0, "move": 0.0},
        }

    # ---------------------------------------------------------------- reading

    def account(self, haircut):
        """The account with nothing but the coins; the haircut of these in per cent."""
        asset = self.venue.assets.get(self.unit) or Asset()
        asset = replace(asset, haircut=haircut / 100)
        venue = replace(self.venue, assets={**self.venue.assets, self.unit: asset})
        return Account(venue, **{self.unit: self.balance}).mark(**{self.unit: self.entry})

    def cross(self, account, perpetual, spot, split):
        """The account with both trades in the cross pool."""
        account = account.trade(self.spot, spot, self.entry, borrow=self.cash)
        contracts = perpetual / self.perp.face
        return account.trade(self.perp, contracts, self.entry) if perpetual else account

    def isolated(self, account, perpetual, spot, split):
        """The account with a pool for each trade: `split` of the coins behind spot."""
        if perpetual:
            rest, contracts = self.balance - split, perpetual / self.perp.face
            account = account.trade(self.spot, -rest, self.entry)
            margin = rest * self.entry
            account = account.trade(self.perp, contracts, self.entry, isolated=margin)
        return account.trade(self.spot, spot, self.entry, borrow=self.cash, isolated=split)

    def books(self, perpetual, spot, split, haircut):
        """What the price does not change: accounts, or why one is not opened; pools, their ends."""
        found = {"accounts": {}, "refused": {}, "pools": {}}
        for name, book in (("isolated", self.isolated), ("cross", self.cross)):
            account, why = opened(book, self.account(haircut), perpetual, spot, split)
            if why:
                found["refused"][name] = why
                continue
            found["accounts"][name] = account
            found["pools"] |= {pool.name: pool for pool in account.pools if pool.open}
        ends = {name: pool.liquidation(self.unit) for name, pool in found["pools"].items()}
        return found | {"ends": ends}

    def work_out(self, perpetual, spot, split, haircut, move):
        asked = perpetual, spot, split, haircut
        if asked != self.ran[0]:
            self.ran = asked, self.books(*asked)
        found, price = self.ran[1], self.entry * (1 + move / 100)
        reading = {"price": price, "refused": found["refused"], "first": None, "gap": 0.0}
        worth, closed = self.worth(found["accounts"], price)
        for name in ("isolated", "cross"):
            reading[f"{name} worth"] = worth.get(name, 0.0)
        names = (f"isolated {self.spot.symbol}", f"isolated {self.perp.symbol}", "cross")
        for leg, name in zip(LEGS, names, strict=True):
            pool, ends = found["pools"].get(name), found["ends"].get(name)
            reading[leg] = self.column(pool, ends, closed.get(name), price)
        met = [reached(found["ends"][name], move) for name in closed]
        if met and move and not found["refused"]:
            reading["first"] = first = max(met) if move < 0 else min(met)
            beyond = first * (1 + np.sign(move) * 1e-9)
            there = self.worth(found["accounts"], beyond)[0]
            reading["gap"] = there["cross"] - there["isolated"]
        return reading

    def worth(self, accounts, price):
        """({book: what its account is worth in USD}, {pool: what closed it}) at a price."""
        worth, closed = {}, {}
        for name, account in accounts.items():
            after = account.at(**{self.unit: price})
            closed |= {event.pool: event for event in after.liquidations}
            worth[name] = sum(in_usd(p, p.worth(), p.marks) for p in after.pools)
        return worth, closed

    def column(self, pool, ends, closed, price):
        """The figures of a pool at a price, in USD, with the event that closed it, if one did."""
        figures = {"pool": pool, "closed": closed, "liquidation": ends}
        figures |= {"equity": 0.0, "requirement": 0.0, "fund": 0.0}
        if pool is None:
            return figures
        at = {self.unit: price}
        if closed:
            return figures | {"fund": in_usd(pool, closed.flows[FUND], at)}
        equity = in_usd(pool, pool.equity(at), at)
        return figures | {"equity": equity, "requirement": in_usd(pool, pool.requirement(at), at)}

    def sentence(self, reading):
        if reading["refused"]:
            return would_not(reading["refused"])
        move, both, cross = reading["move"], reading["perpetual"]["pool"], reading["cross"]
        closed = {
            leg: reached(reading[leg]["liquidation"], move)
            for leg in LEGS
            if reading[leg]["closed"]
        }
        legs = [leg for leg in closed if leg != "cross"]
        legs.sort(key=closed.get, reverse=move < 0)  # in the order of time
        gone = ", then ".join(
            f"the {leg} leg is closed (its line: {quoted(closed[leg])})" for leg in legs
        )
        said = f"Isolated, after {move:+g} %: " if move else "Isolated, before any move: "
        said += gone or "nothing is closed"
        if len(legs) == 1 and both:
            change = self.since(reading, legs[0], closed[legs[0]])
            turn = f"gained {amount(change)}" if change >= 0 else f"lost {amount(-change)}"
            said += f", and the other pool stands alone: a bet, that has {turn} beyond that line"
        said += ". In one pool: "
        if cross["closed"]:
            end = quoted(closed["cross"])
            return f"{said}{'both are' if both else 'it is'} closed (the line: {end})."
        said += f"open, with {amount(cross['equity'])} USD of equity against "
        said += f"{amount(cross['requirement'])} required"
        if gain := sum(p.pnl(reading["price"]) for p in cross["pool"].positions):
            result = "profit" if gain > 0 else "loss"
            said += f", after an unrealised {result} of {amount(abs(gain))} on the perpetual"
        ends = self.ends(cross["liquidation"])
        return f"{said}. It is closed {ends}." if ends else f"{said}. No price closes it."

    def since(self, reading, leg, end):
        """What the other isolated leg has gained, in USD, since this one was closed at a price."""
        pool = reading["spot" if leg == "perpetual" else "perpetual"]["pool"]
        then, now = ({self.unit: price} for price in (end, reading["price"]))
        return in_usd(pool, pool.worth(now), now) - in_usd(pool, pool.worth(then), then)

    def ends(self, found):
        """Both ends of a pool in short, "" where it has none."""
        sides = [side for side in (found.below, found.above) if side.price is not None]
        return " and ".join(f"{side.side} {quoted(side.price)}" for side in sides)

    def table(self, reading):
        def told(leg):
            column = reading[leg]
            if column["pool"] is None:
                return [LEGS[leg], "not open", "", "", ""]
            ends = self.ends(column["liquidation"]) or "nowhere"
            if column["closed"]:
                return [LEGS[leg], ends, "closed", "", amount(column["fund"])]
            now = (amount(column["equity"]), amount(column["requirement"]))
            return [LEGS[leg], ends, *now, ""]

        def both(key):
            return amount(reading["spot"][key] + reading["perpetual"][key])

        head = ["", "ends", "equity now", "required", "fund gains", "account worth"]
        isolated, cross = reading["isolated worth"], reading["cross worth"]
        sums = ["both isolated", "", both("equity"), both("requirement"), both("fund")]
        rows = [
            [*told("spot"), ""],
            [*told("perpetual"), ""],
            [*sums, amount(isolated)],
            [*told("cross"), amount(cross)],
        ]
        if "isolated" in reading["refused"]:
            rows[2][1:] = [""] * 5
        if "cross" in reading["refused"]:
            rows[3][5] = ""
        if reading["refused"]:
            return head, rows
        now, said = cross - isolated, "cross less isolated"
        if first := reading["first"]:  # from here on one book has lost a part
            rows.append([f"{said}, now", "", "", "", "", difference(now)])
            since = difference(now - reading["gap"])
            rows.append(["since then", "", "", "", "no longer the same trades", since])
            now, said = reading["gap"], f"{said}, at {quoted(first)}"
        rows.append([self.marked, "", "", "", said, difference(now)])
        return head, rows

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        label, titles = f"price of {self.unit} (USD)", list(LEGS.values())
        figure, panels = figures.blank(label, "USD", paper=paper, panels=titles)
        drawn, scale = {}, self.balance * self.entry
        for leg, axes in zip(LEGS, panels, strict=True):
            axes.set_xlim(0, 1.7 * self.entry)
            axes.set_ylim(-0.3 * scale, 3 * scale)
            axes.set_xticks([0, 0.5 * self.entry, self.entry])
            axes.tick_params(axis="x", labelsize=9)
            figures.upright(axes, self.entry, "entry", "entry")
            for name, label in (("equity",) * 2, ("requirement",) * 2, ("price", "now")):
                drawn[f"{leg} {name}"] = figures.curve(axes, name, label)
            for side, label in (("below", "liquidation"), ("above", None)):
                drawn[f"{leg} {side}"] = figures.upright(axes, np.nan, "liquidation", label)
        figures.legend(panels[0], above=1.1)
        return (figures.Layers if paper else Beside)(figure, panels, drawn)

    def vessel(self, leg, column, price):
        """A pool as a vessel, in USD; empty where it was not opened."""
        if column["pool"] is None:
            return Vessel(LEGS[leg], "USD", leg != "cross", 0.0, 0.0)
        at = {self.unit: price}
        return evolve(Vessel.of(column["pool"], at, column["closed"], "USD"), name=LEGS[leg])

    def draw(self, layers, reading):
        shown = [self.vessel(leg, reading[leg], reading["price"]) for leg in LEGS]
        layers.show(shown, 2 * self.balance * self.entry)
        grid = np.linspace(0.05 * self.entry, 1.7 * self.entry, 35)
        top = layers.axes[0].get_ylim()[1]  # a dot on the edge would read as a value
        for leg in LEGS:
            column, pool = reading[leg], reading[leg]["pool"]
            drawn = {name: layers.drawn[f"{leg} {name}"] for name in MOVED}
            for artist in drawn.values():
                artist.set_data([], [])
            if pool is None:
                continue
            found = column["liquidation"]
            for side in (found.below, found.above):
                if side.price is not None:
                    drawn[side.side].set_data([side.price] * 2, [0, 1])
            at = {self.unit: with_steps(grid, found.below.price, found.above.price)}
            for name, value in zip(MOVED, standing(pool, at), strict=False):
                value = in_usd(pool, value, at)
                drawn[name].set_data(at[self.unit], value * np.ones(len(at[self.unit])))
            if column["equity"] <= top:
                drawn["price"].set_data([reading["price"]], [column["equity"]])


def in_usd(pool, value, at):
    """A value in a pool's own currency, in USD at prices."""
    return value * pool.quote(pool.currency, at)


def reached(found, move):
    """The price at which a pool was closed by a move, with the sign of the move."""
    low, high = found.below.price, found.above.price
    return low if high is None or (move < 0 and low is not None) else high


def quoted(value):
    """A price for readers, without cents from 1,000 on."""
    return fmt(value) if value < 1_000 else amount(value)
