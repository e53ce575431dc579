"""Lesson 04: one liquidation. How far away it is for a size, how much is closed, and who pays for a gap."""

from attrs import evolve as replace

import numpy as np

from ... import Account, Liquidation, Perpetual, Venue, cancel_orders, close_all, liquidation_price, step_down, venues
from ... import checks
from ...show import fmt
from ...rules import COUNTERPARTIES, FUND, TRADER
from ...ledger import tally
from .. import figures
from .base import Explorer, amount

WHOLE, TIERS = "whole", "tier by tier"
PARTIES = (TRADER, FUND, COUNTERPARTIES)
PANELS = ("how far away: size against tiers", "who pays for a gap")


class LiquidationSteps(Explorer):
    """A long of a chosen size in isolated margin: the fall that reaches its line, and a gap beyond it.

    Parameters
    ----------
    instrument : Perpetual, optional
        A linear contract. BTC-USDT if absent.
    venue : Venue
        Whose tiers, and whose rules on surplus and shortfall, hold. How much is closed is set by a control.
    entry : float
        Price at which it was bought, quote currency.
    leverage : float
        Notional / margin, above 1; the schedule must allow it for the largest size.
    largest : float
        The largest size, in the settlement currency.

    `reading` holds the "line" and the "price" after the gap, the "events" of the liquidation, the "loss" of each party
    as a share of the position (negative: a gain), the contracts "kept", and the "sentence".
    """

    title = "One liquidation: how much is closed, and who pays?"
    limits = (
        "Left out: fees and funding, which bring the line nearer (funding received moves it away), and the impact of "
        "the sale, which costs the fund and winners more. "
        "The gap is one jump from the line to a lower price, mark and last alike, at which all can be sold; in a real "
        "fall the price passes more slowly, and the loss beyond the margin is smaller. The fund is all this venue has; "
        "winners have enough to close against. How much is closed first, and who keeps a rest, differs by venue."
    )
    marked = None  # all three rows count
    height = "41rem"

    def __init__(
        self, instrument=None, venue=venues.TEACHING_STEPS, entry=50_000.0, leverage=10.0, largest=30_000_000.0
    ):
        self.perp = instrument or Perpetual("BTC-USDT", index="BTC", settle="USDT")
        if not isinstance(self.perp, Perpetual) or not isinstance(venue, Venue):
            raise TypeError(f"instrument must be a Perpetual and venue a Venue, not {instrument!r} and {venue!r}")
        if self.perp.inverse:
            raise ValueError(f"instrument must be linear, such as BTC-USDT, not the inverse {self.perp.symbol!r}")
        self.venue, self.schedule = venue, venue.schedule(self.perp)
        self.entry = checks.number("entry", entry, above=0)
        self.leverage = checks.number("leverage", leverage, above=1)
        self.largest = checks.number("largest", largest, above=0)
        self.book(self.largest, WHOLE)  # refuses what the schedule does not allow
        start = {"size": largest / 10, "closing": WHOLE, "gap": 0.0, "fund": largest / 150}
        self.presets = {
            "at the line, closed whole": start,
            "at the line, tier by tier": start | {"closing": TIERS},
            "ten times the size": start | {"size": largest, "closing": TIERS},
            "a gap through bankruptcy": start | {"gap": 12.0},
            "a gap, and no fund": start | {"gap": 12.0, "fund": 0.0},
        }
        super().__init__()

    def make_controls(self):
        unit, step = self.perp.settle, self.largest / 60
        return [
            self.slider("size", f"Size ({unit})", step, self.largest, step, "Worth of the position when it was bought"),
            self.choice(
                "closing",
                "Closed",
                {WHOLE: WHOLE, TIERS: TIERS},
                ["All of it at once", "Down by one tier, then looked at again"],
            ),
            self.slider("gap", "Gap below the line (%)", 0, 20, 0.25, "How far the next price is below the line"),
            self.slider("fund", f"Insurance fund ({unit})", 0, self.largest / 10, self.largest / 600, "All it has"),
        ]

    # ---------------------------------------------------------------- reading

    def book(self, size, closing):
        """The account with the position, under one of the two rules."""
        rule = Liquidation(cancel_orders, step_down(tiers=1), close_all) if closing == TIERS else Liquidation()
        venue = replace(self.venue, liquidation=rule)
        count = size / self.entry / self.perp.face
        account = Account(venue, **{self.perp.settle: 1.01 * size / self.leverage}).mark(
            **{self.perp.index: self.entry}
        )
        return account.trade(self.perp, count, self.entry, isolated=True, leverage=self.leverage)

    def after(self, account, line, gap, fund):
        """The account after the price has gone from the line to `gap` per cent below it."""
        return account.mark(**{self.perp.index: line * (1 - gap / 100)}).liquidate(fund=fund)

    def losses(self, account, after, size):
        """What each party has lost, as a share of the position; below zero it has gained."""
        events = after.events[len(account.events) :]
        flows = tally(events).get(self.perp.settle, {})
        unrealised = sum(p.pnl(pool.marks[self.perp.index]) for pool in after.pools for p in pool.positions)
        paid = sum(max(0.0, -event.flows.get(FUND, 0.0)) for event in events)
        forgone = max(0.0, sum(event.shortfall for event in after.liquidations) - paid)
        lost = {TRADER: -flows.get(TRADER, 0.0) - unrealised, FUND: -flows.get(FUND, 0.0), COUNTERPARTIES: forgone}
        return {party: amount / size + 0.0 for party, amount in lost.items()}  # + 0.0: no negative zero

    def read(self, size, closing, gap, fund):
        account = self.book(size, closing)
        pool = account[self.perp]
        line = pool.liquidation().below.price
        after = self.after(account, line, gap, fund)
        events = after.events[len(account.events) :]
        kept = sum(p.quantity for _, p in after.find(self.perp.symbol))
        reading = {
            "account": account,
            "line": line,
            "bankruptcy": pool.bankruptcy().below.price,
            "price": line * (1 - gap / 100),
            "size": size,
            "events": events,
            "kept": kept,
            "whole": pool.positions[0].quantity,
            "loss": self.losses(account, after, size),
            "gap": gap,
            "fund": fund,
        }
        reading["sentence"] = self.sentence(reading)
        reading["table"] = self.table(reading)
        return reading

    def sentence(self, reading):
        fall, unit = 1 - reading["line"] / self.entry, self.perp.settle
        said = f"{amount(reading['size'])} {unit} at {self.leverage:g}x reach their line at {fmt(reading['line'])}, "
        said += f"after a fall of {100 * fall:.1f} %"
        said += f"; the next price is {fmt(reading['price'])}. " if reading["gap"] else ". "
        share = reading["kept"] / reading["whole"]
        if share:
            return f"{said}{100 * (1 - share):.0f} % of the position is closed, and the rest lives on."
        loss = {party: reading["loss"][party] * reading["size"] for party in PARTIES}
        said += "All of it is closed"
        parts = len([event for event in reading["events"] if event.kind == "partial liquidation"])
        said += f", the last of it after {parts} smaller {'part' if parts == 1 else 'parts'}. " if parts else ". "
        said += f"The trader loses {amount(loss[TRADER])} {unit}"
        if loss[FUND] < 0:
            return f"{said}; the fund gets the {amount(-loss[FUND])} that are left."
        missing = loss[FUND] + loss[COUNTERPARTIES]
        if not missing:
            return f"{said}; nothing is missing."
        payers = {"the fund pays": loss[FUND], "winners on the other side forgo": loss[COUNTERPARTIES]}
        paid = ", ".join(f"{who} {amount(part)}" for who, part in payers.items() if part > 1e-9 * missing)
        return f"{said}, and {amount(missing)} are missing beyond the margin: {paid}."

    def table(self, reading):
        head = ["", f"lost so far ({self.perp.settle})" if reading["kept"] else f"lost ({self.perp.settle})",
                "share of the position"]  # fmt: skip
        names = {TRADER: TRADER, FUND: FUND, COUNTERPARTIES: "winners, by auto-deleveraging"}
        rows = [
            [names[party], amount(loss * reading["size"]), f"{round(100 * loss, 2) + 0.0:.2f} %"]
            for party, loss in reading["loss"].items()
        ]
        return head, rows

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        figure, panels = figures.blank(
            "", ("fall from entry (%)", "loss, % of the position"), paper=paper, panels=PANELS
        )
        left, right = panels
        unit = self.scale()
        left.set_xlabel(f"size ({unit[1]}{self.perp.settle})")
        right.set_xlabel("gap below the line (%)")
        sizes = np.linspace(self.largest / 200, self.largest, 200)
        count = sizes / self.entry / self.perp.face
        lines = liquidation_price(self.venue, self.perp, count, self.entry, sizes / self.leverage)
        fall = 100 * (1 - lines / self.entry)
        left.plot(sizes / unit[0], fall, label="liquidation", **figures.STYLES["liquidation"])
        left.axhline(100 / self.leverage, label="bankruptcy", **figures.STYLES["bankruptcy"])
        for n, floor in enumerate(self.schedule.floors[1:]):
            if floor < self.largest:
                left.axvline(floor / unit[0], label=None if n else "tier floor", **figures.STYLES["entry"])
        left.set_xlim(0, self.largest / unit[0])
        left.set_ylim(0, 120 / self.leverage)
        right.set_xlim(0, 20)
        right.set_ylim(-50 / self.leverage, max(22, 110 / self.leverage))
        drawn = {}
        (drawn["size"],) = left.plot([], [], **figures.STYLES["price"])
        for party, style in zip(PARTIES, ("trader", "fund", "counterparties"), strict=True):
            label = {FUND: "fund", COUNTERPARTIES: "winners"}.get(party, party)
            (drawn[party],) = right.plot([], [], label=label, **figures.STYLES[style])
            (drawn[f"{party} now"],) = right.plot([], [], **figures.STYLES["price"])
        figures.legend(left, above=1.08, left=-0.2)
        figures.legend(right, above=1.08, left=-0.1)
        return figures.Layers(figure, panels, drawn)

    def scale(self):
        """(divisor, its word) for amounts on an axis."""
        return (1e6, "million ") if self.largest >= 1e6 else (1.0, "")

    def draw(self, layers, reading):
        drawn, account, size = layers.drawn, reading["account"], reading["size"]
        drawn["size"].set_data([size / self.scale()[0]], [100 * (1 - reading["line"] / self.entry)])
        spent = reading["bankruptcy"] - reading["fund"] / (reading["whole"] * self.perp.face)
        corners = [100 * (1 - price / reading["line"]) for price in (reading["bankruptcy"], spent)]
        gaps = np.union1d(np.linspace(0, 20, 17), np.clip([*corners, reading["gap"]], 0, 20))
        rows = [self.losses(account, self.after(account, reading["line"], gap, reading["fund"]), size) for gap in gaps]
        for party in PARTIES:
            drawn[party].set_data(gaps, [100 * row[party] for row in rows])
            drawn[f"{party} now"].set_data([reading["gap"]], [100 * reading["loss"][party]])
        return "fixed"
