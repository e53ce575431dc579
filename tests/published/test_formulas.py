"""Closed forms as venues print them, in plain Python, against the engine on random positions.

Each function below takes a draw of random inputs, and returns pairs of (closed form, engine). A venue's own way of
writing is kept where it differs from ours; the comments name who uses it.
"""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from marginlab import Account, Perpetual, Pool, Position, Tiers, Venue, liquidation_price, venues

A = Venue("maintenance at the price")
B = Venue("maintenance at the entry", maintenance_at="entry")
C = Venue("maintenance at the mark", maintenance_at="mark")
FORMULAS = {}


def formula(function):
    FORMULAS[function.__name__] = function
    return function


def draw_from(rng):
    """Random inputs: s side, q coins, N quote currency, EP entry, M mark, L leverage, m rate, f fee, and so on."""
    d = SimpleNamespace(s=int(rng.choice([-1, 1])), q=10 ** rng.uniform(-3, 3), EP=10 ** rng.uniform(-2, 5))
    d.L, d.m, d.f = rng.uniform(2, 40), rng.uniform(0.002, 0.02), rng.uniform(0.0002, 0.001)
    d.M, d.x = d.EP * rng.uniform(0.99, 1.01), rng.uniform(0.0, 0.3)
    d.V = d.q * d.EP
    d.N = d.V  # the same size, as quote currency of an inverse contract
    d.w, d.wi = d.V / d.L, d.N / d.EP / d.L  # margin: linear, inverse
    d.c, d.ci = 0.3 * d.m * d.V, 0.3 * d.m * d.N / d.EP  # maintenance amount
    d.other = rng.uniform(-0.005, 0.005)  # another position's PnL, as a share of V
    return d


def linear(d, venue, wallet, tiers, mark=None, leverage=None, more=(), marks=()):
    """A pool with one linear position, and more."""
    p = Position(Perpetual("ONE-USDT", "ONE", "USDT", tiers=tiers), d.s * d.q, d.EP, leverage)
    return Pool("USDT", {"USDT": wallet}, (p, *more), venue, {"ONE": mark or d.EP, **dict(marks)})


def inverse(d, venue, wallet, tiers, mark=None, leverage=None):
    """A pool with one inverse position."""
    p = Position(Perpetual("ONE-USD", "ONE", "ONE", tiers=tiers), d.s * d.N, d.EP, leverage)
    return Pool("ONE", {"ONE": wallet}, (p,), venue, {"ONE": mark or d.EP})


def price(pool, kind="liquidation"):
    """The crossing on the losing side, or None."""
    found = getattr(pool, kind)("ONE")
    return (found.below if pool.positions[0].quantity > 0 else found.above).price


def other(d, tiers):
    """Another linear position, on another index, and its mark."""
    p = Position(Perpetual("TWO-USDT", "TWO", "USDT", tiers=tiers), d.q, d.EP)
    return p, {"TWO": d.EP * (1 + d.other)}


# ------------------------- convention A: maintenance on the notional at the price


@formula
def linear_at_price(d):  # Binance, Hyperliquid, Lighter, BloFin, EdgeX, dYdX; f: OKX, Gate, BloFin, Phemex cross
    pool = linear(d, A, d.w, Tiers.bracket(d.m, d.c))
    yield (d.s * d.q * d.EP - d.w - d.c) / (d.q * (d.s - d.m)), price(pool)
    pool = linear(d, replace(A, fee=d.f, fee_at="price"), d.w, Tiers.bracket(d.m, d.c))
    yield (d.s * d.q * d.EP - d.w - d.c) / (d.q * (d.s - d.m - d.f)), price(pool)


@formula
def inverse_at_price(d):  # Binance COIN-M, OKX (without its tick), Kraken
    pool = inverse(d, A, d.wi, Tiers.bracket(d.m, d.ci))
    yield d.N * (d.s + d.m) / (d.wi + d.ci + d.s * d.N / d.EP), price(pool)
    pool = inverse(d, replace(A, fee=d.f, fee_at="price"), d.wi, Tiers.bracket(d.m, d.ci))
    yield d.N * (d.s + d.m + d.f) / (d.wi + d.ci + d.s * d.N / d.EP), price(pool)


