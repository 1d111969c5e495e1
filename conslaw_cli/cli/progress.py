"""A progress bar on stderr, if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from conslaw_cli.report import LawCount
    from conslaw_cli.sweep import Job

SHOW_AFTER = 1.0
"""Seconds, estimated or gone by, from which a bar is of use."""

Rows = Iterable[tuple["Job", "LawCount"]]


def progress(rows: Rows, jobs: Sequence[Job]) -> Iterator[tuple[Job, LawCount]]:
    """Yield the rows of the jobs as they come; if stderr is a terminal and it takes a while, show a
    bar.

    The bar and its ETA go by estimated work, not by the number of rows: long jobs come first.
    """
    if not sys.stderr.isatty():
        yield from rows
        return
    bar, verdicts = _bar(), Counter[str]()
    work = sum(job.cost for job in jobs)
    task = bar.add_task("", total=work, counts=f"0/{len(jobs)}")
    with _soon(bar, 0.0 if work > SHOW_AFTER else SHOW_AFTER):
        for job, row in rows:
            verdicts[row.verdict] += 1
            bar.update(task, advance=job.cost, counts=_counts(verdicts, len(jobs)))
            yield job, row


@contextlib.contextmanager
def _soon(bar: Progress, seconds: float) -> Iterator[None]:
    """Show a bar after some seconds.

    A job may be silent for minutes, so another thread starts it.
    """
    timer = threading.Timer(seconds, bar.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


@contextlib.contextmanager
def search_progress(name: str) -> Iterator[Callable[[str, float], None]]:
    """Give what a search calls with its step and how much of it is done; if it takes a while, show
    a bar on a terminal.
    """
    if not sys.stderr.isatty():
        yield lambda what, done: None
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


def _counts(verdicts: Counter[str], rows: int) -> str:
    parts = [
        f"{verdicts[each]} {each}" for each in ("proved", "computed", "failed") if verdicts[each]
    ]
    return " · ".join([f"{verdicts.total()}/{rows}", *parts])
