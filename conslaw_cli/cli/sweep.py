"""``conslaw sweep``: many architectures, kept as they finish."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from conslaw_cli import signals
from conslaw_cli.cli.options import Seconds, counting, exit_code, say, show
from conslaw_cli.errors import SpecError

if TYPE_CHECKING:
    from conslaw_cli.report import LawCount
    from conslaw_cli.store import Store
    from conslaw_cli.sweep import Job, Limits


@click.command(short_help="Count many architectures, resuming where it stopped.")
@click.argument("spec")
@click.option(
    "-j", "--jobs", "workers", type=click.IntRange(1, 1024), help="[default: one per core]"
)
@click.option(
    "-o", "--output", metavar="FILE", help="Keep the rows there. [default: results/NAME.jsonl]"
)
@click.option("--fresh", is_flag=True, help="Count everything again.")
@click.option("--timeout", type=Seconds(), help="Time limit for each architecture.")
@click.option("--require-proof", is_flag=True, help="Exit with 1 if any row is not proved.")
@counting
@click.pass_context
def sweep(
    ctx: click.Context,
    spec: str,
    workers: int | None,
    output: str | None,
    fresh: bool,
    timeout: float | None,
    require_proof: bool,
    seed: int | None,
    memory: int | None,
    format_: str,
) -> None:
    """Count the conservation laws of all architectures of the YAML file SPEC ("-": stdin).

    Each row is added to results/NAME.jsonl as it finishes; a rerun counts only what is missing
    there.
    """
    # Some C extensions turn an interrupt while they are loaded into errors of their own.
    with signals.held_back():
        from conslaw_cli.count import VERSION
        from conslaw_cli.formats import Report
        from conslaw_cli.spec import load
        from conslaw_cli.store import Store
        from conslaw_cli.sweep import Limits, plan

    asked = load(spec)
    jobs = plan(asked.architectures, asked.seed if seed is None else seed, asked.degree)
    with Store(output or _default_path(asked.name), VERSION, _warn) as store:
        if fresh:
            store.drop(job.id for job in jobs)
        rows = _rows(ctx, jobs, store, Limits(timeout, memory), workers)
    show(
        Report(
            "sweep",
            rows,
            asked.name,
            source=asked.source,
            expected=asked.expected,
            sources=asked.sources,
        ),
        format_,
    )
    ctx.exit(exit_code(rows, asked.expected, require_proof))


def _rows(
    ctx: click.Context, jobs: list[Job], store: Store, limits: Limits, workers: int | None
) -> list[LawCount]:
    """Return the rows of all jobs, in their order; show how far it is on a terminal."""
    from conslaw_cli.cli.progress import progress
    from conslaw_cli.sweep import missing, resume

    left = missing(jobs, store)
    if len(left) < len(jobs):
        have = len(jobs) - len(left)
        _warn(f"{have} of {len(jobs)} rows are in {store.path} already (--fresh counts them again)")
    try:
        for _ in progress(resume(jobs, store, limits, workers), left):
            pass
    except KeyboardInterrupt:
        done = len(jobs) - len(missing(jobs, store))
        _warn(
            f"Interrupted: {done} of {len(jobs)} rows are in {store.path}; the same command"
            " goes on."
        )
        ctx.exit(signals.INTERRUPTED)
    return [row for job in jobs if (row := store.get(job.id))]


def _default_path(name: str) -> str:
    try:
        os.makedirs("results", exist_ok=True)
    except OSError as error:
        raise SpecError(
            f"results: cannot be made a directory: {error.strerror} (-o names a file)"
        ) from None
    return os.path.join("results", f"{name}.jsonl")


def _warn(message: str) -> None:
    say(message)
