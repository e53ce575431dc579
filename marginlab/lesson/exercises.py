"""Predictions, checked exercises, quizzes. Their texts live in the notebooks, answers in the learner's record."""

import math
from html import escape
from numbers import Real

import ipywidgets as widgets

from ..show import fmt
from . import record
from .numbers import parse
from .style import STYLE

BLANK = "Not answered yet: fill in the blank and run the cell again."
WIDE = {"description_width": "initial"}
WHOLE = {"continuous_update": False}  # sent when left: a fast Commit would overtake single letters


def keep(key, answer):
    """Record an answer with the number of tries and the first one; "" if that went well, else what went wrong."""
    try:
        before = record.load().get(key, {})
        record.save(key, answer | {"tries": before.get("tries", 0) + 1, "first": before.get("first", answer)})
    except OSError as error:  # a full disk, most often
        why = error.strerror or str(error)
        return f"Not recorded: {escape(why)}. Your earlier answers are whole; mend that, and give this one again."
    except ValueError as error:
        return f"Not recorded: {escape(str(error))}"
    return ""


def remembered(key):
    """What the record holds for an exercise, or None; a damaged record is told of when the next answer is kept."""
    try:
        return record.load().get(key)
    except (OSError, ValueError):
        return None


class Shown:
    """Something shown as a widget, with a short text where there is no kernel."""

    def __repr__(self):
        return f"{type(self).__name__} {self.id}: run this cell to use it."

    def _repr_mimebundle_(self, **options):
        return self.widget._repr_mimebundle_(**options) | {"text/plain": repr(self)}


class Prediction(Shown):
    """A direction, a number and a confidence, committed to before the answer is seen; nothing is filled in for you.

    Parameters
    ----------
    id : str
        Key in the learner's record.
    question : str
    directions : sequence of str
        What can be chosen.
    unit : str
        Of the number.
    """

    sure = ("a guess", "fairly sure", "certain")

    def __init__(self, id, question, directions, unit):
        self.id, self.unit = id, unit
        width = {"button_width": f"{max(9, 2 + max(map(len, directions)) / 2):g}rem"}  # or long words are cut off
        self.direction = widgets.ToggleButtons(
            options=list(directions), value=None, description="Direction", style=WIDE | width
        )
        self.number = widgets.Text(placeholder="a number", **WHOLE, description=f"Number ({unit})", style=WIDE)
        self.confidence = widgets.ToggleButtons(options=self.sure, value=None, description="How sure?", style=WIDE)
        self.button = widgets.Button(description="Commit", tooltip="Write the prediction into your record")
        self.button.on_click(lambda _: self.commit())
        self.note = widgets.HTML()
        self.widget = widgets.VBox(
            [
                widgets.HTML(f"{STYLE}<b>Predict.</b> {escape(question)}"),
                *(self.direction, self.number, self.confidence, self.button, self.note),
            ]
        )
        if made := self.made():
            self.note.value = self._said(made)

    def made(self):
        """What was committed to, as a dict, or None."""
        return remembered(self.id)

    def commit(self):
        """Record what is filled in, or say what is missing."""
        number, trouble = parse(self.number.value.strip().removesuffix(self.unit))
        if self.direction.value is None:
            trouble = "choose a direction"
        if not trouble and self.confidence.value is None:
            trouble = "say how sure you are"
        if trouble:
            self.note.value = f"Not recorded yet: {escape(trouble)}."
            return
        made = {"direction": self.direction.value, "number": number, "confidence": self.confidence.value}
        self.note.value = keep(self.id, made) or self._said(made)

    def _said(self, made):
        return f"Recorded: {escape(made['direction'])}, {fmt(made['number'])} {self.unit}, {made['confidence']}."

    def compare(self, direction, number):
        """What was predicted beside what happened; a widget, so that no saved output depends on it.

        Without a prediction it gives nothing away.
        """
        made = self.made()
        if made is None:
            return Note(self.id, "Nothing is committed yet. Go up to <b>Predict</b>, commit, and run this cell again.")
        right = "as you said" if made["direction"] == direction else f"and you said {escape(made['direction'])}"
        off = made["number"] - number
        near = abs(off) <= 1e-3 * abs(number)  # as it was printed, rounded
        points = "percentage points" if self.unit == "%" else self.unit
        way = "right" if near else f"{fmt(abs(off))} {points} too {'high' if off > 0 else 'low'}"
        return Note(
            self.id,
            f"What happens: {escape(direction)}, {right}; {fmt(number)} {self.unit}. Your number was "
            f"{fmt(made['number'])}, {way}; you called it: {escape(made['confidence'])}.",
        )


class Note(Shown):
    """A sentence shown as a widget."""

    def __init__(self, id, text):
        self.id, self.text, self.widget = id, text, widgets.HTML(text)


