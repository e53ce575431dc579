"""Predictions, quizzes and checked exercises: what they say, and what they record."""

import json
import math
import os
import re

import numpy as np
import pytest

from marginlab.lesson import record
from marginlab.lesson.exercises import Exercise, Prediction, Quiz, Reflection

DAMAGE = b'{"01-p": '
NOTHING = "Nothing recorded yet."
WHERE = {"question": "Where is it <closed>?", "directions": ["lower", "higher"], "unit": "USD"}


def predict(id="01-p", **filled):
    made = Prediction(id, WHERE)
    for name, value in filled.items():
        getattr(made, name).value = value
    return made


WHOLE = {"direction": "lower", "number": "45000", "confidence": "a guess"}

# ------------------------------------------------------------- predictions


def test_nothing_is_filled_in_for_the_learner():
    made = predict()
    assert made.direction.value is None and made.number.value == "" and made.confidence.value is None
    assert made.note.value == NOTHING and made.made() is None
    assert made.direction.options == ("lower", "higher")
    assert "&lt;closed&gt;" in made.widget.children[0].value


@pytest.mark.parametrize(
    "left_out, said",
    [
        (["direction"], "direction"),
        (["number"], "number"),
        (["confidence"], "how sure"),
        (["direction", "confidence"], "direction"),
        (list(WHOLE), "direction"),
    ],
    ids=str,
)
def test_what_is_missing_is_said_and_nothing_recorded(left_out, said, record_file):
    made = predict(**{name: value for name, value in WHOLE.items() if name not in left_out})
    made.button.click()
    assert said in made.note.value and "Recorded:" not in made.note.value
    assert made.made() is None and not record_file.exists()


@pytest.mark.parametrize("text", ["", " ", "lower", "45 thousand", "nan", "NaN", "inf", "-infinity", "1e999", "4.5.6"])
def test_a_number_that_is_none_is_asked_for_again(text, record_file):
    made = predict(**WHOLE | {"number": text})
    made.commit()
    assert "number" in made.note.value and "Recorded:" not in made.note.value
    assert not record_file.exists()


@pytest.mark.parametrize(
    "text, number",
    [
        ("45 000", 45_000.0),
        ("45000", 45_000.0),
        ("45000 USD", 45_000.0),
        (" 45_000.5 ", 45_000.5),
        ("4.5e4", 45_000.0),
        ("-12", -12.0),
    ],
)
def test_a_number_may_be_written_as_people_do(text, number):
    made = predict(**WHOLE | {"number": text})
    made.button.click()
    assert made.made().items() >= {"direction": "lower", "number": number, "confidence": "a guess"}.items()


@pytest.mark.parametrize(
    "text, either",
    [
        ("45.000", "45 or 45000"),
        ("45,000", "45 or 45000"),
        ("2,632", "2.6320 or 2632"),
        ("2.632", "2.6320 or 2632"),
        ("0,01", "0.01 or 1"),
        ("-12,5", "-125 or -12.5"),
        ("<1,5", None),
        ("1,234.5", None),
    ],
)
def test_a_number_that_can_be_read_two_ways_is_asked_about(text, either, record_file):
    made = predict(**WHOLE | {"number": text})
    made.commit()
    said = "write a number in digits, without commas"
    said = f"{text} can be read two ways: write {either}" if either else said
    assert made.note.value.startswith(f"Not recorded yet: {said}") and not record_file.exists()
    assert made.number.value == text
    for written in either.split(" or ") if either else ():  # both answers are taken
        made.number.value = written
        made.commit()
        assert made.made()["number"] == float(written)


def test_a_commitment_is_recorded_and_shown_again_after_a_reload(record_file):
    made = predict(**WHOLE)
    made.button.click()
    assert made.note.value == "Recorded: lower, 45,000 USD, a guess."
    (key,), (kept,) = zip(*json.loads(record_file.read_text(encoding="utf-8")).items(), strict=True)
    assert key == "01-p"
    assert kept.items() >= {"direction": "lower", "number": 45_000.0, "confidence": "a guess"}.items()
    assert predict().note.value == made.note.value
    other = predict("01-other")
    assert other.note.value == NOTHING and other.made() is None


