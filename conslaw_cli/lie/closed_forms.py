"""Numbers of laws of linear chains by formulas: what counts are held against.

Nothing rests on them, but where docs/flows.md has a proof.
"""

from __future__ import annotations

from math import comb

from conslaw_cli.families.mlp import MLP
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.networks.operations.elementwise import LINEAR
from conslaw_cli.problems import Problem


def closed_form(problem: Problem) -> int | None:
    """Return the number of laws of a linear chain without biases and cross-entropy under gradient
    flow, decay of all its parameters or Euclidean momentum; None where no formula is known.
    """
    network, flow = problem.architecture, problem.flow
    if not isinstance(network, MLP) or (number := network.closed_form()) is None:
        return None
    if flow in (GRADIENT, Decay()):
        return number
    if isinstance(flow, Momentum) and flow.metric is None:
        return charges(network)
    return None


def charges(network: MLP) -> int | None:
    """Return how many of Noether's charges are independent on a linear chain of dense layers, under
    a loss with condition (9); None for other networks.

    A hidden layer of r units, each with s numbers (those that write it and read it, and their
    velocities), has ``r(r − 1)/2 − k(k − 1)/2`` of them, ``k = max(0, r − s)``; between two layers
    of one unit, without biases, there are two groups of rotations, and ``2 (2 r − 3)``.
    """
    if network.loss == "cross_entropy" or any(a not in LINEAR for a in network.activations):
        return None
    widths, biased = network.widths, network.bias is not False
    around = zip(widths, widths[1:], widths[2:], strict=False)
    return sum(_layer(before, units, after, biased) for before, units, after in around)


def _layer(before: int, units: int, after: int, biased: bool) -> int:
    if before == after == 1 and not biased:
        return 2 * (2 * units - 3) if units > 1 else 0
    return comb(units, 2) - comb(max(0, units - 2 * (before + biased + after)), 2)
