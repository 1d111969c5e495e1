"""The text of a graph: what ``describe`` prints, errors quote and tests are written in.

x[3]                            an input, its units (and sizes: x[3×6×6])
h[4] = dense(x; U1, b1)         inputs; arrays. The node that opens a space says its units.
g = relu(h | slopes)            | names a state, which nodes of that name share
c[2] = conv(p, kernel=3×3; U2)  options
s = add(h, g)
frozen U1                       arrays that training does not move
output h, s                     the last node, if there is no such line
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence, Set
from typing import NamedTuple, TypeVar

from conslaw_cli import checks
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.operation import Input, Node, show
from conslaw_cli.networks.operations.listed import OPERATIONS
from conslaw_cli.networks.plan import Planner

T = TypeVar("T")
_WORDS = {word: operation for operation in OPERATIONS for word in operation.words()}
_NAME = r"[^\W\d][\w.]*"
_INPUT = re.compile(rf"({_NAME})\[([0-9×x]+)\]\s*\Z")
_NODE = re.compile(rf"({_NAME})(?:\[([0-9]{{1,10}})\])?\s*=\s*({_NAME})\(([^()]*)\)\s*\Z")
_LIST = re.compile(rf"(frozen|output)\s+({_NAME}(?:\s*,\s*{_NAME})*)\s*\Z")
_ARGUMENTS = re.compile(r"([^;|]*)(?:;([^;|]*))?(?:\|([^;|]*))?\Z")


class Parts(NamedTuple):
    """What a graph is made of, see there."""

    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    frozen: frozenset[str]


def written(
    inputs: Sequence[Input], nodes: Sequence[Node], outputs: Sequence[str], frozen: Set[str]
) -> str:
    """Return the text of a graph, without a line end behind it."""
    text = [line for _, line in lines(inputs, nodes)]
    if frozen:
        text.append(f"frozen {', '.join(sorted(frozen))}")
    if list(outputs) != [node.name for node in nodes[-1:]]:
        text.append(f"output {', '.join(outputs)}")
    return "\n".join(text)


def lines(inputs: Sequence[Input], nodes: Sequence[Node]) -> Iterator[tuple[str, str]]:
    """Yield the name and the line of each value, inputs first."""
    for each in inputs:
        yield each.name, f"{each.name}[{show(each.shape)}]"
    for node in nodes:
        yield node.name, _line(node)


def _line(node: Node) -> str:
    opened = "" if node.operation.opened is None else f"[{node.operation.opened}]"
    options = [f"{key}={value}" for key, value in node.operation.options().items()]
    inside = ", ".join([*node.inputs, *options])
    arrays = f"; {', '.join(node.parameters)}" if node.parameters else ""
    state = f" | {node.state}" if node.state is not None else ""
    return f"{node.name}{opened} = {node.operation.word}({inside}{arrays}{state})"


def read(text: str) -> Parts:
    """Return what a text describes. Raise SpecError with line and column if it is no graph."""
    reader = _Reader()
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            reader.line(line, number)
    return reader.parts()


class _Place(NamedTuple):
    line: int
    column: int

    def error(self, message: str) -> SpecError:
        return SpecError(f"{self.line}:{self.column}: {message}")


class _Reader:
    """Collects a graph line by line."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self.nodes: list[Node] = []
        self.planner = Planner()
        self.lists: dict[str, tuple[_Place, list[str]]] = {}

    def line(self, line: str, number: int) -> None:
        place = _Place(number, len(line) - len(line.lstrip()) + 1)
        stripped = line.strip()
        if match := _INPUT.match(stripped):
            self.input(match, place)
        elif match := _LIST.match(stripped):
            if match[1] in self.lists:
                raise place.error(f"{match[1]}: is given twice")
            self.lists[match[1]] = (place, [name.strip() for name in match[2].split(",")])
        elif match := _NODE.match(stripped):
            self.node(match, place)
        else:
            raise place.error(
                f"expected x[3], h[4] = dense(x; U1), frozen U1 or output h, got"
                f" {checks.shown(stripped)}"
            )

    def input(self, match: re.Match[str], place: _Place) -> None:
        sizes = match[2].replace("x", "×").split("×")
        if self.nodes or not 1 <= len(sizes) <= 3 or not all(0 < len(n) < 9 for n in sizes):
            raise place.error("expected an input of one to three sizes, before all nodes")
        shape = tuple(map(int, sizes))
        if 0 in shape:
            raise place.error(f"expected positive sizes, got {match[2]}")
        _guarded(place, lambda: self.planner.given(match[1], shape))
        self.inputs.append(Input(match[1], shape))

    def node(self, match: re.Match[str], place: _Place) -> None:
        word = match[3]
        if word not in _WORDS:
            near = checks.near(word, list(_WORDS))
            raise place.error(f"expected an operation, got {checks.shown(word)}{near}")
        if _WORDS[word].inner:
            raise place.error(f"{word}: is made from others, not written")
        arguments = _ARGUMENTS.match(match[4])
        if arguments is None:
            raise place.error(f"{word}: expected (inputs; arrays | state), got ({match[4]})")
        inputs, options = _guarded(place, lambda: _split(arguments[1]))
        arrays, units = _names(arguments[2]), int(match[2]) if match[2] else None
        made = _guarded(place, lambda: _WORDS[word].parsed(word, units, options, len(arrays)))
        if not inputs or (units and made.opened is None):
            raise place.error(f"{word}: expected inputs, and no units of its own")
        state = (arguments[3] or "").strip() or None
        self.nodes.append(Node(match[1], made, tuple(inputs), tuple(arrays), state))
        _guarded(place, lambda: self.planner.add(self.nodes[-1]))

    def parts(self) -> Parts:
        first = _Place(1, 1)
        if not self.inputs or not self.nodes:
            raise first.error("expected an input and a node")
        place, outputs = self.lists.get("output", (first, [self.nodes[-1].name]))
        for each in outputs:
            if each not in [node.name for node in self.nodes]:
                raise place.error(f"{each} is no node")
        place, frozen = self.lists.get("frozen", (first, []))
        for each in frozen:
            if each not in self.planner.arrays:
                raise place.error(f"{each} is no array")
        return Parts(tuple(self.inputs), tuple(self.nodes), tuple(outputs), frozenset(frozen))


def _guarded(place: _Place, make: Callable[[], T]) -> T:
    try:
        return make()
    except SpecError as fault:
        raise place.error(str(fault)) from None


def _split(text: str) -> tuple[list[str], dict[str, str]]:
    """Return the names and the options of what stands before the arrays."""
    parts = _names(text)
    pairs = [part.split("=", 1) for part in parts if "=" in part]
    options = {key.strip(): value.strip() for key, value in pairs}
    if len(options) < len(pairs):
        raise SpecError("an option is given twice")
    return [part for part in parts if "=" not in part], options


def _names(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
