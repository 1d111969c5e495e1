"""A network's function and gradient against the same network written plainly as sympy
polynomials.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import Function, network_function

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.algebra.rings import Exact, derivative, lift
from conslaw_cli.families.mlp import MLP

P = 8388593
FIELD = PrimeField(P)
PROPERTY = settings(max_examples=25, deadline=None)
SMALL = [
    MLP((2, 3)),
    MLP((2, 3), bias="all"),
    MLP((2, 3, 2), "linear"),
    MLP((2, 3, 2), "relu"),
    MLP((2, 2, 3), "leaky_relu", "hidden"),
    MLP((1, 2, 2, 2), ("linear", "relu"), "all"),
    MLP((2, 2, 2, 1), ("abs", "identity"), "hidden"),
    MLP((1, 2, 1, 2, 1), "linear", "all"),
    MLP((2, 2, 2, 3), "relu", "all", "cross_entropy"),
    MLP((2, 1, 2), "linear", False, "cross_entropy"),
    MLP((1, 1, 3), "linear", False, "cross_entropy"),
    MLP((2, 2, 1), "relu", "all", "cross_entropy"),
    MLP((1, 2, 2), "relu", "hidden", "logistic"),
]
every_small_network = pytest.mark.parametrize("mlp", SMALL, ids=lambda mlp: mlp.name)


def symbols(values: tuple[Any, ...]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def batch(mlp: MLP, seed: int, count: int = 3) -> tuple[Array, Array]:
    """Draw one θ (1, D, 1) and some probes."""
    draw = np.random.default_rng(seed)
    theta = FIELD.random(draw, (1, mlp.parameters, 1))
    return theta, mlp.fields().sample(FIELD, draw, count)


@every_small_network
def test_the_output_is_the_network_written_plainly(mlp: MLP) -> None:
    function, network = network_function(mlp), mlp.graph
    (outputs,) = network.forward(
        Exact(), symbols(function.theta)[None], symbols(function.probe)[None]
    )
    weights = list(function.probe[len(function.probe) - network.output_size :])
    if mlp.loss == "cross_entropy":
        weights[-1] = -sum(weights[:-1])
    assert (
        sum(
            (w * y for w, y in zip(weights, outputs.ravel(), strict=True)), start=0 * function.value
        )
        == function.value
    )


@every_small_network
def test_the_gradient_is_the_symbolic_derivative(mlp: MLP) -> None:
    function = network_function(mlp)
    found = mlp.fields().gradient(
        Exact(), symbols(function.theta)[None], symbols(function.probe)[None]
    )
    assert all(x - y == 0 for x, y in zip(found.ravel(), function.gradient(), strict=True))


@every_small_network
def test_the_gradient_mod_p_is_the_integer_gradient_reduced(mlp: MLP) -> None:
    theta, probes = batch(mlp, seed=1)
    integers = np.vectorize(int, otypes=[object])
    expected = mlp.fields().gradient(Exact(), integers(theta[..., 0]), integers(probes)) % P
    found = mlp.fields().evaluate(FIELD, theta, probes)[..., 0]
    assert np.array_equal(found % P, expected.astype(np.float64))


@every_small_network
def test_parameters_are_named_layer_by_layer_rows_first(mlp: MLP) -> None:
    expected = []
    for layer, (inputs, outputs) in enumerate(pairwise(mlp.widths), start=1):
        expected += [
            f"U{layer}[{i},{j}]" for i in range(1, inputs + 1) for j in range(1, outputs + 1)
        ]
        if mlp.bias == "all" or (mlp.bias == "hidden" and layer < mlp.depth):
            expected += [f"b{layer}[{j}]" for j in range(1, outputs + 1)]
    assert mlp.graph.parameter_names() == expected
    assert mlp.parameters == mlp.graph.dimension == len(expected)


@PROPERTY
@given(st.sampled_from(SMALL), st.integers(0, 10**6))
def test_the_jet_of_a_gradient_is_a_symmetric_matrix_times_the_direction(
    mlp: MLP, seed: int
) -> None:
    """The derivative of a gradient is the Hessian: ``<u, Hv> = <v, Hu>``."""
    (theta, probes), fields = batch(mlp, seed, count=1), mlp.fields()
    u, v = FIELD.random(np.random.default_rng(seed + 1), (2, 1, mlp.parameters, 1))
    hu, hv = (derivative(fields.evaluate(FIELD, lift(theta, x), probes))[0, :, 0] for x in (u, v))
    assert FIELD.matmul(u[0].T, hv[:, None]) % P == FIELD.matmul(v[0].T, hu[:, None]) % P


@PROPERTY
@given(st.sampled_from(SMALL), st.integers(0, 10**6))
def test_fields_are_linear_in_each_part_of_the_probe(mlp: MLP, seed: int) -> None:
    """W_φ is a linear space: gradients add up when the input of the probe, or its output weights,
    do.
    """
    (theta, probes), network, fields = batch(mlp, seed), mlp.graph, mlp.fields()
    for part in (
        slice(0, network.input_size),
        slice(network.input_size + network.state_size, None),
    ):
        probes[1:] = probes[0]
        probes[1, part] = FIELD.random(np.random.default_rng(seed + 2), probes[1, part].shape)
        probes[2, part] = FIELD.reduce(probes[0, part] + probes[1, part])
        first, second, both = fields.evaluate(FIELD, theta, probes)[..., 0]
        if part.start == 0 and mlp.bias:  # affine in x
            zero = probes[:1].copy()
            zero[:, part] = 0
            both = both + fields.evaluate(FIELD, theta, zero)[0, :, 0]
        assert not FIELD.reduce(first + second - both).any()


@PROPERTY
@given(st.sampled_from(SMALL), st.integers(0, 10**6), st.data())
def test_permuted_hidden_neurons_compute_the_same(mlp: MLP, seed: int, data: st.DataObject) -> None:
    (theta, probes), network, fields = batch(mlp, seed), mlp.graph, mlp.fields()
    names = {name: e for e, name in enumerate(network.parameter_names())}
    orders = [data.draw(st.permutations(range(1, n + 1))) for n in mlp.widths[1:-1]]
    orders = [list(range(1, mlp.widths[0] + 1)), *orders, list(range(1, mlp.widths[-1] + 1))]
    where = []
    for layer, (before, after) in enumerate(pairwise(orders), start=1):
        where += [names[f"U{layer}[{i},{j}]"] for i in before for j in after]
        where += [names[f"b{layer}[{j}]"] for j in after if f"b{layer}[{j}]" in names]
    start, gates = network.input_size, []
    for order, activation in zip(orders[1:-1], mlp.activations, strict=True):
        if activation not in ("linear", "identity"):
            gates += [start + j - 1 for j in order]
            start += len(order)
    moved = probes.copy()
    moved[:, network.input_size : network.input_size + network.state_size] = probes[:, gates]
    first = fields.evaluate(FIELD, theta, probes)
    assert not FIELD.reduce(fields.evaluate(FIELD, theta[:, where], moved) - first[:, where]).any()


# ---- degrees and sizes that the error bounds rest on


def degree_in(function: Function, variables: tuple[Any, ...]) -> int:
    gens = function.value.ring.gens
    places = [gens.index(x) for x in variables]
    return max(
        (sum(exponents[i] for i in places) for exponents in function.value.monoms()), default=0
    )


@every_small_network
def test_degrees_are_those_of_the_polynomial(mlp: MLP) -> None:
    """An upper bound is what the error needs; without biases and with a free output it is
    attained.
    """
    function, fields = network_function(mlp), mlp.fields()
    in_theta, in_probe = fields.degree()
    assert in_theta + 1 >= degree_in(function, function.theta)
    assert in_probe >= degree_in(function, function.probe)
    if mlp.widths[-1] > 1:
        assert (in_theta + 1, in_probe) == (
            degree_in(function, function.theta),
            degree_in(function, function.probe),
        )


@every_small_network
def test_terms_bound_the_coefficients_of_every_entry(mlp: MLP) -> None:
    bound = 2.0 ** mlp.fields().bits()
    sums = [sum(abs(int(c)) for c in entry.coeffs()) for entry in network_function(mlp).gradient()]
    assert max(sums) <= bound * (1 + 1e-9) <= 100 * max(1, *sums)
