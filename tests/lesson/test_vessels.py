"""The pool as a vessel: what is drawn equals what the pool says, and so does what is written."""

import re
import subprocess
import sys
from itertools import combinations
from math import inf, nan

import matplotlib as mpl
import pytest
from matplotlib import pyplot

from marginlab import Account, Perpetual, Spot, replace, venues
from marginlab.lesson import Vessel, Vessels, figures, reading, vessels
from marginlab.lesson.figures import STYLES
from marginlab.lesson.sheet import Beside
from tests.lesson.shown import numbers as figures_in
from tests.lesson.shown import same
from tests.lesson.test_figures import PAGES, contrast
from tests.refusal import refused

PERP = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
SPOT = Spot("BTC/USDT")
FREE = Account(venues.TEACHING, BTC=10).mark(BTC=50_000)
WALLED = FREE.trade(PERP, 25_000, 50_000, isolated=5)
SHARED = FREE.trade(PERP, 25_000, 50_000)
TWO = Account(venues.TEACHING, BTC=2).mark(BTC=50_000)
LEGS = TWO.trade(SPOT, 5, 50_000, borrow="USDT", isolated=1).trade(PERP, -2_500, 50_000, isolated=1)
PAIR = TWO.trade(SPOT, 5, 50_000, borrow="USDT").trade(PERP, -2_500, 50_000)
MIXED = Account(venues.TEACHING, BTC=10, USDT=100_000).mark(BTC=50_000)
MIXED = MIXED.trade(PERP, 25_000, 50_000, isolated=5).trade(LINEAR, 2, 50_000)
BOOKS = {"walled": WALLED, "shared": SHARED, "legs": LEGS, "pair": PAIR, "mixed": MIXED}
FALLS = {"BTC": [50_000, 47_500, 44_000]}


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    pyplot.close("all")


def drawn(axes, kind):
    """(x of the middle, from, to) of every shape of a kind, without those beside the table."""
    shapes = [a for a in axes.patches + axes.artists if a.get_label() == f"_{kind}"]
    boxes = [a.get_xy() for a in shapes if a.get_transform().contains_branch(axes.transData)]
    return [(b[:, 0].mean() if kind == "line" else b[:4, 0].mean(), b[:, 1].min(), b[:, 1].max()) for b in boxes]


def texts(axes):
    return [t.get_text() for t in axes.texts if t.get_text()]


def table(axes, count):
    """The columns of the table, below the heads."""
    cells = [t for t in axes.texts if t.get_ha() == "center" and t.get_va() == "center" and t.get_text() != "×"]
    rows = [
        [t.get_text() for t in cells if t.get_position()[0] == x] for x in sorted({t.get_position()[0] for t in cells})
    ]
    assert len(rows) == count and all(len(row) == 4 for row in rows)
    return rows


def near(value):
    return pytest.approx(value, rel=1e-12, abs=1e-12)


# ------------------------------------------------------------------ levels


