"""The grammar of ``flow:``: nodes → flows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from conslaw_cli.errors import SpecError
from conslaw_cli.flows import Asked
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.flows.metrics import (
    ENTROPY,
    EUCLIDEAN,
    LARGEST,
    LARGEST_POWER,
    Hypentropy,
    Metric,
    Power,
)
from conslaw_cli.flows.mirror import Mirror, Shorthand
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.flows.names import ArrayError
from conslaw_cli.specs import readers
from conslaw_cli.specs.readers import Reader

if TYPE_CHECKING:
    from conslaw_cli.specs.yaml_nodes import Node

_MIRRORS = {"nmf": Shorthand("nmf"), "icnn": Shorthand("icnn")}
_NAMES: Mapping[str, Asked] = {
    "gradient": GRADIENT,
    "momentum": Momentum(),
    "decay": Decay(),
    **_MIRRORS,
}
_FRICTIONS = {"0": Friction.NONE, "3/t": Friction.NESTEROV}


def flow(node: Node) -> Asked:
    """Read a flow: its name, or ``{momentum: {friction: 0}}``, ``{decay: {only: [U1]}}`` or
    ``{mirror: {metric: {U1: {power: 1}}, rates: {U1: 1/10}}}``.
    """
    if not isinstance(node.value, dict):
        asked: Asked = readers.one_of(_NAMES)(node)
        return asked
    kinds = {"momentum": _momentum, "decay": _decay, "mirror": _mirror}
    with_values: Asked = _only_one(node, kinds)
    return with_values


def even_handed(asked: Asked) -> bool:
    """Whether a flow treats all arrays alike."""
    plain = isinstance(asked, Momentum) and asked.metric is None
    return plain or asked in (GRADIENT, Decay(), _MIRRORS["nmf"])


def place(node: Node, fault: ArrayError) -> str:
    """Return the place of an array's name in a flow, or in one of several."""
    return next(_places(node, fault.name), node.place)


def _places(node: Node, name: str) -> Iterator[str]:
    if isinstance(node.value, dict):
        yield from (at for key, at in node.keys.items() if key == name)
    elif not isinstance(node.value, list) and node.text == name:
        yield node.place
    children = node.value.values() if isinstance(node.value, dict) else node.value
    for child in children if isinstance(node.value, dict | list) else ():
        yield from _places(child, name)


def _only_one(node: Node, choices: Mapping[str, Reader]) -> Any:
    """Read a mapping with one of these keys."""
    values = readers.mapping(node, choices)
    if len(values) != 1:
        raise node.error(f"expected one of {', '.join(choices)}, got {len(values)} keys")
    return next(iter(values.values()))


def _momentum(node: Node) -> Momentum:
    values = readers.mapping(node, {"friction": _friction, "hessian": _hessian})
    return Momentum(values.get("friction", Friction.CONSTANT), values.get("hessian"))


def _friction(node: Node) -> Friction:
    if node.text in _FRICTIONS:
        return _FRICTIONS[node.text]
    raise node.fault("0 or 3/t", "; without this key the friction is a constant")


def _hessian(node: Node) -> Mirror | Shorthand:
    if isinstance(node.value, dict):
        mirror: Mirror = _only_one(node, {"mirror": _mirror})
        return mirror
    shorthand: Shorthand = readers.one_of(_MIRRORS)(node)
    return shorthand


def _decay(node: Node) -> Decay:
    names = readers.list_of(_name, "arrays such as [U1, U2]")
    values = readers.mapping(node, {"only": names}, ("only",))
    try:
        return Decay(values["only"])
    except SpecError as fault:
        raise SpecError(f"{node.value['only'].place}: {fault}") from None


def _mirror(node: Node) -> Mirror:
    values = readers.mapping(node, {"metric": _each(_metric), "rates": _each(_rational)})
    if not values:
        raise node.error("expected metric, rates or both")
    return Mirror(values.get("metric", ()), values.get("rates", ()))


def _each(read: Reader) -> Reader:
    """Read a mapping from arrays to values as pairs."""

    def read_each(node: Node) -> tuple[tuple[str, Any], ...]:
        if not isinstance(node.value, dict) or not node.value:
            raise node.fault("a mapping from arrays such as U1")
        return tuple(readers.mapping(node, dict.fromkeys(node.value, read)).items())

    return read_each


def _metric(node: Node) -> Metric:
    if isinstance(node.value, dict):
        power = readers.integer(0, LARGEST_POWER)
        choices: dict[str, Reader] = {
            "power": lambda child: Power(power(child)),
            "hypentropy": lambda child: Hypentropy(_rational(child)),
        }
        metric: Metric = _only_one(node, choices)
        return metric
    words = {"euclidean": EUCLIDEAN, "entropy": ENTROPY}
    if isinstance(node.value, str) and node.text in words:
        return words[node.text]
    raise node.fault("euclidean, entropy, {power: 1} or {hypentropy: 1}")


def _rational(node: Node) -> Fraction:
    """Read a positive rational number: 2 or 1/10."""
    top, _, bottom = node.text.partition("/")
    if isinstance(node.value, int | str) and all(
        part.isascii() and part.isdecimal() and 0 < int(part[:9]) <= LARGEST and len(part) < 9
        for part in (top, bottom or "1")
    ):
        return Fraction(int(top), int(bottom or "1"))
    raise node.fault(f"a positive rational number such as 1/10, of parts up to {LARGEST:,}")


def _name(node: Node) -> str:
    if isinstance(node.value, str):
        return node.text
    raise node.fault("the name of an array, such as U1")


def parsed(text: str) -> Asked:
    """Return the flow of a command line's ``--flow``. Raise SpecError beginning with its name."""
    from conslaw_cli.specs.yaml_nodes import compose

    try:
        return flow(compose(text, "--flow"))
    except SpecError as fault:
        raise SpecError(*(_without_place(line) for line in fault.args)) from None


def _without_place(line: str) -> str:
    head, _, rest = line.partition(": ")
    return f"{head.partition(':')[0]}: {rest}"
