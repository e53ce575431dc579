"""Trades: how a position opens, grows, shrinks, flips and closes. `Account.trade` is the way in."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from . import checks
from .instruments import Perpetual, Position
from .pool import Pool
from .terms import bust
from .venue import COUNTERPARTIES, TRADER


@dataclass(frozen=True)
class Event:
    """One entry of the ledger. `flows` says who gained (+) or lost (-) how much; it sums to zero.

    A liquidation carries what was `lost` by the trader of the pool's balances, at that price and less its debts, and
    the `surplus` or `shortfall` that arose; `flows` says who took it. The steps that led to it have the `contract` and
    `quantity` traded (signed), the `fees` in it, and the pool's equity `before` and `after`, in its currency; the
    `shortfall` of an auto-deleveraging is a part of its pool's. The `price` of a liquidation is the mark at which it
    began, where one price says it.
    """

    kind: str
    pool: str
    currency: str
    flows: Mapping
    price: float | None = None
    text: str = ""
    lost: float = 0.0
    surplus: float = 0.0
    shortfall: float = 0.0
    contract: str = ""
    quantity: float = 0.0
    fees: float = 0.0
    before: float | None = None
    after: float | None = None

    def __post_init__(self):
        object.__setattr__(self, "flows", checks.Frozen(dict(self.flows)))


class Order(NamedTuple):
    """What was asked for, checked: see `Account.trade`."""

    instrument: Perpetual
    quantity: float
    price: float
    isolated: float | bool | None
    leverage: float | None
    leg: str | None


def checked(quantity, price, isolated, leverage):
    """(quantity, price, isolated, leverage) of an order as floats; TypeError or ValueError if they cannot be meant."""
    quantity = checks.number("quantity", quantity)
    if quantity == 0:
        raise ValueError("quantity must be positive (buy) or negative (sell), not 0")
    price = checks.number("price", price, above=0)
    leverage = None if leverage is None else checks.number("leverage", leverage, above=0)
    if isolated is not None and not isinstance(isolated, bool):
        isolated = checks.number("isolated", isolated, above=0)
    return quantity, price, isolated, leverage


def trade(account, instrument, quantity, price, isolated=None, leverage=None, leg=None):
    """See `Account.trade`."""
    if not isinstance(instrument, Perpetual):
        raise TypeError(f"instrument must be a Perpetual or a Spot, not {instrument!r}")
    quantity, price, isolated, leverage = checked(quantity, price, isolated, leverage)
    if leg is not None and not account.venue.hedge_mode:
        raise ValueError(f"leg={leg!r}: {account.venue.name} has no hedge mode, a contract is either long or short")
    checks.one_of("leg", leg, (None, "long", "short"))
    account.cross_in(instrument.settle)  # refuses a currency that the account does not hold
    instrument = replace(instrument, tiers=account.venue.schedule(instrument))
    if instrument.index not in account.marks:
        account = account.mark(**{instrument.index: price})
    order = Order(instrument, quantity, price, isolated, leverage, leg)
    pool, held = which(account, order)
    if held is None:
        if leg and (quantity > 0) != (leg == "long"):
            raise ValueError(f"leg={leg!r}: there is no {leg} of {instrument.symbol} to reduce")
        return opened(account, order)
    if held.instrument != instrument:
        raise ValueError(f"instrument {instrument.symbol!r} differs from the open one of that symbol")
    if abs(held.quantity + quantity) <= 1e-12 * abs(held.quantity):  # 0.1 + 0.2 - 0.3 closes
        quantity = -held.quantity
    if held.quantity * quantity > 0:
        return opened(account, order, pool, held)
    if abs(quantity) > abs(held.quantity):
        if leg:
            raise ValueError(f"quantity {quantity:g} is more than the {leg} of {abs(held.quantity):g} that is open")
        flat = reduced(account, pool, held, -held.quantity, price)
        if type(isolated) is not float:
            order = order._replace(isolated=pool.isolated or None, leverage=leverage or held.leverage)
        return opened(flat, order._replace(quantity=quantity + held.quantity))
    if type(isolated) is float or leverage is not None:
        raise ValueError("isolated and leverage have no part in a trade that only reduces a position")
    return reduced(account, pool, held, quantity, price)


def which(account, order):
    """The (pool, position) that an order acts on, (None, None) if it opens one; ValueError where it does not say."""
    symbol, walled = order.instrument.symbol, order.isolated not in (None, False)
    found = account.find(symbol, leg=order.leg)
    chosen = found if order.isolated is None else [(pool, p) for pool, p in found if pool.isolated == walled]
    if found and not chosen and not account.venue.both_modes:
        mode, other = ("cross", "isolated") if walled else ("isolated", "cross")
        raise ValueError(
            f"isolated={order.isolated!r}: {symbol} is open in {mode} margin; close it first, or stay out of {other}"
        )
    if len(chosen) > 1:
        where = ", ".join(f"{p.label} in {pool.name!r}" for pool, p in chosen)
        raise ValueError(f"{symbol} is open more than once ({where}): say which with isolated= or leg=")
    return chosen[0] if chosen else (None, None)


def opened(account, order, pool=None, held=None):
    """The account after opening a position, or after increasing `held` in `pool`."""
    instrument, quantity, price, isolated, leverage, leg = order
    settle = instrument.settle
    if pool is None and isolated not in (None, False):
        name = f"isolated {instrument.symbol}" + (f" {leg}" if leg else "")
        pool = Pool(settle, {settle: 0.0}, (), account.venue, {}, name, isolated=True)
    pool = pool or account.cross_in(settle)
    margin = _margin(account, order, held) if pool.isolated else 0.0
    size, entry = quantity, price
    if held:
        size = held.quantity + quantity
        entry = instrument.average_entry(held.quantity, held.entry, quantity, price)
        leverage = leverage or held.leverage
    notional = abs(instrument.notional(size, entry))
    collateral = pool.collateral.get(settle, 0.0) + margin
    if type(isolated) is float:
        leverage = notional / collateral
    position = Position(instrument, size, entry, leverage)
    _check_size(position, notional)
    others = tuple(p for p in pool.positions if p is not held)
    after = replace(pool, positions=(*others, position), collateral={**pool.collateral, settle: collateral})
    after = after.marked(account.marks)
    check_margin(f"{quantity:+,g} {instrument.symbol}", after, initial=not after.isolated)
    text = f"{quantity:+,g} at {price:,g}"
    event = Event("trade", after.name, settle, {TRADER: 0.0, COUNTERPARTIES: 0.0}, price, text)
    return (account.credit(settle, -margin) if margin else account).updated(after, events=[event])


def check_margin(name, after, initial):
    """ValueError with the amount missing if a pool would be at its line or, where asked, short of initial margin."""
    needed, kind = after.requirement(), "maintenance"
    if initial and (more := float(after.requirement(kind="initial"))) > needed:
        needed, kind = more, "initial"
    missing = needed - after.equity()
    if after.slack() <= 0 or missing > 1e-12 * needed:
        raise ValueError(
            f"{name} would leave {after.name!r} short of its margin: {needed:,.10g} {after.currency} of "
            f"{kind} margin needed, {after.equity():,.10g} there, {missing:,.10g} missing"
        )


def _margin(account, order, held):
    """The margin that an isolated trade sets aside."""
    instrument, quantity, price, isolated, leverage, _ = order
    notional = abs(instrument.notional(quantity, price))
    chosen = leverage or (held.leverage if held else None)
    if chosen is None:
        if isolated is True:
            raise ValueError("an isolated trade needs its margin, isolated=5, or isolated=True with leverage=10")
        margin = isolated
    else:
        margin = notional / chosen
        if account.venue.fee_at == "bankruptcy":  # the initial margin holds the closing fee there
            margin += account.venue.fee * bust(None, Position(instrument, quantity, price, chosen))
        if type(isolated) is float and leverage and abs(isolated - margin) > 1e-9 * margin:
            raise ValueError(
                f"isolated={isolated:g} and leverage={leverage:g} disagree: {notional:g} {instrument.settle} "
                f"at that leverage needs {margin:g}"
            )
        margin = isolated if type(isolated) is float else margin
    check_free("isolated", margin, instrument.settle, account.cross_in(instrument.settle))
    return margin


def _check_size(position, notional):
    """ValueError if the schedule ends before this size, or allows less leverage at it."""
    schedule, n = position.instrument.tiers, abs(position.quantity)
    size = notional if schedule.basis == "notional" else n
    if size > schedule.cap:
        unit = position.instrument.settle if schedule.basis == "notional" else "contracts"
        raise ValueError(f"quantity {n:g} makes {size:,g} {unit}: the schedule ends at {schedule.cap:,g} {unit}")
    most = float(schedule.max_leverage(notional, n))
    if position.leverage and position.leverage > most * (1 + 1e-9):
        raise ValueError(
            f"leverage {position.leverage:g} is above the {most:g} allowed at this size: the initial margin must "
            f"be at least {notional / most:g} {position.instrument.settle}, not {notional / position.leverage:g}"
        )


def reduced(account, pool, held, quantity, price):
    """The account after closing part or all of `held`; the venue says where profit and freed margin go."""
    settle, venue = held.instrument.settle, account.venue
    share, margin = -quantity / held.quantity, pool.collateral.get(settle, 0.0)
    realised = held.instrument.pnl(-quantity, held.entry, price)
    left = (replace(held, quantity=held.quantity + quantity),) if share < 1 else ()
    positions = tuple(q for p in pool.positions for q in (left if p is held else (p,)))
    out = 0.0
    if pool.isolated and not left:
        out = margin + realised
    elif pool.isolated:  # a loss is paid out of this position's own margin, never by the account
        freed = margin * share if venue.freed_to == "account" else 0.0
        out = max(0.0, freed + (realised if venue.realised_to == "account" or realised < 0 else 0.0))
    after = replace(pool, positions=positions, collateral={**pool.collateral, settle: margin + realised - out})
    if out < 0 or after.equity() < 0 or (left and pool.isolated and after.slack() <= 0):
        raise ValueError(
            f"price={price:g}: this fill would leave {pool.name!r} with {after.equity() + min(out, 0.0):,.10g} "
            f"{after.currency}; at() says what the venue does there"
        )
    text = f"{quantity:+,g} at {price:,g}"
    flows = {TRADER: realised, COUNTERPARTIES: 0.0 - realised}
    event = Event("trade", pool.name, settle, flows, price, text)
    if pool.isolated:
        account = account.credit(settle, out)
        if not left:
            return account.updated(drop=[pool.name], events=[event])
    return account.updated(after, events=[event])


def place_orders(account, margin, currency):
    """See `Account.place_orders`."""
    pool = account.cross_in(currency)
    if pool.currency != currency:
        raise ValueError(f"currency must be {pool.currency!r}, in which {pool.name!r} is valued, not {currency!r}")
    after = replace(pool, orders=margin)
    if margin > pool.orders:
        check_margin(f"margin={margin:g} {currency} for open orders", after, initial=True)
    text = f"open orders hold {margin:,.10g} {currency}"
    return account.updated(after, events=[Event("orders", pool.name, currency, {TRADER: 0.0}, text=text)])


def check_free(name, amount, currency, pool):
    """ValueError if a pool has less than `amount` of a currency to give."""
    free = max(float(pool.withdrawable(currency)), 0.0)
    if amount > free + 1e-12 * abs(free):
        bound = " (the rest is margin in use, or unrealised profit)" if pool.open else ""
        raise ValueError(f"{name}={amount:g} {currency} is more than the {free:g} free in {pool.name!r}{bound}")
