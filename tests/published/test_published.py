"""Figures that exchanges have published, reproduced through the public API: see cases.json."""

import json
import math
from collections import Counter
from pathlib import Path

import pytest

from marginlab import (
    Account,
    Asset,
    Delivery,
    Funding,
    Future,
    Interest,
    Liquidation,
    Option,
    Perpetual,
    Pool,
    Position,
    Scan,
    Spot,
    Tiers,
    Venue,
    close_all,
    forward,
    funding,
    replace,
    steps,
    venues,
)
from tests.published import rules

DATA = json.loads(Path(__file__).with_name("cases.json").read_text(encoding="utf-8"))
CASES = {case["id"]: case for case in DATA["cases"]}
REPRODUCED = [name for name, case in CASES.items() if case["status"] == "reproduced"]
EXCEPTIONS = [name for name, case in CASES.items() if case["status"] == "exception"]
ANY = 40_000.0  # a price on which no figure depends
WALLETS = ("WB", "isolatedWallet", "margin", "balance", "posMargin", "available")


NOT_YET = ("order margin", "a band", "positions of this balance")  # what the engine does not say


def inputs_of(case):
    return case["inputs"] | case.get("stated", {})


# ------------------------------------------------ from a case's inputs to a pool


def record_of(name):
    """A venue that the package has, or that stands beside these tests."""
    return getattr(rules, name, None) or getattr(venues, name)


def venue_of(case, i):
    """The rules: a record, or stated fields; the closing fee always comes from the case."""
    fields = dict(case.get("rules", {}))
    record = fields.pop("record", None)
    fee = i.get("taker", i.get("fee", 0.0))
    if record is None:
        return Venue(case["venue"], fee=fee, **fields)
    record = record_of(record)
    return replace(record, fee=fee) if record.fee_at != "none" else record


def schedule_of(i):
    """The schedule: rows, a rate that grows with size, a stated margin, or one bracket."""
    if "tiers" in i:
        return Tiers(i["tiers"])
    if "slope" in i:
        return rules.Growing(i["base"], i["slope"], leverage=1 / i["base"])
    if "posMaint" in i:
        return Tiers.flat(i["posMaint"] / (i["q"] * i["EP"]))
    if "mmr" in i:
        return Tiers.bracket(i["mmr"], i.get("cum", i.get("mm_deduction", 0.0)))
    return Tiers.flat(0.0)


def position_of(case, i, index="BTC"):
    """One position, of one coin or one unit of quote currency a contract."""
    inverse, symbol = case["instrument"] == "inverse", i.get("symbol", f"{index}-PERP")
    contract = Perpetual(symbol, index, index if inverse else "USDT", tiers=schedule_of(i))
    quantity = i.get("s", 1) * i.get("N" if inverse else "q", i.get("V", 1.0))
    entries = (i[name] for name in ("EP", "ep", "mark", "index") if name in i)
    return Position(contract, quantity, next(entries, 1.0), i.get("L"))


def pool_of(case, i, wallet=None):
    """The position and its collateral: stated, notional / leverage, or out of a published ratio."""
    first = position_of(case, i)
    positions, marks = [first], {"BTC": i.get("mark", first.entry)}
    if "other" in i:
        positions.append(position_of(case, i["other"], "OTHER"))
        marks["OTHER"] = i["other"]["mark"]
    currency = first.instrument.settle
    pool = Pool(currency, {currency: 0.0}, positions, venue_of(case, i), marks)
    if wallet is None and ("mgnRatio" in i or "ratio" in i):
        wallet = pool.margin_for(ratio=i.get("mgnRatio", 1 / i.get("ratio", 1.0)))
    if wallet is None:
        wallet = sum(i.get(name, 0.0) for name in WALLETS)
        wallet += pool.requirement(BTC=first.entry, kind="initial") if "L" in i else 0.0
    return pool.adding(wallet)


# ---------------------------------------------------------- one reader per kind


def pool_figures(case, i):
    """Margin, PnL, liquidation and bankruptcy: all that can be read off a pool."""
    pool = pool_of(case, i)
    position, mark = pool.positions[0], pool.marks["BTC"]
    contract, value = position.instrument, position.notional(mark)

    def initial():
        return pool.requirement(kind="initial")

    return {
        "liquidation_price": lambda: pool.liquidation("BTC").price,
        "bankruptcy_price": lambda: bankruptcy(case, i, pool),
        "im": initial,
        "imr": initial,
        "im_20x": initial,
        "mm": pool.requirement,
        "mmr_amount": lambda: contract.maintenance(position.quantity, mark),  # without the fee
        "mm_slices": lambda: slices(i["tiers"], value),
        "amount_t7": lambda: contract.tiers.amounts[6],
        "margin_usdc": lambda: pool.requirement(kind=case["kind"].removesuffix("_margin")),
        "unrealized_pnl": lambda: position.pnl(mark),
        "upnl": lambda: position.pnl(mark),
        "margin": pool.collateral[pool.currency],
        "ratio": lambda: 1 / pool.margin_ratio(),
        "isolated_margin": pool.equity,
        "notional_coin": value,
        "position_value": abs(value),
        "sustainable_loss": pool.slack,
    }


