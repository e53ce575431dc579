"""Worked examples of liquidation that venues print, or that their own unit tests hold.

Each function sets one up as its source does, through the public API, and returns triples of (what
the source says, what we say, half a unit of the last digit that it prints). Where a source counts a
balance of quote currency instead of margin and entry price, the margin is that balance plus what
the position cost.
"""

import pytest

from marginlab import (
    Account,
    Liquidation,
    Perpetual,
    Pool,
    Position,
    Tiers,
    Venue,
    close_all,
    close_share,
    deleveraging,
    replace,
    venues,
)
from marginlab.liquidation import bankruptcy_prices
from tests.published.rules import DRIFT, DYDX_V4, close_enough, close_for_a_fee

EXAMPLES = {}
FUND, TRADER, ADL = "insurance fund", "trader", "auto-deleveraging"
PLAIN = Venue("as printed")
DYDX = "dydxprotocol/v4-chain protocol/x/clob/keeper/"


def example(source):
    def keep(function):
        EXAMPLES[function.__name__] = function, source
        return function

    return keep


def listed(symbol, rate, face=1.0):
    """A contract such as "BTC-USD", settled in USDC."""
    return Perpetual(symbol, symbol.partition("-")[0], "USDC", face, Tiers.flat(rate))


def new(before, after):
    """The events of a liquidation."""
    return after.events[len(before.events) :]


def to(party, events):
    """What a party gained by them."""
    return sum(event.flows.get(party, 0.0) for event in events)


def worth(account, amount):
    """The account with so much taken out of its shared pool that just this much is left in it."""
    return account.credit("USDC", amount - account.cross.worth())


def deleveraged(accounts):
    """How often positions of accounts were auto-deleveraged."""
    return sum(event.kind == ADL for account in accounts for event in account.events)


BTC, ETH, ONE = listed("BTC-USD", 0.1), listed("ETH-USD", 0.1), listed("ONE-USDC", 0.1)

# ------------------------------------------------------ the insurance fund's gains and payments


@example("kucoin.com/support/26686139092889: 1,000 contracts at 40,000, margin 1,000, filled at 38,850")
def kucoin_insurance_fund():
    contract = listed("BTC-USDM", 0.004, 0.001)
    account = Account(venues.KUCOIN, USDC=1_000).trade(contract, 1_000, 40_000, isolated=1_000)
    yield 39_160, account[contract].liquidation().price, 1e-9
    yield 39_000, account[contract].bankruptcy().price, 1e-9
    yield 0, len(new(account, account.mark(BTC=39_161).liquidate())), 0
    at_line = account.mark(BTC=39_160)
    for fill, gained in ((39_100, 100), (38_850, -150)):  # the 100 follows from its two prices
        after = at_line.liquidate(last={"BTC": fill})
        yield gained, to(FUND, new(at_line, after)), 1e-9
        yield 0, after.balances()["USDC"], 1e-9
        yield -1_000, to(TRADER, new(at_line, after)), 1e-9


@example("doc.sat.is, System gain and losses: longs at 100, bankrupt at 99, filled at 99.25 and 98.75")
def satis_insurance_fund():
    venue, accounts = replace(PLAIN, maintenance_at="entry"), []
    for symbol in ("A", "B"):  # a contract each, so that each has a last price of its own
        contract = listed(f"{symbol}-USDC", 0.005)
        account = Account(venue, USDC=1).trade(contract, 1, 100, isolated=1)
        yield 99.5, account[contract].liquidation().price, 1e-9
        yield 99, account[contract].bankruptcy().price, 1e-9
        accounts.append(account.mark(**{symbol: 99.5}))
    last = {"A": 99.25, "B": 98.75}
    first = deleveraging.liquidate_all(accounts[:1], {"A": 99.25}, fund=0)
    yield 0.25, first.fund["USDC"], 1e-9
    both = deleveraging.liquidate_all(accounts, last, fund=0)
    yield 0, both.fund["USDC"], 1e-9
    yield 0, deleveraged(both.accounts), 0
    turned = deleveraging.liquidate_all(accounts[::-1], last, fund=0)  # nothing there yet
    yield 1, deleveraged(turned.accounts), 0
    yield 0.25, turned.fund["USDC"], 1e-9


