"""Monomial maps: both bounds from exponents."""

from __future__ import annotations

from conslaw_cli.lie.theorems.structure import Chain, chain_of, network_of
from conslaw_cli.lie.theorems.theorem import Evidence, Proof, theorem
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound, Trace


def is_monomial(problem: Problem) -> bool:
    """Whether every component of φ is known to be a monomial."""
    if problem.formula is not None:
        return problem.formula.monomial
    chain = chain_of(problem)
    return _network(problem) is not None if chain is None else _monomial(chain)


def _network(problem: Problem) -> tuple[int, int] | None:
    """Return the parameters and the hidden units of a network that is no chain, if it is monomial;
    under cross-entropy with one output less.
    """
    from conslaw_cli.networks.monomial import hidden_units  # chains do without

    if (found := network_of(problem)) is None:
        return None
    units = hidden_units(found[0])
    return None if units is None else (found[0].dimension, units)


def _monomial(chain: Chain) -> bool:
    if not chain.widths[-1]:
        return True
    biases = zip(chain.biased, chain.biased[1:], strict=False)
    layers = zip(chain.widths[1:-1], chain.linear, biases, strict=True)
    return all(not linear or (n == 1 and not all(bias)) for n, linear, bias in layers)


@theorem(
    "paths",
    title="Monomial maps",
    source=(
        "Marcotte, Gribonval, Peyré: Abide by the Law and Follow the Flow: Conservation Laws for"
        " Gradient Flows, NeurIPS 2023, arXiv 2307.00144, Example 3.5 for two layers; the proof"
        " given here holds at every depth"
    ),
    whole=is_monomial,
)
def paths(problem: Problem, evidence: Evidence) -> Proof | None:
    """If every component of φ is a monomial in θ, then dim Lie(W_φ)(θ) = rank A wherever no θ_e is
    zero, A having a row of exponents for every component. For ReLU networks A is the path-edge
    incidence matrix, of rank D − (number of hidden neurons).

    Hypotheses. Gradient flow, under a loss with condition (9), or cross-entropy with one output
    less. Components that are monomials are enough if each weight is in one of them, and each of
    their laws is one of φ. A chain is monomial if all its hidden layers are positively homogeneous;
    a linear one may be among them if it has one neuron and one of the two biases that would add up
    is missing. Other networks are if there is one way at most, with one weight at most, from gate
    to gate; weights may be shared, as in convolutions (docs/any-width.md).

    Proof. In the coordinates ``y_e = θ_e²/2`` the gradient of θ^a is ``θ^a`` times the constant
    field a, whence all elements of Lie(W_φ) lie in the span of the rows of A over functions, an
    involutive distribution of dimension rank A, which W_φ spans already. Rank of a network: the
    paths from inputs and biases to outputs span the flows that are conserved at every hidden
    neuron. Every edge lies on a path and every neuron is joined to an output, so the conservation
    equations are independent, one per neuron.
    """
    if not is_monomial(problem):
        return None
    rank = path_rank(problem)
    shown = f"φ is monomial; the path-edge incidence matrix of its graph has rank {rank}"
    bound = Bound(rank, "paths", "proof", None, shown)
    # Every law is a function of known quadratic ones, which are independent; laws whose integers
    # are too large are not listed.
    spare = problem.formula is None and chain_of(problem) is None
    return Proof((bound,), (bound,), problem.known_listed, Trace((rank,)), spare=spare)


def path_rank(problem: Problem) -> int:
    """Return rank A of a monomial φ."""
    if problem.formula is not None:
        return problem.formula.path_rank()
    if (chain := chain_of(problem)) is None:
        parameters, units = _network(problem) or (0, 0)
        return parameters - units
    return chain.parameters - chain.hidden if chain.widths[-1] else 0


def on_paths(problem: Problem) -> int | None:
    """Return how many numbers a monomial φ of a network depends on: under cross-entropy some stand
    still besides. None if it is not known to be monomial, or not that of a network.
    """
    if problem.formula is not None or not is_monomial(problem):
        return None
    if (chain := chain_of(problem)) is None:
        return (_network(problem) or (0, 0))[0]
    return chain.parameters if chain.widths[-1] else 0