def bankruptcy(case, i, pool):
    if "liq" in i:  # the collateral is not published: it is what puts liquidation there
        pool = pool_of(case, i | {"EP": 2 * i["liq"]}, 0.0)
        pool = pool.adding(pool.margin_for(i["liq"]))
    return pool.bankruptcy("BTC", fee=i.get("bust_fee", 0.0)).price


def slices(tiers, notional):
    """Each tier's rate on the slice of the notional inside it, without maintenance amounts."""
    tops = [floor for floor, _ in tiers[1:]] + [math.inf]
    parts = zip(tiers, tops, strict=True)
    return sum(rate * max(0.0, min(notional, top) - floor) for (floor, rate), top in parts)


def amounts(case, i):
    """Maintenance amounts, of a whole schedule or of the row after one whose amount is known."""
    if "tiers" in i:
        return {f"cum_{n}": amount for n, amount in enumerate(Tiers(i["tiers"]).amounts, 1)}
    rows = ((0, 0), (i["cum_prev"] / i["mmr_prev"], i["mmr_prev"]), (i["floor"], i["mmr_n"]))
    return {"cum": Tiers(rows).amounts[-1]}


def roe(case, i):
    """What a trade realised, with the fees of both fills, over the initial margin."""
    position, venue = position_of(case, i), venue_of(case, i)
    contract, how = position.instrument, {"fee": i["fill_fee"]}
    before = Account(venue, USDT=abs(position.notional(i["EP"])))
    account = before.trade(contract, position.quantity, i["EP"], isolated=True, leverage=i["L"], **how)
    initial = account[contract].collateral["USDT"]
    account = account.pay_funding(contract, -i["funding"] / position.notional(i["EP"]))
    account = account.trade(contract, -position.quantity, i["exit"], **how)
    trades = [event for event in account.events if event.kind == "trade"]
    realised = account.balances()["USDT"] - before.balances()["USDT"]
    return {
        "pnl": -sum(event.flows["counterparties"] for event in trades),
        "fee": -sum(event.fees for event in trades),
        "realized_pnl": realised,
        "pnl_ratio": realised / initial,
    }


def insurance(case, i):
    """The fund's gain by a position that is marked at bankruptcy and closed at `fill_q`."""
    contract = Perpetual("BTC-PERP", "BTC", "USDT", tiers=Tiers.flat(0.1))
    side, bank = (1 if i["sell"] else -1), i["bank"]
    process = Liquidation(rules.close_for_a_fee(i["fee"]), close_all)
    venue = Venue(case["venue"], surplus_to="trader", liquidation=process)
    account = Account(venue, USDT=bank)
    account = account.trade(contract, side, bank * (1 + side / 2), isolated=bank / 2)
    after = account.mark(BTC=bank).liquidate(last={"BTC": i["fill_q"]})
    return {"delta": sum(event.flows.get("insurance fund", 0.0) for event in after.events)}


def partial_size(case, i):
    """How much of 10 contracts is closed for a shortage in USD; `qpx` is their currency's price."""
    process = Liquidation(rules.close_enough(0.0, i["iffee"], i["liqfee"]), close_all)
    venue = replace(lending(case, USDT=Asset()), account_mode="multi-currency", liquidation=process)
    contract = Perpetual("BTC-PERP", "BTC", "USDT", tiers=Tiers.flat(i["mr"]))
    count, px, qpx = 10.0, i["px"], i["qpx"]
    wallet = count * px * (1 + i["mr"]) - i["shortage"] / qpx  # it was bought at twice the price
    account = Account(venue, USDT=wallet).mark(BTC=2 * px, USDT=qpx)
    account = account.trade(contract, count, 2 * px).mark(BTC=px)
    (event,) = account.liquidate().events[len(account.events) :]
    return {"base": -event.quantity}


# --------------------------------------- margin that is free, moved, or added by the venue


def free_funds(case, i):
    """What is free for a trade, and what may leave: here a position of such PnL and margin."""
    mark = ANY
    contract = Perpetual("BTC-PERP", "BTC", "USDC", tiers=Tiers.flat(0.0))
    position = Position(contract, 1, mark - i["upnl"], mark / i["im"])
    held = {"USDC": i["collateral"] - i["upnl"]}
    pool = Account.of(venue_of(case, i), held, [position], {"BTC": mark}).cross
    return {"free": pool.available(), "withdrawable": pool.withdrawable()}


def removable(case, i):
    """What an isolated position can spare of its margin."""
    position = position_of(case, i | {"L": 1 / i["imr"]})
    account = Account.of(venue_of(case, i), {}, [(position, i["wallet"])], {"BTC": i["mark"]})
    return {"removable": max(0.0, account[position.instrument].withdrawable())}


def margin_added(case, i):
    """Liquidation after margin was moved to a position; and after it grew, if it did.

    Its own margin is not published: it is what puts liquidation where it was before.
    """
    bare = pool_of(case, i, 0.0)
    (position,), wallet = bare.positions, bare.margin_for(i["P_old"])
    position = replace(position, leverage=abs(position.notional(position.entry)) / wallet)
    contract = position.instrument
    rich = {"USDT": i["added"] + abs(position.notional(position.entry))}
    account = Account.of(bare.venue, rich, [(position, wallet)])
    account = account.transfer(i["added"], "USDT", to=contract)
    if "more" in i:
        account = account.trade(contract, i["more"], i["EP"])
    return {"liquidation_price": account[contract].liquidation().price}


