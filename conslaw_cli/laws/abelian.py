"""The laws of linear networks 1-m-n-1 that are no polynomials: Abelian integrals of the first kind.

``F = U1 U2 U3`` from one number to one has a single field, so D − 1 laws; the quadratic ones, P =
U1ᵀU1 − U2U2ᵀ and Q = U3U3ᵀ − U2ᵀU2, leave a surface on which the singular values s_1 > … > s_r of
U2, r = min(m, n), are coordinates. They move apart from each other: with ``w² = x^{1−|m−n|} det(x +
P) det(x + Q)``, a polynomial of degree 2r + 1,

    Σ_i ± ∫ x^k dx / 2w   up to x = s_i²,   k = 0, …, r − 2,

are constant; docs/abelian.md proves it, and that no algebraic function says the same for 1-2-2-1.

Numerics. The roots of w that enclose s_i² are where it turns, r_{2i−1} ≤ s_i² ≤ r_{2i−2} in falling
order. The sine of an angle takes the place of x between them, so that the integrand has no
singularity left. The distances of s_i² from its nearest roots come from the entries of U1 and U3 in
the frame of singular vectors, which are small there: differences would cost half of the digits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.errors import SpecError
from conslaw_cli.flows import System
from conslaw_cli.lie.chains import cut
from conslaw_cli.lie.theorems.structure import chain_of
from conslaw_cli.networks.tex import symbol
from conslaw_cli.problems.problem import Loss, Problem

Floats = NDArray[np.float64]

SMALLEST_GAP = 1e-9
"""Distance of branch points, as a part of the largest one, below which they coincide."""
HALF = (32, 64, 128, 256)
"""Half the number of nodes of the quadratures; every other node checks all of them."""
AGREE = 1e-10
"""Relative difference of two that agree: as twice the nodes give twice the digits, the finer one is
precise to rounding then.
"""
REACH = 3.3
"""Where the double-exponential substitution is cut off: what is beyond is below 1e-18."""


class Reading(NamedTuple):
    """The integrals at a point: ``values`` (r − 1,), by k, and ``periods`` (r − 1, r − 1): whole
    multiples of a row may be added, one for each s_i but the first (s_1 has no upper end to turn
    at).
    """

    values: Floats
    periods: Floats

    def near(self, values: Floats) -> Floats:
        """Return the values with the periods added that bring them near others."""
        whole = np.rint(np.linalg.solve(self.periods.T, values - self.values))
        found: Floats = self.values + self.periods.T @ whole
        return found


@dataclass(frozen=True, slots=True)
class AbelianLaws:
    """The r − 1 integrals of three matrices 1×m, m×n, n×1.

    names: of the arrays; starts: their places in θ.
    """

    names: tuple[str, str, str]
    starts: tuple[int, int, int]
    m: int
    n: int

    @property
    def size(self) -> int:
        """Number of laws, r − 1."""
        return min(self.m, self.n) - 1

    @property
    def genus(self) -> int:
        """Genus of the curve, r."""
        return min(self.m, self.n)

    @property
    def text(self) -> str:
        """The formula."""
        first, second, third = self.names
        return (
            f"Σᵢ ± ∫ {self._power('xᵏ ')}dx/2w up to x = sᵢ², w² = {self._factor('·')}det(x + P)"
            f"·det(x + Q), P = {first}ᵀ{first} − {second}{second}ᵀ, Q = {third}{third}ᵀ −"
            f" {second}ᵀ{second}, sᵢ the singular values of {second}"
        )

    @property
    def latex(self) -> str:
        """The formula in TeX."""
        first, second, third = map(symbol, self.names)
        return (
            rf"\sum_i \pm \int^{{s_i^2}} {self._power('x^k ')}\frac{{dx}}{{2w}}, \; w^2 ="
            rf" {self._factor(' ')}\det(x + {first}^\top {first} - {second} {second}^\top)"
            rf" \det(x + {third} {third}^\top - {second}^\top {second})"
        )

    def _power(self, written: str) -> str:
        return written if self.size > 1 else ""

    def _factor(self, times: str) -> str:
        power = 1 - abs(self.m - self.n)
        return {1: f"x{times}", 0: ""}.get(power, f"x^{{{power}}}{times}")

    def at(self, theta: Floats) -> Reading:
        """Return the integrals at θ (D,), each from the branch point below s_i², the sign that of
        ``(−1)^{i−1} a_i b_i``, a and b being U1 and U3 in the frame of singular vectors.

        Raise SpecError if branch points coincide there, so nearly that there is no telling.
        """
        curve = _Curve.of(*self._matrices(theta))
        signs = curve.signs[:, None]
        periods = [2 * curve.integrals(i, np.pi / 2, self.size) for i in range(1, self.genus)]
        each = [curve.integrals(i, curve.angle(i), self.size) for i in range(self.genus)]
        return Reading((signs * np.array(each)).sum(axis=0), np.array(periods))

    def along(self, thetas: Iterable[Floats]) -> Floats:
        """Return the integrals (points, r − 1) along a curve of θ (D,), continued through the
        points where an s_i turns: up to periods, they are near those of the point before.

        Raise SpecError as :meth:`at` does.
        """
        readings = map(self.at, thetas)
        found = [next(readings).values]
        for reading in readings:
            found.append(reading.near(found[-1]))
        return np.array(found)

    def _matrices(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        sizes = self.m, self.m * self.n, self.n
        parts = [
            theta[start : start + size] for start, size in zip(self.starts, sizes, strict=True)
        ]
        return parts[0], parts[1].reshape(self.m, self.n), parts[2]


class _Curve(NamedTuple):
    """The branch points (2r + 1,), falling, and how far s_i² is from each of them, (r, 2r + 1);
    the signs of the r integrals.
    """

    roots: Floats
    distances: Floats
    signs: Floats

    @classmethod
    def of(cls, first: Floats, second: Floats, third: Floats) -> _Curve:
        """Return the curve of U1 (m,), U2 (m, n) and U3 (n,). Raise SpecError if it is singular."""
        left, s, right = np.linalg.svd(second, full_matrices=False)
        a, b = first @ left, right @ third
        wider = len(first) - len(third)
        ends = [
            _ends(second @ second.T, first, len(s) + (wider > 0)),
            _ends(second.T @ second, third, len(s) + (wider < 0)),
        ]
        roots = np.concatenate([*ends, np.zeros(int(wider == 0))])
        order = np.argsort(-roots)
        if not (-np.diff(roots[order])).min() > SMALLEST_GAP * np.abs(roots).max():
            raise SpecError(
                "θ: branch points coincide, where the integrals are not evaluated: the eigenvalues"
                " of P and Q and, where m = n, 0 are expected to differ, got"
                f" {', '.join(f'{0 - each:.6g}' for each in roots)}"
            )
        near = [_distances(ends[0], s**2, a, wider > 0), _distances(ends[1], s**2, b, wider < 0)]
        near += [s[:, None] ** 2] * (wider == 0)
        distances = np.concatenate(near, axis=1)
        flips = (-1.0) ** np.arange(len(s))
        signs: Floats = flips * np.copysign(1.0, a) * np.copysign(1.0, b)
        return cls(roots[order], distances[:, order], signs)

    def angle(self, i: int) -> float:
        """Return where s_i² is between its ends: ``x = e + (E − e) sin²``; for s_1, which has no
        upper end, ``x = e + tan²``.
        """
        above = 1.0 if i == 0 else max(0.0, -self.distances[i, 2 * i - 1])
        return float(np.arctan2(max(0.0, self.distances[i, 2 * i]) ** 0.5, above**0.5))

    def integrals(self, i: int, angle: float, size: int) -> Floats:
        """Return ``∫ x^k dx / 2|w|``, k < size, from the lower end of s_i² up to an angle. Raise
        SpecError if that does not converge.
        """
        with np.errstate(all="ignore"):
            for half in HALF:
                terms = self._terms(i, angle, size, half)
                found: Floats = terms.sum(axis=0)
                if (abs(found - 2 * terms[::2].sum(axis=0)) <= AGREE * abs(found)).all():
                    return found
        raise SpecError(
            "θ: branch points nearly coincide, and the integrals are not evaluated:"
            f" {', '.join(f'{each:.17g}' for each in self.roots)}"
        )

    def _terms(self, i: int, angle: float, size: int, half: int) -> Floats:
        """Return what the integrals are sums of, (nodes, size)."""
        parts, weights = _rule(half)
        low, above = self.roots[2 * i], self.roots[: max(0, 2 * i - 1)]
        if i == 0:  # dx / 2√(x − e) = d tan
            across = np.tan(angle * parts) ** 2
            x, weights = low + across, weights * (1 + across)
        else:  # dx / 2√((x − e)(E − x)) = d angle
            x = low + (self.roots[2 * i - 1] - low) * np.sin(angle * parts) ** 2
        others = np.concatenate([above, self.roots[2 * i + 1 :]])
        rest = np.sqrt(np.abs(np.prod(x[:, None] - others, axis=1)))
        terms: Floats = (angle * weights / rest)[:, None] * x[:, None] ** np.arange(size)
        return terms


@cache
def _rule(half: int) -> tuple[Floats, Floats]:
    """Return nodes and weights of a double-exponential quadrature on the unit interval, dense at
    both ends, beyond which other branch points may be near.
    """
    step = REACH / half
    t = np.arange(-half, half + 1) * step
    inner = np.pi / 2 * np.sinh(t)
    nodes: Floats = 1 / (1 + np.exp(-2 * inner))
    weights: Floats = step * np.pi / 4 * np.cosh(t) / np.cosh(inner) ** 2
    return nodes, weights


def _ends(square: Floats, vector: Floats, count: int) -> Floats:
    """Return the roots of ``det(x − square + vector vectorᵀ)`` that are branch points, so many: of
    those at 0, which are more where a side is wider than the other, none is.
    """
    roots = np.linalg.eigvalsh(square - np.outer(vector, vector)).astype(np.float64)
    return roots[np.argsort(-np.abs(roots))][:count]


def _distances(roots: Floats, x: Floats, frame: Floats, wider: bool) -> Floats:
    """Return how far the x_i = s_i² are from such roots, (r, ·).

    frame: the vector in the frame of singular vectors; wider: whether there is a root more.
    """
    distances: Floats = x[:, None] - roots
    each = np.arange(len(x)), np.abs(distances).argmin(axis=1)
    apart, rest = x[:, None] - x, distances.copy()
    apart[each[0], each[0]] = rest[each] = 1
    # ∏ (x_i − root) = a_i² ∏ (x_i − x_j), times x_i where there is one root more.
    product = frame**2 * apart.prod(axis=1) * (x if wider else 1.0)
    distances[each] = product / rest.prod(axis=1)
    return distances


def abelian_laws(problem: Problem) -> tuple[AbelianLaws, ...]:
    """Return the laws of this kind: of each linear piece 1-m-n-1, m, n ≥ 2, without biases, of a
    chain cut at layers of one unit, under gradient flow and a loss whose output gradients are free.
    """
    if problem.flow.dynamics.system is not System.GRADIENT or problem.loss is Loss.CROSS_ENTROPY:
        return ()
    chain = chain_of(problem)
    pieces = () if chain is None else cut(chain)
    found, layer = list[AbelianLaws](), 0
    for piece in pieces:
        widths = piece.widths
        plain = all(piece.linear) and not any(piece.biased)
        if plain and len(widths) == 4 and {widths[0], widths[-1]} == {1}:
            found.append(_of(problem, layer, *widths[1:3]))
        layer += len(widths) - 1
    return tuple(found)


def _of(problem: Problem, layer: int, m: int, n: int) -> AbelianLaws:
    graph = problem.graph
    assert graph is not None
    arrays = {array.name: array for array in graph.arrays}
    dense = [node.parameters[0] for node in graph.nodes if node.operation.dense]
    first, second, third = (arrays[name] for name in dense[layer : layer + 3])
    names = first.name, second.name, third.name
    starts = first.entries.start, second.entries.start, third.entries.start
    return AbelianLaws(names, starts, m, n)
