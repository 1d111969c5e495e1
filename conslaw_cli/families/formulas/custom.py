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

Known laws. Let A have a row of exponents for every component of φ that is monomial, a constant
times powers of variables with any rational exponents, and a unit row for every variable of the
others. For c in the kernel of A, ``Σ_e c_e θ_e^2`` is a law: ``<(c_e θ_e)_e, ∇θ^a> = <c, a> θ^a``.
If φ is monomial these are complete: in the coordinates ``y_e = θ_e^2 / 2`` laws are the functions
that are constant along the rows of A, and ``dim Lie(W_φ)(θ) = rank A`` where no θ_e is zero.

Random fields. Part A of the authors' notebook: every entry is a polynomial with a nonzero
coefficient from −9 to 9 at every monomial up to a degree, drawn with the frozen stream of NumPy's
RandomState.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from itertools import combinations_with_replacement
from math import comb, lcm
from typing import Any, NamedTuple, Self

import numpy as np

from conslaw_cli import checks
from conslaw_cli.algebra.expansion import Expansion
from conslaw_cli.algebra.kernel import rank_and_kernel
from conslaw_cli.errors import SpecError
from conslaw_cli.families.formulas import expansion
from conslaw_cli.families.formulas.algebraic import (
    AlgebraicFields,
    components,
    gradient_fields,
    prove_independence,
    vector_fields,
)
from conslaw_cli.families.formulas.expressions import Expression, graph, names, split
from conslaw_cli.families.formulas.terms import Base, Graph, Sum, Term, Variable
from conslaw_cli.families.formulas.tex import symbol
from conslaw_cli.networks.known_laws import Laws, Named, join

