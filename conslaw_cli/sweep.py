"""Many counts: which jobs, in which processes, and what becomes of those that fail.

Every job runs in a forked child, so that the time limit, Ctrl-C and the survival of the sweep do
not depend on what the job does: C code that does not give up the interpreter, an abort, the
system's out-of-memory killer. A fork costs 5 to 20 ms; a child counts job after job, and sends each
row as it is done. Where there is work for several cores there are several children.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from conslaw_cli import signals
from conslaw_cli.count import VERSION, count_laws, default_memory, estimated_seconds, job_key
from conslaw_cli.errors import (
    ConslawError,
    ContradictionError,
    MemoryBudgetError,
    ResourceError,
)
from conslaw_cli.families import Architecture
from conslaw_cli.report import LawCount
from conslaw_cli.store import RowId, Store

Count = Callable[..., LawCount]

WORTH_A_WORKER = 0.25
"""Seconds of estimated work for each child that is started."""
CHUNK_SECONDS = 0.2
"""Estimated work that a child is given at a time."""
CHUNK_JOBS = 100
DESCRIPTORS = 16
"""What a second child must leave room for: its own, and those of files and imports."""


@dataclass(frozen=True, slots=True)
class Job:
    """One architecture to count. ``cost``: estimated seconds; ``degree``: also look for polynomial
    laws up to it.
    """

    architecture: Architecture
    seed: int
    key: str
    cost: float
    degree: int | None = None

    @property
    def id(self) -> RowId:
        """What its row is found by."""
        return self.key, self.architecture.name


@dataclass(frozen=True, slots=True)
class Limits:
    """What jobs may use: wall-clock seconds for each, and bytes that those which run at a time
    share.

    None: any time; half of the memory that is free.
    """

    seconds: float | None = None
    memory: int | None = None


class _Outcome(NamedTuple):
    """A job's row. ``retry``: it failed in a way that it may not when it runs alone."""

    job: Job
    row: LawCount
    retry: bool = False


def plan(architectures: Iterable[Architecture], seed: int, degree: int | None = None) -> list[Job]:
    """Return one job for each architecture. degree: also look for polynomial laws up to it."""
    return [
        Job(each, seed, job_key(each, seed, degree), estimated_seconds(each), degree)
        for each in architectures
    ]


def resume(
    jobs: Sequence[Job],
    store: Store,
    limits: Limits,
    workers: int | None = None,
    fresh: bool = False,
) -> Generator[tuple[Job, LawCount], None, None]:
    """Run the jobs that have no row in the store yet, or a failed one; yield each row once it is
    stored.

    In the end, and when it is left early, rows that are finished are stored and the store is put
    into the order of ``jobs``. fresh: run all jobs; what is there stays until it has a successor
    that is no worse.
    """
    unclaimed: dict[RowId, _Outcome] = {}
    rows = run(jobs if fresh else missing(jobs, store), limits, workers, unclaimed=unclaimed)
    try:
        with contextlib.closing(rows):
            for job, row in rows:
                with signals.held_back():
                    store.append(job.key, row)
                yield job, row
    finally:
        with signals.held_back():
            for job, row, _ in unclaimed.values():
                store.append(job.key, row)
            store.settle(job.id for job in jobs)


def missing(jobs: Iterable[Job], store: Store) -> list[Job]:
    """Return the jobs without a row that counts."""
    return [job for job in jobs if store.verdict(job.id) in (None, "failed")]


def run(
    jobs: Iterable[Job],
    limits: Limits,
    workers: int | None = None,
    count: Count = count_laws,
    unclaimed: dict[RowId, _Outcome] | None = None,
) -> Generator[tuple[Job, LawCount], None, None]:
    """Yield each job's row as it finishes. A job that fails has a row that says why; nothing is
    raised for it.

    workers: processes at most, by default one per core; a row does not depend on it, seconds aside.
    unclaimed: gets, when the rest is not wanted any more, what has finished and was not yielded.
    Raise ResourceError if the system gives no process.
    """
    unclaimed = {} if unclaimed is None else unclaimed
    todo = list({job.id: job for job in jobs}.values())
    alone = []
    running = _in_children(todo, limits, _worth(todo, workers), count, unclaimed)
    with contextlib.closing(running) as outcomes:
        for job, row, retry in outcomes:
            if retry:
                alone.append(job)
            else:
                yield job, row
    for job in alone:
        with contextlib.closing(_in_children([job], limits, 1, count, unclaimed)) as outcomes:
            for outcome in outcomes:
                yield job, outcome.row


