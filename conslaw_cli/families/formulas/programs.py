"""Graphs of expressions as programs: layers of operations on jets modulo a prime, forward and
backward.

Nodes are numbered so that a layer's nodes are consecutive and depend on earlier layers only; a
layer is a few array operations on all its nodes at once. Backward, every layer turns cotangents of
its nodes into cotangents of the nodes they depend on, as operations of a network do
(networks/graph.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from math import gcd, lcm
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.algebra.rings import Jets, Residues, multiply
from conslaw_cli.algebra.series import Series
from conslaw_cli.families.formulas.terms import (
    Base,
    Factors,
    Function,
    Graph,
    Prime,
    Term,
    Variable,
)

Index = NDArray[np.intp]
TOGETHER = 64
"""Nodes of a layer at most, so that the matrices of sums stay small."""


# ---- arithmetic of jets, elementwise; arrays (…, 2^k) as in rings.py


def power(field: PrimeField, x: Array, start: Array, exponent: Array) -> tuple[Array, Array]:
    """Return ``x^e`` and ``x^{e−1}`` for jets x with nonzero constant terms.

    start: the constant term of ``x^e``, which decides the root; exponent: the residue of e; both
    (…, 1). One ε after another: ``(x + ε v)^e = x^e + ε e x^{e−1} v``.
    """
    inverse = residue_power(field, x[..., :1], field.p - 2)
    value, slope = start, field.reduce(start * inverse)
    for k in range(x.shape[-1].bit_length() - 1):
        v = x[..., 1 << k : 2 << k]
        ratio = multiply(field, inverse, v)
        value, slope, inverse = (
            np.concatenate([part, field.reduce(factor * multiply(field, part, ratio))], axis=-1)
            for part, factor in (
                (value, exponent),
                (slope, exponent - 1),
                (inverse, np.array(-1.0)),
            )
        )
    return value, slope


def residue_power(field: PrimeField, x: Array, exponent: int) -> Array:
    """Return ``x^exponent`` for an array of residues."""
    if x.size and (x == x.flat[0]).all():
        return field.reduce(
            np.full(x.shape, float(pow(int(x.flat[0]) % field.p, exponent, field.p)))
        )
    return field.power(x, exponent)


# ---- programs: graphs as layers of operations


class _Layer(Protocol):
    """Operations that depend on earlier nodes only.

    Node values and cotangents are (nodes, batch, 2^k).
    """

    def prepared(self, field: PrimeField, branch: Branch) -> Any:
        """Return the layer's constants modulo a prime."""
        ...

    def forward(self, over: Residues, constants: Any, values: Array) -> None:
        """Write the values of the layer's nodes."""
        ...

    def backward(self, over: Residues, constants: Any, values: Array, cotangents: Array) -> None:
        """Add the cotangents of the layer's nodes, times derivatives, to those of the nodes they
        depend on.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Integer combinations of nodes: one (row of the matrix, column, coefficient) for every
    term.
    """

    nodes: slice
    used: Index
    entries: tuple[tuple[int, int, int], ...]

    def prepared(self, field: PrimeField, branch: Branch) -> Array:
        matrix = np.zeros((self.nodes.stop - self.nodes.start, len(self.used)))
        for row, column, coefficient in self.entries:
            matrix[row, column] = coefficient % field.p
        return field.reduce(matrix)

    def forward(self, over: Residues, constants: Array, values: Array) -> None:
        flat = values[self.used].reshape(len(self.used), -1)
        values[self.nodes] = over.field.matmul(constants, flat).reshape(-1, *values.shape[1:])

    def backward(self, over: Residues, constants: Array, values: Array, cotangents: Array) -> None:
        flat = cotangents[self.nodes].reshape(len(constants), -1)
        moved = over.field.matmul(constants.T, flat).reshape(-1, *cotangents.shape[1:])
        cotangents[self.used] = over.field.reduce(cotangents[self.used] + moved)


