"""Counts of theorems that hold at any width, against brackets at generic points of the whole
network: a check to be run at length.

    python tests/any_width.py [NETWORKS] [SEED]

It draws networks that are small enough for brackets, of all families and flows that block lifting
covers, and networks whose paths are known by their gates. It stops at the first that differs.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from conslaw_cli import (
    Activation,
    Convolution,
    Decay,
    Flat,
    Layers,
    Linear,
    Momentum,
    Pool,
    Problem,
    count_laws,
)
from conslaw_cli.errors import MemoryBudgetError
from conslaw_cli.families.layers import Branch, Layer
from conslaw_cli.flows import Kind
from conslaw_cli.lie import budget, count
from conslaw_cli.lie.strands import lifts
from conslaw_cli.lie.theorems.block_lifting import lifting
from conslaw_cli.lie.theorems.structure import network_of
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.monomial import hidden_units
from conslaw_cli.networks.operation import Operation
from conslaw_cli.records import LawCount

sys.path.insert(0, str(Path(__file__).parent))

from graphs import Given

LARGEST = 90
"""Parameters of a network that is drawn."""
RELU = Activation("relu")


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
    layers = list[Layer]()
    for _ in range(draw.randint(1, 2)):
        channels = draw.randint(1, 4)
        layers += _convolution(draw, channels)
        if draw.random() < 0.4:
            inner = _convolution(draw, draw.randint(1, 3), "same")
            layers.append(Branch((*inner, Convolution(channels, (2,), (1,), "same"))))
            layers += [RELU] * (draw.random() < 0.5)
        if draw.random() < 0.3:
            layers.append(Pool((2,), (draw.randint(1, 2),)))
    layers += [Flat(), Linear(draw.randint(1, 3), draw.random() < 0.2)]
    return Layers((draw.randint(1, 2), draw.randint(8, 9)), tuple(layers), _loss(draw, True))


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


def chain(draw: Random) -> Layers:
    """Dense layers, some of them narrow, some wide, with and without gates and biases."""
    biased, layers = draw.choice((0, 0, 0.5, 1)), list[Layer]()
    for _ in range(draw.randint(2, 6)):
        layers.append(Linear(draw.choice((1, 1, 2, 2, 3, 4, 6, 8)), draw.random() < biased))
        layers += [RELU] * (draw.random() < 0.3)
    layers.append(Linear(draw.randint(1, 4), draw.random() < biased))
    return Layers((draw.randint(1, 5),), tuple(layers), _loss(draw, True))


FAMILIES: tuple[Callable[[Random], Layers | Given], ...] = (
    residual,
    convolutional,
    products,
    chain,
)
FLOWS = (None, None, None, Momentum(), Decay())


def problem(seed: int) -> Problem:
    """Return a random problem."""
    draw = Random(seed)
    architecture = draw.choice(FAMILIES)(draw)
    while architecture.parameters > LARGEST:
        architecture = draw.choice(FAMILIES)(draw)
    flow = draw.choice(FLOWS)
    return Problem(architecture) if flow is None else Problem(architecture, flow)


def decided(asked: Problem) -> dict[str, int]:
    """Return what theorems say of the number of laws, by their names."""
    if (found := network_of(asked)) is None:
        return {}
    graph, still = found
    counts = dict[str, int]()
    if graph.chain is not None:
        row = without_brackets(asked)
        return {} if row is None else {row.lower[0].method: row.laws or 0}
    if asked.flow.kind is Kind.GRADIENT and (units := hidden_units(graph)) is not None:
        counts["paths"] = units + still
    lifted = lifting(asked, graph) if lifts(asked) else None
    if lifted is not None:
        counts["gates" if lifted.gated else "strands"] = lifted.laws + still * (
            2 if asked.flow.kind is Kind.MOMENTUM else 1
        )
    return counts


def without_brackets(asked: Problem) -> LawCount | None:
    """Return the row that theorems give by themselves, as they do where a network is wide; None if
    they do not decide.
    """

    def refused(*_: object) -> LawCount:
        raise MemoryBudgetError("no brackets")

    count._part.cache_clear()
    try:
        with patch.object(budget, "ENGINE_LIMIT", 0), patch.object(count, "_from_engine", refused):
            return count_laws(asked)
    except MemoryBudgetError:
        return None
    finally:
        count._part.cache_clear()


def check(seed: int) -> list[str]:
    """Return the names of the theorems that decide a random problem. Raise AssertionError if one
    says something else than brackets do.
    """
    asked = problem(seed)
    counts = decided(asked)
    if counts:
        row = count_laws(asked)
        assert set(counts.values()) == {row.laws}, (seed, str(asked.graph), asked.flow, counts, row)
    return [*counts] or ["none"]


def _dense(draw: Random, units: int) -> list[Operation]:
    layers: list[Operation] = [Linear(units, draw.random() < 0.2)]
    return [*layers, RELU] if draw.random() < 0.5 else layers


def _convolution(draw: Random, channels: int, padding: str = "") -> list[Operation]:
    kind: Any = padding or draw.choice(["valid", "same", "circular"])
    layers: list[Operation] = [Convolution(channels, (2,), (1,), kind, draw.random() < 0.2)]
    return [*layers, RELU] if draw.random() < 0.6 else layers


def _loss(draw: Random, dense: bool) -> Any:
    return draw.choice(["mse", "mse", "cross_entropy"]) if dense else "mse"


if __name__ == "__main__":
    networks, first = (int(text) for text in (*sys.argv[1:], *("2000", "0")[len(sys.argv) - 1 :]))
    tally = Counter(name for seed in range(first, first + networks) for name in check(seed))
    print(f"{networks} networks:", ", ".join(f"{n} by {name}" for name, n in tally.items()))
