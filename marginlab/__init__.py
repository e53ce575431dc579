"""marginlab: who pays when a trade goes wrong? The arithmetic behind the course on margin modes."""

from .model import venues
from .model.account import Account, Event
from .model.instruments import Perpetual, Position
from .model.liquidation import Crossing, Crossings
from .model.many import liquidation_price
from .model.pool import Pool
from .model.tables import compare
from .model.tiers import Tiers
from .model.venues import Venue

__version__ = "0.1.0"
__all__ = [
    "Account",
    "Crossing",
    "Crossings",
    "Event",
    "Perpetual",
    "Pool",
    "Position",
    "Tiers",
    "Venue",
    "compare",
    "liquidation_price",
    "venues",
]
