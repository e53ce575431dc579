"""The explorer of lesson 02, against the same two books by plain arithmetic."""

import re
from itertools import pairwise, product
from math import inf, nan

import numpy as np
import pytest

from marginlab import Perpetual, Tiers
from marginlab.lesson import CrossMargin, figures
from tests.lesson.shown import close, drawn, numbers, plain, same, states

NAMES = {
    "spot": "spot, isolated",
    "perpetual": "perpetual, isolated",
    "cross": "one cross pool",
}
LOAN, LOAN_LEVERAGE, MOST_LENT = 0.05, 10, 10_000_000  # the teaching venue's loans
# Rows of (floor, rate, leverage): the third schedule refuses some perpetuals; the second tier of
# the last is so dear that a rise closes a pool which a fall closes as well.
ETH = {"symbol": "ETH-USDC", "entry": 1_234.5, "balance": 30.0}
KINDS = {
    "BTC": ({}, ((0, 0.004, 125),)),
    "ETH": ({"symbol": "ETH-USDT", "entry": 2_500.0, "balance": 20.0}, ((0, 0.01, 100),)),
    "two tiers": (ETH, ((0, 0.01, 50), (60_000, 0.1, 10))),
    "steep": (ETH, ((0, 0.01, 50), (60_000, 0.3, 3))),
    "large": ({"balance": 100.0}, ((0, 0.004, 125),)),
}


def made(kind):
    given, rows = KINDS[kind]
    given = dict(given)
    if symbol := given.pop("symbol", None):
        coin, cash = symbol.split("-")
        given["instrument"] = Perpetual(symbol, index=coin, settle=cash, tiers=Tiers(rows))
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
    """One pool, in USD: equity, requirement and worth as functions of the price; where it ends."""

    def __init__(self, equity, requirement, worth, kinks):
        self.equity, self.requirement, self.full = equity, requirement, worth
        self.below, self.above = ends(self.slack, kinks)

    def slack(self, price):
        return self.equity(price) - self.requirement(price)

    def closed(self, price):  # at the line or beyond, to rounding
        return self.slack(price) <= 1e-12 * self.requirement(price)

    def worth(self, price):
        """What the haircut kept out is returned, the rest of a surplus is the fund's."""
        if not self.closed(price):
            return self.full(price)
        return min(max(0.0, self.full(price)), self.full(price) - self.equity(price))

    def fund(self, price):
        """What the insurance fund keeps of a closed pool, or (below 0) pays for it."""
        return self.full(price) - self.worth(price) if self.closed(price) else 0.0


def ends(slack, kinks):
    """(below, above): where a slack that is straight between its kinks falls to zero, or None."""
    below = above = None
    for low, high in pairwise([0.0, *sorted(kinks), inf]):
        x = low + (min(high, low + 1_000.0) - low) / 3
        y = low + (min(high, low + 1_000.0) - low) / 1.5
        slope = (slack(y) - slack(x)) / (y - x)
        root = x - slack(x) / slope if abs(slope) > 1e-9 else nan
        if low + 1e-9 < root <= high:
            below, above = (root, above) if slope > 0 else (below, root)
    return below, above


