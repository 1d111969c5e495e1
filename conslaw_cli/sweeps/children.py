"""Children: processes that count jobs and may be stopped, or die, at any time.

Every job runs in one, so that the time limit, Ctrl-C and the survival of the sweep do not depend on
what the job does: C code that does not give up the interpreter, an abort, the system's
out-of-memory killer. Those here are forked, which costs 5 to 20 ms (spawned.py: others); a child
counts job after job, and sends each row as it is done.
"""

from __future__ import annotations

import contextlib
import gc
import math
import os
import pickle
import select
import signal
import struct
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Loaded late, and by every count: here once, rather than in every child.
import numpy.random  # noqa: F401

from conslaw_cli import errors
from conslaw_cli.errors import (
    ConslawError,
    ContradictionError,
    MemoryBudgetError,
    NotSearchedError,
)
from conslaw_cli.lie.memo import shared
from conslaw_cli.problems.records import LawCount
from conslaw_cli.sweeps import files, signals
from conslaw_cli.sweeps.jobs import Count, Job, Limits, Outcome, Outcomes, failed, short

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

DESCRIPTORS = 16
"""What a second child must leave room for: its own, and those of files and imports."""

LONG = 10.0**6
"""Seconds that a system waits at most at a time."""
READ = 1 << 16
"""Bytes that are read from a child at a time."""
_HEAD = struct.Struct("<Q")
"""Before each message of a child: its size."""


class Worker:
    """Runs jobs in a forked child, and in a new one after each that was stopped or died.

    stop: a descriptor that can be read from when the worker is to stop.
    known: jobs that children have in their memory from their start; others are sent to them.
    """

    def __init__(
        self,
        limits: Limits,
        count: Count,
        stop: int | None = None,
        known: Sequence[Job] = (),
    ) -> None:
        self._limits, self._count = limits, count
        self._stop = [] if stop is None else [stop]
        self._known = known
        self._child: Child | None = None

    def outcomes(self, jobs: Sequence[Job], first: int | None = None) -> Iterator[Outcomes]:
        """Yield the rows of jobs as they finish, none after the stop. first: the number of the
        first among the known ones, which they follow each other in; None if they are others. Raise
        OSError if there is no process to be had.
        """
        left, end = list(jobs), None if first is None else first + len(jobs)
        while left:
            if self._child is None:
                self._child = self._started()
            child = self._child
            sent = left if end is None else range(end - len(left), end)
            child.give(left, sent, self._limits)
            while child.jobs:
                if child.wait(self._stop):
                    return
                if outcomes := child.outcomes():
                    yield outcomes
                elif child.over:
                    break
            left = []
            if child.over:
                self._child = None
                child.close()
                yield [child.failure()]
                left = [*child.jobs]

    def _started(self) -> Child:
        # A child must not hold the pipes of another: their ends would not be heard.
        with _FORKING:
            if self._stop:
                _check_room()
            return child_by(lambda pipe: _forked(pipe, self._count, self._known))

    def close(self) -> list[Outcome]:
        """Stop the process, whatever it is doing; return what it has done besides."""
        if self._child is None:
            return []
        done = self._child.outcomes()
        self._child.close()
        self._child = None
        return done


_FORKING = threading.Lock()


def _check_room() -> None:
    """Raise OSError unless one more child leaves some descriptors to the rest of the program."""
    with contextlib.ExitStack() as opened:
        for _ in range(DESCRIPTORS):
            opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))


def child_by(start: Callable[[Connection], int]) -> Child:
    """Return a child that ``start`` has started at the other end of a pipe, and whose number it
    has returned. Raise OSError if there is no process to be had.
    """
    from multiprocessing import connection  # dear, and a count without a child needs none

    pipe, theirs = connection.Pipe()
    try:
        with signals.held_back():
            return Child(pipe, start(theirs))
    except OSError:
        pipe.close()
        raise
    finally:
        theirs.close()


