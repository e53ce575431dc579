"""Survival: troughs against a plain loop and the stepping engine, by hand, on closed forms; what is refused."""

import math
import subprocess
import sys

import numpy as np
import pytest

from marginlab import Account, Asset, Funding, Perpetual, Pool, Position, Refused, Scan, Tiers, Venue, replace, venues
from marginlab import liquidation_price as end_of
from marginlab.market import Brownian, Given, first_passage, outcomes, survival
from marginlab.rules import TRADER
from tests.market.held import Grows, holding
from tests.process import process
from tests.refusal import refused

kernel, recipe = (sys.modules[f"marginlab.market.{name}"] for name in ("survival", "paths"))

LINEAR = Perpetual("BTC-USDT", "BTC", "USDT")
ETHER = Perpetual("ETH-USDT", "ETH", "USDT")
INVERSE = Perpetual("BTC-USD", "BTC", "BTC", 100)
TENTH = Venue("a tenth", tiers={"*": Tiers.flat(0.1)})
FULL = replace(venues.TEACHING_MULTI, assets={"BTC": Asset(), "USDT": Asset(), "USD": Asset()})
CUT = replace(FULL, assets={"BTC": Asset(haircut=0.2), "USDT": Asset(), "USD": Asset()})
COIN_GROWS = Tiers(((0, 0.01), (5, 0.03)))
LONG, SHORT = "long BTC-USDT", "short BTC-USDT"


def walk(count=25, steps=45, volatility=3.0, start=None, seed=1, **words):
    start = start or {"BTC": 50_000, "ETH": 2_000}
    return Brownian(start, steps, count, volatility=volatility, rng=np.random.default_rng(seed), **words)


def given(*columns, start=100.0, **words):
    """Paths of BTC, a column each."""
    return Given({"BTC": start}, given={"BTC": np.array(columns, dtype=float).T}, **words)


def maintenance(schedule, notional, contracts):
    """By slices: only the part inside a tier is charged that tier's rate."""
    size = notional if schedule.basis == "notional" else contracts
    tops = [*[row[0] for row in schedule.rows[1:]], math.inf]
    slices = sum(max(0.0, min(size, top) - row[0]) * row[1] for row, top in zip(schedule.rows, tops, strict=True))
    return slices * notional / size


def standing(venue, p, price):
    """(PnL, requirement) of a position, in its settlement currency, from the definitions."""
    c, n = p.instrument, p.quantity * p.instrument.face
    pnl = n / p.entry - n / price if c.inverse else n * price - n * p.entry
    now, then = (abs(n) / x if c.inverse else abs(n) * x for x in (price, p.entry))
    tiers = c.tiers or venue.tiers.get(c.symbol) or venue.tiers["*"]
    if isinstance(tiers, Grows):
        return pnl, tiers.maintenance(now, abs(p.quantity))
    fee = {"none": 0.0, "price": now, "entry": then}[venue.fee_at] * venue.fee
    return pnl, fee + maintenance(tiers, then if venue.maintenance_at == "entry" else now, abs(p.quantity))


def plain(venue, book, prices, rates=None, coin=None, weight=1.0):
    """(trough, gain) on each path, by one loop: prices of shape (steps + 1, paths), everything in it by hand."""
    rates, found = rates or {}, []
    rows, count = next(iter(prices.values())).shape
    for path in range(count):
        least, paid = math.inf, dict.fromkeys((p.instrument.settle for p in book), 0.0)
        for step in range(rows):
            at = {name: float(row[step, path]) for name, row in prices.items()}
            looks = [dict(paid)]
            for p in book if step else ():
                rate = np.broadcast_to(rates.get(p.instrument.symbol, 0.0), rows - 1)[step - 1]
                n = p.quantity * p.instrument.face
                price = at[p.instrument.index]
                paid[p.instrument.settle] += (n / price if p.instrument.inverse else n * price) * rate
            looks.append(dict(paid))
            unit = {c: at[c] if coin and c in at else 1.0 for c in paid}
            margin = at[coin] if coin in at else 1.0
            stand = [(*standing(venue, p, at[p.instrument.index]), unit[p.instrument.settle]) for p in book]
            free = sum((pnl - need) * u for pnl, need, u in stand)
            worst = min(free - sum(look[c] * unit[c] for c in look) for look in looks) / (weight * margin)
            least = min(least, worst)
        gain = (sum(pnl * u for pnl, _, u in stand) - sum(paid[c] * unit[c] for c in paid)) / margin
        found.append((least, gain))
    return tuple(map(np.array, zip(*found, strict=True)))


def agree(found, name, reference):
    trough, gain = reference
    assert found.trough[name][-1] == pytest.approx(trough, rel=1e-10, abs=1e-8)
    assert found.gain[name] == pytest.approx(gain, rel=1e-9, abs=1e-7)


def same(one, other):
    """To the bit."""
    assert one.horizons == other.horizons and one.pools.keys() == other.pools.keys()
    assert np.array_equal(one.number, other.number)
    for mine, yours in ((one.trough, other.trough), (one.gain, other.gain)):
        assert all(np.array_equal(mine[name], yours[name]) for name in one.pools)


# ------------------------------------------------------- troughs and a plain loop

