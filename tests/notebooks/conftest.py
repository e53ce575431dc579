"""Lessons as the tests see them: cells, prose, numbers, and what their code does when it runs."""

import contextlib
import copy
import io
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from marginlab.lesson import exercise

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
PAGES = sorted(FOLDER.glob("0*.ipynb"))
LESSONS = sorted(FOLDER.glob("0[1-9]*.ipynb"))


class Notebook:
    """A notebook and its cells; `code` and `prose` are the two kinds."""

    def __init__(self, path, content=None):
        self.path, self.number = path, path.name[:2]
        self.content = content or json.loads(path.read_text(encoding="utf-8"))
        self.cells = self.content["cells"]
        self.code = [cell for cell in self.cells if cell["cell_type"] == "code"]
        self.prose = [cell for cell in self.cells if cell["cell_type"] == "markdown"]

    def copy(self):
        """An in-memory copy, to be changed."""
        return Notebook(self.path, copy.deepcopy(self.content))

    def tagged(self, tag):
        return [cell for cell in self.code if tag in cell["metadata"].get("tags", ())]

    @property
    def exercises(self):
        """{id: (exercise cell, solution cell or None)}."""
        found = {}
        for tag in ("exercise", "solution"):
            for cell in self.tagged(tag):
                found.setdefault(cell["metadata"]["exercise"], {})[tag] = cell
        return {name: (pair.get("exercise"), pair.get("solution")) for name, pair in found.items()}

    @property
    def checks(self):
        """{id: `Exercise`}, made afresh from the questions beside the lesson."""
        return {name: exercise(name) for name in self.exercises}

    @property
    def asked(self):
        """{id: its texts} of all that the lesson's questions hold."""
        return tomllib.loads((self.path.parent / f"questions/{self.number}.toml").read_text(encoding="utf-8"))

    @property
    def headings(self):
        """(level, text) of every heading, in order."""
        lines = "\n".join(source(cell) for cell in self.prose).splitlines()
        return [(len(m[1]), m[2].strip()) for m in (re.match(r"(#+) (.*)", line) for line in lines) if m]

    def swap(self, old, new, where):
        """Replace a text in "prose", "source" or "outputs"; the number of cells that changed."""
        changed = 0
        for cell in self.prose if where == "prose" else self.code:
            field = "outputs" if where == "outputs" else "source"
            before = json.dumps(cell[field], ensure_ascii=False)
            cell[field] = json.loads(before.replace(old, new))
            changed += before.count(old)
        return changed


def source(cell):
    return "".join(cell["source"])


def text_outputs(cell):
    """Every text that a cell shows, as one string."""
    parts = []
    for output in cell.get("outputs", ()):
        parts += [*output.get("text", ()), "\n", *output.get("data", {}).get("text/plain", ()), "\n"]
    return "".join(parts)


class Run:
    """The code of a notebook executed in one namespace, without IPython: what each cell printed, and its names."""

    def __init__(self, notebook):
        self.names, self.printed = {"__name__": "lesson"}, {}
        for cell in notebook.code:
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(compile(source(cell), cell["id"], "exec"), self.names)
            self.printed[cell["id"]] = said.getvalue()
        if pyplot := sys.modules.get("matplotlib.pyplot"):
            pyplot.close("all")

    @property
    def values(self):
        """The numbers that the notebook's own names hold."""
        return [abs(float(v)) for v in self.names.values() if type(v) in (int, float)]

    def held(self, kind):
        """What the names hold of a class, by its `id`."""
        return {v.id: v for v in self.names.values() if isinstance(v, kind)}


@pytest.fixture(params=PAGES, ids=lambda path: path.stem)
def page(request):
    """Every page of the course, the start page too."""
    return Notebook(request.param)


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    return Notebook(request.param)


@pytest.fixture(autouse=True)
def record_file(tmp_path, monkeypatch):
    """No test writes into a learner's own record."""
    monkeypatch.setenv("MARGINLAB_RECORD", str(tmp_path / "answers.json"))
    return tmp_path / "answers.json"


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """run(notebook): its `Run`, made once for each file."""
    made = {}

    def run(notebook):
        if notebook.path not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("MARGINLAB_RECORD", str(tmp_path_factory.mktemp("run") / "answers.json"))
                made[notebook.path] = Run(notebook)
        return made[notebook.path]

    return run


@pytest.fixture
def tools():
    """The helpers of this file, for tests (a conftest cannot be imported)."""

    class Tools:
        Notebook, Run, FOLDER, LESSONS = Notebook, Run, FOLDER, LESSONS
        source, text_outputs = staticmethod(source), staticmethod(text_outputs)

    return Tools
