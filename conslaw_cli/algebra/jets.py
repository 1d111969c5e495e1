"""Arithmetic in ``F_p[ε_1, …, ε_k]/(ε_i^2)``: derivatives without symbols and without divisions.

A jet array has shape ``(batch, rows, columns, 2^k)``; its last axis holds the coefficient of ``∏_{i
∈ S} ε_i`` at the index whose binary digits are S. The derivative of a polynomial map f at θ along v
is the ε-coefficient of ``f(θ + ε v)``. ``Integers`` offers the same operations over Z (or any ring
of Python objects, such as sympy's polynomials), so one network definition serves numbers mod p,
exact integers and symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.field import PrimeField

DIRECT = 8
"""Coefficients up to which jets are multiplied by one product."""


class Ring(Protocol):
    """What a network needs of the numbers that flow through it.

    Arrays are (batch, rows, columns, jet).
    """

    def matmul(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        """Matrix product of (·, m, k, ·) and (·, k, n, ·); a batch of one is repeated."""
        ...

    def reduce(self, x: NDArray[Any]) -> NDArray[Any]:
        """Bring sums or products of two elements back to normal form, possibly in place."""
        ...

    def divide(self, x: NDArray[Any], divisor: int) -> NDArray[Any]:
        """Divide by a small positive integer, possibly in place."""
        ...


@dataclass(frozen=True, slots=True)
class Jets:
    """Jets over a prime field; the order k is read off the arrays' last axis."""

    field: PrimeField

    def reduce(self, x: NDArray[Any]) -> NDArray[Any]:
        """Centre the residues in place."""
        return self.field.reduce(x)

    def divide(self, x: NDArray[Any], divisor: int) -> NDArray[Any]:
        """Multiply by the inverse modulo p, which is larger than any divisor."""
        x *= self.field.inverse(divisor)
        return self.field.reduce(x)

    def matmul(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        """Multiply matrices of jets: the coefficient at S is the sum over T ⊆ S of ``a_T @
        b_{S∖T}``.

        For small jets one plain product does it all: ``a`` as a matrix with columns (k, T) times
        the matrix with rows (k, T) and columns (n, S) that holds ``b_{S∖T}``. That takes 4^k
        products where 3^k would do, but one call instead of 3^k; larger jets are halved, ``(a_0 + ε
        a_1)(b_0 + ε b_1) = a_0 b_0 + ε (a_0 b_1 + a_1 b_0)``.
        """
        batch, inner, columns, size = b.shape
        if size == 1:
            return self.field.matmul(a[..., 0], b[..., 0])[..., None]
        if size > DIRECT:
            low, high = self.matmul(value(a), value(b)), self.matmul(value(a), derivative(b))
            return np.concatenate(
                [low, self.reduce(high + self.matmul(derivative(a), value(b)))], axis=-1
            )
        source, mask = _convolution(size, columns)
        right = b.reshape(batch, inner, columns * size).take(source, axis=2)
        right *= mask
        left = a.reshape(a.shape[0], a.shape[1], inner * size)
        product = self.field.matmul(left, right.reshape(batch, inner * size, columns * size))
        return product.reshape(*product.shape[:2], columns, size)


@dataclass(frozen=True, slots=True)
class Integers:
    """Exact arithmetic on object arrays of Python integers, fractions or symbols; jets of order 0
    only.
    """

    def reduce(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return x: exact numbers need no reduction."""
        return x

    def divide(self, x: NDArray[Any], divisor: int) -> NDArray[Any]:
        """Return fractions; floats, which only ever bound sizes, stay as if denominators were
        cleared.
        """
        return x * Fraction(1, divisor) if x.dtype == object else x

    def matmul(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        """Multiply matrices of exact numbers."""
        product: NDArray[Any] = np.matmul(a[..., 0], b[..., 0])
        return product[..., None]


@cache
def _convolution(size: int, columns: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return, for T and (column, S), the index (column, S∖T), and 1 where T ⊆ S, else 0."""
    t, s = np.ogrid[:size, :size]
    source = np.arange(columns)[:, None] * size + (s & ~t)[:, None, :]
    mask = np.broadcast_to(((s & t) == t)[:, None, :], source.shape)
    return source.reshape(size, -1).astype(np.intp), mask.reshape(size, -1).astype(np.float64)


def lift(x: NDArray[Any], v: NDArray[Any]) -> NDArray[Any]:
    """Return ``x + ε v`` for a new ε: (b, D, 2^k) and (b', D, 2^k) to (b', D, 2^{k+1})."""
    return np.concatenate([np.broadcast_to(x, v.shape), v], axis=-1)


def derivative(x: NDArray[Any]) -> NDArray[Any]:
    """Return the coefficient of the newest ε."""
    return x[..., x.shape[-1] // 2 :]


def value(x: NDArray[Any]) -> NDArray[Any]:
    """Return x with the newest ε set to 0."""
    return x[..., : x.shape[-1] // 2]