COIN = replace(INVERSE, face=50_000)
BOOKS = {
    "flat": (venues.TEACHING, [Position(LINEAR, 1, 50_000), Position(ETHER, -20, 2_100)]),
    "hedged": (FULL, [Position(LINEAR, 2, 51_000), Position(LINEAR, -1, 48_000), Position(ETHER, 5, 2_000)]),
    "tiers": (venues.BINANCE_2024_10, [Position(LINEAR, 12, 50_000), Position(LINEAR, -70, 49_000)]),
    "one tier": (venues.BINANCE_2024_10, [Position(LINEAR, 0.1, 50_000)]),
    "short tiers": (venues.BINANCE_2024_10, [Position(LINEAR, -12, 50_000)]),
    "steps": (venues.TEACHING_STEPS, [Position(LINEAR, 20, 50_000), Position(ETHER, -2_500, 2_000)]),
    "coin": (venues.TEACHING, [Position(COIN, 2, 50_000), Position(replace(COIN, symbol="B2"), -3, 52_000)]),
    "coin short": (venues.BINANCE_COIN_2020_06, [Position(INVERSE, -60_000, 50_000)]),
    "coin long": (venues.BINANCE_COIN_2020_06, [Position(INVERSE, 60_000, 50_000)]),
    "counted": (venues.KRAKEN, [Position(Perpetual("PI_XBTUSD", "BTC", "BTC"), 700_000, 50_000)]),
    "grows": (Venue("grows", tiers={"*": Grows(0.01, 0.0001)}), [Position(LINEAR, 40, 50_000)]),
    "grows with worth": (venues.TEACHING, [Position(replace(COIN, tiers=COIN_GROWS), -6, 50_000)]),
    "entry": (replace(venues.TEACHING_TIERS, maintenance_at="entry"), [Position(LINEAR, -30, 49_000)]),
    "fee": (replace(venues.TEACHING_TIERS, fee=0.002, fee_at="price"), [Position(LINEAR, 30, 49_000)]),
    "fee at entry": (replace(venues.TEACHING, fee=0.002, fee_at="entry"), [Position(COIN, 3, 49_000)]),
}  # fmt: skip
SPARSE = np.where(np.arange(45) % 8 == 7, np.where(np.arange(45) < 20, 0.004, -0.006), 0.0)
RATES = {"none": None, "paid": 0.0007, "received": -0.0007, "sparse": SPARSE}


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("which", BOOKS)
def test_troughs_are_those_of_a_plain_loop(which, rates):
    venue, book = BOOKS[which]
    rates = None if RATES[rates] is None else {p.instrument.symbol: RATES[rates] for p in book}
    paths = walk(correlation=0.4)
    coin = "USDT" if venue.multi_currency else None
    found, prices = survival(venue, book, paths, rates, margin=coin), paths.prices()
    for p in book:
        agree(found, p.label, plain(venue, [p], prices, rates))
        assert found.currency[p.label] == p.instrument.settle
    agree(found, found.shared, plain(venue, book, prices, rates))


@pytest.mark.parametrize("rates", [None, {"BTC-USDT": 0.001, "BTC-USD": SPARSE}])
@pytest.mark.parametrize("margin", ["USDT", "BTC"])
def test_troughs_of_a_multi_currency_pool(margin, rates):
    book = [Position(LINEAR, 2, 50_000), Position(COIN, -1.4, 52_000), Position(ETHER, -10, 2_000)]
    paths = walk(correlation=-0.3)
    found, prices = survival(FULL, book, paths, rates, margin=margin), paths.prices()
    agree(found, "cross", plain(FULL, book, prices, rates, margin))
    assert found.currency["cross"] == margin and found.shared == "cross"
    for p in book:
        agree(found, p.label, plain(FULL, [p], prices, rates))


def test_a_haircut_raises_what_is_needed_and_not_what_is_gained():
    book, paths = [Position(LINEAR, 2, 50_000), Position(ETHER, -10, 2_000)], walk()
    found, full = survival(CUT, book, paths, margin="BTC"), survival(FULL, book, paths, margin="BTC")
    agree(found, "cross", plain(CUT, book, paths.prices(), None, "BTC", 0.8))
    assert found.needed("cross") == pytest.approx(full.needed("cross") / 0.8)
    assert found.gain["cross"] == pytest.approx(full.gain["cross"])


def test_by_hand_on_a_few_paths():
    found = survival(TENTH, [Position(LINEAR, 1, 100)], given([90, 100], [80, 120], [110, 130], [60, 50]))
    assert found.trough[LONG].tolist() == [pytest.approx([-19, -28, -10, -55], rel=1e-12)]
    assert found.gain[LONG].tolist() == pytest.approx([0, 20, 30, -50], abs=1e-12)
    found = survival(TENTH, [Position(LINEAR, -1, 100)], given([90, 100], [80, 120], [110, 130], [60, 50]))
    assert found.trough[SHORT].tolist() == [pytest.approx([-10, -32, -43, -10], rel=1e-12)]
    assert found.gain[SHORT][2] == pytest.approx(-30)


