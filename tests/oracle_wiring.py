"""A slow, plain wiring: one unknown for every entry of every generator, to check networks/wiring.py
and what operations tell it against.

A generator on a value h is (S, t), h → h + ε(S h + t); the array U between two values moves by ``U
S'ᵀ − Sᵀ U`` and a bias b by ``S' b + t'``. Entries of S and t are linear forms in unknowns. What an
operation demands is a list of equations between them, written here from the words that operations
use, and the solutions are a nullspace modulo a prime. An array that must not move, or moves in two
ways at once, is put in as random numbers, more often than it has rows or columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Composite, Operation, Shape, positions

P = 8388593
FIELD = PrimeField(P)
Form = dict[int, int]
"""A linear form: coefficients modulo P by the numbers of unknowns."""
Matrix = list[list[Form]]


def plus(left: Form, right: Form, factor: int = 1) -> Form:
    """Return ``left + factor · right``."""
    total = dict(left)
    for unknown, c in right.items():
        total[unknown] = (total.get(unknown, 0) + factor * c) % P
    return total


@dataclass(frozen=True)
class Wire:
    """The generator (S, t) of a value: a form for every entry, one row per row of the value."""

    s: Matrix
    t: list[Form]
    positions: int = 1

    def repeated(self, copies: int) -> Wire:
        """Every row several times, one beside the next; copies do not mix."""
        rows = [(i, k) for i in range(len(self.t)) for k in range(copies)]
        s = [[dict(self.s[i][j]) if k == m else Form() for j, m in rows] for i, k in rows]
        return Wire(s, [dict(self.t[i]) for i, _ in rows])

    def flattened(self) -> Wire:
        return self.repeated(self.positions)

    def forms(self) -> list[Form]:
        return [*(form for row in self.s for form in row), *self.t]


@dataclass(frozen=True)
class Use:
    """An array between two values; the bias has none before it."""

    before: Wire | None
    after: Wire
    groups: int = 1

    def motion(self, array: NDArray[Any]) -> list[Form]:
        """Return how the entries of an array move, row by row."""
        if self.groups > 1 and self.before is not None:
            return self._inside(array)
        rows, columns = array.shape
        moved = []
        for a, i in product(range(rows), range(columns)):
            total = dict(self.after.t[i]) if self.before is None else Form()
            for j in range(columns):
                total = plus(total, self.after.s[i][j], int(array[a, j]))
            for k in range(rows) if self.before is not None else ():
                total = plus(total, self.before.s[k][a], -int(array[k, i]))  # type: ignore[union-attr]
            moved.append(total)
        return moved

    def _inside(self, array: NDArray[Any]) -> list[Form]:
        """Put matrices (groups, rows, columns), below each other, on the diagonal of a large one;
        return how they move.
        """
        assert self.before is not None
        size = len(self.before.t), len(self.after.t)
        large, inside = np.zeros(size, int), np.zeros(size, bool)
        rows, columns = size[0] // self.groups, size[1] // self.groups
        for g in range(self.groups):
            block = slice(g * rows, (g + 1) * rows), slice(g * columns, (g + 1) * columns)
            large[block], inside[block] = array.reshape(self.groups, rows, columns)[g], True
        moved = Use(self.before, self.after).motion(large)
        return [form for form, kept in zip(moved, inside.ravel(), strict=True) if kept]


class Plain:
    """Collects equations. ``symmetric``: only symmetric generators, whose motions are gradients."""

    def __init__(self, symmetric: bool = False) -> None:
        self.symmetric = symmetric
        self.unknowns = 0
        self.equations: list[Form] = []
        self.uses: dict[str, tuple[Any, Use]] = {}
        self.rng = np.random.default_rng(0)

    # ---- the words of operations

    def fresh(self, units: int, shift: bool) -> Wire:
        s = [[self.unknown() for _ in range(units)] for _ in range(units)]
        if self.symmetric:
            self.same([s[i][j] for i, j in _pairs(units)], [s[j][i] for i, j in _pairs(units)])
        return Wire(s, [self.unknown() if shift else {} for _ in range(units)])

    def given(self, units: int) -> Wire:
        return Wire([[Form() for _ in range(units)] for _ in range(units)], [{}] * units)

    def layer(self, wire: Wire, units: int, matrix: Any, *bias: Any) -> Wire:
        opened = self.fresh(units, shift=len(bias) > 0)
        self.vanish(wire.t)
        groups = matrix.groups
        use, rows = Use(wire, opened, groups), len(wire.t)
        self.use(matrix, use, (rows, units // groups))
        for array in bias:
            self.use(array, Use(None, opened), (1, units))
        return opened

    def diagonal(self, wire: Wire) -> Wire:
        self.vanish([wire.s[i][j] for i, j in _pairs(len(wire.t))] + wire.t)
        return wire

    def grouped(self, wire: Wire, groups: int) -> Wire:
        """Nothing leads from one group of rows to another."""
        group = [i * groups // len(wire.t) for i in range(len(wire.t))]
        self.vanish([wire.s[i][j] for i, j in _pairs(len(group)) if group[i] != group[j]])
        return wire

    def unshifted(self, wire: Wire) -> Wire:
        self.vanish(wire.t)
        return replace(wire, t=[Form() for _ in wire.t])

    def fixed(self, wire: Wire) -> None:
        self.vanish(wire.forms())

    def stopped(self, wire: Wire) -> Wire:
        self.fixed(wire)
        return replace(self.given(len(wire.t)), positions=wire.positions)

    def scaled(self, wire: Wire, factor: int) -> Wire:
        s = [[plus({}, form, factor) for form in row] for row in wire.s]
        return replace(wire, s=s, t=[{}] * len(wire.t))

    def exponentiated(self, wire: Wire) -> Wire:
        self.vanish([form for row in wire.s for form in row])
        n = len(wire.t)
        s = [[dict(wire.t[i]) if i == j else Form() for j in range(n)] for i in range(n)]
        return replace(wire, s=s, t=[{}] * n)

    def joined(self, first: Wire, second: Wire) -> Wire:
        for left, right in zip(first.s, second.s, strict=True):
            self.same(left, right)
        shifts = [plus(x, y) for x, y in zip(first.t, second.t, strict=True)]
        return replace(first, t=shifts)

    def multiplied(self, first: Wire, second: Wire) -> Wire:
        pairs = zip(first.s, second.s, strict=True)
        s = [[plus(x, y) for x, y in zip(*rows, strict=True)] for rows in pairs]
        return replace(first, s=s, t=[{}] * len(first.t))

    # ---- equations

    def unknown(self) -> Form:
        self.unknowns += 1
        return {self.unknowns - 1: 1}

    def vanish(self, forms: Sequence[Form]) -> None:
        self.equations += forms

    def same(self, left: Sequence[Form], right: Sequence[Form]) -> None:
        self.vanish([plus(x, y, -1) for x, y in zip(left, right, strict=True)])

    def use(self, array: Any, use: Use, shape: Shape) -> None:
        known = self.uses.setdefault(array.name, (array, use))[1]
        for _ in range(2 + max(shape)):
            numbers = self.rng.integers(1, P, shape)
            if not array.trainable:
                self.vanish(use.motion(numbers))
            elif known is not use:
                self.same(known.motion(numbers), use.motion(numbers))

    def solutions(self) -> Array:
        """Return a basis of all assignments to the unknowns, one a row."""
        if not self.unknowns:
            return np.zeros((0, 1))
        return FIELD.nullspace(dense([*self.equations, {}], self.unknowns))

    def motions(self, graph: Graph, theta: NDArray[Any]) -> Array:
        """Return how θ moves under each of them: (solutions, D)."""
        rows = [Form() for _ in range(graph.dimension)]
        for array, use in self.uses.values():
            if array.trainable:
                index = array.places
                for place, form in zip(index.ravel(), use.motion(theta[index]), strict=True):
                    rows[place] = form
        return FIELD.matmul(self.solutions(), dense(rows, self.unknowns).T)


def _pairs(units: int) -> list[tuple[int, int]]:
    return [(i, j) for i, j in product(range(units), repeat=2) if i != j]


def dense(forms: Sequence[Form], unknowns: int) -> Array:
    """Return forms as rows of a matrix of centred residues."""
    rows = np.zeros((len(forms), max(unknowns, 1)))
    for row, form in zip(rows, forms, strict=True):
        for unknown, c in form.items():
            row[unknown] = c
    return FIELD.reduce(rows)


# ---- operations and graphs


def primitives(operation: Operation, shapes: Sequence[Shape]) -> Iterator[Any]:
    """Yield what an operation consists of: operations, the shapes they read, the names of the
    values and arrays that they read, and the name of the value that they write.
    """
    names = ["x"] if len(shapes) == 1 else [f"x{i}" for i in range(1, len(shapes) + 1)]
    if not isinstance(operation, Composite):
        arrays = [symbol for symbol, _ in operation.parameters(*shapes)]
        yield operation, list(shapes), names, arrays, "y"
        return
    known = dict(zip(names, shapes, strict=True))
    body = operation.body(*shapes)
    for node in body:
        read = [known[name] for name in node.inputs]
        known[node.name] = node.operation.output(*read)
        name = "y" if node is body[-1] else node.name
        yield node.operation, read, list(node.inputs), list(node.parameters), name


def passed(
    wiring: Any, operation: Operation, shapes: Sequence[Shape], wires: Sequence[Any], arrays: Any
) -> Any:
    """Return the wire of the output of an operation, primitive or not. ``arrays``: by symbol."""
    names = ["x"] if len(shapes) == 1 else [f"x{i}" for i in range(1, len(shapes) + 1)]
    known = dict(zip(names, wires, strict=True))
    for each, read, values, symbols, name in primitives(operation, shapes):
        wire = each.wires(wiring, [known[v] for v in values], [arrays[a] for a in symbols])
        known[name] = replace(wire, positions=positions(each.output(*read)))
    return known["y"]


def wired(graph: Graph) -> Plain:
    """Return the equations of a whole graph, symmetric generators only, its outputs fixed."""
    wiring, shapes = Plain(symmetric=True), dict(graph.inputs)
    wires = {
        name: replace(wiring.given(shape[0]), positions=prod(shape[1:]))
        for name, shape in shapes.items()
    }
    arrays = {array.name: array for array in graph.arrays}
    for node in graph.nodes:
        read = [shapes[name] for name in node.inputs]
        symbols = [symbol for symbol, _ in node.operation.parameters(*read)]
        own = dict(zip(symbols, (arrays[name] for name in node.parameters), strict=True))
        inputs = [wires[name] for name in node.inputs]
        wires[node.name] = passed(wiring, node.operation, read, inputs, own)
        shapes[node.name] = node.operation.output(*read)
    for name in graph.outputs:
        wiring.fixed(wires[name])
    return wiring
