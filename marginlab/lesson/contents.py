"""The map of the course, made from the lessons' own headers: it cannot go stale."""

import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

HEAD = ["lesson", "its question", "time", "before you start"]
PARTS = {
    "title": r"# (\d\d · .+)",
    "question": r"\*\*(.+\?)\*\*$",
    "time": r".*\*\*Time:\*\* (?:about )?(\d+ minutes)",
    "before": r"\*\*Before you start:\*\* (.+?)\.? \*\*Time",
}


@dataclass(frozen=True)
class Lesson:
    """What the header of a lesson says."""

    file: str
    title: str
    question: str
    time: str
    before: str


def lesson(path):
    """The header of a notebook; ValueError if a part is missing."""
    source = json.loads(Path(path).read_text(encoding="utf-8"))["cells"][0]["source"]
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", "".join(source))  # links as their words
    found = {}
    for name, pattern in PARTS.items():
        if not (there := re.search(f"^{pattern}", text, re.M)):
            raise ValueError(f"the header of {Path(path).name} has no {name}")
        found[name] = there[1]
    return Lesson(Path(path).name, **found)


class Contents:
    """The lessons in a folder, in order, with links to them."""

    def __init__(self, folder="."):
        self.lessons = [lesson(path) for path in sorted(Path(folder).glob("0[1-9]_*.ipynb"))]

    def __repr__(self):
        return "\n".join(f"{one.title} ({one.time}): {one.question}" for one in self.lessons)

    def _repr_html_(self):
        left = "style='text-align:left;vertical-align:top'"
        head = "".join(f"<th scope='col' {left}>{name}</th>" for name in HEAD)
        rows = []
        for one in self.lessons:
            link = f"<th scope='row' {left}><a href='{escape(one.file)}'>{escape(one.title)}</a></th>"
            rest = "".join(f"<td {left}>{escape(said)}</td>" for said in (one.question, one.time, one.before))
            rows.append(f"<tr>{link}{rest}</tr>")
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
