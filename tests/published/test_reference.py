"""A second reading of the documented liquidation, in plain Python, against the engine on random accounts.

Cross pools in one currency with up to four linear positions, a fund that may run out, orders filled at last prices
less a constant impact, no fees. The reference was written from the docstrings of `Liquidation`, `Account.liquidate`,
`Tiers` and `bankruptcy_prices`. Where they leave it open:

  a  partial closing goes through the positions in their order; only when none can be closed in part, the whole pool,
     or with scope "position" the first of them, is closed; so every position gives its share before any gives the rest
  b  a position that was closed down to the end of a tier is in that tier, not in the next
  c  a position too low for `tiers` steps is closed whole, like one below `least_tier`
  d  of a position that bears some of what is missing, that share is deleveraged by which it exceeds the fund; others
     are sold
  e  bankrupt is a pool whose equity at the marks, not at its fills, is zero or less
  g  fills at the marks are not written down one by one where the fund can pay: the liquidation says it all
  f  what a takeover leaves over is shared out by maintenance margin, whatever `shared_by` says
"""

from collections import Counter
from math import inf

import numpy as np
import pytest

from tests.process import process
from marginlab import Account, Liquidation, Perpetual, Pool, Position, Tiers, Venue
from marginlab.liquidation import bankruptcy_prices

SEED, CASES, RICH = 20_261_122, 320, 2.0**30
COINS = ("BTC", "ETH", "SOL", "XRP")
TINY = 1e-9

# ------------------------------------------------------------------ the reference: no marginlab from here ...


def maintenance(rows, notional):
    """Only the slice of a position inside a tier is charged that tier's rate."""
    total, ends = 0.0, [floor for floor, _ in rows[1:]] + [inf]
    for (floor, rate), end in zip(rows, ends, strict=True):
        total += rate * max(0.0, min(notional, end) - floor)
    return total


