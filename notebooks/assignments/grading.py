"""Prepare and grade the problem sets with nbgrader.

    python grading.py prepare COURSE [--hidden FOLDER]
    python grading.py grade COURSE SHEET
    python grading.py numbers SHEET STUDENT [STUDENT ...]
    python grading.py release

They need `pip install -e ".[lab,course]"`, as `run.py test` installs.

COURSE is a folder of your own outside this repository. `prepare` makes
COURSE/source, COURSE/release and the gradebook; FOLDER/SHEET/TASK.py are
tests that only you have. Put what students hand in into
COURSE/submitted/STUDENT/SHEET/SHEET.ipynb; `grade` mends, runs and grades
it, and writes COURSE/scores-SHEET.csv. `numbers` tells the figures of
students, and their answers. `release` writes this repository's release/
anew from its source/.
"""

import argparse
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
import pandas as pd
from marginlab.lesson.personal import Personal
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from tqdm import tqdm
from traitlets.config import Config, PyFileConfigLoader

# nbgrader calls `alembic` by name, also where .venv is not activated.
BIN = str(Path(sys.executable).parent)
os.environ["PATH"] = os.pathsep.join([BIN, os.environ.get("PATH", "")])
HERE = Path(__file__).resolve().parent
SHEETS = sorted(path.name for path in (HERE / "source").iterdir())
MISSING = "This cell was missing from what was handed in."


def nbgrader(course, submitted="mended"):
    """nbgrader's own interface to a course folder."""
    found = PyFileConfigLoader("nbgrader_config.py", path=str(course))
    config = Config(found.load_config())
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.submitted_directory = submitted
    return NbGraderAPI(CourseDirectory(config=config), config=config)


# ------------------------------------------------------------- preparing


def prepare(course, hidden=None, sheets=SHEETS):
    """Make a course folder: sources with the hidden tests, and releases.

    `course` is a folder without problem sets; `hidden` holds
    SHEET/TASK.py. ValueError if a task is unknown, RuntimeError with
    nbgrader's words if it fails.
    """
    course = Path(course).resolve()
    course.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "nbgrader_config.py", course)
    for sheet in sheets:
        to = course / "source" / sheet
        skip = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(HERE / "source" / sheet, to, ignore=skip)
        if hidden:
            overlay(to / f"{sheet}.ipynb", Path(hidden) / sheet)
    for sheet in tqdm(sheets, "releases", disable=None):
        done = nbgrader(course).generate_assignment(sheet)
        if not done["success"]:
            raise RuntimeError(f"{sheet}: {done['log']}")


