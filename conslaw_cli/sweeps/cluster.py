"""Many counts on many machines, by dask.distributed (``conslaw[dask]``).

A batch of jobs is a task. Only so many tasks are with the scheduler at a time that its workers
have something to do, and a cluster that grows with its work sees that there is more of it. A worker
counts each job in a child (spawned.py), where the limits hold.

A scheduler starts the tasks of a worker that died on another one. There an Event tells that a task
was begun before; it does nothing then but to say so, and its jobs are sent again one by one.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
import re
import threading
import time
import uuid
from asyncio import CancelledError
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

from conslaw_cli import checks
from conslaw_cli.errors import ConslawError, ResourceError, SpecError
from conslaw_cli.lie.budget import default_memory
from conslaw_cli.lie.count import count_laws
from conslaw_cli.sweeps import signals
from conslaw_cli.sweeps.files import label
from conslaw_cli.sweeps.jobs import (
    Count,
    Job,
    Limits,
    Outcome,
    Outcomes,
    Rows,
    Unclaimed,
    claim,
    failed,
    in_chunks,
    tried_again,
)
from conslaw_cli.sweeps.spawned import SpawnedWorker
from conslaw_cli.sweeps.store import RowId

EXPECTED = "local:4, tcp://address:port, or the path of a scheduler file"
MOST_LOCAL = 1024
CONNECT = 10.0
"""Seconds within which a scheduler must answer."""
LATE = 1.0
"""Seconds more in which distributed says so by itself."""
LOCAL = {"distributed.deploy.lost-worker-timeout": "7 days"}
"""By default a worker that dies while it is started again is given up."""
START = 300.0
"""Seconds within which workers of this machine must have started."""
BATCH_SECONDS = 1.0
"""Estimated work of a task; a scheduler takes milliseconds for each."""
BATCH_JOBS = 500
"""Jobs of a task at most: their rows are about a megabyte."""
AHEAD = 8
"""Tasks for each thread that are with the scheduler: by default an adaptive cluster grows while
there are more than five seconds of work for each.
"""
LEAST_AHEAD = 32
TIMES = 3
"""A job whose workers have died so many times is not sent again."""
DIED = "its worker died"
LISTEN = 0.05
"""Seconds after which it is looked for rows."""
LOOK = 1.0
"""Seconds after which it is looked for workers that have joined."""
CLAIM = 2.0
"""Seconds that rows which are finished may take to arrive when the rest is not wanted any more."""
OVERDUE = 5.0
"""Seconds in which a task that has ended must be heard of."""
NOTICE = 0.2
"""Seconds after which a worker notices that a task is not wanted any more."""


class Versions(NamedTuple):
    """What must be the same everywhere, so that rows are."""

    conslaw: str
    numpy: str

    def __str__(self) -> str:
        return f"conslaw {self.conslaw} and numpy {self.numpy}"


PLACES = Versions("conslaw_cli:__version__", "numpy:__version__")
HERE = Versions(*map(resolve_name, PLACES))


class Cluster:
    """The workers of a scheduler, with which it is connected once there are jobs; a context.

    where: "local:4" for so many processes of this machine, "tcp://address:port", or the path of a
    scheduler file.
    say: told where the scheduler's dashboard is, when there are no workers, and what dies.

    Raise SpecError if ``where`` is none of these, or distributed is not installed.
    """

    def __init__(self, where: str, say: Callable[[str], None]) -> None:
        self._where, self._way = where, _way(where)
        checks.extra("distributed", "dask")
        self._say = say
        self._opened = contextlib.ExitStack()
        self._link: _Link | None = None

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        with signals.held_back():
            self._opened.close()

    def run(
        self,
        jobs: Iterable[Job],
        limits: Limits,
        count: Count = count_laws,
        *,
        unclaimed: Unclaimed,
    ) -> Generator[Rows, None, None]:
        """Yield rows as they finish, as a Backend does.

        limits: hold for each job. Without memory a job may use half of what is its worker's,
        divided by the worker's threads; what that is too little for is counted again in the end,
        one job at a time, without dividing.
        Raise SpecError if there is no scheduler or one of other versions, ResourceError if it is
        lost.
        """
        todo = list({job.id: job for job in jobs}.values())
        if not todo:
            return
        link = self._link = self._link or self._connected()
        shared = limits.memory is None
        yield from tried_again(
            _Tasks(link, limits, count, unclaimed, shared).outcomes(todo),
            lambda outcome: outcome.retry and (shared or outcome.row.verdict == "failed"),
            _Tasks(link, limits, count, unclaimed, False, one=True).outcomes,
        )

    def _connected(self) -> _Link:
        with signals.held_back():
            client = self._client()
            self._say(f"dashboard: {_dashboard(client)}")
            return self._opened.enter_context(_Link(client, self._say))

    def _client(self) -> Any:
        seconds = START if self._where.startswith("local:") else CONNECT + LATE
        try:
            return _apart(lambda: self._opened.enter_context(self._way()), seconds)
        except TimeoutError:
            # Now and then distributed never says so by itself.
            limit = seconds if self._where.startswith("local:") else CONNECT
            said = f"no scheduler answered within {limit:g} s"
            raise _wrong(self._where, said) from None


def _apart(work: Callable[[], Any], seconds: float) -> Any:
    """Return what is done in a thread, which hears no signals, nor do those that it starts;
    meanwhile they are heard here. Raise TimeoutError if it takes too long.
    """
    done: list[Callable[[], Any]] = []

    def run() -> None:
        try:
            result = work()
            done.append(lambda: result)
        except BaseException as error:
            done.append(partial(_raise, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    with signals.let_through():
        thread.join(seconds)
    if not done:
        raise TimeoutError
    return done[0]()


def _raise(error: BaseException) -> None:
    raise error


def _dashboard(client: Any) -> str:
    try:
        return str(client.dashboard_link)
    except LookupError:
        return "none"


# ---- schedulers

_Way = Callable[[], contextlib.AbstractContextManager[Any]]
"""Connects with a scheduler, for as long as the context lasts, whose value is a Client."""


def _way(where: str) -> _Way:
    kind, _, rest = where.partition(":")
    if kind == "local":
        if not (re.fullmatch("[0-9]{1,6}", rest) and 1 <= int(rest) <= MOST_LOCAL):
            raise _wrong(where, f"expected local:N with N from 1 to {MOST_LOCAL:,} processes")
        return partial(_local, int(rest))
    if "://" in where:
        return partial(_remote, where, where, CONNECT)
    if not where or os.path.isdir(where):
        raise _wrong(where, f"expected {EXPECTED}")
    if re.fullmatch(r"[\w.-]+:[0-9]+", where) and not os.path.exists(where):
        raise _wrong(where, f"expected {EXPECTED} (did you mean tcp://{where}?)")
    return partial(_by_file, where)


def _wrong(where: str, what: str) -> SpecError:
    return SpecError(f"--cluster {label(where)}: {what}")


@contextlib.contextmanager
def _local(number: int) -> Iterator[Any]:
    import logging

    distributed = checks.extra("distributed", "dask")
    with (
        checks.extra("dask", "dask").config.set(LOCAL),
        distributed.LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,  # what dies is said in our words
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextlib.contextmanager
def _remote(where: str, address: str, seconds: float) -> Iterator[Any]:
    distributed = checks.extra("distributed", "dask")
    try:
        client = distributed.Client(address, timeout=seconds, set_as_default=False)
    except (OSError, ValueError, ImportError, TypeError, AttributeError) as error:
        why = str(error) or type(error).__name__
        raise _wrong(where, f"no scheduler answered within {CONNECT:g} s: {why}") from None
    with client:
        yield client


@contextlib.contextmanager
def _by_file(path: str) -> Iterator[Any]:
    start = time.monotonic()
    while (address := _address_in(path)) is None:
        if time.monotonic() > start + CONNECT:
            raise _wrong(path, f"no scheduler file is there within {CONNECT:g} s")
        time.sleep(LISTEN)
    with _remote(path, address, CONNECT + start - time.monotonic()) as client:
        yield client


def _address_in(path: str) -> str | None:
    """Return the address in a scheduler file; None where it is not written yet."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        return str(json.loads(text)["address"]) if text else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, LookupError):
        raise _wrong(path, f"no scheduler file; expected {EXPECTED}") from None


