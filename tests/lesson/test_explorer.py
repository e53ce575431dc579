"""What all explorers share: controls and their number boxes, presets, errors, two layers, the still twin."""

import io
import re
from itertools import pairwise, product

import ipywidgets
import pytest
from PIL import Image
from traitlets import TraitError

from marginlab import Perpetual, venues
from marginlab.lesson import explorers, numbers
from marginlab.lesson.explorers.base import Explorer
from tests.lesson.shown import Cells, view

KINDS = [getattr(explorers, name) for name in explorers.__all__]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__)
def opened(request):
    return request.param()


@pytest.fixture
def explorer(opened):
    """On its first preset, as when it was opened; to open one for each test would take twice as long."""
    opened.preset(next(iter(opened.presets)))
    return opened


def sliders(explorer):
    """The sliders, by the name of their control."""
    rows = {name: row.children[0] for name, row in zip(explorer.controls, explorer.rows, strict=True)}
    return {name: first for name, first in rows.items() if isinstance(first, ipywidgets.FloatSlider)}


def picture(explorer):
    """Both layers."""
    return [re.search("<svg.*</svg>", layer.value, re.S)[0] for layer in (explorer.still, explorer.view)]


def ids(html):
    return re.findall(r'(?<= id=")[^"]*', html)


def everything(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from everything(child)


# ------------------------------------------------------------------ controls


def test_at_most_five_controls_each_with_a_name_and_a_hint(explorer):
    assert 1 <= len(explorer.controls) <= 5
    assert len(explorer.rows) == len(explorer.controls)
    for name, slide in sliders(explorer).items():
        control = explorer.controls[name]
        assert slide.description.strip() and re.search(r"\(.+\)$", slide.description), "unit in the label"
        assert len(slide.tooltip.split()) >= 3 and control.box.tooltip == slide.tooltip
        assert control.box.description == slide.description, "a screen reader names the box as well"
        assert slide.continuous_update and not control.box.continuous_update
        assert (control.min, control.max, control.step) == (slide.min, slide.max, slide.step)
    for control in (c for n, c in explorer.controls.items() if n not in sliders(explorer)):
        assert len(control.tooltips) == len(control.options) and all(control.tooltips)
    assert explorer.picker.tooltip and explorer.picker.description
    buttons = [w for w in everything(explorer.widget) if isinstance(w, ipywidgets.Button)]
    assert [b.description for b in buttons] == ["Reset"] and buttons[0].tooltip


def test_no_output_widget_and_a_height_that_stays(explorer):
    parts = list(everything(explorer.widget))
    assert not any(isinstance(part, ipywidgets.Output) for part in parts)
    (stage,) = [part for part in parts if isinstance(part, ipywidgets.GridBox)]
    assert stage.children == (explorer.still, explorer.view)
    assert stage.layout.min_height == explorer.height
    assert stage.layout.height is stage.layout.overflow is None, "what needs more room gets it"
    assert explorer.still.layout.grid_area == explorer.view.layout.grid_area


def test_limits_are_stated_with_the_way_the_error_goes(explorer):
    assert explorer.limits.startswith("Left out:") and len(explorer.limits.split()) >= 15
    assert re.search(r"nearer|further|less|more|earlier|later", explorer.limits)
    texts = [part.value for part in everything(explorer.widget) if isinstance(part, ipywidgets.HTML)]
    assert any("marginlab-limits" in text and "Left out:" in text for text in texts)
    assert any(explorer.title.split(":")[0] in text for text in texts)


def test_numbers_and_sliders_agree(explorer):
    for name, slide in sliders(explorer).items():
        control = explorer.controls[name]
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
        explorer.set(**{name: slide.max})
        assert control.value == slide.max


def test_what_is_typed_moves_the_slider_and_the_picture(explorer):
    for name, slide in sliders(explorer).items():
        control = explorer.controls[name]
        typed = f"{(slide.min + 3 * slide.max) / 4 + slide.step / 4:.4f}"
        shown = view(explorer)
        control.box.value = f" {typed} "
        assert control.value == float(typed) == float(control.box.value), "it stays as typed"
        assert explorer.state()[name] == float(typed) and not control.note.value
        assert abs(slide.value - float(typed)) <= slide.step * 0.51
        fresh = type(explorer)()
        fresh.set(**explorer.state())
        assert view(explorer) == view(fresh) != shown, name


TWO_WAYS = ["0,01", "1,5", "-12,5", "45.000"]
BAD = ["", "soon", "nan", "inf", "1e999", "4.5.6", "7 %", "1,234.5", *TWO_WAYS]


@pytest.mark.parametrize("typed", [*BAD, "beyond", "<b>", "just"])
def test_a_number_that_cannot_be_taken_is_said_and_nothing_else_changes(explorer, typed):
    for name, slide in sliders(explorer).items():
        control = explorer.controls[name]
        ends = f"{numbers.written(slide.min)} to {numbers.written(slide.max)}"
        beyond = {"beyond": (slide.max + 1e9, slide.min - 1.0), "just": (slide.max + 1e-3,)}
        for tried in beyond.get(typed, (typed,)):
            before = explorer.state(), explorer.view.value, slide.value, control.value
            text = str(tried)
            control.box.value = text
            assert (explorer.state(), explorer.view.value, slide.value, control.value) == before
            assert control.box.value == text, "nothing else is shown than what was typed"
            assert control.note.value.startswith('<div role="status">')
            assert "marginlab-told" in control.note._dom_classes
            said = control.note.value.removeprefix('<div role="status">')
            assert "<" not in said.removesuffix("</div>")
            if isinstance(tried, float):
                assert said.startswith(f"{text} is out of range: {ends}")
            elif text in TWO_WAYS:
                assert said.startswith(f"{text} can be read two ways: write ")
            else:
                assert said.startswith("write a number in digits, without commas") and ends in said
            other = slide.min if slide.value > slide.min else slide.max
            slide.value = other
            assert not control.note.value and float(control.box.value) == control.value == other
            control.box.value, control.box.value = text, numbers.written(other)
            assert not control.note.value and control.value == other, "as it was"
            control.box.value, control.box.value = text, numbers.written(slide.max)
            assert not control.note.value and control.value == slide.max == explorer.state()[name]
            control.box.value = text
            explorer.set(**{name: control.value})
            assert not control.note.value and float(control.box.value) == control.value


def test_a_note_stands_until_its_own_control_moves():
    explorer = explorers.IsolatedMargin()
    move, size = explorer.controls["move"], explorer.controls["size"]
    move.box.value, size.value = "700", 20.0
    assert (move.box.value, move.value) == ("700", -5.0)
    assert move.note.value == '<div role="status">700 is out of range: -60 to 60</div>'
    move.slider.value = -6.5
    assert (move.box.value, move.note.value) == ("-6.5", "")
    move.box.value = "-6,5"
    (reset,) = [w for w in everything(explorer.widget) if isinstance(w, ipywidgets.Button)]
    reset.click()
    assert (move.box.value, move.note.value) == ("-5", "")
    assert explorer.state() == next(iter(explorer.presets.values()))


def test_a_number_is_shown_as_it_is_read():
    move = explorers.IsolatedMargin().controls["move"]
    read = {"45.0": (45, "45"), "+3": (3, "3"), "1e1": (10, "10"), "\u22127.5": (-7.5, "-7.5")}
    for typed, (value, shown) in read.items():
        move.box.value = typed
        assert (move.value, move.box.value, move.note.value) == (value, shown, ""), typed
    size = explorers.LiquidationSteps().controls["size"]
    size.box.value = "3 000_000"
    assert (size.value, size.box.value) == (3_000_000, "3000000")


@pytest.mark.parametrize("beyond", [1e-3, 1.0, 1e9, float("inf"), float("nan")])
def test_a_state_out_of_range_is_refused_and_nothing_moves(explorer, beyond):
    before, shown = explorer.state(), explorer.view.value
    first = next(iter(sliders(explorer)))
    for name, slide in sliders(explorer).items():
        for value in (slide.max + beyond, slide.min - beyond):
            with pytest.raises(ValueError) as refused:
                explorer.set(**{first: explorer.controls[first].max, name: value})
            said = str(refused.value)
            assert name in said and repr(value) in said
            if abs(beyond) < float("inf"):
                assert f"from {numbers.written(slide.min)} to {numbers.written(slide.max)}" in said
            with pytest.raises(ValueError):
                explorer.controls[name].value = value
    for name in sliders(explorer):
        with pytest.raises(TypeError, match=name):
            explorer.set(**{name: "5"})
    assert explorer.state() == before and explorer.view.value == shown and explorer.error is None


def test_a_slider_moved_sends_the_picture_first_and_nothing_twice(explorer, monkeypatch):
    name, slide = next(iter(sliders(explorer).items()))
    control, sent, send = explorer.controls[name], [], ipywidgets.Widget._send
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


def test_every_id_is_an_explorers_own(explorer):
    """Two of a kind may stand on one page, from two kernels."""
    other = type(explorer)()
    pages = [layer.value for one in (explorer, other) for layer in (one.still, one.view)]
    found = [one for page in pages for one in ids(page)]
    assert found and len(set(found)) == len(found)
    for page in pages:
        used = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', page)
        assert {a or b for a, b in used} <= set(ids(page)), "a picture uses what is its own"


def test_rounding_noise_of_a_slider_is_never_shown(explorer):
    for name, slide in sliders(explorer).items():
        at = round(explorer.state()[name], 9)
        for noise, steps in product((1e-9, -1e-9, 1e-12, -1e-12, 9e-16), (0, 1)):
            explorer.controls[name].value = min(slide.max, at + steps * slide.step)
            slide.value = at + noise
            assert explorer.state()[name] == explorer.controls[name].value == at, name
            shown = explorer.view.value.split("</svg>")[1] + explorer.reading["sentence"]
            assert not re.search(r"\.\d*9999|\.\d*0000\d|\de-", shown)


def test_a_burst_ends_on_the_last_value(explorer):
    name, slide = next(iter(sliders(explorer).items()))
    for i in range(20):
        slide.value = min(slide.max, slide.min + i * slide.step)
    last = view(explorer)
    fresh = type(explorer)()
    fresh.set(**explorer.state())
    assert explorer.state()[name] == pytest.approx(min(slide.max, slide.min + 19 * slide.step))
    assert last == view(fresh)


# --------------------------------------------------- presets, reset, state, set


def test_it_opens_on_its_first_preset(opened):
    explorer = type(opened)()
    first = next(iter(explorer.presets))
    assert explorer.picker.value == first and explorer.picker.options == tuple(explorer.presets)
    assert explorer.state() == explorer.presets[first]
    assert explorer.error is None and explorer.reading["sentence"]


def test_presets_by_picker_and_by_name(explorer):
    views = set()
    for name in explorer.presets:
        explorer.picker.value = name
        assert explorer.state() == explorer.presets[name]
        picked = explorer.view.value
        explorer.preset(next(iter(explorer.presets)))
        explorer.preset(name)
        assert explorer.picker.value == name and explorer.view.value == picked
        views.add(picked)
    assert len(views) == len(explorer.presets) >= 3


def test_reset_returns_to_the_preset_that_is_named(explorer):
    (reset,) = [w for w in everything(explorer.widget) if isinstance(w, ipywidgets.Button)]
    for name in list(explorer.presets)[:2]:
        explorer.preset(name)
        before = explorer.view.value
        for slide in sliders(explorer).values():
            slide.value = slide.max
        assert explorer.view.value != before
        reset.click()
        assert explorer.state() == explorer.presets[name] and explorer.view.value == before
        assert explorer.picker.value == name


def test_state_can_be_written_down_and_set_again(explorer):
    explorer.set(**{name: slide.min + 3 * slide.step for name, slide in sliders(explorer).items()})
    written, shown = explorer.state(), explorer.view.value
    assert eval(repr(written)) == written
    explorer.preset(list(explorer.presets)[-1])
    assert explorer.state() != written
    explorer.set(**written)
    assert explorer.state() == written and explorer.view.value == shown


def test_set_draws_once(explorer, monkeypatch):
    drawn = []
    draw = explorer.draw
    monkeypatch.setattr(explorer, "draw", lambda *given: drawn.append(1) or draw(*given))
    explorer.set(**explorer.presets[list(explorer.presets)[1]])
    assert len(drawn) == 1


def test_an_unknown_control_is_refused_and_nothing_moves(explorer):
    before, shown, known = explorer.state(), explorer.view.value, next(iter(explorer.controls))
    with pytest.raises(ValueError, match=f"'nonsense' is not a control: use {', '.join(explorer.controls)}$"):
        explorer.set(**{known: explorer.controls[known].max, "nonsense": 10})
    assert explorer.state() == before and explorer.view.value == shown


def test_an_unknown_preset_is_refused(explorer):
    before, first = explorer.state(), next(iter(explorer.presets))
    for action in (explorer.preset, explorer.twin):
        with pytest.raises(ValueError, match=re.escape(f"'squeeze' is not a preset: use one of {first!r}")):
            action("squeeze")
    assert explorer.state() == before and explorer.error is None


def test_what_is_shown_is_what_the_controls_say_even_after_a_refused_value():
    explorer = explorers.IsolatedMargin()
    with pytest.raises(TraitError):
        explorer.set(size=20, side=2)
    fresh = explorers.IsolatedMargin()
    fresh.set(**explorer.state())
    assert view(explorer) == view(fresh)
    explorer.set(size=30)
    assert "30" in str(explorer.state()["size"]) and explorer.error is None


# -------------------------------------------------------------------- errors


def test_an_error_is_shown_and_kept_and_then_forgotten(explorer, monkeypatch):
    def broken(**state):
        raise RuntimeError("no <price> here")

    slide = next(iter(sliders(explorer).values()))
    shown, reading = explorer.view.value, explorer.reading
    with monkeypatch.context() as patch:
        patch.setattr(explorer, "read", broken)
        before = slide.value
        slide.value = slide.max if before < slide.max else slide.min
    assert isinstance(explorer.error, RuntimeError) and explorer.reading is reading
    assert explorer.view.value == (
        '<div role="alert">This setting could not be worked out: no &lt;price&gt; here</div>'
    )
    slide.value = before
    assert explorer.error is None and explorer.view.value == shown


def test_the_row_that_stands_out_is_the_one_that_is_named(explorer):
    for name in explorer.presets:
        explorer.preset(name)
        rows = [row for row in explorer.reading["table"][1] if row[0] == explorer.marked]
        assert Cells(explorer.view.value).marked == rows and len(rows) <= 1
    style = next(part.value for part in everything(explorer.widget) if "<style>" in getattr(part, "value", ""))
    assert re.search(r"\.marginlab-marked \*\{[^}]*font-weight", style)


def test_every_row_of_the_table_is_as_long_as_its_head(explorer):
    for name in explorer.presets:
        explorer.preset(name)
        head, rows = explorer.reading["table"]
        assert {len(row) for row in rows} == {len(head)} and all(isinstance(cell, str) for row in rows for cell in row)
        assert Cells(explorer.view.value).rows == [list(head), *rows]
        assert "<td>" in explorer.view.value and "<td style" not in explorer.view.value, "numbers stand at the right"


def test_an_error_while_drawing_is_shown_too(explorer, monkeypatch):
    def broken(layers, reading):
        raise ZeroDivisionError("division by zero")

    with monkeypatch.context() as patch:
        patch.setattr(explorer, "draw", broken)
        explorer.set(**explorer.presets[list(explorer.presets)[1]])
    assert isinstance(explorer.error, ZeroDivisionError) and 'role="alert"' in explorer.view.value


def test_an_explorer_must_say_what_it_is():
    with pytest.raises(NotImplementedError):
        Explorer()


# ------------------------------------------------------------------- picture


def test_the_picture_says_its_reading(explorer):
    from html import escape

    for name in explorer.presets:
        explorer.preset(name)
        label = escape(explorer.reading["sentence"], quote=True)
        assert explorer.view.value.startswith(f'<div role="img" aria-label="{label}"')
        assert f'<p aria-live="polite">{escape(explorer.reading["sentence"])}</p>' in explorer.view.value
        assert 'aria-hidden="true"' in explorer.still.value and "role=" not in explorer.still.value


def test_every_control_changes_the_picture(explorer):
    explorer.preset(next(iter(explorer.presets)))
    for name, control in explorer.controls.items():
        before, start = picture(explorer), control.value
        if name in sliders(explorer):
            control.value = start + control.step if start < control.max else start - control.step
        else:
            control.value = next(value for _, value in control._options_full if value != start)
        assert picture(explorer) != before, name
        control.value = start
        assert picture(explorer) == before, name


def test_the_axes_are_drawn_only_when_they_change(explorer, monkeypatch):
    drawn, keys = [], [explorer.axes_key]
    still, draw = explorer.layers.still, explorer.draw
    monkeypatch.setattr(explorer.layers, "still", lambda: drawn.append(1) or still())
    monkeypatch.setattr(explorer, "draw", lambda *given: keys.append(draw(*given)) or keys[-1])
    for name in explorer.presets:
        explorer.preset(name)
    for slide in sliders(explorer).values():
        slide.value = slide.max
    assert len(drawn) == sum(a != b for a, b in pairwise(keys)) < len(keys) / 2
    assert drawn or set(keys) == {"fixed"}
    drawn.clear()
    monkeypatch.setattr(explorer, "draw", lambda *given: (draw(*given), "other axes")[1])
    explorer.preset(next(iter(explorer.presets)))
    explorer.set(**explorer.presets[list(explorer.presets)[1]])
    assert len(drawn) == 1


def test_equal_states_give_equal_pictures_by_whatever_way(explorer):
    for slide in sliders(explorer).values():  # through refusals, liquidations and 1x
        for value in (slide.min, slide.max):
            slide.value = value
    for name in explorer.presets:
        explorer.preset(name)
        fresh = type(explorer)()
        fresh.preset(name)
        assert view(explorer) == view(fresh)
        stills = (one.still.value.replace(one.layers.own, "") for one in (explorer, fresh))
        assert len(set(stills)) == 1


def test_the_picture_holds_no_black_no_date_and_no_place(explorer):
    for text in (explorer.still.value, explorer.view.value):
        assert not re.search(r"#0{3}\b|#0{6}\b|\bblack\b|rgb\(0", text)
        assert all("fill: currentColor" in style for style in re.findall(r"<text ([^>]*)>", text))
        assert "var(--jp-content-font-color1,currentColor)" in text
        assert not re.search(r"dc:date|\b20\d\d-\d\d-\d\d|file:|/(?:home|usr|root|Users)/", text)
    assert "var(--marginlab-rule)" in explorer.still.value


def test_the_text_follows_the_theme(explorer):
    style = next(part.value for part in everything(explorer.widget) if "<style>" in getattr(part, "value", ""))
    assert set(re.findall(r"[{;]color:([^;}]*)", style)) <= {
        "inherit",
        "var(--jp-content-font-color1,inherit)",
        "var(--jp-content-font-color2,inherit)",
    }
    assert "background" not in style


# ---------------------------------------------------------------------- twin


def test_the_twin_is_a_png_and_its_reading(explorer, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr("marginlab.lesson.explorers.base.display", shown.append)
    live = explorer.view.value, explorer.state()
    sizes = set()
    for name in explorer.presets:
        assert explorer.twin(name) is None
        sentence = capsys.readouterr().out
        fresh = type(explorer)()
        fresh.preset(name)
        assert " ".join(sentence.split()) == fresh.reading["sentence"] and sentence.endswith("\n")
        assert max(map(len, sentence.splitlines())) <= 76, "a saved output is not wrapped"
        data = shown[-1].data
        assert data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) < 100_000
        with Image.open(io.BytesIO(data)) as image:
            assert image.getpixel((2, 2))[:3] == (255, 255, 255)
            assert len(image.convert("RGB").getcolors(1 << 20)) > 50  # something is drawn
            sizes.add(image.size)
            assert image.info.keys() <= {"Software", "dpi"}
    assert len(sizes) == 1 and len({image.data for image in shown}) == len(shown)
    assert (explorer.view.value, explorer.state()) == live


def test_a_twin_may_be_asked_for_without_being_shown(explorer, capsys):
    image = explorer.twin(next(iter(explorer.presets)), show=False)
    assert image.data.startswith(b"\x89PNG") and capsys.readouterr().out == ""


def test_saved_output_is_text_and_a_view(explorer):
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == repr(explorer) and repr(explorer).startswith(explorer.title)
    assert set(bundle) == {"text/plain", "application/vnd.jupyter.widget-view+json"}


def test_a_readers_own_position():
    mine = explorers.IsolatedMargin(
        instrument=Perpetual("ETH-USDT", index="ETH", settle="USDT", face=0.01),
        venue=venues.TEACHING_TIERS,
        entry=3_000,
        balance=2_500,
    )
    assert next(iter(mine.presets)) == "1,250 of 2,500 USDT"
    assert mine.error is None and "ETH" in mine.still.value and "entry 3,000" in mine.still.value
    for kind in KINDS:
        with pytest.raises((TypeError, ValueError)):
            kind(entry="soon")


@pytest.mark.parametrize("wrong", [{"balance": -1}, {"entry": -50_000.0}, {"venue": None}, {"instrument": "BTC"}])
@pytest.mark.parametrize("kind", KINDS)
def test_a_position_that_cannot_be_is_not_shown_as_if_it_could(kind, wrong):
    try:
        made = kind(**wrong)
    except Exception as error:
        assert str(error)
    else:
        assert made.error is not None and 'role="alert"' in made.view.value
