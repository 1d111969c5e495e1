"""The grammar of ``layers:``: nodes of a YAML file → layers (families/layers.py).

A layer is a word (``relu``, ``leaky_relu``, ``flatten``, …) or a mapping with one key, its kind.
``dense: 8`` is short for ``dense: {units: 8}``, ``avg_pool: 2`` for ``avg_pool: {kernel: 2}``; one
number stands for a kernel or stride that is equal in all directions. Strides default to 1 for
convolutions and to the kernel for pooling. ``attention`` stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from conslaw_cli.errors import LayerError, SpecError
from conslaw_cli.networks.operation import Key, KeyKind, Operation
from conslaw_cli.networks.operation import Layer as LayerKind
from conslaw_cli.networks.operations.dense import MAX_WIDTH
from conslaw_cli.networks.operations.elementwise import ACTIVATIONS, activation
from conslaw_cli.specs import readers
from conslaw_cli.specs.readers import Reader

if TYPE_CHECKING:
    from conslaw_cli.families.attention import Attention
    from conslaw_cli.families.layers import Branch, Layer, Layers
    from conslaw_cli.specs.yaml_nodes import Node

_size = readers.integer(1, MAX_WIDTH)
_flag = readers.one_of({"true": True, "false": False})
_none = readers.one_of({"false": False})


def shape(node: Node) -> tuple[int, ...]:
    """Read ``4``, ``{channels: 2, length: 6}`` or ``{channels: 3, height: 6, width: 6}``; or the
    sizes as a list of up to three, as rows have them.
    """
    if isinstance(node.value, list):
        if len(node.value) > 3:
            raise node.fault("at most three sizes: channels, height, width")
        sizes: tuple[int, ...] = readers.list_of(_size, "sizes such as [3, 6, 6]")(node)
        return sizes
    if not isinstance(node.value, dict):
        return (_size(node),)
    if "length" in node.value:
        one = readers.mapping(node, {"channels": _size, "length": _size}, ("channels", "length"))
        return one["channels"], one["length"]
    two = readers.mapping(
        node, {"channels": _size, "height": _size, "width": _size}, ("channels", "height", "width")
    )
    return two["channels"], two["height"], two["width"]


def layers(node: Node) -> tuple[Layer | Mapping[str, int], ...]:
    """Read a list of layers; an attention layer is read as its sizes."""
    read: tuple[Any, ...] = readers.list_of(_layer, "layers such as relu or dense: 8")(node)
    return read


def network(
    input: tuple[int, ...], layers: tuple[Any, ...], loss: Any = "mse", name: str = ""
) -> Layers | Attention:
    """Return the architecture of the keys ``input``, ``layers``, ``loss`` and ``name``."""
    from conslaw_cli.families.attention import Attention
    from conslaw_cli.families.layers import Layers

    for i, layer in enumerate(layers):
        if isinstance(layer, Mapping):
            if len(layers) > 1 or len(input) != 1 or loss != "mse":
                raise LayerError(
                    (i,),
                    "attention: expected to stand alone, on a vector as input, without a loss of"
                    " its own",
                )
            return Attention(input[0], **layer, name=name)
    return Layers(input, layers, loss, name)


def attention(attention: Mapping[str, int], name: str = "") -> Attention:
    """Return the architecture of the keys ``attention`` and ``name``."""
    from conslaw_cli.families.attention import Attention

    return Attention(**attention, name=name)


def attention_sizes(node: Node) -> Mapping[str, int]:
    """Read ``{dim: 64, heads: 4, head_dim: 16}``."""
    sizes = readers.mapping(node, {"dim": _size, **_heads()}, ("dim", "heads", "head_dim"))
    return {key: value for key, value in sizes.items() if key != "bias"}


def place(node: Node, path: tuple[int, ...]) -> str:
    """Return where the layer with this path stands below the key ``layers``; without a path, the
    input.
    """
    inner = node.value["layers" if path else "input"]
    for index in path:
        entries = (
            inner.value if isinstance(inner.value, list) else next(iter(inner.value.values())).value
        )
        inner = entries[index]
    return str(inner.place)


def _layer(node: Node) -> Layer | Mapping[str, int]:
    if isinstance(node.value, str):
        return _word(node)
    if not isinstance(node.value, dict) or len(node.value) != 1:
        raise node.fault("one layer: a word such as relu, or one key such as dense: 8")
    (kind, inner), *_ = node.value.items()
    if kind in _words():
        raise node.fault(f"the word {kind} alone")
    if kind not in _kinds():
        raise readers.unknown_key(node, kind, [*_kinds(), *_words()])
    layer: Layer | Mapping[str, int] = _kinds()[kind](inner)
    return layer


def _word(node: Node) -> Layer:
    layer: Layer = readers.one_of(_words())(node)
    return layer


def _reader(kind: LayerKind) -> Reader:
    """Return what reads a layer of a kind: its keys, or the one value that stands for them."""
    keys = {key: _key(each) for key, each in kind.keys.items()}
    required = tuple(key for key, each in kind.keys.items() if each.required)

    def read(node: Node) -> Operation:
        if kind.short is not None and not isinstance(node.value, dict):
            return make(node, {kind.short: keys[kind.short](node)})
        values = readers.mapping(node, keys, required)
        for key, each in kind.keys.items():
            if each.kind is KeyKind.SIZES and key in values and kind.dimensions is not None:
                values[key] = _spread(node, key, values[key], kind.dimensions)
        return make(node, values)

    def make(node: Node, values: Mapping[str, Any]) -> Operation:
        try:
            return kind.make(**values)
        except SpecError as fault:
            raise SpecError(f"{node.place}: {fault}") from None

    return read


def _key(key: Key) -> Reader:
    if key.kind is KeyKind.WORD:
        return readers.one_of({word: word for word in key.words})
    if key.kind is KeyKind.SIZE:
        return readers.integer(key.least, key.most)
    if key.kind is KeyKind.SIZES:
        return readers.alternatives(readers.integer(key.least, MAX_WIDTH))
    return _flag


def _spread(node: Node, key: str, sizes: tuple[int, ...], dimensions: int) -> tuple[int, ...]:
    if len(sizes) == 1:
        return sizes * dimensions
    if len(sizes) != dimensions:
        raise node.value[key].error(f"expected one size or {dimensions}, got {len(sizes)}")
    return sizes


def _residual(node: Node) -> Branch:
    from conslaw_cli.families.layers import Branch

    inner = layers(node)
    for layer, child in zip(inner, node.value, strict=True):
        if isinstance(layer, Mapping):
            raise SpecError(
                f"{child.place}: attention: expected to stand alone, not in a residual branch"
            )
    return Branch(inner)  # type: ignore[arg-type]  # no attention is left among them


def _attention(node: Node) -> Mapping[str, int]:
    sizes = readers.mapping(node, _heads(), ("heads", "head_dim"))
    return {key: value for key, value in sizes.items() if key != "bias"}


# Made when the first network of layers is read: most are of widths.


def _heads() -> dict[str, Reader]:
    from conslaw_cli.families.attention import MAX_HEADS

    return {"heads": readers.integer(1, MAX_HEADS), "head_dim": _size, "bias": _none}


@cache
def _words() -> dict[str, Operation]:
    from conslaw_cli.networks.operations.reshape import Flat

    names = (*ACTIVATIONS, "exp", "smooth")
    return {**{name: activation(name) for name in names}, "flatten": Flat()}


@cache
def _kinds() -> dict[str, Reader]:
    """Return the layers, each under its key; those of single operations say themselves how they
    are written.
    """
    from conslaw_cli.networks.operations.listed import OPERATIONS

    kinds = (kind for operation in OPERATIONS for kind in operation.layers())
    single = {kind.name: _reader(kind) for kind in kinds}
    return {**single, "residual": _residual, "attention": _attention}
