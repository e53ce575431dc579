"""Closed forms as venues print them, in plain Python, against the engine on random positions.

Each function below takes a draw of random inputs, and returns pairs of (closed form, engine). A
venue's own way of writing is kept where it differs from ours; the comments name who uses it.
"""

import math
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
    Withdrawal,
    funding,
    liquidation_price,
    replace,
    steps,
    venues,
)
from tests.published import rules
from tests.published.rules import Growing

A = Venue("maintenance at the price")
B = Venue("maintenance at the entry", maintenance_at="entry")
C = Venue("maintenance at the mark", maintenance_at="mark")
USD = replace(A, name="multi-currency", account_mode="multi-currency")
PAIR = Spot("ONE/USDT")
FORMULAS = {}


def formula(function):
    FORMULAS[function.__name__] = function
    return function


def draw_from(rng):
    """Random inputs: s side, q coins, EP entry, M mark, L leverage, m rate, f fee, and so on."""
    d = SimpleNamespace(s=int(rng.choice([-1, 1])))
    d.q, d.EP = 10 ** rng.uniform(-3, 3), 10 ** rng.uniform(-2, 5)
    d.L, d.m, d.f = rng.uniform(2, 40), rng.uniform(0.002, 0.02), rng.uniform(0.0002, 0.001)
    d.M, d.x = d.EP * rng.uniform(0.99, 1.01), rng.uniform(0.0, 0.3)
    d.V = d.q * d.EP
    d.N = d.V  # the same size, as quote currency of an inverse contract
    d.w, d.wi = d.V / d.L, d.N / d.EP / d.L  # margin: linear, inverse
    d.c, d.ci = 0.3 * d.m * d.V, 0.3 * d.m * d.N / d.EP  # maintenance amount
    d.other = rng.uniform(-0.005, 0.005)  # another position's PnL, as a share of V
    return d


def contract(tiers, index="ONE", settle="USDT"):
    """A contract with a schedule, or one rate."""
    tiers = Tiers.flat(tiers) if isinstance(tiers, float) else tiers
    return Perpetual(f"{index}-{settle}", index, settle, tiers=tiers)


def linear(d, venue, wallet, tiers, mark=None, leverage=None, more=(), marks=()):
    """A pool with one linear position, and more."""
    p = Position(contract(tiers), d.s * d.q, d.EP, leverage)
    return Pool("USDT", {"USDT": wallet}, (p, *more), venue, {"ONE": mark or d.EP, **dict(marks)})


def inverse(d, venue, wallet, tiers, mark=None, leverage=None):
    """A pool with one inverse position."""
    p = Position(contract(tiers, settle="ONE"), d.s * d.N, d.EP, leverage)
    return Pool("ONE", {"ONE": wallet}, (p,), venue, {"ONE": mark or d.EP})


def usd(assets, collateral, positions=(), marks=None, **rules):
    """A pool of a multi-currency account."""
    return Pool("USD", collateral, positions, replace(USD, assets=assets, **rules), marks or {})


def on_losing_side(d, found):
    """The price of a long's crossing below, or a short's above; or None."""
    return (found.below if d.s > 0 else found.above).price


def price(pool, kind="liquidation"):
    """The crossing on the losing side of the first position, or None."""
    return on_losing_side(SimpleNamespace(s=pool.positions[0].side), getattr(pool, kind)("ONE"))


def other(d, tiers, settle="USDT"):
    """Another linear position, on another index, and its mark."""
    return Position(contract(tiers, "TWO", settle), d.q, d.EP), {"TWO": d.EP * (1 + d.other)}


def paying(d, venue=A, at="price"):
    """A venue with its closing fee in the requirement."""
    return replace(venue, fee=d.f, fee_at=at)


def loan(mmr, **about):
    """A currency that is lent."""
    return Asset(loan=Tiers.flat(mmr), **about)


# ------------------------- convention A: maintenance on the notional at the price


@formula
def linear_at_price(d):  # Binance, Hyperliquid, Lighter, BloFin, EdgeX, dYdX
    pool = linear(d, A, d.w, Tiers.bracket(d.m, d.c))
    yield (d.s * d.q * d.EP - d.w - d.c) / (d.q * (d.s - d.m)), price(pool)
    pool = replace(pool, venue=paying(d))  # OKX, Gate, BloFin, Phemex cross
    yield (d.s * d.q * d.EP - d.w - d.c) / (d.q * (d.s - d.m - d.f)), price(pool)
    yield d.w / (d.V * (d.m + d.f) - d.c), pool.margin_ratio()  # OKX publishes it
    yield 7 * (d.V * (d.m + d.f) - d.c), pool.margin_for(ratio=7)


@formula
def inverse_at_price(d):  # Binance COIN-M, OKX (without its tick), Kraken, Bybit since May 2026
    pool = inverse(d, A, d.wi, Tiers.bracket(d.m, d.ci))
    yield d.N * (d.s + d.m) / (d.wi + d.ci + d.s * d.N / d.EP), price(pool)
    pool = replace(pool, venue=paying(d))
    yield d.N * (d.s + d.m + d.f) / (d.wi + d.ci + d.s * d.N / d.EP), price(pool)


@formula
def binance_usdm(d):  # the FAQ's whole formula: both modes of one symbol (B; L, S), and others
    cum, rates = (d.c, d.c / 2, d.c / 3), (d.m, 1.5 * d.m, 0.7 * d.m)
    side, q_b, q_l, q_s = d.s, d.q, 2 * d.q, d.q / 2
    ep_b, ep_l, ep_s = entries = d.EP, 0.99 * d.EP, 1.01 * d.EP
    legs = [
        Position(contract(Tiers.bracket(rate, amount)), size, entry)
        for rate, amount, size, entry in zip(rates, cum, (side * q_b, q_l, -q_s), entries, strict=True)
    ]
    second, marks = other(d, d.m)
    upnl, tmm = d.q * (marks["TWO"] - d.EP), d.m * d.q * marks["TWO"]
    pool = Pool("USDT", {"USDT": d.w}, (*legs, second), A, {"ONE": d.EP, **marks})
    top = d.w - tmm + upnl + sum(cum) - side * q_b * ep_b - q_l * ep_l + q_s * ep_s
    closed = top / (q_b * rates[0] + q_l * rates[1] + q_s * rates[2] - side * q_b - q_l + q_s)
    if 0.6 * d.EP < closed < d.EP:  # where all three are above the brackets' floors
        yield closed, pool.liquidation("ONE").below.price
    pool = replace(pool, positions=(legs[0], second))  # in one-way mode
    if (found := price(pool)) and found > 0.4 * d.EP:
        top = d.w - tmm + upnl + d.c - side * q_b * ep_b
        yield top / (q_b * d.m - side * q_b), found


@formula
def binance_hedge_mode(d):  # long and short of one symbol share one price; opened one by one
    held = contract(Tiers.bracket(d.m, d.c))
    account = Account(replace(A, hedge_mode=True), USDT=d.w + 3 * d.m * d.V)
    account = account.trade(held, 2 * d.q, d.EP, leg="long")
    account = account.trade(held, -d.q, 1.01 * d.EP, leg="short")
    top = d.w + 3 * d.m * d.V + 2 * d.c - 2 * d.q * d.EP + d.q * 1.01 * d.EP
    closed = top / (2 * d.q * d.m + d.q * d.m - 2 * d.q + d.q)
    if closed > 0.6 * d.EP:
        yield closed, account[held, "long"].liquidation("ONE").below.price
        yield closed, account[held, "short"].liquidation("ONE").below.price


