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
    from conslaw_cli.problems.problem import Problem

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
    write and read them and the number of known laws at each.

    Or of the network that --widths and the other flags describe.
    """
    if not any(way is not None for way in ways.values()):
        raise click.UsageError(f"Missing argument 'SPEC', or flags: {_ANOTHER}")
    problems = asked(_ANOTHER, **ways).problems
    if plot is not None:
        _draw(problems, plot, ways["spec"])
    if as_json:
        import json

        rows = [_as_json(problem) for problem in problems]
        click.echo(
            json.dumps(
                {"schema": "conslaw.describe/1", "results": rows}, indent=2, ensure_ascii=False
            )
        )
    else:
        click.echo("\n\n".join(map(_as_text, problems)))


def _draw(problems: Sequence[Problem], path: str, spec: str | None) -> None:
    """Write the picture of the one network there is."""
    from conslaw_cli.cli import outfile
    from conslaw_cli.formats import pictures

    pictures.suffix(path)
    outfile.check(path, spec, outfile.PICTURE)
    if len(problems) != 1:
        raise SpecError(f"--plot: expected one network to draw, got {len(problems)}")
    (problem,) = problems
    if problem.graph is None:
        raise SpecError(f"--plot: {problem.name} is no network, and has no graph to draw")
    from conslaw_cli.formats.pictures.network import network

    drawn = network(problem.name, problem.graph, _spaces(problem), path)
    outfile.save(path, drawn, outfile.PICTURE)


def _spaces(problem: Problem) -> list[Junction]:
    """Return the spaces of a network, with the laws of its flow."""
    if problem.graph is None:
        return []
    found, kept = problem.graph.junctions(problem.loss.zero_sum), problem.flow.kept
    laws = (tuple(kept(problem.architecture, each.families)) for each in found)
    return [each._replace(families=own) for each, own in zip(found, laws, strict=True)]


def _as_json(problem: Problem) -> dict[str, object]:
    architecture = problem.architecture
    pieces = [
        {"layer": what.strip(), "shape": shape, "parameters": n}
        for what, shape, n in architecture.outline()
    ]
    return {
        "name": problem.name,
        **architecture.describe(),
        **({"flow": problem.flow.describe()} if problem.other_flow else {}),
        "outline": pieces,
        **({} if architecture.graph is None else {"graph": str(architecture.graph)}),
        **({} if architecture.graph is None else {"spaces": _spaces_as_json(problem)}),
        "parameters": architecture.parameters,
    }


def _spaces_as_json(problem: Problem) -> list[dict[str, object]]:
    return [
        {
            "units": each.units,
            "values": each.values,
            "written_by": each.written,
            "read_by": each.read,
            "laws": sum(family.size for family in each.families),
            "formulas": [family.text for family in each.families],
        }
        for each in _spaces(problem)
    ]


def _as_text(problem: Problem) -> str:
    architecture = problem.architecture
    outline = [(what, shape, str(n)) for what, shape, n in architecture.outline()]
    outline.append(("total", "", str(architecture.parameters)))
    blocks = [problem.name + "\n" + _columns([("layer", "shape", "parameters"), *outline], 2)]
    if architecture.graph is not None:
        blocks += [str(architecture.graph), _spaces_as_text(problem)]
    return "\n\n".join(blocks)


def _spaces_as_text(problem: Problem) -> str:
    rows: list[tuple[str, ...]] = [
        ("space", "units", "values", "written by", "read by", "laws", "formulas")
    ]
    for number, each in enumerate(_spaces(problem), start=1):
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
