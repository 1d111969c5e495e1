"""Rank and kernel of sparse integer matrices, exactly and in the time of an elimination mod p.

A rank r modulo a prime is a lower bound for the rank over Q. The reduced basis of the nullspace
modulo the prime is lifted to fractions; if all D − r vectors then are in the kernel over Z, which
is checked exactly, they are a basis of it and r is the rank. What does not lift modulo one prime is
lifted modulo the product of three.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import gcd

import numpy as np
from flint import fmpz_mat

from conslaw_cli.algebra.field import TERMS, Array, PrimeField, Span
from conslaw_cli.algebra.lifting import cleared, combine, reconstruct

Vector = dict[int, int]
"""Nonzero entries by their place, in ascending order."""
Columns = Mapping[int, Sequence[tuple[int, int]]]
"""A matrix: the nonzero entries of each column, with their rows."""

PRIMES = (8388593, 8388587, 8388581)
"""The largest three below 2^23: fractions of numbers up to 2^34 lift modulo their product."""


def rank_and_kernel(
    rows: Iterable[Mapping[int, int]], columns: int, below: int
) -> tuple[int, list[Vector]]:
    """Return the rank, and the vectors of a basis of the kernel whose entries are small.

    Each vector of the basis is nonzero at one of the columns without a pivot (those that depend on
    columns before them) and zero at the others; it is scaled to coprime integers, the first of them
    positive. Those with an entry of absolute value ``below`` or more are left out.
    """
    distinct = [dict(row) for row in dict.fromkeys(tuple(row.items()) for row in rows)]
    first = _nullspace(distinct, columns, PRIMES[0])
    rank, by_column = columns - len(first), _by_column(distinct)
    lifted = [_lifted(vector, PRIMES[0], by_column) for vector in _integers(first)]
    if None in lifted:
        rank = _exact_rank(distinct, columns, rank)
        lifted = _lifted_further(lifted, first, distinct, columns)
    small = (v for v in lifted if v and max(map(abs, v.values())) < below)
    return rank, list(small)


def _nullspace(rows: Sequence[Mapping[int, int]], columns: int, p: int) -> Array:
    span = Span(PrimeField(p))
    for start in range(0, len(rows), TERMS):
        part = np.zeros((min(TERMS, len(rows) - start), columns))
        for place, row in enumerate(rows[start : start + TERMS]):
            part[place, list(row)] = [c % p for c in row.values()]
        span.add(span.field.reduce(part))
        if span.rank == columns:
            break
    return span.nullspace(columns)


def _integers(basis: Array) -> list[Vector]:
    return [{int(e): int(vector[e]) for e in np.flatnonzero(vector)} for vector in basis]


def _by_column(rows: Iterable[Mapping[int, int]]) -> Columns:
    columns = defaultdict[int, list[tuple[int, int]]](list)
    for place, row in enumerate(rows):
        for e, c in row.items():
            columns[e].append((place, c))
    return columns


def _lifted(vector: Mapping[int, int], modulus: int, matrix: Columns) -> Vector | None:
    """Return the integers that residues stand for, None if these are in no kernel over Z."""
    fractions = [reconstruct(c, modulus) for c in vector.values()]
    whole = [c for c in fractions if c is not None]
    if len(whole) < len(fractions):
        return None
    integers = dict(zip(vector, cleared(whole), strict=True))
    products = Counter[int]()
    for e, c in integers.items():
        for place, entry in matrix.get(e, ()):
            products[place] += entry * c
    if any(products.values()):
        return None
    scale = gcd(*integers.values()) * (1 if next(iter(integers.values())) > 0 else -1)
    return {e: c // scale for e, c in integers.items()}


def _lifted_further(
    lifted: Sequence[Vector | None],
    first: Array,
    rows: Sequence[Mapping[int, int]],
    columns: int,
) -> list[Vector | None]:
    """Lift what is None modulo the product of all primes, if they give bases that go together."""
    missing = [place for place, vector in enumerate(lifted) if vector is None]
    residues, modulus = [[int(c) for c in first[place]] for place in missing], PRIMES[0]
    for p in PRIMES[1:]:
        basis = _nullspace(rows, columns, p)
        if len(basis) != len(first):  # one of the primes lowers the rank
            return list(lifted)
        residues = combine(residues, modulus, basis[missing].tolist(), p)
        modulus *= p
    whole, by_column = list(lifted), _by_column(rows)
    for place, row in zip(missing, residues, strict=True):
        whole[place] = _lifted({e: c for e, c in enumerate(row) if c % modulus}, modulus, by_column)
    return whole


def _exact_rank(rows: Sequence[Mapping[int, int]], columns: int, least: int) -> int:
    if least == min(len(rows), columns):
        return least
    matrix = fmpz_mat(len(rows), columns)
    for place, row in enumerate(rows):
        for e, c in row.items():
            matrix[place, e] = c
    return int(matrix.rank())
