"""What can be held: contracts, and positions in them. All quantities are signed: long > 0, short < 0."""

from dataclasses import dataclass, field, replace

from . import checks
from .tiers import Tiers


@dataclass(frozen=True)
class Perpetual:
    """A perpetual contract. It is *inverse* (coin-margined) if it settles in the coin that it follows.

    Parameters
    ----------
    symbol : str
        Name of the contract.
    index : str
        Coin whose price in quote currency moves it. Everything on one index moves together.
    settle : str
        Currency in which profit, loss and margin are counted.
    face : float
        Contract size: coins a contract (linear), quote currency a contract (inverse).
    tiers : Tiers, optional
        Maintenance schedule; if absent, the venue's for this symbol.

    Quantities are contracts (signed); prices are quote currency for one coin, float or ndarray.
    """

    symbol: str
    index: str
    settle: str
    face: float = 1.0
    tiers: Tiers | None = None
    inverse: bool = field(init=False, repr=False)

    def __post_init__(self):
        for name in ("symbol", "index", "settle"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise TypeError(f"{name} must be a name, not {getattr(self, name)!r}")
        if self.symbol in (self.index, self.settle):
            raise ValueError(f"symbol must differ from its index and its currency, not {self.symbol!r}")
        object.__setattr__(self, "face", checks.number("face", self.face, above=0))
        object.__setattr__(self, "inverse", self.settle == self.index)
        if self.tiers is not None and not isinstance(self.tiers, Tiers):
            raise TypeError(f"tiers must be a Tiers schedule or None, not {self.tiers!r}")
        if self.tiers and self.tiers.growth and self.tiers.basis == "notional" and not self.inverse:
            raise ValueError(
                "tiers with growth on a linear contract must have basis='quantity': size does not grow with price"
            )

    def level(self, price):
        """The price in which the contract is linear: P, or -1/P if inverse. PnL is size times its change."""
        return -1.0 / price if self.inverse else price

    def notional(self, quantity, price):
        """Signed value of the position in the settlement currency: q*face*P, or q*face/P if inverse."""
        return quantity * self.face / price if self.inverse else quantity * self.face * price

    def pnl(self, quantity, entry, price):
        """Profit (+) or loss (-) in the settlement currency: q*face*(P-E), or q*face*(1/E-1/P) if inverse.

        Source: Binance FAQ b3c689c1f50a44cabb3a84e663b81d93 (linear), ceccfcfb4e3a45e3b48b0b1bb1a8ae46 (inverse).
        """
        return quantity * self.face * (self.level(price) - self.level(entry))

    def average_entry(self, quantity, entry, more, price):
        """Entry after buying `more` at `price`, by contracts: the arithmetic mean, or the harmonic one if inverse."""
        if self.inverse:
            return (quantity + more) / (quantity / entry + more / price)
        return (quantity * entry + more * price) / (quantity + more)

    def maintenance(self, quantity, price):
        """Maintenance margin of the position at a price, in the settlement currency (>= 0)."""
        return self.tiers.maintenance(abs(self.notional(quantity, price)), abs(quantity))


@dataclass(frozen=True)
class Spot:
    """A pair of coins to be exchanged, such as Spot("BTC/USDT"): `base` is bought or sold, `quote` pays for it.

    Spot leaves balances, not a position: a purchase that is financed by a debt is a leveraged long, a sale of
    borrowed coins a short. Quantities are coins of the base, signed; a price is quote for one of them.
    """

    symbol: str
    base: str = field(init=False, repr=False)
    quote: str = field(init=False, repr=False)

    def __post_init__(self):
        if not isinstance(self.symbol, str):
            raise TypeError(f"symbol must be a name such as 'BTC/USDT', not {self.symbol!r}")
        base, _, quote = self.symbol.partition("/")
        if not base or not quote or base == quote or "/" in quote:
            raise ValueError(f"symbol must name two different coins, such as 'BTC/USDT', not {self.symbol!r}")
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "quote", quote)


@dataclass(frozen=True)
class Position:
    """So many contracts, bought (+) or sold (-) at an average entry price.

    `leverage` is what the trader chose when the margin was set aside. It sets the initial margin; at most
    venues it has no part in the maintenance margin. None means the highest that the schedule allows.
    """

    instrument: Perpetual
    quantity: float
    entry: float
    leverage: float | None = None

    def __post_init__(self):
        if not isinstance(self.instrument, Perpetual):
            raise TypeError(f"instrument must be a Perpetual, not {self.instrument!r}")
        object.__setattr__(self, "quantity", checks.number("quantity", self.quantity))
        object.__setattr__(self, "entry", checks.number("entry", self.entry, above=0))
        if self.quantity == 0:
            raise ValueError("quantity must be positive (long) or negative (short), not 0")
        if self.leverage is not None:
            object.__setattr__(self, "leverage", checks.number("leverage", self.leverage, above=0))

    def pnl(self, price):
        """Unrealised PnL at a price, in the settlement currency."""
        return self.instrument.pnl(self.quantity, self.entry, price)

    def notional(self, price):
        """Signed notional at a price, in the settlement currency."""
        return self.instrument.notional(self.quantity, price)

    @property
    def label(self):
        """Side and symbol, such as "short BTC-USDT"."""
        return f"{'long' if self.quantity > 0 else 'short'} {self.instrument.symbol}"

    def with_tiers(self, tiers):
        """The same position on a contract with this schedule."""
        return replace(self, instrument=replace(self.instrument, tiers=tiers))
