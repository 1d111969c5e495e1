"""exp, log, sin, cos, tanh, sigmoid and erf in formulas, against symbolic brackets whose ranks are
taken numerically to many digits.
"""

from __future__ import annotations

import random
import re

import oracle_reals
import pytest

from conslaw_cli import CustomFields, CustomMap, SpecError, count_laws


def at(text: str, inputs: int = 3) -> str:
    """Return components at the inputs 1, 2, …, where the text has X."""
    return ", ".join(text.replace("X", str(x)) for x in range(1, inputs + 1))


NORM2 = "(({0} - {1})/2)/sqrt((({0} - {1})/2)**2)"  # of two units, centred: 1 or −1
PAIR = [(f"(a*{x} + b*{y})", f"(c*{x} + d*{y})") for x, y in ((1, 2), (3, 1))]
LAYER_NORM = ", ".join(f"v*tanh((p - q)*{NORM2.format(*pair)})" for pair in PAIR)
RMS_NORM = ", ".join(f"v*tanh(p*{z}/sqrt({z}**2)) + w*tanh(q*{z}/sqrt({z}**2))" for z, _ in PAIR)
CASES = {
    # Values that are not independent, though they stand at different places.
    "a value of θ alone": ("u, v*tanh(b)", 1),
    "of θ alone and of an input": (at("v*tanh(b) + w*erf(u*X)", 4), 1),
    "equal arguments": (at("v*tanh(u*X) + q*tanh(u*X)"), 1),
    "opposite sines": (at("v*sin(u*X) + q*sin(-u*X)"), 1),
    "opposite sigmoids": (at("v*sigmoid(u*X) + q*sigmoid(-u*X) + c", 4), 1),
    "tanh and sigmoid": (at("v*tanh(u*X) + q*sigmoid(2*u*X) + c", 4), 1),
    "opposite softplus": (at("v*log(1 + exp(u*X)) + q*log(1 + exp(-u*X)) + c*u*X", 4), 1),
    "opposite GELU": (
        at("v*u*X*(1 + erf(u*X))/2 - q*u*X*(1 + erf(-u*X))/2 + c*u*X", 4),
        1,
    ),
    "exp of softplus": (at("v*exp(log(1 + exp(u*X))) + q*exp(u*X) + c", 4), 1),
    "products of exponentials": (at("v*exp(u*X)*exp(r*X) + q*exp((u + r)*X)", 4), 2),
    "layer norm of two units": (LAYER_NORM, 6),
    "norm of one unit": (RMS_NORM, 5),
    "a root of a square": (at("v*sqrt((x**2 + y**2)**2) + q*X*(x**2 + y**2)"), 2),
    # Others.
    "weight normalization": ("exp(a)*v/sqrt(v**2 + w**2), exp(a)*w/sqrt(v**2 + w**2)", 1),
    "a sum of angles": ("sin(x + y), sin(x)*cos(y) + cos(x)*sin(y)", 1),
    "a circle": ("u*cos(t), u*sin(t)", 0),
    "multiplied out": ("exp(u**2 - v**2), w*exp((u - v)*(u + v))", 1),
    "logarithms of products": ("u*log(x*y), v*log(x) + v*log(y)", 2),
    "an error function": ("v*erf(u) + q*erf(-u), v*erf(2*u) - q*erf(2*u)", 1),
    "roots of sums of functions": ("x*sqrt(1 + exp(u)), y*sqrt(1 + exp(2*u))", 0),
    "roots of functions": ("sqrt(exp(x))*y, exp(x)", 0),
    "functions of roots": ("exp(sqrt(x))*y, exp(x)*z", 0),
    "functions of functions": ("u*sin(exp(x)), u*log(x + exp(x))", 0),
    "one number": ("exp(2)*x + exp(1)*y", 1),
    "a number of a root": ("exp(sqrt(2))*x + y, x*y", 0),
}


@pytest.mark.parametrize(("text", "laws"), CASES.values(), ids=list(CASES))
def test_counts_are_those_of_the_functions(text: str, laws: int) -> None:
    phi = CustomMap.from_text(text)
    row = count_laws(phi)
    assert row.laws == laws
    if text in (LAYER_NORM, RMS_NORM):
        return  # one function: all but one direction are laws; brackets would take minutes
    draw = random.Random(1)
    point = [f"{draw.randint(300, 900)}/601" for _ in phi.variables]
    plain = re.sub(r"sigmoid\(([^()]*)\)", r"(1/(1 + exp(-(\1))))", text)
    assert row.dim_lie == oracle_reals.ranks(plain.split(", "), phi.variables, point)[-1]


