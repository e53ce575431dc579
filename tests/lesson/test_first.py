"""The slider of the start page: its sentence and its table against the trade worked out by hand."""

import math

import pytest

from marginlab import venues
from marginlab.lesson.explorers import FirstTrade
from marginlab.lesson.explorers.isolated import LINES

ENTRY, SIZE, MARGIN, BALANCE = 50_000, 0.2, 1_000, 2_000


@pytest.fixture(scope="module")
def first():
    return FirstTrade()


@pytest.mark.parametrize("move", [-25, -20, -19.7, -19.6, -12, -9.7, -9.6, -9.5, -5, -0.1, 0, 0.1, 25])
def test_the_sentence_and_the_table_say_what_became_of_the_trade(first, move):
    price = ENTRY * (1 + move / 100)
    gain = SIZE * (price - ENTRY)
    (rate,) = venues.TEACHING.schedule(first.instrument).rates
    alone, together = (behind + gain <= rate * SIZE * price for behind in (MARGIN, BALANCE))
    reading = first.read(move=move)
    said, (head, (trade, left)) = reading["sentence"], reading["table"]
    assert f"Bitcoin is at {price:,.0f} USD, a move of {move:+.1f} %" in said
    turn = f"has {'gained' if gain > 0 else 'lost'} {abs(gain):,.0f} USDT"
    assert (turn if gain else "has gained and lost nothing") in said
    assert ("closed by force: they are gone, and 1,000 USDT are left" in said) == alone
    assert (f"It is open: its equity, {MARGIN + gain:,.0f} USDT" in said) == (not alone)
    assert ("With all 2,000 USDT behind it, it has been closed as well" in said) == together
    assert head == ["", "1,000 USDT behind it", "2,000 USDT behind it"]
    assert trade == ["the trade is", *("closed by force" if end else "open" for end in (alone, together))]
    worth = [BALANCE - MARGIN if alone else BALANCE + gain, 0 if together else BALANCE + gain]
    assert left == ["left in the account", *(f"{amount:,.0f} USDT" for amount in worth)]


def test_where_it_ends_is_not_drawn(first):
    first.set(move=-12)
    assert all(math.isnan(x) for name in LINES for x in first.layers.drawn[name].get_xdata())
    assert not any(first.layers.drawn[f"{name} label"].get_text() for name in LINES)
