"""How long an explorer takes from a key press to changed pixels, beside a slider that only echoes into a label.

    python tests/benchmarks/explorer_latency.py [--lesson 02] [--presses 60] [--cell explore]

Opens a temporary copy of each lesson in JupyterLab and Chromium, with that echoing slider in a cell of its own: it is
the floor, what browser, network and kernel cost without any work. Floor and explorer take turns in one page.
A press ends with the first paint after the last change of the cell's output, once nothing has changed for a while.
Figures hold for a quiet machine: look at the ratio of the medians, at most 1.5, and repeat. Ends with an error if a
slider is beyond that.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.browser import lab

ECHO = """\
import ipywidgets

echo = ipywidgets.FloatSlider(description="Echo", readout=False)
label = ipywidgets.Label("0")
echo.observe(lambda change: setattr(label, "value", str(change["new"])), "value")
ipywidgets.HBox([echo, label])"""

LESSONS = {path.name[:2]: path for path in sorted((lab.ROOT / "notebooks").glob("0[1-9]*.ipynb"))}
BOUND = 1.5  # of the median to that of the floor
BLOCK = 10  # presses of one slider before it is the next one's turn
# Stamps the paint after each change inside the cell of the focused slider, but not of the slider itself.
PROBE = """
() => {
  const probe = window.probe = {};
  let waiting = false;
  const painted = () => { waiting = false; probe.last = performance.now(); };
  const mark = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      const paint = new MessageChannel();
      paint.port1.onmessage = painted;
      paint.port2.postMessage(0);
    });
  };
  const mine = node => {
    const element = node.nodeType === 1 ? node : node.parentElement;
    return probe.cell?.contains(element) && !element.closest('.widget-slider, .jp-InputArea, .jp-OutputPrompt');
  };
  new MutationObserver(changes => { if (changes.some(change => mine(change.target))) mark(); })
    .observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
  document.addEventListener('keydown', event => { probe.key = event.timeStamp; probe.last = 0; }, true);
  probe.watch = slider => {
    probe.cell = slider.closest('.jp-Cell');
    slider.focus({preventScroll: true});
  };
  probe.settled = (quiet = 150, limit = 3000) => new Promise(done => {
    const look = () => {
      const now = performance.now();
      if (probe.last && !waiting && now - probe.last > quiet) done(probe.last - probe.key);
      else if (now - probe.key > limit) done(null);
      else setTimeout(look, 10);
    };
    look();
  });
}
"""


def press(page, key):
    """Milliseconds from one key press to the last change on the screen; None if nothing changed."""
    page.keyboard.press(key)
    return page.evaluate("probe.settled()")


def measure(page, notebook, cell, presses):
    """{name of slider: milliseconds of each press}, the first being the floor; and what the sampler saw."""
    explorer = notebook.cell(cell)
    sliders = {"echo": notebook.cell("echo").get_by_role("slider")}
    for row in explorer.locator(".widget-hslider").all():
        sliders[row.locator(".widget-label").text_content()] = row.get_by_role("slider")
    notebook.cell("echo").evaluate("cell => cell.scrollIntoView()")
    explorer.locator(".marginlab-reading").wait_for()
    notebook.watch(cell)
    times = {name: [] for name in sliders}
    for turn in range(-1, -(-presses // BLOCK)):
        for name, slider in sliders.items():
            slider.evaluate("slider => probe.watch(slider)")
            took = [press(page, "ArrowRight" if turn % 2 else "ArrowLeft") for _ in range(BLOCK + 1)]
            if turn >= 0:  # the first block warms up; the first press of a block also changes the active cell
                times[name] += took[1:]
    return times, notebook.watched()


def report(times, seen):
    """Print a table; return the sliders that take too long, by their ratio to the floor."""
    print(f"{'key press to changed pixels, ms':34}{'p50':>7}{'p95':>7}{'ratio':>8}{'lost':>6}")
    floor, slow = None, {}
    for name, every in times.items():
        took = sorted(ms for ms in every if ms is not None)
        p50, p95 = statistics.median(took), took[round(0.95 * (len(took) - 1))]
        floor = floor or p50
        beyond = p50 / floor > BOUND
        slow |= {name: p50 / floor} if beyond else {}
        mark = f"  above {BOUND:g}" * beyond
        print(f"{name:34}{p50:7.0f}{p95:7.0f}{p50 / floor:8.2f}{len(every) - len(took):6}{mark}")
    print(f"blank frames: {seen['blank']} of {seen['frames']}; heights of the cell: {seen['heights']}")
    return slow


def with_echo(source, folder, cell):
    """A copy of a notebook in a folder, with the echoing slider before the explorer's cell; its path."""
    path = Path(shutil.copy(source, folder))
    book = json.loads(path.read_text(encoding="utf-8"))
    place = [one["id"] for one in book["cells"]].index(cell)
    echo = {"cell_type": "code", "id": "echo", "metadata": {}, "source": ECHO, "outputs": [], "execution_count": None}
    book["cells"].insert(place, echo)
    path.write_text(json.dumps(book), encoding="utf-8")
    return path


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lesson", choices=[*LESSONS, "all"], default="all", help="its number")
    options.add_argument("--presses", type=int, default=60, help="for each slider")
    options.add_argument("--cell", default="explore", help="id of the explorer's cell")
    options = options.parse_args()
    if not lab.chromium():
        sys.exit(lab.HOW_TO)
    slow = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder)
        (home / "notebooks").mkdir()
        chosen = LESSONS if options.lesson == "all" else {options.lesson: LESSONS[options.lesson]}
        paths = {number: with_echo(path, home / "notebooks", options.cell) for number, path in chosen.items()}
        with lab.server(home) as address:
            browser = playwright.chromium.launch(executable_path=lab.chromium(), args=lab.FLAGS)
            for number, path in paths.items():
                page = lab.enter(browser, address, height=1200)
                page.evaluate(PROBE)
                notebook = lab.Notebook(page, path)
                notebook.run_all()
                print(f"\nlesson {number}, {options.presses} presses of each slider")
                slow |= {
                    f"{number} {name}": ratio
                    for name, ratio in report(*measure(page, notebook, options.cell, options.presses)).items()
                }
                page.close()
            browser.close()
    if slow:
        sys.exit(
            f"above {BOUND:g} times the floor: " + ", ".join(f"{name} ({ratio:.2f})" for name, ratio in slow.items())
        )


if __name__ == "__main__":
    main()
