"""What a graded set tells its students, their gradebook and you."""

import re
from collections import Counter
from html import escape

import nbformat
import pandas as pd
from handed_in import checked, of_grader
from marginlab.lesson.personal import Personal, same

HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS", re.S)
MODEL = re.compile(r"### BEGIN SOLUTION\n(.*?)\n### END SOLUTION", re.S)
LAST = "capstone"  # the last column
BLANK, OTHER = "no answer", "another mistake"


def with_models(graded, source):
    """A graded notebook with the model answer under each written one.

    The formgrader shows it to whoever marks; students never see it.
    """
    models = {
        of_grader(cell)["grade_id"]: MODEL.search(cell.source)[1]
        for cell in source.cells
        if of_grader(cell).get("grade") and cell.cell_type == "markdown"
    }
    cells = []
    for cell in graded.cells:
        cells.append(cell)
        if model := models.get(of_grader(cell).get("grade_id")):
            text = f"**A model answer, for you only**\n\n{model}"
            shown = nbformat.v4.new_markdown_cell(text)
            shown.metadata.tags = ["model-answer"]
            cells.append(shown)
    graded.cells = cells
    return graded


# ----------------------------------------------------------- to students


def cleaned(course, sheet, to):
    """Copy what was graded, as students may see it; how many."""
    paths = sorted(course.glob(f"autograded/*/{sheet}/{sheet}.ipynb"))
    for path in paths:
        copy = to / path.relative_to(course / "autograded")
        copy.parent.mkdir(parents=True, exist_ok=True)
        notebook = nbformat.read(path, as_version=4)
        nbformat.write(for_student(notebook), copy)
    return len(paths)


def for_student(notebook):
    """Without model answers, tests of yours, and tracebacks."""
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "model-answer" not in cell.metadata.get("tags", ())
    ]
    for cell in notebook.cells:
        cell.source = HIDDEN.sub(
            "# Further tests, which your instructor has.", cell.source
        )
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                output.traceback = [in_words(output)]
    return notebook


def in_words(error):
    """What an error says, in a line."""
    if error.ename == "NotImplementedError":
        return "Not answered."
    known = error.ename in ("AssertionError", "Wrong")
    return error.evalue if known else f"{error.ename}: {error.evalue}"


# --------------------------------------------------------- to gradebooks


def roster(path):
    """{id as compared: id and name} of a students.csv, if it is there."""
    if not path.exists():
        return {}
    # Excel writes a mark first, and in half of the world semicolons.
    how = {"dtype": str, "encoding": "utf-8-sig", "keep_default_na": False}
    names = pd.read_csv(path, sep=None, engine="python", **how)
    if not {"id", "name"} <= set(names.columns):
        raise ValueError(f"{path.name} must have columns id and name")
    found = names[["id", "name"]].to_dict("records")
    return {same(student["id"]): student for student in found}


def grades(course, book):
    """A row a student: id, name, and the points of each set."""
    rows = roster(course / "students.csv")
    listed = set(rows)
    sheets = {one.name for one in book.assignments}
    for sheet in [*sorted(sheets - {LAST}), *(sheets & {LAST})]:
        for work in book.assignment_submissions(sheet):
            student = work.student.id
            if listed and same(student) not in rows:
                print(f"{student} is not in students.csv")
            row = rows.setdefault(
                same(student), {"id": student, "name": ""}
            )
            row[sheet] = work.score
    return pd.DataFrame(rows.values())


def for_canvas(table):
    """The same with the columns that Canvas wants."""
    about = {
        "Student": table["name"],
        "ID": "",
        "SIS User ID": table["id"],
    }
    about |= {"SIS Login ID": "", "Section": ""}
    return pd.DataFrame(about).join(table.drop(columns=["id", "name"]))


# ---------------------------------------------------------------- to you


def slips(course, sheet, checks):
    """{task: how often each slip was made}, of all that was graded."""
    counts = {}
    for path in sorted(course.glob(f"autograded/*/{sheet}/{sheet}.ipynb")):
        student, graded = path.parents[1].name, nbformat.read(path, 4)
        tasks = checks.tasks(checks.figures(Personal(student, sheet)))
        for name, cell in checked(graded).items():
            errors = [o for o in cell.outputs if o.output_type == "error"]
            word = slip(tasks[name], errors[0]) if errors else "right"
            counts.setdefault(name, Counter())[word] += 1
    return counts


def slip(task, error):
    """The slip that a check has recognised, in its words."""
    if error.ename == "NameError" or "Not answered" in error.evalue:
        return BLANK
    known = (word for _, word in task.slips if word in error.evalue)
    return next(known, OTHER)


PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>{sheet}</title>
<style>
body {{ font: 15px/1.4 sans-serif; max-width: 50rem; margin: 2rem auto }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ padding: .25rem .6rem .25rem 0; text-align: left;
  vertical-align: top; border-bottom: 1px solid #ccc }}
td:nth-child(2) {{ width: 45% }}
.bar {{ background: #d55e00; height: .9rem; margin: .25rem 0 }}
.right {{ background: #0072b2 }}
</style>
<h1>{sheet}: what the class did</h1>
<p>{about}</p>
<h2>Tasks</h2>
<table><tr><th>task<th>right<th></tr>{tasks}</table>
<h2>Slips, by how often they were made</h2>
<table><tr><th>what the check said<th>students<th></tr>{slips}</table>
"""


def bar(what, count, most, style="bar"):
    """A row of a bar chart; its length is count / most."""
    drawn = (
        f'<div class="{style}" style="width:{100 * count / most:.0f}%">'
    )
    return f"<tr><td>{escape(what)}<td>{drawn}</div><td>{count}</tr>"


def report(course, sheet, table, checks):
    """A page on a class: what was right, and which slip how often."""
    counts = slips(course, sheet, checks)
    made = Counter()
    for task, words in counts.items():
        for word, count in words.items():
            made[f"{task}: {word}"] += count * (word != "right")
    most = len(table)
    looked_at = (table["remarks"] != "").sum()
    about = (
        f"{most} handed in; {table['score'].mean():.1f} of "
        f"{table['most'].iloc[0]:g} points by the checks on average; "
        f"{looked_at} with remarks, in scores-{sheet}.csv."
    )
    tasks = [
        bar(task, words["right"], most, "bar right")
        for task, words in counts.items()
    ]
    slipped = [bar(w, n, most) for w, n in made.most_common(20) if n]
    return PAGE.format(
        sheet=sheet,
        about=about,
        tasks="".join(tasks),
        slips="".join(slipped),
    )
