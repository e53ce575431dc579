"""The learner's copy: no outputs, kept answers, later versions; and the same for a class."""

import json
from pathlib import Path

import pytest

from marginlab.lesson import handout

COURSE = Path(__file__).resolve().parents[2] / "notebooks"
LESSON = "01_isolated_margin.ipynb"


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def write(path, text, source="x = 1", output="1"):
    """A course of one lesson."""
    code = {"cell_type": "code", "id": "a", "metadata": {}, "source": [source], "outputs": [], "execution_count": 1}
    code["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [output]}]
    said = {"cell_type": "markdown", "id": "b", "metadata": {}, "source": [text]}
    solved = code | {"id": "c", "metadata": {"tags": ["solution"]}, "source": ["y = 2"]}
    path.write_text(json.dumps({"cells": [said, code, solved], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


@pytest.fixture
def course(tmp_path):
    folder = tmp_path / "course"
    (folder / "assignments/release/ps01").mkdir(parents=True)
    write(folder / "01_one.ipynb", "first")
    (folder / "glossary.md").write_text("words", encoding="utf-8")
    (folder / "assignments/release/ps01/checks.py").write_text("truth = 1", encoding="utf-8")
    return folder


def test_no_answer_stands_before_its_question(tmp_path):
    assert handout.hand_out(tmp_path / "mine") == []
    made = sorted(path.name for path in (tmp_path / "mine").glob("0*.ipynb"))
    assert made == sorted(path.name for path in COURSE.glob("0*.ipynb"))
    for name in made:
        mine, theirs = cells(tmp_path / "mine" / name), cells(COURSE / name)
        assert [c["source"] for c in mine] == [c["source"] for c in theirs]
        assert not any(c.get("outputs") or c.get("execution_count") for c in mine)
        assert any(c.get("outputs") for c in theirs)  # the originals keep theirs
    assert (tmp_path / "mine/glossary.md").read_text(encoding="utf-8") == (COURSE / "glossary.md").read_text(
        encoding="utf-8"
    )
    for found in [*(COURSE / "assignments/release").glob("*/*"), *(COURSE / "questions").glob("0*")]:
        assert (tmp_path / "mine" / found.relative_to(COURSE)).exists()


def test_what_was_only_run_is_kept_and_brought_up_to_date(course, tmp_path):
    mine = tmp_path / "mine"
    handout.hand_out(mine, course)
    book = json.loads((mine / "01_one.ipynb").read_text(encoding="utf-8"))
    book["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["mine"]}]
    (mine / "01_one.ipynb").write_text(json.dumps(book))
    assert handout.hand_out(mine, course) == [] and "mine" in (mine / "01_one.ipynb").read_text(encoding="utf-8")
    write(course / "01_one.ipynb", "second")
    assert handout.hand_out(mine, course) == [] and cells(mine / "01_one.ipynb")[0]["source"] == ["second"]


def test_what_the_learner_wrote_is_never_overwritten(course, tmp_path):
    mine = tmp_path / "mine"
    handout.hand_out(mine, course)
    write(mine / "01_one.ipynb", "first", source="x = 'my answer'")
    (mine / "glossary.md").write_text("my notes", encoding="utf-8")
    (mine / "my_answers.json").write_text("{}", encoding="utf-8")
    for _ in range(2):  # at every start
        write(course / "01_one.ipynb", "second")
        (course / "glossary.md").write_text("new words", encoding="utf-8")
        assert handout.hand_out(mine, course) == ["01_one.ipynb", "glossary.md"]
        assert (
            "my answer" in (mine / "01_one.ipynb").read_text(encoding="utf-8")
            and (mine / "glossary.md").read_text(encoding="utf-8") == "my notes"
        )
    (mine / "01_one.ipynb").rename(mine / "01_mine.ipynb")
    assert handout.hand_out(mine, course) == ["glossary.md"]
    assert cells(mine / "01_one.ipynb")[0]["source"] == ["second"] and (mine / "01_mine.ipynb").exists()
    assert (mine / "my_answers.json").exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"cells": 5}'])
def test_a_damaged_file_is_somebodys_own(course, tmp_path, damage):
    mine = tmp_path / "mine"
    handout.hand_out(mine, course)
    (mine / "01_one.ipynb").write_text(damage)
    assert handout.hand_out(mine, course) == ["01_one.ipynb"]
    (mine / handout.STATE).write_text(damage)
    handout.hand_out(mine, course)
    assert (mine / "01_one.ipynb").read_text(encoding="utf-8") == damage


def test_for_a_class_without_solutions(course, tmp_path, capsys):
    assert handout.main([str(tmp_path / "bare"), "--bare"]) is None
    for path in (tmp_path / "bare").glob("0*.ipynb"):
        assert not any("solution" in c["metadata"].get("tags", ()) for c in cells(path))
    assert any("exercise" in c["metadata"].get("tags", ()) for c in cells(tmp_path / "bare" / LESSON))
    assert not list((tmp_path / "bare").glob("**/source")) and not (tmp_path / "bare/instructor_guide.md").exists()


def test_in_place_for_binder(course):
    assert handout.main([str(course), "--here"]) is None
    assert cells(course / "01_one.ipynb")[1]["outputs"] == []


def test_what_cannot_be_meant(tmp_path, capsys):
    assert "FOLDER" in handout.main([]) and "FOLDER" in handout.main(["a", "b"]) and handout.main(["a", "--x"])
    assert "one of its own" in handout.main([str(COURSE)])
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "cannot be written" in handout.main([str(tmp_path / "file")])
