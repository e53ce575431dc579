"""Brownian motion in closed form: the chance that a price was ever reached.

What simulations are checked against.
"""

from math import erfc, exp, log, pi, sqrt

from .. import checks
from ..rules import YEAR

BETWEEN = 0.5826  # -zeta(1/2) / sqrt(2 pi): how many standard deviations of a step a walk oversteps


def first_passage(move, volatility, hours, drift=0.0, steps=None):
    """Chance that a geometric Brownian motion has reached a price at some moment of so many hours.

    With b = log(1 + move), T years, v = drift - volatility**2 / 2, s = volatility * sqrt(T), and b
    below 0, by the reflection principle:

        N((b - v*T) / s) + exp(2*v*b / volatility**2) * N((b + v*T) / s)

    and its mirror image for b above 0.

    Parameters
    ----------
    move : float
        From the start, as a fraction: -0.1 is a price 10 % lower.
    volatility, drift : float
        Of a year, as in `Brownian`.
    hours : float
    steps : int, optional
        So many looks, equally spaced, in place of one at every moment. The line counts as 0.5826
        standard deviations of a step further away, which is close if a step is short of it.

    Source: Broadie, Glasserman and Kou, "A continuity correction for discrete barrier options",
    Mathematical Finance 7 (1997). TypeError or ValueError for what cannot be meant.
    """
    away = log(1 + checks.number("move", move, above=-1))
    volatility = checks.number("volatility", volatility, above=0)
    years = checks.number("hours", hours, above=0) / YEAR
    trend = checks.number("drift", drift) - volatility**2 / 2
    if away == 0:
        return 1.0
    spread = volatility * years**0.5
    if away > 0:  # seen from above
        away, trend = -away, -trend
    if steps is not None:
        away -= BETWEEN * spread / checks.whole("steps", steps) ** 0.5
    ended = (away - trend * years) / spread
    mirrored = (away + trend * years) / spread
    if mirrored > -25:
        return _normal(ended) + exp(2 * trend * away / volatility**2) * _normal(mirrored)
    # where one factor is 0, the other infinite
    tail = (1 - mirrored**-2 + 3 * mirrored**-4) / (-mirrored * sqrt(2 * pi))
    return _normal(ended) + exp(-(ended**2) / 2) * tail


def _normal(x):
    """Chance that a standard normal is at most x."""
    return erfc(-x / sqrt(2)) / 2
