"""Closed forms as venues print them, in plain Python, against the engine on random positions.

Each function below takes a draw of random inputs, and returns pairs of (closed form, engine). A venue's own way of
writing is kept where it differs from ours; the comments name who uses it.
"""

import math
from marginlab import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from marginlab import (
    Account,
    Asset,
    Funding,
    Interest,
    Perpetual,
    Pool,
    Position,
    Spot,
    Tiers,
    Venue,
    funding,
    liquidation_price,
    steps,
    venues,
)

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
def binance_usdm(d):  # the FAQ's whole formula: both modes of one symbol (B; L and S), and other positions
    cum, rates = (d.c, d.c / 2, d.c / 3), (d.m, 1.5 * d.m, 0.7 * d.m)
    (side, q_b, q_l, q_s), (ep_b, ep_l, ep_s) = (d.s, d.q, 2 * d.q, d.q / 2), (d.EP, 0.99 * d.EP, 1.01 * d.EP)
    sizes, entries = (side * q_b, q_l, -q_s), (ep_b, ep_l, ep_s)
    legs = [
        Position(Perpetual("ONE-USDT", "ONE", "USDT", tiers=Tiers.bracket(rate, amount)), size, entry)
        for rate, amount, size, entry in zip(rates, cum, sizes, entries, strict=True)
    ]
    tiers = Tiers.flat(d.m)
    second, marks = other(d, tiers)
    upnl, tmm = d.q * (marks["TWO"] - d.EP), d.m * d.q * marks["TWO"]
    pool = Pool("USDT", {"USDT": d.w}, (*legs, second), A, {"ONE": d.EP, **marks})
    top = d.w - tmm + upnl + sum(cum) - side * q_b * ep_b - q_l * ep_l + q_s * ep_s
    closed = top / (q_b * rates[0] + q_l * rates[1] + q_s * rates[2] - side * q_b - q_l + q_s)
    if 0.6 * d.EP < closed < d.EP:  # where all three are above the brackets' floors
        yield closed, pool.liquidation("ONE").below.price


@formula
def binance_hedge_mode(d):  # long and short of one symbol share one price; opened one after the other
    bracket = Tiers.bracket(d.m, d.c)
    contract = Perpetual("ONE-USDT", "ONE", "USDT", tiers=bracket)
    account = Account(replace(A, hedge_mode=True), USDT=d.w + 3 * d.m * d.V)
    account = account.trade(contract, 2 * d.q, d.EP, leg="long").trade(contract, -d.q, 1.01 * d.EP, leg="short")
    top = d.w + 3 * d.m * d.V + 2 * d.c - 2 * d.q * d.EP + d.q * 1.01 * d.EP
    closed = top / (2 * d.q * d.m + d.q * d.m - 2 * d.q + d.q)
    if closed > 0.6 * d.EP:
        yield closed, account[contract, "long"].liquidation("ONE").below.price
        yield closed, account[contract, "short"].liquidation("ONE").below.price


@formula
def tier_at_the_price(d):  # redo with the bracket at P until it holds: here, segment by segment between all boundaries
    rows = [(0, d.m), (0.3 * d.V, 0.05), (0.6 * d.V, 0.1), (0.8 * d.V, 0.25), (1.2 * d.V, 0.4)]
    sizes = [d.s * d.q, d.s * 0.7 * d.q, -d.s * 0.4 * d.q]
    tops = [floor for floor, _ in rows[1:]] + [math.inf]

    def slack(at):
        slices = [
            rate * max(0.0, min(abs(size) * at, top) - floor)
            for size in sizes
            for (floor, rate), top in zip(rows, tops, strict=True)
        ]
        return 0.5 * d.V + sum(sizes) * (at - d.EP) - sum(slices)

    positions = [  # in contracts of a hundredth of a coin
        Position(Perpetual(f"NO{n}", "ONE", "USDT", 0.01, Tiers(rows)), 100 * q, d.EP) for n, q in enumerate(sizes)
    ]
    pool = Pool("USDT", {"USDT": 0.5 * d.V}, positions, A, {"ONE": d.EP})
    bounds = sorted({1e-9 * d.EP, d.EP, 9 * d.EP, *(floor / abs(size) for floor, _ in rows[1:] for size in sizes)})
    for left, right in pairwise(bounds):
        low, high = slack(left), slack(right)
        if low * high < 0:
            side = pool.liquidation()
            yield left - low * (right - left) / (high - low), (side.below if low < 0 else side.above).price


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


# ---------------------------- spot margin: a debt is a negative balance, and so is a short


def lends(d, **more):
    """A venue that lends everything at a maintenance rate."""
    return replace(A, assets={"*": Asset(loan=Tiers.flat(d.m))}, **more)


PAIR = Spot("ONE/USDT")


@formula
def okx_isolated_spot_margin(d):  # long: liability * (1 + mmr) * (1 + taker) / asset; short: the other way round
    venue = lends(d, fee=d.f, fee_at="price")
    long = Account(venue, ONE=d.q).trade(PAIR, d.q, d.EP, isolated=True, leverage=d.L, borrow="USDT")[PAIR]
    asset, liability = d.q * (1 + 1 / d.L), d.q * d.EP
    yield liability * (1 + d.m) * (1 + d.f) / asset, long.liquidation("ONE").below.price
    yield liability / asset, long.bankruptcy("ONE").below.price
    account = Account(venue, USDT=d.V)
    short = account.trade(PAIR, -d.q, d.EP, isolated=True, leverage=d.L, borrow="ONE")[PAIR]
    asset, liability = d.q * d.EP * (1 + 1 / d.L), d.q
    yield asset / (liability * (1 + d.m) * (1 + d.f)), short.liquidation("ONE").above.price
    yield asset / liability, short.bankruptcy("ONE").above.price


