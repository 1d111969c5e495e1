"""A formula for the number of laws of linear chains, conjectured: no count rests on it."""

from __future__ import annotations

from math import comb

from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.lie.theorems.segments import cut
from conslaw_cli.lie.theorems.single_field import is_scalar
from conslaw_cli.lie.theorems.structure import Chain, chain_of
from conslaw_cli.problems import Problem


def closed_form(problem: Problem) -> int | None:
    """Return the number of laws of a linear chain by a formula; None for other networks.

    Cut the chain at its hidden layers of width 1; a piece with widths n from 1 to 1 has D − 1 laws,
    any other ``Σ_i n_i(n_i + 1)/2 − k_i(k_i + 1)/2`` over its hidden layers, ``k_i = max(0, n_i −
    n_{i−1} − n_{i+1})``; each cut adds 1. For two matrices this is Prop. 4.2.
    """
    chain = chain_of(problem)
    if chain is None or not all(chain.linear) or chain.unmoved or problem.flow != GRADIENT:
        return None
    pieces = cut(chain)
    return sum(map(_piece, pieces)) + len(pieces) - 1 if pieces else None


def _piece(chain: Chain) -> int:
    if is_scalar(chain):
        return chain.parameters - 1
    around = zip(chain.widths, chain.widths[1:], chain.widths[2:], strict=False)
    return sum(
        comb(n + 1, 2) - comb(max(0, n - before - after) + 1, 2) for before, n, after in around
    )
