"""What all that is given by formulas has in common."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Self

from conslaw_cli.algebra.expansion import Derivations, Expansion
from conslaw_cli.families.formulas import expansion, functions
from conslaw_cli.families.formulas.algebraic import AlgebraicFields, prove_independence
from conslaw_cli.families.formulas.balls import ranks
from conslaw_cli.families.formulas.commuting import commuting
from conslaw_cli.families.formulas.expressions import Names
from conslaw_cli.families.formulas.inputs import Arrays, Constants, meanings
from conslaw_cli.families.formulas.terms import DependentError
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Laws, join
from conslaw_cli.networks.wiring import Array, labels
from conslaw_cli.problems.losses import Free


class GivenByFormulas(Free):
    """Fields that are no network and have no known laws, until a family says otherwise."""

    __slots__ = ()
    variables: tuple[str, ...]
    arrays: Arrays
    constants: Constants

    @property
    def names(self) -> Names:
        """What the names stand for."""
        return meanings(self.variables, self.arrays, self.constants)

    @property
    def parameters(self) -> int:
        """D, the number of entries of arrays and of variables."""
        return self.names.size

    def parameter_arrays(self) -> Sequence[Array]:
        """Return the arrays, and the variables, which have no index."""
        if self.graph is not None:
            return self.graph.trained
        return [array for array in self.names.arrays if array.trainable]

    def parameter_names(self) -> tuple[str, ...]:
        """Return the names of the entries, ``U[1,2]``, and of the variables."""
        return labels(self.parameter_arrays())

    @property
    def rank_guess(self) -> int:
        """D: finding the known laws may take longer than all the rest."""
        return self.parameters

    @property
    def known_listed(self) -> int:
        """No known laws are listed."""
        return 0

    @property
    def known_terms(self) -> int:
        """No known laws are listed."""
        return 0

    def laws(self) -> Laws:
        """Return no laws."""
        return join([])

    @property
    def held(self) -> int:
        """Nothing to speak of."""
        return 0

    @property
    def graph(self) -> Graph | None:
        """It is no network of operations, in general."""
        return None

    @property
    def formula(self) -> Self | None:
        """Itself."""
        return self

    @property
    def monomial(self) -> bool:
        """It is no monomial map, in general."""
        return False

    @property
    def homogeneous(self) -> bool:
        """It is no map φ."""
        return False

    def path_rank(self) -> int:
        """Return the rank of the exponents of a monomial φ, which this is not."""
        raise NotImplementedError("not a monomial map")

    @property
    def scalar(self) -> bool:
        """Whether one field spans the fields."""
        raise NotImplementedError

    @property
    def commuting(self) -> bool | None:
        """Whether the fields commute; None where that is not decided. If residues say so it is true
        of dependent roots and functions as well.
        """
        found = commuting(self.fields())
        return None if found is False and self.doubt else found

    @property
    def doubt(self) -> str | None:
        """Why ranks modulo primes say nothing; None if they do."""
        return doubt(self) if self.graph is None else None

    def real_ranks(self, enough: int) -> tuple[int, ...]:
        """Return ranks at a real point (balls.py)."""
        return ranks(self.algebraic(), enough)

    def algebraic(self) -> AlgebraicFields:
        """Return the fields as they are written."""
        raise NotImplementedError

    def fields(self) -> AlgebraicFields | GradientFields:
        """Return the fields."""
        return self.algebraic()

    def expansion(self) -> Expansion:
        """Return the fields as polynomials. Raise NotPolynomialError if that is not possible."""
        fields = self.algebraic()
        return expansion.expanded(fields.graph, expansion.entries(fields))

    def derivations(self) -> Derivations:
        """Return the fields as derivations (algebra/expansion.py). Raise NotPolynomialError if that
        is not possible.
        """
        fields = self.algebraic()
        return expansion.derivations(fields.graph, expansion.entries(fields), self.listed_names)

    @property
    def listed_names(self) -> tuple[str, ...]:
        """The names of the variables, and of constants."""
        return labels(self.names.arrays)

    @property
    def scope(self) -> None:
        """Nothing is open: the fields themselves are given."""
        return None


@lru_cache(maxsize=64)
def doubt(formula: GivenByFormulas) -> str | None:
    """Return why roots, or values of functions, are not known to be independent; None if they are.
    Raise SpecError where there are too many roots.
    """
    fields, names = formula.algebraic(), formula.listed_names
    try:
        prove_independence(fields, lambda base: fields.graph.text(base, names))
        functions.prove(fields, lambda base: fields.graph.text(base, names))
    except DependentError as fault:
        return str(fault)
    return None
