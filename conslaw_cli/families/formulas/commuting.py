"""Whether all brackets of a space of vector fields vanish.

For gradients of a φ this decides whether gradient flow is a mirror flow (Z. Li, T. Wang, J. D. Lee,
S. Arora, Implicit bias of gradient descent on reparametrized models: on equivalence to mirror
descent, NeurIPS 2022): it is stronger than that brackets stay in the span of the fields.

A bracket of two random elements of the space that is not zero at one point modulo a prime is not
zero. Where it is zero at several, the fields commute but for a small probability: each entry of the
bracket, as a polynomial in the point and the coefficients of the elements, has twice the degree of
a field's, and is missed with the probabilities of lie/trials.py.
"""

from __future__ import annotations

from math import ceil, log2

import numpy as np

from conslaw_cli.algebra.field import PRIMES_IN_RANGE, SMALLEST_PRIME, PrimeField
from conslaw_cli.flows import VectorFields

SURE = 60
"""Minus the logarithm to the base 2 of the probability of an error."""
MOST = 100
"""Points at most; beyond it is not said."""


def commuting(fields: VectorFields, seed: int = 0) -> bool | None:
    """Return whether the fields commute; None where that would take too many points."""
    rng = np.random.default_rng(seed)
    points = _points(fields)
    for _ in range(min(points, MOST)):
        field = PrimeField(fields.prime(rng))
        there, theta = fields.at(field, rng)
        probes = there.sample(field, rng, 2)
        values = there.evaluate(field, theta, probes)[..., :1]
        along = np.concatenate([np.repeat(theta, 2, axis=0), values[::-1]], axis=2)
        slopes = there.evaluate(field, along, probes)[..., 1]
        if (field.reduce(slopes[0] - slopes[1]) != 0).any():
            return False
    return True if points <= MOST else None


def _points(fields: VectorFields) -> int:
    """Return at how many points a bracket is to vanish."""
    in_theta, in_probe = fields.degree()
    bits = 2 * max(1.0, fields.bits()) + log2(4 * max(1, in_theta))
    degree = 2 * (in_theta + in_probe)
    miss = bits / log2(SMALLEST_PRIME) / PRIMES_IN_RANGE + degree / SMALLEST_PRIME
    return ceil(SURE / -log2(miss)) if miss < 1 else MOST + 1
