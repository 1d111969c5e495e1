"""Laws that are quotients of polynomials of bounded degree.

If P/Q is a law, ``P − P(z)/Q(z) Q`` vanishes on the leaf of z. The coefficients of the reduced
basis of the polynomials that do, as functions of z, are laws (E. Hubert, I. Kogan, Rational
invariants of a group action: construction and rewriting, Journal of Symbolic Computation 42, 2007,
for orbits of groups). Their values at many points modulo primes decide P and Q by linear equations;
what comes out is checked over Q.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from conslaw_cli.algebra.expansion import Polynomial
from conslaw_cli.algebra.field import SMALLEST_PRIME, PrimeField
from conslaw_cli.algebra.lifting import combine
from conslaw_cli.laws.leaves import SURPLUS, Bases, Exponents, Residues, bases, echelon
from conslaw_cli.laws.ring import MAX_WORK, Product, Ring, lifted

PRIMES = 3
"""Fractions of numbers up to 2^32 lift modulo their product."""


class Quotients:
    """Looks for quotients of polynomials, degree by degree; ``degree``: the last one."""

    def __init__(self, ring: Ring, most: int, rng: np.random.Generator) -> None:
        self._ring, self._most, self._rng = ring, most, rng
        self.degree = 0

    def laws(self) -> Iterator[Product]:
        """Yield laws; many are functions of others."""
        for degree in range(1, self._most + 1):
            wanted = self._ring.monomials(degree)
            work = 2 * len(wanted) * (len(wanted) + SURPLUS) * len(wanted) ** 2
            if work > MAX_WORK:
                return
            yield from _Degree(self._ring, wanted, self._rng).laws()
            self.degree = degree


class _Degree:
    """The quotients of polynomials of one degree at most, from samples modulo primes."""

    def __init__(self, ring: Ring, wanted: Sequence[Exponents], rng: np.random.Generator) -> None:
        self._ring, self._wanted, self._rng = ring, wanted, rng
        self._samples = list[tuple[int, Residues, Bases]]()

    def laws(self) -> Iterator[Product]:
        """Yield the laws among the coefficients of reduced bases."""
        _, _, every = self._sample(0)
        generic = every.pivots[0] < 0
        leads = list[int]()
        for lead in np.flatnonzero(generic).tolist():
            if any(_divides(self._wanted[each], self._wanted[lead]) for each in leads):
                continue
            leads.append(lead)
            for below in np.flatnonzero(~generic[:lead]).tolist():
                if (pair := self._pair(lead, below)) is not None:
                    yield from self._law(*pair)

    def _law(self, above: Polynomial, below: Polynomial) -> Iterator[Product]:
        common = above.gcd(below)
        above, below = above // common, below // common
        if above.total_degree() + below.total_degree() and self._ring.is_law(above, below):
            yield [(above, 1), (below, -1)]

    def _pair(self, lead: int, below: int) -> tuple[Polynomial, Polynomial] | None:
        """Return the numerator and denominator that a coefficient has as a function."""
        residues, modulus = list[list[int]](), 1
        for number in range(PRIMES):
            p, points, every = self._sample(number)
            relation = self._relation(points, _coefficients(every, lead, below), p)
            if relation is None:
                return None
            residues = combine(residues, modulus, [relation], p) if residues else [relation]
            modulus *= p
            terms = lifted({i: c for i, c in enumerate(residues[0]) if c}, modulus)
            if terms is not None and max(map(abs, terms.values())) ** 3 < modulus:
                above, under = (self._side(terms, part) for part in (0, 1))
                return (above, under) if above != 0 and under != 0 else None
        return None

    def _side(self, terms: Mapping[int, int], part: int) -> Polynomial:
        own = {self._wanted[i // 2]: c for i, c in terms.items() if i % 2 == part}
        return self._ring.polynomial(own)

    def _relation(self, points: Residues, values: Residues | None, p: int) -> list[int] | None:
        """Return coefficients of P and Q, in turn, with ``P = values · Q`` at all points."""
        if values is None or (values == values[0]).all():
            return None
        columns = np.stack([_monomial(points, m, p) for m in self._wanted], axis=1)
        table = np.empty((1, len(points), 2 * columns.shape[1]), dtype=np.int64)
        table[0, :, ::2] = columns
        table[0, :, 1::2] = columns * (-values[:, None] % p) % p
        over = PrimeField(p)
        if over.rank(over.reduce(table[0].astype(float))) == table.shape[2]:
            return None
        found = echelon(table, p)
        lead = int((found.pivots[0] < 0).argmax())
        relation = [0] * table.shape[2]
        for m, c in found.element(0, lead).items():
            relation[m] = -c % p
        relation[lead] = 1
        return relation

    def _sample(self, number: int) -> tuple[int, Residues, Bases]:
        """Return a prime, points and the reduced bases of their leaves."""
        while len(self._samples) <= number:
            last = self._samples[-1][0] + 2 if self._samples else SMALLEST_PRIME
            p = self._ring.prime(last + int(self._rng.integers(2**18)))
            points = self._ring.points(2 * len(self._wanted) + SURPLUS, p, self._rng)
            every = bases(self._ring.sparse, self._wanted, points, p, self._rng)
            self._samples.append((p, points, every))
        return self._samples[number]


def _coefficients(every: Bases, lead: int, below: int) -> Residues | None:
    """Return one coefficient of the reduced basis at all points; None if some have no such one."""
    if (every.pivots[:, lead] >= 0).any() or (every.pivots[:, below] < 0).any():
        return None
    return np.asarray(every.rows[np.arange(len(every.rows)), every.pivots[:, below], lead])


def _divides(m: Exponents, other: Exponents) -> bool:
    return all(a <= b for a, b in zip(m, other, strict=True))


def _monomial(points: Residues, m: Exponents, p: int) -> Residues:
    value = np.ones(len(points), dtype=np.int64)
    for e, power in enumerate(m):
        for _ in range(power):
            value = value * points[:, e] % p
    return value
