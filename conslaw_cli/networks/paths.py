"""φ of a chain of dense layers, written out: a component for every monomial in the probe.

F is a sum over paths, each the product of its weights, of the gates it passes, of its input, unless
it begins at a bias, and of its output weight. Paths with the same gates, input and output have one
component: of a ReLU network every path is one, of a linear network the paths from an input to an
output are. So φ_ReLU is that of the paper, eq. (15), and φ of linear networks the product of the
matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.rings import Exact
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.chains import chain
from conslaw_cli.networks.graph import Graph

MAX_PATHS = 20_000
Floats = NDArray[np.float64]
Key = tuple[int | None, tuple[tuple[int, int], ...], int]
"""A component: the input its paths begin at, None for biases; the gated layers that they pass,
each with a unit; the output.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """The map φ: R^D → R^d.

    names: of the components; weights (paths, length): places in θ, D for none; components (paths,):
    which one a path belongs to. probes (d, 2, ·): for each component probes a, b with which it is
    ``F(θ; a) − F(θ; b)``.
    """

    names: tuple[str, ...]
    dimension: int
    weights: NDArray[np.intp]
    components: NDArray[np.intp]
    probes: Floats

    def values(self, theta: Floats) -> Floats:
        """Return φ(θ), (d,)."""
        products = np.append(theta, 1.0)[self.weights].prod(axis=1)
        return np.bincount(self.components, products, len(self.names)).astype(np.float64)

    def jacobian(self, theta: Floats) -> Floats:
        """Return ∂φ(θ), (d, D)."""
        factors = np.append(theta, 1.0)[self.weights].T
        before, behind = np.ones_like(factors), np.ones_like(factors)
        np.cumprod(factors[:-1], axis=0, out=before[1:])
        np.cumprod(factors[:0:-1], axis=0, out=behind[-2::-1])
        shape = len(self.names), self.dimension + 1
        places = np.ravel_multi_index((self.components, self.weights.T), shape)
        found = np.bincount(places.ravel(), (before * behind).ravel(), shape[0] * shape[1])
        return found.reshape(shape)[:, :-1].astype(np.float64)

    def monomials(self) -> list[tuple[int, ...]] | None:
        """Return the weights of each component, if every one has a single path."""
        if len(self.components) > len(self.names):
            return None
        return [tuple(e for e in row if e < self.dimension) for row in self.weights.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The map that a network is which is linear in its inputs, and has no gates: what unit vectors
    as inputs give at each output.

    names: of the components; probes (d, 1, ·): a unit vector and an output each.
    """

    graph: Graph
    names: tuple[str, ...]
    probes: Floats

    @classmethod
    def of(cls, graph: Graph) -> Entries:
        """Return that of a network."""
        first, last = np.eye(graph.input_size), np.eye(graph.output_size)
        probes = np.array([[np.concatenate([x, y])] for x in first for y in last])
        return cls(graph, tuple(f"φ[{i}]" for i in range(1, len(probes) + 1)), probes)

    def values(self, theta: Floats) -> Floats:
        """Return φ(θ), (d,)."""
        probes = self.probes[:, 0]
        outputs = self.graph.forward(Exact(), theta[None], probes)
        flat = np.concatenate([each.reshape(len(probes), -1) for each in outputs], axis=1)
        found: Floats = (flat * probes[:, self.graph.plan.drawn :]).sum(axis=1)
        return found

    def jacobian(self, theta: Floats) -> Floats:
        """Return ∂φ(θ), (d, D)."""
        probes = self.probes[:, 0]
        weights = probes[:, self.graph.plan.drawn :]
        return self.graph.gradient(Exact(), theta[None], probes, weights)

    def monomials(self) -> None:
        """Its components are not looked into."""
        return


class _Layer(NamedTuple):
    """A dense layer: where its arrays begin in θ, what they are called, its units, and the number
    of the gates behind it, if there are some.
    """

    weight: int
    bias: int | None
    names: Sequence[str]
    units: int
    gates: int | None


def paths(graph: Graph) -> Paths:
    """Return φ of a chain. Raise SpecError for another graph, and for more than MAX_PATHS paths."""
    layers, inputs = _layers(graph), graph.inputs[0].shape[0]
    if (count := path_count(graph)) > MAX_PATHS:
        raise SpecError(f"expected a φ of at most {MAX_PATHS:,} paths, got {count:,}")
    found = dict[Key, list[tuple[int, ...]]]()
    for key, weights in _walks(inputs, layers):
        found.setdefault(key, []).append(weights)
    every = [weights for each in found.values() for weights in each]
    table = np.full((len(every), len(layers)), graph.dimension, np.intp)
    for row, weights in zip(table, every, strict=True):
        row[: len(weights)] = weights
    numbers = np.repeat(np.arange(len(found)), [len(each) for each in found.values()])
    names = graph.parameter_names()
    titles = [
        "·".join(names[e] for e in each[0]) if len(each) == 1 else _title(key, graph, layers)
        for key, each in found.items()
    ]
    probes = np.array([_probes(graph, key) for key in found])
    return Paths(tuple(titles), graph.dimension, table, numbers, probes)


def path_count(graph: Graph) -> int:
    """Return how many paths lead from inputs and biases to outputs. Raise SpecError as
    :func:`paths` does for a graph that is no chain.
    """
    count = graph.inputs[0].shape[0]
    for layer in _layers(graph):
        count = (count + (layer.bias is not None)) * layer.units
    return count


def _layers(graph: Graph) -> list[_Layer]:
    if chain(graph) is None:
        raise SpecError(
            "expected a chain of dense layers, each linear or with gates, whose φ is written out by"
            " its paths"
        )
    starts = {array.name: array.entries.start for array in graph.arrays}
    found, gates = list[_Layer](), 0
    for node in graph.nodes:
        if node.operation.dense:
            weight, *bias = (starts[name] for name in node.parameters)
            units = graph.shapes[node.name][0]
            found.append(_Layer(weight, bias[0] if bias else None, node.parameters, units, None))
        elif node.operation.gated:
            found[-1], gates = found[-1]._replace(gates=gates), gates + 1
    return found


def _walks(inputs: int, layers: Sequence[_Layer]) -> Iterator[tuple[Key, tuple[int, ...]]]:
    """Yield every path from an input or a bias to an output: its component and its weights."""
    walks: list[tuple[Key, tuple[int, ...]]] = [((i, (), i), ()) for i in range(inputs)]
    for layer in layers:
        longer = [
            ((first, gates, j), (*weights, layer.weight + unit * layer.units + j))
            for (first, gates, unit), weights in walks
            for j in range(layer.units)
        ]
        if layer.bias is not None:
            longer += [((None, (), j), (layer.bias + j,)) for j in range(layer.units)]
        if layer.gates is not None:
            longer = [
                ((first, (*gates, (layer.gates, unit)), unit), weights)
                for (first, gates, unit), weights in longer
            ]
        walks = longer
    yield from walks


def _title(key: Key, graph: Graph, layers: Sequence[_Layer]) -> str:
    """Return the name of a component of several paths: what these have in common."""
    first, gates, output = key
    behind = {layer.gates: number for number, layer in enumerate(layers, start=1)}
    passed = [f"h{behind[gate]}[{unit + 1}]" for gate, unit in gates]
    begin = "1" if first is None else f"{graph.inputs[0].name}[{first + 1}]"
    return "→".join([begin, *passed, f"{graph.outputs[0]}[{output + 1}]"])


def _probes(graph: Graph, key: Key) -> Floats:
    """Return the probes (2, ·) of a component: one where its monomial is 1, and all those are that
    divide it; and one without the first factor of it, where all but this one still are.
    """
    first, gates, output = key
    states = [step.state.entries.start for step in graph.steps if step.state is not None]
    marked = [] if first is None else [first]
    marked += [states[gate] + unit for gate, unit in gates]
    marked.append(graph.plan.drawn + output)
    probes = np.zeros((2, graph.probe_size))
    probes[0, marked], probes[1, marked[1:]] = 1, 1
    return probes