@formula
def margin_level(d):  # assets / debts = 1.1 (Binance cross), 1.05 (MEXC); KuCoin: debts / counted assets = 0.97
    owed = (1 - 1 / d.L) * d.V
    for level in (1.1, 1.05):
        venue = replace(A, assets={"*": Asset(loan=Tiers.flat(level - 1))})
        yield (
            level * owed / d.q,
            Pool("ONE", {"ONE": d.q, "USDT": -owed}, (), venue, {"ONE": d.EP}).liquidation("ONE").below.price,
        )
        short = Pool("USDT", {"USDT": d.V + d.w, "ONE": -d.q}, (), venue, {"ONE": d.EP})
        yield (d.V + d.w) / (level * d.q), short.liquidation().above.price
        yield (d.V + d.w) / d.V, 1 + short.margin_ratio() * (level - 1)
    weighted = Asset(haircut=d.x, loan=Tiers.flat(1 / 0.97 - 1))
    venue = replace(A, account_mode="multi-currency", assets={"*": weighted, "USDT": replace(weighted, haircut=0.0)})
    pool = Pool("USD", {"ONE": d.q, "USDT": -owed}, (), venue, {"ONE": 2 * d.EP})
    yield owed / (0.97 * d.q * (1 - d.x)), pool.liquidation("ONE").below.price


@formula
def health_factor(d):  # Aave, Compound, INIT: collateral * threshold / (debt * borrow factor); over at 1
    one, usdt = Asset(haircut=d.x), Asset(debt_weight=1 + d.f, loan=Tiers.flat(0.0, leverage=5))
    venue = replace(A, account_mode="multi-currency", assets={"ONE": one, "USDT": usdt})
    debt = 0.5 * d.V
    pool = Pool("USD", {"ONE": d.q, "USDT": -debt}, (), venue, {"ONE": d.M})
    yield debt * (1 + d.f) / (d.q * (1 - d.x)), pool.liquidation("ONE").below.price
    factor = d.q * d.M * (1 - d.x) / (debt * (1 + d.f))
    yield factor, 1 + pool.slack() / (debt * (1 + d.f))


@formula
def loans_in_tiers(d):  # the maintenance of a debt by slices, of coins or of their value, like a position's
    rows, owed = ((0, d.m), (0.4 * d.q, 2 * d.m)), d.q
    by_coins = Asset(loan=Tiers(rows, basis="quantity"))
    counted = d.m * 0.4 * d.q + 2 * d.m * 0.6 * d.q
    pool = Pool("USDT", {"USDT": d.V + d.w, "ONE": -owed}, (), replace(A, assets={"*": by_coins}), {"ONE": d.EP})
    yield counted * d.M, pool.requirement(ONE=d.M)
    yield (d.V + d.w) / (owed + counted), pool.liquidation("ONE").above.price
    by_value = Asset(loan=Tiers(((0, d.m), (0.4 * d.V, 2 * d.m))))
    pool = replace(pool, venue=replace(A, assets={"*": by_value}))
    yield 2 * d.m * d.q * d.M - 0.4 * d.m * d.V, pool.requirement(ONE=d.M)
    yield (d.V + d.w + 0.4 * d.m * d.V) / (owed * (1 + 2 * d.m)), pool.liquidation("ONE").above.price


@formula
def interest(d):  # Binance: by the hour of a day; Kraken: opening and four hours; OKX: by the hour of a year
    owed, hours, rate = d.V, 100 * d.x + 0.5, d.m / 10
    yield owed * rate * math.ceil(hours) / 24, Interest().due(owed, rate, hours)
    kraken = venues.KRAKEN_SPOT.interest
    yield owed * rate * (1 + math.ceil(hours / 4)), kraken.at_once(owed, rate) + kraken.due(owed, rate, hours)
    yield owed * rate * math.ceil(hours) / 8_760, venues.OKX.interest.due(owed, rate, hours)
    rule = Interest(per=24, every=8, opening=2)
    yield owed * rate / 3 * (2 + math.ceil(hours / 8)), rule.at_once(owed, rate) + rule.due(owed, rate, hours)
    asset = Asset(loan=Tiers.flat(d.m), rate=rate)
    for rule in (Interest(), Interest(per=8_760)):
        venue = replace(A, assets={"*": asset}, interest=rule)
        short = Account(venue, USDT=d.V).trade(PAIR, -d.q, d.EP, isolated=True, leverage=d.L, borrow="ONE")
        yield d.q * (1 + rate * math.ceil(hours) / rule.per), -short.accrue(hours)[PAIR].collateral["ONE"]
        twice = short.accrue(1).accrue(1)[PAIR]  # interest is added to the debt, and the price moves towards it
        grown = d.q * (1 + rate / rule.per) ** 2
        yield grown, -twice.collateral["ONE"]
        yield d.V * (1 + 1 / d.L) / (grown * (1 + d.m)), twice.liquidation("ONE").above.price


# --------------------------- many currencies in one pool: haircuts, weights, loans

USD = replace(A, name="multi-currency", account_mode="multi-currency")


@formula
def kraken_margin_equity(d):  # sum of balance * price * (1 - haircut), plus PnL
    haircuts = {"ONE": d.x, "TWO": d.x / 2}
    venue = replace(USD, assets={"USD": Asset(), **{coin: Asset(haircut=h) for coin, h in haircuts.items()}})
    second, marks = other(d, Tiers.flat(d.m))
    contract = Perpetual("PF_ONEUSD", "ONE", "USD", tiers=Tiers.flat(d.m))
    second = replace(second, instrument=replace(second.instrument, settle="USD"))
    positions = (Position(contract, d.s * d.q, d.EP), second)
    pool = Pool("USD", {"USD": d.w, "ONE": d.q / 8, "TWO": d.q / 4}, positions, venue, {"ONE": d.M, **marks})
    others = d.w + d.q / 4 * marks["TWO"] * (1 - d.x / 2) + d.q * (marks["TWO"] - d.EP)
    yield others + d.q / 8 * d.M * (1 - d.x) + d.s * d.q * (d.M - d.EP), pool.equity()
    yield (
        d.w + d.q / 4 * marks["TWO"] + d.q * (marks["TWO"] - d.EP) + d.q / 8 * d.M + d.s * d.q * (d.M - d.EP),
        pool.worth(),
    )
    free = others - d.m * d.q * marks["TWO"]
    closed = (d.s * d.V - free) / (d.s * d.q - d.m * d.q + d.q / 8 * (1 - d.x))
    found = pool.liquidation("ONE")
    if closed > 0:
        yield closed, (found.below if d.s > 0 else found.above).price


