"""JSON for programs: one object under a schema name; a row's keys are those of
``LawCount.to_json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from conslaw_cli.formats import Report
from conslaw_cli.formats.tally import Tally
from conslaw_cli.problems.records import LawCount


def render_json(report: Report) -> str:
    """Return strict JSON, in UTF-8 rather than escapes.

    Raise ValueError for a NaN or an infinity.
    """
    tally = Tally(report.rows, report.expected, kept=None) if report.command == "sweep" else None
    return "".join(pieces(report, tally, map(row_text, report.rows)))


def row_text(row: LawCount) -> str:
    """Return the text of a row, as it stands in a report."""
    return "    " + _dumped(row.to_json()).replace("\n", "\n    ")


def pieces(report: Report, tally: Tally | None, rows: Iterable[str]) -> Iterator[str]:
    """Yield the text of a report piece by piece, so that not all of it is held.

    tally: that of the rows of a sweep; rows: the texts of these.
    """
    value: dict[str, Any] = {"schema": f"conslaw.{report.command}/1"}
    if tally is not None:
        names = [row.name for row in tally.exceptions()]
        value["summary"] = {**tally.numbers(), "exceptions": names}
    before, after = _dumped({**value, "results": []}).rsplit("[]", 1)
    yield before
    number = 0
    for number, row in enumerate(rows, 1):
        yield ("[\n" if number == 1 else ",\n") + row
    yield ("\n  ]" if number else "[]") + after + "\n"


def _dumped(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