@pytest.mark.parametrize("price", [50_000.0, 48_000.0, 51_000.0])
@pytest.mark.parametrize("book", ["walled", "shared"])
def test_levels_are_equity_hatches_pnl_and_dashes_the_requirement(book, price):
    account = BOOKS[book]
    axes = account.plot({"BTC": price})
    pools = [p for p in account.mark(BTC=price).pools if p.open]
    pnl = 2_500_000 * (1 / 50_000 - 1 / price)
    held = 5 if book == "walled" else 10
    x, low, high = drawn(axes, "line")[0]
    assert low == high == near(pools[0].requirement()) and len(drawn(axes, "line")) == 1
    level = next(one for one in drawn(axes, "level") if one[0] == pytest.approx(x))
    assert level[1] == 0 and level[2] == near(min(held, held + pnl))
    loss, gain = drawn(axes, "loss"), drawn(axes, "gain")
    if price == 50_000:
        assert not loss and not gain
    elif price < 50_000:  # from where the level was down to where it is
        assert loss == [(pytest.approx(x), near(pools[0].equity()), held)] and not gain
        assert loss[0][2] - loss[0][1] == pytest.approx(-pnl)
    else:  # on top of where it was
        assert gain == [(pytest.approx(x), held, near(pools[0].equity()))] and not loss
        assert gain[0][2] - gain[0][1] == pytest.approx(pnl)


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("price", [50_000.0, 47_000.0, 43_000.0, 60_000.0, 66_000.0])
def test_what_is_written_is_what_the_pools_say(book, price):
    account = BOOKS[book]
    after = account.at(BTC=price)
    usd = book == "mixed"
    pools = {p.name: p for p in after.pools}
    ends = {e.pool: e for e in after.liquidations}
    axes = vessels(account, {"BTC": price})
    lines = reading(account, {"BTC": price}).splitlines()
    assert all(line.startswith(f"BTC at {price:,.0f}, ") and line.endswith(".") for line in lines)
    names = [re.match(r"BTC at [\d,]+, ([^:]+):", line)[1] for line in lines]
    shown = [n for n in pools if pools[n].open or pools[n].equity()]
    assert sorted(names) == sorted({*shown, *ends})
    assert len(table(axes, len(names))) == len(names)
    for name, line, cells in zip(names, lines, table(axes, len(names)), strict=True):
        said = figures_in(line.split(": ", 1)[1])
        if name in ends:
            assert cells[3] == "closed" and "closed" in line and line in ax_note(axes)
            continue
        pool = pools[name]
        rate = pool.quote(pool.currency, pool.marks) if usd else 1.0
        before = next(p for p in account.pools if p.name == name)
        held = pool.balances({**before.marks, "BTC": 50_000}) * rate  # no haircuts here
        equity, needs = pool.equity() * rate, pool.requirement() * rate
        moved = abs(equity - held) if abs(equity - held) > 1e-9 else 0
        for cell, value in zip(cells, [held, equity - held if moved else 0, equity, needs], strict=True):
            half = 0.5 if abs(value) >= 99.95 else 5e-3 * abs(value)  # three figures
            assert float(cell.replace(",", "")) == pytest.approx(value, rel=0, abs=half + 1e-9)
        parts = [held] + ([moved, equity] if moved else []) + ([needs] if pool.open else [])
        same(said, parts)
        assert ("lost" in line) == (equity < held - 1e-9) or not moved
        assert f"{'USD' if usd else pool.currency} of {'margin' if pool.isolated else 'collateral'}" in line


def ax_note(axes):
    """The note under the table, its lines joined."""
    notes = [t.get_text() for t in axes.texts if t.get_ha() == "left" and t.get_text()]
    return " ".join(" ".join(notes).split())


def test_reading_of_the_worked_example():
    small = FREE.trade(PERP, 5_000, 50_000, isolated=5)
    assert reading(small.at(BTC=45_000)).splitlines() == [
        "BTC at 45,000, isolated BTC-USD: 5 BTC of margin, 1.111 lost, 3.889 left, 0.04444 required.",
        "BTC at 45,000, cross BTC: 5 BTC of collateral, nothing gained or lost, nothing open.",
    ]
    assert "0.9091 gained, 5.909 now" in reading(small.mark(BTC=55_000))
    below = reading(WALLED.mark(BTC=45_000)).splitlines()[0]
    assert below.endswith("-0.5556 left, 0.2222 required: due for liquidation.")
    below = reading(WALLED.mark(BTC=45_500)).splitlines()[0]
    assert below.endswith("0.05495 left, 0.2198 required: due for liquidation.")


def test_hedged_pool_at_43_000():
    """Lesson 02: a leg of the two pools is closed; in one pool loss and gain cancel."""
    lines = reading([LEGS, PAIR], {"BTC": 43_000}, ["isolated", "cross"]).splitlines()
    assert lines == [
        "isolated, isolated BTC/USDT: closed, 1 BTC lost; 0.186 left over, kept by the insurance fund.",
        "isolated, isolated BTC-USD: 1 BTC of margin, 0.814 gained, 1.814 now, 0.02326 required.",
        "cross, cross BTC: 2 BTC of collateral, nothing gained or lost, 0.314 required.",
    ]
    assert not drawn(vessels(PAIR, {"BTC": 43_000}), "loss")
    gain = drawn(PAIR.mark(BTC=43_000).plot(), "gain")  # of the perpetual, from there on
    assert gain[0][1:] == (near(7 - 250_000 / 43_000), near(2.0))


