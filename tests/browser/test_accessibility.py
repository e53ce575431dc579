"""The lessons with the keyboard alone, for screen readers (axe-core), and with letters twice as large."""

import os
import re
from itertools import product
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from marginlab.lesson.numbers import written
from tests.browser import lab
from tests.browser import test_lessons as lessons
from tests.browser.test_lessons import (
    COLOURS,
    CUT,
    LESSONS,
    MARKED,
    TRUNCATED,
    contrast,
    expect,
    in_each_lesson,
    in_theme,
    made,
    reading_of,
    record,
    stands_out,
)

HOME, *COURSE = LESSONS
in_the_others = pytest.mark.parametrize("lesson", COURSE[1:], indirect=True)  # than the one worked through whole
in_one = pytest.mark.parametrize("lesson", COURSE[:1], indirect=True)  # the same widgets are in all

pytestmark = pytest.mark.browser

# What is ours on a page of JupyterLab: rendered prose, and all output, widgets included.
OURS = {"include": [[".jp-Notebook .jp-RenderedMarkdown"], [".jp-Notebook .jp-OutputArea-output"]]}
# What axe finds and we cannot mend: {rule: how the element begins}.
NOT_OURS = {
    "aria-input-field-name": '<div class="noUi-handle',  # ipywidgets names no handle; the box beside it has the name
    "image-alt": '<img src="data:image/png',  # JupyterLab drops the alt text of a PNG; the reading is printed below it
    "button-name": '<button class="jupyter-button"><i class="fa',  # of Play; the slider beside it does the same
    "empty-table-header": "<th></th>",  # pandas leaves the corner of its tables empty
}
FOCUSED = "one => one === document.activeElement"
# [tag, whether focus changes its looks, [colour, background] of the line round it] of the focused control of a cell.
MARK = """cell => {
  const one = document.activeElement;
  if (!cell.querySelector('.jp-OutputArea')?.contains(one)) return null;
  const opaque = colour => !/, 0\\)$|transparent/.test(colour);
  const behind = element => {
    const colour = getComputedStyle(element).backgroundColor;
    return opaque(colour) ? colour : behind(element.parentElement);
  };
  const looks = () => {
    const {outlineStyle, outlineWidth, outlineColor, boxShadow, borderTopColor} = getComputedStyle(one);
    const outline = outlineStyle === 'none' ? 'none' : `${outlineWidth} ${outlineColor}`;
    return {outline, outlineColor, boxShadow, borderTopColor};
  };
  one.style.transition = 'none';
  const on = looks();
  one.blur();
  const off = looks();
  one.focus({focusVisible: true});
  const changed = ['outline', 'boxShadow', 'borderTopColor'].some(name => on[name] !== off[name]);
  return [one.tagName, changed, [on.outline === 'none' ? on.borderTopColor : on.outlineColor,
                                 behind(one.closest('.slider-container') ?? one.parentElement)]];
}"""
# What sticks out of its box to the right, or is cut off below: [what, by how many pixels]; and controls that overlap.
HIDDEN = """cell => {
  const out = [];
  const name = one => one.tagName + ' ' + (one.textContent.trim() || one.className).slice(0, 30);
  const controls = '.widget-label, button, select, input, textarea, .noUi-target, .widget-radio-box label';
  const seen = [...cell.querySelectorAll(`:is(.jupyter-widgets, .jp-OutputArea) :is(${controls}, svg, p, table, img,
    .marginlab-limits, .widget-html-content)`)].filter(one =>
    one.getBoundingClientRect().width > 1 && getComputedStyle(one).clipPath === 'none');  // not for the eye
  for (const one of seen) {
    const at = one.getBoundingClientRect();
    for (let box = one.parentElement; box !== cell.parentElement; box = box.parentElement) {
      const room = box.getBoundingClientRect(), how = getComputedStyle(box);
      if (how.overflowX !== 'visible' && at.right > room.right + 1) out.push([name(one), at.right - room.right]);
      if (/hidden|clip/.test(how.overflowY) && at.bottom > room.bottom + 1)
        out.push([name(one), at.bottom - room.bottom]);
    }
    const words = one.matches('.widget-label, button');
    if (words && one.scrollWidth > one.clientWidth) out.push([name(one), one.scrollWidth - one.clientWidth]);
  }
  for (const one of cell.querySelectorAll('.widget-radio-box label')) {
    const down = one.querySelector('input').getBoundingClientRect().top - one.getBoundingClientRect().top;
    if (down > 10) out.push([`the button of ${name(one)} is not on its first line`, down]);
  }
  const boxes = seen.filter(one => one.matches(controls)).map(one => [one, one.getBoundingClientRect()]);
  for (const [one, a] of boxes) for (const [other, b] of boxes) {
    if (one === other || one.contains(other) || other.contains(one)) continue;
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1 && high > 1) out.push([`${name(one)} on ${name(other)}`, Math.min(wide, high)]);
  }
  return out;
}"""


