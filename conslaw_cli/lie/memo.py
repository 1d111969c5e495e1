"""What several processes need is found by one of them: the others wait for it, and read it.

Processes that are forked after :meth:`Memo.open` append what they find to a file without a name. A
record lock, one byte of the file for each key, says that somebody is finding it; the system frees
the locks of a process that dies, and the file is gone with the last one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import struct
import tempfile
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from hashlib import blake2b
from typing import Any

_HEAD = struct.Struct("<Q8s")
"""Before each record: its size and its digest."""
_PLACES = (1 << 62) - 1


class Memo:
    """Values by keys, both small and picklable: shared once it is open, found anew before that.

    Where there is no file to be had, or it is damaged, every process finds all by itself.
    """

    def __init__(self) -> None:
        self._file: int | None = None
        self._known: dict[Hashable, Any] = {}
        self._read, self._sound = 0, True

    @property
    def descriptors(self) -> list[int]:
        """What a process must leave open to share."""
        return [] if self._file is None else [self._file]

    def open(self) -> None:
        """Let processes that are forked from now on share what they find."""
        self.close()
        with contextlib.suppress(OSError), tempfile.TemporaryFile(buffering=0) as file:
            fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
            self._file = os.dup(file.fileno())

    def close(self) -> None:
        """Share no more."""
        if self._file is not None:
            os.close(self._file)
        self._file, self._known, self._read, self._sound = None, {}, 0, True

    def get(self, key: Hashable, find: Callable[[], Any]) -> Any:
        """Return the value of a key, which ``find`` finds. Whatever that raises is raised, and the
        next process tries itself. No other value may be asked for meanwhile.
        """
        if key in self._known:
            return self._known[key]
        with self._claimed(key, wait=True):
            return self._found(key, find)

    def fill(self, keys: Iterable[Hashable], find: Callable[[Any], Any]) -> None:
        """Find those values which no other process is finding now, until one is None."""
        for key in keys if self._file is not None and self._sound else ():
            with self._claimed(key, wait=False) as mine:
                if mine and self._found(key, partial(find, key)) is None:
                    return

    def _found(self, key: Hashable, find: Callable[[], Any]) -> Any:
        if self._file is None:
            return find()
        self._look(self._file)
        if key not in self._known:
            value = self._known[key] = find()
            record = pickle.dumps((key, value))
            with contextlib.suppress(OSError):
                os.write(self._file, _HEAD.pack(len(record), _digest(record)) + record)
        return self._known[key]

    def _look(self, file: int) -> None:
        """Read what others have found since."""
        try:
            while self._sound and (record := self._next(file)):
                key, value = pickle.loads(record)
                self._known[key] = value
        except (OSError, ValueError):
            self._sound = False

    def _next(self, file: int) -> bytes:
        """Return the next record, none if it is not there yet. Raise ValueError if it is damaged,
        after half of one by a process that was killed.
        """
        head = os.pread(file, _HEAD.size, self._read)
        if len(head) < _HEAD.size:
            return b""
        size, digest = _HEAD.unpack(head)
        record = os.pread(file, size, self._read + _HEAD.size) if size < _PLACES else b""
        if len(record) < size:
            return b""
        if _digest(record) != digest:
            raise ValueError("a damaged record")
        self._read += _HEAD.size + size
        return record

    @contextlib.contextmanager
    def _claimed(self, key: Hashable, wait: bool) -> Iterator[bool]:
        """Let no other process find a value in the block. Give whether that is so; without waiting
        it is not while another does.
        """
        file, place = self._file, hash(key) & _PLACES
        if file is not None:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, place)
            except OSError:  # another has it, or the file system has no locks
                yield wait
                return
        try:
            yield True
        finally:
            if file is not None:
                with contextlib.suppress(OSError):
                    fcntl.lockf(file, fcntl.LOCK_UN, 1, place)


def _digest(record: bytes) -> bytes:
    return blake2b(record, digest_size=8).digest()


shared = Memo()
"""What the processes of a sweep share."""
