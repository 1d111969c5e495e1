"""Arrays of parameters, and how they and what moves with them are called."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conslaw_cli import checks
from conslaw_cli.errors import ArrayError
from conslaw_cli.flows import Model
from conslaw_cli.networks.wiring import Array

Index = NDArray[np.intp]


@dataclass(frozen=True)
class Arrays:
    """The arrays of a model that training moves, in the order of θ; their entries are not
    listed.
    """

    every: tuple[Array, ...]

    @classmethod
    def of(cls, model: Model) -> Arrays:
        """Return those of a model."""
        return cls(tuple(model.parameter_arrays()))

    @cached_property
    def size(self) -> int:
        """D."""
        return sum(array.size for array in self.every)

    @property
    def entries(self) -> dict[str, range]:
        """The indices of the entries of each array, by its name."""
        return {a.name: range(a.entries.start, a.entries.stop) for a in self.every}

    @property
    def matrices(self) -> tuple[str, ...]:
        """The names of matrices and kernels, which have several indices."""
        return tuple(array.name for array in self.every if len(array.shape) > 1)

    @cached_property
    def _starts(self) -> list[int]:
        return [array.entries.start for array in self.every]

    def at(self, entry: int) -> Array:
        """Return the array of a parameter."""
        return self.every[bisect_right(self._starts, entry) - 1]

    def velocity(self, name: str) -> str:
        """Return the name of an array's velocity: V1 of U1, c1 of b1, where no array is called so;
        x_dot of any other x.
        """
        letters = name.rstrip("0123456789")
        other = {"U": "V", "b": "c"}.get(letters if letters != name else "")
        own = f"{other}{name.removeprefix(letters)}"
        return own if other and own not in self.entries else name + self._dot

    @cached_property
    def _dot(self) -> str:
        dot, names = "_dot", self.entries.keys()
        while any(name + dot in names for name in names):
            dot += "_dot"
        return dot

    @property
    def velocities(self) -> tuple[Array, ...]:
        """Those of the velocities, which stand behind θ."""
        return tuple(
            Array(
                self.velocity(each.name),
                each.shape,
                slice(self.size + each.entries.start, self.size + each.entries.stop),
            )
            for each in self.every
        )

    def checked(self, where: str, names: Iterable[str]) -> tuple[str, ...]:
        """Return names of arrays in the order of θ. Raise ArrayError for any other."""
        given, known = list(names), list(self.entries)
        for name in given:
            if name not in known:
                shown = ", ".join(known[:20]) + ", …" * (len(known) > 20)
                message = f"flow: {where}: expected arrays among {shown}, got {name!r}"
                raise ArrayError(message + checks.near(name, known), name)
        return tuple(name for name in known if name in given)


def label(flow: str | Mapping[str, Any]) -> str:
    """Return what ``flow:`` holds as one line of text, ``momentum: {friction: 0}``."""
    text = _flow_style(flow)
    return text if isinstance(flow, str) else text[1:-1]


def _flow_style(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_flow_style(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow_style, value))}]"
    return str(value)
