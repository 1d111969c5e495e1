"""Constants: which are zero, which sign they have, and which roots are no new numbers."""

from __future__ import annotations

import contextlib
import random
from fractions import Fraction
from math import prod

import numpy as np
import pytest
import sympy
from oracle_reals import UndefinedError, ranks
from table_of_constants import TABLE, mistaken

from conslaw_cli import count_laws
from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.errors import SpecError
from conslaw_cli.families.formulas import algebraic, normal_form
from conslaw_cli.families.formulas.algebraic import _roots, gradient_fields, prove_independence
from conslaw_cli.families.formulas.constants import Constants
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.formulas.expressions import Expression, Names, graph
from conslaw_cli.families.formulas.places import constant_places
from conslaw_cli.families.formulas.terms import DependentError, Graph, Term


def read(*texts: str) -> Graph:
    whole = [Expression(text, f"component {i}") for i, text in enumerate(texts, start=1)]
    return graph(whole, Names.of("xy"))


def one(text: str) -> Term:
    (term,) = read(text).outputs
    return term


def test_zeros_are_those_with_the_minimal_polynomial_x() -> None:
    assert len(TABLE) >= 500
    assert sum(zero for _, zero in TABLE) >= 200
    assert not mistaken(TABLE[::3])


def test_zeros_are_found_where_a_variable_hides_them() -> None:
    """The constant is spread over terms, factors and denominators."""
    zeros = [text for text, zero in TABLE[::7] if zero]
    for text in zeros:
        left, right = text.rsplit(" - (", 1)
        assert one(f"({left})*x - ({right}*x").coefficient == 0, text
        assert one(f"x/y*({left}) - x*({right}/y").coefficient == 0, text


def pell(n: int) -> str:
    """(√2 − 1)^n, multiplied out."""
    whole, root = 1, 0
    for _ in range(n):
        whole, root = 2 * root - whole, whole - root
    return f"({whole})+({root})*sqrt(2)"


@pytest.mark.parametrize(
    "text",
    [
        "sqrt(10**18+1)-10**9",  # 5e-10
        "(10**18+1)**(1/3)-10**6",  # 3e-13
        pell(99),
        pell(255),  # 3e-98
        f"({pell(200)})+({pell(200)})*sqrt(3)",
    ],
)
def test_a_small_constant_has_its_sign(text: str) -> None:
    assert one(f"({text})*x").coefficient > 0
    assert one(f"sqrt({text})*x").coefficient > 0
    assert one(f"-({text})*x").coefficient < 0
    with pytest.raises(SpecError, match="is not positive"):
        read(f"sqrt(-({text}))*x")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("sqrt(3+2*sqrt(2))*x", "x+sqrt(2)*x"),
        ("sqrt(5+2*sqrt(6))*x", "sqrt(2)*x+sqrt(3)*x"),
        ("sqrt(5-2*sqrt(6))*x", "(sqrt(3)-sqrt(2))*x"),
        ("(7+5*sqrt(2))**(1/3)*x", "x+sqrt(2)*x"),
        ("(17+12*sqrt(2))**(1/4)*x", "x+sqrt(2)*x"),
        ("sqrt(x+sqrt(2)*x)", "sqrt(1+sqrt(2))*sqrt(x)"),
        ("sqrt(x**2*y+x*y**2)", "sqrt(x)*sqrt(y)*sqrt(x+y)"),
        ("sqrt(1/x+y)", "sqrt(1+x*y)/sqrt(x)"),
        ("sqrt(sqrt(2)*x+2*y)", "2**(1/4)*sqrt(x+sqrt(2)*y)"),
    ],
)
def test_one_number_is_one_element(text: str, same: str) -> None:
    whole = read(f"{text} - ({same})", text)
    assert whole.outputs[0].coefficient == 0
    assert whole.outputs[1].coefficient != 0


@pytest.mark.parametrize(
    "texts", [("sqrt(2+sqrt(3))*x", "sqrt(2)*y"), ("sqrt(2)*y", "sqrt(2+sqrt(3))*x")]
)
def test_a_root_in_the_field_of_another_is_found_whichever_comes_first(
    texts: tuple[str, str],
) -> None:
    """√(2 + √3) = (√6 + √2)/2."""
    whole = read(*texts, "sqrt(2+sqrt(3))*x - (sqrt(6)+sqrt(2))/2*x")
    assert whole.outputs[2].coefficient == 0


@pytest.mark.parametrize(
    ("text", "exponent"),
    [
        ("(sqrt(2)+sqrt(3))**2-5-2*sqrt(6)+2", "2"),
        ("(1+sqrt(2))*(1-sqrt(2))/3", "-1/3"),
        ("(7+5*sqrt(2))**(1/3)-sqrt(2)-59/60", "1/60"),
        ("(2+sqrt(3))**20*(2-sqrt(3))**20", "1"),
        ("sqrt(2)-2/sqrt(2)", "0"),
    ],
)
def test_an_exponent_may_be_a_rational_number_written_with_roots(text: str, exponent: str) -> None:
    assert one(f"x**({text})") == one(f"x**({exponent})")


