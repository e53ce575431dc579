"""Episodes: what was published is on the curve, straight lines join it, and what is assumed is said."""

import os
import re
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import marginlab
from marginlab.market.history import EPISODES, History, episode, load

ROOT = Path(marginlab.__file__).resolve().parents[1]
NAMES = list(EPISODES)
ROWS = [
    (name, what, coin, rows)
    for name, made in EPISODES.items()
    for what, coins in (("price", made["prices"]), ("funding", made["funding"]))
    for coin, rows in coins.items()
]
# (episode, coin): {time (UTC): price}, each figure as its source gives it, or as a product of such figures
FACTS = {
    ("2020-03-12", "BTC"): {
        "2020-03-12 10:00": 7_353,
        "2020-03-12 10:45": 5_678,
        "2020-03-12 23:00": 5_800,
        "2020-03-13 01:45": 3_596,
        "2020-03-13 02:00": 3_978,
    },
    ("2021-05-19", "BTC"): {"2021-05-19 00:00": 40_000, "2021-05-19 13:00": 30_000, "2021-05-19 16:00": 30_000},
    ("2022-11-08", "BTC"): {
        "2022-11-06 00:00": 21_000,
        "2022-11-08 00:00": 20_147,
        "2022-11-09 00:00": 17_931,
        "2022-11-10 00:00": 15_600,
    },
    ("2022-11-08", "FTT"): {"2022-11-06 00:00": 22, "2022-11-10 00:00": 2.2},
    ("2023-01-09", "FTT"): {"2023-01-08 12:00": 100, "2023-01-09 12:00": 155},
    ("2023-01-09", "ZIL"): {"2023-01-08 12:00": 100, "2023-01-09 12:00": 137},
    ("2023-01-09", "APT"): {"2023-01-08 12:00": 100, "2023-01-09 12:00": 130},
    ("2023-01-09", "SRM"): {"2023-01-08 12:00": 100, "2023-01-09 12:00": 128},
    ("2023-08-14", "LPT"): {"2023-08-13 00:00": 100, "2023-08-14 00:00": 148},
    ("2025-03-26", "JELLY"): {"2025-03-26 11:00": 100, "2025-03-26 12:00": 500},
    ("2025-10-10", "BTC"): {"2025-10-10 18:00": 123_000, "2025-10-10 21:00": 102_000},
    ("2025-10-10", "ETH"): {"2025-10-10 18:00": 4_346, "2025-10-10 21:00": 3_574},
    ("2025-10-10", "SOL"): {"2025-10-10 18:00": 100, "2025-10-10 21:00": 70},
}


