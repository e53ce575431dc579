"""What can be held: contracts, and positions in them. Quantities are signed: long > 0, short < 0.

A contract is anything with the names of `CONTRACT`; every amount is in its `settle` currency:

    symbol, index, settle, face               its name, what moves it, what it pays in, its size
    tiers                                     a schedule of its own, or None: the venue's
    expiry                                    days at which it settles, or None
    follows                                   names of prices that it needs beside its index
    modelled                                  whether its price is a model's (an option's), and its
                                              value is paid for at once
    inverse                                   whether `level` is -1/P, as of coin-margined contracts
    price(prices)                             its price among prices (a price stays as it is)
    level(price)                              the price in which it is linear, such as P or -1/P
    notional(quantity, price)                 signed value
    pnl(quantity, entry, price)               what a position has gained (+) or lost (-)
    value(quantity, entry, prices)            the same, among prices
    counted(quantity, entry, prices, rule)    what of that is equity: all of it, but for options
    maintenance(quantity, prices, schedule)   what a schedule requires, among prices or at one price
    initial(position, prices, schedule)       initial margin
    shocked(quantity, entry, prices, move, vol)
                                              `value` where the index has moved, for scenarios
    fee(rate, quantity, price, prices, rule)  the trading fee of a fill
    fill(position, quantity, price, leverage) (position or None, {currency: amount}) after a trade
                                              that opens it (None before), opens more, or closes at
                                              most all of it; leverage None leaves it as it is

`prices` is a dict of names to floats or arrays: an index ("BTC"), or a contract's own mark by its
symbol. A new contract is most easily a subclass of `Perpetual` with another `level` and `notional`.
"""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from attrs import NOTHING, evolve, field, frozen

from .checks import Numbers, choice, field_of, name_field, number_field
from .rules import Tiers, _schedule

CONTRACT = (
    "symbol index settle face tiers inverse price level follows expiry modelled notional pnl value "
    "counted maintenance initial shocked fee fill"
).split()
DAYS = 365.0  # of a year


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
    expiry = None
    modelled = False
    follows = ()

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

    def counted(self, quantity: Numbers, entry: Numbers, prices: Mapping, rule) -> Numbers:
        """What of its value is equity: all of it."""
        return self.value(quantity, entry, prices)

    def shocked(self, quantity: Numbers, entry: Numbers, prices: Mapping, move, vol) -> Numbers:
        """Its value, in the settlement currency, after its index has moved by a fraction."""
        return self.pnl(quantity, entry, self.price(prices) * (1.0 + move))

    def initial(self, position: "Position", prices, schedule) -> Numbers:
        """Initial margin, notional / leverage: its own, or the highest that the schedule allows."""
        notional = abs(position.notional(self.price(prices)))
        leverage = position.leverage or schedule.max_leverage(notional, abs(position.quantity))
        return notional / leverage

    def maintenance(self, quantity: Numbers, prices, schedule=None) -> Numbers:
        """Maintenance margin by a schedule (its own if absent), in the settlement currency (>= 0).

        `prices` is a mapping, or one price.
        """
        notional = abs(self.notional(quantity, self.price(prices)))
        return (schedule or self.tiers).maintenance(notional, abs(quantity))

    def average_entry(self, quantity: float, entry: float, more: float, price: float) -> float:
        """Entry after buying `more` at `price`: the mean by contracts, harmonic if inverse."""
        total = quantity * self.level(entry) + more * self.level(price)
        return self.level(total / (quantity + more))  # -1/x is its own inverse

    def fee(self, rate: float, quantity: float, price: float, prices: Mapping, rule) -> float:
        """The trading fee of a fill, in the settlement currency: a share of the notional."""
        return rate * abs(self.notional(quantity, price))

    def fill(
        self, position: "Position | None", quantity: float, price: float, leverage=None
    ) -> tuple:
        """(position or None, {currency: what it pays}) after so many contracts more at a price.

        A position begins at the price, grows at its average entry, or what is closed of it is
        realised; it cannot flip. Where it begins or grows, `leverage` becomes its own.
        """
        if position is None:
            return Position(self, quantity, price, leverage), self.premium(quantity, price)
        held, left = position.quantity, position.quantity + quantity
        if held * quantity > 0:
            entry = self.average_entry(held, position.entry, quantity, price)
            leverage = leverage or position.leverage
            return Position(self, left, entry, leverage), self.premium(quantity, price)
        realised = {self.settle: self.pnl(-quantity, position.entry, price)}
        return (evolve(position, quantity=left) if left * held > 0 else None), realised

    def premium(self, quantity: float, price: float) -> dict:
        """{currency: amount} that so many contracts pay the trader at a price, where a position
        begins or grows: nothing."""
        return {}


