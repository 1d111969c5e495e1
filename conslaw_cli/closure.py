"""The trace of a generated Lie algebra at a point: random right-nested brackets, incremental rank, Lemma 3.2.

This file knows vector fields only as things that can be sampled and evaluated on jets. Right-nested brackets
``[f_1, [f_2, [… f_{k+1}]]]`` of generators span W_k modulo W_{k-1}, and the bracket is multilinear in its arguments, so random
ones do as well: every row is a random element, and rows are drawn level by level until one more adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from conslaw_cli.field import TERMS, Array, Folding, PrimeField, Span
from conslaw_cli.jets import derivative, lift, value

CHUNK_BYTES = 1 << 26
"""Jets held at once; a field at jet order k holds D · 2^k residues a row, some eight times."""


class Fields(Protocol):
    """A finite-dimensional space of vector fields on F_p^D with polynomial coefficients."""

    @property
    def dimension(self) -> int:
        """D, the number of coordinates."""
        ...

    def sample(self, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
        """Draw ``count`` random elements of the space, as probes (count, probe size)."""
        ...

    def evaluate(self, field: PrimeField, theta: Array, probes: Array) -> Array:
        """Return the fields' values (batch, D, 2^k) at jets θ (batch or 1, D, 2^k)."""
        ...

    def degree(self) -> tuple[int, int]:
        """Return the degrees of a field's entries in θ and in the probe."""
        ...

    def terms(self) -> float:
        """Bound the sum of the absolute values of the coefficients of a field's entry."""
        ...


@dataclass(frozen=True, slots=True)
class RankTrace:
    """Ranks after each level of brackets, at one point modulo one prime.

    ``closed``: a whole level added nothing (Lemma 3.2), as opposed to the ranks having reached ``enough``.
    """

    dimensions: tuple[int, ...]
    closed: bool

    @property
    def rank(self) -> int:
        """The last rank: a proved lower bound for the dimension of the trace of the Lie algebra."""
        return self.dimensions[-1]

    @property
    def unproved(self) -> tuple[int, ...]:
        """Ranks whose being no larger rests on chance: all but a last one that has reached its upper bound."""
        return (*self.dimensions, self.rank) if self.closed else self.dimensions[:-1]


@dataclass(frozen=True, slots=True)
class Sampler:
    """Rows of brackets at one point θ (1, D, 1) modulo one prime."""

    fields: Fields
    field: PrimeField
    theta: Array
    rng: np.random.Generator

    @classmethod
    def at_random_point(cls, fields: Fields, field: PrimeField, rng: np.random.Generator) -> Sampler:
        """Draw θ uniformly from F_p^D."""
        return cls(fields, field, field.random(rng, (1, fields.dimension, 1)), rng)

    def rows(self, level: int, count: int) -> Array:
        """Return ``count`` random brackets of ``level + 1`` fields, evaluated at θ, as a (count, D) matrix."""
        probes = [self.fields.sample(self.field, self.rng, count) for _ in range(level + 1)]
        return self._bracket(self.theta, probes)[..., 0]

    def chunks(self, level: int, count: int) -> Iterator[Array]:
        """Yield the same rows in parts of at most TERMS rows, each drawn in pieces that fit CHUNK_BYTES."""
        piece = max(1, CHUNK_BYTES // (64 * self.fields.dimension << level))
        for start in range(0, count, TERMS):
            stop = min(start + TERMS, count)
            yield np.concatenate([self.rows(level, min(piece, stop - i)) for i in range(start, stop, piece)])

    def _bracket(self, theta: Array, probes: Sequence[Array]) -> Array:
        first = self.fields.evaluate(self.field, theta, probes[0])
        if len(probes) == 1:
            return first
        rest = self._bracket(lift(theta, first), probes[1:])
        moved = self.fields.evaluate(self.field, lift(theta, value(rest)), probes[0])
        return self.field.reduce(derivative(moved) - derivative(rest))


def close(sampler: Sampler, enough: int, fold: Folding | None = None) -> RankTrace:
    """Add levels of brackets until one adds nothing or the rank reaches ``enough``, an upper bound.

    A fold of the coordinates saves time and can only lower the ranks.
    Ranks above ``enough`` are possible only if the bound is wrong; one row more than needed is drawn so that this shows.
    """
    span, dimensions = Span(sampler.field), list[int]()
    while True:
        gained = _grow(span, sampler, len(dimensions), enough, fold)
        if gained == 0 and dimensions:
            return RankTrace(tuple(dimensions), closed=True)
        dimensions.append(span.rank)
        if span.rank >= enough:
            return RankTrace(tuple(dimensions), closed=False)


def _grow(span: Span, sampler: Sampler, level: int, enough: int, fold: Folding | None) -> int:
    """Draw brackets of one level until one of them adds nothing; return by how much the rank rose."""
    before = span.rank
    for rows in sampler.chunks(level, enough + 1 - before):
        if span.add(fold(rows) if fold else rows) < len(rows):
            break
    return span.rank - before


def confirms(sampler: Sampler, dimensions: Sequence[int]) -> bool:
    """Whether a fresh point and prime give these ranks again, level by level.

    A fixed number of rows is drawn, one more per level than the rank rises. If a true dimension is larger, these rows have a
    larger rank generically, so a miss is the vanishing of one fixed minor: see ``bounds.miss_probability``.
    """
    span = Span(sampler.field)
    for level, dimension in enumerate(dimensions):
        for rows in sampler.chunks(level, dimension - span.rank + 1):
            span.add(rows)
        if span.rank != dimension:
            return False
    return True
