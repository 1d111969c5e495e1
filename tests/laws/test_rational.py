"""Laws that are quotients: those of textbooks are found, and sympy differentiates them to zero."""

from __future__ import annotations

import json
import random
import re
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import sympy
from click.testing import CliRunner

from conslaw_cli import MLP, CustomFields, CustomMap, SpecError, count_laws, find_laws
from conslaw_cli.cli import main
from conslaw_cli.formats.laws import Result, render
from conslaw_cli.laws.rational import find_rational
from conslaw_cli.laws.values import Polynomial

CUBE = "(x**2 + y**2)**(3/2)"
KEPLER = CustomFields(("r", "p"), (("p", "(1 - r)/r**3"),))  # for unit angular momentum
CASES: list[tuple[Any, int, int, list[str]]] = [
    (CustomMap.from_text("u**3 - v**3"), 2, 1, ["1/u + 1/v"]),
    (CustomMap.from_text("u**4 - v**4"), 2, 1, ["1/u**2 + 1/v**2"]),
    (CustomMap.from_text("w1**2 + 3*w2**2"), 3, 1, ["w1**3/w2"]),
    (CustomMap.from_text("w1**2 + 41*w2**2"), 1, 1, ["w1**41/w2"]),
    (CustomMap.from_text("u1**2 + u2**2"), 2, 1, ["u1/u2"]),
    (CustomMap.from_text("u1**2 + u2**2 + u3**2"), 1, 2, ["u1/u3", "u2/u3"]),
    (CustomMap.from_text("x**2 + x*y + y**2"), 1, 1, ["(x - y)**3/(x + y)"]),
    (CustomMap.from_text("x + exp(y)"), 2, 1, ["x + exp(-y)"]),
    (CustomMap.from_text("sqrt(2)*x**2 + sqrt(8)*y**2"), 2, 1, ["x**2/y"]),
    (CustomMap((), ("U*U.T",), arrays={"U": (2, 3)}), 2, 2, []),
    (CustomMap.from_text("x + y**2"), 2, 0, []),
    (CustomFields(("x", "y"), (("a*x", "2*a*y"),), constants=("a",)), 2, 1, ["x**2/y"]),
    (
        CustomFields(("x", "y", "z"), (("x - y", "y - x - z", "z"),)),
        *(2, 1, ["(x - y + z)/z**2"]),
    ),
    (KEPLER, 2, 1, ["p**2/2 + 1/(2*r**2) - 1/r"]),
    (
        CustomFields(("x", "y", "p", "q"), (("p", "q", f"-x/{CUBE}", f"-y/{CUBE}"),)),
        *(2, 2),
        [
            "(p**2 + q**2)/2 - 1/sqrt(x**2 + y**2)",  # energy and both entries of Runge and Lenz
            "q*(x*q - y*p) - x/sqrt(x**2 + y**2)",
            "-p*(x*q - y*p) - y/sqrt(x**2 + y**2)",
        ],
    ),
]


def written(architecture: Any, degree: int) -> tuple[list[sympy.Expr], list[sympy.Expr]]:
    """Return the polynomials and the quotients as sympy reads them."""
    search = find_laws(architecture, degree)
    missing = (count_laws(architecture).laws or 0) - search.independent
    found = find_rational(search, missing)
    names = [sympy.sympify(plain(name)) for name in found.coordinates.names]

    def expression(polynomial: Polynomial) -> sympy.Expr:
        terms = (c * sympy.prod([names[e] for e in m]) for c, m in polynomial.terms)
        return sympy.Add(*terms)

    return [expression(law.polynomial) for law in search.generators], [
        sympy.prod(expression(factor) ** power for factor, power in law.factors)
        for law in found.laws
    ]


def plain(name: str) -> str:
    return re.sub(r"[\[\],]", "", name)


def fields_of(architecture: Any, symbols: list[sympy.Symbol]) -> list[list[sympy.Expr]]:
    if isinstance(architecture, CustomFields):
        return [[sympy.sympify(entry) for entry in field] for field in architecture.components]
    if architecture.arrays:  # U Uᵀ
        matrix = sympy.Matrix(2, 3, symbols)
        components = list(matrix * matrix.T)
    else:
        components = [sympy.sympify(text) for text in architecture.components]
    return [[sympy.diff(each, x) for x in symbols] for each in components]


