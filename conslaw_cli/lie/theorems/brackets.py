"""What ranks of random brackets prove, and what they make likely."""

from __future__ import annotations

from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, theorem
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound

_PAPER = (
    "Marcotte, Gribonval, Peyré: Abide by the Law and Follow the Flow: Conservation Laws for"
    " Gradient Flows, NeurIPS 2023, arXiv 2307.00144"
)


@theorem(
    "brackets",
    title="Brackets at one point modulo a prime",
    source=f"{_PAPER}, Proposition 3.1; the transfer from residues is elementary",
    needs=Needs.BRACKETS,
    systems=None,
)
def brackets(problem: Problem, evidence: Evidence) -> Proof | None:
    """If r elements of Lie(W) have rank r at one point modulo one prime, then dim Lie(W)(θ) ≥ r at
    almost every real θ.

    Hypotheses. The fields have integer polynomial entries; those with roots are evaluated at places
    of their field (families/formulas/algebraic.py), which are homomorphisms as well.

    Proof. Fields and brackets have entries that are integer polynomials in the state and in the
    probes. At the point an r × r minor of them is no zero modulo the prime, so it is a nonzero
    polynomial, and it vanishes on a set of measure zero only. No probability is involved.
    """
    run = evidence.closed
    if run.ranks.carried or run.doubt is not None:
        return None
    fields = "fields of W_φ" if run.ranks.length == 1 else "fields of W_φ and their brackets"
    shown = f"random {fields} have rank {run.ranks.rank} at a random point"
    return Proof(lower=(Bound(run.ranks.rank, "brackets", "proof", run.prime, shown),))


@theorem(
    "transport",
    title="Covectors carried along curves modulo a prime",
    source="proved in docs/theory.md, section 18",
    needs=Needs.BRACKETS,
    systems=None,
)
def transport(problem: Problem, evidence: Evidence) -> Proof | None:
    """If covectors move by ``λ' = −DX_{a(t)}(θ)ᵀ λ`` along curves ``θ' = X_{a(t)}(θ)`` of fields of
    W, a(t) polynomials, and the coefficients of ``t^k``, k < p, of functions ``⟨λ(t), X_b(θ(t))⟩``
    have rank r as functions of λ(0), modulo a prime p, at one point, then dim Lie(W)(θ) ≥ r at
    almost every real θ.

    Hypotheses. The fields are polynomials with integer coefficients in the state and in the probes.
    A drift f_0 is one of the fields.

    Proof. For a polynomial Z in the state and t, ``d/dt ⟨λ, Z⟩ = ⟨λ, ∂_t Z + DZ X_a − DX_a Z⟩``. So
    k! times the coefficient of ``t^k`` is ⟨λ(0), Z_k(θ(0))⟩, Z_k being what k steps ``Z → ∂_t Z +
    [Z, X_{a(t)}]`` make of X_b, at t = 0: a combination, with integer coefficients, of brackets of
    the coefficients of ``X_{a(t)}`` in t, which lie in W, with X_b. Modulo p, k! is not 0, so r of
    the Z_k are independent modulo p at one point: some minor is no zero polynomial (theorem
    "brackets"). The point may be special: then the same holds at almost every point of any family
    that it was drawn from.
    """
    run = evidence.closed
    if not run.ranks.carried:
        return None
    shown = (
        "covectors carried along random curves of fields of W_φ meet a space of brackets of"
        f" dimension {run.ranks.carried} at a random point"
    )
    return Proof(lower=(Bound(run.ranks.carried, "transport", "proof", run.prime, shown),))


@theorem(
    "orbit",
    title="The end point of a path modulo a prime",
    source=(
        "Nagano 1966; Sussmann: Orbits of families of vector fields and integrability of"
        " distributions, Transactions of the AMS 180, 1973; lie/orbit.py"
    ),
    needs=Needs.PATH,
    systems=None,
)
def orbit(problem: Problem, evidence: Evidence) -> Proof:
    """The rank r of the end point of a path along drift and control fields, in the times that these
    are followed for, at one choice modulo a prime, is a lower bound for dim Lie at generic states.

    Hypotheses. The fields are analytic, and their flows polynomial maps with integer coefficients
    of states, times and probes.

    Proof. The end point lies in the orbit of the first one, whose tangent space is the trace of the
    Lie algebra. A minor that is no zero modulo the prime is a nonzero polynomial; the end point of
    a fixed path is an invertible function of the first one, so it is generic where that is.
    """
    path = evidence.path
    shown = (
        f"the end point of a path along drift and control fields has rank {path.rank} in the times"
        " that these are followed for"
    )
    return Proof(lower=(Bound(path.rank, "orbit", "proof", path.field.p, shown),))


@theorem(
    "stagnation",
    title="Brackets that add nothing",
    source=f"{_PAPER}, Proposition 3.1 and Lemma 3.2; the probability is bounded in lie/trials.py",
    needs=Needs.BRACKETS,
    systems=None,
)
def stagnation(problem: Problem, evidence: Evidence) -> Proof | None:
    """If W_k(θ) and W_{k+1}(θ) have equal dimensions around θ, then Lie(W)(θ) = W_k(θ); that they
    do is seen at random points only, so the bound comes with the probability of an error.

    Hypotheses. The last level of brackets raised the rank at none of several random points modulo
    random primes. The same is used of balanced brackets, V_{h+1} = V_h + [V_h, V_h].

    Proof. Where the dimension of W_k is constant, W_{k+1} = W_k means that W_k is closed under
    brackets with W_0, hence contains Lie(W_0). A larger rank is missed by all points only if one
    fixed minor, a nonzero polynomial, vanishes at all of them: Schwartz-Zippel, and a count of the
    primes that divide its coefficients.
    """
    run = evidence.closed
    if not run.ranks.closed or run.doubt is not None:
        return None
    shown = (
        f"brackets of more than {run.ranks.length} fields add nothing at independent random primes"
        " and points"
    )
    error = run.error or 0.0
    return Proof(
        upper=(Bound(run.ranks.rank, "stagnation", "random", None, shown, error),), spare=True
    )


@theorem(
    "balls",
    title="Brackets at a real point, in ball arithmetic",
    source=f"{_PAPER}, Proposition 3.1; ball arithmetic: Johansson, Arb, arXiv 1611.02831",
    needs=Needs.BRACKETS,
)
def balls(problem: Problem, evidence: Evidence) -> Proof | None:
    """If elimination keeps r elements of Lie(W) at a real point, dividing by balls without 0 only,
    then dim Lie(W)(θ) ≥ r at almost every θ around it.

    Hypotheses. The fields are analytic there. It is asked where roots or values of functions are
    not known to be independent, so that residues could say nothing.

    Proof. A minor of the r elements is the product of the numbers divided by, up to its sign, hence
    not 0; it is an analytic function of θ. That further brackets leave balls around 0 proves
    nothing: the upper bound that comes of it has no bound on its error.
    """
    run = evidence.closed
    if run.doubt is None:
        return None
    rank = run.ranks.rank
    shown = f"fields of W_φ and their brackets have rank {rank} at a real point, in ball arithmetic"
    lower = Bound(rank, "balls", "proof", None, shown)
    if not run.ranks.closed:
        return Proof(lower=(lower,))
    why = f"further brackets add nothing there up to rounding; residues do not apply: {run.doubt}"
    return Proof(lower=(lower,), upper=(Bound(rank, "balls", "random", None, why, 1.0),))
