"""The set-up: locks, run.py, Binder, CI, and what no file may contain."""

import importlib.util
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = ("binder/requirements.txt", "tests/requirements.txt")
ALL_LOCKS = (*LOCKS, "notebooks/book/requirements.txt")  # the last is no part of what the tests run in

_spec = importlib.util.spec_from_file_location("run", ROOT / "run.py")
run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(run)


def pins(lock):
    """Return {package: (version, marker or None, number of hashes)} of one lock."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line and not line.lstrip().startswith("#"):
            words, *hashes = re.split(r"\s+--hash=sha256:(?=[0-9a-f]{64}\b)", line.strip())
            pin, _, marker = words.partition(" ; ")
            name, version = pin.split("==")  # anything but NAME==VERSION is an error
            assert name not in found, f"{lock} pins {name} twice"
            found[name] = version, marker or None, len(hashes)
    return found


def wanted(*extras):
    """Return the requirements of the package with these extras."""
    lists = [PROJECT["optional-dependencies"][extra] for extra in extras]
    return [Requirement(line) for line in sum(lists, PROJECT["dependencies"])]


def project_files():
    """Return the files that are, or could be, committed."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    return [path for path in map(ROOT.joinpath, listed.decode().split("\0")) if path.is_file()]


# --- the locks


@pytest.mark.parametrize(
    "locks, extras",
    [(LOCKS[:1], ["lab"]), (LOCKS, ["lab", "test", "course"]), (ALL_LOCKS, ["lab", "test", "course", "book"])],
)
def test_locks_hold_what_pyproject_asks_for(locks, extras):
    known = {name: pin for lock in locks for name, pin in pins(lock).items()}
    for requirement in wanted(*extras):
        name = canonicalize_name(requirement.name)
        assert name in known, f"{requirement} is in no lock: run .ci/lock"
        version, marker, _ = known[name]
        assert requirement.specifier.contains(version), f"{requirement}, but {version} is locked"
        assert marker is None, f"{name} would be left out unless {marker}"


def test_the_locks_share_no_package():
    names = [name for lock in ALL_LOCKS for name in pins(lock)]
    assert len(names) == len(set(names))


def test_learners_do_not_install_test_tools():
    lab = {requirement.name for requirement in wanted("lab")}
    tools = {requirement.name for requirement in wanted("test", "course")} - lab
    # pillow draws matplotlib's pictures, so learners have it as well.
    assert tools & pins(LOCKS[0]).keys() == {"pillow"}


@pytest.mark.parametrize("lock", ALL_LOCKS)
def test_locks_are_hashed_and_name_no_place(lock):
    without = [name for name, (_, _, hashes) in pins(lock).items() if hashes == 0]
    assert not without, f"no hash for {without}"
    for line in (ROOT / lock).read_text().splitlines():
        assert not re.search(r"://|@ |^\s*-(?!-hash)|file:", line), f"{lock}: {line}"


@pytest.mark.parametrize("lock", ALL_LOCKS)
def test_locks_were_made_by_the_documented_command(lock):
    assert (ROOT / lock).read_text().splitlines()[1] == "#    .ci/lock"


def test_locked_versions_are_what_runs_here():
    from importlib.metadata import version

    for lock in LOCKS:
        for name, (pinned, marker, _) in pins(lock).items():
            if marker is None or Marker(marker).evaluate():
                assert version(name) == pinned, f"{name}: start the tests with run.py"


# --- run.py


def test_too_old_is_one_line_with_both_versions():
    message = run.too_old((3, 10, 13))
    assert "3.11" in message and "3.10" in message and "\n" not in message
    assert run.too_old((2, 7, 18)) is not None
    assert run.too_old((3, 11, 0)) is None
    assert run.too_old((4, 0, 0)) is None


def test_run_py_and_pyproject_want_the_same_python():
    assert PROJECT["requires-python"] == ">={}.{}".format(*run.OLDEST)


def test_run_py_parses_on_an_old_python():
    import ast

    ast.parse((ROOT / "run.py").read_text(), feature_version=(3, 6))


