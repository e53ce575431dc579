"""One page to hand in, made from the learner's record."""

import base64
from html import escape

import ipywidgets as widgets

from ..show import fmt
from . import record
from .shown import STYLE, Shown

KINDS = {"confidence": "prediction", "answer": "quiz", "text": "in your words"}
HEAD = ("exercise", "kind", "answer", "", "tries")
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>marginlab: {name}</title><style>
body{{font:12px/1.35 sans-serif;max-width:60em;margin:1.5em auto;padding:0 1em;
  color:#222;background:#fff}}
h1{{font-size:18px}} h2{{font-size:14px;margin:.9em 0 .2em}}
table{{border-collapse:collapse;width:100%}}
th,td{{text-align:left;vertical-align:top;padding:.15em .8em .15em 0;border-bottom:1px solid #ccc}}
</style></head><body><h1>marginlab: {name}</h1><p>{count}</p>{lessons}</body></html>
"""


NTH = "first second third fourth fifth sixth seventh eighth ninth tenth".split()


def predicted(made):
    return f"{made['direction']}, {fmt(made['number'])}, {made['confidence']}"


def went(answer):
    """How it went, if it can be right or wrong: a right answer is not forgotten for a later one."""
    first = answer.get("first", answer).get("right") is True
    if solved := answer.get("solved") or int(first):
        return f"right at the {NTH[solved - 1]} try" if solved <= 10 else f"right at try {solved}"
    # of a record of the course's first version nobody knows at which try
    return {True: "right, not at first", False: "not yet"}.get(answer.get("right"), "")


def row(key, answer):
    """(lesson, exercise, kind, what was answered, how it went, tries) of an entry."""
    kind = next((name for field, name in KINDS.items() if field in answer), "exercise")
    said = answer.get("answer") or answer.get("text") or ""
    if kind == "prediction":
        said = predicted(answer)
        if (first := predicted(answer.get("first", answer))) != said:
            said = f"at first: {first}; then: {said}"
    return key[:2], key, kind, said, went(answer), answer.get("tries", 1)


def rows(answers):
    """The rows of all entries, in order of ids; one of another shape is told so."""
    for key, answer in sorted(answers.items()):
        try:
            yield row(key, answer)
        except (AttributeError, LookupError, TypeError, ValueError):
            yield key[:2], key, "cannot be read", "", "", ""


def cells(tag, row):
    """A row of a table in HTML."""
    return f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag[:2]}>' for cell in row)}</tr>"


def page(name, answers):
    """The page as HTML: nothing but what is in `answers`, a table for each lesson."""
    found = list(rows(answers))
    lessons = ""
    for number in dict.fromkeys(row[0] for row in found):
        body = "".join(cells("td", row[1:]) for row in found if row[0] == number)
        head = cells("th scope='col'", HEAD)
        lessons += f"<h2>Lesson {escape(number)}</h2><table>{head}{body}</table>"
    right = sum(row[4].startswith("right") for row in found)
    judged = sum(bool(row[4]) for row in found)
    count = f"Answers: {len(found)}. Right, of those that can be right or wrong: "
    count += f"{right} of {judged}."
    return PAGE.format(name=escape(name), count=count, lessons=lessons)


class HandIn(Shown):
    """A name and a button: writes `my_summary.html` beside the record, and offers both."""

    id = "summary"
    title = "A page to hand in, made from your answers"

    def __init__(self):
        self.name = widgets.Text(
            placeholder="as your course knows you", description="Name", continuous_update=False
        )
        self.button = widgets.Button(
            description="Make my page", tooltip="Write my_summary.html from your answers"
        )
        self.note = widgets.HTML(escape(record.strays()))
        self.button.on_click(lambda _: self.make())
        self.widget = widgets.VBox([widgets.HTML(STYLE), self.name, self.button, self.note])

    def make(self):
        """Write the page, or say why not; the record stays as it is."""
        name = self.name.value.strip()
        if not name:
            self.note.value = "Not made yet: write your name."
            return
        try:
            answers = record.load()
            if not answers:
                self.note.value = "Not made yet: nothing is recorded. Commit to a prediction first."
                return
            made = page(name, answers)
            kept = record.path()
            record.write(kept.with_name("my_summary.html"), made)
            own = kept.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            self.note.value = f"Not made: {escape(str(error))}"
            return
        links = download("my_summary.html", made, "text/html")
        links += " · " + download("my_answers.json", own, "application/json")
        self.note.value = f"Written beside your notebooks. Download: {links}"


def download(name, text, kind):
    """A link that carries the file itself: on Binder the folder is gone in the evening."""
    data = base64.b64encode(text.encode()).decode()
    return f'<a download="{name}" href="data:{kind};base64,{data}">{name}</a>'
