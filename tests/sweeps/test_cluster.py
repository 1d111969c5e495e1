"""Sweeps on clusters: the same rows, one for every job, whatever dies."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import pytest

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")

from conslaw_cli.errors import MemoryBudgetError, ResourceError, SpecError  # noqa: E402
from conslaw_cli.families.mlp import MLP  # noqa: E402
from conslaw_cli.problems.problem import Problem  # noqa: E402
from conslaw_cli.problems.records import VERSION, LawCount  # noqa: E402
from conslaw_cli.sweeps import cluster as module  # noqa: E402
from conslaw_cli.sweeps.cluster import Cluster  # noqa: E402
from conslaw_cli.sweeps.jobs import Job, Limits, Unclaimed, plan  # noqa: E402

ROOT = Path(__file__).parents[2]
ONE_BATCH = 0.001
"""An estimated cost of which many make a batch."""
A_BATCH = 2.0
"""An estimated cost that makes a batch."""


def jobs_for(*inputs: int, cost: float = ONE_BATCH) -> list[Job]:
    """Return a job for the linear network n-2-1 for each n of the inputs."""
    return [
        replace(job, cost=cost) for job in plan([MLP((n, 2, 1), "linear") for n in inputs], seed=0)
    ]


def width(problem: Problem) -> int:
    widths: list[int] = problem.architecture.describe()["widths"]
    return widths[0]


def fake(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    described = problem.architecture.describe()
    row = LawCount(problem.name, described, seed, VERSION, 0.0, "proved", laws=width(problem))
    return replace(row, parameters=memory)


@contextlib.contextmanager
def local(workers: int) -> Iterator[Any]:
    """Give workers, each a process of its own that is started again if it dies, however often."""
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1 day"}),
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
    ):
        yield cluster


@pytest.fixture(scope="module")
def two() -> Iterator[Any]:
    with local(2) as cluster:
        yield cluster


@pytest.fixture
def address(two: Any) -> str:
    """The scheduler of two workers."""
    until(lambda: len(two.scheduler.workers) == 2)
    return str(two.scheduler_address)


def until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def nothing(_: str) -> None:
    """Say nothing."""


def rows_of(
    where: str,
    jobs: list[Job],
    count: Callable[..., LawCount] = fake,
    said: list[str] | None = None,
    **limits: float,
) -> dict[int, LawCount]:
    """Run the jobs; return their rows by the number of inputs."""
    with Cluster(where, (said if said is not None else []).append) as cluster:
        run = cluster.run(jobs, Limits(**limits), count, unclaimed={})  # type: ignore[arg-type]
        found = list(chain.from_iterable(run))
    rows = {row.architecture["widths"][0]: row for _, row in found}
    assert len(found) == len(rows), "one row for every job"
    assert sorted(rows) == sorted(width(job.problem) for job in jobs)
    return rows


# ---- what dies


def slow(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    time.sleep(0.03)
    return fake(problem, seed=seed, memory=memory)


def waiting(folder: Path, problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    """For every 25th network leave the number of the worker, the first time, and wait to die."""
    mark = folder / f"{width(problem)}"
    if width(problem) % 25 == 0 and not mark.exists():
        mark.with_suffix(".new").write_text(f"{os.getppid()}")
        mark.with_suffix(".new").rename(mark)
        time.sleep(100)
    return fake(problem, seed=seed, memory=memory)


def test_workers_that_are_killed_while_they_count_lose_no_row(address: str, tmp_path: Path) -> None:
    jobs, said = jobs_for(*range(1, 100), cost=0.05), list[str]()
    killed, stop = set[str](), threading.Event()

    def kill() -> None:
        while not stop.wait(0.05):
            for mark in {path.name for path in tmp_path.glob("??")} - killed:
                os.kill(int((tmp_path / mark).read_text()), signal.SIGKILL)
                killed.add(mark)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with Cluster(address, said.append) as cluster:
            run = cluster.run(jobs, Limits(), partial(waiting, tmp_path), unclaimed={})
            rows = [row for _, row in chain.from_iterable(run)]
    finally:
        stop.set()
        killer.join()
    assert killed == {"25", "50", "75"}
    assert sorted(row.architecture["widths"][0] for row in rows) == [*range(1, 100)]
    assert {row.verdict for row in rows} == {"proved"}
    assert "its worker died: jobs are sent again, one by one" in said


def deadly(log: Path, problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    """Kill the worker that counts the network with 3 inputs."""
    if width(problem) == 3:
        with log.open("a") as file:
            file.write("x")
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(100)
    return fake(problem, seed=seed, memory=memory)


def test_a_job_that_kills_its_worker_three_times_has_failed(address: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    rows = rows_of(address, jobs_for(*range(1, 9)), partial(deadly, log))
    assert log.read_text() == "xxx"
    assert {n for n, row in rows.items() if row.verdict != "proved"} == {3}
    assert (rows[3].verdict, rows[3].reason) == ("failed", "its worker died (3 times)")


def suicidal(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    if width(problem) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return fake(problem, seed=seed, memory=memory)


def test_a_job_whose_process_dies_leaves_its_worker_alone(address: str) -> None:
    rows = rows_of(address, jobs_for(1, 2, 3, 4), suicidal)
    assert rows[3].reason == "worker died (killed by the system, perhaps out of memory)"
    assert {n for n, row in rows.items() if row.verdict == "failed"} == {3}


class Endless:
    """What raises an error when it is read, of a kind that cannot be sent."""

    def __reduce__(self) -> tuple[Any, ...]:
        return deeper, ()

    def __call__(self, problem: Problem, *, seed: int, memory: int | None) -> LawCount:
        raise NotImplementedError


def deeper() -> None:
    deeper()


def test_an_error_of_a_task_ends_the_sweep(address: str) -> None:
    with pytest.raises(ResourceError, match="a task failed: RecursionError: "):
        rows_of(address, jobs_for(1, 2), Endless())


def test_a_scheduler_that_is_lost_ends_the_sweep() -> None:
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as local,
        Cluster(local.scheduler_address, nothing) as cluster,
    ):
        rows = cluster.run(jobs_for(*range(1, 9), cost=A_BATCH), Limits(), slow, unclaimed={})
        next(rows)
        local.close()
        with pytest.raises(ResourceError, match="the scheduler is lost"):
            list(rows)


# ---- limits


def where(problem: Problem, *, seed: int, memory: int) -> LawCount:
    return replace(fake(problem, seed=seed, memory=memory), dim_lie=os.getppid())


def test_the_memory_holds_for_each_job_on_its_worker(address: str) -> None:
    rows = rows_of(address, jobs_for(*range(1, 9), cost=A_BATCH), where, memory=1000)
    assert {row.parameters for row in rows.values()} == {1000}
    workers = {row.dim_lie for row in rows.values()}
    assert len(workers) == 2
    assert os.getpid() not in workers


def greedy(problem: Problem, *, seed: int, memory: int) -> LawCount:
    if width(problem) == 2 and memory < 2**40:
        raise MemoryBudgetError(f"the budget is {memory}")
    return fake(problem, seed=seed, memory=memory)


def test_a_job_for_which_the_memory_does_not_suffice_has_failed(address: str) -> None:
    rows = rows_of(address, jobs_for(1, 2, 3), greedy, memory=1000)
    assert {n: row.reason for n, row in rows.items()} == {1: None, 2: "the budget is 1000", 3: None}


def test_without_a_budget_a_job_may_use_half_of_what_is_its_workers(address: str) -> None:
    rows = rows_of(address, jobs_for(1), where)
    with distributed.Client(address, set_as_default=False) as client:
        (limit,) = {each["memory_limit"] for each in client.scheduler_info(-1)["workers"].values()}
    assert rows[1].parameters is not None
    assert 0 < rows[1].parameters <= limit / 2


def stuck(problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    """Spend years in C code that holds the interpreter's lock, for the network with 2 inputs."""
    if width(problem) == 2:
        re.match(r"(a+)+$", "a" * 60 + "b")
    return fake(problem, seed=seed, memory=memory)


