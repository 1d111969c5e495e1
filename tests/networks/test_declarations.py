"""What operations say about themselves for chains and scopes, measured on their examples."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pytest

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.algebra.rings import Residues, ring
from conslaw_cli.networks.graph import Graph, Input
from conslaw_cli.networks.operation import Node, Operation, Read, Shape
from conslaw_cli.networks.operations import OPERATIONS

FIELD = PrimeField(8388593)
CASES = [(each, shapes) for kind in OPERATIONS for each, shapes in kind.examples()]
every_case = pytest.mark.parametrize(("operation", "shapes"), CASES, ids=str)


def alone(operation: Operation, shapes: tuple[Shape, ...]) -> Graph:
    inputs = tuple(Input(f"x{i}", shape) for i, shape in enumerate(shapes))
    symbols = tuple(symbol for symbol, _ in operation.parameters(*shapes))
    node = Node("y", operation, tuple(each.name for each in inputs), symbols)
    return Graph(inputs, (node,), ("y",))


def evaluated(graph: Graph, theta: Array, probe: Array) -> Array:
    (values,) = graph.forward(Residues(FIELD), theta[None], probe[None], None)
    result: Array = FIELD.reduce(values[0])
    return result


@every_case
def test_dense_layers_and_only_they_are_so_called(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    graph, rng = alone(operation, shapes), np.random.default_rng(0)
    theta = FIELD.random(rng, (graph.dimension,))
    probe = FIELD.random(rng, (graph.probe_size,))
    assert operation.dense is _affine(graph, theta, probe)


def _affine(graph: Graph, theta: Array, probe: Array) -> bool:
    """Whether the one operation of a graph is ``Uᵀx + b`` for all its parameters, by loops."""
    arrays, shape = graph.arrays, graph.inputs[0].shape
    units = arrays[0].shape[-1] if arrays else 0
    if [array.shape for array in arrays] not in (
        [(shape[0], units)],
        [(shape[0], units), (units,)],
    ):
        return False
    x = probe[: graph.input_size].reshape(shape[0], -1)
    given = evaluated(graph, theta, probe)
    for unit, place in np.ndindex(*given.shape):
        total = theta[shape[0] * units + unit] if len(arrays) > 1 else 0.0
        for i in range(shape[0]):
            total = (total + theta[i * units + unit] * x[i, place]) % FIELD.p
        if total % FIELD.p != given[unit, place] % FIELD.p:
            return False
    return True


@every_case
def test_what_is_idle_gives_what_it_reads(operation: Operation, shapes: tuple[Shape, ...]) -> None:
    graph, rng = alone(operation, shapes), np.random.default_rng(3)
    probe = FIELD.random(rng, (graph.probe_size,))
    given = evaluated(graph, FIELD.random(rng, (graph.dimension,)), probe).ravel()
    same = operation.output(*shapes) == shapes[0] and len(given) == graph.input_size
    read = probe[: graph.input_size]
    same = same and bool((given % FIELD.p == read % FIELD.p).all())
    assert operation.idle(*shapes) is same


@every_case
def test_gates_multiply_by_their_state_and_nothing_else_has_one(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    graph, rng = alone(operation, shapes), np.random.default_rng(1)
    assert operation.gated is (graph.state_size > 0)
    if operation.gated:
        probe = FIELD.random(rng, (graph.probe_size,))
        x, s = np.split(probe[: 2 * graph.input_size], 2)
        given = evaluated(graph, np.zeros(0), probe).ravel()
        assert (given % FIELD.p == x * s % FIELD.p).all()


@every_case
def test_generic_functions_are_those_that_no_equation_ties(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    """No polynomial of degree up to 3 ties argument, value and slope, as z h' = k h does for z^k
    and h' = h for e^z.
    """
    unary = len(shapes) == 1 and not operation.parameters(*shapes) and not operation.gated
    if not unary or operation.output(*shapes) != shapes[0]:
        assert not operation.generic
        return
    rng, samples = np.random.default_rng(2), []
    graph = alone(operation, shapes)
    for _ in range(60):
        z = FIELD.random(rng, (graph.input_size,))
        samples.append([z[0], *_first(graph, z)])
    monomials = [m for n in range(4) for m in combinations_with_replacement(range(3), n)]
    rows = np.array([[_product(sample, m) for m in monomials] for sample in samples])
    assert operation.generic is (FIELD.rank(FIELD.reduce(rows)) == len(monomials))


def _first(graph: Graph, z: Array) -> tuple[float, float]:
    """Return value and slope of the first entry in the direction of the first."""
    jets = np.zeros((1, graph.input_size, 2))
    jets[0, :, 0], jets[0, 0, 1] = z, 1
    (step, *_) = graph.steps
    shape = graph.inputs[0].shape
    x: Any = jets.reshape(1, shape[0], -1, 2)
    given = step.operation.forward(Read(ring(FIELD, 2), [x], [], None, [True]))
    return float(given[0, 0, 0, 0] % FIELD.p), float(given[0, 0, 0, 1] % FIELD.p)


def _product(sample: list[float], monomial: tuple[int, ...]) -> float:
    total = 1.0
    for place in monomial:
        total = total * sample[place] % FIELD.p
    return total
