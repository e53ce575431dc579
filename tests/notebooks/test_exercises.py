"""Exercises and questions of the lessons: each check can be passed, and tells each slip from the others."""

import ast
import re
import sys
from itertools import pairwise

import pytest

from marginlab.lesson import Decision, Quiz, Votes
from tests.mutants import mutants

UNANSWERED = "Not answered yet"


def source(cell):
    return "".join(cell["source"])


def function(cell):
    """(lines of the one function that a cell defines, its name, the exercise's id, the way in which it is judged)."""
    defined, judged = ast.parse(source(cell)).body
    assert isinstance(defined, ast.FunctionDef) and isinstance(judged, ast.Expr), cell["id"]
    call = re.fullmatch(rf"exercise\('(\S+)'\)\.(check|solution)\({defined.name}\)", ast.unparse(judged))
    assert call, f"{cell['id']} does not judge {defined.name}: {ast.unparse(judged)}"
    lines = source(cell).splitlines()[defined.lineno - 1 : defined.end_lineno]
    return lines, defined.name, call[1], call[2]


def made(cell, runs, lesson):
    """The function of a cell, defined afresh in the lesson's names."""
    names = dict(runs(lesson).names)
    node = ast.parse(source(cell)).body[0]
    exec(compile(ast.Module([node], []), cell["id"], "exec"), names)
    return names[node.name]


def test_each_exercise_has_one_solution_after_it(lesson):
    assert len(lesson.exercises) >= 2
    for name, (exercise, solution) in lesson.exercises.items():
        assert exercise and solution, name
        assert lesson.cells.index(exercise) < lesson.cells.index(solution)
    cells = lesson.tagged("exercise") + lesson.tagged("solution")
    assert len(cells) == 2 * len(lesson.exercises), "an exercise id is used twice"


def test_a_stub_is_its_solution_minus_lines(lesson):
    for name, (exercise, solution) in lesson.exercises.items():
        (stub, stub_name, _, judged), (whole, whole_name, _, _) = function(exercise), function(solution)
        assert [line.strip() for line in stub].count("raise NotImplementedError") == 1, name
        kept = [line for line in stub if line.strip() != "raise NotImplementedError"]
        rest = iter(whole)
        assert all(line in rest for line in kept), f"{name}: a line of the stub is not in the solution, in order"
        assert "NotImplementedError" not in source(solution)
        assert stub_name == whole_name and judged == "check", "only the learner's own answer is recorded"
        gone = [line for line in whole if line not in kept]
        assert 1 <= len(gone) <= 4, f"{name}: a blank of {len(gone)} lines"


def test_solutions_leave_the_record_alone(lesson):
    """Run All must not mark a learner's exercises as solved."""
    for _, solution in lesson.exercises.values():
        assert function(solution)[3] == "solution", solution["id"]


def test_the_first_exercise_is_worked_out_but_for_its_last_step(lesson):
    (exercise, solution), *_ = lesson.exercises.values()
    stub, whole = function(exercise)[0], function(solution)[0]
    assert len(stub) == len(whole) >= 4 and stub[-1].strip() == "raise NotImplementedError"


def test_stub_and_solution_are_told_so(lesson, runs):
    printed = runs(lesson).printed
    for name, (exercise, solution) in lesson.exercises.items():
        assert printed[exercise["id"]].startswith(UNANSWERED), name
        assert printed[solution["id"]] == "This solution passes the check.\n", name
        for cell in (exercise, solution):
            saved = "".join("".join(output["text"]) for output in cell["outputs"])
            assert saved == printed[cell["id"]]


def test_ids_carry_the_lesson_and_each_is_asked_once_and_in_its_lesson(page):
    """Of texts and of checks: nothing beside the notebook that it does not ask, and nothing twice."""
    called = r"\b(?:Decision|Prediction|Quiz|Reflection|Votes)\(\"(.*?)\"\)"
    asked = [name for cell in page.code for name in re.findall(called, source(cell))]
    assert sorted(asked) == sorted(page.asked)
    names = [*asked, *page.exercises]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(rf"{page.number}-[a-z0-9-]+", name) for name in names), names
    if page.exercises:
        beside = page.path.parent / f"questions/{page.number}.py"
        there = re.findall(r"Exercise\(\s*\"(.*?)\"", beside.read_text(encoding="utf-8"))
        assert sorted(there) == sorted(page.exercises)


