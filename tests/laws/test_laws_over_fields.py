"""Polynomial laws whose coefficients are radicals: found, verified and written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy

from conslaw_cli import count_laws, find_laws
from conslaw_cli.families.formulas.algebraic import AlgebraicFields, Complexity
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.formulas.fields import CustomFields
from conslaw_cli.formats.laws import Result, render
from conslaw_cli.laws import polynomials
from conslaw_cli.laws.plan import MAX_FIELD, Plan
from conslaw_cli.laws.values import Polynomial
from conslaw_cli.problems.problem import Problem

Custom = CustomMap | CustomFields


def result(custom: Custom, degree: int, **options: Any) -> Result:
    return Result(find_laws(custom, degree, **options), count_laws(custom))


def laws(custom: Custom, degree: int, **options: Any) -> list[sympy.Expr]:
    scope: dict[str, Any] = {}
    exec(render("sympy", [result(custom, degree, **options)]), scope)
    return list(scope["laws"])


def derivatives(law: sympy.Expr, phi: CustomMap) -> list[sympy.Expr]:
    """⟨∇h, ∇φ_i⟩, by sympy, of which a law makes all zero."""
    symbols = sympy.symbols(phi.variables)
    maps = [sympy.sympify(text, rational=True) for text in phi.components]
    return [
        sympy.simplify(sum(sympy.diff(law, x) * sympy.diff(component, x) for x in symbols))
        for component in maps
    ]


@pytest.mark.parametrize(
    ("text", "degree", "number"),
    [
        ("sqrt(2)*x+y", 1, 1),
        ("sqrt(2)*x+y", 2, 1),
        ("3**(1/3)*x+y", 2, 1),
        ("2**(1/3)*x+y", 2, 1),
        ("2**(1/4)*x+sqrt(3)*y", 1, 1),
        ("sqrt(2+sqrt(2))*x+y", 1, 1),
        ("x+(1+sqrt(2))*y+(sqrt(3)-2)*z", 1, 2),
        ("2**(1/3)*x**2+y*z+sqrt(2+sqrt(3))*z", 2, 1),
        ("x*y+sqrt(2)*z", 2, 1),
        ("sqrt(x**2+sqrt(2)*y**2)*z", 2, 1),
        ("x*z+sqrt(2)*y*z", 2, 2),
    ],
)
def test_laws_over_the_field_of_the_constants_are_found(
    text: str, degree: int, number: int
) -> None:
    phi = CustomMap.from_text(text)
    found = laws(phi, degree)
    assert len(found) == number
    for law in found:
        assert not any(derivatives(law, phi)), law


@pytest.mark.parametrize("seed", range(4))
def test_they_do_not_depend_on_the_seed(seed: int) -> None:
    search = find_laws(CustomMap.from_text("3**(1/3)*x+y, z*sqrt(5)"), 2, seed=seed)
    assert dict(search.linear) == {1: 1, 2: 1}
    (law,) = search.generators
    assert law.polynomial.degree == 1


def test_radicals_are_not_counted_as_variables() -> None:
    """x − √2 y has one law of degree 1, one of degree 2 (its square), one of degree 3."""
    search = find_laws(CustomMap.from_text("sqrt(2)*x+y"), 3, basis=True)
    assert dict(search.linear) == {1: 1, 2: 1, 3: 1}
    assert search.independent == 1
    assert [law.polynomial.degree for law in search.basis or ()] == [1, 2, 3]


def test_what_has_rational_laws_keeps_them() -> None:
    """A constant factor changes no law, nor do constants that cancel."""
    for text in ("sqrt(2)*x*y", "x*y", "sqrt(3)*sqrt(2)*x*y*5**(1/7)"):
        (law,) = find_laws(CustomMap.from_text(text), 2).generators
        assert law.polynomial.rational
        assert law.polynomial.terms == ((1, (0, 0)), (-1, (1, 1)))


def test_coefficients_are_written_as_they_are_read() -> None:
    found = result(CustomMap.from_text("sqrt(2)*x+y+(1+2**(1/3))*z"), 1)
    text = render("text", [found])
    assert "x − sqrt(2)·y = const" in text
    assert "(2**(5/6) + sqrt(2))·x − 2·z = const" in text
    (row,) = json.loads(render("json", [found]))["results"]
    coefficients = [term["coefficient"] for law in row["generators"] for term in law["terms"]]
    assert "-sqrt(2)" in coefficients
    assert 1 in coefficients
    assert all(isinstance(c, int) or "sqrt" in c or "**" in c for c in coefficients)
    assert r"\sqrt{2} y" in render("latex", [found])


def test_python_code_computes_them() -> None:
    scope: dict[str, Any] = {}
    phi = CustomMap.from_text("sqrt(2)*x+y+(1+2**(1/3))*z")
    exec(render("python", [result(phi, 1)]), scope)
    direction = [2**0.5, 1.0, 1 + 2 ** (1 / 3)]
    here, there = (
        [x + 0.7 * t * g for x, g in zip((1, 2, 3), direction, strict=True)] for t in (0, 1)
    )
    assert scope["laws"](there) == pytest.approx(scope["laws"](here))
    assert scope["laws"]([1, 2, 4]) != pytest.approx(scope["laws"](here))


ROOTS = (2, 3, 5, 7, 11, 13)


def test_beyond_the_largest_field_only_rational_laws_are_meant() -> None:
    assert 2 ** len(ROOTS) > MAX_FIELD
    total = "+".join(f"sqrt({p})*x{i}" for i, p in enumerate(ROOTS))
    phi = CustomMap.from_text(f"{total}, y+z")
    found = result(phi, 1)
    assert found.search.rational
    assert [law.polynomial.terms for law in found.search.generators] == [((1, (6,)), (-1, (7,)))]
    text = render("text", [found])
    assert "5 of them are no polynomials of degree 1 with rational coefficients" in text
    assert '"rational_coefficients": true' in render("json", [found])


def test_beyond_the_largest_field_cube_roots_do_not_pass_for_rational_numbers() -> None:
    """Modulo a prime that has one cube root of everything, nothing tells it from a rational."""
    total = "+".join(f"{p}**(1/3)*x{i}" for i, p in enumerate(ROOTS[:4]))
    found = result(CustomMap.from_text(f"{total}, y+z, x0+2*x1"), 1)
    assert found.search.rational
    assert [law.polynomial.terms for law in found.search.generators] == [((1, (4,)), (-1, (5,)))]


def test_laws_of_fields_have_radicals_too() -> None:
    """(√2 y, −x) keeps x² + √2 y²."""
    fields = CustomFields(("x", "y"), (("sqrt(2)*y", "-x"),))
    (law,) = laws(fields, 2)
    x, y = sympy.symbols("x y")
    assert sympy.simplify(law / (x**2 + sympy.sqrt(2) * y**2)).is_constant()


def begun(text: str) -> polynomials._Search:
    rng = np.random.default_rng(0)
    plan = Plan(Problem(CustomMap.from_text(text)), False, None, rng)
    search = polynomials._Search(plan, rng, lambda what, done: None)
    assert isinstance(search.fields, AlgebraicFields)
    size = Complexity(3, 10.0, spread=65.0, primes=268_216 / 2)
    search.fields = replace(search.fields, complexity=size)
    return search


def test_radicals_count_in_the_size_of_a_law() -> None:
    """x − √1000003 y has norm 2; the root's height is log2(1000003)/2, below 10 bits.

    Degree 1 and 3, zeros 65 times as likely: 260; (log2(2 · 2^10) + 10 + log2(2 + 1)) · 2 =
    45.16993 bits, half of all primes: a point misses with a probability of 45.16993/22/268216 +
    260/2^22 = 6.96439e-5.
    """
    law = Polynomial(((1, (0,)), (-1, (-1, 1))))
    assert begun("sqrt(1000003)*x+y")._false_law(law) == pytest.approx(6.96439e-5**12, 1e-3, abs=0)


def test_ranks_of_entries_with_radicals_are_as_sure_as_these() -> None:
    """Entries of degree 1 and norm 4, so (log2(4) + 10 + log2(3)) · 2 = 27.16993 bits: a trial
    misses rank 1 with a probability of 27.16993/22/268216 + 260/2^22 = 6.65933e-5, five of them
    with less than 2^-60.
    """
    search = begun("sqrt(2)*x+y")
    assert search._largest(lambda over: [], 1, degree=1, norm=4, rational=False) == []
    assert search.error == pytest.approx(6.65933e-5**5, 1e-4, abs=0)
