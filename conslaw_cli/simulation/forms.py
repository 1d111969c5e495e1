"""Laws at floats: the forms that a law ``h(x) = xᵀSx + ⟨s, x⟩`` is made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.networks.known_laws import Family, Laws
from conslaw_cli.simulation.integrator import Vector


class Forms:
    """Some laws, all of which are evaluated at once, at points x of as many numbers as they have
    coordinates.
    """

    def __init__(self, laws: Laws) -> None:
        self._laws, single = laws, laws.right < 0
        self._squares, self._singles = _Terms(laws, ~single), _Terms(laws, single)

    def __len__(self) -> int:
        """How many laws there are."""
        return len(self._laws)

    def families(self) -> Iterator[tuple[Family, slice]]:
        """Yield the families, and where their laws stand."""
        start = 0
        for family in self._laws.families:
            yield family, slice(start, start + family.size)
            start += family.size

    def values(self, x: Vector) -> tuple[Vector, Vector]:
        """Return h(x) of every law, and ``|x|ᵀ|S||x| + ⟨|s|, |x|⟩``, by which rounding and drifts
        are measured.
        """
        squares, singles = self._squares, self._singles
        pairs = squares.terms(x[squares.left] * x[squares.right])
        alone = singles.terms(x[singles.left])
        size = squares.sums(np.abs(pairs)) + singles.sums(np.abs(alone))
        return squares.sums(pairs) + singles.sums(alone), size

    def bilinear(self, a: Vector, b: Vector) -> Vector:
        """Return ``aᵀSb``, S symmetric."""
        left, right = self._squares.left, self._squares.right
        pairs = a[left] * b[right]
        if a is not b:
            pairs = (pairs + a[right] * b[left]) / 2
        return self._squares.sums(self._squares.terms(pairs))

    def linear(self, x: Vector) -> Vector:
        """Return ``⟨s, x⟩``."""
        return self._singles.sums(self._singles.terms(x[self._singles.left]))

    def along(self, x: Vector, a: Vector) -> Vector:
        """Return ``xᵀSa + ⟨s, a⟩/2``: half of what laws change by at x in a direction."""
        return self.bilinear(x, a) + self.linear(a) / 2


class _Terms:
    """Some of the terms of laws."""

    def __init__(self, laws: Laws, chosen: NDArray[np.bool_]) -> None:
        self.left, self.right = laws.left[chosen], laws.right[chosen]
        self._law, self._count = laws.law[chosen], len(laws)
        self._coefficient = laws.coefficient[chosen].astype(np.float64)
        self._none = np.zeros(self._count)

    def terms(self, products: Vector) -> Vector:
        """Return the terms whose products of coordinates are given."""
        return self._coefficient * products

    def sums(self, terms: Vector) -> Vector:
        """Return, for every law, the sum of its terms."""
        if not len(terms):
            return self._none
        return np.bincount(self._law, terms, self._count).astype(np.float64, copy=False)
