"""Power series against plain polynomials, and against solutions of equations that are known."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conslaw_cli.algebra.field import TERMS, Array, PrimeField
from conslaw_cli.algebra.series import Series
from conslaw_cli.networks.operations.elementwise import Exponential

PROPERTY = settings(max_examples=40, deadline=None)
PRIMES = (11, 101, 8388593)


def evaluated(field: PrimeField, expression: Callable[..., Array], *terms: Array) -> Array:
    """Evaluate an expression of series (length, …), order by order."""
    over, found = Series(field, len(terms[0])), []
    for coefficients in zip(*terms, strict=True):
        found.append(expression(over, *coefficients))
        over = over.next()
    return np.stack(found)


def entry(x: Array, place: tuple[int, ...], m: int) -> list[list[int]]:
    """Return a series (length, …, 1 + m or 1) at one place: the coefficients of 1, ε_1, …, ε_m."""
    each = [[int(c) for c in x[(k, *place)]] for k in range(len(x))]
    return [[*c, *[0] * (1 + m - len(c))] for c in each]


def times(a: list[list[int]], b: list[list[int]], p: int) -> list[list[int]]:
    """Multiply series in t over numbers in ε_1, …, ε_m with ε_i ε_j = 0."""
    m = len(a[0]) - 1
    total = [[0] * (1 + m) for _ in a]
    for i, j in product(range(len(a)), repeat=2):
        if i + j < len(a):
            total[i + j][0] += a[i][0] * b[j][0]
            for e in range(1, 1 + m):
                total[i + j][e] += a[i][0] * b[j][e] + a[i][e] * b[j][0]
    return [[c % p for c in each] for each in total]


def plus(a: list[list[int]], b: list[list[int]], p: int) -> list[list[int]]:
    return [[(x + y) % p for x, y in zip(c, d, strict=True)] for c, d in zip(a, b, strict=True)]


@PROPERTY
@given(
    st.integers(0, 10**6),
    st.sampled_from(PRIMES),
    st.integers(1, 6),
    st.tuples(*[st.integers(1, 3)] * 4),
    st.tuples(*[st.booleans()] * 2),
    st.sampled_from([(1, 2), (2, 1), (2, 2)]),
)
def test_products_are_those_of_polynomials(
    seed: int,
    p: int,
    length: int,
    sizes: tuple[int, ...],
    plain: tuple[bool, bool],
    batches: tuple[int, int],
) -> None:
    """Matrices, some of them without ε, some with zeros for all high coefficients."""
    field, draw, (r, n, s, m) = PrimeField(p), np.random.default_rng(seed), sizes
    a = field.random(draw, (length, batches[0], r, n, 1 if plain[0] else 1 + m))
    b = field.random(draw, (length, batches[1], n, s, 1 if plain[1] else 1 + m))
    for x in (a, b):
        x[int(draw.integers(1, length + 1)) :] *= draw.integers(2)
    m *= not all(plain)
    found = evaluated(field, lambda over, x, y: over.matmul(x, y), a, b)
    assert found.shape == (length, 2, r, s, 1 + m)
    assert np.abs(found).max() <= p / 2
    for i, j, k in product(range(2), range(r), range(s)):
        total = [[0] * (1 + m) for _ in range(length)]
        for q in range(n):
            left = entry(a, (i % batches[0], j, q), m)
            right = entry(b, (i % batches[1], q, k), m)
            total = plus(total, times(left, right, p), p)
        assert [[int(c) % p for c in each] for each in found[:, i, j, k]] == total


def test_arrays_that_broadcast_are_multiplied_entry_by_entry() -> None:
    field, draw = PrimeField(101), np.random.default_rng(0)
    a, b = field.random(draw, (4, 2, 3, 1, 3)), field.random(draw, (4, 1, 3, 2, 1))
    found = evaluated(field, lambda over, x, y: over.multiply(x, y), a, b)
    assert found.shape == (4, 2, 3, 2, 3)
    for i, j, k in product(range(2), range(3), range(2)):
        expected = times(entry(a, (i, j, 0), 2), entry(b, (0, j, k), 2), 101)
        assert [[int(c) % 101 for c in each] for each in found[:, i, j, k]] == expected


def test_two_products_of_one_expression_remember_their_own_factors() -> None:
    field, draw = PrimeField(101), np.random.default_rng(1)
    a, b = field.random(draw, (5, 1, 1, 1, 2)), field.random(draw, (5, 1, 1, 1, 2))
    found = evaluated(field, lambda r, x, y: r.multiply(r.multiply(x, x), r.multiply(x, y)), a, b)
    x, y = entry(a, (0, 0, 0), 1), entry(b, (0, 0, 0), 1)
    expected = times(times(x, x, 101), times(x, y, 101), 101)
    assert [[int(c) % 101 for c in each] for each in found[:, 0, 0, 0]] == expected


def test_long_sums_are_exact() -> None:
    """TERMS + 1 products of the largest residues, over several orders."""
    p, length, inner = 8388593, 3, TERMS // 2
    a = np.full((length, 1, 1, inner, 2), p // 2 + 0.0)
    b = np.full((length, 1, inner, 1, 2), p // 2 + 0.0)
    found = evaluated(PrimeField(p), lambda over, x, y: over.matmul(x, y), a, b)[:, 0, 0, 0]
    whole = [(k + 1) * inner * (p // 2) ** 2 for k in range(length)]
    assert [[int(c) % p for c in each] for each in found] == [[c % p, 2 * c % p] for c in whole]


@pytest.mark.parametrize("p", [101, 8388593])
def test_a_differential_equation_is_solved_with_its_derivative(p: int) -> None:
    """``x' = x²`` has ``x = c/(1 − ct)``, so ``∂x/∂c = 1/(1 − ct)²``."""
    field, length, c = PrimeField(p), 40, 7
    over, x, found = Series(field, length), np.array([[[[c, 1.0]]]]), list[Any]()
    for _ in range(length):
        found.append(x[0, 0, 0] % p)
        x = over.integral(over.multiply(x, x))
        over = over.next()
    expected = [[pow(c, k + 1, p), (k + 1) * pow(c, k, p) % p] for k in range(length)]
    assert np.stack(found).astype(int).tolist() == expected


def test_functions_that_are_no_polynomials_are_refused() -> None:
    field = PrimeField(101)
    with pytest.raises(TypeError, match="no polynomials"):
        Series(field, 3).function(Exponential(), np.ones((1, 1, 1, 2)))