class Books:
    """Both books of a state: `legs` by name; `refused`, with the numbers of each reason."""

    def __init__(self, explorer, kind, perpetual, spot, split, haircut, move):
        entry, b, q, h = explorer.entry, explorer.balance, perpetual, haircut / 100
        rows, debt, rest = KINDS[kind][1], spot * entry, b - split
        self.price, self.move, self.perpetual = entry * (1 + move / 100), move, q
        tops = [floor for floor, *_ in rows[1:]] + [inf]

        def kept(price):  # maintenance of the perpetual: each slice at its own rate
            worth, slices = abs(q) * price, zip(rows, tops, strict=True)
            return sum(rate * max(0.0, min(worth, top) - low) for (low, rate, _), top in slices)

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

        def counted(price):
            return shared(price) - h * (b + spot) * price

        def asked(price):  # what is gained joins the USDT, and what is owed of them asks its share
            return LOAN * max(0.0, debt - gain(price)) + kept(price)

        self.gain, self.rest = gain, rest
        repaid = [entry + debt / q] if q and entry + debt / q > 0 else []
        self.legs = {
            "spot": Leg(alone, lambda price: LOAN * debt, alone, []),
            "perpetual": Leg(margin, kept, margin, kinks) if q else None,
            "cross": Leg(counted, asked, shared, kinks + repaid),
        }
        # Why the venue would not open a book, in the order of its trades.
        self.refused, noise, too_much = {}, 1e-9 * b, None
        if debt > MOST_LENT:
            too_much = ("lends at most", [debt, MOST_LENT, debt - MOST_LENT])
            self.refused["isolated"] = too_much
        elif split < spot / LOAN_LEVERAGE - noise:
            opening = spot / LOAN_LEVERAGE
            told = [opening, split, opening - split]
            self.refused["isolated"] = "of initial margin needed", told
        if q and abs(q) / rest > leverage * (1 + 1e-9):  # it is opened first
            margins = [abs(q) * entry / leverage, rest * entry]
            self.refused["isolated"] = "leverage", [abs(q) / rest, leverage, *margins]
        at_start = self.legs["cross"].equity(entry) - gain(entry)
        first, second = f"{spot:+,.10g} {explorer.unit} at", f"{q:+,.10g} {explorer.perp.symbol}"
        for name, more in ((first, 0.0), (second, abs(q) * entry / leverage)):
            needed = more + debt / LOAN_LEVERAGE
            if too_much or needed - at_start > 1e-9 * b * entry:
                told = [needed, at_start, needed - at_start]
                self.refused["cross"] = too_much or (name, told)
                break

    def there(self, leg):
        """The leg, or None where it was not opened."""
        book = "cross" if leg == "cross" else "isolated"
        return None if book in self.refused else self.legs[leg]

    def closed(self, leg):
        return bool(self.there(leg)) and self.there(leg).closed(self.price)

    def now(self, leg, what):
        """Equity or requirement of a leg that is open, else 0."""
        open_ = self.there(leg) and not self.closed(leg)
        return getattr(self.legs[leg], what)(self.price) if open_ else 0.0

    def fund(self, leg):
        return self.there(leg).fund(self.price) if self.there(leg) else 0.0

    def worth(self, book, price=None):
        """What an account is worth after the venue has acted; so are coins that are in no pool."""
        price = price or self.price
        if book in self.refused:
            return 0.0
        if book == "cross":
            return self.legs["cross"].worth(price)
        other = self.legs["perpetual"]
        rest = other.worth(price) if other else self.rest * price
        return self.legs["spot"].worth(price) + rest

    def gap(self, price=None):
        """Cross less isolated."""
        return self.worth("cross", price) - self.worth("isolated", price)

    @property
    def first(self):
        """The price at which the first pool is closed on the way, or None: until then both books
        are the same trades."""
        met = [reached(self.legs[leg], self.move) for leg in NAMES if self.closed(leg)]
        if self.refused or not self.move or not met:
            return None
        return max(met) if self.move < 0 else min(met)


# --------------------------------------------------------------- the checks


def check_reading(explorer, reading, model):
    out = 1e-9 * explorer.balance * explorer.entry
    assert reading["price"] == pytest.approx(model.price)
    assert reading["refused"].keys() == model.refused.keys(), (reading["refused"], model.refused)
    for leg in NAMES:
        column, there = reading[leg], model.there(leg)
        assert (column["pool"] is None) == (there is None), leg
        assert bool(column["closed"]) == model.closed(leg), leg
        for what in ("equity", "requirement"):
            want = model.now(leg, what)
            assert column[what] == pytest.approx(want, rel=1e-9, abs=out), (leg, what)
        assert column["fund"] == pytest.approx(model.fund(leg), rel=1e-9, abs=out), leg
        if there is None:
            assert column["liquidation"] is None
            continue
        for side in ("below", "above"):
            price, want = getattr(column["liquidation"], side).price, getattr(there, side)
            assert price == (want if want is None else pytest.approx(want, rel=1e-9)), (leg, side)
    for book in ("isolated", "cross"):
        worth = reading[f"{book} worth"]
        assert worth == pytest.approx(model.worth(book), rel=1e-9, abs=out), book
        assert worth >= 0


