"""Sums, products and powers as text, in TeX and in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Summand = tuple[int, Sequence[str]]
"""An integer and formulas by which it is multiplied."""


class Notation(NamedTuple):
    """How formulas are written. between: a number and what it is multiplied by."""

    minus: str
    between: str
    times: str
    exponent: Callable[[int], str]

    def power(self, base: str, exponent: int) -> str:
        """Return a power; of exponent 1 the base."""
        return base if exponent == 1 else base + self.exponent(exponent)

    def monomial(self, factors: Sequence[int], names: Sequence[str]) -> list[str]:
        """Return the powers of a monomial, given by indices with repetitions."""
        return [self.power(names[e], factors.count(e)) for e in dict.fromkeys(factors)]

    def product(self, number: int, factors: Sequence[str]) -> str:
        """Return the absolute value of a number, if it is not 1, times formulas."""
        size = [str(abs(number))] if abs(number) != 1 or not factors else []
        rest = [self.times.join(factors)] if factors else []
        return self.between.join([*size, *rest])

    def sum(self, summands: Iterable[Summand]) -> str:
        """Return a sum of at least one."""
        (first, *rest) = ((number < 0, self.product(number, each)) for number, each in summands)
        return self.minus * first[0] + "".join(
            [first[1], *(f" {self.minus if less else '+'} {text}" for less, text in rest)]
        )


TEXT = Notation("−", "·", "·", lambda exponent: str(exponent).translate(_RAISED))
TEX = Notation("-", r" \, ", " ", "^{{{}}}".format)
CODE = Notation("-", "*", "*", "**{}".format)
