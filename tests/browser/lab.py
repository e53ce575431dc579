"""JupyterLab and Chromium for the browser tests and for the latency benchmark."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = "no Chromium on the path: apt-get install chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
# As learners have it, but that nothing is saved.
SETTINGS = json.loads((ROOT / "binder/overrides.json").read_text(encoding="utf-8"))
SETTINGS["@jupyterlab/docmanager-extension:plugin"]["autosave"] = False

# `watch(cell)` notes, at each frame, how high the cell is and whether its picture is there.
WATCH = """
window.watch = cell => {
  const seen = window.seen = {frames: 0, blank: 0, heights: []};
  const painted = path => path.getBoundingClientRect().width + path.getBoundingClientRect().height > 20;
  const look = () => {
    if (seen !== window.seen) return;
    const height = Math.round(cell.getBoundingClientRect().height);
    seen.frames += 1;
    seen.blank += ![...cell.querySelectorAll('[role=img] svg path')].some(painted);
    if (!seen.heights.includes(height)) seen.heights.push(height);
    requestAnimationFrame(look);
  };
  look();
};
"""
# End all kernels, close all tabs without a question, and show the left sidebar.
CLEAR = """async () => {
  const {shell, serviceManager} = jupyterapp;
  for (const one of [...shell.widgets('main')]) {
    if (one.context) one.context.model.dirty = false;
    await one.sessionContext?.shutdown();
    one.dispose();
  }
  await serviceManager.sessions.shutdownAll();
  shell.expandLeft();
}"""


def chromium():
    """The system's Chromium, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def server(home):
    """A JupyterLab over `home`/notebooks, which writes nothing outside `home`; yields the address of the Lab page."""
    config = home / "config"
    (config / "labconfig").mkdir(parents=True)
    (config / "labconfig/default_setting_overrides.json").write_text(json.dumps(SETTINGS))
    places = {"CONFIG": config, "DATA": home / "data", "RUNTIME": home / "runtime"}
    env = dict(os.environ, IPYTHONDIR=str(home / "ipython"), MARGINLAB_RECORD=str(home / "record.json"))
    env |= {f"JUPYTER_{name}_DIR": str(place) for name, place in places.items()}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "jupyterlab"]
    with started(command, home / "notebooks", env, home / "server.log") as (address, token):
        yield f"{address}/lab?token={token}&reset"


@contextlib.contextmanager
def started(command, root, env, log):
    """What `command` starts, a JupyterLab over the folder `root`; yields its address and its token."""
    token = secrets.token_hex(16)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    options = ["--no-browser", "--expose-app-in-browser", "--ServerApp.port_retries=0"]
    options += [f"--ServerApp.port={address.rsplit(':')[-1]}", f"--ServerApp.root_dir={root}"]
    options += [f"--IdentityProvider.token={token}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")

    def api(path, method="GET"):
        ask = urllib.request.Request(f"{address}/api{path}", None, {"Authorization": f"token {token}"}, method=method)
        with urllib.request.urlopen(ask, timeout=10) as answer:
            return answer.read()

    with log.open("w") as out:
        child = subprocess.Popen([*command, *options], env=env, stdout=out, stderr=out)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                api("/status")
                break
            if child.poll() is not None:
                break
            time.sleep(0.1)
        else:
            raise TimeoutError("JupyterLab did not answer within a minute")
        if child.poll() is not None:
            raise RuntimeError(f"JupyterLab ended:\n{log.read_text()[-3000:]}")
        yield address, token
    finally:
        with contextlib.suppress(OSError):
            api("/shutdown", "POST")  # ends the kernels as well, on every system
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def enter(browser, address, height=1100):
    """JupyterLab in a new page, whose `errors` collects what its console says."""
    page = browser.new_page(viewport={"width": 1280, "height": height})
    page.set_default_timeout(20_000)
    page.errors = []
    page.on("console", lambda said: said.type == "error" and page.errors.append(f"{said.text} {said.location['url']}"))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.add_init_script(WATCH)
    page.goto(address)
    page.wait_for_function("window.jupyterapp && jupyterapp.restored.then(() => true)")
    return page


def clear(page):
    """Close all that is open, end its kernels, and make the page as it was."""
    page.evaluate(CLEAR)
    page.set_viewport_size({"width": 1280, "height": 1100})
    page.errors.clear()


class Notebook:
    """A notebook open in a page of JupyterLab; cells are found by their ids in the file."""

    def __init__(self, page, path, name=None):
        self.page, self.path, name = page, path, name or path.name  # `name` is its path below the server's root
        self.cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        self.command("docmanager:open", path=name)
        page.wait_for_function("name => jupyterapp.shell.currentWidget?.context?.path === name", arg=name)
        self.current("await widget.context.ready; await widget.revealed")

    def command(self, name, **args):
        """Run one of JupyterLab's commands, to its end."""
        run = "([name, args]) => jupyterapp.commands.execute(name, args).then(() => null)"
        return self.page.evaluate(run, [name, args])

    def current(self, code, about=None):
        """Run JavaScript about the notebook in front, `widget`."""
        self.page.evaluate(f"async about => {{ const widget = jupyterapp.shell.currentWidget; {code} }}", about)

    def tagged(self, tag):
        """The ids of the cells that carry a tag."""
        return [cell["id"] for cell in self.cells if tag in cell["metadata"].get("tags", ())]

    def source(self, id):
        return "".join(next(cell["source"] for cell in self.cells if cell["id"] == id))

    def cell(self, id):
        """The cell as a locator."""
        place = [cell["id"] for cell in self.cells].index(id)
        return self.page.locator(".jp-Notebook:visible").locator(".jp-Cell").nth(place)

    def run_all(self):
        """Run every cell and wait until the widgets are there."""
        session = "widget.sessionContext"
        self.current(f"await {session}.ready; await {session}.session.kernel.info")
        self.command("notebook:run-all-cells")
        self.drawn()

    def activate(self, id):
        """Make a cell the active one."""
        place = [cell["id"] for cell in self.cells].index(id)
        self.current("widget.content.deselectAll(); widget.content.activeCellIndex = about", place)

    def run(self, id):
        """Run one cell again."""
        self.activate(id)
        self.command("notebook:run-cell")
        self.drawn()

    def drawn(self):
        self.page.wait_for_function("!/Loading widget/.test(document.querySelector('.jp-Notebook').textContent)")

    def watch(self, id):
        """Begin to note blank frames and heights of a cell; `watched` returns them."""
        self.cell(id).evaluate("cell => watch(cell)")

    def watched(self):
        return self.page.evaluate("[seen, window.seen = null][0]")  # and look no more

    def troubles(self):
        """What a reader would see as an error, as text."""
        return self.page.locator(
            "[data-mime-type='application/vnd.jupyter.error'], [data-mime-type='application/vnd.jupyter.stderr'], "
            ".jp-OutputArea [role=alert], .jp-OutputArea-output:has-text('Error displaying widget'), "
            ".jp-OutputArea-output:has-text('Click to show javascript error')"
        ).all_inner_texts()
