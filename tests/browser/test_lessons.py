"""Each lesson in JupyterLab and Chromium: every control, both themes, with and without a kernel."""

import ast
import functools
import json
import re
import shutil
from itertools import product

import pytest

from tests.browser import lab

pytestmark = pytest.mark.browser

LESSONS = sorted(path.name for path in (lab.ROOT / "notebooks").glob("0*.ipynb"))
in_each_lesson = pytest.mark.parametrize("lesson", LESSONS, indirect=True)

# What an explorer shows: its controls from the top, and its reading in words.
SHOWN = """cell => {
  const number = row => row.querySelector('.marginlab-number input');
  const read = text => Number.isNaN(Number(text)) ? null : Number(text);
  const down = row => row.querySelector('.widget-toggle-button.mod-active');
  const rows = [...cell.querySelectorAll('.widget-hbox')].filter(row => number(row) || down(row));
  return {
    controls: rows.map(row => number(row) ? read(number(row).value) : down(row).textContent),
    picture: cell.querySelector('[role=img]')?.getAttribute('aria-label'),
    sentence: cell.querySelector('.marginlab-reading p')?.textContent,
    table: [...cell.querySelectorAll('.marginlab-reading tr')].map(row => [...row.cells].map(one => one.textContent)),
  };
}"""
# Of all our pictures in a page, hidden tabs too: the ids that are there twice, and what uses a
# part of another picture.
PICTURES = """() => {
  const all = [...document.querySelectorAll('.jupyter-widgets svg')];
  const ours = all.filter(svg => svg.querySelector('path'));
  const ids = ours.flatMap(svg => [...svg.querySelectorAll('[id]')].map(one => one.id));
  const used = one =>
    one.getAttribute('clip-path')?.slice(5, -1) ?? one.getAttribute('xlink:href').slice(1);
  const home = id => document.getElementById(id)?.closest('svg');
  const parts = ours.flatMap(svg => [...svg.querySelectorAll('[clip-path], use')]);
  const strays = parts.filter(one => home(used(one)) !== one.ownerSVGElement);
  const twice = ids.filter((one, place) => ids.indexOf(one) !== place);
  return {count: ours.length, ids: ids.length, twice, strays: strays.map(one => one.outerHTML)};
}"""
# Of the lines that must stay in the axes, [left, right, bottom, top] as shares of the picture: how
# many points of them lie beyond the axes, and at how many of these the line can be seen.
BEYOND = """(cell, [left, right, bottom, top]) => {
  let beyond = 0, seen = 0;
  const lines = [...cell.querySelector('[role=img]').querySelectorAll('path[clip-path]')];  // of the chart
  for (const line of lines.filter(line => line.getAttribute('d'))) {
    const page = line.ownerSVGElement.getBoundingClientRect(), to = line.getScreenCTM();
    for (let share = 0; share <= 1; share += 0.005) {
      const at = line.getPointAtLength(share * line.getTotalLength()).matrixTransform(to);
      const x = (at.x - page.left) / page.width, y = (page.bottom - at.y) / page.height;
      if (x > left - 0.02 && x < right + 0.02 && y > bottom - 0.02 && y < top + 0.02) continue;
      if (x < 0 || x > 1 || y < 0 || y > 1) continue;
      beyond += 1;
      seen += document.elementFromPoint(at.x, at.y) === line;
    }
  }
  return [beyond, seen];
}"""
# Is all of the reading inside its box?
FITS = """cell => {
  const reading = cell.querySelector('.marginlab-reading').getBoundingClientRect();
  const stage = cell.querySelector('.widget-gridbox').getBoundingClientRect();
  return reading.bottom <= stage.bottom && reading.right <= stage.right;
}"""
# How far below the top of the output the reading ends: JupyterLab shows 599 px of it at 1280 x 720.
BOTTOM = """cell => {
  const reading = cell.querySelector('.marginlab-reading').getBoundingClientRect();
  return reading.bottom - cell.querySelector('.marginlab-explorer').getBoundingClientRect().top;
}"""
# What sticks out of its box, or of the page: [what, by how many pixels].
CUT = """cell => {
  const stage = cell.querySelector('.widget-gridbox'), box = stage.getBoundingClientRect();
  const shown = stage.querySelectorAll('svg, p, table, th, td, .marginlab-reading');
  const out = [...shown].filter(one => one.getClientRects().length).map(one => {
    const at = one.getBoundingClientRect();
    return [one.tagName, Math.max(at.bottom - box.bottom, at.right - box.right, box.left - at.left)];
  });
  const wide = cell.querySelector('.jp-OutputArea-output:has(.jupyter-widgets)');
  return [...out, ['page', wide.scrollWidth - wide.clientWidth]].filter(([, by]) => by > 0.5);
}"""
# Labels and buttons whose words do not fit: [words, pixels needed, pixels there].
TRUNCATED = """cell => [...cell.querySelectorAll('.jupyter-widgets .widget-label, .jupyter-widgets button')]
  .filter(label => label.textContent.trim() && label.scrollWidth > label.clientWidth)
  .map(label => [label.textContent, label.scrollWidth, label.clientWidth])"""