@formula
def binance_portfolio_margin(d):  # uniMMR: sum of min(equity * price * rate, equity * price) / sum of maintenance
    rate, loan = 1 - d.x, 0.1
    assets = {coin: Asset(haircut=d.x, loan=Tiers.flat(loan)) for coin in ("ONE", "TWO")}
    venue = replace(USD, assets={"USDT": Asset(), **assets})
    contract = Perpetual("ONE-USDT", "ONE", "USDT", tiers=Tiers.bracket(d.m, d.c))
    position = Position(contract, d.s * d.q, d.EP)
    net = {"ONE": d.q / 3, "TWO": -d.q / 5}
    pool = Pool("USD", {"USDT": d.w, **net}, (position,), venue, {"ONE": d.M, "TWO": d.EP})
    prices = {"ONE": d.M, "TWO": d.EP}
    equity = d.w + d.s * d.q * (d.M - d.EP)
    equity += sum(min(amount * prices[coin] * rate, amount * prices[coin]) for coin, amount in net.items())
    maintenance = d.m * d.q * d.M - d.c + d.q / 5 * d.EP * loan
    yield maintenance, pool.requirement()
    yield equity / maintenance, pool.margin_ratio()
    yield d.q / 5 * d.EP * loan, pool.requirement() - replace(pool, collateral={"USDT": 0.0}).requirement()


@formula
def binance_multi_assets(d):  # sum of min(equity * bid, equity * ask): index less or plus a buffer
    index, bid, ask = 1 - d.f, 1 - d.x / 10, 1 + d.x / 20
    venue = replace(USD, assets={"USDT": Asset(haircut=1 - bid, debt_weight=ask), "USDC": Asset(debt_weight=ask)})
    pool = Pool("USD", {"USDT": d.w, "USDC": -d.w / 3}, (), venue, {"USDT": index})
    yield d.w * index * bid - d.w / 3 * ask, pool.equity()
    turned = Pool("USD", {"USDT": -d.w, "USDC": d.w / 3}, (), venue, {"USDT": index})
    yield -d.w * index * ask + d.w / 3, turned.equity()


@formula
def haircuts_in_tiers(d):  # Bybit, Bitget, OKX, MEXC: each slice has its ratio; the last may be 0
    rows = ((0, 0.02), (0.3 * d.q, 0.1), (0.8 * d.q, 1.0))
    venue = replace(USD, assets={"ONE": Asset(haircut=Tiers(rows, basis="quantity"))})
    coins = 0.3 * 0.98 + 0.5 * 0.9  # of a unit; the rest does not count
    yield coins * d.V, Pool("USD", {"ONE": d.q}, (), venue, {"ONE": d.EP}).equity()
    by_value = replace(USD, assets={"ONE": Asset(haircut=Tiers(((0, 0.02), (0.3 * d.V, 0.1), (0.8 * d.V, 1.0))))})
    pool = Pool("USD", {"ONE": d.q}, (), by_value, {"ONE": d.EP})
    yield coins * d.V, pool.equity()
    yield coins * d.V, pool.equity(ONE=2 * d.EP)
    yield 0.3 * d.V * 0.98 + (0.5 * d.V - 0.3 * d.V) * 0.9, pool.equity(ONE=0.5 * d.EP)
    loans = replace(by_value, assets={**by_value.assets, "USDT": Asset(loan=Tiers.flat(d.m))})
    owing = replace(pool, collateral={"ONE": d.q, "USDT": -0.4 * d.V}, venue=loans)  # over in the second tier
    closed = (0.4 * d.V * (1 + d.m) - 0.3 * d.V * (0.98 - 0.9)) / (0.9 * d.q)
    yield closed, owing.liquidation("ONE").below.price


@formula
def what_is_free_in_many_currencies(
    d,
):  # equity less the greater of initial and maintenance margin; OKX, Binance, Bybit
    loan = Tiers.flat(0.05, leverage=8)
    venue = replace(
        USD, assets={"USDT": Asset(loan=loan), "ONE": Asset(haircut=d.x, loan=loan), "TWO": Asset(loan=loan)}
    )
    contract = Perpetual("ONE-USDT", "ONE", "USDT", tiers=Tiers.flat(d.m))
    position = Position(contract, d.s * d.q, d.M, d.L)
    pool = Pool("USD", {"USDT": d.w, "ONE": d.q, "TWO": -d.q / 20}, (position,), venue, {"ONE": d.M, "TWO": d.EP})
    debt, counted = d.q / 20 * d.EP, d.q * d.M * (1 - d.x)
    initial = d.q * d.M / d.L + debt / 8
    yield initial, pool.requirement(kind="initial")
    free = d.w + counted - debt - initial
    yield free, pool.available()
    yield min(d.q, free / d.M / (1 - d.x)), pool.withdrawable("ONE")  # a coin takes its counted value along
    yield min(d.w, free), pool.withdrawable("USDT")
    yield 0.0, pool.withdrawable("TWO")
    yield min(d.q, free / d.M / (1 - d.x)), replace(pool, currency="ONE").withdrawable("ONE")
    yield 0.0, replace(pool, collateral={"ONE": d.q}).withdrawable("USDT")
    loss = d.s * 0.01 * d.M  # the price moves against the position; a profit would have to stay
    at = d.M - loss
    free = d.w + d.q * at * (1 - d.x) - debt - d.q * abs(loss) - d.q * at / d.L - debt / 8
    yield free, pool.available(ONE=at)
    yield min(d.q, free / at / (1 - d.x)), pool.withdrawable("ONE", ONE=at)
    at = d.M + loss
    free = d.w + d.q * at * (1 - d.x) - debt - d.q * at / d.L - debt / 8
    yield min(d.w, free), pool.withdrawable("USDT", ONE=at)
    rows = ((0, 0.1), (0.5 * d.q, 0.3))  # with tiers, the coins of the highest one go first
    tiered = replace(venue, assets={**venue.assets, "ONE": Asset(haircut=Tiers(rows, basis="quantity"))})
    pool = replace(pool, venue=tiered, positions=(), collateral={"ONE": d.q, "USDT": -0.3 * d.q * d.M})
    needed = 0.3 * (1 + 1 / 8)  # of the value of all coins; 0.9 of them in the first tier count 0.45
    yield d.q * (1 - needed / 0.9), pool.withdrawable("ONE")
    pool = replace(pool, collateral={"ONE": d.q, "USDT": -0.5 * d.q * d.M})
    kept = 0.5 * (1 + 1 / 8)
    yield d.q * (1 - (0.5 + (kept - 0.45) / 0.7)), pool.withdrawable("ONE")


