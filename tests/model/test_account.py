"""Accounts: the 10-BTC example, liquidation and who paid, transfers, marks, tables."""

import copy
import pickle
import re
from marginlab import replace

import pytest

from marginlab import Account, Perpetual, Tiers, compare, venues
from marginlab.rules import COUNTERPARTIES, FUND, TRADER

INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
ETHER = Perpetual("ETH-USDT", index="ETH", settle="USDT")
ME = Account(venues.TEACHING, BTC=10).mark(BTC=50_000)
SAFE = ME.trade(INVERSE, +25_000, price=50_000, isolated=5)
BOLD = ME.trade(INVERSE, +25_000, price=50_000)


def near(value):
    return pytest.approx(value, rel=1e-12)


def test_the_10_btc_trade_isolated_and_cross():
    assert SAFE.cross.collateral["BTC"] == 5 and SAFE[INVERSE].collateral["BTC"] == 5
    assert SAFE[INVERSE].isolated and not BOLD[INVERSE].isolated and BOLD[INVERSE] is BOLD.cross
    assert SAFE[INVERSE].liquidation().price == near(2_510_000 / 55)  # 45,636.36
    assert BOLD[INVERSE].liquidation().price == near(2_510_000 / 60)  # 41,833.33
    assert SAFE[INVERSE].positions[0].leverage == near(10)  # 50 BTC on 5
    assert SAFE.balances() == BOLD.balances() == {"BTC": 10}


def test_a_gap_to_44_000_costs_5_and_the_fund_pays_the_rest():
    # 50 - 2,500,000/44,000 = -6.818182: 5 by the trader, 1.818182 by the fund, to those who were short
    after = SAFE.at(BTC=44_000)
    (record,) = after.liquidations
    assert (record.pool, record.currency, record.price) == ("isolated BTC-USD", "BTC", 44_000)
    assert (record.lost, record.surplus, record.shortfall) == (near(5), 0, near(20 / 11))
    assert record.flows == {TRADER: near(-5), FUND: near(-20 / 11), COUNTERPARTIES: near(75 / 11)}
    assert "5 BTC lost" in record.text and "1.818 missing, paid by the insurance fund" in record.text
    assert after.balances() == {"BTC": near(5)} and [p.name for p in after.pools] == ["cross BTC"]
    with pytest.raises(KeyError):
        after[INVERSE]


def test_a_shortfall_may_fall_on_the_counterparties():
    venue = replace(venues.TEACHING, shortfall_to=COUNTERPARTIES)
    before = Account(venue, BTC=10).trade(INVERSE, 25_000, 50_000, isolated=5)
    after, missing = before.at(BTC=44_000), 2_500_000 / 44_000 - 55
    queued, record = after.events[len(before.events) :]
    # 2,500,000 USD were 50 BTC; with 5 more they are 55 at the end, and winners have what is missing at 44,000
    assert (queued.kind, queued.price, queued.quantity) == ("auto-deleveraging", near(2_500_000 / 55), -25_000)
    assert queued.flows == {TRADER: near(-5), FUND: 0, COUNTERPARTIES: near(5)} and queued.shortfall == near(missing)
    assert record.flows == {TRADER: 0, FUND: 0, COUNTERPARTIES: 0} and after.balances() == {"BTC": near(5)}
    assert (record.kind, record.price, record.lost, record.shortfall) == ("liquidation", 44_000, 5, near(missing))
    assert "paid by the counterparties" in record.text and after.liquidations == (record,)


@pytest.mark.parametrize("keeper, trader, fund", [(FUND, 0, 1), (TRADER, 1, 0)])
def test_what_is_left_of_a_liquidated_pool_goes_where_the_venue_says(keeper, trader, fund):
    # at 45,600: 50 - 2,500,000/45,600 = -4.824561; 0.175439 is left
    left = 5 + 50 - 2_500_000 / 45_600
    venue = replace(venues.TEACHING, surplus_to=keeper)
    after = Account(venue, BTC=10).trade(INVERSE, 25_000, 50_000, isolated=5).at(BTC=45_600)
    (record,) = after.liquidations
    assert (record.lost, record.surplus, record.shortfall) == (near(5 - trader * left), near(left), 0)
    assert record.flows == {TRADER: near(trader * left - 5), FUND: near(fund * left), COUNTERPARTIES: near(5 - left)}
    assert after.balances() == {"BTC": near(5 + trader * left)} and f"kept by the {keeper}" in record.text


