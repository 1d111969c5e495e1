"""What families of networks have in common: what their graphs say."""

from __future__ import annotations

from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Laws
from conslaw_cli.networks.wiring import Array


class Wired:
    """A network (problems.Architecture)."""

    __slots__ = ()

    @property
    def graph(self) -> Graph:
        """The network, parameters in the order U1, b1, U2, b2, …"""
        raise NotImplementedError

    @property
    def parameters(self) -> int:
        """D."""
        return self.graph.dimension

    @property
    def known_listed(self) -> int:
        """Number of known laws listed."""
        return self.fields().known_size()[0]

    @property
    def known_terms(self) -> int:
        """Number of monomials of the known laws: what listing them would take."""
        return self.fields().known_size()[1]

    @property
    def rank_guess(self) -> int:
        """A guess of dim Lie(W_φ)(θ) from sizes alone: a known law removes half a dimension."""
        return max(1, self.parameters - self.known_listed // 2)

    @property
    def held(self) -> int:
        """Numbers that evaluating one field holds besides θ and the gradient: every layer's values,
        and its windows.
        """
        return self.graph.held

    @property
    def formula(self) -> None:
        """It is a network."""
        return

    def fields(self) -> GradientFields:
        """Return the gradients ``∇_θ F(θ; a)``."""
        return GradientFields(self.graph)

    def laws(self) -> Laws:
        """Return the known laws: those of the wiring, and what the loss adds."""
        return self.fields().known_laws()

    def parameter_arrays(self) -> tuple[Array, ...]:
        """Return the arrays that θ consists of, in its order."""
        return self.graph.trained

    def parameter_names(self) -> list[str]:
        """Return the names of the parameters, in the order of θ."""
        return self.graph.parameter_names()
