"""Layered networks: the engine against the oracle, their gradients, their known laws and where
these come from.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from math import prod
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import oracle
import oracle_layers
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import evaluated, law_polynomials
from sympy import QQ

from conslaw_cli.algebra.field import PrimeField
from conslaw_cli.algebra.rings import Exact
from conslaw_cli.errors import LayerError
from conslaw_cli.families.layers import Branch, Layer, Layers, Step
from conslaw_cli.families.mlp import BIASES, LOSSES, MLP, Bias, Loss
from conslaw_cli.lie.count import count_laws
from conslaw_cli.lie.theorems.structure import chain_of
from conslaw_cli.networks.operations.convolution import Convolution, Pool, TransposedConvolution
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.problems.records import LawCount
from conslaw_cli.specs import spec

FAMILIES = Path(__file__).parents[2] / "configs" / "families.yaml"
RELU, IDENTITY = Activation("relu"), Activation("linear")
HALVED = Pool((2,), (2,))
Shape = tuple[int, ...]


def conv1d(
    channels: int, kernel: int, stride: int = 1, padding: Any = "valid", bias: bool = False
) -> Convolution:
    return Convolution(channels, (kernel,), (stride,), padding, bias)


def grouped(channels: int, groups: int, kernel: int, bias: bool = False) -> Convolution:
    return Convolution(channels, (kernel,), (1,), "valid", bias, groups=groups)


def dilated(channels: int, kernel: int, by: int, padding: Any = "valid") -> Convolution:
    return Convolution(channels, (kernel,), (1,), padding, dilation=(by,))


def transposed(
    channels: int, kernel: int, stride: int, padding: int = 0, bias: bool = False
) -> TransposedConvolution:
    return TransposedConvolution(channels, (kernel,), (stride,), (padding,), bias)


def conv2d(
    channels: int, kernel: Shape, stride: Shape = (1, 1), padding: Any = "valid", bias: bool = False
) -> Convolution:
    return Convolution(channels, kernel, stride, padding, bias)


def residual(*layers: Layer) -> Branch:
    return Branch(layers)


def network(shape: int | Shape, *layers: Layer, loss: Loss = "mse") -> Layers:
    return Layers((shape,) if isinstance(shape, int) else shape, layers, loss)


# ---- the engine against the oracle

GROUPED = [
    network((2, 3), grouped(2, 2, 2), RELU, Flat(), Linear(1)),
    network((2, 2), grouped(2, 2, 1, bias=True), RELU, conv1d(1, 2)),
    network((1, 2), conv1d(2, 1), grouped(2, 2, 2), conv1d(1, 1)),
    network((1, 1), conv1d(4, 1), grouped(4, 2, 1), conv1d(1, 1)),
    network((1, 1), conv1d(4, 1), grouped(2, 2, 1), RELU, conv1d(1, 1)),
    network((2, 1), grouped(4, 2, 1), conv1d(1, 1)),
    network((2, 1), grouped(2, 2, 1), grouped(2, 2, 1), conv1d(1, 1, bias=True)),
    network((2, 2), conv1d(2, 1), residual(grouped(2, 2, 1)), conv1d(1, 1)),
    network((2, 1), grouped(2, 2, 1), grouped(2, 2, 1), loss="cross_entropy"),
]
DILATED = [
    network((1, 4), dilated(1, 2, 2), RELU, Flat(), Linear(1)),
    network((1, 4), dilated(1, 2, 2, "same"), RELU, Flat(), Linear(1)),
    network((1, 4), dilated(1, 2, 2, "circular"), RELU, Flat(), Linear(1)),
    network((1, 4), dilated(1, 3, 2, "circular"), RELU, Flat(), Linear(1)),
    network((1, 4), dilated(1, 2, 2, "same"), RELU, dilated(1, 2, 2, "same")),
    network((1, 6), dilated(1, 2, 2), dilated(1, 2, 3)),
    network((1, 4), dilated(1, 4, 3, "circular"), conv1d(1, 4, padding="circular")),
    network((1, 5), dilated(1, 5, 2, "circular"), conv1d(1, 5, padding="circular")),
    network((1, 3), dilated(2, 2, 2), Flat(), Linear(1)),
]
TRANSPOSED = [
    network((1, 2), transposed(1, 2, 2), RELU, Flat(), Linear(1)),
    network((1, 2), transposed(1, 3, 2), RELU, Flat(), Linear(1)),
    network((1, 2), transposed(1, 3, 2, 1, True), RELU, conv1d(1, 2)),
    network((1, 3), transposed(1, 2, 1), RELU, Flat(), Linear(1)),
    network((1, 2), transposed(1, 3, 1, 1), RELU, Flat(), Linear(1)),
    network((1, 2), transposed(2, 2, 2), conv1d(1, 2)),
    network((2, 2), transposed(1, 2, 2), RELU, transposed(1, 2, 1)),
    network((1, 1), transposed(2, 2, 1), Flat(), Linear(1)),
    network((1, 2), conv1d(1, 1), transposed(1, 2, 2), conv1d(1, 1)),
]
CONVOLUTIONS = [
    network((1, 3), conv1d(1, 2)),
    network((2, 4), conv1d(2, 2), RELU, conv1d(1, 2)),
    network((1, 5), conv1d(2, 2, bias=True), RELU, conv1d(1, 2, bias=True)),
    network((1, 5), conv1d(2, 3, stride=2), RELU, conv1d(2, 2)),
    network((1, 6), conv1d(1, 2), conv1d(1, 3), conv1d(1, 2)),
    network((1, 4), conv1d(2, 2), conv1d(1, 2)),
    network((2, 3), conv1d(2, 1), conv1d(2, 1)),
    network((1, 4), conv1d(1, 3, padding="same"), RELU, conv1d(1, 2, padding="same")),
    network((1, 5), conv1d(1, 2, 2, "same", True), conv1d(2, 2, 2, "same")),
    network((1, 4), conv1d(1, 4, stride=3, padding="same"), conv1d(1, 2, padding="same")),
    network((1, 3), conv1d(1, 3, padding="circular"), conv1d(1, 3, padding="circular")),
    network((1, 4), conv1d(1, 4, padding="circular"), conv1d(1, 4, padding="circular")),
    network((1, 4), conv1d(1, 2, padding="circular"), conv1d(1, 2, padding="circular")),
    network((1, 3), conv1d(1, 3, padding="circular"), RELU, conv1d(1, 3, padding="circular")),
    network((1, 3), conv1d(1, 2, 2, "circular"), conv1d(1, 2, padding="circular")),
    network((1, 2), conv1d(1, 5, padding="circular")),
    network((1, 3, 3), conv2d(1, (2, 2)), RELU, conv2d(1, (2, 2))),
    network((1, 3, 3), conv2d(2, (2, 1), bias=True), RELU, conv2d(1, (1, 2))),
    network((2, 2, 3), conv2d(1, (1, 2)), conv2d(1, (2, 1))),
    network((1, 3, 2), conv2d(1, (2, 3), (2, 1), "same", True), RELU, conv2d(1, (1, 2))),
    network(
        (1, 2, 3), conv2d(1, (2, 2), (1, 2), "circular"), conv2d(1, (2, 1), padding="circular")
    ),
]
POOLED_AND_FLATTENED = [
    network((1, 4), conv1d(2, 2), RELU, Flat(), Linear(1)),
    network((1, 3), conv1d(2, 2), Flat(), Linear(1, True)),
    network((1, 5), conv1d(2, 2), RELU, HALVED, Flat(), Linear(1)),
    network(
        (1, 5),
        conv1d(1, 2, bias=True),
        Pool((2,), (1,)),
        conv1d(1, 2, bias=True),
        Flat(),
        Linear(1),
    ),
    network(
        (1, 4),
        conv1d(1, 1, bias=True),
        HALVED,
        conv1d(2, 1, bias=True),
        HALVED,
        conv1d(1, 1, bias=True),
    ),
    network((1, 3, 3), conv2d(2, (2, 2)), RELU, Pool((2,), (1,)), Flat(), Linear(1)),
    network((1, 4, 2), Pool((2, 1), (2, 1)), conv2d(1, (2, 2)), Flat(), Linear(2)),
    network((2, 2), Flat(), Linear(2), RELU, Linear(1)),
    network((1, 3), RELU, Flat(), Linear(2), Linear(1)),
]
RESIDUAL = [
    network(2, residual(Linear(2), RELU, Linear(2))),
    network(2, residual(Linear(1), Linear(2)), Linear(1)),
    network(2, Linear(2), residual(Linear(1), RELU, Linear(2)), Linear(1)),
    network(1, Linear(2), residual(Linear(1, True), RELU, Linear(2, True)), Linear(1)),
    network(1, Linear(2), residual(Linear(1), Linear(2)), Linear(1)),
    network(1, Linear(2), residual(Linear(2)), Linear(1)),
    network(1, Linear(2), residual(Linear(2)), RELU, Linear(1)),
    network(2, residual(Linear(2)), Linear(2)),
    network(
        1,
        Linear(1),
        residual(Linear(1), RELU, Linear(1)),
        residual(Linear(1), RELU, Linear(1)),
        Linear(1),
    ),
    network(1, Linear(2), residual(residual(Linear(1), RELU, Linear(2))), Linear(1)),
    network(1, Linear(2), residual(residual(Linear(2)), Linear(2))),
    network(
        1,
        Linear(1),
        residual(Linear(1), residual(Linear(2), RELU, Linear(1)), Linear(1)),
        Linear(1),
    ),
    network(1, Linear(1), residual(Linear(1), residual(Linear(1))), Linear(1)),
    network(1, Linear(2), residual(Linear(2), residual(Linear(2))), Linear(1)),
    network(1, Linear(2), residual(RELU, Linear(2)), Linear(1)),
    network(1, Linear(2), residual(Linear(2), RELU), Linear(1)),
    network(1, Linear(2), residual(RELU), Linear(2)),
    network(1, Linear(2), residual(IDENTITY), Linear(2)),
    network((1, 3), conv1d(2, 1), residual(conv1d(1, 1), RELU, conv1d(2, 1)), conv1d(1, 1)),
    network(
        (1, 3), conv1d(1, 2, padding="same"), residual(conv1d(1, 2, padding="same")), conv1d(1, 2)
    ),
    network((1, 2), conv1d(2, 1), Flat(), residual(Linear(1), RELU, Linear(4)), Linear(1)),
    network((1, 2), conv1d(1, 1), Flat(), residual(Linear(1), Linear(2)), Linear(1)),
    network(
        (1, 2),
        conv1d(1, 1),
        Flat(),
        residual(Linear(2), residual(Linear(1), RELU, Linear(2))),
        Linear(1),
    ),
    network((1, 2), conv1d(1, 1), residual(Pool((1,), (1,)), conv1d(1, 1)), conv1d(1, 2)),
]
ODD = [
    network(2, RELU, Linear(2), Linear(1)),
    network(2, Linear(2), RELU, Linear(2), RELU),
    network(2, Linear(2), RELU, Activation("leaky_relu"), Linear(2)),
    network(2, Linear(2), RELU, IDENTITY, RELU, Linear(1)),
    network(2, IDENTITY, Linear(2), IDENTITY, Linear(2), Activation("identity")),
    network(1, Linear(2), Linear(2), IDENTITY, Linear(1), IDENTITY),
    network(2, Linear(1, True), Linear(2), RELU, Linear(1, True)),
    network(2, Flat(), Linear(2), Flat(), RELU, Linear(1)),
]
CROSS_ENTROPY = [
    network(2, Linear(2), RELU, Linear(3, True), loss="cross_entropy"),
    network(2, Linear(2), RELU, Linear(1), loss="cross_entropy"),
    network(2, Linear(2), RELU, Linear(2), Flat(), loss="cross_entropy"),
    network((1, 4), conv1d(2, 2), RELU, conv1d(1, 2), loss="cross_entropy"),
    network((1, 3), conv1d(2, 2), RELU, conv1d(2, 2, bias=True), loss="cross_entropy"),
    network((1, 3), conv1d(1, 2), RELU, Flat(), Linear(3), loss="cross_entropy"),
    network(1, Linear(2), residual(Linear(1), RELU, Linear(2)), loss="cross_entropy"),
    network(1, Linear(2), residual(Linear(1), RELU, Linear(2)), Linear(2), loss="cross_entropy"),
    network(2, Linear(2), RELU, Linear(2), RELU, loss="cross_entropy"),
    network((2, 2), conv1d(2, 1), conv1d(1, 2), loss="cross_entropy"),
    network(2, Linear(2), Linear(2), loss="logistic"),
]
NETWORKS = [
    *GROUPED,
    *DILATED,
    *TRANSPOSED,
    *CONVOLUTIONS,
    *POOLED_AND_FLATTENED,
    *RESIDUAL,
    *ODD,
    *CROSS_ENTROPY,
]
every_network = pytest.mark.parametrize("layers", NETWORKS, ids=lambda layers: layers.name)


def agrees(layers: Layers) -> None:
    """Check that every law is one, and that the row is the oracle's."""
    phi = oracle_layers.layered(layers)
    known, fields = law_polynomials(layers.laws(), phi.gens), phi.fields()
    assert [h for h in known if h.is_ground or not oracle.is_law(h, fields, phi.gens)] == []
    expected, row = oracle_layers.count(phi, known), count_laws(layers)
    assert row.trace is not None
    trace = list(row.trace.dimensions)
    while (
        len(trace) > 1 and trace[-1] == trace[-2]
    ):  # the engine also lists the level by which it saw the iteration stop
        trace.pop()
    found = (
        row.parameters,
        tuple(trace),
        row.dim_lie,
        row.laws,
        row.known_listed,
        row.known_independent,
        row.unknown_laws,
    )
    unknown = expected.laws - expected.known_independent
    assert found == (
        expected.parameters,
        expected.trace,
        expected.dim_lie,
        expected.laws,
        expected.known_listed,
        expected.known_independent,
        unknown,
    )


