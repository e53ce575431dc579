"""Every test has a record of its own."""

import pytest


@pytest.fixture(autouse=True)
def record_file(tmp_path, monkeypatch):
    """Where this test's learner keeps the answers; the file does not exist yet."""
    folder = tmp_path / "learner"
    folder.mkdir()
    monkeypatch.setenv("MARGINLAB_RECORD", str(folder / "answers.json"))
    return folder / "answers.json"
