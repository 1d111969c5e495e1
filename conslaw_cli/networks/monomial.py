"""Networks whose φ has monomials for components: every path has gates, inputs and outputs of its
own.

F is a sum over paths, each the product of the weights on it, of the gates that it passes, of its
input, if it does not begin at a bias, and its output weight. Call entries of inputs, of gated
values and of outputs *marked*. If between two marked entries, and from a bias to one, there is at
most one way, with at most one weight, then a path is known by the marked entries on it: distinct
paths have distinct monomials in the probe, and every component of φ is one product of weights.
docs/any-width.md has the laws of such networks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Flags, Ways, positions
from conslaw_cli.networks.plan import Step
from conslaw_cli.networks.units import Units

CONSTANT = -1
"""What biases are ways from."""
Places = frozenset[int]
"""Values, by their places."""
Marked = dict[int, Ways]
"""The marked values that ways lead from, by their places, and how."""


@lru_cache(maxsize=64)
def hidden_units(graph: Graph) -> int | None:
    """Return how many independent laws a network has by its paths: one for every unit that is
    neither input nor output. None if its φ is not known to be monomial, or if some weight is on no
    path.
    """
    states = [node.state for node in graph.nodes if node.state is not None]
    names = [name for node in graph.nodes for name in node.parameters]
    if states or graph.frozen or len(set(names)) < len(names):
        return None
    if not any(_single(graph, thin) and _used(graph, thin) for thin in (Places(), _thin(graph))):
        return None
    units = Units.of_rows(graph)
    ends = {*units.inputs, *units.outputs}
    inner = (i for i, openers in enumerate(units.openers) if openers and i not in ends)
    return sum(units.sizes[i] for i in inner)


def _thin(graph: Graph) -> Places:
    """Return the values whose windows overlap, on marked values that nothing else reads: there
    gates, or inputs, may be zero at all positions that are in several windows.
    """
    read = Counter([place for step in graph.steps for place in step.inputs])
    read.update(place for place, _ in graph.plan.outputs)
    marked = {step.output for step in graph.steps if step.operation.gated}
    marked.update(range(len(graph.inputs)))
    return Places(
        step.output
        for step in graph.steps
        if marked.issuperset(step.inputs) and read[step.inputs[0]] == 1 and _thins(graph, step)
    )


def _thins(graph: Graph, step: Step) -> bool:
    """Whether windows overlap, and each has a position of its own."""
    if step.operation.ways(Ways.ONCE) is not Ways.APART:
        return False
    here, before = (positions(graph.plan.shapes[i]) for i in (step.output, step.inputs[0]))
    return step.operation.lone(np.ones(here, np.bool_), before) is not None


def _single(graph: Graph, thin: Places) -> bool:
    """Whether there is at most one way between marked entries."""
    values: list[Marked] = [{place: Ways.ONCE} for place in range(len(graph.inputs))]
    for step in graph.steps:
        found = _on(step, [values[place] for place in step.inputs])
        if found is None:
            return False
        values.append(dict.fromkeys(found, Ways.ONCE) if step.output in thin else found)
    return True


def _on(step: Step, read: Sequence[Marked]) -> Marked | None:
    """Return the ways to what an operation gives; None if there are two to one entry."""
    if step.operation.gated:
        return {step.output: Ways.ONCE}
    biased = any(len(array.shape) == 1 for array, _ in step.arrays)
    found = Marked({CONSTANT: Ways.SINGLE} if biased else {})
    for place, ways in (pair for each in read for pair in each.items()):
        onward = step.operation.ways(ways)
        if onward is None or place in found:
            return None
        found[place] = onward
    return found


def _used(graph: Graph, thin: Places) -> bool:
    """Whether every value and every weight is on a path to an output."""
    live: dict[int, Flags] = {}
    shapes = graph.plan.shapes
    for place, _ in graph.plan.outputs:
        live[place] = np.ones(positions(shapes[place]), np.bool_)
    for step in reversed(graph.steps):
        if step.output not in live:
            return False
        for place in step.inputs:
            needed = step.operation.lone if step.output in thin else step.operation.needed
            read = needed(live[step.output], positions(shapes[place]))
            if read is None:
                return False
            live[place] = read | live.get(place, np.zeros_like(read))
    return all(place in live for place in range(len(graph.inputs)))
