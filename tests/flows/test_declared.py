"""What a flow declares, measured: of every flow that is listed, in every way to write it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from conslaw_cli import MLP, CustomMap, Problem, count_laws
from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.errors import ArrayError
from conslaw_cli.flows import Asked, Clocked, Flow, Model, System, VectorFields, listed
from conslaw_cli.flows.grammar import ByArray, Choice, Keys, Names, Rational, Value, Whole
from conslaw_cli.flows.names import Arrays
from conslaw_cli.simulation.data import objective
from conslaw_cli.simulation.forms import Forms

LINEAR, DEEP = MLP((2, 3, 2), "linear", "hidden"), MLP((1, 2, 3, 2), ("linear", "relu"))
NETWORKS = [LINEAR, DEEP, MLP((2, 2), "linear"), MLP((2, 2, 1), "relu", "all")]
FIELD = PrimeField(2**23 - 15)


def ways(value: Value, arrays: Sequence[str]) -> Iterator[Any]:
    """Yield what may be written there, of every kind."""
    match value:
        case Whole(least, most, make):
            yield from (make(least), make(min(least + 2, most)))
        case Rational():
            yield value.make(Fraction(2, 3))
        case Names():
            yield from (arrays[:1], arrays)
        case ByArray():
            yield from (((arrays[0], each),) for each in ways(value.value, arrays))
        case Keys():
            for key, each in value.keys.items():
                if {*value.required} <= {key}:
                    yield from (value.make(**{key: one}) for one in ways(each, arrays))
        case Choice():
            yield from value.words.values()
            for each in value.keys.values():
                yield from ways(each, arrays)


def asked(network: Any) -> list[Flow]:
    """Every flow that is listed, for a model."""
    arrays = (*Arrays.of(network).entries,)
    every: list[Asked] = [each for flow in listed.FLOWS for each in ways(flow.written(), arrays)]
    found = dict[Flow, None]()
    for each in every:
        with suppress(ArrayError):  # a φ has no matrices
            found[each.of(network)] = None
    return list(found)


CASES = [
    pytest.param(network, flow, id=f"{flow.describe()} of {network.name}")
    for network in NETWORKS
    for flow in asked(network)
]


def test_every_flow_that_is_listed_is_measured() -> None:
    assert {type(flow) for network in NETWORKS for flow in asked(network)} == {*listed.FLOWS}
    assert len({str(flow.describe()) for flow in asked(LINEAR)}) >= 10


def at_a_point(model: Model, flow: Flow) -> tuple[VectorFields, Array, np.random.Generator]:
    rng = np.random.default_rng(5)
    fields, state = flow.fields(model).at(FIELD, rng)
    return fields, state, rng


def spanned(fields: VectorFields, states: Sequence[Array], rng: np.random.Generator) -> Array:
    probes = fields.sample(FIELD, rng, fields.dimension + 3)
    return np.concatenate([fields.evaluate(FIELD, each, probes)[..., 0] for each in states])


def same_span(left: Array, right: Array) -> bool:
    return FIELD.rank(left) == FIELD.rank(right) == FIELD.rank(np.concatenate([left, right]))


@pytest.mark.parametrize(("network", "flow"), CASES)
def test_a_state_is_copies_of_theta_and_perhaps_a_time(network: MLP, flow: Flow) -> None:
    fields, state, rng = at_a_point(network, flow)
    dynamics = flow.dynamics
    assert fields.dimension == state.shape[1] == dynamics.state(network.parameters)
    drift = fields.drift(FIELD, state)
    assert (drift is not None) == dynamics.clock == isinstance(fields, Clocked)
    if drift is not None:
        assert drift[0, -1, 0] == 1
        assert not spanned(fields, [state], rng)[:, -1].any()


def reflection(size: int, rng: np.random.Generator) -> Array:
    """Return a matrix that is orthogonal modulo the prime."""
    v = FIELD.random(rng, (size, 1))
    twice = 2 * FIELD.inverse(float(FIELD.matmul(v.T, v)[0, 0] % FIELD.p))
    scaled = FIELD.reduce(np.array([[twice]]))
    return FIELD.reduce(np.eye(size) - FIELD.matmul(FIELD.matmul(v, scaled), v.T))


def turned(flow: Flow, network: MLP, q: Array, vectors: Array) -> Array:
    """Apply an orthogonal map to the units of the first hidden layer, in all copies of θ."""
    found = vectors.copy()
    size, entries = network.parameters, Arrays.of(network).entries
    for k in range(flow.dynamics.copies):
        for name, matrix in (("U1", False), ("b1", False), ("U2", True)):
            if name in entries:
                part = slice(k * size + entries[name].start, k * size + entries[name].stop)
                rows = vectors[:, part].reshape(
                    len(vectors), *((len(q), -1) if matrix else (-1, len(q)))
                )
                moved = [
                    FIELD.matmul(q.T, each) if matrix else FIELD.matmul(each, q) for each in rows
                ]
                found[:, part] = np.reshape(moved, (len(vectors), -1))
    return found


@pytest.mark.parametrize("network", [LINEAR, DEEP], ids=lambda each: each.name)
def test_orthogonal_maps_of_units_map_the_fields_of_isometric_flows(network: MLP) -> None:
    """Such a map leaves the outputs of a network as they are."""
    for flow in asked(network):
        fields, state, rng = at_a_point(network, flow)
        probes = fields.sample(FIELD, rng, 5)
        q = reflection(network.widths[1], rng)
        image = turned(flow, network, q, state[..., 0])[..., None]
        own = turned(flow, network, q, fields.evaluate(FIELD, state, probes)[..., 0])
        there = fields.evaluate(FIELD, image, probes)[..., 0]
        alike = not FIELD.reduce(own - there).any()
        drift, moved = fields.drift(FIELD, state), fields.drift(FIELD, image)
        if drift is not None and moved is not None:
            kept = turned(flow, network, q, FIELD.reduce(drift[..., 0]))
            alike = alike and not FIELD.reduce(kept - moved[..., 0]).any()
            alike = alike and linear(fields, state, rng)
        assert alike == flow.dynamics.isometric, flow.describe()


def linear(fields: VectorFields, state: Array, rng: np.random.Generator) -> bool:
    """Whether the drift is, in all but time, which it moves at speed 1."""
    other = FIELD.random(rng, state.shape)
    parts = [fields.drift(FIELD, each) for each in (state, other, FIELD.reduce(state + other))]
    a, b, both = (part[0, :-1, 0] for part in parts if part is not None)
    return not FIELD.reduce(a + b - both).any()


@pytest.mark.parametrize(("network", "flow"), CASES)
def test_the_control_system_of_a_flow_is_what_it_says(network: MLP, flow: Flow) -> None:
    fields, state, rng = at_a_point(network, flow)
    drift, size = fields.drift(FIELD, state), network.parameters
    theta, gradients = state[:, :size], network.fields()
    found = spanned(fields, [state], rng)
    match flow.dynamics.system:
        case System.GRADIENT:
            assert same_span(found, spanned(gradients, [theta], rng))
        case System.DILATED:
            multiples = [FIELD.reduce(c * theta) for c in FIELD.random(rng, (size,)).tolist()]
            assert same_span(found[:, :size], spanned(gradients, multiples, rng))
            assert drift is not None
            assert not drift[0, :size].any()
        case System.SECOND_ORDER:
            assert not found[:, :size].any()
            assert same_span(found[:, size:-1], spanned(gradients, [theta], rng))
            assert drift is not None
            assert not FIELD.reduce(drift[0, :size] - state[0, size:-1]).any()
            assert not drift[0, size:-1].any()
        case System.METRIC | None:
            pass


SINGLE = CustomMap(("x", "y", "z"), ("x", "y", "z"))


@pytest.mark.parametrize("flow", asked(SINGLE), ids=lambda flow: str(flow.describe()))
def test_a_metric_is_a_function_of_each_parameter_by_itself(flow: Flow) -> None:
    """For φ = θ the gradients are all constant vectors."""
    fields, state, rng = at_a_point(SINGLE, flow)
    if flow.dynamics.system is System.METRIC:
        other = state.copy()
        other[:, 1:] = FIELD.random(rng, (1, 2, 1))
        probes = fields.sample(FIELD, rng, 2)
        constant = SINGLE.fields().evaluate(FIELD, state, probes)[..., 0]
        here, there = (fields.evaluate(FIELD, each, probes)[..., 0] for each in (state, other))
        products = [FIELD.reduce(here[i] * constant[1 - i]) for i in (0, 1)]
        assert not FIELD.reduce(products[0] - products[1]).any()
        assert (here[:, 0] == there[:, 0]).all()
        assert fields.drift(FIELD, state) is None


@pytest.mark.parametrize(("network", "flow"), CASES)
def test_so_many_laws_depend_on_time(network: MLP, flow: Flow) -> None:
    problem = Problem(network, flow)
    row = count_laws(problem)
    if row.unknown_laws == 0 and flow.dynamics.clock:
        assert row.timeless == max(0, (row.laws or 0) - flow.timed(problem.families() or ()))


@pytest.mark.parametrize(("activation", "widths"), [("relu", (1, 2, 3)), ("linear", (1, 2, 2, 3))])
def test_under_an_even_handed_flow_a_network_may_be_read_backwards(
    activation: Any, widths: tuple[int, ...]
) -> None:
    networks = MLP(widths, activation), MLP(widths[::-1], activation)
    for flow in filter(lambda flow: flow.even_handed, asked(networks[0])):
        first, second = (count_laws(Problem(each, flow.of(each))) for each in networks)
        assert (first.laws, first.dim_lie) == (second.laws, second.dim_lie), flow.describe()


@pytest.mark.parametrize(("network", "flow"), CASES)
def test_in_floats_it_keeps_the_laws_that_it_lists(network: MLP, flow: Flow) -> None:
    """Their derivatives along the motion, for the gradient of a loss, are zero."""
    problem, rng = Problem(network, flow), np.random.default_rng(3)
    task, theta = objective(problem, rng, 5, None, None)
    motion, laws = flow.motion(network, None), Forms(problem.laws())
    state, t = motion.start(np.abs(theta) + 0.5, rng), motion.begin + 0.25
    speed = motion.velocity(t, state, task.gradient)
    step = 1e-4 / np.abs(speed).max()
    ends = (motion.coordinates(t + each, state + each * speed) for each in (step, -step))
    (after, size), (before, _) = map(laws.values, ends)
    assert (np.abs(after - before) <= 1e-9 * size).all()  # 1e-4 for what is no law
    assert len(motion.theta(state)) == network.parameters