def old_pythons():
    """Return the interpreters on this machine that are too old, if any."""
    found = [shutil.which(f"python3.{minor}") for minor in range(6, 11)]
    versions = Path.home() / ".pyenv" / "versions"
    found += map(str, [*versions.glob("3.[6-9].*/bin/python"), *versions.glob("3.10.*/bin/python")])
    # Some are shims that lead nowhere.
    return [path for path in found if path and not subprocess.call([path, "-c", ""], stderr=subprocess.DEVNULL)]


def test_an_old_python_says_so_in_one_line():
    pythons = old_pythons()
    if not pythons:
        pytest.skip("no Python older than 3.11 on this machine")
    for python in pythons:
        answer = subprocess.run([python, str(ROOT / "run.py")], capture_output=True, text=True, timeout=60)
        assert answer.returncode == 1
        assert answer.stderr.startswith("marginlab needs Python 3.11")
        assert len(answer.stderr.splitlines()) == 1


def test_help_installs_nothing(monkeypatch, capsys):
    monkeypatch.setattr(run, "set_up", lambda *locks: pytest.fail("--help set something up"))
    assert not run.main(["--help"])
    assert "python3 run.py test" in capsys.readouterr().out


@pytest.mark.parametrize(
    "have, want, what",
    [
        ([], ["lab"], "new"),
        ([], ["lab", "test"], "new"),
        (["lab"], ["lab"], "keep"),
        (["lab", "test"], ["lab"], "keep"),
        (["lab", "test"], ["lab", "test"], "keep"),
        (["lab"], ["lab", "test"], "add"),
        (["old"], ["lab"], "new"),
        (["old", "test"], ["lab", "test"], "new"),
        (["lab", "old"], ["lab", "test"], "new"),
        (["lab", "old"], ["lab"], "keep"),
    ],
)
def test_plan(have, want, what):
    assert run.plan(have, want) == what


def test_fingerprint_changes_with_lock_python_and_folder(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        (folder / "lock.txt").write_text("numpy==2.4.6\n")
    first = run.fingerprint("lock.txt", one, "3.13")
    assert run.fingerprint("lock.txt", one, "3.13") == first
    assert run.fingerprint("lock.txt", one, "3.12") != first
    assert run.fingerprint("lock.txt", two, "3.13") != first
    (one / "lock.txt").write_text("numpy==2.4.7\n")
    assert run.fingerprint("lock.txt", one, "3.13") != first


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """Let run.py set up an empty project in `tmp_path`; commands are noted, not run."""
    for name in (run.LAB, run.TEST, "binder/overrides.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(run, "PYTHON", tmp_path / ".venv" / "python")
    monkeypatch.setattr(run, "STAMP", tmp_path / ".venv" / "set-up.txt")
    monkeypatch.setattr(run, "fingerprint", lambda lock: (tmp_path / lock).read_text().split()[-1])
    site = Path(run.sysconfig.get_path("purelib", "venv", {"base": str(run.VENV)}))

    def note(*command):
        assert not run.STAMP.exists(), "a stamp while work goes on would be believed"
        commands.append(command)
        if "venv" in command:
            site.mkdir(parents=True, exist_ok=True)
            run.PYTHON.touch()

    commands = []
    monkeypatch.setattr(run, "must", note)
    return commands


def test_set_up_does_each_thing_once(pretend):
    run.set_up(run.LAB)
    assert ["venv" in pretend[0], "install" in pretend[1], len(pretend)] == [True, True, 2]
    assert "--require-hashes" in pretend[1]
    run.set_up(run.LAB)
    assert len(pretend) == 2
    run.set_up(run.LAB, run.TEST)
    assert len(pretend) == 3 and str(run.ROOT / run.TEST) in pretend[2][-1]
    run.set_up(run.LAB)
    run.set_up(run.LAB, run.TEST)
    assert len(pretend) == 3


def test_set_up_starts_afresh_after_an_interruption(pretend):
    run.set_up(run.LAB)

    def interrupt(*command):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "must", interrupt)
        run.set_up(run.LAB, run.TEST)
    assert len(pretend) == 2
    run.set_up(run.LAB)
    assert len(pretend) == 4 and "--clear" in pretend[2]


def test_set_up_starts_afresh_when_a_lock_changes(pretend):
    run.set_up(run.LAB)
    (run.ROOT / run.LAB).write_text("numpy==9 --hash=sha256:0")
    run.set_up(run.LAB)
    assert len(pretend) == 4 and "--clear" in pretend[2]


def test_set_up_starts_afresh_when_its_python_is_gone(pretend):
    run.set_up(run.LAB)
    run.PYTHON.unlink()
    run.set_up(run.LAB)
    assert len(pretend) == 4 and "--clear" in pretend[2]


def test_set_up_makes_the_package_importable_and_quiets_the_news(pretend):
    run.set_up(run.LAB)
    (line,) = [path.read_text() for path in run.VENV.rglob("marginlab.pth")]
    (folder,) = [path.parent for path in run.VENV.rglob("marginlab.pth")]
    assert (folder / line.strip()).resolve() == run.ROOT.resolve()
    settings = json.loads((run.VENV / "share/jupyter/lab/settings/overrides.json").read_text())
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


def test_a_python_without_ensurepip_uses_the_pip_outside(pretend, monkeypatch):
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: name != "ensurepip" or None)
    run.set_up(run.LAB)
    assert "--without-pip" in pretend[0]
    assert pretend[1][:4] == (sys.executable, "-m", "pip", "--python")


