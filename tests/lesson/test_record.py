"""The learner's record: whole or not at all, never overwritten when damaged."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marginlab.lesson import record


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_answer_is_kept_beside_the_others(record_file):
    assert record.load() == {}
    record.save("01-a", {"right": True})
    record.save("01-b", {"right": False})
    record.save("01-a", {"right": False})
    assert record.load() == {"01-a": {"right": False}, "01-b": {"right": False}}
    assert files(record_file.parent) == ["answers.json"]


def test_the_file_is_plain_json_in_utf8(record_file):
    record.save("01-a", {"said": "größer: 50 000 ∞ ₿"})
    text = record_file.read_bytes().decode("utf-8")
    assert "größer: 50 000 ∞ ₿" in text  # readable for its owner, not \\u00f6
    assert json.loads(text) == record.load() == {"01-a": {"said": "größer: 50 000 ∞ ₿"}}


def test_without_the_variable_it_lies_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for unset in (
        lambda: monkeypatch.delenv("MARGINLAB_RECORD"),
        lambda: monkeypatch.setenv("MARGINLAB_RECORD", ""),
    ):
        unset()
        assert record.path() == Path("my_answers.json")
    record.save("01-a", 1)
    assert json.loads((tmp_path / "my_answers.json").read_text(encoding="utf-8")) == {"01-a": 1}


def test_the_variable_is_read_at_each_call(tmp_path, monkeypatch, record_file):
    record.save("01-a", 1)
    monkeypatch.setenv("MARGINLAB_RECORD", str(tmp_path / "other.json"))
    assert record.load() == {}
    record.save("01-b", 2)
    assert json.loads(record_file.read_text(encoding="utf-8")) == {"01-a": 1}


def fails(error):
    def fail(*args, **kwargs):
        raise error

    return fail


def full(handle):
    os.ftruncate(handle, 5)  # half of it is there
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "where, name, failure, error",
    [
        (os, "replace", fails(PermissionError("in use")), PermissionError),
        (os, "replace", fails(KeyboardInterrupt()), KeyboardInterrupt),
        (os, "fsync", full, OSError),
    ],
    ids=["file in use", "interrupted", "disk full"],
)
@pytest.mark.parametrize("before", [None, {"01-a": "kept"}], ids=["no record yet", "a record"])
def test_a_failed_write_leaves_the_old_file_and_no_litter(
    record_file, monkeypatch, where, name, failure, error, before
):
    if before:
        record.save("01-a", "kept")
    there, old = files(record_file.parent), record_file.read_bytes() if before else None
    with monkeypatch.context() as patch, pytest.raises(error):
        patch.setattr(where, name, failure)
        record.save("01-b", "lost")
    assert files(record_file.parent) == there
    assert old is None or record_file.read_bytes() == old
    record.save("01-b", "now")
    assert record.load() == (before or {}) | {"01-b": "now"}


def test_what_json_cannot_hold_is_refused_and_nothing_changes(record_file):
    record.save("01-a", 1)
    old = record_file.read_bytes()
    with pytest.raises(TypeError):
        record.save("01-b", object())
    assert record_file.read_bytes() == old and files(record_file.parent) == ["answers.json"]


def test_a_folder_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("MARGINLAB_RECORD", str(tmp_path / "nowhere" / "answers.json"))
    assert record.load() == {}
    with pytest.raises(OSError, match="nowhere"):
        record.save("01-a", 1)


DAMAGED = {
    "cut off": b'{"01-a": {"right": tr',
    "empty": b"",
    "not utf-8": b'{"01-a": "\xff\xfe"}',
    "two records": b"{}{}",
    "a list": b'["01-a"]',
    "null": b"null",
    "a text": b'"01-a"',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_named_and_never_overwritten(record_file, content):
    record_file.write_bytes(content)
    for action in (record.load, lambda: record.save("01-b", 1)):
        with pytest.raises(ValueError, match=r"answers\.json is damaged.*rename"):
            action()
        assert record_file.read_bytes() == content
        assert files(record_file.parent) == ["answers.json"]


# ------------------------------------------------------------- for real

# The module alone: with all of marginlab.lesson a kernel takes ten times as long to start.
KEEPS = """
import importlib.util
spec = importlib.util.spec_from_file_location("record", {file!r})
record = importlib.util.module_from_spec(spec)
spec.loader.exec_module(record)
for n in range({count}):
    record.save(f"01-{{n}}", {{"text": "x" * 2_000}})
    print(n, flush=True)
"""


def test_a_killed_kernel_leaves_a_whole_file(record_file):
    """Killed without warning, at whatever moment, thirty times over."""
    for round in range(30):
        record_file.unlink(missing_ok=True)
        code = KEEPS.format(count=10_000, file=record.__file__)
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
            for _ in range(1 + round % 5):
                child.stdout.readline()
            time.sleep(0.0007 * round)
            child.kill()
            told = len(child.stdout.read().split()) + 1 + round % 5
        kept = record.load()
        assert told <= len(kept) <= told + 1, "what was said to be kept is kept"
        assert all(answer == {"text": "x" * 2_000} for answer in kept.values())
        assert len(files(record_file.parent)) <= 2  # a draft may be left; it is nobody's record
        for path in record_file.parent.glob(".answers*"):
            path.unlink()


MANY = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("record", {file!r})
record = importlib.util.module_from_spec(spec)
spec.loader.exec_module(record)
print("ready", flush=True)
sys.stdin.readline()
for n in range(40):
    record.save(f"{name}-{{n}}", 1)
    record.change("both", lambda before: (before or 0) + 1)
"""


def test_two_kernels_that_write_at_once_lose_nothing():
    codes = [MANY.format(file=record.__file__, name=name) for name in ("01", "02")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    kernels = [subprocess.Popen([sys.executable, "-c", code], **pipes) for code in codes]
    for one in kernels:
        one.stdout.readline()
    for one in kernels:
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in kernels:
        one.communicate(timeout=60)
        assert one.returncode == 0
    kept = record.load()
    assert kept.pop("both") == 80 and len(kept) == 80


def test_a_lock_that_cannot_be_had_is_an_error_of_the_system(monkeypatch, tmp_path):
    monkeypatch.setattr(record.tempfile, "gettempdir", lambda: str(tmp_path / "nowhere"))
    with pytest.raises(OSError, match=r"answers\.json could not be locked for writing: unable to open"):
        record.save("01-a", 1)


FULL = """
import resource, signal
from marginlab.lesson import record
from marginlab.lesson.exercises import Quiz
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, 3_000))
answers = [{"answer": "yes", "feedback": "Because.", "right": True}, {"answer": "no", "feedback": "y" * 4_000}]
quiz = Quiz("01-quiz-m1", {"question": "?", "answers": answers})
quiz.choice.value = "yes"
print(quiz.feedback.value)
record.save("01-long", "kept")
try:
    record.save("01-longer", "x" * 4_000)
except OSError as error:
    print(error.strerror)
quiz.id = "q" * 4_000
quiz.choice.value = "no"
print(quiz.feedback.value)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no way there to make the system refuse to write")
def test_a_system_that_writes_no_more_is_told_of_and_nothing_is_lost(record_file):
    """A limit on the size of files stands for the full disk: the same calls fail."""
    record_file.write_text('{"00-first": 1}', encoding="utf-8")
    said = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=True).stdout
    assert "Not recorded" in said and "Your earlier answers are whole" in said and "File too large" in said
    kept = record.load()
    assert set(kept) == {"00-first", "01-quiz-m1", "01-long"} and kept["00-first"] == 1
    assert files(record_file.parent) == ["answers.json"]
