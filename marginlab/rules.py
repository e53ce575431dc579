"""The rules in which venues differ, as data: schedules, currencies, interest, funding, and what a
venue charges, pays and closes. No branch goes by a venue's name.

A *schedule* is anything with `maintenance(notional, quantity)` and `max_leverage(notional,
quantity)`, both of numbers or arrays >= 0, a `basis` and a `cap`: see `Tiers`. That is the door for
rules which are not in here.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property, reduce
from itertools import pairwise
from math import ceil, floor, inf
from numbers import Real

import numpy as np
from attrs import frozen

from . import checks
from .checks import Numbers, choice, field_of, number_field

YEAR = 8_760  # hours
FUND, COUNTERPARTIES, TRADER = "insurance fund", "counterparties", "trader"
LENDER, HOUSE = "lender", "venue"


class Refused(ValueError):
    """What a venue would refuse, with its reason; bad input is a ValueError or TypeError."""


# ------------------------------------------------------------------ schedules


def _rows(_, rows):
    """Rows of a schedule, checked."""
    rows = tuple(tuple(row) for row in rows)
    if not rows or any(len(row) not in (2, 3) for row in rows):
        raise ValueError(f"rows must be (floor, rate) or (floor, rate, leverage), not {rows!r}")
    floors = tuple(checks.number("floor", row[0], least=0) for row in rows)
    rates = tuple(checks.number("rate", row[1], least=0) for row in rows)
    if floors[0] != 0 or any(a >= b for a, b in pairwise(floors)):
        raise ValueError(f"floors must start at 0 and rise, not {floors}")
    if rates[-1] > 1 or any(a > b for a, b in pairwise(rates)):
        raise ValueError(f"rates must not fall and not be above 1, not {rates}")
    for rate, row in zip(rates, rows, strict=True):
        most = 1 / rate if rate else inf
        if len(row) == 3 and checks.number("leverage", row[2], above=0) > most:
            raise ValueError(
                f"leverage {row[2]:g} would start below the maintenance rate {rate:g}: "
                f"at most {most:g}"
            )
    return rows


@frozen(slots=False)
class Tiers:
    """A dated maintenance schedule: rows of (floor, maintenance rate, maximum leverage).

    A row holds from its floor upwards, the floor included. Only the slice of a position inside a
    tier is charged that tier's rate. Binance and others write the same thing as
    `rate * size - amount`, with the maintenance amount ("cum") that makes the schedule continuous:
    `amount_n = amount_(n-1) + floor_n * (rate_n - rate_(n-1))`
    (Binance FAQ b3c689c1f50a44cabb3a84e663b81d93; so computed, they are those that it publishes).

    Parameters
    ----------
    rows : sequence of (floor, rate) or (floor, rate, leverage)
        Floors in the unit of `basis`; rates and leverage are pure numbers. Where no maximum
        leverage is known it is 1 / rate: margin may not start below maintenance.
    cap : float
        Largest size that the schedule covers; a trade beyond it is refused.
    basis : "notional" or "quantity"
        What a floor counts: the notional in the settlement currency (most venues), or the number of
        contracts, which does not change with the price (Kraken). For coins held or owed (see
        `Asset`): their value in quote currency, or their number.
    source, as_of : str
        Where and when the schedule was published.

    Raises ValueError or TypeError if floors do not start at 0 and rise, or rates fall or leave
    [0, 1]. A rate of 1 is for haircuts: a contract's must be below.
    """

    rows: tuple = field_of(_rows)
    cap: float = inf
    basis: str = choice("notional", "quantity")
    source: str = ""
    as_of: str = ""

    def __attrs_post_init__(self):
        if not self.cap > self.floors[-1]:
            last = f"{self.floors[-1]:,g}"
            raise ValueError(f"cap must be above the last floor {last}, not {self.cap!r}")

    @cached_property
    def floors(self):
        """The floor of each tier."""
        return tuple(float(row[0]) for row in self.rows)

    @cached_property
    def rates(self):
        """The maintenance rate of each tier."""
        return tuple(float(row[1]) for row in self.rows)

    @cached_property
    def leverages(self):
        """The highest leverage of each tier."""
        highest = (1 / rate if rate else inf for rate in self.rates)
        return tuple(
            float(row[2]) if len(row) == 3 else most
            for row, most in zip(self.rows, highest, strict=True)
        )

    @cached_property
    def amounts(self):
        """The maintenance amount of each tier."""
        amounts, before = [Decimal(0)], Decimal(str(self.rates[0]))
        for start, rate in zip(self.floors[1:], self.rates[1:], strict=True):
            rate = Decimal(str(rate))  # Decimal: 50, not 50.00000000000004
            amounts.append(amounts[-1] + Decimal(str(start)) * (rate - before))
            before = rate
        return tuple(map(float, amounts))

    @classmethod
    def flat(cls, rate: float, leverage: float | None = None, **about) -> "Tiers":
        """One tier: the same rate for every size."""
        return cls(((0, rate) if leverage is None else (0, rate, leverage),), **about)

    @classmethod
    def bracket(cls, rate: float, amount: float = 0.0, **about) -> "Tiers":
        """The one row that exchanges show beside a position: `rate * size - amount`, or 0."""
        checks.number("rate", rate, above=0)
        checks.number("amount", amount, least=0)
        return cls(((0, 0), (amount / rate, rate)) if amount else ((0, rate),), **about)

    def tier(self, size: Numbers) -> int | np.ndarray:
        """Number of the tier (from 0) that holds `size`; float or array."""
        if isinstance(size, np.ndarray):
            return np.searchsorted(self.floors, size, side="right") - 1
        return bisect_right(self.floors, size) - 1

    def maintenance(self, notional: Numbers, quantity: Numbers | None = None) -> Numbers:
        """Maintenance margin of a notional >= 0, in the notional's currency; float or array.

        `quantity` is the number of contracts or coins (>= 0): needed, and used, where that is the
        basis.
        """
        if self.basis == "quantity":
            return self.rate(quantity) * notional
        return self._along(notional)

    def rate(self, quantity: Numbers) -> Numbers:
        """Effective maintenance rate of so many contracts (> 0), for basis "quantity"."""
        if quantity is None:
            raise ValueError(
                "quantity must be given: the floors of this schedule count contracts or coins"
            )
        return self._along(quantity) / quantity

    def _along(self, size):
        """rate * size - amount of the tier of a size; as rates rise, it is the greatest of all."""
        if isinstance(size, np.ndarray):
            lines = zip(self.rates, self.amounts, strict=True)
            return reduce(np.maximum, (rate * size - amount for rate, amount in lines))
        tier = bisect_right(self.floors, size) - 1
        return self.rates[tier] * size - self.amounts[tier]

    def of(self, amount: Numbers, price: Numbers) -> Numbers:
        """Value, in quote currency, of what a haircut takes from coins (>= 0) at their price."""
        if self.basis == "quantity":
            return self._along(amount) * price
        return self._along(amount * price)

    def max_leverage(self, notional: Numbers, quantity: Numbers | None = None) -> Numbers:
        """Highest leverage that the schedule allows at this size: steps down from tier to tier."""
        tier = self.tier(notional if self.basis == "notional" else quantity)
        most = np.array(self.leverages)[tier]
        return most if np.ndim(most) else float(most)

    def initial(self, notional: Numbers, leverage: float | None = None, quantity=None) -> Numbers:
        """Initial margin notional / leverage; without one, at the highest that is allowed."""
        return notional / (leverage or self.max_leverage(notional, quantity))


def _schedule(name, value):
    """A schedule, or None."""
    if value is not None and not (hasattr(value, "maintenance") and hasattr(value, "cap")):
        raise TypeError(f"{name} must be a Tiers schedule or None, not {value!r}")
    return value


# ----------------------------------------------------------------- currencies


def _haircut(name, value):
    if isinstance(value, Tiers):
        return value
    if checks.number("haircut", value, least=0) > 1:
        raise ValueError(f"haircut must be from 0 to 1, not {value!r}")
    return Tiers.flat(value)


@frozen
class Asset:
    """How a venue counts one currency. A debt is a negative balance; nothing else is special.

    Parameters
    ----------
    haircut : Tiers or float
        Share of what is held that does not count, 0 to 1. As `Tiers` its floors count coins (basis
        "quantity") or their value in quote currency ("notional"), and each slice has its own
        haircut. 1 is no collateral at all.
    debt_weight : float
        What a debt counts for, as a multiple of itself: at least 1 (Drift: 1.1 for SOL).
    loan : Tiers, optional
        Maintenance margin of a debt; its leverage sets the initial margin, debt / leverage, and its
        cap is the most that can be borrowed (losses and funding may take a debt beyond it). None:
        this currency is not lent. Floors as for the haircut.
    rate : float
        Interest for as many hours as the venue's `Interest.per` says.

    Raises ValueError or TypeError if one of them is outside its range.
    """

    haircut: Tiers = field_of(_haircut, 0.0)
    debt_weight: float = number_field(1.0, least=1)
    loan: Tiers | None = field_of(_schedule, None)
    rate: float = number_field(0.0, least=0)


@frozen
class Interest:
    """When interest on a debt falls due: for every period of `every` hours that was started.

    Parameters
    ----------
    per : float
        Hours for which a rate is quoted: 24 for a daily rate, 8,760 for an annual one.
    every : float
        Length of a period in hours.
    opening : float
        Periods that are charged at once when the money is borrowed.
    on : "debt" or "borrowed"
        Whether that opening fee, as a part of the debt, bears interest.

    Source: Binance: borrowed * daily rate * hours started / 24. Kraken: borrowed * rate * (1 +
    four-hour periods started), the one being the opening fee. OKX: by the hour, on the liability.
    """

    per: float = number_field(24.0, above=0)
    every: float = number_field(1.0, above=0)
    opening: float = number_field(0.0, least=0)
    on: str = choice("debt", "borrowed")

    @property
    def period(self):
        """A period as a share of the hours for which a rate is quoted."""
        return self.every / self.per

    def due(self, debt: float, rate: float, hours: float) -> float:
        """Interest on a debt (> 0) after so many hours, in the currency of the debt."""
        started = ceil(checks.number("hours", hours, least=0) / self.every - 1e-9)  # 3 * 0.1 is 0.3
        return debt * rate * self.period * started

    def at_once(self, debt: float, rate: float) -> float:
        """What is charged when a debt (> 0) is taken up, in its currency."""
        return debt * rate * self.period * self.opening


# -------------------------------------------------------------------- funding


def _hour(name, value):
    if not 0 <= checks.number(name, value) < 24:
        raise ValueError(f"{name} must be an hour of the day, from 0 to below 24, not {value!r}")
    return float(value)


def _bound(name, value):
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {value!r}")
    return value


@frozen
class Funding:
    """A venue's rule for funding: what longs pay shorts, as a share of the notional, where the rate
    is positive.

        rate = (P + clamp(I - P, -damper, +damper)) * interval / per,
        and then no less than floor, no more than cap

    with the premium index P (see `funding.premium`) averaged over the interval, and the interest
    component I.

    Parameters
    ----------
    interval : float
        Hours for which a rate holds; where funding is not continuous, the time between payments.
    per : float
        Hours in which a premium would be paid in full: 8 (BitMEX, Binance, Hyperliquid), 24
        (Kraken).
    first : float
        Hour of the day, UTC, of a payment: 0 (Binance: 00, 08, 16), 4 (BitMEX: 04, 12, 20).
    interest : float
        I, for `per` hours: 0.0001 is 0.03 % a day.
    damper : float or None
        How far I may pull a premium: within it the rate is I. None: no damper, P + I (dYdX; Kraken
        with I = 0).
    cap, floor : float
        Bounds of the rate of one interval; `floor` is -cap if absent.
    accrual : "snapshot" or "continuous"
        Whether who holds the contract at the timestamp pays for the whole interval, or every moment
        counts.
    charged_to : "position" or "account"
        What pays for an isolated position: its own margin, or what is free in the account, and its
        margin only for the rest (Bybit; OKX before June 2024). A receipt goes to the same place.
    valued_at : "mark" or "index"
        Which price the notional is taken at: the contract's mark, or its index (Kraken, dYdX).

    Source: BitMEX and BTCMEX, "Funding and Funding Rate" (the clamp); Binance, from 18 September
    2025 with interval / 8. bit.com's max(0.05 %, P) + min(-0.05 %, P) is the same with I = 0.
    ValueError or TypeError if a field is outside its range.
    """

    interval: float = number_field(8.0, above=0)
    per: float = number_field(8.0, above=0)
    first: float = field_of(_hour, 0.0)
    interest: float = number_field(0.0001)
    damper: float | None = number_field(0.0005, optional=True, least=0)
    cap: float = field_of(_bound, inf)
    floor: float | None = field_of(_bound, None, optional=True)
    accrual: str = choice("snapshot", "continuous")
    charged_to: str = choice("position", "account")
    valued_at: str = choice("mark", "index")

    def __attrs_post_init__(self):
        low, cap = self.lowest, self.cap
        if not -inf <= low <= cap or low == inf or cap == -inf:  # NaN fails as well
            raise ValueError(f"cap must be at least the floor {low!r}, not {cap!r}")

    @property
    def lowest(self):
        """The lowest rate of one interval."""
        return -self.cap if self.floor is None else self.floor

    def rate(self, premium: Numbers) -> Numbers:
        """Funding rate of one interval for its average premium, both fractions; float or array."""
        premium = checks.finite("premium", premium)
        rate = premium + self.interest
        if self.damper is not None:  # P + clamp(I - P, -damper, +damper), and exactly I in the band
            rate = np.clip(self.interest, premium - self.damper, premium + self.damper)
        rate = np.clip(rate * (self.interval / self.per), self.lowest, self.cap)
        return rate if np.ndim(rate) else float(rate)

    def annual(self, rate: Numbers) -> Numbers:
        """A rate of one interval, paid all year, as a fraction of the notional: not compounded."""
        return checks.finite("rate", rate) * YEAR / self.interval

    def periods(self, start: float, end: float) -> float:
        """How many intervals are paid for from `start` to `end`, hours since a midnight UTC.

        Whole timestamps after `start` up to `end`, or, where it accrues continuously, a share of
        intervals. Splitting a time in two changes nothing. ValueError if it ends before it starts.
        """
        start = checks.number("start", start)
        end = checks.number("end", end, least=start)
        if self.accrual == "continuous":
            return (end - start) / self.interval
        return float(self._count(end) - self._count(start))

    def times(self, start: float, end: float) -> np.ndarray:
        """The timestamps that `periods` counts, as an array of hours.

        ValueError if funding accrues continuously.
        """
        if self.accrual == "continuous":
            raise ValueError("accrual='continuous' has no timestamps: see periods")
        last = self._count(checks.number("end", end, least=checks.number("start", start)))
        return self.first + self.interval * np.arange(self._count(start) + 1, last + 1)

    def _count(self, hour):
        return floor((hour - self.first) / self.interval + 1e-9)  # 3 times 0.1 is 0.3


# ---------------------------------------------------------------- liquidation


def _step(_, step):
    if not callable(step):
        raise TypeError(f"a step must be a function of (pool, market), not {step!r}")
    return step


def _steps(name, value):
    return tuple(_step(name, step) for step in value)


@frozen(init=False)
class Liquidation:
    """How a venue liquidates: a sequence of steps, such as

        Liquidation(cancel_orders, step_down(tiers=1), close_all)

    As long as a pool is at its line, the first of the steps that has something to do does it; then
    the venue looks again. Steps are functions (pool, market) -> (pool, events), in `liquidation`;
    without any, open orders are cancelled and the pool is closed whole.

    Parameters
    ----------
    *steps : callable
    order : "requirement", "loss" or "notional"
        Which position goes first: the one with the largest maintenance margin, unrealised loss or
        notional. Under a scan, the one without which least would be required (Deribit, since 1
        August 2023: support 25944825289245).
    shared_by : "loss" or "requirement"
        By what the shortfall of a pool with several positions is shared out, to find a bankruptcy
        price for each. dYdX takes the maintenance margin; where no rule is known, losses: then each
        price lies between fill and entry, unless debts make the pool lose more than its positions
        did. What is left over is shared by maintenance margin.

    ValueError or TypeError if one of them is outside its range.
    """

    steps: tuple = field_of(_steps, ())
    order: str = choice("requirement", "loss", "notional")
    shared_by: str = choice("loss", "requirement")

    def __init__(self, *steps, **how):
        self.__attrs_init__(**({"steps": steps} | how))


# ---------------------------------------------------------------------- venue


def _mapping_of(name, value, check):
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, not {value!r}")
    return checks.Frozen({key: check(f"{name} of {key!r}", one) for key, one in value.items()})


MODES = ("contract", "order", "account", "subaccount")
CODES = ("position", "orders", "account", "lower leverage")


def _said(name, value):
    said = _mapping_of(name, value, checks.text)
    for situation in said:
        checks.one_of("a key of said", situation, CODES)
    return said


@frozen
class Switching:
    """When a venue lets an open position change between isolated and cross margin.

    Parameters
    ----------
    set_on : "contract", "order", "account" or "subaccount"
        Where the mode is chosen. One mode for the whole account, and isolated margin that is a
        subaccount of its own, cannot be changed for one position.
    open_position, open_orders : bool
        Whether the mode may change while the position, or orders, are open.
    lower_leverage : bool
        Whether the leverage of an open isolated position may be lowered.
    said : mapping
        The venue's own words, with its code, by what is in the way: "position", "orders",
        "account", "lower leverage".
    """

    set_on: str = choice(*MODES)
    open_position: bool = True
    open_orders: bool = True
    lower_leverage: bool = True
    said: Mapping = field_of(_said, checks.Frozen())


@frozen
class OptionMargin:
    """What a short option requires, for each coin, in quote currency (a long requires nothing):

        initial      = max(initial - OTM / S, least) * S * factor + mark
        maintenance  = maintenance_share * S * factor + fee * S + mark

    with the index S, and OTM how far it is from being worth something. An inverse option's are that
    in coins.

    Parameters
    ----------
    initial, least, maintenance_share : float
        Shares of the index.
    factor : float
        By which venues scale them with size.
    larger : "none", "put" or "both"
        Of which maintenance is a share of the mark, if that is larger than the index (of an inverse
        option: than 1 coin).
    fee : float
        Share of the index for liquidating it, in maintenance.
    from_entry : bool
        Whether the initial margin of a short takes the larger of its entry and its mark (Bybit).
    mark_in : "requirement" or "equity"
        Where the mark of a short stands: never in both.
    fee_cap : float
        A trading fee, a share of the index, is at most this share of the option's price (12.5 % at
        Bybit: help 5526069204377).
    longs_count : bool
        Whether the value of a long is equity (portfolio margin: yes; standard margin: mostly no).

    Sources: OKX, 1 May 2026 (ouyizh.loan, at second hand); Deribit's former help page; Bybit UTA
    trading rules; Aevo and Derive docs.
    """

    initial: float = number_field(0.15, least=0)
    least: float = number_field(0.10, least=0)
    maintenance_share: float = number_field(0.075, least=0)
    factor: float = number_field(1.0, above=0)
    larger: str = choice("none", "put", "both")
    fee: float = number_field(0.0, least=0)
    from_entry: bool = False
    mark_in: str = choice("requirement", "equity")
    longs_count: bool = False
    fee_cap: float = number_field(0.125, least=0)
    cap: float = inf
    basis: str = "notional"

    def maintenance(self, notional: Numbers, quantity: Numbers | None = None) -> Numbers:
        """A schedule has it; an option's margin is not a share of its notional: see `margin`."""
        raise ValueError("an OptionMargin is for options: give the contract tiers=Tiers.flat(...)")

    def max_leverage(self, notional: Numbers, quantity: Numbers | None = None) -> float:
        """A short has no leverage of its own."""
        return inf

    def margin(self, option, position, prices: Mapping, initial: bool = False) -> Numbers:
        """Initial or maintenance margin of a position, in the option's settlement currency."""
        if np.all(np.less(-position.quantity, 0)):
            return 0.0 * option.price(prices)  # of their shape
        size, index = np.abs(position.quantity) * option.face, prices[option.index]
        mark, unit = option.price(prices), 1.0 if option.inverse else index
        out = np.maximum((option.strike - index) * (1 if option.call else -1), 0.0) / index
        charged = max(mark, position.entry) if initial and self.from_entry else mark
        if initial:
            asked = np.maximum(self.initial - out, self.least) * self.factor * unit
        else:
            scaled = self.larger == "both" or (self.larger == "put" and not option.call)
            of = np.maximum(unit, mark) if scaled else unit
            asked = self.maintenance_share * self.factor * of + self.fee * unit
        return size * (asked + (charged if self.mark_in == "requirement" else charged - mark))


