"""Plain, slow counterparts of the engine's parts, to test them against: Python numbers, lists and
sympy's polynomials.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise, product
from math import prod
from typing import Any

from sympy import ZZ
from sympy.polys.rings import ring

from conslaw_cli.families.mlp import MLP
from conslaw_cli.networks.known_laws import Laws
from conslaw_cli.networks.operations.elementwise import LINEAR

Poly = Any
"""A sympy PolyElement; sympy ships no type annotations."""
Rows = Sequence[Sequence[int]]
Jet = dict[frozenset[int], int]
"""An element of F_p[ε_0, ε_1, …]/(ε_i^2): the coefficient of ``∏_{i ∈ S} ε_i`` at S."""


def rank(rows: Rows, p: int | None = None) -> int:
    """Return the rank of an integer matrix modulo p, or over the rationals, by Gaussian
    elimination.
    """
    left: list[list[Any]] = [[x % p if p else Fraction(x) for x in row] for row in rows]
    found = 0
    for column in range(len(left[0]) if left else 0):
        pivot = next((row for row in left if row[column]), None)
        if pivot is None:
            continue
        found += 1
        left.remove(pivot)
        scale = pow(pivot[column], -1, p) if p else 1 / pivot[column]
        left = [_minus(row, row[column] * scale, pivot, p) for row in left]
    return found


def _minus(row: list[Any], factor: Any, pivot: list[Any], p: int | None) -> list[Any]:
    if not factor:
        return row
    difference = (x - factor * y for x, y in zip(row, pivot, strict=True))
    return [x % p for x in difference] if p else list(difference)


def add_jets(x: Jet, y: Jet, p: int) -> Jet:
    """Return x + y."""
    return {s: (x.get(s, 0) + y.get(s, 0)) % p for s in x.keys() | y.keys()}


def multiply_jets(x: Jet, y: Jet, p: int) -> Jet:
    """Return x · y, where ε_i^2 = 0."""
    total: Jet = {}
    for (s, a), (t, b) in product(x.items(), y.items()):
        if not s & t:
            total = add_jets(total, {s | t: a * b}, p)
    return total


@dataclass(frozen=True)
class Function:
    """``F(θ; a)`` of a network as a polynomial with integer coefficients in its parameters and its
    probe.
    """

    value: Poly
    theta: tuple[Poly, ...]
    probe: tuple[Poly, ...]

    def gradient(self) -> list[Poly]:
        """Return ∂F/∂θ_e for every parameter."""
        return [self.value.diff(x) for x in self.theta]


def network_function(mlp: MLP) -> Function:
    """Write down ``F(θ; x, gates, w)``: h_l = g_l ⊙ (h_{l-1} U_l + b_l), no g_l after a linear
    layer, and <w, h_q>.

    Under cross-entropy the last output weight is minus the sum of the others.
    """
    return network_functions(mlp, 1)[0]


def network_functions(mlp: MLP, count: int) -> list[Function]:
    """Return the same function of the same parameters with several probes, all in one ring."""
    units = [n for n, a in zip(mlp.widths[1:-1], mlp.activations, strict=True) if a not in LINEAR]
    probes = [
        [
            f"{kind}{i}_{k}"
            for kind, size in (("x", mlp.widths[0]), ("g", sum(units)), ("w", mlp.widths[-1]))
            for i in range(size)
        ]
        for k in range(count)
    ]
    symbols = iter(
        ring(
            [
                *(f"t{i}" for i in range(mlp.parameters)),
                *(name for probe in probes for name in probe),
            ],
            ZZ,
        )[1:]
    )
    theta = tuple(islice(symbols, mlp.parameters))
    return [_function(mlp, theta, tuple(islice(symbols, len(probe)))) for probe in probes]


def _function(mlp: MLP, theta: tuple[Poly, ...], probe: tuple[Poly, ...]) -> Function:
    unused, h = iter(theta), list(probe[: mlp.widths[0]])
    gates, w = iter(probe[mlp.widths[0] :]), list(probe[len(probe) - mlp.widths[-1] :])
    for layer in range(1, mlp.depth + 1):
        h = _affine(mlp, layer, h, unused)
        if layer < mlp.depth and mlp.activations[layer - 1] not in LINEAR:
            h = [next(gates) * z for z in h]
    if mlp.loss == "cross_entropy":
        w[-1] = -sum(w[:-1])
    return Function(
        sum((a * b for a, b in zip(w, h, strict=True)), start=0 * theta[0]), theta, probe
    )


def _affine(mlp: MLP, layer: int, h: list[Poly], unused: Iterator[Poly]) -> list[Poly]:
    outputs = mlp.widths[layer]
    matrix = [[next(unused) for _ in range(outputs)] for _ in h]
    z = [sum(x * row[j] for x, row in zip(h, matrix, strict=True)) for j in range(outputs)]
    if mlp.bias == "all" or (mlp.bias == "hidden" and layer < mlp.depth):
        z = [value + next(unused) for value in z]
    return z


def laws_of_chain(widths: Sequence[int]) -> int:
    """Return the number of laws of a linear chain without biases, by a formula that is verified but
    not proved.

    Cut at hidden layers of width 1; a piece from width 1 to width 1 has D − 1 laws, any other ``Σ
    n_i(n_i + 1)/2 − k_i(k_i + 1)/2``, ``k_i = max(0, n_i − n_{i−1} − n_{i+1})``; each cut adds one.
    """
    cuts = [
        0,
        *(i for i, n in enumerate(widths) if n == 1 and 0 < i < len(widths) - 1),
        len(widths) - 1,
    ]
    total = len(cuts) - 2
    for first, last in pairwise(cuts):
        chain = widths[first : last + 1]
        if chain[0] == chain[-1] == 1:
            total += sum(a * b for a, b in pairwise(chain)) - 1
        else:
            for before, n, after in zip(chain, chain[1:], chain[2:], strict=False):
                surplus = max(0, n - before - after)
                total += (n * (n + 1) - surplus * (surplus + 1)) // 2
    return total


def law_polynomials(laws: Laws, theta: Sequence[Poly]) -> list[Poly]:
    """Return the laws as polynomials in the parameters."""
    found = [0 * theta[0] for _ in range(len(laws))]
    for law, left, right, coefficient in zip(
        laws.law, laws.left, laws.right, laws.coefficient.tolist(), strict=True
    ):
        found[law] += coefficient * theta[left] * (theta[right] if right >= 0 else 1)
    return found


def evaluated(poly: Poly, variables: Sequence[Poly], values: Sequence[int]) -> int:
    """Return the value of a polynomial at integers for all variables that it contains."""
    numbers = dict(zip(map(str, variables), values, strict=True))
    names = [str(x) for x in poly.ring.gens]
    return sum(
        int(c)
        * prod(int(numbers[name]) ** e for name, e in zip(names, exponents, strict=True) if e)
        for exponents, c in poly.terms()
    )


def derivative_along(h: Poly, field: Sequence[Poly], theta: Sequence[Poly]) -> Poly:
    """Return ``<∇h, field>``."""
    return sum((h.diff(x) * f for x, f in zip(theta, field, strict=True)), start=0 * h)