# ---------------------------------------------------------------- the keyboard


def walk(lesson, id):
    """Go to a cell with J and K, as in JupyterLab's command mode; they pass over folded cells."""
    target = [cell["id"] for cell in lesson.cells].index(id)
    for _ in range(2 * len(lesson.cells)):
        here = lesson.page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex")
        if here == target:
            return lesson.cell(id)
        lesson.page.keyboard.press("j" if here < target else "k")
    raise AssertionError(f"the keyboard does not reach the cell {id}")


def unfolded(lesson, id):
    """The last cell up to this one that J and K can reach."""
    place = [cell["id"] for cell in lesson.cells].index(id)
    hidden = [cell["metadata"].get("jupyter", {}).get("source_hidden") for cell in lesson.cells]
    return lesson.cells[max(i for i in range(place + 1) if not hidden[i])]["id"]


def tab(page, target, key="Tab"):
    """Press Tab until `target` has the focus."""
    for _ in range(40):
        if target.evaluate(FOCUSED):
            return
        page.keyboard.press(key)
    raise AssertionError(f"Tab does not reach {target}")


def predict(lesson, id, home):
    """From its first button, Tab leads through all of it; what is committed is recorded."""
    prediction, cell, keys = made(lesson, id), lesson.cell(id), lesson.page.keyboard
    direction, sure = prediction.direction.options[-1], prediction.sure[0]
    order = [*prediction.direction.options, "", *prediction.sure, "Commit"]
    tab(lesson.page, cell.get_by_role("button", name=order[0], exact=True))
    for place, label in enumerate(order):
        assert lesson.page.evaluate("document.activeElement.textContent") == label
        if label in (direction, sure, "Commit"):
            keys.press("Space")
        elif not label:
            keys.type("46123")
        if place < len(order) - 1:
            keys.press("Tab")
    cell.get_by_text(re.compile("^Recorded: ")).wait_for()  # not: nothing recorded yet
    kept = {"direction": direction, "number": 46_123, "confidence": sure}
    assert record(home)[prediction.id].items() >= kept.items()


def compared(lesson, id):
    """The cells that compare a prediction with what happened."""
    name = lesson.source(id).strip().splitlines()[-1]
    return [cell["id"] for cell in lesson.cells if f"{name}.compare(" in "".join(cell["source"])]


