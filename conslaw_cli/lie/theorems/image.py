"""The dimension of the image of φ."""

from __future__ import annotations

from conslaw_cli.lie.theorems.structure import chain_of
from conslaw_cli.lie.theorems.theorem import Evidence, Proof, theorem
from conslaw_cli.problems.problem import Problem


@theorem(
    "image",
    title="Products of matrices",
    source="the dimension of determinantal varieties, classical",
)
def image(problem: Problem, evidence: Evidence) -> Proof | None:
    """For a linear chain without biases dim W_0(θ) = r(n + m − r), n and m being its numbers of
    inputs and outputs and r its smallest width.

    Hypotheses. All layers are linear and have no biases.

    Proof. φ is onto the matrices of rank at most r, a variety of that dimension, and dim W_0(θ) is
    the generic rank of ∂φ, which is the dimension of the closure of its image.
    """
    chain = chain_of(problem)
    if chain is None or any(chain.biased) or not all(chain.linear) or not chain.widths[-1]:
        return None
    n, m, r = chain.widths[0], chain.widths[-1], min(chain.widths)
    return Proof(image=r * (n + m - r))
