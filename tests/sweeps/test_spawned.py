"""Children of a process that has threads."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import psutil
import pytest

from conslaw_cli.families.mlp import MLP
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import VERSION, LawCount
from conslaw_cli.sweeps import spawned
from conslaw_cli.sweeps.jobs import Job, Limits, plan
from conslaw_cli.sweeps.spawned import SpawnedWorker

Count = Callable[..., LawCount]


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    yield
    while spawned._KEPT:
        kept = spawned._KEPT.pop()
        kept.timer.cancel()
        kept.child.close()


def jobs_for(*inputs: int) -> list[Job]:
    return plan([MLP((n, 2, 1), "linear") for n in inputs], seed=0)


def numbered(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    """Return a row that tells the process in which it was counted."""
    described = problem.architecture.describe()
    return LawCount(problem.name, described, seed, VERSION, 0.0, "proved", laws=os.getpid())


def rows_of(count: Count, *inputs: int, seconds: float | None = None) -> list[LawCount]:
    worker = SpawnedWorker(Limits(seconds), count)
    try:
        return [each.row for each in chain.from_iterable(worker.outcomes(jobs_for(*inputs)))]
    finally:
        worker.close()


def process_of(row: LawCount) -> int:
    assert row.laws is not None
    return row.laws


def loading(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    importlib.import_module("conslaw_slow_to_load")
    return numbered(problem, seed=seed, memory=memory)


def test_a_module_that_another_thread_is_loading_does_not_stop_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a forked one its lock would never be opened."""
    begun = tmp_path / "begun"
    text = f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(1)\n"
    (tmp_path / "conslaw_slow_to_load.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    thread = threading.Thread(target=importlib.import_module, args=["conslaw_slow_to_load"])
    thread.start()
    while not begun.exists():
        time.sleep(0.01)
    try:
        rows = rows_of(loading, 1, seconds=60)
    finally:
        thread.join()
        sys.modules.pop("conslaw_slow_to_load")
    assert [row.verdict for row in rows] == ["proved"]


def test_a_child_is_kept_for_the_next_jobs_and_ends_without_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spawned, "KEPT", 60.0)
    (one, two), (three,) = rows_of(numbered, 1, 2), rows_of(numbered, 3)
    assert process_of(one) == process_of(two) == process_of(three) != os.getpid()
    monkeypatch.setattr(spawned, "KEPT", 0.1)
    (four,) = rows_of(numbered, 4)
    assert process_of(four) == process_of(one)
    deadline = time.monotonic() + 60
    while psutil.pid_exists(process_of(four)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert spawned._KEPT == []


def other(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    return numbered(problem, seed=seed, memory=memory)


def test_a_child_that_has_died_or_counts_otherwise_is_not_taken_again() -> None:
    (one,) = rows_of(numbered, 1)
    os.kill(process_of(one), signal.SIGKILL)
    # Its first thread may be gone, a zombie, while another one still holds the pipe.
    assert spawned._KEPT[0].child.pipe.poll(60)
    (two,) = rows_of(numbered, 2)
    (three,) = rows_of(other, 3)
    assert len({process_of(row) for row in (one, two, three)}) == 3
    assert not psutil.pid_exists(process_of(two))


def endless(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    while True:
        time.sleep(1)


def test_a_child_that_has_jobs_when_it_is_left_is_stopped() -> None:
    before = psutil.Process().children()
    stopped, stop = os.pipe()
    worker = SpawnedWorker(Limits(), endless, stopped)
    os.write(stop, b".")
    assert list(worker.outcomes(jobs_for(1))) == []
    assert worker.close() == []
    os.close(stopped)
    os.close(stop)
    assert spawned._KEPT == []
    assert psutil.Process().children() == before


def test_a_program_that_cannot_begin_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ChildProcessError, match=r"ended as it began: worker died \(exit code 1\)"):
        rows_of(numbered, 1)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(OSError, match="No such file"):
        rows_of(numbered, 1)
