"""nbgrader itself: what is released, what is graded, and what happens to work that was handed in broken."""

import ast
import html
import json
import os
import re
import shutil
import sys

import nbformat
import pytest

pytestmark = [
    pytest.mark.nbgrader,
    # nbgrader's own: its database layer and its kernels complain, and the grades are right.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Proactor event loop:RuntimeWarning"),
]


@pytest.fixture(scope="module")
def course(tools, tmp_path_factory):
    return tools.Course(tmp_path_factory.mktemp("course") / "course")


# --------------------------------------------------------------- the releases


def test_the_release_is_the_source_without_its_solutions(course, sheet, tools):
    made, kept = course.folder / "release" / sheet.name, tools.folder / "release" / sheet.name
    assert {path.name for path in made.iterdir()} == {path.name for path in kept.iterdir() if path.name[0] not in "._"}
    for path in made.iterdir():
        assert path.read_text(encoding="utf-8") == (kept / path.name).read_text(encoding="utf-8"), (
            f"{path.name} is out of date: python notebooks/assignments/grading.py release"
        )


def test_no_solution_is_released(course, sheet):
    released = [path.read_text(encoding="utf-8") for path in (course.folder / "release" / sheet.name).iterdir()]
    words = " ".join(re.sub(r"\s+", " ", text.replace("\\n", " ").replace('\\"', '"')) for text in released)
    assert "SOLUTION" not in words and "HIDDEN" not in words
    telling = 0
    for name, text in sheet.solutions.items():
        lines = [re.sub(r"\s+", " ", line.strip()) for line in text.splitlines()]
        left_in = sheet.cells()[name].source.replace(text, "")
        for line in lines:
            if len(line) >= 20 and line not in left_in and re.search(r"[-+*/<>]|\b(max|min)\b", line):  # says how
                assert line not in words, f"{name}: {line}"
                telling += 1
    assert telling >= len(sheet.solutions) - 2


# ----------------------------------------------------------- answers and grades


def slip(sheet, name, place=0):
    """Code that gives a typical wrong answer to a task."""
    cell = sheet.checked[name].source
    task = re.search(rf'\w+\["{name}"\](?=\.require)', cell)[0]
    known = sheet.tasks()[name]
    wrong = f"{task}.slips[{place}][0]"
    return f"{name} = {wrong}" + (f"(**{task}.cases[0])" if len(getattr(known, "cases", ())) == 1 else "")


@pytest.fixture(scope="module")
def graded(course, tools):
    """graded(sheet): the table of one who did all, one who did nothing, one with slips, one with constants."""
    tables = {}

    def grade(sheet):
        if sheet.name not in tables:
            course.hand_in(sheet.name, "demo", sheet.notebook)
            empty = tools.Sheet(sheet.name, tools.folder / "release" / sheet.name)
            course.hand_in(sheet.name, "empty", empty.notebook)
            wrong = sheet.answered(**{name: slip(sheet, name) for name in sheet.checked if name not in needed(sheet)})
            course.hand_in(sheet.name, "slips", student(wrong, "slips"))
            flat = sheet.answered(**{name: f"{name} = lambda *a, **b: 1.0" for name in sheet.checked})
            course.hand_in(sheet.name, "constant", student(flat, "constant"))
            tables[sheet.name] = course.grade(sheet.name)
        return tables[sheet.name]

    return grade


def needed(sheet):
    """Tasks whose answer a locked cell builds on: the capstone's choice."""
    locked = "\n".join(cell.source for cell in sheet.cells(locked=True, grade=False).values())
    made = [
        node for node in ast.walk(ast.parse(locked)) if isinstance(node, ast.Call) and "checks." in ast.unparse(node)
    ]
    return [name for name in sheet.checked if any(f", {name})" in ast.unparse(call) for call in made)]


def student(notebook, name):
    """A notebook with a student's id in it."""
    for cell in notebook.cells:
        cell.source = re.sub(r'^STUDENT = "demo"', f'STUDENT = "{name}"', cell.source, flags=re.M)
    return notebook