@formula
def linear_in_a_cross_pool(d):  # Binance USD-M cross: the other position with its PnL and maintenance at its mark
    tiers = Tiers.flat(d.m)
    second, marks = other(d, tiers)
    pool = linear(d, A, d.w, tiers, more=[second], marks=marks)
    upnl, tmm = d.q * (marks["TWO"] - d.EP), d.m * d.q * marks["TWO"]
    yield (d.w - tmm + upnl - d.s * d.q * d.EP) / (d.q * d.m - d.s * d.q), price(pool)


@formula
def binance_hedge_mode(d):  # long and short of one symbol share one price; each leg has its own bracket
    long, short = 2 * d.q, d.q
    bracket_l, bracket_s = Tiers.bracket(d.m, d.c), Tiers.bracket(1.5 * d.m, d.c / 2)
    legs = [
        Position(Perpetual("ONE-USDT", "ONE", "USDT", tiers=bracket_l), long, d.EP),
        Position(Perpetual("ONE-USDT", "ONE", "USDT", tiers=bracket_s), -short, 1.01 * d.EP),
    ]
    pool = Pool("USDT", {"USDT": d.w}, legs, A, {"ONE": d.EP})
    top = d.w + d.c + d.c / 2 - long * d.EP + short * 1.01 * d.EP
    yield top / (long * d.m + short * 1.5 * d.m - long + short), price(pool)


@formula
def hyperliquid(d):  # price - side * margin_available / size / (1 - l * side), with l = 1 / (2 * most leverage)
    rate = 1 / (2 * 40)
    tiers = Tiers(((0, rate, 40), (0.7 * d.V, 2 * rate, 20)))
    amount = 0.7 * d.V * rate
    pool = linear(d, A, d.w, tiers, d.M)
    available = pool.equity() - (2 * rate * d.q * d.M - amount)
    closed = d.M - d.s * available / d.q / (1 - 2 * rate * d.s)
    if d.q * closed > 0.7 * d.V:
        yield closed, price(pool)
    raw = d.w - d.s * d.q * d.EP  # rawUsd, the quote leg
    yield raw + d.s * d.q * d.M, pool.equity()


@formula
def bybit_inverse_isolated_2026(d):  # N * (mmr + 1) / [N/EP + N/EP/L + extra / (1 + taker) + deduction], long
    d.s, extra = 1, d.x * d.wi
    wallet = d.N / d.EP / d.L + extra / (1 + d.f)
    pool = inverse(d, A, wallet, Tiers.bracket(d.m, d.ci))
    yield d.N * (d.m + 1) / (d.N / d.EP + d.N / d.EP / d.L + extra / (1 + d.f) + d.ci), price(pool)


@formula
def htx(d):  # equity / position_margin - adj = 0, with position_margin = notional / L: maintenance falls with L
    adj = 10 * d.m
    venue = Venue("HTX", rates_of="initial margin")
    pool = linear(d, venue, d.w, Tiers.flat(adj), d.M, d.L)
    yield (d.s * d.V - d.w) / (d.q * (d.s - adj / d.L)), price(pool)
    risk_rate = (d.w + d.s * d.q * (d.M - d.EP)) / (d.q * d.M / d.L) - adj
    yield risk_rate, adj * (pool.margin_ratio() - 1)
    pool = inverse(d, venue, d.wi, Tiers.flat(adj), d.M, d.L)
    yield d.N * (d.s + adj / d.L) / (d.wi + d.s * d.N / d.EP), price(pool)


@formula
def okx_from_its_ratio(d):  # equity = ratio * (maintenance + fee), both at the mark
    pool = linear(d, replace(A, fee=d.f, fee_at="price"), d.w, Tiers.flat(d.m), d.M)
    ratio = (d.w + d.s * d.q * (d.M - d.EP)) / (d.q * d.M * (d.m + d.f))
    yield ratio, pool.margin_ratio()
    equity = ratio * (d.q * d.M * d.m + d.q * d.M * d.f)
    yield (d.s * d.q * d.M - equity) / (d.q * (d.s - d.m - d.f)), price(pool)


