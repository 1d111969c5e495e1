"""Ranks in ball arithmetic, against those modulo primes, where both are right."""

from __future__ import annotations

import pytest

from conslaw_cli import CustomFields, CustomMap, Decay, Momentum, Problem, SpecError, count_laws
from conslaw_cli.families.formulas.balls import ranks

MAPS = [
    "u*v1, u*v2",
    "u1**2 - v1**2, u2**2 - v2**2",
    "a*b, a*c, b*c",
    "v1/sqrt(v1**2 + v2**2), g*v2",
    "exp(s)*v1/sqrt(v1**2 + v2**2), exp(s)*v2/sqrt(v1**2 + v2**2)",
    "v*tanh(u) + q*tanh(s), v*tanh(2*u) + q*tanh(2*s), v*tanh(3*u) + q*tanh(3*s)",
    "u*erf(v), u*erf(2*v)",
    "u*log(x), v*log(x*y)",
    "sin(x + y), cos(x)*y",
    "x*sqrt(1 + exp(u)), y*sqrt(1 + exp(2*u))",
    "(x + y)**(1/3)*z, x - y",
]


@pytest.mark.parametrize("text", MAPS)
def test_a_real_point_and_residues_agree(text: str) -> None:
    phi = CustomMap.from_text(text)
    assert phi.doubt is None
    row = count_laws(phi)
    assert row.trace is not None
    assert ranks(phi.algebraic(), phi.parameters) == row.trace.dimensions


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("v*sqrt(u**2 + 2*u*w + w**2) + q*u, q*w", "v*(u + w) + q*u, q*w"),
        ("v*sqrt(u**2 + 2*u*w + w**2), q*(u + w)", "v*(u + w), q*(u + w)"),
        ("(a**3 + 3*a**2*b + 3*a*b**2 + b**3)**(1/3)*c, b*d", "(a + b)*c, b*d"),
        (
            "sqrt(x)*u + sqrt(y)*v, sqrt(x + y + 2*sqrt(x*y))*w",
            "sqrt(x)*u + sqrt(y)*v, (sqrt(x) + sqrt(y))*w",
        ),
        ("u*log(x**2 - y**2), u*log(x - y), u*log(x + y)", "u*log(x - y), u*log(x + y)"),
        ("x*sqrt(1 + 2*exp(u) + exp(2*u)), y*exp(u)", "x*(1 + exp(u)), y*exp(u)"),
    ],
)
def test_dependent_ones_count_as_what_they_are(text: str, plain: str) -> None:
    """Written without the roots or logarithms that hang together."""
    phi = CustomMap.from_text(text)
    assert phi.doubt is not None
    assert count_laws(phi).laws == count_laws(CustomMap.from_text(plain)).laws


def test_other_flows_say_that_they_are_not_counted_so() -> None:
    phi = CustomMap.from_text("v*sqrt(u**2 + 2*u*w + w**2)")
    with pytest.raises(SpecError, match="are counted under gradient flow only"):
        count_laws(Problem(phi, Momentum()))


def test_other_flows_are_bounded_by_known_laws() -> None:
    phi = CustomMap.from_text("log(x**2 - y**2)*u*v, log(x - y)*u*v, log(x + y)*u*v")
    row = count_laws(Problem(phi, Decay()))
    assert (row.verdict, row.laws, row.laws_at_least, row.known_independent) == (
        ("bounded", None, 1, 1)
    )
    assert "are counted under gradient flow only" in (row.reason or "")


def test_fields_agree_as_well() -> None:
    frame = CustomFields(("x", "y", "t"), (("cos(t)", "sin(t)", "0"), ("0", "0", "1")))
    assert ranks(frame.algebraic(), 3) == (2, 3)
    turns = CustomFields(("x", "y", "z"), (("0", "-z", "y"), ("z", "0", "-x"), ("-y", "x", "0")))
    assert ranks(turns.algebraic(), 3) == (2,)


def test_what_is_enough_ends_it() -> None:
    phi = CustomMap.from_text("u*v, u**2*w")
    assert ranks(phi.algebraic(), 2) == (2,)
