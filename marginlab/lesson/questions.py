"""What the lessons ask, by id: texts in `questions/01.toml`, the checks of exercises in
`questions/01.py`, beside the notebook of lesson 01.
"""

import tomllib
from pathlib import Path

from .handout import COURSE


def beside(name):
    """A file of the questions, beside the notebook or else in the course; FileNotFoundError."""
    for folder in (Path("questions"), COURSE / "questions"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"questions/{name} does not lie beside this notebook: copy the folder `questions` of the "
        f"course to where the notebook is"
    )


def one(found, id, path):
    """What is found under an id; ValueError, with the ids that there are."""
    if id not in found:
        raise ValueError(f"{path} has nothing under {id!r}: use one of {', '.join(found)}")
    return found[id]


def asked(id):
    """The texts of a prediction, a quiz or a reflection: a dict.

    FileNotFoundError, or ValueError if the file cannot be read or has no such id.
    """
    path = beside(f"{id[:2]}.toml")
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    return one(found, id, path)


def exercise(id):
    """The `Exercise` of an id, with its check; FileNotFoundError or ValueError as for `asked`."""
    path = beside(f"{id[:2]}.py")
    names = {"__name__": "questions"}
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), names)
    found = {thing.id: thing for thing in names.values() if hasattr(thing, "truth")}
    return one(found, id, path)
