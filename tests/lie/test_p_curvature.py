"""The missing laws of scalar linear networks are no polynomials: the certificate of
``p_curvature.py``, and that it can fail.
"""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from p_curvature import (
    certificate,
    determinant,
    interpolated,
    jacobian,
    no_common_factor,
    powers,
    rank,
)

from conslaw_cli.families.mlp import MLP
from conslaw_cli.laws.polynomials import find_laws
from conslaw_cli.lie.count import count_laws


@pytest.mark.parametrize(
    ("widths", "p"), [((1, 2, 2, 1), 101), ((1, 2, 2, 2, 1), 31), ((1, 3, 3, 1), 17)]
)
def test_missing_laws_are_no_polynomials_of_degree_below_p(widths: tuple[int, ...], p: int) -> None:
    row = count_laws(MLP(widths, "linear"))
    assert row.unknown_laws
    assert certificate(widths, p) == (True, True)


def test_a_determinant_is_a_law_that_is_no_polynomial_in_the_known_ones() -> None:
    """1-2-3-1: the layer of width 3 is as wide as its neighbours together, so det [U2; U3ᵀ] is a
    law of degree 3.
    """
    network = MLP((1, 2, 3, 1), "linear")
    found = find_laws(network, 3, basis=True)
    assert (dict(found.linear), dict(found.products)) == ({1: 0, 2: 9, 3: 1}, {1: 0, 2: 9, 3: 0})
    assert found.independent == found.known == 9
    assert find_laws(network, 3, homogeneous=True).known == 1
    assert found.basis is not None
    (law,) = (law.polynomial for law in found.basis if not law.known)
    names = [[found.parameters.index(f"U2[{i},{j}]") for j in (1, 2, 3)] for i in (1, 2)]
    rows = [*names, [found.parameters.index(f"U3[{j},1]") for j in (1, 2, 3)]]
    theta = np.random.default_rng(0).integers(-9, 9, size=11)
    value = sum(c * int(np.prod(theta[list(m)])) for c, m in law.terms)
    assert abs(value) == abs(round(np.linalg.det(theta[np.array(rows)].astype(float))))
    assert certificate((1, 2, 3, 1), 101) == (True, False)


@pytest.mark.parametrize(
    "widths", [(1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1, 1), (1, 2, 1), (1, 3, 1), (1, 2, 1, 1)]
)
def test_a_field_all_of_whose_laws_are_polynomials_is_closed_under_powers(
    widths: tuple[int, ...],
) -> None:
    """Nothing is missing, and X^p is a multiple of X: the rank can be too small."""
    network, p, rng = MLP(widths, "linear"), 101, np.random.default_rng(0)
    assert count_laws(network).unknown_laws == 0
    found = powers(widths, rng.integers(1, p, size=network.parameters), p, p)
    assert rank([found[1].tolist(), found[p].tolist()], p) == 1


@pytest.mark.parametrize("widths", [(1, 2, 1), (1, 3, 1), (1, 1, 2, 1)])
def test_laws_beyond_polynomials_in_the_known_ones_are_not_excluded(
    widths: tuple[int, ...],
) -> None:
    """u_i v_j − u_j v_i is a common factor of the minors, or there are more known laws than
    independent ones.
    """
    found = find_laws(MLP(widths, "linear"), 2)
    assert found.linear != found.products
    assert certificate(widths, 101) == (True, False)


def test_powers_are_derivatives_along_the_field() -> None:
    """Against symbolic derivatives of the entries of θ."""
    widths, p = (1, 2, 2, 1), 10007
    theta = oracle.Parameters(MLP(widths, "linear"))
    (field,) = oracle.generators(MLP(widths, "linear"), theta)
    point = np.random.default_rng(0).integers(p, size=len(theta.gens))
    found = powers(widths, point, 4, p)
    entries = list(theta.gens)
    for k in range(5):
        assert [oracle.evaluate(x, point.tolist()) % p for x in entries] == found[k].tolist()
        entries = [
            sum(x.diff(g) * f for g, f in zip(theta.gens, field, strict=True)) for x in entries
        ]


def test_power_p_is_a_derivation() -> None:
    """Modulo p, X^p annihilates what X does: the known laws."""
    network, p = MLP((1, 2, 3, 1), "linear"), 31
    theta = np.random.default_rng(1).integers(p, size=network.parameters)
    found = powers(network.widths, theta, p, p)
    gradients = jacobian(network, theta, p)
    assert not (gradients @ found[1] % p).any()
    assert not (gradients @ found[p] % p).any()
    assert (gradients @ found[2] % p).any()


def test_a_common_factor_is_seen() -> None:
    """The minors of (u_1² − v_1², u_1 u_2 − v_1 v_2, u_2² − v_2²) share the factor u_1 v_2 − u_2
    v_1.
    """
    assert not no_common_factor(MLP((1, 2, 1), "linear"), 101, np.random.default_rng(0))
    assert no_common_factor(MLP((1, 2, 2, 1), "linear"), 101, np.random.default_rng(0))


@pytest.mark.parametrize("p", [6, 4, 9, 2**31 - 1])
def test_only_suitable_primes_are_taken(p: int) -> None:
    with pytest.raises(ValueError, match=f"expected a prime between 6 and 2\\^20, got {p}"):
        certificate((1, 2, 2, 1), p)


def test_only_scalar_networks_are_taken() -> None:
    with pytest.raises(ValueError, match=r"expected widths from 1 to 1, got \[1, 2, 2\]"):
        certificate((1, 2, 2), 101)


def test_determinants_and_interpolation() -> None:
    assert determinant([[0, 2, 1], [3, 0, 1], [1, 1, 4]], 101) == -19 % 101
    assert determinant([[1, 2], [2, 4]], 101) == 0
    assert rank([[1, 2], [2, 4], [0, 0]], 101) == 1
    assert interpolated([(t, (3 * t * t + 7) % 101) for t in range(4)], 101) == [3, 0, 7]
