"""What must hold for any pool of contracts, coins and debts: against slices and bisection on first principles."""

from math import exp, inf, log

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from marginlab import (
    Account,
    Asset,
    Interest,
    Perpetual,
    Pool,
    Position,
    Spot,
    Tiers,
    Venue,
    replace,
    surface,
    venues,
)
from tests.core.common import STEADY, sides

# by amount and by value, flat and in tiers, up to a coin that does not count at all; a debt of SOL
# is not charged
COUNTED = Tiers(((0, 0.01), (5, 0.03)), basis="quantity")
LOAN = Tiers(((0, 0.05, 10), (20, 0.1, 5)), basis="quantity")
ASSETS = {
    "BTC": Asset(
        Tiers(((0, 0.05), (2, 0.2), (9, 0.6)), basis="quantity"),
        1.1,
        Tiers(((0, 0.03, 20), (2e5, 0.08, 8))),
    ),
    "ETH": Asset(Tiers(((0, 0.1), (3e4, 0.3), (1e5, 1.0))), 1.2, LOAN),
    "SOL": Asset(0.15, 1.05),
    "USDT": Asset(Tiers(((0, 0.0), (1e5, 0.02))), 1.02, Tiers(((0, 0.02), (5e4, 0.04)))),
    "USD": Asset(0.0, 1.0, Tiers.flat(0.05)),
}
RULES = (
    Venue("A", assets=ASSETS, orders_required=True),
    Venue("A, fee", assets=ASSETS, fee=0.0006, fee_at="price"),
    Venue("B, fee", assets=ASSETS, fee=0.0006, fee_at="price", maintenance_at="entry"),
    Venue("A, entry fee", assets=ASSETS, fee=0.0006, fee_at="entry"),
    Venue("C, fee", assets=ASSETS, fee=0.0006, fee_at="price", maintenance_at="mark"),
    Venue("A, bust", assets=ASSETS, fee=0.0006, fee_at="bankruptcy"),
)
MULTI = tuple(
    replace(rule, account_mode="multi-currency", unrealised=how) for rule in RULES for how in ("joined", "beside")
)
MOVING = tuple(rule for rule in (*MULTI, *RULES) if rule.maintenance_at != "mark")
STEPS = Tiers(((0, 0.005), (1e5, 0.01), (1e6, 0.2)))
LINEAR = (Tiers.flat(0.004), STEPS, venues.BTCUSDT_2024_10, COUNTED)
COIN = (Tiers.flat(0.004), venues.BTCUSD_COIN_2020_06, COUNTED)
MARKS = {"BTC": 50_000.0, "ETH": 2_000.0, "SOL": 100.0}
sizes = st.floats(0.01, 20).flatmap(lambda q: st.sampled_from((q, -q)))
entries, leverages, rates = st.floats(30_000, 80_000), st.floats(1.5, 80), st.sampled_from((0.004, 0.01))
ways = st.sampled_from(
    (
        "BTC",
        "ETH",
        ["BTC", "ETH"],
        {"BTC": 1, "ETH": 1.5},
        {"BTC": 2, "ETH": -1},
        {"ETH": 0.5, "BTC": -3},
    )
)


@st.composite
def positions(draw, name, levers=(None, 3.0)):
    index, inverse = draw(st.sampled_from(("BTC", "BTC", "ETH"))), draw(st.booleans())
    mark = MARKS[index]
    tiers = draw(st.sampled_from(COIN if inverse else LINEAR))
    face = mark if inverse else draw(st.sampled_from((1.0, 0.1)))
    contract = Perpetual(name, index, index if inverse else "USDT", face, tiers)
    entry = mark * draw(st.floats(0.7, 1.4))
    return Position(contract, draw(sizes), entry, draw(st.sampled_from(levers)))


@st.composite
def books(draw, rules=(*MULTI, *RULES)):
    rule = draw(st.sampled_from(rules))
    currency = "USD" if rule in MULTI else draw(st.sampled_from(("BTC", "USDT")))
    levers = (3.0, 10.0) if rule.fee_at == "bankruptcy" else (None, 3.0)
    book = [draw(positions(f"P{n}", levers)) for n in range(draw(st.integers(0, 3)))]
    amounts = {
        "BTC": st.floats(-15, 25),
        "ETH": st.floats(-40, 90),
        "USDT": st.floats(-4e5, 8e5),
        "SOL": st.sampled_from((0.0, 300.0, -200.0)),
        "USD": st.sampled_from((0.0, 5e4, -5e4)),
    }
    coins = {c: draw(some) for c, some in amounts.items() if draw(st.integers(0, 3))}
    marks = MARKS | {
        "USDT": draw(st.sampled_from((1.0, 0.9))),
        "BTC": draw(st.floats(40_000, 60_000)),
        "ETH": draw(st.floats(1_500, 2_500)),
    }
    orders = draw(st.sampled_from((0.0, 0.0, 0.4)))
    return Pool(currency, coins, book, rule, marks, orders=orders)


