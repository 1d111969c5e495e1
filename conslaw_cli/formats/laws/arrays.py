"""Families of known laws as NumPy expressions in the arrays of parameters, read off the laws
themselves.

A family of quadratic laws has the entries of ``Σ ± M M^T``, where row i of M holds parameters of
unit i. Each array of parameters is tried as such an M, by its first axis (``M = U``) or its last
(``M = U^T``), against the squares in the family's diagonal; then all entries are compared, so an
expression that is returned is the family.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.formats.laws import Members
from conslaw_cli.networks.known_laws import Laws
from conslaw_cli.networks.wiring import Array

Index = NDArray[np.intp]
Terms = Counter[tuple[int, int, int]]
"""Coefficient, left and right parameter of every term of a law, and how often it occurs."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix M with one row per unit, as NumPy code: that of its transpose, if it is turned.

    vector: the name of the array, where that has one entry per unit.
    """

    code: str
    turned: bool = False
    vector: str | None = None

    @property
    def rows(self) -> str:
        """M."""
        return self.code + ".T" * self.turned

    @property
    def columns(self) -> str:
        """Mᵀ."""
        return self.code + ".T" * (not self.turned)

    @property
    def gram(self) -> str:
        """M Mᵀ."""
        if self.vector is not None:
            return f"np.outer({self.vector}, {self.vector})"
        return f"{self.rows} @ {self.columns}"

    @property
    def diagonal(self) -> str:
        """Its diagonal."""
        if self.vector is not None:
            return f"{self.vector}**2"
        return f"({self.code}**2).sum(axis={0 if self.turned else 1})"


@dataclass(frozen=True, slots=True)
class Factor:
    """A matrix of parameters by their indices, one row per unit. skip: the identity is added."""

    index: Index
    matrix: Matrix
    skip: bool = False

    def beside_identity(self) -> Factor:
        """Return the same of ``I + M``."""
        code = f"(np.eye({len(self.index)}) + {self.matrix.rows})"
        return Factor(self.index, Matrix(code), True)


def vectors(arrays: Sequence[Array], name: str) -> Sequence[Array]:
    """Return arrays as code has them: numbers alone are one vector of this name."""
    if not arrays or any(array.shape for array in arrays):
        return arrays
    return [Array(name, (len(arrays),), slice(arrays[0].entries.start, arrays[-1].entries.stop))]


def factors(array: Array, units: int) -> Iterator[Factor]:
    """Yield the ways to read an array as a matrix with one row per unit, the plain ones first."""
    name, shape = array.name, array.shape
    if not shape or array.size % units:
        return
    places = np.arange(array.entries.start, array.entries.stop)
    rows, columns = places.reshape(units, -1), places.reshape(-1, units).T
    if len(shape) == 1:
        yield Factor(rows, Matrix(f"{name}.reshape({units}, -1)", vector=name))
        return
    if len(shape) == 2 and shape[0] == units:
        yield Factor(rows, Matrix(name))
    if len(shape) == 2 and shape[1] == units:
        yield Factor(columns, Matrix(name, turned=True))
    yield Factor(rows, Matrix(f"{name}.reshape({units}, -1)"))
    yield Factor(columns, Matrix(f"{name}.reshape(-1, {units})", turned=True))


def family_code(
    laws: Laws, family: Members, arrays: Sequence[Array], moving: Sequence[Array] = ()
) -> str | None:
    """Return an expression of a family's generators, a vector; None if they are no entries of
    matrices as above.
    """
    entries = [laws.entries[i] for i in family.every]
    terms = _terms(laws, family.every)
    if not entries[0]:
        return None
    if len(entries[0]) == 1:
        return _sums(terms, family, arrays)
    units = max(max(entry) for entry in entries)
    if all(i < j for i, j in entries):
        return _commutators(terms, family, entries, arrays, moving)
    found = list(_factors(terms, entries, units, arrays))
    if [_expanded(found, entry) for entry in entries] != terms:
        return None
    diagonal = all(i == j for i, j in entries)
    matrices = ((sign, factor.matrix) for sign, factor in found)
    signed = "".join(
        f" {'+' if sign > 0 else '-'} {matrix.diagonal if diagonal else matrix.gram}"
        for sign, matrix in matrices
    )
    return _selected(signed.removeprefix(" + "), family, entries, diagonal, units)


def _commutators(
    terms: Sequence[Terms],
    family: Members,
    entries: Sequence[tuple[int, ...]],
    arrays: Sequence[Array],
    moving: Sequence[Array],
) -> str | None:
    """Return an expression of the entries i < j of a sum of ``M N^T − N M^T``, M of parameters, N
    of velocities; None if they are none.
    """
    units = max(j for _, j in entries)
    first = (_pairs(terms[0], entries[0], x, y, units) for x in arrays for y in moving)
    found = [pair for pairs in first if (pair := next(pairs, None)) is not None]
    if [_commuted(found, entry) for entry in entries] != terms:
        return None
    matrices = ((x.matrix, y.matrix) for x, y in found)
    code = " + ".join(f"{x.rows} @ {y.columns} - {y.rows} @ {x.columns}" for x, y in matrices)
    chosen = [entries[i - family.every.start] for i in family.generators]
    if len(chosen) == len(entries):
        return f"({code})[np.triu_indices({units}, 1)]"
    return f"({code})[{[i - 1 for i, _ in chosen]}, {[j - 1 for _, j in chosen]}]"


def _pairs(
    term: Terms, entry: tuple[int, ...], x: Array, y: Array, units: int
) -> Iterator[tuple[Factor, Factor]]:
    """Yield ways to read two arrays that a law has products of."""
    i, j = (each - 1 for each in entry)
    for left in factors(x, units):
        for right in factors(y, units):
            rows = left.index[i].tolist(), right.index[j].tolist()
            if len(rows[0]) == len(rows[1]) and all(
                term[1, e, f] for e, f in zip(*rows, strict=True)
            ):
                yield left, right


def _commuted(pairs: Sequence[tuple[Factor, Factor]], entry: tuple[int, ...]) -> Terms:
    i, j = (each - 1 for each in entry)
    return Terms(
        term
        for x, y in pairs
        for sign, a, b in ((1, i, j), (-1, j, i))
        for term in (
            (sign, e, f) for e, f in zip(x.index[a].tolist(), y.index[b].tolist(), strict=True)
        )
    )


def _terms(laws: Laws, every: range) -> list[Terms]:
    terms = [Terms() for _ in every]
    inside = np.flatnonzero((laws.law >= every.start) & (laws.law < every.stop))
    columns = (laws.law, laws.coefficient, laws.left, laws.right)
    for law, coefficient, left, right in zip(
        *(column[inside].tolist() for column in columns), strict=True
    ):
        terms[law - every.start][coefficient, min(left, right), max(left, right)] += 1
    return terms


def _factors(
    terms: Sequence[Terms], entries: Sequence[tuple[int, ...]], units: int, arrays: Sequence[Array]
) -> Iterator[tuple[int, Factor]]:
    """Yield signs and matrices whose squared rows are on the family's diagonal."""
    squares = {i: term for (i, j), term in zip(entries, terms, strict=True) if i == j}
    for sign in (1, -1):
        for array in arrays:
            for factor in factors(array, units):
                if all(
                    term[sign, e, e]
                    for i, term in squares.items()
                    for e in factor.index[i - 1].tolist()
                ):
                    skip = factor.index.shape == (units, units) and all(
                        term[sign, -1, int(factor.index[i - 1, i - 1])] == 2
                        for i, term in squares.items()
                    )
                    yield sign, factor.beside_identity() if skip else factor
                    break


