"""What a child sends, as it comes."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Iterator
from multiprocessing import connection
from typing import Any, NamedTuple

import pytest

from conslaw_cli.families.mlp import MLP
from conslaw_cli.problems.records import LawCount
from conslaw_cli.sweeps.children import Child
from conslaw_cli.sweeps.jobs import Limits, failed, plan

JOBS = plan([MLP((n, 2, 1), "linear") for n in range(1, 5)], seed=0)
ROWS = [failed(job, f"reason {number}", 0.0) for number, job in enumerate(JOBS)]


def message(content: object) -> bytes:
    data = pickle.dumps(content)
    return struct.pack("<Q", len(data)) + data


ALL = b"".join(map(message, [None, *((row, False) for row in ROWS)]))


class Ends(NamedTuple):
    child: Child
    theirs: Any


@pytest.fixture
def ends() -> Iterator[Ends]:
    pipe, theirs = connection.Pipe()
    child = Child(pipe, os.getpid())
    child.give(JOBS, range(len(JOBS)), Limits())
    yield Ends(child, theirs)
    pipe.close()
    theirs.close()


def rows(child: Child) -> list[LawCount]:
    return [outcome.row for outcome in child.outcomes()]


def test_a_child_is_sent_the_numbers_of_the_jobs_that_it_has(ends: Ends) -> None:
    assert ends.theirs.recv() == (range(4), Limits())


def test_rows_that_have_come_are_taken_together(ends: Ends) -> None:
    os.write(ends.theirs.fileno(), ALL)
    assert rows(ends.child) == ROWS
    assert not ends.child.jobs


@pytest.mark.parametrize("piece", [1, 5, 100, 1000])
def test_a_row_is_taken_once_all_of_it_has_come(ends: Ends, piece: int) -> None:
    found = list[LawCount]()
    for start in range(0, len(ALL), piece):
        os.write(ends.theirs.fileno(), ALL[start : start + piece])
        found += rows(ends.child)
        assert not ends.child.over
    assert found == ROWS


def test_rows_that_came_before_a_child_died_are_taken(ends: Ends) -> None:
    two = b"".join(map(message, [None, (ROWS[0], False), (ROWS[1], False)]))
    os.write(ends.theirs.fileno(), two + ALL[:20])
    ends.theirs.close()
    assert rows(ends.child) == ROWS[:2]
    assert rows(ends.child) == []
    assert ends.child.over


def test_what_is_no_message_is_as_good_as_a_death(ends: Ends) -> None:
    os.write(ends.theirs.fileno(), struct.pack("<Q", 3) + b"no.")
    assert rows(ends.child) == []
    assert ends.child.over
