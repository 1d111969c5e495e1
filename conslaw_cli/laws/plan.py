"""What a search for polynomial laws takes: its fields, classes and degrees, and the bytes of each
step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from math import comb

import numpy as np

from conslaw_cli.errors import NotSearchedError, SpecError
from conslaw_cli.families.formulas.algebraic import AlgebraicFields
from conslaw_cli.flows import VectorFields
from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.laws.flowing import symmetry_of
from conslaw_cli.laws.monomials import (
    Classes,
    classes,
    largest_class,
    monomials,
    monomials_up_to,
)
from conslaw_cli.laws.symmetry import Symmetry
from conslaw_cli.laws.values import Law, listed
from conslaw_cli.lie.budget import SMALL_MEMORY, budget_of, check_budget
from conslaw_cli.lie.closure import driven
from conslaw_cli.networks.known_laws import Laws, join
from conslaw_cli.problems.problem import Problem

MAX_DEGREE = 40
MAX_FIELD = 32
"""Degree of the field of constants up to which laws with coefficients in it are looked for."""


def check_degree(degree: int) -> None:
    """Raise SpecError unless this is a degree that can be searched."""
    if type(degree) is not int or not 1 <= degree <= MAX_DEGREE:
        raise SpecError(f"degree: expected an integer from 1 to {MAX_DEGREE}, got {degree}")


class Plan:
    """What is the same for all degrees of a search, and what each of its steps holds at its peak.

    ``check`` is the only judge of whether a degree fits: what it lets pass and what it advises are
    never refused later.
    """

    def __init__(
        self,
        problem: Problem,
        homogeneous: bool,
        memory: int | None,
        rng: np.random.Generator,
    ) -> None:
        self.problem, self.name, self.rng = problem, problem.name, rng
        self.homogeneous, self.memory = homogeneous, memory
        self._listed: dict[tuple[int, ...], Classes] = {}

    @cached_property
    def fields(self) -> VectorFields:
        """The fields that laws are orthogonal to."""
        return driven(self.problem.fields())

    @cached_property
    def symmetry(self) -> Symmetry:
        """What splits the monomials into classes."""
        return symmetry_of(self.problem)

    @cached_property
    def coordinates(self) -> Coordinates:
        """What laws are polynomials in."""
        return self.problem.flow.coordinates(self.problem.architecture)

    @cached_property
    def laws(self) -> Laws:
        """The known laws that are polynomials."""
        return join([each for each in self._families if each.polynomial])

    @property
    def unsearched(self) -> tuple[Laws, ...]:
        """The families of those that need not be."""
        return tuple(each for each in self._families if not each.polynomial)

    @cached_property
    def _families(self) -> list[Laws]:
        return list(self.problem.laws().apart())

    @cached_property
    def known(self) -> list[Law]:
        """The known laws as polynomials, without those of mixed degrees where one is asked for."""
        return [
            Law(polynomial, True, self.laws.name(i), i)
            for i, polynomial in enumerate(listed(self.laws))
            if not self.homogeneous or len({len(m) for _, m in polynomial.terms}) == 1
        ]

    @property
    def rational(self) -> bool:
        """Whether only laws with rational coefficients are looked for, though φ has others."""
        return isinstance(self.fields, AlgebraicFields) and (
            self.fields.degree_of_constants > MAX_FIELD
        )

    def check(self, degree: int) -> None:
        """Raise MemoryBudgetError, with the degree that would fit, if a step of a search of this
        degree exceeds the budget; NotSearchedError where none takes place.
        """
        if self.coordinates.unsearched:
            raise NotSearchedError(f"{self.name}: {self.coordinates.unsearched}")
        excess = self._excess(degree)
        if excess is not None:
            lower = range(degree - 1, 0, -1)
            fits = next((d for d in lower if self._excess(d) is None), 0)
            advice = f"degree {fits} may fit" if fits else "no degree would fit"
            what, needed = excess
            check_budget(f"{self.name}: {what}", needed, self._budget(needed), advice)

    def degrees(self, degree: int) -> list[int]:
        """Return the degrees of the laws that are asked for."""
        return [degree] if self.homogeneous else list(range(1, degree + 1))

    def parts(self, degree: int) -> list[list[int]]:
        """Return the degrees that are searched together, the largest ones last."""
        degrees = self.degrees(degree)
        return [[d] for d in degrees] if self.symmetry.homogeneous else [degrees]

    def of_degree(self, degree: int) -> list[int]:
        """Return the known laws of a degree."""
        return [i for i, law in enumerate(self.known) if law.polynomial.degree == degree]

    def classes(self, degrees: Sequence[int]) -> Classes:
        """Return all monomials of one degree, or of all degrees up to one, in classes."""
        key = tuple(degrees)
        if key not in self._listed:
            dimension, top = self.fields.dimension, degrees[-1]
            list_them = monomials_up_to if len(degrees) > 1 else monomials
            self._listed[key] = classes(list_them(dimension, top), self.symmetry, self.rng)
        return self._listed[key]

    def _excess(self, degree: int) -> tuple[str, int] | None:
        """Return the first step that exceeds the budget, and its bytes."""
        self._listed.clear()
        over = ((what, size) for what, size in self._steps(degree) if size > self._budget(size))
        return next(over, None)

    def _steps(self, degree: int) -> Iterator[tuple[str, int]]:
        """Yield what the steps of a search hold, and its bytes; what is dear to know comes last.

        Lower degrees have fewer monomials, and no larger classes: times a parameter, the monomials
        of a class are in one class again.
        """
        dimension = self.problem.state
        size = comb(dimension + degree, degree)
        yield (
            f"{size} monomials of degree up to {degree}",
            size * (36 * degree + 110) + 32 * dimension**2,
        )
        for d in reversed(self.degrees(degree)):
            count = self._products(d)
            yield f"{count} products of known laws of degree {d}", 8 * 3 * count**2
        size = self._largest_class(self.parts(degree)[-1])
        # The system, its echelon form and the back-substitution; points.
        yield (
            f"a class of {size} monomials of degree {degree}",
            8 * (3 * size**2 + 6 * size * dimension),
        )

    def _products(self, degree: int) -> int:
        """Return the number of products of known laws of a degree, repetitions included."""
        first, second = len(self.of_degree(1)), len(self.of_degree(2))
        return sum(
            _multisets(first, degree - 2 * k) * _multisets(second, k)
            for k in range(degree // 2 + 1)
        )

    def _largest_class(self, degrees: Sequence[int]) -> int:
        size = largest_class(self.symmetry, degrees[-1], len(degrees) > 1)
        return int(self.classes(degrees).sizes.max()) if size is None else size

    def _budget(self, needed: int) -> int:
        """Return the budget to hold ``needed`` bytes against: the same for all steps."""
        budget = budget_of(self.memory, needed)
        if needed >= SMALL_MEMORY:
            self.memory = budget
        return budget


def _multisets(members: int, size: int) -> int:
    return comb(members + size - 1, size) if members else int(size == 0)
