"""When the values of exponentials in a network are independent functions.

An exponential is given a residue that a hash of its argument decides. That is a homomorphism, so
that ranks are proved lower bounds, if the values are algebraically independent over the field of
all parameters and inputs. By the theorem of J. Ax (On Schanuel's conjectures, Annals of
Mathematics, 1971) they are, at any number of inputs, if the differences ``y(θ, x) − y(θ, x')`` of
the arguments y at two inputs are linearly independent over the rationals; arguments that are equal
or opposite count once, as they share their hash. (Of a relation at more inputs fix all but one,
which takes two values, and subtract.)

The differences at random (θ, x, x') are rows of a matrix modulo a prime. Full column rank proves
that they are independent even over the complex numbers.
"""

from __future__ import annotations

import numpy as np

from conslaw_cli.algebra.field import Array, PrimeField, random_prime
from conslaw_cli.algebra.rings import Residues
from conslaw_cli.networks.graph import Graph

_SURPLUS = 6
"""Rows beyond the number of arguments."""
_TRIALS = 3
"""Primes that are tried: one is enough where the arguments are independent, but for bad luck."""


def independent(graph: Graph, rng: np.random.Generator) -> bool:
    """Whether the values of all exponentials in the graph are proved to be independent."""
    return any(_once(graph, rng) for _ in range(_TRIALS))


def _once(graph: Graph, rng: np.random.Generator) -> bool:
    field = PrimeField(random_prime(rng))
    rows = graph.argument_size + _SURPLUS
    theta, constants = (field.random(rng, (rows, n)) for n in (graph.dimension, graph.constants))
    first, second = (
        graph.arguments(
            Residues(field), theta, field.random(rng, (rows, graph.probe_size)), constants
        )
        for _ in range(2)
    )
    kept = _distinct(field, first)
    return field.rank(field.reduce(first - second)[:, kept]) == len(kept)


def _distinct(field: PrimeField, columns: Array) -> list[int]:
    """Return columns of which no two are equal or opposite."""
    seen = dict[bytes, int]()
    for number, column in enumerate(columns.T % field.p):
        opposite = -column % field.p
        key = min(column.tobytes(), opposite.tobytes())
        seen.setdefault(key, number)
    return list(seen.values())