@every_network
def test_engine_agrees_with_oracle(layers: Layers) -> None:
    agrees(layers)


SHAPES: list[Shape] = [(1,), (2,), (1, 3), (1, 4), (2, 3), (1, 2, 2), (1, 3, 3), (1, 3, 2)]
ENDS: list[list[Layer]] = [[Flat(), Linear(2)], [Flat(), Linear(1)], []]


@st.composite
def random_networks(draw: st.DrawFn) -> Layers:
    """Draw a network of at most 9 parameters and 9 outputs."""
    random, shape = draw(st.randoms(use_true_random=False)), draw(st.sampled_from(SHAPES))
    layers = drawn(random, shape, 0, random.randint(1, 5))
    layers += next(end for end in ENDS if not end or small(shape, [*layers, *end]))
    assume(any(step.parameters for step in walk(shape, layers)))
    return Layers(shape, tuple(layers), draw(st.sampled_from(["mse", "mse", "cross_entropy"])))


def drawn(random: Random, shape: Shape, nesting: int, count: int) -> list[Layer]:
    """Draw layers; one that does not fit, or makes the network too large, is left out."""
    layers: list[Layer] = []
    for _ in range(count):
        try:
            candidate = [*layers, _drawn_layer(random, behind(shape, layers), nesting)]
            layers = candidate if small(shape, candidate) else layers
        except LayerError:
            continue
    return layers