def check_sentence(sentence, model):
    """What the sentence says, every number in it, and nothing else."""
    plain(sentence)
    if model.refused:
        start = "The venue would not open this. "
        assert sentence.startswith(start) and sentence[len(start)].isupper()
        reasons = re.split(r"; (?=cross: )", sentence.removeprefix(start).rstrip("."))
        books = [reason.partition(":")[0].lower() for reason in reasons]
        assert books == list(model.refused), sentence
        for said, (words, values) in zip(reasons, model.refused.values(), strict=True):
            assert words in said, (words, said)
            same(numbers(said.partition("would")[2] or said), values)
        return
    walled, split, one = sentence.partition(". In one pool: ")
    start = f"Isolated, after {model.move:+g} %: " if model.move else "Isolated, before any move: "
    assert split and walled.startswith(start), sentence
    shut = {leg: model.legs[leg] for leg in ("spot", "perpetual") if model.closed(leg)}
    met = {leg: reached(one_, model.move) for leg, one_ in shut.items()}
    order = sorted(met, key=met.get, reverse=model.move < 0)  # what the price meets first
    assert re.findall(r"the (\w+) leg is closed \(its line", walled) == order, sentence
    alone = len(shut) == 1 and bool(model.perpetual)
    assert ("the other pool stands alone: a bet, that has " in walled) == alone
    told = numbers(walled.removeprefix(start))
    if alone:
        other = model.legs["spot" if order == ["perpetual"] else "perpetual"]
        change = other.full(model.price) - other.full(met[order[0]])
        assert close(told.pop(), abs(change), 0)
        assert abs(change) < 1 or ("has gained" in walled) == (change > 0)
    quoted(told, [met[leg] for leg in order])
    assert (", then " in walled) == (len(shut) == 2)
    assert ("nothing is closed" in walled) == (not shut)
    cross, gain = model.legs["cross"], model.gain(model.price)
    if model.closed("cross"):
        assert "closed (the line" in one and "open" not in one
        assert ("both" in one) == bool(model.perpetual), sentence
        quoted(numbers(one), [reached(cross, model.move)])
        return
    assert one.startswith("open, with ") and "both" not in one
    assert ("profit" in one, "loss" in one) == (gain > 1e-9, gain < -1e-9), sentence
    assert ("perpetual" in one) == (abs(gain) > 1e-9)
    told = [model.now("cross", "equity"), model.now("cross", "requirement")]
    told += [abs(gain)] * (abs(gain) > 1e-9)
    same(numbers(one)[: len(told)], [(0, value) for value in told])
    there = [side for side in ("below", "above") if getattr(cross, side)]
    quoted(numbers(one)[len(told) :], [getattr(cross, side) for side in there])
    assert re.findall(r"\b(below|above)\b", one) == there
    assert ("No price closes it" in one) == (not there)


def reached(leg, move):
    return leg.below if leg.below and (move < 0 or not leg.above) else leg.above


def quoted(shown, prices):
    """Prices as they are quoted: without cents from 1,000 on."""
    same(shown, [(0, price) if price >= 1_000 else price for price in prices])


def money(text, value, signed=False):
    """An amount without cents; a difference with its sign, no sign where nothing is left of it."""
    assert re.fullmatch(r"[-+]?\d{1,3}(,\d{3})*", text), text
    number = float(text.replace(",", ""))
    assert close(number, value, 0), (text, value)
    assert (text[0] in "+-") == bool(number and (signed or value < 0)), f"{text} for {value}"


def check_table(table, model):
    head, rows = table
    assert head == ["", "ends", "equity now", "required", "fund gains", "account worth"]
    named = {row[0]: row[1:] for row in rows}
    order = [NAMES["spot"], NAMES["perpetual"], "both isolated", NAMES["cross"]]
    order += ["cross less isolated, now", "since then"] * bool(model.first)
    assert list(named) == order + ["difference"] * (not model.refused)
    for leg in NAMES:
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
        assert leg == "cross" or worth == ""
    legs, both = ("spot", "perpetual"), named["both isolated"]
    if "isolated" in model.refused:
        assert both == [""] * 5, f"figures of a book that is not there: {both}"
    else:
        sums = [sum(model.now(leg, what) for leg in legs) for what in ("equity", "requirement")]
        want = [*sums, sum(model.fund(leg) for leg in legs), model.worth("isolated")]
        assert both[0] == ""
        for text, value in zip(both[1:], want, strict=True):
            money(text, value)
    if "cross" not in model.refused:
        money(named[NAMES["cross"]][4], model.worth("cross"))
    if not model.refused:
        gap, said, at = model.gap(), "cross less isolated", model.first
        if at:
            then = model.gap(at * (1 + 1e-9 * np.sign(model.move)))
            assert rows[-3][:5] == ["cross less isolated, now", "", "", "", ""]
            money(rows[-3][5], gap, signed=True)
            assert rows[-2][:5] == ["since then", "", "", "", "no longer the same trades"]
            money(rows[-2][5], gap - then, signed=True)
            gap, said = then, rows[-1][4]
            assert said.startswith("cross less isolated, at ")
            quoted(numbers(said), [at])
        assert rows[-1][:5] == ["difference", "", "", "", said]
        money(rows[-1][5], gap, signed=True)


