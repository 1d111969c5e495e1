"""Known conservation laws, from the graph of the network rather than from a table.

A junction is a space of n units that is written by rows of matrices ``W_i`` (n × ·, biases being
columns) and read by columns of matrices ``R_j`` (· × n), all of them parameters, nothing else
touching it. For every symmetric S the linear flow ``W_i → e^{tS} W_i, R_j → R_j e^{-tS}`` leaves
the network function unchanged, so its generator is orthogonal to every gradient field; it is the
gradient of ``tr S(Σ W_i W_i^T − Σ R_j^T R_j)/2``. A positively homogeneous activation on the space
commutes with positive diagonal maps only, so there S must be diagonal (Prop. 4.1, for both cases).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.field import PrimeField

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Family:
    """Laws that are the entries of one matrix or vector. ``text`` and ``latex`` are its formula,
    ``shape`` says which entries.
    """

    text: str
    latex: str
    shape: str
    size: int


@dataclass(frozen=True, slots=True)
class Junction:
    """A space of units. ``written[i]`` and ``read[j]`` hold parameter indices, one row per unit.

    ``gated``: a positively homogeneous activation acts on the space, so only diagonal laws survive.
    ``text``, ``latex``: the matrix ``Σ W W^T − Σ R^T R`` in the names of the parameters.
    """

    written: tuple[Index, ...]
    read: tuple[Index, ...]
    gated: bool
    text: str
    latex: str

    @property
    def units(self) -> int:
        """Number of units n."""
        return len(self.written[0])

    def size(self) -> tuple[int, int]:
        """Return the number of laws and of their terms."""
        laws = self.units if self.gated else self.units * (self.units + 1) // 2
        return laws, laws * sum(rows.shape[1] for rows in (*self.written, *self.read))

    def laws(self) -> Laws:
        """Return the entries (i, j), i ≤ j, of ``Σ W W^T − Σ R^T R`` (only i = j if gated)."""
        i, j = _entries(self.units, self.gated)
        parts = [(rows, 1) for rows in self.written] + [(rows, -1) for rows in self.read]
        law = [np.repeat(np.arange(len(i)), rows.shape[1]) for rows, _ in parts]
        return Laws(
            families=(self._family(len(i)),),
            law=np.concatenate(law),
            left=np.concatenate([rows[i].ravel() for rows, _ in parts]),
            right=np.concatenate([rows[j].ravel() for rows, _ in parts]),
            coefficient=np.concatenate([np.full(rows[i].size, sign) for rows, sign in parts]),
            entries=tuple(zip((i + 1).tolist(), (j + 1).tolist(), strict=True)),
        )

    def _family(self, size: int) -> Family:
        shape = f"{self.units}×{self.units}"
        if self.gated:
            return Family(
                f"diag({self.text})",
                rf"\operatorname{{diag}}\bigl({self.latex}\bigr)",
                f"{shape} diagonal",
                size,
            )
        return Family(self.text, self.latex, f"{shape} symmetric", size)


@cache
def _entries(units: int, gated: bool) -> tuple[Index, Index]:
    i, j = np.diag_indices(units) if gated else np.triu_indices(units)
    return i.astype(np.intp), j.astype(np.intp)


@dataclass(frozen=True, slots=True)
class Laws:
    """Polynomials ``h_l(θ) = Σ c θ_left θ_right`` with integer coefficients, one term per entry of
    the arrays.

    ``right = -1`` stands for a term of degree one, ``c θ_left``. The laws are the entries of
    ``families``, one after another; ``entries`` gives each law's indices in its family, from 1,
    none where the family is one formula.
    """

    families: tuple[Family, ...]
    law: Index
    left: Index
    right: Index
    coefficient: NDArray[np.int64]
    entries: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        """Number of laws listed."""
        return len(self.entries)

    @property
    def polynomial(self) -> bool:
        """Whether all are polynomials in the coordinates of the state."""
        return True

    def over(self, field: PrimeField) -> Laws:
        """Return the laws with :meth:`gradients` modulo a prime, for those that need one."""
        return self

    def name(self, law: int) -> str:
        """Return the name of a law: its family's formula and its entry."""
        start = 0
        for family in self.families:
            if law < start + family.size:
                entry = ",".join(map(str, self.entries[law]))
                return f"({family.text})[{entry}]" if entry else family.text
            start += family.size
        raise IndexError(f"law {law} of {len(self)}")

    def gradients(self, theta: NDArray[np.float64], rows: int) -> Iterator[NDArray[np.float64]]:
        """Yield ``∇h_l(θ)``, unreduced, as (at most ``rows``, D) matrices, law after law, at a
        point θ of D numbers.
        """
        extended = np.append(theta, 1.0)
        if 0 < len(self) <= rows:
            yield self._dense(np.arange(len(self.law)), 0, len(self), extended)
            return
        order = np.argsort(self.law, kind="stable")
        bounds = np.searchsorted(self.law[order], np.arange(0, len(self) + rows, rows))
        for start, (first, last) in enumerate(pairwise(bounds)):
            terms = order[first:last]
            yield self._dense(terms, start * rows, min(rows, len(self) - start * rows), extended)

    def values(
        self, theta: NDArray[np.float64], reduce: Callable[[NDArray[np.float64]], object]
    ) -> NDArray[np.float64]:
        """Return ``h_l(θ)``, unreduced sums of reduced terms, as a (points, laws) matrix, at points
        θ (points, D).
        """
        order = np.argsort(self.law, kind="stable")
        starts = np.searchsorted(self.law[order], np.arange(len(self)))
        extended = np.column_stack([theta, np.ones(len(theta))])
        result = np.empty((len(theta), len(self)))
        part = max(1, 2**22 // max(1, len(order)))
        for first in range(0, len(theta), part):
            rows = extended[first : first + part]
            terms = rows[:, self.left[order]] * rows[:, self.right[order]]
            reduce(terms)
            terms *= self.coefficient[order]
            result[first : first + part] = (
                np.add.reduceat(terms, starts, axis=1) if len(starts) else 0
            )
        return result

    def _dense(
        self, terms: Index, start: int, rows: int, extended: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        columns = len(extended)
        row = (self.law[terms] - start) * columns
        left, right = self.left[terms], self.right[terms] % columns
        place = np.concatenate([row + left, row + right])
        other = np.concatenate([extended[right], extended[left]])
        weights = other * np.tile(self.coefficient[terms], 2)
        dense: NDArray[np.float64] = np.bincount(place, weights, minlength=rows * columns).astype(
            np.float64
        )
        return dense.reshape(rows, columns)[:, :-1]


def linear_laws(family: Family, members: Sequence[Index]) -> Laws:
    """Return the laws ``h_l = Σ_{e ∈ members[l]} θ_e``."""
    left = np.concatenate([*members, np.empty(0, np.intp)]).astype(np.intp)
    law = np.repeat(np.arange(len(members)), [len(m) for m in members])
    entries = tuple((i,) for i in range(1, len(members) + 1))
    return Laws((family,), law, left, np.full(len(left), -1), np.ones(len(left), np.int64), entries)


def join(parts: Sequence[Laws]) -> Laws:
    """Return all laws of the parts, in order."""
    empty = np.empty(0, np.intp)
    parts = [Laws((), empty, empty, empty, empty, ()), *parts]
    starts = np.cumsum([0] + [len(part) for part in parts])
    return Laws(
        families=tuple(family for part in parts for family in part.families),
        law=np.concatenate([part.law + start for part, start in zip(parts, starts, strict=False)]),
        left=np.concatenate([part.left for part in parts]),
        right=np.concatenate([part.right for part in parts]),
        coefficient=np.concatenate([part.coefficient for part in parts]),
        entries=tuple(entry for part in parts for entry in part.entries),
    )
