"""Cascades: by hand, against a loop over single positions, and what must hold of any of them."""

import math

import numpy as np
import pandas as pd
import pytest

from marginlab import Perpetual, Pool, Position, Tiers, Venue, liquidation_price, venues
from marginlab.market.cascade import cascade

COLUMNS = ["price", "moved", "closed", "net", "lost", "missing", "fund", "counterparties"]
# With a rate of 0.1 a long of entry 100 ends at (100 - margin) / 0.9, a short at (100 + margin) / 1.1.
TENTH = Venue("a tenth", tiers={"*": Tiers.flat(0.1)})
LINEAR = Perpetual("BTC-USDT", "BTC", "USDT")
INVERSE = Perpetual("BTC-USD", "BTC", "BTC", 100)
LONGS = [1, 1, 1], [19, 28, 37]  # end at 90, 80 and 70, are bankrupt at 81, 72 and 63
SHORTS = [-1, -1, -1], [10, 21, 32]  # end at 100, 110 and 120, are bankrupt at 110, 121 and 132


def none(net):
    return 0.0


def by_hand(quantity, margin, prices, impact=none, fund=math.inf, instrument=LINEAR, entry=100):
    return cascade(TENTH, instrument, quantity, np.full(len(quantity), entry), margin, prices, impact, fund)


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


def test_the_ends_by_hand():
    assert liquidation_price(TENTH, LINEAR, *map(np.array, (LONGS[0], [100.0] * 3, LONGS[1]))).tolist() == (
        pytest.approx([90, 80, 70])
    )
    assert liquidation_price(TENTH, LINEAR, *map(np.array, (SHORTS[0], [100.0] * 3, SHORTS[1]))).tolist() == (
        pytest.approx([100, 110, 120])
    )


def test_the_first_brings_about_the_second_and_not_the_third():
    # 88 closes the first; 88 closed move the price by 0.1 to 79.2, which closes the second; 176 by 0.2 to 70.4
    found = by_hand(*LONGS, [100, 88, 88], lambda net: net / 880)
    check(found, [1, 1, -1], price=[100, 88, 88], moved=[100, 70.4, 70.4], net=[0, 176, 176], lost=[0, 47, 0])
    check(found, [1, 1, -1], missing=[0] * 3, fund=[0] * 3, counterparties=[0] * 3)


def test_the_same_of_shorts_upwards():
    # 105 closes the first and is moved by 0.1 to 115.5; 210 by 0.13 to 118.65
    found = by_hand(*SHORTS, [99, 105, 100], lambda net: {0: 0, 105: 0.1, 210: 0.13}[net])
    check(found, [1, 1, -1], moved=[99, 118.65, 113], net=[0, -210, -210], lost=[0, 31, 0], missing=[0] * 3)


def test_all_three_if_the_price_moves_a_little_more():
    check(by_hand(*LONGS, [100, 88], lambda net: net / 850), [1, 1, 1], net=[0, 264], lost=[0, 84])


def test_it_goes_on_from_one_step_to_the_next():
    # 90 closes nothing but the first, to 81; then 88, moved by 90 / 900 to 79.2, the second, to 88 * (1 - 178 / 900)
    found = by_hand(*LONGS, [90, 88], lambda net: net / 900)
    check(found, [0, 1, -1], moved=[81, 88 * (1 - 178 / 900)], net=[90, 178], lost=[19, 28])


def test_at_the_liquidation_price_itself():
    end = liquidation_price(TENTH, LINEAR, 1, 100, 19)
    check(by_hand([1], [19], [math.nextafter(end, 100), end]), [1])
    end = liquidation_price(TENTH, LINEAR, -1, 100, 21)
    check(by_hand([-1], [21], [math.nextafter(end, 0), end]), [1])


def test_longs_and_shorts_net():
    quantity, margin = [1, -1, -1, 1], [19, 21, 32, 37]  # end at 90, 110, 120 and 70
    found = by_hand(quantity, margin, [100, 88, 125, 100], lambda net: net / 880)
    # -> 79.2; 125 is moved to 112.5: the first short; net -37: to 125 * (1 + 37 / 880) = 130.3: the second; net -162
    check(
        found,
        [1, 2, 2, -1],
        moved=[100, 79.2, 125 * (1 + 162 / 880), 100 * (1 + 162 / 880)],
        net=[0, 88, -162, -162],
        lost=[0, 19, 53, 0],
    )