def check_drawn(explorer, model):
    """What lies in the panels is what the books say: lines, ends, and where the price stands."""
    layers, entry = explorer.layers, explorer.entry
    top = layers.axes[0].get_ylim()[1]
    for leg in NAMES:
        there = model.there(leg)
        artists = {name: layers.drawn[f"{leg} {name}"] for name in ("equity", "requirement", "price", "below", "above")}
        assert {artist.axes.get_title() for artist in artists.values()} == {NAMES[leg]}
        for side in ("below", "above"):
            price = getattr(there, side) if there else None
            want = [pytest.approx(price, rel=1e-9)] * 2 if price else []
            assert list(artists[side].get_xdata()) == want
        if there is None:
            assert all(drawn(artist).size == 0 for artist in artists.values())
            continue
        x, equity = drawn(artists["equity"])
        x_, requirement = drawn(artists["requirement"])
        assert (x == x_).all() and np.diff(x[x <= 1.7 * entry]).max() < 0.05 * entry
        assert x[0] <= 0.05 * entry and x[-1] >= 1.7 * entry
        stops = [end for end in (there.below, there.above) if end]
        for end in stops:  # a step, not a slope
            near = sorted(x[abs(x / end - 1) < 1e-8])
            assert len(near) >= 2 and near[0] < end < near[-1]
        sure = np.all([abs(x / end - 1) > 1e-10 for end in [*stops, inf]], axis=0)
        want = [there.equity(p) if there.slack(p) > 0 else 0.0 for p in x[sure]]
        np.testing.assert_allclose(equity[sure], want, rtol=1e-6, atol=1e-6)
        want = [there.requirement(p) for p in x]
        np.testing.assert_allclose(requirement, want, rtol=1e-6)
        equity = model.now(leg, "equity")
        here = [pytest.approx(model.price), pytest.approx(equity)] if equity <= top else []
        assert [*artists["price"].get_xdata(), *artists["price"].get_ydata()] == here


# ----------------------------------------------------------------- the sweep


def ending_both_ways(explorer):
    """States of "steep" whose cross pool a fall closes, and a rise as well."""
    b, first = explorer.balance, next(iter(explorer.presets.values()))
    for size, hedge, move in product((1.1 * b, 1.4 * b, 1.6 * b), (1.15, 1.2, 1.25), (-89.5, 0.0, 60.0)):
        spot = 1.05 * size  # what is owed stays above what the short gains
        haircut = 100 * (1 - hedge * size / (b + spot))
        yield first | {"perpetual": -size, "spot": spot, "haircut": haircut, "move": move}


def on_the_line(explorer):
    """States in which the spot leg stands just at its requirement, or a long has no end at all."""
    b = explorer.balance
    start = {"perpetual": -2.5 * b, "haircut": 0.0}
    coins = product((b / 20 * n for n in range(1, 81, 8)), (b / 20 * n for n in range(1, 20)))
    for spot, split in coins:
        move = round((1.05 * spot / (split + spot) - 1) * 100, 9)
        if (2 * move).is_integer() and split >= 0.1 * spot:
            state = start | {"spot": spot, "split": split, "move": move}
            yield {name: round(value, 9) for name, value in state.items()}
    for part in (b / 20 * n for n in range(1, 20)):
        state = {"perpetual": b - part, "spot": b / 20, "split": part, "haircut": 0.0, "move": 1.0}
        yield {name: round(value, 9) for name, value in state.items()}


def test_every_state_reads_and_draws_as_the_books_say(explorer, kind):
    seen = {"refused": 0, "isolated": 0, "cross": 0, "open": 0, "both ways": 0}
    swept = [*states(explorer, count=90, starts=3), *on_the_line(explorer)]
    swept += [*ending_both_ways(explorer)] * (kind == "steep")
    for n, state in enumerate(swept):
        reading, model = explorer.read(**state), Books(explorer, kind, **state)
        try:
            check_reading(explorer, reading, model)
            check_sentence(reading["sentence"], model)
            check_table(reading["table"], model)
            if n % 4 == 0:
                explorer.draw(explorer.layers, reading)
                check_drawn(explorer, model)
        except AssertionError as error:
            raise AssertionError(f"at {state}: {error}") from error
        cross = model.legs["cross"]
        closed = [leg for leg in NAMES if reading[leg]["closed"]]
        seen["refused"] += bool(model.refused)
        seen["isolated"] += any(leg != "cross" for leg in closed)
        seen["cross"] += "cross" in closed
        seen["open"] += not model.refused and not closed
        seen["both ways"] += bool(cross.below and cross.above)
    assert seen.pop("both ways") or kind != "steep"
    assert all(count > 10 for count in seen.values()), seen
    explorer.update()


