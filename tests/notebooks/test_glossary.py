"""The glossary: what an entry holds, and that each lesson links the first use of each of its terms."""

import importlib
import inspect
import re
from pathlib import Path

import attrs
import pytest

GLOSSARY = Path(__file__).resolve().parents[2] / "notebooks/glossary.md"
FIELDS = ["symbol", "unit", "in the package", "also called", "lesson"]
LINK = re.compile(r"!?\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^)]*)\)")


def entries():
    """{term: (definition, {field: text}, forms in which it is written)}."""
    found = {}
    for block in GLOSSARY.read_text(encoding="utf-8").split("\n### ")[1:]:
        term, text, *rest = re.split(r"\n\n+", block.strip())
        fields = dict(line[2:].split(": ", 1) for line in "\n".join(rest[:-1]).splitlines())
        forms = re.fullmatch(r"<!-- words: (.*) -->", rest[-1])[1].split(", ")
        assert term not in found, f"{term} is there twice"
        found[term] = text, fields, forms
    return found


ENTRIES = entries()
FORMS = {form.lower(): term for term, (_, _, forms) in ENTRIES.items() for form in forms}


def blank(match):
    return re.sub(r"[^\n]", "\0", match[0])


def prose(text):
    """Markdown whose headings, code, formulas and links elsewhere are blanked out; every letter keeps its place."""
    formulas = r"(?s)\$\$.*?\$\$", r"\$[^$\n]+\$"
    for pattern in (r"(?m)^#+ .*$", r"(?m)^(?: {4}|\t).*$", r"`[^`]*`", *formulas):
        text = re.sub(pattern, blank, text)
    return LINK.sub(lambda m: m[0] if m[2].startswith("glossary.md#") else blank(m), text)


def uses(text):
    """(start, end, term) of every use in a text, in order; the longest form wins."""
    taken, found = set(), []
    text = LINK.sub(lambda m: f"\0{m[1]}" + "\0" * (len(m[0]) - len(m[1]) - 1), prose(text))
    for form, term in sorted(FORMS.items(), key=lambda pair: -len(pair[0])):
        words = r"[\s*]+".join(map(re.escape, form.split()))
        for m in re.finditer(rf"(?i)(?<![\w-]){words}(?![\w-])", text):
            if not taken.intersection(range(*m.span())):
                taken.update(range(*m.span()))
                found.append((*m.span(), term))
    return sorted(found)


def linked(text):
    """(start, end, anchor) of each link to the glossary."""
    return [(*m.span(), m[2].partition("#")[2]) for m in LINK.finditer(text) if m[2].startswith("glossary.md#")]


def markdown(notebook):
    return "\n\n".join("".join(cell["source"]) for cell in notebook.prose)


def unlinked(text):
    """Terms whose first use is no link to their entry."""
    links, first = linked(text), {}
    for start, end, term in uses(text):
        first.setdefault(term, (start, end))
    anchors = {term: term.replace(" ", "-") for term in first}
    return [
        term for term, (a, b) in first.items() if not any(s <= a and b <= e and x == anchors[term] for s, e, x in links)
    ]


def test_the_first_use_of_each_term_leads_to_its_entry(page):
    assert unlinked(markdown(page)) == []


def test_links_lead_to_entries_and_each_once(page):
    anchors = [anchor for _, _, anchor in linked(markdown(page))]
    assert set(anchors) <= {term.replace(" ", "-") for term in ENTRIES}
    assert len(set(anchors)) == len(anchors), "only the first use is linked"


@pytest.mark.parametrize(
    "text, terms",
    [
        ("The [pool](glossary.md#pool) is one.", []),
        ("The pool is one, the [pool](glossary.md#pool) two.", ["pool"]),
        ("The [pool](glossary.md#path) is one.", ["pool"]),
        ("A [pool](https://x.org/pool), `pool`, [pool](02_cross_margin.ipynb)\n\n# pool\n\n    pool", []),
        ("The [initial margin](glossary.md#initial-margin) counts.", []),
        ("The initial margin counts.", ["initial margin"]),
        ("No longer, shortly, margin-neutral, the market.", []),
        ("*[Isolated margin](glossary.md#isolated-margin)* and a *short*.", ["short"]),
    ],
)
def test_how_first_uses_are_found(text, terms):
    assert unlinked(text) == terms


