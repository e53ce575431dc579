"""Predictions, quizzes, checked exercises and graded tasks.

Their texts lie beside the notebooks (`questions`), answers in the learner's record.
"""

import copy
import math
from html import escape
from numbers import Real

import ipywidgets as widgets

from ..show import fmt
from . import record
from .numbers import parse
from .questions import asked
from .shown import STYLE, Note, Shown, twin

BLANK = "Not answered yet: fill in the blank and run the cell again."
WIDE = {"description_width": "initial"}
WHOLE = {"continuous_update": False}  # sent when left: a fast Commit would overtake single letters


def counted(answer, before):
    """An answer with the number of tries, the first, and the number of the first that was right."""
    before = before if isinstance(before, dict) else {}
    tries = before["tries"] + 1 if isinstance(before.get("tries"), int) else 1
    first = before.get("first", answer)
    # "solved" is not in a record of the course's first version
    said = ((1, first), (tries - 1, before), (tries, answer))
    right = (n for n, one in said if isinstance(one, dict) and one.get("right") is True)
    solved = before.get("solved") or next(right, None)
    return answer | {"tries": tries, "first": first} | ({"solved": solved} if solved else {})


def keep(key, answer):
    """Record an answer, counted; "", or what went wrong."""
    try:
        record.change(key, lambda before: counted(answer, before))
    except OSError as error:  # a full disk, most often
        why = escape(error.strerror or str(error))
        return (
            f"Not recorded: {why}. Your earlier answers are whole; mend that, and give this one "
            f"again."
        )
    except ValueError as error:
        return f"Not recorded: {escape(str(error))}"
    return ""


def remembered(key, **kinds):
    """What the record holds under a key, if it has these fields of these kinds, or None.

    Damage is told when an answer is kept.
    """
    try:
        there = record.load().get(key)
    except (OSError, ValueError):
        return None
    whole = isinstance(there, dict) and all(isinstance(there.get(k), kinds[k]) for k in kinds)
    return there if whole else None


def nothing():
    """What is said where nothing is recorded."""
    return f"Nothing recorded yet. {escape(record.strays())}".strip()


def head(text):
    """A question over its widgets."""
    return widgets.HTML(f"{STYLE}<b>{escape(text)}</b>")


class Prediction(Shown):
    """A direction, a number and a confidence, committed to before the answer is seen.

    `id` is the key in the learner's record and in the questions beside the notebook; `about` may
    say the question, its directions and the number's unit instead. Nothing is filled in for the
    learner.
    """

    sure = ("a guess", "fairly sure", "certain")

    def __init__(self, id, about=None):
        about = about or asked(id)
        self.id = id
        self.question = about["question"]
        self.unit = about["unit"]
        rem = max(9, 2 + max(map(len, about["directions"])) / 2)  # or long words are cut off
        self.direction = widgets.ToggleButtons(
            options=about["directions"],
            value=None,
            description="Direction",
            style=WIDE | {"button_width": f"{rem:g}rem"},
        )
        self.number = widgets.Text(
            placeholder="a number", **WHOLE, description=f"Number ({self.unit})", style=WIDE
        )
        self.confidence = widgets.ToggleButtons(
            options=self.sure, value=None, description="How sure?", style=WIDE
        )
        self.button = widgets.Button(
            description="Commit", tooltip="Write the prediction into your record"
        )
        self.button.on_click(lambda _: self.commit())
        made = self.made()
        self.note = widgets.HTML(self._said(made) if made else nothing())
        parts = (self.direction, self.number, self.confidence, self.button, self.note)
        top = widgets.HTML(f"{STYLE}<b>Predict.</b> {escape(self.question)}")
        self.widget = widgets.VBox([top, *parts])

    def twin_html(self):
        return twin(f"Predict. {self.question}", choices=self.direction.options)

    def made(self):
        """What was committed to, as a dict, or None."""
        return remembered(self.id, direction=str, number=Real, confidence=str)

    def commit(self):
        """Record what is filled in, or say what is missing."""
        number, trouble = parse(self.number.value.strip().removesuffix(self.unit))
        if self.direction.value is None:
            trouble = "choose a direction"
        elif not trouble and self.confidence.value is None:
            trouble = "say how sure you are"
        if trouble:
            self.note.value = f"Not recorded yet: {escape(trouble)}."
            return
        made = {"direction": self.direction.value, "number": number}
        made["confidence"] = self.confidence.value
        self.note.value = keep(self.id, made) or self._said(made)

    def _said(self, made):
        number = f"{fmt(made['number'])} {self.unit}"
        return f"Recorded: {escape(made['direction'])}, {number}, {escape(made['confidence'])}."

    def compare(self, direction, number):
        """What was predicted beside what happened; without a prediction it gives nothing away.

        A widget, so that no saved output depends on it; the twin has what happened, folded.
        """
        answer = f"{escape(direction)}; {fmt(number)} {self.unit}"
        html = twin(self.question, folded=f"What happens: {answer}.")
        made = self.made()
        if made is None:
            said = "Nothing is committed yet. Go up to <b>Predict</b>, commit, and run this cell "
            return Note(self.id, said + "again.", html)
        said = f"and you said {escape(made['direction'])}"
        right = "as you said" if made["direction"] == direction else said
        off = made["number"] - number
        points = "percentage points" if self.unit == "%" else self.unit
        way = f"{fmt(abs(off))} {points} too {'high' if off > 0 else 'low'}"
        if abs(off) <= 1e-3 * abs(number):  # as it was printed, rounded
            way = "right"
        return Note(
            self.id,
            f"What happens: {escape(direction)}, {right}; {fmt(number)} {self.unit}. Your number "
            f"was {fmt(made['number'])}, {way}; you called it: {escape(made['confidence'])}.",
            html,
        )


