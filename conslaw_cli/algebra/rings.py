"""Rings that operations compute in: residues mod p, jets over them, exact numbers.

An operation is written once (networks/operations/) and never adds or multiplies values itself; it
asks the ring. Arrays are (batch, units, positions), a batch of one standing for any; the ring may
own one more axis, the last. Plain indexing, reshaping and concatenation of the axes in front are
free to all.

Jets: ``F_p[ε_1, …, ε_k]/(ε_i^2)``, derivatives without symbols and without divisions. The last
axis, of length 2^k, holds the coefficient of ``∏_{i ∈ S} ε_i`` at the index whose binary digits are
S. The derivative of a polynomial map f at θ along v is the ε-coefficient of ``f(θ + ε v)``.
Constants, such as inputs and output weights, are jets whose last axis has length 1: what is
multiplied by them costs one plain product. So sums of arrays are the ring's business too: ``a + b``
would add a constant to every coefficient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.field import Array, PrimeField

Values = NDArray[Any]
"""Arrays (batch, units, positions), with one axis more where the ring owns one."""

DIRECT = 8
"""Coefficients up to which jets are multiplied by one product."""
WIDE = 256
"""Size of jets above which products are split: so many products of residues may be added."""


class Rule(Protocol):
    """A function of one variable that is no polynomial."""

    def residues(self, field: PrimeField, z: Array, count: int) -> list[Array]:
        """Return residues for σ(z), σ'(z), …, ``count`` of them.

        They are decided by z alone, up to what the rule knows of σ (σ(−z) = 1/σ(z), say): values at
        arguments that are equal modulo the prime are taken to be equal, which can only lower ranks.
        """
        ...

    def real(self, z: Values, order: int) -> Values:
        """Return the derivative of that order at floats."""
        ...


class Ring(Protocol):
    """What an operation needs of the numbers that flow through it."""

    def constant(self, x: Values) -> Values:
        """Return numbers (batch, …) as elements that do not move."""
        ...

    def add(self, *terms: Values) -> Values:
        """Return the sum of arrays that broadcast."""
        ...

    def multiply(self, a: Values, b: Values) -> Values:
        """Return the product, entry by entry."""
        ...

    def matmul(self, a: Values, b: Values) -> Values:
        """Return the matrix product of (·, m, k) and (·, k, n)."""
        ...

    def sum(self, x: Values, axis: int) -> Values:
        """Return the sum over one of the axes in front, counted from 0."""
        ...

    def scale(self, x: Values, factor: Fraction) -> Values:
        """Multiply by a number whose denominator is smaller than any prime that is used."""
        ...

    def function(self, rule: Rule, z: Values, order: int = 0) -> Values:
        """Return the derivative of that order of a function, entry by entry."""
        ...

    def joined(self, parts: Sequence[Values], size: int) -> Values:
        """Return arrays (batch, ·) one behind the other, with ``size`` numbers along the ring's
        axis, if it has one.
        """
        ...


class Exact:
    """Integers, fractions, floats or symbols, as they are; without an axis of its own."""

    def constant(self, x: Values) -> Values:
        """Return x."""
        return x

    def add(self, *terms: Values) -> Values:
        """Add."""
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total

    def multiply(self, a: Values, b: Values) -> Values:
        """Multiply."""
        product: Values = a * b
        return product

    def matmul(self, a: Values, b: Values) -> Values:
        """Multiply matrices."""
        product: Values = np.matmul(a, b)
        return product

    def sum(self, x: Values, axis: int) -> Values:
        """Add up."""
        total: Values = x.sum(axis=axis)
        return total

    def scale(self, x: Values, factor: Fraction) -> Values:
        """Multiply."""
        if x.dtype != object:
            return x * float(factor)
        return x * (factor.numerator if factor.denominator == 1 else factor)

    def function(self, rule: Rule, z: Values, order: int = 0) -> Values:
        """Evaluate at floats."""
        return rule.real(z, order)

    def joined(self, parts: Sequence[Values], size: int) -> Values:
        """Concatenate."""
        return np.concatenate(parts, axis=1)


class Sizes(Exact):
    """Bounds for sums of absolute values of coefficients, as floats."""

    def scale(self, x: Values, factor: Fraction) -> Values:
        """Multiply as if denominators were cleared."""
        return x * abs(factor.numerator)

    def function(self, rule: Rule, z: Values, order: int = 0) -> Values:
        """Return the square of the bound for z: the value itself is one free factor, and n fields
        in a bracket are differentiated 2n − 1 times, by each of which a derivative of z may come.
        """
        return np.maximum(z, 1.0) ** 2


@dataclass(frozen=True, slots=True)
class Residues:
    """Centred residues modulo a prime, without an axis of its own."""

    field: PrimeField

    def constant(self, x: Array) -> Array:
        """Return x."""
        return x

    def add(self, *terms: Array) -> Array:
        """Add: fewer than TERMS terms stay exact."""
        total, *others = terms
        for term in others:
            total = total + term
        return self.field.reduce(total) if others else total

    def multiply(self, a: Array, b: Array) -> Array:
        """Multiply."""
        return self.field.reduce(a * b)

    def matmul(self, a: Array, b: Array) -> Array:
        """Multiply matrices."""
        return self.field.matmul(a, b)

    def sum(self, x: Array, axis: int) -> Array:
        """Add up; what is reduced already stays, as most layers have one position."""
        if x.shape[axis] == 1:
            return x.squeeze(axis)
        return self.field.reduce(x.sum(axis=axis))

    def scale(self, x: Array, factor: Fraction) -> Array:
        """Multiply by the residue of the fraction."""
        return self.field.reduce(x * self.field.fraction(factor))

    def function(self, rule: Rule, z: Array, order: int = 0) -> Array:
        """Take the residue that the rule gives."""
        return rule.residues(self.field, z, order + 1)[order]

    def joined(self, parts: Sequence[Array], size: int) -> Array:
        """Concatenate."""
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True)
class Jets(Residues):
    """Jets over a prime field; the order k is read off the arrays' last axis, 2^k or 1."""

    def constant(self, x: Array) -> Array:
        """Return jets that end with their constant term."""
        return x[..., None]

    def add(self, *terms: Array) -> Array:
        """Add, constants to the constant terms only."""
        if len(terms) == 2 and terms[0].shape[-1] == terms[1].shape[-1]:
            return self.field.reduce(terms[0] + terms[1])
        size = max(term.shape[-1] for term in terms)
        longest = [term for term in terms if term.shape[-1] == size]
        total = longest[0] if len(longest) > 1 else longest[0].copy()
        for term in longest[1:]:
            total = total + term
        for term in terms:
            if term.shape[-1] < size:
                total = _added(total, term)
        return self.field.reduce(total)

    def multiply(self, a: Array, b: Array) -> Array:
        """Multiply: the coefficient at S is the sum over T ⊆ S of ``a_T b_{S∖T}``."""
        if a.shape[-1] == 1 or b.shape[-1] == 1:
            return self.field.reduce(a * b)
        return multiply(self.field, a, b)

    def matmul(self, a: Array, b: Array) -> Array:
        """Multiply matrices of jets: the coefficient at S is the sum over T ⊆ S of ``a_T @
        b_{S∖T}``.

        For small jets one plain product does it all: ``a`` as a matrix with columns (k, T) times
        the matrix with rows (k, T) and columns (n, S) that holds ``b_{S∖T}``. That takes 4^k
        products where 3^k would do, but one call instead of 3^k; larger jets are halved, ``(a_0 + ε
        a_1)(b_0 + ε b_1) = a_0 b_0 + ε (a_0 b_1 + a_1 b_0)``. Where one factor is constant, the
        axis of the other rides on its rows or columns.
        """
        if a.shape[-1] == 1:
            return self._constant_times(a[..., 0], b)
        if b.shape[-1] == 1:
            product = self._constant_times(b[..., 0].swapaxes(1, 2), a.swapaxes(1, 2))
            return product.swapaxes(1, 2)
        batch, inner, columns, size = b.shape
        if size > DIRECT:
            low, high = self.matmul(value(a), value(b)), self.matmul(value(a), derivative(b))
            return np.concatenate(
                [low, self.field.reduce(high + self.matmul(derivative(a), value(b)))], axis=-1
            )
        source, mask = _convolution(size, columns)
        right = b.reshape(batch, inner, columns * size).take(source, axis=2)
        right *= mask
        left = a.reshape(a.shape[0], a.shape[1], inner * size)
        product = self.field.matmul(left, right.reshape(batch, inner * size, columns * size))
        return product.reshape(*product.shape[:2], columns, size)

    def function(self, rule: Rule, z: Array, order: int = 0) -> Array:
        """Compose, one ε after another: ``σ(x + ε v) = σ(x) + ε σ'(x) v``."""
        depth = z.shape[-1].bit_length() - 1
        values = rule.residues(self.field, z[..., 0], order + depth + 1)[order:]
        jets = [each[..., None] for each in values]
        for k in range(depth):
            v = z[..., 1 << k : 2 << k]
            jets = [
                np.concatenate([low, multiply(self.field, slope, v)], axis=-1)
                for low, slope in pairwise(jets)
            ]
        return jets[0]

    def joined(self, parts: Sequence[Array], size: int) -> Array:
        """Concatenate; constants have zeros behind their first coefficient."""
        return np.concatenate([full(part, size) for part in parts], axis=1)

    def _constant_times(self, a: Array, b: Array) -> Array:
        batch, inner, columns, size = b.shape
        product = self.field.matmul(a, b.reshape(batch, inner, columns * size))
        return product.reshape(*product.shape[:2], columns, size)


