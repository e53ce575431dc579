"""Prepare and grade the problem sets with nbgrader; see README.md.

    python grading.py prepare COURSE [--hidden FOLDER]
    python grading.py grade COURSE SHEET
    python grading.py numbers SHEET STUDENT [STUDENT ...]
    python grading.py release

They need `pip install -e ".[lab,course]"`, as `run.py test` installs.

COURSE is a folder of your own outside this repository. `prepare` makes
COURSE/source, COURSE/release and the gradebook, or makes them anew after a
change; FOLDER/SHEET/TASK.py are tests that only you have. Put what
students hand in into COURSE/submitted/STUDENT/SHEET/SHEET.ipynb; `grade`
mends, runs and grades it, and writes COURSE/scores-SHEET.csv. `numbers`
tells the figures of students, and their answers. `release` writes this
repository's release/ anew from its source/.
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
from handed_in import checked, found, mend, of_grader, peeks, troubles
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


def nbgrader(course):
    """nbgrader's own interface to a course folder."""
    found = PyFileConfigLoader("nbgrader_config.py", path=str(course))
    config = Config(found.load_config())
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.submitted_directory = "mended"
    return NbGraderAPI(CourseDirectory(config=config), config=config)


# ------------------------------------------------------------- preparing


def prepare(course, hidden=None, sheets=SHEETS):
    """Make a course folder: sources with the hidden tests, and releases.

    `hidden` holds SHEET/TASK.py. What is there already is made anew, and
    grades are kept. ValueError if there is no such sheet or task, or no
    test at all; RuntimeError with nbgrader's words if it fails.
    """
    course, tests = Path(course).resolve(), known_tests(hidden)
    course.mkdir(parents=True, exist_ok=True)
    if not (course / "nbgrader_config.py").exists():
        shutil.copy(HERE / "nbgrader_config.py", course)
    skip = shutil.ignore_patterns("__pycache__", ".*")
    for sheet in sheets:
        to = course / "source" / sheet
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(HERE / "source" / sheet, to, ignore=skip)
        overlay(to / f"{sheet}.ipynb", tests.get(sheet, ()))
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


def known_tests(hidden):
    """{sheet: files of tests} of a folder; {} without a folder."""
    if not hidden:
        return {}
    tests = {}
    for path in sorted(Path(hidden).glob("*/*.py")):
        tests[path.parent.name] = [*tests.get(path.parent.name, []), path]
    if not tests:
        raise ValueError(f"there is no SHEET/TASK.py in {hidden}")
    for sheet, paths in tests.items():
        if sheet not in SHEETS:
            known = ", ".join(SHEETS)
            raise ValueError(f"{sheet} is no sheet: use one of {known}")
        source = HERE / "source" / sheet / f"{sheet}.ipynb"
        tasks = checked(nbformat.read(source, as_version=4))
        for path in paths:
            if path.stem not in tasks:
                known = ", ".join(tasks)
                raise ValueError(f"{path} is no task: use one of {known}")
    return tests


def overlay(notebook, tests):
    """Add each test to the check of the task of its name, as hidden."""
    nb = nbformat.read(notebook, as_version=4)
    for test in tests:
        checked(nb)[test.stem].source += (
            "\n### BEGIN HIDDEN TESTS\n"
            + test.read_text(encoding="utf-8").strip("\n")
            + "\n### END HIDDEN TESTS"
        )
        print(f"hidden test: {test.parent.name}/{test.stem}")
    nbformat.write(nb, notebook)


# --------------------------------------------------------------- grading


def grade(course, sheet):
    """Grade all that was handed in; a DataFrame with a row a student.

    Columns: score and most (points given and possible by the checks),
    to_mark (points that a person gives), wrong (tasks), remarks (what to
    look at). ValueError if there is nothing to grade.
    """
    course = Path(course).resolve()
    if not (course / "release" / sheet).is_dir():
        raise ValueError(f"{sheet!r} was not prepared in {course}")
    folders = sorted((course / "submitted").glob(f"*/{sheet}"))
    if not folders:
        raise ValueError(f"nothing was handed in for {sheet!r}")
    rows = [
        graded(course, sheet, folder)
        for folder in tqdm(folders, sheet, disable=None)
    ]
    table = pd.DataFrame(rows).set_index("student")
    table.to_csv(course / f"scores-{sheet}.csv")
    return table


def graded(course, sheet, folder):
    """The row of one student; whatever happens, it tells of it."""
    student = folder.parent.name
    released = course / "release" / sheet / f"{sheet}.ipynb"
    released = nbformat.read(released, as_version=4)
    points = {
        of_grader(cell)["grade_id"]: of_grader(cell)["points"]
        for cell in released.cells
        if of_grader(cell).get("grade")
    }
    most = {name: points[name] for name in checked(released)}
    got, remarks = dict.fromkeys(most, 0.0), []
    try:
        handed_in = found(folder, f"{sheet}.ipynb", remarks)
        nb, changes = mend(handed_in, released)
        remarks += [*changes, *peeks(nb)]
        got = run(course, sheet, student, nb, most, remarks)
    except ValueError as error:
        remarks.append(str(error))
    wrong = [task for task in most if got[task] < most[task]]
    return {
        "student": student,
        "score": sum(got.values()),
        "most": sum(most.values()),
        "to_mark": sum(points.values()) - sum(most.values()),
        "wrong": ", ".join(wrong),
        "remarks": "; ".join(remarks),
    }


def run(course, sheet, student, notebook, most, remarks):
    """{task: points} by nbgrader, all 0 if the notebook cannot be run."""
    to = course / "mended" / student / sheet
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    nbformat.write(notebook, to / f"{sheet}.ipynb")
    api = nbgrader(course)
    done = api.autograde(sheet, student)
    with api.gradebook as book:
        grades = {
            task: book.find_grade(task, sheet, sheet, student)
            for task in most
        }
        if not done["success"]:  # an earlier grade does not stand
            for one in grades.values():
                one.auto_score = 0
            book.db.commit()
            remarks.append(f"could not be run: {reason(done)}")
        got = {task: one.auto_score for task, one in grades.items()}
    path = course / "autograded" / student / sheet / f"{sheet}.ipynb"
    if path.exists():
        remarks += troubles(nbformat.read(path, as_version=4))
    return got


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
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=raw
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
