"""Binder: what repo2docker would build, the course opened in such an environment, and the links that lead there."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.browser import lab

ROOT = Path(__file__).resolve().parents[2]
START = "notebooks/00_start_here.ipynb"
RECORD = "notebooks/my_answers.json"
HOME_PAGES = {"https://mybinder.org", "https://mybinder.org/badge_logo.svg"}
LINK = re.compile(r"https://mybinder\.org/v2/gh/[\w.-]+/[\w.-]+/[\w.-]+\?urlpath=lab/tree/(notebooks/[\w./-]+)")
# Where the kernel runs, and what it imports: [Python's folder, the package's file].
KERNEL = """async () => {
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const ask = {python: "__import__('sys').prefix", package: "__import__('marginlab').__file__"};
  const told = (await kernel.requestExecute({code: "", user_expressions: ask}).done).content.user_expressions;
  return Object.values(told).map(value => value.data["text/plain"].slice(1, -1));
}"""


def committed(folder):
    """Copy the files that git knows into a new folder, and return it."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # else removed, and not yet committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def wanted_python(folder=ROOT):
    """Return the Python that Binder is asked for, such as "3.13"."""
    return (folder / "binder/runtime.txt").read_text().strip().removeprefix("python-")


# --- what repo2docker would build


def dockerfile(folder):
    """Return the instructions that repo2docker would follow for a folder, and what it says meanwhile."""
    if sys.platform == "win32":
        pytest.skip("repo2docker does not run on Windows")
    user = ["--user-id=1000", "--user-name=jovyan"]
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", *user, str(folder)]
    told = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stderr
    lines = map(str.strip, told.stdout.splitlines())
    return [line for line in lines if line and not line.startswith("#")], told.stderr


def test_our_files_add_these_steps_and_no_other(tmp_path):
    """Beside a repository that names a Python only: a second file that Binder obeys would show here."""
    ours, bare = committed(tmp_path / "ours/repo"), tmp_path / "bare/repo"
    (bare / "binder").mkdir(parents=True)
    shutil.copy(ours / "binder/runtime.txt", bare / "binder")
    (steps, log), (known, _) = dockerfile(ours), dockerfile(bare)
    assert f"environment for python={wanted_python(ours)}\n" in log
    assert [step for step in steps if step not in known] == [
        "COPY --chown=1000:1000 src/binder/requirements.txt ${REPO_DIR}/binder/requirements.txt",
        'RUN ${KERNEL_PYTHON_PREFIX}/bin/pip install --no-cache-dir -r "binder/requirements.txt"',
        "RUN chmod +x binder/postBuild",
        "RUN ./binder/postBuild",
    ]
    assert [step for step in known if step not in steps] == []


# --- the course in an environment that is made as Binder makes it


def pins():
    """Return the names of the packages in Binder's lock."""
    lock = (ROOT / "binder/requirements.txt").read_text()
    return re.findall(r"^([a-z0-9][a-z0-9.-]*)==", lock, re.MULTILINE)


def here(name):
    """Return the distribution of a locked package in this environment; None if it is for other systems."""
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def linked(env):
    """Put what run.py installed of Binder's lock, and nothing else, into a new environment.

    It was fetched by its hashes when this environment was made; pip would do the same again, for a minute.
    """
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(env)}))
    for file in (file for dist in map(here, pins()) if dist for file in dist.files):
        if file.parts[0] == "..":  # data, which a server does not follow out of its folder; scripts name their Python
            target = Path(os.path.normpath(site / file))
            if target.relative_to(env).parts[0] != "bin":
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), target)
        elif not (site / file.parts[0]).exists() and file.parts[0] != "__pycache__":
            (site / file.parts[0]).symlink_to(Path(file.locate()).parents[len(file.parts) - 1] / file.parts[0])


def clean(**more):
    """Return the environment variables without those that would lead to this checkout or to the user's settings."""
    ours = ("PYTHON", "VIRTUAL_ENV", "JUPYTER", "IPYTHON", "MARGINLAB")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | more


def must(*command, **options):
    """Run a step of the build."""
    told = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert told.returncode == 0, f"{command}:\n{told.stdout[-1000:]}\n{told.stderr[-3000:]}"


