"""Power series modulo a prime, one coefficient after another, as differential equations need them.

In ``x' = f(x)`` coefficient k of f(x) is needed to know coefficient k + 1 of x, so series are
multiplied online: an expression is evaluated once an order, and an array holds the coefficients of
its series at that order only. Sums, reshaping and constant factors act on each coefficient by
itself. A product at order k is ``Σ_j a_j b_{k−j}``; what it met at earlier orders it remembers. It
is told from the others of the expression by its turn, which is the same at all orders.

Coefficients are numbers ``x + Σ_i ε_i y_i`` with ``ε_i ε_j = 0``: derivatives in many directions at
once. As for jets, the last axis holds x and the y_i, or x alone.

Histories are coefficient-major, one factor's backwards: then the coefficients that meet stand side
by side, and ``Σ_j a_j b_{k−j}`` is one matrix product whose inner index is the pair of j and the
inner index of a and b. No series is copied, and all work is BLAS's.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

import numpy as np

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.algebra.rings import Jets, Rule


@dataclass(frozen=True, slots=True)
class Series(Jets):
    """Power series of which ``length`` coefficients are wanted, at the order k < length.

    An expression is evaluated in ``Series(field, length)``, then in :meth:`next` of it, and so on,
    each time with the next coefficients of what it is made of; ``constant`` takes those of a series
    that has no ε. Arrays are (batch, …, 1 + m), the same m throughout, or (batch, …, 1).
    """

    length: int
    order: int = 0
    products: list[_Product] = dataclasses.field(default_factory=list)
    turn: count[int] = dataclasses.field(default_factory=count)

    def next(self) -> Series:
        """Return the ring at the next order."""
        return Series(self.field, self.length, self.order + 1, self.products)

    def integral(self, x: Array) -> Array:
        """Return the next coefficient of the integral of a series whose coefficient here is x."""
        return self.scale(x, Fraction(1, self.order + 1))

    def multiply(self, a: Array, b: Array) -> Array:
        """Multiply entry by entry."""
        shape = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
        a, b = (np.broadcast_to(x, (*shape, x.shape[-1])) for x in (a, b))
        product = self.matmul(*(x.reshape(-1, 1, 1, x.shape[-1]) for x in (a, b)))
        return product.reshape(*shape, -1)

    def matmul(self, a: Array, b: Array) -> Array:
        """Multiply matrices (·, r, k, 1 + m) and (·, k, n, 1 + m)."""
        turn = next(self.turn)
        if turn == len(self.products):
            self.products.append(_Product.of(self.length, a, b))
        return self.products[turn].coefficient(self.field, self.order, a, b)

    def function(self, rule: Rule, z: Array, order: int = 0) -> Array:
        """Raise TypeError: only polynomials are evaluated."""
        raise TypeError("power series of functions that are no polynomials are not computed")


@dataclass(slots=True)
class _History:
    """The coefficients of one factor: (batch, length, inner, others), apart from those of ε,
    (batch, length, inner, others · m). last: the order of the last one that is not zero.
    """

    values: Array
    slopes: Array
    last: int = -1

    @classmethod
    def of(cls, length: int, x: Array) -> _History:
        batch, inner, others, size = x.shape
        shape = batch, length, inner, others
        return cls(np.empty(shape), np.empty((*shape[:-1], others * (size - 1))))

    def write(self, place: int, order: int, x: Array) -> None:
        self.last = order if x.any() else self.last
        self.values[:, place] = x[..., 0]
        self.slopes[:, place] = x[..., 1:].reshape(*x.shape[:2], -1)


@dataclass(slots=True)
class _Product:
    """One product of matrices at all orders. The history of the left factor, which is kept
    transposed, is written from its end.
    """

    length: int
    left: _History
    right: _History

    @classmethod
    def of(cls, length: int, a: Array, b: Array) -> _Product:
        return cls(length, _History.of(length, a.swapaxes(1, 2)), _History.of(length, b))

    def coefficient(self, field: PrimeField, k: int, a: Array, b: Array) -> Array:
        """Return ``Σ_j a_j b_{k−j}``, the last factors being a and b."""
        left, right = self.left, self.right
        left.write(self.length - 1 - k, k, a.swapaxes(1, 2))
        right.write(k, k, b)
        first, last = max(0, k - right.last), min(k, left.last)
        size, m = (len(a), len(b)), max(a.shape[-1], b.shape[-1]) - 1
        result = np.zeros((max(size), a.shape[1], b.shape[2], 1 + m))
        if first > last:
            return result
        met = slice(self.length - 1 - last, self.length - first), slice(k - last, k - first + 1)
        x, y = _rows(left.values, met[0]).swapaxes(1, 2), _rows(right.values, met[1])
        result[..., 0] = field.matmul(x, y)
        slopes = result[..., 1:]
        if b.shape[-1] > 1:
            slopes += field.matmul(x, _rows(right.slopes, met[1])).reshape(slopes.shape)
        if a.shape[-1] > 1:
            part = field.matmul(_rows(left.slopes, met[0]).swapaxes(1, 2), y)
            slopes += part.reshape(len(part), a.shape[1], m, -1).swapaxes(2, 3)
        return field.reduce(result) if a.shape[-1] > 1 < b.shape[-1] else result


def _rows(history: Array, met: slice) -> Array:
    """Return the coefficients that meet, one below the other: (batch, coefficients · inner, ·)."""
    part = history[:, met]
    return part.reshape(len(part), -1, part.shape[-1])
