"""All operations.

A new one is a class in a file of its kin, or a file, and a line here: graphs, counts, texts and the
tests of its laws follow.
"""

from __future__ import annotations

from conslaw_cli.networks.operation import Operation
from conslaw_cli.networks.operations.convolution import (
    Averages,
    Convolution,
    Grouped,
    Means,
    Picked,
    Pool,
    Spread,
    TransposedConvolution,
    Windows,
)
from conslaw_cli.networks.operations.dense import Linear, Pointwise
from conslaw_cli.networks.operations.elementwise import Activation, Exp, Power, Smooth
from conslaw_cli.networks.operations.product import Add, Multiply
from conslaw_cli.networks.operations.reshape import Flat

OPERATIONS: tuple[type[Operation], ...] = (
    Linear,
    Activation,
    Power,
    Exp,
    Smooth,
    Convolution,
    TransposedConvolution,
    Pool,
    Flat,
    Add,
    Multiply,
    Pointwise,
    Grouped,
    Windows,
    Spread,
    Averages,
    Picked,
    Means,
)
