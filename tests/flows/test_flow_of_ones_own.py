"""A flow of one's own with a drift that no theorem was written for: what it declares is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
import test_declared as declared

from conslaw_cli import MLP, Problem, count_laws
from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.flows import Dynamics, Model, VectorFields
from conslaw_cli.flows.charges import charges, turning
from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.grammar import Choice
from conslaw_cli.flows.metrics import EUCLIDEAN
from conslaw_cli.flows.momentum import MomentumFields
from conslaw_cli.flows.motion import Floats, Motion, Slope
from conslaw_cli.flows.names import Arrays
from conslaw_cli.lie.theorems import THEOREMS, Evidence
from conslaw_cli.networks.known_laws import Family, Laws, join

BY_NAME = {theorem.name: theorem for theorem in THEOREMS}


@dataclass(frozen=True, slots=True)
class Spring:
    """``θ'' = −θ − ∇L``: every parameter hangs on a spring, and rotations still turn nothing."""

    dynamics: ClassVar[Dynamics] = Dynamics(copies=2, clock=True, isometric=True)
    title: ClassVar[str] = "momentum with springs"
    statement: ClassVar[str] = "θ'' = −θ − ∇L."
    source: ClassVar[str] = "elementary"
    even_handed: ClassVar[bool] = True

    @classmethod
    def written(cls) -> Choice:
        return Choice({"spring": cls()})

    def describe(self) -> str:
        return "spring"

    def of(self, model: Model) -> Spring:
        return self

    def fields(self, model: Model) -> VectorFields:
        return SpringFields(model.fields(), Friction.NONE)

    def laws(self, model: Model) -> Laws:
        return join(turning(model))

    def kept(self, model: Model, families: Sequence[Family]) -> Sequence[Family]:
        scales = dict.fromkeys(Arrays.of(model).entries, (EUCLIDEAN, Fraction(1)))
        return [*charges(model, scales, Friction.NONE)]

    def timed(self, families: Sequence[Family]) -> int:
        return 0

    def coordinates(self, model: Model) -> Coordinates:
        arrays = Arrays.of(model)
        return Coordinates(arrays.every, arrays.velocities, (("t", "t", "t"),), ("t",))

    def motion(self, model: Model, decay: float | None) -> Motion:
        return Swinging()


class SpringFields(MomentumFields):
    """The drift is (p, −θ, 1)."""

    @property
    def transports(self) -> bool:
        return False

    def drift(self, field: PrimeField, state: Array) -> Array:
        drift, size = super().drift(field, state), self.gradients.dimension
        drift[:, size:-1] = -state[:, :size]
        return drift


class Swinging(Motion):
    """States are (θ, v)."""

    def start(self, theta: Floats, rng: np.random.Generator) -> Floats:
        return np.concatenate([theta, rng.standard_normal(len(theta))])

    def velocity(self, t: float, state: Floats, slope: Slope) -> Floats:
        theta, velocity = np.split(state, 2)
        return np.concatenate([velocity, -theta - slope(theta)])

    def theta(self, state: Floats) -> Floats:
        return state[: len(state) // 2]

    def coordinates(self, t: float, state: Floats) -> Floats:
        return np.append(state, t)


@pytest.mark.parametrize("network", [declared.LINEAR, declared.DEEP], ids=lambda each: each.name)
def test_what_it_declares_holds(network: MLP) -> None:
    declared.test_a_state_is_copies_of_theta_and_perhaps_a_time(network, Spring())
    declared.test_so_many_laws_depend_on_time(network, Spring())
    declared.test_in_floats_it_keeps_the_laws_that_it_lists(network, Spring())


@pytest.mark.parametrize(
    ("widths", "method"),
    [
        ((1, 6, 1), "wide linear layers"),
        ((1, 5, 1), "wide linear layers"),
        ((2, 3, 2), "block lifting"),
    ],
)
def test_theorems_for_any_width_hold_for_it(widths: tuple[int, ...], method: str) -> None:
    """As the engine counts."""
    problem = Problem(MLP(widths, "linear"), Spring())
    proof, row = BY_NAME[method](problem, Evidence(count_laws)), count_laws(problem)
    assert proof is not None
    assert (proof.lower[0].value, proof.independent) == (row.dim_lie, row.known_independent)
    assert proof.timeless == row.timeless
    assert row.verdict == "proved"


def test_wide_networks_are_counted() -> None:
    row = count_laws(Problem(MLP((300, 200, 300), "linear"), Spring()))
    assert (row.laws, row.verdict) == (200 * 199 // 2, "proved")
    assert [bound.method for bound in row.lower] == ["block lifting"]
