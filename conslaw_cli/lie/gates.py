"""Units with gates of their own, of which a few are as good as many (docs/any-width.md).

Where every value that leaves a unit has passed a gate of the unit's, probes with its gates closed
do not see the unit, at any point. So the Lie algebra of a network contains that of the network of
some of these units and everything else, at every θ, and if adding a unit adds no law but its own,
then it adds these forever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Form
from conslaw_cli.networks.operations.product import Multiply
from conslaw_cli.networks.units import Ends, Sizes, Units


class Few(NamedTuple):
    """Of a gated space: as many units as its neighbours' laws can tell apart, and how many laws of
    its own each unit has.
    """

    units: int
    laws: int


def enough(graph: Graph, sizes: Sizes) -> Mapping[int, Few]:
    """Return gated spaces, no two of them neighbours, that have at least two units more than their
    neighbours' laws can tell apart: those of a gated one are told apart by one unit, and an input
    or an output has none. sizes: numbers of units.
    """
    units, chosen = Units.of(graph), dict[int, Few]()
    gated = dict(_gated(graph, units))
    beside = {space: _neighbours(units, space) for space in gated}
    simple = {*gated, *units.inputs, *units.outputs}
    least = {
        space: max((sizes[i] for i in spaces - simple), default=1)
        for space, spaces in beside.items()
    }
    for space in sorted(gated, key=lambda i: (least[i] - sizes[i], i)):
        if sizes[space] > least[space] + 1 and not beside[space].intersection(chosen):
            chosen[space] = Few(least[space], gated[space])
    return chosen


def alone(graph: Graph) -> Mapping[int, Few]:
    """Return gated spaces, no two of them neighbours, that have more than two units, with one."""
    units, chosen = Units.of(graph), dict[int, Few]()
    for space, laws in _gated(graph, units):
        if units.sizes[space] > 2 and not _neighbours(units, space).intersection(chosen):
            chosen[space] = Few(1, laws)
    return chosen


def _neighbours(units: Units, space: int) -> set[int]:
    """Return the spaces at the other ends of arrays; not the constant."""
    ends = [each for each in units.arrays if space in (each.read, each.written)]
    beside = {each.read + each.written - space for each in ends if not each.within}
    return {i for i in beside if units.openers[i]}


def _gated(graph: Graph, units: Units) -> list[tuple[int, int]]:
    """Return the spaces whose units have gates and laws of their own, and how many of these."""
    forms = list(graph.wiring(skips=True).forms())
    found = []
    for space, openers in enumerate(units.openers):
        inner = openers and space not in (*units.inputs, *units.outputs)
        loops = any(each.read == each.written == space and not each.within for each in units.arrays)
        if inner and not loops and _behind_gates(graph, units, space):
            laws = _own(graph, units, space, forms)
            found += [(space, laws)] if laws else []
    return found


def _behind_gates(graph: Graph, units: Units, space: int) -> bool:
    """Whether all that is written to a space, and that groups make of it there, leaves it through
    gates.
    """
    ends, bare = _ends(graph, units), set[str]()
    for node in graph.nodes:
        reads = [name in bare for name in node.inputs]
        sides = [ends[name] for name in node.parameters]
        if not sides:
            through = all if isinstance(node.operation, Multiply) else any
            bare |= {node.name} if through(reads) and not node.operation.gated else set()
        elif any(reads) and not sides[0].within:
            return False
        elif any(reads) or any(side.written == space and not side.within for side in sides):
            bare.add(node.name)
    return bare.isdisjoint(graph.outputs)


def _own(graph: Graph, units: Units, space: int, forms: Sequence[Form]) -> int | None:
    """Return how many laws of its own a unit of a space has: those of units by themselves, which
    are independent if each matrix of laws has an array that no other has, with a row of parameters
    for each that are laws together. None if other laws are of the space as well.
    """
    ends, mine = _ends(graph, units), list[Form]()
    for form in forms:
        sides = {ends[part.array][part.written] for part in form.parts}
        if space in sides:
            mine.append(form)
            if sides != {space} or form.kind not in ("diagonal", "blocks"):
                return None
    uses = Counter(part.array for form in mine for part in form.parts)
    for form in mine:
        free = [part for part in form.parts if uses[part.array] == 1 and not part.linear]
        free = [part for part in free if not part.skip and not ends[part.array].within]
        if max((part.width for part in free), default=0) < max(form.within, default=1):
            return None
    return sum(form.size for form in mine) // units.sizes[space]


def _ends(graph: Graph, units: Units) -> dict[str, Ends]:
    return dict(zip((array.name for array in graph.arrays), units.arrays, strict=True))