def test_the_time_limit_holds_for_each_job_on_its_worker(address: str) -> None:
    rows = rows_of(address, jobs_for(1, 2, 3), stuck, seconds=0.5)
    reasons = {n: row.reason for n, row in rows.items()}
    assert reasons == {1: None, 2: "time limit of 0.5 s reached", 3: None}


# ---- how jobs are sent


def test_jobs_are_never_sent_all_at_once(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_JOBS", 2)
    monkeypatch.setattr(module, "LEAST_AHEAD", 4)
    monkeypatch.setattr(module, "AHEAD", 1)
    most, send = [], module._Tasks._send

    def counted(self: Any, batches: Any) -> bool:
        more = send(self, batches)
        most.append(len(self._running))
        return more

    monkeypatch.setattr(module._Tasks, "_send", counted)
    rows_of(address, jobs_for(*range(1, 41)))
    assert max(most) == 4


def test_an_adaptive_cluster_may_shrink_to_nothing_and_grow_again() -> None:
    with local(0) as cluster:
        cluster.adapt(minimum=0, maximum=1, interval="100ms", wait_count=1)
        for _ in range(2):
            said: list[str] = []
            rows = rows_of(
                cluster.scheduler_address, jobs_for(*range(1, 9), cost=A_BATCH), slow, said
            )
            assert {row.verdict for row in rows.values()} == {"proved"}
            assert "the scheduler has no workers; waiting for some" in said
            until(lambda: not cluster.scheduler.workers)


def test_what_is_finished_when_a_sweep_is_left_is_kept_and_the_rest_stopped(
    address: str, tmp_path: Path
) -> None:
    unclaimed: Unclaimed = {}
    jobs = jobs_for(*range(1, 5), cost=A_BATCH)
    with Cluster(address, nothing) as cluster:
        rows = cluster.run(jobs, Limits(), partial(marked, tmp_path), unclaimed=unclaimed)
        first = {job.id for job, _ in next(rows)}
        until(lambda: len(list(tmp_path.iterdir())) == 4)
        time.sleep(2)
        (child,) = (int(path.suffix[1:]) for path in tmp_path.glob("4.*"))
        rows.close()
        until(lambda: not psutil.pid_exists(child))
    assert first | unclaimed.keys() == {job.id for job in jobs[:-1]}


def marked(folder: Path, problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    """Leave a mark with the number of the process; never end for the network with 4 inputs."""
    (folder / f"{width(problem)}.{os.getpid()}").touch()
    if width(problem) == 4:
        time.sleep(100)
    return fake(problem, seed=seed, memory=memory)


# ---- schedulers that are not as they must be


@contextlib.contextmanager
def joined(address: str, folder: Path, **packages: str) -> Iterator[None]:
    """Let a worker join whose packages have these versions."""
    for name, version in packages.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"__version__ = {version!r}\n")
    path = os.pathsep.join([str(folder), *sys.path])
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
    worker = subprocess.Popen(
        [*command, "--no-dashboard", "--nthreads", "1"],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    try:
        yield
    finally:
        worker.kill()
        worker.wait()


def test_a_worker_of_another_version_that_joins_ends_the_sweep(
    address: str, tmp_path: Path
) -> None:
    jobs = jobs_for(*range(1, 401), cost=0.3)
    with (
        Cluster(address, nothing) as cluster,
        contextlib.closing(cluster.run(jobs, Limits(), slow, unclaimed={})) as rows,
    ):
        next(rows)
        here = f"conslaw {VERSION} and numpy "
        with (
            joined(address, tmp_path, conslaw_cli="0.0.1"),
            pytest.raises(SpecError, match=rf"conslaw 0\.0\.1 and numpy .*, expected {here}"),
        ):
            list(rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected local:4, tcp://address:port, or the path of a scheduler file"),
        ("local", "expected local:N with N from 1 to 1,024 processes"),
        ("local:", "expected local:N with N from 1 to 1,024 processes"),
        ("local:0", "expected local:N with N from 1"),
        ("local:1e3", "expected local:N with N from 1"),
        ("local:" + "9" * 5000, "expected local:N with N from 1"),
        ("127.0.0.1:8786", "did you mean tcp://127.0.0.1:8786?"),
        ("tcp://127.0.0.1:1", "no scheduler answered within 0.3 s"),
        ("tcp://", "no scheduler answered within 0.3 s"),
        ("http://127.0.0.1:1", "no scheduler answered within 0.3 s"),
        ("missing.json", "no scheduler file is there within 0.3 s"),
        (".", "expected local:4"),
        ("spec.yaml", "no scheduler file; expected local:4"),
        ("list.json", "no scheduler file; expected local:4"),
        ("a\0b", "no scheduler file; expected local:4"),
    ],
)
def test_what_is_no_scheduler_is_named(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "CONNECT", 0.3)
    Path("spec.yaml").write_text("widths: [2, 2]\n")
    Path("list.json").write_text("[1]")
    with pytest.raises(SpecError, match=re.escape(said)):
        rows_of(text, jobs_for(1))


def test_what_listens_and_is_no_scheduler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SpecError, match=f"{where}: (what is there is|no) "):
            rows_of(where, jobs_for(1))