def test_nothing_lies_among_the_questions_that_no_lesson_asks(tools):
    there = {path.stem for path in (tools.FOLDER / "questions").glob("*.*")}
    assert there == {"00", *(path.name[:2] for path in tools.LESSONS)}


def test_the_check_is_the_one_of_its_exercise(lesson):
    for name, pair in lesson.exercises.items():
        for cell in pair:
            assert function(cell)[2] == lesson.checks[name].id == name


def test_a_constant_and_nothing_are_no_answer(lesson):
    for name, check in lesson.checks.items():
        for value in (0, 1.0, -1, 50_000.0, float("nan"), check.truth(**check.cases[0])):
            said, right = check.verdict(lambda value=value, **given: value)
            assert not right, f"{name} takes {value}"
        for nothing in (None, "5", True):
            said, right = check.verdict(lambda nothing=nothing, **given: nothing)
            assert not right and "should return a number" in said


def test_cases_are_fresh_and_differ(lesson):
    for name, check in lesson.checks.items():
        assert len(check.cases) >= 2, name
        for one, other in pairwise(check.cases):
            assert one.keys() == other.keys()
            assert all(one[key] != other[key] for key in one), f"{name}: an input is the same in two cases"
        answers = [check.truth(**case) for case in check.cases]
        assert all(abs(a / b - 1) > 0.01 for a, b in pairwise(answers))
        assert all(abs(answer) > 100 * check.tolerance for answer in answers)


def test_each_slip_gets_its_own_word_on_the_first_case(lesson):
    for name, check in lesson.checks.items():
        assert check.slips, f"{name} explains no slip"
        for slip, word in check.slips:
            said, right = check.verdict(slip)
            assert not right and said.endswith(word), f"{name}: {said}"
            first = check.cases[0]
            assert all(f"{key}={value:,g}" in said for key, value in first.items())
            others = [w for s, w in check.slips if s is not slip and check.near(s(**first), slip(**first))]
            assert not others, f"{name}: {word} cannot be told from {others}"
        words = [word for _, word in check.slips]
        assert len(set(words)) == len(words) and all(len(word.split()) >= 5 for word in words)


def test_solutions_agree_with_the_check_far_from_its_cases(lesson, runs):
    """A solution is right in general, not at two points."""
    for name, (_, solution) in lesson.exercises.items():
        check, answer = lesson.checks[name], made(solution, runs, lesson)
        for case in check.cases:
            for key in case:
                other = case | {key: case[key] * 1.07}
                assert answer(**other) == pytest.approx(check.truth(**other), rel=1e-6), (name, other)


def test_every_small_change_of_a_solution_is_refused(lesson, runs):
    """Of what the learner writes; the lines that the stub gives away stay."""
    for name, (exercise, solution) in lesson.exercises.items():
        check, given = lesson.checks[name], source(exercise).splitlines()
        node = ast.parse(source(solution)).body[0]
        text = ast.get_source_segment(source(solution), node)
        lines = [n for n, line in enumerate(text.splitlines(), 1) if line not in given]
        tried = mutants(text, lines)
        assert tried, name
        for changed in tried:
            exec(changed, names := dict(runs(lesson).names))
            assert not check.verdict(names[node.name])[1], f"{name} accepts\n{changed}"


def asks_the_package(function, case):
    """Whether a call goes through the package, lessons apart."""
    seen = set()

    def look(frame, event, _):
        name = frame.f_globals.get("__name__", "") if event == "call" else ""
        seen.add(name.startswith("marginlab.") and not name.startswith("marginlab.lesson"))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        function(**case)
    finally:
        sys.setprofile(before)
    return True in seen


def test_what_is_true_comes_from_the_package_and_an_answer_from_the_hand(lesson, runs):
    """The last exercise is about something else than margin: there the package cannot know."""
    names = list(lesson.exercises)
    assert len(names) >= 2
    for name in names:
        check, solution = lesson.checks[name], made(lesson.exercises[name][1], runs, lesson)
        for case in check.cases:
            assert asks_the_package(check.truth, case) or name == names[-1], f"{name}: its truth is a formula"
            assert not asks_the_package(solution, case), f"{name}: its solution leaves the work to the package"
            assert not any(asks_the_package(slip, case) for slip, _ in check.slips)


# ------------------------------------------------------------------ quizzes


MISCONCEPTION = re.compile(r"^\| (m\d+) \| .+ \| ([\d, –]+) \|$", re.M)


