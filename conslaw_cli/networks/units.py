"""Which units a parameter joins: the spaces of units of a graph, by their sizes alone.

A node with parameters opens a space of units; its matrix leads from the units that it reads to
those that it writes, its bias from one unit more, the *constant*. What has no parameters treats
units one by one: the inputs of a sum or a product have the same units, and so has the output,
each perhaps several times (the taps of a window, the positions that are flattened), copies beside
each other. So a residual stream is one space, from the layer that embeds the input, or the input
itself, to the last that reads it; and a shared array reads and writes the same units everywhere, a
shared state belongs to the same. A group of a grouped convolution is one unit, with the channels
that it reads and those that it writes; several groups are, where rows belong together elsewhere.

Nothing here is assumed of operations: whether they do treat these units one by one is what
``Operation.separating`` declares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd, lcm, prod
from typing import NamedTuple

import numpy as np

from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Index, Node
from conslaw_cli.networks.wiring import Array

Sizes = tuple[int, ...]
"""Units in each space of a graph, in the order in which they are opened, inputs first; last, if it
has biases, 1 for the constant unit.
"""


class Ends(NamedTuple):
    """The spaces of the units that an array reads and writes. within: whether it joins each unit to
    itself alone, as one in groups does.
    """

    read: int
    written: int
    within: bool = False

    def pairs(self, sizes: Sequence[int]) -> int:
        """Return how many pairs of so many units it joins."""
        return sizes[self.read] * (1 if self.within else sizes[self.written])


class _Rows(NamedTuple):
    """Rows of a value or an array: their space, and how many beside each other are one unit."""

    space: int
    copies: int


@dataclass(frozen=True, slots=True)
class Units:
    """The spaces of units of a graph.

    sizes: how many units there are. openers: for each space the names of inputs and nodes that open
    it, with the number of their units that are one unit of the space; none for the constant.
    arrays: for each array the spaces at its ends.
    inputs, outputs: the spaces of the rows of inputs and outputs.
    """

    sizes: Sizes
    openers: tuple[tuple[tuple[str, int], ...], ...]
    arrays: tuple[Ends, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @classmethod
    def of(cls, graph: Graph) -> Units:
        """Return the spaces of a graph."""
        return _units(graph, True)

    @classmethod
    def of_rows(cls, graph: Graph) -> Units:
        """Return them where a row of what groups read, or write, is a unit by itself."""
        return _units(graph, False)

    def resized(self, graph: Graph, sizes: Sizes) -> Graph:
        """Return the graph with other numbers of units."""
        pairs = zip(sizes, self.openers, strict=True)
        return graph.resized({name: n * copies for n, names in pairs for name, copies in names})

    def weights(self, graph: Graph) -> list[tuple[Ends, int]]:
        """Return the ends of each array, and how many parameters join two units there."""
        pairs = zip(graph.arrays, self.arrays, strict=True)
        return [(ends, array.size // ends.pairs(self.sizes)) for array, ends in pairs]

    def ends(self, graph: Graph, labels: Sequence[Index]) -> Index:
        """Return the labels of the two units that each parameter of θ joins, (2, D), from those of
        the units of each space: of the graph, or of one that it has been resized to.
        """
        pairs = zip(graph.arrays, self.arrays, strict=True)
        return np.concatenate([_spread(array, ends, labels) for array, ends in pairs], axis=1)

    def probes(self, graph: Graph, labels: Sequence[Index]) -> tuple[Index, Index]:
        """Return the labels of the units of all entries of the inputs, and of the outputs."""
        ends = (
            (self.inputs, [each.shape for each in graph.inputs]),
            (self.outputs, [graph.shapes[name] for name in graph.outputs]),
        )
        read, written = (
            np.concatenate(
                [
                    labels[i].repeat(prod(shape) // len(labels[i]))
                    for i, shape in zip(*side, strict=True)
                ]
            )
            for side in ends
        )
        return read, written


def _spread(array: Array, ends: Ends, labels: Sequence[Index]) -> Index:
    """Return the labels that the entries of an array have from those of both of its sides."""
    read, written = labels[ends.read], labels[ends.written]
    if ends.within:
        return np.tile(read.repeat(array.size // len(read)), (2, 1))
    rows, columns = array.size // array.shape[-1], array.shape[-1]
    left = read.repeat(rows // len(read)).repeat(columns)
    return np.stack([left, np.tile(written.repeat(columns // len(written)), rows)])


@lru_cache(maxsize=256)
def _units(graph: Graph, grouped: bool) -> Units:
    return _Finder(graph, grouped).units()


class _Finder:
    """Walks the nodes; spaces that turn out to be one are merged (union-find with copies)."""

    def __init__(self, graph: Graph, grouped: bool) -> None:
        self.graph = graph
        self.groups = {each.name: each.groups for each in graph.arrays if each.groups > 1}
        self.grouped = grouped
        self.merged: dict[int, _Rows] = {}
        self.states: dict[str, _Rows] = {}
        self.opened = list[tuple[str, int] | None]()
        self.constant: _Rows | None = None
        self.arrays: dict[str, tuple[_Rows, _Rows]] = {}
        self.matrices = {each.name for each in graph.arrays if len(each.shape) > 1}

    def units(self) -> Units:
        graph = self.graph
        values = {each.name: self.fresh(each.name, each.shape[0]) for each in graph.inputs}
        for node in graph.nodes:
            read = [values[name] for name in node.inputs]
            if node.state is not None:
                self.merge(self.states.setdefault(node.state, read[0]), read[0])
            if node.parameters:
                values[node.name] = self.fresh(node.name, graph.shapes[node.name][0])
                self.noted(node.parameters, read[0], values[node.name])
                self.divided(node, read[0], values[node.name])
            else:
                for other in read[1:]:
                    self.merge(read[0], other)
                times = graph.shapes[node.name][0] // graph.shapes[node.inputs[0]][0]
                values[node.name] = _Rows(read[0].space, read[0].copies * times)
        return self.found(
            [values[each.name] for each in graph.inputs], [values[name] for name in graph.outputs]
        )

    def found(self, inputs: Sequence[_Rows], outputs: Sequence[_Rows]) -> Units:
        """Number the spaces that are left as they were opened, the constant last."""
        roots = dict[int, list[tuple[str, int]]]()
        sizes = dict[int, int]()
        for space, opener in enumerate(self.opened):
            if opener is not None:
                root, copies = self.root(_Rows(space, 1))
                roots.setdefault(root, []).append((opener[0], copies))
                sizes[root] = opener[1] // copies
        if self.constant is not None:
            roots[self.constant.space], sizes[self.constant.space] = [], 1
        number = {root: i for i, root in enumerate(roots)}

        def space_of(rows: _Rows) -> int:
            return number[self.root(rows).space]

        ends = (
            Ends(space_of(read), space_of(written), self.grouped and name in self.groups)
            for name, (read, written) in self.arrays.items()
        )
        return Units(
            tuple(sizes[root] for root in roots),
            tuple(map(tuple, roots.values())),
            tuple(ends),
            tuple(map(space_of, inputs)),
            tuple(map(space_of, outputs)),
        )

    def fresh(self, name: str | None, units: int) -> _Rows:
        self.opened.append(None if name is None else (name, units))
        return _Rows(len(self.opened) - 1, 1)

    def noted(self, names: Sequence[str], read: _Rows, written: _Rows) -> None:
        """Note what the arrays of a node lead from and to; what is shared leads from and to the
        same units.
        """
        for name in names:
            start = read if name in self.matrices else self.one()
            if name in self.arrays:
                for before, now in zip(self.arrays[name], (start, written), strict=True):
                    self.merge(before, now)
            self.arrays[name] = start, written

    def one(self) -> _Rows:
        """Return the constant unit."""
        if self.constant is None:
            self.constant = self.fresh(None, 1)
        return self.constant

    def root(self, rows: _Rows) -> _Rows:
        space, copies = rows
        while space in self.merged:
            space, more = self.merged[space]
            copies *= more
        return _Rows(space, copies)

    def merge(self, first: _Rows, second: _Rows, group: tuple[int, int] = (1, 1)) -> None:
        """Say that the rows of two values are the same: units with a row in common are one. group:
        how many rows of each are a group that belongs together, if not one of each.
        """
        roots = self.root(first), self.root(second)
        least = lcm(*(n // gcd(n, rows) for (_, n), rows in zip(roots, group, strict=True)))
        times = [least * rows // n for (_, n), rows in zip(roots, group, strict=True)]
        spaces = [space for space, _ in roots]
        target = spaces[times.index(1)] if 1 in times else self.fresh(None, 0).space
        for space, n in zip(spaces, times, strict=True):
            if space != target:
                self.merged[space] = _Rows(target, n)

    def divided(self, node: Node, read: _Rows, written: _Rows) -> None:
        """Say that what a node reads and writes belongs together, group by group."""
        for name in self.groups.keys() & node.parameters if self.grouped else ():
            rows = self.graph.shapes[node.inputs[0]][0], self.graph.shapes[node.name][0]
            self.merge(read, written, (rows[0] // self.groups[name], rows[1] // self.groups[name]))
