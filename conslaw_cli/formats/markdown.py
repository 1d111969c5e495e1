"""GitHub Markdown: the table of all rows, what its verdicts mean, and for a sweep a page with its
summary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from urllib.parse import quote

from conslaw_cli.formats import Report, Rows
from conslaw_cli.formats.columns import Columns, Field, Overview
from conslaw_cli.formats.explain import explain
from conslaw_cli.formats.tally import Tally
from conslaw_cli.formats.words import (
    failure_lines,
    label,
    more,
    theory_lines,
    totals,
    verdict_lines,
)
from conslaw_cli.problems.records import LawCount

_MARKUP = re.compile(r"[\\`*\[\]<>|~&$#]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown would read as markup; an underscore inside a word is none."""


def pieces(report: Report, overview: Overview) -> Iterator[str]:
    """Yield a table of all rows, under a heading and a line on its source if the report has a
    title.
    """
    gap = ""
    for block in _blocks(report, overview):
        for piece in filter(None, block):
            yield gap + piece
            gap = ""
        gap = "\n\n"
    yield "\n"


def _blocks(report: Report, overview: Overview) -> Iterator[Iterable[str]]:
    """Yield what blank lines part, each in pieces; some have none."""
    rows, tally, columns = report.rows, overview.tally, overview.columns
    blocks = _heading(report, overview) if report.title else []
    blocks += _sweep(report, tally) if report.command == "sweep" else []
    if report.picture:
        blocks.insert(1, [f"![The numbers of laws]({quote(report.picture)})"])
    yield from blocks
    yield from _table(report, rows, columns)
    yield _bullets(
        chain(verdict_lines(tally), theory_lines(columns.unlisted), failure_lines(tally.open(rows)))
    )
    if report.explain:
        yield from ([_escape(explain(row))] for row in rows)


def _heading(report: Report, overview: Overview) -> list[Iterable[str]]:
    title = _escape(label(report.title or ""))
    versions = ", ".join(sorted({label(version) for version in overview.versions}))
    made_by = f", counted by conslaw {_escape(versions)}" if versions else ""
    source = f"Source: {_escape(label(' '.join(report.source.split())))}" if report.source else ""
    return [[f"# {title}"], [source], [f"Rows: the {report.command} {title}{made_by}."]]


def _sweep(report: Report, tally: Tally) -> list[Iterable[str]]:
    summary = _bullets(f"{key}: {number}" for key, number in totals(tally).items())
    if not tally.found:
        none = "Every row is proved, and none has unknown laws."
        return [summary, [none] if tally.verdicts else []]
    heading = "## Exceptions (not proved, with unknown laws, or not as expected)"
    shown = tally.shown(report.rows)
    table = _table(report, shown, Columns.of(shown, report.expected))
    return [summary, [heading], *table, [more(tally)], ["## All rows"]]


def _table(report: Report, rows: Rows, columns: Columns) -> Iterator[Iterable[str]]:
    fields = columns.fields()
    if report.sources and any(row.name in report.sources for row in rows):
        fields.append(Field("source", partial(_source, report.sources), False))
    heads = [
        [_escape(field.header) for field in fields],
        ["--:" if field.figures else "---" for field in fields],
    ]
    cells = ([_escape(field.cell(row)) for field in fields] for row in rows)
    yield _lines(f"| {' | '.join(line)} |" for line in chain(heads, cells))
    shared = columns.shared()
    yield [f"In every row: {_escape(shared)}."] if shared else []


def _source(sources: Mapping[str, str], row: LawCount) -> str:
    return label(" ".join(sources.get(row.name, "").split()))


def _bullets(lines: Iterable[str]) -> Iterator[str]:
    return _lines(f"- {_escape(line)}" for line in lines)


def _lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines with an end between each and the next."""
    return (f"\n{line}" if number else line for number, line in enumerate(lines))


def _escape(text: str) -> str:
    return _MARKUP.sub(lambda match: "\\" + match[0], text)
