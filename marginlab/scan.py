"""Portfolio margin: what a book could lose in the worst of many scenarios. It knows functions."""

import numpy as np

STEP = 1e-4  # by which an index moves for a delta
BESIDE = np.array([0.0, STEP, -STEP])  # asked with the scenarios: no move, and one up and down


def scanned(rule, index, legs):
    """What a `Scan` asks of the positions on one index, in quote currency; numbers or arrays.

    index : number or array
        The price of the index.
    legs : list of callable
        Of (move, change of a volatility): the value of each position there, in quote currency.
    """
    values = asked(rule, index, legs)
    worst = np.maximum(-weighted(rule, values).min(axis=0), 0.0)
    deltas = [(value[-2] - value[-1]) / (2 * STEP * index) for value in values]
    net, gross = abs(sum(deltas)), sum(map(abs, deltas))
    hedged = (gross - net) / 2
    least = (rule.net * net + rule.hedged * hedged) * index
    return np.maximum(worst + rule.offset * hedged * index, least)


def asked(rule, index, legs):
    """The value of each leg in every scenario, then where nothing moves and beside it."""
    moves, vols, _ = rule.columns
    across = (-1,) + (1,) * np.ndim(index)  # scenarios first, then prices
    moves = np.concatenate([moves, BESIDE]).reshape(across)
    change = bump(rule, np.concatenate([vols, 0.0 * BESIDE]).reshape(across))
    return [leg(moves, change) for leg in legs]


def weighted(rule, values):
    """What the book gains (+) or loses (-) in every scenario, by its weight; of `asked` values."""
    gained = sum(value[:-3] - value[-3] for value in values)
    return rule.columns[2].reshape((-1,) + (1,) * (np.ndim(gained) - 1)) * gained


def bump(rule, moves):
    """How scenarios change a volatility: a function of it and the days to expiry."""

    def changed(vol, days):
        near = np.maximum(days, 1.0) / rule.days
        power = np.where(near < 1.0, rule.power, rule.long_power)
        return vol * np.maximum(1.0 + moves * near**-power, 0.01)

    return changed
