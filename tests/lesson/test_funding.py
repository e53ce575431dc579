"""The explorer of lesson 03: what it shows against the same trade, paid for by plain arithmetic and step by step."""

import io
import math
import random
import re
from marginlab import replace
from itertools import combinations, pairwise, product

import numpy as np
import pytest
from PIL import Image

from marginlab import Account, Perpetual, Pool, Position, Tiers, venues
from marginlab.lesson import figures
from marginlab.lesson.explorers import FundingRates
from tests.lesson.shown import Cells, close, numbers, same

MODES = ("isolated", "cross")
ETH = Perpetual("ETH-USDT", index="ETH", settle="USDT")
STEPS = Tiers(((0, 0.005, 100), (4_000, 0.02, 40), (6_000, 0.05, 20)))  # a rise makes a short dearer
# Rows of (floor, rate) by which the requirement is worked out here.
FLAT = ((0, 0.004),)
KINDS = {
    "inverse": ({}, FLAT),
    "linear": ({"instrument": ETH, "entry": 2_500.0, "balance": 300.0, "size": 1_234.5}, FLAT),
    "tiers": (
        {"instrument": replace(ETH, tiers=STEPS), "entry": 1_234.5, "balance": 1_900.0, "size": 5_000.0},
        ((0, 0.005), (4_000, 0.02), (6_000, 0.05)),
    ),
    "coin": (
        {"venue": venues.BINANCE_COIN_2020_06, "entry": 9_500.0, "balance": 2.0, "size": 15.0},
        ((0, 0.004), (10, 0.005), (20, 0.01), (30, 0.025), (50, 0.05)),
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def explorer(kind):
    return FundingRates(**KINDS[kind][0])


def state_of(*values):
    """A state by its values, in the order of the controls."""
    return dict(zip(("leverage", "side", "rate", "interval", "days"), values, strict=True))


def read(explorer, *values, **changes):
    """The reading of the first preset with changes, or of a state by its values."""
    first = next(iter(explorer.presets.values()))
    return explorer.read(**(state_of(*values) if values else first | changes))


# ------------------------------------------------- the trade, once more


class Trade:
    """One mode of a state: margin less payments, one by one, until it stands at the requirement."""

    def __init__(self, explorer, rows, behind, side, rate, interval, days):
        self.explorer, self.behind, self.each = explorer, behind, side * explorer.size * rate / 100
        tops = [floor for floor, _ in rows[1:]] + [math.inf]
        self.requirement = sum(
            share * max(0.0, min(explorer.size, top) - floor) for (floor, share), top in zip(rows, tops, strict=True)
        )
        contract, entry = explorer.instrument, explorer.entry
        self.contracts = side * explorer.size * (entry if contract.inverse else 1 / entry) / contract.face
        self.count, self.closed, self.equity = math.floor(days * 24 / interval + 1e-12), False, behind
        for k in range(1, self.count + 1):
            self.equity -= self.each
            if self.equity <= self.requirement * (1 + 1e-9):
                self.count, self.closed = k, True
                break
        self.day = self.count * interval / 24
        noise = 1e-9 * explorer.size
        self.lost = max(0.0, self.equity) if self.closed else 0.0
        self.missing = -self.equity if self.closed and self.equity < -noise else 0.0
        self.account = explorer.balance - self.count * self.each - self.lost + self.missing

    def pool(self, equity):
        """A pool of its own with so much equity at the entry."""
        e = self.explorer
        unit, index = e.instrument.settle, e.instrument.index
        return Pool(unit, {unit: equity}, [Position(e.instrument, self.contracts, e.entry)], e.venue, {index: e.entry})

    def price(self, equity):
        """Where the trade is liquidated with so much equity at the entry; None if nowhere."""
        found = self.pool(equity).liquidation()
        assert found.low is None or found.high is None
        return found.high if found.low is None else found.low


def trades(explorer, kind, leverage, **state):
    behind = {"isolated": explorer.size / leverage, "cross": explorer.balance}
    return {mode: Trade(explorer, KINDS[kind][1], behind[mode], **state) for mode in MODES}


def refused(explorer, leverage):
    """Why the venue would not open the trade in either mode, in the order of the modes."""
    unit, contract, reasons = explorer.instrument.settle, explorer.instrument, {}
    start = Account(explorer.venue, **{unit: explorer.balance}).mark(**{contract.index: explorer.entry})
    for mode, how in (("isolated", {"isolated": True, "leverage": leverage}), ("cross", {})):
        try:
            start.trade(contract, explorer.size / abs(contract.notional(1.0, explorer.entry)), explorer.entry, **how)
        except ValueError as error:
            reasons[mode] = str(error)
    return reasons


# --------------------------------------------------------------- the checks


def plain(text):
    """Words for readers: no noise, nothing that is not a number."""
    assert not re.search(r"\.\d*9999\d|\.\d*00000\d|\bnan\b|\binf\b|\bNone\b|∞", text), text


def check_reading(explorer, kind, reading, state):
    """Every figure of a reading, and its sentence."""
    plain(reading["sentence"])
    reasons = refused(explorer, state["leverage"])
    assert {mode: reading[mode]["refused"] for mode in MODES if reading[mode]["refused"]} == reasons
    if reasons:
        assert next(iter(reasons.values())) in reading["sentence"] and "would not open" in reading["sentence"]
        return None
    made, out = trades(explorer, kind, **state), 1e-9 * explorer.size
    assert reading["each"] == pytest.approx(made["cross"].each) and np.sign(reading["each"]) == np.sign(
        state["side"] * state["rate"]
    )
    assert reading["payments"] == math.floor(state["days"] * 24 / state["interval"] + 1e-12)
    assert reading["year"] == pytest.approx(state["rate"] / 100 * 365 * 24 / state["interval"])
    for mode, trade in made.items():
        column = reading[mode]
        assert (column["closed"] is not None) == trade.closed, mode
        assert column["count"] == trade.count and column["end"] == pytest.approx(trade.day)
        assert (column["left"] <= reading["payments"]) == trade.closed, mode
        if trade.closed:
            assert (column["left"], column["closed"]) == (trade.count, pytest.approx(trade.day))
        if trade.each <= 0:
            assert column["left"] == math.inf and not trade.closed
        expected = {
            "behind": trade.behind,
            "paid": trade.count * trade.each,
            "equity": 0.0 if trade.closed else trade.equity,
            "lost": trade.lost,
            "short": trade.missing,
            "account": trade.account,
        }
        assert {name: column[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=out), mode
        first, now = trade.price(trade.behind), None if trade.closed else trade.price(trade.equity)
        assert column["liquidation"] == pytest.approx(first or 0.0, rel=1e-9), mode
        assert column["now"] == (None if trade.closed else pytest.approx(now or 0.0, rel=1e-7)), mode
    assert made["isolated"].account >= explorer.balance - made["isolated"].behind - out or made["isolated"].each < 0
    check_sentence(explorer, reading["sentence"], made, state)
    return made


def told(price):
    """(words, numbers) of a liquidation price."""
    return ("none", []) if price is None else ("", [price])


def check_sentence(explorer, sentence, made, state):
    """What the sentence says, every number in it, and nothing else."""
    said, split, ends = sentence.partition("With the price unchanged: ")
    assert split and sentence.endswith(".") and not sentence.endswith("..")
    each, unit = made["cross"].each, explorer.instrument.settle
    if each == 0:
        assert said.strip() == "The rate is 0: nobody pays."
    else:
        who = "long" if state["side"] > 0 else "short"
        assert said.startswith(f"The {who} {'pays' if each > 0 else 'receives'} ")
        assert ("every hour:" in said) == (state["interval"] == 1)
        found = numbers(said.replace("every hour:", "every 1 hours:"))
        amount, hours, rate, size, year, share, margin = found
        assert year == pytest.approx(abs(state["rate"]) * 8_760 / state["interval"], rel=5.1e-4)
        same([amount, size, margin], [abs(each), explorer.size, made["isolated"].behind])
        assert said.count(f" {unit}") == 2 and hours == state["interval"]
        assert rate == pytest.approx(abs(state["rate"]), rel=5.1e-4)
        assert share == pytest.approx(abs(each) / made["isolated"].behind * 100, rel=5.1e-3)
    isolated, split, cross = ends.partition("; cross, ")
    assert split and isolated.startswith("isolated, ")
    for text, trade in ((isolated, made["isolated"]), (cross.removesuffix("."), made["cross"])):
        assert ("closed" in text, "open" in text) == (trade.closed, not trade.closed), text
        shown = numbers(text)
        if trade.closed:
            assert shown[0] == trade.count and shown[1] == pytest.approx(trade.day, rel=5.1e-3) and len(shown) == 2
            continue
        assert shown.pop(0) == pytest.approx(state["days"], rel=5.1e-3)
        before, now = trade.price(trade.behind), trade.price(trade.equity)
        prices = [now] if each == 0 or before == now else [before, now]
        assert ("gone from" in text) == (len(prices) == 2)
        same(shown, [price for price in prices if price is not None])
        assert text.count("none") + text.count("no price") == prices.count(None), text


def check_table(explorer, html, made, state):
    """The table under the picture, cell by cell."""
    cells, unit = Cells(html), explorer.instrument.settle
    head, *rows = cells.rows
    assert head == ["", *MODES] and all(len(row) == 3 for row in rows)
    named = {row[0]: dict(zip(MODES, row[1:], strict=True)) for row in rows}
    if made is None:
        reasons = refused(explorer, state["leverage"])
        assert named == {"opened": {mode: "no" if mode in reasons else "yes" for mode in MODES}}
        return
    (funding,) = [name for name in named if name.startswith("funding in")]
    assert numbers(funding) == [pytest.approx(state["days"], rel=5.1e-3)]
    order = ["stands behind it", funding, "equity at the end", "liquidation takes"]
    assert list(named) == [*order, "the whole account", "liquidation price", "closed after"]
    assert cells.marked == [rows[-1]]
    for mode, trade in made.items():
        row = {name: cell[mode] for name, cell in named.items()}
        for name, value in (
            ("stands behind it", trade.behind),
            ("equity at the end", 0.0 if trade.closed else trade.equity),
            ("the whole account", trade.account),
        ):
            assert row[name].endswith(f" {unit}")
            same(numbers(row[name]), [value])
        paid = trade.count * trade.each
        assert row[funding].endswith(f" {unit}")
        assert float(row[funding].split()[0].replace(",", "")) == pytest.approx(-paid, rel=5.1e-4)
        assert not paid or row[funding][0] == ("-" if paid > 0 else "+")
        if trade.closed:
            same(numbers(row["liquidation takes"]), [trade.lost] + [trade.missing] * bool(trade.missing))
            assert ("missing" in row["liquidation takes"]) == bool(trade.missing)
            number, day = numbers(row["closed after"])
            assert number == trade.count and day == pytest.approx(trade.day, rel=5.1e-3)
        else:
            assert row["liquidation takes"] == "" and row["closed after"] == "no"
        first, split, then = row["liquidation price"].partition(", then ")
        assert split
        for text, price in ((first, trade.price(trade.behind)), (then, trade.price(trade.equity))):
            if trade.closed and text is then:
                assert then == "closed"
            else:
                same(numbers(text), [] if price is None else [price])
                assert (text == "none") == (price is None)


def check_drawn(explorer, reading, made, state, every=7):
    """What lies in the panels: where the lines start and end, and the points between."""
    drawn, (left, right) = explorer.layers.drawn, explorer.layers.axes
    marks = []
    for mode, suffix in zip(MODES, ("", ", cross"), strict=True):
        (x, equity), (x_, line) = drawn[f"equity{suffix}"].get_data(), drawn[f"liquidation{suffix}"].get_data()
        if reading[mode]["refused"]:
            assert len(x) == len(x_) == 0
            continue
        assert list(x) == list(x_) and drawn[f"equity{suffix}"].axes is left
        assert drawn[f"liquidation{suffix}"].axes is right
        if made is None:
            continue
        trade = made[mode]
        assert x[0] == 0 and x[-1] == pytest.approx(reading[mode]["end"]) == pytest.approx(trade.day)
        assert (np.diff(x)[: len(x) - 2] > 0).all() and len(x) > min(trade.count, 60)
        if trade.closed:
            marks.append(trade.day)
            assert x[-1] == x[-2] and equity[-1] == 0 and np.isnan(line[-1])
            x, equity, line = x[:-1], equity[:-1], line[:-1]
        k = x * 24 / state["interval"]
        np.testing.assert_allclose(k, k.round(), atol=1e-6)
        np.testing.assert_allclose(equity, trade.behind - k * trade.each, rtol=1e-9, atol=1e-9 * explorer.size)
        for i in {*range(0, len(k), every), len(k) - 2, len(k) - 1}:
            if equity[i] > 1e-6 * explorer.size:
                price = trade.price(float(equity[i]))
                assert (not line[i] > 0) if price is None else line[i] == pytest.approx(price, rel=1e-7), (mode, i)
    if made:
        assert list(drawn["requirement"].get_xdata()) == [0, state["days"]]
        assert list(drawn["requirement"].get_ydata()) == [pytest.approx(made["isolated"].requirement)] * 2
        assert list(drawn["closed"].get_xdata()) == [pytest.approx(day) for day in marks]
        assert list(drawn["closed"].get_ydata()) == [explorer.entry] * len(marks)
        low, high = left.get_ylim()
        lowest = min(0.0, *(-trade.missing for trade in made.values()))
        highest = max(max(trade.behind, trade.behind - trade.count * trade.each) for trade in made.values())
        assert low < 0 and (highest <= high or high == 120 * explorer.balance)
        assert lowest >= low or lowest >= -0.02 * explorer.size  # a last payment may reach below the picture
    assert left.get_xlim() == right.get_xlim() and left.get_xlim()[0] == 0
    assert left.get_xlim()[1] >= state["days"]


# ----------------------------------------------------------------- the sweep


def values(explorer, name, here):
    """What a control is swept through: its ends, where it stands, a step to either side; 0 for the rate."""
    control = explorer.controls[name]
    if hasattr(control, "options"):
        return list(control.options.values())
    low, high, step = control.min, control.max, control.step
    found = [low, here, high, max(low, here - step), min(high, here + step), low + step, high - step]
    return list(dict.fromkeys(round(value, 9) for value in found + [0.0] * (name == "rate")))


def states(explorer, presets):
    """From each preset every control alone, and every pair of them, at their ends, a step off and in the middle."""
    found = {}
    for preset in presets:
        base = explorer.presets[preset]
        swept = {name: values(explorer, name, base[name]) for name in explorer.controls}
        changes = [{}] + [{name: value} for name, row in swept.items() for value in row]
        for one, other in combinations(swept, 2):
            few = [swept[one][:4], swept[other][:4]]
            changes += [{one: a, other: b} for a, b in product(*few)]
        for change in changes:
            state = base | change
            found[tuple(state.values())] = state
    return list(found.values())


def random_states(explorer, count, seed=3):
    """States on and between the steps of the sliders."""
    draw, found = random.Random(seed), []
    for i in range(count):
        state = {}
        for name, c in explorer.controls.items():
            if hasattr(c, "options"):
                state[name] = draw.choice(list(c.options.values()))
                continue
            value = draw.uniform(c.min, c.max) * (draw.choice((0.02, 0.2, 1)) if name == "rate" else 1)
            state[name] = round(c.min + round((value - c.min) / c.step) * c.step if i % 2 else value, 4)
        found.append(state)
    return found


def test_every_state_reads_and_draws_as_the_arithmetic_says(explorer, kind):
    presets = list(explorer.presets)
    swept = states(explorer, presets if kind == "inverse" else presets[:3:2]) + random_states(explorer, 60)
    seen, limits = {"refused": 0, "closed": 0, "both": 0, "open": 0, "missing": 0}, {}
    for state in swept:
        reading = explorer.read(**state)
        key = explorer.draw(explorer.layers, reading)
        try:
            made = check_reading(explorer, kind, reading, state)
            check_drawn(explorer, reading, made, state)
            check_table(explorer, explorer.words(reading), made, state)
        except AssertionError as error:
            raise AssertionError(f"at {state}: {error}") from error
        now = [(axes.get_xlim(), axes.get_ylim()) for axes in explorer.layers.axes]
        assert limits.setdefault(key, now) == now, "the axes moved, and the key did not"
        ended = [trade.closed for trade in made.values()] if made else []
        seen["refused"] += made is None
        seen["closed"] += any(ended)
        seen["both"] += bool(ended) and all(ended)
        seen["open"] += bool(ended) and not any(ended)
        seen["missing"] += bool(made) and any(trade.missing for trade in made.values())
    explorer.update()
    assert len(swept) > 200 and len(limits) >= 8
    assert len({str(now) for now in limits.values()}) == len(limits), "the key changed, and the axes did not"
    assert seen["missing"] > 1 and all(seen[name] > 5 for name in ("closed", "both", "open")), seen
    assert seen["refused"] if kind in ("tiers", "coin") else not seen["refused"], seen


def test_every_state_is_shown(kind):
    shown = FundingRates(**KINDS[kind][0])
    first = next(iter(shown.presets))
    frames = {}
    for state in states(shown, [first])[:: 3 if kind == "inverse" else 9] + random_states(shown, 12, seed=5):
        shown.set(**state)
        html, state = shown.view.value, shown.state()
        assert shown.error is None, (state, shown.error)
        assert html.count("<svg") == html.count("</svg>") == html.count('role="img"') == 1
        assert Cells(html).sentence == shown.reading["sentence"]
        made = None if refused(shown, state["leverage"]) else trades(shown, kind, **state)
        check_table(shown, html, made, state)
        frame = frames.setdefault(shown.axes_key, shown.still.value)
        assert shown.still.value == frame == shown.layers.still(), "more than the drawn artists moved"
    assert len(frames) > 2


def test_presets_and_both_sides(explorer, kind):
    for name, state in explorer.presets.items():
        explorer.preset(name)
        assert explorer.error is None and explorer.picker.value == name and explorer.state() == state
        for side in (1, -1):
            explorer.set(side=side)
            assert explorer.error is None
            made = check_reading(explorer, kind, explorer.reading, explorer.state())
            check_table(explorer, explorer.view.value, made, explorer.state())


# ------------------------------------------------------- payment by payment


def paid_step_by_step(explorer, mode, leverage, side, rate, interval, days):
    """(account, payments made) of a trade that pays one at a time, the venue acting after each."""
    contract, entry = explorer.instrument, explorer.entry
    how = {"isolated": True, "leverage": leverage} if mode == "isolated" else {}
    account = Account(explorer.venue, **{contract.settle: explorer.balance}).mark(**{contract.index: entry})
    account = account.trade(contract, side * explorer.size / abs(contract.notional(1.0, entry)), entry, **how)
    made = 0
    while made < int(days * 24 // interval) and not account.liquidations:
        account, made = account.pay_funding(contract, rate / 100).at(), made + 1
    return account, made


def check_steps(explorer, state):
    reading = explorer.read(**state)
    for mode in MODES:
        account, made = paid_step_by_step(explorer, mode, **state)
        column, out = reading[mode], 1e-9 * explorer.size
        assert column["count"] == made and (column["closed"] is None) == (not account.liquidations), (mode, state)
        assert column["account"] == pytest.approx(sum(p.equity() for p in account.pools), abs=out), (mode, state)
        if account.liquidations:
            (gone,) = account.liquidations
            assert (column["lost"], column["short"]) == pytest.approx((gone.lost, gone.shortfall), abs=out)
            continue
        pool = account[explorer.instrument]
        found = pool.liquidation()
        assert column["equity"] == pytest.approx(pool.equity(), abs=out), (mode, state)
        assert column["now"] == pytest.approx(found.low or found.high or 0.0, rel=1e-7), (mode, state)


def test_it_ends_as_an_account_that_pays_one_by_one(explorer):
    for state in [*explorer.presets.values(), *random_states(explorer, 12, seed=7)]:
        if not refused(explorer, state["leverage"]):
            check_steps(explorer, state)


def test_a_last_payment_that_meets_the_line_just_so_is_the_last():
    """9.8 of slack at 0.05 a payment: 196, whatever the rounding of the sum."""
    explorer, tried = FundingRates(), 0
    for leverage, rate in product((5, 10, 20, 25, 50, 100), (0.05, 0.1, 0.2, 0.4, 0.8)):
        payments = (50 / leverage - 0.2) / (50 * rate / 100)
        if abs(payments - round(payments)) < 1e-9 and payments <= 90 * 24:
            tried += 1
            for side in (1, -1):
                state = state_of(float(leverage), side, side * rate, 1, 90.0)
                column = explorer.read(**state)["isolated"]
                assert column["left"] == round(payments) and column["lost"] == pytest.approx(0.2)
                assert column["closed"] == pytest.approx(round(payments) / 24)
    assert tried > 10


# ---------------------------------------------------------- what must not happen


def figures_of(column):
    return {name: value for name, value in column.items() if name != "pool"}


def test_the_payment_is_the_same_in_both_modes_and_whatever_the_leverage(explorer):
    for rate, side in product((-1.0, -0.02, 0.02, 1.0), (1, -1)):
        readings = [read(explorer, float(leverage), side, rate, 8, 20.0) for leverage in range(explorer.least, 20, 3)]
        assert len({reading["each"] for reading in readings}) == 1
        for reading in readings:
            assert figures_of(reading["cross"]) == figures_of(readings[0]["cross"])
            for mode in MODES:
                column = reading[mode]
                assert column["paid"] / column["count"] == pytest.approx(reading["each"])
        assert read(explorer, 10.0, -side, rate, 8, 20.0)["each"] == -readings[0]["each"]


def lifetimes(explorer, states, what="left"):
    """How long isolated and cross trades last in each of some states that the venue opens."""
    read_ = [explorer.read(**state) for state in states]
    return [[reading[mode][what] for reading in read_] for mode in MODES if not read_[0][mode]["refused"]]


def test_more_leverage_never_lives_longer(explorer):
    for side, rate in product((1, -1), (0.02, 0.3, 2.0)):
        most = [x for x in range(explorer.least, 20 * explorer.least + 1) if not refused(explorer, x)]
        isolated, cross = lifetimes(explorer, [state_of(float(x), side, side * rate, 8, 60.0) for x in most])
        assert all(a >= b for a, b in pairwise(isolated))
        assert len(set(cross)) == 1 and isolated[0] <= cross[0]
        assert rate == 2.0 or isolated[-1] < isolated[0]
        assert rate != 0.02 or isolated[1] < cross[0]


def test_a_higher_rate_never_lives_longer_and_a_shorter_interval_ends_sooner(explorer):
    for side, leverage in product((1, -1), (1, 2)):
        ladder = [state_of(leverage * explorer.least, side, side * k / 50, 8, 90.0) for k in range(1, 101, 4)]
        for row in lifetimes(explorer, ladder):
            assert all(a >= b for a, b in pairwise(row)) and row[0] > row[-1]
        for rate in (0.2, 0.7, 2.0):
            hours = [state_of(2 * explorer.least, side, side * rate, h, 90.0) for h in (1, 4, 8)]
            for row in lifetimes(explorer, hours):
                assert len(set(row)) == 1, "the number of payments has nothing to do with the clock"
            for row in lifetimes(explorer, hours, "closed"):
                assert row == pytest.approx([row[2] / 8, row[2] / 2, row[2]])


def test_who_receives_is_never_closed_and_its_price_moves_away(explorer):
    for side, rate, interval in product((1, -1), (0.005, 0.05, 2.0), (1, 8)):
        reading = read(explorer, 2.0 * explorer.least, side, -side * rate, interval, 90.0)
        assert "receives" in reading["sentence"] and "pays" not in reading["sentence"]
        for mode in MODES:
            column = reading[mode]
            assert column["closed"] is None and column["left"] == math.inf
            assert column["equity"] > column["behind"] and column["account"] > explorer.balance
            assert not column["now"] or side * (column["now"] - column["liquidation"]) < 0


def test_at_a_rate_of_0_nobody_pays(explorer):
    for side, interval in product((1, -1), (1, 4, 8)):
        reading = read(explorer, 2.0 * explorer.least, side, 0.0, interval, 90.0)
        assert reading["each"] == reading["year"] == 0 and "nobody pays" in reading["sentence"]
        for mode in MODES:
            column = reading[mode]
            assert column["paid"] == 0 and column["closed"] is None and column["account"] == explorer.balance
            assert column["now"] == column["liquidation"] and column["equity"] == column["behind"]


def test_signs():
    explorer = FundingRates()
    for side, rate in product((1, -1), (0.1, -0.1)):
        reading = read(explorer, side=side, rate=rate)
        pays = side * rate > 0
        assert (reading["each"] > 0) == pays
        assert ("pays" in reading["sentence"], "receives" in reading["sentence"]) == (pays, not pays)
        assert (reading["isolated"]["equity"] < 5) == (reading["cross"]["equity"] < 10) == pays


def test_the_cap_holds_where_the_last_payment_is_more_than_is_left():
    """At 100x a payment of 2 % is twice the margin: half of it is missing, and the account loses its margin."""
    explorer, tried = FundingRates(), 0
    for leverage, side, rate in product((5, 10, 25, 50, 75, 100), (1, -1), (0.3, 0.77, 1.9, 2.0)):
        reading = read(explorer, float(leverage), side, side * rate, 8, 90.0)
        margin, column = 50 / leverage, reading["isolated"]
        assert column["account"] >= 10 - margin - 1e-12
        missing = column["paid"] - margin
        if missing > 1e-9:
            tried += 1
            assert column["account"] == pytest.approx(10 - margin) and column["short"] == pytest.approx(missing)
            (cell,) = [row[1] for row in reading["table"][1] if row[0] == "liquidation takes"]
            nothing, missed = cell.split("; ")
            assert numbers(nothing) == [0] and missed.endswith("missing") and close(numbers(missed)[0], missing)
    assert tried > 10
    rows = {row[0]: row[1] for row in read(explorer, 100.0, 1, 2.0, 8, 40.0)["table"][1]}
    assert rows["liquidation takes"] == "0 BTC; 0.5 missing" and rows["the whole account"] == "9.5 BTC"


# -------------------------------------------------------- presets and the lesson


def test_controls():
    explorer = FundingRates()
    assert list(explorer.controls) == ["leverage", "side", "rate", "interval", "days"]
    reach = {name: (c.min, c.max, c.step) for name, c in explorer.controls.items() if hasattr(c, "step")}
    assert reach == {"leverage": (5, 100, 1), "rate": (-2, 2, 0.005), "days": (1, 90, 1)}
    assert explorer.state() == state_of(10, 1, 0.1, 8, 40)
    for name, allowed in (("side", (1, -1)), ("interval", (1, 4, 8))):
        for value in allowed:
            explorer.set(**{name: value})
            assert explorer.error is None and explorer.state()[name] == value
    tips = dict(zip((1, 4, 8), explorer.controls["interval"].tooltips, strict=True))
    assert {hours: numbers(tip) for hours, tip in tips.items()} == {hours: [24 / hours] for hours in (1, 4, 8)}
    assert explorer.controls["side"].tooltips == ("pays a positive rate", "pays a negative rate")


def test_presets_are_what_their_names_say(explorer):
    names = list(explorer.presets)
    assert len(names) == 6
    for name, state in explorer.presets.items():
        assert (state["side"] == -1) == ("short" in name) and state["interval"] == 8
        for shown in re.findall(r"(-?[\d.,]+) %(?! a year)", name):
            assert float(shown) == state["rate"], name
        for shown in re.findall(r"(-?[\d.,]+) % a year", name):
            year = float(shown.replace(",", ""))
            assert year / (365 * 3) == pytest.approx(state["rate"], abs=0.0005), name
            assert round(explorer.read(**state)["year"] * 100, -1) == year
        pays = state["side"] * state["rate"] > 0
        assert pays == ("receives" not in name)
    leverage = {name: state["leverage"] for name, state in explorer.presets.items()}
    assert leverage.pop("five times the leverage: 0.01 %") == 5 * leverage[names[0]]
    assert set(leverage.values()) == {2 * explorer.least}


def test_the_lessons_own_figures():
    """Ten coins, five of them behind a long of 50: 0.1 % every eight hours, as in the lesson's prose."""
    explorer = FundingRates()
    assert explorer.reading["sentence"] == (
        "The long pays 0.05 BTC every 8 hours: 0.1 % of its 50 BTC (109.5 % a year), 1 % of its isolated margin of 5. "
        "With the price unchanged: isolated, it is closed after 96 payments, 32 days; cross, it is open after 40 days, "
        "its liquidation price gone from 41,833 to 46,481."
    )
    rows = {row[0]: row[1:] for row in explorer.reading["table"][1]}
    assert rows["stands behind it"] == ["5 BTC", "10 BTC"]
    assert rows["funding in 40 days"] == ["-4.8 BTC", "-6 BTC"]
    assert rows["equity at the end"] == ["0 BTC", "4 BTC"]
    assert rows["liquidation takes"] == ["0.2 BTC", ""]
    assert rows["the whole account"] == ["5 BTC", "4 BTC"]
    assert rows["closed after"] == ["96 payments, 32 days", "no"]
    explorer.set(days=90)  # cross: 9.8 of slack, 196 payments, a third of a day each
    assert explorer.reading["cross"]["closed"] == pytest.approx(65 + 1 / 3) and explorer.reading["cross"]["left"] == 196
    for k in (0, 1, 47, 95):  # an inverse long: 1/E + margin/contracts less maintenance, in coins
        explorer.set(days=max(1.0, k / 3))
        margin, face = 5 - 0.05 * explorer.reading["payments"], 50 * 50_000
        assert explorer.reading["isolated"]["now"] == pytest.approx(1.004 * face / (50 + margin))


# ------------------------------------------------------------------ the picture


def test_two_panels_on_scales_of_their_own():
    explorer = FundingRates()
    left, right = explorer.layers.axes
    assert [axes.get_xlabel() for axes in (left, right)] == ["days", "days"]
    assert (left.get_ylabel(), right.get_ylabel()) == ("BTC", "USD")
    assert "equity" in left.get_title() and "liquidation price" in right.get_title()
    assert right.get_ylim() == (0.6 * 50_000, 1.5 * 50_000)
    for name, artist in explorer.layers.drawn.items():
        assert artist.get_color() == figures.STYLES[name]["color"], name
        assert artist.axes is (left if name.startswith(("equity", "requirement")) else right), name
    words = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in (left, right)]
    assert words[0] == ["isolated", "cross", "requirement"] and words[1][:3] == ["isolated", "cross", "closed"]
    for mode, suffix in zip(MODES, ("", ", cross"), strict=True):
        assert explorer.layers.drawn[f"equity{suffix}"].get_label() == mode
        assert explorer.layers.drawn[f"liquidation{suffix}"].get_label() == mode
    entry = [line for line in right.lines if line.get_color() == figures.STYLES["entry"]["color"]]
    assert [list(line.get_ydata()) for line in entry] == [[50_000, 50_000]]


def test_the_marks_stand_where_the_trades_are_closed():
    explorer = FundingRates()
    for state, days in (
        ({}, [32]),
        ({"days": 31.0}, []),
        ({"days": 90.0}, [32, 65 + 1 / 3]),
        ({"side": -1, "days": 90.0}, []),
        ({"rate": 2.0, "leverage": 100.0, "interval": 1}, [1 / 24, 10 / 24]),
    ):
        explorer.preset(next(iter(explorer.presets)))
        explorer.set(**state)
        assert list(explorer.layers.drawn["closed"].get_xdata()) == [pytest.approx(day) for day in days], state
        picture = re.search("<svg.*</svg>", explorer.view.value, re.S)[0]
        assert picture.count("<use") == len(days)


def test_every_move_of_the_rate_changes_the_picture():
    explorer, before = FundingRates(), None
    for rate in np.arange(-0.4, 0.41, 0.05):
        explorer.set(rate=round(float(rate), 3))
        picture = re.search("<svg.*</svg>", explorer.view.value, re.S)[0]
        assert picture != before and explorer.error is None
        before = picture


def test_the_presets_lie_within_both_panels():
    explorer = FundingRates()
    for name in explorer.presets:
        explorer.preset(name)
        for label, artist in explorer.layers.drawn.items():
            (left, right), (low, high) = artist.axes.get_xlim(), artist.axes.get_ylim()
            x, y = (np.asarray(row, dtype=float) for row in artist.get_data())
            assert ((x >= left) & (x <= right)).all(), (name, label)
            assert (np.isnan(y) | ((y >= low) & (y <= high))).all(), (name, label)


def test_the_equity_scale_follows_what_is_received():
    explorer, tops = FundingRates(), []
    for rate in (0.0, 0.005, 0.05, 0.2, 0.5, 1.0, 2.0):
        explorer.set(side=-1, rate=rate, interval=8, days=90.0)
        (low, high), equity = explorer.layers.axes[0].get_ylim(), explorer.reading["cross"]["equity"]
        assert low < 0 < explorer.reading["isolated"]["equity"] < equity <= high
        tops.append(high)
    assert tops == sorted(tops) and len(set(tops)) > 3


@pytest.mark.parametrize("kind", ["inverse", "tiers"])
def test_the_twin(kind, capsys, monkeypatch):
    explorer = FundingRates(**KINDS[kind][0])
    monkeypatch.setattr("marginlab.lesson.explorers.base.display", lambda image: None)
    before, seen = explorer.view.value, set()
    for name, state in explorer.presets.items():
        assert explorer.twin(name) is None
        printed = " ".join(capsys.readouterr().out.split())
        assert printed == " ".join(explorer.read(**state)["sentence"].split())
        image = explorer.twin(name, show=False)
        with Image.open(io.BytesIO(image.data)) as png:
            assert png.format == "PNG" and png.width > 600 and 1.5 < png.width / png.height < 2.5
        assert 10_000 < len(image.data) < 200_000
        seen.add(image.data)
    assert len(seen) == len(explorer.presets) and explorer.view.value == before
    with pytest.raises(ValueError, match="not a preset"):
        explorer.twin("no such")


# --------------------------------------------------------------- other trades


def test_a_linear_contract_changes_every_word():
    explorer = FundingRates(**KINDS["linear"][0])
    shown = explorer.still.value + explorer.view.value
    assert "USDT" in shown and "BTC" not in shown
    assert explorer.least == 5 and explorer.state()["leverage"] == 10
    assert explorer.layers.axes[0].get_ylabel() == "USDT"


def test_the_least_leverage_has_the_whole_balance_behind_it():
    for size, least in ((50.0, 5), (51.0, 6), (10.0, 1), (3.0, 1), (99.9, 10)):
        explorer = FundingRates(size=size)
        control = explorer.controls["leverage"]
        assert (explorer.least, control.min, control.max) == (least, least, 20 * least)
        explorer.set(leverage=float(least))
        assert explorer.error is None and explorer.reading["isolated"]["behind"] == pytest.approx(size / least)


def test_without_a_liquidation_price_it_says_none():
    for given, side in (
        ({"size": 10.0}, -1),
        ({"size": 5.0}, -1),
        ({"instrument": ETH, "entry": 2_500.0, "balance": 100.0, "size": 100.0}, 1),
        ({"instrument": ETH, "entry": 2_500.0, "balance": 100.0, "size": 40.0}, 1),
    ):
        explorer = FundingRates(**given)
        for rate in (-side * 0.1, 0.0, side * 0.1):
            explorer.set(leverage=1.0, side=side, rate=rate, days=30.0)
            assert explorer.error is None and explorer.reading["cross"]["liquidation"] == 0
            sentence, rows = explorer.reading["sentence"], {row[0]: row for row in explorer.reading["table"][1]}
            ends = re.split("; cross, ", sentence.partition("unchanged: ")[2])
            for mode, end in zip(MODES, ends, strict=True):
                column = explorer.reading[mode]
                assert ("none" in end or "no price" in end) and rows["liquidation price"][
                    1 + MODES.index(mode)
                ].startswith("none, then ")
                pays_for_one = side * rate > 0 and explorer.size == explorer.balance
                assert bool(column["now"]) == pays_for_one or mode == "isolated"
            drawn = explorer.layers.drawn["liquidation, cross"].get_ydata()
            assert not drawn[0] > 0
    explorer = FundingRates()  # a short that is paid until it is worth more than it sold
    explorer.set(side=-1, rate=2.0, interval=1, days=90.0)
    assert [row[1:] for row in explorer.reading["table"][1] if row[0] == "liquidation price"] == [
        ["55,333, then none", "62,250, then none"]
    ]
    assert np.isnan(explorer.layers.drawn["liquidation"].get_ydata()[-1])


@pytest.mark.parametrize(
    "given, leverage, words, opened",
    [
        (
            {"instrument": Perpetual("X-USD", "X", "X", tiers=Tiers.flat(0.05, leverage=8))},
            9.0,
            "leverage 9 is above the 8",
            ["no", "yes"],
        ),
        (
            {"instrument": Perpetual("X-USD", "X", "X", tiers=Tiers(((0, 0.01, 50),), cap=20))},
            10.0,
            "the schedule ends at 20 X",
            ["no", "no"],
        ),
        ({"size": 3_000.0}, 600.0, "leverage 600 is above the 125", ["no", "no"]),
        ({"venue": venues.OKX}, 10.0, "no tier schedule for symbol 'BTC-USD'", ["no", "no"]),
        ({"instrument": Perpetual("X-EUR", "X", "EUR")}, 10.0, "settle must be", ["no", "no"]),
    ],
)
def test_a_refused_trade_gives_the_venues_reason(given, leverage, words, opened):
    explorer = FundingRates(**given)
    explorer.set(leverage=leverage)
    assert explorer.error is None
    sentence = explorer.reading["sentence"]
    assert sentence.startswith("The venue would not open this trade") and words in sentence
    assert sentence.endswith(".") and not sentence.endswith("..") and Cells(explorer.view.value).sentence == sentence
    assert Cells(explorer.view.value).rows == [["", *MODES], ["opened", *opened]]
    drawn = explorer.layers.drawn
    assert len(drawn["equity"].get_xdata()) == len(drawn["liquidation"].get_xdata()) == 0
    assert bool(len(drawn["equity, cross"].get_xdata())) == (opened[1] == "yes")
    assert np.isnan(drawn["requirement"].get_ydata()).all()
    assert explorer.twin(next(iter(explorer.presets)), show=False).data.startswith(b"\x89PNG")


def test_a_schedule_below_the_sliders_end_is_refused_there_and_shown_below():
    explorer = FundingRates(instrument=Perpetual("X-USD", "X", "X", tiers=Tiers.flat(0.05, leverage=8)))
    for leverage in range(5, 101, 1):
        explorer.set(leverage=float(leverage))
        assert explorer.error is None
        assert ("would not open" in explorer.reading["sentence"]) == (leverage > 8)


def test_a_venue_that_returns_what_is_left():
    explorer = FundingRates(venue=replace(venues.TEACHING, surplus_to="trader"))
    column = explorer.reading["isolated"]
    assert column["closed"] == 32 and column["lost"] == pytest.approx(0) and column["account"] == pytest.approx(5.2)


def test_stable_coins_in_a_multi_currency_account_are_the_same_trade():
    given = {"instrument": ETH, "entry": 2_500.0, "balance": 300.0}
    one, other = FundingRates(**given), FundingRates(**given, venue=venues.TEACHING_MULTI)
    for state in one.presets.values():
        assert one.read(**state)["sentence"] == other.read(**state)["sentence"]
        assert one.read(**state)["table"] == other.read(**state)["table"]


def test_another_clock_of_the_venue_changes_nothing():
    hourly = replace(venues.TEACHING, funding=venues.HYPERLIQUID_FUNDING)
    assert FundingRates(venue=hourly).reading["sentence"] == FundingRates().reading["sentence"]


@pytest.mark.parametrize("venue", [venues.BYBIT_CLASSIC, venues.BYBIT_UTA])
def test_a_venue_that_charges_the_account_first_is_refused(venue):
    """There the isolated margin lasts for as long as the account has something free: not what this explorer draws."""
    with pytest.raises(ValueError, match="venue must charge funding to the position"):
        FundingRates(venue=venue)


@pytest.mark.parametrize("name", ["entry", "balance", "size"])
@pytest.mark.parametrize("wrong", [0, -1.0, math.nan, math.inf, "much", True, [1.0]])
def test_what_cannot_be_is_refused(name, wrong):
    with pytest.raises((TypeError, ValueError), match=f"{name} must be a finite number above 0"):
        FundingRates(**{name: wrong})


@pytest.mark.parametrize(
    "rules",
    [
        {"maintenance_at": "entry"},
        {"maintenance_at": "mark", "fee": 0.0006, "fee_at": "price"},
        {"fee": 0.00075, "fee_at": "price"},
        {"fee": 0.0006, "fee_at": "entry"},
    ],
)
def test_the_rules_of_other_venues_hold_in_the_reading_and_in_the_picture(rules):
    explorer = FundingRates(venue=replace(venues.TEACHING, **rules))
    for state in explorer.presets.values():
        check_steps(explorer, state)
        check_line(explorer, state)


def check_line(explorer, state):
    """The drawn liquidation price begins and ends where the account's does."""
    explorer.set(**state)
    for mode, suffix in zip(MODES, ("", ", cross"), strict=True):
        column, line = explorer.reading[mode], explorer.layers.drawn[f"liquidation{suffix}"].get_ydata()
        assert line[0] == pytest.approx(column["liquidation"], rel=1e-7)
        if column["closed"] is None:
            assert line[-1] == pytest.approx(column["now"], rel=1e-7)


# ------------------------------------------------------------- not yet as it should be


def test_a_fee_at_bankruptcy_is_in_the_line_too():
    explorer = FundingRates(venue=replace(venues.TEACHING, fee=0.0006, fee_at="bankruptcy"))
    for state in explorer.presets.values():
        check_line(explorer, state)


def test_a_refusal_in_one_mode_says_in_which():
    explorer = FundingRates(instrument=Perpetual("X-USD", "X", "X", tiers=Tiers.flat(0.05, leverage=8)))
    assert explorer.reading["cross"]["refused"] == "" and explorer.reading["isolated"]["refused"]
    assert "isolated" in explorer.reading["sentence"]


def test_the_lines_stay_in_the_picture_or_it_says_that_they_do_not():
    explorer = FundingRates()
    for rate, interval, days in ((0.5, 8, 30.0), (2.0, 1, 90.0)):
        explorer.set(side=-1, rate=rate, interval=interval, days=days)
        outside = []
        for label in ("equity, cross", "liquidation, cross"):
            artist = explorer.layers.drawn[label]
            outside.append(np.nanmax(artist.get_ydata()) > artist.axes.get_ylim()[1])
        assert not any(outside) or "beyond" in explorer.reading["sentence"] + explorer.limits


def test_coins_in_a_multi_currency_account_are_not_told_as_dollars():
    try:
        explorer = FundingRates(venue=venues.TEACHING_MULTI)
    except ValueError as error:
        assert "account_mode" in str(error)
        return
    assert explorer.reading["cross"]["behind"] <= 10


def test_large_amounts_are_written_out():
    explorer = FundingRates(instrument=ETH, entry=2_500.0, balance=100_000.0)
    (row,) = [row for row in explorer.reading["table"][1] if row[0].startswith("funding in")]
    assert row[1:] == ["-48,000 USDT", "-60,000 USDT"]


@pytest.mark.parametrize("side", [1, -1])
def test_nothing_paid_has_no_sign(side):
    (row,) = [row for row in read(FundingRates(), side=side, rate=0.0)["table"][1] if row[0].startswith("funding in")]
    assert row[1:] == ["0 BTC", "0 BTC"]


@pytest.mark.parametrize(
    "wrong", [{"instrument": "BTC-USD"}, {"instrument": 3}, {"venue": "teaching"}, {"venue": None}]
)
def test_what_is_no_contract_or_venue_is_refused(wrong):
    with pytest.raises(TypeError, match=f"{next(iter(wrong))} .*not "):
        FundingRates(**wrong)
