"""Plain text for a terminal or a pipe.

No cell is cut: rows that do not fit the terminal side by side become blocks, one line per column.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len

from conslaw_cli.formats import Report
from conslaw_cli.formats.explain import explain
from conslaw_cli.formats.tally import Tally
from conslaw_cli.formats.words import (
    Column,
    columns,
    failure_lines,
    label,
    more,
    plural,
    shared_architecture,
    theory_lines,
    totals,
    verdict_lines,
)
from conslaw_cli.records import LawCount

_GAP = "  "
_BOLD = "1"
_COLORS = {"proved": "32", "computed": "33", "failed": "31"}


def render_table(report: Report, width: int | None, color: bool) -> str:
    """Return all rows of a count; of a sweep its summary.

    width: longer lines are wrapped or become blocks; None leaves them as long as they are.
    color: mark headers and verdicts with ANSI sequences.
    """
    tally = Tally(report.rows, report.expected)
    if report.command == "sweep":
        return render_summary(tally, report, width, color)
    blocks = _rows(report.rows, report.expected, width, color)
    legend = [*verdict_lines(tally), *theory_lines(report.rows), *failure_lines(report.rows)]
    blocks.append(_wrap(legend, width))
    blocks += [_wrap([explain(row)], width) for row in report.rows if report.explain]
    return _text(blocks)


def render_summary(tally: Tally, report: Report, width: int | None, color: bool) -> str:
    """Return the numbers of a sweep's rows and its first exceptions; the report's own rows are not
    looked at.
    """
    shown = tally.exceptions()
    legend = [*verdict_lines(tally), *theory_lines(shown), *failure_lines(shown)]
    return _text(
        [
            *_head(tally, report.title),
            *_rows(shown, report.expected, width, color),
            [more(tally)],
            _wrap(legend, width),
        ]
    )


def _text(blocks: Iterable[Sequence[str]]) -> str:
    texts = ["\n".join(block) for block in blocks]
    return "\n\n".join(text for text in texts if text) + "\n"


def _rows(
    rows: Sequence[LawCount], expected: Mapping[str, int], width: int | None, color: bool
) -> list[list[str]]:
    return [_grid(columns(rows, expected), width, color), _below(rows, width)] if rows else []


def _head(tally: Tally, title: str | None) -> list[list[str]]:
    numbers = totals(tally)
    key_width = max(map(len, numbers))
    number_width = max(len(str(number)) for number in numbers.values())
    what = "(not proved, with unknown laws, or not as expected)"
    return [
        [label(title)] if title else [],
        [f"{key:<{key_width}}{_GAP}{number:>{number_width}}" for key, number in numbers.items()],
        [f"{plural(tally.found, 'exception')} {what}" + (":" if tally.found else ".")],
    ]


def _below(rows: Sequence[LawCount], width: int | None) -> list[str]:
    shared = shared_architecture(rows)
    whose = "architecture" if len(rows) == 1 else "all of these"
    return _wrap([f"{whose}: {shared}"], width) if shared else []


def _grid(table: Sequence[Column], width: int | None, color: bool) -> list[str]:
    widths = [max(map(cell_len, (column.header, *column.cells))) for column in table]
    if width is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        return _records(table, color)
    sized = list(zip(table, widths, strict=True))
    heads = [_pad(column.header, size, column.figures) for column, size in sized]
    lines = [_styled(_GAP.join(heads).rstrip(), _BOLD, color)]
    for index in range(len(table[0].cells)):
        cells = [_pad(column.cells[index], size, column.figures) for column, size in sized[:-1]]
        lines.append(_GAP.join([*cells, _verdict(table[-1].cells[index], color)]))
    return lines


def _records(table: Sequence[Column], color: bool) -> list[str]:
    name, *rest = table
    size = max(cell_len(column.header) for column in rest)
    lines: list[str] = []
    for index, heading in enumerate(name.cells):
        lines += [*([""] if lines else []), _styled(heading, _BOLD, color)]
        cells = [(_pad(column.header, size, False), column.cells[index]) for column in rest]
        lines += [f"{_GAP}{head}{_GAP}{_verdict(cell, color)}".rstrip() for head, cell in cells]
    return lines


def _pad(text: str, size: int, right: bool) -> str:
    space = " " * (size - cell_len(text))
    return space + text if right else text + space


def _verdict(text: str, color: bool) -> str:
    return _styled(text, _COLORS.get(text, ""), color)


def _styled(text: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color and code and text else text


def _wrap(lines: Sequence[str], width: int | None) -> list[str]:
    if width is None:
        return list(lines)
    fill = textwrap.TextWrapper(
        max(width, 20), subsequent_indent=_GAP, break_long_words=False, break_on_hyphens=False
    )
    return [piece for line in lines for piece in fill.wrap(line)]
