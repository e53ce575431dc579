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


@pytest.fixture(scope="session")
def entered(browser, address):
    """The one page of the session: to load JupyterLab takes three seconds."""
    page = lab.enter(browser, address)
    yield page
    page.close()


@pytest.fixture
def page(entered):
    """The page with nothing open; tests of lessons come before or after, not between."""
    lab.clear(entered)
    return entered


@pytest.fixture(scope="session")
def lesson(request, entered, home):
    """A lesson after Run All in a fresh kernel; its tests, of both files, share it and come one after another."""
    lab.clear(entered)
    notebook = lab.Notebook(entered, home / "notebooks" / request.param)
    notebook.run_all()
    return notebook
