"""Flows in numbers keep every known law, whatever the architecture, the flow and the loss."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from trained import NETWORKS, OTHERS

from conslaw_cli.families.mlp import MLP
from conslaw_cli.flows import Asked
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.gradient import Gradient
from conslaw_cli.flows.metrics import Hypentropy, Metric, Power
from conslaw_cli.flows.mirror import Mirror, Shorthand
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.flows.names import Arrays
from conslaw_cli.problems.problem import Architecture, Loss, Problem
from conslaw_cli.simulation.simulate import Training, simulate

pytest.importorskip("scipy")

EVERY = NETWORKS | OTHERS
METRICS: tuple[Metric, ...] = (Power(2), Hypentropy(Fraction(1, 2)), Power(0), Power(3), Power(1))


def metrics(model: Architecture) -> Mirror:
    """A metric and a rate of its own for every array."""
    names = [*Arrays.of(model).entries]
    chosen = tuple((name, METRICS[i % len(METRICS)]) for i, name in enumerate(names))
    return Mirror(chosen, tuple((name, Fraction(1, 2)) for name in names[:1]))


def rates(model: Architecture) -> Mirror:
    return Mirror(rates=tuple((name, Fraction(1, 3)) for name in [*Arrays.of(model).entries][1:]))


def flows(model: Architecture) -> dict[str, Asked]:
    first = next(iter(Arrays.of(model).entries))
    return {
        "gradient": Gradient(),
        "momentum": Momentum(),
        "momentum without friction": Momentum(Friction.NONE),
        "Nesterov": Momentum(Friction.NESTEROV),
        "decay": Decay(),
        "decay of one array": Decay((first,)),
        "nmf": Shorthand("nmf"),
        "metrics": metrics(model),
        "rates": rates(model),
        "momentum in metrics": Momentum(Friction.CONSTANT, metrics(model)),
        "momentum at rates": Momentum(Friction.NESTEROV, rates(model)),
    }


FLOWS = [*flows(MLP((2, 2)))]


def losses(model: Architecture) -> list[Loss]:
    return [*Loss] if isinstance(model, MLP) else [Loss(model.loss)]


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("name", EVERY)
def test_the_flow_keeps_every_known_law(name: str, flow: str) -> None:
    for loss in losses(EVERY[name]):
        problem = Problem(EVERY[name], flows(EVERY[name])[flow], loss=loss)  # type: ignore[arg-type]
        training = Training(lr=0.02, steps=10, samples=3, seed=2, tolerance=1e-9)
        (run,) = simulate(problem, ("flow",), training).runs
        assert run.ended is None
        for watch in run.watches:
            assert watch.error is not None
            assert watch.error < 100 * training.tolerance, (loss, watch.text, watch.error)


@pytest.mark.parametrize("flow", ["gradient", "momentum", "decay", "rates"])
def test_a_flow_that_slides_keeps_them_too(flow: str) -> None:
    """Where gates push back from both sides; small steps of gradient descent chatter there."""
    network = MLP((3, 4, 2), "relu")
    training = Training(lr=0.01, steps=150)
    (run,) = simulate(Problem(network, flows(network)[flow]), ("flow",), training).runs  # type: ignore[arg-type]
    assert (run.ended, run.times[-1]) == (None, 1.5)
    assert (run.slides is None) == (flow == "momentum")  # which crosses borders
    for watch in run.watches:
        assert watch.moved < 100 * training.tolerance
    if flow == "gradient":
        (steps,) = simulate(network, ("gd",), Training(lr=0.001, steps=1500)).runs
        assert np.abs(steps.thetas[-1] - run.thetas[-1]).max() < 1e-3
