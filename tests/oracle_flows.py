"""A slow, plain count of the laws of training dynamics other than gradient flow, to check the
engine against.

Every dynamics is written down as it stands, ``state' = f_0(state) + Σ_a u_a(t) X_a(state)`` with
time as a coordinate of the state where the dynamics has a drift, as explicit polynomial vector
fields; nothing is transformed away. A function of the state, time included, is a law if it is
constant along f_0 and along every X_a, so there are ``dim(state) − dim Lie(f_0, X_a)`` of them.
Laws that do not depend on time are constant along ``∂_t`` as well.

The gradients X_a and the brackets are those of oracle.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import oracle
import oracle_layers
from oracle import Field, Poly
from sympy import ZZ
from sympy.polys.rings import ring

from conslaw_cli.families.mlp import MLP

Metric = Callable[[Poly], Poly]
"""The entry of a diagonal metric, as a function of its own parameter."""


@dataclass(frozen=True)
class Count:
    """What the oracle finds. ``timeless``: how many laws do not depend on time."""

    state: int
    dim_lie: int
    timeless: int

    @property
    def laws(self) -> int:
        return self.state - self.dim_lie


class Phase:
    """The state (θ, v, t) of a second-order dynamics, or (θ, t) of one of first order, and the
    gradients of φ as polynomials on it.
    """

    def __init__(self, mlp: MLP, order: int) -> None:
        theta = oracle.Parameters(mlp)
        names = [str(x) for x in theta.gens]
        velocities = [f"v_{x}" for x in names] if order == 2 else []
        self.gens: tuple[Poly, ...] = ring([*names, *velocities, "t"], ZZ)[1:]
        self.size = len(names)
        self.gradients = [
            tuple(self.moved(entry) for entry in field) for field in oracle.generators(mlp, theta)
        ]

    def moved(self, poly: Poly) -> Poly:
        """Return a polynomial in θ as one on the state."""
        start = 0 * self.gens[0]
        return sum((int(c) * self._monomial(e) for e, c in poly.terms()), start=start)

    def _monomial(self, exponents: Sequence[int]) -> Poly:
        product = self.gens[0] ** 0
        for x, e in zip(self.gens, exponents, strict=False):
            product *= x**e
        return product

    @property
    def theta(self) -> tuple[Poly, ...]:
        return self.gens[: self.size]

    @property
    def velocity(self) -> tuple[Poly, ...]:
        return self.gens[self.size : -1]

    @property
    def time(self) -> Poly:
        return self.gens[-1]


def momentum(mlp: MLP, friction: int | str = 0, metric: Sequence[Metric] | None = None) -> Count:
    """Count the laws of ``θ' = M(θ) v, v' = −τ v − ∇F``, the heavy ball for M = 1: there v is the
    velocity, else the velocity of the dual variable ``∇ψ(θ)``, ψ'' = M^-1.

    friction: a constant τ, or "3/t". The latter is multiplied by t, as are the controls, which
    changes the speed along the orbits and nothing else.
    """
    phase = Phase(mlp, 2)
    zero, one = 0 * phase.time, phase.time**0
    if friction == "3/t":
        slow, damping = phase.time, -3 * one
    else:
        slow, damping = one, -int(friction) * one
    scale = metric or [lambda x: x**0] * phase.size
    drift = (
        *(slow * m(x) * v for m, x, v in zip(scale, phase.theta, phase.velocity, strict=True)),
        *(damping * v for v in phase.velocity),
        slow,
    )
    still = (zero,) * phase.size
    controls = [(*still, *field, zero) for field in phase.gradients]
    return _counted(phase.gens, [drift, *controls])


def decay(mlp: MLP, decayed: Callable[[str], bool] = lambda name: True) -> Count:
    """Count the laws of ``θ' = −λ θ − ∇F`` with weight decay of the parameters whose names (as in
    ``U1_0_0``, ``b1_0``) pass ``decayed``; λ = 1, which is a choice of the unit of time.
    """
    phase = Phase(mlp, 1)
    zero, one = 0 * phase.time, phase.time**0
    drift = (*(-x if decayed(str(x)) else zero for x in phase.theta), one)
    return _counted(phase.gens, [drift, *((*field, zero) for field in phase.gradients)])


def decay_of(phi: oracle_layers.Map) -> Count:
    """Count the laws of weight decay of all parameters for any polynomial φ."""
    names = [str(x) for x in phi.gens]
    gens: tuple[Poly, ...] = ring([*names, "t"], ZZ)[1:]
    zero, one = 0 * gens[-1], gens[-1] ** 0
    drift = (*(-x for x in gens[:-1]), one)
    fields = [(*(entry.set_ring(gens[0].ring) for entry in field), zero) for field in phi.fields()]
    return _counted(gens, [drift, *fields])


def mirror(mlp: MLP, metric: Sequence[Metric]) -> Count:
    """Count the laws of ``θ' = −M(θ) ∇F`` with a polynomial diagonal metric M."""
    theta = oracle.Parameters(mlp)
    fields = [
        tuple(m(x) * entry for m, x, entry in zip(metric, theta.gens, field, strict=True))
        for field in oracle.generators(mlp, theta)
    ]
    dimension = _dimension(theta.gens, fields)
    laws = len(theta.gens) - dimension
    return Count(len(theta.gens), dimension, laws)


def rational(rate: Fraction) -> Metric:
    """Return a constant metric, up to a common factor of all of them that only changes the
    controls: rates are given over the same denominator.
    """
    return lambda x: int(rate) * x**0


def common(rates: Sequence[Fraction]) -> list[Metric]:
    """Return constant metrics in the ratios of these rates, with integer entries."""
    scale = lcm(*(rate.denominator for rate in rates))
    return [rational(rate * scale) for rate in rates]


def _counted(gens: Sequence[Poly], fields: list[Field]) -> Count:
    one, zero = gens[0] ** 0, 0 * gens[0]
    time: Field = (*(zero for _ in gens[:-1]), one)
    state, dim_lie = len(gens), _dimension(gens, fields)
    return Count(state, dim_lie, state - _dimension(gens, [*fields, time]))


def _dimension(gens: Sequence[Any], fields: list[Field]) -> int:
    """Return the dimension of the generated Lie algebra at a random integer point."""
    present = [field for field in fields if any(field)]
    if not present:
        return 0
    return oracle.closure(present, gens, oracle.random_point(len(gens), 1))[-1]
