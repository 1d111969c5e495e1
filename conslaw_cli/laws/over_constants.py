"""Polynomial laws whose coefficients are polynomials in generic constants.

A law over the field of the constants, times a common denominator, has coefficients that are
polynomials in them. Those of a degree in θ, with coefficients up to the same degree, are the kernel
of a linear map over Q, ``h ↦ ⟨∇_θ h, χ⟩`` with the constants as further symbols; it is computed and
checked over Z, so what is found holds identically. Times a constant a law is a law: what is counted
is independent over the field of the constants, by ranks at random constants modulo a prime.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations_with_replacement
from math import comb, lcm, prod
from typing import Any

import numpy as np

from conslaw_cli.algebra.expansion import Expansion
from conslaw_cli.algebra.expansion import Polynomial as Expanded
from conslaw_cli.algebra.field import PrimeField, random_prime
from conslaw_cli.algebra.kernel import rank_and_kernel
from conslaw_cli.errors import SpecError
from conslaw_cli.laws.search import LawSearch
from conslaw_cli.laws.values import Law, Polynomial, listed
from conslaw_cli.networks.wiring import Array
from conslaw_cli.problems.problem import Problem

MAX_COLUMNS = 4000
"""Monomials in θ and the constants, at most."""
MAX_COEFFICIENT = 2**40
"""Integers from which those of a law are left out."""

Monomial = tuple[int, ...]


def find(
    problem: Problem,
    exact: Expansion,
    constants: Sequence[Array],
    degrees: Sequence[int],
    seed: int,
) -> LawSearch:
    """Return the laws of some degrees in θ.

    Raise SpecError if there are too many monomials.
    """
    size, rng = len(exact.coordinates), np.random.default_rng(seed)
    found = [Law(polynomial, False) for polynomial in _laws(exact, degrees)]
    listing = problem.laws()
    known = [
        Law(polynomial, True, listing.name(i), i)
        for i, polynomial in enumerate(listed(listing))
        if len(degrees) > 1 or {len(m) for _, m in polynomial.terms} == set(degrees)
    ]
    at = _Point(size, len(exact.constants), rng)
    products = [
        Polynomial.product(each) for n in range(1, degrees[-1] + 1) for each in _products(known, n)
    ]
    generators = at.independent([*known, *found])
    entries = [(array, place) for array in constants for place in array.indices]
    extra = tuple((a.label(place), a.latex(place), a.identifier(place)) for a, place in entries)
    coordinates = replace(
        problem.flow.coordinates(problem.architecture),
        extra=extra,
        arguments=tuple(code for _, _, code in extra),
    )
    return LawSearch(
        problem=problem,
        degree=degrees[-1],
        homogeneous=len(degrees) == 1 and degrees[0] > 1,
        linear=at.dimensions([law.polynomial for law in (*found, *known)], degrees),
        products=at.dimensions(products, degrees),
        independent=len(generators),
        known=sum(law.known for law in generators),
        generators=tuple(replace(law, new=not law.known) for law in generators),
        coordinates=coordinates,
        listed=listing,
        error_bound=0.0,
        seed=seed,
        seconds=0.0,
    )


def _products(known: Sequence[Law], count: int) -> Iterator[list[Polynomial]]:
    for chosen in combinations_with_replacement(known, count):
        yield [law.polynomial for law in chosen]


def _laws(exact: Expansion, degrees: Sequence[int]) -> list[Polynomial]:
    """Return a basis of the kernel, those of low degree in the constants first."""
    size, fixed = len(exact.coordinates), len(exact.constants)
    if comb(size + degrees[-1], degrees[-1]) * comb(fixed + degrees[-1], degrees[-1]) > MAX_COLUMNS:
        raise SpecError(
            f"expected at most {MAX_COLUMNS:,} monomials of degree {degrees[-1]} in the variables"
            f" and in the constants: a lower degree may fit"
        )
    factors = (*exact.coordinates, *exact.constants)
    columns = [
        (*m, *k)
        for c in range(degrees[-1] + 1)
        for k in combinations_with_replacement(range(size, size + fixed), c)
        for d in degrees
        for m in combinations_with_replacement(range(size), d)
    ]
    equations = defaultdict[Any, dict[int, int]](dict)
    for number, field in enumerate(exact.fields):
        scale = lcm(1, *(int(c.q) for entry in field for c in entry.coeffs()))
        whole = [scale * entry for entry in field]
        for column, monomial in enumerate(columns):
            for exponents, c in _along(factors, whole, monomial).to_dict().items():
                equations[number, exponents][column] = int(c.p)
    _, kernel = rank_and_kernel(equations.values(), len(columns), MAX_COEFFICIENT)
    return [Polynomial.of(vector.values(), (columns[i] for i in vector)) for vector in kernel]


def _along(factors: Sequence[Expanded], field: Sequence[Expanded], monomial: Monomial) -> Expanded:
    """Return the derivative of a monomial along a field, which moves θ alone."""
    total = 0 * factors[0]
    for k, e in enumerate(monomial):
        if e < len(field):
            rest = (factors[f] for f in (*monomial[:k], *monomial[k + 1 :]))
            total += prod(rest, start=field[e])
    return total


class _Point:
    """A random θ and random constants modulo a prime."""

    def __init__(self, size: int, fixed: int, rng: np.random.Generator) -> None:
        self._field, self._size = PrimeField(random_prime(rng)), size
        self._values = [int(x) for x in self._field.random(rng, (size + fixed,))]

    def independent(self, laws: Sequence[Law]) -> list[Law]:
        """Return the laws whose gradients by θ are independent of those before them."""
        kept, rows = list[Law](), list[list[float]]()
        for law in laws:
            gradient = law.polynomial.gradient(self._values)
            row = [float(gradient.get(e, 0) % self._field.p) for e in range(self._size)]
            if self._field.rank(np.array([*rows, row])) > len(rows):
                kept.append(law)
                rows.append(row)
        return kept

    def dimensions(
        self, polynomials: Sequence[Polynomial], degrees: Sequence[int]
    ) -> dict[int, int]:
        """Return how many are linearly independent over the constants of each degree in θ, modulo
        those of lower degrees.
        """
        rows = [self._specialized(polynomial) for polynomial in polynomials]
        columns = {m: i for i, m in enumerate({m: None for row in rows for m in row})}
        table = np.zeros((len(rows), max(1, len(columns))))
        for number, row in enumerate(rows):
            table[number, [columns[m] for m in row]] = list(row.values())
        degree = np.array([len(m) for m in columns] or [0])
        ranks = [self._field.rank(table * (degree >= d)) if rows else 0 for d in degrees]
        return {
            d: int(here - above)
            for d, here, above in zip(degrees, ranks, [*ranks[1:], 0], strict=True)
        }

    def _specialized(self, polynomial: Polynomial) -> dict[Monomial, float]:
        total = defaultdict[Monomial, int](int)
        for c, monomial in polynomial.terms:
            own = tuple(e for e in monomial if e < self._size)
            total[own] += c * prod(self._values[e] for e in monomial if e >= self._size)
        return {m: float(c % self._field.p) for m, c in total.items()}