def _drawn_layer(random: Random, shape: Shape, nesting: int) -> Layer:
    if random.random() < 0.2:
        return random.choice([RELU, RELU, IDENTITY])
    if nesting < 2 and random.random() < 0.25:
        return Branch(tuple(_drawn_branch(random, shape, nesting + 1)))
    if len(shape) == 1:
        return Linear(random.randint(1, 3), random.random() < 0.3)
    if random.random() < 0.3:
        pooled: list[Layer] = [Flat(), Pool((2,), (1,)), HALVED]
        return random.choice(pooled)
    kernel, stride = (tuple(random.randint(1, most) for _ in shape[1:]) for most in (3, 2))
    padding: Any = random.choice(["valid", "same", "circular"])
    channels, bias = random.randint(1, 2), random.random() < 0.3
    if random.random() < 0.2:
        cut = tuple(random.randint(0, 1) for _ in kernel)
        return TransposedConvolution(channels, kernel, stride, cut, bias)
    dilation = tuple(random.choice([1, 1, 2]) for _ in kernel)
    groups = 2 if channels == shape[0] == 2 and random.random() < 0.5 else 1
    return Convolution(channels, kernel, stride, padding, bias, dilation, groups)


def _drawn_branch(random: Random, shape: Shape, nesting: int) -> list[Layer]:
    layers = drawn(random, shape, nesting, random.randint(0, 2))
    bias, ones = random.random() < 0.3, (1,) * (len(shape) - 1)
    if behind(shape, layers) != shape:
        layers.append(
            Convolution(shape[0], ones, ones, "valid", bias) if ones else Linear(shape[0], bias)
        )
    return layers