class Child:
    """A process that counts the jobs it is given and sends each row as it is done.

    pipe: leads to it; pid: its number.
    """

    def __init__(self, pipe: Connection, pid: int) -> None:
        self.jobs: deque[Job] = deque()
        self.pipe, self._pid = pipe, pid
        self._limits, self._since, self._dead = Limits(), math.inf, False
        self._exitcode: int | None = None
        self._received = bytearray()

    def give(self, jobs: list[Job], sent: list[Job] | range, limits: Limits) -> None:
        """Let it count jobs; it must have none. sent: these, or their numbers among those that it
        has.
        """
        self.jobs.extend(jobs)
        self._limits, self._since = limits, math.inf
        # One that has died is found out when its rows are waited for.
        with contextlib.suppress(OSError):
            self.pipe.send((sent, limits))

    @property
    def deadline(self) -> float:
        """When the first of its jobs reaches the time limit."""
        return math.inf if self._limits.seconds is None else self._since + self._limits.seconds

    def wait(self, stop: Sequence[int]) -> bool:
        """Wait until a row is there, it has died, has reached its time limit, or is to stop; return
        whether it is.
        """
        until = self.deadline
        seconds = None if until == math.inf else max(0.0, until - time.monotonic())
        # Threads never hear signals: they began with them held back.
        main = threading.current_thread() is threading.main_thread()
        with signals.let_through() if main else contextlib.nullcontext():
            ready = _readable([self.pipe.fileno(), *stop], seconds)
        return any(each in stop for each in ready)

    def outcomes(self) -> list[Outcome]:
        """Take the rows that it has sent."""
        found = list[Outcome]()
        try:
            while self.jobs and not self._dead and _readable([self.pipe.fileno()], 0.0):
                for message in self._messages():
                    if message is not None:  # None: it begins
                        found.append(Outcome(self.jobs.popleft(), *message))
        except Exception:
            # The end, or a message that was lost for want of memory: nothing good will follow.
            self._dead = True
        return found

    def _messages(self) -> Iterator[Any]:
        """Yield what has come, as many messages at a time as there are: each by itself would take
        three calls of the system. Raise EOFError at the end.
        """
        if not (data := os.read(self.pipe.fileno(), READ)):
            raise EOFError
        self._since = time.monotonic()
        self._received += data
        while (size := _sent_size(self._received)) is not None:
            message = pickle.loads(memoryview(self._received)[_HEAD.size : size])
            del self._received[:size]
            yield message

    @property
    def over(self) -> bool:
        """Whether the first of its jobs will have no row."""
        return self._dead or bool(self.jobs and time.monotonic() >= self.deadline)

    def failure(self) -> Outcome:
        """Take the first of its jobs, with a row that says why there is none."""
        job, seconds = self.jobs.popleft(), max(0.0, time.monotonic() - self._since)
        if self._dead:
            return Outcome(job, failed(job, self.cause_of_death, seconds), retry=True)
        reason = f"time limit of {self._limits.seconds:g} s reached"
        return Outcome(job, short(job, reason, seconds))

    @property
    def cause_of_death(self) -> str:
        """Why it has ended, once it is closed."""
        return _cause_of_death(self._exitcode)

    def close(self) -> None:
        """Stop the process, whatever it is doing."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # SIGCHLD is ignored
            os.kill(self._pid, signal.SIGKILL)
            self._exitcode = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self.pipe.close()


def _readable(descriptors: Iterable[int], seconds: float | None) -> list[int]:
    """Return the descriptors that can be read from, as soon as there is one; none after some
    seconds. It takes a tenth of the time of ``multiprocessing.connection.wait``, for each row.
    """
    poll = select.poll()
    for each in descriptors:
        poll.register(each, select.POLLIN)
    milliseconds = None if seconds is None else math.ceil(min(seconds, LONG) * 1000)
    return [each for each, _ in poll.poll(milliseconds)]


def _send(pipe: Connection, message: object) -> None:
    """Send what :meth:`Child._messages` takes."""
    data = pickle.dumps(message)
    files.write_all(pipe.fileno(), _HEAD.pack(len(data)) + data)


def _sent_size(data: bytearray) -> int | None:
    """Return the number of bytes of the message at the beginning; None if it is not all there."""
    if len(data) < _HEAD.size:
        return None
    size = _HEAD.size + int(_HEAD.unpack_from(data)[0])
    return size if len(data) >= size else None


def _forked(pipe: Connection, count: Count, known: Sequence[Job]) -> int:
    """Start a child at the other end of a pipe; return its number."""
    parent = os.getpid()
    with warnings.catch_warnings():
        # Python 3.12 and later warn of threads beside a fork; those here are NumPy's and that of
        # the progress, and the child waits for none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        if pid := os.fork():
            return pid
    try:
        _close_all_but([pipe.fileno(), *shared.descriptors])
        gc.freeze()  # what is the parent's stays as long as it has it
        serve(pipe, count, parent, known)
    finally:
        # Whatever it is, the parent sees that the process has ended, and says so.
        os._exit(1)


def _close_all_but(descriptors: list[int]) -> None:
    """Keep nothing open that is the parent's, such as locks and connections: when it dies, others
    are to see it.
    """
    for kept, end in pairwise([2, *sorted(descriptors), os.sysconf("SC_OPEN_MAX")]):
        os.closerange(kept + 1, end)


def serve(pipe: Connection, count: Count, parent: int, known: Sequence[Job] = ()) -> None:
    """Count what comes through the pipe from ``parent``, jobs or numbers of ``known`` ones, until
    it ends: then raise EOFError.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    _end_with(parent)
    while True:
        jobs, limits = pipe.recv()  # which may load modules that the jobs need
        _send(pipe, None)
        for job in map(known.__getitem__, jobs) if isinstance(jobs, range) else jobs:
            _send(pipe, _outcome(job, limits, count)[1:])


