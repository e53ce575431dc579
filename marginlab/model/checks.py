"""Bad input is refused at the door: each message names the argument, the value and what is allowed."""

import math
from numbers import Real

import numpy as np


def number(name, value, above=None, least=None):
    """`value` as a finite float above `above` or at least `least`; TypeError or ValueError if not."""
    allowed = "a finite number"
    allowed += "" if above is None else f" above {above:g}"
    allowed += "" if least is None else f" of at least {least:g}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {allowed}, not {value!r}")
    if not math.isfinite(value) or (above is not None and value <= above) or (least is not None and value < least):
        raise ValueError(f"{name} must be {allowed}, not {value!r}")
    return float(value)


def price(name, value):
    """A price, or an array of prices: finite and above 0."""
    if not isinstance(value, np.ndarray):
        if isinstance(value, (list, tuple)) or hasattr(value, "__array__"):
            value = np.asarray(value)
        if not isinstance(value, np.ndarray) or value.ndim == 0:
            return number(f"the price of {name}", value if isinstance(value, Real) else _item(value), above=0)
    if value.dtype.kind not in "fiu":
        raise TypeError(f"the prices of {name} must be numbers, not an array of {value.dtype}")
    if value.size and not (value.min() > 0 and value.max() < math.inf):  # two passes; NaN fails both
        bad = value[~(np.isfinite(value) & (value > 0))][0].item()
        raise ValueError(f"every price of {name} must be finite and above 0, not {bad!r}")
    return value


def _item(value):
    return value.item() if isinstance(value, np.ndarray) else value


def one_of(name, value, allowed):
    """`value` if it is one of `allowed`, else a ValueError that lists them."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")
    return value
