"""Known conservation laws as values: quadratic polynomials in families, with their formulas.

Where they come from: networks/wiring.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.field import PrimeField
from conslaw_cli.networks.notation import TEX, TEXT
from conslaw_cli.networks.tex import symbol

if TYPE_CHECKING:
    from fractions import Fraction

Index = NDArray[np.intp]
Products = frozenset[tuple[str, ...]]


class Family(Protocol):
    """Laws that are the entries of one matrix or vector."""

    @property
    def text(self) -> str:
        """Its formula."""
        ...

    @property
    def latex(self) -> str:
        """Its formula in TeX."""
        ...

    @property
    def shape(self) -> str:
        """Which entries there are, as text."""
        ...

    @property
    def size(self) -> int:
        """Number of laws."""
        ...

    @property
    def factors(self) -> Products:
        """The arrays of which the terms of each law are products."""
        ...


class Named(NamedTuple):
    """A family whose formula is given; factors need be only where its laws are those of gradient
    flow.
    """

    text: str
    latex: str
    shape: str
    size: int
    factors: Products = frozenset()


Kind = Literal["full", "blocks", "diagonal", "scalar"]
"""Which entries of a symmetric matrix are laws: all, those in blocks on the diagonal, those on the
diagonal, or their sum alone.
"""


class Part(NamedTuple):
    """A term ``factor · M Mᵀ`` of a matrix of laws, M with one row of parameters per unit; or
    ``factor`` times the entries of a bias (linear), which stand on the diagonal.

    array: its name; written: whether M is the array transposed; summed: whether the formula adds
    up over the positions of a window; size, width: the number of M's entries, and of those in a
    row; matrix: gives the parameters, one row per unit, when they are needed. skip: whether M is
    the array plus the identity. lines: gives which rows of the array a unit has, of a network's,
    or columns where it is written, one row per unit. axis: along which axis the units are, of an
    array with more than two that is no network's.
    """

    factor: int
    array: str
    written: bool
    summed: bool
    linear: bool
    size: int
    width: int
    matrix: Callable[[], Index]
    skip: bool = False
    lines: Callable[[], Index] | None = None
    axis: int | None = None

    def formula(self, tex: bool) -> str:
        """Return its formula without the factor."""
        unfolded = "" if self.axis is None else f"({self.axis + 1})"
        name = symbol(self.array + unfolded) if tex else self.array + unfolded
        if self.skip:
            name = f"(I + {name})"
        if self.linear:
            return name
        transposed, between = (rf"{name}^\top", " ") if tex else (f"{name}ᵀ", "")
        factors = (transposed, name) if self.written else (name, transposed)
        total = r"\textstyle\sum " if tex else "Σ "
        return total * self.summed + between.join(factors)


class Form(NamedTuple):
    """The laws of one generator on a space of units: entries of ``Σ ± M Mᵀ``.

    within: the sizes of the blocks, one behind the other, if the kind is "blocks".
    """

    units: int
    parts: tuple[Part, ...]
    kind: Kind
    within: tuple[int, ...] = ()

    @property
    def blocks(self) -> tuple[int, ...]:
        """The sizes of the blocks on the diagonal all of whose entries are laws; none if those of
        the diagonal alone are, or their sum.
        """
        return (self.units,) if self.kind == "full" else self.within

    @property
    def linear(self) -> bool:
        """Whether the laws are linear: differences of biases that add up."""
        return all(part.linear for part in self.parts)

    def scaled(self, numbers: Mapping[str, int | Fraction]) -> Form:
        """Return it with the parts of each array multiplied by a number, for integer factors."""
        factors = (int(part.factor * numbers[part.array]) for part in self.parts)
        pairs = zip(self.parts, factors, strict=True)
        return self._replace(parts=tuple(part._replace(factor=factor) for part, factor in pairs))

    @property
    def size(self) -> int:
        """Number of laws."""
        if self.blocks:
            return sum(n * (n + 1) // 2 for n in self.blocks)
        return 1 if self.kind == "scalar" else self.units

    @property
    def terms(self) -> int:
        """Number of terms of the laws."""
        if self.kind == "scalar":
            return sum(part.size + 2 * part.skip * self.units for part in self.parts)
        return self.size * sum(part.width + 2 * part.skip for part in self.parts)

    @property
    def entries(self) -> Iterable[tuple[int, ...]]:
        """The indices of each law, from 1."""
        if self.blocks:
            return _entries(*self.blocks)[2]
        if self.kind == "scalar":
            return [()]
        return [(i, i) for i in range(1, self.units + 1)]

    @property
    def shape(self) -> str:
        """Which entries there are, as text."""
        if self.kind == "scalar":
            return "trace"
        if self.within:
            same = len(set(self.within)) == 1
            sizes = str(self.within[0]) if same else ", ".join(map(str, self.within))
            return f"{self.units}×{self.units} symmetric, in blocks of {sizes}"
        return f"{self.units}×{self.units} {'symmetric' if self.kind == 'full' else 'diagonal'}"

    @property
    def text(self) -> str:
        """The formula."""
        return self._formula("{}({})", tex=False)

    @property
    def latex(self) -> str:
        """The formula in TeX."""
        return self._formula(r"\operatorname{{{}}}\bigl({}\bigr)", tex=True)

    @property
    def factors(self) -> Products:
        """Two of an array, and one where it is linear or beside the identity."""
        squares = {(part.array,) * 2 for part in self.parts if not part.linear}
        return frozenset(
            squares.union((part.array,) for part in self.parts if part.linear or part.skip)
        )

    def laws(self) -> Laws:
        """Return the entries (i, j), i ≤ j, or those that are laws."""
        return listed([self])

    def _formula(self, applied: str, tex: bool) -> str:
        """Return the sum of the parts; on a diagonal, that of the matrices is taken."""
        notation = TEX if tex else TEXT
        own = [(part.factor, [part.formula(tex)]) for part in self.parts if part.linear]
        matrices = [(part.factor, [part.formula(tex)]) for part in self.parts if not part.linear]
        if self.blocks or not matrices:
            return notation.sum(matrices or own)
        sign = -1 if own and all(factor < 0 for factor, _ in matrices) else 1
        inner = notation.sum((sign * factor, formula) for factor, formula in matrices)
        applied = applied.format("tr" if self.kind == "scalar" else "diag", inner)
        return notation.sum([*own, (sign, [applied])])


_FEW = 64
"""Units up to which it saves time to keep the indices of entries."""


_Entries = tuple[Index, Index, tuple[tuple[int, ...], ...]]


def _entries(*blocks: int) -> _Entries:
    """Return rows and columns of the entries (i, j), i ≤ j, of blocks on the diagonal, and how they
    are counted, from 1.
    """
    return _few_entries(*blocks) if sum(blocks) <= _FEW else _made_entries(*blocks)


def _made_entries(*blocks: int) -> _Entries:
    starts = np.cumsum((0, *blocks))
    each = [np.stack(np.triu_indices(n)) + k for n, k in zip(blocks, starts, strict=False)]
    i, j = np.concatenate(each, axis=1)
    pairs = zip((i + 1).tolist(), (j + 1).tolist(), strict=True)
    return i.astype(np.intp), j.astype(np.intp), tuple(pairs)


_few_entries = lru_cache(maxsize=_FEW)(_made_entries)


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

    def apart(self) -> Iterator[Laws]:
        """Yield the laws of each family."""
        start = 0
        for family in self.families:
            stop = start + family.size
            own = (self.law >= start) & (self.law < stop)
            yield replace(
                self,
                families=(family,),
                law=self.law[own] - start,
                left=self.left[own],
                right=self.right[own],
                coefficient=self.coefficient[own],
                entries=self.entries[start:stop],
            )
            start = stop

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
        extended = np.concatenate([theta, (1.0,)])
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
        coefficient = self.coefficient[terms]
        weights = other * np.concatenate([coefficient, coefficient])
        dense = np.bincount(place, weights, minlength=rows * columns).astype(np.float64, copy=False)
        return dense.reshape(rows, columns)[:, :-1]


def listed(forms: Sequence[Form]) -> Laws:
    """Return the laws of some forms, one form after another."""
    law, left, right = list[Index](), list[Index](), list[Index]()
    factors, entries = list[int](), list[tuple[int, ...]]()
    for form in forms:
        numbers = np.arange(len(entries), len(entries) + form.size)
        i = j = np.arange(form.units)
        if form.blocks:
            i, j, _ = _entries(*form.blocks)
        for part in form.parts:
            rows = part.matrix()
            pair = (rows[i], rows[j]) if form.blocks else (rows, rows)
            law.append(numbers.repeat(part.size if form.kind == "scalar" else part.width))
            left.append(pair[0].ravel())
            right.append(np.full(part.size, -1) if part.linear else pair[1].ravel())
            factors.append(part.factor)
            for linear in (rows[i, j], rows[j, i]) if part.skip else ():
                law.append(np.resize(numbers, len(linear)))
                left.append(linear)
                right.append(np.full(len(linear), -1))
                factors.append(part.factor)
        entries += form.entries
    if not law:
        return join([])
    coefficient = np.repeat(factors, [len(each) for each in law])
    terms = np.concatenate(law), np.concatenate(left), np.concatenate(right)
    return Laws(tuple(forms), *terms, coefficient, tuple(entries))


class Sums(NamedTuple):
    """The laws ``Σ_j θ_ij``: sums of the rows of an array's matrix, from its place in θ on; of a
    bias, which is one row, all of it.
    """

    array: str
    start: int
    rows: int
    columns: int
    matrix: bool

    @property
    def text(self) -> str:
        """The formula."""
        return f"{self.array}·1"

    @property
    def latex(self) -> str:
        """The formula in TeX."""
        return rf"{symbol(self.array)} \mathbf{{1}}"

    @property
    def shape(self) -> str:
        """Which entries there are, as text."""
        return f"{self.rows} row sums" if self.matrix else "1 sum"

    @property
    def size(self) -> int:
        """Number of laws."""
        return self.rows

    @property
    def terms(self) -> int:
        """Number of terms of the laws."""
        return self.rows * self.columns

    @property
    def factors(self) -> Products:
        """The array alone."""
        return frozenset({(self.array,)})

    def laws(self) -> Laws:
        """Return the sums."""
        entries = np.arange(self.start, self.start + self.terms)
        return linear_laws(self, list(entries.reshape(self.rows, self.columns)))


def linear_laws(family: Family, members: Sequence[Index]) -> Laws:
    """Return the laws ``h_l = Σ_{e ∈ members[l]} θ_e``."""
    left = np.concatenate([*members, np.empty(0, np.intp)]).astype(np.intp)
    law = np.repeat(np.arange(len(members)), [len(m) for m in members])
    entries = tuple((i,) for i in range(1, len(members) + 1))
    return Laws((family,), law, left, np.full(len(left), -1), np.ones(len(left), np.int64), entries)


def join(parts: Sequence[Laws]) -> Laws:
    """Return all laws of the parts, in order."""
    if len(parts) == 1:
        return parts[0]
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
