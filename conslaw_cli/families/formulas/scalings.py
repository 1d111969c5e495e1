"""Scalings of the variables that leave a map alone, read off its exponents.

Let every variable θ_e and every base f that is a sum have an unknown weight, c_e and w_f; a product
of powers has the weight that these give it. Where all terms of every f have the weight w_f and all
components of φ have weight 0, the motion ``θ_e → e^{t c_e} θ_e`` leaves φ alone, so ``Σ c_e θ_e²``
is a law: its gradient is twice the field ``(c_e θ_e)_e``, along which φ is constant. These
equations are the integer matrix A of this module. For a polynomial φ whose brackets hold no terms
that cancel its kernel is that of all exponents.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from conslaw_cli.algebra.kernel import rank_and_kernel
from conslaw_cli.families.formulas.algebraic import components
from conslaw_cli.families.formulas.terms import Function, Graph, Sum, Term, Variable

MAX_COEFFICIENT = 2**30
"""Integers from which those of a law are too large for exact products."""
MAX_WORK = 2 * 10**10
"""Products of the elimination, at most, where there are sums: some seconds."""

Row = dict[int, Fraction]
Square = tuple[tuple[int, int], ...]
"""A sum of squares: pairs of a variable and a coefficient."""


class Scalings(NamedTuple):
    """The rank of A for a monomial map, and laws as pairs of a variable and an integer.

    Laws whose integers are too large for exact products are left out.
    """

    rank: int
    laws: tuple[Square, ...]


def is_monomial(graph: Graph) -> bool:
    """Whether every component is a constant times powers of variables."""
    supports = graph.supports()
    factors = (factor for term in components(graph) for factor in term.factors)
    return not any(isinstance(graph.bases[i], Sum | Function) and supports[i] for i, _ in factors)


def scalings(graph: Graph, size: int) -> Scalings:
    """Return the laws ``Σ c_e θ_e²`` of a map in the first ``size`` variables."""
    supports = graph.supports()
    sums = [i for i, base in enumerate(graph.bases) if isinstance(base, Sum) and supports[i]]
    place = {base: column for column, base in enumerate(sums)}
    rows = [_whole(row) for row in _equations(graph, place, size) if row]
    columns = len(sums) + size
    if sums and len(rows) * columns**2 > MAX_WORK:
        return Scalings(0, ())
    rank, vectors = rank_and_kernel(rows, columns, MAX_COEFFICIENT)
    laws = (tuple((e - len(sums), c) for e, c in v.items() if e >= len(sums)) for v in vectors)
    return Scalings(rank, tuple(_positive(law) for law in laws if law))


def _positive(law: Square) -> Square:
    return law if law[0][1] > 0 else tuple((e, -c) for e, c in law)


def _equations(graph: Graph, place: dict[int, int], size: int) -> Iterator[Row]:
    """Yield what must be 0: the weight of every component, and of every term of a sum less that of
    the sum, and of what functions are taken of. Constants, which do not move, have weight 0.
    """
    for term in components(graph):
        yield _weight(graph, term, place, size)
    for i, column in place.items():
        base = graph.bases[i]
        assert isinstance(base, Sum)
        for term in base.terms:
            yield _weight(graph, term, place, size) | {column: Fraction(-1)}
    for base in graph.bases:
        if isinstance(base, Function):
            yield _weight(graph, base.argument, place, size)


def _weight(graph: Graph, term: Term, place: dict[int, int], size: int) -> Row:
    row = Row()
    for i, e in term.factors:
        base = graph.bases[i]
        if i in place:
            row[place[i]] = e
        elif isinstance(base, Variable) and base.index < size:
            row[len(place) + base.index] = e
    return row


def _whole(row: Row) -> dict[int, int]:
    scale = lcm(*(e.denominator for e in row.values()))
    return {column: int(e * scale) for column, e in row.items()}
