"""How the rows of a sweep stand to those that its spec names as published, on stderr."""

from __future__ import annotations

from conslaw_cli.cli.options import say
from conslaw_cli.problems.records import LawCount
from conslaw_cli.sweeps import files
from conslaw_cli.sweeps.published import Published

_NAMED = 20
"""How many rows that differ are named at most."""


class AsPublished:
    """Compare row by row with the file at ``path``, then say what was found.

    None: with nothing; nor where the rows themselves are kept in that file, ``rows``, which is how
    they are published. A file that cannot be read is one line on stderr.
    """

    def __init__(self, path: str | None, rows: str) -> None:
        self._published: Published | None = None
        self._compared = self._same = self._new = self._differing = 0
        self._better = self._proved = 0
        self._named: list[str] = []
        if path is None or files.is_same(path, rows):
            return
        try:
            self._published = Published(path)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            self._named.append(f"{files.label(path)}: the published rows cannot be read: {why}")

    def add(self, row: LawCount) -> None:
        """Compare a row."""
        if self._published is None:
            return
        found = self._published.compare(row)
        self._compared += 1
        self._new += found.new
        self._better += found.better
        self._proved += found.better and row.verdict == "proved"
        self._same += not found.new and found.differs is None
        if found.differs is not None:
            self._differs(f"{files.label(row.name)}: {found.differs}")

    def end(self) -> bool:
        """Name the rows that differ, say how many are as published, return whether all are."""
        if self._published is not None:
            for name in self._published.left():
                self._differs(f"{name}: published, but not among these rows")
        for line in self._named:
            say(line)
        if self._published is None:
            return True
        if self._differing > _NAMED:
            say(f"and {self._differing - _NAMED} more rows that are not as published")
        now = "proved now" if self._proved == self._better else "of a better verdict now"
        better = f", {self._better} of them better: {now}" if self._better else ""
        new = f"; {self._new} not published" if self._new else ""
        say(f"{self._same} of {self._compared} rows as published{better}{new}")
        return not self._differing

    def _differs(self, how: str) -> None:
        self._differing += 1
        if self._differing <= _NAMED:
            self._named.append(how)
