"""``conslaw sweep``: many architectures, kept as they finish.

Each row goes to the store as it finishes, and on to the report when its turn has come: when all
rows before it, in the order of the spec, are there. Only some of the rows that wait for theirs are
held; others are read back from the store then.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import click

from conslaw_cli.cli.options import (
    REQUIREMENT,
    Requirements,
    counting,
    importing,
    put,
    say,
    screen,
    suggest,
)
from conslaw_cli.errors import OutputError, SpecError
from conslaw_cli.sweeps import files, signals

if TYPE_CHECKING:
    from conslaw_cli.formats import Report, Rows
    from conslaw_cli.problems.records import LawCount
    from conslaw_cli.specs.flags import Sweep
    from conslaw_cli.sweeps.jobs import Backend, Job, Limits
    from conslaw_cli.sweeps.store import RowId, Store

WAITING = 1000
"""Rows that wait for their turn in memory; others are read back."""
SHOWN = 1000
"""Up to so many rows a table shows all of them by default."""


@click.command()
@click.argument("spec")
@click.option(
    "-j", "--jobs", "workers", type=click.IntRange(1, 1024), help="[default: one per core]"
)
@click.option(
    "--cluster",
    metavar="WHERE",
    help="Count on a dask cluster: local:4, tcp://address:port, or a scheduler file.",
)
@click.option(
    "-o", "--output", metavar="FILE", help="Keep the rows there. [default: results/NAME.jsonl]"
)
@click.option(
    "--fresh",
    is_flag=True,
    help="Count everything again; a row stays until one as good replaces it.",
)
@click.option("--rows", "all_rows", is_flag=True, help="Show all rows, however many.")
@click.option("--summary", is_flag=True, help="Show no rows but the exceptions.")
@click.option(
    "--plot", metavar="FILE", help="Draw the numbers of laws as well: a .png, .svg or .pdf."
)
@counting
@click.pass_context
def sweep(
    ctx: click.Context,
    spec: str,
    workers: int | None,
    cluster: str | None,
    output: str | None,
    fresh: bool,
    timeout: float | None,
    require_proof: bool,
    all_rows: bool,
    summary: bool,
    plot: str | None,
    seed: int | None,
    memory: int | None,
    format_: str,
) -> None:
    """Count the conservation laws of all architectures of the YAML file SPEC ("-": stdin).

    Each row is added to results/NAME.jsonl as it finishes; a rerun counts only what is missing
    there. The table shows every row, those that were there before too, in the order of the SPEC,
    and a summary; above 1,000 rows the exceptions and the summary.
    """
    _check_usage(workers, cluster, all_rows, summary, format_)
    with importing():
        from conslaw_cli.problems.records import VERSION
        from conslaw_cli.specs.spec import load
        from conslaw_cli.sweeps.jobs import Limits, missing, plan
        from conslaw_cli.sweeps.store import Store

    asked = load(spec)
    jobs = plan(asked.problems, asked.seed if seed is None else seed, asked.degree)
    path = _path(output, asked.name, spec)
    picture = None if plot is None else _Picture(jobs, asked, plot, spec)
    shown = all_rows or (len(jobs) <= SHOWN and not summary)
    view = _view(jobs, asked, format_, shown, plot)
    limits = Limits(timeout, memory)
    with _backend(workers, cluster, limits) as backend, Store(path, VERSION, say) as store:
        left = jobs if fresh else missing(jobs, store)
        held = _Held(view, picture, asked, path, require_proof)
        turns = _Turns(jobs, store, held.add)
        try:
            _say_kept(len(jobs) - len(left), len(jobs), store)
            count = partial(_count, ctx, turns, jobs, store, backend)
            count(fresh)
            while not turns.over:  # lines of rows turned out to be damaged
                count(False)
        except OutputError:
            turns.skip()
            view.end(turns.given)
            raise
        _say_better(turns.kept, store)
        view.end(turns.given)
    if picture is not None:
        picture.end()
    if left:
        say(f"{len(jobs)} {'row' if len(jobs) == 1 else 'rows'} in {store.path}")
    code = held.exit_code()
    _suggest(spec, format_)
    ctx.exit(code)


def _suggest(spec: str, format_: str) -> None:
    if format_ == "table" and spec != "-":
        quoted = shlex.quote(spec)
        suggest(f"conslaw laws {quoted} (formulas), conslaw count {quoted} --explain (proofs)")


def _check_usage(
    workers: int | None, cluster: str | None, all_rows: bool, summary: bool, format_: str
) -> None:
    if (all_rows or summary) and format_ != "table":
        raise click.UsageError(f"--rows, --summary: expected --format table, got {format_}")
    if all_rows and summary:
        raise click.UsageError("give either --rows or --summary, not both")
    if workers is not None and cluster is not None:
        raise click.UsageError("give either --jobs or --cluster, not both: a cluster has workers")


@contextlib.contextmanager
def _backend(workers: int | None, cluster: str | None, limits: Limits) -> Iterator[Backend]:
    """Give what counts: processes of this machine, unless a cluster is asked for."""
    if cluster is None:
        from conslaw_cli.sweeps.processes import run

        yield partial(run, limits=limits, workers=workers)
        return
    from conslaw_cli.sweeps.cluster import Cluster

    with Cluster(cluster, say) as opened:
        yield partial(opened.run, limits=limits)


def _view(jobs: list[Job], asked: Sweep, format_: str, shown: bool, plot: str | None) -> _View:
    """Return what shows the rows in a format. shown: all of them, in a table; plot: the path of
    their picture.
    """
    from conslaw_cli.formats import Report

    report = Report(
        "sweep",
        [],
        asked.name,
        source=asked.source,
        expected=asked.expected,
        sources=asked.sources,
        picture=None if plot is None else os.path.basename(plot),
    )
    return _Table(jobs, report, shown) if format_ == "table" else _Whole(report, format_)


class _Held:
    """Passes rows on to what shows them, and holds them against what they must be."""

    def __init__(
        self,
        view: _View,
        picture: _Picture | None,
        asked: Sweep,
        path: str,
        require_proof: bool,
    ) -> None:
        from conslaw_cli.cli.compare import AsPublished

        self._shown = [view] if picture is None else [view, picture]
        self._requirements = Requirements(asked.expected, require_proof)
        self._compared = AsPublished(asked.published, path)

    def add(self, row: LawCount, outcome: LawCount) -> None:
        """Take the row that is kept of the next job, and how that ended now."""
        for each in self._shown:
            each.add(row)
        self._compared.add(row)
        self._requirements.add(outcome)

    def exit_code(self) -> int:
        """Say what was found, and return the exit code that says so."""
        code = self._requirements.exit_code()
        as_published = self._compared.end()
        return code or (0 if as_published else REQUIREMENT)


class _Whole:
    """All rows, written at the end, when what stands before the first of them is known."""

    def __init__(self, report: Report, format_: str) -> None:
        from conslaw_cli.formats.columns import Overview

        self._report, self._format = report, format_
        self._overview = Overview(report.expected)

    def add(self, row: LawCount) -> None:
        """Take the next row up; it is not held."""
        self._overview.add(row)

    def end(self, rows: Rows) -> None:
        """Write all of them."""
        from conslaw_cli.formats import pieces

        for piece in pieces(self._format, self._report._replace(rows=rows), self._overview):
            put(piece)


class _Table:
    """A table of which each row is written as it is given. Rows go on if they cannot be written:
    what is counted is kept, and the error is raised in the end.
    """

    def __init__(self, jobs: list[Job], report: Report, shown: bool) -> None:
        from conslaw_cli.formats.table import SweepTable
        from conslaw_cli.sweeps.jobs import Widest

        widest = Widest(jobs) if len(jobs) > SHOWN else [job.widest() for job in jobs]
        self._table = SweepTable(widest if shown else (), report, *screen())
        self._shown = shown
        self._lost: OutputError | None = None

    def add(self, row: LawCount) -> None:
        """Write the next row, or take it up for the summary alone."""
        self._write(self._table.row(row, self._shown))

    def end(self, rows: Rows) -> None:
        """Write the summary of all rows."""
        self._write(self._table.rest(rows, self._shown))
        if self._lost is not None:
            raise self._lost

    def _write(self, text: str) -> None:
        from conslaw_cli.cli.progress import aside
        from conslaw_cli.formats import encodable

        if text:
            try:
                with aside():
                    put(encodable(text))
            except OutputError as error:
                self._lost = self._lost or error


class _Picture:
    """A picture of all rows, in a file. Raise SpecError if it cannot be one."""

    def __init__(self, jobs: list[Job], asked: Sweep, path: str, spec: str) -> None:
        from conslaw_cli.cli import outfile
        from conslaw_cli.formats import pictures

        pictures.suffix(path)
        outfile.check(path, spec, outfile.PICTURE)
        from conslaw_cli.formats.pictures.heat_map import Picture

        self._title, self._path, self._save = asked.name, path, outfile.save
        self._picture, self._kind = (
            Picture([job.problem for job in jobs], asked.expected),
            outfile.PICTURE,
        )

    def add(self, row: LawCount) -> None:
        """Take the next row."""
        self._picture.add(row)

    def end(self) -> None:
        """Write the picture."""
        self._save(self._path, self._picture.encoded(self._title, self._path), self._kind)


_View = _Whole | _Table


class _Given:
    """Rows that were given on, read back from the store whenever they are asked for. Raise
    OutputError for one that cannot be read any more.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._jobs: list[Job] = []

    def append(self, job: Job) -> None:
        """Note that the row of a job was given on."""
        self._jobs.append(job)

    def __getitem__(self, number: int, /) -> LawCount:
        return self._read(self._jobs[number])

    def __iter__(self) -> Iterator[LawCount]:
        return map(self._read, self._jobs)

    def _read(self, job: Job) -> LawCount:
        if (row := self._store.get(job.id)) is None:
            name = files.label(job.problem.name)
            raise OutputError(f"{self._store.path}: the row {name} cannot be read back")
        return row


