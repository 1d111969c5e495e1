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
    then arrays. back, moved: for those inputs and arrays of which one is, their number among all
    and the place or the name.
    """

    operation: Operation
    inputs: tuple[int, ...]
    output: int
    arrays: tuple[Used, ...]
    state: Part | None
    wanted: tuple[bool, ...]
    back: tuple[tuple[int, int], ...]
    moved: tuple[tuple[int, str], ...]


class Plan(NamedTuple):
    """What interpreters read.

    inputs: where they stand in a probe, the states behind them. shapes: of all values by place,
    those of composites' bodies too. places: of the graph's own values by name. outputs: places, and
    where their weights stand. drawn: how many numbers inputs and states hold.
    """

    inputs: tuple[Part, ...]
    steps: tuple[Step, ...]
    shapes: tuple[Shape, ...]
    places: dict[str, int]
    outputs: tuple[tuple[int, Part], ...]
    arrays: tuple[Array, ...]
    drawn: int


class Planner:
    """Puts composites' bodies in place of them and numbers values, arrays and states."""

    def __init__(self, frozen: frozenset[str] = frozenset()) -> None:
        self.frozen = frozen
        self.inputs: list[Part] = []
        self.places: dict[str, int] = {}
        self.shapes: list[Shape] = []
        self.moving: list[bool] = []
        self.arrays: dict[str, Array] = {}
        self.ends = [0, 0]
        self.states: dict[str, Part] = {}
        self.drawn = 0
        self.steps: list[Step] = []

    def given(self, name: str, shape: Shape) -> None:
        """Add an input. Raise SpecError if there is such a value."""
        self.name(name, self.value(shape, False))
        self.inputs.append(self.draw((shape[0], positions(shape))))

    def add(self, node: Node) -> None:
        """Add a node. Raise SpecError if it does not fit."""
        operation = node.operation
        try:
            inputs = [self.places[name] for name in node.inputs]
        except KeyError as missing:
            raise SpecError(f"{missing.args[0]} is no value given before") from None
        if operation.arity not in (None, len(inputs)):
            raise expected(operation, f"{operation.arity} inputs", len(inputs))
        shapes = [self.shapes[place] for place in inputs]
        output, needed = operation.output(*shapes), operation.parameters(*shapes)
        if len(needed) != len(node.parameters):
            raise expected(operation, f"{len(needed)} arrays", len(node.parameters))
        pairs = zip(node.parameters, needed, strict=True)
        used = [self.used(operation, name, shape) for name, (_, shape) in pairs]
        state = self.state(operation, node.state, operation.state(*shapes))
        place = (
            self.body(operation, inputs, used)
            if isinstance(operation, Composite)
            else self.step(operation, inputs, used, state, output)
        )
        self.name(node.name, place)

    def plan(self, outputs: Sequence[str]) -> Plan:
        """Return the plan, for the values of these names as outputs."""
        for name in outputs:
            if name not in self.places:
                raise SpecError(f"{name} is no node")
        ends = [self.places[name] for name in outputs]
        weights = side_by_side([self.shapes[place] for place in ends])
        return Plan(
            tuple(self.inputs),
            tuple(self.steps),
            tuple(self.shapes),
            self.places,
            tuple(zip(ends, weights, strict=True)),
            tuple(self.arrays.values()),
            self.drawn,
        )

    # ---- what is numbered

    def name(self, name: str, place: int) -> None:
        """Name a value. Raise SpecError if there is one of that name."""
        if self.places.setdefault(name, place) != place:
            raise SpecError(f"{name} is given twice")

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

    def used(self, operation: Operation, name: str, shape: Shape) -> Used:
        """Return an array, perhaps one that others use as well."""
        array = self.arrays.get(name)
        if array is None:
            moves = name not in self.frozen
            start = self.ends[moves]
            self.ends[moves] = stop = start + prod(shape)
            array = self.arrays[name] = Array(name, shape, slice(start, stop), moves)
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
        back = [(i, each) for i, each in enumerate(inputs) if wanted[i]]
        moved = [(i, u.array.name) for i, u in enumerate(used, start=len(inputs)) if wanted[i]]
        self.steps.append(
            Step(
                operation,
                tuple(inputs),
                place,
                tuple(used),
                state,
                tuple(wanted),
                tuple(back),
                tuple(moved),
            )
        )
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


def side_by_side(shapes: Sequence[Shape]) -> list[Part]:
    """Return where values of these shapes stand in a vector, one behind the other."""
    stops = accumulate(map(prod, shapes))
    return [
        Part(slice(stop - prod(shape), stop), (shape[0], positions(shape)))
        for shape, stop in zip(shapes, stops, strict=True)
    ]


def expected(operation: Operation, what: str, given: int) -> SpecError:
    """Return the error for a wrong number of something."""
    return SpecError(f"{operation.word}: expected {what}, got {given}")
