"""Which known laws of gradient flow a flow says that it keeps, held against its fields."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from conslaw_cli import MLP, Activation, Branch, Convolution, Flat, Layers, Linear, Problem
from conslaw_cli.algebra.field import Array
from conslaw_cli.flows import Flow
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.gradient import GRADIENT, Gradient
from conslaw_cli.flows.listed import FLOWS
from conslaw_cli.flows.metrics import Power
from conslaw_cli.flows.mirror import Mirror
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.lie.closure import Sampler
from conslaw_cli.lie.trials import fresh

RELU, CIRCLE = Activation("relu"), Convolution(1, (4,), (1,), "circular")
STILL = MLP((2, 3, 1), "relu", loss="cross_entropy")
"""Nothing moves: its laws are one family, which no factor of some arrays alone is one of."""
NETWORKS = [
    MLP((2, 3, 2), "linear", "hidden"),
    MLP((2, 3, 2), "relu", "all", "cross_entropy"),
    STILL,
    Layers((2,), (Linear(2, True), RELU, Branch((Linear(2),)), Linear(2))),
    Layers((3,), (Branch((Linear(3),)), Linear(1))),
    Layers((1, 4), (CIRCLE, CIRCLE, RELU, Flat(), Linear(2))),
]
SHARP: Sequence[Flow] = [
    GRADIENT,
    Decay(),
    *(Decay(each) for each in (("U1",), ("U2",), ("U1", "U2"), ("U1", "b1"))),
]
"""Flows that keep whatever stays a law."""
OTHERS: Sequence[Flow] = [
    Momentum(),
    Mirror((("U1", Power(1)),)),
    Mirror((), (("U1", Fraction(3)),)),
]


def test_all_flows_are_asked() -> None:
    assert {type(flow) for flow in (*SHARP, *OTHERS)} == set(FLOWS)
    assert type(GRADIENT) is Gradient


def moved(problem: Problem, sampler: Sampler) -> Array:
    """Return the derivatives of the known laws of gradient flow along fields, laws × fields."""
    fields, field = sampler.fields, sampler.field
    laws, size = problem.architecture.laws(), problem.parameters
    rows = np.concatenate([*laws.gradients(sampler.theta[0, :size, 0], len(laws))])
    along = fields.evaluate(field, sampler.theta, fields.sample(field, sampler.rng, 8))[..., 0]
    drift = fields.drift(field, sampler.theta)
    along = along if drift is None else np.append(along, drift[..., 0], axis=0)
    return field.matmul(field.reduce(rows), field.reduce(along[:, :size]).T) % field.p


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: each.name)
@pytest.mark.parametrize("flow", [*SHARP, *OTHERS], ids=str)
def test_what_is_kept_is_constant_along_the_fields(network: MLP | Layers, flow: Flow) -> None:
    names = {name.partition("[")[0] for name in network.parameter_names()}
    if isinstance(flow, Decay) and not names.issuperset(flow.only or ()):
        return
    problem = Problem(network, flow)
    kept = [problem.flow.keeps(family) for family in network.laws().families]
    ends = np.cumsum([family.size for family in network.laws().families])[:-1]
    derivatives = moved(problem, fresh(problem.fields(), np.random.default_rng(0)))
    constant = [not part.any() for part in np.split(derivatives, ends)]
    assert all(c for c, k in zip(constant, kept, strict=True) if k)
    if flow in SHARP and (network is not STILL or kept == [True]):
        assert kept == constant
    if any(kept):
        sizes = zip(kept, network.laws().families, strict=True)
        assert len(problem.laws()) == sum(k * family.size for k, family in sizes)
