"""Writing files that are ours: whole or not at all, never over something else.

A file is replaced by writing another one beside it, waiting until that is on the disk, and renaming
it: whatever happens, the old file or the new one is there.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable

from conslaw_cli.errors import ConslawError, OutputError, SpecError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE}
_PIECE = 1 << 20
SOON = 0.1
"""Seconds until what is written is on the disk, at most: waiting for it takes as long as a hundred
short counts, and no longer for a hundred rows.
"""


def label(path: str) -> str:
    """Return a path as it is shown: quoted where it would not be one line of visible text."""
    return path if path and path.isprintable() else repr(path)


def unwritable(what: str, error: OSError | ValueError) -> ConslawError:
    """Return the error for something that cannot be written: OutputError where the path is fine,
    but it takes no more.

    what: the path and what cannot be done with it. A ValueError comes of a NUL in the path.
    """
    text = f"{what}: {getattr(error, 'strerror', None) or error}"
    full = isinstance(error, OSError) and error.errno in _FULL
    return OutputError(text) if full else SpecError(text)


def refuse_spec(output: str, spec: str | None, expected: str) -> None:
    """Raise SpecError if ``output`` is the file of the spec ("-": standard input), whatever the
    spelling of its path and through links.
    """
    if spec is not None and (is_stream(output, 0) if spec == "-" else is_same(output, spec)):
        raise SpecError(
            f"{label(output)}: expected {expected}, found none: this is the spec; name another file"
        )


def is_stream(path: str, descriptor: int) -> bool:
    """Whether a path is that of the file which a standard stream (0, 1 or 2) leads to."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except (OSError, ValueError):
        return False


def is_same(one: str, other: str) -> bool:
    """Whether two paths lead to one file that is there."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def special(path: str) -> bool:
    """Whether there is something at a path that is neither a file nor a directory: a pipe, a
    terminal, /dev/null.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def real_path(path: str) -> str:
    """Return where a file is, past all links, so that a link stays one when the file behind it is
    replaced. Raise OSError or ValueError (a NUL) if it can be no file.
    """
    if path.endswith(os.sep):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return os.path.realpath(path)


def beside() -> str:
    """Return a name for a file that is to become another one."""
    return f".conslaw-{os.urandom(8).hex()}"


def write_all(fd: int, data: bytes) -> None:
    """Write all of the data, however little of it the system takes at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def replace(
    path: str, pieces: Iterable[bytes], prepare: Callable[[int], None] = lambda fd: None
) -> int:
    """Put a file of these pieces in the place of the one at ``path``, which is no link; return its
    descriptor, for appending.

    prepare: called with the descriptor before the file is in its place.
    """
    name = os.path.join(os.path.dirname(path), beside())
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        prepare(fd)
        _take_after(fd, path)
        write_pieces(fd, pieces)
        os.replace(name, path)
    except BaseException:
        os.close(fd)
        # An interrupt may come when it is renamed already.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    sync_directory(path)
    return fd


class Disk:
    """Waits until what is written to a file is on the disk: at once, but no more than once in SOON
    seconds; what is written meanwhile is there after these.
    """

    def __init__(self) -> None:
        self._last = -math.inf
        self._timer: threading.Timer | None = None
        self._error: OSError | None = None

    def sync(self, fd: int) -> None:
        """Wait, or see to it that what is written by now is on the disk SOON. Raise OSError if what
        was written before is lost.
        """
        self._raise()
        if self._timer is not None:
            return
        if time.monotonic() - self._last < SOON:
            timer = threading.Timer(SOON, self._late, (fd,))
            timer.daemon = True
            with contextlib.suppress(RuntimeError):
                timer.start()
                self._timer = timer
                return
        os.fsync(fd)
        self._last = time.monotonic()

    def _late(self, fd: int) -> None:
        self._timer = None  # what is written from now on may not be on the disk afterwards
        try:
            os.fsync(fd)
        except OSError as error:
            self._error = error
        self._last = time.monotonic()

    def forget(self) -> bool:
        """Wait for nothing any more; return whether something was still to be waited for."""
        if (timer := self._timer) is None:
            return False
        timer.cancel()
        timer.join()
        return self._timer is not None

    def end(self, fd: int) -> None:
        """Wait for all that is written. Raise OSError if some of it is lost."""
        if self.forget():
            os.fsync(fd)
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def write_pieces(fd: int, pieces: Iterable[bytes]) -> None:
    """Write the pieces of a file and wait until they are on the disk."""
    held, size = [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _PIECE:
            write_all(fd, b"".join(held))
            held, size = [], 0
    write_all(fd, b"".join(held))
    os.fsync(fd)


def sync_directory(path: str) -> None:
    """Wait until the name of a file is on the disk, where the file system can do that."""
    with contextlib.suppress(OSError):
        fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _take_after(fd: int, path: str) -> None:
    """Give a file the mode and the owner of the one whose place it takes."""
    try:
        old = os.stat(path)
    except FileNotFoundError:
        return
    # Only root may give files away.
    with contextlib.suppress(OSError):
        os.fchown(fd, old.st_uid, old.st_gid)
    os.fchmod(fd, stat.S_IMODE(old.st_mode))
