"""Networks given layer by layer: dense, convolutional, residual, pooled.

φ is that of the free-gate network: the coefficients, as polynomials in θ, of the distinct monomials
in the input, the output weights and one free factor per activated unit (and position). The known
laws are those of the junctions (wiring.py): of a linear space the symmetric matrix, of an activated
one its diagonal, for convolutions summed over kernel positions ("Transformative or Conservative?
Conservation laws for ResNets and Transformers", ICML 2025, arXiv 2506.06194, Thm 3.6 for channels,
Prop. 3.2 for residual branches).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from conslaw_cli import checks
from conslaw_cli.errors import SpecError
from conslaw_cli.families.mlp import (
    ACTIVATIONS,
    HOMOGENEOUS,
    LINEAR,
    LOSSES,
    MAX_WIDTH,
    MLP,
    Loss,
)
from conslaw_cli.networks.blocks import AveragePool, Flatten, Patches, Residual
from conslaw_cli.networks.known_laws import Laws
from conslaw_cli.networks.network import Block, Dense, Gate, GradientFields, Network

Shape = tuple[int, ...]
"""(units,) or (channels, length) or (channels, height, width)."""
Padding = Literal["valid", "same", "circular"]
PADDINGS: tuple[Padding, ...] = ("valid", "same", "circular")
FREE_GATES = (
    "The count is that of the φ whose gates are free factors; whether the gradients of the network"
    " itself span W_φ is not part of the count."
)
LISTED_UP_TO = 10**5
"""Parameters beyond which nothing is listed to estimate the memory: ranks of this size need 160 GB
at least.
"""
MAX_UNITS = 10**7
"""Values a layer may hold: what is larger is refused before any index is made."""
MAX_NESTING = 50
"""Levels of residual branches inside one another."""


class LayerError(SpecError):
    """A layer does not fit. ``path`` says which: indices into nested lists of layers."""

    def __init__(self, path: tuple[int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Linear:
    """A dense layer, ``units`` outputs."""

    units: int
    bias: bool = False

    def __post_init__(self) -> None:
        checks.integer("units", self.units, 1, MAX_WIDTH)
        checks.flag("bias", self.bias)


@dataclass(frozen=True, slots=True)
class Activation:
    """A positively homogeneous activation of degree one, or the identity."""

    name: str

    def __post_init__(self) -> None:
        checks.choice("activation", self.name, ACTIVATIONS)


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution with ``channels`` outputs; kernel and stride have one entry per spatial
    dimension.
    """

    channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding = "valid"
    bias: bool = False

    def __post_init__(self) -> None:
        checks.integer("channels", self.channels, 1, MAX_WIDTH)
        _check_window(self)
        if len(self.kernel) not in (1, 2):
            raise SpecError(f"kernel: expected 1 or 2 sizes, got {len(self.kernel)}")
        checks.choice("padding", self.padding, PADDINGS)
        checks.flag("bias", self.bias)


@dataclass(frozen=True, slots=True)
class Pool:
    """Averages over windows; one size stands for all directions."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_window(self)


@dataclass(frozen=True, slots=True)
class Flat:
    """Channels and positions become one vector."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Layers that are added to what they read."""

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", _checked_layers(self.layers))


Layer = Linear | Activation | Convolution | Pool | Flat | Branch


@dataclass(frozen=True, slots=True)
class Step:
    """One layer with the shapes before and behind it; ``path`` has one index per level of
    nesting.
    """

    path: tuple[int, ...]
    layer: Layer
    before: Shape
    after: Shape
    parameters: int


