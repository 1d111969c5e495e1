"""Linear chains wider inside than at their ends, near points where the first and the last matrix
are 0; docs/any-width.md has the proofs at length.
"""

from __future__ import annotations

from conslaw_cli.lie import chains
from conslaw_cli.lie.theorems.structure import Chain, chain_of
from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, theorem
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound, Trace


def _plain(problem: Problem) -> Chain | None:
    """Return a chain without biases and spare units whose fields biases add some to: those of the
    first layer are one input more, if they are the only ones or gates tell them from the others.
    """
    chain = chain_of(problem)
    if chain is None or not chain.widths[-1]:
        return None
    first, *others = chain.biased
    apart = not any(others) or not (all(chain.linear) or (chain.linear[0] and others[0]))
    inputs, *widths = chain.widths
    plain = chain._replace(
        widths=(inputs + (first and apart), *widths), biased=(False,) * len(chain.biased)
    )
    return None if any(chains.spare(plain)) else plain


def _two_layers(problem: Problem) -> Chain | None:
    """Return a chain of three matrices, not all of whose hidden layers have gates."""
    chain = _plain(problem)
    if chain is None or len(chain.widths) != 4 or not any(chain.linear):
        return None
    inputs, *hidden, outputs = chain.widths
    if all(chain.linear):
        return chain if inputs + outputs > 2 and (min(hidden) > 1 or not _biased(problem)) else None
    return chain if hidden[chain.linear.index(False)] > 1 else None


def _equal_layers(problem: Problem) -> Chain | None:
    """Return a linear chain of three matrices or more whose hidden layers have equal widths."""
    chain = _plain(problem)
    if chain is None or len(chain.widths) < 4 or not all(chain.linear):
        return None
    inputs, *hidden, outputs = chain.widths
    return chain if len(set(hidden)) == 1 and inputs + outputs > 2 else None


def _biased(problem: Problem) -> bool:
    """Whether a chain has biases behind its first layer."""
    chain = chain_of(problem)
    return chain is not None and any(chain.biased[1:])


@theorem(
    "two hidden layers",
    title="Chains of three matrices",
    source="proved in docs/any-width.md",
    needs=Needs.NARROW,
    whole=lambda problem: _two_layers(problem) is not None,
)
def two_hidden_layers(problem: Problem, evidence: Evidence) -> Proof | None:
    """Let a chain ``n_0-n-m-n_3`` have no spare units, both hidden layers linear and n_0 + n_3 ≥ 3,
    or one of them linear and the other one with gates and at least two units. Then the known laws
    are complete and independent: ``D − dim Lie(W_φ)(θ)`` is n(n + 1)/2 + m(m + 1)/2, or n +
    m(m + 1)/2 where it is the n units that have gates.

    Hypotheses. Gradient flow under a loss with condition (9); under cross-entropy n_3 is one less.
    Biases of the first layer alone are one input more; there may be others if no unit is spare
    without them and, if there are no gates, n_0 + n_3 ≥ 3 and n, m ≥ 2.

    Proof. Let the first and the last matrix be ε times u and v. As ε → 0 the fields tend to linear
    ones of (u, v), and quadratic ones of what else moves. The linear ones generate so(n_0, n_3) on
    each pair of columns of u and v that belong to one singular value of the middle matrix, since
    brackets of j of them have the j-th powers of the singular values as factors; with gates they
    generate one so(p, q) on all of (u, v). By Whitehead's lemma a combination of what moves by
    quadratic fields stands still, but for an element of the algebra, only if it is a law together
    with a quadratic function of (u, v). These are found by hand, and are the known ones. Where
    biases are 0, brackets of these fields with those of biases move them in all directions.
    """
    return _complete(problem, _two_layers(problem), "two hidden layers")


@theorem(
    "equal layers",
    title="Linear chains with hidden layers of equal width",
    source="proved in docs/any-width.md",
    needs=Needs.NARROW,
    whole=lambda problem: _equal_layers(problem) is not None,
)
def equal_layers(problem: Problem, evidence: Evidence) -> Proof | None:
    """Let a linear chain ``n_0-n-n-…-n-n_q``, q ≥ 3, have n_0 + n_q ≥ 3. Then the known laws are
    complete and independent: ``dim Lie(W_φ)(θ) = D − (q − 1) n(n + 1)/2``.

    Hypotheses. Gradient flow under a loss with condition (9); under cross-entropy n_q is one less.
    Biases of the first layer alone are one input more; otherwise any layers may have biases.

    Proof. Where the first and the last matrix are 0, and the others diagonal, all fields vanish,
    and their linear parts generate so(n_0, n_q) on the weights of each of n units. In formal
    coordinates this algebra is linear; so the fields fall into parts that it does not mix. Those
    that move the weights between units k and l alone are told apart from others, and are as many as
    with two units a layer, a chain with a strand from end to end, whose laws are complete. What
    moves the biases of each unit is told apart likewise.
    """
    return _complete(problem, _equal_layers(problem), "equal layers")


def _complete(problem: Problem, chain: Chain | None, method: str) -> Proof | None:
    """Return that all laws are functions of the known ones, if there is such a chain."""
    if chain is None:
        return None
    known = chains.independent(chain)
    shown = "brackets where the first and the last matrix tend to 0"
    bound = Bound(problem.state - known, method, "proof", None, shown)
    return Proof((bound,), (bound,), known, Trace((bound.value,), complete=False))
