"""Operations that join branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from conslaw_cli.algebra.rings import Values
from conslaw_cli.networks.operation import (
    Gradients,
    Growth,
    Operation,
    Read,
    Shape,
    ShapeError,
    Ways,
    show,
)

if TYPE_CHECKING:
    from conslaw_cli.networks.wiring import Array, Wire, Wiring


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

    def output(self, *inputs: Shape) -> Shape:
        """The shape that all have."""
        return _equal("add", inputs)

    def idle(self, *inputs: Shape) -> bool:
        """Of one branch."""
        return len(inputs) == 1

    def forward(self, at: Read) -> Values:
        """Add."""
        return at.ring.add(*at.inputs)

    def ways(self, read: Ways) -> Ways | None:
        """Each branch passes on its own."""
        return read

    def pullback(self, at: Read, delta: Values) -> Gradients:
        """Every branch gets the cotangent."""
        return (delta,) * len(at.inputs)

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """The same map acts on all of them; shifts add up."""
        first, *others = inputs
        for other in others:
            first = wiring.joined(first, other)
        return first


class Multiply(Operation):
    """The product, entry by entry, of two branches of one shape, as in a gated linear unit."""

    keyword = "multiply"
    title = "product of two branches"
    source = "elementary: scalings of the factors multiply"
    arity = 2
    linear = False

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return products of vectors and of channels."""
        return (cls(), ((2,), (2,))), (cls(), ((2, 3), (2, 3)))

    def output(self, *inputs: Shape) -> Shape:
        """The shape that both have."""
        return _equal("multiply", inputs)

    def forward(self, at: Read) -> Values:
        """Multiply."""
        return at.ring.multiply(*at.inputs)

    def pullback(self, at: Read, delta: Values) -> Gradients:
        """The product rule."""
        others = reversed(at.inputs)
        return tuple(
            at.ring.multiply(delta, other) if wanted else None
            for other, wanted in zip(others, at.wanted, strict=True)
        )

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
