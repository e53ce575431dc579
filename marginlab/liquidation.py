"""What a liquidation does, step by step, and who takes what is left or pays what is missing.

    cancel orders -> step down or close a position -> look at slack again -> close the rest at the
    market -> the insurance fund takes a surplus or pays a shortfall -> when it is empty, winners on
    the other side are closed at the bankruptcy price

The trigger looks at the mark price; fills are at the last price, with the impact that is stated. A
venue's process is a sequence of steps, functions (pool, market) -> (pool, events); a step that has
nothing to do returns no events. `rules.Liquidation` holds them.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from math import inf, isfinite

from attrs import evolve, frozen

from . import checks
from .checks import field_of, number_field
from .ledger import Event
from .pool import Pool
from .rules import COUNTERPARTIES, FUND, TRADER
from .show import fmt, priced

DUST = 1e-12  # of the size of what is there: rounding, and no margin


def at_line(pool):
    """Whether a pool is liquidated at its marks: slack zero or less, to rounding."""
    equity, requirement = pool.stand()
    return equity - requirement <= DUST * requirement


def added(pool):
    """How much margin one automatic addition is, in the pool's currency: see `rules.TopUp`."""
    (p,), (schedule,) = pool.positions, pool.schedules
    to, price, size = pool.venue.topping_up.to, mark(pool, p), abs(p.quantity)
    if to.endswith("at entry"):
        price = p.entry
    notional = abs(p.notional(price))
    lever = p.leverage or schedule.max_leverage(notional, size)
    amount = {
        "initial": notional / lever - pool.equity_now,
        "maintenance": schedule.maintenance(notional, size),
        "maintenance at entry": schedule.maintenance(notional, size),
        "initial at entry": min(notional / lever, notional - pool.balances(pool.marks)),
    }
    return max(0.0, amount[to])


def liquidated(pool, market):
    """(pool, events) after its venue followed a pool to its end, or until it stood again."""
    steps = pool.venue.liquidation.steps or (cancel_orders, close_all)
    exchanged = []
    if pool.venue.exchange and not pool.own_in_full:
        pool, exchanged = pool.venue.exchange(pool, market)
    market, events = evolve(market, first=pool), []
    while pool.open and at_line(pool):
        for step in steps:
            after, new = step(pool, market)
            if new:
                break
        else:
            raise ValueError(f"steps must end with one that closes {pool.name!r}: close_all")
        if held(after) == held(pool):
            raise ValueError(f"the step {step!r} changed nothing in {pool.name!r}: it would go on")
        market, pool = market.after(pool, new), after
        events += new
    if events and events[-1].kind != "liquidation" and not pool.open:  # a step sold the last of it
        pool, ended = settled(pool, market, taken=False)
        events += ended
    return pool, [*exchanged, *events]


def held(pool):
    """What a step of a liquidation changes."""
    return pool.positions, pool.collateral, pool.orders


def gained(pool, events):
    """What the insurance fund gained (+) or paid (-) by events of a pool, in its currency."""
    took = [event for event in events if event.flows.get(FUND)]
    return sum(event.flows[FUND] * pool.unit(event.currency, pool.marks) for event in took)


# ------------------------------------------------------------------- the market