@formula
def deribit_linear(d):  # initial (base + slope * q) * q * index; maintenance the same with half the base
    slope = 0.01 / d.q
    pool = linear(d, A, d.w, Tiers(((0, d.m, 1 / (2 * d.m)),), basis="quantity", growth=slope), d.M)
    yield (2 * d.m + slope * d.q) * d.q * d.M, pool.requirement(kind="initial")
    yield (d.m + slope * d.q) * d.q * d.M, pool.requirement()
    yield (d.s * d.V - d.w) / (d.q * (d.s - d.m - slope * d.q)), price(pool)


@formula
def deribit_inverse(d):  # the rate grows with the coins, N/P: a quadratic in N/P
    slope = 0.01 / (d.N / d.EP)
    pool = inverse(d, A, d.wi, Tiers(((0, d.m),), growth=slope), d.M)
    goal = d.N / d.EP + d.s * d.wi  # V + s * (m * V + slope * V**2) = goal
    root = math.sqrt((1 + d.s * d.m) ** 2 + 4 * d.s * slope * goal)
    yield d.N / ((root - 1 - d.s * d.m) / (2 * d.s * slope)), price(pool)


@formula
def kraken_by_contracts(d):  # floors count contracts of 1 USD, so the tier does not move with the price
    rates = [row[1] for row in venues.KRAKEN.tiers["PI_XBTUSD"].rows]
    d.N, d.s = 2_500_000.0, 1  # tier 3
    d.wi = d.N / d.EP / d.L
    p = Position(Perpetual("PI_XBTUSD", "ONE", "ONE"), d.N, d.EP)
    pool = Pool("ONE", {"ONE": d.wi}, (p,), venues.KRAKEN, {"ONE": d.EP})
    rate = (500_000 * rates[0] + 500_000 * rates[1] + 1_500_000 * rates[2]) / d.N
    if d.L * rate < 0.9:
        yield d.N * (1 + rate) / (d.wi + d.N / d.EP), price(pool)


# -------------------------------- convention B: maintenance frozen at the entry


@formula
def linear_at_entry(d):  # Bybit classic and USDT page, KuCoin, Delta, MEXC, MCS, Phemex isolated, MoonXBT
    extra = d.x * d.w
    pool = linear(d, B, d.w + extra, Tiers.flat(d.m))
    yield d.EP * (1 - d.s * (1 / d.L - d.m)) - d.s * extra / d.q, price(pool)
    yield (d.w - d.m * d.V + extra) / d.q, d.s * (d.EP - price(pool))  # KuCoin: (margin - maintenance) / q
    pool = linear(d, B, d.w, Tiers.bracket(d.m, d.c))
    yield d.EP - d.s * (d.w - (d.m * d.V - d.c)) / d.q, price(pool)  # with a risk-limit deduction


@formula
def inverse_at_entry(d):  # Bybit classic, MCS, BitMEX without its rounding, Phemex isolated
    pool = inverse(d, B, d.wi, Tiers.flat(d.m))
    yield d.EP * d.L / (d.L + d.s * (1 - d.m * d.L)), price(pool)
    yield d.EP * d.L / (d.L * (1 - d.s * d.m) + d.s), price(pool)
    extra = d.x * d.wi
    pool = inverse(d, B, d.wi + extra, Tiers.flat(d.m))
    yield d.N / (d.N / d.EP + d.s * (d.wi + extra - d.m * d.N / d.EP)), price(pool)


@formula
def linear_at_entry_in_cross(d):  # Bybit classic cross, MoonXBT: EP - s * (available + IM - MM) / q
    available = d.x * d.w
    pool = linear(d, B, available + d.w, Tiers.flat(d.m), leverage=d.L)
    yield available, float(pool.available())
    yield available + d.V / d.L - d.m * d.V, pool.slack()
    yield d.EP - d.s * (available + d.V / d.L - d.m * d.V) / d.q, price(pool)


# ------------------------------ convention C: maintenance frozen at the mark


@formula
def at_the_mark(d):  # Bitget cross: P = M - s * (E - MM(M)) / q
    pool = linear(d, C, d.w, Tiers.bracket(d.m, d.c), d.M)
    equity = d.w + d.s * d.q * (d.M - d.EP)
    yield d.M - d.s * (equity - (d.m * d.q * d.M - d.c)) / d.q, price(pool)
    pool = linear(d, replace(C, fee=d.f, fee_at="price"), d.w, Tiers.flat(d.m), d.M)
    yield d.M - d.s * (equity - (d.m + d.f) * d.q * d.M) / d.q, price(pool)


