"""Whether fields commute, against all brackets written out by sympy."""

from __future__ import annotations

from itertools import combinations

import pytest
import sympy

from conslaw_cli import MLP, CustomFields, CustomMap, Momentum, Problem, count_laws
from conslaw_cli.formats import Report, render

MAPS = [
    ("u1**2 - v1**2, u2**2 - v2**2", True),
    ("u*v1, u*v2", False),
    ("x + y, x*y", False),
    ("x**2 + y, 2*x**2 + 2*y + 1", True),
    ("x, y, x + 2*y", True),
    ("sqrt(x)*y, z**2", True),
    ("x/(x + y), z", True),
    ("exp(u)*v, w**3", True),
    ("exp(u)*v, v", False),
    ("x*y*z", True),
]


def commute(fields: list[list[sympy.Expr]], symbols: list[sympy.Symbol]) -> bool:
    """Return whether all brackets vanish identically."""

    def bracket(f: list[sympy.Expr], g: list[sympy.Expr]) -> sympy.Matrix:
        first, second = sympy.Matrix(f), sympy.Matrix(g)
        return first.jacobian(symbols) * second - second.jacobian(symbols) * first

    return all(
        sympy.simplify(entry) == 0 for f, g in combinations(fields, 2) for entry in bracket(f, g)
    )


@pytest.mark.parametrize(("text", "expected"), MAPS)
def test_gradients_commute_as_written_out(text: str, expected: bool) -> None:
    phi = CustomMap.from_text(text)
    symbols = [sympy.Symbol(name, positive=True) for name in phi.variables]
    scope = {symbol.name: symbol for symbol in symbols}
    maps = [sympy.sympify(component, locals=scope) for component in phi.components]
    fields = [[sympy.diff(each, x) for x in symbols] for each in maps]
    row = count_laws(phi)
    assert row.commuting is commute(fields, symbols) is expected
    assert row.to_dict()["commuting"] is expected


def test_given_fields_commute_or_not() -> None:
    turns = (("y", "-x", "0"), ("z", "0", "-x"))
    for fields, expected in ((turns, False), (turns[:1], True), ((("x", "y"), ("y", "x")), True)):
        names = ("x", "y", "z")[: len(fields[0])]
        row = count_laws(CustomFields(names, fields))
        symbols = list(sympy.symbols(names))
        written = [[sympy.sympify(entry) for entry in field] for field in fields]
        assert row.commuting is commute(written, symbols) is expected


def test_networks_do_not_say() -> None:
    row = count_laws(MLP((2, 2, 2)))
    assert row.commuting is None
    assert "commuting" not in row.to_dict()


def test_what_is_not_decided_is_null() -> None:
    """Residues see a bracket that does not vanish, which says nothing of dependent logarithms."""
    row = count_laws(CustomMap.from_text("log(x**2 - y**2)*u, log(x - y)*u, log(x + y)*u"))
    assert row.commuting is None
    assert row.to_dict()["commuting"] is None
    flowing = Problem(CustomMap.from_text("u*v"), Momentum())
    assert count_laws(flowing).to_dict()["commuting"] is None


def test_a_column_of_tables_for_maps_and_fields_only() -> None:
    own, network = count_laws(CustomMap.from_text("u*v, u*w")), count_laws(MLP((2, 2, 2)))
    for name in ("table", "markdown", "csv"):
        assert ("commuting" in render(name, Report("count", (own, network)))) is True
        assert ("commuting" in render(name, Report("count", (network,)))) is False
