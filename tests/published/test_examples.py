"""Worked examples of cross pools, haircuts, debts, interest and funding that venues print.

Each function sets one up as its page does, through the public API, and returns pairs of (what the
page says, what we say, half a unit of the last digit that it prints).
"""

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
    replace,
    steps,
    venues,
)

EXAMPLES = {}
SINGLE = Venue("single-currency")
MULTI = replace(SINGLE, account_mode="multi-currency", assets={"USD": Asset()})
PAIR, ONE = Spot("BTC/USDT"), Perpetual("ONE-USDT", "ONE", "USDT", tiers=Tiers.flat(0.005))
DAY = (0, 24)  # hours


def example(source):
    def keep(function):
        EXAMPLES[function.__name__] = function, source
        return function

    return keep


def lending(mmr, rate=0.0, **interest):
    """A venue that lends every coin at a maintenance rate, for interest."""
    assets = {"*": Asset(loan=Tiers.flat(mmr), rate=rate)}
    return replace(SINGLE, assets=assets, interest=Interest(**interest))


def cut(*rows, basis="notional"):
    """A currency with a haircut in tiers."""
    return Asset(haircut=Tiers(rows, basis=basis))


@example("binance.com FAQ f6b010588e55413aa58b7d63ee0125ed: liquidation at assets / debts = 1.1")
def binance_cross_margin():
    pool = Pool("BTC", {"BTC": 1, "USDT": -20_000}, (), lending(0.1), {"BTC": 30_000})
    yield 22_000, pool.liquidation("BTC").below.price, 1e-9
    one = replace(MULTI, assets={"BTC": Asset(), "USDT": Asset(loan=Tiers.flat(0.1, leverage=5))})
    account = Account(one, USDT=10_000).trade(PAIR, 1, 30_000, borrow="USDT")
    yield 20_000, -account.cross.collateral["USDT"], 1e-9
    yield 22_000, account.cross.liquidation("BTC").below.price, 1e-9


@example("MEXC margin: risk rate 105 %, 0.1 BTC borrowed and sold at 50,000; prjmp.com/7828.html")
def mexc_short():
    account = Account(lending(0.05, 0.000033, per=1), USDT=1_000)
    pool = account.trade(PAIR, -0.1, 50_000, isolated=1_000, borrow="BTC").accrue(1)[PAIR]
    yield 57_141, pool.liquidation("BTC").above.price, 0.5
    yield 1.20, 1 + 0.05 * pool.margin_ratio(), 0.005
    yield 1.0909, 1 + 0.05 * pool.margin_ratio(BTC=55_000), 0.00005


@example("blog.mexc.com: calculation and payment of interests in margin trading")
def mexc_interest():
    account = Account(lending(0.05, 0.000033, per=1), USDT=1_000)
    account = account.trade(PAIR, -0.1, 50_000, isolated=1_000, borrow="BTC")
    yield 0.1000033, -account.accrue(0.9)[PAIR].collateral["BTC"], 5e-8
    yield 0.100066, -account.accrue(19.5)[PAIR].collateral["BTC"], 5e-7


@example("help.crypto.com 4642940: 0.052 % a day, hourly and compound; the older page: simple")
def crypto_com_interest():
    how = {"isolated": True, "leverage": 5, "borrow": "USDT"}
    account = Account(lending(0.05, 0.00052), BTC=1).trade(PAIR, 0.02, 50_000, **how)
    yield 1_000.04333, -account.accrue(1).accrue(1)[PAIR].collateral["USDT"], 5e-6
    yield 0.06501, -account.accrue(2 + 10 / 60)[PAIR].collateral["USDT"] - 1_000, 1e-5


@example("binance.zendesk.com 360030157812: 0.02 % a day, the hours of the clock that were touched")
def binance_interest():
    yield 0.01666667, Interest().due(1_000, 0.0002, 2), 5e-9