# ------------------------------------------------------------------ closed


@pytest.mark.parametrize("account, price", [(WALLED, 45_600), (WALLED, 44_000), (SHARED, 41_800), (SHARED, 40_000)])
def test_a_closed_vessel_is_empty_and_says_who_paid(account, price):
    after = account.at(BTC=price)
    event = after.liquidations[0]
    who = event.text.split("; ")[1]
    assert "insurance fund" in who
    for shown in (vessels(account, {"BTC": price}), after.plot()):
        assert "×" in texts(shown)
        (gone,) = drawn(shown, "gone")
        assert gone[1:] == (0, near(event.lost)) and not drawn(shown, "line") and not drawn(shown, "loss")
        assert all(abs(level[0] - gone[0]) > 0.5 for level in drawn(shown, "level"))
        assert f"{event.pool}: closed, {event.lost:g} BTC lost; {who}." in ax_note(shown)
        cells = table(shown, 2 if account is WALLED else 1)[0]
        assert cells == ["", f"-{event.lost:g}", "0", "closed"]


def test_shortfall_beyond_the_fund_and_surplus_to_the_trader():
    low = WALLED.mark(BTC=44_000).liquidate(fund=0.5)
    assert "1.818 missing: 0.5 paid by the insurance fund, 1.318 by counterparties." in reading(low)
    kind = replace(venues.TEACHING, surplus_to="trader")
    own = Account(kind, BTC=10).mark(BTC=50_000).trade(PERP, 25_000, 50_000, isolated=5)
    there = own.at(BTC=45_620)
    (event,) = there.liquidations
    assert event.surplus > 0 and 0 < event.lost < 5
    first, second = reading(own, {"BTC": 45_620}).splitlines()
    assert f"{event.lost:.4g} BTC lost" in first and "kept by the trader" in first
    assert figures_in(second)[1] == pytest.approx(10 - event.lost, rel=1e-3) and "nothing open" in second


def test_debts_that_outgrow_the_balances():
    """The ledger has no loss of balances that were worth nothing; the vessel had held 1 BTC."""
    assert LEGS.at(BTC=40_000).liquidations[0].lost == 0
    who = "0.25 missing, paid by the insurance fund."
    assert f"isolated BTC/USDT: closed, 1 BTC lost; {who}" in reading(LEGS, {"BTC": 40_000})
    axes = vessels(LEGS, {"BTC": 40_000})
    assert drawn(axes, "gone")[0][1:] == (0, near(1.0))
    assert f"isolated BTC/USDT: closed, 0 BTC lost; {who}" in reading(LEGS.at(BTC=40_000))
    axes = vessels(PAIR, {"BTC": 6_000})  # of 2 BTC in it at every price
    assert drawn(axes, "gone")[0][1:] == (0, near(2.0)) and "closed, 2 BTC lost" in ax_note(axes)


def test_haircuts_are_not_in_the_level_and_return_when_it_is_closed():
    coin = replace(venues.TEACHING_MULTI.assets["BTC"], haircut=0.1)
    kind = replace(venues.TEACHING_MULTI, assets={**venues.TEACHING_MULTI.assets, "BTC": coin})
    account = Account(kind, BTC=2).mark(BTC=50_000).trade(LINEAR, 5, 50_000)
    assert account.cross.worth() == 100_000
    fall = account.plot({"BTC": 45_000})
    equity = account.cross.equity(BTC=45_000)
    assert equity == pytest.approx(81_000 - 25_000)
    assert drawn(fall, "loss")[0][1:] == (near(equity), near(90_000)) and fall.get_ylabel() == "USD"
    after = account.at(BTC=36_800)
    (event,) = after.liquidations
    assert after.cross.worth() == pytest.approx(7_360) and event.lost == pytest.approx(66_240)
    left = after.cross.equity()
    (gone,) = drawn(account.plot({"BTC": 36_800}), "gone")
    assert gone[1:] == (near(left), near(left + 90_000))


