"""The dimension of an orbit: the rank of the end point of a path along flows that are polynomial
maps.

A control system with a drift, ``x' = f_0(x) + Σ_a u_a X_a(x)``, may need many brackets, each with
the drift once more, before its Lie algebra is seen: 1-8-8-1 under momentum has rank 55 of 104 after
eleven levels. Its orbits show it without brackets. The end point of ``e^{t_n Y_n} ∘ … ∘ e^{t_1
Y_1}(x_0)``, every Y one of the fields, lies in the orbit of x_0, whose tangent space is the Lie
algebra's trace, for analytic fields (Nagano 1966; Sussmann, "Orbits of families of vector fields
and integrability of distributions", 1973). So the derivatives with respect to the times span at
most that trace.

Lower bound, a proof. Where the flows are polynomial maps with integer coefficients of states, times
and probes, a minor of these derivatives that is nonzero modulo a prime, at one choice, is a nonzero
polynomial. The end point of a fixed path is an invertible function of x_0, so it is generic where
x_0 is, and the dimension of the trace there is at least the rank found. No probability is involved,
and there is no level to choose: steps are added until they add nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from conslaw_cli.algebra.field import Array, PrimeField, Span
from conslaw_cli.algebra.rings import derivative, lift

CHUNK_BYTES = 1 << 26
"""Jets held at once, roughly."""
STRETCH = 16
"""Steps between two eliminations (measured: a quarter of the time of one elimination a step)."""


class Step(Protocol):
    """A flow for some time: a polynomial map of the state."""

    def directions(self, state: Array) -> Array:
        """Return the values (m, n), at a state (1, n, 1), of the field that the step follows, and
        of others that commute with it, which it follows for no time.
        """
        ...

    def move(self, states: Array) -> Array:
        """Return the images of states (batch, n, 2^k)."""
        ...


@runtime_checkable
class Steps(Protocol):
    """Fields whose flows are polynomial maps."""

    @property
    def dimension(self) -> int:
        """Coordinates of the state."""
        ...

    @property
    def held(self) -> int:
        """Numbers that moving one state holds."""
        ...

    def steps(self, field: PrimeField, rng: np.random.Generator, controls: int) -> Iterator[Step]:
        """Yield steps without end, times and probes drawn uniformly; all kinds of fields take part
        in a few of them. controls: how many control fields a step has directions of.
        """
        ...


class Orbit(NamedTuple):
    """A point (n,) of an orbit and tangent vectors (rank, n) there."""

    field: PrimeField
    point: Array
    tangents: Array

    @property
    def rank(self) -> int:
        """A proved lower bound for the dimension of the orbit, at generic states."""
        return len(self.tangents)


def orbit(
    fields: Steps,
    field: PrimeField,
    rng: np.random.Generator,
    enough: int,
    start: Array | None = None,
) -> Orbit:
    """Follow a path from a random state, or a given one (1, n, 1), until its tangent vectors have
    rank ``enough``, an upper bound, or a stretch of it adds nothing.

    Where fields span few dimensions, as those of a network with few inputs and outputs, a step has
    fewer controls, one more than have been of use, and a stretch has more steps.

    From a given state of residues, which are integers, the rank is a lower bound there: it is so at
    the end of the path, and along an orbit the Lie algebra's trace has one dimension.
    """
    most = controls = -(-2 * min(enough, fields.dimension) // STRETCH)
    state = field.random(rng, (1, fields.dimension, 1)) if start is None else start
    tangents, rank, stretch = np.empty((0, fields.dimension)), -1, STRETCH
    while rank < len(tangents) and len(tangents) < enough:
        rank = len(tangents)
        for step in islice(fields.steps(field, rng, controls), stretch):
            tangents = np.concatenate([tangents, step.directions(state)])
            tangents = _carried(fields, step, state, tangents)
            state = step.move(state)
        tangents = _independent(field, tangents)
        gained = max(1, len(tangents) - rank)
        controls = min(most, 1 + -(-2 * gained // stretch))
        left = stretch * (enough - len(tangents)) // gained
        stretch = min(max(STRETCH, left), 4 * stretch)
    return Orbit(field, state[0, :, 0], tangents)


def _carried(fields: Steps, step: Step, state: Array, tangents: Array) -> Array:
    """Return the images of tangent vectors, so many at a time as memory is meant for."""
    rows = max(1, CHUNK_BYTES // (16 * fields.held))
    parts = [tangents[start : start + rows, :, None] for start in range(0, len(tangents), rows)]
    return np.concatenate([derivative(step.move(lift(state, part)))[..., 0] for part in parts])


def _independent(field: PrimeField, rows: Array) -> Array:
    """Return a basis of the rows' span."""
    span = Span(field)
    span.add(rows)
    return np.concatenate([basis for _, basis in span.blocks]) if span.blocks else rows[:0]
