"""Architectures as functions of θ and data, in floats, with their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple, Protocol

import numpy as np

from conslaw_cli.errors import SpecError
from conslaw_cli.families.attention import Attention
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.networks.graph import Graph
from conslaw_cli.problems.problem import Problem
from conslaw_cli.simulation.formulas import Formula
from conslaw_cli.simulation.integrator import Vector

Shape = tuple[int, ...]
Pull = Callable[[Vector], Vector]
"""Takes gradients of a loss by the outputs (samples, outputs) to that by θ (D,), summed up."""

TOKENS = 3
"""Vectors in an input of an attention layer, where data are drawn."""


class Named(NamedTuple):
    """An array by its name, as files of data have it."""

    name: str
    shape: Shape

    @property
    def size(self) -> int:
        """Its entries."""
        return prod(self.shape)


class Model(Protocol):
    """A map from θ and samples to outputs."""

    @property
    def arrays(self) -> Sequence[Named]:
        """The parameters, as θ has them, one array behind the other."""
        ...

    @property
    def constants(self) -> Sequence[Named]:
        """Arrays that training does not move."""
        ...

    @property
    def inputs(self) -> Sequence[Named]:
        """The inputs of one sample; none of a φ, which has one sample without inputs."""
        ...

    @property
    def outputs(self) -> int:
        """Numbers that the outputs of one sample hold."""
        ...

    def evaluated(self, theta: Vector, fixed: Vector, inputs: Vector) -> tuple[Vector, Pull]:
        """Return the outputs (samples, outputs) for θ (D,), constants and inputs (samples, ·), one
        behind the other, and how gradients go back.
        """
        ...

    def gated(self, theta: Vector, fixed: Vector, inputs: Vector) -> Vector | None:
        """Return inputs at which its gates are those at θ, whatever θ they are evaluated at; None
        where it has no gates.
        """
        ...


def model_of(problem: Problem) -> Model:
    """Return what is trained. Raise SpecError for fields of one's own, which are no gradients."""
    architecture, graph = problem.architecture, problem.graph
    if isinstance(architecture, Attention):
        return SelfAttention(architecture)
    if isinstance(architecture, CustomMap):
        return Entries(Network(graph)) if graph is not None else Phi.of(architecture)
    if graph is None:
        raise SpecError(
            f"{problem.name}: vector fields of one's own are no gradients of a loss, and there is"
            " nothing to train: expected a network or a φ"
        )
    return Network(graph)


@dataclass(frozen=True, slots=True)
class Network:
    """A graph of operations: the network itself, not the one of free gates."""

    graph: Graph

    @property
    def arrays(self) -> Sequence[Named]:
        """Those that training moves."""
        return [Named(a.name, a.shape) for a in self.graph.trained]

    @property
    def constants(self) -> Sequence[Named]:
        """The frozen ones."""
        return [Named(a.name, a.shape) for a in self.graph.arrays if not a.trainable]

    @property
    def inputs(self) -> Sequence[Named]:
        """Those of the graph."""
        return [Named(each.name, each.shape) for each in self.graph.inputs]

    @property
    def outputs(self) -> int:
        """Those of the graph."""
        return self.graph.output_size

    def evaluated(self, theta: Vector, fixed: Vector, inputs: Vector) -> tuple[Vector, Pull]:
        """Evaluate it; back-propagation by the operations' own pullbacks."""
        outputs, pulled = self.graph.realised(theta[None], inputs, fixed[None])
        return outputs, lambda weights: pulled(weights).sum(axis=0)

    def gated(self, theta: Vector, fixed: Vector, inputs: Vector) -> Vector | None:
        """Return inputs with slopes behind them."""
        if not self.graph.state_size:
            return None
        own = inputs[:, : self.graph.input_size]
        return self.graph.gated(theta[None], own, fixed[None])


@dataclass(frozen=True, slots=True)
class Entries:
    """A φ that is a linear network: its entries, the outputs for unit vectors as inputs."""

    network: Network

    @property
    def arrays(self) -> Sequence[Named]:
        """The network's."""
        return self.network.arrays

    @property
    def constants(self) -> Sequence[Named]:
        """The network's."""
        return self.network.constants

    @property
    def inputs(self) -> Sequence[Named]:
        """None."""
        return ()

    @property
    def outputs(self) -> int:
        """One for each input and output."""
        return self.network.graph.input_size * self.network.outputs

    def evaluated(self, theta: Vector, fixed: Vector, inputs: Vector) -> tuple[Vector, Pull]:
        """Evaluate the network at all unit vectors."""
        units = np.eye(self.network.graph.input_size)
        entries, pulled = self.network.evaluated(theta, fixed, units)
        return entries.reshape(1, -1), lambda weights: pulled(weights.reshape(entries.shape))

    def gated(self, theta: Vector, fixed: Vector, inputs: Vector) -> None:
        """It has no gates."""
        return


