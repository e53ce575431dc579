"""Currencies first, own marks, stablecoins, what may leave, fees: where venues differ, each by a small account."""

from decimal import Decimal

import pytest

from marginlab import (
    Account,
    Asset,
    Interest,
    Perpetual,
    Pool,
    Position,
    Refused,
    Spot,
    Tiers,
    Venue,
    Withdrawal,
    liquidation_price,
    replace,
    venues,
)
from tests.refusal import refused

BTC = Perpetual("BTC-USDT", "BTC", "USDT")
COIN = Perpetual("BTC-USD", "BTC", "BTC", 100)


def multi(**assets):
    tiers = {"*": Tiers.flat(0.005)}
    return Venue("multi", tiers=tiers, account_mode="multi-currency", assets={"USD": Asset(), **assets})


def near(value):
    return pytest.approx(value, rel=1e-9, abs=1e-9)


# ------------------------------------------------------------------ currency first


def test_two_stablecoins_do_not_net():
    lent = Asset(loan=Tiers.flat(0.10, leverage=5))
    book = [
        Position(Perpetual("ETH-USDT", "ETH", "USDT", tiers=Tiers.flat(0.01)), 50, 3_000),
        Position(Perpetual("ETH-USDC", "ETH", "USDC", tiers=Tiers.flat(0.02)), -50, 3_000),
    ]
    pool = Pool("USD", {"USDT": 30_000}, book, multi(USDT=lent, USDC=lent), {"ETH": 3_000})
    # at P, 50 (P - 3,000) are gained in USDT and owed in USDC, which asks 10 %; the contracts 1.5 P
    assert pool.liquidation("ETH").above.price == near(45_000 / 6.5)
    assert pool.requirement(ETH=4_000) == near(11_000) and pool.liquidation("ETH").below.price is None
    beside = replace(pool, venue=replace(pool.venue, unrealised="beside"))
    assert beside.liquidation("ETH").above.price == near(20_000) and beside.requirement(ETH=4_000) == near(6_000)
    why = pool.liquidation("ETH").above.why
    assert "226,154 USDT held: 30,000 there, 196,154 gained (+226,154 USD) holds it up" in why
    assert "196,154 USDC owed: 196,154 lost (-215,769 USD)" in why
    assert pool.parts(ETH=4_000) == {
        "USDT with its PnL": near(80_000), "USDC with its PnL": near(-55_000),
        "long ETH-USDT": near(-2_000), "short ETH-USDC": near(-4_000),
    }  # fmt: skip


def test_the_haircut_falls_on_what_is_gained_too():
    contract = Perpetual("BTC-USDC", "BTC", "USDC", tiers=Tiers.flat(0.005))
    account = Account(venues.OKX_MULTI, USDC=20_000).mark(BTC=40_000).trade(contract, 2, 40_000)
    pool = account.cross
    assert (pool.equity(BTC=50_000), pool.equity(BTC=35_000)) == (near(39_200), near(9_800))
    assert pool.liquidation().price == near(60_000 * 0.98 / (1.96 - 2 * 0.0055))
    up = account.mark(BTC=50_000)
    again = up.trade(contract, -1.9, 50_000).trade(contract, 1.9, 50_000)
    assert again.cross.equity() == near(39_200) == near(up.cross.equity())
    assert again.cross.liquidation().price == near(up.cross.liquidation().price)


def hedged(venue):
    """2 BTC, 5 bought with 250,000 borrowed USDT, and a short of 5."""
    account = Account(venue, BTC=2).mark(BTC=50_000).trade(Spot("BTC/USDT"), 5, 50_000, borrow="USDT")
    return replace(account.trade(BTC, -5, 50_000).cross, venue=replace(venue, assets=CUT))


CUT = dict(venues.TEACHING_MULTI.assets)


def test_the_hedged_pool_of_lesson_02_at_two_venues():
    joined, beside = hedged(venues.TEACHING_MULTI), hedged(venues.TEACHING_BESIDE)
    assert (joined.liquidation().below.price, joined.liquidation().above.price) == (None, None)
    assert beside.liquidation().below.price == near(12_500 / 1.28)
    for pool, equity, required, available in ((joined, 55_900, 11_610, 32_680), (beside, 55_900, 13_360, 29_180)):
        assert pool.equity(BTC=43_000) == near(equity) and pool.requirement(BTC=43_000) == near(required)
        assert pool.available(BTC=43_000) == near(available)
        assert pool.worth(BTC=43_000) == near(7 * 43_000 - 250_000 + 35_000)
    assert joined.bankruptcy().below.price is None is beside.bankruptcy().below.price
    assert joined._said("USDT with its PnL", {"BTC": 43_000}) == "215,000 USDT owed: 250,000 borrowed, 35,000 gained"