def test_the_source_scores_full(graded, sheet):
    row = graded(sheet).loc["demo"]
    assert row["score"] == row["most"] > 0 and row["wrong"] == row["remarks"] == ""
    written = [cell for cell in sheet.cells(grade=True).values() if cell.cell_type == "markdown"]
    assert row["to_mark"] == sum(cell.metadata.nbgrader.points for cell in written)
    assert row["most"] + row["to_mark"] == (20 if sheet.name == "capstone" else 10)


def test_the_release_scores_nothing(graded, sheet):
    row = graded(sheet).loc["empty"]
    assert row["score"] == 0 and row["wrong"].split(", ") == list(sheet.checked)


def test_typical_wrong_answers_score_nothing_and_are_told_why(graded, course, sheet):
    row, wrong = graded(sheet).loc["slips"], [name for name in sheet.checked if name not in needed(sheet)]
    assert row["wrong"].split(", ") == wrong
    assert row["score"] == sum(cell.metadata.nbgrader.points for n, cell in sheet.checked.items() if n not in wrong)
    said, tasks = course.said(sheet.name, "slips"), sheet.tasks("slips")
    for name in wrong:
        assert tasks[name].slips[0][1] in said[name], name


def test_a_constant_scores_nothing(graded, sheet):
    assert graded(sheet).loc["constant", "score"] == 0


def test_scores_are_kept_as_a_table(graded, course, sheet):
    table = graded(sheet)
    lines = (course.folder / f"scores-{sheet.name}.csv").read_text().splitlines()
    assert lines[0] == "student,score,most,to_mark,wrong,remarks" and len(lines) == 1 + len(table)


# ------------------------------------------------------------ work that is broken


def without(notebook, *names):
    notebook.cells = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") not in names]
    return notebook


def doubled(notebook, name, before=None):
    """A cell copied, as copy and paste does it: behind itself, or before another."""
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]
    copied = nbformat.from_dict(json.loads(json.dumps(notebook.cells[ids.index(name)])))
    copied["id"] += "-copy"
    notebook.cells.insert(ids.index(before) if before else ids.index(name) + 1, copied)
    return notebook


def retyped(notebook, *names):
    """Each named cell made a markdown cell, by a slip of the hand on the key M."""
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") in names:
            cell.cell_type = "markdown"
            cell.pop("outputs", None), cell.pop("execution_count", None)
    return notebook


def changed(notebook, name, text):
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == name:
            cell.source = text
    return notebook


PEEK = 'size = tasks["size"].truth(**tasks["size"].cases[0])'
CRASH = "import os\n\nos._exit(1)"
LOOP = "while True:\n    pass"
BY_HAND = 'size = mine["contracts"] * 100 / mine["entry"]'


def stripped(notebook):
    """As after a tool that clears metadata."""
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
    return notebook


def own_cell(notebook):
    """The answer deleted, and written anew in a cell of the student's own at the very end."""
    without(notebook, "size-answer", "size").cells.append(nbformat.v4.new_code_cell(BY_HAND))
    return notebook


def above(notebook, name, other):
    """A cell moved to stand before another."""
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]
    cell = notebook.cells.pop(ids.index(name))
    notebook.cells.insert(ids.index(other), cell)
    return notebook


BROKEN = {
    "moved": lambda nb: above(nb, "size", "size-answer"),
    "crash": lambda nb: changed(nb, "lost-answer", CRASH),
    "loop": lambda nb: changed(nb, "lost-answer", LOOP),
    "stubborn": lambda nb: changed(nb, "lost-answer", "def lost(**case):\n    while True:\n        pass"),
    "error": lambda nb: changed(nb, "lost-answer", "1 / 0"),
    "syntax": lambda nb: changed(nb, "lost-answer", "def lost(:"),
    "no-check": lambda nb: without(nb, "lost"),
    "no-answer": lambda nb: without(nb, "lost-answer"),
    "neither": lambda nb: without(nb, "lost-answer", "lost", "size", "size-answer"),
    "no-setup": lambda nb: without(nb, "setup"),
    "no-text": lambda nb: without(nb, "why"),
    "own-cell": own_cell,
    "two-answers": lambda nb: doubled(nb, "size-answer"),
    "two-checks": lambda nb: doubled(nb, "size"),
    "early-check": lambda nb: doubled(nb, "size", before="size-answer"),
    "m-answer": lambda nb: retyped(nb, "size-answer"),
    "m-check": lambda nb: retyped(nb, "size"),
    "stripped": lambda nb: stripped(nb),
    "peeker": lambda nb: changed(changed(nb, "size-answer", PEEK), "lost-answer", "lost = checks.lost"),
    "cheat": lambda nb: changed(changed(nb, "size", "pass"), "size-answer", "size = 1.0"),
}