def walk(shape: Shape, layers: Sequence[Layer]) -> list[Step]:
    return Layers(shape, (*layers, Flat(), Linear(1))).steps()[:-2]


def behind(shape: Shape, layers: Sequence[Layer]) -> Shape:
    return [shape, *(step.after for step in walk(shape, layers))][-1]


def small(shape: Shape, layers: Sequence[Layer]) -> bool:
    parameters = sum(
        step.parameters for step in walk(shape, layers) if not isinstance(step.layer, Branch)
    )
    return parameters <= 9 and prod(behind(shape, layers)) <= 9


@settings(max_examples=80, deadline=None)
@given(random_networks())
def test_engine_agrees_with_oracle_on_random_networks(layers: Layers) -> None:
    agrees(layers)


# ---- multi-layer perceptrons in layers


@st.composite
def perceptrons(draw: st.DrawFn) -> MLP:
    widths = draw(st.lists(st.integers(1, 4), min_size=2, max_size=5))
    activations = tuple(draw(st.sampled_from(["linear", "relu", "leaky_relu"])) for _ in widths[2:])
    return MLP(
        tuple(widths), activations, draw(st.sampled_from(BIASES)), draw(st.sampled_from(LOSSES))
    )


def in_layers(mlp: MLP, spelled_out: bool = False) -> Layers:
    """Write the same network layer by layer; ``spelled_out``: with identities where nothing
    happens.
    """
    layers: list[Layer] = [IDENTITY] if spelled_out else []
    for i, units in enumerate(mlp.widths[1:]):
        hidden = i < mlp.depth - 1
        layers.append(Linear(units, mlp.bias == "all" or (mlp.bias == "hidden" and hidden)))
        if hidden and (spelled_out or mlp.activations[i] != "linear"):
            layers.append(Activation(mlp.activations[i]))
        layers += [IDENTITY] if spelled_out else []
    return Layers(mlp.widths[:1], tuple(layers), mlp.loss)


