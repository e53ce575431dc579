"""What tests of markets hold: accounts with pools as they are stated, and a schedule that is not `Tiers`."""

from math import inf

from attrs import frozen


def holding(account, pool):
    """An account with this pool in place of the one of its kind."""
    settle = "USD" if account.venue.multi_currency else pool.currency
    symbol = pool.positions[0].instrument.symbol
    key = ("contract", symbol, None) if pool.isolated else ("cross", settle)
    return account._but({key: pool})


@frozen
class Grows:
    """A maintenance rate that grows with the number of contracts: `base + more * quantity`."""

    base: float
    more: float
    cap: float = inf
    basis: str = "quantity"

    def maintenance(self, notional, quantity=None):
        return (self.base + self.more * quantity) * notional

    def max_leverage(self, notional, quantity=None):
        return 1 / (self.base + self.more * quantity)

    def initial(self, notional, leverage=None, quantity=None):
        return notional / (leverage or self.max_leverage(notional, quantity))