class _Link:
    """A client, and a thread beside that looks for workers which have joined.

    threads: how many all workers have.
    """

    def __init__(self, client: Any, say: Callable[[str], None]) -> None:
        self.client, self.say, self.threads = client, say, 0
        self._checked, self._said = set[str](), set[str]()
        self._fault: ConslawError | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Link:
        try:
            self._look()
        except (OSError, AttributeError) as error:
            what = f"{self.client.scheduler.address}: no scheduler: {error}"
            raise SpecError(what) from None
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join(CLAIM)

    @property
    def lives(self) -> bool:
        """Whether there is a connection."""
        return bool(self.client.status == "running")

    def say_once(self, text: str) -> None:
        """Say what may happen often, the first time."""
        if text not in self._said:
            self._said.add(text)
            self.say(text)

    def check(self) -> None:
        """Raise what was found: a worker of other versions, or that the scheduler is lost."""
        if self._fault is not None:
            raise self._fault
        if not self.lives:
            raise ResourceError(
                "the connection with the scheduler is lost; its rows so far are kept"
            )

    def _watch(self) -> None:
        while self._fault is None and not self._closing.wait(LOOK):
            # What cannot be asked now is asked the next time.
            with contextlib.suppress(Exception, CancelledError):
                self._look()

    def _look(self) -> None:
        threads = self.client.nthreads()
        if new := sorted(threads.keys() - self._checked):
            ask = partial(self.client.run, resolve_name, workers=new, on_error="return")
            found = [ask(place) for place in PLACES]
            for address in new:
                self._check(address, [each.get(address) for each in found])
        self.threads = sum(threads.values())
        if not threads:
            self.say_once("the scheduler has no workers; waiting for some")

    def _check(self, address: str, found: list[object]) -> None:
        """Note the versions of a worker, unless it has left meanwhile."""
        if any(each is None or isinstance(each, OSError) for each in found):
            return
        self._checked.add(address)
        if tuple(found) != HERE:
            self._fault = self._fault or _mismatch(address, found)


