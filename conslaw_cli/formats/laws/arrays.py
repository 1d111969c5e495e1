"""Families of known laws as NumPy expressions in the arrays of parameters, read off the laws
themselves.

A family of quadratic laws has the entries of ``Σ ± M M^T``, where row i of M holds parameters of
unit i. Each array of parameters is tried as such an M, by its first axis (``M = U``) or its last
(``M = U^T``), against the squares in the family's diagonal; then all entries are compared, so an
expression that is returned is the family.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.formats.laws import Members
from conslaw_cli.networks.known_laws import Laws

Index = NDArray[np.intp]
Terms = Counter[tuple[int, int, int]]
"""Coefficient, left and right parameter of every term of a law, and how often it occurs."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive parameters that form an array, row by row."""

    name: str
    start: int
    shape: tuple[int, ...]

    @property
    def stop(self) -> int:
        """The index behind the last parameter."""
        return self.start + prod(self.shape)

    def entry(self, offset: int) -> str:
        """Return the expression of one parameter."""
        index = np.unravel_index(offset, self.shape)
        return f"{self.name}[{','.join(str(int(i)) for i in index)}]"

    def matrices(self, units: int) -> Iterator[Factor]:
        """Yield the ways to read the array as a matrix with one row per unit, the plain ones
        first.
        """
        if (self.stop - self.start) % units:
            return
        if len(self.shape) == 1:
            index = np.arange(self.start, self.stop).reshape(units, -1)
            code = f"{self.name}.reshape({units}, -1)"
            yield Factor(index, code, f"np.outer({self.name}, {self.name})", f"{self.name}**2")
            return
        if len(self.shape) == 2 and self.shape[0] == units:
            yield self._rows(units, self.name)
        if len(self.shape) == 2 and self.shape[1] == units:
            yield self._columns(units, self.name)
        yield self._rows(units, f"{self.name}.reshape({units}, -1)")
        yield self._columns(units, f"{self.name}.reshape(-1, {units})")

    def _rows(self, units: int, code: str) -> Factor:
        return Factor(
            np.arange(self.start, self.stop).reshape(units, -1),
            code,
            f"{code} @ {code}.T",
            f"({code}**2).sum(axis=1)",
        )

    def _columns(self, units: int, code: str) -> Factor:
        return Factor(
            np.arange(self.start, self.stop).reshape(-1, units).T,
            f"{code}.T",
            f"{code}.T @ {code}",
            f"({code}**2).sum(axis=0)",
        )


@dataclass(frozen=True, slots=True)
class Factor:
    """A matrix M of parameter indices, one row per unit; expressions of it, of ``M M^T`` and of the
    diagonal of that. skip: it is the sum of the identity and the parameters.
    """

    index: Index
    matrix: str
    gram: str
    diagonal: str
    skip: bool = False

    def beside_identity(self) -> Factor:
        """Return the same of ``I + M``."""
        code = f"(np.eye({len(self.index)}) + {self.matrix})"
        gram, diagonal = f"{code} @ {code}.T", f"({code}**2).sum(axis=1)"
        return Factor(self.index, code, gram, diagonal, True)


def blocks(names: Sequence[str]) -> list[Block]:
    """Return the arrays behind names such as ``U1[2,3]``, which count from 1, row by row; plain
    names are one vector θ.
    """
    if not any("[" in name for name in names):
        return [Block("theta", 0, (len(names),))]
    found: list[Block] = []
    for e, name in enumerate(names):
        array, index = re.fullmatch(r"(.*)\[(.*)\]", name).groups()  # type: ignore[union-attr]
        shape = tuple(map(int, index.split(",")))
        if found and found[-1].name == array:
            found[-1] = Block(array, found[-1].start, tuple(map(max, found[-1].shape, shape)))
        else:
            found.append(Block(array, e, shape))
    return found


def velocities(coordinates: Coordinates) -> list[Block]:
    """Return the arrays of velocities, numbered behind the parameters."""
    if not coordinates.velocities:
        return []
    start = len(coordinates.parameters)
    plain = not any("[" in name for name in coordinates.velocities)
    return [
        Block("velocity" if plain else block.name, start + block.start, block.shape)
        for block in blocks(coordinates.velocities)
    ]


def family_code(
    laws: Laws, family: Members, arrays: Sequence[Block], moving: Sequence[Block] = ()
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
    signed = "".join(
        f" {'+' if sign > 0 else '-'} {factor.diagonal if diagonal else factor.gram}"
        for sign, factor in found
    )
    return _selected(signed.removeprefix(" + "), family, entries, diagonal, units)


def _commutators(
    terms: Sequence[Terms],
    family: Members,
    entries: Sequence[tuple[int, ...]],
    arrays: Sequence[Block],
    moving: Sequence[Block],
) -> str | None:
    """Return an expression of the entries i < j of a sum of ``M N^T − N M^T``, M of parameters, N
    of velocities; None if they are none.
    """
    units = max(j for _, j in entries)
    first = (_pairs(terms[0], entries[0], x, y, units) for x in arrays for y in moving)
    found = [pair for pairs in first if (pair := next(pairs, None)) is not None]
    if [_commuted(found, entry) for entry in entries] != terms:
        return None
    code = " + ".join(
        f"{x.matrix} @ {_turned(y.matrix)} - {y.matrix} @ {_turned(x.matrix)}" for x, y in found
    )
    chosen = [entries[i - family.every.start] for i in family.generators]
    if len(chosen) == len(entries):
        return f"({code})[np.triu_indices({units}, 1)]"
    return f"({code})[{[i - 1 for i, _ in chosen]}, {[j - 1 for _, j in chosen]}]"


def _pairs(
    term: Terms, entry: tuple[int, ...], x: Block, y: Block, units: int
) -> Iterator[tuple[Factor, Factor]]:
    """Yield ways to read two arrays that a law has products of."""
    i, j = (each - 1 for each in entry)
    for left in x.matrices(units):
        for right in y.matrices(units):
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


def _turned(code: str) -> str:
    return code.removesuffix(".T") if code.endswith(".T") else f"{code}.T"


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
    terms: Sequence[Terms], entries: Sequence[tuple[int, ...]], units: int, arrays: Sequence[Block]
) -> Iterator[tuple[int, Factor]]:
    """Yield signs and matrices whose squared rows are on the family's diagonal."""
    squares = {i: term for (i, j), term in zip(entries, terms, strict=True) if i == j}
    for sign in (1, -1):
        for array in arrays:
            for factor in array.matrices(units):
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


def _sums(terms: Sequence[Terms], family: Members, arrays: Sequence[Block]) -> str | None:
    """Return an expression of laws of degree one: the sums of an array's rows, or all
    parameters.
    """
    chosen = [i - family.every.start for i in family.generators]
    if terms == [Terms([(1, -1, e)]) for e in range(arrays[-1].stop)] and len(chosen) == len(terms):
        return "theta"
    for array in arrays:
        units = 1 if len(array.shape) == 1 else array.shape[0]
        index = np.arange(array.start, array.stop).reshape(units, -1)
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
