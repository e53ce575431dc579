"""The problem sets: their sources, and a course folder in which nbgrader grades."""

import importlib.util
import re
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks/assignments"
HIDDEN = Path(__file__).resolve().parent / "hidden"
SHEETS = sorted(path.name for path in (FOLDER / "source").iterdir())


def imported(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sys.path.insert(0, str(FOLDER))
import grading  # noqa: E402  (it lies beside the notebooks)


class Sheet:
    """A problem set: its notebook, and its tasks for a student."""

    def __init__(self, name, folder=None):
        self.name = name
        self.folder = folder or FOLDER / "source" / name
        self.notebook = nbformat.read(self.folder / f"{name}.ipynb", as_version=4)
        self.checks = imported(f"checks_{name}", FOLDER / "source" / name / "checks.py")

    def figures(self, student="demo"):
        from marginlab.lesson.personal import Personal

        return self.checks.figures(Personal(student, self.name))

    def tasks(self, student="demo"):
        return self.checks.tasks(self.figures(student))

    def cells(self, **about):
        """{grade id: cell} of the cells whose nbgrader metadata say so."""
        found = [(cell.metadata.get("nbgrader", {}), cell) for cell in self.notebook.cells]
        return {meta["grade_id"]: cell for meta, cell in found if meta and about.items() <= meta.items()}

    @property
    def checked(self):
        """{task: its check cell}."""
        return {name: cell for name, cell in self.cells(grade=True).items() if cell.cell_type == "code"}

    @property
    def solutions(self):
        """{grade id: the text that is taken out for students}."""
        text = re.compile(r"### BEGIN SOLUTION\n(.*?)\n\s*### END SOLUTION", re.S)
        return {name: text.search(cell.source)[1] for name, cell in self.cells(solution=True).items()}

    def answered(self, **answers):
        """A copy of the notebook in which these answer cells hold other code."""
        made = nbformat.from_dict(self.notebook)
        made = nbformat.reads(nbformat.writes(made), as_version=4)
        for cell in made.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id", "").removesuffix("-answer")
            if cell.metadata.get("nbgrader", {}).get("solution") and name in answers:
                cell.source = answers[name]
        return made


class Course:
    """A course folder: hand work in, have it graded."""

    def __init__(self, folder, sheets=SHEETS, hidden=None):
        self.folder = folder
        grading.prepare(folder, hidden, sheets)

    def hand_in(self, sheet, student, notebook, name=None):
        to = self.folder / "submitted" / student / sheet
        to.mkdir(parents=True, exist_ok=True)
        text = notebook if isinstance(notebook, str) else nbformat.writes(notebook)
        (to / (name or f"{sheet}.ipynb")).write_text(text, encoding="utf-8")

    def grade(self, sheet):
        return grading.grade(self.folder, sheet)

    def said(self, sheet, student):
        """{grade id: what its cell printed or raised} after grading."""
        path = self.folder / "autograded" / student / sheet / f"{sheet}.ipynb"
        found = {}
        for cell in nbformat.read(path, as_version=4).cells:
            if name := cell.metadata.get("nbgrader", {}).get("grade_id"):
                parts = [o.get("text") or o.get("evalue") or "" for o in cell.get("outputs", ())]
                found[name] = found.get(name, "") + "".join(parts)
        return found


@pytest.fixture(params=SHEETS)
def sheet(request):
    return Sheet(request.param)


@pytest.fixture(scope="session")
def tools():
    """The helpers of this file (a conftest cannot be imported)."""

    class Tools:
        folder, hidden, sheets = FOLDER, HIDDEN, SHEETS

    Tools.Sheet, Tools.Course, Tools.grading = Sheet, Course, grading
    Tools.imported = staticmethod(imported)
    return Tools
