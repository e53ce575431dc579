"""A second reading of the documented liquidation, in plain Python, against the engine.

Cross pools in one currency with up to four linear positions, a fund that may run out, orders filled
at last prices less a constant impact, no fees. The reference was written from the docstrings of
`liquidation`, `Liquidation`, `Account.liquidate`, `Tiers` and `bankruptcy_prices`. Where they leave
it open:

  a  partial closing goes through the positions in their order; only when none can be closed in
     part, the whole pool, or with scope "position" the first of them, is closed; so every position
     gives its share before any gives the rest
  b  a position that was closed down to the end of a tier is in that tier, not in the next
  c  a position too low for `tiers` steps is closed whole, like one below `least_tier`
  d  of a position that bears some of what is missing, that share is deleveraged by which it exceeds
     the fund; others are sold
  e  bankrupt is a pool whose equity at the marks, not at its fills, is zero or less
  f  what a takeover leaves over is shared out by maintenance margin, whatever `shared_by` says
  g  fills at the marks are not written down one by one where the fund can pay: the liquidation says
     it all
"""

from collections import Counter
from math import inf

import numpy as np
import pytest

from marginlab import Account, Perpetual, Pool, Position, Tiers, Venue
from marginlab.liquidation import bankruptcy_prices
from tests.process import process

SEED, CASES, RICH = 20_261_122, 320, 2.0**30
COINS = ("BTC", "ETH", "SOL", "XRP")

# --------------------------------------------------- the reference: no marginlab from here ...


def maintenance(rows, notional):
    """Only the slice of a position inside a tier is charged that tier's rate."""
    ends = [floor for floor, _ in rows[1:]] + [inf]
    parts = zip(rows, ends, strict=True)
    return sum(rate * max(0.0, min(notional, end) - floor) for (floor, rate), end in parts)