# [weight, pixels of the line above, its colour, the background] of each cell: of the marked row, and of the one before.
MARKED = """cell => {
  const opaque = colour => !/, 0\\)$|transparent/.test(colour);
  const behind = element => {
    const colour = getComputedStyle(element).backgroundColor;
    return opaque(colour) ? colour : behind(element.parentElement);
  };
  const looks = row => [...row.cells].map(one => {
    const style = getComputedStyle(one);
    return [Number(style.fontWeight), parseFloat(style.borderTopWidth), style.borderTopColor, behind(one)];
  });
  const row = cell.querySelector('.marginlab-reading tr.marginlab-marked');
  return row && {marked: looks(row), before: looks(row.previousElementSibling)};
}"""
# [text or line, its colour, the background] of all that an explorer shows.
COLOURS = """cell => {
  const opaque = colour => !/, 0\\)$|transparent/.test(colour);
  const behind = element => {
    const colour = getComputedStyle(element).backgroundColor;
    return opaque(colour) ? colour : behind(element.parentElement);
  };
  const has_text = element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  const texts = [...cell.querySelectorAll('.jupyter-widgets *')].filter(has_text);
  const lines = [...cell.querySelectorAll('[role=img] path')];
  return [
    ...texts.filter(text => !text.closest('style, option')).map(text => {
      const style = getComputedStyle(text);
      return [text.textContent.trim(), text.closest('svg') ? style.fill : style.color, behind(text)];
    }),
    ...lines.map(line => ['line', getComputedStyle(line).stroke, behind(line)]).filter(line => line[1] !== 'none'),
  ];
}"""


@functools.cache
def made(notebook, id):
    """What a cell ends with, made in this process after the lesson's set-up cell."""
    scope = {}
    exec(notebook.source("setup"), scope)
    *body, last = ast.parse(notebook.source(id)).body
    exec(compile(ast.Module(body, []), id, "exec"), scope)
    return eval(compile(ast.Expression(last.value), id, "eval"), scope)


@functools.cache
def reading_of(explorer, *state):
    return explorer.read(**dict(state))


def expect(cell, explorer, **moved):
    """Wait until the page shows `moved`, and the reading that the model has for the state on the page: that state."""
    for _ in range(200):
        shown = cell.evaluate(SHOWN)
        state = dict(zip(explorer.controls, shown.pop("controls"), strict=True))
        if None in state.values():  # NaN in the page: a box with something that is no number
            cell.page.wait_for_timeout(25)
            continue
        for name, value in state.items():
            if isinstance(value, str):
                state[name] = dict(explorer.controls[name].options)[value]
        reading = reading_of(explorer, *state.items())
        head, rows = reading["table"]
        right = {"picture": reading["sentence"], "sentence": reading["sentence"], "table": [head, *rows]}
        if state | moved == state and shown == right:
            break
        cell.page.wait_for_timeout(25)
    assert state | moved == state
    assert shown == right
    assert cell.evaluate(FITS), f"the reading is cut off at {state}"
    return state


@in_each_lesson
def test_run_all_leaves_no_error(lesson):
    assert not lesson.troubles()
    assert not lesson.page.errors
    prompts = lesson.page.locator(".jp-Notebook:visible .jp-InputPrompt").all_text_contents()  # "" if it is folded
    assert len(prompts) > 3 and not [one for one in prompts if not re.fullmatch(r"(\[\d+\]:)?", one.strip())]


@in_each_lesson
def test_nothing_is_cut_off_on_a_narrow_page(lesson):
    """Labels in full, and nothing outside its box; ends and presets are tried on wider and on narrower pages."""
    try:
        for width, id in product((1280, 1024), lesson.tagged("explorer")):
            lesson.page.set_viewport_size({"width": width, "height": 1100})
            explorer, cell = made(lesson, id), lesson.cell(id)
            cell.scroll_into_view_if_needed()
            if width == 1280:
                assert cell.evaluate(BOTTOM) <= 599, f"{id}: the verdict is below the fold"
                if explorer.folded:
                    cell.get_by_role("button", name="All figures").click()
                    cell.locator(".marginlab-reading table").wait_for()
            assert cell.evaluate(TRUNCATED) == cell.evaluate(CUT) == [], f"{id} at {width} px"
            assert cell.locator(".widget-label").count() > len(explorer.controls)
            if width == 1024 and explorer.folded:
                cell.get_by_role("button", name="All figures").click()
                cell.locator(".marginlab-folded").wait_for()
    finally:
        lesson.page.set_viewport_size({"width": 1280, "height": 1100})