def counted(row: LawCount) -> tuple[object, ...]:
    known = (row.known_listed, row.known_independent, row.unknown_laws)
    dimensions = row.trace.dimensions if row.trace else ()
    return (
        row.parameters,
        row.dim_lie,
        row.laws,
        *known,
        row.involutive,
        row.verdict,
        row.scope,
        dimensions,
    )


@settings(max_examples=60, deadline=None)
@given(perceptrons(), st.booleans())
def test_a_perceptron_in_layers_counts_the_same(mlp: MLP, spelled_out: bool) -> None:
    layers = in_layers(mlp, spelled_out)
    assert counted(count_laws(layers)) == counted(count_laws(mlp))


@settings(max_examples=60, deadline=None)
@given(perceptrons(), st.booleans())
def test_a_perceptron_in_layers_is_recognised(mlp: MLP, spelled_out: bool) -> None:
    """As the same chain, with the same parameters and laws."""
    layers = in_layers(mlp, spelled_out)
    assert chain_of(Problem(layers)) == chain_of(Problem(mlp))
    assert layers.parameter_names() == mlp.parameter_names()
    assert layers.scope == mlp.scope


@pytest.mark.parametrize(
    "layers",
    [
        network(2, Linear(2, True), RELU, Linear(2), RELU, Linear(1)),
        network(2, Linear(2), RELU, Linear(2, True), RELU, Linear(1, True)),
        network(2, Linear(1, True), Linear(2), RELU, Linear(1)),
    ],
    ids=lambda layers: layers.name,
)
def test_single_biases_may_be_missing_in_a_chain(layers: Layers) -> None:
    """Its monomials are counted from the graph, and by the engine, which must agree."""
    row = count_laws(layers)
    assert row.verdict == "proved"
    assert "paths" in [bound.method for bound in row.lower]
    assert row.dim_lie == oracle_layers.count(oracle_layers.layered(layers), []).dim_lie


@pytest.mark.parametrize(
    "layers",
    [
        network(2, RELU, Linear(2)),
        network(2, Linear(2), RELU),
        network(2, Linear(2), RELU, RELU, Linear(2)),
        network(2, residual(Linear(2)), Linear(2)),
        network((2, 1), Flat(), Linear(2)),
    ],
    ids=lambda layers: layers.name,
)
def test_other_networks_are_not_perceptrons(layers: Layers) -> None:
    assert chain_of(Problem(layers)) is None


# ---- gradients


@every_network
def test_the_gradient_is_the_symbolic_derivative(layers: Layers) -> None:
    """Over the rationals, exactly, every entry."""
    gens, sums = oracle_layers.outputs(layers)
    fields, draw = layers.fields(), Random(layers.name)
    theta = [draw.randint(-9, 9) for _ in gens]
    probe = [draw.randint(-9, 9) for _ in range(fields.graph.probe_size)]
    f = function(layers, probe, gens, sums)
    expected = [value_at(f.diff(x), theta) for x in gens]
    found = fields.gradient(
        Exact(), np.array([theta], dtype=object), np.array([probe], dtype=object)
    )
    assert [QQ(x.numerator, x.denominator) for x in found.ravel().tolist()] == expected


def function(
    layers: Layers,
    probe: Sequence[int],
    gens: Sequence[oracle.Poly],
    sums: Sequence[oracle_layers.Sum],
) -> oracle.Poly:
    """Return F(·; a) for the probe a: inputs, slopes and output weights, in the order of the
    program.
    """
    named, weights = named_probe(layers, probe), list(probe[len(probe) - len(sums) :])
    if layers.loss == "cross_entropy":
        weights[-1] = -sum(weights[:-1])
    total = 0 * gens[0]
    for w, value in zip(weights, sums, strict=True):
        total += sum(
            (poly * (w * prod(named[key] for key in keys)) for keys, poly in value.items()),
            start=0 * total,
        )
    return total


def named_probe(layers: Layers, probe: Sequence[int]) -> dict[object, int]:
    """Name the inputs and the slopes as the oracle does."""
    places = np.ndindex(*layers.input)
    named: dict[object, int] = {
        ("input", place): x for place, x in zip(places, probe, strict=False)
    }
    slopes = probe[prod(layers.input) :]
    return named | {("slope", n): x for n, x in enumerate(slopes, start=1)}


def value_at(poly: oracle.Poly, theta: Sequence[int]) -> Any:
    return sum(
        c * prod(x**e for x, e in zip(theta, exponents, strict=True))
        for exponents, c in poly.terms()
    )


