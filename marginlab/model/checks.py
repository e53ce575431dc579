"""Bad input is refused at the door: messages name the argument, the value and what is allowed."""

import math
from numbers import Integral, Real

import numpy as np


def number(name, value, above=None, least=None, most=None):
    """`value` as a finite float above `above`, at least `least` and at most `most`; TypeError or ValueError if not."""
    allowed = "a finite number"
    allowed += "" if above is None else f" above {above:g}"
    allowed += "" if least is None else f" of at least {least:g}"
    allowed += "" if most is None else f" and at most {most:g}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {allowed}, not {value!r}")
    try:
        given = float(value)
    except OverflowError:  # an integer beyond all floats
        given = math.inf
    low = (above is not None and given <= above) or (least is not None and given < least)
    if not math.isfinite(given) or low or (most is not None and given > most):
        raise ValueError(f"{name} must be {allowed}, not {value!r}")
    return given


def whole(name, value, least=1, most=None):
    """`value` as an int of at least `least` and at most `most`; ValueError if it is none."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        allowed = f"of at least {least}" + ("" if most is None else f" and at most {most}")
        raise ValueError(f"{name} must be a whole number {allowed}, not {value!r}")
    return int(value)


def numbers(name, value, **bounds):
    """A float by `number`, or an array of numbers as it is, of which only the kind is checked."""
    if isinstance(value, list | tuple) or (hasattr(value, "__array__") and not isinstance(value, Real)):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        return number(name, value.item() if isinstance(value, np.ndarray) else value, **bounds)
    if value.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be numbers, not an array of {value.dtype}")
    return value


def positive(name, value):
    """A number, or an array of numbers: finite and above 0."""
    value = numbers(name, value, above=0)
    if isinstance(value, np.ndarray) and value.size and not (value.min() > 0 and value.max() < math.inf):
        bad = value[~(np.isfinite(value) & (value > 0))][0].item()  # two passes above; NaN fails both
        raise ValueError(f"{name} must be finite and above 0 throughout, not {bad!r}")
    return value


def finite(name, value):
    """A number, or an array of numbers: finite."""
    value = numbers(name, value)
    if isinstance(value, np.ndarray) and value.size and not (value.min() > -math.inf and value.max() < math.inf):
        bad = value[~np.isfinite(value)][0].item()
        raise ValueError(f"{name} must be finite throughout, not {bad!r}")
    return value


def price(name, value):
    """A price, or an array of prices, of something by name."""
    return positive(f"the price of {name}", value)


def one_of(name, value, allowed):
    """`value` if it is one of `allowed`, else a ValueError that lists them."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")
    return value


class Frozen(dict):
    """A dict that does not change: what values of this package hold."""

    def _refuse(self, *args, **kwargs):
        raise TypeError("this mapping belongs to a value that does not change: make a new one")

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse

    def __reduce__(self):
        return Frozen, (dict(self),)
