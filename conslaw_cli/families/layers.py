"""Networks given layer by layer: dense, convolutional, residual, pooled.

φ is that of the free-gate network: the coefficients, as polynomials in θ, of the distinct monomials
in the input, the output weights and one free factor per activated unit (and position). The known
laws are those of the wiring (networks/wiring.py): of a linear space the symmetric matrix, of an
activated one its diagonal, for convolutions summed over kernel positions ("Transformative or
Conservative? Conservation laws for ResNets and Transformers", ICML 2025, arXiv 2506.06194, Thm 3.6
for channels, Prop. 3.2 for residual branches).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

from conslaw_cli import checks
from conslaw_cli.errors import LayerError, SpecError
from conslaw_cli.families.mlp import LOSSES, Loss
from conslaw_cli.networks.chains import scope
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Input, Node, Operation, Shape, ShapeError, show
from conslaw_cli.networks.operations.convolution import MAX_UNITS
from conslaw_cli.networks.operations.dense import MAX_WIDTH
from conslaw_cli.networks.operations.elementwise import ACTIVATIONS
from conslaw_cli.networks.operations.product import Add
from conslaw_cli.networks.wired import Wired
from conslaw_cli.problems.losses import Chosen

MAX_NESTING = 50
"""Levels of residual branches inside one another."""


class Piece(ABC):
    """What layers are for a network: one operation, or several that stand as one; each class says
    what becomes of it.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def title(self) -> str:
        """Short text of it."""

    @property
    @abstractmethod
    def heading(self) -> str:
        """The same where what it consists of is shown below it."""

    @property
    def nesting(self) -> int:
        """Levels of pieces inside one another."""
        return 0

    @abstractmethod
    def describe(self) -> Any:
        """Return it as ``layers:`` has it, ready for JSON."""

    @abstractmethod
    def output(self, shape: Shape) -> Shape:
        """Return the shape behind it."""

    @abstractmethod
    def steps(self, shape: Shape, path: tuple[int, ...]) -> Iterator[Step]:
        """Yield what it consists of, then itself, for what it reads. Raise LayerError if that does
        not fit.
        """

    @abstractmethod
    def add(self, nodes: _Nodes, shape: Shape, value: str) -> str:
        """Add it to the nodes of a graph; return the name of its value."""


@dataclass(frozen=True, slots=True)
class Branch(Piece):
    """Layers that are added to what they read.

    >>> from conslaw_cli import Activation, Linear, count_laws
    >>> stream = Branch((Linear(4), Activation("relu"), Linear(3)))
    >>> row = count_laws(Layers((2,), (Linear(3), stream, Linear(2))))
    >>> row.laws, row.verdict
    (10, 'proved')
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", _checked_layers(self.layers))

    @property
    def title(self) -> str:
        """``residual[dense 4 relu dense 3]``."""
        return f"residual[{_summary(self.layers)}]"

    @property
    def heading(self) -> str:
        """``residual``."""
        return "residual"

    @property
    def nesting(self) -> int:
        """One more than its layers have."""
        return 1 + max((_piece(layer).nesting for layer in self.layers), default=0)

    def describe(self) -> Any:
        """``residual: [...]``."""
        return {"residual": [_piece(layer).describe() for layer in self.layers]}

    def output(self, shape: Shape) -> Shape:
        """The shape before it."""
        return shape

    def steps(self, shape: Shape, path: tuple[int, ...]) -> Iterator[Step]:
        """Raise LayerError if the shape behind it is not the one before it."""
        inner = list(_steps(self.layers, shape, path))
        yield from inner
        if not inner:
            raise LayerError(path, "residual: expected at least one layer")
        if inner[-1].after != shape:
            raise LayerError(
                path,
                f"residual: reads {show(shape)} but its last layer gives {show(inner[-1].after)};"
                " they must agree",
            )
        yield Step(path, self, shape, shape, 0)

    def add(self, nodes: _Nodes, shape: Shape, value: str) -> str:
        """Add its layers, and a sum."""
        return nodes.node(Add(), (value, nodes.add(self.layers, shape, value)))


@dataclass(frozen=True, slots=True)
class _Single(Piece):
    """One operation."""

    operation: Operation

    @property
    def title(self) -> str:
        return self.operation.label

    @property
    def heading(self) -> str:
        return self.title

    def describe(self) -> Any:
        """Its word, or its key with values."""
        layer = self.operation
        kinds = [kind for kind in layer.layers() if kind.name == layer.label.split(" ")[0]]
        if not kinds:
            return layer.word
        values = {
            name: value
            for name, key in kinds[0].keys.items()
            if (value := getattr(layer, name)) != key.plain
            and value != (key.plain,) * (kinds[0].dimensions or 0)
        }
        plain = {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}
        return {kinds[0].name: plain}

    def output(self, shape: Shape) -> Shape:
        return self.operation.output(shape)

    def steps(self, shape: Shape, path: tuple[int, ...]) -> Iterator[Step]:
        after = _after(self.operation, shape, path)
        parameters = sum(prod(each) for _, each in self.operation.parameters(shape))
        yield Step(path, self.operation, shape, after, parameters)

    def add(self, nodes: _Nodes, shape: Shape, value: str) -> str:
        if self.operation.idle(shape):
            return value
        return nodes.node(self.operation, (value,), nodes.arrays(self.operation, shape))


Layer = Operation | Branch


@dataclass(frozen=True, slots=True)
class Step:
    """One layer with the shapes before and behind it, and how many parameters of its own it has;
    ``path`` has one index per level of nesting.
    """

    path: tuple[int, ...]
    layer: Layer
    before: Shape
    after: Shape
    parameters: int


@dataclass(frozen=True, slots=True)
class Layers(Chosen, Wired):
    """A network given by its layers. Raise LayerError where one does not fit what it reads.

    input: the shape of the input, (units,), (channels, length) or (channels, height, width).
    layers: the layers from input to output; lists become tuples, here as in the layers themselves.
    loss as for MLP; name: a label, by default made from the rest.

    >>> from conslaw_cli import Activation, Convolution, Flat, Linear, count_laws
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
            object.__setattr__(self, "name", self._default_name())

    def steps(self) -> list[Step]:
        """Return all layers in order, those of a residual branch before the branch itself."""
        return list(_steps(self.layers, self.input, ()))

    def describe(self) -> dict[str, Any]:
        """Return the JSON-ready keys that define the architecture (all but its name)."""
        return {
            "input": list(self.input),
            "layers": [_piece(layer).describe() for layer in self.layers],
            "loss": self.loss,
        }

    @property
    def graph(self) -> Graph:
        """The network, parameters in the order U1, b1, U2, b2, …"""
        return _graph(self)

    @property
    def scope(self) -> str | None:
        """What is known of chains of dense layers; for others, that φ is the one of free gates."""
        return scope(self.graph)

    def outline(self) -> list[tuple[str, str, int]]:
        """Return the input and the layers, those of a branch indented below it."""
        rows = [("input", show(self.input), 0)]
        for step in sorted(self.steps(), key=lambda step: step.path):
            what = "  " * (len(step.path) - 1) + _piece(step.layer).heading
            rows.append((what, show(step.after), step.parameters))
        return rows

    def fields(self) -> GradientFields:
        """Return the gradients ``∇_θ F(θ; a)``."""
        return GradientFields(self.graph, self.loss == "cross_entropy")

    def _default_name(self) -> str:
        loss = "" if self.loss == "mse" else f" {self.loss}"
        return f"{show(self.input)} → {_summary(self.layers)}{loss}"