@formula
def tier_at_the_price(d):  # redo with the bracket at P until it holds: here, between all boundaries
    rows = [(0, d.m), (0.3 * d.V, 0.05), (0.6 * d.V, 0.1), (0.8 * d.V, 0.25), (1.2 * d.V, 0.4)]
    sizes = [d.s * d.q, d.s * 0.7 * d.q, -d.s * 0.4 * d.q]

    def slack(at):
        charges = [slices(Tiers(rows), abs(size) * at, None) for size in sizes]
        return 0.5 * d.V + sum(sizes) * (at - d.EP) - sum(charges)

    positions = [  # in contracts of a hundredth of a coin
        Position(Perpetual(f"NO{n}", "ONE", "USDT", 0.01, Tiers(rows)), 100 * q, d.EP) for n, q in enumerate(sizes)
    ]
    found = Pool("USDT", {"USDT": 0.5 * d.V}, positions, A, {"ONE": d.EP}).liquidation()
    floors = {floor / abs(size) for floor, _ in rows[1:] for size in sizes}
    for left, right in pairwise(sorted({1e-9 * d.EP, d.EP, 9 * d.EP, *floors})):
        low, high = slack(left), slack(right)
        if low * high < 0:
            side = found.below if low < 0 else found.above
            yield left - low * (right - left) / (high - low), side.price


@formula
def hyperliquid(d):  # price - side * margin_available / size / (1 - l * side), l = 1 / (2 * most)
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
def htx(d):  # equity / (notional / L) - adj = 0: the maintenance rate falls with L
    adj = 10 * d.m
    pool = linear(d, A, d.w, rules.htx(adj, d.L), d.M, d.L)
    yield (d.s * d.V - d.w) / (d.q * (d.s - adj / d.L)), price(pool)
    risk_rate = (d.w + d.s * d.q * (d.M - d.EP)) / (d.q * d.M / d.L) - adj
    yield risk_rate, adj * (pool.margin_ratio() - 1)
    pool = inverse(d, A, d.wi, rules.htx(adj, d.L), d.M, d.L)
    yield d.N * (d.s + adj / d.L) / (d.wi + d.s * d.N / d.EP), price(pool)


@formula
def deribit_linear(d):  # initial (base + slope * q) * q * index; maintenance with half the base
    slope = 0.01 / d.q
    pool = linear(d, A, d.w, Growing(d.m, slope, 1 / (2 * d.m)), d.M)
    yield (2 * d.m + slope * d.q) * d.q * d.M, pool.requirement(kind="initial")
    yield (d.m + slope * d.q) * d.q * d.M, pool.requirement()
    yield (d.s * d.V - d.w) / (d.q * (d.s - d.m - slope * d.q)), price(pool)


@formula
def deribit_inverse(d):  # the rate grows with the coins, N/P: a quadratic in N/P
    slope = 0.01 / (d.N / d.EP)
    pool = inverse(d, A, d.wi, Growing(d.m, slope, 1 / d.m, "notional"), d.M)
    goal = d.N / d.EP + d.s * d.wi  # V + s * (m * V + slope * V**2) = goal
    root = math.sqrt((1 + d.s * d.m) ** 2 + 4 * d.s * slope * goal)
    yield d.N / ((root - 1 - d.s * d.m) / (2 * d.s * slope)), price(pool)


@formula
def kraken_by_contracts(
    d,
):  # floors count contracts of 1 USD: the tier does not move with the price
    rates = [row[1] for row in venues.KRAKEN.tiers["PI_XBTUSD"].rows]
    d.N = 2_500_000.0  # tier 3
    d.wi = d.N / d.EP / d.L
    p = Position(Perpetual("PI_XBTUSD", "ONE", "ONE"), d.N, d.EP)
    pool = Pool("ONE", {"ONE": d.wi}, (p,), venues.KRAKEN, {"ONE": d.EP})
    rate = (500_000 * rates[0] + 500_000 * rates[1] + 1_500_000 * rates[2]) / d.N
    yield d.N / d.EP * 0.06, pool.requirement(kind="initial")  # twice the tier's 3 %
    if d.L * rate < 0.9:
        yield d.N * (1 + rate) / (d.wi + d.N / d.EP), price(pool)


# -------------------------------- convention B: maintenance frozen at the entry


@formula
def linear_at_entry(d):  # Bybit classic and USDT page, KuCoin, Delta, MEXC, MCS, Phemex isolated
    extra = d.x * d.w
    pool = linear(d, B, d.w + extra, d.m)
    yield d.EP * (1 - d.s * (1 / d.L - d.m)) - d.s * extra / d.q, price(pool)
    yield (d.w - d.m * d.V + extra) / d.q, d.s * (d.EP - price(pool))  # KuCoin's way
    pool = linear(d, B, d.w, Tiers.bracket(d.m, d.c))
    yield d.EP - d.s * (d.w - (d.m * d.V - d.c)) / d.q, price(pool)  # with a risk-limit deduction


@formula
def inverse_at_entry(d):  # Bybit classic, MCS, BitMEX without its rounding, Phemex isolated
    pool = inverse(d, B, d.wi, d.m)
    yield d.EP * d.L / (d.L + d.s * (1 - d.m * d.L)), price(pool)
    extra = d.x * d.wi
    closed = d.N / (d.N / d.EP + d.s * (d.wi + extra - d.m * d.N / d.EP))
    yield closed, price(pool.adding(extra))


@formula
def linear_at_entry_in_cross(d):  # Bybit classic cross, MoonXBT: EP - s * (available + IM - MM) / q
    available = d.x * d.w
    pool = linear(d, B, available + d.w, d.m, leverage=d.L)
    yield available, float(pool.available())
    yield available + d.V / d.L - d.m * d.V, pool.slack()
    yield d.EP - d.s * (available + d.V / d.L - d.m * d.V) / d.q, price(pool)


# ------------------------------ convention C: maintenance frozen at the mark


@formula
def at_the_mark(d):  # Bitget cross: P = M - s * (E - MM(M)) / q
    pool = linear(d, C, d.w, Tiers.bracket(d.m, d.c), d.M)
    equity = d.w + d.s * d.q * (d.M - d.EP)
    yield d.M - d.s * (equity - (d.m * d.q * d.M - d.c)) / d.q, price(pool)
    pool = linear(d, paying(d, C), d.w, d.m, d.M)
    yield d.M - d.s * (equity - (d.m + d.f) * d.q * d.M) / d.q, price(pool)


# ----------------------------------------- the closing fee at the bankruptcy price


@formula
def bybit_unified(d):  # IM = V/L + q * bust * taker, MM = V * mmr + q * bust * taker
    pool = linear(d, paying(d, at="bankruptcy"), d.w, d.m, d.M, d.L)
    fee = d.q * d.EP * (1 - d.s / d.L) * d.f
    yield d.q * d.M / d.L + fee, pool.requirement(kind="initial")
    yield d.q * d.M * d.m + fee, pool.requirement()
    holding = pool.adding(fee)  # the balance holds the fee, so that it cancels
    yield (d.s * d.V - d.w) / (d.q * (d.s - d.m)), price(holding)
    yield (d.s * d.V - d.w + fee) / (d.q * (d.s - d.m)), price(pool)


@formula
def bybit_inverse_cross(d):  # N * (1/EP - 1/P) = -(balance - N/EP * mmr - N * fee / bust), a long
    d.s = 1
    pool = inverse(d, paying(d, B, "bankruptcy"), d.wi, d.m)
    bust = d.N / (d.wi + d.N / d.EP)  # by the whole balance
    room = d.wi - d.N / d.EP * d.m - d.N * d.f / bust
    yield bust, price(pool, "bankruptcy")
    yield 1 / (1 / d.EP + room / d.N), price(pool)


# ---------------------------- spot margin: a debt is a negative balance, and so is a short


