"""Numbers of laws of linear chains by formulas: what counts are held against.

Nothing rests on them, but where docs/flows.md has a proof.
"""

from __future__ import annotations

from math import comb

from conslaw_cli.flows import System
from conslaw_cli.lie.chains import cut
from conslaw_cli.lie.theorems.single_field import is_scalar
from conslaw_cli.lie.theorems.structure import Chain, chain_of
from conslaw_cli.problems.problem import Problem


def closed_form(problem: Problem) -> int | None:
    """Return the number of laws of a linear chain under a loss with condition (9): without biases
    under gradient flow or decay of all its parameters, with any under Euclidean momentum; None
    where no formula is known.
    """
    system = problem.flow.dynamics.system
    if system is System.SECOND_ORDER:
        return charges(problem)
    chain = chain_of(problem)
    if chain is None or not all(chain.linear) or any(chain.biased) or chain.unmoved:
        return None
    return _laws(chain) if system in (System.GRADIENT, System.DILATED) else None


def _laws(chain: Chain) -> int:
    """Return the number of laws of gradient flow, a conjecture.

    Cut the chain at its hidden layers of width 1; a piece with widths n from 1 to 1 has D − 1 laws,
    any other ``Σ_i n_i(n_i + 1)/2 − k_i(k_i + 1)/2`` over its hidden layers, ``k_i = max(0, n_i −
    n_{i−1} − n_{i+1})``; each cut adds 1. For two matrices this is Prop. 4.2.
    """
    pieces = cut(chain)
    return sum(map(_piece, pieces)) + len(pieces) - 1


def _piece(chain: Chain) -> int:
    if is_scalar(chain):
        return chain.parameters - 1
    around = zip(chain.widths, chain.widths[1:], chain.widths[2:], strict=False)
    return sum(
        comb(n + 1, 2) - comb(max(0, n - before - after) + 1, 2) for before, n, after in around
    )


def charges(problem: Problem) -> int | None:
    """Return how many of Noether's charges are independent on a linear chain of dense layers, under
    a loss with condition (9); None for other networks.

    A hidden layer of r units, each with s numbers (those that write it and read it, and their
    velocities), has ``r(r − 1)/2 − k(k − 1)/2`` of them, ``k = max(0, r − s)``; between two layers
    of one unit, without biases, there are two groups of rotations, and ``2 (2 r − 3)``.
    """
    chain = chain_of(problem)
    if chain is None or chain.unmoved or not all(chain.linear):
        return None
    around = zip(chain.widths, chain.widths[1:], chain.widths[2:], chain.biased, strict=False)
    return sum(_layer(*layer) for layer in around)


def _layer(before: int, units: int, after: int, biased: bool) -> int:
    if before == after == 1 and not biased:
        return 2 * (2 * units - 3) if units > 1 else 0
    return comb(units, 2) - comb(max(0, units - 2 * (before + biased + after)), 2)
