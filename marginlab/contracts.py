"""What can be held: contracts, and positions in them. Quantities are signed: long > 0, short < 0.

A contract is anything with the names of `CONTRACT`; every amount is in its `settle` currency:

    symbol, index, settle, face               its name, what moves it, what it pays in, its size
    tiers                                     a schedule of its own, or None: the venue's
    inverse                                   whether `level` is -1/P, as of coin-margined contracts
    price(prices)                             its price among prices (a price stays as it is)
    level(price)                              the price in which it is linear, such as P or -1/P
    notional(quantity, price)                 signed value
    pnl(quantity, entry, price)               what a position has gained (+) or lost (-)
    value(quantity, entry, prices)            the same, among prices
    maintenance(quantity, prices, schedule)   what a schedule requires, among prices or at one price
    fill(position, quantity, price)           (position or None, {currency: amount}) after a trade
                                              that opens more or closes at most all of it

`prices` is a dict of names to floats or arrays: an index ("BTC"), or a contract's own mark by its
symbol. A new contract is most easily a subclass of `Perpetual` with another `level` and `notional`.
"""

from collections.abc import Mapping
from functools import cached_property

from attrs import evolve, field, frozen

from .checks import Numbers, field_of, name_field, number_field
from .rules import Tiers, _schedule

CONTRACT = ("symbol", "index", "settle", "face", "tiers", "inverse", "price", "level")
CONTRACT += ("notional", "pnl", "value", "maintenance", "fill")


@frozen(slots=False)
class Perpetual:
    """A perpetual contract. It is *inverse* (coin-margined) if it settles in the coin it follows.

    Parameters
    ----------
    symbol : str
        Name of the contract.
    index : str
        Coin whose price in quote currency moves it. Everything on one index moves together.
    settle : str
        Currency in which profit, loss and margin are counted.
    face : float
        Contract size: coins a contract (linear), quote currency a contract (inverse); of a quanto,
        settlement currency for each unit of the price.
    tiers : Tiers, optional
        Maintenance schedule; if absent, the venue's for this symbol.
    quanto : bool
        Whether it follows a price in quote currency and pays in a third (BitMEX: ETHUSD in XBT).

    Quantities are contracts (signed); prices are quote currency for one coin, float or ndarray.
    """

    symbol: str = name_field()
    index: str = name_field()
    settle: str = name_field()
    face: float = number_field(1.0, above=0)
    tiers: Tiers | None = field_of(_schedule, None)
    quanto: bool = field(default=False, repr=False)

    def __attrs_post_init__(self):
        if self.symbol in (self.index, self.settle):
            raise ValueError(
                f"symbol must differ from its index and its currency, not {self.symbol!r}"
            )

    @cached_property
    def inverse(self) -> bool:
        """Whether it settles in the coin that it follows."""
        return self.settle == self.index

    def price(self, prices: Mapping) -> Numbers:
        """Its price among `prices`: its own mark, or that of its index. A price stays as it is."""
        if not isinstance(prices, Mapping):
            return prices
        return prices[self.symbol] if self.symbol in prices else prices[self.index]

    def level(self, price: Numbers) -> Numbers:
        """The price in which it is linear: P, or -1/P if inverse. PnL is size times its change."""
        return -1.0 / price if self.inverse else price

    def notional(self, quantity: Numbers, price: Numbers) -> Numbers:
        """Signed value in the settlement currency: q*face*P, or q*face/P if inverse."""
        return quantity * self.face / price if self.inverse else quantity * self.face * price

    def pnl(self, quantity: Numbers, entry: Numbers, price: Numbers) -> Numbers:
        """Profit (+) or loss (-) in the settlement currency: q*face*(P-E), or q*face*(1/E-1/P).

        Source: Binance FAQ b3c689c1f50a44cabb3a84e663b81d93 (linear),
        ceccfcfb4e3a45e3b48b0b1bb1a8ae46 (inverse).
        """
        return quantity * self.face * (self.level(price) - self.level(entry))

    def value(self, quantity: Numbers, entry: Numbers, prices: Mapping) -> Numbers:
        """`pnl` at `prices`."""
        return self.pnl(quantity, entry, self.price(prices))

    def maintenance(self, quantity: Numbers, prices, schedule=None) -> Numbers:
        """Maintenance margin by a schedule (its own if absent), in the settlement currency (>= 0).

        `prices` is a mapping, or one price.
        """
        notional = abs(self.notional(quantity, self.price(prices)))
        return (schedule or self.tiers).maintenance(notional, abs(quantity))

    def average_entry(self, quantity: float, entry: float, more: float, price: float) -> float:
        """Entry after buying `more` at `price`: the mean by contracts, harmonic if inverse."""
        if self.inverse:
            return (quantity + more) / (quantity / entry + more / price)
        return (quantity * entry + more * price) / (quantity + more)

    def fill(self, position: "Position", quantity: float, price: float) -> tuple:
        """(position or None, {currency: what it pays}) after so many contracts more at a price.

        A position grows at its average entry, or what is closed of it is realised; it cannot flip.
        """
        held = position.quantity
        if held * quantity > 0:
            entry = self.average_entry(held, position.entry, quantity, price)
            return evolve(position, quantity=held + quantity, entry=entry), {}
        realised = {self.settle: self.pnl(-quantity, position.entry, price)}
        left = held + quantity
        return (evolve(position, quantity=left) if left * held > 0 else None), realised


