"""Momentum: the heavy ball, Nesterov's flow, and both on a metric.

State (θ, v, t): ``θ' = v, v' = −τ(t) v − ∇L(θ)``. The friction is removed by a change of variables:
with ``p = e^{∫τ} v`` and ``ds = e^{−∫τ} dt`` the equations are ``dθ/ds = p, dp/ds = −e^{2∫τ} ∇L``,
whose factor the controls absorb. So every friction has the laws of none, as functions of (θ, p, s),
and that is where they are computed: the drift is ``(p, 0, 1)``, the controls are ``(0, ∇F, 0)``.

- constant τ: ``p = e^{τt} v, s = −e^{−τt}/τ``;
- none: ``p = v, s = t``;
- 3/t: ``p = t^3 v, s = −1/(2 t^2)``.

Known laws are Noether's. A generator of an invariance of φ that is an isometry, ``θ' = A θ`` with A
antisymmetric, conserves ``⟨p, A θ⟩``; a linear law ⟨c, θ⟩ of gradient flow conserves ``⟨c, p⟩`` and
``⟨c, θ⟩ − s ⟨c, p⟩``. Generators come from the spaces of units (networks/wiring.py): on a space
without gate that only parameters touch, all rotations of the units. Where one parameter writes a
unit and one reads it, φ depends on the two vectors u, v of these through ⟨u, v⟩ alone, which ``(u,
v) → (u + ε A v, v + ε A u)`` leaves as it is as well.

In a metric, the equation is that of the Hessian form: with the mirror map ``y = ∇ψ(θ)`` of the
metric ``M = (∇²ψ)^-1``, ``y'' + τ y' = −∇L``; p is the velocity of y, ``θ' = M(θ) p``. Only
rotations of units all of whose parameters have a constant metric are isometries.

docs/flows.md has the proofs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, ClassVar

import numpy as np

from conslaw_cli import checks
from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.algebra.series import Series
from conslaw_cli.errors import SpecError
from conslaw_cli.flows import Asked, Dynamics, Model, System, Transporting, VectorFields
from conslaw_cli.flows.charges import charges, linear, listed, standing
from conslaw_cli.flows.charts import Chart, Metrics, Scale
from conslaw_cli.flows.controlled import Controlled
from conslaw_cli.flows.coordinates import Coordinates, Factor, Term, grouped
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.grammar import Choice, Keys
from conslaw_cli.flows.kept import Kept
from conslaw_cli.flows.mirror import Mirror, Mirrored
from conslaw_cli.flows.motion import Floats, Motion, Slope
from conslaw_cli.flows.names import Arrays
from conslaw_cli.flows.potentials import curved
from conslaw_cli.networks.known_laws import Family, Laws, Named, join

FRICTION = 1.0
"""The constant friction τ in floats."""


@dataclass(frozen=True, slots=True)
class Momentum:
    """The heavy ball (constant friction), without friction, or Nesterov's flow. metric: that of a
    mirror flow, for the Hessian form of momentum in it; None for the Euclidean one.

    >>> from conslaw_cli import MLP, Problem, count_laws
    >>> network = MLP((1, 3, 1), "linear")
    >>> count_laws(Problem(network, Momentum(Friction.NESTEROV)))
    <LawCount 'linear 1-3-1': D = 6, dim Lie = 7, laws = 6 (6 known), proved>
    """

    friction: Friction = Friction.CONSTANT
    metric: Asked | None = None

    title: ClassVar[str] = "momentum"
    statement: ClassVar[str] = (
        "θ'' + τ(t) θ' = −∇L(θ), τ constant (heavy ball), 0 or 3/t (Nesterov). The laws are the"
        " same functions for every friction, of θ, of e^{∫τ} θ' and of a time; as many as 2 D + 1 −"
        " dim Lie(f_0, X_a) in the state (θ, v, t), f_0 = (v, 0, 1), X_a = (0, ∇F_a, 0)."
    )
    source: ClassVar[str] = (
        "Marcotte, Gribonval, Peyré: Keep the Momentum: Conservation Laws beyond Euclidean Gradient"
        " Flows, ICML 2024, arXiv 2405.12888"
    )

    @classmethod
    def written(cls) -> Choice:
        """Return the word, and the key with a friction, a metric or both."""
        friction = Choice(
            {"0": Friction.NONE, "3/t": Friction.NESTEROV},
            expected="0 or 3/t",
            hint="; without this key the friction is a constant",
        )
        keys = Keys({"friction": friction, "hessian": Mirror.written()}, cls._made)
        return Choice({"momentum": cls()}, {"momentum": keys})

    @classmethod
    def _made(
        cls, friction: Friction = Friction.CONSTANT, hessian: Asked | None = None
    ) -> Momentum:
        return cls(friction, hessian)

    def __post_init__(self) -> None:
        if not isinstance(self.friction, Friction):
            shown = checks.shown(self.friction)
            raise SpecError(f"friction: expected one such as Friction.NONE, got {shown}")
        if self.metric is not None:
            checks.flow(self.metric)

    @property
    def even_handed(self) -> bool:
        """Without a metric."""
        return self.metric is None

    @property
    def dynamics(self) -> Dynamics:
        """Any friction is none in coordinates of its own; a metric is told apart."""
        if not isinstance(self.metric, Mirror):
            return Dynamics(2, True, True, System.SECOND_ORDER)
        return Dynamics(2, True, self.metric.dynamics.isometric)

    def of(self, model: Model) -> Momentum:
        """Return it with its metric as that of the model; without one that is Euclidean."""
        metric = None if self.metric is None else self.metric.of(model)
        return Momentum(self.friction, metric if isinstance(metric, Mirror) else None)

    def describe(self) -> str | dict[str, Any]:
        """Return the key, with what is not the default: a friction that is not constant, a
        metric.
        """
        friction = {Friction.NONE: 0, Friction.NESTEROV: "3/t"}.get(self.friction)
        values: dict[str, Any] = {} if friction is None else {"friction": friction}
        if isinstance(self.metric, Mirror):
            values["hessian"] = self.metric.describe()
        return {"momentum": values} if values else "momentum"

    def fields(self, model: Model) -> VectorFields:
        """Return the fields on (θ, p, s)."""
        gradients = model.fields()
        if isinstance(self.metric, Mirror):
            return MetricFields(gradients, self.friction, self._chart(model))
        kind = SteppingFields if gradients.everywhere else MomentumFields
        return kind(gradients, self.friction)

    def laws(self, model: Model) -> Laws:
        """Return Noether's laws (module docstring)."""
        arrays = Arrays.of(model)
        families = charges(model, self._scales(model), self.friction)
        moving = linear(model.laws(), arrays, self._scales(model), self.friction)
        found = join([*(listed(each, arrays.size) for each in families), *moving])
        return curved(found, self._chart(model), arrays.size, 2 * arrays.size + 1)

    def kept(self, model: Model, families: Sequence[Family]) -> Sequence[Family]:
        """Return them as families."""
        arrays, scales = Arrays.of(model), self._scales(model)
        moving = (standing(family, arrays, scales, self.friction) for family in families)
        still = any(isinstance(family, Named) for family in families)  # its spaces rotate as well
        turning = charges(model, scales, self.friction, None if still else families)
        return [*turning, *chain.from_iterable(moving)]

    def motion(self, model: Model, decay: float | None) -> Motion:
        """Return ``θ' = M(θ) v, v' = −τ(t) v − ∇L``."""
        return HeavyBall(Metrics(self._chart(model), Arrays.of(model).size), self.friction)

    def _chart(self, model: Model) -> Chart:
        return self.metric.chart(model) if isinstance(self.metric, Mirror) else Chart(())

    def _scales(self, model: Model) -> Mapping[str, Scale]:
        metric = self.metric if isinstance(self.metric, Mirror) else Mirror()
        return metric.scales(model)

    def timed(self, families: Sequence[Family]) -> int:
        """The factor of all that is linear in p is one, where it is not 1; what stands still has s
        in its positions, another, but where the factor moves them as well.
        """
        still = any(isinstance(each, Kept) and each.beside for each in families)
        return self.friction.turns * bool(families) + self.friction.shifts * still

    def coordinates(self, model: Model) -> Coordinates:
        """Return θ, p and s."""
        arrays, (extra, arguments) = Arrays.of(model), self.friction.clock
        dual = "velocity of the dual variable" if self.metric is not None else "velocity"
        why = self.metric.unsearched if isinstance(self.metric, Mirror) else ""
        given = (arrays.every, arrays.velocities, (extra,), arguments, dual, why)
        return Moving(*given, self.friction)


