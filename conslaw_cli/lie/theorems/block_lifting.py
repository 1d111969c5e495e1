"""Networks of any width, from narrow ones."""

from __future__ import annotations

from conslaw_cli.lie.theorems.structure import parts_of
from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, theorem
from conslaw_cli.problems.problem import Problem


@theorem(
    "block lifting",
    title="Networks of any width, from a few narrow ones",
    source="proved in docs/any-width.md",
    needs=Needs.NARROW,
    systems=None,
)
def block_lifting(problem: Problem, evidence: Evidence) -> Proof | None:
    """Let the units of a network be dealt out to strands. If every two strands belong to some few
    whose network is complete at a block-diagonal point, ``dim Lie(W_φ)(θ) = D − rank`` of the
    gradients of known laws, then the network is complete, and its laws are the sum, over all
    strands and pairs of strands, of the laws in their blocks.

    Hypotheses. Every operation separates its units: what it does to those of some strands is not
    changed, at first order, by others whose values are zero. Every known law is an entry of a
    matrix ``Σ ± M Nᵀ``, M and N having a row of parameters for every unit. A flow for which the
    entries of an array are alike, as gradient flow, decay of all arrays or some, momentum, and
    rates of arrays, under a loss with condition (9); cross-entropy counts one output less where one
    dense layer of its own gives the output.

    Proof. docs/any-width.md. Each witness is a rank modulo a prime at the point named, a lower
    bound, that meets the upper bound of the laws there.
    """
    if parts_of(problem) != [(problem, 1)]:
        return None
    from conslaw_cli.lie.lifting import lifting, proof  # most networks do without

    found = lifting(problem)
    return None if found is None else proof(problem, *found)