# ------------------------------ convention D: the pool split pro rata (KuCoin)


@formula
def pro_rata(d):  # P = (V - |V| * AMR) / (1 - s * mmr - s * taker) / q, for the position's share of the pool
    share = 1 / d.L
    venue = replace(A, fee=d.f, fee_at="price")
    pool = linear(d, venue, share * d.q * d.M, Tiers.flat(d.m), d.M)
    pool = replace(pool, positions=[replace(pool.positions[0], entry=d.M)])  # its PnL is in the total margin
    value = d.s * d.q * d.M
    yield (value - abs(value) * share) / (1 - d.s * d.m - d.s * d.f) / (d.s * d.q), price(pool)


# ----------------------------------------- the closing fee at the bankruptcy price


@formula
def bybit_unified(d):  # IM = V/L + q * bust * taker, MM = V * mmr + q * bust * taker, bust = EP * (1 - s/L)
    venue = replace(A, fee=d.f, fee_at="bankruptcy")
    pool = linear(d, venue, d.w, Tiers.flat(d.m), d.M, d.L)
    fee = d.q * d.EP * (1 - d.s / d.L) * d.f
    yield d.q * d.M / d.L + fee, pool.requirement(kind="initial")
    yield d.q * d.M * d.m + fee, pool.requirement()
    holding = pool.adding(fee)  # the balance holds the fee, so that it cancels
    yield (d.s * d.V - d.w) / (d.q * (d.s - d.m)), price(holding)
    yield (d.s * d.V - d.w + fee) / (d.q * (d.s - d.m)), price(pool)


@formula
def bybit_inverse_cross(d):  # N * (1/EP - 1/P) = -(balance - N/EP * mmr - N * fee / bust), bust by the whole balance
    d.s = 1
    pool = inverse(d, replace(B, fee=d.f, fee_at="bankruptcy"), d.wi, Tiers.flat(d.m))
    bust = d.N / (d.wi + d.N / d.EP)
    room = d.wi - d.N / d.EP * d.m - d.N * d.f / bust
    yield bust, price(pool, "bankruptcy")
    yield 1 / (1 / d.EP + room / d.N), price(pool)


# ------------------------------------------------ bankruptcy, margins, PnL, entry


@formula
def bankruptcy(d):  # requirement left out; KuCoin, Bybit, BitMEX; "or with taker": a schedule of 0 and the fee
    pool = linear(d, A, d.w, Tiers.flat(d.m), leverage=d.L)
    yield d.EP * (1 - d.s / d.L), price(pool, "bankruptcy")
    free = linear(d, replace(A, fee=d.f, fee_at="price"), d.w, Tiers.flat(0.0))
    yield (d.s * d.V - d.w) / (d.q * (d.s - d.f)), price(free)
    pool = inverse(d, A, d.wi, Tiers.flat(d.m), leverage=d.L)
    yield d.EP * d.L / (d.L + d.s), price(pool, "bankruptcy")
    both = replace(A, fee=d.f, fee_at="price")  # KuCoin cross: bust = liq * (1 - s * mmr - s * taker)
    pool = linear(d, both, d.w, Tiers.flat(d.m))
    yield price(pool) * (1 - d.s * (d.m + d.f)), price(pool, "bankruptcy")


@formula
def pnl_and_margins(d):
    pool = linear(d, A, d.w, Tiers.flat(d.m), d.M, d.L)
    yield d.w + d.s * d.q * (d.M - d.EP), pool.equity()
    yield d.q * d.M / d.L, pool.requirement(kind="initial")
    pool = inverse(d, A, d.wi, Tiers.flat(d.m), d.M, d.L)
    yield d.wi + d.s * d.N * (1 / d.EP - 1 / d.M), pool.equity()
    yield d.N / d.M / d.L, pool.requirement(kind="initial")


@formula
def average_entry(d):  # by coins; inverse by quote currency: harmonic
    flat = Tiers.flat(d.m)
    one, two = Perpetual("ONE-USDT", "ONE", "USDT", tiers=flat), Perpetual("ONE-USD", "ONE", "ONE", tiers=flat)
    rich = Account(A, USDT=10 * d.V, ONE=10 * d.q).mark(ONE=d.EP)
    after = rich.trade(one, d.s * d.q, d.EP).trade(one, d.s * d.q / 2, d.M)
    yield (d.EP + d.M / 2) / 1.5, after[one].positions[0].entry
    after = rich.trade(two, d.s * d.N, d.EP).trade(two, d.s * d.N / 2, d.M)
    yield 1.5 / (1 / d.EP + 0.5 / d.M), after[two].positions[0].entry