def explore(lesson, id, home, thorough=True):
    """Each slider and its number box, each choice, presets, Reset: the reading follows, and no frame is blank.

    If `thorough`, every preset, what a box refuses, and the way back through choices, too; else the first and the last
    preset. On this page, wide, nothing is cut off.
    """
    explorer, cell, keys = made(lesson, id), lesson.cell(id), lesson.page.keyboard

    def expect(*about, **moved):
        state = lessons.expect(*about, **moved)
        assert cell.evaluate(CUT) == [], f"{id}, {state}"
        return state

    start, seen = expect(cell, explorer), []
    lesson.watch(id)
    tab(lesson.page, cell.get_by_role("combobox"))
    states = list(explorer.presets.values())
    for place, state in enumerate(reversed(states) if thorough else (states[-1], states[0])):
        open_list = ("Space", "ArrowUp" if thorough else "Home", "Enter")  # a closed one leaves arrows to JupyterLab
        for key in open_list if place else ("Space", "End", "ArrowUp", "Enter"):  # below the last: "changed"
            keys.press(key)
        expect(cell, explorer, **state)
    handles = iter(cell.get_by_role("slider").all())
    boxes = iter(cell.locator(".jp-OutputArea").get_by_role("textbox").all())
    for name, control in explorer.controls.items():
        if hasattr(control, "options"):
            there = list(control.options.items())
            for way, options in (("Tab", there), ("Shift+Tab", there[::-1]))[: 1 + thorough]:
                for label, value in options:
                    tab(lesson.page, cell.get_by_role("button", name=label, exact=True), way)
                    keys.press("Space")
                    expect(cell, explorer, **{name: value})
            continue
        last, handle, low, high = name, next(handles), control.min, control.max
        tab(lesson.page, handle)
        ways = [("End", high), ("Home", low), ("ArrowRight", low + control.step)]
        for key, value in ways[: 2 + thorough]:
            keys.press(key)
            expect(cell, explorer, **{name: round(value, 9)})
        inside = round(low + 0.37 * (high - low), 3)
        box, before = next(boxes), {}
        assert box.get_attribute("type") == "text"
        assert cell.get_by_label(control.slider.description).count(), "the box has no name"
        tab(lesson.page, box)
        refused = [(f"{high + 1:.0f}", None), ("0,01", None)]
        taken = [(written(one), one) for one in (inside, start[name])]
        seen.append(lesson.watched())  # what is said beside a box may take a line of its own
        for typed, value in (taken[0], *refused, taken[1]) if thorough else taken[:1]:
            keys.press("ControlOrMeta+A")
            keys.type(typed)
            keys.press("Enter")
            if value is None:  # said beside the box; nothing else happens
                said = "can be read two ways" if "," in typed else "is out of range"
                cell.get_by_role("status").get_by_text(f"{typed} {said}: ").wait_for()
                assert box.input_value() == typed and box.evaluate(FOCUSED)
                right = explorer.read(**before | {name: inside})
                assert cell.locator("[role=img]").first.get_attribute("aria-label") == right["sentence"]
                continue
            before = expect(cell, explorer, **{name: value})
            cell.get_by_role("status").wait_for(state="detached")
            for _ in range(100):  # the kernel moves the handle, also where the reading stays the same
                if abs(float(handle.get_attribute("aria-valuetext")) - value) <= control.step:
                    break
                lesson.page.wait_for_timeout(50)
            assert float(handle.get_attribute("aria-valuetext")) == pytest.approx(value, abs=control.step)
        lesson.watch(id)
    tab(lesson.page, handle, "Shift+Tab")
    keys.press("End")
    expect(cell, explorer, **{last: high})
    tab(lesson.page, cell.get_by_role("button", name="Reset"), "Shift+Tab")
    keys.press("Space")
    expect(cell, explorer, **state)
    seen.append(lesson.watched())
    heights = {height for one in seen for height in one["heights"]}
    assert sum(one["frames"] for one in seen) > 50 and not any(one["blank"] for one in seen)
    assert len(heights) == 1, f"the page jumps: heights of {id} are {heights}"


def answer(lesson, id, home):
    """Every answer of a quiz: Tab goes from one to the next, Space takes it."""
    quiz, cell = made(lesson, id), lesson.cell(id)
    for place, (said, feedback) in enumerate(quiz.options.items()):
        tab(lesson.page, cell.get_by_role("radio").nth(place))
        lesson.page.keyboard.press("Space")
        cell.locator(".jupyter-widgets").get_by_text(feedback).first.wait_for()
        assert record(home)[quiz.id].items() >= {"answer": said, "right": said == quiz.right}.items()


def solve(lesson, id, home):
    """Write the course's solution where the exercise has a blank, run it, and read the verdict."""
    cell, keys = lesson.cell(id), lesson.page.keyboard
    lines = lesson.source(id).splitlines()
    blank = next(place for place, line in enumerate(lines) if "raise NotImplementedError" in line)
    body = lesson.source(f"{id}-solution").splitlines()[1 + blank :]  # its first line says what it is
    body = body[: body.index("")]
    keys.press("Enter")  # to edit
    keys.press("ControlOrMeta+Home")
    for _ in range(blank):
        keys.press("ArrowDown")
    keys.press("Home")
    keys.press("Shift+End")
    for place, line in enumerate(body):
        keys.press("Enter") if place else None  # keeps the indent
        keys.type(line.strip())
    keys.press("ControlOrMeta+Enter")
    cell.get_by_text("Right, on").wait_for()
    keys.press("Escape")


def reflect(lesson, id, home):
    reflection, cell = made(lesson, id), lesson.cell(id)
    tab(lesson.page, cell.get_by_role("textbox").last)
    lesson.page.keyboard.type("Without a mouse.")
    tab(lesson.page, cell.get_by_role("button", name="Keep"))
    lesson.page.keyboard.press("Space")
    cell.get_by_text("Kept").wait_for()
    assert record(home)[reflection.id]["text"].endswith("Without a mouse.")


def follow(lesson):
    """Follow the last link of a lesson."""
    link = lesson.cell("summary").get_by_role("link").last
    target = link.get_attribute("href").split("?")[0].rsplit("/", 1)[-1]  # the problem set, in a folder of its own
    tab(lesson.page, link)
    lesson.page.keyboard.press("Enter")
    lesson.page.wait_for_function("name => jupyterapp.shell.currentWidget?.context?.path.endsWith(name)", arg=target)


PARTS = {"prediction": predict, "explorer": explore, "exercise": solve, "quiz": answer, "reflection": reflect}