class Reflection(Shown):
    """A sentence of the learner's own, kept in the record; `id` and `about` as for `Prediction`."""

    def __init__(self, id, about=None):
        self.id = id
        self.question = (about or asked(id))["question"]
        room = widgets.Layout(width="auto", max_width="40rem")
        self.text = widgets.Textarea(placeholder="One or two sentences", **WHOLE, layout=room)
        made = remembered(id, text=str)
        self.text.value = made["text"] if made else ""
        self.button = widgets.Button(
            description="Keep", tooltip="Write the sentence into your record"
        )
        self.note = widgets.HTML("Kept." if made else nothing())
        self.button.on_click(lambda _: self.commit())
        self.widget = widgets.VBox([head(self.question), self.text, self.button, self.note])

    def twin_html(self):
        return twin(self.question)

    def commit(self):
        """Record the sentence, if there is one."""
        if not self.text.value.strip():
            self.note.value = "Not recorded yet: write a sentence."
            return
        self.note.value = keep(self.id, {"text": self.text.value}) or "Kept."


class Quiz(Shown):
    """One question; every answer has feedback of its own, and one of them is right.

    `id` and `about` as for `Prediction`.
    """

    def __init__(self, id, about=None):
        about = about or asked(id)
        self.id = id
        self.question = about["question"]
        self.options = {one["answer"]: one["feedback"] for one in about["answers"]}
        (self.right,) = (one["answer"] for one in about["answers"] if one.get("right"))
        made = remembered(id, answer=str)
        there = made["answer"] if made and made["answer"] in self.options else None
        self.choice = widgets.RadioButtons(
            options=list(self.options), value=there, layout=widgets.Layout(width="auto")
        )
        self.choice.observe(lambda change: self.answer(change["new"]), "value")
        self.feedback = widgets.HTML(f"Recorded. {self.word(there)}" if there else nothing())
        self.widget = widgets.VBox([head(self.question), self.choice, self.feedback])

    def word(self, choice):
        """What is said to an answer."""
        return f"{'Yes.' if choice == self.right else 'Not quite.'} {escape(self.options[choice])}"

    def twin_html(self):
        answer = f"<b>{escape(self.right)}.</b> {escape(self.options[self.right])}"
        return twin(self.question, choices=self.options, folded=answer)

    def answer(self, choice):
        """Show the feedback of an answer and record it."""
        if choice is None:
            return
        trouble = keep(self.id, {"answer": choice, "right": choice == self.right})
        self.feedback.value = f'<div aria-live="polite">{self.word(choice)} {trouble}</div>'


