"""The explorer of lesson 07, against pools made anew and brute force, and the square of the two axes."""

import math
import re

import numpy as np
import pytest

from marginlab import Account, Perpetual, Tiers, black, replace, venues
from marginlab.lesson import UnifiedAccount, scan_map, square
from tests.lesson.shown import drawn, numbers, plain, states, view

ETH = Perpetual("ETH-USDC", "ETH", "USDC", face=0.1, tiers=Tiers.flat(0.01, leverage=50))
KINDS = {
    "teaching": ({}, 50_000.0, 0.004, 125),
    "own": ({"instrument": ETH, "entry": 3_000}, 3_000.0, 0.01, 50),
    "later": ({"days": 21}, 50_000.0, 0.004, 125),
}
RULES = ("sum", "scan")


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def explorer(kind):
    return UnifiedAccount(**KINDS[kind][0])


@pytest.fixture(scope="module")
def teaching():
    return UnifiedAccount()


# ------------------------------------------------------------ the book, once more


class Book:
    """The legs as (kind, size, strike, expiry), their worth by plain formulas; one coin is S at the start."""

    def __init__(self, kind, book, hedge, cash, vol, move):
        about, self.start, self.rate, self.most = KINDS[kind]
        s = self.start
        self.coins, self.cash, self.vol, self.days = float(book == "covered"), cash, vol / 100, about.get("days", 0)
        self.price = s * (1 + move / 100)
        first, second = {
            "covered": (None, ("call", -hedge, 1.2 * s, 30)),
            "protected": (("perp", 1, 0, 0), ("put", hedge, 0.9 * s, 30)),
            "straddle": (("call", -1, s, 30), ("put", -hedge, s, 30)),
            "calendar": (("call", -1, s, 30), ("call", hedge, s, 90)),
            "basis": (("perp", 1, 0, 0), ("future", -hedge, 0, 0)),
        }[book]
        self.legs = [leg for leg in (first, second) if leg and leg[1]]
        self.cash -= sum(q * self.option(k, x, t, s, 0) for k, q, x, t in self.legs if t)

    def option(self, kind, strike, expiry, price, days, bump=1.0):
        return float(black(kind == "call", price, strike, self.vol * bump, expiry - days))

    def worth(self, leg, price, bump=1.0, days=None):
        kind, size, strike, expiry = leg
        if expiry:
            days = self.days if days is None else days
            return size * self.option(kind, strike, expiry, price, days, bump)
        base = 1.02 if kind == "future" else 1.0
        return size * base * (price - self.start)

    def stand(self, rule, price, days=None, initial=False):
        """(equity, requirement): of the sum, with marks of shorts in it and longs that do not count."""
        at = price
        whole = rule == "scan"
        counted = sum(
            self.worth(leg, at, days=days) for leg in self.legs if not leg[3] or whole
        )  # without options, unless scanned
        cash = self.cash + counted
        loan = (0.10 if initial else 0.05) * max(0.0, -cash)
        equity = cash + 0.9 * self.coins * at
        if whole:
            return equity, loan + self.scan(at, days)
        asked = 0.0
        for leg in self.legs:
            kind, size, strike, expiry = leg
            if not expiry:
                notional = abs(size) * (1.02 if kind == "future" else 1.0) * at
                asked += notional / self.most if initial else self.rate * notional
            elif size < 0:
                mark = self.worth(leg, at, days=days) / size
                out = max(strike - at if kind == "call" else at - strike, 0.0)
                if initial:
                    margin = max(0.15 * at - out, 0.10 * at)
                else:
                    margin = 0.03 * (at if kind == "call" else max(at, mark))
                asked -= size * (margin + mark)
        return equity, asked + loan

    def scan(self, at, days=None):
        def value(x, bump):
            return sum(self.worth(leg, at * (1 + x), bump, days) for leg in self.legs)

        here = value(0, 1.0)
        moves = (-0.16, -0.12, -0.08, -0.04, 0.0, 0.04, 0.08, 0.12, 0.16)
        worst = max(0.0, *(here - value(x, 1 + v) for x in moves for v in (-0.22, 0.0, 0.4)))
        deltas = [
            (self.worth(leg, at * 1.0001, days=days) - self.worth(leg, at * 0.9999, days=days)) / (2e-4 * at)
            for leg in self.legs
        ]
        net, gross = abs(sum(deltas)), sum(map(abs, deltas))
        return max(worst, (0.01 * net + 0.005 * (gross - net) / 2) * at)


