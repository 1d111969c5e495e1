"""Rows that were published, which those of a new run are held against."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from conslaw_cli import checks
from conslaw_cli.errors import SpecError
from conslaw_cli.problems.records import VERDICTS, LawCount, Verdict
from conslaw_cli.sweeps.files import label
from conslaw_cli.sweeps.lines import name_of

_NOT_COMPARED = ("evidence", "seed", "version", "seconds", "job", "digest")
"""What a run may do otherwise: how it was shown, with which random choices, when."""


class Comparison(NamedTuple):
    """How a row stands to the published one. ``differs``: in what, None if in nothing; ``better``:
    its verdict is a better one, with the same numbers as far as those were known, and no fewer laws
    than these were at least; ``new``: none was published.
    """

    differs: str | None = None
    better: bool = False
    new: bool = False


class Published:
    """The rows of the file at ``path``, found by their names. It is read, and stays as it is.

    Only places in the file are held, no rows. Raise OSError or ValueError (a NUL in the path) if
    it cannot be read, SpecError at a line that is no row.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        with self._path.open("rb") as file:
            self._places = dict(_places(file, label(path)))

    def compare(self, row: LawCount) -> Comparison:
        """Hold a row against the published one of its name, which is taken out."""
        place = self._places.pop(row.name, None)
        if place is None:
            return Comparison(new=True)
        try:
            with self._path.open("rb") as file:
                file.seek(place)
                return _compared(row.to_json(), json.loads(file.readline()))
        except (OSError, ValueError, AttributeError):
            return Comparison("its published row is damaged")

    def left(self) -> list[str]:
        """Return the names of the published rows that nothing was held against, as shown."""
        return [label(name) for name in self._places]


def _places(file: Iterator[bytes], path: str) -> Iterator[tuple[str, int]]:
    place = 0
    for number, line in enumerate(file, start=1):
        if (name := name_of(line)) is not None:
            yield name, place
        elif line.strip():
            text = line.decode("utf-8", "replace").rstrip("\n")
            raise SpecError(f"{path}:{number}: expected a published row, got {checks.shown(text)}")
        place += len(line)


def _rank(verdict: Verdict) -> int:
    return VERDICTS.index(verdict)


def _compared(row: dict[str, Any], published: dict[str, Any]) -> Comparison:
    before = published.get("verdict")
    better = before in ("computed", "bounded") and _rank(row["verdict"]) < _rank(before)
    apart = {*_NOT_COMPARED, *(["verdict"] if better else [])}
    if better and before == "bounded" and row["laws"] >= published["laws_at_least"]:
        apart |= {key for key in row if published.get(key) is None} | {"laws_at_least"}
    # The bound depends on the primes, and they on the seed.
    if better or row["seed"] != published.get("seed"):
        apart.add("error_bound")
    parts = [
        f"{key} {json.dumps(row.get(key))}, published {json.dumps(published.get(key))}"
        for key in dict.fromkeys((*row, *published))
        if key not in apart and row.get(key, ...) != published.get(key, ...)
    ]
    return Comparison("; ".join(parts) or None, better and not parts)
