"""Plain text for a terminal or a pipe.

No cell is cut: rows that do not fit the terminal side by side become blocks, one line per column.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len

from conslaw_cli.formats import Report, exceptions
from conslaw_cli.formats.explain import explain
from conslaw_cli.formats.words import (
    SHOWN,
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
    """Return all rows of a count; of a sweep the numbers of rows and its first exceptions.

    width: longer lines are wrapped or become blocks; None leaves them as long as they are.
    color: mark headers and verdicts with ANSI sequences.
    """
    shown = exceptions(report)[:SHOWN] if report.command == "sweep" else report.rows
    blocks = _sweep_head(report) if report.command == "sweep" else []
    if shown:
        blocks.append(_grid(columns(shown, report.expected), width, color))
        blocks.append(_below(shown, width))
    if report.command == "sweep":
        blocks.append([more(exceptions(report))])
    legend = [*verdict_lines(report.rows), *theory_lines(shown), *failure_lines(shown)]
    blocks.append(_wrap(legend, width))
    blocks += [_wrap([explain(row)], width) for row in report.rows if report.explain]
    texts = ["\n".join(block) for block in blocks]
    return "\n\n".join(text for text in texts if text) + "\n"


def _sweep_head(report: Report) -> list[list[str]]:
    numbers = totals(report)
    key_width = max(map(len, numbers))
    number_width = max(len(str(number)) for number in numbers.values())
    found = len(exceptions(report))
    return [
        [label(report.title)] if report.title else [],
        [f"{key:<{key_width}}{_GAP}{number:>{number_width}}" for key, number in numbers.items()],
        [
            f"{plural(found, 'exception')} (not proved, with unknown laws, or not as expected)"
            + (":" if found else ".")
        ],
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
