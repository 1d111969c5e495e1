"""Convolutions and pooling: windows over the positions of an image or a sequence.

A convolution gathers the window of every output position into one column and applies one matrix to
all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from conslaw_cli import checks
from conslaw_cli.algebra.rings import Ring, Values
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.operation import (
    Composite,
    Gradients,
    Index,
    Key,
    KeyKind,
    Layer,
    Node,
    Operation,
    Read,
    Shape,
    ShapeError,
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

    Raise SpecError for sizes that are no positive integers, and for another padding.
    """

    channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding = "valid"
    bias: bool = False

    keyword = "conv"
    title = "convolution over one or two dimensions"
    source = "arXiv 2506.06194, Thm 3.6"
    opens = "channels"

    def __post_init__(self) -> None:
        checks.integer("channels", self.channels, 1, MAX_WIDTH)
        _check_window(self)
        if len(self.kernel) not in (1, 2):
            raise SpecError(f"kernel: expected 1 or 2 sizes, got {len(self.kernel)}")
        checks.choice("padding", self.padding, PADDINGS)
        checks.flag("bias", self.bias)

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one of each padding, in one and two dimensions."""
        return (
            (cls(2, (2,), (1,)), ((2, 4),)),
            (cls(1, (3,), (2,), "same", True), ((2, 5),)),
            (cls(2, (2, 2), (1, 2), "circular"), ((1, 3, 4),)),
        )

    @classmethod
    def parsed(
        cls, word: str, units: int | None, options: Mapping[str, str], arrays: int
    ) -> Operation:
        """Read ``h[8] = conv(x, kernel=3×3, stride=1×1, padding=same; U1, b1)``."""
        only(options, "kernel", "stride", "padding")
        if units is None or "kernel" not in options:
            raise SpecError("conv: expected channels and a kernel, as in h[8] = conv(x, kernel=3)")
        if arrays not in (1, 2):
            raise SpecError(f"conv: expected a matrix, or a matrix and a bias, got {arrays}")
        kernel = _sizes("kernel", options["kernel"])
        stride = _sizes("stride", options["stride"]) if "stride" in options else (1,) * len(kernel)
        padding: Any = options.get("padding", "valid")
        return cls(units, kernel, stride, padding, arrays == 2)

    @classmethod
    def layers(cls) -> tuple[Layer, ...]:
        """``conv1d`` and ``conv2d``; one number stands for a size equal in all directions."""
        keys = {
            "channels": Key(KeyKind.SIZE, required=True),
            "kernel": Key(KeyKind.SIZES, required=True),
            "stride": Key(KeyKind.SIZES),
            "padding": Key(KeyKind.WORD, words=PADDINGS),
            "bias": Key(KeyKind.FLAG),
        }
        return tuple(Layer(f"conv{n}d", keys, None, n, partial(_convolution, n)) for n in (1, 2))

    @property
    def label(self) -> str:
        """``conv2d 8 3×3/2×2 same+b``."""
        steps = f"/{show(self.stride)}" if prod(self.stride) > 1 else ""
        padded = "" if self.padding == "valid" else f" {self.padding}"
        kind = f"conv{len(self.kernel)}d"
        return f"{kind} {self.channels} {show(self.kernel)}{steps}{padded}" + "+b" * self.bias

    def options(self) -> dict[str, str]:
        """Return what differs from a stride of 1 without padding, and the kernel."""
        stride = {"stride": show(self.stride)} if prod(self.stride) > 1 else {}
        padding = {"padding": self.padding} if self.padding != "valid" else {}
        return {"kernel": show(self.kernel), **stride, **padding}

    def output(self, *inputs: Shape) -> Shape:
        """One value per channel and window."""
        (shape,) = inputs
        what = f"conv{len(self.kernel)}d"
        return (self.channels, *_outputs(shape, self.kernel, self.stride, self.padding, what))

    def parameters(self, *inputs: Shape) -> tuple[tuple[str, Shape], ...]:
        """The kernels U, channels read × taps × channels written, and b if there is a bias."""
        (shape,) = inputs
        taps = (prod(self.kernel),) if prod(self.kernel) > 1 else ()
        kernels = ("U", (shape[0], *taps, self.channels))
        return (kernels, ("b", (self.channels,))) if self.bias else (kernels,)

    def body(self, *inputs: Shape) -> tuple[Node, ...]:
        """Gather the windows; apply one matrix to all of them."""
        sizes = inputs[0][1:]
        windows = Windows(sizes, self.kernel, self.stride, self.padding)
        arrays = ("U", "b") if self.bias else ("U",)
        return (
            Node("windows", windows, ("x",)),
            Node("z", Pointwise(self.channels, self.bias), ("windows",), arrays),
        )


@dataclass(frozen=True, slots=True)
class Pool(Composite):
    """Averages over windows; one size stands for all directions."""

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
class Windows(Operation):
    """(channels, positions) → (channels · taps, windows): the values in every window below each
    other, zeros where it leaves the image. ``sizes`` are those of the image.
    """

    sizes: Shape
    kernel: Shape
    stride: Shape
    padding: Padding

    keyword = "windows"
    title = "windows of an image, as columns"
    source = "elementary: the taps of a channel are copies of one unit"
    inner = True

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one with zeros around it and one that goes around."""
        return (
            (cls((4,), (3,), (1,), "same"), ((2, 4),)),
            (cls((2, 3), (2, 2), (1, 1), "circular"), ((1, 2, 3),)),
        )

    @property
    def index(self) -> Index:
        """Per tap and window the input position that is read, or the number of these for a zero."""
        return _windows(self.sizes, self.kernel, self.stride, self.padding)

    def output(self, *inputs: Shape) -> Shape:
        """One column per window."""
        counts = _outputs(inputs[0], self.kernel, self.stride, self.padding, self.keyword)
        return (inputs[0][0] * prod(self.kernel), *counts)

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
        return _windows(self.sizes, self.kernel, self.stride, "valid")

    def output(self, *inputs: Shape) -> Shape:
        """One value per channel and window."""
        counts = _outputs(inputs[0], self.kernel, self.stride, "valid", self.keyword)
        return (inputs[0][0], *counts)

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