def test_what_is_opened_again_is_open_and_what_is_closed_by_a_trade_is_gone():
    again = WALLED.at(BTC=44_000).trade(PERP, 100, 44_000, isolated=1)
    assert "closed" not in reading(again)
    assert reading(again.trade(PERP, -100, 44_000)).count(":") == 1


# ------------------------------------------------------------------ several


def test_several_share_one_scale():
    axes = vessels([WALLED, SHARED], {"BTC": 47_500}, names=["two pools", "one pool"])
    assert axes.figure.axes == [axes] and axes.get_ylabel() == "BTC"
    assert axes.get_ylim()[1] > 10 and axes.get_ylim()[0] == 0
    tops = [one[2] for one in drawn(axes, "thick") + drawn(axes, "thin")]
    assert len(tops) == 3 and set(tops) == {axes.get_ylim()[1]}
    assert [t for t in texts(axes) if "pool" in t] == ["two pools", "one pool"]
    low = vessels(WALLED.mark(BTC=44_000))
    assert low.get_ylim()[0] < drawn(low, "loss")[0][1] < 0  # what is missing is under the floor


def test_isolated_walls_are_thick_and_the_cross_pool_is_wide():
    axes = WALLED.plot()
    shapes = {a.get_label(): a for a in axes.patches if a.get_label() in ("_thick", "_thin")}
    thick, thin = shapes["_thick"], shapes["_thin"]
    assert thick.get_linewidth() > 2 * thin.get_linewidth()
    wide = [one.get_xy()[:, 0].max() - one.get_xy()[:, 0].min() for one in (thick, thin)]
    assert wide[0] < wide[1]


def test_one_account_at_several_prices_and_titles():
    axes = WALLED.plot(FALLS)
    titles = [t for t in texts(axes) if t.startswith("BTC at")][:3]
    assert titles == ["BTC at 50,000", "BTC at 47,500", "BTC at 44,000"]
    both = reading([WALLED, SHARED]).splitlines()
    assert [line.split(",")[0] for line in both] == ["account 1", "account 1", "account 2"]
    assert reading([WALLED.mark(BTC=49_000), SHARED]).startswith("BTC at 49,000, ")
    many = reading(MIXED, {"BTC": [48_000, 47_000], "USDT": 1.0})
    assert many.startswith("BTC at 48,000, USDT at 1, ")


def test_pools_in_several_currencies_are_in_usd():
    axes = MIXED.plot()
    assert axes.get_ylabel() == "USD"
    assert sorted(one[2] for one in drawn(axes, "level")) == [100_000, 250_000, 250_000]
    fall = drawn(MIXED.plot({"BTC": 48_000}), "loss")
    assert [high - low for _, low, high in fall] == [pytest.approx(100_000), pytest.approx(4_000)]


# ------------------------------------------------------------------ legible


def overlaps(axes):
    """Pairs of texts whose boxes meet, and texts that leave the figure."""
    figure = axes.figure
    figure.canvas.draw()
    shown = [t for t in (*axes.texts, *axes.get_yticklabels(), axes.yaxis.label) if t.get_text() not in ("", "×")]
    low, high = axes.get_ylim()
    shown = [t for t in shown if t not in axes.get_yticklabels() or low <= t.get_position()[1] <= high]
    boxes = [(t.get_text(), t.get_window_extent()) for t in shown]
    met = [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if one.overlaps(other)]
    page = figure.bbox
    return met + [t for t, b in boxes if b.x0 < -1 or b.y0 < -1 or b.x1 > page.x1 + 1 or b.y1 > page.y1 + 1]


