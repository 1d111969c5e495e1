"""``conslaw describe``: the layers of an architecture with their shapes and parameters, its graph,
and the spaces of units at which its laws stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from conslaw_cli.cli.asked import asked, asking
from conslaw_cli.errors import SpecError

if TYPE_CHECKING:
    from conslaw_cli.networks.wiring import Junction
    from conslaw_cli.problems.problem import Architecture

_ANOTHER = "conslaw describe --widths 3,4,2 --activation relu --bias hidden"


@click.command()
@asking
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option(
    "--plot", metavar="FILE", help="Draw the graph as well: a .png, .svg or .pdf (one network)."
)
def describe(as_json: bool, plot: str | None, **ways: str | None) -> None:
    """Show the layers of the architectures in the YAML file SPEC ("-": stdin), their shapes and how
    many parameters they have, the graph of operations, and the spaces of units with the arrays that
    write and read them and the number of known laws of gradient flow at each.

    Or of the network that --widths and the other flags describe.
    """
    if not any(way is not None for way in ways.values()):
        raise click.UsageError(f"Missing argument 'SPEC', or flags: {_ANOTHER}")
    architectures = asked(_ANOTHER, **ways).architectures
    if plot is not None:
        _draw(architectures, plot, ways["spec"])
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


def _draw(architectures: Sequence[Architecture], path: str, spec: str | None) -> None:
    """Write the picture of the one network there is."""
    from conslaw_cli.cli import outfile
    from conslaw_cli.formats import pictures

    pictures.suffix(path)
    outfile.check(path, spec, outfile.PICTURE)
    if len(architectures) != 1:
        raise SpecError(f"--plot: expected one network to draw, got {len(architectures)}")
    (architecture,) = architectures
    if architecture.graph is None:
        raise SpecError(f"--plot: {architecture.name} is no network, and has no graph to draw")
    from conslaw_cli.formats.pictures.network import network

    drawn = network(architecture.name, architecture.graph, _spaces(architecture), path)
    outfile.save(path, drawn, outfile.PICTURE)


def _spaces(architecture: Architecture) -> list[Junction]:
    from conslaw_cli.problems.problem import Loss

    graph = architecture.graph
    return [] if graph is None else graph.junctions(Loss(architecture.loss).zero_sum)


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
        **({} if architecture.graph is None else {"spaces": _spaces_as_json(architecture)}),
        "parameters": architecture.parameters,
    }


def _spaces_as_json(architecture: Architecture) -> list[dict[str, object]]:
    return [
        {
            "units": each.units,
            "values": each.values,
            "written_by": each.written,
            "read_by": each.read,
            "laws": sum(family.size for family in each.families),
            "formulas": [family.text for family in each.families],
        }
        for each in _spaces(architecture)
    ]


def _as_text(architecture: Architecture) -> str:
    outline = [(what, shape, str(n)) for what, shape, n in architecture.outline()]
    outline.append(("total", "", str(architecture.parameters)))
    blocks = [architecture.name + "\n" + _columns([("layer", "shape", "parameters"), *outline], 2)]
    if architecture.graph is not None:
        blocks += [str(architecture.graph), _spaces_as_text(architecture)]
    return "\n\n".join(blocks)


def _spaces_as_text(architecture: Architecture) -> str:
    rows: list[tuple[str, ...]] = [
        ("space", "units", "values", "written by", "read by", "laws", "formulas")
    ]
    for number, each in enumerate(_spaces(architecture), start=1):
        lists = (", ".join(names) or "-" for names in (each.values, each.written, each.read))
        laws = sum(family.size for family in each.families)
        formulas = "; ".join(family.text for family in each.families)
        rows.append((str(number), str(each.units), *lists, str(laws), formulas))
    return _columns(rows, 0, 1, 5)


def _columns(rows: Sequence[tuple[str, ...]], *right: int) -> str:
    """Return rows as columns, those of figures set to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
