"""The spaces of units behind a model's gradients."""

from __future__ import annotations

from collections.abc import Sequence

from conslaw_cli.flows import VectorFields
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.wiring import Space


def spaces(gradients: VectorFields) -> Sequence[Space]:
    """Return which parameters write and read which units; nothing for a φ of one's own, which has
    none.
    """
    return gradients.spaces() if isinstance(gradients, GradientFields) else ()
