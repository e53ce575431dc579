"""One Chromium for the whole session, on one of the workers: two at once would starve each other on two cores."""

import os

import pytest
from playwright.sync_api import sync_playwright
from xdist.scheduler import LoadFileScheduling

from tests.browser import lab


class OneBrowser(LoadFileScheduling):
    """A file at a time for each worker; the files that drive Chromium count as one."""

    def _split_scope(self, nodeid):
        return "browser" if nodeid.startswith(("tests/binder/", "tests/browser/")) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Called by pytest-xdist, with `-n`; None leaves the choice to it."""
    return OneBrowser(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def browser():
    if not lab.chromium():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lab.HOW_TO)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=lab.chromium(), args=lab.FLAGS)
        yield browser
        browser.close()
