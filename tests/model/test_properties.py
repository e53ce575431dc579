"""What must hold for any pool: symmetry, scale, monotony, and agreement with bisection on first principles."""

from marginlab import replace
from math import exp, inf, log

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from marginlab import Perpetual, Pool, Position, Tiers, Venue, venues

settings.register_profile("model", deadline=None, derandomize=True, max_examples=150, database=None)
settings.load_profile("model")

LINEAR_TIERS = (Tiers.flat(0.004), Tiers(((0, 0.005), (1e5, 0.01), (1e6, 0.2))), venues.BTCUSDT_2024_10)
COIN_TIERS = (Tiers.flat(0.004), venues.BTCUSD_COIN_2020_06, Tiers(((0, 0.01), (5, 0.03))))
COUNTED = Tiers(((0, 0.01), (5, 0.03), (40, 0.1)), basis="quantity")
RULES = (
    Venue("A"),
    Venue("B", maintenance_at="entry"),
    Venue("A, fee", fee=0.0006, fee_at="price"),
    Venue("B, fee", fee=0.0006, fee_at="price", maintenance_at="entry"),
)
sizes = st.floats(0.01, 60).flatmap(lambda q: st.sampled_from((q, -q)))
entries = st.floats(30_000, 80_000)


@st.composite
def positions(draw, name="P"):
    inverse = draw(st.booleans())
    tiers = draw(st.sampled_from((*(COIN_TIERS if inverse else LINEAR_TIERS), COUNTED)))
    face = draw(st.sampled_from((1.0, 0.1))) * (50_000 if inverse else 1)
    return Position(Perpetual(name, "BTC", "BTC" if inverse else "USDT", face, tiers), draw(sizes), draw(entries))


@st.composite
def books(draw, rules=RULES):
    book = [draw(positions(f"P{n}")) for n in range(draw(st.integers(1, 4)))]
    if draw(st.booleans()):
        book.append(Position(Perpetual("E", "ETH", "ETH", 2_000, Tiers.flat(0.01)), draw(sizes), 2_000))
    coins, cash = draw(st.floats(-20, 30)), draw(st.floats(-5e5, 2e6))
    marks = {"BTC": draw(st.floats(35_000, 70_000)), "ETH": draw(st.floats(1_500, 2_500))}
    return Pool(draw(st.sampled_from(("USDT", "BTC"))), {"USDT": cash, "BTC": coins}, book,
                draw(st.sampled_from(rules)), marks)  # fmt: skip


def charged(schedule, notional, contracts):
    """Maintenance by slices: only the part inside a tier is charged that tier's rate."""
    size = notional if schedule.basis == "notional" else contracts
    tops = [*[row[0] for row in schedule.rows[1:]], inf]
    slices = sum(max(0.0, min(size, top) - row[0]) * row[1] for row, top in zip(schedule.rows, tops, strict=True))
    return (slices ) * notional / size


def reference(pool, price, kind="slack"):
    """(slack or equity, gross size) in quote currency at a price of BTC, straight from the definitions."""
    at = {"BTC": price, "USDT": 1.0, "ETH": pool.marks["ETH"]}
    parts = [amount * at[currency] for currency, amount in pool.collateral.items()]
    for p in pool.positions:
        c, spot = p.instrument, at[p.instrument.index]
        n, unit = p.quantity * c.face, at[c.settle]
        parts += [n * unit / p.entry, -n * unit / spot] if c.inverse else [n * spot, -n * p.entry]
        now, then = (abs(n) / x if c.inverse else abs(n) * x for x in (spot, p.entry))
        base = then if pool.venue.maintenance_at == "entry" else now
        if kind == "slack":
            parts.append(-unit * (charged(c.tiers, base, abs(p.quantity)) + pool.venue.fee * now))
    return sum(parts), sum(map(abs, parts))


LOW, HIGH = 0.01, 1e10


def bisected(pool, kind):
    """Roots below and above the best price, by bisection; None where there is none between LOW and HIGH."""

    def worth(x):
        return reference(pool, exp(x), kind)[0]

    low, high = log(LOW), log(HIGH)
    for _ in range(200):  # concave in the price, hence one peak
        a, b = low + (high - low) / 3, high - (high - low) / 3
        low, high = (a, high) if worth(a) < worth(b) else (low, b)
    peak = (low + high) / 2
    total, gross = reference(pool, exp(peak), kind)
    assume(abs(total) > 1e-6 * gross)  # touching zero: no question that floats can answer
    roots = []
    for end in (log(LOW), log(HIGH)):
        if total < 0 or worth(end) >= 0:
            roots.append(None)
            continue
        dead, alive = end, peak
        for _ in range(120):
            middle = (dead + alive) / 2
            dead, alive = (middle, alive) if worth(middle) < 0 else (dead, middle)
        roots.append(exp(alive))
    return roots


