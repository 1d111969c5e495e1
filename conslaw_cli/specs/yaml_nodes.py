"""YAML text → a tree of nodes that know their place in the file.

Scalars follow the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/, section 10.3): ``010`` is
ten, ``1e-5`` a number, ``on`` and ``1:30`` are text. PyYAML's own composer follows YAML 1.1, keeps
the last of two equal keys and recurses as deep as the input asks, so only its events are used. They
come from its Python
parser: libyaml's words differ, and its time is quadratic in the number of directives.

Refused, with ``file:line:column``: two equal keys, tags, a second document, an alias inside its own
anchor, more than MAX_DEPTH levels, more than MAX_NODES nodes with aliases written out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from conslaw_cli.errors import SpecError

MAX_DEPTH = 20
MAX_NODES = 200_000
MAX_DIGITS = 300
_LONGEST_SHOWN = 60

_INTEGER = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file.

    value: None, bool, int, float or str; a list of nodes; or a dict from str to nodes.
    text: a scalar as it is written, without its quotes.
    place: ``file:line:column``, from 1.
    label: the key that the value belongs to, "" at the top.
    size: number of nodes in it, aliases written out.
    keys: the places of a dict's keys.
    """

    value: Any
    text: str
    place: str
    label: str
    size: int = 1
    keys: dict[str, str] = field(default_factory=dict)

    def error(self, what: str) -> SpecError:
        """Return an error about the value, with its place and label."""
        return SpecError(
            f"{self.place}: {self.label}: {what}" if self.label else f"{self.place}: {what}"
        )

    def fault(self, expected: str, hint: str = "") -> SpecError:
        """Return the error that says what was expected here and what is here."""
        return self.error(f"expected {expected}, got {self.shown()}{hint}")

    def shown(self) -> str:
        """Return the value as a message shows it: on one short line, text in quotes."""
        if isinstance(self.value, list):
            return f"a list of {len(self.value)}" if self.value else "an empty list"
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, str):
            return repr(shorten(self.text))
        return shorten(self.text) or "nothing"


def shorten(text: str) -> str:
    """Return the text cut to what a message can hold."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def compose(text: str, filename: str) -> Node:
    """Return the tree of the one document in ``text``.

    Raise SpecError with its place in ``filename``.
    """
    try:
        parser = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        what = f"character {chr(error.character)!r} is not allowed"
        raise SpecError(f"{filename}:{line}:{column}: not valid YAML: {what}") from None
    try:
        return _Composer(iter(parser.get_event, None), filename).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ": ".join(filter(None, (error.context, error.problem)))
        raise SpecError(f"{_place(filename, mark)}: not valid YAML: {what}") from None
    except (ValueError, OverflowError):  # the parser's own, from chr() and int()
        what = "an escape or a version number is out of range"
        raise SpecError(f"{_place(filename, parser.get_mark())}: not valid YAML: {what}") from None


class _Composer:
    """Builds nodes from events. An anchor maps to None while its node is still open."""

    def __init__(self, events: Iterator[yaml.Event], filename: str) -> None:
        self.events = events
        self.filename = filename
        self.anchors: dict[str, Node | None] = {}

    def document(self) -> Node:
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return Node(None, "", f"{self.filename}:1:1", "")
        root = self.node(next(self.events), "", 1)
        next(self.events)  # the end of the document
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.error(after, "a second document; expected one per file")
        return root

    def node(self, event: yaml.Event, label: str, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        assert isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH:
            raise self.error(event, f"nested more than {MAX_DEPTH} levels deep")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self.error(event, f"tag {shorten(tag)!r}: tags are not supported")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        node = self.untagged(event, label, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def untagged(self, event: yaml.NodeEvent, label: str, depth: int) -> Node:
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(event, label, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(event, label, depth)
        assert isinstance(event, yaml.ScalarEvent)
        node = Node(event.value, event.value, self.place(event), label)
        return replace(node, value=_resolved(node)) if event.implicit[0] else node

    def sequence(self, start: yaml.NodeEvent, label: str, depth: int) -> Node:
        items: list[Node] = []
        size = 1
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, label, depth + 1))
            size = self.grown(size, items[-1], event)
        return Node(items, "", self.place(start), label, size)

    def mapping(self, start: yaml.NodeEvent, label: str, depth: int) -> Node:
        values: dict[str, Node] = {}
        keys: dict[str, str] = {}
        size = 1
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, label, depth + 1)
            if isinstance(key.value, list | dict):
                raise self.error(event, f"expected a key, got {key.shown()}")
            if key.text in keys:
                first = keys[key.text].removeprefix(f"{self.filename}:").partition(":")[0]
                raise self.error(
                    event, f"key {shorten(key.text)!r} is given twice, first on line {first}"
                )
            keys[key.text] = self.place(event)
            values[key.text] = self.node(next(self.events), key.text, depth + 1)
            size = self.grown(size + 1, values[key.text], event)
        return Node(values, "", self.place(start), label, size, keys)

    def alias(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self.anchors:
            raise self.error(
                event, f"alias *{event.anchor}: no anchor &{event.anchor} stands before it"
            )
        target = self.anchors[event.anchor]
        if target is None:
            raise self.error(event, f"alias *{event.anchor} stands inside its own anchor")
        return target

    def grown(self, size: int, child: Node, event: yaml.Event) -> int:
        if size + child.size > MAX_NODES:
            raise self.error(event, f"more than {MAX_NODES:,} values, aliases written out")
        return size + child.size

    def place(self, event: yaml.Event) -> str:
        return _place(self.filename, event.start_mark)

    def error(self, event: yaml.Event, what: str) -> SpecError:
        return SpecError(f"{self.place(event)}: {what}")


def _resolved(node: Node) -> object:
    """Return the value of an unquoted scalar by the core schema."""
    text = node.text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) or _PREFIXED.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise node.fault(f"a number of at most {MAX_DIGITS} digits", f" ({len(text)} digits)")
        return int(text, 0) if _PREFIXED.fullmatch(text) else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _SPECIAL.fullmatch(text) else text


def _place(filename: str, mark: Any) -> str:
    return f"{filename}:{mark.line + 1}:{mark.column + 1}" if mark is not None else filename
