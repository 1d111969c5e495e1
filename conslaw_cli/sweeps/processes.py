"""Many counts on this machine: one child after another, or several at a time.

Where there is work for several cores, joblib runs several children at a time: each of its threads
hands chunks of jobs to a child of its own and waits for the rows. (Processes of joblib's own would
have to fork these children themselves, and leave semaphores behind when they are killed.)
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from conslaw_cli.errors import ResourceError
from conslaw_cli.lie.budget import default_memory
from conslaw_cli.lie.count import count_laws
from conslaw_cli.lie.memo import shared
from conslaw_cli.sweeps import signals
from conslaw_cli.sweeps.children import Worker
from conslaw_cli.sweeps.jobs import (
    Count,
    Job,
    Limits,
    Outcome,
    Outcomes,
    Rows,
    Unclaimed,
    claim,
    in_chunks,
    tried_again,
)

WORTH_A_WORKER = 0.25
"""Seconds of estimated work for each child that is started."""
CHUNK_SECONDS = 0.2
"""Estimated work that a child is given at a time."""
CHUNK_JOBS = 100
LISTEN = 0.1
"""Seconds after which an interrupt is heard that came to another thread."""
TOGETHER = 0.01
"""Seconds in which rows come that are taken together: to wait costs as much as to keep a row."""
SHARES = 20
"""A job is long if it takes more than such a part of the time that all of them take."""


def run(
    jobs: Iterable[Job],
    limits: Limits,
    workers: int | None = None,
    count: Count = count_laws,
    unclaimed: Unclaimed | None = None,
) -> Generator[Rows, None, None]:
    """Yield rows as they finish. A job that fails has a row that says why; nothing is raised for
    it.

    workers: processes at most, by default one per core; a row does not depend on it, seconds aside.
    unclaimed: gets, when the rest is not wanted any more, what has finished and was not yielded.
    Raise ResourceError if the system gives no process.
    """
    rest: Unclaimed = {} if unclaimed is None else unclaimed
    todo = list({job.id: job for job in jobs}.values())
    processes = _worth(todo, workers)
    several = processes > 1  # the memory is shared
    with contextlib.closing(shared):
        if several:
            with signals.held_back():
                shared.open()
        yield from tried_again(
            _everywhere(todo, limits, processes, count, rest),
            lambda outcome: outcome.retry and (several or outcome.row.verdict == "failed"),
            lambda left: _in_one(left, limits, count, rest),
        )


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


def _everywhere(
    jobs: Sequence[Job],
    limits: Limits,
    workers: int,
    count: Count,
    unclaimed: Unclaimed,
) -> Generator[Outcomes, None, None]:
    """Run jobs in up to so many processes, which share the memory; yield rows as they finish."""
    left = {job.id: job for job in jobs}
    if workers > 1:
        memory = default_memory() if limits.memory is None else limits.memory
        each = replace(limits, memory=memory // workers)
        with contextlib.closing(_in_workers(jobs, each, workers, count, unclaimed)) as arriving:
            for outcomes in arriving:
                for outcome in outcomes:
                    del left[outcome.job.id]
                yield outcomes
    # What is left had no process.
    yield from _in_one(list(left.values()), limits, count, unclaimed)


def _in_one(
    jobs: Sequence[Job], limits: Limits, count: Count, unclaimed: Unclaimed
) -> Generator[Outcomes, None, None]:
    """Run jobs in one process at a time."""
    worker = Worker(limits, count, known=jobs)
    # Signals are heard where the process is waited for, and nowhere else.
    with signals.held_back():
        try:
            for first, chunk in _chunks(jobs):
                yield from worker.outcomes(chunk, first)
        except OSError as error:
            what = f"no process to count in can be started: {error.strerror}"
            raise ResourceError(what) from None
        finally:
            claim(unclaimed, worker.close())


def _in_workers(
    jobs: Sequence[Job],
    limits: Limits,
    workers: int,
    count: Count,
    unclaimed: Unclaimed,
) -> Generator[Outcomes, None, None]:
    """Run jobs in several processes. Jobs for which there is none have no outcome."""
    ordered = _long_first(jobs, workers)
    with signals.held_back():
        try:
            crew = _Crew(ordered, limits, workers, count)
        except (OSError, RuntimeError, MemoryError):
            return  # there are no descriptors or threads for it
        try:
            more = True
            while more:
                more = crew.wait()
                if outcomes := crew.arrived():
                    yield outcomes
        finally:
            claim(unclaimed, crew.close())


class _Chunk(NamedTuple):
    """Jobs that are counted one after the other, and the number of the first of them."""

    first: int
    jobs: list[Job]


def _chunks(jobs: Sequence[Job]) -> Iterator[_Chunk]:
    first = 0
    for chunk in in_chunks(jobs, CHUNK_SECONDS, CHUNK_JOBS):
        yield _Chunk(first, chunk)
        first += len(chunk)


def _long_first(jobs: Sequence[Job], workers: int) -> list[Job]:
    """Return the jobs in their order, so that rows come in the order they are shown in, but for
    long ones, the longest first: the last one to start keeps all other workers waiting, of those
    in their order for at most 1 / SHARES of the time.
    """
    long = sum(job.cost for job in jobs) / workers / SHARES
    return sorted(jobs, key=lambda job: -job.cost if job.cost > long else 0.0)


class _Crew:
    """Workers, each in a thread of joblib's, which take chunks of jobs while there are any.

    Whatever joblib does, or cannot do, happens beside the main thread: that takes rows as they
    finish, and hears signals.
    """

    def __init__(self, jobs: Sequence[Job], limits: Limits, workers: int, count: Count) -> None:
        self._chunks, self._stopping, self._ended = deque(_chunks(jobs)), False, False
        self._arrived = deque[Outcome]()
        # No Event: an interrupt may leave its lock taken.
        self._news, self._end = SimpleQueue[None](), SimpleQueue[None]()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stopped, self._stop = os.pipe()
        self._workers = [Worker(limits, count, self._stopped, jobs) for _ in range(workers)]
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
        self._end.put(None)
        self._news.put(None)

    def _work(self, worker: Worker) -> None:
        """Run jobs, in a thread. Those of a worker that gets no process are left to the others."""
        while (chunk := self._next()) is not None:
            left = deque(chunk.jobs)
            try:
                for outcomes in worker.outcomes(chunk.jobs, chunk.first):
                    for outcome in outcomes:
                        left.popleft()
                        self._arrived.append(outcome)
                    self._news.put(None)
            except Exception:
                done = len(chunk.jobs) - len(left)
                self._chunks.appendleft(_Chunk(chunk.first + done, [*left]))
                return

    def _next(self) -> _Chunk | None:
        try:
            return None if self._stopping else self._chunks.popleft()
        except IndexError:
            return None

    def wait(self) -> bool:
        """Wait for news, and for those that come soon after; return whether there may be more. Rows
        are taken afterwards, lest an interrupt drops one.
        """
        with signals.let_through(), contextlib.suppress(Empty):
            self._news.get(timeout=LISTEN)
            self._end.get(timeout=TOGETHER)
        with contextlib.suppress(Empty):
            while True:
                self._news.get_nowait()
        return not self._ended

    def arrived(self) -> list[Outcome]:
        """Take the rows that are there."""
        return [self._arrived.popleft() for _ in range(len(self._arrived))]

    def close(self) -> list[Outcome]:
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