def topped_up(case, i):
    """What a venue adds by itself: up to the initial rate at the mark, or one maintenance margin."""
    if "available" not in i:
        opened = pool_of(case, i)  # its margin holds a fee, that up to which it is filled does not
        return {"added": -replace(opened, venue=replace(opened.venue, fee_at="none")).available()}
    contract = Perpetual("BTC-PERP", "BTC", "USDT", i["size"], Tiers.flat(i["mmr"]))
    position = Position(contract, i.get("s", 1) * i["contracts"], i["EP"])
    account = Account.of(venue_of(case, i), {"USDT": i["available"]}, [(position, 0.0)])
    added = min(account[contract].requirement(), account.cross.withdrawable())
    after = account.transfer(added, "USDT", to=contract)
    return {"added": after[contract].equity(), "left": after.cross.withdrawable()}


def losses(case, i):
    """What a fall costs a position in isolated margin, which it ends, and in cross, which it does not."""
    contract = Perpetual("ONE-PERP", "ONE", "XBT", tiers=Tiers.flat(i["mmr"]), quanto=True)
    before = Account(venue_of(case, i), XBT=i["balance"]).mark(XBT=1)  # no figure depends on it
    count = i.get("s", 1) * i["size_xbt"] / i["EP"]
    walled = before.trade(contract, count, i["EP"], isolated=i["margin"])
    shared = before.trade(contract, count, i["EP"]).at(ONE=i["mark"])
    assert not shared.liquidations
    return {
        "left": walled.cross.collateral["XBT"],
        "liquidation_price": walled[contract].liquidation("ONE").price,
        "isolated_loss": i["balance"] - walled.at(ONE=i["mark"]).balances()["XBT"],
        "cross_loss": i["balance"] - shared.cross.equity(),
    }


def auto_borrow(case, i):
    """What is owed after a fee in a currency of which there was so much; interest is due on that."""
    assets = {"BTC": Asset(), "USDT": Asset(loan=Tiers.flat(0.03), rate=1.0)}
    venue = Venue(case["venue"], account_mode="multi-currency", assets=assets, interest=Interest(per=1))
    account = Account(venue, BTC=1, USDT=i["balance"]).mark(BTC=ANY)
    contract = Perpetual("BTC-PERP", "BTC", "USDT", tiers=Tiers.flat(0.005))
    account = account.trade(contract, 1, ANY, fee=i["fee"] / ANY)
    after = account.accrue(1)  # at 100 % an hour the interest is the debt
    borrowed = account.balances()["USDT"] - after.balances()["USDT"]
    return {"borrowed": borrowed, "balance": account.balances()["USDT"]}


# ------------------------------------------------- coins held and owed: spot margin


def lending(case, **assets):
    """The rules of a case, with these currencies for those of its record, if it names one."""
    record = record_of(case["rules"]["record"]) if "rules" in case else Venue(case["venue"])
    return replace(record, assets=assets)


def counted_as(about):
    """How a coin counts: by a haircut, by rows of (floor, share that counts), or by two buffers."""
    if "tiers" in about:
        return Asset(haircut=Tiers([(floor, 1 - share) for floor, share in about["tiers"]]))
    haircut = about.get("haircut", about.get("bid_buffer", 0.0))
    return Asset(haircut=haircut, debt_weight=1 + about.get("ask_buffer", 0.0))


def collateral_values(case, i):
    """What coins count for, each and together; and one of the first, held or owed."""
    coins = i["coins"]
    venue = lending(case, **{coin: counted_as(about) for coin, about in coins.items()})
    venue = replace(venue, account_mode="multi-currency")
    account = Account.of(venue, {coin: about["eq"] for coin, about in coins.items()})
    account = account.mark(**{coin: about["index"] for coin, about in coins.items()})

    def counts(held):
        return replace(account.cross, collateral=held).equity()

    first = next(iter(coins))
    found = {coin.lower(): counts({coin: about["eq"]}) for coin, about in coins.items()}
    found |= {"total": account.cross.equity(), "bid": counts({first: 1}), "ask": -counts({first: -1})}
    return found


def collateral_value(case, i):
    """What a coin counts for in a multi-currency pool."""
    if "coins" in i:
        return collateral_values(case, i)
    coin = i["currency"]
    venue = lending(case, **{coin: Asset(haircut=1 - i["discount"])})
    pool = Pool("USD", {coin: i["eq"]}, (), venue, {coin: i["eq_usd"] / i["eq"]})
    return {"discounted_equity_usd": pool.equity()}


def maintenance_of_loans(case, i):
    """Maintenance margin of each debt, in coins."""
    loan = Tiers.flat(i["mmr"])
    venue = lending(case, BTC=Asset(loan=loan), ETH=Asset(loan=loan))

    def maintenance(coin):
        owing = Pool("USD", {coin: -i[f"{coin.lower()}_loan"]}, (), venue, {coin: ANY})
        return owing.requirement() / ANY

    return {"btc": maintenance("BTC"), "eth": maintenance("ETH")}


