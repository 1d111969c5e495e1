"""Maps and vector fields of one's own: φ given by expressions, vector fields given by expressions
or drawn at random.

Custom maps. φ has algebraic components (expressions.py): polynomials, quotients, roots and rational
powers, e.g. Example E.2 of arXiv 2307.00144, ``(u‖v‖, v/‖v‖)``. ``W_φ`` is spanned by their
gradients; constant components add nothing, a variable that no component contains is a law. The laws
counted are those near real points where every denominator is nonzero and the base of every
fractional power positive; positive variables are preferred, where that leaves a choice
(``sqrt(x**2)`` is x).

Vector fields. A given space W of fields takes the place of ``W_φ``: laws are functions h with
``<∇h, χ> = 0`` for all χ ∈ W, and ``D − dim Lie(W)(θ)`` of them are independent near a generic θ,
as in Theorem 3.3 of the paper.

Arrays. Names may stand for arrays (expressions.py), and components for all their entries. Sums and
products of matrices are networks, and counted as these (matrix_networks.py). Constants are generic
numbers that do not move: coefficients of what is counted, no coordinates of its state.

Known laws. Sums of squares, from the scalings that leave φ alone (scalings.py), and symmetric
matrices, one for an index that is summed over (symmetric.py). If φ is monomial the first are
complete: in the coordinates ``y_e = θ_e^2 / 2`` laws are the functions that are constant along the
rows of the matrix A of exponents, and ``dim Lie(W_φ)(θ) = rank A`` where no θ_e is zero.

Softmax. Under cross-entropy the gradients by the outputs sum to zero and span all such vectors, so
φ has the differences of the outputs with the last one in their place.

Random fields. Part A of the authors' notebook: every entry is a polynomial with a nonzero
coefficient from −9 to 9 at every monomial up to a degree, drawn with the frozen stream of NumPy's
RandomState.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from itertools import combinations_with_replacement
from math import comb, prod
from typing import Any, Self

import numpy as np

from conslaw_cli import checks
from conslaw_cli.algebra.expansion import Expansion
from conslaw_cli.algebra.kernel import rank_and_kernel
from conslaw_cli.errors import SpecError
from conslaw_cli.families.formulas import expansion, functions
from conslaw_cli.families.formulas.algebraic import (
    AlgebraicFields,
    components,
    gradient_fields,
    prove_independence,
    vector_fields,
)
from conslaw_cli.families.formulas.commuting import commuting
from conslaw_cli.families.formulas.expressions import (
    Expression,
    Names,
    Shape,
    graph,
    names,
    split,
)
from conslaw_cli.families.formulas.matrix_networks import network
from conslaw_cli.families.formulas.scalings import MAX_COEFFICIENT, Square, is_monomial, scalings
from conslaw_cli.families.formulas.symmetric import forms
from conslaw_cli.families.formulas.terms import Base, Graph, Sum, Term, Variable
from conslaw_cli.families.formulas.tex import symbol
from conslaw_cli.families.mlp import LOSSES
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph as Network
from conslaw_cli.networks.known_laws import Form, Laws, Named, join
from conslaw_cli.networks.operation import show
from conslaw_cli.networks.operations.dense import MAX_WIDTH

MAX_VARIABLES = 2000
MAX_COMPONENTS = 10_000
MAX_CHARACTERS = 200_000
MAX_COEFFICIENTS = 100_000
RANDOM_LIMITS = {
    "dimension": (1, MAX_VARIABLES),
    "count": (1, 10**6),
    "degree": (0, 100),
    "seed": (0, checks.MAX_SEED),
}
"""The least and the largest value of each number of :class:`RandomFields`."""
COEFFICIENTS = [c for c in range(-9, 10) if c]
_NAME_LENGTH = 60
_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*\b(?!\s*\()")
"""A variable: functions stand before parentheses."""

Rows = tuple[tuple[Fraction, ...], ...]
Arrays = Any
"""Shapes by names, as a mapping or in pairs; kept as pairs, so that equal values have a hash."""
Constants = Any
"""Names alone, or shapes or rows of numbers by names; kept as pairs, the shape of a number ()."""


class _WithoutKnownLaws:
    """What the families of this file have in common, but for monomial maps."""

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
    def graph(self) -> Network | None:
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
    def loss(self) -> str:
        """Squared error: every direction of the image of φ is free."""
        return "mse"

    def under(self, loss: str) -> Self:
        """Return itself. Raise SpecError for another loss."""
        checks.choice("loss", loss, (self.loss,))
        return self

    @property
    def scope(self) -> None:
        """Nothing is open: the fields themselves are given."""
        return None


@dataclass(frozen=True, slots=True)
class CustomMap(_WithoutKnownLaws):
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
        object.__setattr__(self, "variables", _checked_names(self.variables))
        object.__setattr__(self, "arrays", _checked_arrays(self.arrays))
        object.__setattr__(self, "constants", _checked_constants(self.constants))
        texts = checks.entries("components", self.components, "expressions such as ('u*v',)")
        object.__setattr__(self, "components", texts)
        _check_texts("components", texts)
        object.__setattr__(self, "outputs", _checked_outputs(self.outputs, len(texts)))
        others = [name for name, _ in (*self.arrays, *self.constants)]
        if not self.variables:
            found = names(_expressions(self.components))
            given = tuple(name for name in found if name not in others)
            object.__setattr__(self, "variables", given)
        _check_variables((*self.variables, *others))
        if self.graph is not None:
            return
        _check_sizes(self.names)
        fields = self.algebraic()
        shown = (*self.names.listed(), *self.names.listed(constants=True))
        _prove(fields, shown)

    def _default_name(self) -> str:
        label = _label("φ", [name for name, _ in self.names.state], self.components)
        return label if self.loss == "mse" else f"{label} {self.loss}"

    @classmethod
    def from_text(cls, text: str) -> CustomMap:
        """Return the map whose components a text gives, separated by commas."""
        return cls((), with_prefix("phi", lambda: listed(text)))

    def under(self, loss: str) -> CustomMap:
        """Return it under another loss, which its label says, if that was made from the rest."""
        if loss == self.loss:
            return self
        name = "" if self.name == self._default_name() else self.name
        return replace(self, loss=loss, name=name)

    @property
    def names(self) -> Names:
        """What the names stand for."""
        return _names(self.variables, self.arrays, self.constants)

    @property
    def parameters(self) -> int:
        """D, the number of entries of arrays and of variables."""
        return self.names.size

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
        if self.arrays:
            phi["arrays"] = {name: list(shape) for name, shape in self.arrays}
        phi |= _described(self.constants)
        if self.outputs:
            phi["outputs"] = list(self.outputs)
        return {"phi": phi} if self.loss == "mse" else {"phi": phi, "loss": self.loss}

    def parameter_names(self) -> Sequence[str]:
        """Return the names of the entries, ``U[1,2]``, and of the variables."""
        return self.names.listed() if self.graph is None else self.graph.parameter_names()

    def outline(self) -> list[tuple[str, str, int]]:
        """Return the arrays, the variables and the components."""
        rows = [(f"array {name}", show(shape), prod(shape)) for name, shape in self.arrays]
        if self.variables:
            size = len(self.variables)
            rows.append((f"variables {_shortened(', '.join(self.variables))}", str(size), size))
        return [*rows, *((f"component {_shortened(text)}", "1", 0) for text in self.components)]

    def parts(self) -> Sequence[tuple[CustomMap, int]]:
        """Return the maps of components that share variables, renamed so that copies are equal, and
        of idle variables.
        """
        plain = not (self.arrays or self.constants or self.loss == "cross_entropy")
        return _parts(self) if plain else ((self, 1),)

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

    def expansion(self) -> Expansion:
        """Return the gradients as polynomials. Raise NotPolynomialError if that is not possible."""
        return expansion.gradients(self.algebraic().graph, self.parameters)

    def path_rank(self) -> int:
        """Return the rank of the exponent matrix; ``monomial`` maps only."""
        return scalings(self.algebraic().graph, self.parameters).rank


@dataclass(frozen=True, slots=True)
class CustomFields(_WithoutKnownLaws):
    """A space of vector fields to be counted.

    variables: names of θ_1, …, θ_D; by default the names that occur, in natural order, if there are
    D.
    components: for each field its D entries, expressions in the variables.
    name: a label; by default it is made from the fields.
    constants: as for ``CustomMap``.

    Raise SpecError as ``CustomMap`` does, its message beginning with "fields: ".

    >>> from conslaw_cli import count_laws
    >>> count_laws(CustomFields((), (("y", "-x"),))).laws  # x² + y²
    1
    """

    variables: tuple[str, ...]
    components: tuple[tuple[str, ...], ...]
    name: str = ""
    constants: Constants = ()

    def __post_init__(self) -> None:
        with_prefix("fields", self._check)
        if not self.name:
            shown = tuple(f"({', '.join(field)})" for field in self.components)
            object.__setattr__(self, "name", _label("fields", self.variables, shown))

    def _check(self) -> None:
        checks.text("name", self.name)
        object.__setattr__(self, "variables", _checked_names(self.variables))
        expected = "fields, each a tuple of expressions, such as (('y', '-x'),)"
        given = checks.entries("components", self.components, expected)
        every = tuple(checks.entries("components", field, expected) for field in given)
        object.__setattr__(self, "components", every)
        object.__setattr__(self, "constants", _checked_constants(self.constants))
        _check_texts("fields", [text for field in every for text in field])
        still, inferred = [name for name, _ in self.constants], not self.variables
        if inferred:
            found = (name for name in names(_entries(self.components)) if name not in still)
            object.__setattr__(self, "variables", tuple(found))
        _check_variables((*self.variables, *still))
        _check_sizes(self.names)
        for number, field in enumerate(self.components, start=1):
            if len(field) != len(self.variables):
                where = (
                    "were found: give variables if these are not all" if inferred else "are given"
                )
                listed = (
                    f"{len(self.variables)} variables ({_shortened(', '.join(self.variables))})"
                    f" {where}"
                )
                raise SpecError(f"field {number} has {len(field)} components, but {listed}")
        fields = self.algebraic()
        shown = (*self.variables, *self.names.listed(constants=True))
        _prove(fields, shown)

    @property
    def names(self) -> Names:
        """What the names stand for."""
        return _names(self.variables, (), self.constants)

    @property
    def parameters(self) -> int:
        """D, the number of variables."""
        return len(self.variables)

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
                **_described(self.constants),
            }
        }

    def parameter_names(self) -> tuple[str, ...]:
        """Return the names of the variables."""
        return self.variables

    def outline(self) -> list[tuple[str, str, int]]:
        """Return the variables and the fields."""
        variables = (
            f"variables {_shortened(', '.join(self.variables))}",
            str(self.parameters),
            self.parameters,
        )
        return [
            variables,
            *(
                (f"field {_shortened(', '.join(field))}", str(len(field)), 0)
                for field in self.components
            ),
        ]

    def algebraic(self) -> AlgebraicFields:
        """Return the space that the fields span."""
        return _given(self.names, self.components)


@dataclass(frozen=True, slots=True)
class RandomFields(_WithoutKnownLaws):
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
    def parameters(self) -> int:
        """D, the dimension."""
        return self.dimension

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

    def parameter_names(self) -> tuple[str, ...]:
        """Return the names of the variables."""
        return tuple(f"x{i}" for i in range(1, self.dimension + 1))

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


def _prove(fields: AlgebraicFields, names: Sequence[str]) -> None:
    """Raise SpecError where roots, or values of functions, are not known to be independent."""
    prove_independence(fields, lambda base: fields.graph.text(base, names))
    functions.prove(fields, lambda base: fields.graph.text(base, names))


# ---- from texts to fields


def with_prefix(key: str, build: Callable[[], Any]) -> Any:
    """Return ``build()``; begin the message of a SpecError with a key."""
    try:
        return build()
    except SpecError as fault:
        raise SpecError(f"{key}: {fault}") from None


@lru_cache(maxsize=64)
def _names(
    variables: tuple[str, ...], arrays: tuple[tuple[str, Shape], ...], constants: Constants
) -> Names:
    generic = tuple((name, each) for name, each in constants if not _given_numbers(each))
    given = tuple((name, each) for name, each in constants if _given_numbers(each))
    return Names((*arrays, *((name, ()) for name in variables)), generic, given)


def _given_numbers(constant: Shape | Rows) -> bool:
    return bool(constant) and isinstance(constant[0], tuple)


@lru_cache(maxsize=64)
def _gradients(
    names: Names, texts: tuple[str, ...], softmax: tuple[int, ...] = ()
) -> AlgebraicFields:
    return gradient_fields(graph(_expressions(texts), names, softmax), names.fixed)


@lru_cache(maxsize=64)
def _given(names: Names, fields: tuple[tuple[str, ...], ...]) -> AlgebraicFields:
    return vector_fields(graph(_entries(fields), names), names.fixed)


@lru_cache(maxsize=64)
def _parts(phi: CustomMap) -> tuple[tuple[CustomMap, int], ...]:
    groups = list[tuple[set[str], list[int]]]()
    for place, text in enumerate(phi.components):
        used, places = set(_NAME.findall(text)), [place]
        for group in [group for group in groups if group[0] & used]:
            groups.remove(group)
            used, places = used | group[0], group[1] + places
        groups += [(used, places)] if used else []
    idle = len(phi.variables) - sum(len(used) for used, _ in groups)
    if len(groups) + idle < 2:
        return ((phi, 1),)
    ordered = sorted(sorted(places) for _, places in groups)
    copies = Counter(_renamed([phi.components[place] for place in places]) for places in ordered)
    return (*copies.items(), *([(CustomMap(("x1",), ("1",)), idle)] if idle else []))


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
    return network(_expressions(phi.components), phi.names) if phi.arrays else None


@lru_cache(maxsize=64)
def _known(phi: CustomMap) -> Laws:
    """Return the known laws of a φ that is no network."""
    matrices = list(forms(_expressions(phi.components), phi.names)) if phi.arrays else []
    squares = scalings(phi.algebraic().graph, phi.parameters).laws
    if matrices:
        diagonals = [row for form in matrices for row in _diagonals(form)]
        squares = tuple(_beyond(diagonals, squares, phi.parameters))
    return join([*(form.laws() for form in matrices), _squares(phi, squares)])


def _diagonals(form: Form) -> list[dict[int, int]]:
    """Return the sums of squares on the diagonal of a matrix of laws."""
    laws, rows = form.laws(), list[dict[int, int]]()
    for law in range(form.units):
        mine = (laws.law == laws.entries.index((law + 1, law + 1))) & (laws.left == laws.right)
        rows.append(
            dict(zip(laws.left[mine].tolist(), laws.coefficient[mine].tolist(), strict=True))
        )
    return rows


def _beyond(
    known: Sequence[dict[int, int]], squares: Sequence[Square], size: int
) -> Iterator[Square]:
    """Yield the sums of squares that are independent of known ones and of those before them."""
    every = [*known, *map(dict, squares)]
    rows = [{number: law[e] for number, law in enumerate(every) if e in law} for e in range(size)]
    _, relations = rank_and_kernel(rows, len(every), MAX_COEFFICIENT)
    dependent = {max(relation) for relation in relations}
    yield from (law for i, law in enumerate(squares, start=len(known)) if i not in dependent)


def _squares(phi: CustomMap, laws: Sequence[Square]) -> Laws:
    """Return the laws ``Σ c_e θ_e²``."""
    variables = np.array([e for law in laws for e, _ in law], dtype=np.intp)
    coefficients = np.array([c for law in laws for _, c in law], dtype=np.int64)
    law = np.repeat(np.arange(len(laws)), [len(law) for law in laws])
    named = [list(_blocks(phi.names, law)) for law in laws]
    families = tuple(
        Named(_sum(blocks, tex=False), _sum(blocks, tex=True), "sum of squares", 1)
        for blocks in named
    )
    return Laws(families, law, variables, variables, coefficients, ((),) * len(laws))


def _blocks(names: Names, law: Square) -> Iterator[tuple[int, str, bool]]:
    """Yield coefficients with what has them: the name of an entry, or of all entries of an array
    with some indices fixed, such as ``U[:,1]``, as whether these are several says.
    """
    listed, found = names.listed(), dict(law)
    for name, shape in names.state:
        entries = names.entries[name]
        mine = [(int(e), place) for place, e in np.ndenumerate(entries) if int(e) in found]
        every = {found[e] for e, _ in mine}
        fixed = [len({place[axis] for _, place in mine}) == 1 for axis in range(len(shape))]
        free = prod(size for size, each in zip(shape, fixed, strict=True) if not each)
        if len(every) == 1 and len(mine) == free > 1:
            index = (str(i + 1) if each else ":" for i, each in zip(mine[0][1], fixed, strict=True))
            yield every.pop(), name + f"[{','.join(index)}]" * any(fixed), True
        else:
            yield from ((found[e], listed[e], False) for e, _ in mine)


def _sum(blocks: Sequence[tuple[int, str, bool]], *, tex: bool) -> str:
    """Return a sum of squares as a formula."""
    minus, times = ("-", r" \, ") if tex else ("−", "·")
    norm, square = (r"\lVert {} \rVert^2", "{}^2") if tex else ("‖{}‖²", "{}²")
    terms = []
    for c, name, several in blocks:
        size = f"{abs(c)}{times}" if abs(c) != 1 else ""
        shown = (norm if several else square).format(symbol(name) if tex else name)
        terms.append(f"{minus if c < 0 else '+'} {size}{shown}")
    return " ".join(terms).removeprefix("+ ")


def _expressions(texts: Sequence[str]) -> list[Expression]:
    return [Expression(text, f"component {number}") for number, text in enumerate(texts, start=1)]


def _entries(fields: Sequence[Sequence[str]]) -> list[Expression]:
    return [
        Expression(text, f"field {number}, component {place}")
        for number, field in enumerate(fields, start=1)
        for place, text in enumerate(field, start=1)
    ]


def listed(text: str) -> tuple[str, ...]:
    """Return the components of a text with commas between them. Raise SpecError if it is none."""
    checks.text("components", text)
    return split(Expression(text, "the list of components"))


def listed_fields(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the fields of a text with semicolons between them, commas between their entries, and
    parentheses around each or none. Raise SpecError if it is none.
    """
    checks.text("components", text)
    whole, start = list[tuple[str, ...]](), 0
    for part in text.split(";"):
        # Blanks in front keep the columns.
        whole.append(split(Expression(" " * start + part, "the list of fields")))
        start += len(part) + 1
    return tuple(whole)


