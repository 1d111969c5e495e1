"""Which families of known laws a flow says that it keeps, held against its laws and its fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from graphs import Given, random_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from conslaw_cli import MLP, Activation, Branch, Convolution, Flat, Layers, Linear, Problem
from conslaw_cli.algebra.field import Array
from conslaw_cli.flows import Asked, Flow
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.gradient import GRADIENT, Gradient
from conslaw_cli.flows.listed import FLOWS
from conslaw_cli.flows.metrics import Power
from conslaw_cli.flows.mirror import Mirror, Shorthand
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.lie.closure import Sampler
from conslaw_cli.lie.trials import fresh
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Family

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


METRICS: list[Asked] = [Shorthand("nmf"), Momentum(metric=Shorthand("nmf"))]


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


def families(laws: Iterable[Family]) -> list[tuple[str, str, str, int]]:
    return [(each.text, each.latex, each.shape, each.size) for each in laws]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: each.name)
@pytest.mark.parametrize("flow", [*SHARP, *OTHERS], ids=str)
def test_families_are_those_of_the_laws_that_are_listed(network: MLP | Layers, flow: Flow) -> None:
    if not asked_of(flow, network):
        return
    problem = Problem(network, flow)
    kept, laws = problem.families(), problem.laws()
    assert kept is not None
    assert families(kept) == families(laws.families)
    assert problem.known_listed == len(laws)


@given(random_graphs(), st.sampled_from([GRADIENT, Decay(), Momentum(), *METRICS]))
@settings(max_examples=100, deadline=None)
def test_of_graphs(graph: Graph, flow: Asked) -> None:
    problem = Problem(Given(graph), flow)  # type: ignore[arg-type]
    assert families(problem.families() or ()) == families(problem.laws().families)


def asked_of(flow: Flow, network: MLP | Layers) -> bool:
    names = {name.partition("[")[0] for name in network.parameter_names()}
    return not isinstance(flow, Decay) or names.issuperset(flow.only or ())


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: each.name)
@pytest.mark.parametrize("flow", SHARP, ids=str)
def test_what_is_kept_is_what_is_constant_along_the_fields(
    network: MLP | Layers, flow: Flow
) -> None:
    if network is STILL or not asked_of(flow, network):
        return
    problem, every = Problem(network, flow), network.laws().families
    derivatives = moved(problem, fresh(problem.fields(), np.random.default_rng(0)))
    parts = np.split(derivatives, np.cumsum([family.size for family in every])[:-1])
    bases = [getattr(family, "base", family).text for family in problem.families() or ()]
    pairs = zip(every, parts, strict=True)
    assert bases == [family.text for family, part in pairs if not part.any()]
