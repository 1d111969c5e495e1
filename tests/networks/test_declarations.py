"""What operations say about themselves for chains and scopes, measured on their examples."""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import prod
from typing import Any

import numpy as np
import pytest

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.algebra.rings import Exact, Residues, ring
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Input, Node, Operation, Read, Shape, Ways
from conslaw_cli.networks.operations.listed import OPERATIONS

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


PRIMITIVES = {
    (step.operation, tuple(graph.plan.shapes[place] for place in step.inputs))
    for graph in (alone(*case) for case in CASES)
    for step in graph.steps
}
every_primitive = pytest.mark.parametrize(
    ("operation", "shapes"), sorted(PRIMITIVES, key=str), ids=str
)
STRICT = [Ways.ONCE, Ways.APART, Ways.SINGLE, None]
"""From what says most to what says nothing."""


def given(operation: Operation, inputs: list[Any], arrays: list[Any]) -> Any:
    """Return the output at inputs (batch, units, positions) and arrays without a batch; slopes are
    one.
    """
    state = np.ones_like(inputs[0]) if operation.gated else None
    read = Read(Exact(), inputs, [each[None] for each in arrays], state, [True] * 9)
    return operation.forward(read)


def of_shapes(shapes: tuple[Shape, ...], value: float, batch: int = 1) -> list[Any]:
    sizes = [(batch, shape[0], prod(shape[1:])) for shape in shapes]
    return [np.full(size, value, dtype=object if value == 0 else float) for size in sizes]


def arrays_of(operation: Operation, shapes: tuple[Shape, ...], weight: int, bias: int) -> list[Any]:
    each = [shape for _, shape in operation.parameters(*shapes)]
    return [np.full(s, weight if len(s) > 1 else bias, dtype=object) for s in each]


def marked(shape: Shape, ways: Ways, weight: int) -> list[Any]:
    """Return inputs (marks, units, positions) that come from marks in this way, as often as they
    can.
    """
    units, places = shape[0], prod(shape[1:])
    if ways is Ways.ONCE:
        return [np.eye(units * places, dtype=int).reshape(-1, units, places).astype(object)]
    if ways is Ways.SINGLE:
        return [np.full((1, units, places), weight, dtype=object)]
    turned = np.add.outer(np.arange(units), np.arange(places)) % units
    still = np.broadcast_to(np.arange(units)[:, None], (units, places))
    return [(np.arange(units)[:, None, None] == each).astype(object) for each in (turned, still)]


def measured(operation: Operation, shapes: tuple[Shape, ...], ways: Ways) -> Ways | None:
    """Return what the output says of inputs of which each in turn is marked in this way: all terms
    are positive, so that at weights 1 a value is a number of ways, and at weights 2 tells those
    with weights.
    """
    worst: Ways | None = Ways.ONCE
    for place, shape in enumerate(shapes):
        pairs = [*zip(marked(shape, ways, 1), marked(shape, ways, 2), strict=True)]
        for one, two in pairs:
            found = []
            for weight, marks in ((1, one), (2, two), (1, 2 * one)):
                inputs = of_shapes(shapes, 0, len(marks))
                inputs[place] = marks
                weights = arrays_of(operation, shapes, weight, 0)
                found.append(given(operation, inputs, weights) * operation.denominator)
            worst = max(worst, _told(*found), key=STRICT.index)
    return worst


def _told(once: Any, twice: Any, doubled: Any) -> Ways | None:
    if (doubled != 2 * once).any() or (once > 1).any() or (twice > 2 * once).any():
        return None
    if (twice > once).any() or (np.count_nonzero(once, axis=1) > 1).any():
        return Ways.SINGLE
    return Ways.APART if (np.count_nonzero(once, axis=(1, 2)) > 1).any() else Ways.ONCE


@every_primitive
def test_no_more_is_said_of_ways_than_holds(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    if operation.polynomial:
        for ways in Ways:
            told = STRICT.index(operation.ways(ways))
            assert told >= STRICT.index(measured(operation, shapes, ways))
        if operation.ways(Ways.ONCE) is not None:
            assert operation.ways(Ways.ONCE) is measured(operation, shapes, Ways.ONCE)
            bias = given(operation, of_shapes(shapes, 0), arrays_of(operation, shapes, 1, 1))
            assert (bias <= 1).all()
    else:
        assert {operation.ways(ways) for ways in Ways} == {None}


@every_primitive
def test_what_is_needed_of_inputs_is_what_moves_the_output(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    """None is said where some unit is zero at all places that count: weights of it are of none; and
    where these places are not tied together by units that are not zero at several of them.
    """
    inputs, arrays = of_shapes(shapes, 1.0), arrays_of(operation, shapes, 1, 1)
    before = given(operation, inputs, arrays)
    for live in [*np.eye(before.shape[2], dtype=bool), np.ones(before.shape[2], bool)]:
        used = (before[:, :, live] != 0).any(axis=0).astype(float)
        empty = not used.any(axis=1).all()
        tied = (np.linalg.matrix_power(used.T @ used, used.shape[1]) > 0).all()
        for number, shape in enumerate(shapes):
            needed = []
            for place in range(prod(shape[1:])):
                changed = of_shapes(shapes, 1.0)
                changed[number][:, :, place] = 2
                after = given(operation, changed, arrays)
                needed.append(bool((after != before)[:, :, live].any()))
            told = operation.needed(live, len(needed))
            assert (told is None) == (empty or not tied)
            assert told is None or told.tolist() == needed
