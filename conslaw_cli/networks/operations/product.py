"""Operations that join branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conslaw_cli.algebra.rings import Ring, Values
from conslaw_cli.networks.operation import (
    Gradients,
    Growth,
    Operation,
    Shape,
    ShapeError,
    only,
    show,
)

if TYPE_CHECKING:
    from conslaw_cli.networks.wiring import Array, Wire, Wiring


@dataclass(frozen=True, slots=True)
class Add(Operation):
    """The sum of two or more branches of one shape, as at the end of a residual branch."""

    keyword = "add"
    title = "sum of branches"
    source = "arXiv 2506.06194, Prop. 3.2"
    arity = None

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return sums of one, two and three."""
        return (cls(), ((2,),)), (cls(), ((2,), (2,))), (cls(), ((2, 3),) * 3)

    @classmethod
    def parsed(
        cls, word: str, units: int | None, options: Mapping[str, str], arrays: int
    ) -> Operation:
        """Read ``s = add(h, z)``."""
        only(options)
        return cls()

    def output(self, *inputs: Shape) -> Shape:
        """The shape that all have."""
        return _equal("add", inputs)

    def idle(self, *inputs: Shape) -> bool:
        """Of one branch."""
        return len(inputs) == 1

    def forward(self, ring: Ring, x: Sequence[Values], p: Sequence[Values], s: Any) -> Values:
        """Add."""
        return ring.add(*x)

    def pullback(
        self,
        ring: Ring,
        x: Sequence[Values],
        p: Sequence[Values],
        s: Any,
        delta: Values,
        wanted: Sequence[bool],
    ) -> tuple[Gradients, Gradients]:
        """Every branch gets the cotangent."""
        return (delta,) * len(x), ()

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """The same map acts on all of them; shifts add up."""
        first, *others = inputs
        for other in others:
            first = wiring.joined(first, other)
        return first


@dataclass(frozen=True, slots=True)
class Multiply(Operation):
    """The product, entry by entry, of two branches of one shape, as in a gated linear unit."""

    keyword = "multiply"
    title = "product of two branches"
    arity = 2
    linear = False

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return products of vectors and of channels."""
        return (cls(), ((2,), (2,))), (cls(), ((2, 3), (2, 3)))

    @classmethod
    def parsed(
        cls, word: str, units: int | None, options: Mapping[str, str], arrays: int
    ) -> Operation:
        """Read ``h = multiply(a, b)``."""
        only(options)
        return cls()

    def output(self, *inputs: Shape) -> Shape:
        """The shape that both have."""
        return _equal("multiply", inputs)

    def forward(self, ring: Ring, x: Sequence[Values], p: Sequence[Values], s: Any) -> Values:
        """Multiply."""
        return ring.multiply(x[0], x[1])

    def pullback(
        self,
        ring: Ring,
        x: Sequence[Values],
        p: Sequence[Values],
        s: Any,
        delta: Values,
        wanted: Sequence[bool],
    ) -> tuple[Gradients, Gradients]:
        """The product rule."""
        left = ring.multiply(delta, x[1]) if wanted[0] else None
        return (left, ring.multiply(delta, x[0]) if wanted[1] else None), ()

    def growth(self, *inputs: Growth) -> Growth:
        """Degrees add up."""
        return Growth.total(inputs)

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """Scalings of the units on both sides multiply."""
        return wiring.multiplied(*(wiring.diagonal(each) for each in inputs))


def _equal(what: str, shapes: Sequence[Shape]) -> Shape:
    if len(set(shapes)) > 1:
        raise ShapeError(f"{what}: expected equal shapes, got {', '.join(map(show, shapes))}")
    return shapes[0]
