"""The rank of an orbit's end point, on systems whose orbits are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from conslaw_cli import MLP
from conslaw_cli.algebra.field import Array, PrimeField, random_prime
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.lie import trials
from conslaw_cli.lie.closure import close
from conslaw_cli.lie.orbit import Step, Steps, orbit

RNG = np.random.default_rng(17)
FIELD = PrimeField(random_prime(RNG))


@dataclass(frozen=True)
class Linear:
    """``x → x + c A x`` with A² = 0."""

    matrix: Array
    time: float

    def directions(self, state: Array) -> Array:
        return FIELD.reduce(state[..., 0] @ self.matrix.T)

    def move(self, states: Array) -> Array:
        moved = FIELD.reduce(np.einsum("ij,bjk->bik", self.matrix, states))
        return FIELD.reduce(states + self.time * moved)


@dataclass(frozen=True)
class LinearFields:
    """Flows of nilpotent matrices by turns."""

    matrices: tuple[Array, ...]

    @property
    def dimension(self) -> int:
        return len(self.matrices[0])

    @property
    def held(self) -> int:
        return self.dimension

    def steps(self, field: PrimeField, rng: np.random.Generator, controls: int) -> Iterator[Step]:
        while True:
            for matrix in self.matrices:
                yield Linear(matrix, float(field.random(rng, (1,))[0]))


def unit(size: int, *entries: tuple[int, int]) -> Array:
    matrix = np.zeros((size, size))
    for i, j in entries:
        matrix[i, j] = 1
    return matrix


UP, DOWN = unit(2, (0, 1)), unit(2, (1, 0))


def spread(copies: int, matrix: Array) -> Array:
    """Return the matrix that acts on several vectors alike."""
    return np.kron(np.eye(copies), matrix).astype(np.float64)


SYSTEMS: dict[str, tuple[tuple[Array, ...], int]] = {
    "one shear": ((UP,), 1),
    "sl(2) on the plane": ((UP, DOWN), 2),
    # On pairs of vectors of the plane sl(2) keeps their determinant.
    "sl(2) on two vectors": ((spread(2, UP), spread(2, DOWN)), 3),
    "sl(2) on four vectors": ((spread(4, UP), spread(4, DOWN)), 3),
    "two of them": (tuple(unit(4, pair) for pair in [(0, 1), (1, 0), (2, 3), (3, 2)]), 4),
    # Commuting shears reach no more than their span.
    "commuting": ((unit(3, (0, 2)), unit(3, (1, 2))), 2),
    # The Heisenberg group on R^3 leaves the last coordinate alone.
    "Heisenberg": ((unit(3, (0, 1)), unit(3, (1, 2))), 2),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_rank_is_the_dimension_of_the_orbit(system: str) -> None:
    matrices, dimension = SYSTEMS[system]
    fields: Steps = LinearFields(matrices)
    found = orbit(fields, FIELD, np.random.default_rng(3), 10**6)
    assert found.rank == dimension == FIELD.rank(found.tangents)


def test_it_stops_at_what_is_enough() -> None:
    fields = LinearFields(SYSTEMS["sl(2) on four vectors"][0])
    assert orbit(fields, FIELD, np.random.default_rng(3), 3).rank == 3


@pytest.mark.parametrize(
    "network",
    [
        MLP((1, 2, 1), "linear"),
        MLP((1, 2, 2, 1), "linear"),
        MLP((2, 2, 2), "linear", "all"),
        MLP((2, 3, 2), "linear", loss="cross_entropy"),
        MLP((2, 2, 2, 1), ("linear", "relu"), "hidden"),
        MLP((2, 3, 1), "relu"),
    ],
    ids=lambda network: network.name,
)
def test_brackets_agree(network: MLP) -> None:
    """The Lie algebra of drift and controls by brackets, without the orbit."""
    fields, rng = Momentum().fields(network), np.random.default_rng(5)
    assert isinstance(fields, Steps)
    found = orbit(fields, FIELD, rng, fields.dimension)
    trace = close(trials.fresh(fields, rng), fields.dimension)
    assert found.rank == trace.rank