def _added(total: Array, constant: Array) -> Array:
    shape = np.broadcast_shapes(total.shape[:-1], constant.shape[:-1])
    if total.shape[:-1] != shape:
        total = np.broadcast_to(total, (*shape, total.shape[-1])).copy()
    total[..., :1] += constant
    return total


def multiply(field: PrimeField, a: Array, b: Array) -> Array:
    """Return the product of jets (…, 2^k), entry by entry."""
    size = a.shape[-1]
    if size > WIDE:
        low, high = slice(size // 2), slice(size // 2, None)
        mixed = multiply(field, a[..., low], b[..., high]) + multiply(
            field, a[..., high], b[..., low]
        )
        return np.concatenate(
            [multiply(field, a[..., low], b[..., low]), field.reduce(mixed)], axis=-1
        )
    total = a[..., :1] * b
    for t in range(1, size):
        above, rest = _supersets(size, t)
        total[..., above] += a[..., t : t + 1] * b[..., rest]
    return field.reduce(total)


@cache
def _supersets(size: int, t: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the S ⊇ T, and S∖T for each."""
    s = np.arange(size)
    above = s[(s & t) == t]
    return above, above ^ t


@cache
def _convolution(size: int, columns: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return, for T and (column, S), the index (column, S∖T), and 1 where T ⊆ S, else 0."""
    t, s = np.ogrid[:size, :size]
    source = np.arange(columns)[:, None] * size + (s & ~t)[:, None, :]
    mask = np.broadcast_to(((s & t) == t)[:, None, :], source.shape)
    return source.reshape(size, -1).astype(np.intp), mask.reshape(size, -1).astype(np.float64)


def full(x: Array, size: int) -> Array:
    """Return a jet with all its coefficients; those of a constant are zeros behind the first."""
    if x.shape[-1] == size:
        return x
    filled = np.zeros((*x.shape[:-1], size))
    filled[..., :1] = x
    return filled


def lift(x: Values, v: Values) -> Values:
    """Return ``x + ε v`` for a new ε: (b, D, 2^k) and (b', D, 2^k) to (b', D, 2^{k+1})."""
    size = v.shape[-1]
    lifted: Values = np.empty((*v.shape[:-1], 2 * size), dtype=v.dtype)
    lifted[..., :size], lifted[..., size:] = x, v
    return lifted


def derivative(x: Values) -> Values:
    """Return the coefficient of the newest ε."""
    return x[..., x.shape[-1] // 2 :]


def value(x: Values) -> Values:
    """Return x with the newest ε set to 0."""
    return x[..., : x.shape[-1] // 2]


def ring(field: PrimeField, size: int) -> Residues:
    """Return the ring for jets of so many coefficients; those of one are plain residues."""
    return Residues(field) if size == 1 else Jets(field)
