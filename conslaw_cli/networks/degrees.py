"""Degrees of values in the parameters, such that scaling these is undone by the probe.

Multiply every trained parameter by c, and inputs, free factors and output weights by powers of c of
one's choice, one for each array of the probe. Each value of the network is then multiplied by a
power of c, its *degree*, if degrees can be chosen such that all that operations ask of them holds:
what a bias is added to has degree 0 in front of the layer and 1 behind it, summands have equal
degrees, the argument of an exponential has degree 0. These are the scalings among the generators of
wiring.py, now for a θ that moves; each operation says the same of them (``Operation.wires``).

If so, ``F(cθ; a) = F(θ; a')``, and ``∇F(cθ; a)`` is a multiple of ``∇F(θ; a')``: scaling maps W_φ
to itself. Every component of φ is homogeneous then, of a degree of its own; the converse holds
where these degrees are linear in the exponents of its monomial in the probe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from conslaw_cli.networks.plan import Plan
from conslaw_cli.networks.wiring import Array, Combination, Equations, Wire, Wiring

_ONE = 0
"""The number of the unknown that is 1."""


class Degrees(Wiring):
    """Collects what degrees must satisfy: a charge is the degree of a value in unknown ones."""

    def __init__(self) -> None:
        super().__init__()
        self._unknowns = 1
        self._equations = Equations()

    def solved(
        self, inputs: Sequence[Wire], states: Mapping[int, Wire], output: Wire
    ) -> Scaling | None:
        """Return the degrees of these in a solution, None if there is none."""
        vectors = self._equations.solutions(self._unknowns)
        found = next((vector for vector in vectors if _ONE in vector), None)
        if found is None:
            return None

        def degree(wire: Wire) -> Fraction:
            return sum((c * Fraction(found.get(u, 0)) for u, c in wire.charge.items()), Fraction(0))

        slots = {start: degree(wire) for start, wire in states.items()}
        return Scaling(tuple(map(degree, inputs)), slots, degree(output))

    def given(self, units: int = 1) -> Wire:
        """Return the wire of an array of the probe, of any degree."""
        self._unknowns += 1
        return _wire({self._unknowns - 1: 1})

    def layer(self, wire: Wire, units: int, matrix: Array, *bias: Array) -> Wire:
        """A matrix that is trained adds 1; what a bias is added to has the bias's degree."""
        opened = self.multiplied(wire, _wire({_ONE: 1} if matrix.trainable else {}))
        for array in bias:
            self.joined(opened, _wire({_ONE: 1} if array.trainable else {}))
        return opened

    def grouped(self, wire: Wire, groups: int) -> Wire:
        """All units are scaled alike."""
        return wire

    def unshifted(self, wire: Wire) -> Wire:
        """Zeros have any degree."""
        return wire

    def diagonal(self, wire: Wire) -> Wire:
        """All units are scaled alike."""
        return wire

    def fixed(self, wire: Wire) -> None:
        """Say that the degree is 0."""
        self._equations.add(wire.charge)

    def stopped(self, wire: Wire) -> Wire:
        """A function of which nothing is known keeps its argument and its value."""
        self.fixed(wire)
        return _wire({})

    def scaled(self, wire: Wire, factor: int) -> Wire:
        """A power multiplies the degree."""
        return _wire({unknown: factor * c for unknown, c in wire.charge.items()})

    def exponentiated(self, wire: Wire) -> Wire:
        """A shift of the argument is no scaling of it."""
        return self.stopped(wire)

    def joined(self, first: Wire, second: Wire) -> Wire:
        """Summands have one degree."""
        self._equations.add(_sum(first, second, -1))
        return first

    def multiplied(self, first: Wire, second: Wire) -> Wire:
        """Degrees add up."""
        return _wire(_sum(first, second, 1))


@dataclass(frozen=True, slots=True)
class Scaling:
    """Degrees that undo a scaling of the parameters: of the inputs, of the free factors of states,
    by where these start, and of the outputs, all of which have one.
    """

    inputs: tuple[Fraction, ...]
    states: Mapping[int, Fraction]
    output: Fraction


def scaling(plan: Plan) -> Scaling | None:
    """Return degrees that a network's values can have, None if there are none."""
    degrees = Degrees()
    wires = [degrees.given() for _ in plan.inputs]
    states: dict[int, Wire] = {}
    for step in plan.steps:
        read = [wires[place] for place in step.inputs]
        arrays = [array for array, _ in step.arrays]
        wire = step.operation.wires(degrees, read, arrays)
        if step.state is not None:
            slot = states.setdefault(step.state.entries.start, degrees.given())
            wire = degrees.multiplied(wire, slot)
        wires.append(wire)
    output, *others = (wires[place] for place, _ in plan.outputs)
    for other in others:
        degrees.joined(output, other)
    return degrees.solved(wires[: len(plan.inputs)], states, output)


def _wire(degree: Combination) -> Wire:
    return Wire(degree, {}, 1)


def _sum(first: Wire, second: Wire, sign: int) -> Combination:
    total = dict(first.charge)
    for unknown, c in second.charge.items():
        total[unknown] = total.get(unknown, 0) + sign * c
    return {unknown: c for unknown, c in total.items() if c}
