"""What lessons and problem sets are made of.

A name is imported when it is asked for: graders need no pictures.
"""

from importlib import import_module

_WHERE = {
    "course": ["Claims", "Contents"],
    "cross": ["CrossMargin"],
    "decisions": ["Decision", "Votes"],
    "exercises": ["Exercise", "Prediction", "Quiz", "Reflection", "Search", "Task"],
    "first": ["FirstTrade"],
    "funding": ["FundingRates"],
    "isolated": ["IsolatedMargin"],
    "liquidation": ["LiquidationSteps"],
    "mixed": ["MixedModes"],
    "modes": ["ModeSurface"],
    "personal": ["Personal"],
    "pictures": ["bars", "flow"],
    "questions": ["exercise"],
    "sheet": ["Vessels", "vessels"],
    "squeeze": ["Squeeze"],
    "summary": ["HandIn"],
    "unified": ["UnifiedAccount", "scan_map", "square"],
    "vessel": ["Vessel", "reading"],
}
__all__ = sorted(name for names in _WHERE.values() for name in names)


def __getattr__(name):
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
