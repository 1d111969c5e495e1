"""``conslaw laws``: the polynomial conservation laws themselves, as formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from conslaw_cli import signals
from conslaw_cli.cli.asked import asked, asking
from conslaw_cli.cli.options import FAILED, Bytes, check_writable, exit_code, pin_blas, write
from conslaw_cli.cli.progress import search_progress
from conslaw_cli.errors import ConslawError

if TYPE_CHECKING:
    from conslaw_cli.families import Architecture
    from conslaw_cli.formats.laws import Result

FORMATS = ("text", "json", "latex", "sympy", "python")
_ANOTHER = "conslaw laws --widths 3,4,2 --activation linear --degree 2"


@click.command(short_help="Find polynomial laws of an architecture, as formulas.")
@asking
@click.option("--degree", type=int, default=2, show_default=True, help="Of the polynomials.")
@click.option("--homogeneous", is_flag=True, help="Of exactly that degree, not up to it.")
@click.option("--all", "basis", is_flag=True, help="List a linear basis as well.")
@click.option("-o", "--output", metavar="FILE", help="Write there instead of stdout.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    help="Of the random choices. [default: the spec's, or 0]",
)
@click.option("--memory", type=Bytes(), help="Budget, such as 8G. [default: half of what is free]")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--json", "format_", flag_value="json", help="Short for --format json.")
@click.pass_context
def laws(
    ctx: click.Context,
    /,
    degree: int,
    homogeneous: bool,
    basis: bool,
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
    new laws written out.

    \b
    conslaw laws --widths 3,4,2 --activation linear
    conslaw laws --widths 3,4,2 --bias hidden --format python -o laws.py
    """
    pin_blas()
    sweep = asked(_ANOTHER, **ways)
    check_writable(output, ways["spec"])
    # Some C extensions turn an interrupt while they are loaded into errors of their own.
    with signals.held_back():
        from conslaw_cli.formats.laws import render
        from conslaw_cli.polynomials import check_degree

    check_degree(degree)
    seed = sweep.seed if seed is None else seed
    found = [_found(each, degree, homogeneous, basis, seed, memory) for each in sweep.architectures]
    results = [result for result in found if result is not None]
    whole = len(results) == len(found)
    if results:
        write(lambda width, color: render(format_, results, width=width), output, whole)
    code = exit_code([result.count for result in results], sweep.expected)
    ctx.exit(code if whole else FAILED)


def _found(
    architecture: Architecture,
    degree: int,
    homogeneous: bool,
    basis: bool,
    seed: int,
    memory: int | None,
) -> Result | None:
    """Return the laws of one architecture; None if they could not be found, and say why: the others
    shall not be lost.
    """
    from conslaw_cli.count import count_laws
    from conslaw_cli.formats.laws import Result
    from conslaw_cli.polynomials import find_laws

    try:
        with search_progress(architecture.name) as progress:
            search = find_laws(
                architecture,
                degree,
                homogeneous=homogeneous,
                basis=basis,
                seed=seed,
                memory=memory,
                progress=progress,
            )
            return Result(search, count_laws(architecture, seed=seed, memory=memory))
    except ConslawError as error:
        click.echo(f"Error: {error}", err=True)
        return None