def opening(case, i):
    """A purchase with borrowed money, its margin in the coin that is bought."""
    venue, size = lending(case, USDT=Asset(loan=Tiers.flat(0.03))), i["size"]
    before = Account(venue, BTC=size)
    how = {"isolated": True, "leverage": i["L"], "borrow": "USDT"}
    after = before.trade(Spot("BTC/USDT"), size, i["px"], **how)
    held = after["BTC/USDT"].collateral
    return {
        "margin_btc": before.cross.equity() - after.cross_in("BTC").equity(),
        "position_asset_btc": held["BTC"],
        "liability_usdt": -held["USDT"],
    }


def borrow_interest(case, i):
    """What the lender gets for a debt: at once, and for every period that was started."""
    venue = lending(case, USDT=Asset(loan=Tiers.flat(0.03), rate=i["r"]))
    after = Account(venue, BTC=1).trade(Spot("BTC/USDT"), 1, i["B"], borrow="USDT").accrue(i["h"])
    return {"interest": sum(e.flows["lender"] for e in after.events if e.kind == "interest")}


# ----------------------------------------------------------------------- funding


def holding(case, i, rule, marks):
    """(account, its position): the case's alone, with its own notional behind it."""
    position = position_of(case, i | {"EP": marks["BTC"]})
    contract, venue = position.instrument, replace(venue_of(case, i), funding=rule)
    account = Account(venue, **{contract.settle: abs(position.notional(position.entry))})
    account = account.trade(contract, position.quantity, position.entry)
    return account.mark(**marks), position


def paid(before, after):
    """What an account's only pool has paid, in its currency; the ledger has to say the same."""
    events, currency = after.events[len(before.events) :], before.cross.currency
    assert {event.kind for event in events} == {"funding"}
    amount = before.cross.collateral[currency] - after.cross.collateral[currency]
    assert sum(event.flows["counterparties"] for event in events) == pytest.approx(amount, rel=1e-9)
    return amount


def funding_payment(case, i):
    """Payments at rates that are given; or at the interest of a premium within the damper."""
    rule = venue_of(case, i).funding
    if "rates" in i:
        account, position = holding(case, i, rule, {"BTC": i["marks"][0]})
        *_, last = steps(account, {position.instrument: i["rates"]}, {"BTC": i["marks"]})
        return {"short_receives": -paid(account, last)}
    rule = replace(rule, interest=(i["quote"] - i["base"]) / 3)  # of a day
    rate = rule.rate(rule.interest - rule.damper / 2)
    account, position = holding(case, i, rule, {"BTC": i["px"]})
    payment = paid(account, account.pay_funding(position.instrument, rate))
    return {"entry_value_xbt": position.notional(i["px"]), "rate": rate, "payment_xbt": payment}


def funding_rate(case, i, **changes):
    """The premium and the rate for it; where a rate was printed, what it makes a position pay."""
    rule = replace(venue_of(case, i).funding, **changes)
    premium = funding.premium(i["index"], i["perp"])
    if "printed_rate" not in i:
        bounded = replace(rule, cap=i["cap"], floor=None)
        return {"raw": replace(rule, cap=math.inf).rate(premium), "rate": bounded.rate(premium)}
    account, position = holding(case, i, rule, {"BTC": i["index"], "BTC-PERP": i["perp"]})
    coins = paid(account, account.pay_funding(position.instrument, i["printed_rate"]))
    return {"premium": premium, "usd": coins * i["index"], "btc": coins}


def option_payoff(case, i):
    """Of one put that is held, or was sold, from its premium to its expiry."""
    side = -1 if "short" in case["id"] else 1
    put = Option("PUT", "BTC", "BTC", kind="put", strike=i["K"], expiry=1)
    venue = replace(venues.DERIBIT, delivery=Delivery(30))  # the page leaves the fee out
    account = Account(venue, BTC=10).mark(BTC=i["K"], **{"BTC vol": 0.6})
    bought = account.trade(put, side, i["premium"])
    profit = bought.mark(BTC=i["S"]).expire(put, i["S"]).balances()["BTC"] - 10
    return {"payoff_btc": side * profit + i["premium"], "profit_btc": profit}


def option_trade(case, i):
    """What one option costs, with a fee that is a share of the index, at most of its price."""
    size, fee = i.get("n", i.get("q")), i.get("taker", 0.0)
    call = Option("C", "BTC", "USDT", i.get("mult", 1.0), kind="call", strike=ANY, expiry=9)
    venue = replace(venues.BYBIT_UTA, options=replace(venues.BYBIT_OPTIONS, fee_cap=i.get("cap", 0.125)))
    account = Account(venue, USDT=1e6).mark(**{"BTC": i.get("index", ANY), "BTC vol": 0.6})
    after = account.trade(call, size, i["px"], fee=fee)
    paid, charged = 1e6 - after.balances()["USDT"], after.events[-1].fees
    return {"premium": paid - charged, "fee": charged, "cost": paid}


def option_margin(case, i):
    """The initial margin of a short call on a coin, with its mark in it."""
    rule = replace(venues.OKX_OPTIONS, factor=i["factor"])
    call = Option("C", "BTC", "BTC", i["mult"], kind="call", strike=i["F"] + i["otm"], expiry=9)
    position = Position(call, -1, i["mark"])
    pool = Pool("BTC", {"BTC": 1}, [position], replace(venues.OKX, options=rule), {"BTC": i["F"], "C": i["mark"]})
    return {"position_margin": pool.requirement(kind="initial")}


