"""The engine against the oracle on small networks of every kind, and the oracle against its
definitions.
"""

from __future__ import annotations

from itertools import pairwise, product
from math import prod
from typing import Any

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_networks import BIASES, NETWORKS
from sympy import QQ, ZZ, Matrix
from sympy.polys.matrices import DomainMatrix
from sympy.polys.rings import ring

from conslaw_cli.families.mlp import MLP, Bias
from conslaw_cli.lie.count import count_laws

Array = NDArray[np.float64]

PROPERTY = settings(max_examples=50, deadline=None)

# ---- the engine


def without_repeated_end(dimensions: tuple[int, ...]) -> tuple[int, ...]:
    """Drop repeated final entries: the engine lists the one by which it saw the iteration stop, if
    it had to.
    """
    while len(dimensions) > 1 and dimensions[-1] == dimensions[-2]:
        dimensions = dimensions[:-1]
    return dimensions


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_engine_and_known_laws_agree_with_oracle(network: MLP) -> None:
    expected, row = oracle.count(network), count_laws(network, seed=0)
    assert row.trace is not None
    assert (
        without_repeated_end(row.trace.dimensions),
        row.parameters,
        row.dim_lie,
        row.laws,
        row.known_listed,
        row.known_independent,
        row.unknown_laws,
        row.involutive,
    ) == (
        expected.trace,
        expected.parameters,
        expected.dim_lie,
        expected.laws,
        expected.known_listed,
        expected.known_independent,
        expected.laws - expected.known_independent,
        len(expected.trace) == 1,
    )
    laws_agree(network)


def laws_agree(network: MLP) -> None:
    """The program's own laws, as polynomials: they are the oracle's, and orthogonal to every
    field.
    """
    theta = oracle.Parameters(network)
    fields, known = oracle.generators(network, theta), oracle.known_laws(network, theta)
    listed = engine_laws(network, theta)
    assert all(oracle.is_law(h, fields, theta.gens) for h in known)
    assert len(listed) == len(known)
    assert set(listed) == set(known)


def engine_laws(network: MLP, theta: oracle.Parameters) -> list[oracle.Poly]:
    laws = network.laws()
    polynomials = [0 * theta.gens[0]] * len(laws)
    factors = [
        *theta.gens,
        theta.gens[0].ring.one,
    ]  # index −1 is the factor of a term of degree one
    for law, left, right, coefficient in zip(
        laws.law, laws.left, laws.right, laws.coefficient, strict=True
    ):
        polynomials[law] += int(coefficient) * factors[left] * factors[right]
    return polynomials


def test_exceptional_linear_network() -> None:
    """Widths 1-2-2-1: one field, so 7 laws; the known ones have rank 6."""
    expected = oracle.count(MLP((1, 2, 2, 1), "linear"))
    assert (expected.trace, expected.laws, expected.known_listed, expected.known_independent) == (
        (1,),
        7,
        6,
        6,
    )


@PROPERTY
@given(
    st.sampled_from([network for network in NETWORKS if network.parameters <= 8]),
    st.integers(0, 100),
)
def test_oracle_does_not_depend_on_the_point(network: MLP, seed: int) -> None:
    assert oracle.count(network, seed) == oracle.count(network)


# ---- the oracle's φ and laws


@pytest.mark.parametrize("widths", [(2, 3), (2, 3, 2), (3, 1, 2, 2)])
@pytest.mark.parametrize("bias", BIASES)
def test_linear_reparametrisation_is_the_affine_map(widths: tuple[int, ...], bias: Bias) -> None:
    network = MLP(widths, "linear", bias)
    theta = oracle.Parameters(network)
    linear, constant = Matrix.eye(widths[0]), Matrix.zeros(1, widths[0])
    for rows, biases in zip(theta.weights, theta.biases, strict=True):
        matrix = Matrix([[entry.as_expr() for entry in row] for row in rows])
        offset = (
            Matrix([[b.as_expr() for b in biases]]) if biases else Matrix.zeros(1, len(rows[0]))
        )
        linear, constant = linear * matrix, constant * matrix + offset
    entries = [entry.expand() for entry in (*linear, *constant) if entry != 0]
    components = [
        poly.as_expr()
        for output in oracle.reparametrisation(network, theta)
        for poly in output.values()
    ]
    assert sorted(components, key=str) == sorted(entries, key=str)


