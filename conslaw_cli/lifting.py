"""From residues to integers: Chinese remainders, rational reconstruction, short lattice bases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import gcd, isqrt, lcm

from flint import fmpz_mat

Matrix = list[list[int]]


def combine(left: Matrix, modulus: int, right: Iterable[Iterable[float]], prime: int) -> Matrix:
    """Return the residues mod ``modulus · prime`` that are ``left`` mod the modulus and ``right``
    mod the prime.
    """
    inverse = pow(modulus, -1, prime)
    return [
        [x + modulus * ((int(y) - x) * inverse % prime) for x, y in zip(xs, ys, strict=True)]
        for xs, ys in zip(left, right, strict=True)
    ]


def rational(rows: Matrix, modulus: int) -> Matrix | None:
    """Return rows of coprime integers that are multiples of the residues, None if an entry is no
    small fraction.
    """
    lifted = []
    for row in rows:
        places = [place for place, x in enumerate(row) if x]  # most residues are 0
        fractions = [reconstruct(row[place], modulus) for place in places]
        if None in fractions:
            return None
        integers = cleared([x for x in fractions if x is not None])
        lifted.append([0] * len(row))
        for place, x in zip(places, integers, strict=True):
            lifted[-1][place] = x
    return lifted


def reconstruct(residue: int, modulus: int) -> Fraction | None:
    """Return the fraction a/b ≡ residue with |a|, b ≤ sqrt(modulus/2), unique if there is one:
    Euclid's algorithm, half way.
    """
    bound = isqrt(modulus // 2)
    a, b, x, y = modulus, residue % modulus, 0, 1
    while b > bound:
        quotient = a // b
        a, b, x, y = b, a - quotient * b, y, x - quotient * y
    return Fraction(b, y) if 0 < abs(y) <= bound and gcd(b, y) == 1 else None


def cleared(row: Sequence[Fraction]) -> list[int]:
    """Multiply by the common denominator."""
    scale = lcm(*(x.denominator for x in row))
    return [int(x * scale) for x in row]


def short(vectors: Matrix) -> Matrix:
    """Return a basis of the same lattice with short vectors (LLL)."""
    if len(vectors) < 2:
        return vectors
    return [[int(x) for x in row] for row in fmpz_mat(vectors).lll().tolist()]
