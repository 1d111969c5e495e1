"""GitHub Markdown: the table of all rows, what its verdicts mean, and for a sweep a page with its
summary.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from conslaw_cli.formats import Report
from conslaw_cli.formats.explain import explain
from conslaw_cli.formats.tally import Tally
from conslaw_cli.formats.words import (
    Column,
    columns,
    failure_lines,
    label,
    more,
    shared_architecture,
    theory_lines,
    totals,
    verdict_lines,
)
from conslaw_cli.problems.records import LawCount

_MARKUP = re.compile(r"[\\`*\[\]<>|~&$#]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown would read as markup; an underscore inside a word is none."""


def render_markdown(report: Report) -> str:
    """Return a table of all rows, under a heading and a line on its source if the report has a
    title.
    """
    rows, tally = report.rows, Tally(report.rows, report.expected)
    blocks = _heading(report) if report.title else []
    blocks += _sweep(report, tally) if report.command == "sweep" else []
    if report.picture:
        blocks.insert(1, f"![The numbers of laws]({quote(report.picture)})")
    legend = [*verdict_lines(tally), *theory_lines(rows), *failure_lines(rows)]
    blocks += [_table(report, rows), _bullets(legend)]
    blocks += [_escape(explain(row)) for row in rows if report.explain]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _heading(report: Report) -> list[str]:
    title = _escape(label(report.title or ""))
    versions = sorted({label(row.version) for row in report.rows})
    made_by = f", counted by conslaw {_escape(', '.join(versions))}" if versions else ""
    source = f"Source: {_escape(label(' '.join(report.source.split())))}" if report.source else ""
    return [f"# {title}", source, f"Rows: the {report.command} {title}{made_by}."]


def _sweep(report: Report, tally: Tally) -> list[str]:
    found = tally.exceptions()
    summary = _bullets([f"{key}: {number}" for key, number in totals(tally).items()])
    if not found:
        return [summary, "Every row is proved, and none has unknown laws." if report.rows else ""]
    heading = "## Exceptions (not proved, with unknown laws, or not as expected)"
    return [summary, heading, _table(report, found), more(tally), "## All rows"]


def _table(report: Report, rows: Sequence[LawCount]) -> str:
    table = columns(rows, report.expected)
    if any(row.name in report.sources for row in rows):
        table.append(
            Column(
                "source",
                tuple(label(" ".join(report.sources.get(row.name, "").split())) for row in rows),
                False,
            )
        )
    lines = [
        [_escape(column.header) for column in table],
        ["--:" if column.figures else "---" for column in table],
        *([_escape(column.cells[index]) for column in table] for index in range(len(rows))),
    ]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    shared = shared_architecture(rows)
    return f"{text}\n\nIn every row: {_escape(shared)}." if shared else text


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_escape(line)}" for line in lines)


def _escape(text: str) -> str:
    return _MARKUP.sub(lambda match: "\\" + match[0], text)
