"""Laws of two layers of windows, held against φ written down by definition (oracle_layers.py)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import oracle
import pytest
from oracle import Poly
from oracle_layers import layered
from reference import law_polynomials, rank
from sympy import ZZ
from sympy.polys.rings import ring

from conslaw_cli import (
    Activation,
    Convolution,
    Flat,
    Friction,
    Layers,
    Linear,
    Momentum,
    Pool,
    Problem,
    TransposedConvolution,
    count_laws,
)
from conslaw_cli.lie.lifting import lifting
from conslaw_cli.networks.correlations import Correlations

RELU = Activation("relu")
P = 1_000_003


def circle(channels: int, *kernel: int, **more: Any) -> Convolution:
    return Convolution(channels, kernel, more.pop("stride", (1,) * len(kernel)), "circular", **more)


def window(channels: int, kernel: int, stride: int = 1) -> Convolution:
    return Convolution(channels, (kernel,), (stride,))


def spread(channels: int, kernel: int, stride: int, cut: int = 0, bias: bool = False) -> Any:
    return TransposedConvolution(channels, (kernel,), (stride,), (cut,), bias)


def network(shape: tuple[int, ...], *layers: Any) -> Layers:
    return Layers(shape, layers)


LISTED: list[tuple[Layers, int, int]] = [
    # c channels around a circle of p places: (c² (p − 1) + [p even] c)/2 beside those at lag 0.
    (network((2, 3), circle(2, 3), circle(2, 3)), 4, 4),
    (network((1, 4), circle(2, 4), circle(2, 4)), 7, 5),
    (network((1, 2), circle(3, 2), circle(2, 2)), 6, 3),
    (network((1, 5), circle(1, 5), circle(1, 5)), 2, 2),
    # One lag for each pair ±h of a torus; p = 2 × 3 has 3 beside 0, 2 × 2 too.
    (network((1, 2, 3), circle(1, 2, 3), circle(1, 2, 3)), 3, 2),
    (network((1, 2, 2), circle(2, 2, 2), circle(2, 2, 2)), 9, 3),
    # A kernel of one row translates along rows alone.
    (network((1, 2, 3), circle(1, 1, 3), circle(1, 2, 3)), 1, 1),
    # Biases are the same at all places.
    (network((2, 3), circle(2, 3, bias=True), circle(1, 3, bias=True)), 4, 4),
    (network((1, 4), circle(1, 4, bias=True), Flat(), Linear(2)), 2, 1),
    # In groups each has its own; dilated kernels are others, or those of a smaller circle.
    (network((2, 3), circle(2, 3, groups=2), circle(2, 3)), 2, 2),
    (network((2, 3), circle(4, 3, groups=2), circle(4, 3, groups=4)), 4, 4),
    (network((1, 5), circle(1, 5, dilation=(2,)), circle(1, 5)), 2, 2),
    (network((1, 4), circle(1, 2, dilation=(2,)), circle(1, 4)), 1, 0),
    # A dense layer, or one window, tells all places apart.
    (network((1, 4), circle(1, 4), Flat(), Linear(2)), 2, 1),
    (network((1, 4), circle(1, 4), window(2, 4)), 2, 1),
    (network((1, 4), circle(1, 4, stride=(2,)), circle(1, 2)), 1, 0),
    # Behind a transposed convolution of stride s places are of s kinds, which are mixed if no two
    # windows of a kind overlap.
    (network((1, 2), spread(1, 2, 2), Flat(), Linear(2)), 2, 1),
    (network((1, 2), spread(1, 4, 2, 1), Flat(), Linear(2)), 1, 0),
    (network((2, 2), spread(2, 2, 2), window(2, 2, 2)), 7, 5),
    (network((1, 2), spread(1, 2, 3), Flat(), Linear(1)), 3, 1),
    (network((1, 2), spread(1, 2, 2, bias=True), Flat(), Linear(2)), 1, 0),
    (network((1, 2), spread(2, 2, 2), RELU, Flat(), Linear(2)), 2, 0),
    (network((1, 3), spread(1, 3, 2), RELU, Flat(), Linear(1)), 1, 0),
    # What lets no other matrices pass.
    (network((1, 4), circle(1, 4), RELU, circle(1, 4)), 0, 0),
    (network((1, 4), circle(1, 2), circle(1, 4)), 0, 0),
    (network((1, 4), circle(1, 3), Flat(), Linear(1)), 0, 0),
    (network((1, 2), spread(1, 2, 2), spread(1, 2, 2)), 0, 0),
    (network((1, 4), circle(1, 4), Pool((2,), (2,)), Flat(), Linear(1)), 0, 0),
    (network((1, 3), circle(1, 6), circle(1, 3)), 0, 0),
]
"""Networks, how many laws they list beyond the wiring's, and how many charges under momentum."""