def check(reading, state, book, entry):
    plain(reading["sentence"])
    refused = {}
    for rule in RULES:
        equity, initial = book.stand(rule, entry, 0, initial=True)
        _, maintenance = book.stand(rule, entry, 0)
        short = initial - equity > 1e-9 * entry or maintenance - equity >= 0
        if abs(initial - equity) > 1e-6 * entry and bool(book.legs):
            assert (rule in reading["refused"]) == short, (state, rule)
        refused[rule] = rule in reading["refused"]
    if any(refused.values()):
        assert reading["sentence"].startswith("The venue would not open this. ")
        return
    for rule in RULES:
        one = reading[rule]
        equity, required = book.stand(rule, book.price)
        assert one["equity"] == pytest.approx(equity, rel=1e-7, abs=1e-6 * entry)
        assert one["required"] == pytest.approx(required, rel=1e-5, abs=1e-6 * entry)
        assert one["slack"] == one["equity"] - one["required"]
        assert one["closed"] == (one["slack"] <= 0)
        for side, step in (("below", -1), ("above", 1)):
            if end := one[side]:  # slack changes its sign there
                inside, outside = (np.subtract(*book.stand(rule, end * (1 + n * step * 1e-6))) for n in (-1, 1))
                assert inside > -1e-4 * entry and outside < 1e-4 * entry, (state, rule, side)
    shown = [numbers(" ".join(row[1:4])) for row in reading["table"][1]]
    told = [[reading[rule][key] for key in ("equity", "required", "slack")] for rule in RULES]
    assert np.allclose(shown, told, atol=0.51)


def test_every_reading_is_that_of_plain_formulas(explorer, kind):
    for state in states(explorer, count=30, starts=1):
        book = Book(kind, **state)
        check(explorer.read(**state), state, book, KINDS[kind][1])


def test_every_control_at_both_ends_moves_the_picture_without_a_fault(explorer):
    for state in explorer.presets.values():
        explorer.set(**state)
        for name, control in explorer.controls.items():
            ends = control.options.values() if hasattr(control, "options") else (control.min, control.max)
            for value in ends:
                explorer.set(**{name: value})
                assert explorer.error is None, (name, value)
            explorer.set(**state)
    assert 'role="alert"' not in view(explorer)


def test_where_the_price_stands_on_the_curves(teaching):
    teaching.preset("protective put, a fall of 25 %")
    for rule in RULES:
        at, equity = drawn(teaching.layers.drawn[f"{rule} equity"])
        x, y = drawn(teaching.layers.drawn[f"{rule} price"])
        assert x == 37_500 and np.interp(x, at, equity) == pytest.approx(y, abs=150)
    assert teaching.reading["sum"]["closed"] and not teaching.reading["scan"]["closed"]
    assert "by the sum closed, at 41,512" in teaching.reading["sentence"]
    first, second = teaching.layers.vessels.shown
    assert first.name == "sum" and second.equity == pytest.approx(teaching.reading["scan"]["equity"])


def test_what_a_price_does_not_change_is_worked_out_once(teaching, monkeypatch):
    teaching.preset("short straddle")
    monkeypatch.setattr(UnifiedAccount, "run", None)
    teaching.set(move=20)
    assert teaching.error is None and teaching.reading["price"] == 60_000


def test_the_goals_of_explore(teaching):
    """(a), (b): the least collateral to a hundred; (c): a hedged book for which the scan asks more."""
    for preset, move, sums, scans in (("lone perpetual", -12, 6_200, 13_100),
                                      ("protective put, a fall of 25 %", -25, 14_000, 6_400)):  # fmt: skip
        for rule, least in (("sum", sums), ("scan", scans)):
            for cash, lives in ((least, True), (least - 100, False)):
                account = teaching.named(preset) | {"cash": cash, "move": move}
                book = Book("teaching", **account)
                equity, required = book.stand(rule, book.price)
                assert (equity > required) == lives
        for cash in (sums, scans):
            read = teaching.read(**teaching.named(preset) | {"cash": float(cash), "move": float(move)})
            if not read["refused"]:
                assert read["scan" if cash == scans else "sum"]["closed"] is False
    covered = teaching.read(**teaching.named("covered call, a rise of 80 %") | {"move": 0.0})
    assert covered["scan"]["required"] > covered["sum"]["required"]


