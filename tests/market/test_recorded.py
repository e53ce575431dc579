"""Recorded history: paging, checking, keeping and failing, against a local server that speaks three exchanges' ways."""

import random
import socket
import sys
from itertools import product
from types import SimpleNamespace

import ccxt
import numpy as np
import pandas as pd
import pytest

from marginlab.market import history
from marginlab.market.history import Unavailable
from tests.market import exchange as made_up
from tests.market.exchange import HOUR, IDS, INVERSE, MALFORMED, SPOT, SYMBOL, Exchange, spoil

MONTH = ("2024-03-01", "2024-03-31")  # nine windows of 100 hours
DAY = ("2024-03-03", "2024-03-04")  # within one window, which begins at START_OF_PAGE
PAGE = 100 * HOUR
START_OF_PAGE = 1_709_280_000_000 // PAGE * PAGE  # that of 1 March 2024, 08:00


@pytest.fixture
def server():
    with Exchange() as server:
        yield server
        assert server.secrets == []  # whatever was asked for, no key went with it


@pytest.fixture
def load(server, tmp_path):
    """`history.load` of the server's BTC swap."""

    def load(name="okx", since=MONTH[0], until=MONTH[1], symbol=SYMBOL, **how):
        client = name if isinstance(name, ccxt.Exchange) else server.client(name)
        return history.load(symbol, client, since, until, **{"folder": tmp_path, "wait": 0.0} | how)

    return load


@pytest.fixture
def waits(monkeypatch):
    """How long was waited between tries, without waiting."""
    waits = []
    monkeypatch.setattr(history, "time", SimpleNamespace(sleep=waits.append))
    return waits


def stamps(since, until, hours=1):
    return [int(time.timestamp() * 1000) for time in pd.date_range(since, until, freq=f"{hours}h", tz="UTC")]


def same(got, since=MONTH[0], until=MONTH[1], kind="mark", inverse=False, every=8):
    """Whether a history is, hour by hour, what the server's own functions say."""
    hours, payments = stamps(since, until), stamps(since, until, every)
    candles = [made_up.candle(stamp, kind, inverse) for stamp in hours]
    for frame, column in ((got.prices, 1), (got.high, 2), (got.low, 3)):
        assert list(frame.index) == list(pd.to_datetime(hours, unit="ms", utc=True))
        assert list(frame["BTC"]) == [candle[column] for candle in candles]
    assert list(got.funding.index) == list(pd.to_datetime(payments, unit="ms", utc=True))
    assert list(got.funding["BTC"]) == [made_up.rate(stamp, inverse) for stamp in payments]
    return True


def starts(queries):
    """From when each request asked: OKX's bound is exclusive."""
    return [int(q["before"]) + 1 if "before" in q else int(q.get("startTime", q.get("start", 0))) for q in queries]


