"""Products of Darboux polynomials that are laws.

These are the p that divide their derivatives along all fields; the quotients ``K_χ = χ(p)/p`` are
their cofactors. Numerator and denominator of a law in lowest terms are Darboux polynomials, as are
their factors, so integers e with ``Σ e_i K_{i,χ} = 0`` for all fields give the laws ``Π p_i^{e_i}``
(for one field in the plane: A. Bostan, G. Chèze, T. Cluzeau, J.-A. Weil, Efficient algorithms for
computing rational first integrals and Darboux polynomials of planar polynomial vector fields,
Mathematics of Computation 85, 2016, arXiv 1310.2778).

A Darboux polynomial vanishes on the leaves of its zeros. Over a small prime p one point in p is
such a zero, and on its leaf vanishes one polynomial more than on others (leaves.py). Two zeros have
it in common; where its coefficients are small fractions they are found. All polynomials that have
its cofactors are then the kernel of a linear map over Q.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from flint import fmpq

from conslaw_cli.algebra.expansion import Polynomial
from conslaw_cli.algebra.kernel import rank_and_kernel
from conslaw_cli.laws.leaves import SURPLUS, Exponents, Residues, bases, echelon
from conslaw_cli.laws.ring import MAX_WORK, Product, Ring, lifted, whole

MAX_EXPONENT = 2**20
"""Exponents from which those of a law are left out."""
SMALL_PRIME = 1009
HITS = 6
"""Zeros of a Darboux polynomial that are expected among the points, at least."""
MAX_SPECIAL = 60
"""Of these the first are looked at."""
PART = 512
"""Points at a time."""


def products(ring: Ring, degree: int, rng: np.random.Generator) -> Iterator[Product]:
    """Yield a basis of the products of Darboux polynomials that are laws."""
    found = _darboux(ring, degree, rng)
    rows = defaultdict[Any, dict[int, fmpq]](dict)
    for i, (_, cofactors) in enumerate(found):
        for number, k in enumerate(cofactors):
            for exponents, c in k.to_dict().items():
                rows[number, exponents][i] = c
    _, kernel = rank_and_kernel(map(whole, rows.values()), len(found), MAX_EXPONENT)
    for vector in kernel:
        yield [(found[i][0], e) for i, e in vector.items()]


_Darboux = tuple[Polynomial, Sequence[Polynomial]]
"""A Darboux polynomial and its cofactors."""


def _darboux(ring: Ring, degree: int, rng: np.random.Generator) -> list[_Darboux]:
    """Return Darboux polynomials up to a degree, simple ones first: for each family of cofactors
    that turns up a basis of those that have it.
    """
    p, found, seen = ring.prime(SMALL_PRIME), list[_Darboux](), list[Sequence[Polynomial]]()
    for d in range(1, degree + 1):
        wanted = ring.monomials(d)
        work = HITS * p * (len(wanted) + SURPLUS) * len(wanted) ** 2
        if work > MAX_WORK or len(wanted) + SURPLUS >= p:
            break
        for terms in _common(ring, wanted, p, rng):
            cofactors = ring.cofactors(ring.polynomial(terms))
            if cofactors is not None and cofactors not in seen:
                seen.append(cofactors)
        found = [(each, k) for k in seen for each in ring.having(k, wanted)]
    return sorted(found, key=lambda each: (each[0].total_degree(), len(each[0])))


def _common(
    ring: Ring, wanted: Sequence[Exponents], p: int, rng: np.random.Generator
) -> Iterator[dict[Exponents, int]]:
    """Yield polynomials with small coefficients that vanish on two leaves each, of those on which
    more vanish than on most.
    """
    special = list[Residues]()
    for _ in range(0, HITS * p, PART):
        every = bases(ring.sparse, wanted, ring.points(PART, p, rng), p, rng, below=True)
        least = every.rank.max()
        special += (every.rows[i, :least] for i in np.flatnonzero(every.rank < least))
    pairs = list(combinations(special[:MAX_SPECIAL], 2))
    for start in range(0, len(pairs), PART):
        both = echelon(np.array([np.concatenate(each) for each in pairs[start : start + PART]]), p)
        for i, lead in np.argwhere(both.pivots < 0).tolist():
            below = {wanted[m]: -c % p for m, c in both.element(i, lead).items()}
            if (terms := lifted({**below, wanted[lead]: 1}, p)) is not None:
                yield terms
