"""Theorems, flows and operations: as lists for people, and those that a count rests on."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from conslaw_cli.flows.listed import FLOWS
from conslaw_cli.lie.count import count_laws
from conslaw_cli.lie.theorems import THEOREMS, Theorem
from conslaw_cli.lie.theorems.direct_sum import direct_sum
from conslaw_cli.lie.theorems.flows import decays_as_one, homogeneous_decay
from conslaw_cli.lie.theorems.structure import parts_of
from conslaw_cli.networks.operation import Operation
from conslaw_cli.networks.operations.listed import OPERATIONS
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound, LawCount

_PACKAGE = Path(__file__).parents[1]


class Entry(NamedTuple):
    """One of a list. name: what it is asked for by; code: its class or function."""

    name: str
    title: str
    statement: str
    source: str
    code: Any
    others: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """File and line."""
        file = Path(inspect.getsourcefile(self.code) or "").relative_to(_PACKAGE.parent)
        return f"{file.as_posix()}:{inspect.findsource(self.code)[1] + 1}"

    @property
    def short(self) -> str:
        """The first sentences of the statement, on one line: up to the first that is no "Let …"."""
        text = " ".join(self.statement.partition("\n\n")[0].split())
        found = re.match(r"(?:Let .*?\. (?=[A-Z]))*.*?(?:(?<=\.)(?= [A-Z])|$)", text)
        return found[0] if found else text


def theorems() -> list[Entry]:
    """Return all theorems."""
    return [_of_theorem(theorem) for theorem in THEOREMS]


def flows() -> list[Entry]:
    """Return all flows."""
    return [_of_flow(flow) for flow in FLOWS]


def operations() -> list[Entry]:
    """Return all operations of networks that a graph may be written with."""
    return [_of_operation(operation) for operation in OPERATIONS if not operation.inner]


LISTS: dict[str, Callable[[], list[Entry]]] = {
    "theorems": theorems,
    "flows": flows,
    "operations": operations,
}


def render_list(entries: Sequence[Entry]) -> str:
    """Return a table: a line each."""
    head = ("name", "title", "where", "statement [source]")
    rows = [head, *((e.name, e.title, e.place, f"{e.short} [{e.source}]") for e in entries)]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(
        "  ".join(f"{cell:<{n}}" for cell, n in zip(row, (*widths, 0), strict=True)).rstrip()
        for row in rows
    )


def render_entry(entry: Entry) -> str:
    """Return all that is known of one."""
    source = f"Source: {entry.source}\n" if entry.source else ""
    return f"{entry.name}: {entry.title}\n\n{entry.statement}\n\n{source}{entry.place}"


def carried(problem: Problem, row: LawCount) -> list[Entry]:
    """Return what a row rests on: the theorems whose bounds meet, those of its parts where it is a
    direct sum, the flow, and the operations of the network, as far as these have a source.
    """
    if row.verdict == "failed":
        return []
    methods = _methods(problem, row)
    entries = [_of_theorem(theorem) for theorem in THEOREMS if theorem.name in methods]
    entries.append(_of_flow(type(problem.flow)))
    used = _operations(problem)
    return [*entries, *(_of_operation(each) for each in OPERATIONS if each in used and each.source)]


def _methods(problem: Problem, row: LawCount) -> set[str]:
    """Return the methods of the bounds that meet, and what handed them down from another problem;
    parts are counted again, as the row was.
    """
    methods = {bound.method for bound in (*row.lower, *row.upper) if _bears(row, bound)}
    if decays_as_one(problem):
        methods.add(homogeneous_decay.name)
    if direct_sum.name in methods:
        for part, _count in parts_of(problem):
            methods |= _methods(part, count_laws(part, seed=row.seed))
    return methods


def _bears(row: LawCount, bound: Bound) -> bool:
    if row.verdict == "bounded":
        return True
    return bound.value == row.dim_lie and (row.verdict == "computed" or bound.kind == "proof")


def _operations(problem: Problem) -> set[type[Operation]]:
    graph = getattr(problem.architecture, "graph", None)
    return set() if graph is None else {type(node.operation) for node in graph.nodes}


def distinct(entries: Iterable[Entry]) -> list[Entry]:
    """Return each once, in order."""
    return list(dict.fromkeys(entries))


def _of_theorem(theorem: Theorem) -> Entry:
    return Entry(theorem.name, theorem.title, theorem.statement, theorem.source, theorem.prove)


def _of_flow(flow: Any) -> Entry:
    name, *others = flow.written().names
    return Entry(name, flow.title, flow.statement, flow.source, flow, tuple(others))


def _of_operation(operation: type[Operation]) -> Entry:
    statement = inspect.getdoc(operation) or ""
    return Entry(
        operation.keyword,
        operation.title,
        statement,
        operation.source,
        operation,
        operation.words(),
    )