def test_entries_are_whole_and_in_order(tools):
    assert list(ENTRIES) == sorted(ENTRIES) and len(ENTRIES) > 60
    lessons = {path.name[:2]: path.name for path in tools.FOLDER.glob("0*.ipynb")}
    for term, (text, fields, forms) in ENTRIES.items():
        assert re.fullmatch(r"[a-z -]+", term), "anchors are the same on GitHub and in JupyterLab in lower case only"
        assert list(fields) == [name for name in FIELDS if name in fields] and "lesson" in fields, term
        assert 8 <= len(text.split()) <= 75 and text.endswith(".") and forms, term
        number, target = re.fullmatch(r"\[(\d\d)\]\((\S+)\)", fields["lesson"]).groups()
        assert lessons[number] == target, term
        here = set(re.findall(r"\]\(#([^)]*)\)", text))
        assert here <= {other.replace(" ", "-") for other in ENTRIES} - {term.replace(" ", "-")}, term


def test_no_form_stands_for_two_terms():
    assert len(FORMS) == sum(len(forms) for _, _, forms in ENTRIES.values())


def test_every_term_is_used_in_the_lesson_that_explains_it(tools):
    texts = {path.name[:2]: markdown(tools.Notebook(path)) for path in tools.FOLDER.glob("0*.ipynb")}
    code = {path.name[:2]: "".join("".join(c["source"]) for c in tools.Notebook(path).cells) for path in
            tools.FOLDER.glob("0*.ipynb")}  # fmt: skip
    there = {number: {term for _, _, term in uses(text)} for number, text in texts.items()}
    for term, (_, fields, forms) in ENTRIES.items():
        number = fields["lesson"][1:3]
        assert term in there[number] or any(form in code[number] for form in forms), term


def test_names_in_the_package_exist():
    named = 0
    for term, (_, fields, _) in ENTRIES.items():
        for name in re.findall(r"`([^`]*)`", fields.get("in the package", "")):
            assert resolves(name), (term, name)
            named += 1
    assert named > 40


def resolves(name):
    """Whether `a.b(c=...)` names something in marginlab: an attribute, a field or an argument."""
    path, _, given = name.partition("(")
    at, *parts = [importlib.import_module("marginlab"), *path.split(".")]
    for place, part in enumerate(parts):
        if hasattr(at, part):
            at = getattr(at, part)
        elif part in fields_of(at):
            return place == len(parts) - 1
        else:
            at = importlib.import_module(f"{at.__name__}.{part}")
    arguments = set(re.findall(r"(\w+)=", given))
    return not arguments or arguments <= set(inspect.signature(at).parameters) | fields_of(at)


def fields_of(thing):
    return {field.name for field in attrs.fields(thing)} if isinstance(thing, type) and attrs.has(thing) else set()


def test_names_that_do_not_exist_are_found():
    assert resolves("Pool.slack()") and resolves("Account.trade(isolated=...)")
    assert not resolves("Account.trade(wall=...)")
    with pytest.raises((ModuleNotFoundError, AttributeError)):
        resolves("Pool.slackness()")


def test_names_of_venues_have_their_source():
    """What a venue calls a thing is cited by a page of that venue, in English."""
    hosts = set()
    for term, (_, fields, _) in ENTRIES.items():
        said = fields.get("also called", "")
        cited = re.findall(r"\[[^\]]*\]\((\S+?)\)", said)
        assert bool(cited) or not said or "the inverse" in said, term
        for url in cited:
            hosts.add(re.fullmatch(r"https://([\w.-]+)/\S+", url)[1])
    known = {"binance.com", "okx.com", "bybit.com", "deribit.com", "bitmex.com", "kraken.com", "dydx.exchange",
             "dydx.xyz", "dydx.academy", "hyperliquid.gitbook.io"}  # fmt: skip
    assert all(any(host == one or host.endswith("." + one) for one in known) for host in hosts), hosts
