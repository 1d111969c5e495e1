"""Maps of one's own: φ given by expressions.

φ has algebraic components (expressions.py): polynomials, quotients, roots and rational powers, e.g.
Example E.2 of arXiv 2307.00144, ``(u‖v‖, v/‖v‖)``. ``W_φ`` is spanned by their gradients; constant
components add nothing, a variable that no component contains is a law. The laws counted are those
near real points where every denominator is nonzero and the base of every fractional power positive;
positive variables are preferred, where that leaves a choice (``sqrt(x**2)`` is x).

Arrays. Names may stand for arrays (expressions.py), and components for all their entries. Sums and
products of matrices are networks, and counted as these (matrix_networks.py). Constants are generic
numbers that do not move: coefficients of what is counted, no coordinates of its state.

Known laws (known.py). If φ is monomial its sums of squares are complete: in the coordinates ``y_e =
θ_e^2 / 2`` laws are the functions that are constant along the rows of the matrix A of exponents,
and ``dim Lie(W_φ)(θ) = rank A`` where no θ_e is zero.

Softmax. Under cross-entropy the gradients by the outputs sum to zero and span all such vectors, so
φ has the differences of the outputs with the last one in their place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any, Self

from conslaw_cli import checks
from conslaw_cli.families.formulas.algebraic import AlgebraicFields, components, gradient_fields
from conslaw_cli.families.formulas.expressions import Names, graph, names
from conslaw_cli.families.formulas.formula import GivenByFormulas, doubt
from conslaw_cli.families.formulas.inputs import (
    Arrays,
    Constants,
    check_sizes,
    check_texts,
    check_variables,
    checked_arrays,
    checked_constants,
    checked_names,
    checked_outputs,
    described,
    described_arrays,
    expressions,
    label,
    listed,
    outline,
    shortened,
    with_prefix,
)
from conslaw_cli.families.formulas.known import known_laws
from conslaw_cli.families.formulas.matrix_networks import network
from conslaw_cli.families.formulas.scalings import is_monomial, scalings
from conslaw_cli.families.mlp import LOSSES
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph as Network
from conslaw_cli.networks.known_laws import Laws
from conslaw_cli.problems.losses import Chosen

_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*\b(?!\s*\()")
"""A variable: functions stand before parentheses."""


@dataclass(frozen=True, slots=True)
class CustomMap(Chosen, GivenByFormulas):
    """A map φ to be counted.

    variables: names of numbers in θ; by default those that occur, in natural order (x2 before x10).
    components: one expression for each component, or for each array of components.
    name: a label; by default it is made from the components.
    arrays: names and shapes of arrays in θ, which stand before the variables.
    constants: names and shapes, () for a number, of generic constants; or names and rows of numbers
    for given ones.
    outputs: which components, counted from 1, are the outputs that the loss reads: all by default.
    loss: mse, logistic or cross_entropy.

    Raise SpecError, its message beginning with "phi: ", if a component is no expression in the
    names or is undefined everywhere, or if the sign of one of its roots cannot be decided.

    >>> from conslaw_cli import count_laws
    >>> count_laws(CustomMap(("u", "v1", "v2"), ("u*v1", "u*v2")))
    <LawCount 'φ(u, v1, v2) = (u*v1, u*v2)': D = 3, dim Lie = 2, laws = 1 (1 known), proved>
    >>> tensor = CustomMap((), ("einsum(ir,jr->ij; U, V)",), arrays={"U": (2, 3), "V": (2, 3)})
    >>> count_laws(tensor).laws
    6
    """

    variables: tuple[str, ...]
    components: tuple[str, ...]
    name: str = ""
    arrays: Arrays = ()
    constants: Constants = ()
    outputs: tuple[int, ...] = ()
    loss: str = "mse"

    def __post_init__(self) -> None:
        with_prefix("phi", self._check)
        if not self.name:
            object.__setattr__(self, "name", self._default_name())

    def _check(self) -> None:
        checks.text("name", self.name)
        checks.choice("loss", self.loss, LOSSES)
        object.__setattr__(self, "variables", checked_names(self.variables))
        object.__setattr__(self, "arrays", checked_arrays(self.arrays))
        object.__setattr__(self, "constants", checked_constants(self.constants))
        texts = checks.entries("components", self.components, "expressions such as ('u*v',)")
        object.__setattr__(self, "components", texts)
        check_texts("components", texts)
        object.__setattr__(self, "outputs", checked_outputs(self.outputs, len(texts)))
        others = [name for name, _ in (*self.arrays, *self.constants)]
        if not self.variables:
            found = names(expressions(self.components))
            given = tuple(name for name in found if name not in others)
            object.__setattr__(self, "variables", given)
        check_variables((*self.variables, *others))
        if self.graph is not None:
            return
        check_sizes(self.names)
        doubt(self)

    def _default_name(self) -> str:
        name = label("φ", [name for name, _ in self.names.state], self.components)
        return name if self.loss == "mse" else f"{name} {self.loss}"

    @classmethod
    def from_text(cls, text: str) -> CustomMap:
        """Return the map whose components a text gives, separated by commas."""
        return cls((), with_prefix("phi", lambda: listed(text)))

    @property
    def graph(self) -> Network | None:
        """The network, if it is one, under a loss whose gradients by the outputs are free."""
        return _network(self) if self.loss != "cross_entropy" else None

    @property
    def formula(self) -> Self | None:
        """Itself, unless it is a network."""
        return self if self.graph is None else None

    @property
    def monomial(self) -> bool:
        """Whether every component is a constant times powers of variables."""
        return not self.names.fixed and is_monomial(self.algebraic().graph)

    @property
    def homogeneous(self) -> bool:
        """Whether every component is homogeneous, apart from constants, each of its own degree."""
        whole = self.algebraic().graph
        return not self.names.fixed and whole.homogeneous(components(whole))

    @property
    def scalar(self) -> bool:
        """Whether φ has one component, apart from constants and multiples."""
        return len(self.algebraic().program.outputs) == 1

    def describe(self) -> dict[str, Any]:
        """Return the JSON-ready keys that define the map (all but its name)."""
        phi: dict[str, Any] = {
            "variables": list(self.variables),
            "components": list(self.components),
        }
        phi |= described_arrays(self.arrays) | described(self.constants)
        if self.outputs:
            phi["outputs"] = list(self.outputs)
        return {"phi": phi} if self.loss == "mse" else {"phi": phi, "loss": self.loss}

    def outline(self) -> list[tuple[str, str, int]]:
        """Return the arrays, the variables and the components."""
        rows = outline(self.arrays, self.variables)
        return [*rows, *((f"component {shortened(text)}", "1", 0) for text in self.components)]

    def parts(self) -> Sequence[tuple[CustomMap, int]]:
        """Return the maps of components that share variables, renamed so that copies are equal
        unless they have arrays or constants, and of idle variables.
        """
        return ((self, 1),) if self.loss == "cross_entropy" else _parts(self)

    def fields(self) -> AlgebraicFields | GradientFields:
        """Return the gradients of the components."""
        return self.algebraic() if self.graph is None else GradientFields(self.graph)

    def algebraic(self) -> AlgebraicFields:
        """Return the gradients of the components, written out also of a network."""
        softmax = self.outputs or tuple(range(1, len(self.components) + 1))
        if self.loss != "cross_entropy":
            softmax = ()
        return _gradients(self.names, self.components, tuple(i - 1 for i in softmax))

    @property
    def held(self) -> int:
        """Nothing to speak of, unless it is a network."""
        return 0 if self.graph is None else self.graph.held

    @property
    def known_listed(self) -> int:
        """Number of laws in :meth:`laws`."""
        return self._known_size()[0]

    @property
    def known_terms(self) -> int:
        """Number of monomials of the known laws."""
        return self._known_size()[1]

    def _known_size(self) -> tuple[int, int]:
        if self.graph is not None:
            return GradientFields(self.graph).known_size()
        return len(_known(self)), len(_known(self).law)

    def laws(self) -> Laws:
        """Return the known laws (module docstring)."""
        return _known(self) if self.graph is None else GradientFields(self.graph).known_laws()

    def path_rank(self) -> int:
        """Return the rank of the exponent matrix; ``monomial`` maps only."""
        return scalings(self.algebraic().graph, self.parameters).rank


@lru_cache(maxsize=64)
def _gradients(
    names: Names, texts: tuple[str, ...], softmax: tuple[int, ...] = ()
) -> AlgebraicFields:
    return gradient_fields(graph(expressions(texts), names, softmax), names.fixed)


@lru_cache(maxsize=64)
def _parts(phi: CustomMap) -> tuple[tuple[CustomMap, int], ...]:
    groups, sizes = list[tuple[set[str], list[int]]](), dict(phi.names.state)
    for place, expression in enumerate(expressions(phi.components)):
        used, places = sizes.keys() & names([expression]), [place]
        for group in [group for group in groups if group[0] & used]:
            groups.remove(group)
            used, places = used | group[0], group[1] + places
        groups += [(used, places)] if used else []
    idle = sum(
        prod(sizes[name]) for name in sizes.keys() - set[str]().union(*(u for u, _ in groups))
    )
    if len(groups) + idle < 2:
        return ((phi, 1),)
    ordered = sorted((sorted(places), used) for used, places in groups)
    copies = Counter(_part(phi, places, used) for places, used in ordered)
    return (*copies.items(), *([(CustomMap(("x1",), ("1",)), idle)] if idle else []))


def _part(phi: CustomMap, places: Sequence[int], used: set[str]) -> CustomMap:
    """Return the map of some components and what they are made of."""
    texts = [phi.components[place] for place in places]
    if not (phi.arrays or phi.constants):
        return _renamed(texts)
    return CustomMap(
        tuple(name for name in phi.variables if name in used),
        tuple(texts),
        arrays=tuple((name, shape) for name, shape in phi.arrays if name in used),
        constants=phi.constants,
    )


def _renamed(texts: Sequence[str]) -> CustomMap:
    """Return the map with its variables called x1, x2, … in the order in which they appear."""
    found = dict.fromkeys(name for text in texts for name in _NAME.findall(text))
    new = {name: f"x{number}" for number, name in enumerate(found, start=1)}
    return CustomMap(
        tuple(new.values()),
        tuple(_NAME.sub(lambda match: new[match[0]], text) for text in texts),
    )


@lru_cache(maxsize=64)
def _network(phi: CustomMap) -> Network | None:
    return network(expressions(phi.components), phi.names) if phi.arrays else None


@lru_cache(maxsize=64)
def _known(phi: CustomMap) -> Laws:
    """Return the known laws of a φ that is no network."""
    squares = scalings(phi.algebraic().graph, phi.parameters).laws
    return known_laws(expressions(phi.components), phi.names, squares)