@formula
def okx_isolated_spot_margin(d):  # a long: liability * (1 + mmr) * (1 + taker) / asset
    venue = paying(d, replace(A, assets={"*": loan(d.m)}))
    how = {"isolated": True, "leverage": d.L}
    long = Account(venue, ONE=d.q).trade(PAIR, d.q, d.EP, borrow="USDT", **how)[PAIR]
    asset, liability = d.q * (1 + 1 / d.L), d.q * d.EP
    yield liability * (1 + d.m) * (1 + d.f) / asset, long.liquidation("ONE").below.price
    yield liability / asset, long.bankruptcy("ONE").below.price
    short = Account(venue, USDT=d.V).trade(PAIR, -d.q, d.EP, borrow="ONE", **how)[PAIR]
    asset, liability = d.q * d.EP * (1 + 1 / d.L), d.q  # a short: the other way round
    yield asset / (liability * (1 + d.m) * (1 + d.f)), short.liquidation("ONE").above.price
    yield asset / liability, short.bankruptcy("ONE").above.price


@formula
def margin_level(d):  # assets / debts = 1.1 (Binance cross), 1.05 (MEXC)
    owed, marks = (1 - 1 / d.L) * d.V, {"ONE": d.EP}
    for level in (1.1, 1.05):
        venue = replace(A, assets={"*": loan(level - 1)})
        long = Pool("ONE", {"ONE": d.q, "USDT": -owed}, (), venue, marks)
        yield level * owed / d.q, long.liquidation("ONE").below.price
        short = Pool("USDT", {"USDT": d.V + d.w, "ONE": -d.q}, (), venue, marks)
        yield (d.V + d.w) / (level * d.q), short.liquidation().above.price
        yield (d.V + d.w) / d.V, 1 + short.margin_ratio() * (level - 1)
    weighted = loan(1 / 0.97 - 1, haircut=d.x)  # KuCoin: debts / counted assets = 0.97
    assets = {"*": weighted, "USDT": replace(weighted, haircut=0.0)}
    pool = usd(assets, {"ONE": d.q, "USDT": -owed}, (), {"ONE": 2 * d.EP})
    yield owed / (0.97 * d.q * (1 - d.x)), pool.liquidation("ONE").below.price


@formula
def health_factor(d):  # Aave, Compound, INIT: collateral * threshold / (debt * borrow factor) = 1
    assets = {"ONE": Asset(haircut=d.x), "USDT": loan(0.0, debt_weight=1 + d.f)}
    debt = 0.5 * d.V
    pool = usd(assets, {"ONE": d.q, "USDT": -debt}, (), {"ONE": d.M})
    yield debt * (1 + d.f) / (d.q * (1 - d.x)), pool.liquidation("ONE").below.price
    factor = d.q * d.M * (1 - d.x) / (debt * (1 + d.f))
    yield factor, 1 + pool.slack() / (debt * (1 + d.f))


@formula
def interest(d):  # Binance: by the hour of a day; Kraken: opening and four hours; OKX: of a year
    owed, hours, rate = d.V, 100 * d.x + 0.5, d.m / 10
    yield owed * rate * math.ceil(hours) / 24, Interest().due(owed, rate, hours)
    kraken = venues.KRAKEN_SPOT.interest
    charged = kraken.at_once(owed, rate) + kraken.due(owed, rate, hours)
    yield owed * rate * (1 + math.ceil(hours / 4)), charged
    yield owed * rate * math.ceil(hours) / 8_760, venues.OKX.interest.due(owed, rate, hours)
    rule = Interest(per=24, every=8, opening=2)
    charged = rule.at_once(owed, rate) + rule.due(owed, rate, hours)
    yield owed * rate / 3 * (2 + math.ceil(hours / 8)), charged
    how = {"isolated": True, "leverage": d.L, "borrow": "ONE"}
    for rule in (Interest(), Interest(per=8_760)):
        venue = replace(A, assets={"*": loan(d.m, rate=rate)}, interest=rule)
        short = Account(venue, USDT=d.V).trade(PAIR, -d.q, d.EP, **how)
        grown = d.q * (1 + rate * math.ceil(hours) / rule.per)
        yield grown, -short.accrue(hours)[PAIR].collateral["ONE"]
        twice = short.accrue(1).accrue(1)[PAIR]  # it is added to the debt, and moves the price
        grown = d.q * (1 + rate / rule.per) ** 2
        yield grown, -twice.collateral["ONE"]
        yield d.V * (1 + 1 / d.L) / (grown * (1 + d.m)), twice.liquidation("ONE").above.price


# --------------------------- many currencies in one pool: haircuts, weights, loans


@formula
def kraken_margin_equity(d):  # sum of balance * price * (1 - haircut), plus PnL
    assets = {"USD": Asset(), "ONE": Asset(haircut=d.x), "TWO": Asset(haircut=d.x / 2)}
    second, marks = other(d, d.m, "USD")
    positions = (Position(contract(d.m, settle="USD"), d.s * d.q, d.EP), second)
    held, two = {"USD": d.w, "ONE": d.q / 8, "TWO": d.q / 4}, marks["TWO"]
    pool = usd(assets, held, positions, {"ONE": d.M, **marks})
    pnl = d.s * d.q * (d.M - d.EP) + d.q * (two - d.EP)
    others = d.w + d.q / 4 * two * (1 - d.x / 2)
    yield others + d.q / 8 * d.M * (1 - d.x) + pnl, pool.equity()
    yield d.w + d.q / 4 * two + d.q / 8 * d.M + pnl, pool.worth()
    free = others + d.q * (two - d.EP) - d.m * d.q * two
    closed = (d.s * d.V - free) / (d.s * d.q - d.m * d.q + d.q / 8 * (1 - d.x))
    if closed > 0:
        yield closed, on_losing_side(d, pool.liquidation("ONE"))


@formula
def binance_portfolio_margin(d):  # sum of min(net * price * rate, net * price) / sum of maintenance
    coin = loan(0.1, haircut=d.x)
    position = Position(contract(Tiers.bracket(d.m, d.c)), d.s * d.q, d.EP)
    net, prices = {"ONE": d.q / 3, "TWO": -d.q / 5}, {"ONE": d.M, "TWO": d.EP}
    assets = {"USDT": Asset(), "ONE": coin, "TWO": coin}
    pool = usd(assets, {"USDT": d.w, **net}, (position,), prices)
    equity = d.w + d.s * d.q * (d.M - d.EP)
    for name, amount in net.items():
        equity += min(amount * prices[name] * (1 - d.x), amount * prices[name])
    maintenance = d.m * d.q * d.M - d.c + d.q / 5 * d.EP * 0.1
    yield maintenance, pool.requirement()
    yield equity / maintenance, pool.margin_ratio()


@formula
def binance_multi_assets(d):  # sum of min(equity * bid, equity * ask): index less or plus a buffer
    index, bid, ask = 1 - d.f, 1 - d.x / 10, 1 + d.x / 20
    assets = {"USDT": Asset(haircut=1 - bid, debt_weight=ask), "USDC": Asset(debt_weight=ask)}
    pool = usd(assets, {"USDT": d.w, "USDC": -d.w / 3}, (), {"USDT": index})
    yield d.w * index * bid - d.w / 3 * ask, pool.equity()
    turned = replace(pool, collateral={"USDT": -d.w, "USDC": d.w / 3})
    yield -d.w * index * ask + d.w / 3, turned.equity()


