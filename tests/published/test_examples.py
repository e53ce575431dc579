"""Worked examples of cross pools, haircuts, debts and interest that venues print, through the public API.

Each function sets one up as its page does and returns pairs of (what the page says, what we say, half a unit of the
last digit that it prints).
"""

from dataclasses import replace

import pytest

from marginlab import Account, Asset, Interest, Perpetual, Pool, Position, Spot, Tiers, Venue, venues

EXAMPLES = {}
SINGLE = Venue("single-currency")
MULTI = Venue("multi-currency", account_mode="multi-currency", assets={"USD": Asset()})
PAIR = Spot("BTC/USDT")


def example(source):
    def keep(function):
        EXAMPLES[function.__name__] = function, source
        return function

    return keep


@example("binance.com FAQ f6b010588e55413aa58b7d63ee0125ed: liquidation at assets / debts = 1.1")
def binance_cross_margin():
    venue = replace(SINGLE, assets={"*": Asset(loan=Tiers.flat(0.1, leverage=5))})
    pool = Pool("BTC", {"BTC": 1, "USDT": -20_000}, (), venue, {"BTC": 30_000})
    yield 22_000, pool.liquidation("BTC").below.price, 1e-9
    one = replace(MULTI, assets={"BTC": Asset(), "USDT": Asset(loan=Tiers.flat(0.1, leverage=5))})
    account = Account(one, USDT=10_000).trade(PAIR, 1, 30_000, borrow="USDT")
    yield 20_000, -account.cross.collateral["USDT"], 1e-9
    yield 22_000, account.cross.liquidation("BTC").below.price, 1e-9


@example("MEXC margin: risk rate 105 %, 0.1 BTC borrowed and sold at 50,000; mirrored at prjmp.com/7828.html")
def mexc_short():
    venue = replace(SINGLE, assets={"*": Asset(loan=Tiers.flat(0.05), rate=0.000033)}, interest=Interest(per=1))
    account = Account(venue, USDT=1_000).trade(PAIR, -0.1, 50_000, isolated=1_000, borrow="BTC").accrue(1)
    pool = account[PAIR]
    yield 57_141, pool.liquidation("BTC").above.price, 0.5
    yield 1.20, 1 + 0.05 * pool.margin_ratio(), 0.005
    yield 1.0909, 1 + 0.05 * pool.margin_ratio(BTC=55_000), 0.00005


@example("blog.mexc.com: calculation and payment of interests in margin trading")
def mexc_interest():
    venue = replace(SINGLE, assets={"*": Asset(loan=Tiers.flat(0.05), rate=0.000033)}, interest=Interest(per=1))
    account = Account(venue, USDT=1_000).trade(PAIR, -0.1, 50_000, isolated=1_000, borrow="BTC")
    yield 0.1000033, -account.accrue(0.9)[PAIR].collateral["BTC"], 5e-8
    yield 0.100066, -account.accrue(19.5)[PAIR].collateral["BTC"], 5e-7


@example("help.crypto.com 4642940: 0.052 % a day, by the hour and compound; the older page: simple, hours started")
def crypto_com_interest():
    venue = replace(SINGLE, assets={"*": Asset(loan=Tiers.flat(0.05), rate=0.00052)})
    account = Account(venue, BTC=1).trade(PAIR, 0.02, 50_000, isolated=True, leverage=5, borrow="USDT")
    yield 1_000.04333, -account.accrue(1).accrue(1)[PAIR].collateral["USDT"], 5e-6
    yield 0.06501, -account.accrue(2 + 10 / 60)[PAIR].collateral["USDT"] - 1_000, 1e-5


@example("binance.zendesk.com 360030157812: 0.02 % a day, the hours of the clock that were touched")
def binance_interest():
    yield 0.01666667, Interest().due(1_000, 0.0002, 2), 5e-9


@example("rightbtc.zendesk.com 360046157651: one hour at once, and one for every hour")
def rightbtc_interest():
    venue = replace(
        SINGLE, assets={"*": Asset(loan=Tiers.flat(0.05), rate=0.0002)}, interest=Interest(per=1, opening=1)
    )
    rule = venue.interest
    yield 4, rule.at_once(10_000, 0.0002) + rule.due(10_000, 0.0002, 1), 1e-9
    account = Account(venue, BTC=1).trade(PAIR, 0.2, 50_000, isolated=True, leverage=5, borrow="USDT")
    yield 2, -account[PAIR].collateral["USDT"] - 10_000, 1e-9


@example("Bitget, cross margin collateral ratios: of coins by their number, of USDT by its value")
def bitget_collateral():
    apt = Asset(haircut=Tiers(((0, 0.2), (50_000, 1.0)), basis="quantity"))
    btc = Asset(haircut=Tiers(((0, 0.0), (5_000_000, 0.02))))
    usdt = Asset(haircut=Tiers(((0, 0.0), (5_000_000, 0.02), (10_000_000, 0.025))))
    venue = replace(MULTI, assets={"BTC": btc, "APT": apt, "USDT": usdt})
    yield 90_000, Account(venue, BTC=1, APT=60_000).mark(BTC=50_000, APT=1).cross.equity(), 1e-6
    yield 10_875_000, Account(venue, USDT=11_000_000).cross.equity(), 1e-6


