"""What the summary of many rows says, taken up row by row: no rows are held, but of exceptions
where they stand among the rows.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from heapq import merge
from itertools import chain, islice, product

from conslaw_cli.formats import Rows
from conslaw_cli.problems.records import OPEN, VERDICTS, LawCount, Verdict

SHOWN = 20
"""Exceptions of a sweep that are listed one by one."""


class Tally:
    """The numbers of rows that ended in each way, and the exceptions: rows that are not proved,
    have unknown laws or are not as ``expected``.

    worst_error: the largest error probability of a computed row.
    """

    def __init__(self, expected: Mapping[str, int]) -> None:
        self.verdicts = Counter[str]()
        self.worst_error: float | None = None
        self._expected = expected
        self._unknown = self._compared = self._as_expected = 0
        self._places: dict[tuple[bool, Verdict], array[int]] = {
            key: array("q") for key in product((True, False), reversed(VERDICTS))
        }

    def add(self, row: LawCount) -> None:
        """Take up one row more."""
        wanted = self._expected.get(row.name)
        unexpected = wanted is not None and row.laws != wanted
        if unexpected or row.unknown_laws or row.verdict != "proved":
            self._places[unexpected, row.verdict].append(self.verdicts.total())
        self.verdicts[row.verdict] += 1
        self._unknown += bool(row.unknown_laws)
        self._compared += wanted is not None
        self._as_expected += wanted is not None and not unexpected
        if row.verdict == "computed" and row.error_bound is not None:
            self.worst_error = max(self.worst_error or 0.0, row.error_bound)

    @property
    def found(self) -> int:
        """How many exceptions there are."""
        return sum(map(len, self._places.values()))

    def exceptions(self, rows: Rows) -> Iterator[LawCount]:
        """Yield the exceptions among the rows that were taken up: not as expected first, then by
        verdict, the worst first.
        """
        return map(rows.__getitem__, chain.from_iterable(self._places.values()))

    def shown(self, rows: Rows) -> list[LawCount]:
        """Return the first exceptions, which are listed one by one."""
        return list(islice(self.exceptions(rows), SHOWN))

    def open(self, rows: Rows) -> Iterator[LawCount]:
        """Yield the rows without a count, in their order."""
        places = (
            self._places[unexpected, verdict] for unexpected in (True, False) for verdict in OPEN
        )
        return map(rows.__getitem__, merge(*places))

    def numbers(self) -> dict[str, int]:
        """Return how many rows there are of each kind."""
        return {
            "rows": self.verdicts.total(),
            **{verdict: self.verdicts[verdict] for verdict in VERDICTS},
            "with_unknown_laws": self._unknown,
            "expected": self._compared,
            "as_expected": self._as_expected,
        }
