"""JSON for programs: one object under a schema name; a row's keys are those of
``LawCount.to_json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from conslaw_cli.formats import Report
from conslaw_cli.formats.columns import Overview


def pieces(report: Report, overview: Overview) -> Iterator[str]:
    """Yield strict JSON, in UTF-8 rather than escapes.

    Raise ValueError for a NaN or an infinity.
    """
    value: dict[str, Any] = {"schema": f"conslaw.{report.command}/1"}
    lists = [_array((row.to_json() for row in report.rows), "  ")]
    if report.command == "sweep":
        value["summary"] = {**overview.tally.numbers(), "exceptions": []}
        names = (row.name for row in overview.tally.exceptions(report.rows))
        lists.insert(0, _array(names, "    "))
    start, *rest = _dumped({**value, "results": []}).split("[]")
    yield start
    for array, text in zip(lists, rest, strict=True):
        yield from array
        yield text
    yield "\n"


def _array(values: Iterable[Any], indent: str) -> Iterator[str]:
    """Yield the text of a list piece by piece. indent: how the line begins that it ends in."""
    number = 0
    for number, value in enumerate(values, 1):
        text = _dumped(value).replace("\n", f"\n{indent}  ")
        yield f"{'[' if number == 1 else ','}\n{indent}  {text}"
    yield f"\n{indent}]" if number else "[]"


def _dumped(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
