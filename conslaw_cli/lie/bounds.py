"""Proofs and evidence: bounds on ``dim Lie(W_φ)(θ)`` at generic θ, each with what it rests on.

Lower bounds. r fields or brackets with integer polynomial entries that have rank r at some point
modulo some prime have an r × r minor that is a nonzero polynomial, hence rank r at generic real θ.
No probability is involved.

Upper bounds. N laws (by a theorem) whose integer gradients have rank N modulo a prime leave at most
D − N dimensions.

Evidence. That ranks stagnate at r (Lemma 3.2) is random: a trial at a fresh prime and point misses
a larger rank only if a fixed minor M of size at most r + 1, a nonzero integer polynomial, vanishes
at uniform arguments mod a uniform prime p. With δ the degree of its entries and L a bound on the
sum of the absolute values of their coefficients, M has degree ≤ (r + 1) δ and a nonzero coefficient
of absolute value ≤ (r + 1)! L^{r+1}. Either p divides that coefficient (at most its logarithm to
the base 2^22 of the primes in the range do), or the probability is at most (r + 1) δ / p
(Schwartz-Zippel).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from conslaw_cli.algebra.field import PRIMES_IN_RANGE, SMALLEST_PRIME, TERMS, Folding, Span
from conslaw_cli.errors import ContradictionError
from conslaw_cli.flows import VectorFields
from conslaw_cli.lie.closure import RankTrace, Sampler
from conslaw_cli.lie.orbit import Orbit
from conslaw_cli.networks.known_laws import Laws
from conslaw_cli.problems import Architecture
from conslaw_cli.records import Bound

CHECKED_FIELDS = 4
"""Random fields that every known law's gradient is checked against in every run."""
FOLD_FROM = 400
"""Columns from which folding is worth its overhead (measured)."""


def from_brackets(trace: RankTrace, prime: int) -> Bound:
    """Lower bound: the rank of the brackets."""
    fields = "fields of W_φ" if trace.length == 1 else "fields of W_φ and their brackets"
    return Bound(
        trace.rank,
        "brackets",
        "proof",
        prime,
        f"random {fields} have rank {trace.rank} at a random point",
    )


def from_orbit(along: Orbit) -> Bound:
    """Lower bound: the rank of the end point of a path (orbit.py)."""
    shown = (
        f"the end point of a path along drift and control fields has rank {along.rank} in the times"
        " that these are followed for"
    )
    return Bound(along.rank, "orbit", "proof", along.field.p, shown)


def from_stagnation(trace: RankTrace, error: float) -> Bound:
    """Upper bound, random: a level of brackets added nothing, at several primes and points."""
    shown = (
        f"brackets of more than {trace.length} fields add nothing at independent random primes and"
        " points"
    )
    return Bound(trace.rank, "stagnation", "random", None, shown, error)


def from_known_laws(laws: Laws, sampler: Sampler, check: bool = True) -> Bound:
    """Upper bound: D minus the rank of the known laws' gradients. ``check``: raise
    ContradictionError if one is no law.
    """
    independent = law_rank(laws, sampler, check)
    shown = f"the gradients of the {len(laws)} known laws have rank {independent} at a random point"
    return Bound(
        sampler.fields.dimension - independent, "known laws", "proof", sampler.field.p, shown
    )


def law_rank(laws: Laws, sampler: Sampler, check: bool = True) -> int:
    """Return the rank of the laws' gradients at the sampler's point; ``check`` holds each against
    random fields.

    Gradients are sparse, and a fold may lose some of their rank: it is trusted only where all of
    them stay independent.
    """
    fold = folding(sampler, min(sampler.fields.dimension, len(laws) + 1))
    rank = _law_rank(laws, sampler, fold, check)
    return rank if fold is None or rank == len(laws) else _law_rank(laws, sampler, None, False)


def _law_rank(laws: Laws, sampler: Sampler, fold: Folding | None, check: bool) -> int:
    field, span = sampler.field, Span(sampler.field)
    fields = sampler.rows(0, CHECKED_FIELDS).T if check else None
    for start, gradients in enumerate(laws.over(field).gradients(sampler.theta[0, :, 0], TERMS)):
        field.reduce(gradients)
        if fields is not None and (wrong := field.matmul(gradients, fields).any(axis=1)).any():
            name = laws.name(start * TERMS + int(wrong.argmax()))
            raise ContradictionError(f"{name} is listed as a law, but it is not conserved")
        span.add(fold(gradients) if fold else gradients)
    return span.rank


