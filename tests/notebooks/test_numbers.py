"""One number, one source: what the prose states is computed in that notebook, or has its source beside it.

A number of the prose is confirmed if, to the digits that it is printed with, it is among the numbers in the notebook's
code, its saved text outputs, or its names after a run; a percentage also as a fraction. Free are whole numbers up to
12, lesson numbers, the minutes a lesson takes, a guess (right before a question mark), and a paragraph that gives its
source as a web link. Text inside code, and what is asked beside the notebook, is prose as well: there, round numbers
(two digits that count) are made up for the question.
"""

import ast
import re

import pytest

NUMBER = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?![\w]|,\d|\.\d)( million)?(?:\s*(%|per cent))?")
WRITTEN = re.compile(r"\d[\d,_]*(?:\.\d+)?")


def source(cell):
    return "".join(cell["source"])


def sources(notebook, tools):
    """Every number of the code and of the saved outputs."""
    found = set()
    for cell in notebook.code:
        for node in ast.walk(ast.parse(source(cell))):
            if isinstance(node, ast.Constant) and type(node.value) in (int, float):
                found.add(abs(float(node.value)))
        found |= {float(n.replace(",", "").replace("_", "")) for n in WRITTEN.findall(tools.text_outputs(cell))}
    return found


def stated(text):
    """(as written, value, unit of its last digit, percentage?, text before and after) of each number in a text."""
    text = re.sub(r"\]\([^)]*\)", "]", text).replace("{,}", ",")  # a comma of a formula
    for m in NUMBER.finditer(text):
        scale = 1e6 if m[3] else 1.0
        value, digits = float(m[1].replace(",", "") + (m[2] or "")), len(m[2] or ".") - 1
        yield m[0], value * scale, scale * 10.0**-digits, bool(m[4]), text[: m.start()], text[m.end() :]


def confirmed(value, unit, percent, known):
    near = (0.5 + 1e-9) * unit
    return any(abs(value - k) <= near or (percent and abs(value - 100 * k) <= near) for k in known)


def unconfirmed(notebook, tools, values=()):
    """Numbers of the prose that nothing confirms, with the cell they are in."""
    known, found = sources(notebook, tools) | set(values), []
    for cell in notebook.prose:
        for paragraph in re.split(r"\n\s*\n", source(cell)):
            if re.search(r"\]\(https?://", paragraph):
                continue
            for written, value, unit, percent, before, after in stated(paragraph):
                small = unit == 1 and value <= 12
                free = small or after.startswith("?") or re.match(r" minutes\b", after) or before.endswith("esson ")
                if not free and not confirmed(value, unit, percent, known):
                    found.append((cell["id"], written))
    return found


def questions(notebook):
    """(id, text) of what is asked beside a notebook, and of what is said to each answer and slip."""
    for name, about in notebook.asked.items():
        yield name, about["question"]
        for answer in about.get("answers", ()):
            yield from ((name, answer["answer"]), (name, answer["feedback"]))
    for name, check in notebook.checks.items():
        yield from ((name, word) for _, word in check.slips)


