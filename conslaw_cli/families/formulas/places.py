"""Primes, and residues of real constants modulo them: degree-one places of the constants' field.

A constant with a root of order B (terms.py) is a residue x modulo p. Let n be the largest divisor
of p − 1 that is prime to B. If x lies in the group of order n, which is prime to B, it has exactly
one B-th root there; for even B the negative of that is a root as well. A place is a prime and a
sign for every even root of a constant such that all these roots exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from math import gcd

import numpy as np
from flint import fmpz
from numpy.typing import NDArray

from conslaw_cli.algebra.field import LARGEST_PRIME, SMALLEST_PRIME
from conslaw_cli.families.formulas.terms import Graph, Prime, Sum, Term

Residues = NDArray[np.int64]
"""One residue for each of many primes, or numbers that go with these."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Many places: their primes, and the signs of the roots of each base that has even ones."""

    primes: Residues
    signs: Mapping[int, Residues]
    _values: Mapping[int, Residues]

    def __len__(self) -> int:
        return len(self.primes)

    def signs_at(self, place: int) -> dict[int, int]:
        """Return the signs of one place."""
        return {base: int(signs[place]) for base, signs in self.signs.items()}

    def classes(self, base: int, q: int) -> Residues:
        """Return the classes of a base modulo q-th powers, 0 where it vanishes; q divides all
        p − 1.
        """
        return powers(self._values[base], (self.primes - 1) // q, self.primes)


def constant_bases(graph: Graph) -> list[int]:
    """Return the bases that are constants."""
    return [i for i, support in enumerate(graph.supports()) if not support]


def constant_places(
    graph: Graph, roots: Mapping[int, int], primes: Residues, last: int | None = None
) -> Places:
    """Return all places over the primes.

    roots: the bases that must not be 0, with the common orders of their roots (1 for none).
    last: the last sum that is of interest; later ones may have other roots.
    """
    found = _Search(primes)
    for i in constant_bases(graph):
        base = graph.bases[i]
        if last is not None and i > last and isinstance(base, Sum):
            continue
        if isinstance(base, Prime):
            found.values[i] = residues(base.value, found.primes)
        elif isinstance(base, Sum):
            found.values[i] = found.total(base.terms, roots)
        if i in roots:
            found.adjoin(i, roots[i])
    return Places(found.primes, found.signs, found.values)


class _Search:
    """The places over some primes, while roots are adjoined one after another."""

    def __init__(self, primes: Residues) -> None:
        self.primes = primes
        self.values, self.roots, self.signs = (dict[int, Residues]() for _ in range(3))

    def total(self, terms: Iterable[Term], roots: Mapping[int, int]) -> Residues:
        """Return the residues of a sum of terms with integer coefficients."""
        total = np.zeros_like(self.primes)
        for term in terms:
            part = residues(int(term.coefficient), self.primes)
            for i, e in term.factors:
                base = self.roots[i] if e.denominator > 1 else self.values[i]
                whole = int(e * roots[i]) if e.denominator > 1 else int(e)
                part = part * powers(base, whole % (self.primes - 1), self.primes) % self.primes
            total = (total + part) % self.primes
        return total

    def adjoin(self, base: int, order: int) -> None:
        """Keep the places where a base is not 0 and has roots of an order; choose these."""
        x = self.values[base]
        if order == 1:
            self._keep(np.flatnonzero(x))
            return
        group = orders(self.primes, order)
        kept = np.flatnonzero(powers(x, group, self.primes) == 1)
        self._keep(kept)
        exponents = _inverses(order, group[kept])
        self.roots[base] = powers(self.values[base], exponents, self.primes)
        if order % 2 == 0:
            count = len(self.primes)
            self._keep(np.tile(np.arange(count), 2))
            self.signs[base] = np.repeat(np.array([1, -1]), count)
            self.roots[base] = self.signs[base] * self.roots[base] % self.primes

    def _keep(self, places: NDArray[np.intp]) -> None:
        self.primes = self.primes[places]
        for table in (self.values, self.roots, self.signs):
            for base in table:
                table[base] = table[base][places]


def orders(primes: Residues, root: int) -> Residues:
    """Return the largest divisors of p − 1 that are prime to ``root``."""
    found = primes - 1
    for q in prime_divisors(root):
        while (divisible := found % q == 0).any():
            found = np.where(divisible, found // q, found)
    return found


def _inverses(root: int, moduli: Residues) -> Residues:
    """Return the inverses of a number modulo numbers that are prime to it."""
    # k · modulus ≡ −1 modulo root makes (k · modulus + 1) / root one; k depends on modulus % root.
    table = [-pow(r, -1, root) % root if gcd(r, root) == 1 else 0 for r in range(root)]
    return (np.array(table, dtype=np.int64)[moduli % root] * moduli + 1) // root % moduli


def residues(number: int, moduli: Residues) -> Residues:
    """Return the residues of an integer of any size modulo many primes below 2^31."""
    total = np.zeros_like(moduli)
    for start in reversed(range(0, abs(number).bit_length(), 30)):
        total = ((total << 30) + (abs(number) >> start) % (1 << 30)) % moduli
    return total if number >= 0 else -total % moduli


def powers(x: Residues, exponents: Residues, moduli: Residues) -> Residues:
    """Return ``x^exponents`` modulo many primes below 2^31."""
    result, x = np.ones_like(x), x % moduli
    while exponents.any():
        result = np.where(exponents & 1, result * x % moduli, result)
        x, exponents = x * x % moduli, exponents >> 1
    return result


@cache
def all_primes() -> Residues:
    """Return the primes between SMALLEST_PRIME and LARGEST_PRIME."""
    odd = np.ones(LARGEST_PRIME // 2, dtype=np.bool_)
    for i in range(3, int(LARGEST_PRIME**0.5) + 1, 2):
        if odd[i // 2]:
            odd[i * i // 2 :: i] = False
    primes = 2 * np.flatnonzero(odd).astype(np.int64) + 1
    return primes[primes > SMALLEST_PRIME]


@lru_cache(maxsize=64)
def admissible(orders: tuple[int, ...], squares: tuple[int, ...]) -> Residues:
    """Return the primes p where ``squares`` are squares, with p − 1 prime to the odd orders and no
    multiple of 4 if 2 is one.
    """
    primes = all_primes()
    for order in orders:
        primes = primes[primes % 4 == 3] if order == 2 else primes[primes % order != 1]
    for square in squares:
        primes = primes[powers(residues(square, primes), (primes - 1) // 2, primes) == 1]
    return primes


def prime_divisors(number: int) -> list[int]:
    """Return the prime divisors of a positive number."""
    return [int(prime) for prime, _ in fmpz(number).factor()]