@frozen
class Spot:
    """A pair of coins to be exchanged, such as Spot("BTC/USDT"): `quote` pays for `base`.

    Spot leaves balances, not a position: a purchase that is financed by a debt is a leveraged long,
    a sale of borrowed coins a short. Quantities are coins of the base, signed; a price is quote for
    one of them.
    """

    symbol: str

    def __attrs_post_init__(self):
        if not isinstance(self.symbol, str):
            raise TypeError(f"symbol must be a name such as 'BTC/USDT', not {self.symbol!r}")
        base, _, quote = self.symbol.partition("/")
        if not base or not quote or base == quote or "/" in quote:
            raise ValueError(
                f"symbol must name two different coins, such as 'BTC/USDT', not {self.symbol!r}"
            )

    @property
    def base(self):
        """The coin that is bought or sold."""
        return self.symbol.partition("/")[0]

    @property
    def quote(self):
        """The coin that pays for it."""
        return self.symbol.partition("/")[2]


def _contract(value):
    if missing := [name for name in CONTRACT if not hasattr(value, name)]:
        raise TypeError(
            f"instrument must be a contract, such as a Perpetual, not {value!r}, which has no "
            f"{', '.join(missing)}"
        )
    return value


@frozen(slots=False)
class Position:
    """So many contracts, bought (+) or sold (-) at an average entry price.

    `leverage` is what the trader chose when the margin was set aside. It sets the initial margin,
    and has no part in the maintenance margin. None means the highest that the schedule allows.
    """

    instrument: Perpetual = field(converter=_contract)
    quantity: float = number_field()
    entry: float = number_field(above=0)
    leverage: float | None = number_field(None, optional=True, above=0)

    def __attrs_post_init__(self):
        if self.quantity == 0:
            raise ValueError("quantity must be positive (long) or negative (short), not 0")

    @cached_property
    def side(self) -> int:
        """+1 for a long, -1 for a short."""
        return 1 if self.quantity > 0 else -1

    def pnl(self, price: Numbers) -> Numbers:
        """Unrealised PnL at a price, in the settlement currency."""
        return self.instrument.pnl(self.quantity, self.entry, price)

    def notional(self, price: Numbers) -> Numbers:
        """Signed notional at a price, in the settlement currency."""
        return self.instrument.notional(self.quantity, price)

    @cached_property
    def label(self) -> str:
        """Side and symbol, such as "short BTC-USDT"."""
        return f"{'long' if self.quantity > 0 else 'short'} {self.instrument.symbol}"
