"""What the sizes of a chain of layers say by themselves: how many known laws are independent, and
which narrower chains have the same count (docs/any-width.md has the proofs).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise
from math import comb

from conslaw_cli.families.mlp import MLP
from conslaw_cli.networks.chains import Chain
from conslaw_cli.networks.operation import Operation
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation
from conslaw_cli.problems.problem import Architecture


def spare(chain: Chain, times: int = 1) -> tuple[int, ...]:
    """Return for each hidden layer how many units it has beyond the numbers that each of them has;
    0 where there are gates. times: numbers for each weight, 2 if it has a velocity.
    """
    around = zip(chain.widths, chain.widths[1:], chain.widths[2:], chain.biased, strict=False)
    units = (max(0, n - times * (before + after + bias)) for before, n, after, bias in around)
    return tuple(n * linear for n, linear in zip(units, chain.linear, strict=True))


def independent(chain: Chain) -> int:
    """Return the rank of the gradients of the known laws of gradient flow at generic θ."""
    if not chain.widths[-1]:
        return chain.parameters + chain.unmoved
    layers = zip(chain.widths[1:-1], chain.linear, spare(chain), strict=True)
    laws = (comb(n + 1, 2) - comb(k + 1, 2) if linear else n for n, linear, k in layers)
    return sum(laws) + chain.unmoved


def narrowed(chain: Chain, times: int = 1) -> Chain:
    """Return what moves of the chain, without spare units: a linear layer has no more units than
    each of these has numbers. No other layer has spare units then.
    """
    less = (0, *spare(chain, times), 0)
    widths = tuple(n - k for n, k in zip(chain.widths, less, strict=True))
    return chain._replace(widths=widths, unmoved=0)


def clamped(chain: Chain) -> Chain:
    """Return what moves of the chain, with at most one gated unit more in a layer than the larger
    of the next two layers without gates, ends included, so that none of these has spare units for
    want of it.
    """
    linear = (True, *chain.linear, True)
    before = accumulate(zip(chain.widths, linear, strict=True), _nearest)
    behind = accumulate(zip(chain.widths[::-1], linear[::-1], strict=True), _nearest)
    around = zip(before, reversed([*behind]), strict=True)
    most = [max(a, b) + (not free) for ((a, _), (b, _)), free in zip(around, linear, strict=True)]
    return chain._replace(widths=tuple(map(min, chain.widths, most)), unmoved=0)


def _nearest(last: tuple[int, bool], layer: tuple[int, bool]) -> tuple[int, bool]:
    """Return the layer, or the last one before it, which has no gates."""
    return layer if layer[1] else last


def cut(chain: Chain) -> tuple[Chain, ...]:
    """Return the pieces of a chain between its layers of width 1 that have gates, or before or
    behind which there are no biases; none if nothing moves.
    """
    if not chain.widths[-1]:
        return ()
    if 1 not in chain.widths[1:-1]:
        return (chain._replace(unmoved=0) if chain.unmoved else chain,)
    last = len(chain.widths) - 1
    cuts = [0, *(i for i in range(1, last) if chain.widths[i] == 1 and _parts(chain, i)), last]
    return tuple(
        Chain(chain.widths[a : b + 1], chain.linear[a : b - 1], chain.biased[a:b])
        for a, b in pairwise(cuts)
    )


def _parts(chain: Chain, layer: int) -> bool:
    """Whether what a layer passes on and the biases behind it are told apart by probes."""
    both = any(chain.biased[:layer]) and any(chain.biased[layer:])
    return not both or not chain.linear[layer - 1]


def full(chain: Chain) -> int:
    """Return how many strands of one unit a layer lead from input to output, as the chain is made
    of such that begin at the input or end at the output, none begun or ended without need; negative
    if they do not suffice.
    """
    turns = sum(abs(a - b) for a, b in pairwise(chain.widths))
    return (chain.widths[0] + chain.widths[-1] - turns) // 2


def fatness(chain: Chain) -> int:
    """Return about how many units a layer strands need that begin at the input or end at the
    output, if all other units are shared out among them.
    """
    ends = max(1, chain.widths[0] + chain.widths[-1] - 1)
    return 1 - min(0, (full(chain) - 1) // ends)


def network(chain: Chain) -> Architecture:
    """Return a network that is this chain, but for what does not move."""
    *hidden, last = chain.biased
    if all(hidden) or not any(chain.biased):
        bias = ("all" if last else "hidden") if any(chain.biased) else False
        activation = tuple("linear" if linear else "relu" for linear in chain.linear)
        return MLP(chain.widths, activation, bias)  # type: ignore[arg-type]
    from conslaw_cli.families.layers import Layers  # most parts are of equal layers

    return Layers(chain.widths[:1], tuple(_layers(chain)))


def _layers(chain: Chain) -> Iterator[Operation]:
    for units, bias, linear in zip(
        chain.widths[1:], chain.biased, (*chain.linear, True), strict=True
    ):
        yield Linear(units, bias)
        if not linear:
            yield Activation("relu")
