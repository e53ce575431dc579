"""The explorer of lesson 03, against the same trade paid for one by one, by plain arithmetic."""

import re
from itertools import product
from math import floor, inf

import numpy as np
import pytest

from marginlab import Account, Perpetual, Pool, Position, Tiers, replace
from marginlab.lesson import FundingRates, figures
from tests.lesson.shown import drawn, numbers, plain, same, states

MODES = {"isolated": "", "cross": ", cross"}
ETH = Perpetual("ETH-USDT", index="ETH", settle="USDT")
FLAT = ((0, 0.004, 125),)
STEPS = ((0, 0.005, 100), (4_000, 0.02, 40), (6_000, 0.05, 20))  # a rise makes a short dearer
KINDS = {
    "inverse": ({}, FLAT),
    "linear": ({"instrument": ETH, "entry": 2_500.0, "balance": 300.0, "size": 1_234.5}, FLAT),
    "tiers": (
        {
            "instrument": replace(ETH, tiers=Tiers(STEPS)),
            "entry": 1_234.5,
            "balance": 1_900.0,
            "size": 5_000.0,
        },
        STEPS,
    ),
    "paid in full": ({"size": 10.0}, FLAT),
    "capped": (
        {
            "instrument": Perpetual("X-USDT", "X", "USDT", tiers=Tiers(((0, 0.05, 8),), cap=49)),
            "size": 50.0,
        },
        ((0, 0.05, 8),),
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def explorer(kind):
    return FundingRates(**KINDS[kind][0])


# ------------------------------------------------- the trade, once more


class Trade:
    """One mode of a state: margin less payments, one by one, until it stands at the requirement."""

    def __init__(self, explorer, rows, behind, side, rate, interval, days):
        self.explorer, self.behind, self.each = explorer, behind, side * explorer.size * rate / 100
        size, slices = explorer.size, zip(rows, [row[0] for row in rows[1:]] + [inf], strict=True)
        self.requirement = sum(r * max(0.0, min(size, top) - low) for (low, r, _), top in slices)
        contract, entry = explorer.instrument, explorer.entry
        coins = side * size * (entry if contract.inverse else 1 / entry)
        self.position = Position(contract, coins / contract.face, entry)
        self.count, self.closed, self.equity = floor(days * 24 / interval + 1e-12), False, behind
        for k in range(1, self.count + 1):
            self.equity -= self.each
            if self.equity <= self.requirement * (1 + 1e-9):
                self.count, self.closed = k, True
                break
        self.day = self.count * interval / 24
        self.lost = max(0.0, self.equity) if self.closed else 0.0
        missing = self.closed and self.equity < -1e-9 * size
        self.missing = -self.equity if missing else 0.0
        paid = self.count * self.each
        self.account = explorer.balance - paid - self.lost + self.missing

    def price(self, equity):
        """Where the trade is liquidated with so much equity at the entry; None if nowhere."""
        e = self.explorer
        marks = {e.instrument.index: e.entry}
        found = Pool(e.unit, {e.unit: equity}, [self.position], e.venue, marks).liquidation()
        return found.above.price if found.low is None else found.below.price


def trades(explorer, kind, leverage, **state):
    """{mode: Trade}, or None if the venue opens one of them not; and the reasons by mode."""
    unit, contract = explorer.unit, explorer.instrument
    behind = {"isolated": explorer.size / leverage, "cross": explorer.balance}
    start = Account(explorer.venue, **{unit: explorer.balance})
    start = start.mark(**{contract.index: explorer.entry})
    count, reasons = explorer.size / abs(contract.notional(1.0, explorer.entry)), {}
    for mode, how in (("isolated", {"isolated": True, "leverage": leverage}), ("cross", {})):
        try:
            start.trade(contract, count, explorer.entry, **how)
        except ValueError as error:
            reasons[mode] = str(error)
    rows = KINDS[kind][1]
    made = {mode: Trade(explorer, rows, behind[mode], **state) for mode in MODES}
    return None if reasons else made, reasons


# --------------------------------------------------------------- the checks


def check_reading(explorer, reading, made, reasons, state):
    told = {mode: reading[mode]["refused"] for mode in MODES if reading[mode]["refused"]}
    assert told == reasons
    if reasons:
        return
    out = 1e-9 * explorer.size
    assert reading["each"] == pytest.approx(made["cross"].each)
    assert reading["payments"] == floor(state["days"] * 24 / state["interval"] + 1e-12)
    assert reading["year"] == pytest.approx(state["rate"] / 100 * 365 * 24 / state["interval"])
    for mode, trade in made.items():
        column = reading[mode]
        assert bool(column["closed"]) == trade.closed and column["count"] == trade.count, mode
        assert (column["left"] <= reading["payments"]) == trade.closed, mode
        assert column["left"] == (trade.count if trade.closed else column["left"])
        assert trade.each > 0 or (column["left"] == inf and not trade.closed)
        want = {
            "behind": trade.behind,
            "paid": trade.count * trade.each,
            "equity": 0.0 if trade.closed else trade.equity,
            "account": trade.account,
        }
        told = {name: column[name] for name in want}
        assert told == pytest.approx(want, rel=1e-9, abs=out), mode
        if trade.closed:
            event = column["closed"]
            assert (event.lost, event.shortfall) == pytest.approx((trade.lost, trade.missing), rel=1e-9, abs=out)
        ends = (("liquidation", trade.behind), ("now", None if trade.closed else trade.equity))
        for name, equity in ends:
            if equity is None:
                assert column[name] is None
                continue
            price = trade.price(equity)
            same_ = price if price is None else pytest.approx(price, rel=1e-7)
            assert column[name].price == same_, (mode, name)


def check_sentence(explorer, sentence, made, reasons, state):
    """What the sentence says, every number in it, and nothing else."""
    plain(sentence)
    if reasons:
        said = "; ".join(f"{mode}: {reason}" for mode, reason in reasons.items())
        assert sentence == f"The venue would not open this trade, {said}."
        return
    said, split, ends = sentence.partition("With the price unchanged: ")
    each, unit = made["cross"].each, explorer.unit
    assert split
    if each == 0:
        assert said.strip() == "The rate is 0: nobody pays."
    else:
        who = "long" if state["side"] > 0 else "short"
        assert said.startswith(f"The {who} {'pays' if each > 0 else 'receives'} ")
        found = numbers(said.replace("every hour:", "every 1 hours:"))
        amount, hours, rate, size, year, share, margin = found
        behind = made["isolated"].behind
        wanted = abs(state["rate"]) * 8_760 / state["interval"]
        assert year == pytest.approx(wanted, rel=5.1e-4)
        same([amount, size, margin], [abs(each), explorer.size, behind])
        assert said.count(f" {unit}") == 2 and hours == state["interval"]
        assert rate == pytest.approx(abs(state["rate"]), rel=5.1e-4)
        assert share == pytest.approx(abs(each) / behind * 100, rel=5.1e-3)
    isolated, split, cross = ends.partition("; cross, ")
    assert split and isolated.startswith("isolated, ")
    for text, trade in zip((isolated, cross.removesuffix(".")), made.values(), strict=True):
        assert ("closed" in text, "open" in text) == (trade.closed, not trade.closed), text
        shown = numbers(text)
        if trade.closed:
            assert shown == [trade.count, pytest.approx(trade.day, rel=5.1e-3)]
            continue
        assert shown.pop(0) == pytest.approx(state["days"], rel=5.1e-3)
        before, now = trade.price(trade.behind), trade.price(trade.equity)
        prices = [now] if each == 0 or before == now else [before, now]
        assert ("gone from" in text) == (len(prices) == 2)
        same(shown, [price for price in prices if price is not None])
        assert text.count("none") + text.count("no price") == prices.count(None), text


def check_table(explorer, table, made, reasons, state):
    (head, rows), unit = table, explorer.unit
    named = {row[0]: dict(zip(MODES, row[1:], strict=True)) for row in rows}
    assert head == ["", *MODES]
    if reasons:
        assert named == {"opened": {mode: "no" if mode in reasons else "yes" for mode in MODES}}
        return
    (funding,) = [name for name in named if name.startswith("funding in")]
    assert numbers(funding) == [pytest.approx(state["days"], rel=5.1e-3)]
    order = ["stands behind it", funding, "equity at the end", "liquidation takes"]
    assert list(named) == [*order, "the whole account", "liquidation price", explorer.marked]
    for mode, trade in made.items():
        row = {name: cell[mode] for name, cell in named.items()}
        equity, paid = 0.0 if trade.closed else trade.equity, trade.count * trade.each
        for name, value in zip(
            ("stands behind it", "equity at the end", "the whole account"),
            (trade.behind, equity, trade.account),
            strict=True,
        ):
            assert row[name].endswith(f" {unit}")
            same(numbers(row[name]), [value])
        assert row[funding].endswith(f" {unit}")
        assert float(row[funding].split()[0].replace(",", "")) == pytest.approx(-paid, rel=5.1e-4)
        sign = "-" if paid > 0 else "+"
        assert row[funding][0] == sign if paid else row[funding] == f"0 {unit}"
        first, _, then = row["liquidation price"].partition(", then ")
        if trade.closed:
            told = [trade.lost] + [trade.missing] * bool(trade.missing)
            same(numbers(row["liquidation takes"]), told)
            assert ("missing" in row["liquidation takes"]) == bool(trade.missing)
            number, day = numbers(row[explorer.marked])
            assert number == trade.count and day == pytest.approx(trade.day, rel=5.1e-3)
            assert then == "closed"
        else:
            assert row["liquidation takes"] == "" and row[explorer.marked] == "no"
            prices = [trade.price(trade.behind), trade.price(trade.equity)]
            for text, price in zip((first, then), prices, strict=True):
                same(numbers(text), [] if price is None else [price])
                assert (text == "none") == (price is None)


def check_drawn(explorer, reading, made, state):
    """What lies in the panels: where the lines start and end, and the points between."""
    artists, (left, right) = explorer.layers.drawn, explorer.layers.axes
    marks = []
    for mode, suffix in MODES.items():
        equities, prices = artists[f"equity{suffix}"], artists[f"liquidation{suffix}"]
        assert equities.axes is left and prices.axes is right
        (x, equity), (x_, line) = equities.get_data(), prices.get_data()
        assert list(x) == list(x_)
        if reading[mode]["refused"] or made is None:
            assert bool(len(x)) != bool(reading[mode]["refused"])
            continue
        trade = made[mode]
        assert x[0] == 0 and x[-1] == pytest.approx(trade.day) and len(x) > min(trade.count, 60)
        if trade.closed:
            marks.append(trade.day)
            assert x[-1] == x[-2] and equity[-1] == 0 and np.isnan(line[-1])
            x, equity, line = x[:-1], equity[:-1], line[:-1]
        k, out = x * 24 / state["interval"], 1e-9 * explorer.size
        assert (np.diff(x) > 0).all()
        np.testing.assert_allclose(k, k.round(), atol=1e-6)
        np.testing.assert_allclose(equity, trade.behind - k * trade.each, rtol=1e-9, atol=out)
        for i in {*range(0, len(k), 7), len(k) - 1}:
            if equity[i] > 1e-6 * explorer.size:
                price = trade.price(float(equity[i]))
                same_ = not line[i] > 0 if price is None else line[i] == pytest.approx(price)
                assert same_, (mode, i)
    needed = reading["isolated"]["refused"] or made["isolated"].requirement if made else None
    if made:
        want = [[0, state["days"]], [pytest.approx(needed)] * 2]
        assert [list(row) for row in artists["requirement"].get_data()] == want
        assert list(artists["closed"].get_xdata()) == [pytest.approx(day) for day in marks]
        assert list(artists["closed"].get_ydata()) == [explorer.entry] * len(marks)
        ends = [(one.behind, one.behind - one.count * one.each) for one in made.values()]
        assert max(map(max, ends)) <= left.get_ylim()[1] <= 2.6 * max(explorer.balance, *map(max, ends))
        seen = drawn(artists["liquidation"])[1], drawn(artists["liquidation, cross"])[1]
        for price in np.concatenate([*seen, [explorer.entry]]):
            outside = price >= 6 * explorer.entry or not price > 0  # as its limits say
            assert outside or right.get_ylim()[0] <= price <= right.get_ylim()[1]
    elif reading["isolated"]["refused"]:
        assert drawn(artists["requirement"]).size == 0
    assert left.get_xlim() == right.get_xlim() and left.get_xlim()[0] == 0 > left.get_ylim()[0]
    assert left.get_xlim()[1] >= state["days"]


def test_every_state_reads_and_draws_as_the_arithmetic_says(explorer, kind):
    swept, limits = states(explorer, count=20, starts=1), {}
    seen = {"refused": 0, "closed": 0, "both": 0, "open": 0, "missing": 0}
    for n, state in enumerate(swept):
        reading = explorer.read(**state)
        made, reasons = trades(explorer, kind, **state)
        try:
            check_reading(explorer, reading, made, reasons, state)
            check_sentence(explorer, reading["sentence"], made, reasons, state)
            check_table(explorer, reading["table"], made, reasons, state)
            if n % 3 == 0:
                key = explorer.draw(explorer.layers, reading)
                check_drawn(explorer, reading, made, state)
                now = [(axes.get_xlim(), axes.get_ylim()) for axes in explorer.layers.axes]
                assert limits.setdefault(key, now) == now, "the axes moved, and the key did not"
        except AssertionError as error:
            raise AssertionError(f"at {state}: {error}") from error
        ended = [trade.closed for trade in made.values()] if made else []
        seen["refused"] += made is None
        seen["closed"] += any(ended)
        seen["both"] += bool(ended) and all(ended)
        seen["open"] += bool(ended) and not any(ended)
        seen["missing"] += bool(made) and any(trade.missing for trade in made.values())
    assert bool(seen.pop("refused")) == (kind in ("tiers", "capped")), seen
    assert all(count > 1 for count in seen.values()) or kind == "capped", seen
    different = {str(now) for now in limits.values()}
    assert len(different) == len(limits) >= 4 - 3 * (kind == "capped")
    explorer.update()


# ------------------------------------------------------- payment by payment


@pytest.mark.parametrize("kind", ["inverse", "linear"])
def test_it_ends_as_an_account_that_pays_one_by_one(kind):
    explorer = FundingRates(**KINDS[kind][0])
    contract, entry = explorer.instrument, explorer.entry
    for state in explorer.presets.values():
        reading, rate = explorer.read(**state), state["rate"] / 100
        count = state["side"] * explorer.size / abs(contract.notional(1.0, entry))
        isolated = {"isolated": True, "leverage": state["leverage"]}
        for mode, how in (("isolated", isolated), ("cross", {})):
            account = Account(explorer.venue, **{explorer.unit: explorer.balance})
            account = account.mark(**{contract.index: entry}).trade(contract, count, entry, **how)
            made, column = 0, reading[mode]
            while made < state["days"] * 24 // state["interval"] and not account.liquidations:
                account, made = account.pay_funding(contract, rate).at(), made + 1
            assert column["count"] == made and bool(column["closed"]) == bool(account.liquidations)
            worth = sum(pool.equity() for pool in account.pools)
            assert column["account"] == pytest.approx(worth, abs=1e-9 * explorer.size)


def test_a_last_payment_that_meets_the_line_just_so_is_the_last():
    """9.8 of slack at 0.05 a payment: 196, whatever the rounding of the sum."""
    explorer, tried = FundingRates(), 0
    for leverage, rate in product((5, 10, 20, 25, 50, 100), (0.05, 0.1, 0.2, 0.4, 0.8)):
        payments = (50 / leverage - 0.2) / (50 * rate / 100)
        if abs(payments - round(payments)) < 1e-9 and payments <= 90 * 24:
            tried += 1
            for side in (1, -1):
                state = {"leverage": leverage, "side": side, "rate": side * rate}
                column = explorer.read(**state, interval=1, days=90.0)["isolated"]
                assert column["left"] == round(payments)
                assert column["closed"].lost == pytest.approx(0.2)
    assert tried > 10


# -------------------------------------------------------- presets and the lesson


def test_controls_and_presets(explorer, kind):
    assert list(explorer.controls) == ["leverage", "side", "rate", "interval", "days"]
    sliders = {name: c for name, c in explorer.controls.items() if hasattr(c, "step")}
    least = {"inverse": 5, "linear": 5, "tiers": 3, "paid in full": 1, "capped": 5}[kind]
    reach = {name: (c.min, c.max, c.step) for name, c in sliders.items()}
    assert reach.pop("leverage") == (least, 20 * least, 1)
    assert reach == {"rate": (-2, 2, 0.005), "days": (1, 90, 1)}
    hours = explorer.controls["interval"]
    told = [numbers(tip) for tip in hours.tooltips]
    assert list(hours.options.values()) == [1, 4, 8] and told == [[24], [6], [3]]
    assert explorer.controls["side"].options == {"Long": 1, "Short": -1}
    tips = ("pays a positive rate", "pays a negative rate")
    assert explorer.controls["side"].tooltips == tips
    for name, state in explorer.presets.items():
        assert (state["side"] == -1) == ("short" in name) and state["interval"] == 8
        for shown in re.findall(r"(-?[\d.,]+) %(?! a year)", name):
            assert float(shown) == state["rate"], name
        for shown in re.findall(r"(-?[\d.,]+) % a year", name):
            year = float(shown.replace(",", ""))
            assert round(explorer.read(**state)["year"] * 100, -1) == year
        assert (state["side"] * state["rate"] > 0) == ("receives" not in name)
        more = 5 if "five times the leverage" in name else 1
        assert state["leverage"] == 2 * more * explorer.least


def test_the_lessons_own_figures():
    """Ten coins, five of them behind a long of 50: 0.1 % every eight hours, as in the prose."""
    explorer = FundingRates()
    first = {"leverage": 10, "side": 1, "rate": 0.1, "interval": 8, "days": 40}
    assert explorer.state() == first
    assert explorer.reading["sentence"] == (
        "The long pays 0.05 BTC every 8 hours: 0.1 % of its 50 BTC (109.5 % a year), 1 % of its "
        "isolated margin of 5. With the price unchanged: isolated, it is closed after 96 payments, "
        "32 days; cross, it is open after 40 days, its liquidation price gone from 41,833.3 to "
        "46,481.5."
    )
    rows = {row[0]: row[1:] for row in explorer.reading["table"][1]}
    assert rows["funding in 40 days"] == ["-4.8 BTC", "-6 BTC"]
    assert rows["liquidation takes"] == ["0.2 BTC", ""]
    assert rows["the whole account"] == ["5 BTC", "4 BTC"]
    assert rows["closed after"] == ["96 payments, 32 days", "no"]
    explorer.set(days=90)  # cross: 9.8 of slack, 196 payments, a third of a day each
    closed = explorer.layers.drawn["closed"]
    assert list(closed.get_xdata()) == [32, pytest.approx(65 + 1 / 3)]
    assert explorer.reading["cross"]["left"] == 196
    rows = {r[0]: r[1] for r in explorer.read(**first | {"leverage": 100.0, "rate": 2.0})["table"][1]}
    assert rows["liquidation takes"] == "0 BTC; 0.5 missing"
    assert rows["the whole account"] == "9.5 BTC"
    rising = explorer.read(**first | {"side": -1, "rate": 2.0, "interval": 1, "days": 90.0})
    ends = {row[0]: row[1:] for row in rising["table"][1]}["liquidation price"]
    assert ends == ["55,333.3, then none", "62,250, then none"], "worth more than it sold"


def test_the_vessels_are_the_pools():
    explorer = FundingRates()
    isolated, cross = explorer.layers.vessels.shown
    assert (isolated.collateral, isolated.equity, isolated.isolated) == (5, 0, True)
    assert isolated.sentence == "isolated: closed, 4.8 BTC paid in funding, 0.2 lost at its line."
    assert (cross.collateral, cross.required) == (10, 0.2) and cross.equity == pytest.approx(4)
    explorer.preset("a short that receives 0.05 %")
    gains = [vessel.pnl for vessel in explorer.layers.vessels.shown]
    assert gains == pytest.approx([-explorer.reading["each"] * explorer.reading["payments"]] * 2)
    assert max(vessel.equity for vessel in explorer.layers.vessels.shown) <= explorer.layers.vessels.sheet.top


def test_two_panels_on_scales_of_their_own():
    explorer = FundingRates()
    left, right = explorer.layers.axes
    assert [axes.get_xlabel() for axes in (left, right)] == ["days", "days"]
    assert (left.get_ylabel(), right.get_ylabel()) == ("BTC", "USD")
    assert "equity" in left.get_title() and "liquidation price" in right.get_title()
    assert right.get_ylim() == (0.6 * 50_000, 1.5 * 50_000)
    for name, artist in explorer.layers.drawn.items():
        assert artist.get_color() == figures.STYLES[name]["color"], name
    words = [[t.get_text() for t in a.get_legend().get_texts()] for a in (left, right)]
    assert words == [["isolated", "cross", "requirement"], ["isolated", "cross", "closed"]]
    grey = figures.STYLES["entry"]["color"]
    entry = [list(line.get_ydata()) for line in right.lines if line.get_color() == grey]
    assert entry == [[50_000, 50_000]]
