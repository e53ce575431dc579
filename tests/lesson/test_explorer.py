"""What all explorers share: controls and their number boxes, presets, faults, layers, twins."""

import io
import re
from html import escape
from itertools import pairwise, product

import ipywidgets
import pytest
from PIL import Image
from traitlets import TraitError

from marginlab import Account, Perpetual, Refused, lesson, venues
from marginlab.lesson import FirstTrade, FundingRates, IsolatedMargin, LiquidationSteps, numbers
from tests.lesson.shown import Cells, states, view

NAMES = (
    "FirstTrade",
    "IsolatedMargin",
    "CrossMargin",
    "FundingRates",
    "LiquidationSteps",
    "Squeeze",
    "ModeSurface",
    "MixedModes",
    "UnifiedAccount",
)
KINDS = [getattr(lesson, name) for name in NAMES]


@pytest.fixture(scope="module", params=KINDS, ids=NAMES)
def opened(request):
    return request.param()


@pytest.fixture
def explorer(opened):
    """On its first preset, as when it was opened; to open one for each test takes twice as long."""
    opened.preset(next(iter(opened.presets)))
    return opened


def sliders(explorer):
    """The controls that are numbers, by name."""
    return {name: one for name, one in explorer.controls.items() if hasattr(one, "slider")}


def picture(explorer):
    """Both layers."""
    layers = (explorer.still.value, explorer.view.value)
    return [re.search("<svg.*</svg>", layer, re.S)[0] for layer in layers]


def ids(html):
    return re.findall(r'(?<= id=")[^"]*', html)