@pytest.mark.parametrize("keeper, left", [(FUND, 0), (TRADER, 10 + 50 - 2_500_000 / 41_800)])
def test_a_cross_liquidation_takes_all_that_is_shared(keeper, left):
    # at 41,800 the loss is 9.808612, 0.191388 of ten are left; below 41,666.67 there is a shortfall
    bold = Account(replace(venues.TEACHING, surplus_to=keeper), BTC=10).trade(INVERSE, 25_000, 50_000)
    assert bold.at(BTC=41_800).balances() == {"BTC": pytest.approx(left, rel=1e-12)}
    gone = bold.at(BTC=41_000)
    assert gone.balances() == {"BTC": 0} and gone.cross.positions == ()
    assert gone.liquidations[0].lost == 10
    assert gone.liquidations[0].shortfall == near(2_500_000 / 41_000 - 60)


def test_liquidation_happens_at_the_line_and_not_before():
    # long 1 at 100 on 60, 20 %: 60 + 50 - 100 = 10 = 20 % of 50, exactly
    venue = replace(venues.TEACHING, tiers={"*": Tiers.flat(0.2)})
    trade = Account(venue, USDT=60).trade(LINEAR, 1, 100, isolated=60)
    assert not trade.at(BTC=50.0001).liquidations
    assert len(trade.at(BTC=50).liquidations) == 1


def test_a_pool_takes_nothing_else_with_it():
    account = Account(venues.TEACHING, USDT=30_000, BTC=1)
    account = account.trade(LINEAR, 1, 50_000, isolated=5_000).trade(ETHER, -10, 2_000, isolated=2_000)
    account = account.trade(Perpetual("SOL-USDT", "SOL", "USDT"), 10, 100).trade(INVERSE, 100, 50_000)
    after = account.at(BTC=40_000)
    assert [e.pool for e in after.liquidations] == ["isolated BTC-USDT"]
    assert after.balances() == {"USDT": near(25_000), "BTC": 1}
    assert after[ETHER].collateral == {"USDT": 2_000} and len(after.cross_in("USDT").positions) == 1
    after = account.at(SOL=1, BTC=50_000, ETH=4_500)  # the short of ether: -25,000 on 2,000
    assert [e.pool for e in after.liquidations] == ["isolated ETH-USDT"]


def test_marking_only_values_and_at_lets_the_venue_act():
    marked = SAFE.mark(BTC=44_000)
    assert marked[INVERSE].equity() == near(5 - 75 / 11) and not marked.liquidations
    assert marked.at().liquidations and not SAFE.liquidations


def test_transfers_move_margin_and_the_liquidation_price():
    more = SAFE.transfer(2, "BTC", to=INVERSE)
    assert more[INVERSE].collateral["BTC"] == 7 and more.cross.collateral["BTC"] == 3
    assert more[INVERSE].liquidation().price == near(2_510_000 / 57)
    back = more.transfer(2, "BTC", source="BTC-USD")
    assert back[INVERSE].liquidation().price == near(2_510_000 / 55) and back.balances() == {"BTC": 10}
    assert [e.kind for e in back.events] == ["deposit", "trade", "transfer", "transfer"]


def test_out_of_an_isolated_pool_goes_what_its_initial_margin_leaves_free():
    # at 10x: 5 at entry, all of it needed. At 55,000: 50/1.1/10 = 4.545455, so 0.454545 of the 5 are free
    risen = SAFE.mark(BTC=55_000)
    assert risen.transfer(5 - 50 / 11, "BTC", source=INVERSE)[INVERSE].collateral["BTC"] == near(50 / 11)
    with pytest.raises(ValueError, match=r"amount=0.46 BTC is more than the 0\.454545 free"):
        risen.transfer(0.46, "BTC", source=INVERSE)
    with pytest.raises(ValueError, match="more than the 0 free"):
        SAFE.transfer(0.01, "BTC", source=INVERSE)


def test_out_of_the_cross_pool_goes_what_its_positions_leave_free():
    # 20,000 less 10x on 50,000 = 15,000; a loss of 2,000 leaves 18,000 - 4,800; a profit adds nothing
    account = Account(venues.TEACHING, USDT=20_000).trade(LINEAR, 1, 50_000, leverage=10)
    account = account.trade(ETHER, 1, 2_000, isolated=100)
    assert account.cross.withdrawable() == near(14_900)
    assert account.mark(BTC=48_000).cross.withdrawable() == near(13_100)
    assert account.mark(BTC=60_000).cross.withdrawable() == near(13_900)
    assert account.transfer(14_900, "USDT", to=ETHER).cross.withdrawable() == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="more than the 14900 free"):
        account.transfer(14_901, "USDT", to=ETHER)


def test_a_contracts_own_mark_holds_until_its_index_is_marked():
    account = Account(venues.TEACHING, USDT=20_000).trade(LINEAR, 1, 50_000, isolated=5_000)
    stressed = account.mark(**{"BTC-USDT": 49_000})
    assert stressed[LINEAR].equity() == near(4_000)
    assert stressed.mark(ETH=2_000)[LINEAR].equity() == near(4_000)
    assert stressed.mark(BTC=51_000)[LINEAR].equity() == near(6_000)
    assert stressed.at(**{"BTC-USDT": 45_000}).liquidations[0].price == 45_000