def test_a_settlement_currency_that_is_not_listed_is_refused():
    account = Account(multi(BTC=Asset()), BTC=1)
    refused(Refused, ["'USDT'", "takes USD, BTC"], lambda: account.trade(BTC, 1, 50_000), account)
    refused(Refused, ["'USDT'"], lambda: Pool("USD", {"BTC": 1}, [Position(BTC, 1, 50_000)], account.venue))
    other = Perpetual("BTC-BUSD", "BTC", "BUSD")
    refused(
        ValueError, ["settle", "'BUSD'", "quotes, USD, USDT, USDC", "replace(venue, quotes=...)"],
        lambda: Account(venues.TEACHING, BUSD=1_000).trade(other, 1, 50_000),
    )  # fmt: skip


def test_interest_on_what_is_lost_in_a_coin_that_is_not_there():
    venue = multi(BTC=Asset(), USDT=Asset(rate=0.001))
    account = Account(venue, BTC=2).trade(BTC, 1, 50_000).mark(BTC=40_000)
    assert account.accrue(24).balances() == {"BTC": 2, "USDT": near(-10)}  # 0.1 % of 10,000
    assert account.mark(BTC=60_000).accrue(24).balances() == {"BTC": 2, "USDT": 0}
    apart = Account(replace(venue, unrealised="beside"), BTC=2).trade(BTC, 1, 50_000).mark(BTC=40_000)
    assert apart.accrue(24).balances() == {"BTC": 2, "USDT": 0}


# ------------------------------------------------------------- own marks, stablecoins


def test_an_own_mark_keeps_its_ratio_along_the_index():
    pool = Pool("USDT", {"USDT": 2_000}, [Position(BTC, 0.4, 60_000)], venues.TEACHING, {"BTC": 6e4, "BTC-USDT": 57e3})
    found = pool.liquidation()
    assert found.price == near(22_000 / 0.3984) and found.nearest.distance == near(found.price / 57_000 - 1)
    assert found.mark == 57_000 and "3.1 % below 57,000" in found.below.why
    assert pool.slack(found.nearest.prices) == pytest.approx(0, abs=1e-9)
    assert pool.margin_for(found.price) == near(2_000)
    assert pool.slack(BTC=66_000) == near(2_000 + 0.4 * (62_700 - 60_000) - 0.004 * 0.4 * 62_700)


def test_two_contracts_marked_apart():
    dated = Perpetual("BTC-Q", "BTC", "USDT")
    book = [Position(dated, 1, 21_000), Position(BTC, -1, 20_000)]
    pool = Pool("USDT", {"USDT": 1_000}, book, venues.TEACHING, {"BTC": 20_000, "BTC-Q": 21_000})
    found = pool.liquidation()
    assert pool.slack() == near(836) and not found.breached
    assert (found.below.price, found.above.price) == (None, None) and "below its line" not in repr(found)


def test_a_stablecoin_can_be_followed():
    peg = Perpetual("USDC-USDT", "USDC", "USDT", tiers=Tiers.flat(0.01))
    pool = Account(venues.TEACHING, USDT=5_000).trade(peg, -40_000, 1.0, isolated=True, leverage=20)[peg]
    assert pool.liquidation().price == near(42_000 / 40_400) and pool.margin_for(1.08) == near(3_632)
    assert pool.indices == ("USDC",)
    held = Pool("USD", {"USDT": 100_000, "BTC": -1}, (), venues.TEACHING_MULTI, {"BTC": 50_000})
    assert held.liquidation("USDT").below.price == near(0.525) and held.indices == ("BTC",)


def test_a_spot_pair_and_a_contract_of_one_name():
    contract = Perpetual("ETH/USDT", "ETH", "USDT")
    account = Account(venues.TEACHING, USDT=4_000).mark(ETH=2_000)
    account = account.trade(Spot("ETH/USDT"), -1, 2_000, isolated=700, borrow="ETH")
    account = account.trade(contract, 1, 2_000, isolated=300)
    assert sum(pool.worth() for pool in account.pools) == near(4_000)
    assert account.balances()["ETH"] == -1 and len(account.find("ETH/USDT")) == 1


# ---------------------------------------------------------------- what may leave

X = Perpetual("X-USDC", "X", "USDC", tiers=Tiers.flat(0.0125, 40))


