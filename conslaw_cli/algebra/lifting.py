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


def algebraic(rows: Matrix, modulus: int, radicals: Sequence[int]) -> Matrix | None:
    """Return rows of coprime integers for the residues of numbers of a number field; None if an
    entry is no small combination.

    radicals: the residues of numbers that with 1 are a basis of the field over the rationals. Each
    entry of a row gives as many integers as the basis has numbers: its coefficients in these.
    """
    lifted = []
    for row in rows:
        found = [_combination(x, modulus, radicals) for x in row]
        if None in found:
            return None
        lifted.append(cleared([x for each in found if each is not None for x in each]))
    return lifted


def _combination(residue: int, modulus: int, radicals: Sequence[int]) -> list[Fraction] | None:
    """Return small rational coefficients of a combination of 1 and the radicals: a short vector of
    the lattice of those (a_0, a_1, …, b) for which ``a_0 + Σ a_i r_i ≡ b · residue``.
    """
    size = len(radicals) + 1
    if residue % modulus in (0, 1):
        return [Fraction(residue % modulus), *[Fraction(0)] * len(radicals)]
    lattice = fmpz_mat(size + 1, size + 1)
    lattice[0, 0] = modulus
    for i, number in enumerate([*(-r for r in radicals), residue], start=1):
        lattice[i, 0], lattice[i, i] = number, 1
    *above, below = (int(x) for x in lattice.lll().table()[0])
    small = max(map(abs, (*above, below))) ** (size + 1) < modulus >> (size + 1)
    return [Fraction(a, below) for a in above] if below and small else None


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


def small(rows: Matrix, modulus: int) -> Matrix:
    """Return integer vectors that are combinations of the rows modulo a number, short ones first,
    as many as a reduced basis has that are no multiples of the modulus.
    """
    size = len(rows[0])
    multiples = [[modulus * (i == j) for j in range(size)] for i in range(size)]
    reduced = fmpz_mat(rows + multiples).lll().tolist()
    vectors = [[int(x) for x in row] for row in reduced]
    return [v for v in vectors if any(x % modulus for x in v)]


def short(vectors: Matrix) -> Matrix:
    """Return a basis of the same lattice with short vectors (LLL)."""
    if len(vectors) < 2:
        return vectors
    return [[int(x) for x in row] for row in fmpz_mat(vectors).lll().tolist()]
