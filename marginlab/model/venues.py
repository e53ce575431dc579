"""Venues as dated data: the rules in which exchanges differ. The engine reads them; it has no branch by name."""

from dataclasses import dataclass, field

from . import checks
from .tiers import Tiers

FUND, COUNTERPARTIES, TRADER = "insurance fund", "counterparties", "trader"


@dataclass(frozen=True, eq=False)
class Venue:
    """The rules of one venue, as of a date where the source gives one.

    Parameters
    ----------
    name, as_of, source : str
        Which venue, on which date, and where the rules were published.
    tiers : mapping of symbol to Tiers
        Maintenance schedules; "*" stands for every contract that is not named.
    maintenance_at : "price", "entry" or "mark"
        The notional on which maintenance is charged: at each price (convention A: Binance, OKX,
        Gate ...), at the entry price (B: KuCoin isolated, MCS, Bybit classic ...), or, in the
        liquidation price that is displayed, frozen at the current mark (C: Bitget cross).
    rates_of : "notional" or "initial margin"
        What the rates multiply. On HTX, and nowhere else that we know, it is the initial margin, so
        that maintenance falls with leverage.
    fee : float
        Taker fee rate, as far as it counts in the requirement.
    fee_at : "none", "price", "entry" or "bankruptcy"
        Whether the closing fee is inside the requirement: not at all (Binance), on the notional at the
        price (OKX, Gate), at entry, or at the bankruptcy price (Bybit UTA, where initial margin holds it too).
    realised_to, freed_to : "account" or "position"
        Where a partial close of an isolated position sends the profit and the margin set free.
    surplus_to : "trader" or "insurance fund"
        Who keeps what is left of a liquidated pool. The fund by default; the whole surplus goes there at
        BitMEX, KuCoin and Bybit (isolated), for other venues it is our assumption.
    shortfall_to : "insurance fund" or "counterparties"
        Who pays what is missing.
    quotes : tuple of str
        Currencies that count as one unit of quote currency unless a price for them is marked.
    """

    name: str
    as_of: str = ""
    source: str = ""
    tiers: checks.Frozen = field(default_factory=dict)
    maintenance_at: str = "price"
    rates_of: str = "notional"
    fee: float = 0.0
    fee_at: str = "none"
    realised_to: str = "account"
    freed_to: str = "account"
    surplus_to: str = FUND
    shortfall_to: str = FUND
    quotes: tuple = ("USD", "USDT", "USDC")

    def __post_init__(self):
        checks.one_of("maintenance_at", self.maintenance_at, ("price", "entry", "mark"))
        checks.one_of("rates_of", self.rates_of, ("notional", "initial margin"))
        checks.one_of("fee_at", self.fee_at, ("none", "price", "entry", "bankruptcy"))
        checks.one_of("realised_to", self.realised_to, ("account", "position"))
        checks.one_of("freed_to", self.freed_to, ("account", "position"))
        checks.one_of("surplus_to", self.surplus_to, (TRADER, FUND))
        checks.one_of("shortfall_to", self.shortfall_to, (FUND, COUNTERPARTIES))
        checks.number("fee", self.fee, least=0)
        for symbol, schedule in self.tiers.items():
            if not isinstance(schedule, Tiers):
                raise TypeError(f"tiers must hold Tiers schedules, not {schedule!r} for {symbol!r}")
        object.__setattr__(self, "tiers", checks.Frozen(dict(self.tiers)))

    def schedule(self, instrument):
        """The instrument's own schedule, or this venue's.

        ValueError if there is none, or if the contract is neither inverse nor settled in quote currency: its prices
        would be in one currency and its margin in another.
        """
        if not instrument.inverse and instrument.settle not in self.quotes:
            raise ValueError(
                f"settle must be the contract's own index {instrument.index!r} (inverse) or one of "
                f"{', '.join(self.quotes)} (linear), not {instrument.settle!r} for {instrument.symbol!r}"
            )
        found = instrument.tiers or self.tiers.get(instrument.symbol) or self.tiers.get("*")
        if found is None:
            raise ValueError(
                f"{self.name} comes with no tier schedule for symbol {instrument.symbol!r}, only for "
                f"{', '.join(self.tiers) or 'none at all'}: give the contract its own, such as tiers=Tiers.flat(0.005)"
            )
        return found


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

# --------------------------------------------------------------------- venues

TEACHING = Venue("teaching", tiers={"*": Tiers.flat(0.004, leverage=125)}, source="made for this course")
TEACHING_TIERS = Venue(
    "teaching, two tiers",
    tiers={"*": Tiers(((0, 0.005, 100), (1_000_000, 0.01, 50)))},
    source="made for this course",
)
BINANCE_2024_10 = Venue(
    "Binance USD-M",
    as_of="2024-10-24",
    source="Binance FAQ b3c689c1f50a44cabb3a84e663b81d93",
    tiers={"BTC-USDT": BTCUSDT_2024_10},
)
BINANCE_2026_09 = Venue(
    "Binance USD-M",
    as_of="2026-09",
    source="Binance FAQ b3c689c1f50a44cabb3a84e663b81d93",
    tiers={"BTC-USDT": BTCUSDT_2026_09},
)
BINANCE_COIN_2020_06 = Venue(
    "Binance COIN-M",
    as_of="2020-06-11",
    source="Binance FAQ ceccfcfb4e3a45e3b48b0b1bb1a8ae46",
    tiers={"BTC-USD": BTCUSD_COIN_2020_06},
)
# The venues below carry rules, not schedules: their full tables were not found, so a contract brings its own.
OKX = Venue(
    "OKX",
    fee=0.0005,
    fee_at="price",
    as_of="2024",
    source="position samples in ccxt 4.5.90 okx.py: the ratio and the price hold 0.05 %",
)
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
    source="help.bybit.com article 900000181046",
)
BYBIT_CLASSIC_CROSS = Venue(
    "Bybit classic, cross",
    maintenance_at="entry",
    fee=0.00075,
    fee_at="bankruptcy",
    source="help.bybit.com article 360039261334",
)
BYBIT_UTA = Venue(
    "Bybit unified account",
    fee=0.0006,
    fee_at="bankruptcy",
    source="position sample in ccxt 4.5.90 bybit.py",
)
BITMEX = Venue(  # the closing fee is held and required alike, so it cancels: margin is meant without it
    "BitMEX", maintenance_at="entry", as_of="2018-08-27", source="BitMEX websocket position rows"
)
KUCOIN = Venue("KuCoin isolated", maintenance_at="entry", source="kucoin.com/support/4408061803033")
MCS = Venue("MCS", maintenance_at="entry", source="help.mcs.io 360041008371")
DERIBIT = Venue(
    "Deribit",
    source="support.deribit.com/hc/en-us/articles/25944738177565-Linear-Perpetual",
    tiers={
        "BTC-USDC": Tiers(((0, 0.01, 50),), basis="contracts", growth=5e-5),
        "SOL-USDC": Tiers(((0, 0.02, 25),), basis="contracts", growth=5e-6),
    },
)
# Kraken's rows include their upper end; here a size just on a boundary has the next row's rate and leverage.
KRAKEN = Venue(
    "Kraken",
    source="Kraken inverse BTC margin schedule, contracts of 1 USD; its address was not recorded",
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
            basis="contracts",
        )
    },
)