def in_theme(lesson, theme):
    """Change the theme of the page, and wait until the change of its colours has ended."""
    lesson.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    lesson.page.wait_for_function("dark => document.body.dataset.jpThemeLight !== String(dark)", arg=theme == "Dark")
    ended = "document.getAnimations().filter(one => one instanceof CSSTransition).map(one => one.finished)"
    lesson.page.evaluate(f"Promise.allSettled({ended}).then(() => null)")


@pytest.mark.parametrize("lesson", LESSONS[1:2], indirect=True)  # the base class of all of them does it
def test_an_explorer_lives_when_its_cell_alone_is_run_again(lesson):
    for id in lesson.tagged("explorer")[:1]:
        lesson.run(id)
        explorer, cell = made(lesson, id), lesson.cell(id)
        expect(cell, explorer, **explorer.presets[explorer.picker.value])
        name, control = [one for one in explorer.controls.items() if not hasattr(one[1], "options")][-1]
        cell.get_by_role("slider").last.press("End")
        expect(cell, explorer, **{name: control.max})
        assert cell.evaluate(CUT) == []
        cell.get_by_role("button", name="Reset").click()
        expect(cell, explorer, **explorer.presets[explorer.picker.value])
    assert not lesson.troubles()


def stands_out(theme, looks):
    """The marked row of a table: heavier than the row before, under a line."""
    rows = list(zip(looks["marked"], looks["before"], strict=True))
    for mine, other in rows:
        assert mine[0] >= other[0] and mine[0] >= 600, f"{theme}: no heavier than the row before"
        assert mine[1] >= 1.5 > other[1], f"{theme}: no line above it"
        assert contrast(*mine[2:]) >= 1.5, f"{theme}: a line that cannot be seen"
    assert any(mine[0] > other[0] for mine, other in rows)


def contrast(front, back):
    """The contrast of two CSS colours, as WCAG defines it; `front` may be see-through."""
    *front, alpha = ([float(part) for part in re.findall(r"[\d.]+", front)] + [1.0])[:4]
    back = [float(part) for part in re.findall(r"[\d.]+", back)][:3]
    mixed = [alpha * f + (1 - alpha) * b for f, b in zip(front, back, strict=True)]
    dark, light = sorted((luminance(mixed), luminance(back)))
    return (light + 0.05) / (dark + 0.05)


def luminance(rgb):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in rgb)]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def record(home):
    return json.loads((home / "record.json").read_text(encoding="utf-8"))


def test_a_word_leads_to_its_entry_in_the_glossary(page, home):
    """Rendered, not as text to be edited, and at the entry."""
    lesson = lab.Notebook(page, home / "notebooks" / LESSONS[1])
    for anchor in ("inverse-contract", "bankruptcy-price"):
        page.locator(".jp-Notebook:visible a[href*='glossary.md']", has_text=anchor[:7]).first.click()
        page.wait_for_function("jupyterapp.shell.currentWidget?.context?.path === 'glossary.md'")
        entry = page.locator(".jp-MarkdownViewer:visible h3", has_text=anchor.replace("-", " ")).first
        entry.wait_for()
        shown = "entry => { const y = entry.getBoundingClientRect().top; return y > 0 && y < 400; }"
        page.wait_for_function(shown, arg=entry.element_handle())
        lesson.command("docmanager:open", path=LESSONS[1])
    assert not page.errors