class Book:
    """Cash, positions {coin: [signed size, entry]}, and what has happened."""

    def __init__(self, case):
        self.cash, self.open = (
            case["cash"],
            {coin: list(held) for coin, held in case["positions"].items()},
        )
        self.case, self.rule, self.log = case, case["rule"], []

    def required(self, coin, size=None):
        size = self.open[coin][0] if size is None else size
        return maintenance(self.case["tiers"][coin], abs(size) * self.case["marks"][coin])

    def pnl(self, coin, price):
        return self.open[coin][0] * (price - self.open[coin][1])

    def equity(self):
        return self.cash + sum(self.pnl(coin, self.case["marks"][coin]) for coin in self.open)

    def requirement(self):
        return sum(map(self.required, self.open))

    def fill(self, coin):
        side = 1 if self.open[coin][0] > 0 else -1
        return self.case["last"].get(coin, self.case["marks"][coin]) * (
            1 - side * self.case["impact"]
        )

    def ranked(self):
        marks = self.case["marks"]
        key = {
            "requirement": self.required,
            "loss": lambda coin: -self.pnl(coin, marks[coin]),
            "notional": lambda coin: abs(self.open[coin][0]) * marks[coin],
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
        mark, rows = self.case["marks"][coin], self.case["tiers"][coin]
        notional, floors = abs(self.open[coin][0]) * mark, [floor for floor, _ in rows]
        tier = max(
            n for n, floor in enumerate(floors) if n == 0 or notional > floor * (1 + 1e-11)
        )  # from 0
        if tier + 1 < self.rule["least_tier"] or tier < self.rule["tiers"]:
            return 0.0
        return floors[tier - self.rule["tiers"] + 1] / mark

    def restoring(self, coin):
        """The least size whose closing leaves slack of `buffer` times the requirement: it is concave, in straight
        pieces between the ends of tiers."""
        size, mark, buffer = (
            abs(self.open[coin][0]),
            self.case["marks"][coin],
            max(self.rule["buffer"], 1e-11),
        )
        side = 1 if self.open[coin][0] > 0 else -1
        lost = side * (mark - self.fill(coin))
        others = sum(self.required(other) for other in self.open if other != coin)

        def over(count):
            need = others + self.required(coin, size - count)
            return self.equity() - lost * count - (1 + buffer) * need

        ends = [size - floor / mark for floor, _ in self.case["tiers"][coin] if floor / mark < size]
        before = 0.0
        for end in sorted(ends):
            if over(end) > 0:
                if end == size and len(self.open) == 1 and over(size * (1 - 1e-13)) <= 0:
                    return size
                low, high = over(before), over(end)
                return before + (end - before) * (-low) / (high - low)
            before = end
        return size

    def next(self, stepped):
        """(coin, size) to close in part or as one of several; None if the pool is closed whole, (a)."""
        kind, marks = self.rule["partial"], self.case["marks"]
        for coin in self.ranked():
            size = count = abs(self.open[coin][0])
            large = size * marks[coin] > self.rule["partial_above"]
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
        """A price for each position at which the pool would be at zero: what is missing is shared out."""
        weight = {
            "loss": lambda coin: max(0.0, -self.pnl(coin, prices[coin])),
            "requirement": self.required,
        }[by]
        weights = {coin: weight(coin) for coin in self.open}
        total, found = sum(weights.values()), {}
        for coin, (size, _) in self.open.items():
            part = weights[coin] / total if total else 1 / len(weights)
            price = prices[coin] + missing * part / size
            found[coin] = price if price > 0 else None
        return found

    def settle(self, taken):
        """Everything goes: at the market, or to the fund; beyond the fund to winners, at the bankruptcy prices."""
        fund, rule, marks = self.case["fund"], self.rule, self.case["marks"]
        parts = list(self.log)
        at = {coin: marks[coin] if taken else self.fill(coin) for coin in self.open}
        left = self.cash + sum(self.pnl(coin, price) for coin, price in at.items())
        missing = max(0.0, -left)
        beyond = max(0.0, missing - fund)
        ends = (
            self.ends(at, -left, rule["shared_by"] if left < 0 else "requirement")
            if taken or beyond
            else {}
        )
        for coin in self.ranked():
            end = ends.get(coin)
            cut = beyond / missing if beyond and end not in (None, at[coin]) else 0.0
            size = abs(self.open[coin][0])
            if cut < 1:
                self.close(coin, size * (1 - cut), end or at[coin] if taken else at[coin], "whole")
            if cut:
                self.close(coin, abs(self.open[coin][0]) if cut < 1 else size, end, "deleveraged")
        kept = left > 0 and self.case["surplus_to"] == "trader" and not taken
        self.fund = -min(missing, fund) if left < 0 else (0.0 if kept else left)
        self.cash = left if kept else 0.0
        self.missing, self.how = missing, "taken" if taken else "closed"
        if not (taken or self.case["last"] or self.case["impact"] or beyond):
            self.log = parts  # (g)

    def run(self):
        stepped, self.fund, self.missing, self.how = set(), 0.0, 0.0, "stands"
        while self.equity() - self.requirement() <= TINY * 1e-3 * self.requirement():
            taken = (
                self.rule["takeover"] > 0
                and self.equity() <= self.rule["takeover"] * self.requirement()
            )
            step = (
                None if taken or self.equity() <= 0 else self.next(stepped)
            )  # what is bankrupt is closed whole
            if step is None:
                self.settle(taken)
                return self
            stepped.add(step[0])
            self.close(*step, self.fill(step[0]), "part")
        return self


def drawn(rng):
    """A random account, somewhere near its line, and a random rule."""
    coins = [str(c) for c in rng.permutation(COINS)[: rng.integers(1, 5)]]
    case = {"positions": {}, "tiers": {}, "marks": {}, "last": {}}
    for coin in coins:
        mark = 10 ** rng.uniform(0, 4)
        notional = 10 ** rng.uniform(3, 5.5)
        side = int(rng.choice([-1, 1]))
        case["marks"][coin] = mark
        case["positions"][coin] = (
            side * notional / mark,
            mark * (1 + side * rng.uniform(-0.05, 0.15)),
        )
        floors = np.cumsum(10 ** rng.uniform(3, 5, rng.integers(0, 4)))
        rates = np.cumsum(rng.uniform(0.004, 0.02, len(floors) + 1))
        case["tiers"][coin] = [
            (0.0, float(rates[0])),
            *zip(map(float, floors), map(float, rates[1:]), strict=True),
        ]
        if rng.random() < 0.5:
            case["last"][coin] = mark * (1 + rng.normal(0, 0.01))
    case["rule"] = {
        "scope": str(rng.choice(["pool", "position"])),
        "order": str(rng.choice(["requirement", "loss", "notional"])),
        "partial": str(rng.choice(["none", "share", "tiers", "size"])),
        "partial_above": float(rng.choice([0.0, 0.0, 20_000.0])),
        "share": float(rng.uniform(0.1, 0.9)),
        "tiers": int(rng.integers(1, 3)),
        "least_tier": int(rng.integers(2, 4)),
        "buffer": float(rng.choice([0.0, 0.0, 0.2])),
        "takeover": float(rng.choice([0.0, 0.0, 2 / 3])),
        "shared_by": str(rng.choice(["loss", "requirement"])),
    }
    case["impact"] = float(rng.choice([0.0, 0.002, 0.02]))
    case["surplus_to"] = str(rng.choice(["trader", "insurance fund"]))
    case["cash"] = 0.0
    book = Book(case)
    need, pnl = book.requirement(), book.equity()
    case["cash"] = max(
        0.0, need * rng.choice([rng.uniform(-1.5, 0.6), rng.uniform(0.6, 1.02)]) - pnl
    )
    case["fund"] = float(rng.choice([0.0, need * rng.uniform(0, 1), inf]))
    return case


# ------------------------------------------------------------------------------------------ ... to here


def account_of(case):
    venue = Venue("drawn", liquidation=process(**case["rule"]), surplus_to=case["surplus_to"])
    positions = [
        (Perpetual(f"{coin}-USDT", coin, "USDT", tiers=Tiers(case["tiers"][coin])), size, entry)
        for coin, (size, entry) in case["positions"].items()
    ]
    account = Account(venue, USDT=RICH)
    for contract, size, entry in positions:
        account = account.trade(contract, size, entry)
    return account.credit("USDT", case["cash"] - RICH).mark(**case["marks"])


KINDS = {
    "partial liquidation": "part",
    "closing": "whole",
    "assignment": "whole",
    "auto-deleveraging": "deleveraged",
}


def compared(case):
    """(reference, what the engine says, in the same words)."""
    book, account = Book(case).run(), account_of(case)
    last = case["last"]
    after = account.liquidate(last, case["impact"], case["fund"])
    events = after.events[len(account.events) :]
    flows = Counter()
    for event in events:
        assert sum(event.flows.values()) == pytest.approx(
            0, abs=1e-9 * max(map(abs, event.flows.values()), default=1)
        )
        flows.update(event.flows)
    log = [
        (KINDS[e.kind], e.contract.split("-")[0], e.quantity, e.price)
        for e in events
        if e.kind in KINDS
    ]
    return book, after, flows, log, [e for e in events if e.kind == "liquidation"]


def rng_of(n):
    return np.random.default_rng([SEED, n])  # numpy's Generator


@pytest.mark.parametrize("block", range(8))
def test_the_engine_does_what_the_docstrings_say(block):
    for n in range(block, CASES, 8):
        case = drawn(rng_of(n))
        book, after, flows, log, ended = compared(case)
        scale = sum(
            abs(size) * case["marks"][coin] for coin, (size, _) in case["positions"].items()
        )
        near = pytest.approx
        assert after.balances()["USDT"] == near(book.cash, rel=1e-7, abs=1e-9 * scale), n
        left = {p.instrument.index: p.quantity for p in after.cross.positions}
        assert left == near({coin: size for coin, (size, _) in book.open.items()}, rel=1e-6), n
        assert flows["trader"] == near(book.cash - case["cash"], rel=1e-7, abs=1e-9 * scale), n
        assert flows["insurance fund"] == near(book.fund, rel=1e-7, abs=1e-9 * scale), n
        assert sum(event.shortfall for event in ended) == near(
            book.missing, rel=1e-7, abs=1e-9 * scale
        ), n
        assert (book.how == "stands") == (not ended), n
        assert [step[:2] for step in log] == [step[:2] for step in book.log], n
        for ours, theirs in zip(log, book.log, strict=True):
            assert ours[2] == near(theirs[2], rel=1e-6), n
            assert ours[3] == near(theirs[3], rel=1e-7), n


def test_the_drawn_accounts_are_of_every_kind():
    seen = Counter()
    for n in range(CASES):
        case = drawn(rng_of(n))
        book = Book(case).run()
        seen.update({book.how, *(kind for kind, *_ in book.log)})
        if any(kind == "part" for kind, *_ in book.log):
            seen[case["rule"]["partial"], case["rule"]["scope"], book.how] += 1
    assert (
        min(seen[kind] for kind in ("stands", "taken", "closed", "part", "whole", "deleveraged"))
        > 30
    ), seen
    for partial in ("share", "tiers", "size"):
        for scope in ("pool", "position"):
            assert seen[partial, scope, "stands"] >= 5, seen
    assert seen["none", "position", "stands"] >= 5, seen


# ------------------------------------------------------- where the engine once departed from its docstrings


def flat(**rules):
    return Venue(
        "flat", tiers={"*": Tiers.flat(0.05)}, liquidation=process(**rules), surplus_to="trader"
    )


@pytest.mark.parametrize("quantity, mark", [(1, 110), (-1, 90)])
def test_a_pool_with_one_position_has_one_bankruptcy_price(quantity, mark):
    position = Position(Perpetual("BTC-USDT", "BTC", "USDT"), quantity, 100)
    pool = Pool("USDT", {"USDT": -20}, [position], flat(), {"BTC": mark})
    ((_, price),) = bankruptcy_prices(pool).items()
    assert price == pytest.approx(
        100 + 20 * quantity
    )  # 20 owed: sold for 120, or bought back for 80
    assert pool.worth(BTC=price) == pytest.approx(0)


def test_a_fund_pays_no_more_than_it_has():
    account = Account(flat(scope="position", order="loss", takeover=0.1), USDT=200)
    for coin in ("BTC", "ETH"):
        account = account.trade(Perpetual(f"{coin}-USDT", coin, "USDT"), 10, 100)
    account = account.credit("USDT", -100).mark(BTC=92, ETH=99)  # 10 left, 95.5 required
    after = account.liquidate(
        last={"BTC": 85}, fund=20
    )  # 50 owed after BTC is sold, and 10 to lose on ETH
    paid = -sum(event.flows.get("insurance fund", 0) for event in after.events)
    assert paid == pytest.approx(20)


def test_just_so_much_is_closed_where_only_the_end_of_a_tier_is_enough():
    venue = Venue(
        "steep", liquidation=process(partial="size"), tiers={"*": Tiers(((0, 0.005), (1_000, 0.1)))}
    )
    account = Account(venue, USDT=1_000).trade(Perpetual("BTC-USDT", "BTC", "USDT"), 20.3, 100)
    account = account.credit("USDT", 25.601 - 1_000)  # 10.3 closed at 98 leave 5.001 for 5
    after = account.liquidate(impact=0.02)
    assert [p.quantity for p in after.cross.positions] == [pytest.approx(10, abs=1e-3)]
