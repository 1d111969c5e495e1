"""What discrete steps do to laws, exactly: recursions that need buffers and gradients alone.

A law of gradient flow is ``h(θ) = θᵀSθ + ⟨s, θ⟩`` with ``⟨2Sθ + s, g⟩ = 0`` for every gradient g at
θ. Put a 1 behind θ, and 0 behind gradients, directions and buffers: then h is a form without linear
part, ``h(θ) = Q(θ, θ)``, and ``Q(θ, g) = 0``. Of Q are needed ``q(a, b) = aᵀSb`` and ``ℓ(a) = ⟨s,
a⟩/2``: ``Q(θ, a) = θᵀSa + ℓ(a)``. For a step ``θ⁺ = kθ − ηd``, with ``e = Q(θ, d)`` and ``l =
⟨s, θ⟩``,

    h⁺ = k²(h − l) + k l − 2η(k e + (1 − k) ℓ(d)) + η² q(d, d),     l⁺ = k l − 2η ℓ(d),

and a buffer b that is carried on has ``Q(θ⁺, b) = k Q(θ, b) + (1 − k) ℓ(b) − η q(d, b)``. With
``Q(θ, g + λθ) = λ(h − l/2)`` this gives e, from the buffers' own recursions: docs/steps.md has them
with their proofs.
"""

from __future__ import annotations

import numpy as np

from conslaw_cli.simulation.forms import Forms
from conslaw_cli.simulation.integrator import Vector
from conslaw_cli.simulation.optimizers import SGD, Adam, Step


class Drift:
    """h of every law after each step of SGD, from θ and a buffer at the start alone."""

    def __init__(self, forms: Forms, method: SGD, theta: Vector, buffer: Vector | None) -> None:
        self.forms, self.method = forms, method
        self.values, self.linear = forms.values(theta)[0], forms.linear(theta)
        self._carried = np.zeros(len(forms))
        if buffer is not None:
            self._carried = forms.along(theta, buffer)

    def advance(self, step: Step) -> None:
        """Go on by a step."""
        method, forms, (direction, _, k) = self.method, self.forms, step
        rate, single = method.rate, forms.linear(direction) / 2
        own = method.coupled * (self.values - self.linear / 2)
        inner = method.momentum * self._carried + own
        along = own + method.momentum * inner if method.nesterov else inner
        self.values = (
            k * k * (self.values - self.linear)
            + k * self.linear
            - 2 * rate * (k * along + (1 - k) * single)
            + rate**2 * forms.bilinear(direction, direction)
        )
        self.linear = k * self.linear - 2 * rate * single
        self._carried = moved(forms, step, rate, inner)


class Residual:
    """``r = Q(θ, m)`` of Adam's mean m, which starts at 0: the step before is all that moves it.

    Adam keeps no law; where decay is coupled r needs h at θ, which nothing predicts.
    """

    def __init__(self, forms: Forms, method: Adam) -> None:
        self.forms, self.method = forms, method
        self.values = np.zeros(len(forms))
        self._carried = np.zeros(len(forms))

    def advance(self, theta: Vector, step: Step) -> None:
        """Go on by a step from θ."""
        forms, first, decay = self.forms, self.method.betas[0], self.method.coupled
        self.values = first * self._carried
        if decay:
            own = forms.along(theta, theta)
            self.values = self.values + (1 - first) * decay * own
        self._carried = moved(forms, step, self.method.rate, self.values)


class Charge:
    """``J = ⟨b, Aθ⟩`` of heavy ball, A antisymmetric: ``J_t = μ k J_{t−1}``, since the gradient and
    the buffer before are orthogonal to what they are paired with.
    """

    def __init__(self, method: SGD, values: Vector) -> None:
        self.method, self.values, self._shrink = method, values, 1.0

    def advance(self, step: Step) -> None:
        """Go on by a step."""
        self.values = self.method.momentum * self._shrink * self.values
        self._shrink = step.shrink


def moved(forms: Forms, step: Step, rate: float, carried: Vector) -> Vector:
    """Return ``Q(θ⁺, b)`` for the step's buffer b, from ``Q(θ, b)``."""
    direction, buffer, k = step
    single = forms.linear(buffer) / 2
    return k * carried + (1 - k) * single - rate * forms.bilinear(direction, buffer)