def _worth(jobs: Sequence[Job], workers: int | None) -> int:
    """Return how many processes the jobs are worth, at most ``workers``."""
    worth = int(min(1000.0, sum(job.cost for job in jobs) / WORTH_A_WORKER))
    return 1 if worth < 2 else min(worth, _cores() if workers is None else workers)


def _cores() -> int:
    """Return the cores this process may use: a container often gets fewer than there are."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, -(-int(quota) // int(period)))
    return max(1, cores)


# ---- children


def _in_children(
    jobs: Sequence[Job],
    limits: Limits,
    workers: int,
    count: Count,
    unclaimed: dict[RowId, _Outcome],
) -> Generator[_Outcome, None, None]:
    """Run jobs in up to so many forked children, which share the memory."""
    if workers > 1:
        memory = default_memory() if limits.memory is None else limits.memory
        limits = replace(limits, memory=memory // workers)
        # Else the last one to start keeps all other workers waiting.
        jobs = sorted(jobs, key=lambda job: -job.cost)
    left = deque(_chunks(jobs))
    # Signals are heard where the crew is waited for, and nowhere else.
    with signals.held_back(), _Crew(limits, workers, count, unclaimed) as crew:
        while left or crew.busy:
            while left and (child := crew.idle()):
                child.give(left.popleft())
            crew.wait()
            yield from crew.finished()
            for child in crew.ended():
                yield child.failure()
                if child.jobs:
                    left.appendleft([*child.jobs])


def _chunks(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    chunk: list[Job] = []
    for job in jobs:
        chunk.append(job)
        if len(chunk) == CHUNK_JOBS or sum(each.cost for each in chunk) >= CHUNK_SECONDS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


class _Crew:
    """Children that work at the same time; each starts when there is something for it to do."""

    def __init__(
        self, limits: Limits, most: int, count: Count, unclaimed: dict[RowId, _Outcome]
    ) -> None:
        self._limits, self._most, self._count = limits, most, count
        self._unclaimed = unclaimed
        self._children: list[_Child] = []

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all, whatever they are doing; keep what they have done."""
        self._unclaimed.update((each.job.id, each) for each in self.finished() if not each.retry)
        for child in self._children:
            child.close()

    @property
    def busy(self) -> bool:
        """Whether there are jobs without a row."""
        return any(child.jobs for child in self._children)

    def idle(self) -> _Child | None:
        """Return a child without jobs, if there is one or one more can be had."""
        for child in self._children:
            if not child.jobs:
                return child
        if len(self._children) == self._most:
            return None
        try:
            if self._children:
                _check_room()
            self._children.append(_Child(self._limits, self._count))
        except OSError as error:
            if not self._children:
                what = f"no process to count in can be started: {error.strerror}"
                raise ResourceError(what) from None
            self._most = len(self._children)
            return None
        return self._children[-1]

    def wait(self) -> None:
        """Wait until a row is there, a child has died or one has reached its time limit."""
        busy = [child for child in self._children if child.jobs]
        until = min(child.deadline for child in busy)
        seconds = None if until == math.inf else max(0.0, until - time.monotonic())
        with signals.let_through():
            connection.wait([child.pipe for child in busy], seconds)

    def finished(self) -> Iterator[_Outcome]:
        """Take the rows that are there."""
        for child in self._children:
            yield from child.outcomes()

    def ended(self) -> Iterator[_Child]:
        """Take the children that have died, and those that are stopped at their time limit."""
        for child in [child for child in self._children if child.over]:
            self._children.remove(child)
            child.close()
            yield child


def _check_room() -> None:
    """Raise OSError unless one more child leaves some descriptors to the rest of the program."""
    with contextlib.ExitStack() as opened:
        for _ in range(DESCRIPTORS):
            opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))


