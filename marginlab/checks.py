"""Bad input is refused at the door: messages name the argument, the value and what is allowed."""

import math
import re
from decimal import Decimal
from numbers import Integral, Real

import attrs
import numpy as np

PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
Numbers = float | np.ndarray  # one, or an array of them: results broadcast


def number(name, value, above=None, least=None, most=None):
    """`value` as a finite float above `above`, at least `least` and at most `most`.

    A `Decimal`, or a string such as "0.001" or "-1e5", is taken for the number that it says.
    TypeError or ValueError if it is none.
    """
    allowed = "a finite number"
    allowed += "" if above is None else f" above {above:g}"
    allowed += "" if least is None else f" of at least {least:g}"
    allowed += "" if most is None else f" and at most {most:g}"
    said = isinstance(value, str) and PLAIN.fullmatch(value)
    if isinstance(value, bool) or not (said or isinstance(value, Real | Decimal)):
        raise TypeError(f"{name} must be {allowed}, not {value!r}")
    try:
        given = float(value)
    except (OverflowError, ValueError):  # an integer beyond all floats, a signalling NaN
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
    if isinstance(value, list | tuple) or (
        hasattr(value, "__array__") and not isinstance(value, Real)
    ):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        value = value.item() if isinstance(value, np.ndarray) else value
        return number(name, value, **bounds)
    if value.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be numbers, not an array of {value.dtype}")
    return value


def positive(name, value):
    """A number, or an array of numbers: finite and above 0."""
    value = numbers(name, value, above=0)
    if isinstance(value, np.ndarray) and value.size:
        if not (value.min() > 0 and value.max() < math.inf):  # two passes; NaN fails both
            bad = value[~(np.isfinite(value) & (value > 0))][0].item()
            raise ValueError(f"{name} must be finite and above 0 throughout, not {bad!r}")
    return value


def finite(name, value):
    """A number, or an array of numbers: finite."""
    value = numbers(name, value)
    if isinstance(value, np.ndarray) and value.size:
        if not (value.min() > -math.inf and value.max() < math.inf):
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


# ------------------------------------------------------------ fields of attrs classes


def field_of(check, default=attrs.NOTHING, optional=False, **about):
    """A field whose value goes through check(name of the field, value); None passes if optional."""

    def convert(value, of):
        return None if optional and value is None else check(of.name, value)

    converter = attrs.Converter(convert, takes_field=True)
    return attrs.field(default=default, converter=converter, **about)


def number_field(default=attrs.NOTHING, optional=False, above=None, least=None, most=None, **about):
    """A field that holds a finite number within bounds."""

    def check(name, value):
        return number(name, value, above, least, most)

    return field_of(check, default, optional, **about)


def choice(*allowed, default=None, **about):
    """A field that holds one of these words; its default, if none is given, is the first."""
    default = allowed[0] if default is None else default
    return field_of(lambda name, value: one_of(name, value, allowed), default, **about)


def text(name, value):
    """`value` if it is a text that is not empty, else a TypeError."""
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name} must be a name, not {value!r}")
    return value


def name_field():
    """A field that holds a name: a text that is not empty."""
    return field_of(text)