@pytest.mark.parametrize("widths", [(2, 3), (2, 3, 2), (2, 1, 3, 2), (1, 2, 2, 2, 1)])
@pytest.mark.parametrize("bias", BIASES)
def test_relu_reparametrisation_lists_the_paths(widths: tuple[int, ...], bias: Bias) -> None:
    """Eq. (15): one component for every choice of one neuron per layer, from an input or a bias
    on.
    """
    network = MLP(widths, "relu", bias)
    theta = oracle.Parameters(network)
    paths = []
    for start in range(len(widths)):
        for neurons in product(*map(range, widths[start:])):
            edges = [theta.weights[start + i][a][b] for i, (a, b) in enumerate(pairwise(neurons))]
            source = theta.biases[start - 1] if start else [1] * widths[0]
            paths += [prod([source[neurons[0]], *edges])] if source else []
    components = [
        poly for output in oracle.reparametrisation(network, theta) for poly in output.values()
    ]
    assert len(components) == len(paths) == len(set(components))
    assert set(components) == set(paths)


@pytest.mark.parametrize(("bias", "dimension"), [(False, 2 * 3 * 4), ("all", 2 * 3 * (4 + 1) + 2)])
def test_two_layer_relu_has_the_published_number_of_components(bias: Bias, dimension: int) -> None:
    """n outputs, r neurons, m inputs: d = rnm, and d = rn(m + 1) + n with all biases (arXiv,
    Theorem B.9).
    """
    network = MLP((4, 3, 2), "relu", bias)
    assert sum(map(len, oracle.reparametrisation(network, oracle.Parameters(network)))) == dimension


def test_mixed_reparametrisation_separates_homogeneous_neurons_only() -> None:
    network = MLP((1, 2, 2, 1), ("linear", "relu"), "hidden")
    theta = oracle.Parameters(network)
    ((first,), second, last), (b1, b2, _) = theta.weights, theta.biases
    expected = {
        *(sum(first[j] * second[j][k] for j in (0, 1)) * last[k][0] for k in (0, 1)),
        *((sum(b1[j] * second[j][k] for j in (0, 1)) + b2[k]) * last[k][0] for k in (0, 1)),
    }
    assert set(oracle.reparametrisation(network, theta)[0].values()) == expected


@pytest.mark.parametrize(
    ("network", "other", "why"),
    [
        (MLP((2, 2, 2), "relu"), MLP((2, 2, 2), "linear"), "off the diagonal"),
        (MLP((2, 2, 2), "linear"), MLP((2, 2, 2), "linear", loss="cross_entropy"), "sums of rows"),
        (
            MLP((2, 2, 2), "relu", "all"),
            MLP((2, 2, 2), "relu", "all", "cross_entropy"),
            "sums of rows",
        ),
    ],
)
def test_laws_of_another_network_are_not_laws(network: MLP, other: MLP, why: str) -> None:
    theta = oracle.Parameters(network)
    fields, own = oracle.generators(network, theta), oracle.known_laws(network, theta)
    foreign = [h for h in oracle.known_laws(other, theta) if h not in own]
    assert foreign, why
    assert not any(oracle.is_law(h, fields, theta.gens) for h in foreign)


# ---- the oracle's algebra

GENS = ring("x,y,z", ZZ)[1:]
POLYNOMIALS = st.dictionaries(
    st.tuples(*[st.integers(0, 2)] * 3), st.integers(-5, 5).filter(bool), max_size=3
).map(GENS[0].ring.from_dict)
FIELDS = st.tuples(*[POLYNOMIALS] * 3)


def add(*fields: oracle.Field) -> oracle.Field:
    return tuple(map(sum, zip(*fields, strict=True)))


ZERO: oracle.Field = (0 * GENS[0],) * 3


@PROPERTY
@given(FIELDS, FIELDS)
def test_bracket_is_antisymmetric(f: oracle.Field, g: oracle.Field) -> None:
    assert add(oracle.bracket(f, g, GENS), oracle.bracket(g, f, GENS)) == ZERO


@PROPERTY
@given(FIELDS, FIELDS, FIELDS)
def test_bracket_satisfies_jacobi(f: oracle.Field, g: oracle.Field, h: oracle.Field) -> None:
    cyclic = [
        oracle.bracket(a, oracle.bracket(b, c, GENS), GENS)
        for a, b, c in ((f, g, h), (g, h, f), (h, f, g))
    ]
    assert add(*cyclic) == ZERO


@PROPERTY
@given(st.lists(st.lists(st.integers(-4, 4), min_size=9, max_size=9), min_size=2, max_size=2))
def test_bracket_of_linear_fields_is_the_commutator(entries: list[list[int]]) -> None:
    """[A, B] = AB − BA for fields θ ↦ Aθ and θ ↦ Bθ (Section 3.1)."""
    a, b = (Matrix(3, 3, matrix) for matrix in entries)
    assert oracle.bracket(linear(a), linear(b), GENS) == linear(a * b - b * a)


def linear(matrix: Any) -> oracle.Field:
    return tuple(
        sum((int(matrix[i, j]) * GENS[j] for j in range(3)), 0 * GENS[0]) for i in range(3)
    )


