"""The explorer of lesson 02: what it shows against the same two books by plain arithmetic, without the package."""

import math
import random
import re
from marginlab import replace
from itertools import pairwise, product

import numpy as np
import pytest

from marginlab import Perpetual, Tiers, venues
from marginlab.lesson import figures
from marginlab.lesson.explorers import CrossMargin
from tests.lesson.shown import Cells, close, numbers, same

LEGS = ("spot", "perpetual", "cross")
NAMES = {"spot": "spot, isolated", "perpetual": "perpetual, isolated", "cross": "one cross pool"}
LOAN, LOAN_LEVERAGE, MOST_LENT = 0.05, 10, 10_000_000  # the teaching venue's loans
TEACHING = ((0, 0.004, 125),)
# Rows of (floor, rate, leverage): the last schedule refuses some perpetuals.
KINDS = {
    "BTC": ({}, TEACHING),
    "ETH": ({"symbol": "ETH-USDT", "entry": 2_500.0, "balance": 20.0}, ((0, 0.01, 100),)),
    "two tiers": ({"symbol": "ETH-USDC", "entry": 1_234.5, "balance": 30.0}, ((0, 0.01, 50), (60_000, 0.1, 10))),
}
# Its second tier is so dear that a rise closes a pool which a fall closes as well.
STEEP = {"steep": ({"symbol": "ETH-USDC", "entry": 1_234.5, "balance": 30.0}, ((0, 0.01, 50), (60_000, 0.3, 3)))}


def made(kind):
    given, rows = (KINDS | STEEP)[kind]
    given = dict(given)
    if symbol := given.pop("symbol", None):
        given["instrument"] = Perpetual(symbol, index=symbol[:3], settle=symbol[4:], tiers=Tiers(rows))
    return CrossMargin(**given)


def at(explorer, *values):
    """The reading of a state, its values in the order of the controls."""
    return explorer.read(**dict(zip(explorer.controls, values, strict=True)))


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def explorer(kind):
    return made(kind)


# ------------------------------------------------- the books, once more


class Leg:
    """One pool, in USD: equity and requirement as functions of the price, what it is worth, where it ends."""

    def __init__(self, equity, requirement, worth, kinks):
        self.equity, self.requirement, self.full, self.kinks = equity, requirement, worth, kinks
        self.below, self.above = ends(self.slack, kinks)

    def slack(self, price):
        return self.equity(price) - self.requirement(price)

    def closed(self, price):  # at the line or beyond, to rounding
        return self.slack(price) <= 1e-12 * self.requirement(price)

    def worth(self, price):
        """After the venue has acted: what the haircut kept out is returned, the rest of a surplus is the fund's."""
        if not self.closed(price):
            return self.full(price)
        return min(max(0.0, self.full(price)), self.full(price) - self.equity(price))

    def fund(self, price):
        """What the insurance fund keeps of a closed pool, or (below 0) pays for it."""
        return self.full(price) - self.worth(price) if self.closed(price) else 0.0


def ends(slack, kinks):
    """(below, above): where a slack that is straight between its kinks falls to zero; None where it does not."""
    below = above = None
    for low, high in pairwise([0.0, *sorted(kinks), math.inf]):
        x = low + (min(high, low + 1_000.0) - low) / 3
        y = low + (min(high, low + 1_000.0) - low) / 1.5
        slope = (slack(y) - slack(x)) / (y - x)
        root = x - slack(x) / slope if abs(slope) > 1e-9 else math.nan
        if low + 1e-9 < root <= high:
            below, above = (root, above) if slope > 0 else (below, root)
    return below, above