@settings(max_examples=300)
@given(books(), st.sampled_from(("liquidation", "bankruptcy")))
def test_turning_points_are_those_of_bisection_and_absence_is_real(pool, kind):
    found = getattr(pool, kind)("BTC")
    slack = "slack" if kind == "liquidation" else "equity"
    for side, root in zip((found.below, found.above), bisected(pool, slack), strict=True):
        if root is None:
            assert side.price is None or not LOW < side.price < HIGH
            continue
        total, gross = (reference(pool, root * 1.001, slack)[n] - reference(pool, root, slack)[n] * (1 - n)
                        for n in (0, 1))  # fmt: skip
        if abs(total) > 1e-8 * gross:  # the slope is steep enough for floats to place the root
            assert side.price == pytest.approx(root, rel=1e-9)
    total, gross = reference(pool, pool.marks["BTC"], slack)
    if abs(total) > 1e-9 * gross:
        assert found.breached == (total < 0)


@given(books())
def test_slack_is_zero_at_the_liquidation_price_and_equity_at_bankruptcy(pool):
    for kind, value in (("liquidation", pool.slack), ("bankruptcy", pool.equity)):
        for side in (getattr(pool, kind)("BTC").below, getattr(pool, kind)("BTC").above):
            if side.price is not None and LOW < side.price < HIGH:
                gross = reference(pool, side.price)[1] / (side.price if pool.currency == "BTC" else 1)
                assert abs(value(BTC=side.price)) < 1e-11 * gross


@given(books())
def test_pool_values_are_those_of_the_definitions(pool):
    unit = pool.marks["BTC"] if pool.currency == "BTC" else 1.0
    for kind, value in (("slack", pool.slack()), ("equity", pool.equity())):
        total, gross = reference(pool, pool.marks["BTC"], kind)
        assert value * unit == pytest.approx(total, abs=1e-12 * gross)


def order(pool, kind):
    """Lower and upper end of the healthy range; 0 and inf where it has no end."""
    found = getattr(pool, kind)("BTC")
    return found.below.price or 0.0, found.above.price or inf


@given(books(), st.floats(1, 1e5))
def test_margin_moves_liquidation_away_and_bankruptcy_lies_beyond_it(pool, margin):
    assume(reference(pool, pool.marks["BTC"])[0] > 0)
    low, high = order(pool, "liquidation")
    far_low, far_high = order(pool.adding(margin), "liquidation")
    assert far_low <= low * (1 + 1e-12) and far_high >= high * (1 - 1e-12)
    assert low == 0 or far_low < low
    assert high == inf or far_high > high
    bust_low, bust_high = order(pool, "bankruptcy")
    assert bust_low <= low * (1 + 1e-12) and bust_high >= high * (1 - 1e-12)
    assert low == 0 or bust_low < low


@given(books(), st.floats(0.3, 0.99), st.booleans())
def test_margin_for_is_the_inverse_of_liquidation(pool, share, up):
    assume(pool.slack() > 0)
    price = pool.marks["BTC"] / share if up else pool.marks["BTC"] * share
    try:
        margin = pool.margin_for(liquidation=price, index="BTC")
    except ValueError as error:
        assert "closed already" in str(error)
        return
    moved = pool.adding(margin - pool.collateral[pool.currency])
    gross = reference(moved, price)[1]
    assert abs(reference(moved, price)[0]) < 1e-10 * gross
    assume(reference(moved, pool.marks["BTC"])[0] > 1e-7 * gross)
    assert order(moved, "liquidation")[up] == pytest.approx(price, rel=1e-5)


@given(books())
def test_flipping_every_sign_mirrors_the_profit_and_keeps_the_requirement(pool):
    flipped = replace(pool, positions=[replace(p, quantity=-p.quantity) for p in pool.positions])
    bare = replace(pool, positions=[])
    held = bare.equity(BTC=pool.marks["BTC"]) if "BTC" in bare.names else bare.equity()
    gross = reference(pool, pool.marks["BTC"])[1]
    assert pool.equity() - held == pytest.approx(held - flipped.equity(), abs=1e-12 * gross)
    assert pool.requirement() == pytest.approx(flipped.requirement(), rel=1e-14)