def test_a_scheduler_file_may_be_written_late(address: str, tmp_path: Path) -> None:
    path = tmp_path / "scheduler.json"
    timer = threading.Timer(0.5, path.write_text, [f'{{"address": "{address}"}}'])
    timer.start()
    assert len(rows_of(str(path), jobs_for(1, 2))) == 2
    timer.join()


# ---- the command

SPEC = """
architectures:
  - {widths: [1, 2, 2, 1], activation: linear}
  - {widths: [3, 4, 2], activation: relu, bias: hidden}
  - {phi: "x*y, y*z"}
  - {phi: "x*y, x**2 + 1/y", expect: 0}
grid:
  - {depth: 2, widths: {from: 1, to: 4}, activation: [linear, relu]}
"""


def sweep(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "conslaw_cli", "sweep", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **options,
    )


def timeless(path: Path) -> str:
    return re.sub(r'"seconds":[^,}]*', "", path.read_text())


def test_a_cluster_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SPEC)
    said = []
    for more in ([], ["--cluster", "local:2"]):
        done = sweep("s.yaml", "-o", f"{len(more)}.jsonl", *more, cwd=tmp_path)
        said.append(done.communicate(timeout=120))
        assert done.returncode == 0, said[-1]
    assert timeless(tmp_path / "0.jsonl") == timeless(tmp_path / "2.jsonl")
    assert said[0][0] == said[1][0]
    assert re.search(r"^dashboard: http://127\.0\.0\.1:\d+/status$", said[1][1], re.MULTILINE)