class Books:
    """Both books of a state: `legs` by name, `refused` by book, each with the numbers that its reason should give."""

    def __init__(self, explorer, rows, perpetual, spot, split, haircut, move):
        entry, b, q, h = explorer.entry, explorer.balance, perpetual, haircut / 100
        debt, rest = spot * entry, b - split
        self.price, self.move, self.perpetual, self.entry = entry * (1 + move / 100), move, q, entry
        tops = [floor for floor, *_ in rows[1:]] + [math.inf]

        def kept(price):  # maintenance of the perpetual: each slice at its own rate
            worth = abs(q) * price
            return sum(
                rate * max(0.0, min(worth, top) - floor) for (floor, rate, _), top in zip(rows, tops, strict=True)
            )

        leverage = max(row for row in rows if row[0] <= abs(q) * entry)[2]
        kinks = [floor / abs(q) for floor, *_ in rows[1:] if q]

        def gain(price):
            return q * (price - entry)

        def alone(price):
            return (split + spot) * price - debt

        def margin(price):
            return rest * entry + gain(price)

        def shared(price):
            return (b + spot) * price - debt + gain(price)

        self.gain, self.rest = gain, rest
        self.legs = {
            "spot": Leg(alone, lambda price: LOAN * debt, alone, []),
            "perpetual": Leg(margin, kept, margin, kinks) if q else None,
            "cross": Leg(
                lambda price: shared(price) - h * (b + spot) * price,
                lambda price: LOAN * debt + kept(price),
                shared,
                kinks,
            ),
        }
        # Why the venue would not open a book, in the order of its trades, with the numbers of the reason.
        self.refused, noise = {}, 1e-9 * b
        too_much = ("lends at most", [debt, MOST_LENT, debt - MOST_LENT]) if debt > MOST_LENT else None
        if too_much:
            self.refused["isolated"] = too_much
        elif split < spot / LOAN_LEVERAGE - noise:
            opening = spot / LOAN_LEVERAGE
            self.refused["isolated"] = "of initial margin needed", [opening, split, opening - split]
        elif q and abs(q) / rest > leverage * (1 + 1e-9):
            size = abs(q) * entry
            self.refused["isolated"] = "leverage", [abs(q) / rest, leverage, size / leverage, rest * entry]
        at_start = self.legs["cross"].equity(entry) - gain(entry)
        for name, needed in (
            (f"{spot:+,g} {explorer.coin} at", 0.0),
            (f"{q:+,g} {explorer.perp.symbol}", abs(q) * entry / leverage),
        ):
            needed += debt / LOAN_LEVERAGE
            if too_much or needed - at_start > 1e-9 * b * entry:
                self.refused["cross"] = too_much or (name, [needed, at_start, needed - at_start])
                break

    def there(self, leg):
        """The leg, or None where it was not opened."""
        return None if ("cross" if leg == "cross" else "isolated") in self.refused else self.legs[leg]

    def closed(self, leg):
        return bool(self.there(leg)) and self.there(leg).closed(self.price)

    def now(self, leg, what):
        """Equity or requirement of a leg that is open, else 0."""
        leg_ = self.there(leg)
        return getattr(leg_, what)(self.price) if leg_ and not self.closed(leg) else 0.0

    def fund(self, leg):
        return self.there(leg).fund(self.price) if self.there(leg) else 0.0

    def worth(self, book):
        """What an account is worth after the venue has acted; what is in no pool that can end, too."""
        if book in self.refused:
            return 0.0
        if book == "cross":
            return self.legs["cross"].worth(self.price)
        if not self.perpetual:
            return self.legs["spot"].worth(self.price) + self.rest * self.price
        return self.legs["spot"].worth(self.price) + self.legs["perpetual"].worth(self.price)


def books(explorer, kind, state):
    return Books(explorer, (KINDS | STEEP)[kind][1], **state)


# --------------------------------------------------------------- the checks


def check_reading(explorer, kind, reading, state):
    """Every figure of a reading, and its sentence."""
    model, out = books(explorer, kind, state), 1e-9 * explorer.balance * explorer.entry
    assert reading["price"] == pytest.approx(model.price)
    assert reading["refused"].keys() == model.refused.keys(), (reading["refused"], model.refused)
    for leg in LEGS:
        column, there = reading[leg], model.there(leg)
        assert (column["pool"] is None) == (there is None), leg
        assert bool(column["closed"]) == model.closed(leg), leg
        for what in ("equity", "requirement"):
            assert column[what] == pytest.approx(model.now(leg, what), rel=1e-9, abs=out), (leg, what)
        assert column["fund"] == pytest.approx(model.fund(leg), rel=1e-9, abs=out), leg
        if there:
            for side in ("below", "above"):
                price, expected = getattr(column["liquidation"], side).price, getattr(there, side)
                assert price == (expected if expected is None else pytest.approx(expected, rel=1e-9)), (leg, side)
        else:
            assert column["liquidation"] is None
    for book in ("isolated", "cross"):
        assert reading[f"{book} worth"] == pytest.approx(model.worth(book), rel=1e-9, abs=out), book
    check_sentence(explorer, reading["sentence"], model)


def check_sentence(explorer, sentence, model):
    """What the sentence says, every number in it, and nothing else."""
    assert not re.search(r"\d[eE][-+]?\d|\bnan\b|\binf\b|\bNone\b|∞", sentence), sentence
    assert sentence.endswith(".") and not sentence.endswith("..")
    if model.refused:
        start = "The venue would not open this. "
        assert sentence.startswith(start) and sentence[len(start)].isupper()
        reasons = re.split(r"; (?=cross: )", sentence.removeprefix(start).rstrip("."))
        assert [reason.partition(":")[0].lower() for reason in reasons] == list(model.refused), sentence
        for said, (words, values) in zip(reasons, model.refused.values(), strict=True):
            assert words in said, (words, said)
            same(numbers(said.partition("would")[2] or said), values)
        return
    walled, split, one = sentence.partition(". In one pool: ")
    start = f"Isolated, after {model.move:+g} %: " if model.move else "Isolated, before any move: "
    assert split and walled.startswith(start), sentence
    shut = {leg: model.legs[leg] for leg in LEGS[:2] if model.closed(leg)}
    reached = {leg: one.below if model.move < 0 and one.below else one.above for leg, one in shut.items()}
    order = sorted(reached, key=reached.get, reverse=model.move < 0)  # what the price meets first comes first
    assert re.findall(r"the (\w+) leg is closed, at", walled) == order, sentence
    quoted(numbers(walled.removeprefix(start)), [reached[leg] for leg in order])
    assert (", then " in walled) == (len(shut) == 2)
    assert ("nothing is closed" in walled) == (not shut)
    assert ("the other leg stands alone" in walled) == (len(shut) == 1 and bool(model.perpetual))
    cross, gain = model.legs["cross"], model.gain(model.price)
    if model.closed("cross"):
        assert "closed, at" in one and "open" not in one
        assert ("both" in one) == bool(model.perpetual), f"says both where there is one trade: {sentence}"
        quoted(numbers(one), [cross.below if model.move < 0 and cross.below else cross.above])
        return
    assert one.startswith("open, with ") and "both" not in one
    assert ("profit" in one, "loss" in one) == (gain > 1e-9, gain < -1e-9), sentence
    assert ("perpetual" in one) == (abs(gain) > 1e-9)
    values = [model.now("cross", "equity"), model.now("cross", "requirement")] + [abs(gain)] * (abs(gain) > 1e-9)
    same(numbers(one)[: len(values)], [(0, value) for value in values])
    there = [(side, getattr(cross, side)) for side in ("below", "above") if getattr(cross, side)]
    quoted(numbers(one)[len(values) :], [price for _, price in there])
    assert re.findall(r"\b(below|above)\b", one) == [side for side, _ in there]
    assert ("No price closes it" in one) == (not there)


