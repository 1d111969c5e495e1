"""Dense layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conslaw_cli import checks
from conslaw_cli.algebra.rings import Values
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.operation import (
    Gradients,
    Growth,
    Key,
    KeyKind,
    Layer,
    Operation,
    Read,
    Shape,
    ShapeError,
    Ways,
    only,
    show,
)

if TYPE_CHECKING:
    from conslaw_cli.networks.wiring import Array, Wire, Wiring

MAX_WIDTH = 10**9


@dataclass(frozen=True, slots=True)
class Linear(Operation):
    """A dense layer ``z = Uᵀh + b`` with ``units`` outputs: U is inputs × units, b a vector.

    Raise SpecError unless ``units`` is an integer from 1 to 10^9 and ``bias`` True or False.

    >>> from conslaw_cli import Layers, count_laws
    >>> count_laws(Layers((3,), (Linear(4, bias=True), Linear(2))))
    <LawCount '3 → dense 4+b dense 2': D = 24, dim Lie = 14, laws = 10 (10 known), proved>
    """

    units: int
    bias: bool = False

    keyword = "dense"
    title = "dense layer"
    source = "arXiv 2307.00144, Prop. 4.1"
    opens = "units"
    dense = True

    def __post_init__(self) -> None:
        checks.integer("units", self.units, 1, MAX_WIDTH)
        checks.flag("bias", self.bias)

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return some, with and without bias."""
        return (cls(2), ((3,),)), (cls(3, True), ((2,),)), (cls(1, True), ((1,),))

    @classmethod
    def parsed(
        cls, word: str, units: int | None, options: Mapping[str, str], arrays: int
    ) -> Operation:
        """Read ``h[4] = dense(x; U1, b1)``."""
        only(options)
        if units is None:
            raise SpecError("dense: expected its units, as in h[4] = dense(x; U1)")
        if arrays not in (1, 2):
            raise SpecError(f"dense: expected a matrix, or a matrix and a bias, got {arrays}")
        return cls(units, arrays == 2)

    @classmethod
    def layers(cls) -> tuple[Layer, ...]:
        """``dense: 8`` is short for ``dense: {units: 8}``."""
        keys = {"units": Key(KeyKind.SIZE, required=True), "bias": Key(KeyKind.FLAG)}
        return (Layer("dense", keys, "units", None, cls),)

    @property
    def label(self) -> str:
        """``dense 8``, ``+b`` with a bias."""
        return f"dense {self.units}" + "+b" * self.bias

    def output(self, *inputs: Shape) -> Shape:
        """A vector becomes a vector."""
        (shape,) = inputs
        if len(shape) != 1:
            raise ShapeError(f"dense: expected a vector, got {show(shape)}; put flatten before it")
        return (self.units,)

    def parameters(self, *inputs: Shape) -> tuple[tuple[str, Shape], ...]:
        """The matrix U, and the vector b if there is a bias."""
        (shape,) = inputs
        matrix = ("U", (shape[0], self.units))
        return (matrix, ("b", (self.units,))) if self.bias else (matrix,)

    def forward(self, at: Read) -> Values:
        """Apply the affine map at every position."""
        z = at.ring.matmul(at.arrays[0].swapaxes(1, 2), at.inputs[0])
        return at.ring.add(z, at.arrays[1][:, :, None]) if self.bias else z

    def pullback(self, at: Read, delta: Values) -> Gradients:
        """∂U = h δᵀ, ∂b = δ summed over positions, ∂h = U δ."""
        back = at.ring.matmul(at.arrays[0], delta) if at.wanted[0] else None
        matrix = at.ring.matmul(at.inputs[0], delta.swapaxes(1, 2)) if at.wanted[1] else None
        if not self.bias:
            return back, matrix
        return back, matrix, at.ring.sum(delta, 2) if at.wanted[2] else None

    def growth(self, *inputs: Growth) -> Growth:
        """One parameter a term."""
        return Growth(inputs[0].parameters + 1, inputs[0].probe)

    def ways(self, read: Ways) -> Ways | None:
        """Every unit at a position has a weight for every one it reads."""
        return None if read is Ways.SINGLE else Ways.SINGLE

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """``dU = U S'ᵀ − Sᵀ U, db = S' b + t'`` for any S' of the space it opens; a shift of the
        input does not pass.
        """
        return wiring.layer(inputs[0], self.units, *arrays)


@dataclass(frozen=True, slots=True)
class Pointwise(Linear):
    """The same dense layer at every position."""

    keyword = "pointwise"
    title = "dense layer at every position"
    inner = True

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one over two positions."""
        return ((cls(2, True), ((3, 2),)),)

    @classmethod
    def layers(cls) -> tuple[Layer, ...]:
        """It is written as a convolution."""
        return ()

    def output(self, *inputs: Shape) -> Shape:
        """The positions stay."""
        return (self.units, *inputs[0][1:])
