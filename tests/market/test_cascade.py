"""Cascades: by hand, against a loop over single positions, and what must hold of any of them."""

import math

import numpy as np
import pandas as pd
import pytest

from marginlab import Perpetual, Pool, Position, Tiers, Venue, liquidation_price, replace, venues
from marginlab.market.cascade import cascade
from marginlab.rules import COUNTERPARTIES, TRADER

COLUMNS = ["price", "last", "mark", "closed", "net", "lost", "surplus", "missing", "fund", "counterparties"]
# With a rate of 0.1 a long of entry 100 ends at (100 - margin) / 0.9, a short at (100 + margin) / 1.1.
TENTH = Venue("a tenth", tiers={"*": Tiers.flat(0.1)})  # surplus to the fund, shortfall to the fund
KIND = replace(TENTH, surplus_to=TRADER)
LINEAR = Perpetual("BTC-USDT", "BTC", "USDT")
INVERSE = Perpetual("BTC-USD", "BTC", "BTC", 100)
LONGS = [1, 1, 1], [19, 28, 37]  # end at 90, 80 and 70, are bankrupt at 81, 72 and 63
SHORTS = [-1, -1, -1], [10, 21, 32]  # end at 100, 110 and 120, are bankrupt at 110, 121 and 132
FOUR = [1, 1, 2, 1], [19, 28, 74, 46]  # end at 90, 80, 70 and 60, are bankrupt at 81, 72, 63 and 54


def none(net):
    return 0.0


def by_hand(quantity, margin, prices, impact=none, fund=math.inf, instrument=LINEAR, entry=100, venue=TENTH, **words):
    return cascade(venue, instrument, quantity, np.full(len(quantity), entry), margin, prices, impact, fund, **words)


def check(found, when, **columns):
    """The steps at which they are closed, and some columns; and all that is missing is paid by somebody."""
    frame, at = found
    assert list(frame.columns) == COLUMNS and frame.index.name == "step"
    assert list(frame.index) == list(range(len(frame))) and np.isfinite(frame.to_numpy()).all()
    assert at.dtype.kind == "i" and at.tolist() == when
    assert frame.closed.tolist() == [when.count(step) for step in frame.index]
    for name, want in columns.items():
        assert frame[name].tolist() == pytest.approx(want, rel=1e-12, abs=1e-12), name
    assert (frame.fund + frame.counterparties).tolist() == pytest.approx(frame.missing.tolist(), rel=1e-12)


# ---------------------------------------------------------------------- by hand


def test_the_first_brings_about_the_second_and_not_the_third():
    # 88 closes the first; 88 closed move the price by 0.1 to 79.2, which closes the second; 167.2 by 0.19 to 71.28.
    # Filled at 83.6, 2.6 above 81, and at 75.24, 3.24 above 72
    found = by_hand(*LONGS, [100, 88, 88], lambda net: net / 880, 1.0)
    moved = [100, 71.28, 71.28]
    check(found, [1, 1, -1], price=[100, 88, 88], last=moved, mark=moved, net=[0, 167.2, 167.2], lost=[0, 47, 0])
    check(found, [1, 1, -1], surplus=[0, 5.84, 0], missing=[0] * 3, fund=[0] * 3, counterparties=[0] * 3)


def test_the_same_of_shorts_upwards():
    # 105 closes the first and is moved by 0.1 to 115.5; 220.5 by 0.13 to 118.65. Filled at 110.25, 0.25 beyond 110,
    # and at 117.075, 3.925 below 121
    found = by_hand(*SHORTS, [99, 105, 100], lambda net: {0: 0, 105: 0.1, 220.5: 0.13}[round(net, 9)], fund=0)
    check(found, [1, 1, -1], last=[99, 118.65, 113], net=[0, -220.5, -220.5], lost=[0, 31, 0])
    check(found, [1, 1, -1], surplus=[0, 3.925, 0], missing=[0, 0.25, 0], fund=[0, 0.25, 0])


def test_at_the_liquidation_price_itself():
    end = liquidation_price(TENTH, LINEAR, 1, 100, 19)
    check(by_hand([1], [19], [math.nextafter(end, 100), end]), [1])
    end = liquidation_price(TENTH, LINEAR, -1, 100, 21)
    check(by_hand([-1], [21], [math.nextafter(end, 0), end]), [1])


