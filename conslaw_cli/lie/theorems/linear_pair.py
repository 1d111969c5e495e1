"""Two-layer linear networks of any size: both bounds in closed form."""

from __future__ import annotations

from math import comb

from conslaw_cli.lie.theorems.structure import Chain, chain_of
from conslaw_cli.lie.theorems.theorem import Evidence, Proof, theorem
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound, Trace


def _pair(problem: Problem) -> Chain | None:
    """Return the chain of a linear network of two layers, None for anything else."""
    chain = chain_of(problem)
    pair = chain is not None and len(chain.widths) == 3 and chain.linear[0] and chain.widths[-1]
    return chain if pair else None


@theorem(
    "linear pair",
    title="Two-layer linear networks",
    source=(
        "Marcotte, Gribonval, Peyré: Abide by the Law and Follow the Flow: Conservation Laws for"
        " Gradient Flows, NeurIPS 2023, arXiv 2307.00144, Propositions 4.2 and G.5; proved here"
        " with biases and for cross-entropy"
    ),
    whole=lambda problem: _pair(problem) is not None,
)
def linear_pair(problem: Problem, evidence: Evidence) -> Proof | None:
    """For ``φ(U, V) = U V`` with U (n × r) and V (r × m), N = n + m and k = min(r, N),
    ``dim Lie(W_φ)(θ) = N(N−1)/2 − (N−k)(N−k−1)/2``, and all laws are functions of ``UᵀU − VVᵀ``.
    Biases of the hidden layer are one row more of U; biases of the output add m. The trace is
    (dim W_0, dim Lie) but for output biases.

    Hypotheses. A linear chain of two layers under gradient flow; under cross-entropy m is one less,
    and the rotated column of V, with its bias, adds laws that are known.

    Proof. Let Z be the N × r matrix of U above Vᵀ. The gradient of ⟨S, UV⟩ is the linear field
    Z ↦ P Z with P = (0 S; Sᵀ 0), and brackets of linear fields are commutators. These P are the
    part p of so(n, m) = k ⊕ p, k = so(n) ⊕ so(m), and [p, p] = k (both are 0 for n = m = 1); so p
    generates so(n, m) in one step. At a generic Z the kernel of X ↦ X Z on so(n, m) consists of the
    X that are zero on the columns of Z, which span a space of dimension k on which the form is not
    degenerate: it is so of the orthogonal complement, of dimension (N−k)(N−k−1)/2. The symmetric
    matrix ZᵀηZ is conserved, η being the form, and tr(S ZᵀηZ) has the gradient 2ηZS, which is zero
    only if Z S = 0: the gradients have rank r(r+1)/2 − (r−k)(r−k+1)/2, which is rN − dim Lie.

    Output biases c have the gradient s of ⟨S, UV⟩ + ⟨s, bV + c⟩, s being the last row of S,
    whatever the state is: the algebra lies in so(n, m) × R^m. It contains ([p, p], 0) = (k, 0) and
    ([k, p], 0) = (p, 0), since N ≥ 3 where there are hidden biases, so it is all of it. Without
    hidden biases the two factors are a direct sum anyway.
    """
    if (chain := _pair(problem)) is None:
        return None
    inputs, units, outputs = chain.widths
    rows = inputs + chain.biased[0] + outputs
    value = comb(rows, 2) - comb(max(0, rows - units), 2) + outputs * chain.biased[1]
    shown = (
        f"φ is a product of two matrices: so({rows - outputs}, {outputs}) acts on {rows} rows of"
        f" {units} entries" + f" and R^{outputs} on the biases of the output" * chain.biased[1]
    )
    bound = Bound(value, "linear pair", "proof", None, shown)
    independent = problem.parameters - value
    return Proof((bound,), (bound,), independent, _trace(chain, value), spare=True)


def _trace(chain: Chain, last: int) -> Trace:
    inputs, units, outputs = chain.widths
    free = chain.biased[1]
    rows = inputs + (chain.biased[0] and not free)
    rank = min(rows, units, outputs)
    first = rank * (rows + outputs - rank) + outputs * free
    return Trace((first, last), complete=not free) if first < last else Trace((last,))
