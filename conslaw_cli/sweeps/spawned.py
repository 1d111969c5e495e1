"""Children of a process that has threads, such as a worker of a cluster.

They are started afresh. A fork copies the locks that other threads hold, and nobody opens them in
the child: if one of them was loading a module (the worker's own loop does so, as it is asked for
the first time), the child would wait for that module for ever. A start takes 0.3 s, so that a child
without jobs is kept for the next ones for a while.
"""

from __future__ import annotations

import errno
import os
import pickle
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

from conslaw_cli.sweeps.children import Child, Worker, child_by, serve
from conslaw_cli.sweeps.jobs import Count, Limits, Outcome

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

KEPT = 10.0
"""Seconds that a child may be without jobs."""


class SpawnedWorker(Worker):
    """Runs jobs in a child that is started afresh, or was kept."""

    def __init__(self, limits: Limits, count: Count, stop: int | None = None) -> None:
        super().__init__(limits, count, stop)
        self._counts = pickle.dumps(count)

    def _started(self) -> Child:
        return _taken(self._counts) or self._new()

    def _new(self) -> Child:
        from multiprocessing import connection

        child = child_by(_spawned)
        try:
            child.pipe.send_bytes(self._counts)
            # Not its limits but the first job begins once it has loaded what it needs.
            connection.wait([child.pipe, *self._stop])
            if child.pipe.poll():
                child.pipe.recv()
        except (OSError, EOFError):
            child.close()
            what = f"it ended as it began: {child.cause_of_death}"
            raise ChildProcessError(errno.ECHILD, what) from None
        return child

    def close(self) -> list[Outcome]:
        """Keep the process if it has nothing to do; otherwise stop it, and return what it has done
        besides.
        """
        if self._child is not None and not self._child.jobs:
            _keep(self._counts, self._child)
            self._child = None
        return super().close()


def _spawned(pipe: Connection) -> int:
    """Start a child whose standard input is the other end of a pipe; return its number. No Process
    of multiprocessing: the workers of a cluster are daemons, which may have none.
    """
    program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main;"
    command = [sys.executable, "-c", f"{program} main({os.getpid()})"]
    actions = [(os.POSIX_SPAWN_DUP2, pipe.fileno(), 0)]
    return os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)


def main(parent: int) -> None:
    """Be a child: what :func:`_spawned` starts."""
    from multiprocessing.connection import Connection

    import conslaw_cli.lie.count  # noqa: F401  # of which every count needs most

    try:
        pipe = Connection(os.dup(0))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        count = pipe.recv()
        pipe.send(None)
        serve(pipe, count, parent)
    finally:
        os._exit(1)


# ---- children without jobs


class _Kept(NamedTuple):
    child: Child
    counts: bytes
    timer: threading.Timer


_KEPT: list[_Kept] = []
"""Whoever takes one out of it, a thread that has jobs or its timer, has it to itself."""


def _taken(counts: bytes) -> Child | None:
    """Return a child that was told to count so; None if there is none."""
    while _KEPT:
        try:
            kept = _KEPT.pop()
        except IndexError:
            break
        kept.timer.cancel()
        # Without jobs it has nothing to say, unless it has died.
        if kept.counts == counts and not kept.child.pipe.poll():
            return kept.child
        kept.child.close()
    return None


def _keep(counts: bytes, child: Child) -> None:
    def end() -> None:
        try:
            _KEPT.remove(kept)
        except ValueError:
            return
        child.close()

    timer = threading.Timer(KEPT, end)
    timer.daemon = True
    kept = _Kept(child, counts, timer)
    try:
        timer.start()
    except RuntimeError:  # no thread is to be had
        child.close()
    else:
        _KEPT.append(kept)
