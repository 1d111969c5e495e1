"""A network as a directed acyclic graph of operations over named parameter arrays.

Residual streams, parallel branches, products of two branches, shared and frozen arrays need no
special case: a node reads earlier nodes by name, an array may stand in several nodes, and the names
of frozen arrays are listed.

The scalar function of a network is ``F(θ; a) = <w, g(θ; x, states)>``, linear in φ, with the probe
``a = (x, states, w)``: inputs, the free factors of operations that have a state (one per gated
unit), output weights. Distinct components of φ have distinct monomials in a, so the gradients
``∇_θ F(θ; a)`` for random a span W_φ(θ) (each is a random element of it), for the price of one
back-propagation; φ itself, which may have 10^20 entries, is never formed.

One plan is made per graph and read by all interpreters: forward keeps all values, backward walks
the nodes in reverse and adds up cotangents, from what nothing trainable stands before none is
asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np

from conslaw_cli.algebra.rings import Ring, Values
from conslaw_cli.networks.operation import (
    Composite,
    Growth,
    Node,
    Operation,
    Shape,
    positions,
)
from conslaw_cli.networks.wiring import Array, Wire, Wiring


class Input(NamedTuple):
    """An input of a network: its name and shape."""

    name: str
    shape: Shape


class Step(NamedTuple):
    """One primitive operation of the plan, its values and arrays by place.

    values: the places of its inputs and of its output. arrays: for each parameter array its number
    and the shape that the operation reads it in. state: the slice of the probe and its shape.
    wanted: whether a cotangent is asked for, of inputs, then arrays. assign: for each array whether
    this is the first time, in reverse order, that its gradient is written.
    """

    operation: Operation
    inputs: tuple[int, ...]
    output: int
    arrays: tuple[tuple[int, Shape], ...]
    state: tuple[slice, Shape] | None
    wanted: tuple[bool, ...]
    assign: tuple[bool, ...]


class _Plan(NamedTuple):
    steps: tuple[Step, ...]
    shapes: tuple[Shape, ...]
    outputs: tuple[int, ...]
    covered: bool


@dataclass(frozen=True)
class Graph:
    """A network.

    inputs, nodes: in an order in which every node stands behind what it reads.
    outputs: names of values; frozen: names of arrays that training does not move, which are generic
    constants.
    """

    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    frozen: frozenset[str] = frozenset()

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every value by its name."""
        shapes = {each.name: each.shape for each in self.inputs}
        for node in self.nodes:
            shapes[node.name] = node.operation.output(*(shapes[name] for name in node.inputs))
        return shapes

    @cached_property
    def arrays(self) -> tuple[Array, ...]:
        """All parameter arrays in order of first use: θ holds the trainable ones one after another,
        the frozen ones stand in a vector of their own.
        """
        found: dict[str, Array] = {}
        offsets = {True: 0, False: 0}
        for node in self.nodes:
            symbols = node.operation.parameters(*(self.shapes[name] for name in node.inputs))
            for name, (_, shape) in zip(node.parameters, symbols, strict=True):
                if name not in found:
                    moves = name not in self.frozen
                    found[name] = Array(name, shape, offsets[moves], moves)
                    offsets[moves] += prod(shape)
        return tuple(found.values())

    @cached_property
    def dimension(self) -> int:
        """D, the number of trainable parameters."""
        return sum(array.size for array in self.arrays if array.trainable)

    @cached_property
    def constants(self) -> int:
        """The number of frozen parameters."""
        return sum(array.size for array in self.arrays if not array.trainable)

    @cached_property
    def input_size(self) -> int:
        """Numbers that all inputs hold: the first part of a probe."""
        return sum(prod(each.shape) for each in self.inputs)

    @cached_property
    def state_size(self) -> int:
        """Numbers that all states hold: the second part of a probe."""
        return max((step.state[0].stop for step in self.steps if step.state is not None), default=0)

    @cached_property
    def output_size(self) -> int:
        """Numbers that all outputs hold: the last part of a probe."""
        return sum(prod(self.shapes[name]) for name in self.outputs)

    @property
    def probe_size(self) -> int:
        """Entries of a probe."""
        return self.input_size + self.state_size + self.output_size

    @property
    def steps(self) -> tuple[Step, ...]:
        """The primitive operations in order, composites replaced by what they consist of."""
        return self._plan.steps

    def parameter_names(self) -> list[str]:
        """Return the name of every parameter, in the order of θ: ``U1[i,j]`` leads from unit i to
        unit j, ``b1[j]`` is a bias.
        """
        return [
            f"{array.name}[{','.join(str(i + 1) for i in place)}]"
            for array in self.arrays
            if array.trainable
            for place in np.ndindex(*array.shape)
        ]

    def __str__(self) -> str:
        """Return the one text form, which :meth:`parse` reads."""
        from conslaw_cli.networks.text import written

        return written(self)

    @classmethod
    def parse(cls, text: str) -> Graph:
        """Return the graph of a text. Raise SpecError with line and column if it is none."""
        from conslaw_cli.networks.text import read

        return read(text)

    # ---- interpreters

    def forward(
        self, ring: Ring, theta: Values, probe: Values, constants: Values | None = None
    ) -> list[Values]:
        """Return the outputs (batch, units, positions) for θ (batch or 1, D) and the inputs and
        states of probes (batch, probe_size); with one axis more where the ring has one.

        constants: the frozen parameters (1, constants), needed where there are some.
        """
        arrays = self._views(ring, theta, constants)
        values = self._values(ring, arrays, probe)
        return [values[place] for place in self._plan.outputs]

    def gradient(
        self,
        ring: Ring,
        theta: Values,
        probe: Values,
        weights: Values,
        constants: Values | None = None,
    ) -> Values:
        """Return ``∇_θ <w, g(θ; x, states)>``, (batch, D), for output weights w (batch,
        output_size); the rest as for :meth:`forward`.
        """
        plan, arrays = self._plan, self._views(ring, theta, constants)
        values = self._values(ring, arrays, probe)
        cotangents: list[Values | None] = [None] * len(values)
        for place, delta in self._split(ring, weights):
            _accumulate(ring, cotangents, place, delta)
        shape = (len(probe), self.dimension, *theta.shape[2:])
        make = np.empty if plan.covered else np.zeros
        gradient: Values = make(shape, dtype=theta.dtype)
        for step in reversed(plan.steps):
            delta = cotangents[step.output]
            cotangents[step.output] = None
            if delta is None:
                continue
            x, p, s = self._read(ring, step, values, arrays, probe)
            back, moved = step.operation.pullback(ring, x, p, s, delta, step.wanted)
            for place, part, wanted in zip(step.inputs, back, step.wanted, strict=False):
                if wanted and part is not None:
                    _accumulate(ring, cotangents, place, part)
            self._write(ring, step, gradient, moved)
        return gradient

    def growth(self) -> Growth:
        """Return the degrees of F in θ and in the probe."""
        growths = [Growth(0, 1)] * len(self.inputs)
        for step in self._plan.steps:
            growths.append(step.operation.growth(*(growths[place] for place in step.inputs)))
        largest = Growth.largest([growths[place] for place in self._plan.outputs])
        return Growth(largest.parameters, largest.probe + 1)

    @property
    def multilinear(self) -> bool:
        """Whether F is certainly of degree at most one in each parameter."""
        used = [number for step in self._plan.steps for number, _ in step.arrays]
        linear = all(step.operation.linear for step in self._plan.steps)
        return linear and len(used) == len(set(used))

    @cached_property
    def held(self) -> int:
        """Numbers that one evaluation holds besides θ and the gradient."""
        shapes = self._plan.shapes
        return sum(
            step.operation.held(*(shapes[place] for place in step.inputs))
            for step in self._plan.steps
        )

    def wiring(self, zero_sum: bool = False) -> Wiring:
        """Return what passes through the network; ``zero_sum``: only output weights with sum zero
        occur.
        """
        wiring, plan = Wiring(), self._plan
        wires = [_at(wiring.given(each.shape[0]), each.shape) for each in self.inputs]
        for step in plan.steps:
            wire = step.operation.wires(
                wiring,
                [wires[place] for place in step.inputs],
                [self.arrays[number] for number, _ in step.arrays],
            )
            wires.append(_at(wire, plan.shapes[step.output]))
        for place in plan.outputs:
            wiring.output(wires[place], zero_sum and len(plan.outputs) == 1)
        return wiring

    # ---- how they read the plan

    @cached_property
    def _plan(self) -> _Plan:
        return _Planner(self).plan()

    def _views(self, ring: Ring, theta: Values, constants: Values | None) -> list[Values]:
        views = []
        for array in self.arrays:
            if array.trainable:
                views.append(theta[:, array.offset : array.offset + array.size])
            else:
                assert constants is not None
                part = constants[:, array.offset : array.offset + array.size]
                views.append(ring.constant(part))
        return views

    def _values(self, ring: Ring, arrays: Sequence[Values], probe: Values) -> list[Values]:
        values, start = [], 0
        for each in self.inputs:
            stop = start + prod(each.shape)
            part = probe[:, start:stop].reshape(len(probe), each.shape[0], positions(each.shape))
            values.append(ring.constant(part))
            start = stop
        for step in self._plan.steps:
            values.append(
                step.operation.forward(ring, *self._read(ring, step, values, arrays, probe))
            )
        return values

    def _read(
        self,
        ring: Ring,
        step: Step,
        values: Sequence[Values],
        arrays: Sequence[Values],
        probe: Values,
    ) -> tuple[list[Values], list[Values], Any]:
        x = [values[place] for place in step.inputs]
        p = []
        for number, shape in step.arrays:
            view = arrays[number]
            p.append(view.reshape(view.shape[0], *shape, *view.shape[2:]))
        if step.state is None:
            return x, p, None
        part, shape = step.state
        start = self.input_size
        s = probe[:, start + part.start : start + part.stop].reshape(len(probe), *shape)
        return x, p, ring.constant(s)

    def _split(self, ring: Ring, weights: Values) -> Iterator[tuple[int, Values]]:
        """Yield the place of every output and its weights."""
        start = 0
        for place in self._plan.outputs:
            shape = self._plan.shapes[place]
            stop = start + prod(shape)
            part = weights[:, start:stop].reshape(len(weights), shape[0], positions(shape))
            yield place, ring.constant(part)
            start = stop

    def _write(
        self, ring: Ring, step: Step, gradient: Values, moved: Sequence[Values | None]
    ) -> None:
        for (number, _), part, assign in zip(step.arrays, moved, step.assign, strict=True):
            array = self.arrays[number]
            if not array.trainable or part is None:
                continue
            target = gradient[:, array.offset : array.offset + array.size]
            own = part.shape[part.ndim - (gradient.ndim - 2) :]  # the ring's axis, if it has one
            flat = part.reshape(part.shape[0], array.size, *own)
            ring.store(target, flat if assign else ring.add(target, flat))


