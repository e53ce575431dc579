"""The what-if explorers, one for each lesson."""

from .isolated import IsolatedMargin

__all__ = ["IsolatedMargin"]
