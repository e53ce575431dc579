"""Accounts on a path of prices and funding rates, step by step."""

from collections.abc import Mapping
from math import inf

import numpy as np

from . import checks, funding
from .fills import Market
from .waterfall import acted, check_followed, followed, purse, stated


def steps(account, rates=None, prices=None, hours=None, last=None, impact=0.0, fund=inf):
    """The account after each step of a path, one after the other: an iterator. A list of all of them would hold the
    ledger as many times.

    At each step prices are marked and the venue acts (see `Account.liquidate`); interest accrues on debts; funding is
    paid; and the venue acts again. What is closed pays no more. Between two steps nothing is seen: a step is a gap.

    Parameters
    ----------
    rates : mapping of instrument or symbol to sequence of float, optional
        Funding rates, for one payment each; one number holds for every step.
    prices : mapping of index or symbol to sequence of float, optional
        Marks at the steps; absent, they stay as they are. A DataFrame with a column for each will do.
    hours : float or sequence of float, optional
        Before each step, for the interest on debts. Absent, it is the venue's funding interval if there are rates, and
        0 if there are none. With the rows of a history (`market.history.History`) give its `hours`.
    last : mapping of index or symbol to sequence of float, optional
        Last prices at the steps, at which orders are filled; the marks if absent.
    impact, fund
        As in `Account.liquidate`; the fund is what there is for the whole path.

    KeyError if a contract is not open; TypeError or ValueError if a value cannot be meant, nothing follows a price, or
    the sequences are not equally long, or there is none.
    """
    rates, prices, last = (
        _rows(what, {} if given is None else given)
        for what, given in (("rates", rates), ("prices", prices), ("last", last))
    )
    for symbol in rates:
        if not account.find(symbol):
            account[symbol]  # says what is open
            raise TypeError(f"rates must be of a Perpetual: there is no funding on {symbol!r}")
    check_followed(account, prices)
    stated({name: float(_at(row, 0)) for name, row in last.items() if np.size(row)}, impact, followed(account))
    purse(fund, [account])
    hours = (account.venue.funding.interval if rates else 0.0) if hours is None else hours
    hours = checks.finite("hours", hours)
    if np.ndim(hours) > 1 or np.any(np.less(hours, 0)):
        raise ValueError(f"hours must be a number, or a row of numbers, of at least 0, not {hours!r}")
    lengths = {len(row) for row in (*rates.values(), *prices.values(), *last.values(), hours) if np.ndim(row)}
    if len(lengths) != 1:
        found = sorted(lengths) or "none"
        raise ValueError(f"rates, prices, last and hours must be rows of one length, not of {found}")
    return _steps(account, rates, prices, hours, last, impact, fund, lengths.pop())


def _steps(account, rates, prices, hours, last, impact, fund, count):
    fund = purse(fund, [account])
    for n in range(count):
        follows = followed(account)  # no longer what was closed
        new = {name: float(_at(row, n)) for name, row in prices.items() if n == 0 or name in follows}
        account = account.mark(**new) if new else account
        open_now = followed(account)
        market = Market({name: float(_at(row, n)) for name, row in last.items() if name in open_now}, impact)
        account, fund = acted(account, market, fund)
        account = account.accrue(float(_at(hours, n)))
        account = funding.paid(account, {symbol: float(_at(row, n)) for symbol, row in rates.items()})
        account, fund = acted(account, market, fund)
        yield account


def _rows(what, given):
    """A mapping of symbol or index to a checked row of numbers, or to one number for every step."""
    if hasattr(given, "columns"):
        given = {name: given[name] for name in given.columns}
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{what} must be a mapping, such as {{'BTC-USD': [0.0001]}} or {{'BTC': [50_000]}}, not {given!r}"
        )
    named = {getattr(name, "symbol", name): row for name, row in given.items()}
    for name, row in named.items():
        if what == "rates":
            named[name] = row = checks.finite(f"the rates of {name}", row)
        else:
            named[name] = row = checks.positive(f"the {'last price' if what == 'last' else 'price'} of {name}", row)
        if np.ndim(row) > 1:
            raise ValueError(f"the {what} of {name} must be one row, not {np.ndim(row)} axes")
    return named


def _at(row, n):
    return row[n] if np.ndim(row) else row