def test_the_own_mark_of_a_closed_position_does_not_come_back():
    account = Account(venues.TEACHING, USDT=20_000).trade(LINEAR, 1, 50_000).mark(**{"BTC-USDT": 49_000})
    again = account.trade(LINEAR, -1, 49_000).mark(BTC=60_000).trade(LINEAR, 1, 60_000)
    assert again[LINEAR].equity() == near(19_000)  # 1,000 was lost; the new position stands at its entry


def test_one_cross_pool_for_each_currency():
    both = Account(venues.TEACHING, USDT=7, BTC=2)
    assert both.cross_in("BTC").collateral == {"BTC": 2} and both.cross_in("USDT").collateral == {"USDT": 7}
    with pytest.raises(ValueError, match=r"each of USDT, BTC: use cross_in\('USDT'\)"):
        _ = both.cross


def test_accounts_show_their_figures_and_no_address():
    for shown in (repr(SAFE), SAFE._repr_html_()):
        for figure in ("cross BTC", "isolated BTC-USD", "teaching", "5 BTC", "45,636", "long 25,000 contracts"):
            assert figure in shown
        assert not re.search(r"0x[0-9a-f]{6}| object at ", shown)
    assert "<th" in SAFE._repr_html_() and "<" not in repr(SAFE)


def test_compare_puts_before_after_and_change_side_by_side():
    table = compare(SAFE, SAFE.transfer(2, "BTC", to=INVERSE))
    assert table.loc[("isolated BTC-USD", "balance, BTC")].tolist() == [5, 7, 2]
    assert table.loc[("cross BTC", "balance, BTC")].tolist() == [5, 3, -2]
    row = table.loc[("isolated BTC-USD", "liquidation price below, BTC")]
    assert row.tolist() == [near(2_510_000 / 55), near(2_510_000 / 57), pytest.approx(2_510_000 * (1 / 57 - 1 / 55))]
    above = table.loc[("isolated BTC-USD", "liquidation price above, BTC")]
    assert above.tolist()[0].startswith("none: a rise is a gain")
    gone = compare(SAFE, SAFE.at(BTC=44_000))
    assert gone.loc[("isolated BTC-USD", "equity")].tolist() == [5, "no such pool", ""]


def test_compare_does_not_call_an_empty_pool_absent():
    opened = compare(ME, BOLD).loc[("cross BTC", "liquidation price below, BTC")]
    assert opened["after"] == near(2_510_000 / 60) and "no such pool" not in opened["before"]


def test_the_ledger_has_a_row_for_each_event_and_its_parties_sum_to_zero():
    frame = SAFE.transfer(1, "BTC", to=INVERSE).at(BTC=43_000).ledger()
    assert frame["kind"].tolist() == ["deposit", "trade", "transfer", "liquidation"]
    parties = frame[[TRADER, "outside", COUNTERPARTIES, FUND]]
    assert parties.sum(axis=1).tolist() == pytest.approx([0, 0, 0, 0], abs=1e-12)
    # 6 are lost of 50 - 2,500,000/43,000 = -8.139535
    assert frame.loc[3, TRADER] == near(-6) and frame.loc[3, FUND] == near(6 + 50 - 2_500_000 / 43_000)
    assert frame[TRADER].sum() == near(4)


def test_no_event_of_an_account_can_be_rewritten():
    with pytest.raises(TypeError):
        SAFE.events[0].flows[TRADER] = 1_000_000
    with pytest.raises(AttributeError):
        SAFE.events = ()


def test_an_account_survives_a_pickle_and_a_deep_copy():
    SAFE[INVERSE].slack()  # what was worked out and kept must not be in the way
    for twin in (pickle.loads(pickle.dumps(SAFE)), copy.deepcopy(SAFE)):
        assert repr(twin) == repr(SAFE) and twin.events == SAFE.events and twin.at(BTC=44_000).liquidations


def test_a_pool_is_closed_at_its_own_liquidation_price():
    # the closed form can miss zero by a rounding error: the line itself counts as reached
    for quantity in (+25_000, -25_000, +3_333, -17_777):
        account = ME.trade(INVERSE, quantity, 50_000, isolated=5)
        side = account[INVERSE].liquidation()
        price = side.below.price if quantity > 0 else side.above.price
        if price is not None:
            assert account.at(BTC=price).liquidations
            assert not account.at(BTC=price * (1 + 1e-9 if quantity > 0 else 1 - 1e-9)).liquidations


def test_acting_at_the_price_of_something_unknown_is_refused():
    with pytest.raises(ValueError, match="nothing here follows 'BCT': use BTC"):
        SAFE.at(BCT=44_000)