def test_longs_and_shorts_net():
    quantity, margin = [1, -1, -1, 1], [19, 21, 32, 37]  # end at 90, 110, 120 and 70
    found = by_hand(quantity, margin, [100, 88, 125, 100], lambda net: net / 880)
    # -> 79.2; 125 is moved to 112.5: the first short; net -24.5, to 125 * (1 + 24.5 / 880) = 128.5: the second
    second = 125 * (1 + 24.5 / 880)
    after = 1 + (24.5 + second) / 880
    check(
        found,
        [1, 2, 2, -1],
        last=[100, 79.2, 125 * after, 100 * after],
        net=[0, 88, -24.5 - second, -24.5 - second],
        lost=[0, 19, 53, 0],
        surplus=[0, 2.6, 121 - (112.5 + second) / 2, 0],
        missing=[0, 0, (second + 125 * after) / 2 - 132, 0],
    )


def test_the_mark_follows_in_part():
    # half: 88 closes the first; last 79.2, mark 83.6. Then 84: mark 0.95 * 84 = 79.8 closes the second, worth 79.8
    found = by_hand(*LONGS, [88, 84], lambda net: net / 880, mark_share=0.5)
    share = (88 + 79.8) / 880
    last = 84 * (1 - share)
    check(found, [0, 1, -1], last=[79.2, last], mark=[83.6, 84 * (1 - share / 2)], net=[88, 167.8])
    check(found, [0, 1, -1], surplus=[2.6, 0], missing=[0, 72 - (0.9 * 84 + last) / 2], lost=[19, 28])
    # none: what is closed is still filled at the moved price
    found = by_hand(*LONGS, [88, 79], lambda net: net / 880, mark_share=0)
    check(found, [0, 1, -1], last=[79.2, 79 * (1 - 167 / 880)], mark=[88, 79], net=[88, 167])
    check(found, [0, 1, -1], missing=[0, 72 - 79 * (2 - 88 / 880 - 167 / 880) / 2])


def test_the_fund_is_emptied_in_the_middle():
    # missing 1 at 80 (which closes two and leaves 8 of the second), then 2 x 13 and 4 at 50
    rest = {"missing": [1, 0, 30, 0, 0], "surplus": [8, 0, 0, 0, 0]}
    found = by_hand(*FOUR, [80, 79, 50, 40, 30], fund=7, venue=KIND)
    check(found, [0, 0, 2, 2], lost=[39, 0, 120, 0, 0], fund=[1, 0, 6, 0, 0], counterparties=[0, 0, 24, 0, 0], **rest)
    found = by_hand(*FOUR, [80, 79, 50, 40, 30], fund=7)
    check(found, [0, 0, 2, 2], lost=[47, 0, 120, 0, 0], fund=[1, 0, 14, 0, 0], counterparties=[0, 0, 16, 0, 0], **rest)
    found = by_hand(*FOUR, [76, 61, 40, 30], fund=7, venue=KIND)
    check(found, [0, 0, 1, 2], lost=[43, 74, 46, 0], missing=[5, 4, 14, 0], fund=[5, 2, 0, 0])
    check(found, [0, 0, 1, 2], counterparties=[0, 2, 14, 0])


def test_where_counterparties_pay_the_fund_only_takes():
    found = by_hand(*FOUR, [76, 61, 40, 30], fund=7, venue=replace(TENTH, shortfall_to=COUNTERPARTIES))
    check(found, [0, 0, 1, 2], missing=[5, 4, 14, 0], fund=[0] * 4, counterparties=[5, 4, 14, 0], surplus=[4, 0, 0, 0])


def test_what_is_missing_is_halfway_to_the_moved_price():
    # the first is filled at 79.2, 1.8 below 81; the second, after which the price stays, at 70.4, 1.6 below 72
    found = by_hand([1, 1], [19, 28], [88], lambda net: 0.2 if net else 0.0, fund=0)
    check(found, [0, 0], last=[70.4], lost=[47], missing=[3.4], fund=[0], counterparties=[3.4], surplus=[0])
    # shorts: 115.5 is 5.5 beyond 110; the others, both at 126, are 5 beyond 121 and 6 below 132
    found = by_hand(*SHORTS, [105], lambda net: 0.2 if net else 0.0, fund=2)
    check(found, [0, 0, 0], last=[126], net=[-357], surplus=[6], missing=[10.5], fund=[8], counterparties=[2.5])


