"""Labels and permutations are symmetries of W_φ, on networks of every kind; a wrong one would lose
laws unseen.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.families.mlp import BIASES, MLP, Loss
from conslaw_cli.flows import Asked, Flow, VectorFields
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.gradient import Gradient
from conslaw_cli.flows.listed import FLOWS
from conslaw_cli.flows.metrics import Power
from conslaw_cli.flows.mirror import Mirror
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.laws.flowing import symmetry_of
from conslaw_cli.laws.monomials import classes, monomials
from conslaw_cli.laws.symmetry import NONE, Symmetry, symmetry
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.specs import spec

FIELD = PrimeField(8388593)
FAMILIES = spec.load(str(Path(__file__).parents[2] / "configs" / "families.yaml")).architectures
OTHERS = [
    each
    for each in FAMILIES
    if each.parameters <= 100 and isinstance(each.fields(), GradientFields)
]
LAYERS = """
architectures:
  - {name: biases around a residual branch, input: 2, layers:
      [dense: {units: 3, bias: true}, residual: [dense: {units: 2, bias: true}, relu, dense: 3], dense: {units: 2, bias: true}]}
  - {name: residual on input and output, input: 3, layers: [residual: [dense: {units: 2, bias: true}, dense: 3]]}
  - {name: one matrix around itself, input: 2, layers: [dense: 3, residual: [dense: 3], dense: 2]}
  - {name: cross-entropy behind a residual branch, input: 2, loss: cross_entropy, layers:
      [dense: 3, residual: [dense: 2, relu, dense: 3]]}
  - {name: cross-entropy behind convolutions, input: {channels: 1, length: 4}, loss: cross_entropy, layers:
      [conv1d: {channels: 2, kernel: 2, bias: true}, relu, flatten, dense: {units: 2, bias: true}]}
  - {name: cross-entropy over channels and positions, input: {channels: 1, length: 4}, loss: cross_entropy, layers:
      [conv1d: {channels: 2, kernel: 2}, conv1d: {channels: 2, kernel: 2, bias: true}]}
  - {name: gate on the output, input: 2, layers: [dense: 2, relu, dense: 2, relu]}
  - {name: gate on the input, input: 2, layers: [relu, dense: 2, dense: 2]}
  - {name: gates in the stream, input: 2, layers: [dense: 2, residual: [dense: 2, relu, dense: 2], relu, residual: [dense: 2], dense: 1]}
