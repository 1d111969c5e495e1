"""φ written out, of chains of dense layers and of networks without gates: a component for every
monomial in the probe.

F is a sum over paths, each the product of its weights, of the gates it passes, of its input, unless
it begins at a bias, and of its output weight. Paths with the same gates, input and output have one
component: of a ReLU network every path is one, of a linear network the paths from an input to an
output are. So φ_ReLU is that of the paper, eq. (15), and φ of linear networks the product of the
matrices. A network that is no chain is an affine map of its inputs, if it has no gates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.rings import Exact, Sizes
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.chains import chain
from conslaw_cli.networks.graph import Graph

MAX_PATHS = 20_000
MAX_ENTRIES = 1_000
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
    """The map that a network is which is affine in its inputs, and has no gates: what unit vectors
    as inputs add at each output, and what zeros give.

    names: of the components; probes (d, 2, ·): for each component probes a, b with which it is
    ``F(θ; a) − F(θ; b)``.
    """

    graph: Graph
    names: tuple[str, ...]
    probes: Floats

    @classmethod
    def of(cls, graph: Graph, numbered: bool = False) -> Entries:
        """Return that of a network, without components that are 0. numbered: whether they are
        called φ[1], φ[2], … instead of by input and output.

        Raise SpecError for one that has gates, or is no affine map of its inputs, and for more than
        MAX_ENTRIES components.
        """
        if graph.state_size or not all(step.operation.linear for step in graph.steps):
            raise SpecError(
                "expected a chain of dense layers, each linear or with gates, or a network without"
                " gates, affine in its inputs: φ of others is not written out"
            )
        first, last = graph.input_size, graph.output_size
        if (count := (first + 1) * last) > MAX_ENTRIES:
            raise SpecError(f"expected a φ of at most {MAX_ENTRIES:,} components, got {count:,}")
        probes = np.zeros((first + 1, last, 2, first + last))
        probes[:first, :, 0, :first] = np.eye(first)[:, None]
        probes[:, :, 0, first:] = np.eye(last)
        probes[:first, :, 1, first:] = np.eye(last)
        every = cls(graph, (), probes.reshape(count, 2, first + last))
        moving = np.flatnonzero(every._differences(Sizes(), np.ones(graph.dimension)))
        names = [f"φ[{k + 1}]" for k in range(len(moving))] if numbered else _ends(graph)[moving]
        return cls(graph, tuple(names), every.probes[moving])

    def values(self, theta: Floats) -> Floats:
        """Return φ(θ), (d,)."""
        return self._differences(Exact(), theta)

    def jacobian(self, theta: Floats) -> Floats:
        """Return ∂φ(θ), (d, D)."""
        probes = self.probes.reshape(-1, self.graph.probe_size)
        weights = probes[:, self.graph.plan.drawn :]
        gradients = self.graph.gradient(Exact(), theta[None], probes, weights)
        pairs = gradients.reshape(len(self.probes), 2, -1)
        slopes: Floats = pairs[:, 0] - pairs[:, 1]
        return slopes

    def _differences(self, ring: Exact, theta: Floats) -> Floats:
        probes = self.probes.reshape(-1, self.graph.probe_size)
        constants = np.ones((1, self.graph.constants))  # whose values do not matter in sizes
        outputs = self.graph.forward(ring, theta[None], probes, constants)
        flat = np.concatenate([each.reshape(len(probes), -1) for each in outputs], axis=1)
        sums = (flat * probes[:, self.graph.plan.drawn :]).sum(axis=1).reshape(-1, 2)
        found: Floats = sums[:, 0] - sums[:, 1]
        return found

    def monomials(self) -> None:
        """Its components are not looked into."""
        return


def _ends(graph: Graph) -> NDArray[np.str_]:
    """Return the names of all components of an affine map: ``x[1]→y[2]``, ``1→y[2]``."""
    inputs, outputs = (
        [
            f"{name}[{','.join(str(i + 1) for i in place)}]"
            for name in names
            for place in np.ndindex(*graph.shapes[name])
        ]
        for names in ([each.name for each in graph.inputs], graph.outputs)
    )
    return np.array([f"{x}→{y}" for x in [*inputs, "1"] for y in outputs])


def written_out(graph: Graph, numbered: bool = False) -> Paths | Entries:
    """Return φ of a chain or of a network without gates, whose components may be numbered instead
    of named. Raise SpecError for another one, and for one that is too large.
    """
    return Entries.of(graph, numbered) if chain(graph) is None else paths(graph)


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
