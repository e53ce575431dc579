"""Numbers as learners type them: taken if they can be read in one way only, else asked about."""

import math
import re

PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
POINT = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}", re.ASCII)  # 45.000 is 45,000 to half of the world
SPACE = re.compile(r"(?<=\d)[ _\u00a0\u202f](?=\d{3}(?!\d))")


def written(value):
    """A number in plain digits, as it can be typed: 45000 or 0.25."""
    return str(int(value)) if value == int(value) else repr(float(value))


def parse(typed, low=-math.inf, high=math.inf):
    """(the number, ""), or (nan, what is wrong), of what was typed for one from `low` to `high`.

    A number is digits, with a point for decimals; spaces or `_` may set off thousands. With a
    comma nobody can tell whether thousands or decimals are meant: both readings are offered.
    They are, too, with a point before exactly three digits, unless the thousands are out of range
    and the digits are not 000: from -60 to 60, 1.826 is that number, and 45.000 is asked about.
    One digit more, as in 2.6320, is always a decimal.
    """
    text = SPACE.sub("", typed.strip()).replace("\u2212", "-")
    readings = [text]
    if text.count(",") == 1 and "." not in text:
        readings = [text.replace(",", "."), text.replace(",", "")]
    elif doubtful(text, low, high):
        readings = [text, text.replace(".", "")]
    found = {float(one) for one in readings if PLAIN.fullmatch(one)}
    found = sorted(value for value in found if math.isfinite(value))
    if not found:
        finite = f"from {written(low)} to {written(high)}" if high < math.inf else ""
        allowed = finite or "such as 47000 or 0.25"
        return math.nan, f"write a number in digits, without commas, {allowed}"
    if len(found) > 1:
        offered = (one + "0" * doubtful(one, low, high) for one in map(written, found))
        return math.nan, f"{typed.strip()} can be read two ways: write {' or '.join(offered)}"
    if not low <= found[0] <= high:
        return math.nan, f"{typed.strip()} is out of range: {written(low)} to {written(high)}"
    return found[0], ""


def doubtful(text, low, high):
    """Whether the point in a number may well set off thousands."""
    thousands = POINT.fullmatch(text) and float(text.replace(".", ""))
    return bool(thousands) and (text.endswith("000") or low <= thousands <= high)