class Exercise:
    """A function to write, checked on fresh inputs, with a word on each likely slip.

    Parameters
    ----------
    id : str
    truth : callable
        The right answer for keyword arguments.
    cases : sequence of dict
        Inputs on which the answer is checked.
    slips : sequence of (callable, str)
        Wrong answers that people give, and what to say to each.
    tolerance : float
        Relative.
    """

    def __init__(self, id, truth, cases, slips=(), tolerance=1e-6):
        self.id = id
        self.truth = truth
        self.cases = list(cases)
        self.slips = list(slips)
        self.tolerance = tolerance

    def check(self, answer):
        """Print what is right or wrong about a function; recorded unless it is still blank."""
        said, right = self.verdict(answer)
        print(said)
        if said != BLANK and (trouble := keep(self.id, {"right": right, "said": said})):
            print(trouble)

    def solution(self, answer):
        """Print whether the course's own solution is right; nothing is recorded."""
        said, right = self.verdict(answer)
        print("This solution passes the check." if right else f"This solution is wrong: {said}")

    def verdict(self, answer):
        """(what to say, whether it is right) of a function."""
        for case in self.cases:
            if said := self.wrong(answer, case):
                return said, False
        return f"Right, on {len(self.cases)} cases that you had not seen.", True

    def wrong(self, answer, case):
        """What to say of a function that is wrong on a case; "" if it is right."""
        given = ", ".join(f"{name}={value:,g}" for name, value in case.items())
        try:
            got = answer(**case)
        except NotImplementedError:
            return BLANK
        except Exception as error:  # of the learner's code, and shown as such
            return f"With {given} your function stops: {type(error).__name__}: {error}"
        if not isinstance(got, Real) or isinstance(got, bool):
            return f"With {given} your function returns {got!r}; it should return a number."
        try:
            got = float(got)
        except OverflowError:
            got = math.inf
        truth = self.truth(**case)
        if self.near(got, truth):
            return ""
        slips = [(slip(**case), word) for slip, word in self.slips]
        slips = [(abs(got - wrong), word) for wrong, word in slips if self.near(got, wrong)]
        if slips:
            word = min(slips, key=lambda slip: slip[0])[1]  # of the nearest
            return f"Not yet. With {given} you get {fmt(got)}. {word}"
        off = abs(got - truth)
        if off < 1e-3 * abs(got) or got in (float(f"{truth:.{digits}g}") for digits in (2, 3)):
            said = f"you are off by {off:.2g}: is it rounded, or a step not exact?"
            return f"Nearly. With {given} {said}"
        return f"Not yet. With {given} you get {fmt(got)}{self.hint(case)}."

    def hint(self, case):
        """What is said of a wrong answer that is no known slip."""
        return f", and it should be {fmt(self.truth(**case))}"

    def near(self, a, b):
        return math.isclose(a, b, rel_tol=self.tolerance, abs_tol=self.tolerance * 1e-3)


class Wrong(AssertionError):
    """What is wrong about an answer: a notebook shows it alone, without the way to it."""

    def _render_traceback_(self):
        return [str(self)]


class Graded:
    """What raises where an answer is not right; nothing is recorded."""

    def require(self, answer):
        """Print what is right about an answer; `Wrong`, with the reason, if it is not right."""
        said, right = self.verdict(answer)
        if not right:  # and no assert, which Python drops where PYTHONOPTIMIZE is set
            raise Wrong(said)
        print(said)


class Task(Graded, Exercise):
    """A function to write, or a number of the student's own to work out.

    For a number there is one case, and it may be rounded to four digits. Parameters as for
    `Exercise`.
    """

    def verdict(self, answer):
        """(what to say, whether it is right) of a function or a number."""
        if callable(answer):
            return super().verdict(answer)
        if len(self.cases) > 1:
            return (
                f"Your answer is {answer!r}; it should be a function: write it with `def`.",
                False,
            )
        number = self.on(*self.cases)
        number.tolerance = 5e-4
        said = number.wrong(lambda **case: answer, *self.cases)
        said = said.replace("your function returns", "your answer is")
        said = said.replace("return a number", "be a number")
        return said or "Right.", not said

    def on(self, *cases):
        """The same task on other cases: for hidden tests."""
        other = copy.copy(self)
        other.cases = list(cases)
        return other

    def hint(self, case):
        return ""  # the number is what is asked for


class Search(Graded):
    """A case that the student has to find, as a dict of numbers.

    Parameters
    ----------
    id : str
    shows : callable
        (whether it shows what was asked for, what to say of it) for the keyword arguments of a
        case.
    ranges : dict of (low, high)
        What may be in a case, and between which bounds.
    slips : sequence of (dict, str)
        Cases that do not do, and what is said to each.
    """

    def __init__(self, id, shows, ranges, slips=()):
        self.id = id
        self.shows = shows
        self.ranges = dict(ranges)
        self.slips = list(slips)

    def verdict(self, found):
        """(what to say, whether it is right) of a case."""
        if found is None:
            return BLANK, False
        if not isinstance(found, dict) or found.keys() != self.ranges.keys():
            asked = f"dict({'=…, '.join(self.ranges)}=…)"
            return f"Your answer is {found!r}; it should be {asked}.", False
        for name, (low, high) in self.ranges.items():
            value = found[name]
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not low <= value <= high:
                allowed = f"a number from {low:,g} to {high:,g}"
                return f"{name} is {value!r}; it should be {allowed}.", False
        right, said = self.shows(**found)
        return (f"Right. {said}" if right else said), right
