"""The learner's own record: predictions and answers in one small JSON file, by exercise id.

It lies beside the notebooks, `my_answers.json`, or where the environment variable
MARGINLAB_RECORD says.
"""

import json
import os
import tempfile
from pathlib import Path


def path():
    """Where the record is kept."""
    return Path(os.environ.get("MARGINLAB_RECORD") or "my_answers.json")


def load():
    """Everything recorded so far, by exercise id; ValueError if the file is damaged."""
    try:
        answers = json.loads(path().read_text(encoding="utf-8"))
        if not isinstance(answers, dict):
            raise ValueError("it holds no answers by exercise")
        return answers
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(
            f"{path().name} is damaged ({error}): rename it to keep it, and a new one is begun"
        ) from error


def save(key, answer):
    """Record one answer; the file is replaced whole or not at all."""
    write(path(), json.dumps(load() | {key: answer}, indent=1, ensure_ascii=False))


def write(target, text):
    """Write a text file whole or not at all: a full disk, a killed kernel, a lost plug."""
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=".answers", suffix=target.suffix)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # some disks say only now that they are full
        os.chmod(draft, 0o644)  # a grader on a shared hub may read it; mkstemp says nobody may
        os.replace(draft, target)
    except BaseException:
        os.unlink(draft)
        raise
