"""The what-if explorers, one for each lesson."""

from .cross import CrossMargin
from .first import FirstTrade
from .funding import FundingRates
from .isolated import IsolatedMargin
from .liquidation import LiquidationSteps
from .modes import ModeSurface
from .squeeze import Squeeze

__all__ = ["CrossMargin", "FirstTrade", "FundingRates", "IsolatedMargin", "LiquidationSteps", "ModeSurface", "Squeeze"]
