"""How a venue liquidates, as data: what each field may be, and what a refusal says."""

from dataclasses import FrozenInstanceError, replace
from math import inf, nan

import pytest

from marginlab import Venue, venues
from marginlab.model.process import Liquidation
from tests.model.refusal import refused

NOT_NUMBERS = ("5", None, True, [0.1])
WORDS = {
    "scope": ("pool", "position"),
    "order": ("requirement", "loss", "notional"),
    "partial": ("none", "share", "tiers", "size"),
    "shared_by": ("loss", "requirement"),
}


def test_absent_a_pool_is_closed_whole_without_fees():
    rule = Liquidation()
    assert (rule.scope, rule.order, rule.partial) == ("pool", "requirement", "none")
    assert (rule.partial_above, rule.buffer, rule.takeover, rule.fund_fee, rule.liquidator_fee) == (0, 0, 0, 0, 0)
    assert rule.orders is False and rule.shared_by == "loss"
    assert (rule.share, rule.tiers, rule.least_tier) == (0.2, 1, 2)
    assert Venue("any").liquidation == venues.TEACHING.liquidation == rule


def test_a_rule_does_not_change():
    with pytest.raises(FrozenInstanceError):
        Liquidation().scope = "position"


@pytest.mark.parametrize("name, allowed", WORDS.items())
def test_words_are_of_a_list(name, allowed):
    for word in allowed:
        assert getattr(Liquidation(**{name: word}), name) == word
    for value in ("all", "", None, 1):
        words = [f"{name} must be one of", repr(value), *map(repr, allowed)]
        refused(ValueError, words, lambda value=value: Liquidation(**{name: value}))


@pytest.mark.parametrize("name, most", [
    ("partial_above", inf), ("buffer", inf), ("fund_fee", 1), ("liquidator_fee", 1), ("takeover", 1)
])  # fmt: skip
def test_amounts_are_finite_and_not_below_zero_and_shares_at_most_1(name, most):
    for value in (0, 0.0, 0.5, 1, min(100_000, most)):
        assert getattr(Liquidation(**{name: value}), name) == value
    allowed = f"{name} must be a finite number of at least 0{' and at most 1' if most == 1 else ''}, not "
    for value in (-1e-9, -1, nan, inf, *((1.0000001, 2, 100_000) if most == 1 else ())):
        with pytest.raises(ValueError) as caught:
            Liquidation(**{name: value})
        assert str(caught.value) == allowed + repr(value)
    for value in NOT_NUMBERS:
        with pytest.raises(TypeError) as caught:
            Liquidation(**{name: value})
        assert str(caught.value) == allowed + repr(value)


def test_a_share_is_above_0_and_at_most_1():
    assert Liquidation(share=1).share == 1 and Liquidation(share=1e-9).share == 1e-9
    for value in (0, 0.0, -0.2, nan, inf):
        refused(ValueError, ["share must be", "above 0", repr(value)], lambda value=value: Liquidation(share=value))
    for value in (1.0000001, 2, 20):
        refused(ValueError, [f"share must be a finite number above 0 and at most 1, not {value!r}"],
                lambda value=value: Liquidation(share=value))  # fmt: skip
    for value in NOT_NUMBERS:
        refused(TypeError, ["share must be", "above 0", repr(value)], lambda value=value: Liquidation(share=value))


def test_orders_are_counted_or_not():
    assert Liquidation(orders=True).orders is True
    for value in (1, 0, 0.0, "yes", None):
        refused(TypeError, ["orders must be True or False", repr(value)],
                lambda value=value: Liquidation(orders=value))  # fmt: skip


@pytest.mark.parametrize("name, least", [("tiers", 1), ("least_tier", 2)])
def test_tiers_are_counted_in_whole_numbers(name, least):
    for value in (least, least + 5):
        assert getattr(Liquidation(**{name: value}), name) == value
    for value in (least - 1, 0, -1, 2.0, 2.5, "2", None, True, nan):
        words = [f"{name} must be a whole number of at least {least}, not {value!r}"]
        refused(ValueError, words, lambda value=value: Liquidation(**{name: value}))


def test_a_venue_takes_nothing_else_for_its_liquidation():
    for value in ("size", None, {"scope": "pool"}):
        refused(TypeError, ["liquidation must be a Liquidation", repr(value)],
                lambda value=value: replace(venues.TEACHING, liquidation=value))  # fmt: skip
