"""The grammar of ``flow:``: nodes → flows, as these say how they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from conslaw_cli.errors import ArrayError, SpecError
from conslaw_cli.flows import Asked, listed
from conslaw_cli.flows.grammar import ByArray, Choice, Keys, Names, Rational, Value, Whole
from conslaw_cli.specs import readers
from conslaw_cli.specs.readers import Reader

if TYPE_CHECKING:
    from conslaw_cli.specs.yaml_nodes import Node


def flow(node: Node) -> Asked:
    """Read a flow: its name, or ``{momentum: {friction: 0}}``, ``{decay: {only: [U1]}}`` or
    ``{mirror: {metric: {U1: {power: 1}}, rates: {U1: 1/10}}}``.
    """
    forms = [each.written() for each in listed.FLOWS]
    words = {word: asked for form in forms for word, asked in form.words.items()}
    keys = {key: value for form in forms for key, value in form.keys.items()}
    asked: Asked = _choice(Choice(words, keys), node)
    return asked


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


def _reader(value: Value) -> Reader:
    """Return what reads such a value."""
    match value:
        case Whole(least, most, make):
            return lambda node: make(readers.integer(least, most)(node))
        case Names():
            return readers.list_of(_name, "arrays such as [U1, U2]")
        case Rational():
            return partial(_rational, value)
        case ByArray():
            return partial(_by_array, value)
        case Keys():
            return partial(_keys, value)
        case Choice():
            return partial(_choice, value)


def _readers(values: Mapping[str, Value]) -> dict[str, Reader]:
    return {key: _reader(value) for key, value in values.items()}


def _choice(choice: Choice, node: Node) -> Any:
    """Read a word, or a mapping with one key."""
    if choice.keys and isinstance(node.value, dict):
        values = readers.mapping(node, _readers(choice.keys))
        if len(values) != 1:
            raise node.error(f"expected one of {', '.join(choice.keys)}, got {len(values)} keys")
        return next(iter(values.values()))
    if not choice.expected:
        return readers.one_of(choice.words)(node)
    if not isinstance(node.value, dict | list) and node.text in choice.words:
        return choice.words[node.text]
    raise node.fault(choice.expected, choice.hint)


def _keys(form: Keys, node: Node) -> Any:
    values = readers.mapping(node, _readers(form.keys), form.required)
    try:
        return form.make(**values)
    except SpecError as fault:
        key = str(fault).partition(":")[0]
        raise SpecError(f"{node.value.get(key, node).place}: {fault}") from None


def _by_array(each: ByArray, node: Node) -> tuple[tuple[str, Any], ...]:
    if not isinstance(node.value, dict) or not node.value:
        raise node.fault("a mapping from arrays such as U1")
    return tuple(readers.mapping(node, dict.fromkeys(node.value, _reader(each.value))).items())


def _rational(rational: Rational, node: Node) -> Any:
    """Read 2 or 1/10."""
    top, _, bottom = node.text.partition("/")
    if isinstance(node.value, int | str) and all(
        part.isascii() and part.isdecimal() and len(part) < 9 and 0 < int(part) <= rational.largest
        for part in (top, bottom or "1")
    ):
        return rational.make(Fraction(int(top), int(bottom or "1")))
    raise node.fault(
        f"a positive rational number such as 1/10, of parts up to {rational.largest:,}"
    )


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