@frozen(slots=False)
class Future(Perpetual):
    """A dated future: a perpetual without funding, settled at its index when it expires.

    Before, its own mark (by symbol) differs from the index by the basis, and moves with it.

    expiry : float
        Days from the day on which `prices` begin ("days" passed; 0 if absent).
    """

    expiry: float = number_field(above=0, kw_only=True)
    follows = ("days",)

    def price(self, prices):
        """Its own mark or that of its index; from its expiry on, its index."""
        if isinstance(prices, Mapping) and prices.get("days", 0.0) >= self.expiry:
            return prices[self.index]
        return super().price(prices)

    def settlement(self, index: float) -> float:
        """The price at which it settles."""
        return index


def forward(index: Numbers, rate: float, days: float) -> Numbers:
    """The price of a future that grows at a rate a year: index * exp(rate * days / 365)."""
    return index * np.exp(rate * days / DAYS)


def black(call: bool, forward: Numbers, strike: float, vol: Numbers, days: Numbers) -> Numbers:
    """Price of a European option, in quote currency, without interest: Black (1976).

    c = F N(d1) - K N(d2), p = c - F + K; d1 = ln(F/K)/s + s/2, d2 = d1 - s, s = vol sqrt(days/365).
    At expiry (days or vol 0) it is the payoff.
    """
    from scipy.special import ndtr  # 0.25 s, when first needed

    spread = np.maximum(vol * np.sqrt(np.maximum(days, 0.0) / DAYS), 1e-12)
    d = np.log(forward / strike) / spread + spread / 2
    side = 1.0 if call else -1.0
    return side * (forward * ndtr(side * d) - strike * ndtr(side * (d - spread)))


@frozen(slots=False)
class Option(Perpetual):
    """A European option, settled in cash. It is *inverse* if it is paid in the coin it follows.

    Its price is Black's, of the index, the volatility ("BTC vol", 0.6 is 60 % a year) and the days
    passed ("days"); or its own mark, by symbol, which holds until one of them moves. It is in quote
    currency for one coin, or in coins if inverse. The premium is paid at once, so that its value,
    and not a change of it, is in the pool.

    kind : "call" or "put"
    strike : float
        Quote currency.
    expiry : float
        Days from the day on which `prices` begin.
    tiers : OptionMargin, optional
        Margin rule; if absent, the venue's.
    """

    modelled = True
    kind: str = choice("call", "put", default=NOTHING, kw_only=True)
    strike: float = number_field(above=0, kw_only=True)
    expiry: float = number_field(above=0, kw_only=True)

    @property
    def call(self):
        """Whether it is a call."""
        return self.kind == "call"

    @property
    def vol(self):
        """The name of its volatility among prices."""
        return f"{self.index} vol"

    @property
    def follows(self):
        """Its volatility, and the days that have passed."""
        return (self.vol, "days")

    def price(self, prices):
        """Its own mark, or Black's price; ValueError if there is no volatility."""
        if not isinstance(prices, Mapping):
            return prices
        return prices[self.symbol] if self.symbol in prices else self.model(prices)

    def model(self, prices, move=0.0, vol=None):
        """Black's price after its index moved and its volatility was changed by vol(v, days)."""
        if self.index not in prices:
            raise ValueError(f"the price of {self.index} is needed for {self.symbol!r}: give it")
        days = self.expiry - prices.get("days", 0.0)
        if self.vol not in prices and np.any(days > 0):
            raise ValueError(f"the volatility of {self.symbol!r} is needed: give {self.vol!r}")
        index, level = prices[self.index] * (1.0 + move), prices.get(self.vol, 0.0)
        level = level if vol is None else vol(level, days)
        value = black(self.call, index, self.strike, level, days)
        return value / index if self.inverse else value

    def most(self, prices):
        """What it can be worth at most, in its own unit: the coin (call) or the strike (put)."""
        worth = prices[self.index] if self.call else self.strike
        return worth / prices[self.index] if self.inverse else worth

    def level(self, price):
        """It is linear in its own price, in coins too."""
        return price

    def notional(self, quantity, price):
        """Signed value at a price of the option, in the settlement currency."""
        return quantity * self.face * price

    def pnl(self, quantity, entry, price):
        """Its value: the premium was paid at once."""
        return quantity * self.face * price

    def counted(self, quantity, entry, prices, rule):
        """What of its value is equity, by an `OptionMargin`."""
        counts = np.where(np.greater(quantity, 0), rule.longs_count, rule.mark_in == "equity")
        return self.value(quantity, entry, prices) * counts

    def shocked(self, quantity, entry, prices, move, vol):
        """Its value after its index has moved, and its volatility by vol(v, days)."""
        return quantity * self.face * self.model(prices, move, vol)

    def initial(self, position, prices, schedule):
        """Of a short, by an `OptionMargin`, in the settlement currency; a long requires nothing."""
        return schedule.margin(self, position, prices, initial=True)

    def maintenance(self, quantity, prices, schedule=None):
        """Of a short, by an `OptionMargin`; a long needs nothing more than its premium."""
        position = Position(self, quantity, 1.0)
        return (schedule or self.tiers).margin(self, position, prices)

    def fee(self, rate, quantity, price, prices, rule):
        """A share of the index (of a coin, if inverse), at most a share of the price."""
        unit = 1.0 if self.inverse else prices[self.index]
        return abs(quantity) * self.face * min(rate * unit, rule.fee_cap * price)

    def premium(self, quantity, price):
        """{currency: amount}: a buyer pays it at once (below 0), a seller receives it."""
        return {self.settle: -self.notional(quantity, price)}

    def settlement(self, index):
        """What it pays at expiry for one coin: max(S - K, 0) or max(K - S, 0), / S if inverse.

        Source: testapp.deribit.com/pages/docs/options.
        """
        paid = max(index - self.strike if self.call else self.strike - index, 0.0)
        return paid / index if self.inverse else paid


