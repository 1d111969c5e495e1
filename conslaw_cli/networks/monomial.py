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

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import positions
from conslaw_cli.networks.operations.convolution import Averages, Gather, Grouped
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation
from conslaw_cli.networks.operations.product import Add
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.networks.plan import Step
from conslaw_cli.networks.units import Units

CONSTANT = -1
"""What biases are ways from."""
Ways = dict[int, bool]
"""The marked values that ways lead from, by their places: whether all entries have at most one way
on, and it has no weight.
"""


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
    if not _single(graph) or not _used(graph):
        return None
    units = Units.of(graph)
    ends = {*units.inputs, *units.outputs}
    inner = (i for i, openers in enumerate(units.openers) if openers and i not in ends)
    return sum(units.sizes[i] for i in inner)


def _single(graph: Graph) -> bool:
    """Whether there is at most one way between marked entries."""
    ways: list[Ways | None] = [{place: True} for place in range(len(graph.inputs))]
    for step in graph.steps:
        read = [ways[place] for place in step.inputs]
        ways.append(_on(step, [each for each in read if each is not None], len(read)))
    return all(each is not None for each in ways)


def _on(step: Step, read: Sequence[Ways], inputs: int) -> Ways | None:
    """Return the ways to what an operation gives; None if there are two to one entry."""
    if len(read) < inputs:
        return None
    operation, first = step.operation, read[0]
    if isinstance(operation, Activation):
        return {step.output: True} if operation.gated else first
    if isinstance(operation, Add):
        joined = [place for each in read for place in each]
        return (
            None if len(set(joined)) < len(joined) else {k: v for w in read for k, v in w.items()}
        )
    if isinstance(operation, Flat):
        return first
    if not all(first.values()):
        return None
    if isinstance(operation, Gather):
        return first if operation.even else None
    if isinstance(operation, Averages):
        apart = all(map(int.__ge__, operation.stride, operation.kernel))
        return first if apart else dict.fromkeys(first, False)
    if isinstance(operation, Linear | Grouped):
        bias = {CONSTANT: False} if operation.bias else {}
        return dict.fromkeys(first, False) | bias
    return None


def _used(graph: Graph) -> bool:
    """Whether every value and every weight is on a path to an output."""
    live: dict[int, NDArray[np.bool_]] = {}
    shapes = graph.plan.shapes
    for place, _ in graph.plan.outputs:
        live[place] = np.ones(positions(shapes[place]), np.bool_)
    for step in reversed(graph.steps):
        if step.output not in live:
            return False
        for place in step.inputs:
            read = _read(step, live[step.output], positions(shapes[place]))
            if read is None:
                return False
            live[place] = read | live.get(place, np.zeros_like(read))
    return all(place in live for place in range(len(graph.inputs)))


def _read(step: Step, live: NDArray[np.bool_], count: int) -> NDArray[np.bool_] | None:
    """Return which positions of what it reads an operation needs for live ones; None if some tap
    of a window is never needed.
    """
    operation = step.operation
    if isinstance(operation, Flat):
        return np.ones(count, np.bool_)
    if not isinstance(operation, Gather | Averages):
        return live
    index = operation.index[:, live]
    if not (index < count).any(axis=1).all():
        return None
    read = np.zeros(count + 1, np.bool_)
    read[index] = True
    return read[:-1]
