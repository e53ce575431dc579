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

    A missing check goes to the end, where all answers are known; one that
    was moved above its answer, behind it. Of a missing answer only the
    name is put back: its text may stand in a cell of the student's own.
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
    remarks += moved(cells)
    about = {"cells": cells, "metadata": released.metadata}
    return nbformat.v4.new_notebook(**about), remarks


def moved(cells):
    """Put each check that stands above its answer behind it; remarks."""
    for check in [cell for cell in cells if of_grader(cell).get("grade")]:
        name = of_grader(check)["grade_id"]
        after = first(cells, [f"{name}-answer"])
        if cells.index(check) < after < len(cells):
            cells.insert(after, cells.pop(cells.index(check)))
            yield f"{name}: stood above its answer"


def first(cells, names):
    """The place of the first cell with one of these names, or the end."""
    found = [of_grader(cell).get("grade_id") in names for cell in cells]
    return found.index(True) if True in found else len(cells)


def plain(name):
    """A name in small letters, without what is added to a copy."""
    return re.sub(r"( ?\(\d+\)|-copy\d*)$", "", name.casefold())


def handed(submitted, sheet):
    """{student: notebooks} handed in for a sheet, wherever they lie.

    In a folder of the sheet's name, in small letters or not, or beside
    it. Hidden files are no work: macOS puts a "._x" beside each "x".
    """
    work = {}
    for folder in sorted(submitted.glob("*/")):
        inside = [
            one for one in folder.glob("*/") if plain(one.name) == sheet
        ]
        beside = [
            path
            for path in folder.glob("*.ipynb")
            if plain(path.stem) == sheet
        ]
        if inside or beside:
            paths = [p for one in inside for p in one.glob("*.ipynb")]
            paths = [p for p in paths + beside if p.name[0] != "."]
            work[folder.name] = sorted(paths)
    return work


def found(paths, sheet, remarks):
    """The notebook of one student; its name may differ if it is alone."""
    name = f"{sheet}.ipynb"
    kept = [p for p in paths if p.parts[-2:] == (sheet, name)]
    others = ", ".join(path.name for path in paths if path not in kept)
    if not kept and len(paths) != 1:
        there = f": there are {others}" if paths else ""
        raise ValueError(f"there is no {name}{there}")
    if not kept:
        (path,) = kept = paths
        place = (
            "" if path.parent.name == sheet else f" in {path.parent.name}"
        )
        remarks.append(f"its name was {path.name}{place}")
    elif others:
        remarks.append(f"left out: {others}")
    paths = kept
    try:
        text = paths[0].read_text(encoding="utf-8")
        notebook = nbformat.reads(text, as_version=4)
    except Exception as error:  # whatever a student's file may hold
        raise ValueError(f"{name} cannot be read: {error}") from error
    if not any(of_grader(cell).get("grade_id") for cell in notebook.cells):
        remarks.append("none of its cells has a name: made anew?")
    return notebook


def own_id(path):
    """The id that a notebook says is its student's; "" if it says none."""
    text = path.read_text(encoding="utf-8", errors="replace")
    said = re.search(r"""STUDENT = (?:\\"|')(\w[\w.@+-]*)""", text)
    return "" if not said or said[1] == "demo" else said[1]


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