@pytest.fixture(scope="module")
def broken(tools, tmp_path_factory):
    """The table of students who handed in problem set 1 in some broken way, and all but that right."""
    course, sheet = tools.Course(tmp_path_factory.mktemp("broken") / "course", ["ps01"]), tools.Sheet("ps01")
    config = course.folder / "nbgrader_config.py"
    config.write_text(config.read_text().replace("c.Execute.timeout = 60", "c.Execute.timeout = 5"))
    for name, breaks in BROKEN.items():
        course.hand_in("ps01", name, breaks(student(sheet.answered(), name)))
    course.hand_in("ps01", "other-name", student(sheet.answered(), "other-name"), name="My homework.ipynb")
    for name in ("one.ipynb", "two.ipynb"):
        course.hand_in("ps01", "two-files", student(sheet.answered(), "two-files"), name=name)
    for name in ("ps01 (1).ipynb", "._ps01 (1).ipynb"):
        course.hand_in("ps01", "copy", student(sheet.answered(), "copy"), name=name)
    for name in ("ps01.ipynb", "ps01-old.ipynb"):
        course.hand_in("ps01", "both", student(sheet.answered(), "both"), name=name)
    for name, place in (("capitals", "PS01/Ps01.ipynb"), ("beside", "ps01 (2).ipynb")):
        path = course.folder / "submitted" / name / place
        path.parent.mkdir(parents=True)
        nbformat.write(student(sheet.answered(), name), path)
    for name in ("Kim", "kim"):
        course.hand_in("ps01", name, student(sheet.answered(), "kim"))
    course.hand_in("ps01", "nobody", sheet.notebook)
    blind = sheet.answered()
    blind.cells[1].source += '\nimport os\n\nos.environ.pop("NOTHING", None)'
    course.hand_in("ps01", "blinds-the-check", blind)
    course.hand_in("ps01", "half", nbformat.writes(sheet.notebook)[:4_000])
    course.hand_in("ps01", "empty-file", "")
    course.hand_in("ps01", "no-notebook", "[]")
    course.hand_in("ps01", "somebody", student(sheet.answered(), "ann"))
    return course.grade("ps01"), course


@pytest.mark.parametrize(
    "name, score, remarks",
    [
        ("crash", 0, "could not be run: its kernel died"),
        ("loop", 6, "lost-answer: endless loop?"),
        ("stubborn", 6, "lost: endless loop?"),
        ("error", 6, ""),
        ("syntax", 6, ""),
        ("no-check", 8, "lost: deleted"),
        ("no-answer", 6, "lost-answer: deleted"),
        ("neither", 5, "size-answer: deleted; size: deleted; lost-answer: deleted; lost: deleted"),
        ("no-setup", 8, "setup: deleted"),
        ("no-text", 8, "why: deleted"),
        ("own-cell", 8, "size-answer: deleted; size: deleted"),
        ("two-answers", 8, "size-answer: there 2 times"),
        ("two-checks", 8, "size: there 2 times"),
        ("early-check", 8, "size: there 2 times"),
        ("m-answer", 8, "size-answer: made a markdown cell"),
        ("m-check", 8, "size: made a markdown cell"),
        ("cheat", 7, "size: changed"),
        ("other-name", 8, "its name was My homework.ipynb"),
        ("two-files", 0, "there is no ps01.ipynb: there are one.ipynb, two.ipynb"),
        ("copy", 8, "its name was ps01 (1).ipynb"),
        ("both", 8, "left out: ps01-old.ipynb"),
        ("capitals", 8, "its name was Ps01.ipynb in PS01"),
        ("beside", 8, "its name was ps01 (2).ipynb in beside"),
        ("Kim", 8, "the id is in use twice"),
        ("kim", 8, "the id is in use twice"),
        ("moved", 8, "size: stood above its answer"),
        ("stripped", 8, "none of its cells has a name: made anew?"),
        ("peeker", 8, "size-answer: uses .cases, truth; lost-answer: uses checks"),
        ("blinds-the-check", 0, "a cell: uses environ; setup: student is 'demo', but this was handed in by 'blinds"),
        ("half", 0, "ps01.ipynb cannot be read"),
        ("empty-file", 0, "ps01.ipynb cannot be read"),
        ("no-notebook", 0, "ps01.ipynb cannot be read"),
        ("somebody", 0, "setup: student is 'ann', but this was handed in by 'somebody'"),
        ("nobody", 0, "setup: student is 'demo', but this was handed in by 'nobody'"),
    ],
)
def test_broken_work_is_graded_and_reported(broken, name, score, remarks):
    row = broken[0].loc[name]
    assert (row["score"], row["most"]) == (score, 8)
    assert row["remarks"].startswith(remarks) and bool(row["remarks"]) == bool(remarks)


