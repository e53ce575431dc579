"""How pools, accounts and liquidation prices show themselves, in plain text and in a notebook."""

from html import escape


def fmt(value):
    """A number for readers: thousands separated; no decimals from 10,000 on, four figures below 100."""
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "-∞"
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:,.6g}"
    return f"{value:.4g}"


def table(rows, head=(), marked=None, words=True):
    """Rows of text as an HTML table; the first column is a header, the row of the name `marked` stands out.

    Cells of words begin at the left; without `words`, they stand where the page puts numbers.
    """
    cell = '<td style="text-align:left">' if words else "<td>"
    top = "".join(f'<th scope="col">{escape(text)}</th>' if text else "<td></td>" for text in head)
    body = "".join(
        f'<tr{" class=marginlab-marked" if row[0] == marked else ""}><th scope="row" style="text-align:left">'
        f"{escape(row[0])}</th>" + "".join(f"{cell}{escape(text)}</td>" for text in row[1:]) + "</tr>"
        for row in rows
    )
    return f"<table>{'<thead><tr>' + top + '</tr></thead>' if top else ''}<tbody>{body}</tbody></table>"


def crossings_rows(found):
    """(side, price or "none", reason) of a `Crossings`."""
    return [(name, crossing(side), side.why) for name, side in (("below", found.below), ("above", found.above))]


def crossing(side):
    """A crossing in short: its price, its move in per cent where several prices move, or "none"."""
    if side.root is None:
        return "none"
    return fmt(side.price) if len(side.ray.paths) == 1 else f"{side.distance * 100:+.1f} %"


def crossings_text(found):
    lines = [f"{name} {price}: {why}" for name, price, why in crossings_rows(found)]
    state = " (breached already)" if found.breached else ""
    return f"{found.kind} of {found.pool} along {found.below.index}{state}\n  " + "\n  ".join(lines)


def crossings_html(found):
    head = (f"{found.kind} along {found.below.index}", "price", found.pool)
    return table(crossings_rows(found), head)


def pool_rows(pool):
    """What a pool holds and owes, and where it stands, at its marks."""
    held, owed = ([h for h in pool.holdings if h.owed == debts] for debts in (False, True))
    rows = [("collateral", " + ".join(f"{fmt(h.amount)} {h.currency}" for h in held) or "nothing")]
    if owed:
        rows.append(("debts", " + ".join(f"{fmt(-h.amount)} {h.currency}" for h in owed)))
    for p in pool.positions:
        side = "long" if p.quantity > 0 else "short"
        rows.append((p.instrument.symbol, f"{side} {fmt(abs(p.quantity))} contracts from {fmt(p.entry)}"))
    try:
        worth, equity = pool.worth(), pool.equity()
    except ValueError as error:  # a price is missing: say which
        return [*rows, ("equity", str(error))]
    if worth != equity:
        rows.append(("worth at full price", f"{fmt(worth)} {pool.currency}"))
    rows.append(("equity", f"{fmt(equity)} {pool.currency}"))
    if pool.open:
        rows.append(("requirement", f"{fmt(pool.requirement())} {pool.currency}"))
        rows.append(("margin ratio", fmt(pool.margin_ratio())))
        for index in pool.indices:
            found = pool.liquidation(index)
            sides = [f"{side} {price}" for side, price, _ in crossings_rows(found)]
            rows.append((f"liquidation, {index}", ", ".join(sides)))
    return rows


def pool_text(pool):
    rows = pool_rows(pool)
    width = max(len(row[0]) for row in rows)
    return f"{pool.name} at {pool.venue.name}\n" + "\n".join(f"  {name:<{width}}  {text}" for name, text in rows)


def pool_html(pool):
    return table(pool_rows(pool), (pool.name, f"at {pool.venue.name}"))


def account_text(account):
    lines = [f"account at {account.venue.name}"]
    for pool in account.pools:
        lines.append("  " + pool_text(pool).replace("\n", "\n  "))
    return "\n".join(lines)


def account_html(account):
    return "".join(pool_html(pool) for pool in account.pools)
