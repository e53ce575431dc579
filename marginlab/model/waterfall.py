"""What a liquidation does, step by step, and who takes what is left or pays what is missing.

    cancel orders -> step down or close a position -> look at slack again -> close the rest at the market -> the
    insurance fund takes a surplus or pays a shortfall -> when it is empty, winners on the other side are closed at
    the bankruptcy price

The trigger looks at the mark price; fills are at the last price, with the impact that the caller states.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import inf, isfinite

from . import capital, checks
from .display import fmt
from .fills import Market, below_one, closed, mark, reduced
from .portions import DUST, portion, ranked
from .trading import Event
from .venue import COUNTERPARTIES, FUND, TRADER


def liquidate(account, last=None, impact=0.0, fund=inf):
    """See `Account.liquidate`."""
    return acted(account, stated(last, impact, followed(account)), purse(fund, [account]))[0]


def acted(account, market, fund):
    """(account, fund) after the venue acted on every pool at its line; `fund` is what it has, by currency."""
    for pool in account.pools:
        if pool.open and at_line(pool):
            before, there = len(account.events), fund[pool.currency]
            account = liquidated(account, pool, market, there)
            fund = fund | {pool.currency: max(0.0, there + gained(pool, account.events[before:]))}
    return account, fund


def gained(pool, events):
    """What the insurance fund gained (+) or paid (-) by events of a pool, in its currency at its marks."""
    return sum(event.flows.get(FUND, 0.0) * pool.unit(event.currency, pool.marks) for event in events)


def stated(last, impact, names):
    """The `Market` that a caller states; TypeError or ValueError if it cannot be meant."""
    last = {} if last is None else last
    if not isinstance(last, Mapping):
        raise TypeError(f"last must be a mapping of names to prices, such as {{'BTC': 50_000}}, not {last!r}")
    for name, price in last.items():
        if name not in names:
            known = ", ".join(sorted(names)) or "nothing"
            raise ValueError(f"last has a price of {name!r}, which nothing here follows: it follows {known}")
        checks.number(f"the last price of {name}", price, above=0)
    return Market(last, impact if callable(impact) else below_one(checks.number("impact", impact, least=0)))


def followed(account):
    """Every name whose price an account follows: indices, contracts and coins, and what was marked."""
    return set(account.marks).union(*(pool.names for pool in account.pools))


def check_followed(account, names):
    """ValueError for a name whose price an account does not follow."""
    known = followed(account)
    for name in names:
        if name not in known:
            raise ValueError(f"nothing here follows {name!r}: use {', '.join(sorted(known))}")


def purse(fund, accounts):
    """What the insurance fund has, by currency: `fund` is one number for every currency, or a mapping, in which what is
    not named is nothing. ValueError if it names no currency of a pool."""
    currencies = {pool.currency for account in accounts for pool in account.pools}
    if not isinstance(fund, Mapping):
        return dict.fromkeys(currencies, _amount("fund", fund))
    if fund and not currencies & fund.keys():  # most likely a slip
        raise ValueError(f"fund names {', '.join(map(str, fund))}, but pools are in {', '.join(sorted(currencies))}")
    return dict.fromkeys(currencies, 0.0) | {c: _amount(f"the fund in {c}", amount) for c, amount in fund.items()}


def _amount(name, value):
    return value if isinstance(value, float) and value == inf else checks.number(name, value, least=0)


def tally(events):
    """Who gained (+) or lost (-) how much by these events: {currency: {party: amount}}."""
    total = {}
    for event in events:
        of = total.setdefault(event.currency, {})
        for party, amount in event.flows.items():
            of[party] = of.get(party, 0.0) + amount
    return total


def at_line(pool):
    """Whether a pool is liquidated at its marks: slack zero or less, to rounding."""
    return pool.slack() <= DUST * pool.requirement()


def liquidated(account, pool, market, fund):
    """The account after one pool was followed to its end, or until it stood again."""
    start, haircut = capital.balances(pool, pool.marks, full=True)[0], pool.worth() - pool.equity()
    rule, stepped = pool.venue.liquidation, set()
    if pool.orders:
        text = f"open orders cancelled: {fmt(pool.orders)} {pool.currency} of margin set free"
        event = Event("orders cancelled", pool.name, pool.currency, {TRADER: 0.0}, text=text,
                      before=pool.equity(), after=pool.equity())  # fmt: skip
        pool = replace(pool, orders=0.0)
        account = account.updated(pool, events=[event])
    while at_line(pool):
        taken = rule.takeover > 0 and pool.equity() <= rule.takeover * pool.requirement()
        ended = taken or pool.worth() <= 0  # past bankruptcy there is nothing that a part could save
        position, count = (None, 0.0) if ended else portion(pool, market, stepped)
        if position is None:
            return settled(account, pool, market, fund, start, haircut, taken)
        stepped.add(position.label)
        account = closed(account, pool, position, count, market.fill(pool, position, count), "partial liquidation")
        fund += account.events[-1].flows[FUND] * pool.unit(position.instrument.settle, pool.marks)
        market = market.after(pool, position, count)
        pool = next(p for p in account.pools if p.name == pool.name)
    return account


def bankruptcy_prices(pool, fills=None, kept=0.0):
    """For each position, by label, the price (quote currency) at which its pool would just be at zero if all were
    closed there.

    fills : mapping of label to price, optional
        Prices from which to count; the marks if absent.
    kept : float
        Of what is there, so much is not shared out, in the pool's currency.

    All else is valued at its marks. A pool with one position, and coins that its index does not move, has one such
    price: `pool.bankruptcy`. With more, what is missing is shared out by the venue's rule (`Liquidation.shared_by`),
    and what is there by maintenance margin. The price is None where a share would take a position to no price.

    Source: dYdX v4 by maintenance margin: -value - (equity) * (its requirement) / (all requirements).
    """
    terms, unit = pool.terms, {t.position.label: pool.unit(t.settle, pool.marks) for t in pool.terms}
    fills = fills or {t.position.label: t.price(pool.marks) for t in terms}
    pnl = {t.position.label: t.position.pnl(fills[t.position.label]) * unit[t.position.label] for t in terms}
    worth = capital.balances(pool, pool.marks, full=True)[0] + sum(pnl.values())
    worth = worth if worth < 0 else max(0.0, worth - kept)
    if pool.venue.liquidation.shared_by == "requirement" or worth > 0:
        weights = {t.position.label: t.charge(t.notional(pool.marks)) * unit[t.position.label] for t in terms}
    else:
        weights = {label: max(0.0, -gain) for label, gain in pnl.items()}
    total, found = sum(weights.values()), {}
    for t in terms:
        label, contract = t.position.label, t.position.instrument
        part = weights[label] / total if total else 1 / len(terms)
        level = contract.level(fills[label]) - worth * part / (t.size * unit[label])
        price = -1.0 / level if contract.inverse and level else level
        found[label] = price if isfinite(price) and price > 0 else None
    return found


def filled(account, pool, market, fund, taken, haircut):
    """(account, pool, what was left, below 0 what was missing) after every position is closed, or taken over.

    What is missing beyond the fund is not sold at the market: that share of each position that lost is closed at its
    bankruptcy price, against winners on the other side. Fees take nothing that is missing.
    """
    order, fills, trial = ranked(pool), {}, pool
    for position in order:
        count = abs(position.quantity)
        fills[position.label] = price = mark(pool, position) if taken else market.fill(pool, position, count)
        market, trial = market.after(pool, position, count), reduced(trial, position, count, price, most=0.0).pool
    left = trial.worth()
    beyond = -left - fund if -left - fund > DUST * scale_of(pool) else 0.0
    ends, total = bankruptcy_prices(pool, fills, haircut) if taken or beyond else {}, -left
    for position in order:
        label, count, price = position.label, abs(position.quantity), fills[position.label]
        end = ends.get(label)
        loser = end is not None and abs(end - price) > DUST * price  # who has lost nothing is simply sold
        part = beyond / total if beyond and loser else 0.0
        if part < 1:
            kind, at, market_price = ("assignment", end or price, price) if taken else ("closing", price, None)
            account = closed(account, pool, position, count * (1 - part), at, kind, market_price, max(left, 0.0))
            pool = next(p for p in account.pools if p.name == pool.name)
            left -= 0.0 if taken else account.events[-1].fees * pool.unit(position.instrument.settle, pool.marks)
            position = next((p for p in pool.positions if p.label == label), None)
        if part and position:
            account = closed(account, pool, position, abs(position.quantity), end, "auto-deleveraging", price)
            pool = next(p for p in account.pools if p.name == pool.name)
    return account, pool, left


def scale_of(pool):
    """What lies in a pool, held or owed, and what its positions have gained or lost: the scale of its rounding."""
    held = sum(abs(h.amount) * pool.unit(h.currency, pool.marks) for h in pool.holdings)
    return held + sum(abs(t.position.pnl(t.price(pool.marks))) * pool.unit(t.settle, pool.marks) for t in pool.terms)


def settled(account, pool, market, fund, start, haircut, taken):
    """The account after a pool is closed whole: positions filled, debts repaid, coins sold, and who bears the rest.

    What a haircut kept out of the equity is the trader's and is returned, in the pool's own currency; `start` is what
    its balances were worth at first, `fund` what the fund has. What is `taken` over is not sold.
    """
    venue, rule, scale = account.venue, account.venue.liquidation, max(scale_of(pool), abs(start))
    at = pool.terms[0].price(pool.marks) if len(pool.terms) == 1 else None
    owed, there = any(h.owed for h in pool.holdings), fund if venue.shortfall_to == FUND else 0.0
    at_marks = not (taken or market.last or market.impact or rule.fund_fee or rule.liquidator_fee)
    if at_marks and -pool.worth() <= there:
        outcome, left_in_fund = pool.worth(), there  # one event says it all
    else:
        before = len(account.events)
        account, pool, outcome = filled(account, pool, market, there, taken, haircut)
        left_in_fund = there + gained(pool, account.events[before:])
    held, left, outcome = (
        x if abs(x) > DUST * scale else 0.0  # a price just at bankruptcy: rounding, not a shortfall of 8.9e-16
        for x in (capital.balances(pool, pool.marks, full=True)[0], pool.worth(), outcome)
    )
    returned = max(0.0, left) if venue.surplus_to == TRADER else max(0.0, min(left, haircut))
    paid = min(max(0.0, -left), left_in_fund)
    flow = max(0.0, left) - returned - paid
    flows = {TRADER: returned - held, FUND: flow, COUNTERPARTIES: held - returned - flow}
    surplus, missing, lost = max(0.0, outcome), max(0.0, -outcome), max(start - returned, 0.0)
    ended = f"closed, {fmt(returned)} {pool.currency} returned"
    if not returned and not owed:
        ended = f"{fmt(lost)} {pool.currency} lost"
    text = f"{pool.name}: {ended}; {_bearers(venue, surplus - returned, surplus, missing, there, taken)}"
    event = Event("liquidation", pool.name, pool.currency, flows, at, text, lost, surplus, missing)
    if pool.isolated:
        return account.credit(pool.currency, returned).updated(drop=[pool.name], events=[event])
    return account.updated(replace(pool, positions=(), collateral={pool.currency: returned}), events=[event])


def _bearers(venue, kept, surplus, missing, fund, taken):
    """In words, who has what is left, or pays what is missing."""
    if 0 < fund < missing:
        return f"{fmt(missing)} missing: {fmt(fund)} paid by the {FUND}, {fmt(missing - fund)} by {COUNTERPARTIES}"
    if missing:
        return f"{fmt(missing)} missing, paid by the {FUND if fund else COUNTERPARTIES}"
    keeper = venue.surplus_to if not taken else FUND
    kept = surplus if keeper == TRADER else kept
    if kept:
        return f"{fmt(kept)} left over, kept by the {keeper}"
    return "nothing left for the fund" if surplus else "nothing left over, nothing missing"
