"""What students hand in: read, mended, and looked at; see grading.py."""

import re

import nbformat

MISSING = "This cell was missing from what was handed in."
# What no answer needs: it reads the checks, or the grader's own things.
PEEKS = re.compile(
    r"\b(truth|require|verdict|environ|gradebook|checks)\b|\.cases\b"
)


def of_grader(cell):
    return cell.metadata.get("nbgrader", {})


def checked(notebook):
    """{task: its check cell} of a notebook."""
    return {
        of_grader(cell)["grade_id"]: cell
        for cell in notebook.cells
        if of_grader(cell).get("grade") and cell.cell_type == "code"
    }


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
            cell.id += "-put-back"  # the old one may be there, nameless
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


def found(folder, name, remarks):
    """The notebook in a folder; its name may differ if it is alone."""
    paths = [folder / name]
    if not paths[0].exists():
        paths = list(folder.glob("*.ipynb"))
        if len(paths) != 1:
            raise ValueError(f"there is no {name}")
        remarks.append(f"its name was {paths[0].name}")
    try:
        text = paths[0].read_text(encoding="utf-8")
        notebook = nbformat.reads(text, as_version=4)
    except Exception as error:  # whatever a student's file may hold
        raise ValueError(f"{name} cannot be read: {error}") from error
    if not any(of_grader(cell).get("grade_id") for cell in notebook.cells):
        remarks.append("none of its cells has a name: made anew?")
    return notebook


def peeks(notebook):
    """Cells of a student's own that use what no answer needs."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and not of_grader(cell).get("locked"):
            if words := sorted(
                {m[0] for m in PEEKS.finditer(cell.source)}
            ):
                name = of_grader(cell).get("grade_id", "a cell")
                yield f"{name}: uses {', '.join(words)}"


def troubles(notebook):
    """What went wrong beside wrong answers, in a graded notebook."""
    for cell in notebook.cells:
        name = of_grader(cell).get("grade_id", "a cell")
        for output in cell.get("outputs", ()):
            if output.get("ename") == "CellTimeoutError":
                yield f"{name}: endless loop?"
            elif output.get("ename") and name == "setup":
                yield f"{name}: {output['evalue']}"