@dataclass(frozen=True, slots=True)
class Phi:
    """A φ of formulas; under cross-entropy the differences of its outputs that its laws are of."""

    formula: Formula
    arrays: Sequence[Named]
    constants: Sequence[Named]

    @classmethod
    def of(cls, phi: CustomMap) -> Phi:
        """Return that of a map."""
        names = phi.names
        arrays, constants = (
            [Named(*each) for each in every] for every in (names.state, names.constants)
        )
        return cls(Formula(phi.algebraic().graph), arrays, constants)

    @property
    def inputs(self) -> Sequence[Named]:
        """None."""
        return ()

    @property
    def outputs(self) -> int:
        """Its components."""
        return len(self.formula)

    def evaluated(self, theta: Vector, fixed: Vector, inputs: Vector) -> tuple[Vector, Pull]:
        """Evaluate the components."""
        point = np.concatenate([theta, fixed])
        values = self.formula.values(point)
        components = np.array([self.formula.components(values)])
        return components, lambda w: self.formula.gradient(values, w[0])[: len(theta)]

    def gated(self, theta: Vector, fixed: Vector, inputs: Vector) -> None:
        """It has no gates."""
        return


@dataclass(frozen=True, slots=True)
class SelfAttention:
    """``Y = Σ_h softmax(X Q_h K_h Xᵀ) X V_h O_h`` on inputs X of a few vectors: the layer whose
    reparametrisation is counted.
    """

    layer: Attention

    @property
    def arrays(self) -> Sequence[Named]:
        """Q1, K1, V1, O1, Q2, …"""
        return Network(self.layer.graph).arrays

    @property
    def constants(self) -> Sequence[Named]:
        """None."""
        return ()

    @property
    def inputs(self) -> Sequence[Named]:
        """X."""
        return (Named("x", (TOKENS, self.layer.dim)),)

    @property
    def outputs(self) -> int:
        """Those of Y."""
        return TOKENS * self.layer.dim

    def evaluated(self, theta: Vector, fixed: Vector, inputs: Vector) -> tuple[Vector, Pull]:
        """Evaluate the layer, head by head."""
        x = inputs.reshape(len(inputs), TOKENS, self.layer.dim)
        heads = [_Head(x, *each) for each in self._matrices(theta)]
        outputs = np.sum([head.output for head in heads], axis=0)

        def pull(weights: Vector) -> Vector:
            by_output = weights.reshape(outputs.shape)
            return np.concatenate([part for head in heads for part in head.gradient(by_output)])

        return outputs.reshape(len(x), -1), pull

    def gated(self, theta: Vector, fixed: Vector, inputs: Vector) -> None:
        """It has no gates."""
        return

    def _matrices(self, theta: Vector) -> Sequence[Sequence[Vector]]:
        ends = np.cumsum([array.size for array in self.arrays])[:-1]
        parts = zip(np.split(theta, ends), self.arrays, strict=True)
        matrices = [part.reshape(array.shape) for part, array in parts]
        return [matrices[start : start + 4] for start in range(0, len(matrices), 4)]


class _Head:
    """One head on samples x (samples, tokens, dim)."""

    def __init__(self, x: Vector, q: Vector, k: Vector, v: Vector, o: Vector) -> None:
        self.x, self.v, self.o = x, v, o
        self.queries, self.keys = x @ q, x @ k.T
        scores = self.queries @ self.keys.swapaxes(1, 2)
        powers = np.exp(scores - scores.max(axis=2, keepdims=True))
        self.weights = powers / powers.sum(axis=2, keepdims=True)
        self.mixed = self.weights @ x
        self.output = self.mixed @ v @ o

    def gradient(self, by_output: Vector) -> Sequence[Vector]:
        """Return the gradients by Q, K, V and O, flat, for that by the output."""
        back = by_output @ self.o.T
        by_weights = back @ self.v.T @ self.x.swapaxes(1, 2)
        mean = (by_weights * self.weights).sum(axis=2, keepdims=True)
        by_scores = self.weights * (by_weights - mean)
        parts = (
            (self.x, by_scores @ self.keys),
            (by_scores.swapaxes(1, 2) @ self.queries, self.x),
            (self.mixed, back),
            (self.mixed @ self.v, by_output),
        )
        return [np.tensordot(a, b, axes=((0, 1), (0, 1))).ravel() for a, b in parts]
