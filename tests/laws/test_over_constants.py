"""Laws with generic constants in their coefficients: sympy differentiates them to zero, and they
are as many as a plain count says.
"""

from __future__ import annotations

from typing import Any

import pytest
import sympy

from conslaw_cli import CustomFields, CustomMap, SpecError, count_laws, find_laws
from conslaw_cli.formats.laws import Result, render

RATES = CustomFields(
    ("a", "w1", "w2"), (("q*w1", "p*a", "0"), ("q*w2", "0", "p*a")), constants=("p", "q")
)
LOTKA = CustomFields(
    ("A", "B", "C"), (("-k*A*B", "-k*A*B", "k*A*B"), ("r*C", "r*C", "-r*C")), constants=("k", "r")
)
CASES: list[tuple[Any, int, int]] = [
    (RATES, 2, 1),
    (LOTKA, 1, 2),
    (CustomMap((), ("u**2 + p*v**2", "w*u"), constants=("p",)), 2, 0),
    (CustomMap((), ("p*u*v + q*x*y",), constants=("p", "q")), 2, 2),
    (CustomMap((), ("p*x + q*y",), constants=("p", "q")), 1, 1),
]


def symbols_of(architecture: Any) -> tuple[list[sympy.Symbol], list[sympy.Symbol]]:
    constants = [name for name, _ in architecture.names.constants]
    return list(sympy.symbols(architecture.variables)), list(sympy.symbols(constants))


def fields_of(architecture: Any) -> list[list[sympy.Expr]]:
    symbols, _ = symbols_of(architecture)
    if isinstance(architecture, CustomFields):
        return [[sympy.sympify(entry) for entry in field] for field in architecture.components]
    components = map(sympy.sympify, architecture.components)
    return [[sympy.diff(each, x) for x in symbols] for each in components]


@pytest.mark.parametrize(("architecture", "degree", "laws"), CASES, ids=lambda x: str(x)[:30])
def test_laws_hold_for_all_constants(architecture: Any, degree: int, laws: int) -> None:
    found = find_laws(architecture, degree)
    assert found.independent == laws
    symbols, constants = symbols_of(architecture)
    every = [*symbols, *constants]
    for law in found.generators:
        written = sum(c * sympy.prod([every[e] for e in m]) for c, m in law.polynomial.terms)
        assert written.free_symbols & set(symbols)
        for field in fields_of(architecture):
            along = sum(sympy.diff(written, x) * y for x, y in zip(symbols, field, strict=True))
            assert sympy.expand(along) == 0


def test_the_law_of_unequal_rates_is_written_in_every_format() -> None:
    result = Result(find_laws(RATES, 2), count_laws(RATES))
    assert "a²·p − w1²·q − w2²·q = const   (found)" in render("text", [result])
    scope: dict[str, Any] = {}
    exec(render("python", [result]), scope)
    assert scope["laws"]([3, 1, 2], 5, 7).tolist() == [5 * 9 - 7 * 5]
    for name in ("json", "latex", "sympy"):
        assert "q" in render(name, [result])


def test_too_many_monomials_are_refused() -> None:
    names = tuple(f"x{i}" for i in range(20))
    phi = CustomMap((), ("*".join(names) + "*p + q",), constants=("p", "q"))
    with pytest.raises(SpecError, match="expected at most 4,000 monomials of degree 4"):
        find_laws(phi, 4)
