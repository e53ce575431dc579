"""Every figure of the lessons for slides, as SVG and PNG: `python3 run.py figures FOLDER`.

The lessons are run, in this process, and their figures drawn anew; FOLDER/captions.md has what
each shows in words.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot, style

LESSONS = sorted(Path(__file__).resolve().parents[1].glob("0*.ipynb"))
LOOK = {"svg.hashsalt": "marginlab", "savefig.bbox": "tight"}


def drawn(lesson):
    """(name of a cell, its figures, what it says of them) for each cell of a lesson that draws."""
    from marginlab.lesson import figures

    png, twins, names = figures.png, [], {"__name__": "__main__"}
    figures.png = lambda figure: twins.append(figure) or png(figure)  # explorers, at rest
    for cell in json.loads(lesson.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            with contextlib.redirect_stdout(io.StringIO()):
                exec("".join(cell["source"]), names)
            if found := [*twins, *map(pyplot.figure, pyplot.get_fignums())]:
                yield cell["id"], found, caption(cell)
            twins.clear()
            pyplot.close("all")
    figures.png = png


def caption(cell):
    """What a saved cell says of its picture: its alternative text, or what it printed."""
    outputs = cell["outputs"]
    alts = [one.get("metadata", {}).get("image/png", {}).get("alt", "") for one in outputs]
    said = ["".join(one["text"]) for one in outputs if one["output_type"] == "stream"]
    return next(filter(None, [*alts, *said]), "").strip()


def main(folder, lessons=LESSONS):
    """Write them into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    mpl.use("agg")
    told = []
    for lesson in lessons:
        for cell, found, words in drawn(lesson):
            for n, figure in enumerate(found):
                name = f"{lesson.name[:2]}-{cell}" + (f"-{n + 1}" if n else "")
                with style.context(["default", LOOK]):
                    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
                    figure.savefig(folder / f"{name}.png", dpi=200)
                told.append(f"## {name}\n\n![{' '.join(words.split())}]({name}.svg)\n\n{words}\n")
    (folder / "captions.md").write_text("\n".join(told), encoding="utf-8")
    print(f"{len(told)} figures in {folder}, each as SVG and PNG; captions.md says what they show")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["MARGINLAB_RECORD"] = str(Path(scratch) / "record.json")  # nobody's own
        main(Path(sys.argv[1]))
