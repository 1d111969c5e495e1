"""All flows."""

from __future__ import annotations

from conslaw_cli.flows import Flow
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.gradient import Gradient
from conslaw_cli.flows.mirror import Mirror
from conslaw_cli.flows.momentum import Momentum

FLOWS: tuple[type[Flow], ...] = (Gradient, Momentum, Decay, Mirror)
"""In the order in which they are listed."""
