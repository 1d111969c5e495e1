"""CSV for spreadsheets and scripts (RFC 4180): one record per row, keys as in ``LawCount.to_json``.

The evidence is flattened to the methods of the bounds; lists are ``3-4-2`` (``13;20`` for the
trace, whose entries are not factors of one thing); null is empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from conslaw_cli.formats import Report
from conslaw_cli.formats.columns import Overview
from conslaw_cli.formats.words import flow_text, value_text
from conslaw_cli.problems.records import LawCount

_FIGURES: dict[str, Callable[[LawCount], Any]] = {
    "parameters": lambda row: row.parameters,
    "dim_lie": lambda row: row.dim_lie,
    "laws": lambda row: row.laws,
    "known_listed": lambda row: row.known_listed,
    "known_independent": lambda row: row.known_independent,
    "unknown_laws": lambda row: row.unknown_laws,
    "trace": lambda row: ";".join(map(str, row.trace.dimensions)) if row.trace else None,
    "involutive": lambda row: row.involutive,
    "verdict": lambda row: row.verdict,
    "error_bound": lambda row: row.error_bound,
    "lower_method": lambda row: ";".join(bound.method for bound in row.lower),
    "upper_method": lambda row: ";".join(bound.method for bound in row.upper),
    "trace_error_bound": lambda row: row.trace.error_bound if row.trace else None,
    "reason": lambda row: row.reason,
    "seed": lambda row: row.seed,
    "version": lambda row: row.version,
    "seconds": lambda row: row.seconds,
}
_FLOW: dict[str, Callable[[LawCount], Any]] = {"flow": flow_text, "state": lambda row: row.state}
"""Columns only where some row is not of gradient flow."""
_LEAST: dict[str, Callable[[LawCount], Any]] = {"laws_at_least": lambda row: row.laws_at_least}
"""A column only where some row is bounded."""
_OWN: dict[str, Callable[[LawCount], Any]] = {"commuting": lambda row: row.commuting}
"""A column only where some row is of a map or of fields of one's own."""
_POLYNOMIAL = ("degree", "linear", "independent", "known", "new", "not_polynomial")
"""Figures of a search for polynomial laws, columns only where there was one."""
_UNSAFE = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
"""How a text that a spreadsheet runs begins; and the quote, so that taking one away restores it."""


def pieces(report: Report, overview: Overview) -> Iterator[str]:
    """Yield records with CR LF line ends, the names of the columns first.

    Texts that a spreadsheet would run begin with a single quote.
    """
    columns = overview.columns
    keys = columns.keys()
    figures = {
        **(_FLOW if columns.flowing else {}),
        **_FIGURES,
        **(_LEAST if columns.bounded else {}),
        **(_OWN if columns.own else {}),
    }
    polynomial = _POLYNOMIAL if columns.searched else ()
    names = (*figures, *(f"polynomial_{key}" for key in polynomial))
    yield _record(["name", *map(_cell, keys), *names])
    for row in report.rows:
        architecture = (row.architecture.get(key) for key in keys)
        found = (figure(row) for figure in figures.values())
        more = ((row.polynomial_laws or {}).get(key) for key in polynomial)
        yield _record(map(_cell, (row.name, *architecture, *found, *more)))


def _record(cells: Iterable[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _cell(value: Any) -> str:
    text = value_text(value)
    number = isinstance(value, int | float)
    return "'" + text if not number and text.startswith(_UNSAFE) else text