@pytest.fixture(scope="module")
def offline(browser, address, entered):
    """A page of its own, on which no kernel can be started: in one that has shown all lessons, cells come late."""
    lab.clear(entered)
    page = lab.enter(browser, address)
    page.route("**/api/sessions*", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    yield page
    page.close()


def without_kernel(page, home, name):
    notebook = lab.Notebook(page, home / "notebooks" / name)
    for word in ("Ok", "No Kernel"):  # that none could be started, and which one then
        page.locator(".jp-Dialog").get_by_role("button", name=word, exact=True).click()
    page.locator(".jp-Dialog").wait_for(state="detached")
    return notebook


@pytest.fixture(scope="module")
def start(offline, home):
    """The start page, as it was saved."""
    return without_kernel(offline, home, LESSONS[0])


@pytest.mark.parametrize("name", LESSONS[:2])  # links and saved twins of the others: tests/notebooks/test_anatomy.py
def test_the_start_page_leads_to_a_lesson_where_the_twin_is_there_without_a_kernel(offline, start, home, name):
    notebook = start
    start.command("docmanager:open", path=LESSONS[0])
    if name != LESSONS[0]:
        offline.locator(f".jp-Notebook a[href*='{name}']:visible").first.click()
        offline.wait_for_function("name => jupyterapp.shell.currentWidget?.context?.path === name", arg=name)
        notebook = without_kernel(offline, home, name)
    for id in notebook.tagged("twin"):
        output = notebook.cell(id).locator(".jp-OutputArea")
        output.scroll_into_view_if_needed()
        output.locator("img").wait_for()
        assert output.locator("img").evaluate("img => img.decode().then(() => img.naturalWidth)") > 300
        assert len(output.locator("[data-mime-type$=stdout]").inner_text()) > 50
    asked = [notebook.cell(id) for tag in ("prediction", "explorer", "quiz") for id in notebook.tagged(tag)[:1]]
    for cell in asked:
        cell.scroll_into_view_if_needed()
        assert cell.locator(".marginlab-twin").is_visible()
        assert cell.locator("details").count() == ("Quiz" in cell.inner_text())
        assert not cell.locator("details[open]").count(), "an answer is not folded"


# What the first widgets of a page say in front of themselves, and whether they can be pressed.
TOLD = """() => [...document.querySelectorAll('.jp-Notebook .jp-OutputArea-output > .jupyter-widgets')].map(one => [
  getComputedStyle(one, '::before').content, getComputedStyle(one).pointerEvents])"""
GONE = '"The kernel was restarted or ended: run the set-up cell at the top, and this one again."'


def test_a_page_whose_kernel_has_gone_says_so_and_opened_again_it_is_a_lesson(page, home):
    """After a restart, after a shutdown, and saved: no answer is taken that would be lost, and none stands open."""
    shutil.copy(home / "notebooks" / LESSONS[0], home / "notebooks/gone.ipynb")
    notebook = lab.Notebook(page, home / "notebooks/gone.ipynb")
    count = len([id for tag in ("prediction", "explorer") for id in notebook.tagged(tag)]) + 2  # compared, hand-in
    ends = ("await widget.sessionContext.session.kernel.restart()", "await widget.sessionContext.shutdown()")
    for end in ends:
        notebook.run_all()
        page.wait_for_function(f"({TOLD})().length === {count}")
        assert all(told[0] != GONE and told[1] != "none" for told in page.evaluate(TOLD))
        assert not page.locator(".marginlab-twin:visible").count(), "a question is there twice"
        notebook.current(end)
        page.wait_for_function(f"gone => ({TOLD})().every(one => one[0] === gone && one[1] === 'none')", arg=GONE)
    notebook.command("docmanager:save")
    lab.clear(page)
    notebook = lab.Notebook(page, home / "notebooks/gone.ipynb")
    failed = page.locator(".jp-OutputArea-output.jupyter-widgets", has_text="model not found")
    failed.nth(count - 1).wait_for(state="attached")
    assert failed.count() == count and page.locator(".marginlab-twin:visible").count() == count
    looks = "one => [getComputedStyle(one).visibility, getComputedStyle(one, '::before').visibility]"
    assert all(one.evaluate(looks) == ["hidden", "visible"] for one in failed.all())


@pytest.mark.parametrize("lesson", LESSONS[:1], indirect=True)
def test_two_lessons_at_once_keep_to_their_own_pictures(lesson, home):
    """With the start page and lesson 01 in tabs, each has its ids, and no curve leaves its axes."""
    page = lesson.page
    opened = [lesson, lab.Notebook(page, home / "notebooks" / LESSONS[1])]
    opened[1].run_all()
    for notebook in opened:
        notebook.command("docmanager:open", path=notebook.path.name)
        notebook.cell(notebook.tagged("explorer")[0]).scroll_into_view_if_needed()
        page.locator(".jp-Notebook:visible [role=img] svg").first.wait_for()
    found = page.evaluate(PICTURES)
    assert found["count"] >= 4 and found["ids"] >= 8
    assert found["twice"] == [] and found["strays"] == []
    for notebook in opened[::-1]:
        notebook.command("docmanager:open", path=notebook.path.name)
        id = notebook.tagged("explorer")[0]
        cell, place = notebook.cell(id), made(notebook, id).layers.axes.get_position()
        cell.locator("[role=img] svg").first.scroll_into_view_if_needed()
        beyond, seen = cell.evaluate(BEYOND, [place.x0, place.x1, place.y0, place.y1])
        assert beyond > 5 and seen == 0, f"{notebook.path.name}: lines are seen outside the axes"
