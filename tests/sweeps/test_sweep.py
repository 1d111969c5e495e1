"""What a sweep promises: one row for every job, whatever happens to jobs, workers, the file or the
power.
"""

from __future__ import annotations

import errno
import faulthandler
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conslaw_cli.errors import ContradictionError, MemoryBudgetError, ResourceError, SpecError
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.layers import Layers
from conslaw_cli.families.mlp import MLP
from conslaw_cli.flows import Flow
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.metrics import Hypentropy, Power
from conslaw_cli.flows.mirror import Mirror
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.lie.count import count_laws
from conslaw_cli.networks.operations.convolution import Convolution
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.problems.records import VERSION, Bound, LawCount, Trace
from conslaw_cli.sweeps.jobs import Job, Limits, missing, plan
from conslaw_cli.sweeps.processes import run
from conslaw_cli.sweeps.store import Store
from conslaw_cli.sweeps.sweep import resume

NO_LIMITS = Limits()
WORTH_WORKERS = 5.0
"""An estimated cost that makes a sweep start workers."""


def jobs_for(*inputs: int, cost: float = 0.0) -> list[Job]:
    """Return a job for the linear network n-2-1 for each n of the inputs, which tells the fakes
    what to do.
    """
    return [
        replace(job, cost=cost) for job in plan([MLP((n, 2, 1), "linear") for n in inputs], seed=0)
    ]


def first_width(problem: Problem) -> int:
    widths: list[int] = problem.architecture.describe()["widths"]
    return widths[0]