def test_an_inverse_contract():
    # a long of 100 USD from 100, margin 0.375: 1.1 * V = 1.375, so V = 1.25, at 80, and bankrupt at V = 1.375;
    # a short, margin 0.1: 0.9 * V = 0.9, so V = 1, at 100, and bankrupt at V = 0.9
    found = by_hand([1, -1], [0.375, 0.1], [90, 70], instrument=INVERSE, impact=lambda net: net / 1_000)
    check(found, [1, -1], net=[0, 100], last=[90, 63], lost=[0, 0.375], missing=[0, 100 / 66.5 - 1.375])
    found = by_hand([2, -3], [0.75, 0.3], [101, 120], instrument=INVERSE, fund=0.1)
    check(found, [-1, 0], net=[-300, -300], lost=[0.3, 0], missing=[0, 0], surplus=[300 / 101 - 2.7, 0])
    found = by_hand([-3], [0.3], [125, 70], instrument=INVERSE, fund=0.1, impact=lambda net: net / 3_000)
    gap = 2.7 - 300 / 131.25
    check(found, [0], net=[-300] * 2, last=[137.5, 77], missing=[gap, 0], fund=[0.1, 0], counterparties=[gap - 0.1, 0])


# --------------------------------------------------------- a loop over positions

CONTRACTS = (
    Perpetual("L1", "BTC", "USDT", tiers=Tiers.flat(0.004)),
    Perpetual("L2", "BTC", "USDT", 0.1, venues.BTCUSDT_2024_10),
    Perpetual("L3", "BTC", "USDT", tiers=Tiers(((0, 0.005), (1e5, 0.01), (6e5, 0.03)))),
    Perpetual("I1", "BTC", "BTC", 50_000, Tiers.flat(0.004)),
    Perpetual("I2", "BTC", "BTC", 50_000, venues.BTCUSD_COIN_2020_06),
    Perpetual("I3", "BTC", "BTC", 50_000, Tiers(((0, 0.01), (5, 0.03)), basis="quantity")),
)
RULES = (
    Venue("A"),
    Venue("A, fee", fee=0.0006, fee_at="price"),
    Venue("A, bust", fee=0.0006, fee_at="bankruptcy", surplus_to=TRADER),
    Venue("B", maintenance_at="entry", shortfall_to=COUNTERPARTIES),
    Venue("B, fee", maintenance_at="entry", fee=0.0006, fee_at="price", surplus_to=TRADER, shortfall_to=COUNTERPARTIES),
)


