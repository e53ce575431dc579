"""Lesson 04: one liquidation. How far away it is, how much is closed, and who pays for a gap."""

import numpy as np

from .. import (
    Account,
    Liquidation,
    cancel_orders,
    checks,
    close_all,
    liquidation_price,
    replace,
    step_down,
)
from ..ledger import tally
from ..rules import COUNTERPARTIES, FUND, TRADER
from ..show import fmt
from ..venues import TEACHING_STEPS
from . import figures
from .explorer import LINEAR, Explorer, amount, contract
from .sheet import Beside
from .vessel import Vessel

WHOLE, TIERS = "whole", "tier by tier"
RULES = {WHOLE: Liquidation(), TIERS: Liquidation(cancel_orders, step_down(tiers=1), close_all)}
PARTIES = {TRADER: "trader", FUND: "fund", COUNTERPARTIES: "counterparties"}  # and their styles
PANELS = ("how far away: size against tiers", "who pays for a gap")


class LiquidationSteps(Explorer):
    """A long of a chosen size in isolated margin: the fall that reaches its line, and a gap beyond.

    The contract is linear; the venue's tiers, and its rules on surplus and shortfall, hold. `entry`
    is in quote currency, `leverage` is notional / margin, above 1; the schedule must allow it for
    the `largest` size, in the settlement currency. `reading` holds the "line" and the "price" after
    the gap, the "events" of the liquidation, the "loss" of each party as a share of the position
    (negative: a gain) and the contracts "kept".
    """

    title = "One liquidation: how much is closed, and who pays?"
    limits = (
        "Left out: fees and funding, which bring the line nearer (funding received moves it away), "
        "and the impact of the sale, which costs the fund and winners more. "
        "The gap is one jump from the line to a lower price, mark and last alike, at which all can "
        "be sold; in a real fall the price passes more slowly, and the loss beyond the margin is "
        "smaller. The fund is all this venue has; winners have enough to close against. How much "
        "is closed first, and who keeps a rest, differs by venue."
    )
    folded = True
    words = (
        ("size", "Size ({unit})", "Worth of the position when it was bought"),
        ("closing", "Closed", "All of it at once", "Down by one tier, then looked at again"),
        ("gap", "Gap below the line (%)", "How far the next price is below the line"),
        ("fund", "Insurance fund ({unit})", "All it has"),
    )

    def __init__(
        self, instrument=LINEAR, venue=TEACHING_STEPS, entry=50_000.0, leverage=10.0, largest=3e7
    ):
        self.perp = contract(instrument, venue, linear=True)
        self.venue = venue
        self.unit = instrument.settle
        self.entry = checks.number("entry", entry, above=0)
        self.leverage = checks.number("leverage", leverage, above=1)
        self.largest = checks.number("largest", largest, above=0)
        self.book(largest, WHOLE)  # refuses what the schedule does not allow
        self.ran = None, None
        super().__init__()

    def reach(self):
        most, step = self.largest, self.largest / 60
        reach = {"size": (step, most, step), "closing": {rule: rule for rule in RULES}}
        return reach | {"gap": (0, 20, 0.25), "fund": (0, most / 10, most / 600)}

    @property
    def presets(self):
        largest = self.largest
        start = {"size": largest / 10, "closing": WHOLE, "gap": 0.0, "fund": largest / 150}
        return {
            "at the line, closed whole": start,
            "at the line, tier by tier": start | {"closing": TIERS},
            "ten times the size": start | {"size": largest, "closing": TIERS},
            "a gap through bankruptcy": start | {"gap": 12.0},
            "a gap, and no fund": start | {"gap": 12.0, "fund": 0.0},
        }

    # ---------------------------------------------------------------- reading

    def book(self, size, closing):
        """The account with the position, under one of the two rules."""
        venue = replace(self.venue, liquidation=RULES[closing])
        account = Account(venue, **{self.unit: 1.01 * size / self.leverage})
        account = account.mark(**{self.perp.index: self.entry})
        count = size / self.entry / self.perp.face
        return account.trade(self.perp, count, self.entry, isolated=True, leverage=self.leverage)

    def after(self, account, line, gap, fund):
        """The account after the price has gone from the line to `gap` per cent below it."""
        return account.mark(**{self.perp.index: line * (1 - gap / 100)}).liquidate(fund=fund)

    def losses(self, account, after, size):
        """What each party has lost, as a share of the position; below zero it has gained."""
        events = after.events[len(account.events) :]
        flows = tally(events).get(self.unit, {})
        gain = sum(p.pnl(after.marks[self.perp.index]) for _, p in after.find(self.perp.symbol))
        paid = sum(max(0.0, -event.flows.get(FUND, 0.0)) for event in events)
        missing = sum(event.shortfall for event in after.liquidations)
        lost = {
            TRADER: -flows.get(TRADER, 0.0) - gain,
            FUND: -flows.get(FUND, 0.0),
            COUNTERPARTIES: max(0.0, missing - paid),  # what they forgo
        }
        return {party: loss / size + 0.0 for party, loss in lost.items()}  # no negative zero

    def work_out(self, size, closing, gap, fund):
        account = self.book(size, closing)
        pool = account[self.perp]
        line = pool.liquidation().below.price
        after = self.after(account, line, gap, fund)
        return {
            "account": account,
            "line": line,
            "bankruptcy": pool.bankruptcy().below.price,
            "price": line * (1 - gap / 100),
            "after": after,
            "events": after.events[len(account.events) :],
            "kept": sum(p.quantity for _, p in after.find(self.perp.symbol)),
            "whole": pool.positions[0].quantity,
            "loss": self.losses(account, after, size),
        }

    def sentence(self, reading):
        unit, fall = self.unit, 1 - reading["line"] / self.entry
        share = 1 - reading["kept"] / reading["whole"]
        said = f"{amount(reading['size'])} {unit} at {self.leverage:g}x reach their line at "
        said += f"{fmt(reading['line'])}, after a fall of {100 * fall:.1f} %"
        said += f"; the next price is {fmt(reading['price'])}. " if reading["gap"] else ". "
        if reading["kept"]:
            return f"{said}{100 * share:.0f} % of the position is closed, and the rest lives on."
        trader, fund, winners = (reading["loss"][party] * reading["size"] for party in PARTIES)
        parts = len([event for event in reading["events"] if event.kind == "partial liquidation"])
        said += "All of it is closed"
        if parts:
            said += f", the last of it after {parts} smaller {'part' if parts == 1 else 'parts'}"
        said += f". The trader loses {amount(trader)} {unit}"
        if fund < 0:
            return f"{said}; the fund gets the {amount(-fund)} that are left."
        missing = fund + winners
        if not missing:
            return f"{said}; nothing is missing."
        payers = {"the fund pays": fund, "winners on the other side forgo": winners}
        paid = [f"{who} {amount(part)}" for who, part in payers.items() if part > 1e-9 * missing]
        said += f", and {amount(missing)} are missing beyond the margin"
        return f"{said}: {', '.join(paid)}."

    def table(self, reading):
        lost = "lost so far" if reading["kept"] else "lost"
        names = {COUNTERPARTIES: "winners, by auto-deleveraging"}
        rows = []
        for party, loss in reading["loss"].items():
            share = f"{round(100 * loss, 2) + 0.0:.2f} %"
            rows.append([names.get(party, party), amount(loss * reading["size"]), share])
        return ["", f"{lost} ({self.unit})", "share of the position"], rows

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        labels = ("fall from entry (%)", "loss, % of the position")
        figure, panels = figures.blank("", labels, paper=paper, panels=PANELS)
        left, right = panels
        left.set_xlabel(f"size ({'million ' if self.scale > 1 else ''}{self.unit})")
        left.set_xlim(0, self.largest / self.scale)
        left.set_ylim(0, 120 / self.leverage)
        right.set_xlabel("gap below the line (%)")
        right.set_xlim(0, 20)
        right.set_ylim(-50 / self.leverage, max(22, 110 / self.leverage))
        sizes = np.linspace(self.largest / 200, self.largest, 200)
        count = sizes / self.entry / self.perp.face
        lines = liquidation_price(self.venue, self.perp, count, self.entry, sizes / self.leverage)
        curve = figures.curve(left, "liquidation", "liquidation")
        curve.set_data(sizes / self.scale, 100 * (1 - lines / self.entry))
        left.axhline(100 / self.leverage, label="bankruptcy", **figures.STYLES["bankruptcy"])
        floors = self.venue.schedule(self.perp).floors[1:]
        for n, floor in enumerate(floor for floor in floors if floor < self.largest):
            figures.upright(left, floor / self.scale, "entry", None if n else "tier floor")
        drawn = {"size": figures.curve(left, "price")}
        for party, style in PARTIES.items():
            label = {COUNTERPARTIES: "winners"}.get(party, style)
            drawn[party] = figures.curve(right, style, label)
            drawn[f"{party} now"] = figures.curve(right, "price")
        figures.legend(left, above=1.08, left=-0.2)
        figures.legend(right, above=1.08, left=-0.1)
        return (figures.Layers if paper else Beside)(figure, panels, drawn)

    @property
    def scale(self):
        """What amounts on an axis are divided by."""
        return 1e6 if self.largest >= 1e6 else 1.0

    def vessels(self, reading):
        """The pool behind the position, and the insurance fund, after the liquidation."""
        pool, after, had = reading["account"][self.perp], reading["after"], reading["fund"]
        margin, lost = pool.equity(), reading["loss"]
        rest = margin - lost[TRADER] * reading["size"]  # where the venue returns it
        rest = rest if rest > 1e-9 * margin else 0.0  # no rounding noise
        trader = Vessel("margin", self.unit, True, margin, rest, ended="the position is gone")
        if reading["kept"]:
            left = after[self.perp]
            about = margin, left.equity(), left.requirement()
            trader = Vessel("margin", self.unit, True, *about, open=True)
        fund = had - lost[FUND] * reading["size"]
        fund = fund if fund > 1e-9 * had else 0.0  # no rounding noise
        return [trader, Vessel("fund", self.unit, False, had, fund)]

    def draw(self, layers, reading):
        shown = self.vessels(reading)
        most = max(max(vessel.collateral, vessel.equity) for vessel in shown)
        steps = (m * 10.0**n for n in range(-9, 19) for m in (1.2, 2.4, 6))
        top = next(step for step in steps if step >= most)
        layers.show(shown, top)
        drawn, account, size = layers.drawn, reading["account"], reading["size"]
        line, fund = reading["line"], reading["fund"]
        drawn["size"].set_data([size / self.scale], [100 * (1 - line / self.entry)])
        asked = size, reading["closing"], fund
        if asked != self.ran[0]:  # the gap changes none of it
            spent = reading["bankruptcy"] - fund / (reading["whole"] * self.perp.face)
            corners = [100 * (1 - price / line) for price in (reading["bankruptcy"], spent)]
            points = 2 if reading["closing"] == WHOLE else 17  # straight between its corners
            gaps = np.union1d(np.linspace(0, 20, points), np.clip(corners, 0, 20))
            after = [self.after(account, line, gap, fund) for gap in gaps]
            self.ran = asked, (gaps, [self.losses(account, one, size) for one in after])
        gaps, rows = self.ran[1]
        every = np.union1d(gaps, reading["gap"])
        for party in PARTIES:
            losses = np.interp(every, gaps, [100 * row[party] for row in rows])
            losses[every == reading["gap"]] = now = 100 * reading["loss"][party]
            drawn[party].set_data(every, losses)
            drawn[f"{party} now"].set_data([reading["gap"]], [now])
        return top
