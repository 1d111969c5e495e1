"""Finished rows on disk: a JSON Lines file that one process appends to and the next finds its rows
in.

A row is found by its name and the hash of the job that it answers. Lines of other jobs and lines
that are no rows are kept as they are. A damaged row goes to ``FILE.rejected``, and its job is done
again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from conslaw_cli.errors import OutputError, SpecError
from conslaw_cli.problems.records import VERDICTS, LawCount
from conslaw_cli.sweeps import files, lines, signals
from conslaw_cli.sweeps.journal import Journal

RowId = tuple[str, str]
"""The hash of a job and the name of its row."""

NAMED = 100
"""How many damaged lines are named at most."""


class _Rejected(NamedTuple):
    number: int
    line: bytes
    why: str


class Store:
    """The rows in the file at ``path``, which is created if need be and locked against other
    sweeps.

    version: rows of another version of the algorithm are not found, and make room for new ones.
    warn: told what is odd about the file; half of a last line is cut off.

    Raise SpecError if the file cannot be written, is in use by another sweep, or is not one that a
    sweep wrote: that is left as it is. Later OutputError is raised if rows cannot be written; they
    are found nevertheless.
    """

    def __init__(self, path: str, version: str, warn: Callable[[str], None]) -> None:
        self._version = version
        self._warn = warn
        self._lost = False
        self._ids: list[bytes | None] = []
        self._best: dict[bytes, tuple[int, bytes]] = {}
        with _opening(path):
            self._journal = Journal(path, warn, lines.is_begun)
        try:
            with _opening(path):
                self._read()
        except BaseException:
            self._journal.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if not self._lost:
                with self._writing():
                    self._compare()
        finally:
            with self._writing():
                self._journal.close()

    @property
    def path(self) -> str:
        """Where the rows are, as it is shown: another path once another file is at the first."""
        return self._journal.name

    # ---- rows

    def get(self, row_id: RowId) -> LawCount | None:
        """Read the best row under this id, the last one of these; its verdict may be "failed".

        A line that cannot be read although its digest holds is rejected, and there is no row.
        """
        best = self._best.get(lines.row_id(*row_id))
        if best is None:
            return None
        try:
            return lines.decode(best[1])
        except ValueError as error:
            self._give_up(best[1], str(error))
            return self.get(row_id)

    def verdict(self, row_id: RowId) -> str | None:
        """Return the verdict of the row that :meth:`get` returns, without parsing that."""
        best = self._best.get(lines.row_id(*row_id))
        return VERDICTS[-best[0]] if best else None

    def append(self, key: str, row: LawCount) -> None:
        """Write one line: nobody loses it but a power cut within a tenth of a second, after which
        it is on the disk.
        """
        line, id_ = lines.encode(key, row), lines.row_id(key, row.name)
        try:
            if not self._lost:
                with self._writing():
                    self._compare()
                    self._journal.append(line)
        finally:
            # It is found even if the disk is full.
            self._journal.lines.append(line)
            self._learn(line, lines.Head(id_, row.version, row.verdict))

    def settle(self, ids: Iterable[RowId]) -> None:
        """Put the rows under these ids first, in this order and one each; all other lines follow in
        theirs, but for rows under the same ids that are no better.

        So the file does not depend on the number of workers, nor on how often the sweep was
        interrupted.
        """
        if self._lost:
            return
        with self._writing():
            self._compare(thorough=True)
            order = self._settled(lines.row_id(*each) for each in ids)
            if order == self._journal.lines:
                return
            try:
                self._replace(order)
            except OSError as error:
                self._warn(
                    f"{self.path}: rows stay in the order they were finished in: {error.strerror}"
                )

    def _settled(self, ids: Iterable[bytes]) -> list[bytes]:
        best = {id_: self._best[id_] for id_ in dict.fromkeys(ids) if id_ in self._best}
        rest = [
            line
            for line, id_ in zip(self._journal.lines, self._ids, strict=True)
            if id_ not in best
            or (line is not best[id_][1] and lines.head(line).rank > best[id_][0])
        ]
        return [line for _, line in best.values()] + rest

    def _replace(self, order: list[bytes]) -> None:
        """Put some of the lines that are held, in this order, into the place of all."""
        ids = dict(zip(map(id, self._journal.lines), self._ids, strict=True))
        self._journal.replace(order)
        self._ids = [ids[id(line)] for line in order]

    def _compare(self, thorough: bool = False) -> None:
        for line in self._journal.compare(thorough):
            self._learn(line)

    # ---- what is known of the lines

    def _learn(self, line: bytes, head: lines.Head | None = None) -> None:
        """Note what a line is, which stands after all that were noted."""
        if head is None:
            with contextlib.suppress(ValueError):
                head = lines.head(line)
        self._ids.append(head and head.id)
        if head is None or head.version != self._version or not head.rank:
            return
        if head.id not in self._best or self._best[head.id][0] <= head.rank:
            self._best[head.id] = (head.rank, line)

    # ---- opening

    def _read(self) -> None:
        """Read the file; what is not to be there is rejected or cut off, if a sweep wrote it."""
        rejected: list[_Rejected] = []
        unreadable, line, half = 0, b"\n", b""
        for number, line in self._journal.in_file():
            if not line.endswith(b"\n") and lines.is_begun(line):
                half = line
            else:
                unreadable += self._sort(number, line.removesuffix(b"\n"), rejected)
        self._check_rows(unreadable, len(rejected), half)
        with signals.held_back():
            if half:
                self._journal.cut(half)
                self._warn(f"{self.path}: cut off a half-written last line of {len(half)} bytes")
            elif not line.endswith(b"\n"):
                self._journal.end()
            if rejected:
                self._reject(rejected)

    def _sort(self, number: int, line: bytes, rejected: list[_Rejected]) -> bool:
        """Hold a line or reject it. Return whether it is neither a row nor one that is damaged."""
        head = None
        try:
            head = lines.head(line)
        except ValueError as error:
            if lines.resembles_row(line):
                rejected.append(_Rejected(number, line, str(error)))
                return False
        self._journal.lines.append(line)
        self._learn(line, head)
        return head is None

    def _check_rows(self, unreadable: int, rejected: int, half: bytes) -> None:
        """Refuse a file that no sweep wrote, such as a report named by mistake, before it is
        changed.
        """
        foreign = unreadable or (half and not half.strip(b"\0"))
        if foreign and not rejected and unreadable == len(self._journal.lines):
            raise SpecError(
                f"{self.path}: expected rows of a sweep, found none; name another file or remove it"
            )
        if unreadable:
            what = "line is" if unreadable == 1 else "lines are"
            self._warn(f"{self.path}: {unreadable} unreadable {what} ignored and kept")

    def _reject(self, rejected: list[_Rejected]) -> None:
        """Move damaged lines, which are not held, to a file of their own."""
        _add_rejected(f"{self._journal.path}.rejected", [each.line for each in rejected])
        self._journal.replace(self._journal.lines)
        place = f"the line is now in {self.path}.rejected"
        for number, _, why in rejected[:NAMED]:
            self._warn(f"{self.path}:{number}: {why}; {place}")
        if len(rejected) > NAMED:
            self._warn(f"{self.path}: {len(rejected) - NAMED} more lines are damaged and there")

    def _give_up(self, line: bytes, why: str) -> None:
        """Reject a line that is held."""
        with self._writing():
            self._compare()
            number = self._journal.lines.index(line)
            del self._journal.lines[number]
            self._ids, self._best = [], {}
            for each in self._journal.lines:
                self._learn(each)
            self._reject([_Rejected(number + 1, line, why)])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold signals back; where the disk cannot be written, raise OutputError and give it up."""
        try:
            with signals.held_back():
                yield
        except OSError as error:
            self._lost = True
            raise OutputError(f"{self.path}: cannot keep rows there: {error.strerror}") from None


@contextlib.contextmanager
def _opening(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise files.unwritable(f"{files.label(path)}: cannot keep rows there", error) from None


def _add_rejected(path: str, rejected: list[bytes]) -> None:
    """Append lines to the file of rejected ones; raise SpecError if another file has that name."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        first = os.pread(fd, 1 << 16, 0).split(b"\n")[0]
        if first and not lines.resembles_row(first):
            raise SpecError(
                f"{files.label(path)}: expected rejected rows of a sweep, found something else;"
                " move it away"
            )
        files.write_pieces(fd, (line + b"\n" for line in rejected))
    finally:
        os.close(fd)
