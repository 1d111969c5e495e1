"""Output formats: a report becomes text. No format knows how its values came about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from conslaw_cli.problems.records import LawCount

if TYPE_CHECKING:
    from conslaw_cli.formats.columns import Overview

NAMES = ("table", "json", "csv", "markdown", "latex")


class Rows(Protocol):
    """Rows in an order: a sequence, or what reads them from elsewhere whenever they are asked
    for.
    """

    def __iter__(self) -> Iterator[LawCount]: ...

    def __getitem__(self, number: int, /) -> LawCount: ...


class Report(NamedTuple):
    """The rows of one command, in the order they are shown.

    ``title``: a sweep's name; ``source``: where it comes from; ``sources``: where a row comes from,
    by its name (Markdown only). ``expected``: the number of laws of a row, by its name, where it is
    known beforehand. ``picture``: the name of a picture beside the page (Markdown only).
    ``explain``: add a paragraph per row; LaTeX has it as comments, while JSON and CSV, whose rows
    carry their evidence always, stay the same.
    """

    command: Literal["count", "sweep"]
    rows: Rows
    title: str | None = None
    explain: bool = False
    source: str | None = None
    expected: Mapping[str, int] = {}
    sources: Mapping[str, str] = {}
    picture: str | None = None


def render(name: str, report: Report, *, width: int | None = None, color: bool = False) -> str:
    """Return ``report`` in the format ``name``, ending in exactly one newline (CSV: CR LF).

    name: one of NAMES; raise KeyError for another.
    width: columns of the terminal, or None where lines may be of any length (only ``table`` heeds
    it).
    color: allow ANSI sequences (only ``table`` heeds it).
    """
    if name == "table":
        from conslaw_cli.formats.table import render_table

        return encodable(render_table(report, width, color))
    from conslaw_cli.formats.columns import Overview

    return "".join(pieces(name, report, Overview.of(report)))


def pieces(name: str, report: Report, overview: Overview) -> Iterator[str]:
    """Yield the text of :func:`render` piece by piece, so that not all of it is held: any format
    but ``table``, whose widths are those of all rows.

    overview: that of the rows, which may be read from elsewhere, one by one, whenever they are
    asked for.
    """
    return map(encodable, _PIECES[name](report, overview))


def encodable(text: str) -> str:
    """Return a text in UTF-8, which has no lone surrogates: these become backslash escapes, inside
    JSON its own notation.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _json(report: Report, overview: Overview) -> Iterator[str]:
    from conslaw_cli.formats import json_

    return json_.pieces(report, overview)


def _csv(report: Report, overview: Overview) -> Iterator[str]:
    from conslaw_cli.formats import csv_

    return csv_.pieces(report, overview)


def _markdown(report: Report, overview: Overview) -> Iterator[str]:
    from conslaw_cli.formats import markdown

    return markdown.pieces(report, overview)


def _latex(report: Report, overview: Overview) -> Iterator[str]:
    from conslaw_cli.formats import latex

    return latex.pieces(report, overview)


_PIECES: dict[str, Callable[[Report, Overview], Iterator[str]]] = {
    "json": _json,
    "csv": _csv,
    "markdown": _markdown,
    "latex": _latex,
}
