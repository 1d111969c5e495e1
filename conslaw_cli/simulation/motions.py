"""Flows in floats: their states, what moves them, and the coordinates that laws are functions of.

A flow leaves its constants open: here the friction of heavy ball is FRICTION. Nesterov's flow, with
friction 3/t, begins at t = 1; velocities are drawn, as laws are zero at rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from conslaw_cli.errors import SpecError
from conslaw_cli.flows.charts import Chart
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.gradient import Gradient
from conslaw_cli.flows.mirror import Mirror
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.flows.names import Arrays, Index
from conslaw_cli.problems.problem import Problem
from conslaw_cli.simulation.data import Objective
from conslaw_cli.simulation.integrator import Field, Vector

FRICTION = 1.0
"""The constant friction τ."""
DECAY = 0.1
"""The rate of decay λ, where none is given."""


class Motion(Protocol):
    """A flow of a state in floats."""

    @property
    def begin(self) -> float:
        """The time at which it begins."""
        ...

    @property
    def positive(self) -> Index:
        """The parameters that are to be positive."""
        ...

    @property
    def constants(self) -> str:
        """What it leaves open and is chosen here, in words."""
        ...

    def start(self, theta: Vector, rng: np.random.Generator) -> Vector:
        """Return the state at θ."""
        ...

    def field(self, t: float, state: Vector) -> Vector:
        """Return how the state moves."""
        ...

    def frozen(self, state: Vector) -> Field | None:
        """Return how states move while gates are held as they are at this one; None if there are
        no gates.
        """
        ...

    def theta(self, state: Vector) -> Vector:
        """Return θ."""
        ...

    def coordinates(self, t: float, state: Vector) -> Vector:
        """Return what the flow's laws are functions of."""
        ...


def motion(problem: Problem, objective: Objective, decay: float | None) -> Motion:
    """Return the motion of a problem's flow; decay: λ. Raise SpecError for a flow that is given by
    its fields alone.
    """
    flow, architecture = problem.flow, problem.architecture
    if isinstance(flow, Gradient):
        return Descent(objective)
    if isinstance(flow, Decay):
        decays = np.zeros(problem.parameters)
        for name, entries in Arrays.of(architecture).entries.items():
            decays[entries.start : entries.stop] = flow.only is None or name in flow.only
        return Decaying(objective, decays, DECAY if decay is None else decay)
    if isinstance(flow, Mirror):
        return Mirrored(objective, Metrics(flow.chart(architecture), problem.parameters))
    if isinstance(flow, Momentum):
        metric = flow.metric
        chart = metric.chart(architecture) if isinstance(metric, Mirror) else Chart(())
        return Moving(objective, Metrics(chart, problem.parameters), flow.friction)
    raise SpecError(f"flow: expected one that is known in numbers, got {flow.describe()}")


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """``θ' = −∇L``."""

    objective: Objective

    @property
    def begin(self) -> float:
        """0."""
        return 0.0

    @property
    def constants(self) -> str:
        """None."""
        return ""

    @property
    def positive(self) -> Index:
        """None."""
        return np.arange(0)

    def start(self, theta: Vector, rng: np.random.Generator) -> Vector:
        """Return θ."""
        return theta

    def field(self, t: float, state: Vector) -> Vector:
        """Return the negative gradient."""
        return -self.objective.gradient(state)

    def frozen(self, state: Vector) -> Field | None:
        """Return the field with gates held."""
        held = self.objective.frozen(self.theta(state))
        return None if held is None else replace(self, objective=held).field

    def theta(self, state: Vector) -> Vector:
        """Return the state."""
        return state

    def coordinates(self, t: float, state: Vector) -> Vector:
        """Return θ."""
        return state


@dataclass(frozen=True, slots=True, eq=False)
class Decaying(Descent):
    """``θ' = −λPθ − ∇L``. decays: the diagonal of P."""

    decays: Vector
    rate: float

    @property
    def constants(self) -> str:
        """λ."""
        return f"λ = {self.rate:g}"

    def field(self, t: float, state: Vector) -> Vector:
        """Return the negative gradient, and decay."""
        return -self.objective.gradient(state) - self.rate * self.decays * state

    def coordinates(self, t: float, state: Vector) -> Vector:
        """Return ``q = e^{λtP} θ``, and t."""
        return np.append(np.exp(self.rate * t * self.decays) * state, t)


class Metrics:
    """The metric of every parameter (flows/charts.py)."""

    def __init__(self, chart: Chart, size: int) -> None:
        self.rates, self._arrays = np.ones(size), chart.arrays
        self._curved = any(not metric.constant for _, metric, _ in chart.arrays)
        positive = [entries for entries, metric, _ in chart.arrays if metric.positive]
        self.positive = np.concatenate([np.arange(0), *positive])
        for entries, _, rate in chart.arrays:
            self.rates[entries] = float(rate)

    def at(self, theta: Vector) -> Vector:
        """Return M(θ)."""
        found = self.rates.copy()
        for entries, metric, _ in self._arrays if self._curved else ():
            found[entries] *= metric.at(theta[entries])[0]
        return found

    def coordinates(self, theta: Vector) -> Vector:
        """Return θ, and what the laws of potentials.py are written in beside it."""
        if not self._curved:
            return theta
        squares, shifts = theta.copy(), theta.copy()
        for entries, metric, _ in self._arrays:
            _, squares[entries], shifts[entries] = metric.at(theta[entries])
        return np.concatenate([theta, squares, shifts])


@dataclass(frozen=True, slots=True, eq=False)
class Mirrored(Descent):
    """``θ' = −M(θ) ∇L``."""

    metrics: Metrics

    @property
    def positive(self) -> Index:
        """Those of powers of θ."""
        return self.metrics.positive

    def field(self, t: float, state: Vector) -> Vector:
        """Return the negative gradient in the metric."""
        return -self.metrics.at(state) * self.objective.gradient(state)

    def coordinates(self, t: float, state: Vector) -> Vector:
        """Return θ, and functions of its entries."""
        return self.metrics.coordinates(state)


@dataclass(frozen=True, slots=True, eq=False)
class Moving(Mirrored):
    """``θ' = M(θ) v, v' = −τ(t) v − ∇L``; the state is (θ, v)."""

    friction: Friction

    @property
    def begin(self) -> float:
        """1 for 3/t."""
        return float(self.friction is Friction.NESTEROV)

    @property
    def constants(self) -> str:
        """τ, the time at which it begins, and where velocities come from."""
        known = {Friction.CONSTANT: f"τ = {FRICTION:g}, ", Friction.NESTEROV: "from t = 1 on, "}
        return known.get(self.friction, "") + "velocities drawn from the seed"

    def start(self, theta: Vector, rng: np.random.Generator) -> Vector:
        """Return θ with a velocity that is drawn."""
        return np.concatenate([theta, rng.standard_normal(len(theta))])

    def field(self, t: float, state: Vector) -> Vector:
        """Return velocities and forces."""
        theta, velocity = np.split(state, 2)
        friction = self.friction.at(t, FRICTION)[0]
        force = -friction * velocity - self.objective.gradient(theta)
        return np.concatenate([self.metrics.at(theta) * velocity, force])

    def theta(self, state: Vector) -> Vector:
        """Return the first half."""
        return state[: len(state) // 2]

    def coordinates(self, t: float, state: Vector) -> Vector:
        """Return ``(θ, p, s)``, p = e^{∫τ} v."""
        _, growth, s = self.friction.at(t, FRICTION)
        theta, velocity = np.split(state, 2)
        return np.concatenate([theta, growth * velocity, [s]])
