"""The linear system behind polynomial laws: monomials, split by symmetry, and equations at random
points.

h is a law iff ``⟨∇h, ∇F(·; a)⟩ = 0`` for all θ and probes a: linear in the coefficients of h. Every
pair (θ, a) modulo a prime gives one equation; the monomials are the unknowns. They fall into parity
classes under sign flips, which do not mix, and the classes into orbits under permutations of
neurons, of which one class each need be solved (symmetry.py).

Monomials of several degrees are written as monomials of the largest degree with one parameter more,
of index D, whose value is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.flows import VectorFields
from conslaw_cli.laws.symmetry import NONE, Symmetry

Monomials = NDArray[np.int32]
"""(count, degree): each row lists the parameters of a monomial, with repetitions, in ascending
order; D stands for 1.
"""
Words = NDArray[np.uint64]
EXTRA_ROWS = 3
"""Equations drawn beyond the number of unknowns."""
EXACT_LABELS = 128
"""Up to so many labels, a set of them is two words of bits; beyond, two random words, told apart
with certainty 1 − 2^-128.
"""
COUNTED_LABELS = 12
"""Independent labels up to which classes are counted without listing them: 2^12 at most."""
PART = 1 << 20
"""Entries of the system computed at a time."""


def monomials(parameters: int, degree: int) -> Monomials:
    """Return all monomials of a degree, as a (comb(D + degree − 1, degree), degree) array."""
    rows = np.arange(parameters, dtype=np.int32)[:, None]
    for _ in range(degree - 1):
        reps = parameters - rows[:, -1]
        last = np.repeat(rows[:, -1], reps)
        step = np.arange(reps.sum(), dtype=np.int32) - np.repeat(
            np.cumsum(reps, dtype=np.int32) - reps, reps
        )
        rows = np.column_stack([np.repeat(rows, reps, axis=0), last + step])
    return rows


def monomials_up_to(parameters: int, degree: int) -> Monomials:
    """Return all monomials of degree 1, …, ``degree``, in ascending order of degree."""
    rows = monomials(parameters + 1, degree)[:-1]
    return rows[np.argsort(-(rows == parameters).sum(axis=1), kind="stable")]


@dataclass(frozen=True, slots=True)
class Groups:
    """A partition of 0, …, n − 1: group g is ``order[starts[g] : starts[g + 1]]``, ascending."""

    order: NDArray[np.intp]
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, keys: Sequence[NDArray[Any]]) -> Groups:
        """Put indices together at which all keys are equal."""
        order = np.lexsort(keys)
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = False
        for key in keys:
            ordered = key[order]
            new[1:] |= ordered[1:] != ordered[:-1]
        return cls(order, np.append(np.flatnonzero(new), len(order)))

    def __len__(self) -> int:
        """Number of groups."""
        return len(self.starts) - 1

    def __getitem__(self, group: int) -> NDArray[np.intp]:
        return self.order[self.starts[group] : self.starts[group + 1]]

    @property
    def sizes(self) -> NDArray[np.intp]:
        """The size of every group."""
        return np.diff(self.starts)

    @property
    def firsts(self) -> NDArray[np.intp]:
        """The first member of every group."""
        return self.order[self.starts[:-1]]


@dataclass(frozen=True, slots=True)
class Classes:
    """Monomials, their parity classes, and the classes' orbits under permutations of neurons.

    odd: for each class its odd labels, sorted, padded with NONE in front.
    error_bound: probability that two classes were taken for one.
    """

    monomials: Monomials
    members: Groups
    odd: NDArray[np.intp]
    orbits: Groups
    error_bound: float

    @property
    def sizes(self) -> NDArray[np.intp]:
        """For every orbit the number of monomials in each of its classes."""
        return self.members.sizes[self.orbits.firsts]

    def representative(self, orbit: int) -> Monomials:
        """Return the monomials of an orbit's first class."""
        rows: Monomials = self.monomials[self.members[self.orbits[orbit][0]]]
        return rows

    def representatives(self, orbits: NDArray[np.intp]) -> Monomials:
        """Return those of many orbits whose classes are of one size, one after another."""
        size = self.sizes[orbits[0]]
        starts = self.members.starts[self.orbits.firsts[orbits]]
        rows: Monomials = self.monomials[
            self.members.order[(starts[:, None] + np.arange(size)).ravel()]
        ]
        return rows

    def labels(self, index: int) -> NDArray[np.intp]:
        """Return the odd labels of a class."""
        labels: NDArray[np.intp] = self.odd[index][self.odd[index] != NONE]
        return labels