@given(sizes, entries, st.floats(1.5, 80), st.sampled_from((0.004, 0.01)))
def test_long_and_short_are_liquidated_equally_far_if_maintenance_is_frozen_at_entry(size, entry, leverage, rate):
    contract = Perpetual("L", "BTC", "USDT", tiers=Tiers.flat(rate))
    margin = abs(size) * entry / leverage
    pools = [Pool("USDT", {"USDT": margin}, [Position(contract, s * size, entry)], RULES[1]) for s in (1, -1)]
    assert sum(pool.liquidation().price for pool in pools) == pytest.approx(2 * entry, rel=1e-12)


@given(sizes, entries, st.floats(1.5, 80), st.sampled_from(COIN_TIERS[:2]), st.sampled_from(RULES))
def test_an_inverse_contract_is_a_linear_one_of_the_other_sign_in_one_over_the_price(q, entry, leverage, tiers, rule):
    inverse = Perpetual("I", "BTC", "BTC", 50_000, tiers)
    linear = Perpetual("L", "BTC", "USDT", 50_000, tiers)
    margin = abs(q) * 50_000 / entry / leverage
    coin = Pool("BTC", {"BTC": margin}, [Position(inverse, q, entry)], rule).liquidation()
    cash = Pool("USDT", {"USDT": margin}, [Position(linear, -q, 1 / entry)], rule).liquidation()
    for one, other in ((coin.below, cash.above), (coin.above, cash.below)):
        assert (one.price is None) == (other.price is None)
        assert one.price is None or one.price == pytest.approx(1 / other.price, rel=1e-11)


@given(books(), st.randoms(use_true_random=False), st.floats(0.1, 0.9))
def test_splitting_and_permuting_positions(pool, random, share):
    shuffled = list(pool.positions)
    random.shuffle(shuffled)
    parts = [replace(p, quantity=p.quantity * s) for p in shuffled for s in (share, 1 - share)]
    gross = reference(pool, pool.marks["BTC"])[1] / (pool.marks["BTC"] if pool.currency == "BTC" else 1)
    same, split = replace(pool, positions=shuffled), replace(pool, positions=parts)
    assert same.slack() == pytest.approx(pool.slack(), abs=1e-13 * gross)
    assert split.equity() == pytest.approx(pool.equity(), abs=1e-12 * gross)
    assert split.requirement() <= pool.requirement() * (1 + 1e-12)  # smaller positions sit on lower tiers
    if all(p.instrument.tiers in (Tiers.flat(0.004), Tiers.flat(0.01)) for p in parts):
        assert split.requirement() == pytest.approx(pool.requirement(), rel=1e-12)


@given(st.booleans(), sizes, entries, st.floats(1.1, 100), st.floats(0.001, 1_000), st.sampled_from(RULES))
def test_units_do_not_matter(inverse, q, entry, leverage, k, rule):
    tiers = COIN_TIERS[1] if inverse else LINEAR_TIERS[1]
    face, settle = (50_000, "BTC") if inverse else (1, "USDT")
    base = Perpetual("X", "BTC", settle, face, tiers)
    margin = abs(base.notional(q, entry)) / leverage
    scaled = tiers if inverse else Tiers([(f * k, r) for f, r, *_ in tiers.rows])
    quoted = Perpetual("X", "BTC", settle, face * k if inverse else face, scaled)  # the same coin in another money
    variants = (
        (base, q, entry, margin, 1),
        (replace(base, face=face * k), q / k, entry, margin, 1),
        (quoted, q, entry * k, margin if inverse else margin * k, k),
    )
    prices = []
    for contract, size, price, held, unit in variants:
        pool = Pool(settle, {settle: held}, [Position(contract, size, price)], rule)
        prices.append([p / unit for p in order(pool, "liquidation")])
    assert prices[1] == pytest.approx(prices[0], rel=1e-10)
    assert prices[2] == pytest.approx(prices[0], rel=1e-10)


@given(sizes, entries, st.floats(-1e-4, 1e-4))
def test_linear_and_inverse_agree_to_first_order(q, entry, move):
    coin = Perpetual("I", "BTC", "BTC", entry).pnl(q, entry, entry * (1 + move)) * entry
    cash = Perpetual("L", "BTC", "USDT").pnl(q, entry, entry * (1 + move))
    assert abs(coin - cash) <= abs(q) * entry * (1.001 * move**2 + 1e-14)
