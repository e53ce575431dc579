"""Figures of a student's own, from the student's id: the same in ten years, on every machine.

A figure is drawn from SHA-256 of "sheet/name/student": an instructor can work it out again, and
nobody need store it.
"""

import hashlib
import os
import unicodedata
from pathlib import Path

from attrs import field, frozen

from .. import checks

NOBODY = "demo"  # stands where a student writes an id, and has figures to try things with


def same(student):
    """An id as it is compared: without capitals, spaces around it, and ways to store an accent."""
    return unicodedata.normalize("NFKC", student).strip().casefold()


def _student(student):
    if not isinstance(student, str | int) or not str(student).strip():
        raise ValueError(f"student must be your student id, as a text in quotes, not {student!r}")
    return same(str(student))


@frozen
class Personal:
    """Whose figures, and for which problem set.

    While nbgrader grades, the id must be that of the folder in which the work was handed in
    (ValueError), so that nobody answers with the figures of someone else.
    """

    student: str = field(converter=_student)
    sheet: str

    def __attrs_post_init__(self):
        graded = os.environ.get("NBGRADER_EXECUTION") == "autograde"
        by = same(Path.cwd().parent.name)  # autograded/STUDENT/SHEET
        if graded and by != self.student:
            raise ValueError(f"student is {self.student!r}, but this was handed in by {by!r}")
        if self.student == NOBODY and not graded:
            print(f"{NOBODY!r} is nobody's id: what is right here scores nothing. Write your own.")

    def number(self, name, low, high, step):
        """One of low, low + step, ... up to high, each as likely; whole in its last digit.

        ValueError unless low <= high and step is above zero.
        """
        low = checks.number("low", low)
        step = checks.number("step", step, above=0)
        count = int((checks.number("high", high, least=low) - low) / step + 1e-9) + 1
        digest = hashlib.sha256(f"{self.sheet}/{name}/{self.student}".encode()).digest()
        return round(low + step * (int.from_bytes(digest[:8], "big") % count), 10)
