"""Many counts: which jobs, in which processes, and what becomes of those that fail.

Every job runs in a forked child, so that the time limit, Ctrl-C and the survival of the sweep do
not depend on what the job does: C code that does not give up the interpreter, an abort, the
system's out-of-memory killer. A fork costs 5 to 20 ms; a child counts job after job, and sends each
row as it is done. Where there is work for several cores, joblib runs several at a time: each of its
threads hands chunks of jobs to a child of its own and waits for the rows. (Processes of joblib's
own would have to fork these children themselves, and leave semaphores behind when they are killed.)
"""

from __future__ import annotations

import contextlib
import math
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
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

# Loaded late, and by every count: here once, rather than in every child.
import numpy.random  # noqa: F401

from conslaw_cli import errors
from conslaw_cli.errors import (
    ConslawError,
    ContradictionError,
    MemoryBudgetError,
    ResourceError,
)
from conslaw_cli.lie.budget import ENGINE_LIMIT, default_memory, estimated_seconds
from conslaw_cli.lie.count import count_laws
from conslaw_cli.lie.rows import bounded, failed
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.problems.records import OPEN, LawCount, Trace
from conslaw_cli.sweeps import signals

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from conslaw_cli.sweeps.store import RowId, Store

Count = Callable[..., LawCount]

WORTH_A_WORKER = 0.25
"""Seconds of estimated work for each child that is started."""
CHUNK_SECONDS = 0.2
"""Estimated work that a child is given at a time."""
CHUNK_JOBS = 100
LISTEN = 0.1
"""Seconds after which an interrupt is heard that came to another thread."""
SHARES = 20
"""A job is long if it takes more than such a part of the time that all of them take."""
TRACE_SHOWN = 3
"""Steps of a trace that the columns of a sweep's table have room for."""
DESCRIPTORS = 16
"""What a second child must leave room for: its own, and those of files and imports."""


@dataclass(frozen=True, slots=True)
class Job:
    """One problem to count. ``cost``: estimated seconds; ``degree``: also look for polynomial
    laws up to it.
    """

    problem: Problem
    seed: int
    key: str
    cost: float
    degree: int | None = None

    @property
    def id(self) -> RowId:
        """What its row is found by."""
        return self.key, self.problem.name

    def widest(self) -> LawCount:
        """Return a row with the largest numbers that its own can have, and a trace of as many steps
        as a table has room for.
        """
        state, listed = self.problem.state, self.problem.most_listed
        figures = {
            "degree": self.degree or 0,
            **dict.fromkeys(("linear", "independent", "known", "new", "not_polynomial"), state),
        }
        return replace(
            _failed(self, "", 0.0),
            verdict="computed",
            parameters=self.problem.parameters,
            state=state,
            dim_lie=state,
            laws=state,
            laws_at_least=state if state > ENGINE_LIMIT else None,
            unknown_laws=state,
            known_listed=listed,
            known_independent=min(state, listed),
            trace=Trace((state,) * TRACE_SHOWN),
            involutive=False,
            polynomial_laws=figures if self.degree else None,
        )


class Widest:
    """The widest rows of jobs (:meth:`Job.widest`), made anew whenever they are gone through."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs

    def __iter__(self) -> Iterator[LawCount]:
        return (job.widest() for job in self._jobs)


@dataclass(frozen=True, slots=True)
class Limits:
    """What jobs may use: wall-clock seconds for each, and bytes that those which run at a time
    share.

    None: any time; half of the memory that is free.
    """

    seconds: float | None = None
    memory: int | None = None


class _Outcome(NamedTuple):
    """A job's row. ``retry``: it has no count, and may have one when it runs alone."""

    job: Job
    row: LawCount
    retry: bool = False


