"""Rings of polynomials that fields act on, exactly and at points modulo primes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm, prod
from typing import Any, TypeVar

import numpy as np
from flint import fmpq, fmpz

from conslaw_cli.algebra.expansion import Derivations, Polynomial
from conslaw_cli.algebra.kernel import rank_and_kernel
from conslaw_cli.algebra.lifting import reconstruct
from conslaw_cli.errors import SpecError
from conslaw_cli.laws.leaves import Exponents, Residues, monomials

MAX_WORK = 10**9
"""Products of an elimination at many points, at most: some ten seconds."""
MAX_TRIED = 4000
"""Numbers that are tried as primes."""
MAX_COEFFICIENT = 2**40
"""Integers from which those of a Darboux polynomial are left out."""

Product = Sequence[tuple[Polynomial, int]]
"""Polynomials with their powers."""


class Ring:
    """Polynomials in the variables, roots and exponentials of fields, which act on them."""

    def __init__(self, given: Derivations) -> None:
        self.given, self.generators = given, given.generators
        self.size = len(given.generators)
        self.one = given.generators[0] ** 0
        self.sparse = [[_integers(entry, field) for entry in field] for field in given.fields]
        self._caps = {relation.place: relation.order for relation in given.relations}

    def along(self, p: Polynomial) -> list[Polynomial]:
        """Return the derivatives along all fields."""
        slopes = [p.derivative(e) for e in range(self.size)]
        return [
            sum((s * x for s, x in zip(slopes, field, strict=True) if s != 0), 0 * self.one)
            for field in self.given.fields
        ]

    def cofactors(self, p: Polynomial) -> list[Polynomial] | None:
        """Return those of a Darboux polynomial, None for others."""
        found = []
        for slope in self.along(p):
            quotient, rest = divmod(slope, p)
            if rest != 0:
                return None
            found.append(quotient)
        return found

    def having(
        self, cofactors: Sequence[Polynomial], wanted: Sequence[Exponents]
    ) -> list[Polynomial]:
        """Return a basis of the polynomials with cofactors and some monomials, but for 1."""
        rows = defaultdict[Any, dict[int, fmpq]](dict)
        for column, m in enumerate(wanted):
            own = self.polynomial({m: 1})
            for number, (slope, k) in enumerate(zip(self.along(own), cofactors, strict=True)):
                for exponents, c in (slope - own * k).to_dict().items():
                    rows[number, exponents][column] = c
        _, kernel = rank_and_kernel(map(whole, rows.values()), len(wanted), MAX_COEFFICIENT)
        vectors = (self.polynomial({wanted[i]: c for i, c in v.items()}) for v in kernel)
        return [p for p in vectors if p.total_degree()]

    def is_law(self, above: Polynomial, below: Polynomial) -> bool:
        """Whether a quotient is constant along all fields."""
        pairs = zip(self.along(above), self.along(below), strict=True)
        return all(self._reduced(x * below - above * y) == 0 for x, y in pairs)

    def _reduced(self, p: Polynomial) -> Polynomial:
        """Replace the powers that relations replace, roots of others first."""
        for place, order, value in reversed(self.given.relations):
            total = 0 * self.one
            for exponents, c in p.to_dict().items():
                times, rest = divmod(exponents[place], order)
                left = (*exponents[:place], rest, *exponents[place + 1 :])
                total += p.context().from_dict({left: c}) * value**times
            p = total
        return p

    def monomials(self, degree: int) -> list[Exponents]:
        """Return those up to a degree that are independent, in ascending order of degree."""
        every = monomials(self.size, degree)
        return [m for m in every if all(m[i] < cap for i, cap in self._caps.items())]

    def polynomial(self, terms: Mapping[Exponents, int]) -> Polynomial:
        """Return the polynomial with some coefficients."""
        whole = {m: fmpq(c) for m, c in terms.items()}
        return self.one.context().from_dict(whole)

    def prime(self, least: int) -> int:
        """Return the first prime from a number on modulo which roots exist and are easily taken.
        Raise SpecError if it is not among the next MAX_TRIED.
        """
        for p in range(least | 3, least + 4 * MAX_TRIED, 4):
            if fmpz(p).is_prime() and self._has_roots(p):
                return p
        raise SpecError("no prime was found modulo which all roots exist")

    def _has_roots(self, p: int) -> bool:
        orders = prod(self._caps.values(), start=1)
        values = (relation.value for relation in self.given.relations)
        if gcd(orders, (p - 1) // 2) > 1 or any(c.q % p == 0 for v in values for c in v.coeffs()):
            return False
        return len(self._drawn(16 << len(self._caps), p, np.random.default_rng(0))) > 0

    def points(self, count: int, p: int, rng: np.random.Generator) -> Residues:
        """Draw points modulo such a prime (count, size)."""
        found = [np.zeros((0, self.size), dtype=np.int64)]
        while (left := count - sum(map(len, found))) > 0:
            found.append(self._drawn(left << len(self._caps), p, rng))
        return np.concatenate(found)[:count]

    def _drawn(self, count: int, p: int, rng: np.random.Generator) -> Residues:
        points = rng.integers(0, p, (count, self.size))
        for place, order, value in self.given.relations:
            below = evaluated(value, points, p)
            root = _powers(below, pow(order, -1, (p - 1) // 2), p)
            kept = (below != 0) & (_powers(root, order, p) == below)
            points[:, place] = root
            points = points[kept]
        return points


def _integers(entry: Polynomial, field: Sequence[Polynomial]) -> dict[Exponents, int]:
    """Return the coefficients of an entry of a field, times the common denominator of all."""
    scale = lcm(1, *(int(c.q) for each in field for c in each.coeffs()))
    return {tuple(map(int, m)): int((c * scale).p) for m, c in entry.to_dict().items()}


def evaluated(p: Polynomial, points: Residues, modulus: int) -> Residues:
    """Return the values of a polynomial at points modulo a prime."""
    total = np.zeros(len(points), dtype=np.int64)
    for exponents, c in p.to_dict().items():
        value = np.full(len(points), int(c.p) * pow(int(c.q), -1, modulus) % modulus)
        for e, power in enumerate(exponents):
            for _ in range(int(power)):
                value = value * points[:, e] % modulus
        total += value
    return total % modulus


def _powers(x: Residues, exponent: int, p: int) -> Residues:
    return np.array([pow(int(each), exponent, p) for each in x], dtype=np.int64)


def whole(row: Mapping[int, fmpq]) -> dict[int, int]:
    """Multiply by the common denominator."""
    scale = lcm(1, *(int(c.q) for c in row.values()))
    return {i: int((c * scale).p) for i, c in row.items()}


Key = TypeVar("Key")


def lifted(residues: Mapping[Key, int], modulus: int) -> dict[Key, int] | None:
    """Return coprime integers for residues of small fractions, None for others."""
    fractions = dict[Key, Fraction]()
    for m, c in residues.items():
        if (found := reconstruct(c, modulus)) is None:
            return None
        fractions[m] = found
    scale = lcm(*(c.denominator for c in fractions.values()))
    whole = {m: int(c * scale) for m, c in fractions.items()}
    content = gcd(*whole.values())
    return {m: c // content for m, c in whole.items()}