def name(each: object) -> str:
    return each.name if isinstance(each, Layers) else str(each)


def correlated(architecture: Layers) -> int:
    families = architecture.laws().families
    return sum(each.size for each in families if isinstance(each, Correlations))


@pytest.mark.parametrize(("architecture", "more", "_"), LISTED, ids=name)
def test_listed_laws_are_constant_along_the_fields(architecture: Layers, more: int, _: int) -> None:
    phi, laws = layered(architecture), architecture.laws()
    fields = phi.fields()
    assert correlated(architecture) == more
    listed = law_polynomials(laws, phi.gens)
    assert len({str(law) for law in listed}) == len(listed)
    for law in listed:
        gradient = oracle.gradient(law, phi.gens)
        for field in fields:
            assert sum((x * y for x, y in zip(gradient, field, strict=True)), law.ring(0)) == 0


SMALL = [each for each, more, _ in LISTED if more and len(each.parameter_names()) <= 10]


@pytest.mark.parametrize("architecture", SMALL, ids=lambda each: each.name)
def test_all_quadratic_laws_are_listed(architecture: Layers) -> None:
    """Against the null space of all quadratic polynomials at random points, modulo a prime."""
    phi = layered(architecture)
    size, rng = len(phi.gens), np.random.default_rng(0)
    pairs = [*combinations_with_replacement(range(size), 2)]
    rows: list[list[int]] = []
    fields = phi.fields()
    for _ in range(2 * len(pairs) // len(fields) + 10):
        theta = rng.integers(P, size=size).tolist()
        for field in fields:
            at = [int(entry.evaluate([*zip(phi.gens, theta, strict=True)])) for entry in field]
            rows.append([(theta[i] * at[j] + theta[j] * at[i]) % P for i, j in pairs])
    listed = law_polynomials(architecture.laws(), phi.gens)
    monomials = [phi.gens[i] * phi.gens[j] for i, j in pairs]
    known = [[int(law.coeff(m)) for m in monomials] for law in listed]
    assert len(pairs) - rank(rows, P) == rank(known, P) == len(listed)


@pytest.mark.parametrize(("architecture", "_", "charges"), LISTED, ids=name)
def test_charges_of_momentum_are_constant(architecture: Layers, _: int, charges: int) -> None:
    """θ' = p, p' is any gradient: drift and controls are told apart by φ itself."""
    problem = Problem(architecture, Momentum(Friction.NONE))
    families = problem.families() or ()
    mine = [each for each in families if isinstance(getattr(each, "base", None), Correlations)]
    assert sum(each.size for each in mine) == charges
    phi = layered(architecture)
    size = len(phi.gens)
    _, *state = ring([*map(str, phi.gens), *(f"p{i}" for i in range(size)), "s"], ZZ)
    fields = [[entry.set_ring(state[0].ring) for entry in field] for field in phi.fields()]
    for law in law_polynomials(problem.laws(), state):
        assert along(law, state[:size], state[size:-1]) == 0
        assert all(along(law, state[size:-1], field) == 0 for field in fields)


def along(law: Poly, variables: Sequence[Poly], directions: Sequence[Poly]) -> Poly:
    pairs = zip(variables, directions, strict=True)
    return sum((law.diff(x) * y for x, y in pairs), law.ring(0))


@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("length", [2, 3, 4])
def test_full_circles_of_several_channels_are_complete(channels: int, length: int) -> None:
    """Where neighbours are not narrower, by dim Lie itself."""
    layer = circle(channels, length)
    row = count_laws(network((channels, length), layer, layer))
    number = (channels**2 * length + channels * (2 - length % 2)) // 2
    assert (row.laws, row.unknown_laws, row.verdict) == (number, 0, "proved")


def test_strands_count_the_correlations_of_pairs() -> None:
    """c² at a lag: two for two strands of one channel, one for one."""
    for flow in (None, Momentum()):
        for channels in (3, 5):
            layers = (circle(channels, 3), circle(channels, 3), RELU, Flat(), Linear(2))
            architecture = network((channels, 3), *layers)
            problem = Problem(architecture, flow) if flow else Problem(architecture)
            found = lifting(problem)
            assert found is not None
            assert found[0].laws == len(problem.laws())
            if channels == 3:
                assert found[0].laws == count_laws(problem).laws


def test_a_place_that_nothing_writes_gives_a_weight_that_stays() -> None:
    """A kernel of two places 3 apart leaves every third place empty."""
    row = count_laws(network((1, 2), spread(1, 2, 3), Flat(), Linear(1)))
    assert (row.laws, row.unknown_laws) == (4, 0)
