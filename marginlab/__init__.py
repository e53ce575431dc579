"""marginlab: who pays when a trade goes wrong? The arithmetic behind the course on margin modes."""

from dataclasses import replace

from .model import deleveraging, funding, venues
from .model.account import Account, Event
from .model.assets import Asset, Interest
from .model.instruments import Perpetual, Position, Spot
from .model.liquidation import Crossing, Crossings
from .model.many import liquidation_price
from .model.pool import Pool
from .model.process import Liquidation
from .model.rates import Funding
from .model.stepping import steps
from .model.tables import compare, schedule, surface
from .model.tiers import Tiers
from .model.venue import Venue

__version__ = "0.1.0"
__all__ = [
    "Account",
    "Asset",
    "Crossing",
    "Crossings",
    "Event",
    "Funding",
    "Interest",
    "Liquidation",
    "Perpetual",
    "Pool",
    "Position",
    "Spot",
    "Tiers",
    "Venue",
    "compare",
    "deleveraging",
    "funding",
    "liquidation_price",
    "replace",
    "schedule",
    "steps",
    "surface",
    "venues",
]