def scan_of(scan, *book, **marks):
    """A pool whose positions are scanned by this rule."""
    venue = replace(venues.TEACHING_PORTFOLIO, scan=scan)
    return Pool("USD", {"USD": 1e9}, [Position(*one) for one in book], venue, marks)


def portfolio(case, i):
    """What the scan of a book says: of its scenarios, of its hedged size, of its net delta."""
    perp = Perpetual("P", "BTC", "USD", tiers=Tiers.flat(0.005))
    still = Scan(((0.0, 0.0, 1.0),))
    if case["venue"] == "dederi":
        price = forward(i["I"], i["b"], i["days"])
        dated = Future("F", "ETH", "USD", tiers=Tiers.flat(0.005), expiry=i["days"])
        pool = scan_of(still, (dated, i["q"], price), ETH=i["I"], F=price)
        pnl = [pool.equity(ETH=i["I"] * (1 + shock)) - pool.equity() for shock in i["shocks"]]
        return {"F": price, "pnl": pnl}
    if case["venue"] == "deribit":
        dated = Future("F", "BTC", "BTC", ANY, tiers=Tiers.flat(0.005), expiry=90)
        long = Perpetual("L", "BTC", "BTC", ANY, tiers=Tiers.flat(0.005))
        rule = replace(venues.DERIBIT_GRID_OLD, offset=i["rate"])
        pool = scan_of(rule, (long, i["long"], ANY), (dated, -i["short"], ANY), BTC=ANY)
        return {"contingency": pool.requirement() / ANY}
    if case["venue"] == "okx":
        lone = Scan(((-0.1, 0.0, 1.0),), initial=i.get("factor", 1.3))
        pool = scan_of(lone, (perp, i["mmr_pm"] / (0.1 * ANY), ANY), BTC=ANY)
        return {"imr_pm": pool.requirement(kind="initial") if pool.requirement() else None}
    book = [(replace(perp, symbol=f"P{n}"), delta, i["S"]) for n, delta in enumerate(i["deltas"])]
    net, hedged, floor = (
        scan_of(replace(still, net=n, hedged=h), *book, BTC=i["S"]).requirement() / unit
        for n, h, unit in ((1, 0, i["S"]), (0, 1, i["S"]), (0.02, 0.01, 1))
    )
    pool = scan_of(still, *book, BTC=i["S"])
    slope = pool.equity(BTC=i["S"] + 1) - pool.equity()
    return {"net": math.copysign(net, slope), "gross": net + 2 * hedged, "hedged": hedged, "floor": floor}


READERS = {
    "option_payoff": option_payoff,
    "premium_and_fee": option_trade,
    "portfolio_margin": portfolio,
    "liquidation_price": pool_figures,
    "bankruptcy_price": pool_figures,
    "collateral": pool_figures,
    "initial_margin": pool_figures,
    "maintenance_margin": pool_figures,
    "max_loss": pool_figures,
    "margin_ratio": pool_figures,
    "available_funds": free_funds,
    "margin_transfer_limit": removable,
    "margin_added": margin_added,
    "auto_margin_addition": topped_up,
    "loss_by_mode": losses,
    "auto_borrow": auto_borrow,
    "maintenance_amount": amounts,
    "roe": roe,
    "insurance_fund_delta": insurance,
    "partial_liquidation_size": partial_size,
    "funding_payment": funding_payment,
    "funding_rate": funding_rate,
}
SPOT_READERS = {
    "collateral_value": collateral_value,
    "maintenance_margin": maintenance_of_loans,
    "initial_margin": opening,
    "borrow_interest": borrow_interest,
}


def answers(case, i):
    """The engine's figures for what the case expects, as the venue would display them."""
    if case["kind"] == "initial_margin" and case["instrument"] == "option":
        return option_margin(case, i)
    readers = SPOT_READERS if case["instrument"].startswith("spot") else READERS
    read = readers[case["kind"]](case, i)
    ways = case.get("display", {})
    figures = {key: read[key]() if callable(read[key]) else read[key] for key in case["expected"]}
    return {key: shown(value, i.get("tick"), ways.get(key)) for key, value in figures.items()}


def shown(value, tick, way):
    if way is None:
        return value
    to = {"up": math.ceil, "down": math.floor, "nearest": round}[way]
    return to(round(value / tick, 6)) * tick


def agrees(case, found):
    """Whether all figures are within the case's tolerance."""
    within = {"rel": 0.0, "abs": 0.0, case["tolerance"]["kind"]: case["tolerance"]["value"]}
    wanted = case["expected"].items()
    return all(found[key] == pytest.approx(want, **within) for key, want in wanted)


# ------------------------------------------------------------------------- tests


def test_every_case_has_a_status_and_they_are_counted():
    assert len(CASES) == len(DATA["cases"]) == sum(DATA["counts"].values())
    assert Counter(case["status"] for case in CASES.values()) == DATA["counts"]
    for name, case in CASES.items():
        assert all(case[key] for key in ("source", "inputs", "expected", "tolerance")), name
        assert ("reason" in case) == (case["status"] != "reproduced"), name
        assert ("check" in case) == (case["status"] == "exception"), name
        assert ("issue" in case) == (case["status"] == "later"), name
        waits = any(word in case.get("reason", "") for word in NOT_YET)
        assert case.get("issue", 1) is not None or waits, name