def test_equal_worth_of_both_sides_leaves_the_price():
    # the short of entry 80 ends at (80 + 8) / 1.1 = 80, the long at 90: both are over at 88
    found = cascade(TENTH, LINEAR, [1, -1], [100, 80], [19, 8], [88, 80], lambda net: 0.0 if net == 0 else 0.5)
    check(found, [0, 0], moved=[88, 80], net=[0, 0], lost=[27, 0])


def test_without_impact_only_what_the_path_reaches():
    found = by_hand([1, -1, 1, -1, 1], [19, 10, 28, 32, 37], [95, 85, 99, 119, 71, 105])
    check(found, [1, 3, 4, -1, -1], moved=[95, 85, 99, 119, 71, 105], net=[0, 85, 85, -34, 37, 37])


def test_the_fund_is_emptied_in_the_middle():
    # bankrupt at 81, 72 and 63: missing 1 at 80 (which closes two), 2 x 13 at 50; then the last, bankrupt at 54, 14
    found = by_hand([1, 1, 2, 1], [19, 28, 74, 46], [80, 79, 50, 40, 30], fund=7)
    check(
        found,
        [0, 0, 2, 2],
        lost=[47, 0, 120, 0, 0],
        missing=[1, 0, 2 * 13 + 4, 0, 0],
        fund=[1, 0, 6, 0, 0],
        counterparties=[0, 0, 24, 0, 0],
    )
    found = by_hand([1, 1, 2, 1], [19, 28, 74, 46], [76, 65, 59, 40], fund=7)
    check(found, [0, 0, 1, 2], missing=[5, 0, 0, 0], fund=[5, 0, 0, 0], counterparties=[0] * 4)
    found = by_hand([1, 1, 2, 1], [19, 28, 74, 46], [76, 61, 40, 30], fund=7)
    check(found, [0, 0, 1, 2], missing=[5, 4, 14, 0], fund=[5, 2, 0, 0], counterparties=[0, 2, 14, 0])


def test_what_is_missing_is_at_the_moved_price():
    # the second is closed at 88 * 0.8 = 70.4, 1.6 below 72; the short, above, at 99 * 0.8 = 79.2, has all its margin
    found = by_hand([1, 1], [19, 28], [88], lambda net: 0.2 if net else 0.0, fund=0)
    check(found, [0, 0], moved=[70.4], lost=[47], missing=[1.6], fund=[0], counterparties=[1.6])
    # shorts: 105 * 1.2 = 126 is 5 beyond 121 and 6 below 132, though beyond 120
    found = by_hand(*SHORTS, [105], lambda net: 0.2 if net else 0.0, fund=2)
    check(found, [0, 0, 0], moved=[126], net=[-315], missing=[5], fund=[2], counterparties=[3])


def test_profit_of_one_does_not_pay_for_another():
    # at 76 the first misses 5 and the second has 4 left
    check(by_hand([1, 1], [19, 28], [76]), [0, 0], missing=[5])


def test_an_inverse_contract():
    # a long of 100 USD from 100, margin 0.375: 1.1 * V = 1.375, so V = 1.25, at 80, and bankrupt at V = 1.375;
    # a short, margin 0.1: 0.9 * V = 0.9, so V = 1, at 100, and bankrupt at V = 0.9
    found = by_hand([1, -1], [0.375, 0.1], [90, 70], instrument=INVERSE, impact=lambda net: net / 1_000)
    check(found, [1, -1], net=[0, 100], moved=[90, 63], lost=[0, 0.375], missing=[0, 100 / 70 - 1.375])
    found = by_hand([2, -3], [0.75, 0.3], [101, 120], instrument=INVERSE, fund=0.1)
    check(found, [-1, 0], net=[-300, -300], lost=[0.3, 0], missing=[0, 0])
    found = by_hand([-3], [0.3], [125, 70], instrument=INVERSE, fund=0.1, impact=lambda net: net / 3_000)
    check(found, [0], net=[-300] * 2, moved=[137.5, 77], missing=[0.3, 0], fund=[0.1, 0], counterparties=[0.2, 0])


def test_the_face_counts():
    half = Perpetual("BTC-USDT", "BTC", "USDT", 0.5)
    found = by_hand([2, 2, 2], LONGS[1], [100, 88], lambda net: net / 880, instrument=half)
    check(found, [1, 1, -1], moved=[100, 70.4], net=[0, 176], lost=[0, 47])


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
    Venue("A, bust", fee=0.0006, fee_at="bankruptcy"),
    Venue("B", maintenance_at="entry"),
    Venue("B, fee", maintenance_at="entry", fee=0.0006, fee_at="price"),
)


