"""The ledger: who gained, who lost. The flows of every event sum to zero."""

from collections.abc import Mapping

from attrs import field, frozen

from .checks import Frozen


@frozen
class Event:
    """One entry of the ledger. `flows` says who gained (+) or lost (-) how much; it sums to zero.

    A liquidation carries what was `lost` by the trader of the pool's balances, at that price and
    less its debts, and the `surplus` or `shortfall` that arose; `flows` says who took it. Trades in
    contracts, and the steps of a liquidation, have the `contract` and `quantity` traded (signed)
    and the `fees` in it; those steps also the pool's equity `before` and `after`, in its currency;
    the `shortfall` of an auto-deleveraging is a part of its pool's. The `price` of a liquidation is
    the mark at which it began, where one price says it.
    """

    kind: str
    pool: str
    currency: str
    flows: Mapping = field(converter=Frozen)
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


def tally(events):
    """Who gained (+) or lost (-) how much by these events: {currency: {party: amount}}."""
    total = {}
    for event in events:
        of = total.setdefault(event.currency, {})
        for party, amount in event.flows.items():
            of[party] = of.get(party, 0.0) + amount
    return total


def ledger(events):
    """Events as a DataFrame: see `Account.ledger`."""
    import pandas as pd

    named = ["kind", "pool", "currency", "price"]
    if any(e.contract for e in events):
        named += ["contract", "quantity"]
    if any(e.before is not None for e in events):
        named += ["before", "after"]
    rows = [{name: getattr(e, name) for name in named} | dict(e.flows) for e in events]
    frame = pd.DataFrame(rows)
    parties = [column for column in frame.columns if column not in named]
    numbers = [name for name in ("quantity", "before", "after") if name in frame]
    frame = frame.astype(dict.fromkeys(numbers, float)).fillna(dict.fromkeys(parties, 0.0))
    if "quantity" in frame:
        frame["quantity"] = frame["quantity"].where(frame["contract"] != "")
    return frame