def _checked_arrays(given: object) -> tuple[tuple[str, Shape], ...]:
    """Return names and shapes of arrays."""
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    listed = checks.entries("arrays", pairs, "shapes such as {'W': (3, 2)}")
    for name, shape in listed:
        if not checks.sizes(f"arrays: {name}", shape, MAX_WIDTH):
            raise SpecError(f"arrays: {name}: expected a shape such as [3, 2], got []")
    return tuple((name, tuple(shape)) for name, shape in listed)


def _checked_constants(given: object) -> tuple[tuple[str, Shape | Rows], ...]:
    """Return names with the shapes of generic constants, and with the rows of given ones."""
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    expected = "names such as [p, q], or shapes or rows of numbers such as {W: [2, 2]}"
    listed = checks.entries("constants", pairs, expected)
    found = [(each, ()) if isinstance(each, str) else each for each in listed]
    return tuple((name, _constant(name, value)) for name, value in found)


def _constant(name: str, value: object) -> Shape | Rows:
    rows = checks.entries(f"constants: {name}", value, "a shape, or rows of numbers")
    if not rows or not isinstance(rows[0], list | tuple):
        return checks.sizes(f"constants: {name}", rows, MAX_WIDTH)
    if any(
        not isinstance(row, list | tuple) or len(row) != len(rows[0]) or not row for row in rows
    ):
        raise SpecError(
            f"constants: {name}: expected rows of one length, got {checks.shown(value)}"
        )
    try:
        return tuple(tuple(Fraction(str(entry)) for entry in row) for row in rows)
    except (ValueError, ZeroDivisionError):
        shown = checks.shown(value)
        raise SpecError(f"constants: {name}: expected rational numbers, got {shown}") from None


