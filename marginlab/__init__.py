"""marginlab: who pays when a trade goes wrong? The arithmetic behind the course on margin modes."""

from attrs import evolve as replace

from . import deleveraging, funding, liquidation, venues
from .account import Account
from .contracts import Future, Option, Perpetual, Position, Spot, black, forward, greeks
from .crossing import Crossing, Crossings
from .ledger import Event
from .liquidation import (
    cancel_orders,
    close_all,
    close_each,
    close_share,
    repay_debts,
    step_down,
    take_over,
)
from .many import liquidation_price
from .pool import Pool
from .reported import from_ccxt
from .rules import (
    Asset,
    Delivery,
    Funding,
    Interest,
    Liquidation,
    OptionMargin,
    Refused,
    Scan,
    Switching,
    Tiers,
    TopUp,
    Venue,
    Withdrawal,
)
from .whatif import compare, schedule, steps, surface

__version__ = "0.1.0"
__all__ = [
    "Account",
    "Asset",
    "Crossing",
    "Crossings",
    "Delivery",
    "Event",
    "Funding",
    "Future",
    "Interest",
    "Liquidation",
    "Option",
    "OptionMargin",
    "Perpetual",
    "Pool",
    "Position",
    "Refused",
    "Scan",
    "Spot",
    "Switching",
    "Tiers",
    "TopUp",
    "Venue",
    "Withdrawal",
    "black",
    "cancel_orders",
    "close_all",
    "close_each",
    "close_share",
    "compare",
    "deleveraging",
    "forward",
    "from_ccxt",
    "funding",
    "greeks",
    "liquidation",
    "liquidation_price",
    "repay_debts",
    "replace",
    "schedule",
    "step_down",
    "steps",
    "surface",
    "take_over",
    "venues",
]