def test_a_second_thought_is_kept_beside_the_first():
    predict(**WHOLE).commit()
    predict(**WHOLE | {"direction": "higher", "number": "61000"}).commit()
    kept = predict().made()
    assert (kept["direction"], kept["number"], kept["tries"]) == ("higher", 61_000.0, 2)
    assert (kept["first"]["direction"], kept["first"]["number"]) == ("lower", 45_000.0)


def test_compare_without_a_prediction_gives_nothing_away():
    note = predict().compare("lower", 45_636.36)
    assert note.widget.value == note.text and "commit" in note.text.lower()
    assert "45,636" not in note.text and "lower" not in note.text


@pytest.mark.parametrize("direction, said", [("lower", "as you said"), ("higher", "you said lower")])
@pytest.mark.parametrize("number, off", [(45_636.36, "636.36"), (44_000.0, "1,000"), (45_000.0, None)])
def test_compare_with_one(direction, said, number, off):
    predict(**WHOLE).commit()
    text = predict().compare(direction, number).text
    assert direction in text and said in text and "45,000" in text and "a guess" in text
    if off:
        assert f"{number:,.0f} USD" in text and off in text
        assert (("low" if number > 45_000 else "high") in text.replace("lower", "")) or f"-{off}" in text


def shown(widget, monkeypatch):
    """What a cell shows of a widget, its bundles in order."""
    bundles = []
    monkeypatch.setattr("marginlab.lesson.shown.display", lambda bundle, raw: bundles.append(bundle))
    widget._ipython_display_()
    return bundles


def test_no_saved_output_holds_the_prediction(monkeypatch):
    before = [shown(one, monkeypatch)[0] for one in (predict(), predict().compare("lower", 45_636.36))]
    predict(**WHOLE).commit()
    note = predict().compare("lower", 45_636.36)
    for one, other in zip((predict(), note), before, strict=True):
        still, bundle = shown(one, monkeypatch)
        assert still == other, "it does not depend on the record"
        assert "45,000" not in repr(one) + still["text/html"] and still["text/plain"] == repr(one)
        assert bundle["text/plain"] == repr(one)
        assert set(bundle) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert "<details><summary>Answer</summary>What happens: lower; 45,636 USD.</details>" in still["text/html"]
    assert "&lt;closed&gt;" in predict().twin_html() and "<li>lower</li><li>higher</li>" in predict().twin_html()


