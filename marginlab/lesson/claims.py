"""A table of claims, each with what was found for it: the verdict follows from the results, and is not written."""

from html import escape

import numpy as np

HEAD = ["claim", "verdict", "holds for", "fails for", "settled in"]


class Claims:
    """Claims and the cases in which they were checked.

    claims = Claims()
    claims.check("One pump can drain a cross account", "05_when_cross_fails.ipynb#The-helper", {"at our venue": True})
    """

    def __init__(self):
        self.rows = {}

    def check(self, claim, where="", cases=()):
        """Note what came out of a claim: `cases` maps each case, in words, to whether it holds there. `where` is the
        notebook and heading that settles it. A claim without cases is open. TypeError unless results are bools."""
        cases = dict(cases)
        for case, result in cases.items():
            if not isinstance(result, bool | np.bool):
                raise TypeError(f"the result of {case!r} must be True or False, not {result!r}")
        self.rows[claim] = (where, {case: bool(result) for case, result in cases.items()})

    def verdict(self, claim):
        """What the results say: open, holds, does not hold, or holds with a condition."""
        results = self.rows[claim][1].values()
        if not results:
            return "open"
        if all(results):
            return "holds"
        return "holds with a condition" if any(results) else "does not hold"

    def table(self):
        """A row for each claim: the claim, its verdict, the cases for it, those against it, and where it is settled."""
        for claim, (where, cases) in self.rows.items():
            held, failed = ("; ".join(case for case, found in cases.items() if found is side) for side in (True, False))
            yield claim, self.verdict(claim), held, failed, where

    def __repr__(self):
        return "\n".join(f"{claim}: {verdict}" for claim, verdict, *_ in self.table())

    def _repr_html_(self):
        left = "style='text-align:left;vertical-align:top'"
        head = "".join(f"<th scope='col' {left}>{name}</th>" for name in HEAD)
        rows = []
        for claim, *words, where in self.table():
            link = f"<a href='{escape(where)}'>lesson {escape(where[:2])}</a>" if where else "a lesson to come"
            cells = "".join(f"<td {left}>{cell}</td>" for cell in [*map(escape, words), link])
            rows.append(f"<tr><th scope='row' {left}>{escape(claim)}</th>{cells}</tr>")
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
