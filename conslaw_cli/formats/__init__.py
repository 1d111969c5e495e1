"""Output formats: a report becomes text. No format knows how its values came about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from conslaw_cli.problems.records import LawCount

NAMES = ("table", "json", "csv", "markdown", "latex")


class Report(NamedTuple):
    """The rows of one command, in the order they are shown.

    ``title``: a sweep's name; ``source``: where it comes from; ``sources``: where a row comes from,
    by its name (Markdown only). ``expected``: the number of laws of a row, by its name, where it is
    known beforehand. ``picture``: the name of a picture beside the page (Markdown only).
    ``explain``: add a paragraph per row; LaTeX has it as comments, while JSON and CSV, whose rows
    carry their evidence always, stay the same.
    """

    command: Literal["count", "sweep"]
    rows: Sequence[LawCount]
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
    return encodable(_RENDERERS[name](report, width, color))


def encodable(text: str) -> str:
    """Return a text in UTF-8, which has no lone surrogates: these become backslash escapes, inside
    JSON its own notation.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _table(report: Report, width: int | None, color: bool) -> str:
    from conslaw_cli.formats.table import render_table

    return render_table(report, width, color)


def _json(report: Report, _width: int | None, _color: bool) -> str:
    from conslaw_cli.formats.json_ import render_json

    return render_json(report)


def _csv(report: Report, _width: int | None, _color: bool) -> str:
    from conslaw_cli.formats.csv_ import render_csv

    return render_csv(report)


def _markdown(report: Report, _width: int | None, _color: bool) -> str:
    from conslaw_cli.formats.markdown import render_markdown

    return render_markdown(report)


def _latex(report: Report, _width: int | None, _color: bool) -> str:
    from conslaw_cli.formats.latex import render_latex

    return render_latex(report)


_RENDERERS: dict[str, Callable[[Report, int | None, bool], str]] = {
    "table": _table,
    "json": _json,
    "csv": _csv,
    "markdown": _markdown,
    "latex": _latex,
}