class Reflection(Shown):
    """A sentence of the learner's own, kept in the record."""

    def __init__(self, id, prompt):
        self.id = id
        room = widgets.Layout(width="auto", max_width="40rem")
        self.text = widgets.Textarea(placeholder="One or two sentences", **WHOLE, layout=room)
        self.text.value = (remembered(id) or {}).get("text", "")
        self.button = widgets.Button(description="Keep", tooltip="Write the sentence into your record")
        self.note = widgets.HTML()
        self.button.on_click(lambda _: self.commit())
        self.widget = widgets.VBox([widgets.HTML(f"{STYLE}<b>{escape(prompt)}</b>"), self.text, self.button, self.note])

    def commit(self):
        """Record the sentence, if there is one."""
        if not self.text.value.strip():
            self.note.value = "Not recorded yet: write a sentence."
            return
        self.note.value = keep(self.id, {"text": self.text.value}) or "Kept."


class Quiz(Shown):
    """One question; every answer has feedback of its own.

    `options` are (answer, feedback) pairs; `right` is the answer that holds.
    """

    def __init__(self, id, question, options, right):
        self.id, self.options, self.right = id, dict(options), right
        if right not in self.options:
            raise ValueError(f"right must be one of the answers {list(self.options)}, not {right!r}")
        self.choice = widgets.RadioButtons(options=list(self.options), value=None, layout=widgets.Layout(width="auto"))
        self.choice.observe(lambda change: self.answer(change["new"]), "value")
        self.feedback = widgets.HTML()
        self.widget = widgets.VBox([widgets.HTML(f"{STYLE}<b>{escape(question)}</b>"), self.choice, self.feedback])

    def answer(self, choice):
        """Show the feedback of an answer and record it."""
        if choice is None:
            return
        verdict = "Yes." if choice == self.right else "Not quite."
        trouble = keep(self.id, {"answer": choice, "right": choice == self.right})
        self.feedback.value = f'<div aria-live="polite">{verdict} {escape(self.options[choice])} {trouble}</div>'


class Exercise:
    """A function to write, checked on fresh inputs against `truth`, with a word on each likely slip.

    Parameters
    ----------
    id : str
    truth : callable
        The right answer for keyword arguments.
    cases : sequence of dict
        Inputs on which the answer is checked.
    slips : sequence of (callable, str)
        Wrong answers that people give, and what to say to each.
    """

    def __init__(self, id, truth, cases, slips=(), tolerance=1e-6):
        self.id, self.truth, self.cases, self.slips, self.tolerance = id, truth, list(cases), list(slips), tolerance

    def check(self, answer):
        """Print what is right or wrong about a function, and record it unless it is still blank. Nothing is raised."""
        verdict, right = self.verdict(answer)
        print(verdict)
        if verdict == BLANK:
            return
        if trouble := keep(self.id, {"right": right, "said": verdict}):
            print(trouble)

    def solution(self, answer):
        """Print whether the course's own solution is right: no try of the learner's, so nothing is recorded."""
        said, right = self.verdict(answer)
        print("This solution passes the check." if right else f"This solution is wrong: {said}")

    def verdict(self, answer):
        """(what to say, whether it is right) of a function."""
        for case in self.cases:
            given = ", ".join(f"{name}={value:,g}" for name, value in case.items())
            try:
                got = answer(**case)
            except NotImplementedError:
                return BLANK, False
            except Exception as error:
                return f"With {given} your function stops: {type(error).__name__}: {error}", False
            if not isinstance(got, Real) or isinstance(got, bool):
                return f"With {given} your function returns {got!r}; it should return a number.", False
            try:
                got = float(got)
            except OverflowError:
                got = math.inf
            truth = self.truth(**case)
            if self.near(got, truth):
                continue
            slips = [(abs(got - wrong), word) for slip, word in self.slips if self.near(got, wrong := slip(**case))]
            if slips:
                word = min(slips, key=lambda slip: slip[0])[1]  # of the nearest
                return f"Not yet. With {given} you get {fmt(got)}. {word}", False
            off = abs(got - truth)
            if off < 1e-3 * abs(got) or got in (float(f"{truth:.{digits}g}") for digits in (2, 3)):
                return f"Nearly. With {given} you are off by {off:.2g}: is it rounded, or a step not exact?", False
            return f"Not yet. With {given} you get {fmt(got)}{self.hint(case)}.", False
        return f"Right, on {len(self.cases)} cases that you had not seen.", True

    def hint(self, case):
        """What is said of a wrong answer that is no known slip."""
        return f", and it should be {fmt(self.truth(**case))}"

    def near(self, a, b):
        return math.isclose(a, b, rel_tol=self.tolerance, abs_tol=self.tolerance * 1e-3)
