"""Families of known laws of a flow, their entries not listed: widths cost nothing."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from conslaw_cli.flows.coordinates import ONE, Factor
from conslaw_cli.flows.metrics import Metric
from conslaw_cli.networks.known_laws import Family, Products


class Kept(NamedTuple):
    """Laws of a flow that come from a family of gradient flow's.

    base: that family; of a matrix ``Σ c M Mᵀ`` with those entries, and those c, that laws have.
    moving: whether velocities are in its place, for a matrix in ``Σ M Nᵀ − N Mᵀ``, N being those of
    M. factor: what it has in front. beside: what velocities are multiplied by that it is added to,
    in Python; there are none if it is empty. rates: what arrays are divided by; of a matrix,
    which is divided already, what its velocities are multiplied by. metrics: those of arrays that
    enter as functions. numbers: of two kernels; of two vectors each of which is paired with the
    velocities of the other.
    """

    base: Family
    text: str
    latex: str
    shape: str
    size: int
    moving: bool = False
    factor: Factor = ONE
    beside: str = ""
    rates: tuple[tuple[str, Fraction], ...] = ()
    metrics: tuple[tuple[str, Metric], ...] = ()
    numbers: tuple[int, ...] = ()

    @property
    def factors(self) -> Products:
        """The arrays of the factors of all terms, of those of gradient flow."""
        return self.base.factors
