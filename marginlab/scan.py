"""Portfolio margin: what a book could lose in the worst of many scenarios. It knows functions."""

import numpy as np


def scanned(rule, index, values, deltas):
    """What a `Scan` asks of the positions on one index, in quote currency; numbers or arrays.

    index : number or array
        The price of the index.
    values : callable
        Of (move, change of a volatility): the value of the book there, in quote currency.
    deltas : list of numbers or arrays
        Coins that each position gains by for one unit of its index.
    """
    shape = np.shape(index)
    moves, vols, weights = (np.reshape(c, (-1,) + (1,) * len(shape)) for c in rule.columns)
    gained = values(moves, bump(rule, vols)) - values(0.0 * moves[:1], None)
    worst = np.maximum((-weights * gained).max(axis=0), 0.0)
    net, gross = abs(sum(deltas)), sum(map(abs, deltas))
    hedged = (gross - net) / 2
    least = (rule.net * net + rule.hedged * hedged) * index
    return np.maximum(worst + rule.offset * hedged * index, least)


def bump(rule, moves):
    """How a scenario changes a volatility: a function of it and the days to expiry."""

    def changed(vol, days):
        near = np.maximum(days, 1.0) / rule.days
        power = np.where(near < 1.0, rule.power, rule.long_power)
        return vol * np.maximum(1.0 + moves * near**-power, 0.01)

    return changed
