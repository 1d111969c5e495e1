"""A slow, plain count of conservation laws, to check the engine against.

The algorithm of the paper ("Abide by the Law and Follow the Flow", NeurIPS 2023) as written there:
φ with all its paths as polynomials with integer coefficients, symbolic Lie brackets, ranks over the
rationals at a random integer point. From the program it takes the description of a network,
``MLP``: widths, activations, bias and loss; nothing else.

Notation is that of ``MLP``: layers l = 1, …, q from the input, ``h_l = σ_l(h_{l-1} U_l + b_l)``
with ``U_l ∈ R^{n_{l-1} × n_l}``.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise, product
from math import prod
from typing import Any

from sympy import ZZ
from sympy.polys.rings import ring

from conslaw_cli.families.mlp import MLP

LINEAR = {"linear", "identity"}
Poly = Any
"""A sympy PolyElement; sympy ships no type annotations."""
Field = tuple[Poly, ...]
"""A vector field on R^D, one polynomial per parameter."""
Path = tuple[object, ...]
"""Where a path starts (an input, or the constant 1 of a bias) and the homogeneous neurons it
passes.
"""


@dataclass(frozen=True)
class Count:
    """What the oracle finds: D, the dimensions of W_0(θ), W_1(θ), … while they grow, and the known
    laws.
    """

    parameters: int
    trace: tuple[int, ...]
    known_listed: int
    known_independent: int

    @property
    def dim_lie(self) -> int:
        return self.trace[-1]

    @property
    def laws(self) -> int:
        return self.parameters - self.dim_lie


class Parameters:
    """One symbol per parameter: ``weights[l-1][i][j]`` for U_l[i, j], ``biases[l-1][j]`` for
    b_l[j].

    Layers without a bias have an empty list. ``gens`` holds the symbols in the order of the
    coordinates of R^D: per layer the rows of U_l one after another, then b_l.
    """

    def __init__(self, mlp: MLP) -> None:
        sizes = list(pairwise(mlp.widths))
        hidden, output = mlp.bias in ("hidden", "all"), mlp.bias == "all"
        biased = [hidden] * (mlp.depth - 1) + [output]
        names = []
        for layer, ((rows, columns), bias) in enumerate(zip(sizes, biased, strict=True), start=1):
            names += [f"U{layer}_{i}_{j}" for i in range(rows) for j in range(columns)]
            names += [f"b{layer}_{j}" for j in range(columns) if bias]
        self.gens: tuple[Poly, ...] = ring(names, ZZ)[1:]
        symbols = iter(self.gens)
        self.weights: list[list[list[Poly]]] = []
        self.biases: list[list[Poly]] = []
        for (rows, columns), bias in zip(sizes, biased, strict=True):
            self.weights.append([[next(symbols) for _ in range(columns)] for _ in range(rows)])
            self.biases.append([next(symbols) for _ in range(columns) if bias])


def reparametrisation(mlp: MLP, theta: Parameters) -> list[dict[Path, Poly]]:
    """Return φ: for every output neuron, its components by path.

    The paths of a linear network from one input are added up, which leaves the entries of the
    product of the matrices, and those from all biases, which leaves the constant part of the affine
    map. A homogeneous neuron keeps the paths through it apart (eq. (15)).
    """
    one = theta.gens[0].ring.one
    values: list[dict[Path, Poly]] = [{(("input", i),): one} for i in range(mlp.widths[0])]
    for layer in range(mlp.depth):
        columns = zip(*theta.weights[layer], strict=True)
        biases = theta.biases[layer] or [None] * mlp.widths[layer + 1]
        values = [
            _affine(column, values, bias) for column, bias in zip(columns, biases, strict=True)
        ]
        if layer < mlp.depth - 1 and mlp.activations[layer] not in LINEAR:
            values = [
                {(*path, (layer, neuron)): poly for path, poly in value.items()}
                for neuron, value in enumerate(values)
            ]
    return values


def _affine(
    column: Sequence[Poly], values: list[dict[Path, Poly]], bias: Poly | None
) -> dict[Path, Poly]:
    total: dict[Path, Poly] = {} if bias is None else {("bias",): bias}
    for weight, value in zip(column, values, strict=True):
        for path, poly in value.items():
            total[path] = total.get(path, 0) + weight * poly
    return total


def generators(mlp: MLP, theta: Parameters) -> list[Field]:
    """Return vector fields that span W_φ, or the part of it that the loss can produce.

    The gradient of the cross-entropy in the outputs is any w with Σ w_o = 0 (arXiv 2307.00144v1,
    Remark B.6), and differences of two outputs span these.
    """
    outputs = reparametrisation(mlp, theta)
    if mlp.loss == "cross_entropy":
        first = outputs[0]
        outputs = [{path: value[path] - first[path] for path in value} for value in outputs[1:]]
    return [gradient(poly, theta.gens) for value in outputs for poly in value.values()]


def gradient(poly: Poly, gens: Sequence[Poly]) -> Field:
    """Return ∇poly."""
    return tuple(poly.diff(j) for j in range(len(gens)))


def bracket(f: Field, g: Field, gens: Sequence[Poly]) -> Field:
    """Return [f, g] = ∂f·g − ∂g·f (eq. (12))."""
    return tuple(
        sum(
            (fi.diff(j) * g[j] - gi.diff(j) * f[j] for j in range(len(gens))),
            start=0 * fi,
        )
        for fi, gi in zip(f, g, strict=True)
    )


def evaluate(poly: Poly, point: Sequence[Any]) -> Any:
    """Return the value of a polynomial at a point, exact for integers."""
    return sum(
        int(c) * prod(x**e for x, e in zip(point, exponents, strict=True))
        for exponents, c in poly.terms()
    )


class Span:
    """A subspace of Q^D that grows, held as an echelon basis."""

    def __init__(self) -> None:
        self.rows: dict[int, list[Fraction]] = {}

    def add(self, vector: Sequence[int]) -> bool:
        """Add a vector; return whether it was outside the span."""
        rest = [Fraction(x) for x in vector]
        for pivot, row in self.rows.items():
            factor = rest[pivot]
            if factor:
                rest = [x - factor * y for x, y in zip(rest, row, strict=True)]
        pivot = next((i for i, x in enumerate(rest) if x), -1)
        if pivot < 0:
            return False
        self.rows[pivot] = [x / rest[pivot] for x in rest]
        return True

    @property
    def dimension(self) -> int:
        return len(self.rows)


class Local:
    """A field near a point: its value there, and its derivatives where something asks for them."""

    def __init__(self, field: Field, gens: Sequence[Poly], point: Sequence[int]) -> None:
        self.field, self.gens, self.point = field, gens, point
        self.value = [evaluate(fi, point) for fi in field]

    @functools.cached_property
    def slopes(self) -> list[list[tuple[int, int]]]:
        """The entries of ∂f at the point that are not zero, by row, each with its column."""
        rows = []
        for fi in self.field:
            entries = enumerate(gradient(fi, self.gens)) if fi else ()
            rows.append([(j, evaluate(entry, self.point)) for j, entry in entries if entry])
        return rows

    def along(self, other: Local) -> list[int]:
        """Return ∂f·g at the point."""
        return [sum(entry * other.value[j] for j, entry in row) for row in self.slopes]


def closure(fields: Sequence[Field], gens: Sequence[Poly], point: Sequence[int]) -> tuple[int, ...]:
    """Return the dimensions of W_0(θ), W_1(θ), … at a point, up to the last one that grows (Lemma
    3.2).

    Each level forms all brackets of the generators with the fields that the level before it added
    and keeps those whose values at the point are independent; only these are formed as fields. Near
    a generic point the fields kept so far span W_k(θ) over the smooth functions, and
    [f, a χ] = a [f, χ] − (∂a·f) χ, so dropping the others loses nothing.
    """
    span, first = Span(), [Local(field, gens, point) for field in fields]
    level = [f for f in first if span.add(f.value)]
    dimensions = [span.dimension]
    while level := list(_brackets(first, level, span)):
        dimensions.append(span.dimension)
    return tuple(dimensions)


def _brackets(first: Sequence[Local], level: Sequence[Local], span: Span) -> Iterator[Local]:
    """Add the values of the brackets to the span; yield the brackets that enlarged it."""
    for f, g in product(first, level):
        if span.dimension == len(f.gens):  # everything
            return
        value = [a - b for a, b in zip(f.along(g), g.along(f), strict=True)]
        if span.add(value):
            found = Local(bracket(f.field, g.field, f.gens), f.gens, f.point)
            assert found.value == value
            yield found


def known_laws(mlp: MLP, theta: Parameters) -> list[Poly]:
    """Return the known laws: Prop. 4.1 with biases as one more input, and those that cross-entropy
    adds.

    Under cross-entropy the sums of the rows of U_q and of the output bias stay as they are; with a
    single output no gradient is left and every parameter is a law.
    """
    if mlp.loss == "cross_entropy" and mlp.widths[-1] == 1:
        return list(theta.gens)
    laws = [law for layer in range(mlp.depth - 1) for law in _balancedness(mlp, theta, layer)]
    if mlp.loss == "cross_entropy":
        laws += [sum(row) for row in theta.weights[-1]]
        laws += [sum(theta.biases[-1])] if theta.biases[-1] else []
    return laws


def _balancedness(mlp: MLP, theta: Parameters, layer: int) -> Iterator[Poly]:
    """Yield the entries i ≤ j of U_l^T U_l + b_l^T b_l − U_{l+1} U_{l+1}^T; for homogeneous neurons
    i = j only.
    """
    written, bias = list(zip(*theta.weights[layer], strict=True)), theta.biases[layer]
    read = theta.weights[layer + 1]
    for i, j in combinations_with_replacement(range(len(written)), 2):
        if i == j or mlp.activations[layer] in LINEAR:
            law = _dot(written[i], written[j]) - _dot(read[i], read[j])
            yield law + bias[i] * bias[j] if bias else law


def _dot(x: Sequence[Poly], y: Sequence[Poly]) -> Poly:
    return sum(a * b for a, b in zip(x, y, strict=True))


def is_law(h: Poly, fields: Sequence[Field], gens: Sequence[Poly]) -> bool:
    """Return whether <∇h, f> is the zero polynomial for every field f (Prop. 2.16)."""
    return all(_dot(gradient(h, gens), f) == 0 for f in fields)


def random_point(size: int, seed: int) -> list[int]:
    """Return a point with integer coordinates, drawn from ±1, …, ±10^6."""
    draw = random.Random(seed)
    return [draw.choice((-1, 1)) * draw.randint(1, 10**6) for _ in range(size)]


def count(mlp: MLP, seed: int = 0) -> Count:
    """Count the laws of a network at one random point."""
    theta = Parameters(mlp)
    point = random_point(len(theta.gens), seed)
    known, span = known_laws(mlp, theta), Span()
    for law in known:
        span.add([evaluate(x, point) for x in gradient(law, theta.gens)])
    return Count(
        parameters=len(theta.gens),
        trace=closure(generators(mlp, theta), theta.gens, point),
        known_listed=len(known),
        known_independent=span.dimension,
    )