PICTURES = {
    "one": (WALLED, None, None),
    "six": (WALLED, FALLS, None),
    "small": (FREE.trade(PERP, 5_000, 50_000, isolated=5), {"BTC": [50_000, 45_000, 30_000]}, None),
    "two": ([WALLED, SHARED], {"BTC": 47_500}, ["isolated", "cross"]),
    "pair": ([LEGS, PAIR], {"BTC": 43_000}, ["two pools, a wall between the trades", "one pool for both"]),
    "legs": (LEGS, {"BTC": [50_000, 48_000, 47_000]}, None),
    "shared": (PAIR, {"BTC": [50_000, 43_000, 6_000]}, None),
}


@pytest.mark.parametrize("account, prices, names", PICTURES.values(), ids=PICTURES)
def test_no_text_meets_another_and_none_is_small_at_360_px(account, prices, names):
    axes = vessels(account, prices, names)
    assert not overlaps(axes)
    inches = axes.figure.get_size_inches()[0]
    scale = min(1.0, 360 / 96 / inches)  # a css pixel is 1/96 inch
    sizes = {t.get_fontsize() for t in (*axes.texts, *axes.get_yticklabels(), axes.yaxis.label)}
    assert min(sizes) * scale >= 8


def test_wide_figures_widen_their_columns():
    assert not overlaps(MIXED.plot({"BTC": [50_000, 48_000]}))
    walled = FREE.trade(PERP, 25_000, 50_000, isolated=10)
    assert not overlaps(walled.plot({"BTC": [50_000, 51_000, 52_000, 53_000, 54_000, 55_000]}))
    rich = Account(venues.TEACHING, USDT=123_456_789).mark(BTC=50_000).trade(LINEAR, 2, 50_000)
    assert not overlaps(rich.plot({"BTC": [50_000, 48_000, 47_000, 46_000, 45_000, 44_000]}))


def test_into_axes_that_are_given():
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 4))
    assert vessels(WALLED, ax=right) is right and not left.texts
    assert right.get_ylabel() == "BTC" and len(figure.axes) == 2 and pyplot.get_fignums() == [figure.number]


# ------------------------------------------------------------------ themes, settings


def test_paper_is_dark_on_white_and_what_a_learner_set_does_not_matter(tmp_path):
    wild = {
        "text.usetex": True,
        "savefig.facecolor": "black",
        "font.sans-serif": ["DejaVu Serif"],
        "lines.linewidth": 9,
    }
    plain = WALLED.plot(FALLS)
    plain.figure.savefig(tmp_path / "plain.png", dpi=80)
    with mpl.rc_context(wild):
        before = dict(mpl.rcParams)
        axes = WALLED.plot(FALLS, names=["$5 or $6", "$6 & 7", "x_1^2"])
        assert dict(mpl.rcParams) == before
        axes.figure.savefig(tmp_path / "wild.png", dpi=80)  # with TeX it would fail, or take seconds
        same_names = WALLED.plot(FALLS)
        same_names.figure.savefig(tmp_path / "same.png", dpi=80)
    assert (tmp_path / "same.png").read_bytes() == (tmp_path / "plain.png").read_bytes()
    assert axes.figure.get_facecolor() == (1, 1, 1, 1) and "$6 & 7" in texts(axes)
    assert not any(t.get_parse_math() or t.get_usetex() for t in axes.texts)
    inks = {t.get_color() for t in axes.texts} - {STYLES["closed"]["color"]}
    assert all(contrast(ink, "#ffffff") >= 7 for ink in inks)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_colours_of_shapes_stand_out_in_both_themes(page):
    from marginlab.lesson.figures import INK
    from marginlab.lesson.sheet import LOOKS

    lines = {kind: look[2] for kind, look in LOOKS.items() if look[2] != INK}
    assert all(contrast(line, page) >= 3 for line in lines.values())
    looks = [look[1:] for look in LOOKS.values()]
    assert len(set(looks)) == len(looks), "told apart without colour"


def test_alternative_text_of_the_image():
    from IPython.core.formatters import DisplayFormatter
    from IPython.core.pylabtools import print_figure

    formatter = DisplayFormatter()
    formatter.formatters["image/png"].for_type(
        type(WALLED.plot().figure), lambda f: print_figure(f, "png", base64=True)
    )
    data, about = formatter.format(WALLED.plot(FALLS).figure)
    assert data["image/png"] and about["image/png"]["alt"] == reading(WALLED, FALLS)


