"""Problems that fall apart."""

from __future__ import annotations

from collections.abc import Sequence

from conslaw_cli.lie.theorems.structure import parts_of
from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, theorem
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import OPEN, Bound, LawCount, Trace


@theorem(
    "direct sum",
    title="Direct sums",
    source=(
        "elementary; for attention: Marcotte, Gribonval, Peyré: Transformative or Conservative?"
        " Conservation laws for ResNets and Transformers, ICML 2025, arXiv 2506.06194, Corollary"
        " 3.9"
    ),
    needs=Needs.PARTS,
)
def direct_sum(problem: Problem, evidence: Evidence) -> Proof | None:
    """If φ = (φ_1(θ_1), …, φ_k(θ_k)) on disjoint parameters, then dim Lie(W_φ)(θ) is the sum of the
    dim Lie(W_{φ_i})(θ_i).

    Hypotheses. Gradient flow; the parts share no parameter.

    Proof. Fields of different parts commute, so every W_k(θ) is the direct sum of theirs.
    """
    parts = parts_of(problem)
    if len(parts) == 1 and parts[0][1] == 1:
        return None
    rows = [(evidence.count(part), count) for part, count in parts]
    return summed(rows) if all(row.verdict not in OPEN for row, _ in rows) else None


def summed(parts: Sequence[tuple[LawCount, int]]) -> Proof:
    """Add up counts on disjoint parameters."""
    lower = [(max(row.lower, key=lambda bound: bound.value), count) for row, count in parts]
    upper = [_lowest(row, row.upper, count) for row, count in parts]
    proofs = [
        _lowest(row, [bound for bound in row.upper if bound.kind == "proof"], count)
        for row, count in parts
    ]
    return Proof(
        (added(lower),),
        tuple(added(each) for each in ([upper] if upper == proofs else [proofs, upper])),
        sum((row.known_independent or 0) * count for row, count in parts),
        _traces([(row.trace, count) for row, count in parts if row.trace]),
    )


def added(parts: Sequence[tuple[Bound, int]]) -> Bound:
    """Add up bounds of parts on disjoint parameters.

    Equal parts were computed once, so they are right or wrong together. The prime is that of the
    first part that needed one; the text names each part's.
    """
    total = sum(bound.value * count for bound, count in parts)
    primes = [bound.prime for bound, _ in parts if bound.prime is not None]
    shown = " + ".join(f"{count} × {bound.value} ({_with_prime(bound)})" for bound, count in parts)
    proof = all(bound.kind == "proof" for bound, _ in parts)
    return Bound(
        total,
        "direct sum",
        "proof" if proof else "random",
        primes[0] if primes else None,
        f"a direct sum: {shown}",
        None if proof else sum(bound.error_bound or 0.0 for bound, _ in parts),
    )


def _with_prime(bound: Bound) -> str:
    return bound.shown if bound.prime is None else f"{bound.shown} modulo {bound.prime}"


def _lowest(row: LawCount, upper: Sequence[Bound], count: int) -> tuple[Bound, int]:
    """Return the lowest of a part's upper bounds, a proved one if there is, and its count."""
    return min(upper, key=lambda bound: (bound.value, bound.kind == "random")), count


def _traces(traces: Sequence[tuple[Trace, int]]) -> Trace:
    """Add up traces step by step, each going on with its last entry; where steps of one are left
    out, no step is known from there on until all have stopped.
    """
    gaps = [len(trace.dimensions) - 1 for trace, _ in traces if not trace.complete]
    steps = min([max(len(trace.dimensions) for trace, _ in traces), *(gap + 1 for gap in gaps)])
    dimensions = [
        sum(
            count * trace.dimensions[min(step, len(trace.dimensions) - 1)]
            for trace, count in traces
        )
        for step in range(steps)
    ]
    if gaps:
        dimensions[-1] = sum(count * trace.dimensions[-1] for trace, count in traces)
    error = sum(trace.error_bound or 0.0 for trace, _ in traces)
    return Trace(tuple(dimensions), error or None, complete=not gaps)