class _Turns:
    """Gives the rows of jobs on in their order, each once those before it are there too.

    give: takes the row that is kept, and the one that its job had now, which failed where the row
    is a better one from before.
    kept: how many such rows were given. given: the rows that were, in their order.
    """

    def __init__(
        self, jobs: list[Job], store: Store, give: Callable[[LawCount, LawCount], object]
    ) -> None:
        self._jobs, self._store, self._give = jobs, store, give
        self._next, self.kept, self.given = 0, 0, _Given(store)
        self._running: set[RowId] = set()
        self._failed: dict[RowId, LawCount] = {}
        self._waiting: dict[RowId, LawCount] = {}

    @property
    def over(self) -> bool:
        """Whether all rows have been given."""
        return self._next == len(self._jobs)

    def wait_for(self, jobs: list[Job]) -> None:
        """Wait for the rows of jobs that are about to run; others are in the store, or missing."""
        self._running = {job.id for job in jobs}
        self._go_on()

    def arrived(self, job: Job, row: LawCount) -> None:
        """Note that the row of a job is in the store, unless a better one is."""
        from conslaw_cli.problems.records import OPEN

        self._running.discard(job.id)
        best = self._store.verdict(job.id)
        if row.verdict in OPEN and row.verdict != best:
            self._failed[job.id] = row
        elif row.verdict == best and len(self._waiting) < WAITING:
            self._waiting[job.id] = row
        self._go_on()

    def skip(self) -> None:
        """Give what is left of the rows that are there, whatever is missing between them."""
        for job in self._jobs[self._next :]:
            if (row := self._store.get(job.id)) is not None:
                self._give_next(job, row)

    def _go_on(self) -> None:
        while not self.over and (job := self._jobs[self._next]).id not in self._running:
            row = self._waiting.pop(job.id, None) or self._store.get(job.id)
            if row is None:
                return
            self._give_next(job, row)

    def _give_next(self, job: Job, row: LawCount) -> None:
        self._next += 1
        self.given.append(job)
        self.kept += job.id in self._failed
        self._give(row, self._failed.pop(job.id, row))


