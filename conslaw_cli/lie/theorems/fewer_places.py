"""Networks with windows over large images, from what is seen on a few places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conslaw_cli.lie.theorems.paths import is_monomial
from conslaw_cli.lie.theorems.structure import network_of, parts_of
from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, theorem
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound, Trace

if TYPE_CHECKING:
    from conslaw_cli.lie.patches import Covered


@theorem(
    "fewer places",
    title="Networks on some places of their images",
    source="proved in docs/any-width.md",
    needs=Needs.NARROW,
)
def fewer_places(problem: Problem, evidence: Evidence) -> Proof | None:
    """Let inputs and gates be zero outside of some places: what F depends on then is a network with
    fewer places and parameters, a *view*. Let all parameters be in some of the views A_1, A_2, …,
    and the known laws of each view be complete, of rank N_i; let the laws' gradients have rank N_i
    already on those parameters of A_i that A_1, …, A_{i−1} have. Then the network is complete, and
    has N_1 laws.

    Hypotheses. Gradient flow under a loss with condition (9), or cross-entropy with one output
    less. The known laws of each view are those of the network, restricted to its parameters: the
    same sums of matrices ``± M Mᵀ``, with those columns that are left. Every operation gives zero
    for zeros, and no array is used twice.

    Proof. The probes of a view are some of all probes, so that ``Lie(W_A)(θ) ⊕ 0 ⊂ Lie(W)(θ)`` at
    every θ; and what is orthogonal to the restricted laws, and zero at other parameters, is what is
    orthogonal to the laws. So Lie(W) contains ``G^⊥ ∩ R^A`` for each view. Let λ annihilate these:
    on the parameters of each A_i it is that of some combination g_i of laws. By induction let it be
    that of one g on those of all views before: ``g − g_i`` is 0 on what A_i has of these, hence,
    ranks being equal, on A_i. So λ is in G. ∎
    """
    if parts_of(problem) != [(problem, 1)] or problem.graph is None or is_monomial(problem):
        return None
    if (network := network_of(problem)) is None:
        return None
    from conslaw_cli.lie.patches import covered  # most networks do without

    if (found := covered(network[0])) is None:
        return None
    laws = found.laws + network[1]
    bound = Bound(problem.state - laws, "fewer places", "proof", None, _shown(found))
    return Proof((bound,), (bound,), laws, Trace((bound.value,), complete=False))


def _shown(found: Covered) -> str:
    different = len(found.different)
    alike = ", all alike" if different == 1 else f", {different} different ones"
    views = "one view" if found.views == 1 else f"{found.views} views"
    rests = "; ".join(f"{n} parameters: {what}" for n, what in found.different)
    return f"{views} on some places{alike * (found.views > 1)}: {rests}"
