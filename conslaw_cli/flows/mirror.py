"""Mirror flows, ``θ' = −M(θ) ∇L(θ)`` with M diagonal: a metric and a rate for every array of
parameters (metrics.py).

The fields are ``M ∇F``, in coordinates x in which they are rational. There is no drift: the state
is θ.

Known laws. Where generators of invariances of φ, ``ξ(θ)`` with ``⟨ξ, ∇F⟩ = 0``, are such that
``M^-1 ξ`` is a gradient ∇h, h is a law. For the scaling of one unit of a space it is, whatever the
metrics: ``Σ_in Y − Σ_out Y`` with Y of metrics.py. For a mixing of two units, ``ξ_i = S_ij θ_j``,
it is so only where all arrays of the space have a constant metric and S is symmetric: then the law
is that of gradient flow, each array divided by its rate. docs/flows.md has the proofs, and that
these are all laws where φ is monomial.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.flows import VectorFields
from conslaw_cli.flows.metrics import Metric, product, residue
from conslaw_cli.flows.names import Index


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """The metric of every parameter: of each array its entries, its metric and its rate."""

    arrays: tuple[tuple[Index, Metric, Fraction], ...]

    def position(self, field: PrimeField, x: Array) -> Array:
        """Return θ at coordinates x."""
        theta = x.copy()
        for entries, metric, _ in self.arrays:
            theta[:, entries] = metric.position(field, x[:, entries])
        return theta

    def velocity(self, field: PrimeField, x: Array, dual: Array) -> Array:
        """Return dx/dt where the dual variables move at a speed ``dual``."""
        moved = dual.copy()
        for entries, metric, rate in self.arrays:
            part = dual[:, entries]
            if not metric.constant:
                speed = metric.speed(field, x[:, entries])
                part = product(field, np.broadcast_to(speed, part.shape), part)
            moved[:, entries] = field.reduce(part * residue(field, rate))
        return moved

    def slopes(self, field: PrimeField, x: Array) -> Array:
        """Return dY/dx for every parameter, divided by its rate, at coordinates x (D,)."""
        slopes = x.copy()
        for entries, metric, rate in self.arrays:
            at = x[None, entries, None]
            speed = metric.speed(field, at)[0, :, 0]
            inverted = np.array([field.inverse(each) for each in speed.tolist()])
            part = field.reduce(metric.position(field, at)[0, :, 0] * inverted)
            slopes[entries] = field.reduce(part * residue(field, 1 / rate))
        return slopes

    @property
    def degree(self) -> int:
        """Largest degree of a metric in x, and the poles of all, which a common denominator has."""
        poles = sum(metric.poles * len(entries) for entries, metric, _ in self.arrays)
        return 2 * poles + max((metric.degree for _, metric, _ in self.arrays), default=0)

    @property
    def bits(self) -> float:
        """Bound the logarithm of what constants and signs add to coefficients, denominators
        cleared.
        """
        rates = [max(r.numerator, r.denominator).bit_length() for _, _, r in self.arrays]
        poles = sum(1 for _, metric, _ in self.arrays if metric.poles)
        return float(sum(rates) + 2 * poles)


@dataclass(frozen=True, slots=True)
class MirrorFields:
    """The fields ``M ∇F`` in the coordinates of a chart."""

    gradients: VectorFields
    chart: Chart

    @property
    def dimension(self) -> int:
        """D."""
        return self.gradients.dimension

    @property
    def held(self) -> int:
        """Coordinates, speeds and their products beside the gradient."""
        return self.gradients.held + 8 * self.dimension

    @property
    def everywhere(self) -> bool:
        """As for the gradients."""
        return self.gradients.everywhere

    def prime(self, rng: np.random.Generator) -> int:
        """As for the gradients."""
        return self.gradients.prime(rng)

    def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[MirrorFields, Array]:
        """Draw coordinates, none of them 0, where metrics may have poles."""
        there, x = self.gradients.at(field, rng)
        x[x == 0] = 1
        return replace(self, gradients=there), x

    def sample(self, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
        """Draw probes of the gradients."""
        return self.gradients.sample(field, rng, count)

    def evaluate(self, field: PrimeField, state: Array, probes: Array) -> Array:
        """Return ``M ∇F``."""
        theta = self.chart.position(field, state)
        return self.chart.velocity(field, state, self.gradients.evaluate(field, theta, probes))

    def drift(self, field: PrimeField, state: Array) -> None:
        """There is none."""
        return

    def degree(self) -> tuple[int, int]:
        """Return degrees of the numerators."""
        state, probe = self.gradients.degree()
        return state + self.chart.degree, probe

    def bits(self) -> float:
        """Bound the coefficients of the numerators."""
        return self.gradients.bits() + self.chart.bits
