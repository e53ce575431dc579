"""Processes of liquidation for tests, from a few words."""

from marginlab import (
    Liquidation,
    cancel_orders,
    close_all,
    close_each,
    close_share,
    step_down,
    take_over,
)
from tests.published.rules import close_enough


def process(
    partial="none",
    scope="pool",
    takeover=0.0,
    share=0.2,
    partial_above=0.0,
    tiers=1,
    least_tier=2,
    buffer=0.0,
    **how,
):
    """A `Liquidation`: what is closed first, whether a pool goes as a whole, and where it is taken
    over; `how` has its other fields."""
    part = {
        "none": [],
        "share": [close_share(share, partial_above)],
        "tiers": [step_down(tiers, least_tier)],
        "size": [close_enough(buffer)],
    }[partial]
    over = [take_over(takeover)] if takeover else []
    each = [close_each] if scope == "position" else []
    return Liquidation(cancel_orders, *over, *part, *each, close_all, **how)
