"""φ written out, of networks of linear layers and gates: a component for every monomial in the
probe.

F is a sum over paths, each the product of its weights, of the gates it passes, of its input, unless
it begins at a bias, and of its output weight. Paths with the same gates, input and output have one
component: of a ReLU network every path is one, of a linear network the paths from an input to an
output are. So φ_ReLU is that of the paper, eq. (15), and φ of linear networks the product of the
matrices. Of networks that are no chains, the monomials are found by computing with sets of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.rings import Exact
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.chains import chain
from conslaw_cli.networks.graph import Graph

MAX_PATHS = 20_000
MAX_MONOMIALS = 1_000
MAX_PROBES = 2**24
"""Numbers in all probes: 128 MiB."""
Floats = NDArray[np.float64]
Key = tuple[int | None, tuple[tuple[int, int], ...], int]
"""A component: the input its paths begin at, None for biases; the gated layers that they pass,
each with a unit; the output.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """The map φ: R^D → R^d.

    names: of the components; weights (paths, length): places in θ, D for none; components (paths,):
    which one a path belongs to. probes (d, 2, ·): for each component two, a and b, with which it is
    ``F(θ; a) + F(θ; b)``.
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
class Monomials:
    """The map φ of a network that F is multilinear in the probe of: a component for every monomial
    in the probe.

    names: of the components; probes (d, ·, ·): for each component those of which it is the sum of
    all ``F(θ; a)``.
    """

    graph: Graph
    names: tuple[str, ...]
    probes: Floats

    @classmethod
    def of(cls, graph: Graph, numbered: bool = False) -> Monomials:
        """Return that of a network. numbered: whether components are called φ[1], φ[2], … instead
        of by the input, the gates and the output of their monomials.

        Raise SpecError for a network with products or functions, and for more than MAX_MONOMIALS
        components.

        F is at the probe of ones at a monomial, and of zeros elsewhere, the sum of the components
        of all monomials that divide it. The matrix of this is unitriangular.
        """
        if not all(step.operation.linear for step in graph.steps):
            raise SpecError(
                "expected a network of linear layers and gates: φ of others is not written out"
            )
        if (size := graph.dimension + graph.probe_size) > MAX_PATHS:
            raise SpecError(
                f"expected at most {MAX_PATHS:,} parameters, inputs, gates and outputs of a network"
                f" whose φ is written out, got {size:,}"
            )
        found = sorted(_monomials(graph), key=lambda each: (len(each), sorted(each)))
        divides = np.array([[part <= each for part in found] for each in found], np.float64)
        solved = np.rint(np.linalg.inv(divides)) if found else divides
        most = int((solved != 0).sum(axis=1).max(initial=0))
        if len(found) * most * graph.probe_size > MAX_PROBES:
            raise SpecError(f"expected a φ of fewer components, got {len(found):,}")
        probes = np.zeros((len(found), most, graph.probe_size))
        for each, row in zip(probes, solved, strict=True):
            for probe, place in zip(each, np.flatnonzero(row), strict=False):
                probe[list(found[place])] = 1
                probe[graph.plan.drawn :] *= row[place]
        titles = [f"φ[{k + 1}]" for k in range(len(found))] if numbered else _titles(graph, found)
        return cls(graph, tuple(titles), probes)

    def values(self, theta: Floats) -> Floats:
        """Return φ(θ), (d,)."""
        probes = self.probes.reshape(-1, self.graph.probe_size)
        outputs = self.graph.forward(Exact(), theta[None], probes)
        flat = np.concatenate([each.reshape(len(probes), -1) for each in outputs], axis=1)
        sums = (flat * probes[:, self.graph.plan.drawn :]).sum(axis=1)
        found: Floats = sums.reshape(self.probes.shape[:2]).sum(axis=1)
        return found

    def jacobian(self, theta: Floats) -> Floats:
        """Return ∂φ(θ), (d, D)."""
        probes = self.probes.reshape(-1, self.graph.probe_size)
        weights = probes[:, self.graph.plan.drawn :]
        gradients = self.graph.gradient(Exact(), theta[None], probes, weights)
        slopes: Floats = gradients.reshape(*self.probes.shape[:2], -1).sum(axis=1)
        return slopes

    def monomials(self) -> None:
        """Its components are not looked into."""
        return


class _Support:
    """The monomials of a polynomial in the probe, as sets of places; numbers have one or none."""

    def __init__(self, monomials: frozenset[frozenset[int]]) -> None:
        self.monomials = monomials

    def __add__(self, other: Any) -> _Support:
        both = self.monomials | _support(other).monomials
        if len(both) > MAX_MONOMIALS:
            raise SpecError(f"expected a φ of at most {MAX_MONOMIALS:,} components, got more")
        return _Support(both)

    def __mul__(self, other: Any) -> _Support:
        pairs = [(a, b) for a in self.monomials for b in _support(other).monomials]
        if any(a & b for a, b in pairs):
            raise SpecError("expected gates that no path passes twice")
        return _Support(frozenset(a | b for a, b in pairs))

    __radd__, __rmul__ = __add__, __mul__


def _support(number: Any) -> _Support:
    if isinstance(number, _Support):
        return number
    return _Support(frozenset([frozenset[int]()] if number else []))


def _monomials(graph: Graph) -> frozenset[frozenset[int]]:
    """Return the monomials of F in the probe, as sets of places."""

    def vector(entries: Iterable[_Support]) -> Any:
        return np.array([*entries], object)[None]

    theta, constants = (vector([_support(1)] * size) for size in (graph.dimension, graph.constants))
    probe = vector(_Support(frozenset([frozenset([i])])) for i in range(graph.probe_size))
    outputs = graph.forward(Exact(), theta, probe, constants)
    weights = probe[0, graph.plan.drawn :]
    values = np.concatenate([output.ravel() for output in outputs])
    return sum((w * v for w, v in zip(weights, values, strict=True)), _support(0)).monomials


def _titles(graph: Graph, monomials: Sequence[frozenset[int]]) -> list[str]:
    """Return names of monomials: ``x[1]→h2[1]→y[2]``, ``1→y[2]``."""
    names = {place: name for name, place in graph.plan.places.items()}
    labels = [label for each in graph.inputs for label in _entries(graph, each.name)]
    states = {
        step.state.entries.start: names.get(step.output, f"gate {step.output}")
        for step in graph.steps
        if step.state is not None
    }
    for start in sorted(states):
        labels += _entries(graph, states[start])
    labels += [label for name in graph.outputs for label in _entries(graph, name)]
    first = graph.input_size
    return [
        "→".join(["1"] * (min(each) >= first) + [labels[i] for i in sorted(each)])
        for each in monomials
    ]


def _entries(graph: Graph, name: str) -> list[str]:
    """Return the names of the entries of a value."""
    return [
        f"{name}[{','.join(str(i + 1) for i in place)}]"
        for place in np.ndindex(*graph.shapes[name])
    ]


def written_out(graph: Graph, numbered: bool = False) -> Paths | Monomials:
    """Return φ of a network of linear layers and gates; where it is no chain, components may be
    numbered instead of named. Raise SpecError for another one, and for one that is too large.
    """
    return Monomials.of(graph, numbered) if chain(graph) is None else paths(graph)


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
    divide it; and one without the first factor of it, where all but this one are −1.
    """
    first, gates, output = key
    states = [step.state.entries.start for step in graph.steps if step.state is not None]
    marked = [] if first is None else [first]
    marked += [states[gate] + unit for gate, unit in gates]
    marked.append(graph.plan.drawn + output)
    probes = np.zeros((2, graph.probe_size))
    probes[0, marked], probes[1, marked[1:]] = 1, 1
    probes[1, graph.plan.drawn :] *= -1
    return probes