@dataclass(frozen=True, slots=True)
class Layers:
    """A network given by its layers. Raise LayerError where one does not fit what it reads.

    input: the shape of the input, (units,), (channels, length) or (channels, height, width).
    layers: the layers from input to output; lists become tuples, here as in the layers themselves.
    loss as for MLP; name: a label, by default made from the rest.

    >>> from conslaw_cli import Activation, Convolution, Flat, count_laws
    >>> layers = (Convolution(2, (3,), (1,)), Activation("relu"), Flat(), Linear(1))
    >>> count_laws(Layers((1, 5), layers, name="small"))
    <LawCount 'small': D = 12, dim Lie = 10, laws = 2 (2 known), proved>
    """

    input: Shape
    layers: tuple[Layer, ...]
    loss: Loss = "mse"
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "input", _checked_input(self.input))
        object.__setattr__(self, "layers", _checked_layers(self.layers))
        checks.choice("loss", self.loss, LOSSES)
        checks.text("name", self.name)
        _check_size((), self.input, "the input")
        if not any(step.parameters for step in self.steps()):
            raise SpecError("layers: expected at least one layer with parameters")
        if not self.name:
            loss = "" if self.loss == "mse" else f" {self.loss}"
            object.__setattr__(self, "name", f"{show(self.input)} → {_summary(self.layers)}{loss}")

    def steps(self) -> list[Step]:
        """Return all layers in order, those of a residual branch before the branch itself."""
        return list(_steps(self.layers, self.input, ()))

    def describe(self) -> dict[str, Any]:
        """Return the JSON-ready keys that define the architecture (all but its name)."""
        return {
            "input": list(self.input),
            "layers": [_jsonable(layer) for layer in self.layers],
            "loss": self.loss,
        }

    @property
    def parameters(self) -> int:
        """D."""
        return sum(step.parameters for step in self.steps() if not isinstance(step.layer, Branch))

    @property
    def known_listed(self) -> int:
        """Number of known laws listed; 0 for a network beyond every budget, whose laws are not
        worth listing.
        """
        return self._listed()[0]

    @property
    def rank_guess(self) -> int:
        """A guess of dim Lie(W_φ)(θ) from sizes alone: a known law removes half a dimension."""
        return max(1, self.parameters - self.known_listed // 2)

    @property
    def known_terms(self) -> int:
        """Number of monomials of the known laws."""
        return self._listed()[1]

    def _listed(self) -> tuple[int, int]:
        mlp = self.mlp()
        if mlp is not None:
            return mlp.known_listed, mlp.known_terms
        return self._network().listed() if self.parameters <= LISTED_UP_TO else (0, 0)

    def mlp(self) -> MLP | None:
        """Return the same network as an MLP if it is one: dense layers, an activation or none
        behind each but the last.
        """
        if len(self.input) != 1 or any(
            isinstance(layer, Convolution | Pool | Branch) for layer in self.layers
        ):
            return None
        groups: list[tuple[Linear, str]] = []
        for layer in self.layers:
            if layer == Flat() or (isinstance(layer, Activation) and layer.name in LINEAR):
                continue
            if isinstance(layer, Linear):
                groups.append((layer, "linear"))
            elif isinstance(layer, Activation) and groups and groups[-1][1] == "linear":
                groups[-1] = (groups[-1][0], layer.name)
            else:
                return None
        *hidden, (last, behind) = groups
        biases = {dense.bias for dense, _ in hidden}
        if behind != "linear" or len(biases) > 1 or (last.bias and biases == {False}):
            return None
        bias: Literal[False, "hidden", "all"] = (
            "all" if last.bias else ("hidden" if biases == {True} else False)
        )
        return MLP(
            (*self.input, *(dense.units for dense, _ in groups)),
            tuple(name for _, name in hidden),
            bias,
            self.loss,
        )

    @property
    def scope(self) -> str | None:
        """What is known of an MLP; for other networks, that φ is the one of free gates."""
        mlp = self.mlp()
        if mlp is not None:
            return mlp.scope
        gated = any(
            isinstance(step.layer, Activation) and step.layer.name in HOMOGENEOUS
            for step in self.steps()
        )
        return FREE_GATES if gated else None

    def parameter_names(self) -> list[str]:
        """Return the names of the parameters, in the order of θ."""
        return self._network().parameter_names()

    def outline(self) -> list[tuple[str, str, int]]:
        """Return the input and the layers, those of a branch indented below it."""
        rows = [("input", show(self.input), 0)]
        for step in sorted(self.steps(), key=lambda step: step.path):
            what = "residual" if isinstance(step.layer, Branch) else title(step.layer)
            parameters = 0 if isinstance(step.layer, Branch) else step.parameters
            rows.append(("  " * (len(step.path) - 1) + what, show(step.after), parameters))
        return rows

    def fields(self) -> GradientFields:
        """Return the gradients ``∇_θ F(θ; a)``."""
        return GradientFields(self._network())

    def laws(self) -> Laws:
        """Return the known laws: those of the junctions, and what the loss adds."""
        return self._network().laws()

    @property
    def held(self) -> int:
        """Numbers that evaluating one field holds besides θ and the gradient: every layer's values,
        and its windows.
        """
        return sum(prod(step.after) + _taps(step) for step in self.steps())

    def _network(self) -> Network:
        return _built(self)

    def build(self) -> Network:
        """Make the network: what :meth:`fields` and :meth:`laws` share."""
        build = _Build()
        blocks = build.chain(self.layers, self.input, ())
        output = self.steps()[-1].after
        if prod(output[1:]) > 1:
            blocks.append(Flatten(prod(output[1:])))
        zero_sum = self.loss == "cross_entropy"
        positions = prod(self.input[1:])
        return Network(
            tuple(blocks),
            build.offset,
            prod(self.input),
            prod(output),
            build.gates,
            zero_sum,
            positions,
            self.held,
        )


@lru_cache(maxsize=4)
def _built(layers: Layers) -> Network:
    return layers.build()


def _taps(step: Step) -> int:
    match step.layer:
        case Convolution(_, kernel):
            return step.before[0] * prod(kernel) * prod(step.after[1:])
        case Pool(kernel):
            return step.before[0] * prod(_every(kernel, step.before)) * prod(step.after[1:])
    return 0


class _Build:
    """Turns layers into blocks, handing out parameters and gates."""

    def __init__(self) -> None:
        self.offset = self.gates = self.label = 0

    def chain(self, layers: Sequence[Layer], shape: Shape, path: tuple[int, ...]) -> list[Block]:
        blocks: list[Block] = []
        for i, layer in enumerate(layers):
            blocks += self.blocks(layer, shape, (*path, i))
            shape = _after(layer, shape, (*path, i))
        return blocks

    def blocks(self, layer: Layer, shape: Shape, path: tuple[int, ...]) -> list[Block]:
        match layer:
            case Linear(units, bias):
                return [self._dense(shape[0], units, bias, 1)]
            case Convolution(channels, kernel, stride, padding, bias):
                index = _windows(shape[1:], kernel, stride, padding)
                return [
                    Patches(index),
                    self._dense(shape[0] * prod(kernel), channels, bias, prod(kernel)),
                ]
            case Activation(name):
                return [self._gate(shape)] if name in HOMOGENEOUS else []
            case Pool(kernel, stride):
                return [
                    AveragePool(
                        _windows(shape[1:], _every(kernel, shape), _every(stride, shape), "valid")
                    )
                ]
            case Flat():
                return [Flatten(prod(shape[1:]))] if prod(shape[1:]) > 1 else []
            case Branch(layers):
                return [Residual(tuple(self.chain(layers, shape, path)))]

    def _dense(self, inputs: int, outputs: int, bias: bool, taps: int) -> Dense:
        self.label += 1
        weights, stop = self.offset, self.offset + inputs * outputs
        self.offset = stop + outputs * bias
        return Dense(weights, inputs, outputs, stop if bias else None, str(self.label), taps)

    def _gate(self, shape: Shape) -> Gate:
        offset, positions = self.gates, prod(shape[1:])
        self.gates += shape[0] * positions
        return Gate(offset, shape[0], positions)


def _steps(layers: Sequence[Layer], shape: Shape, path: tuple[int, ...]) -> Sequence[Step]:
    steps: list[Step] = []
    for i, layer in enumerate(layers):
        here = (*path, i)
        inner = _steps(layer.layers, shape, here) if isinstance(layer, Branch) else []
        after = (
            _after_branch(shape, inner, here)
            if isinstance(layer, Branch)
            else _after(layer, shape, here)
        )
        steps += [*inner, Step(here, layer, shape, after, _parameters(layer, shape, inner))]
        shape = after
    return steps


def _parameters(layer: Layer, shape: Shape, inner: Sequence[Step]) -> int:
    match layer:
        case Linear(units, bias):
            return (shape[0] + bias) * units
        case Convolution(channels, kernel, _, _, bias):
            return (shape[0] * prod(kernel) + bias) * channels
        case Branch():
            return sum(step.parameters for step in inner if not isinstance(step.layer, Branch))
    return 0


def _after_branch(shape: Shape, inner: Sequence[Step], path: tuple[int, ...]) -> Shape:
    """Return the shape behind a residual branch.

    Raise LayerError if it is not the one before it.
    """
    if not inner:
        raise LayerError(path, "residual: expected at least one layer")
    after = inner[-1].after
    if after != shape:
        raise LayerError(
            path,
            f"residual: reads {show(shape)} but its last layer gives {show(after)}; they must"
            " agree",
        )
    return after


def _after(layer: Layer, shape: Shape, path: tuple[int, ...]) -> Shape:
    """Return the shape behind a layer. Raise LayerError if it does not fit the shape before it."""
    match layer:
        case Linear(units):
            if len(shape) != 1:
                raise LayerError(
                    path, f"dense: expected a vector, got {show(shape)}; put flatten before it"
                )
            after: Shape = (units,)
        case Convolution(channels, kernel, stride, padding):
            after = (
                channels,
                *_outputs(shape, kernel, stride, padding, f"conv{len(kernel)}d", path),
            )
        case Pool(kernel, stride):
            after = (
                shape[0],
                *_outputs(
                    shape, _every(kernel, shape), _every(stride, shape), "valid", "avg_pool", path
                ),
            )
        case Flat():
            after = (prod(shape),)
        case Activation() | Branch():
            after = shape
    _check_size(path, after, "a layer")
    return after


def _every(sizes: Shape, shape: Shape) -> Shape:
    """Return one size per spatial direction."""
    return sizes * (len(shape) - 1) if len(sizes) == 1 else sizes


def _outputs(
    shape: Shape, kernel: Shape, stride: Shape, padding: str, what: str, path: tuple[int, ...]
) -> Shape:
    if len(shape) == 1 or len(shape) != len(kernel) + 1:
        raise LayerError(
            path,
            f"{what}: expected channels and {len(kernel) or 1} spatial sizes, got {show(shape)}",
        )
    if len(stride) != len(kernel):
        raise LayerError(path, f"{what}: expected one stride or {len(kernel)}, got {len(stride)}")
    if padding == "valid" and any(k > n for n, k in zip(shape[1:], kernel, strict=True)):
        raise LayerError(
            path, f"{what}: the kernel {show(kernel)} is larger than what it reads, {show(shape)}"
        )
    if prod(kernel) * prod(shape) > MAX_UNITS:
        raise LayerError(
            path,
            f"{what}: {prod(kernel) * prod(shape):,} taps, at most {MAX_UNITS:,} are supported",
        )
    if padding == "valid":
        return tuple((n - k) // s + 1 for n, k, s in zip(shape[1:], kernel, stride, strict=True))
    return tuple(-(-n // s) for n, s in zip(shape[1:], stride, strict=True))


def _windows(sizes: Shape, kernel: Shape, stride: Shape, padding: Padding) -> NDArray[np.intp]:
    """Return, per tap and output position, the input position read, or ``prod(sizes)`` for a
    zero.
    """
    counts = _outputs((1, *sizes), kernel, stride, padding, "", ())
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


def _checked_input(given: object) -> Shape:
    expected = "a shape: (units,), (channels, length) or (channels, height, width)"
    shape = checks.entries("input", given, expected)
    if not 1 <= len(shape) <= 3:
        raise SpecError(f"input: expected {expected}, got {checks.shown(given)}")
    for size in shape:
        checks.integer("input", size, 1, MAX_WIDTH)
    return shape


def _check_window(layer: Convolution | Pool) -> None:
    for key in ("kernel", "stride"):
        sizes = checks.sizes(key, getattr(layer, key), MAX_WIDTH)
        object.__setattr__(layer, key, sizes)
        if not sizes:
            raise SpecError(f"{key}: expected at least one size")


def _checked_layers(given: object) -> tuple[Layer, ...]:
    layers = checks.entries("layers", given, "a tuple of layers such as (Linear(2),)")
    for layer in layers:
        if not isinstance(layer, Layer):
            word = isinstance(layer, str) and layer in ACTIVATIONS
            meant = f" (did you mean Activation({layer!r})?)" if word else ""
            raise SpecError(
                f"layers: expected layers such as Linear(2), got {checks.shown(layer)}{meant}"
            )
    if max(map(_nesting, layers), default=0) > MAX_NESTING:
        raise SpecError(f"layers: expected at most {MAX_NESTING} branches inside one another")
    return layers


def _nesting(layer: Layer) -> int:
    return 1 + max(map(_nesting, layer.layers), default=0) if isinstance(layer, Branch) else 0


def _check_size(path: tuple[int, ...], shape: Shape, what: str) -> None:
    if prod(shape) > MAX_UNITS or any(n > MAX_WIDTH for n in shape):
        raise LayerError(
            path,
            f"{what} of {prod(shape):,} values ({show(shape)}), at most {MAX_UNITS:,} are"
            " supported",
        )


def show(shape: Shape) -> str:
    """Return a shape as text: 8 or 3×6×6."""
    return "×".join(map(str, shape))


def _jsonable(layer: Layer) -> Any:
    match layer:
        case Linear(units, bias):
            return {"dense": {"units": units, "bias": bias}}
        case Activation(name):
            return name
        case Convolution(channels, kernel, stride, padding, bias):
            rest = {
                "kernel": list(kernel),
                "stride": list(stride),
                "padding": padding,
                "bias": bias,
            }
            return {f"conv{len(kernel)}d": {"channels": channels, **rest}}
        case Pool(kernel, stride):
            return {"avg_pool": {"kernel": list(kernel), "stride": list(stride)}}
        case Flat():
            return "flatten"
        case Branch(layers):
            return {"residual": [_jsonable(inner) for inner in layers]}


def _summary(layers: Sequence[Layer]) -> str:
    return " ".join(title(layer) for layer in layers)


def title(layer: Layer) -> str:
    """Return a short name of a layer, such as ``conv2d 8 3×3`` or ``residual[dense 4 relu dense
    3]``.
    """
    match layer:
        case Linear(units, bias):
            return f"dense {units}" + "+b" * bias
        case Activation(name):
            return name
        case Convolution(channels, kernel, stride, padding, bias):
            steps = f"/{show(stride)}" if prod(stride) > 1 else ""
            padded = "" if padding == "valid" else f" {padding}"
            return f"conv{len(kernel)}d {channels} {show(kernel)}{steps}{padded}" + "+b" * bias
        case Pool(kernel, stride):
            return f"avg_pool {show(kernel)}" + (f"/{show(stride)}" if stride != kernel else "")
        case Flat():
            return "flatten"
        case Branch(layers):
            return f"residual[{_summary(layers)}]"
