"""The columns of a table of rows: what tells these apart, and their figures. They are found out row
by row, and no row is held.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from conslaw_cli.formats import Report
from conslaw_cli.formats.tally import Tally
from conslaw_cli.formats.words import flow_text, has_theory, label, value_text
from conslaw_cli.problems.records import LawCount

NONE = "-"


class Field(NamedTuple):
    """What a column shows of a row. ``figures``: its cells are counts, set to the right and as
    mathematics.
    """

    header: str
    cell: Callable[[LawCount], str]
    figures: bool


class _Key:
    """How the values of an architecture key are in all rows.

    late: the first row has none, so that its text is empty. shared: all texts are that of the
    first row. named: the rows' names say them. nested: a value is more than a table has room for,
    mappings or lists with them; JSON and CSV show it.
    """

    def __init__(self, value: Any, late: bool) -> None:
        self.text, self.late = "" if late else _shown(value), late
        self.shared = self.named = True
        self.nested = False

    def add(self, value: Any, name: str) -> None:
        """Take up the value in one row more."""
        self.nested |= isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(each, dict | list) for each in value)
        )
        if self.shared or self.named:
            text = _shown(value)
            self.shared &= text == self.text
            self.named &= not text or text in re.split(r"[\s=,;]+", label(name))


class Columns:
    """What the columns of a table of rows are, which are taken up one by one.

    expected: the number of laws of a row, by its name, where it is known beforehand.
    flowing: some row is not of gradient flow; bounded, searched: has a lower bound on its laws, was
    searched for polynomial laws; own: is of a map or of fields of one's own; unlisted: has unknown
    laws where no theory lists any.
    """

    def __init__(self, expected: Mapping[str, int]) -> None:
        self.flowing = self.bounded = self.searched = self.own = self.unlisted = False
        self._expected, self._compared, self._rows = expected, False, 0
        self._keys: dict[str, _Key] = {}

    @classmethod
    def of(cls, rows: Iterable[LawCount], expected: Mapping[str, int]) -> Columns:
        """Return those of these rows."""
        columns = cls(expected)
        for row in rows:
            columns.add(row)
        return columns

    def add(self, row: LawCount) -> None:
        """Take up one row more."""
        for key, value in row.architecture.items():
            if key not in self._keys:
                self._keys[key] = _Key(value, late=self._rows > 0)
        for key, found in self._keys.items():
            found.add(row.architecture.get(key), row.name)
        self._rows += 1
        self._compared |= row.name in self._expected
        self.flowing |= row.other_flow
        self.bounded |= row.laws_at_least is not None
        self.searched |= bool(row.polynomial_laws)
        self.own |= row.own
        self.unlisted |= bool(row.unknown_laws) and not has_theory(row)

    def keys(self) -> list[str]:
        """Return the architecture keys of all rows, each once, in order of appearance."""
        return list(self._keys)

    def shared(self) -> str:
        """Return the keys of the first row that have one value in all rows, as ``activation relu,
        bias false``.
        """
        return ", ".join(
            f"{label(key)} {of.text}"
            for key, of in self._keys.items()
            if of.shared and not of.nested and not of.late
        )

    def fields(self) -> list[Field]:
        """Return what the columns show of a row.

        An architecture key gets a column where it varies, unless the names say its values already
        or it is a nested value.
        """
        own = [key for key, of in self._keys.items() if not (of.shared or of.named or of.nested)]
        return [
            Field("name", lambda row: label(row.name), False),
            *(Field(label(key), partial(_text, key=key), False) for key in own),
            *([Field("flow", flow_text, False)] if self.flowing else []),
            *FIGURES[:1],
            *([_STATE] if self.flowing else []),
            *FIGURES[1:3],
            *([Field("expected", self._wanted, True)] if self._compared else []),
            *FIGURES[3:-1],
            *([_COMMUTING] if self.own else []),
            *([Field("polynomial", _polynomial, True)] if self.searched else []),
            *FIGURES[-1:],
        ]

    def _wanted(self, row: LawCount) -> str:
        return str(self._expected.get(row.name, NONE))


class Overview:
    """What a report says of all its rows before the first one, taken up row by row.

    versions: those of the algorithm that counted them.
    """

    def __init__(self, expected: Mapping[str, int]) -> None:
        self.tally, self.columns = Tally(expected), Columns(expected)
        self.versions = set[str]()

    @classmethod
    def of(cls, report: Report) -> Overview:
        """Return that of a report."""
        overview = cls(report.expected)
        for row in report.rows:
            overview.add(row)
        return overview

    def add(self, row: LawCount) -> None:
        """Take up one row more."""
        self.tally.add(row)
        self.columns.add(row)
        self.versions.add(row.version)


def _shown(value: Any) -> str:
    return label(value_text(value))


def _text(row: LawCount, key: str) -> str:
    return _shown(row.architecture.get(key))


def _count(key: str) -> Callable[[LawCount], str]:
    return lambda row: NONE if getattr(row, key) is None else str(getattr(row, key))


def _laws(row: LawCount) -> str:
    return _count("laws")(row) if row.laws_at_least is None else f"≥ {row.laws_at_least}"


def _known(row: LawCount) -> str:
    if row.known_listed is None:
        return NONE
    independent = row.laws_at_least if row.known_independent is None else row.known_independent
    return f"{min(independent or 0, row.known_listed)} of {row.known_listed}"


def _polynomial(row: LawCount) -> str:
    """Return how many independent laws are polynomials of the degree searched, and how many of
    these are new.
    """
    found = row.polynomial_laws
    if found is None:
        return NONE
    origins = f"({found['new']} new)" if has_theory(row) else "found"
    return f"{found['independent']} {origins} of degree ≤ {found['degree']}"


def _trace(row: LawCount) -> str:
    if row.trace is None:
        return NONE
    texts = list(map(str, row.trace.dimensions))
    return ", ".join(texts if row.trace.complete else [*texts[:-1], "…", texts[-1]])


def shortened(trace: str, size: int) -> str:
    """Return a trace with its last steps but one left out until it has at most so many letters, or
    is ``…`` and its end.
    """
    steps = [step for step in trace.split(", ") if step != "…"]
    while len(trace) > size and len(steps) > 1:
        del steps[-2]
        trace = ", ".join([*steps[:-1], "…", steps[-1]])
    return trace


def _answer(key: str) -> Callable[[LawCount], str]:
    return lambda row: {None: NONE, True: "yes", False: "no"}[getattr(row, key)]


_STATE = Field("state", _count("state"), True)
_COMMUTING = Field("commuting", _answer("commuting"), False)
FIGURES = (
    Field("D", _count("parameters"), True),
    Field("dim Lie", _count("dim_lie"), True),
    Field("laws", _laws, True),
    Field("known", _known, True),
    Field("unknown", _count("unknown_laws"), True),
    Field("trace", _trace, True),
    Field("involutive", _answer("involutive"), False),
    Field("verdict", lambda row: row.verdict, False),
)
