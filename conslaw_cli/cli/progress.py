"""How far a command is, on stderr: a bar if that is a terminal, else a line now and then."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from conslaw_cli.errors import one_line
from conslaw_cli.sweeps import signals

if TYPE_CHECKING:
    from rich.progress import Progress

    from conslaw_cli.problems.records import LawCount
    from conslaw_cli.sweeps.jobs import Job

SHOW_AFTER = 1.0
"""Seconds, estimated or gone by, from which a bar is of use."""

EVERY = 10.0
"""Seconds between two lines, where there is no terminal for a bar."""

Rows = Iterable[tuple["Job", "LawCount"]]
_stages: list[Callable[[], str]] = []
"""What is going on, the innermost last: each returns what the next line is to say."""


@contextlib.contextmanager
def heartbeat() -> Iterator[None]:
    """Write a line to stderr every so many seconds of the block, if that is no terminal.

    A timer's signal rather than a thread: that would take more memory than many a count.
    """
    if _terminal():
        yield
        return
    start = time.monotonic()
    before = signal.signal(signal.SIGALRM, lambda *_: _write_line(time.monotonic() - start))
    signal.setitimer(signal.ITIMER_REAL, EVERY, EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _write_line(seconds: float) -> None:
    what = _stages[-1]() if _stages else "reading what is asked for"
    # It may come while another line is being written.
    with contextlib.suppress(RuntimeError):
        print(one_line(f"{seconds:.0f} s: {what}"), file=sys.stderr, flush=True)


@contextlib.contextmanager
def _stage(text: Callable[[], str]) -> Iterator[None]:
    _stages.append(text)
    try:
        yield
    finally:
        _stages.remove(text)


def _terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def progress(rows: Rows, jobs: Sequence[Job]) -> Generator[tuple[Job, LawCount], None, None]:
    """Yield the rows of the jobs as they come; if it takes a while, show how far they are.

    The bar, the lines and their ETA go by estimated work, not by the number of rows: long jobs come
    first.
    """
    done = _Done(jobs)
    with _stage(done.text), _shown(done) if _terminal() else contextlib.nullcontext():
        for job, row in rows:
            done.add(job, row)
            yield job, row


class _Done:
    """How many jobs have a row, and how much of the estimated work that is."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.rows, self.work = len(jobs), sum(job.cost for job in jobs)
        self.tell: Callable[[float], object] = lambda work: None
        self._verdicts, self._work, self._start = Counter[str](), 0.0, time.monotonic()

    def add(self, job: Job, row: LawCount) -> None:
        """Count one row more."""
        self._verdicts[row.verdict] += 1
        self._work += job.cost
        self.tell(self._work)

    def counts(self) -> str:
        """Return the numbers of rows."""
        from conslaw_cli.problems.records import VERDICTS

        parts = [f"{self._verdicts[each]} {each}" for each in VERDICTS if self._verdicts[each]]
        return " · ".join([f"{self._verdicts.total()}/{self.rows}", *parts])

    def text(self) -> str:
        """Return the numbers of rows and about how long the others will take."""
        if not self._work:
            return self.counts()
        left = (time.monotonic() - self._start) * (self.work - self._work) / self._work
        return f"{self.counts()}, about {left:.0f} s left"


@contextlib.contextmanager
def _shown(done: _Done) -> Iterator[None]:
    bar = _bar()
    task = bar.add_task("", total=done.work, counts=done.counts())
    done.tell = lambda work: bar.update(task, completed=work, counts=done.counts())
    with _soon(bar, 0.0 if done.work > SHOW_AFTER else SHOW_AFTER):
        yield


@contextlib.contextmanager
def _soon(bar: Progress, seconds: float) -> Iterator[None]:
    """Show a bar after some seconds.

    A job may be silent for minutes, so another thread starts it.
    """
    shown = _Shown(bar)
    timer = threading.Timer(seconds, shown.begin)
    # A thread that hears a signal passes it on at any time.
    with signals.held_back():
        timer.start()
    _bars.append(shown)
    try:
        yield
    finally:
        _bars.remove(shown)
        timer.cancel()
        timer.join()
        bar.stop()


class _Shown:
    """A bar that two threads handle: one begins to show it, the other takes it off for a while."""

    def __init__(self, bar: Progress) -> None:
        self._bar, self._begun, self._lock = bar, False, threading.Lock()

    def begin(self) -> None:
        """Show it, in the timer's thread."""
        with self._lock:
            self._begun = True
            self._bar.start()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Take it off the terminal during the block."""
        with signals.held_back(), self._lock:
            if self._begun:
                self._bar.stop()
            yield
            if self._begun:
                self._bar.start()


_bars: list[_Shown] = []
"""The bar that there is, if any."""


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Take the bar, if one is shown, off the terminal while the block writes there to stdout."""
    with contextlib.ExitStack() as stack:
        for bar in _bars if sys.stdout.isatty() else ():
            stack.enter_context(bar.away())
        yield


@contextlib.contextmanager
def search_progress(name: str, timed: bool = False) -> Iterator[Callable[[str, float], None]]:
    """Give what a search calls with its step and how much of it is done; if it takes a while, show
    that. timed: what is done grows evenly with time, and lines say how much is left.
    """
    if not _terminal():
        latest, start = [name], time.monotonic()

        def told(what: str, done: float) -> None:
            seconds = (time.monotonic() - start) * (1 / done - 1) if done else 0.0
            left = f", about {seconds:.0f} s left" if timed and done else ""
            latest[0] = f"{name}: {what}, {done:.0%}{left}"

        with _stage(lambda: latest[0]):
            yield told
        return
    bar = _bar()
    task = bar.add_task("", total=1.0, counts=name)
    with _soon(bar, SHOW_AFTER):
        yield lambda what, done: bar.update(task, completed=done, counts=f"{name}: {what}")


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        BarColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