@lru_cache(maxsize=4)
def _graph(layers: Layers) -> Graph:
    nodes = list[Node]()
    _Nodes(nodes).add(layers.layers, layers.input, "x")
    return Graph((Input("x", layers.input),), tuple(nodes), (nodes[-1].name,))


class _Nodes:
    """Turns layers into nodes, handing out the names of values and arrays."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes, self.labels = nodes, 0

    def add(self, layers: Sequence[Layer], shape: Shape, value: str) -> str:
        for piece in map(_piece, layers):
            value = piece.add(self, shape, value)
            shape = piece.output(shape)
        return value

    def node(self, layer: Operation, inputs: tuple[str, ...], arrays: tuple[str, ...] = ()) -> str:
        name = f"h{len(self.nodes) + 1}"
        self.nodes.append(Node(name, layer, inputs, arrays))
        return name

    def arrays(self, layer: Operation, shape: Shape) -> tuple[str, ...]:
        symbols = [symbol for symbol, _ in layer.parameters(shape)]
        self.labels += bool(symbols)
        return tuple(f"{symbol}{self.labels}" for symbol in symbols)


def _steps(layers: Sequence[Layer], shape: Shape, path: tuple[int, ...]) -> Iterator[Step]:
    for i, layer in enumerate(layers):
        for step in _piece(layer).steps(shape, (*path, i)):
            yield step
        shape = step.after


def _after(layer: Operation, shape: Shape, path: tuple[int, ...]) -> Shape:
    """Return the shape behind a layer. Raise LayerError if it does not fit the shape before it."""
    try:
        after = layer.output(shape)
    except ShapeError as fault:
        raise LayerError(path, str(fault)) from None
    _check_size(path, after, "a layer")
    return after


def _checked_input(given: object) -> Shape:
    expected = "a shape: (units,), (channels, length) or (channels, height, width)"
    shape = checks.entries("input", given, expected)
    if not 1 <= len(shape) <= 3:
        raise SpecError(f"input: expected {expected}, got {checks.shown(given)}")
    for size in shape:
        checks.integer("input", size, 1, MAX_WIDTH)
    return shape


def _checked_layers(given: object) -> tuple[Layer, ...]:
    layers = checks.entries("layers", given, "a tuple of layers such as (Linear(2),)")
    for layer in layers:
        single = isinstance(layer, Operation) and layer.arity == 1 and not layer.inner
        if not (single or isinstance(layer, Piece)):
            word = isinstance(layer, str) and layer in ACTIVATIONS
            meant = f" (did you mean Activation({layer!r})?)" if word else ""
            raise SpecError(
                f"layers: expected layers such as Linear(2), got {checks.shown(layer)}{meant}"
            )
    if max((_piece(layer).nesting for layer in layers), default=0) > MAX_NESTING:
        raise SpecError(f"layers: expected at most {MAX_NESTING} branches inside one another")
    return layers


def _check_size(path: tuple[int, ...], shape: Shape, what: str) -> None:
    if prod(shape) > MAX_UNITS or any(n > MAX_WIDTH for n in shape):
        raise LayerError(
            path,
            f"{what} of {prod(shape):,} values ({show(shape)}), at most {MAX_UNITS:,} are"
            " supported",
        )


def _piece(layer: Layer) -> Piece:
    return _Single(layer) if isinstance(layer, Operation) else layer


def _summary(layers: Sequence[Layer]) -> str:
    return " ".join(_piece(layer).title for layer in layers)
