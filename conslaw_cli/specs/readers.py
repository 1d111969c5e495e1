"""Readers: functions from a node of a YAML file to a checked value.

A reader raises SpecError with ``file:line:column``. Readers of lists and mappings read all their
parts before they raise, so that one SpecError tells every fault, one to a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from conslaw_cli import checks
from conslaw_cli.errors import SpecError

if TYPE_CHECKING:
    from conslaw_cli.specs.yaml_nodes import Node

Reader = Callable[["Node"], Any]

_OLD_BOOLEANS = {
    "yes": "true",
    "y": "true",
    "on": "true",
    "no": "false",
    "n": "false",
    "off": "false",
}
"""Booleans of YAML 1.1, which are text in YAML 1.2."""


def mapping(
    node: Node, readers: Mapping[str, Reader], required: Sequence[str] = ()
) -> dict[str, Any]:
    """Read every key with its reader, in the file's order; keys without a reader are faults."""
    if not isinstance(node.value, dict):
        raise node.fault(f"a mapping with keys such as {', '.join([*readers][:4])}")
    values: dict[str, Any] = {}
    faults: list[str] = []
    for key, child in node.value.items():
        try:
            if key not in readers:
                raise unknown_key(node, key, readers)
            values[key] = readers[key](child)
        except SpecError as fault:
            faults += fault.args
    faults += [
        str(node.error(f"key {key!r} is missing")) for key in required if key not in node.value
    ]
    if faults:
        raise SpecError(*faults)
    return values


def unknown_key(node: Node, key: str, known: Iterable[str]) -> SpecError:
    """Return the error for a key of a mapping that is none of the known ones."""
    from conslaw_cli.specs.yaml_nodes import shorten

    known = list(dict.fromkeys(known))
    what = f"unknown key {shorten(key)!r}{_meant(key, known)}; expected one of {', '.join(known)}"
    return SpecError(f"{node.keys[key]}: {what}")


def list_of(read: Reader, what: str) -> Reader:
    """Read a list of one or more values as a tuple."""

    def read_list(node: Node) -> tuple[Any, ...]:
        if not isinstance(node.value, list) or not node.value:
            raise node.fault(f"a list of {what}")
        values: list[Any] = []
        faults: list[str] = []
        for child in node.value:
            try:
                values.append(read(child))
            except SpecError as fault:
                faults += fault.args
        if faults:
            raise SpecError(*faults)
        return tuple(values)

    return read_list


def alternatives(read: Reader) -> Reader:
    """Read one value or a list of them as a tuple."""
    read_list = list_of(read, "one or more values")
    return lambda node: read_list(node) if isinstance(node.value, list) else (read(node),)


def integer(low: int, high: int | None = None) -> Reader:
    """Read an integer between low and high, both included."""
    limits = f"of at least {low}" if high is None else f"from {low} to {high}"

    def read(node: Node) -> int:
        value = node.value
        if type(value) is int and value >= low and (high is None or value <= high):
            return value
        raise node.fault(f"an integer {limits}")

    return read


def integer_range(low: int, high: int) -> Reader:
    """Read one integer, or ``{from: 1, to: 4}`` with both ends included, as a range."""
    end = integer(low, high)

    def read(node: Node) -> range:
        if not isinstance(node.value, dict):
            return range(end(node), node.value + 1)
        ends = mapping(node, {"from": end, "to": end}, required=("from", "to"))
        if ends["from"] > ends["to"]:
            raise node.error(f"expected 'from' at most 'to', got {ends['from']} and {ends['to']}")
        return range(ends["from"], ends["to"] + 1)

    return read


def integers(low: int, high: int) -> Reader:
    """Read one integer, a list of them or a range, each once.

    A range stays one, however long it is.
    """
    read_range, read_all = integer_range(low, high), alternatives(integer(low, high))

    def read(node: Node) -> Sequence[int]:
        return (
            tuple(dict.fromkeys(read_all(node)))
            if isinstance(node.value, list)
            else read_range(node)
        )

    return read


def probability(node: Node) -> float:
    """Read a number from 0 to 1."""
    if type(node.value) in (int, float) and 0 <= node.value <= 1:
        return float(node.value)
    raise node.fault("a probability from 0 to 1")


def one_of(choices: Mapping[str, Any]) -> Reader:
    """Read one of some words, in small or capital letters, as the value that it stands for; a YAML
    boolean is the word true or false.
    """

    def read(node: Node) -> Any:
        if not isinstance(node.value, bool | str):
            raise node.fault(f"one of {', '.join(choices)}")
        word = str(node.value)
        if word.lower() not in choices:
            raise node.fault(f"one of {', '.join(choices)}", _meant(word, choices))
        return choices[word.lower()]

    return read


def line(node: Node) -> str:
    """Read one short printable line of text."""
    if node.text.strip() and node.text.isprintable() and len(node.text) <= 200:
        return node.text
    raise node.fault("one line of text, at most 200 characters")


def prose(node: Node) -> str:
    """Read text of any length."""
    if node.text.strip():
        return node.text
    raise node.fault("text")


def _meant(word: str, known: Iterable[str]) -> str:
    guess = _OLD_BOOLEANS.get(word.lower(), "")
    return f" (did you mean {guess}?)" if guess in known else checks.near(word, known)
