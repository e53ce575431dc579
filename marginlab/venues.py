"""Venues as dated data, such as `venues.TEACHING`: see venues.toml, which has the sources.

Every table there is a name in here: schedules (`BTCUSDT_2026_09`), funding rules
(`KRAKEN_FUNDING`) and venues.
"""

import tomllib
from importlib.resources import files

from . import liquidation
from .rules import (
    Asset,
    Delivery,
    Funding,
    Interest,
    Liquidation,
    OptionMargin,
    Scan,
    Switching,
    Tiers,
    TopUp,
    Venue,
    Withdrawal,
)


def _tiers(about):
    """A schedule: the name of one, one rate, or rows."""
    if isinstance(about, str):
        return TIERS[about]
    return Tiers.flat(**about) if "rate" in about else Tiers(**about)


def _funding(about):
    named = {name: None if value == "none" else value for name, value in about.items()}
    return Funding(**named)


def _asset(about):
    loan = {"loan": _tiers(about["loan"])} if "loan" in about else {}
    return Asset(**(about | loan))


def _step(about):
    """A step of a liquidation: its name, or its name and arguments."""
    if isinstance(about, str):
        return getattr(liquidation, about)
    name, given = about
    return getattr(liquidation, name)(**given)


PARTS = {
    "tiers": lambda rows: {symbol: _tiers(about) for symbol, about in rows.items()},
    "assets": lambda rows: {currency: _asset(about) for currency, about in rows.items()},
    "interest": lambda about: Interest(**about),
    "funding": lambda name: FUNDING[name],
    "withdrawal": lambda about: Withdrawal(**about),
    "isolated_withdrawal": lambda about: Withdrawal(**about),
    "adding": lambda about: Withdrawal(**about),
    "switching": lambda name: Switching(**DATA["switching"][name]),
    "topping_up": TopUp,
    "options": lambda name: OPTIONS[name],
    "delivery": lambda about: Delivery(**about),
    "scan": lambda name: SCANS[name],
    "liquidation": lambda steps: Liquidation(*map(_step, steps)),
    "exchange": _step,
}


def _venue(name):
    about = dict(DATA["venues"][name])
    while "like" in about:
        about = DATA["venues"][about.pop("like")] | about
    return Venue(**{key: PARTS.get(key, lambda same: same)(value) for key, value in about.items()})


DATA = tomllib.loads(files(__package__).joinpath("venues.toml").read_text(encoding="utf-8"))
TIERS = {name: _tiers(about) for name, about in DATA["tiers"].items()}
FUNDING = {name: _funding(about) for name, about in DATA["funding"].items()}
OPTIONS = {name: OptionMargin(**about) for name, about in DATA["options"].items()}
SCANS = {name: Scan.grid(**about) for name, about in DATA["scan"].items()}
VENUES = {name: _venue(name) for name in DATA["venues"]}
globals().update(TIERS | FUNDING | OPTIONS | SCANS | VENUES)