def test_a_python_without_any_pip_says_what_to_install(pretend, monkeypatch):
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="python3-venv"):
        run.set_up(run.LAB)
    assert pretend == []


def test_which_tests_are_run(monkeypatch):
    monkeypatch.setattr(run, "set_up_alone", lambda *locks: None)
    monkeypatch.setattr(run, "run", lambda *words, **env: words)
    everything = run.test([])
    assert "tests" in everything
    assert sorted(word for word in everything if word.endswith(".ipynb")) == sorted(
        str(path) for folder in ("notebooks", "notebooks/extra") for path in (ROOT / folder).glob("*.ipynb")
    )
    assert run.test(["-k", "margin"])[-1:] == everything[-1:]
    stages = [run.test(args) for args in ([], ["-m", "nbgrader"], ["-m", "book"])]  # the last -m counts
    marks = ["not nbgrader and not book", "nbgrader", "book"]
    assert [words[len(words) - words[::-1].index("-m")] for words in stages] == marks
    assert run.test(["tests/setup::test_plan", "-x"])[-2:] == ("tests/setup::test_plan", "-x")
    assert "tests" not in run.test(["tests/setup"])


def test_the_record_of_a_learner_is_left_alone():
    assert "MARGINLAB_RECORD" in os.environ, "start the tests with run.py"
    assert not Path(os.environ["MARGINLAB_RECORD"]).is_relative_to(ROOT)


# --- Binder, CI and the package


def test_binder_takes_a_python_that_we_support():
    name, _, version = (ROOT / "binder/runtime.txt").read_text().strip().partition("-")
    assert name == "python"
    assert tuple(map(int, version.split("."))) >= run.OLDEST


@pytest.mark.parametrize("script", ["binder/postBuild", ".ci/run", ".ci/lock"])
def test_scripts_can_be_executed(script):
    assert (ROOT / script).read_bytes().startswith(b"#!/usr/bin/env bash\n")
    project_files()  # skips outside git
    command = ["git", "ls-files", "--stage", script]
    staged = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    # Not yet added: what the disk says is what `git add` will take.
    executable = staged.startswith("100755") if staged else os.access(ROOT / script, os.X_OK)
    assert executable