def test_what_may_leave_by_four_rules():
    walled = Account(venues.HYPERLIQUID, USDC=1_000).trade(X, 20, 50, isolated=True, leverage=5).mark(X=70)
    assert walled[X].withdrawable() == near(320)  # 200 + 400 less a fifth of 1,400
    assert walled.transfer(320, "USDC", source=X)[X].collateral["USDC"] == near(-120)
    shared = Account(venues.HYPERLIQUID, USDC=3_000).trade(X, 400, 50, leverage=40)
    assert shared.cross.withdrawable() == near(1_000)  # a tenth of 20,000 has to stay
    long = Account(venues.BINANCE_2026_09, USDT=5_000).trade(BTC, 1, 50_000, isolated=True, leverage=10)
    up = long.mark(BTC=60_000)
    tiers = replace(venues.BINANCE_2026_09, tiers={"*": Tiers.flat(0.004)})
    assert replace(up[BTC], venue=tiers).withdrawable() == near(4_760)  # its own margin but for 240
    refused(Refused, ["amount=4800", "4760 free"], lambda: up.transfer(4_800, "USDT", source=BTC), up)
    # most: no profit, initial margin stays; with profit, down to initial margin; strict: nothing
    for rule, free in ((Withdrawal(), -1_000), (Withdrawal("profit"), 9_000), (Withdrawal("all"), 0)):
        assert replace(up[BTC], venue=replace(tiers, isolated_withdrawal=rule)).withdrawable() == near(free)
    assert replace(up[BTC], venue=replace(tiers, isolated_withdrawal=None)).withdrawable() == near(-1_000)


# ------------------------------------------------------------------------ fills


def test_a_fill_far_from_the_mark_is_refused():
    pepe = Perpetual("1000PEPE-USDT", "PEPE", "USDT")
    account = Account(venues.TEACHING, USDT=1_000).mark(PEPE=0.00001)
    for price in (0.01, 0.0000049):
        words = ["1000PEPE-USDT", "too far from its mark of 1e-05", "from 5e-06 to 2e-05"]
        refused(Refused, words, lambda price=price: account.trade(pepe, 100, price), account)
    own = account.mark(**{"1000PEPE-USDT": 0.01})
    assert own.trade(pepe, 100, 0.01).cross.equity() == 1_000
    refused(
        Refused, ["BTC/USDT", "from 25,000 to 100,000"],
        lambda: Account(venues.TEACHING, USDT=1e6).mark(BTC=50_000).trade(Spot("BTC/USDT"), 1, 100_001),
    )  # fmt: skip
    narrow = replace(venues.TEACHING, price_band=0.05)
    refused(Refused, ["to 52,500"], lambda: Account(narrow, USDT=1e5).mark(BTC=5e4).trade(BTC, 1, 53_000))


def test_numbers_as_exchanges_write_them():
    account = Account(venues.TEACHING, USDT="10000").mark(BTC=Decimal("50000")).trade(BTC, "0.1", "5e4", leverage="10")
    assert account.cross.positions[0] == Position(BTC, 0.1, 50_000, 10)
    for bad in ("1,000", "0,1", "1_000", "nan", "inf", "", " 1", "one", "0x10"):
        refused(TypeError, ["quantity", repr(bad)], lambda bad=bad: account.trade(BTC, bad, 50_000), account)
    refused(ValueError, ["price", "NaN"], lambda: account.trade(BTC, 1, Decimal("NaN")), account)


def test_a_trading_fee_is_charged_and_conserved():
    account = Account(venues.TEACHING, USDT=10_000).mark(BTC=50_000)
    walled = account.trade(BTC, 1, 50_000, isolated=True, leverage=10, fee=0.0005)
    assert walled.balances() == {"USDT": 9_975} and walled[BTC].collateral == {"USDT": 5_000}
    less = walled.trade(BTC, -0.5, 51_000, fee=0.0005)
    assert less.balances() == {"USDT": near(9_975 + 500 - 12.75)}
    shared = Account(replace(venues.TEACHING, trading_fee=0.001), USDT=10_000).trade(BTC, 1, 50_000)
    assert shared.cross.equity() == 9_950 and shared.trade(BTC, -1, 50_000).balances() == {"USDT": 9_900}
    flipped = shared.trade(BTC, -3, 50_000)
    assert flipped.balances() == {"USDT": near(9_950 - 150)}
    coins = account.trade(Spot("BTC/USDT"), 0.1, 50_000, fee=0.001)
    assert coins.balances() == {"USDT": 5_000, "BTC": near(0.0999)}
    for after in (walled, less, shared, flipped, coins):
        assert all(sum(event.flows.values()) == pytest.approx(0, abs=1e-12) for event in after.events)
    paid = less.ledger()
    assert paid["venue"].sum() == near(37.75) and paid["quantity"].tolist()[1:] == [1, -0.5]
    assert paid["contract"].tolist() == ["", "BTC-USDT", "BTC-USDT"]
    refused(
        Refused, ["isolated=9999 USDT and a fee of 49.995", "10000 free"],
        lambda: account.trade(BTC, 1.9998, 50_000, isolated=9_999, fee=0.0005), account,
    )  # fmt: skip
    refused(ValueError, ["fee", "at most 0.5"], lambda: account.trade(BTC, 1, 50_000, fee=0.6), account)


