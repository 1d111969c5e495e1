"""Real constants made of radicals: their signs, decided exactly, and roots that are no new numbers.

Zero or not. Let h be the absolute logarithmic height (Waldschmidt, *Diophantine Approximation on
Linear Algebraic Groups*, chapter 3): ``h(αβ) ≤ h(α) + h(β)``, ``h(α^e) = |e| h(α)``,
``h(α_1 + … + α_n) ≤ h(α_1) + … + h(α_n) + log n``, ``h(a/b) = log max(|a|, |b|)``. A nonzero number
α of a field of degree d has ``log |α| ≥ −d h(α)`` (Liouville). So a sum that is smaller than that
in ball arithmetic is zero, and one that is not becomes distinguishable from zero at the latest with
that many bits. d is at most the product of the orders of the roots that occur.

Roots. ``√(3 + 2√2)`` is ``1 + √2``: a root of a sum may lie in the field of the roots around it. If
so it is a rational combination of products of these; lattice reduction finds it from its digits,
and it is taken only if the difference of the powers is zero as above.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import ceil, lcm, log2, prod

from flint import arb, ctx, fmpq, fmpz_mat

from conslaw_cli.families.formulas.terms import Factors, LimitError, Prime, Sum, Term

MAX_PRECISION = 1 << 17
"""Bits to which a constant is computed to tell it from zero."""
HOPELESS = 1 << 13
"""The same where MAX_PRECISION would not do for a zero."""
MAX_DEGREE = 32
"""Degree of the fields in which roots of sums are looked for."""
DIGITS = 24
"""Bits of precision for each coefficient of such a combination: larger ones are not looked for."""

Roots = dict[int, int]
"""Bases of roots, with the orders of these."""


class Constants:
    """The constants among the bases of a graph under construction, by their indices."""

    def __init__(self) -> None:
        self._bases = dict[int, Prime | Sum]()
        self._heights = dict[int, float]()
        self._roots = dict[int, Roots]()

    def __contains__(self, index: int) -> bool:
        return index in self._bases

    def add(self, index: int, base: Prime | Sum) -> None:
        """Take note of a base that is a prime number or a sum of terms of constants."""
        self._bases[index] = base
        if isinstance(base, Prime):
            self._heights[index], self._roots[index] = log2(base.value), {}
        else:
            self._heights[index], self._roots[index] = (
                self._height(base.terms),
                self.roots(base.terms),
            )

    def split(self, factors: Factors) -> tuple[Factors, Factors]:
        """Return the factors that are constants, and the others."""
        ours = tuple(factor for factor in factors if factor[0] in self._bases)
        return ours, tuple(factor for factor in factors if factor not in ours)

    def roots(self, terms: Iterable[Term]) -> Roots:
        """Return the roots that occur in terms, and in their bases."""
        found = Roots()
        for i, e in (factor for term in terms for factor in term.factors):
            below = self._roots[i] | ({i: e.denominator} if e.denominator > 1 else {})
            for j, order in below.items():
                found[j] = lcm(found.get(j, 1), order)
        return found

    def sign(self, terms: Sequence[Term]) -> tuple[int, arb]:
        """Return the sign of a sum of constants, and its value, which is a ball without 0 if it is
        not 0.

        Raise LimitError where it is too small for that.
        """
        bits = prod(self.roots(terms).values()) * self._height(terms) + 1
        most = bits if bits <= MAX_PRECISION else HOPELESS
        precision = 128
        while precision < 4 * (most + 128):  # numbers are below 2^most, and rounded
            value = self._sum(terms, precision)
            if value > 0 or value < 0:
                return (1 if value > 0 else -1), value
            if abs(value) < arb(2) ** -ceil(bits):
                return 0, arb(0)
            precision *= 2
        raise LimitError(
            f"a constant that is 0 up to {precision // 2:,} bits, and may be 0 or not: expected"
            " fewer roots of constants"
        )

    def _height(self, terms: Iterable[Term]) -> float:
        heights = [
            log2(max(map(abs, term.coefficient.as_integer_ratio())))
            + sum(float(abs(e)) * self._heights[i] for i, e in term.factors)
            for term in terms
        ]
        return sum(heights) + log2(len(heights))

    def root(self, index: int, order: int, around: Roots, times: Factors = ()) -> list[Term] | None:
        """Return the root of a base as a combination of products of roots around it, all of them
        times the same factors; None if none was found.
        """
        exponents = [
            [(i, Fraction(e, root)) for e in range(root)] for i, root in sorted(around.items())
        ]
        if prod(map(len, exponents)) > MAX_DEGREE:
            return None
        basis = [_multiplied(each, times) for each in product(*exponents)]
        wanted = Term(Fraction(-1), ((index, Fraction(1, order)),))
        bits = DIGITS * (len(basis) + 2)
        sums = [[wanted], *([Term(Fraction(1), factors)] for factors in basis)]
        first, *others = _relation([self._scaled(each, bits) for each in sums])
        terms = [Term(Fraction(n, first or 1), f) for n, f in zip(others, basis, strict=True) if n]
        return terms if first and terms and not self.sign([wanted, *terms])[0] else None

    def _scaled(self, terms: Iterable[Term], bits: int) -> int:
        """Return the integer part of a sum times a power of 2."""
        with ctx.workprec(2 * bits):
            digits = (self._total(terms, {}) * arb(2) ** bits).mid().floor().unique_fmpz()
        assert digits is not None  # a midpoint is one number
        return int(digits)

    def _sum(self, terms: Iterable[Term], precision: int) -> arb:
        with ctx.workprec(precision):
            return self._total(terms, {})

    def _total(self, terms: Iterable[Term], values: dict[int, arb]) -> arb:
        """Add up terms; values of bases are looked up, and kept."""
        total = arb(0)
        for term in terms:
            for i, _ in term.factors:
                if i not in values:
                    values[i] = self._value(self._bases[i], values)
            total += ball(term.coefficient) * power_product(term.factors, values)
        return total

    def _value(self, base: Prime | Sum, values: dict[int, arb]) -> arb:
        if isinstance(base, Prime):
            return arb(base.value)
        value, precision = self._total(base.terms, values), ctx.prec
        while not value > 0:  # it is, and small
            precision *= 2
            value = self._sum(base.terms, precision)
        return value


def ball(number: Fraction) -> arb:
    """Return a ball around a rational number."""
    return arb(fmpq(number.numerator, number.denominator))


def power_product(factors: Factors, values: Mapping[int, arb] | Sequence[arb]) -> arb:
    """Return a product of powers of positive numbers."""
    product = arb(1)
    for i, e in factors:
        root = values[i] if e.denominator == 1 else values[i].root(e.denominator)
        product *= root**e.numerator
    return product


def _multiplied(factors: Factors, times: Factors) -> Factors:
    total = dict(times)
    for i, e in factors:
        total[i] = total.get(i, Fraction(0)) + e
    return tuple(sorted((i, e) for i, e in total.items() if e))


def _relation(numbers: Sequence[int]) -> list[int]:
    """Return small integers whose combination of the numbers is small: a short vector of a
    lattice.
    """
    lattice = fmpz_mat(len(numbers), len(numbers) + 1)
    for i, number in enumerate(numbers):
        lattice[i, i] = 1
        lattice[i, len(numbers)] = number
    return [int(x) for x in lattice.lll().table()[0][:-1]]