def test_ci_runs_the_documented_command():
    stages = ["run.py test\n", "run.py test -m nbgrader\n", "run.py test -m book\n"]
    assert all(stage in (ROOT / ".ci/run").read_text() for stage in stages)
    jobs = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]
    locked = jobs["locked"]
    runs = [step["run"] for step in locked["steps"] if "run" in step]
    assert runs and all("run.py test" in text for text in runs)
    assert "continue-on-error" not in json.dumps(jobs)
    pages = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text())["jobs"]["site"]["steps"]
    assert any("run.py book" in step.get("run", "") for step in pages)
    assert {"path": "build/book"} in [step.get("with") for step in pages]  # where notebooks/book/make.py writes
    oldest = "{}.{}".format(*run.OLDEST)
    assert locked["strategy"]["matrix"]["python"][0] == oldest


def test_one_place_says_where_the_course_lives(tmp_path):
    """`.ci/links` writes pyproject's address wherever a link has one, and has been run."""
    links = runpy.run_path(str(ROOT / ".ci/links"))["main"]
    names = ["pyproject.toml", "README.md", "CITATION.cff", "notebooks/instructor_guide.md"]
    (tmp_path / "notebooks").mkdir()
    for name in names:
        shutil.copy(ROOT / name, tmp_path / name)
    assert links(tmp_path) == []
    known = PROJECT["urls"]["Repository"]
    project = (tmp_path / names[0]).read_text().replace(known, "https://github.com/ann/margins/tree/autumn")
    (tmp_path / names[0]).write_text(project)
    assert links(tmp_path) == ["README.md", "CITATION.cff", "instructor_guide.md"]
    owner, repo = known.split("/")[3:5]
    texts = [(tmp_path / name).read_text(encoding="utf-8") for name in names]
    assert not [text for text in texts if f"{owner}/{repo}" in text or f"{owner}.github.io" in text]
    assert "mybinder.org/v2/gh/ann/margins/autumn?" in texts[1] and "https://ann.github.io/margins/" in texts[2]


def test_one_version_and_one_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"] == "BSD-3-Clause"
    licence = (ROOT / "LICENSE").read_text()
    assert "BSD 3-Clause License" in licence and "CC BY 4.0" in licence


def test_importing_the_package_stays_light():
    heavy = ["matplotlib", "pandas", "ipywidgets", "IPython"]
    code = f"import sys, marginlab; print([m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_no_file_names_a_machine_or_a_registry():
    folders = "|".join(["root", "home", "tmp", "Users", "work", "opt"])
    hosts = "|".join(["pypi", "pythonhosted", "npmjs", "debian"])
    # Every hub of that kind has these two.
    path = re.compile(rf"(?<![\w.:/~-])/(?:{folders})/(?!jovyan\b|tljh\b)\w|\b[A-Z]:\\\\?Users\b")
    host = re.compile(rf"\b(?:{hosts})\.(?:org|com|net)\b")
    # A picture's base64 holds every short word sooner or later.
    picture = re.compile(r"[A-Za-z0-9+/=]{200,}")
    bad = []
    for file in project_files():
        try:
            text = picture.sub("", file.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue  # a picture
        for pattern in (path, host):
            bad += [f"{file.relative_to(ROOT)}: {found[0]}" for found in pattern.finditer(text)]
    assert not bad


def test_that_search_finds_what_it_looks_for(tmp_path, monkeypatch):
    for text in ("see /" + "root/x", '"/' + "tmp/y", "https://py" + "pi.org/simple"):
        (tmp_path / "a.txt").write_text(text)
        monkeypatch.setitem(globals(), "project_files", lambda: [tmp_path / "a.txt"])
        monkeypatch.setitem(globals(), "ROOT", tmp_path)
        with pytest.raises(AssertionError):
            test_no_file_names_a_machine_or_a_registry()


def test_root_may_open_the_course(monkeypatch):
    # in most containers root is the only user, and JupyterLab refuses root unless it is told
    for user, words in ((0, ["--allow-root"]), (1000, [])):
        monkeypatch.setattr(run.os, "geteuid", lambda user=user: user, raising=False)
        assert run.for_root() == words
    monkeypatch.delattr(run.os, "geteuid", raising=False)  # Windows has no root
    assert run.for_root() == []