# ------------------------------------------------------------------ first principles


def charged(schedule, value, count):
    """Charge by slices: only the part inside a tier is charged that tier's rate."""
    size = value if schedule.basis == "notional" else count
    tops = [*[row[0] for row in schedule.rows[1:]], inf]
    rows = zip(schedule.rows, tops, strict=True)
    slices = sum(max(0.0, min(size, top) - row[0]) * row[1] for row, top in rows)
    return slices * value / size if size else 0.0


def lost(p):
    """Notional at the price at which a position has lost notional / leverage."""
    side, inverse = (1 if p.quantity > 0 else -1), p.instrument.inverse
    at_entry = abs(p.quantity) * p.instrument.face * (1 / p.entry if inverse else p.entry)
    return at_entry * max(0.0, 1 + (side if inverse else -side) / p.leverage)


def reference(pool, prices):
    """(equity, worth, requirement, gross size) in quote currency, straight from the definitions."""
    at, venue = {"USDT": 1.0, "USD": 1.0, **pool.marks, **prices}, pool.venue
    fee = venue.fee if venue.fee_at == "price" else 0.0
    equity, worth, gross = 0.0, 0.0, 1e-9
    required = pool.orders * at[pool.currency] if venue.orders_required else 0.0
    for currency, amount in pool.collateral.items():
        worth, gross = worth + amount * at[currency], gross + abs(amount * at[currency])
    for currency, amount in summed(pool, at).items():
        value, asset = amount * at[currency], venue.assets[currency]
        if currency == pool.currency and venue.account_mode == "single-currency":
            equity += value
        elif amount > 0:
            equity += value - charged(asset.haircut, value, amount)
        else:
            equity += value * asset.debt_weight
            if asset.loan:  # what has to be bought back: the debt, and its maintenance
                margin = charged(asset.loan, -value, -amount)
                required += margin + fee * (margin - value)
    for p in pool.positions:
        c, price = p.instrument, at[p.instrument.index]
        n, unit = p.quantity * c.face, at[c.settle]
        pnl = n * (unit / p.entry - 1) if c.inverse else n * (price - p.entry) * unit
        now, then = (abs(n) / x if c.inverse else abs(n) * x for x in (price, p.entry))
        base = then if venue.maintenance_at == "entry" else now
        paid = {"none": 0.0, "price": now, "entry": then}.get(venue.fee_at)
        paid = venue.fee * (lost(p) if paid is None else paid)
        equity, worth = equity + (0.0 if joined(pool) else pnl), worth + pnl
        gross += abs(n) * (unit / p.entry + 1 if c.inverse else price)
        required += unit * (charged(c.tiers, base, abs(p.quantity)) + paid)
    return equity, worth, required, gross


def joined(pool):
    """Whether PnL joins balances."""
    return pool.venue.account_mode == "multi-currency" and pool.venue.unrealised == "joined"


def summed(pool, at):
    """Balances, and PnL in the currency in which it settles where it joins them."""
    sums = dict(pool.collateral)
    for p in pool.positions if joined(pool) else ():
        c, price = p.instrument, at[p.instrument.index]
        gain = p.quantity * c.face * (1 / p.entry - 1 / price if c.inverse else price - p.entry)
        sums[c.settle] = sums.get(c.settle, 0.0) + gain
    return sums


def initial(pool, prices):
    """Initial margin in quote currency: notional or debt / leverage, orders, and some fees."""
    at, venue = {"USDT": 1.0, "USD": 1.0, **pool.marks, **prices}, pool.venue
    total = pool.orders * at[pool.currency]

    def most(schedule, value, count):
        size = value if schedule.basis == "notional" else count
        row = [row for row in schedule.rows if row[0] <= size][-1]
        return row[2] if len(row) == 3 else 1 / (row[1] or 1e-300)

    for currency, amount in summed(pool, at).items():
        own = currency == pool.currency and venue.account_mode == "single-currency"
        if amount < 0 and not own and (loan := venue.assets[currency].loan):
            total += -amount * at[currency] / most(loan, -amount * at[currency], -amount)
    for p in pool.positions:
        price = p.entry if venue.maintenance_at == "entry" else at[p.instrument.index]
        notional, fee = abs(p.notional(price)), 0.0
        if venue.fee_at in ("entry", "bankruptcy"):
            base = abs(p.notional(p.entry)) if venue.fee_at == "entry" else lost(p)
            fee = venue.fee * base
        lever = p.leverage or most(p.instrument.tiers, notional, abs(p.quantity))
        total += (notional / lever + fee) * at[p.instrument.settle]
    return total


