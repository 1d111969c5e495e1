"""Weight decay: ``θ' = −λ P θ − ∇L(θ)``, P the projection to the arrays that decay, λ > 0.

With ``q = e^{λ t P} θ`` and ``c = e^{−λ t}`` the equation is ``c P q' + (1 − P) q' = −∇L(θ)`` at
``θ = (c P + 1 − P) q``, so up to a factor that the controls absorb the fields on q are

    ``(P + c (1 − P)) ∇F((c P + 1 − P) q)``   for all c,

as t runs through the numbers (a polynomial family in c whose coefficients all lie in its span).
Where everything decays these are the gradients of the homogeneous components of every F, each a
function of its own. So a law of decay is a law h(q) of this family, and it does not depend on t
otherwise: ``h(e^{λ t} θ)``. The family is invariant under q → c q (on the arrays that decay), so the
parts of h of each degree are laws: ``e^{kλt} h_k(θ)``. State (q, t), drift ∂_t.

Known laws are those of gradient flow all of whose terms decay alike: then every part of the family
is orthogonal to them. docs/flows.md has the proof.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.flows import VectorFields


@dataclass(frozen=True, slots=True, eq=False)
class DecayFields:
    """The fields on (q, t), with their drift (module docstring). decays: (D,), which do."""

    gradients: VectorFields
    decays: NDArray[np.bool_]

    @property
    def dimension(self) -> int:
        """D + 1."""
        return self.gradients.dimension + 1

    @property
    def held(self) -> int:
        """The state and a field beside the gradient."""
        return self.gradients.held + 4 * self.dimension

    def prime(self, rng: np.random.Generator) -> int:
        """As for the gradients."""
        return self.gradients.prime(rng)

    def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[DecayFields, Array]:
        """Draw q where the gradients are defined, and any t."""
        there, theta = self.gradients.at(field, rng)
        return replace(self, gradients=there), np.append(theta, field.random(rng, (1, 1, 1)), axis=1)

    def sample(self, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
        """Draw probes of the gradients, and c."""
        probes = self.gradients.sample(field, rng, count)
        return np.column_stack([probes, field.random(rng, (count, 1))])

    def evaluate(self, field: PrimeField, state: Array, probes: Array) -> Array:
        """Return the family's fields, and 0 for t."""
        shrunk = probes[:, -1:, None]
        decays = self.decays[:, None]
        theta = field.reduce(state[:, :-1] * np.where(decays, shrunk, 1.0))
        gradients = self.gradients.evaluate(field, theta, probes[:, :-1])
        fields = field.reduce(gradients * np.where(decays, 1.0, shrunk))
        return np.append(fields, np.zeros_like(fields[:, :1]), axis=1)

    def drift(self, field: PrimeField, state: Array) -> Array:
        """Return ∂_t."""
        drift = np.zeros_like(state)
        drift[:, -1, 0] = 1
        return drift

    def clock(self, field: PrimeField, state: Array) -> Array:
        """Return ``(P q, 0)``: with the drift it is ∂/∂t at fixed θ, for λ = 1."""
        return np.where(np.append(self.decays, False), state[0, :, 0], 0.0)[None]

    def degree(self) -> tuple[int, int]:
        """The gradients' degree in θ is one more in c, as is the factor."""
        state, probe = self.gradients.degree()
        return state, probe + state + 1

    def bits(self) -> float:
        """As for the gradients: c is one variable more."""
        return self.gradients.bits()