@pytest.fixture(scope="module")
def built(browser, tmp_path_factory):
    """The environment's folder and the copy of the repository, after Binder's steps."""
    if sys.platform != "linux":
        pytest.skip("postBuild is written for Linux, as Binder is")
    home = tmp_path_factory.mktemp("binder").resolve()
    env, copy = home / "env", committed(home / "repo")
    try:
        must(sys.executable, "-m", "venv", "--without-pip", env, env=clean())
        linked(env)
        must("./binder/postBuild", cwd=copy, env=clean(NB_PYTHON_PREFIX=str(env)))
        yield env, copy
    finally:
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def page(browser, built):
    """The page that a Binder link opens; on Binder, the copy of the repository is the user's home."""
    env, copy = built
    variables = clean(HOME=str(copy), PATH=f"{env / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with lab.started([env / "bin/python", "-m", "jupyterlab"], copy, variables, copy.parent / "server.log") as (
        address,
        token,
    ):
        page = lab.enter(browser, f"{address}/lab/tree/{START}?token={token}")
        yield page
        page.close()


def test_the_lock_is_whole():
    """Whatever a locked package needs here is in the lock too, in a version that it takes."""
    for dist in filter(None, map(here, pins())):
        for need in map(Requirement, dist.requires or ()):
            if need.marker and not need.marker.evaluate({"extra": ""}):
                continue
            name = canonicalize_name(need.name)
            assert name in pins(), f"{dist.name} needs {need}, which is not in Binder's lock"
            assert need.specifier.contains(metadata.version(name), prereleases=True), f"{dist.name} needs {need}"


@pytest.mark.browser
def test_the_python_is_the_one_of_runtime_txt(built):
    env, copy = built
    used = re.search(r"^version = (\d+\.\d+)", (env / "pyvenv.cfg").read_text(), re.MULTILINE)[1]
    if used != wanted_python(copy):
        pytest.skip(f"no Python {wanted_python(copy)} on this machine: these tests of Binder ran with {used}")


@pytest.fixture(scope="module")
def start(page, built):
    """The start page, run from the top."""
    page.wait_for_function("name => jupyterapp.shell.currentWidget?.context?.path === name", arg=START)
    start = lab.Notebook(page, built[1] / START, START)
    start.run_all()
    return start


@pytest.mark.browser
def test_the_link_opens_the_start_page_and_it_runs(page, start, built):
    env, copy = built
    assert not start.troubles()
    start.cell("explorer").get_by_role("slider").press("Home")
    start.cell("explorer").locator("p", has_text="it has been closed by force").wait_for()
    assert page.evaluate(KERNEL) == [str(env), str(copy / "marginlab/__init__.py")]


@pytest.mark.browser
def test_the_record_lies_beside_the_notebooks_and_can_be_taken_home(page, start, built):
    """On Binder both files are gone in the evening."""
    _, copy = built
    cell = start.cell("prediction")
    cell.get_by_role("button", name="it falls").click()
    cell.get_by_role("textbox").last.fill("12.5")
    cell.get_by_role("button", name="a guess").click()
    cell.get_by_role("button", name="Commit").click()
    cell.get_by_text("Recorded: it falls, 12.5").wait_for()
    assert list(copy.parent.rglob("my_answers.json")) == [copy / RECORD]
    cell = start.cell("hand-in")
    cell.get_by_role("textbox").last.fill("Ann")
    cell.get_by_role("button", name="Make my page").click()
    for name in ("my_summary.html", "my_answers.json"):
        with page.expect_download() as fetched:
            cell.get_by_role("link", name=name).click()
        assert fetched.value.suggested_filename == name
        assert Path(fetched.value.path()).read_bytes() == (copy / "notebooks" / name).read_bytes()
    assert "it falls, 12.5, a guess" in (copy / "notebooks/my_summary.html").read_text(encoding="utf-8")


@pytest.mark.browser
def test_no_pop_up_covers_the_lesson(page):
    page.wait_for_timeout(1000)
    assert page.locator(".Toastify__toast").all_inner_texts() == []
    assert page.locator("dialog:visible, .jp-Dialog:visible").all_inner_texts() == []
    assert not page.errors


# --- the links


def addresses(file):
    """Return the addresses of Binder in a page or in the text cells of a notebook."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return re.findall(r"""https?://(?:[\w-]+\.)?mybinder\.org[^\s)>\]"'`]*""", text)


PAGES = sorted([ROOT / "README.md", *(ROOT / "notebooks").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")])


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_links_to_binder_lead_to_a_notebook(file):
    for address in set(addresses(file)) - HOME_PAGES:
        found = LINK.fullmatch(address)
        assert found, f"{address} is not https://mybinder.org/v2/gh/OWNER/REPO/TAG?urlpath=lab/tree/notebooks/..."
        assert (ROOT / found[1]).is_file(), f"{address}: there is no {found[1]}"


def test_the_readme_has_a_link_to_binder():
    assert any(map(LINK.fullmatch, addresses(ROOT / "README.md")))
