"""Many counts: which jobs, in which processes, and what becomes of those that fail.

Every job runs in a forked child of the process that waits for its row, so that the time limit,
Ctrl-C and the survival of the sweep do not depend on what the job does: C code that does not give
up the interpreter, an abort, the system's out-of-memory killer. A fork costs 5 to 20 ms; short jobs
share one. Where there is work for several cores, joblib's workers are the waiting processes.
Starting them costs 0.5 to 1 s, so small sweeps do without.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import pickle
import shutil
import signal
import tempfile
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from conslaw_cli import signals
from conslaw_cli.count import VERSION, count_laws, default_memory, estimated_seconds, job_key
from conslaw_cli.errors import ConslawError, ContradictionError, MemoryBudgetError
from conslaw_cli.families import Architecture
from conslaw_cli.report import LawCount
from conslaw_cli.store import RowId, Store

Count = Callable[..., LawCount]

WORTH_A_WORKER = 1.0
"""Seconds of estimated work for each worker that is started."""
CHUNK_SECONDS = 0.2
"""Estimated work that shares a fork and a trip to a worker; what a killed worker loses."""
CHUNK_JOBS = 100
POOL_ATTEMPTS = 3
"""How often joblib's pool may break before the rest is done without one."""


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
                    unclaimed.pop(job.id, None)
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
    unclaimed: holds, when the rest is not wanted any more, what has finished and was not yielded.
    """
    unclaimed = {} if unclaimed is None else unclaimed
    left = {job.id: job for job in jobs}
    alone = []
    with contextlib.closing(_everywhere(left, limits, workers, count, unclaimed)) as outcomes:
        for job, row, retry in outcomes:
            del left[job.id]
            if retry:
                alone.append(job)
            else:
                yield job, row
                unclaimed.pop(job.id, None)
    for job in alone:
        with contextlib.closing(_in_child([job], limits, count, unclaimed)) as outcomes:
            for outcome in outcomes:
                yield job, outcome.row
                unclaimed.pop(job.id, None)


def _everywhere(
    left: dict[RowId, Job],
    limits: Limits,
    workers: int | None,
    count: Count,
    unclaimed: dict[RowId, _Outcome],
) -> Generator[_Outcome, None, None]:
    """Run what is ``left``, from which the caller takes what it gets."""
    worth = int(min(1000.0, sum(job.cost for job in left.values()) / WORTH_A_WORKER))
    workers = 1 if worth < 2 else min(worth, _cores() if workers is None else workers)
    for _ in range(POOL_ATTEMPTS if workers > 1 else 0):
        with contextlib.suppress(BrokenProcessPool):
            yield from _in_workers(list(left.values()), limits, workers, count, unclaimed)
            return
        yield from [outcome for id_, outcome in unclaimed.items() if id_ in left]
    yield from _in_child(list(left.values()), limits, count, unclaimed)


def _cores() -> int:
    import joblib

    return int(joblib.cpu_count())


# ---- joblib's workers


def _in_workers(
    jobs: Sequence[Job],
    limits: Limits,
    workers: int,
    count: Count,
    unclaimed: dict[RowId, _Outcome],
) -> Generator[_Outcome, None, None]:
    from joblib import Parallel, delayed

    memory = default_memory() if limits.memory is None else limits.memory
    share = replace(limits, memory=memory // workers)
    # One thread each, or the BLAS would start as many as there are cores in every worker.
    pool = Parallel(
        workers, "loky", return_as="generator_unordered", batch_size=1, inner_max_num_threads=1
    )
    # Python 3.11 starts this helper, if it is not running, with a side effect: Ctrl-C is heard
    # again.
    resource_tracker.ensure_running()
    with _Spool(unclaimed) as spool:
        with signals.held_back():
            bundles = pool(
                delayed(_work)(number, chunk, share, count, os.getpid(), spool.file(number))
                for number, chunk in enumerate(_chunks(jobs))
            )
        try:
            for number, outcomes in bundles:
                spool.take(number, outcomes)
                yield from outcomes
        finally:
            with warnings.catch_warnings():
                # Who leaves a sweep early knows that tasks are "not used".
                warnings.simplefilter("ignore")
                bundles.close()


class _Spool:
    """Files in which workers note each outcome at once: they hand back whole chunks, and whoever
    leaves a sweep early wants those that were finished.
    """

    def __init__(self, unclaimed: dict[RowId, _Outcome]) -> None:
        self._unclaimed = unclaimed
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> _Spool:
        # Without one only this is lost: what was finished is counted again.
        with contextlib.suppress(OSError):
            self._folder = tempfile.TemporaryDirectory(
                prefix="conslaw-", ignore_cleanup_errors=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            with signals.held_back(), contextlib.suppress(OSError):
                # Workers that are not stopped yet cannot add to it any more.
                files = Path(self._folder.name).rename(f"{self._folder.name}-read")
                for path in files.iterdir():
                    self._hold(_noted(path))
                shutil.rmtree(files, ignore_errors=True)
            self._folder.cleanup()

    def file(self, number: int) -> str | None:
        """Return the path of the file of a chunk."""
        return None if self._folder is None else os.path.join(self._folder.name, str(number))

    def take(self, number: int, outcomes: Iterable[_Outcome]) -> None:
        """Take the outcomes of a chunk that was handed back."""
        with signals.held_back():
            self._hold(outcomes)
            if (path := self.file(number)) is not None:
                Path(path).unlink(missing_ok=True)

    def _hold(self, outcomes: Iterable[_Outcome]) -> None:
        self._unclaimed.update((each.job.id, each) for each in outcomes if not each.retry)


def _note(path: str | None, outcome: _Outcome) -> None:
    if path is not None:
        with open(path, "ab", buffering=0) as file:
            file.write(pickle.dumps(outcome))


def _noted(path: Path) -> Iterator[_Outcome]:
    """Yield the outcomes in a worker's file, which may have been killed while writing the last."""
    with path.open("rb") as file, contextlib.suppress(EOFError, pickle.UnpicklingError):
        while True:
            yield pickle.load(file)