@frozen
class Delivery:
    """How a dated contract settles.

    minutes : float
        The index is averaged over so long before expiry (OKX 30 since 18 March 2026, 60 before;
        Deribit, Bybit 30; Binance 60 for futures).
    fee : float
        Share of the notional (Bybit 0.0005; Deribit 0.00025, an old figure).
    """

    minutes: float = number_field(30.0, above=0)
    fee: float = number_field(0.0, least=0)


def _scenarios(name, value):
    rows = tuple(tuple(row) for row in value)
    if not rows or any(len(row) != 3 for row in rows):
        raise ValueError(f"{name} must be rows of (move, vol move, weight), not {value!r}")
    for move, vol, weight in rows:
        checks.number("move", move, above=-1)
        checks.number("vol move", vol, above=-1)
        checks.number("weight", weight, least=0)
    return rows


@frozen(slots=False)
class Scan:
    """Portfolio margin: the worst loss of a book over scenarios, index by index, and charges.

        scanned = max(worst + offset * hedged * S, (net * |net delta| + hedge * hedged delta) * S)

    Parameters
    ----------
    scenarios : rows of (move, vol move, weight)
        By which fraction the index moves, and the volatility, and how much of that loss counts.
    days, power, long_power : float
        Volatility moves by (days / days to expiry) ** power; from `days` on, ** long_power.
    offset : float
        Share of the hedged size that is charged beside the worst loss.
    net, hedged : float
        Shares of the net and the hedged delta that are charged at least.
    maintenance, initial : float
        What of it is maintenance and initial margin.

    Only positions are scanned: debts and coins have their own rules. Sources: docs.paradex.trade,
    risk, portfolio margin (beta); Deribit's former page; OKX (IMR = 1.3 MMR).
    """

    scenarios: tuple = field_of(_scenarios)
    days: float = number_field(30.0, above=0)
    power: float = number_field(0.0, least=0)
    long_power: float = number_field(0.0, least=0)
    offset: float = number_field(0.0, least=0)
    net: float = number_field(0.0, least=0)
    hedged: float = number_field(0.0, least=0)
    maintenance: float = number_field(1.0, above=0)
    initial: float = number_field(1.0, above=0)

    @cached_property
    def columns(self):
        """(moves, vol moves, weights), each an array."""
        return np.array(self.scenarios, dtype=float).T

    @classmethod
    def grid(cls, moves, vols=(0.0,), extremes=(), **about) -> "Scan":
        """Every move with every move of the volatility, weight 1, and rows of extremes."""
        rows = [(move, vol, 1.0) for move in moves for vol in vols]
        return cls((*rows, *extremes), **about)