@frozen
class Market:
    """Where the orders of a liquidation are filled: last prices, and their impact on the price.

    `impact` is how far the average fill of an order is from the last price, as a fraction against
    it: a number, or a function of the order's worth in quote currency. In the liquidation of one
    pool, orders that follow one another eat on into the same book: `done` is the worth that went
    before, by index and side, so that splitting an order does not make it cheaper.

    `fund` is what the insurance fund has, in the pool's currency, `first` the pool as it was when
    its liquidation began, `stepped` the labels of positions of which a part was closed since.
    """

    last: Mapping
    impact: float | Callable = 0.0
    fund: float = inf
    first: Pool | None = None
    done: Mapping = {}
    stepped: frozenset = frozenset()

    def fill(self, pool, position, count):
        """Average price at which so many contracts (> 0) of a position are closed."""
        key, last, worth = self.order(pool, position, count)
        before = self.done.get(key, 0.0)
        part = impact_of(self.impact, before + worth)
        if before and worth and callable(self.impact):
            part = part + (part - impact_of(self.impact, before)) * before / worth
            part = min(max(0.0, part), 1 - 1e-9)  # the last of an order may cost more than average
        return last * (1 - key[1] * part)

    def order(self, pool, position, count):
        """((index, side), last price, worth in quote currency) of an order to close contracts."""
        contract = position.instrument
        last = self.last.get(contract.symbol, self.last.get(contract.index))
        last = mark(pool, position) if last is None else last
        worth = count * contract.face * (1.0 if contract.inverse else last)
        return (contract.index, position.side), last, worth

    def sold(self, pool, position, count):
        """The market after so many contracts of a position were closed in it."""
        key, _, worth = self.order(pool, position, count)
        done = {**self.done, key: self.done.get(key, 0.0) + worth}
        return evolve(self, done=done, stepped=self.stepped | {position.label})

    def after(self, pool, events):
        """The market after these events of a pool."""
        market = evolve(self, fund=max(0.0, self.fund + gained(pool, events)))
        for event in events:
            for p in pool.positions:
                if p.instrument.symbol == event.contract and p.side * event.quantity < 0:
                    market = market.sold(pool, p, abs(event.quantity))
        return market


def impact_of(impact, worth, name="impact"):
    """The impact of an order of so much worth, as a fraction; ValueError unless a price is left."""
    if not callable(impact):
        return impact
    part = impact(worth)
    part = checks.number(name, getattr(part, "item", lambda: part)())
    return below_one(part, f" for {worth:,.10g} of quote currency", name)


def below_one(part, of="", name="impact"):
    """`part` if it leaves a price above 0, ValueError if not."""
    if not 0 <= part < 1:
        raise ValueError(f"{name} must be from 0 to below 1, not {part!r}{of}")
    return part


def stated(last, impact, names):
    """The `Market` that a caller states; TypeError or ValueError if it cannot be meant."""
    last = {} if last is None else last
    if not isinstance(last, Mapping):
        raise TypeError(
            f"last must be a mapping of names to prices, such as {{'BTC': 50_000}}, not {last!r}"
        )
    for name, price in last.items():
        if name not in names:
            known = ", ".join(sorted(names)) or "nothing"
            raise ValueError(
                f"last has a price of {name!r}, which nothing here follows: it follows {known}"
            )
        checks.number(f"the last price of {name}", price, above=0)
    if not callable(impact):
        impact = below_one(checks.number("impact", impact, least=0))
    return Market(last, impact)


def purse(fund, currencies):
    """What the insurance fund has, by currency: one number for each, or a mapping.

    What a mapping does not name is nothing. ValueError if it names no currency of a pool.
    """

    def amount(name, value):
        full = isinstance(value, float) and value == inf
        return value if full else checks.number(name, value, least=0)

    if not isinstance(fund, Mapping):
        return dict.fromkeys(currencies, amount("fund", fund))
    if fund and not set(currencies) & fund.keys():  # most likely a slip
        pools = ", ".join(sorted(currencies))
        raise ValueError(f"fund names {', '.join(map(str, fund))}, but pools are in {pools}")
    named = {c: amount(f"the fund in {c}", value) for c, value in fund.items()}
    return dict.fromkeys(currencies, 0.0) | named


# -------------------------------------------------------------------- the steps


def cancel_orders(pool, market):
    """Set free the margin that open orders hold."""
    if not pool.orders:
        return pool, []
    text = f"open orders cancelled: {fmt(pool.orders)} {pool.currency} of margin set free"
    now, flows = pool.equity_now, {TRADER: 0.0}
    where = (pool.name, pool.currency, flows, None, text)
    return pool.but(orders=0.0), [Event("orders cancelled", *where, before=now, after=now)]