# ------------------------------------------------------------------ SVG


def layers(price=47_500, **how):
    event = next(iter(WALLED.at(BTC=price).liquidations), None)
    pools = [WALLED[PERP], WALLED.cross]
    found = Vessels([Vessel.of(p) for p in pools], top=6, **how)
    found.draw([Vessel.of(pools[0], {"BTC": price}, event), Vessel.of(pools[1])])
    return found


def test_no_id_is_in_two_layers_and_every_reference_is_met():
    texts = [text for one in (layers(), layers(), layers(44_000)) for text in (one.still(), one.moving("a"))]
    ids = [one for text in texts for one in re.findall(r' id="([^"]*)"', text)]
    assert len(ids) >= 6 and len(set(ids)) == len(ids)
    for text in texts:
        used = re.findall(r"url\(#([^)]*)\)", text) + re.findall(r'href="#([^"]*)"', text)
        assert set(used) <= set(re.findall(r' id="([^"]*)"', text))


@pytest.mark.parametrize("price", [47_500, 44_000, 51_000])
def test_layers_take_ink_and_font_from_the_page(price):
    one = layers(price)
    colours = set(re.findall(r'(?:fill|stroke)[=:] *"?([^;"]+)', one.still() + one.moving("a")))
    known = {style["color"].lower() for style in STYLES.values()}
    for colour in colours:
        colour = colour.lower()
        ours = colour in known or colour[:7] in known
        assert ours or colour in ("none", "currentcolor", "var(--marginlab-rule)") or colour.startswith("url(#")
    assert not re.search(r"DejaVu|font-family: (?!inherit)", one.still() + one.moving("a"))
    assert "<text" not in re.sub(r"<text [^>]*>[^<]*</text>", "", one.moving("a"))


def test_beside_a_chart_the_sheet_changes_with_its_scale_or_names_alone():
    figure, axes = figures.blank()
    both = Beside(figure, axes, {"now": figures.curve(axes, "price")})
    before, after = ([Vessel.of(pool, {"BTC": price}) for pool in WALLED.pools] for price in (50_000, 47_500))
    both.show(before, 6, "of the worst")
    first, still = both.vessels, both.still()
    assert ">of the worst<" in still and still.count("<svg") == 2
    both.show(after, 6)
    assert both.vessels is first and both.still() == still
    assert after[0].sentence in both.moving("the chart")
    for changed in (lambda: both.show(after, 12), lambda: both.show(after[:1], 6)):
        changed()
        assert both.vessels is not first and both.still() != still
    figures.Layers(figure, axes, {}).show(after, 6)  # alone there is no room for them


def heights(text, colour):
    """(top, bottom) of paths with a line of this colour that are as wide as a vessel."""
    found = []
    for path in re.findall(rf'<path d="M([^"]*)"[^>]*stroke="{colour}"', text.split("</pattern>")[-1]):
        points = [tuple(map(float, point.split(","))) for point in path.split("L")]
        if max(x for x, _ in points) - min(x for x, _ in points) > 30:
            found.append((min(y for _, y in points), max(y for _, y in points)))
    return found


