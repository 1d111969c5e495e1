"""The plan of a graph: its primitive operations in order, their values, arrays and states by place.

One plan is made per graph and read by all interpreters; what does not fit shows while it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import NamedTuple

from conslaw_cli.algebra.rings import Ring, Values
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.operation import Composite, Node, Operation, Shape, positions, show
from conslaw_cli.networks.wiring import Array


class Used(NamedTuple):
    """A parameter array, and the shape that an operation reads it in."""

    array: Array
    shape: Shape

    def of(self, theta: Values, constants: Values | None) -> Values:
        """Return it, (batch, …), for θ and the frozen parameters."""
        whole = theta if self.array.trainable else constants
        assert whole is not None
        part = whole[:, self.array.entries]
        return part.reshape(part.shape[:1] + self.shape + part.shape[2:])


class Part(NamedTuple):
    """Where in a probe an input or a state stands, or output weights among these, and its shape
    (units, positions).
    """

    entries: slice
    shape: Shape

    def of(self, ring: Ring, whole: Values) -> Values:
        """Return it as constants, (batch, units, positions)."""
        return ring.constant(whole[:, self.entries].reshape(len(whole), *self.shape))


class Step(NamedTuple):
    """One primitive operation of the plan.

    inputs, output: the places of its values. wanted: whether a cotangent is asked for, of inputs,
    then arrays. writes: for each trainable array that it reads, which of its arrays that is, the
    slice of θ, and whether this is the first time, in reverse order, that its gradient is written.
    """

    operation: Operation
    inputs: tuple[int, ...]
    output: int
    arrays: tuple[Used, ...]
    state: Part | None
    wanted: tuple[bool, ...]
    writes: tuple[tuple[int, slice, bool], ...] = ()


class Plan(NamedTuple):
    """What interpreters read.

    inputs: where they stand in a probe, the states behind them. shapes: of all values by place,
    those of composites' bodies too. places: of the graph's own values by name. outputs: places, and
    where their weights stand. drawn: how many numbers inputs and states hold. covered: whether
    every trainable array has its gradient written.
    """

    inputs: tuple[Part, ...]
    steps: tuple[Step, ...]
    shapes: tuple[Shape, ...]
    places: dict[str, int]
    outputs: tuple[tuple[int, Part], ...]
    arrays: tuple[Array, ...]
    drawn: int
    covered: bool


class Planner:
    """Puts composites' bodies in place of them and numbers values, arrays and states."""

    def __init__(self, frozen: frozenset[str] = frozenset()) -> None:
        self.frozen = frozen
        self.inputs: list[Part] = []
        self.places: dict[str, int] = {}
        self.shapes: list[Shape] = []
        self.moving: list[bool] = []
        self.arrays: dict[str, Array] = {}
        self.offsets = [0, 0]
        self.states: dict[str, Part] = {}
        self.drawn = 0
        self.steps: list[Step] = []

    def given(self, name: str, shape: Shape) -> None:
        """Add an input. Raise SpecError if there is such a value."""
        place = self.places[self.fresh(name)] = self.value(shape, False)
        self.inputs.append(self.draw(self.rows(place)))

    def add(self, node: Node) -> None:
        """Add a node. Raise SpecError if it does not fit."""
        operation = node.operation
        for name in node.inputs:
            if name not in self.places:
                raise SpecError(f"{name} is no value given before")
        if operation.arity not in (None, len(node.inputs)):
            raise expected(operation, f"{operation.arity} inputs", len(node.inputs))
        inputs = [self.places[name] for name in node.inputs]
        shapes = [self.shapes[place] for place in inputs]
        output, needed = operation.output(*shapes), operation.parameters(*shapes)
        if len(needed) != len(node.parameters):
            raise expected(operation, f"{len(needed)} arrays", len(node.parameters))
        used = [
            self.used(operation, name, shape)
            for name, (_, shape) in zip(node.parameters, needed, strict=True)
        ]
        state = self.state(operation, node.state, operation.state(*shapes))
        self.places[self.fresh(node.name)] = (
            self.body(operation, inputs, used)
            if isinstance(operation, Composite)
            else self.step(operation, inputs, used, state, output)
        )

    def plan(self, outputs: Sequence[str]) -> Plan:
        """Return the plan, for the values of these names as outputs."""
        for name in outputs:
            if name not in self.places:
                raise SpecError(f"{name} is no node")
        places = [self.places[name] for name in outputs]
        written = self.assign(self.reaching(places))
        return Plan(
            tuple(self.inputs),
            tuple(self.steps),
            tuple(self.shapes),
            self.places,
            tuple(zip(places, side_by_side([self.rows(place) for place in places]), strict=True)),
            tuple(self.arrays.values()),
            self.drawn,
            all(a.name in written for a in self.arrays.values() if a.trainable),
        )

    # ---- what is numbered

    def fresh(self, name: str) -> str:
        """Return a name. Raise SpecError if there is a value of that name."""
        if name in self.places:
            raise SpecError(f"{name} is given twice")
        return name

    def value(self, shape: Shape, moves: bool) -> int:
        """Return the place of a new value."""
        self.shapes.append(shape)
        self.moving.append(moves)
        return len(self.shapes) - 1

    def draw(self, shape: Shape) -> Part:
        """Return a new part of the probe."""
        start = self.drawn
        self.drawn += prod(shape)
        return Part(slice(start, self.drawn), shape)

    def rows(self, place: int) -> Shape:
        """Return the units and the positions of a value."""
        shape = self.shapes[place]
        return shape[0], positions(shape)

    def used(self, operation: Operation, name: str, shape: Shape) -> Used:
        """Return an array, perhaps one that others use as well."""
        array = self.arrays.get(name)
        if array is None:
            moves = name not in self.frozen
            array = self.arrays[name] = Array(name, shape, self.offsets[moves], moves)
            self.offsets[moves] += array.size
        elif array.shape != shape:
            known = show(array.shape)
            raise SpecError(f"{name} is {known}, but {operation.word} needs {show(shape)}")
        return Used(array, shape)

    def state(self, operation: Operation, name: str | None, shape: Shape | None) -> Part | None:
        """Return a new state, or the one of that name."""
        if shape is None:
            if name is not None:
                raise SpecError(f"{operation.word}: has no state, got | {name}")
            return None
        known = None if name is None else self.states.get(name)
        if known is None:
            known = self.draw(shape)
            if name is not None:
                self.states[name] = known
        elif known.shape != shape:
            what = f"a state of {show(known.shape)}"
            raise SpecError(f"{name} is {what}, but {operation.word} needs {show(shape)}")
        return known

    # ---- steps

    def step(
        self,
        operation: Operation,
        inputs: Sequence[int],
        used: Sequence[Used],
        state: Part | None,
        output: Shape,
    ) -> int:
        """Add a primitive; return the place of its output."""
        wanted = [self.moving[place] for place in inputs] + [u.array.trainable for u in used]
        place = self.value(output, True in wanted)
        self.steps.append(Step(operation, tuple(inputs), place, tuple(used), state, tuple(wanted)))
        return place

    def body(self, operation: Composite, inputs: Sequence[int], used: Sequence[Used]) -> int:
        """Add the steps of what a composite consists of."""
        shapes = [self.shapes[place] for place in inputs]
        names = ["x"] if len(inputs) == 1 else [f"x{i}" for i in range(1, len(inputs) + 1)]
        places = dict(zip(names, inputs, strict=True))
        symbols = [symbol for symbol, _ in operation.parameters(*shapes)]
        arrays = {symbol: array for symbol, (array, _) in zip(symbols, used, strict=True)}
        for node in operation.body(*shapes):
            each, read = node.operation, [places[name] for name in node.inputs]
            shapes = [self.shapes[place] for place in read]
            symbols_of = zip(node.parameters, each.parameters(*shapes), strict=True)
            own = [Used(arrays[name], shape) for name, (_, shape) in symbols_of]
            state = self.state(each, None, each.state(*shapes))
            places[node.name] = self.step(each, read, own, state, each.output(*shapes))
        return places[node.name]

    def reaching(self, outputs: Sequence[int]) -> set[int]:
        """Return the places of values that the outputs depend on."""
        reached = set(outputs)
        for step in reversed(self.steps):
            if step.output in reached:
                reached.update(step.inputs)
        return reached

    def assign(self, reached: set[int]) -> set[str]:
        """Mark which step writes an array's gradient first; return the arrays that are written."""
        written = set[str]()
        for i in range(len(self.steps) - 1, -1, -1):
            step = self.steps[i]
            if step.arrays and step.output in reached:
                writes = tuple(
                    [
                        (place, array.entries, array.name not in written)
                        for place, (array, _) in enumerate(step.arrays)
                        if array.trainable
                    ]
                )
                written.update([array.name for array, _ in step.arrays])
                self.steps[i] = step._replace(writes=writes)
        return written


def side_by_side(shapes: Sequence[Shape]) -> list[Part]:
    """Return parts of a vector, one behind the other."""
    stops = accumulate(map(prod, shapes))
    return [Part(slice(stop - prod(s), stop), s) for s, stop in zip(shapes, stops, strict=True)]


def expected(operation: Operation, what: str, given: int) -> SpecError:
    """Return the error for a wrong number of something."""
    return SpecError(f"{operation.word}: expected {what}, got {given}")
