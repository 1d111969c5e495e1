"""Vector fields of one's own, given by expressions or drawn at random.

A given space W of fields takes the place of ``W_φ``: laws are functions h with ``<∇h, χ> = 0`` for
all χ ∈ W, and ``D − dim Lie(W)(θ)`` of them are independent near a generic θ, as in Theorem 3.3 of
arXiv 2307.00144.

Random fields. Part A of the authors' notebook: every entry is a polynomial with a nonzero
coefficient from −9 to 9 at every monomial up to a degree, drawn with the frozen stream of NumPy's
RandomState.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations_with_replacement
from math import comb
from typing import Any

import numpy as np

from conslaw_cli import checks
from conslaw_cli.errors import SpecError
from conslaw_cli.families.formulas.algebraic import AlgebraicFields, vector_fields
from conslaw_cli.families.formulas.expressions import Expression, Names, graph, names
from conslaw_cli.families.formulas.formula import GivenByFormulas, doubt
from conslaw_cli.families.formulas.inputs import (
    MAX_VARIABLES,
    Arrays,
    Constants,
    check_sizes,
    check_texts,
    check_variables,
    checked_arrays,
    checked_constants,
    checked_names,
    described,
    described_arrays,
    label,
    outline,
    shortened,
    with_prefix,
)
from conslaw_cli.families.formulas.terms import Base, Graph, Sum, Term, Variable

MAX_COEFFICIENTS = 100_000
RANDOM_LIMITS = {
    "dimension": (1, MAX_VARIABLES),
    "count": (1, 10**6),
    "degree": (0, 100),
    "seed": (0, checks.MAX_SEED),
}
"""The least and the largest value of each number of :class:`RandomFields`."""
COEFFICIENTS = [c for c in range(-9, 10) if c]


@dataclass(frozen=True, slots=True)
class CustomFields(GivenByFormulas):
    """A space of vector fields to be counted.

    variables: names of θ_1, …, θ_D; by default the names that occur, in natural order, if there are
    D.
    components: for each field its D entries, expressions in the variables.
    name: a label; by default it is made from the fields.
    constants: as for ``CustomMap``. arrays: as there; a field has one entry for each, of its shape.

    Raise SpecError as ``CustomMap`` does, its message beginning with "fields: ".

    >>> from conslaw_cli import count_laws
    >>> count_laws(CustomFields((), (("y", "-x"),))).laws  # x² + y²
    1
    """

    variables: tuple[str, ...]
    components: tuple[tuple[str, ...], ...]
    name: str = ""
    constants: Constants = ()
    arrays: Arrays = ()

    def __post_init__(self) -> None:
        with_prefix("fields", self._check)
        if not self.name:
            shown = tuple(f"({', '.join(field)})" for field in self.components)
            state = [name for name, _ in self.names.state]
            object.__setattr__(self, "name", label("fields", state, shown))

    def _check(self) -> None:
        checks.text("name", self.name)
        object.__setattr__(self, "variables", checked_names(self.variables))
        expected = "fields, each a tuple of expressions, such as (('y', '-x'),)"
        given = checks.entries("components", self.components, expected)
        every = tuple(checks.entries("components", field, expected) for field in given)
        object.__setattr__(self, "components", every)
        object.__setattr__(self, "constants", checked_constants(self.constants))
        object.__setattr__(self, "arrays", checked_arrays(self.arrays))
        check_texts("fields", [text for field in every for text in field])
        others = [name for name, _ in (*self.constants, *self.arrays)]
        inferred = not self.variables
        if inferred:
            found = (name for name in names(_entries(self.components)) if name not in others)
            object.__setattr__(self, "variables", tuple(found))
        check_variables((*self.variables, *others))
        check_sizes(self.names)
        self._check_lengths(inferred)
        doubt(self)

    def _check_lengths(self, inferred: bool) -> None:
        state = [name for name, _ in self.names.state]
        for number, field in enumerate(self.components, start=1):
            if len(field) != len(state):
                where = (
                    "were found: give variables if these are not all" if inferred else "are given"
                )
                what = "arrays and variables" if self.arrays else "variables"
                listed = f"{len(state)} {what} ({shortened(', '.join(state))}) {where}"
                raise SpecError(f"field {number} has {len(field)} components, but {listed}")

    @property
    def scalar(self) -> bool:
        """Whether there is one field."""
        return len(self.components) == 1

    def describe(self) -> dict[str, Any]:
        """Return the JSON-ready keys that define the fields (all but their name)."""
        return {
            "fields": {
                "variables": list(self.variables),
                "components": [list(field) for field in self.components],
                **described_arrays(self.arrays),
                **described(self.constants),
            }
        }

    def outline(self) -> list[tuple[str, str, int]]:
        """Return the arrays, the variables and the fields."""
        return [
            *outline(self.arrays, self.variables),
            *(
                (f"field {shortened(', '.join(field))}", str(len(field)), 0)
                for field in self.components
            ),
        ]

    def algebraic(self) -> AlgebraicFields:
        """Return the space that the fields span."""
        return _given(self.names, self.components)


@dataclass(frozen=True, slots=True)
class RandomFields(GivenByFormulas):
    """Random polynomial vector fields (module docstring): ``count`` fields on R^dimension, of a
    degree, decided by a seed.

    Raise SpecError, its message beginning with "random_fields: ", if a number is out of range.
    """

    dimension: int
    count: int
    degree: int
    seed: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        for key, limits in RANDOM_LIMITS.items():
            checks.integer(f"random_fields: {key}", getattr(self, key), *limits)
        checks.text("random_fields: name", self.name)
        size = self.count * self.dimension * comb(self.dimension + self.degree, self.degree)
        if size > MAX_COEFFICIENTS:
            shown = f"{size:,}" if size < 10**30 else "more than 10^30"
            raise SpecError(
                f"random_fields: expected at most {MAX_COEFFICIENTS:,} coefficients, got {shown}"
            )
        if not self.name:
            about = f"of degree {self.degree} in R^{self.dimension}, seed {self.seed}"
            object.__setattr__(self, "name", f"{self.count} random fields {about}")

    @property
    def names(self) -> Names:
        """The names x1, x2, …"""
        return Names.of(f"x{i}" for i in range(1, self.dimension + 1))

    @property
    def scalar(self) -> bool:
        """Whether there is one field."""
        return self.count == 1

    def describe(self) -> dict[str, Any]:
        """Return the JSON-ready keys that define the fields (all but their name)."""
        return {
            "random_fields": {
                key: getattr(self, key) for key in ("dimension", "count", "degree", "seed")
            }
        }

    def outline(self) -> list[tuple[str, str, int]]:
        """Return the variables and the fields."""
        variables = ("variables", str(self.dimension), self.dimension)
        return [
            variables,
            (f"{self.count} random fields of degree {self.degree}", str(self.dimension), 0),
        ]

    def algebraic(self) -> AlgebraicFields:
        """Return the space that the fields span."""
        return vector_fields(self.polynomials())

    def polynomials(self) -> Graph:
        """Return the entries of the fields, one field after another."""
        monomials = [
            tuple((i, Fraction(chosen.count(i))) for i in sorted(set(chosen)))
            for degree in range(self.degree + 1)
            for chosen in combinations_with_replacement(range(self.dimension), degree)
        ]
        draws = np.random.RandomState(self.seed).randint(
            len(COEFFICIENTS), size=(self.count * self.dimension, len(monomials))
        )
        bases: list[Base] = [Variable(i, 1) for i in range(self.dimension)]
        outputs = []
        for row in draws.tolist():
            terms = tuple(
                Term(Fraction(COEFFICIENTS[c]), factors)
                for c, factors in zip(row, monomials, strict=True)
            )
            outputs.append(
                Term(Fraction(1), ((len(bases), Fraction(1)),)) if len(terms) > 1 else terms[0]
            )
            bases += [Sum(terms)] if len(terms) > 1 else []
        return Graph(self.dimension, tuple(bases), tuple(outputs))


@lru_cache(maxsize=64)
def _given(names: Names, fields: tuple[tuple[str, ...], ...]) -> AlgebraicFields:
    shapes = [shape for _ in fields for _, shape in names.state]
    return vector_fields(graph(_entries(fields), names, shapes=shapes), names.fixed)


def _entries(fields: Sequence[Sequence[str]]) -> list[Expression]:
    return [
        Expression(text, f"field {number}, component {place}")
        for number, field in enumerate(fields, start=1)
        for place, text in enumerate(field, start=1)
    ]
