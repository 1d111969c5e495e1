"""Jobs: what there is to count, and the rows of those that have no count."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from conslaw_cli.lie import rows
from conslaw_cli.lie.budget import ENGINE_LIMIT, estimated_seconds
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.problems.records import OPEN, LawCount, Trace

if TYPE_CHECKING:
    from conslaw_cli.sweeps.store import RowId, Store

Count = Callable[..., LawCount]

TRACE_SHOWN = 3
"""Steps of a trace that the columns of a sweep's table have room for."""


@dataclass(frozen=True, slots=True)
class Job:
    """One problem to count. ``cost``: estimated seconds; ``degree``: also look for polynomial
    laws up to it.
    """

    problem: Problem
    seed: int
    key: str
    cost: float
    degree: int | None = None

    @property
    def id(self) -> RowId:
        """What its row is found by."""
        return self.key, self.problem.name

    def widest(self) -> LawCount:
        """Return a row with the largest numbers that its own can have, and a trace of as many steps
        as a table has room for.
        """
        state, listed = self.problem.state, self.problem.most_listed
        figures = {
            "degree": self.degree or 0,
            **dict.fromkeys(("linear", "independent", "known", "new", "not_polynomial"), state),
        }
        return replace(
            failed(self, "", 0.0),
            verdict="computed",
            parameters=self.problem.parameters,
            state=state,
            dim_lie=state,
            laws=state,
            laws_at_least=state if state > ENGINE_LIMIT else None,
            unknown_laws=state,
            known_listed=listed,
            known_independent=min(state, listed),
            trace=Trace((state,) * TRACE_SHOWN),
            involutive=False,
            polynomial_laws=figures if self.degree else None,
        )


class Widest:
    """The widest rows of jobs (:meth:`Job.widest`), made anew whenever they are gone through."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs

    def __iter__(self) -> Iterator[LawCount]:
        return (job.widest() for job in self._jobs)


@dataclass(frozen=True, slots=True)
class Limits:
    """What jobs may use: wall-clock seconds for each, and bytes that those which run at a time
    share.

    None: any time; half of the memory that is free.
    """

    seconds: float | None = None
    memory: int | None = None


class Outcome(NamedTuple):
    """A job's row. ``retry``: it has no count, and may have one when it runs alone."""

    job: Job
    row: LawCount
    retry: bool = False


Outcomes = Sequence[Outcome]
"""Outcomes that have come together."""
Unclaimed = dict["RowId", Outcome]
"""Rows that are finished and not yielded when the rest is not wanted any more, by their ids."""


Rows = Sequence[tuple[Job, LawCount]]
"""Jobs with their rows, which have come together."""


class Backend(Protocol):
    """Where jobs are counted: in processes of this machine (processes.py), on a cluster
    (cluster.py).
    """

    def __call__(
        self, jobs: Sequence[Job], /, *, unclaimed: Unclaimed
    ) -> Generator[Rows, None, None]:
        """Yield rows as they finish: one for every job, whatever happens to it. When it is left
        early, what has finished besides goes to ``unclaimed``.
        """


def plan(
    problems: Iterable[Problem | Architecture], seed: int, degree: int | None = None
) -> list[Job]:
    """Return one job for each problem. degree: also look for polynomial laws up to it."""
    return [
        Job(each, seed, each.key(seed, degree), estimated_seconds(each), degree)
        for each in map(Problem.of, problems)
    ]


def missing(jobs: Iterable[Job], store: Store) -> list[Job]:
    """Return the jobs without a row that has a count."""
    if store.empty:
        return list(jobs)
    return [job for job in jobs if store.verdict(job.id) in (None, *OPEN)]


def in_chunks(jobs: Iterable[Job], seconds: float, most: int) -> Iterator[list[Job]]:
    """Share jobs out in their order: so many at most at a time, of about so much estimated work."""
    chunk, work = list[Job](), 0.0
    for job in jobs:
        chunk.append(job)
        work += job.cost
        if len(chunk) == most or work >= seconds:
            yield chunk
            chunk, work = [], 0.0
    if chunk:
        yield chunk


def tried_again(
    first: Generator[Outcomes, None, None],
    again: Callable[[Outcome], bool],
    alone: Callable[[list[Job]], Generator[Outcomes, None, None]],
) -> Generator[Rows, None, None]:
    """Yield the rows of a first try and, for jobs that are to be tried again, those of the second,
    which begins when the first is over.
    """
    left = []
    with contextlib.closing(first):
        for outcomes in first:
            left += [each.job for each in outcomes if again(each)]
            yield [(each.job, each.row) for each in outcomes if not again(each)]
    with contextlib.closing(alone(left)) as second:
        for outcomes in second:
            yield [(job, row) for job, row, _ in outcomes]


def claim(unclaimed: Unclaimed, outcomes: Iterable[Outcome]) -> None:
    """Note rows that are finished and were not yielded; those of jobs to be tried again are no
    rows.
    """
    unclaimed.update((each.job.id, each) for each in outcomes if not each.retry)


def short(job: Job, reason: str, seconds: float) -> LawCount:
    """Return the row of a job for which time or memory did not suffice."""
    row = rows.bounded(job.problem, reason)
    if row is None:
        return failed(job, reason, seconds)
    return replace(row, seed=job.seed, seconds=round(seconds, 6))


def failed(job: Job, reason: str, seconds: float) -> LawCount:
    """Return the row of a job that has no count."""
    return replace(rows.failed(job.problem, reason), seed=job.seed, seconds=round(seconds, 6))
