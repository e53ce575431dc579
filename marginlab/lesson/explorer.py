"""What an explorer is: controls -> account -> reading: figures, a sentence, a table -> picture."""

import math
import textwrap
from html import escape

import ipywidgets as widgets
import numpy as np
from IPython.display import Image, display
from traitlets import CFloat, validate

from .. import Perpetual, Refused, Venue, checks
from ..show import table
from . import figures
from .numbers import parse, written
from .shown import STYLE, Shown

INVERSE = Perpetual("BTC-USD", index="BTC", settle="BTC", face=100)
LINEAR = Perpetual("BTC-USDT", index="BTC", settle="USDT")
SIDES = {"Long": 1, "Short": -1}
CHANGED = "changed"  # what the picker says once a control has moved away from its preset
LABELS = {"description_width": "13rem"}


class Number(widgets.HBox):
    """A slider and, beside it, a box for a typed number; both show `value`, from `min` to `max`.

    What is typed and cannot be taken stays in the box as it is, and a note beside it says why; then
    nothing else changes. The slider's handle stands on the `step` nearest to the value.
    """

    value = CFloat()

    def __init__(self, label, low, high, step, tip):
        self.label = label
        self.min = low
        self.max = high
        self.step = step
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
        self.box.value = written(self.value)
        self.note.value = ""
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


class Explorer(Shown):
    """One what-if. What a subclass says:

    words, reach()
        Of each control, in the order size, margin, side, price: its name, its label and its tip;
        and where it can go: (low, high, step), or {what a button says: its value}, each with a tip.
    presets
        States by name; the first is shown at the start.
    work_out(**state)
        What is read off a state: a dict. With the state, and with what `sentence` and `table` make
        of it, it is the `reading`.
    make_picture(paper), draw(layers, reading)
        The `figures.Layers`, and how their artists move; it returns a key of the axes if they move.

    Where there is room (from 44rem) controls stand in pairs, and vessels beside the chart: all but
    a long table, which is `folded`, within the 848 x 599 px that JupyterLab shows of an output.

    `state()` and `set(...)` read and move the controls. An error while updating is a fault: it
    shows in the explorer and is kept in `error`.
    """

    title, limits, unit = "", "", ""
    marked = None  # the row of the table that stands out
    folded = False  # whether a button unfolds the table
    across = ()  # the controls that need a row of their own
    height = "22rem"  # at least, so that the page does not jump; more where wide letters need it

    def __init__(self):
        self.controls = {}
        self.reading = {}
        self.error = None
        self.rows = [self.row(*words) for words in self.words]
        over = {"grid_area": "1 / 1 / 2 / 2"}  # the two layers lie in one cell of a grid
        self.still = widgets.HTML(layout=over)
        self.view = widgets.HTML(layout=over)
        room = widgets.Layout(min_height=self.height, grid_template_columns="100%")
        stage = widgets.GridBox([self.still, self.view], layout=room)
        for layer in (self.still, self.view):
            layer.add_class("marginlab-beside")
        self.picker = widgets.Dropdown(
            options=[*self.presets, CHANGED],
            description="Preset",
            tooltip="Set every control to a named case",
            style=LABELS,
            layout=widgets.Layout(width="34rem"),
        )
        self.picker.observe(lambda _: self.picked(), "value")
        narrow = widgets.Layout(width="7rem")
        tip = "Back to the start"
        reset = widgets.Button(description="Reset", tooltip=tip, layout=narrow)
        reset.on_click(lambda _: self.preset(next(iter(self.presets))))
        head = widgets.HTML(f"{STYLE}<b>{escape(self.title)}</b>")
        foot = widgets.HTML(f'<div class="marginlab-limits">{escape(self.limits)}</div>')
        top = widgets.HBox([self.picker, reset])
        if self.across:
            top.add_class("marginlab-across")
        pairs = widgets.VBox([top, *self.rows])
        pairs.add_class("marginlab-pairs")
        tip = "Show the table of all figures, or fold it away"
        self.unfold = widgets.ToggleButton(description="All figures", tooltip=tip, layout=narrow)
        self.unfold.observe(lambda _: self.fold(), "value")
        self.fold()
        below = widgets.Box([self.unfold, foot] if self.folded else [foot])
        below.add_class("marginlab-foot")
        self.widget = widgets.VBox([head, pairs, stage, below])
        self.widget.add_class("marginlab-explorer")
        self.layers = self.make_picture()
        self.axes_key = None
        self._quiet = self._naming = False
        self.there = {}  # the state that the preset shown has set
        for control in self.controls.values():
            control.observe(lambda _: self.update(), "value")
        self.preset(next(iter(self.presets)))

    def fold(self):
        """Let the table be seen, or not: as the button says."""
        hidden = self.folded and not self.unfold.value
        (self.view.add_class if hidden else self.view.remove_class)("marginlab-folded")

    def row(self, name, label, *tips):
        """A control in its row: a slider with a box for a typed number, or labelled buttons."""
        label, *tips = (text.format(unit=self.unit) for text in (label, *tips))
        reach = self.reach()[name]
        if not isinstance(reach, dict):
            self.controls[name] = Number(label, *reach, *tips)
            return self.controls[name]
        room = widgets.Layout(width="13rem", justify_content="flex-end")
        style = {"button_width": "auto"}  # as wide as its words, in any letters
        self.controls[name] = widgets.ToggleButtons(options=reach, tooltips=tips, style=style)
        row = widgets.HBox([widgets.Label(label, layout=room), self.controls[name]])
        if name in self.across:
            row.add_class("marginlab-across")
        return row

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
        finally:  # also after a value that a control refused: what is shown is what they say
            self._quiet = False
            self.update()

    def named(self, name):
        """The state of a preset; ValueError if there is none of that name."""
        if name not in self.presets:
            known = ", ".join(map(repr, self.presets))
            raise ValueError(f"{name!r} is not a preset: use one of {known}")
        return self.presets[name]

    def preset(self, name):
        """Set every control to a named case; ValueError if there is none of that name."""
        state = self.named(name)
        self._naming = True
        try:
            self.set(**state)
            self.there = self.state()
            self.picker.value = name
        finally:
            self._naming = False

    def picked(self):
        """Set the preset that was chosen; once a control has moved it can be chosen again."""
        name = self.picker.value
        if name != CHANGED and not self._naming:
            self.preset(name)

    # -------------------------------------------------------------- showing

    def read(self, **state):
        """The reading of a state of the controls."""
        reading = state | self.work_out(**state)
        return reading | {"sentence": self.sentence(reading), "table": self.table(reading)}

    def update(self):
        """Read the controls, work everything out afresh, show it."""
        if self._quiet:
            return
        try:
            state = self.state()
            self.reading = self.read(**state)
            key = self.draw(self.layers, self.reading) or "fixed"
            if key != self.axes_key:
                self.axes_key = key
                self.still.value = self.layers.still()
            picture = self.layers.moving(self.reading["sentence"])
            self.view.value = picture + self.told(self.reading)
            self.error = None
            if not self._naming and state != self.there:
                self.picker.value = CHANGED
        except Exception as error:  # a fault; a callback's error is lost otherwise
            self.error = error
            said = f"This setting could not be worked out: {escape(str(error))}"
            self.view.value = f'<div role="alert">{said}</div>'

    def told(self, reading):
        """The sentence and the table under the picture."""
        sentence = f'<p aria-live="polite">{escape(reading["sentence"])}</p>'
        head, rows = reading["table"]
        shown = table(rows, head, self.marked, words=False)
        return f'<div class="marginlab-reading">{sentence}{shown}</div>'

    def twin(self, name):
        """Show the picture of a preset, still, and its reading: for pages without a kernel."""
        reading = self.read(**self.named(name))
        layers = self.make_picture(paper=True)
        self.draw(layers, reading)
        display(Image(figures.png(layers.figure), width=680, alt=reading["sentence"]))
        print(textwrap.fill(reading["sentence"], 76))

    def __repr__(self):
        return f"{self.title} (An explorer: run this cell to move its controls.)"


