r"""LaTeX for papers: a ``tabular`` in the style of booktabs, everything about it in comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from conslaw_cli.formats import Report
from conslaw_cli.formats.columns import Field, Overview
from conslaw_cli.formats.explain import explain
from conslaw_cli.formats.words import failure_lines, label, theory_lines, totals, verdict_lines
from conslaw_cli.problems.records import LawCount

_SPECIAL = {
    **{char: "\\" + char for char in "&%$#_{}"},
    **{char: "{" + char + "}" for char in "[]*"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}
"""What is not itself in text; brackets and stars too, as ``\\\\`` would read one after it as its
option.
"""
_HEADERS = {"D": "$D$", "dim Lie": r"$\dim \mathrm{Lie}$"}


def pieces(report: Report, overview: Overview) -> Iterator[str]:
    """Yield a complete ``tabular`` of all rows, after comments that say what it needs and what it
    means.
    """
    fields = overview.columns.fields()
    lines = chain(
        (f"% {line}" for line in _comments(report, overview)),
        [
            rf"\begin{{tabular}}{{{''.join('r' if field.figures else 'l' for field in fields)}}}",
            r"\toprule",
            _line(_HEADERS.get(field.header, _escape(field.header)) for field in fields),
            r"\midrule",
        ],
        (_line(_cell(field, row) for field in fields) for row in report.rows),
        [r"\bottomrule", r"\end{tabular}"],
    )
    return (line + "\n" for line in lines)


def _comments(report: Report, overview: Overview) -> Iterator[str]:
    rows, tally, columns = report.rows, overview.tally, overview.columns
    fields = columns.fields()
    yield r"Needs \usepackage{booktabs}."
    if not all(field.cell(row).isascii() for row in rows for field in fields):
        yield "Holds characters outside ASCII: may need LuaLaTeX and a font."
    if report.title:
        yield label(report.title)
    if report.command == "sweep":
        yield ", ".join(f"{key}: {number}" for key, number in totals(tally).items())
    if shared := columns.shared():
        yield f"In every row: {shared}."
    yield from verdict_lines(tally)
    yield from theory_lines(columns.unlisted)
    yield from failure_lines(tally.open(rows))
    if report.explain:
        yield from map(explain, rows)


def _line(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(field: Field, row: LawCount) -> str:
    text = field.cell(row)
    if not field.figures:
        return _escape(text)
    return re.sub(r"(?:≥ )?\d+", r"$\g<0>$", text).replace("≥", r"\geq")


def _escape(text: str) -> str:
    escaped = "".join(_SPECIAL.get(char, char) for char in text)
    # Two hyphens in a row would become one dash.
    return re.sub("-(?=-)", "-{}", escaped)