def _described(constants: Constants) -> dict[str, Any]:
    """Return the JSON-ready key of constants, if there are some."""
    if not any(each for _, each in constants):
        return {"constants": [name for name, _ in constants]} if constants else {}
    return {
        "constants": {
            name: [[_plain(entry) for entry in row] for row in each]
            if _given_numbers(each)
            else list(each)
            for name, each in constants
        }
    }


def _plain(number: Fraction) -> int | str:
    return int(number) if number.denominator == 1 else str(number)


def _checked_outputs(given: object, components: int) -> tuple[int, ...]:
    outputs = checks.entries("outputs", given, "numbers of components such as [1, 2]")
    for output in outputs:
        checks.integer("outputs", output, 1, components)
    if len(set(outputs)) < len(outputs):
        raise SpecError(f"outputs: expected each component once, got {checks.shown(given)}")
    return outputs


def _check_sizes(names: Names) -> None:
    for size, what in ((names.size, "numbers in θ"), (names.fixed, "constants")):
        if size > MAX_VARIABLES:
            raise SpecError(f"arrays: expected at most {MAX_VARIABLES:,} {what}, got {size:,}")


def _checked_names(given: object) -> tuple[str, ...]:
    return checks.entries("variables", given, "names such as ('x1', 'x2')")


def _check_texts(key: str, texts: Sequence[str]) -> None:
    if not texts:
        raise SpecError(f"{key}: expected at least one expression")
    if len(texts) > MAX_COMPONENTS:
        raise SpecError(
            f"{key}: expected at most {MAX_COMPONENTS:,} expressions, got {len(texts):,}"
        )
    for text in texts:
        if type(text) is not str:
            raise SpecError(f"{key}: expected expressions such as 'u*v', got {checks.shown(text)}")
    if (size := sum(map(len, texts))) > MAX_CHARACTERS:
        raise SpecError(
            f"{key}: expected at most {MAX_CHARACTERS:,} characters in all, got {size:,}"
        )


