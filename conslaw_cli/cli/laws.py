"""``conslaw laws``: the polynomial conservation laws themselves, as formulas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from conslaw_cli.cli.asked import asked, asking
from conslaw_cli.cli.options import (
    FAILED,
    Bytes,
    check_writable,
    exit_code,
    first_product,
    formatted,
    importing,
    interrupted,
    say,
    write,
    write_pieces,
)
from conslaw_cli.cli.progress import search_progress
from conslaw_cli.errors import (
    ConslawError,
    MemoryBudgetError,
    NotSearchedError,
    SpecError,
)
from conslaw_cli.sweeps import signals

if TYPE_CHECKING:
    from conslaw_cli.formats.laws import Known, Result
    from conslaw_cli.laws.abelian import Reading
    from conslaw_cli.problems.problem import Problem
    from conslaw_cli.problems.records import LawCount

FORMATS = ("text", "json", "latex", "sympy", "python")
_ANOTHER = "conslaw laws --widths 3,4,2 --activation linear --degree 2"


@click.command()
@asking
@click.option("--degree", type=int, default=2, show_default=True, help="Of the polynomials.")
@click.option("--homogeneous", is_flag=True, help="Of exactly that degree, not up to it.")
@click.option("--all", "basis", is_flag=True, help="List a linear basis as well.")
@click.option(
    "--rational", is_flag=True, help="Then look for laws that are quotients of polynomials."
)
@click.option(
    "--at", metavar="FILE", help="Evaluate Abelian integrals at θ: arrays by name in an .npz file."
)
@click.option("-o", "--output", metavar="FILE", help="Write there instead of stdout.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    help="Of the random choices. [default: the spec's, or 0]",
)
@click.option("--memory", type=Bytes(), help="Budget, such as 8G. [default: half of what is free]")
@lambda command: formatted(command, FORMATS)
@click.pass_context
def laws(
    ctx: click.Context,
    /,
    degree: int,
    homogeneous: bool,
    basis: bool,
    rational: bool,
    at: str | None,
    output: str | None,
    seed: int | None,
    memory: int | None,
    format_: str,
    **ways: str | None,
) -> None:
    """Find the polynomial conservation laws of the architectures in the YAML file SPEC ("-":
    stdin), exactly.

    Or of the network that --widths and the other flags describe; without either, of the paper's two
    running examples.

    A functionally independent generating set is printed: matrices of known laws by their formula,
    new laws written out. Where there are too many parameters to search, the known laws are, and a
    line on stderr says so.

    \b
    conslaw laws --widths 3,4,2 --activation linear
    conslaw laws --widths 3,4,2 --bias hidden --format python -o laws.py
    """
    sweep = asked(_ANOTHER, **ways)
    check_writable(output, ways["spec"])
    if at is not None and len(sweep.problems) != 1:
        raise SpecError(f"--at: expected one architecture, got {len(sweep.problems)}")
    with importing():
        from conslaw_cli.formats.laws import render, stream
        from conslaw_cli.laws.plan import check_degree

    first_product()
    readings = () if at is None else _readings(sweep.problems[0], at)
    check_degree(degree)
    seed = sweep.seed if seed is None else seed
    options = {"degree": degree, "homogeneous": homogeneous, "basis": basis}
    found = _Found(sweep.problems, {**options, "seed": seed, "memory": memory}, rational, readings)
    if format_ == "text" and output in (None, "-"):
        try:
            write_pieces(lambda width: stream(found, width=width))
        except KeyboardInterrupt:
            found.interrupted = True
    elif results := list(found):
        where = None if found.interrupted else output
        whole = not found.failed
        write(lambda width, color: render(format_, results, width=width), where, whole)
    if found.interrupted:
        ctx.exit(interrupted(len(found.counts), len(sweep.problems), output))
    code = exit_code(found.counts, sweep.expected)
    ctx.exit(FAILED if found.failed else code)


class _Found:
    """The laws of one problem after the other, until there is an interrupt.

    Of those that cannot be found it says why: the others shall not be lost.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        options: dict[str, Any],
        rational: bool,
        readings: Sequence[Reading],
    ) -> None:
        self._problems, self._options, self._rational = problems, options, rational
        self._readings = tuple(readings)
        self.counts: list[LawCount] = []
        self.failed, self.interrupted = 0, False

    def __iter__(self) -> Iterator[Result | Known]:
        total = len(self._problems)
        for number, problem in enumerate(self._problems, start=1):
            name = problem.name if total == 1 else f"{number}/{total} · {problem.name}"
            try:
                with signals.let_through():
                    result = _found(problem, name, self._options, self._rational)
            except ConslawError as error:
                click.echo(f"Error: {error}", err=True)
                self.failed += 1
                continue
            except KeyboardInterrupt:
                self.interrupted = True
                return
            self.counts.append(result.count)
            yield replace(result, readings=self._readings)


def _found(problem: Problem, name: str, options: dict[str, Any], rational: bool) -> Result | Known:
    from conslaw_cli.formats.laws import Known, Result
    from conslaw_cli.laws.polynomials import find_laws
    from conslaw_cli.laws.rational import find_rational
    from conslaw_cli.lie.count import count_laws

    job = {"seed": options["seed"], "memory": options["memory"]}
    with search_progress(name) as progress:
        try:
            search = find_laws(problem, **options, progress=progress)
        except (MemoryBudgetError, NotSearchedError) as error:
            try:
                count = count_laws(problem, **job)
            except MemoryBudgetError:
                raise error from None
            if count.unknown_laws == 0:
                say(f"no search beyond the known laws, which are complete: {error}")
            else:
                say(f"only known laws are listed, others were not searched: {error}")
            return Known(problem, problem.shown(), count, str(error))
        progress("all laws", 1.0)
        result = Result(search, count_laws(problem, **job))
        if not rational:
            return result
        progress("rational laws", 1.0)
        found = find_rational(search, result.not_polynomial or 0)
        return replace(
            result, search=replace(search, coordinates=found.coordinates), rational=found
        )


def _readings(problem: Problem, path: str) -> Sequence[Reading]:
    """Return the values of Abelian integrals at the θ of a file. Raise SpecError if the problem has
    no such laws, and where they are not evaluated.
    """
    import numpy as np

    from conslaw_cli.laws.abelian import abelian_laws
    from conslaw_cli.simulation.data import objective, read

    laws = abelian_laws(problem)
    if not laws:
        raise SpecError(
            f"--at: {problem.name} has no laws that are Abelian integrals, which alone are"
            " evaluated; --format python writes others as code"
        )
    _, theta = objective(problem, np.random.default_rng(0), 1, None, read(path))
    return [each.at(theta) for each in laws]
