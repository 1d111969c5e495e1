"""What the fields of flows have in common that move the parameters by gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.flows import VectorFields


@dataclass(frozen=True, slots=True, eq=False)
class Controlled:
    """Fields made of gradients: defined where these are, with their probes and coefficients."""

    gradients: VectorFields

    @property
    def everywhere(self) -> bool:
        """As for the gradients."""
        return self.gradients.everywhere

    def prime(self, rng: np.random.Generator) -> int:
        """As for the gradients."""
        return self.gradients.prime(rng)

    def sample(self, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
        """Draw probes of the gradients."""
        return self.gradients.sample(field, rng, count)

    def bits(self) -> float:
        """As for the gradients, where each entry is one of theirs, in perhaps more variables, or of
        a drift that has no larger coefficients.
        """
        return self.gradients.bits()