def release(to=HERE / "release"):
    """Write the students' versions anew, from the sources here."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder)
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(Path(folder) / "release", to)


def overlay(notebook, folder):
    """Add each FOLDER/TASK.py to the check of that task, as hidden."""
    nb = nbformat.read(notebook, as_version=4)
    checks = {
        cell.metadata.nbgrader.grade_id: cell
        for cell in nb.cells
        if of_grader(cell).get("grade") and cell.cell_type == "code"
    }
    for test in sorted(folder.glob("*.py")):
        if test.stem not in checks:
            known = ", ".join(checks)
            raise ValueError(f"{test} is no task: use one of {known}")
        checks[test.stem].source += (
            "\n### BEGIN HIDDEN TESTS\n"
            + test.read_text(encoding="utf-8").strip("\n")
            + "\n### END HIDDEN TESTS"
        )
    nbformat.write(nb, notebook)


def of_grader(cell):
    return cell.metadata.get("nbgrader", {})


# --------------------------------------------------------------- grading


def mend(handed_in, released):
    """(notebook that nbgrader can grade, what was wrong with it).

    A missing check goes to the end, where all answers are known. Of a
    missing answer only the name is put back: its text may stand in a cell
    of the student's own.
    """
    cells, remarks = list(handed_in.cells), []
    ours = [cell for cell in released.cells if of_grader(cell)]
    names = [of_grader(cell)["grade_id"] for cell in ours]
    for place, (name, cell) in enumerate(zip(names, ours, strict=True)):
        about = of_grader(cell)
        same = [c for c in cells if of_grader(c).get("grade_id") == name]
        if not same:
            remarks.append(f"{name}: deleted")
            if about["solution"]:
                cell.source = "# " * (cell.cell_type == "code") + MISSING
            later = () if about["grade"] else names[place + 1 :]
            cells.insert(first(cells, later), cell)
            continue
        *others, last = same  # the last one counts
        if others:
            remarks.append(f"{name}: there {len(same)} times")
        for other in others:
            del other.metadata["nbgrader"]
        if last.cell_type != cell.cell_type:
            remarks.append(f"{name}: made a {last.cell_type} cell")
        elif about["locked"] and last.source != cell.source:
            remarks.append(f"{name}: changed")
        last.metadata.nbgrader = about
    about = {"cells": cells, "metadata": released.metadata}
    return nbformat.v4.new_notebook(**about), remarks


def first(cells, names):
    """The place of the first cell with one of these names, or the end."""
    found = [of_grader(cell).get("grade_id") in names for cell in cells]
    return found.index(True) if True in found else len(cells)


def grade(course, sheet):
    """Grade all that was handed in; a DataFrame with a row a student.

    Columns: score and most (points given and possible by the checks),
    to_mark (points that a person gives), wrong (tasks), remarks (cells
    deleted, doubled or changed, and what could not be run).
    """
    course = Path(course).resolve()
    if not (course / "release" / sheet).is_dir():
        raise ValueError(f"{sheet!r} was not prepared in {course}")
    folders = sorted((course / "submitted").glob(f"*/{sheet}"))
    rows = [
        graded(course, sheet, folder.parent.name)
        for folder in tqdm(folders, sheet, disable=None)
    ]
    table = pd.DataFrame(rows).set_index("student")
    table.to_csv(course / f"scores-{sheet}.csv")
    return table


def graded(course, sheet, student):
    """The row of one student; whatever happens, it tells of it."""
    row = {"student": student, "score": 0.0}
    name = f"{sheet}.ipynb"
    released = nbformat.read(course / "release" / sheet / name, 4)
    checks = {
        of_grader(cell)["grade_id"]: cell.metadata.nbgrader.points
        for cell in released.cells
        if of_grader(cell).get("grade") and cell.cell_type == "code"
    }
    by_hand = sum(
        cell.metadata.nbgrader.points
        for cell in released.cells
        if of_grader(cell).get("grade") and cell.cell_type != "code"
    )
    row |= {"most": float(sum(checks.values())), "to_mark": by_hand}
    row |= {"wrong": ", ".join(checks), "remarks": ""}
    try:
        text = (course / "submitted" / student / sheet / name).read_text(
            encoding="utf-8"
        )
        handed_in = nbformat.reads(text, as_version=4)
        nb, remarks = mend(handed_in, released)
    except FileNotFoundError:
        return row | {"remarks": f"there is no {name}"}
    except Exception as error:
        return row | {"remarks": f"{name} cannot be read: {error}"}
    to = course / "mended" / student / sheet
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    nbformat.write(nb, to / name)
    api = nbgrader(course)
    done = api.autograde(sheet, student)
    if not done["success"]:
        remarks.append(f"could not be run: {reason(done)}")
        return row | {"remarks": "; ".join(remarks)}
    with api.gradebook as book:
        points = {
            cell: book.find_grade(cell, sheet, sheet, student).auto_score
            for cell in checks
        }
    ran = nbformat.read(course / "autograded" / student / sheet / name, 4)
    remarks += [
        f"{of_grader(cell).get('grade_id', 'a cell')}: endless loop?"
        for cell in ran.cells
        for output in cell.get("outputs", ())
        if output.get("ename") == "CellTimeoutError"
    ]
    row |= {"score": sum(points.values()), "remarks": "; ".join(remarks)}
    wrong = [task for task in checks if points[task] < checks[task]]
    return row | {"wrong": ", ".join(wrong)}


def reason(done):
    """The last line of what nbgrader says about a failure."""
    said = f"{done.get('error', '')}\n{done.get('log', '')}"
    died = "DeadKernelError" in said
    return "its kernel died" if died else said.strip().splitlines()[-1]


# --------------------------------------------------------------- figures


def numbers(sheet, students):
    """The figures of students and their answers, a column each."""
    path = HERE / "source" / sheet / "checks.py"
    spec = importlib.util.spec_from_file_location("checks", path)
    checks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checks)
    columns = {}
    for student in students:
        mine = checks.figures(Personal(student, sheet))
        answers = {
            f"answer: {name}": task.truth(**task.cases[0])
            for name, task in checks.tasks(mine).items()
            if len(getattr(task, "cases", ())) == 1
        }
        columns[student] = mine | answers
    return pd.DataFrame(columns)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("prepare")
    one.add_argument("course")
    one.add_argument("--hidden")
    one = commands.add_parser("grade")
    one.add_argument("course")
    one.add_argument("sheet", choices=SHEETS)
    one = commands.add_parser("numbers")
    one.add_argument("sheet", choices=SHEETS)
    one.add_argument("students", nargs="+")
    commands.add_parser("release")
    about = parser.parse_args()
    if about.command == "prepare":
        prepare(about.course, about.hidden)
    elif about.command == "grade":
        print(grade(about.course, about.sheet).to_string())
    elif about.command == "release":
        release()
    else:
        print(numbers(about.sheet, about.students).to_string())


if __name__ == "__main__":
    sys.exit(main())
