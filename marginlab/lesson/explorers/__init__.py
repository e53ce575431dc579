"""The what-if explorers, one for each lesson."""

from .cross import CrossMargin
from .isolated import IsolatedMargin

__all__ = ["CrossMargin", "IsolatedMargin"]