def test_the_moving_layer_is_to_scale():
    one = layers(47_500)
    text, pool = one.moving("in words"), WALLED[PERP]
    ((roof, floor), *_) = heights(text, "currentColor")
    unit = (floor - roof) / 6
    ticks = dict(re.findall(r'<text [^>]* y="([\d.]+)"[^>]*>(0|6)<', one.still()))
    ticks = {said: float(y) for y, said in ticks.items()}
    assert (ticks["0"] - ticks["6"]) / 6 == pytest.approx(unit, abs=0.01), "the scale beside it"
    assert ticks["0"] - floor == pytest.approx(0.35 * 10.6, abs=1)
    lost, equity = 5 - pool.equity(BTC=47_500), pool.equity(BTC=47_500)
    ((top, bottom),) = heights(text, STYLES["counterparties"]["color"])
    assert bottom - top == pytest.approx(lost * unit, abs=0.02) and floor - top == pytest.approx(5 * unit, abs=0.02)
    ((level, deep), other) = heights(text, STYLES["equity"]["color"])
    assert deep - level == pytest.approx(equity * unit, abs=0.02) and other[1] - other[0] == pytest.approx(
        5 * unit, abs=0.02
    )
    ((line, _),) = heights(text, STYLES["requirement"]["color"])
    assert floor - line == pytest.approx(pool.requirement(BTC=47_500) * unit, abs=0.02)
    said = re.findall(r">([^<]*)</text>", text)
    assert said == ["5", "-2.63", "2.37", "0.211", "5", "0", "5", "0"]
    assert 'aria-label="in words"' in text and "&lt;b&gt;" in one.moving("<b>")


def test_still_stays_and_moving_moves():
    one = layers(47_500)
    still, first = one.still(), one.moving("a")
    one.draw([Vessel.of(WALLED[PERP], {"BTC": 70_000}), Vessel.of(WALLED.cross)])
    assert one.still() == still and one.moving("a") != first
    ys = [float(y) for y in re.findall(r"[\d.]+,(-?[\d.]+)", "".join(re.findall(r' d="(M[^"]*)"', one.moving("a"))))]
    assert min(ys) >= -7, "what is above the scale ends there"
    closed = layers(44_000).moving("a")
    assert closed.count(">closed<") == 1 and closed.count(">×<") == 1


# ------------------------------------------------------------------ refusals

LIST = "a list of them"


@pytest.mark.parametrize(
    "error, words, given",
    [
        (TypeError, ["accounts", LIST, "None"], {"accounts": None}),
        (TypeError, ["accounts", LIST, "[]"], {"accounts": []}),
        (TypeError, ["accounts", LIST, "5"], {"accounts": [WALLED, 5]}),
        (TypeError, ["accounts", LIST], {"accounts": WALLED[PERP]}),
        (TypeError, ["prices", "mapping", "45000"], {"prices": 45_000}),
        (TypeError, ["prices", "mapping", "{}"], {"prices": {}}),
        (ValueError, ["the price of BTC", "0"], {"prices": {"BTC": 0}}),
        (ValueError, ["the price of BTC", "nan"], {"prices": {"BTC": nan}}),
        (ValueError, ["the price of BTC", "inf"], {"prices": {"BTC": [1.0, inf]}}),
        (TypeError, ["the price of BTC", "'x'"], {"prices": {"BTC": "x"}}),
        (TypeError, ["the price of BTC", "True"], {"prices": {"BTC": True}}),
        (ValueError, ["prices", "equally many"], {"prices": {"BTC": []}}),
        (ValueError, ["prices", "equally many"], {"prices": {"BTC": [[1.0, 2.0]]}}),
        (ValueError, ["prices", "equally many"], {"prices": {"BTC": [1.0, 2.0], "BTC-USD": [1.0, 2.0, 3.0]}}),
        (ValueError, ["'ETH'", "BTC"], {"prices": {"ETH": 2_000}}),
        (TypeError, ["names", "list of texts", "'a'"], {"names": "a"}),
        (TypeError, ["names", "list of texts"], {"names": [1]}),
        (ValueError, ["names", "must be 1", "['a', 'b']"], {"names": ["a", "b"]}),
        (TypeError, ["ax", "Axes", "5"], {"ax": 5}),
    ],
)
def test_bad_input_is_refused_and_nothing_is_drawn(error, words, given):
    refused(error, words, lambda: vessels(**{"accounts": WALLED} | given), WALLED)
    assert not pyplot.get_fignums()
    if "ax" not in given:
        refused(error, words, lambda: reading(**{"accounts": WALLED} | given))