@formula
def what_is_free_in_many_currencies(d):  # equity less the greater of both margins; OKX, Bybit
    eighth = Asset(loan=Tiers.flat(0.05, leverage=8))
    assets = {"USDT": eighth, "ONE": replace(eighth, haircut=d.x), "TWO": eighth}
    position = Position(contract(d.m), d.s * d.q, d.M, d.L)
    held = {"USDT": d.w, "ONE": d.q, "TWO": -d.q / 20}
    pool = usd(assets, held, (position,), {"ONE": d.M, "TWO": d.EP})
    debt, counted = d.q / 20 * d.EP, d.q * d.M * (1 - d.x)
    initial = d.q * d.M / d.L + debt / 8
    yield initial, pool.requirement(kind="initial")
    free = d.w + counted - debt - initial
    yield free, pool.available()
    yield min(d.q, free / d.M / (1 - d.x)), pool.withdrawable("ONE")  # with its counted value
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
    assets["ONE"] = replace(eighth, haircut=Tiers(rows, basis="quantity"))
    pool = usd(assets, {"ONE": d.q, "USDT": -0.3 * d.q * d.M}, (), {"ONE": d.M})
    needed = 0.3 * (1 + 1 / 8)  # of the value of all; 0.9 of those in the first tier count 0.45
    yield d.q * (1 - needed / 0.9), pool.withdrawable("ONE")
    pool = replace(pool, collateral={"ONE": d.q, "USDT": -0.5 * d.q * d.M})
    kept = 0.5 * (1 + 1 / 8)
    yield d.q * (1 - (0.5 + (kept - 0.45) / 0.7)), pool.withdrawable("ONE")


@formula
def parts_of_slack(d):  # each position, balance and debt by itself
    assets = {"*": loan(0.05, haircut=d.x, debt_weight=1.1)}
    position = Position(contract(d.m, settle="ONE"), d.s * d.N, d.EP)
    held, marks = {"ONE": d.q, "TWO": -d.q / 9}, {"ONE": d.M, "TWO": d.EP}
    pool = usd(assets, held, (position,), marks, fee=d.f, fee_at="price", unrealised="beside")
    parts = pool.parts()
    yield d.q * d.M * (1 - d.x), parts["ONE held"]
    yield -d.q / 9 * d.EP * (1.1 + 0.05 * (1 + d.f) + d.f), parts["TWO owed"]
    yield d.s * d.N * (d.M / d.EP - 1) - (d.m + d.f) * d.N, parts[position.label]
    yield sum(parts.values()), pool.slack()
    pool = usd(assets, held, (position,), marks, fee=d.f, fee_at="price")  # PnL joins the coins
    coins = d.q + d.s * d.N * (1 / d.EP - 1 / d.M)
    weight = 1 - d.x if coins > 0 else 1.1 + 0.05 * (1 + d.f) + d.f
    yield coins * d.M * weight, pool.parts()["ONE with its PnL"]
    yield -(d.m + d.f) * d.N, pool.parts()[position.label]
    yield sum(pool.parts().values()), pool.slack()


@formula
def dydx(d):  # net collateral: USDC, negative for a long, plus size * oracle; the same as balances
    raw, marks = d.w - d.s * d.V, {"ONE": d.M}
    position = Position(contract(d.m, settle="USDC"), d.s * d.q, d.EP)
    pool = Pool("USDC", {"USDC": raw + d.s * d.V}, (position,), A, marks)
    yield raw + d.s * d.q * d.M, pool.equity()
    closed = -raw / (d.q * (d.s - d.m))
    yield closed, price(pool)
    if d.s < 0:  # a short is a debt in coins
        venue = replace(A, assets={"*": loan(d.m)})
        spot = Pool("USDC", {"USDC": raw, "ONE": -d.q}, (), venue, marks)
        yield raw - d.q * d.M, spot.equity()
        yield d.q * d.M * d.m, spot.requirement()
        yield closed, spot.liquidation("ONE").above.price


@formula
def drift(d):  # weighted assets less weighted liabilities; 0 is the line
    asset, liability, marks = 1 - d.x, 1 + d.x / 2, {"ONE": d.M, "TWO": d.EP}
    assets = {"*": Asset(haircut=d.x, debt_weight=liability), "USDC": Asset()}
    pool = usd(assets, {"USDC": d.w, "ONE": -d.q / 50}, (), marks)
    yield d.w - d.q / 50 * d.M * liability, pool.slack()
    yield d.w / (d.q / 50 * liability), pool.liquidation("ONE").above.price
    pool = usd(assets, {"TWO": d.q, "ONE": -d.q / 2}, (), marks)
    yield d.q * d.EP * asset - d.q / 2 * d.M * liability, pool.slack()
    yield 2 * d.EP * asset / liability, pool.liquidation("ONE").above.price
    yield d.M * liability / (2 * asset), pool.liquidation("TWO").below.price
    yield d.q * d.EP - d.q / 2 * d.M, pool.worth()


@formula
def bybit_unified_account(d):  # accountMMR: sum of maintenance / margin balance; over at 100 %
    assets = {"USDT": Asset(), "TWO": loan(0.04, haircut=d.x)}
    position = Position(contract(Tiers.bracket(d.m, d.c)), d.s * d.q, d.EP, d.L)
    fee, marks = d.q * d.EP * (1 - d.s / d.L) * d.f, {"ONE": d.M, "TWO": d.EP}
    for coins in (d.q / 10, -d.q / 200):
        held = {"USDT": d.w, "TWO": coins}
        pool = usd(assets, held, (position,), marks, fee=d.f, fee_at="bankruptcy")
        fixed = d.w + coins * d.EP * (1 - d.x if coins > 0 else 1)
        charged = fee - d.c + 0.04 * max(-coins * d.EP, 0.0)
        balance = fixed + d.s * d.q * (d.M - d.EP)
        yield (charged + d.m * d.q * d.M) / balance, 1 / pool.margin_ratio()
        closed = (d.s * d.V - fixed + charged) / (d.q * (d.s - d.m))
        if closed > 0.5 * d.EP:
            yield closed, price(pool)


@formula
def inverse_contracts_in_a_common_move(d):  # with the fee held since entry; one moves half as much
    second, marks = other(d, d.m)
    assets = {"ONE": Asset(), "TWO": Asset(), "USDT": Asset()}
    positions = (Position(contract(d.m, settle="ONE"), d.N, d.EP), second)
    held, marks = {"ONE": d.q / 10, "USDT": d.w}, {"ONE": d.M, **marks}
    pool = usd(assets, held, positions, marks, fee=d.f, fee_at="entry")
    coins = d.q / 10 + d.N / d.EP * (1 - d.f)  # what grows with ONE
    value = d.q * marks["TWO"]
    slack = coins * d.M - d.N * (1 + d.m) + d.w + value * (1 - d.m) - d.V * (1 + d.f)
    yield slack, pool.slack()
    move = -slack / (0.5 * coins * d.M + value * (1 - d.m))
    if move > -1:
        yield move, pool.liquidation({"ONE": 0.5, "TWO": 1.0}).below.distance


@formula
def several_prices_at_once(d):  # by one factor, or each by its share of the move
    second, marks = other(d, d.m)
    pool = linear(d, A, d.w, d.m, d.M, more=[second], marks=marks)
    values = {"ONE": (d.s, d.q * d.M), "TWO": (1, d.q * marks["TWO"])}  # (side, notional)
    equity = d.w + d.s * d.q * (d.M - d.EP) + d.q * (marks["TWO"] - d.EP)
    slack = equity - sum(d.m * value for _, value in values.values())
    for one, two in ((1.0, 1.0), (1.0, 1.5), (-0.5, 1.0)):
        shares = {"ONE": one, "TWO": two}
        slope = sum((side - d.m) * value * shares[c] for c, (side, value) in values.items())
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
        found = pool.liquidation(["ONE", "TWO"]).below.distance
        yield found, pool.liquidation(pool.indices).nearest.distance


