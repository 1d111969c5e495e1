"""Linear laws with nonnegative coefficients: the totals of reaction networks.

The vectors ≥ 0 of a space of linear laws form a cone. Its extreme rays, those of least support, are
found by Farkas' algorithm (the P-semiflows of Petri nets): the unit vectors are combined, equation
by equation, so that what does not vanish cancels in pairs. If the rays span the space, some of them
are a basis of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from conslaw_cli.algebra.kernel import rank_and_kernel

MAX_ROWS = 2000
"""Vectors at a time; beyond it the space is left as it is."""
_BELOW = 2**62

Vector = dict[int, int]


def totals(laws: Sequence[Vector], size: int) -> list[Vector] | None:
    """Return a basis, with nonnegative coprime coefficients and small supports, of the space that
    vectors of integers span; None if there is none, or too many were to be looked at.
    """
    _, equations = rank_and_kernel(laws, size, _BELOW)
    if len(equations) + len(laws) != size:
        return None
    rays: list[Vector] = [{e: 1} for e in range(size)]
    for equation in equations:
        values = [sum(c * equation.get(e, 0) for e, c in ray.items()) for ray in rays]
        kept = [ray for ray, value in zip(rays, values, strict=True) if not value]
        up = [(ray, v) for ray, v in zip(rays, values, strict=True) if v > 0]
        down = [(ray, -v) for ray, v in zip(rays, values, strict=True) if v < 0]
        if len(kept) + len(up) * len(down) > MAX_ROWS:
            return None
        rays = _least([*kept, *(_cancelled(*a, *b) for a in up for b in down)])
    return _basis(sorted(rays, key=lambda ray: (len(ray), min(ray))), len(laws), size)


def _cancelled(first: Vector, up: int, second: Vector, down: int) -> Vector:
    total = {e: down * c for e, c in first.items()}
    for e, c in second.items():
        total[e] = total.get(e, 0) + up * c
    content = gcd(*total.values())
    return {e: c // content for e, c in total.items()}


def _least(rays: Sequence[Vector]) -> list[Vector]:
    """Leave out vectors whose support holds that of another, and repetitions."""
    kept = list[Vector]()
    for ray in sorted(rays, key=len):
        if not any(set(other) <= set(ray) for other in kept):
            kept.append(ray)
    return kept


def _basis(rays: Sequence[Vector], count: int, size: int) -> list[Vector] | None:
    """Return the first independent ones, if they are so many."""
    columns = [{n: ray[e] for n, ray in enumerate(rays) if e in ray} for e in range(size)]
    _, relations = rank_and_kernel(columns, len(rays), _BELOW)
    dependent = {max(relation) for relation in relations}
    basis = [dict(sorted(ray.items())) for n, ray in enumerate(rays) if n not in dependent]
    return basis if len(basis) == count else None