def classes(rows: Monomials, symmetry: Symmetry, rng: np.random.Generator) -> Classes:
    """Split monomials into parity classes and these into orbits."""
    words = _words(len(symmetry.kinds), rng)
    members = Groups.of([_parity(rows, symmetry, word) for word in words])
    odd = odd_labels(rows[members.firsts], symmetry)
    # Labels of one kind are consecutive, so their kinds are sorted as well.
    kinds = np.append(symmetry.kinds, NONE)[odd]
    used = kinds[:, (kinds != NONE).any(axis=0)]
    orbits = Groups.of([*used.T] or [np.zeros(len(odd))])
    exact = len(symmetry.kinds) <= EXACT_LABELS
    return Classes(rows, members, odd, orbits, 0.0 if exact else comb(len(members), 2) / 2.0**128)


def largest_class(symmetry: Symmetry, degree: int, up_to: bool) -> int | None:
    """Return the size of the largest parity class of the monomials of a degree, or of all degrees
    up to it, without listing them; None for more than COUNTED_LABELS independent labels.

    The words of the parameters are vectors over F_2. Their generating function ``∏ 1/(1 − [w] t)``
    counts the monomials of every degree in every class.
    """
    words = _coordinates(symmetry)
    if words is None:
        return None
    words += [0] if up_to else []
    every = np.arange(1 << max(words).bit_length())
    counts = np.zeros((degree + 1, len(every)))
    counts[0, 0] = 1
    for word in words:
        for d in range(1, degree + 1):
            counts[d] += counts[d - 1, every ^ word]
    counts[degree, 0] -= up_to  # the monomial 1
    return int(counts[degree].max())


def _coordinates(symmetry: Symmetry) -> list[int] | None:
    """Return the word of every parameter, a sum of labels over F_2, as bits in a basis of them."""
    basis: dict[int, tuple[int, int]] = {}
    found = []
    for labels in symmetry.labels.tolist():
        word, bits = 0, 0
        for label in labels:
            word ^= 1 << label if label != NONE else 0
        while word:
            if word.bit_length() not in basis:
                basis[word.bit_length()] = word, 1 << len(basis)
            leading, bit = basis[word.bit_length()]
            word, bits = word ^ leading, bits ^ bit
        found.append(bits)
        if len(basis) > COUNTED_LABELS:
            return None
    return found


def _words(labels: int, rng: np.random.Generator) -> Words:
    """Return two words per label, (2, labels + 1), such that exclusive-or tells sets of labels
    apart; NONE has zeros.
    """
    words = np.zeros((2, labels + 1), dtype=np.uint64)
    if labels > EXACT_LABELS:
        words[:, :-1] = rng.integers(0, 2**64, size=(2, labels), dtype=np.uint64)
    else:
        for word, start in zip(words, (0, 64), strict=True):
            bits = np.arange(start, min(labels, start + 64))
            word[bits] = np.uint64(1) << (bits - start).astype(np.uint64)
    return words


def _parity(rows: Monomials, symmetry: Symmetry, word: Words) -> Words:
    """Return the exclusive-or of the words of all labels of every monomial, in which even labels
    cancel.
    """
    single = np.append(np.bitwise_xor.reduce(word[symmetry.labels], axis=1), np.uint64(0))
    total = single[rows[:, 0]]
    for column in rows.T[1:]:
        total ^= single[column]
    return total


