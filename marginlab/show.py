"""How things show themselves: plain rows to text and HTML. It knows nothing but rows."""

from html import escape


def fmt(value):
    """A number for readers: thousands separated; no decimals from 10,000 on, four figures below."""
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "-∞"
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:,.6g}"
    return f"{value:.4g}"


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
