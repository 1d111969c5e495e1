"""The symmetries of a flow's fields, from those of the gradients behind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conslaw_cli.flows import System
from conslaw_cli.laws.symmetry import NONE, Symmetry, none, symmetry
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.problems.problem import Problem


def symmetry_of(problem: Problem) -> Symmetry:
    """Return what splits the monomials in a state's coordinates: the labels of the parameters,
    where the flow treats all entries of an array alike and no power of one by itself.
    """
    gradients, dynamics = problem.architecture.fields(), problem.flow.dynamics
    one = symmetry(gradients) if isinstance(gradients, GradientFields) else none(problem.parameters)
    if not dynamics.isometric:
        return none(problem.state)
    alone = np.full((int(dynamics.clock), 2), NONE)
    dilated = dynamics.system is System.DILATED
    return replace(
        one,
        labels=np.concatenate([one.labels] * dynamics.copies + [alone]),
        strides=np.concatenate([one.strides] * dynamics.copies + [0 * alone]),
        homogeneous=dilated or (one.homogeneous and not dynamics.clock),
    )