# ------------------------------------------------------------ what several of them say


def contract(instrument, venue, linear=False):
    """A contract to explore, whose rules the venue knows; TypeError or ValueError if it is none."""
    if not isinstance(instrument, Perpetual):
        raise TypeError(f"instrument must be a Perpetual, not {instrument!r}")
    if linear and instrument.inverse:
        raise ValueError(
            f"instrument must be linear, such as BTC-USDT, not the inverse {instrument.symbol!r}"
        )
    if not isinstance(venue, Venue):
        raise TypeError(f"venue must be a Venue, not {venue!r}")
    venue.schedule(instrument)
    return instrument


def opened(trade, *given, **how):
    """(account, "") after a trade, or (None, the venue's reason) if it is refused."""
    try:
        return trade(*given, **how), ""
    except Refused as error:
        return None, str(error)


OPENED = {"opened": lambda column: "no" if column["refused"] else "yes"}


def rows(columns, cells):
    """Rows of a table: {the name of each: what its cells say of a column}."""
    return [[name, *map(cell, columns)] for name, cell in cells.items()]


def would_not(refused):
    """The sentence for books that the venue would not open: {name: reason}."""
    said = "; ".join(f"{name}: {why}" for name, why in refused.items())
    return f"The venue would not open this. {said[0].upper()}{said[1:]}."


def standing(pool, at):
    """(equity, requirement) of a pool at arrays of prices; equity is 0 where it is closed."""
    requirement = pool.requirement(at)
    return np.where(pool.slack(at) > 0, pool.equity(at), 0.0), requirement


def with_steps(grid, *ends):
    """A grid with a point just before and just after each end: a step there, and no slope."""
    steps = [end * (1 + nudge) for end in ends if end is not None for nudge in (-1e-9, 1e-9)]
    return np.union1d(grid, steps)


def amount(value):
    """An amount for readers, without cents; nothing is no negative zero."""
    return f"{value:,.0f}" if abs(value) >= 0.5 else "0"


def difference(value):
    """A difference of amounts for readers, with its sign."""
    return f"{'+' if value >= 0.5 else ''}{amount(value)}"
