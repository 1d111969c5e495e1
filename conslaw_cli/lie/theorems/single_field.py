"""One field alone."""

from __future__ import annotations

from conslaw_cli.flows import System
from conslaw_cli.lie.theorems.structure import Chain, chain_of
from conslaw_cli.lie.theorems.theorem import Evidence, Proof, theorem
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound


@theorem(
    "single field",
    title="A single field",
    source="elementary: [χ, χ] = 0",
    systems=(System.GRADIENT, System.METRIC),
)
def single_field(problem: Problem, evidence: Evidence) -> Proof | None:
    """If W_φ is spanned by one field, then dim Lie(W_φ)(θ) ≤ 1.

    Hypotheses. φ has one component, up to constants and multiples, or one field is given. A chain
    has one if it is linear without biases, from one input to one output.

    Proof. Every bracket of multiples of one field is zero; under a mirror flow that field is M ∇φ.
    """
    if not _scalar(problem):
        return None
    bound = Bound(1, "single field", "proof", None, "W_φ is spanned by one field")
    return Proof(upper=(bound,))


def _scalar(problem: Problem) -> bool:
    if problem.formula is not None:
        return problem.formula.scalar
    chain = chain_of(problem)
    return chain is not None and not chain.unmoved and is_scalar(chain)


def is_scalar(chain: Chain) -> bool:
    """Whether a chain is one function of its parameters, up to the input as a factor."""
    ends = chain.widths[0] == chain.widths[-1] == 1
    return ends and all(chain.linear) and not any(chain.biased)
