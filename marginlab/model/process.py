"""How a venue liquidates, as data: what it closes first, how much of it, and what that costs."""

from dataclasses import dataclass

from . import checks


@dataclass(frozen=True)
class Liquidation:
    """The order of a venue's liquidation. What is closed is filled at the market; slack is looked at after each fill. A
    pool that is bankrupt is closed whole.

    Parameters
    ----------
    orders : bool
        Whether margin held for open orders counts in the requirement. They are cancelled first, wherever they are.
    scope : "pool" or "position"
        Whether a pool at its line is closed whole, or position by position until its slack is above zero again.
    order : "requirement", "loss" or "notional"
        Which position goes first: the one with the largest maintenance margin, unrealised loss or notional.
    partial : "none", "share", "tiers" or "size"
        How much of a position is closed at a time: all of it; a `share` of each and then the rest (Hyperliquid: a
        fifth), anew whenever the venue looks; down by so many `tiers` of its schedule (Gate 1, OKX 2); or just so much
        that slack comes back (Drift).
    partial_above : float
        Partial only for positions of more notional than this, in quote currency (Hyperliquid: 100,000); smaller ones
        are closed whole.
    share : float
        For "share": of the position's size, above 0 and at most 1.
    tiers, least_tier : int
        For "tiers": how many at a time, and the lowest tier (from 1) from which it still steps down (OKX: 3).
    buffer : float
        For "size": the slack to restore, as a share of the requirement.
    takeover : float
        Where equity is at most this share of the requirement, nothing more is sold at the market: the insurance fund,
        or whoever stands in for it, takes the positions over as they are (Hyperliquid's backstop: 2/3).
    shared_by : "loss" or "requirement"
        By what the shortfall of a pool with several positions is shared out, to find a bankruptcy price for each.
        dYdX takes the maintenance margin; where no rule is known, losses: then each price lies between fill and entry,
        unless debts make the pool lose more than its positions did. What is left over is shared by maintenance margin.
    fund_fee, liquidator_fee : float
        Shares of the notional of each fill that go to the insurance fund and to whoever closes it; never more than the
        part that is closed has left over its bankruptcy price, nor than the pool has left once all of it is closed.

    Source: Gate, OKX (third-party mirror), Hyperliquid (docs.byreal.io), Drift, dYdX v4; see venues.py. ValueError or
    TypeError if a field is outside its range.
    """

    orders: bool = False
    scope: str = "pool"
    order: str = "requirement"
    partial: str = "none"
    partial_above: float = 0.0
    share: float = 0.2
    tiers: int = 1
    least_tier: int = 2
    buffer: float = 0.0
    takeover: float = 0.0
    shared_by: str = "loss"
    fund_fee: float = 0.0
    liquidator_fee: float = 0.0

    def __post_init__(self):
        if not isinstance(self.orders, bool):
            raise TypeError(f"orders must be True or False, not {self.orders!r}")
        checks.one_of("scope", self.scope, ("pool", "position"))
        checks.one_of("order", self.order, ("requirement", "loss", "notional"))
        checks.one_of("partial", self.partial, ("none", "share", "tiers", "size"))
        checks.one_of("shared_by", self.shared_by, ("loss", "requirement"))
        for name in ("partial_above", "buffer", "takeover", "fund_fee", "liquidator_fee"):
            most = None if name in ("partial_above", "buffer") else 1
            checks.number(name, getattr(self, name), least=0, most=most)
        checks.number("share", self.share, above=0, most=1)
        for name, least in (("tiers", 1), ("least_tier", 2)):
            checks.whole(name, getattr(self, name), least)
