"""The page to hand in: what is in the record, whole, and nothing else."""

import base64
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from marginlab.lesson import record
from marginlab.lesson.exercises import Prediction, Quiz, Reflection
from marginlab.lesson.summary import HandIn, page, rows


class Cells(HTMLParser):
    """The tables of a page as rows of texts."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags, self.inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        self.inside = tag in ("td", "th")
        if self.inside:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data


WHERE = {"question": "Where?", "directions": ["lower", "higher"], "unit": "USD"}


def quiz(id, wrong, right):
    answers = [{"answer": wrong, "feedback": "No."}, {"answer": right, "feedback": "Yes.", "right": True}]
    return Quiz(id, {"question": "Who?", "answers": answers})


@pytest.fixture
def answered(record_file):
    """A record with an answer of each kind, given by widgets; the first to the quiz was wrong."""
    prediction = Prediction("01-liquidation", WHERE)
    prediction.direction.value, prediction.confidence.value = "lower", "certain"
    prediction.number.value = "45000"
    prediction.commit()
    asked = quiz("01-quiz-m1", "You", "Both")
    for choice in ("You", "Both", "You"):
        asked.choice.value = choice
    quiz("02-quiz-m3", "This", "That").choice.value = "This"
    reflection = Reflection("02-reflection", {"question": "Why?"})
    reflection.text.value = "Because 1 < 2 & <b>coins</b> fall."
    reflection.commit()
    record.save(
        "02-haircut",
        {"right": True, "said": "Right, on 2 cases", "tries": 3, "first": {"right": False}},
    )
    return record.load()


def test_every_answer_is_told_and_how_it_went(answered):
    assert list(rows(answered)) == [
        ("01", "01-liquidation", "prediction", "lower, 45,000, certain", "", 1),
        ("01", "01-quiz-m1", "quiz", "You", "right at the second try", 3),
        ("02", "02-haircut", "exercise", "", "right, not at first", 3),
        ("02", "02-quiz-m3", "quiz", "This", "not yet", 1),
        ("02", "02-reflection", "in your words", "Because 1 < 2 & <b>coins</b> fall.", "", 1),
    ]


@pytest.mark.parametrize(
    "entry, said",
    [
        ({"right": True, "solved": 1}, "right at the first try"),
        ({"right": False, "solved": 10}, "right at the tenth try"),
        ({"right": False, "solved": 11}, "right at try 11"),
        ({"right": True}, "right at the first try"),
        ({"right": False, "first": {"right": True}}, "right at the first try"),
        ({"right": True, "first": {"right": False}}, "right, not at first"),
        ({"right": False}, "not yet"),
    ],
)
def test_how_it_went(entry, said):
    assert [row[4] for row in rows({"01-a": entry})] == [said]


@pytest.mark.parametrize("entry", [None, 5, "x", [], {"confidence": "certain"}, {"right": True, "solved": "once"}])
def test_an_entry_of_another_shape_is_told_and_the_others_stay(answered, entry):
    found = list(rows(answered | {"01-aside": entry}))
    assert found[0] == ("01", "01-aside", "cannot be read", "", "", "") and found[1:] == list(rows(answered))
    assert "cannot be read" in page("Ann", answered | {"01-aside": entry})


def test_a_prediction_that_was_changed_shows_the_first_one(record_file):
    made = Prediction("01-liquidation", WHERE)
    made.direction.value, made.confidence.value = "higher", "a guess"
    for number in ("40000", "45636"):
        made.number.value = number
        made.commit()
    (row,) = rows(record.load())
    assert row[3] == "at first: higher, 40,000, a guess; then: higher, 45,636, a guess" and row[5] == 2


def test_the_page_shows_them_lesson_by_lesson(answered):
    text = page("Ann <Example>", answered)
    found = Cells(text)
    assert "b" not in found.tags, "what a learner writes is text"
    told = [row for row in found.rows if row[0] != "exercise"]
    assert told == [[str(cell) for cell in row[1:]] for row in rows(answered)]
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["Lesson 01", "Lesson 02"]
    assert "Answers: 5. Right, of those that can be right or wrong: 2 of 3." in text
    assert "marginlab: Ann &lt;Example&gt;" in text
    assert not re.search(r"https?://|src=", text), "it needs nothing from elsewhere"


def test_a_page_is_written_and_offered(answered, record_file):
    made = HandIn()
    made.name.value = "Ann"
    made.button.click()
    written = (record_file.parent / "my_summary.html").read_text(encoding="utf-8")
    assert written == page("Ann", answered)
    links = re.findall(r'download="([^"]+)" href="data:([\w/]+);base64,([^"]+)"', made.note.value)
    assert [link[:2] for link in links] == [
        ("my_summary.html", "text/html"),
        ("my_answers.json", "application/json"),
    ]
    assert base64.b64decode(links[0][2]).decode() == written
    assert base64.b64decode(links[1][2]) == record_file.read_bytes()
    assert record.load() == answered


def test_without_a_name_or_an_answer_it_says_so(record_file):
    made = HandIn()
    made.button.click()
    assert "write your name" in made.note.value
    made.name.value = "Ann"
    made.button.click()
    assert "nothing is recorded" in made.note.value
    assert not (record_file.parent / "my_summary.html").exists()


def test_a_damaged_record_and_a_full_disk_are_told_of(record_file, monkeypatch):
    made = HandIn()
    made.name.value = "Ann"
    record_file.write_text("{")
    made.button.click()
    assert "damaged" in unescape(made.note.value)
    record_file.write_text('{"01-a": {"right": true, "tries": 1, "first": {"right": true}}}')

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record.os, "fsync", full)
    made.button.click()
    assert "Not made" in made.note.value and "No space left" in made.note.value
    assert [path.name for path in record_file.parent.iterdir()] == [record_file.name]
