"""A sweep: the jobs that have no row in the store yet are counted, and their rows kept."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence

from conslaw_cli.problems.records import LawCount
from conslaw_cli.sweeps import signals
from conslaw_cli.sweeps.jobs import Backend, Job, Unclaimed, missing
from conslaw_cli.sweeps.store import Store


def resume(
    jobs: Sequence[Job],
    store: Store,
    backend: Backend,
    fresh: bool = False,
) -> Generator[tuple[Job, LawCount], None, None]:
    """Run the jobs that have no row in the store yet, or a failed one; yield each row once it is
    stored.

    In the end, and when it is left early, rows that are finished are stored and the store is put
    into the order of ``jobs``. fresh: run all jobs; what is there stays until it has a successor
    that is no worse.
    """
    unclaimed: Unclaimed = {}
    rows = backend(jobs if fresh else missing(jobs, store), unclaimed=unclaimed)
    try:
        with contextlib.closing(rows):
            for together in rows:
                with signals.held_back():
                    store.append((job.key, row) for job, row in together)
                yield from together
    finally:
        with signals.held_back():
            store.append((job.key, row) for job, row, _ in unclaimed.values())
            store.settle(job.id for job in jobs)
