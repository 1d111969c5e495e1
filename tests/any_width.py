"""Counts of theorems that hold at any width, and what sizes say of the known laws, against ranks at
generic points of the whole network: a check to be run at length.

    python tests/any_width.py [NETWORKS] [SEED]

It draws networks that are small enough for brackets, of all families and flows that these theorems
cover, on all cores, and stops at the first that differs.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from math import gcd
from pathlib import Path
from random import Random
from typing import Any

from joblib import Parallel, delayed

from conslaw_cli import (
    MLP,
    Activation,
    Convolution,
    Decay,
    Flat,
    Layers,
    Linear,
    Momentum,
    Pool,
    Power,
    Problem,
    TransposedConvolution,
    count_laws,
)
from conslaw_cli.errors import LayerError
from conslaw_cli.families.layers import Branch, Layer
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.flows.metrics import Hypentropy, Metric
from conslaw_cli.flows.mirror import Mirror, Shorthand
from conslaw_cli.lie.rows import bounded
from conslaw_cli.lie.theorems import THEOREMS, Evidence, Needs, Proof
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Operation

sys.path.insert(0, str(Path(__file__).parent))

from graphs import Given

LARGEST = 90
"""Parameters of a network that is drawn."""
RELU = Activation("relu")


def chain(draw: Random) -> MLP:
    """Two to five layers, each linear or not, of up to six units."""
    widths = [draw.randint(1, 6) for _ in range(draw.randint(3, 6))]
    activations = tuple(draw.choice(["linear", "linear", "relu"]) for _ in widths[1:-1])
    bias: Any = draw.choice([False, False, "hidden", "all"])
    return MLP(tuple(widths), activations, bias, _loss(draw, True))


def residual(draw: Random) -> Layers:
    """A stream with one to three branches, with or without embedding, and perhaps a head."""
    layers, width = list[Layer](), draw.randint(1, 4)
    inputs, last = width, draw.random() < 0.7
    if draw.random() < 0.6:
        width = draw.randint(1, 5)
        layers += _dense(draw, width)
    for _ in range(draw.randint(1, 3)):
        inner = _dense(draw, draw.randint(1, 6)) if draw.random() < 0.8 else []
        layers.append(Branch((*inner, Linear(width, draw.random() < 0.2))))
    if last:
        layers.append(Linear(draw.randint(1, 4), draw.random() < 0.2))
    return Layers((inputs,), tuple(layers), _loss(draw, last))


def convolutional(draw: Random) -> Layers:
    """One or two convolutions, perhaps with branches and pools between them, and a dense layer."""
    layers, inputs = list[Layer](), draw.randint(1, 2)
    channels = inputs
    for _ in range(draw.randint(1, 2)):
        read, channels = channels, draw.randint(1, 4)
        layers += _convolution(draw, read, channels)
        if draw.random() < 0.4:
            inner = _convolution(draw, channels, draw.randint(1, 3), "same")
            layers.append(Branch((*inner, Convolution(channels, (2,), (1,), "same"))))
            layers += [RELU] * (draw.random() < 0.5)
        if draw.random() < 0.3:
            layers.append(Pool((2,), (draw.randint(1, 2),)))
    layers += [Flat(), Linear(draw.randint(1, 3), draw.random() < 0.2)]
    return Layers((inputs, draw.randint(8, 9)), tuple(layers), _loss(draw, True))


def images(draw: Random) -> Layers:
    """Up to three convolutions over a sequence or an image, with gates, branches and pools, and a
    dense layer behind all places.
    """
    sizes = draw.choice([(draw.randint(6, 9),), (draw.randint(4, 6), draw.randint(4, 5))])
    layers, inputs = list[Layer](), draw.randint(1, 2)
    for _ in range(draw.randint(1, 3)):
        channels = draw.randint(1, 3)
        layers += [_windows(draw, channels, len(sizes)), *[RELU] * (draw.random() < 0.4)]
        if draw.random() < 0.35:
            gates = [[RELU] * (draw.random() < 0.6) for _ in range(2)]
            widths = draw.randint(1, 2), channels
            inner = [_windows(draw, width, len(sizes), "same") for width in widths]
            layers.append(Branch((*gates[0], inner[0], *gates[1], inner[1])))
        if draw.random() < 0.2:
            layers.append(Pool((2,) * len(sizes), (draw.randint(1, 2),) * len(sizes)))
    layers += [Flat(), Linear(draw.randint(1, 3), draw.random() < 0.1)]
    try:
        return Layers((inputs, *sizes), tuple(layers), _loss(draw, True))
    except LayerError:  # a window larger than what is left
        return images(draw)


def grouped(draw: Random) -> Layers:
    """Convolutions mostly in groups, of one or several channels on either side, in a row, in
    branches and around skips; then a dense layer, mostly of averages.
    """
    layers, inputs = list[Layer](), draw.randint(1, 4)
    channels = inputs
    if draw.random() < 0.6:
        channels = draw.choice([1, 2, 2, 3, 4, 4, 6])
        layers += _in_groups(draw, inputs, channels)
    for _ in range(draw.randint(1, 2)):
        wide = draw.choice([1, 2, 2, 3, 4, 4, 6])
        inner = _in_groups(draw, channels, wide)
        if draw.random() < 0.6:
            inner += _in_groups(draw, wide, wide)
        if draw.random() < 0.6:
            layers.append(Branch((*inner, *_in_groups(draw, wide, channels, ends=True))))
            layers += [RELU] * (draw.random() < 0.3)
        else:
            layers, channels = [*layers, *inner], wide
    size = draw.choice([1, 2, 3, 4])
    layers += [Pool((size,), (size,))] * (draw.random() < 0.7)
    layers += [Flat(), Linear(draw.randint(1, 3), draw.random() < 0.2)]
    return Layers((inputs, size), tuple(layers), _loss(draw, True))


def products(draw: Random) -> Given:
    """A gated linear unit, bilinear or with an activation, and perhaps a layer behind it."""
    inputs, units, outputs = draw.randint(1, 4), draw.randint(1, 4), draw.randint(1, 3)
    gate = draw.choice(["linear(a)", "relu(a)", "power(a, k=2)"])
    lines = [
        f"x[{inputs}]",
        f"a[{units}] = dense(x; U1{', b1' if draw.random() < 0.3 else ''})",
        f"b[{units}] = dense(x; U2)",
        f"g = {gate}",
        "h = multiply(g, b)",
        f"s[{outputs}] = dense(h; U3)",
    ]
    if draw.random() < 0.4:
        lines.append(f"y[{draw.randint(1, 3)}] = dense(s; U4)")
    return Given(Graph.parse("\n".join(lines)))


FAMILIES: tuple[Callable[[Random], MLP | Layers | Given], ...]
FAMILIES = (chain, residual, convolutional, images, grouped, products)
FLOWS: tuple[Callable[[Random, Any], Any], ...]


def some(draw: Random, network: Any) -> Decay:
    """Decay of some arrays."""
    names = [array.name for array in network.graph.arrays]
    return Decay(tuple(draw.sample(names, draw.randint(1, len(names)))))


def mirror(draw: Random, network: Any) -> Mirror:
    """Metrics and rates of some arrays."""
    names = [array.name for array in network.graph.arrays]
    metrics: list[Metric] = [Power(0), Power(0), Power(1), Power(3), Hypentropy(Fraction(1, 2))]
    rates = {name: Fraction(draw.randint(1, 2), draw.randint(1, 3)) for name in names}
    return Mirror(tuple((name, draw.choice(metrics)) for name in names), tuple(rates.items()))


def rated(draw: Random, network: Any) -> Mirror:
    """Rates of arrays alone."""
    return Mirror((), mirror(draw, network).rates)


FLOWS = (
    *3 * (lambda draw, network: GRADIENT,),
    lambda draw, network: Momentum(draw.choice([*Friction])),
    lambda draw, network: Decay(),
    some,
    mirror,
    lambda draw, network: Shorthand(draw.choice(["nmf", "icnn"])),
    lambda draw, network: Momentum(metric=mirror(draw, network)),
    rated,
    lambda draw, network: Momentum(draw.choice([*Friction]), rated(draw, network)),
)


def problem(seed: int) -> Problem:
    """Return a random problem."""
    draw = Random(seed)
    architecture = draw.choice(FAMILIES)(draw)
    while architecture.parameters > LARGEST:
        architecture = draw.choice(FAMILIES)(draw)
    return Problem(architecture, draw.choice(FLOWS)(draw, architecture))


def decided(asked: Problem) -> dict[str, Proof]:
    """Return what theorems that need no ranks of the whole network say, where they decide it, by
    their names.
    """
    evidence, proofs = Evidence(count_laws), dict[str, Proof]()
    for theorem in THEOREMS:
        proof = (
            theorem(asked, evidence) if theorem.needs in (Needs.STRUCTURE, Needs.NARROW) else None
        )
        if proof is not None and proof.lower and proof.upper:
            assert proof.lower[0].value == proof.upper[0].value
            proofs[theorem.name] = proof
    return proofs


def check(seed: int) -> list[str]:
    """Return the names of the theorems that decide a random problem. Raise AssertionError if one
    says something else than brackets do.
    """
    asked = problem(seed)
    proofs, row = decided(asked), count_laws(asked)
    for proof in proofs.values():
        found = asked.state - proof.lower[0].value, proof.independent
        assert found == (row.laws, row.known_independent), (seed, str(asked), proof, row)
        assert proof.timeless in (None, row.timeless), (seed, str(asked), proof, row)
    open_ = bounded(asked, "a test")
    least = 0 if open_ is None else open_.laws_at_least or 0
    assert least <= (row.known_independent or 0), (seed, str(asked), open_, row)
    if open_ is not None:
        assert open_.known_listed == row.known_listed, (seed, str(asked), open_, row)
        assert open_.known_independent in (None, row.known_independent), (seed, str(asked), row)
    kind = "fewer" if least < (row.known_independent or 0) else "all"
    return [*proofs, f"{kind} known laws by sizes" if row.known_listed else "no known laws"]


def _dense(draw: Random, units: int) -> list[Operation]:
    layers: list[Operation] = [Linear(units, draw.random() < 0.2)]
    return [*layers, RELU] if draw.random() < 0.5 else layers


def _convolution(draw: Random, read: int, channels: int, padding: str = "") -> list[Operation]:
    kind: Any = padding or draw.choice(["valid", "same", "circular"])
    bias, dilation = draw.random() < 0.2, (draw.choice([1, 1, 2]),)
    groups = draw.choice([1, 1, gcd(read, channels)])
    each: Operation = Convolution(channels, (2,), (1,), kind, bias, dilation, groups)
    if not padding and draw.random() < 0.2:
        each = TransposedConvolution(channels, (2,), (draw.randint(1, 2),), bias=bias)
    layers: list[Operation] = [each]
    return [*layers, RELU] if draw.random() < 0.6 else layers


def _windows(draw: Random, channels: int, dimensions: int, padding: str = "") -> Convolution:
    """A convolution; one of a branch keeps the image as it is."""

    def sizes(*choices: int) -> tuple[int, ...]:
        return tuple(draw.choice(choices) for _ in range(dimensions))

    kind: Any = padding or draw.choice(["valid", "same", "same", "circular"])
    kernel, stride = sizes(1, 2, 2, 3), sizes(1) if padding else sizes(1, 1, 1, 2)
    return Convolution(channels, kernel, stride, kind, draw.random() < 0.15, sizes(1, 1, 1, 2))


def _in_groups(draw: Random, read: int, channels: int, ends: bool = False) -> list[Operation]:
    """A convolution that keeps the places, perhaps with a gate behind it, if no branch ends so."""
    common = gcd(read, channels)
    groups = draw.choice([n for n in range(1, common + 1) if not common % n])
    groups = draw.choice([1, groups, groups, common])
    kernel, bias = (draw.choice([1, 1, 2]),), draw.random() < 0.15
    kind: Any = draw.choice(["same", "circular"])
    each: list[Operation] = [Convolution(channels, kernel, (1,), kind, bias, (1,), groups)]
    return [*each, RELU] if not ends and draw.random() < 0.5 else each


def _loss(draw: Random, dense: bool) -> Any:
    return draw.choice(["mse", "mse", "cross_entropy"]) if dense else "mse"


if __name__ == "__main__":
    networks, first = (int(text) for text in (*sys.argv[1:], *("2000", "0")[len(sys.argv) - 1 :]))
    names = Parallel(n_jobs=-1, return_as="generator")(
        delayed(check)(seed) for seed in range(first, first + networks)
    )
    tally = Counter[str]()
    for done, each in enumerate(names, start=1):
        tally.update(each)
        if done % 100 == 0:
            print(f"{done} of {networks} networks", file=sys.stderr, flush=True)
    print(f"{networks} networks:", ", ".join(f"{n} by {name}" for name, n in tally.items()))
