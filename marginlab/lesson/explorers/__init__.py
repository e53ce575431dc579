"""The what-if explorers, one for each lesson."""

from .cross import CrossMargin
from .funding import FundingRates
from .isolated import IsolatedMargin
from .liquidation import LiquidationSteps

__all__ = ["CrossMargin", "FundingRates", "IsolatedMargin", "LiquidationSteps"]
