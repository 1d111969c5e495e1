"""Upper bounds from polynomial laws that are found and hold identically."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from math import lcm, prod
from typing import Any

import numpy as np

from conslaw_cli.algebra.expansion import MAX_TERMS, Expansion, NotPolynomialError, Polynomial
from conslaw_cli.algebra.rings import Exact, Values
from conslaw_cli.lie.closure import Sampler
from conslaw_cli.lie.ranks import law_rank
from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, theorem
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.known_laws import Laws, Named
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound

DEGREES = (1, 2)
MAX_DIMENSION = 200
"""Parameters up to which laws are looked for."""
MAX_ENTRIES = 200_000
"""Nonzero coefficients of the equations for a law's coefficients, at most: about a second."""
MAX_WORK = 10**9
"""Products of the elimination, at most."""
MAX_COEFFICIENT = 2**30
"""Integers from which the coefficients of a law, together, are too large for exact products."""


@theorem(
    "found laws",
    title="Polynomial laws that hold identically",
    source=(
        "elementary; for the search: Marcotte, Gribonval, Peyré: Abide by the Law and Follow the"
        " Flow: Conservation Laws for Gradient Flows, NeurIPS 2023, arXiv 2307.00144, section 2.5"
    ),
    needs=Needs.GAP,
)
def found_laws(problem: Problem, evidence: Evidence) -> Proof | None:
    """If polynomials h of degree 1 or 2 satisfy ⟨∇h, χ⟩ = 0 identically for all fields χ that span
    W, and their gradients have rank N at one point modulo a prime, then dim Lie(W)(θ) ≤ D − N.

    Hypotheses. The fields are polynomials, up to factors and with roots as further variables
    (families/formulas/expansion.py); sizes alone decide whether the search is made, and the laws
    are as many as close the gap.

    Proof. The coefficients of h that make ⟨∇h, χ⟩ the zero polynomial, in θ and in the probes of a
    network, are the kernel of a matrix over Q, computed and checked over Z (algebra/kernel.py). The
    gradients of such h are orthogonal to W, hence to Lie(W); a minor that is no zero modulo the
    prime is a nonzero polynomial. Coefficients may be polynomials in generic constants, up to the
    same degree; these have random residues then.
    """
    if problem.state > MAX_DIMENSION or (exact := _expansion(problem)) is None:
        return None
    for degree in DEGREES:
        laws = _laws(exact, degree, evidence.sampler)
        rank = law_rank(laws, evidence.sampler) if laws is not None else 0
        if problem.state - rank <= evidence.closed.ranks.rank:
            prime = evidence.sampler.field.p
            shown = (
                f"polynomial laws of degree up to {degree} that hold identically over the integers"
                f" have gradients of rank {rank} at a random point"
            )
            return Proof(upper=(Bound(problem.state - rank, "found laws", "proof", prime, shown),))
    return None


def _expansion(problem: Problem) -> Expansion | None:
    """Return the fields as polynomials, None where that is not possible, or too long."""

    try:
        if problem.formula is not None:
            return problem.formula.expansion()
        fields = problem.architecture.fields()
        return _of_network(fields) if isinstance(fields, GradientFields) else None
    except NotPolynomialError:
        return None


class _Symbols(Exact):
    """Exact arithmetic of polynomials."""

    __slots__ = ()

    def scale(self, x: Values, factor: Fraction) -> Values:
        """Multiply coefficients."""
        from flint import fmpq  # dear: few counts look for laws

        scaled: Values = x * fmpq(factor.numerator, factor.denominator)
        return scaled


def _of_network(fields: GradientFields) -> Expansion | None:
    """Return ``∇_θ F(θ; a)`` as a polynomial in θ, the probe and frozen parameters; None where it
    is none, or too long.
    """
    from flint import Ordering, fmpq_mpoly_ctx

    graph = fields.graph
    if not graph.polynomial or fields.bits() + math.log2(graph.dimension) > math.log2(MAX_TERMS):
        return None
    sizes = (graph.dimension, graph.probe_size, graph.constants)
    context = fmpq_mpoly_ctx.get(tuple(f"x{i}" for i in range(sum(sizes))), Ordering.lex)
    symbols = np.empty((1, sum(sizes)), dtype=object)
    for place, symbol in enumerate(context.gens()):
        symbols[0, place] = symbol
    theta, probe, constants = np.split(symbols, np.cumsum(sizes)[:-1], axis=1)
    gradient = fields.bound(constants).gradient(_Symbols(), theta, probe)
    entries = tuple(context.constant(0) + entry for entry in gradient[0])
    return Expansion(tuple(theta[0]), (entries,))