@pytest.mark.parametrize("name, value", [("instrument", 5), ("entry", 0), ("entry", math.nan), ("days", 30)])
def test_bad_input_is_refused(name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        UnifiedAccount(**{name: value})


def test_an_inverse_contract_is_refused():
    with pytest.raises(ValueError, match="linear"):
        UnifiedAccount(instrument=Perpetual("BTC-USD", "BTC", "BTC", face=100))


# ----------------------------------------------------------------------- the square

TABLE = {"a sum": {"apart": [20.0, 22.0], "one pool": [42.0]}, "a scan": {"apart": [80.0, 90.0], "one pool": [6.0]}}


def test_the_square_says_what_it_draws():
    axes = square(TABLE, {("a scan", "one pool"): "portfolio margin"}, unit="USDT")
    lines = axes.figure.reading.splitlines()
    assert lines == [
        "a sum, apart: 42 USDT (20 and 22) required.",
        "a sum, one pool: 42 USDT required.",
        "a scan, apart: 170 USDT (80 and 90) required.",
        "a scan, one pool (portfolio margin): 6 USDT required.",
    ]
    wide = [bar.get_width() for bar in axes.patches]
    parts = [part for row in TABLE.values() for cell in row.values() for part in cell]
    assert np.allclose(np.array(wide) / max(wide), np.array(parts) / max(parts))
    texts = [text.get_text() for text in axes.texts]
    assert {"42 USDT", "170 USDT", "6 USDT", "portfolio margin"} <= set(texts)
    assert all(0 <= bar.get_x() % 1 and (bar.get_x() % 1) + bar.get_width() <= 1 for bar in axes.patches)


def test_a_square_with_holes_is_refused():
    with pytest.raises(ValueError, match="columns"):
        square({"a sum": {"apart": [1]}, "a scan": {"one pool": [1]}})


def test_its_image_carries_its_reading():
    figure = square(TABLE).figure
    assert figure._repr_mimebundle_()[1]["image/png"]["alt"] == figure.reading
    assert not re.search(r"\d{7}", figure.reading)


# ------------------------------------------------------------ the scan as a map


def test_the_map_shades_each_scenario_and_frames_the_worst(teaching):
    teaching.preset("covered call, a rise of 80 %")
    html, gains = teaching.view.value, teaching.layers.gains
    rects = re.findall(r'<rect ([^>]*width="9"[^>]*)/>', html.partition("</svg>")[0])
    assert gains.shape == (9, 3) and len(rects) == 27
    (framed,) = [rect for rect in rects if "currentColor" in rect]
    corner = [max(float(re.search(rf' ?{axis}="([\d.]+)"', rect)[1]) for rect in rects) for axis in "xy"]
    x, y = (float(re.search(rf'{axis}="([\d.]+)"', framed)[1]) for axis in "xy")
    assert x == corner[0] and y < corner[1], "a rise of 16 %, the volatility up"
    assert gains.min() == gains[8, 2] and f"worst: {gains.min():,.0f}" in html
    assert 'fill="#D55E00"' in framed, "the worst is a loss"
    assert sum('fill="#D55E00"' in rect for rect in rects) == (gains < 0).sum()
    teaching.set(book="straddle", cash=0.0)
    assert teaching.reading["refused"] and "fill-opacity" not in teaching.view.value.partition("</svg>")[0]


def test_a_picture_of_a_scan_says_its_worst_and_its_best():
    account = Account(venues.TEACHING_PORTFOLIO, USDT=1e5).mark(BTC=50_000)
    account = account.trade(Perpetual("P", "BTC", "USDT", tiers=Tiers.flat(0.01)), 1, 50_000)
    said = scan_map(account.cross, "BTC").figure.reading
    assert said.startswith("27 scenarios: -16% to +16% of BTC, -22% to +40% of its volatility.")
    assert "-16% and -22%: -8,000 USD; the best: 8,000 USD" in said
    few = replace(account.cross, venue=replace(account.venue, scan=venues.PARADEX_GRID))
    assert scan_map(few, "BTC").figure.reading.startswith("24 scenarios: -66% to +500% of BTC")
    with pytest.raises(ValueError, match="nothing on it is scanned"):
        scan_map(replace(account.cross, venue=venues.TEACHING_UNIFIED), "BTC")