@pytest.mark.parametrize("name", REPRODUCED)
def test_reproduced(name):
    case = CASES[name]
    found = answers(case, inputs_of(case))
    assert agrees(case, found), f"{found} is not {case['expected']} within {case['tolerance']}"


def changed(i, factor=1.01):
    """(name, inputs with that one changed): every number by a factor (0: to factor - 1), every side
    flipped."""
    i = {"s": 1} | i if "EP" in i or "q" in i else i
    for name, value in i.items():
        if isinstance(value, dict):
            for inner, new in changed(value, factor):
                yield f"{name}.{inner}", i | {name: new}
        elif name == "tiers":
            rates = [[floor, min(rate * factor, 0.99)] for floor, rate in value]
            yield "tiers.rates", i | {name: rates}
            yield "tiers.floors", i | {name: [[floor * factor, rate] for floor, rate in value]}
        elif name == "s":
            yield name, i | {name: -value}
        elif isinstance(value, list):
            for n, one in enumerate(value):
                yield f"{name}.{n}", i | {name: [*value[:n], one * factor, *value[n + 1 :]]}
        elif isinstance(value, bool):
            yield name, i | {name: not value}
        elif isinstance(value, (int, float)):
            yield name, i | {name: value * factor if value else factor - 1}


def survives(case, i):
    """Whether the case still agrees, an input that the engine refuses being a disagreement."""
    try:
        return agrees(case, answers(case, i))
    except ValueError:
        return False


@pytest.mark.parametrize("name", REPRODUCED)
def test_no_case_passes_whatever_its_inputs_are(name):
    """Each input changed by 1 % makes the case fail, but for those that it lists, with a reason."""
    case = CASES[name]
    i, steps = inputs_of(case), case.get("steps", {})
    idle, coarse = case.get("idle", []), case.get("coarse", [])
    unmoved = [key for key, new in changed(i) if survives(case, new)]
    assert sorted(unmoved) == sorted([*idle, *coarse, *steps])
    more = {key for key, new in changed(i, 1.1) if survives(case, new)}
    assert more - set(steps) == set(idle)
    for key, step in steps.items():
        assert not survives(case, i | {key: i[key] + step})
        assert not survives(case, i | {key: i[key] - step})


@pytest.mark.parametrize("name", REPRODUCED + EXCEPTIONS)
def test_the_records_carry_the_fee_of_the_case(name):
    case, i = CASES[name], inputs_of(CASES[name])
    if case["kind"] == "roe" or case["instrument"] == "spot-margin":
        return  # there a fee is an amount, or there is none
    if "record" in case.get("rules", {}):
        record = record_of(case["rules"]["record"])
        assert record.fee_at == "none" or record.fee == i.get("taker", i.get("fee"))


@pytest.mark.parametrize("name", [name for name in REPRODUCED if "slope" in CASES[name]["inputs"]])
def test_the_record_with_growing_schedules_gives_the_published_margins(name):
    case, i = CASES[name], inputs_of(CASES[name])
    contract = Perpetual(i["symbol"], "BTC", "USDC")
    pool = Pool("USDC", {"USDC": 0.0}, [Position(contract, i["q"], i["index"])], rules.DERIBIT)
    margin = pool.requirement(kind=case["kind"].removesuffix("_margin"))
    assert agrees(case, {"margin_usdc": margin})


def test_the_shipped_schedules_carry_the_published_amounts():
    published = CASES["binance-btcusdt-cum-2026-09"]
    assert list(venues.BTCUSDT_2026_09.amounts) == list(published["expected"].values())
    assert [list(row[:2]) for row in venues.BTCUSDT_2026_09.rows] == published["inputs"]["tiers"]
    coin = CASES["binance-coinm-cum-l5"]
    last = (coin["inputs"]["cum_prev"], coin["expected"]["cum"])
    assert venues.BTCUSD_COIN_2020_06.amounts[3:] == last


def test_the_shipped_records_carry_the_haircuts_rates_and_interest_of_the_cases():
    haircuts = [case for case in CASES.values() if case.get("rules") == {"record": "OKX_MULTI"}]
    assert len(haircuts) == 3
    for i in map(inputs_of, haircuts):
        coin = i["currency"]
        pool = Pool("USD", {coin: i["eq"]}, (), venues.OKX_MULTI, {coin: i["eq_usd"] / i["eq"]})
        assert pool.equity() == pytest.approx(i["eq_usd"] * i["discount"], rel=1e-9), coin
    i = CASES["binance-pm-marginmm"]["inputs"]
    pool = Pool("USD", {"BTC": -i["btc_loan"]}, (), venues.BINANCE_PORTFOLIO, {"BTC": ANY})
    assert pool.requirement() == pytest.approx(i["mmr"] * i["btc_loan"] * ANY, rel=1e-9)
    kraken = venues.KRAKEN_SPOT.interest
    for name, rule in (("ft-borrow-binance-2", Interest()), ("ft-borrow-kraken-4", kraken)):
        i = CASES[name]["inputs"]
        charged = rule.at_once(i["B"], i["r"]) + rule.due(i["B"], i["r"], i["h"])
        assert agrees(CASES[name], {"interest": charged}), name