def curve(kind, most, half):
    """An impact that saturates, one that is straight and then flat, or one that goes up in steps."""
    return {
        "saturating": lambda net: most * net / (net + half),
        "straight": lambda net: min(most, most * net / half),
        "steps": lambda net: min(most, 0.02 * (net // (half / 10))),
    }[kind]


def small(seed, contract, side=None):
    """A random small book with a path, an impact, a fund, and how much of the impact is in the mark."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 15))
    quantity = rng.uniform(0.1, 15, n) * (rng.choice([-1, 1], n) if side is None else side)
    entry = rng.uniform(45_000, 55_000, n)
    margin = np.abs(contract.notional(quantity, entry)) / rng.uniform(2, 20, n)
    prices = 50_000 * np.exp(np.cumsum(rng.normal(0, 0.06, int(rng.integers(1, 16)))))
    worth = np.abs(contract.notional(quantity, entry)).sum() * (50_000 if contract.inverse else 1)
    impact = curve(rng.choice(["saturating", "straight", "steps"]), rng.uniform(0, 0.7), worth * rng.uniform(0.2, 3))
    fund = rng.choice([0.0, margin.sum() * rng.uniform(0, 1), math.inf])
    mark_share = rng.choice([0.0, 0.5, 1.0, 1.0, rng.uniform()])
    return quantity, entry, margin, prices, impact, float(fund), float(mark_share)


def alone(venue, contract, quantity, entry, margin):
    pool = Pool(contract.settle, {contract.settle: margin}, [Position(contract, quantity, entry)], venue)
    found = pool.liquidation()
    return found.below.price or 0.0 if quantity > 0 else found.above.price or math.inf


def loop(venue, contract, quantity, entry, margin, prices, impact, fund=math.inf, mark_share=1.0, one_by_one=False):
    """One position after the other, scanned again until nothing changes; `one_by_one`: each closing moves the price."""
    book = [tuple(map(float, row)) for row in zip(quantity, entry, margin, strict=True)]
    ends = [alone(venue, contract, *row) for row in book]
    when, rows, net = [-1] * len(book), [], 0.0

    def moved(price, part):
        return price * (1 - part * (impact(net) if net > 0 else -impact(-net) if net < 0 else 0.0))

    for step, price in enumerate(map(float, prices)):
        closed, lost, surplus, missing = 0, 0.0, 0.0, 0.0
        while True:
            last, mark = moved(price, 1), moved(price, mark_share)
            batch = [
                n
                for n, (q, _, _) in enumerate(book)
                if when[n] == -1 and (mark <= ends[n] if q > 0 else mark >= ends[n])
            ]
            batch = batch[:1] if one_by_one else batch
            if not batch:
                break
            net += sum(book[n][0] * contract.face * (1 if contract.inverse else mark) for n in batch)
            fill = (last + moved(price, 1)) / 2
            for n in batch:
                q, e, m = book[n]
                pnl = q * contract.face * (1 / e - 1 / fill if contract.inverse else fill - e)
                left = m + pnl
                when[n], closed = step, closed + 1
                surplus, missing = surplus + max(0.0, left), missing + max(0.0, -left)
                lost += m - (max(0.0, left) if venue.surplus_to == "trader" else 0.0)
        fund += 0.0 if venue.surplus_to == "trader" else surplus
        paid = 0.0 if venue.shortfall_to == "counterparties" else min(fund, missing)
        fund -= paid
        rows.append((price, last, mark, closed, net, lost, surplus, missing, paid, missing - paid))
    return rows, when


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.symbol)
@pytest.mark.parametrize("venue", RULES, ids=lambda v: v.name)
@pytest.mark.parametrize("side", [1, -1, None], ids=["longs", "shorts", "both"])
def test_it_is_the_loop(venue, contract, side):
    brought = 0
    for seed in range(12):
        given = small((seed, RULES.index(venue), CONTRACTS.index(contract)), contract, side)
        frame, when = cascade(venue, contract, *given)
        rows, at = loop(venue, contract, *given)
        assert when.tolist() == at, seed
        scale = np.array([1, 1, 1, 1, given[3].max(), *[given[2].sum()] * 5])
        np.testing.assert_allclose(frame.to_numpy() / scale, np.array(rows) / scale, rtol=1e-9, atol=1e-11)
        brought += (cascade(venue, contract, *given[:4], none)[1] != when).any()
    assert brought  # books in which impact matters


# ------------------------------------------------------------------- properties


def large(seed=3, n=500, inverse=False, side=None, steps=60):
    """A book of many, on a path that falls by half and comes back."""
    rng = np.random.default_rng(seed)
    contract = CONTRACTS[3 if inverse else 2]
    quantity = rng.uniform(0.1, 5, n) * (rng.choice([-1, 1], n) if side is None else side)
    entry = rng.uniform(45_000, 55_000, n)
    margin = np.abs(contract.notional(quantity, entry)) / rng.uniform(1.01, 25, n)
    prices = 50_000 * np.exp(-0.7 * np.sin(np.linspace(0, np.pi, steps)) + rng.normal(0, 0.02, steps))
    return RULES[1], contract, quantity, entry, margin, prices


def saturating(net, most=0.3, half=1e7):
    return most * net / (net + half)


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
@pytest.mark.parametrize("side", [1, -1, None], ids=["longs", "shorts", "both"])
@pytest.mark.parametrize("mark_share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("surplus_to, shortfall_to", [("insurance fund", "insurance fund"), (TRADER, "insurance fund"),
                                                      ("insurance fund", COUNTERPARTIES)])  # fmt: skip
def test_what_holds_of_any(inverse, side, mark_share, surplus_to, shortfall_to):
    venue, contract, quantity, entry, margin, prices = large(inverse=inverse, side=side)
    venue = replace(venue, surplus_to=surplus_to, shortfall_to=shortfall_to)
    fund, given = margin.sum() / 1_000, (venue, contract, quantity, entry, margin, prices, saturating)
    frame, when = cascade(*given, fund, mark_share)
    kept, tiny = surplus_to == "insurance fund", 1e-9 * margin.sum()
    assert np.isfinite(frame.to_numpy()).all()
    assert (frame.drop(columns=["net", "lost"]) >= 0).all(axis=None)
    assert frame.price.tolist() == prices.tolist() and frame.closed.sum() == (when >= 0).sum() > 0
    # conservation: who is not the trader gets what the trader loses; the whole margin, or what is not returned of it
    np.testing.assert_allclose(frame.fund + frame.counterparties, frame.missing, rtol=1e-12)
    margins = [margin[when == step].sum() for step in frame.index]
    np.testing.assert_allclose(frame.lost + (0 if kept else 1) * frame.surplus, margins, rtol=1e-9, atol=tiny)
    # the fund: never below zero, and nobody else pays before it is empty
    left = fund + (frame.surplus if kept else 0 * frame.surplus).cumsum() - frame.fund.cumsum()
    assert (left >= -tiny).all()
    if shortfall_to == COUNTERPARTIES:
        assert (frame.fund == 0).all()
    else:
        assert (frame.counterparties[left > tiny] == 0).all() and frame.fund.sum() > 0
    share = saturating(frame.net.abs()) * np.sign(frame.net)
    np.testing.assert_allclose(frame["last"], prices * (1 - share), rtol=1e-12)
    np.testing.assert_allclose(frame["mark"], prices * (1 - mark_share * share), rtol=1e-12)
    if inverse:
        net = [(quantity * contract.face)[(when >= 0) & (when <= step)].sum() for step in frame.index]
        assert frame.net.tolist() == pytest.approx(net, rel=1e-9, abs=1e-6)
    # what traders lose beyond their margins, or not of it, is the other side's gain: between the extremes of the fills
    if side and not inverse:
        at = np.append(prices, 0)[when]
        size = np.abs(quantity * contract.face)[when >= 0]
        gain = (frame.lost - (frame.surplus if kept else 0) + frame.missing).sum()
        best = (size * side * (entry - at)[when >= 0]).sum()
        most = (size * (entry * side - side * at * (1 - side * 0.3))[when >= 0]).sum()
        assert best <= gain <= most
    # nobody is left who is over at the end of a step, so nobody is closed late
    end = liquidation_price(venue, contract, quantity, entry, margin)
    mark = frame["mark"].to_numpy()[:, None]
    over = np.where(quantity > 0, mark <= end, mark >= end)
    still = (when < 0) | (when > np.arange(len(prices))[:, None])
    assert not (over & still).any()
    again, at = cascade(*given, fund, mark_share)
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert at.tolist() == when.tolist()


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
def test_without_impact_the_path_decides(inverse):
    venue, contract, quantity, entry, margin, prices = large(inverse=inverse)
    frame, when = cascade(venue, contract, quantity, entry, margin, prices, none)
    _, same = cascade(venue, contract, quantity, entry, margin, prices, saturating, mark_share=0.0)
    assert same.tolist() == when.tolist()  # an index that does not follow at all
    end = liquidation_price(venue, contract, quantity, entry, margin)[:, None]
    reached = np.where(quantity[:, None] > 0, end >= prices, end <= prices)
    assert when.tolist() == np.where(reached.any(axis=1), reached.argmax(axis=1), -1).tolist()
    assert (frame["last"] == frame.price).all() and (frame["mark"] == frame.price).all()
    assert -1 in when and len(set(when)) > 10


def test_sides_that_are_equal_but_for_rounding_leave_the_price():
    found = cascade(
        TENTH, LINEAR, [0.1, 0.2, -0.3, 1], [100, 100, 80, 100], [1.9, 3.8, 2.4, 28], [88], lambda net: 0.1 * (net > 0)
    )
    check(found, [0, 0, 0, -1], last=[88], net=[0], lost=[8.1])


@pytest.mark.parametrize(
    "impact",
    [
        lambda net: np.interp(net, [0, 880], [0, 1]),
        lambda net: np.asarray(net / 880),
        lambda net: np.float32(net / 880),
        lambda net: int(net > 1_000),
    ],
)
def test_what_an_impact_may_return(impact):
    check(by_hand(*LONGS, [100, 88], impact), [1, 1, -1] if impact(88) else [1, -1, -1])


def test_an_empty_book():
    frame, when = by_hand([], [], [100, 50, 200], saturating, 10)
    assert when.shape == (0,) and list(frame.columns) == COLUMNS
    assert frame.price.tolist() == frame["last"].tolist() == frame["mark"].tolist() == [100, 50, 200]
    assert (frame.drop(columns=["price", "last", "mark"]) == 0).all(axis=None)


def test_nothing_given_is_changed():
    venue, contract, *book = large()
    before = [column.copy() for column in book]
    cascade(venue, contract, *book, saturating, 1.0)
    assert all((a == b).all() for a, b in zip(book, before, strict=True))


# --------------------------------------------------------------------- refusals

GOOD = {
    "venue": TENTH,
    "instrument": LINEAR,
    "quantity": LONGS[0],
    "entry": [100, 100, 100],
    "margin": LONGS[1],
    "prices": [100, 88],
    "displacement": none,
    "fund": 5,
}


@pytest.mark.parametrize(
    "error, words, changes",
    [
        (TypeError, ["venue", "Venue", "'OKX'"], {"venue": "OKX"}),
        (TypeError, ["instrument", "Perpetual", "'BTC'"], {"instrument": "BTC"}),
        (ValueError, ["tier schedule"], {"venue": Venue("no tiers")}),
        (ValueError, ["settle"], {"instrument": Perpetual("BTC-ETH", "BTC", "ETH")}),
        (ValueError, ["one length", "(2,)"], {"margin": [19, 28]}),
        (ValueError, ["one length", "(4,)"], {"quantity": [1] * 4}),
        (ValueError, ["one length", "()"], {"entry": 100}),
        (ValueError, ["rows"], {"quantity": 1, "entry": 100, "margin": 19}),
        (ValueError, ["rows"], {"quantity": [[1]], "entry": [[100]], "margin": [[19]]}),
        (ValueError, ["quantity"], {"quantity": [1, 0, 1]}),
        (ValueError, ["quantity", "nan"], {"quantity": [1, math.nan, 1]}),
        (ValueError, ["entry", "nan"], {"entry": [100, math.nan, 100]}),
        (ValueError, ["entry", "-100"], {"entry": [100, -100, 100]}),
        (ValueError, ["margin", "0"], {"margin": [19, 0, 37]}),
        (ValueError, ["margin", "inf"], {"margin": [19, math.inf, 37]}),
        (ValueError, ["prices", "nan"], {"prices": [100, math.nan]}),
        (ValueError, ["prices", "inf"], {"prices": [100, math.inf]}),
        (ValueError, ["prices", "0"], {"prices": [100, 0]}),
        (ValueError, ["prices", "-1"], {"prices": -1}),
        (TypeError, ["prices"], {"prices": ["100", "88"]}),
        (TypeError, ["prices"], {"prices": None}),
        (ValueError, ["displacement", "1.0", "88 of quote"], {"displacement": lambda net: 1.0 * (net > 0)}),
        (ValueError, ["displacement", "-0.1"], {"displacement": lambda net: -0.1 * (net > 0)}),
        (ValueError, ["displacement", "nan"], {"displacement": lambda net: math.nan}),
        (ValueError, ["displacement", "1.5", "for 0 of quote"], {"displacement": lambda net: 1.5}),
        (TypeError, ["displacement"], {"displacement": lambda net: [0.1]}),
        (TypeError, ["displacement", "None"], {"displacement": None}),
        (TypeError, ["displacement", "None"], {"displacement": lambda net: None}),
        (ValueError, ["fund", "-1"], {"fund": -1}),
        (ValueError, ["fund", "nan"], {"fund": math.nan}),
        (ValueError, ["fund", "-inf"], {"fund": -math.inf}),
        (TypeError, ["fund"], {"fund": None}),
        (TypeError, ["fund"], {"fund": "5"}),
        (TypeError, ["fund"], {"fund": True}),
        (ValueError, ["mark_share", "at most 1", "1.01"], {"mark_share": 1.01}),
        (ValueError, ["mark_share", "-0.1"], {"mark_share": -0.1}),
        (ValueError, ["mark_share", "nan"], {"mark_share": math.nan}),
        (TypeError, ["mark_share", "True"], {"mark_share": True}),
        (TypeError, ["mark_share", "'1'"], {"mark_share": "1"}),
        (ValueError, ["prices", "one row", "(2, 3)"], {"prices": [[100, 88, 70], [100, 88, 60]]}),
        (ValueError, ["prices", "one row", "(2, 1)"], {"prices": [[100], [88]]}),
        (TypeError, ["quantity"], {"quantity": ["1", "1", "1"]}),
        (TypeError, ["quantity"], {"quantity": [True, True, True]}),
        (TypeError, ["entry"], {"entry": ["100", "100", "100"]}),
        (TypeError, ["margin"], {"margin": ["19", "28", "37"]}),
        (TypeError, ["displacement", "0.1"], {"displacement": 0.1}),
        (TypeError, ["fund"], {"fund": np.array([1.0, 2.0])}),
    ],
)
def test_refusals(error, words, changes):
    with pytest.raises((TypeError, ValueError)) as caught:
        cascade(**(GOOD | changes))
    assert caught.type is error
    assert all(word in str(caught.value) for word in words), caught.value