class Book:
    """Cash, positions {coin: [signed size, entry]}, and what has happened."""

    def __init__(self, case):
        self.case, self.rule, self.log = case, case["rule"], []
        self.cash, self.marks = case["cash"], case["marks"]
        self.open = {coin: list(held) for coin, held in case["positions"].items()}

    def required(self, coin, size=None):
        size = self.open[coin][0] if size is None else size
        return maintenance(self.case["tiers"][coin], abs(size) * self.marks[coin])

    def pnl(self, coin, price):
        return self.open[coin][0] * (price - self.open[coin][1])

    def equity(self):
        return self.cash + sum(self.pnl(coin, self.marks[coin]) for coin in self.open)

    def requirement(self):
        return sum(map(self.required, self.open))

    def fill(self, coin):
        side = 1 if self.open[coin][0] > 0 else -1
        last = self.case["last"].get(coin, self.marks[coin])
        return last * (1 - side * self.case["impact"])

    def ranked(self):
        key = {
            "requirement": self.required,
            "loss": lambda coin: -self.pnl(coin, self.marks[coin]),
            "notional": lambda coin: abs(self.open[coin][0]) * self.marks[coin],
        }[self.rule["order"]]
        return sorted(self.open, key=key, reverse=True)

    def close(self, coin, count, price, kind):
        size, entry = self.open[coin]
        side = 1 if size > 0 else -1
        self.cash += side * count * (price - entry)
        self.log.append((kind, coin, -side * count, price))
        self.open[coin][0] = size - side * count
        if abs(self.open[coin][0]) <= 1e-12 * abs(size):
            del self.open[coin]

    def stepped_down(self, coin):
        """What is left of a position after so many tiers down, (b) and (c)."""
        floors, steps = [floor for floor, _ in self.case["tiers"][coin]], self.rule["tiers"]
        notional = abs(self.open[coin][0]) * self.marks[coin]
        above = [n for n, floor in enumerate(floors) if notional > floor * (1 + 1e-11)]
        tier = max(above, default=0)  # from 0
        if tier + 1 < self.rule["least_tier"] or tier < steps:
            return 0.0
        return floors[tier - steps + 1] / self.marks[coin]

    def restoring(self, coin):
        """The least size whose closing leaves slack of `buffer` times the requirement: slack after
        it is concave, in straight pieces between the ends of tiers."""
        size, mark = abs(self.open[coin][0]), self.marks[coin]
        side = 1 if self.open[coin][0] > 0 else -1
        lost, goal = side * (mark - self.fill(coin)), 1 + max(self.rule["buffer"], 1e-11)
        others = sum(self.required(other) for other in self.open if other != coin)

        def over(count):
            need = others + self.required(coin, size - count)
            return self.equity() - lost * count - goal * need

        floors, before = [floor for floor, _ in self.case["tiers"][coin]], 0.0
        for end in sorted(size - floor / mark for floor in floors if floor / mark < size):
            if over(end) > 0:
                if end == size and len(self.open) == 1 and over(size * (1 - 1e-13)) <= 0:
                    return size
                low, high = over(before), over(end)
                return before + (end - before) * (-low) / (high - low)
            before = end
        return size

    def next(self, stepped):
        """(coin, size) to close in part or as one of several; None if all is closed, (a)."""
        kind = self.rule["partial"]
        for coin in self.ranked():
            size = count = abs(self.open[coin][0])
            large = size * self.marks[coin] > self.rule["partial_above"]
            if kind == "share" and large and coin not in stepped:
                count = self.rule["share"] * size
            elif kind == "tiers":
                count = size - self.stepped_down(coin)
            elif kind == "size":
                count = self.restoring(coin)
            if count < size * (1 - 1e-12):
                return coin, count
        if self.rule["scope"] == "pool" or len(self.open) == 1:
            return None
        first = self.ranked()[0]
        return first, abs(self.open[first][0])

    def ends(self, prices, missing, by):
        """A price for each position at which the pool would be at zero: `missing` shared out."""
        weights = {coin: self.required(coin) for coin in self.open}
        if by == "loss":
            weights = {coin: max(0.0, -self.pnl(coin, prices[coin])) for coin in self.open}
        total, found = sum(weights.values()), {}
        for coin, (size, _) in self.open.items():
            part = weights[coin] / total if total else 1 / len(weights)
            price = prices[coin] + missing * part / size
            found[coin] = price if price > 0 else None
        return found

    def settle(self, taken):
        """All goes: at the market, or to the fund; beyond it to winners, at bankruptcy prices."""
        fund, parts, ends = self.case["fund"], list(self.log), {}
        at = {coin: self.marks[coin] if taken else self.fill(coin) for coin in self.open}
        left = self.cash + sum(self.pnl(coin, price) for coin, price in at.items())
        missing = max(0.0, -left)
        beyond = max(0.0, missing - fund)
        if taken or beyond:
            ends = self.ends(at, -left, self.rule["shared_by"] if left < 0 else "requirement")
        for coin in self.ranked():
            end = ends.get(coin)
            cut = beyond / missing if beyond and end not in (None, at[coin]) else 0.0
            size = abs(self.open[coin][0])
            if cut < 1:
                price = end if taken and end else at[coin]
                self.close(coin, size * (1 - cut), price, "whole")
            if cut:
                rest = abs(self.open[coin][0]) if cut < 1 else size
                self.close(coin, rest, end, "deleveraged")
        kept = left > 0 and self.case["surplus_to"] == "trader" and not taken
        self.fund = 0.0 if kept else max(left, -fund)
        self.cash = left if kept else 0.0
        self.missing, self.how = missing, "taken" if taken else "closed"
        if not (taken or self.case["last"] or self.case["impact"] or beyond):
            self.log = parts  # (g)

    def run(self):
        stepped, self.fund, self.missing, self.how = set(), 0.0, 0.0, "stands"
        while self.equity() - self.requirement() <= 1e-12 * self.requirement():
            takeover = self.rule["takeover"]
            taken = takeover > 0 and self.equity() <= takeover * self.requirement()
            step = None if taken or self.equity() <= 0 else self.next(stepped)  # (e)
            if step is None:
                self.settle(taken)
                return self
            stepped.add(step[0])
            self.close(*step, self.fill(step[0]), "part")
        return self