@formula
def margin_that_puts_it_there_in_many_currencies(d):
    venue = replace(USD, assets={"USD": Asset(loan=Tiers.flat(0.05)), "ONE": Asset(haircut=d.x, loan=Tiers.flat(0.05))})
    at = d.EP * (1 - d.s * 0.2)
    contract = Perpetual("ONE-USDT", "ONE", "USDT", tiers=Tiers.flat(d.m))
    venue = replace(venue, assets={**venue.assets, "USDT": Asset(loan=Tiers.flat(0.05))})
    pool = Pool("USD", {"USD": -d.w, "USDT": -d.w}, (Position(contract, d.s * d.q, d.EP),), venue)
    wanted = d.s * d.q * (d.EP - at) + d.m * d.q * at + 1.05 * d.w
    yield wanted, pool.margin_for(at)
    found = replace(pool, collateral={"USD": wanted, "USDT": -d.w}).liquidation("ONE")
    yield at, (found.below if d.s > 0 else found.above).price


@formula
def parts_of_slack(d):  # each position, balance and debt by itself
    loan = Tiers.flat(0.05)
    venue = replace(USD, fee=d.f, fee_at="price", assets={"*": Asset(haircut=d.x, debt_weight=1.1, loan=loan)})
    contract = Perpetual("ONE-USD", "ONE", "ONE", tiers=Tiers.flat(d.m))
    position = Position(contract, d.s * d.N, d.EP)
    pool = Pool("USD", {"ONE": d.q, "TWO": -d.q / 9}, (position,), venue, {"ONE": d.M, "TWO": d.EP})
    parts = pool.parts()
    yield d.q * d.M * (1 - d.x), parts["ONE held"]
    yield -d.q / 9 * d.EP * (1.1 + 0.05 * (1 + d.f) + d.f), parts["TWO owed"]
    yield d.s * d.N * (d.M / d.EP - 1) - (d.m + d.f) * d.N, parts[position.label]
    yield sum(parts.values()), pool.slack()


@formula
def dydx(d):  # net collateral: USDC, negative for a long, plus size * oracle; the same as spot balances
    tiers = Tiers.flat(d.m)
    raw = d.w - d.s * d.V
    position = Position(Perpetual("ONE-USD", "ONE", "USDC", tiers=tiers), d.s * d.q, d.EP)
    pool = Pool("USDC", {"USDC": raw + d.s * d.V}, (position,), A, {"ONE": d.M})
    yield raw + d.s * d.q * d.M, pool.equity()
    closed = -raw / (d.q * (d.s - d.m))
    yield closed, price(pool)
    if d.s < 0:  # a short is a debt in coins
        spot = Pool("USDC", {"USDC": raw, "ONE": -d.q}, (), lends(d), {"ONE": d.M})
        yield raw - d.q * d.M, spot.equity()
        yield d.q * d.M * d.m, spot.requirement()
        yield closed, spot.liquidation("ONE").above.price


@formula
def drift(d):  # weighted assets less weighted liabilities; 0 is the line
    asset, liability = 1 - d.x, 1 + d.x / 2
    venue = replace(USD, assets={"*": Asset(haircut=d.x, debt_weight=liability), "USDC": Asset()})
    pool = Pool("USD", {"USDC": d.w, "ONE": -d.q / 50}, (), venue, {"ONE": d.M})
    yield d.w - d.q / 50 * d.M * liability, pool.slack()
    yield d.w / (d.q / 50 * liability), pool.liquidation("ONE").above.price
    pool = Pool("USD", {"TWO": d.q, "ONE": -d.q / 2}, (), venue, {"ONE": d.M, "TWO": d.EP})
    yield d.q * d.EP * asset - d.q / 2 * d.M * liability, pool.slack()
    yield 2 * d.EP * asset / liability, pool.liquidation("ONE").above.price
    yield d.M * liability / (2 * asset), pool.liquidation("TWO").below.price
    yield d.q * d.EP - d.q / 2 * d.M, pool.worth()


@formula
def bybit_unified_account(d):  # accountMMR: sum of maintenance / margin balance; liquidated at 100 %
    venue = replace(
        USD, fee=d.f, fee_at="bankruptcy", assets={"USDT": Asset(), "TWO": Asset(haircut=d.x, loan=Tiers.flat(0.04))}
    )
    contract = Perpetual("ONE-USDT", "ONE", "USDT", tiers=Tiers.bracket(d.m, d.c))
    position = Position(contract, d.s * d.q, d.EP, d.L)
    fee = d.q * d.EP * (1 - d.s / d.L) * d.f
    for coins in (d.q / 10, -d.q / 200):
        pool = Pool("USD", {"USDT": d.w, "TWO": coins}, (position,), venue, {"ONE": d.M, "TWO": d.EP})
        balance = d.w + d.s * d.q * (d.M - d.EP) + coins * d.EP * (1 - d.x if coins > 0 else 1)
        maintenance = d.m * d.q * d.M - d.c + fee + 0.04 * max(-coins * d.EP, 0.0)
        yield maintenance / balance, 1 / pool.margin_ratio()
        rest = balance - d.s * d.q * (d.M - d.EP) - (maintenance - d.m * d.q * d.M + d.c) + d.c
        closed = (d.s * d.V - rest) / (d.q * (d.s - d.m))
        if closed > 0.5 * d.EP:
            yield closed, price(pool)


