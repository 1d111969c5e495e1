"""What theorems ask of a problem's structure: is it a chain of layers, is it a direct sum?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from conslaw_cli.families.layers import Layers
from conslaw_cli.families.mlp import MLP
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.networks.operations.elementwise import ACTIVATIONS, LINEAR
from conslaw_cli.problems import Loss, Problem


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


def chain_of(problem: Problem) -> Chain | None:
    """Return the chain of layers that a network is; None for anything else.

    Under cross-entropy it has one output less: the gradients of a softmax by the outputs sum to
    zero and span that hyperplane (arXiv 2307.00144, Remark B.6). Rotate the outputs by an
    orthogonal Q whose first column is constant: gradient flow is equivariant, and the first column
    of ``U_q Q`` (and of ``b_q Q``) meets no field at all. The rest is the same network with one
    output less under a loss with condition (9).
    """
    network = problem.architecture
    if isinstance(network, Layers):
        network = network.mlp() or network
    if not isinstance(network, MLP) or not set(network.activations) <= set(ACTIVATIONS):
        return None
    linear = tuple(a in LINEAR for a in network.activations)
    biased = (*(network.bias is not False for _ in linear), network.bias == "all")
    if problem.loss is not Loss.CROSS_ENTROPY:
        return Chain(network.widths, linear, biased)
    *inner, outputs = network.widths
    return Chain((*inner, outputs - 1), linear, biased, inner[-1] + biased[-1])


def parts_of(problem: Problem) -> Sequence[tuple[Problem, int]]:
    """Return problems on disjoint parameters, and how often each occurs, whose direct sum this is:
    often just itself.
    """
    parts = getattr(problem.architecture, "parts", None)  # of families that may be direct sums
    if parts is None or problem.flow != GRADIENT:
        return [(problem, 1)]
    return [(Problem(part), count) for part, count in parts()]