# ------------------------------------------------ bankruptcy, margins, PnL, entry


@formula
def bankruptcy(d):  # requirement left out: KuCoin, Bybit, BitMEX; or with taker
    pool = linear(d, A, d.w, d.m, leverage=d.L)
    yield d.EP * (1 - d.s / d.L), price(pool, "bankruptcy")
    paid = pool.bankruptcy("ONE", fee=d.f)  # the fee of closing is paid out of the margin, too
    yield (d.s * d.V - d.w) / (d.q * (d.s - d.f)), on_losing_side(d, paid)
    yield (d.s * d.V - d.w) / (d.q * (d.s - d.f)), price(linear(d, paying(d), d.w, 0.0))
    pool = inverse(d, A, d.wi, d.m, leverage=d.L)
    yield d.EP * d.L / (d.L + d.s), price(pool, "bankruptcy")
    paid = pool.bankruptcy("ONE", fee=d.f)
    yield d.N * (d.s + d.f) / (d.wi + d.s * d.N / d.EP), on_losing_side(d, paid)
    pool = linear(d, paying(d), d.w, d.m)  # KuCoin cross: liq * (1 - s * mmr - s * taker)
    yield price(pool) * (1 - d.s * (d.m + d.f)), price(pool, "bankruptcy")


@formula
def pnl_and_margins(d):
    pool = linear(d, A, d.w, d.m, d.M, d.L)
    yield d.w + d.s * d.q * (d.M - d.EP), pool.equity()
    yield d.q * d.M / d.L, pool.requirement(kind="initial")
    pool = inverse(d, A, d.wi, d.m, d.M, d.L)
    yield d.wi + d.s * d.N * (1 / d.EP - 1 / d.M), pool.equity()
    yield d.N / d.M / d.L, pool.requirement(kind="initial")


@formula
def removable_margin(d):  # Binance, isolated; Roxom, Orderly; Hyperliquid: how much may be taken out
    mark, wallet = d.EP * (1 + d.s * (d.x - 0.1)), d.w * (1 + d.x)
    upnl, value = d.s * d.q * (mark - d.EP), d.q * mark
    position = Position(contract(d.m), d.s * d.q, d.EP, d.L)

    def free(venue):
        walled = Account.of(venue, {}, [(position, wallet)], {"ONE": mark})[position.instrument]
        shared = Account.of(venue, {"USDT": wallet}, [position], {"ONE": mark}).cross
        return max(0.0, walled.withdrawable()), max(0.0, shared.withdrawable())

    free_collateral = wallet + upnl - max(value / d.L, d.m * value)
    orderly = max(0.0, free_collateral - max(upnl, 0.0))
    walled, shared = free(replace(A, isolated_withdrawal=Withdrawal("maintenance")))
    yield max(0.0, min(wallet - d.m * value, wallet + upnl - value / d.L)), walled
    yield orderly, shared
    for kept in ("initial", "profit"):
        left = orderly if kept == "initial" else max(0.0, free_collateral)
        for found in free(replace(A, withdrawal=Withdrawal(kept))):
            yield left, found
    tenth = max(0.0, wallet + upnl - max(value / d.L, d.m * value, value / 10))
    yield tenth, free(replace(A, withdrawal=Withdrawal("profit", 0.1)))[0]
    yield 0.0, free(replace(A, withdrawal=Withdrawal("all")))[0]


@formula
def margin_that_is_added(d):  # Bybit, MEXC: what a position gains, it shares among all its coins
    position, more, extra = Position(contract(d.m), d.s * d.q, d.EP, d.L), d.x * d.q, d.x * d.w
    for venue in (B, paying(d, B)):
        fee = venue.fee if venue.fee_at == "price" else 0.0
        account = Account.of(venue, {"USDT": d.V}, [(position, d.w)])
        before = price(account[position.instrument])
        account = account.transfer(extra, "USDT", to=position.instrument)
        yield before - d.s * extra / (d.q * (1 - d.s * fee)), price(account[position.instrument])
        account = account.trade(position.instrument, d.s * more, d.EP)
        grown = d.q + more
        yield before - d.s * extra / (grown * (1 - d.s * fee)), price(account[position.instrument])


@formula
def fees_of_both_fills(d):  # OKX: realised PnL is PnL and both fees; its ratio is over q * EP / L
    leave, size = d.EP * (1 + d.s * d.x), d.s * d.q
    account = Account(replace(A, trading_fee=d.f), USDT=2 * d.V)
    account = account.trade(contract(d.m), size, d.EP, isolated=True, leverage=d.L)
    yield 2 * d.V - d.w - d.f * d.V, account.cross.collateral["USDT"]
    account = account.trade(contract(d.m), -size, leave)
    realised = size * (leave - d.EP) - d.f * d.q * (d.EP + leave)
    yield 2 * d.V + realised, account.balances()["USDT"]


@formula
def average_entry(d):  # by coins; inverse by quote currency: harmonic
    one, two = contract(d.m), contract(d.m, settle="ONE")
    rich = Account(A, USDT=10 * d.V, ONE=10 * d.q).mark(ONE=d.EP)
    after = rich.trade(one, d.s * d.q, d.EP).trade(one, d.s * d.q / 2, d.M)
    yield (d.EP + d.M / 2) / 1.5, after[one].positions[0].entry
    after = rich.trade(two, d.s * d.N, d.EP).trade(two, d.s * d.N / 2, d.M)
    yield 1.5 / (1 / d.EP + 0.5 / d.M), after[two].positions[0].entry


@formula
def margin_that_puts_it_there(d):  # the inverse question
    at = d.EP * (1 - d.s / d.L)
    needed = d.s * d.q * (d.EP - at) + d.m * d.q * at
    yield needed - d.c, linear(d, A, 0.0, Tiers.bracket(d.m, d.c)).margin_for(at)
    found = inverse(d, B, 0.0, d.m).margin_for(at)
    yield d.s * d.N * (1 / at - 1 / d.EP) + d.m * d.N / d.EP, found
    assets = {name: loan(0.05) for name in ("USD", "USDT")} | {"ONE": loan(0.05, haircut=d.x)}
    position, owed = Position(contract(d.m), d.s * d.q, d.EP), {"USD": -d.w, "USDT": -d.w}
    pool = usd(assets, owed, (position,))
    there = 1.05 * (d.w + d.s * d.q * (d.EP - at)) + d.m * d.q * at  # what is lost is owed too
    yield there, pool.margin_for(at)
    yield needed + 1.05 * d.w, replace(pool, venue=replace(pool.venue, unrealised="beside")).margin_for(at)
    pool = replace(pool, collateral=owed | {"USD": there})
    yield at, on_losing_side(d, pool.liquidation("ONE"))


@formula
def tiers_are_slices(d):  # V * rate - amount, with amounts by continuity, is the sum over slices
    schedule, notional = venues.BTCUSDT_2024_10, 10 ** (3 + 6 * d.x / 0.3)
    yield slices(schedule, notional, None), schedule.maintenance(notional)


# ----------------------------------------------------------------------- funding


def clamp(value, lowest, highest):
    return max(lowest, min(highest, value))


