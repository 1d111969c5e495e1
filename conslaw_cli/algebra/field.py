"""Exact linear algebra over prime fields.

Residues are float64, centred in about ``[-p/2, p/2]``. A sum of k products of centred residues is
exact while ``k · (p/2 + 1)^2 < 2^53`` (every float64 integer below 2^53 is exact); ``matmul``
splits longer sums. So products run at the speed of BLAS, and no conversion to another library's
numbers is needed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SMALLEST_PRIME = 1 << 22
LARGEST_PRIME = 1 << 23
PRIMES_IN_RANGE = 268_216
"""Primes between SMALLEST_PRIME and LARGEST_PRIME: π(2^23) − π(2^22) = 564163 − 295947 (OEIS
A007053).
"""
TERMS = 511
"""Products that may be added before a reduction: 511 · (2^22 + 1)^2 < 2^53 with room for one
residue more.
"""
FOLDS = 3
"""Surplus columns of each part that are added into every kept column."""
BASE_ROWS = 16
"""Rows eliminated one by one; more are split in two halves (measured: 8 to 32 are equally fast)."""
LONG = 100
"""Entries from which a row is long."""
PANEL = 2
"""Columns, for each of them, in which their pivots are looked for first."""


def random_prime(rng: np.random.Generator) -> int:
    """Return a uniformly drawn prime between SMALLEST_PRIME and LARGEST_PRIME."""
    while True:
        candidate = int(rng.integers(SMALLEST_PRIME // 2, LARGEST_PRIME // 2)) * 2 + 1
        if _is_prime(candidate):
            return candidate


def _is_prime(n: int) -> bool:
    """Whether a number from 3 to LARGEST_PRIME is prime: most of the others fail Fermat's test, the
    rest have a small divisor. (flint knows it as well, and takes a tenth of a count to load.)
    """
    return pow(2, n - 1, n) == 1 and bool((n % np.arange(3, isqrt(n) + 1, 2)).all())


@dataclass(frozen=True, slots=True)
class PrimeField:
    """The field F_p, p a prime below 2^23; arrays of centred float64 residues.

    Raise ValueError if p is not a prime in that range.
    """

    p: int
    _modulus: Array = dataclasses.field(init=False, repr=False, compare=False)
    _inverse: Array = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (2 < self.p < LARGEST_PRIME and _is_prime(self.p)):
            raise ValueError(
                f"the modulus must be an odd prime below {LARGEST_PRIME}, got {self.p}"
            )
        # As arrays they need not be made ones in each of many short products.
        object.__setattr__(self, "_modulus", np.array(float(self.p)))
        object.__setattr__(self, "_inverse", np.array(1.0 / self.p))

    def reduce(self, x: Array) -> Array:
        """Centre integers of absolute value below 2^53, in place; returns x."""
        quotient = np.multiply(x, self._inverse)
        np.rint(quotient, quotient)
        np.multiply(quotient, self._modulus, quotient)
        return np.subtract(x, quotient, x)

    def matmul(self, a: Array, b: Array) -> Array:
        """Return the reduced product of ``(…, m, k)`` and ``(…, k, n)`` arrays of residues."""
        inner = a.shape[-1]
        if inner <= TERMS:
            return self.reduce(a @ b)
        total = self.reduce(a[..., :TERMS] @ b[..., :TERMS, :])
        for start in range(TERMS, inner, TERMS):
            total += a[..., start : start + TERMS] @ b[..., start : start + TERMS, :]
            self.reduce(total)
        return total

    def random(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Draw uniform residues."""
        half = self.p // 2
        return rng.integers(-half, half + 1, size=shape).astype(np.float64)

    def inverse(self, x: float) -> float:
        """Return 1/x mod p; raise ZeroDivisionError for x = 0."""
        if x == 0:
            raise ZeroDivisionError(f"0 has no inverse mod {self.p}")
        return float(pow(int(x) % self.p, -1, self.p))

    def power(self, x: Array, exponent: int) -> Array:
        """Return ``x^exponent`` for an array of residues and an exponent ≥ 0."""
        result, square = np.ones_like(x), x
        while exponent:
            if exponent & 1:
                result = self.reduce(result * square)
            exponent >>= 1
            if exponent:
                square = self.reduce(square * square)
        return result

    def fraction(self, x: Fraction) -> float:
        """Return the residue of a fraction; raise ZeroDivisionError if p divides its
        denominator.
        """
        residue = x.numerator * int(self.inverse(x.denominator % self.p)) % self.p
        return float(residue - self.p * (2 * residue > self.p))

    def rank(self, rows: Array) -> int:
        """Return the rank of a matrix of residues (m, n)."""
        span = Span(self)
        span.add(rows)
        return span.rank

    def full_rank(self, batch: Array) -> NDArray[np.bool_]:
        """Whether each of many small matrices (count, rows, columns) has independent columns."""
        batch = batch.copy()
        count, _, columns = batch.shape
        full, every = np.ones(count, dtype=np.bool_), np.arange(count)
        for j in range(columns):
            pivot = j + (batch[:, j:, j] != 0).argmax(axis=1)
            full &= batch[every, pivot, j] != 0
            batch[every, pivot], batch[:, j] = batch[:, j], batch[every, pivot]
            # fraction-free: row := pivot · row − entry · pivot row, so that no inverses are needed
            below = batch[:, j + 1 :, j, None] * batch[:, None, j, :]
            batch[:, j + 1 :] = self.reduce(batch[:, j + 1 :] * batch[:, j, None, j, None] - below)
        return full

    def nullspace(self, rows: Array) -> Array:
        """Return a basis (k, n) of the vectors v with ``rows @ v = 0``, as residues.

        For generic rows the pivots are the leftmost columns possible; each vector is 1 at one of
        the other columns and 0 at the rest of them. So bases modulo several primes belong together.
        """
        span = Span(self)
        span.add(rows)
        return span.nullspace(rows.shape[1])