def odd_labels(rows: Monomials, symmetry: Symmetry) -> NDArray[np.intp]:
    """Return for each monomial its labels of odd multiplicity, sorted, padded with NONE in
    front.
    """
    labels = np.append(symmetry.labels, [[NONE, NONE]], axis=0)[rows].reshape(len(rows), -1)
    labels.sort(axis=1)
    changes = labels[:, 1:] != labels[:, :-1]
    edge = np.ones((len(rows), 1), dtype=np.bool_)
    first, last = np.hstack([edge, changes]), np.hstack([changes, edge])
    place = np.arange(labels.shape[1])
    run = place - np.maximum.accumulate(np.where(first, place, 0), axis=1)
    labels[~last | (run % 2 == 1)] = NONE
    labels.sort(axis=1)
    return labels


@dataclass(frozen=True, slots=True)
class Points:
    """Random points θ, without zeros, and ``g_e/θ_e`` for the gradient g of F at a random probe:
    (rows, D + 1) residues each.

    The last column is that of the constant 1.
    """

    field: PrimeField
    theta: Array
    ratio: Array

    @classmethod
    def draw(
        cls, fields: VectorFields, field: PrimeField, rng: np.random.Generator, count: int
    ) -> Points:
        """Draw ``count`` independent points and probes."""
        theta, values = scattered(fields, field, rng, count)
        ratio = field.reduce(values * inverses(field, theta))
        return cls(
            field,
            np.insert(theta, fields.dimension, 1, axis=1),
            np.insert(ratio, fields.dimension, 0, axis=1),
        )

    def equations(self, rows: Monomials, count: int, first: int = 0) -> Array:
        """Return ``⟨∇m, g⟩ = m(θ) Σ_k g_{m_k}/θ_{m_k}`` at ``count`` points, from the one of number
        ``first``, for all monomials: (count, len(rows)).
        """
        system = np.empty((count, len(rows)))
        part = max(1, PART // len(rows))
        for start in range(0, count, part):
            stop = min(start + part, count)
            system[start:stop] = self._equations(rows, slice(first + start, first + stop))
        return system

    def _equations(self, rows: Monomials, points: slice) -> Array:
        theta, ratio, reduce = self.theta[points], self.ratio[points], self.field.reduce
        slope, value = ratio.take(rows[:, 0], axis=1), theta.take(rows[:, 0], axis=1)
        for column in rows.T[1:]:
            slope += ratio.take(column, axis=1)
            value *= theta.take(column, axis=1)
            reduce(value)
        value *= reduce(slope)
        return reduce(value)


def scattered(
    fields: VectorFields, field: PrimeField, rng: np.random.Generator, count: int
) -> tuple[Array, Array]:
    """Return independent random points without zeros and the values of one random field at each:
    (count, D) both.

    Fields that are defined everywhere are evaluated at all points at once.
    """
    if fields.everywhere:
        theta = field.random(rng, (count, fields.dimension))
        theta[theta == 0] = 1
        probes = fields.sample(field, rng, count)
        return theta, fields.evaluate(field, theta[..., None], probes)[..., 0]
    rows: list[tuple[Array, Array]] = []
    while len(rows) < count:
        there, theta = fields.at(field, rng)
        if theta.all():
            rows.append(
                (theta[0, :, 0], there.evaluate(field, theta, there.sample(field, rng, 1))[0, :, 0])
            )
    return np.array([theta for theta, _ in rows]), np.array([values for _, values in rows])


def inverses(field: PrimeField, x: Array) -> Array:
    """Return 1/x for an array of nonzero residues.

    Invert the product of two halves and multiply back: three products an element and one inverse in
    all.
    """
    if x.size <= 1:
        return np.array([field.inverse(float(each)) for each in x.ravel()]).reshape(x.shape)
    flat = x.ravel()
    half = flat.size // 2
    left, right = flat[:half], flat[half : 2 * half]
    both = inverses(field, field.reduce(left * right))
    rest = inverses(field, flat[2 * half :])
    result = np.concatenate([field.reduce(both * right), field.reduce(both * left), rest])
    return result.reshape(x.shape)
