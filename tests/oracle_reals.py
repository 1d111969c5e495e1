"""A slow, independent oracle for maps with roots: sympy reads them, differentiates and brackets
symbolically, and ranks are taken numerically, at one real point, to many digits.
"""

from __future__ import annotations

from collections.abc import Sequence

import mpmath
import sympy

DIGITS = 80
"""Decimal digits of all numbers."""
ZERO = mpmath.mpf(10) ** -40
"""Numbers below this, relative to the largest, are taken for zero."""

Field = tuple[sympy.Expr, ...]


class UndefinedError(Exception):
    """The map is not real at the point."""


def ranks(components: Sequence[str], names: Sequence[str], point: Sequence[str]) -> tuple[int, ...]:
    """Return the dimensions of W_0(θ), W_1(θ), … (Prop. 3.1) of the gradients of a map, until they
    stop.
    """
    symbols = sympy.symbols(list(names), real=True)
    scope = dict(zip(names, symbols, strict=True))
    maps = [sympy.sympify(text, locals=scope, rational=True) for text in components]
    first = [tuple(sympy.diff(phi, symbol) for symbol in symbols) for phi in maps]
    with mpmath.workdps(DIGITS):
        rationals = [sympy.Rational(x) for x in point]
        at = Point({s: _rational(x) for s, x in zip(symbols, rationals, strict=True)})
        level, dimensions = first, list[int]()
        grown = at.add(first)
        while not dimensions or grown:
            dimensions.append(len(at.basis))
            level = [_bracket(a, b, symbols) for a in first for b in level]
            grown = at.add(level)
    return tuple(dimensions)


def _bracket(a: Field, b: Field, symbols: Sequence[sympy.Symbol]) -> Field:
    return tuple(
        sympy.Add(
            *(
                a[j] * sympy.diff(b[i], x) - b[j] * sympy.diff(a[i], x)
                for j, x in enumerate(symbols)
            )
        )
        for i in range(len(symbols))
    )


class Point:
    """Where fields are evaluated, to all digits; basis: an orthonormal one of their values."""

    def __init__(self, values: dict[sympy.Expr, mpmath.mpf]) -> None:
        self.values, self.basis = values, list[list[mpmath.mpf]]()

    def add(self, fields: Sequence[Field]) -> bool:
        """Take in the values of fields (Gram-Schmidt); return whether some are new."""
        before = len(self.basis)
        for field in fields:
            vector = [self.number(entry) for entry in field]
            size = _norm(vector)
            for other in self.basis * 2:
                along = mpmath.fdot(vector, other)
                vector = [x - along * y for x, y in zip(vector, other, strict=True)]
            rest = _norm(vector)
            if size > ZERO and rest > ZERO * size:
                self.basis.append([x / rest for x in vector])
        return len(self.basis) > before

    def number(self, entry: sympy.Expr) -> mpmath.mpf:
        try:
            value = mpmath.mpmathify(self.of(entry))
        except ZeroDivisionError:
            raise UndefinedError from None
        if abs(value.imag) > ZERO:
            raise UndefinedError
        return value.real

    def of(self, node: sympy.Expr) -> mpmath.mpf | mpmath.mpc:
        """Return the value of an expression, each part of which is evaluated once."""
        if node not in self.values:
            self.values[node] = self._made(node)
        return self.values[node]

    def _made(self, node: sympy.Expr) -> mpmath.mpf | mpmath.mpc:
        if isinstance(node, sympy.Rational):
            return _rational(node)
        if not node.args:
            return sympy.N(node, DIGITS)
        parts = [self.of(each) for each in node.args]
        if isinstance(node, sympy.Add):
            return mpmath.fsum(parts)
        if isinstance(node, sympy.Mul):
            return mpmath.fprod(parts)
        if isinstance(node, sympy.Pow):
            return mpmath.power(*parts)
        name = type(node).__name__
        return getattr(mpmath, {"Abs": "fabs"}.get(name, name))(*parts)


def _rational(x: sympy.Rational) -> mpmath.mpf:
    return mpmath.mpf(int(x.p)) / int(x.q)


def _norm(vector: Sequence[mpmath.mpf]) -> mpmath.mpf:
    return mpmath.sqrt(mpmath.fdot(vector, vector))