@frozen
class TopUp:
    """Automatic margin addition: an isolated position at its line takes margin from the cross pool.

    Parameters
    ----------
    to : str
        How much each time. "initial": up to the initial margin at the mark, notional / leverage -
        PnL - margin (MEXC until 2022: support.mxc-exchange.com 360052405892; WEEX:
        weexsupport 4417899831833). "maintenance": one maintenance margin at the mark (BTCEX:
        support.btcex.com 13502841505815). "maintenance at entry": the same on the notional at entry
        (MEXC: mexc.com/learn 17827791509085, 20 June 2023). "initial at entry": one initial margin
        at entry, never beyond the notional (Bybit classic: bybit.nl, Auto Margin Replenishment, 4
        December 2023).

    It takes at most what the cross pool can spare, and acts before a liquidation.
    """

    to: str = choice("initial", "maintenance", "maintenance at entry", "initial at entry")


@frozen
class Withdrawal:
    """What may leave a pool: equity less what has to stay, and not more than the balance can spare.

        min(equity - max(initial margin, maintenance margin, least * notional), balance - kept)

    Parameters
    ----------
    kept : "initial", "maintenance", "profit" or "all"
        Which margin the balance alone, without unrealised profit, has to cover: initial margin, so
        that no profit leaves (most venues; Roxom and Orderly say so); maintenance margin (Binance,
        isolated: FAQ 360038447311, copy of 2026); none, so that profit leaves too (Hyperliquid,
        docs.trade.xyz; Polymarket, docs.polymarket.com). "all": nothing leaves an open position
        ("strict isolated", docs.tings.xyz).
    least : float
        Share of the notional at the mark that has to stay at least (Hyperliquid: 0.1).
    """

    kept: str = choice("initial", "maintenance", "profit", "all")
    least: float = number_field(0.0, least=0)