def everything(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from everything(child)


def reset(explorer):
    (button,) = [w for w in everything(explorer.widget) if isinstance(w, ipywidgets.Button)]
    assert button.description == "Reset" and button.tooltip
    return button


# ------------------------------------------------------------------ controls


def test_at_most_five_controls_each_with_a_name_and_a_hint(explorer):
    assert 1 <= len(explorer.controls) <= 5 and len(explorer.rows) == len(explorer.controls)
    for control in explorer.controls.values():
        if not hasattr(control, "slider"):
            assert len(control.tooltips) == len(control.options) and all(control.tooltips)
            continue
        slide, box = control.slider, control.box
        assert re.search(r"\w \(.+\)$", slide.description), "unit in the label"
        assert len(slide.tooltip.split()) >= 3 and box.tooltip == slide.tooltip
        assert box.description == slide.description, "a screen reader names the box as well"
        assert slide.continuous_update and not box.continuous_update
        reach = (control.min, control.max, control.step)
        assert reach == (slide.min, slide.max, slide.step)
    assert explorer.picker.tooltip and explorer.picker.description


def test_no_output_widget_and_a_height_that_stays(explorer):
    parts = list(everything(explorer.widget))
    assert not any(isinstance(part, ipywidgets.Output) for part in parts)
    (stage,) = [part for part in parts if isinstance(part, ipywidgets.GridBox)]
    assert stage.children == (explorer.still, explorer.view)
    assert stage.layout.min_height == explorer.height
    assert stage.layout.height is stage.layout.overflow is None, "what needs more room gets it"
    assert explorer.still.layout.grid_area == explorer.view.layout.grid_area


def test_a_long_table_is_folded_until_its_button_is_pressed(explorer):
    buttons = [part for part in everything(explorer.widget) if part is explorer.unfold]
    assert len(buttons) == explorer.folded, "no button where nothing is folded"
    assert explorer.folded or len(explorer.reading["table"][1]) <= 3
    for pressed in (False, True, False):
        explorer.unfold.value = pressed
        hidden = "marginlab-folded" in explorer.view._dom_classes
        assert hidden == (explorer.folded and not pressed)
    parts = [str(getattr(part, "value", "")) for part in everything(explorer.widget)]
    assert any(".marginlab-folded table{display:none}" in part for part in parts)


def test_limits_are_stated_with_the_way_the_error_goes(explorer):
    assert explorer.limits.startswith("Left out:") and len(explorer.limits.split()) >= 15
    assert re.search(r"nearer|further|less|more|earlier|later", explorer.limits)
    parts = everything(explorer.widget)
    texts = [part.value for part in parts if isinstance(part, ipywidgets.HTML)]
    assert any("marginlab-limits" in text and "Left out:" in text for text in texts)
    assert any(explorer.title.split(":")[0] in text for text in texts)


def test_numbers_and_sliders_agree(explorer):
    for name, control in sliders(explorer).items():
        slide = control.slider
        assert control.value == pytest.approx(slide.value)
        for source, target in ((control, slide), (slide, control)):
            for value in (slide.max, slide.min):
                source.value = value
                assert target.value == source.value == value == explorer.state()[name]
                assert float(control.box.value) == value and explorer.error is None
        control.value = between = round((slide.min + slide.max) / 2 + slide.step / 4, 9)
        assert control.value == between == explorer.state()[name]
        assert abs(slide.value - between) <= slide.step / 2  # the handle is on the nearest step
        slide.value = slide.value + slide.step * 1e-9  # and its coming to rest there is no move
        assert explorer.state()[name] == between


def test_what_is_typed_moves_the_slider_and_the_picture(explorer):
    for name, control in sliders(explorer).items():
        slide = control.slider
        typed = f"{(slide.min + 3 * slide.max) / 4 + slide.step / 4:.4f}"
        before = view(explorer)
        control.box.value = f" {typed} "
        assert control.value == float(typed) == float(control.box.value), "it stays as typed"
        assert explorer.state()[name] == float(typed) and not control.note.value
        assert abs(slide.value - float(typed)) <= slide.step * 0.51
        shown, state = view(explorer), explorer.state()
        explorer.preset(list(explorer.presets)[-1])
        explorer.set(**state)
        assert view(explorer) == shown != before, name


TWO_WAYS = ["0,01", "1,5", "-12,5", "45.000"]
BAD = ["", "soon", "nan", "inf", "1e999", "4.5.6", "7 %", "1,234.5", *TWO_WAYS]


def test_a_number_that_cannot_be_taken_is_said_and_nothing_else_changes(explorer):
    for name, control in sliders(explorer).items():
        slide = control.slider
        ends = f"{numbers.written(slide.min)} to {numbers.written(slide.max)}"
        for tried in (*BAD, "<b>", slide.max + 1e9, slide.min - 1.0, slide.max + 1e-3):
            before = explorer.state(), explorer.view.value, slide.value, control.value
            text = str(tried)
            control.box.value = text
            now = explorer.state(), explorer.view.value, slide.value, control.value
            assert now == before and control.box.value == text, "it is shown as it was typed"
            assert control.note.value.startswith('<div role="status">')
            said = control.note.value.removeprefix('<div role="status">').removesuffix("</div>")
            assert "<" not in said and "marginlab-told" in control.note._dom_classes
            if isinstance(tried, float):
                assert said.startswith(f"{text} is out of range: {ends}")
            elif text in TWO_WAYS:
                assert said.startswith(f"{text} can be read two ways: write ")
            else:
                wanted = "write a number in digits, without commas"
                assert said.startswith(wanted) and ends in said
            control.box.value = numbers.written(control.value)
            assert not control.note.value
        control.box.value = text
        other = slide.min if slide.value > slide.min else slide.max
        slide.value = other
        assert not control.note.value
        assert float(control.box.value) == control.value == other
        for good in (other, slide.max):
            control.box.value = text
            control.box.value = numbers.written(good)
            assert not control.note.value and control.value == good == explorer.state()[name]
        control.box.value = text
        explorer.set(**{name: control.value})
        assert not control.note.value and float(control.box.value) == control.value


def test_a_note_stands_until_its_own_control_moves():
    explorer = IsolatedMargin()
    move, size = explorer.controls["move"], explorer.controls["size"]
    move.box.value, size.value = "700", 20.0
    assert (move.box.value, move.value) == ("700", -5.0)
    assert move.note.value == '<div role="status">700 is out of range: -60 to 60</div>'
    move.slider.value = -6.5
    assert (move.box.value, move.note.value) == ("-6.5", "")
    move.box.value = "-6,5"
    reset(explorer).click()
    assert (move.box.value, move.note.value) == ("-5", "")
    assert explorer.state() == next(iter(explorer.presets.values()))


def test_a_number_is_shown_as_it_is_read():
    move = FirstTrade().controls["move"]
    read = {"15.0": (15, "15"), "+3": (3, "3"), "1e1": (10, "10"), "\u22127.5": (-7.5, "-7.5")}
    for typed, (value, shown) in read.items():
        move.box.value = typed
        assert (move.value, move.box.value, move.note.value) == (value, shown, ""), typed
    size = LiquidationSteps().controls["size"]
    size.box.value = "3 000_000"
    assert (size.value, size.box.value) == (3_000_000, "3000000")


@pytest.mark.parametrize("beyond", [1e-3, 1.0, 1e9, float("inf"), float("nan")])
def test_a_state_out_of_range_is_refused_and_nothing_moves(explorer, beyond):
    before, shown = explorer.state(), explorer.view.value
    first = next(iter(sliders(explorer)))
    for name, control in sliders(explorer).items():
        for value in (control.max + beyond, control.min - beyond):
            with pytest.raises(ValueError, match=name) as refused:
                explorer.set(**{first: explorer.controls[first].max, name: value})
            said = str(refused.value)
            assert repr(value) in said
            ends = f"from {numbers.written(control.min)} to {numbers.written(control.max)}"
            assert ends in said or not abs(beyond) < float("inf")
            with pytest.raises(ValueError):
                control.value = value
        with pytest.raises(TypeError, match=name):
            explorer.set(**{name: "five"})
    with pytest.raises(ValueError, match="'nonsense' is not a control: use "):
        explorer.set(**{first: explorer.controls[first].max, "nonsense": 10})
    assert explorer.state() == before and explorer.view.value == shown and explorer.error is None


def test_what_is_shown_is_what_the_controls_say_even_after_a_refused_value():
    explorer = IsolatedMargin()
    with pytest.raises(TraitError):
        explorer.set(size=20, side=2)
    fresh = IsolatedMargin()
    fresh.set(**explorer.state())
    assert view(explorer) == view(fresh)


def test_a_slider_moved_sends_the_picture_first_and_nothing_twice(explorer, monkeypatch):
    name, control = next(iter(sliders(explorer).items()))
    slide, sent, send = control.slider, [], ipywidgets.Widget._send
    explorer.set(**{name: slide.min})
    with monkeypatch.context() as patch:

        def noted(self, *given, **more):
            sent.append(self)
            send(self, *given, **more)

        patch.setattr(ipywidgets.Widget, "_send", noted)
        for steps in (2, 5):  # as the page does
            slide.set_state({"value": slide.min + steps * slide.step})
    sent = [one for one in sent if one not in (slide, explorer.still)]  # its echo, and the axes
    assert sent == [explorer.view, control.box] * 2


def test_rounding_noise_of_a_slider_is_never_shown(explorer):
    for name, control in sliders(explorer).items():
        at = round(explorer.state()[name], 9)
        for noise, steps in product((1e-9, -1e-12), (0, 1)):
            control.value = min(control.max, at + steps * control.step)
            control.slider.value = at + noise
            assert explorer.state()[name] == control.value == at, name
            shown = explorer.view.value.split("</svg>")[-1] + explorer.reading["sentence"]
            assert not re.search(r"\.\d*9999|\.\d*0000\d|\de-", shown)


# ------------------------------------------------------------- every state, on the page


def test_every_state_is_shown(explorer):
    """Sentence, table and picture are those of the reading, and nothing is cut off or left over.

    Whether the reading is right is for each explorer's own file, at many more states.
    """
    for state in (*explorer.presets.values(), *states(explorer, count=20, starts=1)[len(explorer.presets) :: 7]):
        explorer.set(**state)
        reading, html = explorer.reading, explorer.view.value
        assert explorer.error is None, (state, explorer.error)
        assert explorer.state() == pytest.approx(state)
        assert html.count("<svg") == html.count("</svg>") == html.count('role="img"') >= 1
        label = escape(reading["sentence"], quote=True)
        assert html.startswith(f'<div role="img" aria-label="{label}"')
        assert f'<p aria-live="polite">{escape(reading["sentence"])}</p>' in html
        (head, rows), cells = reading["table"], Cells(html)
        assert cells.rows == [list(head), *rows] and {len(row) for row in rows} == {len(head)}
        assert cells.marked == [row for row in rows if row[0] == explorer.marked]
        assert "<td>" in html and "<td style" not in html, "numbers stand at the right"
        assert 'aria-hidden="true"' in explorer.still.value
        assert "role=" not in explorer.still.value


def test_what_stands_still_is_as_if_it_were_drawn_at_each_move(explorer):
    for state in states(explorer, count=6, starts=1)[::20]:
        explorer.set(**state)
        still = explorer.still.value
        assert still == explorer.layers.still(), "more than the drawn artists moved"


def test_the_axes_are_drawn_only_when_they_change(explorer, monkeypatch):
    stills, keys = [], [explorer.axes_key]
    still, draw = explorer.layers.still, explorer.draw
    monkeypatch.setattr(explorer.layers, "still", lambda: stills.append(1) or still())
    monkeypatch.setattr(explorer, "draw", lambda *g: keys.append(draw(*g) or "fixed") or keys[-1])
    for state in explorer.presets.values():
        explorer.set(**state)
    assert len(keys) == 1 + len(explorer.presets), "each draws once"
    for control in sliders(explorer).values():
        control.value = control.max
    assert len(stills) == sum(a != b for a, b in pairwise(keys)) < len(keys)


def test_every_control_changes_the_picture(explorer):
    for name, control in explorer.controls.items():
        before, start = picture(explorer), control.value
        if name in sliders(explorer):
            way = control.step if start < control.max else -control.step
            control.value = start + way
        else:
            control.value = next(value for value in control.options.values() if value != start)
        assert picture(explorer) != before, name
        control.value = start
        assert picture(explorer) == before, name


MOST = {"FirstTrade": 25, "IsolatedMargin": 60, "CrossMargin": 60}


@pytest.mark.parametrize("kind", KINDS[:3], ids=NAMES[:3])
def test_every_move_of_the_price_changes_the_picture(kind):
    """No dead zones: at every price a mark says where it is."""
    explorer, before = kind(), None
    for name in explorer.presets:
        explorer.preset(name)
        for move in range(-MOST[kind.__name__], MOST[kind.__name__] + 1, 10):
            explorer.set(move=move)
            shown = picture(explorer)[1]
            assert "<use" in shown and shown != before, (name, move)
            before = shown


def test_equal_states_give_equal_pictures_by_whatever_way(explorer):
    for control in sliders(explorer).values():  # through refusals, liquidations and 1x
        for value in (control.min, control.max):
            control.slider.value = value
    explorer.preset(list(explorer.presets)[1])
    fresh = type(explorer)()
    assert fresh.picker.value == next(iter(explorer.presets)), "it opens on its first preset"
    assert fresh.picker.options == (*explorer.presets, "changed")
    fresh.preset(list(explorer.presets)[1])
    assert view(explorer) == view(fresh)
    assert len({one.still.value.replace(one.layers.own, "") for one in (explorer, fresh)}) == 1
    # two of a kind may stand on one page, from two kernels: an id is an explorer's own
    pages = [layer.value for one in (explorer, fresh) for layer in (one.still, one.view)]
    found = [one for page in pages for one in ids(page)]
    assert found and len(set(found)) == len(found)
    for page in pages:
        used = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', page)
        assert {a or b for a, b in used} <= set(ids(page)), "a picture uses what is its own"


# ------------------------------------------------------------- presets and faults


def test_presets_by_picker_and_by_name_and_reset(explorer):
    views = set()
    for name in explorer.presets:
        explorer.picker.value = name
        assert explorer.state() == explorer.presets[name]
        picked = explorer.view.value
        explorer.preset(next(iter(explorer.presets)))
        explorer.preset(name)
        assert explorer.picker.value == name and explorer.view.value == picked
        control = list(sliders(explorer).values())[-1]
        control.slider.value = control.max if control.value < control.max else control.min
        assert explorer.view.value != picked and explorer.picker.value == "changed"
        explorer.picker.value = name  # it can be chosen again
        assert explorer.state() == explorer.presets[name] and explorer.view.value == picked
        reset(explorer).click()
        first = next(iter(explorer.presets))
        assert explorer.state() == explorer.presets[first] and explorer.picker.value == first
        explorer.picker.value = "changed"
        assert explorer.state() == explorer.presets[first]
        views.add(picked)
    assert len(views) == len(explorer.presets) >= 3
    before = explorer.state()
    for action in (explorer.preset, explorer.twin):
        said = f"'squeeze' is not a preset: use one of {next(iter(explorer.presets))!r}"
        with pytest.raises(ValueError, match=re.escape(said)):
            action("squeeze")
    assert explorer.state() == before and explorer.error is None


@pytest.mark.parametrize("part", ["read", "draw"])
def test_a_fault_is_shown_and_kept_and_then_forgotten(explorer, monkeypatch, part):
    def broken(*given, **state):
        raise ValueError("no <price> here")

    name, control = next(iter(sliders(explorer).items()))
    shown, before = explorer.view.value, explorer.state()[name]
    with monkeypatch.context() as patch:
        patch.setattr(explorer, part, broken)
        control.value = control.max if before < control.max else control.min
    assert isinstance(explorer.error, ValueError)
    said = "This setting could not be worked out: no &lt;price&gt; here"
    assert explorer.view.value == f'<div role="alert">{said}</div>'
    control.value = before
    assert explorer.error is None and explorer.view.value == shown


@pytest.mark.parametrize("kind", KINDS[1:4] + KINDS[5:6], ids=NAMES[1:4] + NAMES[5:6])
def test_only_a_refusal_is_the_venues_word(kind, monkeypatch):
    """A bug in the package is told as a fault, and never put into the venue's mouth."""
    explorer = kind()

    def trading(error):
        def trade(*given, **how):
            raise error

        monkeypatch.setattr(Account, "trade", trade)
        explorer.ran = None, None  # what it keeps from one move to the next
        explorer.update()

    trading(Refused("because of <this>"))
    assert explorer.error is None
    said = explorer.reading["sentence"]
    assert said.startswith("The venue would not open this") and "because of <this>" in said
    assert Cells(explorer.view.value).sentence == said
    for error in (ValueError("a slip"), TypeError("a slip"), KeyError("a slip")):
        trading(error)
        assert explorer.error is error and "venue" not in explorer.view.value
        assert explorer.view.value.startswith('<div role="alert">This setting could not be')


def test_what_cannot_be_explored_is_refused_at_the_door():
    """Whatever a reader puts in: no explorer opens on a fault, or on words of a venue."""
    bare = Perpetual("X-EUR", "X", "EUR")
    wrong = [
        (kind, {name: value})
        for kind in (*KINDS[1:6], KINDS[7])
        for name in ("entry", "balance", "size", "largest", "leverage")
        if name in kind.__init__.__code__.co_varnames
        for value in (0, -1.0, float("nan"), float("inf"), "much", True, [1.0])
    ]
    wrong += [(kind, {"instrument": value}) for kind in KINDS[1:] for value in ("BTC", 3, bare)]
    wrong += [(kind, {"venue": value}) for kind in (KINDS[1], KINDS[4]) for value in ("x", None)]
    for kind, given in wrong:
        named = "settle" if bare in given.values() else next(iter(given))
        with pytest.raises((TypeError, ValueError), match=f"{named} must be"):
            kind(**given)
    for kind in (KINDS[1], KINDS[4]):
        with pytest.raises(ValueError, match="no tier schedule for symbol 'X-USDT'"):
            kind(Perpetual("X-USDT", "X", "USDT"), venues.BINANCE_2026_09)
    for kind in (KINDS[2], *KINDS[4:7]):
        with pytest.raises(ValueError, match=r"must be linear, .*, not the inverse 'X-X'"):
            kind(Perpetual("X-X", "X", "X"))


def test_a_readers_own_position():
    mine = IsolatedMargin(
        instrument=Perpetual("ETH-USDT", index="ETH", settle="USDT", face=0.01),
        venue=venues.TEACHING_TIERS,
        entry=3_000,
        balance=2_500,
    )
    assert next(iter(mine.presets)) == "1,250 of 2,500 USDT" and mine.error is None
    assert "ETH" in mine.still.value and "entry 3,000" in mine.still.value
    mine = FundingRates(Perpetual("ETH-USDT", "ETH", "USDT"), entry=2_500.0, balance=300.0)
    shown = mine.still.value + mine.view.value
    assert "USDT" in shown and "BTC" not in shown


# --------------------------------------------------------------- looks, and the twin


def test_the_picture_has_the_pages_colours_no_date_and_no_place(explorer):
    for text in (explorer.still.value, explorer.view.value):
        assert not re.search(r"#0{3}\b|#0{6}\b|\bblack\b|rgb\(0", text)
        fill = r"""fill(: |=")(currentColor|#A6611A)"""  # the cross of a closed vessel is brown
        assert all(re.search(fill, one) for one in re.findall(r"<text ([^>]*)>", text))
        assert "var(--jp-content-font-color1,currentColor)" in text
        places = r"dc:date|\b20\d\d-\d\d-\d\d|file:|/(?:home|usr|root|Users)/"
        assert not re.search(places, text)
    assert "var(--marginlab-rule)" in explorer.still.value


def test_the_text_follows_the_theme_and_a_marked_row_stands_out(explorer):
    parts = [getattr(part, "value", "") for part in everything(explorer.widget)]
    style = next(part for part in parts if "<style>" in str(part))
    assert set(re.findall(r"[{;]\s*color:([^;}]*)", style)) <= {
        "inherit",
        "var(--jp-content-font-color1,inherit)",
        "var(--jp-content-font-color2,inherit)",
    }
    assert "background" not in style
    assert re.search(r"\.marginlab-marked \*\{[^}]*font-weight", style)


def test_the_twin_is_a_png_and_its_reading(explorer, capsys, monkeypatch):
    shown, sizes = [], set()
    monkeypatch.setattr("marginlab.lesson.explorer.display", shown.append)
    live = explorer.view.value, explorer.state()
    presets = list(explorer.presets.items())
    for name, state in (presets[0], presets[-1]):
        explorer.twin(name)
        sentence = capsys.readouterr().out
        assert " ".join(sentence.split()) == explorer.read(**state)["sentence"]
        assert sentence.endswith("\n") and max(map(len, sentence.splitlines())) <= 76
        data = shown[-1].data
        assert data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) < 100_000
        with Image.open(io.BytesIO(data)) as image:
            assert image.getpixel((2, 2))[:3] == (255, 255, 255)
            assert len(image.convert("RGB").getcolors(1 << 20)) > 50  # something is drawn
            sizes.add(image.size)
            assert image.info.keys() <= {"Software", "dpi"}
    assert len(sizes) == 1 and len({image.data for image in shown}) == len(shown)
    assert (explorer.view.value, explorer.state()) == live


def test_a_twin_shows_all_that_the_explorer_shows(explorer):
    """On paper the layers are one picture: no artist is left hidden."""
    for state in explorer.presets.values():
        layers = explorer.make_picture(paper=True)
        explorer.draw(layers, explorer.read(**state))
        assert all(artist.get_visible() for artist in layers.drawn.values())
        assert all(axes.axison for axes in layers.figure.axes)


def test_saved_output_is_text_and_a_view(explorer):
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == repr(explorer) and repr(explorer).startswith(explorer.title)
    assert set(bundle) == {"text/plain", "application/vnd.jupyter.widget-view+json"}


def test_a_reading_has_the_keys_that_the_docstring_names(explorer):
    said = (type(explorer).__doc__ or "").partition("`reading` holds")[2]
    keys = set(re.findall(r'"([\w ]+)"', said)) - {"refused"}
    reading = explorer.reading
    columns = {name for one in reading.values() if isinstance(one, dict) for name in one}
    assert keys <= set(reading) | columns