def _laws(exact: Expansion, degree: int, at: Sampler) -> Laws | None:
    """Return a basis of the polynomial laws of degree up to ``degree``, constants excluded; None
    where that would take too long. Generic constants in them have the residues of the sampler.
    """
    from conslaw_cli.algebra.kernel import rank_and_kernel

    size, fixed = len(exact.coordinates), len(exact.constants)
    factors = [m for d in range(degree + 1) for m in _monomials(fixed, d)]
    columns = [(m, f) for d in range(1, degree + 1) for m in _monomials(size, d) for f in factors]
    terms = sum(len(entry) for field in exact.fields for entry in field) * len(factors)
    if terms * (size + 1) ** (degree - 1) > MAX_ENTRIES:
        return None
    rows = _equations(exact, columns)
    if len(rows) * len(columns) ** 2 > MAX_WORK:
        return None
    _, vectors = rank_and_kernel(rows, len(columns), MAX_COEFFICIENT // (2 * size + 2))
    values = _residues(at, [factor for _, factor in columns]) if fixed else [1] * len(columns)
    return _listed(
        [_law(vector, columns, values, at.field.p if fixed else 0) for vector in vectors]
    )


def _law(
    vector: Mapping[int, int],
    columns: Sequence[tuple[_Monomial, _Monomial]],
    values: Sequence[int],
    modulus: int,
) -> dict[_Monomial, int]:
    """Return a law at values of the constants, modulo a prime unless that is 0."""
    law = defaultdict[_Monomial, int](int)
    for k, c in vector.items():
        law[columns[k][0]] += c * values[k]
    return {m: c % modulus if modulus else c for m, c in law.items()}


def _residues(at: Sampler, factors: Sequence[_Monomial]) -> list[int]:
    """Return products of generic constants at the sampler's point."""
    from conslaw_cli.families.formulas.algebraic import AlgebraicFields

    assert isinstance(at.fields, AlgebraicFields)
    assert at.fields.fixed is not None
    fixed = [int(x) for x in at.fields.fixed.ravel()]
    return [prod(fixed[i] for i in each) % at.field.p for each in factors]


_Monomial = tuple[int, ...]


def _monomials(size: int, degree: int) -> Iterator[_Monomial]:
    return combinations_with_replacement(range(size), degree)


def _equations(
    exact: Expansion, columns: Sequence[tuple[_Monomial, _Monomial]]
) -> list[dict[int, int]]:
    """Return one equation for each coefficient of ``⟨∇h, χ⟩``, in the coefficients of h, which are
    those of products of monomials in θ and in constants.
    """
    rows = defaultdict[tuple[int, Any], dict[int, int]](dict)
    for number, field in enumerate(exact.fields):
        whole = _integral(field)
        for column, (monomial, factor) in enumerate(columns):
            times = [exact.constants[i] for i in factor]
            along = prod(times, start=_along(exact, whole, monomial))
            for exponents, c in along.to_dict().items():
                rows[number, exponents][column] = int(c.p)
    return list(rows.values())


def _integral(field: Sequence[Polynomial]) -> list[Polynomial]:
    """Multiply a field by the common denominator of its coefficients."""
    scale = lcm(1, *(int(c.q) for entry in field for c in entry.coeffs()))
    return [scale * entry for entry in field]


def _along(exact: Expansion, field: Sequence[Polynomial], monomial: _Monomial) -> Polynomial:
    """Return the derivative of a monomial in θ along a field."""
    if len(monomial) == 1:
        return field[monomial[0]]
    i, j = monomial
    return exact.coordinates[j] * field[i] + exact.coordinates[i] * field[j]


def _listed(laws: Sequence[dict[_Monomial, int]]) -> Laws:
    """Return polynomials of degree up to 2 as laws."""
    terms = [
        (number, m[0], m[-1] if len(m) > 1 else -1, c)
        for number, law in enumerate(laws)
        for m, c in law.items()
    ]
    law, left, right, coefficient = np.array(terms, dtype=np.int64).reshape(-1, 4).T
    index = [column.astype(np.intp) for column in (law, left, right)]
    family = Named("found", "found", "polynomials", len(laws))
    entries = tuple((number,) for number in range(1, len(laws) + 1))
    return Laws((family,), index[0], index[1], index[2], coefficient, entries)
