"""Polynomials, laws, and what a search found: plain values, free of matrices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd, prod

from conslaw_cli import checks
from conslaw_cli.families.formulas.terms import Radical
from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.networks.known_laws import Family, Laws
from conslaw_cli.problems.problem import Architecture, Problem


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


@dataclass(frozen=True, slots=True, repr=False)
class LawSearch:
    """The polynomial laws of some degrees.

    linear: for each degree searched, the number of linearly independent laws of exactly this
    degree, modulo those of lower ones.
    products: the same for the products of known laws; where the two agree, every law of that degree
    is a polynomial in these, and both numbers are proved (module docstring).
    independent: rank of the gradients of all laws found; generators: as many laws, known ones
    first, of which all are functions.
    known: how many of the generators are functions of the known laws; the others are new.
    coordinates, listed: what laws are polynomials in, and the known laws.
    radicals: the numbers that coefficients are made of besides integers.
    rational: whether only laws with rational coefficients are listed, though φ has others, of a
    field of degree above MAX_FIELD.
    error_bound: probability that one of these figures is wrong or a law listed is none; 0 if all of
    it is proved.
    basis: a linear basis of all laws found, degree by degree; None if it was not asked for.

    >>> from conslaw_cli import MLP, find_laws
    >>> found = find_laws(MLP((2, 2, 1), "relu"), 4)
    >>> found
    <LawSearch 'relu 2-2-1', degree 4: 2 independent laws, 2 of them known>
    >>> found.linear == found.products, found.linear
    (True, {1: 0, 2: 2, 3: 0, 4: 3})
    >>> [law.name for law in found.generators]
    ['(diag(U1ᵀU1 − U2U2ᵀ))[1,1]', '(diag(U1ᵀU1 − U2U2ᵀ))[2,2]']
    """

    problem: Problem
    degree: int
    homogeneous: bool
    linear: Mapping[int, int]
    products: Mapping[int, int]
    independent: int
    known: int
    generators: tuple[Law, ...]
    coordinates: Coordinates
    listed: Laws
    error_bound: float
    seed: int
    seconds: float
    basis: tuple[Law, ...] | None = None
    radicals: tuple[Radical, ...] = ()
    rational: bool = False

    @property
    def architecture(self) -> Architecture:
        """What was asked about."""
        return self.problem.architecture

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters, in the order of θ."""
        return self.coordinates.parameters

    def __repr__(self) -> str:
        """Return one line: the name, the degree and how many laws were found."""
        found = f"{self.independent} independent laws, {self.known} of them known"
        return f"<LawSearch {checks.shown(self.problem.name)}, degree {self.degree}: {found}>"

    def _families(self) -> Iterator[Family]:
        """Yield the families of known laws of which some are generators."""
        kept = {law.index for law in self.generators if law.index is not None}
        start = 0
        for family in self.listed.families:
            if not kept.isdisjoint(range(start, start + family.size)):
                yield family
            start += family.size

    def _repr_html_(self) -> str:
        from conslaw_cli.problems.notebook import table

        rows = [
            *((f"of degree {degree}", number) for degree, number in self.linear.items()),
            ("independent", self.independent),
            ("of these known", self.known),
            *(("known laws", f"{each.text} ({each.shape})") for each in self._families()),
        ]
        return table(f"{self.problem.name}: laws of degree up to {self.degree}", rows)

    def _repr_latex_(self) -> str | None:
        from conslaw_cli.laws.formulas import tex_equation
        from conslaw_cli.problems.notebook import constant, display

        others = [law.polynomial for law in self.generators if law.index is None]
        known = [constant(each.latex, each.shape) for each in self._families()]
        return display([*known, *(tex_equation(each, self) for each in others)])


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
