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

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conslaw_cli.algebra.rings import Ring, Sizes, Values
from conslaw_cli.networks.known_laws import Laws
from conslaw_cli.networks.operation import (
    Composite,
    Growth,
    Node,
    Operation,
    Shape,
    positions,
)
from conslaw_cli.networks.wiring import Array, Wire, Wiring

if TYPE_CHECKING:
    from conslaw_cli.networks.chains import Chain


class Input(NamedTuple):
    """An input of a network: its name and shape."""

    name: str
    shape: Shape


class Step(NamedTuple):
    """One primitive operation of the plan, its values and arrays by place.

    inputs, output: the places of its values. arrays: for each parameter array its number and the
    shape that the operation reads it in. state: the slice of the states and its shape. wanted:
    whether a cotangent is asked for, of inputs, then arrays. writes: for each trainable array that
    it reads, which of its arrays that is, the slice of θ, and whether this is the first time, in
    reverse order, that its gradient is written.
    """

    operation: Operation
    inputs: tuple[int, ...]
    output: int
    arrays: tuple[tuple[int, Shape], ...]
    state: tuple[slice, Shape] | None
    wanted: tuple[bool, ...]
    writes: tuple[tuple[int, slice, bool], ...]


_Read = tuple[list[Values], list[Values], Any]
"""What a step reads: values, arrays, its state."""


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

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every value by its name."""
        return self._layout[0]

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All parameter arrays in order of first use: θ holds the trainable ones one after another,
        the frozen ones stand in a vector of their own.
        """
        return self._layout[1]

    @cached_property
    def _layout(self) -> tuple[dict[str, Shape], tuple[Array, ...]]:
        shapes = {each.name: each.shape for each in self.inputs}
        found: dict[str, Array] = {}
        offsets = [0, 0]
        for node in self.nodes:
            read = [shapes[name] for name in node.inputs]
            shapes[node.name] = node.operation.output(*read)
            if not node.parameters:
                continue
            symbols = node.operation.parameters(*read)
            for name, (_, shape) in zip(node.parameters, symbols, strict=True):
                if name not in found:
                    moves = name not in self.frozen
                    found[name] = Array(name, shape, offsets[moves], moves)
                    offsets[moves] += prod(shape)
        return shapes, tuple(found.values())

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

    @property
    def ends(self) -> tuple[int, ...]:
        """The places of the outputs among the values: inputs first, then one of each step."""
        return self._plan.outputs

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

    def resized(self, sizes: Mapping[str, int]) -> Graph:
        """Return the graph with other numbers of units in some spaces, by the names of the inputs
        and nodes that open them; all else follows, or stays. Spaces that a sum or a shared array
        makes one are all to be named.

        >>> graph = Graph.parse("x[3]\\nh[4] = dense(x; U1)\\ny[2] = dense(h; U2)")
        >>> print(graph.resized({"x": 1, "h": 8}))
        x[1]
        h[8] = dense(x; U1)
        y[2] = dense(h; U2)
        """
        inputs = [
            Input(name, (sizes.get(name, units), *rest)) for name, (units, *rest) in self.inputs
        ]
        nodes = [
            node._replace(operation=node.operation.resized(sizes[node.name]))
            if node.name in sizes
            else node
            for node in self.nodes
        ]
        return replace(self, inputs=tuple(inputs), nodes=tuple(nodes))

    @cached_property
    def chain(self) -> Chain | None:
        """The chain of dense layers that it is, None if it is none."""
        from conslaw_cli.networks.chains import chain

        return chain(self)

    @cached_property
    def homogeneous(self) -> bool:
        """Whether scaling all parameters is undone by the probe (degrees.py), so that every
        component of φ is homogeneous.
        """
        from conslaw_cli.networks.degrees import scaling

        return scaling(self) is not None

    # ---- interpreters

    def forward(
        self, ring: Ring, theta: Values, probe: Values, constants: Values | None = None
    ) -> list[Values]:
        """Return the outputs (batch, units, positions) for θ (batch or 1, D) and the inputs and
        states of probes (batch, probe_size); with one axis more where the ring has one.

        constants: the frozen parameters (1, constants), needed where there are some.
        """
        values, _ = self._evaluated(ring, theta, probe, constants)
        return [values[place] for place in self._plan.outputs]

    def arguments(self, ring: Ring, theta: Values, probe: Values, constants: Values) -> Values:
        """Return what the exponentials are taken of, (batch, argument_size), at θ, probes and
        constants, each (batch, …).
        """
        _, reads = self._evaluated(ring, theta, probe, constants)
        parts = [
            x[0].reshape(len(probe), -1)
            for step, (x, _, _) in zip(self.steps, reads, strict=True)
            if step.operation.exponential
        ]
        return np.concatenate(parts, axis=1)

    @property
    def argument_size(self) -> int:
        """Numbers that exponentials are taken of."""
        shapes = (
            self._plan.shapes[step.output] for step in self.steps if step.operation.exponential
        )
        return sum(map(prod, shapes))

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
        plan = self._plan
        values, reads = self._evaluated(ring, theta, probe, constants)
        cotangents: list[Values | None] = [None] * len(values)
        for place, delta in self._split(ring, weights):
            _accumulate(ring, cotangents, place, delta)
        shape = (len(probe), self.dimension, *theta.shape[2:])
        gradient: Values = (np.empty if plan.covered else np.zeros)(shape, dtype=theta.dtype)
        own = shape[2:]  # the ring's axis, if it has one
        for step, (x, p, s) in zip(reversed(plan.steps), reversed(reads), strict=True):
            delta = cotangents[step.output]
            if delta is None:
                continue
            cotangents[step.output] = None
            back, moved = step.operation.pullback(ring, x, p, s, delta, step.wanted)
            for place, part, wanted in zip(step.inputs, back, step.wanted, strict=False):
                if wanted:
                    _accumulate(ring, cotangents, place, part)
            for number, entries, first in step.writes:
                part, target = moved[number], gradient[:, entries]
                flat = part.reshape(len(part), -1, *(part.shape[-1:] if own else ()))
                ring.store(target, flat if first else ring.add(target, flat))
        return gradient

    @cached_property
    def growth(self) -> Growth:
        """The degrees of F in θ and in the probe."""
        growths = [Growth(0, 1)] * len(self.inputs)
        for step in self._plan.steps:
            growths.append(step.operation.growth(*(growths[place] for place in step.inputs)))
        largest = Growth.largest([growths[place] for place in self._plan.outputs])
        return Growth(largest.parameters, largest.probe + 1)

    @cached_property
    def polynomial(self) -> bool:
        """Whether F is a polynomial in the parameters."""
        return all(step.operation.polynomial for step in self.steps)

    @cached_property
    def bits(self) -> float:
        """The logarithm to the base 2 of a bound for the sum of the absolute values of the
        coefficients of each entry of ``∇_θ F``.

        F at all ones adds up its coefficients, none of which is negative. A derivative multiplies
        them by the degree in one parameter, which is 1 unless the parameter is used twice. Averages
        are taken as sums; where something else is added, it is multiplied by what clears them.
        """
        ones = (np.ones((1, n)) for n in (self.dimension, self.probe_size, self.constants))
        with np.errstate(over="ignore"):
            monomials = sum(float(each.sum()) for each in self.forward(Sizes(), *ones))
        degree = 1 if self._multilinear else max(1, self.growth.parameters)
        shared = sum(math.log2(step.operation.denominator) for step in self.steps)
        linear = all(step.operation.linear for step in self.steps)
        sums = any(len(step.inputs) > 1 or len(step.arrays) > 1 for step in self.steps)
        cleared = shared * sums * (1 if linear else self.growth.probe)  # a product multiplies them
        return math.log2(max(1.0, monomials)) + math.log2(degree) + cleared

    @property
    def _multilinear(self) -> bool:
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

    def laws(self, zero_sum: bool = False) -> Laws:
        """Return the laws that the wiring gives; a count asks several times."""
        if zero_sum not in self._laws:
            self._laws[zero_sum] = self.wiring(zero_sum).laws()
        return self._laws[zero_sum]

    @cached_property
    def _laws(self) -> dict[bool, Laws]:
        return {}

    # ---- how they read the plan

    @cached_property
    def _plan(self) -> _Plan:
        return _Planner(self).plan()

    def _evaluated(
        self, ring: Ring, theta: Values, probe: Values, constants: Values | None
    ) -> tuple[list[Values], list[_Read]]:
        """Return all values, and what every step read."""
        values, reads, start = list[Values](), list[_Read](), 0
        for each in self.inputs:
            stop = start + prod(each.shape)
            part = probe[:, start:stop].reshape(len(probe), each.shape[0], positions(each.shape))
            values.append(ring.constant(part))
            start = stop
        frozen = None if constants is None else ring.constant(constants)
        views: dict[tuple[int, Shape], Values] = {}
        for step in self._plan.steps:
            for key in step.arrays:
                if key not in views:
                    views[key] = self._view(*key, theta, frozen)
            s = None if step.state is None else self._state(ring, probe, *step.state)
            read = [values[place] for place in step.inputs], [views[key] for key in step.arrays], s
            values.append(step.operation.forward(ring, *read))
            reads.append(read)
        return values, reads

    def _view(self, number: int, shape: Shape, theta: Values, frozen: Values | None) -> Values:
        array = self.arrays[number]
        whole = theta if array.trainable else frozen
        assert whole is not None
        part = whole[:, array.entries]
        return part.reshape(len(part), *shape, *part.shape[2:])

    def _state(self, ring: Ring, probe: Values, entries: slice, shape: Shape) -> Values:
        start = self.input_size
        part = probe[:, start + entries.start : start + entries.stop]
        return ring.constant(part.reshape(len(probe), *shape))

    def _split(self, ring: Ring, weights: Values) -> Iterator[tuple[int, Values]]:
        """Yield the place of every output and its weights."""
        start = 0
        for place in self._plan.outputs:
            shape = self._plan.shapes[place]
            stop = start + prod(shape)
            part = weights[:, start:stop].reshape(len(weights), shape[0], positions(shape))
            yield place, ring.constant(part)
            start = stop


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
            shape = self.graph.shapes[node.name]
            places[node.name] = self.place(node.operation, inputs, arrays, shape, node.state)
        outputs = tuple(places[name] for name in self.graph.outputs)
        written = self.assign(self.reaching(outputs))
        trainable = {n for n, array in enumerate(self.graph.arrays) if array.trainable}
        return _Plan(tuple(self.steps), tuple(self.shapes), outputs, trainable <= written)

    def place(
        self,
        operation: Operation,
        inputs: Sequence[int],
        arrays: Sequence[int],
        output: Shape,
        state: str | None = None,
    ) -> int:
        """Add the steps of an operation; return the place of its output."""
        shapes = [self.shapes[place] for place in inputs]
        if isinstance(operation, Composite):
            return self.body(operation, inputs, arrays)
        read: tuple[tuple[int, Shape], ...] = ()
        if arrays:
            symbols = operation.parameters(*shapes)
            read = tuple([(n, shape) for n, (_, shape) in zip(arrays, symbols, strict=True)])
        wanted = [self.moving[place] for place in inputs]
        wanted += [self.graph.arrays[number].trainable for number in arrays]
        needed = operation.state(*shapes)
        slot = None if needed is None else (self.slot(needed, state), needed)
        place = len(self.shapes)
        self.shapes.append(output)
        self.moving.append(True in wanted)
        self.steps.append(Step(operation, tuple(inputs), place, read, slot, tuple(wanted), ()))
        return place

    def body(self, operation: Composite, inputs: Sequence[int], arrays: Sequence[int]) -> int:
        """Add the steps of what a composite consists of."""
        shapes = [self.shapes[place] for place in inputs]
        names = ["x"] if len(inputs) == 1 else [f"x{i}" for i in range(1, len(inputs) + 1)]
        places = dict(zip(names, inputs, strict=True))
        symbols = [symbol for symbol, _ in operation.parameters(*shapes)]
        numbers = dict(zip(symbols, arrays, strict=True))
        for node in operation.body(*shapes):
            read = [places[name] for name in node.inputs]
            used = [numbers[name] for name in node.parameters]
            shape = node.operation.output(*(self.shapes[place] for place in read))
            places[node.name] = self.place(node.operation, read, used, shape)
        return places[node.name]

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
        arrays = self.graph.arrays
        for i in range(len(self.steps) - 1, -1, -1):
            step = self.steps[i]
            if step.output not in reached or not step.arrays:
                continue
            writes = tuple(
                (
                    place,
                    slice(arrays[n].offset, arrays[n].offset + arrays[n].size),
                    n not in written,
                )
                for place, (n, _) in enumerate(step.arrays)
                if arrays[n].trainable
            )
            written.update(n for n, _ in step.arrays)
            self.steps[i] = step._replace(writes=writes)
        return written
