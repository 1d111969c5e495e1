"""``conslaw describe``: the layers of an architecture with their shapes and parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from conslaw_cli.cli.asked import asked, asking

if TYPE_CHECKING:
    from conslaw_cli.problems.problem import Architecture

_ANOTHER = "conslaw describe --widths 3,4,2 --activation relu --bias hidden"


@click.command(short_help="Show the layers of an architecture, their shapes and parameters.")
@asking
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def describe(as_json: bool, **ways: str | None) -> None:
    """Show the layers of the architectures in the YAML file SPEC ("-": stdin), their shapes and how
    many parameters they have.

    Or of the network that --widths and the other flags describe.
    """
    if not any(way is not None for way in ways.values()):
        raise click.UsageError(f"Missing argument 'SPEC', or flags: {_ANOTHER}")
    architectures = asked(_ANOTHER, **ways).architectures
    if as_json:
        import json

        rows = [_as_json(architecture) for architecture in architectures]
        click.echo(
            json.dumps(
                {"schema": "conslaw.describe/1", "results": rows}, indent=2, ensure_ascii=False
            )
        )
    else:
        click.echo("\n\n".join(map(_as_text, architectures)))


def _as_json(architecture: Architecture) -> dict[str, object]:
    pieces = [
        {"layer": what.strip(), "shape": shape, "parameters": n}
        for what, shape, n in architecture.outline()
    ]
    return {
        "name": architecture.name,
        **architecture.describe(),
        "outline": pieces,
        **({} if architecture.graph is None else {"graph": str(architecture.graph)}),
        "parameters": architecture.parameters,
    }


def _as_text(architecture: Architecture) -> str:
    rows = [
        ("layer", "shape", "parameters"),
        *((a, b, str(n)) for a, b, n in architecture.outline()),
    ]
    rows.append(("total", "", str(architecture.parameters)))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {n:>{widths[2]}}" for a, b, n in rows]
    graph = "" if architecture.graph is None else f"\n\n{architecture.graph}"
    return "\n".join([architecture.name, *lines]) + graph
