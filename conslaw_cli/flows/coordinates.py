"""The coordinates in which laws are found, as functions of θ, of velocities and of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from conslaw_cli.networks.notation import CODE, TEX, TEXT
from conslaw_cli.networks.wiring import Array, labels

Term = tuple[int, tuple[int, ...]]
"""A coefficient and the coordinates that it is multiplied by; negative ones stand for radicals."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A function of time that a law has in front: as text, in LaTeX and in Python, where it may
    call ``exp``. Empty for 1.
    """

    text: str = ""
    latex: str = ""
    code: str = ""


ONE = Factor()


@dataclass(frozen=True)
class Coordinates:
    """Coordinates that are θ itself.

    arrays: those that θ consists of. moving: those of velocities, behind them, where laws are
    functions of these. extra: other factors of terms, as text, in LaTeX and in Python, where {0},
    {1}, … are the factors before them. arguments: what besides θ and velocities laws depend on, in
    Python. motion: what a velocity is that of. unsearched: why no polynomials in them are looked
    for; empty if they are.
    """

    arrays: tuple[Array, ...]
    moving: tuple[Array, ...] = ()
    extra: tuple[tuple[str, str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    motion: str = "velocity"
    unsearched: str = ""

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the entries of θ."""
        return labels(self.arrays)

    @cached_property
    def velocities(self) -> tuple[str, ...]:
        """The names of their velocities."""
        return labels(self.moving)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all factors of terms, in the order in which terms number them."""
        return (*self.parameters, *self.velocities, *(text for text, _, _ in self.extra))

    @cached_property
    def latex(self) -> tuple[str, ...]:
        """The same in LaTeX."""
        every = (*self.arrays, *self.moving)
        entries = (array.latex(place) for array in every for place in array.indices)
        return (*entries, *(tex for _, tex, _ in self.extra))

    def coded(self, names: Sequence[str]) -> list[str]:
        """Return all factors of terms in Python, given those of parameters and velocities."""
        every = list(names)
        for _, _, code in self.extra:
            every.append(code.format(*every) if "{" in code else code)
        return every

    def written(self, terms: Sequence[Term]) -> list[tuple[Factor, list[Term]]]:
        """Return a law as a sum of polynomials in :attr:`names`, each with a factor."""
        return [(ONE, list(terms))]


def grouped(terms: Sequence[tuple[Factor, Term]]) -> list[tuple[Factor, list[Term]]]:
    """Collect terms of one factor."""
    groups: dict[Factor, list[Term]] = {}
    for factor, term in terms:
        groups.setdefault(factor, []).append(term)
    return list(groups.items())


def exponential(rate: tuple[str, str, str], power: int) -> Factor:
    """Return ``e^{kρt}`` for a power k and a rate ρ as text, in LaTeX and in Python."""
    if power == 0:
        return ONE
    text, latex, code = rate
    size, sign = abs(power) if abs(power) != 1 else "", "-" * (power < 0)
    times = f"{sign}{size}*" if size else sign
    shown = f"{'−' * (power < 0)}{size}"
    exponent = f"{sign}{size}{latex} t"
    return Factor(f"e^{{{shown}{text}t}}", f"e^{{{exponent}}}", f"exp({times}{code}*t)")


def power(exponent: int) -> Factor:
    """Return a power of t."""
    written = (each.power("t", exponent) for each in (TEXT, TEX, CODE))
    return Factor(*written) if exponent else ONE
