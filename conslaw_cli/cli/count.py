"""``conslaw count``: one architecture, or those of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from conslaw_cli import signals
from conslaw_cli.cli.options import check_writable, counting, exit_code, show

if TYPE_CHECKING:
    from conslaw_cli.spec import Sweep

_ANOTHER = "conslaw count --widths 3,4,2 --activation relu --bias hidden"


@click.command(short_help="Count the conservation laws of an architecture.")
@click.argument("spec", required=False)
@click.option("--widths", help="Neurons per layer from input to output, such as 3,4,2.")
@click.option("--activation", help="linear, relu, …; linear,relu: one per hidden layer. [default: relu]")
@click.option("--bias", help="false, hidden (or true) or all. [default: false]")
@click.option("--loss", help="mse, logistic or cross_entropy. [default: mse]")
@click.option("--explain", is_flag=True, help="Say why each row is proved, with its numbers.")
@click.option("-o", "--output", metavar="FILE", help="Write there instead of stdout.")
@counting
@click.pass_context
def count(
    ctx: click.Context,
    spec: str | None,
    widths: str | None,
    activation: str | None,
    bias: str | None,
    loss: str | None,
    explain: bool,
    output: str | None,
    seed: int | None,
    memory: int | None,
    format_: str,
) -> None:
    """Count the independent conservation laws of the architectures in the YAML file SPEC ("-": stdin).

    Or of the network that --widths and the other flags describe.

    Without either, the paper's two running examples are counted.

    \b
    conslaw count --widths 3,4,2 --activation relu --bias hidden
    conslaw count network.yaml --explain
    """
    asked = _asked(spec, widths, activation, bias, loss)
    check_writable(output)
    # Some C extensions turn an interrupt while they are loaded into errors of their own.
    with signals.held_back():
        from conslaw_cli.formats import Report
        from conslaw_cli.sweep import Limits, plan, run

    jobs = plan(asked.architectures, asked.seed if seed is None else seed)
    rows = {job.id: row for job, row in run(jobs, Limits(memory=memory), workers=1)}
    ordered = [rows[job.id] for job in jobs]
    show(Report("count", ordered, explain=explain, expected=asked.expected), format_, output)
    ctx.exit(exit_code(ordered, asked.expected))


def _asked(spec: str | None, widths: str | None, activation: str | None, bias: str | None, loss: str | None) -> Sweep:
    from conslaw_cli.spec import Sweep, from_flags, load

    if widths is None and (activation, bias, loss) != (None, None, None):
        raise click.UsageError("--activation, --bias and --loss need --widths beside them")
    if widths is not None and spec is not None:
        raise click.UsageError(f"give either --widths or a file, not both: {widths!r} and {spec!r}")
    if spec is not None:
        return load(spec)
    if widths is not None:
        return Sweep("flags", (from_flags(widths, activation or "relu", bias or "false", loss or "mse"),))
    return _examples()


def _examples() -> Sweep:
    """Return the paper's Examples 3.5 and 3.6 with n = 2, m = 3, r = 4."""
    from conslaw_cli.families.mlp import MLP
    from conslaw_cli.spec import Sweep

    click.echo(f"The paper's two running examples. Another one: {_ANOTHER}\n", err=True)
    relu = MLP((3, 4, 2), "relu", name="Example 3.5 (two-layer ReLU)")
    linear = MLP((3, 4, 2), "linear", name="Example 3.6 (two-layer linear)")
    return Sweep("examples", (relu, linear))
