"""What a search for polynomial laws found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from conslaw_cli import checks
from conslaw_cli.families.formulas.terms import Radical
from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.laws.values import Law
from conslaw_cli.networks.known_laws import Family, Laws
from conslaw_cli.problems.problem import Architecture, Problem


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
    coordinates, listed: what laws are polynomials in, and the known laws that are polynomials.
    unsearched: the families of known laws that need not be.
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
    unsearched: tuple[Laws, ...] = ()

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
        return display(
            [*known, *(tex_equation(each, self.coordinates, self.radicals) for each in others)]
        )
