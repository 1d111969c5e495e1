"""Known conservation laws as values: quadratic polynomials in families, with their formulas.

Where they come from: networks/wiring.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

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


Kind = Literal["full", "diagonal", "scalar"]
"""Which entries of a symmetric matrix are laws: all, those on the diagonal, or their sum alone."""


class Part(NamedTuple):
    """A term ``factor · M Mᵀ`` of a matrix of laws, M with one row of parameters per unit; or
    ``factor`` times the entries of a bias (linear), which stand on the diagonal.

    text, latex: its formula; width: the length of M's rows; matrix: gives the parameters, one row
    per unit, when they are needed.
    """

    factor: int
    text: str
    latex: str
    width: int
    linear: bool
    matrix: Callable[[], Index]


@dataclass(frozen=True, slots=True)
class Form:
    """The laws of one generator on a space of units: entries of ``Σ ± M Mᵀ``."""

    units: int
    parts: tuple[Part, ...]
    kind: Kind

    def size(self) -> tuple[int, int]:
        """Return the number of laws and of their terms."""
        entries = {"full": self.units * (self.units + 1) // 2, "diagonal": self.units, "scalar": 1}
        terms = self.units if self.kind == "scalar" else entries[self.kind]
        return entries[self.kind], terms * sum(part.width for part in self.parts)

    def laws(self) -> Laws:
        """Return the entries (i, j), i ≤ j, or those that are laws."""
        i, j = _entries(self.units, self.kind != "full")
        number = np.zeros_like(i) if self.kind == "scalar" else np.arange(len(i))
        rows = [part.matrix() for part in self.parts]
        left = [each[i].ravel() for each in rows]
        right = [
            np.full(each[j].size, -1) if part.linear else each[j].ravel()
            for each, part in zip(rows, self.parts, strict=True)
        ]
        factors = [
            np.full(len(each), part.factor) for each, part in zip(left, self.parts, strict=True)
        ]
        entries: tuple[tuple[int, ...], ...] = ((),)
        if self.kind != "scalar":
            entries = tuple(zip((i + 1).tolist(), (j + 1).tolist(), strict=True))
        return Laws(
            families=(self._family(len(entries)),),
            law=np.concatenate([np.repeat(number, part.width) for part in self.parts]),
            left=np.concatenate(left),
            right=np.concatenate(right),
            coefficient=np.concatenate(factors),
            entries=entries,
        )

    def _family(self, size: int) -> Family:
        shape = f"{self.units}×{self.units}"
        text, latex = (self._formula(tex) for tex in (False, True))
        if self.kind == "full":
            return Family(text, latex, f"{shape} symmetric", size)
        if self.kind == "diagonal":
            return Family(text, latex, f"{shape} diagonal", size)
        return Family(text, latex, "trace", size)

    def _formula(self, tex: bool) -> str:
        """Return the sum of the parts; on a diagonal, that of the matrices is taken."""
        linear = _signed([part for part in self.parts if part.linear], tex)
        matrices = _signed([part for part in self.parts if not part.linear], tex)
        name = {"full": "", "diagonal": "diag", "scalar": "tr"}[self.kind]
        if not name:
            return matrices
        if tex:
            name = rf"\operatorname{{{name}}}"
            return f"{linear} + " * bool(linear) + rf"{name}\bigl({matrices}\bigr)"
        return f"{linear} + " * bool(linear) + f"{name}({matrices})"


def _signed(parts: Sequence[Part], tex: bool) -> str:
    minus, times = (" - ", r" \, ") if tex else (" − ", "·")
    terms = []
    for part in parts:
        size = f"{abs(part.factor)}{times}" if abs(part.factor) != 1 else ""
        terms.append(
            f"{minus if part.factor < 0 else ' + '}{size}{part.latex if tex else part.text}"
        )
    text = "".join(terms)
    return text.removeprefix(" + ") if text.startswith(" + ") else text.strip()


@cache
def _entries(units: int, diagonal: bool) -> tuple[Index, Index]:
    i, j = np.diag_indices(units) if diagonal else np.triu_indices(units)
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
