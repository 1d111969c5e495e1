"""Arrays of parameters and their names, read off the names of the entries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conslaw_cli import checks
from conslaw_cli.errors import SpecError
from conslaw_cli.flows import Model
from conslaw_cli.networks.gradients import GradientFields

Index = NDArray[np.intp]


class ArrayError(SpecError):
    """A flow names an array that the model has not. name: that array."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Arrays:
    """The arrays of a model: the names of all parameters, such as ``U1[2,3]``, in the order of θ.

    A parameter whose name has no index, such as a variable of one's own φ, is an array of one.
    """

    names: tuple[str, ...]

    @classmethod
    def of(cls, model: Model) -> Arrays:
        """Return those of a model."""
        return cls(tuple(model.parameter_names()))

    def array(self, entry: int) -> str:
        """Return the array of a parameter."""
        return array(self.names[entry])

    def velocities(self) -> tuple[str, ...]:
        """Return the names of the velocities of all parameters."""
        return tuple(velocity(array(name)) + name[len(array(name)) :] for name in self.names)


@dataclass(frozen=True, slots=True)
class Outline:
    """The arrays of a model by name, with the indices of their entries, and which of them are
    matrices or kernels; no entry is listed.
    """

    entries: Mapping[str, range]
    matrices: tuple[str, ...]

    @classmethod
    def of(cls, model: Model) -> Outline:
        """Return that of a model; the variables of a φ of one's own are arrays of one entry."""
        fields = model.fields()
        if isinstance(fields, GradientFields):
            entries = dict(fields.arrays())
            return cls(entries, tuple(name for name in entries if not name.startswith("b")))
        names = model.parameter_names()
        return cls({name: range(e, e + 1) for e, name in enumerate(names)}, ())

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
