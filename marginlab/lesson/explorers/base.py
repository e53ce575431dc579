"""What an explorer is: controls -> inputs -> account -> reading (figures and a sentence) -> picture."""

import math
import textwrap
from html import escape

import ipywidgets as widgets
from IPython.display import Image, display
from traitlets import CFloat, validate

from ... import checks
from ...show import table
from .. import figures
from ..numbers import parse, written
from ..style import STYLE

LABELS = {"description_width": "13rem"}


def amount(value):
    """An amount for readers, without cents; nothing is no negative zero."""
    return f"{value:,.0f}" if abs(value) >= 0.5 else "0"


class Number(widgets.HBox):
    """A slider and, beside it, a box for a typed number; both show `value`, from `min` to `max`.

    What is typed and cannot be taken stays in the box as it is, and a note beside it says why; then
    nothing else changes. The slider's handle stands on the `step` nearest to the value.
    """

    value = CFloat()

    def __init__(self, label, low, high, step, tip):
        self.label, self.min, self.max, self.step = label, low, high, step
        about = {"description": label, "tooltip": tip}
        self.slider = widgets.FloatSlider(
            **about | {"min": low, "max": high, "step": step, "value": low},
            readout=False,
            style=LABELS,
            layout=widgets.Layout(width="34rem"),
        )
        # sent when left; its label is there for screen readers: the slider's is seen
        narrow = widgets.Layout(width="7rem")
        self.box = widgets.Text(**about, continuous_update=False, layout=narrow)
        self.box.add_class("marginlab-number")
        self.note = widgets.HTML()
        self.note.add_class("marginlab-told")
        super().__init__([self.slider, self.box, self.note], value=low)
        self.show()
        self.observe(lambda _: self.show(), "value")
        self.slider.observe(self.slid, "value")
        self.box.observe(self.typed, "value")

    @validate("value")
    def _in_range(self, proposal):
        return self.within(proposal["value"])

    def within(self, value, name=""):
        """The value; ValueError if it is out of range, by more than rounding noise."""
        noise = self.step * 1e-9
        value = checks.number(name or self.label, value)
        if not self.min - noise <= value <= self.max + noise:
            ends = f"{written(self.min)} to {written(self.max)}"
            raise ValueError(f"{name or self.label} must be from {ends}, not {value!r}")
        return min(max(value, self.min), self.max)

    def tidy(self, value):
        """A value without rounding noise: 4.999999999 is 5; one typed between two steps stays."""
        rounded = round(value, 5 - math.floor(math.log10(self.step)))
        return min(max(rounded, self.min), self.max)

    def handle(self):
        """Where the slider's handle can stand: on a step."""
        steps = math.floor((self.value - self.min) / self.step + 0.5)
        return min(self.max, self.min + steps * self.step)

    def show(self):
        """Let slider and box say the value, and no note be left."""
        self.box.value, self.note.value = written(self.value), ""
        if abs(self.slider.value - self.handle()) > self.step * 1e-6:
            self.slider.value = self.handle()

    def slid(self, change):
        # that the handle came to rest on its step, or on 4.999999999, is no move
        if abs(change["new"] - self.handle()) > self.step * 1e-6:
            with self.box.hold_sync():  # the picture goes first
                self.value = self.tidy(change["new"])

    def typed(self, change):
        if change["new"] == written(self.value):
            self.note.value = ""
            return
        value, wrong = parse(change["new"], self.min, self.max)
        if wrong:
            self.note.value = f'<div role="status">{escape(wrong)}</div>'
            return
        self.value = value
        self.show()  # 45.0 is no new value, but shown as 45


