"""Predictions, checked exercises, quizzes. Their texts live in the notebooks, answers in the learner's record."""

import math
from html import escape

import ipywidgets as widgets

from ..model.display import fmt
from . import record

WIDE = {"description_width": "initial"}


class Shown:
    """Something shown as a widget, with a short text where there is no kernel."""

    def __repr__(self):
        return f"{type(self).__name__} {self.id}"

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
        self.direction = widgets.ToggleButtons(
            options=list(directions), value=None, description="Direction", style=WIDE
        )
        self.number = widgets.Text(placeholder="a number", description=f"Number ({unit})", style=WIDE)
        self.confidence = widgets.ToggleButtons(options=self.sure, value=None, description="How sure?", style=WIDE)
        self.button = widgets.Button(description="Commit", tooltip="Write the prediction into your record")
        self.button.on_click(lambda _: self.commit())
        self.note, self.verdict = widgets.HTML(), widgets.HTML()
        self.widget = widgets.VBox(
            [
                widgets.HTML(f"<b>Predict.</b> {escape(question)}"),
                *(self.direction, self.number, self.confidence, self.button, self.note),
            ]
        )
        if made := self.made():
            self.note.value = self._said(made)

    def made(self):
        """What was committed to, as a dict, or None."""
        return record.load().get(self.id)

    def commit(self):
        """Record what is filled in, or say what is missing."""
        try:
            number = float(self.number.value.replace(",", "").replace("_", ""))
        except ValueError:
            number = math.nan
        missing = [
            name
            for name, gap in (
                ("a direction", self.direction.value is None),
                ("a number", not math.isfinite(number)),
                ("how sure you are", self.confidence.value is None),
            )
            if gap
        ]
        if missing:
            self.note.value = f"Still missing: {', '.join(missing)}."
            return
        made = {"direction": self.direction.value, "number": number, "confidence": self.confidence.value}
        try:
            record.save(self.id, made)
        except (OSError, ValueError) as error:
            self.note.value = f"Not recorded: {escape(str(error))}"
            return
        self.note.value = self._said(made)

    def _said(self, made):
        return f"Recorded: {escape(made['direction'])}, {fmt(made['number'])} {self.unit}, {made['confidence']}."

    def compare(self, direction, number):
        """What was predicted beside what happened: shown as a widget, so that no saved output depends on it."""
        happened = f"What happened: {escape(direction)}, {fmt(number)} {self.unit}."
        made = self.made()
        if made is None:
            text = (
                f"No prediction is on record. {happened} Next time, commit first: it is what makes the surprise stick."
            )
        else:
            right = "as you said" if made["direction"] == direction else f"you said {escape(made['direction'])}"
            off = made["number"] - number
            text = (
                f"{happened} Direction: {right}. Your number was {fmt(made['number'])}, off by {fmt(off)} "
                f"({escape(made['confidence'])})."
            )
        return Note(self.id, text)


class Note(Shown):
    """A sentence shown as a widget."""

    def __init__(self, id, text):
        self.id, self.text, self.widget = id, text, widgets.HTML(text)


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
        self.widget = widgets.VBox([widgets.HTML(f"<b>{escape(question)}</b>"), self.choice, self.feedback])

    def answer(self, choice):
        """Show the feedback of an answer and record it."""
        if choice is None:
            return
        verdict = "Yes." if choice == self.right else "No."
        self.feedback.value = f'<div aria-live="polite">{verdict} {escape(self.options[choice])}</div>'
        try:
            record.save(self.id, {"answer": choice, "right": choice == self.right})
        except (OSError, ValueError) as error:
            self.feedback.value += f"<div>Not recorded: {escape(str(error))}</div>"


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
        """Print what is right or wrong about a function, and record it. Nothing is raised."""
        verdict, right = self.verdict(answer)
        print(verdict)
        try:
            record.save(self.id, {"right": right, "said": verdict})
        except (OSError, ValueError) as error:
            print(f"Not recorded: {error}")

    def verdict(self, answer):
        """(what to say, whether it is right) of a function."""
        for case in self.cases:
            given = ", ".join(f"{name}={value:,g}" for name, value in case.items())
            try:
                got = answer(**case)
            except NotImplementedError:
                return "Not answered yet: fill in the blank and run the cell again.", False
            except Exception as error:
                return f"With {given} your function stops: {type(error).__name__}: {error}", False
            if not isinstance(got, int | float) or isinstance(got, bool):
                return f"With {given} your function returns {got!r}; it should return a number.", False
            if not self.near(got, self.truth(**case)):
                for slip, word in self.slips:
                    if self.near(got, slip(**case)):
                        return f"Not yet. With {given} you get {fmt(got)}. {word}", False
                return f"Not yet. With {given} you get {fmt(got)}, and it should be {fmt(self.truth(**case))}.", False
        return f"Right, on {len(self.cases)} cases that you had not seen.", True

    def near(self, a, b):
        return math.isclose(a, b, rel_tol=self.tolerance, abs_tol=self.tolerance * 1e-3)
