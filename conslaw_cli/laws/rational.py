"""Laws that are rational: quotients of a polynomial by a monomial.

If p/q is a law in lowest terms, then ``q ⟨∇p, χ⟩ = p ⟨∇q, χ⟩`` for all fields χ, so q divides
``⟨∇q, χ⟩``: it is a Darboux polynomial, and so is each of its factors (A. Bostan, G. Chèze, T.
Cluzeau, J.-A. Weil, Efficient algorithms for computing rational first integrals and Darboux
polynomials of planar polynomial vector fields, Mathematics of Computation 85, 2016). A variable θ_e
is one where it divides the component e of every field, with the quotients ``K_e = χ_e/θ_e``, its
cofactors. For a product q of such variables p is in the kernel of ``p ↦ ⟨∇p, χ⟩ − p Σ_e K_e`` over
all fields, which is computed over Q and checked over Z, so the laws hold identically. Where p is a
monomial they are monomials with negative exponents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb, lcm, prod
from typing import Any

import numpy as np

from conslaw_cli.algebra.expansion import Expansion, NotPolynomialError
from conslaw_cli.algebra.expansion import Polynomial as Expanded
from conslaw_cli.algebra.field import PrimeField, random_prime
from conslaw_cli.algebra.kernel import rank_and_kernel
from conslaw_cli.errors import SpecError
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.laws.values import LawSearch, Polynomial
from conslaw_cli.problems.problem import Problem

MAX_COLUMNS = 60_000
"""Monomials of all numerators that are looked for, together."""
MAX_COEFFICIENT = 2**40
"""Integers from which those of a law are left out."""

Monomial = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Quotient:
    """A law: a polynomial divided by a monomial, the parameters of which are listed with
    repetitions.
    """

    numerator: Polynomial
    denominator: Monomial


def find_rational(search: LawSearch, missing: int) -> tuple[Quotient, ...]:
    """Return up to ``missing`` quotients whose gradients are independent of those of the laws found
    and of each other; numerators have the degree of the search, denominators twice that.

    Raise SpecError for problems whose fields are not written out as polynomials.
    """
    exact = _expansion(search.problem)
    rng = np.random.default_rng(search.seed)
    rows, found = _Rows(search, rng), list[Quotient]()
    for quotient in _quotients(exact, search.degree):
        if len(found) == missing:
            break
        if rows.new(quotient):
            found.append(quotient)
    return tuple(found)


def _expansion(problem: Problem) -> Expansion:
    if problem.formula is None or problem.flow != GRADIENT:
        raise SpecError(f"{problem.name}: --rational is for φ and fields of one's own")
    try:
        return problem.formula.expansion()
    except NotPolynomialError:
        raise SpecError(
            f"{problem.name}: --rational: its fields are too long to write out"
        ) from None


def _quotients(exact: Expansion, degree: int) -> Iterator[Quotient]:
    """Yield the laws p/q by ascending degree of q."""
    size, coordinates = len(exact.coordinates), exact.coordinates
    cofactors = {e: k for e in range(size) if (k := _cofactors(exact, e)) is not None}
    columns = comb(size + degree, degree)
    monomials = [
        m for d in range(degree + 1) for m in combinations_with_replacement(range(size), d)
    ]
    values = {m: prod((coordinates[e] for e in m), start=coordinates[0] ** 0) for m in monomials}
    slopes = [[_along(exact, field, m, values) for m in monomials] for field in exact.fields]
    for total in range(1, 2 * degree + 1):
        if comb(len(cofactors) + total, total) * columns > MAX_COLUMNS:
            return
        for q in combinations_with_replacement(sorted(cofactors), total):
            yield from _over(
                q,
                monomials,
                values,
                slopes,
                [sum(k) for k in zip(*(cofactors[e] for e in q), strict=True)],
            )


def _cofactors(exact: Expansion, e: int) -> list[Expanded] | None:
    """Return the cofactor of a variable for every field, None if it is no Darboux polynomial."""
    quotients = []
    for field in exact.fields:
        quotient, rest = divmod(field[e], exact.coordinates[e])
        if rest != 0:
            return None
        quotients.append(quotient)
    return quotients


def _along(
    exact: Expansion, field: Sequence[Expanded], m: Monomial, values: dict[Monomial, Expanded]
) -> Expanded:
    """Return the derivative of a monomial along a field."""
    total = 0 * exact.coordinates[0]
    for k, e in enumerate(m):
        total += values[(*m[:k], *m[k + 1 :])] * field[e]
    return total


def _over(
    q: Monomial,
    monomials: Sequence[Monomial],
    values: dict[Monomial, Expanded],
    slopes: Sequence[Sequence[Expanded]],
    cofactor: Sequence[Expanded],
) -> Iterator[Quotient]:
    """Yield a basis of the laws with a denominator, those in lowest terms, without constants."""
    equations = defaultdict[Any, dict[int, int]](dict)
    numerators = [m for m in monomials if m != q]
    for number, (along, k) in enumerate(zip(slopes, cofactor, strict=True)):
        rows = [s - values[m] * k for m, s in zip(monomials, along, strict=True) if m != q]
        scale = lcm(1, *(int(c.q) for row in rows for c in row.coeffs()))
        for column, row in enumerate(rows):
            for exponents, c in row.to_dict().items():
                equations[number, exponents][column] = int(c.p) * (scale // int(c.q))
    _, kernel = rank_and_kernel(equations.values(), len(numerators), MAX_COEFFICIENT)
    for vector in kernel:
        used = [numerators[column] for column in vector]
        if not set.intersection(set(q), *map(set, used)):
            yield Quotient(Polynomial.of(vector.values(), used), q)


class _Rows:
    """Gradients at one random point modulo a prime."""

    def __init__(self, search: LawSearch, rng: np.random.Generator) -> None:
        self._field = PrimeField(random_prime(rng))
        self._size, every = len(search.parameters), len(search.coordinates.names)
        self._theta = [int(x) for x in self._field.random(rng, (every,))]
        laws = [law.polynomial for law in search.generators if law.polynomial.rational]
        self._rows = [self._dense(law.gradient(self._theta)) for law in laws]

    def new(self, quotient: Quotient) -> bool:
        """Whether the gradient is independent of those before it; keep it if so."""
        p, q = quotient.numerator, Polynomial(((1, quotient.denominator),))
        over, under = self._value(q), self._value(p)
        gradient = defaultdict[int, int](int)
        for e, slope in p.gradient(self._theta).items():
            gradient[e] += slope * over
        for e, slope in q.gradient(self._theta).items():
            gradient[e] -= slope * under
        rows = [*self._rows, self._dense(gradient)]
        if self._field.rank(np.array(rows)) < len(rows):
            return False
        self._rows = rows
        return True

    def _value(self, polynomial: Polynomial) -> int:
        return sum(c * prod(self._theta[e] for e in m) for c, m in polynomial.terms)

    def _dense(self, gradient: dict[int, int]) -> list[float]:
        return [float(gradient.get(e, 0) % self._field.p) for e in range(self._size)]
