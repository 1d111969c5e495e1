"""Steps of optimizers, as PyTorch's take them (torch.optim.SGD, Adam, AdamW), without dampening.

Every step is ``θ⁺ = k θ − η d``. PyTorch's SGD has no decoupled decay; here it is that of AdamW,
``k = 1 − ηλ``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from conslaw_cli.errors import SpecError
from conslaw_cli.simulation.integrator import Vector

MAX_RATE = 1e6
"""Largest rate of learning and of decay."""
MAX_MOMENTUM = 1e3


class Step(NamedTuple):
    """``θ⁺ = shrink · θ − rate · direction``, after which ``buffer`` is what is carried on."""

    direction: Vector
    buffer: Vector
    shrink: float


class Carried(NamedTuple):
    """What an optimizer carries: a buffer, None before the first step, and of Adam the mean of
    squares and the number of steps.
    """

    buffer: Vector | None = None
    squares: Vector | None = None
    steps: int = 0


class Optimizer(Protocol):
    """A discrete method; equal ones take equal steps."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def rate(self) -> float:
        """η."""
        ...

    @property
    def batches(self) -> bool:
        """Whether it takes batches of samples, not all of them."""
        ...

    @property
    def coupled(self) -> float:
        """λ, where ``λθ`` is added to the gradient; 0 where decay is decoupled."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return its numbers by name, ready for JSON."""
        ...

    def step(self, theta: Vector, gradient: Vector, carried: Carried) -> tuple[Step, Carried]:
        """Return the next step."""
        ...


@dataclass(frozen=True, slots=True)
class SGD:
    """Gradient descent, on all samples or on batches, with momentum or without."""

    rate: float
    momentum: float = 0.0
    nesterov: bool = False
    decay: float = 0.0
    decoupled: bool = False
    batches: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.momentum <= MAX_MOMENTUM:
            expected = f"a number from 0 to {MAX_MOMENTUM:g}"
            raise SpecError(f"momentum: expected {expected}, got {self.momentum}")
        if self.nesterov and not self.momentum:
            raise SpecError("nesterov: expected a momentum above 0 with it, got 0")

    @property
    def name(self) -> str:
        """gd, sgd or momentum."""
        return "momentum" if self.momentum else "sgd" if self.batches else "gd"

    @property
    def coupled(self) -> float:
        """λ, unless it is decoupled."""
        return 0.0 if self.decoupled else self.decay

    def settings(self) -> dict[str, Any]:
        """Return momentum and decay."""
        return {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "weight_decay": self.decay,
            "decoupled": self.decoupled,
        }

    def step(self, theta: Vector, gradient: Vector, carried: Carried) -> tuple[Step, Carried]:
        """Return ``d = g̃``; with momentum ``d = buf``, or ``g̃ + μ buf``."""
        gradient = gradient + self.coupled * theta if self.coupled else gradient
        shrink = 1 - self.rate * self.decay if self.decoupled else 1.0
        if not self.momentum:
            return Step(gradient, gradient, shrink), carried
        buffer = gradient
        if carried.buffer is not None:
            buffer = self.momentum * carried.buffer + gradient
        direction = gradient + self.momentum * buffer if self.nesterov else buffer
        return Step(direction, buffer, shrink), Carried(buffer)


@dataclass(frozen=True, slots=True)
class Adam:
    """Adam, or AdamW where decay is decoupled."""

    rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    decay: float = 0.0
    decoupled: bool = False
    epsilon: float = 1e-8
    batches: bool = True

    def __post_init__(self) -> None:
        for beta in self.betas:
            if not 0 <= beta < 1:
                raise SpecError(f"betas: expected numbers from 0 to below 1, got {beta}")

    @property
    def name(self) -> str:
        """adam or adamw."""
        return "adamw" if self.decoupled else "adam"

    @property
    def coupled(self) -> float:
        """λ, unless it is decoupled."""
        return 0.0 if self.decoupled else self.decay

    def settings(self) -> dict[str, Any]:
        """Return betas, ε and decay."""
        return {
            "betas": list(self.betas),
            "epsilon": self.epsilon,
            "weight_decay": self.decay,
            "decoupled": self.decoupled,
        }

    def step(self, theta: Vector, gradient: Vector, carried: Carried) -> tuple[Step, Carried]:
        """Return ``d = m̂/(√v̂ + ε)``; what is carried is m."""
        gradient = gradient + self.coupled * theta if self.coupled else gradient
        before = carried.buffer, carried.squares
        mean, squares = (np.zeros_like(theta) if each is None else each for each in before)
        steps, (first, second) = carried.steps + 1, self.betas
        mean = first * mean + (1 - first) * gradient
        squares = second * squares + (1 - second) * gradient**2
        root = np.sqrt(squares) / np.sqrt(1 - second**steps) + self.epsilon
        direction = mean / (1 - first**steps) / root
        shrink = 1 - self.rate * self.decay if self.decoupled else 1.0
        return Step(direction, mean, shrink), Carried(mean, squares, steps)
