"""Blocks without parameters of their own: what convolutions, pooling, residual and parallel
branches add to dense layers.

Values are (batch, channels, positions, jet). A convolution is ``Patches``, which puts the inputs of
every output position into one column, and then a dense layer at every position.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.networks.network import Block, Dense, Point, Values
from conslaw_cli.networks.wiring import Cursor, Space

Index = NDArray[np.intp]
"""(taps, output positions): the input position of every tap, or the number of input positions for
padding.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """(channels, positions) → (channels · taps, output positions), one column per window."""

    index: Index

    def forward(self, at: Point, h: Values) -> Values:
        """Gather; padding reads zeros."""
        padded = np.concatenate([h, np.zeros_like(h[:, :, :1])], axis=2)
        patches = padded[:, :, self.index]
        return patches.reshape(patches.shape[0], -1, *patches.shape[3:])

    def backward(self, at: Point, h: Values, delta: Values, gradient: Values) -> Values:
        """Scatter: the transposed map. One tap reads an input position at most once."""
        back = np.zeros((len(delta), h.shape[1], h.shape[2] + 1, delta.shape[3]), dtype=delta.dtype)
        taps = delta.reshape(len(delta), h.shape[1], len(self.index), *delta.shape[2:])
        for k, positions in enumerate(self.index):
            back[:, :, positions] += taps[:, :, k]
        return at.ring.reduce(back[:, :, :-1])

    def degree(self) -> tuple[int, int]:
        """Neither parameters nor gates."""
        return 0, 0

    def connect(self, at: Cursor, spaces: list[Space]) -> Cursor:
        """The taps of a channel are copies of one unit."""
        return Cursor(at.space, np.repeat(at.rows, len(self.index)))

    def weights(self) -> Iterator[Dense]:
        """Yield nothing."""
        yield from ()


@dataclass(frozen=True, slots=True, eq=False)
class AveragePool:
    """(channels, positions) → (channels, output positions): averages over windows."""

    index: Index

    def forward(self, at: Point, h: Values) -> Values:
        """Average every window."""
        return at.ring.divide(at.ring.reduce(h[:, :, self.index].sum(axis=2)), len(self.index))

    def backward(self, at: Point, h: Values, delta: Values, gradient: Values) -> Values:
        """Spread the cotangent over its window."""
        back = np.zeros_like(delta, shape=(len(delta), *h.shape[1:3], delta.shape[3]))
        for positions in self.index:
            back[:, :, positions] += delta
        return at.ring.divide(at.ring.reduce(back), len(self.index))

    def degree(self) -> tuple[int, int]:
        """Neither parameters nor gates."""
        return 0, 0

    def connect(self, at: Cursor, spaces: list[Space]) -> Cursor:
        """Stay on the channels."""
        return at

    def weights(self) -> Iterator[Dense]:
        """Yield nothing."""
        yield from ()


@dataclass(frozen=True, slots=True)
class Flatten:
    """(channels, positions) → (channels · positions, 1)."""

    positions: int

    def forward(self, at: Point, h: Values) -> Values:
        """Put the positions of a channel one after another."""
        return h.reshape(h.shape[0], -1, 1, h.shape[3])

    def backward(self, at: Point, h: Values, delta: Values, gradient: Values) -> Values:
        """Undo it."""
        return delta.reshape(len(delta), *h.shape[1:3], delta.shape[3])

    def degree(self) -> tuple[int, int]:
        """Neither parameters nor gates."""
        return 0, 0

    def connect(self, at: Cursor, spaces: list[Space]) -> Cursor:
        """The positions of a channel are copies of one unit."""
        return Cursor(at.space, np.repeat(at.rows, self.positions))

    def weights(self) -> Iterator[Dense]:
        """Yield nothing."""
        yield from ()


@dataclass(frozen=True, slots=True)
class Residual:
    """``h ↦ h + f(h)`` for a chain of blocks f."""

    blocks: tuple[Block, ...]

    def forward(self, at: Point, h: Values) -> Values:
        """Add the branch to what it read."""
        return at.ring.reduce(h + self._values(at, h)[-1])

    def backward(self, at: Point, h: Values, delta: Values, gradient: Values) -> Values:
        """Add the cotangents of both ways; the branch's values are computed again rather than
        kept.
        """
        back = delta
        for block, value in zip(
            reversed(self.blocks), reversed(self._values(at, h)[:-1]), strict=True
        ):
            back = block.backward(at, value, back, gradient)
        return at.ring.reduce(delta + back)

    def degree(self) -> tuple[int, int]:
        """Those of the branch, the larger of the two."""
        degrees = [block.degree() for block in self.blocks]
        return sum(d for d, _ in degrees), sum(g for _, g in degrees)

    def connect(self, at: Cursor, spaces: list[Space]) -> Cursor:
        """The branch's last space is the one it left from."""
        inner: list[Space] = []
        end = at
        for block in self.blocks:
            end = block.connect(end, inner)
        spaces += [space for space in inner if space is not end.space]
        return at.join(end)

    def weights(self) -> Iterator[Dense]:
        """Yield those of the branch."""
        for block in self.blocks:
            yield from block.weights()

    def _values(self, at: Point, h: Values) -> list[NDArray[Any]]:
        values = [h]
        for block in self.blocks:
            values.append(block.forward(at, values[-1]))
        return values


@dataclass(frozen=True, slots=True)
class Parallel:
    """Chains of blocks side by side, on disjoint inputs and outputs, of ``inputs[i]`` and
    ``outputs[i]`` units: a direct sum.
    """

    branches: tuple[tuple[Block, ...], ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def forward(self, at: Point, h: Values) -> Values:
        """Apply each branch to its own units."""
        return np.concatenate([values[-1] for values in self._values(at, h)], axis=1)

    def backward(self, at: Point, h: Values, delta: Values, gradient: Values) -> Values:
        """Propagate through each branch."""
        parts = []
        deltas = np.split(delta, np.cumsum(self.outputs)[:-1], axis=1)
        for blocks, values, back in zip(self.branches, self._values(at, h), deltas, strict=True):
            for block, value in zip(reversed(blocks), reversed(values[:-1]), strict=True):
                back = block.backward(at, value, back, gradient)
            parts.append(back)
        return np.concatenate(parts, axis=1)

    def degree(self) -> tuple[int, int]:
        """The largest among the branches."""
        degrees = [[block.degree() for block in blocks] for blocks in self.branches]
        return max(sum(d for d, _ in branch) for branch in degrees), max(
            sum(g for _, g in branch) for branch in degrees
        )

    def connect(self, at: Cursor, spaces: list[Space]) -> Cursor:
        """Each branch has its own input and output space."""
        for blocks, units in zip(self.branches, self.inputs, strict=True):
            spaces.append(Space(units, wired=True))
            cursor = Cursor.on(spaces[-1])
            for block in blocks:
                cursor = block.connect(cursor, spaces)
            cursor.space.wired = True
        return Cursor.on(Space(sum(self.outputs), wired=True))

    def weights(self) -> Iterator[Dense]:
        """Yield those of the branches."""
        for blocks in self.branches:
            for block in blocks:
                yield from block.weights()

    def _values(self, at: Point, h: Values) -> list[list[Values]]:
        every = []
        for blocks, part in zip(
            self.branches, np.split(h, np.cumsum(self.inputs)[:-1], axis=1), strict=True
        ):
            values = [part]
            for block in blocks:
                values.append(block.forward(at, values[-1]))
            every.append(values)
        return every