@dataclass(frozen=True, slots=True, eq=False)
class _Products:
    """Products of two nodes."""

    nodes: slice
    left: Index
    right: Index

    def prepared(self, field: PrimeField, branch: Branch) -> None:
        return None

    def forward(self, over: Residues, constants: None, values: Array) -> None:
        values[self.nodes] = over.multiply(values[self.left], values[self.right])

    def backward(self, over: Residues, constants: None, values: Array, cotangents: Array) -> None:
        delta = cotangents[self.nodes]
        _scatter(over.field, cotangents, self.left, over.multiply(values[self.right], delta))
        _scatter(over.field, cotangents, self.right, over.multiply(values[self.left], delta))


@dataclass(frozen=True, slots=True, eq=False)
class _Powers:
    """Negative or fractional powers of nodes.

    Further nodes hold the powers with exponents less by one, for the derivative.
    """

    nodes: slice
    slopes: slice
    used: Index
    bases: tuple[int, ...]
    exponents: tuple[Fraction, ...]

    def prepared(self, field: PrimeField, branch: Branch) -> tuple[list[int], Array, Array]:
        residues = [
            float(e.numerator * pow(e.denominator, -1, field.p) % field.p) for e in self.exponents
        ]
        lifted, signs = zip(*map(branch.power, self.bases, self.exponents), strict=True)
        column = (len(self.bases), 1, 1)
        return (
            list(lifted),
            np.array(signs, dtype=float).reshape(column),
            field.reduce(np.array(residues).reshape(column)),
        )

    def forward(
        self, over: Residues, constants: tuple[list[int], Array, Array], values: Array
    ) -> None:
        lifted, signs, exponents = constants
        x = values[self.used]
        start = np.stack(
            [residue_power(over.field, part[:, :1], e) for part, e in zip(x, lifted, strict=True)]
        )
        values[self.nodes], values[self.slopes] = power(over.field, x, signs * start, exponents)

    def backward(
        self,
        over: Residues,
        constants: tuple[list[int], Array, Array],
        values: Array,
        cotangents: Array,
    ) -> None:
        slopes = over.field.reduce(constants[2] * values[self.slopes])
        _scatter(over.field, cotangents, self.used, over.multiply(slopes, cotangents[self.nodes]))


@dataclass(frozen=True, slots=True, eq=False)
class _States:
    """Values of functions: the constant term is drawn, the rest follows from the slope.

    slopes: nodes of the derivatives by the argument, used where these are not made of the value.
    """

    nodes: slice
    used: Index
    slopes: Index
    bases: tuple[int, ...]
    functions: tuple[Function, ...]

    def prepared(self, field: PrimeField, branch: Branch) -> list[tuple[float, float]]:
        """Return for each node its constant term and the factor of its slope."""
        scales = [base.slope.coefficient * base.sign for base in self.functions]
        factors = [c.numerator * pow(c.denominator, -1, field.p) % field.p for c in scales]
        starts = [float(branch.state(base)) for base in self.bases]
        return list(zip(starts, map(float, factors), strict=True))

    def forward(self, over: Residues, constants: list[tuple[float, float]], values: Array) -> None:
        """One ε after another: ``f(x + ε v) = f(x) + ε f'(x) v``."""
        for place, (start, _) in enumerate(constants):
            x = values[self.used[place]]
            value = np.full((len(x), 1), start)
            for k in range(x.shape[-1].bit_length() - 1):
                slope = self._slope(over, constants, place, value, values[..., : 1 << k])
                moved = multiply(over.field, slope, x[:, 1 << k : 2 << k])
                value = np.concatenate([value, moved], axis=-1)
            values[self.nodes.start + place] = value

    def backward(
        self, over: Residues, constants: list[tuple[float, float]], values: Array, cotangents: Array
    ) -> None:
        for place in range(len(constants)):
            node, used = self.nodes.start + place, self.used[place]
            slope = self._slope(over, constants, place, values[node], values)
            moved = multiply(over.field, slope, cotangents[node])
            cotangents[used] = over.field.reduce(cotangents[used] + moved)

    def _slope(
        self,
        over: Residues,
        constants: list[tuple[float, float]],
        place: int,
        value: Array,
        values: Array,
    ) -> Array:
        kind, (_, factor) = self.functions[place].kind, constants[place]
        if kind == "exp":
            return value
        slope = values[self.slopes[place]]
        if kind == "tan":
            slope = multiply(over.field, value, value)
            slope[..., 0] += 1
        return over.field.reduce(factor * over.field.reduce(slope))


