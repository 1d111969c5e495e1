"""The trace of a generated Lie algebra at a point: random nested brackets, incremental rank, Lemma
3.2.

This file knows vector fields only as things that can be sampled and evaluated on jets. Right-nested
brackets ``[f_1, [f_2, [… f_{k+1}]]]`` of generators span W_k modulo W_{k-1}, and the bracket is
multilinear in its arguments, so random
ones do as well: every row is a random element, and rows are drawn level by level until one more
adds nothing.

A right-nested bracket of k + 1 fields takes jets of order k, 2^k numbers for each coordinate.
Networks such as 1-n-n-2 have traces of many small steps, so after NESTED levels balanced brackets
take over: with V_0 = W_0, V_{h+1} = V_h + [V_h, V_h], a random element of V_h is ``f + [X, Y]``
with X, Y random in V_{h-1}; it combines up to 2^h fields and takes jets of order h only. If V_h and
V_{h+1} have equal dimensions around θ, then V_h is involutive and contains W_0, so it is Lie(W_0)
there.

Where many more levels are to be expected from the ranks of the first ones, covectors carried along
curves (transport.py) are tried before: what these reach ends the iteration if it is the upper
bound. Which comes next is decided by numbers of evaluations, from sizes and ranks alone, never by a
clock.

Balanced brackets gain nothing where the algebra is long but nearly abelian: of ``∂_x`` and ``Σ x^i
∂_{y_i}``, say, every level yields one more derivative of the second field. Where they lag behind
the nested ones, nested brackets go on as long as they are the cheaper ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from conslaw_cli.algebra.field import TERMS, Array, Folding, PrimeField, Span
from conslaw_cli.algebra.rings import derivative, lift, value
from conslaw_cli.flows import Transporting, TransportingDrift, VectorFields
from conslaw_cli.lie.orbit import Orbit

if TYPE_CHECKING:
    from conslaw_cli.algebra.series import Series

CHUNK_BYTES = 1 << 26
"""Jets held at once, roughly."""
NESTED = 7
"""Levels of right-nested brackets that are computed before balanced ones take over (measured: a
second for small networks).
"""
DEAR = 3
"""Order of jets from which rows are drawn a few at a time."""
FEW = 4
"""Rows in the first part of these."""
FEWEST_LEVELS = 5
"""Levels of nested brackets from which the number of the next ones is estimated."""
LONG = 1 << 26
"""Evaluations times numbers held that make brackets take long (measured: half a second)."""
LOWEST_TREE = 3
"""Height of the first balanced brackets: V_2 lies in W_3."""
TREES = 2
"""Heights of balanced brackets that are tried in any case."""


class RankTrace(NamedTuple):
    """Ranks after each level of right-nested brackets, at one point modulo one prime.

    tail: ranks of V_h for h = LOWEST_TREE, …, if balanced brackets were what ended the iteration.
    carried: the rank that transport found, if that was.
    closed: a whole level added nothing, as opposed to the ranks having reached their upper bound.
    """

    dimensions: tuple[int, ...]
    closed: bool
    tail: tuple[int, ...] = ()
    carried: int = 0

    @property
    def rank(self) -> int:
        """The last rank: a proved lower bound for the dimension of the trace of the Lie algebra."""
        return max((self.dimensions[-1], self.carried, *self.tail[-1:]))

    @property
    def length(self) -> int:
        """Most fields that a bracket combines."""
        return 2 ** (LOWEST_TREE + len(self.tail) - 1) if self.tail else len(self.dimensions)

    @property
    def proved(self) -> bool:
        """Whether no rank's being no larger rests on chance: there is one, and it has reached its
        upper bound.
        """
        return not self.unproved

    @property
    def unproved(self) -> tuple[int, ...]:
        """Ranks of nested brackets whose being no larger rests on chance: all but a last one that
        reached its upper bound.
        """
        if self.tail or self.carried:
            return self.dimensions
        return (*self.dimensions, self.rank) if self.closed else self.dimensions[:-1]

    @property
    def unproved_tail(self) -> tuple[int, ...]:
        """The same for balanced brackets."""
        return self.tail if self.closed else self.tail[:-1]


@dataclass(frozen=True, slots=True)
class Driven:
    """The space that control fields and a drift f_0 span, as fields without a drift: ``X + c f_0``,
    c being one more number of the probe.
    """

    controls: VectorFields

    @property
    def dimension(self) -> int:
        """That of the state."""
        return self.controls.dimension

    @property
    def held(self) -> int:
        """The drift and its product beside the control."""
        return self.controls.held + 2 * self.dimension

    @property
    def everywhere(self) -> bool:
        """As for the controls."""
        return self.controls.everywhere

    def prime(self, rng: np.random.Generator) -> int:
        """As for the controls."""
        return self.controls.prime(rng)

    def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[Driven, Array]:
        """Draw a state."""
        there, theta = self.controls.at(field, rng)
        return Driven(there), theta

    def sample(self, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
        """Draw a control and c."""
        probes = self.controls.sample(field, rng, count)
        return np.column_stack([probes, field.random(rng, (count, 1))])

    def evaluate(self, field: PrimeField, state: Array, probes: Array) -> Array:
        """Return ``X + c f_0``."""
        controls = self.controls.evaluate(field, state, probes[:, :-1])
        drift = self.controls.drift(field, state)
        assert drift is not None
        return field.reduce(controls + probes[:, -1:, None] * drift)

    @property
    def transports(self) -> bool:
        """Whether controls and drift do."""
        return isinstance(self.controls, TransportingDrift) and self.controls.transports

    def carried(self, over: Series, state: Array, probes: Array) -> Array:
        """Return how a state and covectors move (flows.Transporting)."""
        assert isinstance(self.controls, TransportingDrift)
        controls = self.controls.carried(over, state, probes[:, :-1])
        c = over.constant(probes[:, -1:])
        return over.add(controls, over.multiply(c, self.controls.carried_drift(over, state)))

    def drift(self, field: PrimeField, state: Array) -> None:
        """None of its own."""
        return

    def degree(self) -> tuple[int, int]:
        """Those of the controls, which bound the drift's."""
        return self.controls.degree()

    def bits(self) -> float:
        """As for the controls, and one entry of the drift."""
        return self.controls.bits() + 1