def kept(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# ------------------------------------------------------------------ what comes


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("symbol", [SYMBOL, INVERSE])
def test_a_month_is_what_the_exchange_has(load, server, name, symbol):
    got = load(name, symbol=symbol)
    assert same(got, inverse=symbol == INVERSE)
    assert (len(got.prices), len(got.funding), got.notes) == (721, 91, ())
    assert (got.recorded, got.name) == (True, f"{name} {symbol}")
    assert "as recorded" in repr(got) and "constructed" not in repr(got)
    assert "721 prices of BTC, 2024-03-01 00:00 to 2024-03-31 00:00 UTC\n  funding payments: 91" in repr(got)


@pytest.mark.parametrize("name", IDS)
def test_a_month_takes_a_request_for_each_100_hours_and_kind(load, server, name):
    load(name)
    windows = list(range(stamps(*MONTH)[0] // PAGE * PAGE, stamps(*MONTH)[-1] + 1, PAGE))
    assert len(windows) == 9 and len(server.requests) == 18
    for kind in ("price", "funding"):
        assert starts(server.asked(kind)) == windows
        assert {query["limit"] for query in server.asked(kind)} == {"100"}


@pytest.mark.parametrize("name", IDS)
def test_hourly_payments_fill_a_page_and_none_is_lost(load, server, name):
    server.every = 1
    got = load(name)
    assert same(got, every=1) and got.notes == ()


@pytest.mark.parametrize("name", IDS)
def test_the_index_price_is_another(load, server, tmp_path, name):
    assert same(load(name, *DAY), *DAY) and same(load(name, *DAY, price="index"), *DAY, kind="index")
    assert [file.split("-")[0] for file in kept(tmp_path)] == ["funding", "index", "mark"]
    assert all("ndex" in path for path, query in server.requests[2:])  # the payments were there


def test_times_are_utc_and_in_order_and_numbers_are_numbers(load):
    got = load("binance")  # whose payments come some milliseconds late
    for frame in (got.prices, got.low, got.high, got.funding):
        assert str(frame.index.tz) == "UTC" and frame.index.name == "time"
        assert frame.index.is_monotonic_increasing and frame.index.is_unique
        assert {str(kind) for kind in frame.dtypes} == {"float64"} and np.isfinite(frame.to_numpy()).all()
        assert list(frame.columns) == ["BTC"]
    assert (got.low <= got.prices).all(axis=None) and (got.prices <= got.high).all(axis=None)
    assert got.rates["BTC"].sum() == pytest.approx(got.funding["BTC"].sum())


def test_only_what_lies_between_since_and_until_comes(load):
    got = load("okx", "2024-03-03 10:30", pd.Timestamp("2024-03-03 20:59", tz="Europe/Paris"))
    assert [f"{time:%H:%M}" for time in got.prices.index[[0, -1]]] == ["11:00", "19:00"]
    assert [f"{time:%H:%M}" for time in got.funding.index] == ["16:00"]


@pytest.mark.parametrize("name", IDS)
def test_without_dates_the_last_seven_days_come(load, server, name):
    got = load(name, None, None)
    now = pd.Timestamp.now("UTC")
    assert 167 <= len(got.prices) <= 169 and len(got.funding) == 21 and got.notes == ()
    assert now - got.prices.index[-1] < pd.Timedelta("62min")
    if name == "okx":  # old candles are asked for elsewhere
        assert {path for path, query in server.requests if "candles" in path} == {"/api/v5/market/mark-price-candles"}


def test_an_exchange_may_be_named_and_then_only_its_swaps_are_asked_for(load, server, monkeypatch, tmp_path):
    real = ccxt.okx

    def okx(settings):
        client = real(settings)
        assert client.enableRateLimit  # ccxt's own pace
        client.enableRateLimit = False
        client.urls["api"] = made_up.redirected(client.urls["api"], server.address)
        return client

    monkeypatch.setattr(ccxt, "okx", okx)
    assert same(history.load(SYMBOL, "okx", *DAY, folder=tmp_path), *DAY)
    assert server.markets == 1


@pytest.mark.parametrize("name", IDS)
def test_the_key_of_a_client_that_has_one_is_not_sent(load, server, name):
    client = server.client(name, apiKey="key", secret="secret", password="word")
    assert client.check_required_credentials(False)
    assert same(load(client, *DAY), *DAY)  # the server looks for keys
    many = server.markets
    assert same(load(client, "2024-03-04", "2024-03-07"), "2024-03-04", "2024-03-07") and server.markets == many
    with pytest.raises(ccxt.ExchangeError):
        server.client(name, apiKey="key", secret="secret", password="word").load_markets()
    assert any("key" in name for name in server.secrets)  # and would have found this one
    server.secrets.clear()


def test_requests_keep_the_pace_that_ccxt_sets(load, server):
    load(server.client("binance", enableRateLimit=True, rateLimit=50))
    assert server.times[-1] - server.times[0] > 0.8 * 0.05 * (len(server.times) - 1)


# ------------------------------------------------------------------ what is wrong


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_candle_is_left_out_and_told_and_its_page_not_kept(load, server, tmp_path, name, what):
    server.edit = spoil(MALFORMED[what], place=50, only="mark")
    start = pd.Timestamp(START_OF_PAGE, unit="ms", tz="UTC")
    got = load(name, start, start + pd.Timedelta("99h"))
    told, gap = got.notes
    assert told.startswith("a malformed row was left out of mark: [1709")
    at = start + pd.Timedelta(f"{50 if name == 'binance' else 49}h")  # the others answer newest first
    assert len(got.prices) == 99 and at not in got.prices.index
    around = [f"{at + pd.Timedelta(hours=n):%Y-%m-%d %H:%M}" for n in (-1, 1)]
    assert gap == "no mark from {} to {}".format(*around)
    assert [file.split("-")[0] for file in kept(tmp_path)] == ["funding"]
    server.mend()
    server.forget()
    assert load(name, start, start + pd.Timedelta("99h")).notes == () and len(server.requests) == 1


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("what", ["null", "word", "nan", "endless"])
def test_a_malformed_rate_is_left_out_and_told_and_its_page_not_kept(load, server, tmp_path, name, what):
    server.edit, server.every = spoil(MALFORMED[what], only="funding"), 4  # a gap of 8 hours could be an interval
    got = load(name, *DAY)
    # the sixth of the window's payments, in the answer's order
    page = stamps(pd.Timestamp(START_OF_PAGE, unit="ms").ceil("4h"), "2024-03-06", 4)
    page = [stamp for stamp in page if stamp < START_OF_PAGE + PAGE]
    lost = page[5] if name == "binance" else page[-6]
    assert got.notes[0].startswith(f"a malformed row was left out of funding: [{lost // 1000}")
    assert len(got.funding) == 7 - (lost in stamps(*DAY, 4))
    assert [file.split("-")[0] for file in kept(tmp_path)] == ["mark"]


@pytest.mark.parametrize("name", IDS)
def test_the_order_of_rows_does_not_matter_and_twice_is_once(load, server, name):
    def edit(kind, rows):
        rows = rows + rows[3:9]
        return random.Random(5).sample(rows, len(rows))

    server.edit = edit
    got = load(name, "2024-03-01 08:00", "2024-03-01 20:00")  # ccxt cuts off what is more than 100 rows, at the end
    assert same(got, "2024-03-01 08:00", "2024-03-01 20:00")


@pytest.mark.parametrize("name", IDS)
def test_rows_outside_the_window_do_not_count(load, server, name):
    def edit(kind, rows):  # the same values at other times
        moved = [
            [type(row[0])(int(row[0]) + hours * HOUR), *row[1:]]
            for hours in (-300, -100, 100, 300)
            for row in (rows[0], rows[-1])
        ]
        return moved[:4] + rows + moved[4:]

    server.edit = edit
    got = load(name)
    assert same(got) and got.notes == ()


@pytest.mark.parametrize("name", IDS)
def test_a_hole_is_told_as_a_gap_and_its_page_asked_for_again(load, server, name):
    hours = stamps("2024-03-03 04:00", "2024-03-03 08:00")
    server.hole = range(hours[0], hours[-1] + 1, HOUR)
    for _ in range(2):
        server.forget()
        got = load(name)
        assert got.notes == (
            "no mark from 2024-03-03 03:00 to 2024-03-03 09:00",
            "no funding from 2024-03-03 00:00 to 2024-03-03 16:00",
        )
        assert (len(got.prices), len(got.funding)) == (716, 90)
        assert f"\n  {got.notes[0]}\n  {got.notes[1]}" in repr(got)
    assert len(server.requests) == 2


def test_a_payment_more_or_less_is_no_reason_to_ask_again(load, server):
    """Some exchanges change the interval."""
    server.hole = range(
        stamps("2024-03-03 08:00", "2024-03-03 08:00")[0], stamps("2024-03-03 09:00", "2024-03-03 09:00")[0]
    )
    server.every = 4
    for _ in range(2):
        server.forget()
        notes = load("okx").notes
        assert notes[-1].endswith("a row is missing, or the interval was longer")
    assert [path for path, query in server.requests if "funding" in path] == []


def test_before_the_listing_there_is_a_gap(load, server):
    server.listed = stamps("2024-03-10", "2024-03-10")[0]
    got = load("bybit")
    assert got.notes == (
        "no mark from 2024-03-01 00:00 to 2024-03-10 00:00",
        "no funding from 2024-03-01 00:00 to 2024-03-10 00:00",
    )
    assert len(got.prices) == 21 * 24 + 1
    with pytest.raises(Unavailable, match=r"bybit has no prices of BTC/USDT:USDT from 2024-02-01 to 2024-02-03"):
        load("bybit", "2024-02-01", "2024-02-03")


def test_gaps_of_prices_are_measured_in_hours_whatever_is_left_of_them():
    def told(kind, *hours):
        times = [pd.Timestamp(f"2024-03-01 {hour:02}:00", tz="UTC") for hour in hours]
        frame = pd.DataFrame({"x": 1.0}, pd.DatetimeIndex(times[1:-1], tz="UTC"))
        return [
            note[8 + len(kind) :].replace("2024-03-01 ", "") for note in history.gaps(frame, kind, times[0], times[-1])
        ]

    assert told("mark", 0, 0, 1, 2, 3, 4, 5) == []
    assert told("mark", 0, 0, 2, 4, 5) == [" 00:00 to 02:00", " 02:00 to 04:00"]
    assert told("mark", 0, 3, 4, 7) == [" 00:00 to 03:00", " 04:00 to 07:00"]
    assert told("funding", 0, 8, 16, 23) == []
    assert told("funding", 0, 12, 23) == [] and told("funding", 0, 13, 23) == [" 00:00 to 13:00"]
    assert told("funding", 0, 1, 2, 3, 5, 6) == [" 03:00 to 05:00: a row is missing, or the interval was longer"]
    assert history.gaps(pd.DataFrame(index=pd.DatetimeIndex([], tz="UTC")), "funding", None, None) == [
        "no funding at all"
    ]


# ---------------------------------------------------------------- what goes wrong

# To be busy is said in each exchange's own words; the rest is the same connection for all.
FAILING = [*product(IDS, ["busy"]), *zip([*IDS, IDS[0]], ["429", "500", "silence", "cut"], strict=True)]


@pytest.mark.parametrize("name, kind", FAILING)
def test_a_failed_request_is_tried_again_with_longer_waits(load, server, waits, name, kind):
    server.trouble(kind, range(3, 6))
    got = load(name, wait=0.25)
    assert same(got) and got.notes == ()
    assert waits == [0.25, 0.5, 1.0] and len(server.requests) == 18 + 3


@pytest.mark.parametrize("name, kind", FAILING)
def test_after_five_tries_it_is_given_up_in_one_line(load, server, waits, name, kind):
    server.trouble(kind)
    with pytest.raises(Unavailable, match=f"^{name} could not be reached \\([A-Z].*\\)\\.$") as told:
        load(name, wait=1)
    assert waits == [1, 2, 4, 8] and len(server.requests) == 5
    assert len(str(told.value).splitlines()) == 1 and len(str(told.value)) < 160
    assert isinstance(told.value.__cause__, ccxt.BaseError)


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("kind", ["451", "403"])
@pytest.mark.parametrize("markets", [True, False])
def test_a_refusal_is_told_at_once(load, server, waits, name, kind, markets):
    server.trouble(kind, markets=markets)
    with pytest.raises(Unavailable, match=f"{name} refuses to answer this address .*{name} GET {kind} [A-Z]"):
        load(name, wait=1)
    assert waits == [] and len(server.requests) + server.markets <= 1 + (not markets) * 4


@pytest.mark.parametrize("name", IDS)
def test_an_error_of_the_exchanges_own_is_told_at_once(load, server, waits, name):
    server.trouble("error", range(2, 99))
    with pytest.raises(Unavailable, match=f"^{name} does not answer this .*59999"):
        load(name, wait=1)
    assert waits == [] and len(server.requests) == 3


@pytest.mark.parametrize("name", IDS)
def test_a_page_that_is_no_json_is_a_gap_or_no_answer(load, server, tmp_path, name):
    server.trouble("text", range(2, 3))
    (note,) = load(name).notes
    assert note.startswith("no mark from 2024-03-0") and len(kept(tmp_path)) == 17
    server.mend()
    assert load(name).notes == ()
    server.trouble("text", markets=True)
    with pytest.raises(Unavailable, match=f"{name} does not say which contracts it has"):
        load(name, folder=tmp_path / "empty")


@pytest.mark.parametrize("name", IDS)
def test_after_a_break_only_the_missing_pages_are_asked_for(load, server, tmp_path, name):
    server.trouble("cut", range(13, 10**6))
    with pytest.raises(Unavailable):
        load(name)
    assert len(kept(tmp_path)) == 13
    before = [query for path, query in server.requests[:13]]
    server.mend()
    server.forget()
    assert same(load(name))
    assert len(server.requests) == 5 and not [query for path, query in server.requests if query in before[9:]]
    assert server.asked("price") == []


def test_an_interrupted_load_leaves_the_pages_that_it_had(load, server, tmp_path, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(history, "time", SimpleNamespace(sleep=interrupt))
    server.trouble("500", range(4, 5))
    with pytest.raises(KeyboardInterrupt):
        load("okx")
    assert len(kept(tmp_path)) == 4
    server.forget()
    server.mend()
    assert same(load("okx")) and len(server.requests) == 14


# ---------------------------------------------------------------------- keeping


@pytest.mark.parametrize("name", IDS)
def test_what_was_fetched_is_kept_as_csv_and_not_asked_for_again(load, server, tmp_path, name):
    first = load(name)
    folder = tmp_path / name / "BTC-USDT-USDT"
    files = sorted(folder.iterdir())
    assert len(files) == 18 and {file.name.split("-")[0] for file in files} == {"funding", "mark"}
    assert files[9].name == f"mark-{pd.Timestamp(starts(server.asked('price'))[0], unit='ms'):%Y%m%dT%H}.csv"
    assert files[9].read_text("utf-8").splitlines()[0] == "time,open,high,low,close"
    server.forget()
    again = load(name)
    assert server.requests == [] and server.markets == 0  # what is kept needs no network
    for frame in ("prices", "low", "high", "funding"):
        pd.testing.assert_frame_equal(getattr(first, frame), getattr(again, frame))
    assert same(again) and again.notes == ()


SPOILT_FILES = {
    "empty": lambda text: "",
    "cut within a number": lambda text: text.rstrip()[:-2],
    "cut after a row": lambda text: "\n".join(text.splitlines()[:-5]) + "\n",
    "head alone": lambda text: text.splitlines()[0] + "\n",
    "binary": lambda text: "\0\1\2" * 50,
    "other columns": lambda text: text.replace("open", "first").replace("rate", "first"),
    "a word": lambda text: text[:-4] + "abc\n",
    "no number": lambda text: text[: text.rstrip().rindex(",") + 1] + "\n",
    "endless": lambda text: text[: text.rstrip().rindex(",") + 1] + "inf\n",
    "no time": lambda text: text.replace("+00:00,", ",x", 1),
    "local time": lambda text: text.replace("+00:00", ""),
    "upside down": lambda text: "\n".join([text.splitlines()[0], *text.splitlines()[:0:-1]]) + "\n",
}


CANNOT_BE_TOLD = ("funding", "cut after a row")  # from a window with fewer payments


@pytest.mark.parametrize(
    "kind, how", [pair for pair in product(("mark", "funding"), SPOILT_FILES) if pair != CANNOT_BE_TOLD]
)
def test_a_spoilt_file_is_asked_for_again(load, server, tmp_path, kind, how):
    load("okx", *DAY)
    (file,) = tmp_path.rglob(f"{kind}-*.csv")
    whole = file.read_text("utf-8")
    file.write_text(SPOILT_FILES[how](whole), "utf-8")
    assert file.read_text("utf-8") != whole
    server.forget()
    assert same(load("okx", *DAY), *DAY)
    assert len(server.requests) == 1 and file.read_text("utf-8") == whole


def test_the_page_with_the_present_hour_is_not_kept(load, server, tmp_path):
    load("okx", None, None)
    old, asked = len(kept(tmp_path)), len(server.requests)
    assert asked == old + 2
    server.forget()
    load("okx", None, None)
    assert len(server.requests) == 2


def test_a_page_is_kept_as_soon_as_its_last_hour_is_over(load, server, tmp_path, monkeypatch):
    class Clock(pd.Timestamp):
        @classmethod
        def now(cls, tz=None):
            return pd.Timestamp(Clock.stamp, unit="ms", tz=tz)

    start = pd.Timestamp(START_OF_PAGE, unit="ms", tz="UTC")
    monkeypatch.setattr(history.pd, "Timestamp", Clock)
    for Clock.stamp, many in ((START_OF_PAGE + PAGE, 0), (START_OF_PAGE + PAGE + 1, 2)):
        load("okx", start, start + pd.Timedelta("2h"))
        assert len(kept(tmp_path)) == many


def test_a_window_without_payments_is_not_kept(load, server, tmp_path):
    server.edit = lambda kind, rows: [] if kind == "funding" else rows
    with pytest.raises(history.Unavailable, match="okx has no funding rates of BTC/USDT:USDT from 2024-03"):
        load("okx", *DAY)
    hours = (DAY[0], pd.Timestamp(DAY[0]) + pd.Timedelta("12h"))  # in so short a time none may be due
    got = load("okx", *hours)
    assert got.notes == ("no funding at all",) and got.funding.empty and list(got.funding.columns) == ["BTC"]
    assert (got.rates == 0).all(axis=None) and len(got.rates) == 13
    assert [file.split("-")[0] for file in kept(tmp_path)] == ["mark"]
    server.mend()
    assert same(load("okx", *DAY), *DAY)


def test_without_a_folder_the_users_cache_is_taken(load, tmp_path, monkeypatch):
    platformdirs = pytest.importorskip("platformdirs")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name, appauthor: str(tmp_path / "cache" / name))
    load("okx", *DAY, folder=None)
    assert len(list((tmp_path / "cache/marginlab/history/okx/BTC-USDT-USDT").glob("*.csv"))) == 2


def full(*_, **__):
    raise OSError(28, "No space left on device")


def test_a_full_disk_costs_only_the_copy(load, tmp_path, monkeypatch):
    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    assert same(load("okx", *DAY), *DAY) and kept(tmp_path) == []


def test_an_interrupt_while_writing_leaves_no_draft(load, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load("okx", *DAY)
    assert kept(tmp_path) == []


# ------------------------------------------------------------- what cannot be meant


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("symbol", ["BTC", "ETH/USDT:USDT", "2020-03-12", "", "X-C", "C-X", None, 5])
def test_an_unknown_symbol_is_refused(load, server, name, symbol):
    with pytest.raises(ValueError, match=f"^name must be a symbol of {name}, such as 'BTC/USDT:USDT', not {symbol!r}$"):
        load(name, symbol=symbol)
    assert server.requests == []


def test_a_spot_market_is_refused(load, server):
    client = server.client("okx", options={"fetchMarkets": {"types": ["spot", "swap"]}})
    with pytest.raises(
        ValueError, match=r"^name must be a perpetual contract, such as 'BTC/USDT:USDT', not 'BTC/USDT'$"
    ):
        load(client, symbol=SPOT)
    assert server.requests == []


SOON = pd.Timestamp.now("UTC") + pd.Timedelta("2D")


@pytest.mark.parametrize(
    "since, until, told",
    [
        ("2024-03-31", "2024-03-01", "since must be before until, and in the past: not 2024-03-31 .* and 2024-03-01"),
        ("2024-03-01", "2024-03-01", "since must be before until"),
        (SOON, None, "since must be before until, and in the past"),
        (SOON, SOON + pd.Timedelta("1D"), "since must be before until, and in the past"),
        ("yesterweek", None, "since must be a date such as '2026-10-01', not 'yesterweek'"),
        (pd.NaT, None, "since must be a date"),
        (["2024-03-01"], None, "since must be a date"),
        ("2024-03-01", "2024-13-01", "until must be a date such as '2026-10-01', not '2024-13-01'"),
        ("2024-03-01", "", "until must be a date"),
    ],
)
def test_dates_that_cannot_be_meant_are_refused(load, server, since, until, told):
    with pytest.raises(ValueError, match=told):
        load("okx", since, until)
    assert server.markets == 0


@pytest.mark.parametrize("wrong", ["nowhere", "", 5, ["okx"], ccxt.okx])
def test_an_unknown_exchange_is_refused(wrong):
    with pytest.raises(ValueError, match="exchange must be a name that ccxt knows, such as 'okx'"):
        history.load(SYMBOL, wrong)


# ---------------------------------------------------------------------- offline


@pytest.fixture
def nowhere():
    """A client of an address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = ccxt.okx({"enableRateLimit": False})
    client.urls["api"] = made_up.redirected(client.urls["api"], address)
    return client


def test_without_a_network_it_says_so(nowhere, tmp_path, waits):
    with pytest.raises(Unavailable, match=r"^okx could not be reached \(NetworkError: okx GET\)\.$"):
        history.load(SYMBOL, nowhere, *DAY, folder=tmp_path)
    assert waits == [1.0] and isinstance(Unavailable(), ConnectionError)


def test_without_a_network_an_episode_may_be_taken_instead(nowhere, tmp_path, waits, capsys):
    got = history.load(SYMBOL, nowhere, *DAY, folder=tmp_path, otherwise="2020-03-12")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("okx could not be reached (")
    assert line.endswith(" Going on with the episode 2020-03-12, which is constructed.")
    assert not got.recorded and got.name == "2020-03-12"


def test_a_mistake_is_told_even_if_an_episode_may_be_taken(load):
    with pytest.raises(ValueError, match="name must be"):
        load("okx", symbol="BTC", otherwise="2020-03-12")


def test_without_ccxt_it_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(Unavailable, match="ccxt: pip install ccxt"):
        history.load(SYMBOL, "okx")
    assert history.load(SYMBOL, "okx", otherwise="2020-03-12").name == "2020-03-12"
    assert len(capsys.readouterr().out.splitlines()) == 1