def _mapping(check):
    """A field for a mapping of names to values that pass a check."""
    return field_of(lambda name, value: _mapping_of(name, value, check), {})


ALLOWED = ("isolated", "cross", "options", "loans")


def _allowed(name, value):
    return tuple(checks.one_of(f"a word of {name}", word, ALLOWED) for word in value)


def _asset(name, value):
    if not isinstance(value, Asset):
        raise TypeError(f"{name} must be an Asset, not {value!r}")
    return value


def _instance(kind, optional=False):
    """A field that holds a value of a class: its default is the class's own, or None."""

    def check(name, value):
        if not isinstance(value, kind):
            raise TypeError(f"{name} must be a {kind.__name__}, not {value!r}")
        return value

    return field_of(check, None if optional else kind(), optional)


@frozen(eq=False, slots=False)
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
        Gate ...), at the entry price (B: MCS, Bybit classic ...), or, in the liquidation price that
        is displayed, frozen at the current mark (C: Bitget cross).
    fee : float
        Taker fee rate, as far as it counts in the requirement.
    fee_at : "none", "price", "entry" or "bankruptcy"
        Whether the closing fee is inside the requirement: not at all (Binance), on the notional at
        the price (OKX, Gate), at entry, or at the bankruptcy price (Bybit UTA, where initial margin
        holds it too).
    orders_required : bool
        Whether margin held for open orders counts in the maintenance requirement (Drift).
    realised_to, freed_to : "account" or "position"
        Where a partial close of an isolated position sends the profit and the margin set free.
    surplus_to : "trader" or "insurance fund"
        Who keeps what is left of a liquidated pool. The fund by default; the whole surplus goes
        there at BitMEX, KuCoin and Bybit (isolated). At Hyperliquid, dYdX and Drift it is the
        trader's. For other venues the fund is our assumption.
    shortfall_to : "insurance fund" or "counterparties"
        Who pays what is missing.
    liquidation : Liquidation
        What is closed first, and how much of it.
    quotes : tuple of str
        Currencies that count as one unit of quote currency unless a price for them is marked.
    account_mode : "single-currency" or "multi-currency"
        Whether each settlement currency has a cross pool of its own, or one cross pool, valued in
        USD, holds every asset with its haircut.
    assets : mapping of currency to Asset
        Haircuts and loans; "*" stands for every currency that is not named. A multi-currency
        account holds nothing else, and USD, in which it is valued. A pool's own currency has no
        haircut in single-currency mode.
    interest : Interest
        When interest on a debt falls due.
    funding : Funding
        How funding rates are made, and when and from what they are paid. Absent, it is Binance's
        rule, which need not be this venue's. A cap is that of one contract: give others theirs with
        `marginlab.replace`.
    unrealised : "joined" or "beside"
        How a multi-currency account counts unrealised PnL. Joined: it is added to the balance of
        the currency in which it settles, the haircut falls on a sum above zero, and a sum below is
        a debt with its loan margin (OKX help 360054690531; Bybit, "Borrowing in UTA"; Gate
        CrossEx; Binance announcement c983a9268cfa4e70a4916c276bb3b7bc). Beside: it counts in full,
        apart from balances (Kraken).
    withdrawal, isolated_withdrawal : Withdrawal
        What may leave a pool, and where isolated ones differ, what may leave them.
    adding : Withdrawal
        What may leave the cross pool for an isolated one, where that differs.
    switching : Switching
        When the margin mode of an open position may change; None where that is not known.
    topping_up : TopUp, optional
        How margin is added automatically, if it is.
    options : OptionMargin
        What short options require, and what of an option is equity.
    delivery : Delivery
        How dated contracts settle.
    scan : Scan, optional
        Portfolio margin, in cross pools: the requirement of positions is scanned, and not summed.
    trading_fee : float
        Fee of a fill, as a share of its notional, or of the coins that a pair brings. `trade` takes
        another with fee=.
    price_band : float
        How far from the mark a fill may be: from mark / (1 + band) to mark * (1 + band). The
        default, half to twice the mark, is this course's: it catches slips of the unit.
    hedge_mode : bool
        Whether a long and a short of one contract may be open side by side.
    both_modes : bool
        Whether one contract may be open in isolated and in cross margin at once.
    netting : "none", "contract" or "index"
        Of longs and shorts in one cross pool both are charged (most venues), or only the larger
        side, of one contract or of all contracts on one index (Kraken, between maturities:
        support.cryptofacilities.com 115002794113).
    allows : tuple of "isolated", "cross", "options", "loans"
        What this account mode lets be opened: positions in which margin mode, options, loans.
    least_equity : float
        What an account has to be worth to change into this mode, in quote currency: see
        `Account.change_mode`.
    exchange : callable, optional
        A step as in `Liquidation`, which the venue takes before a multi-currency pool is at its
        line: debts above a threshold are repaid with other coins (`liquidation.repay_debts`).
    """

    name: str
    as_of: str = ""
    source: str = ""
    tiers: Mapping = _mapping(_schedule)
    maintenance_at: str = choice("price", "entry", "mark")
    fee: float = number_field(0.0, least=0)
    fee_at: str = choice("none", "price", "entry", "bankruptcy")
    orders_required: bool = False
    realised_to: str = choice("account", "position")
    freed_to: str = choice("account", "position")
    surplus_to: str = choice(FUND, TRADER)
    shortfall_to: str = choice(FUND, COUNTERPARTIES)
    liquidation: Liquidation = _instance(Liquidation)
    quotes: tuple = ("USD", "USDT", "USDC")
    account_mode: str = choice("single-currency", "multi-currency")
    assets: Mapping = _mapping(_asset)
    interest: Interest = _instance(Interest)
    funding: Funding = _instance(Funding)
    unrealised: str = choice("joined", "beside")
    withdrawal: Withdrawal = _instance(Withdrawal)
    isolated_withdrawal: Withdrawal | None = _instance(Withdrawal, optional=True)
    adding: Withdrawal | None = _instance(Withdrawal, optional=True)
    switching: Switching | None = _instance(Switching, optional=True)
    topping_up: TopUp | None = _instance(TopUp, optional=True)
    options: OptionMargin = _instance(OptionMargin)
    delivery: Delivery = _instance(Delivery)
    scan: Scan | None = _instance(Scan, optional=True)
    trading_fee: float = number_field(0.0, least=0, most=0.5)
    price_band: float = number_field(1.0, above=0)
    hedge_mode: bool = False
    both_modes: bool = False
    netting: str = choice("none", "contract", "index")
    allows: tuple = field_of(_allowed, ALLOWED)
    least_equity: float = number_field(0.0, least=0)
    exchange: Callable | None = field_of(_step, None, optional=True)

    @cached_property
    def multi_currency(self):
        """Whether one cross pool holds every currency."""
        return self.account_mode == "multi-currency"

    def asset(self, currency: str) -> Asset | None:
        """How a currency counts: an `Asset`, or None where a single-currency venue is silent on it.

        ValueError if a multi-currency account does not take it as collateral.
        """
        found = self.assets.get(currency) or self.assets.get("*")
        if found is None and self.multi_currency:
            if currency == "USD":
                return Asset()  # in which it is valued
            raise Refused(
                f"unknown collateral {currency!r}: a multi-currency account at {self.name} takes "
                f"{', '.join({**self.assets, 'USD': None})}"
            )
        return found

    def schedule(self, instrument):
        """The instrument's own schedule, or this venue's.

        ValueError if there is none, or if the contract is neither inverse nor settled in quote
        currency: its prices would be in one currency and its margin in another.
        """
        third = instrument.settle not in (instrument.index, *self.quotes)
        if third and not getattr(instrument, "quanto", False):
            raise ValueError(
                f"settle must be the contract's own index {instrument.index!r} (inverse) or one of "
                f"{self.name}'s quotes, {', '.join(self.quotes)} (linear), not "
                f"{instrument.settle!r} for {instrument.symbol!r}; "
                f"replace(venue, quotes=...) adds to them"
            )
        if instrument.modelled:
            return instrument.tiers or self.options
        found = instrument.tiers or self.tiers.get(instrument.symbol) or self.tiers.get("*")
        if found is None:
            raise ValueError(
                f"{self.name} comes with no tier schedule for symbol {instrument.symbol!r}, only "
                f"for {', '.join(self.tiers) or 'none at all'}: give the contract its own, such as "
                f"tiers=Tiers.flat(0.005)"
            )
        if isinstance(found, Tiers) and found.rates[-1] >= 1:
            raise ValueError(f"rates of {instrument.symbol!r} must stay below 1, not {found.rates}")
        return found
