"""The start page: one slider, and a first liquidation."""

import math

from ... import Perpetual, venues
from ...show import fmt
from .isolated import LINES, IsolatedMargin


class FirstTrade(IsolatedMargin):
    """10,000 USDT of bitcoin, bought on 1,000 USDT of margin out of 2,000: only the price moves.

    Where the trade ends is not drawn: it is to be found. `reading` is that of `IsolatedMargin`.
    """

    title = "A first trade: 10,000 USDT of bitcoin, on 1,000 USDT of margin"
    height = "34rem"

    def __init__(self):
        super().__init__(Perpetual("BTC-USDT", index="BTC", settle="USDT"), venues.TEACHING, balance=2_000.0)

    def make_presets(self):
        return {"at the start": {"move": 0.0}, "a fall of 5 %": {"move": -5.0}, "a fall of 12 %": {"move": -12.0}}

    def make_controls(self):
        return [self.slider("move", "Price move (%)", -25, 25, 0.1, "Of bitcoin, from 50,000 USD")]

    def read(self, move):
        return super().read(size=10_000.0, margin=1_000.0, side=1, move=move)

    def sentence(self, move, price, pnl, isolated, cross):
        turn = f"has {'gained' if pnl > 0 else 'lost'} {fmt(abs(pnl))} USDT" if pnl else "has gained and lost nothing"
        said = f"Bitcoin is at {fmt(price)} USD, a move of {move:+.1f} %. The trade {turn}"
        if not isolated["closed"]:
            return f"{said}. It is open: its equity, {fmt(isolated['equity'])} USDT, is more than the venue requires."
        rest = f"{fmt(isolated['account'])} USDT are left"
        both = "" if not cross["closed"] else " With all 2,000 USDT behind it, it has been closed as well."
        return f"{said}. With 1,000 USDT behind it, it has been closed by force: they are gone, and {rest}.{both}"

    def table(self, price, *columns):
        head = ["", *(f"{fmt(column['behind'])} USDT behind it" for column in columns)]
        rows = [
            ["the trade is", *("closed by force" if column["closed"] else "open" for column in columns)],
            ["left in the account", *(f"{fmt(column['account'])} USDT" for column in columns)],
        ]
        return head, rows

    def make_picture(self, paper=False):
        layers = super().make_picture(paper)
        layers.axes.set_xlim(0.74 * self.entry, 1.26 * self.entry)
        layers.axes.set_ylim(-0.1 * self.balance, 1.6 * self.balance)
        return layers

    def draw(self, layers, reading):
        key = super().draw(layers, reading)
        for name in LINES:
            layers.drawn[name].set_xdata([math.nan, math.nan])
            layers.drawn[f"{name} label"].set_text("")
        return key
