"""Operations that move values and change none."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from conslaw_cli.algebra.rings import Values
from conslaw_cli.networks.operation import Flags, Gradients, Operation, Read, Shape, Ways

if TYPE_CHECKING:
    from conslaw_cli.networks.wiring import Array, Wire, Wiring


class Flat(Operation):
    """Channels and positions become one vector, the positions of a channel beside each other.

    >>> Flat().output((2, 3))
    (6,)
    >>> from conslaw_cli import Convolution, Layers, Linear
    >>> print(Layers((1, 4), (Convolution(2, (3,), (1,)), Flat(), Linear(5))).graph)
    x[1×4]
    h1[2] = conv(x, kernel=3; U1)
    h2 = flatten(h1)
    h3[5] = dense(h2; U2)
    """

    keyword = "flatten"
    title = "flatten"
    source = "elementary: the positions of a channel are copies of one unit"

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one on channels, and one on a vector, which stays."""
        return (cls(), ((2, 3),)), (cls(), ((3,),))

    def idle(self, *inputs: Shape) -> bool:
        """On a vector."""
        return len(inputs[0]) == 1

    def output(self, *inputs: Shape) -> Shape:
        """All values."""
        return (prod(inputs[0]),)

    def forward(self, at: Read) -> Values:
        """Put the positions of a channel one after another."""
        (x,) = at.inputs
        return x.reshape(x.shape[0], -1, 1, *x.shape[3:])

    def pullback(self, at: Read, delta: Values) -> Gradients:
        """Undo it."""
        return (delta.reshape(delta.shape[0], *at.inputs[0].shape[1:3], *delta.shape[3:]),)

    def ways(self, read: Ways) -> Ways | None:
        """Units at several positions become several at one."""
        return read if read is Ways.ONCE else Ways.SINGLE

    def needed(self, live: Flags, positions: int) -> Flags | None:
        """All."""
        return np.ones(positions, np.bool_)

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """The positions of a channel are copies of one unit."""
        return inputs[0].flattened()
