"""Known laws are laws: conserved along every gradient field, as polynomials, for every kind of
network.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import derivative_along, evaluated, law_polynomials, network_function

from conslaw_cli.families.mlp import BIASES, LOSSES, MLP, Bias
from conslaw_cli.networks.known_laws import Laws, join

WIDTHS = [(2, 3), (3, 1), (2, 2, 2), (1, 3, 2), (1, 2, 2, 1), (2, 1, 2, 2), (1, 2, 1, 2, 1)]


def kinds(hidden: int) -> Iterator[str | tuple[str, ...]]:
    """Yield a single activation, and every mixture that is not a single one."""
    yield from ("linear", "relu")
    yield from (
        mixed for mixed in product(("linear", "relu"), repeat=hidden) if len(set(mixed)) > 1
    )


NETWORKS = [
    MLP(widths, kind, bias, loss)
    for widths in WIDTHS
    for kind in kinds(len(widths) - 2)
    for bias in BIASES
    for loss in LOSSES
]
NAMED = [
    MLP((2, 2, 2), "identity", "all"),
    MLP((2, 3, 1), "abs"),
    MLP((2, 2, 2, 2), ("leaky_relu", "homogeneous"), "hidden"),
]
every_network = pytest.mark.parametrize("mlp", NETWORKS + NAMED, ids=lambda mlp: mlp.name)


@every_network
def test_every_known_law_is_conserved_symbolically(mlp: MLP) -> None:
    """``<∇h, ∇F>`` is the zero polynomial in the parameters and the probe."""
    function = network_function(mlp)
    field = function.gradient()
    laws = law_polynomials(mlp.laws(), function.theta)
    assert not any(h.is_ground for h in laws)
    assert [h for h in laws if derivative_along(h, field, function.theta) != 0] == []


def entries(mlp: MLP, layer: int) -> list[list[object]]:
    """Write down ``U_l^T U_l + b_l^T b_l − U_{l+1} U_{l+1}^T``, parameters looked up by name."""
    theta = dict(zip(mlp.graph.parameter_names(), network_function(mlp).theta, strict=True))
    before, n, after = mlp.widths[layer - 1 : layer + 2]

    def entry(i: int, j: int) -> object:
        written = sum(
            theta[f"U{layer}[{a},{i}]"] * theta[f"U{layer}[{a},{j}]"] for a in range(1, before + 1)
        )
        bias = theta[f"b{layer}[{i}]"] * theta[f"b{layer}[{j}]"] if f"b{layer}[1]" in theta else 0
        read = sum(
            theta[f"U{layer + 1}[{i},{a}]"] * theta[f"U{layer + 1}[{j},{a}]"]
            for a in range(1, after + 1)
        )
        return written + bias - read

    return [[entry(i, j) for j in range(1, n + 1)] for i in range(1, n + 1)]


@pytest.mark.parametrize("bias", BIASES)
def test_names_say_which_law_it_is(bias: Bias) -> None:
    mlp = MLP((2, 2, 3, 2), ("linear", "relu"), bias, "cross_entropy")
    laws = mlp.laws()
    named = dict(
        zip(
            map(laws.name, range(len(laws))),
            law_polynomials(laws, network_function(mlp).theta),
            strict=True,
        )
    )
    theta = dict(zip(mlp.graph.parameter_names(), network_function(mlp).theta, strict=True))
    first, second = ("" if bias is False else f" + b{layer}ᵀb{layer}" for layer in (1, 2))
    expected = {
        f"(U1ᵀU1{first} − U2U2ᵀ)[{i},{j}]": entries(mlp, 1)[i - 1][j - 1]
        for i, j in [(1, 1), (1, 2), (2, 2)]
    }
    expected |= {
        f"(diag(U2ᵀU2{second} − U3U3ᵀ))[{i},{i}]": entries(mlp, 2)[i - 1][i - 1] for i in (1, 2, 3)
    }
    expected |= {f"(U3·1)[{i}]": theta[f"U3[{i},1]"] + theta[f"U3[{i},2]"] for i in (1, 2, 3)}
    if bias == "all":
        expected["(b3·1)[1]"] = theta["b3[1]"] + theta["b3[2]"]
    assert named == expected


@every_network
def test_listed_laws_are_counted_without_making_them(mlp: MLP) -> None:
    laws = mlp.laws()
    assert len(laws) == mlp.known_listed == sum(family.size for family in laws.families)
    assert len({laws.name(i) for i in range(len(laws))}) == len(laws)
    assert len(laws.law) <= mlp.known_terms <= 2 * len(laws.law) + 2 * mlp.parameters


def test_terms_of_large_networks_are_estimated_closely() -> None:
    mlp = MLP((30, 40, 50, 20), "linear")
    assert len(mlp.laws().law) <= mlp.known_terms <= 1.2 * len(mlp.laws().law)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(NETWORKS), st.integers(1, 5), st.integers(0, 10**6))
def test_gradients_agree_with_symbolic_ones_however_they_are_split(
    mlp: MLP, rows: int, seed: int
) -> None:
    laws, theta = mlp.laws(), network_function(mlp).theta
    point = np.random.default_rng(seed).integers(-50, 50, len(theta))
    expected = [
        [evaluated(h.diff(x), theta, point.tolist()) for x in theta]
        for h in law_polynomials(laws, theta)
    ]
    parts = list(laws.gradients(point.astype(np.float64), rows))
    assert all(len(part) == rows for part in parts[:-1])
    found = np.concatenate([np.empty((0, len(theta))), *parts])
    assert np.array_equal(
        found, np.array(expected, dtype=np.float64).reshape(len(laws), len(theta))
    )


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(NETWORKS), st.integers(0, 10**6))
def test_values_agree_with_the_polynomials(mlp: MLP, seed: int) -> None:
    laws, theta = mlp.laws(), network_function(mlp).theta
    points = np.random.default_rng(seed).integers(-50, 50, (3, len(theta)))
    expected = [
        [evaluated(h, theta, point) for h in law_polynomials(laws, theta)]
        for point in points.tolist()
    ]
    assert np.array_equal(
        laws.values(points.astype(np.float64), lambda x: x),
        np.array(expected).reshape(3, len(laws)),
    )


def test_joined_laws_keep_their_order_and_names() -> None:
    networks = (
        MLP((2, 2, 2), "linear"),
        MLP((2, 3), "relu"),
        MLP((2, 3, 2), "relu", "all", "cross_entropy"),
    )
    parts = [mlp.laws() for mlp in networks]
    joined = join(parts)
    names = [part.name(i) for part in parts for i in range(len(part))]
    assert [joined.name(i) for i in range(len(joined))] == names
    theta = np.arange(20.0)
    split = [row for part in parts for rows in part.gradients(theta, 4) for row in rows]
    assert np.array_equal(np.concatenate(list(joined.gradients(theta, 5))), np.array(split))


def test_no_laws_at_all() -> None:
    nothing: Laws = join([])
    assert len(nothing) == 0
    assert list(nothing.gradients(np.zeros(3), 4)) == []
    with pytest.raises(IndexError):
        nothing.name(0)
