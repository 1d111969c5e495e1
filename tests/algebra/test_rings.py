"""Jets against plain polynomials in nilpotent variables, and against derivatives of sympy's
polynomials.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sympy import ZZ
from sympy.polys.rings import ring

from conslaw_cli.algebra.field import TERMS, Array, PrimeField
from conslaw_cli.algebra.rings import Integers, Jets, derivative, lift, value

PRIMES = (5, 101, 8388593)
PROPERTY = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 10**6)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def plain(jet: NDArray[Any], p: int) -> reference.Jet:
    """Return one jet (2^k coefficients) as a polynomial in the ε_i: bit i of an index stands for
    ε_i.
    """
    return {
        frozenset(i for i in range(8) if index >> i & 1): int(c) % p for index, c in enumerate(jet)
    }


def same(x: reference.Jet, y: reference.Jet) -> bool:
    return all(x.get(s, 0) == y.get(s, 0) for s in x.keys() | y.keys())


def one(field: PrimeField, draw: np.random.Generator, order: int) -> Array:
    """Draw one random jet, as a 1 × 1 matrix."""
    return field.random(draw, (1, 1, 1, 2**order))


@PROPERTY
@given(
    SEEDS,
    st.sampled_from(PRIMES),
    st.tuples(*[st.integers(1, 3)] * 3),
    st.integers(0, 3),
    st.sampled_from([1, 2]),
)
def test_matrix_products_agree_with_plain_nilpotent_polynomials(
    seed: int, p: int, sizes: tuple[int, int, int], order: int, copies: int
) -> None:
    m, k, n = sizes
    field, draw = PrimeField(p), rng(seed)
    a, b = field.random(draw, (copies, m, k, 2**order)), field.random(draw, (2, k, n, 2**order))
    found = Jets(field).matmul(a, b)
    assert found.shape == (2, m, n, 2**order)
    for batch, i, j in product(range(2), range(m), range(n)):
        expected: reference.Jet = {}
        for left, right in zip(a[batch % copies, i], b[batch, :, j], strict=True):
            expected = reference.add_jets(
                expected, reference.multiply_jets(plain(left, p), plain(right, p), p), p
            )
        assert same(plain(found[batch, i, j], p), expected)


def test_long_sums_of_large_jets_are_exact() -> None:
    p, inner = 8388593, TERMS // 3
    a, b = np.full((1, 1, inner, 8), p // 2 + 0.0), np.full((1, inner, 1, 8), p // 2 + 0.0)
    found = Jets(PrimeField(p)).matmul(a, b)[0, 0, 0]
    products = [2 ** bin(s).count("1") * inner * (p // 2) ** 2 for s in range(8)]
    assert [int(x) % p for x in found] == [x % p for x in products]


@PROPERTY
@given(SEEDS, st.sampled_from(PRIMES), st.integers(0, 4))
def test_jets_are_a_commutative_ring(seed: int, p: int, order: int) -> None:
    field, draw = PrimeField(p), rng(seed)
    jets, (x, y, z) = Jets(field), (one(field, draw, order) for _ in range(3))

    def equal(a: Array, b: Array) -> bool:
        return not field.reduce(a - b).any()

    assert equal(jets.matmul(x, y), jets.matmul(y, x))
    assert equal(jets.matmul(jets.matmul(x, y), z), jets.matmul(x, jets.matmul(y, z)))
    assert equal(
        jets.matmul(x, jets.reduce(y + z)), jets.reduce(jets.matmul(x, y) + jets.matmul(x, z))
    )


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_square_of_every_epsilon_is_zero(order: int) -> None:
    jets = Jets(PrimeField(101))
    for i in range(order):
        epsilon = np.zeros((1, 1, 1, 2**order))
        epsilon[..., 1 << i] = 1
        assert not jets.matmul(epsilon, epsilon).any()


# ---- derivatives

POLYNOMIALS = ring("x,y,z", ZZ)
"""A ring and its three variables."""
integer_polynomials = st.dictionaries(
    st.tuples(*[st.integers(0, 3)] * 3), st.integers(-5, 5).filter(bool), min_size=1, max_size=5
).map(POLYNOMIALS[0].from_dict)
vectors = st.lists(st.integers(-20, 20), min_size=3, max_size=3)


def at(poly: reference.Poly, point: list[int], p: int) -> int:
    return reference.evaluated(poly, POLYNOMIALS[1:], point) % p


def evaluated(poly: reference.Poly, x: Array, jets: Jets) -> Array:
    """Evaluate a polynomial at a point (1, 3, 2^k) of jets, by sums and products alone; return 2^k
    coefficients.
    """
    total = np.zeros((1, 1, 1, x.shape[-1]))
    for exponents, c in poly.terms():
        term = np.zeros_like(total)
        term[..., 0] = int(c)
        for i in (i for i, e in enumerate(exponents) for _ in range(e)):
            term = jets.matmul(term, x[:, i, None, None])
        total = jets.reduce(total + term)
    coefficients: Array = total[0, 0, 0]
    return coefficients


def jet(vector: list[int]) -> Array:
    return np.array(vector, dtype=np.float64)[None, :, None]


def along(poly: reference.Poly, v: list[int]) -> reference.Poly:
    return sum((poly.diff(x) * c for x, c in zip(POLYNOMIALS[1:], v, strict=True)), start=0 * poly)


@PROPERTY
@given(integer_polynomials, vectors, vectors)
def test_the_newest_epsilon_holds_the_directional_derivative(
    poly: reference.Poly, point: list[int], v: list[int]
) -> None:
    p = 8388593
    found = evaluated(poly, lift(jet(point), jet(v)), Jets(PrimeField(p)))
    assert int(value(found)[0]) % p == at(poly, point, p)
    assert int(derivative(found)[0]) % p == at(along(poly, v), point, p)


@PROPERTY
@given(integer_polynomials, vectors, vectors, vectors)
def test_lifting_along_a_vector_that_depends_on_an_epsilon(
    poly: reference.Poly, point: list[int], v: list[int], w: list[int]
) -> None:
    """``(x + ε_1 v) + ε_2 (w + ε_1 u)`` has at ε_1 ε_2 the second derivative along v and w, plus
    the first along u.
    """
    p, u = 8388593, [c + 1 for c in v]
    moved = lift(lift(jet(point), jet(v)), lift(jet(w), jet(u)))
    found = evaluated(poly, moved, Jets(PrimeField(p)))
    expected = at(along(along(poly, v), w), point, p) + at(along(poly, u), point, p)
    assert int(derivative(derivative(found))[0]) % p == expected % p
    assert int(derivative(value(found))[0]) % p == at(along(poly, v), point, p)
    assert int(value(derivative(found))[0]) % p == at(along(poly, w), point, p)


def test_lift_repeats_a_shared_point() -> None:
    x, v = np.arange(3.0)[None, :, None], np.ones((4, 3, 1))
    lifted = lift(x, v)
    assert lifted.shape == (4, 3, 2)
    assert np.array_equal(value(lifted)[2], x[0])
    assert np.array_equal(derivative(lifted), v)


@PROPERTY
@given(SEEDS)
def test_integers_are_exact_beyond_any_word(seed: int) -> None:
    draw = rng(seed)
    a, b = (
        draw.integers(0, 2**62, shape).astype(object) * 10**30 for shape in [(2, 3, 1), (3, 2, 1)]
    )
    found = Integers().matmul(a[None], b[None])[0]
    for i, j in product(range(2), range(2)):
        assert found[i, j, 0] == sum(a[i, k, 0] * b[k, j, 0] for k in range(3))


def test_sizes_are_those_after_denominators_are_cleared() -> None:
    """Exact numbers are divided, floats that bound sizes are not: 1/4 of 8 terms is a multiple of
    1/4 whose numerator may be 8.
    """
    ones = np.ones((1, 1, 1, 1))
    assert Integers().divide(8 * ones, 4).tolist() == (8 * ones).tolist()
    eight = np.full((1, 1, 1, 1), 8, dtype=object)
    assert Integers().divide(eight, 3).tolist() == [[[[Fraction(8, 3)]]]]


def test_averages_are_divided_modulo_a_prime() -> None:
    """3·(−34) = −102 = −1 and 3·(−17) = −51 = 50."""
    field = PrimeField(101)
    assert Jets(field).divide(np.array([3.0, -1.0, 50.0]), 3).tolist() == [1, -34, -17]