def test_a_missing_price_is_told():
    bare = Account(venues.TEACHING, BTC=1, USDT=100)
    refused(ValueError, ["the price of BTC is needed"], lambda: bare.plot(), bare)
    assert "1 BTC of collateral" in reading(Account(venues.TEACHING, BTC=1))
    assert "50,000 USD" in reading(bare, {"BTC": 50_000})
    refused(ValueError, ["the price of BTC"], lambda: Vessel.of(bare.cross_in("BTC"), unit="USD"))
    refused(ValueError, ["unit", "'EUR'"], lambda: Vessel.of(WALLED.cross, unit="EUR"))
    refused(ValueError, ["follows 'ETH'"], lambda: Vessel.of(WALLED.cross, {"ETH": 1.0}))


def test_four_vessels_are_legible_at_360_px():
    one = Vessels([Vessel.of(pool) for pool in (*WALLED.pools, *WALLED.pools)], top=6)
    size, wide = 10.6, float(re.search(r'viewBox="0 0 ([\d.]+)', one.moving("a"))[1])
    assert f'font-size="{size}"' in one.moving("a") and f"font-size: {size}px" in one.still()
    assert 0.75 * size * 360 / wide >= 8
    boxes = [re.search(r'viewBox="([^"]*)"', text)[1].split() for text in (one.still(), one.moving("a"))]
    assert list(map(float, boxes[0])) == pytest.approx(list(map(float, boxes[1])), abs=0.01)


def test_layers_refuse():
    first = [Vessel.of(WALLED[PERP])]
    refused(ValueError, ["top", "above 0", "0"], lambda: Vessels(first, top=0))
    refused(TypeError, ["top", "None"], lambda: Vessels(first, top=None))
    refused(ValueError, ["bottom", "at most 0", "1"], lambda: Vessels(first, top=2, bottom=1))
    refused(ValueError, ["vessels", "at least one"], lambda: Vessels([], top=2))
    one = Vessels(first, top=2)
    refused(ValueError, ["vessels must be 1 in BTC"], lambda: one.draw(first * 2))
    refused(ValueError, ["vessels must be 1 in BTC"], lambda: one.draw([Vessel.of(WALLED[PERP], unit="USD")]))


def test_an_empty_account_and_one_without_prices_are_drawn():
    axes = Account(venues.TEACHING, BTC=0).plot()
    assert table(axes, 1) == [["0", "0", "0", "0"]]
    assert reading(Account(venues.TEACHING, BTC=2)) == (
        "cross BTC: 2 BTC of collateral, nothing gained or lost, nothing open."
    )


def test_the_arithmetic_needs_no_pictures():
    code = """
import sys
from marginlab import Account, venues
account = Account(venues.TEACHING, BTC=2).mark(BTC=50_000)
assert not {"matplotlib", "marginlab.lesson"} & set(sys.modules)
from marginlab.lesson import reading
reading(account)
assert "matplotlib" not in sys.modules
account.plot()
assert "ipywidgets" not in sys.modules and "pandas" not in sys.modules
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_every_cell_shows_its_picture():
    """The first figure of a kernel makes it interactive; the next cell must still be."""
    from nbclient import NotebookClient
    from nbformat import v4

    made = "from marginlab import Account, venues\nme = Account(venues.TEACHING, BTC=10).mark(BTC=50_000)"
    page = v4.new_notebook(cells=[v4.new_code_cell(made), *(v4.new_code_cell("me.plot()\nprint(1)") for _ in "ab")])
    NotebookClient(page, timeout=120).execute()
    for cell in page.cells[1:]:
        assert "image/png" in [name for out in cell.outputs for name in out.get("data", {})]


def test_a_picture_shows_itself_in_every_cell_of_a_notebook():
    """And not only in the first, whose import of pyplot lets figures show by themselves."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    first = "from marginlab import Account, venues\naccount = Account(venues.TEACHING, BTC=10).mark(BTC=50_000)\n"
    sources = [first + "picture = account.plot()", "picture = account.plot()", "picture = account.plot()"]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in sources])
    nbclient.NotebookClient(made, timeout=60, kernel_name="python3").execute()
    for cell in made.cells:
        (output,) = cell.outputs
        assert "image/png" in output["data"] and output["metadata"]["image/png"]["alt"]