@example("blog.btcmex.com/insurance-fund/: a long, over at 3,100, bankrupt at 3,000, filled at 3,060")
def btcmex_insurance_fund():
    contract = listed("BTC-USDT", 100 / 3_100)
    account = Account(PLAIN, USDC=400).trade(contract, 1, 3_400, isolated=400)
    yield 3_100, account[contract].liquidation().price, 1e-9
    yield 3_000, account[contract].bankruptcy().price, 1e-9
    at_line = account.mark(BTC=3_100)
    yield 60, to(FUND, new(at_line, at_line.liquidate(last={"BTC": 3_060}))), 1e-9


@example("support.btse.com 43000531566: a short of 100,000 contracts at 8,000, 100x, margin 8,000")
def btse_short():
    contract, venue = listed("BTC-PFC", 0.005, 0.001), replace(PLAIN, maintenance_at="entry")
    account = Account(venue, USDC=8_000)
    account = account.trade(contract, -100_000, 8_000, isolated=True, leverage=100)
    yield 8_000, account[contract].collateral["USDC"], 1e-9
    yield 8_040, account[contract].liquidation().price, 1e-9
    yield 8_080, account[contract].bankruptcy().price, 1e-9
    at_line = account.mark(BTC=8_040)
    yield 0, to(FUND, new(at_line, at_line.liquidate(last={"BTC": 8_080}))), 1e-9
    events = new(at_line, at_line.liquidate(last={"BTC": 8_161}, fund=0))
    (forced,) = (event for event in events if event.contract)
    yield 8_080, forced.price, 1e-9
    yield 100_000, forced.quantity, 1e-9


def one(quote, quantity, first):
    """A dYdX subaccount with a balance of quote currency and so many BTC, at the tests' oracle
    price, liquidated by this step first; and what is aside."""
    venue = replace(DYDX_V4, liquidation=Liquidation(first, close_all))
    entry = 70_000 if quantity > 0 else 30_000
    margin = quote + quantity * entry
    account = Account(venue, USDC=60_000).trade(BTC, quantity, entry, isolated=margin)
    return account.mark(BTC=50_000), 60_000 - margin


@example(DYDX + "liquidations_test.go, GetLiquidationInsuranceFundDelta: 5,100 owed or 4,900 held")
def dydx_insurance_fund_delta():
    for quote, quantity, rate, filled, delta in (
        (-5_100, 0.1, 0.025, 56_100, 140.25),
        (-5_100, 0.1, 1.0, 56_100, 510),
        (-5_100, 0.1, 0.005, 51_051, 5.1),
        (-5_100, 0.1, 0.005, 51_000, 0),
        (-5_100, 0.1, 0.005, 50_490, -51),
        (4_900, -0.1, 0.005, 44_100, 22.05),
        (4_900, -0.1, 0.025, 44_100, 110.25),
        (4_900, -0.1, 1.0, 44_100, 490),
        (4_900, -0.1, 0.005, 48_951, 4.9),
        (4_900, -0.1, 0.005, 49_000, 0),
        (4_900, -0.1, 0.005, 49_490, -49),
    ):
        account, aside = one(quote, quantity, close_for_a_fee(rate))
        after = account.liquidate(last={"BTC": filled})
        yield delta, to(FUND, new(account, after)), 1e-9
        left = quote + quantity * filled - max(delta, 0)  # the rest is the trader's
        yield aside + max(left, 0), after.balances()["USDC"], 1e-9
        yield 1, len(after.liquidations), 0


@example("by hand: dYdX's record, a fee of 750 on BTC fills the fund that then pays 250 on ETH")
def dydx_record():
    account = Account(DYDX_V4, USDC=10_000).trade(BTC, 1, 50_000).trade(ETH, 1, 3_000)
    account = worth(account, 1_000)  # 943 of which are BTC's share: more than 1.5 % of its fill
    after = account.liquidate(last={"ETH": 2_500}, fund=0)
    yield 500, to(FUND, new(account, after)), 1e-9
    yield 0, deleveraged([after]), 0
    yield 0, after.balances()["USDC"], 1e-9


# ---------------------------------------------------------------------------- bankruptcy prices