MAX_VARIABLES = 2000
MAX_COMPONENTS = 10_000
MAX_CHARACTERS = 200_000
MAX_COEFFICIENTS = 100_000
MAX_COEFFICIENT = 2**30
RANDOM_LIMITS = {
    "dimension": (1, MAX_VARIABLES),
    "count": (1, 10**6),
    "degree": (0, 100),
    "seed": (0, checks.MAX_SEED),
}
"""The least and the largest value of each number of :class:`RandomFields`."""
COEFFICIENTS = [c for c in range(-9, 10) if c]
_NAME_LENGTH = 60
_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*")


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
    def graph(self) -> None:
        """It is no network of operations."""
        return

    @property
    def formula(self) -> Self:
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

    def fields(self) -> AlgebraicFields:
        """Return the fields."""
        raise NotImplementedError

    def expansion(self) -> Expansion:
        """Return the fields as polynomials. Raise NotPolynomialError if that is not possible."""
        return expansion.fields(self.fields().graph)

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

    variables: names of θ_1, …, θ_D; by default the names that occur, in natural order (x2 before
    x10).
    components: one expression for each component.
    name: a label; by default it is made from the components.

    Raise SpecError, its message beginning with "phi: ", if a component is no expression in the
    variables or is undefined everywhere, or if the sign of one of its roots cannot be decided.

    >>> from conslaw_cli import count_laws
    >>> count_laws(CustomMap(("u", "v1", "v2"), ("u*v1", "u*v2")))
    <LawCount 'φ(u, v1, v2) = (u*v1, u*v2)': D = 3, dim Lie = 2, laws = 1 (1 known), proved>
    """

    variables: tuple[str, ...]
    components: tuple[str, ...]
    name: str = ""

    def __post_init__(self) -> None:
        with_prefix("phi", self._check)
        if not self.name:
            object.__setattr__(self, "name", _label("φ", self.variables, self.components))

    def _check(self) -> None:
        checks.text("name", self.name)
        object.__setattr__(self, "variables", _checked_names(self.variables))
        texts = checks.entries("components", self.components, "expressions such as ('u*v',)")
        object.__setattr__(self, "components", texts)
        _check_texts("components", texts)
        if not self.variables:
            object.__setattr__(self, "variables", tuple(names(_expressions(self.components))))
        _check_variables(self.variables)
        fields = _gradients(self.variables, self.components)
        prove_independence(fields, lambda base: fields.graph.text(base, self.variables))

    @classmethod
    def from_text(cls, text: str) -> CustomMap:
        """Return the map whose components a text gives, separated by commas."""
        return cls((), with_prefix("phi", lambda: listed(text)))

    @property
    def parameters(self) -> int:
        """D, the number of variables."""
        return len(self.variables)

    @property
    def monomial(self) -> bool:
        """Whether every component is a constant times powers of variables."""
        return _exponents(self).monomial

    @property
    def homogeneous(self) -> bool:
        """Whether every component is homogeneous, apart from constants, each of its own degree."""
        whole = self.fields().graph
        return whole.homogeneous(components(whole))

    @property
    def scalar(self) -> bool:
        """Whether φ has one component, apart from constants and multiples."""
        return len(self.fields().program.outputs) == 1

    def describe(self) -> dict[str, Any]:
        """Return the JSON-ready keys that define the map (all but its name)."""
        return {"phi": {"variables": list(self.variables), "components": list(self.components)}}

    def parameter_names(self) -> tuple[str, ...]:
        """Return the names of the variables."""
        return self.variables

    def outline(self) -> list[tuple[str, str, int]]:
        """Return the variables and the components."""
        variables = (
            f"variables {_shortened(', '.join(self.variables))}",
            str(self.parameters),
            self.parameters,
        )
        return [variables, *((f"component {_shortened(text)}", "1", 0) for text in self.components)]

    def parts(self) -> tuple[tuple[CustomMap, int], ...]:
        """Return the maps of components that share variables, renamed so that copies are equal, and
        of idle variables.
        """
        return _parts(self)

    def fields(self) -> AlgebraicFields:
        """Return the gradients of the components."""
        return _gradients(self.variables, self.components)

    @property
    def known_listed(self) -> int:
        """Number of laws in :meth:`laws`."""
        return len(_kernel(self).laws)

    @property
    def known_terms(self) -> int:
        """Number of monomials of the known laws."""
        return sum(map(len, _kernel(self).laws))

    def laws(self) -> Laws:
        """Return the laws ``Σ c_e θ_e^2`` (module docstring)."""
        kernel = _kernel(self).laws
        variables = np.array([e for law in kernel for e, _ in law], dtype=np.intp)
        coefficients = np.array([c for law in kernel for _, c in law], dtype=np.int64)
        law = np.repeat(np.arange(len(kernel)), [len(law) for law in kernel])
        formulas = ((self._sum(law, "{}²", "·"), self._sum(law, "{}^2", r" \, ")) for law in kernel)
        families = tuple(Named(text, latex, "sum of squares", 1) for text, latex in formulas)
        return Laws(families, law, variables, variables, coefficients, ((),) * len(kernel))

    def _sum(self, law: Sequence[tuple[int, int]], square: str, times: str) -> str:
        """Return ``Σ c_e θ_e^2`` as a formula."""
        signs = "−" if times == "·" else "-"
        terms = []
        for e, c in law:
            size = f"{abs(c)}{times}" if abs(c) != 1 else ""
            name = self.variables[e] if times == "·" else symbol(self.variables[e])
            terms.append(f"{signs if c < 0 else '+'} {size}{square.format(name)}")
        return " ".join(terms).removeprefix("+ ")

    def expansion(self) -> Expansion:
        """Return the gradients as polynomials. Raise NotPolynomialError if that is not possible."""
        return expansion.gradients(self.fields().graph)

    def path_rank(self) -> int:
        """Return the rank of the exponent matrix; ``monomial`` maps only."""
        return _kernel(self).rank


@dataclass(frozen=True, slots=True)
class CustomFields(_WithoutKnownLaws):
    """A space of vector fields to be counted.

    variables: names of θ_1, …, θ_D; by default the names that occur, in natural order, if there are
    D.
    components: for each field its D entries, expressions in the variables.
    name: a label; by default it is made from the fields.

    Raise SpecError as ``CustomMap`` does, its message beginning with "fields: ".

    >>> from conslaw_cli import count_laws
    >>> count_laws(CustomFields((), (("y", "-x"),))).laws  # x² + y²
    1
    """

    variables: tuple[str, ...]
    components: tuple[tuple[str, ...], ...]
    name: str = ""

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
        _check_texts("fields", [text for field in every for text in field])
        inferred = not self.variables
        if inferred:
            object.__setattr__(self, "variables", tuple(names(_entries(self.components))))
        _check_variables(self.variables)
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
        fields = _given(self.variables, self.components)
        prove_independence(fields, lambda base: fields.graph.text(base, self.variables))

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

    def fields(self) -> AlgebraicFields:
        """Return the space that the fields span."""
        return _given(self.variables, self.components)


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

    def fields(self) -> AlgebraicFields:
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


# ---- from texts to fields


def with_prefix(key: str, build: Callable[[], Any]) -> Any:
    """Return ``build()``; begin the message of a SpecError with a key."""
    try:
        return build()
    except SpecError as fault:
        raise SpecError(f"{key}: {fault}") from None


@lru_cache(maxsize=64)
def _gradients(variables: tuple[str, ...], texts: tuple[str, ...]) -> AlgebraicFields:
    return gradient_fields(graph(_expressions(texts), variables))


@lru_cache(maxsize=64)
def _given(variables: tuple[str, ...], fields: tuple[tuple[str, ...], ...]) -> AlgebraicFields:
    return vector_fields(graph(_entries(fields), variables))


@lru_cache(maxsize=64)
def _parts(phi: CustomMap) -> tuple[tuple[CustomMap, int], ...]:
    groups = list[tuple[set[str], list[int]]]()
    for place, text in enumerate(phi.components):
        used, places = set(_NAME.findall(text)) - {"sqrt"}, [place]
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
    found = {name: None for text in texts for name in _NAME.findall(text) if name != "sqrt"}
    new = {"sqrt": "sqrt"} | {name: f"x{number}" for number, name in enumerate(found, start=1)}
    return CustomMap(
        tuple(new.values())[1:],
        tuple(_NAME.sub(lambda match: new[match[0]], text) for text in texts),
    )


class _Exponents(NamedTuple):
    """The rows of the matrix A of the module docstring, scaled to integers; is φ monomial?"""

    rows: tuple[dict[int, int], ...]
    monomial: bool


class _Kernel(NamedTuple):
    """The rank of A, and a basis of its kernel as (variable, integer) pairs.

    Laws whose integers are too large for exact products are left out.
    """

    rank: int
    laws: tuple[tuple[tuple[int, int], ...], ...]


@lru_cache(maxsize=64)
def _exponents(phi: CustomMap) -> _Exponents:
    whole = phi.fields().graph
    supports, rows, others = whole.supports(), list[dict[int, int]](), set[int]()
    for term in components(whole):
        if any(isinstance(whole.bases[i], Sum) and supports[i] for i, _ in term.factors):
            others = others.union(*(supports[i] for i, _ in term.factors))
        else:
            rows.append(_row(whole, term))
    units = ({index: 1} for index in sorted(others))
    return _Exponents((*rows, *units), not others)


def _row(whole: Graph, term: Term) -> dict[int, int]:
    """Return the exponents of a monomial times their common denominator."""
    powers = ((whole.bases[i], e) for i, e in term.factors)
    row = {base.index: e for base, e in powers if isinstance(base, Variable)}
    scale = lcm(*(e.denominator for e in row.values()))
    return {index: int(e * scale) for index, e in row.items()}


@lru_cache(maxsize=64)
def _kernel(phi: CustomMap) -> _Kernel:
    rank, vectors = rank_and_kernel(_exponents(phi).rows, phi.parameters, MAX_COEFFICIENT)
    return _Kernel(rank, tuple(tuple(vector.items()) for vector in vectors))


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
