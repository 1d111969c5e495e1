"""JSON for programs: one object under a schema name; a row's keys are those of
``LawCount.to_json``.
"""

from __future__ import annotations

import json
from typing import Any

from conslaw_cli.formats import Report
from conslaw_cli.formats.tally import Tally


def render_json(report: Report) -> str:
    """Return strict JSON, in UTF-8 rather than escapes.

    Raise ValueError for a NaN or an infinity.
    """
    value: dict[str, Any] = {"schema": f"conslaw.{report.command}/1"}
    if report.command == "sweep":
        tally = Tally(report.rows, report.expected, kept=None)
        names = [row.name for row in tally.exceptions()]
        value["summary"] = {**tally.numbers(), "exceptions": names}
    value["results"] = [row.to_json() for row in report.rows]
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
