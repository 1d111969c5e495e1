"""Plain text for a terminal or a pipe.

No cell is cut: rows that do not fit the terminal side by side become blocks, one line per column.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len

from conslaw_cli.formats import Report
from conslaw_cli.formats.tally import Tally
from conslaw_cli.formats.words import (
    Column,
    Field,
    columns,
    failure_lines,
    fields,
    label,
    more,
    plural,
    shared_architecture,
    shortened,
    theory_lines,
    totals,
    verdict_lines,
)
from conslaw_cli.problems.records import LawCount

_GAP = "  "
_BOLD = "1"
_COLORS = {"proved": "32", "computed": "33", "bounded": "35", "failed": "31"}


def render_table(report: Report, width: int | None, color: bool) -> str:
    """Return all rows of a count; of a sweep its summary.

    width: longer lines are wrapped or become blocks; None leaves them as long as they are.
    color: mark headers and verdicts with ANSI sequences.
    """
    tally = Tally(report.rows, report.expected)
    explained = _explained(report, width) if report.explain else []
    if report.command == "sweep":
        blocks = _summary(tally, report.title, report.expected, width, color)
        return _text([*blocks, *explained])
    blocks = _rows(report.rows, report.expected, width, color)
    legend = [*verdict_lines(tally), *theory_lines(report.rows), *failure_lines(report.rows)]
    return _text([*blocks, _wrap(legend, width), *explained])


def _explained(report: Report, width: int | None) -> list[list[str]]:
    from conslaw_cli.formats.explain import explain

    return [_wrap([explain(row)], width) for row in report.rows]


class SweepTable:
    """A sweep as pieces of text, in the order of its rows: each piece is made when its row is
    there, and no row is held. After the rows comes the summary.

    widest: for every row one with the largest numbers that it can have; gone through several
    times, and not used any more then. Columns are as wide as these need. Where the lines would be
    longer than ``width``, columns are left out, from the trace on, which is shortened to its
    column; where that does not help, rows become blocks.
    """

    def __init__(
        self, widest: Iterable[LawCount], report: Report, width: int | None, color: bool
    ) -> None:
        self._report, self._width, self._color = report, width, color
        self._tally = Tally((), report.expected)
        self._all = fields(widest, report.expected)
        self._sizes = dict(zip(self._all, _sizes(self._all, widest), strict=True))
        self._shown = self._fitting()
        self._shared = shared_architecture(widest)

    def row(self, row: LawCount, shown: bool = True) -> str:
        """Return the text of a row, after the heads of the columns if it is the first one; take it
        up for the summary. shown: else only that, and there is no text.
        """
        self._tally.add(row)
        if not shown:
            return ""
        first = self._tally.verdicts.total() == 1
        if not self._shown:
            cells = [Column(each.header, (each.cell(row),), False) for each in self._all]
            return "\n".join([*([] if first else [""]), *_records(cells, self._color)]) + "\n"
        return "\n".join([*([self._heads()] if first else []), self._row(row)]) + "\n"

    def rest(self, shown: bool = True) -> str:
        """Return what stands below the rows, and the summary. shown: there were rows."""
        report = self._report
        left_out = [each.header for each in self._all if self._shown and each not in self._shown]
        below = [
            *([f"all of these: {self._shared}"] if self._shared else []),
            *([f"left out for want of room: {', '.join(left_out)}"] if left_out else []),
        ]
        summary = _summary(self._tally, report.title, report.expected, self._width, self._color)
        blocks = [_wrap(below, self._width), *summary] if shown else summary
        return ("\n" if shown and self._tally.verdicts else "") + _text(blocks)

    def _fitting(self) -> list[Field]:
        """Return the fields that lines have room for, in order; none if that is too little."""
        headers = [each.header for each in self._all]
        own = headers[1 : headers.index("D")]
        kept = list(self._all)
        for header in ("", "commuting", "trace", "involutive", *reversed(own)):
            kept = [each for each in kept if each.header != header]
            needed = sum(self._sizes[each] for each in kept) + len(_GAP) * (len(kept) - 1)
            if self._width is None or needed <= self._width:
                return kept
        return []

    def _row(self, row: LawCount) -> str:
        *_, verdict = self._shown
        cells = [
            _pad(self._cell(each, row), self._sizes[each], each.figures) for each in self._shown
        ]
        return _GAP.join([*cells[:-1], _verdict(verdict.cell(row), self._color)])

    def _cell(self, field: Field, row: LawCount) -> str:
        text = field.cell(row)
        return shortened(text, self._sizes[field]) if field.header == "trace" else text

    def _heads(self) -> str:
        heads = (_pad(each.header, self._sizes[each], each.figures) for each in self._shown)
        return _styled(_GAP.join(heads).rstrip(), _BOLD, self._color)


def _sizes(fields: Sequence[Field], rows: Iterable[LawCount]) -> list[int]:
    sizes = [cell_len(field.header) for field in fields]
    for row in rows:
        sizes = [
            max(size, cell_len(each.cell(row))) for size, each in zip(sizes, fields, strict=True)
        ]
    return sizes


def _summary(
    tally: Tally, title: str | None, expected: Mapping[str, int], width: int | None, color: bool
) -> list[list[str]]:
    shown = tally.exceptions()
    legend = [*verdict_lines(tally), *theory_lines(shown), *failure_lines(shown)]
    return [
        *_head(tally, title),
        *_rows(shown, expected, width, color),
        [more(tally)],
        _wrap(legend, width),
    ]


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