@PROPERTY
@given(POLYNOMIALS, st.tuples(*[st.integers(-9, 9)] * 3))
def test_evaluation_is_substitution(poly: oracle.Poly, point: tuple[int, ...]) -> None:
    assert oracle.evaluate(poly, point) == poly(*point)


@PROPERTY
@given(st.lists(st.lists(st.integers(-2, 2), min_size=4, max_size=4), max_size=6))
def test_span_has_the_rank_of_its_vectors(rows: list[list[int]]) -> None:
    span = oracle.Span()
    grown = sum([span.add(row) for row in rows])
    matrix = DomainMatrix([[QQ(x) for x in row] for row in rows], (len(rows), 4), QQ)
    assert grown == span.dimension == matrix.rank()


# ---- the definition itself: gradient flows of networks with real activations on real data


SLOPES = {"linear": 1.0, "leaky_relu": 0.1, "relu": 0.0}
"""Slopes of the activations for negative arguments; for positive ones it is 1."""


class Training:
    """A network with ReLU or identity activations, a random data set, and the gradient flow of its
    cost.
    """

    def __init__(self, network: MLP, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.network, self.theta = network, oracle.Parameters(network)
        self.start = rng.normal(size=len(self.theta.gens))
        self.inputs = rng.normal(size=(20, network.widths[0]))
        self.targets = rng.normal(size=(20, network.widths[-1]))
        if network.loss == "cross_entropy":
            self.targets = np.eye(network.widths[-1])[rng.integers(network.widths[-1], size=20)]

    def cost(self, points: NDArray[Any]) -> NDArray[Any]:
        """Return the training cost at each row of an array of points, real or complex."""
        values, used = self.inputs[None], 0
        for kind, rows, biases in zip(
            (*self.network.activations, "linear"),
            self.theta.weights,
            self.theta.biases,
            strict=True,
        ):
            shape = (len(points), len(rows), len(rows[0]))
            weights = points[:, used : (used := used + shape[1] * shape[2])].reshape(shape)
            values = values @ weights
            if biases:
                values = values + points[:, None, used : (used := used + len(biases))]
            values = np.where(values.real > 0, 1, SLOPES[kind]) * values
        if self.network.loss == "mse":
            costs = ((values - self.targets) ** 2).sum(axis=2) / 2
        else:
            costs = np.log(np.exp(values).sum(axis=2)) - (values * self.targets).sum(axis=2)
        mean: NDArray[Any] = costs.mean(axis=1)
        return mean

    def gradient(self, point: Array) -> Array:
        """Return the gradient of the cost: Im cost(θ + i h e_j) / h, exact to rounding as the cost
        is analytic.
        """
        tiny = 1e-30
        result: Array = self.cost(point + 1j * tiny * np.eye(len(point))).imag / tiny
        return result

    def flow(self, time: float, steps: int) -> Array:
        """Return θ(time) along the gradient flow, by the classical Runge-Kutta method."""
        point, step = self.start, time / steps
        for _ in range(steps):
            k1 = -self.gradient(point)
            k2 = -self.gradient(point + step / 2 * k1)
            k3 = -self.gradient(point + step / 2 * k2)
            k4 = -self.gradient(point + step * k3)
            point = point + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return point


@pytest.mark.parametrize(
    "network",
    [
        MLP((3, 2, 2), "linear"),
        MLP((2, 3, 2, 2), "linear", "all"),
        MLP((2, 3, 2), "linear", "all", "cross_entropy"),
        MLP((2, 3, 2), "relu", "hidden"),
        MLP((2, 3, 3), "relu", "all", "cross_entropy"),
        MLP((2, 3, 3, 2), "leaky_relu", "all"),
        MLP((2, 3, 2, 2), ("linear", "leaky_relu"), "all", "cross_entropy"),
    ],
    ids=lambda network: network.name,
)
def test_gradient_flow_keeps_the_laws_and_nothing_else(network: MLP) -> None:
    """Laws stay; an incoming norm alone, and laws that only linear layers or cross-entropy have, do
    not.

    Seed 6 gives data on which every hidden neuron is switched on by some inputs and off by others;
    with fewer gate patterns more is conserved.
    """
    training = Training(network, seed=6)
    theta, start, end = training.theta, list(training.start), list(training.flow(time=1, steps=500))
    laws = oracle.known_laws(network, theta)
    foreign = oracle.known_laws(MLP(network.widths, "linear", network.bias, "cross_entropy"), theta)
    others = [sum(row[0] ** 2 for row in theta.weights[0]), *(h for h in foreign if h not in laws)]

    def drift(h: oracle.Poly) -> float:
        return float(abs(oracle.evaluate(h, end) - oracle.evaluate(h, start)))

    assert max(map(drift, laws)) < 1e-6
    assert min(map(drift, others)) > 1e-3
