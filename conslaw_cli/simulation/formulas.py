"""A φ of formulas in floats: its normal form (families/formulas/terms.py) and its derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from conslaw_cli.families.formulas.terms import (
    Base,
    Function,
    Graph,
    Prime,
    Sum,
    Term,
    Variable,
    below_of,
)
from conslaw_cli.simulation.integrator import Vector

_HALF_ROOT = math.sqrt(math.pi) / 2
_VALUES: dict[str, Callable[[float, float], float]] = {
    "exp": lambda x, _: math.exp(x),
    "log": lambda x, _: math.log(x),
    "tan": lambda x, scale: math.tan(scale * x),
    "erf": lambda x, scale: _HALF_ROOT * math.erf(scale * x),
    "number": lambda *_: 1 / _HALF_ROOT,
}
"""Values of functions (families/formulas/functions.py) at an argument and the number that their
slope begins with.
"""


class _Product(NamedTuple):
    """A coefficient times powers of bases, in floats."""

    coefficient: float
    factors: tuple[tuple[int, float], ...]

    @classmethod
    def of(cls, term: Term) -> _Product:
        """Return that of a term."""
        return cls(float(term.coefficient), tuple((i, float(e)) for i, e in term.factors))

    def value(self, values: Sequence[float]) -> float:
        """Return its value; nan where it has none."""
        return self.coefficient * _powers(self.factors, values)

    def pull(self, weight: float, values: Sequence[float], bars: list[float]) -> None:
        """Add a multiple of its derivatives by the bases."""
        for place, (i, e) in enumerate(self.factors):
            rest = (*self.factors[:place], (i, e - 1), *self.factors[place + 1 :])
            bars[i] += weight * self.coefficient * e * _powers(rest, values)


class Formula:
    """The components of a φ, at one point at a time; values are those of all bases."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._outputs = [_Product.of(term) for term in graph.outputs]
        self._inner = [_inner(base) for base in graph.bases]
        self._slopes = [
            [_Product.of(each) for each in base.derivative(i)] if isinstance(base, Function) else []
            for i, base in enumerate(graph.bases)
        ]
        every = [power for base in graph.bases for power in below_of(base)]
        every += [power for term in graph.outputs for power in term.factors]
        self._positive = {i for i, e in every if e.denominator > 1}
        logarithms = (b for b in graph.bases if isinstance(b, Function) and b.kind == "log")
        self._positive |= {i for base in logarithms for i, _ in base.argument.factors}

    def __len__(self) -> int:
        """How many components there are."""
        return len(self._outputs)

    @property
    def signs(self) -> Vector:
        """The signs of the variables at the point near which φ is meant."""
        signs = np.ones(self._graph.variables)
        for base in self._graph.bases:
            if isinstance(base, Variable):
                signs[base.index] = base.sign
        return signs

    def defined(self, point: Vector) -> bool:
        """Whether φ is finite there, and what is under roots and logarithms positive."""
        values = self.values(point)
        under = [values[i] for i in self._positive]
        return bool(np.isfinite(self.components(values)).all() and np.greater(under, 0).all())

    def values(self, point: Vector) -> list[float]:
        """Return the values of the bases at a point of variables and constants; nan, or infinite,
        where they are not defined.
        """
        values = list[float]()
        for base, inner in zip(self._graph.bases, self._inner, strict=True):
            if isinstance(base, Variable):
                values.append(base.sign * float(point[base.index]))
            elif isinstance(base, Prime):
                values.append(float(base.value))
            elif isinstance(base, Sum):
                values.append(sum(product.value(values) for product in inner))
            else:
                values.append(base.sign * _function(base, inner[0].value(values)))
        return values

    def components(self, values: Sequence[float]) -> list[float]:
        """Return the components by the values of bases."""
        return [product.value(values) for product in self._outputs]

    def gradient(self, values: Sequence[float], weights: Vector) -> Vector:
        """Return the gradient of the components' sum with weights by variables and constants."""
        bars = [0.0] * len(values)
        for weight, product in zip(weights.tolist(), self._outputs, strict=True):
            product.pull(weight, values, bars)
        gradient = np.zeros(self._graph.variables)
        for i in range(len(values) - 1, -1, -1):
            base, weight = self._graph.bases[i], bars[i]
            if isinstance(base, Variable):
                gradient[base.index] += base.sign * weight
            elif isinstance(base, Function):
                weight *= sum(product.value(values) for product in self._slopes[i])
            for product in self._inner[i]:
                product.pull(weight, values, bars)
        return gradient


def _inner(base: Base) -> list[_Product]:
    """Return the terms of a sum, or the argument of a function."""
    if isinstance(base, Function):
        return [_Product.of(base.argument)]
    return [_Product.of(term) for term in base.terms] if isinstance(base, Sum) else []


def _function(base: Function, argument: float) -> float:
    try:
        return _VALUES[base.kind](argument, float(base.slope.coefficient))
    except (ValueError, OverflowError):
        return math.nan


def _powers(factors: tuple[tuple[int, float], ...], values: Sequence[float]) -> float:
    product = 1.0
    try:
        for i, e in factors:
            product *= values[i] if e == 1 else math.pow(values[i], e)
    except (ValueError, OverflowError):  # a root of a negative number, 1/0, too large
        return math.nan
    return product