def driven(fields: VectorFields) -> VectorFields:
    """Return the space of fields with their drift, if they have one: those with a clock do."""
    return Driven(fields) if hasattr(fields, "clock") else fields


class Sampler(NamedTuple):
    """Rows of brackets at one point θ (1, D, 1) modulo one prime."""

    fields: VectorFields
    field: PrimeField
    theta: Array
    rng: np.random.Generator

    @classmethod
    def at_random_point(
        cls, fields: VectorFields, field: PrimeField, rng: np.random.Generator
    ) -> Sampler:
        """Draw θ uniformly from the points of F_p^D where the fields are defined."""
        there, theta = fields.at(field, rng)
        return cls(driven(there), field, theta, rng)

    def rows(self, level: int, count: int) -> Array:
        """Return ``count`` random right-nested brackets of ``level + 1`` fields at θ, as one
        matrix.
        """
        return np.concatenate(list(self.nested(level, count)))

    def nested(self, level: int, count: int) -> Iterator[Array]:
        """Yield ``count`` random right-nested brackets of ``level + 1`` fields at θ, in (at most
        TERMS, D) matrices.
        """
        return self._parts(
            level,
            count,
            lambda n: self._nested(self.theta, [self._draw(n) for _ in range(level + 1)]),
        )

    def ladder(self, level: int, count: int) -> list[Array]:
        """Return ``count`` random right-nested brackets of 1, 2, …, ``level + 1`` fields at θ, one
        matrix each: the inner ones of the longest cost no evaluation more.
        """
        found = list[Array]()
        self._nested(self.theta, [self._draw(count) for _ in range(level + 1)], found)
        return found

    def balanced(self, height: int, count: int) -> Iterator[Array]:
        """Yield ``count`` random elements of V_height at θ, in (at most TERMS, D) matrices."""
        return self._parts(height, count, lambda n: self._balanced(n, height)(self.theta))

    def carried(self, enough: int, covectors: Array | None = None) -> Span:
        """Return what transport from the point spans (transport.py)."""
        from conslaw_cli.lie import transport

        assert isinstance(self.fields, Transporting)
        at = self.fields, self.field, self.theta, self.rng
        return transport.transported(*at, enough, covectors)

    def _parts(self, order: int, count: int, draw: Callable[[int], Array]) -> Iterator[Array]:
        """Yield rows in parts of at most TERMS, each drawn in pieces whose jets of this order fit
        CHUNK_BYTES.

        Rows of high order are dear and often few of them are needed, so their parts start small.
        """
        piece = max(1, CHUNK_BYTES // (8 * self.fields.held << order))
        start, size = 0, TERMS if order < DEAR else FEW
        while start < count:
            stop = min(start + size, count)
            pieces = [draw(min(piece, stop - i))[..., 0] for i in range(start, stop, piece)]
            yield np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
            start, size = stop, min(2 * size, TERMS)

    def _draw(self, count: int) -> Array:
        return self.fields.sample(self.field, self.rng, count)

    def _nested(
        self, theta: Array, probes: Sequence[Array], inner: list[Array] | None = None
    ) -> Array:
        """Return brackets at jets θ. inner: gets the values of those they are made of, and their
        own, shortest first.
        """
        bracket = self.fields.evaluate(self.field, theta, probes[0])
        if len(probes) > 1:
            rest = self._nested(lift(theta, bracket), probes[1:], inner)
            moved = self.fields.evaluate(self.field, lift(theta, value(rest)), probes[0])
            bracket = self.field.reduce(derivative(moved) - derivative(rest))
        if inner is not None:
            inner.append(bracket[..., 0])
        return bracket

    def _balanced(self, count: int, height: int) -> Callable[[Array], Array]:
        """Draw elements of V_height: the function that evaluates them at jets θ."""
        probes = self._draw(count)
        if height == 0:
            return lambda theta: self.fields.evaluate(self.field, theta, probes)
        left, right = self._balanced(count, height - 1), self._balanced(count, height - 1)

        def element(theta: Array) -> Array:
            moved = left(lift(theta, right(theta)))
            bracket = derivative(moved) - derivative(right(lift(theta, value(moved))))
            return self.field.reduce(bracket + self.fields.evaluate(self.field, theta, probes))

        return element


def close(
    sampler: Sampler, enough: int, fold: Folding | None = None, carry: bool = True
) -> RankTrace:
    """Add levels of brackets until one adds nothing or the rank reaches ``enough``, an upper bound.

    A fold of the coordinates saves time and can only lower the ranks. Ranks above ``enough`` are
    possible only if the bound is wrong; one row more than needed is drawn so that this shows.
    carry: whether transport may be tried, once.
    """
    span, dimensions, tail, least = Span(sampler.field), list[int](), list[int](), 0
    while True:
        if carry and _carry_next(sampler.fields, dimensions, tail, enough):
            carry, least = False, sampler.carried(enough).rank
            if least >= enough:
                return RankTrace(tuple(dimensions), closed=False, carried=least)
        if _nested_next(sampler.fields, dimensions, tail):
            level = len(dimensions)
            gained = _grow(span, sampler.nested(level, enough + 1 - span.rank), fold)
            if gained == 0 and dimensions and span.rank >= least:
                return RankTrace(tuple(dimensions), closed=True)
            dimensions.append(span.rank)
            if span.rank >= enough:
                return RankTrace(tuple(dimensions), closed=False)
        else:
            repeated = _add_balanced(sampler, enough, fold, tail)
            closed = repeated and tail[-1] >= max(dimensions[-1], least)
            if closed or tail[-1] >= enough:
                return RankTrace(tuple(dimensions), closed, tuple(tail))


def spanning(sampler: Sampler, trace: RankTrace) -> Orbit:
    """Return rows that span the trace of the Lie algebra at the sampler's point, as many levels as
    a trace has.
    """
    if trace.carried:
        every = sampler.carried(trace.rank, np.eye(sampler.fields.dimension))
        rows = [basis for _, basis in every.blocks]
    elif trace.tail:
        rows = list(sampler.balanced(LOWEST_TREE + len(trace.tail) - 1, trace.rank + 1))
    else:
        steps = zip((0, *trace.dimensions), trace.dimensions, strict=False)
        rows = [sampler.rows(level, b - a + 1) for level, (a, b) in enumerate(steps)]
    return Orbit(sampler.field, sampler.theta[0, :, 0], np.concatenate(rows))


def _add_balanced(sampler: Sampler, enough: int, fold: Folding | None, tail: list[int]) -> bool:
    """Append the rank of the next balanced level; return whether it is that of the last one."""
    span = Span(sampler.field)
    _grow(span, sampler.balanced(LOWEST_TREE + len(tail), enough + 1), fold)
    tail.append(span.rank)
    return tail[-2:-1] == [span.rank]


def _nested_next(fields: VectorFields, dimensions: Sequence[int], tail: Sequence[int]) -> bool:
    """Whether the next level is one of nested brackets (module docstring).

    A product of jets of order k takes 3^k steps. So a nested bracket of order k takes about 2 · 3^k
    evaluations, and few of them are needed; a balanced one of height h evaluates its two halves
    with one ε more, one of them also without, which makes 7^h, and all rows are drawn again.
    """
    level, height = len(dimensions), LOWEST_TREE + len(tail)
    if level <= NESTED:
        return True
    if height < LOWEST_TREE + TREES or tail[-1] >= dimensions[-1]:
        return False
    fits = 8 * fields.held << level <= CHUNK_BYTES
    return fits and bool(2 * FEW * 3**level < (dimensions[-1] + FEW) * 7**height)


def _carry_next(
    fields: VectorFields, dimensions: Sequence[int], tail: Sequence[int], enough: int
) -> bool:
    """Whether transport comes next: if ranks go on rising as they did last, brackets take long, and
    more evaluations; nested ones, where balanced ones have been behind.
    """
    level = len(dimensions)
    if level < FEWEST_LEVELS or not (isinstance(fields, Transporting) and fields.transports):
        return False
    from conslaw_cli.lie import transport

    gain = max(1, dimensions[-1] - dimensions[-2])
    level += -(-(enough - dimensions[-1]) // gain)
    nested, balanced = 3 * FEW * 3**level, enough * 7 ** level.bit_length()
    most: int = nested if tail and tail[-1] < dimensions[-1] else min(nested, balanced)
    long = most * fields.held > LONG
    return long and transport.evaluations(enough, dimensions[0], level) < most


def _grow(span: Span, parts: Iterator[Array], fold: Folding | None) -> int:
    """Add rows until one of them adds nothing; return by how much the rank rose."""
    before = span.rank
    for rows in parts:
        if span.add(fold(rows) if fold else rows) < len(rows):
            break
    return span.rank - before


def confirms(sampler: Sampler, trace: RankTrace) -> bool:
    """Whether a fresh point and prime give the unproved ranks of a trace again, level by level.

    A fixed number of rows is drawn, one more per level than the rank rises. If a true dimension is
    larger, these rows have a larger rank generically, so a miss is the vanishing of one fixed
    minor: see ``trials.miss_probability``.
    """
    span = Span(sampler.field)
    for level, dimension in enumerate(trace.unproved):
        for rows in sampler.nested(level, dimension - span.rank + 1):
            span.add(rows)
        if span.rank != dimension:
            return False
    return all(
        sampler.field.rank(np.concatenate(list(sampler.balanced(height, dimension + 1))))
        == dimension
        for height, dimension in enumerate(trace.unproved_tail, start=LOWEST_TREE)
    )