@example("MEXC, multi-asset collateral: 90 % of one BTC and 80 % of the next")
def mexc_collateral():
    venue = replace(MULTI, assets={"BTC": Asset(haircut=Tiers(((0, 0.1), (1, 0.2)), basis="quantity"))})
    yield 1.7, Pool("USD", {"BTC": 2}, (), venue, {"BTC": 50_000}).equity() / 50_000, 1e-12
    yield 0.9, Pool("BTC", {"BTC": 1}, (), venue, {"BTC": 50_000}).equity(), 1e-12


@example("binance.com FAQ c983a9268cfa4e70a4916c276bb3b7bc: equity at the bid rate, margins at the ask rate")
def binance_multi_assets():
    ask = 1.005  # of the index; where a margin is charged at it, its rate is so much higher
    venue = replace(MULTI, assets={"USDT": Asset(haircut=0.01, debt_weight=ask), "USDC": Asset()})
    marks = {"USDT": 0.99}
    empty = Pool("USD", {"USDT": 200, "USDC": 220}, (), venue, marks)
    yield 416.02, empty.equity(), 1e-9
    yield 418.13, empty.available() / (0.99 * ask), 0.005
    btc = Perpetual("BTCUSDT", "BTC", "USDT", tiers=Tiers.flat(0.008 * ask))
    eth = Perpetual("ETHUSDC", "ETH", "USDC", tiers=Tiers.flat(0.01))
    pool = replace(empty, positions=[Position(btc, 0.5, 20_000, 100 / ask), Position(eth, 20, 600, 50)])
    yield 199.596, pool.requirement(), 1e-9
    yield 0.4798, 1 / pool.margin_ratio(), 0.00005
    yield 76.525, pool.available(), 1e-9


@example("kucoin.com/support/35233217061785: risk rate in cross margin, an open order counted as if it were filled")
def kucoin_risk_rate():
    venue = replace(SINGLE, fee=0.0006, fee_at="price")
    btc = Perpetual("BTC-USDT", "BTC", "USDT", face=0.001, tiers=Tiers.flat(0.005))
    eth = Perpetual("ETH-USDT", "ETH", "USDT", face=0.01, tiers=Tiers.flat(0.008))
    opening = 3_000 * 0.01 * 1_000 * 0.0006
    pool = Pool("USDT", {"USDT": 5_000 - opening}, (Position(btc, 100, 62_000), Position(eth, -1_000, 3_000)), venue)
    yield 0.0588, 1 / pool.margin_ratio(), 0.00005


@example("ccxt ts/src/test/static/response/okx.json@02140ad047b4047caf72b2e8a98f99e3297a5398: a whole balance")
def okx_discounted_equity():
    held = {  # equity in coins, in USD, and discounted
        "BTC": (1.06126645222, 125092.85636955927, 122590.9992421681),
        "ETH": (5, 14965.25, 14665.945000000002),
        "OKB": (100, 4981.6, 4483.4400000000005),
        "UNI": (500, 4441.5, 3775.2749999999996),
        "PAX": (3_000, 3000.3, 0.0),
        "USDK": (3_000, 3000.0, 0.0),
        "USDC": (2973.521, 2973.2236479000003, 2913.7591749420003),
        "TRX": (10_000, 2970, 2524.5),
        "LTC": (10.29979, 996.2986867000001, 946.483752365),
        "ADA": (1_000, 747.68, 672.912),
        "USDT": (0.000258796, 0.0002588348194, 0.0002588348194),
    }
    more = {"BTC": 0.02, "ETH": 0.02, "LTC": 0.05, "ADA": 0.1}
    assets = {**venues.OKX_MULTI.assets, **{coin: Asset(haircut=haircut) for coin, haircut in more.items()}}
    venue, marks = replace(venues.OKX_MULTI, assets=assets), {coin: usd / n for coin, (n, usd, _) in held.items()}
    whole = Account(venue, **{coin: n for coin, (n, _, _) in held.items()}).mark(**marks).cross
    yield sum(discounted for _, _, discounted in held.values()), whole.equity(), 1e-6
    yield sum(usd for _, usd, _ in held.values()), whole.worth(), 1e-6
    for coin, (n, _, discounted) in held.items():
        yield discounted, Pool("USD", {coin: n}, (), venue, {coin: marks[coin]}).equity(), 1e-6


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    worked, source = EXAMPLES[name]
    pairs = list(worked())
    assert pairs
    for printed, ours, half in pairs:
        assert ours == pytest.approx(printed, rel=1e-12, abs=half), source
