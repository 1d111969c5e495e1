"""``conslaw count``: one architecture, or those of a file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import click

from conslaw_cli.cli.asked import asked, asking
from conslaw_cli.cli.options import (
    FORMATS,
    check_writable,
    counting,
    exit_code,
    importing,
    interrupted,
    show,
    suggest,
    write,
)
from conslaw_cli.cli.progress import progress

if TYPE_CHECKING:
    from conslaw_cli.formats import Report
    from conslaw_cli.problems.problem import Problem
    from conslaw_cli.problems.records import LawCount
    from conslaw_cli.sweeps.store import RowId

_ANOTHER = "conslaw count --widths 3,4,2 --activation relu --bias hidden"


@click.command()
@asking
@click.option("--explain", is_flag=True, help="Say why each row is proved, with its numbers.")
@click.option("--cite", is_flag=True, help="Name the sources of all that carried the rows.")
@click.option("-o", "--output", metavar="FILE", help="Write there instead of stdout.")
@partial(counting, formats=(*FORMATS, "bibtex"))
@click.pass_context
def count(
    ctx: click.Context,
    /,
    explain: bool,
    cite: bool,
    output: str | None,
    timeout: float | None,
    require_proof: bool,
    seed: int | None,
    memory: int | None,
    format_: str,
    **ways: str | None,
) -> None:
    """Count the independent conservation laws of the architectures in the YAML file SPEC ("-":
    stdin).

    Or of the network that --widths and the other flags describe.

    Without either, the paper's two running examples are counted.

    \b
    conslaw count --widths 3,4,2 --activation relu --bias hidden
    conslaw count network.yaml --explain
    """
    _check_format(format_, explain, cite)
    sweep = asked(_ANOTHER, **ways)
    check_writable(output, ways["spec"])
    with importing():
        from conslaw_cli.formats import Report
        from conslaw_cli.sweeps.jobs import Limits, plan
        from conslaw_cli.sweeps.processes import run

    jobs = plan(sweep.problems, sweep.seed if seed is None else seed)
    rows: dict[RowId, LawCount] = {}
    whole = True
    one_by_one = chain.from_iterable(run(jobs, Limits(timeout, memory), workers=1))
    try:
        for job, row in progress(one_by_one, jobs):
            rows[job.id] = row
    except KeyboardInterrupt:
        whole = False
    ordered = [rows[job.id] for job in jobs if job.id in rows]
    report = Report("count", ordered, explain=explain, expected=sweep.expected)
    if whole or rows:
        file = output if whole else None
        if cite or format_ == "bibtex":
            _cite(report, [job.problem for job in jobs if job.id in rows], format_, file)
        else:
            show(report, format_, file)
    if whole and format_ == "table" and output in (None, "-"):
        _suggest(ordered, explain, ways)
    if not whole:
        ctx.exit(interrupted(len(rows), len(jobs), output))
    ctx.exit(exit_code(ordered, sweep.expected, require_proof))


def _check_format(format_: str, explain: bool, cite: bool) -> None:
    """Raise click.UsageError for a format that cannot show what is asked for."""
    if explain and format_ in ("json", "csv", "bibtex"):
        rest = ": its rows hold their evidence" if format_ != "bibtex" else ""
        raise click.UsageError(
            f"--explain: expected --format table, markdown or latex, got {format_}{rest}"
        )
    if cite and format_ in ("json", "csv"):
        raise click.UsageError(
            f"--cite: expected --format table, markdown, latex or bibtex, got {format_}"
        )


def _cite(report: Report, problems: Sequence[Problem], format_: str, file: str | None) -> None:
    """Show the rows, unless they are asked for as BibTeX, and the sources of what carried them."""
    from conslaw_cli.formats import render
    from conslaw_cli.formats.bibtex import render_bibtex, render_sources
    from conslaw_cli.formats.lists import carried, distinct

    pairs = zip(problems, report.rows, strict=True)
    entries = distinct(entry for problem, row in pairs for entry in carried(problem, row))

    def text(width: int | None, color: bool) -> str:
        if format_ == "bibtex":
            return render_bibtex(entries)
        before = {"latex": "% ", "markdown": "- "}.get(format_, "")
        rows = render(format_, report, width=width, color=color)
        return f"{rows}\n{render_sources(entries, before)}"

    write(text, file, all(row.verdict != "failed" for row in report.rows))


def _suggest(rows: Sequence[LawCount], explain: bool, ways: Mapping[str, str | None]) -> None:
    """Say on a terminal what shows more of these rows."""
    spec = ways["spec"]
    flags = [f"--{key} {shlex.quote(way)}" for key, way in ways.items() if way and key != "spec"]
    asked = " ".join(["conslaw laws", *([shlex.quote(spec)] if spec else []), *flags])
    laws = [f"{asked} (formulas)"] if any(row.laws for row in rows) and spec != "-" else []
    if steps := [*laws, *([] if explain else ["--explain (proofs)"])]:
        suggest(", ".join(steps))
