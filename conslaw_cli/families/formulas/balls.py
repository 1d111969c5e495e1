"""Ranks of fields and their brackets at a real point, in ball arithmetic.

No hypothesis is needed: fields and brackets are written out as sums of products of powers, and
their values are balls around real numbers. Elimination divides by balls without 0 only, so the
vectors that it keeps are independent, near the point and hence at generic points. That others are
not is likely at most: all that is left of them are balls around 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction

from flint import arb, ctx

from conslaw_cli.algebra.expansion import MAX_TERMS, NotPolynomialError
from conslaw_cli.errors import SpecError
from conslaw_cli.families.formulas.algebraic import AlgebraicFields
from conslaw_cli.families.formulas.constants import ball, power_product
from conslaw_cli.families.formulas.expansion import Slopes, entries, multiplied
from conslaw_cli.families.formulas.functions import value_of
from conslaw_cli.families.formulas.terms import Factors, Function, Graph, Prime, Sum, Term, Variable

BITS = 512
"""Precision of the balls."""

Field = tuple[tuple[Term, ...], ...]
"""The terms of every entry."""


def ranks(fields: AlgebraicFields, enough: int) -> tuple[int, ...]:
    """Return lower bounds for the dimensions of W_0(θ), W_1(θ), … (Prop. 3.1), until they stop or
    reach ``enough``.

    Raise SpecError where brackets are too long to write out.
    """
    try:
        with ctx.workprec(BITS):
            return _ranks(fields, enough)
    except NotPolynomialError:
        raise SpecError("brackets are too long to be written out") from None


def _ranks(fields: AlgebraicFields, enough: int) -> tuple[int, ...]:
    span, bracket = _Span(fields.graph), _Brackets(fields.graph)
    first = [_collected(row) for row in entries(fields)]
    start = level = [field for field in first if span.add(field)]
    dimensions = [span.rank]
    while level and span.rank < enough:
        level = [z for x in start for y in level if span.add(z := bracket.of(x, y))]
        dimensions += [span.rank] if level else []
    return tuple(dimensions)


def _collected(row: Sequence[Sequence[Term]]) -> Field:
    """Add up equal terms."""
    return tuple(tuple(_sum(entry)) for entry in row)


def _sum(terms: Sequence[Term]) -> Iterator[Term]:
    total = defaultdict[Factors, Fraction](Fraction)
    for term in terms:
        total[term.factors] += term.coefficient
    yield from (Term(c, factors) for factors, c in total.items() if c)


class _Brackets:
    """Brackets of fields, written out."""

    def __init__(self, graph: Graph) -> None:
        self._slopes = Slopes(graph)

    def of(self, x: Field, y: Field) -> Field:
        """Return ``[x, y]``. Raise NotPolynomialError where it has too many terms."""
        minus = Term(Fraction(-1))
        return _collected(
            [
                [*self._along(x, after), *(multiplied(minus, t) for t in self._along(y, own))]
                for own, after in zip(x, y, strict=True)
            ]
        )

    def _along(self, x: Field, terms: Sequence[Term]) -> list[Term]:
        """Return the derivative of a sum along a field."""
        moved = [
            multiplied(part, slope)
            for j, own in enumerate(x)
            if own
            for term in terms
            for slope in self._slopes.of(term, j)
            for part in own
        ]
        if len(moved) > MAX_TERMS:
            raise NotPolynomialError
        return moved


class _Span:
    """Vectors of balls that are certainly independent, in echelon form."""

    def __init__(self, graph: Graph) -> None:
        self._values = _values(graph)
        self._rows = list[tuple[int, list[arb]]]()

    @property
    def rank(self) -> int:
        """Their number."""
        return len(self._rows)

    def add(self, field: Field) -> bool:
        """Whether the field's value is certainly independent of those before it; keep it if so."""
        row = [_value(entry, self._values) for entry in field]
        for pivot, other in self._rows:
            factor = row[pivot]
            row = [a - factor * b for a, b in zip(row, other, strict=True)]
            row[pivot] = arb(0)
        pivot = max(range(len(row)), key=lambda e: float(abs(row[e]).lower()))
        if not (row[pivot] > 0 or row[pivot] < 0):
            return False
        self._rows.append((pivot, [x / row[pivot] for x in row]))
        return True


def _value(terms: Sequence[Term], values: Sequence[arb]) -> arb:
    parts = (ball(t.coefficient) * power_product(t.factors, values) for t in terms)
    return sum(parts, arb(0))


def _values(graph: Graph) -> list[arb]:
    """Return the values of bases at the graph's base point."""
    values = list[arb]()
    for base in graph.bases:
        if isinstance(base, Variable):
            values.append(ball(graph.point[base.index]) * base.sign)
        elif isinstance(base, Prime):
            values.append(arb(base.value))
        elif isinstance(base, Sum):
            values.append(_value(base.terms, values))
        else:
            assert isinstance(base, Function)
            argument = _value([base.argument], values)
            values.append(value_of(base.kind, base.slope.coefficient, argument) * base.sign)
    return values
