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


class NotPolynomialError(Exception):
    """A field is no polynomial in the variables above, or one with too many terms."""