@formula
def coins_under_both_kinds_of_contract(d):  # all of one coin, valued in USD: linear, inverse, coins, a debt
    linear_, inverse_ = (Perpetual(f"ONE-{c}", "ONE", c, tiers=Tiers.flat(d.m)) for c in ("USDT", "ONE"))
    loan = Tiers.flat(0.05)
    venue = replace(USD, assets={"ONE": Asset(haircut=d.x), "USDT": Asset(loan=loan), "TWO": Asset(loan=loan)})
    positions = Position(linear_, d.s * d.q, d.EP), Position(inverse_, d.N / 2, 1.01 * d.EP)
    pool = Pool(
        "USD", {"ONE": d.q / 3, "USDT": -d.w / 4, "TWO": -d.q / 90}, positions, venue, {"ONE": d.M, "TWO": d.EP}
    )
    coins = d.q / 3 * (1 - d.x) + d.N / 2 / (1.01 * d.EP) + d.s * d.q - d.m * d.q  # what grows with the price
    fixed = -d.s * d.V - d.N / 2 - d.m * d.N / 2 - 1.05 * d.w / 4 - 1.05 * d.q / 90 * d.EP
    yield fixed + coins * d.M, pool.slack()
    if -fixed / coins > 0:
        found = pool.liquidation("ONE")
        yield -fixed / coins, (found.below if coins > 0 else found.above).price


@formula
def quote_currency_off_its_peg(d):  # balances, PnL and margins in USDT count at its price in USD
    peg = 1 - 10 * d.f
    venue = replace(USD, assets={"USDT": Asset(loan=Tiers.flat(0.05)), "ONE": Asset(haircut=d.x)})
    position = Position(Perpetual("ONE-USDT", "ONE", "USDT", tiers=Tiers.flat(d.m)), d.s * d.q, d.EP)
    pool = Pool("USD", {"USDT": -d.w, "ONE": d.q / 2}, (position,), venue, {"ONE": d.M, "USDT": peg})
    usdt = -1.05 * d.w + d.s * d.q * (d.M - d.EP) - d.m * d.q * d.M
    yield usdt * peg + d.q / 2 * d.M * (1 - d.x), pool.slack()
    coins = (d.s - d.m) * d.q * peg + d.q / 2 * (1 - d.x)
    closed = (1.05 * d.w + d.s * d.V) * peg / coins
    if closed > 0:
        found = pool.liquidation("ONE")
        yield closed, (found.below if coins > 0 else found.above).price


@formula
def inverse_contracts_in_a_common_move(d):  # with the fee held since entry; one index moves by half as much
    venue = replace(USD, fee=d.f, fee_at="entry", assets={"ONE": Asset(), "TWO": Asset(), "USDT": Asset()})
    inverse_ = Perpetual("ONE-USD", "ONE", "ONE", tiers=Tiers.flat(d.m))
    second, marks = other(d, Tiers.flat(d.m))
    positions = (Position(inverse_, d.N, d.EP), second)
    pool = Pool("USD", {"ONE": d.q / 10, "USDT": d.w}, positions, venue, {"ONE": d.M, **marks})
    coins = d.q / 10 + d.N / d.EP * (1 - d.f)  # what grows with ONE
    value = d.q * marks["TWO"]
    slack = coins * d.M - d.N * (1 + d.m) + d.w + value * (1 - d.m) - d.V * (1 + d.f)
    yield slack, pool.slack()
    move = -slack / (0.5 * coins * d.M + value * (1 - d.m))
    if move > -1:
        yield move, pool.liquidation({"ONE": 0.5, "TWO": 1.0}).below.distance


@formula
def several_prices_at_once(d):  # by one factor, or each by its share of the move
    tiers = Tiers.flat(d.m)
    second, marks = other(d, tiers)
    pool = linear(d, A, d.w, tiers, d.M, more=[second], marks=marks)
    values = {"ONE": (d.s, d.q * d.M), "TWO": (1, d.q * marks["TWO"])}  # (side, notional at the mark)
    equity = d.w + d.s * d.q * (d.M - d.EP) + d.q * (marks["TWO"] - d.EP)
    for shares in ({"ONE": 1.0, "TWO": 1.0}, {"ONE": 1.0, "TWO": 1.5}, {"ONE": -0.5, "TWO": 1.0}):
        slope = sum((side - d.m) * value * shares[coin] for coin, (side, value) in values.items())
        slack = equity - sum(d.m * value for _, value in values.values())
        move, found = -slack / slope, pool.liquidation(shares)
        moved = {coin: pool.marks[coin] * (1 + share * move) for coin, share in shares.items()}
        side = found.below if slope > 0 else found.above
        if min(moved.values()) <= 0:  # one would have to fall by more than it is worth
            yield math.inf, side.distance
        else:
            yield move, side.distance
            yield moved["ONE"], side.prices["ONE"]
            yield moved["TWO"], side.prices["TWO"]
    if d.s > 0:
        yield pool.liquidation(["ONE", "TWO"]).below.distance, pool.liquidation(pool.indices).nearest.distance


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


# ----------------------------------------------------------------------- funding


def clamp(value, lowest, highest):
    return max(lowest, min(highest, value))


