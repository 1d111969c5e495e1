"""What the summary of many rows says, taken up row by row: no rows are held but the exceptions
that are shown.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Mapping

from conslaw_cli.problems.records import VERDICTS, LawCount

SHOWN = 20
"""Exceptions of a sweep that are listed one by one."""


class Tally:
    """The numbers of rows that ended in each way, and the exceptions: rows that are not proved,
    have unknown laws or are not as ``expected``.

    kept: hold so many exceptions at most; None holds all.
    found: how many there are. worst_error: the largest error probability of a computed row.
    """

    def __init__(
        self,
        rows: Iterable[LawCount],
        expected: Mapping[str, int],
        kept: int | None = SHOWN,
    ) -> None:
        self.verdicts, self.found = Counter[str](), 0
        self.worst_error: float | None = None
        self._expected, self._kept = expected, kept
        self._unknown = self._compared = self._as_expected = 0
        self._worst_first: list[tuple[tuple[bool, int, int], LawCount]] = []
        for row in rows:
            self.add(row)

    def add(self, row: LawCount) -> None:
        """Take up one row more."""
        self.verdicts[row.verdict] += 1
        self._unknown += bool(row.unknown_laws)
        wanted = self._expected.get(row.name)
        self._compared += wanted is not None
        self._as_expected += wanted is not None and row.laws == wanted
        if row.verdict == "computed" and row.error_bound is not None:
            self.worst_error = max(self.worst_error or 0.0, row.error_bound)
        unexpected = wanted is not None and row.laws != wanted
        if unexpected or row.unknown_laws or row.verdict != "proved":
            self._add_exception(row, unexpected)

    def _add_exception(self, row: LawCount, unexpected: bool) -> None:
        rank = (not unexpected, -VERDICTS.index(row.verdict), self.found)
        self.found += 1
        insort(self._worst_first, (rank, row), key=lambda each: each[0])
        if self._kept is not None:
            del self._worst_first[self._kept :]

    def exceptions(self) -> list[LawCount]:
        """Return those held: not as expected first, then by verdict, the worst first."""
        return [row for _, row in self._worst_first]

    def numbers(self) -> dict[str, int]:
        """Return how many rows there are of each kind."""
        return {
            "rows": self.verdicts.total(),
            **{verdict: self.verdicts[verdict] for verdict in VERDICTS},
            "with_unknown_laws": self._unknown,
            "expected": self._compared,
            "as_expected": self._as_expected,
        }
