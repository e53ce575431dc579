"""Rules that only a published number needs, brought through marginlab's doors: copy one for yours.

A *schedule* is anything with `maintenance(notional, quantity)`, `max_leverage(notional, quantity)`,
a `basis` and a `cap`; a contract takes it as its `tiers`.
A *step* of a `Liquidation` is a function (pool, market) -> (pool, events), with no events where it
has nothing to do; a frozen class can be pickled, too. `marginlab.liquidation` has its parts: which
position (`ranked`), at what price (`market.fill`), sold (`reduced`; `closed` with fees and an
event), and the end (`settled`).
"""

from math import inf

from attrs import frozen

from marginlab import Liquidation, Tiers, Venue, cancel_orders, close_all, close_each, venues
from marginlab.liquidation import (
    DUST,
    bankruptcy_prices,
    closed,
    floors_kept,
    ranked,
    reduced,
)

# ------------------------------------------------------------------ schedules


@frozen
class Growing:
    """Deribit's schedule: base + slope * size; for initial margin 1 / leverage + slope * size.

    Size is the number of contracts (basis "quantity"), or the notional in the settlement currency.
    """

    base: float
    slope: float
    leverage: float
    basis: str = "quantity"
    cap: float = inf

    def maintenance(self, notional, quantity=None):
        """Maintenance margin of a notional, in its currency."""
        size = quantity if self.basis == "quantity" else notional
        return (self.base + self.slope * size) * notional

    def max_leverage(self, notional, quantity=None):
        """Highest leverage at this size."""
        size = quantity if self.basis == "quantity" else notional
        return 1 / (1 / self.leverage + self.slope * size)

    def initial(self, notional, leverage=None, quantity=None):
        """Initial margin: at the leverage that was chosen, or the highest."""
        return notional / (leverage or self.max_leverage(notional, quantity))


def htx(adjustment, leverage):
    """HTX's schedule: its risk rate, equity / (notional / leverage) - adjustment, ends at 0."""
    return Tiers.flat(adjustment / leverage)


# ---------------------------------------------------------------------- steps


@frozen
class close_for_a_fee:
    """The step in which the first position is closed, and the fund takes a fee (dYdX v4).

    It is `rate` of the fill, but no more than what that brings over the position's bankruptcy
    price. Where that is nothing, the next step closes it.
    """

    rate: float

    def __call__(self, pool, market):
        for position in ranked(pool)[:1]:
            count, end = abs(position.quantity), bankruptcy_prices(pool)[position.label]
            price = market.fill(pool, position, count)
            over = position.pnl(price) - (position.pnl(end) if end else -inf)  # there may be none
            fee = min(self.rate * abs(position.notional(price)), over)
            if fee > 0:
                kind = "partial liquidation" if len(pool.positions) > 1 else "closing"
                after, event = closed(pool, position, count, price, kind, fund_fee=fee)
                return after, [event]
        return pool, []


@frozen
class close_enough:
    """The step in which just so much of a position is closed that slack is back (Drift).

    `buffer` is how much slack, as a share of the requirement; fees are shares of the fill. The size
    is found by asking. It is the least, except that a smaller one between two 64ths is not seen.
    """

    buffer: float = 0.0
    fund_fee: float = 0.0
    other_fee: float = 0.0

    def __call__(self, pool, market):
        for position in ranked(pool) if pool.worth() > 0 else ():
            count = self.restoring(pool, market, position)
            if count < abs(position.quantity):
                price, worth = self.sold(pool, market, position, count)
                fees = {"fund_fee": self.fund_fee * worth, "other_fee": self.other_fee * worth}
                after, event = closed(pool, position, count, price, "partial liquidation", **fees)
                return after, [event]
        return pool, []

    def sold(self, pool, market, position, count):
        """(average price, notional) of so many contracts of a position."""
        price = market.fill(pool, position, count)
        return price, abs(position.instrument.notional(count, price))

    def restoring(self, pool, market, position):
        """How many contracts bring slack back, after fees; all of them if none does."""
        whole, goal = abs(position.quantity), 1 + max(self.buffer, 10 * DUST)  # above the line

        def short(count):
            price, worth = self.sold(pool, market, position, count)
            fees = (self.fund_fee + self.other_fee) * worth
            after = reduced(pool, position, count, price)[0]
            after = after.adding(-fees, position.instrument.settle)
            return not after.open or after.equity() < goal * after.requirement()

        # where impact grows, more can be worse than less: look at 64 sizes, and where tiers end
        ends = [whole - kept for kept in floors_kept(pool, position) if 0 < kept < whole]
        low = 0.0
        for high in sorted({*(whole * n / 64 for n in range(1, 65)), *ends}):
            if not short(high):
                for _ in range(60):
                    middle = (low + high) / 2
                    low, high = (middle, high) if short(middle) else (low, middle)
                return high
            low = high
        return whole


# --------------------------------------------------------------------- venues

DERIBIT = Venue(
    "Deribit",
    source="support.deribit.com/hc/en-us/articles/25944738177565-Linear-Perpetual",
    funding=venues.DERIBIT_FUNDING,
    tiers={"BTC-USDC": Growing(0.01, 5e-5, 50), "SOL-USDC": Growing(0.02, 5e-6, 25)},
)
DYDX_V4 = Venue(  # the trader keeps what the fund does not take
    "dYdX v4",
    source="dYdX v4 protocol; max_liquidation_fee_ppm 15000 in the genesis of dydx-mainnet-1",
    surplus_to="trader",
    liquidation=Liquidation(cancel_orders, close_for_a_fee(0.015), close_each, close_all, shared_by="requirement"),
)
DRIFT = Venue(  # schedules differ by market: give each contract its own
    "Drift",
    source="Drift protocol, liquidation maths; fees of its tests; its buffer of 2 % is left out",
    surplus_to="trader",
    orders_required=True,
    liquidation=Liquidation(cancel_orders, close_enough(fund_fee=0.01, other_fee=0.01), close_each, close_all),
)
