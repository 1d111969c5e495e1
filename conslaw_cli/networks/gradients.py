"""W_φ of a network: its gradients as a space of vector fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from conslaw_cli.algebra.field import Array, PrimeField, random_prime
from conslaw_cli.algebra.rings import Ring, Values, ring
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Family, Form, Laws, Named, linear_laws

if TYPE_CHECKING:
    from conslaw_cli.algebra.series import Series


@dataclass(frozen=True, slots=True)
class GradientFields:
    """W_φ as a space of vector fields that can be sampled and evaluated on jets
    (flows.VectorFields).

    zero_sum: the output weights w of the probe satisfy ``Σ w = 0`` (softmax cross-entropy,
    families/mlp.py). constants: the frozen parameters, where they have been drawn.
    """

    graph: Graph
    zero_sum: bool = False
    constants: Values | None = None

    @property
    def dimension(self) -> int:
        """D."""
        return self.graph.dimension

    @property
    def held(self) -> int:
        """Numbers that one evaluation holds: θ and the gradient, copies of them, and values."""
        return 8 * self.dimension + 6 * self.graph.held

    @property
    def everywhere(self) -> bool:
        """They are polynomials, and complete if no constants are to be drawn."""
        complete = self.graph.constants == 0 or self.constants is not None
        return complete and self.graph.polynomial

    def prime(self, rng: np.random.Generator) -> int:
        """Draw any prime of the range."""
        return random_prime(rng)

    def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[GradientFields, Array]:
        """Draw θ uniformly, and constants. Raise SpecError if ranks there would prove nothing."""
        theta = field.random(rng, (1, self.dimension, 1))
        if not (self.graph.polynomial or _certain(self.graph)):
            raise SpecError(
                "the values of exp in this network are not known to be independent functions, as"
                " their arguments are linearly dependent: no method here counts its laws"
            )
        if not self.graph.constants:
            return self, theta
        return self.bound(field.random(rng, (1, self.graph.constants))), theta

    def bound(self, constants: Values) -> GradientFields:
        """Return the fields for frozen parameters (batch or 1, constants) of the graph."""
        if not self.graph.constants:
            return self
        return GradientFields(self.graph, self.zero_sum, constants)

    def sample(self, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
        """Draw probes: ``∇_θ F(·; a)`` for uniform a is a random element of W_φ."""
        return field.random(rng, (count, self.graph.probe_size))

    def evaluate(self, field: PrimeField, theta: Array, probes: Array) -> Array:
        """Return ``∇_θ F(θ; a)`` by back-propagation."""
        over = ring(field, theta.shape[-1])
        if theta.shape[-1] == 1:
            return self.gradient(over, theta[..., 0], probes)[..., None]
        return self.gradient(over, theta, probes)

    @property
    def transports(self) -> bool:
        """Whether they are polynomials, complete."""
        return self.everywhere

    def carried(self, over: Series, theta: Array, probes: Array) -> Array:
        """Return ``∇F − Σ ε_i ∇²F λ_i`` at ``θ + Σ ε_i λ_i`` (flows.Transporting)."""
        now = self if over.order == 0 else self.bound(np.zeros((1, self.graph.constants)))
        moved = now.gradient(over, theta, probes)
        np.negative(moved[..., 1:], out=moved[..., 1:])
        return moved

    def drift(self, field: PrimeField, theta: Array) -> None:
        """Return nothing: nothing moves θ but these fields."""
        return

    def gradient(self, over: Ring, theta: Values, probes: Values) -> Values:
        """Return ``∇_θ F(θ; a)``, (batch, D), in any ring, for θ (batch or 1, D)."""
        graph = self.graph
        w = probes[:, graph.plan.drawn :]
        if self.zero_sum:
            last = over.scale(w[:, :-1].sum(axis=1, keepdims=True), Fraction(-1))
            w = np.concatenate([w[:, :-1], last], axis=1)
        return graph.gradient(over, theta, probes, w, self.constants)

    def degree(self) -> tuple[int, int]:
        """Degrees of a field's entries in θ and in the probe."""
        growth = self.graph.growth
        return growth.parameters - 1, growth.probe

    def bits(self) -> float:
        """Bound the logarithm to the base 2 of the sum of the absolute values of the coefficients
        of a field's entry.

        Replacing ``w_n`` by ``−Σ w_i`` at most doubles the sum.
        """
        return self.graph.bits + self.zero_sum

    def known_laws(self) -> Laws:
        """Return the known laws: those of the wiring; of one output whose weight is zero all
        parameters.
        """
        if self.still:
            (every,) = self.families()
            return linear_laws(every, list(np.arange(self.dimension)[:, None]))
        return self.graph.laws(self.zero_sum)

    def families(self) -> Sequence[Family]:
        """Return the families of the known laws, without listing their entries."""
        if self.still:
            every = frozenset((array.name,) for array in self.graph.trained)
            return [Named("θ", r"\theta", f"{self.dimension} entries", self.dimension, every)]
        return [
            *self.graph.wiring(self.zero_sum, skips=True).families(),
            *self.graph.correlations,
        ]

    def forms(self) -> Iterator[Form]:
        """Yield the matrices of known laws, also where no parameter moves."""
        return self.graph.wiring(self.zero_sum, skips=True).forms()

    def known_size(self) -> tuple[int, int]:
        """Return how many known laws there are, and how many terms they have together, without
        listing them.
        """
        if self.still:
            return self.dimension, self.dimension
        laws, terms = self.graph.wiring(self.zero_sum, skips=True).size()
        more = self.graph.correlations
        return laws + sum(each.size for each in more), terms + sum(each.terms for each in more)

    @property
    def still(self) -> bool:
        """Whether no parameter ever moves."""
        return self.zero_sum and self.graph.output_size == 1


@lru_cache(maxsize=16)
def _certain(graph: Graph) -> bool:
    """Whether residues stand for independent functions, which powers and gates do by themselves."""
    if not any(step.operation.exponential for step in graph.steps):
        return True
    from conslaw_cli.networks.independence import independent

    return independent(graph, np.random.default_rng(0))