def _mismatch(address: str, found: Sequence[object]) -> SpecError:
    theirs = Versions(*(each if isinstance(each, str) else "none" for each in found))
    return SpecError(f"{address}: has {theirs}, expected {HERE} as where the sweep runs")


# ---- tasks


class _Tasks:
    """Jobs as tasks of a scheduler, many at a time or ``one``.

    shared: the threads of a worker share its memory.
    """

    def __init__(
        self,
        link: _Link,
        limits: Limits,
        count: Count,
        unclaimed: Unclaimed,
        shared: bool,
        one: bool = False,
    ) -> None:
        self._link, self._unclaimed, self._one = link, unclaimed, one
        self._given, self._task = (count, limits, shared), _task()
        self._running: dict[str, _Sent] = {}
        self._again, self._arrived = deque[list[Job]](), deque[Outcome]()
        self._troubles = Counter[RowId]()
        self._ended, self._next_look = set[str](), 0.0

    def outcomes(self, jobs: Sequence[Job]) -> Generator[Outcomes, None, None]:
        """Yield the rows as they arrive."""
        distributed = checks.extra("distributed", "dask")
        self._completed = distributed.as_completed(
            loop=self._link.client.loop, with_results=True, raise_errors=False
        )
        batches = in_chunks(jobs, BATCH_SECONDS, 1 if self._one else BATCH_JOBS)
        # Signals are heard where rows are waited for, and nowhere else.
        with signals.held_back():
            try:
                while self._send(batches):
                    self._wait()
                    self._take()
                    if self._arrived:
                        yield [self._arrived.popleft() for _ in range(len(self._arrived))]
            finally:
                claim(self._unclaimed, self._close())

    def _send(self, batches: Iterator[list[Job]]) -> bool:
        """Send as many batches as may be; return whether there is something to wait for."""
        most = 1 if self._one else max(LEAST_AHEAD, AHEAD * self._link.threads)
        while len(self._running) < most:
            batch = self._again.popleft() if self._again else next(batches, None)
            if batch is None:
                break
            name = f"conslaw-{uuid.uuid4().hex}"
            parcel = pickle.dumps((batch, *self._given))
            future = self._link.client.submit(self._task, name, parcel, key=name, pure=False)
            self._running[name] = _Sent(future, batch)
            self._completed.add(future)
        return bool(self._running)

    def _wait(self) -> None:
        with signals.let_through():
            if not self._completed.has_ready():
                time.sleep(LISTEN)
        self._link.check()

    def _take(self) -> None:
        """Take what has arrived; raise what makes it useless to go on once all rows are taken."""
        faults = list[BaseException]()
        for future, result in [*self._completed.next_batch(block=False), *self._overdue()]:
            # Not its status: that changes when the worker dies that has given the result.
            if (sent := self._running.pop(future.key, None)) is None:
                continue
            error = result[1] if isinstance(result, tuple) else result
            if isinstance(result, Counted):
                self._arrived.extend(result.outcomes)
                self._resend(sent.jobs[len(result.outcomes) :], result.trouble)
            elif isinstance(result, list):
                faults.append(_mismatch(*result))
            elif isinstance(result, str):
                faults.append(ResourceError(f"a task failed: {result}"))
            elif _killed(error):
                self._lost(future.key, sent.jobs)
            else:
                faults.append(error)
        for fault in faults:
            if isinstance(fault, ConslawError):
                raise fault
            raise ResourceError(f"a task failed: {type(fault).__name__}: {fault}")

    def _overdue(self) -> list[tuple[Any, Any]]:
        """Return tasks that ended with an error of which nothing else tells: their workers died
        while results were fetched.
        """
        now = time.monotonic()
        if now < self._next_look:
            return []
        self._next_look = now + OVERDUE
        ended = {name for name, each in self._running.items() if each.future.status == "error"}
        overdue, self._ended = ended & self._ended, ended
        futures = [self._running[name].future for name in overdue]
        return [(future, future.exception()) for future in futures]

    def _lost(self, name: str, jobs: list[Job]) -> None:
        """Send jobs again that the scheduler gave up: one by one if they were begun."""
        begun = checks.extra("distributed", "dask").Event(name, client=self._link.client)
        if begun.is_set():
            begun.clear()
            self._resend(jobs, DIED)
        else:
            self._again.append(jobs)

    def _resend(self, jobs: list[Job], trouble: str | None) -> None:
        """Send jobs again, one by one; those that had trouble too often have a row that says so."""
        for job in jobs:
            self._troubles[job.id] += trouble is not None
            if self._troubles[job.id] < TIMES:
                self._again.append([job])
            else:
                row = failed(job, f"{trouble} ({TIMES} times)", 0.0)
                self._arrived.append(Outcome(job, row))
        if jobs and trouble:
            self._link.say_once(f"{trouble}: jobs are sent again, one by one")

    def _close(self) -> list[Outcome]:
        """Stop all tasks; return what has finished besides."""
        until = time.monotonic() + CLAIM
        while self._link.lives and any(each.finished for each in self._running.values()):
            with contextlib.suppress(ConslawError):
                self._take()
            if time.monotonic() > until:
                break
            time.sleep(LISTEN)
        if self._link.lives:
            self._link.client.cancel([each.future for each in self._running.values()])
        self._completed.clear()
        return list(self._arrived)