@example("rightbtc.zendesk.com 360046157651: one hour at once, and one for every hour")
def rightbtc_interest():
    venue = lending(0.05, 0.0002, per=1, opening=1)
    charged = venue.interest.at_once(10_000, 0.0002) + venue.interest.due(10_000, 0.0002, 1)
    yield 4, charged, 1e-9
    how = {"isolated": True, "leverage": 5, "borrow": "USDT"}
    account = Account(venue, BTC=1).trade(PAIR, 0.2, 50_000, **how)
    yield 2, -account[PAIR].collateral["USDT"] - 10_000, 1e-9


@example("Bitget, cross margin collateral ratios: of coins by their number, of USDT by its value")
def bitget_collateral():
    btc, apt = cut((0, 0.0), (5_000_000, 0.02)), cut((0, 0.2), (50_000, 1.0), basis="quantity")
    usdt = cut((0, 0.0), (5_000_000, 0.02), (10_000_000, 0.025))
    venue = replace(MULTI, assets={"BTC": btc, "APT": apt, "USDT": usdt})
    both = Account(venue, BTC=1, APT=60_000).mark(BTC=50_000, APT=1)
    yield 90_000, both.cross.equity(), 1e-6
    yield 10_875_000, Account(venue, USDT=11_000_000).cross.equity(), 1e-6


@example("MEXC, multi-asset collateral: 90 % of one BTC and 80 % of the next")
def mexc_collateral():
    venue = replace(MULTI, assets={"BTC": cut((0, 0.1), (1, 0.2), basis="quantity")})
    yield 1.7, Pool("USD", {"BTC": 2}, (), venue, {"BTC": 50_000}).equity() / 50_000, 1e-12
    yield 0.9, Pool("BTC", {"BTC": 1}, (), venue, {"BTC": 50_000}).equity(), 1e-12


@example("binance.com FAQ c983a9268cfa4e70a4916c276bb3b7bc: equity at the bid, margins at the ask rate")
def binance_multi_assets():
    ask = 1.005  # of the index; where a margin is charged at it, its rate is so much higher
    assets = {"USDT": Asset(haircut=0.01, debt_weight=ask), "USDC": Asset()}
    held = {"USDT": 200, "USDC": 220}
    empty = Pool("USD", held, (), replace(MULTI, assets=assets), {"USDT": 0.99})
    yield 416.02, empty.equity(), 1e-9
    yield 418.13, empty.available() / (0.99 * ask), 0.005
    btc = Perpetual("BTCUSDT", "BTC", "USDT", tiers=Tiers.flat(0.008 * ask))
    eth = Perpetual("ETHUSDC", "ETH", "USDC", tiers=Tiers.flat(0.01))
    positions = [Position(btc, 0.5, 20_000, 100 / ask), Position(eth, 20, 600, 50)]
    pool = replace(empty, positions=positions)
    yield 199.596, pool.requirement(), 1e-9
    yield 0.4798, 1 / pool.margin_ratio(), 0.00005
    yield 76.525, pool.available(), 1e-9


@example("kucoin.com/support/35233217061785: risk rate in cross, an open order counted as if filled")
def kucoin_risk_rate():
    btc = Perpetual("BTC-USDT", "BTC", "USDT", face=0.001, tiers=Tiers.flat(0.005))
    eth = Perpetual("ETH-USDT", "ETH", "USDT", face=0.01, tiers=Tiers.flat(0.008))
    venue = replace(SINGLE, fee=0.0006, fee_at="price", trading_fee=0.0006)
    account = Account(venue, USDT=5_000).trade(btc, 100, 62_000, fee=0)  # it was open before
    account = account.trade(eth, -1_000, 3_000)
    yield 18, -account.events[-1].flows["trader"], 1e-9
    yield 0.0588, 1 / account.cross.margin_ratio(), 0.00005


@example("ccxt ts/src/test/static/response/okx.json@02140ad047b4047caf72b2e8a98f99e3297a5398: all held")
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
    more = {coin: Asset(haircut=haircut) for coin, haircut in more.items()}
    venue = replace(venues.OKX_MULTI, assets={**venues.OKX_MULTI.assets, **more})
    coins = {coin: n for coin, (n, _, _) in held.items()}
    marks = {coin: usd / n for coin, (n, usd, _) in held.items()}
    whole = Account(venue, **coins).mark(**marks).cross
    yield sum(discounted for _, _, discounted in held.values()), whole.equity(), 1e-6
    yield sum(usd for _, usd, _ in held.values()), whole.worth(), 1e-6
    for coin, (n, _, discounted) in held.items():
        alone = Pool("USD", {coin: n}, (), venue, {coin: marks[coin]})
        yield discounted, alone.equity(), 1e-6


