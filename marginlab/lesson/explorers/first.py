"""The start page: one slider, and a first liquidation."""

from ... import Perpetual, venues
from ...model.display import fmt
from .isolated import IsolatedMargin, crossing


class FirstTrade(IsolatedMargin):
    """10,000 USDT of bitcoin, bought on 1,000 USDT of margin out of 2,000: only the price moves.

    `reading` is that of `IsolatedMargin`.
    """

    title = "A first trade: 10,000 USDT of bitcoin, on 1,000 USDT of margin"
    height = "35rem"

    def __init__(self):
        super().__init__(Perpetual("BTC-USDT", index="BTC", settle="USDT"), venues.TEACHING, balance=2_000.0)

    def make_presets(self):
        return {"at the start": {"move": 0.0}, "a fall of 5 %": {"move": -5.0}, "a fall of 12 %": {"move": -12.0}}

    def make_controls(self):
        return [self.slider("move", "Price move (%)", -20, 20, 0.1, "Of bitcoin, from 50,000 USD")]

    def read(self, move):
        return super().read(size=10_000.0, margin=1_000.0, side=1, move=move)

    def table(self, price, *columns):
        head = ["", *(f"{fmt(column['behind'])} USDT behind it" for column in columns)]
        rows = [
            ["closed by force at", *(crossing(column["liquidation"]) for column in columns)],
            ["now", *("closed" if column["closed"] else "open" for column in columns)],
            ["left in the account", *(f"{fmt(column['account'])} USDT" for column in columns)],
        ]
        return head, rows

    def make_picture(self, paper=False):
        layers = super().make_picture(paper)
        layers.axes.set_xlim(0.75 * self.entry, 1.25 * self.entry)
        layers.axes.set_ylim(-0.1 * self.balance, 1.6 * self.balance)
        return layers
