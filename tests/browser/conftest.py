"""One JupyterLab over a copy of the notebooks, for the whole session."""

import shutil

import pytest

from tests.browser import lab


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A folder with a copy of the notebooks, and the learner's record beside them."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(lab.ROOT / "notebooks", home / "notebooks", ignore=shutil.ignore_patterns(".*", "my_answers.json"))
    return home


@pytest.fixture(scope="session")
def address(browser, home):
    with lab.server(home) as address:
        yield address


@pytest.fixture
def page(browser, address):
    page = lab.enter(browser, address)
    yield page
    page.close()


@pytest.fixture(scope="session")
def lesson(request, browser, address, home):
    """A lesson after Run All in a fresh kernel; its tests, of both files, share it and come one after another."""
    page = lab.enter(browser, address)
    notebook = lab.Notebook(page, home / "notebooks" / request.param)
    notebook.run_all()
    yield notebook
    page.close()