@example(DYDX + "liquidations_test.go, GetBankruptcyPriceInQuoteQuantums: BTC 50,000, ETH 3,000")
def dydx_bankruptcy_prices():
    marks, sides = {"BTC": 50_000, "ETH": 3_000}, ("above", "below")
    for quote, held, closed, printed in (
        (-4_501, {BTC: 0.1}, BTC, 4_501),
        (5_499, {BTC: -0.1}, BTC, 5_499),
        (-5_000, {BTC: 0.1}, BTC, 5_000),
        (5_000, {BTC: -0.1}, BTC, 5_000),
        (-5_100, {BTC: 0.1}, BTC, 5_100),
        (4_900, {BTC: -0.1}, BTC, 4_900),
        (-490, {BTC: 0.004, ETH: 0.1}, ETH, 294),
        (510, {BTC: -0.004, ETH: -0.1}, ETH, 306),
        (110, {BTC: 0.004, ETH: -0.1}, ETH, 306),
    ):
        for entries in (marks, {"BTC": 58_000, "ETH": 2_700}):  # the margin makes up for them
            positions = [Position(c, quantity, entries[c.index]) for c, quantity in held.items()]
            margin = quote + sum(p.quantity * p.entry for p in positions)
            pool, size = Pool("USDC", {"USDC": margin}, positions, DYDX_V4, marks), held[closed]
            found = {p.instrument: bankruptcy_prices(pool)[p.label] for p in positions}
            yield printed, found[closed] * abs(size), 1e-9
            if len(held) == 1:
                side = getattr(pool.bankruptcy(), sides[size > 0])
                yield printed, side.price * abs(size), 1e-9
            yield 0, pool.worth({c.index: price for c, price in found.items()}), 1e-9


@example(DYDX + "liquidations_test.go: a long that holds more than it owes has no bankruptcy price")
def dydx_none():
    pool = Pool("USDC", {"USDC": 50_001}, [Position(BTC, 1, 50_000)], DYDX_V4)
    yield True, bankruptcy_prices(pool)["long BTC-USD"] is None, 0


# ------------------------------------------------------------------------------- partial sizes


@example("drift-labs/protocol-v2 math/liquidation/tests.rs: 10 short of margin, at 10x and 100; fees")
def drift_base_asset_amounts():
    for side in (1, -1):
        for other, fund, base in ((0, 0, 1), (0.01, 0, 10 / 9), (0.01, 0.01, 1.25)):
            rule = Liquidation(close_enough(0.0, fund, other), close_all)
            account = Account(replace(DRIFT, liquidation=rule), USDC=500)
            account = worth(account.trade(ONE, side * 10, 100), 90)
            yield -10, account[ONE].slack(), 1e-9
            after = account.liquidate()
            (event,) = new(account, after)
            yield -side * base, event.quantity, 1e-9
            yield 0, after[ONE].slack(), 1e-7
            yield fund * base * 100, event.flows[FUND], 1e-9
            yield -(other + fund) * base * 100, event.flows[TRADER], 1e-9


@example("drift-labs/protocol-v2 controller/liquidation/tests.rs: a long of 2 at 100 and 5 held")
def drift_to_cover_a_shortage():
    contract = listed("ONE-USDC", 0.05)
    for buffer, fund, other, left, fees in (
        (0.02 / 0.05, 0.01, 0.01, 0.2, 1.8),  # MARGIN_PRECISION / 50 of it, to a maintenance of 5 %
        (0, 0.0, 0.01, 0.75, 1.25),  # an older version
    ):
        rule = Liquidation(close_enough(buffer, fund, other), close_all)
        account = Account(replace(DRIFT, liquidation=rule), USDC=500)
        account = worth(account.trade(contract, 2, 100), 5)
        after = account.liquidate()
        (event,) = new(account, after)
        yield left, after[contract].positions[0].quantity, 1e-9
        yield left - 2, event.quantity, 1e-9
        yield 100, event.price, 0
        yield fees if fund else 0, event.flows[FUND], 1e-9
        yield 5 - fees * (2 if fund else 1), after[contract].equity(), 1e-9  # the liquidator's, too
        if buffer:
            yield 0.07, after[contract].equity() / (left * 100), 1e-9


@example("Drift: its record, with a fee of 1 % for the fund and as much for the liquidator")
def drift_record():
    account = worth(Account(DRIFT, USDC=500).trade(ONE, 10, 100), 90)
    (event,) = new(account, account.liquidate())
    yield -1.25, event.quantity, 1e-9
    yield 1.25, event.flows[FUND], 1e-9


