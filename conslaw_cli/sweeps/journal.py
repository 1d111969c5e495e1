"""Lines on disk: a file that one process appends to while it holds a lock on it.

Nobody else is to change the file meanwhile, but people and programs do. All lines are held in a
file of our own too (held.py), and before anything is written the file is compared with them: what
it lost is written again, what others appended stays, and another file in its place is left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import count, islice
from typing import NamedTuple

from conslaw_cli.errors import SpecError
from conslaw_cli.sweeps import files
from conslaw_cli.sweeps.held import Lines


class _State(NamedTuple):
    """What differs once others have changed a file."""

    device: int
    inode: int
    size: int
    changed: int


class Journal:
    """The lines of the file at ``path``, which is created if need be and locked.

    lines: those held, without their ends; all that are to be in the file.
    warn: told what others did to the file.
    is_begun: whether a line without an end is the beginning of one that was being written.

    Raise OSError or ValueError (a NUL in the path) if the file cannot be written, SpecError if it
    is in use or no regular file. The methods raise OSError.
    """

    def __init__(
        self, path: str, warn: Callable[[str], None], is_begun: Callable[[bytes], bool]
    ) -> None:
        self.path = path
        self._warn = warn
        self._is_begun = is_begun
        self.real_path = files.real_path(path)
        self._disk = files.Disk()
        self._fd = _open_locked(path, self.real_path, os.O_CREAT)
        self.lines = Lines(os.path.dirname(self.real_path))
        self._seen = _state(os.fstat(self._fd))
        if not self._seen.size:
            files.sync_directory(self.real_path)

    @property
    def name(self) -> str:
        """The path as it is shown."""
        return files.label(self.path)

    def close(self) -> None:
        """Give the file and its lock free. Raise OSError if what was written last is lost."""
        try:
            self._disk.end(self._fd)
        finally:
            os.close(self._fd)
            self.lines.close()

    def in_file(self) -> Iterator[tuple[int, bytes]]:
        """Yield the numbers and the lines, with their ends, that are in the file and not blank."""
        yield from _lines(self._fd)

    def cut(self, half: bytes) -> None:
        """Take the last line, which has no end, away from the file."""
        os.ftruncate(self._fd, os.fstat(self._fd).st_size - len(half))
        self._look()

    def end(self) -> None:
        """Give the last line of the file an end."""
        self._write(b"\n")

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines and wait until they are on the disk, or will be soon (files.Disk)."""
        self._write(b"".join(line + b"\n" for line in lines))

    def replace(self, order: Sequence[int] | None = None) -> None:
        """Put the lines that are held, or those of these numbers in this order, into the place of
        the file, and of all.
        """
        ended = self.lines.ended(order)
        fd = files.replace(self.real_path, ended, lambda fd: _lock(fd, self.path))
        self._go_on_in(fd)
        if order is not None:
            self.lines.arrange(order)

    def compare(self, thorough: bool = False) -> list[bytes]:
        """Bring the file and what is held together; return the lines that others have added, which
        are held from now on.

        thorough: read the file even if neither its size nor its times have changed.
        """
        try:
            state = _state(os.stat(self.real_path))
        except (FileNotFoundError, NotADirectoryError):
            self._warn(f"{self.name}: was removed while in use; its lines are written again")
            if not self._create(self.real_path):
                self._go_beside()
            return []
        if state == self._seen and not thorough:
            return []
        return self._take(self._fd if state[:2] == self._seen[:2] else self._other())

    def _other(self) -> int | None:
        """Open the file that is at the path now; None if no lines can be kept in it."""
        try:
            return _open_locked(self.path, self.real_path)
        except (OSError, SpecError):
            return None

    def _take(self, fd: int | None) -> list[bytes]:
        """Go on in an open file, or beside it if it is another one: it has lines, but none of those
        held.
        """
        if fd is not None and self._has_all(fd):
            self._go_on_in(fd)
            return []
        whole = [] if fd is None else [line for _, line in _lines(fd)]
        half = whole.pop() if whole and self._is_half(whole[-1]) else b""
        found = [line.removesuffix(b"\n") for line in whole]
        held = set(map(_digest, self.lines))
        if fd is None or (found and held.isdisjoint(map(_digest, found))):
            if fd is not None and fd != self._fd:
                os.close(fd)
            self._go_beside()
            return []
        self._go_on_in(fd)
        lost = bool(half) or not held.issubset(map(_digest, found))
        added = [line for line in found if _digest(line) not in held]
        for line in added:
            self.lines.append(line)
        self._mend(lost, bool(whole) and not whole[-1].endswith(b"\n"))
        return added

    def _mend(self, lost: bool, unended: bool) -> None:
        if lost:
            self._warn(f"{self.name}: lost lines while in use; they are written again")
            self.replace()
        elif unended:
            self.end()

    def _is_half(self, line: bytes) -> bool:
        return not line.endswith(b"\n") and self._is_begun(line)

    def _has_all(self, fd: int) -> bool:
        """Whether a file has the lines that are held, and nothing else."""
        os.lseek(fd, 0, os.SEEK_SET)
        with open(fd, "rb", closefd=False) as file:
            for piece in _pieces(self.lines.ended()):
                if file.read(len(piece)) != piece:
                    return False
            return not file.read(1)

    def _go_beside(self) -> None:
        """Leave the path to the file that is there, and keep the lines under another name."""
        old = self.name
        number = next(n for n in count(1) if self._create(f"{self.real_path}.{n}"))
        self.path, self.real_path = f"{self.path}.{number}", f"{self.real_path}.{number}"
        self._warn(
            f"{old}: another file took its place and is left as it is; the lines are in {self.name}"
        )

    def _create(self, path: str) -> bool:
        """Go on in a new file with all lines. Return False if there is one already."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return False
        try:
            _lock(fd, path)
            files.write_pieces(fd, self.lines.ended())
        except BaseException:
            os.close(fd)
            os.unlink(path)
            raise
        files.sync_directory(path)
        self._go_on_in(fd)
        return True

    def _go_on_in(self, fd: int) -> None:
        if fd != self._fd:
            self._disk.forget()
            os.close(self._fd)
            self._fd, self._disk = fd, files.Disk()
        self._look()

    def _write(self, data: bytes) -> None:
        size = os.fstat(self._fd).st_size
        try:
            files.write_all(self._fd, data)
            self._disk.sync(self._fd)
        except OSError:
            with contextlib.suppress(OSError):
                written = os.fstat(self._fd).st_size - size
                os.ftruncate(self._fd, size + data.rfind(b"\n", 0, max(0, written)) + 1)
            raise
        self._look()

    def _look(self) -> None:
        self._seen = _state(os.fstat(self._fd))


_AT_ONCE = 1000
"""Lines that are compared at a time."""
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC


def _digest(line: bytes) -> bytes:
    return blake2b(line, digest_size=16).digest()


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    rest = iter(lines)
    while piece := b"".join(islice(rest, _AT_ONCE)):
        yield piece


def _state(status: os.stat_result) -> _State:
    return _State(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _lines(fd: int) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that are not blank, with their numbers and ends."""
    os.lseek(fd, 0, os.SEEK_SET)
    with open(fd, "rb", closefd=False) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line


def _open_locked(shown: str, path: str, create: int = 0) -> int:
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise SpecError(f"{files.label(shown)}: expected a regular file to keep rows in")
    while True:
        fd = os.open(path, _FLAGS | create, 0o666)
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
        raise SpecError(
            f"{files.label(shown)}: another sweep is writing to it; -o names another file"
        ) from None
    except OSError:
        # Some network file systems have no locks; a sweep there is still worth having.
        return