# ----------------------------------------------------------------------- funding


@example("blog.btcmex.com/funding-and-funding-rate/: I - P within 0.05 % makes F = I; 04, 12, 20 UTC")
def bitmex_damper():
    rule = venues.XBTUSD_FUNDING
    for premium in (-0.0004, 0.0, 0.0001, 0.0003, 0.0006):
        yield 0.0001, rule.rate(premium), 1e-12
    for premium, rate in ((0.0007, 0.0002), (-0.0005, 0.0), (-0.0007, -0.0002)):
        yield rate, rule.rate(premium), 1e-12
    for hour, ours in zip((4, 12, 20), rule.times(*DAY), strict=True):
        yield hour, ours, 0


@example("blog.bitmex.com, bitcoin-usd-swap-funding-rate-calculation-changes: 0.01 %, 0.03 % a day")
def bitmex_interest():
    rule = venues.XBTUSD_FUNDING
    yield 0.0001, rule.rate(0.0), 1e-12
    yield 0.0003, rule.rate(0.0) * rule.periods(*DAY), 1e-12


@example("blog.bitmex.com, important-changes-to-bitcoin-usd-swap-funding: most in a day, at 8 and 2 h")
def bitmex_most_in_a_day():
    for premium, side in ((0.5, 1), (-0.5, -1)):  # the cap: 75 % of initial less maintenance margin
        yield side * 0.75 * (0.01 - 0.005), venues.XBTUSD_FUNDING.rate(premium), 1e-12
        for interval, most in ((8, 0.01125), (2, 0.0450)):
            rule = replace(venues.XBTUSD_FUNDING, interval=interval)
            yield side * most, rule.rate(premium) * rule.periods(*DAY), 1e-12
            yield side * most, rule.annual(rule.rate(premium)) / 365, 1e-12


@example("helpcenter.bit.com 11036577404313: two rows of an example, and the limit of 0.5 %")
def bit_com_dead_band():
    rule, first, second = venues.BITCOM_FUNDING, (55_143.54, 55_131.00), (55_140.87, 55_190.03)
    for row, printed, rate in ((first, 0.00023, 0), (second, 0.00089, 0.00039)):
        found = funding.premium(*row)
        yield printed, abs(found), 5e-6
        yield rate, rule.rate(found), 5e-6
    yield 0.005, rule.rate(0.01), 1e-12
    yield -0.005, rule.rate(-0.01), 1e-12


@example("binance.com announcement c00588a7e8504b3eb28d02a2da00530b: F / (8 / N); 0.03 % a day")
def binance_intervals():
    for premium in (0.002, -0.002):
        yield Funding().rate(premium) / 2, Funding(interval=4).rate(premium), 1e-12
    for hours, rate in ((8, 0.0001), (4, 0.00005), (1, 0.0000125)):
        rule = Funding(interval=hours)
        yield rate, rule.rate(0.0), 1e-12
        yield 0.0003, rule.rate(0.0) * rule.periods(*DAY), 1e-12
    for hour, ours in zip((0, 8, 16), Funding().times(-1, 23), strict=True):
        yield hour, ours, 0


@example("Hyperliquid docs, Funding: an eighth every hour; 11.6 % a year; 100 above 10,000: 0.95 %")
def hyperliquid_hourly():
    rule, premium = venues.HYPERLIQUID_FUNDING, funding.premium(10_000, 10_100)
    yield 0.01, premium, 1e-12
    yield 0.0095, Funding().rate(premium), 1e-12
    yield 0.0095 / 8, rule.rate(premium), 1e-12
    yield 0.0000125, rule.rate(0.0), 1e-12
    yield 0.116, (1 + rule.rate(0.0)) ** rule.periods(0, 8_760) - 1, 5e-4
    yield 0.1095, rule.annual(rule.rate(0.0)), 1e-9


