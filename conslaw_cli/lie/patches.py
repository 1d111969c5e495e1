"""Networks from their views on a few places (networks/places.py): theorems/fewer_places.py.

It is imported only where a network with windows is large: small ones are counted without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from conslaw_cli.lie.dealing import LARGE
from conslaw_cli.lie.gates import alone
from conslaw_cli.lie.lifting import gated, of_graph, point, shown
from conslaw_cli.lie.strands import complete
from conslaw_cli.lie.theorems.listed_laws import listed_laws
from conslaw_cli.lie.theorems.theorem import Evidence
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Flags, Shape
from conslaw_cli.networks.places import Live, View, live, restrictable, view
from conslaw_cli.networks.units import Units
from conslaw_cli.networks.wired import Wired
from conslaw_cli.problems.problem import Problem

MOST = 1700
"""Parameters of a witness of a view: with gates, and many inputs, few brackets do."""
THIN = 1000
"""Parameters of a view with two units in each space in which completeness is looked for first."""
VIEWS = 2000
"""Views that are tried to see all places of a flattened value; a hundredth of different ones."""
BESIDE = (0, -1, 1, -2, 2)
"""How far beside its place a view is moved to see one at a border."""


@dataclass(frozen=True)
class Seen(Wired):
    """The network of a view, as an architecture."""

    network: Graph
    name: str = "a view"
    scope: str | None = None
    loss: str = "mse"

    @property
    def graph(self) -> Graph:
        """The network."""
        return self.network

    def under(self, loss: str) -> Seen:
        """Return it: no other loss is asked for."""
        return self

    def describe(self) -> dict[str, Any]:
        """Return its text."""
        return {"graph": str(self.network)}

    def outline(self) -> Sequence[tuple[str, str, int]]:
        """Return nothing: nobody sees it."""
        return []


class Covered(NamedTuple):
    """Views that prove a network complete: how many, the laws of all and of the first, and what the
    different ones rest on, each with its number of parameters.
    """

    views: int
    laws: int
    different: tuple[tuple[int, str], ...]


Pick = Callable[[int, int], list[int]]
"""Of n places in a row, those that are picked around one of them."""


def _near(size: int) -> Pick:
    def pick(n: int, first: int) -> list[int]:
        start = min(max(0, first), max(0, n - size))
        return list(range(start, min(n, start + size)))

    return pick


def _ends(n: int, first: int) -> list[int]:
    return sorted({0, min(1, n - 1), n // 2, max(0, n - 2), n - 1})


PICKS: tuple[Pick, ...] = (_near(2), _near(3), _ends)
"""Ways to pick places along each direction of an image, the smallest first."""


def covered(graph: Graph) -> Covered | None:
    """Return views that prove a network complete under gradient flow, if some are found."""
    if not restrictable(graph) or graph.correlations:
        return None
    found = (_Cover(graph, pick).found() for pick in PICKS)
    return next(filter(None, found), None)


class _Cover:
    """Looks for views by one way to pick places."""

    def __init__(self, graph: Graph, pick: Pick) -> None:
        self.graph, self.pick, self.forms = graph, pick, _forms(graph)
        self.windowed = _windowed(graph)
        self.graphs = dict[Graph, tuple[int, str] | None]()

    def found(self) -> Covered | None:
        middle = [_middle(each.shape) for each in self.graph.inputs]
        at = self.live(middle)
        if at is None or all(each.all() for each in at.places):
            return None
        first = view(self.graph, at)
        if first is None or not _taps(at, first) or not self.alike(first):
            return None
        if not _hopeful(first.graph) or (laws := self.laws(first.graph)) is None:
            return None
        if not self.glued(at, first, middle):
            return None
        rests = [(graph.dimension, each[1]) for graph, each in self.graphs.items() if each]
        return Covered(self.views, laws, tuple(rests))

    def live(self, firsts: Sequence[Sequence[int]]) -> Live | None:
        """Return where values are live if inputs are cut off to what is picked at some places, and
        gated values that windows read to the middle of where they are made.
        """
        starts = dict(enumerate(firsts))

        def cut(place: int, shape: Shape, made: Flags) -> Flags:
            if len(shape) == 1 or (place not in starts and place not in self.windowed):
                return made
            return self.cut(shape, made, starts.get(place))

        return live(self.graph, cut)

    def cut(self, shape: Shape, made: Flags, first: Sequence[int] | None) -> Flags:
        image = made.reshape(shape[1:])
        picked = np.zeros_like(image)
        lines = [np.flatnonzero(image.any(axis=_others(image, i))) for i in range(image.ndim)]
        if not made.any():
            return made
        chosen = [
            line[self.pick(len(line), (len(line) - 1) // 2 if first is None else first[i])]
            for i, line in enumerate(lines)
        ]
        picked[np.ix_(*chosen)] = True
        flags: Flags = (picked & image).ravel()
        return flags

    def alike(self, seen: View) -> bool:
        """Whether the known laws of a view are those of the network, restricted."""
        return _forms(seen.graph) == self.forms

    def laws(self, graph: Graph) -> int | None:
        """Return how many laws a view has, if the known ones are complete."""
        if graph not in self.graphs:
            self.graphs[graph] = _laws(graph)
        found = self.graphs[graph]
        return None if found is None else found[0]

    def glued(self, at: Live, first: View, middle: list[list[int]]) -> bool:
        """Whether views that share enough with each other see all places of flattened values."""
        self.views, seen = 1, {name: flags.copy() for name, flags in first.slots.items()}
        for name in at.sources:
            moves = _Moves(self.graph, at, name, middle)
            for place in moves.outwards():
                if not seen[name][place] and not self.reached(moves, place, seen):
                    return False
        return True

    def reached(self, moves: _Moves, place: int, seen: dict[str, Flags]) -> bool:
        """Whether a view can be added that sees some place of a flattened value."""
        for firsts in moves.to(place):
            if max(self.views, 100 * len(self.graphs)) >= VIEWS:
                return False
            at = self.live(firsts)
            if at is not None and at.places[moves.source][place] and self.glue(at, seen):
                self.views += 1
                return True
        return False

    def glue(self, at: Live, seen: dict[str, Flags]) -> bool:
        """Add a view to what is seen; whether its laws are told by what both have in common."""
        other = view(self.graph, at)
        if other is None or not self.alike(other) or not _within(at, other, seen):
            return False
        if (own := self.laws(other.graph)) is None:
            return False
        common = at
        for name in at.sources:
            common = common.at(name, other.slots[name] & seen[name])
        both = view(self.graph, common)
        if both is None or not self.alike(both) or _independent(both.graph) < own:
            return False
        for name, flags in other.slots.items():
            seen[name] |= flags
        return True


class _Moves:
    """Where to pick places of inputs so that a flattened value is seen at a place."""

    def __init__(self, graph: Graph, at: Live, name: str, middle: list[list[int]]) -> None:
        self.middle, self.inputs = middle, [each.shape[1:] for each in graph.inputs]
        plan, place = graph.plan, at.sources[name]
        self.source = place
        made = {step.output: step for step in plan.steps}
        while len(plan.shapes[place]) == 1:
            (place,) = made[place].inputs[:1]
        self.image = plan.shapes[place][1:]
        where = np.argwhere(at.places[place].reshape(self.image))
        self.low, self.high = where.min(axis=0), where.max(axis=0)

    def outwards(self) -> list[int]:
        """Return the places of the value, those that are near to where it is seen first."""
        at = np.stack(np.unravel_index(np.arange(prod(self.image)), self.image), axis=1)
        distance = np.maximum(self.low - at, at - self.high).max(axis=1)
        order: list[int] = np.argsort(distance, kind="stable").tolist()
        return order

    def to(self, place: int) -> Iterator[list[list[int]]]:
        """Yield where to pick, the way that fits into the image first, then those around it."""
        target = np.array(np.unravel_index(place, self.image))
        extent = self.high - self.low
        low = np.clip(target - extent // 2, 0, np.array(self.image) - 1 - extent)
        for beside in sorted(product(BESIDE, repeat=len(extent)), key=lambda by: np.abs(by).sum()):
            yield [
                [
                    start + round(float(by) * n / size) + more
                    for start, by, n, size, more in zip(
                        starts, low - self.low, sizes, self.image, beside, strict=False
                    )
                ]
                for starts, sizes in zip(self.middle, self.inputs, strict=True)
            ]


def _middle(shape: Shape) -> list[int]:
    return [(n - 1) // 2 for n in shape[1:]]


def _others(image: Flags, axis: int) -> tuple[int, ...]:
    return tuple(i for i in range(image.ndim) if i != axis)


def _windowed(graph: Graph) -> frozenset[int]:
    """Return the values from which windows are made, after whatever other operations."""
    found = set[int]()
    for step in reversed(graph.plan.steps):
        if step.output in found or hasattr(step.operation, "index"):
            found.update(step.inputs)
    return frozenset(found)


def _taps(at: Live, seen: View) -> bool:
    """Whether all taps are seen."""
    return all(flags.all() for name, flags in seen.slots.items() if name not in at.sources)


def _within(at: Live, seen: View, before: dict[str, Flags]) -> bool:
    """Whether no other taps are seen than before."""
    taps = (name for name in seen.slots if name not in at.sources)
    return not any((seen.slots[name] & ~before[name]).any() for name in taps)


def _forms(graph: Graph) -> list[tuple[Any, ...]]:
    """Return what the known laws are, whatever taps and places there are."""
    return [
        (
            form.units,
            form.kind,
            form.within,
            [
                (part.factor, part.array, part.written, part.linear, part.skip)
                for part in form.parts
            ],
        )
        for form in graph.wiring(skips=True).forms()
    ]


def _independent(graph: Graph) -> int:
    """Return a number of known laws that are independent, by sizes."""
    problem = Problem(Seen(graph))
    proof = listed_laws(problem, Evidence(_none))
    return 0 if proof is None else problem.state - proof.upper[0].value


def _none(_: Problem) -> Any:
    raise AssertionError("sizes alone")


def _hopeful(graph: Graph) -> bool:
    """Whether the laws of the view with at most two units in each space are complete: that is soon
    told, and if they are not, those of wider ones seldom are.
    """
    sizes = tuple(min(n, 2) for n in Units.of(graph).sizes)
    thin = Units.of(graph).resized(graph, sizes)
    return thin.dimension <= THIN and complete(Problem(Seen(graph)), [sizes]) is not None


@lru_cache(maxsize=1024)
def _laws(graph: Graph) -> tuple[int, str] | None:
    """Return how many laws a view has, and what that rests on, if the known ones are complete."""
    problem, sizes = Problem(Seen(graph)), Units.of(graph).sizes
    if max(sizes) <= 2:
        witness = complete(problem, [sizes])
        return None if witness is None else (sum(witness.laws.values()), point(witness))
    few = alone(graph)
    for most in (LARGE, MOST):
        found = of_graph(problem, graph, sizes, most) or gated(problem, graph, sizes, few, most)
        if found is not None:
            return found.laws, shown(found)
    return None