def close_all(pool, market):
    """Close the pool whole: positions filled, debts repaid, coins sold, and who bears the rest."""
    return settled(pool, market, taken=False)


@frozen
class take_over:
    """The step in which a fund, or who stands for it, takes positions over as they are.

    Nothing more is sold at the market once equity is at most `below` (0 to 1) of the requirement
    (Hyperliquid's backstop: 2/3; source docs.byreal.io, at second hand).
    """

    below: float = number_field(least=0, most=1)

    def __call__(self, pool, market):
        equity, requirement = pool.stand()
        near = equity <= self.below * requirement
        return settled(pool, market, taken=True) if near else (pool, [])


@frozen
class step_down:
    """The step in which a position goes down by so many tiers of its schedule (Gate 1, OKX 2).

    `least` is the lowest tier, from 1, from which it still steps down (OKX: 3).
    """

    tiers: int = field_of(checks.whole, 1)
    least: int = field_of(lambda name, value: checks.whole(name, value, 2), 2)

    def __call__(self, pool, market):
        for position in ranked(pool):
            kept = floors_kept(pool, position)
            # what ends a tier is still in it
            tier = bisect_right(kept, abs(position.quantity) * (1 - DUST)) - 1
            if tier + 1 >= self.least and tier >= self.tiers:
                count = abs(position.quantity) - kept[tier - self.tiers + 1]
                return partly(pool, market, position, count)
        return pool, []


@frozen
class close_share:
    """The step in which a share of each position is closed, once for each time the venue looks.

    Only of positions of more notional than `above`, in quote currency (Hyperliquid: a fifth, above
    100,000; source docs.byreal.io, at second hand).
    """

    share: float = number_field(0.2, above=0, most=1)
    above: float = number_field(0.0, least=0)

    def __call__(self, pool, market):
        for position in ranked(pool):
            large = notional_quote(pool, position) > self.above
            if large and self.share < 1 and position.label not in market.stepped:
                return partly(pool, market, position, self.share * abs(position.quantity))
        return pool, []


def _discount(name, value):
    return below_one(checks.number(name, value), "", name)


@frozen
class repay_debts:
    """The step in which debts are repaid with other coins, the largest of both first.

    Coins are sold `discount` (0 to below 1) below their marks; debts of no more than `above`, in
    quote currency, are left alone. Where unrealised PnL joins balances, an open loss in a currency
    of which there is too little is a debt as well, unless only what is `realised` counts. As
    `Venue.exchange` it does not wait for the line.

    Source: Binance, announcement c983a9268cfa4e70a4916c276bb3b7bc: above 10,000 USD, later 5,000;
    debt / 97.5 % is sold; FAQ f80415bea8124f6494566f23c0bf9c38: of realised losses, funding and
    fees. Bybit, help 000001876 (2024): orders, then debts, then positions.
    """

    discount: float = field_of(_discount, 0.0)
    above: float = number_field(0.0, least=0)
    realised: bool = False

    def __call__(self, pool, market):
        amounts = pool.collateral if self.realised else pool.sums(pool.marks)
        price = {c: pool.quote(c, pool.marks) for c in amounts}
        worth = {c: price[c] * amount for c, amount in amounts.items()}
        debts = sorted((c for c in worth if worth[c] < 0), key=worth.get)
        events = []
        if -sum(worth[debt] for debt in debts) <= self.above:
            return pool, events
        for debt in debts:
            coins = [c for c in worth if worth[c] > 0 and pool.collateral.get(c, 0.0) > 0]
            for coin in sorted(coins, key=worth.get, reverse=True):
                there = min(worth[coin], pool.collateral[coin] * price[coin])
                sold = min(there, -worth[debt] / (1 - self.discount))
                if sold > DUST * pool.size:
                    pool, event = self.exchanged(pool, coin, debt, sold)
                    events.append(event)
                    worth[coin] -= sold
                    worth[debt] += sold * (1 - self.discount)
        return pool, events

    def exchanged(self, pool, coin, debt, worth):
        """(pool, event) after so much of a coin, in quote currency, was sold for what is owed."""
        sold = worth / pool.quote(coin, pool.marks)
        repaid = worth * (1 - self.discount) / pool.quote(debt, pool.marks)
        lost = worth * self.discount / pool.quote(pool.currency, pool.marks)
        text = f"{fmt(sold)} {coin} sold for {fmt(repaid)} {debt} owed"
        flows, now = {TRADER: -lost, COUNTERPARTIES: lost}, pool.equity_now
        pool = pool.adding(-sold, coin).adding(repaid, debt)
        equity = {"before": now, "after": pool.equity_now}
        return pool, Event("exchange", pool.name, pool.currency, flows, None, text, **equity)