@example(DYDX + "liquidations_test.go: MaxPositionPortionLiquidatedPpm, 0.1 BTC")
def dydx_portions():
    for part, closed in ((0.5, 0.05), (0.4, 0.04), (1.0, 0.1)):
        for quote, quantity in ((-4_501, 0.1), (5_499, -0.1)):
            account, _ = one(quote, quantity, close_share(part))
            events = new(account, account.liquidate(fund=0))
            first = next(event for event in events if event.contract or part == 1)
            yield -closed if quantity > 0 else closed, first.quantity or -quantity, 1e-12


@example("docs.perp.fi, Liquidation: at a margin ratio of 6.25 % a quarter is closed")
def perp_quarter():
    contract = listed("ONE-USDC", 0.0625)
    venue = replace(PLAIN, liquidation=Liquidation(close_share(0.25), close_all))
    for side in (1, -1):
        account = Account(venue, USDC=100).trade(contract, side * 10, 100, isolated=100)
        line = account[contract].liquidation().price
        after = account.mark(ONE=line).liquidate()
        yield 7.5 * side, after[contract].positions[0].quantity, 1e-12
        quarter = 0.25 * 10 * side * (line - 100)  # of the PnL
        yield quarter, to(TRADER, new(account, after)), 1e-9
        yield 0.0625 / 0.75, after[contract].equity() / (7.5 * line), 1e-12


# ---------------------------------------------------------------------------- auto-deleveraging


def scored(side, gain, leverage, quantity=1.0):
    """An account whose position at 650 has this PnL, of its entry value, and effective leverage."""
    contract, entry = listed("ONE-USDC", 0.001), 650 / (1 + side * gain)
    account = Account(PLAIN, USDC=1e6).trade(contract, side * quantity, entry)
    return worth(account.mark(ONE=650), quantity * 650 / leverage)


@example("help.zubr.io 360011816240: ten clients by PnL and leverage, their ranks and their order")
def zubr_order():
    table = (
        (0.10, 4, 0.4, 5),
        (0.05, 0.5, 0.025, 10),
        (0.20, 1.2, 0.24, 7),
        (0.05, 10, 0.5, 3),
        (0.15, 2, 0.3, 6),
        (0.03, 4, 0.12, 8),
        (0.12, 5, 0.6, 2),
        (0.06, 0.8, 0.048, 9),
        (0.11, 11, 1.21, 1),
        (0.07, 6, 0.42, 4),
    )
    accounts = [scored(-1, gain, leverage) for gain, leverage, _, _ in table]  # below 1: a short's
    queue = deleveraging.queue(accounts, "ONE-USDC", -1)
    found = {n: (score, place) for place, (score, n, _, _) in enumerate(queue, 1)}
    for n, (_, _, rank, place) in enumerate(table):
        yield rank, found[n][0], 1e-9
        yield place, found[n][1], 0


@example("bitmex.com/app/autoDeleveragingExamples: six longs, and a short of 20 liquidated at 650")
def bitmex_queue():
    table = {1: (10, 3), 2: (10, 6), 3: (20, 1), 4: (30, 4), 5: (20, 5), 6: (10, 2)}
    accounts = [scored(1, 0.1 * rank, 10, quantity) for quantity, rank in table.values()]
    queue = deleveraging.queue(accounts, "ONE-USDC", 1)
    for (score, n, _, _), want in zip(queue, (2, 5, 4, 1, 6, 3), strict=True):
        yield want, n + 1, 0
        yield table[want][1], score, 1e-9
    after, rest = deleveraging.deleveraged(accounts, "ONE-USDC", -20, 650)
    yield 0, rest, 0
    for n, (quantity, _) in table.items():
        left = {2: 0, 5: 10}.get(n, quantity)
        yield left, sum(p.quantity for _, p in after[n - 1].find("ONE-USDC")), 1e-12
        if left != quantity:
            yield 650, after[n - 1].events[-1].price, 0
            yield left - quantity, after[n - 1].events[-1].quantity, 1e-12