def _convolution(dimensions: int, stride: Shape | None = None, **values: Any) -> Convolution:
    return Convolution(stride=(1,) * dimensions if stride is None else stride, **values)


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


def _sizes(key: str, text: str) -> tuple[int, ...]:
    parts = text.split("×")
    if not all(part.isascii() and part.isdecimal() and len(part) < 12 for part in parts):
        raise SpecError(f"{key}: expected sizes such as 3 or 3×3, got {checks.shown(text)}")
    return tuple(map(int, parts))


def _check_window(layer: Convolution | Pool) -> None:
    for key in ("kernel", "stride"):
        sizes = checks.sizes(key, getattr(layer, key), MAX_WIDTH)
        object.__setattr__(layer, key, sizes)
        if not sizes:
            raise SpecError(f"{key}: expected at least one size")


def _every(sizes: Shape, shape: Shape) -> Shape:
    """Return one size per spatial direction."""
    return sizes * (len(shape) - 1) if len(sizes) == 1 else sizes


def _outputs(shape: Shape, kernel: Shape, stride: Shape, padding: str, what: str) -> Shape:
    if len(shape) == 1 or len(shape) != len(kernel) + 1:
        raise ShapeError(
            f"{what}: expected channels and {len(kernel) or 1} spatial sizes, got {show(shape)}"
        )
    if len(stride) != len(kernel):
        raise ShapeError(f"{what}: expected one stride or {len(kernel)}, got {len(stride)}")
    if padding == "valid" and any(k > n for n, k in zip(shape[1:], kernel, strict=True)):
        raise ShapeError(
            f"{what}: the kernel {show(kernel)} is larger than what it reads, {show(shape)}"
        )
    taps = prod(kernel) * prod(shape[1:])
    if taps > MAX_UNITS:
        raise ShapeError(f"{what}: {taps:,} taps a channel, at most {MAX_UNITS:,} are supported")
    if padding == "valid":
        return tuple((n - k) // s + 1 for n, k, s in zip(shape[1:], kernel, stride, strict=True))
    return tuple(-(-n // s) for n, s in zip(shape[1:], stride, strict=True))


@lru_cache(maxsize=64)
def _windows(sizes: Shape, kernel: Shape, stride: Shape, padding: Padding) -> Index:
    counts = _outputs((1, *sizes), kernel, stride, padding, "")
    place = np.zeros((1, 1), dtype=np.intp)
    inside = np.ones((1, 1), dtype=np.bool_)
    for n, k, s, count in zip(sizes, kernel, stride, counts, strict=True):
        before = max((count - 1) * s + k - n, 0) // 2 if padding == "same" else 0
        at = np.arange(k)[:, None] + np.arange(count) * s - before
        at = at % n if padding == "circular" else at
        place = (place[:, None, :, None] * n + at[None, :, None, :]).reshape(len(place) * k, -1)
        inside = (inside[:, None, :, None] & ((at >= 0) & (at < n))[None, :, None, :]).reshape(
            place.shape
        )
    return np.where(inside, place, prod(sizes))