def _accumulate(ring: Ring, cotangents: list[Values | None], place: int, part: Values) -> None:
    before = cotangents[place]
    cotangents[place] = part if before is None else ring.add(before, part)


def _at(wire: Wire, shape: Shape) -> Wire:
    return Wire(wire.charge, wire.shift, wire.units, wire.rows, positions(shape))


class _Planner:
    """Puts composites' bodies in place of them and numbers values, arrays and states."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shapes = [each.shape for each in graph.inputs]
        self.moving = [False] * len(graph.inputs)
        self.numbers = {array.name: number for number, array in enumerate(graph.arrays)}
        self.states: dict[str, slice] = {}
        self.drawn = 0
        self.steps: list[Step] = []

    def plan(self) -> _Plan:
        places = {each.name: place for place, each in enumerate(self.graph.inputs)}
        for node in self.graph.nodes:
            inputs = [places[name] for name in node.inputs]
            arrays = [self.numbers[name] for name in node.parameters]
            places[node.name] = self.place(node.operation, inputs, arrays, node.state)
        outputs = tuple(places[name] for name in self.graph.outputs)
        written = self.assign(self.reaching(outputs))
        trainable = {n for n, array in enumerate(self.graph.arrays) if array.trainable}
        return _Plan(tuple(self.steps), tuple(self.shapes), outputs, trainable <= written)

    def place(
        self,
        operation: Operation,
        inputs: Sequence[int],
        arrays: Sequence[int],
        state: str | None = None,
    ) -> int:
        """Add the steps of an operation; return the place of its output."""
        shapes = [self.shapes[place] for place in inputs]
        symbols = operation.parameters(*shapes)
        if not isinstance(operation, Composite):
            read = tuple((n, shape) for n, (_, shape) in zip(arrays, symbols, strict=True))
            return self.step(operation, inputs, read, state)
        names = ["x"] if len(inputs) == 1 else [f"x{i}" for i in range(1, len(inputs) + 1)]
        places = dict(zip(names, inputs, strict=True))
        numbers = {symbol: n for n, (symbol, _) in zip(arrays, symbols, strict=True)}
        for node in operation.body(*shapes):
            places[node.name] = self.place(
                node.operation,
                [places[name] for name in node.inputs],
                [numbers[name] for name in node.parameters],
            )
        return places[node.name]

    def step(
        self,
        operation: Operation,
        inputs: Sequence[int],
        arrays: tuple[tuple[int, Shape], ...],
        state: str | None,
    ) -> int:
        shapes = tuple(self.shapes[place] for place in inputs)
        trained = [self.graph.arrays[number].trainable for number, _ in arrays]
        wanted = (*(self.moving[place] for place in inputs), *trained)
        self.shapes.append(operation.output(*shapes))
        self.moving.append(any(wanted))
        needed = operation.state(*shapes)
        slot = None if needed is None else (self.slot(needed, state), needed)
        output = len(self.shapes) - 1
        self.steps.append(Step(operation, tuple(inputs), output, arrays, slot, wanted, ()))
        return output

    def slot(self, shape: Shape, name: str | None) -> slice:
        """Return where in the states a new one stands, or the one of that name."""
        if name is not None and name in self.states:
            return self.states[name]
        slot = slice(self.drawn, self.drawn + prod(shape))
        self.drawn = slot.stop
        if name is not None:
            self.states[name] = slot
        return slot

    def reaching(self, outputs: Sequence[int]) -> set[int]:
        """Return the places of values that the outputs depend on."""
        reached = set(outputs)
        for step in reversed(self.steps):
            if step.output in reached:
                reached.update(step.inputs)
        return reached

    def assign(self, reached: set[int]) -> set[int]:
        """Mark which step writes an array's gradient first; return the arrays that are written."""
        written = set[int]()
        for i in range(len(self.steps) - 1, -1, -1):
            step = self.steps[i]
            if step.output in reached:
                firsts = tuple(number not in written for number, _ in step.arrays)
                written.update(number for number, _ in step.arrays)
                self.steps[i] = step._replace(assign=firsts)
        return written