# ------------------------------------------------------------ the lesson's own


def test_just_enough_margin_opens():
    explorer = CrossMargin()
    assert not at(explorer, -5.0, 8.0, 0.8, 10.0, 0.0)["refused"].get("isolated")  # a tenth of 8
    assert at(explorer, -5.0, 8.0, 0.7999, 10.0, 0.0)["refused"].keys() == {"isolated"}
    # 2 + 5 coins at 80 % are 280,000, less the debt 30,000: a tenth of it, and 0.8 % of 12.5 coins
    assert not at(explorer, -12.5, 5.0, 1.0, 20.0, 0.0)["refused"]
    said = at(explorer, -12.6, 5.0, 1.0, 20.0, 0.0)["refused"]
    assert said.keys() == {"cross"} and "BTC-USDT" in said["cross"]
    same(numbers(said["cross"].partition("would")[2]), [30_040, 30_000, 40])


def test_presets_are_what_their_names_say(explorer, kind):
    read = {name: explorer.read(**state) for name, state in explorer.presets.items()}
    b = explorer.balance
    for name, state in explorer.presets.items():
        assert state["haircut"] == (25 if "haircut too deep" in name else 10)
        assert (state["spot"], state["split"]) == (2.5 * b, b / 2)
        if amount := re.search(r"a (fall|rise) of (\d+) %", name):
            assert state["move"] == (-1 if amount[1] == "fall" else 1) * int(amount[2])
        assert (state["perpetual"] == 0) == ("alone" in name)
        assert "both long" not in name or state["perpetual"] == state["spot"]
        assert "against" not in name or state["perpetual"] == -state["spot"]
    if kind in ("BTC", "ETH"):
        closed = [[leg for leg in NAMES if one[leg]["closed"]] for one in read.values()]
        assert closed == [["spot"], ["perpetual"], ["cross"], ["spot"], []]
        assert [list(one["refused"]) for one in read.values()] == [[]] * 4 + [["cross"]]


def test_the_lessons_own_figures():
    """Two coins, five bought on loan, five sold short: from the lesson's prose and cells."""
    explorer = CrossMargin()
    assert explorer.state() == {"perpetual": -5, "spot": 5, "split": 1, "haircut": 10, "move": -14}
    assert list(explorer.controls) == ["perpetual", "spot", "split", "haircut", "move"]
    assert explorer.reading["sentence"] == (
        "Isolated, after -14 %: the spot leg is closed (its line: 43,750), and the other pool stands alone: "
        "a bet, that has gained 3,750 beyond that line. In one pool: open, with 55,900 USD of equity against "
        "11,610 required, after an unrealised "
        "profit of 35,000 on the perpetual. No price closes it."
    )
    rows = {row[0]: row for row in explorer.reading["table"][1]}
    # 6 coins less the debt are lost, 12,500; the coin sold at the start was worth 6,250 more
    assert rows["difference"][-2:] == ["cross less isolated, at 43,750", "+6,250"]
    assert rows["since then"][-1] == "-5,250"
    assert rows["cross less isolated, now"][-1] == "+1,000"
    fallen = {row[0]: row for row in at(explorer, -5.0, 5.0, 1.0, 10.0, -50.0)["table"][1]}
    assert fallen["difference"] == rows["difference"], "a lone short's luck is not the mode's"
    assert fallen["since then"][-1] == "-131,250"
    assert rows["both isolated"][2:] == ["85,000", "860", "8,000", "85,000"]
    assert rows["one cross pool"][1:] == ["nowhere", "55,900", "11,610", "", "86,000"]
    assert at(explorer, -4.1, 5.0, 1.0, 10.0, -50.0)["cross"]["closed"] is None  # question (a)
    assert at(explorer, -4.0, 5.0, 1.0, 10.0, -50.0)["cross"]["closed"] is not None
    for split in np.arange(0.1, 1.95, 0.1):  # question (b): no split keeps both legs
        falls, rises = (at(explorer, -5.0, 5.0, float(split), 10.0, m) for m in (-20.0, 20.0))
        assert falls["refused"] or falls["spot"]["closed"] or rises["perpetual"]["closed"]
    assert not at(explorer, -5.0, 5.0, 1.0, 20.0, 0.0)["refused"]  # question (c)
    assert at(explorer, -5.0, 5.0, 1.0, 21.0, 0.0)["refused"].keys() == {"cross"}


