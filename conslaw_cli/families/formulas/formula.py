"""What all that is given by formulas has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from conslaw_cli.algebra.expansion import Expansion
from conslaw_cli.families.formulas import expansion, functions
from conslaw_cli.families.formulas.algebraic import AlgebraicFields, prove_independence
from conslaw_cli.families.formulas.commuting import commuting
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Laws, join
from conslaw_cli.problems.losses import Free


class GivenByFormulas(Free):
    """Fields that are no network and have no known laws, until a family says otherwise."""

    __slots__ = ()

    @property
    def parameters(self) -> int:
        """D, the number of variables."""
        raise NotImplementedError

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
        """Whether the fields commute; None where that is not decided."""
        return commuting(self.fields())

    def algebraic(self) -> AlgebraicFields:
        """Return the fields as they are written."""
        raise NotImplementedError

    def fields(self) -> AlgebraicFields | GradientFields:
        """Return the fields."""
        return self.algebraic()

    def expansion(self) -> Expansion:
        """Return the fields as polynomials. Raise NotPolynomialError if that is not possible."""
        return expansion.fields(self.algebraic().graph, self.parameters)

    @property
    def scope(self) -> None:
        """Nothing is open: the fields themselves are given."""
        return None


def prove(fields: AlgebraicFields, names: Sequence[str]) -> None:
    """Raise SpecError where roots, or values of functions, are not known to be independent."""
    prove_independence(fields, lambda base: fields.graph.text(base, names))
    functions.prove(fields, lambda base: fields.graph.text(base, names))
