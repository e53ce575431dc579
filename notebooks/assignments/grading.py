"""Prepare and grade the problem sets with nbgrader; see README.md.

    python grading.py prepare COURSE [--hidden FOLDER]
    python grading.py collect COURSE SHEET DOWNLOAD [--by-id]
    python grading.py grade COURSE SHEET
    python grading.py feedback COURSE SHEET
    python grading.py grades COURSE [--canvas]
    python grading.py numbers SHEET STUDENT [STUDENT ...]
    python grading.py release

They need `pip install -e ".[lab,course]"`, as `run.py test` installs.

COURSE is a folder of your own outside this repository. `prepare` makes
COURSE/source, COURSE/release and the gradebook, or makes them anew after a
change; FOLDER/SHEET/TASK.py are tests that only you have. What students
hand in stands in COURSE/submitted/STUDENT/SHEET/SHEET.ipynb; `collect`
sorts a folder or a .zip of notebooks there, by the word before the first
"_" of their names, or by the id that is written in them. `grade` mends,
runs and grades, and writes COURSE/scores-SHEET.csv and a page for you,
COURSE/report-SHEET.html. `feedback` makes a page for each student,
`grades` one table of all sets. `numbers` tells the figures of students,
and their answers. `release` writes this repository's release/ anew from
its source/.
"""

import argparse
import importlib.util
import os
import shutil
import sys
import tempfile
import warnings
import zipfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import nbformat
import pandas as pd
import told
from handed_in import (
    checked,
    found,
    handed,
    mend,
    of_grader,
    own_id,
    peeks,
    troubles,
)
from marginlab.lesson.personal import Personal, same
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning
from tqdm import tqdm
from traitlets.config import Config, PyFileConfigLoader

# Its database layer complains, and the grades are right.
warnings.filterwarnings("ignore", category=SAWarning)
# nbgrader calls `alembic` by name, also where .venv is not activated.
BIN = str(Path(sys.executable).parent)
os.environ["PATH"] = os.pathsep.join([BIN, os.environ.get("PATH", "")])
os.environ.pop("PYTHONOPTIMIZE", None)  # it would drop students' asserts
LOCKED = "database is locked"
CORES = min(os.cpu_count() or 1, 4)
HERE = Path(__file__).resolve().parent
SHEETS = sorted(path.name for path in (HERE / "source").iterdir())


def nbgrader(course, **folders):
    """nbgrader's own interface to a course folder."""
    found = PyFileConfigLoader("nbgrader_config.py", path=str(course))
    config = Config(found.load_config())
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.update(
        {"submitted_directory": "mended"} | folders
    )
    # What kernels say of their transport would bury the bar.
    config.Execute.extra_arguments = ["--log-level=40"]
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


# ------------------------------------------------------------ collecting


def collect(course, sheet, download, by_id=False):
    """Sort notebooks into COURSE/submitted; {student: its file's name}.

    `download` is a folder or a .zip. Whose a notebook is, says the word
    before the first "_" of its name (or of its outermost folder), or, by
    id, its cell STUDENT. What cannot be told, or is somebody's second, is
    left out, and printed. ValueError if there is nothing to sort.
    """
    submitted, sorted_in = Path(course) / "submitted", {}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(download)
        if zipfile.is_zipfile(root):
            zipfile.ZipFile(root).extractall(scratch)
            root = Path(scratch)
        paths = [p for p in root.rglob("*.ipynb") if p.name[0] != "."]
        if not paths:
            raise ValueError(f"there is no notebook in {download}")
        for path in sorted(paths):
            outer = Path(path.relative_to(root).parts[0]).stem
            student = own_id(path) if by_id else outer.partition("_")[0]
            known = {same(one): file for one, file in sorted_in.items()}
            if not student:
                print(f"{path.name}: left out, it has no id")
            elif same(student) in known:
                twice = (
                    f"{known[same(student)]} has the id {student!r} too"
                )
                print(f"{path.name}: left out, {twice}")
            else:
                to = submitted / student / sheet / f"{sheet}.ipynb"
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)
                sorted_in[student] = path.name
    return sorted_in


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
    work = handed(course / "submitted", sheet)
    if not work:
        raise ValueError(f"nothing was handed in for {sheet!r}")
    table = pd.DataFrame(all_graded(course, sheet, work))
    ids = table["student"].map(same)
    twice = ids.duplicated(keep=False)
    table.loc[twice, "remarks"] += "; the id is in use twice"
    table["remarks"] = table["remarks"].str.removeprefix("; ")
    table = table.set_index("student")
    table.to_csv(course / f"scores-{sheet}.csv")
    page = told.report(course, sheet, table, checks_of(sheet))
    (course / f"report-{sheet}.html").write_text(page, encoding="utf-8")
    return table