def test_what_the_fund_takes_or_pays_is_told_as_such():
    """The spot leg at 43,000: 6 coins less the debt. At 40,000 the fund pays."""
    explorer = CrossMargin()
    for move, fund, text in ((-14.0, 8_000, "8,000"), (-20.0, -10_000, "-10,000")):
        reading = at(explorer, -5.0, 5.0, 1.0, 10.0, move)
        rows = {row[0]: row for row in reading["table"][1]}
        assert reading["spot"]["fund"] == pytest.approx(fund)
        assert rows["spot, isolated"][4] == rows["both isolated"][4] == text
        assert reading["isolated worth"] == pytest.approx(reading["perpetual"]["equity"])


def test_legs_that_are_both_closed_are_told_in_the_order_in_which_the_price_meets_them():
    explorer = CrossMargin()
    sentence = at(explorer, 5.0, 5.0, 1.0, 0.0, -30.0)["sentence"]
    assert "spot leg is closed (its line: 43,750), then the perpetual leg is closed (its line: 40,161)" in sentence
    sentence = at(explorer, 5.0, 5.0, 1.9, 0.0, -40.0)["sentence"]
    assert "perpetual leg is closed (its line: 49,197), then the spot leg is closed (its line: 38,043)" in sentence


def test_where_nothing_differs_the_row_shows_no_sign():
    """At the entry and without a haircut both books are the same: 0, not +0 or -0."""
    explorer = CrossMargin()
    for perpetual, spot, split in product((-5.0, -0.3, 5.0), (0.2, 0.7, 2.0), (0.6, 0.7, 1.1)):
        reading = at(explorer, perpetual, spot, split, 0.0, 0.0)
        assert reading["table"][1][-1][-1] == "0", (perpetual, spot, split)


def test_the_size_is_in_coins_whatever_the_contract():
    """A contract of a hundredth of a coin is traded a hundred times as often."""
    small = CrossMargin(Perpetual("BTC-USDT", index="BTC", settle="USDT", face=0.01))
    whole = CrossMargin()
    for state in states(whole, count=20, starts=0):
        assert small.read(**state)["sentence"] == whole.read(**state)["sentence"]


def test_a_coin_that_the_venue_does_not_name_has_the_haircut_of_the_slider():
    explorer = CrossMargin(Perpetual("SOL-USDT", index="SOL", settle="USDT"), entry=100.0)
    for state in explorer.presets.values():
        reading = explorer.read(**state)
        check_reading(explorer, reading, Books(explorer, "BTC", **state))
    shown = [row.children[0].description for row in explorer.rows]
    assert ["(SOL)" in label for label in shown] == [True, True, True, False, False]


def test_controls_and_panels(explorer):
    b, entry = explorer.balance, explorer.entry
    reach = {name: (c.min, c.max) for name, c in explorer.controls.items()}
    assert reach["perpetual"] == (-4 * b, 4 * b) and reach["spot"] == (b / 20, 4 * b)
    assert reach["split"] == (b / 20, pytest.approx(0.95 * b)) and reach["haircut"] == (0, 50)
    assert reach["move"] == (-90, 60)
    panels, scale = explorer.layers.axes, b * entry
    assert {panel.get_xlim() for panel in panels} == {(0, 1.7 * entry)}
    assert {panel.get_ylim() for panel in panels} == {(-0.3 * scale, 3 * scale)}
    assert {panel.get_xlabel() for panel in panels} == {f"price of {explorer.unit} (USD)"}
    assert [panel.get_ylabel() for panel in panels] == ["USD", "", ""]
    for panel in panels:
        grey = [p for p in panel.lines if p.get_color() == figures.STYLES["entry"]["color"]]
        assert [list(line.get_xdata()) for line in grey] == [[entry] * 2]
        assert list(panel.get_xticks()) == [0, 0.5 * entry, entry]
    words = [text.get_text() for text in panels[0].get_legend().get_texts()]
    assert words == ["entry", "equity", "requirement", "now", "liquidation"]
    for name, artist in explorer.layers.drawn.items():
        quantity = re.sub("below|above", "liquidation", name.split()[1])
        assert artist.get_color() == figures.STYLES[quantity]["color"], name
