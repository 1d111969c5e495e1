"""Laws that are Abelian integrals, along training."""

from __future__ import annotations

import math

import numpy as np
import pytest

from conslaw_cli import MLP, Training, simulate
from conslaw_cli.simulation.runs import Watch, What


def watched(widths: tuple[int, ...], optimizer: str, training: Training, **more: object) -> Watch:
    simulation = simulate(MLP(widths, "linear"), (optimizer,), training, **more)  # type: ignore[arg-type]
    (run,) = simulation.runs
    (found,) = [watch for watch in run.watches if watch.what is What.INTEGRAL]
    return found


@pytest.mark.parametrize("widths", [(1, 2, 2, 1), (1, 3, 3, 1), (1, 2, 3, 1), (2, 1, 3, 2, 1, 2)])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_flow_keeps_them(widths: tuple[int, ...], seed: int) -> None:
    pytest.importorskip("scipy")
    watch = watched(widths, "flow", Training(lr=0.02, steps=100, seed=seed, tolerance=1e-13))
    assert watch.values.shape == (101, min(widths[-3], widths[-2]) - 1 if len(widths) == 4 else 1)
    assert watch.error is not None
    assert watch.error < 1e-12


def test_steps_move_them_less_the_smaller_they_are() -> None:
    rates = (0.04, 0.02, 0.01)
    drifts = [
        watched((1, 2, 2, 1), "gd", Training(lr=lr, steps=round(0.8 / lr), seed=1)) for lr in rates
    ]
    assert all(each.predicted is None for each in drifts)
    moved = [each.moved for each in drifts]
    assert moved[0] / moved[1] == pytest.approx(2, rel=0.2)
    assert moved[1] / moved[2] == pytest.approx(2, rel=0.2)


def test_where_branch_points_coincide_it_is_said() -> None:
    balanced = {"U1": np.eye(1, 2), "U2": np.eye(2), "U3": np.eye(2, 1)}
    watch = watched((1, 2, 2, 1), "gd", Training(steps=3), at=balanced)
    assert watch.text == "Abelian integrals of U1, U2, U3: branch points coincide"
    assert math.isnan(watch.moved)


def test_others_have_none() -> None:
    runs = simulate(MLP((1, 2, 2, 1), "relu"), ("gd",), Training(steps=3)).runs
    assert all(watch.what is not What.INTEGRAL for run in runs for watch in run.watches)