def test_a_prediction_that_cannot_be_recorded_says_so(monkeypatch, record_file):
    def full(*args):
        raise OSError(28, "No space <left>")

    made = predict(**WHOLE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        made.commit()
    assert made.note.value.startswith("Not recorded") and "No space &lt;left&gt;" in made.note.value
    record_file.write_bytes(DAMAGE)
    made.commit()
    assert "Not recorded: answers.json is damaged" in made.note.value
    assert record_file.read_bytes() == DAMAGE


# ------------------------------------------------------------------ quizzes

OPTIONS = [
    ("5 BTC", "Yes, the pool and no more."),
    ("10 BTC", "The <other> five stay."),
    ("0", "It was closed."),
]
ANSWERS = [{"answer": answer, "feedback": word} for answer, word in OPTIONS]
ANSWERS[0]["right"] = True


def quiz(answers=ANSWERS):
    return Quiz("01-q", {"question": "What can it <cost>?", "answers": answers})


@pytest.mark.parametrize("answer, feedback", OPTIONS)
def test_each_answer_has_its_own_feedback_and_is_recorded(answer, feedback):
    asked = quiz()
    assert asked.choice.value is None and asked.feedback.value == NOTHING and record.load() == {}
    asked.choice.value = answer
    shown = asked.feedback.value
    assert 'aria-live="polite"' in shown
    assert feedback.replace("<other>", "&lt;other&gt;") in shown
    assert bool(re.search(r">Yes\b", shown)) == (answer == "5 BTC") != bool(re.search(r">No[t.]", shown))
    assert not any(word in shown for other, word in OPTIONS if other != answer)
    assert list(record.load()) == ["01-q"]
    assert record.load()["01-q"].items() >= {"answer": answer, "right": answer == "5 BTC"}.items()


def test_a_quiz_keeps_the_last_answer_and_the_first():
    asked = quiz()
    for answer in ("0", "10 BTC", None):
        asked.choice.value = answer
    kept = record.load()["01-q"]
    assert (kept["answer"], kept["right"], kept["tries"], kept["first"]["answer"]) == (
        "10 BTC",
        False,
        2,
        "0",
    )
    assert "stay" in asked.feedback.value


def test_the_question_and_the_options_are_shown():
    asked = quiz()
    assert asked.choice.options == ("5 BTC", "10 BTC", "0")
    assert "&lt;cost&gt;" in asked.widget.children[0].value
    assert repr(asked) == asked._repr_mimebundle_()["text/plain"] == "Quiz 01-q: run this cell to use it."


def test_a_quiz_run_again_shows_what_was_recorded(record_file):
    quiz().choice.value = "10 BTC"
    kept = record_file.read_bytes()
    again = quiz()
    assert again.choice.value == "10 BTC" and record_file.read_bytes() == kept, "to show it is no try"
    assert again.feedback.value == "Recorded. Not quite. The &lt;other&gt; five stay."
    assert quiz(ANSWERS[:1]).choice.value is None, "an answer that is there no more"


def test_a_quiz_without_a_kernel_has_its_answer_folded(monkeypatch):
    still, _ = shown(quiz(), monkeypatch)
    said, folded = still["text/html"].split("<details>")
    assert "&lt;cost&gt;" in said and all(f"<li>{answer}</li>" in said for answer, _ in OPTIONS)
    assert not any(word.split()[-1] in said for _, word in OPTIONS)
    assert "<b>5 BTC.</b> Yes, the pool and no more." in folded and "closed" not in folded


@pytest.mark.parametrize("rights", [0, 2])
def test_a_quiz_has_one_right_answer(rights):
    with pytest.raises(ValueError, match="values to unpack"):
        quiz([one | {"right": place < rights} for place, one in enumerate(ANSWERS)])


def test_a_quiz_answers_even_if_it_cannot_record(record_file):
    record_file.write_bytes(DAMAGE)
    asked = quiz()
    asked.choice.value = "0"
    assert "It was closed." in asked.feedback.value and "Not recorded: answers.json is damaged" in asked.feedback.value
    assert record_file.read_bytes() == DAMAGE


# ---------------------------------------------------------------- exercises


def total(a, b):
    return 10.0 * (a + b)


def difference(a, b):
    return 10.0 * (a - b)


def forgotten(a, b):
    return a + b


SLIPS = [(difference, "Look at the sign."), (forgotten, "Ten is missing.")]


def exercise(**changes):
    about = {"truth": total, "cases": [{"a": 3_000, "b": 4}, {"a": 0.5, "b": 0}], "slips": SLIPS}
    return Exercise("01-sum", **about | changes)


def stub(a, b):
    raise NotImplementedError


def crash(a, b):
    return a / 0


NEARLY = "is it rounded, or a step not exact?"
GIVEN = "With a=3,000, b=4"
WRONG = {
    "not answered": (stub, "Not answered yet: fill in the blank and run the cell again."),
    "crash": (crash, f"{GIVEN} your function stops: ZeroDivisionError: division by zero"),
    "other arguments": (lambda a: a, f"{GIVEN} your function stops: TypeError: "),
    "not a function": (30_040.0, f"{GIVEN} your function stops: TypeError: "),
    "None": (lambda a, b: None, f"{GIVEN} your function returns None; it should return a number."),
    "text": (
        lambda a, b: "30040",
        f"{GIVEN} your function returns '30040'; it should return a number.",
    ),
    "bool": (lambda a, b: True, f"{GIVEN} your function returns True; it should return a number."),
    "tuple": (
        lambda a, b: (1, 2),
        f"{GIVEN} your function returns (1, 2); it should return a number.",
    ),
    "complex": (lambda a, b: 1j, f"{GIVEN} your function returns 1j; it should return a number."),
    "nan": (lambda a, b: math.nan, f"Not yet. {GIVEN} you get nan, and it should be 30,040."),
    "infinite": (lambda a, b: math.inf, f"Not yet. {GIVEN} you get ∞, and it should be 30,040."),
    "slip": (difference, f"Not yet. {GIVEN} you get 29,960. Look at the sign."),
    "another slip": (forgotten, f"Not yet. {GIVEN} you get 3,004. Ten is missing."),
    "no known slip": (lambda a, b: 7, f"Not yet. {GIVEN} you get 7, and it should be 30,040."),
    "right once": (
        lambda a, b: 30_040.0,
        "Not yet. With a=0.5, b=0 you get 30,040, and it should be 5.",
    ),
    "too large for a float": (lambda a, b: 10**400, "Not yet. "),
    "just not near": (
        lambda a, b: total(a, b) * (1 + 2e-6),
        f"Nearly. {GIVEN} you are off by 0.06: {NEARLY}",
    ),
    "rounded": (lambda a, b: 30_041.0, f"Nearly. {GIVEN} you are off by 1: {NEARLY}"),
    "rounded to three digits": (
        lambda a, b: 30_000.0,
        f"Nearly. {GIVEN} you are off by 40: {NEARLY}",
    ),
    "not rounded, and as far": (
        lambda a, b: 30_080.0,
        f"Not yet. {GIVEN} you get 30,080, and it should be 30,040.",
    ),
}


@pytest.mark.parametrize("answer, said", WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_told_why(answer, said, capsys):
    given = exercise()
    given.check(answer)
    shown = capsys.readouterr().out
    assert shown.startswith(said) and shown.count("\n") == 1
    kept = record.load()
    assert list(kept) == ([] if answer is stub else ["01-sum"])
    assert answer is stub or kept["01-sum"].items() >= {"right": False, "said": shown.strip()}.items()
    assert given.verdict(answer) == (shown.strip(), False)


RIGHT = {
    "the truth": total,
    "by another way": lambda a, b: a * 10 + b * 10,
    "within tolerance": lambda a, b: total(a, b) * (1 + 5e-7),
    "int where it is whole": lambda a, b: 30_040 if a == 3_000 else 5.0,
    "numpy float": lambda a, b: np.float64(total(a, b)),
    "numpy int": lambda a, b: np.int64(total(a, b)) if a == 3_000 else 5.0,
}


@pytest.mark.parametrize("answer", RIGHT.values(), ids=RIGHT)
def test_a_right_answer_is_told_so(answer, capsys):
    exercise().check(answer)
    assert capsys.readouterr().out == "Right, on 2 cases that you had not seen.\n"
    kept = record.load()["01-sum"]
    assert kept["right"] is True and kept["said"].startswith("Right") and kept["tries"] == 1


def test_a_slip_that_is_right_on_the_first_case_is_caught_on_the_next():
    cases = [{"a": 3, "b": 0}, {"a": 5, "b": 2}]
    said, right = exercise(cases=cases).verdict(difference)
    assert (said, right) == ("Not yet. With a=5, b=2 you get 30. Look at the sign.", False)


def test_zero_is_a_number_like_any_other():
    nothing = exercise(truth=lambda a, b: 0.0, slips=[])
    assert nothing.verdict(lambda a, b: 0)[1] and not nothing.verdict(lambda a, b: 1e-6)[1]


def test_a_wide_tolerance_is_used():
    assert exercise(tolerance=0.1).verdict(lambda a, b: 1.05 * total(a, b))[1]
    assert not exercise(tolerance=0.01).verdict(lambda a, b: 1.05 * total(a, b))[1]


def test_the_inputs_are_given_by_name_and_stay_as_they_are():
    seen = []

    def spy(*args, **given):
        assert not args
        seen.append(given)
        given.clear()  # what a careless answer does to its inputs stays there
        return 0.0

    given = exercise()
    given.verdict(spy)
    assert given.cases[0] == {"a": 3_000, "b": 4}


def test_a_check_that_cannot_record_still_answers(record_file, capsys, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        exercise().check(total)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Right") and second.startswith(
        "Not recorded: No space left on device. Your earlier answers are whole"
    )
    for damaged in (DAMAGE, b"[]"):
        record_file.write_bytes(damaged)
        exercise().check(difference)
        first, second = capsys.readouterr().out.splitlines()
        assert first.endswith("Look at the sign.") and second.startswith("Not recorded: answers.json is damaged")
        assert record_file.read_bytes() == damaged


def test_tries_are_counted_and_the_first_is_kept():
    for answer in (stub, difference, stub, total):  # a blank is no try
        exercise().check(answer)
    kept = record.load()["01-sum"]
    assert (kept["tries"], kept["right"], kept["first"]["right"], kept["solved"]) == (2, True, False, 2)


@pytest.mark.parametrize(
    "before, solved",
    [
        ({"right": True, "tries": 4}, 4),  # of the first version, which did not say so
        ({"right": False, "tries": 4, "first": {"right": True}}, 1),
        ({"right": False, "tries": 4, "solved": 2}, 2),
        ({"right": False, "tries": 4}, None),
        ({"right": "yes", "tries": "many"}, None),
        ([], None),
    ],
)
def test_a_right_answer_is_never_forgotten(before, solved):
    record.save("01-sum", before)
    exercise().check(difference)
    kept = record.load()["01-sum"]
    assert kept["right"] is False and kept.get("solved") == solved
    exercise().check(total)
    assert record.load()["01-sum"]["solved"] == (solved or kept["tries"] + 1)


# ------------------------------------------------ what is in the record already


@pytest.mark.parametrize("entry", [None, 5, "lower", ["lower"], {}, {"direction": "lower", "number": "45", "text": 1}])
def test_an_entry_of_another_shape_is_nothing_recorded(entry):
    for key in ("01-p", "01-q", "01-why"):
        record.save(key, entry)
    asked = predict(**WHOLE), quiz(), Reflection("01-why", WHY)
    assert [one.widget.children[-1].value for one in asked] == [NOTHING] * 3
    assert "Nothing is committed" in asked[0].compare("lower", 1.0).text
    asked[0].commit()
    assert predict().made()["tries"] == 1


def test_a_record_that_a_browser_has_renamed_is_told_of(record_file):
    (record_file.parent / "answers (1).json").write_text("{}")
    said = "answers (1).json lies in this folder and is not read: if it has your answers, name it answers.json."
    assert predict().note.value == quiz().feedback.value == f"{NOTHING} {said}"


def test_a_solution_is_checked_but_not_recorded(capsys):
    for answer, said in (
        (total, "This solution passes the check."),
        (difference, "This solution is wrong: Not yet."),
    ):
        exercise().solution(answer)
        assert capsys.readouterr().out.startswith(said)
    assert record.load() == {}


# -------------------------------------------------------------- reflections


WHY = {"question": "Which step <makes> it?"}


def test_a_sentence_of_ones_own_is_kept_and_shown_again(record_file):
    asked = Reflection("01-why", WHY)
    assert asked.text.value == "" and asked.note.value == NOTHING and "&lt;makes&gt;" in asked.widget.children[0].value
    asked.text.value = "The coins fell too – und zwar früher."
    asked.button.click()
    assert "Not recorded" not in asked.note.value and asked.note.value
    assert record.load()["01-why"]["text"] == asked.text.value
    assert Reflection("01-why", WHY).text.value == asked.text.value
    assert Reflection("01-other", WHY).text.value == ""
    record_file.write_bytes(DAMAGE)
    asked.button.click()
    assert "Not recorded" in asked.note.value and record_file.read_bytes() == DAMAGE


def test_an_empty_sentence_is_not_kept():
    asked = Reflection("01-why", WHY)
    for text in ("", "  \n"):
        asked.text.value = text
        asked.button.click()
        assert asked.note.value.startswith("Not recorded yet") and record.load() == {}