def _end_with(parent: int) -> None:
    """End this process soon after ``parent``, its parent: one that is killed cannot stop its
    children, nor remove its ``folder``.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    # Where no thread can be had, the process ends with its job.
    with contextlib.suppress(RuntimeError):
        threading.Thread(target=watch, daemon=True).start()


def _outcome(job: Job, limits: Limits, count: Count) -> Outcome:
    start = time.perf_counter()
    try:
        row = count(job.problem, seed=job.seed, memory=limits.memory)
        if row.verdict == "bounded":
            return Outcome(job, row, retry=True)
        try:
            return Outcome(job, _with_polynomials(job, row, limits) if job.degree else row)
        except (MemoryBudgetError, NotSearchedError) as error:
            unsearched = short(job, str(error), time.perf_counter() - start)
            return Outcome(job, unsearched, retry=isinstance(error, MemoryBudgetError))
    except Exception as error:
        reason, seconds = _reason(error), time.perf_counter() - start
        if isinstance(error, MemoryError):
            return Outcome(job, short(job, reason, seconds), retry=True)
        retry = isinstance(error, MemoryBudgetError) or errors.lack(error) is not None
        return Outcome(job, failed(job, reason, seconds), retry)


def _with_polynomials(job: Job, row: LawCount, limits: Limits) -> LawCount:
    from conslaw_cli.laws.polynomials import find_laws

    start = time.perf_counter()
    found = find_laws(job.problem, job.degree or 1, seed=job.seed, memory=limits.memory)
    figures = {
        "degree": found.degree,
        "linear": sum(found.linear.values()),
        "independent": found.independent,
        "known": found.known,
        "new": found.independent - found.known,
        "not_polynomial": (row.laws or 0) - found.independent,
        **({"rational_coefficients": True} if found.rational else {}),
    }
    return replace(
        row, polynomial_laws=figures, seconds=round(row.seconds + time.perf_counter() - start, 6)
    )


def _reason(error: Exception) -> str:
    """Say what an exception says; of one that is a bug also where it came from."""
    if isinstance(error, ConslawError) and not isinstance(error, ContradictionError):
        return str(error)
    if isinstance(error, MemoryError) and str(error):
        return f"out of memory: {error}"
    if (known := errors.lack(error)) is not None:
        return known
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"


def _cause_of_death(exitcode: int | None) -> str:
    if exitcode == -signal.SIGKILL:
        return "worker died (killed by the system, perhaps out of memory)"
    if exitcode is not None and exitcode < 0:
        return f"worker died ({signal.strsignal(-exitcode) or f'signal {-exitcode}'})"
    return f"worker died (exit code {exitcode})"