def test_fields_may_hold_functions() -> None:
    turning = CustomFields(("x", "y", "t"), (("cos(t)", "sin(t)", "0"), ("0", "0", "1")))
    assert (count_laws(turning).laws, count_laws(turning).verdict) == (0, "proved")


def test_functions_of_arrays_go_entry_by_entry() -> None:
    units = CustomMap((), ("V*tanh(U)", "V*tanh(2*U)"), arrays=(("U", (2, 1)), ("V", (1, 2))))
    assert (
        count_laws(units).laws
        == count_laws(CustomMap.from_text("v*tanh(u) + w*tanh(s), v*tanh(2*u) + w*tanh(2*s)")).laws
    )


def test_a_name_without_parentheses_is_a_variable() -> None:
    phi = CustomMap.from_text("exp*log(x), exp*sin")
    assert phi.variables == ("exp", "sin", "x")
    assert count_laws(phi).laws == 1
    assert phi.parts() == ((phi, 1),)


@pytest.mark.parametrize(
    ("text", "reason", "laws"),
    [
        ("u*exp(1), v*log(2)", "the numbers exp(1) and log(2) are not known to be", 0),
        ("log(x**2 - y**2)*u, log(x - y)*u, log(x + y)*u", "not known to be independent", 1),
        ("x*sqrt(1 + exp(1)) + y", "the root of 1 + exp(1), a number, is not known to be new", 1),
        ("exp(sqrt(2))*x + log(3)*y", "the numbers exp(", 1),
        ("v*sqrt(s**2 + 2*s*t + t**2), q*(s + t)", "seems to be a rational expression", 2),
    ],
)
def test_what_is_not_known_is_counted_at_a_real_point(text: str, reason: str, laws: int) -> None:
    phi = CustomMap.from_text(text)
    assert phi.doubt is not None
    assert reason in phi.doubt
    row = count_laws(phi)
    assert row.laws == laws
    if row.verdict == "computed":
        assert reason in next(bound.shown for bound in row.upper if bound.method == "balls")


def test_the_norm_of_one_number_is_its_sign() -> None:
    """The root is of a square that is written out: no residue says which sign it has."""
    text = "v*tanh(w*(a*{0} + b*{1})/sqrt(a**2*{0}**2 + 2*a*b*{0}*{1} + b**2*{1}**2))"
    inputs = ("(1)", "(2)"), ("(3)", "(1)")
    row = count_laws(CustomMap.from_text(", ".join(text.format(*each) for each in inputs)))
    assert (row.laws, row.dim_lie) == (3, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("log(-1 - x**2)", "column 5: '-1 - x**2' is not positive"),
        ("sinh(x)", "'sinh' is no function known here; these are sqrt, exp, log, sin, cos"),
        ("exp(x, y)", "exp takes one argument"),
    ],
)
def test_what_is_not_known_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        CustomMap.from_text(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "dim_lie", "laws"),
    [
        ("sin(50*x)*u", 1, 1),
        ("sin(21*x)*u, sin(x)*v", 3, 0),
        ("u*v*sin(21*x), u*v*cos(42*x)", 2, 1),  # cos 2z = 1 − 2 sin² z: one function of u v, x
        ("u*v*sin(21*x), u*v*cos(63/2*x)", 2, 1),
    ],
)
def test_large_multiples_have_states_of_their_own(text: str, dim_lie: int, laws: int) -> None:
    """By hand: sums of products of one function of u, v each with an independent one of x."""
    row = count_laws(CustomMap.from_text(text))
    assert (row.dim_lie, row.laws, row.verdict) == (dim_lie, laws, "proved")


def test_many_roots_that_share_variables_are_counted_at_a_real_point() -> None:
    """Of d functions of x and y, times u v: u² − v² is the law."""
    roots = ", ".join(f"sqrt(x**2 + {k}*y**2 + {k * k + 1})*u*v" for k in range(1, 12))
    row = count_laws(CustomMap.from_text(roots))
    assert (row.dim_lie, row.laws, row.unknown_laws, row.verdict) == (3, 1, 0, "proved")
    assert [bound.method for bound in row.lower] == ["balls"]


def test_scalings_that_leave_arguments_alone_are_known_laws() -> None:
    (family,) = CustomMap.from_text("exp(x*y)*z, sin(x*y)*z, z").laws().families
    assert family.text == "x² − y²"
