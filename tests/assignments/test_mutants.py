"""A check of a function refuses every small change of its model solution: a sign, term, name, branch or figure."""

import re
import sys

from marginlab.lesson import Task
from tests.mutants import mutants


def written(source):
    """The numbers of the lines that a student writes."""
    lines = source.splitlines()
    begin, end = (next(n for n, line in enumerate(lines, 1) if f"### {word} SOL" in line) for word in ("BEGIN", "END"))
    return range(begin + 1, end)


def test_every_small_change_of_a_solution_is_refused(sheet, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "checks", sheet.checks)
    known, tried = {}, 0
    for cell in sheet.notebook.cells:
        if cell.cell_type != "code":
            continue
        exec(cell.source, known)
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "").removesuffix("-answer")
        if not re.search(rf"^def {name}\(", cell.source, re.M):
            continue
        task = (known["tasks"] | known.get("desk", {}))[name]
        assert isinstance(task, Task) and task.verdict(known[name])[1]
        for text in mutants(cell.source, written(cell.source), known["mine"]):
            exec(text, made := dict(known))
            assert not task.verdict(made[name])[1], f"{name} accepts\n{text}"
            tried += 1
    assert tried >= 20, "there is a function to write in each set"
