"""The learner's copy of the course: the lessons without outputs, so that no answer stands on the
page before its question.

    python -m marginlab.lesson.handout FOLDER             lessons, glossary, problem sets
    python -m marginlab.lesson.handout FOLDER --bare      and no solutions
    python -m marginlab.lesson.handout notebooks --here   clears a folder in place (Binder)
"""

import hashlib
import json
import sys
from pathlib import Path

COURSE = Path(__file__).resolve().parents[2] / "notebooks"
STATE = ".marginlab.json"  # what was written here, so that a later version knows what is yours
KINDS = ("0*.ipynb", "extra/*.ipynb", "questions/0*", "glossary.md", "images/*")
KINDS += ("assignments/README.md", "assignments/release/*/*")


def cleared(text: str, solutions: bool = True) -> str:
    """A notebook's text without outputs and counts, and without solutions if they may not go."""
    book = json.loads(text)
    if not solutions:
        kept = (c for c in book["cells"] if "solution" not in c["metadata"].get("tags", ()))
        book["cells"] = list(kept)
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def written(text: str, name: str) -> str:
    """A mark of what somebody wrote: of a notebook its cells, whatever they have printed."""
    if name.endswith(".ipynb"):
        try:
            cells = json.loads(text)["cells"]
            text = json.dumps([[c["cell_type"], "".join(c["source"])] for c in cells])
        except (ValueError, KeyError, TypeError):
            pass  # damaged, or another file of that name: somebody's own
    return hashlib.sha256(text.encode()).hexdigest()


def hand_out(folder: Path, course: Path = COURSE, solutions: bool = True) -> list[str]:
    """Write the course into a folder, and return the names of files that were left as they are.

    What is not there is written; what its reader has not changed is brought up to date; what they
    have changed is kept. A notebook that was only run counts as not changed, and keeps its outputs
    unless the course has a newer one. OSError if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / STATE
    try:
        known = json.loads(state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    kept, marks = [], {}
    for source in sorted(path for kind in KINDS for path in course.glob(kind) if path.is_file()):
        name = source.relative_to(course).as_posix()
        target, data = folder / name, source.read_bytes()
        if source.suffix == ".ipynb":
            data = cleared(data.decode(), solutions).encode()
        marks[name] = written(data.decode("utf-8", "replace"), name)
        if target.exists():
            there = written(target.read_bytes().decode("utf-8", "replace"), name)
            if there == marks[name]:
                continue
            if there != known.get(name):
                kept.append(name)
                marks[name] = known.get(name, "")
                continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    state.write_text(json.dumps(known | marks, indent=1), encoding="utf-8")
    return kept


def clear(folder: Path) -> None:
    """Take the outputs out of the lessons of a folder, in place."""
    for path in sorted(folder.glob("0*.ipynb")):
        path.write_text(cleared(path.read_text(encoding="utf-8")), encoding="utf-8")


def main(words: list[str]) -> str | None:
    """What the module does when it is run; returns what went wrong, or None."""
    flags = [word for word in words if word.startswith("--")]
    folders = [word for word in words if not word.startswith("--")]
    if len(folders) != 1 or set(flags) - {"--bare", "--here"}:
        return __doc__
    folder = Path(folders[0])
    try:
        if "--here" in flags:
            clear(folder)
            return None
        if folder.resolve() in (COURSE, *COURSE.parents):
            return f"FOLDER must be one of its own, not {folder}"
        for name in hand_out(folder, solutions="--bare" not in flags):
            print(f"Kept as you have it: {name}. Rename it, and the course's newer one appears.")
    except OSError as error:
        return f"{folder} cannot be written: {error}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
