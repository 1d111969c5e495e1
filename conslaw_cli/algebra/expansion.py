"""Vector fields as polynomials, written out."""

from __future__ import annotations

from typing import Any, NamedTuple

Polynomial = Any
"""An ``fmpq_mpoly`` of one context."""

MAX_TERMS = 20_000
"""Terms of all polynomials of an expansion together, at most."""


class Expansion(NamedTuple):
    """Fields (·, D) that span the same directions as those given, the D coordinates θ_e, and
    constants that do not move.
    """

    coordinates: tuple[Polynomial, ...]
    fields: tuple[tuple[Polynomial, ...], ...]
    constants: tuple[Polynomial, ...] = ()


class Relation(NamedTuple):
    """The generator of a number ``place``, to the power ``order``, is a polynomial in others."""

    place: int
    order: int
    value: Polynomial


class Symbol(NamedTuple):
    """What a generator stands for, but for its sign: as text, in Python where {0}, {1}, … are the
    variables, and the number of the variable that it is, if it is one.
    """

    text: str
    code: str
    variable: int | None = None
    sign: int = 1


class Derivations(NamedTuple):
    """Fields as derivations of polynomials modulo relations.

    coordinates: the variables, of which those beyond the first D are constants. fields: for each
    what the generators become. symbols: what these stand for. size: D.
    """

    generators: tuple[Polynomial, ...]
    coordinates: tuple[Polynomial, ...]
    fields: tuple[tuple[Polynomial, ...], ...]
    relations: tuple[Relation, ...]
    symbols: tuple[Symbol, ...]
    size: int


class NotPolynomialError(Exception):
    """A field is no polynomial in the variables above, or one with too many terms."""
