"""The start page: one slider, and a first liquidation."""

from .. import venues
from ..show import fmt
from .explorer import LINEAR
from .isolated import IsolatedMargin


class FirstTrade(IsolatedMargin):
    """10,000 USDT of bitcoin, bought on 1,000 USDT of margin out of 2,000: only the price moves.

    Where the trade ends is not drawn: it is to be found. `reading` is that of `IsolatedMargin`.
    """

    title = "A first trade: 10,000 USDT of bitcoin, on 1,000 USDT of margin"
    folded = False
    height = "24rem"
    words = (("move", "Price move (%)", "Of bitcoin, from 50,000 USD"),)

    def __init__(self):
        super().__init__(LINEAR, venues.TEACHING, balance=2_000.0)

    def reach(self):
        return {"move": (-25, 25, 0.1)}

    @property
    def presets(self):
        falls = {"at the start": 0.0, "a fall of 5 %": -5.0, "a fall of 12 %": -12.0}
        return {name: {"move": move} for name, move in falls.items()}

    def work_out(self, move):
        return super().work_out(size=10_000.0, margin=1_000.0, side=1, move=move)

    def sentence(self, reading):
        pnl, isolated = reading["pnl"], reading["isolated"]
        turn = f"{'gained' if pnl > 0 else 'lost'} {fmt(abs(pnl))} USDT"
        said = f"Bitcoin is at {fmt(reading['price'])} USD, a move of {reading['move']:+.1f} %. "
        said += f"The trade has {turn if pnl else 'gained and lost nothing'}"
        if not isolated["closed"]:
            equity = f"its equity, {fmt(isolated['equity'])} USDT"
            return f"{said}. It is open: {equity}, is more than the venue requires."
        rest = f"the 1,000 are gone, and {fmt(isolated['account'])} USDT are left."
        if reading["cross"]["closed"]:
            rest += " With all 2,000 USDT behind it, it has been closed as well."
        return f"{said}. With 1,000 USDT behind it, it has been closed by force: {rest}"

    def table(self, reading):
        columns = [reading["isolated"], reading["cross"]]
        head = ["", *(f"{fmt(column['behind'])} USDT behind it" for column in columns)]
        trade = ["closed by force" if column["closed"] else "open" for column in columns]
        left = [f"{fmt(column['account'])} USDT" for column in columns]
        return head, [["the trade is", *trade], ["left in the account", *left]]

    def make_picture(self, paper=False):
        layers = super().make_picture(paper)
        layers.axes.set_xlim(0.74 * self.entry, 1.26 * self.entry)
        layers.axes.set_ylim(-0.1 * self.balance, 1.6 * self.balance)
        return layers

    def draw_end(self, line, label, side):
        pass  # it is to be found