@formula
def funding_rates(d):  # each in its venue's way of writing
    p, i, cap = d.other / 4, d.f / 4, d.x / 100
    # BitMEX, BTCMEX (blog.btcmex.com/funding-and-funding-rate/), Gate, Bitget: P + clamp(I - P, 0.05 %, -0.05 %)
    yield p + clamp(i - p, -0.0005, 0.0005), Funding(interest=i).rate(p)
    yield clamp(p + clamp(0.0001 - p, -0.0005, 0.0005), -0.00375, 0.00375), venues.XBTUSD_FUNDING.rate(p)
    # bit.com, article 360051992953; EMX, article 360020204333, in three cases
    dead = venues.BITCOM_FUNDING.rate(p / 2)
    b = p / 2
    yield clamp(max(0.0005, b) + min(-0.0005, b), -0.005, 0.005), dead
    yield clamp(0.0 if abs(b) <= 0.0005 else b - 0.0005 if b > 0 else b + 0.0005, -0.005, 0.005), dead
    # Deribit, article 31424939178397
    yield max(0.00025, p) + min(-0.00025, p), venues.DERIBIT_FUNDING.rate(p)
    # Binance, from 18 September 2025: over (8 / N), N hours; here with a cap
    hours = 1 + 7 * d.x
    bounded = Funding(interval=hours, interest=i, cap=cap)
    yield clamp((p + clamp(i - p, -0.0005, 0.0005)) / (8 / hours), -cap, cap), bounded.rate(p)
    # OKX, okx.com/help/360053909272: clamp(MA(premium - interest), a, b), the interest being taken off
    seen = [p, p + i, 3 * p]
    yield (
        clamp(sum(x - i for x in seen) / 3, -0.00375, 0.00375),
        replace(venues.OKX_FUNDING_2024, interest=-i).rate(float(np.mean(seen))),
    )
    # Kraken, article 360022835911: the premium / 24, at most 0.25 % an hour
    yield clamp(20 * p / 24, -0.0025, 0.0025), venues.KRAKEN_FUNDING.rate(20 * p)
    # dYdX, help.dydx.exchange 3937624: premium and 0.01 % of interest
    yield p + 0.0001, venues.DYDX_V3_FUNDING.rate(p)
    # Hyperliquid: an eighth of it every hour
    yield (p + clamp(0.0001 - p, -0.0005, 0.0005)) / 8, venues.HYPERLIQUID_FUNDING.rate(p)


@formula
def premium_index(d):  # Gate, gate.io/futures/introduction/funding-rate-history; Binance; one price: Kraken, bit.com
    for bid, ask in ((d.M, d.M * (1 + d.f)), (0.98 * d.M, 1.02 * d.M)):
        yield (max(0, bid - d.EP) - max(0, d.EP - ask)) / d.EP, funding.premium(d.EP, bid, ask)
    yield (d.M - d.EP) / d.EP, funding.premium(d.EP, d.M)


@formula
def funding_moves_the_liquidation_price(d):  # that of a pool with so much less in it
    rate = d.s * d.f
    pool = linear(d, A, d.w, Tiers.flat(d.m), d.M)
    due = rate * d.s * d.q * d.M
    yield due, funding.due(pool, rate)
    yield (d.s * d.q * d.EP - d.w + due) / (d.q * (d.s - d.m)) - price(pool), funding.shift(pool, due)[1]
    yield due / (d.q * (d.s - d.m)), funding.shift(pool, due)[0]
    yield d.EP + due / (d.s * d.q), funding.break_even(pool.positions[0], due)
    if pool.slack() > 0:
        yield math.ceil(pool.slack() / due), funding.payments_left(pool, rate)
    pool = inverse(d, A, d.wi, Tiers.flat(d.m), d.M)
    due = rate * d.s * d.N / d.M
    yield due, funding.due(pool, rate)
    moved = d.N * (d.s + d.m) / (d.wi - due + d.s * d.N / d.EP)
    if d.wi - due + d.s * d.N / d.EP > 0 and price(pool):
        yield moved, price(pool) + funding.shift(pool, due)[1]
        yield due * price(pool) ** 2 / (d.N * (d.s + d.m)), funding.shift(pool, due)[0]
    yield 1 / (1 / d.EP - due / (d.s * d.N)), funding.break_even(pool.positions[0], due)


@pytest.mark.parametrize("name", FORMULAS)
def test_closed_form(name):
    rng, pairs = np.random.default_rng(sum(map(ord, name))), []
    for _ in range(200):
        pairs += FORMULAS[name](draw_from(rng))
    assert len(pairs) > 100
    for closed, engine in pairs:
        assert engine == pytest.approx(closed, rel=1e-9)


# ------------------------------- random pools against the general formulation, slice by slice

FLOORS = {"notional": (0, 8_000, 30_000, 60_000), "quantity": (0, 60, 250, 700)}


def slices(schedule, value, coins):
    """A schedule's charge on a value in quote or settlement currency: each slice at its rate, by what floors count."""
    size = value if schedule.basis == "notional" else coins
    tops = [*schedule.floors[1:], math.inf]
    rows = zip(schedule.floors, tops, schedule.rates, strict=True)
    charge = sum(rate * max(0.0, min(size, top) - floor) for floor, top, rate in rows) 
    return charge * (value / size if size else 0.0)


def plain_slack(pool, at):
    """Sum of h * balance * price, debts with their weight and loan, PnL and maintenance, all in quote currency."""
    venue, slack = pool.venue, 0.0
    fee = venue.fee if venue.fee_at == "price" else 0.0
    for coin, amount in pool.collateral.items():
        asset, value = venue.assets[coin], abs(amount) * at[coin]
        if amount > 0:
            slack += value - slices(asset.haircut, value, amount)
        else:
            slack -= asset.debt_weight * value + (1 + fee) * slices(asset.loan, value, -amount) + fee * value
    for p in pool.positions:
        c, s = p.instrument, at[p.instrument.index]
        value = abs(p.quantity) * (c.face / s if c.inverse else c.face * s)
        start = abs(p.quantity) * (c.face / p.entry if c.inverse else c.face * p.entry)
        pnl = math.copysign(1, p.quantity) * (start - value if c.inverse else value - start)
        charge = slices(c.tiers, start if venue.maintenance_at == "entry" else value, abs(p.quantity))
        charge += venue.fee * {"none": 0.0, "price": value, "entry": start}[venue.fee_at]
        slack += (pnl - charge) * at[c.settle]
    return slack