def test_the_venue_looks_before_and_after_a_payment():
    # 1 from 100: at 90 before the receipt 0.9 * 90 - 100 = -19, after a payment of 9 it is -28
    for rate, trough, gain in ((-0.1, -19, -10 + 9), (0.1, -28, -10 - 9)):
        found = survival(TENTH, [Position(LINEAR, 1, 100)], given([90]), {LINEAR: rate})
        assert found.trough[LONG].item() == pytest.approx(trough) and found.gain[LONG].item() == pytest.approx(gain)
    # paid at 100, where nothing is wrong yet, missing at 90; received after the low it does not help
    for rates, trough in (([0.1, 0], -29), ([0, 0.1], -28), ([-0.1, 0], -10), ([0, -0.1], -19)):
        found = survival(TENTH, [Position(LINEAR, 1, 100)], given([100, 90]), {"BTC-USDT": rates})
        assert found.trough[LONG].item() == pytest.approx(trough)


# ------------------------------------------------------ path by path, step by step


def opened(venue, book, margin, name=None, coin=None, rest=10.0):
    """An account with a pool of so much margin; `rest` lies idle beside one that is isolated."""
    settle = book[0].instrument.settle
    if name is None:
        currency = "USD" if coin else settle
        pool = Pool(currency, {coin or settle: margin}, book, venue, {}, "cross" if coin else f"cross {settle}")
        return holding(Account(venue, **{coin or settle: margin}), pool)
    return holding(Account(venue, **{settle: rest}), Pool(settle, {settle: margin}, book, venue, {}, name, True))


def stepped(account, paths, rates):
    """({pool: when it was liquidated}, worth) on every path, step by step."""
    found = outcomes(account, paths, rates, lambda account, step: account)
    return found.drop(columns=["liquidated", "worth"]), found["worth"].to_numpy()


def margins(found, split):
    """Up to six above zero, from certain death to certain survival."""
    needed = found.needed(split)
    every = [needed.min() * 1.0001, *np.quantile(needed, (0.2, 0.4, 0.6, 0.8)), needed.max() * 1.0001]
    return [float(margin) for margin in every if margin > 0]


STEPPED = {
    "linear": ("flat", None), "linear, funded": ("flat", "paid"), "coin, sparse": ("coin", "sparse"),
    "coin tiers": ("coin long", "received"), "coin short": ("coin short", None), "tiers, funded": ("tiers", "sparse"),
    "entry": ("entry", "paid"), "fee": ("fee", "received"), "grows": ("grows", "sparse"),
}  # fmt: skip


@pytest.mark.parametrize("which", STEPPED)
def test_path_by_path_as_the_engine(which):
    book_name, rates = STEPPED[which]
    venue, book = BOOKS[book_name]
    paths = walk(10, 30, 4.0, correlation=0.4)
    rates = {p.instrument.symbol: np.broadcast_to(RATES[rates], 45)[:30] for p in book} if rates else None
    found, seen = survival(venue, book, paths, rates, horizons=30), set()
    for members, name in ((book, found.shared), (book[-1:], book[-1].label)):
        alone = name == book[-1].label
        for margin in margins(found, name):
            account = opened(venue, members, margin, "isolated" if alone else None)
            mine = {p.instrument.symbol for p in members}
            rows = {symbol: row for symbol, row in (rates or {}).items() if symbol in mine}
            coins = {p.instrument.index for p in members}
            shown = Given({c: paths.start[c] for c in coins}, given={c: paths.prices()[c][1:] for c in coins})
            at, worth = stepped(account, shown, rows)
            at = at.iloc[:, 0]
            assert found.liquidated_by(margin, name).tolist() == at.tolist()
            assert found.worth(margin, name) + (10.0 if alone else 0.0) == pytest.approx(worth, rel=1e-9, abs=1e-6)
            seen.update(at.tolist())
    assert -1 in seen and len(seen) > 5


@pytest.mark.parametrize("coin, venue, rates", [
    ("USDT", FULL, {"BTC-USDT": 0.001, "BTC-USD": SPARSE[:30]}), ("BTC", FULL, {"BTC-USDT": -0.001}),
    ("BTC", CUT, None), ("USDT", CUT, None),
])  # fmt: skip
def test_path_by_path_in_a_multi_currency_account(coin, venue, rates):
    book = [Position(LINEAR, 2, 50_000), Position(COIN, -1.4, 52_000)]
    paths = walk(14, 30, 4.0, {"BTC": 50_000})
    found, seen = survival(venue, book, paths, rates, margin=coin, horizons=30), set()
    rows = {symbol: np.broadcast_to(row, 30) for symbol, row in (rates or {}).items()}
    for margin in margins(found, "cross"):
        at, worth = stepped(opened(venue, book, margin, coin=coin), paths, rows)
        assert found.liquidated_by(margin, "cross").tolist() == at["cross"].tolist()
        if venue is not CUT:  # of which a haircut on coins, gained ones too, is returned
            unit = paths.prices()["BTC"][-1] if coin == "BTC" else 1.0
            assert found.worth(margin, "cross") * unit == pytest.approx(worth, rel=1e-9, abs=1e-6)
        seen.update(at["cross"].tolist())
    assert -1 in seen and len(seen) > 2


def test_a_scan_is_no_sum_of_lines():
    scanned = replace(TENTH, scan=Scan(((-0.2, 0.0, 1.0), (0.2, 0.0, 1.0))))
    book = [Position(LINEAR, 1, 50_000), Position(replace(LINEAR, symbol="BTC-Q"), -0.4, 50_000)]
    paths = walk(6, 12, 4.0, {"BTC": 50_000})
    found = survival(scanned, book, paths, horizons=12)
    price = paths.prices()["BTC"][1:]
    asked = 0.6 * (50_000 - price) + 0.2 * 0.6 * price  # of what does not net: its loss, and a fifth of its worth
    assert found.needed(found.shared) == pytest.approx(asked.max(axis=0))