class _Sent(NamedTuple):
    future: Any
    jobs: list[Job]

    @property
    def finished(self) -> bool:
        return bool(self.future.status == "finished")


def _killed(error: BaseException) -> bool:
    return isinstance(error, checks.extra("distributed", "dask").KilledWorker)


# ---- workers


class Counted(NamedTuple):
    """The rows of the first jobs of a task, and why there are not more, if something happened."""

    outcomes: list[Outcome]
    trouble: str | None = None


def _task() -> Callable[[str, bytes], Any]:
    """Return what a task calls. It is sent as code, being no part of a module: a worker that cannot
    import this one says what it has, where it would break off. Errors are returned as texts: of one
    whose exception cannot be sent, distributed never tells.
    """
    places, here = tuple(PLACES), tuple(HERE)

    def task(name: str, parcel: bytes) -> Any:
        from pkgutil import resolve_name

        from distributed import get_worker

        found = []
        for place in places:
            try:
                found.append(resolve_name(place))
            except (ImportError, AttributeError):
                found.append(None)
        if tuple(found) != here:
            return [get_worker().address, found]
        try:
            return resolve_name("conslaw_cli.sweeps.cluster:count_batch")(name, parcel)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    return task


def count_batch(name: str, parcel: bytes) -> Counted:
    """Count the jobs of a parcel, in a worker.

    name: that of the task, and of the Event that is set while it runs.
    """
    from distributed import Event, get_worker

    worker = get_worker()
    begun = Event(name)
    if begun.is_set():
        begun.clear()
        return Counted([], DIED)
    begun.set()
    try:
        jobs, count, limits, shared = pickle.loads(parcel)
        memory = _memory(worker, shared) if limits.memory is None else limits.memory
        return _counted(worker, name, jobs, replace(limits, memory=memory), count)
    finally:
        begun.clear()


def _memory(worker: Any, shared: bool) -> int:
    """Return how many bytes a job may use: half of what is free, or of what the worker may use."""
    limit = worker.memory_manager.memory_limit or math.inf
    threads = worker.state.nthreads if shared else 1
    return int(min(default_memory(), limit / 2)) // int(threads)


def _counted(worker: Any, name: str, jobs: list[Job], limits: Limits, count: Count) -> Counted:
    outcomes = list[Outcome]()
    with _unwanted(worker, name) as stop:
        child = SpawnedWorker(limits, count, stop)
        try:
            for done in child.outcomes(jobs):
                outcomes += done
        except OSError as error:
            return Counted(outcomes, f"no process to count in can be started: {error.strerror}")
        finally:
            child.close()
    return Counted(outcomes)


@contextlib.contextmanager
def _unwanted(worker: Any, name: str) -> Iterator[int]:
    """Give a descriptor that can be read from once nobody wants the task any more: the parent has
    stopped or is gone.
    """
    ended = threading.Event()
    unwanted, end = os.pipe()

    def watch() -> None:
        while not ended.wait(NOTICE):
            task = worker.state.tasks.get(name)
            if task is None or task.state == "cancelled":
                os.write(end, b".")
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield unwanted
    finally:
        ended.set()
        thread.join()
        os.close(unwanted)
        os.close(end)