def _scatter(field: PrimeField, cotangents: Array, targets: Index, parts: Array) -> None:
    """Add parts to the cotangents of nodes, of which some may be the same."""
    order = np.argsort(targets, kind="stable")
    nodes, starts = np.unique(targets[order], return_index=True)
    cotangents[nodes] = field.reduce(
        cotangents[nodes] + np.add.reduceat(parts[order], starts, axis=0)
    )


@dataclass(frozen=True, slots=True)
class Check:
    """A base that must not be 0 at a place and must have a root of order ``root`` (1 for a mere
    denominator).
    """

    base: int
    node: int
    root: int


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Checks that share variables: ``variables`` are theirs, none for constants."""

    variables: Index
    checks: tuple[Check, ...]

    @property
    def even(self) -> int:
        """Number of roots of even order."""
        return sum(check.root % 2 == 0 for check in self.checks)


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A graph, ready to be evaluated. Node 0 is the constant 1, nodes 1, …, D are the variables.

    outputs: nodes of the components of a map (n,), or of the entries of vector fields (n, D).
    states: the bases that are values of functions, with their nodes and those of the arguments.
    """

    variables: int
    nodes: int
    layers: tuple[_Layer, ...]
    outputs: Index
    groups: tuple[Group, ...]
    states: tuple[tuple[int, int, int], ...] = ()

    @property
    def gradients(self) -> bool:
        """Whether the fields are gradients, the outputs being a map's."""
        return self.outputs.ndim == 1

    @property
    def checks(self) -> list[Check]:
        """The checks of all groups."""
        return [check for group in self.groups for check in group.checks]


