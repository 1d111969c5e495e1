"""Polynomials that vanish on a leaf, by power series modulo a prime.

A leaf is what can be reached from a point along fields. A polynomial of degree up to N vanishes on
the leaf of z iff it vanishes on a curve from z that follows a generic combination of the fields,
``z' = Σ u_a(t) χ_a(z)`` with power series u: for the polynomials that do not, a generic curve in
the leaf keeps them independent, and as many coefficients of t as there are monomials show it.
These polynomials are a vector space that depends on the leaf alone; its reduced basis, each element
a monomial minus lower ones, has coefficients that are functions of z which are constant on leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.field import Array, PrimeField

Residues = NDArray[np.int64]
Exponents = tuple[int, ...]
Sparse = Mapping[Exponents, int]
"""A polynomial: integers by exponents."""

SURPLUS = 4
"""Coefficients of a curve beyond the number of monomials."""


class Bases(NamedTuple):
    """Reduced bases at many points, for the same monomials in ascending order of degree.

    pivots: (points, monomials), the row of a monomial that is independent of lower ones, −1 where
    it is the lead of an element of the basis. rows: (points, rows, monomials).
    """

    pivots: Residues
    rows: Residues

    @property
    def rank(self) -> Residues:
        """The rank at each point."""
        return np.asarray((self.pivots >= 0).sum(axis=1))

    def element(self, point: int, lead: int) -> dict[int, int]:
        """Return what monomials lower than the lead, with these coefficients, add up to it."""
        below = np.flatnonzero(self.pivots[point, :lead] >= 0)
        values = self.rows[point, self.pivots[point, below], lead]
        return {int(m): int(c) for m, c in zip(below, values, strict=True) if c}


def monomials(size: int, degree: int) -> list[Exponents]:
    """Return the exponents of all monomials up to a degree, in ascending order of degree."""
    chosen = (m for d in range(degree + 1) for m in combinations_with_replacement(range(size), d))
    return [tuple(m.count(e) for e in range(size)) for m in chosen]


def bases(
    fields: Sequence[Sequence[Sparse]],
    wanted: Sequence[Exponents],
    points: Residues,
    p: int,
    rng: np.random.Generator,
    *,
    below: bool = False,
) -> Bases:
    """Return the reduced bases of the polynomials, with monomials in ascending order of degree,
    that vanish on the leaves of points (count, coordinates), modulo a prime p below 2^23 and above
    the number of monomials. below: as for :func:`echelon`.
    """
    order = len(wanted) + SURPLUS
    curves = _Curves(fields, wanted, p).along(points, order, rng)
    return echelon(np.ascontiguousarray(curves.transpose(1, 2, 0)), p, below=below)


class _Curves:
    """Computes monomials along curves, coefficient by coefficient."""

    def __init__(
        self, fields: Sequence[Sequence[Sparse]], wanted: Sequence[Exponents], p: int
    ) -> None:
        self._p, self._wanted, self._size = p, wanted, len(wanted[0])
        used = {m for field in fields for entry in field for m in entry}
        self._steps = _steps([*wanted, *used])
        place = {m: i for i, m in enumerate(self._steps)}
        self._place = [place[m] for m in wanted]
        self._variables = [place[_unit(e, self._size)] for e in range(self._size)]
        self._matrix = np.zeros((len(fields), self._size, len(place)), dtype=np.int64)
        for a, field in enumerate(fields):
            for e, entry in enumerate(field):
                for m, c in entry.items():
                    self._matrix[a, e, place[m]] = c % p
        self._used = sorted({place[m] for m in used})

    def along(self, points: Residues, order: int, rng: np.random.Generator) -> Residues:
        """Return the wanted monomials (monomials, points, order)."""
        values = np.zeros((len(self._steps), len(points), order), dtype=np.int64)
        values[0, :, 0] = 1
        values[self._variables, :, 0] = points.T
        controls = rng.integers(0, self._p, (len(self._matrix), len(points), order))
        moved = np.zeros((*self._matrix.shape[:2], len(points), order), dtype=np.int64)
        for j in range(order):
            for m, (below, e) in list(enumerate(self._steps.values()))[1 + self._size :]:
                factor = values[self._variables[e], :, j::-1]
                values[m, :, j] = (values[below, :, : j + 1] * factor).sum(axis=1) % self._p
            moved[..., j] = self._at(values[self._used, :, j])
            if j + 1 < order:
                rate = (moved[..., : j + 1] * controls[:, None, :, j::-1]).sum(axis=3) % self._p
                step = rate.sum(axis=0) % self._p * pow(j + 1, -1, self._p)
                values[self._variables, :, j + 1] = step % self._p
        return values[self._place]

    def _at(self, values: Residues) -> Residues:
        """Return the fields at the values of the monomials that are used in them."""
        total = np.zeros((*self._matrix.shape[:2], values.shape[1]), dtype=np.int64)
        for column, value in zip(self._used, values, strict=True):
            total += self._matrix[:, :, column, None] * value % self._p
        return total % self._p


def _unit(e: int, size: int) -> Exponents:
    return tuple(int(i == e) for i in range(size))


def _steps(wanted: Sequence[Exponents]) -> dict[Exponents, tuple[int, int]]:
    """Return monomials, 1 and the variables first, each as an earlier one times a variable."""
    size = len(wanted[0])
    steps: dict[Exponents, tuple[int, int]] = {(0,) * size: (-1, -1)}
    steps |= {_unit(e, size): (0, e) for e in range(size)}
    place = {m: i for i, m in enumerate(steps)}

    def add(m: Exponents) -> int:
        if m not in place:
            e = max(i for i in range(size) if m[i])
            below = add((*m[:e], m[e] - 1, *m[e + 1 :]))
            place[m] = len(steps)
            steps[m] = below, e
        return place[m]

    for m in sorted(wanted, key=sum):
        add(m)
    return steps


def echelon(table: Residues, p: int, *, below: bool = False) -> Bases:
    """Return the relations between columns of many matrices (count, rows, columns).

    below: eliminate only below pivots, so that ranks are right and relations are not.
    """
    over = PrimeField(p)
    rows = over.reduce(table.astype(float))
    count, height, width = rows.shape
    rank, pivots = np.zeros(count, dtype=np.int64), np.full((count, width), -1, dtype=np.int64)
    for column in range(width):
        able = (rows[:, :, column] != 0) & (np.arange(height) >= rank[:, None])
        row = able.argmax(axis=1)
        mine = np.flatnonzero(able[np.arange(count), row])
        if not len(mine):
            continue
        to, chosen = rank[mine], row[mine]
        lead = rows[mine, chosen]
        rows[mine, chosen] = rows[mine, to]
        lead = over.reduce(lead * _inverses(lead[:, column], p)[:, None])
        first = int(to.min()) if below else 0
        factor = np.zeros((count, height - first))
        factor[mine] = rows[mine, first:, column]
        if below:
            factor[mine] *= np.arange(first, height) > to[:, None]
        factor[mine, to - first] = 0
        full = np.zeros((count, width - column))
        full[mine] = lead[:, column:]
        part = rows[:, first:, column:]
        over.reduce(np.subtract(part, factor[:, :, None] * full[:, None, :], out=part))
        rows[mine, to] = lead
        pivots[mine, column] = to
        rank[mine] += 1
    return Bases(pivots, rows.astype(np.int64) % p)


def _inverses(values: Array, p: int) -> Array:
    """Return the inverses of nonzero residues."""
    return PrimeField(p).power(values, p - 2)
