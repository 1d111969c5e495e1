"""What theorems ask of a problem's structure: is it a chain of layers, is it a direct sum?"""

from __future__ import annotations

from collections.abc import Sequence

from conslaw_cli.families.mlp import MLP
from conslaw_cli.flows import System
from conslaw_cli.networks.chains import Chain, chain
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.problems.problem import Architecture, Loss, Problem

__all__ = ["Chain", "chain_of", "for_another", "network_of", "parts_of", "timeless_of"]


def chain_of(problem: Problem) -> Chain | None:
    """Return the chain of layers that a network is; None for anything else.

    Under cross-entropy it has one output less: the gradients of a softmax by the outputs sum to
    zero and span that hyperplane (arXiv 2307.00144, Remark B.6). Rotate the outputs by an
    orthogonal Q whose first column is constant: gradient flow is equivariant, and the first column
    of ``U_q Q`` (and of ``b_q Q``) meets no field at all. The rest is the same network with one
    output less under a loss with condition (9).
    """
    architecture = problem.architecture
    if isinstance(architecture, MLP):  # its graph takes longer than all that is asked of the chain
        found = architecture.chain
    else:
        graph = problem.graph
        found = None if graph is None else chain(graph)
    if found is None or problem.loss is not Loss.CROSS_ENTROPY:
        return found
    *inner, outputs = found.widths
    return found._replace(widths=(*inner, outputs - 1), unmoved=inner[-1] + found.biased[-1])


def network_of(problem: Problem) -> tuple[Graph, int] | None:
    """Return the network under a loss whose output gradients are free, and how many linear
    functions of θ stand still besides; None for a map of one's own, or where nothing moves.

    Under cross-entropy it has one output less, as a chain has: that takes one output, a dense layer
    with arrays of its own that nothing else reads.
    """
    graph = problem.graph
    if graph is None or problem.loss is not Loss.CROSS_ENTROPY:
        return None if graph is None else (graph, 0)
    last = next((node for node in graph.nodes if graph.outputs == (node.name,)), None)
    if last is None or type(last.operation) is not Linear or last.operation.units == 1:
        return None
    names = {name for node in graph.nodes if node is not last for name in node.parameters}
    read = any(last.name in node.inputs for node in graph.nodes)
    if read or graph.frozen.union(names).intersection(last.parameters):
        return None
    units = last.operation.units
    sizes = [array.size for array in graph.arrays if array.name in last.parameters]
    return graph.resized({last.name: units - 1}), sum(sizes) // units


def parts_of(problem: Problem) -> Sequence[tuple[Problem, int]]:
    """Return problems on disjoint parameters, and how often each occurs, whose direct sum this is:
    often just itself.
    """
    parts = getattr(problem.architecture, "parts", None)  # of families that may be direct sums
    if parts is None or problem.flow.dynamics.system is not System.GRADIENT:
        return [(problem, 1)]
    return [(Problem(part), count) for part, count in parts()]


def for_another(problem: Problem, architecture: Architecture) -> Problem | None:
    """Return the problem for a network with other numbers of units; None where the flow tells
    arrays apart and these are not called the same.
    """
    if not problem.flow.even_handed:
        from conslaw_cli.flows.names import Arrays  # most flows do without

        own, others = (Arrays.of(each).every for each in (problem.architecture, architecture))
        if [array.name for array in own] != [array.name for array in others]:
            return None
    return Problem(architecture, problem.flow)


def timeless_of(problem: Problem, laws: int) -> int | None:
    """Return how many of so many laws, all of them functions of the known ones, do not depend on
    time; None where a state has no time.
    """
    if not problem.flow.dynamics.clock:
        return None
    return max(0, laws - problem.flow.timed(problem.families() or ()))
