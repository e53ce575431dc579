"""One's own account, as an exchange reports it: the dicts of ccxt's `fetch_balance` and
`fetch_positions` become an `Account`. No network, no keys, and nothing is guessed.
"""

from collections.abc import Mapping, Sequence

from . import checks
from .account import Account
from .contracts import Perpetual, Position
from .rules import Venue

TOTALS = ("cross", "wallet", "equity")


def from_ccxt(
    venue: Venue,
    balance: Mapping,
    positions: Sequence = (),
    total: str = "wallet",
    marks: Mapping | None = None,
) -> Account:
    """An account from what ccxt returns.

        account = from_ccxt(venue, exchange.fetch_balance(), exchange.fetch_positions())

    Parameters
    ----------
    venue : Venue
        Whose rules hold. Its schedules go by ccxt's symbols here, or one is for all ("*").
    balance : dict of fetch_balance
        Its "total" by currency, less its "debt" where there is one.
    positions : list of dict of fetch_positions
        "symbol", "side", "contracts", "contractSize", "entryPrice", "markPrice" and "marginMode" of
        each; of an isolated one "collateral" and "unrealizedPnl" too, whose difference is its
        wallet. "leverage" may be absent. A position of 0 contracts is none.
    total : "wallet", "cross" or "equity"
        What the totals are, in which exchanges differ: all wallets, isolated ones included, without
        unrealised PnL; the cross wallets alone; or all of it with unrealised PnL (then every
        position needs "unrealizedPnl").
    marks : mapping of name to price, optional
        Prices of indices and coins. Without one, the index of a contract is marked where the
        contract is.

    "BTC/USDT:USDT" is a linear perpetual on BTC, "BTC/USD:BTC" an inverse one. ValueError, with its
    name, if a field is missing or unknown, or the contracts of one index are marked apart and
    `marks` has no price of it.
    """
    checks.one_of("total", total, TOTALS)
    if isinstance(positions, Mapping) or not isinstance(positions, Sequence):
        raise TypeError(f"positions must be the list of fetch_positions, not {positions!r}")
    amounts, found, prices = _totals(balance), [], {}
    for n, report in enumerate(positions):
        if not isinstance(report, Mapping):
            raise TypeError(f"positions[{n}] must be a dict of fetch_positions, not {report!r}")
        field = _Fields(report, n)
        if not field.number("contracts", least=0):
            continue
        position, walled = _position(field), field.word("marginMode", "cross", "isolated")
        settle = position.instrument.settle
        gained = field.number("unrealizedPnl") if walled or total == "equity" else 0.0
        wallet = field.number("collateral") - gained if walled else None
        found.append((position, wallet) if walled else position)
        prices.setdefault(position.instrument, field.number("markPrice", above=0))
        inside = gained if total == "equity" else 0.0
        inside += wallet if walled and total != "cross" else 0.0
        if inside:
            amounts[settle] = amounts.get(settle, 0.0) - inside
    held = {c: a for c, a in amounts.items() if a}
    return Account.of(venue, held, found, _marks(prices, marks or {}))


def _totals(balance):
    """{currency: total less debt} of a balance."""
    if not isinstance(balance, Mapping) or not isinstance(balance.get("total"), Mapping):
        raise ValueError("balance must be the dict of fetch_balance: it has no 'total'")
    found = {}
    for currency, amount in balance["total"].items():
        owed = (balance.get("debt") or {}).get(currency) or 0
        held = checks.number(f"balance['total'][{currency!r}]", amount)
        found[currency] = held - checks.number(f"balance['debt'][{currency!r}]", owed)
    return found


class _Fields:
    """The fields of one report, each read by name."""

    def __init__(self, report, n):
        self.report, self.n = report, n

    def value(self, name):
        """What a field holds; ValueError if it holds nothing."""
        if self.report.get(name) is None:
            of = self.report.get("symbol")
            raise ValueError(
                f"positions[{self.n}] ({of}) has no {name!r}: give it, nothing is guessed"
            )
        return self.report[name]

    def number(self, name, **bounds):
        """A field that holds a number."""
        return checks.number(f"{name!r} of positions[{self.n}]", self.value(name), **bounds)

    def word(self, name, usual, other):
        """Whether a field says the other of two words."""
        return (
            checks.one_of(f"{name!r} of positions[{self.n}]", self.value(name), (usual, other))
            == other
        )


def _position(field):
    """The `Position` that a report tells of."""
    symbol = field.value("symbol")
    pair, _, settle = str(symbol).partition(":")
    base, _, quote = pair.partition("/")
    if not (base and quote and settle) or "-" in settle or settle not in (base, quote):
        raise ValueError(
            f"'symbol' of positions[{field.n}] must be a perpetual such as 'BTC/USDT:USDT' "
            f"(linear) or 'BTC/USD:BTC' (inverse), not {symbol!r}"
        )
    contract = Perpetual(symbol, base, settle, field.number("contractSize", above=0))
    count = field.number("contracts", above=0)
    count = -count if field.word("side", "long", "short") else count
    leverage = field.report.get("leverage")
    leverage = None if leverage is None else field.number("leverage", above=0)
    return Position(contract, count, field.number("entryPrice", above=0), leverage)


def _marks(prices, given):
    """Marks of indices, and own marks of contracts that differ from theirs."""
    marks = dict(given)
    for index in {contract.index for contract in prices}:
        there = {price for contract, price in prices.items() if contract.index == index}
        if index not in marks and len(there) > 1:
            apart = ", ".join(f"{price:,.10g}" for price in sorted(there))
            raise ValueError(f"marks must have a price of {index}: its contracts are at {apart}")
        marks.setdefault(index, max(there))
    own = {c.symbol: price for c, price in prices.items() if price != marks[c.index]}
    return marks | own
