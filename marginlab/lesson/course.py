"""Tables about the course: its lessons, made from their own headers, and the claims they settle."""

import json
import re
from html import escape
from pathlib import Path
from textwrap import fill

import numpy as np
from attrs import frozen

LEFT = "style='text-align:left;vertical-align:top'"
VERDICTS = ("holds", "holds with a condition", "does not hold")
PARTS = {
    "title": r"# (\d\d · .+)",
    "question": r"\*\*(.+\?)\*\*$",
    "time": r".*\*\*Time:\*\* (?:about )?(\d+ minutes(?:, twice)?)",
    "before": r"\*\*Before you start:\*\* (.+?)\.? \*\*Time",
}


def table(head, rows):
    """Rows of HTML as a table; the first cell of each is its heading."""
    top = "".join(f"<th scope='col' {LEFT}>{name}</th>" for name in head)
    body = []
    for first, *rest in rows:
        cells = "".join(f"<td {LEFT}>{cell}</td>" for cell in rest)
        body.append(f"<tr><th scope='row' {LEFT}>{first}</th>{cells}</tr>")
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table>"


@frozen
class Lesson:
    """What the header of a lesson says."""

    file: str
    title: str
    question: str
    time: str
    before: str

    @classmethod
    def read(cls, path):
        """The header of a notebook; OSError, or ValueError if it is none or a part is missing."""
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            texts = ["".join(cell["source"]) for cell in cells]
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError("it is empty, cut off or in conflict, and no notebook") from error
        header = (text for text in texts if re.search(f"^{PARTS['title']}", text, re.M))
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", next(header, ""))  # links as their words
        found = {name: re.search(f"^{pattern}", text, re.M) for name, pattern in PARTS.items()}
        if missing := ", ".join(name for name, there in found.items() if not there):
            raise ValueError(f"its header has no {missing}")
        return cls(path.name, **{name: there[1] for name, there in found.items()})


class Contents:
    """The lessons in a folder, in order, with links to them; what cannot be read is named."""

    def __init__(self, folder="."):
        self.lessons = []
        self.unread = []
        for path in sorted(Path(folder).glob("0[1-9]_*.ipynb")):
            try:
                self.lessons.append(Lesson.read(path))
            except (OSError, ValueError) as error:
                self.unread.append(f"{path.name} cannot be read: {error}.")

    def __repr__(self):
        lines = [f"{one.title} ({one.time}): {one.question}" for one in self.lessons]
        return "\n".join(lines + self.unread)

    def _repr_html_(self):
        rows = []
        for one in self.lessons:
            link = f"<a href='{escape(one.file)}'>{escape(one.title)}</a>"
            rows.append([link, *map(escape, (one.question, one.time, one.before))])
        unread = "".join(f"<p>{escape(line)}</p>" for line in self.unread)
        return table(["lesson", "its question", "time", "before you start"], rows) + unread


class Claims:
    """A table of claims, each with what was found for it; verdicts follow from the results.

    claims = Claims()
    claims.check("One pump can drain a cross account", "05_when_cross_fails.ipynb#The-helper",
                 {"at our venue": True})
    """

    def __init__(self):
        self.rows = {}

    def check(self, claim, where="", cases=()):
        """Note and print what came out of a claim: `cases` says of each case if it holds there.

        `where` is the notebook and heading that settles it. A claim without cases is open.
        TypeError unless results are bools.
        """
        cases = dict(cases)
        for case, result in cases.items():
            if not isinstance(result, bool | np.bool):
                raise TypeError(f"the result of {case!r} must be True or False, not {result!r}")
        self.rows[claim] = (where, {case: bool(result) for case, result in cases.items()})
        _, verdict, held, failed, _ = self.row(claim)
        said = f"Verdict: {verdict}."
        said += f" Holds for: {held}." if held else ""
        said += f" Fails for: {failed}." if failed else ""
        print(fill(said, 75))

    def verdict(self, claim):
        """What the results say: open, holds, does not hold, or holds with a condition."""
        results = self.rows[claim][1].values()
        if not results:
            return "open"
        return VERDICTS[0 if all(results) else 1 if any(results) else 2]

    def row(self, claim):
        """A claim, its verdict, the cases for it, those against it, where it is settled."""
        where, cases = self.rows[claim]
        held = "; ".join(case for case, found in cases.items() if found)
        failed = "; ".join(case for case, found in cases.items() if not found)
        return claim, self.verdict(claim), held, failed, where

    def table(self):
        """The row of each claim, in the order in which they were checked."""
        return [self.row(claim) for claim in self.rows]

    def __repr__(self):
        return "\n".join(f"{claim}: {verdict}" for claim, verdict, *_ in self.table())

    def _repr_html_(self):
        rows = []
        for *words, where in self.table():
            link = f"<a href='{escape(where)}'>lesson {escape(where[:2])}</a>"
            rows.append([*map(escape, words), link if where else "a lesson to come"])
        return table(["claim", "verdict", "holds for", "fails for", "shown in"], rows)
