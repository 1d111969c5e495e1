"""Finished rows on disk: a JSON Lines file that one process appends to and the next finds its rows
in.

A line is a row's JSON object with one more key, ``job``: the hash of the job it answers. A row is
found by that hash and its name. Lines of other jobs and lines that cannot be read are kept as they
are.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, get_args

from conslaw_cli import signals
from conslaw_cli.errors import SpecError
from conslaw_cli.report import LawCount, Verdict

RowId = tuple[str, str]
"""The hash of a job and the name of its row."""


class _Line(NamedTuple):
    raw: bytes
    id: RowId | None
    row: LawCount | None


class Store:
    """The rows in the file at ``path``, which is created if need be and locked against other
    sweeps.

    version: rows of another version of the algorithm are not found, and make room for new ones.
    warn: told what is odd about the file; half of a last line is cut off.

    Raise SpecError if the file cannot be written, is in use by another sweep, or holds no rows but
    other text.
    """

    def __init__(self, path: str, version: str, warn: Callable[[str], None]) -> None:
        self.path = path
        self._version = version
        self._warn = warn
        with self._clear_errors():
            # A link must stay one when the file behind it is replaced.
            self._real_path = os.path.realpath(path)
            self._fd = _open_locked(path, self._real_path)
        try:
            with self._clear_errors():
                self._lines = self._read()
        except BaseException:
            os.close(self._fd)
            raise
        self._rows = {
            line.id: line.row for line in self._lines if line.row is not None and self._found(line)
        }

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            os.fsync(self._fd)
        os.close(self._fd)

    def get(self, row_id: RowId) -> LawCount | None:
        """Return the last row under this id, whatever its verdict."""
        return self._rows.get(row_id)

    def append(self, key: str, row: LawCount) -> None:
        """Write one line and wait until it is on the disk: a power cut loses nothing that was
        finished.
        """
        line = _line(key, row)
        with self._clear_errors():
            _write(self._fd, line.raw + b"\n")
            os.fsync(self._fd)
        self._lines.append(line)
        self._rows[key, row.name] = row

    def drop(self, ids: Iterable[RowId]) -> None:
        """Remove all rows under these ids."""
        gone = set(ids)
        with self._clear_errors(), signals.held_back():
            self._replace([line for line in self._lines if line.id not in gone])
        self._rows = {row_id: row for row_id, row in self._rows.items() if row_id not in gone}

    def settle(self, ids: Iterable[RowId]) -> None:
        """Put the rows under these ids first, in this order and one each; all other lines follow in
        theirs.

        So the file does not depend on the number of workers, nor on how often the sweep was
        interrupted.
        """
        order = list(dict.fromkeys(ids))
        last = {line.id: line for line in self._lines if self._found(line)}
        wanted = [last[row_id] for row_id in order if row_id in last]
        answered = {line.id for line in wanted}
        rest = [line for line in self._lines if line.id not in answered]
        try:
            with signals.held_back():
                self._replace(wanted + rest)
        except OSError as error:
            self._warn(
                f"{self.path}: rows stay in the order they were finished in: {error.strerror}"
            )

    def _found(self, line: _Line) -> bool:
        return line.row is not None and line.row.version == self._version

    def _read(self) -> list[_Line]:
        with open(self._fd, "rb", closefd=False) as file:
            *whole, half = file.read().split(b"\n")
        lines = [_parse(raw) for raw in whole if raw.strip()]
        if half.strip() and (last := _parse(half)).row is not None:
            os.write(self._fd, b"\n")
            lines.append(last)
            half = b""
        self._check_rows(lines, half)
        if half:
            os.ftruncate(self._fd, sum(len(raw) + 1 for raw in whole))
            self._warn(f"{self.path}: cut off a half-written last line of {len(half)} bytes")
        return lines

    def _check_rows(self, lines: list[_Line], half: bytes) -> None:
        """Refuse a file that no sweep wrote, such as a report named by mistake, before it is
        changed.
        """
        unreadable = sum(1 for line in lines if line.row is None)
        begun = not half.strip() or half.startswith(b"{")
        if (lines and unreadable == len(lines)) or (not lines and not begun):
            raise SpecError(
                f"{self.path}: expected rows of a sweep, found none; name another file or remove it"
            )
        if unreadable:
            self._warn(f"{self.path}: {unreadable} unreadable lines are ignored and kept")

    def _replace(self, lines: list[_Line]) -> None:
        if lines == self._lines:
            return
        old_mode = stat.S_IMODE(os.fstat(self._fd).st_mode)
        fd, name = tempfile.mkstemp(dir=os.path.dirname(self._real_path), prefix=".conslaw-")
        try:
            _lock(fd, self.path)
            os.fchmod(fd, old_mode)
            _write(fd, b"".join(line.raw + b"\n" for line in lines))
            os.fsync(fd)
            os.replace(name, self._real_path)
        except BaseException:
            os.close(fd)
            os.unlink(name)
            raise
        os.close(self._fd)
        self._fd, self._lines = fd, lines

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            what = error.strerror if isinstance(error, OSError) else error
            raise SpecError(f"{self.path}: cannot keep rows there: {what}") from None


def _open_locked(shown: str, path: str) -> int:
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise SpecError(f"{shown}: expected a regular file to keep rows in")
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            _lock(fd, shown)
            # A sweep that ended just now may have replaced the file between the two calls.
            if os.path.samestat(os.fstat(fd), os.stat(path)):
                return fd
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _lock(fd: int, shown: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SpecError(f"{shown}: another sweep is writing to it; -o names another file") from None
    except OSError:
        # Some network file systems have no locks; a sweep there is still worth having.
        return


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _line(key: str, row: LawCount) -> _Line:
    text = json.dumps({**row.to_json(), "job": key}, separators=(",", ":"), allow_nan=False)
    return _Line(text.encode("ascii"), (key, row.name), row)


def _parse(raw: bytes) -> _Line:
    try:
        record = json.loads(raw)
        key = record.pop("job")
        row = LawCount.from_json(record)
        texts = isinstance(key, str) and isinstance(row.name, str)
        if texts and row.verdict in get_args(Verdict) and row.to_json() == record:
            return _Line(raw, (key, row.name), row)
        return _Line(raw, None, None)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return _Line(raw, None, None)
