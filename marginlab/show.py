"""How things show themselves: plain rows to text and HTML. It knows nothing but rows."""

from html import escape
from math import inf, isfinite

import numpy as np


def fmt(value, figures=4):
    """A number for readers: thousands separated, no decimals from 10,000 on, at least so many
    figures below, and no exponents."""
    if not isfinite(value):
        return {inf: "∞", -inf: "-∞"}.get(value, "nan")
    if abs(value) >= 10_000 and (figures < 6 or abs(value) >= 100_000):
        return f"{value:,.0f}"
    figures = max(figures, 6) if abs(value) >= 100 else figures
    said = f"{value:,.{figures}g}"
    if "e" not in said:
        return said
    return np.format_float_positional(value, figures, unique=False, fractional=False, trim="-")


def priced(value):
    """A price for readers: six figures at least, however small it is."""
    return fmt(value, 6)


def text(head, rows):
    """Rows of (name, text) under a line."""
    width = max(len(row[0]) for row in rows)
    return "\n".join([head, *(f"  {name:<{width}}  {said}" for name, said in rows)])


def table(rows, head=(), marked=None, words=True):
    """Rows of text as an HTML table; the first column is a header, the row `marked` stands out.

    Cells of words begin at the left; without `words`, they stand where the page puts numbers.
    """
    left = ' style="text-align:left"'
    top = "".join(f'<th scope="col">{escape(one)}</th>' if one else "<td></td>" for one in head)
    body = []
    for name, *cells in rows:
        said = "".join(f"<td{left if words else ''}>{escape(cell)}</td>" for cell in cells)
        mark = " class=marginlab-marked" if name == marked else ""
        body.append(f'<tr{mark}><th scope="row"{left}>{escape(name)}</th>{said}</tr>')
    top = f"<thead><tr>{top}</tr></thead>" if top else ""
    return f"<table>{top}<tbody>{''.join(body)}</tbody></table>"