def drawn(n):
    """A random account, somewhere near its line, and a random rule."""
    rng = np.random.default_rng([SEED, n])  # numpy's Generator

    def pick(*values):
        return values[rng.integers(len(values))]

    case = {"positions": {}, "tiers": {}, "marks": {}, "last": {}}
    for coin in map(str, rng.permutation(COINS)[: rng.integers(1, 5)]):
        mark, side = 10 ** rng.uniform(0, 4), pick(-1, 1)
        entry = mark * (1 + side * rng.uniform(-0.05, 0.15))
        case["marks"][coin] = mark
        case["positions"][coin] = (side * 10 ** rng.uniform(3, 5.5) / mark, entry)
        floors = [0.0, *np.cumsum(10 ** rng.uniform(3, 5, rng.integers(0, 4))).tolist()]
        rates = np.cumsum(rng.uniform(0.004, 0.02, len(floors))).tolist()
        case["tiers"][coin] = list(zip(floors, rates, strict=True))
        if rng.random() < 0.5:
            case["last"][coin] = mark * (1 + rng.normal(0, 0.01))
    case["rule"] = {
        "scope": pick("pool", "position"),
        "order": pick("requirement", "loss", "notional"),
        "partial": pick("none", "share", "tiers", "size"),
        "partial_above": pick(0.0, 0.0, 20_000.0),
        "share": rng.uniform(0.1, 0.9),
        "tiers": pick(1, 2),
        "least_tier": pick(2, 3),
        "buffer": pick(0.0, 0.0, 0.2),
        "takeover": pick(0.0, 0.0, 2 / 3),
        "shared_by": pick("loss", "requirement"),
    }
    case["impact"] = pick(0.0, 0.002, 0.02)
    case["surplus_to"] = pick("trader", "insurance fund")
    book = Book(case | {"cash": 0.0})
    need, pnl = book.requirement(), book.equity()
    level = pick(rng.uniform(-1.5, 0.6), rng.uniform(0.6, 1.02))
    case["cash"] = max(0.0, need * level - pnl)
    case["fund"] = pick(0.0, need * rng.uniform(0, 1), inf)
    return case


# --------------------------------------------------------------------------------- ... to here

WHOLE = {"closing": "whole", "assignment": "whole"}
KINDS = WHOLE | {"partial liquidation": "part", "auto-deleveraging": "deleveraged"}


def account_of(case):
    """It is rich when it trades, and has its cash afterwards."""
    venue = Venue("drawn", liquidation=process(**case["rule"]), surplus_to=case["surplus_to"])
    account = Account(venue, USDT=RICH)
    for coin, (size, entry) in case["positions"].items():
        contract = Perpetual(f"{coin}-USDT", coin, "USDT", tiers=Tiers(case["tiers"][coin]))
        account = account.trade(contract, size, entry)
    return account.credit("USDT", case["cash"] - RICH).mark(**case["marks"])