def _check_variables(variables: Sequence[str]) -> None:
    if not variables:
        raise SpecError("variables: expected at least one")
    if len(variables) > MAX_VARIABLES:
        raise SpecError(f"variables: expected at most {MAX_VARIABLES:,}, got {len(variables):,}")
    for name in variables:
        if (
            type(name) is not str
            or not name.isidentifier()
            or unicodedata.normalize("NFKC", name) != name
        ):
            raise SpecError(
                f"variables: expected names of letters, digits and _, got {_shortened(repr(name))}"
            )
        if keyword.iskeyword(name) or name == "sqrt":
            raise SpecError(f"variables: {name!r} has another meaning; choose another name")
    repeated = {name for name in variables if variables.count(name) > 1}
    if repeated:
        raise SpecError(f"variables: {min(repeated)!r} is given twice")


def _label(kind: str, variables: Sequence[str], parts: Sequence[str]) -> str:
    """Return a name that tells different maps apart, also where it is too long to show
    everything.
    """
    text = f"{kind}({', '.join(variables)}) = ({', '.join(parts)})"
    if len(text) <= _NAME_LENGTH:
        return text
    key = sha256("\n".join([*variables, "", *parts]).encode()).hexdigest()[:8]
    return f"{_shortened(text)} [{len(parts)} in {len(variables)} variables, {key}]"


def _shortened(text: str) -> str:
    return text if len(text) <= _NAME_LENGTH else text[: _NAME_LENGTH - 1] + "…"