class Explorer:
    """One what-if: a subclass says what its controls are, what is read off them, and what is drawn.

    `reading` is a plain dict of figures with a "sentence"; `state()` and `set(...)` read and move the controls;
    `presets` are states by name. An error while updating shows in the explorer and is kept in `error`.
    """

    title, limits, presets = "", "", {}
    marked = None  # the row of the table that stands out
    height = "44rem"  # at least, so that the page does not jump; more where wide letters need it

    def __init__(self):
        self.controls, self.reading, self.error = {}, {}, None
        self.rows = self.make_controls()
        over = {"grid_area": "1 / 1 / 2 / 2"}  # the two layers of the picture lie in one cell of a grid
        self.still, self.view = widgets.HTML(layout=over), widgets.HTML(layout=over)
        stage = widgets.GridBox(
            [self.still, self.view],
            layout=widgets.Layout(min_height=self.height, grid_template_columns="100%"),
        )
        self.picker = widgets.Dropdown(
            options=list(self.presets),
            description="Preset",
            tooltip="Set every control to a named case",
            style=LABELS,
            layout=widgets.Layout(width="34rem"),
        )
        self.picker.observe(lambda change: self.preset(change["new"]), "value")
        reset = widgets.Button(
            description="Reset", tooltip="Back to the preset shown", layout=widgets.Layout(width="7rem")
        )
        reset.on_click(lambda _: self.preset(self.picker.value))
        head = widgets.HTML(f"{STYLE}<b>{escape(self.title)}</b>")
        foot = widgets.HTML(f'<div class="marginlab-limits">{escape(self.limits)}</div>')
        self.widget = widgets.VBox([head, widgets.HBox([self.picker, reset]), *self.rows, stage, foot])
        self.widget.add_class("marginlab-explorer")
        self.layers, self.axes_key, self._quiet = self.make_picture(), None, False
        for control in self.controls.values():
            control.observe(lambda _: self.update(), "value")
        self.preset(next(iter(self.presets)))

    # ------------------------------------------------- what a subclass says

    def make_controls(self):
        """Rows of widgets, made with `slider` and `choice`, in the order size, margin, side, price."""
        raise NotImplementedError

    def read(self, **state):
        """The figures and the sentence for a state of the controls: a dict."""
        raise NotImplementedError

    def make_picture(self, paper=False):
        """The `figures.Layers` in which `draw` moves artists."""
        raise NotImplementedError

    def draw(self, layers, reading):
        """Move the artists; return the key of the axes (see `figures.Layers`)."""
        raise NotImplementedError

    # ------------------------------------------------------------- controls

    def slider(self, name, label, low, high, step, tip):
        """A slider and, beside it, a box for a typed number; both hold the same value."""
        self.controls[name] = Number(label, low, high, step, tip)
        return self.controls[name]

    def choice(self, name, label, options, tips):
        """Buttons of which one is down."""
        words = widgets.Label(label, layout=widgets.Layout(width="13rem", justify_content="flex-end"))
        style = {"button_width": "auto"}  # as wide as its words, in any letters
        self.controls[name] = widgets.ToggleButtons(options=options, tooltips=tips, style=style)
        return widgets.HBox([words, self.controls[name]])

    def state(self):
        """The value of every control, by name."""
        values = {name: control.value for name, control in self.controls.items()}
        numbers = {n: c for n, c in self.controls.items() if isinstance(c, Number)}
        return values | {name: control.tidy(control.value) for name, control in numbers.items()}

    def set(self, **state):
        """Move controls, all at once; ValueError if one does not exist or cannot go there."""
        for name, value in state.items():
            if name not in self.controls:
                raise ValueError(f"{name!r} is not a control: use {', '.join(self.controls)}")
            if isinstance(self.controls[name], Number):
                self.controls[name].within(value, name)
        self._quiet = True
        try:
            for name, value in state.items():
                self.controls[name].value = value
                if isinstance(self.controls[name], Number):
                    self.controls[name].show()  # also if what was typed was refused
        finally:  # also after a value that a control refused: what is shown is what the controls say
            self._quiet = False
            self.update()

    def preset(self, name):
        """Set every control to a named case; ValueError if there is none of that name."""
        if name not in self.presets:
            raise ValueError(f"{name!r} is not a preset: use one of {', '.join(map(repr, self.presets))}")
        self.set(**self.presets[name])
        self.picker.value = name

    # -------------------------------------------------------------- showing

    def update(self):
        """Read the controls, work everything out afresh, show it."""
        if self._quiet:
            return
        try:
            self.reading = self.read(**self.state())
            key = self.draw(self.layers, self.reading)
            if key != self.axes_key:
                self.axes_key, self.still.value = key, self.layers.still()
            self.view.value = self.layers.moving(self.reading["sentence"]) + self.words(self.reading)
            self.error = None
        except Exception as error:  # an explorer shows what went wrong: a callback's error is lost otherwise
            self.error = error
            self.view.value = f'<div role="alert">This setting could not be worked out: {escape(str(error))}</div>'

    def words(self, reading):
        """The sentence and the table under the picture."""
        sentence = f'<p aria-live="polite">{escape(reading["sentence"])}</p>'
        head, rows = reading["table"]
        return f'<div class="marginlab-reading">{sentence}{table(rows, head, self.marked, words=False)}</div>'

    def twin(self, name, show=True):
        """The picture of a preset as a still image, with its reading in words: for pages without a kernel."""
        if name not in self.presets:
            raise ValueError(f"{name!r} is not a preset: use one of {', '.join(map(repr, self.presets))}")
        reading = self.read(**self.presets[name])
        layers = self.make_picture(paper=True)
        self.draw(layers, reading)
        image = Image(figures.png(layers.figure), width=680, alt=reading["sentence"])
        if show:
            display(image)
            print(textwrap.fill(reading["sentence"], 76))
        return None if show else image

    def __repr__(self):
        return f"{self.title} (An explorer: run this cell to move its controls.)"

    def _repr_mimebundle_(self, **options):
        return self.widget._repr_mimebundle_(**options) | {"text/plain": repr(self)}