"""  # noqa: E501


LOSSES: tuple[Loss, Loss] = ("mse", "cross_entropy")


def chains() -> list[MLP]:
    """Return networks of depth 1 to 3 with widths 1 to 3, every mixture of activations, biases and
    losses.
    """
    return [
        MLP(widths, kinds, bias, loss)
        for depth in (1, 2, 3)
        for kinds in product(("linear", "relu"), repeat=depth - 1)
        for widths in product((1, 2, 3) if depth < 3 else (1, 2), repeat=depth + 1)
        for bias, loss in product(BIASES, LOSSES)
    ]


NETWORKS: list[Architecture] = [
    *chains(),
    *OTHERS,
    *spec.parse(LAYERS, "layers.yaml").architectures,
]
sampled = st.sampled_from(NETWORKS)
deep = st.builds(
    lambda widths, linear, bias, loss: MLP(
        tuple(widths),
        tuple("linear" if flag else "relu" for flag in linear[: len(widths) - 2]),
        bias,
        loss,
    ),
    st.lists(st.integers(1, 3), min_size=4, max_size=6),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.sampled_from(BIASES),
    st.sampled_from(("mse", "cross_entropy")),
)
THOROUGH = settings(max_examples=150, deadline=None)


def gradients(architecture: Architecture) -> GradientFields:
    fields = architecture.fields()
    assert isinstance(fields, GradientFields)
    return fields


def span(fields: VectorFields, theta: Array, rng: np.random.Generator) -> Array:
    """Return vectors that span W_φ(θ), or the control fields of a flow at a state."""
    probes = fields.sample(FIELD, rng, fields.dimension + 3)
    return fields.evaluate(FIELD, FIELD.reduce(theta.copy())[None, :, None], probes)[..., 0]


def drift(fields: VectorFields, state: Array) -> Array:
    found = fields.drift(FIELD, FIELD.reduce(state.copy())[None, :, None])
    return np.zeros(0) if found is None else FIELD.reduce(found[0, :, 0])


def same_span(left: Array, right: Array) -> bool:
    return FIELD.rank(left) == FIELD.rank(right) == FIELD.rank(np.concatenate([left, right]))


def flips(found: Symmetry, chosen: NDArray[Any]) -> Array:
    """Return the sign of every parameter when some labels are flipped."""
    signs = np.append(np.where(chosen, -1.0, 1.0), 1.0)  # NONE reads the last entry
    result: Array = signs[found.labels].prod(axis=1)
    return result


def check_flips(problem: Problem, rng: np.random.Generator) -> None:
    net = problem.fields()
    found, theta = symmetry_of(problem), FIELD.random(rng, (net.dimension,))
    signs = flips(found, rng.integers(2, size=len(found.kinds)))
    assert same_span(span(net, signs * theta, rng), signs * span(net, theta, rng))
    kept = drift(net, theta)
    assert (drift(net, signs * theta) == FIELD.reduce(signs[: len(kept)] * kept)).all()


def check_permutations(problem: Problem, rng: np.random.Generator) -> None:
    net = problem.fields()
    found, theta = symmetry_of(problem), FIELD.random(rng, (net.dimension,))
    source = np.flatnonzero(rng.integers(2, size=len(found.kinds)))
    target = np.sort(
        np.concatenate(
            [np.empty(0, np.intp)]
            + [
                rng.permutation(np.flatnonzero(found.kinds == kind))[:count]
                for kind, count in Counter(found.kinds[source].tolist()).items()
            ]
        )
    )
    image = found.carry(source, target)
    assert sorted(image.tolist()) == list(range(net.dimension))
    moved = np.empty_like(theta)
    moved[image] = theta
    before, after = span(net, theta, rng), span(net, moved, rng)
    carried = np.empty_like(before)
    carried[:, image] = before
    assert same_span(after, carried)
    kept = drift(net, theta)
    assert (drift(net, moved)[image[: len(kept)]] == kept).all()


def test_flipping_labels_and_permuting_alike_ones_map_the_fields_to_themselves() -> None:
    rng = np.random.default_rng(0)
    for architecture in NETWORKS[::3]:
        check_flips(Problem(architecture), rng)
        check_permutations(Problem(architecture), rng)


FLOWING: list[Flow | Asked] = [
    Gradient(),
    Momentum(),
    Momentum(Friction.NESTEROV),
    Momentum(metric=Mirror(rates=(("U1", Fraction(1, 3)),))),
    Momentum(metric=Mirror((("U1", Power(1)),))),
    Decay(),
    Decay(("U1",)),
    Mirror(rates=(("U1", Fraction(1, 3)),)),
    Mirror((("U1", Power(1)),)),
]


@pytest.mark.parametrize("flow", FLOWING, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_what_flows_keep_of_the_symmetries_maps_their_fields_to_themselves(
    flow: Flow, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    found = 0
    for network in NETWORKS[seed::40]:
        problem = Problem(network, flow)
        check_flips(problem, rng)
        check_permutations(problem, rng)
        found += len(symmetry_of(problem).kinds)
    assert bool(found) == flow.dynamics.isometric


def test_every_flow_is_among_these() -> None:
    assert {type(flow) for flow in FLOWING} == set(FLOWS)


@pytest.mark.parametrize("flow", FLOWING, ids=str)
def test_a_flow_that_says_so_is_mapped_to_itself_by_scaling(flow: Flow) -> None:
    rng = np.random.default_rng(1)
    for network in NETWORKS[::25]:
        problem = Problem(network, flow)
        fields = problem.fields()
        if symmetry_of(problem).homogeneous:
            state, factor = FIELD.random(rng, (fields.dimension,)), FIELD.random(rng, (1,))
            scaled = FIELD.reduce(factor * state)
            assert same_span(span(fields, state, rng), span(fields, scaled, rng))


@THOROUGH
@given(deep, st.integers(0, 10**6))
def test_the_same_for_deep_networks(mlp: MLP, seed: int) -> None:
    rng = np.random.default_rng(seed)
    check_flips(Problem(mlp), rng)
    check_permutations(Problem(mlp), rng)


def test_a_wrong_flip_does_not() -> None:
    """The check of flips can fail: one weight of a linear network is no label."""
    net, rng = MLP((2, 2, 2), "linear").fields(), np.random.default_rng(0)
    theta, signs = FIELD.random(rng, (net.dimension,)), np.ones(net.dimension)
    signs[0] = -1
    assert not same_span(span(net, signs * theta, rng), signs * span(net, theta, rng))


@THOROUGH
@given(sampled, st.integers(1, 3), st.integers(0, 10**6))
def test_carrying_labels_carries_classes(
    architecture: Architecture, degree: int, seed: int
) -> None:
    """The image of a class under ``carry`` is the class with the labels that it was carried to."""
    found = symmetry(gradients(architecture))
    if architecture.parameters > 12:
        degree = min(degree, 2)
    split = classes(monomials(architecture.parameters, degree), found, np.random.default_rng(seed))
    orbit = seed % len(split.orbits)
    first, other = split.orbits[orbit][0], split.orbits[orbit][-1]
    image = found.carry(split.labels(first), split.labels(other))
    carried = {tuple(sorted(row)) for row in image[split.monomials[split.members[first]]].tolist()}
    assert carried == set(map(tuple, split.monomials[split.members[other]].tolist()))


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        (MLP((2, 3, 2), "linear"), True),
        (MLP((2, 3, 2), "relu", "all"), True),
        (MLP((2, 3, 2), "linear", "hidden"), True),
        # Paths from the biases of both layers end in one component.
        (MLP((2, 3, 2), "linear", "all"), False),
        (MLP((2, 3, 3, 2), ("linear", "relu"), "hidden"), False),
        (MLP((2, 3, 3, 2), ("relu", "linear"), "hidden"), True),
        (MLP((2, 3, 3, 2), ("relu", "linear"), "all"), False),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_which_maps_are_homogeneous(architecture: MLP, expected: bool) -> None:
    assert symmetry(architecture.fields()).homogeneous is expected


@pytest.mark.parametrize("seed", range(2))
def test_scaling_a_homogeneous_map_keeps_the_fields(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kept = Counter[bool]()
    for architecture in NETWORKS:
        net = gradients(architecture)
        theta = FIELD.random(rng, (net.dimension,))
        factor = float(FIELD.random(rng, (1,))[0])
        same = same_span(span(net, theta, rng), span(net, FIELD.reduce(factor * theta), rng))
        assert same or not symmetry(net).homogeneous, architecture.name
        kept[same] += 1
    assert kept[False], "the check of scaling can fail"


def test_labels_of_a_linear_network_are_its_neurons() -> None:
    """Every weight bears the labels of the neurons at its two ends."""
    found = symmetry(MLP((2, 3, 4), "linear").fields())
    assert Counter(found.kinds.tolist()) == Counter({0: 1, 1: 2, 2: 3, 3: 4})
    assert len(set(map(tuple, found.labels.tolist()))) == 2 * 3 + 3 * 4
    assert NONE not in found.labels


def test_every_parameter_of_a_two_layer_relu_network_flips_on_its_own() -> None:
    found = symmetry(MLP((2, 3, 2), "relu", "hidden").fields())
    assert sorted(found.labels[:, 0].tolist()) == sorted(set(found.labels[:, 0].tolist()))
    assert (found.labels[:, 1] == NONE).all()