def quoted(shown, prices):
    """Prices as they are quoted: without cents from 1,000 on."""
    same(shown, [(0, price) if price >= 1_000 else price for price in prices])


def money(text, value, signed=False):
    """An amount without cents; a difference with its sign, and no sign where nothing is left of it."""
    assert re.fullmatch(r"[-+]?\d{1,3}(,\d{3})*", text), text
    assert close(float(text.replace(",", "")), value, 0), (text, value)
    nothing = float(text.replace(",", "")) == 0
    assert (text[0] in "+-") == (not nothing and (signed or value < 0)), f"{text} for {value}"


def check_table(html, model):
    """The table under the picture, cell by cell."""
    cells = Cells(html)
    head, *rows = cells.rows
    assert head == ["", "ends", "equity now", "required", "fund gains", "account worth"]
    assert all(len(row) == 6 for row in rows)
    named = {row[0]: row[1:] for row in rows}
    order = [NAMES["spot"], NAMES["perpetual"], "both isolated", NAMES["cross"]]
    assert list(named) == order + ["difference"] * (not model.refused)
    for leg in LEGS:
        where, equity, required, fund, worth = named[NAMES[leg]]
        there = model.there(leg)
        if there is None:
            assert (where, equity, required, fund, worth) == ("not open", "", "", "", "")
            continue
        sides = [side for side in ("below", "above") if getattr(there, side)]
        assert re.findall(r"below|above", where) == sides and (where == "nowhere") == (not sides)
        quoted(numbers(where), [getattr(there, side) for side in sides])
        if model.closed(leg):
            assert (equity, required) == ("closed", "")
            money(fund, model.fund(leg))
        else:
            money(equity, model.now(leg, "equity"))
            money(required, model.now(leg, "requirement"))
            assert fund == ""
        if leg == "cross":
            money(worth, model.worth("cross"))
        else:
            assert worth == ""
    both = named["both isolated"]
    if "isolated" in model.refused:
        assert not any(both), f"figures of a book that is not there: {both}"
    else:
        sums = [model.now("spot", what) + model.now("perpetual", what) for what in ("equity", "requirement")]
        assert both[0] == ""
        for text, value in zip(
            both[1:], [*sums, model.fund("spot") + model.fund("perpetual"), model.worth("isolated")], strict=True
        ):
            money(text, value)
    if model.refused:
        assert cells.marked == []
        return
    assert cells.marked == [rows[-1]] and rows[-1][:5] == ["difference", "", "", "", "cross less isolated"]
    money(rows[-1][5], model.worth("cross") - model.worth("isolated"), signed=True)


