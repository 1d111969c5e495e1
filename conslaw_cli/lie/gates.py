"""Units with gates of their own, of which a few are as good as many (docs/any-width.md).

Where every value that leaves a unit has passed the unit's gate, probes with that gate closed do not
see the unit, at any point. So the Lie algebra of a network contains that of the network of some of
these units and everything else, at every θ, and if adding a unit adds one law, its own, then it
adds one forever.
"""

from __future__ import annotations

from collections.abc import Mapping

from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.units import Units


def enough(graph: Graph) -> Mapping[int, int]:
    """Return gated spaces, no two of them neighbours, with as many units as their neighbours' laws
    can tell apart: of those that have at least two more.
    """
    units, chosen = Units.of(graph), dict[int, int]()
    gated = {space: _neighbours(units, space) for space in _gated(graph, units)}
    sizes = {space: max(units.sizes[i] for i in beside) for space, beside in gated.items()}
    for space in sorted(gated, key=lambda i: (sizes[i] - units.sizes[i], i)):
        if units.sizes[space] > sizes[space] + 1 and not gated[space].intersection(chosen):
            chosen[space] = sizes[space]
    return chosen


def alone(graph: Graph) -> Mapping[int, int]:
    """Return gated spaces, no two of them neighbours, that have more than two units, with one."""
    units, chosen = Units.of(graph), dict[int, int]()
    for space in _gated(graph, units):
        if units.sizes[space] > 2 and not _neighbours(units, space).intersection(chosen):
            chosen[space] = 1
    return chosen


def _neighbours(units: Units, space: int) -> set[int]:
    """Return the spaces at the other ends of arrays, itself if an array joins two of its units; not
    the constant.
    """
    ends = [pair for pair in units.arrays if space in pair]
    beside = {a + b - space for a, b in ends}
    return {i for i in beside if units.openers[i]}


def _gated(graph: Graph, units: Units) -> list[int]:
    """Return the spaces whose units have gates of their own, and a law of their own."""
    own = [
        {(part.array, part.written) for part in form.parts}
        for form in graph.wiring(skips=True).forms()
        if form.kind == "diagonal"
    ]
    found = []
    for space, openers in enumerate(units.openers):
        ends = zip(graph.arrays, units.arrays, strict=True)
        sides = [(array.name, pair) for array, pair in ends if space in pair]
        law = {(name, written == space) for name, (_, written) in sides}
        loops = any(read == written for _, (read, written) in sides)
        if len(openers) == 1 and not loops and law in own and _behind_gates(graph, openers[0][0]):
            found.append(space)
    return found


def _behind_gates(graph: Graph, name: str) -> bool:
    """Whether a value is no end of the network, and all that read it are gates."""
    readers = [node.operation for node in graph.nodes if name in node.inputs]
    inner = name not in graph.outputs and all(name != each.name for each in graph.inputs)
    return inner and all(each.gated for each in readers)