def random_pool(rng):
    """A multi-currency pool of up to five contracts, three coins and USDT off its peg; and a way in which it moves."""

    def tiers(most, unit=1.0, **more):
        basis, rows = str(rng.choice(["notional", "quantity"])), int(rng.integers(1, 5))
        rates = sorted(rng.uniform(0.002, most, rows))
        floors = [floor / (unit if basis == "notional" else 1.0) for floor in FLOORS[basis][:rows]]
        return Tiers(list(zip(floors, rates, strict=True)), basis=basis, **more)

    marks = {"ONE": 100.0, "TWO": 40.0, "SIX": 3.0, "USDT": 0.97}
    assets = {
        coin: Asset(haircut=tiers(0.6), debt_weight=rng.uniform(1, 1.2), loan=tiers(0.2)) for coin in ("ONE", "TWO")
    }
    assets |= {"SIX": Asset(haircut=1.0, loan=tiers(0.2)), "USDT": Asset(haircut=0.01, loan=tiers(0.2))}
    fee_at, at = rng.choice(["none", "price", "entry"]), rng.choice(["price", "price", "entry"])
    venue = replace(USD, fee=0.002, fee_at=str(fee_at), maintenance_at=str(at), assets=assets)
    collateral = {coin: rng.normal() * 30_000 / mark for coin, mark in marks.items() if rng.random() < 0.8}
    shares = {"ONE": 1.0} if rng.random() < 0.5 else {"ONE": rng.uniform(-0.5, 2), "TWO": rng.uniform(0.2, 1)}
    positions = []
    for n in range(rng.integers(1, 6)):
        index, face = str(rng.choice(["ONE", "TWO"])), float(rng.choice([1.0, 0.1]))
        inverse_ = rng.random() < 0.5
        worth = rng.normal() * 40_000 / face / (1 if inverse_ else marks[index])
        growth = rng.choice([0.0, 1e-5]) if inverse_ and len(shares) == 1 else 0.0
        schedule = tiers(0.1, marks[index] if inverse_ else 1.0, growth=growth)
        contract = Perpetual(f"NO{n}", index, index if inverse_ else "USDT", face, schedule)
        positions.append(Position(contract, worth, marks[index] * rng.uniform(0.8, 1.2)))
    pool = Pool("USD", collateral, positions, venue, marks)
    return pool, {name: share for name, share in shares.items() if name in pool.followed}


def test_random_pools_meet_the_general_formulation_where_they_are_said_to():
    rng, crossings = np.random.default_rng(11), 0
    for _ in range(1_500):
        pool, shares = random_pool(rng)
        slack = plain_slack(pool, pool.marks)
        assert pool.slack() == pytest.approx(slack, rel=1e-9, abs=1e-6)
        if slack <= 0 or not shares or max(shares.values()) <= 0:
            continue

        def moved(move, marks=pool.marks, shares=shares):
            return {name: mark * (1 + move * shares.get(name, 0.0)) for name, mark in marks.items()}

        most = max(shares.values())
        lowest, highest = -1 / most, min([40 / most, *(-1 / share for share in shares.values() if share < 0)])
        found = pool.liquidation(shares)
        for side, end in ((found.below, lowest), (found.above, highest)):
            if side.root is not None:
                crossings += 1
                assert side.prices == pytest.approx({name: moved(side.distance)[name] for name in side.prices})
                assert plain_slack(pool, moved(side.distance)) == pytest.approx(0.0, abs=1e-6)
                end = side.distance
            within = (end * k / 40 for k in range(40) if abs(end * k / 40) < 40 / most)
            assert all(plain_slack(pool, moved(move)) > -1e-6 for move in within), (pool, side)
    assert crossings > 250


# ------------------------------------------- funding of random accounts, one by one

HOLDS = {"ONE": 100.0, "TWO": 40.0}  # indices and their marks


def plain_funding(state, rates, periods=1.0):
    """Pays funding at rates by symbol in `state`, a dict of plain numbers; returns what was paid."""
    paid, legs = 0.0, [(leg, rates[leg["symbol"]] * periods) for leg in state["legs"] if leg["symbol"] in rates]
    # receipts first; then cross before isolated, else as they were opened
    for leg, rate in sorted(legs, key=lambda one: (one[0]["q"] * one[1] > 0, "margin" in one[0])):
        symbol = leg["symbol"]
        at = state["own"].get(symbol) if state["valued_at"] == "mark" else None
        at = at or state["marks"][leg["index"]]
        amount = leg["q"] * (leg["face"] / at if leg["inverse"] else leg["face"] * at) * rate
        paid += amount
        if "margin" not in leg:
            state["cross"][leg["settle"]] -= amount
        elif state["charged_to"] == "position":
            leg["margin"] -= amount
        else:
            first = amount if amount < 0 else min(amount, max(0.0, plain_free(state, leg["settle"])))
            state["cross"][leg["settle"]] -= first
            leg["margin"] -= amount - first
    return paid


def plain_value(state, leg):
    """(size of the notional, PnL) of a leg at its mark."""
    at = state["own"].get(leg["symbol"]) or state["marks"][leg["index"]]
    if leg["inverse"]:
        return abs(leg["q"]) * leg["face"] / at, leg["q"] * leg["face"] * (1 / leg["entry"] - 1 / at)
    return abs(leg["q"]) * leg["face"] * at, leg["q"] * leg["face"] * (at - leg["entry"])


def plain_free(state, settle):
    """What is free in a cross pool: its balance, less losses and initial margin; profit does not count."""
    held, used, pnl = state["cross"][settle], 0.0, 0.0
    for leg in state["legs"]:
        if "margin" not in leg and leg["settle"] == settle:
            value, gain = plain_value(state, leg)
            used, pnl = used + max(value / leg["leverage"], 0.01 * value), pnl + gain
    return min(held, held + pnl) - used


def plain_close(state):
    """What is at its line is gone, with its pool's collateral: isolated legs, and all that is in a cross pool."""
    for leg in [leg for leg in state["legs"] if "margin" in leg]:
        value, gain = plain_value(state, leg)
        if leg["margin"] + gain <= 0.01 * value:
            state["legs"].remove(leg)
    for settle in state["cross"]:
        shared = [leg for leg in state["legs"] if "margin" not in leg and leg["settle"] == settle]
        values = [plain_value(state, leg) for leg in shared]
        if shared and state["cross"][settle] + sum(gain for _, gain in values) <= 0.01 * sum(v for v, _ in values):
            state["legs"] = [leg for leg in state["legs"] if leg not in shared]
            state["cross"][settle] = 0.0