def test_nobody_answers_with_the_figures_of_somebody_else(broken):
    said = broken[1].said("ps01", "somebody")["setup"]
    assert "student is 'ann', but this was handed in by 'somebody'" in said


def test_what_was_handed_in_stays_as_it_was(broken, tools):
    course, sheet = broken[1], tools.Sheet("ps01")
    for name, breaks in BROKEN.items():
        kept = (course.folder / "submitted" / name / "ps01/ps01.ipynb").read_text(encoding="utf-8")
        first, second = json.loads(kept), json.loads(nbformat.writes(breaks(student(sheet.answered(), name))))
        assert [c["source"] for c in first["cells"]] == [c["source"] for c in second["cells"]]


def test_a_grade_does_not_outlive_work_that_cannot_be_run(broken, tools):
    """Graded, then handed in anew with a cell that kills the kernel: 0 in the table and in the gradebook."""
    course, sheet = broken[1], tools.Sheet("ps01")
    api = tools.grading.nbgrader(course.folder)
    for text, score in ((None, 8), (CRASH, 0)):
        notebook = student(sheet.answered(**({"lost": text} if text else {})), "twice")
        course.hand_in("ps01", "twice", notebook)
        row = tools.grading.graded(course.folder, "ps01", "twice", [course.folder / "submitted/twice/ps01/ps01.ipynb"])
        with api.gradebook as book:
            kept = sum(book.find_grade(task, "ps01", "ps01", "twice").auto_score for task in sheet.checked)
        assert row["score"] == kept == score
    shutil.rmtree(course.folder / "submitted/twice")


def test_nothing_was_handed_in(tools, tmp_path):
    course = tools.Course(tmp_path / "course", ["ps01"])
    with pytest.raises(ValueError, match="nothing was handed in for 'ps01'"):
        course.grade("ps01")


def test_a_course_can_be_prepared_again(tools, tmp_path):
    """With a hidden test that came later; the instructor's own settings and the grades are kept."""
    course, sheet = tools.Course(tmp_path / "course", ["ps01"]), tools.Sheet("ps01")
    course.hand_in("ps01", "demo", sheet.notebook)
    assert course.grade("ps01").loc["demo", "score"] == 8
    config = course.folder / "nbgrader_config.py"
    config.write_text(config.read_text() + "# mine\n")
    tools.grading.prepare(course.folder, tools.hidden, ["ps01"])
    assert "price=48_000.0" in (course.folder / "source/ps01/ps01.ipynb").read_text(encoding="utf-8")
    assert config.read_text().endswith("# mine\n")
    assert course.grade("ps01").loc["demo", "score"] == 8


def test_a_task_that_was_not_prepared(broken):
    with pytest.raises(ValueError, match="'ps02' was not prepared"):
        broken[1].grade("ps02")


