"""An account as it stands: stated, or as four exchanges report it through ccxt (the dicts are made up)."""

import pytest

from marginlab import Account, Perpetual, Position, Spot, Tiers, from_ccxt, replace, venues
from tests.refusal import refused

BTC, ETH = Perpetual("BTC-USDT", "BTC", "USDT"), Perpetual("ETH-USDT", "ETH", "USDT")
COIN = Perpetual("BTC-USD", "BTC", "BTC", 100)
HEDGED = replace(venues.TEACHING, hedge_mode=True, both_modes=True)


def near(value):
    return pytest.approx(value, rel=1e-9, abs=1e-9)


# ------------------------------------------------------------------------ stated


def test_what_no_trade_could_have_made():
    account = Account.of(
        venues.TEACHING,
        {"USDT": -120.5, "BTC": 1},
        [Position(ETH, -3, 2_600), (Position(BTC, 0.1, 50_000, 10), 494.3), (Position(COIN, 500, 48_000), -0.01)],
        marks={"BTC": 50_500, "ETH": 2_500, "BTC-USDT": 50_400},
        pairs={"BTC/USDT": {"BTC": 0.3, "USDT": -9_000}},
        orders={"USDT": 40},
    )
    assert account.cross_in("USDT").equity() == near(-120.5 + 300) and account.cross_in("USDT").orders == 40
    assert account[BTC].isolated and account[BTC].equity() == near(494.3 + 40)
    assert account[COIN].worth() == near(-0.01 + 50_000 * (1 / 48_000 - 1 / 50_500))
    assert account[Spot("BTC/USDT"), "isolated"].equity() == near(0.3 - 9_000 / 50_500)
    assert account.balances() == {"USDT": near(-120.5 + 494.3 - 9_000), "BTC": near(1.29)}
    assert account.marks["BTC-USDT"] == 50_400 and not account.liquidations
    assert account.ledger()["trader"].tolist() == [-120.5, 1, 494.3, -0.01, 0.3, -9_000]
    assert [e.kind for e in account.events] == ["stated"] * 6


def test_it_goes_on_as_any_account_does():
    stated = Account.of(venues.TEACHING, {"USDT": 5_000}, [(Position(BTC, 1, 50_000, 10), 5_000)])
    traded = Account(venues.TEACHING, USDT=10_000).trade(BTC, 1, 50_000, isolated=True, leverage=10)
    for account in (stated, traded):
        after = account.transfer(1_000, "USDT", to=BTC).at(BTC=43_000)
        assert after.balances() == {"USDT": 4_000} and len(after.liquidations) == 1
    assert stated.trade(BTC, 1, 50_000, leverage=20)[BTC].positions[0].quantity == 2


def test_both_sides_and_both_modes_of_one_contract():
    long, short = Position(BTC, 1, 50_000, 10), Position(BTC, -2, 51_000, 10)
    account = Account.of(HEDGED, {"USDT": 9e3}, [(long, 5_000), (short, 9_000), Position(BTC, 0.5, 49_000)])
    assert account[BTC, "short"].isolated and account[BTC, "short"].collateral == {"USDT": 9_000}
    assert account[BTC, "isolated", "long"].positions == (long,)
    assert account[BTC, "cross"].positions[0].quantity == 0.5
    closed = account.trade(BTC, 2, 49_000, isolated=True, leg="short")
    assert closed.balances() == {"USDT": near(9_000 + 5_000 + 9_000 + 4_000)}


def test_a_multi_currency_account_and_an_empty_one():
    account = Account.of(venues.TEACHING_MULTI, {"BTC": 2, "USDT": -50_000}, [Position(BTC, 1, 50_000)])
    assert list(account.held) == [("cross", "USD")] and account.cross.equity() == near(90_000 - 50_000)
    assert Account.of(venues.TEACHING, {}).balances() == {"USD": 0}
    assert Account.of(venues.TEACHING, {}, [Position(COIN, 1, 50_000)]).cross.currency == "BTC"


def test_what_cannot_be_stated():
    position = Position(BTC, 1, 50_000)
    for error, words, given in (
        (TypeError, ["balances must be a mapping", "5"], (5,)),
        (TypeError, ["balance USDT", "'much'"], ({"USDT": "much"},)),
        (TypeError, ["positions must hold", "'BTC'"], ({}, ["BTC"])),
        (TypeError, ["wallet of long BTC-USDT", "None"], ({}, [(position, None)])),
        (ValueError, ["isolated long BTC-USDT once"], ({}, [(position, 5), (position, 6)])),
        (ValueError, ["price of BTC", "0"], ({}, [position], {"BTC": 0})),
        (ValueError, ["orders in USDT", "-1"], ({}, [position], None, None, {"USDT": -1})),
    ):
        refused(error, words, lambda given=given: Account.of(venues.TEACHING, *given))


# ---------------------------------------------------------- as exchanges report it

