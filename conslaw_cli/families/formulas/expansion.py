"""Fields made of algebraic expressions as polynomials, exactly, up to factors.

A field may be multiplied by any function: what is orthogonal to it stays so. So every field is
multiplied by powers of bases until no exponent is negative. Integer powers of sums are multiplied
out; what is left of a fractional power of a base b is a power of one more variable y, which stands
for ``b^{1/B}``, B being the common denominator of the exponents of b. Variables with fractional
powers become powers themselves, ``θ_i = ± t_i^B``. The polynomials map to the functions by a
homomorphism, so what vanishes here vanishes there.

As derivations the fields also say how these variables move, ``χ(y) = Σ_e ∂y/∂θ_e χ_e``: so they act
on polynomials in all of them, modulo the relations ``y^B = b``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import comb, floor, lcm, prod

from flint import Ordering, fmpq, fmpq_mpoly_ctx

from conslaw_cli.algebra.expansion import (
    MAX_TERMS,
    Derivations,
    Expansion,
    NotPolynomialError,
    Polynomial,
    Relation,
    Symbol,
)
from conslaw_cli.families.formulas.algebraic import AlgebraicFields, components
from conslaw_cli.families.formulas.terms import Function, Graph, Prime, Sum, Term, Variable

Entries = Sequence[Sequence[Sequence[Term]]]
"""For every field and coordinate the terms of the entry."""


def entries(fields: AlgebraicFields) -> Entries:
    """Return the entries of fields, gradients written out. Raise NotPolynomialError."""
    graph, size = fields.graph, fields.dimension
    if fields.program.gradients:
        slopes = Slopes(graph)
        return [[slopes.of(term, j) for j in range(size)] for term in components(graph)]
    starts = range(0, len(graph.outputs), size)
    return [[[term] for term in graph.outputs[start : start + size]] for start in starts]


class Slopes:
    """Partial derivatives of terms, as sums of terms."""

    def __init__(self, graph: Graph) -> None:
        self._bases = graph.bases
        self._known = dict[tuple[int, int], list[Term]]()

    def of(self, term: Term, variable: int) -> list[Term]:
        """Differentiate a term."""
        slopes = list[Term]()
        for i, e in term.factors:
            outer = multiplied(term, Term(e, ((i, Fraction(-1)),)))
            slopes += (multiplied(outer, inner) for inner in self._base(i, variable))
            if len(slopes) > MAX_TERMS:
                raise NotPolynomialError
        return slopes

    def _base(self, index: int, variable: int) -> list[Term]:
        if (index, variable) not in self._known:
            self._known[index, variable] = self._slope(index, variable)
        return self._known[index, variable]

    def _slope(self, index: int, variable: int) -> list[Term]:
        base = self._bases[index]
        if isinstance(base, Variable):
            return [Term(Fraction(base.sign))] if base.index == variable else []
        if isinstance(base, Prime):
            return []
        if isinstance(base, Function):
            outer = base.derivative(index)
            return [multiplied(a, b) for b in self.of(base.argument, variable) for a in outer]
        return [slope for term in base.terms for slope in self.of(term, variable)]


def multiplied(*terms: Term) -> Term:
    """Return a product of terms."""
    exponents = dict[int, Fraction]()
    for term in terms:
        for i, e in term.factors:
            exponents[i] = exponents.get(i, Fraction(0)) + e
    factors = tuple((i, e) for i, e in sorted(exponents.items()) if e)
    return Term(prod((term.coefficient for term in terms), start=Fraction(1)), factors)


def expanded(graph: Graph, rows: Entries) -> Expansion:
    """Return fields as polynomials. Raise NotPolynomialError."""
    scaled = [_without_poles(row) for row in rows]
    used = [term for row in scaled for entry in row for term in entry]
    ring = _Ring(graph, used)
    size, every = len(rows[0]) if rows else graph.variables, ring.coordinates(graph.variables)
    fields = tuple(tuple(ring.sum(entry) for entry in row) for row in scaled)
    return Expansion(every[:size], fields, every[size:])


def derivations(graph: Graph, rows: Entries, names: Sequence[str]) -> Derivations:
    """Return fields as derivations of all variables of their ring, roots included.

    names: those of the graph's variables. Raise NotPolynomialError.
    """
    symbols = _Ring(graph, [term for row in rows for entry in row for term in entry]).symbols
    slopes, size = Slopes(graph), len(rows[0]) if rows else 0
    moved = [[_along(slopes, symbol, row) for symbol in symbols] for row in rows]
    scaled = [_without_poles(row) for row in moved]
    ring = _Ring(graph, [term for row in scaled for entry in row for term in entry])
    return Derivations(
        ring.generators,
        ring.coordinates(graph.variables),
        tuple(tuple(ring.sum(entry) for entry in row) for row in scaled),
        tuple(ring.relations()),
        tuple(_symbol(graph, symbol, names) for symbol in ring.symbols),
        size,
    )


def _along(slopes: Slopes, symbol: _Symbol, row: Sequence[Sequence[Term]]) -> list[Term]:
    """Return the derivative of a variable of the ring along a field."""
    if isinstance(symbol, int):
        return list(row[symbol]) if symbol < len(row) else []
    return [
        multiplied(slope, part)
        for e, entry in enumerate(row)
        for slope in slopes.of(symbol, e)
        for part in entry
    ]


def _symbol(graph: Graph, symbol: _Symbol, names: Sequence[str]) -> Symbol:
    """Return how a variable of the ring is written, and which of the graph's it is, if it is
    one.
    """
    if isinstance(symbol, int):
        return Symbol(names[symbol], f"{{{symbol}}}", symbol)
    ((index, exponent),) = symbol.factors
    base = graph.bases[index]
    if isinstance(base, Variable) and exponent == 1:
        return Symbol(names[base.index], f"{{{base.index}}}", base.index, base.sign)
    if isinstance(base, Function) and (base.kind not in ("exp", "log") or exponent != 1):
        raise NotPolynomialError
    numbered = [f"{{{e}}}" for e in range(graph.variables)]
    text, code = (_power(graph, index, exponent, each) for each in (names, numbered))
    return Symbol(text, code, None, base.sign if isinstance(base, Function) else 1)


def _power(graph: Graph, index: int, exponent: Fraction, names: Sequence[str]) -> str:
    text = graph.text(index, names)
    if exponent == 1:
        return text
    return f"sqrt({text})" if exponent == Fraction(1, 2) else f"({text})**({exponent})"


def _without_poles(row: Sequence[Sequence[Term]]) -> list[list[Term]]:
    """Multiply a field by powers of bases until no exponent is negative."""
    lowest = dict[int, Fraction]()
    for entry in row:
        for term in entry:
            for i, e in term.factors:
                lowest[i] = min(lowest.get(i, Fraction(0)), e)
    factor = Term(Fraction(1), tuple((i, -e) for i, e in lowest.items() if e))
    return [[multiplied(term, factor) for term in entry] for entry in row]


_Symbol = Term | int
"""A variable of a ring: a power of a base, or the number of a variable that is none."""


class _Ring:
    """The polynomials in t and y (module docstring)."""

    def __init__(self, graph: Graph, used: Iterable[Term]) -> None:
        self._graph, self._left = graph, MAX_TERMS
        inner = [t for base in graph.bases if isinstance(base, Sum) for t in base.terms]
        states = [base for base in graph.bases if isinstance(base, Function)]
        inner += [term for base in states for term in (base.argument, base.slope)]
        self._orders = dict[int, int]()
        for term in (*used, *inner):
            for i, e in term.factors:
                self._orders[i] = lcm(self._orders.get(i, 1), e.denominator)
        bases = enumerate(graph.bases)
        own = {base.index: i for i, base in bases if isinstance(base, Variable)}
        self._roots = roots = [
            i
            for i, order in self._orders.items()
            if i not in own.values() and (order > 1 or isinstance(graph.bases[i], Function))
        ]
        names = [f"t{e}" for e in range(graph.variables)] + [f"y{i}" for i in roots]
        self._context = fmpq_mpoly_ctx.get(tuple(names), Ordering.lex)
        self._own, symbols = own, self._context.gens()
        self.generators: tuple[Polynomial, ...] = symbols
        self._symbols = {own[e]: symbols[e] for e in own}
        self._symbols |= dict(zip(roots, symbols[graph.variables :], strict=True))
        self._idle, self._values = symbols, dict[int, Polynomial]()

    @property
    def symbols(self) -> list[_Symbol]:
        """What the generators stand for."""
        every: list[_Symbol] = list(range(self._graph.variables))
        for e, index in self._own.items():
            every[e] = self._root(index)
        return [*every, *map(self._root, self._roots)]

    def _root(self, index: int) -> Term:
        return Term(Fraction(1), ((index, Fraction(1, self._orders.get(index, 1))),))

    def relations(self) -> Iterator[Relation]:
        """Yield what powers of generators are equal to. Raise NotPolynomialError."""
        for place, index in enumerate(self._roots, start=self._graph.variables):
            base, order = self._graph.bases[index], self._orders[index]
            if isinstance(base, Sum | Prime):
                yield Relation(place, order, self._value(index, base))

    def coordinates(self, size: int) -> tuple[Polynomial, ...]:
        """Return θ_1, …, θ_D."""
        return tuple(map(self._coordinate, range(size)))

    def _coordinate(self, variable: int) -> Polynomial:
        if variable not in self._own:
            return self._idle[variable]
        index = self._own[variable]
        base = self._graph.bases[index]
        assert isinstance(base, Variable)
        return base.sign * self._symbols[index] ** self._orders.get(index, 1)

    def sum(self, terms: Iterable[Term]) -> Polynomial:
        """Add up terms."""
        total = self._context.constant(0)
        for term in terms:
            total += self._term(term)
        self._left -= len(total)
        if self._left < 0:
            raise NotPolynomialError
        return total

    def _term(self, term: Term) -> Polynomial:
        total = self._context.constant(fmpq(*term.coefficient.as_integer_ratio()))
        for i, e in term.factors:
            power = self._power(i, e)
            if len(total) * len(power) > MAX_TERMS:
                raise NotPolynomialError
            total *= power
        return total

    def _power(self, index: int, exponent: Fraction) -> Polynomial:
        if exponent < 0:
            raise NotPolynomialError
        order, base = self._orders[index], self._graph.bases[index]
        if isinstance(base, Variable | Function):
            return self._symbols[index] ** int(exponent * order)
        whole = floor(exponent)
        value = self._value(index, base)
        if whole and comb(len(value) + whole - 1, whole) > MAX_TERMS:
            raise NotPolynomialError
        power = value**whole
        rest = int((exponent - whole) * order)
        return power * self._symbols[index] ** rest if rest else power

    def _value(self, index: int, base: Prime | Sum) -> Polynomial:
        if index not in self._values:
            self._values[index] = (
                self._context.constant(base.value)
                if isinstance(base, Prime)
                else self.sum(base.terms)
            )
        return self._values[index]
