"""Make the site of the course, and the same as one PDF: `python3 run.py book`.

The site is build/book. The PDF needs a Chromium on the path; without one the site has none, and a
line says so.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from pypdf import PdfReader

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build"
SITE, ONE, PDF = (
    BUILD / "book",
    BUILD / "print/index.html",
    BUILD / "marginlab.pdf",
)
ENTRY = re.compile(
    r'<li class="toctree-l1"><a [^>]*href="#([^"]*)">.*?</a>'
)  # a chapter in the contents


def chromium():
    """The system's Chromium, or None."""
    names = "chromium", "chromium-browser", "google-chrome"
    return next(filter(None, map(shutil.which, names)), None)


def sphinx(builder, folder, *tags):
    """Build anew with Sphinx; a link that leads nowhere, as every warning, ends it."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-W", "--keep-going", "-b", builder]
    where = [f"-d{BUILD / 'doctrees'}", f"-c{HERE}", *(f"-t{tag}" for tag in tags)]
    if subprocess.call([*command, *where, HERE.parent, folder]):
        sys.exit("The site was not made: the reasons are above.")


def printed(browser):
    """Print the one page as a PDF; {place that a link leads to: its page}, counted from 1."""
    options = [
        "--headless",
        "--no-sandbox",
        "--no-pdf-header-footer",
        "--generate-pdf-document-outline",
    ]
    command = [browser, *options, f"--print-to-pdf={PDF}", ONE.as_uri()]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    pages = PdfReader(PDF)
    places = pages.named_destinations.items()  # such as /document-glossary
    return {name[1:]: pages.get_destination_page_number(place) + 1 for name, place in places}


def pdf(browser):
    """The PDF, printed twice: the first time tells the page numbers of its contents."""
    sphinx("singlehtml", ONE.parent, "print")
    found, text = printed(browser), ONE.read_text(encoding="utf-8")
    numbered = ENTRY.sub(lambda match: f"{match[0]}<span>{found[match[1]]}</span>", text)
    ONE.write_text(numbered, encoding="utf-8")
    printed(browser)


def main():
    browser = chromium()
    if browser:
        pdf(browser)
    else:
        print("No Chromium on the path: the site is made without its PDF.")
    sphinx("html", SITE, *(["pdf"] if browser else []))
    print(f"Made {SITE / 'index.html'}")


if __name__ == "__main__":
    main()
