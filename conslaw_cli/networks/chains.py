"""Chains of dense layers, read off graphs, and what is open between their φ and the network.

The gradients of the network itself span W_φ(θ) for linear networks and for two-layer networks whose
hidden neurons switch on pairwise distinct hyperplanes (arXiv 2307.00144, Theorem 2.14), which holds
for generic θ but where the input is one number and there are no biases: then all of them switch at
0. The theorem asks for a loss with condition (9); by a rotation of the outputs (lie/theorems/) it
covers cross-entropy as well.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Node

DEEP_RELU = (
    "The count is that of φ_ReLU: that the gradients of the network itself span W_φ is proved for"
    " linear and two-layer ReLU networks and open for deeper ReLU networks (paper, section 2.4)."
)
FREE_GATES = (
    "The count is that of the φ whose gates are free factors; whether the gradients of the network"
    " itself span W_φ is not part of the count."
)
ONE_INPUT = (
    "The count is that of φ_ReLU: with one input and no biases all neurons switch where the input"
    " is 0, so at most two patterns of active neurons occur, and the network itself may conserve"
    " more than φ_ReLU does."
)
GENERIC = (
    "The count is that of a generic smooth activation: one in particular, such as exp or a power,"
    " may conserve more."
)


class Chain(NamedTuple):
    """Dense layers, each with parameters of its own, under a loss whose output gradients are free.

    widths: ``n_0, …, n_q`` from input to output; the output has width 0 where nothing moves.
    linear: for each hidden layer whether it is linear or positively homogeneous of degree one.
    biased: for each layer whether it has biases.
    unmoved: parameters beside those of the chain, linear functions of θ that no field moves.
    """

    widths: tuple[int, ...]
    linear: tuple[bool, ...]
    biased: tuple[bool, ...]
    unmoved: int = 0

    @property
    def hidden(self) -> int:
        """Number of hidden units; none of a chain without an output, where nothing moves."""
        return sum(self.widths[1:-1])

    @property
    def parameters(self) -> int:
        """Number of weights and biases that fields may move."""
        sizes = zip(pairwise(self.widths), self.biased, strict=True)
        return sum((a + bias) * b for (a, b), bias in sizes)


@lru_cache(maxsize=256)
def chain(graph: Graph) -> Chain | None:
    """Return the chain that a graph is; None if it is anything else: the activation of a layer
    stands behind it, the last layer has none, no array is used twice or frozen.
    """
    if not straight(graph):
        return None
    dense = [node.operation.dense for node in graph.nodes]
    if not (dense[0] and dense[-1]) or not all(map(operator.or_, dense, dense[1:])):
        return None
    layers = [node for node in graph.nodes if node.operation.dense]
    linear = tuple(after for layer, after in pairwise(dense) if layer)
    widths = (*graph.inputs[0].shape, *(graph.shapes[layer.name][0] for layer in layers))
    return Chain(widths, linear, tuple(len(layer.parameters) > 1 for layer in layers))


def straight(graph: Graph) -> bool:
    """Whether dense layers and gates, in any order, lead from one vector to one, each array in one
    place and trained, each gate with slopes of its own.
    """
    nodes, used = graph.nodes, [name for node in graph.nodes for name in node.parameters]
    if len(graph.inputs) > 1 or len(graph.inputs[0].shape) > 1 or graph.frozen:
        return False
    before = [graph.inputs[0].name, *(node.name for node in nodes)]
    return (
        graph.outputs == (before[-1],)
        and len(set(used)) == len(used)
        and all(node.inputs == (name,) for node, name in zip(nodes, before, strict=False))
        and all(_fits(node) for node in nodes)
    )


def _fits(node: Node) -> bool:
    return node.operation.dense or (node.operation.gated and node.state is None)


def scope(graph: Graph) -> str | None:
    """Return what is open between φ and the network's own gradients, as a sentence or two; None
    for nothing.
    """
    if (found := chain(graph)) is not None:
        return scope_of_chain(found)
    generic = any(node.operation.generic for node in graph.nodes)
    gated = any(node.operation.gated for node in graph.nodes)
    said = (GENERIC if generic else None, FREE_GATES if gated else None)
    return " ".join(filter(None, said)) or None


def scope_of_chain(chain: Chain) -> str | None:
    """Return the same of a chain of dense layers."""
    if all(chain.linear):
        return None
    if chain.widths[0] == 1 and not any(chain.biased) and chain.hidden > 1:
        return ONE_INPUT
    return DEEP_RELU if len(chain.linear) > 1 else None
