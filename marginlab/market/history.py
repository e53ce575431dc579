"""Market history: mark prices and funding rates, from cited figures (offline) or as recorded.

What an exchange recorded comes through ccxt, from public endpoints and at its pace: in windows,
each tried again if it fails, checked, and kept as CSV. ccxt's own pagination reaches only so many
calls back from the present, and hands over all or nothing: what came before a break would be lost.
Its own retries wait no longer each time, and go on where an exchange refuses an address.
"""

import os
import time
import tomllib
from contextlib import suppress
from functools import cached_property, partial
from importlib.resources import files
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd
from attrs import define, frozen

from .. import checks

HOUR = 3_600_000  # milliseconds, as exchanges count
WINDOW = 100 * HOUR  # what every exchange gives in one answer, even of hourly payments
CANDLE = ["open", "high", "low", "close"]
COLUMNS = {"mark": CANDLE, "index": CANDLE, "funding": ["rate"]}
# Contracts of the kinds with funding: without this, ccxt asks for every market that there is.
KINDS = {"okx": ["swap"], "binance": ["linear", "inverse"], "bybit": ["linear", "inverse"]}


class Unavailable(ConnectionError):
    """Recorded history could not be had; the message says why in one line."""


@frozen(eq=False, repr=False)
class History:
    """Prices and funding of one or several coins.

    Attributes
    ----------
    name : str
        Of the episode, or exchange and symbol.
    recorded : bool
        False for an episode, which is constructed; True for what an exchange recorded.
    prices, low, high : DataFrame
        Mark (or index) price in quote currency, and the least and the greatest until the next: a
        row for each time (UTC), a column for each coin. In an episode the three are the same, and
        what was published: often trades.
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

        A payment between two prices counts at the later one; one before the first or after the last
        not at all.
        """
        paid = self.funding[self.funding.index >= self.prices.index[0]]
        rates = np.zeros((len(self.prices) + 1, len(paid.columns)))
        np.add.at(rates, self.prices.index.searchsorted(paid.index), paid.fillna(0.0).to_numpy())
        return pd.DataFrame(rates[:-1], self.prices.index, paid.columns)

    @property
    def hours(self):
        """Hours from each price to the one before, 0 for the first: for the interest on debts."""
        return np.diff((self.prices.index - self.prices.index[0]) / pd.Timedelta("1h"), prepend=0.0)

    def __repr__(self):
        kind = "as recorded" if self.recorded else "constructed from cited figures, not recorded"
        first, last = (f"{moment:%Y-%m-%d %H:%M}" for moment in self.prices.index[[0, -1]])
        coins = ", ".join(self.prices.columns)
        lines = [
            f"{self.name}: {kind}",
            f"  {len(self.prices)} prices of {coins}, {first} to {last} UTC",
            f"  funding payments: {len(self.funding)}",
        ]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def load(
    name, exchange=None, since=None, until=None, price="mark", otherwise=None, folder=None, wait=1.0
):
    """Prices and funding rates as a `History`: an episode, or a contract as it was recorded.

        load("2020-03-12")                                              # offline
        load("BTC/USDT:USDT", "okx", since=pd.Timestamp.now("UTC") - pd.Timedelta("30D"))

    Parameters
    ----------
    name : str
        An episode (see `EPISODES`), or, with an exchange, a perpetual contract by its ccxt symbol.
    exchange : str or ccxt exchange, optional
        Whose public market data to ask for: "okx", "binance", "bybit", ... No key is needed, and
        none is sent.
    since, until : str or Timestamp, optional
        UTC; the last seven days if absent. OKX keeps funding rates for three months.
    price : "mark" or "index"
        Which price of the exchange; hourly.
    otherwise : str, optional
        An episode that is taken instead where the exchange cannot be asked; a line on the screen
        says so.
    folder : path, optional
        Where what was fetched is kept as CSV; marginlab's folder in the user's cache if absent.
    wait : float
        Seconds before a failed request is tried again; doubled each time.

    Raises ValueError for a name, an exchange or times that cannot be meant, and `Unavailable`
    (unless `otherwise` is given) where ccxt is not installed, there is no network, or the exchange
    refuses.
    """
    if exchange is None:
        if not isinstance(name, str) or name not in EPISODES:
            raise ValueError(
                f"name must be one of {', '.join(EPISODES)}, or a symbol with its exchange, "
                f"not {name!r}"
            )
        return episode(name)
    checks.one_of("price", price, ("mark", "index"))
    checks.one_of("otherwise", otherwise, (None, *EPISODES))
    try:
        return _recorded(_contract(name, exchange, wait), since, until, price, folder)
    except Unavailable as reason:
        if otherwise is None:
            raise
        print(f"{reason} Going on with the episode {otherwise}, which is constructed.")
        return episode(otherwise)


