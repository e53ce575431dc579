"""Which pool of an account is meant: by currency, or by what is open in it."""

from . import checks, spot


def cross_in(account, currency):
    """See `Account.cross_in`."""
    shared = {p.currency: p for p in account.pools if not p.isolated}
    if account.venue.account_mode == "multi-currency":
        account.venue.asset(currency)  # refuses what it does not take
        return shared["USD"]
    if currency not in shared:
        raise ValueError(f"unknown currency {currency!r}: this account holds {', '.join(shared)}")
    return shared[currency]


def pool(account, key):
    """See `Account.__getitem__`."""
    symbol, *words = key if isinstance(key, tuple) else (key,)
    name = getattr(symbol, "symbol", symbol)
    for word in words:
        checks.one_of("key", word, ("isolated", "cross", "long", "short"))
    leg = next((word for word in words if word in ("long", "short")), None)
    found = [pool for pool, _ in account.find(name, leg)] or spot.pools(account, symbol)
    if "isolated" in words or "cross" in words:
        found = [pool for pool in found if pool.isolated == ("isolated" in words)]
    found = list({pool.name: pool for pool in found}.values())
    if len(found) == 1:
        return found[0]
    if found:
        raise KeyError(f"{name!r} is open in {', '.join(p.name for p in found)}: add 'isolated', 'cross' or a side")
    known = [p.label for pool in account.pools for p in pool.positions]
    raise KeyError(f"no open position in {' '.join([repr(name), *words])}; open: {', '.join(known) or 'none'}")
