"""What a liquidation does, and who takes what is left or pays what is missing."""

from dataclasses import replace

from . import capital
from .display import fmt
from .trading import Event
from .venue import COUNTERPARTIES, FUND, TRADER


def liquidated(account, pool):
    """The account after its venue closes a pool at its marks: positions settled, debts repaid, coins sold.

    What a haircut kept out of the equity is the trader's and is returned, in the pool's own currency.
    """
    held, worth, venue = capital.balances(pool, pool.marks, full=True)[0], pool.worth(), account.venue
    size = sum(abs(h.amount) * pool.unit(h.currency, pool.marks) for h in pool.holdings)
    if abs(worth) <= 1e-12 * size:  # a price just at bankruptcy: rounding, not a shortfall of 8.9e-16
        worth = 0.0
    surplus, shortfall = max(worth, 0.0), max(0.0, -worth)
    returned = surplus if venue.surplus_to == TRADER else max(0.0, min(surplus, worth - pool.equity()))
    fund = surplus - returned - (shortfall if venue.shortfall_to == FUND else 0.0)
    flows = {TRADER: returned - held, FUND: fund, COUNTERPARTIES: held - returned - fund}
    kept = surplus if venue.surplus_to == TRADER else surplus - returned
    outcome = f"{fmt(shortfall)} missing, paid by the {venue.shortfall_to}"
    if surplus:
        outcome = f"{fmt(kept)} left over, kept by the {venue.surplus_to}" if kept else "nothing left for the fund"
    lost = max(held - returned, 0.0)
    text = f"{pool.name}: {fmt(lost)} {pool.currency} lost; {outcome}"
    if returned or any(h.owed for h in pool.holdings):
        text = f"{pool.name}: closed, {fmt(returned)} {pool.currency} returned; {outcome}"
    price = pool.terms[0].price(pool.marks) if len(pool.terms) == 1 else None
    event = Event("liquidation", pool.name, pool.currency, flows, price, text,
                  lost, surplus, shortfall)  # fmt: skip
    if pool.isolated:
        return account.credit(pool.currency, returned).updated(drop=[pool.name], events=[event])
    return account.updated(replace(pool, positions=(), collateral={pool.currency: returned}), events=[event])