@dataclass(frozen=True, slots=True, eq=False)
class HeavyBall(Mirrored):
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

    def start(self, theta: Floats, rng: np.random.Generator) -> Floats:
        """Return θ with a velocity that is drawn, as laws are zero at rest."""
        return np.concatenate([theta, rng.standard_normal(len(theta))])

    def velocity(self, t: float, state: Floats, slope: Slope) -> Floats:
        """Return velocities and forces."""
        theta, velocity = np.split(state, 2)
        force = -self.friction.at(t, FRICTION)[0] * velocity - slope(theta)
        return np.concatenate([self.metrics.at(theta) * velocity, force])

    def theta(self, state: Floats) -> Floats:
        """Return the first half."""
        return state[: len(state) // 2]

    def coordinates(self, t: float, state: Floats) -> Floats:
        """Return ``(θ, p, s)``, p = e^{∫τ} v, and functions of the entries of θ."""
        _, growth, s = self.friction.at(t, FRICTION)
        theta, velocity = np.split(state, 2)
        functions = self.metrics.coordinates(theta)[len(theta) :]
        return np.concatenate([theta, growth * velocity, [s], functions])


@dataclass(frozen=True)
class Moving(Coordinates):
    """(θ, p, s) in θ, velocities and time."""

    friction: Friction = Friction.CONSTANT

    def written(self, terms: Sequence[Term]) -> list[tuple[Factor, list[Term]]]:
        """Return the terms with ``e^{∫τ}`` for every p, and s written out."""
        size = len(self.parameters)
        counts = [
            (sum(size <= e < 2 * size for e in monomial), sum(e == 2 * size for e in monomial))
            for _, monomial in terms
        ]
        most = max(times for _, times in counts)
        found = []
        for (number, monomial), (momenta, times) in zip(terms, counts, strict=True):
            factor, scale = self.friction.written(momenta, times, most)
            kept = monomial
            if self.friction is Friction.NESTEROV:
                kept = tuple(e for e in monomial if e != 2 * size)
            found.append((factor, (number * scale, kept)))
        return grouped(found)


@dataclass(frozen=True, slots=True)
class MomentumFields(Controlled):
    """The fields on (θ, p, s), with their drift (module docstring)."""

    friction: Friction

    @property
    def dimension(self) -> int:
        """2 D + 1."""
        return 2 * self.gradients.dimension + 1

    @property
    def held(self) -> int:
        """The state and a field beside the gradient."""
        return self.gradients.held + 4 * self.dimension

    def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[MomentumFields, Array]:
        """Draw θ where the gradients are defined, any p and s."""
        there, theta = self.gradients.at(field, rng)
        rest = field.random(rng, (1, self.dimension - theta.shape[1], 1))
        return replace(self, gradients=there), np.concatenate([theta, rest], axis=1)

    def evaluate(self, field: PrimeField, state: Array, probes: Array) -> Array:
        """Return ``(0, ∇F(θ), 0)``."""
        size = self.gradients.dimension
        gradients = self.gradients.evaluate(field, state[:, :size], probes)
        fields = np.zeros((len(gradients), *state.shape[1:]))
        fields[:, size:-1] = gradients
        return fields

    @property
    def transports(self) -> bool:
        """Whether the gradients do."""
        return isinstance(self.gradients, Transporting) and self.gradients.transports

    def carried(self, over: Series, state: Array, probes: Array) -> Array:
        """Return ``(0, ∇F, 0)``, and ``(−∇²F λ_p, 0, 0)`` for covectors ``(λ_θ, λ_p, λ_s)``
        (flows.Transporting).
        """
        assert isinstance(self.gradients, Transporting)
        size = self.gradients.dimension
        theta = np.concatenate([state[:, :size, :1], state[:, size:-1, 1:]], axis=2)
        gradients = self.gradients.carried(over, theta, probes)
        moved = np.zeros((len(gradients), *state.shape[1:]))
        moved[:, size:-1, 0], moved[:, :size, 1:] = gradients[..., 0], gradients[..., 1:]
        return moved

    def carried_drift(self, over: Series, state: Array) -> Array:
        """Return ``(p, 0, 1)``, and ``(0, −λ_θ, 0)`` for covectors."""
        size = self.gradients.dimension
        moved = np.zeros_like(state)
        moved[:, :size, 0], moved[:, -1, 0] = state[:, size:-1, 0], over.order == 0
        moved[:, size:-1, 1:] = -state[:, :size, 1:]
        return moved

    def drift(self, field: PrimeField, state: Array) -> Array:
        """Return ``(p, 0, 1)``."""
        size = self.gradients.dimension
        drift = np.zeros_like(state)
        drift[:, :size] = state[:, size:-1]
        drift[:, -1, 0] = 1
        return drift

    def clock(self, field: PrimeField, state: Array) -> Array:
        """Return the directions (k, 2 D + 1) at a state along which laws that do not depend on time
        are constant as well: ∂/∂t at fixed (θ, v), and what it generates.
        """
        size = self.gradients.dimension
        flat, rows = state[0, :, 0], np.zeros((2, self.dimension))
        rows[0, size:-1] = flat[size:-1]
        rows[0, -1] = 0 if self.friction.shifts else -flat[-1]
        rows[1, -1] = 1
        return rows[[self.friction.turns, self.friction.shifts]]

    def degree(self) -> tuple[int, int]:
        """Those of the gradients; the drift is linear."""
        state, probe = self.gradients.degree()
        return max(1, state), max(1, probe)


class SteppingFields(MomentumFields):
    """The same for polynomial gradients: flows of drift and controls are shears (orbit.Steps)."""

    __slots__ = ()

    def steps(
        self, field: PrimeField, rng: np.random.Generator, controls: int
    ) -> Iterator[Drifting | Kicked]:
        """Yield flows of the drift and of a random control by turns."""
        while True:
            drifting, kicked = field.random(rng, (2,)).tolist()
            yield Drifting(self, field, drifting)
            yield Kicked(self, field, self.sample(field, rng, controls), kicked)


@dataclass(frozen=True, slots=True)
class MetricFields(MomentumFields):
    """The same in a metric, on (x, p, s): x are the chart's coordinates of θ, p is the velocity of
    the dual variables.
    """

    chart: Chart

    @property
    def transports(self) -> bool:
        """Not done: the drift is no gradient."""
        return False

    def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[MomentumFields, Array]:
        """Draw x as for the mirror flow, any p and s."""
        there, state = super(MetricFields, self).at(field, rng)
        x = state[:, : self.gradients.dimension]
        x[x == 0] = 1
        return there, state

    def evaluate(self, field: PrimeField, state: Array, probes: Array) -> Array:
        """Return ``(0, ∇F(θ), 0)``."""
        size = self.gradients.dimension
        theta = self.chart.position(field, state[:, :size])
        return super(MetricFields, self).evaluate(
            field, np.concatenate([theta, state[:, size:]], axis=1), probes
        )

    def drift(self, field: PrimeField, state: Array) -> Array:
        """Return ``(dx/ds, 0, 1)``."""
        size = self.gradients.dimension
        drift = super(MetricFields, self).drift(field, state)
        drift[:, :size] = self.chart.velocity(field, state[:, :size], state[:, size:-1])
        return drift

    def degree(self) -> tuple[int, int]:
        """Return degrees of the numerators: of the gradient's, and of the drift's, linear in p."""
        state, probe = super(MetricFields, self).degree()
        return state + self.chart.degree + 1, probe

    def bits(self) -> float:
        """Bound the coefficients of the numerators."""
        return self.gradients.bits() + self.chart.bits


@dataclass(frozen=True, slots=True)
class Drifting:
    """``(θ, p, s) → (θ + c p, p, s + c)`` (orbit.Step)."""

    fields: MomentumFields
    field: PrimeField
    time: float

    def directions(self, state: Array) -> Array:
        """Return the drift."""
        return self.fields.drift(self.field, state)[..., 0]

    def move(self, states: Array) -> Array:
        """Return the images of states."""
        return self.field.reduce(states + self.time * self.fields.drift(self.field, states))


@dataclass(frozen=True, slots=True)
class Kicked:
    """``(θ, p, s) → (θ, p + c ∇F(θ), s)`` for the first of some controls (orbit.Step)."""

    fields: MomentumFields
    field: PrimeField
    probes: Array
    time: float

    def directions(self, state: Array) -> Array:
        """Return all controls."""
        return self.fields.evaluate(self.field, state, self.probes)[..., 0]

    def move(self, states: Array) -> Array:
        """Return the images of states."""
        probes = np.repeat(self.probes[:1], len(states), axis=0)
        moved = self.fields.evaluate(self.field, states, probes)
        moved *= self.time
        return self.field.reduce(states + moved)
