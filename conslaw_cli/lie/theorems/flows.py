"""Flows other than gradient flow; docs/flows.md has the proofs at length."""

from __future__ import annotations

from math import comb

from conslaw_cli.flows import System
from conslaw_cli.lie.theorems.paths import is_monomial, on_paths, path_rank
from conslaw_cli.lie.theorems.structure import Chain, chain_of, timeless_of
from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, theorem
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound, LawCount, Trace


def _separable(problem: Problem) -> bool:
    """Whether a monomial φ moves under a metric: cross-entropy rotates outputs, which metrics do
    not commute with.
    """
    return is_monomial(problem) and not problem.loss.zero_sum


@theorem(
    "mirror paths",
    title="Monomial maps under mirror flows",
    source=(
        "docs/flows.md; for nonnegative and input-convex networks: Marcotte, Gribonval, Peyré: Keep"
        " the Momentum: Conservation Laws beyond Euclidean Gradient Flows, ICML 2024, arXiv"
        " 2405.12888"
    ),
    systems=(System.METRIC,),
    whole=_separable,
)
def mirror_paths(problem: Problem, evidence: Evidence) -> Proof | None:
    """If every component of φ is a monomial in θ, then dim Lie(M W_φ)(θ) = rank A for every metric
    M that is diagonal, ``M_e`` a function of θ_e alone, wherever no θ_e and no M_e is zero; A has a
    row of exponents for every component. A ReLU network has one law a hidden neuron.

    Hypotheses. A mirror flow under a loss with condition (9); φ as for gradient flow.

    Proof. With ``Y_e' = θ_e/M_e``, a coordinate where θ_e is not zero, the field ``M ∇θ^a`` is θ^a
    times the constant field a in the coordinates Y. The rest is as for gradient flow, where ``Y_e =
    θ_e²/2``.
    """
    if not _separable(problem):
        return None
    rank = path_rank(problem)
    shown = (
        "φ is monomial, and the metric is a function of each parameter by itself; the path-edge"
        f" incidence matrix has rank {rank}"
    )
    bound = Bound(rank, "mirror paths", "proof", None, shown)
    return Proof((bound,), (bound,), problem.parameters - rank, Trace((rank,)), spare=True)


def _pair(problem: Problem) -> Chain | None:
    """Return the chain of a linear network of two layers."""
    if (chain := chain_of(problem)) is None:
        return None
    pair = len(chain.widths) == 3 and chain.linear[0] and chain.widths[-1]
    return chain if pair else None


@theorem(
    "momentum pair",
    title="Two-layer linear networks under momentum",
    source=(
        "Marcotte, Gribonval, Peyré: Keep the Momentum: Conservation Laws beyond Euclidean Gradient"
        " Flows, ICML 2024, arXiv 2405.12888; proved in docs/flows.md with biases, and for one"
        " input and one output"
    ),
    systems=(System.SECOND_ORDER,),
    whole=lambda problem: _pair(problem) is not None,
)
def momentum_pair(problem: Problem, evidence: Evidence) -> Proof | None:
    """For ``φ(U, V) = U V`` with U (n × r) and V (r × m), N = n + m and k = max(0, r − 2N), there
    are r(r−1)/2 − k(k−1)/2 laws under momentum, and 2 (2r − 3) for n = m = 1, none for r = 1; all
    are functions of Noether's charges. Hidden biases are one row more of U; output biases add none.
    Under cross-entropy m is one less, and each of f sums over outputs that stand still adds 2.

    Hypotheses. A linear chain of two layers and Euclidean momentum of any friction.

    Proof. All hidden units, each a vector of R^N with its momentum, are moved alike, by linear maps
    of R^{2N}: ``f_0 = (0 1; 0 0)`` and ``X_S = (0 0; S 0)``. Brackets yield X_J for J in the Jordan
    algebra of the S, which is that of all symmetric matrices if N ≥ 3, and so all of sp(2N), whose
    invariants on r vectors are their symplectic products. For n = m = 1 it is spanned by S and 1,
    and the algebra is sl(2) ⊕ sl(2), on sums and differences. It contains f_0, so that time moves
    alone, with what stands still: that keeps p_e and ``θ_e − s p_e``. An orthogonal map of the
    outputs, which keeps the metric, parts what cross-entropy moves from what it does not.
    """
    if (chain := _pair(problem)) is None:
        return None
    inputs, units, outputs = chain.widths
    rows = inputs + chain.biased[0] + outputs
    known = comb(units, 2) - comb(max(0, units - 2 * rows), 2)
    moving = 2 * max(0, 2 * units - 3) if rows == 2 else known
    if not chain.unmoved:  # else two outputs may move as one does, which is not listed
        known = moving
    laws, value = moving + 2 * chain.unmoved, problem.state - moving - 2 * chain.unmoved
    algebra = f"sp({2 * rows})" if rows > 2 else "sl(2) ⊕ sl(2)"
    shown = f"φ is a product of two matrices: {algebra} acts on {units} vectors, and time moves"
    bound = Bound(value, "momentum pair", "proof", None, shown)
    return Proof(
        (bound,),
        (bound,),
        known + 2 * chain.unmoved,
        Trace((value,), complete=False),
        spare=True,
        timeless=timeless_of(problem, laws),
    )


