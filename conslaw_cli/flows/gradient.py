"""Gradient flow, the default: ``θ' = −∇L(θ)``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from conslaw_cli.flows import Dynamics, Model, System, VectorFields
from conslaw_cli.networks.known_laws import Family, Laws

if TYPE_CHECKING:
    from conslaw_cli.flows.coordinates import Coordinates
    from conslaw_cli.flows.grammar import Choice
    from conslaw_cli.flows.motion import Motion


@dataclass(frozen=True, slots=True)
class Gradient:
    """Gradient flow: its state is θ, its fields are the gradients themselves. A problem has it
    unless it names another flow.

    >>> from conslaw_cli import MLP, Problem
    >>> Problem(MLP((3, 4, 2)), Gradient()) == Problem(MLP((3, 4, 2)))
    True
    """

    dynamics: ClassVar[Dynamics] = Dynamics(isometric=True, system=System.GRADIENT)
    title: ClassVar[str] = "gradient flow"
    statement: ClassVar[str] = (
        "θ' = −∇L(θ). A function h of θ is conserved for every loss and data set iff ⟨∇h, χ⟩ = 0"
        " for all χ in W_φ; D − dim Lie(W_φ)(θ) of them are independent near a generic θ."
    )
    source: ClassVar[str] = (
        "Marcotte, Gribonval, Peyré: Abide by the Law and Follow the Flow: Conservation Laws for"
        " Gradient Flows, NeurIPS 2023, arXiv 2307.00144, Theorem 3.3"
    )
    even_handed: ClassVar[bool] = True

    @classmethod
    def written(cls) -> Choice:
        """Return the word."""
        from conslaw_cli.flows.grammar import Choice  # few ask

        return Choice({"gradient": cls()})

    def describe(self) -> str:
        """Return the key."""
        return "gradient"

    def of(self, model: Model) -> Gradient:
        """Return itself."""
        return self

    def fields(self, model: Model) -> VectorFields:
        """Return the gradients: what they span is all that moves θ."""
        return model.fields()

    def laws(self, model: Model) -> Laws:
        """Return those of gradient flow."""
        return model.laws()

    def kept(self, model: Model, families: Sequence[Family]) -> Sequence[Family]:
        """Return all of them."""
        return families

    def timed(self, families: Sequence[Family]) -> int:
        """None."""
        return 0

    def coordinates(self, model: Model) -> Coordinates:
        """Return θ."""
        from conslaw_cli.flows.coordinates import Coordinates  # counts do without

        return Coordinates(tuple(model.parameter_arrays()))

    def motion(self, model: Model, decay: float | None) -> Motion:
        """Return ``θ' = −∇L``."""
        from conslaw_cli.flows.motion import Motion  # likewise

        return Motion()


GRADIENT = Gradient()