# ------------------------------------------------------------------------- episodes


def _episodes():
    """The episodes of episodes.toml by name; a turn is (time, value, source)."""
    data = tomllib.loads(files(__package__).joinpath("episodes.toml").read_text(encoding="utf-8"))
    for made in data["episodes"].values():
        for turns in (*made["prices"].values(), *made["funding"].values()):
            turns[:] = [(at, value, by.format(**data["sources"])) for at, value, by in turns]
    return data["episodes"]


EPISODES = _episodes()


def episode(name):
    """An episode as a `History`: straight lines between turns, a price for each hour and turn."""
    made = EPISODES[checks.one_of("name", name, tuple(EPISODES))]
    turns = {coin: _series(row) for coin, row in made["prices"].items()}
    ends = pd.DatetimeIndex(sorted({at for row in turns.values() for at in row.index}))
    times = ends.union(pd.date_range(ends[0].ceil("h"), ends[-1], freq="h")).rename("time")

    def hours(moments):
        return (moments - times[0]) / pd.Timedelta("1h")

    lines = {c: np.interp(hours(times), hours(row.index), row) for c, row in turns.items()}
    prices = pd.DataFrame(lines, times)
    paid = pd.DataFrame({coin: _series(row) for coin, row in made["funding"].items()})
    notes = [made["title"], "Between turns the price is a straight line.", made["assumed"]]
    for what, coins in (("price", made["prices"]), ("funding", made["funding"])):
        for coin, row in coins.items():
            notes += [f"{coin} {what}, {at}: {value:,.6g} ({by})" for at, value, by in row]
    return History(name, False, prices, prices, prices, paid.rename_axis("time"), tuple(notes))


def _series(turns):
    times, values, _ = zip(*turns, strict=True)
    return pd.Series(values, pd.to_datetime(times, utc=True), dtype=float)


# ----------------------------------------------------------------- asking an exchange


@define(slots=False)
class Contract:
    """A contract that is asked for through a ccxt client, tried again after `wait` seconds."""

    client: object
    symbol: str
    wait: float

    def ask(self, call, tries=5):
        """The answer to a call, tried again after longer and longer waits.

        `Unavailable` if in vain.
        """
        import ccxt

        said = self.client.id
        for n in range(tries):
            try:
                return call()
            except ccxt.OperationFailed as error:  # timeouts, broken connections, rate limits
                if any(f" {code} " in str(error) for code in (403, 451)):
                    why = f"{said} refuses to answer this address ({_short(error)})."
                    raise Unavailable(why) from error
                if n == tries - 1:
                    raise Unavailable(f"{said} could not be reached ({_short(error)}).") from error
                time.sleep(self.wait * 2**n)
            except ccxt.ExchangeError as error:
                raise Unavailable(f"{said} does not answer this ({_short(error)}).") from error

    @cached_property
    def known(self):
        """True if the exchange has a perpetual contract of this symbol; ValueError if not."""
        import ccxt

        if not self.ask(self.markets, tries=2):  # a page that is no JSON is to ccxt an empty one
            raise Unavailable(f"{self.client.id} does not say which contracts it has.")
        try:
            market = self.client.market(self.symbol)
        except (ccxt.BadSymbol, AttributeError, TypeError):  # ccxt stumbles over 'X-C'
            raise _no_symbol(self.client, self.symbol) from None
        if not market["swap"]:
            raise ValueError(
                f"name must be a perpetual contract, such as 'BTC/USDT:USDT', not {self.symbol!r}"
            )
        return True

    def markets(self):
        """The exchange's markets, without a key.

        `load_markets` asks for currencies too, and signs that if the client has a key.
        """
        if self.client.markets or not self.client.check_required_credentials(False):
            return self.client.load_markets()
        return self.client.set_markets(self.client.fetch_markets())

    def rows(self, kind, start):
        """What there is of a window: [time, open, high, low, close, ...], or [time, rate] each."""
        many, end = WINDOW // HOUR, start + WINDOW - 1
        if kind != "funding":
            name = f"fetch_{kind}_ohlcv"
            return getattr(self.client, name)(self.symbol, "1h", start, many, {"until": end})
        # ccxt does not tell okx where a window ends
        until = {"after": end + 1} if self.client.id == "okx" else {"until": end}
        found = self.client.fetch_funding_rate_history(self.symbol, start, many, until)
        return [[row["timestamp"], row["fundingRate"]] for row in found]