def own_price(pool, prices):
    """The price of the pool's own currency."""
    return {"USDT": 1.0, "USD": 1.0, **pool.marks, **prices}[pool.currency]


def stood(pool, prices):
    """Reference equity, worth, requirement and gross size in the pool's own currency."""
    unit = own_price(pool, prices)
    return [value / unit for value in reference(pool, prices)]


@settings(STEADY, max_examples=120)
@given(books(), st.floats(0.3, 3), st.floats(0.3, 3))
def test_values_are_those_of_the_definitions(pool, x, y):
    prices = {"BTC": 50_000 * x, "ETH": 2_000 * y}
    equity, worth, required, gross = stood(pool, prices)
    near = {"abs": 1e-12 * gross}
    assert pool.equity(prices) == pytest.approx(equity, **near)
    assert pool.worth(prices) == pytest.approx(worth, **near)
    assert pool.requirement(prices) == pytest.approx(required, **near)
    assert pool.slack(prices) == pytest.approx(equity - required, **near)
    margin = initial(pool, prices) / own_price(pool, prices)
    assert pool.requirement(prices, kind="initial") == pytest.approx(margin, **near)
    assert pool.available(prices) == pytest.approx(equity - max(margin, required), **near)
    assert sum(pool.parts(prices).values()) == pytest.approx(equity - required, **near)


def along(pool, way, x):
    """Prices after a common move of every index by its share: x - 1 is the move of the one with the largest."""
    shares = way if isinstance(way, dict) else dict.fromkeys([way] if isinstance(way, str) else way, 1)
    most = max(shares.values())
    return {name: pool.marks[name] * (1 + share / most * (x - 1)) for name, share in shares.items()}


def bisected(line, low, high):
    """Roots of a concave function below and above its peak between two places; None where there is none."""
    ends, (low, high) = (low, high), (log(low), log(high))
    for _ in range(120):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        low, high = (a, high) if line(exp(a)) < line(exp(b)) else (low, b)
    peak, roots = exp((low + high) / 2), []
    for end in ends:
        if line(peak) < 0 or line(end) >= 0:
            roots.append(None)
            continue
        dead, alive = end, peak
        for _ in range(100):
            middle = (dead * alive) ** 0.5
            dead, alive = (middle, alive) if line(middle) < 0 else (dead, middle)
        roots.append(alive)
    return peak, roots


@settings(STEADY, max_examples=120)
@given(books(), ways, st.sampled_from(("liquidation", "bankruptcy")))
def test_ends_in_every_direction_are_those_of_bisection(pool, way, kind):
    names = [way] if isinstance(way, str) else list(way)
    assume(set(names) <= pool.followed)
    frozen = pool.venue.maintenance_at == "mark" and reference(pool, {})[2]

    def line(x):
        at = along(pool, way, x)
        equity, worth, required, _ = reference(pool, at)
        if frozen is not False and kind == "liquidation":
            return equity - held_at_the_mark(pool, at)
        return equity - required if kind == "liquidation" else worth

    found = getattr(pool, kind)(way)
    ends = [1 - most / share for share, most in falling(way)]
    end = min([e for e in ends if e > 1], default=inf)
    high = min(1e5, end * (1 - 1e-9))
    peak, roots = bisected(line, 1e-5, high)
    gross = reference(pool, along(pool, way, peak))[3]
    assume(abs(line(peak)) > 1e-6 * gross)  # touching zero: no question that floats can answer
    for side, root, out in ((found.below, roots[0], 1e-5), (found.above, roots[1], high)):
        if root is None:
            assert side.root is None or not 1e-5 < side.root < high
            assert side.why
            continue
        steep = abs(line(root * 1.0001) - line(root / 1.0001)) / 2e-4
        if steep > 1e-5 * reference(pool, along(pool, way, root))[3]:  # else floats do not place it
            assert side.root == pytest.approx(root, rel=1e-9)
            assert side.prices == pytest.approx(along(pool, way, root), rel=1e-9, abs=1e-5)
            assert line(root + 1e-4 * (peak - root)) > 0 > line(root + 1e-4 * (out - root))
    here = line(1.0)
    if abs(here) > 1e-9 * reference(pool, {})[3]:
        assert found.breached == (here < 0)