# ------------------------------------------------------------------- questions

FOUR = given([90, 100], [80, 120], [110, 130], [60, 50])  # a long needs 19, 28, 10 and 55


def four(horizons=1):
    return survival(TENTH, [Position(LINEAR, 1, 100)], FOUR, horizons=horizons)


def pair(**words):
    """A long of BTC and a short of ETH of twice its worth, on four paths."""
    moves = {"BTC": [[90, 80, 110, 60], [100, 120, 130, 50]], "ETH": [[50, 60, 40, 45], [52, 50, 48, 40.0]]}
    book = [Position(LINEAR, 1, 100), Position(ETHER, -4, 50)]
    return survival(TENTH, book, Given({"BTC": 100, "ETH": 50}, given=moves), **words)


def test_needed_by_hand():
    found = pair()
    assert found.isolated == {LONG: pytest.approx(1 / 3), "short ETH-USDT": pytest.approx(2 / 3)}
    assert found.shared == "cross USDT"
    # the short: 200 - 4.4 * ETH at 52, 60, the start, and the start
    assert found.needed("short ETH-USDT").tolist() == pytest.approx([28.8, 64, 20, 20])
    assert found.needed({"short ETH-USDT": 0.5}).tolist() == pytest.approx([57.6, 128, 40, 40])
    assert found.needed(found.isolated).tolist() == pytest.approx([57, 96, 30, 165])
    # together: 0.9 * BTC + 100 - 4.4 * ETH, from -30 at the start
    assert found.needed("cross USDT").tolist() == pytest.approx([39, 92, 30, 44])
    half = found.needed({LONG: 0.5, "short ETH-USDT": 0.25})
    assert half.tolist() == pytest.approx([115.2, 256, 80, 110])


def test_survived_and_its_inverse():
    found = four()
    assert found.survived(30, LONG) == 0.75 and isinstance(found.survived(30, LONG), float)
    line = found.needed(LONG)
    assert [found.survived(float(need), LONG) for need in sorted(line)] == [0, 0.25, 0.5, 0.75]  # at it: liquidated
    assert [found.survived(float(need) * (1 + 1e-13), LONG) for need in sorted(line)] == [
        0,
        0.25,
        0.5,
        0.75,
    ]  # rounding
    assert [found.survived(float(need) * (1 + 1e-11), LONG) for need in sorted(line)] == [0.25, 0.5, 0.75, 1]
    assert found.survived(np.array([9, 10.1, 28, 56]), LONG).tolist() == [0, 0.25, 0.5, 1]
    assert found.survived([9, 56], LONG).tolist() == [0, 1]
    assert found.survived([[9, 56]], LONG).shape == (1, 2)
    wanted = [0.01, 0.25, 0.26, 0.5, 0.75, 0.76, 1]
    assert [found.capital_for(share, LONG) for share in wanted] == pytest.approx([10, 10, 19, 19, 28, 55, 55])
    assert isinstance(found.capital_for(1, LONG), float)
    assert found.capital_for(np.array(wanted), LONG).tolist() == pytest.approx([10, 10, 19, 19, 28, 55, 55])


def test_one_is_the_inverse_of_the_other():
    venue, book = BOOKS["tiers"]
    found = survival(venue, book, walk(997, 20))
    for split in (found.shared, found.isolated):
        for share in (1e-6, 0.1, 0.37, 0.9, 0.999, 1.0):
            capital = found.capital_for(share, split)
            assert found.survived(capital * (1 + 1e-9), split) >= share > found.survived(capital, split)
    assert found.capital_for(1, found.shared) == found.needed(found.shared).max()


def test_to_the_bit_at_the_line_all_answers_agree():
    found, at = four(), 0
    for need in found.needed(LONG).tolist():
        near = need / (1 - 1e-12)
        for capital in (np.nextafter(near, 0), near, np.nextafter(near, 1e9)):
            at += capital * (1 - 1e-12) == need
            gone = found.liquidated_by(float(capital), LONG) > 0
            assert found.survived(float(capital), LONG) == np.mean(~gone)
            assert ((found.worth(float(capital), LONG) == 0) == gone).all()
    assert at > 0


def test_horizons():
    found = four(2)
    assert found.horizons == (1, 2)
    assert found.needed(LONG, 1).tolist() == pytest.approx([19, 28, 10, 46])
    assert found.needed(LONG, 2).tolist() == found.needed(LONG).tolist() == pytest.approx([19, 28, 10, 55])
    assert found.liquidated_by(50, LONG).tolist() == [-1, -1, -1, 2]
    assert found.liquidated_by(28, LONG).tolist() == [-1, 1, -1, 1]
    assert found.liquidated_by(float(found.needed(LONG, 1)[3]), LONG).tolist()[3] == 1
    assert (found.survived(50, LONG, 1), found.survived(50, LONG, 2), found.survived(50, LONG)) == (1, 0.75, 0.75)
    assert found.capital_for(1, LONG, 1) == pytest.approx(46)
    one = [Position(LINEAR, 1, 100)]
    long = given(np.arange(99, 89, -1.0))
    assert survival(TENTH, one, long, horizons=4).horizons == (3, 5, 8, 10)
    assert survival(TENTH, one, long, horizons=3).horizons == (4, 7, 10)
    assert survival(TENTH, one, long, horizons=10).horizons == tuple(range(1, 11))
    some = survival(TENTH, one, long, horizons=[7, 2, 7])
    assert some.horizons == (2, 7, 10)
    assert some.trough[LONG].T.tolist() == [pytest.approx([-11.8, -16.3, -19])]