def _contract(symbol, exchange, wait):
    """The `Contract` of a symbol at an exchange, by name or as a client that is made already."""
    try:
        import ccxt
    except ImportError:
        raise Unavailable("Recorded history needs the package ccxt: pip install ccxt.") from None
    if isinstance(exchange, ccxt.Exchange):
        client = exchange
    elif exchange in ccxt.exchanges:
        options = {"fetchMarkets": {"types": KINDS[exchange]}} if exchange in KINDS else {}
        client = getattr(ccxt, exchange)({"options": options})
    else:
        raise ValueError(
            f"exchange must be a name that ccxt knows, such as 'okx', 'binance' or 'bybit', "
            f"not {exchange!r}"
        )
    if not isinstance(symbol, str) or not all(symbol.partition("/")):
        raise _no_symbol(client, symbol)
    return Contract(client, symbol, wait)


def _no_symbol(client, symbol):
    return ValueError(
        f"name must be a symbol of {client.id}, such as 'BTC/USDT:USDT', not {symbol!r}"
    )


def _short(error):
    """What went wrong, in a few words of one line; without the address, which would hide them."""
    said = " ".join(word for word in str(error).split() if "://" not in word)
    return f"{type(error).__name__}: {said[:80]}"


def _recorded(contract, since, until, price, folder):
    """The `History` of a contract, of what is kept and of what the exchange has."""
    client = contract.client
    now = pd.Timestamp.now("UTC")
    until = now if until is None else _utc("until", until)
    since = until - pd.Timedelta("7D") if since is None else _utc("since", since)
    end = min(until, now)
    if not since < end:
        raise ValueError(f"since must be before until, and in the past: not {since} and {until}")
    folder = Path(folder) if folder else _default_folder()
    folder = folder / (client.id + "-sandbox" * client.isSandboxModeEnabled)
    folder = folder / "".join(c if c.isalnum() else "-" for c in contract.symbol)
    frames, notes = {}, []
    for kind, what, enough in ((price, "prices", "0h"), ("funding", "funding rates", "12h")):
        pages, left_out = _pages(contract, kind, since, end, now, folder)
        frames[kind] = pd.concat(pages).loc[since:until]
        notes += left_out + gaps(frames[kind], kind, since, end)
        if frames[kind].empty and end - since > pd.Timedelta(enough):
            raise Unavailable(
                f"{client.id} has no {what} of {contract.symbol} from {since:%Y-%m-%d} to "
                f"{until:%Y-%m-%d}."
            )
    coin = [contract.symbol.partition("/")[0]]
    prices, high, low = (
        frames[price][[column]].set_axis(coin, axis=1) for column in ("open", "high", "low")
    )
    paid = frames["funding"].set_axis(coin, axis=1)
    name = f"{client.id} {contract.symbol}"
    return History(name, True, prices, low, high, paid, tuple(notes))


