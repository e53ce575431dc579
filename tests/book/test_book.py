"""The site and the PDF: `python3 run.py book`, and what a reader gets."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build/book"
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("0*.ipynb"))

pytestmark = pytest.mark.book


class Page(HTMLParser):
    """The ids of a page, what it links to and loads, its pictures without words, and what is folded."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.targets, self.mute, self.folded, self.depth = set(), [], [], "", 0
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, pairs):
        about = dict(pairs)
        self.ids.add(about.get("id"))
        self.targets += filter(None, [about.get("href"), about.get("src")])
        self.mute += [about] if tag == "img" and not about.get("alt") else []
        self.depth += tag == "details"

    def handle_endtag(self, tag):
        self.depth -= tag == "details"

    def handle_data(self, data):
        self.folded += data if self.depth else ""


@pytest.fixture(scope="module")
def pages():
    """{path: page} of the site, made anew."""
    made = subprocess.run([sys.executable, "-m", "notebooks.book.make"], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    return {path: Page(path) for path in SITE.rglob("*.html") if "_static" not in path.parts}


def test_links_and_anchors_lead_somewhere(pages):
    bad = []
    for path, page in pages.items():
        for target in page.targets:
            if urlsplit(target).scheme:
                continue
            place, anchor = urldefrag(unquote(target))
            there = (path.parent / place.partition("?")[0]).resolve() if place else path
            known = pages[there].ids if there in pages else ()
            if not there.exists() or (anchor and there in pages and anchor not in known):
                bad.append(f"{path.relative_to(SITE)}: {target}")
    assert not bad
    assert len(pages) > 20 and all(SITE / f"{name}.html" in pages for name in LESSONS)


def test_pages_show_what_was_saved_and_no_widget(pages):
    for path, page in pages.items():
        assert "application/vnd.jupyter.widget" not in page.text and "html-manager" not in page.text
        assert not page.mute, f"{path.name}: a picture without words"
    assert "<math" in pages[SITE / "06_both_modes.html"].text
    assert "45,636.36 USD" in pages[SITE / "01_isolated_margin.html"].text


@pytest.mark.parametrize("name", LESSONS[1:])
def test_solutions_and_answers_of_quizzes_are_folded(pages, name):
    page = pages[SITE / f"{name}.html"]
    assert page.folded.count("Show: Solution") == page.text.count("Show: Solution") == 3
    assert page.folded.count(".solution(") == page.text.count('solution</span><span class="p">(') == 3


@pytest.mark.parametrize(
    "theme, names", [("light", ["index", "01_isolated_margin", "glossary"]), ("dark", ["06_both_modes"])]
)
def test_no_page_asks_another_host_and_axe_finds_nothing(pages, browser, theme, names):
    context = browser.new_context(color_scheme=theme, viewport={"width": 1280, "height": 720})
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    for name in names:
        page.goto((SITE / f"{name}.html").as_uri())
        assert page.locator("html").get_attribute("data-theme") == theme
        found = (
            Axe()
            .run(page, options={"runOnly": ["wcag2a", "wcag2aa"], "resultTypes": ["violations"]})
            .response["violations"]
        )
        assert not [(one["id"], one["nodes"][0]["html"]) for one in found]
    page.goto(f"{(SITE / 'search.html').as_uri()}?q=haircut")
    page.get_by_role("link", name="Glossary > haircut").wait_for()
    assert asked and not [url for url in asked if urlsplit(url).scheme in ("http", "https")]
    context.close()


def test_the_pdf_has_its_contents_with_page_numbers(pages, browser):
    from pypdf import PdfReader

    document = PdfReader(SITE / "marginlab.pdf")
    said = re.findall(r"^(.+?)\s*(\d+)$", document.pages[0].extract_text(), re.M)
    chapter = re.compile(r"\d\d ·|Glossary|Extra|Problem set|Capstone")
    numbers = [int(number) for title, number in said if chapter.match(title)]
    assert len(numbers) >= 20 and numbers == sorted(numbers)
    for title, number in said:
        if title.startswith("07"):
            assert re.match(rf"(\d+\s+)?{title}", document.pages[int(number) - 1].extract_text())


def test_figures_for_slides(tmp_path):
    """As many as the lesson has saved, as SVG and PNG, each with its words."""
    from notebooks.book import figures

    (lesson,) = (path for path in figures.LESSONS if path.stem == "06_both_modes")
    figures.main(tmp_path, [lesson])
    cells = json.loads(lesson.read_text(encoding="utf-8"))["cells"]
    saved = [f"06-{c['id']}" for c in cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
    for kind, start in (("svg", b"<?xml"), ("png", b"\x89PNG")):
        assert sorted(path.stem for path in tmp_path.glob(f"*.{kind}")) == sorted(saved)
        assert all(path.read_bytes().startswith(start) for path in tmp_path.glob(f"*.{kind}"))
    captions = (tmp_path / "captions.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^!\[.{40,}\]\(06-[\w-]+\.svg\)$", captions, re.M)) == len(saved) >= 4
