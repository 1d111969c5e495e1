"""Upper bounds from known laws."""

from __future__ import annotations

from conslaw_cli.lie.ranks import law_rank
from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, theorem
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound


@theorem(
    "known laws",
    title="Known laws",
    source=(
        "Marcotte, Gribonval, Peyré: Abide by the Law and Follow the Flow: Conservation Laws for"
        " Gradient Flows, NeurIPS 2023, arXiv 2307.00144, Proposition 4.1"
    ),
    needs=Needs.RANKS,
    systems=None,
)
def known_laws(problem: Problem, evidence: Evidence) -> Proof:
    """If N known laws have gradients of rank N at one point modulo one prime, then dim Lie(W)(θ) ≤
    n − N at almost every θ, n being the dimension of the state space (D under gradient flow).

    Hypotheses. The listed functions are laws: each comes with a symmetry of the network or of the
    map (networks/known_laws.py), and each is held against random fields in every run.

    Proof. The gradient of a law is orthogonal to W, hence to Lie(W), at every θ. The gradients have
    integer polynomial entries, so a minor that is no zero modulo the prime is a nonzero polynomial:
    their rank is at least N at almost every θ.
    """
    laws, at = problem.laws(), evidence.sampler
    independent = law_rank(laws, at, evidence.check)
    shown = f"the gradients of the {len(laws)} known laws have rank {independent} at a random point"
    bound = Bound(at.fields.dimension - independent, "known laws", "proof", at.field.p, shown)
    return Proof(upper=(bound,), independent=independent)
