"""The anatomy of a lesson, and what no saved notebook may contain."""

import ast
import base64
import json
import re
from html import unescape
from urllib.parse import unquote

import pytest

from marginlab.lesson import Contents

SECTIONS = [
    "Predict",
    "By hand",
    "The helper",
    "Explore",
    "Explain",
    "Your turn",
    "Quiz",
    "What changed your mind?",
    "Summary",
]
HOME = "00_start_here.ipynb"


def source(cell):
    return "".join(cell["source"])


def hidden(cell):
    return cell["metadata"].get("jupyter", {}).get("source_hidden", False)


def links(text):
    """Targets of the links and pictures of a markdown text."""
    return re.findall(r"\]\(([^)\s]+)[^)]*\)", text)


def plain(text):
    """Markdown as it is read: no fenced or indented code or formulas, no link targets, no bare markup."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$|\$[^$\n]+\$", "", text, flags=re.S)
    text = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    return re.sub(r"[*_`#|]", " ", re.sub(r"\]\([^)]*\)", "]", text))


# ------------------------------------------------------------------ the opening


def test_the_title_is_numbered_and_asks_one_question(lesson):
    first = lesson.cells[0]
    assert first["cell_type"] == "markdown"
    lines = source(first).splitlines()
    assert re.fullmatch(rf"# {lesson.number} · \S.*", lines[0])
    assert [level for level, _ in lesson.headings].count(1) == 1
    questions = re.findall(r"^\*\*([^*]+\?)\*\*$", source(first), re.M)
    assert len(questions) == 1


def test_objectives_prerequisites_and_time(lesson):
    first = source(lesson.cells[0])
    _, _, after = first.partition("**You will be able to**")
    bullets = re.match(r"\s*((?:[-*] .*(?:\n|$)(?:  .*\n)*)+)", after)
    assert bullets, "no list under 'You will be able to'"
    goals = re.findall(r"^[-*] (\w+)", bullets[1], re.M)
    assert 2 <= len(goals) <= 4
    assert not {"understand", "know", "learn", "appreciate"} & {verb.lower() for verb in goals}, "not testable"
    assert re.search(r"\*\*(?:Before you start|Prerequisites):\*\* \S+", first)
    minutes = re.search(r"\*\*Time:\*\* (?:about )?(\d+) minutes", first)
    assert minutes and 20 <= int(minutes[1]) <= 90, "a sitting"


def test_the_first_code_is_the_set_up_and_only_that(lesson):
    assert lesson.cells[1] is lesson.code[0], "the set-up cell comes right after the title"
    body = ast.parse(source(lesson.code[0])).body
    assert body and all(isinstance(node, ast.Import | ast.ImportFrom) for node in body)
    assert not lesson.code[0]["outputs"]
    for cell in lesson.code[1:]:
        late = [node for node in ast.walk(ast.parse(source(cell))) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not late, cell["id"]


# ---------------------------------------------------------------- the sections


def test_sections_in_order(lesson):
    found = [text for level, text in lesson.headings if level == 2]
    assert [text for text in found if text in SECTIONS] == SECTIONS
    assert all(level <= 3 for level, _ in lesson.headings)


def place(lesson, cell):
    return next(i for i, other in enumerate(lesson.cells) if other is cell)


def section(lesson, cell):
    """The section that a cell is in."""
    texts = "\n".join(source(c) for c in lesson.cells[: place(lesson, cell)] if c["cell_type"] == "markdown")
    return re.findall(r"^## (.*)$", texts, re.M)[-1].strip()


def test_every_part_is_there_and_in_its_section(lesson):
    where = {
        "prediction": {"Predict"},
        "explorer": {"Explore"},
        "twin": {"Explore"},
        "your-own": {"Explore"},
        "exercise": {"Your turn"},
        "solution": {"Your turn"},
        "quiz": {"Quiz"},
    }
    for tag, sections in where.items():
        cells = lesson.tagged(tag)
        assert cells, f"no cell is tagged {tag!r}"
        assert {section(lesson, cell) for cell in cells} <= sections, tag
    assert len(lesson.tagged("prediction")) == len(lesson.tagged("twin")) == 1
    assert len(lesson.tagged("exercise")) >= 2 and len(lesson.tagged("quiz")) >= 3
    tags = {tag for cell in lesson.cells for tag in cell["metadata"].get("tags", ())}
    assert tags <= {*where, "reflection", "claim"}, "a tag that nothing reads"


def test_the_prediction_comes_before_anything_that_answers_it(lesson):
    (prediction,) = lesson.tagged("prediction")
    assert lesson.code.index(prediction) == 1
    (twin,) = lesson.tagged("twin")
    assert place(lesson, twin) > place(lesson, lesson.tagged("explorer")[0]) > place(lesson, prediction)
    compared = [cell for cell in lesson.code if ".compare(" in source(cell) and "prediction" in source(cell)]
    assert compared and section(lesson, compared[0]) == "What changed your mind?"


def test_the_twin_is_a_small_picture_and_its_reading(lesson):
    (twin,) = lesson.tagged("twin")
    pictures = [o["data"]["image/png"] for o in twin["outputs"] if "image/png" in o.get("data", {})]
    readings = ["".join(o["text"]) for o in twin["outputs"] if o.get("name") == "stdout"]
    assert len(pictures) == len(readings) == 1
    picture = base64.b64decode("".join(pictures[0]))
    assert picture.startswith(b"\x89PNG\r\n\x1a\n") and 10_000 < len(picture) < 150_000
    assert len(readings[0].split()) >= 15 and re.search(r"\d", readings[0]) and readings[0].strip().endswith(".")


def test_pictures_have_their_reading_as_alternative_text_and_under_them(lesson):
    for cell in lesson.code:
        said = "".join("".join(o["text"]) for o in cell["outputs"] if o.get("name") == "stdout")
        for output in cell["outputs"]:
            if "image/png" in output.get("data", {}):
                alt = output["metadata"]["image/png"]["alt"]
                assert len(alt.split()) >= 10 and " ".join(alt.split()) in " ".join(said.split()), cell["id"]


def test_every_picture_that_is_drawn_is_there(page):
    """A style that was entered before pyplot was loaded took its backend along: nothing appeared."""
    draws = {"vessels", "flow", "bars", "square", "scan_map", "plot"}
    for cell in page.code:
        tree = ast.parse(re.sub(r"(?m)^[%!].*", "", "".join(cell["source"])))
        calls = [node for part in tree.body if not isinstance(part, ast.FunctionDef) for node in ast.walk(part)]
        named = {getattr(c.func, "id", getattr(c.func, "attr", "")) for c in calls if isinstance(c, ast.Call)}
        if named & draws:
            assert any("image/png" in output.get("data", ()) for output in cell["outputs"]), cell["id"]


def test_the_explorer_states_its_limits(lesson, runs):
    from marginlab.lesson.explorer import Explorer

    for cell in lesson.tagged("explorer"):
        last = ast.parse(source(cell)).body[-1]
        assert isinstance(last, ast.Expr) and isinstance(last.value, ast.Name), "an explorer is shown by its name"
        made = runs(lesson).names[last.value.id]
        assert isinstance(made, Explorer) and made.error is None
        assert made.limits.startswith("Left out:") and len(made.limits.split()) >= 15
        still, view = (o["data"] for o in cell["outputs"])
        assert still["text/plain"] == view["text/plain"] == [repr(made)] and set(view) == {"text/plain"}
    assert any("Perpetual(" in source(cell) for cell in lesson.tagged("your-own"))


def test_links_lead_through_the_course(lesson, tools):
    others = [path.name for path in tools.LESSONS]
    here = others.index(lesson.path.name)
    wanted = {HOME, *others[max(0, here - 1) : here], *others[here + 1 : here + 2]}
    for cell in (lesson.cells[0], lesson.cells[-1]):
        assert cell["cell_type"] == "markdown"
        found = {target for target in links(source(cell)) if re.fullmatch(r"[^/]+\.ipynb", target)}
        assert found == wanted, cell["id"]


def test_the_last_link_leads_to_the_problem_set(lesson):
    number = lesson.number
    assert links(source(lesson.cells[-1]))[-1] == f"assignments/release/ps{number}/ps{number}.ipynb"


def header(lesson):
    """(file, title, question, minutes) as a reader sees them."""
    first = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", source(lesson.cells[0]))
    question = re.search(r"^\*\*([^*]+\?)\*\*$", first, re.M)[1]
    return (
        lesson.path.name,
        first.splitlines()[0][2:],
        question,
        re.search(r"about (\d+ minutes(?:, twice)?)", first)[1],
    )


def test_the_start_page_has_the_map_of_the_lessons_as_they_are(tools):
    start = tools.Notebook(tools.FOLDER / HOME)
    (cell,) = [cell for cell in start.code if source(cell) == "Contents()"]
    (data,) = [output["data"] for output in cell["outputs"]]
    rows = re.findall(r"<tr>(.*?)</tr>", "".join(data["text/html"]))[1:]
    told = "".join(data["text/plain"]).splitlines()
    assert len(rows) == len(told) == len(tools.LESSONS)
    for path, row, line in zip(tools.LESSONS, rows, told, strict=True):
        name, title, question, minutes = header(tools.Notebook(path))
        cells = [unescape(re.sub("<.*?>", "", one)) for one in re.findall(r"<t[hd].*?</t[hd]>", row)]
        assert f"<a href='{name}'>" in row and cells[:3] == [title, question, minutes] and cells[3]
        assert line == f"{title} ({minutes}): {question}"


def test_the_map_follows_a_header_that_changes(tmp_path, tools):
    for path in tools.LESSONS[:2]:
        changed = path.read_text(encoding="utf-8").replace("about 90 minutes", "about 35 minutes")
        (tmp_path / path.name).write_text(changed, encoding="utf-8")
    assert [one.time for one in Contents(tmp_path).lessons] == ["35 minutes", "60 minutes, twice"]
    (tmp_path / path.name).write_text(changed.replace("**Time:**", "Time:"), encoding="utf-8")
    made = Contents(tmp_path)
    assert [one.file for one in made.lessons] == ["01_isolated_margin.ipynb"]
    assert made.unread == ["02_cross_margin.ipynb cannot be read: its header has no time, before."]


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"cells": 5}', "<<<<<<< mine\n{}", '{"cells": [{"source": ["note"]}]}']
)
def test_the_map_names_what_it_cannot_read(tmp_path, tools, damage):
    first, second = tools.LESSONS[:2]
    (tmp_path / first.name).write_text(damage, encoding="utf-8")
    book = tools.Notebook(second).copy().content
    book["cells"].insert(0, {"cell_type": "markdown", "id": "mine", "metadata": {}, "source": ["My note"]})
    (tmp_path / second.name).write_text(json.dumps(book), encoding="utf-8")
    made = Contents(tmp_path)
    assert [one.file for one in made.lessons] == [second.name], "a note above its header"
    (said,) = made.unread
    assert said.startswith(f"{first.name} cannot be read: it")
    assert f"<p>{said}</p>" in made._repr_html_() and repr(made).endswith(said)


def test_the_readme_lists_the_lessons_as_they_are(tools):
    readme = (tools.FOLDER.parent / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(.*?)\]\(notebooks/(0[1-9]\S+)\) \| (.*?) \|$", readme, re.M)
    headers = [header(tools.Notebook(path))[:3] for path in tools.LESSONS]
    assert rows == [(title, name, question) for name, title, question in headers]


def test_a_first_liquidation_comes_first(tools):
    """A prediction and one slider before the map, and little to read before them."""
    start = tools.Notebook(tools.FOLDER / HOME)
    (prediction,), (explorer,) = start.tagged("prediction"), start.tagged("explorer")
    before = [cell for cell in start.cells[: start.cells.index(explorer)] if cell["cell_type"] == "markdown"]
    words = re.findall(r"[A-Za-z][\w'’-]*", " ".join(plain(source(cell)) for cell in before))
    assert len(words) <= 400, "two minutes at 200 words a minute"
    assert start.cells.index(prediction) < start.cells.index(explorer)
    assert [source(cell) for cell in start.code[:2]][1] == source(prediction)


# ---------------------------------------------------------------- size and code


def test_the_prose_has_its_length(lesson):
    words = re.findall(r"[A-Za-z][\w'’-]*", " ".join(plain(source(cell)) for cell in lesson.prose))
    assert 900 <= len(words) <= 1_500


def test_code_fits_its_page(page):
    for cell in page.code:
        lines = source(cell).splitlines()
        assert all(len(line) <= 75 for line in lines), cell["id"]
        assert lines and lines == source(cell).strip("\n").splitlines()
        if not hidden(cell):
            assert len(lines) <= (20 if cell["id"] == "setup" else 15), f"{cell['id']} has {len(lines)} lines"


def test_only_solutions_and_claims_are_folded_and_say_so(lesson):
    """JupyterLab shows the first line of a folded cell in its bar."""
    folded = [cell for cell in lesson.cells if hidden(cell)]
    assert folded == [cell for cell in lesson.code if cell in lesson.tagged("solution") + lesson.tagged("claim")]
    for cell in folded:
        first = source(cell).splitlines()[0]
        assert re.fullmatch("# Solution" if cell in lesson.tagged("solution") else r"# \d+\. [A-Z].+[.?]", first)


def test_every_cell_has_a_name_of_its_own(page):
    names = [cell["id"] for cell in page.cells]
    assert len(set(names)) == len(names)
    assert not any(re.fullmatch(r"[0-9a-f]{8}(-.*)?", name) for name in names), "a random id"


# ------------------------------------------------------------- what is saved


def test_it_was_run_from_top_to_bottom_without_a_complaint(page):
    assert [cell["execution_count"] for cell in page.code] == list(range(1, len(page.code) + 1))
    for cell in page.code:
        for output in cell["outputs"]:
            assert output["output_type"] != "error", cell["id"]
            assert output.get("name") != "stderr", cell["id"]
            if output["output_type"] == "execute_result":
                assert output["execution_count"] == cell["execution_count"]


def test_nothing_of_the_machine_is_saved(page):
    assert "widgets" not in page.content["metadata"]
    assert page.content["metadata"]["kernelspec"]["name"] == "python3"
    for cell in page.cells:
        assert not cell["metadata"].keys() & {"execution", "ExecuteTime", "collapsed", "scrolled"}, cell["id"]
    folders = "|".join(["root", "home", "tmp", "Users", "work", "opt", "usr", "var"])
    for cell in page.code:
        saved = [o.get("text", "") or o.get("data", {}) for o in cell["outputs"]]
        text = re.sub(r"[A-Za-z0-9+/=]{200,}", "", json.dumps(saved))
        assert not re.search(rf"(?<![\w.])/(?:{folders})/|\b[A-Z]:\\", text), cell["id"]
        assert not re.search(r"0x[0-9a-fA-F]{4,}", text), cell["id"]
        assert not re.search(r"\d{2}:\d{2}:\d{2}|\b\d+(?:\.\d+)? ?(?:ms|µs)\b", text), cell["id"]


def test_outputs_are_of_the_kinds_that_can_be_compared(page):
    kinds = {"text/plain", "text/html", "image/png"}  # a saved widget view is only an error until its cell is run
    for cell in page.code:
        for output in cell["outputs"]:
            assert set(output.get("data", ())) <= kinds, cell["id"]
            if "data" in output:
                assert "text/plain" in output["data"]


def test_a_page_without_a_kernel_reads_as_a_lesson(page):
    """What is asked stands in the file, with its answer folded, and nowhere in the code."""
    for tag in ("prediction", "explorer", "quiz", "reflection"):
        for cell in page.tagged(tag):
            html = "".join(cell["outputs"][0]["data"]["text/html"])
            said, _, folded = unescape(html).partition("<details>")
            assert "marginlab-twin" in said and bool(folded) == (tag == "quiz"), cell["id"]
            if tag == "explorer":
                continue
            (about,) = (about for name, about in page.asked.items() if f'"{name}"' in source(cell))
            choices = about.get("directions", [one["answer"] for one in about.get("answers", ())])
            assert about["question"] in said and all(f"<li>{one}</li>" in said for one in choices)
            for one in about.get("answers", ()):
                assert (one["feedback"] in folded) == one.get("right", False) and one["feedback"] not in said
    compared = [cell for cell in page.code if "prediction.compare(" in source(cell)]
    assert compared and all("<details>" in "".join(c["outputs"][-2]["data"]["text/html"]) for c in compared)


def test_the_file_is_small(page):
    assert page.path.stat().st_size < 400_000


def test_local_links_resolve(page):
    anchors = {re.sub(r"\s", "-", text) for _, text in page.headings}
    for cell in page.prose:
        for target in links(source(cell)):
            if re.match(r"https?://", target):
                assert re.match(r"https://[\w.-]+\.\w+/\S*$", target), target
                continue
            name, _, anchor = unquote(target).partition("#")
            if name:
                assert (page.path.parent / name).is_file(), target
            else:
                assert anchor in anchors, target


def test_links_of_saved_tables_resolve(tools):
    """Links in what cells show: to a notebook, and to one of its headings."""
    seen = []
    for path in sorted(tools.FOLDER.glob("*.ipynb")):
        shown = [o["data"]["text/html"] for c in tools.Notebook(path).code for o in c["outputs"] if "data" in o
                 and "text/html" in o["data"]]  # fmt: skip
        for target in re.findall(r"<a\b[^>]*?\bhref=[\"']([^\"']*)[\"']", "".join(map("".join, shown))):
            if re.match(r"https://[\w.-]+\.\w+/\S*$", target):
                continue
            name, _, anchor = unquote(unescape(target)).partition("#")
            other = tools.FOLDER / name if name else path
            assert other.is_file() and other.parent == tools.FOLDER, (path.name, target)
            if anchor:
                anchors = {re.sub(r"\s", "-", text) for _, text in tools.Notebook(other).headings}
                assert anchor in anchors, (path.name, target)
            seen.append(target)
    assert seen, "no notebook shows a link"


@pytest.mark.parametrize(
    "text, found",
    [("[a](b.ipynb) ![c](d.png)", ["b.ipynb", "d.png"]), ('[a](https://x.org/y "z")', ["https://x.org/y"])],
)
def test_how_links_are_found(text, found):
    assert links(text) == found


def test_it_says_that_it_is_not_advice(page):
    assert re.search(r"simplified engine.*not advice", source(page.cells[-1]))