def plan(
    problems: Iterable[Problem | Architecture], seed: int, degree: int | None = None
) -> list[Job]:
    """Return one job for each problem. degree: also look for polynomial laws up to it."""
    return [
        Job(each, seed, each.key(seed, degree), estimated_seconds(each), degree)
        for each in map(Problem.of, problems)
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
    """Return the jobs without a row that has a count."""
    return [job for job in jobs if store.verdict(job.id) in (None, *OPEN)]


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
    processes = _worth(todo, workers)
    shared = processes > 1  # so was the memory
    running = _everywhere(todo, limits, processes, count, unclaimed)
    with contextlib.closing(running) as outcomes:
        for job, row, retry in outcomes:
            if retry and (shared or row.verdict == "failed"):
                alone.append(job)
            else:
                yield job, row
    for job in alone:
        with contextlib.closing(_in_one([job], limits, count, unclaimed)) as outcomes:
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


# ---- one process or several


def _everywhere(
    jobs: Sequence[Job],
    limits: Limits,
    workers: int,
    count: Count,
    unclaimed: dict[RowId, _Outcome],
) -> Generator[_Outcome, None, None]:
    """Run jobs in up to so many processes, which share the memory; yield rows as they finish."""
    left = {job.id: job for job in jobs}
    if workers > 1:
        memory = default_memory() if limits.memory is None else limits.memory
        shared = replace(limits, memory=memory // workers)
        with contextlib.closing(_in_workers(jobs, shared, workers, count, unclaimed)) as outcomes:
            for outcome in outcomes:
                del left[outcome.job.id]
                yield outcome
    # What is left had no process.
    yield from _in_one(list(left.values()), limits, count, unclaimed)


def _in_one(
    jobs: Sequence[Job], limits: Limits, count: Count, unclaimed: dict[RowId, _Outcome]
) -> Generator[_Outcome, None, None]:
    """Run jobs in one process at a time."""
    worker = _Worker(limits, count)
    # Signals are heard where the process is waited for, and nowhere else.
    with signals.held_back():
        try:
            for chunk in _chunks(jobs):
                yield from worker.outcomes(chunk)
        except OSError as error:
            what = f"no process to count in can be started: {error.strerror}"
            raise ResourceError(what) from None
        finally:
            _claim(unclaimed, worker.close())


def _in_workers(
    jobs: Sequence[Job],
    limits: Limits,
    workers: int,
    count: Count,
    unclaimed: dict[RowId, _Outcome],
) -> Generator[_Outcome, None, None]:
    """Run jobs in several processes. Jobs for which there is none have no outcome."""
    chunks = deque(_chunks(_long_first(jobs, workers)))
    with signals.held_back():
        try:
            crew = _Crew(chunks, limits, workers, count)
        except (OSError, RuntimeError, MemoryError):
            return  # there are no descriptors or threads for it
        try:
            more = True
            while more:
                more = crew.wait()
                yield from crew.arrived()
        finally:
            _claim(unclaimed, crew.close())


def _long_first(jobs: Sequence[Job], workers: int) -> list[Job]:
    """Return the jobs in their order, so that rows come in the order they are shown in, but for
    long ones, the longest first: the last one to start keeps all other workers waiting, of those
    in their order for at most 1 / SHARES of the time.
    """
    long = sum(job.cost for job in jobs) / workers / SHARES
    return sorted(jobs, key=lambda job: -job.cost if job.cost > long else 0.0)


def _chunks(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    chunk: list[Job] = []
    for job in jobs:
        chunk.append(job)
        if len(chunk) == CHUNK_JOBS or sum(each.cost for each in chunk) >= CHUNK_SECONDS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _claim(unclaimed: dict[RowId, _Outcome], outcomes: Iterable[_Outcome]) -> None:
    unclaimed.update((each.job.id, each) for each in outcomes if not each.retry)


class _Crew:
    """Workers, each in a thread of joblib's, which take chunks of jobs while there are any.

    Whatever joblib does, or cannot do, happens beside the main thread: that takes rows as they
    finish, and hears signals.
    """

    def __init__(
        self, chunks: deque[list[Job]], limits: Limits, workers: int, count: Count
    ) -> None:
        self._chunks, self._stopping, self._ended = chunks, False, False
        self._arrived = deque[_Outcome]()
        # No Event: an interrupt may leave its lock taken.
        self._news = SimpleQueue[None]()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stopped, self._stop = os.pipe()
        self._workers = [_Worker(limits, count, self._stopped) for _ in range(workers)]
        try:
            self._thread.start()
        except BaseException:
            self._close_pipe()
            raise

    def _run(self) -> None:
        # What is left when there are no threads or memory for it is counted without it.
        with contextlib.suppress(Exception):
            from joblib import Parallel, delayed

            pool = Parallel(len(self._workers), "threading", pre_dispatch="all", batch_size=1)
            pool(delayed(self._work)(worker) for worker in self._workers)
        self._ended = True
        self._news.put(None)

    def _work(self, worker: _Worker) -> None:
        """Run jobs, in a thread. Those of a worker that gets no process are left to the others."""
        while (chunk := self._next()) is not None:
            left = deque(chunk)
            try:
                for outcome in worker.outcomes(chunk):
                    left.popleft()
                    self._arrived.append(outcome)
                    self._news.put(None)
            except Exception:
                self._chunks.appendleft([*left])
                return

    def _next(self) -> list[Job] | None:
        try:
            return None if self._stopping else self._chunks.popleft()
        except IndexError:
            return None

    def wait(self) -> bool:
        """Wait for news; return whether there may be more. Rows are taken afterwards, lest an
        interrupt drops one.
        """
        with signals.let_through(), contextlib.suppress(Empty):
            self._news.get(timeout=LISTEN)
        return not self._ended

    def arrived(self) -> Iterator[_Outcome]:
        """Take the rows that are there."""
        while self._arrived:
            yield self._arrived.popleft()

    def close(self) -> list[_Outcome]:
        """Stop all workers, whatever they are doing; return what they have done besides."""
        self._stopping = True
        os.write(self._stop, b".")  # never read: all of them see it
        self._thread.join()
        for worker in self._workers:
            self._arrived.extend(worker.close())
        self._close_pipe()
        return list(self._arrived)

    def _close_pipe(self) -> None:
        os.close(self._stopped)
        os.close(self._stop)


# ---- children


class _Worker:
    """Runs jobs in a forked child, and in a new one after each that was stopped or died.

    stop: a descriptor that can be read from when the worker is to stop.
    """

    def __init__(self, limits: Limits, count: Count, stop: int | None = None) -> None:
        self._limits, self._count = limits, count
        self._stop = [] if stop is None else [stop]
        self._child: _Child | None = None

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[_Outcome]:
        """Yield the rows of jobs as they finish, none after the stop. Raise OSError if there is no
        process to be had.
        """
        left = list(jobs)
        while left:
            if self._child is None:
                self._child = self._started()
            child = self._child
            child.give(left)
            while child.jobs and not child.over:
                if child.wait(self._stop):
                    return
                yield from child.outcomes()
            left = []
            if child.over:
                self._child = None
                child.close()
                yield child.failure()
                left = [*child.jobs]

    def _started(self) -> _Child:
        # A child must not hold the pipes of another: their ends would not be heard.
        with _FORKING:
            if self._stop:
                _check_room()
            return _Child(self._limits, self._count)

    def close(self) -> list[_Outcome]:
        """Stop the process, whatever it is doing; return what it has done besides."""
        if self._child is None:
            return []
        done = list(self._child.outcomes())
        self._child.close()
        self._child = None
        return done


_FORKING = threading.Lock()


def _check_room() -> None:
    """Raise OSError unless one more child leaves some descriptors to the rest of the program."""
    with contextlib.ExitStack() as opened:
        for _ in range(DESCRIPTORS):
            opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))


class _Child:
    """A forked process that counts the jobs it is given and sends each row as it is done."""

    def __init__(self, limits: Limits, count: Count) -> None:
        import multiprocessing  # dear, and a count without a child needs none

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

    def wait(self, stop: Sequence[int]) -> bool:
        """Wait until a row is there, it has died, has reached its time limit, or is to stop; return
        whether it is.
        """
        from multiprocessing import connection

        until = self.deadline
        seconds = None if until == math.inf else max(0.0, until - time.monotonic())
        # Threads never hear signals: they began with them held back.
        main = threading.current_thread() is threading.main_thread()
        with signals.let_through() if main else contextlib.nullcontext():
            ready = connection.wait([self.pipe, *stop], seconds)
        return any(each in stop for each in ready)

    def outcomes(self) -> Iterator[_Outcome]:
        """Take the rows that it has sent."""
        try:
            while self.jobs and self.pipe.poll():
                row, retry = self.pipe.recv()
                self._since = time.monotonic()
                yield _Outcome(self.jobs.popleft(), row, retry)
        except Exception:
            # The end, or a message that was lost for want of memory: nothing good will follow.
            self._dead = True

    @property
    def over(self) -> bool:
        """Whether the first of its jobs will have no row."""
        return self._dead or bool(self.jobs and time.monotonic() >= self.deadline)

    def failure(self) -> _Outcome:
        """Take the first of its jobs, with a row that says why there is none."""
        job, seconds = self.jobs.popleft(), time.monotonic() - self._since
        if self._dead:
            reason = _cause_of_death(self._process.exitcode)
            return _Outcome(job, _failed(job, reason, seconds), retry=True)
        reason = f"time limit of {self._limits.seconds:g} s reached"
        return _Outcome(job, _open(job, reason, seconds))

    def close(self) -> None:
        """Stop the process, whatever it is doing."""
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
                pipe.send(_outcome(job, limits, count)[1:])
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
        row = count(job.problem, seed=job.seed, memory=limits.memory)
        if row.verdict == "bounded":
            return _Outcome(job, row, retry=True)
        return _Outcome(job, _with_polynomials(job, row, limits) if job.degree else row)
    except Exception as error:
        reason, seconds = _reason(error), time.perf_counter() - start
        if isinstance(error, MemoryError):
            return _Outcome(job, _open(job, reason, seconds), retry=True)
        retry = isinstance(error, MemoryBudgetError) or errors.lack(error) is not None
        return _Outcome(job, _failed(job, reason, seconds), retry)


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


def _open(job: Job, reason: str, seconds: float) -> LawCount:
    """Return the row of a job for which time or memory did not suffice."""
    row = bounded(job.problem, reason)
    if row is None:
        return _failed(job, reason, seconds)
    return replace(row, seed=job.seed, seconds=round(seconds, 6))


def _failed(job: Job, reason: str, seconds: float) -> LawCount:
    return replace(failed(job.problem, reason), seed=job.seed, seconds=round(seconds, 6))


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
