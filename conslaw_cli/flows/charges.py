"""Noether's laws of momentum, on the state (θ, p, s) of momentum.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conslaw_cli.flows.friction import Formula, Friction
from conslaw_cli.flows.names import Arrays, Index, latex, velocity
from conslaw_cli.networks.known_laws import Family, Laws, Named, linear_laws
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
    return _antisymmetric([(side.rows, side.rows) for side in sides], texts, len(arrays.names))


def exchanges(sides: Sequence[Side], arrays: Arrays) -> Laws | None:
    """Return ``u_i q_j − q_i u_j + v_i p_j − p_i v_j`` for all i < j, p and q the momenta of u and
    v, where one parameter u_i writes and one, v_i, reads every unit; else None.
    """
    if len(sides) != 2 or not all(side.plain for side in sides):
        return None
    u, v = sides
    texts = [_commutator(u, v, arrays), _commutator(v, u, arrays)]
    return _antisymmetric([(u.rows, v.rows), (v.rows, u.rows)], texts, len(arrays.names))


def linear(laws: Laws, arrays: Arrays, friction: Friction) -> Iterator[Laws]:
    """Yield, for the laws ``⟨c, θ⟩`` among those of gradient flow, ``⟨c, p⟩`` and ``⟨c, θ⟩ − s ⟨c,
    p⟩``. A law in one parameter alone is one of them: that parameter does not move.
    """
    start, size = 0, len(arrays.names)
    for family in laws.families:
        inside = (laws.law >= start) & (laws.law < start + family.size)
        members = [laws.left[inside & (laws.law == start + i)] for i in range(family.size)]
        alone = all(len(member) == 1 for member in members)
        sums = (laws.right[inside] == -1).all() and (laws.coefficient[inside] == 1).all()
        start += family.size
        if not (sums or (alone and (laws.left[inside] == laws.right[inside]).all())):
            continue
        still = _formula(family, arrays, members[0]) if not sums else (family.text, family.latex)
        moving = _moving(still, arrays, members[0])
        momenta = linear_laws(_named(family, *moving), [m + size for m in members])
        yield boosted(momenta, friction)
        text, tex = friction.moved(still, moving)
        yield _positions(_named(family, text, tex), members, size)


def _positions(family: Family, members: Sequence[Index], size: int) -> Laws:
    """Return ``Σ θ_e − s p_e`` over the members."""
    still = linear_laws(family, members)
    return replace(
        still,
        law=np.tile(still.law, 2),
        left=np.concatenate([still.left, still.left + size]),
        right=np.concatenate([still.right, np.full(len(still.left), 2 * size)]),
        coefficient=np.concatenate([still.coefficient, -still.coefficient]),
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


def _formula(family: Family, arrays: Arrays, member: Index) -> Formula:
    """Return the name of the one parameter of a law."""
    name = arrays.names[int(member[0])]
    return name, latex(name)


def _moving(formula: Formula, arrays: Arrays, member: Index) -> Formula:
    """Return a formula in the arrays of a law as one in their velocities."""
    name = arrays.array(int(member[0]))
    if formula[0] == "θ":
        return "v", "v"
    text, tex = formula
    return text.replace(name, velocity(name)), tex.replace(latex(name), latex(velocity(name)))


def _antisymmetric(
    pairs: Sequence[Pair], texts: Sequence[tuple[str, str]], parameters: int
) -> Laws:
    """Return the laws ``Σ θ_i p_j − p_i θ_j`` over all pairs of arrays."""
    units = len(pairs[0][0])
    i, j = np.triu_indices(units, 1)
    parts = [
        term
        for theta, momentum in pairs
        for term in (
            (theta[i], momentum[j] + parameters, 1),
            (theta[j], momentum[i] + parameters, -1),
        )
    ]
    text, tex = map(" + ".join, zip(*texts, strict=True))
    return Laws(
        (Named(text, tex, f"{units}×{units} antisymmetric", len(i)),),
        np.concatenate([np.repeat(np.arange(len(i)), left.shape[1]) for left, _, _ in parts]),
        np.concatenate([left.ravel() for left, _, _ in parts]),
        np.concatenate([right.ravel() for _, right, _ in parts]),
        np.concatenate([np.full(left.size, sign) for left, _, sign in parts]),
        tuple(zip((i + 1).tolist(), (j + 1).tolist(), strict=True)),
    )


def _commutator(theta: Side, momentum: Side, arrays: Arrays) -> tuple[str, str]:
    """Return ``X^T W − V^T Y`` for the matrices X, Y of θ and momenta V, W of two arrays with units
    as columns, as text and LaTeX.
    """
    x, y = (arrays.array(int(side.rows[0, 0])) for side in (theta, momentum))
    row = [_rows(x, theta), _rows(velocity(x), theta)]
    column = [_rows(y, momentum, True), _rows(velocity(y), momentum, True)]
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
    return name + "ᵀ" * turned, latex(name) + r"^\top" * turned


def _copies(side: Side, arrays: Arrays) -> bool:
    """Whether a unit has several rows of the array, as behind a convolution."""
    rows = {arrays.names[e].rpartition(",")[0] for e in side.rows[0].tolist()}
    return not side.writes and len(rows) > 1
