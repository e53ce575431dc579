"""Markets: paths of prices, what survives them, crowds of positions, and recorded history."""

from .cascade import cascade
from .outcomes import outcomes
from .passage import first_passage
from .paths import (
    Bootstrap,
    Brownian,
    Clustered,
    Given,
    Jumps,
    Paths,
    flash_crash,
    ramp,
    replay,
    shock,
)
from .survival import Survival, survival

__all__ = [
    "Bootstrap",
    "Brownian",
    "Clustered",
    "Given",
    "Jumps",
    "Paths",
    "Survival",
    "cascade",
    "first_passage",
    "flash_crash",
    "outcomes",
    "ramp",
    "replay",
    "shock",
    "survival",
]