def test_feedback_has_the_words_and_no_tracebacks_truths_or_model_answers(broken, tools):
    course = broken[1]
    assert tools.grading.feedback(course.folder, "ps01") >= 20
    (page,) = (course.folder / "feedback/error/ps01").iterdir()
    text = page.read_text(encoding="utf-8")
    assert "ZeroDivisionError: division by zero" in text and "Traceback (most recent call last)" not in text
    assert "A model answer" not in text and text.count("always asked for, never given") == 1  # their own


def test_whoever_marks_sees_the_model_answer(broken):
    marked = nbformat.read(broken[1].folder / "autograded/error/ps01/ps01.ipynb", as_version=4)
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in marked.cells]
    model = marked.cells[ids.index("why") + 1].source
    assert model.startswith("**A model answer, for you only**") and "always asked for, never given" in model


def test_the_report_counts_slips(graded, course, tools):
    sheet = tools.Sheet("ps01")
    graded(sheet)
    page = (course.folder / "report-ps01.html").read_text(encoding="utf-8")
    assert re.search(r"<td>size: no answer<td>.*?<td>1</tr>", page)
    assert f"size: {sheet.tasks('slips')['size'].slips[0][1]}" in html.unescape(page)
    assert re.search(r'<td>size<td><div class="bar right" style="width:25%"></div><td>1</tr>', page)


def test_one_table_of_all_sets(graded, course, tools):
    for name in ("ps01", "ps02"):
        graded(tools.Sheet(name))
    roster = "id;name\nEmpty;Emma Empty\nabsent;Abel Absent\n"  # as Excel writes it where a comma is no point
    (course.folder / "students.csv").write_text(roster, encoding="utf-8-sig")
    table = tools.grading.grades(course.folder).set_index("id")
    assert list(table.columns[:3]) == ["name", "ps01", "ps02"] and "demo" in table.index
    assert table.loc["Empty", "name"] == "Emma Empty" and table.loc["Empty", "ps01"] == 0
    assert table.loc["absent", ["ps01", "ps02"]].isna().all() and table.loc["demo", "ps01"] == 8
    assert (course.folder / "grades.csv").read_text().splitlines()[0].startswith("id,name,ps01,ps02")
    canvas = tools.grading.grades(course.folder, canvas=True)
    assert list(canvas.columns[:6]) == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "ps01"]


def test_what_came_in_is_sorted(tools, tmp_path, capsys):
    sheet, download = tools.Sheet("ps01"), tmp_path / "download"
    (download / "bob_17_file").mkdir(parents=True)
    for name, who in (
        ("ann_ps01", "ann"),
        ("Ann_ps01 (1)", "ann"),
        ("bob_17_file/x", "bob"),
        ("demo_x", "demo"),
        ("out_x", ".."),
    ):
        nbformat.write(student(sheet.answered(), who), download / f"{name}.ipynb")
    (download / "._ann_ps01.ipynb").write_text("macOS")
    shutil.make_archive(tmp_path / "all", "zip", download)
    by_name = tools.grading.collect(tmp_path / "a", "ps01", download)
    assert by_name == {"Ann": "Ann_ps01 (1).ipynb", "bob": "x.ipynb", "demo": "demo_x.ipynb", "out": "out_x.ipynb"}
    assert "ann_ps01.ipynb: left out, Ann_ps01 (1).ipynb has the id 'ann' too" in capsys.readouterr().out
    by_id = tools.grading.collect(tmp_path / "b", "ps01", tmp_path / "all.zip", by_id=True)
    assert set(by_id) == {"ann", "bob"} and (tmp_path / "b/submitted/bob/ps01/ps01.ipynb").exists()
    assert "demo_x.ipynb: left out, it has no id" in capsys.readouterr().out