def test_an_opening_fee_with_and_without_interest_on_it():
    for on, owed in (("debt", 0.060015), ("borrowed", 0.06)):
        rule = Interest(per=4, every=4, opening=1, on=on)
        venue = replace(venues.TEACHING, interest=rule, assets={"*": Asset(loan=Tiers.flat(0.05), rate=0.00025)})
        account = Account(venue, BTC=1).mark(BTC=60).trade(Spot("BTC/USDT"), 1, 60, borrow="USDT").accrue(12)
        assert -account.balances()["USDT"] - 60 == near(owed if on == "borrowed" else 60 * (1.00025 * 1.00075 - 1))
    half = account.trade(Spot("BTC/USDT"), -0.5, 60).accrue(4)  # the fee is repaid first
    assert -half.balances()["USDT"] == near(60.06 - 30 + 30.06 * 0.00025)


# ------------------------------------------------------------- bankruptcy, a ratio, digits


def test_bankruptcy_after_the_fee_of_closing():
    for side, end in ((1, 45_000 / 0.999), (-1, 55_000 / 1.001)):
        pool = Account(venues.TEACHING, USDT=5_000).trade(BTC, side, 50_000, isolated=5_000)[BTC]
        assert pool.bankruptcy(fee=0.001).price == near(end)
        assert pool.bankruptcy().price == near(50_000 - side * 5_000)


def test_the_margin_of_a_printed_ratio():
    pool = Account(venues.OKX, BTC=1).trade(replace(COIN, tiers=Tiers.flat(0.004)), 300, 50_000, leverage=10).cross
    pool = pool.marked({"BTC": 48_000})
    margin = pool.margin_for(ratio=11.73)
    assert pool.adding(margin - 1).margin_ratio() == near(11.73)
    assert replace(pool, collateral={"BTC": margin}).equity() == near(11.73 * pool.requirement())
    refused(ValueError, ["either liquidation=, a price, or ratio="], lambda: pool.margin_for())
    refused(ValueError, ["either liquidation="], lambda: pool.margin_for(40_000, ratio=2))
    refused(ValueError, ["ratio=2", "no requirement"], lambda: Pool("BTC", {}, (), venues.OKX).margin_for(ratio=2))


def test_digits_of_prices():
    shib = Perpetual("SHIB-USDT", "SHIB", "USDT")
    account = Account(venues.TEACHING, USDT=100).trade(shib, 10_000_000, 0.00001234)
    assert "from 0.00001234" in repr(account) and "1e-05" not in repr(account)
    peg = Perpetual("USDC-USDT", "USDC", "USDT")
    assert "from 1.0001" in repr(Account(venues.TEACHING, USDT=100).trade(peg, 10, 1.0001))
    assert "below 45,180.7" in repr(Account(venues.TEACHING, USDT=5_000).trade(BTC, 1, 50_000))
    many = Account(venues.TEACHING, USDT=5e9)
    words = ["2500000.123 makes", "the schedule ends at 1,800,000,000"]
    capped = replace(BTC, tiers=venues.BTCUSDT_2026_09)
    refused(Refused, words, lambda: many.trade(capped, 2_500_000.123, 50_000, leverage=1), many)
    exact = many.trade(BTC, 1234.56789, 50_000).ledger()
    assert exact["quantity"].tolist()[1] == 1234.56789


def test_the_ends_of_a_long_of_1x_are_said_alike():
    pool = Account(venues.TEACHING, USDT=50_000).trade(BTC, 1, 50_000, isolated=50_000)[BTC]
    assert pool.liquidation().below.price is None is pool.bankruptcy().below.price
    assert str(liquidation_price(venues.TEACHING, BTC, 1, 50_000, 50_000)) == "nan"


def test_a_quanto_pays_in_a_third_currency():
    quanto = Perpetual("ETHUSD", "ETH", "BTC", face=1e-6, quanto=True)
    pool = Account(venues.TEACHING, BTC=1).mark(BTC=50_000, ETH=2_000).trade(quanto, 1_000, 2_000).cross
    assert pool.equity(ETH=2_500) == near(1.5) and pool.equity({"ETH": 2_500, "BTC": 9_000}) == near(1.5)
    assert pool.liquidation("ETH").price == near(1_000 / 0.996)
    refused(ValueError, ["'BTC' for 'ETHUSD'"], lambda: Account(venues.TEACHING, BTC=1).trade(
        Perpetual("ETHUSD", "ETH", "BTC"), 1, 2_000))  # fmt: skip
