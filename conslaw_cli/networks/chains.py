"""Chains of dense layers, read off graphs, and what is open between their φ and the network.

The gradients of the network itself span W_φ(θ) for linear networks and for two-layer networks whose
hidden neurons switch on pairwise distinct hyperplanes (arXiv 2307.00144, Theorem 2.14), which holds
for generic θ but where the input is one number and there are no biases: then all of them switch at
0. The theorem asks for a loss with condition (9); by a rotation of the outputs (lie/theorems/) it
covers cross-entropy as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Node
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation, Smooth

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


@dataclass(frozen=True, slots=True)
class Chain:
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


def chain(graph: Graph) -> Chain | None:
    """Return the chain that a graph is; None if it is anything else: the activation of a layer
    stands behind it, the last layer has none, no array is used twice or frozen.
    """
    nodes, used = graph.nodes, [name for node in graph.nodes for name in node.parameters]
    one = len(graph.inputs) == len(graph.outputs) == 1 and len(graph.inputs[0].shape) == 1
    before = [graph.inputs[0].name, *(node.name for node in nodes)]
    straight = all(node.inputs == (name,) for node, name in zip(nodes, before, strict=False))
    if not one or not straight or graph.outputs != (before[-1],):
        return None
    if graph.frozen or len(set(used)) < len(used) or not nodes[-1].parameters:
        return None
    if not all(map(_fits, (None, *nodes), nodes)):
        return None
    layers = [node.operation for node in nodes if isinstance(node.operation, Linear)]
    linear = tuple(bool(after.parameters) for node, after in pairwise(nodes) if node.parameters)
    widths = (*graph.inputs[0].shape, *(layer.units for layer in layers))
    return Chain(widths, linear, tuple(layer.bias for layer in layers))


def _fits(before: Node | None, node: Node) -> bool:
    """Whether it is a layer, or the activation of one."""
    if type(node.operation) is Linear:
        return True
    gate = isinstance(node.operation, Activation) and node.operation.gated
    return gate and node.state is None and before is not None and bool(before.parameters)


def scope(graph: Graph) -> str | None:
    """Return what is open between φ and the network's own gradients, as a sentence or two; None
    for nothing.
    """
    smooth = any(isinstance(node.operation, Smooth) for node in graph.nodes)
    said = (GENERIC if smooth else None, _of_gates(graph))
    return " ".join(filter(None, said)) or None


def _of_gates(graph: Graph) -> str | None:
    operations = (node.operation for node in graph.nodes)
    if not any(isinstance(each, Activation) and each.gated for each in operations):
        return None
    found = graph.chain
    if found is None:
        return FREE_GATES
    if found.widths[0] == 1 and not any(found.biased) and found.hidden > 1:
        return ONE_INPUT
    return DEEP_RELU if len(found.linear) > 1 else None
