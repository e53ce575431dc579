"""The learner's record: whole or not at all, never overwritten when damaged."""

import errno
import json
import os
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
    for unset in (lambda: monkeypatch.delenv("MARGINLAB_RECORD"), lambda: monkeypatch.setenv("MARGINLAB_RECORD", "")):
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


def half_written(answers, file, **options):
    file.write('{"01-a": ')
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "where, name, failure, error",
    [
        (os, "replace", fails(PermissionError("in use")), PermissionError),
        (os, "replace", fails(KeyboardInterrupt()), KeyboardInterrupt),
        (json, "dump", half_written, OSError),
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
