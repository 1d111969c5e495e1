"""The known laws of a φ given by formulas: symmetric matrices, and sums of squares beside them.

Sums of squares come from the scalings that leave φ alone (scalings.py), symmetric matrices from the
indices that are summed over (symmetric.py). A sum of squares that follows from the diagonals of the
matrices, or from sums before it, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import prod
from typing import NamedTuple

import numpy as np

from conslaw_cli.algebra.kernel import rank_and_kernel
from conslaw_cli.families.formulas.expressions import Expression, Names
from conslaw_cli.families.formulas.scalings import MAX_COEFFICIENT, Square
from conslaw_cli.families.formulas.symmetric import forms
from conslaw_cli.flows.names import Arrays
from conslaw_cli.networks.known_laws import Form, Laws, Named, join
from conslaw_cli.networks.notation import TEX, TEXT
from conslaw_cli.networks.wiring import Array


def known_laws(expressions: Sequence[Expression], names: Names, squares: Sequence[Square]) -> Laws:
    """Return the laws of a φ whose scalings have these sums of squares."""
    matrices = list(forms(expressions, names)) if any(shape for _, shape in names.state) else []
    if matrices:
        diagonals = [row for form in matrices for row in _diagonals(form)]
        squares = tuple(_beyond(diagonals, squares, names.size))
    return join([*(form.laws() for form in matrices), _squares(names, squares)])


def _diagonals(form: Form) -> list[dict[int, int]]:
    """Return the sums of squares on the diagonal of a matrix of laws."""
    laws, rows = form.laws(), list[dict[int, int]]()
    for law in range(form.units):
        mine = (laws.law == laws.entries.index((law + 1, law + 1))) & (laws.left == laws.right)
        rows.append(
            dict(zip(laws.left[mine].tolist(), laws.coefficient[mine].tolist(), strict=True))
        )
    return rows


def _beyond(
    known: Sequence[dict[int, int]], squares: Sequence[Square], size: int
) -> Iterator[Square]:
    """Yield the sums of squares that are independent of known ones and of those before them."""
    every = [*known, *map(dict, squares)]
    rows = [{number: law[e] for number, law in enumerate(every) if e in law} for e in range(size)]
    _, relations = rank_and_kernel(rows, len(every), MAX_COEFFICIENT)
    dependent = {max(relation) for relation in relations}
    yield from (law for i, law in enumerate(squares, start=len(known)) if i not in dependent)


def _squares(names: Names, laws: Sequence[Square]) -> Laws:
    """Return the laws ``Σ c_e θ_e²``."""
    variables = np.array([e for law in laws for e, _ in law], dtype=np.intp)
    coefficients = np.array([c for law in laws for _, c in law], dtype=np.int64)
    law = np.repeat(np.arange(len(laws)), [len(law) for law in laws])
    arrays = Arrays(names.arrays)
    named = [list(_blocks(arrays, law)) for law in laws]
    families = tuple(
        Named(_sum(blocks, tex=False), _sum(blocks, tex=True), "sum of squares", 1)
        for blocks in named
    )
    return Laws(families, law, variables, variables, coefficients, ((),) * len(laws))


def _blocks(arrays: Arrays, law: Square) -> Iterator[_Block]:
    for array, terms in groupby(law, lambda term: arrays.at(term[0])):
        mine = list(terms)
        places = [array.place(e) for e, _ in mine]
        alike = [len(set(axis)) == 1 for axis in zip(*places, strict=True)]
        free = prod(n for n, each in zip(array.shape, alike, strict=True) if not each)
        if len({c for _, c in mine}) == 1 and len(mine) == free > 1:
            kept = [i if each else None for i, each in zip(places[0], alike, strict=True)]
            yield _Block(mine[0][1], array, kept if any(alike) else (), True)
        else:
            yield from (
                _Block(c, array, place, False) for (_, c), place in zip(mine, places, strict=True)
            )


class _Block(NamedTuple):
    """A coefficient of the square of an entry of an array, or of those of several: all with some
    indices fixed, such as ``U[:,1]``.
    """

    coefficient: int
    array: Array
    place: Sequence[int | None]
    several: bool


def _sum(blocks: Sequence[_Block], *, tex: bool) -> str:
    """Return a sum of squares as a formula."""
    norm, square = (r"\lVert {} \rVert^2", "{}^2") if tex else ("‖{}‖²", "{}²")
    names = (b.array.latex(b.place) if tex else b.array.label(b.place) for b in blocks)
    pairs = (
        (b, (norm if b.several else square).format(name))
        for b, name in zip(blocks, names, strict=True)
    )
    return (TEX if tex else TEXT).sum((b.coefficient, [power]) for b, power in pairs)