def falling(way):
    """(share, largest share) of what falls where the others rise."""
    shares = way if isinstance(way, dict) else {}
    return [(share, max(shares.values())) for share in shares.values() if share < 0]


def held_at_the_mark(pool, at):
    """The requirement with maintenance and fee of positions frozen at their marks; not of debts."""
    prices = {"USDT": 1.0, "USD": 1.0, **pool.marks, **at}
    bare = replace(pool, positions=())
    total = reference(replace(bare, collateral=summed(pool, prices)), at)[2]
    beside = replace(pool.venue, unrealised="beside")
    for p in pool.positions:
        now = reference(replace(pool, venue=beside, positions=(p,), collateral={}, orders=0.0), {})[2]
        settle = p.instrument.settle
        marks = {"USDT": 1.0, "USD": 1.0, **pool.marks}
        total += now / marks[settle] * prices[settle]
    return total


@STEADY
@given(books(), st.randoms(use_true_random=False))
def test_the_order_of_positions_and_of_balances_does_not_matter(pool, random):
    book, held = list(pool.positions), list(pool.collateral.items())
    random.shuffle(book)
    random.shuffle(held)
    other = replace(pool, positions=book, collateral=dict(held))
    gross = stood(pool, {})[3]
    for method in ("equity", "worth", "requirement", "slack", "available", "withdrawable"):
        assert getattr(other, method)() == pytest.approx(getattr(pool, method)(), rel=1e-12, abs=1e-13 * gross)
    if pool.followed and gross > 1:
        ones, others = pool.liquidation(sorted(pool.followed)), other.liquidation(sorted(pool.followed))
        if abs(pool.slack()) > 1e-3 * gross:
            for one, two in ((ones.below.root, others.below.root), (ones.above.root, others.above.root)):
                assert (one is None) == (two is None)
                assert one is None or two == pytest.approx(one, rel=1e-6)


@STEADY
@given(books())
def test_an_array_equals_element_by_element_and_a_surface_the_loop(pool):
    btc, eth = [30_000.0, 52_000.0, 90_000.0], [1_100.0, 2_300.0]
    given = {"BTC": np.array(btc), "ETH": np.array(eth)[:, None]}
    given = {name: values for name, values in given.items() if name in pool.names}
    loop = [[{"BTC": b, "ETH": e} for b in btc] for e in eth]
    loop = [[{name: at[name] for name in given} for at in row] for row in loop]
    methods = [pool.equity, pool.worth, pool.requirement, pool.slack, pool.margin_ratio, pool.available]
    methods += [lambda at: pool.requirement(at, kind="initial")]
    methods += [lambda at, c=c: pool.withdrawable(c, at) for c in pool.collateral]
    for method in methods:
        one = np.array([[method(at) for at in row] for row in loop])
        assert np.broadcast_to(method(given), (2, 3)) == pytest.approx(one, rel=1e-11, abs=1e-11 * stood(pool, {})[3])
    if {"BTC", "ETH"} <= pool.collateral.keys():
        frame = surface(pool, ETH=eth, BTC=btc)
        slack = [[pool.slack(at) for at in row] for row in loop]
        assert frame.to_numpy() == pytest.approx(np.array(slack), rel=1e-11, abs=1e-11 * stood(pool, {})[3])


# -------------------------------------------------------------------- margin and size


def roots(found):
    """Both ends as multiples of the marks."""
    return found.below.root, found.above.root


def ends(pool, kind="liquidation"):
    """Lower and upper end along BTC; 0 and inf where there is none."""
    found = getattr(pool, kind)("BTC")
    return found.below.price or 0.0, found.above.price or inf


@STEADY
@given(books(MOVING), st.floats(1, 1e5))
def test_margin_moves_liquidation_away_and_bankruptcy_lies_beyond_it(pool, margin):
    assume("BTC" in pool.followed and pool.slack() > 1e-6 * stood(pool, {})[3])
    (low, high), (far_low, far_high) = ends(pool), ends(pool.adding(margin))
    assert far_low <= low * (1 + 1e-12) and far_high >= high * (1 - 1e-12)
    assert low == 0 or far_low < low
    assert high == inf or far_high > high
    bust_low, bust_high = ends(pool, "bankruptcy")
    assert bust_low <= low * (1 + 1e-12) and bust_high >= high * (1 - 1e-12)


