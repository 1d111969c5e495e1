"""The file of a report (``-o``) or a picture (``--plot``): new, or an earlier one of its kind that
is replaced as a whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from conslaw_cli.errors import SpecError
from conslaw_cli.formats.openings import HEAD, is_arrays, is_picture, is_report
from conslaw_cli.sweeps import files, signals
from conslaw_cli.sweeps.lines import resembles_row


class Kind(NamedTuple):
    """What a file is to hold, and whether one with these first bytes holds an earlier one."""

    name: str
    known: Callable[[bytes], bool]

    @property
    def expected(self) -> str:
        """What may be at its path."""
        return f"no file or an earlier {self.name}"


REPORT = Kind("report", is_report)
PICTURE = Kind("picture", is_picture)
ARRAYS = Kind("file of arrays", is_arrays)


def check(path: str, spec: str | None, kind: Kind = REPORT) -> None:
    """Raise SpecError if a file of this kind must not or cannot be written there.

    It must not if that is the spec ("-": standard input), rows of a sweep, or anything else that
    is not of its kind.
    """
    files.refuse_spec(path, spec, kind.expected)
    # Opening and closing a pipe would already be an empty answer to who reads it.
    if _direct(path):
        return
    with _clear_errors(path), signals.held_back():
        real = files.real_path(path)
        if os.path.exists(real):
            _check_earlier(path, real, kind)
            real = os.path.join(os.path.dirname(real), files.beside())
        os.close(os.open(real, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        os.unlink(real)


def save(path: str, data: bytes, kind: Kind = REPORT) -> None:
    """Write a file where :func:`check` allows it, whole or not at all."""
    if _direct(path):
        with _clear_errors(path), open(path, "ab", buffering=0) as stream:
            files.write_all(stream.fileno(), data)
        return
    with _clear_errors(path), signals.held_back():
        real = files.real_path(path)
        if os.path.exists(real):
            _check_earlier(path, real, kind)
        os.close(files.replace(real, [data]))


def is_kept(path: str) -> bool:
    """Whether there is an earlier report, which only a whole one may replace."""
    return not _direct(path) and os.path.exists(path) and os.path.getsize(path) > 0


def _direct(path: str) -> bool:
    """Whether a path leads to something that has no contents to be replaced."""
    return files.special(path) or files.is_stream(path, 1) or files.is_stream(path, 2)


def _check_earlier(path: str, real: str, kind: Kind) -> None:
    with open(real, "rb+") as file:
        head, locked = file.read(HEAD), _is_locked(file)
    if locked or resembles_row(head.split(b"\n")[0]):
        raise SpecError(f"{files.label(path)}: holds rows of a sweep; name another file")
    if head and not kind.known(head):
        raise SpecError(
            f"{files.label(path)}: expected {kind.expected}, found something else; name another"
            " file or remove it"
        )


def _is_locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


@contextlib.contextmanager
def _clear_errors(path: str) -> Iterator[None]:
    """Say of a path that cannot be written why; raise SpecError if the path is wrong."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise files.unwritable(f"{files.label(path)}: cannot be written", error) from None