def all_graded(course, sheet, work):
    """The rows of all students, on as many cores as there are."""
    one = partial(graded, course, sheet)
    about = {"total": len(work), "desc": sheet, "disable": None}
    if len(work) < 8 or CORES == 1:  # workers take seconds to start
        return list(tqdm(map(one, work, work.values()), **about))
    with ProcessPoolExecutor(CORES, get_context("spawn")) as workers:
        return list(tqdm(workers.map(one, work, work.values()), **about))


def graded(course, sheet, student, paths):
    """The row of one student; whatever happens, it tells of it."""
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
        handed_in = found(paths, sheet, remarks)
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
    for _ in range(9):
        done = api.autograde(sheet, student)
        if LOCKED not in str(done):  # by another worker, for a moment
            break
    os.environ.pop("NBGRADER_EXECUTION", None)  # nbgrader leaves it there
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
        graded = nbformat.read(path, as_version=4)
        remarks += troubles(graded)
        source = course / "source" / sheet / f"{sheet}.ipynb"
        source = nbformat.read(source, as_version=4)
        nbformat.write(told.with_models(graded, source), path)
    return got


def reason(done):
    """The last line of what nbgrader says about a failure."""
    said = f"{done.get('error', '')}\n{done.get('log', '')}"
    died = "DeadKernelError" in said
    return "its kernel died" if died else said.strip().splitlines()[-1]


# ------------------------------------------------------- what is told


def feedback(course, sheet):
    """A page for each student; how many. RuntimeError if it fails.

    COURSE/feedback/STUDENT/SHEET/SHEET.html has the words of each check,
    and neither tracebacks nor model answers nor your own tests.
    """
    course = Path(course).resolve()
    kept = course / "feedback-of"
    count = told.cleaned(course, sheet, kept)
    for old in course.glob(f"feedback/*/{sheet}"):
        shutil.rmtree(old)
    api = nbgrader(course, autograded_directory=kept.name)
    done = api.generate_feedback(sheet)
    shutil.rmtree(kept)
    if not done["success"]:
        raise RuntimeError(f"{sheet}: {done['log']}")
    return count


def grades(course, canvas=False):
    """All points of all sets, a row a student; writes COURSE/grades.csv.

    Names are those of COURSE/students.csv (id, name), if it is there.
    """
    course = Path(course).resolve()
    with nbgrader(course).gradebook as book:
        table = told.grades(course, book)
    if canvas:
        table = told.for_canvas(table)
    table.to_csv(course / "grades.csv", index=False)
    return table


# --------------------------------------------------------------- figures


def checks_of(sheet):
    """The module with a sheet's figures and tasks."""
    path = HERE / "source" / sheet / "checks.py"
    spec = importlib.util.spec_from_file_location("checks", path)
    checks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checks)
    return checks


def numbers(sheet, students):
    """The figures of students and their answers, a column each."""
    checks = checks_of(sheet)
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

    def command(name, *words):
        one = commands.add_parser(name)
        for word in words:
            known = {"choices": SHEETS} if word == "sheet" else {}
            one.add_argument(word, **known)
        return one

    command("prepare", "course").add_argument("--hidden")
    one = command("collect", "course", "sheet", "download")
    one.add_argument("--by-id", action="store_true")
    command("grade", "course", "sheet")
    command("feedback", "course", "sheet")
    one = command("grades", "course")
    one.add_argument("--canvas", action="store_true")
    command("numbers", "sheet").add_argument("students", nargs="+")
    command("release")
    about = vars(parser.parse_args())
    done = globals()[about.pop("command")](**about)
    if isinstance(done, pd.DataFrame):
        print(done.to_string())
    elif done is not None:
        print(done)


if __name__ == "__main__":
    sys.exit(main())