def test_survival_falls_with_the_horizon():
    venue, book = BOOKS["hedged"]
    found = survival(venue, book, walk(200, 70), {"BTC-USDT": -0.0005}, margin="USDT", horizons=[5, 32, 33, 64, 69])
    full = survival(venue, book, walk(200, 70), {"BTC-USDT": -0.0005}, margin="USDT", horizons=70)
    for name in found.pools:
        assert (np.diff(found.trough[name], axis=0) <= 0).all()
        rows = [step - 1 for step in found.horizons]
        assert found.horizons == (5, 32, 33, 64, 69, 70)
        assert np.array_equal(found.trough[name], full.trough[name][rows])
        assert np.array_equal(found.gain[name], full.gain[name])


def test_worth_by_hand():
    found = four()
    assert found.worth(30, LONG).tolist() == pytest.approx([30, 50, 60, 0], abs=1e-12)
    assert found.worth(30, {LONG: 0.5}).tolist() == pytest.approx([15, 15, 60, 15])
    assert found.worth(28, LONG)[1] == 0  # at what it needs
    # BTC has 33.3, and lives on the paths 0, 1 and 2; ETH 66.7 and lives on all
    found = pair()
    assert found.worth(100, found.isolated).tolist() == pytest.approx([92, 120, 138, 200 / 3 + 40])
    # gains -8, 20, 38 and -10
    assert found.worth(100, "cross USDT").tolist() == pytest.approx([92, 120, 138, 90])
    assert found.worth(40, "cross USDT").tolist() == pytest.approx([32, 0, 78, 0])
    # 30 each: the short is lost on the path 1 only, the long on 3; 40 idle
    half = found.worth(100, {LONG: 0.3, "short ETH-USDT": 0.3})
    assert half.tolist() == pytest.approx([92, 100 - 30 + 20, 138, 100 - 30 + 40])


def test_a_summary_by_hand():
    table = four().summary(30, {"all": LONG, "half": {LONG: 0.5}}, worst=0.5)
    assert list(table.index) == ["all", "half"]
    assert list(table.columns) == ["liquidated", "error", "all lost", "worst", "at risk", "idle"]
    error = math.sqrt(0.25 * 0.75 / 4)
    assert table.loc["all"].tolist() == pytest.approx([0.25, error, 0.25, 15, 30, 0], abs=1e-12)
    assert table.loc["half"].tolist() == pytest.approx([0.75, error, 0.75, 15, 15, 15], abs=1e-12)
    table = four().summary(30, {"all": LONG})
    assert table["worst"].item() == pytest.approx(30)  # one path at least
    for worst, mean in ((0.37, 30), (0.4, 15), (0.7, 10 / 3), (1, -5)):  # of the largest 1, 2, 3 and 4
        assert four().summary(30, {"all": LONG}, worst)["worst"].item() == pytest.approx(mean)


def test_all_is_lost_where_every_pool_is():
    # 25 each: the long needs 19, 28, 10 and 55, the short 28.8, 64, 20 and 20
    found = pair(horizons=2)
    splits = {"half": dict.fromkeys((LONG, "short ETH-USDT"), 0.5), "cross": "cross USDT"}
    table = found.summary(50, splits | {"short": {"short ETH-USDT": 0.5}})
    assert table["liquidated"].tolist() == [0.75, 0.25, 0.5] and table["all lost"].tolist() == [0.25, 0.25, 0.5]
    assert found.summary(200, splits)["all lost"].tolist() == [0, 0]


def test_who_is_together():
    found = pair()
    assert list(found.pools) == [LONG, "short ETH-USDT", "cross USDT"]
    some = pair(together=["short ETH-USDT"])
    assert some.needed("cross USDT").tolist() == found.needed("short ETH-USDT").tolist()
    assert some.shared == "cross USDT" and some.isolated == found.isolated
    alone = survival(FULL, ONE, PATHS, together=[])
    assert list(alone.pools) == [LONG] and alone.currency == {LONG: "USDT"}
    none = pair(together=[])
    assert list(none.pools) == [LONG, "short ETH-USDT"]
    refused(ValueError, ["one shared pool", "0: none"], lambda: none.shared)
    book = [Position(LINEAR, 1, 100), Position(INVERSE, 1, 100)]
    two = survival(TENTH, book, FOUR)
    assert list(two.pools) == [LONG, "long BTC-USD", "cross USDT", "cross BTC"]
    for name, p in (("cross USDT", book[0]), ("cross BTC", book[1])):
        assert [held.label for held in two.pools[name].positions] == [p.label]
        assert two.needed(name).tolist() == two.needed(p.label).tolist()
    refused(ValueError, ["one shared pool", "2"], lambda: two.shared)
    refused(ValueError, [LONG, "long BTC-USD", "different currencies"], lambda: two.isolated)


