"""Open the course, or test it.

    python3 run.py                     set up on first use, then open JupyterLab on your copy, my_course
    python3 run.py --no-browser        options go to JupyterLab
    python3 run.py handout FOLDER      the course for a class: lessons, glossary, problem sets
    python3 run.py book                the course as a site and a PDF, in build/
    python3 run.py figures FOLDER      every figure of the lessons, for slides
    python3 run.py test                lint, spelling, unit, browser and notebook tests
    python3 run.py test -m nbgrader    the assignments, graded by nbgrader
    python3 run.py test -m book        the site and the PDF
    python3 run.py test tests/core     options and paths go to pytest

Everything is installed into `.venv` beside this file; delete that folder to undo it.
"""

# This file must parse on Python 3.6, to be able to say that 3.6 is too old.
import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "set-up.txt"
COPY = "my_course"  # the learner's: lessons without outputs, and the record
LAB, TEST = "binder/requirements.txt", "tests/requirements.txt"
NOTEBOOKS = "notebooks/0*.ipynb", "notebooks/extra/*.ipynb"
BOOK = "notebooks/book/requirements.txt"  # lists what LAB and TEST lack


def too_old(version):
    """Return one line for the owner of a Python that is too old, else None."""
    if tuple(version[:2]) >= OLDEST:
        return None
    need, this = (".".join(map(str, v[:2])) for v in (OLDEST, version))
    return f"marginlab needs Python {need} or newer; this is {this}. Try: python3.13 run.py"


def fingerprint(lock, root=ROOT, python=sys.version):
    """Identify an installed lock: its content, the Python, and the folder (it cannot move)."""
    parts = [(Path(root) / lock).read_bytes(), str(root).encode(), python.encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def plan(have, want):
    """Compare fingerprints of what was completed with what is needed: "keep", "add" or "new"."""
    if have[: len(want)] == want:
        return "keep"
    return "add" if have and have == want[: len(have)] else "new"


@contextlib.contextmanager
def step(message):
    """Say what is happening, then how long it took."""
    print(message, end=" ... ", flush=True)
    start = time.monotonic()
    yield
    print(f"{time.monotonic() - start:.0f} s", flush=True)


def must(*command):
    """Run a command without which there is no going on."""
    if subprocess.call(command, env=dict(os.environ, PIP_USER="0")):
        sys.exit("Set-up failed; the reason is above. Running it again starts afresh.")


def set_up(*locks):
    """Bring `.venv` to these locks, unless its stamp says that it is there."""
    want = [fingerprint(lock) for lock in locks]
    what = plan(STAMP.read_text().split() if STAMP.exists() and PYTHON.exists() else [], want)
    if what == "keep":
        return
    # No stamp while we work: an interrupted set-up is made anew, not believed.
    if STAMP.exists():
        STAMP.unlink()
    # Debian splits ensurepip off; there, a pip from outside can serve `.venv` as well.
    pip, bare = [PYTHON, "-m", "pip"], []
    if not importlib.util.find_spec("ensurepip"):
        pip, bare = [sys.executable, "-m", "pip", "--python", VENV], ["--without-pip"]
        if not importlib.util.find_spec("pip"):
            sys.exit("This Python has no pip. On Debian and Ubuntu: sudo apt install python3-venv")
    if what == "new":
        with step("Making a Python environment in .venv"):
            must(sys.executable, "-m", "venv", "--clear", *bare, str(VENV))
    with step(f"Installing {' and '.join(locks)} (a minute or two)"):
        files = [f"--requirement={ROOT / lock}" for lock in locks]
        options = ["-qq", "--no-input", "--disable-pip-version-check", "--require-hashes"]
        must(*map(str, pip), "install", *options, *files)
    # This line is the whole of an editable install; pip would fetch a build backend for it.
    site = sysconfig.get_path("purelib", "venv", {"base": str(VENV)})
    Path(site, "marginlab.pth").write_text(os.path.relpath(str(ROOT), site) + "\n")
    # Without JupyterLab's question about news, which would cover the first lesson.
    settings = VENV / "share/jupyter/lab/settings"
    settings.mkdir(parents=True, exist_ok=True)
    shutil.copy(str(ROOT / "binder/overrides.json"), str(settings))
    STAMP.write_text("\n".join(want))


def set_up_alone(*locks):
    """Set up while others wait; sqlite's file lock works everywhere and dies with its holder."""
    lock = sqlite3.connect(str(ROOT / ".venv.lock"), timeout=900)
    lock.execute("BEGIN EXCLUSIVE")
    set_up(*locks)
    lock.close()


def run(*words, **env):
    """Run a module in `.venv` to its end, and return its exit code."""
    command, env = [str(PYTHON), "-m", *words], dict(os.environ, **env)
    child = subprocess.Popen(command, cwd=str(ROOT), env=env)
    # Ctrl-C reaches the child as well: let it tidy up, and wait.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    return child.wait()


def for_root():
    """Return what JupyterLab wants to hear before it starts for root, the only user of many a container."""
    return ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []


def lab(args):
    """Open JupyterLab on the first notebook of the learner's copy, which is made or brought up to date."""
    set_up_alone(LAB)
    if run("marginlab.lesson.handout", COPY):
        return 1
    start = f"--LabApp.default_url=/lab/tree/{COPY}/00_start_here.ipynb"
    return run("jupyterlab", f"--ServerApp.root_dir={ROOT}", start, *for_root(), *args)


def handout(args):
    """Write the course into a folder for a class: without solutions, unless --solutions is said."""
    set_up_alone(LAB)
    folders = [str(Path(arg).absolute()) for arg in args if arg != "--solutions"]
    return run("marginlab.lesson.handout", *folders, *([] if "--solutions" in args else ["--bare"]))


def book(args):
    """Make the site and the PDF."""
    set_up_alone(LAB, TEST, BOOK)
    return run("notebooks.book.make", *args)


def figures(args):
    """Write every figure of the lessons into a folder."""
    if len(args) != 1:
        return __doc__
    set_up_alone(LAB)
    return run("notebooks.book.figures", str(Path(args[0]).absolute()))


def test(args):
    """Run every test, or those whose paths are given; pytest's summary comes last."""
    set_up_alone(LAB, TEST, *([BOOK] if "book" in args else []))
    if not any((ROOT / arg.split("::")[0]).exists() for arg in args):
        # A file at a time for each core; those that take longest come first in the alphabet.
        spread = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder"]
        notebooks = [str(path) for kind in NOTEBOOKS for path in sorted(ROOT.glob(kind))]
        args = [*spread, "-m", "not nbgrader and not book", *args, "tests", *notebooks]
    with tempfile.TemporaryDirectory() as scratch:
        # Neither the learner's own record nor their IPython settings take part.
        env = {"MARGINLAB_RECORD": os.path.join(scratch, "record"), "IPYTHONDIR": scratch}
        return run("pytest", "--nbval", "--nbval-current-env", *args, **env)


def main(args):
    """Do what the first word says; return an exit code, or what went wrong."""
    if too_old(sys.version_info) or args[:1] in (["-h"], ["--help"]):
        return too_old(sys.version_info) or print(__doc__)
    try:
        known = {"test": test, "handout": handout, "book": book, "figures": figures}
        return known[args[0]](args[1:]) if args[:1] and args[0] in known else lab(args)
    except KeyboardInterrupt:
        return "\nInterrupted; running it again starts afresh."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