@formula
def funding_rates(d):  # each in its venue's way of writing
    p, i, cap = d.other / 4, d.f / 4, d.x / 100
    # BitMEX, BTCMEX (blog.btcmex.com/funding-and-funding-rate/), Gate, Bitget
    yield p + clamp(i - p, -0.0005, 0.0005), Funding(interest=i).rate(p)
    bitmex = p + clamp(0.0001 - p, -0.0005, 0.0005)
    yield clamp(bitmex, -0.00375, 0.00375), venues.XBTUSD_FUNDING.rate(p)
    # bit.com, article 360051992953; EMX, article 360020204333, in three cases
    b, dead = p / 2, venues.BITCOM_FUNDING.rate(p / 2)
    yield clamp(max(0.0005, b) + min(-0.0005, b), -0.005, 0.005), dead
    in_cases = math.copysign(max(0.0, abs(b) - 0.0005), b)
    yield clamp(in_cases, -0.005, 0.005), dead
    # Deribit, article 31424939178397
    yield max(0.00025, p) + min(-0.00025, p), rules.DERIBIT.funding.rate(p)
    # Binance, from 18 September 2025: over (8 / N), N hours; here with a cap
    hours = 1 + 7 * d.x
    bounded = Funding(interval=hours, interest=i, cap=cap)
    yield clamp((p + clamp(i - p, -0.0005, 0.0005)) / (8 / hours), -cap, cap), bounded.rate(p)
    # OKX, okx.com/help/360053909272: clamp(MA(premium - interest), a, b)
    seen, okx = [p, p + i, 3 * p], replace(venues.OKX_FUNDING_2024, interest=-i)
    average = clamp(sum(x - i for x in seen) / 3, -0.00375, 0.00375)
    yield average, okx.rate(sum(seen) / 3)
    # Kraken, article 360022835911: the premium / 24, at most 0.25 % an hour
    yield clamp(20 * p / 24, -0.0025, 0.0025), venues.KRAKEN_FUNDING.rate(20 * p)
    # dYdX, help.dydx.exchange 3937624: premium and 0.01 % of interest
    yield p + 0.0001, venues.DYDX_V3_FUNDING.rate(p)
    yield bitmex / 8, venues.HYPERLIQUID_FUNDING.rate(p)  # an eighth of it every hour


@formula
def premium_index(d):  # Gate, funding rate history; Binance; of one price: Kraken, bit.com
    for bid, ask in ((d.M, d.M * (1 + d.f)), (0.98 * d.M, 1.02 * d.M)):
        printed = (max(0, bid - d.EP) - max(0, d.EP - ask)) / d.EP
        yield printed, funding.premium(d.EP, bid, ask)
    yield (d.M - d.EP) / d.EP, funding.premium(d.EP, d.M)


@formula
def funding_moves_the_liquidation_price(d):  # that of a pool with so much less in it
    rate = d.s * d.f
    pool = linear(d, A, d.w, d.m, d.M)
    due = rate * d.s * d.q * d.M
    yield due, funding.due(pool, rate)
    moved = (d.s * d.q * d.EP - d.w + due) / (d.q * (d.s - d.m))
    yield moved - price(pool), funding.shift(pool, due)[1]
    yield due / (d.q * (d.s - d.m)), funding.shift(pool, due)[0]
    yield d.EP + due / (d.s * d.q), funding.break_even(pool.positions[0], due)
    if pool.slack() > 0:
        yield math.ceil(pool.slack() / due), funding.payments_left(pool, rate)
    pool = inverse(d, A, d.wi, d.m, d.M)
    due = rate * d.s * d.N / d.M
    yield due, funding.due(pool, rate)
    coins = d.wi - due + d.s * d.N / d.EP
    if coins > 0 and (before := price(pool)):
        yield d.N * (d.s + d.m) / coins, before + funding.shift(pool, due)[1]
        yield due * before**2 / (d.N * (d.s + d.m)), funding.shift(pool, due)[0]
    yield 1 / (1 / d.EP - due / (d.s * d.N)), funding.break_even(pool.positions[0], due)


@pytest.mark.parametrize("name", FORMULAS)
def test_closed_form(name):
    rng, pairs = np.random.default_rng(sum(map(ord, name))), []
    for _ in range(60):
        pairs += FORMULAS[name](draw_from(rng))
    assert len(pairs) > 50
    for closed, engine in pairs:
        assert engine == pytest.approx(closed, rel=1e-9)


# ------------------------------- random pools against the general formulation, slice by slice

FLOORS = {"notional": (0, 8_000, 30_000, 60_000), "quantity": (0, 60, 250, 700)}


def slices(schedule, value, coins):
    """A schedule's charge on a value: each slice at its rate, by what floors count."""
    size = value if schedule.basis == "notional" else coins
    if isinstance(schedule, Growing):
        return (schedule.base + schedule.slope * size) * value
    tops = [*schedule.floors[1:], math.inf]
    rows = zip(schedule.floors, tops, schedule.rates, strict=True)
    charge = sum(rate * max(0.0, min(size, top) - floor) for floor, top, rate in rows)
    return charge * (value / size if size else 0.0)


def first_margin(schedule, value, coins):
    """Initial margin of a value, by the highest leverage at its size: that of one tier, for all of it."""
    size = value if schedule.basis == "notional" else coins
    if isinstance(schedule, Growing):
        return (1 / schedule.leverage + schedule.slope * size) * value
    rows = zip(schedule.floors, schedule.rates, strict=True)
    return value * max(rate for floor, rate in rows if floor <= size)


def plain_terms(pool, at, profit=True):
    """(equity, maintenance, initial margin) in quote currency: balances and debts with their slices,
    PnL and margins; without the `profit` only losses that join a balance count."""
    venue, equity, maintenance, initial = pool.venue, 0.0, 0.0, 0.0
    fee, gained = venue.fee if venue.fee_at == "price" else 0.0, {}
    for p in pool.positions:
        c, s = p.instrument, at[p.instrument.index]
        value = abs(p.quantity) * (c.face / s if c.inverse else c.face * s)
        start = abs(p.quantity) * (c.face / p.entry if c.inverse else c.face * p.entry)
        gain = math.copysign(1, p.quantity) * (start - value if c.inverse else value - start)
        gained[c.settle] = gained.get(c.settle, 0.0) + gain
        charged = start if venue.maintenance_at == "entry" else value
        charge = slices(c.tiers, charged, abs(p.quantity))
        charge += venue.fee * {"none": 0.0, "price": value, "entry": start}[venue.fee_at]
        first = first_margin(c.tiers, charged, abs(p.quantity)) + venue.fee * start * (venue.fee_at == "entry")
        maintenance, initial = maintenance + charge * at[c.settle], initial + first * at[c.settle]
    sums = dict(pool.collateral)
    for coin, gain in gained.items():
        if venue.unrealised == "joined":
            sums[coin] = sums.get(coin, 0.0) + (gain if profit else min(gain, 0.0))
        elif profit:
            equity += gain * at[coin]
    for coin, amount in sums.items():
        asset, value = venue.assets[coin], abs(amount) * at[coin]
        if amount > 0:
            equity += value - slices(asset.haircut, value, amount)
        elif amount < 0:
            equity -= asset.debt_weight * value
            maintenance += (1 + fee) * slices(asset.loan, value, -amount) + fee * value
            initial += first_margin(asset.loan, value, -amount)
    return equity, maintenance, initial


def plain_slack(pool, at):
    equity, maintenance, _ = plain_terms(pool, at)
    return equity - maintenance


def plain_spare(pool, at):
    """What counts and need not stay: of equity, and of balances without profit."""
    spare = []
    for profit in (True, False):
        equity, maintenance, initial = plain_terms(pool, at, profit)
        spare.append(equity - max(maintenance, initial))
    return min(spare)


