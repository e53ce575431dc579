"""What a liquidation does, step by step, and who takes what is left or pays what is missing.

    step down or close a position -> look at slack again -> close the rest at the market -> the insurance fund takes a
    surplus or pays a shortfall -> when it is empty, winners on the other side are closed at the bankruptcy price

The trigger looks at the mark price; fills are at the last price, with the impact that the caller states.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from typing import NamedTuple

from . import capital, checks
from .display import fmt
from .trading import Event
from .venue import COUNTERPARTIES, FUND, TRADER


class Market(NamedTuple):
    """Where the orders of a liquidation are filled: last prices by index or symbol, and their impact on the price."""

    last: Mapping
    impact: float | Callable

    def fill(self, pool, position, count):
        """Average price at which so many contracts (> 0) of a position are closed, quote currency."""
        contract, mark = position.instrument, price(pool, position)
        last = self.last.get(contract.symbol, self.last.get(contract.index, mark))
        worth = count * contract.face * (1.0 if contract.inverse else last)
        part = self.impact(worth) if callable(self.impact) else self.impact
        if not 0 <= part < 1:
            raise ValueError(f"impact must be from 0 to below 1, not {part!r} for {worth:,.10g} of quote currency")
        return last * (1 - part if position.quantity > 0 else 1 + part)


def price(pool, position):
    """The mark of a position in its pool."""
    return pool.marks.get(position.instrument.symbol, pool.marks[position.instrument.index])


def follow(account, last=None, impact=0.0, fund=inf):
    """The account after its venue acts on every pool that is at its line, at the account's marks.

    Parameters
    ----------
    last : mapping of index or symbol to price, optional
        Last traded prices, at which orders are filled; the marks if absent. The trigger does not look at them.
    impact : float or callable
        How far a fill is from the last price, as a fraction against the order: a number, or a function of the worth of
        what is closed, in quote currency.
    fund : float
        What the insurance fund has, in the currency of each pool that draws on it; beyond it counterparties are
        auto-deleveraged.

    Each step is an `Event`: "partial liquidation", "liquidation" (the pool is settled), "auto-deleveraging". Flows
    of each sum to zero. TypeError or ValueError for prices, an impact or a fund that cannot be meant.
    """
    last = {name: checks.number(f"the last price of {name}", p, above=0) for name, p in (last or {}).items()}
    if not callable(impact):
        impact = checks.number("impact", impact, least=0)
    fund = fund if fund == inf else checks.number("fund", fund, least=0)
    funds = {}
    for pool in account.pools:
        if pool.open and at_line(pool):
            there = funds.get(pool.currency, fund)
            account, funds[pool.currency] = liquidated(account, pool, Market(last, impact), there)
    return account


def at_line(pool):
    """Whether a pool is liquidated at its marks: slack zero or less, to rounding."""
    return pool.slack() <= 1e-12 * pool.requirement()


def liquidated(account, pool, market, fund):
    """(account, what the fund has left) after one pool was followed to its end, or until it stood again."""
    start, haircut = capital.balances(pool, pool.marks, full=True)[0], pool.worth() - pool.equity()
    stepped = set()
    while at_line(pool):
        position, count = portion(pool, market, stepped)
        if position is None:
            return settled(account, pool, market, fund, start, haircut)
        stepped.add(position.label)
        account = closed(account, pool, position, count, market, "partial liquidation")
        fund += account.events[-1].flows[FUND] * pool.unit(position.instrument.settle, pool.marks)
        pool = next(p for p in account.pools if p.name == pool.name)
    return account, fund


def portion(pool, market, stepped):
    """(position, contracts to close next), or (None, 0) if the whole pool is to be settled."""
    rule = pool.venue.liquidation
    if not pool.positions:
        return None, 0.0
    measure = {
        "requirement": lambda t: t.charge(t.notional(pool.marks)) * pool.unit(t.settle, pool.marks),
        "loss": lambda t: -t.position.pnl(t.price(pool.marks)) * pool.unit(t.settle, pool.marks),
        "notional": lambda t: worth(pool, t.position),
    }[rule.order]
    position = max(pool.terms, key=measure).position
    whole = count = abs(position.quantity)
    if worth(pool, position) > rule.above:
        if rule.partial == "share" and position.label not in stepped:
            count = rule.share * whole
        elif rule.partial == "tiers":
            count = whole - stepped_down(pool, position, rule)
        elif rule.partial == "size":
            count = restoring(pool, position, rule, market)
    last_one = rule.scope == "pool" or len(pool.positions) == 1
    return (None, 0.0) if count >= whole and last_one else (position, count)


def worth(pool, position):
    """Notional of a position at its mark, in quote currency."""
    return abs(position.notional(price(pool, position))) * pool.quote(position.instrument.settle, pool.marks)


def stepped_down(pool, position, rule):
    """Contracts that a position keeps so many tiers below; 0 if its tier is too low to step down."""
    schedule, whole = position.instrument.tiers, abs(position.quantity)
    at = position.entry if pool.venue.maintenance_at == "entry" else price(pool, position)
    notional = abs(position.notional(at))  # what maintenance is charged on
    size = notional if schedule.basis == "notional" else whole
    tier = schedule.tier(size * (1 - 1e-12))  # what ends a tier is still in it
    if tier + 1 < rule.least_tier or tier < rule.tiers:
        return 0.0
    return whole * schedule.floors[tier - rule.tiers + 1] / size


def restoring(pool, position, rule, market):
    """The least number of contracts whose closing brings slack to its buffer; all if none does."""
    whole = abs(position.quantity)

    def short(count):
        after = reduced(pool, position, count, market)[0]
        return after.slack() <= (rule.buffer + 1e-11) * after.requirement()  # above the line, not on it

    low, high = 0.0, whole
    if short(whole):
        return whole
    for _ in range(60):  # slack against what is closed is as good as linear: a bisection to the last digit
        middle = (low + high) / 2
        low, high = (middle, high) if short(middle) else (low, middle)
    return high


def reduced(pool, position, count, market):
    """(pool, fill price, realised, fund's fee, liquidator's fee) after closing so many contracts of a position."""
    contract, rule, settle = position.instrument, pool.venue.liquidation, position.instrument.settle
    at, side = market.fill(pool, position, count), 1 if position.quantity > 0 else -1
    realised, traded = contract.pnl(side * count, position.entry, at), abs(contract.notional(count, at))
    left = abs(position.quantity) - count
    kept = (replace(position, quantity=side * left),) if left > 1e-12 * abs(position.quantity) else ()
    positions = tuple(q for p in pool.positions for q in (kept if p is position else (p,)))
    after = replace(pool, positions=positions).adding(realised, settle)
    there = max(0.0, after.worth() / after.unit(settle, after.marks))  # a fee takes what there is
    fees = [min(rate * traded, there) for rate in (rule.liquidator_fee, rule.fund_fee)]
    fees[1] = min(fees[1], there - fees[0])
    return after.adding(-sum(fees), settle), at, realised, fees[1], fees[0]


def closed(account, pool, position, count, market, kind):
    """The account after closing so many contracts of a position in a pool, as an event."""
    after, at, realised, fund_fee, fee = reduced(pool, position, count, market)
    traded = -count if position.quantity > 0 else count
    text = f"{pool.name}: {traded:+,.10g} {position.instrument.symbol} at {fmt(at)}"
    flows = {TRADER: realised - fee - fund_fee, FUND: fund_fee, COUNTERPARTIES: fee - realised}
    settle = position.instrument.settle
    event = Event(kind, pool.name, settle, flows, at, text, quantity=traded, before=pool.equity(), after=after.equity())
    return account.updated(after, events=[event])


def settled(account, pool, market, fund, start, haircut):
    """(account, what the fund has left) after a pool is closed whole: positions filled, debts repaid, coins sold.

    What a haircut kept out of the equity is the trader's and is returned, in the pool's own currency; `start` is what
    its balances were worth at first.
    """
    venue, rule = account.venue, account.venue.liquidation
    if market.last or market.impact or rule.fund_fee or rule.liquidator_fee:  # at the marks, one event says it all
        for position in pool.positions:
            account = closed(account, pool, position, abs(position.quantity), market, "partial liquidation")
            fund += account.events[-1].flows[FUND] * pool.unit(position.instrument.settle, pool.marks)
            pool = next(p for p in account.pools if p.name == pool.name)
    held, left = capital.balances(pool, pool.marks, full=True)[0], pool.worth()
    size = sum(abs(h.amount) * pool.unit(h.currency, pool.marks) for h in pool.holdings)
    if abs(left) <= 1e-12 * max(size, abs(start)):  # a price just at bankruptcy: rounding, not a shortfall of 8.9e-16
        left = 0.0
    surplus, shortfall = max(left, 0.0), max(0.0, -left)
    returned = surplus if venue.surplus_to == TRADER else max(0.0, min(surplus, haircut))
    paid = shortfall if venue.shortfall_to == FUND else 0.0
    flow = surplus - returned - paid
    flows = {TRADER: returned - held, FUND: flow, COUNTERPARTIES: held - returned - flow}
    kept = surplus if venue.surplus_to == TRADER else surplus - returned
    outcome = f"{fmt(shortfall)} missing, paid by the {venue.shortfall_to}"
    if surplus:
        outcome = f"{fmt(kept)} left over, kept by the {venue.surplus_to}" if kept else "nothing left for the fund"
    lost = max(start - returned, 0.0)
    text = f"{pool.name}: {fmt(lost)} {pool.currency} lost; {outcome}"
    if returned or any(h.owed for h in pool.holdings):
        text = f"{pool.name}: closed, {fmt(returned)} {pool.currency} returned; {outcome}"
    at = pool.terms[0].price(pool.marks) if len(pool.terms) == 1 else None
    events = [Event("liquidation", pool.name, pool.currency, flows, at, text, lost, surplus, shortfall)]
    if paid > fund:
        rest, paid = paid - fund, fund
        text = f"{pool.name}: {fmt(rest)} {pool.currency} beyond the fund; winners are closed at the bankruptcy price"
        events.append(
            Event("auto-deleveraging", pool.name, pool.currency, {FUND: rest, COUNTERPARTIES: -rest}, text=text)
        )
    fund = max(0.0, fund + surplus - returned - paid)
    if pool.isolated:
        return account.credit(pool.currency, returned).updated(drop=[pool.name], events=events), fund
    return account.updated(replace(pool, positions=(), collateral={pool.currency: returned}), events=events), fund
