"""Lesson 03: a trade that is held while funding is paid, isolated and cross, at an unchanged price."""

import numpy as np

from ... import Account, Funding, Perpetual, Venue, funding, liquidation_price, venues
from ... import checks
from ...show import fmt
from .. import figures
from .base import Explorer

MODES = ("isolated", "cross")
PANELS = ("equity", "liquidation price; dotted: the price")


class FundingRates(Explorer):
    """The same trade and the same payments in both modes: what is left, and where the liquidation price goes.

    Parameters
    ----------
    instrument : Perpetual, optional
        What is traded; the inverse BTC-USD contract of 100 USD if absent.
    venue : Venue
        By whose rules: funding charged to the position; single-currency, if the contract is inverse.
    entry : float
        Price at which it is bought or sold, and which does not move, quote currency.
    balance : float
        What the account holds, in the settlement currency.
    size : float, optional
        Notional of the trade at entry, in the settlement currency; five times the balance if absent.

    `reading` holds "isolated" and "cross", each a dict of figures (see `column`), the amount of "each" payment, how
    many "payments" there are in the time, the rate of a "year", and the "sentence".
    """

    title = "Funding: the same payments, two modes"
    limits = (
        "Left out: any move of the price or of the rate, trading fees, partial liquidation. Fees bring the end nearer, "
        "and so does a price that moves against the trade; one in its favour puts it off. Real rates change each time, "
        "and seldom stay high for weeks; most venues cap them. Some charge what is free in the account first: then the "
        "isolated margin lasts longer, and the account pays. Days count from a payment; liquidation prices beyond six "
        "times the price are not drawn."
    )
    marked = "closed after"
    height = "43rem"

    def __init__(self, instrument=None, venue=venues.TEACHING, entry=50_000.0, balance=10.0, size=None):
        self.instrument = instrument or Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
        if not isinstance(self.instrument, Perpetual) or not isinstance(venue, Venue):
            raise TypeError(f"instrument must be a Perpetual and venue a Venue, not {instrument!r} and {venue!r}")
        if self.instrument.inverse:  # a multi-currency account counts its coins in USD
            checks.one_of("account_mode", venue.account_mode, ("single-currency",))
        if venue.funding.charged_to != "position":
            raise ValueError("venue must charge funding to the position: what the account pays first is not drawn here")
        self.venue, self.entry = venue, checks.number("entry", entry, above=0)
        self.balance = checks.number("balance", balance, above=0)
        self.size = 5 * self.balance if size is None else checks.number("size", size, above=0)
        self.least = max(1, int(np.ceil(self.size / self.balance)))  # leverage: the whole balance as margin
        trade = {"leverage": 2.0 * self.least, "side": 1, "rate": 0.1, "interval": 8, "days": 40.0}
        self.presets = {
            "0.1 % every eight hours": trade,
            "a quiet market: 0.01 %": trade | {"rate": 0.01, "days": 90.0},
            "five times the leverage: 0.01 %": trade | {"leverage": 10.0 * self.least, "rate": 0.01, "days": 60.0},
            "a short at 13 March 2020's -0.375 %": trade | {"side": -1, "rate": -0.375, "days": 14.0},
            "a short at LPT's -2,000 % a year": trade | {"side": -1, "rate": -1.826, "days": 4.0},
            "a short that receives 0.05 %": trade | {"side": -1, "rate": 0.05, "days": 30.0},
        }
        super().__init__()

    def make_controls(self):
        hours = {f"{hours} h": hours for hours in (1, 4, 8)}
        return [
            self.slider(
                "leverage",
                "Leverage, isolated (x)",
                self.least,
                20 * self.least,
                1,
                "Sets the margin that is walled off",
            ),
            self.choice("side", "Side", {"Long": 1, "Short": -1}, ["pays a positive rate", "pays a negative rate"]),
            self.slider(
                "rate", "Rate of each payment (%)", -2, 2, 0.005, "Above 0 longs pay shorts, below 0 shorts pay"
            ),
            self.choice("interval", "Paid every", hours, [f"{24 // h} times a day" for h in hours.values()]),
            self.slider("days", "Time held (days)", 1, 90, 1, "At an unchanged price"),
        ]

    # ---------------------------------------------------------------- reading

    def read(self, leverage, side, rate, interval, days):
        contract, count = self.instrument, int(days * 24 // interval)
        contracts = side * self.size / abs(contract.notional(1.0, self.entry))
        start = Account(self.venue, **{contract.settle: self.balance}).mark(**{contract.index: self.entry})
        reading = {
            "each": side * self.size * rate / 100,
            "payments": count,
            "year": Funding(interval=interval).annual(rate / 100),
        }
        for mode, how in (("isolated", {"isolated": True, "leverage": leverage}), ("cross", {})):
            reading[mode] = self.column(start, contracts, rate / 100, count, interval, how)
        reading["axes"] = days, contracts
        reading["sentence"] = self.sentence(leverage, side, rate, interval, days, reading)
        reading["table"] = self.table(days, reading)
        return reading

    def column(self, start, contracts, rate, count, interval, how):
        """The figures of the trade in one mode: a dict, whose "refused" says why it could not be opened."""
        try:
            account = start.trade(self.instrument, contracts, self.entry, **how)
        except ValueError as error:
            return {"refused": str(error), "closed": None}
        pool = account[self.instrument]
        left = funding.payments_left(pool, rate)
        paid = min(count, left)
        after = account.pay_funding(self.instrument, rate, periods=paid).at()
        gone = after.liquidations
        return {
            "refused": "",
            "pool": pool,
            "behind": pool.equity(),
            "count": paid,
            "paid": paid * funding.due(pool, rate),
            "closed": left * interval / 24 if gone else None,  # the day
            "left": left,
            "end": paid * interval / 24,
            "equity": 0.0 if gone else after[self.instrument].equity(),
            "liquidation": self.found(pool),
            "now": None if gone else self.found(after[self.instrument]),
            "lost": gone[0].lost if gone else 0.0,
            "short": gone[0].shortfall if gone else 0.0,
            "account": sum(p.equity() for p in after.pools),
        }

    def found(self, pool):
        """The liquidation price of a pool, 0 if there is none."""
        crossings = pool.liquidation()
        return crossings.below.price or crossings.above.price or 0.0

    def sentence(self, leverage, side, rate, interval, days, reading):
        if refused := [f"{mode}: {reading[mode]['refused']}" for mode in MODES if reading[mode]["refused"]]:
            return f"The venue would not open this trade, {'; '.join(refused)}."
        unit, each, margin = self.instrument.settle, reading["each"], reading["isolated"]["behind"]
        said = "The rate is 0: nobody pays. "
        if each:
            who = f"The {'long' if side > 0 else 'short'} {'pays' if each > 0 else 'receives'} {fmt(abs(each))} {unit}"
            often = "every hour" if interval == 1 else f"every {interval:g} hours"
            year = f"{fmt(abs(reading['year']) * 100)} % a year"
            said = f"{who} {often}: {abs(rate):.4g} % of its {fmt(self.size)} {unit} ({year}), "
            said += f"{abs(each) / margin * 100:.3g} % of its isolated margin of {fmt(margin)}. "
        ends = []
        for mode in MODES:
            column = reading[mode]
            if column["closed"] is not None:
                ends.append(f"{mode}, it is closed after {when(column)}")
                continue
            first, now = column["liquidation"], column["now"]
            line = f"its liquidation price gone from {quoted(first)} to {quoted(now)}"
            if first == now:
                line = f"its liquidation price {quoted(now)}" if now else "and no price liquidates it"
            ends.append(f"{mode}, it is open after {days:.3g} days, {line}")
        return f"{said}With the price unchanged: {'; '.join(ends)}."

    def table(self, days, reading):
        unit, columns = self.instrument.settle, [reading[mode] for mode in MODES]
        if any(column["refused"] for column in columns):
            return ["", *MODES], [["opened", *("no" if column["refused"] else "yes" for column in columns)]]

        def row(name, cell):
            return [name, *map(cell, columns)]

        def money(name):
            return lambda column: f"{fmt(column[name])} {unit}"

        def received(column):
            sign = "-" if column["paid"] > 0 else "+" if column["paid"] else ""
            return f"{sign}{fmt(abs(column['paid']))} {unit}"

        def taken(column):
            missing = f"; {fmt(column['short'])} missing" if column["short"] else ""
            return f"{fmt(column['lost'])} {unit}{missing}" if column["closed"] is not None else ""

        rows = [
            row("stands behind it", money("behind")),
            row(f"funding in {days:.3g} days", received),
            row("equity at the end", money("equity")),
            row("liquidation takes", taken),
            row("the whole account", money("account")),
            row("liquidation price", lambda c: f"{quoted(c['liquidation'])}, then {quoted(c['now'])}"),
            row("closed after", lambda c: "no" if c["closed"] is None else when(c)),
        ]
        return ["", *MODES], rows

    # ---------------------------------------------------------------- picture

    def make_picture(self, paper=False):
        units = (self.instrument.settle, "USD")
        figure, (left, right) = figures.blank("days", units, paper=paper, panels=PANELS)
        drawn = {}
        for mode, suffix in zip(MODES, ("", ", cross"), strict=True):
            for axes, name in ((left, f"equity{suffix}"), (right, f"liquidation{suffix}")):
                (drawn[name],) = axes.plot([], [], label=mode, **figures.STYLES[name])
        (drawn["requirement"],) = left.plot([], [], label="requirement", **figures.STYLES["requirement"])
        right.axhline(self.entry, **figures.STYLES["entry"])
        (drawn["closed"],) = right.plot([], [], label="closed", **figures.STYLES["closed"])
        for axes in (left, right):
            figures.legend(axes, above=1.1, left=-0.12)
        return figures.Layers(figure, (left, right), drawn)

    def draw(self, layers, reading):
        drawn, (left, right) = layers.drawn, layers.axes
        days, contracts = reading["axes"]
        top, prices = self.balance, [self.entry]
        for mode, suffix in zip(MODES, ("", ", cross"), strict=True):
            x = equity = line = np.array([])
            column = reading[mode]
            if not column["refused"]:
                k = np.unique(np.linspace(0, column["count"], 61).round())
                x, equity = k * column["end"] / column["count"], column["behind"] - k * reading["each"]
                margin = np.maximum(equity, 1e-12 * self.balance)
                leverage = column["pool"].positions[0].leverage
                line = liquidation_price(self.venue, self.instrument, contracts, self.entry, margin, leverage=leverage)
                line, top = np.where(np.isfinite(line), line, np.nan), max(top, equity.max())
                prices += [p for p in line if 0 < p < 6 * self.entry]
                if column["closed"] is not None:
                    x, equity, line = np.append(x, x[-1]), np.append(equity, 0.0), np.append(line, np.nan)
            drawn[f"equity{suffix}"].set_data(x, equity)
            drawn[f"liquidation{suffix}"].set_data(x, line)
        pool = reading["isolated"].get("pool")
        drawn["requirement"].set_data([0, days], [pool.requirement()] * 2 if pool else [np.nan, np.nan])
        days_closed = [d for mode in MODES if (d := reading[mode]["closed"]) is not None]
        drawn["closed"].set_data(days_closed, [self.entry] * len(days_closed))
        width = next(edge for edge in (2, 4, 8, 16, 32, 64, 96) if edge >= days)
        scale = next(m * 10.0**n for n in range(-9, 19) for m in (1.2, 2.4, 6) if m * 10.0**n >= top)
        low = 0.6 if min(prices) >= 0.6 * self.entry else 0.0
        high = next(edge for edge in (1.5, 3, 6) if edge * self.entry >= max(prices))
        for axes in (left, right):
            axes.set_xlim(0, width)
        left.set_ylim(-0.05 * scale, scale)
        right.set_ylim(low * self.entry, high * self.entry)
        return width, scale, low, high


def quoted(price):
    """A liquidation price in words: None if the pool was closed, 0 if there is no such price."""
    return "closed" if price is None else fmt(price) if price else "none"


def when(column):
    """How long a trade lasted, in words."""
    return f"{column['left']} payment{'s' if column['left'] != 1 else ''}, {column['closed']:.3g} days"