def _expanded(factors: Sequence[tuple[int, Factor]], entry: tuple[int, ...]) -> Terms:
    i, j = (each - 1 for each in entry)
    total = Terms(
        (sign, min(e, f), max(e, f))
        for sign, factor in factors
        for e, f in zip(factor.index[i].tolist(), factor.index[j].tolist(), strict=True)
    )
    for sign, factor in factors:
        if factor.skip:
            total.update((sign, -1, int(factor.index[place])) for place in ((i, j), (j, i)))
    return total


def _selected(
    code: str, family: Members, entries: Sequence[tuple[int, ...]], diagonal: bool, units: int
) -> str:
    """Return the entries of a matrix, or of a diagonal, that are generators."""
    chosen = [entries[i - family.every.start] for i in family.generators]
    everything = len(chosen) == (units if diagonal else units * (units + 1) // 2)
    if diagonal:
        return code if everything else f"({code})[{[i - 1 for i, _ in chosen]}]"
    if everything:
        return f"({code})[np.triu_indices({units})]"
    return f"({code})[{[i - 1 for i, _ in chosen]}, {[j - 1 for _, j in chosen]}]"


def _sums(terms: Sequence[Terms], family: Members, arrays: Sequence[Array]) -> str | None:
    """Return an expression of laws of degree one: the sums of an array's rows, or all
    parameters.
    """
    chosen = [i - family.every.start for i in family.generators]
    if terms == [Terms([(1, -1, e)]) for e in range(arrays[-1].entries.stop)] and len(
        chosen
    ) == len(terms):
        return "theta"
    for array in arrays:
        units = 1 if len(array.shape) == 1 else array.shape[0]
        index = np.arange(array.entries.start, array.entries.stop).reshape(units, -1)
        if terms == [Terms((1, -1, e) for e in row) for row in index.tolist()]:
            if len(array.shape) == 1:
                return f"[{array.name}.sum()]"
            code = (
                f"{array.name}.reshape({units}, -1).sum(axis=1)"
                if len(array.shape) > 2
                else f"{array.name}.sum(axis=1)"
            )
            return code if len(chosen) == len(terms) else f"{code}[{chosen}]"
    return None