def random_pool(rng):
    """A pool of up to five contracts, three coins and USDT off its peg; and how its prices move."""

    def tiers(most, unit=1.0):
        basis, rows = str(rng.choice(["notional", "quantity"])), int(rng.integers(1, 5))
        rates = sorted(rng.uniform(0.002, most, rows))
        floors = [floor / (unit if basis == "notional" else 1.0) for floor in FLOORS[basis][:rows]]
        return Tiers(list(zip(floors, rates, strict=True)), basis=basis)

    marks = {"ONE": 100.0, "TWO": 40.0, "SIX": 3.0, "USDT": 0.97}
    assets = {"SIX": Asset(1.0, loan=tiers(0.2)), "USDT": Asset(0.01, loan=tiers(0.2))}
    for coin in ("ONE", "TWO"):
        assets[coin] = Asset(tiers(0.6), rng.uniform(1, 1.2), tiers(0.2))
    fee_at, at = rng.choice(["none", "price", "entry"]), rng.choice(["price", "price", "entry"])
    how = {"fee": 0.002, "fee_at": str(fee_at), "maintenance_at": str(at)}
    how["unrealised"] = str(rng.choice(["joined", "beside"]))
    held = {c: rng.normal() * 30_000 / mark for c, mark in marks.items() if rng.random() < 0.8}
    shares = {"ONE": 1.0}
    if rng.random() < 0.5:
        shares = {"ONE": rng.uniform(-0.5, 2), "TWO": rng.uniform(0.2, 1)}
    positions = []
    for n in range(rng.integers(1, 6)):
        index, face = str(rng.choice(["ONE", "TWO"])), float(rng.choice([1.0, 0.1]))
        inverse_ = rng.random() < 0.5
        worth = rng.normal() * 40_000 / face / (1 if inverse_ else marks[index])
        schedule = tiers(0.1, marks[index] if inverse_ else 1.0)
        if inverse_ and rng.random() < 0.3:
            schedule = Growing(0.01, 1e-5, 50, "notional")
        listed = Perpetual(f"NO{n}", index, index if inverse_ else "USDT", face, schedule)
        positions.append(Position(listed, worth, marks[index] * rng.uniform(0.8, 1.2)))
    pool = usd(assets, held, positions, marks, **how)
    return pool, {name: share for name, share in shares.items() if name in pool.followed}


def assert_what_may_leave(pool):
    """So much of each coin, and not more; how many coins were bound by that, not by what is there."""
    bound, near, valued = 0, 1e-6, replace(pool, currency="TWO")  # in what a pool is valued does not matter
    for coin, held in pool.collateral.items():
        free = valued.withdrawable(coin)
        gain = sum(p.pnl(pool.marks[p.instrument.index]) for p in pool.positions if p.instrument.settle == coin)
        gain = gain if pool.venue.unrealised == "joined" else 0.0
        there = held + min(gain, 0.0)
        assert free <= max(there, 0.0) + near
        spare = plain_spare(pool.adding(-free, coin), pool.marks)
        assert free <= 0 or spare > -near
        if 0 < free < there - near:
            bound += 1
            assert spare == pytest.approx(0.0, abs=near)
    return bound


def test_random_pools_meet_the_general_formulation_where_they_are_said_to():
    rng, crossings, bound = np.random.default_rng(11), 0, 0
    for _ in range(900):
        pool, shares = random_pool(rng)
        near = {"rel": 1e-9, "abs": 1e-6}
        equity, maintenance, initial = plain_terms(pool, pool.marks)
        slack = equity - maintenance
        assert pool.slack() == pytest.approx(slack, **near)
        assert pool.requirement(kind="initial") == pytest.approx(initial, **near)
        assert replace(pool, currency="TWO").slack() == pytest.approx(slack / pool.marks["TWO"], **near)
        several = {coin: pool.marks[coin] * np.array([0.5, 0.9, 1.2, 3.0]) for coin in pool.names & set(pool.marks)}
        each = [pool.marks | {coin: row[n] for coin, row in several.items()} for n in range(4)]
        assert pool.slack(several) == pytest.approx([plain_slack(pool, at) for at in each], **near)
        bound += assert_what_may_leave(pool)
        if slack <= 0 or not shares or max(shares.values()) <= 0:
            continue

        def moved(move, marks=pool.marks, shares=shares):
            return {name: m * (1 + move * shares.get(name, 0.0)) for name, m in marks.items()}

        most = max(shares.values())
        falling = [-1 / share for share in shares.values() if share < 0]
        found = pool.liquidation(shares)
        for side, end in ((found.below, -1 / most), (found.above, min([40 / most, *falling]))):
            if side.root is not None:
                crossings += 1
                there, gross = pool.marks | side.prices, 1 + sum(map(abs, side.parts.values()))
                assert there == pytest.approx(moved(side.distance))
                assert abs(plain_slack(pool, there)) < 1e-9 * gross
                end = side.distance
            within = (end * k / 40 for k in range(40) if abs(end * k / 40) < 40 / most)
            assert all(plain_slack(pool, moved(move)) > -1e-6 for move in within), (pool, side)
    assert crossings > 200 and bound > 100, (crossings, bound)


# ------------------------------------------- funding of random accounts, one by one

HOLDS = {"ONE": 100.0, "TWO": 40.0}  # indices and their marks


def plain_funding(state, rates, periods=1.0):
    """Pays funding at rates by symbol in `state`, plain numbers; returns what was paid."""
    paid, legs = 0.0, [leg for leg in state["legs"] if leg["symbol"] in rates]

    def later(leg):  # receipts first; then cross before isolated, else as they were opened
        return leg["q"] * rates[leg["symbol"]] > 0, "margin" in leg

    for leg in sorted(legs, key=later):
        own = state["own"].get(leg["symbol"]) if state["valued_at"] == "mark" else None
        at, rate = own or state["marks"][leg["index"]], rates[leg["symbol"]] * periods
        amount = leg["q"] * (leg["face"] / at if leg["inverse"] else leg["face"] * at) * rate
        paid, settle = paid + amount, leg["settle"]
        first = 0.0
        if "margin" not in leg or (amount < 0 and state["charged_to"] == "account"):
            first = amount
        elif state["charged_to"] == "account":
            first = min(amount, max(0.0, plain_free(state, settle)))
        state["cross"][settle] -= first
        if "margin" in leg:
            leg["margin"] -= amount - first
    return paid


def plain_value(state, leg):
    """(size of the notional, PnL) of a leg at its mark."""
    at, q = state["own"].get(leg["symbol"]) or state["marks"][leg["index"]], leg["q"] * leg["face"]
    if leg["inverse"]:
        return abs(q) / at, q * (1 / leg["entry"] - 1 / at)
    return abs(q) * at, q * (at - leg["entry"])


def plain_free(state, settle):
    """What is free in a cross pool: balance, less losses and initial margin; profit is not."""
    held, used, pnl = state["cross"][settle], 0.0, 0.0
    for leg in state["legs"]:
        if "margin" not in leg and leg["settle"] == settle:
            value, gain = plain_value(state, leg)
            used, pnl = used + max(value / leg["leverage"], 0.01 * value), pnl + gain
    return min(held, held + pnl) - used


def plain_close(state):
    """What is at its line is gone, with its pool's collateral: isolated legs, or a cross pool."""
    for leg in [leg for leg in state["legs"] if "margin" in leg]:
        value, gain = plain_value(state, leg)
        if leg["margin"] + gain <= 0.01 * value:
            state["legs"].remove(leg)
    for settle, held in state["cross"].items():
        shared = [x for x in state["legs"] if "margin" not in x and x["settle"] == settle]
        values = [plain_value(state, leg) for leg in shared]
        if shared and held + sum(g for _, g in values) <= 0.01 * sum(v for v, _ in values):
            state["legs"] = [leg for leg in state["legs"] if leg not in shared]
            state["cross"][settle] = 0.0