def check_drawn(explorer, model):
    """What lies in the panels is what the books say: lines, ends, and where the price stands."""
    layers, entry = explorer.layers, explorer.entry
    top = layers.axes[0].get_ylim()[1]
    for leg in LEGS:
        there = model.there(leg)
        drawn = {name: layers.drawn[f"{leg} {name}"] for name in ("equity", "requirement", "price", "below", "above")}
        assert {artist.axes.get_title() for artist in drawn.values()} == {NAMES[leg]}
        for side in ("below", "above"):
            price = getattr(there, side) if there else None
            assert list(drawn[side].get_xdata()) == [pytest.approx(price, rel=1e-9, nan_ok=True) if price else NAN] * 2
        if there is None:
            assert np.isnan(drawn["equity"].get_ydata()).all() and np.isnan(drawn["requirement"].get_ydata()).all()
            assert np.isnan(drawn["price"].get_xdata()).all()
            continue
        x, equity = drawn["equity"].get_data()
        x_, requirement = drawn["requirement"].get_data()
        assert (x == x_).all() and (np.diff(x) > 0).all() and np.diff(x[x <= 1.7 * entry]).max() < 0.05 * entry
        assert x[0] <= 0.05 * entry and x[-1] >= 1.7 * entry
        at_an_end = [end for end in (there.below, there.above) if end]
        alive = np.array([there.slack(p) > 0 for p in x])
        sure = np.all([abs(x / end - 1) > 1e-10 for end in at_an_end], axis=0) if at_an_end else np.full(x.shape, True)
        x, alive, equity, requirement = x[sure], alive[sure], equity[sure], requirement[sure]
        np.testing.assert_allclose(equity, np.where(alive, [there.equity(p) for p in x], 0.0), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(requirement, [there.requirement(p) for p in x], rtol=1e-6)
        for end in at_an_end:  # a step, not a slope
            near = sorted(x[abs(x / end - 1) < 1e-8])
            assert len(near) >= 2 and near[0] < end < near[-1]
        here = [*drawn["price"].get_xdata(), *drawn["price"].get_ydata()]
        equity = model.now(leg, "equity")
        assert here == ([pytest.approx(model.price), pytest.approx(equity)] if equity <= top else [NAN, NAN])


NAN = pytest.approx(math.nan, nan_ok=True)

# ----------------------------------------------------------------- the sweep


def states(explorer):
    """Every control at its lowest, its first and its highest value, in every combination; and each preset."""
    first = next(iter(explorer.presets.values()))
    values = {name: (c.min, first[name], c.max) for name, c in explorer.controls.items()}
    values["perpetual"] += (0.0,)
    every = [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]
    return every + [dict(state) for state in explorer.presets.values()]


def random_states(explorer, count, seed=2):
    """States on and between the steps of the sliders, among them some near the venue's limits."""
    draw, found = random.Random(seed), []
    for i in range(count):
        state = {}
        for name, c in explorer.controls.items():
            value = draw.uniform(c.min, c.max)
            state[name] = round(c.min + round((value - c.min) / c.step) * c.step, 9) if i % 2 else round(value, 4)
        found.append(state)
    return found


def ending_both_ways(explorer):
    """States whose cross pool a fall closes, and a rise as well, where the perpetual grows into a dearer tier."""
    b, first = explorer.balance, next(iter(explorer.presets.values()))
    for size, hedge, move in product((1.1 * b, 1.4 * b, 1.6 * b), (1.08, 1.1), (-89.5, 0.0, 60.0)):
        spot = 0.96 * size
        haircut = 100 * (1 - hedge * size / (b + spot))
        yield first | {"perpetual": -size, "spot": spot, "haircut": haircut, "move": move}


def test_every_state_reads_as_the_books_say(explorer, kind):
    seen = {"refused": 0, "isolated": 0, "cross": 0, "open": 0}
    for state in [*states(explorer), *random_states(explorer, 300)]:
        reading = explorer.read(**state)
        try:
            check_reading(explorer, kind, reading, state)
        except AssertionError as error:
            raise AssertionError(f"at {state}: {error}") from error
        seen["refused"] += bool(reading["refused"])
        seen["isolated"] += bool(reading["spot"]["closed"] or reading["perpetual"]["closed"])
        seen["cross"] += bool(reading["cross"]["closed"])
        seen["open"] += not reading["refused"] and not any(reading[leg]["closed"] for leg in LEGS)
    assert all(seen[name] > 10 for name in ("refused", "isolated", "cross", "open")), seen


def test_a_pool_that_ends_both_ways_names_the_end_that_was_reached():
    explorer, closed = made("steep"), {-1: 0, 0: 0, 1: 0}
    for state in ending_both_ways(explorer):
        reading = explorer.read(**state)
        check_reading(explorer, "steep", reading, state)
        found = reading["cross"]["liquidation"]
        assert found.low is not None and found.high is not None, state
        if reading["cross"]["closed"]:
            reached = found.low if state["move"] < 0 else found.high
            quoted(numbers(reading["sentence"])[-1:], [reached])
        else:
            quoted(numbers(reading["sentence"])[-2:], [found.low, found.high])
        closed[np.sign(state["move"]) if reading["cross"]["closed"] else 0] += 1
        explorer.set(**state)
        check_table(explorer.view.value, books(explorer, "steep", explorer.state()))
        check_drawn(explorer, books(explorer, "steep", explorer.state()))
    assert all(closed.values()), closed


def test_every_state_is_shown(kind):
    shown = made(kind)
    frame = shown.still.value
    for state in [
        *random_states(shown, 40, seed=5),
        *states(shown)[:: 2 if kind == "BTC" else 9],
    ]:
        shown.set(**state)
        html, model = shown.view.value, books(shown, kind, shown.state())
        assert shown.error is None, (state, shown.error)
        assert shown.state() == pytest.approx(state)
        assert html.count("<svg") == html.count("</svg>") == html.count('role="img"') == 1
        assert Cells(html).sentence == shown.reading["sentence"]
        try:
            check_table(html, model)
            check_drawn(shown, model)
        except AssertionError as error:
            raise AssertionError(f"at {state}: {error}") from error
    assert shown.still.value == frame


# ---------------------------------------------------------------- at the line


def on_the_line(explorer):
    """States in which the spot leg stands just at its requirement."""
    b = explorer.balance
    for spot, split in product((b / 20 * n for n in range(1, 81, 3)), (b / 20 * n for n in range(1, 20))):
        move = round((1.05 * spot / (split + spot) - 1) * 100, 9)
        if (2 * move).is_integer() and split >= 0.1 * spot:
            state = {"perpetual": -2.5 * b, "spot": spot, "split": split, "haircut": 0.0, "move": move}
            yield {name: round(value, 9) for name, value in state.items()}


def test_a_leg_just_at_its_line_is_closed_in_the_picture_and_in_the_account(kind):
    explorer = made(kind)
    tried = 0
    for state in on_the_line(explorer):
        reading = explorer.read(**state)
        if not reading["refused"]:
            tried += 1
            assert reading["spot"]["closed"], f"open at {state}, where the venue closes it"
            rest = reading["perpetual"]["equity"]
            assert reading["isolated worth"] == pytest.approx(rest)
    assert tried > 20


def test_just_enough_margin_opens():
    explorer = CrossMargin()
    assert not at(explorer, -5.0, 8.0, 0.8, 10.0, 0.0)["refused"].get("isolated")  # a tenth of 8
    assert at(explorer, -5.0, 8.0, 0.7999, 10.0, 0.0)["refused"].keys() == {"isolated"}
    # 2 + 5 coins at 80 % are 280,000, less the debt 30,000: a tenth of it, and 0.8 % of 12.5 coins
    assert not at(explorer, -12.5, 5.0, 1.0, 20.0, 0.0)["refused"]
    said = at(explorer, -12.6, 5.0, 1.0, 20.0, 0.0)["refused"]
    assert said.keys() == {"cross"}
    same(numbers(said["cross"].partition("would")[2]), [30_040, 30_000, 40])
    assert "BTC-USDT" in said["cross"]


@pytest.mark.parametrize(
    "state, book, words, missing",
    [
        ((-5, 5, 0.3, 10, 0), "isolated", "0.5 BTC of initial margin needed, 0.3 there", 0.2),
        ((-5, 5, 0.2, 10, 0), "isolated", "0.5 BTC of initial margin needed, 0.2 there", 0.3),
        ((-5, 5, 1, 25, 0), "cross", "25,000 USD of initial margin needed, 12,500 there", 12_500),
        ((0, 5, 1, 25, 0), "cross", "25,000 USD of initial margin needed, 12,500 there", 12_500),
        ((8, 5, 1, 21, 0), "cross", "+8 BTC-USDT would leave 'cross' short", 1_700),
    ],
)
def test_a_refused_book_says_what_is_missing_and_the_other_is_shown(state, book, words, missing):
    explorer = CrossMargin()
    explorer.set(**dict(zip(explorer.controls, state, strict=True)))
    reading, (other,) = explorer.reading, {"isolated", "cross"} - {book}
    assert explorer.error is None and reading["refused"].keys() == {book}
    assert words in reading["refused"][book] and reading["refused"][book] in reading["sentence"]
    assert any(close(number, missing) for number in numbers(reading["sentence"]))
    assert reading[f"{book} worth"] == 0 and reading[f"{other} worth"] > 0
    assert (reading["cross"]["pool"] is None) == (book == "cross")
    assert (reading["spot"]["pool"] is None) == (book == "isolated")
    rows = {row[0]: row[1] for row in Cells(explorer.view.value).rows}
    assert [name for name in NAMES.values() if rows[name] == "not open"] == [
        NAMES[leg] for leg in LEGS if reading[leg]["pool"] is None
    ]
    assert "difference" not in rows


def test_a_perpetual_that_needs_more_margin_than_the_rest_is_refused():
    explorer = made("two tiers")
    explorer.set(perpetual=-100.0, spot=10.0, split=26.0, haircut=10.0, move=0.0)
    said = explorer.reading["refused"]
    assert said.keys() == {"isolated"}
    assert said["isolated"].startswith("leverage 25 is above the 10 allowed at this size")
    same(numbers(said["isolated"]), [25, 10, 100 * 1_234.5 / 10, 4 * 1_234.5])
    explorer.set(perpetual=-80.0, split=22.0)  # 10 times the 8 coins that are sold
    assert not explorer.reading["refused"]


def test_a_loan_beyond_the_venues_limit_is_refused_in_both():
    explorer = CrossMargin(balance=100.0)
    assert not at(explorer, 0.0, 200.0, 50.0, 10.0, 0.0)["refused"]
    said = at(explorer, 0.0, 205.0, 50.0, 10.0, 0.0)
    assert said["refused"].keys() == {"isolated", "cross"}
    check_reading(explorer, "BTC", said, dict(zip(explorer.controls, (0.0, 205.0, 50.0, 10.0, 0.0), strict=True)))
    for reason in said["refused"].values():
        assert "lends at most 10,000,000: 250,000 too much" in reason
    assert said["sentence"].count("lends at most") == 2 and "; cross: " in said["sentence"]


# ---------------------------------------------------------- what must not happen


def test_without_a_perpetual_there_is_one_trade(explorer, kind):
    b = explorer.balance
    for spot, split, move in product((b / 4, 2.5 * b, 4 * b), (b / 2, 0.95 * b), (-90.0, -30.0, 0.0, 60.0)):
        state = {"perpetual": 0.0, "spot": spot, "split": split, "haircut": 5.0, "move": move}
        reading = explorer.read(**state)
        check_reading(explorer, kind, reading, state)
        assert reading["perpetual"]["pool"] is None and reading["perpetual"]["equity"] == 0
        assert "perpetual" not in reading["sentence"] and "other leg" not in reading["sentence"]
        rest = (b - split) * reading["price"]  # coins that nothing was sold of
        assert reading["isolated worth"] == pytest.approx(
            rest + (0 if reading["spot"]["closed"] else reading["spot"]["equity"])
        )


def test_the_haircut_is_the_cross_pools_alone_and_the_split_the_isolated_ones(explorer):
    first = next(iter(explorer.presets.values()))
    apart = ("spot", "perpetual", "isolated worth")

    def plain(reading, names):
        found = {name: reading[name] for name in names}
        return {
            name: {key: str(value) if key == "liquidation" else value for key, value in column.items() if key != "pool"}
            if isinstance(column, dict)
            else column
            for name, column in found.items()
        }

    for move in (-60.0, -14.0, 0.0, 30.0):
        base = first | {"move": move}
        shallow, deep = (explorer.read(**base | {"haircut": haircut}) for haircut in (0.0, 15.0))
        assert plain(shallow, apart) == plain(deep, apart)
        little, much = (explorer.read(**base | {"split": part * explorer.balance}) for part in (0.3, 0.9))
        assert plain(little, ("cross", "cross worth")) == plain(much, ("cross", "cross worth"))


def test_a_deeper_haircut_never_helps(explorer):
    b, fell = explorer.balance, 0
    for perpetual, spot, move in product((-3 * b, -b, 0.0, b), (b / 2, 1.5 * b, 2.5 * b), (-30.0, 0.0, 20.0)):
        readings = [at(explorer, perpetual, spot, b / 2, float(haircut), move) for haircut in range(0, 51, 5)]
        kept = [reading for reading in readings if "cross" not in reading["refused"]]
        assert kept == readings[: len(kept)], "a deeper haircut opened what a lesser one did not"
        for one, other in pairwise(kept):
            assert one["cross"]["equity"] >= other["cross"]["equity"]
            assert bool(one["cross"]["closed"]) <= bool(other["cross"]["closed"])
            if not other["cross"]["closed"]:  # open, the account is worth its coins in full
                assert one["cross worth"] == pytest.approx(other["cross worth"])
            ends = [
                (c["liquidation"].low or 0.0, c["liquidation"].high or math.inf) for c in (one["cross"], other["cross"])
            ]
            assert ends[0][0] <= ends[1][0] * (1 + 1e-12) and ends[1][1] <= ends[0][1] * (1 + 1e-12)
            fell += one["cross"]["equity"] > other["cross"]["equity"]
    assert fell > 50


def test_more_coins_behind_one_leg_are_fewer_behind_the_other(explorer):
    b = explorer.balance
    for perpetual in (-2.5 * b, 2.5 * b):
        ladder = [at(explorer, perpetual, 2.5 * b, part * b, 10.0, 0.0) for part in np.linspace(0.3, 0.9, 13)]
        ladder = [reading for reading in ladder if "isolated" not in reading["refused"]]
        assert len(ladder) > 8
        for one, other in pairwise(ladder):
            assert one["spot"]["liquidation"].low > other["spot"]["liquidation"].low
            sides = [reading["perpetual"]["liquidation"] for reading in (one, other)]
            if perpetual < 0:
                assert sides[0].low is sides[1].low is None and sides[0].high > sides[1].high
            else:
                assert sides[0].high is sides[1].high is None and sides[0].low < sides[1].low


def test_no_account_is_worth_less_than_nothing_nor_more_than_its_trades_bring(explorer, kind):
    b = explorer.balance
    for state in random_states(explorer, 200, seed=9):
        reading, model = explorer.read(**state), books(explorer, kind, state)
        brought = (b + state["spot"]) * model.price - state["spot"] * model.entry + model.gain(model.price)
        if "cross" not in reading["refused"]:
            assert 0 <= reading["cross worth"] <= max(brought, 0.0) * (1 + 1e-9)
        assert reading["isolated worth"] >= 0


def test_a_long_that_is_paid_in_full_has_no_end(explorer, kind):
    """Its line would be at a price of 0: rounding must not be told as 9.131e-12."""
    b = explorer.balance
    for part in range(1, 20):
        state = {"perpetual": round(b - part * b / 20, 9), "spot": b / 20, "split": round(part * b / 20, 9)}
        state |= {"haircut": 0.0, "move": 1.0}
        reading = explorer.read(**state)
        check_reading(explorer, kind, reading, state)
        assert reading["perpetual"]["liquidation"].low is None, state
        assert reading["table"][1][1][1] == "nowhere"


# -------------------------------------------------------- presets and the lesson


def test_presets_are_what_their_names_say(explorer, kind):
    names = list(explorer.presets)
    assert [re.findall(r"\d+", name) for name in names] == [["14"], ["25"], ["10"], [], []]
    read = {name: explorer.read(**state) for name, state in explorer.presets.items()}
    for name, state in explorer.presets.items():
        b = explorer.balance
        assert (state["spot"], state["split"]) == (2.5 * b, b / 2)
        assert state["haircut"] == (25 if "haircut too deep" in name else 10)
        amount = re.search(r"a (fall|rise) of (\d+) %", name)
        if amount:
            assert state["move"] == (-1 if amount[1] == "fall" else 1) * int(amount[2])
        if "short against spot" in name:
            assert state["perpetual"] == -state["spot"]
        check_reading(explorer, kind, read[name], state)
    fall, rise, both, alone, deep = names
    assert "short" in fall and "short" in rise
    assert explorer.presets[both]["perpetual"] == explorer.presets[both]["spot"]
    assert explorer.presets[alone]["perpetual"] == 0 and "alone" in alone
    closed = {name: [leg for leg in LEGS if read[name][leg]["closed"]] for name in names}
    assert closed[fall] == ["spot"] and closed[rise] == ["perpetual"] and closed[both] == ["cross"]
    assert closed[alone] == ["spot"] and read[deep]["refused"].keys() == {"cross"}
    assert [bool(read[name]["refused"]) for name in names] == [False] * 4 + [True]


def test_the_lessons_own_figures():
    """Two coins, five bought on loan, five sold short: from the lesson's prose and cells."""
    explorer = CrossMargin()
    assert explorer.state() == {"perpetual": -5, "spot": 5, "split": 1, "haircut": 10, "move": -14}
    assert list(explorer.controls) == ["perpetual", "spot", "split", "haircut", "move"]
    assert explorer.reading["sentence"] == (
        "Isolated, after -14 %: the spot leg is closed, at 43,750, and the other leg stands alone. In one pool: "
        "open, with 55,900 USD of equity against 13,360 required, after an unrealised profit of 35,000 on the "
        "perpetual. It is closed below 9,766."
    )
    rows = {row[0]: row for row in explorer.reading["table"][1]}
    assert rows["difference"] == ["difference", "", "", "", "cross less isolated", "+1,000"]
    assert rows["both isolated"][2:] == ["85,000", "860", "8,000", "85,000"]
    assert rows["one cross pool"][1:] == ["below 9,766", "55,900", "13,360", "", "86,000"]
    assert at(explorer, -4.3, 5.0, 1.0, 10.0, -50.0)["cross"]["closed"] is None  # question (a)
    assert at(explorer, -4.2, 5.0, 1.0, 10.0, -50.0)["cross"]["closed"] is not None
    for split in np.arange(0.1, 1.95, 0.1):  # question (b): no split keeps both legs
        falls, rises = (at(explorer, -5.0, 5.0, float(split), 10.0, move) for move in (-20.0, 20.0))
        assert falls["refused"] or falls["spot"]["closed"] or rises["perpetual"]["closed"]
    assert not at(explorer, -5.0, 5.0, 1.0, 20.0, 0.0)["refused"]  # question (c)
    assert at(explorer, -5.0, 5.0, 1.0, 21.0, 0.0)["refused"].keys() == {"cross"}


def test_what_the_fund_takes_or_pays_is_told_as_such():
    """The spot leg at 43,000: 6 coins less the debt. At 40,000 the fund pays, and the account loses no more."""
    explorer = CrossMargin()
    for move, fund, text in ((-14.0, 8_000, "8,000"), (-20.0, -10_000, "-10,000")):
        reading = at(explorer, -5.0, 5.0, 1.0, 10.0, move)
        rows = {row[0]: row for row in reading["table"][1]}
        assert reading["spot"]["fund"] == pytest.approx(fund)
        assert rows["spot, isolated"][4] == rows["both isolated"][4] == text
        assert reading["isolated worth"] == pytest.approx(reading["perpetual"]["equity"])
    both = at(explorer, 5.0, 5.0, 1.0, 10.0, -10.0)  # 7 coins at 45,000 less the debt and the loss; a tenth comes back
    assert both["cross"]["fund"] == pytest.approx(7 * 45_000 - 250_000 - 25_000 - 31_500)
    assert both["cross worth"] == pytest.approx(31_500)


def test_legs_that_are_both_closed_are_told_in_the_order_in_which_the_price_meets_them():
    explorer = CrossMargin()
    sentence = at(explorer, 5.0, 5.0, 1.0, 0.0, -30.0)["sentence"]
    assert "the spot leg is closed, at 43,750, then the perpetual leg is closed, at 40,161" in sentence
    sentence = at(explorer, 5.0, 5.0, 1.9, 0.0, -40.0)["sentence"]
    assert "the perpetual leg is closed, at 49,197, then the spot leg is closed, at 38,043" in sentence


def test_where_nothing_differs_the_row_shows_no_sign():
    """At the entry and without a haircut both books are the same: the row says 0, not +0 or -0."""
    explorer = CrossMargin()
    for perpetual, spot, split in product((-5.0, -0.3, 5.0), (0.2, 0.7, 2.0), (0.6, 0.7, 1.1)):
        reading = at(explorer, perpetual, spot, split, 0.0, 0.0)
        assert reading["table"][1][-1][-1] == "0", (perpetual, spot, split)


def test_large_accounts_are_told_in_whole_numbers():
    """Millions are written out, in a reason too: 1,640,000 and not 1.64e+06."""
    explorer = CrossMargin(balance=40.0)
    for name, state in explorer.presets.items():
        for perpetual in (-100.0, 160.0):
            check_reading(
                explorer, "BTC", explorer.read(**(state | {"perpetual": perpetual})), {**state, "perpetual": perpetual}
            )
        assert not re.search(r"\de[-+]?\d", explorer.read(**state)["sentence"]), name


# ------------------------------------------------------------------ controls


def test_controls_reach_as_far_as_the_coins(explorer):
    b = explorer.balance
    reach = {name: (c.min, c.max) for name, c in explorer.controls.items()}
    assert reach["perpetual"] == (-4 * b, 4 * b) and reach["spot"] == pytest.approx((b / 20, 4 * b))
    assert reach["split"] == pytest.approx((b / 20, 0.95 * b)) and reach["haircut"] == (0, 50)
    assert reach["move"] == (-90, 60)
    unit = f"({explorer.coin})"
    labels = [row.children[0].description for row in explorer.rows]
    assert [unit in label for label in labels] == [True, True, True, False, False]
    assert "short < 0" in labels[0]


def test_every_move_of_the_price_changes_the_picture(explorer):
    """No dead zones: the "now" mark of a pool is in its panel at every price, unless it is beyond the scale."""
    for name in explorer.presets:
        explorer.preset(name)
        before = None
        for move in range(-90, 61, 10):
            explorer.set(move=move)
            picture = re.search("<svg.*</svg>", explorer.view.value, re.S)[0]
            top = explorer.layers.axes[0].get_ylim()[1]
            inside = [leg for leg in LEGS if explorer.reading[leg]["pool"] and explorer.reading[leg]["equity"] <= top]
            assert picture.count("<use") == len(inside) > 0, (name, move)
            assert picture != before
            before = picture


def test_three_panels_on_one_scale(explorer):
    panels, scale = explorer.layers.axes, explorer.balance * explorer.entry
    assert [panel.get_title() for panel in panels] == list(NAMES.values())
    assert {panel.get_xlim() for panel in panels} == {(0, 1.7 * explorer.entry)}
    assert {panel.get_ylim() for panel in panels} == {(-0.3 * scale, 3 * scale)}
    assert all(explorer.coin in panel.get_xlabel() and "USD" in panel.get_xlabel() for panel in panels)
    assert [panel.get_ylabel() for panel in panels] == ["USD", "", ""]
    entries = [
        line
        for panel in panels
        for line in panel.lines
        if line.get_color() == figures.STYLES["entry"]["color"] and list(line.get_xdata()) == [explorer.entry] * 2
    ]
    assert len(entries) == 3
    words = [text.get_text() for text in panels[0].get_legend().get_texts()]
    assert words == ["entry", "equity", "requirement", "now", "liquidation"]
    assert not any(panel.get_legend() for panel in panels[1:])
    for name, artist in explorer.layers.drawn.items():
        quantity = name.split()[1].replace("below", "liquidation").replace("above", "liquidation")
        assert artist.get_color() == figures.STYLES[quantity]["color"], name
    for panel in panels:
        ticks = panel.get_xticks()
        assert list(ticks) == [0, 0.5 * explorer.entry, explorer.entry]


# --------------------------------------------------------------- another contract


def test_a_readers_own_contract_changes_every_word():
    explorer = made("two tiers")
    shown = explorer.still.value + explorer.view.value + " ".join(row.children[0].description for row in explorer.rows)
    assert "ETH" in shown and "BTC" not in shown
    assert (explorer.coin, explorer.cash, explorer.spot.symbol) == ("ETH", "USDC", "ETH/USDC")


def test_the_size_is_in_coins_whatever_the_contract():
    """The label says coins: a contract of a hundredth of a coin is traded a hundred times as often."""
    small = CrossMargin(Perpetual("BTC-USDT", index="BTC", settle="USDT", face=0.01))
    whole = CrossMargin()
    for state in [*whole.presets.values(), *random_states(whole, 20)]:
        one, other = small.read(**state), whole.read(**state)
        for leg in LEGS:
            for what in ("equity", "requirement"):
                assert one[leg][what] == pytest.approx(other[leg][what], rel=1e-9, abs=1e-6), (state, leg)
        assert one["sentence"] == other["sentence"]


def test_the_slider_sets_the_haircut_and_the_venue_all_else():
    """The venue's own haircut of the coin has no part; its loans and schedules do."""
    assets = dict(venues.TEACHING_MULTI.assets)
    deep = replace(venues.TEACHING_MULTI, assets=assets | {"BTC": replace(assets["BTC"], haircut=0.9)})
    state = next(iter(CrossMargin().presets.values()))
    assert CrossMargin(venue=deep).read(**state)["sentence"] == CrossMargin().read(**state)["sentence"]
    dear = replace(assets["USDT"], loan=Tiers.flat(0.08, leverage=5))
    dear = CrossMargin(venue=replace(venues.TEACHING_MULTI, assets=assets | {"USDT": dear}))
    assert dear.reading["spot"]["liquidation"].low == pytest.approx(1.08 * 250_000 / 6)
    dear.set(move=0.0)
    assert dear.reading["spot"]["requirement"] == pytest.approx(0.08 * 250_000)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"instrument": Perpetual("BTC-USD", "BTC", "BTC", face=100)}, "must be linear, .* not the inverse 'BTC-USD'"),
        ({"venue": venues.TEACHING}, "account_mode must be one of 'multi-currency', not 'single-currency'"),
        ({"entry": 0.0}, "entry must be a finite number above 0"),
        ({"entry": -1.0}, "entry must be"),
        ({"entry": "soon"}, "entry must be"),
        ({"balance": 0}, "balance must be a finite number above 0"),
        ({"balance": math.nan}, "balance must be"),
        ({"balance": "much"}, "balance must be"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises((TypeError, ValueError), match=message):
        CrossMargin(**wrong)


def test_a_coin_that_the_venue_does_not_name_has_the_haircut_of_the_slider():
    explorer = CrossMargin(Perpetual("SOL-USDT", index="SOL", settle="USDT"), entry=100.0)
    assert explorer.error is None
    for state in explorer.presets.values():
        check_reading(explorer, "BTC", explorer.read(**state), state)


def test_a_venue_that_lends_nothing_says_so():
    bare = replace(venues.TEACHING_MULTI, assets={"USDT": replace(venues.TEACHING_MULTI.asset("USDT"), loan=None)})
    explorer = CrossMargin(venue=bare)
    assert explorer.error is None and explorer.reading["refused"].keys() == {"isolated", "cross"}
    assert explorer.reading["sentence"].count("does not lend USDT") == 2
