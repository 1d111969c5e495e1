"""Linear networks written as formulas: sums and products of matrices are graphs of dense layers.

A matrix M stands for the row vector x M: a product M N applies N to what M gives, a sum adds both
up, the identity passes x on. The components of φ for all x and output weights are the entries of
M, so the map is that of the network.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple

from conslaw_cli.families.formulas.expressions import Expression, Names, name_of
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Input, Node
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.product import Add


def network(expressions: Sequence[Expression], names: Names) -> Graph | None:
    """Return the network whose map has the entries of expressions as its components; None if it is
    none that moves all arrays of θ, or shapes do not fit.
    """
    building = _Building(names)
    try:
        outputs = [building.component(expression.tree()) for expression in expressions]
    except _NoNetworkError:
        return None
    moving = {array for node in building.nodes for array in node.parameters}
    if any(name not in moving for name, _ in names.state) or set(outputs) & set(building.inputs):
        return None
    inputs = tuple(Input(name, (units,)) for name, units in building.inputs.items())
    frozen = frozenset(name for name, _ in names.constants if name in moving)
    return Graph(inputs, tuple(building.nodes), tuple(outputs), frozen)


class _Value(NamedTuple):
    name: str
    units: int


class _NoNetworkError(Exception):
    """An expression is no network."""


class _Building:
    """Adds the nodes of expressions."""

    def __init__(self, names: Names) -> None:
        self.shapes = dict((*names.state, *names.constants))
        self.nodes = list[Node]()
        self.inputs = dict[str, int]()

    def component(self, tree: ast.expr) -> str:
        rows = self.rows(tree)
        name = f"x{rows}"
        self.inputs[name] = rows
        return self.after(tree, _Value(name, rows)).name

    def rows(self, node: ast.expr) -> int:
        """Return how many rows a matrix has."""
        match node:
            case ast.BinOp(left=left, op=ast.Pow() | ast.Mult() | ast.MatMult() | ast.Add()):
                return self.rows(left)
            case ast.Name(id=name) if len(self.shapes.get(name, ())) == 2:
                return self.shapes[name][0]
            case ast.Call(args=[ast.Constant(value=int() as units)]) if name_of(node) == "I":
                return units
        raise _NoNetworkError

    def after(self, node: ast.expr, value: _Value) -> _Value:
        """Return a row vector times the matrix."""
        match node:
            case ast.BinOp(left=left, op=ast.Mult() | ast.MatMult(), right=right):
                return self.after(right, self.after(left, value))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                first, second = self.after(left, value), self.after(right, value)
                if first.units == second.units:
                    return self.node(Add(), (first, second), first.units)
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int() as times)):
                for _ in range(times):
                    value = self.after(left, value)
                return value
            case ast.Name(id=name) if name in self.shapes and len(self.shapes[name]) == 2:
                rows, columns = self.shapes[name]
                if rows == value.units:
                    return self.node(Linear(columns), (value,), columns, name)
            case ast.Call() if self.rows(node) == value.units:
                return value
        raise _NoNetworkError

    def node(
        self, operation: Linear | Add, read: Sequence[_Value], units: int, *arrays: str
    ) -> _Value:
        name = f"h{len(self.nodes) + 1}"
        self.nodes.append(Node(name, operation, tuple(each.name for each in read), arrays))
        return _Value(name, units)
