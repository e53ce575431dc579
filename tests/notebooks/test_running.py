"""A student's copy runs from top to bottom, and all cells can be run again; in a kernel nbval runs them."""

import contextlib
import io
import json

from matplotlib import pyplot

PICTURE = "<IPython.core.display.Image object>\n"  # without a front end a picture is its name


def printed(cells, names):
    """What each cell prints, run one after another with these names."""
    shown = {}
    for cell in cells:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
        shown[cell["id"]] = said.getvalue().replace(PICTURE, "")
        pyplot.close("all")
    return shown


def test_a_students_copy_and_every_cell_twice(lesson, tmp_path, monkeypatch, record_file):
    monkeypatch.chdir(tmp_path)
    saved = {
        cell["id"]: "".join("".join(o["text"]) for o in cell["outputs"] if o.get("name") == "stdout")
        for cell in lesson.code
    }
    solutions, names = lesson.tagged("solution"), {"__name__": "lesson"}
    student = [cell for cell in lesson.code if cell not in solutions]
    first = printed(student, names)
    assert first == {name: saved[name] for name in first}
    stubs = [cell["id"] for cell in lesson.tagged("exercise")]
    assert stubs and all(first[name].startswith("Not answered yet") for name in stubs)
    assert printed(lesson.code, names) == saved, "a cell does something else the second time"
    again = printed(solutions, names)
    assert again and again == {name: saved[name] for name in again}, "a solution does, the second time"
    # Running everything answers nothing for the learner, and leaves nothing beside the notebook.
    assert set(tmp_path.iterdir()) <= {record_file}
    kept = json.loads(record_file.read_text(encoding="utf-8")) if record_file.exists() else {}
    assert not any(answer.get("right") for answer in kept.values()), kept
