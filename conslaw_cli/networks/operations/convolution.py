"""Convolutions and pooling: windows over the positions of an image or a sequence.

A convolution gathers the window of every output position into one column and applies one matrix to
all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache, partial
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from conslaw_cli import checks
from conslaw_cli.algebra.rings import Ring, Values
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.operation import (
    Composite,
    Flags,
    Gradients,
    Growth,
    Index,
    Key,
    KeyKind,
    Layer,
    Node,
    Operation,
    Read,
    Shape,
    ShapeError,
    Ways,
    only,
    show,
)
from conslaw_cli.networks.operations.dense import MAX_WIDTH, Pointwise

if TYPE_CHECKING:
    from conslaw_cli.networks.wiring import Array, Wire, Wiring

Padding = Literal["valid", "same", "circular"]
PADDINGS: tuple[Padding, ...] = ("valid", "same", "circular")
MAX_UNITS = 10**7
"""Values a layer may hold, and taps of a channel: what is larger is refused before any index is
made.
"""


@dataclass(frozen=True, slots=True)
class Convolution(Composite):
    """A convolution with ``channels`` outputs; kernel and stride have one entry per spatial
    dimension, of which there are one or two. U is channels × taps × channels.

    dilation: the distance of neighbouring taps, one per dimension, 1 if not given. groups: channels
    fall into so many groups of neighbours, each of which reads its own alone: U is groups ×
    channels × taps × channels then, the channels being those of a group.

    Raise SpecError for sizes that are no positive integers, for groups that do not divide the
    channels, and for another padding.

    >>> Convolution(2, (3,), (1,)).output((1, 6)), Convolution(2, (3,), (1,), "same").output((1, 6))
    ((2, 4), (2, 6))
    >>> from conslaw_cli import Activation, Flat, Layers, Linear, count_laws
    >>> layers = (Convolution(2, (3,), (1,)), Activation("relu"), Flat(), Linear(2))
    >>> count_laws(Layers((1, 6), layers)).laws
    2
    """

    channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding = "valid"
    bias: bool = False
    dilation: tuple[int, ...] = ()
    groups: int = 1

    keyword = "conv"
    title = "convolution over one or two dimensions"
    source = "arXiv 2506.06194, Thm 3.6"
    opens = "channels"

    def __post_init__(self) -> None:
        _check_kernels(self)
        dilation = checks.sizes("dilation", self.dilation or (1,) * len(self.kernel), MAX_WIDTH)
        object.__setattr__(self, "dilation", dilation)
        if len(dilation) != len(self.kernel):
            raise SpecError(f"dilation: expected {len(self.kernel)} sizes, got {len(dilation)}")
        checks.choice("padding", self.padding, PADDINGS)
        checks.integer("groups", self.groups, 1, MAX_WIDTH)
        if self.channels % self.groups:
            raise SpecError(
                f"groups: expected a divisor of the channels, {self.channels}, got {self.groups}"
            )

    def resized(self, units: int) -> Operation:
        """Return it with so many channels, as many as before in each group."""
        each = self.channels // self.groups
        if self.groups > 1 and units % each:
            raise SpecError(f"expected a multiple of {each}, the channels of a group, got {units}")
        return replace(self, channels=units, groups=units // each if self.groups > 1 else 1)

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one of each padding, in one and two dimensions, dilated ones and some in groups:
        one channel in each, two, and two read by one.
        """
        return (
            (cls(2, (2,), (1,)), ((2, 4),)),
            (cls(1, (3,), (2,), "same", True), ((2, 5),)),
            (cls(2, (2, 2), (1, 2), "circular"), ((1, 3, 4),)),
            (cls(2, (2,), (1,), dilation=(2,)), ((2, 5),)),
            (cls(1, (2, 3), (1, 1), "same", dilation=(1, 2)), ((2, 3, 4),)),
            (cls(2, (2,), (1,), "valid", True, groups=2), ((2, 4),)),
            (cls(4, (2,), (1,), groups=2), ((4, 3),)),
            (cls(2, (1, 2), (1, 1), "same", groups=2), ((4, 1, 3),)),
        )

    @classmethod
    def parsed(
        cls, word: str, units: int | None, options: Mapping[str, str], arrays: int
    ) -> Operation:
        """Read ``h[8] = conv(x, kernel=3×3, stride=1×1, padding=same; U1, b1)``."""
        only(options, "kernel", "stride", "padding", "dilation", "groups")
        channels, kernel, stride, bias = _parsed(cls.keyword, units, options, arrays)
        padding: Any = options.get("padding", "valid")
        dilation = _sizes("dilation", options["dilation"]) if "dilation" in options else ()
        (groups,) = _sizes("groups", options.get("groups", "1"))[:1]
        return cls(channels, kernel, stride, padding, bias, dilation, groups)

    @classmethod
    def layers(cls) -> tuple[Layer, ...]:
        """``conv1d`` and ``conv2d``; one number stands for a size equal in all directions."""
        keys = {
            "channels": Key(KeyKind.SIZE, required=True),
            "kernel": Key(KeyKind.SIZES, required=True),
            "stride": Key(KeyKind.SIZES),
            "padding": Key(KeyKind.WORD, words=PADDINGS),
            "bias": Key(KeyKind.FLAG),
            "dilation": Key(KeyKind.SIZES, plain=1),
            "groups": Key(KeyKind.SIZE, plain=1),
        }
        return tuple(Layer(f"conv{n}d", keys, None, n, partial(_convolution, n)) for n in (1, 2))

    @property
    def label(self) -> str:
        """``conv2d 8 3×3/2×2 same+b``, ``conv1d 8 3 dilation 2 groups 4``."""
        steps = f"/{show(self.stride)}" if prod(self.stride) > 1 else ""
        padded = "" if self.padding == "valid" else f" {self.padding}"
        more = f" dilation {show(self.dilation)}" if prod(self.dilation) > 1 else ""
        more += f" groups {self.groups}" if self.groups > 1 else ""
        kind = f"conv{len(self.kernel)}d {self.channels} {show(self.kernel)}"
        return f"{kind}{steps}{padded}{more}" + "+b" * self.bias

    def options(self) -> dict[str, str]:
        """Return what differs from a stride of 1 without padding, and the kernel."""
        stride = {"stride": show(self.stride)} if prod(self.stride) > 1 else {}
        padding = {"padding": self.padding} if self.padding != "valid" else {}
        dilation = {"dilation": show(self.dilation)} if prod(self.dilation) > 1 else {}
        groups = {"groups": str(self.groups)} if self.groups > 1 else {}
        return {"kernel": show(self.kernel), **stride, **padding, **dilation, **groups}

    def output(self, *inputs: Shape) -> Shape:
        """One value per channel and window."""
        (shape,) = inputs
        what = f"conv{len(self.kernel)}d"
        kernel = _reach(self.kernel, self.dilation)
        counts = _outputs(shape, kernel, self.stride, self.padding, what, prod(self.kernel))
        if shape[0] % self.groups:
            raise ShapeError(
                f"{what}: expected channels in {self.groups} groups, got {shape[0]} of them"
            )
        return (self.channels, *counts)

    def parameters(self, *inputs: Shape) -> tuple[tuple[str, Shape], ...]:
        """The kernels U, channels read × taps × channels written, in groups groups of these, and b
        if there is a bias.
        """
        if self.groups == 1:
            return _kernels(self, inputs[0][0])
        groups, taps, bias = self.groups, prod(self.kernel), (("b", (self.channels,)),) * self.bias
        return (("U", (groups, inputs[0][0] // groups, taps, self.channels // groups)), *bias)

    def body(self, *inputs: Shape) -> tuple[Node, ...]:
        """Gather the windows; apply one matrix to all of them, or one to each group."""
        windows = Windows(inputs[0][1:], self.kernel, self.stride, self.padding, self.dilation)
        matrix: Operation = Pointwise(self.channels, self.bias)
        if self.groups > 1:
            matrix = Grouped(self.channels, self.groups, prod(self.kernel), self.bias)
        return _multiplied(windows, matrix, self.bias)


@dataclass(frozen=True, slots=True)
class TransposedConvolution(Composite):
    """A transposed convolution: every value read is spread over a window of the output, so that
    an extent of L becomes (L − 1)·stride − 2·padding + kernel. U is channels × taps × channels.

    kernel, stride and padding, the places that are cut off on each side, have one entry per spatial
    dimension, of which there are one or two. Raise SpecError for other sizes.

    >>> TransposedConvolution(2, (4,), (2,), (1,)).output((3, 5))
    (2, 10)
    """

    channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...] = ()
    bias: bool = False

    keyword = "conv_transpose"
    title = "transposed convolution over one or two dimensions"
    source = "elementary: a convolution over positions between which there are zeros"
    opens = "channels"

    def __post_init__(self) -> None:
        _check_kernels(self)
        padding = checks.entries("padding", self.padding or (0,) * len(self.kernel), "sizes")
        for size in padding:
            checks.integer("padding", size, 0, MAX_WIDTH)
        object.__setattr__(self, "padding", padding)
        for key in ("stride", "padding"):
            if len(getattr(self, key)) != len(self.kernel):
                found = len(getattr(self, key))
                raise SpecError(f"{key}: expected {len(self.kernel)} sizes, got {found}")

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return some, with and without padding, in one and two dimensions."""
        return (
            (cls(2, (2,), (1,)), ((2, 3),)),
            (cls(1, (3,), (2,), (1,), True), ((2, 3),)),
            (cls(2, (2, 3), (2, 1), (0, 1)), ((1, 2, 2),)),
        )

    @classmethod
    def parsed(
        cls, word: str, units: int | None, options: Mapping[str, str], arrays: int
    ) -> Operation:
        """Read ``h[8] = conv_transpose(x, kernel=3×3, stride=2×2, padding=1×1; U1, b1)``."""
        only(options, "kernel", "stride", "padding")
        channels, kernel, stride, bias = _parsed(cls.keyword, units, options, arrays)
        padding = _sizes("padding", options["padding"]) if "padding" in options else ()
        return cls(channels, kernel, stride, padding, bias)

    @classmethod
    def layers(cls) -> tuple[Layer, ...]:
        """``conv_transpose1d`` and ``conv_transpose2d``; one number stands for a size equal in all
        directions.
        """
        keys = {
            "channels": Key(KeyKind.SIZE, required=True),
            "kernel": Key(KeyKind.SIZES, required=True),
            "stride": Key(KeyKind.SIZES),
            "padding": Key(KeyKind.SIZES, least=0),
            "bias": Key(KeyKind.FLAG),
        }
        return tuple(
            Layer(f"conv_transpose{n}d", keys, None, n, partial(_transposed, n)) for n in (1, 2)
        )

    @property
    def label(self) -> str:
        """``conv_transpose2d 8 3×3/2×2 cut 1×1+b``."""
        steps = f"/{show(self.stride)}" if prod(self.stride) > 1 else ""
        cut = f" cut {show(self.padding)}" if any(self.padding) else ""
        kind = f"conv_transpose{len(self.kernel)}d {self.channels} {show(self.kernel)}"
        return f"{kind}{steps}{cut}" + "+b" * self.bias

    def options(self) -> dict[str, str]:
        """Return what differs from a stride of 1 without padding, and the kernel."""
        stride = {"stride": show(self.stride)} if prod(self.stride) > 1 else {}
        padding = {"padding": show(self.padding)} if any(self.padding) else {}
        return {"kernel": show(self.kernel), **stride, **padding}

    def output(self, *inputs: Shape) -> Shape:
        """One value per channel and place that a window covers, but for those that are cut off."""
        what = f"conv_transpose{len(self.kernel)}d"
        counts = _spread(inputs[0], self.kernel, self.stride, self.padding, what)
        return (self.channels, *counts)

    def parameters(self, *inputs: Shape) -> tuple[tuple[str, Shape], ...]:
        """The kernels U, channels read × taps × channels written, and b if there is a bias."""
        return _kernels(self, inputs[0][0])

    def body(self, *inputs: Shape) -> tuple[Node, ...]:
        """Gather, for every place, what its taps come from; apply one matrix to all of them."""
        spread = Spread(inputs[0][1:], self.kernel, self.stride, self.padding)
        return _multiplied(spread, Pointwise(self.channels, self.bias), self.bias)


@dataclass(frozen=True, slots=True)
class Pool(Composite):
    """Averages over windows; one size stands for all directions.

    >>> Pool((2,), (2,)).output((3, 6))
    (3, 3)
    >>> from conslaw_cli import Flat, Layers, Linear, count_laws
    >>> layers = (Convolution(2, (3,), (1,)), Pool((2,), (2,)), Flat(), Linear(2))
    >>> count_laws(Layers((1, 6), layers)).laws
    3
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]

    keyword = "avg_pool"
    title = "average pooling"
    source = "elementary: averages are taken channel by channel"

    def __post_init__(self) -> None:
        _check_window(self)

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one with windows that overlap, and one in two dimensions."""
        return (cls((2,), (1,)), ((2, 4),)), (cls((2,), (2,)), ((1, 4, 2),))

    @classmethod
    def parsed(
        cls, word: str, units: int | None, options: Mapping[str, str], arrays: int
    ) -> Operation:
        """Read ``h = avg_pool(x, kernel=2, stride=2)``."""
        only(options, "kernel", "stride")
        kernel = options.get("kernel", "")
        return cls(_sizes("kernel", kernel), _sizes("stride", options.get("stride", kernel)))

    @classmethod
    def layers(cls) -> tuple[Layer, ...]:
        """``avg_pool: 2`` is short for ``avg_pool: {kernel: 2}``; the stride is the kernel if it is
        not given.
        """
        keys = {"kernel": Key(KeyKind.SIZES, required=True), "stride": Key(KeyKind.SIZES)}
        return (Layer("avg_pool", keys, "kernel", None, _pool),)

    @property
    def label(self) -> str:
        """``avg_pool 2``, or ``avg_pool 3/2`` with another stride."""
        other = f"/{show(self.stride)}" if self.stride != self.kernel else ""
        return f"avg_pool {show(self.kernel)}{other}"

    def options(self) -> dict[str, str]:
        """Return the kernel, and the stride if it is another."""
        stride = {"stride": show(self.stride)} if self.stride != self.kernel else {}
        return {"kernel": show(self.kernel), **stride}

    def output(self, *inputs: Shape) -> Shape:
        """One value per channel and window."""
        (shape,) = inputs
        kernel, stride = _every(self.kernel, shape), _every(self.stride, shape)
        return (shape[0], *_outputs(shape, kernel, stride, "valid", "avg_pool"))

    def body(self, *inputs: Shape) -> tuple[Node, ...]:
        """Average every window."""
        (shape,) = inputs
        kernel, stride = _every(self.kernel, shape), _every(self.stride, shape)
        return (Node("mean", Averages(shape[1:], kernel, stride), ("x",)),)


@dataclass(frozen=True, slots=True)
class Gather(Operation):
    """(channels, positions) → (channels · taps, places): what the taps of every place read below
    each other, zeros where that is nothing. ``sizes`` are those of the image.
    """

    sizes: Shape

    inner = True

    @property
    def index(self) -> Index:
        """Per tap and place the input position that is read, or the number of these for a zero.
        One tap reads a position at most once.
        """
        raise NotImplementedError

    def ways(self, read: Ways) -> Ways | None:
        """The taps of a place are different units."""
        index, inside = self.index, self.index < prod(self.sizes)
        if read is not Ways.ONCE:
            return Ways.SINGLE
        column = np.sort(index, axis=0)
        if ((column[1:] == column[:-1]) & (column[1:] < prod(self.sizes))).any():
            return Ways.SINGLE
        several = len(np.unique(index[inside])) < np.count_nonzero(inside)
        return Ways.APART if several else Ways.ONCE

    def needed(self, live: Flags, positions: int) -> Flags | None:
        """What some tap reads; every tap has weights. Places that share a tap have to hang
        together, so that what a unit writes is tied together at all of them (docs/any-width.md).
        """
        tied = _hangs_together(self.index[:, live] < positions)
        return _needed(self.index, live, positions) if tied else None

    def forward(self, at: Read) -> Values:
        """Gather."""
        (x,) = at.inputs
        padded = np.concatenate([x, np.zeros_like(x[:, :, :1])], axis=2)
        columns = padded[:, :, self.index]
        return columns.reshape(columns.shape[0], -1, *columns.shape[3:])

    def pullback(self, at: Read, delta: Values) -> Gradients:
        """Scatter: the transposed map."""
        index = self.index
        taps = delta.reshape(delta.shape[0], -1, len(index), *delta.shape[2:])
        return (_scattered(at.ring, taps, index, at.inputs[0].shape[2]),)

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """The taps of a channel are copies of one unit; zeros around an image are not shifted."""
        zeros = bool((self.index == prod(self.sizes)).any())
        wire = wiring.unshifted(inputs[0]) if zeros else inputs[0]
        return wire.repeated(len(self.index))


@dataclass(frozen=True, slots=True)
class Windows(Gather):
    """The values in every window of an image, whose taps are ``dilation`` apart; zeros where it
    leaves the image.
    """

    kernel: Shape
    stride: Shape
    padding: Padding
    dilation: Shape

    keyword = "windows"
    title = "windows of an image, as columns"
    source = "elementary: the taps of a channel are copies of one unit"

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one with zeros around it, one that goes around, and one with gaps."""
        return (
            (cls((4,), (3,), (1,), "same", (1,)), ((2, 4),)),
            (cls((2, 3), (2, 2), (1, 1), "circular", (1, 1)), ((1, 2, 3),)),
            (cls((5,), (2,), (2,), "valid", (3,)), ((2, 5),)),
        )

    @property
    def index(self) -> Index:
        """Per tap and window the input position that is read, or the number of these for a zero."""
        return _windows(self.sizes, self.kernel, self.stride, self.padding, self.dilation)

    def output(self, *inputs: Shape) -> Shape:
        """One column per window."""
        taps, kernel = prod(self.kernel), _reach(self.kernel, self.dilation)
        counts = _outputs(inputs[0], kernel, self.stride, self.padding, self.keyword, taps)
        return (inputs[0][0] * taps, *counts)


@dataclass(frozen=True, slots=True)
class Spread(Gather):
    """The values whose windows, one for each position and ``stride`` apart, cover a place, by the
    tap that does; places at the ends are cut off.
    """

    kernel: Shape
    stride: Shape
    padding: Shape

    keyword = "spread"
    title = "windows that cover a place, as columns"
    source = "elementary: the taps of a channel are copies of one unit"

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one with gaps between the positions, and one without zeros."""
        return (
            (cls((3,), (3,), (2,), (1,)), ((2, 3),)),
            (cls((2, 3), (1, 1), (1, 1), (0, 1)), ((1, 2, 3),)),
        )

    @property
    def index(self) -> Index:
        """Per tap and place the input position that is read, or the number of these for a zero."""
        return _covers(self.sizes, self.kernel, self.stride, self.padding)

    def output(self, *inputs: Shape) -> Shape:
        """One column per place."""
        counts = _spread(inputs[0], self.kernel, self.stride, self.padding, self.keyword)
        return (inputs[0][0] * prod(self.kernel), *counts)


@dataclass(frozen=True, slots=True)
class Picked(Gather):
    """What a table says: for each tap and place the position that is read, or the number of
    positions for a zero.
    """

    table: tuple[tuple[int, ...], ...]

    keyword = "picked"
    title = "places of an image, as columns"
    source = "elementary: some places of a window, the others being zero"
    inner = True

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one with zeros, and one of one tap."""
        return (cls((3,), ((0, 2), (3, 1))), ((2, 3),)), (cls((4,), ((3, 1, 4),)), ((1, 4),))

    @property
    def index(self) -> Index:
        """The table."""
        return np.array(self.table, np.intp)

    def options(self) -> dict[str, str]:
        """Return the table."""
        return {"table": _rows(self.table)}

    def output(self, *inputs: Shape) -> Shape:
        """One column per place."""
        return (inputs[0][0] * len(self.table), len(self.table[0]))


@dataclass(frozen=True, slots=True)
class Grouped(Operation):
    """One dense layer for each group of units, at every position: U is groups × units read of a
    group × taps × units written of one, taps being rows beside each other.
    """

    units: int
    groups: int
    taps: int
    bias: bool = False

    keyword = "grouped"
    title = "dense layers of groups of units, at every position"
    source = "elementary: a block-diagonal matrix"
    inner = True
    opens = "units"

    def resized(self, units: int) -> Operation:
        """Return it with so many units, as many as before in each group."""
        return replace(self, units=units, groups=units * self.groups // self.units)

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return groups of two units, read by one and by two, and of single ones."""
        return (
            (cls(2, 2, 1), ((4, 2),)),
            (cls(4, 2, 1, True), ((4, 1),)),
            (cls(4, 2, 1), ((2, 2),)),
            (cls(3, 3, 1), ((3, 2),)),
        )

    def output(self, *inputs: Shape) -> Shape:
        """The positions stay."""
        return (self.units, *inputs[0][1:])

    def parameters(self, *inputs: Shape) -> tuple[tuple[str, Shape], ...]:
        """The matrices U, and b if there is a bias."""
        read = inputs[0][0] // (self.groups * self.taps)
        bias = (("b", (self.units,)),) * self.bias
        return (("U", (self.groups, read, self.taps, self.units // self.groups)), *bias)

    def forward(self, at: Read) -> Values:
        """Apply the affine maps at every position."""
        (x,), matrices = at.inputs, at.arrays[0]
        u, h = self._folded(matrices, x, len(x))
        z = at.ring.matmul(u.swapaxes(1, 2), h)
        z = z.reshape(-1, self.units, *z.shape[2:])
        return at.ring.add(z, at.arrays[1][:, :, None]) if self.bias else z

    def pullback(self, at: Read, delta: Values) -> Gradients:
        """∂U = h δᵀ, ∂b = δ summed over positions, ∂h = U δ, group by group."""
        (x,), matrices, batch = at.inputs, at.arrays[0], len(delta)
        u, h = self._folded(matrices, x, batch)
        each = delta.reshape(batch * self.groups, -1, *delta.shape[2:])
        back = at.ring.matmul(u, each) if at.wanted[0] else None
        moved = at.ring.matmul(h, each.swapaxes(1, 2)) if at.wanted[1] else None
        if back is not None:
            back = back.reshape(batch, -1, *back.shape[2:])
        if moved is not None:
            moved = moved.reshape(batch, *matrices.shape[1:5], *moved.shape[3:])
        if not self.bias:
            return back, moved
        return back, moved, at.ring.sum(delta, 2) if at.wanted[2] else None

    def growth(self, *inputs: Growth) -> Growth:
        """One parameter a term."""
        return Growth(inputs[0].parameters + 1, inputs[0].probe)

    def ways(self, read: Ways) -> Ways | None:
        """As of a dense layer."""
        return None if read is Ways.SINGLE else Ways.SINGLE

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """As a dense layer; but only maps within groups pass, on both sides."""
        read = wiring.grouped(inputs[0], self.groups)
        return wiring.grouped(wiring.layer(read, self.units, *arrays), self.groups)

    def _folded(self, matrices: Values, x: Values, batch: int) -> tuple[Values, Values]:
        """Return the matrices and what they read with groups as more of a batch."""
        groups, written = self.groups, self.units // self.groups
        size = max(batch, len(matrices), len(x))
        u = np.broadcast_to(matrices, (size, *matrices.shape[1:]))
        h = np.broadcast_to(x, (size, *x.shape[1:]))
        u = u.reshape(size * groups, -1, written, *matrices.shape[5:])
        return u, h.reshape(size * groups, -1, *x.shape[2:])


@dataclass(frozen=True, slots=True)
class Averages(Operation):
    """(channels, positions) → (channels, windows): averages over the windows of an image."""

    sizes: Shape
    kernel: Shape
    stride: Shape

    keyword = "averages"
    title = "averages over windows of an image"
    source = "elementary: averages are taken channel by channel"
    inner = True

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one whose windows overlap."""
        return ((cls((4,), (2,), (1,)), ((2, 4),)),)

    @property
    def index(self) -> Index:
        """Per tap and window the input position that is read."""
        return _windows(self.sizes, self.kernel, self.stride, "valid", (1,) * len(self.kernel))

    def output(self, *inputs: Shape) -> Shape:
        """One value per channel and window."""
        counts = _outputs(inputs[0], self.kernel, self.stride, "valid", self.keyword)
        return (inputs[0][0], *counts)

    def ways(self, read: Ways) -> Ways | None:
        """A window has a marked value twice only if several of its positions do."""
        if read is not Ways.ONCE:
            return None
        overlap = any(s < k for s, k in zip(self.stride, self.kernel, strict=True))
        return Ways.APART if overlap else Ways.ONCE

    def needed(self, live: Flags, positions: int) -> Flags | None:
        """The windows."""
        return _needed(self.index, live, positions)

    def lone(self, live: Flags, positions: int) -> Flags | None:
        """What is in one window only."""
        index = self.index[:, live]
        lone: Flags = np.bincount(index.ravel(), minlength=positions) == 1
        return lone if lone[index].any(axis=0).all() else None

    @property
    def denominator(self) -> int:
        """The taps of a window."""
        return prod(self.kernel)

    def held(self, *inputs: Shape) -> int:
        """The windows and their averages."""
        return inputs[0][0] * int(self.index.size + self.index.shape[1])

    def forward(self, at: Read) -> Values:
        """Average every window."""
        index = self.index
        total = at.ring.sum(at.inputs[0][:, :, index], 2)
        return at.ring.scale(total, Fraction(1, len(index)))

    def pullback(self, at: Read, delta: Values) -> Gradients:
        """Spread the cotangent over its window."""
        index = self.index
        part = at.ring.scale(delta, Fraction(1, len(index)))[:, :, None]
        taps = np.broadcast_to(part, (*part.shape[:2], len(index), *part.shape[3:]))
        return (_scattered(at.ring, taps, index, at.inputs[0].shape[2]),)

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """Averages are taken channel by channel."""
        return inputs[0]


@dataclass(frozen=True, slots=True)
class Means(Operation):
    """(channels, positions) → (channels, windows): sums over what a table says for each tap and
    window, the number of positions standing for a zero, divided by a number.
    """

    sizes: Shape
    table: tuple[tuple[int, ...], ...]
    divisor: int

    keyword = "means"
    title = "averages over some places of windows"
    source = "elementary: some places of a window, the others being zero"
    inner = True

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one with zeros."""
        return ((cls((3,), ((0, 1), (2, 3)), 4), ((2, 3),)),)

    @property
    def index(self) -> Index:
        """The table."""
        return np.array(self.table, np.intp)

    def options(self) -> dict[str, str]:
        """Return the table and the divisor."""
        return {"table": _rows(self.table), "divisor": str(self.divisor)}

    def output(self, *inputs: Shape) -> Shape:
        """One value per channel and window."""
        return (inputs[0][0], len(self.table[0]))

    def needed(self, live: Flags, positions: int) -> Flags | None:
        """What is added up there."""
        needed = np.zeros(positions + 1, np.bool_)
        needed[self.index[:, live]] = True
        return needed[:-1]

    @property
    def denominator(self) -> int:
        """What is divided by."""
        return self.divisor

    def forward(self, at: Read) -> Values:
        """Add up, and divide."""
        (x,) = at.inputs
        padded = np.concatenate([x, np.zeros_like(x[:, :, :1])], axis=2)
        return at.ring.scale(at.ring.sum(padded[:, :, self.index], 2), Fraction(1, self.divisor))

    def pullback(self, at: Read, delta: Values) -> Gradients:
        """Spread the cotangent over the windows."""
        index = self.index
        part = at.ring.scale(delta, Fraction(1, self.divisor))[:, :, None]
        taps = np.broadcast_to(part, (*part.shape[:2], len(index), *part.shape[3:]))
        return (_scattered(at.ring, taps, index, at.inputs[0].shape[2]),)

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """Averages are taken channel by channel; sums over fewer places are shifted less."""
        return wiring.unshifted(inputs[0])


def _rows(table: Sequence[Sequence[int]]) -> str:
    return "|".join(" ".join(map(str, row)) for row in table)


def _hangs_together(inside: NDArray[np.bool_]) -> bool:
    """Whether the graph of taps and the places at which they read is connected."""
    places = inside[0]
    while (wider := inside[(inside & places).any(axis=1)].any(axis=0)).sum() > places.sum():
        places = wider
    return bool(places.all() and (inside & places).any(axis=1).all())


def _needed(index: Index, live: Flags, positions: int) -> Flags | None:
    """Return which positions the places that are live read; None if some tap reads nothing."""
    read = index[:, live]
    if not (read < positions).any(axis=1).all():
        return None
    needed = np.zeros(positions + 1, np.bool_)
    needed[read] = True
    return needed[:-1]


def _convolution(dimensions: int, stride: Shape | None = None, **values: Any) -> Convolution:
    return Convolution(stride=(1,) * dimensions if stride is None else stride, **values)


def _transposed(dimensions: int, stride: Shape | None = None, **values: Any) -> Operation:
    return TransposedConvolution(stride=(1,) * dimensions if stride is None else stride, **values)


def _pool(kernel: Shape, stride: Shape | None = None) -> Pool:
    return Pool(kernel, kernel if stride is None else stride)


def _scattered(ring: Ring, taps: Values, index: Index, places: int) -> Values:
    """Add (batch, channels, taps, windows) up at the positions that they were read from.

    One tap reads an input position at most once; what it read beyond them was a zero.
    """
    batch, channels = taps.shape[:2]
    back = np.zeros((batch, channels, places + 1, *taps.shape[4:]), dtype=taps.dtype)
    for tap, read in enumerate(index):
        back[:, :, read] = ring.add(back[:, :, read], taps[:, :, tap])
    return back[:, :, :-1]


def _parsed(
    word: str, units: int | None, options: Mapping[str, str], arrays: int
) -> tuple[int, Shape, Shape, bool]:
    """Return channels, kernel, stride and whether there is a bias."""
    if units is None or "kernel" not in options:
        raise SpecError(f"{word}: expected channels and a kernel, as in h[8] = {word}(x, kernel=3)")
    if arrays not in (1, 2):
        raise SpecError(f"{word}: expected a matrix, or a matrix and a bias, got {arrays}")
    kernel = _sizes("kernel", options["kernel"])
    stride = _sizes("stride", options["stride"]) if "stride" in options else (1,) * len(kernel)
    return units, kernel, stride, arrays == 2


def _kernels(
    layer: Convolution | TransposedConvolution, read: int
) -> tuple[tuple[str, Shape], ...]:
    taps = (prod(layer.kernel),) if prod(layer.kernel) > 1 else ()
    return (("U", (read, *taps, layer.channels)), *(("b", (layer.channels,)),) * layer.bias)


def _multiplied(gather: Gather, matrix: Operation, bias: bool) -> tuple[Node, ...]:
    arrays = ("U", "b") if bias else ("U",)
    return Node("windows", gather, ("x",)), Node("z", matrix, ("windows",), arrays)


def _sizes(key: str, text: str) -> tuple[int, ...]:
    parts = text.split("×")
    if not all(part.isascii() and part.isdecimal() and len(part) < 12 for part in parts):
        raise SpecError(f"{key}: expected sizes such as 3 or 3×3, got {checks.shown(text)}")
    return tuple(map(int, parts))


def _check_kernels(layer: Convolution | TransposedConvolution) -> None:
    checks.integer("channels", layer.channels, 1, MAX_WIDTH)
    _check_window(layer)
    if len(layer.kernel) not in (1, 2):
        raise SpecError(f"kernel: expected 1 or 2 sizes, got {len(layer.kernel)}")
    checks.flag("bias", layer.bias)


def _check_window(layer: Convolution | TransposedConvolution | Pool) -> None:
    for key in ("kernel", "stride"):
        sizes = checks.sizes(key, getattr(layer, key), MAX_WIDTH)
        object.__setattr__(layer, key, sizes)
        if not sizes:
            raise SpecError(f"{key}: expected at least one size")


def _every(sizes: Shape, shape: Shape) -> Shape:
    """Return one size per spatial direction."""
    return sizes * (len(shape) - 1) if len(sizes) == 1 else sizes


def _reach(kernel: Shape, dilation: Shape) -> Shape:
    """Return the extents of a window."""
    return tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))


def _outputs(
    shape: Shape, kernel: Shape, stride: Shape, padding: str, what: str, taps: int | None = None
) -> Shape:
    """Return how many windows there are. kernel: their extents; taps: how many of these count, all
    if it is not said otherwise.
    """
    _check_shape(shape, kernel, stride, what)
    if padding == "valid" and any(k > n for n, k in zip(shape[1:], kernel, strict=True)):
        raise ShapeError(
            f"{what}: the kernel {show(kernel)} is larger than what it reads, {show(shape)}"
        )
    _check_taps((prod(kernel) if taps is None else taps) * prod(shape[1:]), what)
    if padding == "valid":
        return tuple((n - k) // s + 1 for n, k, s in zip(shape[1:], kernel, stride, strict=True))
    return tuple(-(-n // s) for n, s in zip(shape[1:], stride, strict=True))


def _spread(shape: Shape, kernel: Shape, stride: Shape, padding: Shape, what: str) -> Shape:
    """Return how many places windows cover that stand ``stride`` apart, without those cut off."""
    _check_shape(shape, kernel, stride, what)
    sides = zip(shape[1:], kernel, stride, padding, strict=True)
    counts = tuple((n - 1) * s - 2 * p + k for n, k, s, p in sides)
    if min(counts) < 1:
        raise ShapeError(f"{what}: nothing is left of {show(shape)} with padding {show(padding)}")
    _check_taps(prod(kernel) * prod(counts), what)
    return counts


def _check_shape(shape: Shape, kernel: Shape, stride: Shape, what: str) -> None:
    if len(shape) == 1 or len(shape) != len(kernel) + 1:
        raise ShapeError(
            f"{what}: expected channels and {len(kernel) or 1} spatial sizes, got {show(shape)}"
        )
    if len(stride) != len(kernel):
        raise ShapeError(f"{what}: expected one stride or {len(kernel)}, got {len(stride)}")


def _check_taps(taps: int, what: str) -> None:
    if taps > MAX_UNITS:
        raise ShapeError(f"{what}: {taps:,} taps a channel, at most {MAX_UNITS:,} are supported")


Axis = tuple[NDArray[np.int64], int]
"""Of one direction: the position that each tap reads at each place, and how many there are."""


@lru_cache(maxsize=64)
def _windows(
    sizes: Shape, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape
) -> Index:
    reach, axes = _reach(kernel, dilation), list[Axis]()
    counts = _outputs((1, *sizes), reach, stride, padding, "", prod(kernel))
    for n, k, d, s, width, count in zip(
        sizes, kernel, dilation, stride, reach, counts, strict=True
    ):
        before = max((count - 1) * s + width - n, 0) // 2 if padding == "same" else 0
        at = np.arange(k)[:, None] * d + np.arange(count) * s - before
        axes.append((at % n if padding == "circular" else at, n))
    return _placed(axes)


@lru_cache(maxsize=64)
def _covers(sizes: Shape, kernel: Shape, stride: Shape, padding: Shape) -> Index:
    axes = list[Axis]()
    counts = _spread((1, *sizes), kernel, stride, padding, "")
    for n, k, s, p, count in zip(sizes, kernel, stride, padding, counts, strict=True):
        at = np.arange(count) + p - np.arange(k)[:, None]
        axes.append((np.where(at % s == 0, at // s, -1), n))
    return _placed(axes)


def _placed(axes: Sequence[Axis]) -> Index:
    """Return positions of all directions together; what is outside of one is outside."""
    place = np.zeros((1, 1), dtype=np.intp)
    inside = np.ones((1, 1), dtype=np.bool_)
    for at, n in axes:
        k = len(at)
        place = (place[:, None, :, None] * n + at[None, :, None, :]).reshape(len(place) * k, -1)
        inside = (inside[:, None, :, None] & ((at >= 0) & (at < n))[None, :, None, :]).reshape(
            place.shape
        )
    return np.where(inside, place, prod(n for _, n in axes))