def fake(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    return LawCount(
        problem.name,
        problem.architecture.describe(),
        seed,
        VERSION,
        0.0,
        "proved",
        laws=first_width(problem),
    )


def rows_of(
    jobs: list[Job], count: Callable[..., LawCount], workers: int = 1, **limits: float
) -> dict[int, LawCount]:
    """Run the jobs; return their rows by the number of inputs."""
    found = list(chain.from_iterable(run(jobs, Limits(**limits), workers, count)))  # type: ignore[arg-type]
    rows = {row.architecture["widths"][0]: row for _, row in found}
    assert len(found) == len(rows), "one row for every job"
    return rows


def without_seconds(row: LawCount) -> LawCount:
    return replace(row, seconds=0.0)


# ---- running


def test_rows_do_not_depend_on_the_number_of_workers() -> None:
    architectures = [
        MLP((2, 3, 2), "linear"),
        MLP((1, 2, 2, 1), "linear"),
        MLP((3, 2, 2), "relu", "hidden"),
    ]
    jobs = [replace(job, cost=WORTH_WORKERS) for job in plan(architectures, seed=7)]
    found = [
        sorted(
            (without_seconds(row) for _, row in chain.from_iterable(run(jobs, NO_LIMITS, workers))),
            key=lambda row: row.name,
        )
        for workers in (1, 2)
    ]
    assert found[0] == found[1]
    assert [row.verdict for row in found[0]] == ["proved"] * 3


@pytest.mark.parametrize(
    ("architecture", "figures"),
    [
        # Proposition 4.1 lists six laws of degree 2; the seventh is no polynomial.
        (MLP((1, 2, 2, 1), "linear"), (6, 6, 6, 0, 1)),
        # Autocorrelations of the filters: around a circle of three all are known.
        (Layers((1, 3), (Convolution(1, (3,), (1,), "circular"),) * 2), (2, 2, 2, 0, 0)),
        # Around a torus too. By Walsh transforms φ is four products a_i b_i.
        (Layers((1, 2, 2), (Convolution(1, (2, 2), (1, 1), "circular"),) * 2), (4, 4, 4, 0, 0)),
    ],
)
def test_the_figures_of_a_search_are_those_of_the_search(
    architecture: Architecture, figures: tuple[int, ...]
) -> None:
    """A law that the count sees and the search does not find is not new, but no polynomial."""
    keys = ("linear", "independent", "known", "new", "not_polynomial")
    (((_, row),),) = run(plan([architecture], seed=0, degree=2), NO_LIMITS)
    assert row.polynomial_laws == {
        "degree": 2,
        **dict(zip(keys, figures, strict=True)),
    }


def test_where_a_search_is_not_made_the_known_laws_are_a_bound() -> None:
    """It takes too much, or there is none under the flow; no known laws, no bound."""
    curved = Mirror((("U1", Hypentropy(Fraction(1, 2))),))
    jobs: list[Problem | Architecture] = [
        MLP((2, 90, 2), "linear"),
        Problem(MLP((2, 3, 2), "linear"), curved),
        Problem(MLP((2, 3, 2), "exp", "hidden"), Decay()),
    ]
    batches = run(plan(jobs, seed=0, degree=2), Limits(memory=2**28), workers=1)
    rows = {row.name: row for batch in batches for _, row in batch}
    found = [rows[Problem.of(job).name] for job in jobs]
    wanted = [("bounded", 90 * 91 // 2 - 86 * 87 // 2), ("bounded", 3), ("failed", None)]
    assert [(row.verdict, row.laws_at_least) for row in found] == wanted
    assert [(row.laws, row.polynomial_laws) for row in found] == [(None, None)] * 3
    for row, said in zip(found, ("need about", "are not searched", "only where"), strict=True):
        assert said in str(row.reason)


def test_a_search_has_the_seed_and_the_memory_of_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search runs in a child: what it was given comes back in a figure of its own."""

    def recorded(problem: Problem, degree: int, *, seed: int, memory: int) -> object:
        linear = {1: degree, 2: 10 * seed, 3: 100 * memory}
        return SimpleNamespace(degree=degree, linear=linear, independent=0, known=0, rational=False)

    monkeypatch.setattr("conslaw_cli.laws.polynomials.find_laws", recorded)
    (((_, row),),) = run(plan([MLP((2, 2), "linear")], 7, 5), Limits(memory=3), 1, fake)
    assert row.polynomial_laws is not None
    assert (row.seed, row.polynomial_laws["linear"]) == (7, 5 + 70 + 300)


def where(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    time.sleep(0.02)
    return replace(fake(problem, seed=seed, memory=memory), parameters=os.getpid(), dim_lie=memory)


def test_a_small_sweep_runs_in_one_process_with_all_the_memory() -> None:
    rows = rows_of(jobs_for(1, 2, 3), where, workers=2, memory=1000)
    processes = {row.parameters for row in rows.values()}
    assert len(processes) == 1
    assert os.getpid() not in processes
    assert {row.dim_lie for row in rows.values()} == {1000}


def test_a_large_sweep_runs_in_processes_that_share_the_memory() -> None:
    rows = rows_of(jobs_for(*range(1, 9), cost=WORTH_WORKERS), where, workers=2, memory=1000)
    assert len({row.parameters for row in rows.values()} - {os.getpid()}) == 2
    assert {row.dim_lie for row in rows.values()} == {500}


def test_a_sweep_that_gets_one_process_goes_on_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where few files may be open."""

    def full() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("conslaw_cli.sweeps.children._check_room", full)
    rows = rows_of(jobs_for(*range(1, 9), cost=WORTH_WORKERS), where, workers=2)
    assert len(rows) == 8
    assert len({row.parameters for row in rows.values()}) == 1


def test_a_sweep_that_gets_no_process_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr("os.fork", full)
    with pytest.raises(ResourceError, match=r"no process to count in .* Resource temporarily"):
        rows_of(jobs_for(1, 2), fake)


def test_planning_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit holds for what is done for a row; finding known laws is part of that."""

    def forbidden(architecture: CustomMap) -> None:
        raise AssertionError("known laws were asked for")

    monkeypatch.setattr("conslaw_cli.families.formulas.custom._known", forbidden)
    maps = [CustomMap((), ("x*y", "y*z")), CustomMap((), ("x*y + z", "z*w"))]
    assert [job.cost > 0 for job in plan(maps, seed=0)] == [True, True]


FLOWS: list[Flow] = [
    Momentum(),
    Momentum(Friction.NONE, Mirror((("U1", Power(1)),))),
    Decay(),
    Mirror((("U1", Power(1)), ("U2", Power(1)))),
]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: str(flow.describe()))
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("widths", [(1, 4, 1), (1, 3, 2), (2, 3, 3), (1, 1, 1, 2)])
def test_no_row_lists_more_laws_than_its_table_has_room_for(
    flow: Flow, loss: Literal["mse", "cross_entropy"], widths: tuple[int, ...]
) -> None:
    problem = Problem(MLP(widths, "linear", "hidden" if widths[0] > 1 else False, loss), flow)
    assert problem.known_listed <= problem.most_listed
    assert (count_laws(problem).known_listed or 0) <= problem.most_listed


def test_a_table_is_laid_out_before_laws_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Problem, "laws")
    (job,) = plan([Problem(MLP((784, 512, 512, 10)), FLOWS[-1])], seed=0)
    assert job.widest().known_listed == 1024


def greedy(problem: Problem, *, seed: int, memory: int) -> LawCount:
    needed = first_width(problem)
    if needed > memory:
        raise MemoryBudgetError(f"{needed} bytes, the budget is {memory}")
    return fake(problem, seed=seed, memory=memory)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_may_use_the_whole_budget_whatever_the_number_of_workers(workers: int) -> None:
    rows = rows_of(jobs_for(100, 900, 1100, cost=WORTH_WORKERS), greedy, workers, memory=1000)
    assert {n: row.verdict for n, row in rows.items()} == {
        100: "proved",
        900: "proved",
        1100: "failed",
    }
    assert rows[1100].reason == "1100 bytes, the budget is 1000"


def crowded(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    """Fail, beside other processes, as loading a library does where there is little memory."""
    if memory is None or memory < 1000:
        raise ImportError("libx.so: failed to map segment from shared object")
    return fake(problem, seed=seed, memory=memory)


def test_a_job_that_the_system_gave_too_little_is_tried_again_alone() -> None:
    jobs = jobs_for(1, 2, 3, cost=WORTH_WORKERS)
    rows = rows_of(jobs, crowded, workers=2, memory=1000)
    assert {row.verdict for row in rows.values()} == {"proved"}
    rows = rows_of(jobs, crowded, workers=2, memory=999)
    assert {row.reason for row in rows.values()} == {"out of memory"}


def unlucky(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    match first_width(problem):
        case 1:
            raise ContradictionError("lower bound 3 above upper bound 2")
        case 2:
            raise ZeroDivisionError("of a kind nobody thought of")
        case 3:
            raise MemoryError
        case 4:
            os.kill(os.getpid(), signal.SIGKILL)
        case 5:
            faulthandler.disable()
            os.abort()
        case 6:
            os._exit(7)
    return fake(problem, seed=seed, memory=memory)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_fails_has_a_reason_and_the_others_a_count(workers: int) -> None:
    rows = rows_of(jobs_for(*range(1, 10), cost=WORTH_WORKERS), unlucky, workers)
    reasons = {
        n: re.sub(r"\(test_sweep.py:\d+\)", "(place)", row.reason or "") for n, row in rows.items()
    }
    assert reasons == {
        1: "ContradictionError: lower bound 3 above upper bound 2 (place)",
        2: "ZeroDivisionError: of a kind nobody thought of (place)",
        3: "out of memory",
        4: "worker died (killed by the system, perhaps out of memory)",
        5: "worker died (Aborted)",
        6: "worker died (exit code 7)",
        **dict.fromkeys((7, 8, 9), ""),
    }
    assert {n for n, row in rows.items() if row.verdict == "failed"} == {1, 2, 4, 5, 6}
    assert (rows[3].verdict, rows[3].laws_at_least) == ("bounded", 3), "3-2-1 has these"
    assert rows[4].architecture == MLP((4, 2, 1), "linear").describe()
    assert LawCount.from_json(rows[4].to_json()) == rows[4]


def mortal(flag: Path, problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    """Die, the first time that the network with 3 inputs is counted."""
    if first_width(problem) == 3 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return fake(problem, seed=seed, memory=memory)


def test_a_job_whose_process_was_killed_once_is_tried_again_alone(tmp_path: Path) -> None:
    rows = rows_of(jobs_for(1, 2, 3, 4), partial(mortal, tmp_path / "flag"))
    assert (tmp_path / "flag").exists()
    assert {row.verdict for row in rows.values()} == {"proved"}


def fragile(folder: Path, problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    """Die, the first time that the network with 5, 10, 15, … inputs is counted."""
    number = first_width(problem)
    if number % 5 == 0 and not (folder / str(number)).exists():
        (folder / str(number)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return fake(problem, seed=seed, memory=memory)


@pytest.mark.parametrize("workers", [1, 3])
def test_each_row_is_that_of_its_job_in_whatever_order_and_process(
    tmp_path: Path, workers: int
) -> None:
    """Children are told numbers of jobs: after a death those of the rest, and long ones first."""
    jobs = [replace(job, cost=(n * 7 % 40) / 20) for n, job in enumerate(jobs_for(*range(1, 41)))]
    count = partial(fragile, tmp_path)
    rows = [*chain.from_iterable(run(jobs, NO_LIMITS, workers, count))]
    assert sorted(row.name for _, row in rows) == sorted(job.problem.name for job in jobs)
    assert all(row.name == job.problem.name for job, row in rows)


def test_a_killed_worker_loses_no_job(tmp_path: Path) -> None:
    jobs = jobs_for(*range(1, 13), cost=WORTH_WORKERS)
    rows = rows_of(jobs, partial(mortal, tmp_path / "flag"), workers=2)
    assert (tmp_path / "flag").exists()
    assert sorted(rows) == list(range(1, 13))
    assert {row.verdict for row in rows.values()} == {"proved"}


def memory_runs_out(method: Callable[..., object]) -> Callable[..., object]:
    """Return the method of a pipe such that it fails in this process, the second time."""
    calls, parent = iter(range(10**6)), os.getpid()

    def failing(self: Connection, *given: object) -> object:
        if os.getpid() == parent and next(calls) == 1:
            raise MemoryError
        return method(self, *given)

    return failing


@pytest.mark.parametrize("method", ["send", "recv"])
def test_a_pipe_that_fails_for_want_of_memory_loses_no_job(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(Connection, method, memory_runs_out(getattr(Connection, method)))
    rows = rows_of(jobs_for(*range(1, 13), cost=WORTH_WORKERS), fake, workers=2)
    assert {row.verdict for row in rows.values()} == {"proved"}
    assert sorted(rows) == list(range(1, 13))


def no_threads(*_: object) -> None:
    """Fail as a pool of threads does where there is room for some of them only."""
    raise AttributeError("'DummyProcess' object has no attribute 'terminate'")


@pytest.mark.parametrize(
    ("name", "value"),
    [("joblib._parallel_backends.mp", None), ("joblib.Parallel.__call__", no_threads)],
)
def test_a_sweep_ends_where_joblib_starts_no_threads(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    """The first is what ``JOBLIB_MULTIPROCESSING=0`` makes, or a system without semaphores."""
    monkeypatch.setattr(name, value)
    rows = rows_of(jobs_for(*range(1, 5), cost=WORTH_WORKERS), fake, workers=2)
    assert sorted(rows) == [1, 2, 3, 4]


def stuck(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    """Spend years in C code that holds the interpreter's lock, for the network with 2 inputs."""
    if first_width(problem) == 2:
        re.match(r"(a+)+$", "a" * 60 + "b")
    return fake(problem, seed=seed, memory=memory)


def test_the_time_limit_stops_code_that_holds_the_interpreter() -> None:
    start = time.monotonic()
    rows = rows_of(jobs_for(1, 2, 3), stuck, seconds=0.3)
    assert time.monotonic() - start < 3
    assert {n: row.reason for n, row in rows.items()} == {
        1: None,
        2: "time limit of 0.3 s reached",
        3: None,
    }
    assert rows[2].seconds == pytest.approx(0.3, abs=0.5)


def processes_below() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


@pytest.mark.parametrize("workers", [1, 2])
def test_leaving_a_sweep_stops_its_jobs(workers: int) -> None:
    list(run(jobs_for(1, 2, cost=WORTH_WORKERS), NO_LIMITS, workers, fake))
    before = processes_below()
    rows = run(jobs_for(*range(1, 9), cost=WORTH_WORKERS), NO_LIMITS, workers, nearly_stuck)
    taken = 0
    while taken < 4:
        taken += len(next(rows))
    deadline = time.monotonic() + 5
    while not (busy := processes_below() - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert busy
    rows.close()
    _, alive = psutil.wait_procs(busy, timeout=5)
    assert not alive


def nearly_stuck(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    if first_width(problem) > 4:
        time.sleep(100)
    return fake(problem, seed=seed, memory=memory)


# ---- the file


@pytest.fixture
def warnings() -> list[str]:
    return []


def row(name: str, **changes: object) -> LawCount:
    trace, bound = Trace((3,)), Bound(3, "brackets", "proof", 7, "3 fields")
    counted = LawCount(
        name,
        {"activation": "linear", "widths": [2, 2]},
        0,
        "1",
        0.5,
        "proved",
        4,
        3,
        1,
        1,
        1,
        0,
        trace,
        True,
        None,
        (bound,),
        (bound,),
    )
    return replace(counted, **changes)  # type: ignore[arg-type]


def opened(path: Path, warnings: list[str] | None = None) -> Store:
    return Store(str(path), "1", (warnings if warnings is not None else []).append)


def filled(path: Path, *names: str) -> bytes:
    with opened(path) as store:
        for name in names:
            store.append([(f"key of {name}", row(name))])
    return path.read_bytes()


def test_a_line_is_the_row_and_its_job(tmp_path: Path) -> None:
    line = filled(tmp_path / "s.jsonl", "a")
    assert line.endswith(b"\n")
    values = json.loads(line)
    digest = values.pop("digest")
    assert values == {**row("a").to_json(), "job": "key of a"}
    assert digest == hashlib.sha256(line[: line.index(b'"digest"')]).hexdigest()
    assert line.endswith(f'"digest":"{digest}","seconds":0.5}}\n'.encode())


def test_rows_are_in_the_file_before_the_store_is_closed(tmp_path: Path) -> None:
    with opened(tmp_path / "s.jsonl") as store:
        store.append([("k", row("a"))])
        assert json.loads((tmp_path / "s.jsonl").read_bytes())["name"] == "a"


def test_rows_are_found_by_job_and_name_and_version(tmp_path: Path) -> None:
    filled(tmp_path / "s.jsonl", "a")
    with opened(tmp_path / "s.jsonl") as store:
        assert store.get(("key of a", "a")) == row("a")
        assert store.get(("key of a", "b")) is None
        assert store.get(("another key", "a")) is None
    with Store(str(tmp_path / "s.jsonl"), "2", list[str]().append) as store:
        assert store.get(("key of a", "a")) is None


@given(cut=st.integers(min_value=1))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_cut_anywhere_keeps_every_whole_line(tmp_path: Path, cut: int) -> None:
    path, names = tmp_path / "s.jsonl", ("a", "b", "c")
    path.unlink(missing_ok=True)
    whole = filled(path, *names)
    left = whole[: cut % (len(whole) + 1)]
    path.write_bytes(left)
    ends = [position for position in range(len(whole)) if whole[position : position + 1] == b"\n"]
    survivors = sum(1 for end in ends if end <= len(left))
    warned: list[str] = []
    with opened(path, warned) as store:
        found = [name for name in names if store.get((f"key of {name}", name))]
        store.append([("key of d", row("d"))])
    assert found == list(names[:survivors])
    assert [json.loads(line)["name"] for line in path.read_bytes().splitlines()] == [*found, "d"]
    assert bool(warned) == (len(left) not in (0, *ends, *(end + 1 for end in ends)))


def test_unreadable_and_foreign_lines_are_kept_with_a_warning(
    tmp_path: Path, warnings: list[str]
) -> None:
    path = tmp_path / "s.jsonl"
    odd = b'what is this?\n{"name": "no row", "job": "k"}\n[[' + b"[" * 5000 + b"\n"
    path.write_bytes(odd + filled(path, "foreign", "a"))
    with opened(path, warnings) as store:
        store.append([("key of b", row("b"))])
        store.settle([("key of b", "b"), ("key of a", "a")])
    assert warnings == [f"{path}: 3 unreadable lines are ignored and kept"]
    b, a, *rest = path.read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["name"] for line in (b, a)] == ["b", "a"]
    assert b"".join(rest).startswith(odd)
    assert json.loads(rest[-1])["name"] == "foreign"


@pytest.mark.parametrize(
    "text", ["# A report\n\nby mistake\n", "one line", '{"results": []}\n', "\0\0\0"]
)
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.md"
    path.write_text(text)
    with pytest.raises(SpecError, match=r"report\.md: expected rows of a sweep, found none"):
        opened(path)
    assert path.read_text() == text


def test_two_sweeps_cannot_write_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    with opened(path) as store:
        with pytest.raises(SpecError, match="another sweep is writing to it"):
            opened(path)
        store.append([("k", row("a"))])
        store.settle([("k", "a")])
        store.append([("k", row("b"))])
        store.settle([("k", "b"), ("k", "a")])
        with pytest.raises(SpecError, match="another sweep is writing to it"):
            opened(path)
    with opened(path) as store:
        assert store.get(("k", "a"))


def test_settling_leaves_one_line_for_each_row_and_touches_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.touch(mode=0o640)
    (tmp_path / "link").symlink_to(path)
    with opened(tmp_path / "link") as store:
        store.append([("k", row("a", verdict="failed", reason="killed"))])
        store.append([("k", row("b", version="0"))])
        store.append([("k", row("foreign"))])
        store.append([("k", row("b"))])
        store.append([("k", row("a"))])
        store.settle([("k", "a"), ("k", "b")])
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [(line["name"], line["version"], line["verdict"]) for line in lines] == [
        ("a", "1", "proved"),
        ("b", "1", "proved"),
        ("foreign", "1", "proved"),
    ]
    assert (tmp_path / "link").is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "s.jsonl"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing/s.jsonl", "No such file or directory"),
        (".", "Is a directory"),
        ("/dev/null", "expected a regular file"),
        ("a\0b", "null"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_path_that_cannot_hold_rows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=message):
        Store(path, "1", list[str]().append)


# ---- both


@pytest.fixture
def three(tmp_path: Path) -> tuple[list[Job], Path]:
    return plan([MLP((2, n, 2), "linear") for n in (1, 2, 3)], seed=0), tmp_path / "s.jsonl"


def stored(jobs: list[Job], path: Path, rows: int = 99) -> list[str]:
    """Resume a sweep, for so many rows at most; return the names of the rows that were counted."""
    names = []
    with Store(str(path), VERSION, list[str]().append) as store:
        running = resume(jobs, store, partial(run, limits=NO_LIMITS, workers=1))
        for _, counted in running:
            names.append(counted.name)
            if len(names) == rows:
                break
        running.close()
    return names


def content(path: Path) -> str:
    return re.sub(r'"seconds":[^,]*', "", path.read_text())


def test_a_sweep_counts_only_what_is_missing(three: tuple[list[Job], Path]) -> None:
    jobs, path = three
    assert stored(jobs[:1], path) == ["linear 2-1-2"]
    assert stored(jobs, path) == ["linear 2-2-2", "linear 2-3-2"]
    assert stored(jobs, path) == []
    other_seed = plan([job.problem for job in jobs], seed=1)
    assert len(stored(other_seed, path)) == 3


def test_an_interrupted_sweep_ends_in_the_same_file(
    three: tuple[list[Job], Path], tmp_path: Path
) -> None:
    jobs, path = three
    stored(jobs, tmp_path / "at once.jsonl")
    assert len(stored(jobs[::-1], path, rows=1)) == 1
    # The other two may have been finished, and so be stored, when the first was left at.
    assert len(stored(jobs[::-1], path, rows=1)) <= 1
    stored(jobs, path)
    assert content(path) == content(tmp_path / "at once.jsonl")


def test_a_job_depends_on_its_seed_and_on_the_degree_of_the_laws_it_looks_for() -> None:
    architecture = MLP((2, 3, 2), "linear")
    asked = [(0, None), (1, None), (0, 1), (0, 2), (1, 2)]
    keys = [plan([architecture], seed, degree)[0].key for seed, degree in asked]
    assert len(set(keys)) == len(asked)
    assert keys == [plan([architecture], seed, degree)[0].key for seed, degree in asked]


def test_a_degree_that_is_added_changed_or_removed_is_counted_anew(tmp_path: Path) -> None:
    architectures, path = [MLP((2, 2, 2), "linear")], tmp_path / "s.jsonl"
    for degree in (None, 2, 1, None, 2):
        stored(plan(architectures, 0, degree), path)
    figures = [json.loads(line).get("polynomial_laws") for line in path.read_bytes().splitlines()]
    assert sorted(each["degree"] if each else 0 for each in figures) == [0, 1, 2]


def test_a_failed_row_is_tried_again(three: tuple[list[Job], Path]) -> None:
    jobs, path = three
    counted = fake(jobs[0].problem, seed=0, memory=None)
    failed = replace(counted, verdict="failed", laws=None, reason="killed")
    with Store(str(path), VERSION, list[str]().append) as store:
        store.append([(jobs[0].key, failed)])
        assert missing(jobs, store) == jobs
    assert len(stored(jobs, path)) == 3
    assert "killed" not in path.read_text()


# ---- clusters, where dask is not installed


WITHOUT_DASK = """
import sys
sys.modules["distributed"] = sys.modules["dask"] = None
sys.argv = ["conslaw", "sweep", *sys.argv[1:]]
from conslaw_cli.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ([], 0, "1 row in rows.jsonl\n"),
        (
            ["--cluster", "local:2"],
            2,
            "Error: distributed is not installed: pip install 'conslaw[dask]'\n",
        ),
        (["--cluster", "local:2", "-j", "2"], 2, "give either --jobs or --cluster, not both"),
        (["--cluster", "local:"], 2, "expected local:N with N from 1 to 1,024 processes"),
    ],
)
def test_a_cluster_is_never_chosen_by_itself(
    tmp_path: Path, more: list[str], code: int, said: str
) -> None:
    (tmp_path / "s.yaml").write_text("widths: [2, 2]\n")
    command = [sys.executable, "-c", WITHOUT_DASK, "s.yaml", "-o", "rows.jsonl", *more]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert said in done.stderr