# ------------------------------------------------- what the notes of cases say beside them


def test_margin_moves_the_line_further_where_maintenance_falls_with_the_price():
    case = CASES["bybit-add-margin"]
    price = margin_added(case | {"rules": {}}, inputs_of(case))["liquidation_price"]
    assert price == pytest.approx(9_500 - 1_000 / (1 - 0.005)) and round(price, 2) == 8_494.97
    shared = CASES["bybit-add-margin-shared"]
    assert not agrees(shared, margin_added(shared | {"rules": {}}, inputs_of(shared)))


def test_mexc_prints_the_price_after_all_that_was_there_for_that_after_36():
    case, added = CASES["mexc-auto-2023-all-added"], CASES["mexc-auto-2023-add"]["expected"]["added"]
    price = margin_added(case, inputs_of(case) | {"added": added})["liquidation_price"]
    assert round(price, 2) == 16_216.94 and not agrees(case, {"liquidation_price": math.floor(price)})
    free = margin_added(case, inputs_of(case) | {"fee": 0.0})["liquidation_price"]  # 6 cents
    assert agrees(case, {"liquidation_price": math.floor(free)})


def test_an_inverse_contract_loses_more_than_bitmex_counts():
    i = inputs_of(CASES["bitmex-iso-vs-cross"])
    contract = Perpetual("ONE-PERP", "ONE", "ONE", tiers=Tiers.flat(i["mmr"]))
    before = Account(venues.BITMEX, ONE=i["balance"]).mark(ONE=i["EP"])
    walled = before.trade(contract, i["size_xbt"] * i["EP"], i["EP"], isolated=i["margin"])
    shared = before.trade(contract, i["size_xbt"] * i["EP"], i["EP"]).at(ONE=i["mark"])
    assert walled[contract].liquidation().price == pytest.approx(10_000 / 103)  # 97.09
    assert i["balance"] - walled.at(ONE=i["mark"]).balances()["ONE"] == pytest.approx(i["margin"])
    assert i["balance"] - shared.cross.equity() == pytest.approx(10_000 / 94 - 100)  # 6.383


def test_kucoin_holds_the_closing_fee_beside_what_can_be_lost():
    case = CASES["kucoin-iso-api-short-added"]
    i, initial, added = inputs_of(case), 7.658, 1.00016084  # as in the same answer of its API
    with_fee, without = bankruptcy(case, i, pool_of(case, i)), pool_of(case, i, initial + added)
    assert with_fee == pytest.approx(without.bankruptcy().price, rel=1e-6)
    closing = i["bust_fee"] * i["q"] * with_fee
    assert initial + added + closing == pytest.approx(i["posMargin"], abs=5e-7)


# --------------------------------------------------------- funding, beside its cases


def test_the_shipped_funding_rules_are_those_of_the_cases():
    kraken, cap = venues.KRAKEN_FUNDING, CASES["kraken-funding-cap"]["inputs"]["cap"]
    assert kraken.cap == -kraken.lowest == cap
    for name, rule in (("BITMEX", venues.XBTUSD_FUNDING), ("KRAKEN", venues.KRAKEN_FUNDING)):
        assert getattr(venues, name).funding is rule


def test_bitmex_pays_its_interest_only_within_the_damper():
    case = CASES["bitmex-guide-funding"]
    i, want = inputs_of(case), case["expected"]
    rule = replace(venues.XBTUSD_FUNDING, interest=want["rate"])
    for off, more in ((0.0004, 0.0), (-0.0004, 0.0), (0.0006, 0.0001), (-0.0006, -0.0001)):
        assert rule.rate(want["rate"] + off) == pytest.approx(want["rate"] + more, rel=1e-9)
    for side in (1, -1):
        account, position = holding(case, i | {"N": side * i["N"]}, rule, {"BTC": i["px"]})
        coins = paid(account, account.pay_funding(position.instrument, want["rate"]))
        assert coins == pytest.approx(side * want["payment_xbt"])


def test_a_sum_of_payments_is_the_same_at_once_and_one_by_one():
    case = CASES["ft-funding-1"]
    i = inputs_of(case)
    account, position = holding(case, i, Funding(), {"BTC": i["marks"][0]})
    at_once = funding.total(position, i["rates"], i["marks"])
    assert agrees(case, {"short_receives": -at_once})
    one_by_one = funding.payments(position, i["rates"], i["marks"])
    assert one_by_one.sum() == pytest.approx(at_once, rel=1e-12)
    after = account
    for mark, rate in zip(i["marks"], i["rates"], strict=True):
        after = after.mark(BTC=mark).pay_funding(position.instrument, rate)
    assert agrees(case, {"short_receives": -paid(account, after)})


