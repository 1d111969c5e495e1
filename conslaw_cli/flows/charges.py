"""Noether's laws of momentum, on the state (θ, p, s) of momentum.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from conslaw_cli.flows.charts import Scale
from conslaw_cli.flows.friction import Formula, Friction
from conslaw_cli.flows.names import Arrays, Index
from conslaw_cli.networks.known_laws import Family, Laws, Named, Sums, linear_laws
from conslaw_cli.networks.tex import symbol
from conslaw_cli.networks.wiring import Space

Pair = tuple[Index, Index]
"""Entries of two arrays, one row per unit: those of θ, and those whose p they are paired with."""


@dataclass(frozen=True, slots=True)
class Side:
    """One array of a space: its entries, one row per unit, and whether it writes the units."""

    rows: Index
    writes: bool

    @property
    def plain(self) -> bool:
        """Whether every unit has one entry."""
        return len(self.rows[0]) == 1


def open_spaces(spaces: Sequence[Space]) -> Iterator[list[Side]]:
    """Yield the arrays of every space of several units that has rotations: without gate, not wired
    to an input or output, written and read.
    """
    for space in spaces:
        if space.written and space.read and not (space.wired or space.gated) and space.units > 1:
            written = [Side(rows, True) for rows in space.written]
            yield [*written, *(Side(rows, False) for rows in space.read)]


def rotations(sides: Sequence[Side], arrays: Arrays) -> Laws:
    """Return ``Σ θ_i p_j − p_i θ_j`` for all i < j, summed over the arrays of a space."""
    texts = [_commutator(side, side, arrays) for side in sides]
    return _antisymmetric([(side.rows, side.rows) for side in sides], texts, arrays.size)


def exchanges(sides: Sequence[Side], arrays: Arrays, scales: Sequence[Scale]) -> Iterator[Laws]:
    """Yield ``s (u_i q_j − q_i u_j) + r (v_i p_j − p_i v_j)`` for all i < j, p and q the momenta of
    u and v, r and s their rates, where one parameter u_i writes and one, v_i, reads every unit.
    """
    if len(sides) != 2 or not all(side.plain for side in sides):
        return
    u, v = sides
    ratio = scales[int(v.rows[0, 0])][1] / scales[int(u.rows[0, 0])][1]
    texts = [_commutator(u, v, arrays), _commutator(v, u, arrays)]
    factors = [ratio.numerator, ratio.denominator]
    pairs = [(u.rows, v.rows), (v.rows, u.rows)]
    yield _antisymmetric(pairs, texts, arrays.size, factors)


def linear(
    laws: Laws, arrays: Arrays, scales: Sequence[Scale], friction: Friction
) -> Iterator[Laws]:
    """Yield, for the laws ``⟨c, θ⟩`` among those of gradient flow, ``⟨c, p⟩`` and, where the metric
    is constant, ``⟨c, θ⟩/r − s ⟨c, p⟩``. A law in one parameter alone is one of them: that
    parameter does not move.
    """
    start, size = 0, arrays.size
    for family in laws.families:
        inside = np.flatnonzero((laws.law >= start) & (laws.law < start + family.size))
        start += family.size
        members = _members(laws.law[inside], laws.left[inside])
        sums = bool((laws.right[inside] == -1).all() and (laws.coefficient[inside] == 1).all())
        squares = (laws.right[inside] == laws.left[inside]).all()
        if not sums and not (squares and len(inside) == family.size):
            continue
        still, moving = _formulas(family, arrays, members[0], sums)
        family = family if sums else Named(*still, "1 entry", family.size)
        momenta = _named(family, moving[0], moving[1])
        yield boosted(linear_laws(momenta, [member + size for member in members]), friction)
        if all(scales[int(member[0])][0].constant for member in members):
            rates = [scales[int(member[0])][1] for member in members]
            text, tex = friction.moved(_divided(still, rates), moving)
            yield _positions(_named(family, text, tex), members, rates, size)


def _members(law: Index, left: Index) -> list[Index]:
    """Return the parameters of each law."""
    order = np.argsort(law, kind="stable")
    return np.split(left[order], np.flatnonzero(np.diff(law[order])) + 1)


def _divided(formula: Formula, rates: Sequence[Fraction]) -> Formula:
    """Return ⟨c, θ⟩/r."""
    if all(rate == 1 for rate in rates):
        return formula
    shown = str(rates[0]) if len(set(rates)) == 1 else "r"
    text, tex = formula
    return f"({text})/({shown})", rf"\tfrac{{1}}{{{shown}}} {tex}"


def _positions(
    family: Family, members: Sequence[Index], rates: Sequence[Fraction], size: int
) -> Laws:
    """Return ``Σ θ_e/r − s p_e`` over the members, with integer coefficients."""
    still = linear_laws(family, members)
    top, bottom = (
        np.array([getattr(rate, part) for rate in rates], dtype=np.int64)[still.law]
        for part in ("numerator", "denominator")
    )
    return replace(
        still,
        law=np.tile(still.law, 2),
        left=np.concatenate([still.left, still.left + size]),
        right=np.concatenate([still.right, np.full(len(still.left), 2 * size)]),
        coefficient=np.concatenate([bottom, -top]),
    )


def boosted(laws: Laws, friction: Friction) -> Laws:
    """Return laws that are linear in p, their formulas, which are in v, with the factor between."""
    families = []
    for family in laws.families:
        text, tex = friction.boosted((family.text, family.latex))
        families.append(_named(family, text, tex))
    return replace(laws, families=tuple(families))


def _named(family: Family, text: str, latex: str) -> Named:
    """Return the family with another formula."""
    return Named(text, latex, family.shape, family.size)


def _formulas(
    family: Family, arrays: Arrays, first: Index, linear: bool
) -> tuple[Formula, Formula]:
    """Return ⟨c, θ⟩ and ⟨c, v⟩: of sums the family's formula, as of all parameters where none
    moves; of one parameter its name.
    """
    if isinstance(family, Sums):
        moving = family._replace(array=arrays.velocity(family.array))
        return (family.text, family.latex), (moving.text, moving.latex)
    if linear:
        return (family.text, family.latex), ("v", "v")
    array = arrays.at(int(first[0]))
    label = array.label(array.place(int(first[0])))
    moved = arrays.velocity(array.name) + label.removeprefix(array.name)
    return (label, symbol(label)), (moved, symbol(moved))


def _antisymmetric(
    pairs: Sequence[Pair],
    texts: Sequence[Formula],
    parameters: int,
    factors: Sequence[int] = (),
) -> Laws:
    """Return the laws ``Σ c (θ_i p_j − p_i θ_j)`` over all pairs of arrays, with factors c."""
    units = len(pairs[0][0])
    i, j = np.triu_indices(units, 1)
    parts = [
        term
        for (theta, momentum), c in zip(pairs, factors or [1] * len(pairs), strict=True)
        for term in (
            (theta[i], momentum[j] + parameters, c),
            (theta[j], momentum[i] + parameters, -c),
        )
    ]
    scaled = [_times(c, text) for c, text in zip(factors or [1] * len(pairs), texts, strict=True)]
    text, tex = map(" + ".join, zip(*scaled, strict=True))
    return Laws(
        (Named(text, tex, f"{units}×{units} antisymmetric", len(i)),),
        np.concatenate([np.repeat(np.arange(len(i)), left.shape[1]) for left, _, _ in parts]),
        np.concatenate([left.ravel() for left, _, _ in parts]),
        np.concatenate([right.ravel() for _, right, _ in parts]),
        np.concatenate([np.full(left.size, sign) for left, _, sign in parts]),
        tuple(zip((i + 1).tolist(), (j + 1).tolist(), strict=True)),
    )


def _times(factor: int, formula: Formula) -> Formula:
    text, tex = formula
    return formula if factor == 1 else (f"{factor}·({text})", rf"{factor} \bigl({tex}\bigr)")


def _commutator(theta: Side, momentum: Side, arrays: Arrays) -> tuple[str, str]:
    """Return ``X^T W − V^T Y`` for the matrices X, Y of θ and momenta V, W of two arrays with units
    as columns, as text and LaTeX.
    """
    x, y = (arrays.at(int(side.rows[0, 0])).name for side in (theta, momentum))
    row = [_rows(x, theta), _rows(arrays.velocity(x), theta)]
    column = [_rows(y, momentum, True), _rows(arrays.velocity(y), momentum, True)]
    sums = ("Σ ", r"\textstyle\sum ") if _copies(theta, arrays) else ("", "")
    text, tex = (
        f"{sums[k]}{row[0][k]}{gap}{column[1][k]} {minus} {sums[k]}{row[1][k]}{gap}{column[0][k]}"
        for k, gap, minus in ((0, "", "−"), (1, " ", "-"))
    )
    return text, tex


def _rows(name: str, side: Side, transposed: bool = False) -> tuple[str, str]:
    """Return the matrix with one row per unit, or its transpose: an array that writes units has
    them as columns.
    """
    turned = side.writes is not transposed
    return name + "ᵀ" * turned, symbol(name) + r"^\top" * turned


def _copies(side: Side, arrays: Arrays) -> bool:
    """Whether a unit has several rows of the array, as behind a convolution."""
    array = arrays.at(int(side.rows[0, 0]))
    rows = {array.place(e)[:-1] for e in side.rows[0].tolist()}
    return not side.writes and len(rows) > 1