LONG = "grid:\n  - {widths: [[1, 12, 12, 3], [1, 13, 12, 3], [1, 14, 12, 3]],"
LONG += " activation: linear}\n  - {depth: 2, widths: {from: 1, to: 5}, activation: linear}\n"


def started(folder: Path) -> subprocess.Popen[str]:
    """Start a long sweep on two workers, and wait for some of its rows."""
    (folder / "s.yaml").write_text(LONG)
    running = sweep("s.yaml", "-o", "rows.jsonl", "--cluster", "local:2", cwd=folder)
    rows = folder / "rows.jsonl"
    until(lambda: rows.exists() and rows.stat().st_size > 0)
    return running


def test_an_interrupt_stops_at_once_and_loses_nothing(tmp_path: Path) -> None:
    running = started(tmp_path)
    below = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(signal.SIGINT)
    start = time.monotonic()
    out, err = running.communicate(timeout=60)
    assert time.monotonic() < start + 15
    assert running.returncode == 130, err
    kept = len((tmp_path / "rows.jsonl").read_bytes().splitlines())
    # All may be counted by then, while the cluster is being closed.
    there = f"Interrupted: {kept} of 128 rows are in rows.jsonl" in err
    assert there or (kept == 128 and "Interrupted.\n" in err), err
    assert "Traceback" not in out + err
    _, alive = psutil.wait_procs(below, timeout=10)
    assert not alive


def test_a_sweep_that_is_killed_goes_on(tmp_path: Path) -> None:
    running = started(tmp_path)
    below = psutil.Process(running.pid).children(recursive=True)
    running.kill()
    running.communicate(timeout=60)
    _, alive = psutil.wait_procs(below, timeout=20)
    assert not alive
    kept = len((tmp_path / "rows.jsonl").read_bytes().splitlines())
    again = sweep("s.yaml", "-o", "rows.jsonl", "--cluster", "local:2", cwd=tmp_path)
    _, err = again.communicate(timeout=240)
    assert again.returncode == 0, err
    assert f"{kept} of 128 rows are in rows.jsonl already" in err
    alone = sweep("s.yaml", "-o", "alone.jsonl", cwd=tmp_path)
    assert alone.communicate(timeout=240)
    assert timeless(tmp_path / "rows.jsonl") == timeless(tmp_path / "alone.jsonl")
