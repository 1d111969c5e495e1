"""M of Prop. 3.7 as a function of z = φ(θ) and θ_init alone, where it has a closed form.

**Two layers** (Example 3.8, two-layer ReLU networks with and without biases). Where θ falls apart
into pairs of vectors u, v and φ into all products Z = u vᵀ of a pair, ``‖u‖² − ‖v‖² = 2δ`` is a law
and ``‖u‖² ‖v‖² = ‖Z‖²``. So ``‖u‖² = ρ + δ``, ``‖v‖² = ρ − δ`` with ρ = √(δ² + ‖Z‖²), and since
Z' = −(G vvᵀ + uuᵀ G) for G = ∇f, ZᵀZ = ‖u‖² vvᵀ, ZZᵀ = ‖v‖² uuᵀ,

    M[G] = Z Zᵀ G / (ρ − δ) + G ZᵀZ / (ρ + δ).

A single number u gives Example 3.8. A component that is one parameter gives 1.

**Polar coordinates** (arXiv 2307.00144, Example F.2). φ(u, v) = (u‖v‖, v/‖v‖) =: (r, h) has ∂φ∂φᵀ =
diag(u² + ‖v‖², P_h/‖v‖²), P_h = I − hhᵀ, and the law δ = u² − ‖v‖²: since r² = u²‖v‖², the first
entry is √(δ² + 4r²), and ‖v‖² = (√(δ² + 4r²) − δ)/2. (The text prints √(r² + δ²) and 1/(δ + √(r²
+ δ²)): right for δ = (‖v‖² − u²)/2, but for a factor 2 of the first entry.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.errors import SpecError
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.simulation.integrator import Vector

Index = NDArray[np.intp]


class Metric(Protocol):
    """M as a function of z."""

    def __call__(self, z: Vector) -> Vector:
        """Return M(z, θ_init), (d, d)."""
        ...


class ClosedForm(Metric, Protocol):
    """M by a formula."""

    def lines(self, names: Sequence[str]) -> Sequence[str]:
        """Return the formula, and what stands in it, for the names of the parameters."""
        ...


class Pair(NamedTuple):
    """Vectors u and v, by their places in θ, the components (n, m) that hold u vᵀ, and δ."""

    u: Index
    v: Index
    products: Index
    delta: float


@dataclass(frozen=True, slots=True)
class TwoLayers:
    """Pairs, and components that are one parameter."""

    pairs: Sequence[Pair]
    single: Index

    @classmethod
    def of(cls, monomials: Sequence[tuple[int, ...]], theta: Vector) -> TwoLayers | None:
        """Return what components are made of that are products of these parameters; None if they
        are no such products, each once.
        """
        places = {each: number for number, each in enumerate(monomials)}
        single = [places[each] for each in monomials if len(each) == 1]
        edges = [each for each in monomials if len(each) == 2 and each[0] != each[1]]
        alone = {each[0] for each in monomials if len(each) == 1}
        if len(places) < len(monomials) or len(single) + len(edges) < len(monomials):
            return None
        sides = _sides(edges)
        if sides is None or any(alone.intersection([*u, *v]) for u, v in sides):
            return None
        if sum(len(u) * len(v) for u, v in sides) != len(edges):
            return None
        pairs = []
        for u, v in sides:
            rows = [[places.get((a, b), places.get((b, a), -1)) for b in v] for a in u]
            delta = float((theta[u] ** 2).sum() - (theta[v] ** 2).sum()) / 2
            pairs.append(Pair(np.array(u), np.array(v), np.array(rows), delta))
        return cls(pairs, np.array(single, np.intp))

    def __call__(self, z: Vector) -> Vector:
        """Return M."""
        metric = np.zeros((len(z), len(z)))
        metric[self.single, self.single] = 1
        for pair in self.pairs:
            product = z[pair.products]
            u, v = _squares(pair.delta, float(np.linalg.norm(product)))
            left = np.kron(product @ product.T, np.eye(len(pair.v))) / v
            right = np.kron(np.eye(len(pair.u)), product.T @ product) / u
            places = pair.products.ravel()
            metric[np.ix_(places, places)] = left + right
        return metric

    def lines(self, names: Sequence[str]) -> Sequence[str]:
        """Return the formula, that of Example 3.8 if every u or every v is one number."""
        if not self.pairs:
            return ["M = I, as every component is one parameter"]
        if all(min(pair.products.shape) == 1 for pair in self.pairs):
            formula = "M = ‖z‖_δ I + zzᵀ/‖z‖_δ, ‖z‖_δ = δ + √(δ² + ‖z‖²), δ = (u² − ‖v‖²)/2"
        else:
            formula = "M[G] = ZZᵀG/(ρ − δ) + GZᵀZ/(ρ + δ), ρ = √(δ² + ‖Z‖²), δ = (‖u‖² − ‖v‖²)/2"
        apart = ", for each u and v" if len(self.pairs) > 1 else ""
        alone = "; 1 for components that are one parameter" if len(self.single) else ""
        found = [formula + apart + alone]
        for pair in self.pairs:
            u, v = (", ".join(names[i] for i in side) for side in (pair.u, pair.v))
            found.append(f"u = ({u}), v = ({v}): δ = {pair.delta:.6g}")
        return found


def _squares(delta: float, norm: float) -> tuple[float, float]:
    """Return ‖u‖² = ρ + δ and ‖v‖² = ρ − δ for ρ² = δ² + norm², the smaller one without loss."""
    larger = math.hypot(delta, norm) + abs(delta)
    smaller = norm**2 / larger
    return (larger, smaller) if delta > 0 else (smaller, larger)


def _sides(edges: Sequence[tuple[int, ...]]) -> list[tuple[list[int], list[int]]] | None:
    """Return the two sides of every connected piece of a graph; None if one has no two sides. A
    side of one vertex comes first.
    """
    near = dict[int, set[int]]()
    for a, b in edges:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    side, found = dict[int, int](), []
    for start in near:
        if start in side:
            continue
        side[start], piece = 0, [start]
        for vertex in piece:
            for other in sorted(near[vertex]):
                if other not in side:
                    side[other] = 1 - side[vertex]
                    piece.append(other)
                elif side[other] == side[vertex]:
                    return None
        u, v = (sorted(i for i in piece if side[i] == k) for k in (0, 1))
        found.append((u, v) if len(u) == 1 or len(v) > 1 else (v, u))
    return found


@dataclass(frozen=True, slots=True)
class Polar:
    """Polar coordinates: r is the first component; ``delta`` = u² − ‖v‖²."""

    delta: float

    @classmethod
    def of(cls, phi: CustomMap, theta: Vector) -> Polar | None:
        """Return the metric, if that is what φ is, u being any of the variables."""
        if phi.arrays or phi.constants or len(phi.variables) != len(phi.components):
            return None
        for place, u in enumerate(phi.variables):
            v = [name for name in phi.variables if name != u]
            norm = f"sqrt({' + '.join(f'{name}**2' for name in v)})"
            texts = (f"{u}*{norm}", *(f"{name}/{norm}" for name in v))
            try:
                written = CustomMap(phi.variables, texts)
            except SpecError:  # of one number, whose norm has no decided sign
                return None
            if written.algebraic().graph == phi.algebraic().graph:
                return cls(float(2 * theta[place] ** 2 - theta @ theta))
        return None

    def __call__(self, z: Vector) -> Vector:
        """Return M."""
        u, v = _squares(self.delta / 2, abs(z[0]))
        h = z[1:]
        metric = np.zeros((len(z), len(z)))
        metric[0, 0] = u + v
        metric[1:, 1:] = (np.eye(len(h)) - np.outer(h, h) / (h @ h)) / v
        return metric

    def lines(self, names: Sequence[str]) -> Sequence[str]:
        """Return both ways to write it."""
        return [
            "M = diag(√(δ² + 4r²), 2/(√(δ² + 4r²) − δ)·P), P = I − hhᵀ/‖h‖², for z = (r, h)"
            f" and δ = u² − ‖v‖² = {self.delta:.6g}",
            "or M = diag(2√(r² + δ²), P/(δ + √(r² + δ²))) for δ = (‖v‖² − u²)/2 ="
            f" {-self.delta / 2:.6g} (arXiv 2307.00144, Example F.2, prints this without the"
            " factor 2, and the other δ)",
        ]