class _Child:
    """A forked process that counts the jobs it is given and sends each row as it is done."""

    def __init__(self, limits: Limits, count: Count) -> None:
        context = multiprocessing.get_context("fork")
        self.jobs: deque[Job] = deque()
        self._limits, self._since, self._dead = limits, 0.0, False
        self.pipe, theirs = context.Pipe()
        # At the exit of Python daemons are stopped, others waited for.
        arguments = (theirs, limits, count, os.getpid())
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        try:
            with signals.held_back(), warnings.catch_warnings():
                # Python 3.12 and later warn of threads beside a fork; those here are NumPy's and
                # that of the progress, and the child waits for neither.
                warnings.simplefilter("ignore", DeprecationWarning)
                self._process.start()
        except OSError:
            self.pipe.close()
            raise
        finally:
            theirs.close()

    def give(self, jobs: list[Job]) -> None:
        """Let it count jobs; it must have none."""
        self.jobs.extend(jobs)
        self._since = time.monotonic()
        # One that has died is found out when its rows are waited for.
        with contextlib.suppress(OSError):
            self.pipe.send(jobs)

    @property
    def deadline(self) -> float:
        """When the first of its jobs reaches the time limit."""
        return math.inf if self._limits.seconds is None else self._since + self._limits.seconds

    def outcomes(self) -> Iterator[_Outcome]:
        """Take the rows that it has sent."""
        try:
            while self.jobs and self.pipe.poll():
                outcome = self.pipe.recv()
                self.jobs.popleft()
                self._since = time.monotonic()
                yield outcome
        except (EOFError, OSError):
            self._dead = True

    @property
    def over(self) -> bool:
        """Whether the first of its jobs will have no row."""
        return self._dead or bool(self.jobs and time.monotonic() >= self.deadline)

    def failure(self) -> _Outcome:
        """Take the first of its jobs, with a row that says why there is none."""
        job, seconds = self.jobs.popleft(), time.monotonic() - self._since
        reason = (
            _cause_of_death(self._process.exitcode)
            if self._dead
            else f"time limit of {self._limits.seconds:g} s reached"
        )
        return _Outcome(job, _failed(job, reason, seconds), retry=self._dead)

    def close(self) -> None:
        """Stop the process, whatever it is doing."""
        if not self._dead:
            self._process.kill()
        self._process.join()
        self.pipe.close()


def _serve(pipe: Connection, limits: Limits, count: Count, parent: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        _end_with(parent)
        while True:
            for job in pipe.recv():
                pipe.send(_outcome(job, limits, count))
    except BaseException:
        # Whatever it is, the parent sees that the process has ended, and says so.
        os._exit(1)


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


def _outcome(job: Job, limits: Limits, count: Count) -> _Outcome:
    start = time.perf_counter()
    try:
        row = count(job.architecture, seed=job.seed, memory=limits.memory)
        return _Outcome(job, _with_polynomials(job, row, limits) if job.degree else row)
    except Exception as error:
        retry = isinstance(error, MemoryBudgetError | MemoryError)
        return _Outcome(job, _failed(job, _reason(error), time.perf_counter() - start), retry)


def _with_polynomials(job: Job, row: LawCount, limits: Limits) -> LawCount:
    from conslaw_cli.polynomials import find_laws

    start = time.perf_counter()
    found = find_laws(job.architecture, job.degree or 1, seed=job.seed, memory=limits.memory)
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


def _failed(job: Job, reason: str, seconds: float) -> LawCount:
    return LawCount(
        name=job.architecture.name,
        architecture=job.architecture.describe(),
        seed=job.seed,
        version=VERSION,
        seconds=round(seconds, 6),
        verdict="failed",
        reason=reason,
    )


def _reason(error: Exception) -> str:
    """Say what an exception says; of one that is a bug also where it came from."""
    if isinstance(error, ConslawError) and not isinstance(error, ContradictionError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if str(error) else "out of memory"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"


def _cause_of_death(exitcode: int | None) -> str:
    if exitcode == -signal.SIGKILL:
        return "worker died (killed by the system, perhaps out of memory)"
    if exitcode is not None and exitcode < 0:
        return f"worker died ({signal.strsignal(-exitcode) or f'signal {-exitcode}'})"
    return f"worker died (exit code {exitcode})"