@every_network
def test_the_gradient_mod_p_is_the_rational_gradient_reduced(layers: Layers) -> None:
    fields, field, draw = layers.fields(), PrimeField(8388593), np.random.default_rng(1)
    theta = field.random(draw, (1, fields.dimension, 1))
    probes = fields.sample(field, draw, 3)
    integers = np.vectorize(int, otypes=[object])
    reduced = np.vectorize(
        lambda x: float(x.numerator * pow(int(x.denominator), -1, field.p) % field.p)
    )
    expected = reduced(fields.gradient(Exact(), integers(theta[..., 0]), integers(probes)))
    assert np.array_equal(fields.evaluate(field, theta, probes)[..., 0] % field.p, expected)


@every_network
def test_degrees_and_terms_bound_those_of_the_function(layers: Layers) -> None:
    """What the error probability rests on: degrees of an entry of a field, and the sum of its
    coefficients.
    """
    gens, sums = oracle_layers.outputs(layers)
    fields = layers.fields()
    in_theta, in_probe = fields.degree()
    degrees = [max(map(sum, poly.monoms())) for value in sums for poly in value.values() if poly]
    assert in_theta + 1 >= max(degrees)
    assert in_probe >= 1 + max(len(key) for value in sums for key in value)
    ones = [1] * len(gens)
    polys = [poly for value in sums for poly in value.values()]
    assert 2.0 ** fields.bits() * (1 + 1e-9) >= max(
        int(sum(value_at(poly.diff(x), ones) for poly in polys)) for x in gens
    )


# ---- known laws, from the wiring


def families(layers: Layers) -> list[tuple[str, str]]:
    return [(family.text, family.shape) for family in layers.laws().families]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (
            network(3, residual(Linear(2), RELU, Linear(3))),
            [("diag(U1ᵀU1 − U2U2ᵀ)", "2×2 diagonal")],
        ),
        (
            network(2, Linear(3), residual(Linear(4), RELU, Linear(3)), Linear(2)),
            [
                ("U1ᵀU1 + U3ᵀU3 − U2U2ᵀ − U4U4ᵀ", "3×3 symmetric"),
                ("diag(U2ᵀU2 − U3U3ᵀ)", "4×4 diagonal"),
            ],
        ),
        (
            network(2, Linear(3), residual(Linear(4), RELU, Linear(3)), RELU, Linear(2)),
            [
                ("diag(U1ᵀU1 + U3ᵀU3 − U2U2ᵀ − U4U4ᵀ)", "3×3 diagonal"),
                ("diag(U2ᵀU2 − U3U3ᵀ)", "4×4 diagonal"),
            ],
        ),
        (
            network(2, Linear(3), residual(RELU, Linear(3)), Linear(2)),
            [("diag(U1ᵀU1 + U2ᵀU2 − U2U2ᵀ − U3U3ᵀ)", "3×3 diagonal")],
        ),
        (network(2, Linear(3), residual(Linear(3), RELU)), []),
        (
            network(
                1,
                Linear(2),
                residual(Linear(3, True), residual(Linear(4), Linear(3)), Linear(2)),
                Linear(1),
            ),
            [
                ("U1ᵀU1 + U5ᵀU5 − U2U2ᵀ − U6U6ᵀ", "2×2 symmetric"),
                ("U2ᵀU2 + b2ᵀb2 + U4ᵀU4 − U3U3ᵀ − U5U5ᵀ", "3×3 symmetric"),
                ("U3ᵀU3 − U4U4ᵀ", "4×4 symmetric"),
            ],
        ),
        (
            network(2, residual(Linear(3), residual(Linear(2), RELU, Linear(3)), Linear(2))),
            [
                ("U1ᵀU1 + U3ᵀU3 − U2U2ᵀ − U4U4ᵀ", "3×3 symmetric"),
                ("diag(U2ᵀU2 − U3U3ᵀ)", "2×2 diagonal"),
            ],
        ),
        (
            network((1, 4), conv1d(2, 2, bias=True), RELU, conv1d(3, 2)),
            [("diag(U1ᵀU1 + b1ᵀb1 − Σ U2U2ᵀ)", "2×2 diagonal")],
        ),
        (network((1, 4), conv1d(2, 2), conv1d(3, 2)), [("U1ᵀU1 − Σ U2U2ᵀ", "2×2 symmetric")]),
        (
            network((1, 4), conv1d(2, 2), Pool((3,), (1,)), Flat(), Linear(3)),
            [("U1ᵀU1 − U2U2ᵀ", "2×2 symmetric")],
        ),
        (
            network((1, 4), conv1d(2, 1), Flat(), residual(Linear(3), RELU, Linear(8)), Linear(1)),
            [
                ("U1ᵀU1 + U3ᵀU3 − Σ U2U2ᵀ − Σ U4U4ᵀ", "2×2 symmetric"),
                ("diag(U2ᵀU2 − U3U3ᵀ)", "3×3 diagonal"),
            ],
        ),
        (
            network(2, Linear(2), RELU, Linear(3, True), loss="cross_entropy"),
            [("diag(U1ᵀU1 − U2U2ᵀ)", "2×2 diagonal"), ("U2·1", "2 row sums"), ("b2·1", "1 sum")],
        ),
        (
            network(2, Linear(2), RELU, Linear(3), RELU, loss="cross_entropy"),
            [("diag(U1ᵀU1 − U2U2ᵀ)", "2×2 diagonal")],
        ),
        (
            network((1, 3), conv1d(1, 2), RELU, conv1d(2, 2), loss="cross_entropy"),
            [("diag(U1ᵀU1 − Σ U2U2ᵀ)", "1×1 diagonal"), ("U2·1", "2 row sums")],
        ),
        (
            network((1, 4), conv1d(1, 2), RELU, conv1d(2, 2), loss="cross_entropy"),
            [("diag(U1ᵀU1 − Σ U2U2ᵀ)", "1×1 diagonal")],
        ),
        (
            network(2, residual(Linear(2), Linear(2)), Linear(1), loss="cross_entropy"),
            [("θ", "10 entries")],
        ),
    ],
    ids=lambda case: getattr(case, "name", ""),
)
def test_laws_are_read_off_the_wiring(layers: Layers, expected: list[tuple[str, str]]) -> None:
    assert sorted(families(layers)) == sorted(expected)