def close_each(pool, market):
    """Close one position whole, the first in the venue's order: the others may live."""
    order = ranked(pool)
    if len(order) > 1 or (order and pool.loans):  # a loan may be carried by what is left
        return partly(pool, market, order[0], abs(order[0].quantity))
    return pool, []


def partly(pool, market, position, count):
    """(pool, events) after a part of a pool was sold; past bankruptcy nothing could save it."""
    if pool.worth_now <= 0:
        return pool, []
    price = market.fill(pool, position, count)
    after, event = closed(pool, position, count, price, "partial liquidation")
    return after, [event]


def ranked(pool):
    """The positions of a pool, the one that its venue closes first at the head."""

    def measure(pair):
        p, schedule = pair
        unit = pool.unit(p.instrument.settle, pool.marks)
        if pool.venue.liquidation.order == "loss":
            return -p.pnl(mark(pool, p)) * unit
        if pool.venue.liquidation.order == "notional":
            return notional_quote(pool, p)
        if pool.scans:
            rest = pool.but(positions=[q for q in pool.positions if q is not p])
            return -rest.requirement()
        return pool.charge(p, schedule, pool.marks) * unit

    pairs = list(zip(pool.positions, pool.schedules, strict=True))
    return [p for p, _ in (sorted(pairs, key=measure, reverse=True) if pairs[1:] else pairs)]


def floors_kept(pool, position):
    """Contracts of a position at the floor of each tier of its schedule, in rising order."""
    schedule, whole = pool.venue.schedule(position.instrument), abs(position.quantity)
    price = position.entry if pool.venue.maintenance_at == "entry" else mark(pool, position)
    notional = abs(position.notional(price))  # what maintenance is charged on
    size = notional if schedule.basis == "notional" else whole
    floors = getattr(schedule, "floors", (0.0,))  # one tier, where a schedule has none
    return [whole * (floor / size) for floor in floors]


def mark(pool, position):
    """The mark price of a position in its pool."""
    return position.instrument.price(pool.marks)


def notional_quote(pool, position):
    """Notional of a position at its mark, in quote currency."""
    notional = abs(position.notional(mark(pool, position)))
    return notional * pool.quote(position.instrument.settle, pool.marks)


# -------------------------------------------------------------------- the fills


def reduced(pool, position, count, price):
    """(pool, realised PnL) after so many contracts (> 0) of a position are closed at a price."""
    if position not in pool.positions:
        raise ValueError(f"position must be one of {pool.name!r}, not {position!r}")
    whole = abs(position.quantity)
    count = whole if count > whole * (1 - DUST) else count
    left, paid = position.instrument.fill(position, -position.side * count, price)
    kept = () if left is None else (left,)
    positions = tuple(q for p in pool.positions for q in (kept if p == position else (p,)))
    ((currency, realised),) = paid.items()
    return pool.adding(realised, currency, positions), realised