class Folding(NamedTuple):
    """Maps rows of D columns to fewer: surplus columns are added, with random factors, into kept
    ones.

    A fold can only lose rank, so a rank found after it is a lower bound for the rank before. If the
    rows obey N independent linear equations, D − N columns generically lose nothing.
    """

    field: PrimeField
    order: NDArray[np.intp]
    kept: int
    factors: Array

    @classmethod
    def random(
        cls, field: PrimeField, rng: np.random.Generator, columns: int, kept: int
    ) -> Folding:
        """Draw a fold of ``columns`` into ``kept`` columns."""
        parts = -(-(columns - kept) // kept)
        return cls(field, rng.permutation(columns), kept, field.random(rng, (parts, FOLDS, kept)))

    def __call__(self, rows: Array) -> Array:
        """Fold rows (m, columns) into (m, kept).

        Every kept column gets FOLDS surplus ones, so that no kept column that depends on others is
        wasted.
        """
        folded = rows[:, self.order[: self.kept]]
        for part, factors in enumerate(self.factors, start=1):
            surplus = rows[:, self.order[part * self.kept : (part + 1) * self.kept]]
            for turn, row in enumerate(factors):
                places = (np.arange(self.kept) + turn * (turn + 1) // 2) % surplus.shape[1]
                folded += surplus[:, places] * row
                self.field.reduce(folded)
        return folded


@dataclass(slots=True)
class Span:
    """The row space of the rows added so far, in echelon form: incremental rank.

    ``blocks`` is a list of (pivot columns, reduced rows with the identity in these columns). A
    later block is zero in the pivot columns of every earlier one, so reducing a row by the blocks
    in order clears them all. Rows are split in halves recursively, so nearly all work is in matrix
    products.
    """

    field: PrimeField
    rank: int = 0
    blocks: list[tuple[NDArray[np.intp], Array]] = dataclasses.field(default_factory=list)

    def add(self, rows: Array) -> int:
        """Add rows (m, n); return by how much the rank rises. The array is not kept or changed."""
        before = self.rank
        for start in range(0, len(rows), TERMS):
            part = rows[start : start + TERMS].copy()
            for pivots, basis in self.blocks:
                part -= part[:, pivots] @ basis
                self.field.reduce(part)
            pivots, basis = self._echelon(part)
            if len(pivots):
                self.blocks.append((pivots, basis))
                self.rank += len(pivots)
        return self.rank - before

    def reduced(self) -> tuple[NDArray[np.intp], Array]:
        """Return pivot columns and rows with the identity in all of them."""
        done = list[tuple[NDArray[np.intp], Array]]()
        for pivots, basis in reversed(self.blocks):
            rows = basis.copy()
            for later, cleared in done:
                rows -= rows[:, later] @ cleared
                self.field.reduce(rows)
            done.append((pivots, rows))
        if not done:
            return np.empty(0, np.intp), np.empty((0, 0))
        return np.concatenate([p for p, _ in done]), np.concatenate([rows for _, rows in done])

    def nullspace(self, columns: int) -> Array:
        """Return a basis (k, columns) of the vectors that all rows annihilate (see PrimeField)."""
        free = np.setdiff1d(np.arange(columns), [i for pivots, _ in self.blocks for i in pivots])
        basis = np.zeros((len(free), columns))
        basis[np.arange(len(free)), free] = 1
        # Back-substitution: the last block's rows are zero in the pivot columns of all others.
        for pivots, echelon in reversed(self.blocks):
            basis[:, pivots] = -self.field.matmul(basis, echelon.T)
        return basis

    def _echelon(self, rows: Array) -> tuple[NDArray[np.intp], Array]:
        """Return pivot columns and the reduced echelon rows of at most TERMS rows (which are
        overwritten).
        """
        if len(rows) <= BASE_ROWS:
            return self._eliminate(rows)
        half = len(rows) // 2
        pivots, upper = self._echelon(rows[:half])
        lower = rows[half:]
        lower -= lower[:, pivots] @ upper
        return self._joined(pivots, upper, *self._echelon(self.field.reduce(lower)))

    def _joined(
        self, pivots: NDArray[np.intp], upper: Array, lower_pivots: NDArray[np.intp], lower: Array
    ) -> tuple[NDArray[np.intp], Array]:
        """Return one echelon form of two, of which the lower is zero in the other's pivots."""
        upper -= upper[:, lower_pivots] @ lower
        self.field.reduce(upper)
        return np.concatenate([pivots, lower_pivots]), np.concatenate([upper, lower])

    def _eliminate(self, rows: Array) -> tuple[NDArray[np.intp], Array]:
        """Do so for few rows. What is done to the first columns of long ones, where most pivots
        are, is done to all others at once.
        """
        count, length = rows.shape
        if length < LONG:
            kept, pivots = self._clear(rows, length)
            return pivots, rows[kept]
        first = np.flatnonzero(rows.any(axis=0))[: PANEL * count]
        panel = np.concatenate([rows[:, first], np.eye(count)], axis=1)
        kept, pivots = self._clear(panel, len(first))
        rows = self.field.reduce(panel[:, len(first) :] @ rows)
        if len(kept) == count:
            return first[pivots], rows
        upper, rest = rows[kept], np.delete(rows, kept, axis=0)
        kept, lower = self._clear(rest, length)
        return self._joined(first[pivots], upper, lower, rest[kept])

    def _clear(self, rows: Array, length: int) -> tuple[list[int], NDArray[np.intp]]:
        """Make the first entry of each row, of so many, 1 and all others in its column 0, in place;
        return the rows that have one, and the columns.
        """
        kept, pivots = list[int](), list[int]()
        for i, row in enumerate(rows):
            filled = row[:length].nonzero()[0]
            if len(filled):
                inverse = self.field.inverse(row[filled[0]])
                factors = self.field.reduce(rows[:, filled[0]] * inverse)
                factors[i] = 1.0 - inverse
                rows -= factors[:, None] * row
                self.field.reduce(rows)
                kept.append(i)
                pivots.append(filled[0])
        return kept, np.array(pivots, dtype=np.intp)
