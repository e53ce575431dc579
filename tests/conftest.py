"""One Chromium for the whole session: Playwright cannot be started twice."""

import os

import pytest
from playwright.sync_api import sync_playwright

from tests.browser import lab


@pytest.fixture(scope="session")
def browser():
    if not lab.chromium():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lab.HOW_TO)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=lab.chromium(), args=lab.FLAGS)
        yield browser
        browser.close()
