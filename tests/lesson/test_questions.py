"""What a lesson asks is found beside it, or in the course; and what is missing is told."""

import pytest

from marginlab.lesson import Quiz, exercise, questions

QUIZ = """
[01-quiz-m1]
question = "Wer?"
answers = [{answer = "du", feedback = "Nein."}, {answer = "ich", feedback = "Ja.", right = true}]
"""
CHECK = """
from marginlab.lesson import Exercise
unasked = Exercise("01-other", lambda a: a, [{"a": 1}])
mine = Exercise("01-mine", lambda a: 2 * a, [{"a": 3}])
"""


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """The folder of a notebook with questions of its own, as a translation has."""
    (tmp_path / "questions").mkdir()
    (tmp_path / "questions/01.toml").write_text(QUIZ, encoding="utf-8")
    (tmp_path / "questions/01.py").write_text(CHECK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "questions"


def test_those_beside_the_notebook_come_before_the_courses(beside):
    assert Quiz("01-quiz-m1").right == "ich" and exercise("01-mine").verdict(lambda a: 6)[1]
    (beside / "01.toml").unlink()
    (beside / "01.py").unlink()
    assert Quiz("01-quiz-m1").right == "Both gain the same" and exercise("01-wheat").id == "01-wheat"
    assert not list(beside.iterdir()), "and nothing is left there"


def test_what_is_missing_is_told(beside, monkeypatch):
    for ask, name, there in ((questions.asked, "01.toml", "01-quiz-m1"), (exercise, "01.py", "01-other, 01-mine")):
        with pytest.raises(ValueError, match=rf"questions.{name} has nothing under '01-x': use one of {there}$"):
            ask("01-x")
    with pytest.raises(
        FileNotFoundError, match=r"questions/77\.toml does not lie beside this notebook: copy the folder"
    ):
        questions.asked("77-x")
    (beside / "01.toml").write_text("[01-quiz-m1]\nquestion = Wer?", encoding="utf-8")
    with pytest.raises(ValueError, match=r"questions.01\.toml cannot be read: .*line 2"):
        questions.asked("01-quiz-m1")


def test_an_old_ipywidgets_is_told_in_one_sentence(monkeypatch):
    source = (questions.COURSE.parent / "marginlab/lesson/shown.py").read_text(encoding="utf-8")
    monkeypatch.setattr("ipywidgets.__version__", "7.8.5")
    with pytest.raises(ImportError, match=r"marginlab needs ipywidgets 8, and this Python has 7\.8\.5"):
        exec(source, {})
