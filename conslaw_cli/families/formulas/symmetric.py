"""Symmetric matrices of laws of a map that is made of arrays, one for a contracted index.

A *generator* on an axis of an array, for a symmetric matrix S, is a number g: the array moves by
``g S`` applied along that axis. Every axis of every array that moves has an unknown one. They pass
through expressions as the charges of networks do (networks/wiring.py): where two axes are summed
over as one index, the sum stays if their generators add up to 0; terms of a sum have equal ones;
the identity has g and −g for any g; where more than two axes share an index, or one axis alone is
summed over, they are 0, and so are those of all axes of a component of φ and of constants. For a
solution g of these linear equations, φ is constant along the motion of all arrays X by ``g_{X,a}
S`` on their axes a, which is the gradient of half ``tr S Σ g_{X,a} X_a X_aᵀ``, X_a being X with
axis a as its rows: so the entries of that sum of matrices are laws.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conslaw_cli.algebra.kernel import rank_and_kernel
from conslaw_cli.families.formulas.expressions import Expression, Names, name_of
from conslaw_cli.families.formulas.scalings import MAX_COEFFICIENT
from conslaw_cli.networks.known_laws import Form, Index, Part

Generator = dict[int, int]
"""A combination of unknowns: coefficients by their numbers."""


def forms(expressions: Sequence[Expression], names: Names) -> Iterator[Form]:
    """Yield the symmetric matrices of laws."""
    reading = _Reading(names)
    for expression in expressions:
        reading.expression = expression
        for axis in reading.of(expression.tree()):
            reading.equations.append(axis)
    rows = [row for row in reading.equations if row]
    _, solutions = rank_and_kernel(rows, reading.unknowns, MAX_COEFFICIENT)
    for solution in solutions:
        found = {
            axis: solution[reading.axes[axis]]
            for axis in reading.axes
            if reading.axes[axis] in solution
        }
        if len({g > 0 for g in found.values()}) == 2:  # else it does not act on φ at all
            yield _form(found, names)


def _form(found: dict[tuple[str, int], int], names: Names) -> Form:
    shapes = dict(names.state)
    ordered = sorted(found, key=lambda axis: found[axis] < 0)
    units = shapes[ordered[0][0]][ordered[0][1]]
    return Form(units, tuple(_part(axis, found[axis], names) for axis in ordered), "full")


def _part(axis: tuple[str, int], factor: int, names: Names) -> Part:
    (name, place), entries = axis, names.entries[axis[0]]
    written, width = entries.ndim == 2 and place == 1, entries.size // entries.shape[place]
    part = Part(factor, name, written, False, False, entries.size, width, _Unfolded(entries, place))
    return part._replace(axis=place) if entries.ndim > 2 else part


@dataclass(frozen=True, slots=True, eq=False)
class _Unfolded:
    """Gives an array of indices as a matrix with one axis as its rows."""

    entries: Index
    axis: int

    def __call__(self) -> Index:
        rows = self.entries.swapaxes(0, self.axis)
        return rows.reshape(len(rows), -1)


class _Reading:
    """Collects the equations of expressions that have been read without error."""

    def __init__(self, names: Names) -> None:
        self.names, self.expression = names, Expression("", "")
        self.axes = dict[tuple[str, int], int]()
        for name, shape in names.state:
            for axis in range(len(shape)):
                self.axes[name, axis] = len(self.axes)
        self.unknowns = len(self.axes)
        self.equations = list[Generator]()

    def of(self, node: ast.expr) -> list[Generator]:
        """Return the generators of the axes of what a part of the syntax tree stands for."""
        match node:
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
                return self._equal([self.of(left), self.of(right)])
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self._power(self.of(left), right)
            case ast.BinOp(left=left, right=right):
                return self._multiplied(self.of(left), self.of(right))
            case ast.UnaryOp(operand=operand):
                return self.of(operand)
            case ast.Attribute(value=value):
                return self.of(value)[::-1]
            case ast.Call():
                return self._call(node)
            case ast.Name(id=name):
                return self._name(name)
        return []

    def _name(self, name: str) -> list[Generator]:
        axes = range(self.names.entries[name].ndim)
        return [{self.axes[name, a]: 1} if (name, a) in self.axes else {} for a in axes]

    def _call(self, node: ast.Call) -> list[Generator]:
        name = name_of(node)
        if name == "I":
            return self._identity()
        if name == "einsum":
            text = self.expression.source(node.args[0])
            *read, written = re.findall("[a-zA-Z]+", text) + [""] * text.rstrip().endswith(">")
            return self._contracted(read, written, [self.of(each) for each in node.args[1:]])
        values = [self.of(each) for each in node.args]
        if name == "mul" and len(values) == 1:
            return values[0]
        self.equations += [axis for value in values for axis in value]  # entry by entry
        return [{} for _ in values[0]]

    def _identity(self) -> list[Generator]:
        self.unknowns += 1
        return [{self.unknowns - 1: 1}, {self.unknowns - 1: -1}]

    def _equal(self, values: Sequence[list[Generator]]) -> list[Generator]:
        first, *others = values
        for other in others:
            self.equations += [_sum(a, b, -1) for a, b in zip(first, other, strict=True)]
        return first

    def _power(self, base: list[Generator], exponent: ast.expr) -> list[Generator]:
        if not base:
            return base
        if isinstance(exponent, ast.Constant) and exponent.value == 0:
            return self._identity()
        return base if getattr(exponent, "value", 2) == 1 else self._multiplied(base, base)

    def _multiplied(self, left: list[Generator], right: list[Generator]) -> list[Generator]:
        if not (left and right):
            return left or right
        self.equations.append(_sum(left[-1], right[0], 1))
        return [*left[:-1], *right[1:]]

    def _contracted(
        self, read: Sequence[str], written: str, values: Sequence[list[Generator]]
    ) -> list[Generator]:
        meeting = defaultdict[str, list[Generator]](list)
        for indices, value in zip(read, values, strict=True):
            for index, axis in zip(indices, value, strict=True):
                meeting[index].append(axis)
        for index, axes in meeting.items():
            if index not in written and len(axes) == 2:
                self.equations.append(_sum(axes[0], axes[1], 1))
            elif index not in written or len(axes) > 1:
                self.equations += axes
        return [meeting[index][0] if len(meeting[index]) == 1 else {} for index in written]


def _sum(left: Generator, right: Generator, factor: int) -> Generator:
    total = dict(left)
    for unknown, g in right.items():
        total[unknown] = total.get(unknown, 0) + factor * g
    return {unknown: g for unknown, g in total.items() if g}