def vanishes(expression: sympy.Expr, symbols: list[sympy.Symbol]) -> bool:
    """Whether an expression is 0 at points, to 30 digits."""
    primes = [sympy.Rational(p, 7) for p in (2, 3, 5, 11, 13, 17, 19, 23, 29)]
    for shift in (0, 1):
        point = dict(zip(symbols, primes[shift:], strict=False))
        if abs(sympy.N(expression.subs(point), 30, maxn=200, chop=True)) > 1e-25:
            return False
    return True


@pytest.mark.parametrize(
    ("architecture", "degree", "number", "laws"), CASES, ids=lambda x: str(x)[:40]
)
def test_laws_of_textbooks_are_found(
    architecture: Any, degree: int, number: int, laws: list[str]
) -> None:
    symbols = list(sympy.symbols([*map(plain, architecture.parameter_names())]))
    polynomials, found = written(architecture, degree)
    for law in found:
        for field in fields_of(architecture, symbols):
            along = sum(sympy.diff(law, x) * entry for x, entry in zip(symbols, field, strict=True))
            assert vanishes(along, [*symbols, sympy.Symbol("a")])
    assert len(found) == number
    point = dict(zip(symbols, (0.3, 0.7, 1.1, 1.3, 0.9, 1.7), strict=False))
    every = [*polynomials, *found]
    for text in laws:  # each is a function of those found
        functions = (*every, sympy.sympify(text))
        rows = [[float(sympy.diff(f, x).subs(point)) for x in symbols] for f in functions]
        gradients = np.array([np.array(row) / np.linalg.norm(row) for row in rows])
        assert np.linalg.matrix_rank(gradients, tol=1e-9) == len(every)


@pytest.mark.parametrize("seed", range(6))
def test_the_law_that_fields_are_made_from_is_found(seed: int) -> None:
    """Fields that span the kernel of the gradient of a random quotient of quadratic polynomials."""
    draw = random.Random(seed)
    symbols = sympy.symbols("x y z"[: 3 + 2 * (seed % 2)])
    above, below = (
        sum(draw.randint(-3, 3) * m for m in sympy.itermonomials(symbols, 2)) + symbols[0]
        for _ in range(2)
    )
    rotated = [
        sympy.expand(sympy.diff(above, x) * below - above * sympy.diff(below, x)) for x in symbols
    ]
    fields = []
    for i, j in combinations(range(len(symbols)), 2):
        field = [sympy.Integer(0)] * len(symbols)
        field[i], field[j] = rotated[j], -rotated[i]
        fields.append(tuple(map(str, field)))
    names = tuple(map(str, symbols))
    law = written(CustomFields(names, tuple(fields)), 1)
    (found,) = (*law[0], *law[1])
    for x, y in combinations(symbols, 2):
        (a, b), (c, d) = ([sympy.diff(f, each) for each in (x, y)] for f in (found, above / below))
        assert vanishes(a * d - b * c, symbols)


def test_a_network_has_no_fields_written_out() -> None:
    with pytest.raises(SpecError, match="--rational is for φ and fields of one's own"):
        find_rational(find_laws(MLP((2, 2, 2)), 1), 1)


def test_the_degree_of_the_search_is_said_where_laws_are_missing() -> None:
    line = CustomMap.from_text("x + y**2")
    search = find_laws(line, 1)
    text = render("text", [Result(search, count_laws(line), find_rational(search, 1))])
    assert "rational laws: 0 of the 1 others; quotients were looked for up to degree 2\n" in text


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
    written = [
        (factor["power"], [term["exponents"] for term in factor["terms"]])
        for factor in law["factors"]
    ]
    assert sorted(written, key=str) == [
        (-1, [{"u": 1}]),
        (-1, [{"v": 1}]),
        (1, [{"u": 1}, {"v": 1}]),
    ]
