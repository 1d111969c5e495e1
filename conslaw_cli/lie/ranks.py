"""Ranks of the gradients of laws at a random point modulo a prime."""

from __future__ import annotations

from conslaw_cli.algebra.field import TERMS, Folding, Span
from conslaw_cli.errors import ContradictionError
from conslaw_cli.lie.closure import Sampler
from conslaw_cli.networks.known_laws import Laws

CHECKED_FIELDS = 4
"""Random fields that every known law's gradient is checked against in every run."""
FOLD_FROM = 400
"""Columns from which folding is worth its overhead (measured)."""


def law_rank(laws: Laws, sampler: Sampler, check: bool = True) -> int:
    """Return the rank of the laws' gradients at the sampler's point; ``check`` holds each against
    random fields: raise ContradictionError if one is no law.

    Gradients are sparse, and a fold may lose some of their rank: it is trusted only where all of
    them stay independent.
    """
    fold = folding(sampler, min(sampler.fields.dimension, len(laws) + 1))
    rank = _law_rank(laws, sampler, fold, check)
    return rank if fold is None or rank == len(laws) else _law_rank(laws, sampler, None, False)


def _law_rank(laws: Laws, sampler: Sampler, fold: Folding | None, check: bool) -> int:
    field, span = sampler.field, Span(sampler.field)
    fields = sampler.rows(0, CHECKED_FIELDS).T if check else None
    for start, gradients in enumerate(laws.over(field).gradients(sampler.theta[0, :, 0], TERMS)):
        field.reduce(gradients)
        if fields is not None and (wrong := field.matmul(gradients, fields).any(axis=1)).any():
            name = laws.name(start * TERMS + int(wrong.argmax()))
            raise ContradictionError(f"{name} is listed as a law, but it is not conserved")
        span.add(fold(gradients) if fold else gradients)
    return span.rank


def folding(sampler: Sampler, columns: int) -> Folding | None:
    """Return a random fold of the D columns into fewer, where that saves time."""
    if sampler.fields.dimension < max(FOLD_FROM, columns * 5 // 4):
        return None
    return Folding.random(sampler.field, sampler.rng, sampler.fields.dimension, columns)
