"""A network as a directed acyclic graph of operations over named parameter arrays.

Residual streams, parallel branches, products of two branches, shared and frozen arrays need no
special case: a node reads earlier nodes by name, an array may stand in several nodes, and the names
of frozen arrays are listed.

The scalar function of a network is ``F(θ; a) = <w, g(θ; x, states)>``, linear in φ, with the probe
``a = (x, states, w)``: inputs, the free factors of operations that have a state (one per gated
unit), output weights. Distinct components of φ have distinct monomials in a, so the gradients
``∇_θ F(θ; a)`` for random a span W_φ(θ) (each is a random element of it), for the price of one
back-propagation; φ itself, which may have 10^20 entries, is never formed.

All interpreters read one plan (plan.py): forward keeps all values, backward walks the steps in
reverse and adds up cotangents, from what nothing trainable stands before none is asked for.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import prod
from typing import Any

import numpy as np

from conslaw_cli import checks
from conslaw_cli.algebra.rings import Exact, Ring, Sizes, Values
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.correlations import Correlations
from conslaw_cli.networks.known_laws import Laws, join
from conslaw_cli.networks.operation import Growth, Input, Node, Read, Shape, positions
from conslaw_cli.networks.operations.dense import MAX_WIDTH, Linear
from conslaw_cli.networks.operations.product import Add
from conslaw_cli.networks.plan import Plan, Planner, Step
from conslaw_cli.networks.wiring import Array, Junction, Wire, Wiring, labels


@dataclass(frozen=True)
class Graph:
    """A network.

    inputs, nodes: in an order in which every node stands behind what it reads.
    outputs: names of values; frozen: names of arrays that training does not move, which are generic
    constants. Raise SpecError, naming the node, if something does not fit.
    """

    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    frozen: frozenset[str] = frozenset()
    plan: Plan = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        planner = Planner(self.frozen)
        for name, shape in self.inputs:
            planner.given(name, shape)
        for node in self.nodes:
            try:
                planner.add(node)
            except SpecError as fault:
                raise SpecError(f"{node.name}: {fault}") from None
        object.__setattr__(self, "plan", planner.plan(self.outputs))

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every value by its name."""
        return {name: self.plan.shapes[place] for name, place in self.plan.places.items()}

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All parameter arrays in order of first use: θ holds the trainable ones one after another,
        the frozen ones stand in a vector of their own.
        """
        return self.plan.arrays

    @property
    def trained(self) -> tuple[Array, ...]:
        """The arrays that θ consists of, in its order."""
        return tuple(array for array in self.arrays if array.trainable)

    @cached_property
    def dimension(self) -> int:
        """D, the number of trainable parameters."""
        return sum(array.size for array in self.trained)

    @cached_property
    def constants(self) -> int:
        """The number of frozen parameters."""
        return sum(array.size for array in self.arrays if not array.trainable)

    @cached_property
    def input_size(self) -> int:
        """Numbers that all inputs hold: the first part of a probe."""
        return sum(prod(part.shape) for part in self.plan.inputs)

    @property
    def state_size(self) -> int:
        """Numbers that all states hold: the second part of a probe."""
        return self.plan.drawn - self.input_size

    @cached_property
    def output_size(self) -> int:
        """Numbers that all outputs hold: the last part of a probe."""
        return sum(prod(part.shape) for _, part in self.plan.outputs)

    @cached_property
    def probe_size(self) -> int:
        """Entries of a probe."""
        return self.plan.drawn + self.output_size

    @property
    def steps(self) -> tuple[Step, ...]:
        """The primitive operations in order, composites replaced by what they consist of."""
        return self.plan.steps

    def parameter_names(self) -> list[str]:
        """Return the name of every parameter, in the order of θ: ``U1[i,j]`` leads from unit i to
        unit j, ``b1[j]`` is a bias.
        """
        return list(labels(self.trained))

    def __str__(self) -> str:
        """Return the one text form, which :meth:`parse` reads."""
        from conslaw_cli.networks.text import written

        return written(self.inputs, self.nodes, self.outputs, self.frozen)

    @classmethod
    def parse(cls, text: str) -> Graph:
        """Return the graph of a text. Raise SpecError with line and column if it is none."""
        from conslaw_cli.networks.text import read

        return cls(*read(text))

    def resized(self, sizes: Mapping[str, int]) -> Graph:
        """Return the graph with other numbers of units in some spaces, by the names of the inputs
        and nodes that open them; all else follows, or stays, as the channels of a group do, of
        which there are more or fewer. Spaces that a sum or a shared array
        makes one are all to be named. Raise SpecError for a name that opens no space, and where
        sizes do not fit.

        >>> graph = Graph.parse("x[3]\\nh[4] = dense(x; U1)\\ny[2] = dense(h; U2)")
        >>> print(graph.resized({"x": 1, "h": 8}))
        x[1]
        h[8] = dense(x; U1)
        y[2] = dense(h; U2)
        """
        opening = [each.name for each in self.inputs]
        opening += [node.name for node in self.nodes if node.operation.opens is not None]
        for name, units in sizes.items():
            if name not in opening:
                near = checks.near(name, opening)
                raise SpecError(f"space: {checks.shown(name)} opens none{near}")
            checks.integer(name, units, 1, MAX_WIDTH)
        inputs = [
            Input(name, (sizes.get(name, units), *rest)) for name, (units, *rest) in self.inputs
        ]
        nodes = [_resized(node, sizes) for node in self.nodes]
        return replace(self, inputs=tuple(inputs), nodes=tuple(nodes))

    @cached_property
    def homogeneous(self) -> bool:
        """Whether scaling all parameters is undone by the probe (degrees.py), so that every
        component of φ is homogeneous.
        """
        from conslaw_cli.networks.degrees import scaling

        return scaling(self.plan) is not None

    # ---- interpreters

    def forward(
        self, ring: Ring, theta: Values, probe: Values, constants: Values | None = None
    ) -> list[Values]:
        """Return the outputs (batch, units, positions) for θ (batch or 1, D) and the inputs and
        states of probes (batch, probe_size); with one axis more where the ring has one.

        constants: the frozen parameters (1, constants), needed where there are some.
        """
        values, _ = self._evaluated(ring, theta, probe, constants)
        return [values[place] for place, _ in self.plan.outputs]

    def arguments(self, ring: Ring, theta: Values, probe: Values, constants: Values) -> Values:
        """Return what the exponentials are taken of, (batch, argument_size), at θ, probes and
        constants, each (batch, …).
        """
        _, reads = self._evaluated(ring, theta, probe, constants)
        parts = [
            at.inputs[0].reshape(len(probe), -1)
            for step, at in zip(self.steps, reads, strict=True)
            if step.operation.exponential
        ]
        return np.concatenate(parts, axis=1)

    @property
    def argument_size(self) -> int:
        """Numbers that exponentials are taken of."""
        shapes = (
            self.plan.shapes[step.output] for step in self.steps if step.operation.exponential
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
        _, reads = self._evaluated(ring, theta, probe, constants)
        return self._pulled(theta, reads, weights)

    def realised(
        self, theta: Values, inputs: Values, constants: Values | None = None
    ) -> tuple[Values, Callable[[Values], Values]]:
        """Return the outputs (batch, output_size) at floats θ (1, D) and inputs (batch,
        input_size), and what takes gradients of a loss by them to its gradients by θ (batch, D).

        Slopes are not free here: this is the network itself, with the gates that its own values set
        (:meth:`Operation.slopes`); unless they stand behind the inputs (:meth:`gated`).
        """
        held = self.state_size > 0 and inputs.shape[1] == self.plan.drawn
        values, reads = self._evaluated(Exact(), theta, inputs, constants, free=held)
        outputs = [values[place].reshape(len(inputs), -1) for place, _ in self.plan.outputs]
        return np.concatenate(outputs, axis=1), partial(self._pulled, theta, reads)

    def gated(self, theta: Values, inputs: Values, constants: Values | None = None) -> Values:
        """Return inputs with the slopes at θ behind them, (batch, input_size + state_size)."""
        _, reads = self._evaluated(Exact(), theta, inputs, constants, free=False)
        held = np.empty((len(inputs), self.plan.drawn))
        held[:, : self.input_size] = inputs
        for step, at in zip(self.steps, reads, strict=True):
            if step.state is not None:
                held[:, step.state.entries] = at.state.reshape(len(inputs), -1)
        return held

    def _pulled(self, theta: Values, reads: Sequence[Read], weights: Values) -> Values:
        """Return the gradient by θ of the outputs' sum with weights, by what the steps read."""
        ring, batch = reads[0].ring, len(weights)
        cotangents, moved = dict[int, Values](), dict[str, Values]()
        for place, entries in self.plan.outputs:
            _accumulate(ring, cotangents, place, entries.of(ring, weights))
        for step, at in zip(reversed(self.plan.steps), reversed(reads), strict=True):
            delta = cotangents.pop(step.output, None)
            if delta is not None:
                back = step.operation.pullback(at, delta)
                for number, place in step.back:
                    _accumulate(ring, cotangents, place, back[number])
                for number, name in step.moved:
                    _accumulate(ring, moved, name, back[number])
        axis = theta.shape[2:]  # the ring's, if it has one
        parts = [np.zeros((batch, 0, *axis), theta.dtype)]
        for array in self.plan.arrays:
            if array.name in moved:
                part = moved[array.name]
                parts.append(part.reshape(batch, array.size, *part.shape[part.ndim - len(axis) :]))
            elif array.trainable:
                parts.append(np.zeros((batch, array.size, *axis), theta.dtype))
        return ring.joined(parts, theta.shape[-1])

    @cached_property
    def growth(self) -> Growth:
        """The degrees of F in θ and in the probe."""
        growths = [Growth(0, 1)] * len(self.inputs)
        for step in self.plan.steps:
            growths.append(step.operation.growth(*(growths[place] for place in step.inputs)))
        largest = Growth.largest([growths[place] for place, _ in self.plan.outputs])
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
        used = [array.name for step in self.plan.steps for array, _ in step.arrays]
        linear = all(step.operation.linear for step in self.plan.steps)
        return linear and len(used) == len(set(used))

    @cached_property
    def held(self) -> int:
        """Numbers that one evaluation holds besides θ and the gradient."""
        shapes = self.plan.shapes
        return sum(
            step.operation.held(*(shapes[place] for place in step.inputs))
            for step in self.plan.steps
        )

    def wiring(self, zero_sum: bool = False, skips: bool = False) -> Wiring:
        """Return what passes through the network.

        zero_sum: only output weights with sum zero occur. skips: a matrix beside which what it
        reads is passed on is read as I + U: more passes, but no sign flips of units.
        """
        return self._wired(zero_sum, skips)[0]

    def junctions(self, zero_sum: bool = False) -> list[Junction]:
        """Return the spaces of units, with the values, arrays and laws that meet there."""
        wiring, wires = self._wired(zero_sum, skips=True)
        found = wiring.junctions({name: wires[at] for name, at in self.plan.places.items()})
        return [each._replace(families=(*each.families, *self._correlated(each))) for each in found]

    def _correlated(self, at: Junction) -> Iterator[Correlations]:
        """Yield the correlations of the layers on the two sides of a space."""
        for each in self.correlations:
            if each.writer.name in at.written and each.reader.name in at.read:
                yield each

    def _wired(self, zero_sum: bool, skips: bool) -> tuple[Wiring, list[Wire]]:
        """Return what passes through the network, and the wires of all values by their places."""
        wiring, plan = Wiring(), self.plan
        wires = [_at(wiring.given(each.shape[0]), each.shape) for each in self.inputs]
        skipped = self._skipped() if skips else {}
        for step in plan.steps:
            read = [wires[place] for place in step.inputs]
            arrays = [array for array, _ in step.arrays]
            if step.output in skipped:
                wire = wiring.beside_identity(read[0], *arrays)
            elif step.output in skipped.values():
                (wire,) = (wires[place] for place in step.inputs if place in skipped)
            else:
                wire = step.operation.wires(wiring, read, arrays)
            wires.append(_at(wire, plan.shapes[step.output]))
        for place, _ in plan.outputs:
            wiring.output(wires[place], zero_sum and len(plan.outputs) == 1)
        return wiring, wires

    def _skipped(self) -> dict[int, int]:
        """Return the outputs of dense layers that nothing reads but their sum with what they read
        themselves, and that sum; where an array is used once, and all values are vectors.
        """
        plan, places = self.plan, {place for place, _ in self.plan.outputs}
        sums = [s for s in plan.steps if isinstance(s.operation, Add) and len(s.inputs) == 2]
        if not sums or any(len(shape) > 1 for shape in plan.shapes):
            return {}
        readers = Counter(place for step in plan.steps for place in step.inputs)
        uses = Counter(array.name for step in plan.steps for array, _ in step.arrays)
        layers = {s.output: s for s in plan.steps if type(s.operation) is Linear}
        found = dict[int, int]()
        for step in sums:
            inner = max(step.inputs)
            if inner not in layers:
                continue
            layer = layers[inner]
            alone = readers[inner] == 1 and inner not in places
            once = all(uses[array.name] == 1 for array, _ in layer.arrays)
            if alone and once and min(step.inputs) == layer.inputs[0]:
                found[inner] = step.output
        return found

    @property
    def uses(self) -> Counter[str]:
        """How many nodes each array is a parameter of."""
        return Counter(name for node in self.nodes for name in node.parameters)

    @cached_property
    def correlations(self) -> list[Correlations]:
        """The laws of two layers of windows, one right behind the other, beyond the wiring's."""
        if all(len(array.shape) < 3 for array in self.arrays):
            return []  # no kernels
        from conslaw_cli.networks.absorption import correlations  # it knows operations

        return correlations(self.plan)

    def laws(self, zero_sum: bool = False) -> Laws:
        """Return the laws that the wiring gives; a count asks several times."""
        if zero_sum not in self._laws:
            parts = [self.wiring(zero_sum, skips=True).laws()]
            self._laws[zero_sum] = join([*parts, *(each.laws() for each in self.correlations)])
        return self._laws[zero_sum]

    @cached_property
    def _laws(self) -> dict[bool, Laws]:
        return {}

    # ---- how they read the plan

    def _evaluated(
        self,
        ring: Ring,
        theta: Values,
        probe: Values,
        constants: Values | None,
        free: bool = True,
    ) -> tuple[list[Values], list[Read]]:
        """Return all values, and what every step read. free: states are those of the probe."""
        values, reads = [part.of(ring, probe) for part in self.plan.inputs], list[Read]()
        frozen = None if constants is None else ring.constant(constants)
        for step in self.plan.steps:
            inputs = [values[place] for place in step.inputs]
            arrays = [used.of(theta, frozen) for used in step.arrays]
            state = None
            if step.state is not None:
                of = step.operation.slopes
                state = step.state.of(ring, probe) if free else of(*inputs)
            at = Read(ring, inputs, arrays, state, step.wanted)
            values.append(step.operation.forward(at))
            reads.append(at)
        return values, reads


def _resized(node: Node, sizes: Mapping[str, int]) -> Node:
    if node.name not in sizes:
        return node
    try:
        return node._replace(operation=node.operation.resized(sizes[node.name]))
    except SpecError as fault:
        raise SpecError(f"{node.name}: {fault}") from None


def _accumulate(ring: Ring, sums: dict[Any, Values], key: int | str, part: Values) -> None:
    before = sums.get(key)
    sums[key] = part if before is None else ring.add(before, part)


def _at(wire: Wire, shape: Shape) -> Wire:
    n = positions(shape)
    return wire if wire.positions == n else wire._replace(positions=n)
