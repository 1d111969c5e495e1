"""A certificate that the missing laws of some linear networks are no polynomials: powers of the
field modulo a prime.

A linear network from width 1 to width 1 has one function φ = U_1 ⋯ U_q and one field X = ∇φ, so it
has D − 1 laws near a generic point. Let f_1, …, f_N be its known laws, quadratic forms, and let p
be an odd prime such that

(a) the vectors X, X^p, X^{p²}, …, at some point modulo p, have rank D − N, where X^k is the k-th
    power of the derivation X (X^p is a derivation modulo p again);
(b) the N × N minors of the Jacobian matrix of f_1, …, f_N have no common factor modulo p.

Theorem. Then every polynomial law of degree below p with rational coefficients is a polynomial in
f_1, …, f_N.

Proof. Laws of degree d with integer coefficients form a saturated lattice, so its rank is the
dimension of its reduction modulo p; let h be an element of the reduction. From X h = 0 follows X^p
h = 0, and so on. Let K = F_p(θ), and L its subfield killed by X, X^p, …. By (b) the f_i are
p-independent, so ``[K : F_p(θ^p, f)] = p^{D−N}``. By (a), D − N derivations that are independent
over K vanish on L, so ``[K : L] ≥ p^{D−N}``. As L contains F_p(θ^p, f), they are equal, and h lies
in ``F_p(θ^p, f) ∩ F_p[θ]``. The ring ``R = F_p[θ^p, f] = F_p[y][T]/(T_i^p − f_i(y))`` is a complete
intersection, singular only where all the minors vanish at y, in codimension two at least by (b); so
R is normal (Serre's criterion), and contains every element of its field of fractions that is
integral over it, such as h. R is graded and θ_e^p has degree p, so h, of degree below p, is a
polynomial in the f_i. These are algebraically independent modulo p, hence there are as many
polynomials in them of degree d modulo p as over the rationals. ∎

Where (b) fails, (a) says less: modulo p, the gradient of every law with integer coefficients is a
combination of those of the f_i. A layer as wide as its two neighbours together is such a case: the
determinant of ``[U_i; U_{i+1}^T]`` is a law whose square is a polynomial in the f_i, and a common
factor of the minors.

Condition (b) is checked on a random line θ = u + t v. Each determinant of the Jacobian matrix times
a constant D × N matrix is a combination of the minors, so a common factor G of these, a form,
divides it. If two of them are coprime as polynomials in t, G(u + t v) is constant; if one of them
is not zero at v, neither is G, so G has degree 0.

    python tests/p_curvature.py 1,2,2,1 10007
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import isprime
from sympy.polys.domains import ZZ
from sympy.polys.galoistools import gf_add, gf_degree, gf_gcd, gf_mul, gf_mul_ground

from conslaw_cli.families.mlp import MLP

Residues = NDArray[np.int64]
Matrix = list[list[int]]
ATTEMPTS = 10
"""Points and lines that are tried: modulo a small prime, a few of them are special."""


def powers(widths: Sequence[int], start: Residues, count: int, p: int) -> Residues:
    """Return ``X^k θ`` at a point modulo p for k = 0, …, count, as a (count + 1, D) array.

    By Leibniz' rule, ``X^k(f g) = Σ_j C(k, j) X^j f · X^{k−j} g``, from ``X U_l = (U_1 ⋯ U_{l−1})^T
    (U_{l+1} ⋯ U_q)^T``.
    """
    shapes = list(pairwise(widths))
    weights = [np.zeros((count + 1, *shape), dtype=np.int64) for shape in shapes]
    for weight, part in zip(
        weights, np.split(start, np.cumsum([a * b for a, b in shapes])[:-1]), strict=True
    ):
        weight[0] = part.reshape(weight.shape[1:])
    left = [np.zeros((count + 1, n), dtype=np.int64) for n in widths[:-1]]
    right = [np.zeros((count + 1, n), dtype=np.int64) for n in widths[1:]]
    left[0][0] = right[-1][0] = 1
    binomials = np.ones(1, dtype=np.int64)
    for k in range(count):
        for i in range(1, len(left)):
            left[i][k] = _leibniz(
                "ja,jab->b", binomials, left[i - 1][: k + 1], weights[i - 1][k::-1], p
            )
        for i in range(len(right) - 2, -1, -1):
            right[i][k] = _leibniz(
                "ja,jba->b", binomials, right[i + 1][: k + 1], weights[i + 1][k::-1], p
            )
        for weight, before, behind in zip(weights, left, right, strict=True):
            weight[k + 1] = _leibniz("ja,jb->ab", binomials, before[: k + 1], behind[k::-1], p)
        binomials = (np.append(binomials, 0) + np.append(0, binomials)) % p
    return np.concatenate([weight.reshape(count + 1, -1) for weight in weights], axis=1)


def _leibniz(subscripts: str, binomials: Residues, f: Residues, g: Residues, p: int) -> Residues:
    scaled = (binomials * f.T % p).T
    result: Residues = np.einsum(subscripts, scaled, g) % p
    return result


def rank(rows: Matrix, p: int) -> int:
    """Return the rank modulo p."""
    rows = [list(row) for row in rows]
    found = 0
    while rows:
        row = rows.pop()
        column = next((i for i, x in enumerate(row) if x % p), None)
        if column is None:
            continue
        found += 1
        inverse = pow(row[column], -1, p)
        rows = [
            [(x - other[column] * inverse * y) % p for x, y in zip(other, row, strict=True)]
            for other in rows
        ]
    return found


def determinant(rows: Matrix, p: int) -> int:
    """Return the determinant modulo p."""
    rows, result = [list(row) for row in rows], 1
    for i in range(len(rows)):
        pivot = next((k for k in range(i, len(rows)) if rows[k][i] % p), None)
        if pivot is None:
            return 0
        if pivot != i:
            rows[i], rows[pivot], result = rows[pivot], rows[i], -result
        result = result * rows[i][i] % p
        inverse = pow(rows[i][i], -1, p)
        for k in range(i + 1, len(rows)):
            factor = rows[k][i] * inverse
            rows[k] = [(x - factor * y) % p for x, y in zip(rows[k], rows[i], strict=True)]
    return result % p


def jacobian(network: MLP, theta: Residues, p: int) -> Residues:
    """Return the gradients of the known laws modulo p, exact for p below 2^24."""
    laws = network.laws()
    return np.concatenate(list(laws.gradients(theta.astype(float), len(laws)))).astype(np.int64) % p


def no_common_factor(network: MLP, p: int, rng: np.random.Generator) -> bool:
    """Whether one of some random lines shows that the minors of the Jacobian matrix have no common
    factor.
    """
    return any(_coprime_on_a_line(network, p, rng) for _ in range(ATTEMPTS))


def _coprime_on_a_line(network: MLP, p: int, rng: np.random.Generator) -> bool:
    size, laws = network.parameters, len(network.laws())
    u, v = (rng.integers(p, size=size) for _ in range(2))
    mixed = [rng.integers(p, size=(size, laws)) for _ in range(2)]
    if not determinant((jacobian(network, v, p) @ mixed[0] % p).tolist(), p):
        return False
    points = [(t, jacobian(network, (u + t * v) % p, p)) for t in range(laws + 1)]
    first, second = ([(t, determinant((j @ m % p).tolist(), p)) for t, j in points] for m in mixed)
    return bool(gf_degree(gf_gcd(interpolated(first, p), interpolated(second, p), p, ZZ)) == 0)


def interpolated(values: Sequence[tuple[int, int]], p: int) -> Any:
    """Return the polynomial modulo p with these values, by Lagrange's formula."""
    total: Any = []
    for t, y in values:
        basis: Any = [1]
        for s, _ in values:
            if s != t:
                basis = gf_mul_ground(gf_mul(basis, [1, -s % p], p, ZZ), pow(t - s, -1, p), p, ZZ)
        total = gf_add(total, gf_mul_ground(basis, y, p, ZZ), p, ZZ)
    return total


