"""The trace of a generated Lie algebra at a point, from covectors carried along curves of fields.

Brackets of n fields take jets of order n − 1, 2^{n−1} numbers a coordinate; where the trace is
long, as for linear 1-n-n-2, that is too many. Along a curve ``θ' = X_{a(t)}(θ)``, a(t) a power
series, let covectors move by ``λ' = −DX_{a(t)}(θ)ᵀ λ``. Then ``d/dt ⟨λ, Z(θ)⟩ = ⟨λ, [Z, X_{a(t)}]
(θ)⟩`` for any field Z, so the coefficients of ``⟨λ(t), X_b(θ(t))⟩`` are values of ``⟨λ_0, ·⟩`` at
elements of Lie(W)(θ_0), brackets of up to k + 1 fields at order k; and over all curves and b these
span it (docs/theory.md, section 18). The cost grows with k², not 2^k.

As many covectors are drawn as the trace may have dimensions, and one more: they fold its elements
to so many numbers, which can only lose rank. They are the same for all curves, so the rank of all
coefficients together is a lower bound of dim Lie(W)(θ_0), a proof at any θ_0. That further curves
add nothing proves nothing: there is no upper bound here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conslaw_cli.algebra.field import Array, PrimeField, Span
from conslaw_cli.algebra.series import Series
from conslaw_cli.flows import Transporting

SHORTEST = 12
"""Coefficients of the first curves."""
READ = 64
"""Fields that are evaluated along a curve, at most."""
CHUNK_BYTES = 1 << 27
"""Series held at once, roughly."""
FEWEST = 8
"""Covectors that are carried at once, at least."""


def transported(
    fields: Transporting,
    field: PrimeField,
    theta: Array,
    rng: np.random.Generator,
    enough: int,
    covectors: Array | None = None,
) -> Span:
    """Return the span of coefficients along random curves from a point θ (1, n, 1): its rank, a
    proved lower bound of the dimension of the trace there, reaches ``enough``, or a curve of twice
    as many coefficients as the one before adds nothing.

    Short curves are cheap, but only so many of them are independent: where a curve gains less than
    half of its coefficients, the next one has twice as many, unless all that twice as many gained
    last may come from the first coefficients, the fields themselves.

    covectors: (n, m); by default random ones, one more than ``enough``, so that it shows if that is
    no upper bound.
    """
    if covectors is None:
        covectors = field.random(rng, (fields.dimension, min(fields.dimension, enough + 1)))
    start = _Start(fields, field, theta)
    span, length, longer = Span(field), SHORTEST, False
    while span.rank < enough and length < field.p:
        rows = start.curve(rng, covectors, length, enough - span.rank)
        gained = span.add(rows)
        if longer and not gained:
            break
        more = not longer or gained > len(rows) // length
        if longer := 2 * gained < len(rows):
            length *= 1 + more
    return span


def evaluations(enough: int, image: int, level: int) -> float:
    """Estimate how many evaluations of a field cost as much as transport, from an upper bound of
    the rank, dim W_0(θ) and the most fields less one that brackets combine.

    A product of series of length K takes K²/2 steps. Carrying a covector takes twice as many
    products as an evaluation, and pairing it with a field a third.
    """
    length = SHORTEST
    while length < level:
        length *= 2
    read = max(1, min(READ, -(-enough // length), image - 1))
    curves = -(-enough // (length * read))
    return curves * (enough + 1) * length**2 / 2 * (2 + read / 3)


@dataclass(frozen=True, slots=True)
class _Start:
    """Fields, and where curves begin."""

    fields: Transporting
    field: PrimeField
    theta: Array

    def curve(self, rng: np.random.Generator, covectors: Array, length: int, wanted: int) -> Array:
        """Return the coefficients (·, m) that one random curve gives, so many as are wanted if it
        can.
        """
        read = self._read(rng, min(READ, -(-wanted // length)))
        probes = [self.fields.sample(self.field, rng, 1) for _ in range(length)]
        part = max(FEWEST, CHUNK_BYTES // (4 * length * self.fields.held))
        pieces = [covectors[:, i : i + part] for i in range(0, covectors.shape[1], part)]
        return np.concatenate([self._carried(each, probes, read) for each in pieces], axis=1)

    def _read(self, rng: np.random.Generator, count: int) -> Array:
        """Draw the fields that are evaluated along a curve. If these are all, one is left out:
        ``Y_a' = Y_{a'}`` (docs/theory.md) makes its coefficients known but for the first.
        """
        drawn = self.fields.sample(self.field, rng, count + 1)
        rank = self.field.rank(self.fields.evaluate(self.field, self.theta, drawn)[..., 0])
        return drawn[: max(1, min(count, rank - 1))]

    def _carried(self, covectors: Array, probes: Sequence[Array], read: Array) -> Array:
        """Return the coefficients of ``⟨λ, X_b⟩`` along one curve, for all b and λ."""
        moving, reading, paired = (Series(self.field, len(probes)) for _ in range(3))
        state, b, rows = np.concatenate([self.theta, covectors[None]], axis=2), read, []
        for probe in probes:
            values = self.fields.carried(reading, state[..., :1], b)
            rows.append(paired.matmul(values[None, ..., 0, None], state[..., 1:, None])[0, ..., 0])
            state = moving.integral(self.fields.carried(moving, state, probe))
            moving, reading, paired, b = *map(Series.next, (moving, reading, paired)), 0 * read
        return np.concatenate(rows)
