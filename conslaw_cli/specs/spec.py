"""YAML → problems.

A file is one architecture or a sweep. The tables at the end of this module are its grammar: each
maps a key to the reader of its value. A new family of architectures is one entry of ``_FAMILIES``.

Ranges are written ``{from: 1, to: 4}``, both ends included. In a grid every key holds one value or
a list of alternatives, so one activation per hidden layer is a list inside the list. With ``depth``
(the number of weight matrices), ``widths`` holds the candidates for every layer, and all products
are taken; without, it is a list of complete width lists. Parts of a sweep are counted before
anything is built. Equal architectures of equal name are kept once.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from conslaw_cli import checks
from conslaw_cli.errors import ArrayError, LayerError, SpecError
from conslaw_cli.families.mlp import LOSSES, MAX_DEPTH, MLP
from conslaw_cli.flows import Asked
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.networks.operations.dense import MAX_WIDTH
from conslaw_cli.networks.operations.elementwise import MAX_POWER, NAMES, activation
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.specs import custom_spec, layer_spec, readers
from conslaw_cli.specs.flags import BIASES, Sweep, named
from conslaw_cli.specs.readers import Reader

if TYPE_CHECKING:
    from conslaw_cli.specs.yaml_nodes import Node

MAX_BYTES = 1_000_000
MAX_ARCHITECTURES = 1_000_000
MAX_WIDTHS = 10_000_000
"""Most widths of all architectures of a sweep together; with MAX_ARCHITECTURES this bounds its
memory.
"""
MAX_POLYNOMIAL_DEGREE = 40
_COUNTED_UP_TO = 10**30
_FAULTS_SHOWN = 20


def load(path: str) -> Sweep:
    """Read a YAML file, or standard input for "-". Raise SpecError on anything wrong with it."""
    name = "stdin" if path == "-" else path
    return parse(_decoded(_bytes(path, name), name), name)


def parse(text: str, filename: str) -> Sweep:
    """Return what a YAML text asks for.

    Raise SpecError with all faults, each ``filename:line:column: …``.
    """
    from conslaw_cli.specs.yaml_nodes import compose

    try:
        stem, _ = os.path.splitext(os.path.basename(filename))
        asked = _document(compose(text, filename), stem)
        return asked._replace(published=_beside(filename, asked.published))
    except SpecError as fault:
        lines = [*fault.args]
        if len(lines) > _FAULTS_SHOWN:
            lines[_FAULTS_SHOWN:] = [f"… and {len(lines) - _FAULTS_SHOWN} more"]
        raise SpecError(*lines) from None


def _beside(filename: str, path: str | None) -> str | None:
    """Return a path of a spec, which starts from the folder of the spec, from where we are."""
    return None if path is None else os.path.join(os.path.dirname(filename), path)


# ---- the file


def _bytes(path: str, name: str) -> bytes:
    """Return the bytes of the file, never reading more than one too many."""
    try:
        if path != "-":
            with open(path or ".", "rb") as file:
                data = file.read(MAX_BYTES + 1)
        elif sys.stdin is None:
            raise SpecError("stdin: expected a spec, but standard input is closed")
        else:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        label = name if name and name.isprintable() else repr(name)
        raise SpecError(
            f"{label}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    if len(data) > MAX_BYTES:
        raise SpecError(f"{name}: expected a spec of at most {MAX_BYTES:,} bytes, got more")
    return data


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        byte = data[error.start]
        raise SpecError(
            f"{name}:{line}:{column}: expected UTF-8 text, got byte 0x{byte:02x}"
        ) from None


# ---- documents


class _Row(NamedTuple):
    problem: Problem
    expect: int | None
    node: Node
    source: str | None = None


class _Part(NamedTuple):
    """Architectures of a sweep, counted but not yet built.

    rows, widths: how many architectures, and how many widths they have together, at most.
    draw: the name of random draws, which tells their rows from those of other draws.
    """

    node: Node
    rows: int
    widths: int
    build: Callable[[], Iterable[_Row]]
    draw: str | None = None


def _document(root: Node, stem: str) -> Sweep:
    keys = root.value if isinstance(root.value, dict) else {}
    if any(key in _PARTS for key in keys):
        return _sweep(root, stem)
    if any(key in _FAMILIES for key in keys):
        row = _architecture(root, {"seed": _seed})
        return _merged(stem, keys["seed"].value if "seed" in keys else 0, [row])
    known = [
        *_PARTS,
        *_SWEEP,
        "expect",
        "flow",
        *(key for family in _FAMILIES.values() for key in family.readers),
    ]
    unknown = [str(readers.unknown_key(root, key, known)) for key in keys if key not in known]
    if unknown:
        raise SpecError(*unknown)
    raise root.fault(
        f"an architecture (key {', '.join(_FAMILIES)}) or a sweep (keys {', '.join(_PARTS)})"
    )


def _sweep(root: Node, stem: str) -> Sweep:
    values = readers.mapping(root, {**_SWEEP, **_PARTS})
    parts = [part for key in values if key in _PARTS for part in values[key]]
    _check_size(parts)
    _check_draws(parts)
    rows = (row for part in parts for row in part.build())
    merged = _merged(values.get("name", stem), values.get("seed", 0), rows)
    return merged._replace(
        source=values.get("source"),
        degree=values.get("laws", {}).get("degree"),
        published=values.get("published"),
    )


def _check_size(parts: Sequence[_Part]) -> None:
    for what, limit, numbers in (
        ("architectures", MAX_ARCHITECTURES, [part.rows for part in parts]),
        ("widths", MAX_WIDTHS, [part.widths for part in parts]),
    ):
        total = sum(numbers)
        if total > limit:
            largest = parts[numbers.index(max(numbers))].node
            count = f"{total:,}" if total <= _COUNTED_UP_TO else "more than 10^30"
            raise largest.error(f"expected at most {limit:,} {what} in a sweep, got {count}")


def _check_draws(parts: Sequence[_Part]) -> None:
    draws = set()
    for part in parts:
        if part.draw in draws:
            raise part.node.error(
                f"name {part.draw!r} belongs to earlier draws; expected one of its own"
            )
        if part.draw is not None:
            draws.add(part.draw)


def _merged(name: str, seed: int, rows: Iterable[_Row]) -> Sweep:
    """Keep equal problems once.

    Raise SpecError if different ones, or different counts, share a name.
    """
    problems: dict[str, Problem] = {}
    expected: dict[str, int] = {}
    sources: dict[str, str] = {}
    for problem, expect, node, source in rows:
        label = problem.name
        if source is not None:
            sources[label] = source
        if problems.setdefault(label, problem) != problem:
            raise node.error(
                f"name {label!r} belongs to an earlier, different architecture;"
                " give each a name of its own"
            )
        if expect is not None and expected.setdefault(label, expect) != expect:
            raise node.error(
                f"expect {expect}, but {expected[label]} was expected for the same {label!r}"
            )
    return Sweep(name, tuple(problems.values()), seed, expected, sources=sources)


# ---- explicit architectures


class _Family(NamedTuple):
    """How a family is written: its keys, and what makes an architecture of their values.

    ``build`` raises SpecError with a message that begins with the key at fault.
    """

    readers: Mapping[str, Reader]
    build: Callable[..., Architecture]
    required: tuple[str, ...] = ()


def _explicit(node: Node) -> tuple[_Part, ...]:
    rows = readers.list_of(_architecture, "architectures")(node)
    return (_Part(node, len(rows), 0, lambda: rows),)  # their widths are bounded by the file


def _architecture(node: Node, ignored: Mapping[str, Reader] | None = None) -> _Row:
    keys = node.value if isinstance(node.value, dict) else {}
    mark = next((key for key in _FAMILIES if key in keys), "widths")
    family = _FAMILIES[mark]
    values = readers.mapping(
        node, {**family.readers, **_ABOUT, **(ignored or {})}, required=(mark, *family.required)
    )
    defining = {key: values[key] for key in ("name", *family.readers) if key in values}
    architecture = _built(node, family.build, defining)
    problem = _problem(node, architecture, values.get("flow", GRADIENT), "name" in values)
    return _Row(problem, values.get("expect"), node, values.get("source"))


def _problem(node: Node, architecture: Any, flow: Asked, with_name: bool) -> Problem:
    """Return the architecture under a flow, which its name says unless it has one of its own."""
    try:
        moved = flow.of(architecture)
    except ArrayError as fault:
        from conslaw_cli.specs import flow_spec

        place = flow_spec.place(node.value.get("flow", node), fault)
        raise SpecError(f"{place}: {fault}") from None
    return named(architecture, moved, with_name)


def _built(node: Node, build: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    try:
        return build(**values)
    except LayerError as fault:
        raise SpecError(f"{layer_spec.place(node, fault.path)}: {fault}") from None
    except SpecError as fault:
        key = str(fault).partition(":")[0]
        raise SpecError(f"{node.value.get(key, node).place}: {fault}") from None


# ---- grids


def _grid(node: Node) -> _Part:
    if isinstance(node.value, dict) and "depth" not in node.value:
        values = readers.mapping(node, {**_CHAINS, **_GRID}, required=("widths",))
        chains = values["widths"]
        rows, widths = len(chains), sum(map(len, chains))
        listed = partial(iter, chains)
    else:
        values = readers.mapping(node, {**_LAYERS, **_GRID}, required=("widths",))
        up_to_reversal = values.get("up_to_reversal", False)
        if up_to_reversal:
            _check_reversible(node, values)
        rows, widths = _size(values["depth"], len(values["widths"]), up_to_reversal)
        listed = partial(_chains, values["depth"], values["widths"], up_to_reversal)
    choices: dict[str, Sequence[Any]] = {
        key: values[key] for key in ("activation", "bias", "loss", "flow") if key in values
    }
    number = prod(map(len, choices.values()))
    return _Part(
        node,
        rows * number,
        widths * number,
        partial(_products, node, listed, choices, "expect" in values),
    )


def _check_reversible(node: Node, values: Mapping[str, Any]) -> None:
    mixed = any(isinstance(activation, tuple) for activation in values.get("activation", ()))
    if mixed or any(values.get("bias", ())) or "cross_entropy" in values.get("loss", ()):
        raise SpecError(
            f"{node.keys['up_to_reversal']}: up_to_reversal: expected no biases, one activation for"
            " all layers and no cross_entropy; other networks may have other laws than their"
            " reversals"
        )
    if not all(flow.even_handed for flow in values.get("flow", ())):
        raise SpecError(
            f"{node.keys['up_to_reversal']}: up_to_reversal: expected flows that treat all arrays"
            " alike; under others networks may have other laws than their reversals"
        )


def _size(depths: Sequence[int], candidates: int, up_to_reversal: bool) -> tuple[int, int]:
    """Return the numbers of chains and of widths in them: exact, or some above _COUNTED_UP_TO."""
    rows = widths = 0
    for depth in depths:
        chains = candidates ** (depth + 1)
        if up_to_reversal:
            palindromes = candidates ** (depth // 2 + 1)
            chains = (chains + palindromes) // 2
        rows, widths = rows + chains, widths + chains * (depth + 1)
        if rows > _COUNTED_UP_TO:
            break
    return rows, widths


def _chains(
    depths: Sequence[int], candidates: Sequence[int], up_to_reversal: bool
) -> Iterator[tuple[int, ...]]:
    for depth in depths:
        for widths in product(candidates, repeat=depth + 1):
            if not up_to_reversal or widths <= widths[::-1]:
                yield widths


def _products(
    node: Node,
    chains: Callable[[], Iterable[tuple[int, ...]]],
    choices: Mapping[str, Sequence[Any]],
    expect: bool,
) -> Iterator[_Row]:
    for widths in chains():
        for chosen in product(*choices.values()):
            values = {"widths": widths, **dict(zip(choices, chosen, strict=True))}
            flow = values.pop("flow", GRADIENT)
            problem = _problem(node, _built(node, MLP, values), flow, False)
            yield _Row(problem, _closed_form(problem, node) if expect else None, node)


def _closed_form(problem: Problem, node: Node) -> int:
    """Return the number of laws by the formula. Raise SpecError, at the key, if there is none."""
    from conslaw_cli.lie.closed_forms import closed_form

    number = closed_form(problem)
    if number is None:
        raise node.value["expect"].error(
            "a closed form is known for linear networks without biases and cross_entropy only, not"
            f" for {problem.name}"
        )
    return number


# ---- random draws


def _random(node: Node) -> _Part:
    values = readers.mapping(node, _RANDOM, required=("count", "depth", "widths"))
    count, longest = values["count"], values["depth"][-1] + 1
    name = values.get("name", "random")
    return _Part(node, count, count * longest, partial(_draws, node, name, values), draw=name)


def _draws(node: Node, name: str, values: Mapping[str, Any]) -> Iterator[_Row]:
    """Draw the depth, the widths and the bias of one network after another, as the authors'
    notebook does.
    """
    integers, uniform = _generator(values.get("rng", "numpy"), values.get("seed", 0))
    count, bias_probability = values["count"], values.get("bias_probability")
    fixed = {key: values[key] for key in ("activation", "loss") if key in values}
    flow = values.get("flow", GRADIENT)
    digits = max(2, len(str(count)))
    for number in range(1, count + 1):
        (depth,) = integers(values["depth"], 1)
        widths = tuple(integers(values["widths"], depth + 1))
        bias = "hidden" if bias_probability is not None and uniform() < bias_probability else False
        network = _built(node, MLP, {"widths": widths, "bias": bias, **fixed})
        network = replace(network, name=f"{name} {number:0{digits}}: {network.name}")
        yield _Row(_problem(node, network, flow, False), None, node)


def _generator(
    rng: str, seed: int
) -> tuple[Callable[[range, int], list[int]], Callable[[], float]]:
    """Return the draws of so many integers from a range, which are those of one after another, and
    of a float from [0, 1).

    NumPy has frozen the stream of RandomState; that of default_rng may change with a release (NEP
    19).
    """
    import numpy as np

    if rng == "numpy-legacy":
        legacy = np.random.RandomState(seed)
        return (
            lambda span, n: legacy.randint(span.start, span.stop, size=n).tolist(),
            legacy.random_sample,
        )
    generator = np.random.default_rng(seed)
    return (
        lambda span, n: generator.integers(span.start, span.stop, size=n).tolist(),
        generator.random,
    )


# ---- the grammar


def _file_name(node: Node) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", node.text):
        return node.text
    raise node.fault("a name of letters, digits, '.', '_' and '-', for the file of results")


_seed = readers.integer(0, checks.MAX_SEED)
_width = readers.integer(1, MAX_WIDTH)
_widths = readers.list_of(_width, "widths such as [3, 4, 2]")
_chain = readers.list_of(
    _width, "widths such as [3, 4, 2] (without depth, every alternative is one)"
)


def _activation_name(node: Node) -> str:
    """Read the name of an activation; ``{power: 3}`` is power:3."""
    if isinstance(node.value, dict):
        values = readers.mapping(node, {"power": readers.integer(2, MAX_POWER)}, ("power",))
        return f"power:{values['power']}"
    if isinstance(node.value, str) and re.fullmatch("power:[0-9]{1,4}", node.value):
        try:
            activation(node.value)
        except SpecError as fault:
            raise node.error(str(fault)) from None
        return node.value
    word: str = readers.one_of({name: name for name in NAMES})(node)
    return word


_activation_names = readers.list_of(_activation_name, "activations, one per hidden layer")
_bias = readers.one_of(BIASES)
_loss = readers.one_of({name: name for name in LOSSES})


def _activation(node: Node) -> str | tuple[str, ...]:
    read = _activation_names if isinstance(node.value, list) else _activation_name
    activation: str | tuple[str, ...] = read(node)
    return activation


def _activation_of_one(node: Node) -> str | tuple[str, ...]:
    """Read the activation of one network: an empty list if it has no hidden layer."""
    return () if node.value == [] else _activation(node)


def _flow(node: Node) -> Asked:
    """Read a flow; what does so is loaded where one is given."""
    from conslaw_cli.specs import flow_spec

    return flow_spec.flow(node)


_FAMILIES: dict[str, _Family] = {
    "widths": _Family(
        {"widths": _widths, "activation": _activation_of_one, "bias": _bias, "loss": _loss}, MLP
    ),
    "layers": _Family(
        {"input": layer_spec.shape, "layers": layer_spec.layers, "loss": _loss},
        layer_spec.network,
        ("input",),
    ),
    "attention": _Family({"attention": layer_spec.attention_sizes}, layer_spec.attention),
    "phi": _Family({"phi": custom_spec.phi, "loss": _loss}, custom_spec.map_of),
    "fields": _Family({"fields": custom_spec.fields}, custom_spec.fields_of),
    "random_fields": _Family({"random_fields": custom_spec.random_fields}, custom_spec.random_of),
}
"""The families, each under the key that every architecture of it has and no other."""

_ABOUT: dict[str, Reader] = {
    "flow": _flow,
    "name": readers.line,
    "source": readers.prose,
    "expect": readers.integer(0),
}
"""Keys of every architecture: ``expect`` is its known number of laws, ``source`` where that comes
from.
"""

_CHAINS: dict[str, Reader] = {
    "widths": readers.list_of(
        _chain, "width lists such as [[3, 4, 2], [2, 2]] (or of numbers, with depth)"
    )
}
_LAYERS: dict[str, Reader] = {
    "depth": readers.integers(1, MAX_DEPTH),
    "widths": readers.integers(1, MAX_WIDTH),
    "up_to_reversal": readers.one_of({"true": True, "false": False}),
}
_GRID: dict[str, Reader] = {
    "activation": readers.alternatives(_activation),
    "bias": readers.alternatives(_bias),
    "loss": readers.alternatives(_loss),
    "flow": readers.alternatives(_flow),
    "expect": readers.one_of({"closed form": "closed form"}),
    "source": readers.prose,
}
_RANDOM: dict[str, Reader] = {
    "name": readers.line,
    "count": readers.integer(1),
    "depth": readers.integer_range(1, MAX_DEPTH),
    "widths": readers.integer_range(1, MAX_WIDTH),
    "activation": _activation_name,
    "bias_probability": readers.probability,
    "loss": _loss,
    "flow": _flow,
    "seed": _seed,
    "rng": readers.one_of({"numpy": "numpy", "numpy-legacy": "numpy-legacy"}),
    "source": readers.prose,
}
_PARTS: dict[str, Reader] = {
    "architectures": _explicit,
    "grid": readers.alternatives(_grid),
    "random": readers.alternatives(_random),
}


def _laws(node: Node) -> dict[str, int]:
    return readers.mapping(node, {"degree": readers.integer(1, MAX_POLYNOMIAL_DEGREE)}, ("degree",))


_SWEEP: dict[str, Reader] = {
    "name": _file_name,
    "source": readers.prose,
    "seed": _seed,
    "laws": _laws,
    "published": readers.line,
}
