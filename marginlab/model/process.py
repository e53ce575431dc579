"""How a venue liquidates, as data: what it closes first, how much of it, and what that costs."""

from dataclasses import dataclass

from . import checks


@dataclass(frozen=True)
class Liquidation:
    """The order of a venue's liquidation. What is closed is filled at the market; slack is looked at after each fill.

    Parameters
    ----------
    scope : "pool" or "position"
        Whether a pool at its line is closed whole, or position by position until its slack is above zero again.
    order : "requirement", "loss" or "notional"
        Which position goes first: the one with the largest maintenance margin, unrealised loss or notional.
    partial : "none", "share", "tiers" or "size"
        How much of a position is closed at a time: all of it; a `share` at first and then the rest (Hyperliquid: a
        fifth above 100,000 USD); down by so many `tiers` of its schedule (Gate 1, OKX 2); or just so much that slack
        comes back (Drift).
    above : float
        Partial only for positions of more notional than this, in quote currency; smaller ones are closed whole.
    share : float
        For "share": of the position's size, above 0 and at most 1.
    tiers, least_tier : int
        For "tiers": how many at a time, and the lowest tier (from 1) from which it still steps down (OKX: 3).
    buffer : float
        For "size": the slack to restore, as a share of the requirement.
    fund_fee, liquidator_fee : float
        Shares of the notional of each fill that go to the insurance fund and to whoever closes it; never more than the
        pool has.

    Source: Gate, OKX (third-party mirror), Hyperliquid (docs.byreal.io), Drift, dYdX v4; see venues.py. ValueError or
    TypeError if a field is outside its range.
    """

    scope: str = "pool"
    order: str = "requirement"
    partial: str = "none"
    above: float = 0.0
    share: float = 0.2
    tiers: int = 1
    least_tier: int = 2
    buffer: float = 0.0
    fund_fee: float = 0.0
    liquidator_fee: float = 0.0

    def __post_init__(self):
        checks.one_of("scope", self.scope, ("pool", "position"))
        checks.one_of("order", self.order, ("requirement", "loss", "notional"))
        checks.one_of("partial", self.partial, ("none", "share", "tiers", "size"))
        for name in ("above", "buffer", "fund_fee", "liquidator_fee"):
            checks.number(name, getattr(self, name), least=0)
        if checks.number("share", self.share, above=0) > 1:
            raise ValueError(f"share must be above 0 and at most 1, not {self.share!r}")
        for name, least in (("tiers", 1), ("least_tier", 2)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
