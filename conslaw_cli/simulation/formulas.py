"""A φ of formulas in floats: its normal form (families/formulas/terms.py) and its derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from conslaw_cli.families.formulas.terms import (
    Factors,
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


class Formula:
    """The components of a φ, at one point at a time; values are those of all bases."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self.outputs = graph, graph.outputs
        every = [power for base in graph.bases for power in below_of(base)]
        every += [power for term in graph.outputs for power in term.factors]
        self._positive = {i for i, e in every if e.denominator > 1}
        logarithms = (b for b in graph.bases if isinstance(b, Function) and b.kind == "log")
        self._positive |= {i for base in logarithms for i, _ in base.argument.factors}

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
        ends = [self.term(each, values) for each in self.outputs]
        return bool(np.isfinite(ends).all() and np.greater(under, 0).all())

    def values(self, point: Vector) -> list[float]:
        """Return the values of the bases at a point of variables and constants; nan, or infinite,
        where they are not defined.
        """
        values = list[float]()
        for base in self._graph.bases:
            if isinstance(base, Variable):
                values.append(base.sign * float(point[base.index]))
            elif isinstance(base, Prime):
                values.append(float(base.value))
            elif isinstance(base, Sum):
                values.append(math.fsum(self.term(each, values) for each in base.terms))
            else:
                values.append(base.sign * self._function(base, values))
        return values

    def term(self, term: Term, values: Sequence[float]) -> float:
        """Return the value of a term."""
        return float(term.coefficient) * _product(term.factors, values)

    def gradient(self, values: Sequence[float], weights: Vector) -> Vector:
        """Return the gradient of the components' sum with weights by variables and constants."""
        bars = [0.0] * len(values)
        for weight, term in zip(weights.tolist(), self.outputs, strict=True):
            self._pull(term, weight, values, bars)
        gradient = np.zeros(self._graph.variables)
        for i in range(len(values) - 1, -1, -1):
            base = self._graph.bases[i]
            if isinstance(base, Variable):
                gradient[base.index] += base.sign * bars[i]
            elif isinstance(base, Sum):
                for term in base.terms:
                    self._pull(term, bars[i], values, bars)
            elif isinstance(base, Function):
                slope = sum(self.term(each, values) for each in base.derivative(i))
                self._pull(base.argument, bars[i] * slope, values, bars)
        return gradient

    def _pull(self, term: Term, weight: float, values: Sequence[float], bars: list[float]) -> None:
        scaled = weight * float(term.coefficient)
        for place, (i, e) in enumerate(term.factors):
            rest = (*term.factors[:place], (i, e - 1), *term.factors[place + 1 :])
            bars[i] += scaled * float(e) * _product(rest, values)

    def _function(self, base: Function, values: Sequence[float]) -> float:
        argument, scale = self.term(base.argument, values), float(base.slope.coefficient)
        try:
            return _VALUES[base.kind](argument, scale)
        except (ValueError, OverflowError):
            return math.nan


def _product(factors: Factors, values: Sequence[float]) -> float:
    try:
        return math.prod(math.pow(values[i], e) for i, e in factors)
    except (ValueError, OverflowError):  # a root of a negative number, 1/0, too large
        return math.nan
