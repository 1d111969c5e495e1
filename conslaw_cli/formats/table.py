"""Plain text for a terminal or a pipe.

No cell is cut: rows that do not fit the terminal side by side become blocks, one line per column.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from conslaw_cli.formats import Report, Rows
from conslaw_cli.formats.columns import Columns, Field, Overview, shortened
from conslaw_cli.formats.tally import Tally
from conslaw_cli.formats.words import (
    failure_lines,
    label,
    more,
    plural,
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
    overview = Overview.of(report)
    explained = _explained(report, width) if report.explain else []
    if report.command == "sweep":
        return _text([*_summary(overview.tally, report, width, color), *explained])
    rows = list(report.rows)
    blocks = _rows(rows, overview.columns, width, color)
    legend = _legend(overview.tally, overview.columns, rows)
    return _text([*blocks, _wrap(legend, width), *explained])


def _explained(report: Report, width: int | None) -> list[list[str]]:
    from conslaw_cli.formats.explain import explain

    return [_wrap([explain(row)], width) for row in report.rows]


class SweepTable:
    """A sweep as pieces of text, in the order of its rows: each piece is made when its row is
    there, and no row is held. After the rows comes the summary.

    widest: for every row one with the largest numbers that it can have; gone through twice, and not
    used any more then. Columns are as wide as these need. Where the lines would be
    longer than ``width``, columns are left out, from the trace on, which is shortened to its
    column; where that does not help, rows become blocks.
    """

    def __init__(
        self, widest: Iterable[LawCount], report: Report, width: int | None, color: bool
    ) -> None:
        self._report, self._width, self._color = report, width, color
        self._tally, columns = Tally(report.expected), Columns.of(widest, report.expected)
        self._all, self._shared = columns.fields(), columns.shared()
        self._sizes = dict(zip(self._all, _sizes(self._all, widest), strict=True))
        self._shown = self._fitting()

    def row(self, row: LawCount, shown: bool = True) -> str:
        """Return the text of a row, after the heads of the columns if it is the first one; take it
        up for the summary. shown: else only that, and there is no text.
        """
        self._tally.add(row)
        if not shown:
            return ""
        first = self._tally.verdicts.total() == 1
        if not self._shown:
            lines = _records(self._all, [row], self._color)
            return "\n".join([*([] if first else [""]), *lines]) + "\n"
        return "\n".join([*([self._heads()] if first else []), self._row(row)]) + "\n"

    def rest(self, rows: Rows, shown: bool = True) -> str:
        """Return what stands below the rows, and the summary. rows: all that were given; shown:
        they stand above.
        """
        left_out = [each.header for each in self._all if self._shown and each not in self._shown]
        below = [
            *([f"all of these: {self._shared}"] if self._shared else []),
            *([f"left out for want of room: {', '.join(left_out)}"] if left_out else []),
        ]
        report = self._report._replace(rows=rows)
        summary = _summary(self._tally, report, self._width, self._color)
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


def _summary(tally: Tally, report: Report, width: int | None, color: bool) -> list[list[str]]:
    shown = tally.shown(report.rows)
    columns = Columns.of(shown, report.expected)
    return [
        *_head(tally, report.title),
        *_rows(shown, columns, width, color),
        [more(tally)],
        _wrap(_legend(tally, columns, shown), width),
    ]


def _legend(tally: Tally, columns: Columns, rows: Sequence[LawCount]) -> list[str]:
    """Return what the verdicts mean, and what is to be said of these rows."""
    return [*verdict_lines(tally), *theory_lines(columns.unlisted), *failure_lines(rows)]


def _text(blocks: Iterable[Sequence[str]]) -> str:
    texts = ["\n".join(block) for block in blocks]
    return "\n\n".join(text for text in texts if text) + "\n"


def _rows(
    rows: Sequence[LawCount], columns: Columns, width: int | None, color: bool
) -> list[list[str]]:
    if not rows:
        return []
    return [_grid(columns.fields(), rows, width, color), _below(rows, columns, width)]


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


def _below(rows: Sequence[LawCount], columns: Columns, width: int | None) -> list[str]:
    shared = columns.shared()
    whose = "architecture" if len(rows) == 1 else "all of these"
    return _wrap([f"{whose}: {shared}"], width) if shared else []


def _grid(
    fields: Sequence[Field], rows: Sequence[LawCount], width: int | None, color: bool
) -> list[str]:
    sizes = _sizes(fields, rows)
    if width is not None and sum(sizes) + len(_GAP) * (len(sizes) - 1) > width:
        return _records(fields, rows, color)
    sized = list(zip(fields, sizes, strict=True))
    heads = [_pad(field.header, size, field.figures) for field, size in sized]
    lines = [_styled(_GAP.join(heads).rstrip(), _BOLD, color)]
    for row in rows:
        cells = [_pad(field.cell(row), size, field.figures) for field, size in sized[:-1]]
        lines.append(_GAP.join([*cells, _verdict(fields[-1].cell(row), color)]))
    return lines


def _records(fields: Sequence[Field], rows: Sequence[LawCount], color: bool) -> list[str]:
    name, *rest = fields
    size = max(cell_len(field.header) for field in rest)
    lines: list[str] = []
    for row in rows:
        lines += [*([""] if lines else []), _styled(name.cell(row), _BOLD, color)]
        cells = [(_pad(field.header, size, False), field.cell(row)) for field in rest]
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
