"""Chains cut at their layers of width 1."""

from __future__ import annotations

from conslaw_cli.lie import chains
from conslaw_cli.lie.closure import Sampler
from conslaw_cli.lie.ranks import law_rank
from conslaw_cli.lie.theorems.single_field import is_scalar
from conslaw_cli.lie.theorems.structure import Chain, chain_of
from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, theorem
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound


@theorem(
    "scalar segments",
    title="Chains with layers of width 1",
    source="proved here",
    needs=Needs.RANKS,
)
def segments(problem: Problem, evidence: Evidence) -> Proof | None:
    """Cut a chain at m of its hidden layers of width 1 into pieces with maps f_s(θ_s): then ``dim
    Lie(W_φ)(θ) ≤ Σ_s dim Lie(W_{f_s})(θ_s) − m``. A piece that is one function counts 1; any other
    counts at most D_s − (rank of its known laws).

    Hypotheses. A cut has a gate, or no biases before it, or none behind it; gradient flow, and a
    piece that is one function and has more than two parameters (elsewhere the known laws say as
    much).

    Proof. F is a product of the inner pieces' values with the end pieces' probes, besides such
    products that begin at biases behind a cut, which are components by themselves, so the θ_s-part
    of a field of W_φ is a combination, with functions as coefficients, of fields of W_{f_s}. Hence
    W_φ lies in the involutive distribution Δ = ⊕_s Lie(W_{f_s}), as does Lie(W_φ). A piece that is
    one function, from width 1 to width 1 without gates, has one field and nothing to bracket it
    with. Along ∇⟨c, f_s⟩ the law of the cut behind (before) the piece changes by 2⟨c, f_s⟩ (by
    minus that), so the cuts' laws are independent on Δ, and Lie(W_φ) lies in their common kernel.
    """
    chain = chain_of(problem)
    pieces = () if chain is None else chains.cut(chain)
    scalar = [is_scalar(piece) for piece in pieces]
    if not any(one and piece.parameters > 2 for one, piece in zip(scalar, pieces, strict=True)):
        return None
    total = 1 - len(pieces)
    for one, piece in zip(scalar, pieces, strict=True):
        total += _dimension(piece, evidence.sampler, one)
    shown = (
        f"{sum(scalar)} of the {len(pieces)} pieces between layers of width 1 are scalar"
        f" functions of their parameters, and an involutive distribution of dimension {total}"
        " contains W_φ"
    )
    prime = evidence.sampler.field.p
    return Proof(upper=(Bound(total, "scalar segments", "proof", prime, shown),))


def _dimension(piece: Chain, sampler: Sampler, one: bool) -> int:
    """Bound dim Lie of a piece, which is ``one`` function or not."""
    if one:
        # It draws a point as well: rows of earlier versions are reproduced bit by bit.
        sampler.field.random(sampler.rng, (1, piece.parameters, 1))
        return 1
    network = chains.network(piece)
    fresh = Sampler.at_random_point(network.fields(), sampler.field, sampler.rng)
    return network.parameters - law_rank(network.laws(), fresh)
