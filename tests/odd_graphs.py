"""What theorems say of graphs that nobody would train, against brackets that know no theorem: a
check to be run at length.

    python tests/odd_graphs.py [NETWORKS] [SEED]

Values are read twice, windows overlap or leave gaps, groups are of several sizes, arrays are shared
or frozen, gates have states in common, there are several inputs and outputs. It stops at the first
theorem that differs.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np

from conslaw_cli import Decay, Momentum, Problem, count_laws
from conslaw_cli.errors import SpecError
from conslaw_cli.flows import Flow
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.lie import trials
from conslaw_cli.lie.ranks import law_rank
from conslaw_cli.lie.strands import lifted
from conslaw_cli.lie.theorems import THEOREMS, Evidence, Needs, Proof
from conslaw_cli.lie.theorems.structure import network_of
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.units import Units

sys.path.insert(0, str(Path(__file__).parent))

from graphs import Given

LARGEST = 24
"""Parameters of a graph that is drawn."""
VALUES = 30
"""Entries of one value."""
TRIALS = 2
"""Points and primes at which brackets are closed."""
ASKED = (Needs.STRUCTURE, Needs.PARTS, Needs.NARROW, Needs.SIZES)


@dataclass(frozen=True)
class Odd(Given):
    """A graph, perhaps under cross-entropy."""

    def under(self, loss: str) -> Odd:
        return replace(self, loss=loss)

    def fields(self) -> GradientFields:
        return GradientFields(self.graph, self.loss == "cross_entropy")


class _Lines:
    """Lines of a graph, drawn one by one; those that do not fit are left out."""

    def __init__(self, draw: Random) -> None:
        self.draw = draw
        shapes = ["1", "2", "3", "4", "2×3", "1×5", "2×2×2"]
        self.groups = draw.random() < 0.3
        shapes = ["2×1", "2×2", "4×1", "4×2", "6×1"] if self.groups else shapes
        self.lines = [f"x{i}[{draw.choice(shapes)}]" for i in range(1 + (draw.random() < 0.25))]
        self.strict = draw.random() < 0.5
        self.graph: Graph | None = None

    def add(self) -> None:
        """Add a line, if it fits: behind weights mostly a gate or a sum, where it is strict."""
        shapes = self.graph.shapes if self.graph else {"x0": ()}
        names = [each.split("[")[0].split(" ")[0] for each in self.lines]
        last = names[-1] if self.draw.random() < 0.7 else self.draw.choice(names)
        alike = [name for name in names if shapes.get(name) == shapes.get(last)]
        text = f"v{len(self.lines)}{self.operation(last, self.draw.choice(alike or [last]))}"
        try:
            graph = Graph.parse("\n".join([*self.lines, text]))
        except SpecError:
            return
        most = max(int(np.prod(shape)) for shape in graph.shapes.values())
        if graph.dimension <= LARGEST and most <= VALUES:
            self.graph, self.lines = graph, [*self.lines, text]

    def operation(self, value: str, other: str) -> str:
        draw = self.draw
        weighted = "dense" in self.lines[-1] or "conv" in self.lines[-1]
        kinds = ["gate", "gate", "sum"] if weighted and self.strict else ["weights"] * 4
        kinds += [] if self.strict else ["gate", "sum", "product", "square", "pool"]
        kind = draw.choice([*kinds, "flat"])
        if kind == "weights":
            return self.weights(value)
        pool = f"kernel={draw.choice([2, 2, 3])}, stride={draw.randint(1, 2)}"
        return {
            "gate": f" = relu({value}{' | s' if draw.random() < 0.05 else ''})",
            "sum": f" = add({value}, {other})",
            "product": f" = multiply({value}, {other})",
            "square": f" = power({value}, k=2)",
            "pool": f" = avg_pool({value}, {pool})",
            "flat": f" = flatten({value})",
        }[kind]

    def weights(self, value: str) -> str:
        """A dense layer or a convolution, sometimes with the array of another."""
        draw, number = self.draw, len(self.lines)
        if draw.random() < 0.06:
            number = draw.randint(1, number)
        arrays = f"; U{number}" + (f", b{number}" if draw.random() < 0.2 else "")
        if draw.random() < (0.2 if self.groups else 0.5):
            return f"[{draw.randint(1, 4)}] = dense({value}{arrays})"
        kernel, stride = draw.randint(1, 3), draw.choice([1, 1, 2, 3])
        padding = draw.choice(["valid", "same", "circular"])
        options = f"kernel={kernel}, stride={stride}, padding={padding}"
        options += f", dilation={draw.choice([1, 1, 2, 3])}"
        channels = draw.randint(1, 3)
        if self.groups and draw.random() < 0.8:
            groups = draw.choice([1, 2, 2, 2, 3, 4])
            channels = groups * draw.choice([1, 1, 2])
            options += f", groups={groups}"
        return f"[{channels}] = conv({value}, {options}{arrays})"

    def ended(self) -> Graph | None:
        """Return the graph with outputs, and perhaps a frozen array; None if it is too small."""
        draw = self.draw
        if self.graph is None or self.graph.dimension < 2:
            return None
        outputs = {self.graph.nodes[-1].name}
        if draw.random() < 0.3:
            outputs.add(draw.choice(self.graph.nodes).name)
        lines = [*self.lines, f"output {', '.join(sorted(outputs))}"]
        if draw.random() < 0.07:
            lines.append(f"frozen {draw.choice(self.graph.arrays).name}")
        graph = Graph.parse("\n".join(lines))
        return graph if graph.dimension > 1 and graph.output_size < 12 else None


def _graph(draw: Random) -> Graph:
    while True:
        lines = _Lines(draw)
        for _ in range(draw.randint(3, 16)):
            lines.add()
        if (graph := lines.ended()) is not None:
            return graph


def problem(seed: int) -> Problem:
    """Return a random problem."""
    draw = Random(seed)
    graph = _graph(draw)
    names = [array.name for array in graph.arrays if array.name not in graph.frozen]
    some = Decay(tuple(draw.sample(names, draw.randint(1, len(names)))))
    flows: list[Flow] = [*[GRADIENT] * 5, Momentum(), Decay(), some]
    cross = draw.random() < 0.2 and len(graph.outputs) == 1
    odd = Odd(graph, loss="cross_entropy" if cross else "mse")
    return Problem(odd, draw.choice(flows))


def check(seed: int) -> list[str]:
    """Return the names of the theorems that say something of a random problem. Raise AssertionError
    if one says something else than brackets do.
    """
    asked, rng = problem(seed), np.random.default_rng(seed)
    fields = asked.fields()
    points = [trials.fresh(fields, rng) for _ in range(TRIALS)]
    every = asked.state + 1  # more than any rank: nothing ends the brackets but themselves
    runs = [trials.attempt(at, every, None, fold=False, carry=False) for at in points]
    rank = max(run.ranks.rank for run in runs)
    known = max(law_rank(asked.laws(), at) for at in points)
    assert known <= asked.state - rank, (seed, "known laws")
    found = dict(_said(asked))
    for name, proof in found.items():
        flaws = list(_flaws(asked, proof, rank, known))
        assert not flaws, (seed, name, flaws, str(asked.graph), asked.flow, asked.loss)
    _check_strands(asked, Random(seed), asked.state - rank)
    return [*found] or ["none"]


def _said(asked: Problem) -> Iterator[tuple[str, Proof]]:
    """Yield what theorems say that need no ranks of the whole network."""
    for theorem in THEOREMS:
        if theorem.needs in ASKED:
            proof = theorem(asked, Evidence(count_laws))
            if proof is not None:
                yield theorem.name, proof


def _flaws(asked: Problem, proof: Proof, rank: int, known: int) -> Iterator[str]:
    if any(bound.value > rank for bound in proof.lower):
        yield f"lower bounds {proof.lower}, rank {rank}"
    if any(bound.value < rank for bound in proof.upper):
        yield f"upper bounds {proof.upper}, rank {rank}"
    if proof.independent is not None and proof.independent > known:
        yield f"{proof.independent} known laws are independent, not {known}"
    if proof.listed is not None and proof.listed != len(asked.laws()):
        yield f"{proof.listed} laws are listed, not {len(asked.laws())}"


def _check_strands(asked: Problem, draw: Random, laws: int) -> None:
    """Deal the units out to a few strands at random: where that decides, it is the same."""
    if (network := network_of(asked)) is None:
        return
    sizes, still = Units.of(network[0]).sizes, network[1] * (asked.state // asked.parameters)
    strands = [[0] * len(sizes) for _ in range(draw.randint(2, 4))]
    for space, units in enumerate(sizes):
        for _ in range(units):
            draw.choice(strands)[space] += 1
    dealt = Counter(tuple(strand) for strand in strands if any(strand))
    found = lifted(asked, dealt, [])
    assert found is None or found.laws + still == laws, (asked, str(asked.graph), dealt, laws)


if __name__ == "__main__":
    networks, first = (int(text) for text in (*sys.argv[1:], *("2000", "0")[len(sys.argv) - 1 :]))
    tally = Counter(name for seed in range(first, first + networks) for name in check(seed))
    print(f"{networks} graphs:", ", ".join(f"{n} by {name}" for name, n in tally.items()))
