"""Figures of a student's own: the same for ever, different between students, and nobody else's."""

import math
from collections import Counter
from hashlib import sha256

import pytest

from marginlab.lesson.personal import Personal


def test_figures_stay_as_they_are():
    """Written down once, in November 2026: whoever changes them changes every student's problem set."""
    my = Personal("ann", "ps01")
    assert my.number("contracts", 5_000, 30_000, 500) == 5_500
    assert my.number("entry", 40_000, 70_000, 500) == 49_500
    assert my.number("rate", 0.004, 0.01, 0.001) == 0.009


def test_an_instructor_can_work_them_out_by_the_rule_alone():
    for student in ("ann", "bob", "s1234567", "jörg"):
        place = int.from_bytes(sha256(f"ps09/size/{student}".encode()).digest()[:8], "big") % 31
        assert Personal(student, "ps09").number("size", 2, 8, 0.2) == pytest.approx(2 + 0.2 * place, abs=1e-12)


@pytest.mark.parametrize("other", ["Ann", " ann ", "ANN\n"])
def test_spelling_of_an_id_does_not_count(other):
    assert Personal(other, "ps01") == Personal("ann", "ps01")


def test_an_id_without_quotes_is_taken_as_its_digits():
    assert Personal(1234567, "ps01") == Personal("1234567", "ps01")


def test_nobodys_id_is_told_that_it_scores_nothing(capsys):
    Personal("Demo", "ps01")
    assert capsys.readouterr().out.startswith("'demo' is nobody's id")
    Personal("ann", "ps01")
    assert capsys.readouterr().out == ""


def test_accents_stored_in_two_ways_are_one_id():
    assert Personal("jo\u0308rg", "ps01") == Personal("jörg", "ps01")


def test_students_sheets_and_names_have_figures_of_their_own():
    found = [
        Personal(student, sheet).number(name, 0, 1e6, 1)
        for student in ("ann", "bob")
        for sheet in ("ps01", "ps02")
        for name in ("size", "entry")
    ]
    assert len(set(found)) == len(found)


def test_both_ends_are_reached_and_all_are_as_likely():
    drawn = Counter(Personal(f"s{n}", "ps01").number("x", 3, 7, 1) for n in range(5_000))
    assert sorted(drawn) == [3, 4, 5, 6, 7]
    chi2 = sum((count - 1_000) ** 2 / 1_000 for count in drawn.values())
    assert chi2 < 18.5  # 1 in 1,000 by chance, and the ids are fixed


def test_steps_do_not_run_over_the_end():
    for n in range(300):
        value = Personal(f"s{n}", "x").number("y", 0.1, 0.7, 0.2)
        assert any(math.isclose(value, good, abs_tol=1e-12) for good in (0.1, 0.3, 0.5, 0.7))
        assert Personal(f"s{n}", "x").number("y", 1, 2, 0.4) in (1, 1.4, 1.8)


@pytest.mark.parametrize("student", ["", "  ", None, 5.0])
def test_an_id_must_be_a_text(student):
    with pytest.raises(ValueError, match="student id, as a text in quotes"):
        Personal(student, "ps01")


@pytest.mark.parametrize("bounds", [(5, 4, 1), (0, 1, 0), (0, 1, -1), (0, float("inf"), 1)])
def test_bounds_are_checked(bounds):
    with pytest.raises(ValueError):
        Personal("ann", "ps01").number("x", *bounds)


def test_while_grading_the_id_must_be_that_of_the_folder(tmp_path, monkeypatch):
    folder = tmp_path / "Ann" / "ps01"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert Personal("bob", "ps01").student == "bob"
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert Personal("ann", "ps01").student == "ann"
    with pytest.raises(ValueError, match="student is 'bob', but this was handed in by 'ann'"):
        Personal("bob", "ps01")