def _pages(contract, kind, since, end, now, folder):
    """(pages, notes): the windows from `since` to `end`; what is kept needs no network."""
    from tqdm.auto import tqdm

    pages, notes = [], []
    first, last, now = (int(moment.timestamp() * 1000) for moment in (since, end, now))
    windows = range(first // WINDOW * WINDOW, last + 1, WINDOW)
    what = f"{contract.client.id} {contract.symbol} {kind}"
    for start in tqdm(windows, what, unit="page", leave=False, disable=len(windows) < 3):
        kept = folder / f"{kind}-{pd.Timestamp(start, unit='ms'):%Y%m%dT%H}.csv"
        page = _read(kept, kind)
        if page is None and contract.known:
            found = contract.ask(partial(contract.rows, kind, start))
            page, left_out = tidy(found, kind, start)
            notes += left_out
            if not left_out and start + WINDOW < now and _whole(page, kind, start):
                _write(page, kept)
        pages.append(page)
    return pages, notes


def _utc(name, moment):
    """A moment in UTC. A number is none: pandas would take it for nanoseconds since 1970."""
    try:
        stamp = pd.NaT if isinstance(moment, Real) else pd.Timestamp(moment)
    except (TypeError, ValueError):
        stamp = pd.NaT
    if stamp is pd.NaT:
        raise ValueError(f"{name} must be a date such as '2026-10-01', not {moment!r}")
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


# ------------------------------------------------------------------------- checking


def tidy(rows, kind, start):
    """(page, notes): the rows of a window as a DataFrame in order of time.

    What is malformed is left out, and said.
    """
    columns = COLUMNS[kind]
    kept, notes = {}, []
    for row in rows or ():
        stamp, *values = [*(row or [None])][: 1 + len(columns)]
        good = len(values) == len(columns) and all(map(_is_number, (stamp, *values)))
        if good and kind != "funding":
            first, high, low, last = values
            good = 0 < low <= min(first, last) and max(first, last) <= high
        if not good:
            notes.append(f"a malformed row was left out of {kind}: {row!r}")
        elif start <= stamp < start + WINDOW:  # some exchanges give more than they were asked for
            kept[int(stamp)] = values
    times = pd.to_datetime(sorted(kept), unit="ms", utc=True).round("s").rename("time")
    values = [kept[stamp] for stamp in sorted(kept)]
    return pd.DataFrame(values, times, columns, dtype=float), notes


def _is_number(value):
    return isinstance(value, int | float) and np.isfinite(value)


def gaps(frame, kind, since, until):
    """A note for every time in which rows are missing.

    Funding is due every eight hours at least, at some venues more often, and not always as often.
    """
    times = frame.index
    most = usual = pd.Timedelta("8h" if kind == "funding" else "1h")
    if not len(times):
        return [f"no {kind} at all"]
    steps = times[1:] - times[:-1]
    if kind == "funding" and len(steps):
        usual = min(most, steps.value_counts().index[0])
    ends = times.insert(0, since).insert(len(times) + 1, until)
    notes = []
    for n in np.flatnonzero(ends[1:] - ends[:-1] > 1.5 * usual):
        a, b = ends[n], ends[n + 1]
        unsure = "" if b - a > 1.5 * most else ": a row is missing, or the interval was longer"
        notes.append(f"no {kind} from {a:%Y-%m-%d %H:%M} to {b:%Y-%m-%d %H:%M}{unsure}")
    return notes


def _whole(page, kind, start):
    """Whether nothing is missing in a page for certain."""
    if kind != "funding":
        return len(page) == WINDOW // HOUR
    ends = (pd.Timestamp(stamp, unit="ms", tz="UTC") for stamp in (start, start + WINDOW))
    return all("row is missing" in note for note in gaps(page, kind, *ends))


# -------------------------------------------------------------------------- keeping


def _default_folder():
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("marginlab", appauthor=False)) / "history"


def _read(path, kind):
    """A page that was kept, or None if there is none, or none that can be read."""
    try:
        text = path.read_text("utf-8")
        page = pd.read_csv(path, index_col="time", parse_dates=["time"])
        page = page[COLUMNS[kind]].astype(float)
        page.index = pd.DatetimeIndex(page.index).tz_convert("UTC").rename("time")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # absent, or cut short
        return None
    whole = len(page) > 0 if kind == "funding" else len(page) == WINDOW // HOUR
    whole = whole and text.endswith("\n") and page.index.is_monotonic_increasing
    return page if whole and np.isfinite(page.to_numpy()).all() else None


def _write(page, path):
    """Keep a page: the file is there whole or not at all. A full disk costs only the copy."""
    draft = path.with_suffix(f".{os.getpid()}.part")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            page.to_csv(draft)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