@example("okx.com/help/360053909272: the average premium, within 0.375 % for BTC; interest is 0")
def okx_bounds():
    for premium, rate in ((0.01, 0.00375), (-0.01, -0.00375), (0.0021, 0.0021), (0.0, 0.0)):
        yield rate, venues.OKX_FUNDING_2024.rate(premium), 1e-12


@example("binance.bh square, FundingRate: a short of 10,000 at 1 with margin 500, 0.05 % every 8 hours")
def funding_alone():
    for maintenance, left in ((0.0, 100), (0.01, 80)):  # the post leaves maintenance out
        contract = replace(ONE, tiers=Tiers.flat(maintenance))
        account = Account(SINGLE, USDT=500).trade(contract, -10_000, 1.0, isolated=500)
        yield 5, funding.due(account[contract], -0.0005), 1e-9  # the short pays: a negative rate
        after = [account, *steps(account, {contract: [-0.0005] * left})]
        for day, total in ((1, 15), (33, 495)):
            if 3 * day < left:
                yield total, 500 - after[3 * day].balances()["USDT"], 1e-9
                yield 0, len(after[3 * day].liquidations), 0
        yield left, funding.payments_left(account[contract], -0.0005), 0
        yield 0, len(after[left - 1].liquidations), 0
        yield 1, len(after[left].liquidations), 0
        yield float("inf"), funding.payments_left(account[contract], 0.0005), 0  # an income


@example("Bybit help centre 000001391: from the available balance, then from the position's margin")
def bybit_available_first():
    account = Account(venues.BYBIT_CLASSIC, USDT=115).trade(ONE, 10, 100, isolated=100)
    before = account[ONE].liquidation().price
    for rate, available, margin in ((0.01, 5, 100), (0.015, 0, 100), (0.02, 0, 95), (0.05, 0, 65)):
        after = account.pay_funding(ONE, rate)
        yield available, after.cross.collateral["USDT"], 1e-9
        yield margin, after[ONE].collateral["USDT"], 1e-9
        yield before + (100 - margin) / 10, after[ONE].liquidation().price, 1e-9  # nearer
    own = replace(venues.BYBIT_CLASSIC, funding=Funding())
    after = Account(own, USDT=115).trade(ONE, 10, 100, isolated=100).pay_funding(ONE, 0.02)
    yield 15, after.cross.collateral["USDT"], 1e-9
    yield 80, after[ONE].collateral["USDT"], 1e-9


@example("bybit.com help, Funding-fee-calculation: margin below 0, carried by unrealised profit")
def bybit_negative_margin():
    account = Account(venues.BYBIT_CLASSIC, USDT=105).trade(ONE, 10, 100, isolated=100)
    after = account.mark(ONE=120).pay_funding(ONE, 0.1).at()
    yield -15, after[ONE].collateral["USDT"], 1e-9
    yield 185, after[ONE].equity(), 1e-9
    yield 0, len(after.liquidations), 0


@example("help.dydx.exchange 3937624: F = (-1) * R * (T / 8 hours) * B * X, at the index price")
def dydx_every_second():
    venue = replace(SINGLE, funding=venues.DYDX_V3_FUNDING)
    contract = Perpetual("ONE-USD", "ONE", "USDC", tiers=Tiers.flat(0.01))
    yield 0.0001, venue.funding.rate(0.0), 1e-12
    for balance in (10, -10):
        account = Account(venue, USDC=1_000).trade(contract, balance, 100)
        account = account.mark(ONE=100, **{"ONE-USD": 102})
        for hours in (1 / 3_600, 1, 8, 24):
            for rate in (0.0003, -0.0003):
                periods = venue.funding.periods(5.3, 5.3 + hours)
                after = account.pay_funding(contract, rate, periods)
                change = after.balances()["USDC"] - account.balances()["USDC"]
                yield -1 * rate * (hours / 8) * balance * 100, change, 1e-9


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    worked, source = EXAMPLES[name]
    pairs = list(worked())
    assert pairs
    for printed, ours, half in pairs:
        assert ours == pytest.approx(printed, rel=1e-12, abs=half), source