def law(layers: Layers, name: str) -> dict[str, int]:
    """Return a law as the coefficients of its squares and products of parameters, by name."""
    laws, names = layers.laws(), layers.fields().graph.parameter_names()
    index = [laws.name(i) for i in range(len(laws))].index(name)
    found: dict[str, int] = {}
    for i, left, right, c in zip(
        laws.law, laws.left, laws.right, laws.coefficient.tolist(), strict=True
    ):
        if i == index:
            key = " ".join(sorted([names[left], names[right]]))
            found[key] = found.get(key, 0) + c
    return found


def test_a_channel_sums_over_taps_and_a_flattened_one_over_positions() -> None:
    """Two channels at two positions each: inputs 3 and 4 of the dense layer are the second
    channel.
    """
    layers = network((1, 3), conv1d(2, 2), Flat(), Linear(1, True))
    assert law(layers, "(U1ᵀU1 − Σ U2U2ᵀ)[2,2]") == {
        "U1[1,1,2] U1[1,1,2]": 1,
        "U1[1,2,2] U1[1,2,2]": 1,
        "U2[3,1] U2[3,1]": -1,
        "U2[4,1] U2[4,1]": -1,
    }
    assert law(layers, "(U1ᵀU1 − Σ U2U2ᵀ)[1,2]") == {
        "U1[1,1,1] U1[1,1,2]": 1,
        "U1[1,2,1] U1[1,2,2]": 1,
        "U2[1,1] U2[3,1]": -1,
        "U2[2,1] U2[4,1]": -1,
    }


def test_a_convolution_behind_channels_sums_over_its_taps() -> None:
    layers = network((1, 4), conv1d(2, 2, bias=True), RELU, conv1d(1, 2))
    assert law(layers, "(diag(U1ᵀU1 + b1ᵀb1 − Σ U2U2ᵀ))[2,2]") == {
        "U1[1,1,2] U1[1,1,2]": 1,
        "U1[1,2,2] U1[1,2,2]": 1,
        "b1[2] b1[2]": 1,
        "U2[2,1,1] U2[2,1,1]": -1,
        "U2[2,2,1] U2[2,2,1]": -1,
    }


def test_a_branch_behind_a_flattened_image_writes_every_position() -> None:
    layers = network((1, 2), conv1d(2, 1), Flat(), residual(Linear(1), RELU, Linear(4)), Linear(1))
    assert law(layers, "(U1ᵀU1 + U3ᵀU3 − Σ U2U2ᵀ − Σ U4U4ᵀ)[1,2]") == {
        "U1[1,1] U1[1,2]": 1,
        "U3[1,1] U3[1,3]": 1,
        "U3[1,2] U3[1,4]": 1,
        "U2[1,1] U2[3,1]": -1,
        "U2[2,1] U2[4,1]": -1,
        "U4[1,1] U4[3,1]": -1,
        "U4[2,1] U4[4,1]": -1,
    }


@every_network
def test_sizes_of_the_laws(layers: Layers) -> None:
    laws = layers.laws()
    assert layers.known_listed == len(laws) == sum(family.size for family in laws.families)
    assert layers.known_terms >= len(laws.law)
    assert len({laws.name(i) for i in range(len(laws))}) == len(laws)


