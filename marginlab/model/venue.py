"""What a venue is to the engine: the rules in which exchanges differ, as data. No branch goes by a name."""

from dataclasses import dataclass, field

from . import checks
from .assets import Asset, Interest
from .process import Liquidation
from .rates import Funding
from .tiers import Tiers

FUND, COUNTERPARTIES, TRADER, LENDER = "insurance fund", "counterparties", "trader", "lender"


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
        BitMEX, KuCoin and Bybit (isolated). At Hyperliquid, dYdX and Drift it is the trader's. For other venues the
        fund is our assumption.
    shortfall_to : "insurance fund" or "counterparties"
        Who pays what is missing.
    liquidation : Liquidation
        What is closed first, and how much of it.
    quotes : tuple of str
        Currencies that count as one unit of quote currency unless a price for them is marked.
    account_mode : "single-currency" or "multi-currency"
        Whether each settlement currency has a cross pool of its own, or one cross pool, valued in USD, holds every
        asset with its haircut.
    assets : mapping of currency to Asset
        Haircuts and loans; "*" stands for every currency that is not named. A multi-currency account holds nothing
        else, and USD, in which it is valued. A pool's own currency has no haircut in single-currency mode.
    interest : Interest
        When interest on a debt falls due.
    funding : Funding
        How funding rates are made, and when and from what they are paid. Absent, it is Binance's rule, which need not
        be this venue's. A cap is that of one contract: give others theirs with `dataclasses.replace`.
    hedge_mode : bool
        Whether a long and a short of one contract may be open side by side.
    both_modes : bool
        Whether one contract may be open in isolated and in cross margin at once.
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
    liquidation: Liquidation = field(default_factory=Liquidation)
    quotes: tuple = ("USD", "USDT", "USDC")
    account_mode: str = "single-currency"
    assets: checks.Frozen = field(default_factory=dict)
    interest: Interest = field(default_factory=Interest)
    funding: Funding = field(default_factory=Funding)
    hedge_mode: bool = False
    both_modes: bool = False

    def __post_init__(self):
        checks.one_of("maintenance_at", self.maintenance_at, ("price", "entry", "mark"))
        checks.one_of("rates_of", self.rates_of, ("notional", "initial margin"))
        checks.one_of("fee_at", self.fee_at, ("none", "price", "entry", "bankruptcy"))
        checks.one_of("realised_to", self.realised_to, ("account", "position"))
        checks.one_of("freed_to", self.freed_to, ("account", "position"))
        checks.one_of("surplus_to", self.surplus_to, (TRADER, FUND))
        checks.one_of("shortfall_to", self.shortfall_to, (FUND, COUNTERPARTIES))
        checks.one_of("account_mode", self.account_mode, ("single-currency", "multi-currency"))
        checks.number("fee", self.fee, least=0)
        if not isinstance(self.liquidation, Liquidation):
            raise TypeError(f"liquidation must be a Liquidation, not {self.liquidation!r}")
        if not isinstance(self.funding, Funding):
            raise TypeError(f"funding must be a Funding, not {self.funding!r}")
        for symbol, schedule in self.tiers.items():
            if not isinstance(schedule, Tiers):
                raise TypeError(f"tiers must hold Tiers schedules, not {schedule!r} for {symbol!r}")
        for currency, asset in self.assets.items():
            if not isinstance(asset, Asset):
                raise TypeError(f"assets must hold Asset values, not {asset!r} for {currency!r}")
        object.__setattr__(self, "tiers", checks.Frozen(dict(self.tiers)))
        assets = dict(self.assets)
        if self.account_mode == "multi-currency" and "*" not in assets:
            assets.setdefault("USD", Asset())
        object.__setattr__(self, "assets", checks.Frozen(assets))

    def asset(self, currency):
        """How a currency counts: an `Asset`, or None where a single-currency venue says nothing of it.

        ValueError if a multi-currency account does not take it as collateral.
        """
        found = self.assets.get(currency) or self.assets.get("*")
        if found is None and self.account_mode == "multi-currency":
            raise ValueError(
                f"unknown collateral {currency!r}: a multi-currency account at {self.name} takes "
                f"{', '.join(self.assets) or 'nothing'}"
            )
        return found

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
        if found.rates[-1] >= 1:
            raise ValueError(f"rates of {instrument.symbol!r} must stay below 1, not {found.rates}")
        return found
