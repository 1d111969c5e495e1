"""Sums of products of powers: the normal form of algebraic expressions (expressions.py builds it).

A term is a rational coefficient times powers, with rational exponents, of bases; a base is a
variable, a prime number or a sum of two or more terms with coprime integer coefficients. At the
base point, a real point near which the expressions are meant, every base is positive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

Factors = tuple[tuple[int, Fraction], ...]
"""Powers of bases: pairs of a base's index and a nonzero exponent, by ascending index."""


@dataclass(frozen=True, slots=True)
class Term:
    """``coefficient · ∏ base^exponent``. Prime bases have exponents between 0 and 1."""

    coefficient: Fraction
    factors: Factors = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """The base ``sign · θ_index``, positive at the base point."""

    index: int
    sign: int


@dataclass(frozen=True, slots=True)
class Prime:
    """A prime number, of which only roots are bases."""

    value: int


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of terms with coprime integer coefficients, positive at the base point."""

    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A value of a function (functions.py), ``sign · f(argument)``, positive at the base point.

    slope: of f: itself times its value for exp; for tan, which is that of a part of the argument, a
    number times ``1 + f²``; for the others what it is.
    """

    kind: str
    argument: Term
    slope: Term
    sign: int

    def derivative(self, own: int) -> list[Term]:
        """Return the derivative of the base, whose index is ``own``, by its argument."""
        if self.kind == "exp":
            return [Term(Fraction(1), ((own, Fraction(1)),))]
        slope = Term(self.slope.coefficient * self.sign, self.slope.factors)
        square = Term(slope.coefficient, ((own, Fraction(2)),))
        return [slope, square] if self.kind == "tan" else [slope]

    @property
    def factors(self) -> Factors:
        """The powers that it is made of."""
        return (*self.argument.factors, *self.slope.factors)


Base = Variable | Prime | Sum | Function


class Radical(NamedTuple):
    """A product of powers of constants: as text, which is Python for its value if ``sqrt`` is
    known, as sympy code and in LaTeX.
    """

    text: str
    sympy: str
    latex: str


class _Style(NamedTuple):
    """How products and powers are written."""

    times: str
    root: str
    group: str
    power: Callable[[Fraction], str]


_STYLES = (
    _Style("*", "sqrt({})", "({})", lambda e: f"**{e}" if e.denominator == 1 else f"**({e})"),
    _Style(
        "*",
        "sympy.sqrt({})",
        "({})",
        lambda e: f"**sympy.Rational({e.numerator}, {e.denominator})",
    ),
    _Style(r" \, ", r"\sqrt{{{}}}", r"\left({}\right)", lambda e: f"^{{{e}}}"),
)


