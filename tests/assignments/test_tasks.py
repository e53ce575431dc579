"""The tasks of the problem sets, without nbgrader: what is asked, and what is said to each wrong answer."""

import math
import re
from itertools import pairwise

import pytest

from marginlab.lesson import Search, Task

STUDENTS = ["demo", *(f"student-{n}" for n in range(12))]


def test_each_check_has_its_task_and_each_task_its_check(sheet):
    tasks = sheet.tasks()
    assert set(sheet.checked) == set(tasks)
    for name, task in tasks.items():
        assert isinstance(task, Task | Search) and task.id == f"{sheet.name}-{name.replace('_', '-')}"
        assert f"{name}-answer" in sheet.cells(solution=True)
        assert sheet.checked[name].source.endswith(f'["{name}"].require({name})'), name


def test_points_and_written_answers(sheet):
    points = [cell.metadata.nbgrader.points for cell in sheet.cells(grade=True).values()]
    written = [cell for cell in sheet.cells(grade=True).values() if cell.cell_type == "markdown"]
    assert sum(points) == (20 if sheet.name == "capstone" else 10)
    assert written and all(cell.metadata.nbgrader.solution for cell in written)
    told = [int(n) for cell in sheet.notebook.cells[1:] for n in re.findall(r"\((\d+) points?\)", cell.source)]
    assert sorted(told) == sorted(points), "what the questions say"
    assert f"{sum(points)} points" in sheet.notebook.cells[0].source


def test_each_answer_is_told_its_name(sheet):
    for name in sheet.checked:
        at = next(k for k, cell in enumerate(sheet.notebook.cells) if cell is sheet.cells()[f"{name}-answer"])
        question, answer = sheet.notebook.cells[at - 1].source, sheet.notebook.cells[at].source
        assert f"`{name}`" in question or f"`{name} = dict(" in question or f"def {name}(" in answer, name


def test_small_blanks(sheet):
    for name, text in sheet.solutions.items():
        code = sheet.cells()[name].cell_type == "code"
        assert 1 <= len(text.splitlines()) <= (4 if code else 12) or sheet.name == "capstone", name


def test_nothing_of_the_machine_and_no_output_is_saved(sheet):
    assert set(sheet.notebook.metadata) <= {"kernelspec", "language_info"}
    for cell in sheet.notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
            assert all(len(line) <= 75 for line in cell.source.splitlines()), cell.id
    ids = [cell.id for cell in sheet.notebook.cells]
    assert len(set(ids)) == len(ids)


def test_every_student_has_sound_figures(sheet):
    seen = set()
    for student in STUDENTS:
        mine = sheet.figures(student)
        assert all(isinstance(value, float | int) and math.isfinite(value) for value in mine.values())
        seen.add(tuple(mine.values()))
        for task in sheet.tasks(student).values():
            if isinstance(task, Task) and len(task.cases) == 1:
                truth = task.truth(**task.cases[0])
                said, right = task.verdict(truth)
                assert right and math.isfinite(truth), (student, task.id, said)
                assert task.verdict(float(f"{truth:.5g}"))[1], "five digits are enough"
    assert len(seen) == len(STUDENTS), "two students have the same figures"


def remembered(function):
    """The same function, which works out each case once."""
    known = {}

    def value(**case):
        at = tuple(case.items())
        if at not in known:
            known[at] = function(**case)
        return known[at]

    return value


def test_each_slip_gets_its_own_word(sheet):
    for student in STUDENTS:
        for name, task in sheet.tasks(student).items():
            if isinstance(task, Task):  # each verdict asks for all slips again, and for the truth
                task.slips = [(remembered(slip), word) for slip, word in task.slips]
                task.truth = remembered(task.truth)
            assert len(task.slips) >= 3, f"{name} explains too few slips"
            words = [word for _, word in task.slips]
            if isinstance(task, Task):  # of a search, part of what is said, which may be the same
                assert len(set(words)) == len(words) and all(len(word.split()) >= 3 for word in words)
            for slip, word in task.slips:
                one = isinstance(task, Task) and len(task.cases) == 1
                said, right = task.verdict(slip(**task.cases[0]) if one else slip)
                assert not right and word in said, (student, name, said, word)


def test_a_constant_or_nothing_is_no_answer(sheet):
    for name, task in sheet.tasks().items():
        for nothing in (None, "5", True, float("nan"), [1.0]):
            assert not task.verdict(nothing)[1], (name, nothing)
        if isinstance(task, Search) or len(task.cases) == 1:
            continue
        for case in task.cases:
            value = task.truth(**case)
            assert not task.verdict(lambda value=value, **given: value)[1], f"{name} takes a constant"
            assert not task.verdict(value)[1]
        with pytest.raises(AssertionError, match="stops: ZeroDivisionError"):
            task.require(lambda **given: 1 / 0)


def test_functions_are_asked_for_more_than_one_case(sheet):
    for name, task in sheet.tasks().items():
        if isinstance(task, Task) and task.cases[1:]:
            answers = [task.truth(**case) for case in task.cases]
            assert len({round(answer, 9) for answer in answers}) >= 2, name
            assert all(one != other for one, other in pairwise(task.cases))


def test_a_wrong_number_does_not_give_the_right_one_away(sheet):
    for task in sheet.tasks().values():
        if isinstance(task, Task) and len(task.cases) == 1:
            said, right = task.verdict(task.truth(**task.cases[0]) * 1.37 + 1)
            assert not right and "should be" not in said


def test_a_search_names_what_is_out_of_bounds(sheet):
    for task in sheet.tasks().values():
        if isinstance(task, Search):
            for name, (low, high) in task.ranges.items():
                middle = {key: (a + b) / 2 for key, (a, b) in task.ranges.items()}
                for bad in (low - 1, high + 1, float("nan"), "5", True, None):
                    said, right = task.verdict(middle | {name: bad})
                    assert not right and name in said and f"{low:,g} to {high:,g}" in said
            assert "it should be dict(" in task.verdict({})[0]
            assert "it should be dict(" in task.verdict(5)[0]


def test_the_course_has_a_bug_hunt_and_a_counter_example(tools):
    searches = {name for name in tools.sheets for t in tools.Sheet(name).tasks().values() if isinstance(t, Search)}
    assert {"ps01", "ps02"} <= searches
    for name in ("01", "02", "03", "04", "05", "06", "07", "08"):
        assert f"ps{name}" in tools.sheets
    assert "capstone" in tools.sheets


def test_a_number_where_a_function_is_asked_for(sheet):
    asked = [task for task in sheet.tasks().values() if isinstance(task, Task) and len(task.cases) > 1]
    for task in asked:
        said, right = task.verdict(task.truth(**task.cases[0]))
        assert not right and "it should be a function" in said, task.id
    assert asked or sheet.name == "capstone"
