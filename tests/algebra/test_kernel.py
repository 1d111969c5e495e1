"""Ranks and kernels of integer matrices against sympy's rational elimination."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, lcm
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from conslaw_cli.algebra import kernel
from conslaw_cli.algebra.kernel import Vector, rank_and_kernel

SMALL = 2**30
LARGEST_PRIME = 8388593


def sparse(rows: Sequence[Sequence[int]]) -> list[dict[int, int]]:
    return [{e: c for e, c in enumerate(row) if c} for row in rows]


def over_the_rationals(rows: Sequence[Sequence[int]], columns: int) -> tuple[int, list[Vector]]:
    """Return the rank and sympy's reduced basis of the kernel, in coprime integers, the first one
    positive.
    """
    matrix = sympy.Matrix(len(rows), columns, [c for row in rows for c in row])
    vectors = []
    for fractions in matrix.nullspace():
        common = lcm(*(int(c.q) for c in fractions))
        integers = {e: int(c * common) for e, c in enumerate(fractions) if c}
        scale = gcd(*integers.values()) * (1 if min(integers.items())[1] > 0 else -1)
        vectors.append({e: c // scale for e, c in integers.items()})
    return matrix.rank(), vectors


matrices = st.integers(1, 6).flatmap(
    lambda columns: st.lists(
        st.lists(
            st.integers(-3, 3) | st.sampled_from([1000, LARGEST_PRIME, 2**40]),
            min_size=columns,
            max_size=columns,
        ),
        min_size=1,
        max_size=6,
    )
)


@settings(max_examples=150, deadline=None)
@given(matrices)
def test_rank_and_kernel_are_those_over_the_rationals(rows: list[list[int]]) -> None:
    """Also where the first prime divides entries and minors: then fewer vectors may be listed."""
    rank, vectors = over_the_rationals(rows, len(rows[0]))
    found_rank, found = rank_and_kernel(sparse(rows), len(rows[0]), SMALL)
    assert found_rank == rank
    for vector in found:
        assert not any(sum(row[e] * c for e, c in vector.items()) for row in rows)
        assert max(map(abs, vector.values())) < SMALL
    if not any(abs(c) > 1000 for row in rows for c in row):
        assert found == vectors


@pytest.mark.parametrize("bits", [8, 12, 29])
def test_entries_are_listed_below_the_bound_and_left_out_from_it_on(bits: int) -> None:
    """(2^n, 1) annihilates (1, −2^n); beside it (1, −1) annihilates (1, 1) and stays listed."""
    rows = sparse([[2**bits, 1, 0, 0], [0, 0, 1, 1]])
    large, small = {0: 1, 1: -(2**bits)}, {2: 1, 3: -1}
    assert rank_and_kernel(rows, 4, 2**bits + 1) == (2, [large, small])
    assert rank_and_kernel(rows, 4, 2**bits) == (2, [small])


@pytest.mark.parametrize("exponent", [31, 53, 400])
def test_entries_that_do_not_lift_leave_the_rank_exact(exponent: int) -> None:
    chain = [[0] * i + [2, 1] + [0] * (exponent - 1 - i) for i in range(exponent)]
    repeated = [*chain, [2 * a + 3 * b for a, b in zip(chain[0], chain[-1], strict=True)]]
    assert rank_and_kernel(sparse(repeated), exponent + 1, SMALL) == (exponent, [])


def test_a_prime_that_divides_a_minor_lowers_no_rank() -> None:
    """Modulo 8388593 the first matrix is zero, and the rows of the second are equal."""
    assert rank_and_kernel(sparse([[LARGEST_PRIME, 0]]), 2, SMALL) == (1, [{1: 1}])
    assert rank_and_kernel(sparse([[1, 1], [1, 1 + LARGEST_PRIME]]), 2, SMALL) == (2, [])


def test_what_does_not_lift_modulo_one_prime_lifts_modulo_three(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Modulo 8388593 alone fractions of numbers up to 2047 lift; all three primes are used then."""
    primes, honest = list[int](), kernel._nullspace

    def recorded(rows: Any, columns: int, prime: int) -> Any:
        primes.append(prime)
        return honest(rows, columns, prime)

    monkeypatch.setattr(kernel, "_nullspace", recorded)
    assert rank_and_kernel(sparse([[2000, 1999]]), 2, SMALL) == (1, [{0: 1999, 1: -2000}])
    assert primes == [LARGEST_PRIME]
    assert rank_and_kernel(sparse([[9**9, 7**9]]), 2, SMALL) == (1, [{0: 7**9, 1: -(9**9)}])
    assert primes[1:] == [8388593, 8388587, 8388581]


def test_no_rows_and_zero_rows() -> None:
    units = [{0: 1}, {1: 1}]
    assert rank_and_kernel([], 2, SMALL) == (0, units)
    assert rank_and_kernel([{}, {}], 2, SMALL) == (0, units)


def test_more_columns_than_calls_may_be_nested() -> None:
    rank, vectors = rank_and_kernel(({i: 1, i + 1: 1} for i in range(1199)), 1200, SMALL)
    assert (rank, vectors) == (1199, [{e: (-1) ** e for e in range(1200)}])