def part(cell):
    """What a cell asks of the learner, or None."""
    return next((tag for tag in cell["metadata"].get("tags", ()) if tag in PARTS), None)


def test_a_whole_lesson_with_the_keyboard_alone(page, home):
    """From the top, cell by cell with Shift+Enter; what asks for an answer gets one."""
    lesson = lab.Notebook(page, home / "notebooks" / COURSE[0])
    lesson.current("await widget.sessionContext.ready; await widget.sessionContext.session.kernel.info")
    solved = 0
    for cell in lesson.cells:
        id, kind = cell["id"], part(cell)
        if "solution" in cell["metadata"].get("tags", ()):  # folded: Shift+Enter goes past it
            continue
        walk(lesson, id)
        if not kind:
            page.keyboard.press("Shift+Enter" if id != "summary" else "ControlOrMeta+Enter")
            continue
        page.keyboard.press("ControlOrMeta+Enter")  # runs it, and stays
        if kind == "exercise":
            lesson.cell(id).get_by_text("Not answered yet").wait_for()
            solved += 1
        else:
            lesson.cell(id).locator(".jupyter-widgets").first.wait_for()
        if kind != "explorer" or id == lesson.tagged(kind)[0]:  # the reader's own is the same once more
            PARTS[kind](lesson, id, home)
    assert solved == 3
    assert "46,123" in lesson.cell("mind").inner_text()
    assert not lesson.troubles()
    follow(lesson)


@in_the_others
def test_every_explorer_with_the_keyboard_alone(lesson, home):
    """Every slider to both ends, a number typed in each box, each choice, the first and the last preset, Reset.

    A reader's own explorer, quizzes, predictions and exercises are the same widgets as in the lesson worked through
    above; what they say is tested without a browser, in tests/notebooks and tests/lesson.
    """
    id = lesson.tagged("explorer")[0]
    index = [cell["id"] for cell in lesson.cells].index(id)
    lesson.activate(unfolded(lesson, lesson.cells[index - 3]["id"]))
    walk(lesson, unfolded(lesson, id))
    explore(lesson, id, home, thorough=False)
    lesson.activate("summary")
    follow(lesson)
    lesson.command("docmanager:open", path=lesson.path.name)
    assert not lesson.troubles()


@pytest.fixture(scope="module")
def marks(lesson):
    """[theme, cell, tag, whether the focus changes it, its contrast] of each control, on a walk with Tab."""
    marks = []
    for theme in ("Dark", "Light"):
        in_theme(lesson, theme)
        for tag in ("prediction", "explorer", "quiz", "reflection"):
            id = lesson.tagged(tag)[0]
            lesson.current("document.activeElement.blur(); widget.activate(); widget.content.mode = 'command'")
            cell = lesson.cell(id)
            lesson.activate(id)
            for _ in range(30):
                lesson.page.keyboard.press("Tab")
                mark = cell.evaluate(MARK)
                if mark:
                    marks.append([theme, id, mark[0], mark[1], contrast(*mark[2])])
                elif marks and marks[-1][:2] == [theme, id]:
                    break
    return marks


@in_one
def test_the_focus_can_be_seen(marks):
    assert {mark[2] for mark in marks} == {"BUTTON", "INPUT", "SELECT", "DIV", "TEXTAREA"}
    assert not [mark for mark in marks if not mark[3]]


@in_one
def test_the_focus_stands_out(marks):
    assert not [mark for mark in marks if mark[4] < 3]


# ------------------------------------------------------------ letters twice as large


@pytest.fixture(scope="module")
def narrow(lesson):
    """The lesson at 640 px, as a page of 1280 px is at 200 %, without the left sidebar."""
    lesson.current("jupyterapp.shell.collapseLeft()")
    lesson.page.set_viewport_size({"width": 640, "height": 1100})
    yield lesson
    lesson.page.set_viewport_size({"width": 1280, "height": 1100})
    lesson.current("jupyterapp.shell.expandLeft()")


# Letters wider than any page has, as a stylesheet of the reader's own.
WIDE = "*{font-family:'DejaVu Sans',Verdana,monospace!important;letter-spacing:.08em!important}"


