"""Laws that are quotients: those of textbooks are found, and sympy differentiates them to zero."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sympy
from click.testing import CliRunner

from conslaw_cli import MLP, CustomFields, CustomMap, SpecError, count_laws, find_laws
from conslaw_cli.cli import main
from conslaw_cli.formats.laws import Result, render
from conslaw_cli.laws.rational import find_rational

KEPLER = CustomFields(
    ("x", "y", "p", "q", "r"), (("p", "q", "-x/r**3", "-y/r**3", "(x*p + y*q)/r"),)
)
CASES: list[tuple[Any, int, list[str]]] = [
    (CustomMap.from_text("u**3 - v**3"), 2, ["1/u + 1/v"]),
    (CustomMap.from_text("u**4 - v**4"), 2, ["1/u**2 + 1/v**2"]),
    (CustomMap.from_text("w1**2 + 3*w2**2"), 3, ["w1**3/w2"]),
    (CustomMap.from_text("u1**2 + u2**2"), 2, ["u1/u2"]),
    (CustomFields(("x", "y", "z"), (("x - y", "y - x - z", "z"),)), 2, ["(x - y + z)/z**2"]),
    (KEPLER, 3, ["(p**2 + q**2)/2 - 1/r"]),
    (CustomMap.from_text("u1**2 + u2**2 + u3**2"), 1, ["u1/u3", "u2/u3"]),
    (CustomMap.from_text("x + y**2"), 2, []),
]


def written(architecture: Any, degree: int) -> list[sympy.Expr]:
    """Return the quotients as sympy reads them."""
    search = find_laws(architecture, degree)
    missing = (count_laws(architecture).laws or 0) - search.independent
    symbols = sympy.symbols(search.parameters)

    def monomial(places: tuple[int, ...]) -> sympy.Expr:
        return sympy.prod([symbols[e] for e in places])

    return [
        sympy.Add(*(c * monomial(m) for c, m in quotient.numerator.terms))
        / monomial(quotient.denominator)
        for quotient in find_rational(search, missing)
    ]


def fields_of(architecture: Any) -> list[list[sympy.Expr]]:
    symbols = sympy.symbols(architecture.variables)
    if isinstance(architecture, CustomFields):
        return [[sympy.sympify(entry) for entry in field] for field in architecture.components]
    components = map(sympy.sympify, architecture.components)
    return [[sympy.diff(each, x) for x in symbols] for each in components]


@pytest.mark.parametrize(("architecture", "degree", "laws"), CASES, ids=lambda x: str(x)[:40])
def test_laws_of_textbooks_are_found(architecture: Any, degree: int, laws: list[str]) -> None:
    symbols = sympy.symbols(architecture.variables)
    found = written(architecture, degree)
    for law in found:
        for field in fields_of(architecture):
            along = sum(sympy.diff(law, x) * entry for x, entry in zip(symbols, field, strict=True))
            assert sympy.simplify(along) == 0
    assert len(found) == len(laws)
    for text in laws:  # each is a function of those found
        gradients = [[sympy.diff(f, x) for x in symbols] for f in (*found, sympy.sympify(text))]
        point = {x: sympy.Integer(n) for x, n in zip(symbols, (2, 3, 5, 7, 11), strict=False)}
        assert sympy.Matrix(gradients).subs(point).rank() == len(found)


def test_a_network_has_no_fields_written_out() -> None:
    with pytest.raises(SpecError, match="--rational is for φ and fields of one's own"):
        find_rational(find_laws(MLP((2, 2, 2)), 1), 1)


def test_every_format_shows_them() -> None:
    cubes = CustomMap.from_text("u**3 - v**3")
    search = find_laws(cubes, 2)
    result = Result(search, count_laws(cubes), find_rational(search, 1))
    text = render("text", [result])
    assert "  (u + v)/(u·v) = const   (rational)\n" in text
    assert "rational laws: 1 of the 1 others" in text
    assert r"\frac{u + v}{u v} = \mathrm{const} \qquad (\text{rational})" in render(
        "latex", [result]
    )
    scope: dict[str, Any] = {}
    exec(render("sympy", [result]), scope)
    u, v = sympy.symbols("u v")
    assert sympy.simplify(scope["laws"][0] - 1 / u - 1 / v) == 0
    exec(render("python", [result]), scope)
    assert scope["laws"]([2.0, 4.0]).tolist() == [0.75]


def test_the_flag_asks_for_them() -> None:
    arguments = ["laws", "--phi", "u**3 - v**3", "--json"]
    plain, more = (
        json.loads(CliRunner().invoke(main, [*arguments, *flag]).stdout)["results"][0]
        for flag in ([], ["--rational"])
    )
    assert "rational" not in plain
    (law,) = more["rational"]
    assert law["denominator"] == {"u": 1, "v": 1}
    assert [term["exponents"] for term in law["numerator"]] == [{"u": 1}, {"v": 1}]
