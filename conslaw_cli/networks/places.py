"""Networks on some places of their images: what probes see that are zero elsewhere.

Let inputs and gates be zero outside of some places. Then so are all values that are made of these
alone, whatever θ is, and what is left is a network on fewer places: the same operations with
smaller tables of which tap reads what, and those parameters that are read there. A gate cuts a
value off to any places; without gates, what is read is spread over all windows that it is in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np

from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Flags, Index, Input, Node, Operation, Shape
from conslaw_cli.networks.operations.convolution import Averages, Gather, Grouped, Means, Picked
from conslaw_cli.networks.operations.dense import Linear, Pointwise
from conslaw_cli.networks.operations.elementwise import Activation, Power
from conslaw_cli.networks.operations.product import Add, Multiply
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.networks.plan import Plan, Step

Cut = Callable[[int, Shape, Flags], Flags]
"""Which places of an input or a gated value are kept, of its number in the plan, its shape, and
the places at which it is made of what is kept before.
"""
Slots = Mapping[str, Flags]
"""Of each array whose rows are the taps of windows, or the places of a flattened value, besides
units: which taps or places there are.
"""
_WINDOWS = Gather | Averages
_KNOWN = Linear | Grouped | Gather | Averages | Flat | Add | Multiply | Power | Activation


class Live(NamedTuple):
    """At which places the values of a plan are live: made of what is kept, and seen by an output.

    flat: values whose places stand beside each other, as rows.
    """

    plan: Plan
    places: tuple[Flags, ...]
    flat: frozenset[int]

    @property
    def size(self) -> int:
        """The number of live places of all values."""
        return sum(int(each.sum()) for each in self.places)

    @property
    def sources(self) -> dict[str, int]:
        """The flattened value that each array reads which reads one."""
        return {
            step.arrays[0].array.name: step.inputs[0]
            for step in self.plan.steps
            if step.arrays and step.inputs[0] in self.flat
        }

    def at(self, name: str, places: Flags) -> Live:
        """Return it as if the flattened value that an array reads had some places only."""
        kin = self._kin(self.sources[name])
        found = tuple(places if i in kin else each for i, each in enumerate(self.places))
        return self._replace(places=found)

    def _kin(self, place: int) -> set[int]:
        """Return the flattened values that one is made of, or beside, place by place."""
        kin, before = {place}, 0
        while before < len(kin):
            before = len(kin)
            for step in self.plan.steps:
                ends = {step.output, *step.inputs} & self.flat
                if step.output in self.flat and ends & kin:
                    kin |= ends
        return kin


class View(NamedTuple):
    """The network on the places that are live, and the slots of its arrays."""

    graph: Graph
    slots: Slots


def restrictable(graph: Graph) -> bool:
    """Whether there are windows, nothing becomes of nothing in every operation, and each array and
    each state is used once.
    """
    steps = graph.steps
    arrays = Counter(used.array.name for step in steps for used in step.arrays)
    states = Counter(step.state.entries.start for step in steps if step.state is not None)
    once = max([*arrays.values(), *states.values()], default=0) <= 1
    known = all(isinstance(step.operation, _KNOWN) for step in steps)
    windows = any(isinstance(step.operation, _WINDOWS) for step in steps)
    return windows and known and once and not on_some_places(graph) and not graph.frozen


def on_some_places(graph: Graph) -> bool:
    """Whether a graph is that of a view."""
    return any(isinstance(step.operation, Picked | Means) for step in graph.steps)


def live(graph: Graph, cut: Cut) -> Live | None:
    """Return where values are live if inputs and gated values, but for flattened ones, are cut off;
    None where flattened values with different places meet.
    """
    plan, flat = graph.plan, set[int]()
    made = list[Flags]()
    for place, shape in enumerate(plan.shapes[: len(plan.inputs)]):
        made.append(cut(place, shape, np.ones(prod(shape[1:]), np.bool_)))
    for step in plan.steps:
        read = [made[place] for place in step.inputs]
        inside = {place in flat for place in step.inputs}
        if isinstance(step.operation, Flat) or inside != {False}:
            if len(inside) > 1 or len({each.tobytes() for each in read}) > 1:
                return None
            if not isinstance(step.operation, Linear):
                flat.add(step.output)
        places = _made(step, read)
        if step.operation.gated and step.output not in flat:
            places &= cut(step.output, plan.shapes[step.output], places)
        made.append(places)
    return Live(plan, tuple(_seen(plan, made)), frozenset(flat))


def _made(step: Step, read: list[Flags]) -> Flags:
    """Return where the output of a step is made of what is live; biases are everywhere."""
    operation, first = step.operation, read[0]
    if isinstance(operation, _WINDOWS):
        return _some(_padded(first)[operation.index], axis=0)
    if isinstance(operation, Multiply):
        return first & read[1]
    if isinstance(operation, Linear | Grouped):
        everywhere = isinstance(operation, Pointwise | Grouped)
        if len(step.arrays) > 1:
            return np.ones(len(first) if everywhere else 1, np.bool_)
        return first if everywhere else np.full(1, first.any())
    together: Flags = np.logical_or.reduce(read)
    return together


def _seen(plan: Plan, made: list[Flags]) -> list[Flags]:
    """Return the places at which outputs see values, of those at which they are made."""
    seen = [np.zeros_like(each) for each in made]
    for place, _ in plan.outputs:
        seen[place][:] = True
    for step in reversed(plan.steps):
        wanted = seen[step.output] & made[step.output]
        for place in step.inputs:
            seen[place] |= _needed(step, wanted, len(made[place]))
    return [here & there for here, there in zip(made, seen, strict=True)]


def _needed(step: Step, wanted: Flags, places: int) -> Flags:
    """Return which places of its inputs those of its output are made of."""
    operation = step.operation
    if isinstance(operation, _WINDOWS):
        needed = np.zeros(places + 1, np.bool_)
        needed[operation.index[:, wanted]] = True
        return needed[:-1]
    if isinstance(operation, Linear) and not isinstance(operation, Pointwise):
        return np.full(places, wanted.any())
    return wanted


def view(graph: Graph, at: Live) -> View | None:
    """Return the network on the places that are live; None if some value has none."""
    return _Builder(graph, at).view() if all(each.any() for each in at.places) else None


class _Builder:
    """Makes a graph of the steps of a plan, with tables for windows."""

    def __init__(self, graph: Graph, at: Live) -> None:
        self.graph, self.at, self.plan = graph, at, graph.plan
        self.nodes, self.slots = list[Node](), dict[str, Flags]()
        self.names = dict[int, str]()
        self.gathers = {
            step.output: step for step in self.plan.steps if isinstance(step.operation, Gather)
        }

    def view(self) -> View:
        inputs = list[Input]()
        for place, (name, (units, *rest)) in enumerate(self.graph.inputs):
            self.names[place] = name
            live = int(self.at.places[place].sum())
            inputs.append(Input(name, (units, live) if rest else (units,)))
        for step in self.plan.steps:
            if step.output not in self.gathers:
                self.names[step.output] = self.made(step)
        outputs = tuple(self.names[place] for place, _ in self.plan.outputs)
        return View(Graph(tuple(inputs), tuple(self.nodes), outputs), self.slots)

    def made(self, step: Step) -> str:
        """Add the node of a step; return its name."""
        operation, places = step.operation, self.at.places[step.output]
        (source, *_), arrays = step.inputs, tuple(used.array.name for used in step.arrays)
        if isinstance(operation, Averages):
            means = Means(*self.table(operation, source, places), operation.denominator)
            return self.node(means, (self.names[source],))
        if arrays:
            taps = self.taps(source, places)
            if taps is not None:
                self.slots[arrays[0]] = taps
            if isinstance(operation, Grouped) and taps is not None:
                operation = replace(operation, taps=int(taps.sum()))
            if not isinstance(operation, Pointwise | Grouped):
                places = self.at.places[source]
        inputs = tuple(self.fitted(place, places) for place in step.inputs)
        return self.node(operation, inputs, arrays)

    def taps(self, source: int, places: Flags) -> Flags | None:
        """Return which taps of windows read something, or which flattened places there are."""
        if source in self.at.flat:
            return self.at.places[source]
        if source not in self.gathers:
            return None
        step = self.gathers[source]
        assert isinstance(step.operation, Gather)
        inside = _padded(self.at.places[step.inputs[0]])
        return _some(inside[step.operation.index[:, places]], axis=1)

    def fitted(self, place: int, places: Flags) -> str:
        """Return the name of a value at some places: zero where it is not live."""
        if place in self.gathers:
            gather = self.gathers[place]
            (source,), operation = gather.inputs, gather.operation
            assert isinstance(operation, Gather)
            return self.node(Picked(*self.table(operation, source, places)), (self.names[source],))
        if place in self.at.flat or np.array_equal(self.at.places[place], places):
            return self.names[place]
        table = np.flatnonzero(places)[None]
        return self.node(Picked(*self.numbered(table, place)), (self.names[place],))

    def table(
        self, windows: Gather | Averages, source: int, places: Flags
    ) -> tuple[Shape, tuple[Shape, ...]]:
        """Return how many places are live, and which of them the taps that read some do read."""
        index = windows.index[:, places]
        taps = _some(_padded(self.at.places[source])[index], axis=1)
        return self.numbered(index[taps], source)

    def numbered(self, table: Index, source: int) -> tuple[Shape, tuple[Shape, ...]]:
        inside = _padded(self.at.places[source])
        number = np.where(inside, np.cumsum(inside) - 1, inside.sum())
        return (int(inside.sum()),), tuple(map(tuple, number[table].tolist()))

    def node(
        self, operation: Operation, inputs: tuple[str, ...], arrays: tuple[str, ...] = ()
    ) -> str:
        name = f"v{len(self.nodes) + 1}"
        self.nodes.append(Node(name, operation, inputs, arrays))
        return name


def _padded(flags: Flags) -> Flags:
    return np.append(flags, False)


def _some(flags: Flags, axis: int) -> Flags:
    found: Flags = np.asarray(flags.any(axis=axis))
    return found
