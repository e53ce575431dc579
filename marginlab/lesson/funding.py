"""Lesson 03: a trade held while funding is paid, isolated and cross, at an unchanged price."""

from math import ceil

import numpy as np

from .. import Account, Funding, checks, funding, liquidation_price, venues
from ..show import fmt
from . import figures
from .explorer import INVERSE, OPENED, SIDES, Explorer, contract, opened, rows
from .sheet import Beside
from .vessel import Vessel

MODES = {"isolated": "", "cross": ", cross"}  # and what its styles are called
PANELS = ("equity", "liquidation price; dotted: the price")


class FundingRates(Explorer):
    """The same trade and payments in both modes: what is left, where the liquidation price goes.

    `entry` is in quote currency; the price does not move. `balance` is what the account holds, and
    `size` the notional of the trade, five times that if absent, in the settlement currency.
    `reading` holds "isolated" and "cross", each a dict of figures (see `column`), the amount of
    "each" payment, how many "payments" there are in the time, and the rate of a "year".
    """

    title = "Funding: the same payments, two modes"
    limits = (
        "Left out: any move of the price or of the rate, trading fees, partial liquidation. Fees "
        "bring the end nearer, and so does a price that moves against the trade; one in its favour "
        "puts it off. Real rates change each time, and seldom stay high for weeks; most venues cap "
        "them. Some charge what is free in the account first: then the isolated margin lasts "
        "longer, and the account pays. Days count from a payment; liquidation prices beyond six "
        "times the price are not drawn."
    )
    marked = "closed after"
    folded = True
    words = (
        ("leverage", "Leverage, isolated (x)", "Sets the margin that is walled off"),
        ("side", "Side", "pays a positive rate", "pays a negative rate"),
        ("rate", "Rate of each payment (%)", "Above 0 longs pay shorts, below 0 shorts pay"),
        ("interval", "Paid every", "24 times a day", "6 times a day", "3 times a day"),
        ("days", "Time held (days)", "At an unchanged price"),
    )
    venue = venues.TEACHING

    def __init__(self, instrument=INVERSE, entry=50_000.0, balance=10.0, size=None):
        self.instrument = contract(instrument, self.venue)
        self.unit = instrument.settle
        self.entry = checks.number("entry", entry, above=0)
        self.balance = checks.number("balance", balance, above=0)
        self.size = 5 * balance if size is None else checks.number("size", size, above=0)
        self.start = Account(self.venue, **{self.unit: balance}).mark(**{instrument.index: entry})
        self.least = max(1, ceil(self.size / balance))  # leverage: the whole balance as margin
        self.ran = None, None
        super().__init__()

    def reach(self):
        leverage, hours = (self.least, 20 * self.least, 1), {"1 h": 1, "4 h": 4, "8 h": 8}
        reach = {"leverage": leverage, "side": SIDES, "rate": (-2, 2, 0.005)}
        return reach | {"interval": hours, "days": (1, 90, 1)}

    @property
    def presets(self):
        held = {"leverage": 2.0 * self.least, "side": 1, "rate": 0.1, "interval": 8, "days": 40.0}
        more, short = held | {"leverage": 10.0 * self.least}, held | {"side": -1}
        return {
            "0.1 % every 8 hours": held,
            "a quiet market: 0.01 %": held | {"rate": 0.01, "days": 90.0},
            "five times the leverage: 0.01 %": more | {"rate": 0.01, "days": 60.0},
            "a short at 13 March 2020's -0.375 %": short | {"rate": -0.375, "days": 14.0},
            "a short at LPT's -2,000 % a year": short | {"rate": -1.826, "days": 4.0},
            "a short that receives 0.05 %": short | {"rate": 0.05, "days": 30.0},
        }

    # ---------------------------------------------------------------- reading

    def work_out(self, leverage, side, rate, interval, days):
        contracts = side * self.size / abs(self.instrument.notional(1.0, self.entry))
        payments = int(days * 24 // interval)
        found = {
            "each": side * self.size * rate / 100,
            "payments": payments,
            "year": Funding(interval=interval).annual(rate / 100),
            "contracts": contracts,
        }
        asked = leverage, contracts, rate
        if asked != self.ran[0]:
            modes = {"isolated": {"isolated": True, "leverage": leverage}, "cross": {}}
            begun = {mode: self.begun(contracts, rate / 100, **how) for mode, how in modes.items()}
            self.ran = asked, begun
        return found | {
            mode: self.column(begun, contracts, rate / 100, payments)
            for mode, begun in self.ran[1].items()
        }

    def begun(self, contracts, rate, **how):
        """What time does not change of the trade in one mode: "refused" is why it is not opened."""
        account, why = opened(self.start.trade, self.instrument, contracts, self.entry, **how)
        if why:
            return {"refused": why, "closed": None}
        pool = account[self.instrument]
        side = "below" if contracts > 0 else "above"  # where alone it can end
        return {
            "refused": "",
            "start": account,
            "pool": pool,
            "behind": pool.equity(),
            "left": funding.payments_left(pool, rate),
            "liquidation": getattr(pool.liquidation(), side),
        }

    def column(self, begun, contracts, rate, payments):
        """The figures of the trade in one mode after so many payments."""
        if begun["refused"]:
            return begun
        count = min(payments, begun["left"])
        after = begun["start"].pay_funding(self.instrument, rate, periods=count).at()
        closed = next(iter(after.liquidations), None)
        now = None if closed else after[self.instrument]
        side = "below" if contracts > 0 else "above"
        return begun | {
            "count": count,
            "paid": count * funding.due(begun["pool"], rate),
            "closed": closed,
            "equity": now.equity() if now else 0.0,
            "now": getattr(now.liquidation(), side) if now else None,
            "account": sum(p.equity() for p in after.pools),
        }

    def sentence(self, reading):
        columns = {mode: reading[mode] for mode in MODES}
        refused = [f"{mode}: {c['refused']}" for mode, c in columns.items() if c["refused"]]
        if refused:
            return f"The venue would not open this trade, {'; '.join(refused)}."
        unit, each, interval = self.unit, reading["each"], reading["interval"]
        margin = reading["isolated"]["behind"]
        said = "The rate is 0: nobody pays. "
        if each:
            who = "long" if reading["side"] > 0 else "short"
            often = "hour" if interval == 1 else f"{interval:g} hours"
            said = f"The {who} {'pays' if each > 0 else 'receives'} {fmt(abs(each))} {unit} every "
            said += f"{often}: {abs(reading['rate']):.4g} % of its {fmt(self.size)} {unit} "
            said += f"({fmt(abs(reading['year']) * 100)} % a year), "
            said += f"{abs(each) / margin * 100:.3g} % of its isolated margin of {fmt(margin)}. "
        ends = [f"{mode}, {self.end(column, reading)}" for mode, column in columns.items()]
        return f"{said}With the price unchanged: {'; '.join(ends)}."

    def end(self, column, reading):
        """How a trade ended, in words."""
        if column["closed"]:
            return f"it is closed after {lasted(column, reading)}"
        first, now = column["liquidation"], column["now"]
        line = f"its liquidation price gone from {first.said} to {now.said}"
        if first.price == now.price:
            line = f"its liquidation price {now.said}"
            line = "and no price liquidates it" if now.price is None else line
        return f"it is open after {reading['days']:.3g} days, {line}"

    def table(self, reading):
        columns = [reading[mode] for mode in MODES]

        def money(name):
            return lambda column: f"{fmt(column[name])} {self.unit}"

        def received(column):
            paid = column["paid"]
            sign = "-" if paid > 0 else "+"
            return f"{sign if paid else ''}{fmt(abs(paid))} {self.unit}"

        def taken(column):
            if not (closed := column["closed"]):
                return ""
            missing = f"; {fmt(closed.shortfall)} missing" if closed.shortfall else ""
            return f"{fmt(closed.lost)} {self.unit}{missing}"

        def ends(column):
            now = "closed" if column["closed"] else column["now"].said
            return f"{column['liquidation'].said}, then {now}"

        head = ["", *MODES]
        if any(column["refused"] for column in columns):
            return head, rows(columns, OPENED)
        cells = {
            "stands behind it": money("behind"),
            f"funding in {reading['days']:.3g} days": received,
            "equity at the end": money("equity"),
            "liquidation takes": taken,
            "the whole account": money("account"),
            "liquidation price": ends,
            self.marked: lambda c: lasted(c, reading) if c["closed"] else "no",
        }
        return head, rows(columns, cells)

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        units = (self.unit, "USD")
        figure, (left, right) = figures.blank("days", units, paper=paper, panels=PANELS)
        drawn = {}
        for mode, suffix in MODES.items():
            for axes, name in ((left, f"equity{suffix}"), (right, f"liquidation{suffix}")):
                drawn[name] = figures.curve(axes, name, mode)
        drawn["requirement"] = figures.curve(left, "requirement", "requirement")
        right.axhline(self.entry, **figures.STYLES["entry"])
        drawn["closed"] = figures.curve(right, "closed", "closed")
        for axes in (left, right):
            figures.legend(axes, above=1.1, left=-0.12)
        return (figures.Layers if paper else Beside)(figure, (left, right), drawn)

    def vessel(self, mode, column):
        """The pool of a mode: what stood behind the trade, less (or with) what funding moved."""
        isolated = mode == "isolated"
        if column["refused"]:
            return Vessel(mode, self.unit, isolated, 0.0, 0.0)
        about = mode, self.unit, isolated, column["behind"]
        if closed := column["closed"]:
            taken = f"{fmt(column['paid'])} {self.unit} paid in funding, {fmt(closed.lost)} lost"
            return Vessel(*about, 0.0, ended=f"{taken} at its line")
        needed = column["pool"].requirement()
        return Vessel(*about, column["equity"], needed, open=True)

    def draw(self, layers, reading):
        drawn = layers.drawn
        top, low, high = self.balance, self.entry, self.entry
        closed = []
        for mode, suffix in MODES.items():
            drawn[f"equity{suffix}"].set_data([], [])
            drawn[f"liquidation{suffix}"].set_data([], [])
            if reading[mode]["refused"]:
                continue
            days, equity, line = self.lines(reading[mode], reading)
            drawn[f"equity{suffix}"].set_data(days, equity)
            drawn[f"liquidation{suffix}"].set_data(days, line)
            closed += [days[-1]] if reading[mode]["closed"] else []
            top = max(top, equity.max())
            seen = [price for price in line if 0 < price < 6 * self.entry]
            low = min(low, *seen, self.entry)
            high = max(high, *seen, self.entry)
        drawn["closed"].set_data(closed, [self.entry] * len(closed))
        drawn["requirement"].set_data([], [])
        if not reading["isolated"]["refused"]:
            needed = reading["isolated"]["pool"].requirement()
            drawn["requirement"].set_data([0, reading["days"]], [needed] * 2)
        width = next(edge for edge in (2, 4, 8, 16, 32, 64, 96) if edge >= reading["days"])
        steps = (m * 10.0**n for n in range(-9, 19) for m in (1.2, 2.4, 6))
        scale = next(edge for edge in steps if edge >= top)
        bottom = 0.6 * self.entry if low >= 0.6 * self.entry else 0.0
        roof = next(edge for edge in (1.5, 3, 6) if edge * self.entry >= high) * self.entry
        layers.show([self.vessel(mode, reading[mode]) for mode in MODES], scale)
        left, right = layers.axes
        for axes in (left, right):
            axes.set_xlim(0, width)
        left.set_ylim(-0.05 * scale, scale)
        right.set_ylim(bottom, roof)
        return width, scale, bottom, roof

    def lines(self, column, reading):
        """(days, equity, liquidation price) at some of the payments, arrays; NaN: there is none."""
        paid = np.unique(np.linspace(0, column["count"], 61).round())
        days = paid * reading["interval"] / 24
        equity = column["behind"] - paid * reading["each"]
        margin = np.maximum(equity, 1e-12 * self.balance)
        about = (self.venue, self.instrument, reading["contracts"], self.entry)
        line = liquidation_price(*about, margin)
        if column["closed"]:
            days = np.append(days, days[-1])
            equity = np.append(equity, 0.0)
            line = np.append(line, np.nan)
        return days, equity, line


def lasted(column, reading):
    """How long a trade lasted, in words."""
    left, days = column["left"], column["left"] * reading["interval"] / 24
    return f"{left} payment{'s' if left != 1 else ''}, {days:.3g} days"