def certificate(widths: Sequence[int], p: int, seed: int = 0) -> tuple[bool, bool]:
    """Whether (a) and whether (b) hold, at random points; the theorem applies if both do.

    Raise ValueError if the network is not scalar and linear or p no prime between its number of
    known laws and 2^20.
    """
    network, rng = MLP(tuple(widths), "linear"), np.random.default_rng(seed)
    laws, theta = len(network.laws()), rng.integers(p, size=network.parameters)
    if network.widths[0] * network.widths[-1] != 1:
        raise ValueError(f"expected widths from 1 to 1, got {list(widths)}")
    if not (isprime(p) and laws < p < 2**20):
        raise ValueError(f"expected a prime between {laws} and 2^20, got {p}")
    dimension = network.parameters - rank(jacobian(network, theta, p).tolist(), p)
    independent = any(
        rank([found[p**k].tolist() for k in range(dimension)], p) == dimension
        for found in (
            powers(widths, rng.integers(p, size=len(theta)), p ** (dimension - 1), p)
            for _ in range(ATTEMPTS)
        )
    )
    return independent, dimension == network.parameters - laws and no_common_factor(network, p, rng)


if __name__ == "__main__":
    chain, prime = [int(n) for n in sys.argv[1].split(",")], int(sys.argv[2])
    powers_hold, minors_hold = certificate(chain, prime)
    print(f"widths {sys.argv[1]}, p = {prime}: (a) {powers_hold}, (b) {minors_hold}")