def _chunks(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Longest first: else the last one to start keeps all other workers waiting."""
    chunk: list[Job] = []
    for job in sorted(jobs, key=lambda job: -job.cost):
        chunk.append(job)
        if len(chunk) == CHUNK_JOBS or sum(each.cost for each in chunk) >= CHUNK_SECONDS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _work(
    number: int, chunk: Sequence[Job], limits: Limits, count: Count, parent: int, path: str | None
) -> tuple[int, list[_Outcome]]:
    _end_with(parent, path and os.path.dirname(path))
    done = []
    for outcome in _in_child(chunk, limits, count, {}):
        done.append(outcome)
        # A file that cannot be written costs nothing until the sweep is left early.
        with contextlib.suppress(OSError):
            _note(path, outcome)
    return number, done


@functools.cache
def _end_with(parent: int, folder: str | None = None) -> None:
    """End this process soon after ``parent``, its parent: one that is killed cannot stop its
    children, nor remove its ``folder``.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


# ---- children


def _in_child(
    jobs: Sequence[Job], limits: Limits, count: Count, unclaimed: dict[RowId, _Outcome]
) -> Generator[_Outcome, None, None]:
    """Run jobs one after another in a forked child, and in a new one after each that was stopped or
    died.
    """
    left = deque(jobs)
    while left:
        child = _Child(left, limits, count, unclaimed)
        with contextlib.closing(child):
            while left and child.alive:
                yield child.outcome(left.popleft())


class _Child:
    """A forked process that counts jobs and sends each row as it is done.

    unclaimed: gets every row that it has sent.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        limits: Limits,
        count: Count,
        unclaimed: dict[RowId, _Outcome],
    ) -> None:
        context = multiprocessing.get_context("fork")
        self._limits = limits
        self._unclaimed = unclaimed
        self._rows, sender = context.Pipe(duplex=False)
        arguments = (sender, list(jobs), limits, count, os.getpid())
        # At the exit of Python daemons are stopped, others waited for.
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self.alive = True
        with signals.held_back(), warnings.catch_warnings():
            # Python 3.12 and later warn of threads beside a fork; those here are NumPy's and the
            # progress bar's, and the child waits for neither.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        sender.close()

    def outcome(self, job: Job) -> _Outcome:
        """Wait for the next row, which is that of ``job``."""
        start = time.perf_counter()
        try:
            if self._rows.poll(self._limits.seconds):
                return self._receive()
            reason, retry = f"time limit of {self._limits.seconds:g} s reached", False
            self.close()
        except (EOFError, OSError):
            self._process.join()
            reason, retry = _cause_of_death(self._process.exitcode), True
        self.alive = False
        return _Outcome(job, _failed(job, reason, time.perf_counter() - start), retry)

    def _receive(self) -> _Outcome:
        with signals.held_back():
            outcome: _Outcome = self._rows.recv()
            if not outcome.retry:
                self._unclaimed[outcome.job.id] = outcome
        return outcome

    def close(self) -> None:
        """Stop the process, whatever it is doing, and take what it has sent."""
        self._process.kill()
        self._process.join()
        with contextlib.suppress(EOFError, OSError):
            while self._rows.poll():
                self._receive()
        self._rows.close()


def _serve(
    sender: Connection, jobs: Iterable[Job], limits: Limits, count: Count, parent: int
) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    _end_with(parent)
    for job in jobs:
        sender.send(_outcome(job, limits, count))


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