def test_one_position_alone_is_not_the_same_in_both_modes_where_its_coin_is_cut():
    cut = replace(FULL, tiers=TENTH.tiers, assets={"USDT": Asset(haircut=0.2), "USD": Asset()})
    found = survival(cut, ONE, PATHS, margin="USDT")
    assert found.needed(LONG).item() == pytest.approx(19)
    assert found.needed("cross").item() == pytest.approx(10 + 9 / 0.8)  # 10 are lost before the haircut
    beside = survival(replace(cut, unrealised="beside"), ONE, PATHS, margin="USDT")
    assert beside.needed("cross").item() == pytest.approx(19 / 0.8)
    assert found.shared == "cross" and not found.pools["cross"].isolated and found.pools[LONG].isolated


# ------------------------------------------------------------- what must hold


@pytest.mark.parametrize("which", ["flat", "coin"])
def test_twice_the_size_needs_twice_the_capital(which):
    venue, book = BOOKS[which]
    twice = [replace(p, quantity=2 * p.quantity) for p in book]
    rates = {p.instrument.symbol: SPARSE for p in book}
    one, two = (survival(venue, held, walk(200), rates) for held in (book, twice))
    for name in one.pools:
        assert two.needed(name) == pytest.approx(2 * one.needed(name), rel=1e-11)
        assert two.gain[name] == pytest.approx(2 * one.gain[name], rel=1e-9, abs=1e-7)


def test_both_modes_see_the_same_paths(monkeypatch):
    drawn, real = [], recipe.Brownian.increments
    monkeypatch.setattr(recipe.Brownian, "increments", lambda self, block: drawn.append(block) or real(self, block))
    venue, book = BOOKS["flat"]
    found = survival(venue, book, walk(4_100, 3))
    assert drawn == [0, 1, 2] and {row.shape for row in found.trough.values()} == {(1, 4_100)}


# ------------------------------------------------------------- closed forms

DAYS = {"volatility": 0.8, "hours": 240}
MANY = 12_000


@pytest.mark.parametrize("quantity, margin", [(1, 6_000), (-1, 6_000), (1, 3_000), (-1, 12_000)])
@pytest.mark.parametrize("rate", [0.004, 0.03])
def test_the_share_liquidated_is_that_of_the_first_passage(quantity, margin, rate):
    venue = Venue("flat", tiers={"*": Tiers.flat(rate)})
    end = end_of(venue, LINEAR, quantity, 50_000, margin)
    found = survival(venue, [Position(LINEAR, quantity, 50_000)], walk(MANY, 240, 0.8, {"BTC": 50_000}, 5))
    gone = 1 - found.survived(margin, found.shared)
    want = first_passage(end / 50_000 - 1, **DAYS, steps=240)
    assert abs(gone - want) < 4 * math.sqrt(want * (1 - want) / MANY)
    assert 0.02 < want < 0.98


# -------------------------------------------------- however the work is cut up

WORK = [Position(LINEAR, 40, 50_000), Position(LINEAR, -1, 49_000), Position(ETHER, -900, 2_000)]


def worked(count=5_300, **words):
    venue = replace(venues.TEACHING_TIERS, hedge_mode=True)
    return survival(venue, WORK, walk(count, 40), {"BTC-USDT": SPARSE[:40]}, horizons=[9, 32], **words)


def test_chunks_and_slabs_make_no_difference(monkeypatch):
    whole = worked()
    for chunk in (1, 2_000, 5_000, 10**6):
        same(whole, worked(chunk=chunk))
    for slab in (1, 14_000, 10**6):
        monkeypatch.setattr(recipe, "SLAB", slab)
        same(whole, worked())


def test_more_paths_begin_with_the_fewer():
    few, more = worked(1_700), worked(2_300)
    for name in few.pools:
        assert np.array_equal(few.trough[name], more.trough[name][:, :1_700])
        assert np.array_equal(few.gain[name], more.gain[name][:1_700])


def test_an_interruption_keeps_what_is_complete(monkeypatch, capsys):
    whole, real, seen = worked(10_000), kernel.troughs, []

    def troughs(book, block):
        seen.append(block)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(book, block)

    monkeypatch.setattr(kernel, "troughs", troughs)
    part = worked(10_000, chunk=2_000)
    assert capsys.readouterr().out == "Interrupted: this is the answer of 4,000 of 10,000 paths.\n"
    assert part.number.tolist() == list(range(4_000)) and seen == [0, 1, 2]
    assert part.needed(part.shared).tolist() == whole.needed(whole.shared)[:4_000].tolist()
    assert all(np.array_equal(part.gain[name], whole.gain[name][:4_000]) for name in whole.pools)


def test_interrupted_before_anything_is_complete(monkeypatch, capsys):
    def troughs(book, block):
        raise KeyboardInterrupt

    monkeypatch.setattr(kernel, "troughs", troughs)
    with pytest.raises(KeyboardInterrupt):
        worked()
    assert capsys.readouterr().out == ""


