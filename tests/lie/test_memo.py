"""Processes that share what they find: each value is found once, and by others if that fails."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conslaw_cli import MLP, LawCount, Momentum, Problem
from conslaw_cli.flows import Flow
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.lie import strands
from conslaw_cli.lie.memo import Memo, shared
from conslaw_cli.sweeps.jobs import Limits, plan
from conslaw_cli.sweeps.processes import run


@pytest.fixture
def memo() -> Iterator[Memo]:
    memo = Memo()
    memo.open()
    yield memo
    memo.close()


def forked(act: Callable[[], object]) -> int:
    """Do something in a process of its own, which ends with 0 if that returned."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        act()
        code = 0
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def logged(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def noting(path: Path, seconds: float = 0.0) -> Callable[[int], int]:
    """Return what squares a number, slowly, and notes that it did."""

    def find(key: int) -> int:
        with path.open("a") as file:
            file.write(f"{key}\n")
        time.sleep(seconds)
        return key * key

    return find


def asking(memo: Memo, keys: list[int], find: Callable[[int], int], first: bool) -> None:
    if first:
        memo.fill(keys, find)
    assert [memo.get(key, partial(find, key)) for key in keys] == [k * k for k in keys]


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(1, 5), max_size=8), min_size=1, max_size=3), st.booleans())
def test_each_value_is_found_once(asked: list[list[int]], first: bool) -> None:
    memo = Memo()
    memo.open()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        find = noting(log, 0.002)
        pids = [forked(partial(asking, memo, keys, find, first)) for keys in asked]
        assert [ended(pid) for pid in pids] == [0] * len(asked)
        asking(memo, [key for keys in asked for key in keys], find, first)
        assert sorted(logged(log)) == sorted({str(key) for keys in asked for key in keys})
    memo.close()


def test_a_closed_one_shares_nothing(tmp_path: Path) -> None:
    find = noting(tmp_path / "log")
    asking(Memo(), [2, 2], find, first=True)
    assert logged(tmp_path / "log") == ["2", "2"]


def test_what_a_killed_process_was_finding_is_found_by_another(memo: Memo, tmp_path: Path) -> None:
    find = noting(tmp_path / "log", 60.0)
    pid = forked(lambda: asking(memo, [3], find, first=False))
    while not logged(tmp_path / "log"):
        time.sleep(0.01)
    other = forked(lambda: asking(memo, [3], lambda key: key * key, first=True))
    os.kill(pid, signal.SIGKILL)
    assert (ended(pid), ended(other)) == (-signal.SIGKILL, 0)


def test_what_another_is_finding_is_left_for_later(memo: Memo, tmp_path: Path) -> None:
    pid = forked(lambda: asking(memo, [3], noting(tmp_path / "log", 60.0), first=False))
    while not logged(tmp_path / "log"):
        time.sleep(0.01)
    quick = noting(tmp_path / "quick")
    memo.fill([3, 4], quick)
    os.kill(pid, signal.SIGKILL)
    ended(pid)
    asking(memo, [4, 3], quick, first=False)
    assert logged(tmp_path / "quick") == ["4", "3"]


def test_after_a_value_that_is_none_no_others_are_found_ahead(memo: Memo, tmp_path: Path) -> None:
    find = noting(tmp_path / "log")
    memo.fill([1, 2, 3], lambda key: find(key) if key == 1 else (find(key), None)[1])
    assert logged(tmp_path / "log") == ["1", "2"]


def test_an_error_is_raised_and_the_value_is_found_again(memo: Memo) -> None:
    def fail() -> NoReturn:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        memo.get(5, fail)
    assert memo.get(5, lambda: 25) == 25


@pytest.mark.parametrize(
    "rest", [b"\0" * 40, b"\xff" * 40, b"\5" + b"\0" * 7 + b"no digest" * 5], ids=len
)
def test_half_a_record_of_a_killed_process_is_not_read(
    memo: Memo, tmp_path: Path, rest: bytes
) -> None:
    asking(memo, [2], noting(tmp_path / "log"), first=False)
    os.write(memo.descriptors[0], rest)
    other = Memo()
    other._file = os.dup(memo.descriptors[0])
    asking(other, [2, 3, 4], noting(tmp_path / "other"), first=True)
    assert {"3", "4"} <= set(logged(tmp_path / "other"))
    other.close()


NETWORKS = (
    MLP((60, 100, 120, 110, 60), "linear"),
    MLP((60, 110, 120, 100, 60), "linear"),
    MLP((100, 120, 140, 130, 100), "linear", bias="all"),
    MLP((200, 60, 120, 80, 60), ("linear", "relu", "linear")),
)
FLOWS: tuple[Flow, ...] = (GRADIENT, Momentum())
WIDE = [Problem(network, flow) for network in NETWORKS for flow in FLOWS]


def rows(workers: int) -> list[LawCount]:
    jobs = [replace(job, cost=1.0) for job in plan(WIDE, 0)]
    found = {job.id: row for job, row in chain.from_iterable(run(jobs, Limits(), workers=workers))}
    return [replace(found[job.id], seconds=0.0) for job in jobs]


def test_rows_do_not_depend_on_what_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    strands._complete.cache_clear()
    strands._witnesses.cache_clear()
    expected = rows(1)
    assert {row.verdict for row in expected} == {"proved"}
    assert rows(2) == rows(3) == expected
    assert shared.descriptors == []
    monkeypatch.setattr(Memo, "open", lambda self: None)
    assert rows(2) == expected


def test_workers_find_no_witness_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn = strands._drawn

    def noted(*asked: Any) -> Any:
        with (tmp_path / "log").open("a") as file:
            file.write(f"{hash(asked)}\n")
        return drawn(*asked)

    monkeypatch.setattr(strands, "_drawn", noted)
    strands._complete.cache_clear()
    strands._witnesses.cache_clear()
    assert len(rows(2)) == len(WIDE)
    log = logged(tmp_path / "log")
    assert len(log) == len(set(log)) > 5
