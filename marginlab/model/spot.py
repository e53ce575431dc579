"""Spot trades and the debts that finance them: balances, some of them negative. `Account.trade` is the way in."""

from . import checks
from .instruments import Spot
from .pool import Pool
from .trading import Event, check_free, check_margin, checked
from .venue import COUNTERPARTIES, LENDER, TRADER


def trade(account, pair, quantity, price, isolated, leverage, borrow):
    """See `Account.trade`."""
    quantity, price, isolated, leverage = checked(quantity, price, isolated, leverage)
    paid, cost, got, amount = pair.quote, quantity * price, pair.base, quantity
    if quantity < 0:
        paid, cost, got, amount = pair.base, -quantity, pair.quote, -quantity * price
    checks.one_of("borrow", borrow, (None, paid))
    if pair.base not in account.marks and pair.quote in account.venue.quotes:
        account = account.mark(**{pair.base: price})
    fill = (paid, cost, got, amount, price, f"{quantity:+,g} {pair.base} at {price:,g} {pair.quote}")
    walled, owing = split(account, pair)
    if isolated is None and walled and owing:
        raise ValueError(f"{pair.symbol} is open in isolated margin and in cross: say isolated=True or isolated=False")
    inside = isolated is None and walled and (borrow or walled.collateral.get(got, 0.0) < 0)
    if not isolated and not inside:
        if walled and borrow and not account.venue.both_modes:
            raise ValueError(f"isolated=False: {pair.symbol} is open in isolated margin; close it first")
        if leverage is not None:
            raise ValueError(f"leverage={leverage:g}: in cross a debt has its loan schedule's leverage; leave it out")
        return shared(account, fill, borrow)
    if owing and not walled and not account.venue.both_modes:
        raise ValueError(f"isolated={isolated!r}: {pair.symbol} is open in cross margin; close it first")
    return walled_off(account, pair, walled, fill, isolated, leverage, borrow)


def shared(account, fill, borrow):
    """The account after a trade out of its cross pools."""
    paid, cost, got, amount, price, text = fill
    if account.venue.account_mode == "multi-currency":
        return exchanged(account, account.cross_in(paid), fill, borrow)
    payer = next((p for p in account.pools if p.name == f"cross {paid}"), None)
    owed = -payer.collateral.get(got, 0.0) if payer else 0.0
    if owed > 0:  # what is received repays the debt that it was borrowed for; the rest goes on
        part = min(1.0, owed / amount)
        account = exchanged(account, payer, (paid, cost * part, got, amount * part, price, text), None)
        rest = (paid, cost * (1 - part), got, amount * (1 - part), price, text)
        return shared(account, rest, borrow) if part < 1 - 1e-12 else account
    if borrow:
        account = account.credit(got, 0.0)
        return exchanged(account, account.cross_in(got), fill, borrow)
    check_free("cost", cost, paid, account.cross_in(paid))
    event = Event("trade", f"cross {paid}", paid, {TRADER: 0.0, COUNTERPARTIES: 0.0}, price, text)
    return account.credit(paid, -cost).credit(got, amount).updated(events=[event])


def exchanged(account, pool, fill, borrow):
    """The account after a trade inside one pool, checked: what is paid may become a debt if it is to be borrowed."""
    paid, cost, got, amount, price, text = fill
    before = pool.collateral.get(paid, 0.0)
    missing = cost - max(before, 0.0)
    if missing <= 1e-12 * cost:
        missing = 0.0
    if missing and not borrow:
        raise ValueError(
            f"{text} takes {cost:,.10g} {paid}, and {pool.name!r} holds {max(before, 0.0):,.10g}: "
            f"{missing:,.10g} missing; borrow={paid!r} would borrow it"
        )
    after = moved(pool, {paid: -cost, got: amount}).marked(account.marks)
    events = [Event("trade", pool.name, paid, {TRADER: 0.0, COUNTERPARTIES: 0.0}, price, text)]
    if missing:
        fee = lent(account.venue, after, paid, missing)
        after = moved(after, {paid: -fee})
        events += [interest(after, paid, fee)] if fee else []
    if missing or (after.open and after.slack() < pool.marked(account.marks).slack()):
        check_margin(text, after, initial=True)  # what only repays a debt is never refused
    return account.updated(after, events=events)


