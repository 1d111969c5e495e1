"""The symmetries of flows' fields, from those of the gradients behind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conslaw_cli.flows import Copied, Copying, VectorFields
from conslaw_cli.laws.symmetry import NONE, Symmetry, none, symmetry
from conslaw_cli.networks.gradients import GradientFields


def symmetry_of(fields: VectorFields) -> Symmetry:
    """Return what splits the monomials in a state's coordinates: the labels of the parameters,
    where the flow treats all entries of an array alike and no power of one by itself.
    """
    if isinstance(fields, GradientFields):
        return symmetry(fields)
    copied = fields.copied if isinstance(fields, Copying) else None
    if copied is None:
        return none(fields.dimension)
    return _stacked(symmetry_of(copied.gradients), copied, fields.dimension)


def _stacked(one: Symmetry, copied: Copied, dimension: int) -> Symmetry:
    """Return the symmetry of several copies of the parameters and of what is left."""
    left = dimension - copied.copies * copied.gradients.dimension
    alone = np.full((left, 2), NONE)
    return replace(
        one,
        labels=np.concatenate([one.labels] * copied.copies + [alone]),
        strides=np.concatenate([one.strides] * copied.copies + [0 * alone]),
        homogeneous=one.homogeneous if copied.homogeneous is None else copied.homogeneous,
    )