@example("help.mycoinstory.com 360040599951: the score of a losing position, by its three prices")
def mcs_score_of_a_loss():
    contract = Perpetual("BTCUSD", "BTC", "BTC", tiers=Tiers.flat(0.005))
    for entry, mark, bust in ((10_000, 10_100, 10_204), (9_000, 9_010, 12_000)):
        margin = 1_000 / entry - 1_000 / bust  # a short of 1,000 USD
        positions = [Position(contract, -1_000, entry)]
        pool = Pool("BTC", {"BTC": margin}, positions, venues.MCS, {"BTC": mark})
        printed = (bust - mark) * (entry - mark) / (bust * mark)
        yield printed, deleveraging.score(pool, pool.positions[0]), 1e-12


@example("help.bybit.com 900000031623: 5,000 contracts at 7,890.08, 50x, closed at bankruptcy, 7,735.50")
def bybit_deleveraged_at_bankruptcy():
    contract = Perpetual("BTCUSD", "BTC", "BTC", tiers=Tiers.flat(0.005, leverage=100))
    long = Account(venues.BYBIT_CLASSIC, BTC=1)
    long = long.trade(contract, 5_000, 7_890.08, isolated=True, leverage=50)
    yield 7_773.50, long[contract].liquidation().price, 0.25
    yield 7_735.372549, long[contract].bankruptcy().price, 5e-7
    short = Account(venues.BYBIT_CLASSIC, BTC=10)
    short = short.trade(contract, -8_000, 8_000, isolated=True, leverage=10)
    both = [account.mark(BTC=7_770) for account in (long, short)]
    found = deleveraging.liquidate_all(both, {"BTC": 7_600}, fund=0)
    ours, other = found.accounts
    (forced,) = (event for event in new(long, ours) if event.kind == ADL)
    yield 7_735.372549, forced.price, 5e-7
    yield -5_000, forced.quantity, 1e-9
    yield 7_735.372549, other.events[-1].price, 5e-7
    yield -3_000, other[contract].positions[0].quantity, 1e-9
    yield 0, len(found.unmatched), 0


@example(DYDX + "deleveraging_test.go, TestProcessDeleveraging: a short of 1 BTC, a long, at 50,000")
def dydx_offsetting():
    for quote, other, quantity, held in (  # of the short, of the long, closed; the long's then
        (54_999, 50_000, 1, 104_999),
        (54_999, -45_001, 1, 9_998),
        (50_000, 50_000, 1, 100_000),
        (50_000, -45_001, 1, 4_999),
        (49_999, 50_000, 1, 99_999),
        (49_999, -45_001, 1, 4_998),
        (49_999, -50_000, 1, None),  # prices of the two do not meet
        (54_999, 50_000, 0.1, 55_499.9),
    ):
        positions, marks = [Position(BTC, -1, 52_000)], {"BTC": 50_000}
        short = Pool("USDC", {"USDC": quote - 52_000}, positions, DYDX_V4, marks)
        price = bankruptcy_prices(short)["short BTC-USD"]
        long = Account(DYDX_V4, USDC=other + 60_000).trade(BTC, 1, 60_000).mark(**marks)
        (after,), rest = deleveraging.deleveraged([long], BTC, -quantity, price)
        if held is None:
            yield quantity, rest, 0
            yield 1, after[BTC].positions[0].quantity, 0
            continue
        yield 0, rest, 0
        cost = sum(p.quantity * p.entry for _, p in after.find("BTC-USD"))
        yield held, after.balances()["USDC"] - cost, 1e-6


@example(DYDX + "deleveraging_test.go: 80,800 held, short 1 BTC and 10 ETH; BTC is closed at 50,500")
def dydx_several_positions():
    positions = [Position(BTC, -1, 50_000), Position(ETH, -10, 3_000)]
    pool = Pool("USDC", {"USDC": 800}, positions, DYDX_V4)
    yield 5_000, replace(pool, positions=positions[:1]).requirement(), 1e-9
    yield 3_000, replace(pool, positions=positions[1:]).requirement(), 1e-9
    price = bankruptcy_prices(pool)["short BTC-USD"]
    yield 50_500, price, 1e-9
    long = Account(DYDX_V4, USDC=100_000).trade(BTC, 1, 50_000)
    (after,), _ = deleveraging.deleveraged([long], BTC, -1, price)
    yield 50_000 + 50_500, after.balances()["USDC"], 1e-9


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    worked, source = EXAMPLES[name]
    found = list(worked())
    assert found
    for printed, ours, half in found:
        assert ours == pytest.approx(printed, rel=1e-12, abs=half), source