def closed(pool, position, count, price, kind, market_price=None, fund_fee=0.0, other_fee=0.0):
    """(pool, event) after so many contracts of a position in a pool are closed at a price.

    `market_price` is what they would bring, where they are not sold at the market: taken over, the
    fund has the difference; in auto-deleveraging it is the shortfall that winners bear. Fees are
    amounts in the settlement currency, to the fund and to others.
    """
    contract, fees = position.instrument, fund_fee + other_fee
    after, realised = reduced(pool, position, count, price)
    after = after.adding(-fees, contract.settle) if fees else after
    traded, better = -position.side * count, 0.0
    if market_price is not None:
        better = realised - contract.pnl(-traded, position.entry, market_price)
    trader, fund = realised - fees, -better if kind == "assignment" else fund_fee
    flows = {TRADER: trader, FUND: fund, COUNTERPARTIES: 0.0 - trader - fund}
    text = f"{pool.name}: {traded:+,.10g} {contract.symbol} at {priced(price)}"
    borne = max(0.0, better) if kind == "auto-deleveraging" else 0.0
    steps = {"contract": contract.symbol, "quantity": traded, "shortfall": borne, "fees": fees}
    equity = {"before": pool.equity_now, "after": after.equity_now}
    return after, Event(kind, pool.name, contract.settle, flows, price, text, **steps, **equity)


# ---------------------------------------------------------------------- the end


def brought(pool, fills):
    """What a pool brings if its positions are closed at these prices: by label what a unit of each
    settlement currency is worth, PnL in the pool's own; and what the pool is worth then."""
    unit = {p.label: pool.unit(p.instrument.settle, pool.marks) for p in pool.positions}
    pnl = {p.label: p.pnl(fills[p.label]) * unit[p.label] for p in pool.positions}
    return unit, pnl, pool.balances(pool.marks) + sum(pnl.values())


def bankruptcy_prices(pool):
    """For each position, by label, the price at which its pool would just be at zero if all were
    closed there, quote currency.

    All else is valued at its marks. A pool with one position, and coins that its index does not
    move, has one such price: `pool.bankruptcy`. With more, what is missing is shared out by the
    venue's rule (`Liquidation.shared_by`), and what is there by maintenance margin. The price is
    None where a share would take a position to no price.

    Source: dYdX v4 by maintenance margin: -value - (equity) * (its requirement) / (all
    requirements).
    """
    fills = {p.label: mark(pool, p) for p in pool.positions}
    return shared_out(pool, fills, *brought(pool, fills))


def shared_out(pool, fills, unit, pnl, worth):
    """`bankruptcy_prices`, counted from these prices and from what they bring (`brought`)."""
    weights = {label: max(0.0, -gain) for label, gain in pnl.items()}
    if pool.venue.liquidation.shared_by == "requirement" or worth > 0:
        pairs = zip(pool.positions, pool.schedules, strict=True)
        weights = {p.label: pool.charge(p, s, pool.marks) * unit[p.label] for p, s in pairs}
    total, found = sum(weights.values()), {}
    for p in pool.positions:
        contract, label = p.instrument, p.label
        part = weights[label] / total if total else 1 / len(pool.positions)
        size = p.quantity * contract.face * unit[label]
        level = contract.level(fills[label]) - worth * part / size
        price = contract.level(level) if level else level  # -1/x is its own inverse
        found[label] = price if isfinite(price) and price > 0 else None
    return found