BINANCE = (  # wallets in the total, isolated ones too; strings; flat positions are listed
    {"info": {}, "USDT": {"free": 700.0, "used": 300.5, "total": 1000.5}, "total": {"USDT": "1000.5", "BNB": 0.0}},
    [
        {"symbol": "BTC/USDT:USDT", "side": "long", "contracts": 0.01, "contractSize": 1.0, "entryPrice": 60_000.0,
         "markPrice": 61_000.0, "marginMode": "isolated", "collateral": 70.0, "unrealizedPnl": 10.0, "leverage": 10},
        {"symbol": "ETH/USDT:USDT", "side": "short", "contracts": "0.3", "contractSize": "1", "entryPrice": "2500",
         "markPrice": "2450", "marginMode": "cross", "leverage": None, "hedged": True},
        {"symbol": "XRP/USDT:USDT", "side": None, "contracts": 0.0, "entryPrice": None, "marginMode": "cross"},
    ],
)  # fmt: skip
OKX = (  # equity in the total; hedge mode; contracts of 0.01 BTC; inverse ones of 100 USD
    {"total": {"USDT": 5_060.0, "BTC": 1.0}, "debt": {"USDT": None}},
    [
        {"symbol": "BTC/USDT:USDT", "side": "long", "contracts": 20.0, "contractSize": 0.01, "entryPrice": 50_000.0,
         "markPrice": 50_300.0, "marginMode": "cross", "unrealizedPnl": 60.0, "leverage": 5.0, "hedged": True},
        {"symbol": "BTC/USDT:USDT", "side": "short", "contracts": 10.0, "contractSize": 0.01, "entryPrice": 50_300.0,
         "markPrice": 50_300.0, "marginMode": "isolated", "unrealizedPnl": 0.0, "collateral": 503.0, "leverage": 10.0},
        {"symbol": "BTC/USD:BTC", "side": "short", "contracts": 200.0, "contractSize": 100.0, "entryPrice": 50_000.0,
         "markPrice": 50_000.0, "marginMode": "cross", "unrealizedPnl": 0.0, "leverage": 3.0},
    ],
)  # fmt: skip
HYPERLIQUID = (
    {"total": {"USDC": 2_000.0}},
    [{"symbol": "SOL/USDC:USDC", "side": "long", "contracts": 30.0, "contractSize": 1.0, "entryPrice": 150.0,
      "markPrice": 140.0, "marginMode": "cross", "unrealizedPnl": -300.0, "leverage": 10}],
)  # fmt: skip
MARGIN = ({"total": {"BTC": 1.2, "USDT": 300.0}, "debt": {"USDT": "20300", "BTC": 0}}, [])  # loans in a margin account


def test_four_exchanges():
    account = from_ccxt(venues.TEACHING, *BINANCE)
    assert account["BTC/USDT:USDT"].collateral == {"USDT": near(60)}
    assert account.cross.collateral == {"USDT": near(940.5)} and account.cross.equity() == near(955.5)
    assert account.marks == {"BTC": 61_000, "ETH": 2_450} and len(account.pools) == 2
    account = from_ccxt(HEDGED, *OKX, total="equity", marks={"BTC": 50_200})
    assert account.cross_in("USDT").collateral == {"USDT": near(5_060 - 60 - 503)}
    assert account["BTC/USDT:USDT", "isolated"].positions[0].quantity == -10
    assert account.cross_in("USDT").equity() == near(4_557) and account.cross_in("BTC").equity() == near(1)
    assert account.marks["BTC/USDT:USDT"] == 50_300 and account.marks["BTC/USD:BTC"] == 50_000
    assert account.cross_in("BTC").positions[0].instrument.inverse
    account = from_ccxt(venues.TEACHING, *HYPERLIQUID, total="equity")
    assert account.cross.collateral == {"USDC": near(2_300)} and account.cross.equity() == near(2_000)
    account = from_ccxt(venues.TEACHING, *MARGIN, marks={"BTC": 50_000})
    assert account.balances() == {"BTC": 1.2, "USDT": -20_000}


def test_cross_wallets_alone_and_a_venues_own_schedule():
    account = from_ccxt(venues.BINANCE_2026_09, BINANCE[0], BINANCE[1][:1], total="cross")
    assert account.cross.collateral == {"USDT": near(1_000.5)}
    assert account["BTC/USDT:USDT"].requirement() == near(0.004 * 610)


def test_a_missing_or_unknown_field_is_told_by_name():
    balance, (one, two, _) = BINANCE
    for name in ("symbol", "side", "contracts", "contractSize", "entryPrice", "markPrice", "marginMode", "collateral",
                 "unrealizedPnl"):  # fmt: skip
        for report in (one | {name: None}, {k: v for k, v in one.items() if k != name}):
            words = ["positions[1]", repr(name)]
            refused(ValueError, words, lambda report=report: from_ccxt(venues.TEACHING, balance, [two, report]))
    for name, value in (("side", "both"), ("marginMode", "portfolio"), ("symbol", "BTC/USDT"), ("symbol", "BTCUSDT"),
                        ("symbol", "BTC/USDT:USDT-261225"), ("contracts", -1)):  # fmt: skip
        refused(ValueError, [repr(name), str(value)], lambda n=name, v=value: from_ccxt(
            venues.TEACHING, balance, [one | {n: v}]))  # fmt: skip
    refused(ValueError, ["'unrealizedPnl'"], lambda: from_ccxt(venues.TEACHING, balance, [two], total="equity"))
    refused(ValueError, ["total must be one of", "'sum'"], lambda: from_ccxt(venues.TEACHING, balance, [], "sum"))
    refused(ValueError, ["balance", "'total'"], lambda: from_ccxt(venues.TEACHING, {"USDT": 5}))
    refused(
        TypeError, ["balance['total']['USDT']", "None"], lambda: from_ccxt(venues.TEACHING, {"total": {"USDT": None}})
    )
    refused(ValueError, ["marks must have a price of BTC", "50,000, 50,300"], lambda: from_ccxt(HEDGED, *OKX, "equity"))
    refused(TypeError, ["positions must be the list"], lambda: from_ccxt(venues.TEACHING, balance, {"a": 1}))
    bare = replace(venues.BINANCE_2026_09, tiers={"BTC-USDT": Tiers.flat(0.004)})
    refused(ValueError, ["no tier schedule", "BTC/USDT:USDT"], lambda: from_ccxt(bare, balance, [one]))
