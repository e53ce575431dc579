"""Schedules and funding rules that exchanges published, dated: what the venues of venues.py are made of."""

from .rates import Funding
from .tiers import Tiers

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

# Hyperliquid, docs, margin tiers: half of 1/leverage.
BTC_HYPERLIQUID = Tiers(((0, 0.0125, 40), (150_000_000, 0.025, 20)), source="Hyperliquid docs, margin tiers")

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