@dataclass(frozen=True, slots=True)
class Graph:
    """Expressions in ``variables`` variables. Every base comes after those that it is made of.

    point: the base point, where it was chosen.
    """

    variables: int
    bases: tuple[Base, ...]
    outputs: tuple[Term, ...]
    point: tuple[Fraction, ...] = ()

    def supports(self) -> list[frozenset[int]]:
        """Return the variables that each base depends on; −1 stands for numbers such as e."""
        supports = list[frozenset[int]]()
        for base in self.bases:
            below = {i for i, _ in below_of(base)}
            own = {base.index} if isinstance(base, Variable) else set[int]()
            own = own.union(*(supports[i] for i in below))
            number = isinstance(base, Function) and not own
            supports.append(frozenset({-1} if number else own))
        return supports

    def homogeneous(self, terms: Iterable[Term]) -> bool:
        """Whether each of these is homogeneous in the variables, apart from a constant summand."""
        degrees, supports = list[Fraction | None](), self.supports()
        for base in self.bases:
            own = None if isinstance(base, Function) else Fraction(isinstance(base, Variable))
            degrees.append(_common(base.terms, degrees) if isinstance(base, Sum) else own)
        return all(_common(self._moving(term, supports), degrees) is not None for term in terms)

    def _moving(self, term: Term, supports: Sequence[frozenset[int]]) -> list[Term]:
        """Return the summands of a term, but for constants."""
        (place, exponent), *others = term.factors
        base = self.bases[place]
        if others or exponent != 1 or not isinstance(base, Sum):
            return [term]
        return [each for each in base.terms if any(supports[i] for i, _ in each.factors)]

    def radical(self, factors: Factors) -> Radical:
        """Return how a product of powers of constants is written."""
        return Radical(*("".join(self._product(style, factors)) for style in _STYLES))

    def _product(self, style: _Style, factors: Factors) -> str:
        return style.times.join(self._power(style, i, e) for i, e in factors)

    def _power(self, style: _Style, index: int, exponent: Fraction) -> str:
        base = self.bases[index]
        inner = self._sum(style, base.terms) if isinstance(base, Sum) else self.text(index, ())
        if exponent == Fraction(1, 2):
            return style.root.format(inner)
        shown = style.group.format(inner) if isinstance(base, Sum) else inner
        return shown if exponent == 1 else shown + style.power(exponent)

    def _sum(self, style: _Style, terms: Iterable[Term]) -> str:
        written = (self._term(style, term) for term in terms)
        return " + ".join(written).replace("+ -", "- ")

    def _term(self, style: _Style, term: Term) -> str:
        number = int(term.coefficient)
        size = [str(abs(number))] if abs(number) != 1 or not term.factors else []
        powers = [self._product(style, term.factors)] if term.factors else []
        return "-" * (number < 0) + style.times.join([*size, *powers])

    def text(self, index: int, names: Sequence[str]) -> str:
        """Return a base as text."""
        base = self.bases[index]
        if isinstance(base, Sum):
            return " + ".join(self._term_text(term, names) for term in base.terms).replace(
                "+ -", "- "
            )
        if isinstance(base, Function):
            (i, e), *others = (*base.argument.factors, (0, Fraction(0)))
            own = base.slope.coefficient if base.kind in ("tan", "erf") else Fraction(1)
            term = Term(base.argument.coefficient * own, base.argument.factors)
            alone = term.coefficient == e == 1 and len(others) == 1
            inner = self.text(i, names) if alone else self._term_text(term, names)
            return f"{base.kind}({inner})"
        return (
            ("-" if base.sign < 0 else "") + names[base.index]
            if isinstance(base, Variable)
            else str(base.value)
        )

    def _term_text(self, term: Term, names: Sequence[str]) -> str:
        def powered(i: int, e: Fraction) -> str:
            inner = self.text(i, names)
            plain = inner.isidentifier() or inner.isdigit() or isinstance(self.bases[i], Function)
            shown = inner if plain else f"({inner})"
            return (
                shown
                if e == 1
                else f"{shown}**{e}"
                if e.denominator == 1 and e > 0
                else f"{shown}**({e})"
            )

        parts = [powered(i, e) for i, e in term.factors]
        sign = (
            {Fraction(1): "", Fraction(-1): "-"}.get(term.coefficient, f"{term.coefficient}*")
            if parts
            else str(term.coefficient)
        )
        return sign + "*".join(parts)


def _common(terms: Iterable[Term], degrees: Sequence[Fraction | None]) -> Fraction | None:
    """Return the degree of all terms, given those of the bases; None where they have no one."""
    found = {_degree(term, degrees) for term in terms}
    return found.pop() if len(found) == 1 else None


def _degree(term: Term, degrees: Sequence[Fraction | None]) -> Fraction | None:
    total = Fraction(0)
    for i, exponent in term.factors:
        degree = degrees[i]
        if degree is None:
            return None
        total += exponent * degree
    return total


def below_of(base: Base) -> Factors:
    """Return the powers that a base is made of."""
    if isinstance(base, Sum):
        return tuple(factor for term in base.terms for factor in term.factors)
    return base.factors if isinstance(base, Function) else ()


class DependentError(Exception):
    """Roots, or values of functions, are not known to be algebraically independent."""


class UndefinedError(Exception):
    """An expression is not defined, or not certainly, at this base point."""


class LimitError(Exception):
    """An expression is undefined everywhere or beyond the limits."""
