"""Arrays of parameters and their names, read off the names of the entries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Arrays:
    """The arrays of a model: the names of all parameters, such as ``U1[2,3]``, in the order of θ.

    A parameter whose name has no index, such as a variable of one's own φ, is an array of one.
    """

    names: tuple[str, ...]

    def members(self) -> dict[str, list[int]]:
        """Return the indices of each array's entries, in the order of θ."""
        found: dict[str, list[int]] = {}
        for e, name in enumerate(self.names):
            found.setdefault(array(name), []).append(e)
        return found

    def of(self, entry: int) -> str:
        """Return the array of a parameter."""
        return array(self.names[entry])

    def velocities(self) -> list[str]:
        """Return the names of the velocities of all parameters."""
        return [velocity(array(name)) + name[len(array(name)) :] for name in self.names]


def array(name: str) -> str:
    """Return the array that an entry such as ``U1[2,3]`` belongs to."""
    return name.partition("[")[0]


def velocity(name: str) -> str:
    """Return the name of an array's velocity: V1 of U1, c1 of b1, x_dot of any other x."""
    found = re.fullmatch(r"([Ub])([0-9]+)", name)
    return {"U": "V", "b": "c"}[found[1]] + found[2] if found else f"{name}_dot"


def latex(name: str) -> str:
    """Return an array's name in LaTeX: ``U_{1}`` for U1, a dot for a velocity without a name."""
    if name.endswith("_dot"):
        return rf"\dot{{{latex(name.removesuffix('_dot'))}}}"
    found = re.fullmatch(r"([A-Za-z]+)_?([0-9]+)", name)
    return f"{found[1]}_{{{found[2]}}}" if found else name


def entries(names: Sequence[str]) -> Arrays:
    """Return the arrays of these parameters."""
    return Arrays(tuple(names))
