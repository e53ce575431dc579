"""Recorded history through ccxt: public endpoints, asked in windows, tried again, kept as CSV, checked."""

import io
import os
import tempfile
import time
from contextlib import suppress
from functools import partial
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd

from .history import History, Unavailable

HOUR = 3_600_000  # milliseconds, as exchanges count
WINDOW = 100 * HOUR  # what every exchange gives in one answer, even of hourly payments
CANDLE = ["open", "high", "low", "close"]
COLUMNS = {"mark": CANDLE, "index": CANDLE, "funding": ["rate"]}
# Only contracts, of the kinds with funding: without this, ccxt asks for every market that there is.
KINDS = {"okx": ["swap"], "binance": ["linear", "inverse"], "bybit": ["linear", "inverse"]}


def fetch(symbol, exchange, since, until, price, folder, wait):
    """See `history.load`."""
    client, ccxt = connect(exchange)
    now = pd.Timestamp.now("UTC")
    until = now if until is None else _utc("until", until)
    since = until - pd.Timedelta("7D") if since is None else _utc("since", since)
    if not since < min(until, now):
        raise ValueError(f"since must be before until, and in the past: not {since} and {until}")
    if not isinstance(symbol, str) or not all(symbol.partition("/")):
        raise ValueError(f"name must be a symbol of {client.id}, such as 'BTC/USDT:USDT', not {symbol!r}")
    folder = Path(folder) if folder else default_folder()
    folder = folder / (client.id + "-sandbox" * client.isSandboxModeEnabled)
    folder = folder / "".join(c if c.isalnum() else "-" for c in symbol)
    first, last = (int(moment.timestamp() * 1000) for moment in (since, min(until, now)))
    frames, notes, known = {}, [], False
    for kind in (price, "funding"):
        pages = []
        for start in progress(range(first // WINDOW * WINDOW, last + 1, WINDOW), f"{client.id} {symbol} {kind}"):
            kept = folder / f"{kind}-{pd.Timestamp(start, unit='ms'):%Y%m%dT%H}.csv"
            page = read(kept, kind)
            if page is None:
                known = known or contract(client, ccxt, symbol, wait)  # what is kept needs no network
                page, left_out = tidy(ask(ccxt, client, partial(rows, client, symbol, kind, start), wait), kind, start)
                notes += left_out
                if not left_out and start + WINDOW < now.timestamp() * 1000 and whole(page, kind, start):
                    write(page, kept)
            pages.append(page)
        frames[kind] = pd.concat(pages).loc[since:until]
        notes += gaps(frames[kind], kind, since, min(until, now))
    for kind, what, enough in ((price, "prices", "0h"), ("funding", "funding rates", "12h")):
        if frames[kind].empty and min(until, now) - since > pd.Timedelta(enough):
            raise Unavailable(f"{client.id} has no {what} of {symbol} from {since:%Y-%m-%d} to {until:%Y-%m-%d}.")
    coin = symbol.partition("/")[0]
    prices, high, low = (frames[price][[column]].set_axis([coin], axis=1) for column in ("open", "high", "low"))
    paid = frames["funding"].set_axis([coin], axis=1)
    return History(f"{client.id} {symbol}", True, prices, low, high, paid, tuple(notes))


def contract(client, ccxt, symbol, wait):
    """True if an exchange has a perpetual contract of this symbol; ValueError if not."""
    if not ask(ccxt, client, partial(markets, client), wait, tries=2):  # a page that is no JSON is to ccxt an empty one
        raise Unavailable(f"{client.id} does not say which contracts it has.")
    try:
        market = client.market(symbol)
    except (ccxt.BadSymbol, AttributeError, TypeError):  # ccxt stumbles over 'X-C'
        raise ValueError(f"name must be a symbol of {client.id}, such as 'BTC/USDT:USDT', not {symbol!r}") from None
    if not market["swap"]:
        raise ValueError(f"name must be a perpetual contract, such as 'BTC/USDT:USDT', not {symbol!r}")
    return True


def connect(exchange):
    """(client, the ccxt package) for an exchange's name, or for a client that is made already."""
    try:
        import ccxt
    except ImportError:
        raise Unavailable("Recorded history needs the package ccxt: pip install ccxt.") from None
    if isinstance(exchange, ccxt.Exchange):
        return exchange, ccxt
    if exchange not in ccxt.exchanges:
        raise ValueError(
            f"exchange must be a name that ccxt knows, such as 'okx', 'binance' or 'bybit', not {exchange!r}"
        )
    options = {"fetchMarkets": {"types": KINDS[exchange]}} if exchange in KINDS else {}
    return getattr(ccxt, exchange)({"options": options}), ccxt


def markets(client):
    """Its markets, without a key: `load_markets` asks for currencies too, and signs that if the client has a key."""
    if client.markets or not client.check_required_credentials(False):
        return client.load_markets()
    return client.set_markets(client.fetch_markets())


def default_folder():
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("marginlab", appauthor=False)) / "history"


def progress(windows, what):
    from tqdm.auto import tqdm

    return tqdm(windows, desc=what, unit="page", leave=False, disable=len(windows) < 3)


def rows(client, symbol, kind, start):
    """What an exchange has of a window: [time, open, high, low, close, ...] or, of funding, [time, rate] each."""
    many, end = WINDOW // HOUR, start + WINDOW - 1
    if kind != "funding":
        call = client.fetch_mark_ohlcv if kind == "mark" else client.fetch_index_ohlcv
        return call(symbol, "1h", start, many, {"until": end})
    until = {"after": end + 1} if client.id == "okx" else {"until": end}  # ccxt does not tell okx where a window ends
    found = client.fetch_funding_rate_history(symbol, start, many, until)
    return [[row["timestamp"], row["fundingRate"]] for row in found]


def ask(ccxt, client, call, wait, tries=5):
    """The answer to a call, tried again after `wait` seconds, twice as many, ...; `Unavailable` if in vain."""
    for n in range(tries):
        try:
            return call()
        except ccxt.OperationFailed as error:  # timeouts, broken connections, rate limits, maintenance
            refused = any(f" {code} " in str(error) for code in (403, 451))
            if refused:
                raise Unavailable(f"{client.id} refuses to answer this address ({short(error)}).") from error
            if n == tries - 1:
                raise Unavailable(f"{client.id} could not be reached ({short(error)}).") from error
            time.sleep(wait * 2**n)
        except ccxt.ExchangeError as error:
            raise Unavailable(f"{client.id} does not answer this ({short(error)}).") from error


def short(error):
    """What went wrong, in a few words of one line; the address asked is left out, it would hide the rest."""
    said = " ".join(word for word in str(error).split() if "://" not in word)
    return f"{type(error).__name__}: {said[:80]}"


# ------------------------------------------------------------------- checking


def tidy(rows, kind, start):
    """(page, notes): the rows of a window as a DataFrame in order of time; what is malformed is left out, and said."""
    columns, kept, notes = COLUMNS[kind], {}, []
    for row in rows or ():
        stamp, *values = [*(row or [None])][: 1 + len(columns)]
        numbers = [_number(value) for value in values]
        good = _number(stamp) is not None and len(numbers) == len(columns) and None not in numbers
        if good and kind != "funding":
            good = min(numbers) > 0 and numbers[2] <= min(numbers) and numbers[1] >= max(numbers)
        if not good:
            notes.append(f"a malformed row was left out of {kind}: {row!r}")
        elif start <= stamp < start + WINDOW:  # some exchanges give more than they were asked for
            kept[int(stamp)] = numbers
    times = pd.to_datetime(sorted(kept), unit="ms", utc=True).round("s")
    frame = pd.DataFrame([kept[stamp] for stamp in sorted(kept)], times, columns, dtype=float)
    return frame.rename_axis("time"), notes


def _number(value):
    """A finite number, or None."""
    return value if isinstance(value, int | float) and np.isfinite(value) else None


def whole(page, kind, start):
    """Whether nothing is missing in a page for certain: funding is due every eight hours at least."""
    if kind != "funding":
        return len(page) == WINDOW // HOUR
    ends = [pd.Timestamp(ms, unit="ms", tz="UTC") for ms in (start, start + WINDOW)]
    return not any("row is missing" not in note for note in gaps(page, kind, *ends))


def gaps(frame, kind, since, until):
    """A note for every time in which rows are missing. Funding is due every eight hours at least, at some venues more
    often, and not always as often."""
    times, most = frame.index, pd.Timedelta("8h" if kind == "funding" else "1h")
    if not len(times):
        return [f"no {kind} at all"]
    usual = (times[1:] - times[:-1]).value_counts().index[0] if kind == "funding" and len(times) > 1 else most
    ends, notes = times.insert(0, since).insert(len(times) + 1, until), []
    for n in np.flatnonzero(ends[1:] - ends[:-1] > 1.5 * min(usual, most)):
        a, b = ends[n], ends[n + 1]
        unsure = "" if b - a > 1.5 * most else ": a row is missing, or the interval was longer"
        notes.append(f"no {kind} from {a:%Y-%m-%d %H:%M} to {b:%Y-%m-%d %H:%M}{unsure}")
    return notes


def _utc(name, moment):
    if isinstance(moment, Real):  # pandas would take it for nanoseconds since 1970
        raise ValueError(f"{name} must be a date such as '2026-10-01', not {moment!r}")
    try:
        moment = pd.Timestamp(moment)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a date such as '2026-10-01', not {moment!r}") from None
    if pd.isna(moment):
        raise ValueError(f"{name} must be a date such as '2026-10-01', not {moment!r}")
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")


# ---------------------------------------------------------------------- keeping


def read(path, kind):
    """A page that was kept, or None if there is none, or none that can be read."""
    try:
        text = path.read_text("utf-8")
        page = pd.read_csv(io.StringIO(text), index_col="time", parse_dates=["time"])
        page = page[COLUMNS[kind]].astype(float)
        good = page.index.is_monotonic_increasing and np.isfinite(page.to_numpy()).all() and text.endswith("\n")
        good = good and (len(page) > 0 if kind == "funding" else len(page) == WINDOW // HOUR)
        return page.set_axis(pd.DatetimeIndex(page.index).tz_convert("UTC").rename("time")) if good else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # absent, or cut short: asked for again
        return None


def write(page, path):
    """Keep a page: the file is there whole or not at all. A full disk costs only the copy."""
    draft = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            page.to_csv(file)
        os.chmod(draft, 0o644)  # a folder may be shared; mkstemp lets nobody else read
        os.replace(draft, path)
    except OSError:
        pass
    finally:
        if draft:
            with suppress(OSError):  # after the replacement there is none
                os.unlink(draft)
