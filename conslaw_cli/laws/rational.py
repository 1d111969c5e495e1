"""Laws that are rational, in θ and in the roots and exponentials that its fields have: products of
Darboux polynomials (darboux.py) and quotients of bounded degree (quotients.py).

All of them hold identically: ``Q χ(P) − P χ(Q)`` is 0 over Q, modulo the relations of roots.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from math import lcm, prod

import numpy as np

from conslaw_cli.algebra.expansion import Derivations, NotPolynomialError
from conslaw_cli.algebra.expansion import Polynomial as Expanded
from conslaw_cli.algebra.field import SMALLEST_PRIME, PrimeField
from conslaw_cli.errors import SpecError
from conslaw_cli.flows import System
from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.laws.darboux import products
from conslaw_cli.laws.quotients import Quotients
from conslaw_cli.laws.ring import Product, Ring, evaluated
from conslaw_cli.laws.search import LawSearch
from conslaw_cli.laws.values import Polynomial
from conslaw_cli.problems.problem import Problem


@dataclass(frozen=True, slots=True)
class Quotient:
    """A law: a product of powers of polynomials."""

    factors: tuple[tuple[Polynomial, int], ...]

    @property
    def sides(self) -> Iterator[list[tuple[Polynomial, int]]]:
        """The factors of the numerator and those of the denominator, with positive powers."""
        for sign in (1, -1):
            yield [(factor, abs(e)) for factor, e in self.factors if e * sign > 0]


@dataclass(frozen=True, slots=True)
class Rational:
    """Rational laws, what their polynomials are written in, and up to which degree of numerator and
    denominator they were looked for.
    """

    laws: tuple[Quotient, ...]
    coordinates: Coordinates
    degree: int


def find_rational(search: LawSearch, missing: int) -> Rational:
    """Return up to ``missing`` laws whose gradients are independent of those of the laws found and
    of each other: products of Darboux polynomials of at most the degree of the search, and
    quotients of polynomials of at most twice that, as far as it does not take too long.

    Raise SpecError for problems whose fields are not written out as polynomials.
    """
    ring = Ring(_derivations(search.problem))
    rng = np.random.default_rng(search.seed)
    rows, found = _Rows(ring, search, rng), list[Product]()
    quotients = Quotients(ring, 2 * search.degree, rng)
    every = chain(products(ring, search.degree, rng), quotients.laws())
    while len(found) < missing and (law := next(every, None)) is not None:
        if rows.new(law):
            found.append(law)
    written = _Written(ring, search)
    return Rational(tuple(map(written.law, found)), written.coordinates, quotients.degree)


def _derivations(problem: Problem) -> Derivations:
    if problem.formula is None or problem.flow.dynamics.system is not System.GRADIENT:
        raise SpecError(f"{problem.name}: --rational is for φ and fields of one's own")
    try:
        return problem.formula.derivations()
    except NotPolynomialError:
        raise SpecError(
            f"{problem.name}: --rational: its fields are too long to write out, or have functions"
            " other than exp and log"
        ) from None


class _Rows:
    """Gradients at one random point modulo a prime, of relations and constants too."""

    def __init__(self, ring: Ring, search: LawSearch, rng: np.random.Generator) -> None:
        self._ring = ring
        p = ring.prime(SMALLEST_PRIME + int(rng.integers(2**20)))
        self._field, self._point = PrimeField(p), ring.points(1, p, rng)
        self._rows = [self._gradient(r.value) for r in ring.given.relations]
        for row, (place, order, _) in zip(self._rows, ring.given.relations, strict=True):
            power = order * pow(int(self._point[0, place]), order - 1, p)
            row[place] -= power % p
        for place, symbol in enumerate(ring.given.symbols):
            if symbol.variable is not None and symbol.variable >= ring.given.size:
                self._rows.append([float(i == place) for i in range(ring.size)])
        for law in search.generators:
            if law.polynomial.rational and (p := _read(law.polynomial, ring)) is not None:
                self._rows.append(self._gradient(p))

    def new(self, law: Product) -> bool:
        """Whether the gradient is independent of those before it; keep it if so."""
        total = np.zeros(self._ring.size, dtype=np.int64)
        for factor, e in law:
            value = int(evaluated(factor, self._point, self._field.p)[0])
            if value == 0:
                return False
            scale = e * pow(value, -1, self._field.p) % self._field.p
            total += np.array(self._gradient(factor), dtype=np.int64) * scale % self._field.p
        rows = [*self._rows, [float(x % self._field.p) for x in total]]
        reduced = self._field.reduce(np.array(rows, dtype=float))
        if self._field.rank(reduced) < len(rows):
            return False
        self._rows = rows
        return True

    def _gradient(self, polynomial: Expanded) -> list[float]:
        slopes = (polynomial.derivative(e) for e in range(self._ring.size))
        return [float(evaluated(s, self._point, self._field.p)[0]) for s in slopes]


def _read(polynomial: Polynomial, ring: Ring) -> Expanded:
    """Return a polynomial in θ and constants as one of the ring."""
    total = 0 * ring.one
    for c, monomial in polynomial.terms:
        total += prod((ring.given.coordinates[e] for e in monomial), start=c * ring.one)
    return total


class _Written:
    """Writes polynomials of the ring in θ, constants and further names for roots."""

    def __init__(self, ring: Ring, search: LawSearch) -> None:
        names = search.coordinates
        self._places, further = list[int](), list[tuple[str, str, str]]()
        for symbol in ring.given.symbols:
            if symbol.variable is None:
                self._places.append(len(names.names) + len(further))
                further.append((symbol.text, _tex(symbol.text), symbol.code))
            else:
                self._places.append(symbol.variable)
        self._signs = [symbol.sign for symbol in ring.given.symbols]
        self.coordinates = replace(names, extra=(*names.extra, *further))

    def law(self, law: Product) -> Quotient:
        """Return the factors, those of the numerator, which is the longer part, first."""
        longer = sum(e * (len(p) - 1) for p, e in law)
        higher = sum(e * p.total_degree() for p, e in law)
        sign = -1 if (longer, higher) < (0, 0) else 1
        factors = [(self._polynomial(p), sign * e) for p, e in _factored(law)]
        return Quotient(tuple(sorted(factors, key=lambda factor: factor[1] < 0)))

    def _polynomial(self, polynomial: Expanded) -> Polynomial:
        scale = lcm(1, *(int(c.q) for c in polynomial.coeffs()))
        coefficients, rows = list[int](), list[list[int]]()
        for exponents, c in polynomial.to_dict().items():
            sign = prod(s ** int(e) for s, e in zip(self._signs, exponents, strict=True))
            coefficients.append(int((c * scale).p) * sign)
            places = zip(self._places, exponents, strict=True)
            rows.append([place for place, e in places for _ in range(int(e))])
        return Polynomial.of(coefficients, rows)


def _factored(law: Product) -> list[tuple[Expanded, int]]:
    """Return irreducible factors."""
    found = list[tuple[Expanded, int]]()
    for polynomial, power in law:
        for factor, times in polynomial.factor()[1]:
            e = power * int(times) + sum(e for other, e in found if other == factor)
            found = [*((f, k) for f, k in found if f != factor), (factor, e)]
    return [(factor, e) for factor, e in found if e]


def _tex(text: str) -> str:
    escaped = text.replace("_", r"\_").replace("**", r"\^{}")
    return rf"\texttt{{{escaped}}}"