def test_more_steps_take_no_more_memory():
    code = """
import tracemalloc
import numpy as np
from marginlab import Perpetual, Position, venues
from marginlab.market.paths import Brownian
from marginlab.market.survival import survival
book = [Position(Perpetual("BTC-USDT", "BTC", "USDT"), 40, 5e4), Position(Perpetual("ETH-USDT", "ETH", "USDT"), 9, 2e3)]
peaks = []
for steps in (50, 500, 5_000):
    paths = Brownian({"BTC": 5e4, "ETH": 2e3}, steps, 2_000, volatility=1, rng=np.random.default_rng(1))
    tracemalloc.start()
    survival(venues.TEACHING_TIERS, book, paths, {"BTC-USDT": 0.0001})
    peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
    tracemalloc.stop()
print(*peaks)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    _, few, many = map(float, found.stdout.split())
    assert many < 1.1 * few and many < 40  # the prices alone would be 160


# ------------------------------------------------------------------- refusals

ONE = [Position(LINEAR, 1, 100)]
PATHS = given([90, 100, 95])


def asked(venue=TENTH, book=ONE, paths=PATHS, *args, **words):
    return lambda: survival(venue, book, paths, *args, **words)


@pytest.mark.parametrize("error, words, ask", [
    (TypeError, ["book", "Position"], asked(book=[])),
    (TypeError, ["book", "Position"], asked(book=[LINEAR])),
    (TypeError, ["venue", "Venue"], asked(venue="Binance")),
    (TypeError, ["paths", "Paths"], asked(paths=[1, 2])),
    (ValueError, ["book", "each side of a contract once"], asked(book=[*ONE, Position(LINEAR, 2, 90)])),
    (ValueError, ["together", LONG, "short BTC-USDT"], asked(together=["short BTC-USDT"])),
    (ValueError, ["margin must name", "multi-currency"], asked(FULL)),
    (ValueError, ["margin='BTC'", "a tenth", "settlement currency"], asked(margin="BTC")),
    (Refused, ["DOGE"], asked(FULL, margin="DOGE")),
    (ValueError, ["paths must have a price of BTC", "ETH"], asked(paths=Given({"ETH": 1}, given={"ETH": [1.0]}))),
    (ValueError, ["paths must have a price of ETH", "they are of BTC"],
     asked(replace(FULL, assets={"*": Asset()}), margin="ETH")),
    (TypeError, ["rates must be a mapping"], asked(rates=[0.1])),
    (ValueError, ["rates must be of the book", "ETH-USDT"], asked(rates={ETHER: 0.1})),
    (ValueError, ["rates of BTC-USDT", "3", "(2,)"], asked(rates={LINEAR: [0.1, 0.1]})),
    (ValueError, ["rates of BTC-USDT", "(1, 3)"], asked(rates={LINEAR: [[0.1, 0.1, 0]]})),
    (ValueError, ["rates of BTC-USDT", "nan"], asked(rates={LINEAR: [0.1, math.nan, 0]})),
    (TypeError, ["rates of BTC-USDT"], asked(rates={LINEAR: "much"})),
    (ValueError, ["horizons", "0"], asked(horizons=0)),
    (ValueError, ["horizons", "4"], asked(horizons=4)),
    (ValueError, ["horizons"], asked(horizons=1.5)),
    (ValueError, ["horizons", "2.5"], asked(horizons=[2.5])),
    (ValueError, ["horizons", "0"], asked(horizons=[0, 2])),
    (ValueError, ["horizons", "4"], asked(horizons=[4])),
    (ValueError, ["horizons", "'all'"], asked(horizons="all")),
    (ValueError, ["horizons", "True"], asked(horizons=True)),
    (ValueError, ["horizons", "nan"], asked(horizons=[math.nan])),
    (ValueError, ["horizons", "inf"], asked(horizons=[math.inf])),
    (ValueError, ["horizons", "all"], asked(horizons=["all"])),
    (ValueError, ["horizons", "None"], asked(horizons=None)),
    (ValueError, ["chunk", "0"], asked(chunk=0)),
    (ValueError, ["chunk", "2000.0"], asked(chunk=2000.0)),
    (ValueError, ["chunk", "True"], asked(chunk=True)),
    (TypeError, ["executor", "4"], asked(executor=4)),
    (ValueError, ["together", "5"], asked(together=[5])),
    (ValueError, ["together", "5"], asked(together=5)),
    (ValueError, ["together", "list of labels"], asked(together=LONG)),
    (ValueError, ["together", "list of labels", "''"], asked(together="")),
    (TypeError, ["margin", "5"], asked(margin=5)),
    (TypeError, ["book", "Position"], asked(book=5)),
    (ValueError, ["book", "each contract once", "a tenth has no hedge mode"],
     asked(book=[*ONE, Position(LINEAR, -1, 100)])),
    (ValueError, ["paths must be of indices and coins", "BTC-USDT"],
     asked(paths=Given({"BTC": 100, "BTC-USDT": 100}, given={"BTC": [90.0], "BTC-USDT": [91.0]}))),
])  # fmt: skip
def test_what_cannot_be_meant_is_refused(error, words, ask):
    refused(error, words, ask)


@pytest.mark.parametrize("words, ask", [
    (["bankruptcy"], asked(replace(TENTH, fee=0.001, fee_at="bankruptcy"))),
    (["account pays the funding", LONG],
     asked(replace(TENTH, funding=Funding(charged_to="account")), rates={LINEAR: 0.001})),
    (["haircut on BTC"], asked(replace(FULL, assets={"*": Asset(haircut=1.0)}), margin="BTC")),
    (["haircut on BTC"], asked(replace(FULL, assets={"*": Asset(haircut=Tiers(((0, 0.1), (5, 0.2))))}), margin="BTC")),
    (["funding in USDT"], asked(venues.TEACHING_MULTI, margin="BTC", rates={LINEAR: 0.001})),
    (["funding in USDT"], asked(replace(FULL, assets={"*": Asset(debt_weight=1.1)}), margin="USDT", rates={LINEAR: 1})),
    (["funding in USDT"], asked(replace(FULL, assets={"*": Asset(haircut=0.1)}), margin="BTC", rates={LINEAR: 1})),
    (["funding in USDT", "or bears interest"],
     asked(replace(FULL, assets={"*": Asset(rate=0.1)}), margin="USDT", rates={LINEAR: 0.1})),
])  # fmt: skip
def test_where_a_condition_fails_it_says_which(words, ask):
    refused(ValueError, ["would not hold for every margin", "outcomes()", *words], ask)


@pytest.mark.parametrize("reason, rule", [
    ("part by part", {"liquidation": process(partial="tiers")}),
    ("part by part", {"liquidation": process(scope="position")}),
    ("returns what is left", {"surplus_to": TRADER}),
])  # fmt: skip
def test_what_of_a_pool_is_lost_is_not_always_known(reason, rule):
    found = survival(replace(TENTH, **rule), ONE, PATHS)
    assert found.needed(LONG).item() == pytest.approx(19)
    for ask in (lambda: found.worth(30, LONG), lambda: found.summary(30, {"all": LONG})):
        refused(ValueError, [reason, LONG, "outcomes()"], ask)


def test_what_a_haircut_kept_out_is_not_lost():
    found = survival(CUT, ONE, PATHS, margin="BTC")
    refused(ValueError, ["haircut on BTC", "returned"], lambda: found.worth(1, "cross"))
    assert found.worth(30, LONG).tolist() == pytest.approx([25])  # in USDT, without one
    two = survival(CUT, [*ONE, Position(INVERSE, -1, 100)], PATHS, margin="BTC", together=["short BTC-USD"])
    refused(ValueError, ["different currencies"], lambda: two.needed({LONG: 0.5, "cross": 0.5}))


@pytest.mark.parametrize("error, words, ask", [
    (ValueError, ["split", "long DOGE"], lambda s: s.needed("long DOGE")),
    (TypeError, ["split"], lambda s: s.needed([LONG])),
    (TypeError, ["split"], lambda s: s.needed({})),
    (TypeError, ["split"], lambda s: s.needed(None)),
    (ValueError, ["split", "1.1"], lambda s: s.needed({LONG: 0.5, "short ETH-USDT": 0.6})),
    (ValueError, ["split", "at most 1"], lambda s: s.needed({LONG: 0.5, "short ETH-USDT": 0.5 + 1e-8})),
    (ValueError, [f"share of {LONG}", "0"], lambda s: s.needed({LONG: 0})),
    (ValueError, [f"share of {LONG}", "-0.5"], lambda s: s.needed({LONG: -0.5})),
    (ValueError, [f"share of {LONG}", "nan"], lambda s: s.needed({LONG: math.nan})),
    (TypeError, [f"share of {LONG}", "'half'"], lambda s: s.needed({LONG: "half"})),
    (ValueError, ["horizon", "2", "1"], lambda s: s.needed(LONG, 1)),
    (ValueError, ["capital", "0"], lambda s: s.survived(0, LONG)),
    (ValueError, ["capital", "-1"], lambda s: s.survived(np.array([1.0, -1.0]), LONG)),
    (ValueError, ["capital", "nan"], lambda s: s.survived(math.nan, LONG)),
    (ValueError, ["capital", "0"], lambda s: s.worth(0, LONG)),
    (ValueError, ["capital", "0"], lambda s: s.liquidated_by(0, LONG)),
    (ValueError, ["capital", "-3"], lambda s: s.summary(-3, {"all": LONG})),
    (ValueError, ["worst", "0"], lambda s: s.summary(3, {"all": LONG}, worst=0)),
    (ValueError, ["worst", "2"], lambda s: s.summary(3, {"all": LONG}, worst=2)),
    (ValueError, ["share", "0"], lambda s: s.capital_for(0, LONG)),
    (ValueError, ["share", "1.01"], lambda s: s.capital_for(1.01, LONG)),
    (ValueError, ["share"], lambda s: s.capital_for([0.5, 0.0], LONG)),
    (ValueError, ["share", "nan"], lambda s: s.capital_for(math.nan, LONG)),
    (TypeError, ["splits", "words"], lambda s: s.summary(30, [LONG])),
    (ValueError, ["split", "each position once", LONG], lambda s: s.needed({LONG: 0.5, "cross USDT": 0.5})),
    (ValueError, ["split", "each position once"], lambda s: s.worth(30, {"cross USDT": 0.1, "short ETH-USDT": 0.1})),
    (ValueError, ["split", "each position once"], lambda s: s.summary(30, {"both": {LONG: 0.5, "cross USDT": 0.5}})),
])  # fmt: skip
def test_questions_that_cannot_be_meant_are_refused(error, words, ask):
    refused(error, words, lambda: ask(pair()))
