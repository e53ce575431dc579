"""Tables of claims: the verdict follows from the results. (The contents: tests/notebooks.)"""

from itertools import product

import numpy as np
import pytest

from marginlab.lesson import Claims
from tests.lesson.shown import Cells

HEAD = ["claim", "verdict", "holds for", "fails for", "shown in"]

VERDICTS = {
    (False, True): "holds with a condition",
    (True,): "holds",
    (False,): "does not hold",
    (): "open",
}


def rows(claims):
    return Cells(claims._repr_html_()).rows


@pytest.mark.parametrize("count", range(5))
def test_the_verdict_follows_from_the_results(count):
    for results in product((True, False), repeat=count):
        claims = Claims()
        claims.check("it is so", "01_x.ipynb", {f"case {n}": result for n, result in enumerate(results)})
        assert claims.verdict("it is so") == VERDICTS[tuple(sorted(set(results)))]


def test_a_row_says_for_which_cases_it_holds():
    claims = Claims()
    claims.check("mixed", "02_b.ipynb#By-hand", {"a": True, "b": False, "c": True, "d": np.bool(False)})
    claims.check("no case", "03_c.ipynb")
    claims.check("no place", cases=[("a", np.bool(True))])
    assert list(claims.table()) == [
        ("mixed", "holds with a condition", "a; c", "b; d", "02_b.ipynb#By-hand"),
        ("no case", "open", "", "", "03_c.ipynb"),
        ("no place", "holds", "a", "", ""),
    ]
    assert repr(claims) == "mixed: holds with a condition\nno case: open\nno place: holds"
    assert rows(claims) == [
        ["claim", "verdict", "holds for", "fails for", "shown in"],
        ["mixed", "holds with a condition", "a; c", "b; d", "lesson 02"],
        ["no case", "open", "", "", "lesson 03"],
        ["no place", "holds", "a", "", "a lesson to come"],
    ]


def test_results_of_numpy_are_kept_as_bools():
    claims = Claims()
    claims.check("x", "01", {"a": np.bool(True), "b": np.float64(2) > 1, "c": np.all([True, False])})
    kept = claims.rows["x"][1]
    assert kept == {"a": True, "b": True, "c": False} and {type(value) for value in kept.values()} == {bool}


@pytest.mark.parametrize("wrong", [1, 0, 0.0, None, "yes", "", np.array([True]), np.array(True), [True], np.int64(1)])
def test_other_results_are_refused_with_the_case(wrong):
    claims = Claims()
    claims.check("x", "01", {"a": True})
    with pytest.raises(TypeError, match=r"the result of 'the case' must be True or False, not "):
        claims.check("x", "02", {"fine": False, "the case": wrong})
    assert list(claims.table()) == [("x", "holds", "a", "", "01")], "what was refused changed the table"


def test_order_is_kept_and_a_claim_checked_again_is_replaced():
    claims = Claims()
    for name in "cab":
        claims.check(name, "01", {"old": True})
    claims.check("a", "02", {"new": False})
    assert [row[0] for row in claims.table()] == ["c", "a", "b"]
    assert list(claims.table())[1] == ("a", "does not hold", "", "new", "02")
    assert Claims().rows == {}, "tables share nothing"


def test_what_is_given_may_change_later():
    claims, cases = Claims(), {"a": True}
    claims.check("x", "01", cases)
    cases["b"] = False
    assert claims.verdict("x") == "holds"


def test_a_claim_that_nobody_checked_has_no_verdict():
    with pytest.raises(KeyError):
        Claims().verdict("x")


def test_links_and_escapes():
    claims = Claims()
    where = "05_x.ipynb#The-<b>'helper'"
    claims.check("<i>one</i> & 'two'", where, {"<u>5 > 4</u>": True, "A & B": False})
    html = claims._repr_html_()
    assert not any(tag in html for tag in ("<i>", "<u>", "<b>", " & ", "helper'"))
    assert "<a href='05_x.ipynb#The-&lt;b&gt;&#x27;helper&#x27;'>lesson 05</a>" in html and html.count("<a ") == 1
    assert rows(claims)[1] == [
        "<i>one</i> & 'two'",
        "holds with a condition",
        "<u>5 > 4</u>",
        "A & B",
        "lesson 05",
    ]
    claims = Claims()
    claims.check("x", "<>", {})
    assert "lesson &lt;&gt;</a>" in claims._repr_html_()


def test_the_html_is_a_table_with_headings_of_rows_and_columns():
    claims = Claims()
    assert rows(claims) == [HEAD] and repr(claims) == ""
    for name in ("a", "b"):
        claims.check(name, "01", {"x": True})
    html = claims._repr_html_()
    assert html.startswith("<table>") and html.endswith("</table>") and html.count("<td") == 2 * 4
    assert html.count("<th scope='col'") == len(HEAD) == 5 and html.count("<th scope='row'") == 2
    assert all(html.count(f"<{tag}>") == html.count(f"</{tag}>") for tag in ("tr", "thead", "tbody", "table"))
    assert html.count("text-align:left") == html.count("vertical-align:top") == 5 + 2 * 5


def test_a_claim_says_at_once_what_came_out_and_keeps_its_capitals(capsys):
    claims = Claims()
    claims.check("mixed", cases={"Binance's rule": True, "a stranger's crash (ADL)": False})
    claims.check("mixed as well", cases={"OKX": False})
    claims.check("no case")
    assert capsys.readouterr().out.splitlines() == [
        "Verdict: holds with a condition. Holds for: Binance's rule. Fails for: a",
        "stranger's crash (ADL).",
        "Verdict: does not hold. Fails for: OKX.",
        "Verdict: open.",
    ]
