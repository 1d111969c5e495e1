"""Flows in floats: a state, how it moves, and the coordinates that laws are functions of.

An equation may leave constants open: those that are not given are chosen by the flow, and named.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Index = NDArray[np.intp]
Slope = Callable[[Floats], Floats]
"""The gradient of a loss at θ."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """``θ' = −∇L``; motions by other equations are subclasses."""

    @property
    def begin(self) -> float:
        """The time at which it begins."""
        return 0.0

    @property
    def constants(self) -> str:
        """What the equation leaves open and was chosen, in words."""
        return ""

    @property
    def decay(self) -> float | None:
        """The rate λ at which parameters decay; None if there is no such thing."""
        return None

    @property
    def positive(self) -> Index:
        """The parameters that are to be positive."""
        return np.arange(0)

    def start(self, theta: Floats, rng: np.random.Generator) -> Floats:
        """Return a state at θ."""
        return theta

    def velocity(self, t: float, state: Floats, slope: Slope) -> Floats:
        """Return how the state moves."""
        return -slope(state)

    def theta(self, state: Floats) -> Floats:
        """Return θ."""
        return state

    def coordinates(self, t: float, state: Floats) -> Floats:
        """Return what the flow's laws are functions of."""
        return state
