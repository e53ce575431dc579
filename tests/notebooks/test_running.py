"""In a real kernel: a student's copy runs from top to bottom, and all cells can be run again."""

import copy
import json

import nbformat
import pytest
from nbclient import NotebookClient

# Windows: zmq has no fast loop there, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:Proactor event loop:RuntimeWarning")


def texts(notebook):
    """What each code cell shows as text."""
    shown = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            parts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs]
            shown[cell.id] = "".join(parts)
            assert not any(o.get("name") == "stderr" for o in cell.outputs), cell.id
    return shown


def test_a_students_copy_and_every_cell_twice_in_one_kernel(lesson, tmp_path, record_file):
    whole = nbformat.read(lesson.path, as_version=4)
    saved = texts(whole)
    student = copy.deepcopy(whole)
    student.cells = [cell for cell in student.cells if "solution" not in cell.metadata.get("tags", ())]
    client = NotebookClient(student, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    with client.setup_kernel():

        def run(notebook):
            client.nb = notebook
            client.reset_execution_trackers()
            for place, cell in enumerate(notebook.cells):
                client.execute_cell(cell, place)
            return texts(notebook)

        first = run(student)
        assert first == {name: saved[name] for name in first}
        stubs = [cell["id"] for cell in lesson.tagged("exercise")]
        assert stubs and all(first[name].startswith("Not answered yet") for name in stubs)
        assert run(copy.deepcopy(whole)) == saved, "a cell does something else the second time"
        whole.cells = [cell for cell in whole.cells if "solution" in cell.metadata.get("tags", ())]
        again = run(whole)
        assert again and again == {name: saved[name] for name in again}, "a solution does, the second time"
    # Running everything answers nothing for the learner, and leaves nothing beside the notebook.
    assert not list(tmp_path.glob("*answers*.json")) or list(tmp_path.glob("*answers*.json")) == [record_file]
    kept = json.loads(record_file.read_text(encoding="utf-8")) if record_file.exists() else {}
    assert not any(answer.get("right") for answer in kept.values()), kept