@pytest.mark.parametrize("text", ["sqrt(2)", "1/2+2**-120*sqrt(2)", "10**80*(sqrt(2)-1)"])
def test_an_exponent_that_is_not_rational_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="expected a rational number as exponent"):
        one(f"x**({text})")


def test_a_root_of_a_sum_of_constants_that_is_new_stays_a_root() -> None:
    whole = read("sqrt(2+sqrt(2))*x")
    prove_independence(gradient_fields(whole), str)
    assert any(e == Fraction(1, 2) for _, e in whole.outputs[0].factors)


def test_a_sum_of_fractions_is_as_small_as_all_their_denominators_together() -> None:
    """1/(p q r …) is a sum of fractions with denominators p, q, r, …, up to an integer."""
    primes = [2**61 - 1, *(sympy.prevprime(2**60 - 1000 * i) for i in range(7))]
    all_of_them = prod(primes)
    shares = [Fraction(pow(all_of_them // p, -1, p), p) for p in primes]
    whole = int(sum(shares))
    assert sum(shares) - whole == Fraction(1, all_of_them)
    terms = [Term(share) for share in (*shares, Fraction(-whole))]
    assert Constants().sign(terms)[0] == 1
    assert Constants().sign([*terms, Term(Fraction(-1, all_of_them))])[0] == 0


def test_a_constant_that_takes_too_many_digits_is_refused_with_the_reason() -> None:
    """Its field has a degree of up to 6^12, so nothing that small is told from zero."""
    roots = [f"{p}**(1/6)" for p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)]
    total = "+".join(roots)
    with pytest.raises(SpecError, match="expected fewer roots of constants"):
        read(f"x*(({total})*({'-'.join(roots)})+({total})**2-2*2**(1/6)*({total}))")


POINT = ("1.3125", "0.8437", "1.7103")


SQUARE = "18+2*(" + "+".join(f"sqrt({n})" for n in (2, 3, 5, 7, 6, 10, 14, 15, 21, 35)) + ")"
"""(1 + √2 + √3 + √5 + √7)², in a field of degree 16."""


@pytest.mark.parametrize(
    "components",
    [
        ("x*(1/(1+sqrt(2))-sqrt(2)+1)",),
        ("x*((sqrt(5)+sqrt(7))**2-12-2*sqrt(35))",),
        ("x*y", "z*(1/(1+sqrt(2))-sqrt(2)+1)"),
        ("x*y+z**2", "x*y**2", "x*((1+sqrt(2))*(sqrt(2)-1)-1)"),
        ("x*y+z**2", "x*y**2"),
        ("sqrt(x)+(3*y)**(1/3)",),
        ("x*(sqrt(7)+y)", "(y+z)**(1/7)"),
        ("y**(1/4)", "x**3+(x+2*x)**(2/3)+y"),
        ("sqrt(2+sqrt(2))*x",),
        ("sqrt(2+sqrt(2))*x+y",),
        ("sqrt(x+sqrt(2)*x)-sqrt(x)*y",),
        ("sqrt(2+sqrt(2+sqrt(2)))*x+y", "z*sqrt(x+sqrt(3)*y)"),
        ("sqrt(2+sqrt(3))*x+y*sqrt(2)+(x+y)**(1/3)", "z*y"),
        ("(1+2**(1/3))**(1/3)*x+y*z**(1/3)", "x*z"),
        ("x/(1+sqrt(2))+sqrt(3)*y/(sqrt(5)+sqrt(7))", "x**2*z-y"),
        ("x*sqrt(sqrt(5)+1)*sqrt(sqrt(5)-1)-2*x+z", "y*z"),
        ("sqrt((x-2*y)**2)+sqrt((2*y-x)**2)",),
        ("sqrt(x)*((x**2+1)/x-x-1/x)*y",),
        ("sqrt(3+sqrt(5))*x+2**(1/4)*y+3**(1/3)*z", "x*y"),
        ("x*sqrt(56+14*sqrt(7))-7*x-sqrt(7)*x+3**(1/3)*2**(1/3)*sqrt(5)*y*z",),
        ("+".join(f"sqrt({p})*x" for p in (2, 5, 7, 11, 13)) + "+sqrt(2+sqrt(3))*y", "x*z"),
        (f"sqrt({SQUARE})*x+y*z", "x*y"),
        (  # √b lies in the field of √a, ∛a in that of ∛b, for a = b^7 = (1 + √2)^7
            "sqrt(239+169*sqrt(2))*x+(1+sqrt(2))**(1/3)*y+(239+169*sqrt(2))**(1/6)*z",
            "x*y",
        ),
        ("x**((1+sqrt(2))*(sqrt(2)-1)/2)*y", "z**(sqrt(5+2*sqrt(6))-sqrt(2)-sqrt(3)+2)+y"),
    ],
)
def test_traces_are_those_of_symbolic_brackets(components: tuple[str, ...]) -> None:
    """No zero is taken for something else, whatever verdict a row has, and no root is refused."""
    row = count_laws(CustomMap(("x", "y", "z"), components))
    assert row.trace is not None
    assert row.trace.dimensions == ranks(components, "xyz", POINT)


def formula(draw: random.Random, depth: int) -> str:
    """A random map with roots of variables and of constants."""
    kind = draw.random()
    if depth == 0 or kind < 0.15:
        return draw.choice("xyz")
    if kind < 0.3:
        exponent = draw.choice(("1/2", "1/3", "1/4", "2/3", "2", "3", "-1"))
        return f"({formula(draw, depth - 1)})**({exponent})"
    if kind < 0.6:
        left, right = formula(draw, depth - 1), formula(draw, depth - 1)
        return f"({left}{draw.choice('++-')}{right})"
    if kind < 0.8:
        return f"({formula(draw, depth - 1)}*{formula(draw, depth - 1)})"
    return f"({constant(draw, 2)})*({formula(draw, depth - 1)})"


def constant(draw: random.Random, depth: int) -> str:
    """A random constant with nested roots."""
    if depth == 0 or draw.random() < 0.2:
        return str(draw.choice((1, 2, 2, 3, 3, 5, 6)))
    kind = draw.random()
    if kind < 0.5:
        return f"({constant(draw, depth - 1)})**({draw.choice(('1/2', '1/2', '1/3', '-1/2'))})"
    return f"({constant(draw, depth - 1)}{draw.choice('++*/')}{constant(draw, depth - 1)})"


@pytest.mark.parametrize("seed", range(40))
def test_random_maps_have_the_traces_of_symbolic_brackets(seed: int) -> None:
    draw = random.Random(seed)
    components = tuple(formula(draw, 2) for _ in range(2))
    try:
        expected = ranks(components, "xyz", POINT)
    except (UndefinedError, ZeroDivisionError):
        return
    with contextlib.suppress(SpecError):  # not differentiable, as the root of a hidden zero is
        row = count_laws(CustomMap(("x", "y", "z"), components))
        assert row.trace is not None
        assert row.trace.dimensions == expected, components


NORM = 4414199
"""A prime, 2101² − 2, between 2^22 and 2^23: modulo it 2101 + √2 is 0 for one of the two √2."""


def test_there_is_no_place_where_a_denominator_is_zero() -> None:
    fields = gradient_fields(read("x/(2101+sqrt(2))+y"))
    roots = _roots(fields.graph, fields.program)
    (place,) = constant_places(fields.graph, roots, np.array([NORM])).signs.values()
    assert len(place) == 1
    other = 4194319  # 7 modulo 8, so 2 has two square roots there too
    assert len(constant_places(fields.graph, roots, np.array([other]))) == 2


def test_a_zero_is_no_witness_that_a_root_of_constants_is_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """(2101 + √2)² is a square everywhere, but 0 at one place over NORM."""
    monkeypatch.setattr(Constants, "root", lambda *_: None)
    monkeypatch.setattr(algebraic, "all_primes", lambda: np.array([NORM]))
    fields = gradient_fields(read("sqrt(4414203+4202*sqrt(2))*x+y"))
    with pytest.raises(DependentError, match="to lie in the field of the other roots"):
        prove_independence(fields, str)


def test_a_zero_is_no_witness_that_a_root_of_variables_is_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """(x + y)² is a square everywhere; every other point looked at is a zero of it."""
    draw = PrimeField.random

    def opposite(field: PrimeField, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        points = draw(field, rng, shape)
        points[::2, 1] = -points[::2, 0]
        return points

    monkeypatch.setattr(PrimeField, "random", opposite)
    with pytest.raises(DependentError, match="seems to be a rational expression"):
        prove_independence(gradient_fields(read("sqrt(x**2+2*x*y+y**2)")), str)


def test_partial_fractions_have_prime_powers_below() -> None:
    assert normal_form._partial(Fraction(-7, 12)) == [-2, Fraction(3, 4), Fraction(2, 3)]
    assert normal_form._partial(Fraction(5, 3)) == [1, Fraction(2, 3)]
    assert normal_form._partial(Fraction(4)) == [4]


def test_a_dependent_root_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normal_form, "FACTORS", 0)

    def refusal(*texts: str) -> str:
        with pytest.raises(DependentError) as caught:
            prove_independence(gradient_fields(read(*texts)), str)
        return str(caught.value)

    assert "a rational expression in the variables and other roots" in refusal(
        "sqrt(x**2+2*x*y+y**2)"
    )
    assert "to lie in the field of the other roots of constants" in refusal(
        "+".join(f"sqrt({p})*x" for p in (2, 5, 7, 11, 13)) + "+sqrt(2+sqrt(3))*y"
    )
    assert "times the root of a constant that is not among the roots here" in refusal(
        "sqrt(3*x**2+6*sqrt(2)*x*y+6*y**2+sqrt(2)*(x**2+2*sqrt(2)*x*y+2*y**2))"
    )