def test_who_opens_15_seconds_late_misses_a_payment():
    case, late = CASES["ft-funding-1"], 15 / 3_600
    i, rule = inputs_of(case), Funding()
    assert [rule.periods(start, 8) for start in (-late, late)] == [2, 1]
    assert list(rule.times(-late, 8)) == [0, 8] and list(rule.times(late, 8)) == [8]
    position = position_of(case, i)
    for start in (-late, late):
        met = [n for n, hour in enumerate((0, 8)) if hour in rule.times(start, 8)]
        rates, marks = ([i[name][n] for n in met] for name in ("rates", "marks"))
        received = -funding.total(position, rates, marks)
        assert agrees(case, {"short_receives": received}) == (start < 0)
    assert received == pytest.approx(-0.0002493, rel=1e-9)


def test_kraken_prints_an_eighth_of_the_premium_for_its_24th():
    case = CASES["kraken-funding-1"]
    i, rel = inputs_of(case), case["tolerance"]["value"]
    rule, premium = venues.KRAKEN_FUNDING, funding.premium(i["index"], i["perp"])
    assert replace(rule, per=8).rate(premium) == pytest.approx(i["printed_rate"], rel=rel)
    assert rule.rate(premium) == pytest.approx(0.0000595, rel=rel)
    assert rule.rate(premium) * rule.periods(0.5, 24.5) == pytest.approx(premium)
    own = funding_rate(case, i | {"printed_rate": rule.rate(premium)})
    assert own["usd"] == pytest.approx(5.95, rel=rel) and not agrees(case, own)


def test_kraken_pays_on_the_notional_at_the_index():
    case = CASES["kraken-funding-1"]
    i = inputs_of(case)
    index, mark = (funding_rate(case, i, valued_at=name) for name in ("index", "mark"))
    assert index["btc"] / mark["btc"] == pytest.approx(i["perp"] / i["index"], rel=1e-9)
    assert agrees(case, index) and not agrees(case, index | {"btc": mark["btc"]})


# ------------------------------------------- exceptions: different, and exactly so


def one_tick(case, i):
    """Closed form plus one tick; on all other digits the same."""
    plain = pool_figures(case, i)["liquidation_price"]()
    assert not agrees(case, {"liquidation_price": plain})
    assert agrees(case, {"liquidation_price": plain + i["tick"]})


def pro_rata(case, i):
    """The general formulation, on a pool with the position's share of the whole; not on all."""
    legs = [dict(leg, EP=leg["mark"], taker=i["taker"]) for leg in i["legs"]]
    positions = [position_of(case, leg, leg["sym"]) for leg in legs]
    whole = Pool("USDT", {"USDT": i["total"]}, positions, venue_of(case, i))
    notionals = [abs(p.notional(p.entry)) for p in positions]
    ratio = round(i["total"] / sum(notionals), i["amr_round"])
    share = replace(whole, positions=positions[1:], collateral={"USDT": ratio * notionals[1]})
    assert agrees(case, {"amr": ratio, "liq_ETH": share.liquidation("ETH").above.price})
    btc, eth = legs
    free = i["total"] - notionals[0] * (btc["mmr"] + i["taker"])  # what BTC leaves for ETH
    others_frozen = (eth["mark"] + free) / (1 + eth["mmr"] + i["taker"])
    assert whole.liquidation("ETH").above.price == pytest.approx(others_frozen, rel=1e-12)
    assert not agrees(case, {"amr": ratio, "liq_ETH": others_frozen})


def satoshis(case, i):
    """The general formulation on prices in whole satoshis for each contract; not without."""
    assert satoshi_figures(case, i, lambda price: price) != case["expected"]

    def against_short(price):  # a short sold for less, and bought back for more
        return 1e8 / round(1e8 / price)

    assert satoshi_figures(case, i, against_short) == case["expected"]


def satoshi_figures(case, i, rounded):
    """The case's figures in satoshis, with `rounded` applied to every price that goes in."""
    position = position_of(case, i | {"EP": rounded(i["EP"])})
    pool = Pool("BTC", {"BTC": 0.0}, [position], venue_of(case, i))
    if "mark" in i:
        margin = Pool("BTC", {"BTC": i["posMargin"] / 1e8}, [position], venue_of(case, i))
        mark = rounded(i["mark"])
        return {
            "markValue": round(-position.notional(mark) * 1e8),
            "unrealised_pnl": round(position.pnl(mark) * 1e8),
            "margin_incl_upnl": round(margin.equity(BTC=mark) * 1e8),
        }
    initial, fee = pool.requirement(kind="initial"), i["posComm"] / 1e8  # held and required alike
    pool = pool.adding(initial)
    liquidation, bust = pool.liquidation().price, pool.bankruptcy().price
    if rounded(i["EP"]) != i["EP"]:
        liquidation, bust = (1e8 / math.ceil(1e8 / price) for price in (liquidation, bust))
    return {
        "posCost": round(-position.notional(position.entry) * 1e8),
        "posInit": round(initial * 1e8),
        "posMargin": round((initial + fee) * 1e8),
        "posMaint": round((pool.requirement() + fee) * 1e8),
        "liquidation_price": shown(liquidation, i["tick"], "down"),
        "bankruptcy_price": shown(bust, i["tick"], "down"),
    }


CHECKS = {"one tick": one_tick, "pro rata": pro_rata, "satoshis": satoshis}


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions_differ_exactly_as_their_reason_says(name):
    CHECKS[CASES[name]["check"]](CASES[name], inputs_of(CASES[name]))