def walled_off(account, pair, pool, fill, isolated, leverage, borrow):
    """The account after a trade in the isolated pool of a pair: opened, increased, reduced or closed."""
    paid, _, got, amount, *_ = fill
    if pool and pool.collateral.get(got, 0.0) < 0:
        if type(isolated) is float or leverage is not None or borrow:
            raise ValueError("isolated=amount, leverage and borrow have no part in a trade that repays a debt")
        account = exchanged(account, pool, fill, None)
        pool = next(p for p in account.pools if p.name == pool.name)
        if pool.open:
            return account
        for currency, left in pool.collateral.items():  # the debt is repaid: what is left is the account's
            account = account.credit(currency, left) if left else account
        return account.updated(drop=[pool.name])
    if not borrow:
        raise ValueError(f"isolated={isolated!r}: {pair.symbol} is walled off for its debt; say borrow={paid!r}")
    if isolated is True and leverage is None:
        raise ValueError("an isolated trade needs its margin, isolated=5, or isolated=True with leverage=10")
    margin = isolated if type(isolated) is float else amount / leverage if leverage else 0.0
    if leverage and abs(margin - amount / leverage) > 1e-9 * margin:
        raise ValueError(f"isolated={margin:g} and leverage={leverage:g} disagree: {amount:g} {got} is traded")
    check_free("isolated", margin, got, account.cross_in(got))
    pool = pool or Pool(got, {}, (), account.venue, {}, f"isolated {pair.symbol}", isolated=True)
    return exchanged(account.credit(got, -margin), moved(pool, {got: margin}), fill, borrow)


def lent(venue, pool, currency, amount):
    """What is charged at once for borrowing so much more; ValueError if it is not lent, or not that much."""
    asset = venue.asset(currency)
    if asset is None or asset.loan is None:
        raise ValueError(f"borrow={currency!r}: {venue.name} does not lend {currency}")
    debt = -pool.collateral[currency]
    size = debt * pool.quote(currency, pool.marks) if asset.loan.basis == "notional" else debt
    if size > asset.loan.cap:
        unit = "USD" if asset.loan.basis == "notional" else currency
        raise ValueError(
            f"borrow={currency!r}: the debt would be {size:,.10g} {unit}, and {venue.name} lends at most "
            f"{asset.loan.cap:,.10g}: {size - asset.loan.cap:,.10g} too much"
        )
    return venue.interest.at_once(amount, asset.rate)


def accrue(account, hours):
    """See `Account.accrue`."""
    events, pools = [], []
    for pool in account.pools:
        for h in pool.holdings:
            taken = h.currency == pool.currency and pool.own_in_full  # by losses or funding: nobody lent it
            asset = account.venue.asset(h.currency) if h.owed and not taken else None
            due = account.venue.interest.due(-h.amount, asset.rate, hours) if asset else 0.0
            if due:
                pool = moved(pool, {h.currency: -due})
                events.append(interest(pool, h.currency, due))
        pools.append(pool)
    return account.updated(*pools, events=events)


def interest(pool, currency, amount):
    """The ledger's entry for interest that was added to a debt."""
    return Event("interest", pool.name, currency, {TRADER: -amount, LENDER: amount}, text=f"{amount:,.10g} {currency}")


def moved(pool, amounts):
    """A pool with so much more (or less) of each currency."""
    for currency, amount in amounts.items():
        pool = pool.adding(amount, currency)
    return pool


def split(account, pair):
    """(isolated pool or None, cross pools that owe one of its coins) of a pair."""
    walled = next((p for p in account.pools if p.name == f"isolated {pair.symbol}"), None)
    coins = (pair.base, pair.quote)
    owing = [p for p in account.pools if not p.isolated and any(h.owed and h.currency in coins for h in p.holdings)]
    return walled, owing


def pools(account, pair):
    """All pools in which a pair, or a symbol such as "BTC/USDT", is open."""
    if isinstance(pair, str) and pair.count("/") == 1:
        pair = Spot(pair)
    if not isinstance(pair, Spot):
        return []
    walled, owing = split(account, pair)
    return [walled, *owing] if walled else owing