def filled(pool, market, taken, haircut, fund, scale):
    """(pool, events, what was left, below 0 what was missing) after every position is closed.

    What is missing beyond the fund is not sold at the market: that share of each position that lost
    is closed at its bankruptcy price, against winners on the other side. What is `taken` over is
    not sold at all.
    """
    order, fills, ahead = ranked(pool), {}, market
    for p in order:
        count = abs(p.quantity)
        fills[p.label] = mark(pool, p) if taken else ahead.fill(pool, p, count)
        ahead = ahead.sold(pool, p, count)
    unit, pnl, left = brought(pool, fills)
    events = []
    beyond = -left - fund if -left - fund > DUST * scale else 0.0
    shared = left if left < 0 else max(0.0, left - haircut)  # what a haircut kept out goes back
    prices = shared_out(pool, fills, unit, pnl, shared) if taken or beyond else {}
    for position in order:
        count, price = abs(position.quantity), fills[position.label]
        end = prices.get(position.label)
        loser = end is not None and abs(end - price) > DUST * price  # others are simply sold
        part = beyond / -left if beyond and loser else 0.0
        if part < 1:
            how = ("assignment", price) if taken else ("closing",)
            at = end if taken and end else price
            pool, event = closed(pool, position, count * (1 - part), at, *how)
            events.append(event)
            position = next((p for p in pool.positions if p.label == position.label), None)
        if part and position:
            count = abs(position.quantity)
            pool, event = closed(pool, position, count, end, "auto-deleveraging", price)
            events.append(event)
    return pool, events, left


def settled(pool, market, taken):
    """(pool, events) after a pool is closed whole: what is left goes, or is missing, by the rules.

    What a haircut kept out of the equity is the trader's and is returned, in the pool's own
    currency: it is all that the pool holds then. What is `taken` over is not sold.
    """
    venue, marks, first, events = pool.venue, pool.marks, market.first or pool, []
    start = first.balances(marks)
    haircut = first.worth_now - first.equity_now
    size = pool.size
    scale = max(size, abs(start))
    at = mark(pool, pool.positions[0]) if len(pool.positions) == 1 else None
    owed = any(amount < 0 for amount in pool.collateral.values())
    there = fund = market.fund if venue.shortfall_to == FUND else 0.0
    outcome = pool.worth_now
    if taken or market.last or market.impact or -outcome > there:  # else one event says it all
        pool, events, outcome = filled(pool, market, taken, haircut, there, size)
        fund = there + gained(pool, events)
    held, left, outcome = (
        x if abs(x) > DUST * scale else 0.0  # just at bankruptcy: rounding, no shortfall of 8.9e-16
        for x in (pool.balances(marks), pool.worth_now, outcome)
    )
    returned = max(0.0, left) if venue.surplus_to == TRADER else max(0.0, min(left, haircut))
    paid = min(max(0.0, -left), fund)
    flow = max(0.0, left) - returned - paid
    flows = {TRADER: returned - held, FUND: flow, COUNTERPARTIES: held - returned - flow}
    surplus, missing, lost = max(0.0, outcome), max(0.0, -outcome), max(start - returned, 0.0)
    if returned or owed:
        ended = f"closed, {fmt(returned)} {pool.currency} returned"
    else:
        ended = f"{fmt(lost)} {pool.currency} lost"
    who = bearers(venue, surplus - returned, surplus, missing, there, taken)
    text = f"{pool.name}: {ended}; {who}"
    amounts = {"lost": lost, "surplus": surplus, "shortfall": missing}
    event = Event("liquidation", pool.name, pool.currency, flows, at, text, **amounts)
    after = pool.but(positions=(), collateral={pool.currency: returned}, orders=0.0)
    return after, [*events, event]


def bearers(venue, kept, surplus, missing, fund, taken):
    """In words, who has what is left, or pays what is missing."""
    if 0 < fund < missing:
        paid, rest = f"{fmt(fund)} paid by the {FUND}", f"{fmt(missing - fund)} by {COUNTERPARTIES}"
        return f"{fmt(missing)} missing: {paid}, {rest}"
    if missing:
        return f"{fmt(missing)} missing, paid by the {FUND if fund else COUNTERPARTIES}"
    keeper = venue.surplus_to if not taken else FUND
    kept = surplus if keeper == TRADER else kept
    if kept:
        return f"{fmt(kept)} left over, kept by the {keeper}"
    return "nothing left for the fund" if surplus else "nothing left over, nothing missing"