def unconfirmed_in_texts(notebook, tools, values=(), asked=()):
    """Numbers in the texts inside code (messages) or asked that are not round, and that nothing confirms."""
    known, found = sources(notebook, tools) | set(values), list(asked)
    for cell in notebook.code:
        for node in ast.walk(ast.parse(source(cell))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                found.append((cell["id"], node.value))
    return [(place, said) for place, text in found for said in odd(text, known)]


def odd(text, known):
    """Numbers of a text that are not round, and not known."""
    for written, value, unit, percent, _, _ in stated(text):
        counting = f"{value / unit:.0f}".strip("0")
        if len(counting) > 2 and not confirmed(value, unit, percent, known):
            yield written


def test_every_number_in_the_prose_is_computed_or_cited(page, tools, runs):
    assert unconfirmed(page, tools, runs(page).values) == []


def test_every_number_in_quizzes_and_messages_is_computed_or_made_up(page, tools, runs):
    assert unconfirmed_in_texts(page, tools, runs(page).values, questions(page)) == []


# ------------------------------------------------------ the rule itself can fail


def telling(notebook):
    """{as written: (value, unit)} of the numbers of the prose with at least four digits that count."""
    found = {}
    for cell in notebook.prose:
        for paragraph in re.split(r"\n\s*\n", source(cell)):
            if not re.search(r"\]\(https?://", paragraph):
                for written, value, unit, _, _, after in stated(paragraph):
                    if len(f"{value / unit:.0f}".strip("0")) >= 4 and not after.startswith("?"):
                        found[written] = value, unit
    return found


def test_a_wrong_digit_in_the_prose_is_found(lesson, tools, runs):
    values, tried = runs(lesson).values, telling(lesson)
    assert len(tried) >= 3
    for written in tried:
        for place in [i for i, letter in enumerate(written) if letter.isdigit()]:
            other = written[:place] + str((int(written[place]) + 1) % 10) + written[place + 1 :]
            if other[0] == "0":
                continue
            wrong = lesson.copy()
            assert wrong.swap(written, other, "prose")
            assert any(other in said for _, said in unconfirmed(wrong, tools, values)), f"{written} as {other}"


def test_a_drifted_output_is_found(lesson, tools):
    """The outputs change and the prose does not: without the names, which would have changed as well."""
    known, tried = {written for _, written in unconfirmed(lesson, tools)}, 0
    literals = sources(without_outputs(lesson), tools)
    for written, (value, unit) in telling(lesson).items():
        if written in known or confirmed(value, unit, False, literals):
            continue
        drifted = lesson.copy()
        for cell in drifted.code:
            for output in cell["outputs"]:
                for holder, key in ((output, "text"), (output.get("data", {}), "text/plain")):
                    if key in holder:
                        holder[key] = [drift(line, value, unit) for line in holder[key]]
        assert any(written == said for _, said in unconfirmed(drifted, tools)), written
        tried += 1
    assert tried >= 3


def without_outputs(notebook):
    bare = notebook.copy()
    for cell in bare.code:
        cell["outputs"] = []
    return bare


def drift(line, value, unit):
    """A line of output in which each number that reads as `value` is 1 % more."""

    def moved(match):
        number = float(match[0].replace(",", "").replace("_", ""))
        return f"{number * 1.01:.6f}" if abs(number - value) <= (0.5 + 1e-9) * unit else match[0]

    return WRITTEN.sub(moved, line)


@pytest.mark.parametrize(
    "text, code, problems",
    [
        ("It is closed at 45,636 USD.", "45636.36", []),
        ("It is closed at 45,736 USD.", "45636.36", ["45,736"]),
        ("It is closed at 45,637 USD.", "45636.36", ["45,637"]),
        ("A loss of 2.63 BTC", "2.6316", []),
        ("A loss of 2.64 BTC", "2.6316", ["2.64"]),
        ("a fall of 8.7 %", "0.0873", []),
        ("a fall of 8.8 %", "0.0873", ["8.8 %"]),
        ("a rate of 0.4 per cent.", "0.004", []),
        ("a rate of 0.4", "0.004", ["0.4"]),
        ("worth 2.5 million USD", "2_500_000", []),
        ("worth 2.6 million USD", "2_500_000", ["2.6 million"]),
        ("Put 5 of 10 BTC", "1", []),
        ("Put 13 of 10 BTC", "1", ["13"]),
        ("Is it 2.5? No, 2.7.", "1", ["2.7"]),
        ("about 40 minutes, lesson 07", "1", []),
        ("It says 46,207 ([source](https://example.org/1)).", "1", []),
        ("It says 46,207 ([source](other.ipynb)).", "1", ["46,207"]),
        ("[link](https://example.org/123)\n\nand 99 here", "1", ["99"]),
        ("the year 2020", "1", ["2020"]),
    ],
)
def test_the_rule(text, code, problems, tools):
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": [text]},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": [code], "outputs": []},
    ]
    notebook = tools.Notebook(tools.LESSONS[0], {"cells": cells})
    assert [said for _, said in unconfirmed(notebook, tools)] == problems


def test_texts_in_code_are_prose_and_no_source(tools):
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["closed at 45,636"]},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": ["'closed at 45,636 of 60,000'"], "outputs": []},
    ]
    notebook = tools.Notebook(tools.LESSONS[0], {"cells": cells})
    assert unconfirmed(notebook, tools) == [("a", "45,636")]
    assert unconfirmed_in_texts(notebook, tools) == [("b", "45,636")]
    assert unconfirmed_in_texts(notebook, tools, [45_636.36]) == []
    said = [("01-quiz", "closed at 45,637 of 60,000")]
    assert unconfirmed_in_texts(notebook, tools, [45_636.36], said) == [("01-quiz", "45,637")]
