"""Market history: mark prices and funding rates, from cited figures (offline) or as an exchange recorded them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import checks
from .episodes import EPISODES


class Unavailable(ConnectionError):
    """Recorded history could not be had; the message says why in one line."""


@dataclass(frozen=True, eq=False)
class History:
    """Prices and funding of one or several coins.

    Attributes
    ----------
    name : str
        Of the episode, or exchange and symbol.
    recorded : bool
        False for an episode, which is constructed; True for what an exchange recorded.
    prices, low, high : DataFrame
        Mark (or index) price in quote currency, and the least and the greatest until the next: a row for each time
        (UTC), a column for each coin. In an episode the three are the same, and what was published: often trades.
    funding : DataFrame
        Rates paid: a row for each payment (UTC), a column for each coin.
    notes : tuple of str
        Sources and assumptions of an episode; gaps and rows left out of a recording.
    """

    name: str
    recorded: bool
    prices: pd.DataFrame
    low: pd.DataFrame
    high: pd.DataFrame
    funding: pd.DataFrame
    notes: tuple = ()

    @property
    def rates(self):
        """Funding rates by coin at the times of `prices`, 0 where nothing is due.

            schedule(account, {perp: past.rates["LPT"]}, past.prices, past.hours)

        A payment between two prices counts at the later one; one before the first or after the last not at all.
        """
        paid = self.funding[self.funding.index >= self.prices.index[0]]
        rates = np.zeros((len(self.prices) + 1, len(paid.columns)))
        np.add.at(rates, self.prices.index.searchsorted(paid.index), paid.fillna(0.0).to_numpy())
        return pd.DataFrame(rates[:-1], self.prices.index, paid.columns)

    @property
    def hours(self):
        """Hours from each price to the one before, 0 for the first: an array, for the interest on debts."""
        return np.diff((self.prices.index - self.prices.index[0]) / pd.Timedelta("1h"), prepend=0.0)

    def __repr__(self):
        kind = "as recorded" if self.recorded else "constructed from cited figures, not recorded"
        first, last = (f"{time:%Y-%m-%d %H:%M}" for time in self.prices.index[[0, -1]])
        lines = [
            f"{self.name}: {kind}",
            f"  {len(self.prices)} prices of {', '.join(self.prices.columns)}, {first} to {last} UTC",
        ]
        lines.append(f"  funding payments: {len(self.funding)}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def load(name, exchange=None, since=None, until=None, price="mark", otherwise=None, folder=None, wait=1.0):
    """Prices and funding rates as a `History`: an episode by name, or a contract as an exchange recorded it.

        load("2020-03-12")                                              # offline
        load("BTC/USDT:USDT", "okx", since=pd.Timestamp.now("UTC") - pd.Timedelta("30D"))

    Parameters
    ----------
    name : str
        An episode (see `EPISODES`), or, with an exchange, a perpetual contract by its ccxt symbol.
    exchange : str or ccxt exchange, optional
        Whose public market data to ask for: "okx", "binance", "bybit", ... No key is needed, and none is sent.
    since, until : str or Timestamp, optional
        UTC; the last seven days if absent. OKX keeps funding rates for three months.
    price : "mark" or "index"
        Which price of the exchange; hourly.
    otherwise : str, optional
        An episode that is taken instead where the exchange cannot be asked; a line on the screen says so.
    folder : path, optional
        Where what was fetched is kept as CSV; marginlab's folder in the user's cache if absent.
    wait : float
        Seconds before a failed request is tried again; doubled each time.

    Raises ValueError for a name, an exchange or times that cannot be meant, and `Unavailable` (unless `otherwise` is
    given) where ccxt is not installed, there is no network, or the exchange refuses.
    """
    if exchange is None:
        if not isinstance(name, str) or name not in EPISODES:
            raise ValueError(f"name must be one of {', '.join(EPISODES)}, or a symbol with its exchange, not {name!r}")
        return episode(name)
    checks.one_of("price", price, ("mark", "index"))
    checks.one_of("otherwise", otherwise, (None, *EPISODES))
    from . import recorded

    try:
        return recorded.fetch(name, exchange, since, until, price, folder, wait)
    except Unavailable as reason:
        if otherwise is None:
            raise
        print(f"{reason} Going on with the episode {otherwise}, which is constructed.")
        return episode(otherwise)


def episode(name):
    """A stylised episode as a `History`: straight lines between its turns, a price for each hour and each turn."""
    made = EPISODES[checks.one_of("name", name, tuple(EPISODES))]
    turns = {coin: pd.Series([t.value for t in row], _times(row), dtype=float) for coin, row in made.prices.items()}
    ends = pd.DatetimeIndex(sorted({time for row in turns.values() for time in row.index}), name="time")
    times = ends.union(pd.date_range(ends[0].ceil("h"), ends[-1], freq="h")).rename("time")
    hours = (times - times[0]) / pd.Timedelta("1h")
    prices = pd.DataFrame(
        {
            coin: np.interp(hours, (row.index - times[0]) / pd.Timedelta("1h"), row.to_numpy())
            for coin, row in turns.items()
        },
        times,
    )
    paid = {coin: pd.Series([t.value for t in row], _times(row)) for coin, row in made.funding.items()}
    notes = [made.title, "Between turns the price is a straight line.", made.assumed]
    for what, rows in (("price", made.prices), ("funding", made.funding)):
        for coin, row in rows.items():
            notes += [f"{coin} {what}, {t.time}: {t.value:,.6g} ({t.source})" for t in row]
    return History(name, False, prices, prices, prices, pd.DataFrame(paid).rename_axis("time"), tuple(notes))


def _times(turns):
    return pd.to_datetime([t.time for t in turns], utc=True).rename("time")