def _say_better(kept: int, store: Store) -> None:
    if kept:
        what = "row that was" if kept == 1 else "rows that were"
        say(f"{kept} {what} in {store.path} before stayed there, being better")


def _say_kept(have: int, of: int, store: Store) -> None:
    if have:
        say(f"{have} of {of} rows are in {store.path} already (--fresh counts them again)")


def _count(
    ctx: click.Context,
    turns: _Turns,
    jobs: list[Job],
    store: Store,
    backend: Backend,
    fresh: bool,
) -> None:
    """Count what is missing, and show how far it is."""
    from conslaw_cli.cli.progress import progress
    from conslaw_cli.sweeps.jobs import missing
    from conslaw_cli.sweeps.sweep import resume

    left, done = jobs if fresh else missing(jobs, store), 0
    try:
        turns.wait_for(left)
        with contextlib.closing(resume(jobs, store, backend, fresh)) as rows:
            for job, row in progress(rows, left):
                done += 1
                turns.arrived(job, row)
    except KeyboardInterrupt:
        if not fresh:
            turns.wait_for([])
        there = sum(store.verdict(job.id) is not None for job in jobs)
        rest = f", {done} of them counted again." if fresh else "; the same command goes on."
        say(f"Interrupted: {there} of {len(jobs)} rows are in {store.path}{rest}")
        ctx.exit(signals.INTERRUPTED)


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
