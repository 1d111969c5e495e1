"""``conslaw recast``: gradient flow of θ as a flow of φ(θ) (paper, section 3.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from conslaw_cli.cli.asked import asked, asking
from conslaw_cli.cli.options import FAILED, USAGE, importing, put
from conslaw_cli.cli.progress import search_progress
from conslaw_cli.errors import ConslawError, SpecError

if TYPE_CHECKING:
    from conslaw_cli.formats.recast import Recast
    from conslaw_cli.problems.problem import Problem

MAX_TIME = 1e6
_ANOTHER = "conslaw recast --widths 2,3,2 --activation relu"


@click.command()
@asking
@click.option("--at", metavar="FILE", help="θ at the start: arrays by name in an .npz file.")
@click.option("--time", type=float, default=1.0, show_default=True, help="Of both flows.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    help="Of θ, z* and the other random choices. [default: the spec's, or 0]",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--plot", metavar="FILE", help="Draw both flows: a .png, .svg or .pdf (one network).")
@click.pass_context
def recast(
    ctx: click.Context,
    /,
    at: str | None,
    time: float,
    seed: int | None,
    as_json: bool,
    plot: str | None,
    **ways: str | None,
) -> None:
    """Say whether condition (13) of the paper holds for the architectures in the YAML file SPEC
    ("-": stdin), and at which bracket it fails.

    Or for the network that --widths and the other flags describe; without either, for the paper's
    two running examples.

    Where it holds, z = φ(θ) obeys z' = −M(z, θ_init) ∇f(z). M is printed if a closed form is known,
    and else found from z and the laws by Newton's method. Both flows are integrated for f =
    ½‖z − z*‖², and compared (pip install 'conslaw[plot]').

    \b
    conslaw recast --widths 2,3,2 --activation relu
    conslaw recast --phi "u*v1, u*v2" --plot flow.png
    """
    sweep = asked(_ANOTHER, **ways)
    if not 0 < time <= MAX_TIME:
        raise SpecError(f"--time: expected a number above 0 and up to {MAX_TIME:g}, got {time}")
    _check(at, plot, len(sweep.problems), ways["spec"])
    seed = sweep.seed if seed is None else seed
    with importing():
        from conslaw_cli.formats import recast as formats

    found: list[Recast] = []
    wrong = 0
    for number, problem in enumerate(sweep.problems):
        gap = "\n" if number else ""
        try:
            for text in _found(problem, at, time, seed, found):
                if not as_json:
                    put(gap + text)
                gap = ""
        except ConslawError as error:
            if len(sweep.problems) == 1:
                raise
            click.echo(f"Error: {error}", err=True)
            wrong = wrong or (USAGE if isinstance(error, SpecError) else FAILED)
    if as_json:
        import json

        rows = [formats.json_value(each) for each in found]
        value = {"schema": "conslaw.recast/1", "results": rows}
        put(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    if plot is not None:
        _draw(found[0], plot)
    ctx.exit(FAILED if any(each.run and each.run.failed for each in found) else wrong)


def _check(at: str | None, plot: str | None, problems: int, spec: str | None) -> None:
    """Raise SpecError for options that do not fit, before anything is computed."""
    for flag, value in (("--at", at), ("--plot", plot)):
        if value is not None and problems != 1:
            raise SpecError(f"{flag}: expected one architecture, got {problems}")
    if plot is not None:
        from conslaw_cli.cli import outfile
        from conslaw_cli.formats import pictures

        pictures.suffix(plot)
        outfile.check(plot, spec, outfile.PICTURE)


def _found(
    problem: Problem, at: str | None, time: float, seed: int, found: list[Recast]
) -> Iterator[str]:
    """Yield the lines of one problem, as they are found; append all of it in the end."""
    import numpy as np

    from conslaw_cli.formats import recast as formats
    from conslaw_cli.lie.involution import check, involution
    from conslaw_cli.simulation import data
    from conslaw_cli.simulation import recast as flows

    check(problem)
    given, rng, run = None if at is None else data.read(at), np.random.default_rng(seed), None
    if given is not None:  # what is wrong with it is said even if the condition fails
        data.objective(problem, np.random.default_rng(0), 1, None, given)
    condition = involution(problem, seed=seed)
    yield _lines(formats.condition_lines(problem, condition))
    if condition.holds:
        phi = flows.reparametrisation(problem)
        _, theta = data.objective(problem, rng, 1, None, given)
        flows.check_start(phi, theta, condition.rank)
        yield _lines(formats.metric_lines(problem, flows.closed_form(problem, phi, theta)))
        target = rng.standard_normal(len(phi.names))
        with search_progress(problem.name) as progress:
            run = flows.recast(
                problem, phi, theta, target, time, lambda part: progress("both flows", part)
            )
        yield _lines(formats.run_lines(run, seed))
    found.append(formats.Recast(problem, condition, run, seed))


def _lines(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _draw(found: Recast, path: str) -> None:
    """Write the picture; raise SpecError if there are no flows to draw."""
    from conslaw_cli.cli import outfile
    from conslaw_cli.formats.pictures import recast as pictures

    if found.run is None:
        raise SpecError(f"--plot: condition (13) fails for {found.problem.name}: nothing to draw")
    outfile.save(path, pictures.recast(found.problem.name, found.run, path), outfile.PICTURE)