@STEADY
@given(books(MOVING), st.floats(0.3, 0.99), st.booleans())
def test_margin_for_is_the_inverse_of_liquidation(pool, share, up):
    assume("BTC" in pool.followed and pool.slack() > 0)
    price = pool.marks["BTC"] / share if up else pool.marks["BTC"] * share
    try:
        margin = pool.margin_for(liquidation=price, index="BTC")
    except ValueError as error:
        assert "closed already" in str(error) or "takes no" in str(error)
        return
    moved = pool.adding(margin - pool.collateral.get(pool.currency, 0.0))
    gross = stood(moved, {"BTC": price})[3]
    assert abs(moved.slack(BTC=price)) < 1e-10 * gross
    assume(moved.slack() > 1e-7 * gross)
    assert ends(moved)[up] == pytest.approx(price, rel=1e-5)


@STEADY
@given(books(RULES[:3]), st.floats(0.1, 0.9))
def test_splitting_positions_keeps_equity_and_never_requires_more(pool, share):
    parts = [replace(p, quantity=p.quantity * s) for p in pool.positions for s in (share, 1 - share)]
    split = replace(pool, positions=parts)
    assert split.equity() == pytest.approx(pool.equity(), abs=1e-11 * stood(pool, {})[3])
    assert split.requirement() <= pool.requirement() * (1 + 1e-12)  # smaller ones are on lower tiers
    if all(p.instrument.tiers == Tiers.flat(0.004) for p in parts):
        assert split.requirement() == pytest.approx(pool.requirement(), rel=1e-12)


# ------------------------------------------------------- pools against pools


@STEADY
@given(positions("P"), st.floats(1.2, 40), st.floats(0.5, 1.7), st.sampled_from(RULES))
def test_an_isolated_position_is_a_cross_account_that_holds_nothing_else(p, leverage, x, rule):
    contract, margin = p.instrument, abs(p.notional(p.entry)) / leverage
    account = Account(rule, **{contract.settle: margin * 1.0000001}).mark(**{contract.index: p.entry})
    try:
        walled = account.trade(contract, p.quantity, p.entry, isolated=margin)
        shared = Account(rule, **{contract.settle: margin}).trade(contract, p.quantity, p.entry, leverage=leverage)
    except ValueError:
        assume(False)
    one, other = walled[contract], shared[contract]
    assert (one.isolated, other.isolated) == (True, False)
    at = {contract.index: p.entry * x}
    for method in ("equity", "worth", "requirement", "slack", "available", "withdrawable"):
        a, b = (getattr(pool, method)(None, at) if method == "withdrawable" else getattr(pool, method)(at)
                for pool in (one, other))  # fmt: skip
        assert a == pytest.approx(b, rel=1e-12, abs=1e-12 * margin)
    assert one.requirement(at, kind="initial") == pytest.approx(other.requirement(at, kind="initial"), rel=1e-12)
    for a, b in ((one.liquidation(), other.liquidation()), (one.bankruptcy(), other.bankruptcy())):
        assert sides(a) == sides(b)


# -------------------------------------------------------- borrow and repay


@STEADY
@given(sizes, st.floats(0.1, 5), st.sampled_from(("isolated", "cross", "multi")), st.sampled_from((0.0, 1.0)))
def test_borrowing_and_repaying_at_once_costs_the_opening_interest_and_nothing_else(q, extra, mode, opening):
    asset = Asset(loan=Tiers.flat(0.05, leverage=10), rate=0.0002)
    venue = Venue("K", assets=dict.fromkeys(("BTC", "USDT"), asset), interest=Interest(per=4, every=4, opening=opening),
                  account_mode="multi-currency" if mode == "multi" else "single-currency")  # fmt: skip
    pair, got, paid, cost = Spot("BTC/USDT"), "BTC", "USDT", q * 50_000
    if q < 0:
        got, paid, cost = "USDT", "BTC", -q
    margin = (1 + extra) * 0.11 * abs(q) * (1 if got == "BTC" else 50_000)
    account = Account(venue, **{got: margin}).mark(BTC=50_000)
    isolated = {"isolated": margin} if mode == "isolated" else {}
    out = account.trade(pair, q, 50_000, borrow=paid, **isolated)
    back = out.trade(pair, -q, 50_000)
    fee = cost * 0.0002 * opening
    assert out.balances()[paid] == pytest.approx(-cost - fee)
    assert out.balances()[got] == pytest.approx(margin + abs(q) * (1 if got == "BTC" else 50_000))
    assert back.balances()[got] == pytest.approx(margin)
    assert back.balances().get(paid, 0.0) == pytest.approx(-fee, abs=1e-9 * cost)
    charges = [dict(e.flows) for e in back.events if e.kind == "interest"]
    assert charges == ([{"trader": pytest.approx(-fee), "lender": pytest.approx(fee)}] if opening else [])
