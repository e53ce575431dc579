"""Venues as dated data: schedules and rules that exchanges published, and teaching ones."""

from dataclasses import replace

from .assets import Asset, Interest
from .process import Liquidation
from .published import (  # noqa: F401
    BITCOM_FUNDING,
    BTC_HYPERLIQUID,
    BTCUSD_COIN_2020_06,
    BTCUSDT_2024_10,
    BTCUSDT_2026_09,
    BTCUSDT_FUNDING,
    BYBIT_FUNDING,
    DERIBIT_FUNDING,
    DYDX_V3_FUNDING,
    HYPERLIQUID_FUNDING,
    KRAKEN_FUNDING,
    OKX_FUNDING_2024,
    XBTUSD_FUNDING,
)
from .tiers import Tiers
from .venue import TRADER, Venue

# --------------------------------------------------------------------- venues

# Loans at 5 % maintenance and at most 10x, as in Binance's portfolio margin table; the cap counts USD. 0.024 % a day is
# 0.001 % an hour.
LOAN = Tiers.flat(0.05, leverage=10, cap=10_000_000)
TEACHING = Venue(
    "teaching",
    tiers={"*": Tiers.flat(0.004, leverage=125)},
    assets={"*": Asset(loan=LOAN, rate=0.00024)},
    source="made for this course",
)
TEACHING_MULTI = replace(
    TEACHING,
    name="teaching, multi-currency",
    account_mode="multi-currency",
    assets={
        "BTC": Asset(haircut=0.1, loan=LOAN, rate=0.00024),
        "ETH": Asset(haircut=0.1, loan=LOAN, rate=0.00024),
        **dict.fromkeys(("USDT", "USDC", "USD"), Asset(loan=LOAN, rate=0.00024)),
    },
    hedge_mode=True,
    both_modes=True,
)
TEACHING_TIERS = Venue(
    "teaching, two tiers",
    tiers={"*": Tiers(((0, 0.005, 100), (1_000_000, 0.01, 50)))},
    source="made for this course",
)
TEACHING_STEPS = Venue(
    "teaching, four tiers",
    tiers={"*": Tiers(((0, 0.005, 100), (1_000_000, 0.01, 50), (5_000_000, 0.025, 20), (20_000_000, 0.05, 10)))},
    liquidation=Liquidation(partial="tiers"),
    source="made for this course",
)
BINANCE_2024_10 = Venue(
    "Binance USD-M",
    as_of="2024-10-24",
    source="Binance FAQ b3c689c1f50a44cabb3a84e663b81d93",
    hedge_mode=True,
    tiers={"BTC-USDT": BTCUSDT_2024_10},
)
BINANCE_2026_09 = Venue(
    "Binance USD-M",
    as_of="2026-09",
    source="Binance FAQ b3c689c1f50a44cabb3a84e663b81d93",
    hedge_mode=True,
    tiers={"BTC-USDT": BTCUSDT_2026_09},
    funding=BTCUSDT_FUNDING,
)
BINANCE_COIN_2020_06 = Venue(
    "Binance COIN-M",
    as_of="2020-06-11",
    source="Binance FAQ ceccfcfb4e3a45e3b48b0b1bb1a8ae46",
    hedge_mode=True,
    tiers={"BTC-USD": BTCUSD_COIN_2020_06},
)
# The venues below carry rules, not schedules: their full tables were not found, so a contract brings its own.
OKX = Venue(  # the mode is chosen with each order, and kept by the position: both at once is implied by the API
    "OKX",
    fee=0.0005,
    fee_at="price",
    interest=Interest(per=8_760),
    funding=OKX_FUNDING_2024,
    liquidation=Liquidation(partial="tiers", tiers=2, least_tier=3),  # open-lib.com/11556, at second hand
    hedge_mode=True,
    both_modes=True,
    as_of="2024",
    source="position samples in ccxt 4.5.90 okx.py: the ratio and the price hold 0.05 %",
)
# Haircuts as they can be read off the balance of a demo account; that USDT has none is our assumption. The schedules of
# its loans were not found.
OKX_MULTI = replace(
    OKX,
    name="OKX multi-currency",
    account_mode="multi-currency",
    assets={
        "OKB": Asset(haircut=0.1),
        "UNI": Asset(haircut=0.15),
        "TRX": Asset(haircut=0.15),
        "USDC": Asset(haircut=0.02),
        "PAX": Asset(haircut=1.0),
        "USDK": Asset(haircut=1.0),
        "USDT": Asset(),
    },
    as_of="2024-11",
    source="ccxt ts/src/test/static/response/okx.json@02140ad047b4047caf72b2e8a98f99e3297a5398",
)
BINANCE_PORTFOLIO = Venue(  # despite its name a cross-collateral sum; debts are charged by the leverage of the account
    "Binance portfolio margin, loans at 3x",
    account_mode="multi-currency",  # its collateral rates are not in here: every coin counts in full
    assets={"*": Asset(loan=Tiers.flat(0.10, leverage=2))},  # initial margin is borrowed / (3 - 1)
    source="Binance portfolio margin FAQ; initial margin: FAQ 174861644e7049aaa64845f1db2e4376",
)
KRAKEN_SPOT = Venue("Kraken spot margin", interest=Interest(per=4, every=4, opening=1), source="Kraken rollover rule")
GATE = Venue(
    "Gate",
    fee=0.00075,
    fee_at="price",
    liquidation=Liquidation(partial="tiers"),  # the risk limit goes down by one, and what is above it is closed
    as_of="2022",
    source="position sample in ccxt 4.5.90 gate.py",
)
BITGET = Venue(
    "Bitget cross",
    fee=0.0006,
    fee_at="price",
    maintenance_at="mark",
    source="position sample in ccxt 4.5.90 pro/bitget.py",
)
BYBIT_CLASSIC = Venue(
    "Bybit classic, isolated",
    maintenance_at="entry",
    funding=BYBIT_FUNDING,
    source="help.bybit.com article 900000181046",
)
BYBIT_CLASSIC_CROSS = Venue(
    "Bybit classic, cross",
    maintenance_at="entry",
    fee=0.00075,
    fee_at="bankruptcy",
    funding=BYBIT_FUNDING,
    source="help.bybit.com article 360039261334",
)
BYBIT_UTA = Venue(
    "Bybit unified account",
    fee=0.0006,
    fee_at="bankruptcy",
    funding=BYBIT_FUNDING,
    source="position sample in ccxt 4.5.90 bybit.py",
)
BITMEX = Venue(  # the closing fee is held and required alike, so it cancels: margin is meant without it
    "BitMEX",
    maintenance_at="entry",
    funding=XBTUSD_FUNDING,
    liquidation=Liquidation(partial="tiers"),  # orders are cancelled, then the risk limit goes down
    as_of="2018-08-27",
    source="BitMEX websocket position rows",
)
KUCOIN = Venue("KuCoin isolated", maintenance_at="entry", source="kucoin.com/support/4408061803033")
MCS = Venue("MCS", maintenance_at="entry", source="help.mcs.io 360041008371")
DERIBIT = Venue(
    "Deribit",
    source="support.deribit.com/hc/en-us/articles/25944738177565-Linear-Perpetual",
    funding=DERIBIT_FUNDING,
    tiers={
        "BTC-USDC": Tiers(((0, 0.01, 50),), basis="quantity", growth=5e-5),
        "SOL-USDC": Tiers(((0, 0.02, 25),), basis="quantity", growth=5e-6),
    },
)
# Kraken's rows include their upper end; here a size just on a boundary has the next row's rate and leverage.
KRAKEN = Venue(
    "Kraken",
    source="Kraken inverse BTC margin schedule, contracts of 1 USD; its address was not recorded",
    funding=KRAKEN_FUNDING,
    tiers={
        "PI_XBTUSD": Tiers(
            (
                (0, 0.01, 50),
                (500_000, 0.02, 25),
                (1_000_000, 0.03, 1 / 0.06),
                (3_000_000, 0.05, 10),
                (6_000_000, 0.075, 1 / 0.15),
                (12_000_000, 0.125, 4),
                (20_000_000, 0.15, 1 / 0.3),
                (50_000_000, 0.2, 2.5),
            ),
            basis="quantity",
        )
    },
)
HYPERLIQUID = Venue(
    "Hyperliquid",
    tiers={"BTC-USDC": BTC_HYPERLIQUID},
    funding=HYPERLIQUID_FUNDING,
    surplus_to=TRADER,  # "any remaining collateral remains with the trader", but not where the vault takes over
    # a fifth at first and, after 30 seconds that are not in here, the rest; below two thirds the vault takes over
    liquidation=Liquidation(partial="share", partial_above=100_000, takeover=2 / 3),
    source="Hyperliquid docs; docs.byreal.io for the backstop",
)
DYDX_V4 = Venue(  # the fund takes at most 1.5 % of a fill, the trader keeps the rest
    "dYdX v4",
    surplus_to=TRADER,
    liquidation=Liquidation(scope="position", shared_by="requirement", fund_fee=0.015),
    source="dYdX v4 protocol, liquidation rules; max_liquidation_fee_ppm 15000 in the genesis of dydx-mainnet-1",
)
DRIFT = Venue(  # its weights, and so its schedules, differ by market: give each contract its own
    "Drift",
    surplus_to=TRADER,
    liquidation=Liquidation(orders=True, scope="position", partial="size", fund_fee=0.01, liquidator_fee=0.01),
    source="Drift protocol, liquidation maths; the fees are those of its tests, and its buffer of 2 % is left out",
)
