"""Degrees of values: where a graph has some, scaling is undone by the probe, exactly."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import numpy as np
import oracle_layers
import pytest
from graphs import FUNCTIONS, NAMED, random_graphs
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Poly

from conslaw_cli.algebra.field import PrimeField
from conslaw_cli.algebra.rings import Residues
from conslaw_cli.families.layers import Branch, Layers
from conslaw_cli.networks.degrees import scaling
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Input, Node, Operation, Shape
from conslaw_cli.networks.operations.convolution import Convolution
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation
from conslaw_cli.networks.operations.listed import OPERATIONS

FIELD = PrimeField(8388593)
CASES = [(each, shapes) for kind in OPERATIONS for each, shapes in kind.examples()]
THOROUGH = settings(max_examples=200, deadline=None)


def undone(graph: Graph, seed: int) -> bool:
    """Whether ``F(cθ; a') = c^k F(θ; a)`` for the probe a' that the degrees say."""
    found, draw = scaling(graph.plan), np.random.default_rng(seed)
    assert found is not None
    degrees = [*found.inputs, *found.states.values(), found.output]
    root = int(FIELD.random(draw, (1,))[0])
    common = lcm(*(degree.denominator for degree in degrees))

    def factor(degree: Fraction) -> int:
        return pow(root, int(degree * common) % (FIELD.p - 1), FIELD.p)

    theta = FIELD.random(draw, (1, graph.dimension))
    probe = FIELD.random(draw, (2, graph.probe_size))
    constants = FIELD.random(draw, (1, graph.constants))
    factors, start = np.ones(graph.probe_size), 0
    for each, degree in zip(graph.inputs, found.inputs, strict=True):
        stop = start + int(np.prod(each.shape))
        factors[start:stop] = factor(degree)
        start = stop
    for step in graph.steps:
        if step.state is not None:
            slot = step.state.entries
            factors[slot] = factor(found.states[slot.start])
    before = graph.forward(Residues(FIELD), theta, probe, constants)
    after = graph.forward(
        Residues(FIELD),
        FIELD.reduce(factor(Fraction(1)) * theta),
        FIELD.reduce(factors * probe),
        constants,
    )
    scaled = [FIELD.reduce(factor(found.output) * value) for value in before]
    return all((a == FIELD.reduce(b)).all() for a, b in zip(scaled, after, strict=True))


def around(operation: Operation, shapes: tuple[Shape, ...]) -> Graph:
    """Return the operation behind a convolution of each input, where those have parameters, and the
    inputs, so that values of degree other than 0 reach it.
    """
    inputs = tuple(Input(f"x{i}", shape) for i, shape in enumerate(shapes, start=1))
    nodes = [
        Node(f"h{i}", Linear(shape[0]) if len(shape) == 1 else one(shape), (f"x{i}",), (f"W{i}",))
        for i, shape in enumerate(shapes, start=1)
    ]
    symbols = [symbol for symbol, _ in operation.parameters(*shapes)]
    read = tuple(node.name for node in nodes)
    return Graph(inputs, (*nodes, Node("y", operation, read, tuple(symbols))), ("y",))


def one(shape: Shape) -> Convolution:
    return Convolution(shape[0], (1,) * (len(shape) - 1), (1,) * (len(shape) - 1))


@pytest.mark.parametrize(("operation", "shapes"), CASES, ids=str)
def test_what_an_operation_says_of_scalings_holds(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    graph = around(operation, shapes)
    assert graph.homogeneous  # inputs of any degree: nothing here forbids one
    assert undone(graph, 0)


@pytest.mark.parametrize("name", [*NAMED, *FUNCTIONS])
def test_named_graphs(name: str) -> None:
    graph = Graph.parse({**NAMED, **FUNCTIONS}[name])
    assert not graph.homogeneous or undone(graph, 1)


@THOROUGH
@given(random_graphs(functions=True), st.integers(0, 10**6))
def test_random_graphs(graph: Graph, seed: int) -> None:
    assert not graph.homogeneous or undone(graph, seed)


RELU = Activation("relu")


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ((Linear(2, True), RELU, Linear(2, True), RELU, Linear(1, True)), True),
        ((Linear(2, True), Linear(1)), True),
        ((Linear(2, True), Linear(1, True)), False),
        ((Linear(2), Branch((Linear(2), RELU, Linear(2))), Linear(1)), True),
        ((Linear(2), Branch((Linear(2), RELU, Linear(2, True))), Linear(1)), True),
        ((Linear(2), Branch((Linear(2),)), Linear(1)), False),
        ((Linear(2, True), Branch((Linear(2, True), RELU, Linear(2, True))), Linear(1)), False),
    ],
    ids=str,
)
def test_which_maps_are_homogeneous(layers: tuple[Operation, ...], expected: bool) -> None:
    network = Layers((2,), layers)
    assert network.graph.homogeneous is expected
    degrees = [{sum(e) for e, _ in poly.terms()} for poly in components(network)]
    assert all(len(each) == 1 for each in degrees) is expected


def components(network: Layers) -> list[Poly]:
    return [poly for poly in oracle_layers.layered(network).components if poly]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_components_of_small_networks(data: st.DataObject) -> None:
    """The oracle's components are homogeneous where it is said; without branches only there."""
    layers = data.draw(stacks(data.draw(st.integers(1, 4))))
    network = Layers((2,), (*layers, Linear(1, data.draw(st.booleans()))))
    degrees = [{sum(e) for e, _ in poly.terms()} for poly in components(network)]
    single = all(len(each) == 1 for each in degrees)
    assert single or not network.graph.homogeneous
    if not any(isinstance(each, Branch) for each in layers):
        assert network.graph.homogeneous is single


def stacks(length: int) -> st.SearchStrategy[tuple[Operation | Branch, ...]]:
    layer = st.one_of(st.builds(Linear, st.just(2), st.booleans()), st.just(RELU))
    branch = st.builds(Branch, st.lists(layer, min_size=1, max_size=2).map(tuple))
    return st.lists(st.one_of(layer, branch), min_size=length, max_size=length).map(tuple)
