"""Conservation laws of gradient flows, counted, found and certified.

The public names; they are imported when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "MLP": "families.mlp",
    "Layers": "families.layers",
    "Attention": "families.attention",
    "LawCount": "report",
    "LawSearch": "polynomials",
    "count_laws": "count",
    "find_laws": "polynomials",
    "ConslawError": "errors",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