@every_network
def test_gradients_of_laws_agree_with_symbolic_ones(layers: Layers) -> None:
    phi, laws = oracle_layers.layered(layers), layers.laws()
    point = np.random.default_rng(0).integers(-50, 50, len(phi.gens))
    expected = [
        [evaluated(h.diff(x), phi.gens, point.tolist()) for x in phi.gens]
        for h in law_polynomials(laws, phi.gens)
    ]
    found = np.concatenate(
        [np.empty((0, len(point))), *laws.gradients(point.astype(np.float64), 4)]
    )
    assert np.array_equal(found, np.array(expected, dtype=np.float64).reshape(found.shape))


# ---- sizes


@every_network
def test_parameters_are_named_and_counted_layer_by_layer(layers: Layers) -> None:
    engine = layers.fields().graph
    assert (
        layers.parameters
        == engine.dimension
        == len(oracle_layers.layered(layers).gens)
        == len(set(engine.parameter_names()))
    )
    assert sum(parameters for _, _, parameters in layers.outline()) == layers.parameters


def test_parameters_of_a_convolution_are_named_by_channel_and_tap() -> None:
    layers = network((2, 3), conv1d(1, 2, bias=True), Flat(), Linear(1))
    weights = ["U1[1,1,1]", "U1[1,2,1]", "U1[2,1,1]", "U1[2,2,1]"]
    assert layers.fields().graph.parameter_names() == [*weights, "b1[1]", "U2[1,1]", "U2[2,1]"]


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        (network((2, 7), conv1d(3, 3, 2)), (3, 3)),
        (network((2, 8), conv1d(3, 3, 2)), (3, 3)),
        (network((2, 7), conv1d(3, 3, 2, "same")), (3, 4)),
        (network((2, 7), conv1d(3, 9, 3, "circular")), (3, 3)),
        (network((1, 5, 6), conv2d(2, (3, 2), (1, 2))), (2, 3, 3)),
        (network((1, 5, 6), conv2d(2, (3, 2), (3, 4), "same")), (2, 2, 2)),
        (network((1, 5, 6), conv2d(2, (1, 1)), HALVED), (2, 2, 3)),
        (network((1, 5, 6), conv2d(2, (1, 1)), Pool((2, 3), (1, 3))), (2, 4, 2)),
        (network((3, 5, 6), Flat(), Linear(4)), (4,)),
    ],
    ids=lambda case: getattr(case, "name", ""),
)
def test_shapes(layers: Layers, shape: Shape) -> None:
    assert layers.steps()[-1].after == shape


def test_a_network_that_cannot_fit_is_bounded_by_its_known_laws() -> None:
    layers = network(1000, Linear(1000), residual(residual(Linear(1000))), Linear(1000))
    row = count_laws(layers)
    assert (row.verdict, row.laws, row.laws_at_least) == ("bounded", None, 500 * 1001)
    assert row.reason is not None
    assert "3000000 parameters need about" in row.reason


def test_nested_branches_cost_no_more_than_their_layers() -> None:
    """Nine levels: walking through each of them anew would take 3^9 times as long."""
    layers: tuple[Layer, ...] = (*[RELU] * 300, Linear(2))
    for _ in range(9):
        layers = (Branch(layers),)
    assert len(Layers((2,), layers).outline()) == 1 + 9 + 301


def test_equal_networks_are_equal_jobs_and_names_tell_networks_apart() -> None:
    assert network(2, Linear(2), RELU, Linear(1)) == network(2, Linear(2), RELU, Linear(1))
    names = [layers.name for layers in NETWORKS]
    assert len(set(names)) == len(names)
    bias: list[Bias] = [False, "all"]
    assert len({Layers((2,), (Linear(1, bool(b)),)).name for b in bias}) == 2


# ---- what the literature and the theory say

SWEEP = spec.load(str(FAMILIES))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return the rows of the sweep by name; one thread for the BLAS, which waits for its others if
    cores are busy.
    """
    output = str(tmp_path_factory.mktemp("families") / "rows.jsonl")
    command = [sys.executable, "-m", "conslaw_cli", "sweep", str(FAMILIES), "--json", "-o", output]
    env = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    return {row["name"]: row for row in json.loads(done.stdout)["results"]}


@pytest.mark.parametrize(
    "architecture", SWEEP.architectures, ids=lambda architecture: architecture.name
)
def test_families_have_the_expected_number_of_laws(
    architecture: Architecture, rows: dict[str, dict[str, Any]]
) -> None:
    """Layered ones are proved; circular linear convolutions by their autocorrelations."""
    row = rows[architecture.name]
    assert row["laws"] == SWEEP.expected[architecture.name]
    if architecture.name.startswith("circular linear conv1d"):
        assert (row["verdict"], row["unknown_laws"]) == ("proved", 0)
        assert row["evidence"]["upper"][-1]["method"] == "known laws"
    elif isinstance(architecture, Layers):
        assert row["verdict"] == "proved"
