"""The metric of all parameters of a model, array by array."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.algebra.rings import multiply
from conslaw_cli.flows.metrics import EUCLIDEAN, Floats, Metric, inverse, residue
from conslaw_cli.flows.names import Index

Scale = tuple[Metric, Fraction]
"""The metric and the rate of a parameter."""


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
                part = multiply(field, np.broadcast_to(speed, part.shape), part)
            moved[:, entries] = field.reduce(part * residue(field, rate))
        return moved

    def slopes(self, field: PrimeField, x: Array) -> tuple[Array, Array]:
        """Return dY/dx and dη/dx for every parameter at coordinates x (D,), as metrics scale them
        (``square``, ``shift``); anything where they are polynomials.
        """
        squares, shifts = x.copy(), np.ones_like(x)
        for entries, metric, _ in self.arrays:
            at = x[None, entries, None]
            speed = inverse(field, metric.speed(field, at))[0, :, 0]
            position = metric.position(field, at)[0, :, 0]
            square, shift = (residue(field, 1 / each) for each in (metric.square, metric.shift))
            squares[entries] = field.reduce(field.reduce(position * speed) * square)
            shifts[entries] = field.reduce(speed * shift)
        return squares, shifts

    def scales(self, size: int) -> list[Scale]:
        """Return the metric and the rate of every parameter."""
        scales: list[Scale] = [(EUCLIDEAN, Fraction(1))] * size
        for entries, metric, rate in self.arrays:
            scale = metric, rate
            for e in entries.tolist():
                scales[e] = scale
        return scales

    @property
    def constant(self) -> bool:
        """Whether all metrics are."""
        return all(metric.constant for _, metric, _ in self.arrays)

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
        return float(sum(rates) + sum(m.bits * len(entries) for entries, m, _ in self.arrays))


class Metrics:
    """The metric of every parameter in floats."""

    def __init__(self, chart: Chart, size: int) -> None:
        self.rates, self._arrays = np.ones(size), chart.arrays
        self._curved = any(not metric.constant for _, metric, _ in chart.arrays)
        positive = [entries for entries, metric, _ in chart.arrays if metric.positive]
        self.positive = np.concatenate([np.arange(0), *positive])
        for entries, _, rate in chart.arrays:
            self.rates[entries] = float(rate)

    def at(self, theta: Floats) -> Floats:
        """Return M(θ)."""
        found = self.rates.copy()
        for entries, metric, _ in self._arrays if self._curved else ():
            found[entries] *= metric.at(theta[entries])[0]
        return found

    def coordinates(self, theta: Floats) -> Floats:
        """Return θ, and what laws (potentials.py) are written in beside it."""
        if not self._curved:
            return theta
        squares, shifts = theta.copy(), theta.copy()
        for entries, metric, _ in self._arrays:
            _, squares[entries], shifts[entries] = metric.at(theta[entries])
        return np.concatenate([theta, squares, shifts])