def quizzes(lesson):
    """The quizzes of a lesson, in order."""
    return [Quiz(name) for name, about in lesson.asked.items() if "answers" in about]


def test_every_answer_of_a_quiz_is_explained(lesson):
    assert len(quizzes(lesson)) >= 3
    for quiz in quizzes(lesson):
        assert len(quiz.options) == len(lesson.asked[quiz.id]["answers"]) >= 3, "an answer is there twice"
        words = list(quiz.options.values())
        assert all(len(word.split()) >= 8 for word in words), quiz.id
        assert len(set(words)) == len(words)
        longest = max(map(len, quiz.options))
        others = [len(answer) for answer in quiz.options if answer != quiz.right]
        assert len(quiz.right) < longest or max(others) > 0.4 * longest, f"{quiz.id}: its length gives it away"


def test_right_answers_are_not_all_in_one_place(lesson):
    assert len({list(quiz.options).index(quiz.right) for quiz in quizzes(lesson)}) >= 2


def test_texts_have_what_is_asked_and_nothing_else(page):
    """A misspelt field would be left out without a word."""
    kinds = [{"question", "answers", "misconception"}, {"question", "directions", "unit"}, {"question"}]
    kinds += [{"question", "choices"}, {"question", "claims"}]
    for name, about in page.asked.items():
        assert set(about) in kinds and about["question"].strip(), name
        for answer in about.get("answers", ()):
            assert set(answer) - {"right"} == {"answer", "feedback"} and answer.get("right", True) is True, name


def test_what_is_voted_on_is_what_is_checked_and_a_vote_is_recalled(tools, runs, record_file):
    (path,) = [path for path in tools.LESSONS if path.name.startswith("08")]
    names = runs(tools.Notebook(path)).names
    votes, claims = Votes("08-claims"), names["claims"]
    assert list(votes.votes) == list(claims.rows) and len(claims.rows) == 12
    assert "have not voted" in votes.compare(claims).text
    votes.commit()
    assert "vote on at least one" in votes.note.value and not record_file.exists()
    for claim in claims.rows:
        votes.votes[claim].value = "holds with a condition"
    votes.commit()
    assert votes.note.value == "Recorded: 12 of 12."
    same = sum(claims.verdict(claim) == "holds with a condition" for claim in claims.rows)
    assert f"{same} of 12 votes" in Votes("08-claims").compare(claims).text
    assert Votes("08-claims").votes[claim].value == "holds with a condition"


def test_a_decision_needs_a_choice_and_a_reason_and_stands_beside_the_results(record_file):
    about = {"question": "Which?", "choices": ["one", "two"]}
    decision = Decision("x", about)
    assert "Nothing is decided yet" in decision.recall().text
    for choice, reason, missing in ((None, "so", "choose"), ("one", " ", "write a reason")):
        decision.choice.value, decision.reason.value = choice, reason
        decision.commit()
        assert missing in decision.note.value and not record_file.exists()
    decision.reason.value = "a < b"
    decision.commit()
    again = Decision("x", about)
    assert (again.choice.value, again.reason.value) == ("one", "a < b")
    assert "<b>one</b>" in again.recall().text and "a &lt; b" in again.recall().text
    assert again.twin_html() == Decision("y", about).twin_html(), "a saved page has nobody's choice"
    assert Decision("x", {"question": "Which?", "choices": ["two"]}).choice.value is None


def test_misconceptions_are_those_that_the_guide_lists_for_the_lesson(lesson, tools):
    guide = (tools.FOLDER / "instructor_guide.md").read_text(encoding="utf-8")
    listed = set()
    for tag, lessons in MISCONCEPTION.findall(guide):
        for part in lessons.split(", "):
            first, _, last = part.partition("–")
            listed |= {tag} if first <= lesson.number <= (last or first) else set()
    tags = {name: about["misconception"] for name, about in lesson.asked.items() if "misconception" in about}
    assert listed == set(tags.values())
    assert all(name == f"{lesson.number}-quiz-{tag}" for name, tag in tags.items())


def test_each_option_can_be_chosen_and_is_recorded(lesson, record_file):
    from marginlab.lesson import record

    for quiz in quizzes(lesson):
        for answer, word in quiz.options.items():
            quiz.choice.value = answer
            assert word.split()[0] in quiz.feedback.value
            assert record.load()[quiz.id]["right"] == (answer == quiz.right)