def utc(time):
    return pd.Timestamp(time, tz="UTC")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No ccxt, and every socket is an error."""

    def refused(*_, **__):
        raise AssertionError("an episode needs no network")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setitem(sys.modules, "ccxt", None)


# ------------------------------------------------------------------------ facts


@pytest.mark.parametrize("key", FACTS, ids="/".join)
def test_the_published_figures_are_on_the_curve(key):
    prices = load(key[0]).prices[key[1]]
    assert {time: prices[utc(time)] for time in FACTS[key]} == FACTS[key]


def test_the_rates():
    def paid(name, coin):
        return {f"{time:%m-%d %H}": rate for time, rate in load(name).funding[coin].items()}

    assert paid("2020-03-12", "BTC") == {"03-12 12": 0.0001, "03-12 20": 0.0001, "03-13 04": -0.00375}
    assert paid("2021-05-19", "BTC") == {"05-19 08": 0.0001, "05-19 16": -0.0006}
    yearly = load("2023-08-14").funding["LPT"]
    assert list(yearly) == [pytest.approx(-2_000 / 100 / 1_095)] * 3 and 1_095 == 3 * 365
    assert list(yearly.index.hour) == [8, 16, 0]
    for name in ("2022-11-08", "2023-01-09", "2025-10-10"):  # of which no rate was published
        assert (load(name).funding == 0.0001).all(axis=None)
    assert [len(load(name).funding) for name in NAMES] == [3, 2, 11, 3, 3, 1, 1]
    assert list(load("2025-03-26").funding["JELLY"]) == [0.0001 / 8]  # an hour of what is common in eight


# ------------------------------------------------------------------ construction


@pytest.mark.parametrize("name", NAMES)
def test_between_turns_the_price_is_a_straight_line(name):
    got = load(name)
    for coin, rows in EPISODES[name]["prices"].items():
        for a, b in pairwise(rows):
            (begin, first, _), (end, last, _) = a, b
            part = got.prices[coin][utc(begin) : utc(end)]
            share = np.asarray((part.index - utc(begin)) / (utc(end) - utc(begin)))
            assert part.to_numpy() == pytest.approx(first + share * (last - first), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_there_is_a_price_for_each_hour_and_each_turn(name):
    got, made = load(name), EPISODES[name]
    turns = {utc(time) for rows in made["prices"].values() for time, _, _ in rows}
    hours = set(pd.date_range(min(turns), max(turns), freq="h"))
    assert set(got.prices.index) == turns | hours
    for frame in (got.prices, got.funding):
        assert frame.index.is_monotonic_increasing and frame.index.is_unique
        assert str(frame.index.tz) == "UTC" and frame.index.name == "time"
        assert np.isfinite(frame.to_numpy()).all() and {str(kind) for kind in frame.dtypes} == {"float64"}
    assert (got.prices > 0).all(axis=None)
    assert list(got.prices.columns) == list(made["prices"]) == list(made["funding"])
    assert got.low is got.prices and got.high is got.prices


@pytest.mark.parametrize("name, what, coin, rows", ROWS, ids=lambda value: value if isinstance(value, str) else "")
def test_turns_are_in_order_and_have_a_source(name, what, coin, rows):
    times = [utc(time) for time, _, _ in rows]
    assert times == sorted(set(times)) and len(rows) >= (2 if what == "price" else 1)
    first, last = (utc(EPISODES[name]["prices"][coin][end][0]) for end in (0, -1))
    assert first <= times[0] and times[-1] <= last  # what is paid is paid while there are prices
    for time, value, source in rows:
        published = re.search(r"\b[\w-]+\.\w{2,}\b|CoinDesk", source)  # where it can be looked up
        assert published or re.search("assumed|ours|no figure was found", source)
        if what == "funding":
            assert -0.03 < value < 0.03 and utc(time).hour % 4 == 0


@pytest.mark.parametrize("name", NAMES)
def test_notes_name_every_turn_and_say_that_it_is_made(name):
    got, made = load(name), EPISODES[name]
    assert isinstance(got, History) and got.recorded is False and got.name == name
    assert got.notes[:3] == (made["title"], "Between turns the price is a straight line.", made["assumed"])
    turns = [(what, coin, turn) for n, what, coin, rows in ROWS if n == name for turn in rows]
    assert len(got.notes) == 3 + len(turns)
    for note, (what, coin, (time, value, source)) in zip(got.notes[3:], turns, strict=True):
        assert note == f"{coin} {what}, {time}: {value:,.6g} ({source})"
    shown = repr(got)
    assert shown.startswith(f"{name}: constructed from cited figures, not recorded\n  {len(got.prices)} prices of ")
    assert all(f"\n  {note}" in shown for note in got.notes) and made["assumed"].endswith(".")
    assert f"funding payments: {len(got.funding)}\n" in shown


# ------------------------------------------------------------------------ rates


@pytest.mark.parametrize("name", NAMES)
def test_rates_stand_at_the_times_of_prices(name):
    got = load(name)
    assert got.rates.index.equals(got.prices.index) and list(got.rates.columns) == list(got.funding.columns)
    assert got.rates.sum().to_numpy() == pytest.approx(got.funding.sum().to_numpy(), rel=1e-12)
    assert (got.rates.loc[got.funding.index] == got.funding).all(axis=None)  # payments fall on whole hours
    assert (got.rates != 0).to_numpy().sum() == got.funding.size


def made(prices, payments):
    """A history with prices and payments at some minutes."""

    def frame(numbers):
        return pd.DataFrame(
            {"X": list(numbers.values())}, [utc("2024-01-01") + pd.Timedelta(minutes=m) for m in numbers]
        )

    prices = frame(dict.fromkeys(prices, 1.0))
    return History("made", False, prices, prices, prices, frame(payments))


def test_a_payment_between_two_prices_counts_at_the_later():
    assert list(made([0, 60, 120], {0: 0.1, 30: 0.2, 60: 0.4, 61: 0.8}).rates["X"]) == [0.1, pytest.approx(0.6), 0.8]


def test_a_payment_after_the_last_price_does_not_count():
    assert list(made([0, 60], {60: 0.5, 61: 1.0, 500: 2.0}).rates["X"]) == [0, 0.5]


def test_a_missing_rate_is_none():
    assert list(made([0, 60], {0: float("nan"), 60: 0.5}).rates["X"]) == [0, 0.5]


# --------------------------------------------------------------------- refusals


@pytest.mark.parametrize("name", ["2020-03-13", "", "okx", None, 2020])
def test_an_unknown_name_is_refused_with_the_list(name):
    for call in (load, episode):
        with pytest.raises(ValueError, match="name must be") as told:
            call(name)
        assert all(known in str(told.value) for known in NAMES)


# ---------------------------------------------------------------------- imports

WATCHED = "ccxt", "pandas", "matplotlib", "tqdm", "platformdirs", "requests"


@pytest.mark.parametrize(
    "code, absent",
    [
        ("import marginlab, marginlab.market", WATCHED),
        (
            "import marginlab.market.history as h; h.load('2020-03-12').rates",
            ("ccxt", "matplotlib", "tqdm", "requests"),
        ),
    ],
)
def test_imports_stay_small(code, absent, monkeypatch):
    monkeypatch.undo()  # a subprocess needs sockets on some systems
    show = f"{code}; import sys; print([name for name in {absent!r} if name in sys.modules])"
    env = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run([sys.executable, "-c", show], env=env, capture_output=True, text=True, timeout=60)
    assert done.stderr == "" and done.stdout.strip() == "[]"