@pytest.mark.parametrize("block", range(8))
def test_the_engine_does_what_the_docstrings_say(block):
    for n in range(block, CASES, 8):
        case = drawn(n)
        book, account = Book(case).run(), account_of(case)
        after = account.liquidate(case["last"], case["impact"], case["fund"])
        events, flows = after.events[len(account.events) :], Counter()
        for event in events:
            most = max(map(abs, event.flows.values()), default=1)
            assert abs(sum(event.flows.values())) <= 1e-9 * most, n
            flows.update(event.flows)
        sizes = [abs(size) * case["marks"][coin] for coin, (size, _) in case["positions"].items()]
        ended = [event for event in events if event.kind == "liquidation"]
        for ours, theirs in (
            (after.balances()["USDT"], book.cash),
            (flows["trader"], book.cash - case["cash"]),
            (flows["insurance fund"], book.fund),
            (sum(event.shortfall for event in ended), book.missing),
        ):
            assert ours == pytest.approx(theirs, rel=1e-7, abs=1e-9 * sum(sizes)), n
        assert (book.how == "stands") == (not ended), n
        left = {p.instrument.index: p.quantity for p in after.cross.positions}
        want = {coin: size for coin, (size, _) in book.open.items()}
        assert left == pytest.approx(want, rel=1e-6), n
        steps = [event for event in events if event.kind in KINDS]
        for event, (kind, coin, count, price) in zip(steps, book.log, strict=True):
            assert (KINDS[event.kind], event.contract) == (kind, f"{coin}-USDT"), n
            assert event.quantity == pytest.approx(count, rel=1e-6), n
            assert event.price == pytest.approx(price, rel=1e-7), n


def test_the_drawn_accounts_are_of_every_kind():
    seen = Counter()
    for n in range(CASES):
        case = drawn(n)
        book = Book(case).run()
        seen.update({book.how, *(kind for kind, *_ in book.log)})
        if any(kind == "part" for kind, *_ in book.log):
            seen[case["rule"]["partial"], case["rule"]["scope"], book.how] += 1
    for kind in ("stands", "taken", "closed", "part", "whole", "deleveraged"):
        assert seen[kind] > 30, seen
    for partial in ("share", "tiers", "size"):
        for scope in ("pool", "position"):
            assert seen[partial, scope, "stands"] >= 5, seen
    assert seen["none", "position", "stands"] >= 5, seen


# --------------------------------------- where the engine once departed from its docstrings


def flat(**rules):
    tiers = {"*": Tiers.flat(0.05)}
    return Venue("flat", tiers=tiers, liquidation=process(**rules), surplus_to="trader")


@pytest.mark.parametrize("quantity, mark", [(1, 110), (-1, 90)])
def test_a_pool_with_one_position_has_one_bankruptcy_price(quantity, mark):
    position = Position(Perpetual("BTC-USDT", "BTC", "USDT"), quantity, 100)
    pool = Pool("USDT", {"USDT": -20}, [position], flat(), {"BTC": mark})
    ((_, price),) = bankruptcy_prices(pool).items()  # 20 owed: sold for 120, or bought for 80
    assert price == pytest.approx(100 + 20 * quantity)
    assert pool.worth(BTC=price) == pytest.approx(0)


def test_a_fund_pays_no_more_than_it_has():
    account = Account(flat(scope="position", order="loss", takeover=0.1), USDT=200)
    for coin in ("BTC", "ETH"):
        account = account.trade(Perpetual(f"{coin}-USDT", coin, "USDT"), 10, 100)
    account = account.credit("USDT", -100).mark(BTC=92, ETH=99)  # 10 left, 95.5 required
    after = account.liquidate(last={"BTC": 85}, fund=20)  # 50 owed after BTC, 10 to lose on ETH
    paid = -sum(event.flows.get("insurance fund", 0) for event in after.events)
    assert paid == pytest.approx(20)


def test_just_so_much_is_closed_where_only_the_end_of_a_tier_is_enough():
    contract = Perpetual("BTC-USDT", "BTC", "USDT", tiers=Tiers(((0, 0.005), (1_000, 0.1))))
    account = Account(Venue("steep", liquidation=process(partial="size")), USDT=1_000)
    account = account.trade(contract, 20.3, 100)
    account = account.credit("USDT", 25.601 - 1_000)  # 10.3 closed at 98 leave 5.001 for 5
    after = account.liquidate(impact=0.02)
    assert [p.quantity for p in after.cross.positions] == [pytest.approx(10, abs=1e-3)]
