"""What a pool's positions and balances require, with the venue's rules boiled down to numbers."""

from collections.abc import Callable
from typing import NamedTuple

from .instruments import Position
from .tiers import Tiers


class Term(NamedTuple):
    """One position with its venue's rules boiled down to numbers. It requires

        share * maintenance(notional) + fee * notional + held

    `size` = contracts * face, signed; `start` the entry level (see `Perpetual.level`); `held` does not move with the
    price; `frozen` is the notional on which maintenance is charged if that does not move either, else None.
    """

    symbol: str
    index: str
    settle: str
    inverse: bool
    size: float
    start: float
    charge: Callable
    position: Position
    share: float
    fee: float
    held: float
    frozen: float | None

    def price(self, at):
        """The position's price among `at`: its contract's own mark if there is one, else its index."""
        return at[self.symbol] if self.symbol in at else at[self.index]

    def notional(self, at):
        """Notional (>= 0) at prices `at`, in the settlement currency."""
        return abs(self.size * self.position.instrument.level(self.price(at)))

    @property
    def lines(self):
        """PnL less requirement as straight lines in the level (see `Perpetual.level`), one for each tier: pairs of
        slope and constant. The least of their values holds, because rates rise. ValueError if they grow with size.
        """
        schedule, n = self.position.instrument.tiers, abs(self.position.quantity)
        if self.frozen is not None:
            tiers = [(0.0, schedule.maintenance(self.frozen, n))]
        elif schedule.basis == "quantity":
            tiers = [(schedule.rate(n), 0.0)]
        elif schedule.growth:
            raise ValueError(f"{self.symbol} has a margin rate that grows with its worth: no straight lines")
        else:
            tiers = [(rate, -amount) for rate, amount in zip(schedule.rates, schedule.amounts, strict=True)]
        notional = -abs(self.size) if self.inverse else abs(self.size)  # for each unit of level
        return tuple(
            (self.size - (self.share * rate + self.fee) * notional,
             -self.size * self.start - self.share * amount - self.held)
            for rate, amount in tiers
        )  # fmt: skip


def term(pool, p):
    """The `Term` of one position in a pool."""
    venue, instrument, schedule = pool.venue, p.instrument, p.instrument.tiers
    size, start, n = p.quantity * instrument.face, instrument.level(p.entry), abs(p.quantity)
    share = 1.0 if venue.rates_of == "notional" else 1 / p.leverage
    fee = venue.fee if venue.fee_at == "price" else 0.0
    held = 0.0
    if venue.fee_at in ("entry", "bankruptcy"):
        held = venue.fee * (abs(p.notional(p.entry)) if venue.fee_at == "entry" else bust(pool, p))
    frozen = abs(size * start) if venue.maintenance_at == "entry" else None

    def charge(notional):
        charged = notional if frozen is None else frozen
        return share * schedule.maintenance(charged, n) + fee * notional + held

    plain = (share, fee, held, frozen, schedule.basis) == (1.0, 0.0, 0.0, None, "notional")
    return Term(instrument.symbol, instrument.index, instrument.settle, instrument.inverse, size, start,
                schedule.maintenance if plain else charge, p, share, fee, held, frozen)  # fmt: skip


def bust(pool, p):
    """Notional at which a position has lost its margin: by its leverage, or without one by the whole pool.

    It is 0 where no price is bankruptcy. Prices: E*(1 - s/L), or E*L/(L + s) if inverse, with s = +1 or -1.
    Source: Bybit help, Bankruptcy Price (USDT Contract); article 900000031623 (inverse); article 360039261334
    has the whole balance.
    """
    if p.leverage is None:
        side = pool.bankruptcy(p.instrument.index)
        price = (side.below if p.quantity > 0 else side.above).price
        return 0.0 if price is None else abs(p.notional(price))
    z = 1 if p.instrument.inverse == (p.quantity > 0) else -1
    return abs(p.notional(p.entry)) * max(0.0, 1 + z / p.leverage)


class Holding(NamedTuple):
    """A balance, or a debt (amount < 0), with what is charged for it: a haircut, or the maintenance of a loan.

    It counts for `weighted` coins; share * schedule + fee, of `size` coins, comes off the equity if it is held and is
    added to the requirement if it is owed. `schedule` is None where nothing is charged.
    """

    currency: str
    amount: float
    weighted: float
    size: float
    schedule: Tiers | None
    share: float
    fee: float

    @property
    def owed(self):
        return self.amount < 0

    def charge(self, price):
        """Haircut or maintenance in quote currency, at the price of the currency."""
        value = self.size * price
        return self.share * self.schedule.maintenance(value, self.size) + self.fee * value


def holdings(pool):
    """A `Holding` for each balance of a pool that is not 0.

    Where the closing fee is in the requirement, it is charged on a debt and its maintenance margin alike: so much has
    to be bought back. Source: OKX, spot margin: liability * (1 + mmr) * (1 + taker); Drift for the weight of a debt.
    """
    found, venue = [], pool.venue
    fee = venue.fee if venue.fee_at == "price" else 0.0
    for currency, amount in pool.collateral.items():
        asset = None if currency == pool.currency and pool.own_in_full else venue.asset(currency)
        if not amount:
            continue
        if asset is None:
            found.append(Holding(currency, amount, amount, abs(amount), None, 1.0, 0.0))
        elif amount > 0:
            schedule = asset.haircut if asset.haircut.rates[-1] else None
            found.append(Holding(currency, amount, amount, amount, schedule, 1.0, 0.0))
        else:
            found.append(Holding(currency, amount, amount * asset.debt_weight, -amount, asset.loan, 1.0 + fee, fee))
    return tuple(found)
