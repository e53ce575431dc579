"""Settings of the site that `python3 run.py book` makes; the address is pyproject.toml's.

Nothing is run: what the notebooks have saved is shown, and no page asks another host for anything.
"""

import json
import re
import tomllib
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY, _, TAG = PROJECT["urls"]["Repository"].partition("/tree/")
WIDGET = "application/vnd.jupyter.widget-view+json"  # without a kernel it says "model not found"
LAB_LINK = re.compile(r"""href=["']([\w./-]+)\.ipynb(#[^"']*)?["']""")
FOLDED = {"solution": "Solution"}

project = "marginlab"
author = PROJECT["authors"][0]["name"]
copyright = f"{author}, CC BY 4.0"
release = PROJECT["version"]
extensions = ["myst_nb"]
exclude_patterns = ["book", "images", "assignments/source", "**.ipynb_checkpoints"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # terms of the glossary are third-level headings
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_code_prompt_hide = "Hide"
html_math_renderer = "mathml"
html_theme = "sphinx_book_theme"
html_title = "marginlab"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None
html_theme_options = {
    "repository_url": REPOSITORY,
    "repository_branch": TAG,
    "path_to_docs": "notebooks",
    "use_repository_button": True,
    "use_download_button": False,
    "launch_buttons": {"binderhub_url": "https://mybinder.org", "notebook_interface": "jupyterlab"},
    "home_page_in_toc": True,
    "show_toc_level": 2,
}
if tags.has("print"):  # noqa: F821 (Sphinx's)
    html_theme, html_theme_options, templates_path = "basic", {}, ["print"]
if tags.has("pdf"):  # noqa: F821
    html_extra_path = [str(ROOT / "build/marginlab.pdf")]


def named(cell):
    """What a folded cell is, in words: its first comment, or what its tag says."""
    line, marks = "".join(cell["source"]).partition("\n")[0], cell["metadata"]["tags"]
    if line.startswith("# "):
        return line[2:]
    return next((word for tag, word in FOLDED.items() if tag in marks), "what it says")


def on_site(match):
    """A link of a saved table, as JupyterLab spells its anchors, as this site spells them."""
    name, anchor = match[1], (match[2] or "").lower()
    if tags.has("print"):  # noqa: F821
        return f'href="{anchor or f"#document-{name}"}"'
    return f'href="{name}.html{anchor}"'


def shown(cell):
    """A cell as a page shows it: folded where a notebook folds it, its pictures in words."""
    about = cell["metadata"]
    marks, folds = about.setdefault("tags", []), about.get("jupyter", {})
    hidden = [folds.get(f"{part}_hidden", False) for part in ("source", "outputs")]
    if any(hidden):
        marks.append(("hide-cell" if all(hidden) else "hide-input") if hidden[0] else "hide-output")
        about["mystnb"] = {"code_prompt_show": f"Show: {named(cell)}"}
    outputs = cell.get("outputs", [])
    # A widget's twin in HTML is followed by the widget, of which a saved page has only a word.
    twins = [one["data"].get("text/plain") for one in outputs if "text/html" in one.get("data", {})]
    outputs[:] = [
        one
        for one in outputs
        if not (
            one.get("data", {}).keys() - {WIDGET} == {"text/plain"}
            and one["data"]["text/plain"] in twins
        )
    ]
    for output in outputs:
        data = output.get("data", {})
        data.pop(WIDGET, None)
        if "text/html" in data:
            data["text/html"] = LAB_LINK.sub(on_site, "".join(data["text/html"]))
        if "image/png" in data:
            said = "".join(t for o in outputs if o["output_type"] == "stream" for t in o["text"])
            alt = output["metadata"].get("image/png", {}).get("alt") or said or "A figure"
            about.setdefault("mystnb", {})["image"] = {"alt": " ".join(alt.split())}


def read(app, name, source):
    """What is not on the site is linked in the repository."""
    path = Path(app.env.doc2path(name))

    def link(match):
        target = (path.parent / match[1]).resolve()
        here = target.is_relative_to(app.srcdir) and target.is_file()
        if here or not target.is_relative_to(ROOT):
            return match[0]
        kind = "tree" if target.is_dir() else "blob"
        return f"]({REPOSITORY}/{kind}/{TAG}/{target.relative_to(ROOT).as_posix()})"

    links = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)\)")
    if path.suffix != ".ipynb":
        source[0] = links.sub(link, source[0])
        return
    book = json.loads(source[0])
    book["metadata"].pop("widgets", None)
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            shown(cell)
        else:
            cell["source"] = links.sub(link, "".join(cell["source"]))
    source[0] = json.dumps(book)


def formula(as_block):
    """A writer of formulas as MathML, which browsers draw by themselves."""

    def write(writer, node):
        writer.body.append(str(tex2mathml(node.astext(), as_block=as_block)))
        raise nodes.SkipNode

    return write, None


def setup(app):
    app.add_html_math_renderer("mathml", formula(False), formula(True))
    app.connect("source-read", read)
