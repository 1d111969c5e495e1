"""Polynomials and laws: plain values, free of matrices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import gcd, prod

from conslaw_cli.networks.known_laws import Laws


@dataclass(frozen=True, slots=True)
class Polynomial:
    """An integer polynomial in θ, and in radicals that coefficients are made of: integers and
    monomials, each a sorted tuple of indices (with repetitions).

    The index of a parameter is its place in θ, that of the k-th radical is −k: it comes first. Who
    gives values, or names, to all of these appends those of the radicals in the opposite order.
    """

    terms: tuple[tuple[int, tuple[int, ...]], ...]

    @property
    def degree(self) -> int:
        """Largest degree of a term in θ."""
        return max(sum(e >= 0 for e in monomial) for _, monomial in self.terms)

    @property
    def rational(self) -> bool:
        """Whether there are no radicals."""
        return all(monomial[0] >= 0 for _, monomial in self.terms)

    @property
    def norm(self) -> int:
        """Sum of the absolute values of the coefficients."""
        return sum(abs(c) for c, _ in self.terms)

    @classmethod
    def of(cls, coefficients: Iterable[int], rows: Iterable[Sequence[int]]) -> Polynomial:
        """Collect nonzero terms in the order of the monomials in θ, divided by their content, the
        first one positive.
        """
        terms = sorted(
            (
                (tuple(sorted(map(int, m))), int(c))
                for c, m in zip(coefficients, rows, strict=True)
                if c
            ),
            key=lambda term: ([e for e in term[0] if e >= 0], term[0][:1]),
        )
        content = gcd(*(c for _, c in terms))
        sign = content if terms[0][1] > 0 else -content
        return cls(tuple((c // sign, m) for m, c in terms))

    @classmethod
    def product(cls, factors: Iterable[Polynomial]) -> Polynomial:
        """Multiply out."""
        collected: dict[tuple[int, ...], int] = {(): 1}
        for factor in factors:
            expanded: dict[tuple[int, ...], int] = {}
            for monomial, coefficient in collected.items():
                for c, m in factor.terms:
                    merged = tuple(sorted(monomial + m))
                    expanded[merged] = expanded.get(merged, 0) + c * coefficient
            collected = expanded
        return cls.of(collected.values(), collected.keys())

    def gradient(self, theta: Sequence[int]) -> dict[int, int]:
        """Return the nonzero entries of ``∇h(θ)`` for integers θ, with those for the radicals."""
        gradient: dict[int, int] = {}
        for coefficient, monomial in self.terms:
            for k, e in enumerate(monomial):
                if e < 0:
                    continue
                rest = prod([theta[f] for f in monomial[:k] + monomial[k + 1 :]])
                gradient[e] = gradient.get(e, 0) + coefficient * rest
        return gradient


@dataclass(frozen=True, slots=True)
class Law:
    """A polynomial law, verified over the integers.

    known: whether it is a polynomial in the problem's known laws.
    name, index: those of a known law in ``problem.laws()``, else None.
    new: for a generator, whether it is independent of all known laws (one that is neither may be a
    root of a polynomial in them).
    """

    polynomial: Polynomial
    known: bool
    name: str | None = None
    index: int | None = None
    new: bool = False


def listed(laws: Laws) -> Iterator[Polynomial]:
    """Yield known laws as polynomials."""
    collected: list[dict[tuple[int, ...], int]] = [{} for _ in range(len(laws))]
    columns = (laws.law, laws.left, laws.right, laws.coefficient)
    for law, left, right, coefficient in zip(*(column.tolist() for column in columns), strict=True):
        monomial = (left,) if right < 0 else (min(left, right), max(left, right))
        terms = collected[law]
        terms[monomial] = terms.get(monomial, 0) + coefficient
    for terms in collected:
        yield Polynomial(tuple((c, m) for m, c in sorted(terms.items()) if c))
