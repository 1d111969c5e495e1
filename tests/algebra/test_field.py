"""Exact linear algebra mod p against plain Python elimination and plain Python integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from conslaw_cli.algebra.field import (
    BASE_ROWS,
    LARGEST_PRIME,
    PRIMES_IN_RANGE,
    SMALLEST_PRIME,
    TERMS,
    Array,
    Folding,
    PrimeField,
    Span,
    random_prime,
)

LARGEST = 8388593
"""The largest prime below 2^23: its residues leave the least room."""
PRIMES = (3, 101, 4194319, LARGEST)
PROPERTY = settings(max_examples=60, deadline=None)


def exact(x: NDArray[Any]) -> NDArray[Any]:
    """Turn an array of residues into one of Python integers."""
    integers: NDArray[Any] = np.vectorize(int, otypes=[object])(x)
    return integers


def residues(p: int, rows: Any) -> Array:
    """Return integers as centred residues."""
    half = p // 2
    return ((np.array(rows, dtype=np.int64) + half) % p - half).astype(np.float64)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def of_rank(p: int, rows: int, columns: int, rank: int, seed: int = 0) -> Array:
    """Return a matrix with this very rank: ``[I; R] [I S]``, rows and columns shuffled."""
    field, draw = PrimeField(p), rng(seed)
    tall = np.concatenate([np.eye(rank), field.random(draw, (rows - rank, rank))])
    wide = np.concatenate([np.eye(rank), field.random(draw, (rank, columns - rank))], axis=1)
    return field.matmul(tall, wide)[draw.permutation(rows)][:, draw.permutation(columns)]


# ---- primes


@pytest.mark.parametrize("modulus", [-7, 0, 1, 2, 9, 3 * 2796197, LARGEST_PRIME, LARGEST_PRIME + 9])
def test_a_modulus_that_is_no_odd_prime_below_the_bound_is_refused(modulus: int) -> None:
    with pytest.raises(ValueError, match=f"got {modulus}"):
        PrimeField(modulus)


@pytest.fixture(scope="module")
def primes() -> set[int]:
    """All primes between SMALLEST_PRIME and LARGEST_PRIME, by the sieve of Eratosthenes."""
    sieve = np.ones(LARGEST_PRIME + 1, dtype=bool)
    for i in range(2, int(LARGEST_PRIME**0.5) + 1):
        if sieve[i]:
            sieve[i * i :: i] = False
    return set((SMALLEST_PRIME + np.flatnonzero(sieve[SMALLEST_PRIME:])).tolist())


def test_primes_in_range_are_counted_right(primes: set[int]) -> None:
    assert len(primes) == PRIMES_IN_RANGE
    assert max(primes) == LARGEST


def test_random_primes_are_primes_in_range_and_spread_evenly(primes: set[int]) -> None:
    draw = rng()
    drawn = [random_prime(draw) for _ in range(400)]
    assert primes.issuperset(drawn)
    assert len(set(drawn)) > 390
    below = sum(p < (SMALLEST_PRIME + LARGEST_PRIME) // 2 for p in drawn) / len(drawn)
    assert abs(below - 0.5) < 0.1


def test_random_primes_are_reproducible() -> None:
    assert [random_prime(rng(5)) for _ in range(3)] == [random_prime(rng(5))] * 3


# ---- residues


@PROPERTY
@given(st.sampled_from(PRIMES), st.integers(-(2**53) + 1, 2**53 - 1))
def test_reduce_gives_the_centred_residue(p: int, x: int) -> None:
    reduced = int(PrimeField(p).reduce(np.array([float(x)]))[0])
    assert (reduced - x) % p == 0
    assert abs(reduced) <= p // 2 + 2


@pytest.mark.parametrize("p", PRIMES)
def test_every_nonzero_residue_has_an_inverse(p: int) -> None:
    field = PrimeField(p)
    for x in field.random(rng(), (50,)):
        if x:
            assert int(x) * int(field.inverse(x)) % p == 1
    with pytest.raises(ZeroDivisionError):
        field.inverse(0.0)


@pytest.mark.parametrize("p", PRIMES)
def test_random_residues_are_centred_and_reach_both_ends(p: int) -> None:
    drawn = PrimeField(p).random(rng(), (10_000,))
    assert np.abs(drawn).max() <= p // 2
    assert drawn.max() > 0.99 * (p // 2)
    assert drawn.min() < -0.99 * (p // 2)


@pytest.mark.parametrize("inner", [1, TERMS - 1, TERMS, TERMS + 1, 2 * TERMS, 3 * TERMS + 7])
@pytest.mark.parametrize(
    "signs", [(1, 1), (1, -1), (-1, -1), (0, 0)], ids=["++", "+-", "--", "mixed"]
)
def test_products_of_the_largest_residues_are_exact(inner: int, signs: tuple[int, int]) -> None:
    field, largest = PrimeField(LARGEST), LARGEST // 2 + 1
    a, b = (
        np.full(shape, float(sign * largest))
        for shape, sign in zip([(2, inner), (inner, 3)], signs, strict=True)
    )
    if signs == (0, 0):
        a, b = (largest * rng(1).choice([-1.0, 1.0], size=x.shape) for x in (a, b))
    assert not ((exact(field.matmul(a, b)) - exact(a) @ exact(b)) % LARGEST).any()


@PROPERTY
@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from(PRIMES),
)
def test_a_batch_of_one_is_repeated(seed: int, m: int, k: int, n: int, p: int) -> None:
    field, draw = PrimeField(p), rng(seed)
    a, b = field.random(draw, (1, m, k)), field.random(draw, (3, k, n))
    expected = [(exact(a[0]) @ exact(part)) % p for part in b]
    assert np.array_equal(exact(field.matmul(a, b)) % p, np.array(expected))


# ---- rank


def table(p: int) -> dict[str, NDArray[Any]]:
    """Matrices of every kind, of Python integers."""
    draw = rng(7)
    square = draw.integers(-9, 10, (7, 7))
    cases: dict[str, NDArray[Any]] = {
        "no rows": np.zeros((0, 4)),
        "zero": np.zeros((3, 4)),
        "one row": np.array([[0, 0, 2]]),
        "one column": np.array([[0], [5], [1]]),
        "identity": np.eye(6),
        "permutation": np.eye(6)[draw.permutation(6)],
        "square": square,
        "wide": draw.integers(-9, 10, (4, 11)),
        "tall": draw.integers(-9, 10, (40, 5)),
        "repeated rows": np.tile(square[:3], (12, 1)),
        "multiples of p": p * square,
        "rank 1": np.outer(np.arange(1, 20), np.arange(1, 9)),
        "last column only": np.eye(1, 30, 29).repeat(20, axis=0),
        "dependent mod p only": np.array([[1, 1], [1, 1 + p]]),
        "sparse": (draw.random((40, 40)) < 0.04) * draw.integers(1, 9, (40, 40)),
        "long and sparse": (draw.random((40, 300)) < 0.01) * draw.integers(1, 9, (40, 300)),
        "base case": draw.integers(-9, 10, (BASE_ROWS, BASE_ROWS + 1)),
        "one more than the base case": draw.integers(-9, 10, (BASE_ROWS + 1, BASE_ROWS)),
        "rank 20 of 50": draw.integers(-9, 10, (50, 20)) @ draw.integers(-9, 10, (20, 45)),
    }
    return {name: rows.astype(np.int64) for name, rows in cases.items()}


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize("case", table(3))
def test_rank_agrees_with_plain_elimination(case: str, p: int) -> None:
    rows = table(p)[case]
    assert PrimeField(p).rank(residues(p, rows)) == reference.rank(rows.tolist(), p)


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize("case", table(3))
def test_a_nullspace_has_what_the_rank_leaves(case: str, p: int) -> None:
    rows, field = residues(p, table(p)[case]), PrimeField(p)
    found = field.nullspace(rows)
    assert len(found) == rows.shape[1] - reference.rank(table(p)[case].tolist(), p)
    assert not field.matmul(rows, found.T).any()
    assert field.rank(found) == len(found)


@pytest.mark.parametrize(
    ("rows", "columns", "rank"),
    [
        (1200, 600, 550),
        (TERMS + 1, 40, 40),
        (TERMS, TERMS, TERMS),
        (2 * TERMS + 3, TERMS + 9, TERMS + 9),
        (20, 700, 17),
    ],
)
def test_rank_of_matrices_beyond_one_part(rows: int, columns: int, rank: int) -> None:
    assert PrimeField(LARGEST).rank(of_rank(LARGEST, rows, columns, rank)) == rank


matrices = st.tuples(st.integers(1, 40), st.integers(1, 12)).flatmap(
    lambda shape: st.lists(
        st.lists(st.integers(-2, 2), min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    )
)


@PROPERTY
@given(matrices, st.sampled_from(PRIMES), st.data())
def test_rank_grows_as_in_plain_elimination_however_rows_are_split(
    rows: list[list[int]], p: int, data: st.DataObject
) -> None:
    span, start = Span(PrimeField(p)), 0
    while start < len(rows):
        stop = data.draw(st.integers(start + 1, len(rows)))
        gained = span.add(residues(p, rows[start:stop]))
        assert gained == reference.rank(rows[:stop], p) - reference.rank(rows[:start], p)
        assert span.rank == reference.rank(rows[:stop], p)
        start = stop


@PROPERTY
@given(matrices, st.sampled_from(PRIMES), st.integers(0, 10**6))
def test_combinations_of_rows_add_nothing(rows: list[list[int]], p: int, seed: int) -> None:
    field = PrimeField(p)
    span, matrix = Span(field), residues(p, rows)
    span.add(matrix)
    assert span.add(field.matmul(field.random(rng(seed), (5, len(rows))), matrix)) == 0


def test_adding_rows_leaves_them_as_they_are() -> None:
    rows = of_rank(LARGEST, 40, 30, 20)
    kept = rows.copy()
    Span(PrimeField(LARGEST)).add(rows)
    assert np.array_equal(rows, kept)


@PROPERTY
@given(matrices, st.sampled_from(PRIMES))
def test_nullspace_is_all_that_the_rows_annihilate(rows: list[list[int]], p: int) -> None:
    matrix = residues(p, rows)
    basis = exact(PrimeField(p).nullspace(matrix))
    assert not (np.array(rows, dtype=object) @ basis.T % p).any()
    assert len(basis) == reference.rank(basis.tolist(), p) == len(rows[0]) - reference.rank(rows, p)


@PROPERTY
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 5), st.sampled_from(PRIMES))
def test_full_rank_of_many_small_matrices(seed: int, rows: int, columns: int, p: int) -> None:
    batch = rng(seed).integers(-1, 2, (8, max(rows, columns), columns))
    expected = [reference.rank(matrix.tolist(), p) == columns for matrix in batch]
    assert PrimeField(p).full_rank(residues(p, batch)).tolist() == expected


# ---- folding


@PROPERTY
@given(matrices, st.data())
def test_a_fold_is_linear_and_never_raises_the_rank(
    rows: list[list[int]], data: st.DataObject
) -> None:
    field = PrimeField(LARGEST)
    matrix, columns = residues(LARGEST, rows), len(rows[0])
    fold = Folding.random(field, rng(3), columns, data.draw(st.integers(1, columns)))
    assert field.rank(fold(matrix)) <= field.rank(matrix)
    mixed = field.random(rng(4), (3, len(rows)))
    difference = fold(field.matmul(mixed, matrix)) - field.matmul(mixed, fold(matrix))
    assert not field.reduce(difference).any()


@pytest.mark.parametrize(
    ("columns", "kept"), [(600, 401), (600, 200), (600, 7), (50, 49), (9, 9), (300, 1)]
)
def test_a_fold_keeps_the_rank_of_generic_rows_that_fit(columns: int, kept: int) -> None:
    field = PrimeField(LARGEST)
    rows = field.random(rng(12), (kept, columns))
    fold = Folding.random(field, rng(13), columns, kept)
    assert fold(rows).shape == (kept, kept)
    assert field.rank(fold(rows)) == kept
