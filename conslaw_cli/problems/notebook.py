"""What a notebook shows of values: a small table, or formulas."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def table(caption: str, rows: Iterable[tuple[str, object]]) -> str:
    """Return a table in HTML, one row for each name and value; None has no row."""
    body = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in rows
        if value is not None
    )
    return f"<table><caption>{escape(caption)}</caption><tbody>{body}</tbody></table>"


def display(formulas: Iterable[str]) -> str | None:
    """Return formulas, one below the other, as a display in TeX; None if there are none."""
    lines = list(formulas)
    body = " \\\\\n".join(lines)
    return f"$$\\begin{{gathered}}\n{body}\n\\end{{gathered}}$$" if lines else None


def constant(formula: str, what: str) -> str:
    """Return that a formula does not change, in TeX, and what it is."""
    return rf"{formula} = \mathrm{{const}} \qquad (\text{{{what}}})"