def curve(kind, most, half):
    """An impact that saturates, one that is straight and then flat, or one that goes up in steps."""
    return {
        "saturating": lambda net: most * net / (net + half),
        "straight": lambda net: min(most, most * net / half),
        "steps": lambda net: min(most, 0.02 * (net // (half / 10))),
    }[kind]


def small(seed, contract, side=None):
    """A random small book with a path, an impact and a fund."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 15))
    quantity = rng.uniform(0.1, 15, n) * (rng.choice([-1, 1], n) if side is None else side)
    entry = rng.uniform(45_000, 55_000, n)
    margin = np.abs(contract.notional(quantity, entry)) / rng.uniform(2, 20, n)
    prices = 50_000 * np.exp(np.cumsum(rng.normal(0, 0.06, int(rng.integers(1, 16)))))
    worth = np.abs(contract.notional(quantity, entry)).sum() * (50_000 if contract.inverse else 1)
    impact = curve(rng.choice(["saturating", "straight", "steps"]), rng.uniform(0, 0.7), worth * rng.uniform(0.2, 3))
    fund = rng.choice([0.0, margin.sum() * rng.uniform(0, 1), math.inf])
    return quantity, entry, margin, prices, impact, float(fund)


def alone(venue, contract, quantity, entry, margin):
    pool = Pool(contract.settle, {contract.settle: margin}, [Position(contract, quantity, entry)], venue)
    found = pool.liquidation()
    return found.below.price or 0.0 if quantity > 0 else found.above.price or math.inf


def loop(venue, contract, quantity, entry, margin, prices, impact, fund, one_by_one=False):
    """One position after the other, scanned again until nothing changes; `one_by_one`: each closing moves the price."""
    book = [tuple(map(float, row)) for row in zip(quantity, entry, margin, strict=True)]
    ends = [alone(venue, contract, *row) for row in book]
    when, rows, net = [-1] * len(book), [], 0.0
    for step, price in enumerate(map(float, prices)):
        closed, lost, missing, changed = 0, 0.0, 0.0, True
        while changed:
            changed, more = False, 0.0
            moved = price * (1 - (impact(net) if net > 0 else -impact(-net) if net < 0 else 0.0))
            for n, (q, e, m) in enumerate(book):
                if when[n] == -1 and (moved <= ends[n] if q > 0 else moved >= ends[n]):
                    pnl = q * contract.face * (1 / e - 1 / moved if contract.inverse else moved - e)
                    more += q * contract.face * (1 if contract.inverse else price)
                    when[n], closed, lost, changed = step, closed + 1, lost + m, True
                    missing += max(0.0, -pnl - m)
                    if one_by_one:
                        break
            net += more
        paid = min(fund, missing)
        fund -= paid
        rows.append((price, moved, closed, net, lost, missing, paid, missing - paid))
    return rows, when


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.symbol)
@pytest.mark.parametrize("venue", RULES, ids=lambda v: v.name)
def test_it_is_the_loop(venue, contract):
    brought = 0
    for seed in range(15):
        given = small((seed, RULES.index(venue), CONTRACTS.index(contract)), contract)
        frame, when = cascade(venue, contract, *given)
        rows, at = loop(venue, contract, *given)
        assert when.tolist() == at, seed
        scale = np.array([1, 1, 1, given[3].max(), *[given[2].sum()] * 4])
        np.testing.assert_allclose(frame.to_numpy() / scale, np.array(rows) / scale, rtol=1e-9, atol=1e-11)
        brought += (cascade(venue, contract, *given[:4], none)[1] != when).any()
    assert brought >= 3  # books in which impact matters


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.symbol)
@pytest.mark.parametrize("side", [1, -1], ids=["longs", "shorts"])
def test_of_one_side_it_does_not_matter_how_many_go_at_once(contract, side):
    for seed in range(20):
        given = small(seed, contract, side)
        frame, when = cascade(RULES[1], contract, *given)
        rows, at = loop(RULES[1], contract, *given, one_by_one=True)
        assert when.tolist() == at
        assert frame.net.tolist() == pytest.approx([row[3] for row in rows], rel=1e-9)
        scale = given[2].sum()
        assert all(a <= row[5] + 1e-9 * scale for a, row in zip(frame.missing, rows, strict=True))


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
def test_what_holds_of_any(inverse, side):
    venue, contract, quantity, entry, margin, prices = large(inverse=inverse, side=side)
    fund = margin.sum() / 1_000
    frame, when = cascade(venue, contract, quantity, entry, margin, prices, saturating, fund)
    assert np.isfinite(frame.to_numpy()).all() and (frame.drop(columns="net") >= 0).all(axis=None)
    assert frame.price.tolist() == prices.tolist() and frame.closed.sum() == (when >= 0).sum() > 0
    np.testing.assert_allclose(frame.fund + frame.counterparties, frame.missing, rtol=1e-12)
    assert frame.fund.sum() <= fund * (1 + 1e-12) and frame.lost.sum() == pytest.approx(margin[when >= 0].sum())
    used = frame.fund.cumsum()
    assert (frame.counterparties[used < fund * (1 - 1e-9)] == 0).all()  # nobody else, until it is empty
    size = quantity * contract.face
    for step in frame.index:
        gone = (when >= 0) & (when <= step)
        worth = size[gone] if inverse else size[gone] * prices[when[gone]]
        assert frame.net[step] == pytest.approx(worth.sum(), rel=1e-9, abs=1e-6)
        share = saturating(abs(frame.net[step])) * np.sign(frame.net[step])
        assert frame.moved[step] == pytest.approx(prices[step] * (1 - share), rel=1e-12)
    # nobody is left who is over at the end of a step, so nobody is closed late
    end = liquidation_price(venue, contract, quantity, entry, margin)
    moved = frame.moved.to_numpy()[:, None]
    over = np.where(quantity > 0, moved <= end, moved >= end)
    left = (when < 0) | (when > np.arange(len(prices))[:, None])
    assert not (over & left).any()
    again, at = cascade(venue, contract, quantity, entry, margin, prices, saturating, fund)
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert at.tolist() == when.tolist()


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
def test_the_order_of_the_accounts_does_not_matter(inverse):
    venue, contract, *book, prices = large(inverse=inverse)
    book = [np.tile(column, 2) for column in book]  # ties too
    frame, when = cascade(venue, contract, *book, prices, saturating, 1.0)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(when))
        other, at = cascade(venue, contract, *(column[order] for column in book), prices, saturating, 1.0)
        assert at.tolist() == when[order].tolist()
        np.testing.assert_allclose(other, frame, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.symbol)
def test_more_impact_never_closes_fewer_longs_on_a_falling_path(contract):
    grew = 0
    for seed in range(20):
        quantity, entry, margin, prices, impact, _ = small(seed, contract, 1)
        prices = np.sort(prices)[::-1]
        before = None
        for factor in (0.0, 0.3, 0.6, 1.0, 1.4):
            _, when = cascade(
                RULES[0], contract, quantity, entry, margin, prices, lambda net, k=factor, f=impact: k * f(net)
            )
            when = np.where(when < 0, len(prices), when)
            assert before is None or (when <= before).all()  # nor any of them later
            grew += before is not None and (when < before).any()
            before = when
    assert grew > 3


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
def test_without_impact_the_path_decides(inverse):
    venue, contract, quantity, entry, margin, prices = large(inverse=inverse)
    frame, when = cascade(venue, contract, quantity, entry, margin, prices, none)
    end = liquidation_price(venue, contract, quantity, entry, margin)[:, None]
    reached = np.where(quantity[:, None] > 0, end >= prices, end <= prices)
    assert when.tolist() == np.where(reached.any(axis=1), reached.argmax(axis=1), -1).tolist()
    assert (frame.moved == frame.price).all() and -1 in when and len(set(when)) > 10


def test_sides_that_are_equal_but_for_rounding_leave_the_price():
    found = cascade(
        TENTH, LINEAR, [0.1, 0.2, -0.3, 1], [100, 100, 80, 100], [1.9, 3.8, 2.4, 28], [88], lambda net: 0.1 * (net > 0)
    )
    check(found, [0, 0, 0, -1], moved=[88], net=[0], lost=[8.1])


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


def test_prices_that_recover_do_not_reopen():
    found = by_hand(*LONGS, [85, 100, 85, 100, 75, 120, 75])
    check(found, [0, 4, -1], net=[85] * 4 + [160] * 3, lost=[19, 0, 0, 0, 28, 0, 0])
    frame, when = by_hand(*LONGS, [100, 88, 1_000, 88, 1_000], lambda net: net / 880)
    assert when.tolist() == [1, 1, -1] and frame.net.tolist() == pytest.approx([0, 176, 176, 176, 176])
    assert frame.moved.tolist() == pytest.approx([100, 70.4, 800, 70.4, 800])  # the price stays moved


@pytest.mark.parametrize("side, price", [(1, 85.0), (-1, 105.0)], ids=["longs", "shorts"])
def test_all_at_once(side, price):
    n = 1_000
    frame, when = by_hand([side] * n, [19 if side > 0 else 10] * n, [99.0, price, 99.0])
    assert when.tolist() == [1] * n and frame.closed.tolist() == [0, n, 0]
    assert frame.net.tolist() == pytest.approx([0, side * n * price, side * n * price])
    assert frame.lost[1] == pytest.approx(n * (19 if side > 0 else 10)) and (frame.missing == 0).all()


@pytest.mark.parametrize("price", [1e-9, 1e-100, 1e-300])
@pytest.mark.parametrize("instrument", [LINEAR, INVERSE], ids=["linear", "inverse"])
def test_a_price_of_almost_zero(instrument, price):
    margin = [19, 28, 0.5, 200] if instrument is LINEAR else [0.2, 0.3, 0.4, 10]
    frame, when = by_hand([1, 1, -1, 1], margin, [95, price], lambda net: 0.1 * net / (net + 1e3), 5.0, instrument)
    assert np.isfinite(frame.to_numpy()).all() and 0 < frame.moved[1] < 1.2 * price
    if instrument is LINEAR:
        assert when.tolist() == [1, 1, 0, -1]
        assert frame.missing[1] == pytest.approx(81 + 72, rel=1e-6)
    else:  # a long margined in coins is over somewhere, with any margin
        assert when.tolist() == [1, 1, -1, 1]
        assert frame.missing[1] == pytest.approx(300 / price, rel=0.2)  # fills at the path's price and at the moved
    assert frame.fund.sum() == 5 and frame.counterparties[1] == pytest.approx(frame.missing[1] - frame.fund[1])


def test_an_empty_book():
    frame, when = by_hand([], [], [100, 50, 200], saturating, 10)
    assert when.shape == (0,) and list(frame.columns) == COLUMNS
    assert frame.price.tolist() == frame.moved.tolist() == [100, 50, 200]
    assert (frame.drop(columns=["price", "moved"]) == 0).all(axis=None)


@pytest.mark.parametrize("prices", [[88.0], 88.0, np.array([88]), pd.Series([88.0])], ids=type)
def test_a_single_step(prices):
    found = by_hand(*LONGS, prices, lambda net: net / 880)
    check(found, [0, 0, -1], price=[88], moved=[70.4], net=[176], lost=[47])


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
    "impact": none,
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
        (ValueError, ["impact", "1.0", "88 of quote"], {"impact": lambda net: 1.0 * (net > 0)}),
        (ValueError, ["impact", "-0.1"], {"impact": lambda net: -0.1 * (net > 0)}),
        (ValueError, ["impact", "nan"], {"impact": lambda net: math.nan}),
        (ValueError, ["impact", "1.5", "for 0 of quote"], {"impact": lambda net: 1.5}),
        (TypeError, ["float"], {"impact": lambda net: [0.1]}),
        (TypeError, [], {"impact": None}),
        (TypeError, ["NoneType"], {"impact": lambda net: None}),
        (ValueError, ["fund", "-1"], {"fund": -1}),
        (ValueError, ["fund", "nan"], {"fund": math.nan}),
        (ValueError, ["fund", "-inf"], {"fund": -math.inf}),
        (TypeError, ["fund"], {"fund": None}),
        (TypeError, ["fund"], {"fund": "5"}),
        (TypeError, ["fund"], {"fund": True}),
    ],
)
def test_refusals(error, words, changes):
    with pytest.raises((TypeError, ValueError)) as caught:
        cascade(**(GOOD | changes))
    assert caught.type is error
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    "error, name, changes",
    [
        (ValueError, "prices", {"prices": [[100, 88, 70], [100, 88, 60]]}),
        (ValueError, "prices", {"prices": [[100], [88]]}),
        (TypeError, "quantity", {"quantity": ["1", "1", "1"]}),
        (TypeError, "quantity", {"quantity": [True, True, True]}),
        (TypeError, "entry", {"entry": ["100", "100", "100"]}),
        (TypeError, "impact", {"impact": 0.1}),
        (TypeError, "fund", {"fund": np.array([1.0, 2.0])}),
    ],
)
def test_refusals_to_come(error, name, changes):
    with pytest.raises((TypeError, ValueError)) as caught:
        cascade(**(GOOD | changes))
    assert caught.type is error and name in str(caught.value)