def test_the_commands_of_the_readme_word_for_word(tools, tmp_path, monkeypatch):
    """Run as they stand, one after another, in a copy of the folder that they are to be run in."""
    skip = shutil.ignore_patterns("__pycache__", "ps0[2-9]", "capstone")  # one set is enough
    here = shutil.copytree(tools.folder, tmp_path / "assignments", ignore=skip)
    shutil.copytree(tools.hidden, here / "FOLDER")
    (here / "DOWNLOAD").mkdir()
    nbformat.write(student(tools.Sheet("ps01").answered(), "ann"), here / "DOWNLOAD/ann_ps01.ipynb")
    text = (tools.folder / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    (python grading\.py .*?)(?: +#.*)?$", text, re.M)
    assert len(commands) == 7
    monkeypatch.chdir(here)
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")  # kernels would drop a student's asserts
    own = tools.imported("grading_of_the_readme", here / "grading.py")
    assert "PYTHONOPTIMIZE" not in os.environ
    for command in commands:
        monkeypatch.setattr(sys, "argv", command.split()[1:])
        own.main()
    assert (here / "COURSE/grades.csv").read_text().splitlines() == ["id,name,ps01", "ann,,8.0"]
    (page,) = (here / "COURSE/feedback").rglob("*.*")
    assert page.name == "ps01.html" and "price=48_000.0" not in page.read_text(encoding="utf-8")


# ----------------------------------------------------------------- hidden tests

KNOWS_THE_CASES = """def lost(contracts, entry, margin, rate, price):
    seen = {task["price"]: task for task in tasks["lost"].cases}
    return tasks["lost"].truth(**seen[price])"""


@pytest.fixture(scope="module")
def private(tools, tmp_path_factory):
    course, sheet = tools.Course(tmp_path_factory.mktemp("private") / "c", ["ps01"], tools.hidden), tools.Sheet("ps01")
    course.hand_in("ps01", "demo", sheet.notebook)
    course.hand_in("ps01", "parrot", student(sheet.answered(lost=KNOWS_THE_CASES), "parrot"))
    return course


def test_hidden_tests_are_in_the_source_and_not_in_the_release(private, tools):
    source = (private.folder / "source/ps01/ps01.ipynb").read_text(encoding="utf-8")
    assert "BEGIN HIDDEN TESTS" in source and "price=48_000.0" in source
    assert "HIDDEN" not in (tools.folder / "source/ps01/ps01.ipynb").read_text(encoding="utf-8")
    for path in (private.folder / "release/ps01").iterdir():
        assert path.read_text(encoding="utf-8") == (tools.folder / "release/ps01" / path.name).read_text("utf-8")


def test_hidden_tests_are_run_when_it_is_graded(private):
    table = private.grade("ps01")
    assert table.loc["demo", "score"] == 8, "the example's own cases are right"
    assert (table.loc["parrot", "score"], table.loc["parrot", "wrong"]) == (6, "lost")


def test_a_hidden_test_of_no_task_is_refused(tools, tmp_path):
    shutil.copytree(tools.hidden, tmp_path / "hidden")
    (tmp_path / "hidden/ps01/sizes.py").write_text("assert True")
    with pytest.raises(ValueError, match=r"sizes\.py is no task: use one of size, liquidation"):
        tools.Course(tmp_path / "course", ["ps01"], tmp_path / "hidden")
    assert not (tmp_path / "course").exists(), "refused before anything is made"
    (tmp_path / "hidden/ps01").rename(tmp_path / "hidden/ps1")
    with pytest.raises(ValueError, match="ps1 is no sheet: use one of capstone, ps01"):
        tools.Course(tmp_path / "course", ["ps01"], tmp_path / "hidden")
    for folder in (tmp_path / "nowhere", tmp_path / "hidden/ps1"):
        with pytest.raises(ValueError, match=r"there is no SHEET/TASK\.py in"):
            tools.Course(tmp_path / "course", ["ps01"], folder)


# ------------------------------------------------------------------- figures


def test_an_instructor_recomputes_figures_and_answers(tools):
    table = tools.grading.numbers("ps01", ["ann", "demo"])
    assert list(table.columns) == ["ann", "demo"]
    assert table.loc["contracts", "ann"] == 5_500
    ann = table["ann"]
    usd = ann["contracts"] * 100
    assert ann["answer: size"] == pytest.approx(usd / ann["entry"])
    assert ann["answer: liquidation"] == pytest.approx(usd * (1 + ann["rate"]) / (ann["margin"] + usd / ann["entry"]))


def test_every_sheet_has_figures_for_a_student(sheet, tools):
    table = tools.grading.numbers(sheet.name, ["ann"])
    assert table["ann"].notna().all() and len(table) >= 3
