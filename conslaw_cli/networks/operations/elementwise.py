"""Activations: functions of each unit by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conslaw_cli import checks
from conslaw_cli.algebra.rings import Ring, Values
from conslaw_cli.networks.operation import (
    Gradients,
    Growth,
    Operation,
    Shape,
    only,
    positions,
)

if TYPE_CHECKING:
    from conslaw_cli.networks.wiring import Array, Wire, Wiring

LINEAR = ("linear", "identity")
HOMOGENEOUS = ("relu", "leaky_relu", "abs", "homogeneous")
"""Positively homogeneous activations of degree one; they share φ_ReLU."""
ACTIVATIONS = LINEAR + HOMOGENEOUS


@dataclass(frozen=True, slots=True)
class Activation(Operation):
    """A positively homogeneous activation of degree one, or the identity: ``h = s ⊙ z``.

    The slopes s of the former are free factors: φ_ReLU has one path variable for every neuron that
    a path goes through (arXiv 2307.00144, eq. (15)). Raise SpecError for an unknown name.
    """

    name: str

    keyword = "activation"
    title = "positively homogeneous activation, its slopes free"
    source = "arXiv 2307.00144, eq. (15), Prop. 4.1"

    def __post_init__(self) -> None:
        checks.choice("activation", self.name, ACTIVATIONS)

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one with slopes, on vectors and on channels, and the identity."""
        return (cls("relu"), ((3,),)), (cls("abs"), ((2, 3),)), (cls("linear"), ((2,),))

    @classmethod
    def parsed(
        cls, word: str, units: int | None, options: Mapping[str, str], arrays: int
    ) -> Operation:
        """Read ``h = relu(z)``."""
        only(options)
        return cls(word)

    @classmethod
    def words(cls) -> tuple[str, ...]:
        """Return the names of all of them."""
        return ACTIVATIONS

    @property
    def word(self) -> str:
        """Its name."""
        return self.name

    @property
    def gated(self) -> bool:
        """Whether there are slopes."""
        return self.name not in LINEAR

    def output(self, *inputs: Shape) -> Shape:
        """Nothing changes."""
        return inputs[0]

    def state(self, *inputs: Shape) -> Shape | None:
        """One slope for every value."""
        (shape,) = inputs
        return (shape[0], positions(shape)) if self.gated else None

    def forward(self, ring: Ring, x: Sequence[Values], p: Sequence[Values], s: Any) -> Values:
        """Multiply every value by its slope."""
        return ring.multiply(x[0], s) if self.gated else x[0]

    def pullback(
        self,
        ring: Ring,
        x: Sequence[Values],
        p: Sequence[Values],
        s: Any,
        delta: Values,
        wanted: Sequence[bool],
    ) -> tuple[Gradients, Gradients]:
        """Multiply the cotangent by the same slopes."""
        return (ring.multiply(delta, s) if self.gated else delta,), ()

    def growth(self, *inputs: Growth) -> Growth:
        """One factor a term."""
        return Growth(inputs[0].parameters, inputs[0].probe + self.gated)

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """Only diagonal maps commute with it."""
        return wiring.diagonal(inputs[0]) if self.gated else inputs[0]