@in_each_lesson
def test_every_explorer_in_wide_letters(narrow):
    """No button, box, label, sentence or table is cut, nor is what is said beside a box."""
    style = narrow.page.add_style_tag(content=WIDE)
    try:
        for width, id in product((820, 640), narrow.tagged("explorer")[:1]):
            narrow.page.set_viewport_size({"width": width, "height": 1100})
            explorer, cell = made(narrow, id), narrow.cell(id)
            cell.scroll_into_view_if_needed()
            for place, box in enumerate(cell.locator(".marginlab-number input").all()):
                box.fill("0,01")
                box.press("Enter")
                cell.get_by_role("status").nth(place).wait_for()
                assert cell.evaluate(HIDDEN) == cell.evaluate(CUT) == [], f"{id} at {width} px"
                assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
            assert cell.get_by_role("status").count() == len(cell.get_by_role("slider").all())

            def words(name, explorer=explorer):
                return len(str(reading_of(explorer, *explorer.presets[name].items())))

            picked = cell.get_by_role("combobox").input_value()  # which cannot be chosen again
            longest = sorted(sorted(explorer.presets, key=words)[-2:], key=lambda name, shown=picked: name == shown)
            for preset in longest if width == 640 else longest[:1]:
                state = explorer.presets[preset]
                cell.get_by_role("combobox").select_option(preset)
                expect(cell, explorer, **state)
                cell.get_by_role("status").first.wait_for(state="detached")
                hidden = cell.evaluate(HIDDEN), cell.evaluate(CUT), cell.evaluate(TRUNCATED)
                assert hidden == ([], [], []), f"{id} at {width} px, {preset}"
    finally:
        style.evaluate("style => style.remove()")
        narrow.page.set_viewport_size({"width": 640, "height": 1100})


@in_each_lesson
def test_every_question_at_twice_the_size(narrow):
    for id in narrow.tagged("prediction") + narrow.tagged("quiz") + narrow.tagged("reflection"):
        cell = narrow.cell(id)
        cell.scroll_into_view_if_needed()
        assert cell.evaluate(HIDDEN) == [], id


# ------------------------------------------------------------ axe


def violations(page, theme):
    """{rule: the HTML of what breaks it}, of all that is ours; in the dark, of the rules about colours."""
    only = {"runOnly": ["color-contrast", "link-in-text-block"]} if theme == "Dark" else {}
    found = Axe().run(page, OURS, {"resultTypes": ["violations"]} | only).response
    assert len(found["passes"]) > (0 if only else 5), "axe saw next to nothing"
    broken = {rule["id"]: [node["html"] for node in rule["nodes"]] for rule in found["violations"]}
    ours = {
        rule: [html for html in nodes if not html.startswith(NOT_OURS.get(rule, "\0"))]
        for rule, nodes in broken.items()
    }
    return {rule: nodes for rule, nodes in ours.items() if nodes}


@in_each_lesson
def test_both_themes_can_be_read(lesson):
    """By axe-core; and every text and line of an explorer, where axe does not look. Dark is one stylesheet for all:
    two lessons show it."""
    shots = os.environ.get("MARGINLAB_SHOTS")
    dark = shots or lesson.path.name in (COURSE[0], COURSE[-1])
    for theme in ("Dark", "Light") if dark else ("Light",):
        in_theme(lesson, theme)
        assert violations(lesson.page, theme) == {}, theme
        for id in lesson.tagged("explorer"):
            explorer, cell = made(lesson, id), lesson.cell(id)
            cell.scroll_into_view_if_needed()
            colours = cell.evaluate(COLOURS)
            assert len(colours) > 30
            weak = [one for one in colours if contrast(*one[1:]) < (3 if one[0] in ("line", "×") else 4.5)]
            assert not weak, f"{theme}: {weak}"
            if explorer.marked:
                stands_out(theme, cell.evaluate(MARKED))
            if shots:
                cell.screenshot(path=Path(shots) / f"{lesson.path.stem}-{id}-{theme.lower()}.png")


def test_the_start_page(page, home):
    """Run with the keyboard, and left by its first link; at 640 px all of it is there."""
    start = lab.Notebook(page, home / "notebooks" / HOME)
    start.current("await widget.sessionContext.ready; await widget.sessionContext.session.kernel.info")
    for _ in start.cells[:-1]:  # behind the last one a new one would be made
        page.keyboard.press("Shift+Enter")
    start.cell("unified").get_by_text("worth at full price").wait_for()
    start.current("jupyterapp.shell.collapseLeft()")
    page.set_viewport_size({"width": 640, "height": 1100})
    wide = "cell => cell.querySelector('.jp-RenderedMarkdown, .jp-OutputArea').scrollWidth - cell.clientWidth"
    for id in ("start-here", "map", "kinds"):
        assert start.cell(id).evaluate(wide) <= 0, id
    walk(start, "map")
    link = start.cell("map").get_by_role("link", name="01 · Isolated margin")
    tab(page, link)
    page.keyboard.press("Enter")
    page.wait_for_function("name => jupyterapp.shell.currentWidget?.context?.path === name", arg=COURSE[0])