def random_account(rng):
    """(account, the same as plain numbers): up to four contracts, linear and inverse, in both modes."""
    rule = Funding(charged_to=str(rng.choice(["position", "account"])), valued_at=str(rng.choice(["mark", "index"])))
    venue = replace(A, tiers={"*": Tiers.flat(0.01)}, funding=rule, hedge_mode=True, both_modes=True)
    state = {"cross": {"USDT": 40_000.0, "ONE": 400.0, "TWO": 1_000.0}, "marks": dict(HOLDS), "own": {}, "legs": []}
    state |= {"charged_to": rule.charged_to, "valued_at": rule.valued_at}
    account = Account(venue, **state["cross"]).mark(**HOLDS)
    for n in range(int(rng.integers(1, 5))):
        index, face, leverage = str(rng.choice(list(HOLDS))), float(rng.choice([1.0, 0.1])), float(rng.uniform(2, 20))
        contract = Perpetual(f"NO{n}", index, index if rng.random() < 0.5 else "USDT", face)
        for side in rng.permutation([1, -1])[: int(rng.integers(1, 3))]:
            size = float(side * rng.uniform(500, 5_000)) / face / (1 if contract.inverse else HOLDS[index])
            leg = {"symbol": contract.symbol, "index": index, "settle": contract.settle, "face": face, "q": size}
            leg |= {"inverse": contract.inverse, "entry": HOLDS[index], "leverage": leverage}
            walled = bool(rng.random() < 0.6)
            if walled:
                leg["margin"] = plain_value(state, leg)[0] / leverage
                state["cross"][contract.settle] -= leg["margin"]
            words = {"leg": "long" if side > 0 else "short", "leverage": leverage, "isolated": walled}
            account = account.trade(contract, size, HOLDS[index], **words)
            state["legs"].append(leg)
    for currency in state["cross"]:  # leave little that is free, so that it may run out
        left, most = rng.uniform(0, 80) / HOLDS.get(currency, 1.0), plain_free(state, currency)
        if rng.random() < 0.85 and most > left:
            state["cross"][currency] -= most - left
            account = account.credit(currency, left - most)
    moved = {index: mark * float(rng.uniform(0.97, 1.03)) for index, mark in HOLDS.items()}
    state["marks"] = moved
    state["own"] = {leg["symbol"]: moved[leg["index"]] * float(rng.uniform(0.99, 1.01)) for leg in state["legs"][::2]}
    return account.mark(**moved, **state["own"]), state


def assert_same(account, state):
    """The same balances in every pool, and the same positions."""
    for currency, amount in state["cross"].items():
        assert account.cross_in(currency).collateral[currency] == pytest.approx(amount, rel=1e-9, abs=1e-7)
    assert sum(len(pool.positions) for pool in account.pools) == len(state["legs"])
    for leg in state["legs"]:
        if "margin" in leg:
            pool = account[leg["symbol"], "isolated", "long" if leg["q"] > 0 else "short"]
            assert pool.collateral[leg["settle"]] == pytest.approx(leg["margin"], rel=1e-9, abs=1e-7)


def test_random_accounts_pay_what_plain_arithmetic_says():
    rng, seen, short, enough = np.random.default_rng(29), set(), 0, 0
    for _ in range(400):
        account, state = random_account(rng)
        assert_same(account, state)
        symbol = str(rng.choice([leg["symbol"] for leg in state["legs"]]))
        rate, periods = float(rng.normal() * 0.05), float(rng.choice([1.0, 0.3, 3.0]))
        kinds = {(leg["inverse"], leg["q"] > 0, "margin" in leg) for leg in state["legs"] if leg["symbol"] == symbol}
        seen |= {(*kind, rate > 0, state["charged_to"], state["valued_at"]) for kind in kinds}
        after, margins = account.pay_funding(symbol, rate, periods), [leg.get("margin") for leg in state["legs"]]
        paid = plain_funding(state, {symbol: rate}, periods)
        moved = [leg.get("margin") != margin for leg, margin in zip(state["legs"], margins, strict=True)]
        if state["charged_to"] == "account":  # how often the account's own was enough, and how often not
            short, enough = short + any(moved), enough + (not any(moved))
        assert_same(after, state)
        events = after.events[len(account.events) :]
        assert all(abs(sum(event.flows.values())) < 1e-9 and event.kind == "funding" for event in events)
        assert sum(event.flows["counterparties"] for event in events) == pytest.approx(paid, rel=1e-9, abs=1e-9)
    assert len(seen) == 2**6 and short > 25 and enough > 25, (short, enough)


def test_random_schedules_are_followed_step_by_step():
    rng, closed, survived = np.random.default_rng(31), 0, 0
    for _ in range(300):
        account, state = random_account(rng)
        symbols, n = sorted({leg["symbol"] for leg in state["legs"]}), 4
        rates = {symbol: rng.normal(size=n) * 0.03 for symbol in symbols}
        prices = {index: state["marks"][index] * np.exp(np.cumsum(rng.normal(size=n) * 0.01)) for index in HOLDS}
        followed = {index: row for index, row in prices.items() if any(leg["index"] == index for leg in state["legs"])}
        for step, after in enumerate(steps(account, rates, followed)):
            state["marks"] |= {index: float(row[step]) for index, row in followed.items()}
            state["own"] = {}  # a mark of the index's takes those of its contracts away
            plain_close(state)
            plain_funding(state, {symbol: float(rates[symbol][step]) for symbol in symbols})
            plain_close(state)
            assert_same(after, state)
        closed, survived = closed + bool(after.liquidations), survived + bool(state["legs"])
    assert closed > 50 and survived > 150, (closed, survived)


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
    "grows with contracts": Tiers(((0, 0.01, 50),), basis="quantity"),
    "grows with coins": Tiers(((0, 0.01, 50),)),
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
