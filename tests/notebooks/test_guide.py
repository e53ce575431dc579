"""The instructor's guide, against the lessons: ids, minutes, answers to predictions, links."""

import ast
import re
from pathlib import Path

import pytest

from marginlab.lesson import Prediction

GUIDE = (Path(__file__).resolve().parents[2] / "notebooks/instructor_guide.md").read_text(encoding="utf-8")
PARTS = {number: text for number, text in re.findall(r"\n### Lesson (\d\d)\n(.*?)(?=\n##)", GUIDE, re.S)}


def ids(notebook):
    """Every exercise id of a lesson."""
    return {*notebook.exercises, *notebook.asked}


def test_every_lesson_has_its_part(lesson):
    part = PARTS[lesson.number]
    assert f"]({lesson.path.name})" in part
    for name in ("Expected wrong predictions.", "Discussion prompts", "Stumbling blocks.", "For the quick."):
        assert f"**{name}" in part, name
    assert "| goal | assessed by |" in part
    wrong = re.search(r"\| they say \| they think \| you say \|\n\|[-|]+\|\n((?:\|.*\n)+)", part)[1]
    assert len(wrong.splitlines()) >= 4
    prompts = re.search(r"\*\*Discussion prompts\*\*\n\n(.*?)\n\n", part, re.S)[1]
    assert 3 <= len(re.findall(r"^- ", prompts, re.M)) <= 6


def test_every_id_is_one_of_the_lessons_and_each_is_placed(page):
    there = ids(page)
    told = set(re.findall(rf"`({page.number}-[a-z][\w-]*)`", GUIDE))
    assert told <= there, told - there
    assert there <= told, f"not in the guide: {there - told}"


def test_each_goal_of_a_lesson_is_assessed(lesson):
    goals = re.findall(r"^- \w", "".join(lesson.cells[0]["source"]), re.M)
    table = re.search(r"\| goal \| assessed by \|\n\|[-|]+\|\n((?:\|.*\n)+)", PARTS[lesson.number])[1]
    rows = table.splitlines()
    assert len(rows) == len(goals)
    assert all(re.search(rf"`({lesson.number}-[\w-]+|ps{lesson.number})`", row) for row in rows)


def test_the_syllabus_has_the_goals_of_the_lessons(lesson):
    header = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", "".join(lesson.cells[0]["source"]))
    goals = re.findall(r"^- (.*?)[;.]$", header, re.M)
    said = GUIDE.partition("## 10. A syllabus to copy")[2].partition(f"]({lesson.path.name})**\n\n")[2]
    assert said.startswith("".join(f"- {goal}\n" for goal in goals))


@pytest.mark.parametrize("number", sorted(PARTS))
def test_minutes_add_up(number):
    plan = PARTS[number].split("| you | students |")[1]
    rows = re.findall(r"^\| *([AB]? ?\d+|–) *\| *(\d+|–) *\| .* \| .* \|$", plan, re.M)
    assert len(rows) >= 9
    long = sum(int(b) for _, b in rows if b != "–")
    assert long == 90
    if number == "08":
        assert [sum(int(a[2:]) for a, _ in rows if a[0] == session) for session in "AB"] == [50, 50]
    else:
        assert sum(int(a) for a, _ in rows if a != "–") == 50


def test_minutes_alone_are_those_of_the_headers(lesson):
    header = re.search(r"about (\d+) minutes(, twice)?", "".join(lesson.cells[0]["source"]))
    row = re.search(rf"^\| \[[^]]*\]\({lesson.path.name}\) \|[^|]*\| (2 × )?(\d+) \|", GUIDE, re.M)
    assert row[2] == header[1] and bool(row[1]) == bool(header[2])


def test_the_right_prediction_is_the_lessons_own(lesson, runs):
    """The number under "Answer:" is what the lesson compares a prediction with, as printed."""
    (prediction,) = runs(lesson).held(Prediction).values()
    names = dict(runs(lesson).names)
    (cell,) = ["".join(cell["source"]) for cell in lesson.code if "prediction.compare(" in "".join(cell["source"])]
    (call,) = [
        one for one in ast.walk(ast.parse(cell)) if isinstance(one, ast.Call) and "compare" in ast.unparse(one.func)
    ]
    direction, number = (eval(ast.unparse(given), names) for given in call.args)
    said = re.search(r"Answer: (.*?)\n\n", PARTS[lesson.number], re.S)[1]
    numbers = [float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", said)]
    assert any(abs(n - number) <= 0.5 * 10 ** -len(str(n).partition(".")[2].rstrip("0")) for n in numbers), (
        said,
        number,
    )
    assert direction in prediction.direction.options


def test_links_and_anchors_lead_somewhere(tools):
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", GUIDE, re.M)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", GUIDE):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("https://"):
            assert (tools.FOLDER / target.partition("#")[0]).exists(), target


def test_nothing_is_left_to_be_filled_in():
    assert "<!--" not in GUIDE and "TODO" not in GUIDE
    for name in ("Binder", "JupyterHub", "stick", "Plan B", "Rubric", "One week", "Four weeks", "nbgitpuller"):
        assert name in GUIDE
