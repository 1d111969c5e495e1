"""``conslaw sweep``: many architectures, kept as they finish."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import click

from conslaw_cli.cli.options import REQUIREMENT, Seconds, counting, exit_code, say, show
from conslaw_cli.errors import OutputError, SpecError
from conslaw_cli.sweeps import files, signals

if TYPE_CHECKING:
    from conslaw_cli.records import LawCount
    from conslaw_cli.sweeps.store import RowId, Store
    from conslaw_cli.sweeps.sweep import Job, Limits


@click.command(short_help="Count many architectures, resuming where it stopped.")
@click.argument("spec")
@click.option(
    "-j", "--jobs", "workers", type=click.IntRange(1, 1024), help="[default: one per core]"
)
@click.option(
    "-o", "--output", metavar="FILE", help="Keep the rows there. [default: results/NAME.jsonl]"
)
@click.option(
    "--fresh",
    is_flag=True,
    help="Count everything again; a row stays until one as good replaces it.",
)
@click.option("--timeout", type=Seconds(), help="Time limit for each architecture.")
@click.option(
    "--require-proof",
    is_flag=True,
    help="Exit with 1 if a row is not proved, with 3 if one failed.",
)
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
        from conslaw_cli.cli.compare import AsPublished
        from conslaw_cli.formats import Report
        from conslaw_cli.lie.count import VERSION
        from conslaw_cli.specs.spec import load
        from conslaw_cli.sweeps.store import Store
        from conslaw_cli.sweeps.sweep import Limits, missing, plan

    asked = load(spec)
    jobs = plan(asked.problems, asked.seed if seed is None else seed, asked.degree)

    def report(rows: list[LawCount]) -> None:
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

    path = _path(output, asked.name, spec)
    with Store(path, VERSION, _warn) as store:
        new = fresh or bool(missing(jobs, store))
        try:
            rows, outcomes = _rows(ctx, jobs, store, Limits(timeout, memory), workers, fresh)
        except OutputError:
            report([row for job in jobs if (row := store.get(job.id))])
            raise
    report(rows)
    if new:
        _warn(f"{len(jobs)} {'row' if len(jobs) == 1 else 'rows'} in {store.path}")
    code = exit_code(outcomes, asked.expected, require_proof)
    compared = AsPublished(asked.published, path)
    for row in rows:
        compared.add(row)
    as_published = compared.end()
    ctx.exit(code or (0 if as_published else REQUIREMENT))


def _rows(
    ctx: click.Context,
    jobs: list[Job],
    store: Store,
    limits: Limits,
    workers: int | None,
    fresh: bool,
) -> tuple[list[LawCount], list[LawCount]]:
    """Return the rows of all jobs, in their order, and the same with all failures: where a better
    row was there, that one is kept.
    """
    from conslaw_cli.sweeps.sweep import missing

    if not fresh and (have := len(jobs) - len(missing(jobs, store))):
        _warn(f"{have} of {len(jobs)} rows are in {store.path} already (--fresh counts them again)")
    failed = _run(ctx, jobs, store, limits, workers, fresh)
    while any(store.get(job.id) is None for job in jobs):
        failed |= _run(ctx, jobs, store, limits, workers, False)
    rows = [row for job in jobs if (row := store.get(job.id))]
    outcomes = [failed.get(job.id, row) for job, row in zip(jobs, rows, strict=True)]
    if kept := sum(a is not b for a, b in zip(rows, outcomes, strict=True)):
        what = "row that was" if kept == 1 else "rows that were"
        _warn(f"{kept} {what} in {store.path} before stayed there, being better")
    return rows, outcomes


def _run(
    ctx: click.Context,
    jobs: list[Job],
    store: Store,
    limits: Limits,
    workers: int | None,
    fresh: bool,
) -> dict[RowId, LawCount]:
    """Count what is missing, and show how far it is. Return the rows that failed and did not
    replace a better one.
    """
    from conslaw_cli.cli.progress import progress
    from conslaw_cli.sweeps.sweep import missing, resume

    left = jobs if fresh else missing(jobs, store)
    done, failed = 0, {}
    try:
        with contextlib.closing(resume(jobs, store, limits, workers, fresh)) as rows:
            for job, row in progress(rows, left):
                done += 1
                if row.verdict == "failed" and store.verdict(job.id) != "failed":
                    failed[job.id] = row
    except KeyboardInterrupt:
        there = sum(store.verdict(job.id) is not None for job in jobs)
        rest = f", {done} of them counted again." if fresh else "; the same command goes on."
        _warn(f"Interrupted: {there} of {len(jobs)} rows are in {store.path}{rest}")
        ctx.exit(signals.INTERRUPTED)
    return failed


def _path(output: str | None, name: str, spec: str) -> str:
    """Return where the rows are to be kept. Raise SpecError if that is no file, the spec, or where
    the report goes.
    """
    if output in ("-", ""):
        raise SpecError(f"-o {output!r}: expected a file to keep the rows in")
    path = _default_path(name) if output is None else output
    files.refuse_spec(path, spec, "rows of a sweep")
    if not files.special(path) and (files.is_stream(path, 1) or files.is_stream(path, 2)):
        raise SpecError(
            f"{files.label(path)}: is where this command prints; the rows need a file of their own"
        )
    return path


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
