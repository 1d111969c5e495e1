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
    values = dict(zip(symbols, (sympy.Rational(x) for x in point), strict=True))
    scope = dict(zip(names, symbols, strict=True))
    maps = [sympy.sympify(text, locals=scope, rational=True) for text in components]
    first = [tuple(sympy.diff(phi, symbol) for symbol in symbols) for phi in maps]
    span, level, dimensions = _independent(first, values), first, list[int]()
    while not dimensions or len(span) > dimensions[-1]:
        dimensions.append(len(span))
        level = [_bracket(a, b, symbols) for a in first for b in level]
        span = _independent([*span, *level], values)
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


def _independent(
    fields: Sequence[Field], values: dict[sympy.Symbol, sympy.Rational]
) -> list[Field]:
    """Return fields whose values are independent and span those of all (Gram-Schmidt)."""
    kept, basis = list[Field](), list[list[mpmath.mpf]]()
    with mpmath.workdps(DIGITS):
        for field in fields:
            vector = [_number(entry, values) for entry in field]
            size = _norm(vector)
            for other in basis * 2:
                along = mpmath.fdot(vector, other)
                vector = [x - along * y for x, y in zip(vector, other, strict=True)]
            rest = _norm(vector)
            if size > ZERO and rest > ZERO * size:
                basis.append([x / rest for x in vector])
                kept.append(field)
    return kept


def _number(entry: sympy.Expr, values: dict[sympy.Symbol, sympy.Rational]) -> mpmath.mpf:
    value = sympy.N(entry, DIGITS, subs=values, strict=False)
    if not value.is_real:
        raise UndefinedError
    return mpmath.mpf(sympy.Float(value, DIGITS)._mpf_)


def _norm(vector: Sequence[mpmath.mpf]) -> mpmath.mpf:
    return mpmath.sqrt(mpmath.fdot(vector, vector))