def greeks(option: Option, prices: Mapping) -> dict:
    """Delta (coins), vega (for one point of volatility) and theta (a day) of one long option, by
    differences, in its settlement currency."""
    here, days = option.model(prices), prices.get("days", 0.0)
    up, down = (option.model(prices, move) for move in (1e-4, -1e-4))
    delta = (up - down) / (2e-4 * prices[option.index])
    vega = option.model({**prices, option.vol: prices[option.vol] + 0.01}) - here
    theta = option.model({**prices, "days": days + 1.0}) - here
    greeks = {"delta": delta, "vega": vega, "theta": theta}
    return {name: float(option.face * value) for name, value in greeks.items()}


@frozen
class Spot:
    """A pair of coins to be exchanged, such as Spot("BTC/USDT"): `quote` pays for `base`.

    Spot leaves balances, not a position: a purchase that is financed by a debt is a leveraged long,
    a sale of borrowed coins a short. Quantities are coins of the base, signed; a price is quote for
    one of them.
    """

    symbol: str
    modelled = False

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

    def price(self, prices: Mapping) -> Numbers:
        """What one of the base is worth among prices, in the quote coin."""
        return prices[self.base] / prices.get(self.quote, 1.0)


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
    `side` is +1 for a long and -1 for a short, `label` such as "short BTC-USDT".
    """

    instrument: Perpetual = field(converter=_contract)
    quantity: float = number_field()
    entry: float = number_field(above=0)
    leverage: float | None = number_field(None, optional=True, above=0)
    side: int = field(init=False, repr=False)
    label: str = field(init=False, repr=False)

    @side.default
    def _sign(self):
        return 1 if self.quantity > 0 else -1

    @label.default
    def _side_and_symbol(self):
        return f"{'long' if self.quantity > 0 else 'short'} {self.instrument.symbol}"

    def __attrs_post_init__(self):
        if self.quantity == 0:
            raise ValueError("quantity must be positive (long) or negative (short), not 0")

    def pnl(self, price: Numbers) -> Numbers:
        """Unrealised PnL at a price, in the settlement currency."""
        return self.instrument.pnl(self.quantity, self.entry, price)

    def notional(self, price: Numbers) -> Numbers:
        """Signed notional at a price, in the settlement currency."""
        return self.instrument.notional(self.quantity, price)