def random_account(rng):
    """(account, the same as plain numbers): up to four contracts, both kinds, in both modes."""
    charged_to, valued_at = rng.choice(["position", "account"]), rng.choice(["mark", "index"])
    rule = Funding(charged_to=str(charged_to), valued_at=str(valued_at))
    schedules = {"*": Tiers.flat(0.01)}
    venue = replace(A, tiers=schedules, funding=rule, hedge_mode=True, both_modes=True)
    state = {"cross": {"USDT": 40_000.0, "ONE": 400.0, "TWO": 1_000.0}, "marks": dict(HOLDS)}
    state |= {"own": {}, "legs": [], "charged_to": charged_to, "valued_at": valued_at}
    account = Account(venue, **state["cross"]).mark(**HOLDS)
    for n in range(int(rng.integers(1, 5))):
        index, face = str(rng.choice(list(HOLDS))), float(rng.choice([1.0, 0.1]))
        leverage = float(rng.uniform(2, 20))
        listed = Perpetual(f"NO{n}", index, index if rng.random() < 0.5 else "USDT", face)
        for side in rng.permutation([1, -1])[: int(rng.integers(1, 3))]:
            worth = float(side * rng.uniform(500, 5_000))
            size = worth / face / (1 if listed.inverse else HOLDS[index])
            leg = {"symbol": listed.symbol, "index": index, "settle": listed.settle, "q": size}
            leg |= {"face": face, "inverse": listed.inverse, "entry": HOLDS[index]}
            leg |= {"leverage": leverage}
            walled = bool(rng.random() < 0.6)
            if walled:
                leg["margin"] = plain_value(state, leg)[0] / leverage
                state["cross"][listed.settle] -= leg["margin"]
            words = {"leg": "long" if side > 0 else "short", "isolated": walled}
            account = account.trade(listed, size, HOLDS[index], leverage=leverage, **words)
            state["legs"].append(leg)
    for currency in state["cross"]:  # leave little that is free, so that it may run out
        left, most = rng.uniform(0, 80) / HOLDS.get(currency, 1.0), plain_free(state, currency)
        if rng.random() < 0.85 and most > left:
            state["cross"][currency] -= most - left
            account = account.credit(currency, left - most)
    moved = {index: mark * float(rng.uniform(0.97, 1.03)) for index, mark in HOLDS.items()}
    state["marks"] = moved
    for leg in state["legs"][::2]:
        state["own"][leg["symbol"]] = moved[leg["index"]] * float(rng.uniform(0.99, 1.01))
    return account.mark(**moved, **state["own"]), state


def assert_same(account, state):
    """The same balances in every pool, and the same positions."""
    near = {"rel": 1e-9, "abs": 1e-7}
    for currency, amount in state["cross"].items():
        held = account.cross_in(currency).collateral[currency]
        assert held == pytest.approx(amount, **near)
    assert sum(len(pool.positions) for pool in account.pools) == len(state["legs"])
    for leg in state["legs"]:
        if "margin" in leg:
            pool = account[leg["symbol"], "isolated", "long" if leg["q"] > 0 else "short"]
            assert pool.collateral[leg["settle"]] == pytest.approx(leg["margin"], **near)


def test_random_accounts_pay_what_plain_arithmetic_says():
    rng, seen, short, enough = np.random.default_rng(29), set(), 0, 0
    for _ in range(400):
        account, state = random_account(rng)
        assert_same(account, state)
        legs = state["legs"]
        symbol = str(rng.choice([leg["symbol"] for leg in legs]))
        rate, periods = float(rng.normal() * 0.05), float(rng.choice([1.0, 0.3, 3.0]))
        for leg in (leg for leg in legs if leg["symbol"] == symbol):
            kind = (leg["inverse"], leg["q"] > 0, "margin" in leg, rate > 0)
            seen.add((*kind, state["charged_to"], state["valued_at"]))
        margins = [leg.get("margin") for leg in legs]
        after = account.pay_funding(symbol, rate, periods)
        paid = plain_funding(state, {symbol: rate}, periods)
        if state["charged_to"] == "account":  # how often the account's own was enough, and not
            moved = margins != [leg.get("margin") for leg in legs]
            short, enough = short + moved, enough + (not moved)
        assert_same(after, state)
        events = after.events[len(account.events) :]
        assert all(abs(sum(e.flows.values())) < 1e-9 and e.kind == "funding" for e in events)
        got = sum(event.flows["counterparties"] for event in events)
        assert got == pytest.approx(paid, rel=1e-9, abs=1e-9)
    assert len(seen) == 2**6 and short > 25 and enough > 25, (short, enough)


def test_random_schedules_are_followed_step_by_step():
    rng, closed, survived = np.random.default_rng(31), 0, 0
    for _ in range(300):
        account, state = random_account(rng)
        symbols, n = sorted({leg["symbol"] for leg in state["legs"]}), 4
        rates = {symbol: rng.normal(size=n) * 0.03 for symbol in symbols}
        held = {leg["index"] for leg in state["legs"]}
        factors = {index: np.exp(np.cumsum(rng.normal(size=n) * 0.01)) for index in HOLDS}
        prices = {i: state["marks"][i] * factors[i] for i in HOLDS if i in held}
        for step, after in enumerate(steps(account, rates, prices)):
            state["marks"] |= {index: float(row[step]) for index, row in prices.items()}
            state["own"] = {}  # a mark of the index's takes those of its contracts away
            plain_close(state)
            plain_funding(state, {symbol: float(rates[symbol][step]) for symbol in symbols})
            plain_close(state)
            assert_same(after, state)
        closed, survived = closed + bool(after.liquidations), survived + bool(state["legs"])
    assert closed > 50 and survived > 150, (closed, survived)


# ------------------------------------------------- the same in arrays, every rule

CONVENTIONS = {"A": A, "B": B, "C": C}
FEES = {"": {}, ", fee": {"fee_at": "price"}, ", fee at bankruptcy": {"fee_at": "bankruptcy"}}
RULES = {
    name + fee: replace(venue, fee=0.0006, **how) for name, venue in CONVENTIONS.items() for fee, how in FEES.items()
}
SCHEDULES = {
    "flat": Tiers.flat(0.01),
    "tiers": Tiers(((0, 0.004, 125), (3_000, 0.01, 50), (40_000, 0.02, 25))),
    "contracts": Tiers(((0, 0.01, 50), (50, 0.02, 25)), basis="quantity"),
    "grows with contracts": Growing(0.01, 1e-5, 50),
    "grows with coins": Growing(0.01, 1e-4, 50, "notional"),
}
CONTRACTS = [("USDT", name) for name in SCHEDULES if not name.endswith("coins")]
CONTRACTS += [("ONE", name) for name in SCHEDULES]


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize(("settle", "schedule"), CONTRACTS)
def test_arrays_give_what_a_pool_gives(settle, rules, schedule):
    rng, venue = np.random.default_rng(1), RULES[rules]
    held = contract(SCHEDULES[schedule], settle=settle)
    draws = [draw_from(rng) for _ in range(60)]
    for d in draws:
        d.size, d.margin = (d.s * d.q, d.w) if settle == "USDT" else (d.s * d.N, d.wi)
    columns = zip(*((d.size, d.EP, d.margin, d.M, d.L) for d in draws), strict=True)
    found = liquidation_price(venue, held, *map(np.array, columns))
    for d, got in zip(draws, found, strict=True):
        p = Position(held, d.size, d.EP, d.L)
        pool = Pool(settle, {settle: d.margin}, (p,), venue, {"ONE": d.M})
        if schedule == "grows with coins" and pool.slack() <= 0:
            continue  # at its line already, a short may have two ends, and either is one
        if (alone := price(pool)) is None:
            assert math.isnan(got)
        else:
            assert got == pytest.approx(alone, rel=1e-9)