class Compiler:
    """Numbers the operations of a graph; equal ones are one node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.kinds = ["one"] + ["variable"] * graph.variables
        self.data: list[Any] = [None] * (1 + graph.variables)
        self.depth = [0] * (1 + graph.variables)
        self._known = dict[tuple[str, Any], int]()
        self._terms = dict[Factors, int]()
        self._base = list[int]()
        for index, base in enumerate(graph.bases):
            self._base.append(self._of_base(index, base))

    def term(self, factors: Factors) -> int:
        """Return the node of a product of powers."""
        if factors not in self._terms:
            node = 0
            for i, e in factors:
                factor = self._factor(i, e)
                node = self._operation("product", tuple(sorted((node, factor)))) if node else factor
            self._terms[factors] = node
        return self._terms[factors]

    def sum(self, terms: Sequence[Term], scale: int = 1) -> int:
        """Return the node of a sum of terms, times an integer that makes its coefficients
        integers.
        """
        items = sorted((self.term(term.factors), int(term.coefficient * scale)) for term in terms)
        return self._operation("sum", tuple(items))

    def _of_base(self, index: int, base: Base) -> int:
        if isinstance(base, Function):
            return self._operation(
                "state", (self.sum([base.argument]), self.term(base.slope.factors), index)
            )
        if isinstance(base, Variable):
            return (
                1 + base.index if base.sign > 0 else self._operation("sum", ((1 + base.index, -1),))
            )
        return (
            self._operation("sum", ((0, base.value),))
            if isinstance(base, Prime)
            else self.sum(base.terms)
        )

    def _factor(self, i: int, e: Fraction) -> int:
        if e == 1:
            return self._base[i]
        if e < 0 or e.denominator > 1:
            return self._operation("power", (self._base[i], i, e))
        half = Fraction(int(e) // 2)
        return self._operation("product", (self._factor(i, half), self._factor(i, e - half)))

    def _operation(self, kind: str, data: Any) -> int:
        if (kind, data) not in self._known:
            self._known[kind, data] = len(self.kinds)
            on = (
                [item[0] for item in data]
                if kind == "sum"
                else data
                if kind == "product"
                else data[: 2 if kind == "state" else 1]
            )
            self.depth.append(1 + max((self.depth[node] for node in on), default=0))
            self.kinds.append(kind)
            self.data.append(data)
        return self._known[kind, data]

    def program(self, outputs: Sequence[Sequence[int]] | Sequence[int]) -> Program:
        """Return the operations in layers, and the nodes of the outputs under their new numbers."""
        order = sorted(
            range(1 + self.graph.variables, len(self.kinds)),
            key=lambda node: (self.depth[node], self.kinds[node]),
        )
        number, layers = np.arange(len(self.kinds)), list[_Layer]()
        count = 1 + self.graph.variables
        for (_, kind), members in groupby(
            order, key=lambda node: (self.depth[node], self.kinds[node])
        ):
            for part in _parts(list(members)):
                nodes = slice(count, count + len(part))
                number[part] = range(count, nodes.stop)
                count = nodes.stop * 2 - nodes.start if kind == "power" else nodes.stop
                layers.append(self._layer(kind, nodes, [self.data[node] for node in part], number))
        groups = self._groups(number)
        return Program(
            self.graph.variables,
            count,
            tuple(layers),
            number[np.array(outputs, dtype=np.intp)],
            groups,
            tuple(
                (data[2], int(number[node]), int(number[data[0]]))
                for node, (kind, data) in enumerate(zip(self.kinds, self.data, strict=True))
                if kind == "state"
            ),
        )

    def _layer(self, kind: str, nodes: slice, data: list[Any], number: Index) -> _Layer:
        if kind == "product":
            left, right = number[np.array(data)].T
            return _Products(nodes, left, right)
        if kind == "state":
            on, by, bases = zip(*data, strict=True)
            functions = tuple(self.graph.bases[i] for i in bases)
            return _States(nodes, number[list(on)], number[list(by)], bases, functions)
        if kind == "power":
            slopes = slice(nodes.stop, 2 * nodes.stop - nodes.start)
            on, bases, exponents = zip(*data, strict=True)
            return _Powers(nodes, slopes, number[list(on)], bases, exponents)
        used = sorted({node for items in data for node, _ in items})
        column = {node: place for place, node in enumerate(used)}
        entries = tuple(
            (row, column[node], c) for row, items in enumerate(data) for node, c in items
        )
        return _Sums(nodes, number[used], entries)

    def _groups(self, number: Index) -> tuple[Group, ...]:
        roots = dict[int, int]()
        for kind, data in zip(self.kinds, self.data, strict=True):
            if kind == "power":
                roots[data[1]] = lcm(roots.get(data[1], 1), data[2].denominator)
        support, joined = self.graph.supports(), list[tuple[set[int], list[Check]]]()
        for i in sorted(roots):
            variables, checks = (
                set(support[i]) - {-1},
                [Check(i, int(number[self._base[i]]), roots[i])],
            )
            for group in [group for group in joined if group[0] & variables]:
                joined.remove(group)
                variables, checks = variables | group[0], group[1] + checks
            joined.append((variables, checks))
        return tuple(
            Group(np.array(sorted(v), dtype=np.intp), tuple(sorted(c, key=lambda x: x.base)))
            for v, c in joined
        )


def _parts(members: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(members), TOGETHER):
        yield members[start : start + TOGETHER]


# ---- evaluation modulo a prime


@dataclass(frozen=True, slots=True)
class Branch:
    """Which root is taken of every base: the one in the subgroup of order prime to ``root``, or its
    negative.
    """

    field: PrimeField
    roots: dict[int, int]
    signs: dict[int, int]
    states: Mapping[int, int]

    def state(self, base: int) -> int:
        """Return the residue of a value of a function: any number that has the roots."""
        drawn = self.states.get(base, base + 2)
        return pow(drawn, self.roots.get(base, 1), self.field.p)

    def order(self, root: int) -> int:
        """Return the largest divisor of p − 1 that is prime to ``root``: the order of the group
        where roots are unique.
        """
        order = self.field.p - 1
        while (common := gcd(order, root)) > 1:
            order //= common
        return order

    def power(self, base: int, exponent: Fraction) -> tuple[int, int]:
        """Return (e, sign) such that ``sign · x^e`` is the power of a residue x."""
        root = self.roots[base]
        whole, order = int(exponent * root), self.order(root)
        return whole * pow(root, -1, order) % order, self.signs.get(base, 1) ** abs(whole)


class Machine:
    """A program modulo a prime, with a branch of its roots."""

    def __init__(
        self,
        program: Program,
        field: PrimeField,
        signs: dict[int, int] | None = None,
        states: Mapping[int, int] | None = None,
    ) -> None:
        self.program, self.field = program, field
        roots = {check.base: check.root for check in program.checks}
        self.branch = Branch(field, roots, signs or {}, states or {})
        self._steps = [(layer, layer.prepared(field, self.branch)) for layer in program.layers]
        self.jets = Jets(field)

    def values(self, theta: Array, over: Residues | None = None, one: float = 1) -> Array:
        """Return the values (nodes, batch, 2^k) at jets θ (batch, D, 2^k).

        over: another ring, with the coefficient of 1 where elements are given by coefficients.
        """
        batch, _, size = theta.shape
        values = np.zeros((self.program.nodes, batch, size))
        values[0, :, 0] = one
        values[1 : 1 + self.program.variables] = theta.swapaxes(0, 1)
        for layer, constants in self._steps:
            layer.forward(over or self.jets, constants, values)
        return values

    def holds(self, check: Check, values: Array) -> NDArray[np.bool_]:
        """Whether a check holds, for every point of the batch."""
        x = values[check.node, :, 0]
        if check.root == 1:
            return np.asarray(x != 0)
        return np.asarray(residue_power(self.field, x, self.branch.order(check.root)) == 1)

    def classes(self, x: Array, q: int) -> Array:
        """Return the classes of nonzero residues modulo q-th powers, q dividing p − 1."""
        return residue_power(self.field, x, (self.field.p - 1) // q)

    def index(self, check: Check) -> int:
        """Return the share of residues for which a check holds, as 1 in so many."""
        return (self.field.p - 1) // self.branch.order(check.root)

    def combinations(self, values: Array, probes: Array) -> Array:
        """Return ``Σ a_i ∇φ_i``, or ``Σ a_i χ_i``, (batch, D, 2^k) for coefficients a (batch,
        outputs).
        """
        if self.program.gradients:
            return self.gradients(values, probes)
        count, dimension = self.program.outputs.shape
        entries = (
            values[self.program.outputs]
            .reshape(count, dimension, -1, values.shape[2])
            .transpose(2, 0, 1, 3)
        )
        flat = entries.reshape(len(entries), count, -1)
        return self.field.matmul(probes[:, None, :], flat).reshape(len(probes), dimension, -1)

    def gradients(self, values: Array, probes: Array, over: Residues | None = None) -> Array:
        """One sweep backward gives the gradient of the combination of a map's components."""
        cotangents = np.zeros((self.program.nodes, len(probes), values.shape[2]))
        cotangents[self.program.outputs, :, 0] = probes.T
        return self._backward(values, cotangents, over)

    def carried(self, values: Array, probes: Array, covectors: Array, over: Series) -> Array:
        """Return ``X − Σ ε_i DXᵀ λ_i``, (batch, D, 1 + m), X = Σ a_f χ_f being a combination of
        given fields, for coefficients a (batch, fields), at numbers without ε and covectors
        ``Σ ε_i λ_i`` (1, D, 1 + m): −DXᵀ λ is the gradient of −⟨λ, X⟩.
        """
        outputs, batch = self.program.outputs, len(probes)
        a = probes[..., None, None]
        entries = values[outputs].transpose(2, 0, 1, 3)[..., :1]
        field = over.multiply(a, entries).sum(axis=1)
        seeds = over.multiply(a, covectors[:, None])
        cotangents = np.zeros((self.program.nodes, batch, covectors.shape[2]))
        np.add.at(cotangents, outputs, seeds.transpose(1, 2, 0, 3))
        cotangents = over.field.reduce(cotangents)
        moved = -self._backward(values, cotangents, over)[:, : outputs.shape[1]]
        moved[..., 0] = over.field.reduce(field[..., 0])
        return moved

    def _backward(self, values: Array, cotangents: Array, over: Residues | None) -> Array:
        program = self.program
        for layer, constants in reversed(self._steps):
            layer.backward(over or self.jets, constants, values, cotangents)
        return cotangents[1 : 1 + program.variables].swapaxes(0, 1)
