"""Venues as dated data: schedules and rules that exchanges published, and teaching ones."""

from dataclasses import replace

from .assets import Asset, Interest
from .rates import Funding
from .tiers import Tiers
from .venue import Venue

# ------------------------------------------------------------------ schedules

BTCUSDT_2024_10 = Tiers(
    (
        (0, 0.004, 125),
        (50_000, 0.005, 100),
        (600_000, 0.0065, 75),
        (3_000_000, 0.01, 50),
        (12_000_000, 0.02, 25),
        (70_000_000, 0.025, 20),
        (100_000_000, 0.05, 10),
        (230_000_000, 0.10, 5),
        (480_000_000, 0.125, 4),
        (600_000_000, 0.15, 3),
        (800_000_000, 0.25, 2),
        (1_200_000_000, 0.50, 1),
    ),
    cap=1_800_000_000,
    source="Binance USD-M leverage brackets, in freqtrade binance_leverage_tiers.json@3d9514d",
    as_of="2024-10-24",
)
BTCUSDT_2026_09 = Tiers(
    (
        (0, 0.004, 150),
        (300_000, 0.005, 100),
        (800_000, 0.0065, 75),
        *BTCUSDT_2024_10.rows[3:],
    ),
    cap=1_800_000_000,  # as in 2024: the 2026 table was read without its cap
    source="Binance USD-M leverage brackets, in the freqtrade 2026.9 wheel",
    as_of="2026-09",
)
# Floors and leverage: Binance FAQ be2c7d9d95b04a7e8044ed02dd7dfe5c. Rates are half of 1/leverage; with them the
# maintenance amounts are those of FAQ ceccfcfb4e3a45e3b48b0b1bb1a8ae46 (0.56 and 1.81 BTC in tiers 4 and 5).
BTCUSD_COIN_2020_06 = Tiers(
    ((0, 0.004, 125), (10, 0.005, 100), (20, 0.01, 50), (30, 0.025, 20), (50, 0.05, 10)),
    cap=100,
    source="Binance COIN-M, FAQ be2c7d9d95b04a7e8044ed02dd7dfe5c and ceccfcfb4e3a45e3b48b0b1bb1a8ae46",
    as_of="2020-06-11",
)

# -------------------------------------------------------------------- funding

# Funding() itself is Binance's rule: 0.01 % in 8 hours, damper 0.05 %, 00, 08 and 16 UTC. The cap of BTCUSDT: Binance
# announcement 3243c81a35bd4f0c86a37315c3dc96cc; from 2 May 2025 a contract that reaches its cap pays every hour, which
# is not in here.
BTCUSDT_FUNDING = Funding(cap=0.003)
# BitMEX: 75 % of (initial - maintenance margin), 1 % and 0.5 % for XBTUSD until 17 April 2020 (its blog of that day).
# Its other cap, on the change from one rate to the next, is not in here.
XBTUSD_FUNDING = Funding(first=4, cap=0.00375)
# OKX, as of July 2024: "Funding fee mechanism", 22 April 2024, no interest, no damper, bounds of BTC; isolated
# positions pay from their own margin since June 2024, before from the account. In April 2025 it took Binance's form.
OKX_FUNDING_2024 = Funding(interest=0.0, damper=None, cap=0.00375)
BYBIT_FUNDING = Funding(charged_to="account")  # Bybit help centre 000001391, 14 March 2024
# Kraken, article 360022835911: hourly, a premium paid off in a day, at most 0.25 % an hour, accrued all the time.
KRAKEN_FUNDING = Funding(
    interval=1, per=24, interest=0.0, damper=None, cap=0.0025, accrual="continuous", valued_at="index"
)
# Deribit, article 31424939178397: a dead band of 0.025 %, accrued all the time; its caps vary, and are not in here.
# bit.com (360051992953) has 0.05 % and, for BTC, a cap of 0.5 %.
DERIBIT_FUNDING = Funding(interest=0.0, damper=0.00025, accrual="continuous")
BITCOM_FUNDING = Funding(interest=0.0, cap=0.005, accrual="continuous")
# Hyperliquid pays an eighth of the eight-hour rate every hour, at the oracle price, at most 4 %: read at second hand.
HYPERLIQUID_FUNDING = Funding(interval=1, cap=0.04, valued_at="index")
# dYdX v3 (help centre 3937624): rates of 8 hours, paid every second at the index; interest is added to the premium.
DYDX_V3_FUNDING = Funding(damper=None, accrual="continuous", valued_at="index")

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
GATE = Venue("Gate", fee=0.00075, fee_at="price", as_of="2022", source="position sample in ccxt 4.5.90 gate.py")
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