@formula
def margin_that_puts_it_there(d):  # the inverse question
    pool = linear(d, A, 0.0, Tiers.bracket(d.m, d.c))
    at = d.EP * (1 - d.s / d.L)
    yield d.s * d.q * (d.EP - at) + d.m * d.q * at - d.c, pool.margin_for(at)
    pool = inverse(d, B, 0.0, Tiers.flat(d.m))
    yield d.s * d.N * (1 / at - 1 / d.EP) + d.m * d.N / d.EP, pool.margin_for(at)


@formula
def tiers_are_slices(d):  # V * rate - amount, with amounts by continuity, is the sum over slices
    schedule, notional = venues.BTCUSDT_2024_10, 10 ** (3 + 6 * d.x / 0.3)
    tops = [*schedule.floors[1:], math.inf]
    parts = zip(schedule.floors, tops, schedule.rates, strict=True)
    yield sum(rate * max(0.0, min(notional, top) - floor) for floor, top, rate in parts), schedule.maintenance(notional)


@pytest.mark.parametrize("name", FORMULAS)
def test_closed_form(name):
    rng, pairs = np.random.default_rng(sum(map(ord, name))), []
    for _ in range(200):
        pairs += FORMULAS[name](draw_from(rng))
    assert len(pairs) > 100
    for closed, engine in pairs:
        assert engine == pytest.approx(closed, rel=1e-9)


# ------------------------------------------------- the same in arrays, every rule

RULES = {
    "A": A,
    "A, fee": replace(A, fee=0.0006, fee_at="price"),
    "A, fee at bankruptcy": replace(A, fee=0.0006, fee_at="bankruptcy"),
    "B": B,
    "B, fee": replace(B, fee=0.0006, fee_at="price"),
    "B, fee at bankruptcy": replace(B, fee=0.0006, fee_at="bankruptcy"),
    "C": C,
    "C, fee": replace(C, fee=0.0006, fee_at="price"),
    "C, fee at bankruptcy": replace(C, fee=0.0006, fee_at="bankruptcy"),
    "HTX": Venue("HTX", rates_of="initial margin"),
    "HTX, fee": Venue("HTX", rates_of="initial margin", fee=0.0006, fee_at="price"),
}
SCHEDULES = {
    "flat": Tiers.flat(0.01),
    "tiers": Tiers(((0, 0.004, 125), (3_000, 0.01, 50), (40_000, 0.02, 25))),
    "contracts": Tiers(((0, 0.01, 50), (50, 0.02, 25)), basis="quantity"),
    "grows with contracts": Tiers(((0, 0.01, 50),), basis="quantity", growth=1e-5),
    "grows with coins": Tiers(((0, 0.01, 50),), growth=1e-4),
}
CONTRACTS = [
    (settle, name) for settle in ("USDT", "ONE") for name in SCHEDULES if (settle, name[-5:]) != ("USDT", "coins")
]


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize(("settle", "schedule"), CONTRACTS)
def test_arrays_give_what_a_pool_gives(settle, rules, schedule):
    rng, venue = np.random.default_rng(1), RULES[rules]
    contract = Perpetual("ONE-PERP", "ONE", settle, tiers=SCHEDULES[schedule])
    draws = [draw_from(rng) for _ in range(60)]
    for d in draws:
        d.size, d.margin = (d.s * d.q, d.w) if settle == "USDT" else (d.s * d.N, d.wi)
    columns = zip(*((d.size, d.EP, d.margin, d.M, d.L) for d in draws), strict=True)
    found = liquidation_price(venue, contract, *map(np.array, columns))
    for d, got in zip(draws, found, strict=True):
        p = Position(contract, d.size, d.EP, d.L)
        pool = Pool(settle, {settle: d.margin}, (p,), venue, {"ONE": d.M})
        if price(pool) is None:
            assert got in (0.0, math.inf)
        else:
            assert got == pytest.approx(price(pool), rel=1e-9)
