"""Totals of reaction networks: nonnegative linear laws, against all small nonnegative vectors."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import sympy

from conslaw_cli import CustomFields, find_laws
from conslaw_cli.laws.totals import totals
from conslaw_cli.specs.spec import load

MICHAELIS_MENTEN = CustomFields(
    ("E", "S", "C", "P"),
    (("-E*S", "-E*S", "E*S", "0"), ("C", "C", "-C", "0"), ("C", "0", "-C", "C")),
)


def test_totals_of_an_enzyme() -> None:
    found = find_laws(MICHAELIS_MENTEN, 1)
    names = found.parameters
    written = {tuple((c, names[m[0]]) for c, m in law.polynomial.terms) for law in found.generators}
    assert written == {((1, "E"), (1, "C")), ((1, "S"), (1, "C"), (1, "P"))}


NETWORKS: dict[str, list[dict[str, int]]] = {
    # A. Goldbeter, D. E. Koshland, PNAS 78, 1981.
    "phosphorylation cycle, free rates": [
        {"E": 1, "C1": 1},
        {"F": 1, "C2": 1},
        {"S0": 1, "S1": 1, "C1": 1, "C2": 1},
    ],
    # G. Shinar, M. Feinberg, Structural sources of robustness, Science 327, 2010.
    "EnvZ–OmpR, free rates": [
        {"Y": 1, "XpY": 1, "Yp": 1, "XDYp": 1},
        {"XD": 1, "X": 1, "XT": 1, "Xp": 1, "XpY": 1, "XDYp": 1},
    ],
    # M. Bodenstein, S. C. Lind 1907: atoms.
    "hydrogen bromide, free rates": [{"H2": 2, "HBr": 1, "H": 1}, {"Br2": 2, "HBr": 1, "Br": 1}],
}


@pytest.mark.parametrize(("name", "totals"), NETWORKS.items(), ids=list(NETWORKS))
def test_totals_of_the_literature(name: str, totals: list[dict[str, int]]) -> None:
    sweep = load(str(Path(__file__).parents[2] / "configs" / "formulas.yaml"))
    (problem,) = (each for each in sweep.problems if each.name == name)
    found = find_laws(problem, 1)
    names = found.parameters
    written = [{names[m[0]]: c for c, m in law.polynomial.terms} for law in found.generators]
    assert sorted(written, key=str) == sorted(totals, key=str)


def test_a_basis_is_found_where_small_vectors_span() -> None:
    """All spaces of two vectors with entries from −1 to 1, by enumeration of small ones."""
    vectors = list(product((-1, 0, 1), repeat=4))
    for first, second in zip(vectors[1::5], vectors[7::5], strict=False):
        space = sympy.Matrix([first, second])
        if space.rank() < 2:
            continue
        rows = [{e: c for e, c in enumerate(v) if c} for v in (first, second)]
        across = [[sympy.Rational(c) for c in vector] for vector in space.nullspace()]
        inside = [
            v
            for v in product(range(4), repeat=4)
            if any(v) and not any(sum(a * c for a, c in zip(v, w, strict=True)) for w in across)
        ]
        spans = bool(inside) and sympy.Matrix(inside).rank() == 2
        basis = totals(rows, 4)
        assert (basis is not None) == spans
        for vector in basis or []:
            dense = [[vector.get(e, 0) for e in range(4)]]
            assert min(vector.values()) > 0
            assert space.col_join(sympy.Matrix(dense)).rank() == 2