def folding(sampler: Sampler, columns: int) -> Folding | None:
    """Return a random fold of the D columns into fewer, where that saves time."""
    if sampler.fields.dimension < max(FOLD_FROM, columns * 5 // 4):
        return None
    return Folding.random(sampler.field, sampler.rng, sampler.fields.dimension, columns)


def direct_sum(parts: Sequence[tuple[Bound, int]]) -> Bound:
    """Add up bounds of parts on disjoint parameters.

    Equal parts were computed once, so they are right or wrong together. The prime is that of the
    first part that needed one; the text names each part's.
    """
    total = sum(bound.value * count for bound, count in parts)
    primes = [bound.prime for bound, _ in parts if bound.prime is not None]
    shown = " + ".join(f"{count} × {bound.value} ({_with_prime(bound)})" for bound, count in parts)
    proof = all(bound.kind == "proof" for bound, _ in parts)
    error = None if proof else sum(bound.error_bound or 0.0 for bound, _ in parts)
    return Bound(
        total,
        "direct sum",
        "proof" if proof else "random",
        primes[0] if primes else None,
        f"a direct sum: {shown}",
        error,
    )


def _with_prime(bound: Bound) -> str:
    return bound.shown if bound.prime is None else f"{bound.shown} modulo {bound.prime}"


def from_paths(architecture: Architecture) -> Bound:
    """Both bounds for a monomial map: ``dim Lie = rank A``, at every θ without zero entries."""
    rank = architecture.path_rank()
    shown = f"φ is monomial; the path-edge incidence matrix of its graph has rank {rank}"
    return Bound(rank, "paths", "proof", None, shown)


def from_segments(segments: Sequence[Architecture], sampler: Sampler) -> Bound | None:
    """Upper bound for a chain cut at its layers of width 1; None where it says no more than the
    known laws.

    A scalar segment spans one dimension, whatever its length; any other has at most D_s − (rank of
    its known laws).
    """
    scalar = [segment.scalar for segment in segments]
    if not any(
        one and segment.parameters > 2 for one, segment in zip(scalar, segments, strict=True)
    ):
        return None
    total = 1 - len(segments)
    for one, segment in zip(scalar, segments, strict=True):
        fresh = Sampler.at_random_point(segment.fields(), sampler.field, sampler.rng)
        total += 1 if one else segment.parameters - law_rank(segment.laws(), fresh)
    shown = (
        f"{sum(scalar)} of the {len(segments)} pieces between layers of width 1 are scalar"
        f" functions of their parameters, and an involutive distribution of dimension {total}"
        " contains W_φ"
    )
    return Bound(total, "scalar segments", "proof", sampler.field.p, shown)


def from_single_field(architecture: Architecture) -> Bound | None:
    """Upper bound where W_φ is spanned by one field: there is nothing to bracket it with."""
    return (
        Bound(1, "single field", "proof", None, "W_φ is spanned by one field")
        if architecture.scalar
        else None
    )


def miss_probability(fields: VectorFields, rank: int, length: int) -> float:
    """Bound the probability that one trial with brackets of up to ``length`` fields misses a rank
    above ``rank``.

    A bracket has the degrees of its fields, less one for every derivative. With ‖·‖ the sum of the
    absolute values of an entry's coefficients, ``‖[f, g]‖ ≤ (deg f + deg g) ‖f‖ ‖g‖``, since the
    derivatives of f add up to at most ``deg f · ‖f‖``; so with n fields ``‖·‖ ≤ (2 n δ L)^n``, sums
    of two brackets included.
    """
    in_theta, in_probe = fields.degree()
    degree = length * (in_theta + in_probe) - (length - 1)
    entry = length * (max(1.0, fields.bits()) + math.log2(2 * length * max(1, in_theta)))
    size = rank + 1
    minor = size * entry + math.lgamma(size + 1) / math.log(2)
    bad_primes = minor / math.log2(SMALLEST_PRIME) / PRIMES_IN_RANGE
    return min(1.0, bad_primes + size * degree / SMALLEST_PRIME)
