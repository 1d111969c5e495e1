"""The symmetries of flows' fields, from those of the gradients behind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conslaw_cli.flows import VectorFields
from conslaw_cli.flows.decay import DecayFields
from conslaw_cli.flows.mirror import MirrorFields
from conslaw_cli.flows.momentum import MetricFields, MomentumFields
from conslaw_cli.laws.symmetry import NONE, Symmetry, none, symmetry
from conslaw_cli.networks.gradients import GradientFields


def symmetry_of(fields: VectorFields) -> Symmetry:
    """Return what splits the monomials in a state's coordinates: the labels of the parameters,
    where the flow treats all entries of an array alike and no power of one by itself.
    """
    if isinstance(fields, GradientFields):
        return symmetry(fields)
    if isinstance(fields, MomentumFields) and not isinstance(fields, MetricFields):
        # Flips and permutations of θ, and the same of p; s has none. Laws mix degrees: θ and s p.
        return _stacked(symmetry_of(fields.gradients), 2, homogeneous=False)
    if isinstance(fields, DecayFields):
        # The family is that of homogeneous components, of degrees in what decays.
        return _stacked(symmetry_of(fields.gradients), 1, homogeneous=bool(fields.decays.all()))
    if isinstance(fields, MirrorFields) and fields.chart.constant:
        return symmetry_of(fields.gradients)
    return none(fields.dimension)


def _stacked(one: Symmetry, copies: int, *, homogeneous: bool) -> Symmetry:
    """Return the symmetry of several copies of the parameters and one coordinate more."""
    alone = np.full((1, 2), NONE)
    return replace(
        one,
        labels=np.concatenate([one.labels] * copies + [alone]),
        strides=np.concatenate([one.strides] * copies + [0 * alone]),
        homogeneous=homogeneous,
    )
