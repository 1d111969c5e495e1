"""Finished rows on disk: a JSON Lines file that one process appends to and the next finds its rows
in.

A row is found by its name and the hash of the job that it answers. Lines of other jobs and lines
that are no rows are kept as they are. A damaged row goes to ``FILE.rejected``, and its job is done
again.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

from conslaw_cli.errors import OutputError, SpecError
from conslaw_cli.problems.records import VERDICTS, LawCount
from conslaw_cli.sweeps import files, lines, signals
from conslaw_cli.sweeps.journal import Journal

RowId = tuple[str, str]
"""The hash of a job and the name of its row."""

NAMED = 100
"""How many damaged lines are named at most."""


_Best = int
"""The number of the best line under an id, times _RANKS, plus the rank of its verdict."""
_RANKS = 8


def _key(row_id: bytes) -> bytes:
    """Return what stands for an id in memory; two of 10^12 are the same once in 10^14 times."""
    return blake2b(row_id, digest_size=16).digest()


def _head_of(line: bytes) -> lines.Head | None:
    try:
        return lines.head(line)
    except ValueError:
        return None


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
        self._best: dict[bytes, _Best] = {}
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
        best = self._best.get(_key(lines.row_id(*row_id)))
        if best is None:
            return None
        number = best // _RANKS
        try:
            return lines.decode(self._journal.lines[number])
        except ValueError as error:
            self._give_up(number, str(error))
            return self.get(row_id)

    @property
    def empty(self) -> bool:
        """Whether no row is found."""
        return not self._best

    def verdict(self, row_id: RowId) -> str | None:
        """Return the verdict of the row that :meth:`get` returns, without reading that."""
        best = self._best.get(_key(lines.row_id(*row_id)))
        return VERDICTS[-(best % _RANKS)] if best is not None else None

    def append(self, rows: Iterable[tuple[str, LawCount]]) -> None:
        """Write rows, each with the key of its job: nobody loses them but a power cut within a
        tenth of a second, after which they are on the disk.
        """
        added = [(lines.encode(key, row), key, row) for key, row in rows]
        try:
            if added and not self._lost:
                with self._writing():
                    self._compare()
                    self._journal.append([line for line, _, _ in added])
        finally:
            # They are found even if the disk is full.
            for line, key, row in added:
                self._journal.lines.append(line)
                self._learn(lines.Head(lines.row_id(key, row.name), row.version, row.verdict))

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
            order = self._settled(_key(lines.row_id(*each)) for each in ids)
            if order == array("q", range(len(self._ids))):
                return
            try:
                self._replace(order)
            except OSError as error:
                self._warn(
                    f"{self.path}: rows stay in the order they were finished in: {error.strerror}"
                )

    def _settled(self, keys: Iterable[bytes]) -> array[int]:
        """Return the numbers of the lines that stay, in their order."""
        settled = {key: self._best[key] for key in dict.fromkeys(keys) if key in self._best}
        order = array("q", (best // _RANKS for best in settled.values()))
        order.extend(
            number
            for number, key in enumerate(self._ids)
            if key is None
            or (best := settled.get(key)) is None
            or (number != best // _RANKS and self._head(number).rank > best % _RANKS)
        )
        return order

    def _head(self, number: int) -> lines.Head:
        return lines.head(self._journal.lines[number])

    def _replace(self, order: array[int]) -> None:
        """Put some of the lines that are held, in this order, into the place of all."""
        self._journal.replace(order)
        places = array("q", bytes(8 * len(self._ids)))
        for place, number in enumerate(order):
            places[number] = place
        self._ids = [self._ids[number] for number in order]
        for key, best in self._best.items():
            self._best[key] = places[best // _RANKS] * _RANKS + best % _RANKS

    def _compare(self, thorough: bool = False) -> None:
        for line in self._journal.compare(thorough):
            self._learn(_head_of(line))

    # ---- what is known of the lines

    def _learn(self, head: lines.Head | None) -> None:
        """Note what a line is, which stands after all that were noted."""
        key = None if head is None else _key(head.id)
        number = len(self._ids)
        self._ids.append(key)
        if key is None or head is None or head.version != self._version or not head.rank:
            return
        if key not in self._best or self._best[key] % _RANKS <= head.rank:
            self._best[key] = number * _RANKS + head.rank

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
        self._learn(head)
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
        self._journal.replace()
        place = f"the line is now in {self.path}.rejected"
        for number, _, why in rejected[:NAMED]:
            self._warn(f"{self.path}:{number}: {why}; {place}")
        if len(rejected) > NAMED:
            self._warn(f"{self.path}: {len(rejected) - NAMED} more lines are damaged and there")

    def _give_up(self, number: int, why: str) -> None:
        """Reject a line that is held."""
        with self._writing():
            self._compare()
            held = self._journal.lines
            line = held[number]
            held.arrange([each for each in range(len(held)) if each != number])
            self._ids, self._best = [], {}
            for each in held:
                self._learn(_head_of(each))
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
