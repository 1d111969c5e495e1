"""Lines that are held without taking memory: in a file that nobody else sees, and that is gone with
the process. In memory there is where each of them is, 16 bytes a line.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from conslaw_cli.sweeps import files

BLOCK = 1 << 16
"""Bytes that are read at a time."""
BUFFER = 1 << 20
"""Bytes of lines that wait in memory; more do where the disk takes no more."""


class _Spool:
    """Bytes that are only added to, on the disk but for the last ones."""

    def __init__(self, folder: str) -> None:
        self._file = _own_file(folder)
        self._written, self._buffer = 0, bytearray()
        self._block, self._from = b"", 0

    def add(self, data: bytes) -> int:
        """Add bytes; return where they begin."""
        start = self._written + len(self._buffer)
        self._buffer += data
        if self._file is not None and len(self._buffer) >= BUFFER:
            with contextlib.suppress(OSError):
                self._flush(self._file)
        return start

    def _flush(self, file: BinaryIO) -> None:
        os.lseek(file.fileno(), self._written, os.SEEK_SET)
        files.write_all(file.fileno(), bytes(self._buffer))
        self._written += len(self._buffer)
        self._buffer = bytearray()

    def read(self, start: int, size: int) -> bytes:
        """Return the bytes of one call of :meth:`add`."""
        if start >= self._written:
            first = start - self._written
            return bytes(self._buffer[first : first + size])
        assert self._file is not None
        if not self._from <= start <= start + size <= self._from + len(self._block):
            # What is written never changes, and most that is read is read in its order.
            self._block = os.pread(self._file.fileno(), max(size, BLOCK), start)
            self._from = start
        first = start - self._from
        return self._block[first : first + size]

    def close(self) -> None:
        """Let the disk have its room back."""
        if self._file is not None:
            self._file.close()


def _own_file(folder: str) -> BinaryIO | None:
    """Return a file without a name: beside the store, where there is as much room again as it
    takes, or where the system keeps such files; None where there can be none.
    """
    for place in (folder, None):
        with contextlib.suppress(OSError):
            return tempfile.TemporaryFile(dir=place, buffering=0)
    return None


class Lines:
    """Lines in an order, held in a file of their own in a folder."""

    def __init__(self, folder: str) -> None:
        self._spool = _Spool(folder)
        self._starts, self._sizes = array("q"), array("q")

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, number: int) -> bytes:
        return self._spool.read(self._starts[number], self._sizes[number])

    def __iter__(self) -> Iterator[bytes]:
        return map(self._spool.read, self._starts, self._sizes)

    def append(self, line: bytes) -> None:
        """Hold one line more, as the last one."""
        self._starts.append(self._spool.add(line))
        self._sizes.append(len(line))

    def arrange(self, order: Iterable[int]) -> None:
        """Hold the lines of these numbers, in this order, in the place of all."""
        chosen = array("q", order)
        self._starts = array("q", map(self._starts.__getitem__, chosen))
        self._sizes = array("q", map(self._sizes.__getitem__, chosen))

    def ended(self, order: Iterable[int] | None = None) -> Iterator[bytes]:
        """Yield the lines, or those of these numbers, each with its end."""
        numbers = range(len(self)) if order is None else order
        return (self[number] + b"\n" for number in numbers)

    def close(self) -> None:
        """Forget them."""
        self._spool.close()
