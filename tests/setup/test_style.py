"""Lint, layout and spelling, of code and notebooks alike."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "command",
    [
        "ruff check --output-format=concise .",
        "ruff format --output-format=concise --check .",
        "codespell_lib .",
    ],
)
def test_style(command):
    words = [sys.executable, "-m", *command.split()]
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    if answer.returncode:
        said = answer.stdout + answer.stderr
        pytest.fail(f"{command}\n{said[:4000]}", pytrace=False)
