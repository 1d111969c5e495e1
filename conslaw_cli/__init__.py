"""Conservation laws of gradient flows, counted, found and certified.

The public names; they are imported when first used, so that importing the package costs nothing.
A type checker sees them at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conslaw_cli.errors import ConslawError, MemoryBudgetError, SpecError
    from conslaw_cli.families.attention import Attention
    from conslaw_cli.families.formulas.custom import CustomMap
    from conslaw_cli.families.formulas.fields import CustomFields
    from conslaw_cli.families.layers import Branch, Layers
    from conslaw_cli.families.mlp import MLP
    from conslaw_cli.flows.decay import Decay
    from conslaw_cli.flows.friction import Friction
    from conslaw_cli.flows.gradient import Gradient
    from conslaw_cli.flows.metrics import Hypentropy, Power
    from conslaw_cli.flows.mirror import Mirror
    from conslaw_cli.flows.momentum import Momentum
    from conslaw_cli.laws.polynomials import find_laws
    from conslaw_cli.laws.search import LawSearch
    from conslaw_cli.lie.count import count_laws
    from conslaw_cli.networks.operations.convolution import Convolution, Pool, TransposedConvolution
    from conslaw_cli.networks.operations.dense import Linear
    from conslaw_cli.networks.operations.elementwise import Activation
    from conslaw_cli.networks.operations.reshape import Flat
    from conslaw_cli.problems.problem import Loss, Problem
    from conslaw_cli.problems.records import LawCount
    from conslaw_cli.simulation.simulate import Training, simulate

__version__ = "0.1.0"
__all__ = [
    "MLP",
    "Activation",
    "Attention",
    "Branch",
    "ConslawError",
    "Convolution",
    "CustomFields",
    "CustomMap",
    "Decay",
    "Flat",
    "Friction",
    "Gradient",
    "Hypentropy",
    "LawCount",
    "LawSearch",
    "Layers",
    "Linear",
    "Loss",
    "MemoryBudgetError",
    "Mirror",
    "Momentum",
    "Pool",
    "Power",
    "Problem",
    "SpecError",
    "Training",
    "TransposedConvolution",
    "__version__",
    "count_laws",
    "find_laws",
    "simulate",
]

_HOMES = {
    "lie.count": ("count_laws",),
    "errors": ("ConslawError", "MemoryBudgetError", "SpecError"),
    "families.attention": ("Attention",),
    "families.formulas.custom": ("CustomMap",),
    "families.formulas.fields": ("CustomFields",),
    "families.layers": ("Branch", "Layers"),
    "families.mlp": ("MLP",),
    "flows.decay": ("Decay",),
    "flows.friction": ("Friction",),
    "flows.gradient": ("Gradient",),
    "flows.metrics": ("Hypentropy", "Power"),
    "flows.mirror": ("Mirror",),
    "flows.momentum": ("Momentum",),
    "laws.polynomials": ("find_laws",),
    "laws.search": ("LawSearch",),
    "networks.operations.convolution": ("Convolution", "Pool", "TransposedConvolution"),
    "networks.operations.dense": ("Linear",),
    "networks.operations.elementwise": ("Activation",),
    "networks.operations.reshape": ("Flat",),
    "problems.problem": ("Loss", "Problem"),
    "problems.records": ("LawCount",),
    "simulation.simulate": ("Training", "simulate"),
}
"""The modules of the public names."""

if not TYPE_CHECKING:  # a type checker would take every name for one that there is

    def __getattr__(name: str) -> object:
        for module, names in _HOMES.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