@theorem(
    "momentum paths",
    title="Monomial maps under momentum",
    source=(
        "docs/flows.md; that ReLU networks keep no law is stated in Marcotte, Gribonval, Peyré:"
        " Keep the Momentum: Conservation Laws beyond Euclidean Gradient Flows, ICML 2024, arXiv"
        " 2405.12888"
    ),
    systems=(System.SECOND_ORDER,),
    whole=lambda problem: on_paths(problem) is not None,
)
def momentum_paths(problem: Problem, evidence: Evidence) -> Proof | None:
    """If every component of φ is a monomial in θ, and f parameters are in none of them, there are
    2 f laws under momentum: a ReLU network has none, but for what cross-entropy lets stand still.

    Hypotheses. A network with a monomial φ, as for gradient flow, and Euclidean momentum of any
    friction.

    Proof. With X_A = (0, ∇A) and X_B, drift brackets yield X_C, C = ⟨∇A, ∇B⟩. From one monomial φ =
    θ^a these are, step by step, the gradients in ln θ of ``P_k = Σ_e a_e^{k+1} θ_e^{−2k}``, whose
    span by Vandermonde is that of all e with a_e ≠ 0. So momenta move in all directions of what is
    in a component, and θ does by another bracket with the drift. A frozen parameter keeps p_e and
    ``θ_e − s p_e``.
    """
    if (moving := on_paths(problem)) is None:
        return None
    frozen = problem.parameters - moving
    laws, value = 2 * frozen, problem.state - 2 * frozen
    shown = f"φ is monomial; {frozen} parameters stand still, and keep velocities of their own"
    bound = Bound(value, "momentum paths", "proof", None, shown)
    trace = Trace((value,), complete=False)
    return Proof((bound,), (bound,), laws, trace, spare=True, timeless=timeless_of(problem, laws))


@theorem(
    "homogeneous decay",
    title="Homogeneous maps under weight decay",
    source=(
        "docs/flows.md; Marcotte, Gribonval, Peyré: Transformative or Conservative? Conservation"
        " Laws for ResNets and Transformers, ICML 2025, arXiv 2506.06194"
    ),
    needs=Needs.PARTS,
    systems=(System.DILATED,),
)
def homogeneous_decay(problem: Problem, evidence: Evidence) -> Proof | None:
    """If every component of φ is homogeneous, weight decay of all parameters has the laws h of
    gradient flow, as ``h(e^{λt} θ)``; time is one more direction: dim Lie is one more.

    Hypotheses. A φ of one's own with homogeneous components, each of a degree of its own; or a
    network, of any operations, in which scaling all parameters is undone by scaling inputs, free
    slopes and output weights (networks/degrees.py): all ReLU networks without skip connections or
    without biases, attention, products. Not so where biases of two layers are joined by linear ones
    alone, as paths with different numbers of weights add up in one component.

    Proof. In ``q = e^{λt} θ`` the fields are those of the gradients at cq, c = e^{−λt}, up to
    factors that controls absorb; ``∇F(cq; a)`` is a multiple of ∇F(q; a') for another probe a', and
    the gradient of a component is one of itself. So they span W_φ, with time beside it.
    """
    if not decays_as_one(problem):
        return None
    row = evidence.count(Problem.of(problem.architecture))
    if row.trace is None:
        return None
    return Proof(
        tuple(map(_with_time, row.lower)),
        tuple(map(_with_time, row.upper)),
        row.known_independent or 0,
        row.trace._replace(dimensions=tuple(d + 1 for d in row.trace.dimensions)),
        timeless=_timeless(row),
    )


def decays_as_one(problem: Problem) -> bool:
    """Whether all parameters decay, and all components are homogeneous."""
    return problem.flow.dynamics.system is System.DILATED and is_homogeneous(problem)


def _timeless(row: LawCount) -> int | None:
    """Return how many laws of decay do not depend on time: all but one, where one has a degree that
    is not 0, as known laws have.
    """
    if not row.laws:
        return 0
    return row.laws - 1 if row.known_independent else None


def _with_time(bound: Bound) -> Bound:
    return bound._replace(
        value=bound.value + 1, shown=f"under gradient flow: {bound.shown}; time is one more"
    )


def is_homogeneous(problem: Problem) -> bool:
    """Whether every component of φ is known to be homogeneous."""
    if problem.formula is not None:
        return problem.formula.homogeneous
    return problem.graph is not None and problem.graph.homogeneous
