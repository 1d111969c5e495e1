r"""LaTeX for papers: a ``tabular`` in the style of booktabs, everything about it in comments."""

from __future__ import annotations

import re

from conslaw_cli.formats import Report
from conslaw_cli.formats.explain import explain
from conslaw_cli.formats.tally import Tally
from conslaw_cli.formats.words import (
    Column,
    columns,
    failure_lines,
    label,
    shared_architecture,
    theory_lines,
    totals,
    verdict_lines,
)

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


def render_latex(report: Report) -> str:
    """Return a complete ``tabular`` of all rows, after comments that say what it needs and what it
    means.
    """
    table = columns(report.rows, report.expected)
    lines = [
        *(f"% {line}" for line in _comments(report)),
        rf"\begin{{tabular}}{{{''.join('r' if column.figures else 'l' for column in table)}}}",
        r"\toprule",
        " & ".join(_HEADERS.get(column.header, _escape(column.header)) for column in table)
        + r" \\",
        r"\midrule",
        *(
            " & ".join(_cell(column, index) for column in table) + r" \\"
            for index in range(len(report.rows))
        ),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _comments(report: Report) -> list[str]:
    rows, tally = report.rows, Tally(report.rows, report.expected)
    shared = shared_architecture(rows)
    counts = [f"{key}: {number}" for key, number in totals(tally).items()]
    ascii_only = all(cell.isascii() for column in columns(rows, {}) for cell in column.cells)
    return [
        r"Needs \usepackage{booktabs}.",
        *([] if ascii_only else ["Holds characters outside ASCII: may need LuaLaTeX and a font."]),
        *([label(report.title)] if report.title else []),
        *([", ".join(counts)] if report.command == "sweep" else []),
        *([f"In every row: {shared}."] if shared else []),
        *verdict_lines(tally),
        *theory_lines(rows),
        *failure_lines(rows),
        *(explain(row) for row in rows if report.explain),
    ]


def _cell(column: Column, index: int) -> str:
    text = column.cells[index]
    if not column.figures:
        return _escape(text)
    return re.sub(r"(?:≥ )?\d+", r"$\g<0>$", text).replace("≥", r"\geq")


def _escape(text: str) -> str:
    escaped = "".join(_SPECIAL.get(char, char) for char in text)
    # Two hyphens in a row would become one dash.
    return re.sub("-(?=-)", "-{}", escaped)
